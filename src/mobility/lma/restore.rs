//! A restart: sessions are taken up from the disk.

use super::Lma;
use crate::mobility::action::{Action, BindingId, Publication};
use crate::mobility::binding::{Bce, BceState};
use crate::mobility::lifetime::TimerKey;
use crate::time::Now;

/// Why a binding was not restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// A session with this id is there already.
    #[error("binding {} is there already", .0.0)]
    Id(BindingId),
    /// It has no prefix, or one that overlaps another session's.
    #[error("binding {} has no prefix of its own", .0.0)]
    Prefix(BindingId),
    /// Another session has its uplink GRE key.
    #[error("binding {} has no GRE key of its own", .0.0)]
    GreKey(BindingId),
}

impl Lma {
    /// Takes up a session that was kept on disk: publishes it again, or forgets it if it ended
    /// meanwhile. Call it before the first event. An acknowledged session is taken up even if the
    /// table is full or its pool is no longer configured.
    pub fn restore(
        &mut self,
        mut bce: Bce,
        now: Now,
        actions: &mut Vec<Action>,
    ) -> Result<(), RestoreError> {
        let id = bce.id;
        if self.cache.get(id).is_some() {
            return Err(RestoreError::Id(id));
        }
        let mut prefixes = bce.prefixes().peekable();
        if prefixes.peek().is_none() || prefixes.any(|p| !self.pools.is_free_for(p, &bce.mn_id)) {
            return Err(RestoreError::Prefix(id));
        }
        drop(prefixes);
        let ends = bce.ends.to_unix().saturating_sub(now.wall.to_unix());
        if ends.is_zero() {
            self.cache.skip_id(id);
            actions.push(Action::Persist(id));
            return Ok(());
        }
        if bce.gre_keys.uplink.is_some_and(|key| !self.gre_keys.restore(key)) {
            return Err(RestoreError::GreKey(id));
        }
        // Never longer than it was: the wall clock may have been set back.
        let whole = match bce.state {
            BceState::Active => bce.lifetime.duration(),
            BceState::Deleting => self.protocol.min_delay_before_bce_delete,
        };
        bce.end_after(ends.min(whole), now);
        for prefix in bce.prefixes() {
            if !self.pools.join(prefix, &bce.mn_id) {
                self.pools.hold(prefix);
            }
            if bce.state == BceState::Deleting {
                actions.push(Action::Publish(Publication::Hold(prefix)));
            }
        }
        self.mags.restore(bce.proxy_coa.0);
        self.customers.enter(bce.customer);
        self.timers.follow(&mut bce.timer, bce.deadline, TimerKey::Binding(id));
        let active = bce.state == BceState::Active;
        self.cache.insert(bce);
        self.watch(id, now);
        if active {
            self.publish_forward(id, actions);
        }
        Ok(())
    }
}
