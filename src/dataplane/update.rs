//! What crosses between the control core and a worker: updates down, punts and reports up.

use crate::addr::{
    COPIES_MAX, CustomerId, CustomerPrefix, GreKeys, MacAddr, PortId, Protection, TunnelPath,
};
use crate::nic::Frame;
use crate::sync::seq::Seq;
use std::net::Ipv6Addr;

/// A tunnel to one gateway, by index into every worker's tunnel table. Allocated densely by
/// `control::publish`, which reuses an id only after every worker has applied its removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TunnelId(pub u32);

/// What a worker needs to know of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tunnel {
    /// Both ends and what stands between the outer header and the packet.
    pub path: TunnelPath,
    /// The largest outer packet, outer IP header included, in bytes.
    pub mtu: u16,
}

/// Several tunnels, without gaps; the first is the one that was registered last.
pub type Copies = [Option<TunnelId>; COPIES_MAX];

/// What a worker does with packets of a binding's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    /// Forward both ways through the tunnel, with these keys if it is one of GRE.
    Tunnel(TunnelId, GreKeys),
    /// The binding waits for its deletion: drop both ways (RFC 5213 5.3.5 (2)).
    Held,
}

/// One next hop of the mirrored FIB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextHop {
    /// Out of `port` to this gateway.
    Gateway(PortId, Ipv6Addr),
    /// On link: out of `port`, to the destination itself.
    OnLink(PortId),
    /// Discard and answer "no route" (unreachable and prohibit routes of the kernel).
    Unreachable,
    /// Discard without an answer (blackhole).
    Blackhole,
    /// The destination is one of our own addresses: hand it to the kernel.
    Local,
}

/// One change to a worker's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Creates or replaces a tunnel.
    TunnelSet(TunnelId, Tunnel),
    /// Creates what stands for several tunnels: a copy of each packet takes each of them. It is
    /// removed as a tunnel is, before these are.
    CopiesSet(TunnelId, Copies),
    /// Creates what stands for the second, a tunnel, as far as this leaves packets to it: the
    /// kernel puts the others into ESP. It is removed as a tunnel is, before that one.
    ProtectedSet(TunnelId, TunnelId, Protection),
    /// Removes a tunnel; no entry names it any more. (If one did, its packets would be dropped.)
    TunnelDel(TunnelId),
    /// Creates the entry of a prefix, or moves it; its counters stay.
    EntrySet(CustomerPrefix, Forward),
    /// Removes the entry of a prefix and its counters.
    EntryDel(CustomerPrefix),
    /// A prefix that the anchor's nodes live in. Addresses inside that no entry holds are
    /// unreachable, and what nodes send into it stays in the anchor: every prefix that may ever
    /// have an entry lies in a pool, on every worker.
    PoolSet(CustomerPrefix),
    /// No longer.
    PoolDel(CustomerPrefix),
    /// Creates or replaces a route.
    RouteSet(CustomerPrefix, NextHop),
    /// Removes a route.
    RouteDel(CustomerPrefix),
    /// The link-layer address of a neighbour became known, or changed.
    NeighborSet(PortId, Ipv6Addr, MacAddr),
    /// It is no longer known.
    NeighborDel(PortId, Ipv6Addr),
    /// Tunnel packets from this gateway that no GRE key of ours gives to a customer are in the
    /// address space of this one.
    OriginSet(Ipv6Addr, CustomerId),
    /// They are in the operator's again.
    OriginDel(Ipv6Addr),
    /// The tunnel of a node of Mobile IPv4 ends there: source addresses that are not as they should
    /// be are security exceptions (RFC 5454 4).
    NodeEndSet(Ipv6Addr),
    /// None does any more.
    NodeEndDel(Ipv6Addr),
    /// Asks for the counters of a prefix's entry: answered by [`Report::Counters`].
    CountersGet(CustomerPrefix, u64),
}

/// A change with its place in the control core's order. A worker applies every update that its
/// ring holds before each burst, then stores the last `seq`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Update {
    /// Strictly rising per worker; several workers may get the same.
    pub seq: Seq,
    /// What changes.
    pub change: Change,
}

/// Packets and bytes of one entry; bytes are of inner packets, IP header included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[allow(missing_docs)]
pub struct EntryCounters {
    pub downlink_packets: u64,
    pub downlink_bytes: u64,
    pub uplink_packets: u64,
    pub uplink_bytes: u64,
}

impl std::ops::AddAssign for EntryCounters {
    fn add_assign(&mut self, more: Self) {
        self.downlink_packets += more.downlink_packets;
        self.downlink_bytes += more.downlink_bytes;
        self.uplink_packets += more.uplink_packets;
        self.uplink_bytes += more.uplink_bytes;
    }
}

/// Why a frame was handed to the control core. (Mobility Headers have a ring of their own.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PuntReason {
    /// For the host kernel: ND, ARP, anything to our own addresses, link-local, multicast. As it
    /// came, with a VLAN's tag.
    Exception,
    /// For the host kernel, which forwards it in ESP: a node's, whose tunnel is protected. Its
    /// Ethernet header is one as if it had come by the port.
    Protected,
    /// Ready to leave but for the link-layer address of this next hop; the control core holds it
    /// until the kernel has resolved it. The Ethernet header is complete but for the destination.
    Unresolved(PortId, Ipv6Addr),
}

/// What a worker tells the control core.
#[derive(Debug)]
pub enum Report<F: Frame> {
    /// A frame for the control core.
    Punt(PuntReason, F),
    /// The answer to [`Change::CountersGet`]; `None` if the worker has no such entry.
    Counters(u64, Option<EntryCounters>),
    /// The path to this gateway carries packets of so many bytes at most, outer IP header included:
    /// a router said so about a packet of ours.
    PathMtu(Ipv6Addr, u16),
    /// From this end of a tunnel came a packet with this source, which it may not have: see
    /// [`Change::NodeEndSet`]. Not of each one that came.
    Exception(Ipv6Addr, Ipv6Addr),
}

/// What the control core wants sent.
#[derive(Debug)]
pub enum Inject<F: Frame> {
    /// A frame as it is, Ethernet header included, out of this port.
    Frame(PortId, F),
    /// A packet of ours to an address that a node holds, in this customer's address space: it takes
    /// the node's tunnel, as others' packets do. Its Ethernet header is room.
    ToNode(CustomerId, F),
    /// A packet of ours that takes this tunnel with these keys, whatever the entry of its
    /// destination says. Its Ethernet header is room.
    Through(Tunnel, GreKeys, F),
}
