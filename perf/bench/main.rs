//! What a packet costs: the worker's own loop on `net_ring` devices, beside `dpdk-testpmd` in the same
//! run. `perf/run` calls it; `perf/README.md` has the method and the figures.

mod forward;
mod noise;
mod rig;
mod scene;
mod testpmd;

use clap::Parser;
use forward::Stream;
use noise::{Walk, spread};
use rig::Rig;
use scene::Direction;
use std::io::Write;
use testpmd::Mode;

type Error = Box<dyn std::error::Error>;

/// Cycles a packet of anchord's worker, beside dpdk-testpmd.
#[derive(Parser)]
struct Args {
    /// How many bindings; may be repeated.
    #[arg(long, default_values_t = [1_000, 1_000_000])]
    bindings: Vec<u32>,
    /// Rounds; in each everything is measured once.
    #[arg(long, default_value_t = 7)]
    rounds: u64,
    /// Packets in each measurement.
    #[arg(long, default_value_t = 2_000_000)]
    packets: u64,
    /// The CPU that it all runs on.
    #[arg(long, default_value_t = 1)]
    cpu: usize,
    /// Without hugepages: figures that cannot be compared.
    #[arg(long)]
    no_huge: bool,
    /// What `cargo bench` passes.
    #[arg(long, hide = true)]
    bench: bool,
}

/// One line of the result: what, and a value for each round.
struct Row {
    name: String,
    values: Vec<f64>,
}

/// A round whose memory is this much slower or faster than the median of all rounds is left out.
const NOISE_MAX: f64 = 0.15;

fn main() -> Result<(), Error> {
    let args = Args::parse();
    let mut out = std::io::stdout().lock();
    let eal = rig::eal(args.cpu, !args.no_huge)?;
    let entries_max = args.bindings.iter().copied().max().unwrap_or(1);
    let mut rig = Rig::new(&eal, usize::try_from(entries_max)?)?;
    let walk = Walk::new();

    let mut memory = Vec::new();
    let mut rows: Vec<Row> = Vec::new();
    let mut bound = 0;
    for round in 0..args.rounds {
        memory.push(walk.cycles_per_load());
        let mut row = 0;
        let mut record = |name: String, value| {
            if row == rows.len() {
                rows.push(Row { name, values: Vec::new() });
            }
            rows[row].values.push(value);
            row += 1;
        };
        for mode in [Mode::Io, Mode::MacSwap] {
            let cycles = testpmd::run(args.cpu, !args.no_huge, mode)?;
            record(format!("testpmd {}", mode.name()), cycles);
        }
        for &bindings in &args.bindings {
            rig.apply(scene::bindings(bindings).skip(bound as usize))?;
            rig.apply(scene::unbindings(bindings, bound))?;
            bound = bindings;
            for direction in [Direction::Downlink, Direction::Uplink] {
                let mut stream = Stream::new(&rig, direction, bindings, round + 1);
                stream.run(&mut rig, args.packets / 10)?; // warms up
                let cycles = stream.run(&mut rig, args.packets)?;
                record(format!("{direction:?}, {bindings} bindings"), cycles);
            }
        }
        writeln!(out, "round {} of {}", round + 1, args.rounds)?;
    }
    print(&mut out, &memory, &rows)
}

/// Medians and ranges over the rounds that were quiet.
fn print(out: &mut impl Write, memory: &[f64], rows: &[Row]) -> Result<(), Error> {
    let (usual, least, greatest) = spread(memory);
    let quiet = |round: &usize| (memory[*round] / usual - 1.0).abs() <= NOISE_MAX;
    let kept: Vec<usize> = (0..memory.len()).filter(quiet).collect();
    let of = |row: &Row| kept.iter().map(|&round| row.values[round]).collect::<Vec<_>>();
    writeln!(
        out,
        "\n{} of {} rounds kept; a random load took {usual:.0} cycles ({least:.0} to {greatest:.0})\n\n\
         {:<32} {:>8} {:>8} {:>8} {:>10}",
        kept.len(),
        memory.len(),
        "cycles a packet",
        "median",
        "least",
        "greatest",
        "x testpmd io",
    )?;
    let io = rows.first().map(of).unwrap_or_default();
    for row in rows {
        let values = of(row);
        let ratios: Vec<f64> = values.iter().zip(&io).map(|(value, io)| value / io).collect();
        let ((median, least, greatest), (ratio, ..)) = (spread(&values), spread(&ratios));
        writeln!(out, "{:<32} {median:>8.1} {least:>8.1} {greatest:>8.1} {ratio:>10.1}", row.name)?;
    }
    Ok(())
}
