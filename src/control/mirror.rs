//! The mirror of the kernel's routes, addresses and neighbours, as far as they concern our ports.
//!
//! ```text
//!  netlink notices --+                        +--> KernelEvent --> control core --> workers
//!                    +--> Mirror (this file) -+
//!  full dump --------+      diff against what was said before
//! ```
//! Pure: messages in, events out. `mirror/thread.rs` holds the sockets. Only the main table is
//! mirrored, and of it only routes that leave by one of our TAPs or discard. Of several next hops
//! the first one is taken.

mod thread;

pub use thread::{KernelMirror, MirrorError, NeighborRequest, start};

use super::netlink::Notice;
use crate::addr::{HomePrefix, MacAddr, PortId};
use crate::dataplane::update::NextHop;
use hashbrown::HashMap;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteType,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

/// What changed in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KernelEvent {
    /// A route is there, or leads elsewhere now.
    RouteSet(HomePrefix, NextHop),
    /// A route is gone.
    RouteDel(HomePrefix),
    /// A neighbour's state or link-layer address.
    Neighbor(PortId, Ipv6Addr, Neighbor),
    /// A neighbour is gone.
    NeighborDel(PortId, Ipv6Addr),
    /// The first dump is complete.
    Synced,
}

/// What the kernel knows of a neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbor {
    /// Its link-layer address, if it is usable now.
    pub mac: Option<MacAddr>,
    /// The kernel's name of its state, for people.
    pub state: &'static str,
}

/// One next hop of one route, as the kernel orders them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Candidate {
    metric: u32,
    hop: NextHop,
}

/// What the kernel said so far.
#[derive(Debug)]
struct Mirror {
    /// Our TAPs by their interface index.
    ports: HashMap<u32, PortId>,
    /// The index of `lo`: its addresses are ours too.
    loopback: u32,
    /// Sorted by metric; equal metrics in the order of arrival.
    routes: BTreeMap<HomePrefix, Vec<Candidate>>,
    /// With the interface: the same address may stand on two.
    addresses: BTreeSet<(Ipv6Addr, u32)>,
    neighbors: HashMap<(PortId, Ipv6Addr), Neighbor>,
}

impl Mirror {
    fn new(ports: HashMap<u32, PortId>, loopback: u32) -> Self {
        Self {
            ports,
            loopback,
            routes: BTreeMap::new(),
            addresses: BTreeSet::new(),
            neighbors: HashMap::new(),
        }
    }

    /// Takes a notice in; appends what it changes to `events`.
    fn handle(&mut self, notice: &Notice, events: &mut Vec<KernelEvent>) {
        match &notice.message {
            RouteNetlinkMessage::NewRoute(m) => {
                self.change_route(m, events, |candidates, metric, hops| {
                    if notice.replace {
                        candidates.retain(|c| c.metric != metric);
                    }
                    for &hop in hops {
                        let new = Candidate { metric, hop };
                        if !candidates.contains(&new) {
                            candidates.push(new);
                        }
                    }
                    candidates.sort_by_key(|c| c.metric);
                });
            }
            RouteNetlinkMessage::DelRoute(m) => {
                self.change_route(m, events, |candidates, metric, hops| {
                    candidates.retain(|c| c.metric != metric || !hops.contains(&c.hop));
                });
            }
            RouteNetlinkMessage::NewAddress(m) => self.change_address(m, true, events),
            RouteNetlinkMessage::DelAddress(m) => self.change_address(m, false, events),
            RouteNetlinkMessage::NewNeighbour(m) => self.change_neighbor(m, true, events),
            RouteNetlinkMessage::DelNeighbour(m) => self.change_neighbor(m, false, events),
            // Links, rules and whatever else a group may carry say nothing about forwarding here.
            _ => {}
        }
    }

    /// The events that lead from `self` to `newer`.
    fn diff(&self, newer: &Self, events: &mut Vec<KernelEvent>) {
        for prefix in self.prefixes() {
            if newer.effective(prefix).is_none() && self.effective(prefix).is_some() {
                events.push(KernelEvent::RouteDel(prefix));
            }
        }
        for prefix in newer.prefixes() {
            if let Some(hop) = newer.effective(prefix)
                && self.effective(prefix) != Some(hop)
            {
                events.push(KernelEvent::RouteSet(prefix, hop));
            }
        }
        for &(port, addr) in self.neighbors.keys() {
            if !newer.neighbors.contains_key(&(port, addr)) {
                events.push(KernelEvent::NeighborDel(port, addr));
            }
        }
        for (&(port, addr), &neighbor) in &newer.neighbors {
            if self.neighbors.get(&(port, addr)) != Some(&neighbor) {
                events.push(KernelEvent::Neighbor(port, addr, neighbor));
            }
        }
    }

    fn prefixes(&self) -> BTreeSet<HomePrefix> {
        let hosts = self.addresses.iter().filter_map(|&(a, _)| host_prefix(a));
        self.routes.keys().copied().chain(hosts).collect()
    }

    /// Where packets of a prefix go: to ourselves before anything else, as the kernel's local table
    /// comes before its main one.
    fn effective(&self, prefix: HomePrefix) -> Option<NextHop> {
        let addr = prefix.addr();
        let local = prefix.len() == 128
            && self.addresses.range((addr, 0)..=(addr, u32::MAX)).next().is_some();
        if local {
            return Some(NextHop::Local);
        }
        self.routes.get(&prefix).and_then(|c| c.first()).map(|c| c.hop)
    }

    fn change_route(
        &mut self,
        message: &RouteMessage,
        events: &mut Vec<KernelEvent>,
        change: impl FnOnce(&mut Vec<Candidate>, u32, &[NextHop]),
    ) {
        let Some((prefix, metric, hops)) = self.read_route(message) else {
            return;
        };
        let before = self.effective(prefix);
        let candidates = self.routes.entry(prefix).or_default();
        change(candidates, metric, &hops);
        if candidates.is_empty() {
            self.routes.remove(&prefix);
        }
        self.announce(prefix, before, events);
    }

    fn announce(&self, prefix: HomePrefix, before: Option<NextHop>, events: &mut Vec<KernelEvent>) {
        match self.effective(prefix) {
            after if after == before => {}
            Some(hop) => events.push(KernelEvent::RouteSet(prefix, hop)),
            None => events.push(KernelEvent::RouteDel(prefix)),
        }
    }

    /// Prefix, metric and next hops of a route that concerns us.
    fn read_route(&self, m: &RouteMessage) -> Option<(HomePrefix, u32, Vec<NextHop>)> {
        let mut table = u32::from(m.header.table);
        let (mut dst, mut gateway, mut oif, mut metric) = (Ipv6Addr::UNSPECIFIED, None, None, 0);
        let mut multipath = Vec::new();
        for attribute in &m.attributes {
            match attribute {
                RouteAttribute::Destination(RouteAddress::Inet6(a)) => dst = *a,
                RouteAttribute::Gateway(RouteAddress::Inet6(a)) => gateway = Some(*a),
                RouteAttribute::Oif(index) => oif = Some(*index),
                RouteAttribute::Priority(p) => metric = *p,
                RouteAttribute::Table(t) => table = *t,
                RouteAttribute::MultiPath(hops) => {
                    multipath = hops
                        .iter()
                        .filter_map(|h| self.hop(h.interface_index, gateway_of(&h.attributes)))
                        .collect();
                }
                // Metrics, preferences and times do not change where a packet goes.
                _ => {}
            }
        }
        let other = table != u32::from(RouteHeader::RT_TABLE_MAIN)
            || m.header.flags.intersects(RouteFlags::Cloned | RouteFlags::Dead)
            || dst.is_multicast()
            || dst.is_unicast_link_local();
        let prefix = HomePrefix::new(dst, m.header.destination_prefix_length).ok()?;
        if other {
            return None;
        }
        let hops = match m.header.kind {
            RouteType::Unicast if multipath.is_empty() => {
                vec![self.hop(oif?, gateway)?]
            }
            RouteType::Unicast => multipath,
            RouteType::Unreachable | RouteType::Prohibit => vec![NextHop::Unreachable],
            RouteType::BlackHole => vec![NextHop::Blackhole],
            // Local, anycast, throw ...: not in the main table, or nothing to forward by.
            _ => return None,
        };
        Some((prefix, metric, hops))
    }

    fn hop(&self, ifindex: u32, gateway: Option<Ipv6Addr>) -> Option<NextHop> {
        let port = *self.ports.get(&ifindex)?;
        Some(gateway.map_or(NextHop::OnLink(port), |g| NextHop::Gateway(port, g)))
    }

    fn change_address(&mut self, m: &AddressMessage, there: bool, events: &mut Vec<KernelEvent>) {
        let index = m.header.index;
        if index != self.loopback && !self.ports.contains_key(&index) {
            return;
        }
        for attribute in &m.attributes {
            if let AddressAttribute::Address(IpAddr::V6(addr)) = attribute
                && !addr.is_loopback()
                && !addr.is_unicast_link_local()
                && let Some(prefix) = host_prefix(*addr)
            {
                let before = self.effective(prefix);
                if there {
                    self.addresses.insert((*addr, index));
                } else {
                    self.addresses.remove(&(*addr, index));
                }
                self.announce(prefix, before, events);
            }
        }
    }

    fn change_neighbor(
        &mut self,
        m: &NeighbourMessage,
        there: bool,
        events: &mut Vec<KernelEvent>,
    ) {
        let Some(&port) = self.ports.get(&m.header.ifindex) else {
            return;
        };
        let (mut addr, mut mac) = (None, None);
        for attribute in &m.attributes {
            match attribute {
                NeighbourAttribute::Destination(NeighbourAddress::Inet6(a)) => addr = Some(*a),
                NeighbourAttribute::LinkLayerAddress(bytes) => {
                    mac = <[u8; 6]>::try_from(bytes.as_slice()).ok().map(MacAddr);
                }
                // Cache times and probes.
                _ => {}
            }
        }
        let Some(addr) = addr.filter(|a| !a.is_multicast()) else {
            return;
        };
        if !there {
            if self.neighbors.remove(&(port, addr)).is_some() {
                events.push(KernelEvent::NeighborDel(port, addr));
            }
            return;
        }
        let (usable, state) = neighbor_state(m.header.state);
        let neighbor = Neighbor { mac: mac.filter(|_| usable), state };
        if self.neighbors.insert((port, addr), neighbor) != Some(neighbor) {
            events.push(KernelEvent::Neighbor(port, addr, neighbor));
        }
    }
}

/// Whether the link-layer address may be used in this state (RFC 4861 7.3.2), and its name.
fn neighbor_state(state: NeighbourState) -> (bool, &'static str) {
    match state {
        NeighbourState::Reachable => (true, "reachable"),
        NeighbourState::Stale => (true, "stale"),
        NeighbourState::Delay => (true, "delay"),
        NeighbourState::Probe => (true, "probe"),
        NeighbourState::Permanent => (true, "permanent"),
        NeighbourState::Noarp => (true, "noarp"),
        NeighbourState::Incomplete => (false, "incomplete"),
        NeighbourState::Failed => (false, FAILED),
        _ => (false, "none"),
    }
}

fn gateway_of(attributes: &[RouteAttribute]) -> Option<Ipv6Addr> {
    attributes.iter().find_map(|a| match a {
        RouteAttribute::Gateway(RouteAddress::Inet6(a)) => Some(*a),
        _ => None,
    })
}

fn host_prefix(addr: Ipv6Addr) -> Option<HomePrefix> {
    HomePrefix::new(addr, 128).ok()
}

/// [`Neighbor::state`] of a neighbour that did not answer.
pub(super) const FAILED: &str = "failed";

#[cfg(test)]
mod tests;
