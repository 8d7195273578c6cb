//! What stands behind an IP header, as far as forwarding cares.

use super::super::header::{Family, protocol};

/// What a next header or protocol number means here. Above zero, it takes a closer look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i8)]
pub(super) enum Upper {
    /// A transport header that begins with both ports.
    Ports = -1,
    /// Nothing.
    Opaque = 0,
    /// In IPv6, an extension header. In IPv4, a tunnel packet, if that may be a loop: see
    /// `looping.rs`.
    Extension = 1,
    /// A header of TCP, whose SYNs may have to be changed (`mss.rs`).
    Segment = 2,
    /// In IPv6, an extension header that concerns us.
    HopByHop = 3,
}

/// By number.
#[derive(Debug)]
pub(in super::super) struct Uppers {
    of_ipv6: [Upper; 256],
    of_ipv4: [Upper; 256],
}

impl Uppers {
    pub(in super::super) fn new(clamp_mss: bool, mobile_ipv4: bool) -> Self {
        let of_ipv6 = std::array::from_fn(|number| match u8::try_from(number).unwrap_or(0) {
            protocol::TCP if clamp_mss => Upper::Segment,
            protocol::TCP | protocol::UDP | protocol::SCTP => Upper::Ports,
            protocol::HOP_BY_HOP => Upper::HopByHop,
            protocol::ROUTING | protocol::FRAGMENT | protocol::DESTINATION => Upper::Extension,
            _ => Upper::Opaque,
        });
        // There are no extension headers.
        let mut of_ipv4 = of_ipv6.map(|upper| match upper {
            Upper::Extension | Upper::HopByHop => Upper::Opaque,
            upper => upper,
        });
        for tunnel in [protocol::IPV4, protocol::GRE, protocol::MINIMAL] {
            if mobile_ipv4 {
                of_ipv4[usize::from(tunnel)] = Upper::Extension; // RFC 5944 4.2.3
            }
        }
        Self { of_ipv6, of_ipv4 }
    }

    #[inline]
    pub(super) fn of(&self, family: Family, number: u8) -> Upper {
        match family {
            Family::Ipv6 => self.of_ipv6[usize::from(number)],
            Family::Ipv4 => self.of_ipv4[usize::from(number)],
        }
    }
}

impl Upper {
    /// The ports of a packet that begins behind its header, at `at`, with these bytes; zero if they
    /// are none. `None`: the packet is not ordinary.
    #[inline(always)]
    pub(super) fn ports(self, begin: [u8; PORTS_LEN], packet: &[u8], at: usize) -> Option<u32> {
        let mut known = self;
        if known > Self::Opaque {
            if known != Self::Segment || is_syn(packet, at) {
                return None;
            }
            known = Self::Ports;
        }
        // All bits or none: a branch here would be foretold badly.
        Some(u32::from_be_bytes(begin) & i32::from(known as i8).cast_unsigned())
    }

    /// Whether a packet that a node sent is not ordinary.
    #[inline(always)]
    pub(super) fn refuses(self, packet: &[u8], at: usize) -> bool {
        self > Self::Extension && (self != Self::Segment || is_syn(packet, at))
    }
}

/// Whether a TCP header begins there that may be a SYN's.
#[inline]
fn is_syn(packet: &[u8], at: usize) -> bool {
    packet.get(at + TCP_FLAGS_AT).is_none_or(|flags| flags & TCP_SYN != 0)
}

/// Bytes of both port numbers.
pub(super) const PORTS_LEN: usize = 4;
const TCP_FLAGS_AT: usize = 13;
const TCP_SYN: u8 = 0b10;
