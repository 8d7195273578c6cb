//! The Ethernet II header.
//!
//! ```text
//!  | destination, 6 bytes | source, 6 bytes | EtherType |
//! ```

use super::{Result, Writer, be16, field};
use crate::addr::MacAddr;

/// Length of the header, in bytes.
pub const HEADER_LEN: usize = 14;

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;

/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;

/// An Ethernet header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EtherHeader {
    /// Destination.
    pub dst: MacAddr,
    /// Source.
    pub src: MacAddr,
    /// EtherType; a length if below 0x600.
    pub ether_type: u16,
}

impl EtherHeader {
    /// The header at the front of `frame`.
    pub fn parse(frame: &[u8]) -> Result<Self> {
        Ok(Self {
            dst: MacAddr(field(frame, 0)?),
            src: MacAddr(field(frame, 6)?),
            ether_type: be16(frame, 12)?,
        })
    }

    /// Writes the header to the front of `frame`.
    pub fn emit(&self, frame: &mut [u8]) -> Result<()> {
        let mut w = Writer::new(frame);
        w.put(&self.dst.0)?;
        w.put(&self.src.0)?;
        w.put(&self.ether_type.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Error, ErrorKind};

    #[test]
    fn header_survives_a_round_trip_and_short_buffers_are_errors() {
        let header = EtherHeader {
            dst: MacAddr([2, 0, 0, 0, 0, 1]),
            src: MacAddr([2, 0, 0, 0, 0, 2]),
            ether_type: IPV6,
        };
        let mut frame = [0xff; HEADER_LEN];
        header.emit(&mut frame).expect("fits");
        assert_eq!(frame, [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd]);
        assert_eq!(EtherHeader::parse(&frame), Ok(header));
        for len in 0..HEADER_LEN {
            let e = EtherHeader::parse(&frame[..len]).map_err(|e: Error| e.kind);
            assert_eq!(e, Err(ErrorKind::Truncated));
            assert!(header.emit(&mut frame[..len]).is_err());
        }
    }
}
