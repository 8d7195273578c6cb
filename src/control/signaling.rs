//! From a frame to what is to be done about it: RFC 6275 section 9.2 and 9.3.3.
//!
//! Pure: the loop counts, limits the rate of what strangers make us say, and sends.

use super::counters::Counter;
use crate::mobility::message::{OwnedOptions, UpdateMsg};
use crate::wire::mh::{self, BuFlags, Message};
use crate::wire::{ErrorKind, ether, ipv6};
use std::net::Ipv6Addr;

/// What a frame on the signaling path asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// A Proxy Binding Update for the pure core.
    Pbu(UpdateMsg),
    /// A Binding Update without the P flag: a mobile node that takes us for a home agent.
    Bu(UpdateMsg),
    /// Nothing, under this counter.
    Discard(Counter),
    /// A Binding Error with status 2 to `to` (9.2, 9.3.3).
    BindingError {
        /// The packet's source.
        to: Ipv6Addr,
        /// The packet's destination.
        from: Ipv6Addr,
    },
    /// An ICMPv6 Parameter Problem, code 0, about the packet (9.2).
    ParameterProblem {
        /// Offset of the offending field in the IPv6 packet, in bytes.
        pointer: u32,
    },
}

/// Reads a frame that was sent to `anchor` with a Mobility Header in it.
pub(super) fn read(frame: &[u8], anchor: Ipv6Addr) -> Signal {
    let malformed = Signal::Discard(Counter::SignalingMalformed);
    let Some(packet) = frame.get(ether::HEADER_LEN..) else { return malformed };
    let Ok(ip) = ipv6::Header::parse(packet) else { return malformed };
    let Ok((next_header, offset)) = ipv6::upper_layer(packet) else { return malformed };
    let end = ipv6::HEADER_LEN + usize::from(ip.payload_len);
    let Some(header) = packet.get(offset..end) else { return malformed };
    // Errors go to the source: it must be one node's (RFC 4443 2.4 (e.6)).
    let one_node = !ip.src.is_multicast() && !ip.src.is_unspecified();
    if next_header != mh::NEXT_HEADER || ip.dst != anchor || !one_node {
        return malformed;
    }
    match Message::parse(header, ip.src, ip.dst) {
        Ok(Message::Bu(update, options)) => {
            let proxy = update.flags.contains(BuFlags::P);
            let options = OwnedOptions::from(options);
            let message = UpdateMsg { src: ip.src, dst: ip.dst, update, options };
            if proxy { Signal::Pbu(message) } else { Signal::Bu(message) }
        }
        Ok(Message::Brr(_) | Message::Ba(..) | Message::Be(..)) => {
            Signal::Discard(Counter::SignalingUnexpected)
        }
        Err(e) => match e.kind {
            ErrorKind::Checksum => Signal::Discard(Counter::SignalingChecksum),
            ErrorKind::UnknownType => Signal::BindingError { to: ip.src, from: ip.dst },
            ErrorKind::PayloadProto | ErrorKind::HeaderLen => match u32::try_from(offset + e.offset)
            {
                Ok(pointer) => Signal::ParameterProblem { pointer },
                Err(_) => malformed,
            },
            ErrorKind::Truncated | ErrorKind::Length | ErrorKind::Value => malformed,
        },
    }
}

#[cfg(test)]
mod tests;
