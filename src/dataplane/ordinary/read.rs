//! The first stage: what the headers of a packet say, if they are ordinary ones, and where the
//! entry of its node is. The commonest packets first; [`super::others`] takes a closer look at the
//! rest.

use super::super::burst::Lane;
use super::super::classify::Ingress;
use super::super::encap::flow_label_of;
use super::super::fib::Fib;
use super::super::handoff::{Context, Origin};
use super::super::hash::{Halves, high};
use super::super::header::{
    ETHER_LEN, FLOW_LABEL_SHIFT, Family, IPV6_LEN, Ipv6, Ipv6Start, PAYLOAD_LEN_SHIFT,
    TRAFFIC_CLASS_SHIFT, ether_type, protocol,
};
use super::super::marking::Marking;
use super::super::shard::Scope;
use super::super::tunnel::{HOP_LIMIT, Shape, TRANSPORT};
use super::upper::PORTS_LEN;
use super::{From, Note, Way};
use crate::addr::{CustomerId, PortId};
use crate::nic::Frame;

/// What must be known of the port by which a frame came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// The port's address in the upper 48 bits, its last byte first.
    mac: u64,
    /// Where tunnels end; zero, which no packet is for, if none end here.
    pub(super) lma: u128,
    pub(super) lma_ipv4: u128,
    /// Of plain packets.
    pub(super) plain: Space,
    /// Of packets in tunnels from gateways that are nobody's in particular.
    pub(super) tunneled: Space,
}

/// What must be known of an address space.
#[derive(Debug, Clone, Copy)]
pub(super) struct Space {
    customer: CustomerId,
    ipv6: Scope,
    pub(super) ipv4: Scope,
    marking: Marking,
    /// Of the start of an IPv6 packet, what that of a tunnel header around it repeats.
    pub(super) repeated: u64,
    /// What is added to that, around IPv6 and around IPv4.
    around_ipv6: u64,
    pub(super) around_ipv4: u64,
}

/// What an outer header says of what it carries.
#[derive(Clone, Copy)]
pub(super) struct Carried {
    /// Where that begins and ends in the outer packet.
    pub(super) at: usize,
    pub(super) end: usize,
    pub(super) traffic_class: u8,
    pub(super) shape: Shape,
}

/// What forwarding needs of a packet from a node.
#[derive(Clone, Copy)]
pub(super) struct FromNode {
    pub(super) inner: Family,
    pub(super) src: u128,
    pub(super) dst: u128,
}

/// An ordinary packet: which way it goes, and where it ends.
pub(super) type Ordinary = (Way, usize);

impl<F: Frame> Lane<F> {
    /// The first stage of a burst; `froms` says of each frame, or of all, where it came from.
    pub(super) fn read(&self, frames: &mut [F], notes: &mut [Note], froms: &[From]) {
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
    fn read_from(&self, frames: &mut [F], notes: &mut [Note], from: From) {
        let port = match from {
            From::Port(port) | From::Uplink(port) => port,
            From::Downlink(context) => return self.read_plain(frames, notes, context),
        };
        for note in notes.iter_mut() {
            note.way = Way::Unread;
        }
        let Some(entry) = self.entry(port) else { return };
        if self.may_be_others(&entry, from) {
            return self.read_others(frames, notes, &entry, Some(from));
        }
        let mut unread = notes.len();
        // As a rule all are of one kind.
        let first = frames.first().map(Frame::data).unwrap_or_default();
        let is_ipv4 = first.get(12..ETHER_LEN) == Some(&ether_type::IPV4[..]);
        let is_up = entry.is_lma(first);
        for is_up in [is_up, !is_up] {
            if unread == 0 || is_ipv4 {
                break;
            }
            if is_up && self.origins.is_empty() {
                unread -= read_commonest(frames, notes, |frame, note| {
                    self.read_uplink(frame, &entry, note)
                });
            } else if !is_up {
                unread -= read_commonest(frames, notes, |frame, note| {
                    self.read_downlink(frame, &entry, note)
                });
            }
        }
        if unread > 0 {
            self.read_others(frames, notes, &entry, None);
        }
    }

    /// Whether the owner of an entry here need not own all addresses in it.
    fn may_be_others(&self, entry: &Entry, from: From) -> bool {
        let spaces = [&entry.plain, &entry.tunneled];
        let is_spread = spaces.iter().any(|space| space.ipv4.is_spread || space.ipv6.is_spread);
        let may_be = is_spread || !self.origins.is_empty();
        may_be && self.steering.workers() > 1 && matches!(from, From::Port(_))
    }

    /// Plain packets of another worker.
    #[inline(never)]
    fn read_plain(&self, frames: &mut [F], notes: &mut [Note], context: Context) {
        let space = self.space(context.customer);
        for (frame, note) in frames.iter_mut().zip(notes) {
            let packet = frame.data().get(ETHER_LEN..).unwrap_or_default();
            let ordinary = match packet.first().map(|first| first >> 4) {
                _ if context.origin == Origin::Ours => None,
                Some(6) => packet
                    .first_chunk()
                    .and_then(|head| self.plain_ipv6(head, packet, &space, note)),
                _ => self.plain_ipv4(packet, &space, note),
            };
            note.take(frame, ordinary);
        }
    }

    /// A plain IPv6 packet.
    #[inline(always)]
    fn read_downlink(&self, frame: &[u8], entry: &Entry, note: &mut Note) -> Option<Ordinary> {
        let head = frame.first_chunk::<{ ETHER_LEN + IPV6_LEN + PORTS_LEN }>()?;
        let (ether, packet) = head.split_first_chunk()?;
        // Whatever has the anchor's own prefix takes a closer look.
        if !entry.is_for(ether)
            || !is_ipv6(head)
            || high(Ipv6::of(packet)?.dst()) == high(entry.lma)
        {
            return None;
        }
        let whole = frame.get(ETHER_LEN..)?;
        self.plain_ipv6(packet.first_chunk()?, whole, &entry.plain, note)
    }

    /// An IPv6 packet in another one to the anchor.
    #[inline(always)]
    fn read_uplink(&self, frame: &[u8], entry: &Entry, note: &mut Note) -> Option<Ordinary> {
        let head = frame.first_chunk::<{ ETHER_LEN + IPV6_LEN + IPV6_LEN }>()?;
        let (ether, packet) = head.split_first_chunk()?;
        let (outer, inner) = packet.split_first_chunk::<IPV6_LEN>()?;
        let (outer, inner) = (Ipv6::of(outer)?, Ipv6::of(inner)?);
        let start = outer.start();
        let is_fine = entry.is_for(ether)
            && is_ipv6(head)
            && outer.dst() == entry.lma
            && start.next_header() == protocol::IPV6;
        if !is_fine {
            return None;
        }
        let carried = Carried {
            at: IPV6_LEN,
            end: start.packet_len(),
            traffic_class: start.traffic_class(),
            shape: Shape::Ipv6,
        };
        let like = start.0.wrapping_sub((IPV6_LEN as u64) << PAYLOAD_LEN_SHIFT);
        let whole = frame.get(ETHER_LEN + IPV6_LEN..)?;
        self.inner_ipv6(inner, whole, carried, like, &entry.tunneled, note)
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
        let upper = self.uppers.of(start.next_header());
        let ports = upper.ports(*head.last_chunk()?, packet, IPV6_LEN)?;
        let label = flow_label_of(start.next_header(), start.flow_label(), src, dst, ports);
        note.inner = Family::Ipv6;
        note.start = around(start.0 & space.repeated, space.around_ipv6, label);
        self.place(&space.ipv6, dst, note);
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
            && !self.uppers.of(start.next_header()).refuses(packet, IPV6_LEN)
            && is_ordinary(src)
            && is_ordinary(dst);
        let traffic_class = start.traffic_class();
        if !is_fine || difference != 0 && !space.keeps(traffic_class, carried.traffic_class) {
            return None;
        }
        let header = FromNode { inner: Family::Ipv6, src, dst };
        Some(self.of_node(header, carried, space, &space.ipv6, note))
    }

    /// A packet from a node in one to the anchor, which does not change it.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // behind two headers at most
    pub(super) fn of_node(
        &self,
        FromNode { inner, src, dst }: FromNode,
        carried: Carried,
        space: &Space,
        scope: &Scope,
        note: &mut Note,
    ) -> Ordinary {
        note.inner = inner;
        note.inner_at = carried.at as u8;
        note.shape = carried.shape;
        note.dst = Halves::of(dst);
        note.home = Fib::home(space.customer, dst);
        self.fib.prefetch::<F>(note.home);
        self.place(scope, src, note);
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
            lma_ipv4: lma_ipv4.filter(|_| *access).map_or(0, |a| a.to_ipv6_mapped().to_bits()),
            plain: self.space(self.ports.get(usize::from(port))?.customer),
            tunneled: self.space(TRANSPORT),
        })
    }

    pub(super) fn space(&self, customer: CustomerId) -> Space {
        let marking = self.markings.of(customer);
        let set = marking.outer(0);
        let keep = u64::from(marking.outer(u8::MAX) ^ set) << TRAFFIC_CLASS_SHIFT;
        let around = |len, number| Ipv6Start::new(set, 0, len, number, HOP_LIMIT).0;
        Space {
            customer,
            ipv6: self.shard.longest(customer, Family::Ipv6),
            ipv4: self.shard.longest(customer, Family::Ipv4),
            marking,
            repeated: keep | u64::from(u16::MAX) << PAYLOAD_LEN_SHIFT,
            around_ipv6: around(u16::try_from(IPV6_LEN).unwrap_or(0), protocol::IPV6),
            around_ipv4: around(0, protocol::IPV4),
        }
    }
}

/// Reads those that are ordinary by `read` and end with their frames; returns how many.
#[inline(always)]
fn read_commonest<F: Frame>(
    frames: &[F],
    notes: &mut [Note],
    read: impl Fn(&[u8], &mut Note) -> Option<Ordinary>,
) -> usize {
    let mut done = 0;
    for (frame, note) in frames.iter().zip(notes) {
        if note.way == Way::Unread
            && let Some((way, end)) = read(frame.data(), note)
            && frame.frame_len() == ETHER_LEN + end
        {
            note.way = way;
            done += 1;
        }
    }
    done
}

impl Entry {
    /// Whether a frame is for the port itself.
    #[inline(always)]
    pub(super) fn is_for(&self, ether: &[u8; ETHER_LEN]) -> bool {
        ether.first_chunk().is_some_and(|first| u64::from_le_bytes(*first) << 16 == self.mac)
    }

    /// Whether it looks like one with a tunnel packet of IPv6.
    fn is_lma(&self, frame: &[u8]) -> bool {
        let packet = frame.get(ETHER_LEN..).unwrap_or_default();
        Ipv6::of(packet).is_some_and(|ip| ip.dst() == self.lma)
    }
}

impl Space {
    /// Whether a packet of this traffic class comes as it is out of a tunnel packet of another one.
    /// (Out of one of the same it does always.)
    #[inline]
    pub(super) fn keeps(&self, inner: u8, outer: u8) -> bool {
        self.marking.inner(inner, outer) == Some(inner)
    }
}

/// Whether `EtherType` and version are those of IPv6.
#[inline(always)]
fn is_ipv6<const N: usize>(head: &[u8; N]) -> bool {
    let word = head.get(ETHER_LEN - 2..).and_then(<[u8]>::first_chunk);
    word.is_some_and(|word| u32::from_be_bytes(*word) & 0xffff_f000 == 0x86dd_6000)
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
