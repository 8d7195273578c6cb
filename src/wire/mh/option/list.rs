//! A message's options in a row: parsing, iterating, and emitting them with padding.

use super::{DATA_AT, MESSAGE_AUTH, MobilityOption, PAD1, PADN, padding_at};
use crate::wire::{Error, ErrorKind, Result, Writer};
use core::borrow::Borrow;
use core::iter::FusedIterator;

/// Options to emit: a slice of [`MobilityOption`], or the [`Options`] of a parsed message.
pub trait OptionList<'o>: IntoIterator<Item: Borrow<MobilityOption<'o>>> + Clone {}

impl<'o, L> OptionList<'o> for L where L: IntoIterator<Item: Borrow<MobilityOption<'o>>> + Clone {}

/// Where the options end when the first may start at `at` and each is aligned.
pub(in super::super) fn padded_end<'o>(options: impl OptionList<'o>, at: usize) -> usize {
    options.into_iter().fold(at, |at, o| at + o.borrow().padding_at(at) + o.borrow().buffer_len())
}

/// Writes the options, each aligned, and padding up to the next multiple of `unit`.
pub(in super::super) fn emit_padded<'o>(
    options: impl OptionList<'o>,
    unit: usize,
    w: &mut Writer<'_>,
) -> Result<()> {
    for option in options {
        let option = option.borrow();
        pad(option.padding_at(w.at), w)?;
        option.write(w)?;
    }
    pad(w.at.next_multiple_of(unit) - w.at, w)
}

/// As [`emit_padded`], of options that stand on a wire already: they are copied as they are.
pub(in super::super) fn emit_encoded(
    options: Options<'_>,
    unit: usize,
    w: &mut Writer<'_>,
) -> Result<()> {
    for option in options.encoded() {
        let kind = option.first().copied().unwrap_or(PAD1);
        pad(padding_at(kind, option.len(), w.at), w)?;
        w.put(option)?;
    }
    pad(w.at.next_multiple_of(unit) - w.at, w)
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

    /// How many bytes they fill, padding included.
    pub(crate) const fn len(self) -> usize {
        self.bytes.len()
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

    /// Appends them as they stand on the wire, without padding.
    pub(crate) fn copy_to(self, out: &mut Vec<u8>) {
        let (mut at, mut run) = (0, 0);
        let mut copy = |from, to| out.extend_from_slice(self.bytes.get(from..to).unwrap_or(&[]));
        while let Ok(Some(option)) = next(self.bytes, at) {
            if is_padding(option) {
                copy(run, at);
                run = at + option.len();
            }
            at += option.len();
        }
        copy(run, at);
    }

    /// They fill these bytes; there is no padding between those of an owned list.
    pub(crate) const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Whether one of them authenticates the message (RFC 4285).
    pub(crate) fn is_signed(self) -> bool {
        self.encoded().any(|o| o.first() == Some(&MESSAGE_AUTH))
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

/// The option at `at`, whole, padding or not; `None` at the end.
pub(in super::super) fn next(bytes: &[u8], at: usize) -> Result<Option<&[u8]>> {
    let Some(rest @ [kind, tail @ ..]) = bytes.get(at..) else { return Ok(None) };
    let cut = Error::new(ErrorKind::Length, at + 1);
    let len = match (*kind, tail) {
        (PAD1, _) => 1,
        (_, [len, ..]) => DATA_AT + usize::from(*len),
        (_, []) => return Err(cut),
    };
    rest.get(..len).map(Some).ok_or(cut)
}

pub(in super::super) fn is_padding(option: &[u8]) -> bool {
    matches!(option, [PAD1 | PADN, ..])
}
