//! What may change while we run, and what is decided for a run at its start.

use super::{
    Config, Customer, Fault, Faults, HomeAgent, Log, Mip4, Node, Policy, PolicyStore, parse, render,
};
use std::path::Path;

/// Whether a key takes effect at the next start only; `both`: what runs and the file have it.
pub(super) fn needs_restart(key: &str, both: bool) -> bool {
    let section = key.split(['.', '[', ' ']).next().unwrap_or_default();
    match section {
        "service" | "pool" | "mag" | "timer" => false,
        "customer" => key.ends_with("].dscp"),
        // What workers' tables have room for; and both are there from the start, or not.
        "home_agent" => HOME_AGENT_FOR_A_RUN.contains(&key),
        "mip4" => MIP4_FOR_A_RUN.contains(&key),
        "node" => !LIVE_OF_NODE.contains(&key),
        "log" => key == "log.format",
        // A policy store is there from the start, or not.
        "policy" => {
            ["policy.max_bindings", "policy.socket"].contains(&key)
                || key == "policy.timeout" && !both
        }
        _ => true,
    }
}

const LIVE_OF_NODE: [&str; 3] = ["node.accept_forced_udp", "node.dhcp", "node.fixed_link_local"];

/// Bindings of the one mode are none of the other.
const HOME_AGENT_FOR_A_RUN: [&str; 3] =
    ["home_agent", "home_agent.interworking", "home_agent.max_bindings"];
const MIP4_FOR_A_RUN: [&str; 3] = ["mip4", "mip4.max_registrations", "mip4.simultaneous_bindings"];

/// What is in force when a file that says `wanted` is read again: what `needs_restart` stays as
/// it runs. Faults are those of the two together.
pub fn put_in_force(running: &Config, wanted: Config, path: &Path) -> Result<Config, Faults> {
    // Field by field: whoever adds one decides.
    let config = Config {
        node: Node {
            accept_forced_udp: wanted.node.accept_forced_udp,
            dhcp: wanted.node.dhcp,
            fixed_link_local: wanted.node.fixed_link_local,
            ..running.node.clone()
        },
        eal: running.eal.clone(),
        ports: running.ports.clone(),
        cores: running.cores.clone(),
        customers: customers(&running.customers, wanted.customers),
        services: wanted.services,
        pools: wanted.pools,
        mags: wanted.mags,
        policy: Policy {
            default: wanted.policy.default.clone(),
            nodes_file: wanted.policy.nodes_file.clone(),
            max_bindings: running.policy.max_bindings,
            store: store(&running.policy, &wanted.policy),
        },
        home_agent: home_agent(running.home_agent.as_ref(), wanted.home_agent),
        mip4: mip4(running.mip4.as_ref(), wanted.mip4),
        timers: wanted.timers,
        tunnel: running.tunnel,
        admin: running.admin.clone(),
        log: Log { filter: wanted.log.filter, json: running.log.json },
        state: running.state.clone(),
    };
    let mut faults = check(&config, path).err().map_or_else(Vec::new, |f| f.list);
    faults.extend(port_customers(running, &config));
    for fault in &mut faults {
        fault.line = 0;
        fault.what.push_str(" (what needs a restart stays as it runs)");
    }
    if faults.is_empty() { Ok(config) } else { Err(Faults::new(path, faults)) }
}

/// Workers know the DSCPs of customers from their start.
fn customers(running: &[Customer], mut wanted: Vec<Customer>) -> Vec<Customer> {
    for customer in &mut wanted {
        let same = running.iter().find(|c| c.id == customer.id);
        customer.dscp = same.and_then(|c| c.dscp);
    }
    wanted
}

fn store(running: &Policy, wanted: &Policy) -> Option<PolicyStore> {
    let running = running.store.as_ref()?;
    let timeout = wanted.store.as_ref().map_or(running.timeout, |w| w.timeout);
    Some(PolicyStore { timeout, ..running.clone() })
}

fn home_agent(running: Option<&HomeAgent>, wanted: Option<HomeAgent>) -> Option<HomeAgent> {
    let running = running?;
    let Some(wanted) = wanted else { return Some(running.clone()) };
    let HomeAgent { interworking, max_bindings, .. } = *running;
    Some(HomeAgent { interworking, max_bindings, ..wanted })
}

fn mip4(running: Option<&Mip4>, wanted: Option<Mip4>) -> Option<Mip4> {
    let running = running?;
    let Some(wanted) = wanted else { return Some(running.clone()) };
    let Mip4 { max_registrations, simultaneous_bindings, .. } = *running;
    Some(Mip4 { max_registrations, simultaneous_bindings, ..wanted })
}

/// As though somebody had written it.
fn check(config: &Config, path: &Path) -> Result<(), Faults> {
    parse(&render(config).to_string(), path).map(drop)
}

/// A port stays its customer's: workers know it by the customer's number.
fn port_customers(running: &Config, config: &Config) -> Vec<Fault> {
    let id = |config: &Config, name| config.customers.iter().find(|c| c.name == name).map(|c| c.id);
    let names = running.ports.iter().filter_map(|p| p.customer.as_deref());
    let changed = names.filter(|n| id(config, *n).is_some() && id(config, *n) != id(running, *n));
    let fault = |name: &str| Fault {
        line: 0,
        path: format!("customer[{name}].id"),
        what: "changes while a port is this customer's".into(),
    };
    changed.map(fault).collect()
}

#[cfg(test)]
mod tests;
