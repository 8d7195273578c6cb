//! What an accepted request does: a session begins, is extended, moves, ends (RFC 5213 5.3.2 to
//! 5.3.5), and what happens to it without a request: expiry, deletion, a restart.

use super::Lma;
use crate::addr::{AnchorAddr, GreKeys, HomePrefix, MnId, ProxyCoa, TunnelPath};
use crate::mobility::action::{Action, Audit, AuditKind, BindingId, Publication};
use crate::mobility::assign::{Assignment, PREFIXES_MAX};
use crate::mobility::binding::{Bce, BceState};
use crate::mobility::digest::Digest;
use crate::mobility::lifetime::{TimerKey, grant};
use crate::mobility::message::UpdateMsg;
use crate::mobility::request::Request;
use crate::mobility::transition::Transition;
use crate::time::{Duration, Instant, Lifetime, MobTimestamp, Now};
use crate::wire::mh::Status;
use std::net::Ipv6Addr;

/// The most sessions, that is attached interfaces, of one node.
const SESSIONS_PER_NODE_MAX: usize = 16;

/// Why a binding was not restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// A session with this id is there already.
    #[error("binding {} is there already", .0.0)]
    Id(BindingId),
    /// It has no prefix, or one that another session holds.
    #[error("binding {} has no prefix of its own", .0.0)]
    Prefix(BindingId),
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
        if bce.hnp.is_empty() || bce.hnp.iter().any(|p| self.cache.by_hnp(*p).is_some()) {
            return Err(RestoreError::Prefix(id));
        }
        let ends = bce.ends.to_unix().saturating_sub(now.wall.to_unix());
        if ends.is_zero() {
            self.cache.skip_id(id);
            actions.push(Action::Persist(id));
            return Ok(());
        }
        // Never longer than it was: the wall clock may have been set back.
        let whole = match bce.state {
            BceState::Active => bce.lifetime.duration(),
            BceState::Deleting => self.protocol.min_delay_before_bce_delete,
        };
        bce.end_after(ends.min(whole), now);
        for &prefix in &bce.hnp {
            self.pools.restore(prefix);
            actions.push(Action::Publish(match bce.state {
                BceState::Active => forward(prefix, self.address, bce.proxy_coa),
                BceState::Deleting => Publication::Hold(prefix.into()),
            }));
        }
        self.mags.restore(bce.proxy_coa.0);
        self.timers.arm(bce.deadline, TimerKey::Binding(id));
        self.cache.insert(bce);
        Ok(())
    }

    /// Does what was decided. `in_order` is for [`Transition::Wait`].
    pub(super) fn carry_out(
        &mut self,
        transition: Transition,
        request: &Request,
        in_order: bool,
        msg: &UpdateMsg,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        match transition {
            Transition::Create => self.create(request, msg, now, actions),
            Transition::Extend(id) | Transition::Handoff(id) => {
                self.update(id, request, msg, now, actions);
            }
            Transition::Deregister(id) => self.deregister(id, request, msg, now, actions),
            Transition::Wait(id) => self.wait(id, request, in_order, msg, now, actions),
            Transition::Ignore(why) => {
                self.stop_waiting(request);
                let mn_id = Some(request.mn_id.clone());
                self.audit(AuditKind::Ignored(why), mn_id, msg, actions);
            }
            Transition::Refuse(status) => {
                self.refuse(status, Some(request.mn_id.clone()), msg, now, actions);
            }
        }
    }

    /// RFC 5213 5.3.2
    pub(super) fn create(
        &mut self,
        req: &Request,
        msg: &UpdateMsg,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let (hnp, max_lifetime) = match self.admit(req) {
            Ok(admitted) => admitted,
            Err(status) => return self.refuse(status, Some(req.mn_id.clone()), msg, now, actions),
        };
        let asked = req.link_local.filter(|a| !a.is_unspecified());
        let link_local = asked.unwrap_or_else(|| self.generate_link_local(&req.mn_id, &hnp));
        let mut bce = Bce {
            id: self.cache.next_id(),
            mn_id: req.mn_id.clone(),
            hnp,
            proxy_coa: req.proxy_coa,
            att: req.att,
            handoff: req.handoff,
            mn_ll_id: req.mn_ll_id.clone(),
            link_local,
            seq: req.seq,
            timestamp: req.timestamp.unwrap_or_default(),
            lifetime: grant(req.lifetime, max_lifetime),
            state: BceState::Active,
            handoffs: 0,
            created: now.wall,
            ends: MobTimestamp::default(),
            deadline: Instant::default(),
            last_update: req.digest,
        };
        bce.end_after(bce.lifetime.duration(), now);
        let id = bce.id;
        self.mags.count(bce.proxy_coa.0, |u| u.bindings += 1);
        self.timers.arm(bce.deadline, TimerKey::Binding(id));
        self.cache.insert(bce);
        self.publish_forward(id, actions);
        actions.push(Action::Persist(id));
        self.accept(id, msg, actions);
        self.audit_session(AuditKind::Created, id, actions);
    }

    /// Room and prefixes for a new session, and the longest lifetime that its node may have.
    fn admit(&mut self, req: &Request) -> Result<(Box<[HomePrefix]>, Duration), Status> {
        let (profile, static_prefixes) =
            self.policy.lookup(&req.mn_id).ok_or(Status::NOT_LMA_FOR_THIS_MOBILE_NODE)?;
        // How many prefixes it will be is known too late: as many as there may be must fit.
        let room = self.max_prefixes.saturating_sub(self.cache.prefixes());
        if self.cache.len() >= self.max_bindings || room < PREFIXES_MAX {
            return Err(Status::INSUFFICIENT_RESOURCES);
        }
        if self.cache.of_node(&req.mn_id).count() >= SESSIONS_PER_NODE_MAX {
            return Err(Status::ADMINISTRATIVELY_PROHIBITED);
        }
        let mut assignment = Assignment {
            profile,
            static_prefixes,
            cache: &self.cache,
            mags: &self.mags,
            pools: &mut self.pools,
        };
        let hnp = assignment.choose(&req.hnp, req.proxy_coa)?;
        Ok((hnp, profile.max_lifetime))
    }

    /// RFC 5213 5.3.3 and 5.3.4; within the delete delay also 5.3.5 (2): the session is taken up
    /// again.
    pub(super) fn update(
        &mut self,
        id: BindingId,
        req: &Request,
        msg: &UpdateMsg,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let Some(bce) = self.cache.get_mut(id) else { return };
        if !self.mags.may_serve(req.proxy_coa, &bce.hnp) {
            let status = Status::NOT_AUTHORIZED_FOR_HOME_NETWORK_PREFIX;
            return self.refuse(status, Some(req.mn_id.clone()), msg, now, actions);
        }
        let max = self.policy.lookup(&req.mn_id).map_or(Duration::ZERO, |(p, _)| p.max_lifetime);
        let previous = bce.proxy_coa;
        let moved = previous != req.proxy_coa;
        let revived = bce.state == BceState::Deleting;
        self.timers.disarm(bce.deadline, TimerKey::Binding(id));
        bce.take_over(req);
        bce.state = BceState::Active;
        bce.lifetime = grant(req.lifetime, max);
        bce.end_after(bce.lifetime.duration(), now);
        bce.handoffs += u32::from(moved);
        self.timers.arm(bce.deadline, TimerKey::Binding(id));
        if moved {
            self.mags.count(previous.0, |u| u.bindings -= 1);
            self.mags.count(req.proxy_coa.0, |u| u.bindings += 1);
        }
        if moved || revived {
            self.publish_forward(id, actions);
        }
        actions.push(Action::Persist(id));
        self.accept(id, msg, actions);
        if revived {
            self.audit_session(AuditKind::Revived, id, actions);
        }
        if moved {
            self.audit_session(AuditKind::HandedOff, id, actions);
        } else if !revived {
            self.audit_session(AuditKind::Refreshed, id, actions);
        }
    }

    /// RFC 5213 5.3.5 (2). A second de-registration does not begin the delete delay anew.
    fn deregister(
        &mut self,
        id: BindingId,
        req: &Request,
        msg: &UpdateMsg,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let delay = self.protocol.min_delay_before_bce_delete;
        let Some(bce) = self.cache.get_mut(id) else { return };
        let first = bce.state == BceState::Active;
        bce.take_over(req);
        if first {
            self.timers.disarm(bce.deadline, TimerKey::Binding(id));
            bce.state = BceState::Deleting;
            bce.lifetime = Lifetime::ZERO;
            bce.end_after(delay, now);
            self.timers.arm(bce.deadline, TimerKey::Binding(id));
            for &prefix in &bce.hnp {
                actions.push(Action::Publish(Publication::Hold(prefix.into())));
            }
        }
        actions.push(Action::Persist(id));
        self.accept(id, msg, actions);
        if first {
            self.audit_session(AuditKind::Deregistered, id, actions);
        }
        // 5.4.1.2 (4), 5.4.1.3 (3): what waited for this was a handoff.
        self.resume_with(req, id, now, actions);
    }

    /// A timer of a session ran out.
    pub(super) fn end(&mut self, id: BindingId, now: Now, actions: &mut Vec<Action>) {
        let kind = match self.cache.get(id).map(|b| b.state) {
            Some(BceState::Active) => AuditKind::Expired,
            Some(BceState::Deleting) => AuditKind::Deleted,
            None => return,
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
        self.timers.disarm(bce.deadline, TimerKey::Binding(id));
        self.mags.count(bce.proxy_coa.0, |u| u.bindings -= 1);
        for &prefix in &bce.hnp {
            self.pools.release(prefix);
            actions.push(Action::Publish(Publication::Withdraw(prefix.into())));
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

    /// Every prefix of a session goes through the tunnel to its gateway (5.3.2 (5), (6), 5.3.4 (2)
    /// to (4)): the tunnel is named by its two ends.
    fn publish_forward(&self, id: BindingId, actions: &mut Vec<Action>) {
        let Some(bce) = self.cache.get(id) else { return };
        actions.extend(
            (bce.hnp.iter())
                .map(|&prefix| Action::Publish(forward(prefix, self.address, bce.proxy_coa))),
        );
    }

    fn audit_session(&self, kind: AuditKind, id: BindingId, actions: &mut Vec<Action>) {
        let Some(bce) = self.cache.get(id) else { return };
        let (mn_id, proxy_coa) = (Some(bce.mn_id.clone()), Some(bce.proxy_coa));
        actions.push(Action::Audit(Audit { kind, mn_id, proxy_coa }));
    }

    /// The gateway's address on its link to the node (5.3.6): one for each session, the same in
    /// every run, from our own address, the node and its prefixes.
    fn generate_link_local(&self, mn_id: &MnId, hnp: &[HomePrefix]) -> Ipv6Addr {
        let mut digest = Digest::new(0).field(&self.address.0.octets());
        digest = digest.field(&[mn_id.subtype()]).field(mn_id.bytes());
        for prefix in hnp {
            digest = digest.field(&prefix.addr().octets());
        }
        // The u bit is clear: made up, not from a link-layer address (RFC 4291 appendix A). With
        // the top bit clear it is none of the reserved identifiers of RFC 5453; nor is it zero.
        let iid = (digest.finish() & 0x7dff_ffff_ffff_ffff).max(1);
        Ipv6Addr::from_bits(0xfe80_u128 << 112 | u128::from(iid))
    }
}

/// In the operator's own address space, IP in IP.
fn forward(prefix: HomePrefix, local: AnchorAddr, remote: ProxyCoa) -> Publication {
    let path = TunnelPath::ip(local.0, remote.0);
    Publication::Forward(prefix.into(), path, GreKeys::default())
}
