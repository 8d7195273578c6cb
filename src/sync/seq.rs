//! How far a worker has applied the control core's updates.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Number of an update, counted per control core from 1; zero is "none yet".
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Seq(pub u64);

/// Written by one worker, read by the control core.
#[derive(Debug, Default)]
struct Cell(AtomicU64);

/// The worker's end: only it writes.
#[derive(Debug)]
pub struct AppliedWriter(Arc<Cell>);

/// The control core's end.
#[derive(Debug, Clone)]
pub struct AppliedReader(Arc<Cell>);

/// A connected pair that starts at zero.
#[must_use]
pub fn applied() -> (AppliedWriter, AppliedReader) {
    let c = Arc::new(Cell::default());
    (AppliedWriter(Arc::clone(&c)), AppliedReader(c))
}

impl AppliedWriter {
    /// States that every update up to and including `seq` is in force.
    pub fn store(&mut self, seq: Seq) {
        // Release: whoever reads `seq` also sees what the worker did before (its forwarding state
        // is its own, but packets it sent with the old state are already on the NIC queue).
        self.0.0.store(seq.0, Ordering::Release);
    }
}

impl AppliedReader {
    /// The last update that is in force.
    #[must_use]
    pub fn load(&self) -> Seq {
        Seq(self.0.0.load(Ordering::Acquire)) // pairs with the Release above
    }
}
