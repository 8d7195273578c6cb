//! The pure core of the mobile access gateway (RFC 5213 section 6): a function of
//! (state, event, now). No sockets, no clock, no randomness.
//!
//! ```text
//!            Attach, Detach, Present, Retry, PathMtu          Pba
//!                          |                                   |
//!                          v                                   v
//!                 +------------------- Mag -----------------------+
//!                 |  Binding Update List: one Session a link      |
//!                 |  tunnels: how many sessions share each        |
//!                 +-----------------------------------------------+
//!                          |                                   |
//!                          v                                   v
//!       ConfigureLink, Install, Advertise, Probe            SendPbu
//! ```
//! Links are point-to-point (RFC 5213 6.3): a link has one node. A node may have several links,
//! each its own mobility session.
//!
//! Invariants, checked by the property test: a prefix is advertised and routed only while its
//! session is bound; a session's updates never exceed `MAX_UPDATE_RATE`; whatever was installed is
//! removed.

pub mod action;
pub mod event;
pub mod update;

mod ack;
mod advert;
mod binding;
mod exchange;
mod session;
mod transition;

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;

use crate::addr::{AnchorAddr, MnId, ProxyCoa};
use crate::mobility::message::AckMsg;
use crate::time::{Duration, Instant, Lifetime, Now};
use crate::wire::mh::SeqNo;
use ack::{AckOptions, Match, Verdict};
use action::{Action, Audit, AuditKind, PbaFault};
use event::{Attachment, Event, LinkId, LinkLayerId};
use exchange::UpdateRate;
use serde::{Deserialize, Serialize};
use session::{Input, Session, State};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

pub use session::{BindingRow, StateName};

/// What the gateway is told once: RFC 5213 9.2 and 9.3, and what it advertises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MagConfig {
    /// Our address towards the anchors: source of every PBU, end of every tunnel.
    pub proxy_coa: ProxyCoa,
    /// `TimestampBasedApproachInUse`; sequence numbers order the updates if it is false.
    pub timestamps: bool,
    /// `FixedMAGLinkLocalAddressOnAllAccessLinks`; the anchor generates the address if `None`.
    pub fixed_link_local: Option<Ipv6Addr>,
    /// Lifetime that is asked for.
    pub lifetime: Lifetime,
    /// Path MTU to an anchor as long as nothing better is known, in bytes.
    pub path_mtu: u16,
    /// How nodes are advertised to.
    pub advert: AdvertConfig,
}

/// Router Advertisements on every access link (RFC 4861 section 6.2.1, RFC 5213 6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvertConfig {
    /// Between unsolicited advertisements.
    pub interval: Duration,
    /// `AdvDefaultLifetime`, seconds.
    pub router_lifetime_s: u16,
    /// `AdvValidLifetime`, seconds; at our own discretion (RFC 5213 6.7).
    pub valid_lifetime_s: u32,
    /// `AdvPreferredLifetime`, seconds.
    pub preferred_lifetime_s: u32,
}

/// The gateway.
#[derive(Debug)]
pub struct Mag {
    shared: Shared,
    /// The Binding Update List (RFC 5213 6.1).
    sessions: BTreeMap<LinkId, Session>,
    by_node: BTreeSet<(MnId, LinkId)>,
    deadlines: BTreeSet<(Instant, LinkId)>,
}

/// What all sessions share.
#[derive(Debug)]
struct Shared {
    config: MagConfig,
    /// With timestamps: the counter of RFC 5213 6.9.1.1 (6), one for the whole gateway.
    seq: SeqNo,
    /// Bound sessions of each anchor: its tunnel exists while there is one (RFC 5213 5.6.1).
    tunnels: BTreeMap<AnchorAddr, usize>,
    path_mtu: BTreeMap<AnchorAddr, u16>,
    /// Of each interface of each node, so that coming and going does not evade it.
    rates: BTreeMap<(MnId, Option<LinkLayerId>), UpdateRate>,
}

impl Mag {
    /// A gateway without nodes.
    #[must_use]
    pub fn new(config: MagConfig) -> Self {
        Self {
            shared: Shared {
                config,
                seq: SeqNo::default(),
                tunnels: BTreeMap::new(),
                path_mtu: BTreeMap::new(),
                rates: BTreeMap::new(),
            },
            sessions: BTreeMap::new(),
            by_node: BTreeSet::new(),
            deadlines: BTreeSet::new(),
        }
    }

    /// Takes one event; appends what has to be done, in order.
    pub fn handle(&mut self, event: Event, now: Now, actions: &mut Vec<Action>) {
        match event {
            Event::Attach(at) => self.attach(*at, now, actions),
            Event::Detach { link, terminate } => {
                self.step(link, Input::Detach { terminate }, now, actions);
            }
            Event::Present { link, node_link_local } => {
                // Another node's word says nothing of ours.
                let known = self.sessions.get(&link).and_then(|s| s.attachment.node_link_local);
                if known == node_link_local {
                    self.step(link, Input::Present, now, actions);
                }
            }
            Event::Retry(link) => self.step(link, Input::Retry, now, actions),
            Event::Pba(msg) => self.pba(&msg, now, actions),
            Event::PathMtu { lma, mtu } => self.path_mtu(lma, mtu, now, actions),
        }
    }

    /// Takes every timer that is due.
    pub fn handle_timeout(&mut self, now: Now, actions: &mut Vec<Action>) {
        // Only those that are due on entry: a timer that a step sets to `now` waits for the next
        // call.
        let due: Vec<LinkId> =
            self.deadlines.range(..=(now.mono, LinkId(u32::MAX))).map(|&(_, link)| link).collect();
        for link in due {
            self.step(link, Input::Timeout, now, actions);
        }
    }

    /// When [`Self::handle_timeout`] is next needed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    /// The Binding Update List, for people.
    pub fn bindings(&self, now: Now) -> impl Iterator<Item = BindingRow> + '_ {
        self.sessions.values().map(move |s| s.row(now))
    }

    /// The links that have a session.
    pub fn links(&self) -> impl Iterator<Item = LinkId> + '_ {
        self.sessions.keys().copied()
    }

    fn attach(&mut self, at: Attachment, now: Now, actions: &mut Vec<Action>) {
        let link = at.link.id;
        if let Some(there) = self.sessions.get(&link) {
            if there.serves(&at) {
                // Seen before: a solicitation, or a command repeated.
                let hint = Input::Seen { link_local: at.node_link_local };
                return self.step(link, hint, now, actions);
            }
            if !there.is_leaving() {
                // RFC 5213 6.3: the link is point-to-point.
                actions.push(Action::Audit(Audit {
                    kind: AuditKind::LinkOccupied,
                    link: Some(link),
                    mn_id: Some(at.node.mn_id),
                }));
                return;
            }
            self.forget(link);
        }
        // The same interface of the same node on another link of ours: the session moved within
        // this gateway. A de-registration would end the very binding that we want to keep.
        if let Some(old) = self.same_interface(&at) {
            self.step(old, Input::Moved, now, actions);
        }
        self.shared.rates.retain(|_, rate| rate.matters(now.mono));
        self.by_node.insert((at.node.mn_id.clone(), link));
        let session = Session::register(at, now, &mut self.shared, actions);
        self.sessions.insert(link, session);
        self.reindex(link);
    }

    fn same_interface(&self, at: &Attachment) -> Option<LinkId> {
        let ll_id = at.mn_ll_id.as_ref()?;
        self.links_of(&at.node.mn_id).find(|link| {
            self.sessions.get(link).is_some_and(|s| s.attachment.mn_ll_id.as_ref() == Some(ll_id))
        })
    }

    fn links_of<'a>(&'a self, mn_id: &'a MnId) -> impl Iterator<Item = LinkId> + 'a {
        self.by_node
            .range((mn_id.clone(), LinkId(0))..)
            .take_while(move |(id, _)| id == mn_id)
            .map(|&(_, link)| link)
    }

    fn pba(&mut self, msg: &AckMsg, now: Now, actions: &mut Vec<Action>) {
        let timestamps = self.shared.config.timestamps;
        let found = AckOptions::read(msg).and_then(|options| {
            let (link, echo) = self.addressee(msg, &options).ok_or(PbaFault::NoMatch)?;
            Ok((link, echo, options))
        });
        let (link, echo, options) = match found {
            Ok(found) => found,
            // RFC 5213 6.9.1.2 (5): what matches no recent update is ignored.
            Err(why) => {
                let kind = AuditKind::PbaIgnored(why);
                actions.push(Action::Audit(Audit { kind, link: None, mn_id: None }));
                return;
            }
        };
        let verdict = match self.sessions.get(&link) {
            Some(session) if echo == Match::Echoed => session.judge(msg.ack, options, timestamps),
            _ => Verdict::EchoDiffers,
        };
        if let Verdict::Accepted(grant) = &verdict {
            // A prefix has one place: a session of ours that held it has moved to this link.
            let holds = |s: &Session| {
                s.binding().is_some_and(|b| b.prefixes.iter().any(|p| grant.prefixes.contains(p)))
            };
            let others: Vec<LinkId> = self
                .sessions
                .iter()
                .filter(|(l, s)| **l != link && grant.lifetime.0 != 0 && holds(s))
                .map(|(l, _)| *l)
                .collect();
            for other in others {
                self.step(other, Input::Moved, now, actions);
            }
        }
        self.step(link, Input::Answer(verdict), now, actions);
    }

    /// The session whose recent update this acknowledgement answers (RFC 5213 6.9.1.2 (5)).
    fn addressee(&self, msg: &AckMsg, options: &AckOptions) -> Option<(LinkId, Match)> {
        let timestamps = self.shared.config.timestamps;
        let answers = |link: LinkId| {
            let found = self.sessions.get(&link)?.matches(msg, options, timestamps);
            (found != Match::No).then_some((link, found))
        };
        let named: Vec<_> =
            options.mn_id.iter().flat_map(|id| self.links_of(id)).filter_map(answers).collect();
        let best = named.iter().find(|(_, m)| *m == Match::Echoed).or(named.first());
        // The identifier is absent, or is not what we sent. With timestamps the sequence number is
        // the gateway's own counter and still tells which update it was.
        best.copied().or_else(|| {
            let mut all = self.sessions.keys().copied();
            timestamps.then(|| all.find_map(answers)).flatten()
        })
    }

    fn path_mtu(&mut self, lma: AnchorAddr, mtu: u16, now: Now, actions: &mut Vec<Action>) {
        if self.shared.path_mtu(lma) == mtu {
            return;
        }
        self.shared.path_mtu.insert(lma, mtu);
        if self.shared.tunnels.contains_key(&lma) {
            let tunnel_mtu = self.shared.tunnel_mtu(lma);
            actions.push(Action::TunnelMtu { lma, tunnel_mtu });
        }
        // RFC 5213 6.9.5: nodes are told by additional advertisements.
        let of_lma: Vec<LinkId> = self
            .sessions
            .iter()
            .filter(|(_, s)| s.attachment.node.lma == lma)
            .map(|(link, _)| *link)
            .collect();
        for link in of_lma {
            self.step(link, Input::MtuChanged, now, actions);
        }
    }

    /// One event into one session, and the indexes after it.
    fn step(&mut self, link: LinkId, input: Input, now: Now, actions: &mut Vec<Action>) {
        let Some(session) = self.sessions.get_mut(&link) else {
            return;
        };
        transition::step(session, input, now, &mut self.shared, actions);
        if matches!(session.state, State::Gone) {
            self.forget(link);
        } else {
            self.reindex(link);
        }
    }

    /// Removes an entry that has nothing in place (RFC 5213 6.9.1.4 (1)).
    fn forget(&mut self, link: LinkId) {
        if let Some(mut session) = self.sessions.remove(&link) {
            if let Some(at) = session.indexed.take() {
                self.deadlines.remove(&(at, link));
            }
            self.by_node.remove(&(session.attachment.node.mn_id.clone(), link));
        }
    }

    fn reindex(&mut self, link: LinkId) {
        let Some(session) = self.sessions.get_mut(&link) else {
            return;
        };
        let after = session.deadline();
        let before = core::mem::replace(&mut session.indexed, after);
        if let Some(at) = before {
            self.deadlines.remove(&(at, link));
        }
        if let Some(at) = after {
            self.deadlines.insert((at, link));
        }
    }
}
