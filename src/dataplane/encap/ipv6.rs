//! In IPv6 (RFC 2473 sections 3.1, 4.1.1, 5.1 and 6).

use super::super::header::{IPV6_LEN, protocol};
use super::super::tunnel::{HEAD_LEN, Shape, TunnelSlot};
use super::{Outer, field, write_gre};

/// Writes the headers of this shape of a tunnel packet of `packet_len` bytes to the front of
/// `bytes`. `false` if there is no room, which the caller has made.
#[inline(always)]
#[allow(clippy::inline_always)] // as its caller
pub(super) fn write(
    bytes: &mut [u8],
    tunnel: &TunnelSlot,
    shape: Shape,
    outer: Outer,
    packet_len: usize,
) -> bool {
    let Some((front, rest)) = bytes.split_first_chunk_mut::<HEAD_LEN>() else { return false };
    *front = tunnel.head;
    let word = 6 << 28 | u32::from(outer.traffic_class) << 20 | outer.flow_label;
    front[14..18].copy_from_slice(&word.to_be_bytes());
    front[18..20].copy_from_slice(&field(packet_len - IPV6_LEN).to_be_bytes());
    let next = if shape.has_gre() { protocol::GRE } else { outer.inner.protocol() };
    front[20] = next;
    let mut at = 0;
    if let (Some(limit), Some(options)) = (outer.encap_limit, rest.first_chunk_mut::<8>()) {
        front[20] = protocol::DESTINATION;
        // Next header, 8 bytes, Tunnel Encapsulation Limit (4) of one byte, PadN (1) of one byte.
        *options = [next, 0, 4, 1, limit, 1, 1, 0];
        at = options.len();
    }
    if shape.has_gre() {
        write_gre(rest.get_mut(at..).unwrap_or_default(), outer.inner, outer.key);
    }
    true
}
