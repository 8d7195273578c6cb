//! The data of an Access Network Identifier option: sub-options (RFC 6757 section 3).
//!
//! ```text
//!  | ANI Type | ANI Length | data ... |      ANI Length counts the data only
//!  1: | E:1 Reserved:7 | Net-Name Len | Network Name ... | AP-Name Len | Access-Point Name ... |
//!  2: | Latitude Degrees, 24 bits | Longitude Degrees, 24 bits |
//!  3: | Op-ID Type | Operator-Identifier ... |
//! ```

use crate::wire::{Error, ErrorKind, Result, Writer, octet};

/// Sub-options of an Access Network Identifier option, validated, still on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessNetworkId<'a> {
    bytes: &'a [u8],
}

/// One sub-option. What we do not know survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AniSubOption<'a> {
    /// ANI Type 1: the access network's name (an SSID, a PLMN identifier) and the access point's.
    Network {
        /// E: the name is UTF-8.
        utf8: bool,
        /// Network Name, not empty.
        name: &'a [u8],
        /// Access-Point Name; empty if it is not told.
        access_point: &'a [u8],
    },
    /// ANI Type 2: where the access network is (WGS 84).
    GeoLocation {
        /// Latitude in 2^-15 degrees, north positive; 24 bits.
        latitude: i32,
        /// Longitude in 2^-15 degrees, east positive; 24 bits.
        longitude: i32,
    },
    /// ANI Type 3: the access network's operator: type of the identifier (1 a Private Enterprise
    /// Number, 2 a realm), and the identifier, not empty.
    Operator(u8, &'a [u8]),
    /// Any other: ANI Type and data.
    Unknown(u8, &'a [u8]),
}

const NETWORK: u8 = 1;
const GEO_LOCATION: u8 = 2;
const OPERATOR: u8 = 3;

/// Bytes before a sub-option's data.
const DATA_AT: usize = 2;

/// The E flag of a Network-Identifier sub-option.
const UTF8: u8 = 0x80;

impl<'a> AccessNetworkId<'a> {
    /// Sub-options that fill `bytes`: at least one (RFC 6757 3).
    ///
    /// Fails with `Length` where a sub-option is cut or its lengths contradict each other.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Err(Error::new(ErrorKind::Length, 0));
        }
        let mut at = 0;
        while let Some(option) = next(bytes, at)? {
            AniSubOption::parse(option).map_err(|e| e.shifted(at))?;
            at += option.len();
        }
        Ok(Self { bytes })
    }

    /// The sub-options as they stand on the wire.
    #[must_use]
    pub const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The sub-options.
    pub fn iter(self) -> impl Iterator<Item = AniSubOption<'a>> {
        let mut at = 0;
        // Verified by `parse`: iteration ends at the end only.
        core::iter::from_fn(move || {
            let option = next(self.bytes, at).ok().flatten()?;
            at += option.len();
            AniSubOption::parse(option).ok()
        })
    }
}

impl<'a> AniSubOption<'a> {
    /// From a whole sub-option, type and length included, whose length field is verified.
    fn parse(option: &'a [u8]) -> Result<Self> {
        let bad = |offset| Error::new(ErrorKind::Length, offset);
        let data = option.get(DATA_AT..).unwrap_or_default();
        match octet(option, 0)? {
            NETWORK => {
                let [flags, name_len, rest @ ..] = data else { return Err(bad(1)) };
                let name_len = usize::from(*name_len);
                let (name, rest) = rest.split_at_checked(name_len).ok_or(bad(DATA_AT + 1))?;
                let [point_len, access_point @ ..] = rest else { return Err(bad(1)) };
                if name.is_empty() {
                    return Err(bad(DATA_AT + 1));
                }
                if usize::from(*point_len) != access_point.len() {
                    return Err(bad(DATA_AT + 2 + name_len));
                }
                Ok(Self::Network { utf8: flags & UTF8 != 0, name, access_point })
            }
            GEO_LOCATION => {
                let (latitude, rest) = data.split_first_chunk().ok_or(bad(1))?;
                let longitude = i24(rest.try_into().map_err(|_| bad(1))?);
                Ok(Self::GeoLocation { latitude: i24(*latitude), longitude })
            }
            OPERATOR => match data {
                [] | [_] => Err(bad(1)),
                [kind, identifier @ ..] => Ok(Self::Operator(*kind, identifier)),
            },
            kind => Ok(Self::Unknown(kind, data)),
        }
    }

    /// Length in bytes, type and length included.
    #[must_use]
    pub const fn buffer_len(&self) -> usize {
        DATA_AT
            + match self {
                Self::Network { name, access_point, .. } => 3 + name.len() + access_point.len(),
                Self::GeoLocation { .. } => 6,
                Self::Operator(_, identifier) => 1 + identifier.len(),
                Self::Unknown(_, data) => data.len(),
            }
    }

    /// Writes the sub-option into the front of `buf`; returns its length.
    ///
    /// Fails with `Length` if the data passes a length field, with `Truncated` if `buf` is shorter
    /// than [`Self::buffer_len`].
    pub fn emit(&self, buf: &mut [u8]) -> Result<usize> {
        let len = |len: usize| u8::try_from(len).map_err(|_| Error::new(ErrorKind::Length, 1));
        let mut w = Writer::new(buf);
        let data_len = len(self.buffer_len() - DATA_AT)?;
        match self {
            Self::Network { utf8, name, access_point } => {
                let flags = if *utf8 { UTF8 } else { 0 };
                w.put(&[NETWORK, data_len, flags, len(name.len())?])?;
                w.put(name)?;
                w.put(&[len(access_point.len())?])?;
                w.put(access_point)?;
            }
            Self::GeoLocation { latitude, longitude } => {
                w.put(&[GEO_LOCATION, data_len])?;
                for degrees in [latitude, longitude] {
                    let [_, low @ ..] = degrees.to_be_bytes();
                    w.put(&low)?;
                }
            }
            Self::Operator(kind, identifier) => {
                w.put(&[OPERATOR, data_len, *kind])?;
                w.put(identifier)?;
            }
            Self::Unknown(kind, data) => {
                w.put(&[*kind, data_len])?;
                w.put(data)?;
            }
        }
        Ok(w.at)
    }
}

/// 24 bits in two's complement.
const fn i24([a, b, c]: [u8; 3]) -> i32 {
    i32::from_be_bytes([a, b, c, 0]) >> 8
}

/// The sub-option at `at`, whole; `None` at the end.
fn next(bytes: &[u8], at: usize) -> Result<Option<&[u8]>> {
    let Some(rest @ [_, tail @ ..]) = bytes.get(at..) else { return Ok(None) };
    let cut = Error::new(ErrorKind::Length, at + 1);
    let [len, ..] = tail else { return Err(cut) };
    rest.get(..DATA_AT + usize::from(*len)).map(Some).ok_or(cut)
}
