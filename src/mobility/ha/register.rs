//! A home registration begins, is extended, moves (RFC 6275 10.3.1), with duplicate address
//! detection before its first acknowledgement.
//!
//! ```text
//!   new entry --> Probing --the home link is silent--> Active     answered when it is in force
//!                    '------somebody has the address--> gone      status 134
//! ```

use super::ack::{self, Answer};
use super::judge::{Objection, Plan, Verdict};
use super::request::Asked;
use super::{HomeAgent, HomeBinding, HomeState, HomeTimer, LinkAddress, note_message};
use crate::addr::{Encap, HomePrefix, MnId};
use crate::mobility::Lma;
use crate::mobility::action::{Action, BindingId, HomeAudit};
use crate::mobility::message::{Transport, UpdateMsg};
use crate::time::{Duration, Instant, Lifetime, MobTimestamp, Now};
use crate::wire::mh::{Ipv4Home, Ipv4HomeStatus, SeqNo, Status};
use std::collections::BTreeSet;

/// A registration for which the home link is asked.
#[derive(Debug)]
pub(super) struct Probe {
    /// Of whom nothing was heard yet.
    open: BTreeSet<LinkAddress>,
    /// The last update: what is answered in the end.
    msg: UpdateMsg,
    pub(super) status: Status,
    ipv4: Vec<(Ipv4HomeStatus, Ipv4Home)>,
    deadline: Instant,
    /// The entry is on disk, from before the node came home the last time.
    is_kept: bool,
}

/// Registrations for which home links are asked at most: beyond it status 130.
const PROBES_MAX: usize = 4096;
/// How long the answer may take: a probe and its timer of a second, with some room (RFC 4862 5.1).
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

impl HomeAgent {
    /// A binding update.
    pub(super) fn update(
        &mut self,
        msg: UpdateMsg,
        lma: &mut Lma,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        use crate::mobility::action::Ignored::NotUnicast;
        let asked = Asked::read(&msg);
        // RFC 6275 9.5.4: neither answered nor done.
        let source = msg.src.to_ipv4_mapped();
        let many = source.map_or(msg.src.is_multicast(), |a| a.is_multicast() || a.is_broadcast());
        if many || msg.src.is_unspecified() {
            return note_message(HomeAudit::Ignored(NotUnicast), None, &msg, actions);
        }
        match self.judge(&msg, &asked, lma, now) {
            Err(Objection::Ignore(why)) => {
                note_message(HomeAudit::Ignored(why), None, &msg, actions);
            }
            Err(Objection::Refuse(status, last)) => {
                self.refuse(&msg, status, last, lma, now, actions);
            }
            Ok(Verdict::End(id)) => self.depart(id, &msg, &asked, lma, now, actions),
            Ok(Verdict::Register(plan)) => self.register(&plan, msg, &asked, lma, now, actions),
        }
    }

    fn register(
        &mut self,
        plan: &Plan,
        msg: UpdateMsg,
        asked: &Asked,
        lma: &mut Lma,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let old = plan.existing.and_then(|id| self.cache.get(id)).cloned();
        // An entry that only remembers is no binding (10.3.1), and one that is not yet is asked for
        // again by its node.
        let bound = old.as_ref().is_some_and(|b| b.state != HomeState::Invalid);
        let attached = plan.place.link;
        let held = old.as_ref().map(|b| b.held);
        if held != Some(plan.place.held) {
            let shared = lma.share(plan.customer, &plan.mn_id, plan.place.held);
            if !shared {
                let status = Status::NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE;
                return self.refuse(&msg, status, None, lma, now, actions);
            }
            if let Some(before) = held {
                lma.unshare(plan.customer, before);
            }
        }
        let mut new = self.binding(plan, &msg, asked, old.as_ref(), now);
        let ipv4 = self.ipv4(&mut new, asked, lma);
        let probing = attached.is_some() && (!bound || self.probes.contains_key(&new.id));
        if !probing {
            return self.accept(&new, plan.status, &msg, &ipv4, lma, now, actions);
        }
        new.state = HomeState::Probing;
        let id = new.id;
        let link = attached.unwrap_or_default();
        let all = new.defended().map(|address| LinkAddress { link, address });
        let known = self.probes.remove(&id);
        let (open, deadline, is_kept) = if let Some(probe) = known {
            // It was sent again, and what is asked is asked.
            (probe.open, probe.deadline, probe.is_kept)
        } else {
            if self.probes.len() >= PROBES_MAX {
                self.release(&new, lma);
                let gone = self.cache.remove(id);
                self.disarm(gone.as_ref());
                actions.extend(gone.map(|_| Action::Persist(id)));
                let status = Status::INSUFFICIENT_RESOURCES;
                return self.refuse(&msg, status, None, lma, now, actions);
            }
            let all: BTreeSet<_> = all.collect();
            actions.extend(all.iter().map(|a| Action::ProbeHome(*a)));
            let deadline = now.mono + PROBE_TIMEOUT;
            self.timers.insert((deadline, HomeTimer::Probe(id)));
            (all, deadline, old.is_some())
        };
        self.put(new);
        let status = plan.status;
        self.probes.insert(id, Probe { open, msg, status, ipv4, deadline, is_kept });
    }

    /// The home link has said whether somebody has an address.
    pub(super) fn probed(
        &mut self,
        address: LinkAddress,
        taken: bool,
        lma: &mut Lma,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let asked = self.probes.iter().filter(|(_, p)| p.open.contains(&address));
        let ids: Vec<BindingId> = asked.map(|(id, _)| *id).collect();
        for id in ids {
            if taken {
                let status = Status::DUPLICATE_ADDRESS_DETECTION_FAILED;
                self.give_up(id, status, lma, now, actions);
                continue;
            }
            let Some(probe) = self.probes.get_mut(&id) else { continue };
            probe.open.remove(&address);
            if !probe.open.is_empty() {
                continue;
            }
            let Some(binding) = self.cache.get(id).cloned() else { continue };
            // RFC 3963 6.2: meanwhile another node may have got one of them.
            if self.is_of_another(binding.customer, &binding.networks, Some(id)) {
                self.give_up(id, Status::NOT_AUTHORIZED_FOR_PREFIX, lma, now, actions);
            } else if let Some(probe) = self.probes.remove(&id) {
                let Probe { msg, status, ipv4, deadline, .. } = probe;
                self.timers.remove(&(deadline, HomeTimer::Probe(id)));
                let binding = HomeBinding { state: HomeState::Active, ..binding };
                self.accept(&binding, status, &msg, &ipv4, lma, now, actions);
            }
        }
    }

    /// Nobody has said it: whether the address is free is not known.
    pub(super) fn probe_overdue(
        &mut self,
        id: BindingId,
        lma: &mut Lma,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        self.give_up(id, Status::INSUFFICIENT_RESOURCES, lma, now, actions);
    }

    /// 10.3.1: the whole update is refused.
    pub(super) fn give_up(
        &mut self,
        id: BindingId,
        status: Status,
        lma: &mut Lma,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let Some(probe) = self.probes.remove(&id) else { return };
        self.timers.remove(&(probe.deadline, HomeTimer::Probe(id)));
        let gone = self.cache.remove(id);
        self.disarm(gone.as_ref());
        if let Some(gone) = gone {
            self.release(&gone, lma);
        }
        actions.extend(probe.is_kept.then_some(Action::Persist(id)));
        self.refuse(&probe.msg, status, None, lma, now, actions);
    }

    /// Takes no answer of the home link any more.
    pub(super) fn forget_probe(&mut self, id: BindingId) {
        if let Some(probe) = self.probes.remove(&id) {
            self.timers.remove(&(probe.deadline, HomeTimer::Probe(id)));
        }
    }

    /// The binding as the update has it.
    fn binding(
        &mut self,
        plan: &Plan,
        msg: &UpdateMsg,
        asked: &Asked,
        old: Option<&HomeBinding>,
        now: Now,
    ) -> HomeBinding {
        let in_ipv4 = match msg.transport {
            Transport::Dsmip { port, .. } => Some(port),
            _ => None,
        };
        let moved = old.is_some_and(|b| b.care_of != asked.care_of);
        let lifetime = plan.lifetime.duration();
        HomeBinding {
            id: old.map_or_else(|| self.cache.next_id(), |b| b.id),
            mn_id: plan.mn_id.clone(),
            customer: plan.customer,
            home: asked.home,
            link: plan.place.link,
            held: plan.place.held,
            ipv4: old.and_then(|b| b.ipv4),
            networks: plan.networks.clone(),
            care_of: asked.care_of,
            peer: msg.src,
            local: if in_ipv4.is_some() { msg.dst } else { self.config.address },
            transport: msg.transport,
            // RFC 5555 4.2: in an IPv4 network always in UDP, as the NAT Detection option says.
            encap: in_ipv4.map_or(Encap::Ip, Encap::Mip6Udp),
            flags: msg.update.flags,
            seq: msg.update.seq,
            replay: asked.replay.or(old.and_then(|b| b.replay)),
            lifetime: plan.lifetime,
            state: HomeState::Active,
            moves: old.map_or(0, |b| b.moves) + u32::from(moved),
            created: old.map_or(now.wall, |b| b.created),
            ends: MobTimestamp::from_unix(now.wall.to_unix() + lifetime),
            deadline: now.mono + lifetime,
            protection: self.nodes.protection(&plan.mn_id),
        }
    }

    /// RFC 5555 4.5: what becomes of the IPv4 home addresses that are asked for; the one that the
    /// binding has is replaced by what this update says (4.4.2.1).
    fn ipv4(
        &self,
        new: &mut HomeBinding,
        asked: &Asked,
        lma: &mut Lma,
    ) -> Vec<(Ipv4HomeStatus, Ipv4Home)> {
        let mut before = new.ipv4.take();
        let mut answers = Vec::new();
        for (home, prefix_asked) in &asked.ipv4 {
            let outcome = if new.ipv4.is_some() {
                Err(Ipv4HomeStatus::ADMINISTRATIVELY_PROHIBITED)
            } else {
                self.ipv4_home(new, *home, *prefix_asked, &mut before, lma)
            };
            answers.push(match outcome {
                Ok(prefix) => {
                    new.ipv4 = Some(prefix);
                    (Ipv4HomeStatus::SUCCESS, ack::ipv4_home(prefix))
                }
                // 3.2.1: the length is zero in case of failure.
                Err(status) => (status, Ipv4Home::new(home.addr(), 0).unwrap_or(Ipv4Home::ANY)),
            });
        }
        if let Some(before) = before {
            lma.unshare(new.customer, before);
        }
        answers
    }

    fn ipv4_home(
        &self,
        new: &HomeBinding,
        home: Ipv4Home,
        prefix_asked: bool,
        before: &mut Option<HomePrefix>,
        lma: &mut Lma,
    ) -> Result<HomePrefix, Ipv4HomeStatus> {
        // 3.1.1: zero is an error.
        if home.prefix_len() == 0 {
            return Err(Ipv4HomeStatus::INVALID_ADDRESS);
        }
        let own = self.nodes.by_id(&new.mn_id).and_then(|n| n.ipv4_home_address);
        let own = own.and_then(|a| HomePrefix::from_ipv4(a, 32).ok());
        if home.addr().is_unspecified() {
            // 4.4.2: prefixes are not given out.
            if prefix_asked {
                return Err(Ipv4HomeStatus::PREFIX_UNAUTHORIZED);
            }
            if let Some(prefix) = before.take() {
                return Ok(prefix);
            }
            let dynamic = match own {
                Some(own) => lma.share(new.customer, &new.mn_id, own).then_some(own),
                None => lma.share_ipv4(new.customer, &new.mn_id),
            };
            return dynamic.ok_or(Ipv4HomeStatus::DYNAMIC_NOT_AVAILABLE);
        }
        let named = HomePrefix::from_ipv4(home.addr(), home.prefix_len());
        let named = named.map_err(|_| Ipv4HomeStatus::INVALID_ADDRESS)?;
        if named.len() != 128 {
            return Err(Ipv4HomeStatus::PREFIX_UNAUTHORIZED);
        }
        if *before == Some(named) {
            *before = None;
            return Ok(named);
        }
        // 4.5: it has to be allocated to this node.
        let its = own == Some(named) || lma.is_of_node(new.customer, &new.mn_id, named);
        if its && lma.share(new.customer, &new.mn_id, named) {
            Ok(named)
        } else {
            Err(Ipv4HomeStatus::INCORRECT_ADDRESS)
        }
    }

    /// The binding is in force from now on.
    #[allow(clippy::too_many_arguments)] // what an answer is made of
    fn accept(
        &mut self,
        new: &HomeBinding,
        status: Status,
        msg: &UpdateMsg,
        ipv4: &[(Ipv4HomeStatus, Ipv4Home)],
        lma: &Lma,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let (id, lifetime) = (new.id, new.lifetime);
        let old = self.put(new.clone());
        self.publish_change(old.as_ref(), Some(new), actions);
        self.expect_news(new, now);
        actions.push(Action::Persist(id));
        let seq = msg.update.seq;
        self.reply(msg, (status, seq, lifetime), ipv4, lma, now, actions);
        let known = [HomeState::Active, HomeState::Proxied];
        let kind = match old.filter(|b| known.contains(&b.state)) {
            None => HomeAudit::Registered,
            Some(old) if old.care_of == new.care_of => HomeAudit::Refreshed,
            Some(_) => HomeAudit::Moved,
        };
        self.note(kind, new, actions);
    }

    pub(super) fn refuse(
        &self,
        msg: &UpdateMsg,
        status: Status,
        last: Option<SeqNo>,
        lma: &Lma,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let seq = last.unwrap_or(msg.update.seq);
        self.reply(msg, (status, seq, Lifetime::ZERO), &[], lma, now, actions);
        let mn_id = msg.options.iter().find_map(|o| match o {
            crate::wire::mh::MobilityOption::MnId(subtype, id) => MnId::new(subtype, id),
            _ => None,
        });
        note_message(HomeAudit::Refused(status.0), mn_id, msg, actions);
    }

    pub(super) fn reply(
        &self,
        msg: &UpdateMsg,
        (status, seq, lifetime): (Status, SeqNo, Lifetime),
        ipv4: &[(Ipv4HomeStatus, Ipv4Home)],
        lma: &Lma,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let asked = Asked::read(msg);
        let keepalive_s = self.config.nat_keepalive_s;
        let nat = ack::nat_detection(msg, asked.is_translated(), keepalive_s);
        let held = status.is_accepted();
        let answer = Answer {
            status,
            seq,
            lifetime,
            ipv4,
            nat: nat.filter(|_| held),
            clock: now.wall,
            signer: self.signer(msg, &asked, lma),
        };
        actions.push(Action::Reply { ack: ack::acknowledge(msg, &answer), held });
    }

    /// Gives back what a binding holds of the allocation.
    #[allow(clippy::unused_self)] // reads as one of the decisions
    pub(super) fn release(&self, gone: &HomeBinding, lma: &mut Lma) {
        for prefix in [Some(gone.held), gone.ipv4].into_iter().flatten() {
            lma.unshare(gone.customer, prefix);
        }
    }
}
