//! Load: many gateways and nodes, played towards one anchor. When whose update is sent is
//! `crate::load`'s; here is what stands in it, and in its answer. Pure: the I/O is in `drive`.
//!
//! ```text
//!   Player::update() -> PBU
//!   Player::verify(PBA): status, echoes, lifetime, prefix, address, key, link-local
//!   at any time:     peer(BRI or heartbeat) -> BRA or response
//! ```

pub(super) mod drive;
mod peer;
#[cfg(test)]
mod tests;

use crate::addr::{AnchorAddr, GreKey, HomePrefix, MnId, ProxyCoa};
use crate::load::{Phase, Player};
use crate::mobility::mag::event::LinkLayerId;
use crate::mobility::mag::update::{Extensions, UpdateContents};
use crate::mobility::message::{AckMsg, UpdateMsg};
use crate::time::{Lifetime, MobTimestamp, Now};
use crate::wire::mh::option::{AccessTech, HandoffIndicator};
use crate::wire::mh::{BaFlags, BuFlags, Ipv4Home, MobilityOption, SeqNo};
use hashbrown::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What the nodes' identifiers end with; they begin with `mn` and a number.
const REALM: &str = "@load.example";
/// RFC 5213 8.5: Ethernet.
const ATT: AccessTech = AccessTech(3);

/// What is to be done.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) lma: AnchorAddr,
    /// Address of the first gateway; the others follow it.
    pub(super) first_mag: Ipv6Addr,
    pub(super) mags: u32,
    pub(super) first_node: u32,
    pub(super) lifetime: Lifetime,
    pub(super) mix: Mix,
}

/// How many of a hundred nodes do more than ask for a prefix.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mix {
    /// Ask for an IPv4 home address too.
    pub(super) ipv4: u32,
    /// Negotiate GRE keys.
    pub(super) gre: u32,
    /// Over IPv4 force UDP.
    pub(super) udp: u32,
}

impl Mix {
    /// Whether the node with this number is one of `share` in a hundred. Each share has a step of
    /// its own, so that all combinations occur.
    fn is_one(n: u32, share: u32, step: u32) -> bool {
        n.wrapping_mul(step) % 100 < share
    }

    fn ipv4(self, n: u32) -> bool {
        Self::is_one(n, self.ipv4, 37)
    }

    fn gre(self, n: u32) -> bool {
        Self::is_one(n, self.gre, 73)
    }

    fn udp(self, n: u32) -> bool {
        Self::is_one(n, self.udp, 91)
    }
}

/// One node; a million of them have to fit.
#[derive(Debug, Clone, Copy, Default)]
struct Node {
    has: Option<Granted>,
    /// Which gateway serves it.
    mag: u32,
    /// Of its last update.
    seq: SeqNo,
    timestamp: MobTimestamp,
}

/// What the anchor gave; it stays the same while the session lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Granted {
    hnp: HomePrefix,
    link_local: Option<Ipv6Addr>,
    ipv4: Option<Ipv4Home>,
    uplink: Option<GreKey>,
}

/// Gateways, and the nodes behind them.
pub(super) struct Gateways {
    plan: Plan,
    nodes: Vec<Node>,
    /// Whose each prefix is: an anchor that gives one away twice is found out.
    owners: HashMap<HomePrefix, u32>,
    /// The same for IPv4 home addresses and uplink keys.
    ipv4_owners: HashMap<Ipv4Addr, u32>,
    key_owners: HashMap<GreKey, u32>,
    seq: SeqNo,
}

impl Gateways {
    pub(super) fn new(plan: Plan, nodes: u32) -> Self {
        let place = |n: u32| Node { mag: n % plan.mags.max(1), ..Node::default() };
        Self {
            nodes: (0..nodes).map(place).collect(),
            owners: HashMap::new(),
            ipv4_owners: HashMap::new(),
            key_owners: HashMap::new(),
            seq: SeqNo::default(),
            plan,
        }
    }

    fn own(&mut self, granted: Granted, n: u32) {
        self.owners.insert(granted.hnp, n);
        self.ipv4_owners.extend(granted.ipv4.map(|home| (home.addr(), n)));
        self.key_owners.extend(granted.uplink.map(|key| (key, n)));
    }

    fn disown(&mut self, granted: Granted) {
        self.owners.remove(&granted.hnp);
        if let Some(home) = granted.ipv4 {
            self.ipv4_owners.remove(&home.addr());
        }
        if let Some(key) = granted.uplink {
            self.key_owners.remove(&key);
        }
    }

    /// The node that an answer names.
    fn node_of(&self, msg: &AckMsg) -> Option<u32> {
        let named = msg.options.iter().find_map(|o| match o {
            MobilityOption::MnId(MnId::NAI, id) => Some(id),
            _ => None,
        })?;
        self.numbered(named)
    }

    /// Everything that RFC 5213 5.3.6 says of an accepting answer, or what is wrong with it.
    fn granted(&self, n: u32, phase: Phase, msg: &AckMsg) -> Result<Granted, String> {
        let wrong = |what: &str| Err(what.to_owned());
        let Some(node) = self.nodes.get(n as usize) else {
            return wrong("unexpected");
        };
        if !msg.ack.status.is_accepted() {
            return Err(format!("status {}", msg.ack.status.0));
        }
        let gateway = mag_address(self.plan.first_mag, node.mag);
        if msg.src != self.plan.lma.0 || msg.dst != gateway || !msg.ack.flags.contains(BaFlags::P) {
            return wrong("wrong address or flag");
        }
        let ends = phase == Phase::Deregister;
        let lifetime = msg.ack.lifetime;
        if ends != (lifetime == Lifetime::ZERO) || lifetime > self.plan.lifetime {
            return wrong("lifetime");
        }
        let handoff = match phase {
            Phase::Register => HandoffIndicator::NEW_INTERFACE,
            Phase::Refresh => HandoffIndicator::NOT_CHANGED,
            Phase::Handoff => HandoffIndicator::SAME_INTERFACE,
            Phase::Deregister => HandoffIndicator::UNKNOWN,
        };
        let id = link_layer_id(self.plan.first_node, n);
        let own_id = id.as_ref().map_or(&[][..], LinkLayerId::bytes);
        let (mut hnp, mut link_local, mut echoed) = (None, None, 0);
        let (mut ipv4, mut router, mut uplink) = (None, false, None);
        for option in &msg.options {
            match option {
                MobilityOption::HandoffIndicator(v) if v == handoff => echoed += 1,
                MobilityOption::AccessTech(v) if v == ATT => echoed += 1,
                MobilityOption::MnLinkLayerId(v) if v == own_id => echoed += 1,
                MobilityOption::Timestamp(v) if v == node.timestamp => echoed += 1,
                MobilityOption::HomeNetworkPrefix(p) if hnp.is_none() => hnp = Some(p),
                MobilityOption::HomeNetworkPrefix(_) => return wrong("several prefixes"),
                MobilityOption::LinkLocal(a) => link_local = Some(a),
                MobilityOption::Ipv4HomeAddressReply(status, home) if status.is_accepted() => {
                    ipv4 = Some(home);
                }
                MobilityOption::Ipv4DefaultRouter(_) => router = true,
                MobilityOption::GreKey(key) => uplink = key,
                _ => {}
            }
        }
        if echoed != 4 {
            return wrong("echo");
        }
        let Some(hnp) = hnp.filter(|p| *p != HomePrefix::ALL_ZERO) else {
            return wrong("no prefix");
        };
        if self.plan.mix.ipv4(n) && ipv4.is_none_or(|home| home.addr().is_unspecified()) {
            return wrong("no IPv4 address");
        }
        if ipv4.is_some() != self.plan.mix.ipv4(n) || (ipv4.is_some() && !ends && !router) {
            return wrong("IPv4 address or router");
        }
        // RFC 5845 4.2: a de-registration has no key.
        if !ends && uplink.is_some() != self.plan.mix.gre(n) {
            return wrong("uplink key");
        }
        let granted = Granted { hnp, link_local, ipv4, uplink };
        self.check_identity(n, node.has, granted, ends).map(|()| match node.has {
            // What ends is what there was.
            Some(had) if ends => had,
            _ => granted,
        })
    }

    /// What is granted is the node's alone, and what it had before.
    fn check_identity(
        &self,
        n: u32,
        had: Option<Granted>,
        granted: Granted,
        ends: bool,
    ) -> Result<(), String> {
        let wrong = |what: &str| Err(what.to_owned());
        let other = |owner: Option<&u32>| owner.is_some_and(|owner| *owner != n);
        if let Some(had) = had {
            if had.hnp != granted.hnp {
                return wrong("prefix changed");
            }
            if had.link_local.is_some() && had.link_local != granted.link_local {
                return wrong("link-local address changed");
            }
            if had.ipv4 != granted.ipv4 {
                return wrong("IPv4 address changed");
            }
            // RFC 5845 3.3.2: also over handoffs.
            if !ends && had.uplink != granted.uplink {
                return wrong("uplink key changed");
            }
        }
        if other(self.owners.get(&granted.hnp)) {
            return wrong("prefix given twice");
        }
        if granted.ipv4.is_some_and(|home| other(self.ipv4_owners.get(&home.addr()))) {
            return wrong("IPv4 address given twice");
        }
        if granted.uplink.is_some_and(|key| other(self.key_owners.get(&key))) {
            return wrong("uplink key given twice");
        }
        Ok(())
    }
}

impl Player for Gateways {
    fn move_on(&mut self, n: u32) {
        if let Some(node) = self.nodes.get_mut(n as usize) {
            node.mag = (node.mag + 1) % self.plan.mags.max(1);
        }
    }

    fn update(&mut self, n: u32, phase: Phase, now: Now) -> Option<UpdateMsg> {
        let node = self.nodes.get_mut(n as usize)?;
        if phase != Phase::Register && node.has.is_none() {
            return None;
        }
        let known = node.has.map(|has| has.hnp);
        let (handoff, lifetime, prefixes) = match phase {
            Phase::Register => (HandoffIndicator::NEW_INTERFACE, self.plan.lifetime, None),
            Phase::Refresh => (HandoffIndicator::NOT_CHANGED, self.plan.lifetime, known),
            Phase::Handoff => (HandoffIndicator::SAME_INTERFACE, self.plan.lifetime, None),
            Phase::Deregister => (HandoffIndicator::UNKNOWN, Lifetime::ZERO, known),
        };
        self.seq = self.seq.next();
        (node.seq, node.timestamp) = (self.seq, now.wall);
        let mix = self.plan.mix;
        let home = node.has.and_then(|has| has.ipv4).unwrap_or(Ipv4Home::ANY);
        let over_ipv4 = self.plan.lma.0.to_ipv4_mapped().is_some();
        let gre = mix.gre(n) && lifetime != Lifetime::ZERO;
        let udp = over_ipv4 && mix.udp(n);
        let extensions = Extensions {
            ipv4: mix.ipv4(n).then_some(home),
            // Its gateway's key: any but zero, for the anchor keeps them apart by gateway.
            gre: gre.then_some(Some(GreKey(n + 1))),
            flags: match (udp, mix.gre(n)) {
                (true, true) => BuFlags::F | BuFlags::T,
                (true, false) => BuFlags::F,
                (false, _) => BuFlags::default(),
            },
            ..Extensions::default()
        };
        let number = u64::from(self.plan.first_node) + u64::from(n);
        let contents = UpdateContents {
            proxy_coa: ProxyCoa(mag_address(self.plan.first_mag, node.mag)),
            lma: self.plan.lma,
            mn_id: &MnId::nai(&format!("mn{number}{REALM}"))?,
            prefixes: Some(prefixes.as_slice()),
            handoff,
            att: ATT,
            mn_ll_id: Some(&link_layer_id(self.plan.first_node, n)?),
            link_local: Some(Ipv6Addr::UNSPECIFIED),
            timestamp: Some(now.wall),
            seq: self.seq,
            lifetime,
            extensions,
        };
        Some(contents.message())
    }

    fn answered(&self, msg: &AckMsg) -> Option<u32> {
        let n = self.node_of(msg)?;
        let node = self.nodes.get(n as usize)?;
        (node.seq == msg.ack.seq).then_some(n)
    }

    fn verify(&mut self, n: u32, phase: Phase, msg: &AckMsg) -> Result<(), String> {
        let granted = self.granted(n, phase, msg)?;
        let ends = phase == Phase::Deregister;
        if let Some(node) = self.nodes.get_mut(n as usize) {
            node.has = (!ends).then_some(granted);
        }
        if ends {
            self.disown(granted);
        } else {
            self.own(granted, n);
        }
        Ok(())
    }
}

/// The address of the gateway with this number.
pub(super) fn mag_address(first: Ipv6Addr, n: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(first.to_bits().wrapping_add(n.into()))
}

/// A locally administered MAC address of its own for every node.
fn link_layer_id(first: u32, n: u32) -> Option<LinkLayerId> {
    let mut id = [2, 0x10, 0, 0, 0, 0];
    id[2..].copy_from_slice(&first.wrapping_add(n).to_be_bytes());
    LinkLayerId::new(&id)
}
