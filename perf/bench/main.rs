//! What a packet and a binding update cost: the worker's own loop on the generator's device beside
//! testpmd and the floor, and the control core's on `net_ring` devices. `perf/run` calls it;
//! `perf/README.md` has the method and the figures.

mod case;
mod cores;
mod forward;
mod noise;
mod pbu;
mod peer;
mod report;
mod rig;
mod scene;
mod signaling;

use anchord::dpdk::HugePages;
use case::{Case, Kind};
use clap::Parser;
use cores::Cores;
use noise::Walk;
use pbu::Step;
use peer::{Mode, Place};
use report::Table;
use rig::{DEVICES, Rig};
use signaling::Anchor;
use std::io::Write;
use std::path::PathBuf;

#[global_allocator]
static ALLOCATOR: HugePages = HugePages;

type Error = Box<dyn std::error::Error>;

/// What a packet and a binding update cost anchord, beside dpdk-testpmd and the floor.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// How many bindings; may be repeated.
    #[arg(long, default_values_t = [1_000, 1_000_000, 3_000_000])]
    bindings: Vec<u32>,
    /// Rounds; in each every forwarding figure is measured once.
    #[arg(long, default_value_t = 5)]
    rounds: u64,
    /// Nodes that are registered, refreshed and moved once each; 0: none.
    #[arg(long, default_value_t = 200_000)]
    nodes: u32,
    /// Three rounds, 1,000 and 1,000,000 bindings, IPv6 in IPv6 only.
    #[arg(long)]
    quick: bool,
    /// Where the bindings' journal is for that time; removed afterwards.
    #[arg(long, default_value = "target/bench-state")]
    state: PathBuf,
    /// The CPU that is measured.
    #[arg(long, default_value_t = 1)]
    cpu: usize,
    /// Without hugepages: figures that cannot be compared.
    #[arg(long)]
    no_huge: bool,
    /// What `cargo bench` passes; without it (`cargo test --all-targets`) nothing is measured.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(clap::Subcommand)]
enum Command {
    /// One process of a round: the worker on the generator's device.
    Forward(forward::Args),
}

fn main() -> Result<(), Error> {
    let mut args = Args::parse();
    if let Some(Command::Forward(args)) = args.command {
        return forward::run(&args);
    }
    let mut out = std::io::stdout().lock();
    if !args.bench {
        writeln!(out, "not measured: run perf/run")?;
        return Ok(());
    }
    if args.quick {
        (args.rounds, args.bindings, args.nodes) = (3, vec![1_000, 1_000_000], 50_000);
    }
    let cores = Cores::new(args.cpu)?;
    let table = forwarding(&args, &cores, &mut out)?;
    table.print(&mut out)?;
    if args.nodes > 0 {
        updates(&args, &cores, &mut out)?;
    }
    Ok(())
}

/// Every round: testpmd, then for each number of bindings both ways the floor and anchord.
fn forwarding(args: &Args, cores: &Cores, out: &mut impl Write) -> Result<Table, Error> {
    let place = Place { cores, huge: !args.no_huge };
    let walk = cores.on_measured(Walk::new)?;
    let mut table = Table::default();
    for round in 1..=args.rounds {
        table.start_round(cores.on_measured(|| walk.cycles_per_load())?);
        for mode in [Mode::Io, Mode::MacSwap] {
            table.record(format!("testpmd {}", mode.name()), place.testpmd(mode)?);
        }
        for &bindings in &args.bindings {
            for kind in [Kind::Down66, Kind::Up66] {
                let case = Case { kind, bindings, ..Case::default() };
                let floor = format!("floor   {case}");
                table.record(floor.clone(), place.floor(case)?);
                table.compare(format!("anchord {case}"), place.anchord(case, 0)?, floor);
            }
        }
        if !args.quick {
            variants(args, &place, &mut table)?;
        }
        writeln!(out, "round {round} of {}", args.rounds)?;
        out.flush()?;
    }
    Ok(table)
}

/// Other encapsulations, updates meanwhile, a tunnel for each binding: beside the plain case.
fn variants(args: &Args, place: &Place<'_>, table: &mut Table) -> Result<(), Error> {
    for &bindings in args.bindings.iter().filter(|n| **n <= VARIANTS_MAX) {
        for (plain, others) in [
            (Kind::Down66, [Kind::Down46, Kind::Down64, Kind::Down44]),
            (Kind::Up66, [Kind::Up46, Kind::Up64, Kind::Up44]),
        ] {
            let plain = Case { kind: plain, bindings, ..Case::default() };
            let reference = format!("anchord {plain}");
            let gre = Case { gre: true, ..plain };
            let own = Case { mags: bindings, ..plain };
            let others = others.map(|kind| Case { kind, ..plain });
            let own = Some(own).filter(|case| case.mags > plain.mags);
            for case in others.into_iter().chain([gre]).chain(own) {
                let cycles = place.anchord(case, 0)?;
                table.compare(format!("anchord {case}"), cycles, reference.clone());
            }
            let cycles = place.anchord(plain, UPDATE_EVERY_US)?;
            let name = format!("anchord {plain}, updates");
            table.compare(name, cycles, reference);
        }
    }
    Ok(())
}

/// The goals name these up to a million bindings.
const VARIANTS_MAX: u32 = 1_000_000;

/// A binding changes every so many microseconds.
const UPDATE_EVERY_US: u64 = 10;

/// Registers, refreshes and moves every node.
fn updates(args: &Args, cores: &Cores, out: &mut impl Write) -> Result<(), Error> {
    let devices = DEVICES.map(|device| ["--vdev", device]).concat();
    let eal = rig::eal(args.cpu, !args.no_huge, &devices)?;
    let (rig, links) = Rig::new(&eal, DEVICES, usize::try_from(args.nodes)?)?;
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
