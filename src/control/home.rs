//! Home links: what a home agent does on them besides registrations (RFC 6275 10.4.1, RFC 4862
//! 5.4).
//!
//! ```text
//!   Action::ProbeHome --> solicitation from ::, again each RetransTimer --> Event::HomeProbed
//!                           ^ an advertisement, or another's probe: taken
//!   Action::Defend    --> advertisement to all nodes; solicitations are answered until Undefend
//!                         packets to a link-local address are refused meanwhile
//!   Event::HomeLinkRouter <-- router advertisements
//! ```
//! On a virtual link nobody is asked and nobody has to be told.

mod icmp;
mod link_local;

use super::Control;
use super::counters::Counter;
use crate::addr::{CustomerPrefix, MacAddr, PortId};
use crate::mobility::event::Event;
use crate::mobility::ha::{LinkAddress, LinkId};
use crate::nic::FramePool;
use crate::time::{Duration, Instant, Now};
use crate::wire::ether::{self, EtherHeader};
use crate::wire::icmpv6;
use crate::wire::icmpv6::ndp::{
    self, Envelope, NeighborAdvertisement, NeighborSolicitation, solicited_node,
};
use crate::wire::ipv6::{self, Ipv6Header};
use hashbrown::HashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

/// What the configuration says of home links.
#[derive(Debug, Clone, Default)]
pub struct HomeLinks {
    /// The ports that have one; all others are virtual.
    pub ports: BTreeMap<LinkId, HomePort>,
    /// The prefixes of these, in their customers' address spaces.
    pub prefixes: Vec<CustomerPrefix>,
    /// `DupAddrDetectTransmits` (RFC 4862 5.1).
    pub dad_transmits: u8,
    /// `RetransTimer` (RFC 4861 10).
    pub retrans_timer: Duration,
}

/// A home link at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HomePort {
    /// The port.
    pub port: PortId,
    /// Our address on the link.
    pub address: Ipv6Addr,
}

/// Probes under way, and what is defended.
#[derive(Debug)]
pub(super) struct Home {
    links: HomeLinks,
    /// Solicitations that are still to be sent, and when the next one, or the end, is due.
    probes: BTreeMap<LinkAddress, (u8, Instant)>,
    /// The same by time.
    due: BTreeSet<(Instant, LinkAddress)>,
    /// And whether it is a mobile router's.
    defended: HashMap<LinkAddress, bool>,
    /// What came of probes: empty between events.
    probed: Vec<(LinkAddress, bool)>,
}

impl Home {
    pub(super) fn new(links: HomeLinks) -> Self {
        let (probes, due) = (BTreeMap::new(), BTreeSet::new());
        Self { links, probes, due, defended: HashMap::new(), probed: Vec::new() }
    }

    /// The port of a link; `None`: it is virtual.
    pub(super) fn port(&self, link: LinkId) -> Option<HomePort> {
        self.links.ports.get(&link).copied()
    }

    /// The link at a port.
    fn link_of(&self, port: PortId) -> Option<LinkId> {
        let mut links = self.links.ports.iter();
        links.find(|(_, p)| p.port == port).map(|(link, _)| *link)
    }

    /// Another configuration. What is defended on a link that is gone, the home agent lets go by
    /// itself. What was asked there has no answer: silence would say that an address is free, and
    /// the home agent refuses who waits for it.
    pub(super) fn take_over(&mut self, links: &mut HomeLinks) {
        std::mem::swap(&mut self.links, links);
        let ports = &self.links.ports;
        self.probes.retain(|address, _| ports.contains_key(&address.link));
        self.due.retain(|(_, address)| ports.contains_key(&address.link));
    }

    fn set_probe(&mut self, address: LinkAddress, left: u8, due: Instant) {
        if let Some((_, old)) = self.probes.insert(address, (left, due)) {
            self.due.remove(&(old, address));
        }
        self.due.insert((due, address));
    }

    /// A probe ends.
    fn end_probe(&mut self, address: LinkAddress, taken: bool) {
        if let Some((_, due)) = self.probes.remove(&address) {
            self.due.remove(&(due, address));
            self.probed.push((address, taken));
        }
    }
}

impl<P: FramePool> Control<P> {
    /// Begins to ask a home link for an address.
    pub(super) fn probe_home(&mut self, address: LinkAddress, now: Now) {
        let transmits = self.home.links.dad_transmits;
        if self.home.port(address.link).is_none() || transmits == 0 {
            self.home.probed.push((address, false));
            return;
        }
        self.home.set_probe(address, transmits, now.mono);
    }

    /// Sends the solicitations that are due, and ends probes that nobody answered.
    pub(super) fn run_probes(&mut self, now: Now) -> usize {
        let mut work = 0;
        while work < PROBE_BUDGET
            && let Some(&(_, address)) = self.home.due.first().filter(|(at, _)| *at <= now.mono)
        {
            let left = self.home.probes.get(&address).and_then(|(left, _)| left.checked_sub(1));
            match left.zip(self.home.port(address.link)) {
                Some((left, home)) => {
                    let next = now.mono + self.home.links.retrans_timer;
                    self.home.set_probe(address, left, next);
                    self.solicit(home.port, address.address);
                }
                None => self.home.end_probe(address, false),
            }
            work += 1;
        }
        self.finish_probes(now);
        work
    }

    /// Hands on what came of probes.
    pub(super) fn finish_probes(&mut self, now: Now) {
        while let Some((address, taken)) = self.home.probed.pop() {
            self.counters[Counter::HomeAddressTaken] += u64::from(taken);
            self.handle_event(Event::HomeProbed { address, taken }, now);
        }
    }

    /// Answers for an address from now on, and tells all that have another's in their caches.
    pub(super) fn defend(&mut self, address: LinkAddress, router: bool) {
        let Some(home) = self.home.port(address.link) else { return };
        self.home.defended.insert(address, router);
        self.advertise(home, (address.address, router), ALL_NODES, None);
    }

    pub(super) fn undefend(&mut self, address: LinkAddress) {
        self.home.defended.remove(&address);
    }

    /// Looks at a frame for the kernel. `true`: it is ours alone.
    pub(super) fn hear_home_link(&mut self, port: PortId, frame: &[u8], now: Now) -> bool {
        if !self.anchor.ha().is_enabled() {
            return false;
        }
        if self.hear_node(frame, now) {
            return true;
        }
        let Some((ip, message)) = neighbor_discovery(frame) else {
            return self.refuse_link_local(port, frame, now);
        };
        let envelope = Envelope { src: ip.src, dst: ip.dst, hop_limit: ip.hop_limit };
        if let Ok(solicitation) = NeighborSolicitation::parse(message, envelope) {
            let ours = self.solicited(port, ip.src, &solicitation, frame);
            self.finish_probes(now);
            return ours || self.refuse_link_local(port, frame, now);
        }
        if let Ok(advertisement) = NeighborAdvertisement::parse(message, envelope) {
            self.found(port, advertisement.target);
            self.finish_probes(now);
        }
        self.hear_router(port, message, envelope, now);
        self.refuse_link_local(port, frame, now)
    }

    /// RFC 6275 10.4.1: solicitations of addresses that we defend are answered by us.
    fn solicited(
        &mut self,
        port: PortId,
        src: Ipv6Addr,
        solicitation: &NeighborSolicitation,
        frame: &[u8],
    ) -> bool {
        let target = solicitation.target;
        let mac = EtherHeader::parse(frame).ok().map(|e| e.src);
        // The kernel asks for a node that is back before we have let its address go.
        if self.output.ports().iter().any(|p| Some(p.mac) == mac) {
            return false;
        }
        let ours = self.home.link_of(port).and_then(|link| {
            let router = *self.home.defended.get(&LinkAddress { link, address: target })?;
            Some((self.home.port(link)?, router))
        });
        if let Some((home, router)) = ours {
            let target = (target, router);
            if src.is_unspecified() {
                // RFC 4862 5.4.3, RFC 4861 7.2.4: who asks has no address yet.
                self.advertise(home, target, ALL_NODES, None);
            } else {
                self.advertise(home, target, src, solicitation.source_link_layer.or(mac));
            }
            self.counters[Counter::HomeAddressDefended] += 1;
            return true;
        }
        // RFC 4862 5.4.3: another one who detects duplicates of it.
        if src.is_unspecified() {
            self.found(port, target);
        }
        false
    }

    /// Somebody on the link has an address, or wants it.
    fn found(&mut self, port: PortId, address: Ipv6Addr) {
        if let Some(link) = self.home.link_of(port) {
            self.home.end_probe(LinkAddress { link, address }, true);
        }
    }

    /// RFC 4862 5.4.2: from `::` to the solicited-node group.
    fn solicit(&mut self, port: PortId, target: Ipv6Addr) {
        let message = NeighborSolicitation { target, source_link_layer: None };
        let (src, dst) = (Ipv6Addr::UNSPECIFIED, solicited_node(target));
        self.send_discovery(port, dst, None, |buf| message.emit(src, dst, buf).ok(), src);
    }

    /// RFC 6275 10.4.1: with our link-layer address, to override what is cached; as a router's if
    /// the node is one (RFC 3963 6.2).
    fn advertise(
        &mut self,
        home: HomePort,
        (target, router): (Ipv6Addr, bool),
        dst: Ipv6Addr,
        to: Option<MacAddr>,
    ) {
        let Some(info) = self.output.ports().get(usize::from(home.port.0)) else { return };
        let message = NeighborAdvertisement {
            target,
            router,
            solicited: !dst.is_multicast(),
            overrides: true,
            target_link_layer: Some(info.mac),
        };
        let src = home.address;
        self.send_discovery(home.port, dst, to, |buf| message.emit(src, dst, buf).ok(), src);
    }

    /// Sends a message of neighbour discovery that `write` puts into a buffer; without `to`, to the
    /// link-layer address of the group.
    fn send_discovery(
        &mut self,
        port: PortId,
        dst: Ipv6Addr,
        to: Option<MacAddr>,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
        src: Ipv6Addr,
    ) {
        let Some(info) = self.output.ports().get(usize::from(port.0)) else { return };
        let mut frame = [0; DISCOVERY_LEN_MAX];
        let (front, message) = frame.split_at_mut(ether::HEADER_LEN + ipv6::HEADER_LEN);
        let Some(len) = write(message) else { return };
        let ip = Ipv6Header {
            traffic_class: 0,
            flow_label: 0,
            payload_len: u16::try_from(len).unwrap_or(u16::MAX),
            next_header: icmpv6::NEXT_HEADER,
            hop_limit: ndp::HOP_LIMIT,
            src,
            dst,
        };
        let dst = to.unwrap_or_else(|| group_mac(dst));
        let header = EtherHeader { dst, src: info.mac, ether_type: ether::IPV6 };
        let (link, network) = front.split_at_mut(ether::HEADER_LEN);
        if header.emit(link).is_ok() && ip.emit(network).is_ok() {
            let len = ether::HEADER_LEN + ipv6::HEADER_LEN + len;
            let frame = frame.get(..len).unwrap_or_default();
            self.output.send_frame(port, frame, &mut self.counters);
        }
    }
}

/// The ICMPv6 message of a frame that may be neighbour discovery, and the header before it.
fn neighbor_discovery(frame: &[u8]) -> Option<(Ipv6Header, &[u8])> {
    let (ether::IPV6, packet) = ether::payload(frame).ok()? else { return None };
    let ip = Ipv6Header::parse(packet).ok()?;
    let is_ours = ip.next_header == icmpv6::NEXT_HEADER && ip.hop_limit == ndp::HOP_LIMIT;
    let message = packet.get(ipv6::HEADER_LEN..ip.packet_len())?;
    is_ours.then_some((ip, message))
}

/// RFC 2464 7: the link-layer address of a multicast group.
fn group_mac(group: Ipv6Addr) -> MacAddr {
    let [.., a, b, c, d] = group.octets();
    MacAddr([0x33, 0x33, a, b, c, d])
}

/// All nodes of a link (RFC 4291 2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Probes looked at a turn.
const PROBE_BUDGET: usize = 64;
/// Both headers and the longest message, in bytes.
const DISCOVERY_LEN_MAX: usize = ether::HEADER_LEN + ipv6::HEADER_LEN + 32;

#[cfg(test)]
pub(super) mod tests;
