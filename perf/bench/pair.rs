//! Two workers beside one: each on its own CPU with a queue of its own of the generator's device,
//! which steers as a NIC with receive side scaling does, or leaves that to the workers.
//!
//! ```text
//!   steered:      queue 0: flows of worker 0 --> worker 0 --> queue 0     the same for 1
//!   handed off:   queue 0: all flows --> worker 0 --> queue 0
//!                                         |  ^ half of them
//!                                         v  |
//!                 queue 1: all flows --> worker 1 --> queue 1
//! ```
//! Each queue gives so many frames and then no more; a worker ends when all have found nothing to
//! do for a while, so that nothing is left on the way.

use crate::case::Case;
use crate::program::GENERATOR;
use crate::rig::{self, Ends, Publisher};
use crate::scene::{self, ACCESS};
use anchord::dataplane::counters::{Counter, Snapshot, WorkerCounters};
use anchord::dataplane::steer::{Owner, Steering};
use anchord::dataplane::update::Change;
use anchord::dataplane::worker::{Limits, Worker};
use anchord::dpdk::port::{self, SpreadBy};
use anchord::dpdk::{LcoreId, Mempool, RxQueue, TscClock};
use anchord::time::Instant;
use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

/// What the process is asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    case: Case,
    /// The CPUs to run on, one for each worker.
    #[arg(long = "cpu", required = true)]
    cpus: Vec<usize>,
    /// The device steers; else the workers hand over what is not theirs.
    #[arg(long)]
    steer: bool,
    /// Frames for each worker.
    #[arg(long, default_value_t = 4_000_000)]
    packets: u64,
    /// Without hugepages.
    #[arg(long)]
    no_huge: bool,
}

/// What the workers tell each other.
struct Shared {
    workers: u16,
    /// Frames for each of them.
    packets: u64,
    /// How many have begun.
    begun: AtomicU16,
    /// How many have found nothing to do for a while.
    idle: AtomicU16,
    /// When the last one's queue was empty, in nanoseconds.
    end_ns: AtomicU64,
}

/// Measures; the devices print cycles, this the time in all and what was handed over.
pub(crate) fn run(args: &Args, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let case = args.case;
    let steering = Steering::new(u16::try_from(args.cpus.len())?);
    // Between two queues there is no order to check: all are checked alike, to be compared.
    let more = format!(
        ",queues={},packets={},steer={},check=any",
        steering.workers(),
        args.packets,
        u8::from(args.steer),
    );
    let device = ["-d", GENERATOR, "--vdev", &case.device(&more)].map(str::to_owned);
    let eal = rig::eal(&args.cpus, !args.no_huge, &device)?;
    let pool = Mempool::new(&eal, rig::MBUFS, 2048)?;
    let clock = TscClock::new(&eal);
    let by = if case.kind.is_uplink() { SpreadBy::InnerSource } else { SpreadBy::Destination };
    let (port, queues) = rig::open(&eal, &pool, ACCESS, "net_pgen0", &steering, by)?;
    let wanted = match steering.workers() {
        1 => port::Steering::Single,
        _ if args.steer => port::Steering::Rss,
        _ => port::Steering::HandOff,
    };
    if port.steering() != wanted {
        return Err(format!("the port does {:?}", port.steering()).into());
    }
    drop(port); // its queues keep it

    let mut workers = Vec::new();
    let mut counters = Vec::new();
    let rings = rig::rings(args.cpus.len());
    for ((id, queue), (Ends { rings, applied }, links)) in (0..).zip(queues).zip(rings) {
        let limits =
            Limits { entries_max: case.bindings as usize, tunnels_max: case.mags as usize };
        let config = rig::worker_config(id, &steering, limits);
        let own = Arc::new(WorkerCounters::default());
        let mut worker =
            Worker::new(config, vec![queue], rings, pool.clone(), applied, Arc::clone(&own));
        let entries = (0..case.bindings)
            .filter(|i| is_owner(&steering, id, case, *i))
            .filter_map(|i| case.entry(i, i % case.mags));
        let changes: Vec<Change> =
            scene::network().into_iter().chain(case.tunnels(0)).chain(entries).collect();
        Publisher::new(links.updates, links.applied).apply(changes, || worker.apply_updates())?;
        workers.push(worker);
        counters.push(own);
    }

    let shared = Arc::new(Shared {
        workers: steering.workers(),
        packets: args.packets,
        begun: AtomicU16::new(0),
        idle: AtomicU16::new(0),
        end_ns: AtomicU64::new(0),
    });
    let mut workers = workers.into_iter();
    let Some(mut first) = workers.next() else { return Err("no worker".into()) };
    let mut jobs = Vec::new();
    for ((lcore, mut worker), own) in (1..).zip(workers).zip(&counters[1..]) {
        let (own, shared) = (Arc::clone(own), Arc::clone(&shared));
        let life = move || forward(&mut worker, &own, &shared, clock);
        jobs.push(eal.launch(LcoreId(lcore), life)?);
    }
    let start = clock.now_ns();
    forward(&mut first, &counters[0], &shared, clock);
    drop(first);
    for job in jobs {
        job.wait()?;
    }
    let ns = shared.end_ns.load(Ordering::Relaxed).saturating_sub(start);
    let snapshots: Vec<_> = counters.iter().map(|counters| counters.snapshot()).collect();
    let handed: u64 = snapshots.iter().map(|s| s.get(Counter::HandoffSent)).sum();
    writeln!(out, "bench: ns={ns} handed={handed}")?;
    match snapshots.iter().map(Snapshot::dropped_total).sum() {
        0 => Ok(()),
        dropped @ 1u64.. => Err(format!("{dropped} packets were dropped").into()),
    }
}

fn is_owner(steering: &Steering, worker: u16, case: Case, binding: u32) -> bool {
    match case.prefix(binding).map(|prefix| steering.owner(prefix)) {
        Some(Owner::One(owner)) => owner.0 == worker,
        Some(Owner::All) => true,
        None => false,
    }
}

/// A worker's life: all begin together; none ends while another may still hand it something.
fn forward(worker: &mut Worker<RxQueue>, own: &WorkerCounters, shared: &Shared, clock: TscClock) {
    shared.begun.fetch_add(1, Ordering::AcqRel);
    while shared.begun.load(Ordering::Acquire) < shared.workers {
        std::hint::spin_loop();
    }
    let (mut idle, mut counted) = (0, false);
    while shared.idle.load(Ordering::Acquire) < shared.workers {
        let now = clock.now_ns();
        if worker.poll(Instant(now)) > 0 {
            idle = 0;
            continue;
        }
        idle += 1;
        if idle == 1 {
            shared.end_ns.fetch_max(now, Ordering::Relaxed);
        }
        // A queue may also have nothing because all buffers are with the other worker.
        if idle == IDLE_TURNS && !counted {
            counted = own.snapshot().get(Counter::RxPackets) == shared.packets;
            shared.idle.fetch_add(u16::from(counted), Ordering::AcqRel);
            idle = if counted { idle } else { 0 };
        }
    }
    // What the others handed over since.
    for _ in 0..IDLE_TURNS {
        worker.poll(Instant(clock.now_ns()));
    }
}

/// Turns without work after which the queue is at its end.
const IDLE_TURNS: u32 = 1_000;
