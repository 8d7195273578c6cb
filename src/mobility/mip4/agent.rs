//! The home agent: messages in, decisions out. What a request has to pass is in `judge`, what
//! follows from it in `register`.

use crate::addr::{CustomerId, CustomerPrefix, HomePrefix, MnId, ProxyCoa};
use crate::mobility::action::{
    Action, Audit, AuditKind, BindingId, Ignored, Mip4Audit, Publication,
};
use crate::mobility::auth::ntp;
use crate::mobility::digest::Digest;
use crate::mobility::ha::Drain;
use crate::mobility::mip4::identification::{Nonces, Seen};
use crate::mobility::mip4::judge::{Objection, Party};
use crate::mobility::mip4::nodes::{ForeignAgents, Nodes};
use crate::mobility::mip4::reply::Answer;
use crate::mobility::mip4::request::Request;
use crate::mobility::mip4::revocation::Revocations;
use crate::mobility::mip4::table::Table;
use crate::mobility::mip4::{Homes, Mip4Config, Mip4Msg, Registration, binding, prefixes};
use crate::time::{Instant, Now};
use crate::wire::mip4::{
    Body, Identification, Message, RegistrationLifetime, ReplyCode, TunnelData,
};
use hashbrown::HashMap;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// A home agent of Mobile IPv4.
#[derive(Debug)]
pub struct HomeAgent4 {
    pub(super) config: Mip4Config,
    pub(super) nodes: Nodes,
    pub(super) agents: ForeignAgents,
    pub(super) table: Table,
    /// What is remembered of each node that ever registered; there are as many as were configured.
    pub(super) seen: HashMap<(CustomerId, MnId), Seen>,
    pub(super) nonces: Nonces,
    pub(super) timers: BTreeSet<(Instant, Timer)>,
    pub(super) revocations: Revocations,
    /// Requests of before are not new, of whichever node: what was accepted in another run is not
    /// known any more. In the format of NTP.
    pub(super) floor: Option<u64>,
    /// It leaves service: nothing is registered or extended.
    pub(super) draining: bool,
}

/// What ends or is due by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A revocation is to be sent, again perhaps.
    Revocation(u64),
    /// The lifetime of a binding.
    Binding(BindingId, Ipv4Addr),
}

/// What a decision changes besides the home agent, and when it is taken.
pub struct Turn<'t> {
    /// The allocation.
    pub homes: &'t mut dyn Homes,
    /// When.
    pub now: Now,
    /// What follows is appended, in the order in which it is to be done.
    pub actions: &'t mut Vec<Action>,
}

impl Turn<'_> {
    pub(super) fn push(&mut self, action: Action) {
        self.actions.push(action);
    }
}

/// How many timers one call of [`HomeAgent4::handle_timeout`] carries out at most.
const TIMEOUT_BURST: usize = 128;

impl Default for HomeAgent4 {
    /// One that serves nobody.
    fn default() -> Self {
        Self::new(Mip4Config::default())
    }
}

impl HomeAgent4 {
    /// A home agent without registrations.
    #[must_use]
    pub fn new(mut config: Mip4Config) -> Self {
        Self {
            nodes: Nodes::new(core::mem::take(&mut config.nodes)),
            agents: ForeignAgents::new(core::mem::take(&mut config.foreign_agents)),
            nonces: Nonces::new(config.nonce_seed),
            config,
            table: Table::default(),
            seen: HashMap::new(),
            timers: BTreeSet::new(),
            revocations: Revocations::default(),
            floor: None,
            draining: false,
        }
    }

    /// The process serves from now on: call it before the first message. A request of an earlier
    /// run that is sent again by somebody else is not new, even if its node has no registration.
    pub fn start(&mut self, now: Now) {
        self.floor = Some(ntp(now.wall));
    }

    /// The operator takes it out of service, or back. There is no message that would send nodes
    /// elsewhere: they are denied what would keep them here, and their registrations end in time.
    pub fn drain(&mut self, drain: Drain) {
        self.draining = matches!(drain, Drain::Begin { .. });
    }

    /// Goes on with the nodes, foreign agents and limits of another one, which has the old ones
    /// afterwards. What is registered stays until it ends; whether it is extended, the new say.
    /// Its address, how many registrations and bindings there may be, and nonces hold for a run.
    pub(crate) fn take_over(&mut self, new: &mut Self) {
        core::mem::swap(&mut self.nodes, &mut new.nodes);
        core::mem::swap(&mut self.agents, &mut new.agents);
        let taken = core::mem::take(&mut new.config);
        let old = core::mem::take(&mut self.config);
        self.config = Mip4Config {
            address: old.address,
            max_registrations: old.max_registrations,
            max_bindings: old.max_bindings,
            nonce_seed: old.nonce_seed,
            ..taken
        };
    }

    /// Takes in one message.
    pub fn handle(&mut self, msg: &Mip4Msg, turn: &mut Turn<'_>) {
        if msg.payload.first() == Some(&TunnelData::TYPE) {
            return self.handle_keepalive(msg, turn);
        }
        let ignored = |why| audit(Mip4Audit::Ignored(why), None, Some(msg.src));
        let Ok(message) = Message::parse(&msg.payload) else {
            return turn.push(ignored(Ignored::Malformed));
        };
        if !is_unicast(msg.src) {
            return turn.push(ignored(Ignored::NotUnicast));
        }
        let extensions = message.extensions;
        match message.body {
            Body::Request(fixed) => {
                self.handle_request(msg, &Request::read(fixed, extensions), turn);
            }
            Body::Revocation(body) => self.handle_revocation(msg, &body, extensions, turn),
            Body::RevocationAck(ack) => self.handle_revocation_ack(msg, &ack, extensions, turn),
            // RFC 5944 3.4: nobody registers with a home agent's help.
            Body::Reply(_) => turn.push(ignored(Ignored::Stray)),
        }
    }

    /// Ends a node's registration because the operator says so, and tells the other end where that
    /// was agreed (RFC 3543 4.2.2). With a `customer` only in its address space, with a `prefix`
    /// only if it holds that.
    pub fn delete(
        &mut self,
        mn_id: &MnId,
        customer: Option<CustomerId>,
        prefix: Option<HomePrefix>,
        turn: &mut Turn<'_>,
    ) {
        let meant = |r: &&Registration| {
            customer.is_none_or(|c| r.customer == c) && prefix.is_none_or(|p| r.holds(p))
        };
        let found = self.table.named(mn_id).filter(meant);
        let ids: Vec<BindingId> = found.map(|r| r.id).collect();
        for id in ids {
            self.revoke(id, turn);
        }
    }

    /// Carries out what is due; call it again at once while [`Self::poll_timeout`] is not later
    /// than now.
    pub fn handle_timeout(&mut self, turn: &mut Turn<'_>) {
        for _ in 0..TIMEOUT_BURST {
            let due = |at: Instant| at <= turn.now.mono;
            let Some((at, timer)) = self.timers.first().copied().filter(|(at, _)| due(*at)) else {
                return;
            };
            self.timers.remove(&(at, timer));
            match timer {
                Timer::Revocation(serial) => self.send_revocation(serial, turn),
                // RFC 5944 4.2.3: the others stay. Nobody is told (3.8).
                Timer::Binding(id, care_of) => {
                    self.drop_binding(id, care_of, Mip4Audit::Expired, turn);
                }
            }
        }
    }

    /// When [`Self::handle_timeout`] is to be called; `None`: not before the next message.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// A registration; `None` when it is gone.
    #[must_use]
    pub fn registration(&self, id: BindingId) -> Option<&Registration> {
        self.table.get(id)
    }

    /// The registration of a node.
    #[must_use]
    pub fn of_node(&self, customer: CustomerId, mn_id: &MnId) -> Option<&Registration> {
        self.table.of_node(customer, mn_id)
    }

    /// The registrations of nodes with this identifier, one for each customer at most.
    pub fn named(&self, mn_id: &MnId) -> impl Iterator<Item = &Registration> {
        self.table.named(mn_id)
    }

    /// The foreign agents with which keys are shared.
    pub fn foreign_agents(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.agents.addresses()
    }

    /// The registrations behind `id`, or all, in the order of their ids.
    pub fn registrations(&self, after: Option<BindingId>) -> impl Iterator<Item = &Registration> {
        self.table.after(after)
    }

    /// Whether packets are forwarded by this key on our behalf.
    #[must_use]
    pub fn holds(&self, key: CustomerPrefix) -> bool {
        self.table.holder(key).is_some()
    }

    /// What is forwarded by this key on our behalf, if anything is.
    #[must_use]
    pub fn publication(&self, key: CustomerPrefix) -> Option<Publication> {
        let published = &self.table.holder(key)?.published;
        published.iter().find(|(k, _)| *k == key).map(|entry| binding::publication(*entry))
    }

    /// Whose registration says what is forwarded by this key.
    pub(crate) fn node_of(&self, key: CustomerPrefix) -> Option<&MnId> {
        self.table.holder(key).map(|r| &r.mn_id)
    }

    /// Whether it serves at all.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        !self.config.address.is_unspecified()
    }

    /// Whether a node has this home address, whosever node it is.
    #[must_use]
    pub fn is_home(&self, address: Ipv4Addr) -> bool {
        self.table.of_home(address).next().is_some()
    }

    /// How many nodes are registered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether nobody is registered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    fn handle_request(&mut self, msg: &Mip4Msg, request: &Request<'_>, turn: &mut Turn<'_>) {
        let asked = request.fixed.identification;
        let (party, code, id) = match self.judge(msg, request, turn.now) {
            Ok((party, terms)) => return self.carry_out(msg, request, party, terms, turn),
            Err(Objection::Discard(why)) => {
                return turn.push(audit(Mip4Audit::Ignored(why), None, Some(msg.src)));
            }
            Err(Objection::Again(party)) => return self.answer_again(msg, request, party, turn),
            // Who is not known to be the node takes no nonce away from it.
            Err(Objection::NotAuthentic(party)) => {
                (party, ReplyCode::MOBILE_NODE_FAILED_AUTHENTICATION, asked)
            }
            Err(Objection::Mismatch(party, id)) => {
                (party, ReplyCode::IDENTIFICATION_MISMATCH, self.answer_id(party, id))
            }
            Err(Objection::Deny(party, code)) => (party, code, self.answer_id(party, asked)),
        };
        self.deny(msg, request, party, (code, id), turn);
    }

    /// Denies a request: nothing else changes, least of all what is registered.
    pub(super) fn deny(
        &self,
        msg: &Mip4Msg,
        request: &Request<'_>,
        party: Party,
        (code, id): (ReplyCode, Identification),
        turn: &mut Turn<'_>,
    ) {
        let home = request.fixed.home_address;
        let answer = Answer::plain(code, RegistrationLifetime::ZERO, home, id);
        let reply = self.reply(msg, request, party, &answer);
        turn.push(Action::SendMip4 { msg: reply, held: false });
        let mn_id = self.nodes.at(party.node).mn_id.clone();
        turn.push(audit(Mip4Audit::Denied(code.0), Some(mn_id), Some(msg.src)));
    }

    /// Answers a request again that was accepted: nothing is extended (RFC 5944 3.8.2.2).
    fn answer_again(
        &self,
        msg: &Mip4Msg,
        request: &Request<'_>,
        party: Party,
        turn: &mut Turn<'_>,
    ) {
        let now = turn.now;
        let node = self.nodes.at(party.node);
        let registration = self.table.of_node(node.customer, &node.mn_id);
        let home = registration.map_or(request.fixed.home_address, |r| r.home_address);
        let binding = registration.and_then(|r| r.binding(request.fixed.care_of));
        let binding = binding.filter(|_| !request.ends());
        let lifetime = binding.map_or(RegistrationLifetime::ZERO, |b| b.remaining(now));
        let seen = self.seen.get(&(node.customer, node.mn_id.clone()));
        let replay = self.nodes.association(party).replay;
        let asked = request.fixed.identification;
        let id = seen.map_or(asked, |seen| seen.answer_again(asked, replay));
        let mut answer = Answer::plain(self.accepted(), lifetime, home, id);
        if let (Some(registration), Some(binding)) = (registration, binding) {
            if self.config.dual_stack {
                answer.prefixes = prefixes::again(node, request, &registration.prefixes);
            }
            // It was decided like this before.
            answer.nat = self.nat(request, msg.src).ok().flatten();
            answer.revocation = binding.revocation.map(|terms| (terms, our_time(now)));
        }
        let reply = self.reply(msg, request, party, &answer);
        turn.push(Action::SendMip4 { msg: reply, held: true });
        let mn_id = node.mn_id.clone();
        turn.push(audit(Mip4Audit::Duplicate, Some(mn_id), Some(request.fixed.care_of)));
    }

    /// The Identification of an answer; see [`Seen::answer`].
    pub(super) fn answer_id(&mut self, party: Party, asked: Identification) -> Identification {
        let node = self.nodes.at(party.node);
        let replay = self.nodes.association(party).replay;
        let seen = self.seen.entry((node.customer, node.mn_id.clone())).or_default();
        seen.answer(asked, replay, &mut self.nonces)
    }

    /// The code of what is accepted (3.8.2.2).
    pub(super) const fn accepted(&self) -> ReplyCode {
        if self.config.max_bindings > 1 {
            ReplyCode::ACCEPTED
        } else {
            ReplyCode::ACCEPTED_WITHOUT_SIMULTANEOUS
        }
    }
}

/// Something that an operator may want to see, about a care-of address or whoever sent it.
pub(super) fn audit(kind: Mip4Audit, mn_id: Option<MnId>, about: Option<Ipv4Addr>) -> Action {
    let proxy_coa = about.map(|a| ProxyCoa(a.to_ipv6_mapped()));
    Action::Audit(Audit { kind: AuditKind::Mip4(kind), mn_id, proxy_coa })
}

/// Recognises a request that is sent again, from the same place.
pub(super) fn digest(msg: &Mip4Msg) -> u64 {
    Digest::new(msg.port.into()).field(&msg.src.octets()).field(&msg.payload).finish()
}

/// Our time in messages about revocation (RFC 3543 3.2): seconds, as NTP counts them.
pub(super) fn our_time(now: Now) -> u32 {
    Identification(ntp(now.wall)).high()
}

pub(super) fn is_unicast(address: Ipv4Addr) -> bool {
    !address.is_multicast() && !address.is_broadcast() && !address.is_unspecified()
}
