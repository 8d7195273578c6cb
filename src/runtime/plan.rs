//! From the configuration to what each part is told: EAL's arguments, the pure core's
//! configuration, TAPs, limits. Pure but for the file of nodes.

mod ha;
mod lma;
mod mip4;

pub(super) use ha::home;
pub(super) use lma::{Cores, cores};

use crate::addr::{CustomerId, MacAddr, PortId};
use crate::config::{self, Config, Device, PortRole};
use crate::control::MagInfo;
use crate::control::advertise::{NodeRoute, RoutePlace, RoutePlan};
use crate::control::exception::TapSpec;
use crate::dataplane::marking::{DscpModel, EcnMode};
use crate::dataplane::worker::{Limits, PortConfig, TunnelPolicy};
use crate::mobility::ENTRIES_MAX;
use std::collections::BTreeSet;
use std::net::Ipv6Addr;

/// EAL's arguments without the program's name. Lcore 0 is the control core, lcore `i + 1` worker
/// `i`; several may float on one CPU.
pub(super) fn eal_args(config: &Config) -> Vec<String> {
    let mut args: Vec<String> = Vec::new();
    let mut option = |name: &str, value: String| args.extend([name.to_owned(), value]);
    let lcores = std::iter::once(&config.cores.control_cpu)
        .chain(&config.cores.worker_cpus)
        .enumerate()
        .map(|(lcore, cpu)| format!("{lcore}@{cpu}"))
        .collect::<Vec<_>>();
    option("--lcores", lcores.join(","));
    option("--main-lcore", "0".into());
    option("--file-prefix", config.eal.file_prefix.clone());
    option("-m", config.eal.memory_mib.to_string());
    let mut pci = false;
    for port in &config.ports {
        match &port.device {
            Device::Pci(address) => {
                pci = true;
                option("-a", address.clone());
            }
            Device::Vdev(vdev) => option("--vdev", vdev.clone()),
            Device::Vlan { .. } => {}
        }
    }
    if !pci {
        args.push("--no-pci".into());
    }
    // Without files, hugepages need no mounted hugetlbfs, and a killed process leaves nothing
    // behind.
    args.push(if config.eal.hugepages { "--in-memory" } else { "--no-huge" }.into());
    args.extend(config.eal.extra.iter().cloned());
    args
}

/// Bytes that the longest frame of any port may have, and a tunnel packet in fragments with a
/// packet that is as long as the MTU. Rounded up: NICs count the room of a receive buffer in whole
/// kilobytes, and put what does not fit into further buffers.
pub(super) fn frame_len_max(config: &Config) -> u16 {
    let mtu = config.ports.iter().map(|p| p.mtu).max().unwrap_or(0);
    let longest = mtu.saturating_add(HEADERS_LEN_MAX).max(FRAME_LEN_LEAST);
    longest.checked_next_multiple_of(1024).unwrap_or(longest)
}

/// Whether frames are longer than what any receive buffer holds.
pub(super) fn is_jumbo(config: &Config) -> bool {
    frame_len_max(config) > FRAME_LEN_LEAST
}

/// Where signaling comes to on a port, for its NIC.
pub(super) fn anchors(config: &Config, port: &config::Port) -> Vec<Ipv6Addr> {
    let takes_some = is_access(port) && port.customer.is_none();
    lma_addresses(config).filter(|_| takes_some).collect()
}

/// Whether tunnels and signaling are accepted on a port.
pub(super) fn is_access(port: &config::Port) -> bool {
    port.role == PortRole::Access
}

/// A port as its workers see it.
pub(super) fn worker_port(config: &Config, port: &config::Port, mac: MacAddr) -> PortConfig {
    let mut ipv4 = port.addresses.iter().filter_map(|(a, _)| a.to_ipv4_mapped());
    let mut ipv6 = port.addresses.iter().map(|&(a, _)| a).filter(|a| a.to_ipv4_mapped().is_none());
    PortConfig {
        access: is_access(port),
        mac,
        mtu: port.mtu,
        address: ipv6.next(),
        ipv4_address: ipv4.next(),
        customer: customer(config, port.customer.as_deref()),
    }
}

/// The number of the customer of this name; the operator's own if there is no name.
pub(super) fn customer(config: &Config, name: Option<&str>) -> CustomerId {
    let named = name.and_then(|name| config.customers.iter().find(|c| c.name == name));
    named.map_or(CustomerId(0), |c| c.id)
}

/// Where tunnels end.
pub(super) fn lma_addresses(config: &Config) -> impl Iterator<Item = Ipv6Addr> {
    let ipv4 = config.node.lma_address_ipv4.map(|a| a.to_ipv6_mapped());
    std::iter::once(config.node.lma_address.0).chain(ipv4)
}

/// Our addresses in our own address space.
pub(super) fn local_addresses(config: &Config) -> Vec<Ipv6Addr> {
    let own = config.ports.iter().filter(|p| p.customer.is_none());
    own.flat_map(|p| p.addresses.iter().map(|&(a, _)| a)).collect()
}

/// Where nodes ask for home agents: ours in our own address space as long as there are such links.
pub(super) fn asked_addresses(config: &Config) -> BTreeSet<Ipv6Addr> {
    ha::anycast_addresses(config).into_iter().chain(mip4::broadcast_addresses(config)).collect()
}

/// The kernel's side of a port.
pub(super) fn tap(id: PortId, port: &config::Port, mac: MacAddr) -> TapSpec {
    TapSpec {
        port: id,
        name: port.name.clone(),
        mac,
        mtu: port.mtu,
        addresses: port.addresses.clone(),
    }
}

/// Prefixes and IPv4 home addresses at most: as many a session as the default profile gives.
fn max_prefixes(config: &Config) -> usize {
    let prefixes = config.policy.default.as_ref().map_or(1, |p| usize::from(p.prefixes.max(1)));
    let a_session = prefixes + usize::from(config.pools.iter().any(config::Pool::is_ipv4));
    config.policy.max_bindings.saturating_mul(a_session).saturating_add(ENTRIES_MAX)
}

/// What was restored may be of a time when more was allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Restored {
    /// Prefixes over all bindings.
    pub(super) prefixes: usize,
    /// Gateways that serve them.
    pub(super) mags: usize,
}

/// How much the workers' tables hold; `networks` is how many prefixes nodes by themselves may
/// register besides their home addresses.
pub(super) fn limits(config: &Config, restored: Restored, networks: usize) -> Limits {
    // Each binding of a node by itself has a tunnel, perhaps what stands for it where some of its
    // packets are in ESP, a home address and perhaps one of IPv4 or the prefix around it.
    let homes = config.home_agent.as_ref().map_or(0, |h| h.max_bindings);
    // Of Mobile IPv4: a home address, and perhaps a tunnel to it inside of the others, which are
    // one for each care-of address and what stands for several.
    let registrations = config.mip4.as_ref().map_or(0, |m| m.max_registrations);
    let tunnels = config.mip4.as_ref().map_or(0, |m| match m.simultaneous_bindings {
        1 => 2,
        several => several + 2,
    });
    // An id waits for every worker before it is used again: as many may wait as there can be
    // updates on their way.
    let retiring = 2 * config.cores.ring_len;
    Limits {
        entries_max: (max_prefixes(config) + 3 * homes + registrations + networks)
            .max(restored.prefixes),
        tunnels_max: (mags_max(config) + restored.mags) * PATHS_PER_MAG
            + 2 * homes
            + tunnels * registrations
            + retiring,
    }
}

/// Gateways at most, configured and added by operators.
pub(super) fn mags_max(config: &Config) -> usize {
    config.mags.iter().flat_map(mag_addresses).count() + SPARE_MAGS
}

/// The configured gateways, for people.
pub(super) fn mags(config: &Config) -> Vec<MagInfo> {
    let info = |m: &config::Mag, address| MagInfo {
        name: m.name.clone(),
        address,
        tunnel_mtu: m.tunnel_mtu,
        signaling_rate: m.peer.signaling_rate,
        ipsec: m.peer.ipsec,
    };
    let of_mag = |m| mag_addresses(m).map(move |address| info(m, address));
    config.mags.iter().flat_map(of_mag).collect()
}

/// Names of the customers, for people.
pub(super) fn customer_names(config: &Config) -> Vec<(CustomerId, String)> {
    config.customers.iter().map(|c| (c.id, c.name.clone())).collect()
}

/// Names of the pools, for people, in the pure core's order.
pub(super) fn pool_names(config: &Config) -> Vec<String> {
    config.pools.iter().map(|p| p.name.clone()).collect()
}

/// What the kernel is to advertise; `taps` are the interface indexes of the ports. Prefixes outside
/// of all pools stand where the first of their owner's pools stands that has a place.
pub(super) fn routes(config: &Config, taps: &[u32]) -> RoutePlan {
    let mut plan = RoutePlan::default();
    for pool in &config.pools {
        let Some(table) = pool.route_table else { continue };
        let owner = pool.customer.as_deref();
        let Some(place) = route_place(config, taps, owner, table) else { continue };
        plan.pools.insert(NodeRoute { prefix: pool.prefix, place });
        plan.outside.entry(customer(config, owner)).or_insert(place);
    }
    let own = route_place(config, taps, None, config::ROUTE_TABLE);
    if let Some(place) = own {
        plan.outside.entry(CustomerId(0)).or_insert(place);
    }
    plan
}

/// A route goes with the first port to its owner's correspondents, or without one with the first of
/// its owner.
fn route_place(
    config: &Config,
    taps: &[u32],
    owner: Option<&str>,
    table: u32,
) -> Option<RoutePlace> {
    let ports = config.ports.iter().zip(taps).filter(|(p, _)| p.customer.as_deref() == owner);
    let (_, &ifindex) = ports.min_by_key(|(p, _)| p.role != PortRole::Core)?;
    Some(RoutePlace { table, ifindex })
}

/// Every address of a gateway.
fn mag_addresses(mag: &config::Mag) -> impl Iterator<Item = Ipv6Addr> {
    std::iter::once(mag.address).chain(mag.more_addresses.iter().copied())
}

/// What workers do to packets at both ends of a tunnel.
pub(super) fn tunnel_policy(config: &Config) -> TunnelPolicy {
    let config::Tunnel { mss_clamping, ecn, dscp, .. } = config.tunnel;
    let of_customer = |c: &config::Customer| c.dscp.map(|dscp| (c.id, dscp));
    TunnelPolicy {
        ecn: match ecn {
            config::Ecn::Normal => EcnMode::Normal,
            config::Ecn::Compatibility => EcnMode::Compatibility,
        },
        dscp: match dscp {
            config::Dscp::Uniform => DscpModel::Uniform,
            config::Dscp::Pipe(dscp) => DscpModel::Pipe(dscp),
        },
        customer_dscp: config.customers.iter().filter_map(of_customer).collect(),
        clamp_mss: mss_clamping,
        home_agent: config.home_agent.is_some() || config.mip4.is_some(),
        mobile_ipv4: config.mip4.is_some(),
    }
}

/// Tunnel MTU to mobile nodes, and to gateways that an operator adds later: what fits all access
/// ports.
pub(super) fn tunnel_mtu(config: &Config) -> u16 {
    let access = config.ports.iter().filter(|p| is_access(p));
    access.map(|p| p.mtu).fold(config.tunnel.mtu, u16::min)
}

/// Ethernet header with two VLAN tags, and the longest headers of a tunnel, in bytes.
const HEADERS_LEN_MAX: u16 = 22 + 40 + 64;
/// What receive queues of most NICs want of a buffer at least, in bytes.
const FRAME_LEN_LEAST: u16 = 2048;
/// Ways to one address of a gateway: each encapsulation, and UDP through some ports of a NAT.
const PATHS_PER_MAG: usize = 8;
/// Gateways that operators may add at run time.
const SPARE_MAGS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn routes_outside_of_pools_stand_where_the_first_of_their_owners_pools_does() {
        let mut lab = config::load(Path::new("dpdk-config/lab.toml")).expect("the sample is valid");
        let own = |lab: &Config| routes(lab, &[4, 5]).outside[&CustomerId(0)];
        let pools = routes(&lab, &[4, 5]).pools;
        assert!(!pools.is_empty() && pools.iter().all(|p| p.place == own(&lab)));
        assert_eq!(own(&lab), RoutePlace { table: 213, ifindex: 5 }, "by the core port");
        lab.pools[0].route_table = Some(300);
        assert_eq!(own(&lab).table, 300);
        lab.pools.clear();
        assert_eq!(own(&lab).table, 213);
        let mut customers = lab.clone();
        customers.ports.iter_mut().for_each(|p| p.customer = Some("red".into()));
        assert_eq!(routes(&customers, &[4, 5]), RoutePlan::default());
    }

    #[test]
    fn arguments_map_every_core_and_name_every_device() {
        let lab = config::load(Path::new("dpdk-config/lab.toml")).expect("the sample is valid");
        let args = eal_args(&lab).join(" ");
        assert_eq!(
            args,
            "--lcores 0@0,1@0 --main-lcore 0 --file-prefix anchord-lab -m 256 \
             --vdev net_af_packet0,iface=to-access --vdev net_af_packet1,iface=to-core \
             --no-pci --no-huge"
        );
        let carrier =
            config::load(Path::new("dpdk-config/carrier.toml")).expect("the sample is valid");
        let args = eal_args(&carrier).join(" ");
        assert!(args.contains("-a 0000:3b:00.1") && args.ends_with("--in-memory"), "{args}");
    }
}
