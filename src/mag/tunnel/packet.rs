//! Outer headers on and off.
//!
//! ```text
//!   | outer IPv6 or IPv4 |                                     | inner IPv6 or IPv4 packet |
//!   | outer IPv6 or IPv4 | GRE, key |                          |  ...
//!   | outer IPv4 | UDP |                                       |  ...
//!   | outer IPv4 | UDP | TLV-header | GRE, key |               |  ...
//!   | outer IPv4 | UDP | MIP Tunnel Data |                     |  ...      of mobile nodes
//!   | outer IPv4 | ... | IPv4 |                                |  ...      likewise, RFC 5454
//! ```

use super::Form;
use super::table::{Entry, TunnelTable};
use crate::addr::{AnchorAddr, Encap, ProxyCoa};
use crate::mag::counter::Counter;
use crate::mobility::mag::action::Path;
use crate::wire::gre::GreHeader;
use crate::wire::ipv4::{self, Ipv4Header};
use crate::wire::ipv6::{self, Ipv6Header};
use crate::wire::mip4::{self, TunnelData};
use crate::wire::tlv::{self, TlvHeader};
use crate::wire::udp::{self, UdpHeader};
use crate::wire::{self, gre};
use std::net::Ipv6Addr;

/// Protocol number of IPv6 in a tunnel.
pub(super) const IPV6_IN_IP: u8 = 41;
/// Of the outer header (RFC 2473 6.3).
const TUNNEL_HOP_LIMIT: u8 = 64;
/// The longest that stands before an inner packet: twice IPv6 and GRE with a key.
pub(super) const HEADROOM: usize = 2 * (ipv6::HEADER_LEN + gre::HEADER_LEN + 4);

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;

const ECN: u8 = 0b11;
const NOT_ECT: u8 = 0b00;
const CE: u8 = 0b11;

/// What the outer headers of a tunnel packet say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outer {
    pub(super) lma: AnchorAddr,
    pub(super) coa: ProxyCoa,
    pub(super) traffic_class: u8,
    pub(super) form: Form,
}

/// What matters of an inner header.
#[derive(Debug, Clone, Copy)]
struct Inner {
    src: Ipv6Addr,
    dst: Ipv6Addr,
    is_ipv4: bool,
    traffic_class: u8,
    flow_label: u32,
}

impl Inner {
    /// A whole packet of either family.
    fn parse(packet: &[u8]) -> Option<Self> {
        if packet.first()? >> 4 == 4 {
            let header = Ipv4Header::parse(packet).ok()?;
            return (usize::from(header.total_len) == packet.len()).then(|| Self {
                src: header.src.to_ipv6_mapped(),
                dst: header.dst.to_ipv6_mapped(),
                is_ipv4: true,
                traffic_class: header.tos,
                flow_label: 0,
            });
        }
        let header = Ipv6Header::parse(packet).ok()?;
        (header.packet_len() == packet.len()).then_some(Self {
            src: header.src,
            dst: header.dst,
            is_ipv4: false,
            traffic_class: header.traffic_class,
            flow_label: header.flow_label,
        })
    }
}

/// Makes a tunnel packet of an inner packet that has [`HEADROOM`] before it; returns where it
/// begins and where it goes.
pub(super) fn encapsulate(
    packet: &mut [u8],
    table: &TunnelTable,
) -> Result<(usize, AnchorAddr), Counter> {
    let inner = Inner::parse(packet.get(HEADROOM..).unwrap_or_default());
    let inner = inner.ok_or(Counter::TunnelMalformed)?;
    // RFC 5213 6.10.5: only with an established binding, and never from a link-local address.
    let entry = table.of(inner.src).ok_or(Counter::TunnelNoBinding)?;
    let written = |start: wire::Result<usize>| start.map_err(|_| Counter::TunnelMalformed);
    let start = written(emit(packet, HEADROOM, inner, entry))?;
    let Some(outer) = entry.outer else { return Ok((start, entry.path.lma)) };
    let inner = Inner::parse(packet.get(start..).unwrap_or_default());
    let inner = inner.ok_or(Counter::TunnelMalformed)?;
    let entry = Entry { path: outer, outer: None, ..entry };
    Ok((written(emit(packet, start, inner, entry))?, outer.lma))
}

/// Writes what stands before the inner packet at `at`, from back to front; returns where it begins.
fn emit(packet: &mut [u8], mut at: usize, inner: Inner, entry: Entry) -> wire::Result<usize> {
    let mut protocol = if inner.is_ipv4 { ipv4::PROTOCOL } else { IPV6_IN_IP };
    let encap = entry.path.encap;
    if let Encap::Gre | Encap::UdpGre(_) = encap {
        let header = GreHeader {
            protocol: if inner.is_ipv4 { ETHERTYPE_IPV4 } else { ETHERTYPE_IPV6 },
            // RFC 5845 4.2
            key: entry.keys.uplink.map(crate::addr::GreKey),
            seq: None,
        };
        at -= header.buffer_len();
        header.emit(packet.get_mut(at..).unwrap_or_default())?;
        protocol = gre::PROTOCOL;
    }
    if let Encap::UdpGre(_) = encap {
        at -= tlv::HEADER_LEN;
        let header = TlvHeader { next_header: protocol };
        header.emit(packet.get_mut(at..).unwrap_or_default())?;
    }
    if let Encap::Mip4Udp(_) = encap {
        at -= TunnelData::LEN;
        let header = TunnelData { next_header: protocol };
        header.emit(packet.get_mut(at..).unwrap_or_default())?;
    }
    if let Some(ports) = ports(encap) {
        at -= udp::HEADER_LEN;
        // The inner packet has its own; that of a tunnel may be zero (RFC 768).
        ports.emit_without_checksum(packet.get_mut(at..).unwrap_or_default())?;
        protocol = udp::PROTOCOL;
    }
    emit_outer(packet, at, protocol, inner, entry.path)
}

/// The ports of tunnel packets to the anchor: from our port of the same protocol.
fn ports(encap: Encap) -> Option<UdpHeader> {
    let (src_port, dst_port) = match encap {
        Encap::Udp(port) | Encap::UdpGre(port) => (udp::TUNNEL_PORT, port),
        Encap::Mip4Udp(port) => (mip4::PORT, port),
        Encap::Mip6Udp(port) => (udp::DSMIP_PORT, port),
        Encap::Ip | Encap::Gre => return None,
    };
    Some(UdpHeader { src_port, dst_port })
}

fn emit_outer(
    packet: &mut [u8],
    at: usize,
    protocol: u8,
    inner: Inner,
    path: Path,
) -> wire::Result<usize> {
    let len = |len: usize| u16::try_from(len).unwrap_or(u16::MAX);
    if let (Some(src), Some(dst)) = (path.coa.0.to_ipv4_mapped(), path.lma.0.to_ipv4_mapped()) {
        let at = at - ipv4::HEADER_LEN;
        let header = Ipv4Header {
            header_len: ipv4::HEADER_LEN,
            tos: inner.traffic_class,
            total_len: len(packet.len() - at),
            identification: 0,
            // RFC 4213 3.2.2: the path's MTU is followed.
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            ttl: TUNNEL_HOP_LIMIT,
            protocol,
            src,
            dst,
        };
        header.emit(packet.get_mut(at..).unwrap_or_default())?;
        return Ok(at);
    }
    let payload_len = len(packet.len() - at);
    let at = at - ipv6::HEADER_LEN;
    let header = Ipv6Header {
        // RFC 5213 5.6.3, RFC 6040 4.1: the ECN field is copied, and the DSCP with it.
        traffic_class: inner.traffic_class,
        flow_label: inner.flow_label,
        payload_len,
        next_header: protocol,
        hop_limit: TUNNEL_HOP_LIMIT,
        src: path.coa.0,
        dst: path.lma.0,
    };
    header.emit(packet.get_mut(at..).unwrap_or_default())?;
    Ok(at)
}

/// Whether a tunnel packet, from behind its outer IP and UDP header on, goes on to a node; takes
/// over what the outer header says of congestion, and returns where the inner packet begins.
pub(super) fn decapsulate(
    packet: &mut [u8],
    outer: Outer,
    table: &TunnelTable,
) -> Result<usize, Counter> {
    let (encap, key, inner_len) = unwrap(packet, outer.form).ok_or(Counter::TunnelMalformed)?;
    let start = packet.len() - inner_len;
    let packet = packet.get_mut(start..).unwrap_or_default();
    let inner = Inner::parse(packet).ok_or(Counter::TunnelMalformed)?;
    // RFC 5213 6.10.5: no connected interface for it: silently dropped.
    let entry = table.of(inner.dst).ok_or(Counter::TunnelNoBinding)?;
    if entry.path.lma != outer.lma || entry.path.coa != outer.coa {
        return Err(Counter::TunnelWrongAnchor);
    }
    // RFC 5845 4.2: the key says to which session it belongs.
    if form(entry.path.encap) != encap || entry.keys.downlink != key {
        return Err(Counter::TunnelWrongKey);
    }
    match (inner.traffic_class & ECN, outer.traffic_class & ECN) {
        (NOT_ECT, CE) => Err(Counter::TunnelCongested),
        (_, CE) => {
            mark(packet, inner);
            Ok(start)
        }
        _ => Ok(start),
    }
}

/// Takes off what is between the outer header and the inner packet: how it was carried, its key,
/// and the inner packet's length.
fn unwrap(packet: &[u8], form: Form) -> Option<(Encap, Option<u32>, usize)> {
    let keyed = |packet: &[u8], encap| {
        let (header, inner) = GreHeader::parse(packet).ok()?;
        Some((encap, header.key.map(|k| k.0), inner.len()))
    };
    match form {
        Form::Ip => Some((Encap::Ip, None, packet.len())),
        Form::Gre => keyed(packet, Encap::Gre),
        // RFC 5845 7.2: what begins with a zero is a TLV-header, else an IP packet.
        Form::Udp if packet.first()? >> 4 == 0 => {
            let (header, inner) = TlvHeader::parse(packet).ok()?;
            (header.next_header == gre::PROTOCOL).then_some(())?;
            keyed(inner, Encap::UdpGre(0))
        }
        Form::Udp => Some((Encap::Udp(0), None, packet.len())),
        Form::Mip6Udp => Some((Encap::Mip6Udp(0), None, packet.len())),
        Form::Mip4Udp => {
            let (header, inner) = TunnelData::parse(packet).ok()?;
            let is_ip = [ipv4::PROTOCOL, IPV6_IN_IP].contains(&header.next_header);
            is_ip.then_some((Encap::Mip4Udp(0), None, inner.len()))
        }
    }
}

/// The form without the port, by which no packet is told apart.
fn form(encap: Encap) -> Encap {
    match encap {
        Encap::Udp(_) => Encap::Udp(0),
        Encap::UdpGre(_) => Encap::UdpGre(0),
        Encap::Mip4Udp(_) => Encap::Mip4Udp(0),
        Encap::Mip6Udp(_) => Encap::Mip6Udp(0),
        Encap::Ip | Encap::Gre => encap,
    }
}

/// Marks an inner packet as congested.
fn mark(packet: &mut [u8], inner: Inner) {
    if !inner.is_ipv4 {
        // The traffic class lies across the first two bytes.
        if let Some(byte) = packet.get_mut(1) {
            *byte |= CE << 4;
        }
        return;
    }
    let Some([_, tos, _, _, _, _, _, _, _, _, high, low]) = packet.first_chunk_mut() else {
        return;
    };
    let added = u16::from(CE & !*tos);
    *tos |= CE;
    // RFC 1624: the checksum is a one's complement sum; it grows by less where the sum grows.
    let (sum, borrow) = u16::from_be_bytes([*high, *low]).overflowing_sub(added);
    [*high, *low] = (sum - u16::from(borrow)).to_be_bytes();
}
