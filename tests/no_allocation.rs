//! A worker allocates nothing per packet: not for what it forwards either way, nor for what it
//! drops, answers, punts or finds nowhere.

use anchord::addr::{
    AnchorAddr, CustomerId, Encap, GreKeys, HomePrefix, MacAddr, PortId, TunnelPath, WorkerId,
};
use anchord::dataplane::counters::{Counter, WorkerCounters};
use anchord::dataplane::drop::DropReason;
use anchord::dataplane::steer::Steering;
use anchord::dataplane::update::{Change, Forward, NextHop, Tunnel, TunnelId, Update};
use anchord::dataplane::worker::{
    Limits, PortConfig, TunnelPolicy, VlanPort, Worker, WorkerConfig, WorkerPort, WorkerRings,
};
use anchord::nic::mem::{MemFrame, MemPool, MemRx, MemTx, MemWire};
use anchord::sync::ring::ring;
use anchord::sync::seq::{Seq, applied};
use anchord::time::Instant;
use anchord::wire::icmpv6::{ErrorMessage, Unreachable};
use anchord::wire::ipv4::{self, Ipv4Header};
use anchord::wire::udp::TUNNEL_PORT;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

const ACCESS: PortId = PortId(0);
const CORE: PortId = PortId(1);
const MACS: [MacAddr; 2] = [MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 2])];
const ROUTER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);

const LMA: &str = "fd01::1";
const MAG: &str = "fd01::a";
const NODE: &str = "2001:db8:0:1::1";
const PEER: &str = "2600::1";
const LMA4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const MAG4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
const NODE4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const PEER4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

/// A customer's nodes have private addresses, and the VLAN 100 of the core port.
const CUSTOMER: CustomerId = CustomerId(1);
const VLAN: PortId = PortId(2);
const KEYS: GreKeys = GreKeys { downlink: Some(1), uplink: Some(2) };

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

/// An IPv4 packet.
fn packet4(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, ttl: u8, inner: &[u8]) -> Vec<u8> {
    let header = Ipv4Header {
        header_len: ipv4::HEADER_LEN,
        tos: 0,
        total_len: u16::try_from(ipv4::HEADER_LEN + inner.len()).unwrap(),
        identification: 0,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        ttl,
        protocol,
        src,
        dst,
    };
    let mut packet = vec![0; ipv4::HEADER_LEN];
    header.emit(&mut packet).unwrap();
    [&packet, inner].concat()
}

fn udp4(src: Ipv4Addr, dst: Ipv4Addr, ttl: u8) -> Vec<u8> {
    packet4(src, dst, 17, ttl, &[0, 9, 0, 9, 0, 16, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8])
}

/// In UDP, with a TLV-header and GRE with this key.
fn tunnelled4(key: u32, inner: &[u8]) -> Vec<u8> {
    let gre = [&[0x20, 0, 8, 0][..], &key.to_be_bytes(), inner].concat();
    let [tlv_len, udp_len] = [0, 12].map(|n| u16::try_from(gre.len() + n).unwrap().to_be_bytes());
    let port = TUNNEL_PORT.to_be_bytes();
    let udp = [&port[..], &port, &udp_len, &[0, 0], &[0, 47], &tlv_len, &gre].concat();
    packet4(MAG4, LMA4, 17, 64, &udp)
}

fn on_port(port: PortId, packet: &[u8]) -> (PortId, Vec<u8>) {
    let ether_type = if packet[0] >> 4 == 4 { [0x08, 0x00] } else { [0x86, 0xdd] };
    let ether = [&MACS[usize::from(port.0)].0[..], &ROUTER_MAC.0, &ether_type].concat();
    (port, [&ether, packet].concat())
}

/// On the customer's VLAN.
fn tagged(packet: &[u8]) -> (PortId, Vec<u8>) {
    let (port, mut frame) = on_port(CORE, packet);
    frame.splice(12..12, [0x81, 0, 0, 100]);
    (port, frame)
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
        tagged(&udp4(PEER4, NODE4, 64)),
        on_port(ACCESS, &tunnelled4(2, &udp4(NODE4, PEER4, 64))),
        tagged(&udp4(PEER4, NODE4, 1)), // time exceeded
        on_port(ACCESS, &tunnelled4(3, &udp4(NODE4, PEER4, 64))), // another key
        tagged(&packet4(PEER4, Ipv4Addr::BROADCAST, 17, 64, &[0; 8])), // the kernel's
        // A tunnel packet in two fragments, one too long for the path, a complaint about one, a
        // SYN.
        on_port(ACCESS, &fragment(1, &tunnelled(MAG, &udp(NODE, PEER, 64))[40..72])),
        on_port(ACCESS, &fragment(32, &tunnelled(MAG, &udp(NODE, PEER, 64))[72..])),
        tagged(&without_df(&packet4(PEER4, NODE4, 17, 64, &[0; 1480]))),
        on_port(ACCESS, &unreachable(&packet(LMA, MAG, 41, 64, &udp(PEER, NODE, 64)))),
        on_port(CORE, &packet(PEER, NODE, 6, 64, &SYN)),
    ]
}

/// A SYN with an MSS of 65535.
const SYN: [u8; 24] =
    [0, 9, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0x60, 2, 255, 255, 0, 0, 0, 0, 2, 4, 255, 255];

/// A part of a tunnel packet of IPv6; `offset` in bytes, 1 more if others follow.
fn fragment(offset: u16, part: &[u8]) -> Vec<u8> {
    let [high, low] = offset.to_be_bytes();
    packet(MAG, LMA, 44, 64, &[&[41, 0, high, low, 0, 0, 0, 7], part].concat())
}

fn without_df(packet: &[u8]) -> Vec<u8> {
    let header = Ipv4Header { dont_fragment: false, ..Ipv4Header::parse(packet).unwrap() };
    let mut packet = packet.to_vec();
    header.emit(&mut packet).unwrap();
    packet
}

/// What a router says about a packet of ours that it cannot forward.
fn unreachable(quoted: &[u8]) -> Vec<u8> {
    let mut error = [&[0; 48], quoted].concat();
    let message = ErrorMessage::DestinationUnreachable(Unreachable::NoRoute);
    message.emit(addr("fd01::fe"), addr(LMA), 64, &mut error).unwrap();
    error
}

/// Of port `at`, or of a VLAN of it.
fn config(at: usize, customer: CustomerId) -> PortConfig {
    let (access, mac) = (at == 0, MACS[at]);
    PortConfig { access, mac, mtu: 1500, address: None, ipv4_address: None, customer }
}

#[test]
#[allow(clippy::too_many_lines)] // one worker, then packet after packet
fn worker_allocates_nothing_for_any_kind_of_packet() {
    let pool = MemPool::new(512);
    let wires: Vec<(MemWire, MemWire)> =
        (0..2).map(|_| (MemWire::new(256), MemWire::new(256))).collect();
    let ports = wires
        .iter()
        .enumerate()
        .map(|(i, (to, from))| WorkerPort {
            config: config(i, CustomerId(0)),
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
    let mut worker: Worker<MemRx> = Worker::new(
        WorkerConfig {
            id: WorkerId(0),
            steering: Steering::new(1),
            lma: AnchorAddr(addr(LMA)),
            lma_ipv4: Some(LMA4),
            local: Vec::new(),
            vlans: vec![VlanPort { parent: CORE, id: 100, config: config(1, CUSTOMER) }],
            limits: Limits { entries_max: 16, tunnels_max: 4 },
            policy: TunnelPolicy { clamp_mss: true, ..TunnelPolicy::default() },
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
        pool.clone(),
        applied_writer,
        Arc::clone(&counters),
    );
    let prefix = |text: &str| -> HomePrefix { text.parse().unwrap() };
    let tunnel = Tunnel { path: TunnelPath::ip(addr(LMA), addr(MAG)), mtu: 1500 };
    let [local, remote] = [LMA4, MAG4].map(|a| a.to_ipv6_mapped());
    let path4 = TunnelPath { local, remote, encap: Encap::UdpGre(TUNNEL_PORT) };
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
        Change::TunnelSet(TunnelId(1), Tunnel { path: path4, mtu: 1500 }),
        Change::PoolSet(prefix("10.0.0.0/8").of(CUSTOMER)),
        Change::EntrySet(prefix("10.0.0.1/32").of(CUSTOMER), Forward::Tunnel(TunnelId(1), KEYS)),
        Change::RouteSet(prefix("192.0.2.0/24").into(), NextHop::OnLink(ACCESS)),
        Change::RouteSet(prefix("0.0.0.0/0").of(CUSTOMER), NextHop::Gateway(VLAN, addr("fe80::9"))),
        Change::NeighborSet(ACCESS, path4.remote, ROUTER_MAC),
        Change::NeighborSet(VLAN, addr("fe80::9"), ROUTER_MAC),
    ];
    for (seq, change) in (1..).zip(changes) {
        updates.push(Update { seq: Seq(seq), change }).unwrap();
    }
    while worker.poll(Instant(0)) > 0 {}

    let (mut now, mut allocations) = (0, 0);
    for round in 0..20 {
        // Every other time all frames come in two buffers, with headers across them.
        let frame = |(port, bytes): &(PortId, Vec<u8>)| {
            let at = if round % 2 == 0 { bytes.len() } else { bytes.len().min(50) };
            pool.frame_in_segments(*port, &bytes[..at], &bytes[at..]).unwrap()
        };
        let frames: Vec<MemFrame> = mix().iter().map(frame).collect();
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
    assert_eq!(counted(Counter::RxPackets), 20 * 21);
    assert_eq!((counted(Counter::UplinkPackets), counted(Counter::NodeToNode)), (80, 20));
    assert_eq!((counted(Counter::Reassembled), counted(Counter::FragmentsSent)), (20, 20));
    assert_eq!(counted(Counter::MssClamped), 20);
    assert!(counted(Counter::Gathered) > 100);
    assert_eq!((counted(Counter::PuntSignaling), counted(Counter::PuntException)), (20, 40));
    assert_eq!(counted(Counter::IcmpErrors), 100);
    let reasons = [
        DropReason::HopLimit,
        DropReason::TunnelMtu,
        DropReason::Unassigned,
        DropReason::NotServing,
        DropReason::InnerSource,
        DropReason::FrameShort,
        DropReason::TunnelError,
    ];
    assert_eq!(reasons.map(|r| seen.dropped(r)), [40, 20, 20, 20, 40, 20, 20]);
    assert_eq!(seen.dropped_total(), 9 * 20);
}
