//! What happens to a node, and what it does about it.

use crate::addr::Encap;
use crate::mobility::mip4::{Mip4Msg, RegisteredPrefix};
use crate::mobility::mn::attachment::Attachment;
use crate::wire::mip4::{PrefixCode, ReplyCode};
use std::net::Ipv4Addr;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The node is elsewhere, or has another address there.
    Attached(Attachment),
    /// A message arrived on port 434 that is no tunnelled packet.
    Message {
        /// From whom.
        src: Ipv4Addr,
        /// What UDP carried.
        payload: Vec<u8>,
    },
    /// The node ends its registration.
    Stop,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send a message from its source; both ports are 434.
    Send(Mip4Msg),
    /// What the node sends leaves by this tunnel from now on; by none if `None`.
    Tunnel(Option<Tunnel>),
    /// Say something through the tunnel that its home agent answers (RFC 3519 4.9).
    KeepAlive,
    /// Put the home address on the link.
    JoinHome(Ipv4Addr),
    /// Take it off.
    LeaveHome,
    /// Tell the home link whose the home address is, by gratuitous ARP (RFC 5944 4.6).
    AdvertiseHome,
    /// Something to count and to tell.
    Audit(AuditKind),
}

/// The tunnel between a node and its home agent, and what it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnel {
    /// What is between the outer header and a packet.
    pub encap: Encap,
    /// The node's end.
    pub care_of: Ipv4Addr,
    /// The other.
    pub home_agent: Ipv4Addr,
    /// Its packets come this way.
    pub home_address: Ipv4Addr,
    /// They leave this way, too (RFC 3024); those of prefixes always do.
    pub reverse: bool,
    /// Prefixes of IPv6: in this tunnel, or in one to the home address that is in this one.
    pub prefixes: Vec<RegisteredPrefix>,
}

/// What is worth counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditKind {
    /// A new care-of address is registered.
    Registered,
    /// The lifetime is extended.
    Refreshed,
    /// The registration is ended.
    Deregistered,
    /// Its lifetime is over.
    Expired,
    /// Refused with this code.
    Refused(ReplyCode),
    /// Registered, but a prefix is not, with this code.
    PrefixRefused(PrefixCode),
    /// Registered, but about a prefix nothing is said: it is not (RFC 5454 3.5).
    PrefixUnanswered,
    /// A reply that fits no request.
    ReplyIgnored(ReplyFault),
}

/// Why a reply was ignored (RFC 5944 3.6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyFault {
    /// No request waits for one.
    Unexpected,
    /// Not from the home agent.
    Address,
    /// No Registration Reply, or a malformed one.
    Malformed,
    /// Not the Identification of the latest request.
    Identification,
    /// Not one Mobile-Home authentication, or a wrong one.
    Unauthenticated,
    /// About another home address than the node's.
    HomeAddress,
}
