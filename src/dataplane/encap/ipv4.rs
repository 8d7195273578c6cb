//! In IPv4, in UDP over IPv4 (RFC 4213 section 3.5, RFC 2003 section 3.1, RFC 5844 section
//! 4.1.4.1, RFC 5845 section 7); of Mobile IPv4 (RFC 3519 section 3.3).

use super::super::checksum::value;
use super::super::header::{IPV4_LEN, protocol};
use super::super::tunnel::{Shape, TunnelSlot, UDP_AT};
use super::{Outer, field, write_gre};
use crate::wire::mip4::TunnelData;
use crate::wire::{tlv, udp};

const DONT_FRAGMENT: u16 = 0x4000;

/// Writes the headers of a tunnel packet of `packet_len` bytes to the front of `bytes`. `false` if
/// there is no room, which the caller has made.
#[inline]
pub(super) fn write(
    bytes: &mut [u8],
    tunnel: &TunnelSlot,
    outer: Outer,
    packet_len: usize,
) -> bool {
    let Some((front, rest)) = bytes.split_first_chunk_mut::<UDP_AT>() else { return false };
    let Some(head) = tunnel.head.first_chunk() else { return false };
    *front = *head;
    // What is behind the header, unless it stands in the head.
    let number = if tunnel.shape == Shape::Ipv4 { outer.inner.protocol() } else { 0 };
    let fragment = if outer.dont_fragment { DONT_FRAGMENT } else { 0 };
    let len = field(packet_len);
    front[15] = outer.traffic_class;
    front[16..18].copy_from_slice(&len.to_be_bytes());
    front[18..20].copy_from_slice(&outer.identification.to_be_bytes());
    front[20..22].copy_from_slice(&fragment.to_be_bytes());
    front[23] |= number;
    // All of this was zero in the head: it is added to the head's own sum (RFC 1071 2 (4)).
    let head_sum = !u16::from_be_bytes([front[24], front[25]]);
    let added = [outer.traffic_class.into(), len, outer.identification, fragment, number.into()];
    let sum = added.iter().fold(u64::from(head_sum), |sum, word| sum + u64::from(*word));
    front[24..26].copy_from_slice(&value(sum).to_be_bytes());
    match tunnel.shape {
        Shape::Ipv4Gre => write_gre(rest, outer.inner, outer.key),
        Shape::Ipv4Udp | Shape::Ipv4UdpGre | Shape::Ipv4Mip4Udp => {
            write_udp(rest, tunnel, outer, packet_len - IPV4_LEN);
        }
        Shape::Ipv4 | Shape::Ipv6 | Shape::Ipv6Gre => {}
    }
    true
}

/// A datagram of `len` bytes without a checksum, which it may lack over IPv4 (RFC 768) and which
/// would cost a pass over all of the packet; what is inside has its own. Before GRE stands the
/// TLV-header, before a packet of Mobile IPv4 the MIP Tunnel Data header.
fn write_udp(bytes: &mut [u8], tunnel: &TunnelSlot, outer: Outer, len: usize) {
    let Some((header, rest)) = bytes.split_first_chunk_mut::<{ udp::HEADER_LEN }>() else { return };
    header[..4].copy_from_slice(&tunnel.head[UDP_AT..UDP_AT + 4]);
    header[4..6].copy_from_slice(&field(len).to_be_bytes());
    header[6..].copy_from_slice(&[0, 0]);
    match (tunnel.shape, rest.first_chunk_mut()) {
        (Shape::Ipv4UdpGre, _) => {}
        (Shape::Ipv4Mip4Udp, Some(header)) => {
            *header = [TunnelData::TYPE, outer.inner.protocol(), 0, 0];
            return;
        }
        _ => return,
    }
    let Some((header, rest)) = rest.split_first_chunk_mut::<{ tlv::HEADER_LEN }>() else { return };
    let [high, low] = field(len - udp::HEADER_LEN - tlv::HEADER_LEN).to_be_bytes();
    *header = [0, protocol::GRE, high, low];
    write_gre(rest, outer.inner, outer.key);
}
