//! Which programs are compared with which, in which cases, and what is aimed at.

use crate::case::{Case, Kind};
use crate::program::Program;

/// What is measured one after the other while the machine stays as it is: beside each other.
pub(crate) type Group = Vec<Row>;

/// A figure to be, in each round.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) program: Program,
    pub(crate) case: Case,
    /// Which row of the group it is compared with.
    pub(crate) reference: Option<usize>,
    pub(crate) goal: Option<Goal>,
}

/// At most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Goal {
    /// Cycles a packet.
    pub(crate) cycles: Option<f64>,
    /// To the row that it is compared with.
    pub(crate) ratio: f64,
}

impl Row {
    /// For people; no two rows have the same.
    pub(crate) fn name(&self) -> String {
        format!("{}: {}", self.program.name(), self.case)
    }
}

const FLOOR: Program = Program::Floor { counters: true };
const FLOOR_ALONE: Program = Program::Floor { counters: false };
const ANCHORD: Program = Program::Anchord { move_every_ns: 0 };

/// Everything that the goals name; `quick`: what shows that nothing has become worse.
pub(crate) fn groups(quick: bool) -> Vec<Group> {
    let bindings: &[u32] =
        if quick { &[1_000, 1_000_000] } else { &[1_000, 100_000, 1_000_000, 3_000_000] };
    let mut groups = vec![peers(quick)];
    for &bindings in bindings {
        for kind in [Kind::Down66, Kind::Up66] {
            groups.push(group(Case { kind, bindings, ..Case::default() }, quick));
        }
    }
    if !quick {
        // That they fit, and what they weigh.
        let most = |kind| Case { kind, bindings: 4_000_000, mags: 10_000, ..Case::default() };
        groups.extend([Kind::Down66, Kind::Up66].map(|kind| plain(most(kind))));
    }
    groups
}

/// Programs that make no tunnels.
fn peers(quick: bool) -> Group {
    let row = |program, bindings| {
        let case = Case { bindings, ..Case::default() };
        Row { program, case, reference: None, goal: None }
    };
    let some = [
        row(Program::Testpmd("io"), 1_000),
        row(Program::Testpmd("macswap"), 1_000),
        row(Program::L3fwd("lpm"), 1_000),
    ];
    let more = [
        row(Program::L3fwd("fib"), 1_000),
        row(Program::L3fwd("em"), 1_000),
        row(Program::L3fwd("em"), 1_000_000),
    ];
    some.into_iter().chain(more.into_iter().filter(|_| !quick)).collect()
}

/// The worker beside the floor.
fn plain(case: Case) -> Group {
    let floor = Row { program: FLOOR, case, reference: None, goal: None };
    vec![floor, Row { program: ANCHORD, case, reference: Some(0), goal: goal(case) }]
}

fn group(case: Case, quick: bool) -> Group {
    let mut rows = plain(case);
    if quick {
        return rows;
    }
    // Compared with the worker in the plain case.
    let beside = |program, case, ratio| Row {
        program,
        case,
        reference: Some(1),
        goal: Some(Goal { cycles: None, ratio }),
    };
    rows.push(Row { program: FLOOR_ALONE, case, reference: Some(0), goal: None });
    if !VARIED.contains(&case.bindings) {
        return rows;
    }
    let others = if case.kind.is_uplink() {
        [Kind::Up46, Kind::Up64, Kind::Up44]
    } else {
        [Kind::Down46, Kind::Down64, Kind::Down44]
    };
    rows.extend(others.map(|kind| beside(ANCHORD, Case { kind, ..case }, 1.15)));
    rows.push(beside(ANCHORD, Case { gre: true, ..case }, 1.15));
    let moving = |us: u64| Program::Anchord { move_every_ns: us * 1000 };
    rows.push(beside(moving(10), case, 1.05));
    if case.bindings == 1_000_000 {
        rows.push(beside(ANCHORD, Case { mags: case.bindings, ..case }, 1.25));
        let more = [(ANCHORD, 10_000), (moving(100), case.mags), (moving(3), case.mags)];
        rows.extend(more.map(|(program, mags)| {
            let case = Case { mags, ..case };
            Row { program, case, reference: Some(1), goal: None }
        }));
    }
    rows
}

/// Where the goals name the other encapsulations.
const VARIED: [u32; 2] = [1_000, 1_000_000];

fn goal(case: Case) -> Option<Goal> {
    let (cycles, ratio) = match (case.kind, case.bindings) {
        (Kind::Down66, 1_000) => (42.0, 2.0),
        (Kind::Up66, 1_000) => (46.0, 2.2),
        (Kind::Down66, 1_000_000) => (80.0, 1.5),
        (Kind::Up66, 1_000_000) => (85.0, 1.6),
        (Kind::Down66, 3_000_000) => (115.0, 1.5),
        (Kind::Up66, 3_000_000) => (120.0, 1.6),
        _ => return None,
    };
    Some(Goal { cycles: Some(cycles), ratio })
}
