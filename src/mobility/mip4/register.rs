//! What follows from an accepted request (RFC 5944 3.8.2.2), and from what ends.

use super::HomeAgent4;
use crate::addr::{Encap, HomePrefix};
use crate::mobility::action::{Action, BindingId, Mip4Audit, Publication};
use crate::mobility::mip4::agent::{Timer, Turn, audit, digest, our_time};
use crate::mobility::mip4::judge::{Party, Terms};
use crate::mobility::mip4::prefixes::{self, Outcome};
use crate::mobility::mip4::reply::Answer;
use crate::mobility::mip4::request::Request;
use crate::mobility::mip4::{
    CareOfBinding, Homes, KnownBy, Mip4Msg, NodeRef, Registration, RevocationTerms, Unavailable,
    binding,
};
use crate::time::{Instant, MobTimestamp, Now};
use crate::wire::mip4::{Identification, RegistrationLifetime, ReplyCode, RequestFlags};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

impl HomeAgent4 {
    /// Does what a request asks for, and answers it.
    pub(super) fn carry_out(
        &mut self,
        msg: &Mip4Msg,
        request: &Request<'_>,
        party: Party,
        terms: Terms,
        turn: &mut Turn<'_>,
    ) {
        if request.ends() {
            return self.end(msg, request, party, turn);
        }
        let home = match self.home_address(request, party, turn) {
            Ok(home) => home,
            Err(code) => {
                let id = self.answer_id(party, request.fixed.identification);
                return self.deny(msg, request, party, (code, id), turn);
            }
        };
        self.bind(home, msg, request, party, terms, turn);
    }

    /// The home address of the node: the one that it asks for, or the one that it gets (3.8.3.2). A
    /// registration with another is ended.
    fn home_address(
        &mut self,
        request: &Request<'_>,
        party: Party,
        turn: &mut Turn<'_>,
    ) -> Result<Ipv4Addr, ReplyCode> {
        let node = self.nodes.at(party.node);
        let who = NodeRef { customer: node.customer, mn_id: &node.mn_id };
        let asked = Some(request.fixed.home_address).filter(|a| !a.is_unspecified());
        let current = self.table.of_node(node.customer, &node.mn_id);
        let wanted = asked.or(node.home_address).or(current.map(|r| r.home_address));
        let current = current.map(|r| (r.id, r.home_address));
        if let Some((_, home)) = current.filter(|(_, home)| wanted == Some(*home)) {
            return Ok(home);
        }
        let home = turn.homes.reserve_address(who, wanted).map_err(|why| match why {
            Unavailable::Taken => ReplyCode::PROHIBITED,
            Unavailable::Exhausted => ReplyCode::INSUFFICIENT_RESOURCES,
        })?;
        if let Some((id, _)) = current {
            self.remove(id, Mip4Audit::Deleted, turn);
        }
        Ok(home)
    }

    /// Adds a binding to the registration of a node, or extends the one that there is.
    fn bind(
        &mut self,
        home_address: Ipv4Addr,
        msg: &Mip4Msg,
        request: &Request<'_>,
        party: Party,
        terms: Terms,
        turn: &mut Turn<'_>,
    ) {
        let (fixed, now) = (&request.fixed, turn.now);
        let identification = self.note(msg, request, party);
        let (customer, mn_id) = {
            let node = self.nodes.at(party.node);
            (node.customer, node.mn_id.clone())
        };
        let id = self.table.of_node(customer, &mn_id).map(|r| r.id);
        let mut registration =
            id.and_then(|id| self.table.remove(id)).unwrap_or_else(|| Registration {
                id: self.table.next_id(),
                mn_id: mn_id.clone(),
                customer,
                home_address,
                bindings: Vec::new(),
                prefixes: Vec::new(),
                identification,
                created: now.wall,
                published: Vec::new(),
            });
        let kind = match registration.bindings.as_slice() {
            [] => Mip4Audit::Registered,
            all if all.iter().any(|b| b.care_of == fixed.care_of) => Mip4Audit::Refreshed,
            _ => Mip4Audit::Moved,
        };
        let keeps_others = self.keeps_others(request);
        let is_same = |b: &CareOfBinding| b.care_of == fixed.care_of;
        let encap = registration.binding(fixed.care_of).map_or(terms.encap, |b| b.kept(&terms));
        // Among others it keeps its place: forwarding does not change with each refresh.
        let place = registration.bindings.iter().position(is_same).filter(|_| keeps_others);
        let replaced = |b: &mut CareOfBinding| b.care_of == fixed.care_of || !keeps_others;
        for old in registration.bindings.extract_if(.., replaced) {
            disarm(&mut self.timers, registration.id, &old);
        }
        let lifetime = fixed.lifetime.min(self.config.max_lifetime);
        let mut binding = CareOfBinding {
            care_of: fixed.care_of,
            remote: terms.remote,
            encap,
            known_by: terms.known_by,
            flags: fixed.flags,
            src: msg.src,
            port: msg.port,
            lifetime,
            ends: None,
            deadline: None,
            sent: now.mono,
            revocation: self.revocation_terms(msg, request, party),
        };
        binding.end_after(lifetime, now);
        arm(&mut self.timers, registration.id, &binding);
        let revocation = binding.revocation;
        registration.bindings.insert(place.unwrap_or(registration.bindings.len()), binding);
        registration.identification = fixed.identification;
        let outcome = self.decide_prefixes(request, party, &registration, turn.homes);
        registration.prefixes = outcome.registered;
        let id = registration.id;
        self.publish(&mut registration, turn.actions);
        self.table.insert(registration);
        turn.push(Action::Persist(id));
        let answer = Answer {
            code: self.accepted(),
            lifetime,
            home_address,
            identification,
            prefixes: outcome.replies,
            nat: terms.nat,
            revocation: revocation.map(|terms| (terms, our_time(now))),
        };
        let reply = self.reply(msg, request, party, &answer);
        turn.push(Action::SendMip4 { msg: reply, held: true });
        turn.push(audit(kind, Some(mn_id), Some(fixed.care_of)));
    }

    /// Ends the binding that a request names, or all of a node (3.8.2.2). What is not there needs
    /// no end.
    fn end(&mut self, msg: &Mip4Msg, request: &Request<'_>, party: Party, turn: &mut Turn<'_>) {
        let identification = self.note(msg, request, party);
        let fixed = &request.fixed;
        let node = self.nodes.at(party.node);
        let found = self.table.of_node(node.customer, &node.mn_id);
        let found = found
            .map(|r| (r.id, r.home_address))
            .filter(|(_, home)| fixed.home_address.is_unspecified() || fixed.home_address == *home);
        let home = found.map_or(fixed.home_address, |(_, home)| home);
        match found {
            Some((id, home)) if request.ends_all(home) => {
                self.remove(id, Mip4Audit::Deregistered, turn);
            }
            Some((id, _)) => {
                let why = Mip4Audit::Deregistered;
                self.drop_binding(id, fixed.care_of, why, turn);
            }
            None => {}
        }
        let answer =
            Answer::plain(self.accepted(), RegistrationLifetime::ZERO, home, identification);
        let reply = self.reply(msg, request, party, &answer);
        turn.push(Action::SendMip4 { msg: reply, held: true });
    }

    /// Remembers that a request was accepted; the Identification of its answer.
    fn note(&mut self, msg: &Mip4Msg, request: &Request<'_>, party: Party) -> Identification {
        let asked = request.fixed.identification;
        let answer = self.answer_id(party, asked);
        let node = self.nodes.at(party.node);
        let replay = self.nodes.association(party).replay;
        let seen = self.seen.entry((node.customer, node.mn_id.clone())).or_default();
        seen.accept(asked, replay, digest(msg));
        answer
    }

    fn decide_prefixes(
        &self,
        request: &Request<'_>,
        party: Party,
        registration: &Registration,
        homes: &mut dyn Homes,
    ) -> Outcome {
        if !self.config.dual_stack {
            return Outcome::default();
        }
        let node = self.nodes.at(party.node);
        prefixes::decide(node, request, &registration.prefixes, homes)
    }

    /// Whether a binding can be revoked, and how (RFC 3543 4.2.1): what is said of it has to be
    /// authentic (3.2).
    fn revocation_terms(
        &self,
        msg: &Mip4Msg,
        request: &Request<'_>,
        party: Party,
    ) -> Option<RevocationTerms> {
        if !self.config.revocation {
            return None;
        }
        if let Some((inform, peer_time)) = request.agent.revocation {
            let shared = self.agents.of(msg.src).get(party.agent?)?;
            return Some(RevocationTerms { with_agent: true, spi: shared.spi, inform, peer_time });
        }
        // A node that speaks with us itself, and decapsulates itself.
        let (_, peer_time) = request.node.revocation?;
        let is_direct = request.fixed.flags.contains(RequestFlags::D) && party.agent.is_none();
        let spi = self.nodes.association(party).spi;
        is_direct.then_some(RevocationTerms { with_agent: false, spi, inform: false, peer_time })
    }

    /// Takes one binding of a registration out, and the registration with its last.
    pub(super) fn drop_binding(
        &mut self,
        id: BindingId,
        care_of: Ipv4Addr,
        why: Mip4Audit,
        turn: &mut Turn<'_>,
    ) {
        let Some(registration) = self.table.get(id) else { return };
        if registration.binding(care_of).is_none() {
            return;
        }
        if registration.bindings.len() == 1 {
            return self.remove(id, why, turn);
        }
        let Some(mut registration) = self.table.remove(id) else { return };
        for old in registration.bindings.extract_if(.., |b| b.care_of == care_of) {
            disarm(&mut self.timers, id, &old);
        }
        let mn_id = registration.mn_id.clone();
        self.publish(&mut registration, turn.actions);
        self.table.insert(registration);
        turn.push(Action::Persist(id));
        turn.push(audit(why, Some(mn_id), Some(care_of)));
    }

    /// Takes a registration out with all that it has.
    pub(super) fn remove(&mut self, id: BindingId, why: Mip4Audit, turn: &mut Turn<'_>) {
        let Some(registration) = self.table.remove(id) else { return };
        for binding in &registration.bindings {
            disarm(&mut self.timers, id, binding);
        }
        let withdrawn = registration.published.iter().map(|(key, _)| Publication::Withdraw(*key));
        turn.actions.extend(withdrawn.map(Action::Publish));
        let held: Vec<HomePrefix> = registration.held().collect();
        for prefix in held {
            turn.homes.release(registration.node(), prefix);
        }
        turn.push(Action::Persist(id));
        let care_of = registration.bindings.last().map(|b| b.care_of);
        turn.push(audit(why, Some(registration.mn_id), care_of));
    }

    /// Tells the workers what differs from what they forward.
    pub(super) fn publish(&self, registration: &mut Registration, actions: &mut Vec<Action>) {
        let new = registration.forwarding(self.config.address);
        let old = core::mem::take(&mut registration.published);
        for (key, _) in old.iter().filter(|(key, _)| !new.iter().any(|(k, _)| k == key)) {
            actions.push(Action::Publish(Publication::Withdraw(*key)));
        }
        for entry in new.iter().filter(|entry| !old.contains(entry)) {
            actions.push(Action::Publish(binding::publication(*entry)));
        }
        registration.published = new;
    }
}

impl CareOfBinding {
    /// In what packets travel under these new terms. A tunnel whose end a keepalive told is not
    /// interrupted by a refresh: it goes where it went until the next keepalive.
    fn kept(&self, terms: &Terms) -> Encap {
        let was_told = self.known_by != KnownBy::Request && self.src == terms.remote;
        if was_told && terms.known_by == KnownBy::Awaited { self.encap } else { terms.encap }
    }

    /// Sets when it ends.
    pub(super) fn end_after(&mut self, lifetime: RegistrationLifetime, now: Now) {
        let ends = |left| MobTimestamp::from_unix(now.wall.to_unix().saturating_add(left));
        self.ends = lifetime.duration().map(ends);
        self.deadline = lifetime.duration().map(|left| now.mono + left);
    }
}

pub(super) fn arm(timers: &mut BTreeSet<(Instant, Timer)>, id: BindingId, binding: &CareOfBinding) {
    if let Some(at) = binding.deadline {
        timers.insert((at, Timer::Binding(id, binding.care_of)));
    }
}

fn disarm(timers: &mut BTreeSet<(Instant, Timer)>, id: BindingId, binding: &CareOfBinding) {
    if let Some(at) = binding.deadline {
        timers.remove(&(at, Timer::Binding(id, binding.care_of)));
    }
}
