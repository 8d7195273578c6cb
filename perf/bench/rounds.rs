//! Rounds: every row of the plan once in each, in another order, with the machine's memory measured
//! before and after each group.

use crate::noise::Walk;
use crate::output::Figure;
use crate::plan::Group;
use crate::program::Place;
use std::io::Write;

/// One measurement.
pub(crate) struct Sample {
    /// From 1.
    pub(crate) round: usize,
    pub(crate) group: usize,
    pub(crate) row: usize,
    pub(crate) figure: Figure,
    /// Of our worker, KiB of its tables.
    pub(crate) resident_kib: Option<f64>,
    /// Cycles of a random load before and after its group.
    pub(crate) memory: [f64; 2],
}

/// All measurements, and how many there are none of.
#[derive(Default)]
pub(crate) struct Samples {
    pub(crate) samples: Vec<Sample>,
    pub(crate) failures: usize,
}

/// Measures all groups so many times; a measurement that fails is tried once more.
pub(crate) fn run(
    groups: &[Group],
    rounds: usize,
    place: &Place,
    progress: &mut impl Write,
) -> Result<Samples, Box<dyn std::error::Error>> {
    let walk = place.cores.on_measured(Walk::new)?;
    let load = || place.cores.on_measured(|| walk.cycles_per_load());
    let all = rounds * groups.iter().map(Vec::len).sum::<usize>();
    let (mut result, mut done) = (Samples::default(), 0);
    let mut before = load()?;
    for round in 1..=rounds {
        for group in rotated(groups.len(), round) {
            let begin = result.samples.len();
            for row in rotated(groups[group].len(), round) {
                let what = &groups[group][row];
                done += 1;
                write!(progress, "{done:>4} of {all}  round {round}  {:<64}", what.name())?;
                progress.flush()?;
                let once = || {
                    let output = place.measure(what.program, what.case)?;
                    Ok((output.figure()?, output.number("resident_kib").ok()))
                };
                let measured = once().or_else(|_: String| once());
                match measured {
                    Ok((figure, resident_kib)) => {
                        writeln!(progress, "{:>7.1}", figure.cycles)?;
                        let memory = [before; 2];
                        let sample = Sample { round, group, row, figure, resident_kib, memory };
                        result.samples.push(sample);
                    }
                    Err(why) => {
                        writeln!(progress, " no figure: {why}")?;
                        result.failures += 1;
                    }
                }
            }
            let after = load()?;
            result.samples[begin..].iter_mut().for_each(|sample| sample.memory[1] = after);
            before = after;
        }
    }
    Ok(result)
}

/// All numbers below `len`, beginning with another one in each round.
fn rotated(len: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..len).map(move |i| (i + round - 1) % len)
}
