//! Prefixes that a home agent holds for a node. There is one allocation for both protocols (RFC
//! 6612 4.2.1): a session of the same node may have the prefix too, nobody else's may.

use super::PrefixPools;
use crate::addr::{CustomerId, CustomerPrefix, HomePrefix, MnId};
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Shares {
    all: BTreeMap<CustomerPrefix, Share>,
    by_node: BTreeSet<(CustomerId, MnId, HomePrefix)>,
}

#[derive(Debug)]
struct Share {
    mn_id: MnId,
    /// Bindings of the home agent that hold it; at least one.
    bindings: u32,
    /// A session of the node holds it too.
    session: bool,
}

impl Shares {
    fn insert(&mut self, prefix: CustomerPrefix, mn_id: &MnId, session: bool) {
        let CustomerPrefix { customer, prefix: alone } = prefix;
        self.by_node.insert((customer, mn_id.clone(), alone));
        self.all.insert(prefix, Share { mn_id: mn_id.clone(), bindings: 1, session });
    }

    /// A session gave a prefix back; whether a home agent holds it still.
    pub(super) fn left(&mut self, prefix: CustomerPrefix) -> bool {
        let share = self.all.get_mut(&prefix);
        share.map(|s| s.session = false).is_some()
    }
}

impl PrefixPools {
    /// Has a binding of the home agent hold a prefix; `session`: one of the same node holds it
    /// already. `own`: it is the node's by configuration. `false` if it is not to be had.
    pub(crate) fn share(
        &mut self,
        prefix: CustomerPrefix,
        mn_id: &MnId,
        session: bool,
        own: bool,
    ) -> bool {
        if let Some(share) = self.shares.all.get_mut(&prefix) {
            let same = share.mn_id == *mn_id;
            share.bindings += u32::from(same);
            return same;
        }
        let taken = session || if own { self.hold(prefix) } else { self.claim(prefix) };
        if taken {
            self.shares.insert(prefix, mn_id, session);
        }
        taken
    }

    /// A free prefix of the pool with this number, held by a binding of the home agent.
    pub(crate) fn allocate_share(&mut self, pool: usize, mn_id: &MnId) -> Option<HomePrefix> {
        let customer = self.pools.get(pool)?.config.customer;
        let prefix = self.allocate(pool)?;
        self.shares.insert(prefix.of(customer), mn_id, false);
        Some(prefix)
    }

    /// A binding of the home agent lets a prefix go.
    pub(crate) fn unshare(&mut self, prefix: CustomerPrefix) {
        let Entry::Occupied(mut entry) = self.shares.all.entry(prefix) else { return };
        entry.get_mut().bindings -= 1;
        if entry.get().bindings > 0 {
            return;
        }
        let Share { mn_id, session, .. } = entry.remove();
        self.shares.by_node.remove(&(prefix.customer, mn_id, prefix.prefix));
        if !session {
            self.release(prefix);
        }
    }

    /// Has a session of the same node hold what a home agent holds; `false` if that is not so, or
    /// another session has it.
    pub(crate) fn join(&mut self, prefix: CustomerPrefix, mn_id: &MnId) -> bool {
        let share = self.shares.all.get_mut(&prefix);
        let free = share.filter(|s| s.mn_id == *mn_id && !s.session);
        free.map(|s| s.session = true).is_some()
    }

    /// What a session of this node could join, in order.
    pub(crate) fn joinable(&self, customer: CustomerId, mn_id: &MnId) -> Vec<HomePrefix> {
        let from = (customer, mn_id.clone(), HomePrefix::ALL_ZERO);
        let of_node = self.shares.by_node.range(from..);
        let of_node = of_node.take_while(|(c, m, _)| (*c, m) == (customer, mn_id));
        let free = |p: &HomePrefix| {
            self.shares.all.get(&p.of(customer)).is_some_and(|share| !share.session)
        };
        of_node.map(|(_, _, prefix)| *prefix).filter(free).collect()
    }

    /// Whether a session of this node could hold a prefix.
    pub(crate) fn is_free_for(&self, prefix: CustomerPrefix, mn_id: &MnId) -> bool {
        let share = self.shares.all.get(&prefix);
        self.is_free(prefix) || share.is_some_and(|s| s.mn_id == *mn_id && !s.session)
    }

    /// Whose node has a prefix by a binding of the home agent.
    pub(crate) fn sharer(&self, prefix: CustomerPrefix) -> Option<&MnId> {
        self.shares.all.get(&prefix).map(|share| &share.mn_id)
    }

    /// The prefix of a customer's pool that an address lies in.
    pub(crate) fn around(&self, customer: CustomerId, address: HomePrefix) -> Option<HomePrefix> {
        self.all_around(address).find(|p| p.customer == customer).map(|p| p.prefix)
    }

    /// The prefix of each customer's pool that an address lies in.
    pub(crate) fn all_around(
        &self,
        address: HomePrefix,
    ) -> impl Iterator<Item = CustomerPrefix> + '_ {
        let pools = self.pools.iter().map(|p| p.config);
        pools.filter(move |p| p.prefix.covers(address)).filter_map(move |p| {
            let prefix = HomePrefix::truncating(address.addr(), p.delegated_len).ok()?;
            Some(prefix.of(p.customer))
        })
    }
}
