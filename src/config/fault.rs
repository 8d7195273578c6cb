//! What is wrong with a configuration: all of it, each with its place.

use std::fmt;
use std::path::{Path, PathBuf};

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, counted from one; zero if it has none.
    pub line: usize,
    /// Where, as a path of keys: `port[1].mtu`. Empty for the file as a whole and for node files.
    pub path: String,
    /// What is wrong, and what would be right.
    pub what: String,
}

/// All faults of one file, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    file: PathBuf,
    pub(super) list: Vec<Fault>,
}

impl Faults {
    /// Of `file`, sorted by line; what has no line comes first.
    #[must_use]
    pub fn new(file: &Path, mut list: Vec<Fault>) -> Self {
        list.sort_by_key(|fault| fault.line);
        Self { file: file.into(), list }
    }

    /// A single one that has no line.
    #[must_use]
    pub fn one(file: &Path, path: &str, what: &str) -> Self {
        Self::new(file, vec![Fault { line: 0, path: path.into(), what: what.into() }])
    }
}

impl fmt::Display for Faults {
    /// One a line, `file:line: path: what`, without a newline at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.list.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:", self.file.display())?;
            if fault.line > 0 {
                write!(f, "{}:", fault.line)?;
            }
            if !fault.path.is_empty() {
                write!(f, " {}:", fault.path)?;
            }
            write!(f, " {}", fault.what)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
