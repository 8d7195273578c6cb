//! What differs between the configuration that runs and the one of the file, key by key: of both in
//! the form of the file, defaults filled in. Secrets are compared, and never shown.

use super::live::needs_restart;
use super::{AuthKey, Config, render};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use toml::{Table, Value};

/// One key whose values differ, or one element that only one of both has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// `timer.heartbeat_interval`, `mag[mag1].tunnel_mtu`: elements of a list of tables go by their
    /// names.
    pub key: String,
    /// What runs, as the file would have it; `None`: it is not there.
    pub running: Option<String>,
    /// What the file says.
    pub file: Option<String>,
    /// It takes effect at the next start only.
    pub restart: bool,
}

/// All of them, in the order of their keys.
#[must_use]
pub fn differences(running: &Config, file: &Config) -> Vec<Difference> {
    let mut found = Vec::new();
    tables("", &render(running), &render(file), &mut found);
    let (old, new) = (keys(running), keys(file));
    for (path, (file, key)) in new {
        let other = old.get(&path).filter(|(f, k)| *f == file && *k != key);
        found.extend(other.map(|_| Difference {
            running: Some(file.clone()),
            file: Some(format!("{file}, with another key in it")),
            restart: false,
            key: path,
        }));
    }
    found.sort_by(|a, b| a.key.cmp(&b.key));
    found
}

fn tables(path: &str, running: &Table, file: &Table, found: &mut Vec<Difference>) {
    let keys: BTreeSet<&String> = running.keys().chain(file.keys()).collect();
    for key in keys {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        values(&path, running.get(key), file.get(key), found);
    }
}

fn values(path: &str, running: Option<&Value>, file: Option<&Value>, found: &mut Vec<Difference>) {
    match (running, file) {
        (Some(Value::Table(running)), Some(Value::Table(file))) => {
            tables(path, running, file, found);
        }
        (running, file) if running == file => {}
        (running, file) if let Some((old, new)) = elements(running).zip(elements(file)) => {
            lists(path, &old, &new, found);
        }
        (running, file) => found.push(difference(path, running, file)),
    }
}

/// The elements of two lists of tables, which go by their names.
fn lists<'v>(path: &str, running: &Elements<'v>, file: &Elements<'v>, found: &mut Vec<Difference>) {
    let names: BTreeSet<&String> = running.iter().chain(file).map(|(name, _)| name).collect();
    for name in names {
        let of = |list: &Elements<'v>| list.iter().find(|(n, _)| n == name).map(|(_, v)| *v);
        values(&format!("{path}[{name}]"), of(running), of(file), found);
    }
    // The first pool of a customer is the one that counts where none is named.
    let order = |list: &Elements<'v>, other: &Elements<'v>| {
        let both = list.iter().map(|(n, _)| n).filter(|n| other.iter().any(|(o, _)| o == *n));
        both.map(|n| Value::from(n.as_str())).collect::<Vec<_>>()
    };
    let (old, new) = (order(running, file), order(file, running));
    if old != new {
        let path = format!("{path} (order)");
        found.push(difference(&path, Some(&Value::Array(old)), Some(&Value::Array(new))));
    }
}

type Elements<'v> = Vec<(String, &'v Value)>;

/// By name, SPI or address, home links by prefix and whose it is; a list that is not there has
/// none.
fn elements(list: Option<&Value>) -> Option<Elements<'_>> {
    let Some(list) = list else { return Some(Vec::new()) };
    let text = |v: &Value, key: &str| match v.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        _ => None,
    };
    let link = |v: &Value| {
        let whose = ["port", "customer"].iter().filter_map(|key| text(v, key));
        text(v, "prefix").map(|prefix| whose.fold(prefix, |name, whose| name + " " + &whose))
    };
    let name = |v: &Value| {
        ["name", "spi", "address"].iter().find_map(|key| text(v, key)).or_else(|| link(v))
    };
    list.as_array()?.iter().map(|v| Some((name(v)?, v))).collect()
}

fn difference(path: &str, running: Option<&Value>, file: Option<&Value>) -> Difference {
    Difference {
        key: path.into(),
        running: running.map(ToString::to_string),
        file: file.map(ToString::to_string),
        restart: needs_restart(path, running.is_some() && file.is_some()),
    }
}

/// The secrets, by the keys that tell where they are.
fn keys(config: &Config) -> BTreeMap<String, (String, &AuthKey)> {
    let customers = config.customers.iter().map(|c| ("customer", &c.name, &c.auth));
    let mags = config.mags.iter().map(|m| ("mag", &m.name, &m.auth));
    let one = |owner: &str, name: &str, (spi, file): (u32, &Path)| {
        let file = Value::from(file.display().to_string()).to_string();
        (format!("{owner}[{name}].auth[{spi}].key_file"), file)
    };
    let shared = customers.chain(mags).flat_map(|(owner, name, auth)| {
        auth.iter().map(move |a| (one(owner, name, (a.spi, &a.key_file)), &a.key))
    });
    let agents = config.mip4.iter().flat_map(|m| &m.foreign_agents).flat_map(|agent| {
        let name = agent.address.to_string();
        let auth = agent.auth.iter();
        auth.map(move |a| (one("mip4.foreign_agent", &name, (a.spi, &a.key_file)), &a.key))
    });
    shared.chain(agents).map(|((path, file), key)| (path, (file, key))).collect()
}
