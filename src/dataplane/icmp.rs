//! ICMP errors (RFC 4443, RFC 792): made in place out of the packet that they are about,
//! rate-limited. They are spoken of in the terms of ICMPv6, and said to a sender in its own.
//!
//! ```text
//!   | headroom | Ethernet | packet ...          |
//!   | Ethernet | IP | ICMP | packet ... cut so that it all has at most 1280 (IPv4: 576) bytes |
//! ```

mod limit;

use super::header::{ETHER_LEN, Family, Ip};
use super::tunnel::HOP_LIMIT;
use crate::nic::Frame;
use crate::wire::icmpv4;
use crate::wire::icmpv6::{self, ErrorMessage, Unreachable};
use std::net::Ipv6Addr;

pub(super) use limit::ErrorLimit;
#[cfg(test)]
pub(super) use limit::{ERRORS_BURST, ERRORS_BURST_SOURCE};

/// Whether a packet may be answered with this error.
pub(super) fn may_answer(error: ErrorMessage, packet: &[u8]) -> bool {
    match Ip::of(packet).map(Ip::family) {
        Some(Family::Ipv6) => error.may_answer(packet),
        Some(Family::Ipv4) => in_ipv4(error).is_some() && icmpv4::ErrorMessage::may_answer(packet),
        None => false,
    }
}

/// What an IPv4 sender is told instead; `None` where IPv4 has no such thing.
fn in_ipv4(error: ErrorMessage) -> Option<icmpv4::ErrorMessage> {
    use icmpv4::ErrorMessage as E;
    match error {
        ErrorMessage::DestinationUnreachable(code) => Some(E::DestinationUnreachable(match code {
            Unreachable::NoRoute => icmpv4::Unreachable::Net,
            Unreachable::Prohibited => icmpv4::Unreachable::Prohibited,
            Unreachable::Address => icmpv4::Unreachable::Host,
        })),
        ErrorMessage::PacketTooBig(mtu) => {
            Some(E::FragmentationNeeded(u16::try_from(mtu).unwrap_or(u16::MAX)))
        }
        ErrorMessage::HopLimitExceeded => Some(E::TimeExceeded),
        ErrorMessage::ErroneousField(_) | ErrorMessage::UnrecognizedOption(_) => None,
    }
}

/// Turns a frame with a packet into one with an error about it, to the packet's sender; `source` is
/// of the packet's family. The Ethernet header is left undefined. `false`: the buffer does not
/// allow it, and the frame is of no use.
#[must_use]
pub(super) fn rewrite<F: Frame>(frame: &mut F, error: ErrorMessage, source: Ipv6Addr) -> bool {
    let Some(ip) = Ip::of_frame(frame.data()) else { return false };
    let (family, target) = (ip.family(), Ipv6Addr::from_bits(ip.src()));
    if frame.data().len() != frame.frame_len() {
        return false; // the checksum needs all bytes in one buffer
    }
    let (header_len, len_max) = match family {
        Family::Ipv6 => (icmpv6::ERROR_HEADER_LEN, icmpv6::ERROR_MAX_LEN),
        Family::Ipv4 => (icmpv4::ERROR_HEADER_LEN, icmpv4::ERROR_MAX_LEN),
    };
    let quoted = frame.frame_len().min(ETHER_LEN + len_max - header_len);
    if !frame.truncate(quoted) || !frame.prepend(header_len) {
        return false;
    }
    let packet = frame.data_mut().get_mut(ETHER_LEN..).unwrap_or_default();
    match (in_ipv4(error), source.to_ipv4_mapped(), target.to_ipv4_mapped()) {
        (Some(error), Some(source), Some(target)) => {
            error.emit(source, target, HOP_LIMIT, packet).is_ok()
        }
        _ => error.emit(source, target, HOP_LIMIT, packet).is_ok(),
    }
}
