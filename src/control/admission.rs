//! Who is heard when more is said than the core can hear.
//!
//! ```text
//!   frame -> whose? -> over its rate: dropped, or status 130    -> urgent: a session there is, peers
//!            one bucket a gateway,                   else parse -> fresh:  a session that would begin
//!            one for all strangers                                 a queue of each for each gateway
//! ```
//! A turn serves the gateways round about, one message each, so that a gateway which says more than
//! others waits for itself only. When both kinds wait, each has half of the turn; otherwise one has
//! it all. What is known of a gateway is bounded, and strangers share one place: mobile nodes are
//! strangers, and none of them may use up what all have together.

use super::rate::RateLimit;
use crate::mobility::address_map::AddressMap;
use crate::mobility::message::{PeerMsg, UpdateMsg};
use crate::mobility::mip4::Mip4Msg;
use crate::time::{Duration, Instant};
use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::Ipv6Addr;

/// A message that waits for its turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    Pbu(Box<UpdateMsg>),
    Bu(Box<UpdateMsg>),
    Peer(Box<PeerMsg>),
    Mip4(Box<Mip4Msg>),
}

/// How soon a message is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// About a session that there is: refreshes, handoffs, de-registrations; and what peers say.
    Urgent,
    /// It would begin a session.
    Fresh,
}

/// Whether a frame is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admit {
    Yes,
    /// Its gateway says more than it may; whether it may be told so.
    OverRate {
        tell: bool,
    },
}

/// What became of a gateway's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    /// Answered with status 130.
    pub(super) refused: u64,
    /// Dropped without a word.
    pub(super) dropped: u64,
    /// No well-formed message.
    pub(super) malformed: u64,
}

/// One gateway; or all strangers.
#[derive(Debug)]
struct Source {
    /// Messages a second.
    rate_max: u32,
    rate: RateLimit,
    refusals: RateLimit,
    queues: [VecDeque<Waiting>; 2],
    counts: Counts,
}

/// All that waits, and who may add to it.
#[derive(Debug)]
pub(super) struct Admission {
    /// The strangers' address is `::`.
    sources: AddressMap<Source>,
    one_stranger: Shares,
    /// For each class the places of the sources that have something waiting, in the order in which
    /// they are served.
    turns: [VecDeque<usize>; 2],
    waiting: [usize; 2],
}

impl Admission {
    /// So many messages a second are heard of all strangers together.
    pub(super) fn new(strangers_rate: u32) -> Self {
        let strangers = Source::new(strangers_rate);
        Self {
            sources: AddressMap::from_iter([(STRANGERS, strangers)]),
            one_stranger: Shares::new(),
            turns: Default::default(),
            waiting: [0; 2],
        }
    }

    /// A gateway is known from now on; it may say so much a second, from now on.
    pub(super) fn add(&mut self, address: Ipv6Addr, rate: u32) {
        let source = self.sources.get_or_insert_with(address, || Source::new(rate));
        if source.rate_max != rate {
            source.rate_max = rate;
            source.rate = rate_limit(rate);
        }
    }

    /// A gateway is a stranger again. What it said last is served still.
    pub(super) fn remove(&mut self, address: Ipv6Addr) {
        if self.sources.get(address).is_some_and(|s| s.queues.iter().all(VecDeque::is_empty)) {
            self.sources.remove(address);
        }
    }

    /// Whether a frame from this address may be looked at.
    pub(super) fn admit(&mut self, from: Ipv6Addr, now: Instant) -> Admit {
        let has_share = self.sources.place(from).is_some() || self.one_stranger.admit(from, now);
        let Some(source) = self.source(from) else { return Admit::OverRate { tell: false } };
        if has_share && source.rate.admit(now) {
            return Admit::Yes;
        }
        let tell = has_share && source.refusals.admit(now);
        source.counts.dropped += u64::from(!tell);
        Admit::OverRate { tell }
    }

    /// Lets a message wait. If there is no room: whether its sender may be told, and the message.
    pub(super) fn push(
        &mut self,
        from: Ipv6Addr,
        class: Class,
        message: Waiting,
        now: Instant,
    ) -> Result<(), (bool, Waiting)> {
        let crowded = self.len() >= CROWD;
        let place = self.place(from);
        let Some(source) = place.and_then(|p| self.sources.at_mut(p)) else {
            return Err((false, message));
        };
        let room = if crowded { ROOM_IN_A_CROWD } else { ROOM };
        if source.queues.iter().map(VecDeque::len).sum::<usize>() >= room {
            let tell = source.refusals.admit(now);
            source.counts.dropped += u64::from(!tell);
            return Err((tell, message));
        }
        let queue = &mut source.queues[class as usize];
        if queue.is_empty() {
            self.turns[class as usize].extend(place);
        }
        queue.push_back(message);
        self.waiting[class as usize] += 1;
        Ok(())
    }

    /// The next message of a turn that may serve `budget` in all and has served `served`.
    pub(super) fn pop(&mut self, served: &Served, budget: usize) -> Option<(Class, Waiting)> {
        let [urgent, fresh] = served.0;
        let half = budget / 2;
        // Each class has its half, and what the other one leaves.
        let fresh_left = self.waiting[Class::Fresh as usize].min(half.saturating_sub(fresh));
        let first = if urgent + fresh + fresh_left < budget { Class::Urgent } else { Class::Fresh };
        let second = if first == Class::Urgent { Class::Fresh } else { Class::Urgent };
        self.take(first).or_else(|| self.take(second))
    }

    fn take(&mut self, class: Class) -> Option<(Class, Waiting)> {
        let turns = &mut self.turns[class as usize];
        let place = turns.pop_front()?;
        let queue = &mut self.sources.at_mut(place)?.queues[class as usize];
        let message = queue.pop_front()?;
        if !queue.is_empty() {
            turns.push_back(place);
        }
        self.waiting[class as usize] -= 1;
        Some((class, message))
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.iter().sum()
    }

    /// Counts something about the sender of a message.
    pub(super) fn count(&mut self, from: Ipv6Addr, change: impl FnOnce(&mut Counts)) {
        if let Some(source) = self.source(from) {
            change(&mut source.counts);
        }
    }

    /// What became of a gateway's messages.
    pub(super) fn counts(&self, address: Ipv6Addr) -> Counts {
        self.sources.get(address).map_or_else(Counts::default, |s| s.counts)
    }

    fn place(&self, from: Ipv6Addr) -> Option<usize> {
        self.sources.place(from).or_else(|| self.sources.place(STRANGERS))
    }

    fn source(&mut self, from: Ipv6Addr) -> Option<&mut Source> {
        self.sources.at_mut(self.place(from)?)
    }
}

/// What a turn has served, by class.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Served([usize; 2]);

impl Served {
    pub(super) const fn count(&mut self, class: Class) {
        self.0[class as usize] += 1;
    }
}

/// What each stranger may say. Few share a bucket with another one, and nobody can foretell who.
#[derive(Debug)]
struct Shares {
    buckets: Vec<RateLimit>,
    secret: RandomState,
}

impl Shares {
    fn new() -> Self {
        let buckets = (0..SHARES).map(|_| rate_limit(STRANGER_RATE)).collect();
        Self { buckets, secret: RandomState::new() }
    }

    fn admit(&mut self, from: Ipv6Addr, now: Instant) -> bool {
        let at = self.bucket(from);
        self.buckets.get_mut(at).is_some_and(|bucket| bucket.admit(now))
    }

    fn bucket(&self, from: Ipv6Addr) -> usize {
        usize::try_from(self.secret.hash_one(from) % SHARES).unwrap_or_default()
    }
}

impl Source {
    fn new(rate: u32) -> Self {
        Self {
            rate_max: rate,
            rate: rate_limit(rate),
            refusals: RateLimit::new(REFUSAL_BURST, REFUSAL_INTERVAL),
            queues: Default::default(),
            counts: Counts::default(),
        }
    }
}

/// So many messages a second, an eighth of them at once.
fn rate_limit(rate: u32) -> RateLimit {
    let interval = Duration::from_nanos(1_000_000_000 / u64::from(rate.max(1)));
    RateLimit::new((rate / 8).max(BURST_MIN), interval)
}

/// The strangers' key.
const STRANGERS: Ipv6Addr = Ipv6Addr::UNSPECIFIED;
/// Messages a second of one stranger, and how many buckets there are for that.
const STRANGER_RATE: u32 = 100;
const SHARES: u64 = 1024;
/// Messages at once, however low the rate.
const BURST_MIN: u32 = 64;
/// Messages of one gateway that wait, while few wait in all.
const ROOM: usize = 2048;
/// From so many in all on, there is less room for each.
const CROWD: usize = 4096;
const ROOM_IN_A_CROWD: usize = 128;
/// Answers with status 130 to one gateway: 100 a second, 20 at once.
const REFUSAL_BURST: u32 = 20;
const REFUSAL_INTERVAL: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mobility::message::{OwnedOptions, PeerBody, Transport};
    use crate::wire::mh::Heartbeat;

    fn mag(n: u16) -> Ipv6Addr {
        Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, n)
    }

    fn message(from: Ipv6Addr) -> Waiting {
        Waiting::Peer(Box::new(PeerMsg {
            node: None,
            src: from,
            dst: mag(1),
            transport: Transport::Ipv6,
            body: PeerBody::Heartbeat(Heartbeat::default()),
            options: OwnedOptions::default(),
        }))
    }

    fn admission(mags: u16) -> Admission {
        let mut admission = Admission::new(1000);
        for n in 1..=mags {
            admission.add(mag(n), 1000);
        }
        admission
    }

    fn push(admission: &mut Admission, n: u16, class: Class) -> bool {
        admission.push(mag(n), class, message(mag(n)), Instant(0)).is_ok()
    }

    /// Who is served in a turn of `budget`.
    fn turn(admission: &mut Admission, budget: usize) -> Vec<(Class, Ipv6Addr)> {
        let mut served = Served::default();
        let mut who = Vec::new();
        while who.len() < budget
            && let Some((class, message)) = admission.pop(&served, budget)
        {
            served.count(class);
            let Waiting::Peer(msg) = message else { panic!("none was pushed") };
            who.push((class, msg.src));
        }
        who
    }

    #[test]
    fn gateway_that_says_much_waits_for_itself_only() {
        let mut admission = admission(2);
        for _ in 0..100 {
            assert!(push(&mut admission, 1, Class::Urgent));
        }
        assert!(push(&mut admission, 2, Class::Urgent));
        let who = turn(&mut admission, 4);
        assert!(who.contains(&(Class::Urgent, mag(2))), "{who:?}");
    }

    #[test]
    fn both_classes_have_half_of_a_turn_and_what_the_other_leaves() {
        let mut admission = admission(2);
        for _ in 0..100 {
            assert!(
                push(&mut admission, 1, Class::Urgent) && push(&mut admission, 2, Class::Fresh)
            );
        }
        let fresh = |who: &[(Class, Ipv6Addr)]| who.iter().filter(|w| w.0 == Class::Fresh).count();
        let who = turn(&mut admission, 8);
        assert_eq!((who[0].0, fresh(&who)), (Class::Urgent, 4), "the urgent go first");
        while admission.waiting[Class::Urgent as usize] > 0 {
            turn(&mut admission, 8);
        }
        assert!(push(&mut admission, 2, Class::Fresh) && push(&mut admission, 1, Class::Urgent));
        while admission.waiting[Class::Fresh as usize] < 8 {
            assert!(push(&mut admission, 2, Class::Fresh));
        }
        let who = turn(&mut admission, 8);
        assert_eq!((who.len(), who[0].0, fresh(&who)), (8, Class::Urgent, 7));
    }

    #[test]
    fn rate_is_each_gateways_own_and_no_stranger_uses_up_that_of_all() {
        let mut admission = admission(2);
        let now = Instant(1_000_000_000);
        let passed = |a: &mut Admission, from, now| {
            (0..5000).filter(|_| a.admit(from, now) == Admit::Yes).count()
        };
        assert_eq!(passed(&mut admission, mag(1), now), 125);
        assert_eq!(passed(&mut admission, mag(2), now), 125);
        let later = now + Duration::from_millis(10);
        assert_eq!(passed(&mut admission, mag(1), later), 10);
        assert_eq!(passed(&mut admission, mag(99), now), 64, "a stranger's share");
        let shares = &admission.one_stranger;
        let apart = (100..500).map(mag).find(|m| shares.bucket(*m) != shares.bucket(mag(99)));
        let other = apart.expect("one has another bucket");
        assert_eq!(passed(&mut admission, other, now), 125 - 64, "an eighth of 1000 for all");
        assert_eq!(admission.sources.iter().count(), 3);
        let Counts { dropped, .. } = admission.counts(mag(1));
        assert_eq!(dropped, 2 * 5000 - 125 - 10 - 21, "but for 20 and one that may be told");
    }

    #[test]
    fn what_waits_is_bounded_for_each_and_less_in_a_crowd() {
        let mut admission = admission(50);
        for n in 1..=50 {
            while push(&mut admission, n, Class::Fresh) {}
        }
        assert_eq!(admission.len(), 2 * ROOM + 48 * ROOM_IN_A_CROWD);
        assert!(!push(&mut admission, 1, Class::Urgent));
    }
}
