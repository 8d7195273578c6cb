//! Whether a packet fits a tunnel (RFC 2473 section 7, RFC 4213 section 3.2).

use crate::wire::ipv6::MIN_MTU;

/// Every link carries an IPv4 packet of this length (RFC 791 section 3.2).
const IPV4_MIN_MTU: u16 = 68;

/// What to do with a packet at a tunnel's entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Encapsulate it.
    Whole,
    /// (a) Larger than the minimum link MTU: tell the sender this MTU.
    TooBig(u32),
    /// (b) The sender need not make it smaller: the tunnel packet is fragmented.
    Fragment,
}

/// For an IPv6 packet of `packet_len` bytes that gets `overhead` bytes in front of it, and a tunnel
/// whose packets may have `tunnel_mtu` bytes.
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

/// The same for an IPv4 packet, whose sender may have allowed its fragmentation (RFC 2473 section
/// 7.2).
pub(super) fn fit_ipv4(
    packet_len: usize,
    overhead: usize,
    tunnel_mtu: u16,
    dont_fragment: bool,
) -> Fit {
    if packet_len + overhead <= usize::from(tunnel_mtu) {
        Fit::Whole
    } else if dont_fragment {
        let room = usize::from(tunnel_mtu).saturating_sub(overhead);
        Fit::TooBig(u32::try_from(room).unwrap_or(u32::MAX).max(IPV4_MIN_MTU.into()))
    } else {
        Fit::Fragment
    }
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

    #[test]
    fn ipv4_sender_is_told_only_if_it_forbade_fragmentation() {
        assert_eq!(fit_ipv4(1460, 40, 1500, true), Fit::Whole);
        assert_eq!(fit_ipv4(1461, 40, 1500, true), Fit::TooBig(1460));
        assert_eq!(fit_ipv4(1461, 40, 1500, false), Fit::Fragment);
        assert_eq!(fit_ipv4(1000, 20, 80, true), Fit::TooBig(68));
    }
}
