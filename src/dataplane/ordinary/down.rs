//! The last stage of a packet to its node.

use super::super::burst::Lane;
use super::super::counters::Counter;
use super::super::header::{ETHER_LEN, Family, IPV4_LEN, Ipv4};
use super::super::shard::Slot;
use super::super::tunnel::Shape;
use super::headers::{
    Headers, InIpv4, InIpv4Gre, InIpv6, InIpv6Gre, InMip4Udp, InUdp, InUdpGre, Said, write,
};
use super::{Note, Tally, Way, spend_hop};
use crate::nic::Frame;

impl<F: Frame> Lane<F> {
    /// The last stage of packets to nodes: each into its tunnel, if nothing is left to decide.
    /// Returns how many that were.
    pub(super) fn down(&mut self, frames: &mut [F], notes: &mut [Note]) -> u64 {
        let counters = [Counter::DownlinkPackets, Counter::DownlinkBytes];
        self.kind_by_kind(Way::Down, counters, frames, notes, |lane, note, frames, notes| {
            Some(match lane.kind_of(note)? {
                (Shape::Ipv6, _) => lane.down_by::<InIpv6, 74>(frames, notes),
                (Shape::Ipv6Gre, false) => lane.down_by::<InIpv6Gre<false>, 78>(frames, notes),
                (Shape::Ipv6Gre, true) => lane.down_by::<InIpv6Gre<true>, 82>(frames, notes),
                (Shape::Ipv4, _) => lane.down_by::<InIpv4, 54>(frames, notes),
                (Shape::Ipv4Gre, false) => lane.down_by::<InIpv4Gre<false>, 58>(frames, notes),
                (Shape::Ipv4Gre, true) => lane.down_by::<InIpv4Gre<true>, 62>(frames, notes),
                (Shape::Ipv4Udp, _) => lane.down_by::<InUdp, 62>(frames, notes),
                (Shape::Ipv4UdpGre, false) => lane.down_by::<InUdpGre<false>, 70>(frames, notes),
                (Shape::Ipv4UdpGre, true) => lane.down_by::<InUdpGre<true>, 74>(frames, notes),
                (Shape::Ipv4Mip4Udp, _) => lane.down_by::<InMip4Udp, 66>(frames, notes),
            })
        })
    }

    /// What its tunnel's headers are, and whether there is a GRE key among them.
    fn kind_of(&self, note: Note) -> Option<(Shape, bool)> {
        let shape = self.tunnels.ends(note.word.tunnel())?.shape;
        let has_key = shape.has_gre()
            && note.word.has_keys()
            && self.shard.gre_keys(note.slot).downlink.is_some();
        Some((shape, has_key))
    }

    /// Those whose tunnels have these headers.
    #[inline(never)]
    fn down_by<H: Headers, const FRONT: usize>(
        &mut self,
        frames: &mut [F],
        notes: &mut [Note],
    ) -> Tally {
        const { assert!(FRONT == ETHER_LEN + H::LEN + IPV4_LEN) };
        let mut tally = Tally::default();
        let mut rest = frames.iter_mut().zip(notes);
        while let Some(slot) = self.down_on::<H, FRONT>(&mut rest, &mut tally) {
            self.shard.carry(slot);
        }
        tally
    }

    /// Up to an entry whose counts have to be carried: nothing is called here.
    #[inline(always)]
    fn down_on<'f, H: Headers, const FRONT: usize>(
        &mut self,
        rest: &mut impl Iterator<Item = (&'f mut F, &'f mut Note)>,
        tally: &mut Tally,
    ) -> Option<Slot> {
        let (generation, workers) = (self.fib.generation(), self.steering.workers());
        let mut identification = self.identification;
        let mut full = None;
        for (frame, note) in rest {
            if note.way != Way::Down {
                continue;
            }
            let Some(tunnel) = self.tunnels.ready(note.word.tunnel(), generation) else {
                note.way = Way::General;
                continue;
            };
            let mut key = None;
            if H::SHAPE.has_gre() && note.word.has_keys() {
                key = self.shard.gre_keys(note.slot).downlink;
            }
            if tunnel.shape != H::SHAPE || H::SHAPE.has_gre() && key.is_some() != H::HAS_KEY {
                tally.others += 1;
                continue;
            }
            note.way = Way::General;
            let packet_len = frame.frame_len() - ETHER_LEN;
            let len = packet_len + H::LEN;
            if len > usize::from(tunnel.mtu) {
                continue;
            }
            let Some(front) = frame.prepend_chunk::<FRONT>(H::LEN) else { continue };
            let Some(packet) = front.last_chunk_mut::<IPV4_LEN>() else { continue };
            let mut fragment = 0; // RFC 4213 3.2.1
            if H::SHAPE.family() == Family::Ipv4 && note.inner == Family::Ipv4 {
                fragment = Ipv4::dont_fragment_of(packet); // RFC 2003 3.1
            }
            spend_hop(packet, note.inner);
            let said = Said {
                inner: note.inner,
                start: note.start,
                len,
                identification,
                fragment,
                key: key.unwrap_or(0),
            };
            write::<H, FRONT>(front, tunnel, &said);
            (note.way, note.port) = (Way::Leave, tunnel.port);
            if H::SHAPE.family() == Family::Ipv4 {
                identification = identification.wrapping_add(workers);
            }
            tally.packets += 1;
            tally.bytes += packet_len as u64;
            if self.shard.count_downlink(note.slot, packet_len) {
                full = Some(note.slot);
                break;
            }
        }
        self.identification = identification;
        full
    }
}
