//! What the rounds come to: medians, ranges and ratios, for people and for files.

use crate::noise::spread;
use crate::plan::{Goal, Group, Row};
use crate::rounds::{Sample, Samples};
use std::io::{self, Write};

/// A group's round whose memory is this much slower or faster than the median is left out.
const NOISE_MAX: f64 = 0.15;

/// The middle, the least and the greatest.
type Spread = (f64, f64, f64);

/// The plan with what has been measured.
pub(crate) struct Table<'a> {
    groups: &'a [Group],
    samples: &'a [Sample],
    /// Cycles of a random load.
    memory: Spread,
}

/// A row's result.
struct Entry<'a> {
    row: &'a Row,
    cycles: Spread,
    /// Rounds that were kept.
    rounds: usize,
    /// To which row, within each round.
    ratio: Option<(&'a Row, Spread)>,
    resident_kib: Option<f64>,
}

impl<'a> Table<'a> {
    pub(crate) fn new(groups: &'a [Group], samples: &'a Samples) -> Self {
        let samples = &samples.samples;
        let loads: Vec<f64> = samples.iter().flat_map(|sample| sample.memory).collect();
        Self { groups, samples, memory: spread(&loads) }
    }

    fn is_kept(&self, sample: &Sample) -> bool {
        sample.memory.iter().all(|load| (load / self.memory.0 - 1.0).abs() <= NOISE_MAX)
    }

    fn kept(&self, group: usize, row: usize) -> impl Iterator<Item = &Sample> {
        let of = move |s: &&Sample| (s.group, s.row) == (group, row) && self.is_kept(s);
        self.samples.iter().filter(of)
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let numbered = self.groups.iter().enumerate();
        numbered.flat_map(move |(group, rows)| {
            rows.iter().enumerate().map(move |(at, row)| {
                let cycles: Vec<_> = self.kept(group, at).map(|s| s.figure.cycles).collect();
                let ratio = row.reference.and_then(|reference| {
                    let ratio = |s: &Sample| {
                        let other = self.kept(group, reference).find(|o| o.round == s.round)?;
                        Some(s.figure.cycles / other.figure.cycles)
                    };
                    let ratios: Vec<_> = self.kept(group, at).filter_map(ratio).collect();
                    (!ratios.is_empty()).then(|| (&rows[reference], spread(&ratios)))
                });
                let resident_kib = self.kept(group, at).find_map(|s| s.resident_kib);
                let rounds = cycles.len();
                Entry { row, cycles: spread(&cycles), rounds, ratio, resident_kib }
            })
        })
    }

    /// A line for each row.
    pub(crate) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let kept = self.samples.iter().filter(|sample| self.is_kept(sample)).count();
        let (usual, least, greatest) = self.memory;
        writeln!(
            out,
            "\n{kept} of {} measurements kept; a random load took {usual:.0} cycles ({least:.0} to {greatest:.0})",
            self.samples.len(),
        )?;
        writeln!(
            out,
            "\n{:<58} {:>7} {:>7} {:>8} {:>2}  {:>5} {:<24} goal",
            "cycles a packet", "median", "least", "greatest", "n", "ratio", "to"
        )?;
        for entry in self.entries() {
            let name = entry.row.name();
            if entry.rounds == 0 {
                writeln!(out, "{name:<58} no quiet round")?;
                continue;
            }
            let (median, least, greatest) = entry.cycles;
            let n = entry.rounds;
            write!(out, "{name:<58} {median:>7.1} {least:>7.1} {greatest:>8.1} {n:>2}")?;
            if let Some((to, (ratio, ..))) = entry.ratio {
                let to = if to.case == entry.row.case { to.program.name() } else { to.name() };
                write!(out, "  {ratio:>5.2} {to:<24}")?;
            }
            if let Some(goal) = entry.row.goal {
                write!(out, " {}", goal_text(goal, &entry))?;
            }
            writeln!(out)?;
        }
        self.print_memory(out)
    }

    /// What the workers' tables weigh.
    fn print_memory(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "\n{:<58} {:>7} {:>18}", "a worker's tables", "MiB", "bytes a binding")?;
        let plain = self.entries().filter(|e| e.row.goal.is_none_or(|goal| goal.cycles.is_some()));
        for Entry { row, resident_kib, .. } in plain {
            if let Some(kib) = resident_kib {
                let (mib, each) = (kib / 1024.0, kib * 1024.0 / f64::from(row.case.bindings));
                writeln!(out, "{:<58} {mib:>7.0} {each:>18.0}", row.name())?;
            }
        }
        Ok(())
    }

    /// Every measurement.
    pub(crate) fn write_samples(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "round,row,bindings,gateways,cycles,least,greatest,memory_before,memory_after,kept"
        )?;
        for s in self.samples {
            let row = &self.groups[s.group][s.row];
            let (case, figure) = (row.case, s.figure);
            let [before, after] = s.memory;
            writeln!(
                out,
                "{},\"{}\",{},{},{:.2},{:.2},{:.2},{before:.0},{after:.0},{}",
                s.round,
                row.name(),
                case.bindings,
                case.mags,
                figure.cycles,
                figure.least,
                figure.greatest,
                u8::from(self.is_kept(s)),
            )?;
        }
        Ok(())
    }

    /// Every row.
    pub(crate) fn write_summary(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "row,program,kind,gre,bindings,gateways,rounds,median,least,greatest,reference,ratio,goal_cycles,goal_ratio"
        )?;
        for Entry { row, cycles: (median, least, greatest), rounds, ratio, .. } in self.entries() {
            let case = row.case;
            write!(out, "\"{}\",\"{}\",{},", row.name(), row.program.name(), case.kind.name())?;
            write!(out, "{},{},{},", u8::from(case.gre), case.bindings, case.mags)?;
            write!(out, "{rounds},{median:.2},{least:.2},{greatest:.2},")?;
            match ratio {
                Some((to, (ratio, ..))) => write!(out, "\"{}\",{ratio:.3},", to.name())?,
                None => write!(out, ",,")?,
            }
            let text = |number: Option<f64>| number.map_or(String::new(), |n| n.to_string());
            let goal_cycles = text(row.goal.and_then(|goal| goal.cycles));
            writeln!(out, "{goal_cycles},{}", text(row.goal.map(|goal| goal.ratio)))?;
        }
        Ok(())
    }
}

fn goal_text(goal: Goal, entry: &Entry<'_>) -> String {
    let cycles_met = goal.cycles.is_none_or(|cycles| entry.cycles.0 <= cycles);
    let met = cycles_met && entry.ratio.is_some_and(|(_, (ratio, ..))| ratio <= goal.ratio);
    let cycles = goal.cycles.map_or(String::new(), |cycles| format!("{cycles} / "));
    format!("{cycles}{} {}", goal.ratio, if met { "met" } else { "not met" })
}
