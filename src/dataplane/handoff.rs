//! Software hand-off: what a worker receives for a subscriber of another worker goes to that
//! worker's ring, in batches, in order. A full ring drops under its own reason.
//!
//! ```text
//!   rx on A --(Stage::Uplink)--> B: admit, decap --(Stage::Downlink)--> C: encap --> tx
//! ```
//!
//! A frame is handed over at most once a stage, so at most twice: the receiver of a stage carries it
//! out and never passes the same stage on.

use crate::nic::Frame;

/// What the next worker has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// A tunnel packet as it was received: the receiver owns its inner source.
    Uplink,
    /// A plain packet: the receiver owns its destination.
    Downlink,
}

/// A frame on its way between two workers.
#[derive(Debug)]
pub struct Handoff<F: Frame> {
    pub(super) stage: Stage,
    pub(super) frame: F,
}
