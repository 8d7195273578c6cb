//! What the operator decides of a home agent, as plain data.

use crate::addr::{CustomerId, HomePrefix, MnId, Protection};
use crate::mobility::auth::AuthKey;
use crate::time::{Duration, Lifetime};
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Everything that a home agent is told before its first event.
#[derive(Debug, Clone)]
pub struct HaConfig {
    /// Whether it serves at all; if not, home registrations are refused with status 131.
    pub enabled: bool,
    /// Where binding updates arrive and tunnels end.
    pub address: Ipv6Addr,
    /// The same for nodes in IPv4 networks (RFC 5555); without it they are not served.
    pub address_ipv4: Option<Ipv4Addr>,
    /// The home links.
    pub links: Vec<HomeLink>,
    /// The nodes.
    pub nodes: Vec<HomeNode>,
    /// How it goes together with the local mobility anchor.
    pub interworking: Interworking,
    /// Bindings at most, over all nodes: beyond it status 130.
    pub max_bindings: usize,
    /// The longest lifetime granted.
    pub max_lifetime: Duration,
    /// How long the entry of a node that came home is kept, marked as invalid, so that the node is
    /// not taken for a duplicate of its own address (RFC 6275 10.3.2).
    pub delete_delay: Duration,
    /// How often nodes behind a NAT refresh its state (RFC 5555 6.4), in seconds.
    pub nat_keepalive_s: u32,
    /// Whether mobile prefix advertisements are sent (RFC 6275 8.4).
    pub prefix_advertisements: bool,
    /// `MinMobPfxAdvInterval` (RFC 6275 13): what nobody has asked for is not sent earlier.
    pub min_advertisement_interval: Duration,
    /// `MaxMobPfxAdvInterval`: nor later, after a registration or a change.
    pub max_advertisement_interval: Duration,
    /// New nodes a second at most that are told by a Home Agent Switch (RFC 5142 7 and 8).
    pub switch_rate: u32,
    /// Whether a node whose binding is about to end is asked to refresh it (RFC 6275 9.5.5).
    pub refresh_requests: bool,
}

impl Default for HaConfig {
    /// One that does not serve.
    fn default() -> Self {
        Self {
            enabled: false,
            address: Ipv6Addr::UNSPECIFIED,
            address_ipv4: None,
            links: Vec::new(),
            nodes: Vec::new(),
            interworking: Interworking::Independent,
            max_bindings: usize::MAX,
            max_lifetime: Lifetime(u16::MAX).duration(),
            delete_delay: Duration::from_secs(10),
            nat_keepalive_s: 110,
            prefix_advertisements: true,
            min_advertisement_interval: Duration::from_secs(600),
            max_advertisement_interval: Duration::from_secs(86_400),
            switch_rate: 1,
            refresh_requests: false,
        }
    }
}

/// A home link at a port, by the number of the port: whatever links come and go, it is the same
/// one. Virtual links have no name, there is nothing to be done on them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct LinkId(pub u16);

/// An address on a home link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LinkAddress {
    /// Which link.
    pub link: LinkId,
    /// The address; it may be link-local.
    pub address: Ipv6Addr,
}

/// A home link: a subnet of nodes that are at home there, on a port or nowhere (a virtual one).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeLink {
    /// Whose address space it is in.
    pub customer: CustomerId,
    /// Its prefixes; none is listed on another link.
    pub prefixes: Vec<LinkPrefix>,
    /// Whether each node has a prefix of its own out of them, which moves with it if it sets the R
    /// flag (RFC 6612 4.2.1): its length. Else nodes share the subnet.
    pub per_node_len: Option<u8>,
    /// The port that has it, and has no other; `None`: it is virtual, there is nobody to probe, and
    /// nobody to defend addresses against.
    pub id: Option<LinkId>,
    /// The preference with which it is listed (RFC 6275 7.4).
    pub preference: i16,
}

/// A prefix of a home link and how long it is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkPrefix {
    /// The prefix.
    pub prefix: HomePrefix,
    /// Our address in it, listed with the preference; the home agent's address if there is none on
    /// the whole link.
    pub address: Option<Ipv6Addr>,
    /// Seconds, from the moment at which it is configured; for ever if `None`.
    pub valid_lifetime_s: Option<u32>,
    /// Seconds, likewise, not above the valid lifetime.
    pub preferred_lifetime_s: Option<u32>,
}

/// A node that may register, and by what it is known.
#[derive(Debug, Clone)]
pub struct HomeNode {
    /// Who it is: the same identifier as in proxy binding updates.
    pub mn_id: MnId,
    /// Whose node it is.
    pub customer: CustomerId,
    /// The home address that it has to register; any that its prefix or nobody has, if `None`.
    pub home_address: Option<Ipv6Addr>,
    /// Its IPv4 home address (RFC 5555); one of a pool, if it asks for one and this is `None`.
    pub ipv4_home_address: Option<Ipv4Addr>,
    /// The prefixes of the networks that move with it (the Prefix Table of RFC 3963 6.1.2).
    pub mobile_networks: Vec<HomePrefix>,
    /// What its messages have to prove.
    pub proof: Proof,
}

/// By what a message is known to be a node's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// It came in ESP, by the security association of its home address (RFC 6275 5.1). What of the
    /// node's tunnel is in ESP, too, if anything.
    Esp(Option<Protection>),
    /// It is authenticated by one of these keys (RFC 4285).
    Keys(Vec<AuthKey>),
    /// Nothing: whoever knows the home address may move it. For laboratories.
    Nothing,
}

/// How home agent and local mobility anchor go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interworking {
    /// Two bindings of a node do not know of each other; that of the home agent comes first
    /// (RFC 6612 4.2).
    #[default]
    Independent,
    /// One entry for both, found by home address and identifier, that either protocol takes over
    /// (section 4.3 of the draft before RFC 6612).
    Combined,
}
