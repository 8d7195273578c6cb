//! Whose uplink GRE keys are: they tell address spaces apart that overlap (RFC 5845 section 3.1).
//!
//! A key is in a worker's table as long as one of its entries has it: packets with the key come to
//! the worker that owns their inner source, which then is one of those entries.

use crate::addr::CustomerId;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

/// Uplink keys of a worker's entries.
#[derive(Debug)]
pub(super) struct KeyTable {
    keys: HashMap<u32, Use>,
}

#[derive(Debug)]
struct Use {
    customer: CustomerId,
    /// Entries with the key: the prefixes and the IPv4 home address of one binding.
    entries: u32,
}

impl KeyTable {
    /// Room for the keys of `entries_max` entries.
    pub(super) fn new(entries_max: usize) -> Self {
        Self { keys: HashMap::with_capacity(entries_max) }
    }

    /// One more entry of `customer` has the key. `false`, and no change, if it is another's.
    #[must_use]
    pub(super) fn add(&mut self, key: u32, customer: CustomerId) -> bool {
        match self.keys.entry(key) {
            Entry::Occupied(mut found) if found.get().customer == customer => {
                found.get_mut().entries += 1;
                true
            }
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert(Use { customer, entries: 1 });
                true
            }
        }
    }

    /// One entry less has the key.
    pub(super) fn remove(&mut self, key: u32) {
        if let Entry::Occupied(mut found) = self.keys.entry(key) {
            found.get_mut().entries -= 1;
            if found.get().entries == 0 {
                found.remove();
            }
        }
    }

    pub(super) fn customer_of(&self, key: u32) -> Option<CustomerId> {
        self.keys.get(&key).map(|found| found.customer)
    }
}
