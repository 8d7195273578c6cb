//! A forwarding worker: polls its queues and rings, and runs every frame to its end.

use super::counters::{Counter, CounterWriter, WorkerCounters};
use super::drop::DropReason;
use super::handoff::Handoff;
use super::steer::Steering;
use super::update::{Inject, Report, Update};
use crate::addr::{AnchorAddr, MacAddr, WorkerId};
use crate::nic::{Burst, Frame, RxQueue, TxQueue};
use crate::sync::ring::{Consumer, Producer};
use crate::sync::seq::AppliedWriter;
use crate::time::Instant;
use std::net::Ipv6Addr;
use std::sync::Arc;

/// What a worker is told once, at start.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Which worker this is, below `steering.workers()`.
    pub id: WorkerId,
    /// Who owns what; the same for all workers and for the control core.
    pub steering: Steering,
    /// Where tunnels end.
    pub lma: AnchorAddr,
    /// Our own addresses besides `lma`: what is sent to them is the kernel's. (More may come as
    /// routes with [`super::update::NextHop::Local`].)
    pub local: Vec<Ipv6Addr>,
    /// How much a worker's tables hold.
    pub limits: Limits,
}

/// How much a worker's tables hold. The control core never publishes more, so that no update can be
/// refused: see `docs/adr/` on the shard table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Home network prefixes over all bindings, whichever worker owns them.
    pub entries_max: usize,
    /// Gateways with at least one binding: every [`super::update::TunnelId`] is below it.
    pub tunnels_max: usize,
}

/// A port as its workers see it. The same for all workers; `PortId` is its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortConfig {
    /// Whether tunnels and signaling are accepted here (role access). Plain packets are accepted
    /// on every port, so one access port alone is a one-armed anchor.
    pub access: bool,
    /// Its MAC address.
    pub mac: MacAddr,
    /// Largest IPv6 packet, in bytes.
    pub mtu: u16,
    /// Source of ICMPv6 errors about packets received here; the LMA address if there is none.
    pub address: Option<Ipv6Addr>,
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
    /// Punts and answers to the control core.
    pub reports: Producer<Report<F>>,
    /// From every other worker.
    pub handoff_in: Vec<Consumer<Handoff<F>>>,
    /// To every worker, in the order of their ids; `None` for this one.
    pub handoff_out: Vec<Option<Producer<Handoff<F>>>>,
}

/// A forwarding worker. Owns its part of the binding table, its queues and its counters.
pub struct Worker<R: RxQueue, T: TxQueue<Frame = R::Frame>> {
    config: WorkerConfig,
    ports: Vec<WorkerPort<R, T>>,
    rings: WorkerRings<R::Frame>,
    applied: AppliedWriter,
    counters: CounterWriter,
}

impl<R: RxQueue, T: TxQueue<Frame = R::Frame>> Worker<R, T> {
    /// A worker with empty tables; allocates all that it will ever need for `config.limits`.
    #[must_use]
    pub fn new(
        config: WorkerConfig,
        ports: Vec<WorkerPort<R, T>>,
        rings: WorkerRings<R::Frame>,
        applied: AppliedWriter,
        counters: Arc<WorkerCounters>,
    ) -> Self {
        Self { config, ports, rings, applied, counters: CounterWriter::new(counters) }
    }

    /// One turn: applies the updates that have come, then runs one burst of each port, of the
    /// hand-off rings and of the injected frames to its end. Returns how many updates and frames
    /// that was; zero says that the worker is idle.
    pub fn poll(&mut self, _now: Instant) -> usize {
        let mut work = 0;
        while let Some(update) = self.rings.updates.pop() {
            self.applied.store(update.seq);
            work += 1;
        }
        let mut burst = Burst::new();
        while let Some(inject) = self.rings.injects.pop() {
            self.counters.add(Counter::Injected, 1);
            burst.push(inject.frame);
            if let Some(port) = self.ports.get_mut(usize::from(inject.port.0)) {
                port.tx.send(&mut burst);
            }
            self.counters.drop(DropReason::TxFull, burst.drain(..).len() as u64);
            work += 1;
        }
        work
    }
}
