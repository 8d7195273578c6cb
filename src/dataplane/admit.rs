//! The uplink: admission of what comes out of a tunnel (RFC 5213 section 5.6.2, RFC 6275 section
//! 10.4.5). A packet enters only from the gateway that serves the node, and only with a source
//! address of the node's own.

use super::burst::Lane;
use super::counters::Counter;
use super::decap::{decapsulate, ecn};
use super::drop::DropReason;
use super::handoff::Origin;
use super::header::{ETHER_LEN, Ipv6, is_unforwardable};
use super::shard::Slot;
use super::update::Forward;
use crate::nic::Frame;

impl<F: Frame> Lane<F> {
    /// Ends a tunnel packet whose inner packet begins `inner_at` bytes into it; `slot` is the entry
    /// of the inner source.
    pub(super) fn uplink(&mut self, mut frame: F, slot: Option<Slot>, inner_at: usize) {
        let ecn = match self.admit(frame.data(), slot, inner_at) {
            Ok(ecn) => ecn,
            Err(reason) => return self.discard(frame, reason),
        };
        if !decapsulate(&mut frame, inner_at, ecn) {
            return self.discard(frame, DropReason::Segmented);
        }
        let bytes = frame.frame_len() - ETHER_LEN;
        if let Some(slot) = slot {
            self.shard.entry_mut(slot).count_uplink(bytes);
        }
        self.counters.add(Counter::UplinkPackets, 1);
        self.counters.add(Counter::UplinkBytes, bytes as u64);
        self.route(frame, Origin::Forwarded);
    }

    /// Whether the packet may enter; the ECN field that it then gets.
    fn admit(&self, frame: &[u8], slot: Option<Slot>, inner_at: usize) -> Result<u8, DropReason> {
        let inner = frame.get(ETHER_LEN + inner_at..).and_then(Ipv6::of);
        let (Some(outer), Some(inner)) = (Ipv6::of_frame(frame), inner) else {
            return Err(DropReason::InnerTruncated);
        };
        if is_unforwardable(inner.src()) {
            return Err(DropReason::SourceScope);
        }
        let slot = slot.ok_or(DropReason::InnerSource)?;
        let tunnel = match self.shard.entry(slot).forward() {
            Forward::Held => return Err(DropReason::Held), // RFC 5213 5.3.5 (2)
            Forward::Tunnel(id, _) => self.tunnels.ends(id),
        };
        if !tunnel.is_some_and(|t| t.connects(outer.src(), outer.dst())) {
            return Err(DropReason::NotServing);
        }
        if is_unforwardable(inner.dst()) {
            return Err(DropReason::DestinationScope);
        }
        ecn(inner.traffic_class() & 0b11, outer.traffic_class() & 0b11)
            .ok_or(DropReason::EcnCongestion)
    }
}
