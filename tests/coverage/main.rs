//! Which requirement of which RFC is proven by which test: `docs/rfc-coverage.md`.
//!
//! ```text
//!  requirements.tsv   id, level, our own short words            the RFCs' sentences are not ours
//!  out-of-scope.tsv   id or prefix*, reason                     to copy: read them in the RFC
//!  // proves: ID, ID  above a #[test]                -.
//!  # proves: ID       in tests/smoke/*.sh             |--->  docs/rfc-coverage.md
//!  proves = ["ID"]    in tests/conformance/cases/    -'
//! ```
//! `UPDATE=1 cargo test --test coverage` writes the page. A requirement is missing until a test
//! names it: nothing else counts as proof.
#![allow(missing_docs)]

mod page;
mod proof;

use proof::Proof;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

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
}

/// All that is known: what is asked, what is shown, and what is left out on purpose.
pub(crate) struct Coverage {
    pub(crate) requirements: Vec<Requirement>,
    pub(crate) proofs: BTreeMap<String, Vec<Proof>>,
    /// What ([`covers`]), and why.
    pub(crate) out_of_scope: Vec<(String, String)>,
}

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
        let out_of_scope = columns("out-of-scope.tsv").into_iter().map(|c| match &c[..] {
            [pattern, reason] => (pattern.clone(), reason.clone()),
            _ => panic!("out-of-scope.tsv: two columns wanted: {c:?}"),
        });
        let mut proofs: BTreeMap<String, Vec<Proof>> = BTreeMap::new();
        for (id, proof) in proof::find(&root()) {
            proofs.entry(id).or_default().push(proof);
        }
        Self { requirements: requirements.collect(), proofs, out_of_scope: out_of_scope.collect() }
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
    let coverage = Coverage::read();
    let known = |id: &str| coverage.requirements.iter().any(|r| r.id == id);
    let unknown: Vec<_> = coverage.proofs.iter().filter(|(id, _)| !known(id)).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn nothing_is_both_proven_and_out_of_scope() {
    let coverage = Coverage::read();
    let excluded = |id: &str| coverage.exclusion(id).is_some();
    let both: Vec<_> = coverage.proofs.iter().filter(|(id, _)| excluded(id)).collect();
    assert!(both.is_empty(), "{both:#?}");
}

#[test]
fn every_exclusion_excludes_something() {
    let coverage = Coverage::read();
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
fn rfc_coverage_page_is_up_to_date() {
    let path = root().join("docs/rfc-coverage.md");
    let page = page::render(&Coverage::read());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, page).expect("writable");
    } else {
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == page, "stale: run `UPDATE=1 cargo test --test coverage` and commit");
    }
}
