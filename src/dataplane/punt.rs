//! Frames for the control core. Signaling has a ring of its own, so that a flood of exceptions
//! (frames for the kernel, frames that wait for a neighbour) crowds out no PBU, nor a flood of PBUs
//! neighbour discovery. Of the other ring an eighth is for answers, which must not be lost.

use super::update::{EntryCounters, PuntReason, Report};
use crate::nic::Frame;
use crate::sync::ring::Producer;
use std::net::Ipv6Addr;

/// The worker's ends of the rings to the control core.
pub(super) struct Reports<F: Frame> {
    signaling: Producer<F>,
    ring: Producer<Report<F>>,
    /// Free places of `ring` that exceptions leave.
    reserve: usize,
}

impl<F: Frame> Reports<F> {
    /// Takes over empty rings.
    pub(super) fn new(signaling: Producer<F>, ring: Producer<Report<F>>) -> Self {
        // At least one, as an answer waits for room.
        let reserve = (ring.room() / 8).max(1);
        Self { signaling, ring, reserve }
    }

    /// Hands a Mobility Header over; `false` (and the frame is freed) if the ring is full.
    #[must_use]
    pub(super) fn signal(&mut self, frame: F) -> bool {
        self.signaling.push(frame).is_ok()
    }

    /// Hands another frame over; `false` (and the frame is freed) if its share of the ring is used
    /// up.
    #[must_use]
    pub(super) fn punt(&mut self, reason: PuntReason, frame: F) -> bool {
        self.ring.room() > self.reserve && self.ring.push(Report::Punt(reason, frame)).is_ok()
    }

    /// Tells of a path; `false` if there is no room now: the next packet that is too big says it
    /// again.
    #[must_use]
    pub(super) fn path_mtu(&mut self, remote: Ipv6Addr, mtu: u16) -> bool {
        self.ring.room() > self.reserve && self.ring.push(Report::PathMtu(remote, mtu)).is_ok()
    }

    /// Tells of a security exception; `false` if there is no room now.
    #[must_use]
    pub(super) fn exception(&mut self, tunnel: Ipv6Addr, source: Ipv6Addr) -> bool {
        self.ring.room() > self.reserve && self.ring.push(Report::Exception(tunnel, source)).is_ok()
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
