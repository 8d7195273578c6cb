//! What a received frame is: a pure function of its bytes. Any bytes give an answer, none panics.
//!
//! ```text
//!   to the anchor's address          next header 41     --> Tunneled (options in between are read)
//!                                    next header 135    --> Punt(Signaling)
//!                                    anything else      --> Punt(Exception)
//!   multicast, link-local, ARP, IPv4                    --> Punt(Exception)
//!   any other unicast IPv6                              --> Plain
//! ```

use super::drop::DropReason;
use super::header::{
    ETHER_LEN, ETHERTYPE_IPV6, Header, Headers, IPV6_LEN, Ipv6, OPTION_ENCAP_LIMIT,
    OPTION_HOME_ADDRESS, TlvOption, is_link_local, is_multicast, protocol,
};
use crate::addr::{AnchorAddr, MacAddr};

/// What classification must know of the place where a frame arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ingress {
    /// The port's MAC address.
    pub mac: MacAddr,
    /// Whether tunnels and signaling are accepted here.
    pub access: bool,
    /// The anchor's address.
    pub lma: AnchorAddr,
}

/// What a frame is. Lengths and offsets are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// An IPv6 packet to an address that the worker's tables must tell more about.
    Plain {
        /// The destination, host order.
        dst: u128,
        /// Length of the packet; what follows it in the frame is padding.
        packet_len: usize,
    },
    /// IPv6 in IPv6 to the anchor's address, both headers whole and both lengths consistent.
    Tunneled {
        /// Source address of the inner packet, host order.
        inner_src: u128,
        /// Where the inner packet begins in the outer one.
        inner_at: usize,
        /// Where the inner packet ends in the outer one; what follows in the frame is padding.
        packet_len: usize,
    },
    /// A Mobility Header for the control core.
    Signaling,
    /// A frame for the kernel.
    Exception,
    /// To be dropped for [`DropReason::OuterOption`] and answered with a Parameter Problem.
    BadOption {
        /// Offset of the option's type in the packet.
        pointer: u32,
    },
    /// To be dropped.
    Drop(DropReason),
}

/// Classifies a frame of `frame_len` bytes in all whose first buffer holds `bytes`.
#[must_use]
pub fn classify(bytes: &[u8], frame_len: usize, ingress: &Ingress) -> Class {
    let Some((ether, packet)) = bytes.split_first_chunk::<ETHER_LEN>() else {
        return Class::Drop(DropReason::FrameShort);
    };
    let group = ether[0] & 1 == 1;
    if !group && ether[..6] != ingress.mac.0 {
        return Class::Drop(DropReason::WrongMac);
    }
    match [ether[12], ether[13]] {
        ETHERTYPE_IPV6 => classify_ipv6(packet, frame_len - ETHER_LEN, group, ingress),
        [0x08, 0x00 | 0x06] => Class::Exception, // IPv4, ARP
        [0x81, 0x00] | [0x88, 0xa8] => Class::Drop(DropReason::Vlan),
        _ => Class::Drop(DropReason::EtherType),
    }
}

fn classify_ipv6(packet: &[u8], room: usize, group: bool, ingress: &Ingress) -> Class {
    let Some(ip) = Ipv6::of(packet) else { return Class::Drop(DropReason::FrameShort) };
    if ip.version() != 6 {
        return Class::Drop(DropReason::IpVersion);
    }
    let packet_len = ip.packet_len();
    if packet_len > room || is_jumbogram(ip) {
        return Class::Drop(DropReason::Truncated);
    }
    let dst = ip.dst();
    if is_multicast(dst) {
        return Class::Exception;
    }
    if group {
        return Class::Drop(DropReason::GroupMac);
    }
    if dst == ingress.lma.0.to_bits() {
        return classify_to_anchor(packet, ip, ingress);
    }
    if is_link_local(dst) {
        return Class::Exception;
    }
    if dst <= 1 {
        return Class::Drop(DropReason::DestinationScope);
    }
    Class::Plain { dst, packet_len }
}

fn classify_to_anchor(packet: &[u8], ip: Ipv6<'_>, ingress: &Ingress) -> Class {
    let end = ip.packet_len();
    if ip.next_header() == protocol::IPV6 {
        return classify_tunneled(packet, IPV6_LEN, end, ingress);
    }
    let whole = packet.get(..end).unwrap_or(packet);
    let mut headers = Headers::of(whole, ip);
    let mut refused = None;
    loop {
        match headers.step() {
            Err(_) => return Class::Drop(DropReason::OuterHeader),
            Ok(Header::Options(options)) => {
                for option in options {
                    match option {
                        Err(_) => return Class::Drop(DropReason::OuterHeader),
                        Ok(o) => refused = refused.or_else(|| refusal(&o)),
                    }
                }
            }
            Ok(Header::Fragment { next: protocol::MOBILITY, .. }) => {
                return Class::Drop(DropReason::SignalingFragment);
            }
            Ok(Header::Fragment { next, .. }) => {
                // Tunnel headers of ours may begin with options (RFC 2473 4.1.1). The kernel
                // reassembles the rest.
                return match next {
                    protocol::IPV6 | protocol::DESTINATION | protocol::HOP_BY_HOP => {
                        Class::Drop(DropReason::OuterFragment)
                    }
                    _ => Class::Exception,
                };
            }
            Ok(Header::Upper { protocol: protocol::IPV6, at }) => {
                return refused.map_or_else(
                    || classify_tunneled(packet, at, end, ingress),
                    |(_, refusal)| refusal,
                );
            }
            Ok(Header::Upper { protocol: protocol::MOBILITY, .. }) => {
                return match refused {
                    // RFC 6275 6.3: it belongs before a Mobility Header; the control core judges it.
                    None | Some((OPTION_HOME_ADDRESS, _)) if ingress.access => Class::Signaling,
                    None | Some((OPTION_HOME_ADDRESS, _)) => {
                        Class::Drop(DropReason::RoleSignaling)
                    }
                    Some((_, refusal)) => refusal,
                };
            }
            Ok(Header::Routing | Header::Upper { .. }) => return Class::Exception,
        }
    }
}

/// What RFC 8200 section 4.2 asks for an option, by its two high bits: nothing, or its type and
/// what becomes of the packet.
fn refusal(option: &TlvOption<'_>) -> Option<(u8, Class)> {
    match option.kind >> 6 {
        _ if option.kind == OPTION_ENCAP_LIMIT => None,
        0b00 => None,
        0b01 => Some((option.kind, Class::Drop(DropReason::OuterOption))),
        // 10 and 11 differ for multicast destinations only, and ours is unicast.
        _ => {
            let pointer = u32::try_from(option.at).unwrap_or(u32::MAX);
            Some((option.kind, Class::BadOption { pointer }))
        }
    }
}

/// The packet in the tunnel, from `at` on; the outer packet ends at `end`.
fn classify_tunneled(packet: &[u8], at: usize, end: usize, ingress: &Ingress) -> Class {
    if !ingress.access {
        return Class::Drop(DropReason::RoleTunnel);
    }
    let inner = packet.get(at..).unwrap_or_default();
    if at < end && inner.first().is_some_and(|b| b >> 4 != 6) {
        return Class::Drop(DropReason::InnerVersion);
    }
    if at + IPV6_LEN > end {
        return Class::Drop(DropReason::InnerTruncated);
    }
    // Whole by its lengths, so what is missing lies in another buffer.
    let Some(ip) = Ipv6::of(inner) else { return Class::Drop(DropReason::Segmented) };
    let packet_len = at + ip.packet_len();
    if packet_len > end || is_jumbogram(ip) {
        return Class::Drop(DropReason::InnerTruncated);
    }
    Class::Tunneled { inner_src: ip.src(), inner_at: at, packet_len }
}

/// A payload length of zero before a Hop-by-Hop header announces more than our links carry (RFC 2675).
fn is_jumbogram(ip: Ipv6<'_>) -> bool {
    ip.packet_len() == IPV6_LEN && ip.next_header() == protocol::HOP_BY_HOP
}
