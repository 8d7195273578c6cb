//! How a session ends, or loses one family of its addresses: de-registration (RFC 5213 5.3.5,
//! RFC 5844 3.1.2.5), expiry, deletion.

use super::Lma;
use crate::mobility::action::{Action, Audit, AuditKind, BindingId, Publication};
use crate::mobility::binding::{Bce, BceState, Ipv4HomeAddress};
use crate::mobility::lifetime::TimerKey;
use crate::mobility::message::UpdateMsg;
use crate::mobility::request::Request;
use crate::time::{Lifetime, Now};

/// The addresses that a session gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Ipv6,
    Ipv4,
}

impl Lma {
    /// RFC 5213 5.3.5 (2). A second de-registration does not begin the delete delay anew.
    pub(super) fn deregister(
        &mut self,
        id: BindingId,
        req: &Request,
        msg: &UpdateMsg,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let delay = self.protocol.min_delay_before_bce_delete;
        let Some(bce) = self.cache.get_mut(id) else { return };
        bce.take_over(req);
        let first = bce.state == BceState::Active;
        // RFC 5844 3.1.2.5: the other family stays.
        if let Some(family) = family_without_other(bce, req).filter(|_| first) {
            return self.deregister_family(id, family, msg, actions);
        }
        if first {
            bce.state = BceState::Deleting;
            bce.lifetime = Lifetime::ZERO;
            bce.end_after(delay, now);
            self.timers.follow(&mut bce.timer, bce.deadline, TimerKey::Binding(id));
            let hold = |p| Action::Publish(Publication::Hold(p));
            actions.extend(bce.prefixes().map(hold));
        }
        actions.push(Action::Persist(id));
        self.accept(id, None, msg, actions);
        if first {
            self.forget_revocations(id);
            self.audit_session(AuditKind::Deregistered, id, actions);
        }
        // 5.4.1.2 (4), 5.4.1.3 (3): what waited for this was a handoff.
        self.resume_with(req, id, now, actions);
    }

    /// RFC 5844 3.1.2.5, its last sentence: at once, as nobody could take up what is gone.
    fn deregister_family(
        &mut self,
        id: BindingId,
        family: Family,
        msg: &UpdateMsg,
        actions: &mut Vec<Action>,
    ) {
        let lost = self.give_back(id, family, actions);
        actions.push(Action::Persist(id));
        self.accept(id, lost, msg, actions);
        self.audit_released(id, family, actions);
    }

    /// Takes one family of addresses from a session; returns the IPv4 home address if it was that.
    pub(super) fn give_back(
        &mut self,
        id: BindingId,
        family: Family,
        actions: &mut Vec<Action>,
    ) -> Option<Ipv4HomeAddress> {
        let mut lost = Vec::new();
        let mut address = None;
        self.cache.readdress(id, |bce| match family {
            Family::Ipv6 => {
                let prefixes = std::mem::take(&mut bce.hnp);
                lost.extend(prefixes.iter().map(|p| p.of(bce.customer)));
            }
            Family::Ipv4 => {
                address = bce.ipv4.take();
                lost.extend(address.map(|a| a.prefix().of(bce.customer)));
            }
        });
        for prefix in lost {
            self.pools.release(prefix);
            actions.push(Action::Publish(Publication::Withdraw(prefix)));
        }
        address
    }

    /// A timer of a session ran out.
    pub(super) fn end(&mut self, id: BindingId, now: Now, actions: &mut Vec<Action>) {
        let Some(bce) = self.cache.get_mut(id) else { return };
        bce.timer = None;
        if bce.deadline > now.mono {
            // It was extended meanwhile.
            return self.timers.follow(&mut bce.timer, bce.deadline, TimerKey::Binding(id));
        }
        let kind = match bce.state {
            BceState::Active => AuditKind::Expired,
            BceState::Deleting => AuditKind::Deleted,
        };
        self.delete(id, kind, now, actions);
    }

    /// Removes a session and everything that came of it.
    pub(super) fn delete(
        &mut self,
        id: BindingId,
        kind: AuditKind,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let Some(bce) = self.cache.remove(id) else { return };
        if let Some(at) = bce.timer {
            self.timers.disarm(at, TimerKey::Binding(id));
        }
        self.forget_revocations(id);
        self.mags.count(bce.proxy_coa.0, |u| u.bindings -= 1);
        self.customers.leave(bce.customer);
        // RFC 5845 5.2
        if let Some(key) = bce.gre_keys.uplink {
            self.gre_keys.release(key);
        }
        for prefix in bce.prefixes() {
            self.pools.release(prefix);
            actions.push(Action::Publish(Publication::Withdraw(prefix)));
        }
        actions.push(Action::Persist(id));
        let (mn_id, proxy_coa) = (Some(bce.mn_id.clone()), Some(bce.proxy_coa));
        actions.push(Action::Audit(Audit { kind, mn_id, proxy_coa }));
        // What waited for its de-registration waits in vain: there is no session it could be about.
        while let Some(w) = self.waiting.last_for(&bce.mn_id, id) {
            let Some(waiting) = self.take_waiting(w) else { return };
            self.resume(&waiting, None, now, actions);
        }
    }

    /// Notes that a session gave back one family.
    pub(super) fn audit_released(&self, id: BindingId, family: Family, actions: &mut Vec<Action>) {
        let kind = match family {
            Family::Ipv6 => AuditKind::Ipv6Released,
            Family::Ipv4 => AuditKind::Ipv4Released,
        };
        self.audit_session(kind, id, actions);
    }
}

/// The family that a request names, if the session has the other one too, which it does not name.
fn family_without_other(bce: &Bce, req: &Request) -> Option<Family> {
    if bce.hnp.is_empty() || bce.ipv4.is_none() {
        return None;
    }
    match (req.hnp.is_empty(), req.ipv4) {
        (false, None) => Some(Family::Ipv6),
        (true, Some(_)) => Some(Family::Ipv4),
        _ => None,
    }
}
