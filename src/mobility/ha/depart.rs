//! A home registration ends: the node came home (RFC 6275 10.3.2), its lifetime ran out, the
//! operator deleted it, or a gateway took the node over.

use super::request::Asked;
use super::{HomeAgent, HomeBinding, HomeState, Interworking};
use crate::addr::{CustomerId, HomePrefix, MnId};
use crate::mobility::Lma;
use crate::mobility::action::{Action, BindingId, HomeAudit};
use crate::mobility::message::UpdateMsg;
use crate::time::{Lifetime, MobTimestamp, Now};
use crate::wire::mh::Status;

impl HomeAgent {
    /// 10.3.2: forwarding and interception end at once. The entry stays, marked as invalid, so that
    /// an update which was sent before and comes late is known as such by its sequence number.
    pub(super) fn depart(
        &mut self,
        id: BindingId,
        msg: &UpdateMsg,
        asked: &Asked,
        lma: &mut Lma,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        self.forget_probe(id);
        let Some(old) = self.cache.get(id).cloned() else { return };
        let delay = self.config.delete_delay;
        let invalid = HomeBinding {
            state: HomeState::Invalid,
            seq: msg.update.seq,
            replay: asked.replay.or(old.replay),
            lifetime: Lifetime::ZERO,
            ends: MobTimestamp::from_unix(now.wall.to_unix() + delay),
            deadline: now.mono + delay,
            ..old.clone()
        };
        let noted = invalid.clone();
        self.publish_change(Some(&old), None, actions);
        self.expect_no_news(id);
        self.put(invalid);
        actions.push(Action::Persist(id));
        let answer = (Status::ACCEPTED, msg.update.seq, Lifetime::ZERO);
        self.reply(msg, answer, &[], lma, now, actions);
        self.note(HomeAudit::Deregistered, &noted, actions);
    }

    /// Removes a binding and everything that came of it.
    pub(super) fn delete(
        &mut self,
        id: BindingId,
        kind: HomeAudit,
        lma: &mut Lma,
        actions: &mut Vec<Action>,
    ) {
        self.forget_probe(id);
        let Some(old) = self.cache.remove(id) else { return };
        self.disarm(Some(&old));
        self.publish_change(Some(&old), None, actions);
        self.release(&old, lma);
        self.expect_no_news(id);
        actions.push(Action::Persist(id));
        // Of an entry that only remembered, the end was noted before.
        if old.state != HomeState::Invalid {
            self.note(kind, &old, actions);
        }
    }

    /// Combined interworking: a gateway has registered the node with these prefixes. The entries of
    /// the node that lie in them have their P flag set: the gateway's end of the tunnel counts.
    pub(crate) fn proxied(
        &mut self,
        customer: CustomerId,
        mn_id: &MnId,
        prefixes: &[HomePrefix],
        actions: &mut Vec<Action>,
    ) {
        let ids = self.away(customer, mn_id, prefixes);
        for id in ids {
            let Some(old) = self.cache.get(id).cloned() else { continue };
            let new = HomeBinding { state: HomeState::Proxied, ..old.clone() };
            self.publish_change(Some(&old), None, actions);
            self.expect_no_news(id);
            self.put(new);
            actions.push(Action::Persist(id));
            self.note(HomeAudit::Proxied, &old, actions);
        }
    }

    /// The node's bindings in force that lie in these prefixes.
    pub(crate) fn away(
        &self,
        customer: CustomerId,
        mn_id: &MnId,
        prefixes: &[HomePrefix],
    ) -> Vec<BindingId> {
        let inside = |b: &&HomeBinding| {
            b.state == HomeState::Active && prefixes.iter().any(|p| p.contains(b.home))
        };
        self.cache.of_node(customer, mn_id).filter(inside).map(|b| b.id).collect()
    }

    /// Whether both protocols have one entry for a node.
    pub(crate) fn is_combined(&self) -> bool {
        self.config.enabled && self.config.interworking == Interworking::Combined
    }
}
