//! Prefix pools: which home network prefixes and IPv4 home addresses are free.
//!
//! ```text
//!   held, by customer   2001:db8:a000:: ====  ==   =======        =         whatever pool it is of
//!   pool                2001:db8:a000::/40, delegated /64
//!                       |--- given out before ---|------ never given out -----|
//!                                                ^ next
//! ```
//! What sessions hold is kept apart from the pools, so that pools may come, go and change their
//! shape while sessions stay: nothing is given out that overlaps what anybody holds. A pool of any
//! size costs memory only for what it has given out. New prefixes come from `next`; when those run
//! out, the one that was released longest ago comes back first, so a prefix that somebody just lost
//! stays unused as long as possible. Allocation and release are logarithmic in the number of ranges
//! that are held or reserved.

mod share;

use crate::addr::{CustomerId, CustomerPrefix, HomePrefix};
use crate::mobility::binding::Ipv4HomeAddress;
use crate::mobility::config::PoolConfig;
use crate::mobility::range_set::RangeSet;
use crate::wire::mh::Ipv4Home;
use hashbrown::HashSet;
use share::Shares;
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;

/// All pools, in the order of the configuration.
#[derive(Debug, Default)]
pub(crate) struct PrefixPools {
    pools: Vec<PrefixPool>,
    /// The addresses that sessions hold, from a pool or not.
    held: BTreeMap<CustomerId, RangeSet>,
    /// Belonging to nodes by configuration, where a policy store may claim what overlaps them.
    owned: BTreeMap<CustomerId, RangeSet>,
    /// What of it a home agent holds.
    shares: Shares,
    /// [`Self::count`] has something to do.
    counting: bool,
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
    /// Held by sessions.
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
                let (first, last) = bounds(own.prefix);
                all.owned.entry(own.customer).or_default().insert(first, last);
            }
            for pool in all.of(own.customer) {
                pool.reserve(own.prefix);
            }
        }
        all
    }

    /// Goes on with the pools of `new`; what is held stays held. A pool that stays as it is goes on
    /// where it was; what is held in one that is new, or has another shape, is counted by
    /// [`Self::count`]. `new` has the old pools afterwards.
    pub(crate) fn take_over(&mut self, new: &mut Self) {
        let places = self.pools.iter().enumerate().map(|(n, p)| (p.shape(), n));
        let places: BTreeMap<_, _> = places.collect();
        for pool in &mut new.pools {
            match places.get(&pool.shape()).and_then(|n| self.pools.get_mut(*n)) {
                Some(old) => pool.go_on(old),
                None => pool.uncounted = Some(pool.bounds().0),
            }
        }
        std::mem::swap(&mut self.pools, &mut new.pools);
        std::mem::swap(&mut self.owned, &mut new.owned);
        self.counting = true;
    }

    /// Whether [`Self::count`] has something to do.
    pub(crate) const fn is_counting(&self) -> bool {
        self.counting
    }

    /// Counts on what is held in a pool that is new, a bounded part of it.
    pub(crate) fn count(&mut self) {
        let uncounted = self.pools.iter_mut().find(|p| p.uncounted.is_some());
        self.counting = uncounted.is_some();
        if let Some(pool) = uncounted {
            pool.count(self.held.entry(pool.config.customer).or_default());
        }
    }

    /// A customer's pools.
    fn of(&mut self, customer: CustomerId) -> impl Iterator<Item = &mut PrefixPool> {
        self.pools.iter_mut().filter(move |p| p.config.customer == customer)
    }

    /// A free prefix of the pool with this number.
    pub(crate) fn allocate(&mut self, pool: usize) -> Option<HomePrefix> {
        let pool = self.pools.get_mut(pool)?;
        let customer = pool.config.customer;
        let prefix = pool.next_free(self.held.entry(customer).or_default())?;
        self.note(prefix.of(customer));
        Some(prefix)
    }

    /// Takes this very prefix if it is one of the pool's and free.
    pub(crate) fn take(&mut self, pool: usize, prefix: HomePrefix) -> bool {
        let Some(pool) = self.pools.get(pool) else { return false };
        let customer = pool.config.customer;
        pool.number(prefix).is_some_and(|n| !pool.is_reserved(n)) && self.hold(prefix.of(customer))
    }

    /// Whether no session holds anything that overlaps a prefix.
    pub(crate) fn is_free(&self, CustomerPrefix { customer, prefix }: CustomerPrefix) -> bool {
        let (first, last) = bounds(prefix);
        self.held.get(&customer).is_none_or(|held| held.overlap(first, last).is_none())
    }

    /// Takes a prefix, of a pool or not, if it is free: one that is a node's own, or that a
    /// restored session has.
    pub(crate) fn hold(&mut self, prefix: CustomerPrefix) -> bool {
        let free = self.is_free(prefix);
        if free {
            self.note(prefix);
        }
        free
    }

    /// What was free is held from now on.
    fn note(&mut self, CustomerPrefix { customer, prefix }: CustomerPrefix) {
        let (first, last) = bounds(prefix);
        self.held.entry(customer).or_default().insert(first, last);
        for pool in self.of(customer) {
            pool.used += pool.counted(first, last);
        }
    }

    /// Takes a prefix that the policy store says is a node's own; `false` if it is another node's
    /// by configuration, or a session has it, of a pool or not.
    pub(crate) fn claim(&mut self, own: CustomerPrefix) -> bool {
        let CustomerPrefix { customer, prefix } = own;
        let (first, last) = bounds(prefix);
        if self.owned.get(&customer).is_some_and(|owned| owned.overlap(first, last).is_some()) {
            return false;
        }
        let pool = self.of(customer).find(|p| p.is_crossed_by(prefix));
        let fits = |p: &mut PrefixPool| p.number(prefix).is_some_and(|n| !p.is_reserved(n));
        pool.is_none_or(fits) && self.hold(own)
    }

    /// A session gives a prefix back. What nobody holds stays as it is.
    pub(crate) fn release(&mut self, own: CustomerPrefix) {
        if self.shares.left(own) {
            return;
        }
        let CustomerPrefix { customer, prefix } = own;
        let (first, last) = bounds(prefix);
        let Some(held) = self.held.get_mut(&customer) else { return };
        if held.remove(first, last) {
            for pool in self.of(customer) {
                pool.used -= pool.counted(first, last);
                pool.release(prefix);
            }
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
    /// Below `next` some may be free that were not when they were looked at, and never were
    /// released: they are looked at again before the pool is taken for full.
    look_again: bool,
    /// Released, oldest first; some were taken again by name meanwhile.
    released: VecDeque<u64>,
    /// What stands in `released`, each once.
    queued: HashSet<u64>,
    /// Numbers that are not given out.
    reserved: RangeSet,
    /// Addresses in it that are held, as far as they are counted.
    used: u128,
    /// Those from this one on are not.
    uncounted: Option<u128>,
}

impl PrefixPool {
    fn new(config: PoolConfig) -> Self {
        let bits = u32::from(config.delegated_len.saturating_sub(config.prefix.len()));
        let mut pool = Self {
            config,
            capacity: 1_u64.checked_shl(bits).unwrap_or(u64::MAX),
            next: 0,
            look_again: false,
            released: VecDeque::new(),
            queued: HashSet::new(),
            reserved: RangeSet::default(),
            used: 0,
            uncounted: None,
        };
        if let Some((network, len)) = config.prefix.to_ipv4() {
            let last = config.prefix.ipv4_broadcast().unwrap_or(network);
            let router = config.default_router.unwrap_or_else(|| first_host(network, len));
            // RFC 3021: a network of two addresses has neither its own nor one of broadcasts.
            let taken = if len < 31 { &[network, last, router][..] } else { &[router][..] };
            for prefix in taken.iter().filter_map(|a| HomePrefix::from_ipv4(*a, 32).ok()) {
                pool.reserve(prefix);
            }
        }
        pool
    }

    /// What makes it the same pool as before.
    fn shape(&self) -> (CustomerPrefix, u8) {
        (self.config.prefix.of(self.config.customer), self.config.delegated_len)
    }

    /// Goes on where the pool was before the configuration changed.
    fn go_on(&mut self, old: &mut Self) {
        (self.next, self.look_again) = (old.next, true);
        (self.used, self.uncounted) = (old.used, old.uncounted);
        std::mem::swap(&mut self.released, &mut old.released);
        std::mem::swap(&mut self.queued, &mut old.queued);
    }

    /// Counts on, at most so many ranges of what is held.
    fn count(&mut self, held: &RangeSet) {
        let (Some(from), (_, end)) = (self.uncounted, self.bounds()) else { return };
        let mut counted = None;
        let mut ranges = held.overlapping(from, end);
        for (first, last) in ranges.by_ref().take(COUNT_MAX) {
            self.used += last.min(end) - first.max(from) + 1;
            counted = Some(last);
        }
        self.uncounted = counted.filter(|_| ranges.next().is_some()).map(|last| last + 1);
    }

    /// How many of these addresses are the pool's, and counted.
    fn counted(&self, first: u128, last: u128) -> u128 {
        let (begin, end) = self.bounds();
        let end = match self.uncounted {
            Some(from) if from == begin => return 0,
            Some(from) => from - 1,
            None => end,
        };
        last.min(end).saturating_add(1).saturating_sub(first.max(begin))
    }

    /// A prefix that overlaps nothing that is held.
    fn next_free(&mut self, held: &RangeSet) -> Option<HomePrefix> {
        loop {
            while self.next < self.capacity {
                let n = self.next;
                let Some(last) = self.obstacle(n, held) else {
                    self.next += 1;
                    return self.prefix(n);
                };
                self.next = last.saturating_add(1);
            }
            while let Some(n) = self.released.pop_front() {
                self.queued.remove(&n);
                if self.obstacle(n, held).is_none() {
                    return self.prefix(n);
                }
            }
            if !std::mem::take(&mut self.look_again) {
                return None;
            }
            self.next = 0;
        }
    }

    /// Why the prefix with this number is not free: the last number of the range that is reserved
    /// or held.
    fn obstacle(&self, n: u64, held: &RangeSet) -> Option<u64> {
        if let Some(last) = self.reserved.overlap(n.into(), n.into()) {
            return Some(u64::try_from(last).unwrap_or(u64::MAX));
        }
        let (first, last) = bounds(self.prefix(n)?);
        let last = held.overlap(first, last)?.min(self.bounds().1);
        Some(self.number_of_bits(last))
    }

    fn is_reserved(&self, n: u64) -> bool {
        self.reserved.overlap(n.into(), n.into()).is_some()
    }

    /// A session gave a prefix back.
    fn release(&mut self, prefix: HomePrefix) {
        match self.number(prefix) {
            // From `next` on it is found again without being queued.
            Some(n) if n >= self.next || self.is_reserved(n) => {}
            Some(n) => {
                if self.queued.insert(n) {
                    self.released.push_back(n);
                }
            }
            // One of another pool, or of the time when the pool had another shape.
            None => self.look_again |= self.is_crossed_by(prefix),
        }
    }

    fn is_crossed_by(&self, prefix: HomePrefix) -> bool {
        self.config.prefix.covers(prefix) || prefix.covers(self.config.prefix)
    }

    /// Keeps every prefix that overlaps `prefix` from being given out.
    fn reserve(&mut self, prefix: HomePrefix) {
        if self.is_crossed_by(prefix) {
            let pool = self.config.prefix;
            let (first, last) = bounds(if pool.covers(prefix) { prefix } else { pool });
            let numbers = [first, last].map(|bits| u128::from(self.number_of_bits(bits)));
            self.reserved.insert(numbers[0], numbers[1]);
        }
    }

    fn bounds(&self) -> (u128, u128) {
        bounds(self.config.prefix)
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
        let per_prefix = 128 - u32::from(self.config.delegated_len);
        let reserved: u128 = self.reserved.ranges().map(|(f, l)| l - f + 1).sum();
        PoolUsage {
            customer: self.config.customer,
            prefix: self.config.prefix,
            delegated_len: self.config.delegated_len,
            capacity: self.capacity,
            used: u64::try_from(self.used.unbounded_shr(per_prefix)).unwrap_or(u64::MAX),
            reserved: u64::try_from(reserved).unwrap_or(u64::MAX),
        }
    }
}

/// First and last address.
fn bounds(prefix: HomePrefix) -> (u128, u128) {
    (prefix.bits(), prefix.bits() | !HomePrefix::mask(prefix.len()))
}

/// The first address of an IPv4 network that a router may have.
fn first_host(network: Ipv4Addr, len: u8) -> Ipv4Addr {
    if len < 31 { Ipv4Addr::from_bits(network.to_bits() + 1) } else { network }
}

/// Ranges that are counted in one step.
const COUNT_MAX: usize = 1024;

#[cfg(test)]
mod tests;
