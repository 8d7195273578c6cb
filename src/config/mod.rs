//! The configuration: a TOML file, validated whole before EAL starts. `docs/configuration.md`
//! describes it for operators.
//!
//! ```text
//!  text --Reader--> sections (one value at a time) --check--> Config
//!            \________________ Faults, all at once ____________/
//! ```
//! A [`Config`] that exists is valid: every value is in its range, every name that is referred to
//! is there, nothing overlaps that must not.

mod check;
mod duration;
mod fault;
pub mod mag;
mod nodes;
mod reader;
mod render;
mod section;
mod value;

#[cfg(test)]
mod tests;

pub use fault::{Fault, Faults};
pub use nodes::load_nodes;
pub use render::render;

use crate::addr::{AnchorAddr, HomePrefix};
use crate::time::Duration;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

/// Reads and validates a whole file.
///
/// A relative `policy.nodes_file` is taken from the directory of `path`; what it holds is read by
/// [`load_nodes`].
pub fn load(path: &Path) -> Result<Config, Faults> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Faults::one(path, "", &format!("cannot be read: {e}")))?;
    parse(&text, path)
}

/// The same, of a text that stands for the file `path`.
fn parse(text: &str, path: &Path) -> Result<Config, Faults> {
    let reader = reader::Reader::new(text);
    let config = section::config(&reader, path.parent().unwrap_or(Path::new("")));
    let faults = reader.into_faults();
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(Faults::new(path, faults)),
    }
}

/// A whole configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `[node]`
    pub node: Node,
    /// `[eal]`
    pub eal: Eal,
    /// `[[port]]`, in order: `PortId(0)` is the first.
    pub ports: Vec<Port>,
    /// `[worker]` and `[control]`
    pub cores: Cores,
    /// `[[pool]]`
    pub pools: Vec<Pool>,
    /// `[[mag]]`
    pub mags: Vec<Mag>,
    /// `[policy]`
    pub policy: Policy,
    /// `[timer]`
    pub timers: Timers,
    /// `[admin]`
    pub admin: Admin,
    /// `[log]`
    pub log: Log,
    /// `[state]`
    pub state: State,
}

/// Who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// For logs and `anchorctl version`.
    pub name: String,
    /// Where PBUs arrive and tunnels end.
    pub lma_address: AnchorAddr,
}

/// What is handed to DPDK's Environment Abstraction Layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eal {
    /// `--file-prefix`, unique per process.
    pub file_prefix: String,
    /// Hugepages or plain memory (`--no-huge`).
    pub hugepages: bool,
    /// `-m`, in MiB.
    pub memory_mib: u32,
    /// Further arguments, as they stand.
    pub extra: Vec<String>,
    /// Buffers in the packet pool.
    pub mbuf_count: u32,
}

/// What a port is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PortRole {
    /// Towards the gateways: tunnels and signaling.
    Access,
    /// Towards the Internet: plain packets.
    Core,
}

/// A DPDK port and its kernel TAP (same name, same addresses).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Also the name of its TAP: at most 15 bytes.
    pub name: String,
    /// What it is for.
    pub role: PortRole,
    /// `pci = "0000:3b:00.0"` or `vdev = "net_af_packet0,iface=..."`.
    pub device: Device,
    /// Addresses with their prefix lengths, put on the TAP.
    pub addresses: Vec<(Ipv6Addr, u8)>,
    /// In bytes, without the Ethernet header.
    pub mtu: u16,
    /// Descriptors of each receive and transmit queue.
    pub rx_desc: u16,
    /// See `rx_desc`.
    pub tx_desc: u16,
}

/// A DPDK device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// A PCI address.
    Pci(String),
    /// An EAL `--vdev` argument.
    Vdev(String),
}

/// Which CPUs do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cores {
    /// One worker for each CPU named here (a CPU may be named twice in a lab).
    pub worker_cpus: Vec<u16>,
    /// The control core's CPU.
    pub control_cpu: u16,
    /// Spin, or sleep when idle.
    pub polling: Polling,
    /// Entries of each ring between two threads, a power of two.
    pub ring_len: usize,
    /// Frames taken from a queue at once, at most `nic::BURST_MAX`.
    pub rx_burst_max: usize,
}

/// How an idle core waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polling {
    /// Never sleeps (a carrier's machine).
    Busy,
    /// Sleeps for up to `idle_sleep_max` after a run of empty polls (a lab).
    Adaptive {
        /// The longest sleep.
        idle_sleep_max: Duration,
    },
}

/// Prefixes to allocate from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// For `anchorctl pool show`.
    pub name: String,
    /// The whole pool.
    pub prefix: HomePrefix,
    /// Length of each home network prefix.
    pub delegated_len: u8,
}

/// What we know of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mag {
    /// For people.
    pub name: String,
    /// Its Proxy-CoA; also the source of its PBUs.
    pub address: Ipv6Addr,
    /// Whether it may register nodes at all.
    pub authorized: bool,
    /// Home network prefixes it may ask for; any of ours if empty.
    pub prefixes: Vec<HomePrefix>,
    /// Node identifiers it may register, as patterns with `*`; any if empty.
    pub nodes: Vec<String>,
    /// Largest outer packet on the way to it, in bytes.
    pub tunnel_mtu: u16,
}

/// What nodes may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// For nodes that the file does not name; `None`: they are refused (status 153).
    pub default: Option<Profile>,
    /// One node a line; may hold a million.
    pub nodes_file: Option<PathBuf>,
    /// Sessions at most, over all nodes: beyond it status 130.
    pub max_bindings: usize,
}

/// What one node may do.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Profile {
    /// Whether network-based mobility is enabled for it (else status 152).
    pub enabled: bool,
    /// The pool that its prefixes come from; the first one if `None`.
    pub pool: Option<String>,
    /// How many prefixes a session gets when it asks for an allocation.
    pub prefixes: u8,
    /// The longest lifetime granted.
    pub max_lifetime: Duration,
    /// Prefixes that are its own, and that nobody else may have.
    pub static_prefixes: Vec<HomePrefix>,
}

/// RFC 5213 section 9.1 and what comes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timers {
    /// `MinDelayBeforeBCEDelete`, 10 s.
    pub min_delay_before_bce_delete: Duration,
    /// `MaxDelayBeforeNewBCEAssign`, 1.5 s; zero switches the waiting off.
    pub max_delay_before_new_bce_assign: Duration,
    /// `TimestampValidityWindow`, 300 ms.
    pub timestamp_validity_window: Duration,
    /// RFC 5213 section 9.3 `MobileNodeGeneratedTimestampInUse`.
    pub mn_generated_timestamp_in_use: bool,
}

/// The admin socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// Its path; mode 0660.
    pub socket: PathBuf,
    /// Group that may connect besides root and our own user.
    pub group: Option<String>,
}

/// Logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// A `tracing` filter, for instance `info,anchord::control=debug`.
    pub filter: String,
    /// JSON, one object a line, instead of text.
    pub json: bool,
}

/// What outlives the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Where acknowledged bindings are kept.
    pub dir: PathBuf,
}
