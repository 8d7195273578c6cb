//! Ordinary packets: nearly all of a carrier's. IPv6 without extension headers or IPv4 without
//! options and fragments, plain or in a tunnel, for a binding that this worker owns, through a
//! tunnel whose next hop is known.
//!
//! ```text
//!   read each packet's headers,      look each up:         run each, in order:
//!   ask for the line of its    -->   ask for its     -->   forward it,
//!   entry and of its route           tunnel                or give it to the general path
//! ```
//!
//! Each stage is a loop over the burst whose turns do not depend on each other, and asks for the
//! memory that the next one reads: a packet waits for no memory alone. Such a loop is made for one
//! kind of headers (`headers.rs`, `kind.rs`) and calls nothing, so that all it works with stays in
//! registers. That of the first packet runs first; if anything is left, that of the first one left.
//!
//! Whatever is not ordinary, for any reason, goes the general way (`burst.rs`), which decides
//! everything anew: here nothing is dropped, answered or punted, and nothing is forwarded that the
//! general path would not forward in the same bytes. `tests/ordinary.rs` holds one against the
//! other.

#![allow(clippy::inline_always)] // one path, laid out flat: its pieces are for the reader

mod down;
mod headers;
mod kind;
mod others;
mod read;
mod up;
mod upper;

use super::burst::Lane;
use super::counters::Counter;
use super::fib::CacheHome;
use super::handoff::Context;
use super::hash::Halves;
use super::header::{ETHER_LEN, Family, IPV4_LEN, Ip, Ipv4, Ipv6Start};
use super::shard::{Probe, Slot, Word};
use crate::addr::PortId;
use crate::nic::{BURST_MAX, Burst, Frame};
pub(super) use upper::Uppers;

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

/// What is to be done with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It goes to a node.
    Down,
    /// It comes from a node, in a tunnel.
    Up,
    /// It is not ordinary.
    General,
    /// Its headers need a closer look.
    Unread,
    /// It is ready to leave.
    Leave,
}

impl Way {
    /// As far as its headers say.
    #[inline(always)]
    const fn is_ordinary(self) -> bool {
        matches!(self, Self::Down | Self::Up)
    }
}

/// What is known of a frame. It is written in place, and each field is read as it was written: what
/// is copied in other pieces right after it was written stalls the processor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Note {
    way: Way,
    /// The family of the packet to or from the node.
    inner: Family,
    /// Where its entry is looked for, and where it was found.
    probe: Probe,
    slot: Slot,
    word: Word,
    /// Down: the start of a tunnel header of IPv6 with nothing between it and the packet.
    start: Ipv6Start,
    /// Up: where the packet begins in the tunnel packet, which also says what headers these are.
    inner_at: u8,
    /// Up: its destination, and where the cache has the way there.
    dst: Halves,
    home: CacheHome,
    /// Where it leaves.
    port: PortId,
}

const _: () = assert!(size_of::<Note>() <= 64, "notes of a burst leave room for its packets");

/// Of the frames of a burst, in their order; room for all that a burst may have.
#[derive(Debug)]
pub(super) struct Notes(Box<[Note]>);

impl Notes {
    /// Blank ones.
    pub(super) fn new() -> Self {
        let blank = Note {
            way: Way::Unread,
            inner: Family::Ipv6,
            probe: Probe::default(),
            slot: Slot::default(),
            word: Word::NONE,
            start: Ipv6Start::default(),
            inner_at: 0,
            dst: Halves::default(),
            home: CacheHome::default(),
            port: PortId(0),
        };
        Self(vec![blank; BURST_MAX].into_boxed_slice())
    }

    /// Whether the first frame of the last burst left without the general path.
    #[cfg(test)]
    pub(super) fn has_left(&self) -> bool {
        self.0.first().is_some_and(|note| note.way == Way::Leave)
    }
}

/// What a loop has forwarded of a burst.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    packets: u64,
    bytes: u64,
    /// How many it has left to another one.
    others: u64,
}

impl<F: Frame> Lane<F> {
    /// Runs the frames of a burst to their ends; `froms` says of each, or of all, where it came
    /// from.
    pub(super) fn run_burst(&mut self, burst: &mut Burst<F>, froms: &[From], notes: &mut Notes) {
        let notes = notes.0.get_mut(..burst.len()).unwrap_or_default();
        self.read(burst, notes, froms);
        self.look_up(burst, notes, froms);
        // As a rule all go the same way.
        let is_up = notes.first().is_some_and(|note| note.way == Way::Up);
        let mut forwarded = 0;
        for is_up in [is_up, !is_up] {
            if forwarded < notes.len() as u64 {
                forwarded += if is_up { self.up(burst, notes) } else { self.down(burst, notes) };
            }
        }
        self.leave(burst, notes, froms, forwarded == notes.len() as u64);
    }

    /// The second stage: the entry and its tunnel.
    #[inline(never)]
    fn look_up(&mut self, frames: &[F], notes: &mut [Note], froms: &[From]) {
        let mut is_all = true;
        for note in notes.iter_mut().filter(|note| note.way.is_ordinary()) {
            let Some((slot, word)) = self.shard.find(&note.probe) else {
                note.word = Word::NONE;
                is_all = false;
                continue;
            };
            (note.slot, note.word) = (slot, word);
            self.tunnels.prefetch::<F>(word.tunnel());
            if word.has_keys() {
                self.shard.prefetch_keys::<F>(slot);
            }
        }
        if !is_all {
            self.look_further(frames, notes, froms);
        }
    }

    /// Among shorter prefixes, if there are any.
    #[cold]
    fn look_further(&self, frames: &[F], notes: &mut [Note], froms: &[From]) {
        for ((frame, note), from) in frames.iter().zip(notes).zip(each(froms)) {
            if !note.way.is_ordinary() || !note.word.is_none() {
                continue;
            }
            let addr = node(frame, note).filter(|addr| self.is_ours(*addr, from));
            match addr.and_then(|addr| self.shard.lookup(note.probe.tag.customer(), addr)) {
                Some(slot) => (note.slot, note.word) = (slot, self.shard.word(slot)),
                None => note.way = Way::General,
            }
        }
    }

    /// Whether the packets of an address are this worker's.
    #[cold]
    #[inline(never)]
    fn is_ours(&self, addr: u128, from: From) -> bool {
        !matches!(from, From::Port(_)) || self.steering.owner_of_bits(addr) == self.id
    }

    /// The last stage of the packets that go this way: those of one kind of tunnel after the other,
    /// each kind by the loop that `by` has for its first; one without a loop goes the general way.
    /// Returns how many left.
    #[inline(always)]
    fn kind_by_kind(
        &mut self,
        way: Way,
        [packets, bytes]: [Counter; 2],
        frames: &mut [F],
        notes: &mut [Note],
        by: impl Fn(&mut Self, Note, &mut [F], &mut [Note]) -> Option<Tally>,
    ) -> u64 {
        let mut left = Tally::default();
        // As a rule all tunnels are of one kind.
        while let Some(at) = notes.iter().position(|note| note.way == way) {
            let Some(first) = notes.get(at).copied() else { break };
            let Some(tally) = by(self, first, frames, notes) else {
                if let Some(note) = notes.get_mut(at) {
                    note.way = Way::General;
                }
                continue;
            };
            left.packets += tally.packets;
            left.bytes += tally.bytes;
            if tally.others == 0 {
                break;
            }
        }
        self.counters.add(packets, left.packets);
        self.counters.add(bytes, left.bytes);
        left.packets
    }

    /// The end: all frames in their order; if all are `ready`, maybe at once.
    fn leave(&mut self, burst: &mut Burst<F>, notes: &[Note], froms: &[From], ready: bool) {
        let first = notes.first().map_or(PortId(0), |note| note.port);
        if ready
            && notes.iter().fold(0, |others, note| others | note.port.0 ^ first.0) == 0
            && let Some(staged) = self.staged.get_mut(usize::from(first.0))
            && staged.take_all(burst)
        {
            return;
        }
        for ((frame, note), from) in burst.drain(..).zip(notes).zip(each(froms)) {
            match note.way {
                Way::Leave => self.send(frame, note.port),
                _ => self.run_general(frame, from),
            }
        }
    }
}

/// One for each of a burst's frames, where one may stand for all.
fn each(froms: &[From]) -> impl Iterator<Item = From> {
    froms.iter().chain(std::iter::repeat_n(froms, BURST_MAX).flatten()).copied()
}

/// The node's address.
fn node<F: Frame>(frame: &F, note: &Note) -> Option<u128> {
    let packet = frame.data().get(ETHER_LEN..)?;
    match note.way {
        Way::Up => packet.get(usize::from(note.inner_at)..).and_then(Ip::of).map(Ip::src),
        _ => Ip::of(packet).map(Ip::dst),
    }
}

/// Forwarding costs a hop; there is one to spend.
#[inline(always)]
fn spend_hop(packet: &mut [u8; IPV4_LEN], family: Family) {
    match family {
        Family::Ipv6 => packet[7] = packet[7].wrapping_sub(1),
        Family::Ipv4 => Ipv4::spend_one(packet),
    }
}
