//! A configuration as the file that would give it, defaults filled in: what `config.show` tells.

use super::{
    Auth, Config, Customer, Device, Families, GreUse, Mag, Node, PolicyStore, Polling, Pool, Port,
    PortRole, Profile, Service, duration, home_agent, mip4, peer, tunnel,
};
use crate::addr::{AnchorAddr, HomePrefix};
use crate::time::Duration;
use crate::wire::mh::DhcpSupportMode;
use toml::{Table, Value};

/// The whole configuration in the file's own form: loaded again it gives the same values.
#[must_use]
pub fn render(config: &Config) -> Table {
    let Config { node, eal, ports, cores, policy, timers, admin, log, state, .. } = config;
    let Config { customers, services, pools, mags, .. } = config;
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
    if let Some(PolicyStore { socket, timeout }) = &policy.store {
        policy_table.insert("socket".into(), socket.display().to_string().into());
        policy_table.insert("timeout".into(), time(*timeout));
    }
    insert(&mut policy_table, "default", policy.default.as_ref().map(profile));
    let mut admin_table = table([("socket", admin.socket.display().to_string().into())]);
    if let Some(group) = &admin.group {
        admin_table.insert("group".into(), group.as_str().into());
    }
    let mut timer = table([
        ("min_delay_before_bce_delete", time(timers.min_delay_before_bce_delete)),
        ("max_delay_before_new_bce_assign", time(timers.max_delay_before_new_bce_assign)),
        ("timestamp_validity_window", time(timers.timestamp_validity_window)),
        ("mn_generated_timestamp_in_use", timers.mn_generated_timestamp_in_use.into()),
    ]);
    peer::render_timers(&timers.peers, &mut timer);
    let sections = [
        ("node", node_table(node)),
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
        (
            "control",
            table([
                ("cpu", i64::from(cores.control_cpu).into()),
                ("node_rate", i64::from(cores.node_rate).into()),
            ]),
        ),
        ("policy", policy_table),
        ("timer", timer),
        ("admin", admin_table),
        (
            "log",
            table([
                ("filter", log.filter.as_str().into()),
                ("format", if log.json { "json" } else { "text" }.into()),
            ]),
        ),
        ("state", table([("dir", state.dir.display().to_string().into())])),
        ("tunnel", tunnel::render(config.tunnel)),
    ];
    let mut whole: Table =
        sections.map(|(name, t)| (name.to_owned(), t.into())).into_iter().collect();
    whole.extend([
        ("port".into(), list(ports, port)),
        ("customer".into(), list(customers, customer)),
        ("service".into(), list(services, service)),
        ("pool".into(), list(pools, pool)),
        ("mag".into(), list(mags, mag)),
    ]);
    insert(&mut whole, "home_agent", config.home_agent.as_ref().map(home_agent::render));
    insert(&mut whole, "mip4", config.mip4.as_ref().map(mip4::render));
    whole
}

fn node_table(n: &Node) -> Table {
    let mut node = table([
        ("name", n.name.as_str().into()),
        ("lma_address", n.lma_address.to_string().into()),
    ]);
    insert(&mut node, "lma_address_ipv4", n.lma_address_ipv4.map(|a| a.to_string()));
    node.extend(table([
        ("accept_forced_udp", n.accept_forced_udp.into()),
        ("fixed_link_local", n.fixed_link_local.into()),
        ("first_gre_key", i64::from(n.first_gre_key).into()),
    ]));
    insert(&mut node, "dhcp", n.dhcp.map(dhcp));
    node
}

fn port(p: &Port) -> Table {
    let address =
        |(a, len): &(_, u8)| match HomePrefix::truncating(*a, *len).map(HomePrefix::to_ipv4) {
            Ok(Some((_, len))) => format!("{}/{len}", AnchorAddr(*a)),
            _ => format!("{a}/{len}"),
        };
    let mut port = table([
        ("name", p.name.as_str().into()),
        ("addresses", list(&p.addresses, address)),
        ("mtu", i64::from(p.mtu).into()),
    ]);
    insert(&mut port, "customer", p.customer.clone());
    let (kind, device) = match &p.device {
        Device::Pci(address) => ("pci", address),
        Device::Vdev(vdev) => ("vdev", vdev),
        Device::Vlan { parent, vlan } => {
            port.insert("parent".into(), parent.as_str().into());
            port.insert("vlan".into(), i64::from(*vlan).into());
            return port;
        }
    };
    port.extend(table([
        (kind, device.as_str().into()),
        ("role", if p.role == PortRole::Access { "access" } else { "core" }.into()),
        ("rx_desc", i64::from(p.rx_desc).into()),
        ("tx_desc", i64::from(p.tx_desc).into()),
    ]));
    port
}

fn customer(c: &Customer) -> Table {
    let mut customer = table([
        ("name", c.name.as_str().into()),
        ("id", i64::from(c.id.0).into()),
        ("realms", list(&c.realms, String::as_str)),
        ("mags", list(&c.mags, String::as_str)),
        ("gre", gre(c.gre).into()),
    ]);
    insert(&mut customer, "dscp", c.dscp.map(i64::from));
    insert(&mut customer, "max_bindings", c.max_bindings.map(count));
    insert(&mut customer, "dhcp", c.dhcp.map(dhcp));
    insert(&mut customer, "auth", some(&c.auth, auth));
    customer
}

fn service(s: &Service) -> Table {
    let mut service = table([("name", s.name.as_str().into())]);
    insert(&mut service, "customer", s.customer.clone());
    insert(&mut service, "profile", s.profile.as_ref().map(profile));
    service
}

fn pool(p: &Pool) -> Table {
    let mut pool =
        table([("name", p.name.as_str().into()), ("prefix", p.prefix.to_string().into())]);
    insert(&mut pool, "customer", p.customer.clone());
    match p.default_router {
        Some(router) => pool.insert("default_router".into(), router.to_string().into()),
        None => pool.insert("delegated_len".into(), i64::from(p.delegated_len).into()),
    };
    insert(&mut pool, "route_table", p.route_table.map(i64::from));
    pool
}

fn mag(m: &Mag) -> Table {
    let mut mag = table([
        ("name", m.name.as_str().into()),
        ("address", AnchorAddr(m.address).to_string().into()),
        ("more_addresses", list(&m.more_addresses, |a| AnchorAddr(*a).to_string())),
        ("authorized", m.authorized.into()),
        ("prefixes", list(&m.prefixes, ToString::to_string)),
        ("nodes", list(&m.nodes, String::as_str)),
        ("tunnel_mtu", i64::from(m.tunnel_mtu).into()),
        ("gre", gre(m.gre).into()),
    ]);
    insert(&mut mag, "customer", m.customer.clone());
    insert(&mut mag, "auth", some(&m.auth, auth));
    peer::render_mag(&m.peer, &mut mag);
    mag
}

/// Where the key is, never the key.
fn auth(a: &Auth) -> Table {
    let mut auth = table([
        ("spi", i64::from(a.spi).into()),
        ("key_file", a.key_file.display().to_string().into()),
    ]);
    insert(&mut auth, "replay_window", a.replay_window.map(time));
    auth
}

fn dhcp(mode: DhcpSupportMode) -> &'static str {
    match mode {
        DhcpSupportMode::Relay => "relay",
        DhcpSupportMode::Server => "server",
    }
}

fn gre(g: GreUse) -> &'static str {
    match g {
        GreUse::Off => "off",
        GreUse::Allowed => "allowed",
        GreUse::Required => "required",
    }
}

fn families(f: Families) -> &'static str {
    match f {
        Families::Both => "both",
        Families::Ipv6 => "ipv6",
        Families::Ipv4 => "ipv4",
    }
}

/// A profile that is not a single node's, and so has no addresses of its own.
fn profile(p: &Profile) -> Table {
    let mut profile = table([
        ("enabled", p.enabled.into()),
        ("families", families(p.families).into()),
        ("prefixes", i64::from(p.prefixes).into()),
        ("max_lifetime", time(p.max_lifetime)),
        ("refresh_percent", i64::from(p.refresh_percent).into()),
    ]);
    insert(&mut profile, "services", p.services.as_ref().map(|s| list(s, String::as_str)));
    insert(&mut profile, "pool", p.pool.clone());
    insert(&mut profile, "pool_ipv4", p.pool_ipv4.clone());
    profile
}

pub(super) fn insert(table: &mut Table, key: &str, value: Option<impl Into<Value>>) {
    table.extend(value.map(|v| (key.to_owned(), v.into())));
}

pub(super) fn table<const N: usize>(entries: [(&str, Value); N]) -> Table {
    entries.map(|(key, value)| (key.to_owned(), value)).into_iter().collect()
}

/// A list, if there is something in it.
fn some<'t, T, V: Into<Value>>(items: &'t [T], value: impl Fn(&'t T) -> V) -> Option<Value> {
    (!items.is_empty()).then(|| list(items, value))
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
