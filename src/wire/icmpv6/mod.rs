//! ICMPv6 (RFC 4443): error messages that an anchor sends; neighbour discovery in [`ndp`].
//!
//! ```text
//!  +---------------+---------------+---------------+---------------+
//!  |     Type      |     Code      |           Checksum            |
//!  +---------------+---------------+---------------+---------------+
//!  |     errors: unused, MTU or Pointer; then as much of the       |
//!  |     invoking packet as fits into 1280 bytes in all            |
//! ```

pub mod mobility;
pub mod ndp;

use super::checksum::Checksum;
use super::ipv6::{self, Ipv6Header, find_upper_layer};
use super::{Error, ErrorKind, Result, Writer, octet};
use std::net::Ipv6Addr;

/// IPv6 next header number of ICMPv6.
pub const NEXT_HEADER: u8 = 58;

/// What stands before the invoking packet in an error: an IPv6 header and eight bytes.
pub const ERROR_HEADER_LEN: usize = ipv6::HEADER_LEN + 8;

/// The longest error packet, IPv6 header included, in bytes (RFC 4443 section 2.4 (c)).
pub const ERROR_MAX_LEN: usize = ipv6::MIN_MTU as usize;

const CHECKSUM_AT: usize = 2;

/// Next header number of the Fragment header.
const FRAGMENT: u8 = 44;

/// Redirect: no error, but never to be answered with one (RFC 4443 section 2.4 (e.2)).
const REDIRECT: u8 = 137;

/// Messages of a type from here on are not errors.
const INFORMATIONAL: u8 = 128;

/// An ICMPv6 error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorMessage {
    /// Type 1.
    DestinationUnreachable(Unreachable),
    /// Type 2: the MTU of the next hop, in bytes.
    PacketTooBig(u32),
    /// Type 3, code 0: the hop limit ran out.
    HopLimitExceeded,
    /// Type 4, code 0: the header field at this offset of the invoking packet is erroneous.
    ErroneousField(u32),
    /// Type 4, code 2: the option at this offset of the invoking packet is not known.
    UnrecognizedOption(u32),
}

/// Why a destination is unreachable: the code of a type 1 error (RFC 4443 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Unreachable {
    /// No route to the destination.
    NoRoute = 0,
    /// Communication administratively prohibited.
    Prohibited = 1,
    /// Address unreachable.
    Address = 3,
}

impl ErrorMessage {
    /// Type, code, and the 32 bits behind the checksum.
    const fn fields(self) -> (u8, u8, u32) {
        match self {
            Self::DestinationUnreachable(code) => (1, code as u8, 0),
            Self::PacketTooBig(mtu) => (2, 0, mtu),
            Self::HopLimitExceeded => (3, 0, 0),
            Self::ErroneousField(pointer) => (4, 0, pointer),
            Self::UnrecognizedOption(pointer) => (4, 2, pointer),
        }
    }

    /// Whether the packet `invoking` may be answered with this error (RFC 4443 section 2.4 (e)).
    /// Looks at the IPv6 packet only: whether it came in a link-layer broadcast the caller knows.
    #[must_use]
    pub fn may_answer(self, invoking: &[u8]) -> bool {
        let Ok(header) = Ipv6Header::parse(invoking) else { return false };
        // (e.6) the source must name a single node.
        if header.src.is_unspecified() || header.src.is_multicast() || header.src.is_loopback() {
            return false;
        }
        // (e.3) a multicast destination: only these two.
        let for_multicast = matches!(self, Self::PacketTooBig(_) | Self::UnrecognizedOption(_));
        if header.dst.is_multicast() && !for_multicast {
            return false;
        }
        match find_upper_layer(invoking) {
            // (e.1), (e.2); an ICMPv6 message that is cut before its type may be an error.
            Ok(upper) if upper.next_header == NEXT_HEADER => octet(invoking, upper.offset)
                .is_ok_and(|kind| kind >= INFORMATIONAL && kind != REDIRECT),
            // A later fragment does not say what it is a part of: the first one is answered.
            Ok(upper) => !(upper.is_fragment && upper.next_header == FRAGMENT),
            // Nor does a chain that is broken; but that is what may have to be said about it.
            Err(_) => true,
        }
    }

    /// Makes an error packet from `src` to `dst` in place: `packet` is [`ERROR_HEADER_LEN`] bytes
    /// to be written, then the invoking packet from its IPv6 header on. The caller has cut the
    /// whole to [`ERROR_MAX_LEN`].
    pub fn emit(
        self,
        src: Ipv6Addr,
        dst: Ipv6Addr,
        hop_limit: u8,
        packet: &mut [u8],
    ) -> Result<()> {
        let too_long = Error::new(ErrorKind::Length, ERROR_MAX_LEN);
        if packet.len() > ERROR_MAX_LEN {
            return Err(too_long);
        }
        let payload_len = packet.len().saturating_sub(ipv6::HEADER_LEN);
        let header = Ipv6Header {
            traffic_class: 0,
            flow_label: 0,
            payload_len: u16::try_from(payload_len).map_err(|_| too_long)?,
            next_header: NEXT_HEADER,
            hop_limit,
            src,
            dst,
        };
        header.emit(packet)?;
        let message = packet.get_mut(ipv6::HEADER_LEN..).unwrap_or_default();
        let (kind, code, value) = self.fields();
        let mut w = Writer::new(message);
        w.put(&[kind, code, 0, 0])?;
        w.put(&value.to_be_bytes())?;
        fill_checksum(message, src, dst)
    }
}

/// Writes the checksum into an ICMPv6 message that is otherwise complete.
fn fill_checksum(message: &mut [u8], src: Ipv6Addr, dst: Ipv6Addr) -> Result<()> {
    Writer { buf: message, at: CHECKSUM_AT }.put(&[0, 0])?;
    let sum = checksum(message, src, dst);
    Writer { buf: message, at: CHECKSUM_AT }.put(&sum.to_be_bytes())
}

/// Over a message whose Checksum field is zero: the checksum. Over a whole one: zero if intact.
fn checksum(message: &[u8], src: Ipv6Addr, dst: Ipv6Addr) -> u16 {
    let len = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut c = Checksum::pseudo(src, dst, NEXT_HEADER, len);
    c.add(message);
    c.value()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MN: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1);
    const CN: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 1);
    const LMA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 100, 0, 0, 0, 0, 1);
    const ERRORS: [ErrorMessage; 5] = [
        ErrorMessage::DestinationUnreachable(Unreachable::Address),
        ErrorMessage::PacketTooBig(1400),
        ErrorMessage::HopLimitExceeded,
        ErrorMessage::ErroneousField(41),
        ErrorMessage::UnrecognizedOption(48),
    ];

    /// An IPv6 packet with these addresses and this payload.
    fn packet(src: Ipv6Addr, dst: Ipv6Addr, next_header: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; ipv6::HEADER_LEN];
        let header = Ipv6Header {
            traffic_class: 0,
            flow_label: 0,
            payload_len: u16::try_from(payload.len()).expect("short"),
            next_header,
            hop_limit: 64,
            src,
            dst,
        };
        header.emit(&mut packet).expect("fits");
        packet.extend(payload);
        packet
    }

    #[test]
    fn errors_are_the_bytes_that_scapy_makes() {
        // scapy: raw(IPv6(src="2001:db8:64::1", dst="2001:db8:2::1", hlim=64) /
        //            ICMPv6PacketTooBig(mtu=1400) / IPv6(src=.., dst=.., nh=17, plen=4) / b"abcd")
        let mut made = vec![0xff; ERROR_HEADER_LEN];
        made.extend(packet(CN, MN, 17, b"abcd"));
        ErrorMessage::PacketTooBig(1400).emit(LMA, CN, 64, &mut made).expect("fits");
        assert_eq!(Ipv6Header::parse(&made).map(|h| h.packet_len()), Ok(made.len()));
        assert_eq!(made[40..48], [2, 0, 0x0a, 0xbd, 0, 0, 0x05, 0x78]);
        assert_eq!(checksum(&made[40..], LMA, CN), 0);
    }

    #[test]
    fn types_and_codes_are_those_of_rfc_4443() {
        let expected = [(1, 3, 0), (2, 0, 1400), (3, 0, 0), (4, 0, 41), (4, 2, 48)];
        for (error, expected) in ERRORS.into_iter().zip(expected) {
            let mut made = vec![0xff; ERROR_HEADER_LEN];
            error.emit(LMA, CN, 64, &mut made).expect("fits");
            let value = u32::from_be_bytes([made[44], made[45], made[46], made[47]]);
            assert_eq!((made[40], made[41], value), expected);
        }
    }

    #[test]
    fn error_has_room_for_its_header_and_is_at_most_1280_bytes() {
        for len in 0..ERROR_HEADER_LEN {
            assert!(ErrorMessage::HopLimitExceeded.emit(LMA, CN, 64, &mut vec![0; len]).is_err());
        }
        let mut largest = vec![0; ERROR_MAX_LEN + 1];
        assert!(ErrorMessage::HopLimitExceeded.emit(LMA, CN, 64, &mut largest).is_err());
        assert!(ErrorMessage::HopLimitExceeded.emit(LMA, CN, 64, &mut largest[1..]).is_ok());
    }

    #[test]
    fn errors_and_redirects_are_never_answered_with_errors() {
        for error in ERRORS {
            for kind in [1, 2, 3, 4, 100, 127, 137] {
                assert!(!error.may_answer(&packet(CN, MN, 58, &[kind, 0, 0, 0])), "type {kind}");
                let behind_options = [58, 0, 1, 4, 0, 0, 0, 0, kind, 0, 0, 0];
                assert!(!error.may_answer(&packet(CN, MN, 60, &behind_options)), "type {kind}");
            }
            assert!(error.may_answer(&packet(CN, MN, 58, &[128, 0, 0, 0])), "an echo request");
            assert!(error.may_answer(&packet(CN, MN, 17, &[0; 8])), "UDP");
            assert!(!error.may_answer(&packet(CN, MN, 58, &[])), "ICMPv6 without a type");
            let fragment = |offset| packet(CN, MN, 44, &[17, 0, 0, offset, 0, 0, 0, 1]);
            assert!(error.may_answer(&fragment(1)), "a first fragment");
            assert!(!error.may_answer(&fragment(8)), "a later fragment");
        }
    }

    #[test]
    fn multicast_is_answered_by_two_errors_only() {
        let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
        let p = packet(CN, all_nodes, 17, &[0; 8]);
        let answered: Vec<_> = ERRORS.into_iter().filter(|e| e.may_answer(&p)).collect();
        assert_eq!(answered, [ERRORS[1], ERRORS[4]]);
        for src in [Ipv6Addr::UNSPECIFIED, Ipv6Addr::LOCALHOST, all_nodes] {
            assert!(!ERRORS[1].may_answer(&packet(src, MN, 17, &[0; 8])));
        }
    }
}
