//! Which requirement of which RFC is proven by which test: `docs/rfc-coverage.md`.
//!
//! ```text
//!  requirements.tsv   id, level, our own short words            the RFCs' sentences are not ours
//!  out-of-scope.tsv   id or prefix*, reason                     to copy: read them in the RFC
//!  unproven.tsv       id, reason
//!  // proves: ID, ID  above a #[test]                -.
//!  # proves: ID       in tests/smoke/*.sh             |--->  docs/rfc-coverage.md
//!  proves = ["ID"]    in tests/conformance/cases/    -'
//! ```
//! Nothing but a test that names a requirement counts as proof. In the specifications that are
//! [`HELD`], each MUST and SHOULD is proven, or out of scope, or stands in `unproven.tsv` with its
//! reason: one that loses its test fails here. That list only shrinks: `scripts/rfc-coverage`
//! writes the page and takes from the list what is proven by now; so git keeps the lines of both
//! sides when it merges the two, and the next run drops what is too much.
#![allow(missing_docs)]

mod page;
mod proof;

use proof::Proof;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The specifications of which every MUST and SHOULD is accounted for.
pub(crate) const HELD: [&str; 18] = [
    "PMIP6",
    "PMIP4",
    "GREKEY",
    "REVOKE",
    "HEARTBEAT",
    "MNID",
    "SERVICESEL",
    "AUTH",
    "FIXEDLL",
    "MIP4",
    "REVTUN",
    "MIP4NAT",
    "DSMIP4",
    "MIP6",
    "NEMO",
    "DSMIP6",
    "HASWITCH",
    "MCOA",
];

/// How a reason of `unproven.tsv` begins: there is no code for it, or no test that names it.
pub(crate) const REASONS: [&str; 2] = ["not built: ", "works, no test: "];

/// A specification: the prefix of its requirement ids, and where it is written.
pub(crate) const SPECIFICATIONS: [(&str, &str); 26] = [
    ("PMIP6", "RFC 5213, Proxy Mobile IPv6"),
    ("MIP6", "RFC 6275, Mobile IPv6"),
    ("ECN", "RFC 6040, ECN in tunnels"),
    ("AUTH", "RFC 4285, authentication protocol"),
    ("BULK", "RFC 6602, bulk registration"),
    ("DSMIP4", "RFC 5454, dual-stack Mobile IPv4"),
    ("DSMIP6", "RFC 5555, dual-stack Mobile IPv6"),
    ("FIXEDLL", "RFC 6543, reserved identifiers for gateways"),
    ("FLOWMOB", "RFC 7864, flow mobility"),
    ("GREKEY", "RFC 5845, GRE keys"),
    ("HASWITCH", "RFC 5142, home agent switch"),
    ("HEARTBEAT", "RFC 5847, heartbeat"),
    ("LOCALROUTE", "RFC 6705, localized routing"),
    ("MCOA", "RFC 5648, several care-of addresses"),
    ("MIP4", "RFC 5944, Mobile IPv4"),
    ("MIP4NAT", "RFC 3519, Mobile IPv4 through NAT"),
    ("MNID", "RFC 4283, mobile node identifier"),
    ("NEMO", "RFC 3963, network mobility"),
    ("PMIP4", "RFC 5844, IPv4 for Proxy Mobile IPv6"),
    ("QOS", "RFC 7222, quality of service"),
    ("REDIRECT", "RFC 6463, redirection at run time"),
    ("REVOKE", "RFC 5846, revocation"),
    ("REVTUN", "RFC 3024, reverse tunnelling"),
    ("SERVICESEL", "RFC 5149, service selection"),
    ("UPN", "RFC 7077, update notifications"),
    ("UPSPLIT", "RFC 7389, separate user plane"),
];

/// One requirement.
#[derive(Debug)]
pub(crate) struct Requirement {
    pub(crate) id: String,
    /// MUST, SHOULD, MAY and their kin.
    pub(crate) level: String,
    /// What it is about, in our own words; may be empty.
    pub(crate) about: String,
}

impl Requirement {
    /// `PMIP6` of `PMIP6-5.3.1-4`.
    pub(crate) fn specification(&self) -> &str {
        self.id.split('-').next().unwrap_or_default()
    }

    /// `5.3.1` of `PMIP6-5.3.1-4`.
    pub(crate) fn section(&self) -> &str {
        self.id.split('-').nth(1).unwrap_or_default()
    }

    /// MUST and SHOULD and what RFC 2119 makes their equals, of a specification that is held.
    pub(crate) fn is_held(&self) -> bool {
        HELD.contains(&self.specification()) && !matches!(&self.level[..], "MAY" | "OPTIONAL")
    }
}

/// All that is known: what is asked, what is shown, and what is left out on purpose.
pub(crate) struct Coverage {
    pub(crate) requirements: Vec<Requirement>,
    pub(crate) proofs: BTreeMap<String, Vec<Proof>>,
    /// What ([`covers`]), and why.
    pub(crate) out_of_scope: Vec<(String, String)>,
    /// Id and reason ([`REASONS`]), in the order of the file.
    pub(crate) unproven: Vec<(String, String)>,
}

/// Read once: the test that writes may not surprise the others.
static COVERAGE: LazyLock<Coverage> = LazyLock::new(Coverage::read);

impl Coverage {
    fn read() -> Self {
        let columns = |name: &str| -> Vec<Vec<String>> {
            let text = fs::read_to_string(root().join("tests/coverage").join(name));
            let text = text.expect("a committed file");
            text.lines().skip(1).map(|l| l.split('\t').map(Into::into).collect()).collect()
        };
        let requirements = columns("requirements.tsv").into_iter().map(|c| match &c[..] {
            [id, level, about] => {
                Requirement { id: id.clone(), level: level.clone(), about: about.clone() }
            }
            _ => panic!("requirements.tsv: three columns wanted: {c:?}"),
        });
        let reasons = |name: &str| -> Vec<(String, String)> {
            let pair = |c: Vec<String>| match &c[..] {
                [what, reason] => (what.clone(), reason.clone()),
                _ => panic!("{name}: two columns wanted: {c:?}"),
            };
            columns(name).into_iter().map(pair).collect()
        };
        let mut proofs: BTreeMap<String, Vec<Proof>> = BTreeMap::new();
        for (id, proof) in proof::find(&root()) {
            proofs.entry(id).or_default().push(proof);
        }
        Self {
            requirements: requirements.collect(),
            proofs,
            out_of_scope: reasons("out-of-scope.tsv"),
            unproven: reasons("unproven.tsv"),
        }
    }

    /// `unproven.tsv` without what is proven.
    fn still_unproven(&self) -> String {
        let open = self.unproven.iter().filter(|(id, _)| !self.proofs.contains_key(id));
        let lines = open.map(|(id, reason)| format!("{id}\t{reason}\n"));
        ["id\treason\n".to_owned()].into_iter().chain(lines).collect()
    }

    /// Why a requirement is not proven, if the list says so.
    pub(crate) fn excuse(&self, id: &str) -> Option<&str> {
        self.unproven.iter().find(|(listed, _)| listed == id).map(|(_, reason)| reason.as_str())
    }

    /// Why a requirement is out of scope, if it is.
    pub(crate) fn exclusion(&self, id: &str) -> Option<&str> {
        self.out_of_scope
            .iter()
            .find(|(pattern, _)| covers(pattern, id))
            .map(|(_, reason)| reason.as_str())
    }
}

/// Whether `pattern`, an id or the beginning of ids that ends in `*`, names `id`.
fn covers(pattern: &str, id: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == id, |beginning| id.starts_with(beginning))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[test]
fn every_requirement_that_a_test_names_exists() {
    let coverage = &*COVERAGE;
    let known = |id: &str| coverage.requirements.iter().any(|r| r.id == id);
    let unknown: Vec<_> = coverage.proofs.iter().filter(|(id, _)| !known(id)).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn nothing_is_both_proven_and_out_of_scope() {
    let coverage = &*COVERAGE;
    let excluded = |id: &str| coverage.exclusion(id).is_some();
    let both: Vec<_> = coverage.proofs.iter().filter(|(id, _)| excluded(id)).collect();
    assert!(both.is_empty(), "{both:#?}");
}

#[test]
fn every_exclusion_excludes_something() {
    let coverage = &*COVERAGE;
    for (pattern, reason) in &coverage.out_of_scope {
        assert!(!reason.is_empty(), "{pattern} has no reason");
        assert!(coverage.requirements.iter().any(|r| covers(pattern, &r.id)), "{pattern}");
    }
}

#[test]
fn every_proof_stands_above_a_test() {
    let homeless: Vec<_> =
        proof::find(&root()).into_iter().filter(|(_, p)| p.test.is_empty()).collect();
    assert!(homeless.is_empty(), "{homeless:#?}");
}

#[test]
fn every_must_and_should_is_proven_or_out_of_scope_or_listed_with_its_reason() {
    let coverage = &*COVERAGE;
    let is_silent = |r: &&Requirement| {
        !coverage.proofs.contains_key(&r.id)
            && coverage.exclusion(&r.id).is_none()
            && coverage.excuse(&r.id).is_none()
    };
    let held = coverage.requirements.iter().filter(|r| r.is_held());
    let silent: Vec<_> = held.filter(is_silent).collect();
    assert!(silent.is_empty(), "no test, no reason: {silent:#?}");
}

#[test]
fn every_listed_requirement_is_held_once_and_has_a_reason() {
    let coverage = &*COVERAGE;
    let mut seen = BTreeSet::new();
    for (id, reason) in &coverage.unproven {
        assert!(seen.insert(id), "{id} is listed twice");
        let requirement = coverage.requirements.iter().find(|r| r.id == *id);
        assert!(requirement.is_some_and(Requirement::is_held), "{id} needs no reason");
        assert!(coverage.exclusion(id).is_none(), "{id} is out of scope");
        let says = |r: &str| reason.strip_prefix(r).is_some_and(|rest| !rest.is_empty());
        assert!(REASONS.into_iter().any(says), "{id}: {reason:?} begins with none of {REASONS:?}");
    }
}

#[test]
fn rfc_coverage_page_and_the_list_are_up_to_date() {
    let made = [
        ("docs/rfc-coverage.md", page::render(&COVERAGE)),
        ("tests/coverage/unproven.tsv", COVERAGE.still_unproven()),
    ];
    for (name, text) in made {
        let path = root().join(name);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, text).expect("writable");
        } else {
            let committed = fs::read_to_string(&path).unwrap_or_default();
            assert!(committed == text, "{name} is stale: run scripts/rfc-coverage and commit");
        }
    }
}
