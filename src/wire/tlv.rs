//! The TLV-header between UDP and what a tunnel carries (RFC 5845 section 7.2).
//!
//! ```text
//!  +-------+-------+---------------+-------------------------------+
//!  |Type 0 | Res.  |  Next Header  |            Length             |
//! ```
//! The type stands where the version of an IP header would: a receiver tells them apart by it.

use super::{Error, ErrorKind, Result, Writer, be16, octet};

/// Length of the header, in bytes.
pub const HEADER_LEN: usize = 4;

const LENGTH_AT: usize = 2;

/// A TLV-header without its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlvHeader {
    /// Protocol number of what follows: 4, 41 or 47.
    pub next_header: u8,
}

impl TlvHeader {
    /// The header at the front of a UDP payload, and what follows it.
    ///
    /// Fails with `Length` unless it says exactly the length of what follows: RFC 5845 7.1 wants
    /// such a packet discarded.
    pub fn parse(payload: &[u8]) -> Result<(Self, &[u8])> {
        if octet(payload, 0)? >> 4 != 0 {
            return Err(Error::new(ErrorKind::Value, 0));
        }
        let len = usize::from(be16(payload, LENGTH_AT)?);
        let next_header = octet(payload, 1)?;
        let inner = payload.get(HEADER_LEN..).unwrap_or_default();
        if inner.len() != len {
            return Err(Error::new(ErrorKind::Length, LENGTH_AT));
        }
        Ok((Self { next_header }, inner))
    }

    /// Makes a UDP payload in place: `payload` is [`HEADER_LEN`] bytes to be written, then what
    /// follows.
    pub fn emit(&self, payload: &mut [u8]) -> Result<()> {
        let inner_len = payload.len().saturating_sub(HEADER_LEN);
        let len = u16::try_from(inner_len).map_err(|_| Error::new(ErrorKind::Length, LENGTH_AT))?;
        let mut w = Writer::new(payload);
        w.put(&[0, self.next_header])?;
        w.put(&len.to_be_bytes())
    }
}
