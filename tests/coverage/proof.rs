//! Finds the requirement ids that tests name.

use std::fs;
use std::path::Path;

/// A test that names a requirement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Proof {
    /// From the root of the project.
    pub(crate) file: String,
    /// The test's name; empty if the line stands above no test.
    pub(crate) test: String,
}

/// All ids that tests below `root` name, with the tests, in the order of files and names.
pub(crate) fn find(root: &Path) -> Vec<(String, Proof)> {
    let mut found = Vec::new();
    for directory in ["src", "tests"] {
        walk(&root.join(directory), &mut |path| {
            let file = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
            let Some(extension) = path.extension().and_then(|e| e.to_str()) else { return };
            if !matches!(extension, "rs" | "sh" | "toml") {
                return;
            }
            let text = fs::read_to_string(path).expect("text");
            let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned());
            let stem = stem.unwrap_or_default();
            let ids: Vec<(String, String)> = match extension {
                "rs" => in_rust(&text),
                "sh" => named(lines(&text, "# proves:"), &stem),
                _ if file.starts_with("tests/conformance/cases/") => named(in_case(&text), &stem),
                _ => return,
            };
            let proofs = ids.into_iter().map(|(id, test)| (id, Proof { file: file.clone(), test }));
            found.extend(proofs);
        });
    }
    found.sort();
    found.dedup();
    found
}

fn walk(directory: &Path, visit: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        // The fuzz crate is a workspace of its own; what it builds is not ours to read.
        if path.is_dir() && !path.ends_with("target") {
            walk(&path, visit);
        } else if path.is_file() {
            visit(&path);
        }
    }
}

fn named(ids: Vec<String>, test: &str) -> Vec<(String, String)> {
    ids.into_iter().map(|id| (id, test.into())).collect()
}

fn split(ids: &str) -> impl Iterator<Item = String> {
    ids.split(',').map(|id| id.trim().to_owned()).filter(|id| !id.is_empty())
}

/// The ids of all lines that start with `mark`.
fn lines(text: &str, mark: &str) -> Vec<String> {
    text.lines().filter_map(|l| l.trim().strip_prefix(mark)).flat_map(split).collect()
}

/// The ids of `// proves:` lines, each with the name of the next function.
fn in_rust(text: &str) -> Vec<(String, String)> {
    /// A proof stands directly above its test: only attributes and comments may come between.
    fn is_between(line: &str) -> bool {
        line.starts_with("//") || line.starts_with("#[") || line.is_empty()
    }
    let mut found = Vec::new();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for (at, line) in lines.iter().enumerate() {
        let Some(ids) = line.strip_prefix("// proves:") else { continue };
        let next = lines.iter().skip(at + 1).find(|l| !is_between(l));
        let function = next.and_then(|l| l.strip_prefix("async ").unwrap_or(l).strip_prefix("fn "));
        let test = function.and_then(|f| f.split(['(', '<']).next()).unwrap_or_default();
        found.extend(split(ids).map(|id| (id, test.to_owned())));
    }
    found
}

/// The `proves` list of a conformance case.
fn in_case(text: &str) -> Vec<String> {
    let case: toml::Table = toml::from_str(text).expect("a case is TOML");
    let list = case.get("proves").and_then(|v| v.as_array()).cloned().unwrap_or_default();
    list.iter().filter_map(|v| v.as_str()).map(Into::into).collect()
}

#[test]
fn proof_belongs_to_the_function_below_it() {
    let text = [
        "// proves: A-1-1, A-1-2",
        "// proves: A-1-3",
        "#[test]",
        "fn it_holds() {",
        "}",
        "// proves: A-1-4",
        "let x = 1;",
    ];
    let expected =
        [("A-1-1", "it_holds"), ("A-1-2", "it_holds"), ("A-1-3", "it_holds"), ("A-1-4", "")];
    assert_eq!(
        in_rust(&text.join("\n")),
        expected.map(|(id, test)| (id.to_owned(), test.to_owned()))
    );
}
