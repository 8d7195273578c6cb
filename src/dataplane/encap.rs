//! IPv6 in IPv6 encapsulation (RFC 2473 sections 3.1, 4.1.1, 5.1 and 6).

use super::hash::{high, low, mix};
use super::header::{ETHER_LEN, IPV6_LEN, Ipv6, protocol};
use super::mtu::overhead;
use super::tunnel::HEAD_LEN;
use crate::nic::Frame;
use crate::wire::ipv6::find_upper_layer;

/// What a tunnel header says about the packet behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outer {
    /// Copied from the packet: DSCP (RFC 2983, uniform model) and ECN (RFC 6040 4.1, normal mode).
    pub(super) traffic_class: u8,
    /// The same for all packets of a flow, so that routers can balance (RFC 6438).
    pub(super) flow_label: u32,
    /// The limit to announce, if the packet came with one.
    pub(super) encap_limit: Option<u8>,
}

/// A Tunnel Encapsulation Limit found in a packet: its value and the value's offset in the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EncapLimit {
    pub(super) value: u8,
    pub(super) at: usize,
}

/// Replaces the Ethernet header of `frame` by `head`, which is one and a tunnel header. `false`,
/// and no change, if the buffer has no room in front or the packet is too long for a length field.
#[must_use]
pub(super) fn encapsulate<F: Frame>(frame: &mut F, head: &[u8; HEAD_LEN], outer: Outer) -> bool {
    let overhead = overhead(outer.encap_limit.is_some());
    let payload = frame.frame_len() - ETHER_LEN + overhead - IPV6_LEN;
    let Ok(payload) = u16::try_from(payload) else { return false };
    if !frame.prepend(overhead) {
        return false;
    }
    let bytes = frame.data_mut();
    let Some((front, rest)) = bytes.split_first_chunk_mut::<HEAD_LEN>() else { return false };
    *front = *head;
    let word = 6 << 28 | u32::from(outer.traffic_class) << 20 | outer.flow_label;
    front[14..18].copy_from_slice(&word.to_be_bytes());
    front[18..20].copy_from_slice(&payload.to_be_bytes());
    if let (Some(limit), Some(options)) = (outer.encap_limit, rest.first_chunk_mut::<8>()) {
        front[20] = protocol::DESTINATION;
        // Next header, 8 bytes, Tunnel Encapsulation Limit (4) of one byte, PadN (1) of one byte.
        *options = [protocol::IPV6, 0, 4, 1, limit, 1, 1, 0];
    }
    true
}

/// The packet's Tunnel Encapsulation Limit (RFC 2473 section 4.1.1 (a)). A chain that cannot be
/// walked has none (iv).
pub(super) fn encap_limit(packet: &[u8], ip: Ipv6<'_>) -> Option<EncapLimit> {
    match ip.next_header() {
        protocol::HOP_BY_HOP | protocol::DESTINATION | protocol::ROUTING | protocol::FRAGMENT => {
            let (value, at) = find_upper_layer(packet).ok()?.encapsulation_limit?;
            Some(EncapLimit { value, at })
        }
        _ => None,
    }
}

/// A flow label for the tunnel header: a hash of the packet's addresses and its own flow label or,
/// without one, its transport ports. Never zero, which would mean "no label" (RFC 6437).
pub(super) fn flow_label(packet: &[u8], ip: Ipv6<'_>) -> u32 {
    let entropy = match (ip.flow_label(), ip.next_header()) {
        (0, protocol::TCP | protocol::UDP | protocol::SCTP) => {
            packet[IPV6_LEN..].first_chunk().map_or(0, |ports| u32::from_be_bytes(*ports))
        }
        (label, _) => label,
    };
    let (src, dst) = (ip.src(), ip.dst());
    let hash = mix(
        mix(high(src), low(src)) ^ u64::from(entropy),
        mix(high(dst), low(dst)) ^ u64::from(ip.next_header()),
    );
    // The upper 20 bits: a label's width.
    ((hash >> 44) as u32).max(1)
}
