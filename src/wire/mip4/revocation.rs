//! Registration Revocation, type 7, and its acknowledgement, type 15 (RFC 3543 sections 3.3, 3.4).
//!
//! ```text
//!  +---------------+---------------+-+-+-----------+---------------+
//!  |    Type 7     |   Reserved    |A|I|         Reserved          |
//!  +---------------+---------------+-+-+-----------+---------------+
//!  |                         Home Address                          |
//!  |                      Home Domain Address                      |
//!  |                    Foreign Domain Address                     |
//!  |                     Revocation Identifier                     |
//!
//!  +---------------+---------------+-+-------------+---------------+
//!  |    Type 15    |   Reserved    |I|          Reserved           |
//!  +---------------+---------------+-+-------------+---------------+
//!  |                         Home Address                          |
//!  |                     Revocation Identifier                     |
//! ```

use crate::wire::{Result, Writer, field, octet};
use std::net::Ipv4Addr;

/// A Registration Revocation without its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistrationRevocation {
    /// A: the sender is the home agent of the binding.
    pub from_home_agent: bool,
    /// I: about telling the node.
    pub inform: bool,
    /// Whose binding.
    pub home_address: Ipv4Addr,
    /// Its home agent.
    pub home_domain: Ipv4Addr,
    /// Its foreign agent, or its co-located care-of address.
    pub foreign_domain: Ipv4Addr,
    /// The sender's time.
    pub identifier: u32,
}

impl RegistrationRevocation {
    pub(super) const TYPE: u8 = 7;
    pub(super) const LEN: usize = 20;

    pub(super) fn parse(payload: &[u8]) -> Result<Self> {
        let flags = octet(payload, 2)?;
        Ok(Self {
            from_home_agent: flags & FIRST_BIT != 0,
            inform: flags & SECOND_BIT != 0,
            home_address: field::<4>(payload, 4).map(Ipv4Addr::from)?,
            home_domain: field::<4>(payload, 8).map(Ipv4Addr::from)?,
            foreign_domain: field::<4>(payload, 12).map(Ipv4Addr::from)?,
            identifier: field(payload, 16).map(u32::from_be_bytes)?,
        })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) -> Result<()> {
        let from = if self.from_home_agent { FIRST_BIT } else { 0 };
        let inform = if self.inform { SECOND_BIT } else { 0 };
        w.put(&[Self::TYPE, 0, from | inform, 0])?;
        w.put(&self.home_address.octets())?;
        w.put(&self.home_domain.octets())?;
        w.put(&self.foreign_domain.octets())?;
        w.put(&self.identifier.to_be_bytes())
    }
}

/// A Registration Revocation Acknowledgment without its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevocationAck {
    /// I: about telling the node.
    pub inform: bool,
    /// Copied from the revocation.
    pub home_address: Ipv4Addr,
    /// Copied from the revocation.
    pub identifier: u32,
}

impl RevocationAck {
    pub(super) const TYPE: u8 = 15;
    pub(super) const LEN: usize = 12;

    pub(super) fn parse(payload: &[u8]) -> Result<Self> {
        Ok(Self {
            inform: octet(payload, 2)? & FIRST_BIT != 0,
            home_address: field::<4>(payload, 4).map(Ipv4Addr::from)?,
            identifier: field(payload, 8).map(u32::from_be_bytes)?,
        })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) -> Result<()> {
        w.put(&[Self::TYPE, 0, if self.inform { FIRST_BIT } else { 0 }, 0])?;
        w.put(&self.home_address.octets())?;
        w.put(&self.identifier.to_be_bytes())
    }
}

/// The first bit of the third octet: A of a revocation, I of an acknowledgement.
const FIRST_BIT: u8 = 0x80;

/// The second bit there: I of a revocation.
const SECOND_BIT: u8 = 0x40;
