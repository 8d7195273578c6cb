//! When nodes away from home are told of the prefixes of their home link without having asked
//! (RFC 6275 10.6.2).
//!
//! ```text
//!   registered --> due, at random, within MaxMobPfxAdvInterval; earlier after a change
//!                   |
//!                   v
//!   told --3 s--> again --6 s--> again --12 s--> again, then nothing until an update
//!     '---------------- a solicitation of the node: it has heard of it; due later again
//! ```
//! What is told is made when it is sent, so it is always all, and the newest.

use super::prefixes::Question;
use super::{HomeAgent, HomeBinding, HomeState, HomeTimer, audit};
use crate::addr::ProxyCoa;
use crate::mobility::action::{Action, BindingId, HomeAudit};
use crate::mobility::digest::Digest;
use crate::time::{Duration, Instant, Now};
use std::collections::BTreeMap;

/// 6.8: at most one advertisement a second to any node.
const INTERVAL: Duration = Duration::from_secs(1);
/// `PREFIX_ADV_TIMEOUT` (12): how long is waited before the first retransmission.
const TIMEOUT: Duration = Duration::from_secs(3);
/// `PREFIX_ADV_RETRIES` (12).
const RETRIES: u8 = 3;
/// Between what goes to different nodes: who shares a link is told at once, but one by one.
const PACE: Duration = Duration::from_millis(1);

/// What is due to which node.
#[derive(Debug, Default)]
pub(super) struct News {
    all: BTreeMap<BindingId, Telling>,
    /// The next one goes out then.
    free_at: Instant,
}

/// What a node is told next, and what it made of the last time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Telling {
    due: Instant,
    /// When it was told last.
    last: Option<Instant>,
    /// How often it was told since it has said anything.
    times: u8,
    /// It has asked, and has no answer yet.
    asked: Option<Question>,
    /// It has its place among the others.
    has_place: bool,
}

/// What is still to be said to a node, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// When.
    pub due: Instant,
    /// How often it was told so far, and has not answered.
    pub unanswered: u8,
}

impl Telling {
    const fn new(due: Instant) -> Self {
        Self { due, last: None, times: 0, asked: None, has_place: false }
    }

    /// 6.8: not within a second after the last one.
    fn not_before(&self, at: Instant) -> Instant {
        self.last.map_or(at, |last| at.max(last + INTERVAL))
    }
}

impl HomeAgent {
    /// A registration is in force: whoever was not told is told in time, and whoever has not
    /// answered is told again.
    pub(super) fn expect_news(&mut self, binding: &HomeBinding, now: Now) {
        // A type 2 routing header does not lead into an IPv4 network.
        if binding.state != HomeState::Active || binding.care_of.to_ipv4_mapped().is_some() {
            return self.expect_no_news(binding.id);
        }
        let telling = match self.news.all.get(&binding.id).copied() {
            None => Telling::new(now.mono + self.delay(binding, now)),
            Some(t) if t.times > 0 && t.asked.is_none() => {
                Telling { due: now.mono + INTERVAL, times: 0, has_place: false, ..t }
            }
            Some(_) => return,
        };
        self.schedule(binding.id, telling);
    }

    /// The registration is over.
    pub(super) fn expect_no_news(&mut self, id: BindingId) {
        if let Some(old) = self.news.all.remove(&id) {
            self.timers.remove(&(old.due, HomeTimer::News(id)));
        }
    }

    /// What a node was told is not so any more: at once if its address is preferred no longer than
    /// the earliest that others are told.
    pub(super) fn announce(&mut self, binding: &HomeBinding, now: Now) {
        let known = self.news.all.get(&binding.id).copied();
        // It is answered with all that is new.
        let has_asked = known.is_some_and(|t| t.asked.is_some());
        if has_asked || binding.care_of.to_ipv4_mapped().is_some() {
            return;
        }
        let due = match self.preferred_left(binding, now) {
            Some(left) if left <= self.config.min_advertisement_interval => now.mono,
            _ => now.mono + self.delay(binding, now),
        };
        let due = known.map_or(due, |t| t.not_before(due));
        // What is scheduled says it all, when its time has come.
        if known.is_some_and(|t| t.times == 0 && t.due <= due) {
            return;
        }
        let last = known.and_then(|t| t.last);
        self.schedule(binding.id, Telling { last, ..Telling::new(due) });
    }

    /// A node asks: it has heard what it was told, if it was. `false`: it is answered later, for it
    /// was told a moment ago.
    pub(super) fn has_asked(&mut self, binding: &HomeBinding, asked: Question, now: Now) -> bool {
        let telling = self.news.all.get(&binding.id).copied();
        let mut telling = telling.unwrap_or(Telling::new(now.mono));
        let at = telling.not_before(now.mono);
        if at > now.mono {
            (telling.due, telling.asked) = (at, Some(asked));
            self.schedule(binding.id, telling);
            return false;
        }
        self.note_told(binding, 0, now);
        true
    }

    /// A node is told now, for so many times without an answer: what is due next.
    fn note_told(&mut self, binding: &HomeBinding, times: u8, now: Now) {
        let wait = match times.checked_sub(1) {
            Some(n) if n < RETRIES => TIMEOUT * (1 << n),
            _ => self.config.max_advertisement_interval + self.delay(binding, now),
        };
        let due = now.mono + wait;
        let told = Telling { last: Some(now.mono), times, ..Telling::new(due) };
        self.schedule(binding.id, told);
    }

    /// Its time has come.
    pub(super) fn tell_news(&mut self, id: BindingId, now: Now, actions: &mut Vec<Action>) {
        let Some(mut telling) = self.news.all.remove(&id) else { return };
        let Some(binding) = self.cache.get(id).cloned() else { return };
        if !self.config.prefix_advertisements {
            return;
        }
        if let Some(asked) = telling.asked {
            let solicited = self.advertisement(&binding, Some(asked), now);
            actions.push(solicited);
            return self.note_told(&binding, 0, now);
        }
        if !telling.has_place && self.news.free_at > now.mono {
            telling.due = self.take_place(now);
            telling.has_place = true;
            return self.schedule(id, telling);
        }
        if !telling.has_place {
            self.take_place(now);
        }
        // Who never answers is told once in a while nevertheless.
        let times = if telling.times > RETRIES { 1 } else { telling.times + 1 };
        actions.push(self.advertisement(&binding, None, now));
        if times > RETRIES {
            let coa = Some(ProxyCoa(binding.care_of));
            actions.push(audit(HomeAudit::Unheard, Some(binding.mn_id.clone()), coa));
        }
        self.note_told(&binding, times, now);
    }

    /// Whether a node could be told something right now.
    pub(super) fn may_tell(&self, id: BindingId, now: Now) -> bool {
        let telling = self.news.all.get(&id).filter(|_| self.config.prefix_advertisements);
        telling.is_some_and(|t| t.not_before(now.mono) == now.mono)
    }

    /// A place in the row of those that are told.
    fn take_place(&mut self, now: Now) -> Instant {
        let place = self.news.free_at.max(now.mono);
        self.news.free_at = place + PACE;
        place
    }

    fn schedule(&mut self, id: BindingId, telling: Telling) {
        self.expect_no_news(id);
        self.timers.insert((telling.due, HomeTimer::News(id)));
        self.news.all.insert(id, telling);
    }

    /// `RAND_ADV_DELAY`, with `MaxScheduleDelay` as far as the address is preferred.
    fn delay(&self, binding: &HomeBinding, now: Now) -> Duration {
        let min = self.config.min_advertisement_interval;
        let max = self.config.max_advertisement_interval;
        let left = self.preferred_left(binding, now);
        let room = left.map_or(max, |left| left.min(max)).abs_diff(min);
        let room = u64::try_from(room.as_millis()).unwrap_or(u64::MAX).max(1);
        let any = Digest::new(binding.id.0).field(&now.mono.0.to_le_bytes()).finish();
        min + Duration::from_millis(any % room)
    }

    fn preferred_left(&self, binding: &HomeBinding, now: Now) -> Option<Duration> {
        let (_, p) = self.links.find(binding.customer, binding.home)?;
        let until = self.links.span(binding.customer, p).preferred?;
        Some(until.since(now.mono))
    }

    /// What a node is still to be told, if it is one that is told anything.
    #[must_use]
    pub fn pending(&self, id: BindingId) -> Option<Pending> {
        let telling = self.news.all.get(&id).filter(|_| self.config.prefix_advertisements)?;
        Some(Pending { due: telling.due, unanswered: telling.times })
    }
}
