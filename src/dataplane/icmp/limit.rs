//! How many ICMP errors leave (RFC 4443 section 2.4 (f), RFC 1812 section 4.3.2.8): so many of a
//! worker in all, and so many to one host or network, so that one that provokes them silences
//! nobody else's.

use crate::dataplane::counters::Counter;
use crate::dataplane::hash::{high, low, mix, slot};
use crate::dataplane::header::is_mapped;
use crate::time::{Duration, Instant};

/// Errors that may leave a worker at once after a quiet time, and the time that each costs it.
pub(in super::super) const ERRORS_BURST: u32 = 64;
const ERROR_COST: Duration = Duration::from_millis(1);

/// The same for those to one /64 or IPv4 address.
pub(in super::super) const ERRORS_BURST_SOURCE: u32 = 16;
const ERROR_COST_SOURCE: Duration = Duration::from_millis(20);

/// Sources that are told apart; those with the same hash share a bucket.
const SOURCES: usize = 1024;

/// A token bucket: time that may still be spent.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    credit: Duration,
    last: Instant,
}

impl Bucket {
    /// A full one.
    const fn new(cost: Duration, burst: u32) -> Self {
        Self { credit: cost.saturating_mul(burst), last: Instant(0) }
    }

    /// Takes a token, if there is one.
    fn take(&mut self, now: Instant, cost: Duration, burst: u32) -> bool {
        let most = cost.saturating_mul(burst);
        self.credit = self.credit.saturating_add(now.since(self.last)).min(most);
        self.last = self.last.max(now);
        let Some(left) = self.credit.checked_sub(cost) else { return false };
        self.credit = left;
        true
    }
}

/// The buckets of a worker.
#[derive(Debug)]
pub(in super::super) struct ErrorLimit {
    all: Bucket,
    sources: Box<[Bucket]>,
}

impl ErrorLimit {
    /// Full buckets.
    pub(in super::super) fn new() -> Self {
        let source = Bucket::new(ERROR_COST_SOURCE, ERRORS_BURST_SOURCE);
        Self {
            all: Bucket::new(ERROR_COST, ERRORS_BURST),
            sources: vec![source; SOURCES].into_boxed_slice(),
        }
    }

    /// Takes a token for an error to `target`; if there is none, what counts that.
    pub(in super::super) fn take(&mut self, now: Instant, target: u128) -> Result<(), Counter> {
        let place = if is_mapped(target) { low(target) } else { high(target) };
        let source = self.sources.get_mut(slot(mix(place, 0), SOURCES));
        // First: what exceeds its own limit takes nothing from the others.
        if source.is_some_and(|s| !s.take(now, ERROR_COST_SOURCE, ERRORS_BURST_SOURCE)) {
            return Err(Counter::IcmpLimitedSource);
        }
        let taken = self.all.take(now, ERROR_COST, ERRORS_BURST);
        taken.then_some(()).ok_or(Counter::IcmpLimited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant(5_000_000_000);

    fn given(limit: &mut ErrorLimit, now: Instant, targets: impl Iterator<Item = u128>) -> usize {
        targets.filter(|target| limit.take(now, *target).is_ok()).count()
    }

    /// Hosts in networks of their own.
    fn strangers() -> impl Iterator<Item = u128> {
        (0..1000).map(|i| (0x2001_0db8_0000_0000 + i) << 64 | 1)
    }

    // RFC 4443 2.4 (f)
    #[test]
    fn worker_gives_its_burst_then_one_a_millisecond() {
        let mut limit = ErrorLimit::new();
        assert_eq!(given(&mut limit, START, strangers()), ERRORS_BURST as usize);
        assert_eq!(limit.take(START, 7 << 64), Err(Counter::IcmpLimited));
        assert!(limit.take(START + Duration::from_micros(999), 8 << 64).is_err());
        assert!(limit.take(START + Duration::from_millis(1), 9 << 64).is_ok());
        assert!(limit.take(START + Duration::from_millis(1), 10 << 64).is_err());
        let later = START + Duration::from_secs(100);
        assert_eq!(given(&mut limit, later, strangers()), ERRORS_BURST as usize);
    }

    #[test]
    fn network_or_ipv4_host_that_provokes_errors_silences_nobody_else() {
        let ipv4 = |host: u128| 0xffff_0a00_0000 | host;
        for (loud, quiet) in [(1 << 64, 2 << 64), (ipv4(1), ipv4(2))] {
            let mut limit = ErrorLimit::new();
            // In an IPv6 network a host has many addresses.
            let same = |i| if loud < 1 << 64 { loud } else { loud | i };
            let burst = ERRORS_BURST_SOURCE as usize;
            assert_eq!(given(&mut limit, START, (0..1000).map(same)), burst);
            assert_eq!(limit.take(START, loud), Err(Counter::IcmpLimitedSource));
            assert_eq!(given(&mut limit, START, (0..1000).map(|_| quiet)), burst);
            let later = START + ERROR_COST_SOURCE;
            assert_eq!(given(&mut limit, later, (0..1000).map(same)), 1);
        }
    }
}
