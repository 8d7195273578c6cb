//! Load: many nodes, played towards one home agent. Pure: the I/O is in `drive`.
//!
//! ```text
//!   for each phase:  poll_send() -> update of the next node, as rate and window let
//!                    answer(acknowledgement) -> verified: status, addresses, number, lifetime
//! ```
//! An update without an answer is sent again, with the next sequence number and after twice the
//! time of before (RFC 6275 11.8); one that was sent as often as the plan allows is lost. Phases
//! and reports are those of the gateways' load; a handoff is to the next care-of address.

pub(super) mod drive;
#[cfg(test)]
mod tests;

use crate::mag::load::{Outcome, Phase};
use crate::mobility::message::{AckMsg, OwnedOptions, Transport, UpdateMsg};
use crate::time::{Duration, Instant, Lifetime};
use crate::wire::mh::{BindingUpdate, BuFlags, MobilityOption, SeqNo};
use std::collections::VecDeque;
use std::net::Ipv6Addr;

/// RFC 6275 12: `MAX_BINDACK_TIMEOUT`
const PATIENCE_MAX: Duration = Duration::from_secs(32);

/// What is to be done.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) home_agent: Ipv6Addr,
    /// Home address of the first node.
    pub(super) first_home: Ipv6Addr,
    /// Each of the others has the same interface identifier in the next prefix of this length, up
    /// to 128: then the next address.
    pub(super) home_len: u8,
    /// The first care-of address; the others follow it.
    pub(super) first_coa: Ipv6Addr,
    pub(super) coas: u32,
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
}

/// One node; a million of them have to fit.
#[derive(Debug, Clone, Copy, Default)]
struct Node {
    is_bound: bool,
    /// Which care-of address it has.
    coa: u32,
    seq: SeqNo,
    /// Since when it waits, and since when for what was sent last.
    pending: Option<(Instant, Instant)>,
}

/// A load in progress.
pub(super) struct Load {
    plan: Plan,
    nodes: Vec<Node>,
    /// The phases so far; the last one runs.
    outcomes: Vec<Outcome>,
    started: Instant,
    next: u32,
    waiting: usize,
    /// What was sent for the first, the second time and so on, in the order of sending; what was
    /// answered is skipped when its time comes.
    sent: Vec<VecDeque<(Instant, u32)>>,
}

impl Load {
    pub(super) fn new(plan: Plan, now: Instant) -> Self {
        let place = |n: u32| Node { coa: n % plan.coas.max(1), ..Node::default() };
        let mut load = Self {
            nodes: (0..plan.nodes).map(place).collect(),
            outcomes: Vec::new(),
            started: now,
            next: 0,
            waiting: 0,
            sent: vec![VecDeque::new(); plan.retries as usize + 1],
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
    pub(super) fn poll_send(&mut self, now: Instant) -> Option<UpdateMsg> {
        while let Some((n, times)) = self.overdue(now) {
            if let Some(msg) = self.again(n, times, now) {
                return Some(msg);
            }
        }
        if self.phase_is_through() {
            self.begin_phase(now);
        }
        while self.next < self.plan.nodes && self.waiting < self.plan.window {
            if self.due_at().is_some_and(|at| at > now) {
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
        let free = self.next < self.plan.nodes && self.waiting < self.plan.window;
        let due = if free { self.due_at() } else { None };
        overdue.chain(due).min()
    }

    /// Takes an acknowledgement.
    pub(super) fn answer(&mut self, msg: &AckMsg, now: Instant) {
        let node =
            self.node_of(msg).and_then(|n| self.nodes.get(n as usize).map(|node| (n, *node)));
        let awaited = node.filter(|(_, node)| node.seq == msg.ack.seq);
        let Some((n, begun_at)) = awaited.and_then(|(n, node)| Some((n, node.pending?.0))) else {
            return self.unexpected();
        };
        let verified = self.verify(n, msg);
        let Some(outcome) = self.outcomes.last_mut() else { return };
        outcome.latency.record(now.since(begun_at));
        outcome.took = now.since(self.started);
        self.waiting -= 1;
        let Some(node) = self.nodes.get_mut(n as usize) else { return };
        node.pending = None;
        match verified {
            Ok(()) => {
                outcome.accepted += 1;
                node.is_bound = outcome.phase != Phase::Deregister;
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
    fn overdue(&mut self, now: Instant) -> Option<(u32, u32)> {
        let times = (0..).zip(&self.sent).find_map(|(times, sent)| {
            let &(at, _) = sent.front()?;
            (at + self.patience(times) <= now).then_some(times)
        })?;
        let (_, n) = self.sent.get_mut(times as usize)?.pop_front()?;
        Some((n, times))
    }

    /// Sends an overdue update once more; `None` if it was answered, or is lost.
    fn again(&mut self, n: u32, times: u32, now: Instant) -> Option<UpdateMsg> {
        let patience = self.patience(times);
        let pending = &mut self.nodes.get_mut(n as usize)?.pending;
        let (begun_at, _) = pending.take_if(|(_, sent_at)| *sent_at + patience <= now)?;
        if times >= self.plan.retries {
            self.waiting -= 1;
            self.error("lost".into());
            return None;
        }
        self.outcomes.last_mut()?.retransmitted += 1;
        self.message(n, begun_at, times + 1, now)
    }

    fn phase_is_through(&self) -> bool {
        self.next >= self.plan.nodes && self.waiting == 0
    }

    fn begin_phase(&mut self, now: Instant) {
        if let Some(&phase) = self.plan.phases.get(self.outcomes.len()) {
            self.outcomes.push(Outcome::new(phase));
            self.started = now;
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

    /// What a node sends in this phase; `None` if it has no binding.
    fn update_of(&mut self, n: u32, now: Instant) -> Option<UpdateMsg> {
        let outcome = self.outcomes.last_mut()?;
        let node = self.nodes.get_mut(n as usize)?;
        if outcome.phase != Phase::Register && !node.is_bound {
            return None;
        }
        if outcome.phase == Phase::Handoff {
            node.coa = (node.coa + 1) % self.plan.coas.max(1);
        }
        outcome.sent += 1;
        self.waiting += 1;
        self.message(n, now, 0, now)
    }

    /// The update of a node, which was sent `times` before, first at `begun_at`.
    fn message(
        &mut self,
        n: u32,
        begun_at: Instant,
        times: u32,
        now: Instant,
    ) -> Option<UpdateMsg> {
        let lifetime = self.lifetime()?;
        let node = self.nodes.get_mut(n as usize)?;
        node.seq = node.seq.next();
        node.pending = Some((begun_at, now));
        let care_of = following(self.plan.first_coa, node.coa, 128);
        let update = BindingUpdate { seq: node.seq, flags: BuFlags::A | BuFlags::H, lifetime };
        self.sent.get_mut(times as usize)?.push_back((now, n));
        let options = [MobilityOption::AlternateCoa(care_of)];
        Some(UpdateMsg {
            src: care_of,
            dst: self.plan.home_agent,
            transport: Transport::Ipv6,
            home: Some(following(self.plan.first_home, n, self.plan.home_len)),
            update,
            options: OwnedOptions::from_options(&options).unwrap_or_default(),
            header: Box::default(),
        })
    }

    /// What is asked for in this phase.
    fn lifetime(&self) -> Option<Lifetime> {
        let ends = self.outcomes.last()?.phase == Phase::Deregister;
        Some(if ends { Lifetime::ZERO } else { self.plan.lifetime })
    }

    /// The node whose home address the routing header names.
    fn node_of(&self, msg: &AckMsg) -> Option<u32> {
        let ahead = msg.home?.to_bits().wrapping_sub(self.plan.first_home.to_bits());
        let step = 128_u32.saturating_sub(self.plan.home_len.into());
        let n = u32::try_from(ahead >> step).ok()?;
        (following(self.plan.first_home, n, self.plan.home_len) == msg.home?).then_some(n)
    }

    /// Everything that RFC 6275 9.5.4 says of an accepting answer, or what is wrong with it.
    fn verify(&self, n: u32, msg: &AckMsg) -> Result<(), String> {
        let wrong = |what: &str| Err(what.to_owned());
        if !msg.ack.status.is_accepted() {
            return Err(format!("status {}", msg.ack.status.0));
        }
        let coa = self.nodes.get(n as usize).map(|node| node.coa);
        let care_of = coa.map(|coa| following(self.plan.first_coa, coa, 128));
        if msg.src != self.plan.home_agent || Some(msg.dst) != care_of {
            return wrong("wrong address");
        }
        let asked = self.lifetime().unwrap_or_default();
        let granted = msg.ack.lifetime;
        if granted > asked || (granted == Lifetime::ZERO) != (asked == Lifetime::ZERO) {
            return wrong("lifetime");
        }
        Ok(())
    }
}

/// The `n`th address after `first`, counted in prefixes of length `len`.
pub(super) fn following(first: Ipv6Addr, n: u32, len: u8) -> Ipv6Addr {
    let step = 128_u32.saturating_sub(len.into());
    Ipv6Addr::from_bits(first.to_bits().wrapping_add(u128::from(n) << step))
}
