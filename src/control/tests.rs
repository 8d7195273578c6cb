//! The control core with a real pure core and real workers on an in-memory NIC, a clock of our own,
//! and the ends of all channels in the test's hands.

mod flood;
mod forwarding;
mod held_reply;
mod ipsec;
mod ipv4;
mod log;
mod mip4;
mod path_mtu;
mod protected;
mod refusal;
mod signaling;

use super::exception::KernelPath;
use super::home::HomeLinks;
use super::ipsec::IpsecPath;
use super::journal::{Batch, Journal, JournalEnd};
use super::mirror::{KernelEvent, KernelMirror, Neighbor, NeighborRequest};
use super::*;
use crate::addr::{
    AnchorAddr, CustomerId, CustomerPrefix, HomePrefix, MacAddr, MnId, PortId, WorkerId,
};
use crate::admin::channel::{Asker, channel};
use crate::config::PortRole;
use crate::dataplane::handoff::Handoff;
use crate::dataplane::steer::Steering;
use crate::dataplane::update::NextHop;
use crate::dataplane::worker::{
    Limits, PortConfig, TunnelPolicy, Worker, WorkerConfig, WorkerPort, WorkerRings,
};
use crate::mobility::Lma;
use crate::mobility::config::{LmaConfig, MagConfig, Policy, PoolConfig, Profile};
use crate::mobility::ha::HomeAgent;
use crate::nic::mem::{MemFrame, MemPool, MemRx, MemTx, MemWire};
use crate::sync::ring::{Producer, ring};
use crate::sync::seq::{AppliedWriter, applied};
use crate::time::{Instant, Lifetime, MobTimestamp};
use crate::wire::ether;
use crate::wire::ipv6::{self, Ipv6Header};
use crate::wire::mh::{
    self, AccessTech, BindingAck, BindingUpdate, BuFlags, HandoffIndicator, Message, MessageData,
    MobilityOption, SeqNo,
};
use crossbeam::channel::{Receiver, Sender, bounded};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

pub(super) const LMA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 1);
pub(super) const MAG1: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 0x11);
pub(super) const MAG2: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 0x12);
pub(super) const LMA_IPV4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(super) const ACCESS: PortId = PortId(0);
const OWN_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const MAG_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x11]);

/// How a bench differs from the usual one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) workers: u16,
    pub(super) ring_len: usize,
    pub(super) journal_len: usize,
    pub(super) bindings_max: usize,
    pub(super) home_agent: bool,
}

impl Default for Shape {
    fn default() -> Self {
        let (ring_len, journal_len, bindings_max) = (256, 256, 2000);
        Self { workers: 1, ring_len, journal_len, bindings_max, home_agent: false }
    }
}

type Handoffs = (Vec<Option<Producer<Handoff<MemFrame>>>>, Vec<Consumer<Handoff<MemFrame>>>);

/// A whole anchor with one access port; time passes only when the test says so.
pub(super) struct Bench {
    pub(super) control: Control<MemPool>,
    pub(super) workers: Vec<Worker<MemRx>>,
    pub(super) pool: MemPool,
    /// Towards the first worker's receive queue.
    pub(super) rx: MemWire,
    /// A queue on which only signaling arrives.
    pub(super) signaling: MemWire,
    /// What any worker sent.
    pub(super) tx: MemWire,
    pub(super) records: Receiver<Batch>,
    pub(super) confirmed: AppliedWriter,
    pub(super) to_kernel: Receiver<(PortId, MemFrame)>,
    pub(super) from_kernel: Sender<(PortId, Box<[u8]>)>,
    /// What the kernel took out of ESP.
    pub(super) out_of_esp: Sender<Box<[u8]>>,
    /// What the kernel is to put into ESP.
    pub(super) into_esp: Receiver<Box<[u8]>>,
    pub(super) events: Sender<KernelEvent>,
    pub(super) requests: Receiver<NeighborRequest>,
    pub(super) asker: Asker,
    pub(super) reloader: reload::Reloader,
    pub(super) now: Now,
}

impl Bench {
    /// An anchor that knows its routes and both gateways' link-layer addresses.
    pub(super) fn new(shape: Shape) -> Self {
        let mut bench = Self::without_neighbors(shape);
        for mag in [MAG1, MAG2] {
            bench.learn(mag, MAG_MAC);
        }
        bench.settle();
        bench
    }

    /// An anchor whose second port is a VLAN of the first.
    pub(super) fn with_vlan(shape: Shape, id: u16) -> Self {
        let vlan = PortInfo { vlan: Some((ACCESS, id)), ..port_info() };
        Self::with_ports(shape, vec![port_info(), vlan])
    }

    pub(super) fn without_neighbors(shape: Shape) -> Self {
        Self::with_ports(shape, vec![port_info()])
    }

    fn with_ports(shape: Shape, ports: Vec<PortInfo>) -> Self {
        let pool = MemPool::new(4096);
        let (rx, tx) = (MemWire::new(4096), MemWire::new(4096));
        let signaling = MemWire::new(4096);
        let steering = Steering::new(shape.workers);
        let (mut links, mut workers) = (Vec::new(), Vec::new());
        for (id, handoffs) in (0..shape.workers).zip(handoff_rings(shape)) {
            let rx = if id == 0 { rx.clone() } else { MemWire::new(1) };
            let (link, worker) = worker(WorkerId(id), &steering, shape, &rx, &tx, handoffs);
            links.push(link);
            workers.push(worker);
        }
        let (journal, JournalEnd { batches: records, confirmed, .. }) =
            Journal::connect(shape.journal_len);
        let (to_kernel_tx, to_kernel) = bounded(16);
        let (from_kernel, from_kernel_rx) = bounded(16);
        let (out_of_esp, out_of_esp_rx) = bounded(16);
        let (into_esp_tx, into_esp) = bounded(16);
        let (events, events_rx) = bounded(4096);
        let (requests_tx, requests) = bounded(4096);
        let (asker, questions) = channel(8);
        let (reloader, reloads) = reload::channel();
        let (ha, home) = if shape.home_agent {
            (HomeAgent::new(home::tests::ha_config()), home::tests::home_links())
        } else {
            (HomeAgent::default(), HomeLinks::default())
        };
        let control = Control::new(Parts {
            lma_address: AnchorAddr(LMA),
            lma_address_ipv4: Some(LMA_IPV4),
            anchor: Anchor::new(Lma::new(lma_config(shape)), ha),
            home,
            asked: BTreeSet::new(),
            restored: Vec::new(),
            pool: pool.clone(),
            ports,
            workers: links,
            steering,
            mags_max: 16,
            signaling: vec![Box::new(MemRx::new(&signaling))],
            kernel: KernelPath { to_kernel: to_kernel_tx, from_kernel: from_kernel_rx },
            ipsec: IpsecPath {
                from_kernel: out_of_esp_rx,
                to_kernel: into_esp_tx,
                losses: Arc::default(),
            },
            mirror: KernelMirror { events: events_rx, requests: requests_tx },
            journal,
            restart: Restart { counter: 7, state_lost: false },
            policy: None,
            advertiser: advertise::Advertiser::unheard(),
            questions,
            reloads,
            mags: [("mag1", MAG1), ("mag2", MAG2)]
                .map(|(name, address)| MagInfo {
                    name: name.into(),
                    address,
                    tunnel_mtu: 1500,
                    signaling_rate: 20_000,
                    ipsec: false,
                })
                .into(),
            customers: Vec::new(),
            pools: vec!["home".into()],
            tunnel_mtu: 1400,
            node_rate: 20_000,
        });
        let wall = MobTimestamp::from_unix(Duration::from_secs(1_800_000_000));
        let now = Now { mono: Instant(1_000_000_000), wall };
        let mut bench = Self {
            control,
            workers,
            pool,
            rx,
            signaling,
            tx,
            records,
            confirmed,
            to_kernel,
            from_kernel,
            out_of_esp,
            into_esp,
            events,
            requests,
            asker,
            reloader,
            now,
        };
        let on_link = route("2001:db8:a::/64");
        bench.tell(KernelEvent::RouteSet(on_link, NextHop::OnLink(ACCESS)));
        bench.tell(KernelEvent::Synced);
        bench.settle();
        bench
    }

    pub(super) fn tell(&mut self, event: KernelEvent) {
        self.events.send(event).expect("the control core listens");
    }

    pub(super) fn learn(&mut self, addr: Ipv6Addr, mac: MacAddr) {
        let neighbor = Neighbor { mac: Some(mac), state: "reachable" };
        self.tell(KernelEvent::Neighbor(ACCESS, addr, neighbor));
    }

    /// A frame arrives on the access port.
    pub(super) fn arrive(&mut self, frame: &[u8]) {
        let frame = self.pool.frame(ACCESS, frame).expect("a buffer");
        assert!(self.rx.inject(frame).is_ok(), "room on the wire");
    }

    pub(super) fn control_turn(&mut self) -> usize {
        self.control.poll(self.now)
    }

    /// The workers do all that they have to do, in as many turns as that takes.
    pub(super) fn worker_turn(&mut self) -> usize {
        let now = self.now.mono;
        let all = |w: &mut Worker<MemRx>| {
            std::iter::from_fn(|| Some(w.poll(now))).take_while(|work| *work > 0).sum::<usize>()
        };
        self.workers.iter_mut().map(all).sum()
    }

    /// Confirms every record that reached the journal.
    pub(super) fn confirm(&mut self) {
        if let Some(batch) = self.records.try_iter().last() {
            self.confirmed.store(batch.last);
        }
    }

    /// Everybody works until nobody has anything to do.
    pub(super) fn settle(&mut self) {
        for _ in 0..10_000 {
            self.confirm();
            if self.control_turn() + self.worker_turn() + self.records.len() == 0 {
                return;
            }
        }
        panic!("the bench does not come to rest");
    }

    /// Lets time pass, then everybody work.
    pub(super) fn pass(&mut self, time: Duration) {
        self.now.mono = self.now.mono + time;
        self.now.wall = MobTimestamp::from_unix(self.now.wall.to_unix() + time);
        self.settle();
    }

    /// The acknowledgements that left, with where they went to.
    pub(super) fn acks(&mut self) -> Vec<(Ipv6Addr, BindingAck)> {
        let frames = self.tx.take_all();
        frames.iter().filter_map(|f| ack_in(&f.to_bytes())).collect()
    }

    /// A registration of `mn_id` by `mag`, as a frame.
    pub(super) fn pbu(&self, mag: Ipv6Addr, mn_id: &str, seq: u16, lifetime_s: u64) -> Vec<u8> {
        let any = "::/0".parse().expect("valid");
        self.pbu_with(mag, mn_id, any, seq, lifetime_s)
    }

    /// The same for a session that holds this prefix.
    pub(super) fn pbu_with(
        &self,
        mag: Ipv6Addr,
        mn_id: &str,
        hnp: HomePrefix,
        seq: u16,
        lifetime_s: u64,
    ) -> Vec<u8> {
        let mn_id = MnId::nai(mn_id).expect("short");
        let options = [
            MobilityOption::MnId(mn_id.subtype(), mn_id.bytes()),
            MobilityOption::HomeNetworkPrefix(hnp),
            MobilityOption::HandoffIndicator(HandoffIndicator(if lifetime_s == 0 { 4 } else { 3 })),
            MobilityOption::AccessTech(AccessTech(4)),
            MobilityOption::Timestamp(MobTimestamp(self.now.wall.0 + u64::from(seq))),
        ];
        let update = BindingUpdate {
            seq: SeqNo(seq),
            flags: BuFlags(BuFlags::A.0 | BuFlags::P.0),
            lifetime: Lifetime::at_most(Duration::from_secs(lifetime_s)),
        };
        let mut message = [0; mh::MAX_LEN];
        let len = update.emit(&options, mag, LMA, &mut message).expect("fits");
        frame(mag, &message[..len])
    }

    /// Registers a node, and expects that it is accepted.
    pub(super) fn register(&mut self, mag: Ipv6Addr, mn_id: &str) {
        let frame = self.pbu(mag, mn_id, 1, 600);
        self.arrive(&frame);
        self.settle();
        let acks = self.acks();
        assert!(
            matches!(acks.as_slice(), [(to, ack)] if *to == mag && ack.status.0 == 0),
            "{acks:?}"
        );
    }

    pub(super) fn count(&self, counter: Counter) -> u64 {
        self.control.counters[counter]
    }
}

/// A route of the operator's own.
pub(super) fn route(prefix: &str) -> CustomerPrefix {
    prefix.parse::<HomePrefix>().expect("valid").into()
}

/// A Mobility Header from `src` to the anchor, as a frame.
pub(super) fn frame(src: Ipv6Addr, header: &[u8]) -> Vec<u8> {
    packet(src, LMA, mh::NEXT_HEADER, header)
}

/// An IPv6 packet to the anchor's port, as a frame.
pub(super) fn packet(src: Ipv6Addr, dst: Ipv6Addr, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; ether::HEADER_LEN + ipv6::HEADER_LEN];
    let link = ether::EtherHeader { dst: OWN_MAC, src: MAG_MAC, ether_type: ether::IPV6 };
    link.emit(&mut frame).expect("fits");
    let header = Ipv6Header {
        traffic_class: 0,
        flow_label: 0,
        payload_len: u16::try_from(payload.len()).expect("short"),
        next_header,
        hop_limit: 64,
        src,
        dst,
    };
    header.emit(&mut frame[ether::HEADER_LEN..]).expect("fits");
    frame.extend(payload);
    frame
}

/// The acknowledgement of a frame, which must stand right behind the IPv6 header.
fn ack_in(frame: &[u8]) -> Option<(Ipv6Addr, BindingAck)> {
    let packet = &frame[ether::HEADER_LEN..];
    let ip = Ipv6Header::parse(packet).ok()?;
    match Message::parse(&packet[ipv6::HEADER_LEN..], ip.src, ip.dst) {
        Ok(Message::Ba(ack, _)) if ip.next_header == mh::NEXT_HEADER => Some((ip.dst, ack)),
        _ => None,
    }
}

fn handoff_rings(shape: Shape) -> Vec<Handoffs> {
    let count = usize::from(shape.workers);
    let mut rings: Vec<Handoffs> = (0..count).map(|_| Default::default()).collect();
    for from in 0..count {
        for to in 0..count {
            let out = (from != to).then(|| {
                let (tx, rx) = ring(shape.ring_len);
                rings[to].1.push(rx);
                tx
            });
            rings[from].0.push(out);
        }
    }
    rings
}

fn worker(
    id: WorkerId,
    steering: &Steering,
    shape: Shape,
    rx: &MemWire,
    tx: &MemWire,
    (handoff_out, handoff_in): Handoffs,
) -> (WorkerLink<MemFrame>, Worker<MemRx>) {
    let ring_len = shape.ring_len;
    let (updates, updates_rx) = ring(ring_len);
    let (injects, injects_rx) = ring(ring_len);
    let (signaling_tx, signaling) = ring(ring_len);
    let (reports_tx, reports) = ring(ring_len);
    let (applied_writer, applied) = applied();
    let counters = Arc::new(WorkerCounters::default());
    let config = WorkerConfig {
        id,
        steering: steering.clone(),
        lma: AnchorAddr(LMA),
        lma_ipv4: Some(LMA_IPV4),
        local: vec![LMA],
        vlans: Vec::new(),
        limits: Limits { entries_max: 32_768, tunnels_max: 16 },
        policy: TunnelPolicy { home_agent: shape.home_agent, ..TunnelPolicy::default() },
    };
    let port = WorkerPort {
        config: PortConfig {
            access: true,
            mac: OWN_MAC,
            mtu: 1500,
            address: Some(LMA),
            ipv4_address: None,
            customer: CustomerId::default(),
        },
        rx: MemRx::new(rx),
        tx: MemTx::new(tx),
    };
    let rings = WorkerRings {
        updates: updates_rx,
        injects: injects_rx,
        signaling: signaling_tx,
        reports: reports_tx,
        handoff_in,
        handoff_out,
    };
    let pool = MemPool::new(64); // for fragments
    let worker =
        Worker::new(config, vec![port], rings, pool, applied_writer, Arc::clone(&counters));
    (WorkerLink { updates, injects, signaling, reports, applied, counters, cpu: 0 }, worker)
}

pub(super) fn lma_config(shape: Shape) -> LmaConfig {
    let policy = Policy::new(Some(Profile::ipv6(0, Duration::from_secs(3600))));
    LmaConfig {
        pools: vec![PoolConfig::new("2001:db8:100::/40".parse().expect("valid"), 64)],
        mags: [MAG1, MAG2].map(MagConfig::new).into(),
        max_bindings: shape.bindings_max,
        max_prefixes: 2 * shape.bindings_max,
        ..LmaConfig::new(AnchorAddr(LMA), policy)
    }
}

fn port_info() -> PortInfo {
    PortInfo {
        name: "access".into(),
        role: PortRole::Access,
        device: "mem0".into(),
        driver: "mem".into(),
        mac: OWN_MAC,
        mtu: 1500,
        vlan: None,
        signaling: "punt-ring",
        steering: "single",
        status: Box::new(PortStatus::default),
    }
}
