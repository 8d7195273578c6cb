//! Frames for the control core. Exceptions (frames for the kernel, frames that wait for a
//! neighbour) may fill half of the ring and signaling seven eighths, so neither can starve what is
//! above it; the rest is for answers, which must not be lost.

use super::update::{EntryCounters, PuntReason, Report};
use crate::nic::Frame;
use crate::sync::ring::Producer;

/// The worker's end of the ring to the control core.
pub(super) struct Reports<F: Frame> {
    ring: Producer<Report<F>>,
    /// Free places that exceptions leave.
    exception_reserve: usize,
    /// Free places that signaling leaves.
    signaling_reserve: usize,
}

impl<F: Frame> Reports<F> {
    /// Takes over an empty ring.
    pub(super) fn new(ring: Producer<Report<F>>) -> Self {
        let ring_len = ring.room();
        Self {
            ring,
            exception_reserve: ring_len / 2,
            // At least one, as an answer waits for room.
            signaling_reserve: (ring_len / 8).max(1),
        }
    }

    /// Hands a frame over; `false` (and the frame is freed) if its share of the ring is used up.
    #[must_use]
    pub(super) fn punt(&mut self, reason: PuntReason, frame: F) -> bool {
        let reserve = match reason {
            PuntReason::Signaling => self.signaling_reserve,
            PuntReason::Exception | PuntReason::Unresolved(..) => self.exception_reserve,
        };
        self.ring.room() > reserve && self.ring.push(Report::Punt(reason, frame)).is_ok()
    }

    /// Whether an answer has room. Only this end fills the ring, so it stays true until it is used.
    pub(super) fn has_room(&self) -> bool {
        self.ring.room() > 0
    }

    /// Answers a question for counters. [`Reports::has_room`] was asked before.
    pub(super) fn answer(&mut self, token: u64, counters: Option<EntryCounters>) -> bool {
        self.ring.push(Report::Counters(token, counters)).is_ok()
    }
}
