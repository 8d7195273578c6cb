//! What is in a packet to the anchor's address.
//!
//! ```text
//!   IP | inner                     protocol 4, 41
//!   IP | GRE | inner               protocol 47
//!   IPv4 | UDP | inner             told apart by the first four bits: 4 and 6 are an inner packet,
//!   IPv4 | UDP | TLV | GRE | inner 0 is a TLV-header
//!   IPv4 | UDP | MIP | inner       UDP port 434, where other messages have other types
//!   IPv4 | IPv4 | IPv6 inner       both IPv4 headers to the anchor
//! ```
//!
//! UDP port 5437 is for tunnels alone. A gateway behind a NAT sends them to the port of signaling,
//! 5436, since that is the one mapping that the anchor gets to know; a Mobility Header begins with
//! the payload protocol 59, so its first four bits are none of these (RFC 5845 section 7.1).
//!
//! Mobile nodes have their own ports, each for signaling and tunnels at once:
//!
//! ```text
//!   IPv4 | UDP 4191 | IPv6 | Mobility Header     an update (RFC 5555 section 4.1)
//!   IPv4 | UDP 4191 | inner                      any other packet
//!   IPv4 | UDP 434 | type 4, next | inner        RFC 3519 section 3.3
//!   IPv4 | UDP 434 | another type                a registration (RFC 5944 section 3)
//! ```

use super::super::checksum::{sum_of, value};
use super::super::drop::DropReason;
use super::super::header::{Family, IPV6_LEN, Ip, Ipv4, Ipv6, ether_type, is_mapped, protocol};
use super::super::quote;
use super::{Class, Ingress, Via, ipv4, ipv6};
use crate::addr::AnchorAddr;
use crate::wire::ipv6::find_upper_layer;
use crate::wire::mip4::{self, TunnelData};
use crate::wire::{gre, tlv, udp};

/// Bits of the first word of a GRE header (RFC 2784 section 2.1, RFC 2890 section 2).
mod flag {
    pub(super) const CHECKSUM: u16 = 0x8000;
    pub(super) const KEY: u16 = 0x2000;
    pub(super) const SEQUENCE: u16 = 0x1000;
    /// Bits 1, 4 and 5, which only RFC 1701 knows, and the version.
    pub(super) const REFUSED: u16 = 0x4c07;
}

/// A Mobility Header.
pub(super) fn signaling(ingress: &Ingress) -> Class {
    if ingress.access { Class::Signaling } else { Class::Drop(DropReason::RoleSignaling) }
}

/// A part of a tunnel packet.
pub(super) fn fragment(ingress: &Ingress) -> Class {
    if ingress.access { Class::Fragment } else { Class::Drop(DropReason::RoleTunnel) }
}

/// An ICMP error about a tunnel packet of ours. Routers in the access network send them: what comes
/// from elsewhere is none.
#[cold]
pub(super) fn error(packet: &[u8], ingress: &Ingress) -> Option<Class> {
    let quote = quote::read(packet).filter(|_| ingress.access)?;
    Some(Class::TunnelError { inner_dst: quote.inner_dst })
}

/// What a packet carries by this protocol number from `at` up to `end`; `None` if that is no
/// tunnel.
pub(super) fn carried(
    number: u8,
    packet: &[u8],
    at: usize,
    end: usize,
    ingress: &Ingress,
) -> Option<Class> {
    let found = match number {
        protocol::IPV6 => inner(packet, at, end, Some(Family::Ipv6), Via::Ip),
        protocol::IPV4 => inner(packet, at, end, Some(Family::Ipv4), Via::Ip),
        protocol::GRE => gre(packet, at, end, Via::Gre),
        _ => return None,
    };
    Some(accepted(found, ingress))
}

/// UDP to the anchor's IPv4 address: signaling, a tunnel packet, or neither (RFC 5844 sections
/// 4.1.3.2 and 4.1.4.1).
pub(super) fn udp(packet: &[u8], at: usize, end: usize, ip: Ipv4<'_>, ingress: &Ingress) -> Class {
    let Some(header) = packet.get(at..).and_then(<[u8]>::first_chunk::<{ udp::HEADER_LEN }>) else {
        return Class::Exception;
    };
    let [source, destination, len, checksum] =
        [0, 2, 4, 6].map(|i| u16::from_be_bytes([header[i], header[i + 1]]));
    let payload_at = at + udp::HEADER_LEN;
    let first = packet.get(payload_at).map(|first| first >> 4);
    match (destination, first) {
        (udp::TUNNEL_PORT, _)
        | (udp::SIGNALING_PORT, Some(0 | 4 | 6))
        | (udp::DSMIP_PORT, Some(4 | 6))
        | (mip4::PORT, Some(0)) => {}
        (udp::SIGNALING_PORT | udp::DSMIP_PORT | mip4::PORT, _) => return signaling(ingress),
        _ => return Class::Exception,
    }
    let payload = packet.get(payload_at..end).unwrap_or_default();
    match destination {
        udp::DSMIP_PORT if is_mobility_header(payload, ingress) => return signaling(ingress),
        mip4::PORT if payload.first() != Some(&TunnelData::TYPE) => return signaling(ingress),
        _ => {}
    }
    let udp_end = at + usize::from(len);
    let is_whole = usize::from(len) >= udp::HEADER_LEN && udp_end <= end;
    if !is_whole || !is_datagram_intact(packet.get(at..udp_end), checksum, ip) {
        return Class::Drop(DropReason::OuterUdp);
    }
    let found = match first {
        _ if destination == mip4::PORT => tunnel_data(packet, payload_at, udp_end, source),
        Some(0) if payload_at < udp_end => tlv(packet, payload_at, udp_end, source),
        _ => inner(packet, payload_at, udp_end, None, Via::Udp(source)),
    };
    accepted(found, ingress)
}

/// Whether a packet that came in UDP is a Mobility Header to the anchor: an update of a node, whose
/// home address need not be known.
fn is_mobility_header(packet: &[u8], ingress: &Ingress) -> bool {
    let is_to_anchor = match (Ip::of(packet), ingress.lma) {
        (Some(Ip::V6(ip)), Some(AnchorAddr(lma))) => ip.dst() == lma.to_bits(),
        _ => false,
    };
    is_to_anchor
        && find_upper_layer(packet).is_ok_and(|upper| upper.next_header == protocol::MOBILITY)
}

/// A MIP Tunnel Data header (RFC 3519 section 3.3), before which stood UDP from this port. What it
/// announces has to be what was negotiated, and GRE and minimal encapsulation never are.
fn tunnel_data(packet: &[u8], at: usize, end: usize, source: u16) -> Result<Class, DropReason> {
    let header = packet.get(at..).and_then(<[u8]>::first_chunk::<{ TunnelData::LEN }>);
    let family = match header.ok_or(DropReason::InnerTruncated)? {
        [_, protocol::IPV4, ..] => Family::Ipv4,
        [_, protocol::IPV6, ..] => Family::Ipv6,
        _ => return Err(DropReason::InnerVersion),
    };
    inner(packet, at + TunnelData::LEN, end, Some(family), Via::Mip4Udp(source))
}

/// Whether the checksum of a datagram holds. Without one (RFC 768) and across several buffers it is
/// taken as it is: what it carries has checksums of its own.
fn is_datagram_intact(datagram: Option<&[u8]>, checksum: u16, ip: Ipv4<'_>) -> bool {
    let (Some(datagram), true) = (datagram, checksum != 0) else { return true };
    let [src, dst] = [ip.src(), ip.dst()].map(|a| sum_of(&a.to_be_bytes()[12..]));
    let pseudo = src + dst + u64::from(protocol::UDP) + datagram.len() as u64;
    value(pseudo + sum_of(datagram)) == 0
}

/// The TLV-header (RFC 5845 section 7.2), before which stood UDP from this port.
fn tlv(packet: &[u8], at: usize, end: usize, source: u16) -> Result<Class, DropReason> {
    let gre_at = at + tlv::HEADER_LEN;
    let header = packet.get(at..).and_then(<[u8]>::first_chunk::<{ tlv::HEADER_LEN }>);
    let [_, next, len @ ..] = *header.ok_or(DropReason::TlvHeader)?;
    // RFC 5845 7.1: both lengths must agree.
    if next != protocol::GRE || gre_at + usize::from(u16::from_be_bytes(len)) != end {
        return Err(DropReason::TlvHeader);
    }
    gre(packet, gre_at, end, |key| Via::UdpGre(source, key))
}

/// A GRE header (RFC 2784, RFC 2890). A sequence number is stepped over: none was negotiated, and
/// what tunnels carry is tolerant of disorder.
fn gre(
    packet: &[u8],
    at: usize,
    end: usize,
    via: impl Fn(Option<u32>) -> Via,
) -> Result<Class, DropReason> {
    let word = |at: usize| packet.get(at..).and_then(<[u8]>::first_chunk::<4>).copied();
    let [high, low, carried @ ..] = word(at).ok_or(DropReason::GreHeader)?;
    let flags = u16::from_be_bytes([high, low]);
    if flags & flag::REFUSED != 0 {
        return Err(DropReason::GreHeader);
    }
    let mut next = at + gre::HEADER_LEN;
    let mut optional = |bit: u16| {
        let at = next;
        next += if flags & bit == 0 { 0 } else { 4 };
        (flags & bit != 0).then_some(at)
    };
    let (checksum, key) = (optional(flag::CHECKSUM), optional(flag::KEY));
    optional(flag::SEQUENCE);
    let key = match key {
        Some(at) => Some(u32::from_be_bytes(word(at).ok_or(DropReason::GreHeader)?)),
        None => None,
    };
    // RFC 2784 2.2: it must be accepted and looked at, where it lies in one buffer.
    let intact = |_| packet.get(at..end).is_none_or(|all| value(sum_of(all)) == 0);
    if next > end || !checksum.is_none_or(intact) {
        return Err(DropReason::GreHeader);
    }
    let family = match carried {
        ether_type::IPV4 => Family::Ipv4,
        ether_type::IPV6 => Family::Ipv6,
        _ => return Err(DropReason::InnerVersion),
    };
    inner(packet, next, end, Some(family), via(key))
}

/// The inner packet, from `at` on; what carries it ends at `end`, and said that it is of this
/// family.
fn inner(
    packet: &[u8],
    at: usize,
    end: usize,
    family: Option<Family>,
    via: Via,
) -> Result<Class, DropReason> {
    if at >= end {
        return Err(DropReason::InnerTruncated);
    }
    // Whole by its lengths, so what is missing lies in another buffer.
    let bytes = packet.get(at..).unwrap_or_default();
    let found = match bytes.first().ok_or(DropReason::Segmented)? >> 4 {
        6 => Family::Ipv6,
        4 => Family::Ipv4,
        _ => return Err(DropReason::InnerVersion),
    };
    if family.is_some_and(|f| f != found) {
        return Err(DropReason::InnerVersion);
    }
    let (inner_src, len) = match found {
        Family::Ipv6 => inner_ipv6(bytes, end - at)?,
        Family::Ipv4 => inner_ipv4(bytes, end - at)?,
    };
    if len > end - at {
        return Err(DropReason::InnerTruncated);
    }
    Ok(Class::Tunneled { inner_src, inner_at: at, packet_len: at + len, via })
}

/// Source and length of an inner packet that has `room` bytes.
fn inner_ipv6(bytes: &[u8], room: usize) -> Result<(u128, usize), DropReason> {
    if room < IPV6_LEN {
        return Err(DropReason::InnerTruncated);
    }
    let ip = Ipv6::of(bytes).ok_or(DropReason::Segmented)?;
    if ipv6::is_jumbogram(ip) {
        return Err(DropReason::InnerTruncated);
    }
    // RFC 4213 3.6, and what our tables hold for IPv4.
    if is_mapped(ip.src()) {
        return Err(DropReason::SourceScope);
    }
    if is_mapped(ip.dst()) {
        return Err(DropReason::DestinationScope);
    }
    Ok((ip.src(), ip.packet_len()))
}

/// The same for IPv4.
fn inner_ipv4(bytes: &[u8], room: usize) -> Result<(u128, usize), DropReason> {
    let short = |bytes: &[u8]| {
        if bytes.len() < room { DropReason::Segmented } else { DropReason::InnerTruncated }
    };
    match ipv4::whole_header(bytes.get(..room).unwrap_or(bytes)) {
        Ok(ip) => Ok((ip.src(), ip.packet_len())),
        Err(DropReason::FrameShort) => Err(short(bytes)),
        Err(reason) => Err(reason),
    }
}

/// Tunnels end on access ports alone.
fn accepted(found: Result<Class, DropReason>, ingress: &Ingress) -> Class {
    match found {
        _ if !ingress.access => Class::Drop(DropReason::RoleTunnel),
        Ok(class) => class,
        Err(reason) => Class::Drop(reason),
    }
}
