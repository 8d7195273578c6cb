//! One request of a node and its retransmissions (RFC 5944 3.6.3), and the Identification by which
//! its reply is known (5.7).

use crate::mobility::auth::ntp;
use crate::mobility::mag::exchange::{INITIAL_BINDACK_TIMEOUT, MAX_BINDACK_TIMEOUT};
use crate::mobility::mip4::Mip4Msg;
use crate::time::{Duration, Instant, MobTimestamp};
use crate::wire::mip4::{Identification, RegistrationLifetime};
use std::net::Ipv4Addr;

/// Transmissions of a de-registration that nobody waits for any longer.
const RELEASE_TRIES: u32 = 3;
/// Times that an Identification is taken from a home agent before its next one has to be waited
/// for.
const CORRECTIONS_MAX: u32 = 3;

/// A request that waits for its reply.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) care_of: Ipv4Addr,
    /// Zero ends the registration.
    pub(super) lifetime: RegistrationLifetime,
    sent: Option<Sent>,
    next_at: Instant,
    interval: Duration,
    times: u32,
    corrections: u32,
}

/// The latest request.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) id: Identification,
    pub(super) msg: Mip4Msg,
    /// When it left for the first time.
    pub(super) at: Instant,
}

impl Exchange {
    /// To be sent at `at`. The pace is that of Mobile IPv6, within what 3.6.3 asks for.
    pub(super) fn new(care_of: Ipv4Addr, lifetime: RegistrationLifetime, at: Instant) -> Self {
        let interval = INITIAL_BINDACK_TIMEOUT;
        Self { care_of, lifetime, sent: None, next_at: at, interval, times: 0, corrections: 0 }
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
        self.ends() && self.times >= RELEASE_TRIES
    }

    /// Whether it ends the registration.
    pub(super) fn ends(&self) -> bool {
        self.lifetime == RegistrationLifetime::ZERO
    }

    /// What was sent last.
    pub(super) fn sent(&self) -> Option<&Sent> {
        self.sent.as_ref()
    }

    /// Remembers a transmission, of another request unless `None`, and sets the time of the next.
    pub(super) fn record(&mut self, request: Option<(Identification, Mip4Msg)>, at: Instant) {
        if let Some((id, msg)) = request {
            self.sent = Some(Sent { id, msg, at });
        }
        self.times += 1;
        self.next_at = at + self.interval;
        self.interval = (self.interval * 2).min(MAX_BINDACK_TIMEOUT);
    }

    /// The home agent told what to go on from: another request at once, unless it does so all the
    /// time. Whether it is due.
    pub(super) fn correct(&mut self, now: Instant) -> bool {
        self.sent = None;
        self.corrections += 1;
        if self.corrections <= CORRECTIONS_MAX {
            self.next_at = now;
        }
        self.next_at <= now
    }
}

/// Makes the Identification of requests.
#[derive(Debug)]
pub(super) struct Identifier {
    /// The home agent's nonce, for the next request; or none: requests have timestamps.
    nonce: Option<u32>,
    /// What the home agent's clock is ahead of ours, in seconds that wrap.
    ahead_s: u32,
    last: Identification,
}

impl Identifier {
    /// One that knows nothing of the home agent yet.
    pub(super) const fn new(nonces: bool) -> Self {
        let nonce = if nonces { Some(0) } else { None };
        Self { nonce, ahead_s: 0, last: Identification(0) }
    }

    pub(super) const fn has_nonces(&self) -> bool {
        self.nonce.is_some()
    }

    /// That of the next request: its lower half is another than that of the one before, lest a late
    /// reply fits; with timestamps it is greater.
    pub(super) fn next(&mut self, wall: MobTimestamp) -> Identification {
        let own = Identification(ntp(wall));
        let high = self.nonce.unwrap_or_else(|| own.high().wrapping_add(self.ahead_s));
        let id = own.with_high(high);
        self.last = match self.nonce {
            None if id <= self.last => Identification(self.last.0 + 1),
            // Below the clock's resolution. With nonces it is whatever we like (5.7.2).
            _ if low(id) == low(self.last) => Identification(id.0 ^ 1),
            _ => id,
        };
        self.last
    }

    /// An authentic reply came: the nonce for the next request is in it (5.7.2).
    pub(super) fn take_nonce(&mut self, reply: Identification) {
        if let Some(nonce) = &mut self.nonce {
            *nonce = reply.high();
        }
    }

    /// A request with this Identification was not new, or far from the home agent's time, which is
    /// in the reply (5.7.1).
    pub(super) fn correct(&mut self, sent: Identification, reply: Identification) {
        if self.nonce.is_none() {
            let apart = reply.high().wrapping_sub(sent.high());
            self.ahead_s = self.ahead_s.wrapping_add(apart);
            self.last = Identification(0);
        }
    }
}

/// The half of an Identification that is the same in a request and its reply.
pub(super) const fn low(id: Identification) -> u64 {
    id.with_high(0).0
}
