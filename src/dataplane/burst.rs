//! A worker's lane: its tables, the way of a burst through it, and the general path of a frame.
//! What is ordinary is forwarded by `ordinary.rs`; what is not, and what that leaves, comes here,
//! one by one, and everything about it is decided here.

use super::classify::{Class, Ingress, Via, classify};
use super::counters::{Counter, CounterWriter};
use super::defragment::Gateways;
use super::drop::DropReason;
use super::egress::{Sender, Staged};
use super::fib::Fib;
use super::fragment::Identifications;
use super::handoff::{Context, Handoff, Origin, Peers, Stage};
use super::header::{ETHER_LEN, Ip};
use super::icmp::ErrorLimit;
use super::marking::Markings;
use super::ordinary::{From, Notes, Uppers};
use super::punt::Reports;
use super::reassembly::Reassembly;
use super::reverse::NodeEnds;
use super::shard::{Shard, Slot};
use super::steer::Steering;
use super::tunnel::{TRANSPORT, TunnelTable};
use super::update::{NextHop, PuntReason};
use super::vlan::{Vlans, add_tag};
use super::worker::{PortConfig, WorkerConfig};
use crate::addr::{AnchorAddr, CustomerId, HomePrefix, MacAddr, PortId, WorkerId};
use crate::nic::{BURST_MAX, Burst, Frame, FramePool};
use crate::time::Instant;
use crate::wire::icmpv6::ErrorMessage;
use arrayvec::ArrayVec;
use hashbrown::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::{Ipv4Addr, Ipv6Addr};

/// A frame with what is known of it so far.
pub(super) struct Job<F: Frame> {
    frame: F,
    pub(super) class: Class,
    context: Context,
    /// Who has to do it.
    owner: WorkerId,
}

/// A worker without its receive and transmit queues: tables, and where frames end.
pub(super) struct Lane<F: Frame> {
    pub(super) id: WorkerId,
    pub(super) steering: Steering,
    pub(super) lma: Ipv6Addr,
    pub(super) lma_ipv4: Option<Ipv4Addr>,
    /// Devices, then VLANs.
    pub(super) ports: Vec<PortConfig>,
    pub(super) senders: Vec<Sender>,
    pub(super) vlans: Vlans,
    pub(super) shard: Shard,
    pub(super) tunnels: TunnelTable,
    pub(super) fib: Fib,
    /// Whose packets come from a gateway without a key that says so.
    pub(super) origins: HashMap<Ipv6Addr, CustomerId>,
    pub(super) node_ends: NodeEnds,
    /// Of the next tunnel packet in IPv4; workers use different ones.
    pub(super) identification: u16,
    /// Of the next tunnel packet in IPv6 that is cut.
    pub(super) fragments: Identifications,
    pub(super) gateways: Gateways,
    pub(super) reassembly: Reassembly,
    /// Where frames come from that nobody sent as they are.
    pub(super) pool: Box<dyn FramePool<Frame = F>>,
    pub(super) markings: Markings,
    /// Whether SYNs are looked for.
    pub(super) clamp_mss: bool,
    /// Whether nodes may speak to the anchor.
    pub(super) home_agent: bool,
    pub(super) uppers: Uppers,
    pub(super) errors: ErrorLimit,
    pub(super) counters: CounterWriter,
    pub(super) staged: Vec<Staged<F>>,
    pub(super) peers: Peers<F>,
    pub(super) reports: Reports<F>,
    pub(super) now: Instant,
    pub(super) ingress: Vec<Ingress>,
}

impl<F: Frame> Lane<F> {
    /// Empty tables of the sizes that `config` names, for these devices.
    pub(super) fn new(
        config: WorkerConfig,
        devices: Vec<(PortConfig, Staged<F>)>,
        peers: Peers<F>,
        reports: Reports<F>,
        pool: Box<dyn FramePool<Frame = F>>,
        counters: CounterWriter,
    ) -> Self {
        let vlans = Vlans::new(devices.len(), &config.vlans);
        let (mut ports, staged): (Vec<_>, Vec<_>) = devices.into_iter().unzip();
        ports.extend(config.vlans.iter().map(|v| v.config));
        // In a tunnel packet: what any port carries, behind the longest headers.
        let payload_max = ports.iter().map(|p| usize::from(p.mtu)).max().unwrap_or(0) + 64;
        let mut fib = Fib::new(ports.iter().map(|p| p.mtu).collect());
        let lma_ipv4 = config.lma_ipv4.map(|a| a.to_ipv6_mapped());
        let ours = config.local.iter().copied().chain([config.lma.0]).chain(lma_ipv4);
        for (customer, addr) in ours.map(|addr| (TRANSPORT, addr)).chain(own_addresses(&ports)) {
            if let Ok(host) = HomePrefix::new(addr, 128) {
                fib.set_route(host.of(customer), NextHop::Local);
            }
        }
        Self {
            id: config.id,
            lma: config.lma.0,
            lma_ipv4: config.lma_ipv4,
            ingress: ports.iter().map(|p| ingress(p, config.lma, config.lma_ipv4)).collect(),
            staged,
            senders: ports.iter().map(|p| Sender::new(p.mac)).collect(),
            ports,
            vlans,
            origins: HashMap::new(),
            node_ends: NodeEnds::default(),
            identification: config.id.0,
            fragments: Identifications::new(secret()),
            gateways: Gateways::default(),
            reassembly: Reassembly::new(payload_max, secret()),
            pool,
            markings: Markings::new(&config.policy),
            clamp_mss: config.policy.clamp_mss,
            home_agent: config.policy.home_agent,
            uppers: Uppers::new(config.policy.clamp_mss, config.policy.mobile_ipv4),
            shard: Shard::new(config.limits.entries_max),
            tunnels: TunnelTable::new(config.limits.tunnels_max),
            steering: config.steering,
            fib,
            errors: ErrorLimit::new(),
            counters,
            peers,
            reports,
            now: Instant::default(),
        }
    }

    /// Frames that a device received.
    pub(super) fn receive(&mut self, device: PortId, burst: &mut Burst<F>, notes: &mut Notes) {
        let mut bytes = 0;
        for frame in burst.iter() {
            frame.prefetch_headers();
            bytes += frame.frame_len() as u64;
        }
        self.counters.add(Counter::RxPackets, burst.len() as u64);
        self.counters.add(Counter::RxBytes, bytes);
        if self.vlans.is_empty() {
            self.run_burst(burst, &[From::Port(device)], notes);
        } else {
            let port = |frame| From::Port(self.vlans.untag(frame, device));
            let froms: ArrayVec<_, BURST_MAX> = burst.iter_mut().map(port).collect();
            self.run_burst(burst, &froms, notes);
        }
        self.hand_over();
    }

    /// Frames that other workers handed over: ours, whatever the hash says.
    pub(super) fn take_over(
        &mut self,
        handoffs: &mut ArrayVec<Handoff<F>, BURST_MAX>,
        notes: &mut Notes,
    ) {
        let (mut burst, mut froms) = (Burst::new(), ArrayVec::<_, BURST_MAX>::new());
        for Handoff { stage, frame } in handoffs.drain(..) {
            froms.push(match stage {
                Stage::Uplink(port) => From::Uplink(port),
                Stage::Downlink(context) => From::Downlink(context),
                Stage::Inner(port) => {
                    self.out_of_tunnel(frame, port, Some(self.id));
                    continue;
                }
            });
            burst.push(frame);
        }
        self.run_burst(&mut burst, &froms, notes);
        self.hand_over();
    }

    /// Hands over what is staged for other workers.
    pub(super) fn hand_over(&mut self) {
        let handed = self.peers.flush();
        self.counters.add(Counter::HandoffSent, handed.sent);
        self.counters.dropped(DropReason::HandoffFull, handed.refused);
    }

    /// The general path.
    #[inline(never)]
    pub(super) fn run_general(&mut self, frame: F, from: From) {
        let (frame, from) = self.gather(frame, from);
        let job = match from {
            From::Port(port) => self.job(frame, port, None),
            From::Uplink(port) => self.job(frame, port, Some(self.id)),
            From::Downlink(context) => Job { class: plain(&frame), frame, context, owner: self.id },
        };
        self.finish(job);
    }

    /// A tunnel packet that came out of a tunnel, and by this port, for the worker that the hash
    /// says or, if it has been asked, for `owner`.
    pub(super) fn out_of_tunnel(&mut self, frame: F, port: PortId, owner: Option<WorkerId>) {
        let mut job = self.job(frame, port, owner);
        job.context.origin = Origin::Inner;
        self.finish(job);
    }

    /// A frame that came by a port, for the worker that the hash says or, if it has been asked, for
    /// `owner`.
    pub(super) fn job(&self, frame: F, port: PortId, owner: Option<WorkerId>) -> Job<F> {
        let at = usize::from(port.0);
        let (class, of_port) = match (self.ingress.get(at), self.ports.get(at)) {
            (Some(ingress), Some(config)) => {
                (classify(frame.data(), frame.frame_len(), ingress), config.customer)
            }
            _ => (Class::Drop(DropReason::UnknownPort), TRANSPORT),
        };
        let by_hash = || match class {
            Class::Fragment => self.fragment_owner(&frame),
            _ => subscriber(&class).map_or(self.id, |a| self.steering.owner_of_bits(a)),
        };
        let owner = owner.unwrap_or_else(by_hash);
        let customer = match class {
            Class::Tunneled { via, .. } if owner == self.id => self.customer_of(&frame, via),
            _ => of_port,
        };
        let context = Context { origin: Origin::Forwarded, customer, port };
        Job { frame, class, context, owner }
    }

    /// Whose a tunnel packet is: its GRE key says so (RFC 5845 section 3.1), or else its gateway.
    fn customer_of(&self, frame: &F, via: Via) -> CustomerId {
        let by_key = via.key().and_then(|key| self.shard.customer_of(key));
        let by_gateway = || self.customer_behind(frame.data().get(ETHER_LEN..)?);
        by_key.or_else(by_gateway).unwrap_or(TRANSPORT)
    }

    /// Whose the gateway of a tunnel packet is.
    pub(super) fn customer_behind(&self, packet: &[u8]) -> Option<CustomerId> {
        let gateway = Ip::of(packet).map(Ip::src)?;
        self.origins.get(&Ipv6Addr::from_bits(gateway)).copied()
    }

    /// Ends a job of this worker's, or hands it to its owner.
    pub(super) fn finish(&mut self, job: Job<F>) {
        let own = subscriber(&job.class).filter(|_| job.owner == self.id);
        let slot = own.and_then(|addr| self.shard.lookup(job.context.customer, addr));
        self.run(job, slot);
    }

    /// Ends a job; `slot` is its subscriber, if this worker owns it and knows it.
    fn run(&mut self, job: Job<F>, slot: Option<Slot>) {
        let Job { mut frame, class, context, owner } = job;
        match class {
            Class::Plain { packet_len, .. } => {
                if !cut(&mut frame, packet_len) {
                    self.discard(frame, DropReason::Segmented);
                } else if owner == self.id {
                    self.downlink(frame, slot, context);
                } else {
                    self.hand_off(frame, owner, Stage::Downlink(context));
                }
            }
            Class::Tunneled { inner_at, packet_len, via, .. } => {
                if !cut(&mut frame, packet_len) {
                    self.discard(frame, DropReason::Segmented);
                } else if owner == self.id {
                    self.uplink(frame, slot, inner_at, via, context);
                } else if context.origin == Origin::Inner {
                    self.hand_off(frame, owner, Stage::Inner(context.port));
                } else {
                    self.hand_off(frame, owner, Stage::Uplink(context.port));
                }
            }
            Class::Fragment | Class::TunnelError { .. } if owner != self.id => {
                self.hand_off(frame, owner, Stage::Uplink(context.port));
            }
            Class::Fragment => self.take_fragment(frame, context),
            Class::TunnelError { .. } => self.take_tunnel_error(frame, context),
            Class::Signaling => self.signal(frame),
            Class::Exception => self.punt_exception(frame, context.port),
            Class::BadOption { pointer } => {
                let error = ErrorMessage::UnrecognizedOption(pointer);
                self.refuse(frame, DropReason::OuterOption, error, context);
            }
            Class::Drop(reason) => self.discard(frame, reason),
        }
    }

    /// Ends a frame: dropped.
    #[allow(clippy::needless_pass_by_value)] // it ends here
    pub(super) fn discard(&mut self, frame: F, reason: DropReason) {
        self.counters.dropped(reason, 1);
        drop(frame);
    }

    /// Ends a Mobility Header: to the control core.
    pub(super) fn signal(&mut self, frame: F) {
        if self.reports.signal(frame) {
            self.counters.add(Counter::PuntSignaling, 1);
        } else {
            self.counters.dropped(DropReason::SignalingPuntFull, 1);
        }
    }

    /// Ends a frame of the kernel, or one that waits for a neighbour: to the control core.
    pub(super) fn punt(&mut self, frame: F, reason: PuntReason) {
        let counter = match reason {
            PuntReason::Exception | PuntReason::Protected => Counter::PuntException,
            PuntReason::Unresolved(..) => Counter::PuntUnresolved,
        };
        if self.reports.punt(reason, frame) {
            self.counters.add(counter, 1);
        } else {
            self.counters.dropped(DropReason::ExceptionPuntFull, 1);
        }
    }

    /// Ends a frame for the kernel.
    pub(super) fn punt_exception(&mut self, frame: F, port: PortId) {
        self.punt_to_kernel(frame, port, PuntReason::Exception);
    }

    /// Ends a frame for the kernel, which knows a port's VLANs by their tags.
    pub(super) fn punt_to_kernel(&mut self, mut frame: F, port: PortId, reason: PuntReason) {
        match self.vlans.device_of(port).1 {
            Some(id) if !add_tag(&mut frame, id) => self.discard(frame, DropReason::NoHeadroom),
            _ => self.punt(frame, reason),
        }
    }

    /// Ends a frame here: to another worker.
    pub(super) fn hand_off(&mut self, frame: F, to: WorkerId, stage: Stage) {
        if let Err(frame) = self.peers.push(to, Handoff { stage, frame }) {
            self.discard(frame, DropReason::HandoffFull);
        }
    }

    /// Ends a frame whose Ethernet header is complete: out of `port`.
    #[inline]
    pub(super) fn send(&mut self, frame: F, port: PortId) {
        let Some(staged) = self.staged.get_mut(usize::from(port.0)) else {
            return self.send_tagged(frame, port);
        };
        staged.push(frame);
    }

    /// The same for a port that is a VLAN of a device.
    #[inline(never)]
    fn send_tagged(&mut self, mut frame: F, port: PortId) {
        let (device, vlan) = self.vlans.device_of(port);
        match vlan {
            None => self.discard(frame, DropReason::UnknownPort),
            Some(id) if !add_tag(&mut frame, id) => self.discard(frame, DropReason::NoHeadroom),
            Some(_) => self.send(frame, device),
        }
    }

    /// Ends a packet that needs no tunnel: out of `port` to `mac`, or to the control core until the
    /// link-layer address of `gateway` is known, and without one.
    pub(super) fn send_to(&mut self, mut frame: F, port: PortId, to: Result<MacAddr, Ipv6Addr>) {
        let Some(sender) = self.senders.get(usize::from(port.0)) else {
            return self.discard(frame, DropReason::UnknownPort);
        };
        let family = Ip::of_frame(frame.data()).map(Ip::family);
        if let (Some(ether), Some(family)) = (frame.data_mut().first_chunk_mut(), family) {
            sender.write(ether, family, to.unwrap_or_default());
        }
        match to {
            Ok(_) => self.send(frame, port),
            Err(gateway) => self.punt(frame, PuntReason::Unresolved(port, gateway)),
        }
    }
}

/// What classification must know of a port. The anchor's addresses are the operator's: in a
/// customer's address space they may be anybody's.
fn ingress(port: &PortConfig, lma: AnchorAddr, lma_ipv4: Option<Ipv4Addr>) -> Ingress {
    let is_operators = port.customer == TRANSPORT;
    Ingress {
        mac: port.mac,
        access: port.access,
        lma: is_operators.then_some(lma),
        lma_ipv4: lma_ipv4.filter(|_| is_operators),
    }
}

/// The ports' own addresses, each in its customer's address space.
fn own_addresses(ports: &[PortConfig]) -> impl Iterator<Item = (CustomerId, Ipv6Addr)> {
    ports.iter().flat_map(|p| {
        let ipv4 = p.ipv4_address.map(|a| a.to_ipv6_mapped());
        p.address.into_iter().chain(ipv4).map(|addr| (p.customer, addr))
    })
}

/// The address whose worker must handle the frame.
fn subscriber(class: &Class) -> Option<u128> {
    match class {
        Class::Plain { dst, .. } => Some(*dst),
        Class::Tunneled { inner_src, .. } => Some(*inner_src),
        Class::TunnelError { inner_dst } => Some(*inner_dst),
        _ => None,
    }
}

/// What nobody can foretell.
fn secret() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A packet that another worker found to be plain and cut to its length.
fn plain<F: Frame>(frame: &F) -> Class {
    match Ip::of_frame(frame.data()) {
        Some(ip) => Class::Plain { dst: ip.dst(), packet_len: frame.frame_len() - ETHER_LEN },
        None => Class::Drop(DropReason::FrameShort),
    }
}

/// Removes padding behind a packet of `packet_len` bytes. `false`, and no change, if it cannot.
#[inline]
pub(super) fn cut<F: Frame>(frame: &mut F, packet_len: usize) -> bool {
    frame.frame_len() == ETHER_LEN + packet_len || frame.truncate(ETHER_LEN + packet_len)
}
