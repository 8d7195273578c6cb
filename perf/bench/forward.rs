//! The process that is measured: `anchord`'s own worker on the generator's device, which counts the
//! cycles, checks what comes out and prints the figure when its port is stopped.

use crate::case::Case;
use crate::churn::{Changes, Churn};
use crate::cores::Cores;
use crate::program::GENERATOR;
use crate::rig::{self, Ends, Publisher};
use crate::scene::{self, ACCESS};
use anchord::dataplane::counters::Counter;
use anchord::dataplane::steer::Steering;
use anchord::dataplane::worker::{Limits, Worker};
use anchord::dpdk::port::SpreadBy;
use anchord::dpdk::{Mempool, TscClock, clock};
use anchord::time::Instant;
use std::io::Write;
use std::sync::Arc;

/// What the process is asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    case: Case,
    /// How long at least, in milliseconds.
    #[arg(long, default_value_t = 1000)]
    milliseconds: u64,
    /// How many turns of the worker at most.
    #[arg(long, default_value_t = u64::MAX)]
    turns: u64,
    /// What changes meanwhile.
    #[arg(long, default_value = "none")]
    changes: Changes,
    /// A change every so many nanoseconds; 0: as fast as the worker takes them.
    #[arg(long, default_value_t = 0)]
    change_every_ns: u64,
    /// How many bindings `grow`, `full` and `shrink` change.
    #[arg(long, default_value_t = 0)]
    change_count: u32,
    /// The device reports how long the worker's turns took.
    #[arg(long)]
    report_turns: bool,
    /// The CPU to run on.
    #[arg(long, default_value_t = 1)]
    cpu: usize,
    /// Without hugepages.
    #[arg(long)]
    no_huge: bool,
}

/// Measures; the figure is the device's to print.
pub(crate) fn run(args: &Args, out: &mut impl Write) -> Result<(), Box<dyn std::error::Error>> {
    let Args { case, changes, change_count: count, .. } = *args;
    let cores = Cores::new(args.cpu)?;
    let traffic = Case { bindings: changes.flows(case.bindings, count), ..case };
    let device = traffic.device(if args.report_turns { ",turns=1" } else { "" });
    let device = ["-d", GENERATOR, "--vdev", &device].map(str::to_owned);
    let eal = rig::eal(&[args.cpu], !args.no_huge, &device)?;
    let pool = Mempool::new(&eal, rig::MBUFS, 2048)?;
    let clock = TscClock::new(&eal);
    let steering = Steering::new(1);
    let (port, queues) =
        rig::open(&eal, &pool, ACCESS, "net_pgen0", &steering, SpreadBy::Destination)?;
    drop(port); // its queues keep it
    let Some((Ends { rings, applied }, links)) = rig::rings(1).pop() else { return Ok(()) };
    let tunnels = case.mags * if changes.moves() { 2 } else { 1 };
    let limits = Limits {
        entries_max: usize::try_from(case.bindings)?,
        tunnels_max: usize::try_from(tunnels)?,
    };
    let before = resident_kib()?;
    let config = rig::worker_config(0, &steering, limits);
    let counters = Arc::default();
    let mut worker =
        Worker::new(config, queues, rings, pool.clone(), applied, Arc::clone(&counters));
    let mut publisher = Publisher::new(links.updates, links.applied);
    let tunnels = (0..tunnels).step_by(case.mags as usize).flat_map(|first| case.tunnels(first));
    let first = changes.bindings_before(case.bindings, count);
    let entries = (0..first).filter_map(|i| case.entry(i, i % case.mags));
    publisher.apply(scene::network().into_iter().chain(tunnels).chain(entries), || {
        worker.apply_updates()
    })?;
    writeln!(out, "bench: resident_kib={}", resident_kib()?.saturating_sub(before))?;

    let every = ticks(args.change_every_ns, &clock);
    let churn = Churn::start(changes, case, count, every, publisher.updates, &cores)?;
    let end = clock::tsc() + ticks(args.milliseconds * 1_000_000, &clock);
    let endless = matches!(changes, Changes::None | Changes::Move);
    let mut turns = 0;
    while (clock::tsc() < end || !endless && !churn.is_over(publisher.applied.load()))
        && turns < args.turns
    {
        for _ in 0..TURNS.min(args.turns - turns) {
            worker.poll(Instant(clock.now_ns()));
        }
        turns += TURNS;
    }
    churn.stop()?;
    let counted = counters.snapshot();
    let (dropped, refused) = (counted.dropped_total(), counted.get(Counter::UpdatesRefused));
    if dropped > 0 {
        return Err(format!("{dropped} packets were dropped").into());
    }
    if refused != changes.refused() {
        return Err(format!("{refused} updates were refused").into());
    }
    Ok(())
}

/// Turns between two looks at the time.
const TURNS: u64 = 64;

/// So many nanoseconds of the time stamp counter.
pub(crate) fn ticks(ns: u64, clock: &TscClock) -> u64 {
    let (from, start) = (clock.now_ns(), clock::tsc());
    while clock.now_ns() - from < 1_000_000 {}
    let per_ms = u128::from(clock::tsc() - start);
    u64::try_from(per_ms * u128::from(ns) / 1_000_000).unwrap_or(u64::MAX)
}

/// Memory that this process has now, in KiB.
fn resident_kib() -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS")?;
    Ok(kib.parse()?)
}
