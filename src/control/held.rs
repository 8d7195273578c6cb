//! Messages that wait until what they promise is in force.

use crate::mobility::message::{AckMsg, PeerMsg};
use crate::mobility::mip4::Mip4Msg;
use crate::sync::seq::Seq;
use std::collections::VecDeque;

/// What must be in force before a reply may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Barrier {
    /// Changes that every worker must have applied.
    pub(super) published: Seq,
    /// Records that the journal must have confirmed.
    pub(super) persisted: Seq,
}

/// What may have to wait.
#[derive(Debug)]
pub(super) enum Reply {
    /// A Proxy Binding Acknowledgement.
    Ack(AckMsg),
    /// Any other Mobility Header.
    Peer(PeerMsg),
    /// A message of Mobile IPv4.
    Mip4(Mip4Msg),
}

/// Held replies in the order in which they were decided. Barriers only rise, so the front is always
/// the first that can leave.
#[derive(Debug, Default)]
pub(super) struct HeldReplies {
    queue: VecDeque<(Barrier, Reply)>,
}

impl HeldReplies {
    /// Keeps a reply behind `barrier`.
    pub(super) fn push(&mut self, barrier: Barrier, reply: Reply) {
        self.queue.push_back((barrier, reply));
    }

    /// The next reply whose barrier is down.
    pub(super) fn pop_ready(&mut self, is_down: impl Fn(Barrier) -> bool) -> Option<Reply> {
        let &(barrier, _) = self.queue.front()?;
        if is_down(barrier) { self.queue.pop_front().map(|(_, reply)| reply) } else { None }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }
}
