//! A token bucket, for what strangers can make us send (RFC 4443 2.4 (f), RFC 6275 9.3.3).

use crate::time::{Duration, Instant};

/// So many a second, and so many at once.
#[derive(Debug)]
pub(super) struct RateLimit {
    tokens: u32,
    burst: u32,
    interval: Duration,
    refilled: Instant,
}

impl RateLimit {
    /// Allows `burst` at once, and one more every `interval` (not zero).
    pub(super) const fn new(burst: u32, interval: Duration) -> Self {
        Self { tokens: burst, burst, interval, refilled: Instant(0) }
    }

    /// Whether one more may go now.
    pub(super) fn admit(&mut self, now: Instant) -> bool {
        let gained = now.since(self.refilled).as_nanos() / self.interval.as_nanos().max(1);
        if let Ok(gained) = u32::try_from(gained) {
            self.refilled = self.refilled + self.interval * gained;
            self.tokens = self.tokens.saturating_add(gained).min(self.burst);
        } else {
            self.refilled = now;
            self.tokens = self.burst;
        }
        let admitted = self.tokens > 0;
        self.tokens -= u32::from(admitted);
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_passes_then_one_an_interval() {
        let mut limit = RateLimit::new(3, Duration::from_millis(10));
        let mut now = Instant(0) + Duration::from_secs(1000);
        let passed = |limit: &mut RateLimit, now| (0..10).filter(|_| limit.admit(now)).count();
        assert_eq!(passed(&mut limit, now), 3);
        now = now + Duration::from_millis(25);
        assert_eq!(passed(&mut limit, now), 2);
        now = now + Duration::from_secs(1000);
        assert_eq!(passed(&mut limit, now), 3);
    }
}
