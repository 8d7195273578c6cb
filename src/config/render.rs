//! A configuration as the file that would give it, defaults filled in: what `config.show` tells.

use super::{Config, Device, Mag, Polling, Pool, Port, PortRole, Profile, duration};
use crate::time::Duration;
use toml::{Table, Value};

/// The whole configuration in the file's own form: loaded again it gives the same values.
#[must_use]
pub fn render(config: &Config) -> Table {
    let Config { node, eal, ports, cores, pools, mags, policy, timers, admin, log, state } = config;
    let mut worker = table([
        ("cpus", list(&cores.worker_cpus, |c| i64::from(*c))),
        ("ring_len", count(cores.ring_len)),
        ("rx_burst_max", count(cores.rx_burst_max)),
    ]);
    match cores.polling {
        Polling::Busy => worker.extend([("polling".into(), "busy".into())]),
        Polling::Adaptive { idle_sleep_max } => worker.extend([
            ("polling".into(), "adaptive".into()),
            ("idle_sleep_max".into(), time(idle_sleep_max)),
        ]),
    }
    let mut policy_table = table([("max_bindings", count(policy.max_bindings))]);
    if let Some(file) = &policy.nodes_file {
        policy_table.insert("nodes_file".into(), file.display().to_string().into());
    }
    if let Some(profile) = &policy.default {
        policy_table.insert("default".into(), default_profile(profile).into());
    }
    let mut admin_table = table([("socket", admin.socket.display().to_string().into())]);
    if let Some(group) = &admin.group {
        admin_table.insert("group".into(), group.as_str().into());
    }
    let sections = [
        (
            "node",
            table([
                ("name", node.name.as_str().into()),
                ("lma_address", node.lma_address.to_string().into()),
            ]),
        ),
        (
            "eal",
            table([
                ("file_prefix", eal.file_prefix.as_str().into()),
                ("hugepages", eal.hugepages.into()),
                ("memory_mib", i64::from(eal.memory_mib).into()),
                ("mbuf_count", i64::from(eal.mbuf_count).into()),
                ("extra", list(&eal.extra, String::as_str)),
            ]),
        ),
        ("worker", worker),
        ("control", table([("cpu", i64::from(cores.control_cpu).into())])),
        ("policy", policy_table),
        (
            "timer",
            table([
                ("min_delay_before_bce_delete", time(timers.min_delay_before_bce_delete)),
                ("max_delay_before_new_bce_assign", time(timers.max_delay_before_new_bce_assign)),
                ("timestamp_validity_window", time(timers.timestamp_validity_window)),
                ("mn_generated_timestamp_in_use", timers.mn_generated_timestamp_in_use.into()),
            ]),
        ),
        ("admin", admin_table),
        (
            "log",
            table([
                ("filter", log.filter.as_str().into()),
                ("format", if log.json { "json" } else { "text" }.into()),
            ]),
        ),
        ("state", table([("dir", state.dir.display().to_string().into())])),
    ];
    let mut whole: Table =
        sections.map(|(name, t)| (name.to_owned(), t.into())).into_iter().collect();
    whole.extend([
        ("port".into(), list(ports, port)),
        ("pool".into(), list(pools, pool)),
        ("mag".into(), list(mags, mag)),
    ]);
    whole
}

fn port(p: &Port) -> Table {
    let (kind, device) = match &p.device {
        Device::Pci(address) => ("pci", address),
        Device::Vdev(vdev) => ("vdev", vdev),
    };
    table([
        ("name", p.name.as_str().into()),
        ("role", if p.role == PortRole::Access { "access" } else { "core" }.into()),
        (kind, device.as_str().into()),
        ("addresses", list(&p.addresses, |(a, len)| format!("{a}/{len}"))),
        ("mtu", i64::from(p.mtu).into()),
        ("rx_desc", i64::from(p.rx_desc).into()),
        ("tx_desc", i64::from(p.tx_desc).into()),
    ])
}

fn pool(p: &Pool) -> Table {
    table([
        ("name", p.name.as_str().into()),
        ("prefix", p.prefix.to_string().into()),
        ("delegated_len", i64::from(p.delegated_len).into()),
    ])
}

fn mag(m: &Mag) -> Table {
    table([
        ("name", m.name.as_str().into()),
        ("address", m.address.to_string().into()),
        ("authorized", m.authorized.into()),
        ("prefixes", list(&m.prefixes, ToString::to_string)),
        ("nodes", list(&m.nodes, String::as_str)),
        ("tunnel_mtu", i64::from(m.tunnel_mtu).into()),
    ])
}

/// The default profile, which has no prefixes of its own.
fn default_profile(p: &Profile) -> Table {
    let mut profile = table([
        ("enabled", p.enabled.into()),
        ("prefixes", i64::from(p.prefixes).into()),
        ("max_lifetime", time(p.max_lifetime)),
    ]);
    if let Some(pool) = &p.pool {
        profile.insert("pool".into(), pool.as_str().into());
    }
    profile
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Table {
    entries.map(|(key, value)| (key.to_owned(), value)).into_iter().collect()
}

fn list<'t, T, V: Into<Value>>(items: &'t [T], value: impl Fn(&'t T) -> V) -> Value {
    Value::Array(items.iter().map(|i| value(i).into()).collect())
}

fn time(d: Duration) -> Value {
    duration::render(d).into()
}

fn count(n: usize) -> Value {
    i64::try_from(n).unwrap_or(i64::MAX).into()
}
