//! A message as the packet that carries it: in IPv6, or in UDP over IPv4 (RFC 5844 section 4).

use crate::mobility::message::Transport;
use crate::wire::ipv4::{self, Ipv4Header};
use crate::wire::ipv6::{self, Ipv6Header};
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
}

impl Ends {
    /// Of the answer.
    pub(crate) const fn back(self) -> Self {
        Self { src: self.dst, dst: self.src, transport: self.transport }
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
    match ends.transport.udp_port() {
        None => emit_in_ipv6(message, options, ends, packet),
        Some(port) => emit_in_udp(message, options, ends, port, packet),
    }
}

fn emit_in_ipv6(
    message: &impl MessageData,
    options: Options<'_>,
    &Ends { src, dst, .. }: &Ends,
    packet: &mut [u8],
) -> Option<usize> {
    let (front, back) = packet.split_at_mut_checked(ipv6::HEADER_LEN)?;
    let len = message.emit_encoded(options, src, dst, back).ok()?;
    let header = Ipv6Header {
        traffic_class: TRAFFIC_CLASS,
        flow_label: 0,
        payload_len: u16::try_from(len).ok()?,
        next_header: mh::NEXT_HEADER,
        hop_limit: HOP_LIMIT,
        src,
        dst,
    };
    header.emit(front).ok()?;
    Some(ipv6::HEADER_LEN + len)
}

/// RFC 5844 4.1.3.2, 4.2.2.1: from port 5436, with a checksum.
fn emit_in_udp(
    message: &impl MessageData,
    options: Options<'_>,
    ends: &Ends,
    dst_port: u16,
    packet: &mut [u8],
) -> Option<usize> {
    let (src, dst) = (ends.src.to_ipv4_mapped()?, ends.dst.to_ipv4_mapped()?);
    let (front, back) = packet.split_at_mut_checked(ipv4::HEADER_LEN)?;
    let room = back.get_mut(udp::HEADER_LEN..)?;
    let len = message.emit_encoded_in_udp(options, room).ok()?;
    let datagram = back.get_mut(..udp::HEADER_LEN + len)?;
    let ports = UdpHeader { src_port: udp::SIGNALING_PORT, dst_port };
    ports.emit(src, dst, datagram).ok()?;
    let packet_len = ipv4::HEADER_LEN + datagram.len();
    let header = Ipv4Header {
        header_len: ipv4::HEADER_LEN,
        tos: TRAFFIC_CLASS,
        total_len: u16::try_from(packet_len).ok()?,
        identification: 0,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        ttl: HOP_LIMIT,
        protocol: udp::PROTOCOL,
        src,
        dst,
    };
    header.emit(front).ok()?;
    Some(packet_len)
}

const HOP_LIMIT: u8 = 64;
/// Network control, CS6 (RFC 4594 3.2).
const TRAFFIC_CLASS: u8 = 48 << 2;
