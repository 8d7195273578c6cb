//! Binding Revocation, MH type 16: Indication and Acknowledgement (RFC 5846 section 5).
//!
//! ```text
//!                                  +---------------+---------------+
//!                                  | 1: Indication |  R. Trigger   |
//!                                  | 2: Ack.       |  Status       |
//!  +---------------+---------------+-+-+-+---------+---------------+
//!  |          Sequence #           |P|V|G|        Reserved         |
//!  +---------------+---------------+-+-+-+---------+---------------+
//! ```

use super::{MessageData, SeqNo};
use crate::wire::{Error, ErrorKind, Result, be16, octet};
use core::fmt;
use core::ops::BitOr;
use serde::{Deserialize, Serialize};

/// Binding Revocation Type of an Indication.
const INDICATION: u8 = 1;

/// Binding Revocation Type of an Acknowledgement.
pub(super) const ACKNOWLEDGEMENT: u8 = 2;

/// A Binding Revocation Indication without its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingRevocationIndication {
    /// Why.
    pub trigger: RevocationTrigger,
    /// Matches the acknowledgement.
    pub seq: SeqNo,
    /// Flags.
    pub flags: RevocationFlags,
}

/// A Binding Revocation Acknowledgement without its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingRevocationAck {
    /// Outcome.
    pub status: RevocationStatus,
    /// Copied from the indication.
    pub seq: SeqNo,
    /// Flags, copied from the indication.
    pub flags: RevocationFlags,
}

impl MessageData for BindingRevocationIndication {
    const MH_TYPE: u8 = 16;
    const LEN: usize = 6;

    fn parse_data(data: &[u8]) -> Result<Self> {
        let (trigger, seq, flags) = parse(data, INDICATION)?;
        Ok(Self { trigger: RevocationTrigger(trigger), seq, flags })
    }

    fn emit_data(&self, data: &mut [u8]) {
        emit(INDICATION, self.trigger.0, self.seq, self.flags, data);
    }
}

impl MessageData for BindingRevocationAck {
    const MH_TYPE: u8 = 16;
    const LEN: usize = 6;

    fn parse_data(data: &[u8]) -> Result<Self> {
        let (status, seq, flags) = parse(data, ACKNOWLEDGEMENT)?;
        Ok(Self { status: RevocationStatus(status), seq, flags })
    }

    fn emit_data(&self, data: &mut [u8]) {
        emit(ACKNOWLEDGEMENT, self.status.0, self.seq, self.flags, data);
    }
}

/// What both have: trigger or status, sequence number, flags.
fn parse(data: &[u8], kind: u8) -> Result<(u8, SeqNo, RevocationFlags)> {
    if octet(data, 0)? != kind {
        return Err(Error::new(ErrorKind::Value, 0));
    }
    Ok((octet(data, 1)?, SeqNo(be16(data, 2)?), RevocationFlags(be16(data, 4)?)))
}

fn emit(kind: u8, reason: u8, seq: SeqNo, flags: RevocationFlags, data: &mut [u8]) {
    let fields = [u16::from_be_bytes([kind, reason]), seq.0, flags.0];
    for (at, field) in data.chunks_exact_mut(2).zip(fields) {
        at.copy_from_slice(&field.to_be_bytes());
    }
}

/// Flags of both messages, as the 16 bits stand on the wire. Bits that we do not name survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct RevocationFlags(pub u16);

impl RevocationFlags {
    /// Proxy Binding (RFC 5846 5.1).
    pub const P: Self = Self(0x8000);
    /// IPv4 HoA Binding Only (RFC 5846 5.1).
    pub const V: Self = Self(0x4000);
    /// Global: all bindings that the two share, or that share an identifier (RFC 5846 5.1).
    pub const G: Self = Self(0x2000);

    /// Whether all flags of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for RevocationFlags {
    type Output = Self;
    fn bitor(self, rhs: Self) -> Self {
        Self(self.0 | rhs.0)
    }
}

macro_rules! code_points {
    ($($(#[$doc:meta])* $name:ident = $value:literal => $text:literal,)*) => {
        $($(#[$doc])* pub const $name: Self = Self($value);)*

        /// A few words for people; `None` for a value that we do not know.
        #[must_use]
        pub const fn name(self) -> Option<&'static str> {
            match self.0 {
                $($value => Some($text),)*
                _ => None,
            }
        }
    };
}

/// Revocation Trigger (RFC 5846 5.1): below 128 for one node, from 128 on for many. Values without
/// a name survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RevocationTrigger(pub u8);

impl RevocationTrigger {
    code_points! {
        /// Unspecified.
        UNSPECIFIED = 0 => "unspecified",
        /// Administrative reason.
        ADMINISTRATIVE = 1 => "administrative reason",
        /// Handoff between gateways, same access technology type.
        HANDOFF_SAME_ACCESS_TYPE = 2 => "handoff, same access type",
        /// Handoff between gateways, another access technology type.
        HANDOFF_DIFFERENT_ACCESS_TYPE = 3 => "handoff, different access type",
        /// Perhaps a handoff between gateways.
        HANDOFF_UNKNOWN = 4 => "handoff, unknown",
        /// The user ended the session.
        USER_INITIATED = 5 => "user-initiated termination",
        /// The access network ended the session.
        ACCESS_NETWORK = 6 => "access network termination",
        /// The two sides may not agree about the binding.
        OUT_OF_SYNC = 7 => "possibly out of sync",
        /// Policy of the two peers.
        PER_PEER_POLICY = 128 => "per-peer policy",
        /// Local policy of the one who revokes.
        LOCAL_POLICY = 129 => "local policy",
    }

    /// Whether the value is for global revocations only (G flag).
    #[must_use]
    pub const fn is_global(self) -> bool {
        self.0 >= 128
    }
}

impl fmt::Display for RevocationTrigger {
    /// The name, or the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => f.pad(&self.0.to_string()),
        }
    }
}

/// Status of a Binding Revocation Acknowledgement (RFC 5846 5.2); below 128 the binding is revoked.
/// Values without a name survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RevocationStatus(pub u8);

impl RevocationStatus {
    code_points! {
        /// Success.
        SUCCESS = 0 => "success",
        /// Some of the bindings were revoked.
        PARTIAL_SUCCESS = 1 => "partial success",
        /// The binding does not exist.
        BINDING_DOES_NOT_EXIST = 128 => "binding does not exist",
        /// The V flag without an IPv4 home address option.
        IPV4_HOME_ADDRESS_OPTION_REQUIRED = 129 => "IPv4 home address option required",
        /// The peer may not revoke globally.
        GLOBAL_REVOCATION_NOT_AUTHORIZED = 130 => "global revocation not authorized",
        /// The nodes are not named.
        REVOKED_MN_IDENTITY_REQUIRED = 131 => "identity of the revoked nodes required",
        /// The node is attached here.
        MN_IS_ATTACHED = 132 => "node is attached",
        /// The trigger is not known.
        TRIGGER_NOT_SUPPORTED = 133 => "trigger not supported",
        /// The trigger and the flags do not fit together.
        FUNCTION_NOT_SUPPORTED = 134 => "function not supported",
        /// No proxy bindings here.
        PROXY_BINDING_NOT_SUPPORTED = 135 => "proxy binding revocation not supported",
    }

    /// Whether the indication was accepted.
    #[must_use]
    pub const fn is_accepted(self) -> bool {
        self.0 < 128
    }
}

impl fmt::Display for RevocationStatus {
    /// The name, or the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => f.pad(&self.0.to_string()),
        }
    }
}
