//! What a home agent hears and says besides binding updates, as plain data.

use crate::addr::HomePrefix;
use crate::mobility::ha::LinkId;
use crate::time::Lifetime;
use crate::wire::icmpv6::mobility::LinkPrefixInformation;
use serde::{Deserialize, Serialize};
use std::net::Ipv6Addr;

/// A Router Advertisement that was heard on a home link (RFC 6275 10.5.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterHeard {
    /// On which link.
    pub link: LinkId,
    /// Its source, a link-local address.
    pub src: Ipv6Addr,
    /// Whether the sender is a home agent on this link (flag H).
    pub home_agent: bool,
    /// For how long it is a router, in seconds.
    pub router_lifetime_s: u16,
    /// Its Home Agent Information option.
    pub information: Option<AgentInformation>,
    /// Its Prefix Information options.
    pub prefixes: Vec<PrefixHeard>,
}

/// A Home Agent Information option (RFC 6275 7.4, RFC 3963 7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentInformation {
    /// The higher, the better.
    pub preference: i16,
    /// For how long it is a home agent, in seconds.
    pub lifetime_s: u16,
    /// Whether it serves mobile routers (flag R).
    pub mobile_routers: bool,
}

/// A Prefix Information option (RFC 6275 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixHeard {
    /// The prefix.
    pub prefix: HomePrefix,
    /// The router's own address in it, if the R flag says that there is one.
    pub address: Option<Ipv6Addr>,
    /// For how long the prefix is valid, in seconds; all ones is for ever.
    pub valid_lifetime_s: u32,
}

/// An ICMPv6 message of a home agent (RFC 6275 6.6, 6.8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HomeIcmp {
    /// Source.
    pub src: Ipv6Addr,
    /// Destination.
    pub dst: Ipv6Addr,
    /// The home address in a type 2 routing header, if there is one.
    pub home: Option<Ipv6Addr>,
    /// ESP protects it, by the security association of the home address.
    #[serde(default)]
    pub esp: bool,
    /// What it says.
    pub body: HomeIcmpBody,
}

/// What a [`HomeIcmp`] says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HomeIcmpBody {
    /// Home Agent Address Discovery Reply, type 145.
    DiscoveryReply {
        /// As in the request.
        id: u16,
        /// Whether the agents serve mobile routers (RFC 3963 7.2).
        mobile_routers: bool,
        /// The home agents, the best first.
        agents: Vec<Ipv6Addr>,
    },
    /// Mobile Prefix Advertisement, type 147.
    PrefixAdvertisement {
        /// As in the solicitation; zero if there was none.
        id: u16,
        /// A node has asked for it.
        solicited: bool,
        /// The prefixes of the home link.
        prefixes: Vec<PrefixOffer>,
    },
}

/// A Prefix Information option of a Mobile Prefix Advertisement (RFC 6275 10.6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixOffer {
    /// The prefix.
    pub prefix: HomePrefix,
    /// The home agent's address in it, for the first of them (flag R).
    pub address: Option<Ipv6Addr>,
    /// Seconds left; all ones is for ever.
    pub valid_lifetime_s: u32,
    /// Seconds left; all ones is for ever.
    pub preferred_lifetime_s: u32,
}

impl PrefixOffer {
    /// As the wire has it.
    pub(crate) const fn information(&self) -> LinkPrefixInformation {
        let Self { prefix, address, valid_lifetime_s, preferred_lifetime_s } = *self;
        LinkPrefixInformation { prefix, address, valid_lifetime_s, preferred_lifetime_s }
    }
}

/// The operator takes the home agent out of service, or back (RFC 5142).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Drain {
    /// Nodes are told to look for another home agent; lifetimes are not extended any more.
    Begin {
        /// Until when bindings are kept: what nodes are told by a Binding Refresh Advice.
        within: Option<Lifetime>,
    },
    /// It serves again.
    End,
}
