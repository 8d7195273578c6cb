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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_flag_counts_as_its_rfc_says() {
        // RFC 2784 2.3: bits 1, 4 and 5 are refused, 6 to 12 ignored; 2.3.1: version zero.
        for bit in 0..16_u32 {
            let flags = 0x8000_u16 >> bit;
            let mut packet = [0; 16];
            packet[..2].copy_from_slice(&flags.to_be_bytes());
            // So that a checksum of all this is right.
            packet[4..6].copy_from_slice(&(!flags).to_be_bytes());
            let outcome = GreHeader::parse(&packet)
                .map(|(h, inner)| (h.key.is_some(), h.seq.is_some(), inner.len()));
            let expected = match bit {
                0 => Ok((false, false, 8)),
                2 => Ok((true, false, 8)),
                3 => Ok((false, true, 8)),
                6..=12 => Ok((false, false, 12)),
                _ => Err(Error { kind: ErrorKind::Value, offset: 0 }),
            };
            assert_eq!(outcome, expected, "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn what_is_emitted_parses_back(
            (protocol, key, seq) in any::<(u16, Option<u32>, Option<u32>)>(),
            payload in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let header = GreHeader { protocol, key: key.map(GreKey), seq };
            let len = header.buffer_len();
            let mut packet = vec![0xa5; len];
            prop_assert_eq!(header.emit(&mut packet), Ok(len));
            packet.extend(&payload);
            prop_assert_eq!(GreHeader::parse(&packet), Ok((header, &payload[..])));
            for short in 0..len {
                let e = GreHeader::parse(&packet[..short]).map_err(|e| e.kind);
                prop_assert_eq!(e, Err(ErrorKind::Truncated));
                prop_assert!(header.emit(&mut packet[..short]).is_err());
            }
        }

        #[test]
        fn noise_never_panics(mut bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = GreHeader::parse(&bytes);
            if let Some(flags) = bytes.first_mut() {
                *flags &= 0xb0;
            }
            if let Some(flags) = bytes.get_mut(1) {
                *flags &= 0xf8;
            }
            if let Ok((_, inner)) = GreHeader::parse(&bytes) {
                prop_assert!(bytes.ends_with(inner));
            }
        }
    }
}
