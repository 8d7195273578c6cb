//! Binding Update, MH type 5 (RFC 6275 section 6.1.7, RFC 5213 section 8.1).
//!
//! ```text
//!                                  +---------------+---------------+
//!                                  |          Sequence #           |
//!  +-+-+-+-+-+-+-+-+-+-+-+---------+---------------+---------------+
//!  |A|H|L|K|M|R|P|F|T|B|S| Reserved|           Lifetime            |
//!  +-+-+-+-+-+-+-+-+-+-+-+---------+---------------+---------------+
//! ```

use super::MessageData;
use crate::time::Lifetime;
use crate::wire::{Result, be16};
use core::ops::BitOr;
use serde::{Deserialize, Serialize};

/// A Binding Update without its options; a *Proxy* Binding Update when the P flag is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BindingUpdate {
    /// Sequence number.
    pub seq: SeqNo,
    /// Flags.
    pub flags: BuFlags,
    /// Requested lifetime; zero deregisters.
    pub lifetime: Lifetime,
}

impl MessageData for BindingUpdate {
    const MH_TYPE: u8 = 5;
    const LEN: usize = 6;

    fn parse_data(data: &[u8]) -> Result<Self> {
        Ok(Self {
            seq: SeqNo(be16(data, 0)?),
            flags: BuFlags(be16(data, 2)?),
            lifetime: Lifetime(be16(data, 4)?),
        })
    }

    fn emit_data(&self, data: &mut [u8]) {
        let fields = [self.seq.0, self.flags.0, self.lifetime.0];
        for (at, field) in data.chunks_exact_mut(2).zip(fields) {
            at.copy_from_slice(&field.to_be_bytes());
        }
    }
}

/// A sequence number, compared modulo 2^16 (RFC 6275 section 9.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct SeqNo(pub u16);

impl SeqNo {
    /// Whether this number comes after `last`: it is not `last`, nor one of the 32768 before it.
    #[must_use]
    pub const fn is_after(self, last: Self) -> bool {
        let ahead = self.0.wrapping_sub(last.0);
        ahead != 0 && ahead < 1 << 15
    }

    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// Flags of a Binding Update, as the 16 bits stand on the wire. Bits that we do not name survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct BuFlags(pub u16);

impl BuFlags {
    /// Acknowledge: an answer is wanted (RFC 6275 6.1.7).
    pub const A: Self = Self(0x8000);
    /// Home Registration (RFC 6275 6.1.7).
    pub const H: Self = Self(0x4000);
    /// Link-Local Address Compatibility (RFC 6275 6.1.7).
    pub const L: Self = Self(0x2000);
    /// Key Management Mobility Capability (RFC 6275 6.1.7).
    pub const K: Self = Self(0x1000);
    /// MAP Registration (RFC 5380).
    pub const M: Self = Self(0x0800);
    /// Mobile Router (RFC 3963).
    pub const R: Self = Self(0x0400);
    /// Proxy Registration (RFC 5213 8.1).
    pub const P: Self = Self(0x0200);
    /// Forcing UDP encapsulation (RFC 5555).
    pub const F: Self = Self(0x0100);
    /// TLV-header format (RFC 5845).
    pub const T: Self = Self(0x0080);
    /// Bulk-Binding-Update (RFC 6602).
    pub const B: Self = Self(0x0040);
    /// Subscription to Dynamic Multicast (RFC 7161, as its erratum 4146 places it).
    pub const S: Self = Self(0x0020);

    /// Whether all flags of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for BuFlags {
    type Output = Self;
    fn bitor(self, rhs: Self) -> Self {
        Self(self.0 | rhs.0)
    }
}
