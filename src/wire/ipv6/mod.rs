//! The IPv6 header (RFC 8200 section 3).
//!
//! ```text
//!  +-------+---------------+---------------------------------------+
//!  |Version| Traffic Class |              Flow Label               |
//!  +-------+-------+-------+-------+---------------+---------------+
//!  |        Payload Length         |  Next Header  |   Hop Limit   |
//!  +-------------------------------+---------------+---------------+
//!  |            Source, 16 bytes; Destination, 16 bytes            |
//! ```

mod extension;
mod home_address;
mod routing;

use super::{Error, ErrorKind, Result, Writer, be16, field, octet};
use std::net::Ipv6Addr;

pub use extension::{UpperLayer, carries, find_fragment, find_upper_layer, may_carry};
pub use home_address::HomeAddressHeader;
pub use routing::HomeRoute;

/// Next header and protocol number of IPv6.
pub const PROTOCOL: u8 = 41;

/// Length of the header, in bytes.
pub const HEADER_LEN: usize = 40;

/// Every link carries a packet of this length (RFC 8200 section 5), in bytes.
pub const MIN_MTU: u16 = 1280;

const PAYLOAD_LEN_AT: usize = 4;
const NEXT_HEADER_AT: usize = 6;
const HOP_LIMIT_AT: usize = 7;
const SRC_AT: usize = 8;
const DST_AT: usize = 24;

/// An IPv6 header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ipv6Header {
    /// Traffic class: DSCP in the upper six bits, ECN in the lower two.
    pub traffic_class: u8,
    /// Flow label, 20 bits.
    pub flow_label: u32,
    /// Bytes behind this header.
    pub payload_len: u16,
    /// What follows.
    pub next_header: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Source.
    pub src: Ipv6Addr,
    /// Destination.
    pub dst: Ipv6Addr,
}

impl Ipv6Header {
    /// The header at the front of `packet`. Does not look at what follows: compare
    /// [`Self::packet_len`] with what there is.
    pub fn parse(packet: &[u8]) -> Result<Self> {
        let first = u32::from_be_bytes(field(packet, 0)?);
        if first >> 28 != 6 {
            return Err(Error::new(ErrorKind::Value, 0));
        }
        let [traffic_class, ..] = (first << 4).to_be_bytes();
        Ok(Self {
            traffic_class,
            flow_label: first & 0xf_ffff,
            payload_len: be16(packet, PAYLOAD_LEN_AT)?,
            next_header: octet(packet, NEXT_HEADER_AT)?,
            hop_limit: octet(packet, HOP_LIMIT_AT)?,
            src: field(packet, SRC_AT)?.into(),
            dst: field(packet, DST_AT)?.into(),
        })
    }

    /// Length of the whole packet, in bytes.
    #[must_use]
    pub const fn packet_len(&self) -> usize {
        HEADER_LEN + self.payload_len as usize
    }

    /// Writes the header to the front of `packet`.
    pub fn emit(&self, packet: &mut [u8]) -> Result<()> {
        let first = 6 << 28 | u32::from(self.traffic_class) << 20 | self.flow_label & 0xf_ffff;
        let mut w = Writer::new(packet);
        w.put(&first.to_be_bytes())?;
        w.put(&self.payload_len.to_be_bytes())?;
        w.put(&[self.next_header, self.hop_limit])?;
        w.put(&self.src.octets())?;
        w.put(&self.dst.octets())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> impl Strategy<Value = Ipv6Header> {
        let fields = any::<(u8, u16, u8, u8, Ipv6Addr, Ipv6Addr)>();
        (fields, 0..1_u32 << 20).prop_map(|((tc, len, next, hops, src, dst), flow_label)| {
            Ipv6Header {
                traffic_class: tc,
                flow_label,
                payload_len: len,
                next_header: next,
                hop_limit: hops,
                src,
                dst,
            }
        })
    }

    proptest! {
        #[test]
        fn header_survives_a_round_trip_and_short_buffers_are_errors(header in header()) {
            let mut packet = [0xff; HEADER_LEN];
            header.emit(&mut packet)?;
            prop_assert_eq!(Ipv6Header::parse(&packet), Ok(header));
            for len in 0..HEADER_LEN {
                prop_assert!(Ipv6Header::parse(&packet[..len]).is_err());
                prop_assert!(header.emit(&mut packet[..len]).is_err());
            }
        }
    }

    #[test]
    fn version_other_than_6_is_refused() {
        let mut packet = [0; HEADER_LEN];
        packet[0] = 0x45;
        assert_eq!(Ipv6Header::parse(&packet), Err(Error { kind: ErrorKind::Value, offset: 0 }));
    }
}
