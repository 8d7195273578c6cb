//! What can happen to the gateway's pure core.

use crate::addr::{AnchorAddr, HomePrefix, MnId};
use crate::mobility::message::{AckMsg, PeerMsg};
use crate::wire::mh::option::{AccessTech, HandoffIndicator};
use crate::wire::mh::{Ipv4Home, SeqNo};
use core::str::FromStr;
use serde::{Deserialize, Serialize};
use std::net::Ipv6Addr;

/// The if-id of a point-to-point access link (RFC 5213 6.1); the kernel's interface index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LinkId(pub u32);

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A node is there: it solicited a router, or the access network or the operator says so.
    Attach(Box<Attachment>),
    /// The node left the link.
    Detach {
        /// Which link.
        link: LinkId,
        /// The node is still there, and its session is ended by us: its prefixes are withdrawn.
        terminate: bool,
    },
    /// The answer to `Action::Probe`: a node is still there.
    Present {
        /// Which link.
        link: LinkId,
        /// Which address answered; `None` if the link's own state did.
        node_link_local: Option<Ipv6Addr>,
    },
    /// The administrative action that some refusals wait for (RFC 5213 6.9.1.2 (6), (7)).
    Retry(LinkId),
    /// A Binding Acknowledgement arrived and its header passed RFC 6275 section 9.2.
    Pba(AckMsg),
    /// A message about revocation or heartbeats arrived, or a Binding Error; checked likewise.
    Peer(PeerMsg),
    /// A node that is bound asks for an IPv4 address (RFC 5844 3.4.3).
    WantIpv4(LinkId),
    /// A node that stays gives up what it has of one family (RFC 5844 3.2.3.3).
    Release {
        /// Which link.
        link: LinkId,
        /// Which family.
        family: Family,
    },
    /// The operator ends all sessions with an anchor by one message (RFC 5846 9.2).
    RevokeAll(AnchorAddr),
    /// This gateway began, and lost its sessions with these anchors when it ended (RFC 5847 3.2).
    Started {
        /// How often that has happened.
        restart_counter: u32,
        /// With whom.
        lost: Vec<AnchorAddr>,
    },
    /// The path to a tunnel's far end carries packets of this size, in bytes.
    PathMtu {
        /// Which anchor.
        lma: AnchorAddr,
        /// The outer packet's size.
        mtu: u16,
    },
}

/// A node on a link, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Where.
    pub link: Link,
    /// Who, from the policy store.
    pub node: NodeProfile,
    /// Link-layer identifier of its interface; `None` where it is not known.
    pub mn_ll_id: Option<LinkLayerId>,
    /// What is known of the handoff.
    pub hint: HandoffHint,
    /// The last sequence number of the session, by context transfer (RFC 5213 5.5); used without
    /// timestamps only.
    pub last_seq: Option<SeqNo>,
    /// The node's own link-local address, once it was heard from.
    pub node_link_local: Option<Ipv6Addr>,
}

/// The link-layer identifier of a node's interface (RFC 5213 8.6): known, so not `ALL_ZERO`, and
/// not longer than its option can carry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct LinkLayerId(Box<[u8]>);

impl LinkLayerId {
    /// The longest that the option can carry.
    pub const MAX_LEN: usize = 253;

    /// `None` if it is longer than [`Self::MAX_LEN`], or says nothing (RFC 5213 6.9.1.1 (7)).
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let told = bytes.len() <= Self::MAX_LEN && bytes.iter().any(|&b| b != 0);
        told.then(|| Self(bytes.into()))
    }

    /// The identifier, as it stands on the wire.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<Vec<u8>> for LinkLayerId {
    type Error = &'static str;
    fn try_from(bytes: Vec<u8>) -> Result<Self, Self::Error> {
        Self::new(&bytes).ok_or("a link-layer identifier has 1 to 253 bytes, not all zero")
    }
}

impl From<LinkLayerId> for Vec<u8> {
    fn from(id: LinkLayerId) -> Self {
        id.0.into()
    }
}

/// A point-to-point access link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Which.
    pub id: LinkId,
    /// Its MTU in bytes.
    pub mtu: u16,
    /// A link-local address of ours, derived from the interface, for when the anchor gives none.
    pub link_local: Ipv6Addr,
}

/// A node's policy profile (RFC 5213 6.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeProfile {
    /// Its identifier.
    pub mn_id: MnId,
    /// Its anchor.
    pub lma: AnchorAddr,
    /// Its prefixes, if the policy store knows them; the anchor assigns them if empty.
    pub prefixes: Vec<HomePrefix>,
    /// Access Technology Type (RFC 5213 8.5).
    pub att: AccessTech,
    /// Whether it gets prefixes at all (RFC 5844 3.2.2).
    pub ipv6: bool,
    /// The IPv4 home address to ask for, `0.0.0.0` for any; no IPv4 if `None` (RFC 5844 3.2.2).
    pub ipv4: Option<Ipv4Home>,
    /// How its packets are tunnelled.
    pub gre: Gre,
    /// The service that its session is for (RFC 5149); the default one if `None`.
    pub service: Option<Box<str>>,
}

/// Whether GRE is asked for (RFC 5845 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gre {
    /// It is not, unless the anchor requires it.
    #[default]
    Off,
    /// GRE without keys.
    Encapsulation,
    /// A key of ours for the packets to the node, and one of the anchor's for those from it.
    Keys,
}

impl FromStr for Gre {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "off" => Ok(Self::Off),
            "encapsulation" => Ok(Self::Encapsulation),
            "keys" => Ok(Self::Keys),
            other => Err(format!("{other:?} is not off, encapsulation or keys")),
        }
    }
}

/// One of the two that a session may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// The IPv4 home address.
    Ipv4,
    /// All home network prefixes.
    Ipv6,
}

impl FromStr for Family {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "ipv4" => Ok(Self::Ipv4),
            "ipv6" => Ok(Self::Ipv6),
            other => Err(format!("{other:?} is neither ipv4 nor ipv6")),
        }
    }
}

/// What an attachment says about handoff: the values of RFC 5213 8.4 that it may take. (5 is the
/// re-registration's own.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HandoffHint {
    /// 1: attachment over a new interface.
    NewInterface,
    /// 2: handoff between two interfaces of the node.
    BetweenInterfaces,
    /// 3: handoff between gateways for the same interface.
    SameInterface,
    /// 4: not known.
    #[default]
    Unknown,
}

impl HandoffHint {
    /// The Handoff Indicator on the wire.
    #[must_use]
    pub const fn indicator(self) -> HandoffIndicator {
        match self {
            Self::NewInterface => HandoffIndicator::NEW_INTERFACE,
            Self::BetweenInterfaces => HandoffIndicator::BETWEEN_INTERFACES,
            Self::SameInterface => HandoffIndicator::SAME_INTERFACE,
            Self::Unknown => HandoffIndicator::UNKNOWN,
        }
    }
}

impl FromStr for HandoffHint {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "new-interface" => Ok(Self::NewInterface),
            "between-interfaces" => Ok(Self::BetweenInterfaces),
            "same-interface" => Ok(Self::SameInterface),
            "unknown" => Ok(Self::Unknown),
            other => Err(format!(
                "{other:?} is not new-interface, between-interfaces, same-interface or unknown"
            )),
        }
    }
}
