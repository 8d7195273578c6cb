//! Any frame, at either port, through the classifier and a whole worker on the in-memory NIC.
//!
//! ```text
//!  | what | first segment | frame ...     what: bit 0 the port, bit 1 an Ethernet header is given
//! ```

use anchord::addr::{
    AnchorAddr, CustomerId, GreKeys, HomePrefix, MacAddr, PortId, TunnelPath, WorkerId,
};
use anchord::dataplane::classify::{Ingress, classify};
use anchord::dataplane::counters::{Counter, WorkerCounters};
use anchord::dataplane::steer::Steering;
use anchord::dataplane::update::{Change, Forward, NextHop, Report, Tunnel, TunnelId, Update};
use anchord::dataplane::worker::{
    Limits, PortConfig, Worker, WorkerConfig, WorkerPort, WorkerRings,
};
use anchord::nic::mem::{MemFrame, MemPool, MemRx, MemTx, MemWire};
use anchord::sync::ring::ring;
use anchord::sync::seq::{Seq, applied};
use anchord::time::Instant;
use anchord::wire::ether::{self, EtherHeader};
use anchord::wire::ipv6::Ipv6Header;
use std::net::Ipv6Addr;
use std::sync::Arc;

/// Both ports have it.
const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const PEER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
const LMA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xff, 0, 0, 0, 0, 1);
const MAG: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 1);
const GATEWAY: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const TUNNEL: TunnelId = TunnelId(0);
const ACCESS: PortId = PortId(0);
const CORE: PortId = PortId(1);

/// Longer than any frame that one turn of a worker needs to be done with.
const POLLS_MAX: usize = 100;

/// Sends the frame through; it must come out once, or be counted, and what comes out is IPv6.
pub(crate) fn run(bytes: &[u8]) {
    let [what, first_segment, bytes @ ..] = bytes else { return };
    let port = PortId(u16::from(what & 1));
    let mut frame = Vec::new();
    if what & 2 == 0 {
        let header = EtherHeader { dst: MAC, src: PEER_MAC, ether_type: ether::IPV6 };
        frame.resize(ether::HEADER_LEN, 0);
        header.emit(&mut frame).expect("room for the header");
    }
    frame.extend(bytes);
    let ingress =
        Ingress { mac: MAC, access: port == ACCESS, lma: Some(AnchorAddr(LMA)), lma_ipv4: None };
    let _ = classify(&frame, frame.len(), &ingress);

    let mut rig = Rig::new();
    // Segments are rare: mostly the frame is in one.
    let split = if *first_segment < 128 { 2048 } else { usize::from(first_segment - 128) * 2 };
    let (first, rest) = frame.split_at(split.min(frame.len()));
    if let Some(frame) = rig.pool.frame_in_segments(port, first, rest) {
        rig.send_through(port, frame);
    }
    assert_eq!(rig.pool.in_use(), 0, "a frame leaked");
}

/// One worker with one node, one that waits for its deletion, and a default route.
struct Rig {
    pool: MemPool,
    worker: Worker<MemRx, MemTx>,
    rx: [MemWire; 2],
    tx: [MemWire; 2],
    signaling: anchord::sync::ring::Consumer<MemFrame>,
    reports: anchord::sync::ring::Consumer<Report<MemFrame>>,
    counters: Arc<WorkerCounters>,
}

impl Rig {
    fn new() -> Self {
        let rx = [MemWire::new(4), MemWire::new(4)];
        let tx = [MemWire::new(4), MemWire::new(4)];
        let (mut updates, updates_rx) = ring(64);
        let (_, injects) = ring(1);
        let (signaling_tx, signaling) = ring(64);
        let (reports_tx, reports) = ring(64);
        for (n, change) in (1..).zip(tables()) {
            assert!(updates.push(Update { seq: Seq(n), change }).is_ok());
        }
        let config = WorkerConfig {
            id: WorkerId(0),
            steering: Steering::new(1),
            lma: AnchorAddr(LMA),
            lma_ipv4: None,
            local: Vec::new(),
            vlans: Vec::new(),
            limits: Limits { entries_max: 16, tunnels_max: 2 },
        };
        let port = |n: usize| WorkerPort {
            config: PortConfig {
                access: n == 0,
                mac: MAC,
                mtu: 1500,
                address: None,
                ipv4_address: None,
                customer: CustomerId::default(),
            },
            rx: MemRx::new(&rx[n]),
            tx: MemTx::new(&tx[n]),
        };
        let rings = WorkerRings {
            updates: updates_rx,
            injects,
            signaling: signaling_tx,
            reports: reports_tx,
            handoff_in: Vec::new(),
            handoff_out: vec![None],
        };
        let counters = Arc::new(WorkerCounters::default());
        let ports = vec![port(0), port(1)];
        for wire in &tx {
            wire.accept(4);
        }
        let worker = Worker::new(config, ports, rings, applied().0, Arc::clone(&counters));
        Self { pool: MemPool::new(4), worker, rx, tx, signaling, reports, counters }
    }

    fn send_through(&mut self, port: PortId, frame: MemFrame) {
        assert!(self.rx[usize::from(port.0)].inject(frame).is_ok());
        let idle = (0..POLLS_MAX).any(|_| self.worker.poll(Instant(1 << 40)) == 0);
        assert!(idle, "a worker that never rests");

        let sent: Vec<MemFrame> = self.tx.iter().flat_map(MemWire::take_all).collect();
        let mut punted = 0;
        while let Some(report) = self.reports.pop() {
            punted += usize::from(matches!(report, Report::Punt(..)));
        }
        punted += std::iter::from_fn(|| self.signaling.pop()).count();
        let counted = self.counters.snapshot();
        // A frame that becomes an ICMPv6 error is dropped by then, and the error may be, too.
        let (dropped, errors) = (counted.dropped_total(), counted.get(Counter::IcmpErrors));
        let out = u64::try_from(sent.len() + punted).expect("a few");
        assert_eq!(out + dropped, 1 + errors, "{out} out, {dropped} dropped, {errors} errors");
        for frame in sent {
            let bytes = frame.to_bytes();
            let header = EtherHeader::parse(&bytes).expect("an Ethernet header");
            assert_eq!((header.src, header.dst), (MAC, PEER_MAC));
            let packet = &bytes[ether::HEADER_LEN..];
            let header = Ipv6Header::parse(packet).expect("an IPv6 header");
            assert_eq!(header.packet_len(), packet.len());
        }
    }
}

fn tables() -> Vec<Change> {
    let prefix = |third: u16, fourth: u16, len| {
        let addr = Ipv6Addr::new(0x2001, 0xdb8, third, fourth, 0, 0, 0, 0);
        HomePrefix::truncating(addr, len).expect("a length below 129")
    };
    let default = HomePrefix::truncating(Ipv6Addr::UNSPECIFIED, 0).expect("a length below 129");
    vec![
        Change::TunnelSet(TUNNEL, Tunnel { path: TunnelPath::ip(LMA, MAG), mtu: 1500 }),
        Change::PoolSet(prefix(1, 0, 48).into()),
        Change::EntrySet(prefix(1, 1, 64).into(), Forward::Tunnel(TUNNEL, GreKeys::default())),
        Change::EntrySet(prefix(1, 2, 64).into(), Forward::Held),
        Change::RouteSet(default.into(), NextHop::Gateway(CORE, GATEWAY)),
        Change::RouteSet(prefix(0xa, 0, 64).into(), NextHop::OnLink(ACCESS)),
        Change::NeighborSet(CORE, GATEWAY, PEER_MAC),
        Change::NeighborSet(ACCESS, MAG, PEER_MAC),
    ]
}
