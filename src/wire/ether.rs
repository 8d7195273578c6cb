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

/// EtherType of a VLAN tag (IEEE 802.1Q), which stands before that of the payload.
pub const VLAN: u16 = 0x8100;

/// Length of a VLAN tag, in bytes.
pub const TAG_LEN: usize = 4;

/// The EtherType of a frame's payload, and the payload: behind its VLAN tag, if it has one.
pub fn payload(frame: &[u8]) -> Result<(u16, &[u8])> {
    let tag_len = if be16(frame, TYPE_AT)? == VLAN { TAG_LEN } else { 0 };
    let ether_type = be16(frame, TYPE_AT + tag_len)?;
    Ok((ether_type, frame.get(HEADER_LEN + tag_len..).unwrap_or_default()))
}

/// The VLAN identifier of a frame that has a tag.
#[must_use]
pub fn vlan_id(frame: &[u8]) -> Option<u16> {
    let is_tagged = be16(frame, TYPE_AT) == Ok(VLAN);
    is_tagged.then(|| be16(frame, HEADER_LEN).ok()).flatten().map(|tag| tag & VLAN_ID)
}

/// Where the EtherType stands in a frame.
const TYPE_AT: usize = 12;
/// The identifier in a VLAN tag; the bits above are a priority.
const VLAN_ID: u16 = 0x0fff;

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
            ether_type: be16(frame, TYPE_AT)?,
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
    fn payload_is_found_behind_a_tag() {
        let mut frame = vec![0; 12];
        frame.extend([0x86, 0xdd, 6, 7]);
        assert_eq!(payload(&frame), Ok((IPV6, &[6, 7][..])));
        assert_eq!(vlan_id(&frame), None);
        frame.splice(12..12, [0x81, 0x00, 0xe0, 0x64]);
        assert_eq!(payload(&frame), Ok((IPV6, &[6, 7][..])));
        assert_eq!(vlan_id(&frame), Some(100));
        assert!(payload(&frame[..16]).is_err());
    }

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
