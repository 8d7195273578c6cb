//! One update of a node and its retransmissions (RFC 6275 11.8).

use crate::mobility::mag::exchange::{INITIAL_BINDACK_TIMEOUT, MAX_BINDACK_TIMEOUT};
use crate::time::{Duration, Instant, Lifetime};
use crate::wire::mh::SeqNo;
use arrayvec::ArrayVec;
use std::net::Ipv6Addr;

/// Transmissions of one update that a late acknowledgement may still match.
const SENT_MAX: usize = 8;
/// Transmissions of a de-registration that nobody waits for any longer.
const RELEASE_TRIES: u32 = 3;
/// Times that a number is taken from a home agent before its next one has to be waited for.
const CORRECTIONS_MAX: u32 = 3;

/// An update that waits for its acknowledgement.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) agent: Ipv6Addr,
    pub(super) care_of: Ipv6Addr,
    /// Zero ends the binding.
    pub(super) lifetime: Lifetime,
    /// The newest last.
    sent: ArrayVec<(SeqNo, Instant), SENT_MAX>,
    next_at: Instant,
    interval: Duration,
    times: u32,
    corrections: u32,
}

impl Exchange {
    /// To be sent at `at`. `first`: there is no binding yet, so that the home agent may have to
    /// look for duplicates of the home address; then it gets `first_timeout`.
    pub(super) fn new(
        agent: Ipv6Addr,
        care_of: Ipv6Addr,
        lifetime: Lifetime,
        first: bool,
        first_timeout: Duration,
        at: Instant,
    ) -> Self {
        let interval = if first { first_timeout } else { INITIAL_BINDACK_TIMEOUT };
        let sent = ArrayVec::new();
        Self { agent, care_of, lifetime, sent, next_at: at, interval, times: 0, corrections: 0 }
    }

    /// When it is sent next.
    pub(super) fn next_at(&self) -> Instant {
        self.next_at
    }

    /// Not before `at`.
    pub(super) fn postpone(&mut self, at: Instant) {
        self.next_at = self.next_at.max(at);
    }

    /// Whether a de-registration was sent often enough.
    pub(super) fn is_worn(&self) -> bool {
        self.times >= RELEASE_TRIES
    }

    /// Whether the longest timeout has passed: time for another home agent (RFC 6275 11.7.1).
    pub(super) fn is_slowest(&self) -> bool {
        self.interval >= MAX_BINDACK_TIMEOUT
    }

    /// Remembers a transmission and sets the time of the next.
    pub(super) fn record(&mut self, seq: SeqNo, at: Instant) {
        if self.sent.is_full() {
            self.sent.remove(0);
        }
        self.sent.push((seq, at));
        self.times += 1;
        self.next_at = at + self.interval;
        self.interval = (self.interval * 2).min(MAX_BINDACK_TIMEOUT);
    }

    /// When the transmission with this number left.
    pub(super) fn sent_at(&self, seq: SeqNo) -> Option<Instant> {
        self.sent.iter().find(|(s, _)| *s == seq).map(|(_, at)| *at)
    }

    /// The home agent told a number to go on from: sent again at once, unless it does so all the
    /// time.
    pub(super) fn correct(&mut self, now: Instant) {
        self.corrections += 1;
        if self.corrections <= CORRECTIONS_MAX {
            self.next_at = now;
        }
    }
}
