//! What updates cost the control core, and how long one takes under load.

use crate::latency::STAGES;
use crate::measure::{Files, Measured, progress};
use crate::noise::spread;
use crate::program::Place;
use std::io::Write;

/// The time from PBU to PBA, and to forwarding that has switched.
pub(crate) fn latency(
    place: &Place,
    bindings: u32,
    handoffs: u32,
    files: &mut Files<'_>,
) -> Measured {
    if place.cores.cpu == place.cores.other {
        writeln!(files.report, "\nlatency: not measured, there is one CPU")?;
        return Ok(());
    }
    progress(&format!("latency: {handoffs} handoffs, {bindings} bindings"))?;
    let arguments = [
        format!("--bindings={bindings}"),
        format!("--handoffs={handoffs}"),
        format!("--cpu={}", place.cores.cpu),
        format!("--state={}", place.work.join("state").display()),
    ];
    let output = place.bench("latency", &arguments)?;
    output.check()?;
    let mut csv = files.create("latency.csv")?;
    writeln!(csv, "{}", STAGES.map(|s| format!("{s}_ns")).join(","))?;
    let mut stages = [const { Vec::new() }; STAGES.len()];
    for line in output.bench() {
        let mut row = Vec::new();
        for (stage, times) in STAGES.iter().zip(&mut stages) {
            let time = line.number(&format!("{stage}_ns"))?;
            times.push(time);
            row.push(time.to_string());
        }
        writeln!(csv, "{}", row.join(","))?;
    }
    writeln!(
        files.report,
        "\n{:<46} {:>7} {:>7} {:>7} {:>8}   goal",
        format!("us, {} handoffs, {bindings} bindings, full load", stages[0].len()),
        "median",
        "99 %",
        "99.9 %",
        "greatest"
    )?;
    let names = ["forwarding switched", "acknowledged"];
    let parts = ["  the control core has decided", "  the worker has applied", "  PBA released"];
    for (i, (name, mut times)) in names.into_iter().chain(parts).zip(stages).enumerate() {
        let us = [0.5, 0.99, 0.999].map(|share| quantile(&mut times, share) / 1e3);
        let ([median, p99, p999], greatest) = (us, spread(&times).2 / 1e3);
        let met = if median <= MEDIAN_US && p99 <= P99_US { "met" } else { "not met" };
        let goal = if i < names.len() {
            format!("   {MEDIAN_US} / {P99_US} {met}")
        } else {
            String::new()
        };
        writeln!(
            files.report,
            "{name:<46} {median:>7.1} {p99:>7.1} {p999:>7.1} {greatest:>8.1}{goal}"
        )?;
    }
    Ok(())
}

const MEDIAN_US: f64 = 25.0;
const P99_US: f64 = 150.0;

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * share) as usize;
    values.get(at).or(values.last()).copied().unwrap_or(f64::NAN)
}

/// Every node registered, refreshed and moved.
pub(crate) fn updates(place: &Place, nodes: u32, files: &mut Files<'_>) -> Measured {
    progress(&format!("binding updates of {nodes} nodes"))?;
    let arguments = [
        format!("--nodes={nodes}"),
        format!("--cpu={}", place.cores.cpu),
        format!("--state={}", place.work.join("state").display()),
    ];
    let output = place.bench("signaling", &arguments)?;
    let mut csv = files.create("updates.csv")?;
    writeln!(csv, "step,nodes,per_second,control_core_ns")?;
    writeln!(
        files.report,
        "\n{:<36} {:>10} {:>16} {:>16}   goal",
        format!("{nodes} nodes, one update each"),
        "updates/s",
        "control core, us",
        "updates/s of it"
    )?;
    for line in output.bench() {
        let step = line.get("step").unwrap_or_default();
        let (rate, ns) = (line.number("per_second")?, line.number("busy_ns")?);
        writeln!(csv, "{step},{nodes},{rate:.0},{ns:.0}")?;
        let (us, alone) = (ns / 1e3, 1e9 / ns);
        write!(files.report, "{step:<36} {rate:>10.0} {us:>16.2} {alone:>16.0}")?;
        match step {
            "Register" if alone >= GOAL => writeln!(files.report, "   {GOAL} met")?,
            "Register" => writeln!(files.report, "   {GOAL} not met")?,
            _ => writeln!(files.report)?,
        }
    }
    Ok(())
}

/// Registrations a second on one core.
const GOAL: f64 = 300_000.0;
