//! The Restart Counter (RFC 5847 3.2): kept on disk, raised when sessions were lost, and only then.
//!
//! ```text
//!   last run                   this run finds                        counter
//!   stopped well               its record, "stopped"                 stays
//!   process died               its record, of the same boot          stays: the kernel kept the journal
//!   machine died               its record, of another boot           raised: the last writes may be gone
//!   none, or its disk is lost  nothing                               raised: beyond all there ever was
//! ```

use core::time::Duration;
use serde::{Deserialize, Serialize};

/// What is kept of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    counter: u32,
    /// Names the time since the machine started.
    boot: String,
    /// The journal was written to the disk before the process ended.
    stopped: bool,
}

/// What a start learns of its past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restart {
    /// Our Restart Counter.
    pub counter: u32,
    /// Sessions of the last run may have been lost, or there was none: peers have to know.
    pub state_lost: bool,
}

impl Run {
    /// Whether the machine fell before this run had ended, as seen since `boot`.
    pub(super) fn fell(&self, boot: &str) -> bool {
        !self.stopped && self.boot != boot
    }

    /// The run that begins, after `last`. `since_epoch` is the time of day.
    ///
    /// A counter that is lost with its disk must not begin anew below what peers have seen. Seconds
    /// of the clock grow faster than anybody can lose disks.
    pub(super) fn after(
        last: Option<&Self>,
        boot: String,
        since_epoch: Duration,
    ) -> (Self, Restart) {
        let kept = last.filter(|l| !l.fell(&boot));
        let counter = match (kept, last) {
            (Some(kept), _) => kept.counter,
            (None, Some(lost)) => lost.counter.wrapping_add(1),
            // Of a 32-bit field: what is above is of no use to peers, which compare for equality.
            #[allow(clippy::cast_possible_truncation)]
            (None, None) => since_epoch.as_secs() as u32,
        };
        let restart = Restart { counter, state_lost: kept.is_none() };
        (Self { counter, boot, stopped: false }, restart)
    }

    /// The same run after its end.
    pub(super) fn stopped(self) -> Self {
        Self { stopped: true, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: Duration = Duration::from_secs(1_800_000_000);

    fn boot(n: u8) -> String {
        format!("boot-{n}")
    }

    // proves: HEARTBEAT-3.2-1, HEARTBEAT-3.2-2
    #[test]
    fn counter_is_raised_when_sessions_may_be_lost_and_only_then() {
        let (first, restart) = Run::after(None, boot(1), CLOCK);
        assert_eq!(restart, Restart { counter: 1_800_000_000, state_lost: true });
        // Killed, and started again on the same machine that kept running.
        let (killed, restart) = Run::after(Some(&first), boot(1), CLOCK);
        assert_eq!(restart, Restart { counter: 1_800_000_000, state_lost: false });
        // The machine lost its power.
        let (powerless, restart) = Run::after(Some(&killed), boot(2), CLOCK);
        assert_eq!(restart, Restart { counter: 1_800_000_001, state_lost: true });
        // Stopped, and the machine restarted.
        let stopped = powerless.stopped();
        let (_, restart) = Run::after(Some(&stopped), boot(3), CLOCK);
        assert_eq!(restart, Restart { counter: 1_800_000_001, state_lost: false });
    }

    // proves: HEARTBEAT-3.2-1
    #[test]
    fn counter_that_is_lost_with_its_disk_begins_above_the_one_before() {
        let (first, before) = Run::after(None, boot(1), CLOCK);
        let (_, later) = Run::after(Some(&first), boot(2), CLOCK);
        let (_, lost) = Run::after(None, boot(3), CLOCK + Duration::from_secs(60));
        assert!(lost.counter > later.counter && later.counter > before.counter);
    }

    #[test]
    fn counter_wraps() {
        let last = Run { counter: u32::MAX, boot: boot(1), stopped: false };
        let (_, restart) = Run::after(Some(&last), boot(2), CLOCK);
        assert_eq!(restart.counter, 0);
    }
}
