//! The tunnel of a dual-stack node of Mobile IPv4 is a link of IPv6 (RFC 5454 section 3.6), and our
//! end of it has a link-local address: our IPv4 address behind zeros (RFC 4213 section 3.7). Who
//! asks whether it is reachable is answered (section 3.8), and so are echo requests. Nothing else
//! that is of the link gets further: it is dropped for its source or its destination.
//!
//! ```text
//!   IPv4, node -> us | [GRE, or UDP and Tunnel Data] | IPv6, hop limit 255 | solicitation
//!   IPv4, us -> node | the same, ports turned round  | IPv6, hop limit 255 | advertisement
//! ```
//!
//! The answer is made in place, and goes back in the headers that the question came in: whichever
//! worker has it needs nothing of the node but that there is one at the other end.

use super::burst::Lane;
use super::checksum::{sum_of, value};
use super::classify::Via;
use super::echo;
use super::fib::Route;
use super::handoff::Origin;
use super::header::{ETHER_LEN, IPV4_LEN, IPV6_LEN, Ip, Ipv6, is_multicast};
use super::tunnel::{HOP_LIMIT, TRANSPORT};
use crate::nic::Frame;
use crate::wire::icmpv6::NEXT_HEADER;
use crate::wire::icmpv6::ndp::{self, Envelope, solicited_node};
use crate::wire::icmpv6::ndp::{NeighborAdvertisement, NeighborSolicitation};
use crate::wire::mip4::TunnelData;
use crate::wire::{gre, udp};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Of an advertisement without options, which no solicitation is shorter than.
const ADVERTISEMENT_LEN: usize = 24;
/// All nodes of a link (RFC 4291 section 2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

impl<F: Frame> Lane<F> {
    /// Turns a question to our end of a node's tunnel into its answer, which is a packet of ours
    /// without an Ethernet header; `false`, and no change: it is none. The inner packet begins
    /// `inner_at` bytes into the tunnel packet, behind `via`.
    #[cold]
    pub(super) fn answer_on_link(
        &mut self,
        frame: &mut F,
        inner_at: usize,
        via: Via,
        origin: Origin,
    ) -> bool {
        let Some(own) = self.lma_ipv4.map(link_local) else { return false };
        let is_node = Ip::of_frame(frame.data())
            .is_some_and(|outer| self.is_node_end(Ipv6Addr::from_bits(outer.src()), origin));
        let is_whole = frame.data().len() == frame.frame_len();
        let is_plain = plain_len(via) == Some(inner_at) && is_whole;
        let inner = frame.data_mut().get_mut(ETHER_LEN + inner_at..).filter(|_| is_plain);
        let Some(len) = inner.filter(|_| is_node).and_then(|inner| answer(inner, own)) else {
            return false;
        };
        let identification = self.identification;
        self.identification = self.identification.wrapping_add(self.steering.workers());
        // What is left behind a shorter answer belongs to the question.
        frame.truncate(ETHER_LEN + inner_at + len)
            && turn_round(frame.data_mut(), via, identification)
    }

    /// Whether a tunnel of Mobile IPv4 ends there. One inside of another is believed out of its
    /// node's own tunnel alone.
    fn is_node_end(&self, end: Ipv6Addr, origin: Origin) -> bool {
        let is_nested = matches!(self.fib.lookup(TRANSPORT, end.to_bits()), Route::Anchored);
        self.node_ends.ends.contains(&end) && is_nested == (origin == Origin::Inner)
    }
}

/// Our end's address, by our IPv4 address.
fn link_local(ipv4: Ipv4Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits(0xfe80 << 112 | u128::from(ipv4.to_bits()))
}

/// How many bytes stand before the inner packet if no header has optional fields; `None`: nodes
/// have no such tunnels.
const fn plain_len(via: Via) -> Option<usize> {
    match via {
        Via::Ip => Some(IPV4_LEN),
        Via::Gre(None) => Some(IPV4_LEN + gre::HEADER_LEN),
        Via::Mip4Udp(_) => Some(IPV4_LEN + udp::HEADER_LEN + TunnelData::LEN),
        Via::Gre(Some(_)) | Via::Udp(_) | Via::UdpGre(..) => None,
    }
}

/// Turns a question to `own` into its answer; returns the answer's length in bytes.
fn answer(packet: &mut [u8], own: Ipv6Addr) -> Option<usize> {
    let ip = Ipv6::of(packet).filter(|ip| ip.version() == 6)?;
    let [src, dst] = [ip.src(), ip.dst()].map(Ipv6Addr::from_bits);
    let (next_header, hop_limit, len) = (ip.next_header(), packet[7], ip.packet_len());
    let message = packet.get(IPV6_LEN..len).filter(|_| next_header == NEXT_HEADER)?;
    if is_multicast(src.to_bits()) || src.is_loopback() {
        return None;
    }
    if let Ok(solicitation) = NeighborSolicitation::parse(message, Envelope { src, dst, hop_limit })
        && solicitation.target == own
        && (dst == own || dst == solicited_node(own))
    {
        return advertise(packet, own, src);
    }
    let is_request = dst == own && !src.is_unspecified() && echo::answer_ipv6(packet);
    is_request.then_some(len)
}

/// Writes an advertisement of `own` to who solicited it, or to all nodes if that has no address.
/// There are no link-layer addresses (RFC 4213 section 3.8), so nothing is overridden (RFC 4861
/// section 7.2.4).
fn advertise(packet: &mut [u8], own: Ipv6Addr, to: Ipv6Addr) -> Option<usize> {
    let solicited = !to.is_unspecified();
    let dst = if solicited { to } else { ALL_NODES };
    let advertisement = NeighborAdvertisement {
        target: own,
        router: true,
        solicited,
        overrides: false,
        target_link_layer: None,
    };
    let (header, message) = packet.split_first_chunk_mut::<IPV6_LEN>()?;
    let len = advertisement.emit(own, dst, message.get_mut(..ADVERTISEMENT_LEN)?).ok()?;
    header[4..6].copy_from_slice(&u16::try_from(len).ok()?.to_be_bytes());
    header[7] = ndp::HOP_LIMIT;
    header[8..24].copy_from_slice(&own.octets());
    header[24..].copy_from_slice(&dst.octets());
    Some(IPV6_LEN + len)
}

/// Makes the tunnel's headers in a frame those of the way back.
fn turn_round(frame: &mut [u8], via: Via, identification: u16) -> bool {
    let Some(packet) = frame.get_mut(ETHER_LEN..) else { return false };
    let Some((ip, rest)) = packet.split_first_chunk_mut::<IPV4_LEN>() else { return false };
    let [len, udp_len] =
        [IPV4_LEN + rest.len(), rest.len()].map(|len| u16::try_from(len).unwrap_or(u16::MAX));
    ip[1] &= !0b11; // what the question met on its way is not the answer's congestion
    ip[2..4].copy_from_slice(&len.to_be_bytes());
    ip[4..6].copy_from_slice(&identification.to_be_bytes());
    ip[6..8].fill(0);
    ip[8] = HOP_LIMIT;
    ip[10..12].fill(0);
    ip[12..].rotate_left(4); // one address for the other
    let checksum = value(sum_of(ip)).to_be_bytes();
    ip[10..12].copy_from_slice(&checksum);
    if let (Via::Mip4Udp(_), Some(udp)) = (via, rest.first_chunk_mut::<{ udp::HEADER_LEN }>()) {
        udp[..4].rotate_left(2);
        udp[4..6].copy_from_slice(&udp_len.to_be_bytes());
        udp[6..].fill(0); // as of all tunnel packets
    }
    true
}
