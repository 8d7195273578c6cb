//! The real control core with a real journal, in a network that is said to be there.

use crate::cores::Cores;
use crate::gateways::EPOCH;
use crate::rig::Links;
use crate::scene::{self, ACCESS_MAC, ACCESS_MTU, ACCESS_ROUTER, ACCESS_ROUTER_MAC, LMA, MAGS};
use anchord::addr::{AnchorAddr, HomePrefix, MacAddr, PortId};
use anchord::admin::channel;
use anchord::config::PortRole;
use anchord::control::advertise::Advertiser;
use anchord::control::exception::KernelPath;
use anchord::control::home::HomeLinks;
use anchord::control::ipsec::IpsecPath;
use anchord::control::journal::{Restart, Store};
use anchord::control::mirror::{KernelEvent, KernelMirror, Neighbor};
use anchord::control::{Control, MagInfo, Parts, PortInfo, PortStatus, WorkerLink, reload};
use anchord::dataplane::counters::WorkerCounters;
use anchord::dataplane::steer::Steering;
use anchord::dataplane::update::NextHop;
use anchord::dpdk::{Mempool, TscClock};
use anchord::mobility::config::{LmaConfig, LmaTimers, MagConfig, Policy, PoolConfig, Profile};
use anchord::mobility::{ENTRIES_MAX, Lma};
use anchord::time::{Duration, Instant, MobTimestamp, Now};
use crossbeam::channel::{Sender, bounded};
use std::error::Error;
use std::net::Ipv6Addr;
use std::path::Path;
use std::sync::Arc;

/// Gateways, near and far.
const ALL_MAGS: u32 = 2 * MAGS;

/// Tunnels that workers must have room for.
pub(crate) const TUNNELS_MAX: usize = ALL_MAGS as usize;

/// A control core.
pub(crate) struct Core {
    control: Control<Mempool>,
    clock: TscClock,
    /// What it has worked for, in nanoseconds.
    pub(crate) busy_ns: u64,
    /// With the journal's thread.
    shares_cpu: bool,
    /// Kept: the control core takes closed channels for a kernel that went away.
    events: Sender<KernelEvent>,
}

impl Core {
    /// A core without bindings, for `nodes` nodes and one worker, with its journal in `state`,
    /// written on another CPU unless it `shares_cpu` with that. All gateways are behind `port`.
    #[allow(clippy::too_many_arguments)] // what it is made of
    pub(crate) fn new(
        pool: Mempool,
        clock: TscClock,
        links: Links,
        counters: Arc<WorkerCounters>,
        nodes: u32,
        port: PortId,
        state: &Path,
        cores: &Cores,
        shares_cpu: bool,
    ) -> Result<Self, Box<dyn Error>> {
        if state.exists() {
            std::fs::remove_dir_all(state)?;
        }
        let (journal, _thread) = cores.aside(|| Store::open(state, "bench")?.start())??;
        let (events_in, events) = bounded(64);
        let (requests, _) = bounded(1);
        let (to_kernel, _) = bounded(1);
        let (_, from_kernel) = bounded(1);
        let (_, questions) = channel::channel(1);
        let mut lma = Lma::new(lma_config(nodes)?);
        lma.reserve();
        let control = Control::new(Parts {
            lma_address: AnchorAddr(LMA),
            lma_address_ipv4: None,
            anchor: lma.into(),
            home: HomeLinks::default(),
            asked: std::collections::BTreeSet::new(),
            restored: Vec::new(),
            pool,
            ports: (0..=port.0).map(port_info).collect(),
            workers: vec![WorkerLink {
                updates: links.updates,
                injects: links.injects,
                signaling: links.signaling,
                reports: links.reports,
                applied: links.applied,
                counters,
                cpu: 0,
            }],
            steering: Steering::new(1),
            mags_max: ALL_MAGS as usize,
            signaling: Vec::new(),
            kernel: KernelPath { to_kernel, from_kernel },
            ipsec: IpsecPath::unavailable(),
            mirror: KernelMirror { events, requests },
            journal,
            policy: None,
            advertiser: Advertiser::unheard(),
            restart: Restart { counter: 1, state_lost: false },
            questions,
            reloads: reload::channel().1,
            mags: all_mags().map(mag_info).collect(),
            customers: Vec::new(),
            pools: vec!["bench".into()],
            tunnel_mtu: ACCESS_MTU,
            node_rate: 20_000,
        });
        let this = Self { control, clock, busy_ns: 0, shares_cpu, events: events_in };
        for port in (0..=port.0).map(PortId) {
            let mac = Some(MacAddr(ACCESS_ROUTER_MAC));
            let neighbor = Neighbor { mac, state: "reachable" };
            this.events.send(KernelEvent::Neighbor(port, ACCESS_ROUTER, neighbor))?;
        }
        this.route("fd00::/8", port)?;
        this.events.send(KernelEvent::Synced)?;
        Ok(this)
    }

    /// Says that what is behind a prefix is behind this port.
    pub(crate) fn route(&self, prefix: &str, port: PortId) -> Result<(), Box<dyn Error>> {
        let prefix = prefix.parse::<HomePrefix>()?;
        let next = NextHop::Gateway(port, ACCESS_ROUTER);
        Ok(self.events.send(KernelEvent::RouteSet(prefix.into(), next))?)
    }

    /// One turn. One without work lets the journal's thread have the CPU if that has no other.
    pub(crate) fn poll(&mut self) -> usize {
        let mono = Instant(self.clock.now_ns());
        let wall = MobTimestamp::from_unix(EPOCH + Duration::from_nanos(mono.0));
        let work = self.control.poll(Now { mono, wall });
        if work > 0 {
            self.busy_ns += self.clock.now_ns() - mono.0;
        } else if self.shares_cpu {
            std::thread::yield_now();
        }
        work
    }

    /// Whether everything is on the disk's side and answered.
    pub(crate) fn is_done(&self) -> bool {
        self.control.is_durable()
    }

    /// Turns until workers and the journal have followed; `turn` is the worker's.
    pub(crate) fn settle(&mut self, mut turn: impl FnMut()) {
        for _ in 0..SETTLE_TURNS {
            turn();
            self.poll();
        }
        while !self.control.is_settled() {
            turn();
            self.poll();
        }
    }
}

/// Enough to take over what the kernel has said.
const SETTLE_TURNS: u32 = 100;

fn all_mags() -> impl Iterator<Item = Ipv6Addr> {
    (0..MAGS).map(scene::mag).chain((0..MAGS).map(scene::far_mag))
}

/// A gateway that may say as much as it can.
fn mag_info(address: Ipv6Addr) -> MagInfo {
    MagInfo {
        name: address.to_string(),
        address,
        tunnel_mtu: ACCESS_MTU,
        signaling_rate: 10_000_000,
        ipsec: false,
    }
}

fn lma_config(nodes: u32) -> Result<LmaConfig, Box<dyn Error>> {
    let pool = HomePrefix::new(Ipv6Addr::from_bits(scene::POOL), 32)?;
    let policy = Policy::new(Some(Profile::ipv6(0, Duration::from_secs(3600))));
    Ok(LmaConfig {
        pools: vec![PoolConfig::new(pool, 64)],
        mags: all_mags().map(MagConfig::new).collect(),
        max_bindings: nodes as usize,
        max_prefixes: nodes as usize + ENTRIES_MAX,
        // Nothing is refused for coming late on a machine that does other things.
        timers: LmaTimers {
            timestamp_validity_window: Duration::from_secs(60),
            ..LmaTimers::default()
        },
        ..LmaConfig::new(AnchorAddr(LMA), policy)
    })
}

fn port_info(id: u16) -> PortInfo {
    PortInfo {
        name: format!("port{id}"),
        role: PortRole::Access,
        device: "bench".into(),
        driver: "bench".into(),
        mac: ACCESS_MAC,
        mtu: ACCESS_MTU,
        vlan: None,
        signaling: "punt-ring",
        steering: "single",
        status: Box::new(PortStatus::default),
    }
}
