//! Mobile IPv4 (RFC 5944): what UDP carries on port 434.
//!
//! ```text
//!  +-----------------------------+----------------+----------------+----
//!  | message: type, fixed fields | extension: TLV | extension: TLV | ...
//!  +-----------------------------+----------------+----------------+----
//!  |<--------- covered ------------------------------->| by an authentication extension: all
//!                                                        before it, its type, length and SPI
//! ```
//! An extension with a type below 128 that we do not know makes the whole message worth nothing
//! (RFC 5944 1.8): [`ErrorKind::Unskippable`]. One of 128 and above is [`Extension::Unknown`].
//! Tunnelled packets on the same port have a header of their own, [`TunnelData`].

mod extension;
mod reply;
mod request;
mod revocation;
mod tunnel_data;

use super::{Error, ErrorKind, Result, Writer, octet};

pub use extension::{
    AuthKind, EXTENSION_LEN_MAX, Extension, Extensions, Ipv6PrefixField, PrefixCode,
    UdpTunnelReply, UdpTunnelRequest,
};
pub use reply::{RegistrationReply, ReplyCode};
pub use request::{Identification, RegistrationLifetime, RegistrationRequest, RequestFlags};
pub use revocation::{RegistrationRevocation, RevocationAck};
pub use tunnel_data::TunnelData;

/// UDP port of Mobile IPv4, of messages and of tunnelled packets (RFC 5944 3.3, RFC 3519 3.3).
pub const PORT: u16 = 434;

/// The fixed fields of a message, whichever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Type 1 (RFC 5944 3.3).
    Request(RegistrationRequest),
    /// Type 3 (RFC 5944 3.4).
    Reply(RegistrationReply),
    /// Type 7 (RFC 3543 3.3).
    Revocation(RegistrationRevocation),
    /// Type 15 (RFC 3543 3.4).
    RevocationAck(RevocationAck),
}

/// A message as it stands in a UDP payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Which, and its fixed fields.
    pub body: Body,
    /// What follows them.
    pub extensions: Extensions<'a>,
}

impl<'a> Message<'a> {
    /// The message that fills a UDP payload.
    ///
    /// Fails with `UnknownType` for a message that is none of [`Body`]'s.
    pub fn parse(payload: &'a [u8]) -> Result<Self> {
        let body = Body::parse(payload)?;
        let extensions = Extensions::parse(payload, body.buffer_len())?;
        Ok(Self { body, extensions })
    }
}

impl Body {
    fn parse(payload: &[u8]) -> Result<Self> {
        match octet(payload, 0)? {
            RegistrationRequest::TYPE => RegistrationRequest::parse(payload).map(Self::Request),
            RegistrationReply::TYPE => RegistrationReply::parse(payload).map(Self::Reply),
            RegistrationRevocation::TYPE => {
                RegistrationRevocation::parse(payload).map(Self::Revocation)
            }
            RevocationAck::TYPE => RevocationAck::parse(payload).map(Self::RevocationAck),
            _ => Err(Error::new(ErrorKind::UnknownType, 0)),
        }
    }

    /// How many bytes [`Self::emit`] writes.
    #[must_use]
    pub const fn buffer_len(&self) -> usize {
        match self {
            Self::Request(_) => RegistrationRequest::LEN,
            Self::Reply(_) => RegistrationReply::LEN,
            Self::Revocation(_) => RegistrationRevocation::LEN,
            Self::RevocationAck(_) => RevocationAck::LEN,
        }
    }

    /// Writes the fixed fields to the front of `payload`; the extensions follow them.
    pub fn emit(&self, payload: &mut [u8]) -> Result<()> {
        let mut w = Writer::new(payload);
        match self {
            Self::Request(m) => m.write(&mut w),
            Self::Reply(m) => m.write(&mut w),
            Self::Revocation(m) => m.write(&mut w),
            Self::RevocationAck(m) => m.write(&mut w),
        }
    }
}

#[cfg(test)]
mod tests;
