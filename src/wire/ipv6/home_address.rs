//! A Destination Options header with a Home Address option (RFC 6275 section 6.3): a mobile node
//! away from home sends it, so that its packet is known by its home address.
//!
//! ```text
//!  |  Next Header  | Hdr Ext Len 2 |  PadN 1 |  2  |   0   |   0   |
//!  |   Type 201    |   Length 16   |      Home Address, 16 bytes   |
//! ```

use crate::wire::{Result, Writer};
use std::net::Ipv6Addr;

/// The header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HomeAddressHeader {
    /// What follows.
    pub next_header: u8,
    /// The node's home address.
    pub home: Ipv6Addr,
}

impl HomeAddressHeader {
    /// Next header number of destination options.
    pub const NEXT_HEADER: u8 = 60;

    /// Length of the header, in bytes.
    pub const LEN: usize = 24;

    /// Writes the header to the front of `buf`, the option at its alignment of 8n + 6.
    pub fn emit(&self, buf: &mut [u8]) -> Result<()> {
        let mut w = Writer::new(buf);
        w.put(&[self.next_header, 2, 1, 2, 0, 0, 201, 16])?;
        w.put(&self.home.octets())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ipv6::{HEADER_LEN, find_upper_layer};

    #[test]
    fn option_is_found_again_as_home_agents_look_for_it() {
        let home = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 9);
        let mut packet = vec![0; HEADER_LEN + HomeAddressHeader::LEN];
        packet[6] = HomeAddressHeader::NEXT_HEADER;
        let header = HomeAddressHeader { next_header: 135, home };
        header.emit(&mut packet[HEADER_LEN..]).expect("fits");
        let upper = find_upper_layer(&packet).expect("valid");
        assert_eq!((upper.next_header, upper.offset), (135, HEADER_LEN + HomeAddressHeader::LEN));
        assert_eq!(upper.home_address, Some((home, HEADER_LEN + 6)));
        assert!((0..HomeAddressHeader::LEN).all(|len| header.emit(&mut packet[..len]).is_err()));
    }
}
