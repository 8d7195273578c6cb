//! The registrations, found by id, by node, by home address, and by what they forward.

use crate::addr::{CustomerId, CustomerPrefix, MnId};
use crate::mobility::action::{BindingId, BindingKind};
use crate::mobility::mip4::Registration;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::hash::Hash;
use std::net::Ipv4Addr;

/// All registrations.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// In the order of their ids: listings are stable.
    all: BTreeMap<BindingId, Registration>,
    /// Customers may have nodes of the same name.
    by_name: HashMap<MnId, Vec<BindingId>>,
    /// Customers may have the same addresses.
    by_home: HashMap<Ipv4Addr, Vec<BindingId>>,
    keys: HashMap<CustomerPrefix, BindingId>,
    last: u64,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, id: BindingId) -> Option<&Registration> {
        self.all.get(&id)
    }

    pub(super) fn of_node(&self, customer: CustomerId, mn_id: &MnId) -> Option<&Registration> {
        self.named(mn_id).find(|r| r.customer == customer)
    }

    /// Those of nodes with this identifier, of whichever customer.
    pub(super) fn named(&self, mn_id: &MnId) -> impl Iterator<Item = &Registration> {
        let ids = self.by_name.get(mn_id).map_or(&[][..], |ids| ids);
        ids.iter().filter_map(|id| self.get(*id))
    }

    /// Those with this home address, of whichever customer; the one that changed last is the last.
    pub(super) fn of_home(&self, home: Ipv4Addr) -> impl Iterator<Item = &Registration> {
        let ids = self.by_home.get(&home).map_or(&[][..], |ids| ids);
        ids.iter().filter_map(|id| self.get(*id))
    }

    /// Those after `id`, in the order of their ids.
    pub(super) fn after(&self, id: Option<BindingId>) -> impl Iterator<Item = &Registration> {
        let from = id.map_or(core::ops::Bound::Unbounded, core::ops::Bound::Excluded);
        self.all.range((from, core::ops::Bound::Unbounded)).map(|(_, r)| r)
    }

    /// The registration that forwards by this key.
    pub(super) fn holder(&self, key: CustomerPrefix) -> Option<&Registration> {
        self.get(*self.keys.get(&key)?)
    }

    /// An id that was never used.
    pub(super) fn next_id(&mut self) -> BindingId {
        self.last += 1;
        BindingId::new(BindingKind::Home4, self.last)
    }

    /// Never gives out `id`, nor one before it.
    pub(super) fn skip_id(&mut self, id: BindingId) {
        // Without the bits that say whose it is.
        let number = id.0 & !BindingId::new(BindingKind::Home4, 0).0;
        self.last = self.last.max(number);
    }

    /// Adds a registration, or puts one in the place of what it was.
    pub(super) fn insert(&mut self, registration: Registration) {
        self.remove(registration.id);
        let id = registration.id;
        self.skip_id(id);
        self.by_name.entry(registration.mn_id.clone()).or_default().push(id);
        self.by_home.entry(registration.home_address).or_default().push(id);
        self.keys.extend(registration.published.iter().map(|(key, _)| (*key, id)));
        self.all.insert(id, registration);
    }

    /// Takes a registration out.
    pub(super) fn remove(&mut self, id: BindingId) -> Option<Registration> {
        let registration = self.all.remove(&id)?;
        forget(&mut self.by_name, &registration.mn_id, id);
        forget(&mut self.by_home, &registration.home_address, id);
        for (key, _) in &registration.published {
            self.keys.remove(key);
        }
        Some(registration)
    }
}

fn forget<K: Eq + Hash>(index: &mut HashMap<K, Vec<BindingId>>, key: &K, id: BindingId) {
    let Some(ids) = index.get_mut(key) else { return };
    ids.retain(|i| *i != id);
    if ids.is_empty() {
        index.remove(key);
    }
}
