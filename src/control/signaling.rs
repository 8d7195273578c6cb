//! From a frame to what is to be done about it (RFC 6275 section 9.2 and 9.3.3, RFC 5844 section
//! 4), and the messages that we send. Pure: the loop counts, limits the rate of what strangers make
//! us say, and sends.

use super::counters::Counter;
use crate::mobility::ha::HomeIcmp;
use crate::mobility::message::{AckMsg, OwnedOptions, PeerBody, PeerMsg, Transport, UpdateMsg};
use crate::mobility::mip4::Mip4Msg;
use crate::mobility::packet::{self, Ends};
use crate::wire::icmpv6::{self, ErrorMessage};
use crate::wire::ipv4::Ipv4Header;
use crate::wire::ipv6::{Ipv6Header, find_upper_layer};
use crate::wire::mh::{self, BindingError, BindingRefreshRequest, BuFlags, Message, Options};
use crate::wire::udp::{self, UdpHeader};
use crate::wire::{ErrorKind, ether, mip4};
use core::ops::Range;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Our addresses for signaling.
#[derive(Debug, Clone, Copy)]
pub(super) struct Anchors {
    /// LMAA.
    pub(super) ipv6: Ipv6Addr,
    /// IPv4-LMAA (RFC 5844 section 4), if we have one.
    pub(super) ipv4: Option<Ipv4Addr>,
}

impl Anchors {
    /// Whether an address is one of them.
    pub(super) fn has(self, addr: Ipv6Addr) -> bool {
        addr == self.ipv6 || self.ipv4.is_some_and(|ipv4| ipv4.to_ipv6_mapped() == addr)
    }
}

/// What a frame on the signaling path asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// A Proxy Binding Update for the pure core.
    Pbu(UpdateMsg),
    /// A Binding Update without the P flag, of a mobile node.
    Bu(UpdateMsg),
    /// Revocation, heartbeat or error, for the pure core.
    Peer(PeerMsg),
    /// A message of Mobile IPv4, for the pure core.
    Mip4(Mip4Msg),
    /// Nothing, under this counter.
    Discard(Counter),
    /// A Binding Error with status 2 (9.2, 9.3.3) that travels so.
    BindingError(Ends),
    /// An ICMPv6 Parameter Problem about the packet (9.2): to whom, and the offset of the offending
    /// field in the IPv6 packet, in bytes.
    ParameterProblem(Ipv6Addr, u32),
}

/// Next header and protocol of RFC 4303.
const ESP: u8 = 50;
const MALFORMED: Signal = Signal::Discard(Counter::SignalingMalformed);

/// Whether a frame brings ESP: flow rules put that on the queue for signaling, too.
pub(super) fn is_esp(frame: &[u8]) -> bool {
    let next_header = match ether::payload(frame) {
        Ok((ether::IPV6, packet)) => packet.get(6),
        Ok((ether::IPV4, packet)) => packet.get(9),
        _ => None,
    };
    next_header == Some(&ESP)
}

/// Whom a frame says that it is from; `None` if it is not even that long.
pub(super) fn source(frame: &[u8]) -> Option<Ipv6Addr> {
    let (ether_type, packet) = ether::payload(frame).ok()?;
    if ether_type == ether::IPV4 {
        let octets: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
        return Some(Ipv4Addr::from(octets).to_ipv6_mapped());
    }
    let octets: [u8; 16] = packet.get(8..24)?.try_into().ok()?;
    Some(Ipv6Addr::from(octets))
}

/// Reads a frame that brings a Mobility Header or a message of Mobile IPv4 to us; `esp`: the kernel
/// took it out of ESP.
pub(super) fn read(frame: &[u8], own: Anchors, esp: bool) -> Signal {
    match (ether::payload(frame), own.ipv4) {
        (Ok((ether::IPV6, packet)), _) => read_ipv6(packet, own.ipv6, esp),
        (Ok((ether::IPV4, packet)), Some(anchor)) => read_ipv4(packet, (anchor, own.ipv6), esp),
        _ => MALFORMED,
    }
}

fn read_ipv6(packet: &[u8], anchor: Ipv6Addr, esp: bool) -> Signal {
    let Ok(ip) = Ipv6Header::parse(packet) else { return MALFORMED };
    // What the link added behind a short packet is not part of it.
    let Some(packet) = packet.get(..ip.packet_len()) else { return MALFORMED };
    let Ok(upper) = find_upper_layer(packet) else { return MALFORMED };
    let Some(header) = packet.get(upper.offset..) else { return MALFORMED };
    let for_us = upper.next_header == mh::NEXT_HEADER && ip.dst == anchor;
    // RFC 6275 6.3: a Home Address option may stand before it.
    let home = upper.home_address.map(|(home, _)| home);
    let is_ours = for_us && home.is_none_or(is_one_node);
    // A Mobility Header is never larger than the smallest MTU has room for, so never in fragments.
    if !is_ours || upper.is_fragment || upper.unskippable_option.is_some() {
        return MALFORMED;
    }
    let transport = if esp { Transport::Ipv6Esp } else { Transport::Ipv6 };
    let ends = Ends { src: ip.src, dst: ip.dst, transport, home };
    // 6.1.1: the home address counts for the checksum.
    match Message::parse(header, home.unwrap_or(ip.src), ip.dst) {
        Ok(message) => interpret(message, header, ends),
        Err(e) => match e.kind {
            ErrorKind::Checksum => Signal::Discard(Counter::SignalingChecksum),
            // Both answers are errors in the sense of RFC 4443 2.4 (e).
            _ if !may_answer(packet) => MALFORMED,
            ErrorKind::UnknownType => Signal::BindingError(ends.back()),
            // Outside of ESP it would show what was inside.
            ErrorKind::PayloadProto | ErrorKind::HeaderLen if esp => {
                Signal::Discard(Counter::SignalingRefused)
            }
            ErrorKind::PayloadProto | ErrorKind::HeaderLen => {
                u32::try_from(upper.offset + e.offset)
                    .map_or(MALFORMED, |pointer| Signal::ParameterProblem(ip.src, pointer))
            }
            ErrorKind::Truncated
            | ErrorKind::Length
            | ErrorKind::Value
            | ErrorKind::Unskippable => MALFORMED,
        },
    }
}

/// Reads a frame that may bring a message of Mobile IPv4 to one of these addresses, which are those
/// of broadcasts (RFC 5944 3.6.1.2); `None`: it does not.
pub(super) fn read_broadcast(
    frame: &[u8],
    is_broadcast: impl FnOnce(Ipv4Addr) -> bool,
) -> Option<Signal> {
    let (ether::IPV4, packet) = ether::payload(frame).ok()? else { return None };
    let ip = Ipv4Header::parse(packet).ok()?;
    let datagram = packet.get(ip.header_len..usize::from(ip.total_len))?;
    let is_ours = ip.protocol == udp::PROTOCOL
        && !ip.is_fragment()
        && datagram.get(UDP_DESTINATION) == Some(&mip4::PORT.to_be_bytes())
        && is_broadcast(ip.dst);
    is_ours.then(|| match UdpHeader::parse(datagram, ip.src, ip.dst) {
        Ok((udp, payload)) => read_mip4(payload, (ip.src, ip.dst), udp.src_port),
        Err(e) => refused(e.kind),
    })
}

/// RFC 5844 section 4: a Mobility Header in UDP to port 5436. ICMPv6 cannot tell an IPv4 gateway of
/// a wrong length: such a message is discarded.
fn read_ipv4(packet: &[u8], (anchor, anchor6): (Ipv4Addr, Ipv6Addr), esp: bool) -> Signal {
    let Ok(ip) = Ipv4Header::parse(packet) else { return MALFORMED };
    let datagram = packet.get(ip.header_len..usize::from(ip.total_len)).unwrap_or_default();
    if ip.dst != anchor || ip.protocol != udp::PROTOCOL || ip.is_fragment() {
        return MALFORMED;
    }
    let (udp, header) = match UdpHeader::parse(datagram, ip.src, ip.dst) {
        Ok(parsed) => parsed,
        Err(e) => return refused(e.kind),
    };
    match udp.dst_port {
        udp::DSMIP_PORT => return read_dsmip(header, anchor6, (ip.src, ip.dst), udp.src_port),
        // RFC 5944 3.1: without a checksum, too.
        mip4::PORT => return read_mip4(header, (ip.src, ip.dst), udp.src_port),
        // 4.2.2.1: the UDP checksum MUST be used, as the header's own is not.
        udp::SIGNALING_PORT if datagram.get(UDP_CHECKSUM) != Some(&[0, 0]) => {}
        udp::SIGNALING_PORT => return refused(ErrorKind::Checksum),
        _ => return MALFORMED,
    }
    let transport = Transport::Udp(udp.src_port);
    let ends = Ends {
        src: ip.src.to_ipv6_mapped(),
        dst: ip.dst.to_ipv6_mapped(),
        transport: if esp { transport.protected() } else { transport },
        home: None,
    };
    match Message::parse_in_udp(header) {
        Ok(message) => interpret(message, header, ends),
        Err(e) if e.kind == ErrorKind::UnknownType && is_one_host(ip.src) => {
            Signal::BindingError(ends.back())
        }
        Err(_) => MALFORMED,
    }
}

/// A datagram that cannot be read.
const fn refused(why: ErrorKind) -> Signal {
    match why {
        ErrorKind::Checksum => Signal::Discard(Counter::SignalingChecksum),
        _ => MALFORMED,
    }
}

/// RFC 5944 3: what a datagram to port 434 carries. What it says, and whether its sender may say
/// it, the pure core decides: its authenticators cover the bytes.
fn read_mip4(payload: &[u8], (src, dst): (Ipv4Addr, Ipv4Addr), port: u16) -> Signal {
    // Nobody could be answered.
    if port == 0 || !is_one_host(src) {
        return MALFORMED;
    }
    Signal::Mip4(Mip4Msg { src, dst, port, payload: payload.to_vec() })
}

/// RFC 5555 4.2: an IPv6 packet of a node between its home address and us, in UDP over IPv4. What
/// is no binding update we do not answer: the node is behind a NAT perhaps, and none of ours yet.
fn read_dsmip(
    packet: &[u8],
    anchor: Ipv6Addr,
    (src, dst): (Ipv4Addr, Ipv4Addr),
    port: u16,
) -> Signal {
    let Ok(ip) = Ipv6Header::parse(packet) else { return MALFORMED };
    let Some(packet) = packet.get(..ip.packet_len()) else { return MALFORMED };
    let Ok(upper) = find_upper_layer(packet) else { return MALFORMED };
    let Some(header) = packet.get(upper.offset..) else { return MALFORMED };
    let is_ours = upper.next_header == mh::NEXT_HEADER && ip.dst == anchor && is_one_node(ip.src);
    if !is_ours || upper.is_fragment || upper.unknown_option().is_some() || !is_one_host(src) {
        return MALFORMED;
    }
    let ends = Ends {
        src: src.to_ipv6_mapped(),
        dst: dst.to_ipv6_mapped(),
        transport: Transport::Dsmip { port, anchor, esp: false },
        home: Some(ip.src),
    };
    match Message::parse(header, ip.src, ip.dst) {
        Ok(message @ Message::Bu(update, _)) if !update.flags.contains(BuFlags::P) => {
            interpret(message, header, ends)
        }
        Err(e) if e.kind == ErrorKind::Checksum => Signal::Discard(Counter::SignalingChecksum),
        _ => MALFORMED,
    }
}

/// What a well-formed message asks for, which was read from `header`.
fn interpret(message: Message<'_>, header: &[u8], ends: Ends) -> Signal {
    let Ends { src, dst, transport, home } = ends;
    let options = OwnedOptions::from(message.options());
    let body = match message {
        Message::Bu(update, _) => {
            let proxy = update.flags.contains(BuFlags::P);
            let header = UpdateMsg::kept_header(message.options(), header);
            let message = UpdateMsg { src, dst, transport, home, update, options, header };
            return if proxy { Signal::Pbu(message) } else { Signal::Bu(message) };
        }
        // We send no Binding Refresh Request that would be answered, and ask nobody for a binding.
        Message::Brr(_) | Message::Ba(..) | Message::Switch(..) => {
            return Signal::Discard(Counter::SignalingUnexpected);
        }
        Message::Be(error, _) => PeerBody::BindingError(error),
        Message::Heartbeat(heartbeat, _) => PeerBody::Heartbeat(heartbeat),
        Message::Bri(indication, _) => PeerBody::Bri(indication),
        Message::Bra(ack, _) => PeerBody::Bra(ack),
    };
    Signal::Peer(PeerMsg { node: None, src, dst, transport, body, options })
}

/// Whether a home address can be that of a node (RFC 6275 6.3).
fn is_one_node(home: Ipv6Addr) -> bool {
    let is_local = home.is_loopback() || home.is_unicast_link_local();
    !(home.is_multicast() || home.is_unspecified() || is_local || home.to_ipv4_mapped().is_some())
}

/// Whether an IPv4 source names one host (RFC 1122 3.2.2).
fn is_one_host(addr: Ipv4Addr) -> bool {
    !(addr.is_multicast() || addr.is_broadcast() || addr.is_unspecified() || addr.is_loopback())
}

fn may_answer(packet: &[u8]) -> bool {
    ErrorMessage::ErroneousField(0).may_answer(packet)
}

/// Writes an acknowledgement as an IP packet; returns its length in bytes.
pub(super) fn write_ack(ack: &AckMsg, packet: &mut [u8]) -> Option<usize> {
    let ends = Ends { src: ack.src, dst: ack.dst, transport: ack.transport, home: ack.home };
    packet::emit(&ack.ack, ack.options.options(), &ends, packet)
}

/// Writes any other message as an IP packet; returns its length in bytes.
pub(super) fn write_peer(msg: &PeerMsg, packet: &mut [u8]) -> Option<usize> {
    let options = msg.options.options();
    let ends = &Ends { src: msg.src, dst: msg.dst, transport: msg.transport, home: None };
    match &msg.body {
        PeerBody::Bri(m) => packet::emit(m, options, ends, packet),
        PeerBody::Bra(m) => packet::emit(m, options, ends, packet),
        PeerBody::Heartbeat(m) => packet::emit(m, options, ends, packet),
        PeerBody::BindingError(m) => packet::emit(m, options, ends, packet),
        PeerBody::RefreshRequest => packet::emit(&BindingRefreshRequest, options, ends, packet),
        PeerBody::Switch(m) => packet::emit(m, options, ends, packet),
    }
}

/// Writes an ICMPv6 message of the home agent as an IP packet; returns its length in bytes.
pub(super) fn write_icmp(icmp: &HomeIcmp, packet: &mut [u8]) -> Option<usize> {
    packet::emit_icmp(icmp, packet)
}

/// Writes a Binding Error as an IP packet; returns its length in bytes.
pub(super) fn write_binding_error(status: u8, ends: &Ends, packet: &mut [u8]) -> Option<usize> {
    // 9.3.3: the address of a Home Address option, or `::`. It goes to the care-of address itself.
    let home_address = ends.home.unwrap_or(Ipv6Addr::UNSPECIFIED);
    let ends = &Ends { home: None, ..*ends };
    let error = BindingError { status, home_address };
    packet::emit(&error, Options::default(), ends, packet)
}

/// Writes an ICMPv6 error about `invoking` as an IPv6 packet; returns its length in bytes.
pub(super) fn write_error(
    error: ErrorMessage,
    (src, dst): (Ipv6Addr, Ipv6Addr),
    invoking: &[u8],
    packet: &mut [u8],
) -> Option<usize> {
    let quoted = invoking.len().min(icmpv6::ERROR_MAX_LEN - icmpv6::ERROR_HEADER_LEN);
    let len = icmpv6::ERROR_HEADER_LEN + quoted;
    let packet = packet.get_mut(..len)?;
    packet.get_mut(icmpv6::ERROR_HEADER_LEN..)?.copy_from_slice(invoking.get(..quoted)?);
    error.emit(src, dst, HOP_LIMIT, packet).ok()?;
    Some(len)
}

/// Where the Destination Port stands in a UDP header.
const UDP_DESTINATION: Range<usize> = 2..4;
/// Where the Checksum stands there.
const UDP_CHECKSUM: Range<usize> = 6..8;
const HOP_LIMIT: u8 = 64;
