//! What the anchor's pure core decides, as data. The control loop carries it out, in order.

use crate::addr::{CustomerPrefix, GreKeys, MnId, Protection, ProxyCoa, TunnelPath, TunnelPaths};
use crate::mobility::ha::{HomeIcmp, LinkAddress};
use crate::mobility::message::{AckMsg, PeerMsg};
use crate::mobility::mip4::Mip4Msg;
use crate::mobility::question::PolicyQuestion;
use serde::{Deserialize, Serialize};

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Change what the workers forward. Never waits.
    Publish(Publication),
    /// Make a binding durable as it is now (the control loop asks the cache for it by id), or
    /// forget it if it is gone.
    Persist(BindingId),
    /// Send a Proxy Binding Acknowledgement.
    Reply {
        /// The message.
        ack: AckMsg,
        /// Hold it until every `Publish` and `Persist` that came before it in this stream is in
        /// force. `false` for refusals.
        held: bool,
    },
    /// Send a message that is no Proxy Binding Acknowledgement.
    Send {
        /// The message.
        msg: PeerMsg,
        /// As for [`Self::Reply`].
        held: bool,
    },
    /// Send a message of Mobile IPv4.
    SendMip4 {
        /// The message.
        msg: Mip4Msg,
        /// As for [`Self::Reply`].
        held: bool,
    },
    /// Ask the policy store; [`crate::mobility::event::Event::Policy`] brings what it answers.
    AskPolicy(PolicyQuestion),
    /// Ask the home link whether anybody has this address (RFC 4862 5.4);
    /// [`crate::mobility::event::Event::HomeProbed`] brings what came of it. Where no port has the
    /// link, nobody has it.
    ProbeHome(LinkAddress),
    /// Answer for an address on the home link from now on, and say so (RFC 6275 10.4.1).
    Defend {
        /// Which.
        address: LinkAddress,
        /// It is a mobile router's: the flag R says so (RFC 3963 6.2).
        router: bool,
    },
    /// Do so no more.
    Undefend(LinkAddress),
    /// Send an ICMPv6 message of the home agent.
    SendIcmp(HomeIcmp),
    /// Something that an operator may want to see.
    Audit(Audit),
}

/// Names a binding for as long as it lives; never reused within a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BindingId(pub u64);

/// Whose a binding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BindingKind {
    /// The local mobility anchor's.
    Proxy,
    /// The Mobile IPv6 home agent's.
    Home,
    /// The Mobile IPv4 home agent's.
    Home4,
}

impl BindingId {
    /// The `n`th id of a kind. Its two topmost bits say which, so that no two bindings of the
    /// anchor have the same.
    #[must_use]
    pub const fn new(kind: BindingKind, n: u64) -> Self {
        let kind = match kind {
            BindingKind::Proxy => 0,
            BindingKind::Home => 1,
            BindingKind::Home4 => 2,
        };
        Self(kind << Self::KIND_SHIFT | n & !(3 << Self::KIND_SHIFT))
    }

    /// Whose binding it names.
    #[must_use]
    pub const fn kind(self) -> BindingKind {
        match self.0 >> Self::KIND_SHIFT {
            0 => BindingKind::Proxy,
            1 => BindingKind::Home,
            _ => BindingKind::Home4,
        }
    }

    const KIND_SHIFT: u32 = 62;
}

/// A change of what is forwarded for one home network prefix or IPv4 home address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Publication {
    /// Forward through this tunnel, with these keys.
    Forward(CustomerPrefix, TunnelPath, GreKeys),
    /// Forward a copy through each of these tunnels, without keys: there are several.
    Copy(CustomerPrefix, TunnelPaths),
    /// Forward through this tunnel what need not be in ESP; the rest is the kernel's.
    Protect(CustomerPrefix, TunnelPath, Protection),
    /// Drop: the delete delay runs.
    Hold(CustomerPrefix),
    /// Forget it.
    Withdraw(CustomerPrefix),
}

/// What happened to a binding, for logs, events and counters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// What.
    pub kind: AuditKind,
    /// Whose; `None` when the message did not say.
    pub mn_id: Option<MnId>,
    /// The gateway that asked, or that lost the binding.
    pub proxy_coa: Option<ProxyCoa>,
}

/// Kinds of [`Audit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AuditKind {
    /// A new mobility session.
    Created,
    /// The lifetime was extended by the same gateway.
    Refreshed,
    /// The session moved to another gateway.
    HandedOff,
    /// De-registered; the delete delay runs.
    Deregistered,
    /// Its IPv4 home address alone was given back.
    Ipv4Released,
    /// Its home network prefixes alone were given back.
    Ipv6Released,
    /// Taken up again within the delete delay.
    Revived,
    /// The lifetime ran out.
    Expired,
    /// Deleted: after the delete delay, or by the operator.
    Deleted,
    /// Its gateway was told that it is revoked; its traffic has stopped.
    Revoking,
    /// Ended by revocation, ours or the gateway's.
    Revoked,
    /// Deleted because its gateway failed or restarted.
    Lost,
    /// A gateway refused to revoke, with this status (RFC 5846 5.2).
    RevocationRefused(u8),
    /// A gateway did not answer an indication.
    RevocationUnanswered,
    /// A gateway may not revoke what it named: it was told this status.
    RevocationDenied(u8),
    /// A gateway does not know Binding Revocation.
    RevocationUnsupported,
    /// A gateway does not answer heartbeats any more.
    PeerFailed,
    /// A gateway has restarted, and lost its sessions.
    PeerRestarted,
    /// A gateway does not know heartbeats.
    HeartbeatUnsupported,
    /// The policy store has not answered in time; what waited for it is refused.
    PolicyOverdue,
    /// There is no room for another update that waits for the policy store; it is refused.
    PolicyRoomFull,
    /// The policy store answered what nobody asks, or asks any more.
    PolicyStray,
    /// A byte-identical duplicate was answered again.
    Duplicate,
    /// Refused with this status.
    Refused(u8),
    /// Ignored without an answer; the reason is the clause that says so.
    Ignored(Ignored),
    /// It is about a home registration; the care-of address stands in the gateway's place.
    Home(HomeAudit),
    /// It is about a registration of Mobile IPv4; likewise.
    Mip4(Mip4Audit),
}

/// What happened to a home registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HomeAudit {
    /// A new one.
    Registered,
    /// Its lifetime was extended.
    Refreshed,
    /// The node moved to another care-of address.
    Moved,
    /// The node came home.
    Deregistered,
    /// The lifetime ran out.
    Expired,
    /// Deleted by the operator.
    Deleted,
    /// A gateway has taken the node over (combined interworking).
    Proxied,
    /// Ended: the prefix of its home address is not valid any more.
    PrefixGone,
    /// The node was told of its home link's prefixes as often as may be, and has not answered.
    Unheard,
    /// Refused with this status.
    Refused(u8),
    /// Ignored without an answer.
    Ignored(Ignored),
}

/// What happened to a registration of Mobile IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mip4Audit {
    /// A new one.
    Registered,
    /// The lifetime of a binding was extended.
    Refreshed,
    /// The node has another care-of address, or one more.
    Moved,
    /// The node ended a binding.
    Deregistered,
    /// The lifetime of a binding ran out.
    Expired,
    /// Deleted by the operator, or because the node registered another home address.
    Deleted,
    /// The same, and the other end of its tunnel was told (RFC 3543).
    Revoking,
    /// Ended by revocation: ours was acknowledged, or it was a foreign agent's.
    Revoked,
    /// Nobody acknowledged a revocation of ours.
    RevocationUnanswered,
    /// What was accepted last came again, and was answered again.
    Duplicate,
    /// The first keepalive of a half-bound tunnel came: it is known where that ends (RFC 3519 4.6).
    Bound,
    /// A keepalive that is none of a half-bound tunnel.
    KeepaliveRefused,
    /// Denied with this code (RFC 5944 3.4).
    Denied(u8),
    /// Ignored without an answer.
    Ignored(Ignored),
}

/// Why an update got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Ignored {
    /// A de-registration by a gateway that no longer serves the session (RFC 5213 5.3.5 (1)).
    NotServing,
    /// A de-registration for which there is no session (RFC 5213 5.4.1).
    NoSession,
    /// It should be authenticated and is not, or by a key that we do not have (RFC 4285 5, 5.1.1).
    Unauthenticated,
    /// The source is not a unicast address (RFC 6275 9.5.4).
    NotUnicast,
    /// It is from nobody that we know as a gateway.
    Stranger,
    /// It answers nothing that we sent.
    Stray,
    /// A message of Mobile IPv4 that cannot be read.
    Malformed,
    /// A revocation of before, or one of our own that came back (RFC 3543 3.5).
    Replayed,
    /// The home address or the care-of address is no unicast address that can be routed (RFC 6275
    /// 6.1.7, 9.5.1).
    NotRoutable,
    /// It registers a care-of address without a Home Address option (RFC 6275 10.3.1).
    NoHomeAddress,
    /// It asks for no home registration, or for one as correspondents keep them, with nonces (RFC
    /// 6275 9.5.1): there is no correspondent here.
    NotForHomeAgent,
    /// More often than once a second (RFC 6275 6.8), or not served by configuration.
    Withheld,
    /// Held until `MaxDelayBeforeNewBCEAssign` has passed (RFC 5213 5.4.1.2, 5.4.1.3); answered
    /// then.
    Waiting,
    /// Held until the policy store has answered; answered then.
    Parked,
}
