//! What the gateway's pure core decides, as data. The I/O around it carries it out, in order.

use crate::addr::{AnchorAddr, Encap, GreKeys, HomePrefix, MnId, ProxyCoa};
use crate::mobility::mag::event::{Family, LinkId};
use crate::mobility::message::{PeerMsg, UpdateMsg};
use crate::wire::mh::{DhcpSupportMode, Ipv4Home};
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, Ipv6Addr};

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Send a Proxy Binding Update.
    SendPbu(UpdateMsg),
    /// Send a revocation, its acknowledgement or a heartbeat.
    Send(PeerMsg),
    /// Keep over a restart with which anchors there are sessions now (RFC 5847 3.2).
    Remember(Vec<AnchorAddr>),
    /// Make a tunnel (RFC 5213 6.9.1.2 (12)).
    AddTunnel {
        /// Which.
        path: Path,
        /// Largest inner packet, in bytes (RFC 2473 6.7).
        tunnel_mtu: u16,
    },
    /// The tunnel's MTU changed (RFC 5213 6.9.5).
    TunnelMtu {
        /// Which.
        path: Path,
        /// Largest inner packet, in bytes.
        tunnel_mtu: u16,
    },
    /// No session shares the tunnel any more (RFC 5213 5.6.1).
    RemoveTunnel(Path),
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
    /// Be the default router of the node's IPv4 home address on its link, and its DHCP server
    /// (RFC 5844 3.2.3.2, 3.4.1).
    ConfigureIpv4 {
        /// Which link.
        link: LinkId,
        /// The node's address and what goes with it.
        lease: Ipv4Lease,
    },
    /// Stop that.
    UnconfigureIpv4 {
        /// Which link.
        link: LinkId,
        /// What was in force.
        lease: Ipv4Lease,
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

/// A tunnel: both ends, IPv4-mapped where IPv4 carries it, and what is between outer header and
/// packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Path {
    /// Our end.
    pub coa: ProxyCoa,
    /// The anchor's.
    pub lma: AnchorAddr,
    /// UDP goes to the anchor's port.
    pub encap: Encap,
}

/// Where packets of a home network prefix or an IPv4 home address go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// The node's.
    pub prefix: HomePrefix,
    /// Its access link.
    pub link: LinkId,
    /// Its tunnel.
    pub path: Path,
    /// Its keys in a tunnel of GRE.
    pub keys: GreKeys,
}

/// A node's IPv4 home address and what it is told with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ipv4Lease {
    /// The address, and the length of its network's prefix.
    pub home: Ipv4Home,
    /// Its default router: us.
    pub router: Ipv4Addr,
    /// The tunnel's MTU, in bytes (RFC 5844 3.4.3).
    pub mtu: u16,
    /// What the anchor wants us to be for its DHCP.
    pub dhcp: DhcpSupportMode,
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
    /// It refused the IPv4 home address alone, with this status of the reply option.
    Ipv4Refused(u8),
    /// It gave no address of a family that was asked for.
    NotGranted(Family),
    /// It answered the release of one family.
    Released(Family),
    /// It does not know the GRE Key option (RFC 5845 4.2).
    GreNotSupported,
    /// It revoked a binding (RFC 5846 9.1).
    Revoked,
    /// It wanted to revoke one or more, and was answered with this status.
    RevocationRefused(u8),
    /// It answered our own revocation with this status.
    RevokedByUs(u8),
    /// It did not answer our own revocation.
    RevocationUnanswered,
    /// A revocation's acknowledgement that answers none of ours.
    BraIgnored,
    /// It lost its sessions: they are registered again (RFC 5847 3.2).
    AnchorRestarted,
    /// It does not answer heartbeats (RFC 5847 3.1).
    AnchorUnreachable,
    /// It does not know heartbeats, and gets none any more (RFC 5847 3).
    HeartbeatNotSupported,
    /// Of a message about no single binding, from an address that is no unicast one.
    NotUnicast,
    /// A response to no request of ours.
    HeartbeatIgnored,
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
    /// It accepts, but without a usable home network prefix or IPv4 home address.
    NoPrefix,
    /// It accepts a registration for no time at all.
    ZeroLifetime,
}
