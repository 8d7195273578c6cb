//! The `[config]` of a case.

use super::bu::Home;
use super::mip4::Mip4;
use super::{LMA, LMA_IPV4, mn_id, pbu};
use crate::render::{address, mag};
use anchord::addr::{AnchorAddr, CustomerId, HomePrefix};
use anchord::mobility::Lma;
use anchord::mobility::anchor::Anchor;
use anchord::mobility::auth::AuthKey;
use anchord::mobility::config::{
    CustomerConfig, GrePolicy, LmaConfig, LmaTimers, MagConfig, PeerConfig, Policy, PoolConfig,
    Profile, RESERVED_LINK_LOCAL, ServiceConfig, Source,
};
use anchord::mobility::ha::HomeAgent;
use anchord::mobility::mip4::HomeAgent4;
use anchord::time::Duration;
use anchord::wire::mh::DhcpSupportMode;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// What the anchor is told. `mag1`, `mag2` and `mag3` are authorized for everything, and so are
/// `mag1-v4` to `mag3-v4`, which are gateways with an IPv4 address. The anchor has both families.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::struct_excessive_bools)] // the keys of a file
pub(super) struct Config {
    /// It is a home agent, too.
    home: Option<Home>,
    /// And one of Mobile IPv4.
    mip4: Option<Mip4>,
    pool: HomePrefix,
    delegated_len: u8,
    prefixes: u8,
    ipv6: Family,
    /// Where there is one, nodes may use IPv4.
    pool_ipv4: Option<HomePrefix>,
    ipv4: Family,
    router: Option<Ipv4Addr>,
    max_lifetime: u64,
    refresh_percent: u8,
    default_profile: bool,
    /// Node to its own prefixes; such a node has the default profile besides.
    nodes: BTreeMap<String, Vec<HomePrefix>>,
    disabled: Vec<String>,
    /// Nodes that are not named are asked for; the default profile is what answers begin with.
    asks: bool,
    policy_timeout: f64,
    mags: BTreeMap<String, MagRule>,
    max_bindings: usize,
    delete_delay: f64,
    assign_delay: f64,
    timestamp_window: f64,
    mn_generated_timestamp: bool,
    /// Whether the gateways take part in it, and have their names as identities.
    revocation: bool,
    /// The same, but for those with an IPv4 address.
    heartbeat: bool,
    revoke_at_handoff: bool,
    bri_max_retries: u8,
    accept_forced_udp: bool,
    fixed_link_local: bool,
    first_gre_key: u32,
    gre: Gre,
    dhcp_server: Option<bool>,
    keys: Vec<Key>,
    /// By name; numbered from 1 in the order of their names.
    customers: BTreeMap<String, Customer>,
    /// By name. All nodes may select all of them but `denied`.
    services: BTreeMap<String, Service>,
}

/// Where addresses of a family come from.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Family {
    Pool,
    Own,
    Denied,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Gre {
    #[default]
    Allowed,
    KeysRequired,
    NotUsed,
}

/// A key of RFC 4285; the secret is made of the SPI.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    spi: u32,
    /// Seconds; absent: no replay protection is demanded.
    window: Option<u64>,
}

/// What a gateway may do, where it is not everything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MagRule {
    authorized: bool,
    prefixes: Vec<HomePrefix>,
    nodes: Vec<String>,
    identity: Option<String>,
    customer: Option<String>,
    gre: Gre,
    keys: Vec<Key>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Customer {
    realms: Vec<String>,
    mags: Vec<String>,
    pool: Option<HomePrefix>,
    pool_ipv4: Option<HomePrefix>,
    nodes: BTreeMap<String, Vec<HomePrefix>>,
    max_bindings: Option<usize>,
    gre: Gre,
    keys: Vec<Key>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Service {
    customer: Option<String>,
    pool: Option<HomePrefix>,
}

impl Default for Config {
    fn default() -> Self {
        let timers = LmaTimers::default();
        Self {
            home: None,
            mip4: None,
            pool: "2001:db8:a000::/48".parse().expect("a prefix"),
            delegated_len: 64,
            prefixes: 1,
            ipv6: Family::Pool,
            pool_ipv4: None,
            ipv4: Family::Pool,
            router: None,
            max_lifetime: 3600,
            refresh_percent: 100,
            default_profile: true,
            nodes: BTreeMap::new(),
            disabled: Vec::new(),
            asks: false,
            policy_timeout: timers.policy_timeout.as_secs_f64(),
            mags: BTreeMap::new(),
            max_bindings: 1000,
            delete_delay: timers.min_delay_before_bce_delete.as_secs_f64(),
            assign_delay: timers.max_delay_before_new_bce_assign.as_secs_f64(),
            timestamp_window: timers.timestamp_validity_window.as_secs_f64(),
            mn_generated_timestamp: timers.mn_generated_timestamp_in_use,
            revocation: false,
            heartbeat: false,
            revoke_at_handoff: false,
            bri_max_retries: timers.bri_max_retries,
            accept_forced_udp: false,
            fixed_link_local: false,
            first_gre_key: 1,
            gre: Gre::default(),
            dhcp_server: None,
            keys: Vec::new(),
            customers: BTreeMap::new(),
            services: BTreeMap::new(),
        }
    }
}

impl Default for MagRule {
    fn default() -> Self {
        Self {
            authorized: true,
            prefixes: Vec::new(),
            nodes: Vec::new(),
            identity: None,
            customer: None,
            gre: Gre::default(),
            keys: Vec::new(),
        }
    }
}

impl From<Gre> for GrePolicy {
    fn from(gre: Gre) -> Self {
        match gre {
            Gre::Allowed => Self::Allowed,
            Gre::KeysRequired => Self::KeysRequired,
            Gre::NotUsed => Self::NotUsed,
        }
    }
}

/// The pools of a configuration while it is made.
#[derive(Debug, Default)]
struct Pools(Vec<PoolConfig>);

impl Pools {
    fn add(&mut self, pool: PoolConfig) -> Source {
        self.0.push(pool);
        Source::Pool(self.0.len() - 1)
    }
}

impl Config {
    pub(super) fn anchor(&self) -> Anchor {
        let ha = self.home.as_ref().map(Home::config).unwrap_or_default();
        let mip4 = self.mip4.as_ref().map(Mip4::config).unwrap_or_default();
        let anchor = Anchor::new(Lma::new(self.lma()), HomeAgent::new(ha));
        anchor.with_mip4(HomeAgent4::new(mip4))
    }

    pub(super) fn lma(&self) -> LmaConfig {
        let mut pools = Pools::default();
        let profile = self.profile(&mut pools);
        let mut policy = if self.asks {
            Policy::asking(profile.clone())
        } else {
            Policy::new(self.default_profile.then(|| profile.clone()))
        };
        for (node, prefixes) in &self.nodes {
            policy.insert(mn_id(node), profile.clone(), prefixes);
        }
        for node in &self.disabled {
            policy.insert(mn_id(node), Profile { enabled: false, ..profile.clone() }, &[]);
        }
        let operator = CustomerConfig {
            policy,
            gre: self.gre.into(),
            auth: keys(&self.keys),
            dhcp_mode: self.dhcp_server.map(|server| {
                if server { DhcpSupportMode::Server } else { DhcpSupportMode::Relay }
            }),
            ..CustomerConfig::default()
        };
        let others = self.customers.values().zip(1_u16..);
        let others = others.map(|(c, id)| c.config(CustomerId(id), &profile, &mut pools));
        let customers = std::iter::once(operator).chain(others).collect();
        let services = self.services.iter().map(|(name, s)| ServiceConfig {
            name: name.clone(),
            customer: s.customer.as_ref().map(|c| self.customer(c)),
            profile: s.pool.map(|pool| Profile {
                ipv6: pools.add(PoolConfig::new(pool, 64)),
                ..profile.clone()
            }),
        });
        LmaConfig {
            lma_address_ipv4: Some(LMA_IPV4),
            services: services.collect(),
            timers: LmaTimers {
                min_delay_before_bce_delete: Duration::from_secs_f64(self.delete_delay),
                max_delay_before_new_bce_assign: Duration::from_secs_f64(self.assign_delay),
                timestamp_validity_window: Duration::from_secs_f64(self.timestamp_window),
                mn_generated_timestamp_in_use: self.mn_generated_timestamp,
                revoke_at_handoff: self.revoke_at_handoff,
                bri_max_retries: self.bri_max_retries,
                policy_timeout: Duration::from_secs_f64(self.policy_timeout),
                ..LmaTimers::default()
            },
            fixed_link_local: self.fixed_link_local.then_some(RESERVED_LINK_LOCAL),
            accept_forced_udp: self.accept_forced_udp,
            first_gre_key: self.first_gre_key,
            mags: (1..=3)
                .flat_map(|n| [format!("mag{n}"), format!("mag{n}-v4")])
                .map(|name| self.mag(&name))
                .collect(),
            max_bindings: self.max_bindings,
            max_prefixes: 9 * (self.max_bindings + 1),
            customers,
            pools: pools.0,
            ..LmaConfig::new(AnchorAddr(address(LMA)), Policy::default())
        }
    }

    fn profile(&self, pools: &mut Pools) -> Profile {
        let source = |family, pool: Option<PoolConfig>, pools: &mut Pools| match (family, pool) {
            (Family::Denied, _) | (_, None) => Source::Denied,
            (Family::Own, Some(pool)) => {
                pools.add(pool);
                Source::Own
            }
            (Family::Pool, Some(pool)) => pools.add(pool),
        };
        let ipv4 = |p| PoolConfig { default_router: self.router, ..PoolConfig::new(p, 128) };
        Profile {
            prefixes: self.prefixes,
            ipv6: source(self.ipv6, Some(PoolConfig::new(self.pool, self.delegated_len)), pools),
            ipv4: source(self.ipv4, self.pool_ipv4.map(ipv4), pools),
            refresh_percent: self.refresh_percent,
            services: (0..)
                .zip(self.services.keys())
                .filter(|s| s.1 != "denied")
                .map(|s| s.0)
                .collect(),
            ..Profile::ipv6(0, Duration::from_secs(self.max_lifetime))
        }
    }

    fn mag(&self, name: &str) -> MagConfig {
        let everything = MagRule::default();
        let rule = self.mags.get(name).unwrap_or(&everything);
        MagConfig {
            authorized: rule.authorized,
            prefixes: rule.prefixes.clone(),
            nodes: rule.nodes.clone(),
            peer: PeerConfig {
                heartbeat: self.heartbeat && !name.ends_with("-v4"),
                revocation: self.revocation,
                revocation_identity: rule.identity.as_deref().map(mn_id),
            },
            customer: rule.customer.as_ref().map(|c| self.customer(c)),
            gre: rule.gre.into(),
            auth: keys(&rule.keys),
            ..MagConfig::new(mag(name))
        }
    }

    fn customer(&self, name: &str) -> CustomerId {
        let place = self.customers.keys().position(|c| c == name).expect("a customer");
        CustomerId(u16::try_from(place + 1).expect("few"))
    }
}

impl Customer {
    fn config(&self, id: CustomerId, of_operator: &Profile, pools: &mut Pools) -> CustomerConfig {
        let mut source = |pool: Option<HomePrefix>, len| {
            let own = |prefix| PoolConfig { customer: id, ..PoolConfig::new(prefix, len) };
            pool.map_or(Source::Denied, |p| pools.add(own(p)))
        };
        let profile = Profile {
            ipv6: source(self.pool, 64),
            ipv4: source(self.pool_ipv4, 128),
            ..of_operator.clone()
        };
        let mut policy = Policy::new(Some(profile.clone()));
        for (node, prefixes) in &self.nodes {
            policy.insert(mn_id(node), profile.clone(), prefixes);
        }
        CustomerConfig {
            realms: self.realms.clone(),
            mags: self.mags.iter().map(|m| mag(m)).collect(),
            policy,
            max_bindings: self.max_bindings.unwrap_or(usize::MAX),
            gre: self.gre.into(),
            auth: keys(&self.keys),
            dhcp_mode: None,
        }
    }
}

fn keys(keys: &[Key]) -> Vec<AuthKey> {
    let key = |k: &Key| AuthKey {
        spi: k.spi,
        secret: pbu::secret(k.spi).into(),
        replay_window: k.window.map(Duration::from_secs),
    };
    keys.iter().map(key).collect()
}
