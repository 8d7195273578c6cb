//! What the operator decides, as plain data: `control` translates the configuration file into it.
//!
//! ```text
//!   LmaConfig -+- customers[0]: the operator -+- policy: node -> Profile -+- pools by number
//!              |           [1]: ...           +- gateways, limit, keys    +- services by number
//!              +- services    (RFC 5149)      +- realms
//!              +- mags        (RFC 5213 4)
//!              +- pools       (each a customer's)
//! ```

mod policy;

pub(crate) use policy::Standing;
pub use policy::{Policy, Profile, Source};

use crate::addr::{AnchorAddr, CustomerId, HomePrefix, MnId};
use crate::mobility::auth::AuthKey;
use crate::time::Duration;
use crate::wire::mh::DhcpSupportMode;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Everything that the anchor's core is told before its first event.
#[derive(Debug, Clone)]
pub struct LmaConfig {
    /// LMAA: the tunnels' near end. Also seeds the link-local addresses that we generate.
    pub lma_address: AnchorAddr,
    /// IPv4-LMAA (RFC 5844 4.1.2): the near end of tunnels over IPv4. Without it there are none.
    pub lma_address_ipv4: Option<Ipv4Addr>,
    /// RFC 5213 section 9.1 and 9.3.
    pub timers: LmaTimers,
    /// What is answered to a gateway that asks for its address on the link to the node; one of our
    /// own making for each session if `None`. RFC 6543: [`RESERVED_LINK_LOCAL`].
    pub fixed_link_local: Option<Ipv6Addr>,
    /// `AcceptForcedIPv4UDPEncapsulationRequest` (RFC 5844 5.1); the TLV-header goes with it.
    pub accept_forced_udp: bool,
    /// The first uplink GRE key (RFC 5845 3.3.1); the others follow. Anchors that serve the same
    /// gateways may be told apart by it.
    pub first_gre_key: u32,
    /// Pools; those of one customer do not overlap. A [`Profile`] names one by its place here.
    pub pools: Vec<PoolConfig>,
    /// The gateways that may speak to us.
    pub mags: Vec<MagConfig>,
    /// The customers, by their [`CustomerId`]. The first is the operator itself.
    pub customers: Vec<CustomerConfig>,
    /// What gateways may select (RFC 5149). A [`Profile`] names one by its place here.
    pub services: Vec<ServiceConfig>,
    /// Sessions at most, over all nodes: beyond it status 130.
    pub max_bindings: usize,
    /// Prefixes and IPv4 home addresses at most, over all sessions: what the workers' tables hold.
    /// Beyond it status 130.
    pub max_prefixes: usize,
}

impl LmaConfig {
    /// An anchor without customers, pools and gateways; its nodes do as `policy` says, as many as
    /// there may be.
    #[must_use]
    pub fn new(lma_address: AnchorAddr, policy: Policy) -> Self {
        Self {
            lma_address,
            lma_address_ipv4: None,
            timers: LmaTimers::default(),
            fixed_link_local: None,
            accept_forced_udp: false,
            first_gre_key: 1,
            pools: Vec::new(),
            mags: Vec::new(),
            customers: vec![CustomerConfig { policy, ..CustomerConfig::default() }],
            services: Vec::new(),
            max_bindings: usize::MAX,
            max_prefixes: usize::MAX,
        }
    }
}

/// The link-local address with the interface identifier that is reserved for gateways (RFC 6543 1).
pub const RESERVED_LINK_LOCAL: Ipv6Addr =
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0x200, 0x5eff, 0xfe00, 0x5213);

/// The protocol's variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LmaTimers {
    /// `MinDelayBeforeBCEDelete`.
    pub min_delay_before_bce_delete: Duration,
    /// `MaxDelayBeforeNewBCEAssign`; zero creates new sessions without waiting (5.4.1.2 (4)).
    pub max_delay_before_new_bce_assign: Duration,
    /// `TimestampValidityWindow`.
    pub timestamp_validity_window: Duration,
    /// `MobileNodeGeneratedTimestampInUse`.
    pub mn_generated_timestamp_in_use: bool,
    /// `BRIMaxRetriesNumber` (RFC 5846 11).
    pub bri_max_retries: u8,
    /// `InitMINDelayBRIs` (RFC 5846 11).
    pub init_min_delay_bris: Duration,
    /// `MAX_BRACK_TIMEOUT` (RFC 5846 11).
    pub max_brack_timeout: Duration,
    /// Whether the previous gateway is told of every handoff, not only asked in case of doubt.
    pub revoke_at_handoff: bool,
    /// `HEARTBEAT_INTERVAL` (RFC 5847 5).
    pub heartbeat_interval: Duration,
    /// `MISSING_HEARTBEATS_ALLOWED` (RFC 5847 5).
    pub missing_heartbeats_allowed: u32,
    /// How long an update waits for the policy store.
    pub policy_timeout: Duration,
}

impl Default for LmaTimers {
    /// The RFCs' defaults; of the policy store, one that is over before a gateway has sent three
    /// times.
    fn default() -> Self {
        Self {
            min_delay_before_bce_delete: Duration::from_secs(10),
            max_delay_before_new_bce_assign: Duration::from_millis(1_500),
            timestamp_validity_window: Duration::from_millis(300),
            mn_generated_timestamp_in_use: false,
            bri_max_retries: 1,
            init_min_delay_bris: Duration::from_secs(1),
            max_brack_timeout: Duration::from_secs(2),
            revoke_at_handoff: false,
            heartbeat_interval: Duration::from_secs(60),
            missing_heartbeats_allowed: 3,
            policy_timeout: Duration::from_secs(2),
        }
    }
}

/// Prefixes or IPv4 home addresses to allocate from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolConfig {
    /// Whose address space it lies in.
    pub customer: CustomerId,
    /// The whole pool. Of IPv4 it is the home network of its nodes (RFC 5844 3.1.2.6), of which the
    /// first and the last address are not given out unless its length is 31 or 32.
    pub prefix: HomePrefix,
    /// Length of each home network prefix; at least that of `prefix`, at most 128. For IPv4 128.
    pub delegated_len: u8,
    /// IPv4 only: the nodes' default router (RFC 5844 3.3.3); not given out. Without it nodes are
    /// told the first address of the pool after that of the network.
    pub default_router: Option<Ipv4Addr>,
}

impl PoolConfig {
    /// Prefixes of the length `delegated_len` in the operator's own address space.
    #[must_use]
    pub fn new(prefix: HomePrefix, delegated_len: u8) -> Self {
        Self { customer: CustomerId::default(), prefix, delegated_len, default_router: None }
    }
}

/// What a gateway may do (RFC 5213 section 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MagConfig {
    /// Its Proxy-CoA, and the source of its PBUs; IPv4-mapped if it is IPv4. A gateway with an
    /// Alternate Care-of Address of its own is configured once for each of the two.
    pub address: Ipv6Addr,
    /// Whether it may register nodes at all.
    pub authorized: bool,
    /// The prefixes and IPv4 networks it may serve; any if empty.
    pub prefixes: Vec<HomePrefix>,
    /// Identifiers of the nodes it may serve, as patterns where `*` is any run of bytes; any if
    /// empty.
    pub nodes: Vec<String>,
    /// Whose nodes it serves where the realm of the identifier does not tell; the operator's if
    /// `None`.
    pub customer: Option<CustomerId>,
    /// Whether its sessions use GRE. What is required by it or by the customer is required.
    pub gre: GrePolicy,
    /// Its keys (RFC 4285). If there are any, here or at the customer, all its messages are to be
    /// authenticated.
    pub auth: Vec<AuthKey>,
    /// What it takes part in besides.
    pub peer: PeerConfig,
}

/// What a gateway takes part in besides registrations; by default in nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerConfig {
    /// Whether it is asked by heartbeats whether it lives (RFC 5847).
    pub heartbeat: bool,
    /// Whether sessions are revoked at it (RFC 5846).
    pub revocation: bool,
    /// The identity by which it may revoke all its sessions at once (RFC 5846 8.2); it may not if
    /// `None`.
    pub revocation_identity: Option<MnId>,
}

impl MagConfig {
    /// A gateway that may register all nodes of the operator.
    #[must_use]
    pub fn new(address: Ipv6Addr) -> Self {
        Self {
            address,
            authorized: true,
            prefixes: Vec::new(),
            nodes: Vec::new(),
            customer: None,
            gre: GrePolicy::default(),
            auth: Vec::new(),
            peer: PeerConfig::default(),
        }
    }
}

/// A customer: a virtual operator with an address space of its own.
#[derive(Debug, Clone)]
pub struct CustomerConfig {
    /// Realms of its nodes' NAIs (what follows the last `@`), in any case of letters.
    pub realms: Vec<String>,
    /// The gateways that may register nodes in it; all if empty.
    pub mags: Vec<Ipv6Addr>,
    /// Its nodes.
    pub policy: Policy,
    /// Sessions at most in its address space: beyond it status 130.
    pub max_bindings: usize,
    /// Whether its sessions use GRE.
    pub gre: GrePolicy,
    /// Keys of its gateways, for those that have none of their own (RFC 4285).
    pub auth: Vec<AuthKey>,
    /// What gateways are to be for DHCP (RFC 5844 3.3.4); they are not told if `None`.
    pub dhcp_mode: Option<DhcpSupportMode>,
}

impl Default for CustomerConfig {
    /// Without nodes; no limit but the anchor's.
    fn default() -> Self {
        Self {
            realms: Vec::new(),
            mags: Vec::new(),
            policy: Policy::default(),
            max_bindings: usize::MAX,
            gre: GrePolicy::default(),
            auth: Vec::new(),
            dhcp_mode: None,
        }
    }
}

/// A service that a gateway may select for a session (RFC 5149).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceConfig {
    /// Its identifier, as it stands in the option.
    pub name: String,
    /// Whose address space its sessions are in; that of the node's own customer if `None`.
    pub customer: Option<CustomerId>,
    /// What its sessions get; what the node would get otherwise if `None`.
    pub profile: Option<Profile>,
}

/// Whether sessions use GRE (RFC 5845).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GrePolicy {
    /// If the gateway asks for it.
    #[default]
    Allowed,
    /// With keys, else status 163.
    KeysRequired,
    /// Never: a gateway that asks gets status 2.
    NotUsed,
}
