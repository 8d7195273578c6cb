//! What an IPv6 packet is.

use super::super::drop::DropReason;
use super::super::header::{IPV6_LEN, Ipv6, is_link_local, is_mapped, is_multicast, protocol};
use super::{Class, Ingress, tunnel};
use crate::wire::ipv6::{UpperLayer, find_upper_layer};

/// Option type of the Home Address (RFC 6275 section 6.3).
const OPTION_HOME_ADDRESS: u8 = 201;

/// Classifies an IPv6 packet in a frame with `room` bytes for it; `group`: to a multicast or
/// broadcast MAC address.
pub(super) fn classify(packet: &[u8], room: usize, group: bool, ingress: &Ingress) -> Class {
    let Some(ip) = Ipv6::of(packet) else { return Class::Drop(DropReason::FrameShort) };
    if ip.version() != 6 {
        return Class::Drop(DropReason::IpVersion);
    }
    let packet_len = ip.packet_len();
    if packet_len > room || is_jumbogram(ip) {
        return Class::Drop(DropReason::Truncated);
    }
    let (src, dst) = (ip.src(), ip.dst());
    if is_mapped(src) {
        return Class::Drop(DropReason::SourceScope);
    }
    if is_multicast(dst) {
        return Class::Exception;
    }
    if group {
        return Class::Drop(DropReason::GroupMac);
    }
    if ingress.lma.is_some_and(|lma| lma.0.to_bits() == dst) {
        return classify_to_anchor(packet, ip, ingress);
    }
    if is_link_local(dst) {
        return Class::Exception;
    }
    if dst <= 1 || is_mapped(dst) {
        return Class::Drop(DropReason::DestinationScope);
    }
    Class::Plain { dst, packet_len }
}

fn classify_to_anchor(packet: &[u8], ip: Ipv6<'_>, ingress: &Ingress) -> Class {
    let end = ip.packet_len();
    if let Some(class) = tunnel::carried(ip.next_header(), packet, IPV6_LEN, end, ingress) {
        return class;
    }
    let whole = packet.get(..end).unwrap_or(packet);
    let Ok(upper) = find_upper_layer(whole) else { return Class::Drop(DropReason::OuterHeader) };
    let refusal = refused_option(whole, &upper);
    if upper.is_fragment {
        return classify_fragment(whole, &upper, refusal, ingress);
    }
    if upper.next_header == protocol::MOBILITY {
        return match refusal {
            // RFC 6275 6.3: it stands before a Mobility Header; the control core judges it.
            None | Some((OPTION_HOME_ADDRESS, _)) => tunnel::signaling(ingress),
            Some((_, refusal)) => refusal,
        };
    }
    match tunnel::carried(upper.next_header, packet, upper.offset, end, ingress) {
        Some(class) => refusal.map_or(class, |(_, refusal)| refusal),
        None => tunnel::error(whole, ingress).unwrap_or(Class::Exception),
    }
}

/// A part of a packet. Signaling is never put together, tunnel packets are; the kernel does the
/// rest.
fn classify_fragment(
    packet: &[u8],
    upper: &UpperLayer,
    refusal: Option<(u8, Class)>,
    ingress: &Ingress,
) -> Class {
    let content = match upper.next_header {
        // Not the first one: its header says what the first one begins with.
        protocol::FRAGMENT => packet.get(upper.offset).copied().unwrap_or_default(),
        first => first,
    };
    match content {
        protocol::MOBILITY => Class::Drop(DropReason::SignalingFragment),
        // A tunnel header may be followed by options (RFC 2473 4.1.1).
        protocol::IPV4
        | protocol::IPV6
        | protocol::GRE
        | protocol::DESTINATION
        | protocol::HOP_BY_HOP => refusal.map_or(tunnel::fragment(ingress), |(_, refusal)| refusal),
        _ => Class::Exception,
    }
}

/// The option that forbids processing, if there is one: its type, and what becomes of the packet by
/// the type's two high bits (RFC 8200 section 4.2; the tunnel exit is the packet's destination).
fn refused_option(packet: &[u8], upper: &UpperLayer) -> Option<(u8, Class)> {
    let at = upper.unknown_option()?;
    let kind = *packet.get(at)?;
    let refusal = match kind >> 6 {
        0b01 => Class::Drop(DropReason::OuterOption),
        // 10 and 11 differ for multicast destinations only, and ours is unicast.
        _ => Class::BadOption { pointer: u32::try_from(at).unwrap_or(u32::MAX) },
    };
    Some((kind, refusal))
}

/// A payload length of zero before a Hop-by-Hop header announces more than our links carry (RFC
/// 2675).
pub(super) fn is_jumbogram(ip: Ipv6<'_>) -> bool {
    ip.packet_len() == IPV6_LEN && ip.next_header() == protocol::HOP_BY_HOP
}
