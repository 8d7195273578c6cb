//! ICMPv6 errors (RFC 4443): made in place out of the packet that they are about, rate-limited.
//!
//! ```text
//!   | headroom | Ethernet | packet ...             |
//!   | Ethernet | IPv6 | ICMPv6 | packet ... cut so that it all has at most 1280 bytes |
//! ```

use super::header::{ETHER_LEN, Ipv6};
use super::tunnel::HOP_LIMIT;
use crate::nic::Frame;
use crate::time::{Duration, Instant};
use crate::wire::icmpv6::{ERROR_HEADER_LEN, ERROR_MAX_LEN, ErrorMessage};
use std::net::Ipv6Addr;

/// Turns a frame with a packet into one with an error about it, to the packet's sender. The
/// Ethernet header is left undefined. `false`: the buffer does not allow it, and the frame is of no
/// use.
#[must_use]
pub(super) fn rewrite<F: Frame>(frame: &mut F, error: ErrorMessage, source: Ipv6Addr) -> bool {
    let Some(target) = Ipv6::of_frame(frame.data()).map(Ipv6::src) else { return false };
    if frame.data().len() != frame.frame_len() {
        return false; // the checksum needs all bytes in one buffer
    }
    let quoted = frame.frame_len().min(ETHER_LEN + ERROR_MAX_LEN - ERROR_HEADER_LEN);
    if !frame.truncate(quoted) || !frame.prepend(ERROR_HEADER_LEN) {
        return false;
    }
    let packet = frame.data_mut().get_mut(ETHER_LEN..).unwrap_or_default();
    error.emit(source, Ipv6Addr::from_bits(target), HOP_LIMIT, packet).is_ok()
}

/// A token bucket (RFC 4443 section 2.4 (f)): on average one error a millisecond and worker, and
/// bursts of [`ERRORS_BURST`].
#[derive(Debug)]
pub(super) struct ErrorLimit {
    /// Time that may still be spent, at [`ERROR_COST`] an error.
    credit: Duration,
    last: Instant,
}

const ERROR_COST: Duration = Duration::from_millis(1);
/// Errors that may leave at once after a quiet time.
pub(super) const ERRORS_BURST: u32 = 64;

impl ErrorLimit {
    /// A full bucket.
    pub(super) const fn new() -> Self {
        Self { credit: CREDIT_MAX, last: Instant(0) }
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.credit = self.credit.saturating_add(now.since(self.last)).min(CREDIT_MAX);
        self.last = self.last.max(now);
        let Some(left) = self.credit.checked_sub(ERROR_COST) else { return false };
        self.credit = left;
        true
    }
}

const CREDIT_MAX: Duration = Duration::from_millis(ERRORS_BURST as u64);

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 4443 2.4 (f)
    #[test]
    fn bucket_gives_its_burst_then_one_a_millisecond() {
        let mut limit = ErrorLimit::new();
        let start = Instant(5_000_000_000);
        let given = (0..1000).filter(|_| limit.take(start)).count();
        assert_eq!(given, ERRORS_BURST as usize);
        assert!(!limit.take(start + Duration::from_micros(999)));
        assert!(limit.take(start + Duration::from_millis(1)));
        assert!(!limit.take(start + Duration::from_millis(1)));
        let later = start + Duration::from_secs(100);
        assert_eq!((0..1000).filter(|_| limit.take(later)).count(), ERRORS_BURST as usize);
    }
}
