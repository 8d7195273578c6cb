//! Reads a TOML document key by key and collects every fault.
//!
//! `serde` alone would stop at the first fault, and an operator who has twenty wants twenty. So the
//! document is walked by hand: each [`Section`] hands out the values it is asked for, remembers the
//! names asked for, and when it is dropped reports the keys that nobody asked for. The line of a
//! fault is found from its path, so that checks over several sections need no bookkeeping.

use super::fault::{Fault, Faults};
use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;
use toml::de::{DeTable, DeValue};

/// The text of a file.
pub(super) fn text(path: &Path) -> Result<String, Faults> {
    std::fs::read_to_string(path)
        .map_err(|e| Faults::one(path, "", &format!("cannot be read: {e}")))
}

/// A parsed document and what is wrong with it so far.
pub(super) struct Reader<'a> {
    text: &'a str,
    root: DeTable<'a>,
    empty: DeTable<'a>,
    faults: RefCell<Vec<Fault>>,
}

impl<'a> Reader<'a> {
    /// Of the file's text; syntax errors become faults, the rest of the file is still read.
    pub(super) fn new(text: &'a str) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        let faults = errors.iter().map(|e| Fault {
            line: e.span().map_or(0, |s| line_at(text, s.start)),
            path: String::new(),
            what: e.message().trim_end().to_owned(),
        });
        Self {
            text,
            faults: RefCell::new(faults.collect()),
            root: root.into_inner(),
            empty: DeTable::new(),
        }
    }

    /// Reads the whole of a text that stands for the file `path`; `config` gets the directory that
    /// the file is in. Either there is no fault, or all of them.
    pub(super) fn read<T>(
        text: &'a str,
        path: &Path,
        config: impl FnOnce(&Self, &Path) -> Option<T>,
    ) -> Result<T, Faults> {
        let reader = Self::new(text);
        let config = config(&reader, path.parent().unwrap_or(Path::new("")));
        let faults = reader.faults.into_inner();
        match config {
            Some(config) if faults.is_empty() => Ok(config),
            _ => Err(Faults::new(path, faults)),
        }
    }

    /// Notes a fault at `path`.
    pub(super) fn fault(&self, path: &str, what: impl Into<String>) {
        let fault = Fault { line: self.line(path), path: path.into(), what: what.into() };
        self.faults.borrow_mut().push(fault);
    }

    /// The document's outermost table.
    pub(super) fn root(&self) -> Section<'_, 'a> {
        Section { reader: self, path: String::new(), table: &self.root, known: RefCell::default() }
    }

    /// The line of the value at `path`, or of the nearest table around it that there is.
    fn line(&self, path: &str) -> usize {
        let mut line = 0;
        let mut table = &self.root;
        for step in path.split('.') {
            let (key, index) = match step.trim_end_matches(']').split_once('[') {
                Some((key, index)) => (key, index.parse::<usize>().ok()),
                None => (step, None),
            };
            let Some((name, value)) = table.get_key_value(key) else { break };
            line = line_at(self.text, name.span().start);
            let mut value = value;
            if let (Some(index), DeValue::Array(items)) = (index, value.get_ref()) {
                let Some(item) = items.get(index) else { break };
                line = line_at(self.text, item.span().start);
                value = item;
            }
            let DeValue::Table(inner) = value.get_ref() else { break };
            table = inner;
        }
        line
    }
}

/// One table of the document.
pub(super) struct Section<'r, 'a> {
    reader: &'r Reader<'a>,
    path: String,
    table: &'r DeTable<'a>,
    known: RefCell<Vec<&'static str>>,
}

impl<'r, 'a> Section<'r, 'a> {
    /// The value of `key` as `parse` reads it; `None` if it is absent, or wrong (then reported).
    pub(super) fn get<T>(&self, key: &'static str, parse: Parse<T>) -> Option<T> {
        let value = self.value(key)?;
        parse(value).map_err(|what| self.fault(key, what)).ok()
    }

    /// The same; `default` if it is absent, and also if it is wrong: then the file is refused
    /// anyway, and what depends on the value can still be checked.
    pub(super) fn or<T>(&self, key: &'static str, default: T, parse: Parse<T>) -> T {
        self.get(key, parse).unwrap_or(default)
    }

    /// The same; its absence is a fault.
    pub(super) fn required<T>(&self, key: &'static str, parse: Parse<T>) -> Option<T> {
        if !self.has(key) {
            self.fault(key, "is missing");
        }
        self.get(key, parse)
    }

    /// An integer in `range`, like [`Section::or`].
    pub(super) fn integer<T>(&self, key: &'static str, default: T, range: RangeInclusive<T>) -> T
    where
        T: FromStr + PartialOrd + std::fmt::Display,
    {
        self.or(key, default, &|v| integer(v, &range))
    }

    /// A list whose items `parse` reads; empty if it is absent. Wrong items are reported, each with
    /// its index, and leave the list empty, so that an index always names the same item.
    pub(super) fn list<T>(&self, key: &'static str, parse: Parse<T>) -> Vec<T> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Array(items) = value else {
            self.fault(key, format!("must be a list, not {}", kind(value)));
            return Vec::new();
        };
        let read: Vec<Option<T>> = (items.iter().enumerate())
            .map(|(i, item)| {
                let wrong = |what| self.fault(&format!("{key}[{i}]"), what);
                parse(item.get_ref()).map_err(wrong).ok()
            })
            .collect();
        read.into_iter().collect::<Option<_>>().unwrap_or_default()
    }

    /// The table `key`, if it is there.
    pub(super) fn table(&self, key: &'static str) -> Option<Section<'r, 'a>> {
        match self.value(key)? {
            DeValue::Table(table) => Some(self.inner(key, table)),
            other => {
                self.fault(key, format!("must be a table [{key}], not {}", kind(other)));
                None
            }
        }
    }

    /// The table `key`; one without keys if it is absent, so that defaults and faults apply.
    pub(super) fn table_or_empty(&self, key: &'static str) -> Section<'r, 'a> {
        self.table(key).unwrap_or_else(|| self.inner(key, &self.reader.empty))
    }

    /// The tables `[[key]]`, in order.
    pub(super) fn tables(&self, key: &'static str) -> Vec<Section<'r, 'a>> {
        let wrong = |path: &str, found: &DeValue<'a>| {
            self.fault(path, format!("must be a table [[{key}]], not {}", kind(found)));
        };
        let items = match self.value(key) {
            None => return Vec::new(),
            Some(DeValue::Array(items)) => items,
            Some(other) => {
                wrong(key, other);
                return Vec::new();
            }
        };
        (items.iter().enumerate())
            .filter_map(|(i, item)| {
                let path = format!("{key}[{i}]");
                match item.get_ref() {
                    DeValue::Table(table) => Some(self.inner(&path, table)),
                    other => {
                        wrong(&path, other);
                        None
                    }
                }
            })
            .collect()
    }

    /// Whether the key is there.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.value(key).is_some()
    }

    /// Notes a fault of `key`; of the table itself if `key` is empty.
    pub(super) fn fault(&self, key: &str, what: impl Into<String>) {
        self.reader.fault(&self.join(key), what);
    }

    fn value(&self, key: &'static str) -> Option<&'r DeValue<'a>> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        self.table.get(key).map(toml::Spanned::get_ref)
    }

    fn inner(&self, key: &str, table: &'r DeTable<'a>) -> Section<'r, 'a> {
        Section { reader: self.reader, path: self.join(key), table, known: RefCell::default() }
    }

    fn join(&self, key: &str) -> String {
        match (self.path.as_str(), key) {
            ("", key) => key.into(),
            (path, "") => path.into(),
            (path, key) => format!("{path}.{key}"),
        }
    }
}

impl Drop for Section<'_, '_> {
    /// Reports the keys that nobody asked for. Here and not in a method, so that no section can
    /// forget it.
    fn drop(&mut self) {
        let known = self.known.take();
        for key in self.table.keys().map(|k| k.get_ref().as_ref()) {
            if !known.contains(&key) {
                self.fault(key, unknown(key, &known));
            }
        }
    }
}

/// Reads a value, or says what is wrong with it.
pub(super) type Parse<'p, T> = &'p dyn Fn(&DeValue<'_>) -> Result<T, String>;

/// A string.
pub(super) fn string(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(s) => Ok(s.clone().into_owned()),
        other => Err(format!("must be a string, not {}", kind(other))),
    }
}

/// `true` or `false`.
pub(super) fn boolean(value: &DeValue<'_>) -> Result<bool, String> {
    match value {
        DeValue::Boolean(b) => Ok(*b),
        other => Err(format!("must be true or false, not {}", kind(other))),
    }
}

/// An integer in `range`.
pub(super) fn integer<T>(value: &DeValue<'_>, range: &RangeInclusive<T>) -> Result<T, String>
where
    T: FromStr + PartialOrd + std::fmt::Display,
{
    let DeValue::Integer(digits) = value else {
        return Err(format!("must be an integer, not {}", kind(value)));
    };
    // Bounds of every caller are small: what is no i128 is beyond them on its side.
    let wide = i128::from_str_radix(digits.as_str(), digits.radix());
    let wide = wide.unwrap_or(if digits.as_str().starts_with('-') { -1 } else { i128::MAX });
    match wide.to_string().parse::<T>() {
        Ok(n) if n < *range.start() => Err(format!("{n} is below {}", range.start())),
        Ok(n) if n > *range.end() => Err(format!("{n} is above {}", range.end())),
        Ok(n) => Ok(n),
        Err(_) if wide < 0 => Err(format!("{digits} is below {}", range.start())),
        Err(_) => Err(format!("{digits} is above {}", range.end())),
    }
}

/// What a value is, for "must be .., not ..".
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Says that a key is unknown, and which one was probably meant.
fn unknown(key: &str, known: &[&str]) -> String {
    let close = known.iter().map(|k| (strsim::damerau_levenshtein(key, k), k));
    match close.min().filter(|(distance, k)| *distance <= 1 + k.len() / 4) {
        Some((_, meant)) => format!("is unknown (did you mean {meant:?}?)"),
        None => format!("is unknown (known here: {})", known.join(", ")),
    }
}

/// The line of a byte offset, counted from one.
fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].split(|b| *b == b'\n').count()
}
