//! The pure core's configuration.
//!
//! ```text
//!   [policy.default] --for each customer, with its own pools--> its nodes that are not named
//!   nodes file       --by realm or by name------------------->  its nodes that are
//! ```

use super::{customer, ha, mag_addresses, max_prefixes, mip4};
use crate::addr::{CustomerId, HomePrefix};
use crate::config::{self, Auth, Config, Families, GreUse, NodeTable};
use crate::mobility::auth::AuthKey;
use crate::mobility::config::{
    CustomerConfig, GrePolicy, LmaConfig, LmaTimers, MagConfig, PeerConfig, Policy, PoolConfig,
    Profile, RESERVED_LINK_LOCAL, ServiceConfig, Source,
};
use crate::mobility::ha::{HaConfig, HomeNode};
use crate::mobility::mip4::{Mip4Config, Mip4Node};
use std::net::Ipv4Addr;

/// The pure cores' configuration.
pub(in crate::runtime) struct Cores {
    /// Of the local mobility anchor.
    pub(in crate::runtime) lma: LmaConfig,
    /// Of the home agent.
    pub(in crate::runtime) ha: HaConfig,
    /// Of the home agent of Mobile IPv4.
    pub(in crate::runtime) mip4: Mip4Config,
    /// What the file of nodes said.
    pub(in crate::runtime) nodes: NodeTable,
}

impl Cores {
    /// How many prefixes nodes may register by themselves besides their home addresses.
    pub(in crate::runtime) fn networks(&self) -> usize {
        self.ha.nodes.iter().map(|n| n.mobile_networks.len()).sum::<usize>()
            + self.mip4.nodes.iter().map(|n| n.prefixes.len()).sum::<usize>()
    }
}

/// The pure cores' configuration; faults are those of the file of nodes. `nonce_seed` is what
/// nobody can foretell.
pub(in crate::runtime) fn cores(
    config: &Config,
    nonce_seed: [u8; 32],
) -> Result<Cores, config::Faults> {
    let timers = &config.timers;
    let Nodes { customers, home, mip4, table } = customers(config)?;
    let lma = LmaConfig {
        lma_address: config.node.lma_address,
        lma_address_ipv4: config.node.lma_address_ipv4,
        timers: LmaTimers {
            min_delay_before_bce_delete: timers.min_delay_before_bce_delete,
            max_delay_before_new_bce_assign: timers.max_delay_before_new_bce_assign,
            timestamp_validity_window: timers.timestamp_validity_window,
            mn_generated_timestamp_in_use: timers.mn_generated_timestamp_in_use,
            bri_max_retries: timers.peers.bri_max_retries,
            init_min_delay_bris: timers.peers.init_min_delay_bris,
            max_brack_timeout: timers.peers.max_brack_timeout,
            revoke_at_handoff: timers.peers.revoke_at_handoff,
            heartbeat_interval: timers.peers.heartbeat_interval,
            missing_heartbeats_allowed: timers.peers.missing_heartbeats_allowed,
            policy_timeout: match &config.policy.store {
                Some(store) => store.timeout,
                None => LmaTimers::default().policy_timeout,
            },
        },
        fixed_link_local: config.node.fixed_link_local.then_some(RESERVED_LINK_LOCAL),
        accept_forced_udp: config.node.accept_forced_udp,
        first_gre_key: config.node.first_gre_key,
        pools: config.pools.iter().map(|p| pool(config, p)).collect(),
        mags: config.mags.iter().flat_map(|m| mag(config, m)).collect(),
        customers,
        services: config.services.iter().map(|s| service(config, s)).collect(),
        max_bindings: config.policy.max_bindings,
        max_prefixes: max_prefixes(config),
    };
    let ha = ha::ha_config(config, home);
    let mip4 = mip4::mip4_config(config, mip4, nonce_seed);
    Ok(Cores { lma, ha, mip4, nodes: table })
}

fn pool(config: &Config, p: &config::Pool) -> PoolConfig {
    PoolConfig {
        customer: customer(config, p.customer.as_deref()),
        prefix: p.prefix,
        delegated_len: p.delegated_len,
        default_router: p.default_router,
    }
}

/// One for each address.
fn mag(config: &Config, m: &config::Mag) -> Vec<MagConfig> {
    let each = |address| MagConfig {
        address,
        authorized: m.authorized,
        prefixes: m.prefixes.clone(),
        nodes: m.nodes.clone(),
        customer: m.customer.as_deref().map(|name| customer(config, Some(name))),
        gre: gre(m.gre),
        auth: m.auth.iter().map(auth).collect(),
        peer: PeerConfig {
            heartbeat: m.peer.heartbeat,
            revocation: m.peer.revocation,
            revocation_identity: m.peer.revocation_identity.clone(),
        },
    };
    mag_addresses(m).map(each).collect()
}

struct Nodes {
    /// By their numbers: those that are nobody's have no nodes.
    customers: Vec<CustomerConfig>,
    /// Those that may register by themselves.
    home: Vec<HomeNode>,
    mip4: Vec<Mip4Node>,
    table: NodeTable,
}

fn customers(config: &Config) -> Result<Nodes, config::Faults> {
    let mut table = NodeTable::default();
    let (mut by_mip6, mut by_mip4) = (Vec::new(), Vec::new());
    let count = config.customers.iter().map(|c| usize::from(c.id.0)).max().unwrap_or(0) + 1;
    let mut all = vec![CustomerConfig::default(); count];
    all[0] = CustomerConfig {
        policy: policy(config, CustomerId(0)),
        dhcp_mode: config.node.dhcp,
        ..CustomerConfig::default()
    };
    for c in &config.customers {
        let of_customer = |m: &&config::Mag| c.mags.contains(&m.name);
        all[usize::from(c.id.0)] = CustomerConfig {
            realms: c.realms.clone(),
            mags: config.mags.iter().filter(of_customer).flat_map(mag_addresses).collect(),
            policy: policy(config, c.id),
            max_bindings: c.max_bindings.unwrap_or(usize::MAX),
            gre: gre(c.gre),
            auth: c.auth.iter().map(auth).collect(),
            dhcp_mode: c.dhcp,
        };
    }
    config::load_nodes(config, |mn_id, customer, own, home| {
        table.note(&mn_id, customer, own, home);
        by_mip6.extend(ha::node(&mn_id, customer, own, home));
        by_mip4.extend(mip4::node(config.mip4.as_ref(), &mn_id, customer, own, home));
        let ipv4 = own.static_ipv4.and_then(|a: Ipv4Addr| HomePrefix::from_ipv4(a, 32).ok());
        let prefixes: Vec<HomePrefix> = own.static_prefixes.iter().copied().chain(ipv4).collect();
        if let Some(c) = all.get_mut(usize::from(customer.0)) {
            c.policy.insert(mn_id, profile(config, customer, own), &prefixes);
        }
    })?;
    table.finish();
    Ok(Nodes { customers: all, home: by_mip6, mip4: by_mip4, table })
}

fn service(config: &Config, s: &config::Service) -> ServiceConfig {
    let named = s.customer.as_deref();
    let id = customer(config, named);
    ServiceConfig {
        name: s.name.clone(),
        // Pools are somebody's: a profile of its own without a customer is the operator's.
        customer: (named.is_some() || s.profile.is_some()).then_some(id),
        profile: s.profile.as_ref().map(|p| profile(config, id, p)),
    }
}

/// A customer's nodes, those of the file left out.
fn policy(config: &Config, customer: CustomerId) -> Policy {
    let default = config.policy.default.as_ref();
    if config.policy.store.is_none() {
        return Policy::new(default.map(|p| profile(config, customer, p)));
    }
    let base = default.cloned().unwrap_or_else(config::default_profile);
    Policy::asking(profile(config, customer, &base))
}

/// A profile as nodes of this customer have it.
fn profile(config: &Config, customer: CustomerId, p: &config::Profile) -> Profile {
    let (ipv6, ipv4) = (p.families != Families::Ipv4, p.families != Families::Ipv6);
    let source = |ipv4, name| source(config, customer, ipv4, name);
    let services = match &p.services {
        None => (0..).take(config.services.len()).collect(),
        Some(names) => (0..)
            .zip(&config.services)
            .filter_map(|(place, s)| names.contains(&s.name).then_some(place))
            .collect(),
    };
    Profile {
        enabled: p.enabled,
        ipv6: if ipv6 { source(false, p.pool.as_deref()) } else { Source::Denied },
        ipv4: if ipv4 { source(true, p.pool_ipv4.as_deref()) } else { Source::Denied },
        prefixes: p.prefixes,
        max_lifetime: p.max_lifetime,
        refresh_percent: p.refresh_percent,
        services,
    }
}

/// Where addresses come from: the pool of this name if it is the customer's, else its first one.
fn source(config: &Config, id: CustomerId, ipv4: bool, name: Option<&str>) -> Source {
    let fits =
        |p: &config::Pool| p.is_ipv4() == ipv4 && customer(config, p.customer.as_deref()) == id;
    let mut own = config.pools.iter().enumerate().filter(|(_, p)| fits(p));
    let named = own.clone().find(|(_, p)| name == Some(p.name.as_str()));
    named.or_else(|| own.next()).map_or(Source::Own, |(place, _)| Source::Pool(place))
}

fn gre(g: GreUse) -> GrePolicy {
    match g {
        GreUse::Off => GrePolicy::NotUsed,
        GreUse::Allowed => GrePolicy::Allowed,
        GreUse::Required => GrePolicy::KeysRequired,
    }
}

pub(super) fn auth(a: &Auth) -> AuthKey {
    AuthKey { spi: a.spi, secret: a.key.bytes().into(), replay_window: a.replay_window }
}
