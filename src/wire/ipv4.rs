//! The IPv4 header (RFC 791).
//!
//! ```text
//!  +-------+-------+---------------+-------------------------------+
//!  |Version|  IHL  |Type of Service|         Total Length          |
//!  +-------+-------+---------------+-----+-------------------------+
//!  |        Identification         |.|D|M|     Fragment Offset     |
//!  +---------------+---------------+-----+-------------------------+
//!  | Time to Live  |   Protocol    |        Header Checksum        |
//!  +---------------+---------------+-------------------------------+
//!  |        Source; Destination; options, up to IHL * 4 bytes      |
//! ```

use super::checksum::Checksum;
use super::{Error, ErrorKind, Result, Writer, be16, field, octet};
use std::net::Ipv4Addr;

/// Length of a header without options, in bytes.
pub const HEADER_LEN: usize = 20;

/// Protocol number of IPv4 in a tunnel.
pub const PROTOCOL: u8 = 4;

const TOTAL_LEN_AT: usize = 2;
const FRAGMENT_AT: usize = 6;
const TTL_AT: usize = 8;
const PROTOCOL_AT: usize = 9;
const CHECKSUM_AT: usize = 10;
const SRC_AT: usize = 12;
const DST_AT: usize = 16;

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;

/// The Fragment Offset field counts these, in bytes.
const FRAGMENT_UNIT: u16 = 8;

/// An IPv4 header; its options are skipped, and never emitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ipv4Header {
    /// Length of the header with its options, in bytes: 20 to 60.
    pub header_len: usize,
    /// Type of service: DSCP in the upper six bits, ECN in the lower two.
    pub tos: u8,
    /// Length of the whole packet, in bytes; at least `header_len`.
    pub total_len: u16,
    /// Identification.
    pub identification: u16,
    /// DF.
    pub dont_fragment: bool,
    /// MF.
    pub more_fragments: bool,
    /// Fragment offset, in bytes: a multiple of 8, at most 65528.
    pub fragment_offset: u16,
    /// Time to live.
    pub ttl: u8,
    /// What follows.
    pub protocol: u8,
    /// Source.
    pub src: Ipv4Addr,
    /// Destination.
    pub dst: Ipv4Addr,
}

impl Ipv4Header {
    /// The header at the front of `packet`, its checksum verified. Does not look at what follows:
    /// compare `total_len` with what there is.
    pub fn parse(packet: &[u8]) -> Result<Self> {
        let first = octet(packet, 0)?;
        if first >> 4 != 4 {
            return Err(Error::new(ErrorKind::Value, 0));
        }
        let header_len = usize::from(first & 0xf) * 4;
        if header_len < HEADER_LEN {
            return Err(Error::new(ErrorKind::Length, 0));
        }
        let header =
            packet.get(..header_len).ok_or(Error::new(ErrorKind::Truncated, packet.len()))?;
        if checksum(header) != 0 {
            return Err(Error::new(ErrorKind::Checksum, CHECKSUM_AT));
        }
        let total_len = be16(header, TOTAL_LEN_AT)?;
        if usize::from(total_len) < header_len {
            return Err(Error::new(ErrorKind::Length, TOTAL_LEN_AT));
        }
        let fragment = be16(header, FRAGMENT_AT)?;
        Ok(Self {
            header_len,
            tos: octet(header, 1)?,
            total_len,
            identification: be16(header, 4)?,
            dont_fragment: fragment & DONT_FRAGMENT != 0,
            more_fragments: fragment & MORE_FRAGMENTS != 0,
            fragment_offset: (fragment & 0x1fff) * FRAGMENT_UNIT,
            ttl: octet(header, TTL_AT)?,
            protocol: octet(header, PROTOCOL_AT)?,
            src: field::<4>(header, SRC_AT)?.into(),
            dst: field::<4>(header, DST_AT)?.into(),
        })
    }

    /// Whether this is part of a packet only.
    #[must_use]
    pub const fn is_fragment(&self) -> bool {
        self.more_fragments || self.fragment_offset != 0
    }

    /// Writes the header with its checksum to the front of `packet`. Options are not emitted: fails
    /// with `Length` unless `header_len` is [`HEADER_LEN`].
    pub fn emit(&self, packet: &mut [u8]) -> Result<()> {
        if self.header_len != HEADER_LEN {
            return Err(Error::new(ErrorKind::Length, 0));
        }
        let flag = |set: bool, bit: u16| if set { bit } else { 0 };
        let fragment = flag(self.dont_fragment, DONT_FRAGMENT)
            | flag(self.more_fragments, MORE_FRAGMENTS)
            | (self.fragment_offset / FRAGMENT_UNIT);
        let mut w = Writer::new(packet);
        w.put(&[0x45, self.tos])?;
        w.put(&self.total_len.to_be_bytes())?;
        w.put(&self.identification.to_be_bytes())?;
        w.put(&fragment.to_be_bytes())?;
        w.put(&[self.ttl, self.protocol, 0, 0])?;
        w.put(&self.src.octets())?;
        w.put(&self.dst.octets())?;
        let sum = checksum(packet.get(..HEADER_LEN).unwrap_or_default());
        Writer { buf: packet, at: CHECKSUM_AT }.put(&sum.to_be_bytes())
    }
}

/// Over a header whose Checksum field is zero: the checksum. Over a whole one: zero if intact.
fn checksum(header: &[u8]) -> u16 {
    let mut c = Checksum::default();
    c.add(header);
    c.value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: Ipv4Header = Ipv4Header {
        header_len: HEADER_LEN,
        tos: 0,
        total_len: 20,
        identification: 0,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        ttl: 64,
        protocol: PROTOCOL,
        src: Ipv4Addr::new(192, 0, 2, 1),
        dst: Ipv4Addr::new(192, 0, 2, 2),
    };

    fn header() -> impl Strategy<Value = Ipv4Header> {
        let fields = any::<(u8, u16, bool, bool, u8, u8, Ipv4Addr, Ipv4Addr)>();
        (fields, 20..=u16::MAX, 0..1_u16 << 13).prop_map(|(f, total_len, offset)| {
            let (tos, identification, dont_fragment, more_fragments, ttl, protocol, src, dst) = f;
            let fragment_offset = offset * FRAGMENT_UNIT;
            let flags = Ipv4Header { dont_fragment, more_fragments, fragment_offset, ..HEADER };
            Ipv4Header { tos, total_len, identification, ttl, protocol, src, dst, ..flags }
        })
    }

    /// Writes the right checksum into a header that was altered.
    fn refresh_checksum(bytes: &mut [u8]) {
        bytes[10..12].fill(0);
        let sum = checksum(bytes);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    }

    fn bytes() -> [u8; HEADER_LEN] {
        let mut bytes = [0xa5; HEADER_LEN];
        HEADER.emit(&mut bytes).expect("fits");
        bytes
    }

    #[test]
    fn faults_are_found_where_they_are() {
        // Byte, its value, whether the checksum is made right again, and what is said.
        let cases = [
            (0, 0x65, true, ErrorKind::Value, 0),
            (0, 0x44, true, ErrorKind::Length, 0),
            (0, 0x46, true, ErrorKind::Truncated, 20),
            (3, 19, true, ErrorKind::Length, 2),
            (8, 63, false, ErrorKind::Checksum, 10),
        ];
        for (at, value, right, kind, offset) in cases {
            let mut bytes = bytes();
            bytes[at] = value;
            if right {
                refresh_checksum(&mut bytes);
            }
            assert_eq!(Ipv4Header::parse(&bytes), Err(Error { kind, offset }), "byte {at}");
        }
    }

    #[test]
    fn options_are_skipped_and_count_as_header() {
        let mut bytes = [&bytes()[..], &[0x94, 4, 0, 0]].concat();
        bytes[0] = 0x46;
        bytes[3] = 23;
        refresh_checksum(&mut bytes);
        let e = Ipv4Header::parse(&bytes).map_err(|e| (e.kind, e.offset));
        assert_eq!(e, Err((ErrorKind::Length, 2)), "the packet ends in its header");
        bytes[3] = 24;
        refresh_checksum(&mut bytes);
        let parsed = Ipv4Header::parse(&bytes).expect("valid");
        assert_eq!(parsed, Ipv4Header { header_len: 24, total_len: 24, ..HEADER });
        let e = parsed.emit(&mut bytes).map_err(|e| e.kind);
        assert_eq!(e, Err(ErrorKind::Length), "options are not made up");
    }

    proptest! {
        #[test]
        fn what_is_emitted_parses_back_and_any_flipped_bit_is_noticed(
            header in header(),
            (at, bit) in (0..HEADER_LEN, 0..8),
        ) {
            let mut bytes = [0xa5; HEADER_LEN + 1];
            header.emit(&mut bytes)?;
            prop_assert_eq!(bytes[HEADER_LEN], 0xa5);
            prop_assert_eq!(Ipv4Header::parse(&bytes), Ok(header));
            for len in 0..HEADER_LEN {
                let e = Ipv4Header::parse(&bytes[..len]).map_err(|e| e.kind);
                prop_assert_eq!(e, Err(ErrorKind::Truncated));
                prop_assert!(header.emit(&mut [0; HEADER_LEN][..len]).is_err());
            }
            bytes[at] ^= 1_u8 << bit;
            prop_assert!(Ipv4Header::parse(&bytes).is_err());
        }

        #[test]
        fn noise_never_panics(mut bytes in prop::collection::vec(any::<u8>(), 20..70)) {
            bytes[0] = 0x40 | bytes[0] & 0xf;
            let header_len = usize::from(bytes[0] & 0xf) * 4;
            if let Some(header) = bytes.get_mut(..header_len).filter(|h| h.len() >= HEADER_LEN) {
                refresh_checksum(header);
            }
            if let Ok(header) = Ipv4Header::parse(&bytes) {
                prop_assert!((HEADER_LEN..=60).contains(&header.header_len));
                prop_assert!(usize::from(header.total_len) >= header.header_len);
            }
        }
    }
}
