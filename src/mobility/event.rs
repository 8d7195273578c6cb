//! What can happen to the anchor's pure core.

use crate::addr::{CustomerId, HomePrefix, MnId};
use crate::mobility::ha::{Drain, LinkAddress, RouterHeard};
use crate::mobility::message::{PeerMsg, UpdateMsg};
use crate::mobility::mip4::Mip4Msg;
use crate::mobility::question::{PolicyAnswer, QuestionId};
use serde::{Deserialize, Serialize};
use std::net::Ipv6Addr;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A Binding Update with the P flag arrived and its header passed RFC 6275 section 9.2.
    Pbu(UpdateMsg),
    /// A Binding Update without the P flag arrived, checked likewise.
    Bu(UpdateMsg),
    /// The home link was asked for an address (`Action::ProbeHome`).
    HomeProbed {
        /// Which.
        address: LinkAddress,
        /// Somebody has it.
        taken: bool,
    },
    /// A router advertised itself on a home link.
    HomeLinkRouter(RouterHeard),
    /// A Home Agent Address Discovery Request arrived (RFC 6275 6.5).
    AgentDiscovery {
        /// Source.
        src: Ipv6Addr,
        /// Destination: the anycast address of a home link's agents, or one of ours.
        dst: Ipv6Addr,
        /// By which the answer is known.
        id: u16,
        /// Agents that serve mobile routers are asked for (RFC 3963 7.1).
        mobile_router: bool,
    },
    /// A Mobile Prefix Solicitation arrived (RFC 6275 6.7).
    PrefixSolicitation {
        /// Source: the care-of address.
        src: Ipv6Addr,
        /// The home address in its Home Address option.
        home: Ipv6Addr,
        /// Destination.
        dst: Ipv6Addr,
        /// By which the answer is known.
        id: u16,
        /// It came in ESP, by the security association of the home address.
        #[serde(default)]
        esp: bool,
    },
    /// The operator takes the home agent out of service, or back.
    NodeDrain(Drain),
    /// A message of Mobile IPv4 arrived on UDP port 434; its checksums are right.
    Mip4(Mip4Msg),
    /// An update for which there is no time: it is refused, and not looked at any further.
    Busy(UpdateMsg),
    /// A message about revocation or heartbeats arrived, or a Binding Error; checked likewise.
    Peer(PeerMsg),
    /// The policy store answers, or will not.
    Policy {
        /// What it was asked.
        question: QuestionId,
        /// What it says.
        answer: PolicyAnswer,
    },
    /// The process serves from now on.
    Start {
        /// Our Restart Counter (RFC 5847 3.2).
        restart_counter: u32,
        /// Sessions of the last run were lost.
        state_lost: bool,
    },
    /// Time for the next step of [`crate::mobility::Lma::is_sweeping`].
    Sweep,
    /// The operator revokes the bindings of a node, or only the one that holds `prefix`.
    AdminDelete {
        /// Whose.
        mn_id: MnId,
        /// Which of its sessions; all if `None`.
        prefix: Option<HomePrefix>,
        /// Those in this customer's address space; in any if `None`.
        #[serde(default)]
        customer: Option<CustomerId>,
    },
    /// The operator revokes the bindings of all nodes of a realm.
    RealmRevoke {
        /// A NAI of nothing but an `@` and the realm.
        realm: MnId,
        /// Those at this gateway alone.
        mag: Option<Ipv6Addr>,
    },
    /// The operator authorized a gateway.
    MagAdd(Ipv6Addr),
    /// The operator withdrew a gateway's authorization; its bindings stay until they expire.
    MagDel(Ipv6Addr),
    /// The same, and its bindings are revoked.
    MagRevoke(Ipv6Addr),
}
