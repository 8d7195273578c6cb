//! How long a worker's turn takes while its table fills up, is full, and empties.

use crate::case::Case;
use crate::churn::Changes;
use crate::measure::{Files, Measured, progress};
use crate::program::Place;
use std::io::Write;

/// What changes, how many entries of how many, and how often.
struct Phase {
    changes: Changes,
    every_ns: u64,
    name: &'static str,
}

/// Turns that took so many cycles, in bins: the least value of each, and how many.
pub(crate) struct Turns {
    bins: Vec<(u64, u64)>,
    greatest: u64,
}

impl Turns {
    fn count(&self) -> u64 {
        self.bins.iter().map(|(_, count)| count).sum()
    }

    /// The least value of the bin that `share` of all turns do not go beyond.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn quantile(&self, share: f64) -> u64 {
        let mut left = (self.count() as f64 * share).ceil() as u64;
        let reached = self.bins.iter().find(|(_, count)| {
            left = left.saturating_sub(*count);
            left == 0
        });
        reached.map_or(self.greatest, |(least, _)| *least)
    }
}

/// In one table of so many entries: traffic for a tenth of them, the rest comes and goes; once as
/// fast as the worker takes changes, once as many a second as the control core is to decide.
pub(crate) fn measure(place: &Place, entries: u32, files: &mut Files<'_>) -> Measured {
    let phase = |changes, every_ns, name| Phase { changes, every_ns, name };
    let phases = [
        phase(Changes::None, 0, "nothing changes"),
        phase(Changes::Grow, PACED_NS, "growth, 300,000 a second"),
        phase(Changes::Full, PACED_NS, "full table, 300,000 a second"),
        phase(Changes::Shrink, PACED_NS, "deletion, 300,000 a second"),
        phase(Changes::Grow, 0, "growth, all at once"),
        phase(Changes::Full, 0, "full table, all at once"),
        phase(Changes::Shrink, 0, "deletion, all at once"),
    ];
    let mut csv = files.create("turns.csv")?;
    writeln!(csv, "phase,cycles,turns")?;
    writeln!(
        files.report,
        "\n{:<36} {:>9} {:>8} {:>8} {:>8} {:>8} {:>10}",
        format!("cycles a turn of 64, {entries}"),
        "turns",
        "median",
        "99 %",
        "99.9 %",
        "99.99 %",
        "greatest"
    )?;
    for Phase { changes, every_ns, name } in phases {
        progress(&format!("turns: {name}"))?;
        let case = Case { bindings: entries, ..Case::default() };
        let count = if every_ns > 0 { entries / 16 } else { entries - entries / 10 };
        let arguments = [
            format!("--changes={}", changes.name()),
            format!("--change-every-ns={every_ns}"),
            format!("--change-count={count}"),
            "--report-turns".into(),
        ];
        let output = place.anchord(case, &arguments)?;
        output.check()?;
        let (bins, greatest) = output.turns()?;
        for (cycles, count) in &bins {
            writeln!(csv, "\"{name}\",{cycles},{count}")?;
        }
        let turns = Turns { bins, greatest };
        let [half, p99, p999, p9999] = [0.5, 0.99, 0.999, 0.9999].map(|q| turns.quantile(q));
        writeln!(
            files.report,
            "{name:<36} {:>9} {half:>8} {p99:>8} {p999:>8} {p9999:>8} {greatest:>10}",
            turns.count()
        )?;
    }
    Ok(())
}

/// Between two changes.
const PACED_NS: u64 = 3_333;
