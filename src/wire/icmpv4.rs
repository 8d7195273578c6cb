//! ICMP for IPv4 (RFC 792): the error messages that an anchor sends, and echo, which it answers.
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
use super::{Error, ErrorKind, Result, Writer, field, octet};
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

/// An echo request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EchoRequest<'a> {
    /// Identifier, sequence number and data, which its sender wants to have back.
    rest: &'a [u8],
}

impl<'a> EchoRequest<'a> {
    /// The request that `message` is, its checksum verified.
    ///
    /// Fails with `UnknownType` for any other message.
    pub fn parse(message: &'a [u8]) -> Result<Self> {
        let [kind, code, ..] = field::<ECHO_LEN>(message, 0)?;
        if [kind, code] != ECHO_REQUEST {
            return Err(Error::new(ErrorKind::UnknownType, 0));
        }
        if checksum(message) != 0 {
            return Err(Error::new(ErrorKind::Checksum, CHECKSUM_AT));
        }
        Ok(Self { rest: message.get(REST_AT..).unwrap_or_default() })
    }

    /// Length of the reply, in bytes.
    #[must_use]
    pub const fn buffer_len(&self) -> usize {
        REST_AT + self.rest.len()
    }

    /// Writes the reply to the front of `message`.
    pub fn emit_reply(&self, message: &mut [u8]) -> Result<()> {
        let mut w = Writer::new(message);
        w.put(&[0; REST_AT])?;
        w.put(self.rest)?;
        let message = message.get_mut(..self.buffer_len()).unwrap_or_default();
        let sum = checksum(message);
        Writer { buf: message, at: CHECKSUM_AT }.put(&sum.to_be_bytes())
    }
}

/// Bytes of an echo message without data.
const ECHO_LEN: usize = 8;
/// Where that begins which a reply repeats.
const REST_AT: usize = 4;
/// Its type and code; those of the reply are zero.
const ECHO_REQUEST: [u8; 2] = [8, 0];

/// Over a message whose Checksum field is zero: the checksum. Over a whole one: zero if intact.
fn checksum(message: &[u8]) -> u16 {
    let mut c = Checksum::default();
    c.add(message);
    c.value()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
    const CN: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);

    /// An IPv4 packet with these addresses and this payload.
    fn packet(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, offset: u16, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; ipv4::HEADER_LEN];
        packet.extend(payload);
        let header = Ipv4Header {
            header_len: ipv4::HEADER_LEN,
            tos: 0,
            total_len: u16::try_from(packet.len()).expect("short"),
            identification: 0,
            dont_fragment: false,
            more_fragments: true,
            fragment_offset: offset,
            ttl: 64,
            protocol,
            src,
            dst,
        };
        header.emit(&mut packet).expect("fits");
        packet
    }

    #[test]
    fn errors_are_never_answered_with_errors() {
        // RFC 1122 3.2.2: destination unreachable, source quench, redirect, time exceeded,
        // parameter problem; a type that nobody knows may be another.
        for kind in [3, 4, 5, 11, 12, 200] {
            let p = packet(CN, MN, PROTOCOL, 0, &[kind, 0, 0, 0]);
            assert!(!ErrorMessage::may_answer(&p), "type {kind}");
        }
        for kind in [0, 8, 13, 14] {
            let p = packet(CN, MN, PROTOCOL, 0, &[kind, 0, 0, 0]);
            assert!(ErrorMessage::may_answer(&p), "type {kind}");
        }
        assert!(!ErrorMessage::may_answer(&packet(CN, MN, PROTOCOL, 0, &[])), "without a type");
        assert!(ErrorMessage::may_answer(&packet(CN, MN, 17, 0, &[3; 8])), "UDP");
        assert!(!ErrorMessage::may_answer(&packet(CN, MN, 17, 8, &[3; 8])), "a later fragment");
        assert!(!ErrorMessage::may_answer(&[0x45; 20]), "no IPv4 packet");
    }

    #[test]
    fn only_what_one_node_sent_to_one_node_is_answered() {
        let [unspecified, loopback, multicast, reserved, broadcast] = [
            Ipv4Addr::UNSPECIFIED,
            Ipv4Addr::new(127, 1, 2, 3),
            Ipv4Addr::new(224, 0, 0, 1),
            Ipv4Addr::new(240, 0, 0, 1),
            Ipv4Addr::BROADCAST,
        ];
        for src in [unspecified, Ipv4Addr::new(0, 1, 2, 3), loopback, multicast, reserved] {
            assert!(!ErrorMessage::may_answer(&packet(src, MN, 17, 0, &[0; 8])), "{src}");
        }
        for dst in [unspecified, multicast, broadcast] {
            assert!(!ErrorMessage::may_answer(&packet(CN, dst, 17, 0, &[0; 8])), "{dst}");
        }
    }

    #[test]
    fn echo_request_is_read_if_it_is_one_and_its_reply_has_what_it_had() {
        // `ping -c 1 -s 3`, but for its data.
        let request = [8, 0, 0x74, 0x62, 0x12, 0x34, 0, 7, b'a', b'b', b'\x10'];
        let read = EchoRequest::parse(&request).expect("is one");
        let mut reply = [0xa5; 12];
        read.emit_reply(&mut reply).expect("fits");
        assert_eq!(reply, [0, 0, 0x7c, 0x62, 0x12, 0x34, 0, 7, b'a', b'b', b'\x10', 0xa5]);
        for len in 0..11 {
            assert!(EchoRequest::parse(&request[..len]).is_err(), "its checksum is of the whole");
            assert!(read.emit_reply(&mut reply[..len]).is_err());
        }
        for at in 0..request.len() {
            let mut other = request;
            other[at] ^= 4;
            assert!(EchoRequest::parse(&other).is_err(), "{at}");
        }
    }

    #[test]
    fn error_has_room_for_its_header_and_is_at_most_576_bytes() {
        for len in 0..ERROR_HEADER_LEN {
            assert!(ErrorMessage::TimeExceeded.emit(MN, CN, 64, &mut vec![0; len]).is_err());
        }
        let mut largest = vec![0; ERROR_MAX_LEN + 1];
        assert!(ErrorMessage::TimeExceeded.emit(MN, CN, 64, &mut largest).is_err());
        assert!(ErrorMessage::TimeExceeded.emit(MN, CN, 64, &mut largest[1..]).is_ok());
    }
}
