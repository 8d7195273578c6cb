//! Time by the processor's time stamp counter: no system call.

use super::Eal;

/// Nanoseconds since it was made. Monotonic, and the same on all cores where the counter is
/// invariant (every machine that DPDK calls supported).
#[derive(Debug, Clone, Copy)]
pub struct TscClock {
    origin: u64,
    /// Nanoseconds a tick, with 32 binary places.
    ns_per_tick: u64,
}

impl TscClock {
    /// A clock that starts at zero now. EAL has measured the counter's rate.
    #[must_use]
    pub fn new(_: &Eal) -> Self {
        // SAFETY: reads a value that EAL's initialisation has set.
        let hz = unsafe { dpdk_sys::rte_get_tsc_hz() }.max(1);
        Self { origin: tsc(), ns_per_tick: (1_000_000_000 << 32) / hz }
    }

    /// Nanoseconds since the clock was made.
    #[must_use]
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // 2^64 ns are 584 years
    pub fn now_ns(&self) -> u64 {
        let ticks = tsc().saturating_sub(self.origin);
        ((u128::from(ticks) * u128::from(self.ns_per_tick)) >> 32) as u64
    }
}

/// The counter itself, in ticks.
#[must_use]
#[inline]
pub fn tsc() -> u64 {
    // SAFETY: reads a register.
    unsafe { dpdk_sys::shim_rdtsc() }
}
