//! The headers between the Ethernet header and a node's packet, by kind: each kind has loops of its
//! own, for which all is constant that does not differ from packet to packet.
//!
//! ```text
//!   prepared with the tunnel (TunnelSlot)              a packet
//!   Ethernet, IPv6 addresses                           the eight bytes before these
//!   Ethernet, IPv4 with its sum so far, UDP ports      TOS, length, identification, DF, sum
//!                                                      GRE's eight bytes; lengths of UDP and TLV;
//!                                                      the MIP Tunnel Data header
//! ```

use super::super::encap::overhead;
use super::super::header::{
    ETHER_LEN, Family, IPV4_LEN, IPV6_LEN, Ipv6Start, PAYLOAD_LEN_SHIFT, protocol,
};
use super::super::tunnel::{HEAD_LEN, HOP_LIMIT, Shape, TunnelSlot, UDP_AT};
use crate::wire::mip4::TunnelData;
use crate::wire::{gre, tlv, udp};

/// A kind of headers.
pub(super) trait Headers {
    const SHAPE: Shape;
    /// Whether there is a GRE key.
    const HAS_KEY: bool = false;
    /// Their bytes.
    const LEN: usize = overhead(Self::SHAPE, false, Self::HAS_KEY);
    /// Those of the first one.
    const IP_LEN: usize = match Self::SHAPE.family() {
        Family::Ipv6 => IPV6_LEN,
        Family::Ipv4 => IPV4_LEN,
    };
}

pub(super) struct InIpv6;
pub(super) struct InIpv6Gre<const KEY: bool>;
pub(super) struct InIpv4;
pub(super) struct InIpv4Gre<const KEY: bool>;
pub(super) struct InUdp;
pub(super) struct InUdpGre<const KEY: bool>;
pub(super) struct InMip4Udp;

impl Headers for InIpv6 {
    const SHAPE: Shape = Shape::Ipv6;
}

impl<const KEY: bool> Headers for InIpv6Gre<KEY> {
    const SHAPE: Shape = Shape::Ipv6Gre;
    const HAS_KEY: bool = KEY;
}

impl Headers for InIpv4 {
    const SHAPE: Shape = Shape::Ipv4;
}

impl<const KEY: bool> Headers for InIpv4Gre<KEY> {
    const SHAPE: Shape = Shape::Ipv4Gre;
    const HAS_KEY: bool = KEY;
}

impl Headers for InUdp {
    const SHAPE: Shape = Shape::Ipv4Udp;
}

impl<const KEY: bool> Headers for InUdpGre<KEY> {
    const SHAPE: Shape = Shape::Ipv4UdpGre;
    const HAS_KEY: bool = KEY;
}

impl Headers for InMip4Udp {
    const SHAPE: Shape = Shape::Ipv4Mip4Udp;
}

/// What they say of one packet.
pub(super) struct Said {
    pub(super) inner: Family,
    /// As in a tunnel of IPv6 with nothing between.
    pub(super) start: Ipv6Start,
    /// Of the tunnel packet; its fields have room for that.
    pub(super) len: usize,
    /// Of IPv4: it, and the word of the fragment's flags and offset.
    pub(super) identification: u16,
    pub(super) fragment: u16,
    pub(super) key: u32,
}

/// Writes them to the front of a frame: bytes as those of [`super::super::encap::encapsulate`].
#[inline(always)]
#[allow(clippy::cast_possible_truncation)] // lengths fit
pub(super) fn write<H: Headers, const FRONT: usize>(
    front: &mut [u8; FRONT],
    tunnel: &TunnelSlot,
    said: &Said,
) {
    match H::SHAPE.family() {
        Family::Ipv6 => {
            front[..HEAD_LEN].copy_from_slice(&tunnel.head);
            let Ipv6Start(mut start) = said.start;
            if H::SHAPE.has_gre() {
                let behind = ((H::LEN - IPV6_LEN) as u64) << PAYLOAD_LEN_SHIFT;
                start = (start & !NEXT_HEADER | GRE_NEXT) + behind;
            }
            front[ETHER_LEN..ETHER_LEN + 8].copy_from_slice(&start.to_be_bytes());
        }
        Family::Ipv4 => write_ipv4::<H, FRONT>(front, tunnel, said),
    }
    if !H::SHAPE.has_gre() {
        return;
    }
    let ether_type = u64::from(u16::from_be_bytes(said.inner.ether_type()));
    if H::HAS_KEY {
        let header = KEY_PRESENT << 48 | ether_type << 32 | u64::from(said.key);
        front[ETHER_LEN + H::LEN - 8..ETHER_LEN + H::LEN].copy_from_slice(&header.to_be_bytes());
    } else {
        let at = ETHER_LEN + H::LEN - gre::HEADER_LEN;
        front[at..ETHER_LEN + H::LEN].copy_from_slice(&(ether_type as u32).to_be_bytes());
    }
}

#[inline(always)]
#[allow(clippy::cast_possible_truncation)] // lengths fit
fn write_ipv4<H: Headers, const FRONT: usize>(
    front: &mut [u8; FRONT],
    tunnel: &TunnelSlot,
    said: &Said,
) {
    let prepared = match H::SHAPE {
        Shape::Ipv4Udp | Shape::Ipv4UdpGre | Shape::Ipv4Mip4Udp => UDP_AT + udp::HEADER_LEN,
        _ => UDP_AT,
    };
    front[..prepared].copy_from_slice(&tunnel.head[..prepared]);
    let traffic_class = said.start.traffic_class();
    let len = said.len as u16;
    let begin = 0x45 << 56
        | u64::from(traffic_class) << 48
        | u64::from(len) << 32
        | u64::from(said.identification) << 16
        | u64::from(said.fragment);
    front[ETHER_LEN..ETHER_LEN + 8].copy_from_slice(&begin.to_be_bytes());
    // Unless it stands in the head.
    let number = if let Shape::Ipv4 = H::SHAPE { said.start.next_header() } else { 0 };
    // All of this was zero in the head: it is added to the head's own sum (RFC 1071 2 (4)).
    let head_sum = !u16::from_be_bytes([tunnel.head[24], tunnel.head[25]]);
    let added = [traffic_class.into(), len, said.identification, said.fragment, number.into()];
    let sum = added.iter().fold(u32::from(head_sum), |sum, word| sum + u32::from(*word));
    let sum = (sum & 0xffff) + (sum >> 16); // of six words: at most five above 0xffff
    let sum = !((sum + (sum >> 16)) as u16);
    let prepared_number = match H::SHAPE {
        Shape::Ipv4Gre => protocol::GRE,
        Shape::Ipv4Udp | Shape::Ipv4UdpGre | Shape::Ipv4Mip4Udp => protocol::UDP,
        Shape::Ipv4 | Shape::Ipv6 | Shape::Ipv6Gre => number,
    };
    let [high, low] = sum.to_be_bytes();
    front[22..26].copy_from_slice(&[HOP_LIMIT, prepared_number, high, low]);
    if prepared > UDP_AT {
        // Without a checksum, as encap/ipv4.rs says.
        let len = len - IPV4_LEN as u16;
        front[UDP_AT + 4..UDP_AT + 6].copy_from_slice(&len.to_be_bytes());
        if H::SHAPE.has_gre() {
            let [high, low] = (len - (udp::HEADER_LEN + tlv::HEADER_LEN) as u16).to_be_bytes();
            let tlv_at = UDP_AT + udp::HEADER_LEN;
            front[tlv_at..tlv_at + 4].copy_from_slice(&[0, protocol::GRE, high, low]);
        }
        if let Shape::Ipv4Mip4Udp = H::SHAPE {
            let at = UDP_AT + udp::HEADER_LEN;
            let header = [TunnelData::TYPE, said.inner.protocol(), 0, 0];
            front[at..at + TunnelData::LEN].copy_from_slice(&header);
        }
    }
}

const NEXT_HEADER: u64 = 0xff00;
const GRE_NEXT: u64 = (protocol::GRE as u64) << 8;
const KEY_PRESENT: u64 = 0x2000;
