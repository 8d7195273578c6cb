//! The sections of the file, one function each: names, types, ranges and defaults.
//!
//! Each function returns `None` if a value that it needs is missing or wrong; that was reported
//! where it was found. What concerns several sections is in `check`.

mod mobility;
mod port;

pub use mobility::default_profile;
pub(super) use mobility::{PREFIXES_MAX, families_of};

use super::peer::SIGNALING_RATE;
use super::reader::{Reader, Section, boolean, integer, string};
use super::tunnel::tunnel;
use super::value::{absolute, eal_argument, label, socket_path, span, unicast, unicast4};
use super::{
    Admin, Config, Cores, Eal, Log, Node, Polling, Port, PortRole, State, Timers, check,
    home_agent, mip4, peer,
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
    let ports = port::ports(&root.tables("port"));
    let cores = cores(&root.table_or_empty("worker"), &root.table_or_empty("control"));
    let customers = all(&root.tables("customer"), |s| mobility::customer(s, dir));
    let services = all(&root.tables("service"), mobility::service);
    let pools = all(&root.tables("pool"), mobility::pool);
    let mtu = ports.iter().flatten().filter(|p| p.role == PortRole::Access).map(|p| p.mtu).min();
    let mtu = mtu.unwrap_or(MTU_MIN);
    let mags = all(&root.tables("mag"), |s| mobility::mag(s, dir, mtu));
    let policy = mobility::policy(&root.table_or_empty("policy"), dir);
    let home_agent = root.table("home_agent").map(|s| home_agent::read(&s, &ports));
    let mip4 = root.table("mip4").map(|s| mip4::read(&s, dir));

    check::ports(&root, &ports);
    check::cores(&root, cores.as_ref());
    check::queue_pairs(&root, &ports, cores.as_ref());
    check::customers(&root, &customers, &ports, &pools, &services, &mags);
    check::pools(&root, &pools);
    check::mags(&root, &mags, &ports);
    check::addresses(&root, node.as_ref(), &ports, &pools, &mags);
    check::policy(&root, &policy, &services, &pools);
    check::buffers(&root, &eal, &ports, cores.as_ref());
    if let Some(home_agent) = &home_agent {
        home_agent::check(&root, home_agent, &customers, &pools);
    }
    if let Some(mip4) = &mip4 {
        mip4::check(&root, mip4, node.as_ref());
    }

    let timers = timers(&root.table_or_empty("timer"));
    let tunnel = tunnel(&root.table_or_empty("tunnel"));
    let admin = admin(&root.table_or_empty("admin"));
    let log = log(&root.table_or_empty("log"));
    let state = state(&root.table_or_empty("state"));
    let (node, cores) = (node?, cores?);
    let mut ports = ports.into_iter().collect::<Option<Vec<Port>>>()?;
    // Stable: each kind keeps its order.
    ports.sort_by_key(|p| !p.is_physical());
    let customers = customers.into_iter().collect::<Option<_>>()?;
    let services = services.into_iter().collect::<Option<_>>()?;
    let pools = pools.into_iter().collect::<Option<_>>()?;
    let mags = mags.into_iter().collect::<Option<_>>()?;
    Some(Config {
        node,
        eal,
        ports,
        cores,
        customers,
        services,
        pools,
        mags,
        policy,
        home_agent,
        mip4,
        timers,
        tunnel,
        admin,
        log,
        state,
    })
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
    let lma_address_ipv4 = s.get("lma_address_ipv4", &unicast4);
    let accept_forced_udp = s.or("accept_forced_udp", false, &boolean);
    let fixed_link_local = s.or("fixed_link_local", false, &boolean);
    let first_gre_key = s.integer("first_gre_key", 1, 1..=u32::MAX);
    let dhcp = s.get("dhcp", &mobility::dhcp_mode);
    Some(Node {
        name: name?,
        lma_address: AnchorAddr(lma_address?),
        lma_address_ipv4,
        accept_forced_udp,
        fixed_link_local,
        first_gre_key,
        dhcp,
    })
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
    let node_rate = control.integer("node_rate", SIGNALING_RATE, 1..=10_000_000);
    let control_cpu = control_cpu?;
    Some(Cores { worker_cpus, control_cpu, node_rate, polling, ring_len, rx_burst_max })
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
        peers: peer::timers(s),
    }
}

fn admin(s: &Section<'_, '_>) -> Admin {
    Admin {
        socket: s.or("socket", PathBuf::from("/run/anchord/admin.sock"), &socket_path),
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
