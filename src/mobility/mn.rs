//! The pure core of a Mobile IPv6 node (RFC 6275 section 11): a function of (state, event, now). No
//! sockets, no clock, no randomness.
//!
//! ```text
//!    Attached (nowhere, at home, away)      Ack, RefreshRequest, BindingError, Switch
//!                     |                                   |
//!                     v                                   v
//!          +--------------------------- Mn -----------------------------+
//!          |  at: where the node is      binding: what its agent has    |
//!          |  exchange: an update that waits for its acknowledgement    |
//!          +------------------------------------------------------------+
//!                     |                                   |
//!                     v                                   v
//!    Tunnel, JoinHome, LeaveHome, AdvertiseHome         SendBu, SolicitPrefixes
//! ```
//! Nodes to test with play it: `anchor-mn`.

pub mod attachment;
pub mod event;
pub mod row;

pub(super) mod ack;
mod exchange;
mod prefix;

#[cfg(test)]
mod tests;

use crate::addr::{HomePrefix, MnId};
use crate::mobility::mag::exchange::UpdateRate;
use crate::mobility::message::{OwnedOptions, Transport, UpdateMsg};
use crate::time::{Duration, Instant, Lifetime, Now};
use crate::wire::mh::{BindingError, BindingUpdate, BuFlags, Ipv4Home, MobilityOption, SeqNo};
use crate::wire::udp;
use attachment::Attachment;
use event::{Action, AuditKind, Event, Tunnel};
use exchange::Exchange;
use prefix::Prefixes;
use row::BindingRow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a node is told before its first event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MnConfig {
    /// Its home address.
    pub home_address: Ipv6Addr,
    /// Its home agents, the best first.
    pub home_agents: Vec<Ipv6Addr>,
    /// The IPv4 address of the only home agent, by which it is asked from networks without IPv6
    /// (RFC 5555).
    pub home_agent_ipv4: Option<Ipv4Addr>,
    /// The IPv4 home address that it asks for; 0.0.0.0 for any.
    pub ipv4_home: Option<Ipv4Addr>,
    /// Its identifier (RFC 4283), for a home agent that knows it by that.
    pub mn_id: Option<MnId>,
    /// The lifetime that it asks for.
    pub lifetime: Lifetime,
    /// `InitialBindackTimeoutFirstReg` (RFC 6275 section 13).
    pub first_timeout: Duration,
    /// It is a mobile router (RFC 3963).
    pub router: Option<MobileRouter>,
}

/// What a mobile router has besides a home address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MobileRouter {
    /// The prefixes of its networks.
    pub prefixes: Vec<HomePrefix>,
    /// Whether its updates name them; else the home agent knows them (RFC 3963 5.2).
    pub explicit: bool,
}

/// What the home agent has acknowledged: the node's Binding Update List entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Binding {
    agent: Ipv6Addr,
    tunnel: Tunnel,
    expires_at: Instant,
    refresh_at: Instant,
}

/// The node.
#[derive(Debug)]
pub struct Mn {
    config: MnConfig,
    /// Home agents, the one that is used first.
    agents: Vec<Ipv6Addr>,
    at: Attachment,
    /// The number of the last update (RFC 6275 11.7.1).
    seq: SeqNo,
    binding: Option<Binding>,
    exchange: Option<Exchange>,
    /// When the next attempt begins, after a refusal.
    retry_at: Option<Instant>,
    /// The home address is on the link that the node is attached to.
    is_on_link: bool,
    /// A home agent to go on with when the present one has let go (RFC 5142).
    successors: Vec<Ipv6Addr>,
    is_stopping: bool,
    rate: UpdateRate,
    prefixes: Prefixes,
}

impl Mn {
    /// A node that is nowhere yet.
    #[must_use]
    pub fn new(config: MnConfig) -> Self {
        Self {
            agents: config.home_agents.clone(),
            config,
            at: Attachment::Nowhere,
            seq: SeqNo::default(),
            binding: None,
            exchange: None,
            retry_at: None,
            is_on_link: false,
            successors: Vec::new(),
            is_stopping: false,
            rate: UpdateRate::default(),
            prefixes: Prefixes::default(),
        }
    }

    /// Takes in one event; appends what follows from it, in the order in which it is to be done.
    pub fn handle(&mut self, event: Event, now: Now, actions: &mut Vec<Action>) {
        let now = now.mono;
        match event {
            Event::Attached(at) => self.attached(at, now, actions),
            Event::Ack(msg) => self.acknowledged(&msg, now, actions),
            Event::RefreshRequest { src } => self.asked_to_refresh(src, now, actions),
            Event::BindingError { src, error } => self.failed(src, error, now, actions),
            Event::Switch { src, agents } => self.sent_away(src, agents, now, actions),
            Event::PrefixesAdvertised(answer) => self.advertised(answer, now, actions),
            Event::Stop => self.stop(now, actions),
        }
    }

    /// Carries out what is due.
    pub fn handle_timeout(&mut self, now: Now, actions: &mut Vec<Action>) {
        let now = now.mono;
        if self.binding.is_some_and(|b| b.expires_at <= now) {
            // RFC 6275 11.7.3: the entry ends with its lifetime.
            self.unbind(AuditKind::Expired, actions);
        }
        if self.exchange.as_ref().is_some_and(|e| e.next_at() <= now) {
            self.send_again(now, actions);
        }
        if self.prefixes.next_at().is_some_and(|at| at <= now) {
            self.ask_again(now, actions);
        }
        let refresh = self.binding.is_some_and(|b| b.refresh_at <= now);
        let retry = self.retry_at.is_some_and(|at| at <= now);
        if self.exchange.is_none() && (refresh || retry) {
            self.retry_at = None;
            self.begin(now, actions);
        }
    }

    /// When [`Self::handle_timeout`] is to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let exchange = self.exchange.as_ref().map(Exchange::next_at);
        let expiry = self.binding.map(|b| b.expires_at);
        let idle = self.exchange.is_none() && self.target().is_some();
        let refresh = self.binding.map(|b| b.refresh_at).filter(|_| idle);
        let retry = self.retry_at.filter(|_| self.exchange.is_none());
        let question = self.prefixes.next_at();
        [exchange, expiry, refresh, retry, question].into_iter().flatten().min()
    }

    /// Whether there is nothing left to wait for after [`Event::Stop`].
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.is_stopping && self.exchange.is_none()
    }

    /// The Binding Update List.
    #[must_use]
    pub fn row(&self, now: Now) -> BindingRow {
        let left = self.binding.map_or(Duration::ZERO, |b| b.expires_at.since(now.mono));
        BindingRow {
            home_address: Some(self.config.home_address.into()),
            home_agent: self.binding.map_or_else(|| self.agent(), |b| b.agent).into(),
            care_of: self.binding.map(|b| b.tunnel.ends.care_of.to_canonical()),
            lifetime_left_s: left.as_secs(),
            at: self.at,
            is_waiting: self.exchange.is_some(),
            delivery: self.binding.map(|b| b.tunnel.encap.into()),
            ipv4_home_address: self.binding.and_then(|b| b.tunnel.ipv4_home),
            prefixes: Vec::new(),
            home_prefixes: self.prefixes.rows(now.mono),
        }
    }

    fn agent(&self) -> Ipv6Addr {
        self.agents.first().copied().unwrap_or(Ipv6Addr::UNSPECIFIED)
    }

    /// What is to be registered where the node is: the care-of address and the lifetime.
    fn target(&self) -> Option<(Ipv6Addr, Lifetime)> {
        let ends = self.is_stopping || !self.successors.is_empty();
        match self.at {
            Attachment::Nowhere => None,
            // RFC 6275 11.5.5: returning home.
            Attachment::Home => Some((self.config.home_address, Lifetime::ZERO)),
            // There is no way to the home agent.
            Attachment::Away(IpAddr::V4(_)) if self.config.home_agent_ipv4.is_none() => None,
            Attachment::Away(care_of) => {
                let lifetime = if ends { Lifetime::ZERO } else { self.config.lifetime };
                Some((mapped(care_of), lifetime))
            }
        }
    }

    fn attached(&mut self, at: Attachment, now: Instant, actions: &mut Vec<Action>) {
        if at == self.at {
            return;
        }
        self.at = at;
        (self.exchange, self.retry_at) = (None, None);
        if self.is_on_link && at != Attachment::Home {
            self.is_on_link = false;
            actions.push(Action::LeaveHome);
        }
        self.begin(now, actions);
        if at == Attachment::Home {
            // RFC 6275 11.5.5: not before the update is sent, lest the node asks for its agent's
            // link-layer address by an address that the agent still defends.
            self.is_on_link = true;
            actions.push(Action::JoinHome);
        }
    }

    /// RFC 6275 11.7.4.
    fn asked_to_refresh(&mut self, src: Ipv6Addr, now: Instant, actions: &mut Vec<Action>) {
        if self.is_bound_with(src) && self.exchange.is_none() {
            self.begin(now, actions);
        } else {
            actions.push(Action::Audit(AuditKind::RefreshRequestIgnored));
        }
    }

    /// RFC 6275 11.3.6.
    fn failed(
        &mut self,
        src: Ipv6Addr,
        error: BindingError,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let asked = self.exchange.as_ref().is_some_and(|e| e.agent == src);
        match error.status {
            BindingError::UNKNOWN_BINDING if self.is_bound_with(src) && !asked => {
                self.begin(now, actions);
            }
            // It knows no Mobile IPv6.
            BindingError::UNKNOWN_MH_TYPE if asked => {
                actions.push(Action::Audit(AuditKind::NotAnAgent));
                self.next_agent(now, actions);
            }
            _ => actions.push(Action::Audit(AuditKind::BindingErrorIgnored)),
        }
    }

    /// Home Agent Switch (RFC 5142 section 5): the binding is ended first, then another agent is
    /// asked; the others that are configured, if the message names none.
    fn sent_away(
        &mut self,
        src: Ipv6Addr,
        agents: Vec<Ipv6Addr>,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        if !self.is_bound_with(src) || self.is_stopping {
            actions.push(Action::Audit(AuditKind::SwitchIgnored));
            return;
        }
        let named = if agents.is_empty() { self.config.home_agents.clone() } else { agents };
        self.successors = named.into_iter().filter(|a| *a != src).collect();
        if self.successors.is_empty() {
            actions.push(Action::Audit(AuditKind::SwitchIgnored));
            return;
        }
        actions.push(Action::Audit(AuditKind::SentAway));
        (self.exchange, self.retry_at) = (None, None);
        self.begin(now, actions);
    }

    fn stop(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.is_stopping = true;
        (self.exchange, self.retry_at) = (None, None);
        if self.binding.is_some() {
            self.begin(now, actions);
        }
    }

    fn is_bound_with(&self, agent: Ipv6Addr) -> bool {
        self.binding.is_some_and(|b| b.agent == agent)
    }

    /// Begins to tell the home agent where the node is, if there is a way to.
    fn begin(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let Some((care_of, lifetime)) = self.target() else { return };
        // What is ended is ended where it is.
        let ends = lifetime == Lifetime::ZERO;
        let agent = self.binding.filter(|_| ends).map_or_else(|| self.agent(), |b| b.agent);
        let first = self.config.first_timeout;
        let exchange = Exchange::new(agent, care_of, lifetime, self.binding.is_none(), first, now);
        self.exchange = Some(exchange);
        self.send_again(now, actions);
    }

    fn send_again(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let worn = |e: &Exchange| e.lifetime == Lifetime::ZERO && e.is_worn();
        if let Some(exchange) = &self.exchange
            && worn(exchange)
            && (self.is_stopping || !self.successors.is_empty())
        {
            // Its lifetime ends what the agent did not hear of.
            self.ended(now, actions);
            return;
        }
        if self.agents.len() > 1 && self.exchange.as_ref().is_some_and(Exchange::is_slowest) {
            self.next_agent(now, actions);
            return;
        }
        let earliest = self.rate.earliest(now);
        let Some(exchange) = &mut self.exchange else { return };
        if earliest > now {
            // MAX_UPDATE_RATE, RFC 6275 11.8
            exchange.postpone(earliest);
            return;
        }
        // RFC 6275 11.8: greater than that of any transmission before.
        self.seq = self.seq.next();
        exchange.record(self.seq, now);
        self.rate.record(now);
        let (agent, care_of, lifetime) = (exchange.agent, exchange.care_of, exchange.lifetime);
        actions.push(Action::SendBu(self.update(agent, care_of, lifetime)));
    }

    /// Ends a binding that is of no use; nobody waits for the answer.
    fn goodbye(&mut self, agent: Ipv6Addr, care_of: Ipv6Addr) -> UpdateMsg {
        self.seq = self.seq.next();
        self.update(agent, care_of, Lifetime::ZERO)
    }

    /// RFC 6275 11.7.1: the packet's fields.
    fn update(&self, agent: Ipv6Addr, care_of: Ipv6Addr, lifetime: Lifetime) -> UpdateMsg {
        let home = self.config.home_address;
        let mut flags = BuFlags::A | BuFlags::H;
        let in_ipv4 = care_of.to_ipv4_mapped();
        // RFC 5555 2.3.2.1: the IPv4 care-of address has an option of its own.
        let care_of_option =
            in_ipv4.map_or(MobilityOption::AlternateCoa(care_of), MobilityOption::Ipv4CareOf);
        let mut options = vec![care_of_option];
        // RFC 5555 4.4.2
        let ipv4_home = self.config.ipv4_home.filter(|_| lifetime != Lifetime::ZERO);
        let len = |home: Ipv4Addr| if home.is_unspecified() { 0 } else { 32 };
        let ipv4_home = ipv4_home.and_then(|home| Ipv4Home::new(home, len(home)));
        options.extend(ipv4_home.map(|home| MobilityOption::Ipv4HomeAddress(home, false)));
        if let Some(router) = &self.config.router {
            // RFC 3963 5.2, 5.8: a de-registration names no networks.
            flags = flags | BuFlags::R;
            if router.explicit && lifetime != Lifetime::ZERO {
                let named = router.prefixes.iter();
                options.extend(named.map(|p| MobilityOption::MobileNetworkPrefix(*p)));
            }
        }
        if let Some(mn_id) = &self.config.mn_id {
            options.push(MobilityOption::MnId(mn_id.subtype(), mn_id.bytes()));
        }
        let esp = false;
        UpdateMsg {
            src: care_of,
            dst: self.peer(agent, care_of),
            transport: match in_ipv4 {
                Some(_) => Transport::Dsmip { port: udp::DSMIP_PORT, anchor: agent, esp },
                None => Transport::Ipv6,
            },
            home: (care_of != home).then_some(home),
            update: BindingUpdate { seq: self.seq, flags, lifetime },
            // Cannot fail: all of them are of bounded length.
            options: OwnedOptions::from_options(&options).unwrap_or_default(),
            header: Box::default(),
        }
    }

    /// Where packets to the home agent go from this care-of address.
    fn peer(&self, agent: Ipv6Addr, care_of: Ipv6Addr) -> Ipv6Addr {
        let ipv4 = self.config.home_agent_ipv4.filter(|_| care_of.to_ipv4_mapped().is_some());
        ipv4.map_or(agent, |ipv4| ipv4.to_ipv6_mapped())
    }

    /// Nothing is registered any more.
    fn unbind(&mut self, why: AuditKind, actions: &mut Vec<Action>) {
        if self.binding.take().is_some() {
            actions.push(Action::Tunnel(None));
        }
        actions.push(Action::Audit(why));
    }

    fn bind(&mut self, binding: Binding, actions: &mut Vec<Action>) {
        let before = self.binding.replace(binding);
        if before.is_none_or(|before| before.tunnel != binding.tunnel) {
            actions.push(Action::Tunnel(Some(binding.tunnel)));
        }
    }

    /// What was to be ended is.
    fn ended(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.exchange = None;
        self.unbind(AuditKind::Deregistered, actions);
        if self.at == Attachment::Home {
            // RFC 6275 11.5.5
            actions.push(Action::AdvertiseHome);
        }
        if !self.successors.is_empty() {
            self.agents = core::mem::take(&mut self.successors);
            if !self.is_stopping && self.at != Attachment::Home {
                self.begin(now, actions);
            }
        }
    }

    /// RFC 6275 11.7.1: the next one gets its turn, the first again after the last.
    fn next_agent(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.exchange = None;
        if self.agents.len() > 1 {
            self.agents.rotate_left(1);
            self.begin(now, actions);
        }
    }
}

/// An address as keys have it: of IPv4 an IPv4-mapped one.
fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(ipv4) => ipv4.to_ipv6_mapped(),
        IpAddr::V6(ipv6) => ipv6,
    }
}
