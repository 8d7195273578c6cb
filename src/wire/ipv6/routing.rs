//! The type 2 routing header (RFC 6275 section 6.4): between a packet's destination, a care-of
//! address, and the node there, by its home address.
//!
//! ```text
//!  |  Next Header  | Hdr Ext Len 2 |Routing Type 2 |Segments Left 1|
//!  |                           Reserved                            |
//!  |                   Home Address, 16 bytes                      |
//! ```

use crate::wire::{Error, ErrorKind, Result, Writer, field, octet};
use std::net::Ipv6Addr;

/// A type 2 routing header that is not used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HomeRoute {
    /// What follows.
    pub next_header: u8,
    /// The node's home address.
    pub home: Ipv6Addr,
}

impl HomeRoute {
    /// Next header number of routing headers.
    pub const NEXT_HEADER: u8 = 43;

    /// Length of the header, in bytes.
    pub const LEN: usize = 24;

    /// Units of eight bytes beyond the first.
    const EXT_LEN: u8 = 2;
    const TYPE: u8 = 2;
    const SEGMENTS_LEFT: u8 = 1;

    /// The header at the front of `header`, and what follows it.
    ///
    /// Fails with `Value` if it is a routing header of another type or form, or names no unicast
    /// address (6.4).
    pub fn parse(header: &[u8]) -> Result<(Self, &[u8])> {
        let form = [Self::EXT_LEN, Self::TYPE, Self::SEGMENTS_LEFT];
        for (at, wanted) in (1..).zip(form) {
            if octet(header, at)? != wanted {
                return Err(Error::new(ErrorKind::Value, at));
            }
        }
        let home = Ipv6Addr::from(field::<16>(header, 8)?);
        if home.is_multicast() || home.is_unspecified() || home.is_loopback() {
            return Err(Error::new(ErrorKind::Value, 8));
        }
        let next_header = octet(header, 0)?;
        Ok((Self { next_header, home }, header.get(Self::LEN..).unwrap_or_default()))
    }

    /// Writes the header to the front of `buf`.
    pub fn emit(&self, buf: &mut [u8]) -> Result<()> {
        let mut w = Writer::new(buf);
        w.put(&[self.next_header, Self::EXT_LEN, Self::TYPE, Self::SEGMENTS_LEFT])?;
        w.put(&[0; 4])?;
        w.put(&self.home.octets())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That of a home agent's Binding Acknowledgement as umip 0.4 sent it.
    const SEEN: [u8; 24] =
        *b"\x87\x02\x02\x01\0\0\0\0\x20\x01\x0d\xb8\x01\0\0\0\0\0\0\0\0\0\x12\x34";

    // proves: MIP6-6.4.1-1, MIP6-6.4.1-2, MIP6-6.4.1-3
    #[test]
    fn header_is_that_of_another_implementation() {
        let home = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 0x1234);
        let route = HomeRoute { next_header: 135, home };
        let mut made = [0xa5; HomeRoute::LEN];
        route.emit(&mut made).expect("fits");
        assert_eq!(made, SEEN);
        let mut reserved = SEEN;
        reserved[4..8].fill(0xff);
        for bytes in [SEEN, reserved] {
            assert_eq!(HomeRoute::parse(&bytes), Ok((route, &[][..])));
        }
        for len in 0..HomeRoute::LEN {
            assert!(
                HomeRoute::parse(&SEEN[..len]).is_err() && route.emit(&mut made[..len]).is_err()
            );
        }
    }

    // proves: MIP6-6.4-2
    #[test]
    fn header_of_another_form_or_with_no_unicast_address_is_refused() {
        for (at, value) in [(1, 4), (2, 0), (3, 0), (3, 2), (8, 0xff)] {
            let mut bytes = SEEN;
            bytes[at] = value;
            let e = HomeRoute::parse(&bytes).map_err(|e| (e.kind, e.offset));
            assert_eq!(e, Err((ErrorKind::Value, at)));
        }
    }
}
