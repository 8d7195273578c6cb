//! Decapsulation at the tunnel's exit (RFC 2473 section 3.3, RFC 6040 section 4.2).

use super::header::{ETHER_LEN, Ipv4};
use crate::nic::Frame;

/// The ECN field's code points (RFC 3168 section 5).
const NOT_ECT: u8 = 0b00;
const ECT_1: u8 = 0b01;
const ECT_0: u8 = 0b10;
const CE: u8 = 0b11;

/// The ECN field of a packet that leaves a tunnel; `None`: drop it.
///
/// RFC 5213 5.6.3 restates RFC 3168, which RFC 6040 (figure 4) has since updated: congestion marked
/// on a packet that is not ECN-capable can only be signalled by dropping it, and ECT(1) outside
/// ECT(0) is kept as the more severe marking.
pub(super) const fn ecn(inner: u8, outer: u8) -> Option<u8> {
    match (inner, outer) {
        (NOT_ECT, CE) => None,
        (ECT_0 | ECT_1, CE) => Some(CE),
        (ECT_0, ECT_1) => Some(ECT_1),
        _ => Some(inner),
    }
}

/// Removes the tunnel headers: `inner_at` is where the inner packet begins in the outer one, whose
/// traffic class (of IPv4 the type of service) it gets. Leaves
/// room for an Ethernet header, whose contents are undefined. `false`, and no change, if the buffer
/// is shorter.
#[must_use]
pub(super) fn decapsulate<F: Frame>(frame: &mut F, inner_at: usize, traffic_class: u8) -> bool {
    if !frame.trim_front(inner_at) {
        return false;
    }
    match frame.data_mut().get_mut(ETHER_LEN..) {
        Some([first, second, ..]) if *first >> 4 == 6 => {
            *first = 6 << 4 | traffic_class >> 4;
            *second = *second & 0b1111 | traffic_class << 4;
        }
        Some(packet) => Ipv4::set_tos(packet, traffic_class),
        None => {}
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    // proves: ECN-4.2-1, ECN-4.2-2, ECN-4.2-3, ECN-4.2-4, ECN-4.2-5, PMIP6-5.6.3-1
    // proves: PMIP6-5.6.3-4
    #[test]
    fn ecn_field_follows_figure_4_of_rfc_6040() {
        let figure = [
            (NOT_ECT, [Some(NOT_ECT), Some(NOT_ECT), Some(NOT_ECT), None]),
            (ECT_0, [Some(ECT_0), Some(ECT_0), Some(ECT_1), Some(CE)]),
            (ECT_1, [Some(ECT_1), Some(ECT_1), Some(ECT_1), Some(CE)]),
            (CE, [Some(CE), Some(CE), Some(CE), Some(CE)]),
        ];
        for (inner, row) in figure {
            let got = [NOT_ECT, ECT_0, ECT_1, CE].map(|outer| ecn(inner, outer));
            assert_eq!(got, row, "inner {inner:02b}");
        }
    }
}
