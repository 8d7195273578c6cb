//! DPDK's own threads: one an lcore, bound to its CPU by EAL.

use super::Eal;
use super::eal::Alive;
use super::errno::Errno;
use core::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// An lcore, by EAL's number (`--lcores` says on which CPU it runs).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LcoreId(pub u32);

/// What runs on an lcore. Dropping it waits for the end.
#[derive(Debug)]
#[must_use = "dropping it waits for the end"]
pub struct Job {
    lcore: LcoreId,
    waited: bool,
    _alive: Arc<Alive>,
}

/// The closure on an lcore panicked (in a build that unwinds: the release build aborts).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what ran on lcore {} panicked", .0.0)]
pub struct Panicked(pub LcoreId);

/// The lcore does not exist, is the main one, or is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("lcore {}: {errno}", .lcore.0)]
pub struct LaunchError {
    lcore: LcoreId,
    errno: Errno,
}

type Closure = Box<dyn FnOnce() + Send>;

impl Eal {
    /// The lcores that wait for work, in EAL's order: all but the main one.
    #[must_use]
    pub fn lcores(&self) -> Vec<LcoreId> {
        let next = |after: u32| {
            // SAFETY: reads EAL's lcore table, which is fixed after initialisation.
            let id = unsafe { dpdk_sys::rte_get_next_lcore(after, 1, 0) };
            (id < dpdk_sys::RTE_MAX_LCORE).then_some(id)
        };
        std::iter::successors(next(u32::MAX), |&id| next(id)).map(LcoreId).collect()
    }

    /// Runs `f` on an lcore.
    pub fn launch(
        &self,
        lcore: LcoreId,
        f: impl FnOnce() + Send + 'static,
    ) -> Result<Job, LaunchError> {
        let refuse = |errno| LaunchError { lcore, errno };
        if !self.lcores().contains(&lcore) {
            return Err(refuse(Errno(libc::EINVAL)));
        }
        let closure: *mut Closure = Box::into_raw(Box::new(Box::new(f)));
        // SAFETY: `run` takes the closure back exactly once, which is Send and 'static.
        let ret = unsafe { dpdk_sys::rte_eal_remote_launch(Some(run), closure.cast(), lcore.0) };
        if let Err(errno) = Errno::check(ret) {
            // SAFETY: the lcore did not take it (it is at work): it is still ours.
            drop(unsafe { Box::from_raw(closure) });
            return Err(refuse(errno));
        }
        Ok(Job { lcore, waited: false, _alive: self.share() })
    }
}

impl Job {
    /// Waits for the end.
    pub fn wait(mut self) -> Result<(), Panicked> {
        self.join()
    }

    fn join(&mut self) -> Result<(), Panicked> {
        self.waited = true;
        // SAFETY: an lcore that exists; EAL is up, because we share it.
        match unsafe { dpdk_sys::rte_eal_wait_lcore(self.lcore.0) } {
            0 => Ok(()),
            _ => Err(Panicked(self.lcore)),
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if !self.waited {
            let _ = self.join(); // whoever wants to know calls `wait`
        }
    }
}

/// On the lcore. A panic must not cross into C.
unsafe extern "C" fn run(closure: *mut c_void) -> c_int {
    // SAFETY: `launch` made it of a Box and gave it away.
    let closure = unsafe { Box::from_raw(closure.cast::<Closure>()) };
    match catch_unwind(AssertUnwindSafe(closure)) {
        Ok(()) => 0,
        Err(_) => -1,
    }
}
