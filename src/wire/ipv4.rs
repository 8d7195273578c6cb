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
            | self.fragment_offset / FRAGMENT_UNIT;
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
