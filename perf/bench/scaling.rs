//! Two workers against one, and what it costs to hand a packet from one to the other.

use crate::case::{Case, Kind};
use crate::measure::{Files, Measured, progress};
use crate::noise::spread;
use crate::program::Place;
use std::io::Write;

/// How the workers of a process get their packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    One,
    Steered,
    HandedOff,
}

/// What one process came to.
struct Outcome {
    /// Cycles a packet, of the worker or the mean of both.
    cycles: f64,
    /// Packets a second in all, the generator's work included.
    per_second: f64,
    /// Of the packets, how many were handed over.
    handed: f64,
}

/// Each way in each round; the ratios are taken within it.
pub(crate) fn measure(place: &Place, rounds: usize, files: &mut Files<'_>) -> Measured {
    if place.cores.cpu == place.cores.other {
        writeln!(files.report, "\ntwo workers: not measured, there is one CPU")?;
        return Ok(());
    }
    let mut csv = files.create("workers.csv")?;
    writeln!(csv, "round,kind,way,cycles,packets_per_second,handed")?;
    writeln!(
        files.report,
        "\n{:<30} {:>7} {:>7} {:>8} {:>10}   {:>16} {:>18}",
        "two workers, 1,000,000",
        "one",
        "steered",
        "hand-off",
        "x packets",
        "x with generator",
        "cycles a hand-off"
    )?;
    for kind in [Kind::Down66, Kind::Up66] {
        let case = Case { kind, bindings: 1_000_000, ..Case::default() };
        let mut columns: [Vec<f64>; 6] = Default::default();
        for round in 1..=rounds {
            progress(&format!("two workers, {case}, round {round} of {rounds}"))?;
            let mut each =
                [Way::One, Way::Steered, Way::HandedOff].map(|way| run(place, case, way));
            for (way, outcome) in [Way::One, Way::Steered, Way::HandedOff].iter().zip(&mut each) {
                let Ok(o) = outcome else { continue };
                let (cycles, rate, handed) = (o.cycles, o.per_second, o.handed);
                writeln!(csv, "{round},{},{way:?},{cycles:.2},{rate:.0},{handed:.4}", kind.name())?;
            }
            let [one, steered, handed_off] = each;
            let (one, steered, handed_off) = (one?, steered?, handed_off?);
            let figures = [
                one.cycles,
                steered.cycles,
                handed_off.cycles,
                2.0 * one.cycles / steered.cycles,
                steered.per_second / one.per_second,
                (handed_off.cycles - steered.cycles) / handed_off.handed,
            ];
            columns.iter_mut().zip(figures).for_each(|(column, figure)| column.push(figure));
        }
        let [one, steered, handed, times, whole, each] = columns.map(|column| spread(&column).0);
        let met = if times >= GOAL { "met" } else { "not met" };
        writeln!(
            files.report,
            "{case:<30} {one:>7.1} {steered:>7.1} {handed:>8.1} {times:>10.2}   {whole:>16.2} {each:>18.0}   {GOAL} {met}"
        )?;
    }
    Ok(())
}

/// Times the packets of one worker.
const GOAL: f64 = 1.9;

/// Frames for each worker.
const PACKETS: u32 = 4_000_000;

fn run(place: &Place, case: Case, way: Way) -> Result<Outcome, String> {
    let workers = if way == Way::One { 1 } else { 2 };
    let cpus = [place.cores.cpu, place.cores.other];
    let mut arguments = case.arguments();
    arguments.extend(cpus.iter().take(workers).map(|cpu| format!("--cpu={cpu}")));
    arguments.push(format!("--packets={PACKETS}"));
    arguments.extend((way == Way::Steered).then(|| "--steer".into()));
    let output = place.bench("pair", &arguments)?;
    let figures = output.figures()?;
    let (mut packets, mut cycles) = (0.0, 0.0);
    for figure in figures {
        packets += f64::from(PACKETS);
        cycles += figure.cycles * f64::from(PACKETS);
    }
    Ok(Outcome {
        cycles: cycles / packets,
        per_second: packets * 1e9 / output.number("ns")?,
        handed: output.number("handed")? / packets,
    })
}
