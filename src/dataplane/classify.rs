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
    ETHER_LEN, ETHERTYPE_IPV6, IPV6_LEN, Ipv6, is_link_local, is_multicast, protocol,
};
use crate::addr::{AnchorAddr, MacAddr};
use crate::wire::ipv6::{UpperLayer, find_upper_layer};

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
    let Ok(upper) = find_upper_layer(whole) else { return Class::Drop(DropReason::OuterHeader) };
    if upper.is_fragment {
        return classify_fragment(whole, &upper);
    }
    match (upper.next_header, refused_option(whole, &upper)) {
        // RFC 6275 6.3: it stands before a Mobility Header; the control core judges it.
        (protocol::MOBILITY, None | Some((OPTION_HOME_ADDRESS, _))) => {
            if ingress.access {
                Class::Signaling
            } else {
                Class::Drop(DropReason::RoleSignaling)
            }
        }
        (protocol::IPV6, None) => classify_tunneled(packet, upper.offset, end, ingress),
        (protocol::MOBILITY | protocol::IPV6, Some((_, refusal))) => refusal,
        _ => Class::Exception,
    }
}

/// A part of a packet. Tunnel packets and signaling are not reassembled; the kernel does the rest.
fn classify_fragment(packet: &[u8], upper: &UpperLayer) -> Class {
    let content = match upper.next_header {
        // Not the first one: its header says what the first one begins with.
        protocol::FRAGMENT => packet.get(upper.offset).copied().unwrap_or_default(),
        first => first,
    };
    match content {
        protocol::MOBILITY => Class::Drop(DropReason::SignalingFragment),
        // A tunnel header may be followed by options (RFC 2473 4.1.1).
        protocol::IPV6 | protocol::DESTINATION | protocol::HOP_BY_HOP => {
            Class::Drop(DropReason::OuterFragment)
        }
        _ => Class::Exception,
    }
}

/// The option that forbids processing, if there is one: its type, and what becomes of the packet by
/// the type's two high bits (RFC 8200 section 4.2; the tunnel exit is the packet's destination).
fn refused_option(packet: &[u8], upper: &UpperLayer) -> Option<(u8, Class)> {
    let at = upper.unskippable_option?;
    let kind = *packet.get(at)?;
    let refusal = match kind >> 6 {
        0b01 => Class::Drop(DropReason::OuterOption),
        // 10 and 11 differ for multicast destinations only, and ours is unicast.
        _ => Class::BadOption { pointer: u32::try_from(at).unwrap_or(u32::MAX) },
    };
    Some((kind, refusal))
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

/// A payload length of zero before a Hop-by-Hop header announces more than our links carry (RFC
/// 2675).
fn is_jumbogram(ip: Ipv6<'_>) -> bool {
    ip.packet_len() == IPV6_LEN && ip.next_header() == protocol::HOP_BY_HOP
}

/// Option type of the Home Address (RFC 6275 section 6.3).
const OPTION_HOME_ADDRESS: u8 = 201;
