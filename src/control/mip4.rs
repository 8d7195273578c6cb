//! Messages of Mobile IPv4, to and from UDP port 434.
//!
//! ```text
//!   to our address              worker --signaling ring--> intake --> Event::Mip4
//!   a keepalive of no tunnel    likewise (RFC 3519 4.6)
//!   to a pool's last address    worker --exception-------> hear_broadcast --> the same
//! ```
//! Besides, workers are told where tunnels of its nodes end ([`NodeEnds`]).
//!
//! The last is how a node finds a home agent (RFC 5944 3.6.1.2): the network of its home address
//! is a pool, and we are the only one there.

use super::Control;
use super::admission::{Admit, Class};
use super::signaling;
use crate::addr::CustomerId;
use crate::dataplane::update::Change;
use crate::mobility::action::{BindingId, BindingKind};
use crate::mobility::mip4::{HomeAgent4, Mip4Msg};
use crate::nic::FramePool;
use crate::time::Now;
use crate::wire::mip4::{Body, Message};
use hashbrown::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

impl<P: FramePool> Control<P> {
    /// Looks at a frame for the kernel. `true`: it is ours alone.
    pub(super) fn hear_broadcast(&mut self, frame: &[u8], now: Now) -> bool {
        if !self.anchor.mip4().is_enabled() {
            return false;
        }
        let is_broadcast = |dst| self.is_broadcast(dst);
        let Some(signal) = signaling::read_broadcast(frame, is_broadcast) else { return false };
        if let Some(from) = signaling::source(frame)
            && let Admit::Yes = self.admit(from, now)
        {
            self.take_in(from, Admit::Yes, signal, frame, now);
        }
        true
    }

    /// Whether an address is the one of broadcasts in a home network.
    fn is_broadcast(&self, address: Ipv4Addr) -> bool {
        let own = self.anchor.lma().pools().filter(|p| p.customer == CustomerId::default());
        own.filter_map(|p| p.prefix.ipv4_broadcast()).any(|last| last == address)
    }
}

/// Where the tunnels of registrations end: what workers tell security exceptions by.
#[derive(Debug, Default)]
pub(super) struct NodeEnds {
    by_id: HashMap<BindingId, Vec<Ipv6Addr>>,
    /// Of how many registrations each is an end.
    uses: HashMap<Ipv6Addr, usize>,
}

impl NodeEnds {
    /// Notes the ends of a registration, none if it is gone; what workers are to be told.
    pub(super) fn set(&mut self, id: BindingId, mut ends: Vec<Ipv6Addr>) -> Vec<Change> {
        ends.sort_unstable();
        ends.dedup();
        let mut changes = Vec::new();
        for end in &ends {
            let uses = self.uses.entry(*end).or_default();
            *uses += 1;
            changes.extend((*uses == 1).then_some(Change::NodeEndSet(*end)));
        }
        let old =
            if ends.is_empty() { self.by_id.remove(&id) } else { self.by_id.insert(id, ends) };
        for end in old.unwrap_or_default() {
            let Some(uses) = self.uses.get_mut(&end) else { continue };
            *uses -= 1;
            if *uses == 0 {
                self.uses.remove(&end);
                changes.push(Change::NodeEndDel(end));
            }
        }
        changes
    }
}

impl<P: FramePool> Control<P> {
    /// Tells workers where the tunnels of a registration end now.
    pub(super) fn note_ends(&mut self, id: BindingId) {
        if id.kind() != BindingKind::Home4 {
            return;
        }
        let registration = self.anchor.mip4().registration(id);
        let ends = registration.map_or_else(Vec::new, |r| r.tunnel_ends().collect());
        for change in self.node_ends.set(id, ends) {
            self.publisher.broadcast(change);
        }
    }

    /// The same of all that were restored.
    pub(super) fn note_all_ends(&mut self) {
        let restored = self.anchor.mip4().registrations(None).map(|r| r.id);
        for id in restored.collect::<Vec<_>>() {
            self.note_ends(id);
        }
    }
}

/// RFC 5454 4: it is logged, at the rate that workers tell of.
pub(super) fn log_exception(tunnel: Ipv6Addr, source: Ipv6Addr) {
    let (tunnel, source) = (tunnel.to_canonical(), source.to_canonical());
    tracing::warn!(%tunnel, %source, "security exception: not the source of this reverse tunnel");
}

/// What waits behind others: a request that would begin a registration.
pub(super) fn class_of(msg: &Mip4Msg, agent: &HomeAgent4) -> Class {
    match Message::parse(&msg.payload).map(|m| m.body) {
        Ok(Body::Request(r)) if r.lifetime.0 > 0 && !agent.is_home(r.home_address) => Class::Fresh,
        _ => Class::Urgent,
    }
}
