//! The seam between the packet path and whatever moves frames: DPDK in production (`dpdk/`), a
//! deterministic in-memory NIC in unit tests (`mem.rs`).
//!
//! A frame is owned by exactly one place. `send` takes frames out of the burst that it is given;
//! what the NIC refused stays in the burst, with the caller.

pub mod mem;

use crate::addr::PortId;
use arrayvec::ArrayVec;

/// The most frames that one call moves.
pub const BURST_MAX: usize = 64;

/// Frames in order of arrival.
pub type Burst<F> = ArrayVec<F, BURST_MAX>;

/// One Ethernet frame in a buffer with headroom. Neither `Clone` nor `Copy`; dropping it frees it.
pub trait Frame: Sized + Send + 'static {
    /// The frame's bytes, from the Ethernet header on: the first segment if there are several.
    fn data(&self) -> &[u8];
    /// The same, writable.
    fn data_mut(&mut self) -> &mut [u8];
    /// Whole length in bytes, over all segments.
    fn frame_len(&self) -> usize;
    /// Makes room for `n` bytes before the frame out of the headroom. `false`, and no change, if
    /// there is not enough. The new bytes hold whatever was there.
    #[must_use]
    fn prepend(&mut self, n: usize) -> bool;
    /// The same, and gives the first bytes of what the frame then is. `None`, and no change, if the
    /// first segment has fewer.
    #[must_use]
    #[inline]
    fn prepend_chunk<const N: usize>(&mut self, n: usize) -> Option<&mut [u8; N]> {
        if self.data().len() + n < N || !self.prepend(n) {
            return None;
        }
        self.data_mut().first_chunk_mut()
    }
    /// Removes `n` bytes from the front. `false`, and no change, if the first segment is shorter.
    #[must_use]
    fn trim_front(&mut self, n: usize) -> bool;
    /// The same, and gives the first bytes of what is left. `None`, and no change, if the first
    /// segment then had fewer.
    #[must_use]
    #[inline]
    fn trim_front_chunk<const N: usize>(&mut self, n: usize) -> Option<&mut [u8; N]> {
        if self.data().len() < N + n || !self.trim_front(n) {
            return None;
        }
        self.data_mut().first_chunk_mut()
    }
    /// Shortens a single-segment frame to `len` bytes. `false`, and no change, if it is shorter
    /// already or has several segments.
    #[must_use]
    fn truncate(&mut self, len: usize) -> bool;
    /// Lengthens a single-segment frame by `n` bytes of its tailroom, which hold whatever was
    /// there. `false`, and no change, if there is not enough or it has several segments.
    #[must_use]
    fn append(&mut self, n: usize) -> bool;
    /// Copies the bytes from `at` on into `to`, over all segments. `false`: the frame ends before
    /// `to` is full, which then holds whatever.
    #[must_use]
    fn copy_to(&self, at: usize, to: &mut [u8]) -> bool;
    /// The port that it arrived on.
    fn port(&self) -> PortId;
    /// The priority of the VLAN tag that was taken off it, as its bits stand in a tag (IEEE 802.1Q:
    /// the upper four of the Tag Control Information); zero without a tag. It goes with the frame.
    fn priority(&self) -> u16;
    /// Sets that.
    fn set_priority(&mut self, bits: u16);
    /// Asks the processor for the cache line of an element that will be read soon. Only a hint:
    /// nothing changes, and there need be no such element.
    #[inline]
    fn prefetch<T>(_of: &[T], _at: usize) {}
    /// The same for the frame's headers.
    #[inline]
    fn prefetch_headers(&self) {}
}

/// Where empty frames come from. Bounded: `None` when it is used up.
pub trait FramePool: Send + 'static {
    /// The frames that it gives.
    type Frame: Frame;
    /// A frame of zero length for `port`, with the headroom of a received one.
    fn alloc(&self, port: PortId) -> Option<Self::Frame>;
}

/// A queue to receive from.
pub trait RxQueue: Send + 'static {
    /// The frames that it gives.
    type Frame: Frame;
    /// Appends received frames to `burst` up to its capacity; returns how many. Never blocks.
    fn recv(&mut self, burst: &mut Burst<Self::Frame>) -> usize;
}

/// A queue to send on.
pub trait TxQueue: Send + 'static {
    /// The frames that it takes.
    type Frame: Frame;
    /// Sends from the front of `burst`; what the NIC refused stays there. Returns how many were
    /// sent. Never blocks.
    fn send(&mut self, burst: &mut Burst<Self::Frame>) -> usize;
}
