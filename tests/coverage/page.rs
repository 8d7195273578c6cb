//! Renders `docs/rfc-coverage.md`.

use super::{Coverage, Requirement, SPECIFICATIONS};
use std::fmt::Write as _;

/// What is known of one requirement.
enum State<'a> {
    Proven(String),
    Excluded(&'a str),
    Missing,
}

/// The whole page.
pub(crate) fn render(coverage: &Coverage) -> String {
    let mut page = String::from(
        "# RFC coverage\n\n\
         Which requirement is proven by which test. Made by `UPDATE=1 cargo test --test coverage` \
         from the ids that tests name\n(`proves:`), `tests/coverage/requirements.tsv` and \
         `tests/coverage/out-of-scope.tsv`; not to be edited by hand.\n\n\
         An id is specification, section, and the place of the requirement in it: `PMIP6-5.3.1-4` \
         is the fourth sentence with a\nkeyword (MUST, SHOULD, MAY ...) in section 5.3.1 of \
         RFC 5213. The words beside it are ours; the RFC's count.\n\n\
         **Missing** means that no test names it. Some of it works; what no test shows does not \
         count here.\n\n\
         | specification | requirements | proven | out of scope | missing |\n\
         |---|--:|--:|--:|--:|\n",
    );
    for (specification, title) in SPECIFICATIONS {
        let all = of(coverage, specification);
        let count = |wanted: fn(&State<'_>) -> bool| {
            all.iter().filter(|r| wanted(&state(coverage, r))).count()
        };
        let proven = count(|s| matches!(s, State::Proven(_)));
        let excluded = count(|s| matches!(s, State::Excluded(_)));
        let missing = count(|s| matches!(s, State::Missing));
        let row = format!("| {specification}: {title} | {} ", all.len());
        writeln!(page, "{row}| {proven} | {excluded} | {missing} |").expect("a string takes it");
    }
    for (specification, title) in SPECIFICATIONS {
        // Of a specification that nobody works on yet, only what is proven by the way.
        let whole = specification == "PMIP6";
        let shown = |r: &&Requirement| whole || coverage.proofs.contains_key(&r.id);
        let rows: Vec<_> = of(coverage, specification).into_iter().filter(shown).collect();
        if rows.is_empty() {
            continue;
        }
        write!(page, "\n## {title}\n").expect("a string takes it");
        if !whole {
            page.push_str("\nOnly what is proven; the rest is missing.\n");
        }
        let mut section = "";
        for row in rows {
            if row.section() != section {
                section = row.section();
                let head = "| id | level | about | proven by |\n|---|---|---|---|";
                write!(page, "\n### Section {section}\n\n{head}\n").expect("a string takes it");
            }
            let said = match state(coverage, row) {
                State::Proven(by) => by,
                State::Excluded(reason) => format!("out of scope: {reason}"),
                State::Missing => "**missing**".into(),
            };
            let (id, level, about) = (&row.id, &row.level, &row.about);
            writeln!(page, "| {id} | {level} | {about} | {said} |").expect("a string takes it");
        }
    }
    page
}

fn of<'a>(coverage: &'a Coverage, specification: &str) -> Vec<&'a Requirement> {
    coverage.requirements.iter().filter(|r| r.specification() == specification).collect()
}

fn state<'a>(coverage: &'a Coverage, requirement: &Requirement) -> State<'a> {
    if let Some(proofs) = coverage.proofs.get(&requirement.id) {
        let by = proofs.iter().map(|p| format!("`{}`: {}", p.file, p.test.replace('_', " ")));
        return State::Proven(by.collect::<Vec<_>>().join("<br>"));
    }
    coverage.exclusion(&requirement.id).map_or(State::Missing, State::Excluded)
}
