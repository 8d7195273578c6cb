//! Encapsulation: what stands before a node's packet on its way to the gateway.
//!
//! ```text
//!   IPv6 | [limit] | [GRE] | packet       RFC 2473; RFC 2784 and 2890
//!   IPv4 | [GRE] | packet                 RFC 4213 section 3, RFC 2003
//!   IPv4 | UDP | [TLV | GRE] | packet     RFC 5844 section 4.1.4.1, RFC 5845 section 7.1
//! ```

mod ipv4;
mod ipv6;

use super::hash::{high, low, mix};
use super::header::{ETHER_LEN, Family, IPV4_LEN, IPV6_LEN, Ip, Ipv6, protocol};
use super::tunnel::{Shape, TunnelSlot};
use crate::nic::Frame;
use crate::wire::ipv6::find_upper_layer;
use crate::wire::{gre, tlv, udp};

/// What a tunnel header says about the packet behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outer {
    /// The packet's family.
    pub(super) inner: Family,
    /// DSCP and ECN, as the packet's are and the operator wants them ([`super::marking`]).
    pub(super) traffic_class: u8,
    /// The same for all packets of a flow, so that routers can balance (RFC 6438); of IPv6.
    pub(super) flow_label: u32,
    /// The limit to announce, if the packet came with one; of IPv6.
    pub(super) encap_limit: Option<u8>,
    /// Whether routers may not fragment the tunnel packet; of IPv4.
    pub(super) dont_fragment: bool,
    /// Names the fragments of a tunnel packet (RFC 6864); of IPv4.
    pub(super) identification: u16,
    /// The GRE key.
    pub(super) key: Option<u32>,
}

/// A Tunnel Encapsulation Limit found in a packet: its value and the value's offset in the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EncapLimit {
    pub(super) value: u8,
    pub(super) at: usize,
}

/// The same as [`encapsulate`] for a tunnel of nothing but IPv6, and a packet of `len` bytes that
/// fits it.
#[must_use]
#[inline]
pub(super) fn encapsulate_ipv6<F: Frame>(
    frame: &mut F,
    tunnel: &TunnelSlot,
    outer: Outer,
    len: usize,
) -> bool {
    frame.prepend(IPV6_LEN)
        && ipv6::write(frame.data_mut(), tunnel, Shape::Ipv6, outer, len + IPV6_LEN)
}

/// Replaces the Ethernet header of `frame` by the tunnel's and its headers. `false`, and no change,
/// if the buffer has no room in front or the packet is too long for a length field.
#[must_use]
pub(super) fn encapsulate<F: Frame>(frame: &mut F, tunnel: &TunnelSlot, outer: Outer) -> bool {
    let overhead = overhead(tunnel.shape, outer.encap_limit.is_some(), outer.key.is_some());
    let packet_len = frame.frame_len() - ETHER_LEN + overhead;
    if packet_len > usize::from(u16::MAX) || !frame.prepend(overhead) {
        return false;
    }
    let bytes = frame.data_mut();
    match tunnel.shape.family() {
        Family::Ipv6 => ipv6::write(bytes, tunnel, tunnel.shape, outer, packet_len),
        Family::Ipv4 => ipv4::write(bytes, tunnel, outer, packet_len),
    }
}

/// Bytes that stand before a packet in a tunnel, with a Destination Options header of eight bytes
/// if the packet carries an encapsulation limit that must be handed on, with a GRE key or without.
#[inline]
pub(super) const fn overhead(shape: Shape, with_limit: bool, with_key: bool) -> usize {
    let key = if with_key { 4 } else { 0 };
    let limit = if with_limit { 8 } else { 0 };
    match shape {
        Shape::Ipv6 => IPV6_LEN + limit,
        Shape::Ipv6Gre => IPV6_LEN + limit + gre::HEADER_LEN + key,
        Shape::Ipv4 => IPV4_LEN,
        Shape::Ipv4Gre => IPV4_LEN + gre::HEADER_LEN + key,
        Shape::Ipv4Udp => IPV4_LEN + udp::HEADER_LEN,
        Shape::Ipv4UdpGre => IPV4_LEN + udp::HEADER_LEN + tlv::HEADER_LEN + gre::HEADER_LEN + key,
    }
}

/// A length as a field holds it; it has been seen to fit.
#[inline]
fn field(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

/// Writes a GRE header without checksum (RFC 2784 section 2.1, RFC 2890 section 2) to the front of
/// `bytes`, which has room.
#[inline]
fn write_gre(bytes: &mut [u8], inner: Family, key: Option<u32>) {
    let [high, low] = inner.ether_type();
    let flags = if key.is_some() { KEY_PRESENT } else { 0 };
    if let Some(header) = bytes.first_chunk_mut() {
        *header = [flags, 0, high, low];
    }
    let field = bytes.get_mut(gre::HEADER_LEN..).and_then(<[u8]>::first_chunk_mut);
    if let (Some(key), Some(field)) = (key, field) {
        *field = key.to_be_bytes();
    }
}

/// In the first byte of a GRE header.
const KEY_PRESENT: u8 = 0x20;

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
#[inline]
pub(super) fn flow_label(packet: &[u8], ip: Ip<'_>) -> u32 {
    let ports = |at: usize| {
        packet.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |p| u32::from_be_bytes(*p))
    };
    let (number, entropy) = match ip {
        Ip::V6(ip) => match (ip.flow_label(), ip.next_header()) {
            (0, n @ (protocol::TCP | protocol::UDP | protocol::SCTP)) => (n, ports(IPV6_LEN)),
            (label, n) => (n, label),
        },
        // Fragments of a packet have no ports in common.
        Ip::V4(ip) => match ip.protocol() {
            n @ (protocol::TCP | protocol::UDP | protocol::SCTP) if !ip.is_fragment() => {
                (n, ports(ip.header_len()))
            }
            n => (n, 0),
        },
    };
    let [src, dst] = [ip.src(), ip.dst()].map(|a| low(a) ^ high(a).rotate_left(32));
    let hash = mix(src.wrapping_add(u64::from(entropy) << 16), dst ^ u64::from(number));
    let label = low(u128::from(hash >> 44));
    u32::try_from(label).unwrap_or(1).max(1)
}
