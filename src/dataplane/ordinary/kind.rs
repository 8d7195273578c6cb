//! Kinds of frames as a port receives them, each read by a loop of its own: plain packets and those
//! in tunnels, of both families inside and outside.

use super::super::burst::Lane;
use super::super::hash::high;
use super::super::header::{
    ETHER_LEN, Family, IPV4_LEN, IPV6_LEN, Ip, Ipv4, Ipv6, PAYLOAD_LEN_SHIFT, TRAFFIC_CLASS_SHIFT,
    ether_type, protocol,
};
use super::super::tunnel::TRANSPORT;
use super::headers::{Headers, InIpv4, InIpv4Gre, InIpv6, InIpv6Gre};
use super::read::{Carried, Entry, Ordinary, Space};
use super::upper::PORTS_LEN;
use super::{Note, Way};
use crate::addr::CustomerId;
use crate::nic::Frame;
use crate::wire::gre;
use std::marker::PhantomData;

/// What a frame looks like at first sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// A packet of this family, not to the anchor's end of tunnels.
    Plain(Family),
    /// One of this family behind so many bytes in a packet to that.
    Tunneled(usize, Family),
}

impl Look {
    /// That of a frame; `None` if it is neither.
    pub(super) fn of(frame: &[u8], entry: &Entry) -> Option<Self> {
        let packet = frame.get(ETHER_LEN..)?;
        let (number, outer_len) = match Ip::of(packet)? {
            Ip::V6(ip) if ip.dst() == entry.lma => (ip.next_header(), IPV6_LEN),
            Ip::V4(ip) if ip.addrs()[1] == entry.lma_ipv4 => (ip.protocol(), IPV4_LEN),
            ip => return Some(Self::Plain(ip.family())),
        };
        let (inner, len) = carried_by(number, packet.get(outer_len..)?)?;
        Some(Self::Tunneled(outer_len + len, inner))
    }
}

impl<F: Frame> Lane<F> {
    /// Reads those that look like this and are ordinary; returns how many that were.
    pub(super) fn read_like(
        &mut self,
        look: Look,
        frames: &[F],
        notes: &mut [Note],
        entry: &Entry,
    ) -> usize {
        const IPV6: usize = InIpv6::LEN;
        const IPV6_KEY: usize = InIpv6Gre::<true>::LEN;
        const IPV4: usize = InIpv4::LEN;
        const IPV4_KEY: usize = InIpv4Gre::<true>::LEN;
        use Family::{Ipv4, Ipv6};
        match look {
            Look::Plain(Ipv6) => self.read_kind::<PlainIpv6>(frames, notes, entry),
            Look::Plain(Ipv4) => self.read_kind::<PlainIpv4>(frames, notes, entry),
            // What of their packets is whose takes a closer look.
            Look::Tunneled(..) if !self.origins.is_empty() => 0,
            Look::Tunneled(IPV6, Ipv6) => self.read_kind::<OfIpv6<InIpv6>>(frames, notes, entry),
            Look::Tunneled(IPV6, Ipv4) => self.read_kind::<OfIpv4<InIpv6>>(frames, notes, entry),
            Look::Tunneled(IPV6_KEY, Ipv6) => {
                self.read_kind::<OfIpv6<InIpv6Gre<true>>>(frames, notes, entry)
            }
            Look::Tunneled(IPV6_KEY, Ipv4) => {
                self.read_kind::<OfIpv4<InIpv6Gre<true>>>(frames, notes, entry)
            }
            Look::Tunneled(IPV4, Ipv6) => self.read_kind::<OfIpv6<InIpv4>>(frames, notes, entry),
            Look::Tunneled(IPV4, Ipv4) => self.read_kind::<OfIpv4<InIpv4>>(frames, notes, entry),
            Look::Tunneled(IPV4_KEY, Ipv6) => {
                self.read_kind::<OfIpv6<InIpv4Gre<true>>>(frames, notes, entry)
            }
            Look::Tunneled(IPV4_KEY, Ipv4) => {
                self.read_kind::<OfIpv4<InIpv4Gre<true>>>(frames, notes, entry)
            }
            // GRE without a key.
            Look::Tunneled(..) => 0,
        }
    }

    /// The loop of a kind, for frames that end with their packets.
    #[inline(never)]
    fn read_kind<K: Kind>(&mut self, frames: &[F], notes: &mut [Note], entry: &Entry) -> usize {
        let space = &self.space(K::customer(entry), K::INNER);
        let mut done = 0;
        for (frame, note) in frames.iter().zip(notes) {
            if note.way == Way::Unread
                && let Some((way, end)) = K::read(self, frame.data(), entry, space, note)
                && frame.frame_len() == ETHER_LEN + end
            {
                note.way = way;
                done += 1;
            }
        }
        done
    }
}

/// What a loop is for.
trait Kind {
    /// The family of the node's packets.
    const INNER: Family;
    /// Whose these are.
    fn customer(entry: &Entry) -> CustomerId;
    /// Reads one.
    fn read<F: Frame>(
        lane: &Lane<F>,
        frame: &[u8],
        entry: &Entry,
        space: &Space,
        note: &mut Note,
    ) -> Option<Ordinary>;
}

struct PlainIpv6;
struct PlainIpv4;
/// In a tunnel.
struct OfIpv6<H>(PhantomData<H>);
struct OfIpv4<H>(PhantomData<H>);

impl Kind for PlainIpv6 {
    const INNER: Family = Family::Ipv6;

    fn customer(entry: &Entry) -> CustomerId {
        entry.customer
    }

    #[inline(always)]
    fn read<F: Frame>(
        lane: &Lane<F>,
        frame: &[u8],
        entry: &Entry,
        space: &Space,
        note: &mut Note,
    ) -> Option<Ordinary> {
        let head = frame.first_chunk::<{ ETHER_LEN + IPV6_LEN + PORTS_LEN }>()?;
        let (ether, packet) = head.split_first_chunk()?;
        // Whatever has the anchor's own prefix takes a closer look.
        if !entry.is_for(ether)
            || !is_ipv6(head)
            || high(Ipv6::of(packet)?.dst()) == high(entry.lma)
        {
            return None;
        }
        lane.plain_ipv6(packet.first_chunk()?, frame.get(ETHER_LEN..)?, space, note)
    }
}

impl Kind for PlainIpv4 {
    const INNER: Family = Family::Ipv4;

    fn customer(entry: &Entry) -> CustomerId {
        entry.customer
    }

    #[inline(always)]
    fn read<F: Frame>(
        lane: &Lane<F>,
        frame: &[u8],
        entry: &Entry,
        space: &Space,
        note: &mut Note,
    ) -> Option<Ordinary> {
        let head = frame.first_chunk::<{ ETHER_LEN + IPV4_LEN + PORTS_LEN }>()?;
        let (ether, packet) = head.split_first_chunk()?;
        let [_, dst] = Ipv4::of(packet)?.addrs();
        if !entry.is_for(ether) || !is_ipv4(head) || dst == entry.lma_ipv4 {
            return None;
        }
        lane.plain_ipv4(packet.first_chunk()?, frame.get(ETHER_LEN..)?, space, note)
    }
}

impl<H: Headers> Kind for OfIpv6<H> {
    const INNER: Family = Family::Ipv6;

    fn customer(_: &Entry) -> CustomerId {
        TRANSPORT
    }

    #[inline(always)]
    fn read<F: Frame>(
        lane: &Lane<F>,
        frame: &[u8],
        entry: &Entry,
        space: &Space,
        note: &mut Note,
    ) -> Option<Ordinary> {
        if frame.len() < ETHER_LEN + H::LEN + IPV6_LEN {
            return None;
        }
        let (carried, like) = outer::<H>(frame, entry, Family::Ipv6)?;
        let packet = frame.get(ETHER_LEN + H::LEN..)?;
        lane.inner_ipv6(Ipv6::of(packet)?, packet, carried, like, space, note)
    }
}

impl<H: Headers> Kind for OfIpv4<H> {
    const INNER: Family = Family::Ipv4;

    fn customer(_: &Entry) -> CustomerId {
        TRANSPORT
    }

    #[inline(always)]
    fn read<F: Frame>(
        lane: &Lane<F>,
        frame: &[u8],
        entry: &Entry,
        space: &Space,
        note: &mut Note,
    ) -> Option<Ordinary> {
        if frame.len() < ETHER_LEN + H::LEN + IPV4_LEN {
            return None;
        }
        let (carried, _) = outer::<H>(frame, entry, Family::Ipv4)?;
        lane.inner_ipv4(frame.get(ETHER_LEN + H::LEN..)?, carried, space, note)
    }
}

/// What stands before a packet of this family in a frame that is long enough, and what the start of
/// that packet is like if it is of IPv6.
#[inline(always)]
fn outer<H: Headers>(frame: &[u8], entry: &Entry, inner: Family) -> Option<(Carried, u64)> {
    let (ether, packet) = frame.split_first_chunk::<ETHER_LEN>()?;
    if !entry.is_for(ether) {
        return None;
    }
    let carried_len = H::LEN + IPV6_LEN;
    let (number, carried, like) = match H::SHAPE.family() {
        Family::Ipv6 => {
            let ip = Ipv6::of(packet)?;
            if !is_ipv6(frame) || ip.dst() != entry.lma {
                return None;
            }
            let start = ip.start();
            let (end, traffic_class) = (start.packet_len(), start.traffic_class());
            let like = start.0.wrapping_sub(((carried_len - IPV6_LEN) as u64) << PAYLOAD_LEN_SHIFT);
            (start.next_header(), Carried { at: H::LEN, end, traffic_class }, like)
        }
        Family::Ipv4 => {
            let ip = Ipv4::of(packet)?;
            let [_, dst] = ip.addrs();
            if !is_ipv4(frame) || dst != entry.lma_ipv4 || ip.is_fragment() || !ip.is_simple() {
                return None;
            }
            let (end, traffic_class) = (ip.packet_len(), ip.tos());
            let len = (end as u64).wrapping_sub(carried_len as u64);
            let class = u64::from(traffic_class) << TRAFFIC_CLASS_SHIFT;
            let like = 6 << 60 | class | (len & 0xffff) << PAYLOAD_LEN_SHIFT;
            (ip.protocol(), Carried { at: H::LEN, end, traffic_class }, like)
        }
    };
    if !H::SHAPE.has_gre() {
        return (number == inner.protocol()).then_some((carried, like));
    }
    let flags = if H::HAS_KEY { GRE_KEY } else { 0 };
    let begin = flags << 16 | u32::from(u16::from_be_bytes(inner.ether_type()));
    let header = packet.get(H::IP_LEN..)?.first_chunk()?;
    let is_gre = number == protocol::GRE && u32::from_be_bytes(*header) == begin;
    is_gre.then_some((carried, like))
}

/// What a packet to the anchor carries by this number, which begins with these bytes: a packet of
/// this family, behind nothing or GRE with a key and nothing else, or with nothing; and how long
/// that is.
#[inline(always)]
pub(super) fn carried_by(number: u8, begin: &[u8]) -> Option<(Family, usize)> {
    match number {
        protocol::IPV6 => return Some((Family::Ipv6, 0)),
        protocol::IPV4 => return Some((Family::Ipv4, 0)),
        protocol::GRE => {}
        _ => return None,
    }
    let [flags, version, protocol @ ..] = *begin.first_chunk::<{ gre::HEADER_LEN }>()?;
    let len = match [flags, version] {
        [0, 0] => gre::HEADER_LEN,
        [0x20, 0] => gre::HEADER_LEN + GRE_KEY_LEN,
        _ => return None,
    };
    match protocol {
        ether_type::IPV6 => Some((Family::Ipv6, len)),
        ether_type::IPV4 => Some((Family::Ipv4, len)),
        _ => None,
    }
}

/// Whether `EtherType` and version are those of IPv6.
#[inline(always)]
fn is_ipv6(frame: &[u8]) -> bool {
    begin(frame) & 0xffff_f000 == 0x86dd_6000
}

/// Whether `EtherType`, version and header length are those of IPv4 without options.
#[inline(always)]
fn is_ipv4(frame: &[u8]) -> bool {
    begin(frame) & 0xffff_ff00 == 0x0800_4500
}

/// `EtherType` and what follows.
#[inline(always)]
fn begin(frame: &[u8]) -> u32 {
    let word = frame.get(ETHER_LEN - 2..).and_then(<[u8]>::first_chunk);
    word.map_or(0, |word| u32::from_be_bytes(*word))
}

/// The first two bytes of a GRE header with a key.
const GRE_KEY: u32 = 0x2000;
const GRE_KEY_LEN: usize = 4;
