//! MIP Tunnel Data, type 4: between UDP and a tunnelled packet (RFC 3519 section 3.3).
//!
//! ```text
//!  +---------------+---------------+---------------+---------------+
//!  |    Type 4     |  Next Header  |           Reserved            |
//! ```

use crate::wire::{Error, ErrorKind, Result, Writer, field, octet};

/// A MIP Tunnel Data header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TunnelData {
    /// Protocol number of what follows: 4, 41, 47 or 55.
    pub next_header: u8,
}

impl TunnelData {
    /// Length of the header, in bytes.
    pub const LEN: usize = 4;

    /// The message type.
    pub const TYPE: u8 = 4;

    /// The header at the front of a UDP payload, and what follows it.
    ///
    /// Fails with `UnknownType` for any other message of the port.
    pub fn parse(payload: &[u8]) -> Result<(Self, &[u8])> {
        if octet(payload, 0)? != Self::TYPE {
            return Err(Error::new(ErrorKind::UnknownType, 0));
        }
        // The two reserved bytes have to be there, and are ignored.
        let [_, next_header, ..] = field::<{ Self::LEN }>(payload, 0)?;
        Ok((Self { next_header }, payload.get(Self::LEN..).unwrap_or_default()))
    }

    /// Writes the header to the front of `payload`.
    pub fn emit(&self, payload: &mut [u8]) -> Result<()> {
        Writer::new(payload).put(&[Self::TYPE, self.next_header, 0, 0])
    }
}
