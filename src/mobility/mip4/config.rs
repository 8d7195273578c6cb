//! What the operator decides of a home agent of Mobile IPv4, as plain data.

use crate::addr::{CustomerId, HomePrefix, MnId};
use crate::mobility::mip4::SecurityAssociation;
use crate::wire::mip4::RegistrationLifetime;
use std::net::Ipv4Addr;

/// Everything that the home agent is told before its first message.
#[derive(Debug, Clone)]
pub struct Mip4Config {
    /// Where requests arrive and tunnels end.
    pub address: Ipv4Addr,
    /// The nodes that it serves.
    pub nodes: Vec<Mip4Node>,
    /// The foreign agents with which it shares keys. Others may relay too.
    pub foreign_agents: Vec<ForeignAgent>,
    /// The longest lifetime granted.
    pub max_lifetime: RegistrationLifetime,
    /// Registered nodes at most: beyond it code 130.
    pub max_registrations: usize,
    /// Care-of addresses of a node at most, up to [`crate::addr::COPIES_MAX`]: beyond it code 135.
    /// With one there are no simultaneous bindings, and code 1 says so.
    pub max_bindings: usize,
    /// About packets from the node (RFC 3024).
    pub reverse_tunnel: ReverseTunnel,
    /// About NATs (RFC 3519).
    pub nat: NatPolicy,
    /// Whether IPv6 prefixes are served (RFC 5454); if not, requests for them are passed over.
    pub dual_stack: bool,
    /// Whether bindings are revoked, and may be (RFC 3543), where the other end knows it.
    pub revocation: bool,
    /// From which nonces are made: nobody may know it, and it is another in each run.
    pub nonce_seed: [u8; 32],
}

impl Default for Mip4Config {
    /// One that serves nobody.
    fn default() -> Self {
        Self {
            address: Ipv4Addr::UNSPECIFIED,
            nodes: Vec::new(),
            foreign_agents: Vec::new(),
            max_lifetime: RegistrationLifetime(1800),
            max_registrations: usize::MAX,
            max_bindings: 1,
            reverse_tunnel: ReverseTunnel::Allowed,
            nat: NatPolicy::default(),
            dual_stack: true,
            revocation: true,
            nonce_seed: [0; 32],
        }
    }
}

/// A node that may register.
#[derive(Debug, Clone)]
pub struct Mip4Node {
    /// Who it is: the same identifier as in proxy binding updates. A NAI, by which it names itself,
    /// unless it is known by its home address.
    pub mn_id: MnId,
    /// Whose node it is.
    pub customer: CustomerId,
    /// Its home address; one that the allocation gives it if `None`.
    pub home_address: Option<Ipv4Addr>,
    /// The IPv6 prefixes that it may register.
    pub prefixes: Vec<HomePrefix>,
    /// Whether they are registered without being asked for (RFC 5454 1.4, the implicit mode).
    pub implicit: bool,
    /// What it shares with us. Without one it is not heard.
    pub associations: Vec<SecurityAssociation>,
}

/// A foreign agent with which we share keys.
#[derive(Debug, Clone)]
pub struct ForeignAgent {
    /// Its address: the source of what it relays, and the care-of address of its nodes.
    pub address: Ipv4Addr,
    /// What it shares with us.
    pub associations: Vec<SecurityAssociation>,
}

/// About packets from the node to us (RFC 3024).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReverseTunnel {
    /// Where the node asks for it.
    #[default]
    Allowed,
    /// Nodes that do not ask for it are denied with code 138.
    Required,
    /// Nodes that ask for it are denied with code 137.
    Unavailable,
}

/// About NATs between nodes and us (RFC 3519).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NatPolicy {
    /// Whether nodes behind one are served by UDP tunnels; else they are denied with code 129.
    pub traversal: bool,
    /// Whether a node gets such a tunnel because it asks for it, NAT or not.
    pub forced: bool,
    /// How often the node says something to keep the NAT's mapping, in seconds; zero leaves it to
    /// the node.
    pub keepalive_s: u16,
}

impl Default for NatPolicy {
    /// RFC 3519 4.9: 110 seconds.
    fn default() -> Self {
        Self { traversal: true, forced: false, keepalive_s: 110 }
    }
}
