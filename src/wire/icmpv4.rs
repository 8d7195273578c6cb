//! ICMP for IPv4 (RFC 792): the error messages that an anchor sends.
//!
//! ```text
//!  +---------------+---------------+---------------+---------------+
//!  |     Type      |     Code      |           Checksum            |
//!  +---------------+---------------+---------------+---------------+
//!  |   unused; for code 4 of type 3 its lower 16 bits are the MTU  |
//!  +---------------+---------------+---------------+---------------+
//!  |   as much of the invoking packet as fits into 576 bytes       |
//! ```

use super::checksum::Checksum;
use super::ipv4::{self, Ipv4Header};
use super::{Error, ErrorKind, Result, Writer, octet};
use std::net::Ipv4Addr;

/// IPv4 protocol number of ICMP.
pub const PROTOCOL: u8 = 1;

/// What stands before the invoking packet in an error: an IPv4 header and eight bytes.
pub const ERROR_HEADER_LEN: usize = ipv4::HEADER_LEN + 8;

/// The longest error packet, IPv4 header included, in bytes (RFC 1812 section 4.3.2.3).
pub const ERROR_MAX_LEN: usize = 576;

const CHECKSUM_AT: usize = 2;

/// The messages that are not errors (RFC 1122 section 3.2.2): echo, router discovery, timestamp,
/// information and address mask, each a reply or a solicitation.
const QUERIES: [u8; 10] = [0, 8, 9, 10, 13, 14, 15, 16, 17, 18];

/// An ICMP error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorMessage {
    /// Type 3.
    DestinationUnreachable(Unreachable),
    /// Type 3, code 4: the packet has DF set and is longer than this MTU, in bytes (RFC 1191).
    FragmentationNeeded(u16),
    /// Type 11, code 0: the time to live ran out.
    TimeExceeded,
}

/// Why a destination is unreachable: the code of a type 3 error (RFC 792, RFC 1812 5.2.7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Unreachable {
    /// No route to the destination's network.
    Net = 0,
    /// The host is not reachable.
    Host = 1,
    /// Communication administratively prohibited.
    Prohibited = 13,
}

impl ErrorMessage {
    /// Type, code, and the 32 bits behind the checksum.
    const fn fields(self) -> (u8, u8, u32) {
        match self {
            Self::DestinationUnreachable(code) => (3, code as u8, 0),
            Self::FragmentationNeeded(mtu) => (3, 4, mtu as u32),
            Self::TimeExceeded => (11, 0, 0),
        }
    }

    /// Whether the packet `invoking` may be answered with an error (RFC 1812 4.3.2.7). Looks at
    /// the IPv4 packet only: whether it came in a link-layer broadcast the caller knows.
    #[must_use]
    pub fn may_answer(invoking: &[u8]) -> bool {
        let Ok(header) = Ipv4Header::parse(invoking) else { return false };
        // The source must name a single node, the destination too; 0/8 and 240/4 name none.
        let Ipv4Header { src, dst, .. } = header;
        let one_node = |a: Ipv4Addr| a.octets()[0] != 0 && a.octets()[0] < 224;
        if !one_node(src) || src.is_loopback() || !one_node(dst) {
            return false;
        }
        // Of a fragmented packet only the first part is answered.
        if header.fragment_offset != 0 {
            return false;
        }
        // No error about an error; an ICMP message that is cut before its type may be one.
        header.protocol != PROTOCOL
            || octet(invoking, header.header_len).is_ok_and(|kind| QUERIES.contains(&kind))
    }

    /// Makes an error packet from `src` to `dst` in place: `packet` is [`ERROR_HEADER_LEN`] bytes
    /// to be written, then the invoking packet from its IPv4 header on. The caller has cut the
    /// whole to [`ERROR_MAX_LEN`].
    pub fn emit(self, src: Ipv4Addr, dst: Ipv4Addr, ttl: u8, packet: &mut [u8]) -> Result<()> {
        let too_long = Error::new(ErrorKind::Length, ERROR_MAX_LEN);
        if packet.len() > ERROR_MAX_LEN {
            return Err(too_long);
        }
        let header = Ipv4Header {
            header_len: ipv4::HEADER_LEN,
            // RFC 1812 4.3.2.5: errors travel with precedence 6, internetwork control.
            tos: 0xc0,
            total_len: u16::try_from(packet.len()).map_err(|_| too_long)?,
            // RFC 6864 4.1: with DF set nobody looks at the identification.
            identification: 0,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            ttl,
            protocol: PROTOCOL,
            src,
            dst,
        };
        header.emit(packet)?;
        let message = packet.get_mut(ipv4::HEADER_LEN..).unwrap_or_default();
        let (kind, code, value) = self.fields();
        let mut w = Writer::new(message);
        w.put(&[kind, code, 0, 0])?;
        w.put(&value.to_be_bytes())?;
        let sum = checksum(message);
        Writer { buf: message, at: CHECKSUM_AT }.put(&sum.to_be_bytes())
    }
}

/// Over a message whose Checksum field is zero: the checksum. Over a whole one: zero if intact.
fn checksum(message: &[u8]) -> u16 {
    let mut c = Checksum::default();
    c.add(message);
    c.value()
}
