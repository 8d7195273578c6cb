//! How far a worker has applied the control core's updates.

#[cfg(anchord_loom)]
use loom::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use serde::{Deserialize, Serialize};
#[cfg(not(anchord_loom))]
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

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

#[cfg(all(test, anchord_loom))]
mod loom_tests {
    use super::*;
    use loom::thread;

    /// Every interleaving, and every value that the memory model lets a relaxed load return: were
    /// the store or the load in this file relaxed, this fails.
    // proves: PMIP6-5.3.2-10, PMIP6-5.3.4-6
    #[test]
    fn whoever_sees_the_seq_sees_what_every_worker_did_before_it() {
        loom::model(|| {
            let workers: Vec<_> = (0..2)
                .map(|_| {
                    let (mut applied, seen) = applied();
                    let route = Arc::new(AtomicU64::new(0));
                    let shard = Arc::clone(&route);
                    thread::spawn(move || {
                        for seq in 1..=2 {
                            shard.store(seq, Ordering::Relaxed);
                            applied.store(Seq(seq));
                        }
                    });
                    (seen, route)
                })
                .collect();
            // The control core holds a PBA until the slowest worker has applied its update.
            let in_force = workers.iter().map(|(seen, _)| seen.load()).min();
            for (_, route) in &workers {
                assert!(in_force <= Some(Seq(route.load(Ordering::Relaxed))));
            }
        });
    }
}
