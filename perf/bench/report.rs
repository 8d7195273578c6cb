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
    rows: Vec<(String, Vec<f64>)>,
}

impl Table {
    /// Begins a column.
    pub(crate) fn start_round(&mut self, cycles_per_load: f64) {
        self.memory.push(cycles_per_load);
    }

    /// Adds to this round's column.
    pub(crate) fn record(&mut self, name: String, cycles: f64) {
        match self.rows.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(cycles),
            None => self.rows.push((name, vec![cycles])),
        }
    }

    /// Medians and ranges over the rounds that were quiet; each round's ratio to the first row.
    pub(crate) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let (usual, least, greatest) = spread(&self.memory);
        let quiet = |round: &usize| (self.memory[*round] / usual - 1.0).abs() <= NOISE_MAX;
        let kept: Vec<usize> = (0..self.memory.len()).filter(quiet).collect();
        let of = |values: &[f64]| kept.iter().map(|&round| values[round]).collect::<Vec<_>>();
        writeln!(
            out,
            "\n{} of {} rounds kept; a random load took {usual:.0} cycles ({least:.0} to {greatest:.0})",
            kept.len(),
            self.memory.len(),
        )?;
        writeln!(
            out,
            "\n{:<36} {:>8} {:>8} {:>8} {:>13}",
            "cycles a packet", "median", "least", "greatest", "x testpmd io"
        )?;
        let io = self.rows.first().map(|(_, values)| of(values)).unwrap_or_default();
        for (name, values) in &self.rows {
            let values = of(values);
            let ratios: Vec<f64> = values.iter().zip(&io).map(|(v, io)| v / io).collect();
            let ((median, least, greatest), (ratio, ..)) = (spread(&values), spread(&ratios));
            writeln!(out, "{name:<36} {median:>8.1} {least:>8.1} {greatest:>8.1} {ratio:>13.1}")?;
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
