//! Whether a packet fits a tunnel (RFC 2473 section 7.1).

use super::header::IPV6_LEN;
use crate::wire::ipv6::MIN_MTU;

/// What to do with a packet at a tunnel's entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Encapsulate it.
    Whole,
    /// (a) Larger than the minimum link MTU: tell the sender this MTU.
    TooBig(u32),
    /// (b) The sender need not make it smaller: the tunnel packet would have to be fragmented.
    Fragment,
}

/// For a packet of `packet_len` bytes that gets `overhead` bytes in front of it, and a tunnel whose
/// packets may have `tunnel_mtu` bytes.
pub(super) fn fit(packet_len: usize, overhead: usize, tunnel_mtu: u16) -> Fit {
    if packet_len + overhead <= usize::from(tunnel_mtu) {
        Fit::Whole
    } else if packet_len > usize::from(MIN_MTU) {
        let room =
            u32::from(tunnel_mtu).saturating_sub(u32::try_from(overhead).unwrap_or(u32::MAX));
        Fit::TooBig(room.max(u32::from(MIN_MTU)))
    } else {
        Fit::Fragment
    }
}

/// The overhead of a tunnel header, with a Destination Options header of eight bytes if the packet
/// carries an encapsulation limit that must be handed on.
pub(super) const fn overhead(with_limit: bool) -> usize {
    if with_limit { IPV6_LEN + 8 } else { IPV6_LEN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mtu_told_is_the_tunnels_but_never_below_1280() {
        assert_eq!(fit(1460, 40, 1500), Fit::Whole);
        assert_eq!(fit(1461, 40, 1500), Fit::TooBig(1460));
        assert_eq!(fit(1453, 48, 1500), Fit::TooBig(1452));
        assert_eq!(fit(1281, 40, 1300), Fit::TooBig(1280));
        assert_eq!(fit(1280, 40, 1319), Fit::Fragment);
        assert_eq!(fit(1280, 40, 1320), Fit::Whole);
        assert_eq!(fit(2000, 40, 20), Fit::TooBig(1280));
    }
}
