//! The configuration of the home agent of Mobile IPv4.

use crate::addr::{CustomerId, HomePrefix, MnId};
use crate::config::{self, Config, Mip4Auth};
use crate::mobility::mip4::{
    ForeignAgent, Mip4Config, Mip4Node, NatPolicy, Replay, SecurityAssociation,
};
use crate::time::Duration;
use crate::wire::mip4::RegistrationLifetime;
use std::net::Ipv6Addr;

/// The home agent, with these nodes; one that serves nobody without `[mip4]`. `nonce_seed` is what
/// nobody can foretell.
pub(super) fn mip4_config(
    config: &Config,
    nodes: Vec<Mip4Node>,
    nonce_seed: [u8; 32],
) -> Mip4Config {
    let (Some(mip4), Some(address)) = (&config.mip4, config.node.lma_address_ipv4) else {
        return Mip4Config::default();
    };
    // Of a foreign agent's key the replay protection has no meaning.
    let shared = |a: &Mip4Auth| association(a, Replay::default());
    let agents = mip4.foreign_agents.iter().map(|agent| ForeignAgent {
        address: agent.address,
        associations: agent.auth.iter().map(shared).collect(),
    });
    Mip4Config {
        address,
        nodes,
        foreign_agents: agents.collect(),
        max_lifetime: RegistrationLifetime(seconds(mip4.max_lifetime)),
        max_registrations: mip4.max_registrations,
        max_bindings: mip4.simultaneous_bindings,
        reverse_tunnel: mip4.reverse_tunnel,
        nat: NatPolicy {
            traversal: mip4.nat_traversal,
            forced: mip4.nat_forced,
            keepalive_s: seconds(mip4.nat_keepalive),
        },
        dual_stack: mip4.dual_stack,
        revocation: mip4.revocation,
        nonce_seed,
    }
}

/// A node of the file, if it may register by Mobile IPv4. What is its own it may register, its home
/// network prefixes as well as what moves with it.
pub(super) fn node(
    mip4: Option<&config::Mip4>,
    mn_id: &MnId,
    customer: CustomerId,
    own: &config::Profile,
    home: &config::HomeNode,
) -> Option<Mip4Node> {
    let (mip4, keys) = (mip4?, home.mip4.as_ref()?);
    let timestamps = Replay::Timestamps(mip4.timestamp_window);
    let replay = |nonce| if nonce { Replay::Nonces } else { timestamps };
    let associations = keys.auth.iter().map(|(auth, nonce)| association(auth, replay(*nonce)));
    let prefixes: Vec<HomePrefix> =
        own.static_prefixes.iter().chain(&home.mobile_networks).copied().collect();
    Some(Mip4Node {
        mn_id: mn_id.clone(),
        customer,
        home_address: own.static_ipv4,
        prefixes,
        implicit: keys.implicit,
        associations: associations.collect(),
    })
}

/// Where nodes ask for home agents (RFC 5944 3.6.1.2), as far as that is in our own address space:
/// a pool is their home network.
pub(super) fn broadcast_addresses(config: &Config) -> impl Iterator<Item = Ipv6Addr> {
    let pools = config.pools.iter().filter(|p| config.mip4.is_some() && p.customer.is_none());
    pools.filter_map(|p| p.prefix.ipv4_broadcast()).map(|a| a.to_ipv6_mapped())
}

fn association(auth: &Mip4Auth, replay: Replay) -> SecurityAssociation {
    let (spi, algorithm) = (auth.spi, auth.algorithm);
    SecurityAssociation { spi, algorithm, secret: auth.key.bytes().into(), replay }
}

/// Of a time in whole seconds that is not longer.
fn seconds(time: Duration) -> u16 {
    u16::try_from(time.as_secs()).unwrap_or(u16::MAX)
}
