//! The home agent of Mobile IPv6 (RFC 6275 8.4 and 10): events in, decisions out.
//!
//! The checks on a binding update stand in this order; what is not proven gets no answer.
//!
//! ```text
//!  9.5.4 source unicast?      9.5.1 in order? 135           10.3.1 home subnet? 132
//!  10.3.1 home agent? 131           H as before? 139        RFC 5142 leaving? 129
//!  6.1.7, 9.5.1 routable?     RFC 3963 6.2: H with R? 140   10.3.1 room? 130; the node's? 133
//!  5.1 authentic? 145 146           R as before? 139               care-of address? 174
//!      in time? 144           RFC 5648 4.5: 164 166         RFC 3963 6.2: 141 142 143
//!                             10.3.2 ends: there? 133       10.3.1 duplicate? 134
//! ```
//! `judge` has them, `register` and `depart` do what follows. What a home agent does besides is in
//! `agents` (which others there are), `links` and `prefixes` (what nodes are told of their home
//! link), `news` (when they are told without having asked), `review` (what another configuration
//! makes of registrations) and `switch` (how it leaves service).

mod ack;
mod agents;
mod binding;
mod cache;
mod config;
mod depart;
mod judge;
mod links;
mod message;
mod news;
mod prefixes;
mod register;
mod request;
mod restore;
mod review;
mod security;
mod switch;

#[cfg(test)]
pub(in crate::mobility) mod tests;

use crate::addr::{CustomerPrefix, MnId, ProxyCoa};
use crate::mobility::Lma;
use crate::mobility::action::{Action, Audit, AuditKind, BindingId, HomeAudit, Publication};
use crate::mobility::event::Event;
use crate::mobility::message::UpdateMsg;
use crate::time::{Instant, Now};
use agents::AgentLists;
use links::Links;
use news::News;
use prefixes::Question;
use register::Probe;
use review::Review;
use security::NodeTable;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use switch::Draining;

pub use binding::{HomeBinding, HomeState};
pub use cache::HomeCache;
pub use config::{
    HaConfig, HomeLink, HomeNode, Interworking, LinkAddress, LinkId, LinkPrefix, Proof,
};
pub use message::{
    AgentInformation, Drain, HomeIcmp, HomeIcmpBody, PrefixHeard, PrefixOffer, RouterHeard,
};
pub use news::Pending;

/// The home agent's core.
#[derive(Debug, Default)]
pub struct HomeAgent {
    config: HaConfig,
    nodes: NodeTable,
    cache: HomeCache,
    timers: BTreeSet<(Instant, HomeTimer)>,
    /// New registrations for which the home link is asked.
    probes: BTreeMap<BindingId, Probe>,
    agents: AgentLists,
    draining: Option<Draining>,
    links: Links,
    /// When which node is told of its home link's prefixes.
    news: News,
    /// Registrations that another configuration has still to be applied to.
    review: Option<Review>,
    /// How many bindings have these addresses defended.
    defended: BTreeMap<LinkAddress, usize>,
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum HomeTimer {
    /// The end of a registration, or of an invalid entry.
    Binding(BindingId),
    /// Nobody has said whether an address is free.
    Probe(BindingId),
    /// More nodes are to be told that we leave service.
    Drain,
    /// This node is to be told again.
    Switch(BindingId),
    /// This registration is about to end.
    Refresh(BindingId),
    /// This node is to be told of its home link's prefixes.
    News(BindingId),
}

/// How many timers one call of [`HomeAgent::handle_timeout`] carries out at most.
const TIMEOUT_BURST: usize = 128;

impl HomeAgent {
    /// A home agent without bindings.
    #[must_use]
    pub fn new(mut config: HaConfig) -> Self {
        let nodes = NodeTable::new(&mut config);
        let mut links = std::mem::take(&mut config.links);
        let shared = links.iter_mut().filter(|l| l.per_node_len.is_none());
        for p in shared.flat_map(|l| &mut l.prefixes) {
            let address = Some(config.address).filter(|own| p.prefix.contains(*own));
            p.address = p.address.or(address);
        }
        let links = Links::new(links);
        Self { config, nodes, links, ..Self::default() }
    }

    /// The registrations.
    #[must_use]
    pub const fn cache(&self) -> &HomeCache {
        &self.cache
    }

    /// Whether it serves at all.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.config.enabled
    }

    /// How it goes together with the local mobility anchor.
    #[must_use]
    pub const fn interworking(&self) -> Interworking {
        self.config.interworking
    }

    /// How many registrations wait for what the home link says.
    #[must_use]
    pub fn probing(&self) -> usize {
        self.probes.len()
    }

    /// Takes in one event; appends what follows from it, in the order in which it is to be done.
    /// `lma` is asked for addresses.
    pub(crate) fn handle(
        &mut self,
        event: Event,
        lma: &mut Lma,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        self.links.begin(now.mono);
        match event {
            Event::Sweep => self.review_some(lma, now, actions),
            Event::Bu(msg) => self.update(msg, lma, now, actions),
            Event::HomeProbed { address, taken } => {
                self.probed(address, taken, lma, now, actions);
            }
            Event::HomeLinkRouter(heard) => self.agents.hear(&heard, now),
            Event::AgentDiscovery { src, dst, id, mobile_router } => {
                self.discover((src, dst), id, mobile_router, now, actions);
            }
            Event::PrefixSolicitation { src, home, id, esp, .. } => {
                self.solicited(src, home, Question { id, esp }, now, actions);
            }
            Event::NodeDrain(drain) => self.drain(drain, now),
            Event::AdminDelete { mn_id, prefix, customer } => {
                let meant = |b: &&HomeBinding| {
                    customer.is_none_or(|c| b.customer == c)
                        && prefix.is_none_or(|p| p.contains(b.home) || b.networks.contains(&p))
                };
                let ids: Vec<_> =
                    self.cache.of_identifier(&mn_id).filter(meant).map(|b| b.id).collect();
                for id in ids {
                    self.delete(id, HomeAudit::Deleted, lma, actions);
                }
            }
            // The local mobility anchor's.
            _ => {}
        }
    }

    /// Carries out what is due.
    pub(crate) fn handle_timeout(&mut self, lma: &mut Lma, now: Now, actions: &mut Vec<Action>) {
        for _ in 0..TIMEOUT_BURST {
            let due = self.timers.first().copied().filter(|(at, _)| *at <= now.mono);
            let Some((at, timer)) = due else { return };
            self.timers.remove(&(at, timer));
            match timer {
                HomeTimer::Binding(id) => self.delete(id, HomeAudit::Expired, lma, actions),
                HomeTimer::Probe(id) => self.probe_overdue(id, lma, now, actions),
                HomeTimer::Drain => self.tell_some(now, actions),
                HomeTimer::Switch(id) => self.tell_again(id, now, actions),
                HomeTimer::Refresh(id) => self.ask_to_refresh(id, actions),
                HomeTimer::News(id) => self.tell_news(id, now, actions),
            }
        }
    }

    /// When [`Self::handle_timeout`] is to be called.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Whether a binding of ours says what is forwarded for this key.
    pub(crate) fn holds(&self, key: CustomerPrefix) -> bool {
        self.cache.by_key(key).is_some()
    }

    /// Puts a binding into the cache, in the place of the one with its id, and its timer with it.
    fn put(&mut self, binding: HomeBinding) -> Option<HomeBinding> {
        let (id, deadline) = (binding.id, binding.deadline);
        let asks = self.config.refresh_requests && binding.state == HomeState::Active;
        let ask = asks.then(|| (reminder(&binding), HomeTimer::Refresh(id)));
        let old = self.cache.put(binding);
        self.disarm(old.as_ref());
        self.timers.insert((deadline, HomeTimer::Binding(id)));
        self.timers.extend(ask);
        old
    }

    /// Takes the timers of a binding that is gone, or another, away.
    fn disarm(&mut self, old: Option<&HomeBinding>) {
        if let Some(old) = old {
            self.timers.remove(&(old.deadline, HomeTimer::Binding(old.id)));
            self.timers.remove(&(reminder(old), HomeTimer::Refresh(old.id)));
        }
    }

    /// What workers and the home link are to do when a binding takes the place of another.
    fn publish_change(
        &mut self,
        old: Option<&HomeBinding>,
        new: Option<&HomeBinding>,
        actions: &mut Vec<Action>,
    ) {
        let active = |b: &&HomeBinding| b.state == HomeState::Active;
        let (old, new) = (old.filter(active), new.filter(active));
        let keys = |b: Option<&HomeBinding>| -> BTreeSet<CustomerPrefix> {
            b.into_iter().flat_map(HomeBinding::keys).collect()
        };
        let (before, after) = (keys(old), keys(new));
        let gone = before.difference(&after).copied();
        actions.extend(gone.map(|key| Action::Publish(Publication::Withdraw(key))));
        if let Some(new) = new {
            let way = |b: &HomeBinding| (b.path(), b.protection);
            let moved = old.is_none_or(|old| way(old) != way(new));
            let told = after.iter().filter(|key| moved || !before.contains(key));
            let forward = |key: &CustomerPrefix| match new.protection_of(*key) {
                Some(protection) => Publication::Protect(*key, new.path(), protection),
                None => Publication::Forward(*key, new.path(), crate::addr::GreKeys::default()),
            };
            actions.extend(told.map(|key| Action::Publish(forward(key))));
        }
        let addresses = |b: Option<&HomeBinding>| -> BTreeSet<LinkAddress> {
            let of = |b: &HomeBinding| {
                let all = b
                    .link
                    .map(|link| b.defended().map(move |address| LinkAddress { link, address }));
                all.into_iter().flatten()
            };
            b.into_iter().flat_map(of).collect()
        };
        let (before, after) = (addresses(old), addresses(new));
        for address in before.difference(&after) {
            self.undefend(*address, actions);
        }
        let router = new.is_some_and(HomeBinding::is_router);
        for address in after.difference(&before) {
            self.defend(*address, router, actions);
        }
    }

    /// Two bindings may have one link-local address defended: those of two prefixes of a link.
    fn defend(&mut self, address: LinkAddress, router: bool, actions: &mut Vec<Action>) {
        let bindings = self.defended.entry(address).or_default();
        *bindings += 1;
        if *bindings == 1 {
            actions.push(Action::Defend { address, router });
        }
    }

    fn undefend(&mut self, address: LinkAddress, actions: &mut Vec<Action>) {
        let Some(bindings) = self.defended.get_mut(&address) else { return };
        *bindings -= 1;
        if *bindings == 0 {
            self.defended.remove(&address);
            actions.push(Action::Undefend(address));
        }
    }

    /// Whether an address is one of ours.
    fn is_own(&self, address: Ipv6Addr) -> bool {
        let ipv4 = self.config.address_ipv4.map(|a| a.to_ipv6_mapped());
        let on_links = self.links.iter().flat_map(|l| &l.prefixes).filter_map(|p| p.address);
        on_links.chain([self.config.address]).chain(ipv4).any(|own| own == address)
    }

    /// Notes what became of a registration.
    #[allow(clippy::unused_self)] // reads as one of the decisions
    fn note(&self, kind: HomeAudit, binding: &HomeBinding, actions: &mut Vec<Action>) {
        let (mn_id, coa) = (Some(binding.mn_id.clone()), Some(ProxyCoa(binding.care_of)));
        actions.push(audit(kind, mn_id, coa));
    }
}

/// When a node is asked to refresh its binding: when an eighth of the lifetime is left.
fn reminder(binding: &HomeBinding) -> Instant {
    binding.deadline - binding.lifetime.duration() / 8
}

/// Notes what became of a message.
fn note_message(kind: HomeAudit, mn_id: Option<MnId>, msg: &UpdateMsg, actions: &mut Vec<Action>) {
    actions.push(audit(kind, mn_id, Some(ProxyCoa(msg.src))));
}

fn audit(kind: HomeAudit, mn_id: Option<MnId>, proxy_coa: Option<ProxyCoa>) -> Action {
    Action::Audit(Audit { kind: AuditKind::Home(kind), mn_id, proxy_coa })
}
