//! Ordinary packets: nearly all of a carrier's. IPv6 without extension headers or IPv4 without
//! options and fragments, plain or in a tunnel, for a binding that this worker owns, through a
//! tunnel whose next hop is known.
//!
//! ```text
//!   read each     place each:         look each up:         run each, in order:
//!   packet's -->  ask for its  -->    ask for its    -->    forward it,
//!   headers       entry's line        tunnel and route      or give it to the general path
//! ```
//!
//! Each stage is a loop over the burst whose turns do not depend on each other, and asks for the
//! memory that the next one reads: a packet waits for no memory alone. Whatever is not ordinary,
//! for any reason, is left as it came and goes the general way (`burst.rs`), which decides
//! everything anew: here nothing is dropped, answered or punted, and nothing is forwarded that the
//! general path would not forward in the same bytes. `tests/ordinary.rs` holds one against the
//! other.

#![allow(clippy::inline_always)] // one path, laid out flat: its pieces are for the reader

mod read;

use super::burst::{Lane, cut};
use super::classify::Via;
use super::counters::{Counter, CounterWriter};
use super::drop::DropReason;
use super::egress::address;
use super::encap::{Outer, encapsulate, encapsulate_ipv6, overhead};
use super::fib::{CacheHome, Route};
use super::handoff::Context;
use super::header::{ETHER_LEN, Family, IPV6_LEN, Ip, Ipv4};
use super::shard::{Probe, Slot};
use super::tunnel::Shape;
use super::update::TunnelId;
use crate::addr::{CustomerId, MacAddr, PortId};
use crate::nic::{BURST_MAX, Burst, Frame};

/// Where a frame came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// A port.
    Port(PortId),
    /// Another worker, which received it by this port: its inner source is ours.
    Uplink(PortId),
    /// Another worker, which found it to be plain and cut it: its destination is ours.
    Downlink(Context),
}

/// What is known of a frame. It is written in place, and each field is read as it was written: what
/// is copied in other pieces right after it was written stalls the processor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Note {
    from: From,
    way: Way,
    /// Length of the packet, tunnel headers included; behind it is padding.
    packet_len: u16,
    customer: CustomerId,
    /// The node's address, and where its entry is looked for.
    addr: u128,
    probe: Probe,
    /// Its entry and tunnel.
    slot: Slot,
    tunnel: TunnelId,
    has_keys: bool,
    /// The family of the packet that is in the tunnel.
    inner: Family,
    /// Of a packet to a node: what the tunnel's header repeats.
    traffic_class: u8,
    dont_fragment: bool,
    flow_label: u32,
    /// Of a packet from a node: where it begins in the tunnel packet, and behind what; its
    /// destination, and where that one's next hop may be found.
    inner_at: u16,
    via: Via,
    dst: u128,
    home: CacheHome,
}

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is not ordinary.
    General,
    /// To a node.
    Down,
    /// From a node, in a tunnel.
    Up,
}

/// Of the frames of a burst, in their order; room for all that a burst may have.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<Note>);

impl Notes {
    /// Blank ones.
    pub(super) fn new() -> Self {
        let blank = Note {
            from: From::Port(PortId(0)),
            way: Way::General,
            packet_len: 0,
            customer: CustomerId(0),
            addr: 0,
            probe: Probe::default(),
            slot: Slot::default(),
            tunnel: TunnelId(0),
            has_keys: false,
            inner: Family::Ipv6,
            traffic_class: 0,
            dont_fragment: false,
            flow_label: 0,
            inner_at: 0,
            via: Via::Ip,
            dst: 0,
            home: CacheHome::default(),
        };
        Self(vec![blank; BURST_MAX])
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Note> {
        self.0.iter_mut()
    }
}

/// What a burst has forwarded.
#[derive(Debug, Default)]
struct Tally {
    downlink_packets: u64,
    downlink_bytes: u64,
    uplink_packets: u64,
    uplink_bytes: u64,
}

impl Tally {
    fn count(&self, counters: &mut CounterWriter) {
        counters.add(Counter::DownlinkPackets, self.downlink_packets);
        counters.add(Counter::DownlinkBytes, self.downlink_bytes);
        counters.add(Counter::UplinkPackets, self.uplink_packets);
        counters.add(Counter::UplinkBytes, self.uplink_bytes);
    }
}

impl<F: Frame> Lane<F> {
    /// The stages after the first one, for a burst whose frames have all been read.
    pub(super) fn run_burst(&mut self, burst: &mut Burst<F>, notes: &mut Notes) {
        let notes = notes.0.get_mut(..burst.len()).unwrap_or_default();
        for note in notes.iter_mut().filter(|note| note.way != Way::General) {
            self.place(note);
        }
        for note in notes.iter_mut().filter(|note| note.way != Way::General) {
            self.look_up(note);
        }
        let mut tally = Tally::default();
        for (frame, note) in burst.drain(..).zip(notes) {
            let left = match note.way {
                Way::Down => self.down(frame, note, &mut tally),
                Way::Up => self.up(frame, note, &mut tally),
                Way::General => Err(frame),
            };
            if let Err(frame) = left {
                self.run_general(frame, note.from);
            }
        }
        tally.count(&mut self.counters);
    }

    /// The second stage: where the entry is, if this worker owns it.
    #[inline(always)]
    fn place(&self, note: &mut Note) {
        let is_from_port = matches!(note.from, From::Port(_));
        if is_from_port && self.steering.owner_of_bits(note.addr) != self.id {
            note.way = Way::General;
            return;
        }
        match self.shard.probe(note.customer, note.inner, note.addr) {
            Some(probe) => {
                F::prefetch(self.shard.line(&probe));
                note.probe = probe;
            }
            None => note.way = Way::General,
        }
    }

    /// The third stage: the entry and its tunnel.
    #[inline(always)]
    fn look_up(&self, note: &mut Note) {
        let slot = self.shard.find(&note.probe, note.addr).or_else(|| self.look_further(note));
        let found = slot.and_then(|slot| Some((slot, self.shard.tunnel(slot)?)));
        let Some((slot, (tunnel, has_keys))) = found else {
            note.way = Way::General;
            return;
        };
        (note.slot, note.tunnel, note.has_keys) = (slot, tunnel, has_keys);
        if let Some(tunnel) = self.tunnels.ends(tunnel) {
            F::prefetch(tunnel);
        }
        if has_keys {
            F::prefetch(self.shard.beside(slot));
        }
        if note.way == Way::Up {
            F::prefetch(self.fib.line(note.home));
        }
    }

    /// Among shorter prefixes, if there are any.
    #[cold]
    fn look_further(&self, note: &Note) -> Option<Slot> {
        self.shard.lookup(note.customer, note.addr)
    }

    /// The last stage of a packet to its node; gives it back if the general path has to decide.
    #[inline(always)]
    fn down(&mut self, mut frame: F, note: &Note, tally: &mut Tally) -> Result<(), F> {
        let Some(tunnel) = self.tunnels.ready(note.tunnel, self.fib.generation()) else {
            return Err(frame);
        };
        let packet_len = usize::from(note.packet_len);
        let is_plain = tunnel.shape == Shape::Ipv6;
        let key = if is_plain { None } else { self.downlink_key(note, tunnel.shape) };
        let overhead =
            if is_plain { IPV6_LEN } else { overhead(tunnel.shape, false, key.is_some()) };
        if packet_len + overhead > usize::from(tunnel.mtu) || !cut(&mut frame, packet_len) {
            return Err(frame);
        }
        spend_hop(&mut frame, note.inner);
        let mut outer = Outer {
            inner: note.inner,
            traffic_class: note.traffic_class,
            flow_label: note.flow_label,
            encap_limit: None,
            dont_fragment: note.dont_fragment,
            identification: 0,
            key,
        };
        let port = tunnel.port;
        let done = if is_plain {
            encapsulate_ipv6(&mut frame, tunnel, outer, packet_len)
        } else {
            if tunnel.shape.family() == Family::Ipv4 {
                outer.identification = self.identification;
                self.identification = self.identification.wrapping_add(self.steering.workers());
            }
            encapsulate(&mut frame, tunnel, outer)
        };
        if !done {
            self.discard(frame, DropReason::NoHeadroom);
            return Ok(());
        }
        self.shard.count_downlink(note.slot, packet_len);
        tally.downlink_packets += 1;
        tally.downlink_bytes += packet_len as u64;
        self.send(frame, port);
        Ok(())
    }

    /// The key of packets to a node in a tunnel of this shape.
    #[inline]
    fn downlink_key(&self, note: &Note, shape: Shape) -> Option<u32> {
        let has_key = shape.has_gre() && note.has_keys;
        has_key.then(|| self.shard.gre_keys(note.slot).downlink).flatten()
    }

    /// The last stage of a packet from its node; gives it back if the general path has to decide.
    #[inline(always)]
    fn up(&mut self, mut frame: F, note: &Note, tally: &mut Tally) -> Result<(), F> {
        let Some((port, mac)) = self.exit(&frame, note) else { return Err(frame) };
        let (packet_len, inner_at) = (usize::from(note.packet_len), usize::from(note.inner_at));
        if !cut(&mut frame, packet_len) || !frame.trim_front(inner_at) {
            return Err(frame);
        }
        let bytes = packet_len - inner_at;
        self.shard.count_uplink(note.slot, bytes);
        tally.uplink_packets += 1;
        tally.uplink_bytes += bytes as u64;
        spend_hop(&mut frame, note.inner);
        if let Some(config) = self.ports.get(usize::from(port.0)) {
            address(&mut frame, config, Some(mac));
        }
        self.send(frame, port);
        Ok(())
    }

    /// Where a packet from a node leaves; `None` if there is anything to decide.
    #[inline(always)]
    fn exit(&self, frame: &F, note: &Note) -> Option<(PortId, MacAddr)> {
        let tunnel = self.tunnels.ends(note.tunnel)?;
        let outer = Ip::of_frame(frame.data())?;
        tunnel.admits(outer.src(), outer.dst(), note.via).ok()?;
        if tunnel.shape.has_gre() {
            // A key is one customer's, so where it is the entry's, it says what was assumed.
            let uplink = if note.has_keys { self.shard.gre_keys(note.slot).uplink } else { None };
            if note.via.key() != uplink {
                return None;
            }
        }
        let Route::Send(port, mac) = self.fib.known(note.home, note.customer, note.dst)? else {
            return None;
        };
        let mtu = self.ports.get(usize::from(port.0))?.mtu;
        (note.packet_len - note.inner_at <= mtu).then_some((port, mac))
    }
}

/// Forwarding costs a hop; there is one to spend.
#[inline(always)]
fn spend_hop<F: Frame>(frame: &mut F, family: Family) {
    let Some(packet) = frame.data_mut().get_mut(ETHER_LEN..) else { return };
    match (family, packet) {
        (Family::Ipv6, [_, _, _, _, _, _, _, hops, ..]) => *hops = hops.wrapping_sub(1),
        (Family::Ipv6, _) => {}
        (Family::Ipv4, packet) => Ipv4::spend_hop(packet),
    }
}
