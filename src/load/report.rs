//! What a load found, for people and as JSON.

use super::{Outcome, Phase};
use crate::time::Duration;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// One phase.
#[derive(Debug, Serialize)]
struct Row<'a> {
    phase: &'static str,
    sent: u64,
    retransmitted: u64,
    late: u64,
    accepted: u64,
    skipped: u64,
    seconds: f64,
    accepted_per_second: f64,
    latency_us: Latency,
    revocations: u64,
    heartbeats: u64,
    errors: &'a BTreeMap<String, u64>,
}

/// Microseconds.
#[derive(Debug, Serialize)]
struct Latency {
    p50: u128,
    p90: u128,
    p99: u128,
    p999: u128,
    max: u128,
}

impl<'a> Row<'a> {
    fn of(outcome: &'a Outcome) -> Self {
        let us = |d: Duration| d.as_micros();
        let seconds = outcome.took.as_secs_f64();
        // Counts of a load are far below 2^52.
        #[allow(clippy::cast_precision_loss)]
        let accepted = outcome.accepted as f64;
        let latency = &outcome.latency;
        Self {
            phase: match outcome.phase {
                Phase::Register => "register",
                Phase::Refresh => "refresh",
                Phase::Handoff => "handoff",
                Phase::Deregister => "deregister",
            },
            sent: outcome.sent,
            retransmitted: outcome.retransmitted,
            late: outcome.late,
            accepted: outcome.accepted,
            skipped: outcome.skipped,
            seconds,
            accepted_per_second: if seconds > 0.0 { accepted / seconds } else { 0.0 },
            latency_us: Latency {
                p50: us(latency.permille(500)),
                p90: us(latency.permille(900)),
                p99: us(latency.permille(990)),
                p999: us(latency.permille(999)),
                max: us(latency.max()),
            },
            revocations: outcome.revocations,
            heartbeats: outcome.heartbeats,
            errors: &outcome.errors,
        }
    }
}

/// Writes one JSON object.
pub(crate) fn json(outcomes: &[Outcome], out: &mut impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Report<'a> {
        phases: Vec<Row<'a>>,
    }
    let report = Report { phases: outcomes.iter().map(Row::of).collect() };
    writeln!(out, "{}", serde_json::to_string(&report)?)
}

/// Writes a table.
pub(crate) fn table(outcomes: &[Outcome], out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{:<11} {:>9} {:>9} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "PHASE",
        "SENT",
        "ACCEPTED",
        "SKIPPED",
        "PER S",
        "P50 us",
        "P90 us",
        "P99 us",
        "P99.9 us",
        "MAX us"
    )?;
    for row in outcomes.iter().map(Row::of) {
        let l = &row.latency_us;
        writeln!(
            out,
            "{:<11} {:>9} {:>9} {:>8} {:>9.0} {:>9} {:>9} {:>9} {:>9} {:>9}",
            row.phase,
            row.sent,
            row.accepted,
            row.skipped,
            row.accepted_per_second,
            l.p50,
            l.p90,
            l.p99,
            l.p999,
            l.max
        )?;
        for (kind, count) in [
            ("sent again", row.retransmitted),
            ("answers to what was sent again", row.late),
            ("revocations answered", row.revocations),
            ("heartbeats answered", row.heartbeats),
        ] {
            if count > 0 {
                writeln!(out, "{:<11} {count:>9} {kind}", "")?;
            }
        }
        for (kind, count) in row.errors {
            writeln!(out, "{:<11} {count:>9} {kind}", "  error")?;
        }
    }
    Ok(())
}
