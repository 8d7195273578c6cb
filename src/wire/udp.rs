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
