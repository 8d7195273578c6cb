//! Registration Reply, type 3 (RFC 5944 section 3.4).
//!
//! ```text
//!  +---------------+---------------+---------------+---------------+
//!  |    Type 3     |     Code      |           Lifetime            |
//!  +---------------+---------------+---------------+---------------+
//!  |                         Home Address                          |
//!  |                          Home Agent                           |
//!  +                        Identification                         +
//!  |                                                               |
//! ```

use super::{Identification, RegistrationLifetime};
use crate::wire::{Result, Writer, be16, field, octet};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A Registration Reply without its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistrationReply {
    /// What became of the request.
    pub code: ReplyCode,
    /// What is granted.
    pub lifetime: RegistrationLifetime,
    /// The node's.
    pub home_address: Ipv4Addr,
    /// The home agent's own.
    pub home_agent: Ipv4Addr,
    /// Of the request, its upper half perhaps another.
    pub identification: Identification,
}

impl RegistrationReply {
    pub(super) const TYPE: u8 = 3;
    pub(super) const LEN: usize = 20;

    pub(super) fn parse(payload: &[u8]) -> Result<Self> {
        Ok(Self {
            code: ReplyCode(octet(payload, 1)?),
            lifetime: RegistrationLifetime(be16(payload, 2)?),
            home_address: field::<4>(payload, 4).map(Ipv4Addr::from)?,
            home_agent: field::<4>(payload, 8).map(Ipv4Addr::from)?,
            identification: field(payload, 12).map(u64::from_be_bytes).map(Identification)?,
        })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) -> Result<()> {
        w.put(&[Self::TYPE, self.code.0])?;
        w.put(&self.lifetime.0.to_be_bytes())?;
        w.put(&self.home_address.octets())?;
        w.put(&self.home_agent.octets())?;
        w.put(&self.identification.0.to_be_bytes())
    }
}

/// The Code of a reply: what home agents answer. Those from 64 to 127 are a foreign agent's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ReplyCode(pub u8);

impl ReplyCode {
    /// Accepted.
    pub const ACCEPTED: Self = Self(0);
    /// Accepted, and there are no simultaneous bindings.
    pub const ACCEPTED_WITHOUT_SIMULTANEOUS: Self = Self(1);
    /// Administratively prohibited.
    pub const PROHIBITED: Self = Self(129);
    /// Insufficient resources.
    pub const INSUFFICIENT_RESOURCES: Self = Self(130);
    /// Mobile node failed authentication.
    pub const MOBILE_NODE_FAILED_AUTHENTICATION: Self = Self(131);
    /// Foreign agent failed authentication.
    pub const FOREIGN_AGENT_FAILED_AUTHENTICATION: Self = Self(132);
    /// Registration Identification mismatch.
    pub const IDENTIFICATION_MISMATCH: Self = Self(133);
    /// Poorly formed request.
    pub const POORLY_FORMED: Self = Self(134);
    /// Too many simultaneous mobility bindings.
    pub const TOO_MANY_BINDINGS: Self = Self(135);
    /// Unknown home agent address.
    pub const UNKNOWN_HOME_AGENT: Self = Self(136);
    /// Requested reverse tunnel unavailable (RFC 3024 3.4).
    pub const REVERSE_TUNNEL_UNAVAILABLE: Self = Self(137);
    /// Reverse tunnel is mandatory and the T bit is not set (RFC 3024 3.4).
    pub const REVERSE_TUNNEL_REQUIRED: Self = Self(138);
    /// Requested encapsulation unavailable (RFC 3024 3.4).
    pub const ENCAPSULATION_UNAVAILABLE: Self = Self(139);
    /// Requested UDP tunnel encapsulation unavailable (RFC 3519 3.5).
    pub const UDP_ENCAPSULATION_UNAVAILABLE: Self = Self(142);

    /// Whether the request was accepted.
    #[must_use]
    pub const fn is_accepted(self) -> bool {
        self.0 <= Self::ACCEPTED_WITHOUT_SIMULTANEOUS.0
    }
}
