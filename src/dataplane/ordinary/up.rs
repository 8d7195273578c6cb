//! The last stage of a packet from its node.

use super::super::burst::Lane;
use super::super::counters::Counter;
use super::super::fib::Exit;
use super::super::header::{ETHER_LEN, Family, IPV4_LEN, IPV6_LEN};
use super::super::shard::Slot;
use super::super::tunnel::{Shape, TunnelSlot};
use super::{Note, Tally, Way, spend_hop};
use crate::addr::PortId;
use crate::nic::Frame;
use crate::wire::gre;

impl<F: Frame> Lane<F> {
    /// The last stage of packets from nodes: each out of its tunnel, if nothing is left to decide.
    /// Returns how many that were.
    #[inline(never)]
    pub(super) fn up(&mut self, frames: &mut [F], notes: &mut [Note]) -> u64 {
        let (mut tally, mut is_all) = (Tally::default(), true);
        // As a rule all tunnels are of one kind.
        let is_common = notes.first().is_none_or(|note| note.shape == Shape::Ipv6);
        if !is_common {
            for note in notes.iter_mut().filter(|note| note.way == Way::Up) {
                (note.way, is_all) = (Way::OtherUp, false);
            }
        }
        let common = if is_common { frames.len() } else { 0 };
        let common = frames.get_mut(..common).unwrap_or_default();
        let mut rest = common.iter_mut().zip(notes.iter_mut());
        while let Some(slot) = self.up_commonest(&mut rest, &mut tally, &mut is_all) {
            self.shard.carry(slot);
        }
        if !is_all {
            self.up_others(frames, notes, &mut tally);
        }
        self.counters.add(Counter::UplinkPackets, tally.packets);
        self.counters.add(Counter::UplinkBytes, tally.bytes);
        tally.packets
    }

    /// Tunnels of IPv6 alone, up to an entry whose counts have to be carried.
    #[inline(always)]
    fn up_commonest<'f>(
        &mut self,
        rest: &mut impl Iterator<Item = (&'f mut F, &'f mut Note)>,
        tally: &mut Tally,
        is_all: &mut bool,
    ) -> Option<Slot> {
        for (frame, note) in rest {
            if note.way != Way::Up {
                continue;
            }
            let packet_len = frame.frame_len().wrapping_sub(ETHER_LEN + IPV6_LEN);
            let Some(port) = self.exit_ipv6(frame, packet_len, note) else {
                note.way = Way::OtherUp;
                *is_all = false;
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

    /// Tunnels over IPv4 or with GRE in them; what is not admitted is for the general path.
    #[inline(never)]
    fn up_others(&mut self, frames: &mut [F], notes: &mut [Note], tally: &mut Tally) {
        for (frame, note) in frames.iter_mut().zip(notes) {
            if note.way != Way::OtherUp {
                continue;
            }
            let inner_at = usize::from(note.inner_at);
            let packet_len = frame.frame_len() - ETHER_LEN - inner_at;
            let tunnel = self.tunnels.ends(note.word.tunnel());
            let is_admitted = tunnel.is_some_and(|tunnel| {
                tunnel.shape == note.shape
                    && tunnel.has_ends_of(frame.data())
                    && (!tunnel.shape.has_gre() || self.has_key(frame.data(), note, tunnel))
            });
            let exit =
                if is_admitted { self.exit(frame, inner_at, packet_len, note) } else { None };
            let Some(port) = exit else {
                note.way = Way::General;
                continue;
            };
            (note.way, note.port) = (Way::Leave, port);
            if self.shard.count_uplink(note.slot, packet_len) {
                self.shard.carry(note.slot);
            }
            tally.packets += 1;
            tally.bytes += packet_len as u64;
        }
    }

    /// The port by which a packet leaves that came through its node's tunnel of nothing but IPv6
    /// (RFC 5213 5.6.2); `None`, and no change, if it is none or something is left to decide.
    #[inline(always)]
    fn exit_ipv6(&self, frame: &mut F, packet_len: usize, note: &Note) -> Option<PortId> {
        let tunnel = self.tunnels.ends(note.word.tunnel())?;
        let is_admitted = tunnel.shape == Shape::Ipv6
            && note.shape == Shape::Ipv6
            && tunnel.has_ends_of(frame.data());
        if !is_admitted {
            return None;
        }
        self.exit(frame, IPV6_LEN, packet_len, note)
    }

    /// The same for a packet that has been admitted.
    #[inline(always)]
    fn exit(
        &self,
        frame: &mut F,
        inner_at: usize,
        packet_len: usize,
        note: &Note,
    ) -> Option<PortId> {
        let exit = self.fib.known(note.home, note.probe.tag.customer(), note.dst)?;
        if packet_len > usize::from(exit.mtu) {
            return None;
        }
        let &Exit { port, mac, .. } = exit;
        let sender = self.senders.get(usize::from(port.0))?;
        let front = frame.trim_front_chunk::<{ ETHER_LEN + IPV4_LEN }>(inner_at)?;
        sender.write(front.first_chunk_mut()?, note.inner, mac);
        spend_hop(front.last_chunk_mut()?, note.inner);
        Some(port)
    }

    /// Whether its GRE key is that of the entry. A key is one customer's, so that then it also says
    /// what was assumed.
    #[inline]
    fn has_key(&self, frame: &[u8], note: &Note, tunnel: &TunnelSlot) -> bool {
        let uplink =
            if note.word.has_keys() { self.shard.gre_keys(note.slot).uplink } else { None };
        let outer_len = if tunnel.shape.family() == Family::Ipv6 { IPV6_LEN } else { IPV4_LEN };
        let key_at = outer_len + gre::HEADER_LEN;
        let has_key = usize::from(note.inner_at) > key_at;
        let key = frame.get(ETHER_LEN + key_at..).and_then(<[u8]>::first_chunk);
        key.filter(|_| has_key).map(|key| u32::from_be_bytes(*key)) == uplink
    }
}
