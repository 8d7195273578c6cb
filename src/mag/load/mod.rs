//! Load: many gateways and nodes, played towards one anchor. Pure: the I/O is in `drive`.
//!
//! ```text
//!   for each phase:  poll_send() -> PBU of the next node, as rate and window let
//!                    answer(PBA) -> verified: status, echoes, lifetime, prefixes, link-local
//! ```
//! Nothing is retransmitted: an update without an answer is counted as lost.

pub(super) mod drive;
mod histogram;
mod report;
#[cfg(test)]
mod tests;

use crate::addr::{AnchorAddr, HomePrefix, MnId, ProxyCoa};
use crate::mobility::mag::event::LinkLayerId;
use crate::mobility::mag::update::{Extensions, UpdateContents};
use crate::mobility::message::{AckMsg, UpdateMsg};
use crate::time::{Duration, Instant, Lifetime, MobTimestamp, Now};
use crate::wire::mh::option::{AccessTech, HandoffIndicator};
use crate::wire::mh::{BaFlags, MobilityOption, SeqNo};
use hashbrown::HashMap;
use histogram::Histogram;
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv6Addr;

/// What the nodes' identifiers end with; they begin with `mn` and a number.
const REALM: &str = "@load.example";
/// RFC 5213 8.5: Ethernet.
const ATT: AccessTech = AccessTech(3);

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
    /// An answer that takes longer is lost.
    pub(super) reply_timeout: Duration,
    pub(super) phases: Vec<Phase>,
}

/// What every node does once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Phase {
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
    hnp: Option<HomePrefix>,
    link_local: Option<Ipv6Addr>,
    /// Which gateway serves it.
    mag: u32,
    /// What it waits for.
    pending: Option<Pending>,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    seq: SeqNo,
    timestamp: MobTimestamp,
    sent_at: Instant,
}

/// What came of a phase.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) phase: Phase,
    pub(super) sent: u64,
    pub(super) accepted: u64,
    /// Nodes that had nothing to refresh, hand over or end.
    pub(super) skipped: u64,
    pub(super) errors: BTreeMap<String, u64>,
    pub(super) latency: Histogram,
    pub(super) took: Duration,
}

/// A load in progress.
pub(super) struct Load {
    plan: Plan,
    nodes: Vec<Node>,
    /// Whose each prefix is: an anchor that gives one away twice is found out.
    owners: HashMap<HomePrefix, u32>,
    /// The phases so far; the last one runs.
    outcomes: Vec<Outcome>,
    started: Instant,
    next: u32,
    waiting: usize,
    /// In the order of sending; what was answered is skipped when its time comes.
    sent: VecDeque<(Instant, u32)>,
    seq: SeqNo,
}

impl Load {
    pub(super) fn new(plan: Plan, now: Now) -> Self {
        let place = |n: u32| Node { mag: n % plan.mags.max(1), ..Node::default() };
        let mut load = Self {
            nodes: (0..plan.nodes).map(place).collect(),
            owners: HashMap::new(),
            outcomes: Vec::new(),
            started: now.mono,
            next: 0,
            waiting: 0,
            sent: VecDeque::new(),
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
        self.expire(now);
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
        let lost = self.sent.front().map(|(at, _)| *at + self.plan.reply_timeout);
        let free = self.next < self.plan.nodes && self.waiting < self.plan.window;
        let due = if free { self.due_at() } else { None };
        lost.into_iter().chain(due).min()
    }

    /// Takes an answer.
    pub(super) fn answer(&mut self, msg: &AckMsg, now: Now) {
        let node = self.node_of(msg);
        let pending = node
            .and_then(|n| self.nodes.get(usize::try_from(n).ok()?)?.pending.map(|p| (n, p)))
            .filter(|(_, p)| p.seq == msg.ack.seq);
        let Some((n, pending)) = pending else {
            return self.error("unexpected".into());
        };
        let verified = self.verify(n, pending, msg);
        let Some(outcome) = self.outcomes.last_mut() else { return };
        outcome.latency.record(now.mono.since(pending.sent_at));
        outcome.took = now.mono.since(self.started);
        self.waiting -= 1;
        let Some(node) = self.nodes.get_mut(n as usize) else { return };
        node.pending = None;
        match verified {
            Ok((hnp, link_local)) => {
                outcome.accepted += 1;
                if outcome.phase == Phase::Deregister {
                    (node.hnp, node.link_local) = (None, None);
                    self.owners.remove(&hnp);
                } else {
                    (node.hnp, node.link_local) = (Some(hnp), link_local);
                    self.owners.insert(hnp, n);
                }
            }
            Err(kind) => self.error(kind),
        }
    }

    /// Counts something that is wrong.
    pub(super) fn error(&mut self, kind: String) {
        if let Some(outcome) = self.outcomes.last_mut() {
            *outcome.errors.entry(kind).or_insert(0) += 1;
        }
    }

    /// The updates that were sent longer ago than an answer may take are lost.
    fn expire(&mut self, now: Now) {
        while let Some(&(sent_at, n)) = self.sent.front() {
            if sent_at + self.plan.reply_timeout > now.mono {
                return;
            }
            self.sent.pop_front();
            let node = self.nodes.get_mut(n as usize);
            let lost = node.and_then(|node| node.pending.take_if(|p| p.sent_at == sent_at));
            if lost.is_some() {
                self.waiting -= 1;
                self.error("lost".into());
            }
        }
    }

    fn phase_is_through(&self) -> bool {
        self.next >= self.plan.nodes && self.waiting == 0
    }

    fn begin_phase(&mut self, now: Now) {
        if let Some(&phase) = self.plan.phases.get(self.outcomes.len()) {
            self.outcomes.push(Outcome {
                phase,
                sent: 0,
                accepted: 0,
                skipped: 0,
                errors: BTreeMap::new(),
                latency: Histogram::new(),
                took: Duration::ZERO,
            });
            self.started = now.mono;
            self.next = 0;
            self.sent.clear();
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
        let known = node.hnp;
        let (handoff, lifetime, prefixes) = match outcome.phase {
            Phase::Register => (HandoffIndicator::NEW_INTERFACE, self.plan.lifetime, None),
            Phase::Refresh => (HandoffIndicator::NOT_CHANGED, self.plan.lifetime, Some(known?)),
            Phase::Handoff => {
                known?;
                node.mag = (node.mag + 1) % self.plan.mags.max(1);
                (HandoffIndicator::SAME_INTERFACE, self.plan.lifetime, None)
            }
            Phase::Deregister => (HandoffIndicator::UNKNOWN, Lifetime::ZERO, Some(known?)),
        };
        self.seq = self.seq.next();
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
            extensions: Extensions::default(),
        };
        node.pending = Some(Pending { seq: self.seq, timestamp: now.wall, sent_at: now.mono });
        outcome.sent += 1;
        self.waiting += 1;
        self.sent.push_back((now.mono, n));
        Some(contents.message())
    }

    /// The node that an answer names.
    fn node_of(&self, msg: &AckMsg) -> Option<u32> {
        let named = msg.options.iter().find_map(|o| match o {
            MobilityOption::MnId(MnId::NAI, id) => Some(id),
            _ => None,
        })?;
        let number = core::str::from_utf8(named).ok()?.strip_prefix("mn")?.strip_suffix(REALM)?;
        number.parse::<u32>().ok()?.checked_sub(self.plan.first_node)
    }

    /// Everything that RFC 5213 5.3.6 says of an accepting answer, or what is wrong with it.
    fn verify(
        &self,
        n: u32,
        pending: Pending,
        msg: &AckMsg,
    ) -> Result<(HomePrefix, Option<Ipv6Addr>), String> {
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
        for option in &msg.options {
            match option {
                MobilityOption::HandoffIndicator(v) if v == handoff => echoed += 1,
                MobilityOption::AccessTech(v) if v == ATT => echoed += 1,
                MobilityOption::MnLinkLayerId(v) if v == own_id => echoed += 1,
                MobilityOption::Timestamp(v) if v == pending.timestamp => echoed += 1,
                MobilityOption::HomeNetworkPrefix(p) if hnp.is_none() => hnp = Some(p),
                MobilityOption::HomeNetworkPrefix(_) => return wrong("several prefixes"),
                MobilityOption::LinkLocal(a) => link_local = Some(a),
                _ => {}
            }
        }
        if echoed != 4 {
            return wrong("echo");
        }
        let Some(hnp) = hnp.filter(|p| *p != HomePrefix::ALL_ZERO) else {
            return wrong("no prefix");
        };
        if node.hnp.is_some_and(|before| before != hnp) {
            return wrong("prefix changed");
        }
        if self.owners.get(&hnp).is_some_and(|owner| *owner != n) {
            return wrong("prefix given twice");
        }
        if node.link_local.is_some_and(|before| link_local != Some(before)) {
            return wrong("link-local address changed");
        }
        Ok((hnp, link_local))
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
