//! Workers on the in-memory NIC: frames in, frames, reports and counters out.
//!
//! ```text
//!   port 0, access, 2001:db8:ff::1 (LMA)      MAG1 2001:db8:a::1  -- MN1 2001:db8:1:1::/64
//!                                             MAG2 2001:db8:a::2  -- MN2 2001:db8:1:2::/64
//!   port 1, core,   2001:db8:cc::ff           default gateway fe80::1 -- CN 2001:db8:c::c
//!   its VLANs 100 and 200, ports 2 and 3: of customers 1 and 2; 300, port 4: access
//! ```

mod burst;
#[allow(dead_code)] // tests/golden/edges.rs reads the rest
mod captures;
mod copies;
mod customer;
mod downlink;
mod drop;
mod drop4;
mod dual;
mod edge;
mod golden;
mod handoff;
mod looping;
mod marking;
mod mip4;
mod nested;
mod on_link;
mod ordinary;
mod own;
mod packet4;
mod protect;
mod punt;
mod refused;
mod reverse;
mod spoof;
mod topology;
mod uplink;

use packet4::Packet4;
use topology::*;

use super::counters::{Counter, Snapshot, WorkerCounters};
use super::drop::DropReason;
use super::handoff::Handoff;
use super::marking::{DscpModel, EcnMode};
use super::steer::{Owner, Steering};
use super::update::{
    Change, EntryCounters, Forward, Inject, NextHop, Report, Tunnel, TunnelId, Update,
};
use super::worker::{
    Limits, PortConfig, TunnelPolicy, VlanPort, Worker, WorkerConfig, WorkerPort, WorkerRings,
};
use crate::addr::{
    AnchorAddr, CustomerId, CustomerPrefix, Encap, GreKeys, HomePrefix, MacAddr, PortId,
    Protection, TunnelPath, WorkerId,
};
use crate::nic::Frame;
use crate::nic::mem::{MemFrame, MemPool, MemRx, MemTx, MemWire};
use crate::sync::ring::{Consumer, Producer, ring};
use crate::sync::seq::{AppliedReader, Seq, applied};
use crate::time::Instant;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// An IPv6 packet to be.
#[derive(Clone)]
struct Packet {
    src: Ipv6Addr,
    dst: Ipv6Addr,
    next: u8,
    hops: u8,
    traffic_class: u8,
    label: u32,
    payload: Vec<u8>,
}

impl Packet {
    /// A UDP packet, whose checksum nobody looks at.
    fn new(src: &str, dst: &str) -> Self {
        let payload = [&[4, 1, 4, 2, 0, 24, 0, 0][..], &[0x55; 16]].concat();
        let (src, dst) = (addr(src), addr(dst));
        Self { src, dst, next: UDP, hops: 64, traffic_class: 0, label: 0, payload }
    }

    fn hops(self, hops: u8) -> Self {
        Self { hops, ..self }
    }

    fn traffic_class(self, traffic_class: u8) -> Self {
        Self { traffic_class, ..self }
    }

    fn label(self, label: u32) -> Self {
        Self { label, ..self }
    }

    fn payload(self, next: u8, payload: &[u8]) -> Self {
        Self { next, payload: payload.to_vec(), ..self }
    }

    /// Fills up to `len` bytes in all, header included.
    fn len(mut self, len: usize) -> Self {
        self.payload.resize(len - 40, 0x55);
        self
    }

    /// This packet in a tunnel.
    fn through(self, src: &str, dst: &str) -> Self {
        Self::new(src, dst).payload(41, &self.bytes())
    }

    fn bytes(&self) -> Vec<u8> {
        let word = 6 << 28 | u32::from(self.traffic_class) << 20 | self.label;
        let mut bytes = word.to_be_bytes().to_vec();
        bytes.extend(u16::try_from(self.payload.len()).unwrap().to_be_bytes());
        bytes.extend([self.next, self.hops]);
        bytes.extend(self.src.octets());
        bytes.extend(self.dst.octets());
        bytes.extend(&self.payload);
        bytes
    }

    fn frame(&self, dst: MacAddr, src: MacAddr) -> Vec<u8> {
        [&dst.0[..], &src.0, &[0x86, 0xdd], &self.bytes()].concat()
    }

    /// As it arrives on the core port.
    fn on_core(&self) -> Vec<u8> {
        self.frame(CORE_MAC, GATEWAY_MAC)
    }

    /// As it arrives on the access port.
    fn on_access(&self) -> Vec<u8> {
        self.frame(ACCESS_MAC, MAG1_MAC)
    }
}

/// From MN1 through MAG1's tunnel.
fn uplink(packet: &Packet) -> Vec<u8> {
    packet.clone().through(MAG1, LMA).on_access()
}

/// What is around one worker.
struct Port {
    worker: Worker<MemRx>,
    rx: [MemWire; 2],
    tx: [MemWire; 2],
    updates: Producer<Update>,
    injects: Producer<Inject<MemFrame>>,
    signaling: Consumer<MemFrame>,
    reports: Consumer<Report<MemFrame>>,
    counters: Arc<WorkerCounters>,
    applied: AppliedReader,
}

/// Some workers with the tables of the picture above.
struct Rig {
    pool: MemPool,
    steering: Steering,
    workers: Vec<Port>,
    seq: u64,
    now: Instant,
}

/// Sizes that tests want small.
struct Sizes {
    report_ring_len: usize,
    handoff_ring_len: usize,
    limits: Limits,
    policy: TunnelPolicy,
}

const SIZES: Sizes = Sizes {
    policy: POLICY,
    report_ring_len: 1024,
    handoff_ring_len: 1024,
    limits: Limits { entries_max: 512, tunnels_max: 16 },
};

/// The default.
const POLICY: TunnelPolicy = TunnelPolicy {
    ecn: EcnMode::Normal,
    dscp: DscpModel::Pipe(None),
    customer_dscp: Vec::new(),
    clamp_mss: false,
    home_agent: false,
    mobile_ipv4: false,
};

impl Rig {
    fn new(workers: u16) -> Self {
        Self::with(workers, &SIZES)
    }

    fn with(workers: u16, sizes: &Sizes) -> Self {
        let mut rig = Self::bare(workers, sizes);
        for change in tables() {
            rig.publish(change);
        }
        rig.run();
        rig
    }

    /// With the tables of `dual_tables` too.
    fn dual(workers: u16) -> Self {
        let mut rig = Self::new(workers);
        for change in dual_tables() {
            rig.publish(change);
        }
        rig.run();
        rig
    }

    /// Without any table.
    fn bare(workers: u16, sizes: &Sizes) -> Self {
        let steering = Steering::new(workers);
        let n = usize::from(workers);
        let mut out: Vec<Vec<Option<Producer<Handoff<MemFrame>>>>> = Vec::new();
        let mut into: Vec<Vec<Consumer<Handoff<MemFrame>>>> = (0..n).map(|_| vec![]).collect();
        for from in 0..n {
            let row = (0..n).map(|to| {
                (from != to).then(|| {
                    let (tx, rx) = ring(sizes.handoff_ring_len);
                    into[to].push(rx);
                    tx
                })
            });
            out.push(row.collect());
        }
        let pool = MemPool::new(512);
        let workers = (0..workers).zip(out.into_iter().zip(into));
        let port = |(id, (handoff_out, handoff_in))| {
            Port::new(WorkerId(id), &steering, sizes, &pool, handoff_in, handoff_out)
        };
        let workers = workers.map(port).collect();
        Self { pool, steering, workers, seq: 0, now: Instant(1 << 40) }
    }

    /// Sends a change to whom it concerns, as the control core does.
    fn publish(&mut self, change: Change) {
        self.seq += 1;
        let owner = match change {
            Change::EntrySet(p, _) | Change::EntryDel(p) | Change::CountersGet(p, _) => {
                self.steering.owner(p.prefix)
            }
            _ => Owner::All,
        };
        let update = Update { seq: Seq(self.seq), change };
        for (i, w) in self.workers.iter_mut().enumerate() {
            if owner == Owner::All || owner == Owner::One(WorkerId(u16::try_from(i).unwrap())) {
                w.updates.push(update).unwrap();
            }
        }
    }

    fn set(&mut self, prefix_: &str, forward: Forward) {
        self.publish(Change::EntrySet(prefix(prefix_).into(), forward));
    }

    /// A frame arrives at a queue of a worker.
    fn arrive_at(&mut self, worker: usize, port: PortId, bytes: &[u8]) {
        let frame = self.pool.frame(port, bytes).unwrap();
        self.workers[worker].rx[usize::from(port.0)].inject(frame).unwrap();
    }

    /// A frame arrives at the first worker, and all is done.
    fn arrive(&mut self, port: PortId, bytes: &[u8]) {
        self.arrive_at(0, port, bytes);
        self.run();
    }

    /// Polls all workers until nothing is left to do.
    fn run(&mut self) {
        let now = self.now;
        while self.workers.iter_mut().map(|w| w.worker.poll(now)).sum::<usize>() > 0 {}
    }

    /// What has been sent on a port, by any worker.
    fn sent(&self, port: PortId) -> Vec<Vec<u8>> {
        let frames = self.workers.iter().flat_map(|w| w.tx[usize::from(port.0)].take_all());
        frames.map(|f| f.to_bytes()).collect()
    }

    /// The one frame that has been sent, and on which port.
    fn sent_one(&self) -> (PortId, Vec<u8>) {
        let both = [ACCESS, CORE].map(|p| self.sent(p).into_iter().map(move |f| (p, f)));
        let mut all: Vec<_> = both.into_iter().flatten().collect();
        assert_eq!(all.len(), 1, "one frame sent; dropped: {:?}", self.drops());
        all.remove(0)
    }

    fn reports(&mut self) -> Vec<Report<MemFrame>> {
        let rings = self.workers.iter_mut().map(|w| &mut w.reports);
        rings.flat_map(|r| std::iter::from_fn(|| r.pop())).collect()
    }

    /// The Mobility Headers that were punted.
    fn signaling(&mut self) -> Vec<Vec<u8>> {
        let rings = self.workers.iter_mut().map(|w| &mut w.signaling);
        rings.flat_map(|r| std::iter::from_fn(|| r.pop())).map(|f| f.to_bytes()).collect()
    }

    fn snapshots(&self) -> Vec<Snapshot> {
        self.workers.iter().map(|w| w.counters.snapshot()).collect()
    }

    fn count(&self, counter: Counter) -> u64 {
        self.snapshots().iter().map(|s| s.get(counter)).sum()
    }

    /// Which reasons have been counted, and how often.
    fn drops(&self) -> Vec<(DropReason, u64)> {
        let all = self.snapshots();
        let sum = |r: DropReason| (r, all.iter().map(|s| s.dropped(r)).sum());
        DropReason::ALL.iter().map(|r| sum(*r)).filter(|(_, n)| *n > 0).collect()
    }

    /// The counters of a prefix, asked for and summed as the control core does.
    fn entry_counters(&mut self, prefix_: &str) -> Option<EntryCounters> {
        self.counters_of(prefix(prefix_).into())
    }

    fn counters_of(&mut self, key: CustomerPrefix) -> Option<EntryCounters> {
        self.publish(Change::CountersGet(key, 7));
        self.run();
        let answers = self.reports().into_iter().filter_map(|r| match r {
            Report::Counters(7, counters) => counters,
            _ => None,
        });
        answers.reduce(|a, b| EntryCounters {
            downlink_packets: a.downlink_packets + b.downlink_packets,
            downlink_bytes: a.downlink_bytes + b.downlink_bytes,
            uplink_packets: a.uplink_packets + b.uplink_packets,
            uplink_bytes: a.uplink_bytes + b.uplink_bytes,
        })
    }

    /// Every frame that came in has ended in exactly one way, and none has leaked. Takes away what
    /// was sent and punted.
    fn balance(&mut self) {
        let n = |c| self.count(c);
        let came = n(Counter::RxPackets)
            + n(Counter::Injected)
            + n(Counter::IcmpErrors)
            + n(Counter::FragmentsSent)
            + n(Counter::Reassembled)
            + n(Counter::Copies)
            + n(Counter::HandoffReceived);
        let went = n(Counter::TxPackets)
            + n(Counter::PuntSignaling)
            + n(Counter::PuntException)
            + n(Counter::PuntUnresolved)
            + n(Counter::HandoffSent)
            + n(Counter::FragmentsTaken)
            + self.drops().iter().map(|(_, n)| n).sum::<u64>();
        assert_eq!(came, went, "{:?}", self.drops());
        assert_eq!(n(Counter::HandoffReceived), n(Counter::HandoffSent));
        drop((self.sent(ACCESS), self.sent(CORE), self.signaling(), self.reports()));
        assert_eq!(self.pool.in_use(), 0, "leaked");
    }
}

impl Port {
    fn new(
        id: WorkerId,
        steering: &Steering,
        sizes: &Sizes,
        pool: &MemPool,
        handoff_in: Vec<Consumer<Handoff<MemFrame>>>,
        handoff_out: Vec<Option<Producer<Handoff<MemFrame>>>>,
    ) -> Self {
        let wires = || [MemWire::new(512), MemWire::new(512)];
        let (rx, tx) = (wires(), wires());
        let port = |i: usize| WorkerPort {
            config: port_configs()[i],
            rx: MemRx::new(&rx[i]),
            tx: MemTx::new(&tx[i]),
        };
        let (update_tx, updates) = ring(1024);
        let (inject_tx, injects) = ring(1024);
        let (signaling, signaling_rx) = ring(sizes.report_ring_len);
        let (reports, report_rx) = ring(sizes.report_ring_len);
        let (applied_tx, applied_rx) = applied();
        let counters = Arc::new(WorkerCounters::default());
        let worker_config = WorkerConfig {
            id,
            steering: steering.clone(),
            lma: AnchorAddr(addr(LMA)),
            lma_ipv4: Some(ipv4(LMA4)),
            local: vec![addr("2001:db8:ff::2")],
            vlans: vlan_ports(),
            limits: sizes.limits,
            policy: sizes.policy.clone(),
        };
        let rings = WorkerRings { updates, injects, signaling, reports, handoff_in, handoff_out };
        let worker = Worker::new(
            worker_config,
            vec![port(0), port(1)],
            rings,
            pool.clone(),
            applied_tx,
            Arc::clone(&counters),
        );
        Self {
            worker,
            rx,
            tx,
            updates: update_tx,
            injects: inject_tx,
            signaling: signaling_rx,
            reports: report_rx,
            counters,
            applied: applied_rx,
        }
    }
}
