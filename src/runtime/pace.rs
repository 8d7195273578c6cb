//! How an idle core waits: it spins on a carrier's machine, and sleeps longer and longer in a lab.

use crate::config::Polling;
use crate::time::Duration;

/// Decides after each turn of a loop whether to go on at once or to sleep.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    sleep_max: Option<Duration>,
    /// Turns in a row that found nothing to do.
    empty: u32,
}

impl Pace {
    pub(super) fn new(polling: Polling) -> Self {
        let sleep_max = match polling {
            Polling::Busy => None,
            Polling::Adaptive { idle_sleep_max } => Some(idle_sleep_max),
        };
        Self { sleep_max, empty: 0 }
    }

    /// After a turn that did `work`: waits if there was none.
    #[allow(clippy::disallowed_methods)] // the one place where a core may sleep
    pub(super) fn after(&mut self, work: usize) {
        match self.rest(work) {
            Some(time) => std::thread::sleep(time),
            None => core::hint::spin_loop(),
        }
    }

    /// How long to sleep after a turn that did `work`: twice as long every [`STEP`] empty turns.
    fn rest(&mut self, work: usize) -> Option<Duration> {
        if work > 0 {
            self.empty = 0;
            return None;
        }
        let sleep_max = self.sleep_max?;
        self.empty = self.empty.saturating_add(1);
        let steps = self.empty.checked_sub(SPIN)? / STEP;
        Some((SLEEP_MIN * 2u32.saturating_pow(steps.min(16))).min(sleep_max))
    }
}

/// Empty turns before the first sleep.
const SPIN: u32 = 64;
/// Sleeps of one length.
const STEP: u32 = 8;
const SLEEP_MIN: Duration = Duration::from_micros(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_core_never_sleeps() {
        let mut pace = Pace::new(Polling::Busy);
        assert!((0..1000).all(|_| pace.rest(0).is_none()));
    }

    #[test]
    fn idle_core_sleeps_longer_and_longer_until_there_is_work() {
        let idle_sleep_max = Duration::from_micros(500);
        let mut pace = Pace::new(Polling::Adaptive { idle_sleep_max });
        let rests: Vec<_> = (0..1000).map(|_| pace.rest(0)).collect();
        assert!(rests.is_sorted());
        assert_eq!((rests[0], rests[999]), (None, Some(idle_sleep_max)));
        assert_eq!(pace.rest(1), None);
        assert_eq!(pace.rest(0), None);
    }
}
