//! Prefix pools: which home network prefixes and IPv4 home addresses are free.
//!
//! ```text
//!   pool  2001:db8:a000::/40, delegated /64
//!         |--- used or released ---|------------ never used ------------|
//!                                  ^ next
//! ```
//! A pool of any size costs memory only for the prefixes that it has given out. New prefixes come
//! from `next`; when those run out, the one that was released longest ago comes back first, so a
//! prefix that somebody just lost stays unused as long as possible. Allocation and release are O(1)
//! amortized, except beside reserved ranges (logarithmic in their number).

use crate::addr::{CustomerId, CustomerPrefix, HomePrefix};
use crate::mobility::binding::Ipv4HomeAddress;
use crate::mobility::config::PoolConfig;
use crate::wire::mh::Ipv4Home;
use hashbrown::HashMap;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv4Addr;

/// All pools, in the order of the configuration.
#[derive(Debug, Default)]
pub(crate) struct PrefixPools {
    pools: Vec<PrefixPool>,
    /// Held by sessions, but not one of a pool's as the pools are configured now: by restored ones,
    /// and by those of the policy store.
    foreign: BTreeSet<CustomerPrefix>,
    /// Belonging to nodes by configuration, where a policy store may claim what overlaps them.
    owned: BTreeSet<CustomerPrefix>,
}

/// How full a pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUsage {
    /// Whose address space it lies in.
    pub customer: CustomerId,
    /// The whole pool.
    pub prefix: HomePrefix,
    /// Length of each home network prefix.
    pub delegated_len: u8,
    /// Home network prefixes in all.
    pub capacity: u64,
    /// Held by sessions, those that belong to a node by configuration left out.
    pub used: u64,
    /// Belonging to a node by configuration, whether it is attached or not; of IPv4 also those of
    /// the router and the network.
    pub reserved: u64,
}

impl PrefixPools {
    /// Empty pools in which `reserved` prefixes are never given out. If `claimed`, a policy store
    /// gives nodes prefixes of their own besides.
    pub(crate) fn new(
        pools: &[PoolConfig],
        reserved: impl Iterator<Item = CustomerPrefix>,
        claimed: bool,
    ) -> Self {
        let pools = pools.iter().copied().map(PrefixPool::new).collect();
        let mut all = Self { pools, ..Self::default() };
        for own in reserved {
            if claimed {
                all.owned.insert(own);
            }
            for pool in all.of(own.customer) {
                pool.reserve(own.prefix);
            }
        }
        all
    }

    /// A customer's pools.
    fn of(&mut self, customer: CustomerId) -> impl Iterator<Item = &mut PrefixPool> {
        self.pools.iter_mut().filter(move |p| p.config.customer == customer)
    }

    /// A free prefix of the pool with this number.
    pub(crate) fn allocate(&mut self, pool: usize) -> Option<HomePrefix> {
        self.pools.get_mut(pool)?.allocate()
    }

    /// Takes this very prefix if it is one of the pool's and free.
    pub(crate) fn take(&mut self, pool: usize, prefix: HomePrefix) -> bool {
        self.pools.get_mut(pool).is_some_and(|p| p.take(prefix))
    }

    /// Takes a prefix that a restored binding holds, whichever pool it is from. What fits no pool
    /// as it is configured now, is kept from being given out.
    pub(crate) fn restore(&mut self, held: CustomerPrefix) {
        let mut taken = false;
        for pool in self.of(held.customer) {
            if pool.take(held.prefix) {
                taken = true;
            } else {
                pool.reserve(held.prefix);
            }
        }
        if !taken {
            self.foreign.insert(held);
        }
    }

    /// Whether a session holds a prefix that no pool gives out now and that overlaps this one, as a
    /// restored one may after a change of static prefixes or pools.
    pub(crate) fn overlaps_foreign(&self, own: CustomerPrefix) -> bool {
        overlaps(&self.foreign, own)
    }

    /// Takes a prefix that the policy store says is a node's own; `false` if it is another node's
    /// by configuration, or a session has it, of a pool or not.
    pub(crate) fn claim(&mut self, own: CustomerPrefix) -> bool {
        if overlaps(&self.owned, own) || self.overlaps_foreign(own) {
            return false;
        }
        let mut pools = self.of(own.customer).filter(|p| p.overlaps(own.prefix));
        match pools.next() {
            Some(pool) => pool.take(own.prefix),
            None => {
                drop(pools);
                self.foreign.insert(own)
            }
        }
    }

    /// Gives a prefix back. One that is no pool's, or reserved, stays as it is.
    pub(crate) fn release(&mut self, held: CustomerPrefix) {
        self.foreign.remove(&held);
        for pool in self.of(held.customer) {
            pool.release(held.prefix);
        }
    }

    /// Whether a prefix is one of the pool with this number.
    pub(crate) fn is_from(&self, pool: usize, prefix: HomePrefix) -> bool {
        self.pools.get(pool).is_some_and(|p| p.config.prefix.covers(prefix))
    }

    /// An IPv4 home address with its home network, which is the pool that it lies in; `None` if it
    /// is not anchored here.
    pub(crate) fn ipv4_home(
        &self,
        customer: CustomerId,
        address: Ipv4Addr,
    ) -> Option<Ipv4HomeAddress> {
        let mut pools = self.pools.iter().filter(|p| p.config.customer == customer);
        let home = |p: &PrefixPool| {
            let (network, len) = p.config.prefix.to_ipv4()?;
            let inside = p.config.prefix.contains(address.to_ipv6_mapped());
            let home = Ipv4Home::new(address, len).filter(|_| inside)?;
            let first = || first_host(network, len);
            let default_router = p.config.default_router.unwrap_or_else(first);
            Some(Ipv4HomeAddress { home, default_router })
        };
        pools.find_map(home)
    }

    /// How full each pool is.
    pub(crate) fn usage(&self) -> impl Iterator<Item = PoolUsage> + '_ {
        self.pools.iter().map(PrefixPool::usage)
    }
}

/// One pool. Prefixes are numbered from zero.
#[derive(Debug)]
struct PrefixPool {
    config: PoolConfig,
    capacity: u64,
    /// The first that was never looked at.
    next: u64,
    /// Those below `next` or asked for by name, unless they are free and never were released.
    slots: HashMap<u64, Slot>,
    /// Released, oldest first; some were taken again by name meanwhile.
    released: VecDeque<u64>,
    /// First to last number of ranges that are not given out; they do not touch each other.
    reserved: BTreeMap<u64, u64>,
    used: u64,
}

/// A prefix that has a history. Each stands in `released` at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Used,
    UsedAndQueued,
    Queued,
}

impl PrefixPool {
    fn new(config: PoolConfig) -> Self {
        let bits = u32::from(config.delegated_len.saturating_sub(config.prefix.len()));
        let mut pool = Self {
            config,
            capacity: 1_u64.checked_shl(bits).unwrap_or(u64::MAX),
            next: 0,
            slots: HashMap::new(),
            released: VecDeque::new(),
            reserved: BTreeMap::new(),
            used: 0,
        };
        if let Some((network, len)) = config.prefix.to_ipv4() {
            let last = Ipv4Addr::from_bits(
                network.to_bits() | u32::MAX.checked_shr(len.into()).unwrap_or(0),
            );
            let router = config.default_router.unwrap_or_else(|| first_host(network, len));
            // RFC 3021: a network of two addresses has neither its own nor one of broadcasts.
            let taken = if len < 31 { &[network, last, router][..] } else { &[router][..] };
            for prefix in taken.iter().filter_map(|a| HomePrefix::from_ipv4(*a, 32).ok()) {
                pool.reserve(prefix);
            }
        }
        pool
    }

    fn allocate(&mut self) -> Option<HomePrefix> {
        while self.next < self.capacity {
            let n = self.next;
            if let Some(last) = self.reserved_until(n) {
                self.next = last.saturating_add(1);
                continue;
            }
            self.next += 1;
            if !self.slots.contains_key(&n) {
                return self.mark_used(n);
            }
        }
        while let Some(n) = self.released.pop_front() {
            match self.slots.get(&n) {
                Some(Slot::UsedAndQueued) => drop(self.slots.insert(n, Slot::Used)),
                // Reserved since it was released: forget it.
                _ if self.reserved_until(n).is_some() => drop(self.slots.remove(&n)),
                _ => return self.mark_used(n),
            }
        }
        None
    }

    fn mark_used(&mut self, n: u64) -> Option<HomePrefix> {
        self.slots.insert(n, Slot::Used);
        self.used += 1;
        self.prefix(n)
    }

    fn take(&mut self, prefix: HomePrefix) -> bool {
        let Some(n) = self.number(prefix) else { return false };
        if self.reserved_until(n).is_some() {
            return false;
        }
        let slot = match self.slots.get(&n) {
            Some(Slot::Used | Slot::UsedAndQueued) => return false,
            Some(Slot::Queued) => Slot::UsedAndQueued,
            None => Slot::Used,
        };
        self.slots.insert(n, slot);
        self.used += 1;
        true
    }

    fn release(&mut self, prefix: HomePrefix) {
        let Some(n) = self.number(prefix) else { return };
        match self.slots.get(&n) {
            // Above `next` it is found again without being queued.
            Some(Slot::Used) if n >= self.next => drop(self.slots.remove(&n)),
            Some(Slot::Used) => {
                self.slots.insert(n, Slot::Queued);
                self.released.push_back(n);
            }
            Some(Slot::UsedAndQueued) => drop(self.slots.insert(n, Slot::Queued)),
            Some(Slot::Queued) | None => return,
        }
        self.used -= 1;
    }

    fn overlaps(&self, prefix: HomePrefix) -> bool {
        self.config.prefix.covers(prefix) || prefix.covers(self.config.prefix)
    }

    /// Keeps every prefix that overlaps `prefix` from being given out.
    fn reserve(&mut self, prefix: HomePrefix) {
        let pool = self.config.prefix;
        if !self.overlaps(prefix) {
            return;
        }
        let inside = if pool.covers(prefix) { prefix } else { pool };
        let first = self.number_of_bits(inside.bits());
        let last = self.number_of_bits(inside.bits() | !HomePrefix::mask(inside.len()));
        self.insert_range(first, last);
    }

    /// Adds a range to `reserved`, joined with those that it overlaps or touches.
    fn insert_range(&mut self, mut first: u64, mut last: u64) {
        while let Some((&f, &l)) = self
            .reserved
            .range(..=last.saturating_add(1))
            .next_back()
            .filter(|r| r.1.saturating_add(1) >= first)
        {
            first = first.min(f);
            last = last.max(l);
            self.reserved.remove(&f);
        }
        self.reserved.insert(first, last);
    }

    /// The end of the reserved range in which `n` lies.
    fn reserved_until(&self, n: u64) -> Option<u64> {
        let (_, &last) = self.reserved.range(..=n).next_back()?;
        (last >= n).then_some(last)
    }

    /// The prefix with this number.
    fn prefix(&self, n: u64) -> Option<HomePrefix> {
        let shift = 128 - u32::from(self.config.delegated_len);
        let bits = self.config.prefix.bits() | u128::from(n).checked_shl(shift).unwrap_or(0);
        HomePrefix::new(bits.into(), self.config.delegated_len).ok()
    }

    /// The number of a prefix that is one of this pool's.
    fn number(&self, prefix: HomePrefix) -> Option<u64> {
        let ours = prefix.len() == self.config.delegated_len && self.config.prefix.covers(prefix);
        let n = ours.then(|| self.number_of_bits(prefix.bits()))?;
        (n < self.capacity).then_some(n)
    }

    /// The number of the prefix in which an address of the pool lies.
    fn number_of_bits(&self, bits: u128) -> u64 {
        let offset = bits & !HomePrefix::mask(self.config.prefix.len());
        let n = offset.checked_shr(128 - u32::from(self.config.delegated_len)).unwrap_or(0);
        u64::try_from(n).unwrap_or(u64::MAX)
    }

    fn usage(&self) -> PoolUsage {
        let reserved = self.reserved.iter();
        PoolUsage {
            customer: self.config.customer,
            prefix: self.config.prefix,
            delegated_len: self.config.delegated_len,
            capacity: self.capacity,
            used: self.used,
            reserved: reserved
                .fold(0, |sum, (f, l)| u64::saturating_add(sum, (l - f).saturating_add(1))),
        }
    }
}

/// Whether a prefix overlaps one of those.
fn overlaps(held: &BTreeSet<CustomerPrefix>, own: CustomerPrefix) -> bool {
    let CustomerPrefix { customer, prefix } = own;
    // In order of first address, then length: the next one is inside `prefix` if any is.
    let inside = held.range(own..).next().filter(|p| p.customer == customer);
    let around = |len| HomePrefix::truncating(prefix.addr(), len);
    let holds = |p: HomePrefix| held.contains(&p.of(customer));
    inside.is_some_and(|p| prefix.covers(p.prefix))
        || (0..prefix.len()).any(|n| around(n).is_ok_and(holds))
}

/// The first address of an IPv4 network that a router may have.
fn first_host(network: Ipv4Addr, len: u8) -> Ipv4Addr {
    if len < 31 { Ipv4Addr::from_bits(network.to_bits() + 1) } else { network }
}

#[cfg(test)]
mod tests;
