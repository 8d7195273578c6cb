//! A message as the packet that carries it.
//!
//! ```text
//!  IPv6 | MH                         to a gateway, to a home address     (RFC 6275 6.1)
//!  IPv4 | UDP 5436 | MH              to one in an IPv4 network           (RFC 5844 section 4)
//!  IPv6 | type 2 routing header | MH to a mobile node: an acknowledgement (RFC 6275 9.5.4)
//!  IPv4 | UDP 4191 | IPv6 | MH       to one in an IPv4 network           (RFC 5555 4.2)
//! ```
//! The tunnel of a message to an address that a node holds is the data plane's.

use crate::mobility::ha::{HomeIcmp, HomeIcmpBody, PrefixOffer};
use crate::mobility::message::Transport;
use crate::wire::icmpv6::{self, mobility};
use crate::wire::ipv4::{self, Ipv4Header};
use crate::wire::ipv6::{self, HomeRoute, Ipv6Header};
use crate::wire::mh::{self, MessageData, Options};
use crate::wire::udp::{self, UdpHeader};
use std::net::Ipv6Addr;

/// Between whom a message travels, and in what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    /// IPv4-mapped where UDP carries it.
    pub(crate) src: Ipv6Addr,
    /// Of the same family.
    pub(crate) dst: Ipv6Addr,
    /// What carries it.
    pub(crate) transport: Transport,
    /// The home address of the node at `dst`, if it is one's that moves by itself.
    pub(crate) home: Option<Ipv6Addr>,
}

impl Ends {
    /// Of the answer.
    pub(crate) const fn back(self) -> Self {
        let Self { src, dst, transport, home } = self;
        Self { src: dst, dst: src, transport, home }
    }
}

/// Writes a message to the front of `packet`; its length in bytes, or `None` if it does not fit.
/// ESP is left to the kernel.
pub(crate) fn emit(
    message: &impl MessageData,
    options: Options<'_>,
    ends: &Ends,
    packet: &mut [u8],
) -> Option<usize> {
    let Ends { src, dst, .. } = *ends;
    match (ends.transport, ends.home) {
        (Transport::Dsmip { port, anchor, .. }, home) => {
            let home = home?;
            let inner = packet.get_mut(ipv4::HEADER_LEN + udp::HEADER_LEN..)?;
            let len = emit_in_ipv6(message, options, (anchor, home), None, inner)?;
            finish_udp(packet, len, (udp::DSMIP_PORT, port), ends)
        }
        (Transport::Udp(port) | Transport::UdpEsp(port), _) => {
            emit_in_udp(message, options, ends, port, packet)
        }
        (Transport::Ipv6 | Transport::Ipv6Esp, home) => {
            emit_in_ipv6(message, options, (src, dst), home, packet)
        }
    }
}

/// From `src` to `dst`, by way of a type 2 routing header if the node there has the home address
/// `home`: its address counts for the checksum (RFC 6275 6.1.1).
fn emit_in_ipv6(
    message: &impl MessageData,
    options: Options<'_>,
    (src, dst): (Ipv6Addr, Ipv6Addr),
    home: Option<Ipv6Addr>,
    packet: &mut [u8],
) -> Option<usize> {
    let at = ipv6::HEADER_LEN + if home.is_some() { HomeRoute::LEN } else { 0 };
    let back = packet.get_mut(at..)?;
    let len = message.emit_encoded(options, src, home.unwrap_or(dst), back).ok()?;
    finish_ipv6(packet, len, mh::NEXT_HEADER, (src, dst), home)
}

/// Writes the headers before `len` bytes of a payload that is there already.
fn finish_ipv6(
    packet: &mut [u8],
    len: usize,
    next_header: u8,
    (src, dst): (Ipv6Addr, Ipv6Addr),
    home: Option<Ipv6Addr>,
) -> Option<usize> {
    let (header, route) = packet.split_at_mut_checked(ipv6::HEADER_LEN)?;
    let (next_header, len) = match home {
        Some(home) => {
            HomeRoute { next_header, home }.emit(route).ok()?;
            (HomeRoute::NEXT_HEADER, HomeRoute::LEN + len)
        }
        None => (next_header, len),
    };
    ipv6_header((src, dst), next_header, len)?.emit(header).ok()?;
    Some(ipv6::HEADER_LEN + len)
}

/// An ICMPv6 message of a home agent as the packet that carries it, at the front of `packet`; its
/// length in bytes, or `None` if it does not fit.
pub(crate) fn emit_icmp(icmp: &HomeIcmp, packet: &mut [u8]) -> Option<usize> {
    let HomeIcmp { src, dst, home, .. } = *icmp;
    let at = ipv6::HEADER_LEN + if home.is_some() { HomeRoute::LEN } else { 0 };
    let ends = (src, home.unwrap_or(dst));
    let back = packet.get_mut(at..)?;
    let len = match &icmp.body {
        HomeIcmpBody::DiscoveryReply { id, mobile_routers, agents } => {
            mobility::emit_discovery_reply(*id, *mobile_routers, agents, ends, back)
        }
        HomeIcmpBody::PrefixAdvertisement { id, prefixes, .. } => {
            let prefixes: Vec<_> = prefixes.iter().map(PrefixOffer::information).collect();
            mobility::emit_prefix_advertisement(*id, &prefixes, ends, back)
        }
    };
    finish_ipv6(packet, len.ok()?, icmpv6::NEXT_HEADER, (src, dst), home)
}

fn ipv6_header(
    (src, dst): (Ipv6Addr, Ipv6Addr),
    next_header: u8,
    payload_len: usize,
) -> Option<Ipv6Header> {
    Some(Ipv6Header {
        traffic_class: TRAFFIC_CLASS,
        flow_label: 0,
        payload_len: u16::try_from(payload_len).ok()?,
        next_header,
        hop_limit: HOP_LIMIT,
        src,
        dst,
    })
}

/// Writes IPv4 and UDP headers before `len` bytes that are there already.
fn finish_udp(
    packet: &mut [u8],
    len: usize,
    (src_port, dst_port): (u16, u16),
    ends: &Ends,
) -> Option<usize> {
    let (src, dst) = (ends.src.to_ipv4_mapped()?, ends.dst.to_ipv4_mapped()?);
    let (header, back) = packet.split_at_mut_checked(ipv4::HEADER_LEN)?;
    let datagram = back.get_mut(..udp::HEADER_LEN + len)?;
    UdpHeader { src_port, dst_port }.emit(src, dst, datagram).ok()?;
    let len = datagram.len();
    ipv4_header(ends, udp::PROTOCOL, len)?.emit(header).ok()?;
    Some(ipv4::HEADER_LEN + len)
}

fn ipv4_header(ends: &Ends, protocol: u8, payload_len: usize) -> Option<Ipv4Header> {
    Some(Ipv4Header {
        header_len: ipv4::HEADER_LEN,
        tos: TRAFFIC_CLASS,
        total_len: u16::try_from(ipv4::HEADER_LEN + payload_len).ok()?,
        identification: 0,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        ttl: HOP_LIMIT,
        protocol,
        src: ends.src.to_ipv4_mapped()?,
        dst: ends.dst.to_ipv4_mapped()?,
    })
}

/// RFC 5844 4.1.3.2, 4.2.2.1: from port 5436, with a checksum.
fn emit_in_udp(
    message: &impl MessageData,
    options: Options<'_>,
    ends: &Ends,
    dst_port: u16,
    packet: &mut [u8],
) -> Option<usize> {
    let room = packet.get_mut(ipv4::HEADER_LEN + udp::HEADER_LEN..)?;
    let len = message.emit_encoded_in_udp(options, room).ok()?;
    finish_udp(packet, len, (udp::SIGNALING_PORT, dst_port), ends)
}

const HOP_LIMIT: u8 = 64;
/// Network control, CS6 (RFC 4594 3.2).
const TRAFFIC_CLASS: u8 = 48 << 2;
