//! The pure core of the mobile access gateway (RFC 5213 section 6): a function of
//! (state, event, now). No sockets, no clock, no randomness.
//!
//! ```text
//!      Attach, Detach, Present, Retry, Release, PathMtu      Pba, Peer
//!                          |                                   |
//!                          v                                   v
//!                 +------------------- Mag -----------------------+
//!                 |  Binding Update List: one Session a link      |
//!                 |  tunnels: how many sessions share each        |
//!                 |  anchors: heartbeats, revocation of all       |
//!                 +-----------------------------------------------+
//!                          |                                   |
//!                          v                                   v
//!   ConfigureLink, ConfigureIpv4, Install, Advertise, Probe   SendPbu, Send
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
pub(in crate::mobility) mod exchange;
mod family;
mod path;
mod peer;
mod revocation;
mod session;
mod transition;

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;

use crate::addr::{AnchorAddr, GreKey, HomePrefix, MnId, ProxyCoa};
use crate::mobility::message::AckMsg;
use crate::time::{Duration, Instant, Lifetime, Now};
use crate::wire::mh::SeqNo;
use ack::{AckOptions, Match, Verdict};
use action::{Action, Audit, AuditKind, Path, PbaFault};
use event::{Attachment, Event, LinkId, LinkLayerId};
use exchange::UpdateRate;
use peer::Peers;
use revocation::Answers;
use serde::{Deserialize, Serialize};
use session::{Input, OfBinding, Session, State};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

pub use session::{BindingRow, StateName};

/// What the gateway is told once: RFC 5213 9.2 and 9.3, and what it advertises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MagConfig {
    /// Who we are when we revoke everything (RFC 5846 9.2): at most 254 bytes.
    pub identity: String,
    /// Our address towards the anchors: source of every PBU, end of every tunnel.
    pub proxy_coa: ProxyCoa,
    /// The same towards anchors with an IPv4 address, IPv4-mapped (RFC 5844 4.2).
    pub ipv4_proxy_coa: Option<ProxyCoa>,
    /// Our end of the tunnels where it is not the source of the updates (RFC 7389).
    pub user_plane: Option<ProxyCoa>,
    /// Asks the anchor where its end is: `Domain-wide-LMA-UPA-Support` is not given (RFC 7389 5).
    pub ask_user_plane: bool,
    /// `ForceIPv4UDPEncapsulationSupport` (RFC 5844 5.2).
    pub force_udp: bool,
    /// Sub-options of the Access Network Identifier (RFC 6757 3); no option if `None`.
    pub access_network: Option<Box<[u8]>>,
    /// Heartbeats of ours; the anchor's are answered in any case.
    pub heartbeat: Option<HeartbeatConfig>,
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

/// RFC 5847 section 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatConfig {
    /// `HEARTBEAT_INTERVAL`
    pub interval: Duration,
    /// `MISSING_HEARTBEATS_ALLOWED`
    pub missing_allowed: u32,
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
    /// Bound sessions of each tunnel: it exists while there is one (RFC 5213 5.6.1).
    tunnels: BTreeMap<Path, usize>,
    path_mtu: BTreeMap<AnchorAddr, u16>,
    /// Of each interface of each node, so that coming and going does not evade it.
    rates: BTreeMap<(MnId, Option<LinkLayerId>), UpdateRate>,
    peers: Peers,
    /// Anchors that do not know the GRE Key option (RFC 5845 4.2).
    without_gre: BTreeSet<AnchorAddr>,
    keys: Keys,
    answers: Answers,
}

/// Our GRE keys in use (RFC 5845 3.3.1).
#[derive(Debug, Default)]
struct Keys {
    used: BTreeSet<u32>,
    last: u32,
}

impl Keys {
    /// One that no session has; there are more keys than links.
    fn assign(&mut self) -> GreKey {
        loop {
            // Zero is left out: some take it for none.
            self.last = self.last.checked_add(1).unwrap_or(1);
            if self.used.insert(self.last) {
                return GreKey(self.last);
            }
        }
    }

    fn free(&mut self, key: GreKey) {
        self.used.remove(&key.0);
    }
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
                peers: Peers::default(),
                without_gre: BTreeSet::new(),
                keys: Keys::default(),
                answers: Answers::default(),
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
            Event::Peer(msg) => self.peer(msg, now, actions),
            Event::WantIpv4(link) => {
                self.step(link, Input::OfBinding(OfBinding::WantIpv4), now, actions);
            }
            Event::Release { link, family } => {
                let input = Input::OfBinding(OfBinding::Release(family));
                self.step(link, input, now, actions);
            }
            Event::RevokeAll(lma) => self.revoke_all(lma, now, actions),
            Event::Started { restart_counter, lost } => {
                self.started(restart_counter, &lost, actions);
            }
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
        self.peers_due(now, actions);
    }

    /// When [`Self::handle_timeout`] is next needed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let session = self.deadlines.first().map(|&(at, _)| at);
        let peer = self.shared.peers.poll_timeout(&self.shared.config);
        session.into_iter().chain(peer).min()
    }

    /// The Binding Update List, for people.
    pub fn bindings(&self, now: Now) -> impl Iterator<Item = BindingRow> + '_ {
        self.sessions.values().map(move |s| s.row(now))
    }

    /// The links that have a session.
    pub fn links(&self) -> impl Iterator<Item = LinkId> + '_ {
        self.sessions.keys().copied()
    }

    /// The link-layer identifier of the node on a link, if it is known.
    #[must_use]
    pub fn mn_ll_id(&self, link: LinkId) -> Option<&LinkLayerId> {
        self.sessions.get(&link)?.attachment.mn_ll_id.as_ref()
    }

    /// The prefixes of the node on a link that is bound; none if none is.
    #[must_use]
    pub fn prefixes(&self, link: LinkId) -> &[HomePrefix] {
        let binding = self.sessions.get(&link).and_then(Session::binding);
        binding.map_or(&[], |b| &b.prefixes)
    }

    fn attach(&mut self, at: Attachment, now: Now, actions: &mut Vec<Action>) {
        let link = at.link.id;
        if let Some(there) = self.sessions.get(&link) {
            let serves = there.serves(&at);
            if serves && there.attachment.node.service == at.node.service {
                // Seen before: a solicitation, or a command repeated.
                let hint = Input::Seen { link_local: at.node_link_local };
                return self.step(link, hint, now, actions);
            }
            if serves {
                // RFC 5149 4.1: one service is left before the next one is entered.
                self.step(link, Input::Detach { terminate: true }, now, actions);
            } else if !there.is_leaving() {
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
            let ipv4 = grant.ipv4.ok().map(|ipv4| ipv4.home.addr());
            let holds = |s: &Session| {
                s.binding().is_some_and(|b| {
                    let same_ipv4 = ipv4.is_some() && b.ipv4.map(|l| l.home.addr()) == ipv4;
                    same_ipv4 || b.prefixes.iter().any(|p| grant.prefixes.contains(p))
                })
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
        let changed: Vec<Path> =
            self.shared.tunnels.keys().copied().filter(|path| path.lma == lma).collect();
        for path in changed {
            let tunnel_mtu = self.shared.tunnel_mtu(path);
            actions.push(Action::TunnelMtu { path, tunnel_mtu });
        }
        // RFC 5213 6.9.5: nodes are told by additional advertisements.
        let of_lma: Vec<LinkId> = self
            .sessions
            .iter()
            .filter(|(_, s)| s.binding().is_some_and(|b| b.path.lma == lma))
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
            if let Some(key) = session.want.key {
                self.shared.keys.free(key);
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
