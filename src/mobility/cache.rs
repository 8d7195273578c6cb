//! The Binding Cache: every session, found by its id, by any of its prefixes, or by its node. A
//! prefix is one in a customer's address space; an IPv4 home address is one too.
//!
//! ```text
//!   by_id      id      -> slot        slots:  [ Bce | Bce |  -  | Bce ]      free: [2]
//!   by_prefix  prefix  -> slot                  |            ^
//!   by_node    MN-ID   -> newest slot           +-- older ---+   (sessions of one node)
//! ```
//! The indexes hold slot numbers, not keys: the key is read from the entry itself, so a prefix or
//! an identifier stands in memory once. Nothing here depends on the order of a hash table.

mod slots;

use crate::addr::{CustomerId, CustomerPrefix, MnId};
use crate::mobility::action::BindingId;
use crate::mobility::binding::Bce;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use slots::Slots;
use std::cell::Cell;
use std::hash::BuildHasher;

/// Every mobility session that the anchor knows.
#[derive(Debug, Default)]
pub struct BindingCache {
    slots: Slots,
    by_id: HashMap<BindingId, u32>,
    by_prefix: HashTable<(u32, u32)>,
    by_node: HashTable<u32>,
    hasher: DefaultHashBuilder,
    last_id: u64,
    /// A slot to look at first: an update asks for its session half a dozen times.
    last: Cell<u32>,
}

/// An entry, and the slot of the next older session of the same node.
#[derive(Debug)]
struct Slot {
    bce: Bce,
    older: Option<u32>,
}

impl BindingCache {
    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// How many prefixes and IPv4 home addresses they hold.
    #[must_use]
    pub fn prefixes(&self) -> usize {
        self.by_prefix.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// One session; `None` when it is gone.
    #[must_use]
    pub fn get(&self, id: BindingId) -> Option<&Bce> {
        self.at(self.slot_of(id)?)
    }

    fn slot_of(&self, id: BindingId) -> Option<u32> {
        let last = self.last.get();
        if self.at(last).is_some_and(|b| b.id == id) {
            return Some(last);
        }
        let slot = *self.by_id.get(&id)?;
        self.last.set(slot);
        Some(slot)
    }

    /// Makes room for so many sessions, each with one prefix: tables that grow later would keep
    /// everybody waiting for as long as it takes to write them anew.
    pub(crate) fn reserve(&mut self, sessions: usize) {
        let Self { slots, by_node, by_prefix, hasher, .. } = self;
        by_node.reserve(sessions, |&s| hash_node(slots, hasher, s));
        by_prefix.reserve(sessions, |&e| hash_prefix(slots, hasher, e));
        self.by_id.reserve(sessions);
    }

    /// For how many sessions there is room before a table grows.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.by_id.capacity()
    }

    /// The session that holds exactly this prefix.
    #[must_use]
    pub fn by_prefix(&self, prefix: CustomerPrefix) -> Option<&Bce> {
        let hash = self.hasher.hash_one(prefix);
        let entry = self.by_prefix.find(hash, |&e| self.prefix_of(e) == Some(prefix))?;
        self.at(entry.0)
    }

    /// The sessions of all nodes with this identifier, newest first.
    pub fn of_node(&self, mn_id: &MnId) -> impl Iterator<Item = &Bce> {
        self.chain(self.newest_of(mn_id))
    }

    /// The slot of a node's newest session.
    pub(crate) fn newest_of(&self, mn_id: &MnId) -> Option<u32> {
        let hash = node_hash(&self.hasher, mn_id.subtype(), mn_id.bytes());
        self.by_node.find(hash, |&s| self.node_of(s) == Some(mn_id)).copied()
    }

    /// A node's sessions, from the slot of its newest on.
    pub(crate) fn chain(&self, newest: Option<u32>) -> impl Iterator<Item = &Bce> {
        let mut next = newest;
        std::iter::from_fn(move || {
            let slot = self.slot(next?)?;
            next = slot.older;
            Some(&slot.bce)
        })
    }

    /// Whether a node with this identifier, as it stands on the wire, has a session.
    #[must_use]
    pub fn has_node(&self, subtype: u8, id: &[u8]) -> bool {
        let hash = node_hash(&self.hasher, subtype, id);
        let is = |mn_id: &MnId| mn_id.subtype() == subtype && mn_id.bytes() == id;
        self.by_node.find(hash, |&s| self.node_of(s).is_some_and(is)).is_some()
    }

    /// The sessions of a customer's node, newest first.
    pub(crate) fn of_subscriber(
        &self,
        home: CustomerId,
        mn_id: &MnId,
    ) -> impl Iterator<Item = &Bce> {
        self.of_node(mn_id).filter(move |b| b.home == home)
    }

    /// Some sessions in a stable order, for listings: at most `slots_max` slots from `cursor` on
    /// are looked at. Also where the next page begins; `None` if that was all.
    pub fn page(
        &self,
        cursor: u64,
        slots_max: usize,
    ) -> (impl Iterator<Item = (u64, &Bce)>, Option<u64>) {
        let start = usize::try_from(cursor).unwrap_or(usize::MAX).min(self.slots.len());
        let end = start.saturating_add(slots_max.max(1)).min(self.slots.len());
        let rows = self.slots.range(start, end).map(|(n, s)| (n + 1, &s.bce));
        (rows, (end < self.slots.len()).then_some(end as u64))
    }

    /// An id that was never used.
    pub(crate) fn next_id(&mut self) -> BindingId {
        self.last_id += 1;
        BindingId(self.last_id)
    }

    /// Never gives out `id`, nor one before it.
    pub(crate) fn skip_id(&mut self, id: BindingId) {
        self.last_id = self.last_id.max(id.0);
    }

    /// Adds a session whose id and prefixes are not in the cache.
    pub(crate) fn insert(&mut self, bce: Bce) {
        self.skip_id(bce.id);
        let (id, hash) = (bce.id, node_hash(&self.hasher, bce.mn_id.subtype(), bce.mn_id.bytes()));
        let place = self.by_node.find(hash, |&s| self.node_of(s) == Some(&bce.mn_id)).copied();
        let slot = self.slots.insert(Slot { bce, older: place });
        self.by_id.insert(id, slot);
        self.last.set(slot);
        self.set_newest(hash, place, Some(slot));
        self.index(slot);
    }

    /// Changes a session in place; its id, node, customer and prefixes stay.
    pub(crate) fn get_mut(&mut self, id: BindingId) -> Option<&mut Bce> {
        let slot = self.slot_of(id)?;
        self.slots.get_mut(slot).map(|s| &mut s.bce)
    }

    /// Changes a session in place, its prefixes too; its id, node and home stay. What it has
    /// afterwards no other session has.
    pub(crate) fn readdress(&mut self, id: BindingId, change: impl FnOnce(&mut Bce)) {
        let Some(slot) = self.slot_of(id) else { return };
        self.unindex(slot);
        if let Some(s) = self.slots.get_mut(slot) {
            change(&mut s.bce);
        }
        self.index(slot);
    }

    /// Takes a session out.
    pub(crate) fn remove(&mut self, id: BindingId) -> Option<Bce> {
        let slot = self.by_id.remove(&id)?;
        self.unindex(slot);
        self.unlink(slot);
        self.slots.take(slot).map(|s| s.bce)
    }

    /// Makes the prefixes of `slot` known.
    fn index(&mut self, slot: u32) {
        let mut n = 0;
        while let Some(prefix) = self.prefix_of((slot, n)) {
            let hash = self.hasher.hash_one(prefix);
            let (slots, hasher) = (&self.slots, &self.hasher);
            self.by_prefix.insert_unique(hash, (slot, n), |&e| hash_prefix(slots, hasher, e));
            n += 1;
        }
    }

    /// Makes them unknown again.
    fn unindex(&mut self, slot: u32) {
        let mut n = 0;
        while let Some(prefix) = self.prefix_of((slot, n)) {
            let hash = self.hasher.hash_one(prefix);
            if let Ok(found) = self.by_prefix.find_entry(hash, |&e| e == (slot, n)) {
                found.remove();
            }
            n += 1;
        }
    }

    /// Takes `slot` out of its node's chain.
    fn unlink(&mut self, slot: u32) {
        let Some(s) = self.slot(slot) else { return };
        let older = s.older;
        let hash = node_hash(&self.hasher, s.bce.mn_id.subtype(), s.bce.mn_id.bytes());
        let newest = self.by_node.find(hash, |&n| self.node_of(n) == Some(&s.bce.mn_id)).copied();
        if newest == Some(slot) {
            return self.set_newest(hash, newest, older);
        }
        let mut at = newest;
        while let Some(n) = at {
            let Some(s) = self.slots.get_mut(n) else { return };
            if s.older == Some(slot) {
                s.older = older;
                return;
            }
            at = s.older;
        }
    }

    /// Replaces what `by_node` says of a node.
    fn set_newest(&mut self, hash: u64, old: Option<u32>, new: Option<u32>) {
        match (old.map(|o| self.by_node.find_entry(hash, |&s| s == o)), new) {
            (Some(Ok(mut found)), Some(new)) => *found.get_mut() = new,
            (Some(Ok(found)), None) => drop(found.remove()),
            (_, Some(new)) => {
                let (slots, hasher) = (&self.slots, &self.hasher);
                self.by_node.insert_unique(hash, new, |&s| hash_node(slots, hasher, s));
            }
            (_, None) => {}
        }
    }

    fn slot(&self, slot: u32) -> Option<&Slot> {
        self.slots.get(slot)
    }

    fn at(&self, slot: u32) -> Option<&Bce> {
        self.slot(slot).map(|s| &s.bce)
    }

    fn node_of(&self, slot: u32) -> Option<&MnId> {
        self.at(slot).map(|b| &b.mn_id)
    }

    fn prefix_of(&self, (slot, n): (u32, u32)) -> Option<CustomerPrefix> {
        self.at(slot)?.prefixes().nth(n as usize)
    }
}

/// Rehashes an entry of `by_prefix` when that table grows.
fn hash_prefix(slots: &Slots, hasher: &DefaultHashBuilder, (slot, n): (u32, u32)) -> u64 {
    let bce = slots.get(slot).map(|s| &s.bce);
    let prefix = bce.and_then(|b| b.prefixes().nth(n as usize));
    prefix.map_or(0, |prefix| hasher.hash_one(prefix))
}

/// Rehashes an entry of `by_node` when that table grows.
fn hash_node(slots: &Slots, hasher: &DefaultHashBuilder, slot: u32) -> u64 {
    let bce = slots.get(slot).map(|s| &s.bce);
    bce.map_or(0, |b| node_hash(hasher, b.mn_id.subtype(), b.mn_id.bytes()))
}

fn node_hash(hasher: &DefaultHashBuilder, subtype: u8, id: &[u8]) -> u64 {
    hasher.hash_one((subtype, id))
}
