//! One request and its retransmissions (RFC 5213 6.9.4, RFC 6275 11.8).

use crate::mobility::mag::event::Family;
use crate::time::{Duration, Instant, Lifetime, MobTimestamp};
use crate::wire::mh::option::HandoffIndicator;
use crate::wire::mh::{Ipv4Home, SeqNo};
use arrayvec::ArrayVec;
use std::net::Ipv6Addr;

/// `INITIAL_BINDACK_TIMEOUT` (RFC 6275 section 12).
pub(in crate::mobility) const INITIAL_BINDACK_TIMEOUT: Duration = Duration::from_secs(1);
/// `MAX_BINDACK_TIMEOUT` (RFC 6275 section 12).
pub(in crate::mobility) const MAX_BINDACK_TIMEOUT: Duration = Duration::from_secs(32);
/// `MAX_UPDATE_RATE`: updates within a second (RFC 6275 section 12).
pub(super) const MAX_UPDATE_RATE: usize = 3;
/// Transmissions of one request that a late answer may still match.
const SENT_MAX: usize = 4;
/// Transmissions of a release; the anchor's own lifetime ends what it did not hear of.
const RELEASE_TRIES: usize = 3;

/// What a request asks for, the same in every retransmission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ask {
    /// Handoff Indicator.
    pub(super) handoff: HandoffIndicator,
    /// Zero de-registers.
    pub(super) lifetime: Lifetime,
    /// The link-local address that we chose ourselves, to be uploaded (RFC 5213 6.9.1.2 (15)).
    pub(super) upload: Option<Ipv6Addr>,
    /// Of one family, when that alone is released (RFC 5844 3.2.3.3).
    pub(super) release: Option<Release>,
}

impl Ask {
    /// RFC 5213 6.9.1.4 (3): handoff state unknown.
    pub(super) fn deregistration(release: Option<Release>) -> Self {
        Self { handoff: HandoffIndicator::UNKNOWN, lifetime: Lifetime::ZERO, upload: None, release }
    }

    /// Whether it begins a session with us.
    pub(super) fn is_initial(self) -> bool {
        self.lifetime != Lifetime::ZERO && self.handoff != HandoffIndicator::NOT_CHANGED
    }
}

/// What is released while the session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Release {
    /// This address.
    Ipv4(Ipv4Home),
    /// All prefixes that the session had.
    Ipv6,
}

impl Release {
    pub(super) fn family(self) -> Family {
        match self {
            Self::Ipv4(_) => Family::Ipv4,
            Self::Ipv6 => Family::Ipv6,
        }
    }
}

/// One transmission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) seq: SeqNo,
    pub(super) timestamp: Option<MobTimestamp>,
    pub(super) at: Instant,
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) ask: Ask,
    /// The newest last.
    sent: ArrayVec<Sent, SENT_MAX>,
    next_at: Instant,
    interval: Duration,
}

impl Exchange {
    /// To be sent at `at`; `interval` later for the second time.
    pub(super) fn new(ask: Ask, at: Instant) -> Self {
        Self { ask, sent: ArrayVec::new(), next_at: at, interval: INITIAL_BINDACK_TIMEOUT }
    }

    /// When it is sent next.
    pub(super) fn next_at(&self) -> Instant {
        self.next_at
    }

    /// Whether it was sent before.
    pub(super) fn was_sent(&self) -> bool {
        !self.sent.is_empty()
    }

    /// Whether it was sent so often that a release is not worth another time.
    pub(super) fn is_worn(&self) -> bool {
        self.sent.len() >= RELEASE_TRIES
    }

    /// Not before `at`.
    pub(super) fn postpone(&mut self, at: Instant) {
        self.next_at = self.next_at.max(at);
    }

    /// Remembers a transmission and sets the time of the next (RFC 5213 6.9.4 (3)).
    pub(super) fn record(&mut self, sent: Sent) {
        if self.sent.is_full() {
            self.sent.remove(0);
        }
        self.next_at = sent.at + self.interval;
        self.interval = (self.interval * 2).min(MAX_BINDACK_TIMEOUT);
        self.sent.push(sent);
    }

    /// The transmission with this sequence number.
    pub(super) fn find(&self, seq: SeqNo) -> Option<Sent> {
        self.sent.iter().copied().find(|s| s.seq == seq)
    }

    /// The latest transmission.
    pub(super) fn latest(&self) -> Option<Sent> {
        self.sent.last().copied()
    }
}

/// Keeps a node's interface below `MAX_UPDATE_RATE`, whatever it is that makes it send.
#[derive(Debug, Default)]
pub(in crate::mobility) struct UpdateRate {
    /// The latest transmissions, the oldest first.
    last: ArrayVec<Instant, MAX_UPDATE_RATE>,
}

impl UpdateRate {
    /// The earliest time, not before `now`, at which another update may leave.
    pub(in crate::mobility) fn earliest(&self, now: Instant) -> Instant {
        match self.last.first() {
            Some(&oldest) if self.last.is_full() => now.max(oldest + Duration::from_secs(1)),
            _ => now,
        }
    }

    /// Whether it still has a say at `now`.
    pub(super) fn matters(&self, now: Instant) -> bool {
        self.last.last().is_some_and(|&latest| now.since(latest) < Duration::from_secs(1))
    }

    /// An update left.
    pub(in crate::mobility) fn record(&mut self, at: Instant) {
        if self.last.is_full() {
            self.last.remove(0);
        }
        self.last.push(at);
    }
}
