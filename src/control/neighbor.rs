//! Neighbours as the kernel sees them, and the frames that wait for one.
//!
//! ```text
//!   frame without link-layer address --hold--> [3 a neighbour, 1024 in all] --learned--> send
//!                                                     |
//!                                                     +--failed, too old, or full: counted, dropped
//! ```

use super::mirror::{Neighbor, PERMANENT};
use crate::addr::{MacAddr, PortId};
use crate::time::{Duration, Instant};
use arrayvec::ArrayVec;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::net::Ipv6Addr;

/// A neighbour's name: the port and the address on it.
pub(super) type NeighborKey = (PortId, Ipv6Addr);

/// Frames that wait for the same neighbour, in order of arrival.
pub(super) type Waiting<F> = ArrayVec<F, HELD_PER_NEIGHBOR>;

/// What became of a frame given to [`NeighborTable::hold`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// The kernel is to be asked for this neighbour.
    pub(super) ask: bool,
    /// How many frames were dropped to keep the bounds (this one or an older one).
    pub(super) dropped: u64,
}

/// Neighbours by port and address.
#[derive(Debug)]
pub(super) struct NeighborTable<F> {
    known: HashMap<NeighborKey, Neighbor>,
    waiting: HashMap<NeighborKey, Queue<F>>,
    /// When a queue is given up; in order, as every queue waits equally long.
    deadlines: VecDeque<(Instant, NeighborKey)>,
    held: usize,
}

#[derive(Debug)]
struct Queue<F> {
    frames: Waiting<F>,
    deadline: Instant,
}

impl<F> Default for NeighborTable<F> {
    fn default() -> Self {
        Self { known: HashMap::new(), waiting: HashMap::new(), deadlines: VecDeque::new(), held: 0 }
    }
}

impl<F> NeighborTable<F> {
    /// The link-layer address, if it is usable.
    pub(super) fn mac(&self, key: NeighborKey) -> Option<MacAddr> {
        self.known.get(&key).and_then(|n| n.mac)
    }

    /// Whether the operator gave the link-layer address.
    pub(super) fn is_permanent(&self, key: NeighborKey) -> bool {
        self.known.get(&key).is_some_and(|n| n.state == PERMANENT)
    }

    /// Keeps a frame until `key` is resolved. RFC 4861 7.2.2: when the queue overflows, the new
    /// arrival replaces the oldest.
    pub(super) fn hold(&mut self, key: NeighborKey, frame: F, now: Instant) -> Held {
        let full = self.held >= HELD_MAX;
        if let Some(queue) = self.waiting.get_mut(&key) {
            if full || queue.frames.is_full() {
                queue.frames.pop_at(0);
                queue.frames.push(frame);
                return Held { ask: false, dropped: 1 };
            }
            queue.frames.push(frame);
            self.held += 1;
            return Held { ask: false, dropped: 0 };
        }
        if full {
            return Held { ask: false, dropped: 1 };
        }
        let deadline = now + HOLD_TIME;
        self.deadlines.push_back((deadline, key));
        let mut frames = Waiting::new();
        frames.push(frame);
        self.waiting.insert(key, Queue { frames, deadline });
        self.held += 1;
        Held { ask: true, dropped: 0 }
    }

    /// Takes the kernel's word in; returns the frames that may leave now.
    pub(super) fn learned(&mut self, key: NeighborKey, neighbor: Neighbor) -> Waiting<F> {
        self.known.insert(key, neighbor);
        if neighbor.mac.is_some() { self.take(key) } else { Waiting::new() }
    }

    /// The neighbour did not answer: gives up its frames; returns how many were dropped.
    pub(super) fn failed(&mut self, key: NeighborKey) -> u64 {
        self.take(key).len() as u64
    }

    /// The kernel forgot a neighbour.
    pub(super) fn forget(&mut self, key: NeighborKey) {
        self.known.remove(&key);
    }

    /// Gives up frames that waited too long; returns how many.
    pub(super) fn expire(&mut self, now: Instant) -> u64 {
        let mut dropped = 0;
        while let Some(&(deadline, key)) = self.deadlines.front()
            && deadline <= now
        {
            self.deadlines.pop_front();
            // The key may have a newer queue by now.
            if self.waiting.get(&key).is_some_and(|q| q.deadline == deadline) {
                dropped += self.failed(key);
            }
        }
        dropped
    }

    /// All that the kernel knows, sorted.
    pub(super) fn rows(&self) -> Vec<(NeighborKey, Neighbor)> {
        let mut rows: Vec<_> = self.known.iter().map(|(k, n)| (*k, *n)).collect();
        rows.sort_by_key(|(k, _)| *k);
        rows
    }

    fn take(&mut self, key: NeighborKey) -> Waiting<F> {
        let frames = self.waiting.remove(&key).map_or_else(Waiting::new, |q| q.frames);
        self.held -= frames.len();
        frames
    }
}

/// RFC 4861 7.2.2 asks for a small queue; Linux keeps three packets by default as well.
const HELD_PER_NEIGHBOR: usize = 3;
/// Over all neighbours: a scan of a prefix on link must not use up the buffers.
const HELD_MAX: usize = 1024;
/// Three solicitations a second apart (RFC 4861 10).
const HOLD_TIME: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Instant = Instant(0);

    fn key(n: u128) -> NeighborKey {
        (PortId(0), Ipv6Addr::from_bits(0x2001_0db8 << 96 | n))
    }

    fn reachable() -> Neighbor {
        Neighbor { mac: Some(MacAddr([2; 6])), state: "reachable" }
    }

    #[test]
    fn fourth_frame_for_a_neighbor_replaces_the_oldest_and_the_kernel_is_asked_once() {
        let mut table = NeighborTable::default();
        let held: Vec<Held> = (0..4).map(|n| table.hold(key(1), n, T0)).collect();
        assert_eq!(held.iter().map(|h| h.ask).collect::<Vec<_>>(), [true, false, false, false]);
        assert_eq!(held.iter().map(|h| h.dropped).sum::<u64>(), 1);
        assert_eq!(table.learned(key(1), reachable()).as_slice(), [1, 2, 3]);
        assert_eq!(table.mac(key(1)), Some(MacAddr([2; 6])));
        assert_eq!(table.held, 0);
    }

    #[test]
    fn scan_of_a_prefix_is_bounded_over_all_neighbors() {
        let mut table = NeighborTable::default();
        let dropped: u64 = (0..2000).map(|n| table.hold(key(n), n, T0).dropped).sum();
        assert_eq!((table.held, dropped), (HELD_MAX, 2000 - HELD_MAX as u64));
        assert_eq!(table.hold(key(1), 1, T0), Held { ask: false, dropped: 1 });
        assert_eq!(table.held, HELD_MAX);
        assert_eq!(table.expire(T0 + HOLD_TIME), HELD_MAX as u64);
        assert!(table.waiting.is_empty() && table.deadlines.is_empty());
    }

    #[test]
    fn frames_of_a_neighbor_asked_again_wait_their_own_time() {
        let mut table = NeighborTable::default();
        table.hold(key(1), 1, T0);
        table.learned(key(1), reachable());
        let later = T0 + Duration::from_secs(2);
        table.hold(key(1), 2, later);
        assert_eq!(table.expire(T0 + HOLD_TIME), 0);
        assert_eq!(table.failed(key(1)), 1);
    }
}
