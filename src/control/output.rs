//! Frames that the control core sends: its own messages, the kernel's frames, and frames that
//! waited for a neighbour. They leave by a worker's transmit queue
//! (`docs/adr/0021-inject-through-worker.md`).
//!
//! ```text
//!   message --route--> port, next hop --neighbor--> Ethernet header --> inject ring --> worker
//!                                         |unknown
//!        |                                +--> held, kernel asked, sent when it answers
//!        +-- to be protected --> the kernel, and back from it as a frame
//!        +-- to a node's address --> inject ring --> worker, which has the node's tunnel
//!        +-- to a node at home that is registered elsewhere --> its home link's neighbour, or
//!            inject ring, with its gateway's tunnel --> worker
//! ```

use super::PortInfo;
use super::counters::{Counter, Counters};
use super::ipsec::IpsecPath;
use super::mirror::{Neighbor, NeighborRequest};
use super::neighbor::{NeighborKey, NeighborTable};
use super::next_hop::RouteTable;
use crate::addr::{CustomerId, CustomerPrefix, GreKeys, MacAddr, PortId};
use crate::dataplane::update::{Inject, NextHop, Tunnel};
use crate::nic::{Frame, FramePool};
use crate::sync::ring::Producer;
use crate::time::Instant;
use crate::wire::ether::{self, EtherHeader};
use crossbeam::channel::Sender;
use hashbrown::{HashMap, HashSet};
use std::net::Ipv6Addr;

/// Everything that sending needs.
pub(super) struct Output<P: FramePool> {
    pool: P,
    ports: Vec<PortInfo>,
    /// By worker.
    injects: Vec<Producer<Inject<P::Frame>>>,
    routes: RouteTable,
    pub(super) neighbors: NeighborTable<P::Frame>,
    /// Next hops of routes, with how many routes lead there. The kernel keeps them resolved, and
    /// `mags`, too. Every later question must say so again: without the flag it would stop.
    gateways: HashMap<NeighborKey, usize>,
    /// Our gateways' addresses, on link or not.
    mags: HashSet<Ipv6Addr>,
    requests: Sender<NeighborRequest>,
    /// The way of what is to be protected.
    pub(super) ipsec: IpsecPath,
}

impl<P: FramePool> Output<P> {
    pub(super) fn new(
        pool: P,
        ports: Vec<PortInfo>,
        injects: Vec<Producer<Inject<P::Frame>>>,
        requests: Sender<NeighborRequest>,
        ipsec: IpsecPath,
    ) -> Self {
        let (routes, neighbors) = (RouteTable::default(), NeighborTable::default());
        let (gateways, mags) = (HashMap::new(), HashSet::new());
        Self { pool, ports, injects, routes, neighbors, gateways, mags, requests, ipsec }
    }

    pub(super) fn ports(&self) -> &[PortInfo] {
        &self.ports
    }

    /// Sends a message as [`Self::send_packet`] does, or has the kernel send it in ESP.
    pub(super) fn send_message(
        &mut self,
        esp: bool,
        dst: Ipv6Addr,
        now: Instant,
        counters: &mut Counters,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> bool {
        if esp {
            self.ipsec.send(counters, write)
        } else {
            self.send_packet(dst, now, counters, write)
        }
    }

    /// Sends an IP packet that `write` puts into a buffer as long as the port's MTU;
    /// `write` returns the packet's length, or `None` if it does not fit. `true`: it is on a
    /// worker's ring, or waits for its next hop.
    pub(super) fn send_packet(
        &mut self,
        dst: Ipv6Addr,
        now: Instant,
        counters: &mut Counters,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> bool {
        let (port, hop) = match self.routes.lookup(dst) {
            Some(NextHop::Gateway(port, gateway)) => (port, gateway),
            Some(NextHop::OnLink(port)) => (port, dst),
            Some(NextHop::Unreachable | NextHop::Blackhole | NextHop::Local) | None => {
                counters[Counter::NoRoute] += 1;
                return false;
            }
        };
        self.send_on_link((port, hop), now, counters, write)
    }

    /// The same to this neighbour, whatever routes say.
    pub(super) fn send_on_link(
        &mut self,
        to: NeighborKey,
        now: Instant,
        counters: &mut Counters,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> bool {
        let Some(mut frame) = self.written(to.0, counters, write) else { return false };
        self.write_header(to.0, &mut frame);
        self.send_to_neighbor(to, frame, now, counters)
    }

    /// Has a worker send an IP packet to an address that a node holds; `write` as of
    /// [`Self::send_packet`]. `true`: it is on the worker's ring.
    pub(super) fn send_to_node(
        &mut self,
        customer: CustomerId,
        counters: &mut Counters,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> bool {
        // Any port's buffers will do: the worker knows by which one the packet leaves.
        let Some(frame) = self.written(PortId(0), counters, write) else { return false };
        self.inject(0, Inject::ToNode(customer, frame), counters)
    }

    /// The same through this tunnel, whatever a node's address says.
    pub(super) fn send_through(
        &mut self,
        tunnel: Tunnel,
        keys: GreKeys,
        counters: &mut Counters,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> bool {
        let Some(frame) = self.written(PortId(0), counters, write) else { return false };
        self.inject(0, Inject::Through(tunnel, keys, frame), counters)
    }

    /// A frame with the packet that `write` puts behind the room for its header.
    fn written(
        &self,
        port: PortId,
        counters: &mut Counters,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Option<P::Frame> {
        let info = self.ports.get(usize::from(port.0));
        let mtu = info.map_or(0, |p| usize::from(p.mtu));
        let Some(mut frame) = self.alloc(port, (ether::HEADER_LEN + mtu).min(FRAME_LEN_MAX)) else {
            counters[Counter::NoBuffer] += 1;
            return None;
        };
        let written = frame.data_mut().get_mut(ether::HEADER_LEN..).and_then(write);
        if !written.is_some_and(|len| frame.truncate(ether::HEADER_LEN + len)) {
            counters[Counter::MessageTooLong] += 1;
            return None;
        }
        Some(frame)
    }

    /// Sends a frame whose header is complete but for its destination, or holds it until its
    /// neighbour is resolved; `false` if the worker's ring was full.
    pub(super) fn send_to_neighbor(
        &mut self,
        key: NeighborKey,
        mut frame: P::Frame,
        now: Instant,
        counters: &mut Counters,
    ) -> bool {
        if let Some(mac) = self.neighbors.mac(key) {
            address(&mut frame, mac);
            return self.inject_frame(key.0, frame, counters);
        }
        counters[Counter::NeighborHeld] += 1;
        let held = self.neighbors.hold(key, frame, now);
        counters[Counter::NeighborHeldDropped] += held.dropped;
        if held.ask {
            self.ask(key, counters);
        }
        true
    }

    fn ask(&self, (port, addr): NeighborKey, counters: &mut Counters) {
        // The kernel would take a permanent neighbour for one that is to be resolved from now on.
        if self.neighbors.is_permanent((port, addr)) {
            return;
        }
        let keep = self.mags.contains(&addr) || self.gateways.contains_key(&(port, addr));
        // A full channel drops the question: the next frame asks again.
        if self.requests.try_send(NeighborRequest { port, addr, keep }).is_ok() {
            counters[Counter::NeighborAsked] += 1;
        }
    }

    /// Creates or replaces a route. The kernel is to resolve its next hop, and keep it resolved.
    pub(super) fn set_route(
        &mut self,
        prefix: CustomerPrefix,
        hop: NextHop,
        counters: &mut Counters,
    ) {
        let old = self.routes.set(prefix, hop);
        if old == Some(hop) {
            return;
        }
        if let NextHop::Gateway(port, addr) = hop {
            let routes = self.gateways.entry((port, addr)).or_default();
            *routes += 1;
            if *routes == 1 {
                self.ask((port, addr), counters);
            }
        }
        self.release_hop(old, counters);
    }

    /// Removes a route.
    pub(super) fn remove_route(&mut self, prefix: CustomerPrefix, counters: &mut Counters) {
        let old = self.routes.remove(prefix);
        self.release_hop(old, counters);
    }

    /// Lets the next hop of a route go, if that was the last one.
    fn release_hop(&mut self, hop: Option<NextHop>, counters: &mut Counters) {
        let Some(NextHop::Gateway(port, addr)) = hop else { return };
        let Some(routes) = self.gateways.get_mut(&(port, addr)) else { return };
        *routes -= 1;
        if *routes == 0 {
            self.gateways.remove(&(port, addr));
            self.ask((port, addr), counters);
        }
    }

    /// Has the kernel resolve one of our gateways and keep it resolved, if it is on link.
    pub(super) fn keep_mag(&mut self, mag: Ipv6Addr, counters: &mut Counters) {
        self.mags.insert(mag);
        self.ask_if_on_link(mag, counters);
    }

    /// Lets go of a gateway that is none of ours any more.
    pub(super) fn release_mag(&mut self, mag: Ipv6Addr, counters: &mut Counters) {
        if self.mags.remove(&mag) {
            self.ask_if_on_link(mag, counters);
        }
    }

    fn ask_if_on_link(&self, dst: Ipv6Addr, counters: &mut Counters) {
        if let Some(NextHop::OnLink(port)) = self.routes.lookup(dst) {
            self.ask((port, dst), counters);
        }
    }

    /// Takes in what the kernel says of a neighbour, and sends what waited for it and `is_due`
    /// still.
    pub(super) fn learned(
        &mut self,
        key: NeighborKey,
        neighbor: Neighbor,
        counters: &mut Counters,
        is_due: impl Fn(&[u8]) -> bool,
    ) {
        let waiting = self.neighbors.learned(key, neighbor);
        let Some(mac) = neighbor.mac else { return };
        for mut frame in waiting {
            if !is_due(frame.data()) {
                counters[Counter::NeighborHeldDropped] += 1;
                continue;
            }
            address(&mut frame, mac);
            self.inject_frame(key.0, frame, counters);
        }
    }

    /// Sends a whole frame as it is; `false` if there was no buffer, or the worker's ring was full.
    pub(super) fn send_frame(
        &mut self,
        port: PortId,
        bytes: &[u8],
        counters: &mut Counters,
    ) -> bool {
        let Some(mut frame) = self.alloc(port, bytes.len()) else {
            counters[Counter::NoBuffer] += 1;
            return false;
        };
        frame.data_mut().copy_from_slice(bytes);
        self.inject_frame(port, frame, counters)
    }

    /// Sends a frame of the kernel as it is.
    pub(super) fn send_from_kernel(&mut self, port: PortId, bytes: &[u8], counters: &mut Counters) {
        match self.alloc(port, bytes.len()) {
            Some(mut frame) => {
                frame.data_mut().copy_from_slice(bytes);
                counters[Counter::KernelRx] += 1;
                self.inject_frame(port, frame, counters);
            }
            None => counters[Counter::KernelRxDropped] += 1,
        }
    }

    /// The port whose TAP a frame belongs to that came on `port`; its VLAN tag, if it has one, is
    /// taken off. `None` if there is no such VLAN.
    pub(super) fn untag(&self, port: PortId, frame: &mut P::Frame) -> Option<PortId> {
        let Some(id) = ether::vlan_id(frame.data()) else { return Some(port) };
        let place = self.ports.iter().position(|p| p.vlan == Some((port, id)))?;
        frame.data_mut().get_mut(..TAGGED_LEN)?.copy_within(..ADDRESSES_LEN, ether::TAG_LEN);
        let port = u16::try_from(place).ok().map(PortId)?;
        frame.trim_front(ether::TAG_LEN).then_some(port)
    }

    /// A frame of `len` bytes.
    fn alloc(&self, port: PortId, len: usize) -> Option<P::Frame> {
        let mut frame = self.pool.alloc(port)?;
        frame.append(len).then_some(frame)
    }

    /// Writes all of a frame's header but for its destination; the packet is there already. The tag
    /// of a VLAN is the worker's.
    fn write_header(&self, port: PortId, frame: &mut P::Frame) {
        let Some(info) = self.ports.get(usize::from(port.0)) else { return };
        let is_ipv4 = frame.data().get(ether::HEADER_LEN).is_some_and(|b| b >> 4 == 4);
        let ether_type = if is_ipv4 { ether::IPV4 } else { ether::IPV6 };
        let header = EtherHeader { dst: MacAddr::default(), src: info.mac, ether_type };
        // A frame without room for it was never one: the port discards it.
        let _ = header.emit(frame.data_mut());
    }

    /// A port's frames all take the same worker: they keep their order. `false` if its ring is
    /// full.
    fn inject_frame(&mut self, port: PortId, frame: P::Frame, counters: &mut Counters) -> bool {
        let worker = usize::from(port.0) % self.injects.len().max(1);
        self.inject(worker, Inject::Frame(port, frame), counters)
    }

    fn inject(&mut self, worker: usize, inject: Inject<P::Frame>, counters: &mut Counters) -> bool {
        let refused = self.injects.get_mut(worker).is_none_or(|ring| ring.push(inject).is_err());
        counters[Counter::InjectDropped] += u64::from(refused);
        !refused
    }
}

fn address<F: Frame>(frame: &mut F, dst: MacAddr) {
    if let Some(place) = frame.data_mut().get_mut(..dst.0.len()) {
        place.copy_from_slice(&dst.0);
    }
}

/// Both addresses of an Ethernet header, in bytes.
const ADDRESSES_LEN: usize = 12;
/// The same with a tag behind them.
const TAGGED_LEN: usize = ADDRESSES_LEN + ether::TAG_LEN;
/// Room in a buffer of every pool, in bytes.
const FRAME_LEN_MAX: usize = 2048;
