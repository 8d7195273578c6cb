//! The Environment Abstraction Layer: memory, devices and lcores of one process.

use super::errno::Errno;
use core::ffi::{c_char, c_int};
use core::marker::PhantomData;
use std::ffi::{CString, NulError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The environment is up while a share of this exists.
#[derive(Debug)]
pub(super) struct Alive(());

/// The initialised environment. It stays on the thread that initialised it, which became DPDK's
/// main lcore and was bound to that lcore's CPU.
///
/// Dropping it tears the environment down, if everything made from it is gone before; else the
/// environment stays up until the process ends, and a warning says so.
#[derive(Debug)]
pub struct Eal {
    alive: Arc<Alive>,
    one_thread: PhantomData<*const ()>,
}

/// Why there is no environment.
#[derive(Debug, thiserror::Error)]
pub enum EalError {
    /// DPDK can be initialised once in a process, even if that failed.
    #[error("EAL was initialised before in this process")]
    Again,
    /// An argument holds a zero byte.
    #[error("EAL argument: {0}")]
    Argument(#[from] NulError),
    /// `rte_eal_init` refused; what it logged to stderr says more.
    #[error("EAL refused `{arguments}`: {errno}{hint}")]
    Init {
        /// The arguments, without the program's name.
        arguments: String,
        /// What it returned.
        errno: Errno,
        /// What the operator might do.
        hint: &'static str,
    },
}

impl Eal {
    /// Initialises the environment of this process with EAL's own arguments (without a program's
    /// name), for instance `["--file-prefix", "anchord", "-m", "64", "--vdev", "net_null0"]`.
    ///
    /// A device that cannot be probed is no error here: [`super::Port::open`] will miss it.
    pub fn init<S: AsRef<str>>(args: &[S]) -> Result<Self, EalError> {
        static STARTED: AtomicBool = AtomicBool::new(false);

        let argv = std::iter::once("anchord")
            .chain(args.iter().map(AsRef::as_ref))
            .map(CString::new)
            .collect::<Result<Vec<_>, _>>()?;
        if STARTED.swap(true, Ordering::Relaxed) {
            return Err(EalError::Again);
        }
        // EAL permutes the array and keeps pointers into the strings: both stay, once a process.
        let argv: &'static mut [*mut c_char] =
            argv.into_iter().map(CString::into_raw).collect::<Vec<_>>().leak();
        let argc = c_int::try_from(argv.len()).unwrap_or(c_int::MAX);
        // SAFETY: argv holds argc strings, each ended by zero and never freed; STARTED makes this
        // the only call in the process.
        if unsafe { dpdk_sys::rte_eal_init(argc, argv.as_mut_ptr()) } < 0 {
            let errno = Errno::last();
            let arguments = args.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" ");
            return Err(EalError::Init { arguments, errno, hint: hint(errno) });
        }
        Ok(Self { alive: Arc::new(Alive(())), one_thread: PhantomData })
    }

    /// A share, for what must not outlive the environment.
    pub(super) fn share(&self) -> Arc<Alive> {
        Arc::clone(&self.alive)
    }
}

impl Drop for Eal {
    fn drop(&mut self) {
        let others = Arc::strong_count(&self.alive) - 1;
        if others > 0 {
            tracing::warn!(others, "DPDK stays up until the process ends: still in use");
            return;
        }
        // SAFETY: no share but ours is left, and new ones come only from `&self`: no queue, port,
        // job or pool exists, and no frame outside a pool. We are on the thread that initialised.
        if let Err(errno) = Errno::check(unsafe { dpdk_sys::rte_eal_cleanup() }) {
            tracing::warn!(%errno, "EAL did not clean up");
        }
    }
}

fn hint(errno: Errno) -> &'static str {
    match errno.0 {
        // Also what EAL returns when it finds no hugepages, or none that it may use.
        libc::EACCES | libc::EPERM | libc::ENOMEM | libc::ENOENT => {
            "; are there free hugepages that this user may use? (`--no-huge` runs without any)"
        }
        libc::EINVAL => "; an argument is wrong: see what EAL logged above",
        libc::EAGAIN | libc::EBUSY => "; another process may use this file prefix",
        _ => "; see what EAL logged above",
    }
}
