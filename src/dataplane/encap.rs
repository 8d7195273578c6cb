//! Encapsulation: what stands before a node's packet on its way to the gateway.
//!
//! ```text
//!   IPv6 | [limit] | [GRE] | packet       RFC 2473; RFC 2784 and 2890
//!   IPv4 | [GRE] | packet                 RFC 4213 section 3, RFC 2003
//!   IPv4 | UDP | [TLV | GRE] | packet     RFC 5844 section 4.1.4.1, RFC 5845 section 7.1
//!   IPv4 | UDP | Tunnel Data | packet     RFC 3519 section 3.3
//! ```

mod ipv4;
mod ipv6;

use super::hash::{fold_half, high, low};
use super::header::{ETHER_LEN, Family, IPV4_LEN, IPV6_LEN, Ip, Ipv6, protocol};
use super::tunnel::{Shape, TunnelSlot};
use crate::nic::Frame;
use crate::wire::ipv6::find_upper_layer;
use crate::wire::mip4::TunnelData;
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

/// Replaces the Ethernet header of `frame` by the tunnel's and its headers. `false`, and no change,
/// if the buffer has no room in front or the packet is too long for a length field.
#[must_use]
#[inline]
pub(super) fn encapsulate<F: Frame>(frame: &mut F, tunnel: &TunnelSlot, outer: Outer) -> bool {
    let overhead = overhead(tunnel.shape, outer.encap_limit.is_some(), outer.key.is_some());
    let packet_len = frame.frame_len() - ETHER_LEN + overhead;
    if packet_len > usize::from(u16::MAX) || !frame.prepend(overhead) {
        return false;
    }
    let bytes = frame.data_mut();
    match tunnel.shape.family() {
        Family::Ipv6 => ipv6::write(bytes, tunnel, outer, packet_len),
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
        Shape::Ipv4Mip4Udp => IPV4_LEN + udp::HEADER_LEN + TunnelData::LEN,
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
/// without one, its transport ports (RFC 6438 section 3). Never zero, which would mean "no label"
/// (RFC 6437).
pub(super) fn flow_label(packet: &[u8], ip: Ip<'_>) -> u32 {
    let ports = |at: usize| packet.get(at..).and_then(<[u8]>::first_chunk);
    let (number, own, ports) = match ip {
        Ip::V6(ip) => (ip.next_header(), ip.start().flow_label(), ports(IPV6_LEN)),
        // Fragments of a packet have no ports in common.
        Ip::V4(ip) if ip.is_fragment() => (ip.protocol(), 0, None),
        Ip::V4(ip) => (ip.protocol(), 0, ports(ip.header_len())),
    };
    let ports = ports.filter(|_| protocol::has_ports(number)).map_or(0, |p| u32::from_be_bytes(*p));
    flow_label_of(number, own, ip.src(), ip.dst(), ports)
}

/// The same of a packet whose flow label is `own`; without ports these are zero.
#[inline(always)]
#[allow(clippy::inline_always)] // a dozen instructions
#[allow(clippy::cast_possible_truncation)] // 20 bits
pub(super) const fn flow_label_of(number: u8, own: u32, src: u128, dst: u128, ports: u32) -> u32 {
    let rest = if own == 0 { ports } else { own };
    let src = low(src) ^ high(src).rotate_left(32) ^ (rest as u64) << 16;
    let dst = low(dst) ^ high(dst).rotate_left(32) ^ number as u64;
    let label = (fold_half(src, dst) >> 44) as u32;
    if label == 0 { 1 } else { label }
}
