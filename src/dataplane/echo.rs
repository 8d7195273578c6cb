//! Echo requests of nodes to the anchor: the keepalive of a tunnel (RFC 3519 section 4.9). The
//! answer is made in place and takes the tunnel back.

use super::checksum::{sum_of, updated, value};
use super::header::{ETHER_LEN, IPV4_LEN, IPV6_LEN, Ipv4};
use super::tunnel::HOP_LIMIT;
use crate::nic::Frame;
use crate::wire::{icmpv4, icmpv6};
use std::net::Ipv4Addr;

/// Type and code of the messages (RFC 4443 section 4, RFC 792).
const REQUEST: u16 = 128 << 8;
const REPLY: u16 = 129 << 8;
const REQUEST_IPV4: u16 = 8 << 8;
const REPLY_IPV4: u16 = 0;
/// Bytes of an echo message without data.
const ICMP_LEN: usize = 8;

/// Turns a whole echo request right behind an IP header into its reply; `false`, and no change: it
/// is none.
#[must_use]
pub(super) fn answer<F: Frame>(frame: &mut F) -> bool {
    let packet = frame.data_mut().get_mut(ETHER_LEN..).unwrap_or_default();
    match packet.first().map(|first| first >> 4) {
        Some(6) => answer_ipv6(packet),
        Some(4) => answer_ipv4(packet),
        _ => false,
    }
}

/// Whether an IPv4 packet is an echo request to this address.
#[must_use]
pub(super) fn is_request(packet: &[u8], to: Ipv4Addr) -> bool {
    let Some(ip) = Ipv4::of(packet).filter(|ip| !ip.is_fragment()) else { return false };
    let kind = packet.get(ip.header_len()..).and_then(<[u8]>::first_chunk);
    ip.protocol() == icmpv4::PROTOCOL
        && ip.dst() == to.to_ipv6_mapped().to_bits()
        && kind == Some(&REQUEST_IPV4.to_be_bytes())
}

/// The same of IPv6, of the packet alone.
#[must_use]
pub(super) fn answer_ipv6(packet: &mut [u8]) -> bool {
    let Some(headers) = packet.first_chunk_mut::<{ IPV6_LEN + ICMP_LEN }>() else { return false };
    let (ip, icmp) = headers.split_at_mut(IPV6_LEN);
    if ip[6] != icmpv6::NEXT_HEADER || !retype(icmp, REQUEST, REPLY) {
        return false;
    }
    ip[7] = HOP_LIMIT;
    ip[8..].rotate_left(16); // one address for the other
    true
}

fn answer_ipv4(packet: &mut [u8]) -> bool {
    let is_part = Ipv4::of(packet).is_none_or(Ipv4::is_fragment);
    let Some(headers) = packet.first_chunk_mut::<{ IPV4_LEN + ICMP_LEN }>() else { return false };
    let (ip, icmp) = headers.split_at_mut(IPV4_LEN);
    let has_options = ip[0] != 0x45;
    if has_options || is_part || ip[9] != icmpv4::PROTOCOL {
        return false;
    }
    if !retype(icmp, REQUEST_IPV4, REPLY_IPV4) {
        return false;
    }
    ip[8] = HOP_LIMIT;
    ip[10..12].fill(0);
    ip[12..].rotate_left(4);
    let checksum = value(sum_of(ip)).to_be_bytes();
    ip[10..12].copy_from_slice(&checksum);
    true
}

/// Makes an ICMP message of one type and code that of another; `false`: it is of neither.
fn retype(icmp: &mut [u8], from: u16, to: u16) -> bool {
    if icmp[..2] != from.to_be_bytes() {
        return false;
    }
    let checksum = updated(u16::from_be_bytes([icmp[2], icmp[3]]), from, to).to_be_bytes();
    icmp[..2].copy_from_slice(&to.to_be_bytes());
    icmp[2..4].copy_from_slice(&checksum);
    true
}
