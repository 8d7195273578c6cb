//! Nodes of which a store has to be asked (RFC 5213 5.3.1 (7), (8) and 6.2 leave open where a
//! node's profile comes from).
//!
//! What is new is asked for: a session, a family of addresses, another service. What a session has
//! it keeps: it is extended, moved and ended without a question, so that a store which is slow, or
//! gone, costs no session. The updates of a node are decided in the order in which they came, as
//! though the store had answered at once; but those that need no answer do not wait for those that
//! do.

use super::{Lma, Objection};
use crate::addr::{CustomerId, MnId};
use crate::mobility::ack::Refusal;
use crate::mobility::action::{Action, Audit, AuditKind, Ignored};
use crate::mobility::auth::AuthKey;
use crate::mobility::binding::Bce;
use crate::mobility::config::{Profile, Source};
use crate::mobility::lifetime::TimerKey;
use crate::mobility::lookup::{self, Found, Node};
use crate::mobility::message::UpdateMsg;
use crate::mobility::question::{Grant, Parked, Parking, PolicyAnswer, PolicyQuestion, QuestionId};
use crate::mobility::request::{self, Fields};
use crate::time::{Lifetime, Now};
use crate::wire::mh::Status;
use std::borrow::Cow;

/// What is known of an update that waited for the policy store.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered<'a> {
    pub(super) answer: &'a PolicyAnswer,
    /// What (9) said when it came.
    pub(super) order: Result<bool, Refusal>,
}

impl Lma {
    /// What the policy store says of a node, or has said of a session of its; `None` if the
    /// configuration knows the node, or knows that we do not serve it.
    pub(super) fn grant<'a>(
        &self,
        msg: &UpdateMsg,
        fields: &Fields,
        key: Option<&AuthKey>,
        (home, mn_id): (CustomerId, &MnId),
        answered: Option<Answered<'a>>,
        now: Now,
    ) -> Result<Option<Cow<'a, Grant>>, Objection> {
        if let Some(Answered { answer: PolicyAnswer::Granted(grant), .. }) = answered {
            return Ok(Some(Cow::Borrowed(grant)));
        }
        if !self.customers.is_asked(home, mn_id) {
            return Ok(None);
        }
        let customer = self.customers.space(home, fields.service.as_deref());
        let node = Node::new(&self.cache, mn_id, home, customer);
        let digest = request::digest(msg);
        let mut sessions = node.all();
        // Whatever it was, it was granted.
        if let Some(grant) =
            sessions.find(|b| b.last_update == digest).and_then(|b| self.of_session(b))
        {
            return Ok(Some(Cow::Owned(grant)));
        }
        let found = lookup::find(node, &self.protocol, msg, fields);
        let known = self.known(fields, msg.update.lifetime == Lifetime::ZERO, node, found);
        known
            .map(|grant| Some(Cow::Owned(grant)))
            .ok_or_else(|| Objection::Ask(self.check_order(msg, fields, key, node, found, now)))
    }

    /// What suffices to decide about an update without a question, if that can be.
    fn known(
        &self,
        fields: &Fields,
        ends: bool,
        node: Node<'_>,
        found: Found<'_>,
    ) -> Option<Grant> {
        let bce = match found {
            Found::Session(b) | Found::NewBeside(b) | Found::Refused(_, Some(b)) => Some(b),
            Found::Unknown(b) => Some(b).filter(|_| ends),
            Found::New | Found::Refused(_, None) => None,
        };
        match bce {
            Some(bce) if ends => Some(self.leave(bce.lifetime, PERCENT_MAX)),
            // Nothing can be given by it; but a session may be on its way that it ends.
            None if ends && !self.policy_room.holds(node.home, node.mn_id) => {
                Some(self.leave(Lifetime::ZERO, PERCENT_MAX))
            }
            Some(bce) if !asks_for_more(bce, fields) => self.of_session(bce),
            _ => None,
        }
    }

    /// What a session was granted, as far as it uses it.
    fn of_session(&self, bce: &Bce) -> Option<Grant> {
        bce.granted.map(|g| self.leave(g.max_lifetime, g.refresh_percent))
    }

    /// Leave to use what there is, of both families and of every service, and nothing besides.
    fn leave(&self, max_lifetime: Lifetime, refresh_percent: u8) -> Grant {
        let profile = Profile {
            enabled: true,
            ipv6: Source::Own,
            ipv4: Source::Own,
            prefixes: 1,
            max_lifetime: max_lifetime.duration(),
            refresh_percent,
            services: self.customers.service_places().collect(),
        };
        Grant { profile, own: Box::default() }
    }

    /// Lets an update wait for the policy store.
    pub(super) fn park(
        &mut self,
        msg: &UpdateMsg,
        order: Result<bool, Refusal>,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let fields = Fields::read(msg);
        let Some(mn_id) = fields.mn_id else { return };
        let home = self.customers.home(&mn_id, self.mags.customer(msg.src));
        let deadline = now.mono + self.protocol.policy_timeout;
        let update = Parked::new(msg, fields.timestamp, order);
        match self.policy_room.park(home, &mn_id, update, deadline) {
            Parking::Ask(id) => {
                self.timers.arm(deadline, TimerKey::Policy(id));
                let (mag, service) = (msg.src, fields.service);
                let mn_id = mn_id.clone();
                let question = PolicyQuestion { id, mn_id, home, mag, service };
                actions.push(Action::AskPolicy(question));
            }
            Parking::Joined => {}
            Parking::Full => {
                self.audit(AuditKind::PolicyRoomFull, Some(mn_id.clone()), msg, actions);
                let status = Status::INSUFFICIENT_RESOURCES;
                return self.refuse(status, Some(mn_id), msg, now, actions);
            }
        }
        self.audit(AuditKind::Ignored(Ignored::Parked), Some(mn_id), msg, actions);
    }

    /// The policy store answers. What it answers late, twice or to nobody changes nothing.
    pub(super) fn policy_answered(
        &mut self,
        id: QuestionId,
        answer: &PolicyAnswer,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let Some(open) = self.policy_room.take(id) else {
            let kind = AuditKind::PolicyStray;
            return actions.push(Action::Audit(Audit { kind, mn_id: None, proxy_coa: None }));
        };
        self.timers.disarm(open.deadline, TimerKey::Policy(id));
        self.decide_parked(open.parked, answer, now, actions);
    }

    /// It does not. Status 130: it is our means that do not suffice, and the gateway may try again;
    /// 153 would say that the node is not ours, which nobody knows.
    pub(super) fn policy_overdue(&mut self, id: QuestionId, now: Now, actions: &mut Vec<Action>) {
        let Some(open) = self.policy_room.take(id) else { return };
        let mn_id = Some(open.mn_id().clone());
        let proxy_coa = None;
        actions.push(Action::Audit(Audit { kind: AuditKind::PolicyOverdue, mn_id, proxy_coa }));
        self.decide_parked(open.parked, &PolicyAnswer::Unavailable, now, actions);
    }

    fn decide_parked(
        &mut self,
        parked: Vec<Parked>,
        answer: &PolicyAnswer,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        for Parked { msg, order, .. } in parked {
            let fields = Fields::read(&msg);
            self.decide(&msg, fields, Some(Answered { answer, order }), now, actions);
        }
    }
}

/// Whether an update asks for what the session has not.
fn asks_for_more(bce: &Bce, fields: &Fields) -> bool {
    let named = fields.service.as_deref();
    let another = named.is_some() && named != bce.service.as_deref().map(str::as_bytes);
    let ipv6 = bce.hnp.is_empty() && !fields.hnp.is_empty();
    let ipv4 = bce.ipv4.is_none() && fields.ipv4.is_some();
    another || ipv6 || ipv4
}

/// Gateways are not advised.
const PERCENT_MAX: u8 = 100;
