//! The last stage of a packet from its node.

use super::super::burst::Lane;
use super::super::counters::Counter;
use super::super::fib::Exit;
use super::super::header::{ETHER_LEN, IPV4_LEN};
use super::super::shard::Slot;
use super::super::tunnel::Path;
use super::headers::{Headers, InIpv4, InIpv4Gre, InIpv6, InIpv6Gre};
use super::{Note, Tally, Way, spend_hop};
use crate::addr::PortId;
use crate::nic::Frame;
use crate::wire::gre;

impl<F: Frame> Lane<F> {
    /// The last stage of packets from nodes: each out of its tunnel, if nothing is left to decide.
    /// Returns how many that were.
    pub(super) fn up(&mut self, frames: &mut [F], notes: &mut [Note]) -> u64 {
        const IPV6: usize = InIpv6::LEN;
        const IPV6_GRE: usize = InIpv6Gre::<false>::LEN;
        const IPV6_KEY: usize = InIpv6Gre::<true>::LEN;
        const IPV4: usize = InIpv4::LEN;
        const IPV4_GRE: usize = InIpv4Gre::<false>::LEN;
        const IPV4_KEY: usize = InIpv4Gre::<true>::LEN;
        let counters = [Counter::UplinkPackets, Counter::UplinkBytes];
        self.kind_by_kind(Way::Up, counters, frames, notes, |lane, note, frames, notes| {
            Some(match usize::from(note.inner_at) {
                IPV6 => lane.up_by::<InIpv6>(frames, notes),
                IPV6_GRE => lane.up_by::<InIpv6Gre<false>>(frames, notes),
                IPV6_KEY => lane.up_by::<InIpv6Gre<true>>(frames, notes),
                IPV4 => lane.up_by::<InIpv4>(frames, notes),
                IPV4_GRE => lane.up_by::<InIpv4Gre<false>>(frames, notes),
                IPV4_KEY => lane.up_by::<InIpv4Gre<true>>(frames, notes),
                _ => return None,
            })
        })
    }

    /// Those that came behind these headers.
    #[inline(never)]
    fn up_by<H: Headers>(&mut self, frames: &mut [F], notes: &mut [Note]) -> Tally {
        let mut tally = Tally::default();
        let mut rest = frames.iter_mut().zip(notes);
        while let Some(slot) = self.up_on::<H>(&mut rest, &mut tally) {
            self.shard.carry(slot);
        }
        tally
    }

    /// Up to an entry whose counts have to be carried: nothing is called here.
    #[inline(always)]
    fn up_on<'f, H: Headers>(
        &mut self,
        rest: &mut impl Iterator<Item = (&'f mut F, &'f mut Note)>,
        tally: &mut Tally,
    ) -> Option<Slot> {
        for (frame, note) in rest {
            if note.way != Way::Up {
                continue;
            }
            if usize::from(note.inner_at) != H::LEN {
                tally.others += 1;
                continue;
            }
            let packet_len = frame.frame_len().wrapping_sub(ETHER_LEN + H::LEN);
            let Some(port) = self.exit::<H>(frame, packet_len, note) else {
                note.way = Way::General;
                continue;
            };
            (note.way, note.port) = (Way::Leave, port);
            tally.packets += 1;
            tally.bytes += packet_len as u64;
            if self.shard.count_uplink(note.slot, packet_len) {
                return Some(note.slot);
            }
        }
        None
    }

    /// The port by which a packet leaves that came through its node's tunnel (RFC 5213 5.6.2);
    /// `None`, and no change, if it came through another one or something is left to decide.
    #[inline(always)]
    fn exit<H: Headers>(&self, frame: &mut F, packet_len: usize, note: &Note) -> Option<PortId> {
        let tunnel = self.tunnels.ends(note.word.tunnel())?;
        let is_admitted = tunnel.shape == H::SHAPE
            && tunnel.path != Path::Nested
            && tunnel.has_ends_of(H::SHAPE.family(), frame.data())
            && (!H::SHAPE.has_gre() || self.has_key::<H>(frame.data(), note));
        if !is_admitted {
            return None;
        }
        let exit = self.fib.known(note.home, note.probe.tag.customer(), note.dst)?;
        if packet_len > usize::from(exit.mtu) {
            return None;
        }
        let &Exit { port, mac, .. } = exit;
        let sender = self.senders.get(usize::from(port.0))?;
        let front = frame.trim_front_chunk::<{ ETHER_LEN + IPV4_LEN }>(H::LEN)?;
        sender.write(front.first_chunk_mut()?, note.inner, mac);
        spend_hop(front.last_chunk_mut()?, note.inner);
        Some(port)
    }

    /// Whether its GRE key is that of the entry, or neither has one. A key is one customer's, so
    /// that then it also says what was assumed.
    #[inline(always)]
    fn has_key<H: Headers>(&self, frame: &[u8], note: &Note) -> bool {
        let uplink =
            if note.word.has_keys() { self.shard.gre_keys(note.slot).uplink } else { None };
        if !H::HAS_KEY {
            return uplink.is_none();
        }
        let key = frame.get(ETHER_LEN + H::IP_LEN + gre::HEADER_LEN..);
        let key = key.and_then(<[u8]>::first_chunk).map(|key| u32::from_be_bytes(*key));
        key.is_some() && key == uplink
    }
}
