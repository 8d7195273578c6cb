//! Figures for people.

use crate::noise::spread;
use crate::pbu::Step;
use crate::signaling::Cost;
use std::io::{self, Write};

/// A round whose memory is this much slower or faster than the median of all rounds is left out.
const NOISE_MAX: f64 = 0.15;

/// Cycles a packet: a row for each thing measured, a column for each round.
#[derive(Default)]
pub(crate) struct Table {
    /// Cycles of a random load in each round.
    memory: Vec<f64>,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    cycles: Vec<f64>,
    /// The row that it is compared with.
    reference: Option<String>,
}

impl Table {
    /// Begins a column.
    pub(crate) fn start_round(&mut self, cycles_per_load: f64) {
        self.memory.push(cycles_per_load);
    }

    /// Adds to this round's column.
    pub(crate) fn record(&mut self, name: String, cycles: f64) {
        self.row(name, None).push(cycles);
    }

    /// Adds to this round's column what is to be compared with another row.
    pub(crate) fn compare(&mut self, name: String, cycles: f64, reference: String) {
        self.row(name, Some(reference)).push(cycles);
    }

    fn row(&mut self, name: String, reference: Option<String>) -> &mut Vec<f64> {
        let at = self.rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
            self.rows.push(Row { name, cycles: Vec::new(), reference });
            self.rows.len() - 1
        });
        &mut self.rows[at].cycles
    }

    /// Medians and ranges over the rounds that were quiet; the ratio is taken within each round.
    pub(crate) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let (usual, least, greatest) = spread(&self.memory);
        let quiet = |round: &usize| (self.memory[*round] / usual - 1.0).abs() <= NOISE_MAX;
        let kept: Vec<usize> = (0..self.memory.len()).filter(quiet).collect();
        let of = |row: &Row| kept.iter().map(|&round| row.cycles[round]).collect::<Vec<_>>();
        writeln!(
            out,
            "\n{} of {} rounds kept; a random load took {usual:.0} cycles ({least:.0} to {greatest:.0})",
            kept.len(),
            self.memory.len(),
        )?;
        writeln!(
            out,
            "\n{:<48} {:>7} {:>7} {:>8}  {:>5}",
            "cycles a packet", "median", "least", "greatest", "ratio"
        )?;
        for row in &self.rows {
            let (median, least, greatest) = spread(&of(row));
            write!(out, "{:<48} {median:>7.1} {least:>7.1} {greatest:>8.1}", row.name)?;
            let reference =
                self.rows.iter().find(|other| Some(&other.name) == row.reference.as_ref());
            if let Some(reference) = reference {
                let pairs = of(row).into_iter().zip(of(reference));
                let ratios: Vec<f64> = pairs.map(|(cycles, other)| cycles / other).collect();
                write!(out, "  {:>5.2} x {}", spread(&ratios).0, reference.name)?;
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

/// What each kind of update cost.
pub(crate) fn print_updates(
    out: &mut impl Write,
    nodes: u32,
    costs: &[(Step, Cost)],
) -> io::Result<()> {
    writeln!(
        out,
        "\n{:<36} {:>10} {:>16} {:>16}",
        format!("{nodes} nodes, one update each"),
        "updates/s",
        "control core, us",
        "updates/s of it"
    )?;
    for (step, cost) in costs {
        let (us, alone) = (cost.busy_ns / 1e3, 1e9 / cost.busy_ns);
        let step = format!("{step:?}");
        writeln!(out, "{step:<36} {:>10.0} {us:>16.2} {alone:>16.0}", cost.per_second)?;
    }
    Ok(())
}
