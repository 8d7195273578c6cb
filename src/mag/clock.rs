//! The clocks of `anchor-mag`: the one place where it reads them.

use crate::time::{Instant, MobTimestamp, Now};

/// Both clocks, against one origin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: std::time::Instant,
}

// An I/O edge of its own: nothing of `runtime` runs in this process.
#[allow(clippy::disallowed_methods)]
impl Clock {
    /// Starts at zero, now.
    pub(crate) fn start() -> Self {
        Self { origin: std::time::Instant::now() }
    }

    /// The time.
    pub(crate) fn now(self) -> Now {
        let mono = u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let unix = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Now { mono: Instant(mono), wall: MobTimestamp::from_unix(unix) }
    }
}
