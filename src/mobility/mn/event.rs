//! What happens to a node, and what it does about it.

use super::attachment::Attachment;
use crate::addr::Encap;
use crate::mobility::message::{AckMsg, UpdateMsg};
use crate::wire::icmpv6::mobility::LinkPrefixInformation;
use crate::wire::mh::{BindingError, Ipv4HomeStatus, Status};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The node is elsewhere, or has another address there.
    Attached(Attachment),
    /// A Binding Acknowledgement arrived, authentic where a key is shared.
    Ack(AckMsg),
    /// A Binding Refresh Request arrived (RFC 6275 6.1.2).
    RefreshRequest {
        /// From whom.
        src: Ipv6Addr,
    },
    /// A Binding Error arrived (RFC 6275 6.1.9).
    BindingError {
        /// From whom.
        src: Ipv6Addr,
        /// Which.
        error: BindingError,
    },
    /// A Home Agent Switch arrived (RFC 5142).
    Switch {
        /// From whom.
        src: Ipv6Addr,
        /// Other home agents, the best first.
        agents: Vec<Ipv6Addr>,
    },
    /// A Mobile Prefix Advertisement arrived (RFC 6275 6.8).
    PrefixesAdvertised(PrefixAnswer),
    /// The node ends its binding.
    Stop,
}

/// A Mobile Prefix Advertisement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefixAnswer {
    /// From whom.
    pub src: Ipv6Addr,
    /// The home address in the type 2 routing header, if there is one.
    pub home: Option<Ipv6Addr>,
    /// That of the solicitation, if there was one.
    pub id: u16,
    /// The prefixes of the home link.
    pub prefixes: Vec<LinkPrefixInformation>,
}

/// A Mobile Prefix Solicitation (RFC 6275 6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixQuestion {
    /// By which the answer is known.
    pub id: u16,
    /// Source.
    pub care_of: Ipv6Addr,
    /// In the Home Address option.
    pub home: Ipv6Addr,
    /// Destination.
    pub agent: Ipv6Addr,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send a Binding Update, with a Home Address option if it has a home address.
    SendBu(UpdateMsg),
    /// What the home address sends leaves by this tunnel from now on; by none if `None`.
    Tunnel(Option<Tunnel>),
    /// Put the home address on the link, without duplicate address detection (RFC 6275 11.5.5).
    JoinHome,
    /// Take it off.
    LeaveHome,
    /// Tell the home link whose the home address is, by an unsolicited Neighbor Advertisement.
    AdvertiseHome,
    /// Ask the home agent for the prefixes of the home link.
    SolicitPrefixes(PrefixQuestion),
    /// Something to count and to tell.
    Audit(AuditKind),
}

/// The tunnel between a node and its home agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tunnel {
    /// Both ends.
    pub ends: TunnelEnds,
    /// What is between the outer header and a packet.
    pub encap: Encap,
    /// The IPv4 home address, if one is bound (RFC 5555 4.4.2): its packets come this way, too.
    pub ipv4_home: Option<Ipv4Addr>,
}

/// The ends of a tunnel, both IPv4-mapped or neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TunnelEnds {
    /// The node's end.
    pub care_of: Ipv6Addr,
    /// The other.
    pub home_agent: Ipv6Addr,
}

/// What is worth counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditKind {
    /// A new care-of address is registered.
    Registered,
    /// The lifetime is extended.
    Refreshed,
    /// Accepted, but the home prefixes have to be asked for (status 1).
    PrefixDiscoveryNecessary,
    /// The binding is ended.
    Deregistered,
    /// Its lifetime is over.
    Expired,
    /// Refused with this status.
    Refused(Status),
    /// Registered, but the IPv4 home address is not, with this status (RFC 5555 4.4.2).
    Ipv4HomeRefused(Ipv4HomeStatus),
    /// Accepted as a node, though a mobile router asked (RFC 3963 5.3).
    NotAsRouter,
    /// The home agent asked to look for another one.
    SentAway,
    /// A home agent that knows no Mobile IPv6.
    NotAnAgent,
    /// An acknowledgement that fits no update.
    AckIgnored(AckFault),
    /// From who is not our home agent, or while it was asked already.
    RefreshRequestIgnored,
    /// Likewise, or about what nobody asked.
    BindingErrorIgnored,
    /// Likewise, or there is nobody to switch to.
    SwitchIgnored,
    /// The prefixes of the home link are known, as they were asked for.
    PrefixesLearnt,
    /// They were told without having been asked for.
    AdvertisementUnsolicited,
    /// From who is not our home agent, or without the routing header.
    AdvertisementIgnored,
}

/// Why an acknowledgement was ignored (RFC 6275 11.7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckFault {
    /// No update waits for one.
    Unexpected,
    /// Not between the addresses of the update.
    Address,
    /// Without the type 2 routing header that it has to have away from home (6.1.8), or with one at
    /// home.
    RoutingHeader,
    /// The number is of none of the update's transmissions.
    Sequence,
}
