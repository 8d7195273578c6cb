//! A real worker, its rings and its tables; and one on ports whose other end a harness holds, which
//! takes part in signaling.
//!
//! ```text
//!              net_ring0 (access)                      net_ring1 (core)
//!   harness ==tx 0===ring 0===rx 0== worker       harness ==tx 0===ring 0===rx 0== worker
//!           ==rx 1===ring 1===tx 1==                      ==rx 1===ring 1===tx 1==
//! ```
//! A `net_ring` device returns on receive queue i what transmit queue i sent; with two queue pairs
//! a port the worker and the harness take opposite ends.

use crate::scene::{self, ACCESS, ACCESS_MTU, CORE, CORE_MTU, MAGS};
use anchord::addr::{AnchorAddr, CustomerId, WorkerId};
use anchord::dataplane::counters::{Snapshot, WorkerCounters};
use anchord::dataplane::steer::{RSS_KEY, Steering};
use anchord::dataplane::update::{Change, Inject, Report, Update};
use anchord::dataplane::worker::{
    Limits, PortConfig as WorkerPortConfig, TunnelPolicy, Worker, WorkerConfig, WorkerPort,
    WorkerRings,
};
use anchord::dpdk::port::{Queues, Spread, SpreadBy};
use anchord::dpdk::{Eal, Mbuf, Mempool, Port, PortConfig, RxQueue, TscClock, TxQueue};
use anchord::nic::{Burst, TxQueue as _};
use anchord::sync::ring::{Consumer, Producer, ring};
use anchord::sync::seq::{AppliedReader, AppliedWriter, Seq, applied};
use anchord::time::Instant;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Buffers in the pool: more than the second-level cache holds.
pub(crate) const MBUFS: u32 = 16_383;

/// Access and core port.
pub(crate) const DEVICES: [&str; 2] = ["net_ring0", "net_ring1"];

const RING_LEN: usize = 4096;

/// The harness's ends of a port.
pub(crate) struct Wire {
    /// To the worker.
    pub(crate) tx: TxQueue,
    /// From the worker.
    pub(crate) rx: RxQueue,
    _port: Port,
}

/// The control core's ends of the rings.
pub(crate) struct Links {
    /// Changes for the worker.
    pub(crate) updates: Producer<Update>,
    /// Frames that it is to send.
    pub(crate) injects: Producer<Inject<Mbuf>>,
    /// What it says.
    pub(crate) signaling: Consumer<Mbuf>,
    pub(crate) reports: Consumer<Report<Mbuf>>,
    /// How far it has applied the changes.
    pub(crate) applied: AppliedReader,
}

/// One worker between two ports.
pub(crate) struct Rig {
    /// The worker under test.
    pub(crate) worker: Worker<RxQueue>,
    /// Its counters.
    pub(crate) counters: Arc<WorkerCounters>,
    /// The harness's ends, by port number.
    pub(crate) wires: [Wire; 2],
    /// What the worker is told the time by.
    pub(crate) clock: TscClock,
    /// Where all frames come from.
    pub(crate) pool: Mempool,
}

/// Changes for a worker, without a control core.
pub(crate) struct Publisher {
    pub(crate) updates: Sequenced,
    applied: AppliedReader,
}

/// Numbers changes.
pub(crate) struct Sequenced {
    ring: Producer<Update>,
    seq: u64,
}

/// EAL for this process, on one CPU, with these arguments besides.
pub(crate) fn eal(
    cpu: usize,
    huge: bool,
    devices: &[&str],
) -> Result<Eal, Box<dyn std::error::Error>> {
    let lcores = format!("0@{cpu}");
    let prefix = format!("--file-prefix=anchord-bench-{}", std::process::id());
    let memory = if huge { "--in-memory" } else { "--no-huge" };
    let common = ["-m", "128", "--no-pci", "--no-telemetry", "--log-level", "lib.*:warning"];
    let args = [&common[..], devices, &[memory, &prefix, "--lcores", &lcores]].concat();
    Ok(Eal::init(&args)?)
}

/// All rings of a worker without peers, and what it says by how far it is.
pub(crate) fn rings() -> (WorkerRings<Mbuf>, AppliedWriter, Links) {
    let (updates, worker_updates) = ring(RING_LEN);
    let (injects, worker_injects) = ring(RING_LEN);
    let (worker_signaling, signaling) = ring(RING_LEN);
    let (worker_reports, reports) = ring(RING_LEN);
    let (applied_writer, applied) = applied();
    let rings = WorkerRings {
        updates: worker_updates,
        injects: worker_injects,
        signaling: worker_signaling,
        reports: worker_reports,
        handoff_in: Vec::new(),
        handoff_out: vec![None],
    };
    (rings, applied_writer, Links { updates, injects, signaling, reports, applied })
}

/// The only worker.
pub(crate) fn worker_config(limits: Limits, lma_ipv4: Option<Ipv4Addr>) -> WorkerConfig {
    WorkerConfig {
        id: WorkerId(0),
        steering: Steering::new(1),
        lma: AnchorAddr(scene::LMA),
        lma_ipv4,
        local: Vec::new(),
        vlans: Vec::new(),
        limits,
        policy: TunnelPolicy::default(),
    }
}

impl Rig {
    /// A worker with empty tables for `entries_max` prefixes.
    pub(crate) fn new(
        eal: &Eal,
        [access, core]: [&str; 2],
        entries_max: usize,
    ) -> Result<(Self, Links), Box<dyn std::error::Error>> {
        let pool = Mempool::new(eal, MBUFS, 2048)?;
        let (access, access_wire) = Self::port(eal, &pool, access, true)?;
        let (core, core_wire) = Self::port(eal, &pool, core, false)?;

        let (rings, applied, links) = rings();
        let counters = Arc::new(WorkerCounters::default());
        let limits = Limits { entries_max, tunnels_max: MAGS as usize };
        let config = worker_config(limits, None);
        let (ports, own_pool) = (vec![access, core], pool.clone());
        let worker = Worker::new(config, ports, rings, own_pool, applied, Arc::clone(&counters));
        let wires = [access_wire, core_wire];
        Ok((Self { worker, counters, wires, clock: TscClock::new(eal), pool }, links))
    }

    fn port(
        eal: &Eal,
        pool: &Mempool,
        device: &str,
        access: bool,
    ) -> Result<(WorkerPort<RxQueue, TxQueue>, Wire), Box<dyn std::error::Error>> {
        let (id, mac, mtu) = if access {
            (ACCESS, scene::ACCESS_MAC, ACCESS_MTU)
        } else {
            (CORE, scene::CORE_MAC, CORE_MTU)
        };
        let config = PortConfig {
            id,
            device,
            mtu,
            rx_desc: 1024,
            tx_desc: 1024,
            workers: 2, // the worker and the harness
            anchors: &[],
            jumbo: false,
            spread: Spread { key: &RSS_KEY, table: &[], by: SpreadBy::Destination },
        };
        let (port, Queues { mut rx, mut tx, .. }) = Port::open(eal, &config, pool)?;
        let (Some(rx1), Some(rx0)) = (rx.pop(), rx.pop()) else { return Err("queues".into()) };
        let (Some(tx1), Some(tx0)) = (tx.pop(), tx.pop()) else { return Err("queues".into()) };
        let config = WorkerPortConfig {
            access,
            mac,
            mtu,
            address: None,
            ipv4_address: None,
            customer: CustomerId::default(),
        };
        let worker_port = WorkerPort { config, rx: rx0, tx: tx1 };
        Ok((worker_port, Wire { tx: tx0, rx: rx1, _port: port }))
    }

    /// Now, as the runtime tells it.
    #[inline]
    pub(crate) fn now(&self) -> Instant {
        Instant(self.clock.now_ns())
    }

    /// The worker's counters now.
    pub(crate) fn counted(&self) -> Snapshot {
        self.counters.snapshot()
    }

    /// Puts frames on the wire to the worker; there is room for them.
    pub(crate) fn inject(wire: &mut Wire, burst: &mut Burst<Mbuf>) -> Result<(), String> {
        wire.tx.send(burst);
        if burst.is_empty() { Ok(()) } else { Err("the wire to the worker is full".into()) }
    }
}

impl Publisher {
    /// The first to use these ends.
    pub(crate) fn new(ring: Producer<Update>, applied: AppliedReader) -> Self {
        Self { updates: Sequenced { ring, seq: 0 }, applied }
    }

    /// Lets a worker apply changes, by `turn`.
    pub(crate) fn apply(
        &mut self,
        changes: impl IntoIterator<Item = Change>,
        mut turn: impl FnMut() -> usize,
    ) -> Result<(), String> {
        for change in changes {
            while !self.updates.push(change) {
                turn();
            }
        }
        while self.applied.load() < Seq(self.updates.seq) {
            if turn() == 0 {
                return Err(format!("the worker stopped at update {:?}", self.applied.load()));
            }
        }
        Ok(())
    }
}

impl Sequenced {
    /// `false`, and no change, if the ring is full.
    pub(crate) fn push(&mut self, change: Change) -> bool {
        let done = self.ring.push(Update { seq: Seq(self.seq + 1), change }).is_ok();
        self.seq += u64::from(done);
        done
    }
}
