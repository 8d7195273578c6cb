//! The anchor's pure core against the RFC: conformance cases as files, a model-based property
//! test, replay of recorded streams, and the messages of another implementation.
//!
//! A case is a file in `cases/`, its name the sentence that it shows. `UPDATE=1 cargo test --test
//! conformance` writes what the core now says into the files: read the difference before you
//! commit it.

mod capture;
mod case;
mod model;
mod peer;
mod render;
mod replay;
mod world;

use case::{Case, Step};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn cases() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/cases");
    let files = std::fs::read_dir(dir).expect("the cases are there");
    let mut files: Vec<PathBuf> = files.map(|f| f.expect("readable").path()).collect();
    files.sort();
    files
}

#[test]
fn every_case_file_says_what_the_core_says() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut faults = String::new();
    for path in cases() {
        let text = std::fs::read_to_string(&path).expect("readable");
        let case: Case = match toml::from_str(&text) {
            Ok(case) => case,
            Err(e) => {
                writeln!(faults, "{}: {e}", path.display()).expect("a string takes it");
                continue;
            }
        };
        let name = path.file_stem().expect("a file").to_string_lossy();
        assert!(!case.proves.is_empty(), "{name} proves nothing");
        let said = case.run();
        let expected: Vec<Vec<String>> =
            case.step.iter().map(|s: &Step| s.expect.clone()).collect();
        if said != expected {
            if update {
                std::fs::write(&path, case::rewrite(&text, &said)).expect("writable");
            } else {
                faults.push_str(&difference(&name, &expected, &said));
            }
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

/// The steps in which `said` is not what was `expected`.
fn difference(name: &str, expected: &[Vec<String>], said: &[Vec<String>]) -> String {
    let mut text = format!("{name}\n");
    for (n, (e, s)) in expected.iter().zip(said).enumerate().filter(|(_, (e, s))| e != s) {
        writeln!(text, "  step {}", n + 1).expect("a string takes it");
        for line in e.iter().filter(|l| !s.contains(l)) {
            writeln!(text, "    - {line}").expect("a string takes it");
        }
        for line in s.iter().filter(|l| !e.contains(l)) {
            writeln!(text, "    + {line}").expect("a string takes it");
        }
    }
    text
}
