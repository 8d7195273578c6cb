//! A worker's part of the binding table: longest match over home network prefixes of any length and
//! IPv4 home addresses, in the address space of a customer.
//!
//! ```text
//!   slots:  | free | /64 a | /64 b | free | /56 c | ...      one cache line each, hashed by prefix
//!   lengths: IPv6: 64 (n), 56 (m)   IPv4: 128 (k)            probed longest first; one as a rule
//! ```
//!
//! Open addressing with linear probing in an array of twice as many slots as entries may be, so a
//! probe ends at its first or second line; removal shifts back, so there are no tombstones. The
//! size is fixed at start: `docs/adr/0011-shard-table.md` has the reasons and the numbers.

use super::hash::{high, low, mix, slot};
use super::header::Family;
use super::keys::KeyTable;
use super::update::{EntryCounters, Forward, TunnelId};
use crate::addr::{CustomerId, CustomerPrefix, GreKeys, HomePrefix};
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
    /// GRE keys; which of them there are says `keys`.
    downlink_key: u32,
    uplink_key: u32,
    customer: CustomerId,
    /// Length of the prefix, or [`FREE`].
    len: u8,
    /// [`HAS_DOWNLINK_KEY`] and [`HAS_UPLINK_KEY`].
    keys: u8,
}

const _: () = assert!(size_of::<ForwardEntry>() == 64, "one cache line a packet");

const HELD: u32 = u32::MAX;
const FREE: u8 = u8::MAX;
const HAS_DOWNLINK_KEY: u8 = 1;
const HAS_UPLINK_KEY: u8 = 2;

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
        downlink_key: 0,
        uplink_key: 0,
        customer: CustomerId(0),
        len: FREE,
        keys: 0,
    };

    fn is(&self, customer: CustomerId, prefix: u128, len: u8) -> bool {
        self.prefix == prefix && self.len == len && self.customer == customer
    }

    /// What becomes of its packets.
    pub(super) fn forward(&self) -> Forward {
        if self.forward == HELD {
            return Forward::Held;
        }
        Forward::Tunnel(TunnelId(self.forward), self.gre_keys())
    }

    fn gre_keys(&self) -> GreKeys {
        let key = |bit, key| (self.keys & bit != 0).then_some(key);
        GreKeys {
            downlink: key(HAS_DOWNLINK_KEY, self.downlink_key),
            uplink: key(HAS_UPLINK_KEY, self.uplink_key),
        }
    }

    /// While it is held, it keeps its keys: its gateway's packets are still its own.
    fn set_forward(&mut self, forward: Forward) {
        let Forward::Tunnel(TunnelId(id), GreKeys { downlink, uplink }) = forward else {
            self.forward = HELD;
            return;
        };
        let bit = |key: Option<u32>, bit| if key.is_some() { bit } else { 0 };
        self.forward = id;
        self.keys = bit(downlink, HAS_DOWNLINK_KEY) | bit(uplink, HAS_UPLINK_KEY);
        self.downlink_key = downlink.unwrap_or(0);
        self.uplink_key = uplink.unwrap_or(0);
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

/// Prefix lengths of one family in use, longest first, with their number of entries.
type Lengths = ArrayVec<(u8, usize), 129>;

/// A worker's part of the binding table.
#[derive(Debug)]
pub(super) struct Shard {
    slots: Box<[ForwardEntry]>,
    /// Of IPv4, so that an IPv6 address is not looked up as one of them.
    lengths_ipv4: Lengths,
    lengths_ipv6: Lengths,
    keys: KeyTable,
    entries: usize,
    entries_max: usize,
}

impl Shard {
    /// An empty shard for up to `entries_max` prefixes: 128 bytes each.
    pub(super) fn new(entries_max: usize) -> Self {
        Self {
            // One more than twice, so that there is always a free slot to end a probe.
            slots: vec![ForwardEntry::FREE; entries_max * 2 + 1].into_boxed_slice(),
            lengths_ipv4: Lengths::new(),
            lengths_ipv6: Lengths::new(),
            keys: KeyTable::new(entries_max),
            entries: 0,
            entries_max,
        }
    }

    /// How many prefixes it holds.
    pub(super) const fn len(&self) -> usize {
        self.entries
    }

    /// Whose address space packets with this uplink key are in.
    pub(super) fn customer_of(&self, uplink: u32) -> Option<CustomerId> {
        self.keys.customer_of(uplink)
    }

    /// The entry of the longest prefix that contains `addr`.
    pub(super) fn lookup(&self, customer: CustomerId, addr: u128) -> Option<Slot> {
        let lengths = self.lengths(Family::of(addr)).iter();
        lengths
            .map(|(len, _)| *len)
            .find_map(|len| self.find(customer, addr & HomePrefix::mask(len), len))
    }

    /// Brings the lines where the lookups of these addresses begin into the cache. The loads depend
    /// on nothing but the addresses, so as many are under way at once as the processor can: the
    /// effect of prefetching, without `unsafe`.
    pub(super) fn touch(&self, addrs: impl Iterator<Item = (CustomerId, u128)>) {
        let home = |(customer, addr)| {
            let (len, _) = self.lengths(Family::of(addr)).first()?;
            Some(self.home(customer, addr & HomePrefix::mask(*len), *len))
        };
        let homes: ArrayVec<usize, BURST_MAX> = addrs.filter_map(home).take(BURST_MAX).collect();
        let touched = homes.iter().fold(0, |sum, at| sum ^ self.slots[*at].len);
        black_box(touched); // or the loads would be optimised away
    }

    /// The entry of exactly this prefix.
    pub(super) fn lookup_exact(&self, key: CustomerPrefix) -> Option<Slot> {
        self.find(key.customer, key.prefix.bits(), key.prefix.len())
    }

    pub(super) fn entry(&self, slot: Slot) -> &ForwardEntry {
        &self.slots[slot.0]
    }

    pub(super) fn entry_mut(&mut self, slot: Slot) -> &mut ForwardEntry {
        &mut self.slots[slot.0]
    }

    /// The counters of exactly this prefix.
    pub(super) fn counters(&self, key: CustomerPrefix) -> Option<EntryCounters> {
        self.lookup_exact(key).map(|slot| self.entry(slot).counters)
    }

    /// Creates the entry of a prefix, or changes what becomes of its packets. `false`, and no
    /// change, if the shard is full or the uplink key is another customer's.
    #[must_use]
    pub(super) fn set(&mut self, key: CustomerPrefix, forward: Forward) -> bool {
        let old = self.lookup_exact(key);
        if old.is_none() && self.entries == self.entries_max {
            return false;
        }
        if let Forward::Tunnel(_, GreKeys { uplink: Some(uplink), .. }) = forward
            && !self.keys.add(uplink, key.customer)
        {
            return false;
        }
        let slot = old.unwrap_or_else(|| self.insert(key));
        let before = self.entry(slot).gre_keys().uplink;
        self.entry_mut(slot).set_forward(forward);
        if let (Forward::Tunnel(..), Some(before)) = (forward, before) {
            self.keys.remove(before);
        }
        true
    }

    /// Removes the entry of a prefix, if there is one.
    pub(super) fn remove(&mut self, key: CustomerPrefix) {
        let Some(Slot(mut hole)) = self.lookup_exact(key) else { return };
        if let Some(uplink) = self.slots[hole].gre_keys().uplink {
            self.keys.remove(uplink);
        }
        // Close the gap: whatever a probe would no longer find behind it moves into it.
        let mut at = self.after(hole);
        while self.slots[at].len != FREE {
            let ForwardEntry { customer, prefix, len, .. } = self.slots[at];
            let home = self.home(customer, prefix, len);
            if self.distance(home, hole) < self.distance(home, at) {
                self.slots[hole] = self.slots[at];
                hole = at;
            }
            at = self.after(at);
        }
        self.slots[hole] = ForwardEntry::FREE;
        self.entries -= 1;
        self.discount_length(key.prefix);
    }

    /// A new entry, held; there is room.
    fn insert(&mut self, key: CustomerPrefix) -> Slot {
        let CustomerPrefix { customer, prefix } = key;
        let (bits, len) = (prefix.bits(), prefix.len());
        let mut at = self.home(customer, bits, len);
        while self.slots[at].len != FREE {
            at = self.after(at);
        }
        self.slots[at] = ForwardEntry { customer, prefix: bits, len, ..ForwardEntry::FREE };
        self.entries += 1;
        self.count_length(prefix);
        Slot(at)
    }

    fn find(&self, customer: CustomerId, prefix: u128, len: u8) -> Option<Slot> {
        let mut at = self.home(customer, prefix, len);
        loop {
            let entry = &self.slots[at];
            if entry.is(customer, prefix, len) {
                return Some(Slot(at));
            }
            if entry.len == FREE {
                return None;
            }
            at = self.after(at);
        }
    }

    /// Where the probe for a prefix begins.
    fn home(&self, CustomerId(customer): CustomerId, prefix: u128, len: u8) -> usize {
        // Where prefixes of one operator differ least: in their first bits.
        let first = high(prefix) ^ u64::from(customer).rotate_right(16);
        slot(mix(first, low(prefix).rotate_left(8) ^ u64::from(len)), self.slots.len())
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }

    /// Slots from `from` forward to `to`, around the end.
    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.slots.len() - from }
    }

    fn lengths(&self, family: Family) -> &Lengths {
        match family {
            Family::Ipv4 => &self.lengths_ipv4,
            Family::Ipv6 => &self.lengths_ipv6,
        }
    }

    /// The lengths that a prefix belongs to.
    fn lengths_mut(&mut self, prefix: HomePrefix) -> &mut Lengths {
        if prefix.to_ipv4().is_some() { &mut self.lengths_ipv4 } else { &mut self.lengths_ipv6 }
    }

    fn count_length(&mut self, prefix: HomePrefix) {
        let len = prefix.len();
        let lengths = self.lengths_mut(prefix);
        match lengths.iter().position(|(l, _)| *l <= len) {
            Some(i) if lengths[i].0 == len => lengths[i].1 += 1,
            Some(i) => lengths.insert(i, (len, 1)),
            None => lengths.push((len, 1)),
        }
    }

    fn discount_length(&mut self, prefix: HomePrefix) {
        let lengths = self.lengths_mut(prefix);
        if let Some(i) = lengths.iter().position(|(l, _)| *l == prefix.len()) {
            lengths[i].1 -= 1;
            if lengths[i].1 == 0 {
                lengths.remove(i);
            }
        }
    }
}

#[cfg(test)]
mod tests;
