//! What a Mobility Message Authentication option covers (RFC 4285 section 5.1).
//!
//! ```text
//!  Mobility Data = care-of address | home address | MH Data
//!
//!  | Mobility Header, its Checksum as zero ... | type | length | subtype | SPI | auth. data |
//!  |<------------------------- MH Data ------------------------------------->|
//! ```
//! Which digest is made of it, with which key, is the caller's.

use super::option::{AUTH_DATA_AT, MobilityOption, is_padding, next};
use super::{
    BindingError, BindingRefreshRequest, CHECKSUM_AT, HomeAgentSwitch, MessageData, PREAMBLE_LEN,
    TYPE_AT, whole_header,
};
use crate::wire::{Error, ErrorKind, Result, octet};
use core::ops::Range;

/// Where a Mobility Message Authentication option stands in a Mobility Header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthOption {
    /// Mobility SPI: which key.
    pub spi: u32,
    /// Whether only padding follows. Options behind this one are not authenticated by it.
    pub is_last: bool,
    /// Offsets of the authentication data from the start of the header; MH Data ends where it
    /// begins.
    data: Range<usize>,
}

impl AuthOption {
    /// Subtype of the option between mobile node and home agent.
    pub const MN_HA: u8 = 1;
    /// Subtype of the option between mobile node and the AAA server of its home.
    pub const MN_AAA: u8 = 2;

    /// The first authentication option of this subtype in a Mobility Header that parses.
    ///
    /// `Ok(None)` if it has none; the errors are those of parsing.
    pub fn find(header: &[u8], subtype: u8) -> Result<Option<Self>> {
        let header = whole_header(header)?;
        let mut at = options_at(header)?;
        let mut found: Option<Self> = None;
        while let Some(option) = next(header, at)? {
            let end = at + option.len();
            if let Some(found) = &mut found {
                found.is_last &= is_padding(option);
            } else if !is_padding(option)
                && let MobilityOption::MessageAuth(kind, spi, _) =
                    MobilityOption::parse(option).map_err(|e| e.shifted(at))?
                && kind == subtype
            {
                found = Some(Self { spi, is_last: true, data: at + AUTH_DATA_AT..end });
            }
            at = end;
        }
        Ok(found)
    }

    /// The Mobility Data in pieces, to be digested in this order; `header` is the one that the
    /// option was found in.
    #[must_use]
    pub fn mobility_data<'h>(
        &self,
        care_of: &'h [u8; 16],
        home: &'h [u8; 16],
        header: &'h [u8],
    ) -> [&'h [u8]; 5] {
        let before = header.get(..CHECKSUM_AT).unwrap_or_default();
        let behind = header.get(CHECKSUM_AT + 2..self.data.start).unwrap_or_default();
        [care_of, home, before, &[0, 0], behind]
    }

    /// The authentication data; `header` is the one that the option was found in.
    #[must_use]
    pub fn data<'h>(&self, header: &'h [u8]) -> &'h [u8] {
        header.get(self.data.clone()).unwrap_or_default()
    }

    /// Writes the authentication data into a header that was emitted with as many bytes in its
    /// place. The Checksum field has to be written anew afterwards, unless UDP carries the header:
    /// [`super::set_checksum`].
    ///
    /// Fails with `Length` if it has not the length of those bytes.
    pub fn sign(&self, header: &mut [u8], data: &[u8]) -> Result<()> {
        let wrong = Error::new(ErrorKind::Length, self.data.start);
        let place = header.get_mut(self.data.clone()).filter(|p| p.len() == data.len());
        place.ok_or(wrong)?.copy_from_slice(data);
        Ok(())
    }
}

/// Where the options of a Mobility Header begin.
fn options_at(header: &[u8]) -> Result<usize> {
    // RFC 6275 6.1: the others that we know have six bytes of message data.
    Ok(PREAMBLE_LEN
        + match octet(header, TYPE_AT)? {
            BindingRefreshRequest::MH_TYPE => BindingRefreshRequest::LEN,
            BindingError::MH_TYPE => BindingError::LEN,
            HomeAgentSwitch::MH_TYPE => {
                let data = header.get(PREAMBLE_LEN..).unwrap_or_default();
                HomeAgentSwitch::parse_data(data)?.data_len()
            }
            _ => 6,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Lifetime;
    use crate::wire::mh::{BindingUpdate, BuFlags, Heartbeat, Message, SeqNo, set_checksum};
    use std::net::Ipv6Addr;

    const SRC: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 2);
    const DST: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 1);
    const PBU: BindingUpdate =
        BindingUpdate { seq: SeqNo(7), flags: BuFlags::A, lifetime: Lifetime(900) };
    const MN_HA: MobilityOption<'_> = MobilityOption::MessageAuth(AuthOption::MN_HA, 256, &[0; 12]);
    const MN_AAA: MobilityOption<'_> = MobilityOption::MessageAuth(AuthOption::MN_AAA, 3, &[0; 20]);
    const OTHER: MobilityOption<'_> = MobilityOption::MnId(1, b"mn1");

    fn emit(options: &[MobilityOption<'_>]) -> Vec<u8> {
        let mut header = vec![0xa5; PBU.buffer_len(options)];
        PBU.emit(options, SRC, DST, &mut header).expect("fits");
        header
    }

    fn find(header: &[u8], subtype: u8) -> Option<AuthOption> {
        AuthOption::find(header, subtype).expect("valid")
    }

    // proves: AUTH-5.1-4
    #[test]
    fn mobility_data_ends_behind_the_spi_and_has_no_checksum() {
        let header = emit(&[OTHER, MN_HA]);
        let auth = find(&header, AuthOption::MN_HA).expect("is there");
        let (care_of, home) = (SRC.octets(), [0; 16]);
        let data = auth.mobility_data(&care_of, &home, &header).concat();
        // Option type 9 stands at 4n + 1: behind the MN-ID (12 to 18) and padding to 21.
        assert_eq!(header[21..28], [9, 17, 1, 0, 0, 1, 0]);
        let expected = [
            &care_of[..],
            &home,
            &[59, 4, 5, 0],
            &[0, 0],
            &[0, 7, 0x80, 0, 0x03, 0x84],
            &[8, 4, 1, b'm', b'n', b'1'],
            &[1, 1, 0],
            &[9, 17, 1, 0, 0, 1, 0],
        ]
        .concat();
        assert_eq!(data, expected);
        assert_ne!(header[4..6], [0, 0], "though it has one");
        assert_eq!((auth.spi, auth.data(&header)), (256, [0; 12].as_slice()));
    }

    #[test]
    fn signature_changes_nothing_that_it_covers() {
        let mut header = emit(&[OTHER, MN_HA]);
        let auth = find(&header, AuthOption::MN_HA).expect("is there");
        let zeros = [0; 16];
        let before = auth.mobility_data(&zeros, &zeros, &header).concat();
        auth.sign(&mut header, b"0123456789ab").expect("as long");
        set_checksum(&mut header, SRC, DST).expect("has one");
        assert!(Message::parse(&header, SRC, DST).is_ok());
        assert_eq!(find(&header, AuthOption::MN_HA), Some(auth.clone()));
        assert_eq!(auth.data(&header), b"0123456789ab");
        assert_eq!(auth.mobility_data(&zeros, &zeros, &header).concat(), before);
        let e = auth.sign(&mut header, b"short").map_err(|e| e.kind);
        assert_eq!(e, Err(ErrorKind::Length));
    }

    #[test]
    fn option_is_the_last_if_nothing_but_padding_follows() {
        let last = |options: &[MobilityOption<'_>], subtype| {
            find(&emit(options), subtype).map(|a| a.is_last)
        };
        assert_eq!(last(&[OTHER, MN_HA], AuthOption::MN_HA), Some(true));
        assert_eq!(last(&[MN_HA, OTHER], AuthOption::MN_HA), Some(false));
        assert_eq!(last(&[MN_HA, MN_AAA], AuthOption::MN_HA), Some(false));
        assert_eq!(last(&[MN_HA, MN_AAA], AuthOption::MN_AAA), Some(true));
        assert_eq!(last(&[OTHER, MN_AAA], AuthOption::MN_HA), None);
        assert_eq!(last(&[], AuthOption::MN_HA), None);
    }

    #[test]
    fn options_begin_where_those_of_the_message_do() {
        let be = BindingError { status: 1, home_address: Ipv6Addr::LOCALHOST };
        for kind in 0..3 {
            let mut header = vec![0xa5; 128];
            let len = match kind {
                0 => BindingRefreshRequest.emit_in_udp(&[MN_HA], &mut header),
                1 => be.emit_in_udp(&[MN_HA], &mut header),
                _ => Heartbeat::default().emit_in_udp(&[MN_HA], &mut header),
            };
            let header = &header[..len.expect("fits")];
            let auth = find(header, AuthOption::MN_HA).expect("is there");
            assert_eq!((auth.spi, auth.data(header)), (256, [0; 12].as_slice()), "{kind}");
        }
    }
}
