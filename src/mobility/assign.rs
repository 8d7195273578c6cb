//! Which prefixes a new session gets, RFC 5213 5.3.2 (1) to (3).

use crate::addr::{HomePrefix, ProxyCoa};
use crate::mobility::authorize::MagTable;
use crate::mobility::cache::BindingCache;
use crate::mobility::config::Profile;
use crate::mobility::prefix_pool::PrefixPools;
use crate::mobility::request::is_all_zero;
use crate::wire::mh::Status;

/// The most prefixes that one session may hold.
pub const PREFIXES_MAX: usize = 8;

/// What the decision rests on.
#[derive(Debug)]
pub(crate) struct Assignment<'a> {
    pub(crate) profile: Profile,
    /// The node's own.
    pub(crate) static_prefixes: &'a [HomePrefix],
    pub(crate) cache: &'a BindingCache,
    pub(crate) mags: &'a MagTable,
    pub(crate) pools: &'a mut PrefixPools,
}

impl Assignment<'_> {
    /// Prefixes for a session that asks for `requested` (some or all of them `ALL_ZERO`), served by
    /// `coa`. They are taken from their pools, unless the request is refused.
    pub(crate) fn choose(
        &mut self,
        requested: &[HomePrefix],
        coa: ProxyCoa,
    ) -> Result<Box<[HomePrefix]>, Status> {
        let mut taken = Vec::new();
        let outcome = self.fill(requested, &mut taken).and_then(|()| {
            // RFC 5213 section 4: gateways and prefixes are authorized in combination.
            if self.mags.may_serve(coa, &taken) {
                Ok(())
            } else {
                Err(Status::NOT_AUTHORIZED_FOR_HOME_NETWORK_PREFIX)
            }
        });
        if let Err(status) = outcome {
            for prefix in taken {
                self.pools.release(prefix);
            }
            return Err(status);
        }
        Ok(taken.into())
    }

    /// Takes what was named, then what is to be allocated.
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
            let own = self.static_prefixes.contains(&prefix) && self.is_free(prefix);
            if !own && !self.pools.take(self.profile.pool, prefix) {
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

    /// Whether no session holds this prefix of the node's own, nor one that overlaps it.
    fn is_free(&self, prefix: HomePrefix) -> bool {
        self.cache.by_hnp(prefix).is_none() && !self.pools.overlaps_foreign(prefix)
    }

    /// RFC 5213 5.3.2 (1): the node's own prefixes if a session of its does not hold them already,
    /// else as many of the pool as its profile says, at least one.
    fn allocate(&mut self, taken: &mut Vec<HomePrefix>) {
        let named = taken.len();
        for &prefix in self.static_prefixes.iter().filter(|p| self.is_free(**p)) {
            if taken.len() < PREFIXES_MAX && !taken.contains(&prefix) {
                taken.push(prefix);
            }
        }
        if taken.len() > named {
            return;
        }
        let wanted = usize::from(self.profile.prefixes).max(named + 1).min(PREFIXES_MAX);
        while taken.len() < wanted {
            let Some(prefix) = self.pools.allocate(self.profile.pool) else { return };
            taken.push(prefix);
        }
    }
}
