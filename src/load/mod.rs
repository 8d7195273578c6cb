//! Load: many nodes, played towards one anchor. `anchor-mag` plays their gateways, `anchor-mn` the
//! nodes themselves; here is what both do alike. Pure: the I/O is in `drive`.
//!
//! ```text
//!   for each phase:  poll_send() -> Player::update of the next node, as rate and window let
//!                    answer(acknowledgement) -> Player::verify
//! ```
//! An update without an answer is sent again, with a sequence number of its own and after twice the
//! time of before (RFC 6275 11.8, RFC 5213 5.5); one that was sent as often as the pace allows is
//! lost. Only so many may be without an answer at a time: a slow anchor slows the load down, and
//! loses nothing by it.

pub(crate) mod drive;
mod histogram;
mod outcome;
pub(crate) mod report;

pub(crate) use outcome::{Outcome, Phase};

use crate::mobility::message::{AckMsg, UpdateMsg};
use crate::time::{Duration, Instant, Now};
use std::collections::VecDeque;

/// RFC 6275 12: `MAX_BINDACK_TIMEOUT`
const PATIENCE_MAX: Duration = Duration::from_secs(32);

/// How fast, how often and how patiently.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    pub(crate) nodes: u32,
    /// Updates a second; as many as the window lets if `None`.
    pub(crate) rate: Option<u32>,
    /// Updates without an answer at a time.
    pub(crate) window: usize,
    /// An update without an answer for so long is sent again, then after twice as long, and so on.
    pub(crate) reply_timeout: Duration,
    /// How often, before it is lost.
    pub(crate) retries: u32,
    pub(crate) phases: Vec<Phase>,
}

/// Who is played. Nodes have the numbers from zero on.
pub(crate) trait Player {
    /// A node goes to its next place; a handoff begins so.
    fn move_on(&mut self, n: u32);

    /// What a node sends in this phase, each time with a number of its own; `None` if it has
    /// nothing to refresh, hand over or end.
    fn update(&mut self, n: u32, phase: Phase, now: Now) -> Option<UpdateMsg>;

    /// The node whose last update this answers.
    fn answered(&self, msg: &AckMsg) -> Option<u32>;

    /// Takes the answer to a node's last update, or says what is wrong with it.
    fn verify(&mut self, n: u32, phase: Phase, msg: &AckMsg) -> Result<(), String>;
}

/// A load in progress.
pub(crate) struct Load<P> {
    pub(crate) player: P,
    pace: Pace,
    /// Of each node; a million of them have to fit.
    waits: Vec<Option<Wait>>,
    /// The phases so far; the last one runs.
    outcomes: Vec<Outcome>,
    started: Instant,
    next: u32,
    waiting: usize,
    /// What was sent for the first, the second time and so on, in the order of sending; what was
    /// answered is skipped when its time comes.
    sent: Vec<VecDeque<(Instant, u32)>>,
}

/// An update waits for its answer.
#[derive(Debug, Clone, Copy)]
struct Wait {
    /// First, and last.
    begun_at: Instant,
    sent_at: Instant,
}

impl<P: Player> Load<P> {
    pub(crate) fn new(player: P, pace: Pace, now: Now) -> Self {
        let mut load = Self {
            player,
            waits: vec![None; pace.nodes as usize],
            outcomes: Vec::new(),
            started: now.mono,
            next: 0,
            waiting: 0,
            sent: vec![VecDeque::new(); pace.retries as usize + 1],
            pace,
        };
        load.begin_phase(now);
        load
    }

    /// Whether every phase is through.
    pub(crate) fn is_done(&self) -> bool {
        self.outcomes.len() == self.pace.phases.len() && self.phase_is_through()
    }

    pub(crate) fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// What comes of the phase that runs; none if there is no phase at all.
    pub(crate) fn outcome(&mut self) -> Option<&mut Outcome> {
        self.outcomes.last_mut()
    }

    /// The next update to be sent; `None` if it is not yet time.
    pub(crate) fn poll_send(&mut self, now: Now) -> Option<UpdateMsg> {
        while let Some((n, times)) = self.overdue(now) {
            if let Some(msg) = self.again(n, times, now) {
                return Some(msg);
            }
        }
        if self.phase_is_through() {
            self.begin_phase(now);
        }
        while self.next < self.pace.nodes && self.waiting < self.pace.window {
            if self.due_at().is_some_and(|at| at > now.mono) {
                return None;
            }
            let n = self.next;
            self.next += 1;
            if let Some(msg) = self.first(n, now) {
                return Some(msg);
            }
            self.outcome()?.skipped += 1;
        }
        None
    }

    /// When something is due that no answer brings.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let overdue = (0..)
            .zip(&self.sent)
            .filter_map(|(times, sent)| sent.front().map(|(at, _)| *at + self.patience(times)));
        let free = self.next < self.pace.nodes && self.waiting < self.pace.window;
        let due = if free { self.due_at() } else { None };
        overdue.chain(due).min()
    }

    /// Takes an answer.
    pub(crate) fn answer(&mut self, msg: &AckMsg, now: Now) {
        let awaited = self.player.answered(msg).and_then(|n| {
            let wait = self.waits.get_mut(n as usize)?.take()?;
            Some((n, wait))
        });
        let Some((n, wait)) = awaited else {
            return self.unexpected();
        };
        self.waiting -= 1;
        let Some(outcome) = self.outcomes.last_mut() else { return };
        outcome.latency.record(now.mono.since(wait.begun_at));
        outcome.took = now.mono.since(self.started);
        match self.player.verify(n, outcome.phase, msg) {
            Ok(()) => outcome.accepted += 1,
            Err(kind) => self.error(kind),
        }
    }

    /// Counts something that is wrong.
    pub(crate) fn error(&mut self, kind: String) {
        if let Some(outcome) = self.outcome() {
            *outcome.errors.entry(kind).or_insert(0) += 1;
        }
    }

    /// What nobody waits for: the answer to an update that was sent again meanwhile, or an error.
    fn unexpected(&mut self) {
        match self.outcome() {
            Some(outcome) if outcome.late < outcome.retransmitted => outcome.late += 1,
            _ => self.error("unexpected".into()),
        }
    }

    /// How long an answer may take to an update that was sent again so many times.
    fn patience(&self, times: u32) -> Duration {
        (self.pace.reply_timeout * 2_u32.saturating_pow(times)).min(PATIENCE_MAX)
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
        let wait = self.waits.get_mut(n as usize)?;
        let before = wait.take_if(|w| w.sent_at + patience <= now.mono)?;
        self.waiting -= 1;
        if times >= self.pace.retries {
            self.error("lost".into());
            return None;
        }
        self.outcome()?.retransmitted += 1;
        // One that was revoked meanwhile has nothing to ask for any more.
        self.send(n, before.begun_at, times + 1, now)
    }

    fn phase_is_through(&self) -> bool {
        self.next >= self.pace.nodes && self.waiting == 0
    }

    fn begin_phase(&mut self, now: Now) {
        if let Some(&phase) = self.pace.phases.get(self.outcomes.len()) {
            self.outcomes.push(Outcome::new(phase));
            self.started = now.mono;
            self.next = 0;
            self.sent.iter_mut().for_each(VecDeque::clear);
        }
    }

    /// When the rate lets the next update go; at once if there is no rate.
    fn due_at(&self) -> Option<Instant> {
        let rate = self.pace.rate?;
        let ns = u64::from(self.next) * 1_000_000_000 / u64::from(rate.max(1));
        Some(self.started + Duration::from_nanos(ns))
    }

    /// What a node sends first in this phase.
    fn first(&mut self, n: u32, now: Now) -> Option<UpdateMsg> {
        if self.outcome()?.phase == Phase::Handoff {
            self.player.move_on(n);
        }
        let msg = self.send(n, now.mono, 0, now)?;
        self.outcome()?.sent += 1;
        Some(msg)
    }

    /// Makes the update of a node, which was sent `times` before, first at `begun_at`.
    fn send(&mut self, n: u32, begun_at: Instant, times: u32, now: Now) -> Option<UpdateMsg> {
        let phase = self.outcome()?.phase;
        let msg = self.player.update(n, phase, now)?;
        *self.waits.get_mut(n as usize)? = Some(Wait { begun_at, sent_at: now.mono });
        self.waiting += 1;
        self.sent.get_mut(times as usize)?.push_back((now.mono, n));
        Some(msg)
    }
}
