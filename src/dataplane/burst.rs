//! A burst of frames, stage by stage.
//!
//! ```text
//!   classify every frame | touch the table | look up | run every frame to its end, in order | flush
//! ```
//!
//! Each stage is a short loop without dependencies between its turns, so the CPU overlaps the cache
//! misses of a whole burst: what a prefetch instruction would do, in safe code.

use super::classify::{Class, Ingress, classify};
use super::counters::{Counter, CounterWriter};
use super::drop::DropReason;
use super::egress::{Staged, address};
use super::fib::Fib;
use super::handoff::{Handoff, Origin, Peers, Stage};
use super::header::{ETHER_LEN, Ipv6};
use super::icmp::ErrorLimit;
use super::punt::Reports;
use super::shard::{Shard, Slot};
use super::steer::Steering;
use super::tunnel::TunnelTable;
use super::update::{NextHop, PuntReason};
use super::worker::{PortConfig, WorkerConfig};
use crate::addr::{HomePrefix, MacAddr, PortId, WorkerId};
use crate::nic::{BURST_MAX, Burst, Frame};
use crate::time::Instant;
use crate::wire::icmpv6::ErrorMessage;
use arrayvec::ArrayVec;
use std::net::Ipv6Addr;

/// A frame with what is known of it so far.
pub(super) struct Job<F: Frame> {
    frame: F,
    class: Class,
    origin: Origin,
    /// Who has to do it.
    owner: WorkerId,
    /// Its subscriber, if this worker owns it and knows it.
    slot: Option<Slot>,
}

/// Frames at the same stage.
pub(super) type Jobs<F> = ArrayVec<Job<F>, BURST_MAX>;

/// A worker without its receive and transmit queues: tables, and where frames end.
pub(super) struct Lane<F: Frame> {
    pub(super) id: WorkerId,
    pub(super) steering: Steering,
    pub(super) lma: Ipv6Addr,
    pub(super) ports: Vec<PortConfig>,
    pub(super) shard: Shard,
    pub(super) tunnels: TunnelTable,
    pub(super) fib: Fib,
    pub(super) errors: ErrorLimit,
    pub(super) counters: CounterWriter,
    pub(super) staged: Vec<Staged<F>>,
    pub(super) peers: Peers<F>,
    pub(super) reports: Reports<F>,
    pub(super) now: Instant,
    ingress: Vec<Ingress>,
}

impl<F: Frame> Lane<F> {
    /// Empty tables of the sizes that `config` names.
    pub(super) fn new(
        config: WorkerConfig,
        ports: Vec<PortConfig>,
        peers: Peers<F>,
        reports: Reports<F>,
        counters: CounterWriter,
    ) -> Self {
        let mut fib = Fib::new(u16::try_from(ports.len()).unwrap_or(u16::MAX));
        for addr in config.local.iter().chain([&config.lma.0]) {
            if let Ok(host) = HomePrefix::new(*addr, 128) {
                fib.set_route(host, NextHop::Local);
            }
        }
        let ingress = |p: &PortConfig| Ingress { mac: p.mac, access: p.access, lma: config.lma };
        Self {
            id: config.id,
            lma: config.lma.0,
            ingress: ports.iter().map(ingress).collect(),
            staged: ports.iter().map(|_| Staged::new()).collect(),
            ports,
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

    /// Frames that a port received.
    pub(super) fn receive(&mut self, port: PortId, burst: &mut Burst<F>) {
        let Some(ingress) = self.ingress.get(usize::from(port.0)) else { return };
        let mut jobs = Jobs::new();
        for frame in burst.drain(..) {
            let class = classify(frame.data(), frame.frame_len(), ingress);
            let owner = subscriber(&class).map_or(self.id, |a| self.steering.owner_of_bits(a));
            jobs.push(Job { frame, class, origin: Origin::Forwarded, owner, slot: None });
        }
        self.run_all(&mut jobs);
    }

    /// Frames that other workers handed over: ours, whatever the hash says.
    pub(super) fn take_over(&mut self, burst: &mut ArrayVec<Handoff<F>, BURST_MAX>) {
        let mut jobs = Jobs::new();
        for Handoff { stage, frame } in burst.drain(..) {
            let (class, origin) = match stage {
                Stage::Uplink => (self.classify_again(&frame), Origin::Forwarded),
                Stage::Downlink(origin) => (plain(&frame), origin),
            };
            jobs.push(Job { frame, class, origin, owner: self.id, slot: None });
        }
        self.run_all(&mut jobs);
    }

    fn classify_again(&self, frame: &F) -> Class {
        match self.ingress.get(usize::from(frame.port().0)) {
            Some(ingress) => classify(frame.data(), frame.frame_len(), ingress),
            None => Class::Drop(DropReason::UnknownPort),
        }
    }

    fn run_all(&mut self, jobs: &mut Jobs<F>) {
        self.shard.touch(jobs.iter().filter_map(|job| subscriber(&job.class)));
        for job in jobs.iter_mut() {
            if job.owner == self.id {
                job.slot = subscriber(&job.class).and_then(|addr| self.shard.lookup(addr));
            }
        }
        for job in jobs.drain(..) {
            self.run(job);
        }
        let handed = self.peers.flush();
        self.counters.add(Counter::HandoffSent, handed.sent);
        self.counters.dropped(DropReason::HandoffFull, handed.refused);
    }

    fn run(&mut self, job: Job<F>) {
        let Job { mut frame, class, origin, owner, slot } = job;
        match class {
            Class::Plain { packet_len, .. } => {
                if !cut(&mut frame, packet_len) {
                    self.discard(frame, DropReason::Segmented);
                } else if owner == self.id {
                    self.downlink(frame, slot, origin);
                } else {
                    self.hand_off(frame, owner, Stage::Downlink(origin));
                }
            }
            Class::Tunneled { inner_at, packet_len, .. } => {
                if !cut(&mut frame, packet_len) {
                    self.discard(frame, DropReason::Segmented);
                } else if owner == self.id {
                    self.uplink(frame, slot, inner_at);
                } else {
                    self.hand_off(frame, owner, Stage::Uplink);
                }
            }
            Class::Signaling => self.signal(frame),
            Class::Exception => self.punt(frame, PuntReason::Exception),
            Class::BadOption { pointer } => {
                self.refuse(
                    frame,
                    DropReason::OuterOption,
                    ErrorMessage::UnrecognizedOption(pointer),
                );
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
    fn signal(&mut self, frame: F) {
        if self.reports.signal(frame) {
            self.counters.add(Counter::PuntSignaling, 1);
        } else {
            self.counters.dropped(DropReason::SignalingPuntFull, 1);
        }
    }

    /// Ends a frame of the kernel, or one that waits for a neighbour: to the control core.
    pub(super) fn punt(&mut self, frame: F, reason: PuntReason) {
        let counter = match reason {
            PuntReason::Exception => Counter::PuntException,
            PuntReason::Unresolved(..) => Counter::PuntUnresolved,
        };
        if self.reports.punt(reason, frame) {
            self.counters.add(counter, 1);
        } else {
            self.counters.dropped(DropReason::ExceptionPuntFull, 1);
        }
    }

    /// Ends a frame here: to another worker.
    pub(super) fn hand_off(&mut self, frame: F, to: WorkerId, stage: Stage) {
        if let Err(frame) = self.peers.push(to, Handoff { stage, frame }) {
            self.discard(frame, DropReason::HandoffFull);
        }
    }

    /// Ends a frame whose Ethernet header is complete: out of `port`.
    pub(super) fn send(&mut self, frame: F, port: PortId) {
        match self.staged.get_mut(usize::from(port.0)).map(|staged| staged.push(frame)) {
            Some(Ok(())) => {}
            Some(Err(frame)) => self.discard(frame, DropReason::TxFull),
            None => self.counters.dropped(DropReason::UnknownPort, 1),
        }
    }

    /// Ends a packet that needs no tunnel: out of `port` to `mac`, or to the control core until the
    /// link-layer address of `gateway` is known.
    pub(super) fn send_to(&mut self, mut frame: F, port: PortId, to: Result<MacAddr, Ipv6Addr>) {
        let Some(config) = self.ports.get(usize::from(port.0)) else {
            return self.discard(frame, DropReason::UnknownPort);
        };
        address(&mut frame, config, to.ok());
        match to {
            Ok(_) => self.send(frame, port),
            Err(gateway) => self.punt(frame, PuntReason::Unresolved(port, gateway)),
        }
    }
}

/// The address whose worker must handle the frame.
fn subscriber(class: &Class) -> Option<u128> {
    match class {
        Class::Plain { dst, .. } => Some(*dst),
        Class::Tunneled { inner_src, .. } => Some(*inner_src),
        _ => None,
    }
}

/// A packet that another worker found to be plain and cut to its length.
fn plain<F: Frame>(frame: &F) -> Class {
    match Ipv6::of_frame(frame.data()) {
        Some(ip) => Class::Plain { dst: ip.dst(), packet_len: frame.frame_len() - ETHER_LEN },
        None => Class::Drop(DropReason::FrameShort),
    }
}

/// Removes padding behind a packet of `packet_len` bytes.
fn cut<F: Frame>(frame: &mut F, packet_len: usize) -> bool {
    frame.frame_len() == ETHER_LEN + packet_len || frame.truncate(ETHER_LEN + packet_len)
}
