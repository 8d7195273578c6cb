//! A worker allocates nothing per packet: not for what it forwards either way, nor for what it
//! drops, answers, punts or finds nowhere.

use anchord::addr::{
    AnchorAddr, CustomerId, GreKeys, HomePrefix, MacAddr, PortId, TunnelPath, WorkerId,
};
use anchord::dataplane::counters::{Counter, WorkerCounters};
use anchord::dataplane::drop::DropReason;
use anchord::dataplane::steer::Steering;
use anchord::dataplane::update::{Change, Forward, NextHop, Tunnel, TunnelId, Update};
use anchord::dataplane::worker::{
    Limits, PortConfig, Worker, WorkerConfig, WorkerPort, WorkerRings,
};
use anchord::nic::mem::{MemFrame, MemPool, MemRx, MemTx, MemWire};
use anchord::sync::ring::ring;
use anchord::sync::seq::{Seq, applied};
use anchord::time::Instant;
use std::net::Ipv6Addr;
use std::sync::Arc;

const ACCESS: PortId = PortId(0);
const CORE: PortId = PortId(1);
const MACS: [MacAddr; 2] = [MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 2])];
const ROUTER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);

const LMA: &str = "fd01::1";
const MAG: &str = "fd01::a";
const NODE: &str = "2001:db8:0:1::1";
const PEER: &str = "2600::1";

fn addr(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

/// An IPv6 packet with a UDP header's worth of payload, or with `inner` in it.
fn packet(src: &str, dst: &str, next: u8, hops: u8, inner: &[u8]) -> Vec<u8> {
    let len = u16::try_from(inner.len()).unwrap().to_be_bytes();
    let header = [0x60, 0, 0, 0, len[0], len[1], next, hops];
    [&header[..], &addr(src).octets(), &addr(dst).octets(), inner].concat()
}

fn udp(src: &str, dst: &str, hops: u8) -> Vec<u8> {
    packet(src, dst, 17, hops, &[0, 9, 0, 9, 0, 16, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8])
}

fn tunnelled(outer_src: &str, inner: &[u8]) -> Vec<u8> {
    packet(outer_src, LMA, 41, 64, inner)
}

fn on_port(port: PortId, packet: &[u8]) -> (PortId, Vec<u8>) {
    let ether = [&MACS[usize::from(port.0)].0[..], &ROUTER_MAC.0, &[0x86, 0xdd]].concat();
    (port, [&ether, packet].concat())
}

/// One of each: what leaves, what is answered, what is punted, what is dropped.
fn mix() -> Vec<(PortId, Vec<u8>)> {
    let mut too_long = udp(PEER, NODE, 64);
    too_long.resize(1500, 0);
    too_long[4..6].copy_from_slice(&1460u16.to_be_bytes());
    vec![
        on_port(CORE, &udp(PEER, NODE, 64)),
        on_port(ACCESS, &tunnelled(MAG, &udp(NODE, PEER, 64))),
        on_port(ACCESS, &tunnelled(MAG, &udp(NODE, "2001:db8:0:2::1", 64))), // node to node
        on_port(CORE, &udp(PEER, NODE, 1)),                                  // time exceeded
        on_port(CORE, &too_long),                                            // packet too big
        on_port(CORE, &udp(PEER, "2001:db8:0:77::1", 64)),                   // nobody's prefix
        on_port(ACCESS, &tunnelled("fd01::bad", &udp(NODE, PEER, 64))),      // rogue gateway
        on_port(ACCESS, &tunnelled(MAG, &udp("2001:db8:9::1", PEER, 64))),   // spoofed
        on_port(ACCESS, &packet(MAG, LMA, 135, 64, &[59, 0, 5, 0, 0, 0, 0, 0])), // signaling
        on_port(ACCESS, &packet(MAG, LMA, 58, 64, &[128, 0, 0, 0, 0, 0, 0, 0])), // the kernel's
        on_port(CORE, &udp(PEER, NODE, 64)[..30]),                           // cut
    ]
}

#[test]
fn worker_allocates_nothing_for_any_kind_of_packet() {
    let pool = MemPool::new(512);
    let wires: Vec<(MemWire, MemWire)> =
        (0..2).map(|_| (MemWire::new(256), MemWire::new(256))).collect();
    let ports = (wires.iter().zip(MACS).enumerate())
        .map(|(i, ((to, from), mac))| WorkerPort {
            config: PortConfig {
                access: i == 0,
                mac,
                mtu: 1500,
                address: None,
                ipv4_address: None,
                customer: CustomerId::default(),
            },
            rx: MemRx::new(to),
            tx: MemTx::new(from),
        })
        .collect();
    let (mut updates, updates_rx) = ring(64);
    let (_injects, injects_rx) = ring(64);
    let (signaling_tx, mut signaling) = ring(256);
    let (reports_tx, mut reports) = ring(256);
    let (applied_writer, _applied) = applied();
    let counters = Arc::new(WorkerCounters::default());
    let mut worker: Worker<MemRx, MemTx> = Worker::new(
        WorkerConfig {
            id: WorkerId(0),
            steering: Steering::new(1),
            lma: AnchorAddr(addr(LMA)),
            lma_ipv4: None,
            local: Vec::new(),
            vlans: Vec::new(),
            limits: Limits { entries_max: 16, tunnels_max: 4 },
        },
        ports,
        WorkerRings {
            updates: updates_rx,
            injects: injects_rx,
            signaling: signaling_tx,
            reports: reports_tx,
            handoff_in: Vec::new(),
            handoff_out: vec![None],
        },
        applied_writer,
        Arc::clone(&counters),
    );
    let prefix = |text: &str| -> HomePrefix { text.parse().unwrap() };
    let tunnel = Tunnel { path: TunnelPath::ip(addr(LMA), addr(MAG)), mtu: 1500 };
    let changes = [
        Change::TunnelSet(TunnelId(0), tunnel),
        Change::PoolSet(prefix("2001:db8::/32").into()),
        Change::EntrySet(
            prefix("2001:db8:0:1::/64").into(),
            Forward::Tunnel(TunnelId(0), GreKeys::default()),
        ),
        Change::EntrySet(
            prefix("2001:db8:0:2::/64").into(),
            Forward::Tunnel(TunnelId(0), GreKeys::default()),
        ),
        Change::RouteSet(prefix("fd01::/64").into(), NextHop::OnLink(ACCESS)),
        Change::RouteSet(prefix("::/0").into(), NextHop::Gateway(CORE, addr("fe80::9"))),
        Change::NeighborSet(ACCESS, addr(MAG), ROUTER_MAC),
        Change::NeighborSet(CORE, addr("fe80::9"), ROUTER_MAC),
    ];
    for (seq, change) in (1..).zip(changes) {
        updates.push(Update { seq: Seq(seq), change }).unwrap();
    }
    worker.poll(Instant(0));

    let (mut now, mut allocations) = (0, 0);
    for round in 0..20 {
        let frames: Vec<MemFrame> =
            mix().iter().map(|(port, bytes)| pool.frame(*port, bytes).unwrap()).collect();
        for (frame, (port, _)) in frames.into_iter().zip(mix()) {
            wires[usize::from(port.0)].0.inject(frame).unwrap();
        }
        now += 1_000_000_000; // so that no error is over its rate limit
        let info = allocation_counter::measure(|| while worker.poll(Instant(now)) > 0 {});
        if round > 0 {
            allocations += info.count_total;
        }
        while signaling.pop().is_some() || reports.pop().is_some() {}
        for (_, from) in &wires {
            drop(from.take_all());
        }
    }
    assert_eq!(allocations, 0);
    assert_eq!(pool.in_use(), 0);

    // It was not idle: each kind went its way, every time.
    let seen = counters.snapshot();
    let counted = |c| seen.get(c);
    assert_eq!(counted(Counter::RxPackets), 20 * 11);
    assert_eq!((counted(Counter::UplinkPackets), counted(Counter::NodeToNode)), (40, 20));
    assert_eq!((counted(Counter::PuntSignaling), counted(Counter::PuntException)), (20, 20));
    assert_eq!(counted(Counter::IcmpErrors), 60);
    let reasons = [
        DropReason::HopLimit,
        DropReason::TunnelMtu,
        DropReason::Unassigned,
        DropReason::NotServing,
        DropReason::InnerSource,
        DropReason::FrameShort,
    ];
    assert_eq!(reasons.map(|r| seen.dropped(r)), [20; 6]);
    assert_eq!(seen.dropped_total(), 6 * 20);
}
