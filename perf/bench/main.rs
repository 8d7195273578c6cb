//! What a packet and a binding update cost: the worker's own loop on the generator's device beside
//! testpmd, l3fwd and the floor, and the control core's. `perf/run` calls it; `perf/README.md` has
//! the method and the figures.
//!
//! `measure` runs everything, each measurement in a process of its own: a peer's, or this program's
//! with one of the other commands.

mod case;
mod churn;
mod control;
mod cores;
mod forward;
mod gateways;
mod latency;
mod measure;
mod noise;
mod output;
mod pair;
mod pbu;
mod plan;
mod program;
mod registration;
mod rig;
mod rounds;
mod scaling;
mod scene;
mod signaling;
mod stall;
mod table;

use anchord::dpdk::HugePages;
use clap::Parser;

#[global_allocator]
static ALLOCATOR: HugePages = HugePages;

/// What a packet and a binding update cost anchord, beside dpdk-testpmd, l3fwd and the floor.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Everything.
    Measure(measure::Args),
    /// The worker on the generator's device.
    Forward(forward::Args),
    /// One worker or two.
    Pair(pair::Args),
    /// Handoffs while a worker forwards at full load.
    Latency(latency::Args),
    /// Binding updates, as many as there can be.
    Signaling(signaling::Args),
}

fn main() -> measure::Measured {
    let mut out = std::io::stdout();
    match Args::parse().command {
        Command::Measure(args) => measure::run(&args, &mut out),
        Command::Forward(args) => forward::run(&args, &mut out),
        Command::Pair(args) => pair::run(&args, &mut out),
        Command::Latency(args) => latency::run(&args, &mut out),
        Command::Signaling(args) => signaling::run(&args, &mut out),
    }
}
