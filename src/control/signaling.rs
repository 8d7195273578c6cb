//! From a frame to what is to be done about it (RFC 6275 section 9.2 and 9.3.3), and the messages
//! that we send. Pure: the loop counts, limits the rate of what strangers make us say, and sends.

use super::counters::Counter;
use crate::mobility::message::{AckMsg, OwnedOptions, PeerBody, PeerMsg, Transport, UpdateMsg};
use crate::time::Lifetime;
use crate::wire::icmpv6::{self, ErrorMessage};
use crate::wire::ipv6::{self, Ipv6Header, find_upper_layer};
use crate::wire::mh::{
    self, BaFlags, BindingAck, BindingError, BuFlags, Message, MessageData, Options, Status,
};
use crate::wire::{ErrorKind, ether};
use std::net::Ipv6Addr;

/// What a frame on the signaling path asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// A Proxy Binding Update for the pure core.
    Pbu(UpdateMsg),
    /// A Binding Update without the P flag: a mobile node that takes us for a home agent.
    Bu(UpdateMsg),
    /// Revocation, heartbeat or error, for the pure core.
    Peer(PeerMsg),
    /// Nothing, under this counter.
    Discard(Counter),
    /// A Binding Error with status 2 to this address (9.2, 9.3.3).
    BindingError(Ipv6Addr),
    /// An ICMPv6 Parameter Problem about the packet (9.2): to whom, and the offset of the offending
    /// field in the IPv6 packet, in bytes.
    ParameterProblem(Ipv6Addr, u32),
}

/// Reads a frame that brings a Mobility Header to `anchor`.
pub(super) fn read(frame: &[u8], anchor: Ipv6Addr) -> Signal {
    const MALFORMED: Signal = Signal::Discard(Counter::SignalingMalformed);
    let packet = frame.get(ether::HEADER_LEN..).unwrap_or_default();
    let Ok(ip) = Ipv6Header::parse(packet) else { return MALFORMED };
    // What the link added behind a short packet is not part of it.
    let Some(packet) = packet.get(..ip.packet_len()) else { return MALFORMED };
    let Ok(upper) = find_upper_layer(packet) else { return MALFORMED };
    let Some(header) = packet.get(upper.offset..) else { return MALFORMED };
    let for_us = upper.next_header == mh::NEXT_HEADER && ip.dst == anchor;
    // A Mobility Header is never larger than the smallest MTU has room for, so never in fragments.
    if !for_us || upper.is_fragment || upper.unskippable_option.is_some() {
        return MALFORMED;
    }
    match Message::parse(header, ip.src, ip.dst) {
        Ok(message) => interpret(message, header, ip.src, ip.dst, Transport::Ipv6),
        Err(e) => match e.kind {
            ErrorKind::Checksum => Signal::Discard(Counter::SignalingChecksum),
            // Both answers are errors in the sense of RFC 4443 2.4 (e).
            _ if !may_answer(packet) => MALFORMED,
            ErrorKind::UnknownType => Signal::BindingError(ip.src),
            ErrorKind::PayloadProto | ErrorKind::HeaderLen => {
                u32::try_from(upper.offset + e.offset)
                    .map_or(MALFORMED, |pointer| Signal::ParameterProblem(ip.src, pointer))
            }
            ErrorKind::Truncated | ErrorKind::Length | ErrorKind::Value => MALFORMED,
        },
    }
}

/// What a well-formed message asks for, which was read from `header`.
fn interpret(
    message: Message<'_>,
    header: &[u8],
    src: Ipv6Addr,
    dst: Ipv6Addr,
    transport: Transport,
) -> Signal {
    let options = OwnedOptions::from(message.options());
    let body = match message {
        Message::Bu(update, _) => {
            let proxy = update.flags.contains(BuFlags::P);
            let header = UpdateMsg::kept_header(message.options(), header);
            let message = UpdateMsg { src, dst, transport, update, options, header };
            return if proxy { Signal::Pbu(message) } else { Signal::Bu(message) };
        }
        // We send no Binding Refresh Request that would be answered, and ask nobody for a binding.
        Message::Brr(_) | Message::Ba(..) => return Signal::Discard(Counter::SignalingUnexpected),
        Message::Be(error, _) => PeerBody::BindingError(error),
        Message::Heartbeat(heartbeat, _) => PeerBody::Heartbeat(heartbeat),
        Message::Bri(indication, _) => PeerBody::Bri(indication),
        Message::Bra(ack, _) => PeerBody::Bra(ack),
    };
    Signal::Peer(PeerMsg { src, dst, transport, body, options })
}

fn may_answer(packet: &[u8]) -> bool {
    ErrorMessage::ErroneousField(0).may_answer(packet)
}

/// The answer to a Binding Update without the P flag: we are no home agent. RFC 6275 9.5.1 wants a
/// home registration refused; what asks for no home agent is for a correspondent, and ignored.
pub(super) fn refuse_home_registration(message: &UpdateMsg) -> Option<AckMsg> {
    let one_node = !message.src.is_multicast() && !message.src.is_unspecified();
    (one_node && message.update.flags.contains(BuFlags::H)).then(|| AckMsg {
        src: message.dst,
        dst: message.src,
        transport: message.transport,
        ack: BindingAck {
            status: Status::HOME_REGISTRATION_NOT_SUPPORTED,
            flags: BaFlags::default(),
            seq: message.update.seq,
            lifetime: Lifetime::ZERO,
        },
        options: OwnedOptions::default(),
    })
}

/// Writes an acknowledgement as an IPv6 packet; returns its length in bytes.
pub(super) fn write_ack(ack: &AckMsg, packet: &mut [u8]) -> Option<usize> {
    write_message(&ack.ack, ack.options.options(), ack.src, ack.dst, packet)
}

/// Writes any other message as an IPv6 packet; returns its length in bytes.
pub(super) fn write_peer(msg: &PeerMsg, packet: &mut [u8]) -> Option<usize> {
    let (options, src, dst) = (msg.options.options(), msg.src, msg.dst);
    match &msg.body {
        PeerBody::Bri(m) => write_message(m, options, src, dst, packet),
        PeerBody::Bra(m) => write_message(m, options, src, dst, packet),
        PeerBody::Heartbeat(m) => write_message(m, options, src, dst, packet),
        PeerBody::BindingError(m) => write_message(m, options, src, dst, packet),
    }
}

/// Writes a Binding Error about an unknown MH Type as an IPv6 packet; returns its length in bytes.
pub(super) fn write_binding_error(
    src: Ipv6Addr,
    dst: Ipv6Addr,
    packet: &mut [u8],
) -> Option<usize> {
    // 9.3.3: the address of a Home Address option, or `::`. We accept no such option.
    let home_address = Ipv6Addr::UNSPECIFIED;
    let error = BindingError { status: BindingError::UNKNOWN_MH_TYPE, home_address };
    write_message(&error, Options::default(), src, dst, packet)
}

fn write_message<M: MessageData>(
    message: &M,
    options: Options<'_>,
    src: Ipv6Addr,
    dst: Ipv6Addr,
    packet: &mut [u8],
) -> Option<usize> {
    let (front, back) = packet.split_at_mut_checked(ipv6::HEADER_LEN)?;
    let len = message.emit(options, src, dst, back).ok()?;
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

/// Writes a Parameter Problem about `invoking` as an IPv6 packet; returns its length in bytes.
pub(super) fn write_parameter_problem(
    src: Ipv6Addr,
    dst: Ipv6Addr,
    pointer: u32,
    invoking: &[u8],
    packet: &mut [u8],
) -> Option<usize> {
    let quoted = invoking.len().min(icmpv6::ERROR_MAX_LEN - icmpv6::ERROR_HEADER_LEN);
    let len = icmpv6::ERROR_HEADER_LEN + quoted;
    let packet = packet.get_mut(..len)?;
    packet.get_mut(icmpv6::ERROR_HEADER_LEN..)?.copy_from_slice(invoking.get(..quoted)?);
    ErrorMessage::ErroneousField(pointer).emit(src, dst, HOP_LIMIT, packet).ok()?;
    Some(len)
}

const HOP_LIMIT: u8 = 64;
/// Network control, CS6 (RFC 4594 3.2).
const TRAFFIC_CLASS: u8 = 48 << 2;
