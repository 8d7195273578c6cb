//! The mirror of the kernel's routes, addresses and neighbours, as far as they concern our ports.
//!
//! ```text
//!  netlink notices --+                        +--> KernelEvent --> control core --> workers
//!                    +--> Mirror (this file) -+
//!  full dump --------+      diff against what was said before
//! ```
//! Pure: messages in, events out. `mirror/thread.rs` holds the sockets. What is mirrored:
//!
//! - of the main table, routes that leave by one of the operator's own TAPs, or discard;
//! - of every table, routes that leave by a customer's TAP: they are that customer's. Customers
//!   whose addresses overlap have tables (`ip route .. table 7`) or VRFs of their own.
//!
//! IPv4 is IPv4-mapped IPv6 from here on. Of several next hops the first one is taken.

mod thread;

pub use thread::{KernelMirror, MirrorError, NeighborRequest, start};

use super::netlink::Notice;
use crate::addr::{CustomerId, CustomerPrefix, HomePrefix, MacAddr, PortId};
use crate::dataplane::update::NextHop;
use hashbrown::HashMap;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteType, RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What changed in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KernelEvent {
    /// A route is there, or leads elsewhere now.
    RouteSet(CustomerPrefix, NextHop),
    /// A route is gone.
    RouteDel(CustomerPrefix),
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

/// One of our TAPs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TapPort {
    /// The port that it stands for.
    pub port: PortId,
    /// In whose address space it is.
    pub customer: CustomerId,
}

/// One next hop of one route, as the kernel orders them: by metric, equal ones as they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Candidate {
    metric: u32,
    /// The kernel's table that it stands in.
    table: u32,
    hop: NextHop,
}

/// A route that concerns us: its next hops, each with the customer whose TAP it leaves by.
struct Route {
    prefix: HomePrefix,
    metric: u32,
    table: u32,
    hops: Vec<(CustomerId, NextHop)>,
}

/// What the kernel said so far.
#[derive(Debug)]
struct Mirror {
    /// Our TAPs by their interface index.
    ports: HashMap<u32, TapPort>,
    /// The index of `lo`: its addresses are ours too.
    loopback: u32,
    /// Sorted by metric; equal metrics in the order of arrival.
    routes: BTreeMap<CustomerPrefix, Vec<Candidate>>,
    /// With the interface: the same address may stand on two.
    addresses: BTreeSet<(CustomerPrefix, u32)>,
    neighbors: HashMap<(PortId, Ipv6Addr), Neighbor>,
}

impl Mirror {
    fn new(ports: HashMap<u32, TapPort>, loopback: u32) -> Self {
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
                self.change_route(m, notice.replace, events, |candidates, new| {
                    if !candidates.contains(&new) {
                        candidates.push(new);
                    }
                    candidates.sort_by_key(|c| c.metric);
                });
            }
            RouteNetlinkMessage::DelRoute(m) => {
                self.change_route(m, false, events, |candidates, gone| {
                    candidates.retain(|c| *c != gone);
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

    /// Whether the kernel may have dropped IPv4 routes in silence: it announces neither those that
    /// go with an interface nor those that go with an address.
    fn hides_changes(&self, notice: &RouteNetlinkMessage) -> bool {
        match notice {
            RouteNetlinkMessage::NewLink(m) | RouteNetlinkMessage::DelLink(m) => {
                self.ports.contains_key(&m.header.index)
            }
            RouteNetlinkMessage::DelAddress(m) => {
                m.header.family == AddressFamily::Inet && self.ports.contains_key(&m.header.index)
            }
            _ => false,
        }
    }

    fn prefixes(&self) -> BTreeSet<CustomerPrefix> {
        let hosts = self.addresses.iter().map(|&(host, _)| host);
        self.routes.keys().copied().chain(hosts).collect()
    }

    /// Where packets of a prefix go: to ourselves before anything else, as the kernel's local table
    /// comes before its main one.
    fn effective(&self, prefix: CustomerPrefix) -> Option<NextHop> {
        if self.addresses.range((prefix, 0)..=(prefix, u32::MAX)).next().is_some() {
            return Some(NextHop::Local);
        }
        self.routes.get(&prefix).and_then(|c| c.first()).map(|c| c.hop)
    }

    fn change_route(
        &mut self,
        message: &RouteMessage,
        replaces: bool,
        events: &mut Vec<KernelEvent>,
        change: impl Fn(&mut Vec<Candidate>, Candidate),
    ) {
        let Some(Route { prefix, metric, table, hops }) = self.read_route(message) else {
            return;
        };
        let mut customers: Vec<CustomerId> = hops.iter().map(|&(customer, _)| customer).collect();
        if replaces {
            // What is replaced may have left by the TAP of anybody.
            customers.extend(self.ports.values().map(|tap| tap.customer));
        }
        customers.sort_unstable();
        customers.dedup();
        for customer in customers {
            let prefix = prefix.of(customer);
            let before = self.effective(prefix);
            let candidates = self.routes.entry(prefix).or_default();
            if replaces {
                candidates.retain(|c| (c.metric, c.table) != (metric, table));
            }
            for &(_, hop) in hops.iter().filter(|&&(of, _)| of == customer) {
                change(candidates, Candidate { metric, table, hop });
            }
            if candidates.is_empty() {
                self.routes.remove(&prefix);
            }
            self.announce(prefix, before, events);
        }
    }

    fn announce(
        &self,
        prefix: CustomerPrefix,
        before: Option<NextHop>,
        events: &mut Vec<KernelEvent>,
    ) {
        match self.effective(prefix) {
            after if after == before => {}
            Some(hop) => events.push(KernelEvent::RouteSet(prefix, hop)),
            None => events.push(KernelEvent::RouteDel(prefix)),
        }
    }

    /// A route, if it concerns us.
    fn read_route(&self, m: &RouteMessage) -> Option<Route> {
        let mut table = u32::from(m.header.table);
        let (mut gateway, mut oif, mut metric) = (None, None, 0);
        let mut dst = match m.header.address_family {
            AddressFamily::Inet => Ipv4Addr::UNSPECIFIED.to_ipv6_mapped(),
            AddressFamily::Inet6 => Ipv6Addr::UNSPECIFIED,
            _ => return None,
        };
        let mut multipath = Vec::new();
        for attribute in &m.attributes {
            match attribute {
                RouteAttribute::Destination(a) => dst = address(a)?,
                RouteAttribute::Oif(index) => oif = Some(*index),
                RouteAttribute::Priority(p) => metric = *p,
                RouteAttribute::Table(t) => table = *t,
                RouteAttribute::MultiPath(hops) => {
                    multipath = hops
                        .iter()
                        .filter_map(|h| self.hop(h.interface_index, gateway_of(&h.attributes)))
                        .collect();
                }
                RouteAttribute::Gateway(_) | RouteAttribute::Via(_) => {
                    gateway = gateway_of(std::slice::from_ref(attribute));
                }
                // Metrics, preferences and times do not change where a packet goes.
                _ => {}
            }
        }
        let strange = m.header.flags.intersects(RouteFlags::Cloned | RouteFlags::Dead)
            || table == RT_TABLE_LOCAL
            || is_confined(dst);
        let len = m.header.destination_prefix_length;
        let len = if dst.to_ipv4_mapped().is_some() { len.checked_add(96)? } else { len };
        let prefix = HomePrefix::new(dst, len).ok()?;
        if strange {
            return None;
        }
        let mut hops = match m.header.kind {
            RouteType::Unicast if multipath.is_empty() => vec![self.hop(oif?, gateway)?],
            RouteType::Unicast => multipath,
            RouteType::Unreachable | RouteType::Prohibit => vec![(OWN, NextHop::Unreachable)],
            RouteType::BlackHole => vec![(OWN, NextHop::Blackhole)],
            // Local, anycast, throw ...: nothing to forward by.
            _ => return None,
        };
        if table != u32::from(RouteHeader::RT_TABLE_MAIN) {
            hops.retain(|&(customer, _)| customer != OWN);
        }
        (!hops.is_empty()).then_some(Route { prefix, metric, table, hops })
    }

    fn hop(&self, ifindex: u32, gateway: Option<Ipv6Addr>) -> Option<(CustomerId, NextHop)> {
        let TapPort { port, customer } = *self.ports.get(&ifindex)?;
        let hop = gateway.map_or(NextHop::OnLink(port), |g| NextHop::Gateway(port, g));
        Some((customer, hop))
    }

    fn change_address(&mut self, m: &AddressMessage, there: bool, events: &mut Vec<KernelEvent>) {
        let index = m.header.index;
        let customer = match self.ports.get(&index) {
            Some(tap) => tap.customer,
            None if index == self.loopback => OWN,
            None => return,
        };
        let Some(addr) = own_address(&m.attributes).filter(|a| !is_confined(*a)) else { return };
        let Ok(host) = HomePrefix::new(addr, 128) else { return };
        let host = host.of(customer);
        let before = self.effective(host);
        if there {
            self.addresses.insert((host, index));
        } else {
            self.addresses.remove(&(host, index));
        }
        self.announce(host, before, events);
    }

    fn change_neighbor(
        &mut self,
        m: &NeighbourMessage,
        there: bool,
        events: &mut Vec<KernelEvent>,
    ) {
        let Some(&TapPort { port, .. }) = self.ports.get(&m.header.ifindex) else {
            return;
        };
        let (mut addr, mut mac) = (None, None);
        for attribute in &m.attributes {
            match attribute {
                NeighbourAttribute::Destination(NeighbourAddress::Inet6(a)) => addr = Some(*a),
                NeighbourAttribute::Destination(NeighbourAddress::Inet(a)) => {
                    addr = Some(a.to_ipv6_mapped());
                }
                NeighbourAttribute::LinkLayerAddress(bytes) => {
                    mac = <[u8; 6]>::try_from(bytes.as_slice()).ok().map(MacAddr);
                }
                // Cache times and probes.
                _ => {}
            }
        }
        let Some(addr) = addr.filter(|a| !is_multicast(*a)) else {
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
        NeighbourState::Permanent => (true, PERMANENT),
        NeighbourState::Noarp => (true, "noarp"),
        NeighbourState::Incomplete => (false, "incomplete"),
        NeighbourState::Failed => (false, FAILED),
        _ => (false, "none"),
    }
}

/// The next hop's address; of an IPv4 route it may be an IPv6 one (`via inet6`).
fn gateway_of(attributes: &[RouteAttribute]) -> Option<Ipv6Addr> {
    attributes.iter().find_map(|a| match a {
        RouteAttribute::Gateway(a) => address(a),
        RouteAttribute::Via(RouteVia::Inet6(a)) => Some(*a),
        RouteAttribute::Via(RouteVia::Inet(a)) => Some(a.to_ipv6_mapped()),
        _ => None,
    })
}

fn address(a: &RouteAddress) -> Option<Ipv6Addr> {
    match a {
        RouteAddress::Inet(a) => Some(a.to_ipv6_mapped()),
        RouteAddress::Inet6(a) => Some(*a),
        _ => None,
    }
}

/// Our end of an address's link: of a point-to-point link `IFA_ADDRESS` is the other one.
fn own_address(attributes: &[AddressAttribute]) -> Option<Ipv6Addr> {
    let named = |local: bool| {
        attributes.iter().find_map(|a| match a {
            AddressAttribute::Local(a) if local => Some(*a),
            AddressAttribute::Address(a) if !local => Some(*a),
            _ => None,
        })
    };
    match named(true).or_else(|| named(false))? {
        IpAddr::V4(a) => Some(a.to_ipv6_mapped()),
        IpAddr::V6(a) => Some(a),
    }
}

/// Whether packets to it do not leave the link or the machine.
fn is_confined(addr: Ipv6Addr) -> bool {
    is_multicast(addr)
        || match addr.to_ipv4_mapped() {
            Some(a) => a.is_loopback() || a.is_link_local(),
            None => addr.is_loopback() || addr.is_unicast_link_local(),
        }
}

fn is_multicast(addr: Ipv6Addr) -> bool {
    match addr.to_ipv4_mapped() {
        Some(a) => a.is_multicast() || a.is_broadcast(),
        None => addr.is_multicast(),
    }
}

/// The kernel's table of our own addresses.
const RT_TABLE_LOCAL: u32 = 255;
/// The operator's own address space.
const OWN: CustomerId = CustomerId(0);

/// [`Neighbor::state`] of a neighbour that did not answer.
pub(super) const FAILED: &str = "failed";
/// [`Neighbor::state`] of a neighbour that an operator put there.
pub(super) const PERMANENT: &str = "permanent";

#[cfg(test)]
mod tests;
