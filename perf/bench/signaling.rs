//! Binding updates a second: the real control core, fed through a real worker.
//!
//! ```text
//!   harness --PBU--> worker --punt--> control core --record--> journal thread --> disk
//!      ^                ^                  |
//!      +-----PBA--------+<-inject, update--+
//! ```
//! Worker, control core and harness take turns on one CPU; the journal has its own thread and a
//! real store. Each acknowledgement is read, and the worker's table counted, before there is a
//! figure.

use crate::cores::Cores;
use crate::pbu::{self, Step};
use crate::rig::{Links, Rig};
use crate::scene::{
    self, ACCESS, ACCESS_MTU, ACCESS_ROUTER, ACCESS_ROUTER_MAC, CORE_MTU, LMA, MAGS,
};
use anchord::addr::{AnchorAddr, HomePrefix, MacAddr, PortId};
use anchord::admin::channel;
use anchord::config::PortRole;
use anchord::control::exception::KernelPath;
use anchord::control::ipsec::IpsecPath;
use anchord::control::journal::{Restart, Store};
use anchord::control::mirror::{KernelEvent, KernelMirror, Neighbor};
use anchord::control::{Control, MagInfo, Parts, PortInfo, PortStatus, WorkerLink, reload};
use anchord::dataplane::counters::Counter;
use anchord::dataplane::steer::Steering;
use anchord::dataplane::update::NextHop;
use anchord::dpdk::Mempool;
use anchord::mobility::config::{LmaConfig, MagConfig, Policy, PoolConfig, Profile};
use anchord::mobility::{ENTRIES_MAX, Lma};
use anchord::nic::{BURST_MAX, Burst, Frame, FramePool, RxQueue};
use anchord::time::{Duration, MobTimestamp, Now};
use crossbeam::channel::{Sender, bounded};
use std::net::Ipv6Addr;
use std::path::Path;

/// Updates that gateways have outstanding together.
const WINDOW: u32 = 512;

/// A point in time for the Timestamp options: the bench's clock starts there.
const EPOCH: Duration = Duration::from_secs(1_800_000_000);

/// What one kind of update cost.
pub(crate) struct Cost {
    /// Updates a second, from the first update to the last acknowledgement, everything included.
    pub(crate) per_second: f64,
    /// Nanoseconds that the control core worked for an update.
    pub(crate) busy_ns: f64,
}

/// A control core and its worker.
pub(crate) struct Anchor {
    control: Control<Mempool>,
    rig: Rig,
    nodes: u32,
    /// What each node was given; zero: nothing yet.
    hnps: Vec<u128>,
    busy_ns: u64,
    /// Kept: the control core takes closed channels for a kernel that went away.
    _events: Sender<KernelEvent>,
}

impl Anchor {
    /// An anchor without bindings, for `nodes` nodes, with its journal in `state`, written on
    /// another CPU.
    pub(crate) fn new(
        rig: Rig,
        links: Links,
        nodes: u32,
        state: &Path,
        cores: &Cores,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let (journal, _thread) = cores.elsewhere(|| Store::open(state)?.start())??;
        let (events_in, events) = bounded(64);
        let (requests, _) = bounded(1);
        let (to_kernel, _) = bounded(1);
        let (_, from_kernel) = bounded(1);
        let (_, questions) = channel::channel(1);
        let pool = HomePrefix::new(Ipv6Addr::from_bits(scene::POOL), 32)?;
        for event in [
            KernelEvent::RouteSet(
                "fd01::/16".parse::<HomePrefix>()?.into(),
                NextHop::Gateway(ACCESS, ACCESS_ROUTER),
            ),
            KernelEvent::Neighbor(ACCESS, ACCESS_ROUTER, neighbor()),
            KernelEvent::Synced,
        ] {
            events_in.send(event)?;
        }
        let control = Control::new(Parts {
            lma_address: AnchorAddr(LMA),
            lma_address_ipv4: None,
            lma: Lma::new(lma_config(pool, nodes)),
            restored: Vec::new(),
            pool: rig.pool.clone(),
            ports: vec![
                port("access", PortRole::Access, scene::ACCESS_MAC, ACCESS_MTU),
                port("core", PortRole::Core, scene::CORE_MAC, CORE_MTU),
            ],
            workers: vec![WorkerLink {
                updates: links.updates,
                injects: links.injects,
                signaling: links.signaling,
                reports: links.reports,
                applied: links.applied,
                counters: rig.counters.clone(),
                cpu: 0,
            }],
            steering: Steering::new(1),
            mags_max: MAGS as usize,
            signaling: Vec::new(),
            kernel: KernelPath { to_kernel, from_kernel },
            ipsec: IpsecPath::unavailable(),
            mirror: KernelMirror { events, requests },
            journal,
            policy: None,
            restart: Restart { counter: 1, state_lost: false },
            questions,
            reloads: reload::channel().1,
            mags: (0..MAGS).map(mag_info).collect(),
            customers: Vec::new(),
            pools: vec!["bench".into()],
            tunnel_mtu: ACCESS_MTU,
        });
        let hnps = vec![0; nodes as usize];
        let mut this = Self { control, rig, nodes, hnps, busy_ns: 0, _events: events_in };
        while !this.control.is_settled() {
            this.turn();
        }
        Ok(this)
    }

    /// Sends one update of this kind for every node, and reads every acknowledgement.
    #[allow(clippy::cast_precision_loss)] // far below 2^52
    pub(crate) fn run(&mut self, step: Step) -> Result<Cost, String> {
        let (mut sent, mut answered) = (0, 0);
        self.busy_ns = 0;
        let start = self.rig.clock.now_ns();
        let mut deadline = start + PATIENCE_NS;
        while answered < self.nodes {
            if sent < self.nodes && sent - answered + BURST <= WINDOW {
                sent = self.feed(step, sent)?;
            }
            self.turn();
            let now_answered = answered + self.collect(step)?;
            let now = self.rig.clock.now_ns();
            if now_answered > answered {
                (answered, deadline) = (now_answered, now + PATIENCE_NS);
            } else if now > deadline {
                return Err(format!("{step:?}: {answered} of {sent} updates were acknowledged"));
            }
        }
        let elapsed = self.rig.clock.now_ns() - start;
        let entries = self.rig.counted().get(Counter::Entries);
        if entries != u64::from(self.nodes) {
            return Err(format!("{step:?}: the worker has {entries} of {} entries", self.nodes));
        }
        let mut prefixes = self.hnps.clone();
        prefixes.sort_unstable();
        prefixes.dedup();
        if prefixes.len() != self.hnps.len() {
            return Err(format!("{step:?}: two nodes have the same prefix"));
        }
        let nodes = f64::from(self.nodes);
        Ok(Cost { per_second: nodes * 1e9 / elapsed as f64, busy_ns: self.busy_ns as f64 / nodes })
    }

    /// One turn of the worker and of the control core.
    fn turn(&mut self) {
        self.rig.worker.poll(self.rig.now());
        let mono = self.rig.now();
        let wall = MobTimestamp::from_unix(EPOCH + Duration::from_nanos(mono.0));
        if self.control.poll(Now { mono, wall }) > 0 {
            self.busy_ns += self.rig.clock.now_ns() - mono.0;
        }
    }

    /// A burst of updates; returns how many have been sent then.
    fn feed(&mut self, step: Step, from: u32) -> Result<u32, String> {
        let to = self.nodes.min(from + BURST);
        let wall = EPOCH + Duration::from_nanos(self.rig.clock.now_ns());
        let timestamp = MobTimestamp::from_unix(wall).0;
        let mut burst = Burst::new();
        for i in from..to {
            let mut frame = self.rig.pool.alloc(PortId(0)).ok_or("no buffer")?;
            if !frame.append(pbu::PBU_LEN) {
                return Err("a buffer is too small".into());
            }
            pbu::write(step, i, self.hnps[i as usize], timestamp, frame.data_mut());
            burst.push(frame);
        }
        Rig::inject(&mut self.rig.wires[usize::from(ACCESS.0)], &mut burst)?;
        Ok(to)
    }

    /// Reads the acknowledgements that have come; returns how many.
    fn collect(&mut self, step: Step) -> Result<u32, String> {
        let mut burst = Burst::new();
        let mut count = 0;
        let wire = &mut self.rig.wires[usize::from(ACCESS.0)];
        while wire.rx.recv(&mut burst) > 0 {
            for frame in burst.drain(..) {
                let refused = || format!("{step:?}: not what was asked for: {:02x?}", frame.data());
                let pba = pbu::read(frame.data()).ok_or_else(refused)?;
                let hnp = self.hnps.get_mut(pba.node as usize).ok_or_else(refused)?;
                // A prefix is given once, and kept over refreshes and handoffs.
                let kept = if step == Step::Register { *hnp == 0 } else { *hnp == pba.hnp };
                if !kept || pba.mag != step.mag(pba.node) || pba.seq != pbu::low_half(pba.node) {
                    return Err(refused());
                }
                *hnp = pba.hnp;
                count += 1;
            }
        }
        Ok(count)
    }
}

#[allow(clippy::cast_possible_truncation)] // 64
const BURST: u32 = BURST_MAX as u32;

/// How long an acknowledgement may take before the run has failed.
const PATIENCE_NS: u64 = 10_000_000_000;

fn neighbor() -> Neighbor {
    Neighbor { mac: Some(MacAddr(ACCESS_ROUTER_MAC)), state: "reachable" }
}

/// A gateway that may say as much as it can.
fn mag_info(i: u32) -> MagInfo {
    let (address, name) = (scene::mag(i), format!("mag{i}"));
    MagInfo { name, address, tunnel_mtu: ACCESS_MTU, signaling_rate: 10_000_000, ipsec: false }
}

fn lma_config(pool: HomePrefix, nodes: u32) -> LmaConfig {
    let policy = Policy::new(Some(Profile::ipv6(0, Duration::from_secs(3600))));
    LmaConfig {
        pools: vec![PoolConfig::new(pool, 64)],
        mags: (0..MAGS).map(|i| MagConfig::new(scene::mag(i))).collect(),
        max_bindings: nodes as usize,
        max_prefixes: nodes as usize + ENTRIES_MAX,
        ..LmaConfig::new(AnchorAddr(LMA), policy)
    }
}

fn port(name: &str, role: PortRole, mac: MacAddr, mtu: u16) -> PortInfo {
    PortInfo {
        name: name.into(),
        role,
        device: "net_ring".into(),
        driver: "net_ring".into(),
        mac,
        mtu,
        vlan: None,
        signaling: "punt-ring",
        steering: "single",
        status: Box::new(PortStatus::default),
    }
}
