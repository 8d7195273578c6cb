//! Any frame, at either port, through the classifier and a whole worker on the in-memory NIC.
//!
//! ```text
//!  | what | first segment | frame ...     what: bit 0 the port, bit 1 an Ethernet header is given,
//!                                          else bit 2 it is of IPv4, bit 3 of a customer's VLAN;
//!                                          bit 4 the checksums of IPv4 headers are put right
//! ```

use anchord::addr::{
    AnchorAddr, CustomerId, Encap, GreKeys, HomePrefix, MacAddr, PortId, TunnelPath, WorkerId,
};
use anchord::dataplane::classify::{Ingress, classify};
use anchord::dataplane::counters::{Counter, WorkerCounters};
use anchord::dataplane::steer::Steering;
use anchord::dataplane::update::{Change, Forward, NextHop, Report, Tunnel, TunnelId, Update};
use anchord::dataplane::worker::{
    Limits, PortConfig, TunnelPolicy, VlanPort, Worker, WorkerConfig, WorkerPort, WorkerRings,
};
use anchord::nic::mem::{MemFrame, MemPool, MemRx, MemTx, MemWire};
use anchord::sync::ring::ring;
use anchord::sync::seq::{Seq, applied};
use anchord::time::Instant;
use anchord::wire::ether::{self, EtherHeader};
use anchord::wire::ipv4::Ipv4Header;
use anchord::wire::ipv6::Ipv6Header;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Both ports have it.
pub(crate) const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
pub(crate) const PEER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
pub(crate) const LMA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xff, 0, 0, 0, 0, 1);
pub(crate) const MAG: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 1);
pub(crate) const MAG2: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 2);
const GATEWAY: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const TUNNEL: TunnelId = TunnelId(0);
const TUNNEL2: TunnelId = TunnelId(15);
pub(crate) const LMA4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(crate) const MAG4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
pub(crate) const ACCESS: PortId = PortId(0);
const CORE: PortId = PortId(1);
const PORTS: [PortId; 2] = [ACCESS, CORE];
const CUSTOMER: CustomerId = CustomerId(1);

/// Longer than any frame that one turn of a worker needs to be done with.
const POLLS_MAX: usize = 100;

/// Where the headers of a tunnel packet in IPv4 may end: none, GRE, GRE with a key, UDP, UDP and
/// TLV and GRE with a key; the same behind IPv6.
const INNER_AT: [usize; 9] = [0, 20, 24, 28, 36, 40, 44, 48, 56];

/// Sends the frame through; it must come out once, or be counted, and what comes out is whole.
pub(crate) fn run(bytes: &[u8]) {
    let [what, first_segment, bytes @ ..] = bytes else { return };
    let port = PortId(u16::from(what & 1));
    let mut frame = Vec::new();
    if what & 2 == 0 {
        let ether_type = if what & 4 == 0 { ether::IPV6 } else { ether::IPV4 };
        let header = EtherHeader { dst: MAC, src: PEER_MAC, ether_type };
        frame.resize(ether::HEADER_LEN, 0);
        header.emit(&mut frame).expect("room for the header");
        if what & 8 != 0 {
            frame.splice(12..12, [0x81, 0, 0, 100]);
        }
    }
    let packet_at = frame.len();
    frame.extend(bytes);
    if what & 16 != 0 {
        put_checksums_right(&mut frame[packet_at..]);
    }
    let ingress = Ingress {
        mac: MAC,
        access: port == ACCESS,
        lma: Some(AnchorAddr(LMA)),
        lma_ipv4: Some(LMA4),
    };
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

/// One worker with one node, one that waits for its deletion, one behind each kind of tunnel, and
/// default routes.
pub(crate) struct Rig {
    pub(crate) pool: MemPool,
    worker: Worker<MemRx>,
    rx: [MemWire; 2],
    tx: [MemWire; 2],
    signaling: anchord::sync::ring::Consumer<MemFrame>,
    reports: anchord::sync::ring::Consumer<Report<MemFrame>>,
    pub(crate) counters: Arc<WorkerCounters>,
    pub(crate) now: Instant,
    /// Frames that went in and out.
    came: u64,
    went: u64,
}

impl Rig {
    pub(crate) fn new() -> Self {
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
            lma_ipv4: Some(LMA4),
            local: Vec::new(),
            vlans: [PORTS[0], PORTS[1]]
                .map(|parent| VlanPort { parent, id: 100, config: port_config(false, CUSTOMER) })
                .to_vec(),
            limits: Limits { entries_max: 32, tunnels_max: 16 },
            policy: TunnelPolicy { clamp_mss: true, ..TunnelPolicy::default() },
        };
        let port = |n: usize| WorkerPort {
            config: port_config(n == 0, CustomerId(0)),
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
        let pool = MemPool::new(4);
        let mut worker =
            Worker::new(config, ports, rings, pool.clone(), applied().0, Arc::clone(&counters));
        while worker.apply_updates() > 0 {}
        let now = Instant(1 << 40);
        Self { pool, worker, rx, tx, signaling, reports, counters, now, came: 0, went: 0 }
    }

    /// Lets a frame in, and gives what is sent; the books balance.
    pub(crate) fn send_through(&mut self, port: PortId, frame: MemFrame) -> Vec<Vec<u8>> {
        for wire in &self.tx {
            wire.accept(4);
        }
        assert!(self.rx[usize::from(port.0)].inject(frame).is_ok());
        let idle = (0..POLLS_MAX).any(|_| self.worker.poll(self.now) == 0);
        assert!(idle, "a worker that never rests");

        let sent = self.tx.iter().flat_map(MemWire::take_all).map(|frame| frame.to_bytes());
        let sent: Vec<Vec<u8>> = sent.collect();
        let mut punted = 0;
        while let Some(report) = self.reports.pop() {
            punted += usize::from(matches!(report, Report::Punt(..)));
        }
        punted += std::iter::from_fn(|| self.signaling.pop()).count();
        let counted = self.counters.snapshot();
        // A frame that becomes an ICMP error is dropped by then, and the error may be, too.
        let (dropped, errors) = (counted.dropped_total(), counted.get(Counter::IcmpErrors));
        // What is cut becomes more frames; a fragment waits for others, or was all of its packet.
        let taken = counted.get(Counter::FragmentsTaken);
        let made = counted.get(Counter::FragmentsSent) + counted.get(Counter::Reassembled);
        self.came += 1;
        self.went += u64::try_from(sent.len() + punted).expect("a few");
        let (came, went) = (self.came, self.went);
        assert_eq!(
            went + dropped + taken,
            came + errors + made,
            "{came} in, {went} out, {dropped} dropped, {taken} taken, {errors} errors, {made} made"
        );
        for bytes in &sent {
            let header = EtherHeader::parse(bytes).expect("an Ethernet header");
            assert_eq!((header.src, header.dst), (MAC, PEER_MAC));
            assert_is_whole(header.ether_type, &bytes[ether::HEADER_LEN..]);
        }
        sent
    }
}

/// A packet is as long as it says, behind a VLAN's tag too.
fn assert_is_whole(ether_type: u16, packet: &[u8]) {
    match (ether_type, packet) {
        (0x8100, [0, 100, 0x08, 0x00, packet @ ..]) | (ether::IPV4, packet) => {
            let header = Ipv4Header::parse(packet).expect("an IPv4 header");
            assert_eq!(usize::from(header.total_len), packet.len());
        }
        (0x8100, [0, 100, 0x86, 0xdd, packet @ ..]) | (ether::IPV6, packet) => {
            let header = Ipv6Header::parse(packet).expect("an IPv6 header");
            assert_eq!(header.packet_len(), packet.len());
        }
        other => panic!("{other:02x?}"),
    }
}

fn tables() -> Vec<Change> {
    let prefix = |third: u16, fourth: u16, len| {
        let addr = Ipv6Addr::new(0x2001, 0xdb8, third, fourth, 0, 0, 0, 0);
        HomePrefix::truncating(addr, len).expect("a length below 129")
    };
    let default = HomePrefix::truncating(Ipv6Addr::UNSPECIFIED, 0).expect("a length below 129");
    let mut tables = vec![
        Change::TunnelSet(TUNNEL, Tunnel { path: TunnelPath::ip(LMA, MAG), mtu: 1500 }),
        Change::PoolSet(prefix(1, 0, 48).into()),
        Change::EntrySet(prefix(1, 1, 64).into(), Forward::Tunnel(TUNNEL, GreKeys::default())),
        Change::EntrySet(prefix(1, 2, 64).into(), Forward::Held),
        Change::RouteSet(default.into(), NextHop::Gateway(CORE, GATEWAY)),
        Change::RouteSet(prefix(0xa, 0, 64).into(), NextHop::OnLink(ACCESS)),
        Change::NeighborSet(CORE, GATEWAY, PEER_MAC),
        Change::NeighborSet(ACCESS, MAG, PEER_MAC),
        Change::TunnelSet(TUNNEL2, Tunnel { path: TunnelPath::ip(LMA, MAG2), mtu: 1500 }),
        Change::EntrySet(prefix(1, 3, 64).into(), Forward::Tunnel(TUNNEL2, GreKeys::default())),
        Change::NeighborSet(ACCESS, MAG2, PEER_MAC),
    ];
    tables.extend(dual_tables());
    tables
}

/// Node i has 10.1.0.(16 + i) and 2001:db8:1:ai::/64, and tunnel i + 1: those of
/// tests/golden/dataplane/dual.py.
fn dual_tables() -> Vec<Change> {
    let [local, remote] = [LMA4, MAG4].map(|a| a.to_ipv6_mapped());
    let in_ipv6 = |encap| TunnelPath { local: LMA, remote: MAG, encap };
    let in_ipv4 = |encap| TunnelPath { local, remote, encap };
    let none = GreKeys::default();
    let keys = |downlink, uplink| GreKeys { downlink: Some(downlink), uplink: Some(uplink) };
    let tunnels = [
        (in_ipv6(Encap::Ip), none),
        (in_ipv6(Encap::Gre), none),
        (in_ipv6(Encap::Gre), keys(0x1122_3344, 0x1002)),
        (in_ipv4(Encap::Ip), none),
        (in_ipv4(Encap::Gre), none),
        (in_ipv4(Encap::Gre), keys(0, 0x1005)),
        (in_ipv4(Encap::Udp(5437)), none),
        (in_ipv4(Encap::Udp(40000)), none),
        (in_ipv4(Encap::UdpGre(5437)), none),
        (in_ipv4(Encap::UdpGre(5437)), keys(u32::MAX, 0x1009)),
    ];
    let ipv4 = |a, b, c, d, len| {
        HomePrefix::from_ipv4(Ipv4Addr::new(a, b, c, d), len).expect("a length below 33")
    };
    let home = |i: u16| {
        let hnp = Ipv6Addr::new(0x2001, 0xdb8, 1, 0xa0 | i, 0, 0, 0, 0);
        HomePrefix::truncating(hnp, 64).expect("a length below 129")
    };
    let gateway = |port| NextHop::Gateway(port, GATEWAY);
    let pool = ipv4(10, 1, 0, 0, 16);
    let mut changes = vec![
        Change::PoolSet(pool.into()),
        Change::PoolSet(pool.of(CUSTOMER)),
        Change::RouteSet(ipv4(0, 0, 0, 0, 0).into(), gateway(CORE)),
        Change::RouteSet(ipv4(0, 0, 0, 0, 0).of(CUSTOMER), gateway(PortId(3))),
        Change::RouteSet(ipv4(198, 51, 100, 0, 24).into(), NextHop::OnLink(ACCESS)),
        Change::NeighborSet(PortId(3), GATEWAY, PEER_MAC),
        Change::NeighborSet(ACCESS, remote, PEER_MAC),
    ];
    for (i, (path, keys)) in (0u8..).zip(tunnels) {
        let id = TunnelId(u32::from(i) + 1);
        // The last one is a customer's.
        let customer = if i == 9 { CUSTOMER } else { CustomerId(0) };
        let forward = Forward::Tunnel(id, keys);
        changes.push(Change::TunnelSet(id, Tunnel { path, mtu: 1500 }));
        let homes = [home(u16::from(i)), ipv4(10, 1, 0, 16 + i, 32)];
        changes.extend(homes.map(|p| Change::EntrySet(p.of(customer), forward)));
    }
    changes
}

fn port_config(access: bool, customer: CustomerId) -> PortConfig {
    PortConfig { access, mac: MAC, mtu: 1500, address: None, ipv4_address: None, customer }
}

/// So that the fuzzer need not find them.
fn put_checksums_right(packet: &mut [u8]) {
    for at in INNER_AT {
        let Some(header) = packet.get_mut(at..at + 20).filter(|h| h[0] == 0x45) else { continue };
        header[10..12].fill(0);
        let sum: u32 =
            header.chunks_exact(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]]))).sum();
        let sum = (sum & 0xffff) + (sum >> 16);
        let sum = (sum & 0xffff) + (sum >> 16);
        let [.., high, low] = (!sum).to_be_bytes();
        header[10..12].copy_from_slice(&[high, low]);
    }
}
