//! The last stage of a packet to its node.

use super::super::burst::Lane;
use super::super::counters::Counter;
use super::super::encap::{Outer, encapsulate, encapsulate_ipv6, overhead};
use super::super::header::{ETHER_LEN, Family, IPV6_LEN, Ip};
use super::super::shard::Slot;
use super::super::tunnel::{Shape, TunnelSlot};
use super::{Note, Tally, Way, spend_hop};
use crate::addr::PortId;
use crate::nic::Frame;

impl<F: Frame> Lane<F> {
    /// The last stage of packets to nodes: each into its tunnel, if nothing is left to decide.
    /// Returns how many that were.
    #[inline(never)]
    pub(super) fn down(&mut self, frames: &mut [F], notes: &mut [Note]) -> u64 {
        let (mut tally, mut is_all) = (Tally::default(), true);
        // As a rule all tunnels are of one kind.
        let first = notes.first().and_then(|note| self.tunnels.ends(note.word.tunnel()));
        let is_common = first.is_none_or(|tunnel| tunnel.shape == Shape::Ipv6);
        if !is_common {
            for note in notes.iter_mut().filter(|note| note.way == Way::Down) {
                (note.way, is_all) = (Way::OtherDown, false);
            }
        }
        let common = if is_common { frames.len() } else { 0 };
        let common = frames.get_mut(..common).unwrap_or_default();
        let mut rest = common.iter_mut().zip(notes.iter_mut());
        while let Some(slot) = self.down_commonest(&mut rest, &mut tally, &mut is_all) {
            self.shard.carry(slot);
        }
        if !is_all {
            self.down_others(frames, notes, &mut tally);
        }
        self.counters.add(Counter::DownlinkPackets, tally.packets);
        self.counters.add(Counter::DownlinkBytes, tally.bytes);
        tally.packets
    }

    /// Tunnels of IPv6 alone, up to an entry whose counts have to be carried.
    #[inline(always)]
    fn down_commonest<'f>(
        &mut self,
        rest: &mut impl Iterator<Item = (&'f mut F, &'f mut Note)>,
        tally: &mut Tally,
        is_all: &mut bool,
    ) -> Option<Slot> {
        for (frame, note) in rest {
            if note.way != Way::Down {
                continue;
            }
            let packet_len = frame.frame_len() - ETHER_LEN;
            let Some(port) = self.enter_ipv6(frame, packet_len, note) else {
                note.way = Way::OtherDown;
                *is_all = false;
                continue;
            };
            (note.way, note.port) = (Way::Leave, port);
            tally.packets += 1;
            tally.bytes += packet_len as u64;
            if self.shard.count_downlink(note.slot, packet_len) {
                return Some(note.slot);
            }
        }
        None
    }

    /// Tunnels over IPv4 or with GRE in them; what does not fit is for the general path.
    #[inline(never)]
    fn down_others(&mut self, frames: &mut [F], notes: &mut [Note], tally: &mut Tally) {
        for (frame, note) in frames.iter_mut().zip(notes) {
            if note.way != Way::OtherDown {
                continue;
            }
            let packet_len = frame.frame_len() - ETHER_LEN;
            let Some(port) = self.enter_other(frame, packet_len, note) else {
                note.way = Way::General;
                continue;
            };
            (note.way, note.port) = (Way::Leave, port);
            if self.shard.count_downlink(note.slot, packet_len) {
                self.shard.carry(note.slot);
            }
            tally.packets += 1;
            tally.bytes += packet_len as u64;
        }
    }

    /// The port by which a packet leaves in a tunnel of nothing but IPv6; `None`, and no change, if
    /// it is none or something is left to decide.
    #[inline(always)]
    fn enter_ipv6(&self, frame: &mut F, packet_len: usize, note: &Note) -> Option<PortId> {
        let tunnel = self.tunnels.ready(note.word.tunnel(), self.fib.generation())?;
        if tunnel.shape != Shape::Ipv6 || packet_len + IPV6_LEN > usize::from(tunnel.mtu) {
            return None;
        }
        let front = encapsulate_ipv6(frame, tunnel, note.start)?;
        spend_hop(front.last_chunk_mut()?, note.inner);
        Some(tunnel.port)
    }

    /// The same for any other tunnel.
    #[inline(always)]
    fn enter_other(&mut self, frame: &mut F, packet_len: usize, note: &Note) -> Option<PortId> {
        let tunnel = self.tunnels.ready(note.word.tunnel(), self.fib.generation())?;
        let (shape, port) = (tunnel.shape, tunnel.port);
        let key = self.downlink_key(note, tunnel);
        let overhead = overhead(shape, false, key.is_some());
        if packet_len + overhead > usize::from(tunnel.mtu) {
            return None;
        }
        let dont_fragment = match Ip::of_frame(frame.data())? {
            Ip::V6(_) => false,               // RFC 4213 3.2.1
            Ip::V4(ip) => ip.dont_fragment(), // RFC 2003 3.1
        };
        let outer = Outer {
            inner: note.inner,
            traffic_class: note.start.traffic_class(),
            flow_label: note.start.flow_label(),
            encap_limit: None,
            dont_fragment,
            identification: self.identification,
            key,
        };
        if !encapsulate(frame, tunnel, outer) {
            return None;
        }
        if shape.family() == Family::Ipv4 {
            self.identification = self.identification.wrapping_add(self.steering.workers());
        }
        let packet = frame.data_mut().get_mut(ETHER_LEN + overhead..)?;
        spend_hop(packet.first_chunk_mut()?, note.inner);
        Some(port)
    }

    /// The key of packets to a node in this tunnel.
    #[inline]
    fn downlink_key(&self, note: &Note, tunnel: &TunnelSlot) -> Option<u32> {
        let has_keys = tunnel.shape.has_gre() && note.word.has_keys();
        has_keys.then(|| self.shard.gre_keys(note.slot).downlink).flatten()
    }
}
