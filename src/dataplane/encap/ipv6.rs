//! In IPv6 (RFC 2473 sections 3.1, 4.1.1, 5.1 and 6).

use super::super::header::{ETHER_LEN, IPV6_LEN, Ipv6Start, protocol};
use super::super::tunnel::{HEAD_LEN, HOP_LIMIT, TunnelSlot};
use super::{Outer, field, write_gre};

/// Writes the headers of a tunnel packet of `packet_len` bytes to the front of `bytes`. `false` if
/// there is no room, which the caller has made.
#[inline]
pub(super) fn write(
    bytes: &mut [u8],
    tunnel: &TunnelSlot,
    outer: Outer,
    packet_len: usize,
) -> bool {
    let Some((head, rest)) = bytes.split_first_chunk_mut::<HEAD_LEN>() else { return false };
    *head = tunnel.head;
    let has_gre = tunnel.shape.has_gre();
    let carried = if has_gre { protocol::GRE } else { outer.inner.protocol() };
    let (mut next, mut at) = (carried, 0);
    if let (Some(limit), Some(options)) = (outer.encap_limit, rest.first_chunk_mut::<8>()) {
        next = protocol::DESTINATION;
        // Next header, 8 bytes, Tunnel Encapsulation Limit (4) of one byte, PadN (1) of one byte.
        *options = [carried, 0, 4, 1, limit, 1, 1, 0];
        at = options.len();
    }
    let payload_len = field(packet_len - IPV6_LEN);
    let Outer { traffic_class, flow_label, .. } = outer;
    let Ipv6Start(start) = Ipv6Start::new(traffic_class, flow_label, payload_len, next, HOP_LIMIT);
    head[ETHER_LEN..ETHER_LEN + 8].copy_from_slice(&start.to_be_bytes());
    if has_gre {
        write_gre(rest.get_mut(at..).unwrap_or_default(), outer.inner, outer.key);
    }
    true
}
