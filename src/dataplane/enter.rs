//! Whether a packet may enter a tunnel, and what the tunnel's headers then say.

use super::drop::DropReason;
use super::encap::{EncapLimit, Outer, encap_limit, flow_label, overhead};
use super::handoff::Origin;
use super::header::{ETHER_LEN, Family, Ip, is_unforwardable};
use super::marking::Marking;
use super::mtu::{Fit, fit, fit_ipv4};
use super::tunnel::{Path, TunnelSlot};
use crate::addr::GreKeys;
use crate::wire::icmpv6::{ErrorMessage, Unreachable};

/// Why a packet goes nowhere, and what its sender is told, in the terms of ICMPv6.
pub(super) struct Refusal(pub(super) DropReason, pub(super) Option<ErrorMessage>);

impl From<DropReason> for Refusal {
    fn from(reason: DropReason) -> Self {
        Self(reason, None)
    }
}

/// The tunnel that the packet may enter, and what its headers then say. Changes nothing, so that an
/// error can quote the packet as it came.
pub(super) fn enter<'t>(
    frame: &[u8],
    frame_len: usize,
    tunnel: Option<&'t TunnelSlot>,
    keys: GreKeys,
    origin: Origin,
    marking: Marking,
) -> Result<(&'t TunnelSlot, Outer), Refusal> {
    let (Some(ip), Some(packet)) = (Ip::of_frame(frame), frame.get(ETHER_LEN..)) else {
        return Err(DropReason::FrameShort.into());
    };
    if is_unforwardable(ip.src()) {
        return Err(DropReason::SourceScope.into());
    }
    if ip.hop_limit() <= 1 && origin.is_forwarded() {
        return Err(Refusal(DropReason::HopLimit, Some(ErrorMessage::HopLimitExceeded)));
    }
    let Some(tunnel) = tunnel.filter(|t| t.path != Path::Unreachable) else {
        // RFC 2473 8.2: to the sender it looks like an address behind us that is not reachable.
        let error = ErrorMessage::DestinationUnreachable(Unreachable::Address);
        return Err(Refusal(DropReason::TunnelUnreachable, Some(error)));
    };
    if tunnel.path == Path::Nested && origin == Origin::Tunnel {
        return Err(DropReason::NestedTunnel.into());
    }
    let in_ipv6 = tunnel.shape.family() == Family::Ipv6;
    let limit = match ip {
        Ip::V6(ip) if in_ipv6 => encap_limit(packet, ip),
        Ip::V6(_) | Ip::V4(_) => None, // RFC 2473 4.1.1 knows tunnels of IPv6 in IPv6 only
    };
    if let Some(EncapLimit { value: 0, at }) = limit {
        // RFC 2473 4.1.1 (b)
        let pointer = u32::try_from(at).unwrap_or(u32::MAX);
        return Err(Refusal(DropReason::EncapLimit, Some(ErrorMessage::ErroneousField(pointer))));
    }
    let key = keys.downlink.filter(|_| tunnel.shape.has_gre());
    let overhead = overhead(tunnel.shape, limit.is_some(), key.is_some());
    let packet_len = frame_len - ETHER_LEN;
    // RFC 4213 3.2.1: with an MTU that is configured, DF is not set for IPv6; RFC 2003 3.1: that
    // of an IPv4 packet is copied.
    let (fit, dont_fragment) = match ip {
        Ip::V6(_) => (fit(packet_len, overhead, tunnel.mtu), false),
        Ip::V4(ip) => {
            let df = ip.dont_fragment();
            (fit_ipv4(packet_len, overhead, tunnel.mtu, df), df)
        }
    };
    match fit {
        // RFC 2473 7.1 (b), 7.2 (b): encapsulated first, then cut.
        Fit::Whole | Fit::Fragment => {}
        // Whom a tunnel packet is from, may cut it: we are.
        Fit::TooBig(_) if origin == Origin::Tunnel && !dont_fragment => {}
        Fit::TooBig(mtu) => {
            return Err(Refusal(DropReason::TunnelMtu, Some(ErrorMessage::PacketTooBig(mtu))));
        }
    }
    let outer = Outer {
        inner: ip.family(),
        traffic_class: marking.outer(ip.traffic_class()),
        flow_label: if in_ipv6 { flow_label(packet, ip) } else { 0 },
        encap_limit: limit.map(|l| l.value - 1), // RFC 2473 4.1.1 (c)
        dont_fragment,
        identification: 0,
        key,
    };
    Ok((tunnel, outer))
}
