//! A deterministic NIC in memory, for tests of what is above the seam.
//!
//! ```text
//!   test --inject--> MemWire --MemRx--> worker --MemTx--> MemWire --take--> test
//!                                         |
//!                                       MemPool (bounded; `in_use` shows leaks)
//! ```
//!
//! Buffers have DPDK's default shape ([`HEADROOM`] and [`SEGMENT_MAX`]) and are made when the pool
//! is: moving, sending and dropping frames allocates nothing, as with the real NIC.

use super::{Burst, Frame, FramePool, RxQueue, TxQueue};
use crate::addr::PortId;
use core::fmt;
use crossbeam::queue::ArrayQueue;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of headroom of a fresh frame: DPDK's `RTE_PKTMBUF_HEADROOM`.
pub const HEADROOM: usize = 128;

/// Bytes that one segment holds behind its headroom: DPDK's default data room.
pub const SEGMENT_MAX: usize = 2048;

/// A bounded number of buffers. Clones share them.
#[derive(Clone)]
pub struct MemPool {
    free: Arc<ArrayQueue<Box<[u8]>>>,
}

impl MemPool {
    /// A pool of `frames_max` buffers (at least one).
    #[must_use]
    pub fn new(frames_max: usize) -> Self {
        let free = ArrayQueue::new(frames_max.max(1));
        while free.push(vec![0; HEADROOM + SEGMENT_MAX].into_boxed_slice()).is_ok() {}
        Self { free: Arc::new(free) }
    }

    /// Frames that exist now. Zero when a test has dropped all that it knows of: else one leaked.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.free.capacity() - self.free.len()
    }

    /// A frame with these bytes, as if it had arrived on `port`; what exceeds [`SEGMENT_MAX`] is in
    /// further segments. `None` if the pool is used up.
    #[must_use]
    pub fn frame(&self, port: PortId, bytes: &[u8]) -> Option<MemFrame> {
        let (first, rest) = bytes.split_at(bytes.len().min(SEGMENT_MAX));
        self.frame_in_segments(port, first, rest)
    }

    /// A frame whose first segment ends after `first`. `None` if the pool is used up or `first`
    /// exceeds [`SEGMENT_MAX`].
    #[must_use]
    pub fn frame_in_segments(&self, port: PortId, first: &[u8], rest: &[u8]) -> Option<MemFrame> {
        let mut frame = self.alloc(port)?;
        if !frame.append(first.len()) {
            return None;
        }
        frame.data_mut().copy_from_slice(first);
        frame.rest = rest.to_vec();
        Some(frame)
    }
}

impl FramePool for MemPool {
    type Frame = MemFrame;

    fn alloc(&self, port: PortId) -> Option<MemFrame> {
        let buf = self.free.pop()?;
        let home = Arc::clone(&self.free);
        Some(MemFrame {
            buf,
            start: HEADROOM,
            end: HEADROOM,
            rest: Vec::new(),
            port,
            priority: 0,
            home,
        })
    }
}

/// A frame of a [`MemPool`]; dropping it gives its buffer back.
pub struct MemFrame {
    buf: Box<[u8]>,
    start: usize,
    end: usize,
    /// The bytes of all segments but the first.
    rest: Vec<u8>,
    port: PortId,
    priority: u16,
    home: Arc<ArrayQueue<Box<[u8]>>>,
}

impl MemFrame {
    /// All bytes, over all segments.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.data(), &self.rest].concat()
    }
}

impl Frame for MemFrame {
    fn data(&self) -> &[u8] {
        &self.buf[self.start..self.end]
    }

    fn data_mut(&mut self) -> &mut [u8] {
        &mut self.buf[self.start..self.end]
    }

    fn frame_len(&self) -> usize {
        self.end - self.start + self.rest.len()
    }

    fn prepend(&mut self, n: usize) -> bool {
        let Some(start) = self.start.checked_sub(n) else { return false };
        self.start = start;
        true
    }

    fn trim_front(&mut self, n: usize) -> bool {
        if n > self.end - self.start {
            return false;
        }
        self.start += n;
        true
    }

    fn truncate(&mut self, len: usize) -> bool {
        if !self.rest.is_empty() || len > self.end - self.start {
            return false;
        }
        self.end = self.start + len;
        true
    }

    fn append(&mut self, n: usize) -> bool {
        if !self.rest.is_empty() || n > self.buf.len() - self.end {
            return false;
        }
        self.end += n;
        true
    }

    fn copy_to(&self, at: usize, to: &mut [u8]) -> bool {
        let (first, rest) = (self.data(), &self.rest);
        let all = first.iter().chain(rest).skip(at);
        to.iter_mut().zip(all).map(|(to, from)| *to = *from).count() == to.len()
    }

    fn port(&self) -> PortId {
        self.port
    }

    fn priority(&self) -> u16 {
        self.priority
    }

    fn set_priority(&mut self, bits: u16) {
        self.priority = bits;
    }
}

impl Drop for MemFrame {
    fn drop(&mut self) {
        // The queue has room for every buffer of the pool, so this cannot fail.
        let _ = self.home.push(core::mem::take(&mut self.buf));
    }
}

impl fmt::Debug for MemFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemFrame({:?}, {} bytes)", self.port, self.frame_len())
    }
}

/// A bounded queue of frames between a test and a [`MemRx`] or [`MemTx`], or between a [`MemTx`]
/// and a [`MemRx`]. Clones share it.
#[derive(Clone)]
pub struct MemWire {
    frames: Arc<ArrayQueue<MemFrame>>,
    /// How many more frames a [`MemTx`] may send; `usize::MAX` is no limit.
    credit: Arc<AtomicUsize>,
}

impl MemWire {
    /// An empty wire that holds up to `frames_max` (at least one).
    #[must_use]
    pub fn new(frames_max: usize) -> Self {
        Self {
            frames: Arc::new(ArrayQueue::new(frames_max.max(1))),
            credit: Arc::new(AtomicUsize::new(usize::MAX)),
        }
    }

    /// Lets a frame arrive; gives it back if the wire is full.
    pub fn inject(&self, frame: MemFrame) -> Result<(), MemFrame> {
        self.frames.push(frame)
    }

    /// The oldest frame, if there is one.
    #[must_use]
    pub fn take(&self) -> Option<MemFrame> {
        self.frames.pop()
    }

    /// All frames, oldest first.
    #[must_use]
    pub fn take_all(&self) -> Vec<MemFrame> {
        std::iter::from_fn(|| self.frames.pop()).collect()
    }

    /// How many frames are on the wire.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether no frame is on the wire.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Backpressure: a [`MemTx`] on this wire accepts `n` more frames and refuses what follows,
    /// until this is called again. `usize::MAX` lifts it.
    pub fn accept(&self, n: usize) {
        // Relaxed: a number that guards nothing else.
        self.credit.store(n, Ordering::Relaxed);
    }
}

/// Receives what was injected into its wire.
pub struct MemRx(MemWire);

impl MemRx {
    /// The receiving end of `wire`.
    #[must_use]
    pub fn new(wire: &MemWire) -> Self {
        Self(wire.clone())
    }
}

impl RxQueue for MemRx {
    type Frame = MemFrame;

    fn recv(&mut self, burst: &mut Burst<MemFrame>) -> usize {
        let before = burst.len();
        while !burst.is_full() {
            let Some(frame) = self.0.take() else { break };
            burst.push(frame);
        }
        burst.len() - before
    }
}

/// Sends onto its wire.
pub struct MemTx(MemWire);

impl MemTx {
    /// The sending end of `wire`.
    #[must_use]
    pub fn new(wire: &MemWire) -> Self {
        Self(wire.clone())
    }
}

impl TxQueue for MemTx {
    type Frame = MemFrame;

    fn send(&mut self, burst: &mut Burst<MemFrame>) -> usize {
        let wire = &self.0;
        let credit = wire.credit.load(Ordering::Relaxed);
        let room = wire.frames.capacity() - wire.frames.len();
        let n = burst.len().min(credit).min(room);
        for frame in burst.drain(..n) {
            // There is room: this is the only producer while a worker runs.
            let _ = wire.frames.push(frame);
        }
        if credit != usize::MAX {
            wire.credit.store(credit - n, Ordering::Relaxed);
        }
        n
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: PortId = PortId(3);

    #[test]
    fn frame_grows_into_headroom_and_tailroom_and_no_further() {
        let pool = MemPool::new(1);
        let mut frame = pool.frame(PORT, b"abcdef").unwrap();
        assert!(!frame.prepend(HEADROOM + 1) && frame.prepend(HEADROOM));
        assert_eq!(frame.frame_len(), HEADROOM + 6);
        assert!(!frame.trim_front(HEADROOM + 7) && frame.trim_front(HEADROOM + 2));
        assert_eq!(frame.data(), b"cdef");
        assert!(!frame.truncate(5) && frame.truncate(2));
        assert_eq!(frame.to_bytes(), b"cd");
        assert!(!frame.append(SEGMENT_MAX - 3) && frame.append(SEGMENT_MAX - 4));
        assert_eq!((frame.frame_len(), frame.port()), (SEGMENT_MAX - 2, PORT));
    }

    #[test]
    fn long_frame_has_a_second_segment_that_stays_whole() {
        let pool = MemPool::new(1);
        let bytes: Vec<u8> = (0..=255).cycle().take(SEGMENT_MAX + 10).collect();
        let mut frame = pool.frame(PORT, &bytes).unwrap();
        assert_eq!((frame.data().len(), frame.frame_len()), (SEGMENT_MAX, bytes.len()));
        assert!(!frame.truncate(10) && !frame.append(1));
        assert!(frame.trim_front(14));
        assert_eq!(frame.to_bytes(), &bytes[14..]);
        let mut copy = [0; 20];
        assert!(frame.copy_to(SEGMENT_MAX - 24, &mut copy));
        assert_eq!(copy, bytes[SEGMENT_MAX - 10..]);
        assert!(!frame.copy_to(SEGMENT_MAX - 23, &mut copy));
    }

    #[test]
    fn pool_gives_no_more_than_it_has_and_counts_what_is_out() {
        let pool = MemPool::new(2);
        let (a, b) = (pool.alloc(PORT), pool.alloc(PORT));
        assert!(a.is_some() && b.is_some() && pool.alloc(PORT).is_none());
        drop(a);
        assert_eq!(pool.in_use(), 1);
        drop(b);
        assert_eq!(pool.in_use(), 0);
    }

    #[test]
    fn what_the_wire_refuses_stays_in_the_burst_in_order() {
        let (pool, wire) = (MemPool::new(8), MemWire::new(4));
        let (mut rx, mut tx) = (MemRx::new(&wire), MemTx::new(&wire));
        let mut burst = Burst::new();
        for i in 0..6u8 {
            burst.push(pool.frame(PORT, &[i]).unwrap());
        }
        wire.accept(1);
        assert_eq!((tx.send(&mut burst), tx.send(&mut burst), burst.len()), (1, 0, 5));
        wire.accept(usize::MAX);
        assert_eq!((tx.send(&mut burst), burst.len()), (3, 2)); // the wire holds four
        assert_eq!((burst[0].data(), burst[1].data()), (&[4][..], &[5][..]));
        burst.clear();
        assert_eq!((rx.recv(&mut burst), rx.recv(&mut burst)), (4, 0));
        assert!(burst.iter().enumerate().all(|(i, f)| f.data()[0] as usize == i));
        drop(burst);
        assert_eq!(pool.in_use(), 0);
    }
}
