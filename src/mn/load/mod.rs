//! Load: many nodes, played towards one home agent. When whose update is sent is `crate::load`'s;
//! here is what stands in it, and in its answer. Pure: the I/O is in `drive`.
//!
//! ```text
//!   Player::update() -> binding update, home registration
//!   Player::verify(acknowledgement): status, addresses, lifetime
//! ```
//! A handoff is to the next care-of address.

pub(super) mod drive;
#[cfg(test)]
mod tests;

use crate::load::{Phase, Player};
use crate::mobility::message::{AckMsg, OwnedOptions, Transport, UpdateMsg};
use crate::time::{Lifetime, Now};
use crate::wire::mh::{BindingUpdate, BuFlags, MobilityOption, SeqNo};
use std::net::Ipv6Addr;

/// What is to be done.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) home_agent: Ipv6Addr,
    /// Home address of the first node.
    pub(super) first_home: Ipv6Addr,
    /// Each of the others has the same interface identifier in the next prefix of this length, up
    /// to 128: then the next address.
    pub(super) home_len: u8,
    /// The first care-of address; the others follow it.
    pub(super) first_coa: Ipv6Addr,
    pub(super) coas: u32,
    pub(super) lifetime: Lifetime,
}

/// One node; a million of them have to fit.
#[derive(Debug, Clone, Copy, Default)]
struct Node {
    is_bound: bool,
    /// Which care-of address it has.
    coa: u32,
    seq: SeqNo,
}

/// Nodes of one home agent.
pub(super) struct Nodes {
    plan: Plan,
    nodes: Vec<Node>,
}

impl Nodes {
    pub(super) fn new(plan: Plan, nodes: u32) -> Self {
        let place = |n: u32| Node { coa: n % plan.coas.max(1), ..Node::default() };
        Self { nodes: (0..nodes).map(place).collect(), plan }
    }

    /// What is asked for in this phase.
    fn lifetime(&self, phase: Phase) -> Lifetime {
        if phase == Phase::Deregister { Lifetime::ZERO } else { self.plan.lifetime }
    }

    /// The node whose home address the routing header names.
    fn node_of(&self, msg: &AckMsg) -> Option<u32> {
        let ahead = msg.home?.to_bits().wrapping_sub(self.plan.first_home.to_bits());
        let step = 128_u32.saturating_sub(self.plan.home_len.into());
        let n = u32::try_from(ahead >> step).ok()?;
        (following(self.plan.first_home, n, self.plan.home_len) == msg.home?).then_some(n)
    }
}

impl Player for Nodes {
    fn move_on(&mut self, n: u32) {
        if let Some(node) = self.nodes.get_mut(n as usize) {
            node.coa = (node.coa + 1) % self.plan.coas.max(1);
        }
    }

    fn update(&mut self, n: u32, phase: Phase, _: Now) -> Option<UpdateMsg> {
        let lifetime = self.lifetime(phase);
        let node = self.nodes.get_mut(n as usize)?;
        if phase != Phase::Register && !node.is_bound {
            return None;
        }
        node.seq = node.seq.next();
        let care_of = following(self.plan.first_coa, node.coa, 128);
        let options = [MobilityOption::AlternateCoa(care_of)];
        Some(UpdateMsg {
            src: care_of,
            dst: self.plan.home_agent,
            transport: Transport::Ipv6,
            home: Some(following(self.plan.first_home, n, self.plan.home_len)),
            update: BindingUpdate { seq: node.seq, flags: BuFlags::A | BuFlags::H, lifetime },
            options: OwnedOptions::from_options(&options).unwrap_or_default(),
            header: Box::default(),
        })
    }

    fn answered(&self, msg: &AckMsg) -> Option<u32> {
        let n = self.node_of(msg)?;
        let node = self.nodes.get(n as usize)?;
        (node.seq == msg.ack.seq).then_some(n)
    }

    /// Everything that RFC 6275 9.5.4 says of an accepting answer.
    fn verify(&mut self, n: u32, phase: Phase, msg: &AckMsg) -> Result<(), String> {
        let wrong = |what: &str| Err(what.to_owned());
        if !msg.ack.status.is_accepted() {
            return Err(format!("status {}", msg.ack.status.0));
        }
        let asked = self.lifetime(phase);
        let Some(node) = self.nodes.get_mut(n as usize) else { return wrong("unexpected") };
        let care_of = following(self.plan.first_coa, node.coa, 128);
        if msg.src != self.plan.home_agent || msg.dst != care_of {
            return wrong("wrong address");
        }
        let granted = msg.ack.lifetime;
        if granted > asked || (granted == Lifetime::ZERO) != (asked == Lifetime::ZERO) {
            return wrong("lifetime");
        }
        node.is_bound = phase != Phase::Deregister;
        Ok(())
    }
}

/// The `n`th address after `first`, counted in prefixes of length `len`.
pub(super) fn following(first: Ipv6Addr, n: u32, len: u8) -> Ipv6Addr {
    let step = 128_u32.saturating_sub(len.into());
    Ipv6Addr::from_bits(first.to_bits().wrapping_add(u128::from(n) << step))
}
