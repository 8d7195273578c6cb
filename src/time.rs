//! Time as values. Nothing here reads a clock: `runtime` does, and hands the values down.

use core::ops::{Add, Sub};
use serde::{Deserialize, Serialize};

pub use core::time::Duration;

/// A point on a monotonic clock: nanoseconds since an origin that the process chose.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Instant(pub u64);

impl Instant {
    /// The time from `earlier` to `self`; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Both clocks at one moment: what the pure core is given as "now".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Now {
    /// For timers and lifetimes.
    pub mono: Instant,
    /// For the Timestamp option and for what is kept across a restart.
    pub wall: MobTimestamp,
}

/// The Timestamp option's value: seconds since 1970-01-01 UTC in the upper 48 bits, 1/65536 s in
/// the lower 16 (RFC 5213 section 8.8).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct MobTimestamp(pub u64);

impl MobTimestamp {
    /// From the time since the Unix epoch.
    #[must_use]
    pub const fn from_unix(t: Duration) -> Self {
        Self((t.as_secs() << 16) | (((t.subsec_nanos() as u64) << 16) / 1_000_000_000))
    }

    /// The time since the Unix epoch.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // below 10^9 by construction
    pub const fn to_unix(self) -> Duration {
        Duration::new(self.0 >> 16, (((self.0 & 0xffff) * 1_000_000_000) >> 16) as u32)
    }

    /// The distance between two timestamps, whichever is later.
    #[must_use]
    pub const fn abs_diff(self, other: Self) -> Duration {
        Self(self.0.abs_diff(other.0)).to_unix()
    }
}

/// A binding lifetime on the wire: units of four seconds (RFC 6275 section 6.1.7). Zero
/// deregisters.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Lifetime(pub u16);

impl Lifetime {
    /// De-registration.
    pub const ZERO: Self = Self(0);

    /// The longest lifetime that does not exceed `d` (never rounded up, capped at the field's
    /// maximum).
    #[must_use]
    pub fn at_most(d: Duration) -> Self {
        Self(u16::try_from(d.as_secs() / 4).unwrap_or(u16::MAX))
    }

    /// As a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64 * 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetime_is_never_rounded_up() {
        assert_eq!(Lifetime::at_most(Duration::from_secs(7)), Lifetime(1));
        assert_eq!(Lifetime::at_most(Duration::from_secs(3)), Lifetime::ZERO);
        assert_eq!(Lifetime::at_most(Duration::from_secs(1 << 40)), Lifetime(u16::MAX));
    }

    // proves: PMIP6-5.5-10
    #[test]
    fn timestamp_keeps_seconds_and_rounds_down_fractions() {
        let t = MobTimestamp::from_unix(Duration::new(1_700_000_000, 500_000_000));
        assert_eq!(t.0, (1_700_000_000 << 16) | 0x8000);
        assert_eq!(t.to_unix(), Duration::new(1_700_000_000, 500_000_000));
    }
}
