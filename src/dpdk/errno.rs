//! DPDK's error numbers.

use core::ffi::{CStr, c_int};
use core::fmt;

/// A positive errno, or one of DPDK's own above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub c_int);

impl Errno {
    /// What `rte_errno` holds on this thread after a call that failed.
    pub(super) fn last() -> Self {
        // SAFETY: reads a thread-local integer.
        Self(unsafe { dpdk_sys::shim_errno() })
    }

    /// `Ok` for a return value of zero or more, which DPDK means as success.
    pub(super) fn check(ret: c_int) -> Result<c_int, Self> {
        if ret < 0 { Err(Self(-ret)) } else { Ok(ret) }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: rte_strerror returns a string that is static or in this thread's own buffer,
        // which nothing overwrites before the end of this function.
        let text = unsafe { CStr::from_ptr(dpdk_sys::rte_strerror(self.0)) };
        write!(f, "{} (errno {})", text.to_string_lossy(), self.0)
    }
}

impl core::error::Error for Errno {}
