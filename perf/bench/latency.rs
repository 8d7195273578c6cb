//! How long a registration takes while both directions forward at full load.
//!
//! ```text
//!   CPU 1:  worker, on net_pgen0 (downlink) and net_pgen1 (uplink), and on net_ring0
//!   CPU 2:  control core; gateways: PBU in at net_ring0 ............ PBA out at net_ring0
//!                         correspondent: probes, one every 2 us, to the node that moves
//! ```
//! A node is handed from gateway to gateway. Acknowledged: from the moment that the PBU is on the
//! port until the PBA is there. Switched: until the first probe is sent that leaves for the new
//! gateway; no probe that is sent after the PBA is there may leave for the old one.

use crate::case::{Case, Kind};
use crate::control::{Core, TUNNELS_MAX};
use crate::cores::Cores;
use crate::gateways::Gateways;
use crate::pbu::{MH, Step};
use crate::program::GENERATOR;
use crate::rig::{self, Ends, RING};
use crate::scene::{self, ACCESS_MAC, ACCESS_ROUTER_MAC, ETHER, IPV6, POOL};
use anchord::addr::PortId;
use anchord::dataplane::counters::WorkerCounters;
use anchord::dataplane::steer::Steering;
use anchord::dataplane::worker::{Limits, Worker, WorkerPort};
use anchord::dpdk::port::SpreadBy;
use anchord::dpdk::{LcoreId, Mbuf, Mempool, RxQueue, TscClock};
use anchord::nic::{self, Burst, Frame};
use anchord::sync::seq::AppliedReader;
use anchord::time::Instant;
use std::error::Error;
use std::io::Write;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the process is asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Bindings that traffic is for.
    #[arg(long, default_value_t = 100_000)]
    bindings: u32,
    /// Handoffs that are measured.
    #[arg(long, default_value_t = 5_000)]
    handoffs: u32,
    /// Where the bindings' journal is for that time; removed afterwards.
    #[arg(long, default_value = "target/bench-state")]
    state: PathBuf,
    /// The worker's CPU.
    #[arg(long, default_value_t = 1)]
    cpu: usize,
    /// Without hugepages.
    #[arg(long)]
    no_huge: bool,
}

const DOWNLINK: PortId = PortId(0);
const UPLINK: PortId = PortId(1);
const SIGNALING: PortId = PortId(2);

/// Nodes that are handed over, besides.
const MOVING: u32 = 1000;

/// Measures, and prints both times of each handoff.
pub(crate) fn run(args: &Args, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let cores = Cores::new(args.cpu)?;
    let case = |kind| Case { kind, bindings: args.bindings, ..Case::default() };
    let uplink = case(Kind::Up66).device("").replace("net_pgen0", "net_pgen1");
    let devices = [case(Kind::Down66).device(""), uplink, RING.into()];
    let mut devices: Vec<_> = devices.into_iter().flat_map(|d| ["--vdev".into(), d]).collect();
    devices.extend(["-d".into(), GENERATOR.into()]);
    let eal = rig::eal(&[cores.other, cores.cpu], !args.no_huge, &devices)?;
    let pool = Mempool::new(&eal, rig::MBUFS, 2048)?;
    let clock = TscClock::new(&eal);
    let nodes = args.bindings + MOVING;

    let (open, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let steering = Steering::new(1);
    let gated = |port: WorkerPort<RxQueue, _>, open: &Arc<AtomicBool>| {
        let rx = Gated { queue: port.rx, open: Arc::clone(open) };
        WorkerPort { config: port.config, rx, tx: port.tx }
    };
    let mut ports = Vec::new();
    for (id, device) in [(DOWNLINK, "net_pgen0"), (UPLINK, "net_pgen1")] {
        let (_, queues) = rig::open(&eal, &pool, id, device, &steering, SpreadBy::Destination)?;
        ports.extend(queues.into_iter().map(|port| gated(port, &open)));
    }
    let (port, wire) = rig::open_wire(&eal, &pool, SIGNALING, RING)?;
    ports.push(gated(port, &Arc::new(AtomicBool::new(true))));

    let Some((Ends { rings, applied }, links)) = rig::rings(1).pop() else { return Ok(()) };
    let limits = Limits { entries_max: nodes as usize, tunnels_max: TUNNELS_MAX };
    let config = rig::worker_config(0, &steering, limits);
    let counters = Arc::new(WorkerCounters::default());
    let mut worker =
        Worker::new(config, ports, rings, pool.clone(), applied, Arc::clone(&counters));
    let stopped = Arc::clone(&stop);
    let job = eal.launch(LcoreId(1), move || {
        while !stopped.load(Ordering::Relaxed) {
            worker.poll(Instant(clock.now_ns()));
        }
    })?;
    let stop = Stop(stop); // the job ends, whatever happens

    let applied = links.applied.clone();
    let mut core = Core::new(
        pool.clone(),
        clock,
        links,
        Arc::clone(&counters),
        nodes,
        SIGNALING,
        &args.state,
        &cores,
        cores.spare == cores.other,
    )?;
    core.settle(|| ());
    let mut gateways = Gateways::new(wire, pool, clock, nodes, args.bindings);
    gateways.run(Step::Register, || {
        core.poll();
    })?;
    let given = |i: u32| gateways.hnp(i) == POOL | u128::from(i) << 64;
    if !(0..args.bindings).all(given) {
        return Err("prefixes were not given in the order of the flows".into());
    }
    // From now on traffic, with the gateways of its bindings behind its own ports.
    core.route("fd01::/16", DOWNLINK)?;
    core.route("::/0", UPLINK)?;
    core.settle(|| ());
    open.store(true, Ordering::Relaxed);

    let mut handoffs = Handoffs { core, gateways, applied, clock, probes: 0 };
    handoffs.wait(WARM_UP_NS);
    let mut gap = Gap(0x9e37_79b9_7f4a_7c15);
    let end = clock.now_ns() + TIME_MAX_NS;
    for i in (0..args.handoffs).take_while(|_| clock.now_ns() < end) {
        let times = handoffs.measure(args.bindings + i % MOVING)?;
        write!(out, "bench:")?;
        for (name, time) in STAGES.iter().zip(times) {
            write!(out, " {name}_ns={time}")?;
        }
        writeln!(out)?;
        handoffs.wait(gap.next());
    }
    drop(stop);
    job.wait()?;
    drop(handoffs);
    std::fs::remove_dir_all(&args.state)?;
    match counters.snapshot().dropped_total() {
        0 => Ok(()),
        dropped => Err(format!("{dropped} packets were dropped").into()),
    }
}

/// Stops the worker when it goes.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A receive queue that is not asked before it is opened.
struct Gated {
    queue: RxQueue,
    open: Arc<AtomicBool>,
}

impl nic::RxQueue for Gated {
    type Frame = Mbuf;

    fn recv(&mut self, burst: &mut Burst<Mbuf>) -> usize {
        if self.open.load(Ordering::Relaxed) { self.queue.recv(burst) } else { 0 }
    }
}

/// The second CPU's part.
struct Handoffs {
    core: Core,
    gateways: Gateways,
    applied: AppliedReader,
    clock: TscClock,
    /// Sent, and not back yet.
    probes: u32,
}

impl Handoffs {
    /// Hands a node to the next gateway; returns the nanoseconds until each of [`STAGES`].
    fn measure(&mut self, node: u32) -> Result<[u64; STAGES.len()], Box<dyn Error>> {
        let old = self.gateways.mag(node);
        self.gateways.send(Step::Handoff, node..node + 1)?;
        let start = self.clock.now_ns();
        let new = self.gateways.mag(node);
        let hnp = self.gateways.hnp(node);
        let (mut acknowledged, mut switched, mut next_probe) = (None, None, start);
        let (mut handled, mut applied, mut released) = (None, None, None);
        let before = self.applied.load();
        let mut burst = Burst::new();
        while acknowledged.is_none() || switched.is_none() || self.probes > 0 {
            let worked = self.core.poll() > 0;
            let now = self.clock.now_ns();
            if worked {
                handled = handled.or(Some(now));
            }
            if applied.is_none() && self.applied.load() > before {
                applied = Some(now);
            }
            if handled.is_some() && released.is_none() && self.core.is_done() {
                released = Some(now);
            }
            let wanted = acknowledged.is_none() || switched.is_none();
            if now >= next_probe && wanted && self.probes < PROBES_MAX {
                next_probe = now + PROBE_EVERY_NS;
                let frame = self.gateways.frame(PROBE_LEN, |out| write_probe(out, hnp, now))?;
                self.gateways.put(&mut Burst::from_iter([frame]))?;
                self.probes += 1;
            }
            self.gateways.recv(&mut burst);
            for frame in burst.drain(..) {
                if frame.data().get(ETHER + 6) == Some(&MH) {
                    self.gateways.acknowledged(Step::Handoff, frame.data())?;
                    acknowledged = Some(self.clock.now_ns());
                    continue;
                }
                let (mag, sent) = read_probe(frame.data()).ok_or("not a probe")?;
                self.probes -= 1;
                if mag == new {
                    switched = Some(switched.map_or(sent, |first: u64| first.min(sent)));
                } else if mag != old || acknowledged.is_some_and(|at| sent > at) {
                    return Err(format!("a packet left for {mag} instead of {new}").into());
                }
            }
            if now > start + PATIENCE_NS {
                return Err("a handoff was not acknowledged".into());
            }
        }
        let since = |at: Option<u64>| at.unwrap_or(start).saturating_sub(start);
        Ok([switched, acknowledged, handled, applied, released].map(since))
    }

    /// Lets so much time pass.
    fn wait(&mut self, ns: u64) {
        let end = self.clock.now_ns() + ns;
        while self.clock.now_ns() < end {
            self.core.poll();
        }
    }
}

/// Times between handoffs that follow no beat.
struct Gap(u64);

impl Gap {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        GAP_NS / 2 + (self.0 >> 33) % GAP_NS
    }
}

/// From the moment that the PBU is on the port: until packets go to the new gateway; until the PBA
/// is on the port; and between: until the control core has decided, until the worker has applied,
/// until the journal has confirmed as well and the PBA is on its way to the worker.
pub(crate) const STAGES: [&str; 5] = ["switched", "acknowledged", "decided", "applied", "released"];

const WARM_UP_NS: u64 = 100_000_000;
const GAP_NS: u64 = 200_000;
const PROBE_EVERY_NS: u64 = 2_000;
/// On the way at once, whatever holds them up.
const PROBES_MAX: u32 = 128;
/// Of one handoff.
const PATIENCE_NS: u64 = 30_000_000_000;
/// Of all, on a machine that does other things.
const TIME_MAX_NS: u64 = 30_000_000_000;

const CORRESPONDENT: Ipv6Addr = Ipv6Addr::new(0x2600, 0, 0, 0, 0, 0, 0, 1);
/// Next header "none", and eight bytes behind it.
const NO_NEXT: u8 = 59;
const PROBE_LEN: usize = ETHER + IPV6 + 8;

/// A packet to a node that says when it was sent.
fn write_probe(out: &mut [u8], hnp: u128, now: u64) {
    scene::ether(out, ACCESS_MAC.0, ACCESS_ROUTER_MAC);
    let node = Ipv6Addr::from_bits(hnp | 1);
    scene::ipv6(&mut out[ETHER..], 8, NO_NEXT, 64, CORRESPONDENT, node);
    out[ETHER + IPV6..PROBE_LEN].copy_from_slice(&now.to_be_bytes());
}

/// Where it went, and when it was sent.
fn read_probe(frame: &[u8]) -> Option<(Ipv6Addr, u64)> {
    let mag = <[u8; 16]>::try_from(frame.get(ETHER + 24..ETHER + IPV6)?).ok()?;
    let sent = frame.get(ETHER + 2 * IPV6..)?.first_chunk()?;
    Some((Ipv6Addr::from(mag), u64::from_be_bytes(*sent)))
}
