//! What measured workers are made of: memory, ports, rings, and tables without a control core.
//!
//! ```text
//!   net_pgen: makes frames and takes them             net_ring: the harness has the other end
//!     rx 0 ==> worker ==> tx 0                          harness ==tx 0===ring 0===rx 0==> worker
//!                                                               <=rx 1===ring 1===tx 1==
//! ```
//! A `net_ring` device returns on receive queue i what transmit queue i sent; with two queue pairs
//! a port the worker and the harness take opposite ends.

use crate::case::LMA4;
use crate::scene::{self, ACCESS_MAC, ACCESS_MTU};
use anchord::addr::{AnchorAddr, CustomerId, PortId, WorkerId};
use anchord::dataplane::handoff::Handoff;
use anchord::dataplane::steer::{RSS_KEY, Steering};
use anchord::dataplane::update::{Change, Inject, Report, Update};
use anchord::dataplane::worker::{
    Limits, PortConfig as WorkerPortConfig, TunnelPolicy, WorkerConfig, WorkerPort, WorkerRings,
};
use anchord::dpdk::port::{Queues, Spread, SpreadBy};
use anchord::dpdk::{Eal, Mbuf, Mempool, Port, PortConfig, RxQueue, TxQueue};
use anchord::sync::ring::{Consumer, Producer, ring};
use anchord::sync::seq::{AppliedReader, AppliedWriter, Seq, applied};
use std::error::Error;

/// Buffers in the pool: more than the second-level cache holds.
pub(crate) const MBUFS: u32 = 16_383;

/// A `net_ring` device.
pub(crate) const RING: &str = "net_ring0";

const RING_LEN: usize = 4096;

/// Room for every buffer: a worker that is not given its CPU for a while loses nothing.
const HANDOFF_LEN: usize = MBUFS as usize + 1;

/// The harness's ends of a port.
pub(crate) struct Wire {
    /// To the worker.
    pub(crate) tx: TxQueue,
    /// From the worker.
    pub(crate) rx: RxQueue,
}

/// The control core's ends of a worker's rings.
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

/// A port as a worker has it.
pub(crate) type Ported = WorkerPort<RxQueue, TxQueue>;

/// A worker's ends.
pub(crate) struct Ends {
    pub(crate) rings: WorkerRings<Mbuf>,
    pub(crate) applied: AppliedWriter,
}

/// Changes for a worker, without a control core.
pub(crate) struct Publisher {
    pub(crate) updates: Sequenced,
    pub(crate) applied: AppliedReader,
}

/// Numbers changes.
pub(crate) struct Sequenced {
    ring: Producer<Update>,
    seq: u64,
}

/// EAL for this process: lcore i on the i-th of these CPUs, with these arguments besides.
pub(crate) fn eal(cpus: &[usize], huge: bool, more: &[String]) -> Result<Eal, Box<dyn Error>> {
    let lcores: Vec<_> = cpus.iter().enumerate().map(|(i, cpu)| format!("{i}@{cpu}")).collect();
    let prefix = format!("--file-prefix=anchord-bench-{}", std::process::id());
    let memory = if huge { "--in-memory" } else { "--no-huge" };
    let common = ["-m", "128", "--no-pci", "--no-telemetry", "--log-level", "lib.*:warning"];
    let own = [memory, &prefix, "--lcores", &lcores.join(",")].map(str::to_owned);
    let args = [&common.map(str::to_owned)[..], &own, more].concat();
    Ok(Eal::init(&args)?)
}

/// All rings of so many workers.
pub(crate) fn rings(workers: usize) -> Vec<(Ends, Links)> {
    let mut outs: Vec<Vec<Option<Producer<Handoff<Mbuf>>>>> = Vec::new();
    let mut ins: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
    for from in 0..workers {
        let to_each = ins.iter_mut().enumerate().map(|(to, ins)| {
            (from != to).then(|| {
                let (tx, rx) = ring(HANDOFF_LEN);
                ins.push(rx);
                tx
            })
        });
        outs.push(to_each.collect());
    }
    let ends = outs.into_iter().zip(ins);
    ends.map(|(handoff_out, handoff_in)| ends_of_one(handoff_in, handoff_out)).collect()
}

fn ends_of_one(
    handoff_in: Vec<Consumer<Handoff<Mbuf>>>,
    handoff_out: Vec<Option<Producer<Handoff<Mbuf>>>>,
) -> (Ends, Links) {
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
        handoff_in,
        handoff_out,
    };
    let links = Links { updates, injects, signaling, reports, applied };
    (Ends { rings, applied: applied_writer }, links)
}

/// Worker `id` of those that `steering` knows.
pub(crate) fn worker_config(id: u16, steering: &Steering, limits: Limits) -> WorkerConfig {
    WorkerConfig {
        id: WorkerId(id),
        steering: steering.clone(),
        lma: AnchorAddr(scene::LMA),
        lma_ipv4: Some(LMA4),
        local: Vec::new(),
        vlans: Vec::new(),
        limits,
        policy: TunnelPolicy::default(),
    }
}

/// Opens a device with a queue for each worker; `by` is what a device that steers is to hash.
pub(crate) fn open(
    eal: &Eal,
    pool: &Mempool,
    id: PortId,
    device: &str,
    steering: &Steering,
    by: SpreadBy,
) -> Result<(Port, Vec<Ported>), Box<dyn Error>> {
    let spread = Spread { key: &RSS_KEY, table: steering.reta(), by };
    let (port, queues) = queues(eal, pool, id, device, steering.workers(), spread)?;
    let ports = queues.rx.into_iter().zip(queues.tx);
    Ok((port, ports.map(|(rx, tx)| WorkerPort { config: WORKER_PORT, rx, tx }).collect()))
}

/// Opens a `net_ring` device for one worker, with the harness at the other end.
pub(crate) fn open_wire(
    eal: &Eal,
    pool: &Mempool,
    id: PortId,
    device: &str,
) -> Result<(Ported, Wire), Box<dyn Error>> {
    let spread = Spread { key: &RSS_KEY, table: &[], by: SpreadBy::Destination };
    let (_, Queues { mut rx, mut tx, .. }) = queues(eal, pool, id, device, 2, spread)?;
    let (Some(rx1), Some(rx0)) = (rx.pop(), rx.pop()) else { return Err("queues".into()) };
    let (Some(tx1), Some(tx0)) = (tx.pop(), tx.pop()) else { return Err("queues".into()) };
    Ok((WorkerPort { config: WORKER_PORT, rx: rx0, tx: tx1 }, Wire { tx: tx0, rx: rx1 }))
}

fn queues(
    eal: &Eal,
    pool: &Mempool,
    id: PortId,
    device: &str,
    workers: u16,
    spread: Spread<'_>,
) -> Result<(Port, Queues), Box<dyn Error>> {
    let config = PortConfig {
        id,
        device,
        mtu: ACCESS_MTU,
        rx_desc: 1024,
        tx_desc: 1024,
        workers,
        anchors: &[],
        jumbo: false,
        spread,
    };
    Ok(Port::open(eal, &config, pool)?)
}

/// Every port of the bench: gateways and correspondents are behind it.
const WORKER_PORT: WorkerPortConfig = WorkerPortConfig {
    access: true,
    mac: ACCESS_MAC,
    mtu: ACCESS_MTU,
    address: None,
    ipv4_address: None,
    customer: CustomerId(0),
};

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
        while self.applied.load() < self.updates.last() {
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

    /// The number of the last one.
    pub(crate) fn last(&self) -> Seq {
        Seq(self.seq)
    }
}
