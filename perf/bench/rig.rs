//! A real worker on real ports, with a harness at the other end of the wires.
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
    Limits, PortConfig as WorkerPortConfig, Worker, WorkerConfig, WorkerPort, WorkerRings,
};
use anchord::dpdk::port::{Queues, Spread, SpreadBy};
use anchord::dpdk::{Eal, Mbuf, Mempool, Port, PortConfig, RxQueue, TscClock, TxQueue};
use anchord::nic::{Burst, TxQueue as _};
use anchord::sync::ring::{Consumer, Producer, ring};
use anchord::sync::seq::{AppliedReader, Seq, applied};
use anchord::time::Instant;
use std::sync::Arc;

/// Buffers in the pool: more than the second-level cache holds.
pub(crate) const MBUFS: u32 = 16_383;

/// Frames that a `net_ring` device holds at most.
pub(crate) const WIRE_LEN: usize = 1023;

/// Access and core port of each rig.
pub(crate) const DEVICES: [[&str; 2]; 2] = [["net_ring0", "net_ring1"], ["net_ring2", "net_ring3"]];

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
    pub(crate) worker: Worker<RxQueue, TxQueue>,
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
    links: Links,
    seq: u64,
}

/// EAL for this process, on one CPU.
pub(crate) fn eal(cpu: usize, huge: bool) -> Result<Eal, Box<dyn std::error::Error>> {
    let lcores = format!("0@{cpu}");
    let prefix = format!("--file-prefix=anchord-bench-{}", std::process::id());
    let memory = if huge { "--in-memory" } else { "--no-huge" };
    let common = ["-m", "256", "--no-pci", "--no-telemetry", "--log-level", "lib.*:warning"];
    let devices: Vec<&str> = DEVICES.iter().flatten().flat_map(|d| ["--vdev", d]).collect();
    let args = [&common[..], &devices, &[memory, &prefix, "--lcores", &lcores]].concat();
    Ok(Eal::init(&args)?)
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

        let (updates, worker_updates) = ring(RING_LEN);
        let (injects, worker_injects) = ring(RING_LEN);
        let (worker_signaling, signaling) = ring(RING_LEN);
        let (worker_reports, reports) = ring(RING_LEN);
        let (applied_writer, applied_reader) = applied();
        let counters = Arc::new(WorkerCounters::default());
        let config = WorkerConfig {
            id: WorkerId(0),
            steering: Steering::new(1),
            lma: AnchorAddr(scene::LMA),
            lma_ipv4: None,
            local: Vec::new(),
            vlans: Vec::new(),
            limits: Limits { entries_max, tunnels_max: MAGS as usize },
        };
        let rings = WorkerRings {
            updates: worker_updates,
            injects: worker_injects,
            signaling: worker_signaling,
            reports: worker_reports,
            handoff_in: Vec::new(),
            handoff_out: vec![None],
        };
        let worker =
            Worker::new(config, vec![access, core], rings, applied_writer, Arc::clone(&counters));
        let wires = [access_wire, core_wire];
        let rig = Self { worker, counters, wires, clock: TscClock::new(eal), pool };
        Ok((rig, Links { updates, injects, signaling, reports, applied: applied_reader }))
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
            anchor: scene::LMA,
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
    pub(crate) fn new(links: Links) -> Self {
        Self { links, seq: 0 }
    }

    /// Lets the worker apply changes.
    pub(crate) fn apply(
        &mut self,
        rig: &mut Rig,
        changes: impl IntoIterator<Item = Change>,
    ) -> Result<(), String> {
        for change in changes {
            self.seq += 1;
            let mut update = Update { seq: Seq(self.seq), change };
            while let Err(back) = self.links.updates.push(update) {
                update = back;
                rig.worker.poll(rig.now());
            }
        }
        while self.links.applied.load() < Seq(self.seq) {
            if rig.worker.poll(rig.now()) == 0 {
                return Err(format!(
                    "the worker stopped at update {:?}",
                    self.links.applied.load()
                ));
            }
        }
        Ok(())
    }
}
