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

#[cfg(test)]
mod tests {
    use super::*;

    // proves: GREKEY-7.1-2
    #[test]
    fn length_other_than_that_of_what_follows_is_refused() {
        for len in 0..8_u8 {
            let outcome = TlvHeader::parse(&[0, 41, 0, len, 1, 2, 3]).map(|(h, inner)| {
                assert_eq!((h.next_header, inner), (41, [1, 2, 3].as_slice()));
            });
            let expected = Err(Error { kind: ErrorKind::Length, offset: 2 });
            assert_eq!(outcome, if len == 3 { Ok(()) } else { expected }, "length {len}");
        }
    }

    // proves: GREKEY-7.2-6
    #[test]
    fn reserved_bits_are_ignored_and_sent_as_zero() {
        let (header, inner) = TlvHeader::parse(&[0x0f, 47, 0, 1, 7]).expect("valid");
        assert_eq!((header.next_header, inner), (47, [7].as_slice()));
        let mut made = [0xa5, 0xa5, 0xa5, 0xa5, 7];
        header.emit(&mut made).expect("fits");
        assert_eq!(made, [0, 47, 0, 1, 7]);
    }

    #[test]
    fn what_is_an_ip_header_or_too_short_is_refused() {
        for first in [0x10, 0x3b, 0x45, 0x60, 0xf0] {
            let bytes = [first, 0, 0, 0];
            let e = TlvHeader::parse(&bytes).map_err(|e| (e.kind, e.offset));
            assert_eq!(e, Err((ErrorKind::Value, 0)));
        }
        for len in 0..HEADER_LEN {
            let e = TlvHeader::parse(&[0; HEADER_LEN][..len]).map_err(|e| e.kind);
            assert_eq!(e, Err(ErrorKind::Truncated));
            assert!(TlvHeader { next_header: 4 }.emit(&mut [0; HEADER_LEN][..len]).is_err());
        }
        let e = TlvHeader { next_header: 4 }.emit(&mut vec![0; HEADER_LEN + 65536]);
        assert_eq!(e.map_err(|e| e.kind), Err(ErrorKind::Length));
    }
}
