//! What the gateway's pure core decides, as data. The I/O around it carries it out, in order.

use crate::addr::{AnchorAddr, HomePrefix, MnId};
use crate::mobility::mag::event::LinkId;
use crate::mobility::message::UpdateMsg;
use serde::{Deserialize, Serialize};
use std::net::Ipv6Addr;

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Send a Proxy Binding Update.
    SendPbu(UpdateMsg),
    /// Make the tunnel to an anchor (RFC 5213 6.9.1.2 (12)).
    AddTunnel {
        /// Its far end.
        lma: AnchorAddr,
        /// Largest inner packet, in bytes (RFC 2473 6.7).
        tunnel_mtu: u16,
    },
    /// The tunnel's MTU changed (RFC 5213 6.9.5).
    TunnelMtu {
        /// Its far end.
        lma: AnchorAddr,
        /// Largest inner packet, in bytes.
        tunnel_mtu: u16,
    },
    /// No session shares the tunnel any more (RFC 5213 5.6.1).
    RemoveTunnel {
        /// Its far end.
        lma: AnchorAddr,
    },
    /// Use this, and only this, link-local address on an access link (RFC 5213 6.9.1.2 (15)).
    ConfigureLink {
        /// Which.
        link: LinkId,
        /// Our address.
        link_local: Ipv6Addr,
    },
    /// Stop using that address.
    UnconfigureLink {
        /// Which.
        link: LinkId,
        /// The address that was ours.
        link_local: Ipv6Addr,
    },
    /// Forward for a prefix: downlink to the link, uplink into the tunnel (RFC 5213 6.10.5).
    Install(Route),
    /// Stop that.
    Remove(Route),
    /// Send a Router Advertisement.
    Advertise(Advert),
    /// Find out whether the node is still there (RFC 5213 6.13); `Event::Present` says yes.
    Probe {
        /// On which link.
        link: LinkId,
        /// The node's address, if it was heard from.
        node_link_local: Option<Ipv6Addr>,
    },
    /// Something that an operator may want to see.
    Audit(Audit),
}

/// Where packets of a home network prefix go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// The node's.
    pub prefix: HomePrefix,
    /// Its access link.
    pub link: LinkId,
    /// Its anchor: the tunnel's far end.
    pub lma: AnchorAddr,
}

/// The contents of a Router Advertisement (RFC 4861 section 4.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advert {
    /// On which link.
    pub link: LinkId,
    /// IPv6 source: our link-local address there.
    pub src: Ipv6Addr,
    /// The node's link-local address; all-nodes if `None`.
    pub dst: Option<Ipv6Addr>,
    /// Seconds; zero: no default router any more.
    pub router_lifetime_s: u16,
    /// MTU option, bytes.
    pub mtu: u16,
    /// Prefix Information options.
    pub prefixes: Vec<AdvertPrefix>,
}

/// A Prefix Information option, on-link; autonomous where SLAAC can use the length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvertPrefix {
    /// The home network prefix.
    pub prefix: HomePrefix,
    /// Seconds; zero withdraws it (RFC 5213 6.12).
    pub valid_lifetime_s: u32,
    /// Seconds.
    pub preferred_lifetime_s: u32,
}

/// What happened, for logs and counters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// What.
    pub kind: AuditKind,
    /// On which link; `None` when nothing said which.
    pub link: Option<LinkId>,
    /// To whom; `None` when nothing said who.
    pub mn_id: Option<MnId>,
}

/// Kinds of [`Audit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AuditKind {
    /// A binding was registered.
    Registered,
    /// Its lifetime was extended.
    Refreshed,
    /// The anchor changed the prefixes (RFC 5213 6.12).
    Renumbered,
    /// Its lifetime ran out without an answer.
    Expired,
    /// A de-registration was acknowledged.
    Deregistered,
    /// A de-registration was not acknowledged in time; the entry is gone all the same.
    DeregistrationUnanswered,
    /// The session went on on another link of ours.
    Moved,
    /// An update was sent again because no answer came.
    Retransmitted,
    /// The node did not answer probes, and is taken for gone.
    Unreachable,
    /// The anchor's link-local address for us is the node's own (RFC 5213 6.9.1.2 (15)).
    LinkLocalCollision,
    /// A second node on a point-to-point link.
    LinkOccupied,
    /// The anchor refused.
    Refused(u8),
    /// An acknowledgement was ignored.
    PbaIgnored(PbaFault),
}

/// Why an acknowledgement was ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PbaFault {
    /// Its options are malformed, or one that may stand once stands twice.
    Malformed,
    /// The P flag is not set.
    NotProxy,
    /// It answers no update that was sent recently, or not the one who sent it (RFC 5213 6.9.1.2
    /// (5)).
    NoMatch,
    /// It echoes another identifier, handoff indicator, access technology or link-layer identifier
    /// than we sent (RFC 5213 6.9.1.2 (6)).
    EchoDiffers,
    /// It accepts, but without our timestamp (RFC 5213 5.5 (1), (7)).
    Timestamp,
    /// It accepts, but without a usable home network prefix.
    NoPrefix,
    /// It accepts a registration for no time at all.
    ZeroLifetime,
}
