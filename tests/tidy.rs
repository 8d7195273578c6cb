//! Taste as a test: what may import what, how long files and comments may be, where `unsafe` may
//! stand, and that nothing is left for later.
#![allow(missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 600;
const LINE_CHARS_MAX: usize = 100;

/// What a module may import from the others: the table of `docs/architecture.md`. A longer path
/// allows only what is below it. The programs and `runtime` put all together.
const MAY_IMPORT: [(&str, &[&str]); 18] = [
    ("addr", &[]),
    ("time", &[]),
    ("sync", &[]),
    ("wire", &["addr", "time"]),
    ("nic", &["addr"]),
    // The two that never see each other: `control::publish` translates.
    ("mobility", &["addr", "time", "wire"]),
    ("dataplane", &["addr", "time", "wire", "nic", "sync"]),
    ("dpdk", &["addr", "time", "nic"]),
    (
        "control",
        &[
            "addr",
            "time",
            "wire",
            "nic",
            "sync",
            "mobility",
            // What crosses between the planes, never the packet path itself.
            "dataplane::update",
            "dataplane::steer",
            "dataplane::counters",
            "dataplane::drop",
            "admin",
            "config",
        ],
    ),
    ("config", &["addr", "time", "wire", "nic", "mobility"]),
    ("admin", &["addr", "time", "config", "dataplane::update"]),
    ("ctl", &["addr", "time", "config", "admin", "dataplane::update"]),
    ("telemetry", &["config"]),
    ("dhcp", &["addr", "mobility::mag::action"]),
    ("cli", &["config"]),
    // Kernel sockets and clocks of nodes are under `mag`.
    ("load", &["time", "mobility", "mag::clock", "mag::socket"]),
    (
        "mag",
        &["addr", "time", "wire", "mobility", "config", "control::netlink", "dhcp", "cli", "load"],
    ),
    (
        "mn",
        &["addr", "time", "wire", "mobility", "config", "control::netlink", "mag", "cli", "load"],
    ),
];

/// What the pure core must not know (RFC rules in, decisions out).
const IMPURE: [&str; 9] = [
    "std::env",
    "std::fs",
    "std::io",
    "std::process",
    "std::thread",
    "std::time",
    "std::sync",
    "tokio",
    "tracing",
];

/// A file of the project.
struct File {
    /// From the root of the project.
    name: String,
    text: String,
}

impl File {
    /// Its lines with their numbers, comments left out.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(at, line)| (at + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// The module below the root that it belongs to: `wire` of `src/wire/mh/bu.rs`.
    fn module(&self) -> &str {
        let path = self.name.strip_prefix("src/").unwrap_or_default();
        path.split(['/', '.']).next().unwrap_or_default()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// All Rust files below these directories, in the order of their names.
fn rust_files(directories: &[&str]) -> Vec<File> {
    files(directories, &["rs"])
}

fn files(directories: &[&str], extensions: &[&str]) -> Vec<File> {
    let mut found = Vec::new();
    let mut directories: Vec<PathBuf> = directories.iter().map(|d| root().join(d)).collect();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
            if path.is_dir() && !path.ends_with("target") {
                directories.push(path);
            } else if extensions.contains(&extension) {
                let name = path.strip_prefix(root()).expect("below the root");
                let name = name.to_string_lossy().into_owned();
                found.push(File { name, text: fs::read_to_string(&path).expect("text") });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// The paths behind every `crate::` of a line, the longest identifier path each.
fn crate_paths(line: &str) -> impl Iterator<Item = &str> {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    line.split("crate::").skip(1).map(move |rest| {
        let end = rest.find(|c| !is_path(c)).unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default()
    })
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn modules_import_only_what_they_may() {
    let below = |path: &str, allowed: &str| {
        path.strip_prefix(allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    let mut faults = Vec::new();
    // A test may put modules together.
    let is_test = |f: &File| f.name.ends_with("/tests.rs") || f.name.contains("/tests/");
    for file in rust_files(&["src"]).into_iter().filter(|f| !is_test(f)) {
        let Some((module, allowed)) = MAY_IMPORT.iter().find(|(m, _)| *m == file.module()) else {
            continue;
        };
        for (at, line) in file.code() {
            for path in crate_paths(line) {
                let own = below(path, module);
                if !own && !allowed.iter().any(|a| below(path, a)) {
                    faults.push(format!("{}:{at}: {module} may not import {path}", file.name));
                }
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn every_module_has_its_line_in_the_table() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs");
    let modules = lib.lines().filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';'));
    let missing = |m: &&str| *m != "runtime" && !MAY_IMPORT.iter().any(|(known, _)| known == m);
    assert_eq!(modules.filter(missing).collect::<Vec<_>>(), [""; 0]);
}

/// What a cell of a table names between backticks, one word each.
fn named_in(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).flat_map(str::split_whitespace).collect()
}

#[test]
fn documented_table_of_imports_is_the_one_that_is_checked() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).expect("the page");
    let rows = page.lines().skip_while(|l| !l.contains("may import")).skip(2);
    let mut documented = Vec::new();
    for row in rows.take_while(|l| l.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').collect();
        let imports = named_in(cells[3]);
        let modules = named_in(cells[1]).into_iter().map(|m| m.trim_end_matches('/'));
        documented.extend(modules.filter(|m| *m != "runtime").map(|m| (m, imports.clone())));
    }
    documented.sort();
    let mut checked = MAY_IMPORT.map(|(module, imports)| (module, imports.to_vec())).to_vec();
    checked.sort();
    assert_eq!(documented, checked);
}

#[test]
fn pure_core_knows_no_clock_no_socket_no_thread_and_no_log() {
    let mut faults = Vec::new();
    for file in rust_files(&["src/mobility", "src/wire"]) {
        for (at, line) in file.code() {
            let impure = IMPURE.iter().filter(|word| line.contains(**word));
            faults.extend(impure.map(|word| format!("{}:{at}: {word}", file.name)));
        }
    }
    assert_none(&faults);
}

#[test]
fn files_are_short() {
    let mut faults = Vec::new();
    for file in rust_files(&["src", "tests", "perf"]) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            faults.push(format!("{}: {lines} lines", file.name));
        }
    }
    assert_none(&faults);
}

#[test]
fn comments_are_as_narrow_as_the_code() {
    let mut faults = Vec::new();
    for file in rust_files(&["src", "tests", "perf"]) {
        // rustfmt sees to the code; diagrams, in fences, are as wide as they must be.
        let mut in_fence = false;
        for (at, line) in file.text.lines().enumerate() {
            let comment = line.trim_start();
            if !comment.starts_with("//") {
                continue;
            }
            in_fence ^= comment.contains("```");
            if !in_fence && line.chars().count() > LINE_CHARS_MAX {
                faults.push(format!("{}:{}", file.name, at + 1));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn unsafe_stands_in_dpdk_only() {
    let mut faults = Vec::new();
    for file in rust_files(&["src", "tests", "perf"]) {
        let may = file.name.starts_with("src/dpdk/") || file.name.starts_with("src/dpdk-sys/");
        for (at, line) in file.code().filter(|_| !may) {
            let block =
                ["{", "fn ", "impl "].iter().any(|w| line.contains(&["unsafe ", w].concat()));
            // The allowance itself, in `lib.rs`, is for the module `dpdk`.
            let allowed =
                line.contains(&["allow(", "unsafe_code"].concat()) && file.name != "src/lib.rs";
            if block || allowed {
                faults.push(format!("{}:{at}", file.name));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn nothing_is_left_for_later() {
    // Taken apart, or this file would name itself.
    let marks = [["TO", "DO"], ["FIX", "ME"], ["unimple", "mented!"]].map(|m| m.concat());
    let mut faults = Vec::new();
    for file in files(&["src", "tests", "perf", "scripts", "docs"], &["rs", "sh", "py", "c", "md"])
    {
        for (at, line) in file.text.lines().enumerate() {
            if marks.iter().any(|m| line.contains(m)) {
                faults.push(format!("{}:{}", file.name, at + 1));
            }
        }
    }
    assert_none(&faults);
}
