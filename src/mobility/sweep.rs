//! The sessions of a gateway that lost them all at once: each is deleted, a bounded part a call.
//!
//! A hundred thousand deletions are too many for one turn of the control core. Nodes that the
//! gateway registers meanwhile are not concerned: what was registered since the moment of the loss
//! stays.

use crate::addr::{MnId, ProxyCoa};
use crate::mobility::action::{AuditKind, BindingId};
use crate::mobility::binding::{Bce, BceState};
use crate::mobility::cache::BindingCache;
use crate::mobility::message::PeerMsg;
use crate::time::Instant;
use std::collections::{BTreeSet, VecDeque};

/// Sessions deleted in one step at most.
const DELETIONS_MAX: usize = 64;

/// Slots of the cache that are looked at in one step at most.
const SLOTS_MAX: usize = 2048;

/// One gateway's loss.
#[derive(Debug)]
pub(crate) struct Sweep {
    /// Whose sessions.
    pub(crate) proxy_coa: ProxyCoa,
    /// Of those, the ones of this realm; all if `None`.
    pub(crate) realm: Option<MnId>,
    /// Those that were registered before this moment.
    pub(crate) before: Instant,
    /// Why, for the records.
    pub(crate) kind: AuditKind,
    /// What is sent when all are gone.
    pub(crate) then: Option<PeerMsg>,
    /// Where the next step begins.
    cursor: u64,
}

/// What is still to be swept, gateway after gateway.
#[derive(Debug, Default)]
pub(crate) struct Sweeps(VecDeque<Sweep>);

/// What one step found.
#[derive(Debug)]
pub(crate) struct Swept {
    pub(crate) ids: Vec<BindingId>,
    pub(crate) kind: AuditKind,
    /// The sweep has come to its end; what is to be sent now.
    pub(crate) then: Option<PeerMsg>,
}

impl Sweeps {
    /// Begins one. A gateway that is swept already is swept anew, so there are never more than
    /// gateways, and realms that an operator named.
    pub(crate) fn begin(
        &mut self,
        proxy_coa: ProxyCoa,
        before: Instant,
        kind: AuditKind,
        then: Option<PeerMsg>,
    ) {
        self.begin_realm(proxy_coa, None, before, kind, then);
    }

    /// The same, for the sessions of a realm alone.
    pub(crate) fn begin_realm(
        &mut self,
        proxy_coa: ProxyCoa,
        realm: Option<MnId>,
        before: Instant,
        kind: AuditKind,
        then: Option<PeerMsg>,
    ) {
        let same = |s: &Sweep| s.proxy_coa == proxy_coa && s.realm == realm;
        let same = self.0.iter().position(same);
        let old = same.and_then(|at| self.0.remove(at));
        let then = then.or(old.and_then(|o| o.then));
        self.0.push_back(Sweep { proxy_coa, realm, before, kind, then, cursor: 0 });
    }

    /// Whether there is something to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a sweep that is not at its end will send this.
    pub(crate) fn will_send(&self, msg: &PeerMsg) -> bool {
        self.0.iter().any(|s| s.then.as_ref() == Some(msg))
    }

    /// The next sessions that are to be deleted.
    pub(crate) fn step(&mut self, cache: &BindingCache) -> Option<Swept> {
        let sweep = self.0.front_mut()?;
        let (slots, after) = cache.page(sweep.cursor, SLOTS_MAX);
        let (proxy_coa, before) = (sweep.proxy_coa, sweep.before);
        let realm = sweep.realm.as_ref();
        let concerned = |b: &Bce| {
            b.proxy_coa == proxy_coa
                && b.state == BceState::Active
                && b.registered() < before
                && realm.is_none_or(|r| is_of_realm(&b.mn_id, r))
        };
        let found: Vec<(u64, BindingId)> = slots
            .filter(|(_, b)| concerned(b))
            .map(|(next, b)| (next, b.id))
            .take(DELETIONS_MAX)
            .collect();
        let next = match found.last() {
            Some((next, _)) if found.len() == DELETIONS_MAX => Some(*next),
            _ => after,
        };
        let kind = sweep.kind;
        let mut then = None;
        match next {
            Some(next) => sweep.cursor = next,
            None => then = self.0.pop_front().and_then(|s| s.then),
        }
        Some(Swept { ids: found.into_iter().map(|(_, id)| id).collect(), kind, then })
    }
}

/// The gateways that serve nodes of a realm, looked for a bounded part a call.
#[derive(Debug)]
pub(crate) struct Search {
    /// `@realm`
    pub(crate) realm: MnId,
    /// This one alone.
    pub(crate) mag: Option<ProxyCoa>,
    pub(crate) found: BTreeSet<ProxyCoa>,
    cursor: u64,
}

impl Search {
    pub(crate) fn new(realm: MnId, mag: Option<ProxyCoa>) -> Self {
        Self { realm, mag, found: BTreeSet::new(), cursor: 0 }
    }

    /// Looks further; whether that was all.
    pub(crate) fn step(&mut self, cache: &BindingCache) -> bool {
        let (slots, after) = cache.page(self.cursor, SLOTS_MAX);
        let concerned = slots.map(|(_, b)| b).filter(|b| {
            b.state == BceState::Active
                && self.mag.is_none_or(|mag| b.proxy_coa == mag)
                && is_of_realm(&b.mn_id, &self.realm)
        });
        self.found.extend(concerned.map(|b| b.proxy_coa));
        self.cursor = after.unwrap_or(self.cursor);
        after.is_none()
    }
}

fn is_of_realm(mn_id: &MnId, realm: &MnId) -> bool {
    let both = mn_id.realm().zip(realm.realm());
    both.is_some_and(|(own, named)| own.eq_ignore_ascii_case(named))
}
