//! The phases of a load, and what came of each.

use super::histogram::Histogram;
use crate::time::Duration;
use std::collections::BTreeMap;

/// What every node does once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Phase {
    /// Attach, without known prefixes.
    Register,
    /// Extend the lifetime.
    Refresh,
    /// Go to the next gateway or care-of address.
    Handoff,
    /// Leave.
    Deregister,
}

/// What came of a phase.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) phase: Phase,
    pub(crate) sent: u64,
    /// Those that were sent again.
    pub(crate) retransmitted: u64,
    /// Answers to what had been sent again, or was answered, by the time they came.
    pub(crate) late: u64,
    pub(crate) accepted: u64,
    /// Nodes that had nothing to refresh, hand over or end.
    pub(crate) skipped: u64,
    pub(crate) errors: BTreeMap<String, u64>,
    pub(crate) latency: Histogram,
    pub(crate) took: Duration,
    /// Revocations that were answered.
    pub(crate) revocations: u64,
    /// Heartbeats that were answered.
    pub(crate) heartbeats: u64,
}

impl Outcome {
    /// Of a phase that begins.
    pub(super) fn new(phase: Phase) -> Self {
        Self {
            phase,
            sent: 0,
            retransmitted: 0,
            late: 0,
            accepted: 0,
            skipped: 0,
            errors: BTreeMap::new(),
            latency: Histogram::new(),
            took: Duration::ZERO,
            revocations: 0,
            heartbeats: 0,
        }
    }
}
