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
mod diff;
mod duration;
mod fault;
mod home_agent;
mod key;
mod live;
pub mod mag;
mod mip4;
pub mod mn;
mod mn4;
mod node_entry;
mod node_table;
mod nodes;
mod peer;
mod reader;
mod render;
mod section;
mod tunnel;
mod value;

#[cfg(test)]
mod tests;

pub use diff::{Difference, differences};
pub use fault::{Fault, Faults};
pub use home_agent::{HomeAgent, HomeLink, HomeNode, HomeProof};
pub use key::AuthKey;
pub use live::put_in_force;
pub use mip4::{Mip4, Mip4Auth, Mip4ForeignAgent, Mip4Keys};
pub use node_entry::NodeEntry;
pub use node_table::{NodeChanges, NodeTable};
pub use nodes::load_nodes;
pub use peer::{MagPeer, PeerTimers, SIGNALING_RATE, advice};
pub use render::render;
pub use section::default_profile;
pub use tunnel::{Dscp, Ecn, Tunnel};

use crate::addr::{AnchorAddr, CustomerId, HomePrefix};
use crate::time::Duration;
use crate::wire::mh::DhcpSupportMode;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

/// Reads and validates a whole file.
///
/// A relative `policy.nodes_file` is taken from the directory of `path`; what it holds is read by
/// [`load_nodes`].
pub fn load(path: &Path) -> Result<Config, Faults> {
    parse(&reader::text(path)?, path)
}

/// The same, of a text that stands for the file `path`.
fn parse(text: &str, path: &Path) -> Result<Config, Faults> {
    reader::Reader::read(text, path, section::config)
}

/// A whole configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `[node]`
    pub node: Node,
    /// `[eal]`
    pub eal: Eal,
    /// `[[port]]`: those with a device, then VLANs, each in the file's order; `PortId(0)` is the
    /// first.
    pub ports: Vec<Port>,
    /// `[worker]` and `[control]`
    pub cores: Cores,
    /// `[[customer]]`
    pub customers: Vec<Customer>,
    /// `[[service]]`
    pub services: Vec<Service>,
    /// `[[pool]]`
    pub pools: Vec<Pool>,
    /// `[[mag]]`
    pub mags: Vec<Mag>,
    /// `[policy]`
    pub policy: Policy,
    /// `[home_agent]`; `None`: we are none.
    pub home_agent: Option<HomeAgent>,
    /// `[mip4]`; `None`: we are no home agent of Mobile IPv4.
    pub mip4: Option<Mip4>,
    /// `[timer]`
    pub timers: Timers,
    /// `[tunnel]`.
    pub tunnel: Tunnel,
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
    /// The same over IPv4 (RFC 5844 section 4); `None`: no IPv4 transport.
    pub lma_address_ipv4: Option<Ipv4Addr>,
    /// `AcceptForcedIPv4UDPEncapsulationRequest` (RFC 5844 5.1).
    pub accept_forced_udp: bool,
    /// Gateways that ask for their link-local address get the reserved one (RFC 6543), else one of
    /// our own making.
    pub fixed_link_local: bool,
    /// The first GRE key that we give out.
    pub first_gre_key: u32,
    /// What gateways are told to be for the DHCP of nodes that are no customer's (RFC 5844 3.3.4).
    pub dhcp: Option<DhcpSupportMode>,
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

/// A port and its kernel TAP (same name, same addresses).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Also the name of its TAP: at most 15 bytes.
    pub name: String,
    /// What it is for; a VLAN's is that of its parent.
    pub role: PortRole,
    /// What moves its frames.
    pub device: Device,
    /// Whose correspondents are behind it; the operator's own if `None`. Only with role core.
    pub customer: Option<String>,
    /// Addresses with their prefix lengths, put on the TAP; IPv4 as IPv4-mapped, 96 bits longer.
    pub addresses: Vec<(Ipv6Addr, u8)>,
    /// In bytes, without the Ethernet header and VLAN tag.
    pub mtu: u16,
    /// Descriptors of each receive and transmit queue; a VLAN's are those of its parent.
    pub rx_desc: u16,
    /// See `rx_desc`.
    pub tx_desc: u16,
}

impl Port {
    /// Whether it has a device of its own.
    #[must_use]
    pub const fn is_physical(&self) -> bool {
        !matches!(self.device, Device::Vlan { .. })
    }
}

/// What moves a port's frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// A PCI address.
    Pci(String),
    /// An EAL `--vdev` argument.
    Vdev(String),
    /// A VLAN (IEEE 802.1Q) of another port, which has a device.
    Vlan {
        /// The other port's name.
        parent: String,
        /// VLAN identifier, 1 to 4094.
        vlan: u16,
    },
}

/// Which CPUs do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cores {
    /// One worker for each CPU named here (a CPU may be named twice in a lab).
    pub worker_cpus: Vec<u16>,
    /// The control core's CPU.
    pub control_cpu: u16,
    /// Messages a second that it hears of all who are no `[[mag]]`: mobile nodes, and strangers.
    pub node_rate: u32,
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

/// A virtual operator: its own address space, pools, gateways and limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// For people.
    pub name: String,
    /// What bindings are kept under, so that it may move in the file; 1 to [`CUSTOMER_ID_MAX`].
    pub id: CustomerId,
    /// Realms of the identifiers of its nodes.
    pub realms: Vec<String>,
    /// Names of the gateways that may register its nodes; any if empty.
    pub mags: Vec<String>,
    /// What gateways are to be for DHCP (RFC 5844 3.3.4); they are not told if `None`.
    pub dhcp: Option<DhcpSupportMode>,
    /// Sessions at most; only the limit over all if `None`.
    pub max_bindings: Option<usize>,
    /// What gateways may ask for its nodes.
    pub gre: GreUse,
    /// The DSCP of its nodes' tunnel packets; that of `[tunnel]` if `None`.
    pub dscp: Option<u8>,
    /// Authenticate what gateways without keys of their own say of its nodes (RFC 4285).
    pub auth: Vec<Auth>,
}

/// The highest [`Customer::id`].
pub const CUSTOMER_ID_MAX: u16 = 1023;

/// GRE encapsulation with keys (RFC 5845).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GreUse {
    /// Not used, even if asked for.
    Off,
    /// Where the gateway asks for it.
    Allowed,
    /// A registration that does not ask for keys is refused (status 163).
    Required,
}

/// Keys for the Mobility Message Authentication option (RFC 4285).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Auth {
    /// Mobility SPI, 256 or more.
    pub spi: u32,
    /// Where the key is.
    pub key_file: PathBuf,
    /// What the file holds.
    pub key: AuthKey,
    /// Messages must have a Replay Protection option, and its time is so far from ours at most.
    pub replay_window: Option<Duration>,
}

/// What a session gets for which a service (RFC 5149) is selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// As the Service Selection option says it.
    pub name: String,
    /// In whose address space it is; that of the node's customer if `None`.
    pub customer: Option<String>,
    /// In place of the node's own profile.
    pub profile: Option<Profile>,
}

/// Which home addresses a session may have (RFC 5844 3.1.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Families {
    /// Home network prefixes and an IPv4 home address.
    Both,
    /// Home network prefixes.
    Ipv6,
    /// An IPv4 home address.
    Ipv4,
}

/// Home network prefixes or IPv4 home addresses to allocate from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// For `anchorctl pool show`.
    pub name: String,
    /// In whose address space; the operator's own if `None`.
    pub customer: Option<String>,
    /// The whole pool.
    pub prefix: HomePrefix,
    /// Length of each home network prefix; 128 for IPv4.
    pub delegated_len: u8,
    /// What nodes are told to send to (RFC 5844 3.3.3); only for IPv4, and then always there.
    pub default_router: Option<Ipv4Addr>,
    /// The kernel's table from which routing daemons advertise it; nothing is put there if `None`.
    pub route_table: Option<u32>,
}

/// The table of the operator's own pools, unless another is named: the host's own look-ups do not
/// come there.
pub const ROUTE_TABLE: u32 = 213;

impl Pool {
    /// Whether it gives out IPv4 home addresses.
    #[must_use]
    pub const fn is_ipv4(&self) -> bool {
        self.default_router.is_some()
    }
}

/// What we know of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mag {
    /// For people.
    pub name: String,
    /// Its Proxy-CoA; also the source of its PBUs. IPv4 (RFC 5844 section 4) as IPv4-mapped.
    pub address: Ipv6Addr,
    /// Further addresses that its PBUs may come from, or its tunnels end at: of the other family,
    /// of the NAT before it, of a user plane apart from signaling (RFC 7389).
    pub more_addresses: Vec<Ipv6Addr>,
    /// Whose nodes it serves where the realm of their identifier does not tell.
    pub customer: Option<String>,
    /// Whether it may register nodes at all.
    pub authorized: bool,
    /// Home network prefixes and IPv4 prefixes it may ask for; any of ours if empty.
    pub prefixes: Vec<HomePrefix>,
    /// Node identifiers it may register, as patterns with `*`; any if empty.
    pub nodes: Vec<String>,
    /// Largest outer packet on the way to it, in bytes.
    pub tunnel_mtu: u16,
    /// Whether it may ask for GRE.
    pub gre: GreUse,
    /// Authenticate what it says (RFC 4285).
    pub auth: Vec<Auth>,
    /// What it takes part in besides registrations.
    pub peer: MagPeer,
}

/// What nodes may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// For nodes that the file does not name; `None`: they are refused (status 153).
    pub default: Option<Profile>,
    /// One node a line; may hold a million.
    pub nodes_file: Option<PathBuf>,
    /// Who is asked for nodes that the file does not name; what it leaves out is `default`'s.
    pub store: Option<PolicyStore>,
    /// Sessions at most, over all nodes: beyond it status 130.
    pub max_bindings: usize,
}

/// A program that is asked what nodes may do (`docs/policy-protocol.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyStore {
    /// Where it listens.
    pub socket: PathBuf,
    /// How long an update waits for its answer: then status 130.
    pub timeout: Duration,
}

/// What one node may do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Profile {
    /// Whether network-based mobility is enabled for it (else status 152).
    pub enabled: bool,
    /// Which home addresses its sessions may have.
    pub families: Families,
    /// The pool that its prefixes come from; the first one of its customer if `None`.
    pub pool: Option<String>,
    /// The pool that its IPv4 home address comes from; the first one of its customer if `None`.
    pub pool_ipv4: Option<String>,
    /// How many prefixes a session gets when it asks for an allocation.
    pub prefixes: u8,
    /// The longest lifetime granted.
    pub max_lifetime: Duration,
    /// After so many percent of the lifetime gateways are advised to refresh; 100: they are not.
    pub refresh_percent: u8,
    /// Services that it may select (RFC 5149); all if `None`.
    pub services: Option<Vec<String>>,
    /// Prefixes that are its own, and that nobody else may have.
    pub static_prefixes: Vec<HomePrefix>,
    /// The IPv4 home address that is its own, and that nobody else may have.
    pub static_ipv4: Option<Ipv4Addr>,
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
    /// Revocation and heartbeats.
    pub peers: PeerTimers,
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
