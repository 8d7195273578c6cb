//! The GRE header (RFC 2784) with its key and sequence number (RFC 2890).
//!
//! ```text
//!  +-+-+-+-+-----------------+-----+-------------------------------+
//!  |C| |K|S|    Reserved0    | Ver |         Protocol Type         |
//!  +-+-+-+-+-----------------+-----+-------------------------------+
//!  |   Checksum and Reserved1 (if C); Key (if K); Sequence Number (if S)
//! ```

use super::checksum::Checksum;
use super::{Error, ErrorKind, Result, Writer, be16, field};
use crate::addr::GreKey;

/// IP protocol number of GRE.
pub const PROTOCOL: u8 = 47;

/// Length of a header without optional fields, in bytes.
pub const HEADER_LEN: usize = 4;

const CHECKSUM: u16 = 0x8000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;

/// Bits 1, 4 and 5 and the version: what is left of those that RFC 2784 2.3 wants zero.
const MUST_BE_ZERO: u16 = 0x4000 | 0x0c00 | 0x0007;

/// Length of each optional field, in bytes.
const OPTIONAL_LEN: usize = 4;

/// A GRE header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GreHeader {
    /// Protocol type: an EtherType.
    pub protocol: u16,
    /// Key, if K is set.
    pub key: Option<GreKey>,
    /// Sequence number, if S is set.
    pub seq: Option<u32>,
}

impl GreHeader {
    /// The header at the front of a GRE packet, and its payload. If there is a checksum, it covers
    /// all of `packet` and is verified.
    pub fn parse(packet: &[u8]) -> Result<(Self, &[u8])> {
        let flags = be16(packet, 0)?;
        if flags & MUST_BE_ZERO != 0 {
            return Err(Error::new(ErrorKind::Value, 0));
        }
        let protocol = be16(packet, 2)?;
        let mut at = HEADER_LEN;
        let mut optional = |flag: u16| -> Result<Option<u32>> {
            if flags & flag == 0 {
                return Ok(None);
            }
            let value = field(packet, at).map(u32::from_be_bytes)?;
            at += OPTIONAL_LEN;
            Ok(Some(value))
        };
        if optional(CHECKSUM)?.is_some() {
            let mut c = Checksum::default();
            c.add(packet);
            if c.value() != 0 {
                return Err(Error::new(ErrorKind::Checksum, HEADER_LEN));
            }
        }
        let key = optional(KEY)?.map(GreKey);
        let seq = optional(SEQUENCE)?;
        Ok((Self { protocol, key, seq }, packet.get(at..).unwrap_or_default()))
    }

    /// Length of the header as it is emitted, in bytes.
    #[must_use]
    pub const fn buffer_len(&self) -> usize {
        HEADER_LEN
            + if self.key.is_some() { OPTIONAL_LEN } else { 0 }
            + if self.seq.is_some() { OPTIONAL_LEN } else { 0 }
    }

    /// Writes the header, without a checksum, to the front of `packet`; returns its length.
    pub fn emit(&self, packet: &mut [u8]) -> Result<usize> {
        let flag = |set: bool, bit: u16| if set { bit } else { 0 };
        let flags = flag(self.key.is_some(), KEY) | flag(self.seq.is_some(), SEQUENCE);
        let mut w = Writer::new(packet);
        w.put(&flags.to_be_bytes())?;
        w.put(&self.protocol.to_be_bytes())?;
        for value in [self.key.map(|k| k.0), self.seq].into_iter().flatten() {
            w.put(&value.to_be_bytes())?;
        }
        Ok(w.at)
    }
}
