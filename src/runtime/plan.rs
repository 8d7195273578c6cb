//! From the configuration to what each part is told: EAL's arguments, the pure core's
//! configuration, TAPs, limits. Pure but for the file of nodes.

use crate::addr::{MacAddr, PortId};
use crate::config::{self, Config, Device, PortRole};
use crate::control::MagInfo;
use crate::control::exception::TapSpec;
use crate::dataplane::worker::Limits;
use crate::mobility::ENTRIES_MAX;
use crate::mobility::config::{LmaConfig, LmaTimers, MagConfig, Policy, PoolConfig, Profile};

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

/// A port's device as DPDK names it.
pub(super) fn device(port: &config::Port) -> &str {
    match &port.device {
        Device::Pci(name) | Device::Vdev(name) => name,
    }
}

/// Whether tunnels and signaling are accepted on a port.
pub(super) fn is_access(port: &config::Port) -> bool {
    port.role == PortRole::Access
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

/// The pure core's configuration; faults are those of the file of nodes.
pub(super) fn lma_config(config: &Config) -> Result<LmaConfig, config::Faults> {
    let mut policy = Policy::new(config.policy.default.as_ref().map(|p| profile(config, p)));
    config::load_nodes(config, |mn_id, own| {
        policy.insert(mn_id, profile(config, own), &own.static_prefixes);
    })?;
    let timers = &config.timers;
    Ok(LmaConfig {
        timers: LmaTimers {
            min_delay_before_bce_delete: timers.min_delay_before_bce_delete,
            max_delay_before_new_bce_assign: timers.max_delay_before_new_bce_assign,
            timestamp_validity_window: timers.timestamp_validity_window,
            mn_generated_timestamp_in_use: timers.mn_generated_timestamp_in_use,
        },
        pools: config.pools.iter().map(|p| PoolConfig::new(p.prefix, p.delegated_len)).collect(),
        mags: config
            .mags
            .iter()
            .map(|m| MagConfig {
                authorized: m.authorized,
                prefixes: m.prefixes.clone(),
                nodes: m.nodes.clone(),
                ..MagConfig::new(m.address)
            })
            .collect(),
        max_bindings: config.policy.max_bindings,
        max_prefixes: max_prefixes(config),
        ..LmaConfig::new(config.node.lma_address, policy)
    })
}

fn profile(config: &Config, profile: &config::Profile) -> Profile {
    // The configuration is valid: a pool that is named is there.
    let pool =
        profile.pool.as_ref().and_then(|name| config.pools.iter().position(|p| p.name == *name));
    Profile {
        enabled: profile.enabled,
        prefixes: profile.prefixes,
        ..Profile::ipv6(pool.unwrap_or(0), profile.max_lifetime)
    }
}

/// Prefixes at most: as many a session as the default profile gives.
fn max_prefixes(config: &Config) -> usize {
    let a_session = config.policy.default.as_ref().map_or(1, |p| usize::from(p.prefixes.max(1)));
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

/// How much the workers' tables hold.
pub(super) fn limits(config: &Config, restored: Restored) -> Limits {
    // An id waits for every worker before it is used again: as many may wait as there can be
    // updates on their way.
    let retiring = 2 * config.cores.ring_len;
    Limits {
        entries_max: max_prefixes(config).max(restored.prefixes),
        tunnels_max: mags_max(config) + restored.mags + retiring,
    }
}

/// Gateways at most, configured and added by operators.
pub(super) fn mags_max(config: &Config) -> usize {
    config.mags.len() + SPARE_MAGS
}

/// The configured gateways, for people.
pub(super) fn mags(config: &Config) -> Vec<MagInfo> {
    let info = |m: &config::Mag| MagInfo {
        name: m.name.clone(),
        address: m.address,
        tunnel_mtu: m.tunnel_mtu,
    };
    config.mags.iter().map(info).collect()
}

/// Tunnel MTU of gateways that an operator adds later: the smallest of the access ports'.
pub(super) fn tunnel_mtu(config: &Config) -> u16 {
    let access = config.ports.iter().filter(|p| is_access(p));
    access.map(|p| p.mtu).min().unwrap_or(crate::wire::ipv6::MIN_MTU)
}

/// Gateways that operators may add at run time.
const SPARE_MAGS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

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
