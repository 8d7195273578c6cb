//! Heartbeat, MH type 13 (RFC 5847 section 3.3).
//!
//! ```text
//!                                  +---------------------------+-+-+
//!                                  |         Reserved          |U|R|
//!  +---------------+---------------+---------------------------+-+-+
//!  |                        Sequence Number                        |
//!  +---------------+---------------+---------------+---------------+
//! ```

use super::MessageData;
use crate::wire::{Result, be16, field};
use core::ops::BitOr;
use serde::{Deserialize, Serialize};

/// A Heartbeat without its options: a request, or a response when the R flag is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Flags.
    pub flags: HeartbeatFlags,
    /// Matches a response with its request.
    pub seq: u32,
}

impl MessageData for Heartbeat {
    const MH_TYPE: u8 = 13;
    const LEN: usize = 6;

    fn parse_data(data: &[u8]) -> Result<Self> {
        let seq = u32::from_be_bytes(field(data, 2)?);
        Ok(Self { flags: HeartbeatFlags(be16(data, 0)?), seq })
    }

    fn emit_data(&self, data: &mut [u8]) {
        if let Some((flags, seq)) = data.split_first_chunk_mut() {
            *flags = self.flags.0.to_be_bytes();
            seq.copy_from_slice(&self.seq.to_be_bytes());
        }
    }
}

/// Flags of a Heartbeat, as the 16 bits stand on the wire. Bits that we do not name survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct HeartbeatFlags(pub u16);

impl HeartbeatFlags {
    /// Response (RFC 5847 3.3).
    pub const R: Self = Self(0x0001);
    /// Unsolicited: a response that nobody asked for (RFC 5847 3.3).
    pub const U: Self = Self(0x0002);

    /// Whether all flags of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for HeartbeatFlags {
    type Output = Self;
    fn bitor(self, rhs: Self) -> Self {
        Self(self.0 | rhs.0)
    }
}
