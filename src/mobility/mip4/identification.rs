//! Is a request new (RFC 5944 5.7)?
//!
//! ```text
//!   timestamps   node: its time of day, NTP's format     new: near ours, after the last accepted
//!   nonces       node: what we gave it | its own         new: the upper half is what we gave last
//! ```
//! The lower half of the answer is always the request's.

use crate::mobility::auth::{is_after, is_close, ntp};
use crate::mobility::mip4::Replay;
use crate::time::Now;
use crate::wire::mip4::Identification;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What is remembered of a node for as long as we run, registered or not: else a request of before
/// its de-registration could be sent again.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// The greatest timestamp accepted.
    pub(super) timestamp: Option<u64>,
    /// What the node was given for its next request.
    nonce: Option<u32>,
    /// Digest of the request that was accepted last.
    pub(super) digest: Option<u64>,
}

impl Seen {
    /// Whether a request is new. If not, its answer has this upper half instead (5.7.1), or a nonce
    /// (5.7.2) that [`Self::answer`] gives it.
    pub(super) fn check(
        &self,
        id: Identification,
        replay: Replay,
        floor: Option<u64>,
        now: Now,
    ) -> Result<(), Identification> {
        let ours = id.with_high(Identification(ntp(now.wall)).high());
        match replay {
            Replay::Timestamps(window) => {
                let last = self.timestamp.or(floor);
                let is_later = last.is_none_or(|last| is_after(id.0, last));
                if is_later && is_close(id.0, now.wall, window) { Ok(()) } else { Err(ours) }
            }
            Replay::Nonces if self.nonce == Some(id.high()) => Ok(()),
            Replay::Nonces => Err(id),
        }
    }

    /// The Identification of the answer to an authentic request: as it is, or with a new nonce.
    pub(super) fn answer(
        &mut self,
        id: Identification,
        replay: Replay,
        nonces: &mut Nonces,
    ) -> Identification {
        if replay != Replay::Nonces {
            return id;
        }
        let nonce = nonces.next(self.nonce);
        self.nonce = Some(nonce);
        id.with_high(nonce)
    }

    /// The same for a request that was answered before: the nonce stays.
    pub(super) fn answer_again(&self, id: Identification, replay: Replay) -> Identification {
        match (replay, self.nonce) {
            (Replay::Nonces, Some(nonce)) => id.with_high(nonce),
            _ => id,
        }
    }

    /// Notes what was accepted.
    pub(super) fn accept(&mut self, id: Identification, replay: Replay, digest: u64) {
        if let Replay::Timestamps(_) = replay {
            self.timestamp = Some(id.0);
        }
        self.digest = Some(digest);
    }
}

/// Numbers that nobody guesses who does not know the seed: there is no randomness in here.
#[derive(Debug, Clone)]
pub(super) struct Nonces {
    seed: [u8; 32],
    count: u64,
}

impl Nonces {
    pub(super) const fn new(seed: [u8; 32]) -> Self {
        Self { seed, count: 0 }
    }

    /// One that is not `last`.
    fn next(&mut self, last: Option<u32>) -> u32 {
        loop {
            self.count += 1;
            // A key of any length is one for HMAC.
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.seed) else { return 0 };
            mac.update(&self.count.to_be_bytes());
            let digest = mac.finalize().into_bytes();
            let nonce = digest.first_chunk().map_or(0, |b| u32::from_be_bytes(*b));
            if Some(nonce) != last {
                return nonce;
            }
        }
    }
}
