//! One anchor of several protocols: the local mobility anchor of nodes that the network moves, and
//! the home agents of those that move themselves (RFC 6612), by Mobile IPv6 and by Mobile IPv4.
//!
//! ```text
//!                     +--> Lma        : proxy bindings   --+
//!   Event --> Anchor -+--> HomeAgent  : home bindings    --+--> precedence --> Action
//!                     +--> HomeAgent4 : registrations    --+
//! ```
//! None sees the other's bindings (RFC 6612 4.2). What they share is here: the allocation of
//! prefixes, and the keys of forwarding. Where two want the same key, that of a home agent is in
//! force, of Mobile IPv6 before Mobile IPv4; when it goes, what the other says of it is published
//! instead.

mod combined;

#[cfg(test)]
mod tests;

use crate::addr::{CustomerId, CustomerPrefix, GreKeys, HomePrefix, TunnelPath};
use crate::mobility::action::{Action, BindingId, BindingKind, Publication};
use crate::mobility::binding::Bce;
use crate::mobility::event::Event;
use crate::mobility::ha::{HomeAgent, HomeBinding, LinkId};
use crate::mobility::mip4::{HomeAgent4, Registration, Turn};
use crate::mobility::{Description, Lma, RestoreError};
use crate::time::{Instant, Now};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::net::Ipv6Addr;

/// The whole pure core.
#[derive(Debug)]
pub struct Anchor {
    lma: Lma,
    ha: HomeAgent,
    mip4: HomeAgent4,
}

impl From<Lma> for Anchor {
    /// One that is no home agent.
    fn from(lma: Lma) -> Self {
        Self::new(lma, HomeAgent::default())
    }
}

impl Anchor {
    /// Puts the two together; neither has bindings yet.
    #[must_use]
    pub fn new(lma: Lma, ha: HomeAgent) -> Self {
        Self { lma, ha, mip4: HomeAgent4::default() }
    }

    /// The same with a home agent of Mobile IPv4, which has no registrations yet either.
    #[must_use]
    pub fn with_mip4(self, mip4: HomeAgent4) -> Self {
        Self { mip4, ..self }
    }

    /// Takes in one event; appends what follows from it, in the order in which it is to be done.
    pub fn handle(&mut self, event: Event, now: Now, actions: &mut Vec<Action>) {
        match event {
            Event::Bu(_)
            | Event::HomeProbed { .. }
            | Event::HomeLinkRouter(_)
            | Event::AgentDiscovery { .. }
            | Event::PrefixSolicitation { .. } => self.handle_home(event, now, actions),
            Event::NodeDrain(drain) => {
                self.mip4.drain(drain);
                self.handle_home(event, now, actions);
            }
            Event::Mip4(msg) => {
                self.handle_mip4(now, actions, |mip4, turn| mip4.handle(&msg, turn));
            }
            Event::AdminDelete { ref mn_id, prefix, customer } => {
                self.handle_mip4(now, actions, |mip4, turn| {
                    mip4.delete(mn_id, customer, prefix, turn);
                });
                self.handle_home(event.clone(), now, actions);
                self.handle_proxy(event, now, actions);
            }
            Event::Pbu(ref msg) if self.is_of_node_away(msg) => {
                combined::ignore(msg, actions);
            }
            Event::Start { .. } => {
                self.mip4.start(now);
                self.handle_proxy(event, now, actions);
            }
            Event::Sweep => {
                if self.ha.is_reviewing() {
                    self.handle_home(Event::Sweep, now, actions);
                }
                self.handle_proxy(event, now, actions);
            }
            event => self.handle_proxy(event, now, actions),
        }
    }

    /// Has the home agent of Mobile IPv4 do something. Its keys yield to those of the other one,
    /// and what it lets go is the local mobility anchor's.
    fn handle_mip4(
        &mut self,
        now: Now,
        actions: &mut Vec<Action>,
        act: impl FnOnce(&mut HomeAgent4, &mut Turn<'_>),
    ) {
        let from = actions.len();
        act(&mut self.mip4, &mut Turn { homes: &mut self.lma, now, actions });
        drop_yielding(from, actions, |key| self.ha.holds(key));
        self.restore_keys(from, actions);
    }

    fn handle_home(&mut self, event: Event, now: Now, actions: &mut Vec<Action>) {
        let from = actions.len();
        self.ha.handle(event, &mut self.lma, now, actions);
        self.hand_back_keys(from, now, actions);
    }

    fn handle_proxy(&mut self, event: Event, now: Now, actions: &mut Vec<Action>) {
        let from = actions.len();
        self.lma.handle(event, now, actions);
        self.yield_keys(from, actions);
    }

    /// Carries out what is due; call it again at once while [`Self::poll_timeout`] is not later
    /// than now.
    pub fn handle_timeout(&mut self, now: Now, actions: &mut Vec<Action>) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now.mono);
        if due(self.lma.poll_timeout()) {
            let from = actions.len();
            self.lma.handle_timeout(now, actions);
            self.yield_keys(from, actions);
        }
        if due(self.ha.poll_timeout()) {
            let from = actions.len();
            self.ha.handle_timeout(&mut self.lma, now, actions);
            self.hand_back_keys(from, now, actions);
        }
        if due(self.mip4.poll_timeout()) {
            self.handle_mip4(now, actions, HomeAgent4::handle_timeout);
        }
    }

    /// When [`Self::handle_timeout`] is to be called; `None`: not before the next event.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = [self.lma.poll_timeout(), self.ha.poll_timeout(), self.mip4.poll_timeout()];
        due.into_iter().flatten().min()
    }

    /// Whether there is work that is done bit by bit, one with each [`Event::Sweep`].
    #[must_use]
    pub fn is_sweeping(&self) -> bool {
        self.lma.is_sweeping() || self.ha.is_reviewing()
    }

    /// The local mobility anchor.
    #[must_use]
    pub const fn lma(&self) -> &Lma {
        &self.lma
    }

    /// The home agent.
    #[must_use]
    pub const fn ha(&self) -> &HomeAgent {
        &self.ha
    }

    /// The home agent of Mobile IPv4.
    #[must_use]
    pub const fn mip4(&self) -> &HomeAgent4 {
        &self.mip4
    }

    /// Takes up a binding that was kept on disk: publishes it again, or forgets it if it ended
    /// meanwhile. Call it before the first event. An acknowledged binding is taken up even if the
    /// table is full or its pool is no longer configured.
    pub fn restore(
        &mut self,
        record: Record<'static>,
        now: Now,
        actions: &mut Vec<Action>,
    ) -> Result<(), RestoreError> {
        let from = actions.len();
        match record {
            Record::Proxy(bce) => {
                self.lma.restore(bce.into_owned(), now, actions)?;
                self.yield_keys(from, actions);
            }
            Record::Home(binding) => {
                self.ha.restore(binding.into_owned(), &mut self.lma, now, actions)?;
            }
            Record::Home4(registration) => {
                let turn = &mut Turn { homes: &mut self.lma, now, actions };
                self.mip4.restore(registration.into_owned(), turn)?;
                drop_yielding(from, actions, |key| self.ha.holds(key));
            }
        }
        Ok(())
    }

    /// What the journal keeps of the binding with this id; `None` when it is gone.
    #[must_use]
    pub fn record(&self, id: BindingId) -> Option<Record<'_>> {
        match id.kind() {
            BindingKind::Proxy => self.lma.cache().get(id).map(|b| Record::Proxy(Cow::Borrowed(b))),
            BindingKind::Home => self.ha.cache().get(id).map(|b| Record::Home(Cow::Borrowed(b))),
            BindingKind::Home4 => {
                self.mip4.registration(id).map(|r| Record::Home4(Cow::Borrowed(r)))
            }
        }
    }

    /// The proxy binding with this id; `None` when it is gone.
    #[must_use]
    pub fn binding(&self, id: BindingId) -> Option<&Bce> {
        self.lma.cache().get(id)
    }

    /// The way to a node that speaks at home from this address, though a home agent's binding says
    /// that it is elsewhere: what it is told there ignores that binding (RFC 6275 10.3.2, RFC 5944
    /// 3.8.3.1). `None`: there is no such binding.
    #[must_use]
    pub fn way_home(&self, customer: CustomerId, address: Ipv6Addr) -> Option<WayHome> {
        let key = HomePrefix::new(address, 128).ok()?.of(customer);
        let home = self.ha.cache().by_key(key);
        let mn_id = home.map(|b| &b.mn_id).or_else(|| self.mip4.node_of(key))?;
        Some(match self.lma.publication_around(mn_id, key) {
            // RFC 6612 4.2: the home link is the domain of its gateway.
            Some(Publication::Forward(_, path, keys)) => WayHome::Gateway(path, keys),
            _ => WayHome::Link(home.filter(|b| b.home == address).and_then(|b| b.link)),
        })
    }

    /// Goes on under another description; see [`Lma::take_over`]. What is registered with the home
    /// agents is looked at again while [`Self::is_sweeping`]; their addresses of their own, and how
    /// many registrations they have room for, hold for a run.
    pub fn take_over(
        &mut self,
        new: &mut Description,
        home: &mut HomeAgent,
        mip4: &mut HomeAgent4,
        now: Now,
    ) {
        self.lma.take_over(new, now);
        self.ha.take_over(home, now);
        self.mip4.take_over(mip4);
    }

    /// Precedence of forwarding (RFC 6612 4.2) among the actions of the local mobility anchor from
    /// `from` on: a key of the home agent's stays as it is. Combined: which nodes gateways have
    /// taken over is known from them, too.
    fn yield_keys(&mut self, from: usize, actions: &mut Vec<Action>) {
        if self.ha.cache().is_empty() && self.mip4.is_empty() {
            return;
        }
        let taken = if self.ha.is_combined() { self.taken_over(from, actions) } else { Vec::new() };
        drop_yielding(from, actions, |key| self.ha.holds(key) || self.mip4.holds(key));
        let mut first = Vec::new();
        for (customer, mn_id, prefixes) in taken {
            self.ha.proxied(customer, &mn_id, &prefixes, &mut first);
        }
        self.restore_keys(0, &mut first);
        // Before the acknowledgement, which waits for them.
        actions.splice(from..from, first);
    }

    /// The same among those of the home agent: what it lets go is the local mobility anchor's.
    fn hand_back_keys(&mut self, from: usize, now: Now, actions: &mut Vec<Action>) {
        if self.ha.is_combined() {
            self.end_with(from, now, actions);
        }
        self.restore_keys(from, actions);
    }

    fn restore_keys(&self, from: usize, actions: &mut [Action]) {
        for action in actions.iter_mut().skip(from) {
            if let Action::Publish(Publication::Withdraw(key)) = action
                && let Some(publication) =
                    self.mip4.publication(*key).or_else(|| self.lma.publication(*key))
            {
                *action = Action::Publish(publication);
            }
        }
    }
}

/// How a node is reached that is at home, whatever a binding of it says: [`Anchor::way_home`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WayHome {
    /// On its home link, if that is one of ours; no gateway serves the address.
    Link(Option<LinkId>),
    /// Through the tunnel to the gateway that serves the address.
    Gateway(TunnelPath, GreKeys),
}

/// A binding of any of the protocols, as the journal keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Record<'a> {
    /// The local mobility anchor's.
    Proxy(Cow<'a, Bce>),
    /// The home agent's.
    Home(Cow<'a, HomeBinding>),
    /// The home agent's of Mobile IPv4.
    Home4(Cow<'a, Registration>),
}

/// Takes out of the actions from `from` on what is published under another's keys.
fn drop_yielding(from: usize, actions: &mut Vec<Action>, yields: impl Fn(CustomerPrefix) -> bool) {
    let yields = |action: &Action| match action {
        Action::Publish(publication) => yields(key(publication)),
        _ => false,
    };
    // Most of the time there is nothing to yield, and nothing is moved.
    if actions.iter().skip(from).any(yields) {
        let own = actions.split_off(from);
        actions.extend(own.into_iter().filter(|action| !yields(action)));
    }
}

/// What a publication is about.
const fn key(publication: &Publication) -> CustomerPrefix {
    match publication {
        Publication::Forward(key, ..)
        | Publication::Copy(key, _)
        | Publication::Protect(key, ..)
        | Publication::Hold(key)
        | Publication::Withdraw(key) => *key,
    }
}
