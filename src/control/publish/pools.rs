//! Where nodes live: the pools of the configuration, and those that it names no more while entries
//! are in them.

use crate::addr::CustomerPrefix;
use hashbrown::HashSet;

/// A pool that workers know.
#[derive(Debug)]
struct Pool {
    prefix: CustomerPrefix,
    /// Entries that count it as theirs.
    entries: usize,
    configured: bool,
}

/// All of them; a place is used again when its pool is gone.
#[derive(Debug, Default)]
pub(super) struct Pools(Vec<Option<Pool>>);

/// What follows from another configuration.
#[derive(Debug, Default)]
pub(super) struct Configured {
    /// What workers have to learn.
    pub(super) set: Vec<CustomerPrefix>,
    /// What they have to forget.
    pub(super) deleted: Vec<CustomerPrefix>,
    /// What it names no more, and entries are in.
    pub(super) retired: Vec<CustomerPrefix>,
}

/// Names a pool as long as it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u32);

impl Pools {
    /// These are the configuration's from now on.
    pub(super) fn configure(&mut self, pools: &[CustomerPrefix]) -> Configured {
        let wanted: HashSet<CustomerPrefix> = pools.iter().copied().collect();
        let (mut known, mut changes) = (HashSet::new(), Configured::default());
        for place in &mut self.0 {
            let Some(pool) = place else { continue };
            pool.configured = wanted.contains(&pool.prefix);
            if pool.configured || pool.entries > 0 {
                known.insert(pool.prefix);
                changes.retired.extend((!pool.configured).then_some(pool.prefix));
            } else {
                changes.deleted.push(pool.prefix);
                *place = None;
            }
        }
        changes.set = pools.iter().copied().filter(|p| !known.contains(p)).collect();
        let mut free = self.0.iter_mut().filter(|p| p.is_none());
        let mut more = Vec::new();
        for &prefix in &changes.set {
            let pool = Some(Pool { prefix, entries: 0, configured: true });
            match free.next() {
                Some(place) => *place = pool,
                None => more.push(pool),
            }
        }
        self.0.extend(more);
        changes
    }

    /// An entry begins. The pool in which it lies, which counts it until [`Self::leave`].
    pub(super) fn enter(&mut self, prefix: CustomerPrefix) -> Option<Place> {
        let CustomerPrefix { customer, prefix } = prefix;
        let around = (0..).zip(&mut self.0).filter_map(|(n, p)| Some((n, p.as_mut()?)));
        let around = around.filter(|(_, p): &(u32, &mut Pool)| {
            p.prefix.customer == customer && p.prefix.prefix.covers(prefix)
        });
        let (place, pool) = around.max_by_key(|(_, p)| p.configured)?;
        pool.entries += 1;
        Some(Place(place))
    }

    /// An entry that this pool counted ends. The pool, if that was the last one of a pool that is
    /// not the configuration's.
    pub(super) fn leave(&mut self, Place(place): Place) -> Option<CustomerPrefix> {
        let place = self.0.get_mut(usize::try_from(place).ok()?)?;
        let pool = place.as_mut()?;
        pool.entries -= 1;
        let gone = (pool.entries == 0 && !pool.configured).then_some(pool.prefix);
        if gone.is_some() {
            *place = None;
        }
        gone
    }

    /// Whether exactly this is a pool.
    pub(super) fn has(&self, prefix: CustomerPrefix) -> bool {
        self.0.iter().flatten().any(|p| p.prefix == prefix)
    }
}
