//! The home agent's configuration.
//!
//! ```text
//!   [[pool]] of IPv6       --> a virtual link each, on which every node has a prefix
//!   [[home_agent.link]]    --> a link each, behind them: its place is its LinkId
//!   nodes file             --> the nodes that may register by themselves
//! ```

use super::customer;
use crate::addr::{CustomerId, MnId, PortId};
use crate::config::{self, Config, HomeProof};
use crate::control::home::{HomeLinks, HomePort};
use crate::mobility::ha::{HaConfig, HomeLink, HomeNode, LinkPrefix, Proof};
use std::net::Ipv6Addr;

/// The home agent, with these nodes; one that serves nobody without `[home_agent]`.
pub(super) fn ha_config(config: &Config, nodes: Vec<HomeNode>) -> HaConfig {
    let Some(home_agent) = &config.home_agent else { return HaConfig::default() };
    let pools = config.pools.iter().filter(|p| !p.is_ipv4());
    let pools = pools.map(|p| of_pool(config, home_agent, p));
    let links = home_agent.links.iter().map(|l| named(config, home_agent, l));
    HaConfig {
        enabled: true,
        address: config.node.lma_address.0,
        address_ipv4: config.node.lma_address_ipv4,
        links: pools.chain(links).collect(),
        nodes,
        interworking: home_agent.interworking,
        max_bindings: home_agent.max_bindings,
        max_lifetime: home_agent.max_lifetime,
        delete_delay: home_agent.delete_delay,
        nat_keepalive_s: u32::try_from(home_agent.nat_keepalive.as_secs()).unwrap_or(u32::MAX),
        prefix_advertisements: home_agent.prefix_advertisements,
        switch_rate: home_agent.switch_rate,
        refresh_requests: home_agent.refresh_requests,
    }
}

/// A node of the file, if it may register by itself.
pub(super) fn node(
    mn_id: &MnId,
    customer: CustomerId,
    own: &config::Profile,
    home: &config::HomeNode,
) -> Option<HomeNode> {
    let proof = match home.proof.as_ref()? {
        HomeProof::Esp(protection) => Proof::Esp(*protection),
        HomeProof::Keys(keys) => Proof::Keys(keys.iter().map(super::lma::auth).collect()),
        HomeProof::Nothing => Proof::Nothing,
    };
    Some(HomeNode {
        mn_id: mn_id.clone(),
        customer,
        home_address: home.address,
        ipv4_home_address: own.static_ipv4,
        mobile_networks: home.mobile_networks.clone(),
        proof,
    })
}

/// What the control core has to know of home links.
pub(in crate::runtime) fn home(config: &Config) -> HomeLinks {
    let Some(home_agent) = &config.home_agent else { return HomeLinks::default() };
    HomeLinks {
        ports: home_ports(config, home_agent),
        dad_transmits: home_agent.dad_transmits,
        retrans_timer: home_agent.retrans_timer,
    }
}

/// By `LinkId`; `None`: it is virtual.
fn home_ports(config: &Config, home_agent: &config::HomeAgent) -> Vec<Option<HomePort>> {
    let virtual_links = config.pools.iter().filter(|p| !p.is_ipv4()).map(|_| None);
    let at_port = |link: &config::HomeLink| {
        let (id, port) = (0..)
            .map(PortId)
            .zip(&config.ports)
            .find(|(_, p)| link.port.as_ref() == Some(&p.name))?;
        let mut addresses = port.addresses.iter().map(|&(a, _)| a);
        let address = addresses.find(|a| link.prefix.contains(*a))?;
        let prefix = link.prefix.of(customer(config, link.customer.as_deref()));
        Some(HomePort { port: id, address, prefix })
    };
    virtual_links.chain(home_agent.links.iter().map(at_port)).collect()
}

/// Where nodes ask for home agents, as far as that is in our own address space.
pub(super) fn anycast_addresses(config: &Config) -> Vec<Ipv6Addr> {
    let links = ha_config(config, Vec::new()).links;
    let own = links.iter().filter(|l| l.customer == CustomerId::default());
    own.flat_map(HomeLink::anycast_addresses).collect()
}

fn of_pool(config: &Config, home_agent: &config::HomeAgent, p: &config::Pool) -> HomeLink {
    let prefix =
        LinkPrefix { prefix: p.prefix, valid_lifetime_s: None, preferred_lifetime_s: None };
    HomeLink {
        customer: customer(config, p.customer.as_deref()),
        prefixes: vec![prefix],
        per_node_len: Some(p.delegated_len),
        is_virtual: true,
        address: None,
        preference: home_agent.preference,
    }
}

fn named(config: &Config, home_agent: &config::HomeAgent, l: &config::HomeLink) -> HomeLink {
    let seconds = |d: crate::time::Duration| u32::try_from(d.as_secs()).unwrap_or(u32::MAX);
    let prefix = LinkPrefix {
        prefix: l.prefix,
        valid_lifetime_s: l.valid_lifetime.map(seconds),
        preferred_lifetime_s: l.preferred_lifetime.map(seconds),
    };
    let port = config.ports.iter().find(|p| l.port.as_ref() == Some(&p.name));
    let mut addresses = port.iter().flat_map(|p| p.addresses.iter().map(|&(a, _)| a));
    HomeLink {
        customer: customer(config, l.customer.as_deref()),
        prefixes: vec![prefix],
        per_node_len: None,
        is_virtual: port.is_none(),
        address: addresses.find(|a| l.prefix.contains(*a)),
        preference: home_agent.preference,
    }
}
