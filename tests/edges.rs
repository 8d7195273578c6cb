//! Packets at the edges through ports of DPDK.
//!
//! ```text
//!   captures of scapy --> net_pcap --> worker --> net_pcap --> what scapy expects, byte for byte
//!                                        +--> a drop's counter, by its name
//! ```
//!
//! `net_pcap` makes a chain of buffers of a frame that is longer than one: in small buffers headers
//! lie across several.
#![cfg(feature = "dpdk")]
#![allow(missing_docs)]

#[allow(dead_code)] // tests/golden/edges.rs reads the rest
#[path = "../src/dataplane/tests/captures.rs"]
mod captures;
#[allow(dead_code)]
#[path = "golden/pcap.rs"]
mod pcap;
#[allow(dead_code)] // the worker's own tests use the rest
#[path = "../src/dataplane/tests/topology.rs"]
mod topology;

use anchord::addr::{
    AnchorAddr, CustomerId, Encap, GreKeys, HomePrefix, MacAddr, PortId, TunnelPath, WorkerId,
};
use anchord::dataplane::counters::{Snapshot, WorkerCounters};
use anchord::dataplane::drop::DropReason;
use anchord::dataplane::steer::Steering;
use anchord::dataplane::update::{Change, Forward, NextHop, Report, Tunnel, TunnelId, Update};
use anchord::dataplane::worker::{
    Limits, PortConfig, TunnelPolicy, VlanPort, Worker, WorkerConfig, WorkerPort, WorkerRings,
};
use anchord::dpdk::port::{Queues, Spread, SpreadBy};
use anchord::dpdk::{Eal, Mbuf, Mempool, Port, queue};
use anchord::nic::{self, Burst, Frame};
use anchord::sync::ring::{Consumer, ring};
use anchord::sync::seq::{Seq, applied};
use anchord::time::{Duration, Instant};
use captures::{Frames, foreseeable};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use topology::{
    LMA, LMA4, addr, dual_tables, ipv4, port_configs, tables, thin_tunnels, vlan_ports,
};

/// Bytes that a buffer holds: any frame; less than a tunnel packet; up to the middle of the inner
/// header, of the outer one, and one byte more than an Ethernet header.
const BUFFERS: [u16; 5] = [2048, 200, 80, 40, 15];
/// Devices of a round: one for each port.
const PORTS: [u16; 2] = [0, 1];

#[test]
fn packets_at_the_edges_fare_alike_in_buffers_of_any_size() {
    let directory = std::env::temp_dir().join(format!("anchord-edges-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    for port in PORTS {
        pcap::write(&directory.join(format!("rx{port}.pcap")), &given_by(PortId(port))).unwrap();
    }
    let devices: Vec<_> = (0..BUFFERS.len())
        .flat_map(|round| PORTS.map(|port| device(&directory, round, port)))
        .collect();
    let eal = eal(&devices);
    for (round, buffer) in BUFFERS.into_iter().enumerate() {
        let mut rig = Rig::new(&eal, &devices[round * 2..round * 2 + 2], buffer);
        for case in captures::refused() {
            let before = rig.counters.snapshot();
            rig.pass(&case.frames);
            let dropped = dropped_since(&before, &rig.counters.snapshot());
            assert_eq!(dropped, [(case.reason, 1)], "{} in buffers of {buffer}", case.name);
            rig.sent.lock().clear(); // answers
        }
        for case in captures::good() {
            rig.pass(&case.given);
            let expected: Frames =
                case.expected.into_iter().map(|(p, f)| (p, foreseeable(f))).collect();
            let sent: Frames =
                rig.sent.lock().drain(..).map(|(p, f)| (p, foreseeable(f))).collect();
            assert!(sent == expected, "{} in buffers of {buffer}: {sent:02x?}", case.name);
        }
        assert_eq!(rig.waiting(), 0, "all of the captures has been received");
        let (pool, all) = (rig.pool.clone(), rig.all.clone());
        drop(rig);
        assert_eq!(pool.in_use(), 0, "buffers of {buffer} leaked");
        for port in PORTS {
            let written = std::fs::read(tx_path(&directory, round, port)).unwrap();
            let ours = all.lock().iter().filter(|(p, _)| p.0 == port).count();
            assert_eq!(captures::frames_of(&written).count(), ours, "frames that left by {port}");
        }
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

/// All frames of the captures that come by a port, in the order of the cases.
fn given_by(port: PortId) -> Vec<Vec<u8>> {
    let refused = captures::refused().into_iter().map(|case| case.frames);
    let all = refused.chain(captures::good().into_iter().map(|case| case.given)).flatten();
    all.filter(|(p, _)| *p == port).map(|(_, frame)| frame).collect()
}

fn dropped_since(before: &Snapshot, after: &Snapshot) -> Vec<(&'static str, u64)> {
    let count =
        |reason: &DropReason| (reason.name(), after.dropped(*reason) - before.dropped(*reason));
    DropReason::ALL.iter().map(count).filter(|(_, count)| *count > 0).collect()
}

fn tx_path(directory: &Path, round: usize, port: u16) -> PathBuf {
    directory.join(format!("tx{round}-{port}.pcap"))
}

fn device(directory: &Path, round: usize, port: u16) -> String {
    let number = round * PORTS.len() + usize::from(port);
    let rx = directory.join(format!("rx{port}.pcap"));
    let tx = tx_path(directory, round, port);
    format!("net_pcap{number},rx_pcap={},tx_pcap={}", rx.display(), tx.display())
}

/// EAL without hugepages, which works everywhere.
fn eal(devices: &[String]) -> Eal {
    let prefix = format!("--file-prefix=anchord-edges-{}", std::process::id());
    let mut args = vec!["--no-huge", "-m", "128", "--no-pci", "--no-telemetry", "--lcores", "0@0"];
    args.push(&prefix);
    args.extend(devices.iter().flat_map(|device| ["--vdev", device.as_str()]));
    Eal::init(&args).unwrap()
}

/// One worker between two ports.
struct Rig {
    worker: Worker<OneByOne>,
    counters: Arc<WorkerCounters>,
    /// How many frames each port may still receive.
    credits: [Arc<AtomicUsize>; 2],
    /// What has left since it was looked at last, and all that has left.
    sent: Arc<Mutex<Frames>>,
    all: Arc<Mutex<Frames>>,
    reports: Consumer<Report<Mbuf>>,
    pool: Mempool,
    now: Instant,
    _ports: Vec<Port>,
}

impl Rig {
    /// Received frames are in buffers of so many bytes; the worker's own hold any.
    fn new(eal: &Eal, devices: &[String], buffer: u16) -> Self {
        let pool = Mempool::new(eal, 4095, buffer).unwrap();
        let own = Mempool::new(eal, 511, 2048).unwrap();
        let credits = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let [sent, all] = [(); 2].map(|()| Arc::new(Mutex::new(Frames::new())));
        let (mut ports, mut worker_ports) = (Vec::new(), Vec::new());
        for (id, config) in (0..).map(PortId).zip(port_configs()) {
            let (port, Queues { mut rx, mut tx, .. }) =
                Port::open(eal, &setup(id, &devices[usize::from(id.0)]), &pool).unwrap();
            let credit = Arc::clone(&credits[usize::from(id.0)]);
            let rx = OneByOne { queue: rx.remove(0), waiting: VecDeque::new(), credit };
            let [sent, all] = [&sent, &all].map(Arc::clone);
            let tx = Watched { queue: tx.remove(0), port: id, sent, all };
            worker_ports.push(WorkerPort { config, rx, tx });
            ports.push(port);
        }
        let (mut updates, worker_updates) = ring(256);
        for (seq, change) in
            (1..).zip(tables().into_iter().chain(dual_tables()).chain(thin_tunnels()))
        {
            assert!(updates.push(Update { seq: Seq(seq), change }).is_ok());
        }
        let (signaling, _) = ring(64);
        let (worker_reports, reports) = ring(1024);
        let rings = WorkerRings {
            updates: worker_updates,
            injects: ring(1).1,
            signaling,
            reports: worker_reports,
            handoff_in: Vec::new(),
            handoff_out: vec![None],
        };
        let counters = Arc::new(WorkerCounters::default());
        let config = WorkerConfig {
            id: WorkerId(0),
            steering: Steering::new(1),
            lma: AnchorAddr(addr(LMA)),
            lma_ipv4: Some(ipv4(LMA4)),
            local: Vec::new(),
            vlans: vlan_ports(),
            limits: Limits { entries_max: 64, tunnels_max: 16 },
            policy: TunnelPolicy::default(),
        };
        let worker =
            Worker::new(config, worker_ports, rings, own, applied().0, Arc::clone(&counters));
        let now = Instant(1 << 40);
        Self { worker, counters, credits, sent, all, reports, pool, now, _ports: ports }
    }

    /// Lets the frames of a case in, one after the other, when all before is forgotten.
    fn pass(&mut self, frames: &Frames) {
        self.now = self.now + Duration::from_secs(61);
        for (port, _) in frames {
            self.credits[usize::from(port.0)].fetch_add(1, Ordering::Relaxed);
            while self.worker.poll(self.now) > 0 {}
        }
        while self.reports.pop().is_some() {}
    }

    /// Frames that were let in and have not come.
    fn waiting(&self) -> usize {
        self.credits.iter().map(|credit| credit.load(Ordering::Relaxed)).sum()
    }
}

fn setup(id: PortId, device: &str) -> anchord::dpdk::PortConfig<'_> {
    anchord::dpdk::PortConfig {
        id,
        device,
        mtu: 1500,
        rx_desc: 64,
        tx_desc: 64,
        workers: 1,
        anchors: &[],
        jumbo: false,
        spread: Spread { key: &[0x6d; 40], table: &[WorkerId(0)], by: SpreadBy::Destination },
    }
}

/// A receive queue that gives a frame only when it may, so that each one's fate is seen.
struct OneByOne {
    queue: queue::RxQueue,
    waiting: VecDeque<Mbuf>,
    credit: Arc<AtomicUsize>,
}

impl nic::RxQueue for OneByOne {
    type Frame = Mbuf;

    fn recv(&mut self, burst: &mut Burst<Mbuf>) -> usize {
        if self.credit.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        if self.waiting.is_empty() {
            let mut received = Burst::new();
            self.queue.recv(&mut received);
            self.waiting.extend(received);
        }
        let Some(frame) = self.waiting.pop_front() else { return 0 };
        self.credit.fetch_sub(1, Ordering::Relaxed);
        burst.push(frame);
        1
    }
}

/// A transmit queue that says what it is given.
struct Watched {
    queue: queue::TxQueue,
    port: PortId,
    sent: Arc<Mutex<Frames>>,
    all: Arc<Mutex<Frames>>,
}

impl nic::TxQueue for Watched {
    type Frame = Mbuf;

    fn send(&mut self, burst: &mut Burst<Mbuf>) -> usize {
        for frame in burst.iter() {
            let mut bytes = vec![0; frame.frame_len()];
            assert!(frame.copy_to(0, &mut bytes) && !frame.copy_to(1, &mut bytes));
            self.sent.lock().push((self.port, bytes.clone()));
            self.all.lock().push((self.port, bytes));
        }
        self.queue.send(burst)
    }
}
