//! Renders `docs/rfc-coverage.md`.

use super::{Coverage, HELD, REASONS, Requirement, SPECIFICATIONS};
use std::fmt::Write as _;

/// What is known of one requirement.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State<'a> {
    Proven,
    OutOfScope(&'a str),
    Unproven(&'a str),
    /// A MAY that nothing proves, or of a specification that is not held.
    Open,
}

const INTRODUCTION: &str = "\
# RFC coverage

Which requirement is proven by which test. Made by `scripts/rfc-coverage` from the ids that tests name (`proves:`) and
the lists in `tests/coverage/`; not to be edited by hand.

An id is specification, section, and the place of the requirement in it: `PMIP6-5.3.1-4` is the fourth sentence with a
keyword (MUST, SHOULD, MAY ...) in section 5.3.1 of RFC 5213. The words beside it are ours; the RFC's count.

- **proven**: the test named beside it fails when the rule is broken.
- **out of scope**: another role's duty (the node's, a correspondent's, the operator's), or no duty at all.
- **works, no test** and **not built**: the reason is beside it. A MUST or SHOULD that is none of these fails CI.
- **optional**: a MAY that nothing here makes use of, or that no test names.
";

/// The whole page.
pub(crate) fn render(coverage: &Coverage) -> String {
    let mut page = String::from(INTRODUCTION);
    let is_held = |(specification, _): &(&str, &str)| HELD.contains(specification);
    let (held, others): (Vec<_>, Vec<_>) = SPECIFICATIONS.into_iter().partition(is_held);
    summary(coverage, &held, &mut page);
    reasons(coverage, &mut page);
    for (specification, title) in held {
        write!(page, "\n## {title}\n").expect("a string takes it");
        table(coverage, &of(coverage, specification), &mut page);
    }
    rest(coverage, &others, &mut page);
    page
}

/// How many requirements of each specification are in which state.
fn summary(coverage: &Coverage, held: &[(&str, &str)], page: &mut String) {
    page.push_str(
        "\n| specification | requirements | proven | out of scope | works, no test | not built | \
         optional |\n|---|--:|--:|--:|--:|--:|--:|\n",
    );
    for (specification, title) in held {
        let all = of(coverage, specification);
        let count = |wanted: &dyn Fn(State<'_>) -> bool| {
            all.iter().filter(|r| wanted(state(coverage, r))).count()
        };
        let [not_built, no_test] = REASONS.map(|begin| {
            count(&|s| matches!(s, State::Unproven(reason) if reason.starts_with(begin)))
        });
        let proven = count(&|s| s == State::Proven);
        let excluded = count(&|s| matches!(s, State::OutOfScope(_)));
        let optional = count(&|s| s == State::Open);
        let row = format!("| {specification}: {title} | {} | {proven} | {excluded} ", all.len());
        writeln!(page, "{row}| {no_test} | {not_built} | {optional} |").expect("a string takes it");
    }
}

/// What is not proven, by reason.
fn reasons(coverage: &Coverage, page: &mut String) {
    page.push_str("\n## Not proven, and why\n\n| reason | MUST | SHOULD |\n|---|---|---|\n");
    let mut groups: Vec<(&str, [Vec<&str>; 2])> = Vec::new();
    for (specification, _) in SPECIFICATIONS {
        for requirement in of(coverage, specification) {
            let State::Unproven(reason) = state(coverage, requirement) else { continue };
            let at = groups.iter().position(|(r, _)| *r == reason).unwrap_or_else(|| {
                groups.push((reason, Default::default()));
                groups.len() - 1
            });
            let is_should = matches!(&requirement.level[..], "SHOULD" | "SHOULD NOT")
                || requirement.level.contains("RECOMMENDED");
            groups[at].1[usize::from(is_should)].push(&requirement.id);
        }
    }
    groups.sort();
    for (reason, [musts, shoulds]) in groups {
        let (musts, shoulds) = (musts.join(", "), shoulds.join(", "));
        writeln!(page, "| {reason} | {musts} | {shoulds} |").expect("a string takes it");
    }
}

/// Specifications that nobody holds yet: what is proven by the way.
fn rest(coverage: &Coverage, others: &[(&str, &str)], page: &mut String) {
    page.push_str(
        "\n## Other specifications\n\nNot worked through requirement by requirement. What is \
         proven by the way:\n\n| specification | requirements | proven |\n|---|--:|--:|\n",
    );
    let mut proven = Vec::new();
    for (specification, title) in others {
        let all = of(coverage, specification);
        let len = all.len();
        let is_proven = |r: &&Requirement| state(coverage, r) == State::Proven;
        let some: Vec<_> = all.into_iter().filter(is_proven).collect();
        writeln!(page, "| {specification}: {title} | {len} | {} |", some.len())
            .expect("a string takes it");
        proven.push((title, some));
    }
    for (title, some) in proven.into_iter().filter(|(_, some)| !some.is_empty()) {
        write!(page, "\n### {title}\n").expect("a string takes it");
        table(coverage, &some, page);
    }
}

/// A table for each section.
fn table(coverage: &Coverage, rows: &[&Requirement], page: &mut String) {
    for section in rows.chunk_by(|a, b| a.section() == b.section()) {
        let Some(first) = section.first() else { continue };
        write!(page, "\nSection {}\n\n", first.section()).expect("a string takes it");
        page.push_str("| id | level | about | proven by |\n|---|---|---|---|\n");
        for row in section {
            let said = match state(coverage, row) {
                State::Proven => proofs(coverage, &row.id),
                State::OutOfScope(reason) => format!("*out of scope:* {reason}"),
                State::Unproven(reason) => match reason.split_once(':') {
                    Some((begin, rest)) => format!("**{begin}:**{rest}"),
                    None => reason.into(),
                },
                State::Open => "*optional*".into(),
            };
            let (id, level, about) = (&row.id, &row.level, &row.about);
            writeln!(page, "| {id} | {level} | {about} | {said} |").expect("a string takes it");
        }
    }
}

/// The tests that prove a requirement, each a link to its file.
fn proofs(coverage: &Coverage, id: &str) -> String {
    let proofs = coverage.proofs.get(id).map(Vec::as_slice).unwrap_or_default();
    let link = |test: &str, file: &str| format!("[{}](../{file})", test.replace('_', " "));
    let links: Vec<_> = proofs.iter().map(|p| link(&p.test, &p.file)).collect();
    links.join("<br>")
}

fn of<'a>(coverage: &'a Coverage, specification: &str) -> Vec<&'a Requirement> {
    coverage.requirements.iter().filter(|r| r.specification() == specification).collect()
}

fn state<'a>(coverage: &'a Coverage, requirement: &Requirement) -> State<'a> {
    let id = &requirement.id;
    if coverage.proofs.contains_key(id) {
        return State::Proven;
    }
    let unproven = || coverage.excuse(id).map(State::Unproven);
    coverage.exclusion(id).map(State::OutOfScope).or_else(unproven).unwrap_or(State::Open)
}
