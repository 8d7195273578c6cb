//! What concerns several values at once: duplicates, overlaps, references, sums.
//!
//! Elements that could not be read are `None` and take no part, so that one fault does not bring
//! others that are only its shadow.

mod customer;

pub(super) use customer::customers;

use super::reader::Section;
use super::{
    Config, Cores, Device, Eal, Mag, Node, Policy, Polling, Pool, Port, PortRole, Profile, Service,
};
use crate::addr::{AnchorAddr, HomePrefix};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::Ipv6Addr;

type Root<'r, 'a> = &'r Section<'r, 'a>;

/// Names, devices and addresses are each there once; signaling can arrive.
pub(super) fn ports(root: Root<'_, '_>, ports: &[Option<Port>]) {
    unique(root, ports, "port", "name", |p| Some(p.name.clone()));
    unique(root, ports, "port", "pci", |p| match &p.device {
        Device::Pci(address) => Some(bus_address(address)),
        Device::Vdev(_) | Device::Vlan { .. } => None,
    });
    unique(root, ports, "port", "vdev", |p| match &p.device {
        Device::Vdev(vdev) => vdev.split(',').next().map(str::to_owned),
        Device::Pci(_) | Device::Vlan { .. } => None,
    });
    unique(root, ports, "port", "vlan", |p| match &p.device {
        Device::Vlan { parent, vlan } => Some(format!("{vlan} of {parent}")),
        Device::Pci(_) | Device::Vdev(_) => None,
    });
    if ports.iter().all(|p| p.as_ref().is_some_and(|p| p.role != PortRole::Access)) {
        root.fault("port", "has none with role = \"access\": no gateway could be reached");
    }
}

/// The kernel spreads the frames of a packet socket's fanout group over all its queue pairs: one
/// without a worker would lose its share, and a worker without one could not send.
pub(super) fn queue_pairs(root: Root<'_, '_>, ports: &[Option<Port>], cores: Option<&Cores>) {
    let Some(workers) = cores.map(|c| c.worker_cpus.len()).filter(|n| *n > 0) else { return };
    for (i, port) in each(ports) {
        let Device::Vdev(vdev) = &port.device else { continue };
        if !vdev.starts_with("net_af_packet") {
            continue;
        }
        let pairs = vdev.split(',').find_map(|a| a.strip_prefix("qpairs=")).unwrap_or("1");
        if pairs.parse() != Ok(workers) {
            let what =
                format!("has {pairs} queue pairs for {workers} workers: give qpairs={workers}");
            root.fault(&format!("port[{i}].vdev"), what);
        }
    }
}

/// A core that spins has its CPU for itself.
pub(super) fn cores(root: Root<'_, '_>, cores: Option<&Cores>) {
    let Some(cores) = cores else { return };
    if cores.worker_cpus.len() > WORKERS_MAX {
        let n = cores.worker_cpus.len();
        root.fault("worker.cpus", format!("names {n} workers, {WORKERS_MAX} are the most"));
    }
    if cores.polling != Polling::Busy {
        return;
    }
    let alone = "busy polling needs a CPU for each core (or polling = \"adaptive\")";
    for (i, cpu) in cores.worker_cpus.iter().enumerate() {
        if cores.worker_cpus[..i].contains(cpu) {
            root.fault(&format!("worker.cpus[{i}]"), format!("{cpu} stands here twice: {alone}"));
        }
    }
    if cores.worker_cpus.contains(&cores.control_cpu) {
        root.fault("control.cpu", format!("{} is a worker's: {alone}", cores.control_cpu));
    }
}

/// The most workers: what a steering table of 128 entries spreads evenly enough.
const WORKERS_MAX: usize = 64;

/// Names are there once; no pool overlaps another.
pub(super) fn pools(root: Root<'_, '_>, pools: &[Option<Pool>]) {
    unique(root, pools, "pool", "name", |p| Some(p.name.clone()));
    for (i, pool) in each(pools) {
        if let Some((j, other)) = each(&pools[..i])
            .find(|(_, o)| o.customer == pool.customer && overlap(o.prefix, pool.prefix))
        {
            let what = format!("{} overlaps pool[{j}] ({})", pool.prefix, other.prefix);
            root.fault(&format!("pool[{i}].prefix"), what);
        }
    }
    unique(root, pools, "pool", "route_table", |p| {
        p.route_table.map(|table| format!("{} in table {table}", p.prefix))
    });
}

/// Names and addresses are there once; tunnels fit the ports.
pub(super) fn mags(root: Root<'_, '_>, mags: &[Option<Mag>], ports: &[Option<Port>]) {
    unique(root, mags, "mag", "name", |m| Some(m.name.clone()));
    unique(root, mags, "mag", "address", |m| Some(AnchorAddr(m.address)));
    let access = each(ports).filter(|(_, p)| p.role == PortRole::Access).map(|(_, p)| p.mtu).max();
    let Some(mtu) = access else { return };
    for (i, mag) in each(mags).filter(|(_, m)| m.tunnel_mtu > mtu) {
        let what = format!("{} is above {mtu}, the largest MTU of an access port", mag.tunnel_mtu);
        root.fault(&format!("mag[{i}].tunnel_mtu"), what);
    }
}

/// Each address is somebody's alone, and none lies where nodes live.
pub(super) fn addresses(
    root: Root<'_, '_>,
    node: Option<&Node>,
    ports: &[Option<Port>],
    pools: &[Option<Pool>],
    mags: &[Option<Mag>],
) {
    // In the address space of each customer.
    let mut owners: HashMap<(Option<&str>, Ipv6Addr), String> = HashMap::new();
    for (i, port) in each(ports) {
        let customer = port.customer.as_deref();
        for (k, (address, len)) in port.addresses.iter().enumerate() {
            let path = format!("port[{i}].addresses[{k}]");
            in_pool(root, &path, *address, customer, pools);
            let link = HomePrefix::truncating(*address, *len).ok();
            if let Some((j, pool)) = of_customer(pools, customer)
                .find(|(_, p)| link.is_some_and(|l| l.len() > 0 && p.prefix.covers(l)))
                && !pool.prefix.contains(*address)
            {
                root.fault(&path, format!("has a link prefix inside pool[{j}]"));
            }
            // Every link has the same link-local addresses: those may repeat.
            let shared = address.is_unicast_link_local();
            if !shared && let Some(first) = owners.insert((customer, *address), path.clone()) {
                root.fault(&path, format!("{} is already at {first}", AnchorAddr(*address)));
            }
        }
    }
    let own = node.map(|n| {
        [
            ("node.lma_address", Some(n.lma_address.0)),
            ("node.lma_address_ipv4", n.lma_address_ipv4.map(|a| a.to_ipv6_mapped())),
        ]
    });
    for (path, address) in own.iter().flatten() {
        let Some(address) = *address else { continue };
        in_pool(root, path, address, None, pools);
        owners.insert((None, address), (*path).into());
    }
    for (i, mag) in each(mags) {
        let more = mag.more_addresses.iter().enumerate();
        let more = more.map(|(k, a)| (format!("mag[{i}].more_addresses[{k}]"), *a));
        for (path, address) in
            std::iter::once((format!("mag[{i}].address"), mag.address)).chain(more)
        {
            in_pool(root, &path, address, None, pools);
            if let Some(first) = owners.get(&(None, address)) {
                let what = format!("{} is our own, at {first}", AnchorAddr(address));
                root.fault(&path, what);
            }
        }
    }
}

/// There is somebody to serve, from pools that are there.
pub(super) fn policy(
    root: Root<'_, '_>,
    policy: &Policy,
    services: &[Option<Service>],
    pools: &[Option<Pool>],
) {
    if policy.default.is_none() && policy.nodes_file.is_none() && policy.store.is_none() {
        let what = "would refuse every node: give [policy.default], nodes_file or socket";
        root.fault("policy", what);
    }
    if policy.default.is_some() && pools.is_empty() {
        root.fault("policy.default", "needs a [[pool]] to give prefixes from");
    }
    let profiles = policy.default.iter().map(|p| ("policy.default".to_owned(), p));
    let profiles = profiles.chain(
        each(services)
            .filter_map(|(i, s)| Some((format!("service[{i}].profile"), s.profile.as_ref()?))),
    );
    for (path, profile) in profiles {
        named_services(root, &path, profile, services);
        // A pool that could not be read may be the one that is named.
        if !pools.iter().all(Option::is_some) {
            continue;
        }
        let pools: Vec<&Pool> = pools.iter().flatten().collect();
        for (key, name, ipv4) in
            [("pool", &profile.pool, false), ("pool_ipv4", &profile.pool_ipv4, true)]
        {
            if let Some(name) = name
                && let Err(what) = find_pool(name, ipv4, &pools)
            {
                root.fault(&format!("{path}.{key}"), what);
            }
        }
    }
}

fn named_services(root: Root<'_, '_>, path: &str, profile: &Profile, all: &[Option<Service>]) {
    let complete = all.iter().all(Option::is_some);
    for (k, name) in profile.services.iter().flatten().enumerate() {
        if complete && !each(all).any(|(_, s)| s.name == *name) {
            root.fault(&format!("{path}.services[{k}]"), format!("{name:?} is no [[service]]"));
        }
    }
}

/// The receive and transmit rings leave buffers over for the packets on their way.
pub(super) fn buffers(
    root: Root<'_, '_>,
    eal: &Eal,
    ports: &[Option<Port>],
    cores: Option<&Cores>,
) {
    let Some(cores) = cores else { return };
    // A queue for each worker and one for signaling.
    let queues = u32::try_from(cores.worker_cpus.len()).unwrap_or(u32::MAX).saturating_add(1);
    let descriptors: u32 = each(ports)
        .filter(|(_, p)| p.is_physical())
        .map(|(_, p)| u32::from(p.rx_desc) + u32::from(p.tx_desc))
        .sum();
    let taken = descriptors.saturating_mul(queues);
    if eal.mbuf_count <= taken {
        let what = format!(
            "{} is not more than the {taken} buffers that the ports' rings hold \
             (rx_desc + tx_desc, {queues} queues each)",
            eal.mbuf_count
        );
        root.fault("eal.mbuf_count", what);
    }
}

/// What is wrong with a node's profile, given the pools and the customer whose node it is.
pub(super) fn profile(
    profile: &Profile,
    customer: Option<&str>,
    config: &Config,
) -> Result<(), String> {
    let pools: Vec<&Pool> = config.pools.iter().collect();
    for (name, ipv4) in [(&profile.pool, false), (&profile.pool_ipv4, true)] {
        if let Some(name) = name {
            find_pool(name, ipv4, &pools)?;
        }
    }
    let own = &profile.static_prefixes;
    if config.pools.is_empty() && own.is_empty() && profile.static_ipv4.is_none() {
        return Err("has neither static prefixes nor a [[pool]] to get some from".into());
    }
    for (i, prefix) in own.iter().enumerate() {
        if let Some(other) = own[..i].iter().find(|o| overlap(**o, *prefix)) {
            return Err(format!("its static prefixes {other} and {prefix} overlap"));
        }
        // Inside a pool a static prefix takes the place of one that would be given out.
        let Some(pool) = config
            .pools
            .iter()
            .find(|p| p.customer.as_deref() == customer && overlap(p.prefix, *prefix))
        else {
            continue;
        };
        if prefix.len() != pool.delegated_len {
            return Err(format!(
                "static prefix {prefix} lies in pool {} ({}), whose prefixes are /{}",
                pool.name, pool.prefix, pool.delegated_len
            ));
        }
    }
    Ok(())
}

/// What is wrong with the name of a pool, which is to be one of this family.
fn find_pool(name: &str, ipv4: bool, pools: &[&Pool]) -> Result<(), String> {
    let is_fit = |p: &&&Pool| p.is_ipv4() == ipv4;
    if pools.iter().filter(is_fit).any(|p| p.name == name) {
        return Ok(());
    }
    let names: Vec<&str> = pools.iter().filter(is_fit).map(|p| p.name.as_str()).collect();
    let family = match (ipv4, pools.iter().any(|p| p.name == name)) {
        (_, false) => "",
        (true, true) => " of IPv4",
        (false, true) => " of IPv6",
    };
    Err(format!("{name:?} is no pool{family} (there is: {})", names.join(", ")))
}

fn of_customer<'p>(
    pools: &'p [Option<Pool>],
    customer: Option<&'p str>,
) -> impl Iterator<Item = (usize, &'p Pool)> {
    each(pools).filter(move |(_, p)| p.customer.as_deref() == customer)
}

fn in_pool(
    root: Root<'_, '_>,
    path: &str,
    address: Ipv6Addr,
    customer: Option<&str>,
    pools: &[Option<Pool>],
) {
    if let Some((j, pool)) = of_customer(pools, customer).find(|(_, p)| p.prefix.contains(address))
    {
        // The default router may well be ours: nodes resolve it at their gateway.
        if pool.default_router.is_some_and(|r| r.to_ipv6_mapped() == address) {
            return;
        }
        let address = AnchorAddr(address);
        root.fault(path, format!("{address} lies inside pool[{j}] ({}), a node's", pool.prefix));
    }
}

/// Reports each element whose key equals that of an earlier one.
fn unique<T, K: Eq + Hash + std::fmt::Display>(
    root: Root<'_, '_>,
    elements: &[Option<T>],
    table: &str,
    field: &str,
    key: impl Fn(&T) -> Option<K>,
) {
    let mut first: HashMap<K, usize> = HashMap::new();
    for (i, element) in each(elements) {
        let Some(key) = key(element) else { continue };
        if let Some(j) = first.get(&key) {
            let what = format!("{key} is already at {table}[{j}].{field}");
            root.fault(&format!("{table}[{i}].{field}"), what);
        } else {
            first.insert(key, i);
        }
    }
}

fn each<T>(elements: &[Option<T>]) -> impl Iterator<Item = (usize, &T)> {
    elements.iter().enumerate().filter_map(|(i, e)| e.as_ref().map(|e| (i, e)))
}

pub(super) fn overlap(a: HomePrefix, b: HomePrefix) -> bool {
    a.covers(b) || b.covers(a)
}

/// `3b:00.0` and `0000:3B:00.0,mprq_en=1` are one device.
fn bus_address(pci: &str) -> String {
    let address = pci.split(',').next().unwrap_or_default().to_ascii_lowercase();
    if address.matches(':').count() == 1 { format!("0000:{address}") } else { address }
}
