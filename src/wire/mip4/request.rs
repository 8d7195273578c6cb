//! Registration Request, type 1 (RFC 5944 section 3.3).
//!
//! ```text
//!  +---------------+-+-+-+-+-+-+-+-+---------------+---------------+
//!  |    Type 1     |S|B|D|M|G|r|T|x|           Lifetime            |
//!  +---------------+-+-+-+-+-+-+-+-+---------------+---------------+
//!  |                         Home Address                          |
//!  |                          Home Agent                           |
//!  |                        Care-of Address                        |
//!  +                        Identification                         +
//!  |                                                               |
//! ```

use crate::time::Duration;
use crate::wire::{Result, Writer, be16, field, octet};
use core::ops::BitOr;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A Registration Request without its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistrationRequest {
    /// What is asked for.
    pub flags: RequestFlags,
    /// For how long; zero de-registers.
    pub lifetime: RegistrationLifetime,
    /// The node's; 0.0.0.0 if it has none yet.
    pub home_address: Ipv4Addr,
    /// Whom the node takes for its home agent.
    pub home_agent: Ipv4Addr,
    /// Where the tunnel ends; the home address in a request that ends all bindings.
    pub care_of: Ipv4Addr,
    /// Against replays, and to match the reply.
    pub identification: Identification,
}

impl RegistrationRequest {
    pub(super) const TYPE: u8 = 1;
    pub(super) const LEN: usize = 24;

    pub(super) fn parse(payload: &[u8]) -> Result<Self> {
        Ok(Self {
            flags: RequestFlags(octet(payload, 1)?),
            lifetime: RegistrationLifetime(be16(payload, 2)?),
            home_address: field::<4>(payload, 4).map(Ipv4Addr::from)?,
            home_agent: field::<4>(payload, 8).map(Ipv4Addr::from)?,
            care_of: field::<4>(payload, 12).map(Ipv4Addr::from)?,
            identification: field(payload, 16).map(u64::from_be_bytes).map(Identification)?,
        })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) -> Result<()> {
        w.put(&[Self::TYPE, self.flags.0])?;
        w.put(&self.lifetime.0.to_be_bytes())?;
        w.put(&self.home_address.octets())?;
        w.put(&self.home_agent.octets())?;
        w.put(&self.care_of.octets())?;
        w.put(&self.identification.0.to_be_bytes())
    }
}

/// Flags of a Registration Request, as the eight bits stand on the wire. `r` and `x` have no names:
/// whatever they are, they are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct RequestFlags(pub u8);

impl RequestFlags {
    /// Simultaneous bindings: those of before are to be kept.
    pub const S: Self = Self(0x80);
    /// Broadcasts of the home network are wanted.
    pub const B: Self = Self(0x40);
    /// The node decapsulates by itself: the care-of address is co-located.
    pub const D: Self = Self(0x20);
    /// Minimal encapsulation (RFC 2004).
    pub const M: Self = Self(0x10);
    /// GRE encapsulation.
    pub const G: Self = Self(0x08);
    /// Reverse tunnelling (RFC 3024).
    pub const T: Self = Self(0x02);

    /// Whether all flags of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for RequestFlags {
    type Output = Self;
    fn bitor(self, rhs: Self) -> Self {
        Self(self.0 | rhs.0)
    }
}

/// A lifetime of Mobile IPv4: seconds. Mobile IPv6 has units of four: [`crate::time::Lifetime`].
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct RegistrationLifetime(pub u16);

impl RegistrationLifetime {
    /// De-registration.
    pub const ZERO: Self = Self(0);
    /// It never ends.
    pub const INFINITE: Self = Self(u16::MAX);

    /// As a duration; `None` if it never ends.
    #[must_use]
    pub fn duration(self) -> Option<Duration> {
        (self != Self::INFINITE).then(|| Duration::from_secs(self.0.into()))
    }
}

/// The Identification of a request and its reply (RFC 5944 5.7).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Identification(pub u64);

impl Identification {
    /// The upper half: seconds of NTP, or a nonce.
    #[must_use]
    pub const fn high(self) -> u32 {
        let [a, b, c, d, ..] = self.0.to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    /// The same lower half under another upper one.
    #[must_use]
    pub const fn with_high(self, high: u32) -> Self {
        Self((high as u64) << 32 | self.0 & 0xffff_ffff)
    }
}
