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

use crate::control::{Core, TUNNELS_MAX};
use crate::cores::Cores;
use crate::gateways::Gateways;
use crate::pbu::Step;
use crate::rig::{self, Ends, RING};
use crate::scene::ACCESS;
use anchord::dataplane::counters::{Counter, WorkerCounters};
use anchord::dataplane::steer::Steering;
use anchord::dataplane::worker::{Limits, Worker};
use anchord::dpdk::{Mempool, TscClock};
use anchord::time::Instant;
use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Far more than the journal's thread takes for a turn's records.
const LOCKSTEP: Duration = Duration::from_millis(3);

#[allow(clippy::disallowed_methods)] // no core that is measured by the clock
fn wait_for_journal() {
    std::thread::sleep(LOCKSTEP);
}

/// What the process is asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Nodes that are registered, refreshed and moved once each.
    #[arg(long, default_value_t = 200_000)]
    nodes: u32,
    /// So many of registration, refresh and handoff.
    #[arg(long, default_value_t = Step::ALL.len())]
    steps: usize,
    /// Waits after each turn until the journal has surely followed: each run then takes the same
    /// turns, to be counted (`perf/icount`).
    #[arg(long)]
    lockstep: bool,
    /// Where the bindings' journal is for that time; removed afterwards.
    #[arg(long, default_value = "target/bench-state")]
    state: PathBuf,
    /// The CPU to run on.
    #[arg(long, default_value_t = 1)]
    cpu: usize,
    /// Without hugepages.
    #[arg(long)]
    no_huge: bool,
}

/// Measures, and prints for each kind of update how many there are in a second, everything
/// included, and the nanoseconds that the control core worked for one.
#[allow(clippy::cast_precision_loss)] // far below 2^52
pub(crate) fn run(args: &Args, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let (nodes, cores) = (args.nodes, Cores::new(args.cpu)?);
    let eal = rig::eal(&[args.cpu], !args.no_huge, &["--vdev", RING].map(str::to_owned))?;
    let pool = Mempool::new(&eal, rig::MBUFS, 2048)?;
    let clock = TscClock::new(&eal);
    let (port, wire) = rig::open_wire(&eal, &pool, ACCESS, RING)?;
    let Some((Ends { rings, applied }, links)) = rig::rings(1).pop() else { return Ok(()) };
    let limits = Limits { entries_max: nodes as usize, tunnels_max: TUNNELS_MAX };
    let config = rig::worker_config(0, &Steering::new(1), limits);
    let counters = Arc::new(WorkerCounters::default());
    let mut worker =
        Worker::new(config, vec![port], rings, pool.clone(), applied, Arc::clone(&counters));
    // It does what there is to do, as one that has a CPU of its own.
    let mut turn = || while worker.poll(Instant(clock.now_ns())) > 0 {};
    let mut core = Core::new(
        pool.clone(),
        clock,
        links,
        Arc::clone(&counters),
        nodes,
        ACCESS,
        &args.state,
        &cores,
        cores.spare == cores.cpu,
    )?;
    core.settle(&mut turn);
    let mut gateways = Gateways::new(wire, pool, clock, nodes, nodes);
    for step in Step::ALL.into_iter().take(args.steps) {
        core.busy_ns = 0;
        let ns = gateways.run(step, || {
            turn();
            if core.poll() > 0 && args.lockstep {
                wait_for_journal();
            }
        })?;
        let entries = counters.snapshot().get(Counter::Entries);
        if entries != u64::from(nodes) {
            return Err(format!("{step:?}: the worker has {entries} of {nodes} entries").into());
        }
        let (per_second, nodes) = (f64::from(nodes) * 1e9 / ns as f64, f64::from(nodes));
        let busy_ns = core.busy_ns as f64 / nodes;
        writeln!(out, "bench: step={step:?} per_second={per_second:.0} busy_ns={busy_ns:.0}")?;
    }
    drop(core);
    std::fs::remove_dir_all(&args.state)?;
    Ok(())
}
