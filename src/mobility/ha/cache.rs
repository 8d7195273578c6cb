//! The home registrations: found by id, by home address, by node, by what is forwarded.

use crate::addr::{CustomerId, CustomerPrefix, MnId};
use crate::mobility::action::{BindingId, BindingKind};
use crate::mobility::ha::{HomeBinding, HomeState};
use hashbrown::HashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

/// All home registrations.
#[derive(Debug, Default)]
pub struct HomeCache {
    all: BTreeMap<BindingId, HomeBinding>,
    by_home: BTreeMap<(Ipv6Addr, CustomerId), BindingId>,
    by_node: BTreeSet<(MnId, CustomerId, BindingId)>,
    /// What active bindings have forwarded.
    by_key: HashMap<CustomerPrefix, BindingId>,
    last: u64,
}

impl HomeCache {
    /// How many there are, those that only remember a sequence number included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// One of them; `None` when it is gone.
    #[must_use]
    pub fn get(&self, id: BindingId) -> Option<&HomeBinding> {
        self.all.get(&id)
    }

    /// That of a home address.
    #[must_use]
    pub fn by_home(&self, customer: CustomerId, home: Ipv6Addr) -> Option<&HomeBinding> {
        self.get(*self.by_home.get(&(home, customer))?)
    }

    /// Those of a home address in any customer's address space.
    pub(crate) fn of_home(&self, home: Ipv6Addr) -> impl Iterator<Item = &HomeBinding> {
        let same = (home, CustomerId(0))..=(home, CustomerId(u16::MAX));
        self.by_home.range(same).filter_map(|(_, id)| self.get(*id))
    }

    /// Those of a customer's node, oldest first.
    pub fn of_node(
        &self,
        customer: CustomerId,
        mn_id: &MnId,
    ) -> impl Iterator<Item = &HomeBinding> {
        self.of_identifier(mn_id).filter(move |b| b.customer == customer)
    }

    /// Those of all nodes with this identifier.
    pub fn of_identifier(&self, mn_id: &MnId) -> impl Iterator<Item = &HomeBinding> {
        let from = (mn_id.clone(), CustomerId(0), BindingId(0));
        let same = self.by_node.range(from..).take_while(move |(m, ..)| m == mn_id);
        same.filter_map(|(_, _, id)| self.get(*id))
    }

    /// All of them from `after` on, oldest first.
    pub fn from(&self, after: Option<BindingId>) -> impl Iterator<Item = &HomeBinding> {
        use std::ops::Bound;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.all.range((from, Bound::Unbounded)).map(|(_, b)| b)
    }

    /// The one that began last.
    pub(crate) fn newest(&self) -> Option<BindingId> {
        self.all.last_key_value().map(|(id, _)| *id)
    }

    /// The one that says what is forwarded for this key.
    #[must_use]
    pub fn by_key(&self, key: CustomerPrefix) -> Option<&HomeBinding> {
        self.get(*self.by_key.get(&key)?)
    }

    pub(crate) fn next_id(&mut self) -> BindingId {
        self.last += 1;
        BindingId::new(BindingKind::Home, self.last)
    }

    /// Never gives out `id`, nor one before it.
    pub(crate) fn skip_id(&mut self, id: BindingId) {
        let n = id.0 & (BindingId::new(BindingKind::Proxy, u64::MAX).0);
        self.last = self.last.max(n);
    }

    /// Adds one whose id and home address are not in the cache, or changes it; returns the one that
    /// it was.
    pub(crate) fn put(&mut self, binding: HomeBinding) -> Option<HomeBinding> {
        let old = self.remove(binding.id);
        let (id, customer) = (binding.id, binding.customer);
        self.skip_id(id);
        self.by_home.insert((binding.home, customer), id);
        self.by_node.insert((binding.mn_id.clone(), customer, id));
        if binding.state == HomeState::Active {
            self.by_key.extend(binding.keys().map(|key| (key, id)));
        }
        self.all.insert(id, binding);
        old
    }

    pub(crate) fn remove(&mut self, id: BindingId) -> Option<HomeBinding> {
        let old = self.all.remove(&id)?;
        self.by_home.remove(&(old.home, old.customer));
        self.by_node.remove(&(old.mn_id.clone(), old.customer, id));
        if old.state == HomeState::Active {
            for key in old.keys() {
                self.by_key.remove(&key);
            }
        }
        Some(old)
    }
}
