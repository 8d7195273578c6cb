//! Binding Acknowledgement, MH type 6 (RFC 6275 section 6.1.8, RFC 5213 section 8.2).
//!
//! ```text
//!                                  +---------------+-+-+-+-+-+-----+
//!                                  |    Status     |K|R|P|T|B| Res.|
//!  +---------------+---------------+---------------+-+-+-+-+-+-----+
//!  |          Sequence #           |           Lifetime            |
//!  +---------------+---------------+---------------+---------------+
//! ```

use super::{MessageData, SeqNo, Status};
use crate::time::Lifetime;
use crate::wire::{Result, be16, octet};
use core::ops::BitOr;
use serde::{Deserialize, Serialize};

/// A Binding Acknowledgement without its options; *Proxy* when the P flag is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BindingAck {
    /// Outcome.
    pub status: Status,
    /// Flags.
    pub flags: BaFlags,
    /// Sequence number, copied from the update.
    pub seq: SeqNo,
    /// Granted lifetime.
    pub lifetime: Lifetime,
}

impl MessageData for BindingAck {
    const MH_TYPE: u8 = 6;
    const LEN: usize = 6;

    fn parse_data(data: &[u8]) -> Result<Self> {
        Ok(Self {
            status: Status(octet(data, 0)?),
            flags: BaFlags(octet(data, 1)?),
            seq: SeqNo(be16(data, 2)?),
            lifetime: Lifetime(be16(data, 4)?),
        })
    }

    fn emit_data(&self, data: &mut [u8]) {
        let first = u16::from_be_bytes([self.status.0, self.flags.0]);
        let fields = [first, self.seq.0, self.lifetime.0];
        for (at, field) in data.chunks_exact_mut(2).zip(fields) {
            at.copy_from_slice(&field.to_be_bytes());
        }
    }
}

/// Flags of a Binding Acknowledgement, as the 8 bits stand on the wire. Bits that we do not name
/// survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct BaFlags(pub u8);

impl BaFlags {
    /// Key Management Mobility Capability (RFC 6275 6.1.8).
    pub const K: Self = Self(0x80);
    /// Mobile Router (RFC 3963).
    pub const R: Self = Self(0x40);
    /// Proxy Registration (RFC 5213 8.2).
    pub const P: Self = Self(0x20);
    /// TLV-header format (RFC 5845).
    pub const T: Self = Self(0x10);
    /// Bulk-Binding-Update (RFC 6602).
    pub const B: Self = Self(0x08);

    /// Whether all flags of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for BaFlags {
    type Output = Self;
    fn bitor(self, rhs: Self) -> Self {
        Self(self.0 | rhs.0)
    }
}
