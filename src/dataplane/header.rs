//! Ethernet, IPv4 and IPv6 headers as the hot path reads them: in place, by fixed offsets,
//! bounds-checked once by taking a whole header at a time. What may be slow uses [`crate::wire`].

mod ipv4;
mod ipv6;

pub(super) use ipv4::{IPV4_LEN, Ipv4};
pub(super) use ipv6::{
    FLOW_LABEL_SHIFT, IPV6_LEN, Ipv6, Ipv6Start, PAYLOAD_LEN_SHIFT, TRAFFIC_CLASS_SHIFT,
};

/// Bytes of an Ethernet header without tags.
pub(super) const ETHER_LEN: usize = 14;

/// EtherTypes (IEEE 802 numbers), which are GRE's protocol types too (RFC 2784 section 2.4).
pub(super) mod ether_type {
    pub(in super::super) const IPV4: [u8; 2] = [0x08, 0x00];
    pub(in super::super) const ARP: [u8; 2] = [0x08, 0x06];
    pub(in super::super) const VLAN: [u8; 2] = [0x81, 0x00];
    pub(in super::super) const SERVICE_VLAN: [u8; 2] = [0x88, 0xa8];
    pub(in super::super) const IPV6: [u8; 2] = [0x86, 0xdd];
}

/// Protocol and next header values (IANA "Assigned Internet Protocol Numbers").
pub(super) mod protocol {
    pub(in super::super) const HOP_BY_HOP: u8 = 0;
    pub(in super::super) const IPV4: u8 = 4;
    pub(in super::super) const TCP: u8 = 6;
    pub(in super::super) const UDP: u8 = 17;
    pub(in super::super) const IPV6: u8 = 41;
    pub(in super::super) const ROUTING: u8 = 43;
    pub(in super::super) const FRAGMENT: u8 = 44;
    pub(in super::super) const GRE: u8 = 47;
    pub(in super::super) const MINIMAL: u8 = 55;
    pub(in super::super) const DESTINATION: u8 = 60;
    pub(in super::super) const SCTP: u8 = 132;
    pub(in super::super) const MOBILITY: u8 = 135;

    /// Whether a packet of this one begins with the port numbers of both ends.
    #[inline]
    pub(in super::super) const fn has_ports(number: u8) -> bool {
        matches!(number, TCP | UDP | SCTP)
    }
}

/// Which of the two protocols a packet is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    /// The family of an address as the tables hold it.
    #[inline]
    pub(super) const fn of(addr: u128) -> Self {
        if is_mapped(addr) { Self::Ipv4 } else { Self::Ipv6 }
    }

    #[inline]
    pub(super) const fn ether_type(self) -> [u8; 2] {
        match self {
            Self::Ipv4 => ether_type::IPV4,
            Self::Ipv6 => ether_type::IPV6,
        }
    }

    /// Its number as the payload of another packet.
    #[inline]
    pub(super) const fn protocol(self) -> u8 {
        match self {
            Self::Ipv4 => protocol::IPV4,
            Self::Ipv6 => protocol::IPV6,
        }
    }
}

/// The IP header of a packet that classification has found to be whole; addresses are as the tables
/// hold them, IPv4 ones mapped.
#[derive(Clone, Copy)]
pub(super) enum Ip<'a> {
    V4(Ipv4<'a>),
    V6(Ipv6<'a>),
}

impl<'a> Ip<'a> {
    /// The header that `packet` begins with; `None` if it is shorter or of no known version.
    #[inline]
    pub(super) fn of(packet: &'a [u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            6 => Ipv6::of(packet).map(Self::V6),
            4 => Ipv4::of(packet).map(Self::V4),
            _ => None,
        }
    }

    /// The header behind a frame's Ethernet header.
    #[inline]
    pub(super) fn of_frame(frame: &'a [u8]) -> Option<Self> {
        frame.get(ETHER_LEN..).and_then(Self::of)
    }

    #[inline]
    pub(super) const fn family(self) -> Family {
        match self {
            Self::V4(_) => Family::Ipv4,
            Self::V6(_) => Family::Ipv6,
        }
    }

    /// Type of service or traffic class: DSCP and ECN.
    #[inline]
    pub(super) const fn traffic_class(self) -> u8 {
        match self {
            Self::V4(ip) => ip.tos(),
            Self::V6(ip) => ip.traffic_class(),
        }
    }

    /// Time to live or hop limit.
    #[inline]
    pub(super) const fn hop_limit(self) -> u8 {
        match self {
            Self::V4(ip) => ip.ttl(),
            Self::V6(ip) => ip.hop_limit(),
        }
    }

    #[inline]
    pub(super) fn src(self) -> u128 {
        match self {
            Self::V4(ip) => ip.src(),
            Self::V6(ip) => ip.src(),
        }
    }

    #[inline]
    pub(super) fn dst(self) -> u128 {
        match self {
            Self::V4(ip) => ip.dst(),
            Self::V6(ip) => ip.dst(),
        }
    }
}

/// ::ffff:0:0/96, an IPv4 address (RFC 4291 section 2.5.5.2). On the wire nothing has such a one.
#[inline]
pub(super) const fn is_mapped(addr: u128) -> bool {
    addr >> 32 == 0xffff
}

/// ff00::/8, 224.0.0.0/4
#[inline]
pub(super) const fn is_multicast(addr: u128) -> bool {
    addr >> 120 == 0xff || addr >> 28 == 0x0f_fffe
}

/// fe80::/10, 169.254.0.0/16
#[inline]
pub(super) const fn is_link_local(addr: u128) -> bool {
    addr >> 118 == 0xfe80 >> 6 || addr >> 16 == 0xffff_a9fe
}

/// Addresses that no router may forward, as a source (RFC 4291 sections 2.5.2, 2.5.3, 2.5.6, 2.7;
/// RFC 1812 section 5.3.7) or as a destination on behalf of a node: unspecified, loopback,
/// link-local, multicast, broadcast, reserved.
#[inline]
#[allow(clippy::cast_possible_truncation)] // the address behind the prefix
pub(super) const fn is_unforwardable(addr: u128) -> bool {
    if is_mapped(addr) {
        return is_unforwardable_ipv4(addr as u32);
    }
    addr <= 1 || is_link_local(addr) || is_multicast(addr)
}

/// The same of an IPv4 address.
#[inline]
pub(super) const fn is_unforwardable_ipv4(addr: u32) -> bool {
    matches!(addr >> 24, 0 | 127 | 224..) || addr >> 16 == 0xa9fe
}

/// By the first byte of an IPv4 address: whether [`is_unforwardable_ipv4`] may say so.
static MAY_BE_UNFORWARDABLE: [bool; 256] = {
    let mut may_be = [false; 256];
    let mut first = 0;
    while first < may_be.len() {
        may_be[first] = matches!(first, 0 | 127 | 169 | 224..);
        first += 1;
    }
    may_be
};

/// Whether neither of two IPv4 addresses is one that no router may forward.
#[inline(always)]
#[allow(clippy::inline_always)] // half a dozen instructions, as a rule
pub(super) fn are_forwardable_ipv4(addrs: [u32; 2]) -> bool {
    let may_be = addrs.map(|addr| MAY_BE_UNFORWARDABLE[(addr >> 24) as usize]);
    !(may_be[0] | may_be[1]) || !addrs.into_iter().any(is_unforwardable_ipv4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;

    #[test]
    fn addresses_that_no_router_forwards_are_told_in_both_families() {
        let is = |text: &str| is_unforwardable(text.parse::<Ipv6Addr>().unwrap().to_bits());
        for text in ["::", "::1", "fe80::1", "febf::1", "ff02::1", "ff0e::1"] {
            assert!(is(text), "{text}");
        }
        for v4 in ["0.0.0.0", "0.1.2.3", "127.0.0.1", "169.254.9.9", "224.0.0.1", "240.0.0.1"] {
            assert!(is(&format!("::ffff:{v4}")), "{v4}");
        }
        assert!(is("::ffff:255.255.255.255"));
        for text in ["2001:db8::1", "fec0::1", "::2", "::ffff:10.0.0.1", "::ffff:169.253.0.1"] {
            assert!(!is(text), "{text}");
        }
        assert!(!is("::ffff:223.255.255.255") && !is("::ffff:1.0.0.0"));
        for addr in (0..=u32::MAX).step_by(0x7fff) {
            let is = is_unforwardable_ipv4(addr);
            assert_eq!(are_forwardable_ipv4([addr, 0x0a00_0001]), !is, "{addr:x}");
            assert_eq!(are_forwardable_ipv4([0xa9fd_0001, addr]), !is, "{addr:x}");
        }
        assert!(is_multicast("::ffff:239.1.2.3".parse::<Ipv6Addr>().unwrap().to_bits()));
        assert!(!is_multicast("::ffff:240.1.2.3".parse::<Ipv6Addr>().unwrap().to_bits()));
    }
}
