//! UDP over IPv4 (RFC 768), as it carries Mobility Headers and tunnelled packets (RFC 5844
//! section 4).
//!
//! ```text
//!  +---------------+---------------+---------------+---------------+
//!  |          Source Port          |       Destination Port        |
//!  +---------------+---------------+---------------+---------------+
//!  |            Length             |           Checksum            |
//! ```

use super::checksum::Checksum;
use super::{Error, ErrorKind, Result, Writer, be16};
use std::net::Ipv4Addr;

/// IPv4 protocol number of UDP.
pub const PROTOCOL: u8 = 17;

/// Length of the header, in bytes.
pub const HEADER_LEN: usize = 8;

/// Port of Mobility Headers over IPv4 (RFC 5844 4.1.3.2).
pub const SIGNALING_PORT: u16 = 5436;

/// Port of tunnelled packets in IPv4-UDP encapsulation (RFC 5844 4.1.4.1).
pub const TUNNEL_PORT: u16 = 5437;

/// Of mobile nodes in IPv4 networks and their home agents, for both (RFC 5555 section 8).
pub const DSMIP_PORT: u16 = 4191;

const LENGTH_AT: usize = 4;
const CHECKSUM_AT: usize = 6;

/// A UDP header without its length and checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UdpHeader {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
}

impl UdpHeader {
    /// The header at the front of a datagram from `src` to `dst`, and its payload, cut to the
    /// datagram's length.
    ///
    /// A checksum of zero says that the sender computed none (RFC 768): it is taken.
    pub fn parse(datagram: &[u8], src: Ipv4Addr, dst: Ipv4Addr) -> Result<(Self, &[u8])> {
        let len = usize::from(be16(datagram, LENGTH_AT)?);
        if len < HEADER_LEN {
            return Err(Error::new(ErrorKind::Length, LENGTH_AT));
        }
        let cut = Error::new(ErrorKind::Truncated, LENGTH_AT);
        let datagram = datagram.get(..len).ok_or(cut)?;
        if be16(datagram, CHECKSUM_AT)? != 0 && checksum(datagram, src, dst) != 0 {
            return Err(Error::new(ErrorKind::Checksum, CHECKSUM_AT));
        }
        let header = Self { src_port: be16(datagram, 0)?, dst_port: be16(datagram, 2)? };
        Ok((header, datagram.get(HEADER_LEN..).unwrap_or_default()))
    }

    /// Makes a datagram from `src` to `dst` in place, checksum included: `datagram` is
    /// [`HEADER_LEN`] bytes to be written, then the payload.
    ///
    /// Fails with `Length` if it is longer than 65535 bytes.
    pub fn emit(&self, src: Ipv4Addr, dst: Ipv4Addr, datagram: &mut [u8]) -> Result<()> {
        self.emit_without_checksum(datagram)?;
        // RFC 768: zero is for no checksum, so one that is zero is sent as its other form.
        let sum = match checksum(datagram, src, dst) {
            0 => u16::MAX,
            sum => sum,
        };
        Writer { buf: datagram, at: CHECKSUM_AT }.put(&sum.to_be_bytes())
    }

    /// The same with a checksum of zero: none.
    pub fn emit_without_checksum(&self, datagram: &mut [u8]) -> Result<()> {
        let len =
            u16::try_from(datagram.len()).map_err(|_| Error::new(ErrorKind::Length, LENGTH_AT))?;
        let mut w = Writer::new(datagram);
        w.put(&self.src_port.to_be_bytes())?;
        w.put(&self.dst_port.to_be_bytes())?;
        w.put(&len.to_be_bytes())?;
        w.put(&[0, 0])
    }
}

/// Over a datagram whose Checksum field is zero: the checksum. Over a whole one: zero if intact.
fn checksum(datagram: &[u8], src: Ipv4Addr, dst: Ipv4Addr) -> u16 {
    let len = u16::try_from(datagram.len()).unwrap_or(u16::MAX);
    let mut c = Checksum::default();
    c.add(&src.octets());
    c.add(&dst.octets());
    c.add(&[0, PROTOCOL]);
    c.add(&len.to_be_bytes());
    c.add(datagram);
    c.value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SRC: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const DST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
    const HEADER: UdpHeader = UdpHeader { src_port: SIGNALING_PORT, dst_port: 5000 };

    fn refused(datagram: &[u8]) -> (ErrorKind, usize) {
        let e = UdpHeader::parse(datagram, SRC, DST).expect_err("has to be refused");
        (e.kind, e.offset)
    }

    #[test]
    fn length_below_the_header_or_beyond_the_bytes_is_refused() {
        let mut datagram = [0; 12];
        HEADER.emit_without_checksum(&mut datagram).expect("fits");
        for (len, kind) in [(0, ErrorKind::Length), (7, ErrorKind::Length)] {
            datagram[5] = len;
            assert_eq!(refused(&datagram), (kind, 4));
        }
        datagram[5] = 13;
        assert_eq!(refused(&datagram), (ErrorKind::Truncated, 4));
        datagram[5] = 9;
        let (header, payload) = UdpHeader::parse(&datagram, SRC, DST).expect("valid");
        assert_eq!((header, payload.len()), (HEADER, 1), "what is behind it is not its payload");
    }

    #[test]
    fn checksum_that_comes_out_as_zero_is_sent_as_ones() {
        // RFC 768. Two bytes of payload bring the sum wherever they like.
        let mut datagram = [0; 10];
        HEADER.emit_without_checksum(&mut datagram).expect("fits");
        let sum = checksum(&datagram, SRC, DST);
        datagram[8..].copy_from_slice(&sum.to_be_bytes());
        HEADER.emit(SRC, DST, &mut datagram).expect("fits");
        assert_eq!(datagram[6..8], [0xff, 0xff]);
        assert!(UdpHeader::parse(&datagram, SRC, DST).is_ok());
    }

    #[test]
    fn datagram_over_65535_bytes_is_not_emitted() {
        let e = HEADER.emit(SRC, DST, &mut vec![0; 65536]).map_err(|e| e.kind);
        assert_eq!(e, Err(ErrorKind::Length));
    }

    proptest! {
        #[test]
        fn what_is_emitted_parses_back_and_any_flipped_bit_is_noticed(
            ports in any::<(u16, u16)>(),
            payload in prop::collection::vec(any::<u8>(), 0..40),
            (at, bit) in (any::<prop::sample::Index>(), 0..8),
        ) {
            let header = UdpHeader { src_port: ports.0, dst_port: ports.1 };
            let mut datagram = [&[0xa5; HEADER_LEN], &payload[..]].concat();
            header.emit(SRC, DST, &mut datagram)?;
            prop_assert_eq!(UdpHeader::parse(&datagram, SRC, DST), Ok((header, &payload[..])));
            prop_assert!(UdpHeader::parse(&datagram, SRC, Ipv4Addr::LOCALHOST).is_err());
            for len in 0..HEADER_LEN {
                prop_assert!(UdpHeader::parse(&datagram[..len], SRC, DST).is_err());
                prop_assert!(header.emit(SRC, DST, &mut [0; HEADER_LEN][..len]).is_err());
            }
            let at = at.index(datagram.len());
            datagram[at] ^= 1_u8 << bit;
            // A checksum that becomes zero says that there is none; a shorter length covers less,
            // and what it leaves out may have been worth nothing.
            let blind = datagram[6..8] == [0, 0] || (4..6).contains(&at);
            prop_assert!(blind || UdpHeader::parse(&datagram, SRC, DST).is_err());
        }
    }
}
