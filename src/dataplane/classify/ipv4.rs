//! What an IPv4 packet is. Options are stepped over and never acted upon: the anchor is the
//! destination of no packet that it forwards.

use super::super::drop::DropReason;
use super::super::header::{
    IPV4_LEN, Ipv4, is_link_local, is_multicast, is_unforwardable, protocol,
};
use super::{Class, Ingress, tunnel};

/// 255.255.255.255, mapped.
const BROADCAST: u128 = 0xffff_ffff_ffff;

/// Classifies an IPv4 packet in a frame with `room` bytes for it; `group`: to a multicast or
/// broadcast MAC address.
pub(super) fn classify(packet: &[u8], room: usize, group: bool, ingress: &Ingress) -> Class {
    let ip = match whole_header(packet) {
        Ok(ip) => ip,
        Err(reason) => return Class::Drop(reason),
    };
    let packet_len = ip.packet_len();
    if packet_len > room {
        return Class::Drop(DropReason::Truncated);
    }
    let dst = ip.dst();
    if is_multicast(dst) || dst == BROADCAST {
        return Class::Exception;
    }
    if group {
        return Class::Drop(DropReason::GroupMac);
    }
    if ingress.lma_ipv4.is_some_and(|lma| lma.to_ipv6_mapped().to_bits() == dst) {
        return classify_to_anchor(packet, ip, ingress);
    }
    if is_link_local(dst) {
        return Class::Exception;
    }
    if is_unforwardable(dst) {
        return Class::Drop(DropReason::DestinationScope);
    }
    Class::Plain { dst, packet_len }
}

/// The header of a packet, if its version, both lengths and its checksum hold (RFC 1812 section
/// 5.2.2).
pub(super) fn whole_header(packet: &[u8]) -> Result<Ipv4<'_>, DropReason> {
    let ip = Ipv4::of(packet).ok_or(DropReason::FrameShort)?;
    if ip.version() != 4 {
        return Err(DropReason::IpVersion);
    }
    if ip.header_len() < IPV4_LEN || ip.packet_len() < ip.header_len() {
        return Err(DropReason::Ipv4Header);
    }
    let header = packet.get(..ip.header_len()).ok_or(DropReason::FrameShort)?;
    if !Ipv4::is_intact(header) {
        return Err(DropReason::Ipv4Checksum);
    }
    Ok(ip)
}

fn classify_to_anchor(packet: &[u8], ip: Ipv4<'_>, ingress: &Ingress) -> Class {
    let (at, end) = (ip.header_len(), ip.packet_len());
    if ip.is_fragment() {
        return classify_fragment(ip, ingress);
    }
    if ip.protocol() == protocol::UDP {
        return tunnel::udp(packet, at, end, ip, ingress);
    }
    tunnel::carried(ip.protocol(), packet, at, end, ingress)
        .or_else(|| tunnel::error(packet, ingress))
        .unwrap_or(Class::Exception)
}

/// A part of a packet. Tunnel packets are put together; the kernel does the rest. Parts of UDP do
/// not all say their port: those of a gateway are put together, whatever they are.
fn classify_fragment(ip: Ipv4<'_>, ingress: &Ingress) -> Class {
    match ip.protocol() {
        protocol::IPV4 | protocol::IPV6 | protocol::GRE => tunnel::fragment(ingress),
        protocol::UDP if ingress.access => Class::Fragment,
        _ => Class::Exception,
    }
}
