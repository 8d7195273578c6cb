//! A port's queues, one owner each.

use super::mbuf::Mbuf;
use super::port::Opened;
use crate::nic::{self, BURST_MAX, Burst};
use core::ptr;
use dpdk_sys::rte_mbuf;
use std::sync::Arc;

/// A receive queue of an open port. Its frames carry our own port number, not DPDK's.
#[derive(Debug)]
pub struct RxQueue {
    port: Arc<Opened>,
    queue: u16,
}

/// A transmit queue of an open port.
#[derive(Debug)]
pub struct TxQueue {
    port: Arc<Opened>,
    queue: u16,
    /// The device sends what lies in one buffer, no more.
    single: bool,
}

impl RxQueue {
    /// The caller makes one of each queue that it has set up.
    pub(super) fn new(port: &Arc<Opened>, queue: u16) -> Self {
        Self { port: Arc::clone(port), queue }
    }
}

impl TxQueue {
    /// The caller makes one of each queue that it has set up. `single`: its device was not asked to
    /// send frames of several buffers.
    pub(super) fn new(port: &Arc<Opened>, queue: u16, single: bool) -> Self {
        Self { port: Arc::clone(port), queue, single }
    }
}

impl nic::RxQueue for RxQueue {
    type Frame = Mbuf;

    fn recv(&mut self, burst: &mut Burst<Mbuf>) -> usize {
        let before = burst.len();
        let room = burst_len(burst.remaining_capacity());
        // SAFETY: an Mbuf is a pointer to an mbuf (repr(transparent)), and from `before` on the
        // array has room for as many; the port is started while we share it, and `&mut self` is the
        // only user of the queue (`new` is called once for it).
        let n = usize::from(unsafe {
            let free = burst.as_mut_ptr().add(before).cast::<*mut rte_mbuf>();
            dpdk_sys::shim_rx_burst(self.port.raw, self.queue, free, room)
        });
        // SAFETY: the driver has written n pointers, each to a chain that is ours now.
        unsafe { burst.set_len(before + n) };
        if self.port.raw != self.port.id.0 {
            for frame in &mut burst[before..] {
                frame.set_port(self.port.id);
            }
        }
        n
    }
}

impl nic::TxQueue for TxQueue {
    type Frame = Mbuf;

    fn send(&mut self, burst: &mut Burst<Mbuf>) -> usize {
        let len = burst.len();
        // What cannot be made one buffer, and all behind it, stays: refused, as by a full queue.
        let fit = if self.single {
            burst.iter_mut().map(Mbuf::linearize).take_while(|one| *one).count()
        } else {
            len
        };
        // SAFETY: the array holds `len` pointers to mbufs of ours (repr(transparent)). It is
        // emptied before the driver sees them, so that none has two owners; the port is started
        // while we share it, and `&mut self` is the only user of the queue.
        unsafe {
            burst.set_len(0);
            let frames = burst.as_mut_ptr().cast::<*mut rte_mbuf>();
            let n = dpdk_sys::shim_tx_burst(self.port.raw, self.queue, frames, burst_len(fit));
            let sent = usize::from(n);
            // The driver took the first `sent`, at most `fit`; the rest is still ours and moves to
            // the front.
            ptr::copy(frames.add(sent), frames, len - sent);
            burst.set_len(len - sent);
            sent
        }
    }
}

/// A number of frames in a burst as DPDK counts them.
#[allow(clippy::cast_possible_truncation)] // at most BURST_MAX
fn burst_len(n: usize) -> u16 {
    const { assert!(BURST_MAX <= u16::MAX as usize) };
    n as u16
}
