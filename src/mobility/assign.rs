//! Which prefixes and which IPv4 home address a session gets: RFC 5213 5.3.2 (1) to (3), RFC 5844
//! 3.1.2.2.

use crate::addr::{HomePrefix, MnId, ProxyCoa};
use crate::mobility::ack::Refusal;
use crate::mobility::authorize::MagTable;
use crate::mobility::binding::Ipv4HomeAddress;
use crate::mobility::config::Source;
use crate::mobility::customer::Terms;
use crate::mobility::prefix_pool::PrefixPools;
use crate::mobility::request::is_all_zero;
use crate::wire::mh::{Ipv4Home, Ipv4HomeStatus, Status};
use std::net::Ipv4Addr;

/// The most prefixes that one session may hold, its IPv4 home address not counted.
pub(crate) const PREFIXES_MAX: usize = 8;

/// The most entries that one session may have in the workers' tables: those, and an address.
pub const ENTRIES_MAX: usize = PREFIXES_MAX + 1;

/// What the decision rests on.
#[derive(Debug)]
pub(crate) struct Assignment<'a> {
    pub(crate) mn_id: &'a MnId,
    pub(crate) terms: Terms<'a>,
    pub(crate) mags: &'a MagTable,
    pub(crate) pools: &'a mut PrefixPools,
}

/// What was chosen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Addresses {
    pub(crate) hnp: Box<[HomePrefix]>,
    pub(crate) ipv4: Option<Ipv4HomeAddress>,
}

impl Assignment<'_> {
    /// Prefixes for a session that asks for `hnp` (some or all of them `ALL_ZERO`; none: no
    /// prefixes), and the IPv4 home address that it asks for, served by `coa`. They are taken from
    /// their pools, unless the request is refused.
    pub(crate) fn choose(
        &mut self,
        hnp: &[HomePrefix],
        ipv4: Option<Ipv4Home>,
        coa: ProxyCoa,
    ) -> Result<Addresses, Refusal> {
        let mut taken = Vec::with_capacity(hnp.len().min(PREFIXES_MAX));
        let mut outcome = self.fill(hnp, &mut taken).map_err(Refusal::from).map(|()| None);
        let prefixes = taken.len();
        if let (Ok(chosen), Some(asked)) = (&mut outcome, ipv4) {
            match self.ipv4(asked.addr()) {
                Ok(home) => {
                    taken.push(home.prefix());
                    *chosen = Some(home);
                }
                Err(refusal) => outcome = Err(refusal),
            }
        }
        // RFC 5213 section 4: gateways and prefixes are authorized in combination.
        let refused = taken.iter().position(|p| !self.mags.may_serve(coa, *p));
        if outcome.is_ok()
            && let Some(refused) = refused
        {
            outcome = Err(if refused < prefixes {
                Status::NOT_AUTHORIZED_FOR_HOME_NETWORK_PREFIX.into()
            } else {
                Status::NOT_AUTHORIZED_FOR_IPV4_HOME_ADDRESS.into()
            });
        }
        match outcome {
            Ok(ipv4) => {
                taken.truncate(prefixes);
                Ok(Addresses { hnp: taken.into(), ipv4 })
            }
            Err(refusal) => {
                for prefix in taken {
                    self.pools.release(prefix.of(self.terms.customer));
                }
                Err(refusal)
            }
        }
    }

    /// Takes the prefixes that were named, then those that are to be allocated.
    fn fill(
        &mut self,
        requested: &[HomePrefix],
        taken: &mut Vec<HomePrefix>,
    ) -> Result<(), Status> {
        for &prefix in requested.iter().filter(|p| !is_all_zero(**p)) {
            if taken.contains(&prefix) {
                continue; // named twice
            }
            if taken.len() == PREFIXES_MAX {
                return Err(Status::INSUFFICIENT_RESOURCES);
            }
            // RFC 5213 5.3.2 (3): ours, and the node's to use. One that a session holds never comes
            // here: the lookup found that session.
            let own = self.terms.own.contains(&prefix) && prefix.to_ipv4().is_none();
            let own = own && self.take_own(prefix) || self.join(prefix);
            if !own && !self.take(self.terms.profile.ipv6, prefix) {
                return Err(Status::NOT_AUTHORIZED_FOR_HOME_NETWORK_PREFIX);
            }
            taken.push(prefix);
        }
        // RFC 5213 5.3.2 (1), (2)
        let named = taken.len();
        if requested.iter().any(|p| is_all_zero(*p)) {
            self.allocate(taken);
            if taken.len() == named {
                return Err(Status::INSUFFICIENT_RESOURCES);
            }
        }
        Ok(())
    }

    /// RFC 5213 5.3.2 (1): the node's own prefixes if a session of its does not hold them already,
    /// else those that a home agent holds for it (RFC 6612 4.2.1), else as many of the pool as its
    /// profile says, at least one.
    fn allocate(&mut self, taken: &mut Vec<HomePrefix>) {
        let named = taken.len();
        for &prefix in self.terms.own.iter().filter(|p| p.to_ipv4().is_none()) {
            if taken.len() < PREFIXES_MAX && !taken.contains(&prefix) && self.take_own(prefix) {
                taken.push(prefix);
            }
        }
        let held = self.pools.joinable(self.terms.customer, self.mn_id);
        // A home address of a home link is no prefix that a gateway could advertise.
        for prefix in held.into_iter().filter(|p| p.to_ipv4().is_none() && p.len() < 128) {
            if taken.len() < PREFIXES_MAX && self.join(prefix) {
                taken.push(prefix);
            }
        }
        if taken.len() > named {
            return;
        }
        let Some(pool) = self.terms.profile.ipv6.pool() else { return };
        let wanted = usize::from(self.terms.profile.prefixes).max(named + 1).min(PREFIXES_MAX);
        while taken.len() < wanted {
            let Some(prefix) = self.pools.allocate(pool) else { return };
            taken.push(prefix);
        }
    }

    /// RFC 5844 3.1.2.2: the address that was named if the node may have it, else its own if no
    /// session of its holds it, else one of the pool.
    fn ipv4(&mut self, named: Ipv4Addr) -> Result<Ipv4HomeAddress, Refusal> {
        let refused = |status, ipv4| Refusal { status, last_seq: None, ipv4 };
        let own = self.terms.own.iter().copied().filter(|p| p.to_ipv4().is_some());
        let prefix = if named.is_unspecified() {
            let free = own.clone().find(|p| self.take_own(*p));
            let free = free.or_else(|| self.join_ipv4());
            let pool = self.terms.profile.ipv4.pool();
            // Without a pool there is nothing that could be short.
            let none = match pool {
                Some(_) => Status::INSUFFICIENT_RESOURCES.into(),
                None => refused(
                    Status::ADMINISTRATIVELY_PROHIBITED,
                    Ipv4HomeStatus::DYNAMIC_NOT_AVAILABLE,
                ),
            };
            free.or_else(|| self.pools.allocate(pool?)).ok_or(none)?
        } else {
            let denied = Status::NOT_AUTHORIZED_FOR_IPV4_HOME_ADDRESS;
            let Ok(prefix) = HomePrefix::from_ipv4(named, 32) else { return Err(denied.into()) };
            if named.is_multicast() || named.is_broadcast() || named.is_loopback() {
                return Err(refused(denied, Ipv4HomeStatus::INVALID_ADDRESS));
            }
            let is_own = own.clone().any(|p| p == prefix) && self.take_own(prefix);
            let is_own = is_own || self.join(prefix);
            if !is_own && !self.take(self.terms.profile.ipv4, prefix) {
                return Err(denied.into());
            }
            prefix
        };
        let address = prefix.to_ipv4().map_or(named, |(address, _)| address);
        // Nodes' own addresses lie in a pool as well, as the configuration is checked.
        self.pools.ipv4_home(self.terms.customer, address).ok_or_else(|| {
            self.pools.release(prefix.of(self.terms.customer));
            Status::NOT_AUTHORIZED_FOR_IPV4_HOME_ADDRESS.into()
        })
    }

    fn take(&mut self, source: Source, prefix: HomePrefix) -> bool {
        source.pool().is_some_and(|pool| self.pools.take(pool, prefix))
    }

    /// Takes what a home agent holds for the node.
    fn join(&mut self, prefix: HomePrefix) -> bool {
        self.pools.join(prefix.of(self.terms.customer), self.mn_id)
    }

    fn join_ipv4(&mut self) -> Option<HomePrefix> {
        let held = self.pools.joinable(self.terms.customer, self.mn_id);
        held.into_iter().filter(|p| p.to_ipv4().is_some()).find(|p| self.join(*p))
    }

    /// Takes a prefix of the node's own if no session holds it, nor one that overlaps it.
    fn take_own(&mut self, prefix: HomePrefix) -> bool {
        let own = prefix.of(self.terms.customer);
        if self.join(prefix) {
            return true;
        }
        // That of the configuration is kept from others already.
        if self.terms.granted { self.pools.claim(own) } else { self.pools.hold(own) }
    }
}
