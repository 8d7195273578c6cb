//! Updates of which only time can tell whether they are a handoff or a new session: the waits of
//! RFC 5213 5.4.1.2 (4) and 5.4.1.3 (3).
//!
//! ```text
//!   Handoff Indicator 4, one session         de-registered by its gateway   -> that session, moved
//!   of the node, served elsewhere    wait -> MaxDelayBeforeNewBCEAssign     -> a new session
//!                                            the node left again            -> nothing
//! ```

use super::Lma;
use crate::mobility::ack::Refusal;
use crate::mobility::action::{Action, AuditKind, BindingId, Ignored};
use crate::mobility::lifetime::TimerKey;
use crate::mobility::message::UpdateMsg;
use crate::mobility::request::{self, Fields, Request};
use crate::mobility::revoke;
use crate::mobility::waiting::{WaitId, Waiting};
use crate::time::Now;
use crate::wire::mh::Status;

impl Lma {
    /// Lets a request wait for the de-registration of session `id`.
    pub(super) fn wait(
        &mut self,
        id: BindingId,
        req: &Request,
        in_order: bool,
        msg: &UpdateMsg,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        if let Some((_, waiting)) = self.waiting.find(&req.mn_id, req.proxy_coa) {
            // A retransmission: the last one sent is answered, when the first one's time is up.
            if waiting.is_before(req.timestamp, req.seq) {
                waiting.msg = msg.clone();
                waiting.timestamp = req.timestamp;
                waiting.grant.clone_from(&req.grant);
                waiting.description = self.description;
                waiting.in_order = in_order;
            }
        } else {
            // RFC 5846 8.1: rather than to wait, its gateway is asked, and has to answer.
            let delay = if self.ask_whether_moved(id, now, actions) {
                revoke::patience(&self.protocol)
            } else {
                self.protocol.max_delay_before_new_bce_assign
            };
            let deadline = now.mono + delay;
            let waiting = Waiting {
                msg: msg.clone(),
                mn_id: req.mn_id.clone(),
                proxy_coa: req.proxy_coa,
                timestamp: req.timestamp,
                grant: req.grant.clone(),
                description: self.description,
                binding: id,
                in_order,
                deadline,
            };
            match self.waiting.park(waiting) {
                Some(wait) => self.timers.arm(deadline, TimerKey::Waiting(wait)),
                // No room: "MAY also choose to create a new mobility session without waiting"
                None => return self.create(req, msg, now, actions),
            }
        }
        let mn_id = Some(req.mn_id.clone());
        self.audit(AuditKind::Ignored(Ignored::Waiting), mn_id, msg, actions);
    }

    /// The node left a gateway whose update still waits: there is nothing to create any more.
    pub(super) fn stop_waiting(&mut self, req: &Request) {
        if let Some((id, waiting)) = self.waiting.find(&req.mn_id, req.proxy_coa)
            && waiting.is_before(req.timestamp, req.seq)
        {
            self.take_waiting(id);
        }
    }

    /// Goes on with what waited for session `id`, which its gateway has just de-registered.
    pub(super) fn resume_with(
        &mut self,
        req: &Request,
        id: BindingId,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        // The gateway at which the node turned up last has it.
        let last = self.waiting.last_for(&req.mn_id, id);
        if let Some(waiting) = last.and_then(|w| self.take_waiting(w)) {
            self.resume(&waiting, Some(id), now, actions);
        }
    }

    /// Takes the last update that waits to know about this session.
    pub(super) fn take_last_waiting(&mut self, id: BindingId) -> Option<Waiting> {
        let mn_id = &self.cache.get(id)?.mn_id;
        let last = self.waiting.last_for(mn_id, id)?;
        self.take_waiting(last)
    }

    /// Takes a waiting update and its timer away.
    pub(super) fn take_waiting(&mut self, id: WaitId) -> Option<Waiting> {
        let waiting = self.waiting.take(id)?;
        self.timers.disarm(waiting.deadline, TimerKey::Waiting(id));
        Some(waiting)
    }

    /// Answers an update that waited: for the session `moved`, else for a new one. Whether it is in
    /// order was checked when it came; what the gateway and the node may is checked again.
    pub(super) fn resume(
        &mut self,
        waiting: &Waiting,
        moved: Option<BindingId>,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let msg = &waiting.msg;
        let fields = Fields::read(msg);
        let service = fields.service.clone();
        let in_force = waiting.description == self.description;
        let grant = waiting.grant.as_deref().filter(|_| in_force);
        let home = self.admit_gateway(msg, &fields, &waiting.mn_id);
        let terms = home.and_then(|h| {
            self.permit(msg, &fields, (h, &waiting.mn_id), service.as_deref(), grant)
        });
        let session = moved.and_then(|id| self.cache.get(id)).map(|b| (b.id, b.seq));
        let result = terms.and_then(|terms| {
            let digest = request::digest(msg);
            let request = fields.complete(msg, terms.profile, terms.home, digest)?;
            Ok(Request { grant: grant.map(|g| Box::new(g.clone())), ..request })
        });
        match (result, session) {
            (Err(status), _) => self.refuse(status, Some(waiting.mn_id.clone()), msg, now, actions),
            (Ok(_), Some((_, last))) if !waiting.in_order => {
                let refusal = Refusal::from(Status::SEQUENCE_NUMBER_OUT_OF_WINDOW);
                let refusal = Refusal { last_seq: Some(last), ..refusal };
                self.refuse(refusal, Some(waiting.mn_id.clone()), msg, now, actions);
            }
            (Ok(req), Some((id, _))) => self.update(id, &req, msg, now, actions),
            (Ok(req), None) => self.create(&req, msg, now, actions),
        }
    }
}
