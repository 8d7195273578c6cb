//! The home agent's configuration.
//!
//! ```text
//!   [[pool]] of IPv6       --> a virtual link each, on which every node has a prefix
//!   [[home_agent.link]]    --> a virtual link each, or with all of its port's one link: its LinkId
//!                              is the port's number
//!   nodes file             --> the nodes that may register by themselves
//! ```

use super::customer;
use crate::addr::{CustomerId, CustomerPrefix, MnId, PortId};
use crate::config::{self, Config, HomeProof};
use crate::control::home::{HomeLinks, HomePort};
use crate::mobility::ha::{HaConfig, HomeLink, HomeNode, LinkId, LinkPrefix, Proof};
use crate::time::Duration;
use std::collections::BTreeMap;
use std::net::Ipv6Addr;

/// The home agent, with these nodes; one that serves nobody without `[home_agent]`.
pub(super) fn ha_config(config: &Config, nodes: Vec<HomeNode>) -> HaConfig {
    let Some(home_agent) = &config.home_agent else { return HaConfig::default() };
    let pools = config.pools.iter().filter(|p| !p.is_ipv4());
    let pools = pools.map(|p| of_pool(config, home_agent, p));
    let named =
        |l: &config::HomeLink| l.port.is_none().then(|| virtual_link(config, home_agent, l));
    let named = home_agent.links.iter().filter_map(named);
    let at_ports = home_ports(config, home_agent).into_values();
    let at_ports = at_ports.map(|at| at_port(config, home_agent, at));
    HaConfig {
        enabled: true,
        address: config.node.lma_address.0,
        address_ipv4: config.node.lma_address_ipv4,
        links: pools.chain(named).chain(at_ports).collect(),
        nodes,
        interworking: home_agent.interworking,
        max_bindings: home_agent.max_bindings,
        max_lifetime: home_agent.max_lifetime,
        delete_delay: home_agent.delete_delay,
        nat_keepalive_s: u32::try_from(home_agent.nat_keepalive.as_secs()).unwrap_or(u32::MAX),
        prefix_advertisements: home_agent.prefix_advertisements,
        min_advertisement_interval: home_agent.min_advertisement_interval,
        max_advertisement_interval: home_agent.max_advertisement_interval,
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
        prefixes: prefixes_at_ports(config, home_agent),
        dad_transmits: home_agent.dad_transmits,
        retrans_timer: home_agent.retrans_timer,
    }
}

/// The ports that have home links.
fn home_ports(config: &Config, home_agent: &config::HomeAgent) -> BTreeMap<LinkId, HomePort> {
    let ports = (0..).zip(&config.ports).filter_map(|(n, port)| {
        let mut links = home_agent.links.iter().filter(|l| l.port.as_ref() == Some(&port.name));
        let address = links.find_map(|l| address_in(port, l))?;
        Some((LinkId(n), HomePort { port: PortId(n), address }))
    });
    ports.collect()
}

/// The prefixes of their links.
fn prefixes_at_ports(config: &Config, home_agent: &config::HomeAgent) -> Vec<CustomerPrefix> {
    let at_ports = home_agent.links.iter().filter(|l| l.port.is_some());
    at_ports.map(|l| l.prefix.of(customer(config, l.customer.as_deref()))).collect()
}

/// Our address in the prefix of a link.
fn address_in(port: &config::Port, link: &config::HomeLink) -> Option<Ipv6Addr> {
    port.addresses.iter().map(|&(a, _)| a).find(|a| link.prefix.contains(*a))
}

/// Where nodes ask for home agents, as far as that is in our own address space.
pub(super) fn anycast_addresses(config: &Config) -> Vec<Ipv6Addr> {
    let links = ha_config(config, Vec::new()).links;
    let own = links.iter().filter(|l| l.customer == CustomerId::default());
    own.flat_map(HomeLink::anycast_addresses).collect()
}

fn of_pool(config: &Config, home_agent: &config::HomeAgent, p: &config::Pool) -> HomeLink {
    let prefix = LinkPrefix {
        prefix: p.prefix,
        address: None,
        valid_lifetime_s: None,
        preferred_lifetime_s: None,
    };
    HomeLink {
        customer: customer(config, p.customer.as_deref()),
        prefixes: vec![prefix],
        per_node_len: Some(p.delegated_len),
        id: None,
        preference: home_agent.preference,
    }
}

fn virtual_link(config: &Config, home_agent: &config::HomeAgent, l: &config::HomeLink) -> HomeLink {
    HomeLink {
        customer: customer(config, l.customer.as_deref()),
        prefixes: vec![prefix(l, None)],
        per_node_len: None,
        id: None,
        preference: home_agent.preference,
    }
}

/// The link at a port, with all prefixes that the file has for it.
fn at_port(config: &Config, home_agent: &config::HomeAgent, at: HomePort) -> HomeLink {
    let port = config.ports.get(usize::from(at.port.0));
    let prefixes = port.into_iter().flat_map(|port| {
        let links = home_agent.links.iter().filter(|l| l.port.as_ref() == Some(&port.name));
        links.map(|l| prefix(l, address_in(port, l)))
    });
    HomeLink {
        customer: customer(config, port.and_then(|p| p.customer.as_deref())),
        prefixes: prefixes.collect(),
        per_node_len: None,
        id: Some(LinkId(at.port.0)),
        preference: home_agent.preference,
    }
}

fn prefix(l: &config::HomeLink, address: Option<Ipv6Addr>) -> LinkPrefix {
    let seconds = |d: Duration| u32::try_from(d.as_secs()).unwrap_or(u32::MAX);
    LinkPrefix {
        prefix: l.prefix,
        address,
        valid_lifetime_s: l.valid_lifetime.map(seconds),
        preferred_lifetime_s: l.preferred_lifetime.map(seconds),
    }
}
