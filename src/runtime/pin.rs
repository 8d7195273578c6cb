//! Which threads run on which CPUs. EAL binds each lcore to its CPU; the ordinary threads run on
//! what is left, so that none of them takes time from a core that polls.

use crate::config::Cores;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::io;

/// The CPUs of the ordinary threads.
#[derive(Debug, Clone)]
pub(super) struct OrdinaryCpus(CpuSet);

impl OrdinaryCpus {
    /// What the process may use but for the cores' CPUs; all of it if that leaves none. To be asked
    /// before EAL binds the calling thread.
    pub(super) fn new(cores: &Cores) -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut ordinary = allowed;
        for cpu in cores.worker_cpus.iter().chain([&cores.control_cpu]) {
            ordinary.unset(usize::from(*cpu));
        }
        Ok(Self(if ordinary.count() == 0 { allowed } else { ordinary }))
    }

    /// Runs `start`, whose threads inherit these CPUs; the calling thread then goes back to its
    /// own.
    pub(super) fn while_on<T>(&self, start: impl FnOnce() -> T) -> io::Result<T> {
        let own = sched_getaffinity(None)?;
        sched_setaffinity(None, &self.0)?;
        let started = start();
        sched_setaffinity(None, &own)?;
        Ok(started)
    }
}
