//! What can be asked over the admin socket, and what is answered. The method's name is the noun and
//! the verb with a dot (`binding.show`); parameters and results are these types as JSON.

use crate::addr::{HomePrefix, MacAddr, MnId};
use crate::config::{Difference, NodeChanges, PortRole};
use crate::dataplane::update::EntryCounters;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Spoken on connect; both sides refuse another major version.
pub const PROTOCOL_VERSION: u32 = 1;

/// The most rows in one page.
pub const PAGE_MAX: usize = 512;

/// A question for the control core (what the admin thread can answer alone is not here).
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Request {
    BindingShow { filter: BindingFilter, cursor: u64, limit: usize, counters: bool },
    BindingDel { mn_id: MnId, prefix: Option<HomePrefix>, customer: Option<String> },
    RealmDel { realm: MnId, mag: Option<IpAddr> },
    NodeDrain { within_s: Option<u32> },
    NodeServe,
    MagShow,
    MagAdd { address: IpAddr, name: String },
    MagDel { address: IpAddr, revoke: bool },
    PoolShow,
    PortShow,
    WorkerShow,
    DropShow,
    StatsShow,
    NeighborShow,
    CustomerShow,
    PolicyShow,
}

impl Request {
    /// Whether it changes anything, so that it is logged and not asked twice.
    #[must_use]
    pub const fn changes(&self) -> bool {
        matches!(
            self,
            Self::BindingDel { .. }
                | Self::RealmDel { .. }
                | Self::NodeDrain { .. }
                | Self::NodeServe
                | Self::MagAdd { .. }
                | Self::MagDel { .. }
        )
    }
}

/// Which bindings: those to which everything that is named applies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BindingFilter {
    /// Exactly this identifier.
    pub mn_id: Option<MnId>,
    /// Served by this gateway.
    pub mag: Option<IpAddr>,
    /// Holding a prefix that this one covers, or that covers it.
    pub prefix: Option<HomePrefix>,
    /// In the address space of the customer of this name; `-`: in the operator's own.
    pub customer: Option<String>,
}

/// An answer of the control core. The variant is not written: who asked knows what comes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum Reply {
    Bindings(Page<BindingRow>),
    Deleted {
        sessions: usize,
    },
    Mags(Vec<MagRow>),
    Done,
    Pools(Vec<PoolRow>),
    Ports(Vec<PortRow>),
    Workers(Vec<WorkerRow>),
    Drops(Vec<DropRow>),
    Stats(Vec<StatRow>),
    Neighbors(Vec<NeighborRow>),
    Customers(Vec<CustomerRow>),
    Policies(Vec<PolicyRow>),
    /// Refused, with a sentence that says why and what would be right.
    Error(String),
}

/// Some rows, and where the next page begins (`None`: that was all).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Page<T> {
    pub rows: Vec<T>,
    pub next: Option<u64>,
}

/// One mobility session, or one binding of a node that moves by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct BindingRow {
    pub mn_id: MnId,
    /// `proxy`: a gateway registered the node; `home`: it registered itself (RFC 6275); `mip4`: it
    /// did by Mobile IPv4 (RFC 5944), one row for each care-of address.
    pub kind: String,
    /// Of a node that registered itself.
    pub home_address: Option<Ipv6Addr>,
    /// Whose address space its addresses are in; absent: the operator's own.
    pub customer: Option<String>,
    /// The service that was selected.
    pub service: Option<String>,
    /// Home network prefixes; of a node that registered itself what moves with it besides its home
    /// address.
    pub hnp: Vec<HomePrefix>,
    /// IPv4 home address.
    pub ipv4: Option<Ipv4Addr>,
    pub default_router: Option<Ipv4Addr>,
    /// Where its tunnel ends: at its gateway, or at the node itself.
    pub proxy_coa: IpAddr,
    /// Where its gateway, or the node itself, sends from and gets its answers.
    pub mag: IpAddr,
    /// `ip`, `gre`, `udp` or `udp-gre`.
    pub encapsulation: String,
    /// The gateway's UDP port for tunnel packets.
    pub udp_port: Option<u16>,
    /// GRE keys: the gateway's and ours.
    pub downlink_key: Option<u32>,
    pub uplink_key: Option<u32>,
    /// Access Network Identifier, as text.
    pub access_network: Option<String>,
    /// `active` or `deleting`; of a node that registered itself `probing`, `active`, `home` or
    /// `proxied`.
    pub state: String,
    /// The last sequence number, and the flags by their letters, of a node that registered itself.
    pub seq: Option<u16>,
    pub flags: Option<String>,
    pub handoff: u8,
    pub att: u8,
    /// Hexadecimal; absent if the gateway did not tell.
    pub mn_ll_id: Option<String>,
    pub link_local: Option<Ipv6Addr>,
    pub lifetime_s: u32,
    pub lifetime_left_s: u32,
    /// How often it moved to another gateway.
    pub handoffs: u32,
    /// What a node that registered itself is told next of its home link's prefixes (RFC 6275
    /// 10.6.2), if it is told anything.
    pub advertisement: Option<AdvertisementRow>,
    /// Of the home address, per prefix in the order of `hnp`, of the IPv4 home address; absent if
    /// they were not asked for.
    pub counters: Option<Vec<EntryCounters>>,
}

/// A Mobile Prefix Advertisement that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvertisementRow {
    /// In how many seconds.
    pub due_s: u64,
    /// How often the node was told so far, and has not answered.
    pub unanswered: u8,
}

/// One gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct MagRow {
    pub address: IpAddr,
    pub name: String,
    pub authorized: bool,
    pub bindings: usize,
    pub pbu_received: u64,
    pub pba_accepted: u64,
    pub pba_refused: u64,
    pub tunnel_mtu: u16,
    /// Whether it lives, as heartbeats tell: `idle`, `asked`, `reachable`, `missing N`, `failed` or
    /// `unsupported`.
    pub peer: String,
    /// Seconds since it answered a heartbeat last.
    pub answered_s: Option<u64>,
    /// What it says of its restarts.
    pub restart_counter: Option<u32>,
    /// Updates refused with status 130: it sent more than it may, or than there was time for.
    pub refused_busy: u64,
    /// Messages dropped for the same reasons.
    pub dropped: u64,
    /// What was no well-formed message.
    pub malformed: u64,
}

/// One customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CustomerRow {
    pub name: String,
    pub id: u16,
    pub bindings: usize,
    /// Absent: only the limit over all.
    pub max_bindings: Option<usize>,
    pub pools: Vec<String>,
}

/// The policy store outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct PolicyRow {
    pub socket: String,
    /// Whether a program listens there.
    pub connected: bool,
    /// How often one was found.
    pub connections: u64,
    /// Updates that wait for an answer.
    pub waiting: usize,
    /// Questions: put, answered in time, not answered in time.
    pub asked: u64,
    pub answered: u64,
    pub overdue: u64,
    /// Lines that were no answer, and answers to nothing.
    pub unusable: u64,
    pub stray: u64,
}

/// What a reload of the configuration would change, or has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ConfigChanges {
    pub changes: Vec<Difference>,
    /// In the file of nodes.
    pub nodes: NodeChanges,
}

/// One prefix pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct PoolRow {
    pub name: String,
    /// In whose address space; absent: the operator's own.
    pub customer: Option<String>,
    pub prefix: HomePrefix,
    pub delegated_len: u8,
    pub capacity: u64,
    pub used: u64,
}

/// One port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct PortRow {
    pub name: String,
    pub role: PortRole,
    pub device: String,
    pub driver: String,
    pub mac: MacAddr,
    pub mtu: u16,
    pub link_up: bool,
    pub rx_packets: u64,
    pub tx_packets: u64,
    pub rx_missed: u64,
    pub tx_errors: u64,
    /// How signaling reaches the control core: `flow-rule` or `punt-ring`.
    pub signaling: String,
    /// How a packet reaches its worker: `single`, `rss` or `hand-off`.
    pub steering: String,
}

/// One worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct WorkerRow {
    pub worker: u16,
    pub cpu: u16,
    pub rx_packets: u64,
    pub tx_packets: u64,
    pub punted: u64,
    pub handed_off: u64,
    pub drops: u64,
    pub entries: u64,
    pub applied_seq: u64,
    /// Bursts that were not empty, and bursts in all.
    pub busy_polls: u64,
    pub polls: u64,
}

/// One reason to discard a frame, summed over workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct DropRow {
    pub reason: String,
    pub description: String,
    pub packets: u64,
}

/// One counter of the control plane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct StatRow {
    pub name: String,
    pub value: u64,
}

/// One mirrored neighbour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct NeighborRow {
    pub port: String,
    pub address: IpAddr,
    pub mac: Option<MacAddr>,
    pub state: String,
}
