//! Which CPU is measured, and where everything else runs meanwhile.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::io;

/// The CPU that is measured, and the others.
pub(crate) struct Cores {
    /// Measured: worker, control core, testpmd's forwarding core.
    pub(crate) cpu: usize,
    /// Testpmd's command line, the journal's threads; the same CPU where there is no other.
    pub(crate) other: usize,
}

impl Cores {
    /// To be asked before EAL binds the calling thread.
    pub(crate) fn new(cpu: usize) -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut others = (0..CpuSet::MAX_CPU).filter(|&c| c != cpu && allowed.is_set(c));
        Ok(Self { cpu, other: others.next().unwrap_or(cpu) })
    }

    /// Runs `f` off the measured CPU; threads and processes that it starts stay off it. Under a
    /// real-time scheduler nothing else would ever run beside one that spins.
    pub(crate) fn elsewhere<T>(&self, f: impl FnOnce() -> T) -> io::Result<T> {
        on(self.other, f)
    }

    /// Runs `f` on the measured CPU.
    pub(crate) fn on_measured<T>(&self, f: impl FnOnce() -> T) -> io::Result<T> {
        on(self.cpu, f)
    }
}

fn on<T>(cpu: usize, f: impl FnOnce() -> T) -> io::Result<T> {
    let own = sched_getaffinity(None)?;
    let mut only = CpuSet::new();
    only.set(cpu);
    sched_setaffinity(None, &only)?;
    let result = f();
    sched_setaffinity(None, &own)?;
    Ok(result)
}
