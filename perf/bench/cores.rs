//! Which CPU is measured, and where everything else runs meanwhile.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::io;

/// The CPU that is measured, and the others; where there are too few, some are the same.
pub(crate) struct Cores {
    /// Measured: worker, control core, a peer's forwarding core.
    pub(crate) cpu: usize,
    /// A peer's command line, a second worker, the control core beside a worker.
    pub(crate) other: usize,
    /// The journal's threads.
    pub(crate) spare: usize,
}

impl Cores {
    /// To be asked before EAL binds the calling thread.
    pub(crate) fn new(cpu: usize) -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut others = (0..CpuSet::MAX_CPU).filter(|&c| c != cpu && allowed.is_set(c));
        let other = others.next().unwrap_or(cpu);
        Ok(Self { cpu, other, spare: others.next().unwrap_or(other) })
    }

    /// Runs `f` off the measured CPU; threads and processes that it starts stay off it.
    pub(crate) fn elsewhere<T>(&self, f: impl FnOnce() -> T) -> io::Result<T> {
        on(self.other, f)
    }

    /// Runs `f` where it disturbs least, and the threads that it starts.
    pub(crate) fn aside<T>(&self, f: impl FnOnce() -> T) -> io::Result<T> {
        on(self.spare, f)
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
