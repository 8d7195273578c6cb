//! The Mobility Header (RFC 6275 section 6.1) and its messages.
//!
//! ```text
//!  0               1               2               3
//!  +---------------+---------------+---------------+---------------+
//!  | Payload Proto |  Header Len   |    MH Type    |   Reserved    |
//!  +---------------+---------------+---------------+---------------+
//!  |           Checksum            |  message data, mobility       |
//!  +---------------+---------------+  options, padding ...         |
//! ```
//! `Header Len` counts units of 8 octets beyond the first. [`Message::parse`] checks all that
//! RFC 6275 section 9.2 asks for before it looks at the message. Options are validated while
//! parsing, so iterating over [`Options`] cannot fail.

mod auth;
mod ba;
mod be;
mod brr;
mod bu;
mod heartbeat;
pub mod option;
mod revocation;
mod status;
mod switch;

#[cfg(test)]
mod tests;

use super::checksum::Checksum;
use super::{Error, ErrorKind, Result, Writer, octet};
use std::net::Ipv6Addr;

pub use auth::AuthOption;
pub use ba::{BaFlags, BindingAck};
pub use be::BindingError;
pub use brr::BindingRefreshRequest;
pub use bu::{BindingUpdate, BuFlags, SeqNo};
pub use heartbeat::{Heartbeat, HeartbeatFlags};
pub use option::{
    AccessNetworkId, AccessTech, AniSubOption, DhcpSupportMode, HandoffIndicator, Ipv4Home,
    Ipv4HomeStatus, MobilityOption, NatDetection, OptionList, Options,
};
pub use revocation::{
    BindingRevocationAck, BindingRevocationIndication, RevocationFlags, RevocationStatus,
    RevocationTrigger,
};
pub use status::Status;
pub use switch::HomeAgentSwitch;

/// IPv6 next header number of the Mobility Header.
pub const NEXT_HEADER: u8 = 135;

/// The longest Mobility Header: what an 8-bit Header Len can say, in bytes.
pub const MAX_LEN: usize = (u8::MAX as usize + 1) * UNIT;

/// Payload Proto: nothing follows (IPPROTO_NONE).
const NO_NEXT_HEADER: u8 = 59;

/// Bytes before the message data.
const PREAMBLE_LEN: usize = 6;

/// Header Len counts these, in bytes.
const UNIT: usize = 8;

const PAYLOAD_PROTO_AT: usize = 0;
const HEADER_LEN_AT: usize = 1;
const TYPE_AT: usize = 2;
const CHECKSUM_AT: usize = 4;

/// A message of the Mobility Header, its options still on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// Binding Refresh Request, MH type 0.
    Brr(Options<'a>),
    /// Binding Update, MH type 5.
    Bu(BindingUpdate, Options<'a>),
    /// Binding Acknowledgement, MH type 6.
    Ba(BindingAck, Options<'a>),
    /// Binding Error, MH type 7.
    Be(BindingError, Options<'a>),
    /// Home Agent Switch, MH type 12.
    Switch(HomeAgentSwitch, Options<'a>),
    /// Heartbeat, MH type 13.
    Heartbeat(Heartbeat, Options<'a>),
    /// Binding Revocation Indication, MH type 16.
    Bri(BindingRevocationIndication, Options<'a>),
    /// Binding Revocation Acknowledgement, MH type 16.
    Bra(BindingRevocationAck, Options<'a>),
}

impl<'a> Message<'a> {
    /// Parses a Mobility Header that came from `src` (the home address, if a Home Address option
    /// named one) to `dst`. Bytes behind the header are ignored.
    ///
    /// The checks of RFC 6275 section 9.2, in its order, and what it wants done when one fails:
    ///
    /// | [`ErrorKind`] | then |
    /// |---|---|
    /// | `Truncated` | discard: Header Len says more than there is |
    /// | `Checksum` | discard in silence |
    /// | `UnknownType` | Binding Error with status 2 |
    /// | `PayloadProto`, `HeaderLen` | ICMPv6 Parameter Problem, code 0, pointing at `offset` |
    /// | `Length`, `Value` | discard: an option is cut or contradicts itself |
    pub fn parse(bytes: &'a [u8], src: Ipv6Addr, dst: Ipv6Addr) -> Result<Self> {
        let header = whole_header(bytes)?;
        if checksum(header, src, dst) != 0 {
            return Err(Error::new(ErrorKind::Checksum, CHECKSUM_AT));
        }
        Self::parse_whole(header)
    }

    /// Parses a Mobility Header that was carried in UDP over IPv4, where the UDP checksum protects
    /// it and its own is ignored (RFC 5844 4.1.3.1); else as [`Self::parse`].
    pub fn parse_in_udp(bytes: &'a [u8]) -> Result<Self> {
        whole_header(bytes).and_then(Self::parse_whole)
    }

    fn parse_whole(bytes: &'a [u8]) -> Result<Self> {
        match octet(bytes, TYPE_AT)? {
            BindingRefreshRequest::MH_TYPE => {
                parts::<BindingRefreshRequest>(bytes).map(|(_, o)| Self::Brr(o))
            }
            BindingUpdate::MH_TYPE => parts(bytes).map(|(m, o)| Self::Bu(m, o)),
            BindingAck::MH_TYPE => parts(bytes).map(|(m, o)| Self::Ba(m, o)),
            BindingError::MH_TYPE => parts(bytes).map(|(m, o)| Self::Be(m, o)),
            HomeAgentSwitch::MH_TYPE => parts(bytes).map(|(m, o)| Self::Switch(m, o)),
            Heartbeat::MH_TYPE => parts(bytes).map(|(m, o)| Self::Heartbeat(m, o)),
            // One MH type, two messages (RFC 5846 5); what is neither is refused as an Indication.
            BindingRevocationAck::MH_TYPE => match octet(bytes, PREAMBLE_LEN)? {
                revocation::ACKNOWLEDGEMENT => parts(bytes).map(|(m, o)| Self::Bra(m, o)),
                _ => parts(bytes).map(|(m, o)| Self::Bri(m, o)),
            },
            _ => Err(Error::new(ErrorKind::UnknownType, TYPE_AT)),
        }
    }

    /// The message's options.
    #[must_use]
    pub const fn options(&self) -> Options<'a> {
        match self {
            Self::Brr(o)
            | Self::Bu(_, o)
            | Self::Ba(_, o)
            | Self::Be(_, o)
            | Self::Switch(_, o)
            | Self::Heartbeat(_, o)
            | Self::Bri(_, o)
            | Self::Bra(_, o) => *o,
        }
    }
}

/// The fixed part of a message: its Message Data without options.
pub trait MessageData: Sized {
    /// The MH Type.
    const MH_TYPE: u8;
    /// Length in bytes, from the end of the Checksum field to the first option.
    const LEN: usize;

    /// Reads the fixed part from the front of `data`, which has at least [`Self::LEN`] bytes.
    fn parse_data(data: &[u8]) -> Result<Self>;

    /// The fixed part as it stands on the wire: `data` has [`Self::data_len`] bytes, all zero.
    fn emit_data(&self, data: &mut [u8]);

    /// Length of this message's data before its options, in bytes: [`Self::LEN`], unless it says
    /// itself how long it is.
    fn data_len(&self) -> usize {
        Self::LEN
    }

    /// Length of the whole Mobility Header with these options, in bytes; a multiple of 8.
    fn buffer_len<'o>(&self, options: impl OptionList<'o>) -> usize {
        option::padded_end(options, PREAMBLE_LEN + self.data_len()).next_multiple_of(UNIT)
    }

    /// Writes the whole Mobility Header with these options into the front of `buf`, each option
    /// aligned as its RFC asks, checksum included; returns its length.
    ///
    /// Fails with `Truncated` if `buf` is shorter than [`Self::buffer_len`], with `Length` if the
    /// header would pass [`MAX_LEN`] or an option's data its length field.
    fn emit<'o>(
        &self,
        options: impl OptionList<'o>,
        src: Ipv6Addr,
        dst: Ipv6Addr,
        buf: &mut [u8],
    ) -> Result<usize> {
        let len = self.emit_in_udp(options, buf)?;
        set_checksum(buf.get_mut(..len).unwrap_or_default(), src, dst)?;
        Ok(len)
    }

    /// The same with a Checksum field of zero, as UDP over IPv4 carries it (RFC 5844 4.1.3.2).
    fn emit_in_udp<'o>(&self, options: impl OptionList<'o>, buf: &mut [u8]) -> Result<usize> {
        let room = buf.len();
        let write = |w: &mut Writer<'_>| option::emit_padded(options.clone(), UNIT, w);
        emit_once(self, write, buf).map_err(|e| {
            // What is wrong is looked for when something is: else the options are read once.
            if self.buffer_len(options) > MAX_LEN {
                Error::new(ErrorKind::Length, HEADER_LEN_AT)
            } else if e.kind == ErrorKind::Truncated {
                Error::new(ErrorKind::Truncated, room)
            } else {
                e
            }
        })
    }

    /// As [`Self::emit`], of options that stand on a wire already.
    fn emit_encoded(
        &self,
        options: Options<'_>,
        src: Ipv6Addr,
        dst: Ipv6Addr,
        buf: &mut [u8],
    ) -> Result<usize> {
        let len = self.emit_encoded_in_udp(options, buf)?;
        set_checksum(buf.get_mut(..len).unwrap_or_default(), src, dst)?;
        Ok(len)
    }

    /// As [`Self::emit_in_udp`], of options that stand on a wire already.
    fn emit_encoded_in_udp(&self, options: Options<'_>, buf: &mut [u8]) -> Result<usize> {
        emit_once(self, |w| option::emit_encoded(options, UNIT, w), buf)
    }
}

fn emit_once<M: MessageData>(
    message: &M,
    write_options: impl FnOnce(&mut Writer<'_>) -> Result<()>,
    buf: &mut [u8],
) -> Result<usize> {
    let mut w = Writer::new(buf);
    w.put(&[NO_NEXT_HEADER, 0, M::MH_TYPE, 0, 0, 0])?;
    let data_end = w.at + message.data_len();
    let short = Error::new(ErrorKind::Truncated, w.at);
    let data = w.buf.get_mut(w.at..data_end).ok_or(short)?;
    data.fill(0);
    message.emit_data(data);
    w.at = data_end;
    write_options(&mut w)?;
    let len = w.at;
    let too_long = Error::new(ErrorKind::Length, HEADER_LEN_AT);
    w.at = HEADER_LEN_AT;
    w.put(&[u8::try_from(len / UNIT - 1).map_err(|_| too_long)?])?;
    Ok(len)
}

/// The header that `bytes` begin with, cut to its length.
fn whole_header(bytes: &[u8]) -> Result<&[u8]> {
    let len = (usize::from(octet(bytes, HEADER_LEN_AT)?) + 1) * UNIT;
    bytes.get(..len).ok_or(Error::new(ErrorKind::Truncated, HEADER_LEN_AT))
}

/// The rest of section 9.2 for a known MH Type; then its fixed part and its options.
fn parts<M: MessageData>(bytes: &[u8]) -> Result<(M, Options<'_>)> {
    if octet(bytes, PAYLOAD_PROTO_AT)? != NO_NEXT_HEADER {
        return Err(Error::new(ErrorKind::PayloadProto, PAYLOAD_PROTO_AT));
    }
    let short = Error::new(ErrorKind::HeaderLen, HEADER_LEN_AT);
    let data = bytes.get(PREAMBLE_LEN..).filter(|d| d.len() >= M::LEN).ok_or(short)?;
    let message = M::parse_data(data).map_err(|e| e.shifted(PREAMBLE_LEN))?;
    let options_at = PREAMBLE_LEN + message.data_len();
    let options = bytes.get(options_at..).ok_or(short)?;
    let options = Options::parse(options).map_err(|e| e.shifted(options_at))?;
    Ok((message, options))
}

/// Writes the checksum into a header that is otherwise complete. Fails with `Truncated` if it is
/// too short to have one.
pub fn set_checksum(header: &mut [u8], src: Ipv6Addr, dst: Ipv6Addr) -> Result<()> {
    Writer { buf: header, at: CHECKSUM_AT }.put(&[0, 0])?;
    let sum = checksum(header, src, dst);
    Writer { buf: header, at: CHECKSUM_AT }.put(&sum.to_be_bytes())
}

/// Over a header whose Checksum field is zero: the checksum. Over a whole one: zero if intact.
fn checksum(header: &[u8], src: Ipv6Addr, dst: Ipv6Addr) -> u16 {
    // At most MAX_LEN, so the length always fits.
    let len = u32::try_from(header.len()).unwrap_or(u32::MAX);
    let mut c = Checksum::pseudo(src, dst, NEXT_HEADER, len);
    c.add(header);
    c.value()
}
