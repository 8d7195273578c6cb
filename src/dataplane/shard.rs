//! A worker's part of the binding table: longest match over home network prefixes of any length.
//!
//! ```text
//!   slots:  | free | /64 a | /64 b | free | /56 c | ...      one cache line each, hashed by prefix
//!   lengths: 64 (n), 56 (m)                                  probed longest first; one as a rule
//! ```
//!
//! Open addressing with linear probing in an array of twice as many slots as entries may be, so a
//! probe ends at its first or second line; removal shifts back, so there are no tombstones. The
//! size is fixed at start: `docs/adr/0011-shard-table.md` has the reasons and the numbers.

use super::hash::{high, low, mix, slot};
use super::update::{EntryCounters, Forward, TunnelId};
use crate::addr::{GreKeys, HomePrefix};
use crate::nic::BURST_MAX;
use arrayvec::ArrayVec;
use core::hint::black_box;

/// What a worker keeps of one home network prefix: a cache line, counters included.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct ForwardEntry {
    prefix: u128,
    counters: EntryCounters,
    /// A tunnel's number, or [`HELD`].
    forward: u32,
    /// Length of the prefix, or [`FREE`].
    len: u8,
}

const _: () = assert!(size_of::<ForwardEntry>() == 64, "one cache line a packet");

const HELD: u32 = u32::MAX;
const FREE: u8 = u8::MAX;

impl ForwardEntry {
    const FREE: Self = Self {
        prefix: 0,
        counters: EntryCounters {
            downlink_packets: 0,
            downlink_bytes: 0,
            uplink_packets: 0,
            uplink_bytes: 0,
        },
        forward: HELD,
        len: FREE,
    };

    fn is(&self, prefix: u128, len: u8) -> bool {
        self.prefix == prefix && self.len == len
    }

    /// What becomes of its packets.
    pub(super) fn forward(&self) -> Forward {
        match self.forward {
            HELD => Forward::Held,
            id => Forward::Tunnel(TunnelId(id), GreKeys::default()),
        }
    }

    /// Counts a packet to the node.
    pub(super) fn count_downlink(&mut self, bytes: usize) {
        self.counters.downlink_packets += 1;
        self.counters.downlink_bytes += bytes as u64;
    }

    /// Counts a packet from the node.
    pub(super) fn count_uplink(&mut self, bytes: usize) {
        self.counters.uplink_packets += 1;
        self.counters.uplink_bytes += bytes as u64;
    }
}

/// Where an entry is; valid until the shard changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(usize);

/// A worker's part of the binding table.
#[derive(Debug)]
pub(super) struct Shard {
    slots: Box<[ForwardEntry]>,
    /// Lengths in use, longest first, with their number of entries.
    lengths: ArrayVec<(u8, usize), 129>,
    entries: usize,
    entries_max: usize,
}

impl Shard {
    /// An empty shard for up to `entries_max` prefixes: 128 bytes each.
    pub(super) fn new(entries_max: usize) -> Self {
        Self {
            // One more than twice, so that there is always a free slot to end a probe.
            slots: vec![ForwardEntry::FREE; entries_max * 2 + 1].into_boxed_slice(),
            lengths: ArrayVec::new(),
            entries: 0,
            entries_max,
        }
    }

    /// How many prefixes it holds.
    pub(super) const fn len(&self) -> usize {
        self.entries
    }

    /// The entry of the longest prefix that contains `addr`.
    pub(super) fn lookup(&self, addr: u128) -> Option<Slot> {
        self.lengths.iter().find_map(|(len, _)| self.find(addr & HomePrefix::mask(*len), *len))
    }

    /// Brings the lines where the lookups of these addresses begin into the cache. The loads depend
    /// on nothing but the addresses, so as many are under way at once as the processor can: the
    /// effect of prefetching, without `unsafe`.
    pub(super) fn touch(&self, addrs: impl Iterator<Item = u128>) {
        let Some((len, _)) = self.lengths.first() else { return };
        let mask = HomePrefix::mask(*len);
        let homes: ArrayVec<usize, BURST_MAX> =
            addrs.map(|addr| self.home(addr & mask, *len)).take(BURST_MAX).collect();
        let touched = homes.iter().fold(0, |sum, at| sum ^ self.slots[*at].len);
        black_box(touched); // or the loads would be optimised away
    }

    /// The entry of exactly this prefix.
    pub(super) fn lookup_exact(&self, prefix: HomePrefix) -> Option<Slot> {
        self.find(prefix.bits(), prefix.len())
    }

    pub(super) fn entry(&self, slot: Slot) -> &ForwardEntry {
        &self.slots[slot.0]
    }

    pub(super) fn entry_mut(&mut self, slot: Slot) -> &mut ForwardEntry {
        &mut self.slots[slot.0]
    }

    /// The counters of exactly this prefix.
    pub(super) fn counters(&self, prefix: HomePrefix) -> Option<EntryCounters> {
        self.lookup_exact(prefix).map(|slot| self.entry(slot).counters)
    }

    /// Creates the entry of a prefix, or changes what becomes of its packets. `false` if the shard
    /// is full.
    #[must_use]
    pub(super) fn set(&mut self, prefix: HomePrefix, forward: Forward) -> bool {
        let forward = match forward {
            Forward::Tunnel(TunnelId(id), _) => id,
            Forward::Held => HELD,
        };
        if let Some(slot) = self.lookup_exact(prefix) {
            self.entry_mut(slot).forward = forward;
            return true;
        }
        if self.entries == self.entries_max {
            return false;
        }
        let (bits, len) = (prefix.bits(), prefix.len());
        let mut at = self.home(bits, len);
        while self.slots[at].len != FREE {
            at = self.after(at);
        }
        self.slots[at] = ForwardEntry { prefix: bits, forward, len, ..ForwardEntry::FREE };
        self.entries += 1;
        self.count_length(len);
        true
    }

    /// Removes the entry of a prefix, if there is one.
    pub(super) fn remove(&mut self, prefix: HomePrefix) {
        let Some(Slot(mut hole)) = self.lookup_exact(prefix) else { return };
        // Close the gap: whatever a probe would no longer find behind it moves into it.
        let mut at = self.after(hole);
        while self.slots[at].len != FREE {
            let home = self.home(self.slots[at].prefix, self.slots[at].len);
            if self.distance(home, hole) < self.distance(home, at) {
                self.slots[hole] = self.slots[at];
                hole = at;
            }
            at = self.after(at);
        }
        self.slots[hole] = ForwardEntry::FREE;
        self.entries -= 1;
        self.discount_length(prefix.len());
    }

    fn find(&self, prefix: u128, len: u8) -> Option<Slot> {
        let mut at = self.home(prefix, len);
        loop {
            let entry = &self.slots[at];
            if entry.is(prefix, len) {
                return Some(Slot(at));
            }
            if entry.len == FREE {
                return None;
            }
            at = self.after(at);
        }
    }

    /// Where the probe for a prefix begins.
    fn home(&self, prefix: u128, len: u8) -> usize {
        slot(mix(high(prefix), low(prefix).rotate_left(8) ^ u64::from(len)), self.slots.len())
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }

    /// Slots from `from` forward to `to`, around the end.
    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.slots.len() - from }
    }

    fn count_length(&mut self, len: u8) {
        match self.lengths.iter().position(|(l, _)| *l <= len) {
            Some(i) if self.lengths[i].0 == len => self.lengths[i].1 += 1,
            Some(i) => self.lengths.insert(i, (len, 1)),
            None => self.lengths.push((len, 1)),
        }
    }

    fn discount_length(&mut self, len: u8) {
        if let Some(i) = self.lengths.iter().position(|(l, _)| *l == len) {
            self.lengths[i].1 -= 1;
            if self.lengths[i].1 == 0 {
                self.lengths.remove(i);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn prefix(s: &str) -> HomePrefix {
        s.parse().unwrap()
    }

    /// Few prefixes that nest and collide, so that random operations meet.
    fn any_prefix() -> impl Strategy<Value = HomePrefix> {
        let len =
            prop_oneof![Just(48u8), Just(56), Just(64), Just(65), Just(127), Just(128), 0..=128u8];
        (0u128..4, 0u128..4, 0u128..3, len).prop_map(|(a, b, c, len)| {
            let bits = (0x2001_0db8_u128 << 96) | (a << 80) | (b << 64) | (b << 71) | c;
            HomePrefix::truncating(std::net::Ipv6Addr::from_bits(bits), len).unwrap()
        })
    }

    proptest! {
        #[test]
        fn shard_agrees_with_a_naive_longest_match(
            ops in prop::collection::vec((any_prefix(), prop::option::of(0u32..9)), 1..200),
            probes in prop::collection::vec(any_prefix(), 1..40),
        ) {
            const MAX: usize = 24;
            let mut shard = Shard::new(MAX);
            let mut model = BTreeMap::new();
            for (p, op) in ops {
                if let Some(id) = op {
                    let fits = model.contains_key(&p) || model.len() < MAX;
                    prop_assert_eq!(shard.set(p, Forward::Tunnel(TunnelId(id), GreKeys::default())), fits);
                    if fits {
                        model.insert(p, id);
                    }
                } else {
                    shard.remove(p);
                    model.remove(&p);
                }
                prop_assert_eq!(shard.len(), model.len());
            }
            for addr in probes.iter().map(|p| p.addr()) {
                let want = model.iter().filter(|(p, _)| p.contains(addr)).max_by_key(|(p, _)| p.len());
                let got = shard.lookup(addr.to_bits()).map(|s| shard.entry(s).forward());
                prop_assert_eq!(got, want.map(|(_, id)| Forward::Tunnel(TunnelId(*id), GreKeys::default())));
            }
        }
    }

    #[test]
    fn moving_an_entry_keeps_its_counters_and_removing_it_clears_them() {
        let mut shard = Shard::new(4);
        let p = prefix("2001:db8:1::/64");
        assert!(shard.set(p, Forward::Tunnel(TunnelId(1), GreKeys::default())));
        let slot = shard.lookup(p.addr().to_bits()).unwrap();
        shard.entry_mut(slot).count_downlink(100);
        shard.entry_mut(slot).count_uplink(60);
        assert!(shard.set(p, Forward::Held));
        let want = EntryCounters {
            downlink_packets: 1,
            downlink_bytes: 100,
            uplink_packets: 1,
            uplink_bytes: 60,
        };
        assert_eq!(shard.counters(p), Some(want));
        shard.remove(p);
        assert!(shard.set(p, Forward::Held));
        assert_eq!(shard.counters(p), Some(EntryCounters::default()));
    }

    #[test]
    fn shard_of_no_entries_answers() {
        let mut shard = Shard::new(0);
        assert!(!shard.set(prefix("::/0"), Forward::Held));
        assert_eq!(shard.lookup(1), None);
    }
}
