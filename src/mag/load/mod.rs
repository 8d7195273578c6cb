//! Load: many gateways and nodes, played towards one anchor. Pure: the I/O is in `drive`.
//!
//! ```text
//!   for each phase:  poll_send() -> PBU of the next node, as rate and window let
//!                    answer(PBA) -> verified: status, echoes, lifetime, prefix, address, key, link-local
//!   at any time:     peer(BRI or heartbeat) -> BRA or response
//! ```
//! An update without an answer is sent again, with a sequence number and a timestamp of its own and
//! after twice the time of before (RFC 6275 11.8, RFC 5213 5.5); one that was sent as often as the
//! plan allows is lost. Only so many may be without an answer at a time: a slow anchor slows the
//! load down, and loses nothing by it.

pub(super) mod drive;
mod histogram;
mod peer;
pub(crate) mod report;
#[cfg(test)]
mod tests;

use crate::addr::{AnchorAddr, GreKey, HomePrefix, MnId, ProxyCoa};
use crate::mobility::mag::event::LinkLayerId;
use crate::mobility::mag::update::{Extensions, UpdateContents};
use crate::mobility::message::{AckMsg, UpdateMsg};
use crate::time::{Duration, Instant, Lifetime, MobTimestamp, Now};
use crate::wire::mh::option::{AccessTech, HandoffIndicator};
use crate::wire::mh::{BaFlags, BuFlags, Ipv4Home, MobilityOption, SeqNo};
use hashbrown::HashMap;
use histogram::Histogram;
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, Ipv6Addr};

/// What the nodes' identifiers end with; they begin with `mn` and a number.
const REALM: &str = "@load.example";
/// RFC 5213 8.5: Ethernet.
const ATT: AccessTech = AccessTech(3);
/// RFC 6275 12: `MAX_BINDACK_TIMEOUT`
const PATIENCE_MAX: Duration = Duration::from_secs(32);

/// What is to be done.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) lma: AnchorAddr,
    /// Address of the first gateway; the others follow it.
    pub(super) first_mag: Ipv6Addr,
    pub(super) mags: u32,
    pub(super) first_node: u32,
    pub(super) nodes: u32,
    /// Updates a second; as many as the window lets if `None`.
    pub(super) rate: Option<u32>,
    /// Updates without an answer at a time.
    pub(super) window: usize,
    pub(super) lifetime: Lifetime,
    /// An update without an answer for so long is sent again, then after twice as long, and so on.
    pub(super) reply_timeout: Duration,
    /// How often, before it is lost.
    pub(super) retries: u32,
    pub(super) phases: Vec<Phase>,
    pub(super) mix: Mix,
}

/// How many of a hundred nodes do more than ask for a prefix.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mix {
    /// Ask for an IPv4 home address too.
    pub(super) ipv4: u32,
    /// Negotiate GRE keys.
    pub(super) gre: u32,
    /// Over IPv4 force UDP.
    pub(super) udp: u32,
}

impl Mix {
    /// Whether the node with this number is one of `share` in a hundred. Each share has a step of
    /// its own, so that all combinations occur.
    fn is_one(n: u32, share: u32, step: u32) -> bool {
        n.wrapping_mul(step) % 100 < share
    }

    fn ipv4(self, n: u32) -> bool {
        Self::is_one(n, self.ipv4, 37)
    }

    fn gre(self, n: u32) -> bool {
        Self::is_one(n, self.gre, 73)
    }

    fn udp(self, n: u32) -> bool {
        Self::is_one(n, self.udp, 91)
    }
}

/// What every node does once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Phase {
    /// Attach, without known prefixes.
    Register,
    /// Extend the lifetime.
    Refresh,
    /// Attach to the next gateway.
    Handoff,
    /// Leave.
    Deregister,
}

/// One node; a million of them have to fit.
#[derive(Debug, Clone, Copy, Default)]
struct Node {
    has: Option<Granted>,
    /// Which gateway serves it.
    mag: u32,
    /// What it waits for.
    pending: Option<Pending>,
}

/// What the anchor gave; it stays the same while the session lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Granted {
    hnp: HomePrefix,
    link_local: Option<Ipv6Addr>,
    ipv4: Option<Ipv4Home>,
    uplink: Option<GreKey>,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    seq: SeqNo,
    timestamp: MobTimestamp,
    /// First, and last.
    begun_at: Instant,
    sent_at: Instant,
}

/// What came of a phase.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) phase: Phase,
    pub(crate) sent: u64,
    /// Those that were sent again.
    pub(crate) retransmitted: u64,
    /// Answers to what had been sent again, or was answered, by the time they came.
    pub(crate) late: u64,
    pub(crate) accepted: u64,
    /// Nodes that had nothing to refresh, hand over or end.
    pub(crate) skipped: u64,
    pub(crate) errors: BTreeMap<String, u64>,
    pub(crate) latency: Histogram,
    pub(crate) took: Duration,
    /// Revocations that were answered.
    pub(crate) revocations: u64,
    /// Heartbeats that were answered.
    pub(crate) heartbeats: u64,
}

impl Outcome {
    /// Of a phase that begins.
    pub(crate) fn new(phase: Phase) -> Self {
        Self {
            phase,
            sent: 0,
            retransmitted: 0,
            late: 0,
            accepted: 0,
            skipped: 0,
            errors: BTreeMap::new(),
            latency: Histogram::new(),
            took: Duration::ZERO,
            revocations: 0,
            heartbeats: 0,
        }
    }
}

/// A load in progress.
pub(super) struct Load {
    plan: Plan,
    nodes: Vec<Node>,
    /// Whose each prefix is: an anchor that gives one away twice is found out.
    owners: HashMap<HomePrefix, u32>,
    /// The same for IPv4 home addresses and uplink keys.
    ipv4_owners: HashMap<Ipv4Addr, u32>,
    key_owners: HashMap<GreKey, u32>,
    /// The phases so far; the last one runs.
    outcomes: Vec<Outcome>,
    started: Instant,
    next: u32,
    waiting: usize,
    /// What was sent for the first, the second time and so on, in the order of sending; what was
    /// answered is skipped when its time comes.
    sent: Vec<VecDeque<(Instant, u32)>>,
    seq: SeqNo,
}

impl Load {
    pub(super) fn new(plan: Plan, now: Now) -> Self {
        let place = |n: u32| Node { mag: n % plan.mags.max(1), ..Node::default() };
        let mut load = Self {
            nodes: (0..plan.nodes).map(place).collect(),
            owners: HashMap::new(),
            ipv4_owners: HashMap::new(),
            key_owners: HashMap::new(),
            outcomes: Vec::new(),
            started: now.mono,
            next: 0,
            waiting: 0,
            sent: vec![VecDeque::new(); plan.retries as usize + 1],
            seq: SeqNo::default(),
            plan,
        };
        load.begin_phase(now);
        load
    }

    /// Whether every phase is through.
    pub(super) fn is_done(&self) -> bool {
        self.outcomes.len() == self.plan.phases.len() && self.phase_is_through()
    }

    pub(super) fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// The next update to be sent; `None` if it is not yet time.
    pub(super) fn poll_send(&mut self, now: Now) -> Option<UpdateMsg> {
        while let Some((n, times)) = self.overdue(now) {
            if let Some(msg) = self.again(n, times, now) {
                return Some(msg);
            }
        }
        if self.phase_is_through() {
            self.begin_phase(now);
        }
        while self.next < self.plan.nodes && self.waiting < self.plan.window {
            if self.due_at().is_some_and(|at| at > now.mono) {
                return None;
            }
            let n = self.next;
            self.next += 1;
            if let Some(msg) = self.update_of(n, now) {
                return Some(msg);
            }
            if let Some(outcome) = self.outcomes.last_mut() {
                outcome.skipped += 1;
            }
        }
        None
    }

    /// When something is due that no answer brings.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let overdue = (0..)
            .zip(&self.sent)
            .filter_map(|(times, sent)| sent.front().map(|(at, _)| *at + self.patience(times)));
        let overdue = overdue.min();
        let free = self.next < self.plan.nodes && self.waiting < self.plan.window;
        let due = if free { self.due_at() } else { None };
        overdue.into_iter().chain(due).min()
    }

    /// Takes an answer.
    pub(super) fn answer(&mut self, msg: &AckMsg, now: Now) {
        let node = self.node_of(msg);
        let pending = node
            .and_then(|n| self.nodes.get(usize::try_from(n).ok()?)?.pending.map(|p| (n, p)))
            .filter(|(_, p)| p.seq == msg.ack.seq);
        let Some((n, pending)) = pending else {
            return self.unexpected();
        };
        let verified = self.verify(n, pending, msg);
        let Some(outcome) = self.outcomes.last_mut() else { return };
        outcome.latency.record(now.mono.since(pending.begun_at));
        outcome.took = now.mono.since(self.started);
        self.waiting -= 1;
        let Some(node) = self.nodes.get_mut(n as usize) else { return };
        node.pending = None;
        match verified {
            Ok(granted) => {
                outcome.accepted += 1;
                let ends = outcome.phase == Phase::Deregister;
                node.has = (!ends).then_some(granted);
                if ends { self.disown(granted) } else { self.own(granted, n) }
            }
            Err(kind) => self.error(kind),
        }
    }

    fn own(&mut self, granted: Granted, n: u32) {
        self.owners.insert(granted.hnp, n);
        self.ipv4_owners.extend(granted.ipv4.map(|home| (home.addr(), n)));
        self.key_owners.extend(granted.uplink.map(|key| (key, n)));
    }

    fn disown(&mut self, granted: Granted) {
        self.owners.remove(&granted.hnp);
        if let Some(home) = granted.ipv4 {
            self.ipv4_owners.remove(&home.addr());
        }
        if let Some(key) = granted.uplink {
            self.key_owners.remove(&key);
        }
    }

    /// Counts something that is wrong.
    pub(super) fn error(&mut self, kind: String) {
        if let Some(outcome) = self.outcomes.last_mut() {
            *outcome.errors.entry(kind).or_insert(0) += 1;
        }
    }

    /// What nobody waits for: the answer to an update that was sent again meanwhile, or an error.
    fn unexpected(&mut self) {
        match self.outcomes.last_mut() {
            Some(outcome) if outcome.late < outcome.retransmitted => outcome.late += 1,
            _ => self.error("unexpected".into()),
        }
    }

    /// How long an answer may take to an update that was sent again so many times.
    fn patience(&self, times: u32) -> Duration {
        (self.plan.reply_timeout * 2_u32.saturating_pow(times)).min(PATIENCE_MAX)
    }

    /// A node whose update was sent longer ago than an answer may take, and how often it was sent
    /// again.
    fn overdue(&mut self, now: Now) -> Option<(u32, u32)> {
        let times = (0..).zip(&self.sent).find_map(|(times, sent)| {
            let &(at, _) = sent.front()?;
            (at + self.patience(times) <= now.mono).then_some(times)
        })?;
        let (_, n) = self.sent.get_mut(times as usize)?.pop_front()?;
        Some((n, times))
    }

    /// Sends an overdue update once more; `None` if it was answered, or is lost.
    fn again(&mut self, n: u32, times: u32, now: Now) -> Option<UpdateMsg> {
        let patience = self.patience(times);
        let pending = &mut self.nodes.get_mut(n as usize)?.pending;
        let before = pending.take_if(|p| p.sent_at + patience <= now.mono)?;
        if times >= self.plan.retries {
            self.waiting -= 1;
            self.error("lost".into());
            return None;
        }
        self.outcomes.last_mut()?.retransmitted += 1;
        let message = self.message(n, before.begun_at, times + 1, now);
        // One that was revoked meanwhile has nothing to ask for any more.
        self.waiting -= usize::from(message.is_none());
        message
    }

    fn phase_is_through(&self) -> bool {
        self.next >= self.plan.nodes && self.waiting == 0
    }

    fn begin_phase(&mut self, now: Now) {
        if let Some(&phase) = self.plan.phases.get(self.outcomes.len()) {
            self.outcomes.push(Outcome::new(phase));
            self.started = now.mono;
            self.next = 0;
            self.sent.iter_mut().for_each(VecDeque::clear);
        }
    }

    /// When the rate lets the next update go; at once if there is no rate.
    fn due_at(&self) -> Option<Instant> {
        let rate = self.plan.rate?;
        let ns = u64::from(self.next) * 1_000_000_000 / u64::from(rate.max(1));
        Some(self.started + Duration::from_nanos(ns))
    }

    /// What a node sends in this phase; `None` if it has no session.
    fn update_of(&mut self, n: u32, now: Now) -> Option<UpdateMsg> {
        let outcome = self.outcomes.last_mut()?;
        let node = self.nodes.get_mut(n as usize)?;
        if outcome.phase != Phase::Register && node.has.is_none() {
            return None;
        }
        if outcome.phase == Phase::Handoff {
            node.mag = (node.mag + 1) % self.plan.mags.max(1);
        }
        outcome.sent += 1;
        self.waiting += 1;
        self.message(n, now.mono, 0, now)
    }

    /// The update of a node, which was sent `times` before, first at `begun_at`.
    fn message(&mut self, n: u32, begun_at: Instant, times: u32, now: Now) -> Option<UpdateMsg> {
        let outcome = self.outcomes.last_mut()?;
        let node = self.nodes.get_mut(n as usize)?;
        let known = node.has.map(|has| has.hnp);
        let (handoff, lifetime, prefixes) = match outcome.phase {
            Phase::Register => (HandoffIndicator::NEW_INTERFACE, self.plan.lifetime, None),
            Phase::Refresh => (HandoffIndicator::NOT_CHANGED, self.plan.lifetime, Some(known?)),
            Phase::Handoff => (HandoffIndicator::SAME_INTERFACE, self.plan.lifetime, None),
            Phase::Deregister => (HandoffIndicator::UNKNOWN, Lifetime::ZERO, Some(known?)),
        };
        self.seq = self.seq.next();
        let mix = self.plan.mix;
        let home = node.has.and_then(|has| has.ipv4).unwrap_or(Ipv4Home::ANY);
        let over_ipv4 = self.plan.lma.0.to_ipv4_mapped().is_some();
        let gre = mix.gre(n) && lifetime != Lifetime::ZERO;
        let udp = over_ipv4 && mix.udp(n);
        let extensions = Extensions {
            ipv4: mix.ipv4(n).then_some(home),
            // Its gateway's key: any but zero, for the anchor keeps them apart by gateway.
            gre: gre.then_some(Some(GreKey(n + 1))),
            flags: match (udp, mix.gre(n)) {
                (true, true) => BuFlags::F | BuFlags::T,
                (true, false) => BuFlags::F,
                (false, _) => BuFlags::default(),
            },
            ..Extensions::default()
        };
        let mn_id =
            MnId::nai(&format!("mn{}{REALM}", u64::from(self.plan.first_node) + u64::from(n)))?;
        let contents = UpdateContents {
            proxy_coa: ProxyCoa(mag_address(self.plan.first_mag, node.mag)),
            lma: self.plan.lma,
            mn_id: &mn_id,
            prefixes: Some(prefixes.as_slice()),
            handoff,
            att: ATT,
            mn_ll_id: Some(&link_layer_id(self.plan.first_node, n)?),
            link_local: Some(Ipv6Addr::UNSPECIFIED),
            timestamp: Some(now.wall),
            seq: self.seq,
            lifetime,
            extensions,
        };
        let (seq, timestamp, sent_at) = (self.seq, now.wall, now.mono);
        node.pending = Some(Pending { seq, timestamp, begun_at, sent_at });
        self.sent.get_mut(times as usize)?.push_back((now.mono, n));
        Some(contents.message())
    }

    /// The node that an answer names.
    fn node_of(&self, msg: &AckMsg) -> Option<u32> {
        let named = msg.options.iter().find_map(|o| match o {
            MobilityOption::MnId(MnId::NAI, id) => Some(id),
            _ => None,
        })?;
        self.numbered(named)
    }

    /// Everything that RFC 5213 5.3.6 says of an accepting answer, or what is wrong with it.
    fn verify(&self, n: u32, pending: Pending, msg: &AckMsg) -> Result<Granted, String> {
        let wrong = |what: &str| Err(what.to_owned());
        let (Some(node), Some(outcome)) = (self.nodes.get(n as usize), self.outcomes.last()) else {
            return wrong("unexpected");
        };
        if !msg.ack.status.is_accepted() {
            return Err(format!("status {}", msg.ack.status.0));
        }
        let gateway = mag_address(self.plan.first_mag, node.mag);
        if msg.src != self.plan.lma.0 || msg.dst != gateway || !msg.ack.flags.contains(BaFlags::P) {
            return wrong("wrong address or flag");
        }
        let ends = outcome.phase == Phase::Deregister;
        let lifetime = msg.ack.lifetime;
        if ends != (lifetime == Lifetime::ZERO) || lifetime > self.plan.lifetime {
            return wrong("lifetime");
        }
        let handoff = match outcome.phase {
            Phase::Register => HandoffIndicator::NEW_INTERFACE,
            Phase::Refresh => HandoffIndicator::NOT_CHANGED,
            Phase::Handoff => HandoffIndicator::SAME_INTERFACE,
            Phase::Deregister => HandoffIndicator::UNKNOWN,
        };
        let id = link_layer_id(self.plan.first_node, n);
        let own_id = id.as_ref().map_or(&[][..], LinkLayerId::bytes);
        let (mut hnp, mut link_local, mut echoed) = (None, None, 0);
        let (mut ipv4, mut router, mut uplink) = (None, false, None);
        for option in &msg.options {
            match option {
                MobilityOption::HandoffIndicator(v) if v == handoff => echoed += 1,
                MobilityOption::AccessTech(v) if v == ATT => echoed += 1,
                MobilityOption::MnLinkLayerId(v) if v == own_id => echoed += 1,
                MobilityOption::Timestamp(v) if v == pending.timestamp => echoed += 1,
                MobilityOption::HomeNetworkPrefix(p) if hnp.is_none() => hnp = Some(p),
                MobilityOption::HomeNetworkPrefix(_) => return wrong("several prefixes"),
                MobilityOption::LinkLocal(a) => link_local = Some(a),
                MobilityOption::Ipv4HomeAddressReply(status, home) if status.is_accepted() => {
                    ipv4 = Some(home);
                }
                MobilityOption::Ipv4DefaultRouter(_) => router = true,
                MobilityOption::GreKey(key) => uplink = key,
                _ => {}
            }
        }
        if echoed != 4 {
            return wrong("echo");
        }
        let Some(hnp) = hnp.filter(|p| *p != HomePrefix::ALL_ZERO) else {
            return wrong("no prefix");
        };
        if self.plan.mix.ipv4(n) && ipv4.is_none_or(|home| home.addr().is_unspecified()) {
            return wrong("no IPv4 address");
        }
        if ipv4.is_some() != self.plan.mix.ipv4(n) || (ipv4.is_some() && !ends && !router) {
            return wrong("IPv4 address or router");
        }
        // RFC 5845 4.2: a de-registration has no key.
        if !ends && uplink.is_some() != self.plan.mix.gre(n) {
            return wrong("uplink key");
        }
        let granted = Granted { hnp, link_local, ipv4, uplink };
        self.check_identity(n, node.has, granted, ends).map(|()| match node.has {
            // What ends is what there was.
            Some(had) if ends => had,
            _ => granted,
        })
    }

    /// What is granted is the node's alone, and what it had before.
    fn check_identity(
        &self,
        n: u32,
        had: Option<Granted>,
        granted: Granted,
        ends: bool,
    ) -> Result<(), String> {
        let wrong = |what: &str| Err(what.to_owned());
        let other = |owner: Option<&u32>| owner.is_some_and(|owner| *owner != n);
        if let Some(had) = had {
            if had.hnp != granted.hnp {
                return wrong("prefix changed");
            }
            if had.link_local.is_some() && had.link_local != granted.link_local {
                return wrong("link-local address changed");
            }
            if had.ipv4 != granted.ipv4 {
                return wrong("IPv4 address changed");
            }
            // RFC 5845 3.3.2: also over handoffs.
            if !ends && had.uplink != granted.uplink {
                return wrong("uplink key changed");
            }
        }
        if other(self.owners.get(&granted.hnp)) {
            return wrong("prefix given twice");
        }
        if granted.ipv4.is_some_and(|home| other(self.ipv4_owners.get(&home.addr()))) {
            return wrong("IPv4 address given twice");
        }
        if granted.uplink.is_some_and(|key| other(self.key_owners.get(&key))) {
            return wrong("uplink key given twice");
        }
        Ok(())
    }
}

/// The address of the gateway with this number.
pub(super) fn mag_address(first: Ipv6Addr, n: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(first.to_bits().wrapping_add(n.into()))
}

/// A locally administered MAC address of its own for every node.
fn link_layer_id(first: u32, n: u32) -> Option<LinkLayerId> {
    let mut id = [2, 0x10, 0, 0, 0, 0];
    id[2..].copy_from_slice(&first.wrapping_add(n).to_be_bytes());
    LinkLayerId::new(&id)
}
