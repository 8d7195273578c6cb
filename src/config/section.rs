//! The sections of the file, one function each: names, types, ranges and defaults.
//!
//! Each function returns `None` if a value that it needs is missing or wrong; that was reported
//! where it was found. What concerns several sections is in `check`.

use super::reader::{Reader, Section, boolean, integer, string};
use super::value::{
    absolute, eal_argument, global_prefix, interface_address, interface_name, label, lifetime,
    pattern, pci, role, span, unicast, vdev,
};
use super::{
    Admin, Config, Cores, Device, Eal, Log, Mag, Node, Policy, Polling, Pool, Port, PortRole,
    Profile, State, Timers, check,
};
use crate::addr::AnchorAddr;
use crate::nic::BURST_MAX;
use crate::time::Duration;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use toml::de::DeValue;

/// RFC 8200 section 5: no IPv6 link has less.
pub(super) const MTU_MIN: u16 = 1280;
/// What NICs offer as jumbo frames.
pub(super) const MTU_MAX: u16 = 9600;

/// The whole file; `dir` is the directory that it lies in.
pub(super) fn config(reader: &Reader<'_>, dir: &Path) -> Option<Config> {
    let root = reader.root();
    let node = node(&root.table_or_empty("node"));
    let eal = eal(&root.table_or_empty("eal"));
    let ports = all(&root.tables("port"), port);
    let cores = cores(&root.table_or_empty("worker"), &root.table_or_empty("control"));
    let pools = all(&root.tables("pool"), pool);
    let mtu = ports.iter().flatten().filter(|p| p.role == PortRole::Access).map(|p| p.mtu).min();
    let mags = all(&root.tables("mag"), |s| mag(s, mtu.unwrap_or(MTU_MIN)));
    let policy = policy(&root.table_or_empty("policy"), dir);

    check::ports(&root, &ports);
    check::cores(&root, cores.as_ref());
    check::queue_pairs(&root, &ports, cores.as_ref());
    check::pools(&root, &pools);
    check::mags(&root, &mags, &ports);
    check::addresses(&root, node.as_ref(), &ports, &pools, &mags);
    check::policy(&root, &policy, &pools);
    check::buffers(&root, &eal, &ports, cores.as_ref());

    let timers = timers(&root.table_or_empty("timer"));
    let admin = admin(&root.table_or_empty("admin"));
    let log = log(&root.table_or_empty("log"));
    let state = state(&root.table_or_empty("state"));
    let (node, cores) = (node?, cores?);
    let ports = ports.into_iter().collect::<Option<_>>()?;
    let pools = pools.into_iter().collect::<Option<_>>()?;
    let mags = mags.into_iter().collect::<Option<_>>()?;
    Some(Config { node, eal, ports, cores, pools, mags, policy, timers, admin, log, state })
}

fn all<'r, 'a, T>(
    sections: &[Section<'r, 'a>],
    read: impl Fn(&Section<'r, 'a>) -> Option<T>,
) -> Vec<Option<T>> {
    sections.iter().map(read).collect()
}

fn node(s: &Section<'_, '_>) -> Option<Node> {
    let name = s.required("name", &label);
    let lma_address = s.required("lma_address", &unicast);
    Some(Node { name: name?, lma_address: AnchorAddr(lma_address?) })
}

fn eal(s: &Section<'_, '_>) -> Eal {
    Eal {
        file_prefix: s.or("file_prefix", "anchord".into(), &label),
        hugepages: s.or("hugepages", true, &boolean),
        memory_mib: s.integer("memory_mib", 1024, 32..=1 << 20),
        mbuf_count: s.integer("mbuf_count", 65_535, 1023..=1 << 24),
        extra: s.list("extra", &eal_argument),
    }
}

fn port(s: &Section<'_, '_>) -> Option<Port> {
    let name = s.required("name", &interface_name);
    let role = s.required("role", &role);
    let device = device(s);
    let addresses = s.list("addresses", &interface_address);
    let mtu = s.integer("mtu", 1500, MTU_MIN..=MTU_MAX);
    let rx_desc = descriptors(s, "rx_desc");
    let tx_desc = descriptors(s, "tx_desc");
    Some(Port { name: name?, role: role?, device: device?, addresses, mtu, rx_desc, tx_desc })
}

fn device(s: &Section<'_, '_>) -> Option<Device> {
    let pci = s.get("pci", &pci).map(Device::Pci);
    let vdev = s.get("vdev", &vdev).map(Device::Vdev);
    match (s.has("pci"), s.has("vdev")) {
        (true, true) => s.fault("vdev", "stands beside pci: give one of them"),
        (false, false) => {
            s.fault("", "has no device: give pci = \"0000:3b:00.0\" or vdev = \"net_tap0\"");
        }
        _ => {}
    }
    pci.or(vdev)
}

fn descriptors(s: &Section<'_, '_>, key: &'static str) -> u16 {
    let n: u16 = s.integer(key, 1024, 64..=32_768);
    power_of_two(s, key, n.is_power_of_two(), n);
    n
}

fn cores(worker: &Section<'_, '_>, control: &Section<'_, '_>) -> Option<Cores> {
    if !worker.has("cpus") {
        worker.fault("cpus", "is missing: name one CPU for each worker");
    }
    let worker_cpus = worker.list("cpus", &|v| integer(v, &(0..=CPU_MAX)));
    let polling = polling(worker);
    let ring_len: usize = worker.integer("ring_len", 4096, 64..=1 << 20);
    power_of_two(worker, "ring_len", ring_len.is_power_of_two(), ring_len);
    let rx_burst_max = worker.integer("rx_burst_max", 32, 1..=BURST_MAX);
    let control_cpu = control.required("cpu", &|v| integer(v, &(0..=CPU_MAX)));
    Some(Cores { worker_cpus, control_cpu: control_cpu?, polling, ring_len, rx_burst_max })
}

/// The highest CPU number that an lcore may be put on.
const CPU_MAX: u16 = 1023;

fn polling(s: &Section<'_, '_>) -> Polling {
    let idle_sleep_max = s.or("idle_sleep_max", Duration::from_micros(500), &|v| {
        span(v, Duration::from_micros(1)..=Duration::from_millis(100))
    });
    let adaptive = s.or("polling", false, &|v| match string(v)?.as_str() {
        "busy" => Ok(false),
        "adaptive" => Ok(true),
        other => Err(format!("{other:?} is neither \"busy\" nor \"adaptive\"")),
    });
    if adaptive {
        return Polling::Adaptive { idle_sleep_max };
    }
    if s.has("idle_sleep_max") {
        s.fault("idle_sleep_max", "has no meaning with polling = \"busy\": leave it out");
    }
    Polling::Busy
}

fn pool(s: &Section<'_, '_>) -> Option<Pool> {
    let name = s.required("name", &label);
    let prefix = s.required("prefix", &global_prefix);
    // A home network prefix of /48 to /128 is what the workers look up.
    let delegated_len = s.integer("delegated_len", 64, 48..=128);
    let (name, prefix) = (name?, prefix?);
    if delegated_len < prefix.len() {
        let what = format!("{delegated_len} is shorter than the pool's own /{}", prefix.len());
        s.fault("delegated_len", what);
    }
    Some(Pool { name, prefix, delegated_len })
}

fn mag(s: &Section<'_, '_>, mtu: u16) -> Option<Mag> {
    let name = s.required("name", &label);
    let address = s.required("address", &unicast);
    let authorized = s.or("authorized", true, &boolean);
    let prefixes = s.list("prefixes", &global_prefix);
    let nodes = s.list("nodes", &pattern);
    let tunnel_mtu = s.integer("tunnel_mtu", mtu, MTU_MIN..=MTU_MAX);
    Some(Mag { name: name?, address: address?, authorized, prefixes, nodes, tunnel_mtu })
}

fn policy(s: &Section<'_, '_>, dir: &Path) -> Policy {
    Policy {
        default: s.table("default").map(|table| profile(&table)),
        nodes_file: s.get("nodes_file", &string).map(|file| dir.join(file)),
        max_bindings: s.integer("max_bindings", 1 << 20, 1..=1 << 24),
    }
}

fn profile(s: &Section<'_, '_>) -> Profile {
    let default = default_profile();
    Profile {
        enabled: s.or("enabled", default.enabled, &boolean),
        pool: s.get("pool", &label),
        prefixes: s.integer("prefixes", default.prefixes, 1..=PREFIXES_MAX),
        max_lifetime: s.or("max_lifetime", default.max_lifetime, &lifetime),
        static_prefixes: default.static_prefixes,
    }
}

/// What nodes may do where neither `[policy.default]` nor their own line says.
pub(super) fn default_profile() -> Profile {
    Profile {
        enabled: true,
        pool: None,
        prefixes: 1,
        max_lifetime: Duration::from_secs(3600),
        static_prefixes: Vec::new(),
    }
}

/// The most prefixes of one session: so that they and the other options always fit a PBA.
pub(super) const PREFIXES_MAX: u8 = 16;

/// The defaults are those of RFC 5213 sections 9.1 and 9.3.
fn timers(s: &Section<'_, '_>) -> Timers {
    let (zero, minute) = (Duration::ZERO, Duration::from_secs(60));
    let time = |key, default_ms, range: RangeInclusive<Duration>| {
        s.or(key, Duration::from_millis(default_ms), &|v| span(v, range.clone()))
    };
    Timers {
        min_delay_before_bce_delete: time(
            "min_delay_before_bce_delete",
            10_000,
            zero..=10 * minute,
        ),
        max_delay_before_new_bce_assign: time(
            "max_delay_before_new_bce_assign",
            1500,
            zero..=minute,
        ),
        timestamp_validity_window: time(
            "timestamp_validity_window",
            300,
            Duration::from_millis(1)..=60 * minute,
        ),
        mn_generated_timestamp_in_use: s.or("mn_generated_timestamp_in_use", false, &boolean),
    }
}

fn admin(s: &Section<'_, '_>) -> Admin {
    let socket = |v: &DeValue<'_>| {
        let path = absolute(v)?;
        // `sun_path` of unix(7), with its terminating zero, and room for ".lock" and ".new".
        if path.as_os_str().len() > 102 {
            return Err("is over 102 bytes, more than a socket's path may have".into());
        }
        Ok(path)
    };
    Admin {
        socket: s.or("socket", PathBuf::from("/run/anchord/admin.sock"), &socket),
        group: s.get("group", &label),
    }
}

pub(super) fn log(s: &Section<'_, '_>) -> Log {
    let filter = |v: &DeValue<'_>| {
        let text = string(v)?;
        match tracing_subscriber::EnvFilter::try_new(&text) {
            Ok(_) => Ok(text),
            Err(e) => Err(format!("{text:?} is no filter (like \"info,anchord=debug\"): {e}")),
        }
    };
    let format = |v: &DeValue<'_>| match string(v)?.as_str() {
        "text" => Ok(false),
        "json" => Ok(true),
        other => Err(format!("{other:?} is neither \"text\" nor \"json\"")),
    };
    Log { filter: s.or("filter", "info".into(), &filter), json: s.or("format", false, &format) }
}

fn state(s: &Section<'_, '_>) -> State {
    State { dir: s.or("dir", PathBuf::from("/var/lib/anchord"), &absolute) }
}

fn power_of_two(s: &Section<'_, '_>, key: &'static str, is: bool, n: impl std::fmt::Display) {
    if !is {
        s.fault(key, format!("{n} is not a power of two"));
    }
}
