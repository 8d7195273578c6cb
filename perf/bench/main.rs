//! What a packet and a binding update cost: the worker's own loop and the control core's on
//! `net_ring` devices, beside `dpdk-testpmd` in the same run. `perf/run` calls it; `perf/README.md`
//! has the method and the figures.

mod cores;
mod forward;
mod noise;
mod pbu;
mod report;
mod rig;
mod scene;
mod signaling;
mod testpmd;

use anchord::dpdk::Eal;
use clap::Parser;
use cores::Cores;
use forward::Stream;
use noise::Walk;
use pbu::Step;
use report::Table;
use rig::{DEVICES, Publisher, Rig};
use scene::Direction;
use signaling::Anchor;
use std::io::Write;
use std::path::PathBuf;
use testpmd::Mode;

type Error = Box<dyn std::error::Error>;

/// What a packet and a binding update cost anchord, beside dpdk-testpmd.
#[derive(Parser)]
struct Args {
    /// How many bindings; may be repeated.
    #[arg(long, default_values_t = [1_000, 1_000_000])]
    bindings: Vec<u32>,
    /// Rounds; in each every forwarding figure is measured once.
    #[arg(long, default_value_t = 7)]
    rounds: u64,
    /// Packets in each measurement.
    #[arg(long, default_value_t = 2_000_000)]
    packets: u64,
    /// Nodes that are registered, refreshed and moved once each; 0: none.
    #[arg(long, default_value_t = 200_000)]
    nodes: u32,
    /// Where the bindings' journal is for that time; removed afterwards.
    #[arg(long, default_value = "target/bench-state")]
    state: PathBuf,
    /// The CPU of the worker, the control core and testpmd.
    #[arg(long, default_value_t = 1)]
    cpu: usize,
    /// Without hugepages: figures that cannot be compared.
    #[arg(long)]
    no_huge: bool,
    /// What `cargo bench` passes; without it (`cargo test --all-targets`) nothing is measured.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Error> {
    let args = Args::parse();
    let mut out = std::io::stdout().lock();
    if !args.bench {
        writeln!(out, "not measured: run perf/run")?;
        return Ok(());
    }
    let cores = Cores::new(args.cpu)?;
    let eal = rig::eal(args.cpu, !args.no_huge)?;
    let table = forwarding(&args, &eal, &cores, &mut out)?;
    table.print(&mut out)?;
    if args.nodes > 0 {
        updates(&args, &eal, &cores, &mut out)?;
    }
    Ok(())
}

/// Every round: testpmd, then each number of bindings both ways.
fn forwarding(args: &Args, eal: &Eal, cores: &Cores, out: &mut impl Write) -> Result<Table, Error> {
    let entries_max = args.bindings.iter().copied().max().unwrap_or(1);
    let (mut rig, links) = Rig::new(eal, DEVICES[0], usize::try_from(entries_max)?)?;
    let mut publisher = Publisher::new(links);
    publisher.apply(&mut rig, scene::network())?;
    let walk = Walk::new();
    let mut table = Table::default();
    let mut bound = 0;
    for round in 1..=args.rounds {
        table.start_round(walk.cycles_per_load());
        for mode in [Mode::Io, Mode::MacSwap] {
            let cycles = testpmd::run(cores, !args.no_huge, mode)?;
            table.record(format!("testpmd {}", mode.name()), cycles);
        }
        for &bindings in &args.bindings {
            publisher.apply(&mut rig, scene::bindings(bound, bindings))?;
            publisher.apply(&mut rig, scene::unbindings(bindings, bound))?;
            bound = bindings;
            for direction in [Direction::Downlink, Direction::Uplink] {
                let mut stream = Stream::new(&rig, direction, bindings, round);
                stream.run(&mut rig, args.packets / 10)?; // warms up
                let cycles = stream.run(&mut rig, args.packets)?;
                table.record(format!("anchord {direction}, {bindings} bindings"), cycles);
            }
        }
        writeln!(out, "round {round} of {}", args.rounds)?;
    }
    Ok(table)
}

/// Registers, refreshes and moves every node.
fn updates(args: &Args, eal: &Eal, cores: &Cores, out: &mut impl Write) -> Result<(), Error> {
    let (rig, links) = Rig::new(eal, DEVICES[1], usize::try_from(args.nodes)?)?;
    if args.state.exists() {
        std::fs::remove_dir_all(&args.state)?;
    }
    let mut anchor = Anchor::new(rig, links, args.nodes, &args.state, cores)?;
    let mut costs = Vec::new();
    for step in Step::ALL {
        costs.push((step, anchor.run(step)?));
    }
    drop(anchor);
    std::fs::remove_dir_all(&args.state)?;
    report::print_updates(out, args.nodes, &costs)?;
    Ok(())
}
