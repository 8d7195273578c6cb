//! The pure core of a Mobile IPv4 node (RFC 5944 section 3.6) with co-located care-of addresses,
//! its IPv6 prefixes (RFC 5454 section 3.5) and the NATs before it (RFC 3519 section 4): a function
//! of (state, event, now). No sockets, no clock, no randomness.
//!
//! ```text
//!    Attached (nowhere, at home, away)          Message: a reply
//!                     |                                |
//!                     v                                v
//!          +--------------------------- Mn4 ----------------------------+
//!          |  at: where the node is      binding: what its agent has    |
//!          |  exchange: a request that waits for its reply              |
//!          +------------------------------------------------------------+
//!                     |                                |
//!                     v                                v
//!    Tunnel, JoinHome, LeaveHome, AdvertiseHome   Send, KeepAlive
//! ```
//! Nodes to test with play it: `anchor-mn`.

pub mod event;

mod exchange;
mod reply;
mod request;

#[cfg(test)]
mod tests;

use crate::addr::{HomePrefix, MnId};
use crate::mobility::mag::exchange::UpdateRate;
use crate::mobility::mip4::{Replay, SecurityAssociation};
use crate::mobility::mn::attachment::Attachment;
use crate::mobility::mn::row::{BindingRow, Delivery};
use crate::time::{Duration, Instant, Now};
use crate::wire::mip4::RegistrationLifetime;
use event::{Action, AuditKind, Event, Tunnel};
use exchange::{Exchange, Identifier};
use std::net::{IpAddr, Ipv4Addr};

/// What a node is told before its first event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mn4Config {
    /// Its home agent.
    pub home_agent: Ipv4Addr,
    /// Its home address; one that the home agent gives it if `None`.
    pub home_address: Option<Ipv4Addr>,
    /// Its identifier (RFC 2794), for a home agent that knows it by that.
    pub mn_id: Option<MnId>,
    /// What it shares with the home agent.
    pub association: SecurityAssociation,
    /// The lifetime that it asks for; it ends.
    pub lifetime: RegistrationLifetime,
    /// In what its packets are to travel; UDP whether or not there is a NAT.
    pub delivery: Delivery,
    /// Whether it asks for UDP if there is a NAT.
    pub nat_detection: bool,
    /// Whether packets from the home address go through the tunnel too (RFC 3024).
    pub reverse_tunnel: bool,
    /// Its IPv6 prefixes (RFC 5454).
    pub ipv6: Ipv6Prefixes,
}

/// The IPv6 prefixes of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ipv6Prefixes {
    /// None, perhaps.
    pub prefixes: Vec<HomePrefix>,
    /// Whether requests name them; else the home agent knows them (RFC 5454 1.4).
    pub explicit: bool,
    /// Whether their packets are to be tunnelled to the care-of address; else to the home address.
    pub to_care_of: bool,
}

/// What the home agent has accepted.
#[derive(Debug, Clone)]
struct Binding {
    tunnel: Tunnel,
    expires_at: Instant,
    refresh_at: Instant,
    keepalive: Option<Keepalive>,
}

/// How a NAT's mapping is kept (RFC 3519 4.9).
#[derive(Debug, Clone, Copy)]
struct Keepalive {
    interval: Duration,
    next_at: Instant,
}

/// The node.
#[derive(Debug)]
pub struct Mn4 {
    config: Mn4Config,
    at: Attachment,
    /// The one that is configured, or was given.
    home_address: Option<Ipv4Addr>,
    identifier: Identifier,
    binding: Option<Binding>,
    exchange: Option<Exchange>,
    /// When the next attempt begins, after a refusal.
    retry_at: Option<Instant>,
    /// The home address is on the link that the node is attached to.
    is_on_link: bool,
    is_stopping: bool,
    rate: UpdateRate,
}

impl Mn4 {
    /// A node that is nowhere yet.
    #[must_use]
    pub fn new(config: Mn4Config) -> Self {
        Self {
            at: Attachment::Nowhere,
            home_address: config.home_address,
            identifier: Identifier::new(config.association.replay == Replay::Nonces),
            config,
            binding: None,
            exchange: None,
            retry_at: None,
            is_on_link: false,
            is_stopping: false,
            rate: UpdateRate::default(),
        }
    }

    /// Takes in one event; appends what follows from it, in the order in which it is to be done.
    pub fn handle(&mut self, event: Event, now: Now, actions: &mut Vec<Action>) {
        match event {
            Event::Attached(at) => self.attached(at, now, actions),
            Event::Message { src, payload } => self.answered(src, &payload, now, actions),
            Event::Stop => self.stop(now, actions),
        }
    }

    /// Carries out what is due.
    pub fn handle_timeout(&mut self, now: Now, actions: &mut Vec<Action>) {
        let at = now.mono;
        if self.binding.as_ref().is_some_and(|b| b.expires_at <= at) {
            self.unbind(AuditKind::Expired, actions);
        }
        let keepalive = self.binding.as_mut().and_then(|b| b.keepalive.as_mut());
        if let Some(keepalive) = keepalive.filter(|k| k.next_at <= at) {
            keepalive.next_at = at + keepalive.interval;
            actions.push(Action::KeepAlive);
        }
        if self.exchange.as_ref().is_some_and(|e| e.next_at() <= at) {
            self.send_again(now, actions);
        }
        let refresh = self.binding.as_ref().is_some_and(|b| b.refresh_at <= at);
        let retry = self.retry_at.is_some_and(|retry| retry <= at);
        if self.exchange.is_none() && (refresh || retry) {
            self.retry_at = None;
            self.begin(now, actions);
        }
    }

    /// When [`Self::handle_timeout`] is to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let exchange = self.exchange.as_ref().map(Exchange::next_at);
        let binding = self.binding.as_ref();
        let expiry = binding.map(|b| b.expires_at);
        let keepalive = binding.and_then(|b| b.keepalive).map(|k| k.next_at);
        let idle = self.exchange.is_none() && self.target().is_some();
        let refresh = binding.map(|b| b.refresh_at).filter(|_| idle);
        let retry = self.retry_at.filter(|_| self.exchange.is_none());
        exchange.into_iter().chain(expiry).chain(keepalive).chain(refresh).chain(retry).min()
    }

    /// Whether there is nothing left to wait for after [`Event::Stop`].
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.is_stopping && self.exchange.is_none()
    }

    /// The registration.
    #[must_use]
    pub fn row(&self, now: Now) -> BindingRow {
        let binding = self.binding.as_ref();
        let tunnel = binding.map(|b| &b.tunnel);
        BindingRow {
            home_address: self.home_address.map(IpAddr::V4),
            home_agent: self.config.home_agent.into(),
            care_of: tunnel.map(|t| t.care_of.into()),
            lifetime_left_s: binding.map_or(0, |b| b.expires_at.since(now.mono).as_secs()),
            at: self.at,
            is_waiting: self.exchange.is_some(),
            delivery: tunnel.map(|t| t.encap.into()),
            ipv4_home_address: None,
            prefixes: tunnel.map_or(Vec::new(), |t| t.prefixes.clone()),
            home_prefixes: Vec::new(),
        }
    }

    /// What is to be registered where the node is: the care-of address and the lifetime.
    fn target(&self) -> Option<(Ipv4Addr, RegistrationLifetime)> {
        match self.at {
            Attachment::Nowhere | Attachment::Away(IpAddr::V6(_)) => None,
            // RFC 5944 3.6.1.2: all bindings end. One that has no home address yet has none.
            Attachment::Home => self.home_address.map(|home| (home, RegistrationLifetime::ZERO)),
            Attachment::Away(IpAddr::V4(care_of)) if self.is_stopping => {
                Some((care_of, RegistrationLifetime::ZERO))
            }
            Attachment::Away(IpAddr::V4(care_of)) => Some((care_of, self.config.lifetime)),
        }
    }

    fn attached(&mut self, at: Attachment, now: Now, actions: &mut Vec<Action>) {
        if at == self.at {
            return;
        }
        self.at = at;
        (self.exchange, self.retry_at) = (None, None);
        if self.is_on_link && at != Attachment::Home {
            self.is_on_link = false;
            actions.push(Action::LeaveHome);
        }
        if let (Attachment::Home, Some(home)) = (at, self.home_address) {
            // 4.6: before the request is sent.
            self.is_on_link = true;
            actions.push(Action::JoinHome(home));
            actions.push(Action::AdvertiseHome);
        }
        self.begin(now, actions);
    }

    fn stop(&mut self, now: Now, actions: &mut Vec<Action>) {
        self.is_stopping = true;
        (self.exchange, self.retry_at) = (None, None);
        if self.binding.is_some() {
            self.begin(now, actions);
        }
    }

    /// Begins to tell the home agent where the node is, if there is a way to.
    fn begin(&mut self, now: Now, actions: &mut Vec<Action>) {
        let Some((care_of, lifetime)) = self.target() else { return };
        self.exchange = Some(Exchange::new(care_of, lifetime, now.mono));
        self.send_again(now, actions);
    }

    fn send_again(&mut self, now: Now, actions: &mut Vec<Action>) {
        let Some(exchange) = &mut self.exchange else { return };
        if exchange.is_worn() && self.is_stopping {
            // Its lifetime ends what the agent did not hear of.
            return self.ended(actions);
        }
        let earliest = self.rate.earliest(now.mono);
        if earliest > now.mono {
            exchange.postpone(earliest);
            return;
        }
        self.rate.record(now.mono);
        // 3.6.3: with nonces the request that was not answered is sent again as it is.
        let unchanged = exchange.sent().map(|sent| sent.msg.clone());
        if let Some(msg) = unchanged.filter(|_| self.identifier.has_nonces()) {
            exchange.record(None, now.mono);
            actions.push(Action::Send(msg));
            return;
        }
        let (care_of, lifetime) = (exchange.care_of, exchange.lifetime);
        let id = self.identifier.next(now.wall);
        let msg = self.request(care_of, lifetime, id);
        if let Some(exchange) = &mut self.exchange {
            exchange.record(Some((id, msg.clone())), now.mono);
        }
        actions.push(Action::Send(msg));
    }

    fn bind(&mut self, binding: Binding, actions: &mut Vec<Action>) {
        let tunnel = binding.tunnel.clone();
        let before = self.binding.replace(binding);
        if before.is_none_or(|before| before.tunnel != tunnel) {
            actions.push(Action::Tunnel(Some(tunnel)));
        }
    }

    /// Nothing is registered any more.
    fn unbind(&mut self, why: AuditKind, actions: &mut Vec<Action>) {
        if self.binding.take().is_some() {
            actions.push(Action::Tunnel(None));
        }
        actions.push(Action::Audit(why));
    }

    /// What was to be ended is.
    fn ended(&mut self, actions: &mut Vec<Action>) {
        self.exchange = None;
        self.unbind(AuditKind::Deregistered, actions);
    }
}
