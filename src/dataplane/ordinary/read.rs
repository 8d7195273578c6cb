//! The first stage: what the headers of a packet say, if they are ordinary ones, and where the
//! entry of its node is. Frames of the first one's kind first ([`super::kind`]); [`super::others`]
//! takes a closer look at what is left in the end.

use super::super::burst::Lane;
use super::super::classify::Ingress;
use super::super::encap::flow_label_of;
use super::super::fib::Fib;
use super::super::handoff::Context;
use super::super::hash::Halves;
use super::super::hash::high;
use super::super::header::{
    ETHER_LEN, FLOW_LABEL_SHIFT, Family, IPV6_LEN, Ipv6, Ipv6Start, PAYLOAD_LEN_SHIFT,
    TRAFFIC_CLASS_SHIFT, protocol,
};
use super::super::marking::Marking;
use super::super::shard::Scope;
use super::super::tunnel::{HOP_LIMIT, TRANSPORT};
use super::kind::Look;
use super::upper::PORTS_LEN;
use super::{From, Note, Way};
use crate::addr::{CustomerId, PortId};
use crate::nic::Frame;
use arrayvec::ArrayVec;
use std::net::Ipv4Addr;

/// What must be known of the port by which a frame came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// The port's address in the upper 48 bits, its last byte first.
    mac: u64,
    /// Where tunnels end; zero, which no packet is for, if none end here.
    pub(super) lma: u128,
    pub(super) lma_ipv4: u32,
    /// Whose plain packets are. (Those in tunnels are the operator's, unless a gateway is somebody
    /// else's.)
    pub(super) customer: CustomerId,
}

/// What must be known of a customer's addresses of one family.
#[derive(Debug, Clone, Copy)]
pub(super) struct Space {
    pub(super) customer: CustomerId,
    pub(super) scope: Scope,
    marking: Marking,
    /// Of the start of an IPv6 packet, what that of a tunnel header around it repeats.
    pub(super) repeated: u64,
    /// What is added to that.
    pub(super) around: u64,
}

/// Of both families.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spaces {
    pub(super) ipv6: Space,
    pub(super) ipv4: Space,
}

/// What an outer header says of what it carries.
#[derive(Clone, Copy)]
pub(super) struct Carried {
    /// Where that begins and ends in the outer packet.
    pub(super) at: usize,
    pub(super) end: usize,
    pub(super) traffic_class: u8,
}

/// What forwarding needs of a packet from a node.
#[derive(Clone, Copy)]
pub(super) struct FromNode {
    pub(super) inner: Family,
    pub(super) src: u128,
    pub(super) dst: u128,
}

#[allow(clippy::cast_possible_truncation)] // 40
const IPV6_LEN_FIELD: u16 = IPV6_LEN as u16;

/// Kinds of frames in a burst that are looked for: all that one has as a rule.
const LOOKS_MAX: usize = 4;

/// An ordinary packet: which way it goes, and where it ends.
pub(super) type Ordinary = (Way, usize);

impl<F: Frame> Lane<F> {
    /// The first stage of a burst; `froms` says of each frame, or of all, where it came from.
    pub(super) fn read(&mut self, frames: &mut [F], notes: &mut [Note], froms: &[From]) {
        if let [from] = *froms {
            return self.read_from(frames, notes, from);
        }
        let mut at = 0;
        for run in froms.chunk_by(|a, b| a == b) {
            let all = at..at + run.len();
            at = all.end;
            if let (Some(frames), Some(notes), Some(from)) =
                (frames.get_mut(all.clone()), notes.get_mut(all), run.first())
            {
                self.read_from(frames, notes, *from);
            }
        }
    }

    /// The same of frames that came from one place.
    fn read_from(&mut self, frames: &mut [F], notes: &mut [Note], from: From) {
        let port = match from {
            From::Port(port) | From::Uplink(port) => port,
            From::Downlink(context) => return self.read_plain(frames, notes, context),
        };
        for note in notes.iter_mut() {
            note.way = Way::Unread;
        }
        let Some(entry) = self.entry(port) else { return };
        if self.may_be_others(entry.customer, from) {
            return self.read_others(frames, notes, &entry, Some(from));
        }
        let (mut unread, mut looks) = (notes.len(), ArrayVec::<_, LOOKS_MAX>::new());
        // As a rule all are of one kind.
        let mut first = frames.first().and_then(|frame| Look::of(frame.data(), &entry));
        while let Some(look) = first {
            unread -= self.read_like(look, frames, notes, &entry);
            if unread == 0 {
                return;
            }
            looks.push(look);
            let left = frames.iter().zip(&*notes).filter(|(_, note)| note.way == Way::Unread);
            first = { left }
                .filter_map(|(frame, _)| Look::of(frame.data(), &entry))
                .find(|look| !looks.contains(look))
                .filter(|_| !looks.is_full());
        }
        self.read_others(frames, notes, &entry, None);
    }

    /// Whether the owner of an entry here need not own all addresses in it.
    fn may_be_others(&self, plain: CustomerId, from: From) -> bool {
        if self.steering.workers() == 1 || !matches!(from, From::Port(_)) {
            return false;
        }
        let is_spread = |customer, family| self.shard.longest(customer, family).is_spread;
        let mut spaces = [plain, TRANSPORT].into_iter();
        !self.origins.is_empty()
            || spaces.any(|c| is_spread(c, Family::Ipv6) || is_spread(c, Family::Ipv4))
    }

    /// Plain packets of another worker.
    #[inline(never)]
    fn read_plain(&self, frames: &mut [F], notes: &mut [Note], context: Context) {
        let spaces = self.spaces(context.customer);
        for (frame, note) in frames.iter_mut().zip(notes) {
            let packet = frame.data().get(ETHER_LEN..).unwrap_or_default();
            let ordinary = match packet.first().map(|first| first >> 4) {
                _ if !context.origin.is_forwarded() => None,
                Some(6) => packet
                    .first_chunk()
                    .and_then(|head| self.plain_ipv6(head, packet, &spaces.ipv6, note)),
                _ => packet
                    .first_chunk()
                    .and_then(|head| self.plain_ipv4(head, packet, &spaces.ipv4, note)),
            };
            note.take(frame, ordinary);
        }
    }

    /// A packet of which these are the header and the ports, if it has some: it is so long.
    #[inline(always)]
    pub(super) fn plain_ipv6(
        &self,
        head: &[u8; IPV6_LEN + PORTS_LEN],
        packet: &[u8],
        space: &Space,
        note: &mut Note,
    ) -> Option<Ordinary> {
        let ip = Ipv6::of(head)?;
        let (start, src, dst) = (ip.start(), ip.src(), ip.dst());
        if start.hop_limit() <= 1 || !is_ordinary(src) || !is_ordinary(dst) {
            return None;
        }
        let upper = self.uppers.of(Family::Ipv6, start.next_header());
        let ports = upper.ports(*head.last_chunk()?, packet, IPV6_LEN)?;
        let label = flow_label_of(start.next_header(), start.flow_label(), src, dst, ports);
        note.inner = Family::Ipv6;
        note.start = around(start.0 & space.repeated, space.around, label);
        self.place(&space.scope, dst, note);
        Some((Way::Down, start.packet_len()))
    }

    /// A packet of this header in a tunnel packet. Its own start should be like the one that is
    /// given, in version, traffic class and length.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)] // all of a packet, laid out flat
    pub(super) fn inner_ipv6(
        &self,
        ip: Ipv6<'_>,
        packet: &[u8],
        carried: Carried,
        like: u64,
        space: &Space,
        note: &mut Note,
    ) -> Option<Ordinary> {
        const ALL: u64 = 0xfff0_0000_ffff_0000;
        const WITHOUT_CLASS: u64 = 0xf000_0000_ffff_0000;
        let (start, src, dst) = (ip.start(), ip.src(), ip.dst());
        let difference = (start.0 ^ like) & ALL;
        let is_fine = difference & WITHOUT_CLASS == 0
            && start.hop_limit() > 1
            && !self.uppers.of(Family::Ipv6, start.next_header()).refuses(packet, IPV6_LEN)
            && is_ordinary(src)
            && is_ordinary(dst);
        let traffic_class = start.traffic_class();
        if !is_fine || difference != 0 && !space.keeps(traffic_class, carried.traffic_class) {
            return None;
        }
        let header = FromNode { inner: Family::Ipv6, src, dst };
        Some(self.of_node(header, carried, space, note))
    }

    /// A packet from a node in one to the anchor, which does not change it.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // behind two headers at most
    pub(super) fn of_node(
        &self,
        FromNode { inner, src, dst }: FromNode,
        carried: Carried,
        space: &Space,
        note: &mut Note,
    ) -> Ordinary {
        note.inner = inner;
        note.inner_at = carried.at as u8;
        note.dst = Halves::of(dst);
        note.home = Fib::home(space.customer, dst);
        self.fib.prefetch::<F>(note.home);
        self.place(&space.scope, src, note);
        (Way::Up, carried.end)
    }

    /// Where the entry of a node is.
    #[inline(always)]
    pub(super) fn place(&self, scope: &Scope, addr: u128, note: &mut Note) {
        note.probe = self.shard.probe(scope, addr);
        self.shard.prefetch::<F>(&note.probe);
    }

    fn entry(&self, PortId(port): PortId) -> Option<Entry> {
        let ingress = self.ingress.get(usize::from(port))?;
        let Ingress { lma, lma_ipv4, access, .. } = ingress;
        let mac = ingress.mac.0.iter().rev().fold(0, |mac, byte| mac << 8 | u64::from(*byte)) << 16;
        Some(Entry {
            mac,
            lma: lma.filter(|_| *access).map_or(0, |lma| lma.0.to_bits()),
            lma_ipv4: lma_ipv4.filter(|_| *access).map_or(0, Ipv4Addr::to_bits),
            customer: self.ports.get(usize::from(port))?.customer,
        })
    }

    /// A customer's addresses of one family.
    pub(super) fn space(&self, customer: CustomerId, family: Family) -> Space {
        let marking = self.markings.of(customer);
        let set = marking.outer(0);
        let keep = u64::from(marking.outer(u8::MAX) ^ set) << TRAFFIC_CLASS_SHIFT;
        // The length of a tunnel packet of IPv6 is without its header, that of IPv4 is with it.
        let around = match family {
            Family::Ipv6 => Ipv6Start::new(set, 0, IPV6_LEN_FIELD, protocol::IPV6, HOP_LIMIT),
            Family::Ipv4 => Ipv6Start::new(set, 0, 0, protocol::IPV4, HOP_LIMIT),
        };
        Space {
            customer,
            scope: self.shard.longest(customer, family),
            marking,
            repeated: keep | u64::from(u16::MAX) << PAYLOAD_LEN_SHIFT,
            around: around.0,
        }
    }

    /// Of both.
    pub(super) fn spaces(&self, customer: CustomerId) -> Spaces {
        Spaces {
            ipv6: self.space(customer, Family::Ipv6),
            ipv4: self.space(customer, Family::Ipv4),
        }
    }
}

impl Entry {
    /// Whether a frame is for the port itself.
    #[inline(always)]
    pub(super) fn is_for(&self, ether: &[u8; ETHER_LEN]) -> bool {
        ether.first_chunk().is_some_and(|first| u64::from_le_bytes(*first) << 16 == self.mac)
    }
}

impl Space {
    /// Whether a packet of this traffic class comes as it is out of a tunnel packet of another one.
    /// (Out of one of the same it does always.)
    #[inline]
    pub(super) fn keeps(&self, inner: u8, outer: u8) -> bool {
        self.marking.keeps(inner, outer)
    }
}

/// The start of a tunnel header.
#[inline(always)]
pub(super) const fn around(repeated: u64, added: u64, label: u32) -> Ipv6Start {
    Ipv6Start((repeated + added) | (label as u64) << FLOW_LABEL_SHIFT)
}

/// Neither unspecified, loopback, mapped, link-local nor multicast. (Nor some others from ::/64 and
/// fe00::/8 that would do.)
#[inline(always)]
const fn is_ordinary(addr: u128) -> bool {
    high(addr).wrapping_sub(1) < (0xfe << 56) - 1
}
