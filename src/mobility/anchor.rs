//! One anchor of several protocols: the local mobility anchor of nodes that the network moves, and
//! the home agent of those that move themselves (RFC 6612).
//!
//! ```text
//!                     +--> Lma       : proxy bindings   --+
//!   Event --> Anchor -+                                   +--> precedence --> Action
//!                     +--> HomeAgent : home bindings    --+
//! ```
//! Neither sees the other's bindings (RFC 6612 4.2). What they share is here: the allocation of
//! prefixes, and the keys of forwarding. Where both want the same key, that of the home agent is in
//! force, and when it goes, what the local mobility anchor says of it is published instead.

use crate::addr::CustomerPrefix;
use crate::mobility::action::{Action, BindingId, BindingKind, Publication};
use crate::mobility::binding::Bce;
use crate::mobility::event::Event;
use crate::mobility::ha::HomeAgent;
use crate::mobility::{Description, Lma, RestoreError};
use crate::time::{Instant, Now};

/// The whole pure core.
#[derive(Debug)]
pub struct Anchor {
    lma: Lma,
    ha: HomeAgent,
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
    pub const fn new(lma: Lma, ha: HomeAgent) -> Self {
        Self { lma, ha }
    }

    /// Takes in one event; appends what follows from it, in the order in which it is to be done.
    pub fn handle(&mut self, event: Event, now: Now, actions: &mut Vec<Action>) {
        let from = actions.len();
        match event {
            Event::Bu(_)
            | Event::HomeProbed { .. }
            | Event::HomeLinkRouter(_)
            | Event::AgentDiscovery { .. }
            | Event::PrefixSolicitation { .. }
            | Event::NodeDrain(_) => {
                self.ha.handle(event, now, actions);
                self.hand_back_keys(from, actions);
            }
            event => {
                self.lma.handle(event, now, actions);
                self.yield_keys(from, actions);
            }
        }
    }

    /// Carries out what is due; call it again at once while [`Self::poll_timeout`] is not later
    /// than now.
    pub fn handle_timeout(&mut self, now: Now, actions: &mut Vec<Action>) {
        let from = actions.len();
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now.mono);
        if due(self.lma.poll_timeout()) {
            self.lma.handle_timeout(now, actions);
            self.yield_keys(from, actions);
        }
        let from = actions.len();
        if due(self.ha.poll_timeout()) {
            self.ha.handle_timeout(now, actions);
            self.hand_back_keys(from, actions);
        }
    }

    /// When [`Self::handle_timeout`] is to be called; `None`: not before the next event.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = [self.lma.poll_timeout(), self.ha.poll_timeout()];
        due.into_iter().flatten().min()
    }

    /// Whether there is work that is done bit by bit, one with each [`Event::Sweep`].
    #[must_use]
    pub fn is_sweeping(&self) -> bool {
        self.lma.is_sweeping()
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

    /// Takes up a proxy binding that was kept on disk; see [`Lma::restore`].
    pub fn restore(
        &mut self,
        bce: Bce,
        now: Now,
        actions: &mut Vec<Action>,
    ) -> Result<(), RestoreError> {
        self.lma.restore(bce, now, actions)
    }

    /// The proxy binding with this id; `None` when it is gone.
    #[must_use]
    pub fn binding(&self, id: BindingId) -> Option<&Bce> {
        match id.kind() {
            BindingKind::Proxy => self.lma.cache().get(id),
            BindingKind::Home | BindingKind::Home4 => None,
        }
    }

    /// Goes on under another description; see [`Lma::take_over`].
    pub fn take_over(&mut self, new: &mut Description, now: Now) {
        self.lma.take_over(new, now);
    }

    /// Precedence of forwarding (RFC 6612 4.2) among the actions of the local mobility anchor from
    /// `from` on: a key of the home agent's stays as it is.
    fn yield_keys(&self, from: usize, actions: &mut Vec<Action>) {
        let yields = |action: &Action| match action {
            Action::Publish(publication) => self.ha.holds(key(publication)),
            _ => false,
        };
        // Most of the time there is nothing to yield, and nothing is moved.
        if actions.iter().skip(from).any(yields) {
            let own = actions.split_off(from);
            actions.extend(own.into_iter().filter(|action| !yields(action)));
        }
    }

    /// The same among those of the home agent: what it lets go is the local mobility anchor's.
    fn hand_back_keys(&self, from: usize, actions: &mut [Action]) {
        for action in actions.iter_mut().skip(from) {
            if let Action::Publish(Publication::Withdraw(key)) = action
                && let Some(publication) = self.lma.publication(*key)
            {
                *action = Action::Publish(publication);
            }
        }
    }
}

/// What a publication is about.
const fn key(publication: &Publication) -> CustomerPrefix {
    match publication {
        Publication::Forward(key, ..) | Publication::Hold(key) | Publication::Withdraw(key) => *key,
    }
}
