//! Where the buffers of frames come from.

use super::Eal;
use super::eal::Alive;
use super::errno::Errno;
use super::mbuf::Mbuf;
use crate::addr::PortId;
use crate::nic::FramePool;
use core::ptr::NonNull;
use dpdk_sys::{RTE_PKTMBUF_HEADROOM, rte_mempool};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A fixed number of buffers in DPDK's memory. Clones share them.
#[derive(Debug, Clone)]
pub struct Mempool(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    raw: NonNull<rte_mempool>,
    alive: Arc<Alive>,
}

// SAFETY: a mempool takes and gives buffers on any thread (its ring has several producers and
// consumers; per-lcore caches are only used on EAL's own threads).
unsafe impl Send for Pool {}
// SAFETY: as above.
unsafe impl Sync for Pool {}

/// There is no pool: usually too little memory for it.
#[derive(Debug, thiserror::Error)]
#[error("no memory for {mbufs} packet buffers of {buf_size} bytes: {errno}")]
pub struct MempoolError {
    mbufs: u32,
    buf_size: u16,
    errno: Errno,
}

/// Buffers that each lcore keeps for itself, so as not to touch the shared ring every burst.
const CACHE_LEN: u32 = 256;

impl Mempool {
    /// A pool of `mbufs` buffers for frames of up to `frame_len_max` bytes in one segment, with
    /// DPDK's usual headroom. One less than a power of two uses memory best.
    pub fn new(eal: &Eal, mbufs: u32, frame_len_max: u16) -> Result<Self, MempoolError> {
        /// DPDK wants a name of its own for each.
        static POOLS: AtomicU32 = AtomicU32::new(0);

        let headroom = u16::try_from(RTE_PKTMBUF_HEADROOM).unwrap_or(u16::MAX);
        let buf_size = frame_len_max.saturating_add(headroom);
        // DPDK refuses a cache of more than two thirds of the pool.
        let cache = CACHE_LEN.min(mbufs / 2);
        let name = format!("frames{}\0", POOLS.fetch_add(1, Ordering::Relaxed));
        // SAFETY: EAL is up; the name ends with a zero and is copied; any memory node will do (-1).
        let raw = unsafe {
            dpdk_sys::rte_pktmbuf_pool_create(name.as_ptr().cast(), mbufs, cache, 0, buf_size, -1)
        };
        let raw = NonNull::new(raw).ok_or_else(|| MempoolError {
            mbufs,
            buf_size,
            errno: Errno::last(),
        })?;
        Ok(Self(Arc::new(Pool { raw, alive: eal.share() })))
    }

    /// Buffers that are not in the pool now: frames, and what receive queues hold ready.
    #[must_use]
    pub fn in_use(&self) -> u32 {
        self.0.in_use()
    }

    pub(super) fn as_ptr(&self) -> *mut rte_mempool {
        self.0.raw.as_ptr()
    }
}

impl FramePool for Mempool {
    type Frame = Mbuf;

    fn alloc(&self, port: PortId) -> Option<Mbuf> {
        // SAFETY: the pool is up, and gives each buffer to one owner.
        let mut frame = unsafe { Mbuf::from_raw(dpdk_sys::shim_mbuf_alloc(self.as_ptr())) }?;
        frame.set_port(port);
        Some(frame)
    }
}

impl Pool {
    fn in_use(&self) -> u32 {
        // SAFETY: reads the pool's counts.
        unsafe { dpdk_sys::rte_mempool_in_use_count(self.raw.as_ptr()) }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let in_use = self.in_use();
        if in_use > 0 {
            // Somebody still owns frames: the pool stays, and so does EAL's memory under it.
            tracing::warn!(in_use, "frames outlive their pool: its memory stays");
            core::mem::forget(Arc::clone(&self.alive));
            return;
        }
        // SAFETY: no buffer is out, and this was the last handle to get one by.
        unsafe { dpdk_sys::rte_mempool_free(self.raw.as_ptr()) }
    }
}
