//! What a home agent asks the local mobility anchor: a node's prefix and IPv4 home address come
//! from one allocation, whichever protocol asks first (RFC 6612 4.2.1).

use super::Lma;
use crate::addr::{CustomerId, CustomerPrefix, HomePrefix, MnId};
use crate::mobility::action::{Action, AuditKind};
use crate::mobility::binding::Bce;
use crate::time::Now;

impl Lma {
    /// The home network prefix of a node that an address lies in: its own, one of its sessions, or
    /// one of a pool. `None` if none of the operator's does.
    pub(crate) fn home_prefix(
        &self,
        customer: CustomerId,
        mn_id: &MnId,
        address: HomePrefix,
    ) -> Option<HomePrefix> {
        let own = self.customers.own(customer, mn_id).iter().copied();
        let sessions = self.sessions_in(customer, mn_id);
        let held = sessions.flat_map(|b| b.prefixes().map(|p| p.prefix));
        let mut known = own.chain(held).filter(|p| p.covers(address));
        known.next().or_else(|| self.pools.around(customer, address))
    }

    /// Has a binding of the home agent hold a prefix of the node's; `false` if it is another's.
    pub(crate) fn share(&mut self, customer: CustomerId, mn_id: &MnId, prefix: HomePrefix) -> bool {
        let key = prefix.of(customer);
        let session = self.cache.by_prefix(key).map(|b| b.mn_id == *mn_id);
        let own = self.customers.own(customer, mn_id).contains(&prefix);
        session != Some(false) && self.pools.share(key, mn_id, session.is_some(), own)
    }

    /// An IPv4 home address for a node that asks for one: its own, that of its session, else one of
    /// its pool. It is held as by [`Self::share`].
    pub(crate) fn share_ipv4(&mut self, customer: CustomerId, mn_id: &MnId) -> Option<HomePrefix> {
        let own = self.customers.own(customer, mn_id).iter().copied();
        let sessions = self.sessions_in(customer, mn_id);
        let held = sessions.flat_map(|b| b.prefixes().map(|p| p.prefix));
        let known = own.chain(held).find(|p| p.to_ipv4().is_some());
        if let Some(prefix) = known {
            return self.share(customer, mn_id, prefix).then_some(prefix);
        }
        let terms = self.customers.terms(customer, mn_id, None, None).ok()?;
        self.pools.allocate_share(terms.profile.ipv4.pool()?, mn_id)
    }

    /// Whether an address belongs to a node, by configuration or by a session of its.
    pub(crate) fn is_of_node(
        &self,
        customer: CustomerId,
        mn_id: &MnId,
        address: HomePrefix,
    ) -> bool {
        let session = self.cache.by_prefix(address.of(customer));
        let own = self.customers.own(customer, mn_id);
        own.contains(&address) || session.is_some_and(|b| b.mn_id == *mn_id)
    }

    /// A binding of the home agent lets a prefix go.
    pub(crate) fn unshare(&mut self, customer: CustomerId, prefix: HomePrefix) {
        self.pools.unshare(prefix.of(customer));
    }

    /// Ends the session that holds exactly this prefix.
    pub(crate) fn end_session(
        &mut self,
        prefix: CustomerPrefix,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        if let Some(id) = self.cache.by_prefix(prefix).map(|b| b.id) {
            self.delete(id, AuditKind::Deleted, now, actions);
        }
    }

    /// Whose prefix an address lies in, by a session or by a binding of the home agent's; `None` if
    /// it is nobody's, or customers have the same addresses.
    pub(crate) fn owner_of(&self, address: HomePrefix) -> Option<(CustomerId, MnId)> {
        let mut owners = self.pools.all_around(address).filter_map(|key| {
            let session = self.cache.by_prefix(key).map(|b| &b.mn_id);
            Some((key.customer, session.or_else(|| self.pools.sharer(key))?.clone()))
        });
        let first = owners.next();
        first.filter(|first| owners.all(|other| other == *first))
    }

    fn sessions_in(&self, customer: CustomerId, mn_id: &MnId) -> impl Iterator<Item = &Bce> {
        self.cache.of_node(mn_id).filter(move |b| b.customer == customer)
    }
}
