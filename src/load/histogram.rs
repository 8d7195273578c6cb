//! Latencies in buckets: 64 to each power of two of nanoseconds, so that a value is off by less
//! than two percent, in 15 KiB and without allocation.

use crate::time::Duration;

/// Buckets to a power of two.
const SUB: u64 = 1 << SUB_BITS;
const SUB_BITS: u32 = 6;
/// Up to 2^36 ns, over a minute; longer counts as that.
const POWERS: u32 = 36;
const BUCKETS: usize = ((POWERS - SUB_BITS + 1) << SUB_BITS) as usize;

/// A distribution of durations.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    buckets: Box<[u64; BUCKETS]>,
    count: u64,
    max: Duration,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { buckets: Box::new([0; BUCKETS]), count: 0, max: Duration::ZERO }
    }

    pub(crate) fn record(&mut self, d: Duration) {
        let ns = u64::try_from(d.as_nanos()).unwrap_or(u64::MAX).min((1 << POWERS) - 1);
        if let Some(bucket) = self.buckets.get_mut(bucket_of(ns)) {
            *bucket += 1;
            self.count += 1;
        }
        self.max = self.max.max(d);
    }

    /// The smallest duration that `permille` thousandths of all do not exceed, as far as the
    /// buckets tell; zero if there is none.
    pub(crate) fn permille(&self, permille: u64) -> Duration {
        let wanted = (self.count * permille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (at, &n) in self.buckets.iter().enumerate() {
            seen += n;
            if seen >= wanted && n > 0 {
                return Duration::from_nanos(upper_end(at)).min(self.max);
            }
        }
        self.max
    }

    pub(crate) fn max(&self) -> Duration {
        self.max
    }
}

fn bucket_of(ns: u64) -> usize {
    let index = if ns < SUB {
        ns
    } else {
        let power = ns.ilog2() - SUB_BITS;
        u64::from(power + 1) * SUB + ((ns >> power) - SUB)
    };
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The largest value of a bucket, in nanoseconds.
fn upper_end(bucket: usize) -> u64 {
    let bucket = u64::try_from(bucket).unwrap_or(u64::MAX);
    if bucket < SUB {
        return bucket;
    }
    let power = bucket / SUB - 1;
    ((bucket % SUB + SUB + 1) << power) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn value_is_in_the_bucket_that_ends_less_than_two_percent_above_it(
            ns in 0..(1u64 << POWERS),
        ) {
            let end = upper_end(bucket_of(ns));
            prop_assert!(bucket_of(ns) < BUCKETS && end >= ns && end - ns <= ns / 50);
        }
    }

    #[test]
    fn percentiles_of_one_to_a_thousand_milliseconds() {
        let mut h = Histogram::new();
        assert_eq!(h.permille(500), Duration::ZERO);
        (1..=1000).for_each(|ms| h.record(Duration::from_millis(ms)));
        for (permille, ms) in [(1, 1), (500, 500), (990, 990), (999, 999), (1000, 1000)] {
            let (got, want) = (h.permille(permille), Duration::from_millis(ms));
            assert!(got >= want && got <= want * 51 / 50, "{permille}: {got:?}");
        }
        assert_eq!(h.max(), Duration::from_secs(1));
        h.record(Duration::from_secs(1000));
        assert_eq!(h.max(), Duration::from_secs(1000));
    }
}
