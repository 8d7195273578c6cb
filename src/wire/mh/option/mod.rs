//! Mobility options (RFC 6275 section 6.2): type, length, data.
//!
//! ```text
//!  | type | length | data ... |      length counts the data only; Pad1 (type 0) is one byte alone
//! ```
//! Peers do not keep the alignments that the RFCs ask for, and pad as they like: parsing takes any.
//! Lengths are taken at their word: an option that is cut, or has not the length of its type, is
//! an error.

mod access_tech;
mod handoff;
mod hnp;

use super::super::{Error, ErrorKind, Result, Writer, field, octet};
use crate::addr::HomePrefix;
use crate::time::{Lifetime, MobTimestamp};
use core::borrow::Borrow;
use core::iter::FusedIterator;
use std::net::Ipv6Addr;

pub use access_tech::AccessTech;
pub use handoff::HandoffIndicator;

/// One mobility option. What we do not know is kept as [`MobilityOption::Unknown`] and survives a
/// round trip. Pad1 and `PadN` never appear: `emit` inserts them, parsing skips them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MobilityOption<'a> {
    /// Type 2: Binding Refresh Advice (RFC 6275 6.2.4).
    RefreshAdvice(Lifetime),
    /// Type 3: Alternate Care-of Address (RFC 6275 6.2.5).
    AlternateCoa(Ipv6Addr),
    /// Type 8: Mobile Node Identifier (RFC 4283): subtype and identifier (at most 254 bytes).
    MnId(u8, &'a [u8]),
    /// Type 19: Vendor Specific (RFC 5094): vendor id, subtype, data (at most 250 bytes).
    Vendor(u32, u8, &'a [u8]),
    /// Type 22: Home Network Prefix (RFC 5213 8.3); `::/0` asks for an allocation (`ALL_ZERO`).
    /// On the wire the length stands beside an address whose host bits we clear.
    HomeNetworkPrefix(HomePrefix),
    /// Type 23: Handoff Indicator (RFC 5213 8.4).
    HandoffIndicator(HandoffIndicator),
    /// Type 24: Access Technology Type (RFC 5213 8.5).
    AccessTech(AccessTech),
    /// Type 25: Mobile Node Link-layer Identifier (RFC 5213 8.6), at most 253 bytes.
    MnLinkLayerId(&'a [u8]),
    /// Type 26: Link-local Address (RFC 5213 8.7); `::` asks the anchor for one.
    LinkLocal(Ipv6Addr),
    /// Type 27: Timestamp (RFC 5213 8.8).
    Timestamp(MobTimestamp),
    /// Any other: type and data (at most 255 bytes).
    Unknown(u8, &'a [u8]),
}

const PAD1: u8 = 0;
const PADN: u8 = 1;
const REFRESH_ADVICE: u8 = 2;
const ALTERNATE_COA: u8 = 3;
const MN_ID: u8 = 8;
const VENDOR: u8 = 19;
const HOME_NETWORK_PREFIX: u8 = 22;
const HANDOFF_INDICATOR: u8 = 23;
const ACCESS_TECH: u8 = 24;
const MN_LINK_LAYER_ID: u8 = 25;
const LINK_LOCAL: u8 = 26;
const TIMESTAMP: u8 = 27;

/// Bytes before an option's data.
const DATA_AT: usize = 2;

impl<'a> MobilityOption<'a> {
    /// From a whole option, type and length included, whose length field is already verified.
    fn parse(option: &'a [u8]) -> Result<Self> {
        let kind = octet(option, 0)?;
        let data = option.get(DATA_AT..).unwrap_or_default();
        let bad_length = Error::new(ErrorKind::Length, 1);
        let address = || data.try_into().map(|a: [u8; 16]| a.into()).map_err(|_| bad_length);
        // Reserved, then a code point: Handoff Indicator and Access Technology Type.
        let code_point = || match data {
            [_reserved, value] => Ok(*value),
            _ => Err(bad_length),
        };
        Ok(match kind {
            REFRESH_ADVICE => {
                let interval = data.try_into().map_err(|_| bad_length)?;
                Self::RefreshAdvice(Lifetime(u16::from_be_bytes(interval)))
            }
            ALTERNATE_COA => Self::AlternateCoa(address()?),
            MN_ID => {
                let (subtype, id) = data.split_first().ok_or(bad_length)?;
                Self::MnId(*subtype, id)
            }
            VENDOR => {
                let vendor = field(data, 0).map_err(|_| bad_length)?;
                let subtype = octet(data, 4).map_err(|_| bad_length)?;
                let rest = data.get(5..).unwrap_or_default();
                Self::Vendor(u32::from_be_bytes(vendor), subtype, rest)
            }
            HOME_NETWORK_PREFIX => Self::HomeNetworkPrefix(hnp::parse(data)?),
            HANDOFF_INDICATOR => Self::HandoffIndicator(HandoffIndicator(code_point()?)),
            ACCESS_TECH => Self::AccessTech(AccessTech(code_point()?)),
            MN_LINK_LAYER_ID => Self::MnLinkLayerId(data.get(2..).ok_or(bad_length)?),
            LINK_LOCAL => Self::LinkLocal(address()?),
            TIMESTAMP => {
                let value = data.try_into().map_err(|_| bad_length)?;
                Self::Timestamp(MobTimestamp(u64::from_be_bytes(value)))
            }
            _ => Self::Unknown(kind, data),
        })
    }

    /// The option type.
    const fn kind(&self) -> u8 {
        match self {
            Self::RefreshAdvice(_) => REFRESH_ADVICE,
            Self::AlternateCoa(_) => ALTERNATE_COA,
            Self::MnId(..) => MN_ID,
            Self::Vendor(..) => VENDOR,
            Self::HomeNetworkPrefix(_) => HOME_NETWORK_PREFIX,
            Self::HandoffIndicator(_) => HANDOFF_INDICATOR,
            Self::AccessTech(_) => ACCESS_TECH,
            Self::MnLinkLayerId(_) => MN_LINK_LAYER_ID,
            Self::LinkLocal(_) => LINK_LOCAL,
            Self::Timestamp(_) => TIMESTAMP,
            Self::Unknown(kind, _) => *kind,
        }
    }

    /// Where the option may start: `(n, m)` reads "n times some integer, plus m" bytes after the
    /// start of the Mobility Header.
    const fn alignment(&self) -> (usize, usize) {
        match self {
            Self::AlternateCoa(_) | Self::LinkLocal(_) => (8, 6),
            Self::Vendor(..) => (4, 2),
            Self::HomeNetworkPrefix(_) => (8, 4),
            // RFC 5213 8.6 wants the identifier on its natural boundary: an EUI-64 is eight bytes.
            Self::MnLinkLayerId(id) if id.len() == 8 => (8, 4),
            Self::RefreshAdvice(_) | Self::MnLinkLayerId(_) => (2, 0),
            Self::Timestamp(_) => (8, 2),
            Self::MnId(..)
            | Self::HandoffIndicator(_)
            | Self::AccessTech(_)
            | Self::Unknown(..) => (1, 0),
        }
    }

    /// Bytes of padding before the option when it is to be put at `at` or behind.
    const fn padding_at(&self, at: usize) -> usize {
        let (n, m) = self.alignment();
        (n + m - at % n) % n
    }

    /// Length in bytes without padding, type and length included.
    #[must_use]
    pub const fn buffer_len(&self) -> usize {
        DATA_AT
            + match self {
                Self::RefreshAdvice(_) | Self::HandoffIndicator(_) | Self::AccessTech(_) => 2,
                Self::AlternateCoa(_) | Self::LinkLocal(_) => 16,
                Self::MnId(_, id) => 1 + id.len(),
                Self::Vendor(_, _, data) => 5 + data.len(),
                Self::HomeNetworkPrefix(_) => hnp::DATA_LEN,
                Self::MnLinkLayerId(id) => 2 + id.len(),
                Self::Timestamp(_) => 8,
                Self::Unknown(_, data) => data.len(),
            }
    }

    /// Writes the option without padding into the front of `buf`; returns its length.
    ///
    /// Fails with `Length` if the data passes the length field, with `Truncated` if `buf` is
    /// shorter than [`Self::buffer_len`].
    pub fn emit(&self, buf: &mut [u8]) -> Result<usize> {
        let mut w = Writer::new(buf);
        self.write(&mut w)?;
        Ok(w.at)
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<()> {
        let len = u8::try_from(self.buffer_len() - DATA_AT)
            .map_err(|_| Error::new(ErrorKind::Length, w.at + 1))?;
        w.put(&[self.kind(), len])?;
        match self {
            Self::RefreshAdvice(interval) => w.put(&interval.0.to_be_bytes()),
            Self::AlternateCoa(a) | Self::LinkLocal(a) => w.put(&a.octets()),
            Self::MnId(subtype, id) => {
                w.put(&[*subtype])?;
                w.put(id)
            }
            Self::Vendor(vendor, subtype, data) => {
                w.put(&vendor.to_be_bytes())?;
                w.put(&[*subtype])?;
                w.put(data)
            }
            Self::HomeNetworkPrefix(p) => {
                w.put(&[0, p.len()])?;
                w.put(&p.addr().octets())
            }
            Self::HandoffIndicator(HandoffIndicator(v)) | Self::AccessTech(AccessTech(v)) => {
                w.put(&[0, *v])
            }
            Self::MnLinkLayerId(id) => {
                w.put(&[0, 0])?;
                w.put(id)
            }
            Self::Timestamp(t) => w.put(&t.0.to_be_bytes()),
            Self::Unknown(_, data) => w.put(data),
        }
    }
}

/// Options to emit: a slice of [`MobilityOption`], or the [`Options`] of a parsed message.
pub trait OptionList<'o>: IntoIterator<Item: Borrow<MobilityOption<'o>>> + Clone {}

impl<'o, L> OptionList<'o> for L where L: IntoIterator<Item: Borrow<MobilityOption<'o>>> + Clone {}

/// Where the options end when the first may start at `at` and each is aligned.
pub(super) fn padded_end<'o>(options: impl OptionList<'o>, at: usize) -> usize {
    options.into_iter().fold(at, |at, o| at + o.borrow().padding_at(at) + o.borrow().buffer_len())
}

/// Writes the options, each aligned, and pads the rest of the buffer.
pub(super) fn emit_padded<'o>(options: impl OptionList<'o>, w: &mut Writer<'_>) -> Result<()> {
    for option in options {
        let option = option.borrow();
        pad(option.padding_at(w.at), w)?;
        option.write(w)?;
    }
    pad(w.buf.len() - w.at, w)
}

/// Writes `n` bytes of padding, at most 7.
fn pad(n: usize, w: &mut Writer<'_>) -> Result<()> {
    match n {
        0 => Ok(()),
        1 => w.put(&[PAD1]),
        _ => {
            let data = [0; 5];
            let len = n - DATA_AT;
            // An alignment and a unit are at most 8 bytes, so 5 bytes of data are the most.
            w.put(&[PADN, u8::try_from(len).unwrap_or(u8::MAX)])?;
            w.put(data.get(..len).unwrap_or(&data))
        }
    }
}

/// The validated options of a message, still on the wire; iterate to get [`MobilityOption`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options<'a> {
    bytes: &'a [u8],
}

impl<'a> Options<'a> {
    /// Options that start at the front of `bytes` and fill them.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut at = 0;
        while let Some(option) = next(bytes, at)? {
            if !is_padding(option) {
                MobilityOption::parse(option).map_err(|e| e.shifted(at))?;
            }
            at += option.len();
        }
        Ok(Self { bytes })
    }

    /// Options that [`Self::parse`] took before. On others iteration ends at the first fault.
    pub(crate) const fn from_validated(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Each option as it stands on the wire, type and length included, without padding.
    pub(crate) fn encoded(self) -> impl Iterator<Item = &'a [u8]> {
        let mut at = 0;
        core::iter::from_fn(move || {
            let option = next(self.bytes, at).ok().flatten()?;
            at += option.len();
            Some(option)
        })
        .filter(|o| !is_padding(o))
    }

    /// The options, padding left out.
    #[must_use]
    pub const fn iter(self) -> OptionIter<'a> {
        OptionIter { bytes: self.bytes, at: 0 }
    }
}

impl<'a> IntoIterator for Options<'a> {
    type Item = MobilityOption<'a>;
    type IntoIter = OptionIter<'a>;
    fn into_iter(self) -> OptionIter<'a> {
        self.iter()
    }
}

/// Iterates over [`Options`].
#[derive(Debug, Clone)]
pub struct OptionIter<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for OptionIter<'a> {
    type Item = MobilityOption<'a>;
    fn next(&mut self) -> Option<Self::Item> {
        // Every step was verified by `parse`, so neither `?` nor `ok` leaves early.
        loop {
            let option = next(self.bytes, self.at).ok().flatten()?;
            self.at += option.len();
            if !is_padding(option) {
                return MobilityOption::parse(option).ok();
            }
        }
    }
}

impl FusedIterator for OptionIter<'_> {}

/// The option at `at`, whole; `None` at the end.
fn next(bytes: &[u8], at: usize) -> Result<Option<&[u8]>> {
    let Some(rest @ [kind, tail @ ..]) = bytes.get(at..) else { return Ok(None) };
    let cut = Error::new(ErrorKind::Length, at + 1);
    let len = match (*kind, tail) {
        (PAD1, _) => 1,
        (_, [len, ..]) => DATA_AT + usize::from(*len),
        (_, []) => return Err(cut),
    };
    rest.get(..len).map(Some).ok_or(cut)
}

fn is_padding(option: &[u8]) -> bool {
    matches!(option, [PAD1 | PADN, ..])
}
