//! TCP's Maximum Segment Size (RFC 9293 section 3.7.1), lowered in the SYNs that pass where the
//! operator wants that: then no segment is larger than the tunnel, and nobody depends on ICMP to
//! find it out.
//!
//! A SYN to the node limits what it sends through the tunnel; a SYN of the node, what is sent to
//! it. The checksum is updated, not computed anew (RFC 1624).

use super::checksum::updated;
use super::header::{ETHER_LEN, Family, IPV4_LEN, IPV6_LEN, Ip, Ipv6, protocol};
use crate::nic::Frame;
use crate::wire::ipv6::{MIN_MTU, find_upper_layer};

/// Offsets in a TCP header.
const OFFSET_AT: usize = 12;
const FLAGS_AT: usize = 13;
const CHECKSUM_AT: usize = 16;
const TCP_LEN: usize = 20;

const SYN: u8 = 0b10;

/// Kinds of TCP options.
const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MSS: u8 = 2;

/// Whether the packet in a frame is a SYN: what is cheap to see, before the rest is done.
pub(super) fn is_syn<F: Frame>(frame: &F) -> bool {
    frame.data().get(ETHER_LEN..).is_some_and(|packet| syn_at(packet).is_some())
}

/// Lowers the MSS of a SYN in a frame to what a tunnel with this MTU and so many bytes of headers
/// carries whole. `true`: it was larger.
#[cold]
pub(super) fn clamp<F: Frame>(frame: &mut F, tunnel_mtu: u16, overhead: usize) -> bool {
    let packet = frame.data_mut().get_mut(ETHER_LEN..).unwrap_or_default();
    let room = usize::from(tunnel_mtu).saturating_sub(overhead);
    let packet_max = match Ip::of(packet).map(Ip::family) {
        Some(Family::Ipv6) => room.max(MIN_MTU.into()), // that much always passes
        _ => room,
    };
    lower(packet, packet_max)
}

/// Lowers the MSS of a SYN so that segments with it make packets of `packet_max` bytes at most.
/// `true`: it was larger.
fn lower(packet: &mut [u8], packet_max: usize) -> bool {
    let Some((tcp_at, headers)) = syn_at(packet) else { return false };
    let most = u16::try_from(packet_max.saturating_sub(headers)).unwrap_or(u16::MAX);
    let Some(tcp) = packet.get_mut(tcp_at..) else { return false };
    let Some(at) = mss_at(tcp) else { return false };
    let Some(field) = tcp.get_mut(at..).and_then(<[u8]>::first_chunk_mut) else { return false };
    let old = u16::from_be_bytes(*field);
    if old <= most {
        return false;
    }
    *field = most.to_be_bytes();
    // At an odd offset its bytes stand in two words, the other way round.
    let swap = |word: u16| if at % 2 == 0 { word } else { word.swap_bytes() };
    if let Some(field) = tcp.get_mut(CHECKSUM_AT..).and_then(<[u8]>::first_chunk_mut) {
        let checksum = updated(u16::from_be_bytes(*field), swap(old), swap(most));
        *field = checksum.to_be_bytes();
    }
    true
}

/// Where the TCP header of a SYN begins, and how long IP and TCP headers of the segments will be
/// (RFC 6691: without options). `None` if it is none, or no first fragment.
fn syn_at(packet: &[u8]) -> Option<(usize, usize)> {
    let (tcp_at, headers) = match Ip::of(packet)? {
        Ip::V6(ip) => (tcp_at_ipv6(packet, ip)?, IPV6_LEN + TCP_LEN),
        Ip::V4(ip) if ip.protocol() == protocol::TCP && !ip.is_later_fragment() => {
            (ip.header_len(), IPV4_LEN + TCP_LEN)
        }
        Ip::V4(_) => return None,
    };
    (packet.get(tcp_at + FLAGS_AT)? & SYN != 0).then_some((tcp_at, headers))
}

fn tcp_at_ipv6(packet: &[u8], ip: Ipv6<'_>) -> Option<usize> {
    match ip.next_header() {
        protocol::TCP => Some(IPV6_LEN),
        protocol::HOP_BY_HOP | protocol::ROUTING | protocol::DESTINATION | protocol::FRAGMENT => {
            let upper = find_upper_layer(packet).ok()?;
            (upper.next_header == protocol::TCP).then_some(upper.offset)
        }
        _ => None,
    }
}

/// Where the value of the MSS option stands in a TCP header.
fn mss_at(tcp: &[u8]) -> Option<usize> {
    let end = usize::from(tcp.get(OFFSET_AT)? >> 4) * 4;
    let mut at = TCP_LEN;
    while at < end {
        match *tcp.get(at)? {
            END => return None,
            NO_OPERATION => at += 1,
            kind => {
                let len = usize::from(*tcp.get(at + 1)?);
                if kind == MSS && len == 4 && at + len <= end {
                    return Some(at + 2);
                }
                if len < 2 {
                    return None;
                }
                at += len;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;
