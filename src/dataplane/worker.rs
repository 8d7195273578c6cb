//! A forwarding worker: polls its queues and rings, and runs every frame to its end.

use super::burst::Lane;
use super::counters::{Counter, CounterWriter, WorkerCounters};
use super::drop::DropReason;
use super::egress::Staged;
use super::handoff::{Handoff, Peers};
use super::marking::{DscpModel, EcnMode};
use super::ordinary::Notes;
use super::punt::Reports;
use super::steer::Steering;
use super::tunnel::Special;
use super::update::{Change, Inject, Report, Update};
use crate::addr::{AnchorAddr, CustomerId, MacAddr, PortId, WorkerId};
use crate::nic::{BURST_MAX, Burst, Frame, FramePool, RxQueue, TxQueue};
use crate::sync::ring::{Consumer, Producer};
use crate::sync::seq::AppliedWriter;
use crate::time::Instant;
use arrayvec::ArrayVec;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// What a worker is told once, at start.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Which worker this is, below `steering.workers()`.
    pub id: WorkerId,
    /// Who owns what; the same for all workers and for the control core.
    pub steering: Steering,
    /// Where tunnels over IPv6 end.
    pub lma: AnchorAddr,
    /// Where tunnels over IPv4 end, if any do.
    pub lma_ipv4: Option<Ipv4Addr>,
    /// Our own addresses besides these and the ports', IPv4 ones mapped: what is sent to them is
    /// the kernel's. (More may come as routes with [`super::update::NextHop::Local`].)
    pub local: Vec<Ipv6Addr>,
    /// The VLANs of ports that are ports of their own: their [`PortId`]s follow those of the ports
    /// that have queues, in this order.
    pub vlans: Vec<VlanPort>,
    /// How much a worker's tables hold.
    pub limits: Limits,
    /// What the operator wants of tunnels in general.
    pub policy: TunnelPolicy,
}

/// How much a worker's tables hold. The control core never publishes more, so that no update can be
/// refused: see `docs/adr/0011-shard-table.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Home network prefixes over all bindings, whichever worker owns them.
    pub entries_max: usize,
    /// Gateways with at least one binding: every [`super::update::TunnelId`] is below it.
    pub tunnels_max: usize,
}

/// What the operator wants of tunnels in general.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TunnelPolicy {
    /// Whether ECN works inside tunnels.
    pub ecn: EcnMode,
    /// The DSCP of tunnel packets, and of what comes out of them.
    pub dscp: DscpModel,
    /// Customers whose tunnel packets have a DSCP of their own, 0 to 63.
    pub customer_dscp: Vec<(CustomerId, u8)>,
    /// Whether the Maximum Segment Size of TCP is lowered to what a tunnel carries.
    pub clamp_mss: bool,
    /// Whether nodes register by themselves, too: their Mobility Headers to the anchor are the
    /// control core's, out of a tunnel as well (RFC 6612 3.1).
    pub home_agent: bool,
    /// There is one of Mobile IPv4: tunnel packets to its nodes are looked into.
    pub mobile_ipv4: bool,
}

/// A port as its workers see it. The same for all workers; `PortId` is its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortConfig {
    /// Whether tunnels and signaling are accepted here (role access). Plain packets are accepted
    /// on every port, so one access port alone is a one-armed anchor.
    pub access: bool,
    /// Its MAC address.
    pub mac: MacAddr,
    /// Largest IP packet, in bytes.
    pub mtu: u16,
    /// Its own address, the source of ICMPv6 errors that leave here; the LMA address if there is
    /// none.
    pub address: Option<Ipv6Addr>,
    /// The same for ICMP of IPv4.
    pub ipv4_address: Option<Ipv4Addr>,
    /// In whose address space plain packets are that come here.
    pub customer: CustomerId,
}

/// A VLAN of a port, with a [`PortId`] of its own: its frames are tagged on the wire and nowhere
/// else, but for those to and from the kernel, which are the parent's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VlanPort {
    /// The port that it is a VLAN of.
    pub parent: PortId,
    /// The VLAN identifier, 1 to 4094.
    pub id: u16,
    /// What it is beside that.
    pub config: PortConfig,
}

/// A port and this worker's queues on it.
pub struct WorkerPort<R, T> {
    /// What it is.
    pub config: PortConfig,
    /// This worker's receive queue.
    pub rx: R,
    /// This worker's transmit queue.
    pub tx: T,
}

/// The worker's ends of all rings.
pub struct WorkerRings<F: Frame> {
    /// Changes from the control core.
    pub updates: Consumer<Update>,
    /// Frames that the control core wants sent.
    pub injects: Consumer<Inject<F>>,
    /// Mobility Headers to the anchor's address, for the control core.
    pub signaling: Producer<F>,
    /// Other punts, and answers, to the control core.
    pub reports: Producer<Report<F>>,
    /// From every other worker.
    pub handoff_in: Vec<Consumer<Handoff<F>>>,
    /// To every worker, in the order of their ids; `None` for this one.
    pub handoff_out: Vec<Option<Producer<Handoff<F>>>>,
}

/// A forwarding worker. Owns its part of the binding table, its queues and its counters.
pub struct Worker<R: RxQueue> {
    pub(super) lane: Lane<R::Frame>,
    /// Of the burst that is run.
    pub(super) notes: Notes,
    /// By port.
    queues: Vec<R>,
    updates: Consumer<Update>,
    injects: Consumer<Inject<R::Frame>>,
    handoffs: Vec<Consumer<Handoff<R::Frame>>>,
    applied: AppliedWriter,
}

/// Updates applied at most between two bursts: less than what a burst takes when each of them
/// misses every cache, so that no change of whatever size delays a packet for longer than that
/// (`perf/run` shows the turns of a worker while its table grows and empties).
const UPDATES_MAX: usize = 4;

impl<R: RxQueue> Worker<R> {
    /// A worker with empty tables; allocates all that `config.limits` will ever need. (Routes and
    /// neighbours allocate as they come: their number is the kernel's.) Frames for fragments, and
    /// for what was put together from them, are from `pool`.
    #[must_use]
    pub fn new(
        config: WorkerConfig,
        ports: Vec<WorkerPort<R, impl TxQueue<Frame = R::Frame>>>,
        rings: WorkerRings<R::Frame>,
        pool: impl FramePool<Frame = R::Frame>,
        applied: AppliedWriter,
        counters: Arc<WorkerCounters>,
    ) -> Self {
        let mut queues = Vec::new();
        let mut devices = Vec::new();
        for WorkerPort { config, rx, tx } in ports {
            queues.push(rx);
            devices.push((config, Staged::new(tx)));
        }
        let peers = Peers::new(rings.handoff_out);
        let reports = Reports::new(rings.signaling, rings.reports);
        Self {
            lane: Lane::new(
                config,
                devices,
                peers,
                reports,
                Box::new(pool),
                CounterWriter::new(counters),
            ),
            notes: Notes::new(),
            queues,
            updates: rings.updates,
            injects: rings.injects,
            handoffs: rings.handoff_in,
            applied,
        }
    }

    /// One turn: runs one burst of each port and of each hand-off ring to its end, and before each
    /// port does what the control core wants: a registration waits for one burst, not for a whole
    /// turn. Returns how many updates and frames that was; zero says that the worker is idle.
    pub fn poll(&mut self, now: Instant) -> usize {
        self.lane.now = now;
        self.lane.expire_fragments();
        let work = self.receive() + self.follow() + self.take_over();
        self.lane.counters.add(Counter::Polls, 1);
        self.lane.counters.add(Counter::BusyPolls, u64::from(work > 0));
        work
    }

    /// Does what the control core wants: updates, frames to send.
    fn follow(&mut self) -> usize {
        self.apply_updates() + self.inject()
    }

    /// Applies updates in order, then says so. Returns how many; by itself, it is all that a worker
    /// does before it may receive.
    pub fn apply_updates(&mut self) -> usize {
        let mut last = None;
        let mut applied = 0;
        // An update may ask for an answer, so none is taken while the answer would have no room.
        while applied < UPDATES_MAX && self.lane.reports.has_room() {
            let Some(Update { seq, change }) = self.updates.pop() else { break };
            self.lane.apply(change);
            last = Some(seq);
            applied += 1;
        }
        if let Some(seq) = last {
            // Nothing of the old state is left here: each burst was sent before its turn ended.
            self.applied.store(seq);
            self.lane.counters.add(Counter::Updates, applied as u64);
            self.lane.counters.set(Counter::Entries, self.lane.shard.len() as u64);
        }
        applied
    }

    fn receive(&mut self) -> usize {
        let mut received = 0;
        let mut burst = Burst::new();
        for port in 0..self.queues.len() {
            received += self.follow();
            let n = self.queues[port].recv(&mut burst);
            if n == 0 {
                continue;
            }
            received += n;
            self.lane.receive(
                PortId(u16::try_from(port).unwrap_or(u16::MAX)),
                &mut burst,
                &mut self.notes,
            );
            self.flush();
        }
        received
    }

    fn take_over(&mut self) -> usize {
        let mut taken = 0;
        let mut burst = ArrayVec::new();
        for ring in 0..self.handoffs.len() {
            let n = self.handoffs[ring].pop_burst(&mut burst);
            if n == 0 {
                continue;
            }
            taken += n;
            self.lane.counters.add(Counter::HandoffReceived, n as u64);
            self.lane.take_over(&mut burst, &mut self.notes);
            self.flush();
        }
        taken
    }

    /// Sends a burst of what the control core wants sent; returns how many. By itself, it is what a
    /// worker does last.
    pub fn inject(&mut self) -> usize {
        let mut injected = 0;
        while injected < BURST_MAX {
            match self.injects.pop() {
                Some(Inject::Frame(port, frame)) => self.lane.send(frame, port),
                Some(Inject::ToNode(customer, frame)) => self.lane.send_to_node(frame, customer),
                Some(Inject::Through(tunnel, keys, frame)) => {
                    self.lane.send_through(frame, &tunnel, keys);
                }
                None => break,
            }
            injected += 1;
        }
        if injected > 0 {
            self.lane.counters.add(Counter::Injected, injected as u64);
            self.lane.hand_over();
            self.flush();
        }
        injected
    }

    /// Sends what is staged for all ports.
    pub(super) fn flush(&mut self) {
        for staged in &mut self.lane.staged {
            let sent = staged.flush();
            self.lane.counters.add(Counter::TxPackets, sent.packets);
            self.lane.counters.add(Counter::TxBytes, sent.bytes);
            self.lane.counters.dropped(DropReason::TxFull, sent.refused);
        }
    }
}

impl<F: Frame> Lane<F> {
    /// Carries out one change.
    fn apply(&mut self, change: Change) {
        let mut fits = true;
        match change {
            Change::TunnelSet(id, tunnel) => {
                self.gateways.add(id.0, tunnel.path.remote.to_bits());
                fits = self.tunnels.set(id, tunnel);
                // Not by the first packet: who moves by himself has a tunnel of his own.
                self.tunnels.resolved(id, &self.fib, &self.ports);
            }
            Change::CopiesSet(id, copies) => {
                fits = self.tunnels.set_special(id, Special::Copies(copies));
            }
            Change::ProtectedSet(id, tunnel, protection) => {
                fits = self.tunnels.set_special(id, Special::Protected(tunnel, protection));
            }
            Change::TunnelDel(id) => {
                self.gateways.remove(id.0);
                self.tunnels.remove(id);
            }
            Change::EntrySet(key, forward) => fits = self.shard.set(key, forward),
            Change::EntryDel(key) => self.shard.remove(key),
            Change::PoolSet(pool) => self.fib.set_pool(pool),
            Change::PoolDel(pool) => self.fib.remove_pool(pool),
            Change::RouteSet(to, next) => self.fib.set_route(to, next),
            Change::RouteDel(to) => self.fib.remove_route(to),
            Change::NeighborSet(port, addr, mac) => self.fib.set_neighbor(port, addr, mac),
            Change::NeighborDel(port, addr) => self.fib.remove_neighbor(port, addr),
            Change::OriginSet(gateway, customer) => {
                self.origins.insert(gateway, customer);
            }
            Change::OriginDel(gateway) => {
                self.origins.remove(&gateway);
            }
            Change::NodeEndSet(end) => {
                self.node_ends.ends.insert(end);
            }
            Change::NodeEndDel(end) => {
                self.node_ends.ends.remove(&end);
            }
            Change::CountersGet(key, token) => {
                fits = self.reports.answer(token, self.shard.counters(key));
            }
        }
        if !fits {
            self.counters.add(Counter::UpdatesRefused, 1);
        }
    }
}
