//! Software hand-off: what a worker receives for a subscriber of another worker goes to that
//! worker's ring, in batches, in order. A full ring drops under its own reason.
//!
//! ```text
//!   rx on A --(Stage::Uplink)--> B: admit, decap --(Stage::Downlink)--> C: encap --> tx
//!                                      (Stage::Inner) and (Stage::Downlink) once more, where
//!                                      a tunnel is inside of another
//! ```
//!
//! A frame is handed over at most once a stage and tunnel, so at most four times: the receiver of a
//! stage carries it out and never passes the same stage on. Fragments of a tunnel packet meet
//! first, by the same stage; what is put together from them is a new frame.

use crate::addr::{CustomerId, PortId, WorkerId};
use crate::nic::{BURST_MAX, Frame};
use crate::sync::ring::Producer;
use arrayvec::ArrayVec;

/// What the next worker has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// A tunnel packet as it was received on this port, but for a VLAN's tag: the receiver owns its
    /// inner source. Or a fragment of one, or an ICMP error about one: the receiver is the one whom
    /// all such fragments go to, or owns the node that the error concerns.
    Uplink(PortId),
    /// A tunnel packet that came out of a tunnel, and by this port: the receiver owns its inner
    /// source.
    Inner(PortId),
    /// A plain packet, padding removed: the receiver owns its destination.
    Downlink(Context),
}

/// What goes with a packet from stage to stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Context {
    /// Who made it.
    pub(super) origin: Origin,
    /// In whose address space its addresses are.
    pub(super) customer: CustomerId,
    /// Where it arrived: a device or one of its VLANs.
    pub(super) port: PortId,
}

/// Who made a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Somebody else: forwarding costs it a hop.
    Forwarded,
    /// Somebody else: it comes out of a tunnel inside of another.
    Inner,
    /// We did: an ICMP error.
    Ours,
    /// We did: a tunnel packet whose other end is a node behind a tunnel of its own.
    Tunnel,
}

impl Origin {
    /// Whether forwarding costs a hop.
    pub(super) fn is_forwarded(self) -> bool {
        matches!(self, Self::Forwarded | Self::Inner)
    }
}

/// A frame on its way between two workers.
#[derive(Debug)]
pub struct Handoff<F: Frame> {
    pub(super) stage: Stage,
    pub(super) frame: F,
}

/// The ways to all workers, with what has been staged for them in this burst.
pub(super) struct Peers<F: Frame> {
    peers: Vec<Peer<F>>,
}

struct Peer<F: Frame> {
    staged: ArrayVec<Handoff<F>, BURST_MAX>,
    ring: Option<Producer<Handoff<F>>>,
}

/// What became of frames for other workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct HandedOff {
    pub(super) sent: u64,
    pub(super) refused: u64,
}

impl<F: Frame> Peers<F> {
    /// The rings to every worker, in the order of their ids.
    pub(super) fn new(rings: Vec<Option<Producer<Handoff<F>>>>) -> Self {
        let peer = |ring| Peer { staged: ArrayVec::new(), ring };
        Self { peers: rings.into_iter().map(peer).collect() }
    }

    /// Adds a frame; gives it back if a whole burst is staged already or there is no such worker.
    pub(super) fn push(&mut self, to: WorkerId, handoff: Handoff<F>) -> Result<(), F> {
        match self.peers.get_mut(usize::from(to.0)) {
            Some(peer) => peer.staged.try_push(handoff).map_err(|e| e.element().frame),
            None => Err(handoff.frame),
        }
    }

    /// Hands over what is staged: one step a worker, whatever its number of frames.
    pub(super) fn flush(&mut self) -> HandedOff {
        let mut done = HandedOff::default();
        for Peer { staged, ring } in self.peers.iter_mut().filter(|p| !p.staged.is_empty()) {
            done.sent += ring.as_mut().map_or(0, |ring| ring.push_burst(staged)) as u64;
            done.refused += staged.len() as u64;
            staged.clear();
        }
        done
    }
}
