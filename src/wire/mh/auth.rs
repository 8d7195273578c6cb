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
    BindingError, BindingRefreshRequest, CHECKSUM_AT, MessageData, PREAMBLE_LEN, TYPE_AT,
    whole_header,
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
            _ => 6,
        })
}
