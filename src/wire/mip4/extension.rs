//! Extensions of Mobile IPv4 messages.
//!
//! ```text
//!  +---------------+---------------+----               plain (RFC 5944 1.9)
//!  |     Type      |    Length     | data
//!  +---------------+---------------+---------------+----   short (1.11): Length counts the sub-type
//!  |     Type      |    Length     |   Sub-Type    | data
//! ```
//! The long form (1.10) is for types below 128 only, of which we know none that has it.

use crate::addr::HomePrefix;
use crate::wire::{Error, ErrorKind, Result, Writer, be16, field, octet};
use core::iter::FusedIterator;
use serde::{Deserialize, Serialize};
use std::net::Ipv6Addr;

/// Whom an authentication extension stands between (RFC 5944 3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AuthKind {
    /// Mobile-Home, type 32.
    MobileHome,
    /// Mobile-Foreign, type 33. It does not concern a home agent.
    MobileForeign,
    /// Foreign-Home, type 34.
    ForeignHome,
}

/// One extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension<'a> {
    /// Authentication: between whom, SPI, authenticator.
    Auth(AuthKind, u32, &'a [u8]),
    /// UDP Tunnel Reply (RFC 3519 3.2).
    UdpTunnelReply(UdpTunnelReply),
    /// Encapsulating Delivery Style (RFC 3024 3.3): between node and foreign agent.
    EncapsulatingDelivery,
    /// Mobile Node NAI (RFC 2794).
    MnNai(&'a [u8]),
    /// Revocation Support (RFC 3543 3.2): the I bit, and the sender's time.
    RevocationSupport(bool, u32),
    /// UDP Tunnel Request (RFC 3519 3.1).
    UdpTunnelRequest(UdpTunnelRequest),
    /// IPv6 Prefix Request (RFC 5454 2.1).
    PrefixRequest(Ipv6PrefixField),
    /// IPv6 Prefix Reply (RFC 5454 2.2).
    PrefixReply(PrefixCode, Ipv6PrefixField),
    /// IPv6 Tunneling Mode (RFC 5454 2.3): IPv6 may be tunnelled to the care-of address.
    TunnelingMode,
    /// Any other that may be skipped: its type, and its data.
    Unknown(u8, &'a [u8]),
}

/// A UDP Tunnel Request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UdpTunnelRequest {
    /// F: whether or not there is a NAT.
    pub force: bool,
    /// R: the registration goes through a foreign agent because that one requires it.
    pub through_agent: bool,
    /// Protocol number of what is to be tunnelled; zero leaves it to the request's M and G bits.
    pub encapsulation: u8,
}

/// A UDP Tunnel Reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UdpTunnelReply {
    /// Below 64: there will be a UDP tunnel.
    pub code: u8,
    /// F: because it was asked for, NAT or not.
    pub forced: bool,
    /// Seconds after which the other end says something to keep the NAT's mapping; zero leaves it
    /// to that end.
    pub keepalive_s: u16,
}

impl UdpTunnelReply {
    /// Will do tunnelling.
    pub const WILL_TUNNEL: u8 = 0;
    /// Declined, reason unspecified.
    pub const DECLINED: u8 = 64;
}

/// The code of an IPv6 Prefix Reply (RFC 5454 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PrefixCode(pub u8);

impl PrefixCode {
    /// Accepted; IPv6 is tunnelled to the IPv4 home address.
    pub const TO_HOME_ADDRESS: Self = Self(0);
    /// Accepted; IPv6 is tunnelled to the care-of address.
    pub const TO_CARE_OF_ADDRESS: Self = Self(1);
    /// Rejected, reason unspecified.
    pub const REJECTED: Self = Self(8);
    /// Rejected, administratively prohibited.
    pub const PROHIBITED: Self = Self(9);
}

/// A prefix as RFC 5454 writes it: its length is any, and says by 255 that the field is a
/// link-local address (2.2, 3.7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ipv6PrefixField {
    /// Prefix Length.
    pub len: u8,
    /// Mobile IPv6 Network Prefix; what lies beyond the length is zero.
    pub addr: Ipv6Addr,
}

impl Ipv6PrefixField {
    /// Reads the two fields: what lies beyond the length is ignored (2.1, 2.2).
    fn new(len: u8, addr: Ipv6Addr) -> Self {
        let addr = HomePrefix::truncating(addr, len).map_or(addr, HomePrefix::addr);
        Self { len, addr }
    }

    /// The prefix; `None` if the length is over 128.
    #[must_use]
    pub fn prefix(self) -> Option<HomePrefix> {
        HomePrefix::truncating(self.addr, self.len).ok()
    }
}

impl From<HomePrefix> for Ipv6PrefixField {
    fn from(prefix: HomePrefix) -> Self {
        Self { len: prefix.len(), addr: prefix.addr() }
    }
}

impl<'a> Extension<'a> {
    /// An extension of this type with this data.
    fn parse(kind: u8, data: &'a [u8]) -> Result<Self> {
        // A wrong length is found at the Length field, in front of the data.
        let wrong_len = Error::new(ErrorKind::Length, 1);
        let exactly = |len| if data.len() == len { Ok(()) } else { Err(wrong_len) };
        let within = |e: Error| e.shifted(DATA_AT);
        if let Some(between) = AuthKind::of(kind) {
            let (spi, authenticator) = data.split_first_chunk().ok_or(wrong_len)?;
            return Ok(Self::Auth(between, u32::from_be_bytes(*spi), authenticator));
        }
        match (kind, data.first()) {
            (UDP_TUNNEL_REPLY, Some(0)) => {
                exactly(6)?;
                let forced = octet(data, 2).map_err(within)? & FIRST_BIT != 0;
                let keepalive_s = be16(data, 4).map_err(within)?;
                let code = octet(data, 1).map_err(within)?;
                Ok(Self::UdpTunnelReply(UdpTunnelReply { code, forced, keepalive_s }))
            }
            (ENCAPSULATING_DELIVERY, _) => exactly(0).map(|()| Self::EncapsulatingDelivery),
            (MN_NAI, _) => Ok(Self::MnNai(data)),
            // RFC 3543 3.2: it may become longer.
            (REVOCATION_SUPPORT, _) if data.len() >= 6 => {
                let inform = octet(data, 0).map_err(within)? & FIRST_BIT != 0;
                let time = field(data, 2).map(u32::from_be_bytes).map_err(within)?;
                Ok(Self::RevocationSupport(inform, time))
            }
            (REVOCATION_SUPPORT, _) => Err(wrong_len),
            (UDP_TUNNEL_REQUEST, Some(0)) => {
                exactly(6)?;
                let [_, _, flags, encapsulation, reserved_3 @ ..] =
                    field::<6>(data, 0).map_err(within)?;
                // RFC 3519 3.1.3: then it is not understood.
                if reserved_3 != [0, 0] {
                    return Ok(Self::Unknown(kind, data));
                }
                Ok(Self::UdpTunnelRequest(UdpTunnelRequest {
                    force: flags & FIRST_BIT != 0,
                    through_agent: flags & SECOND_BIT != 0,
                    encapsulation,
                }))
            }
            (DSMIP4, Some(&PREFIX_REQUEST)) => {
                exactly(18)?;
                let addr = field::<16>(data, 2).map(Ipv6Addr::from).map_err(within)?;
                let len = octet(data, 1).map_err(within)?;
                Ok(Self::PrefixRequest(Ipv6PrefixField::new(len, addr)))
            }
            (DSMIP4, Some(&PREFIX_REPLY)) => {
                exactly(20)?;
                let addr = field::<16>(data, 4).map(Ipv6Addr::from).map_err(within)?;
                let code = PrefixCode(octet(data, 1).map_err(within)?);
                let len = octet(data, 2).map_err(within)?;
                Ok(Self::PrefixReply(code, Ipv6PrefixField::new(len, addr)))
            }
            (DSMIP4, Some(&TUNNELING_MODE)) => exactly(2).map(|()| Self::TunnelingMode),
            (FIRST_SKIPPABLE.., _) => Ok(Self::Unknown(kind, data)),
            (..FIRST_SKIPPABLE, _) => Err(Error::new(ErrorKind::Unskippable, 0)),
        }
    }

    /// How many bytes [`Self::emit`] writes.
    #[must_use]
    pub fn buffer_len(&self) -> usize {
        DATA_AT
            + match self {
                Self::Auth(_, _, authenticator) => 4 + authenticator.len(),
                Self::EncapsulatingDelivery => 0,
                Self::MnNai(data) | Self::Unknown(_, data) => data.len(),
                Self::UdpTunnelReply(_)
                | Self::RevocationSupport(..)
                | Self::UdpTunnelRequest(_) => 6,
                Self::PrefixRequest(_) => 18,
                Self::PrefixReply(..) => 20,
                Self::TunnelingMode => 2,
            }
    }

    /// Writes the extension to the front of `buf`; how many bytes.
    ///
    /// Fails with `Length` if its data passes the Length field.
    pub fn emit(&self, buf: &mut [u8]) -> Result<usize> {
        let len = self.buffer_len();
        let data_len = u8::try_from(len - DATA_AT).map_err(|_| Error::new(ErrorKind::Length, 1))?;
        let bit = |is: bool, bit: u8| if is { bit } else { 0 };
        let mut w = Writer::new(buf);
        w.put(&[self.kind(), data_len])?;
        match self {
            Self::Auth(_, spi, authenticator) => {
                w.put(&spi.to_be_bytes())?;
                w.put(authenticator)?;
            }
            Self::UdpTunnelReply(r) => {
                w.put(&[0, r.code, bit(r.forced, FIRST_BIT), 0])?;
                w.put(&r.keepalive_s.to_be_bytes())?;
            }
            Self::EncapsulatingDelivery => {}
            Self::MnNai(data) | Self::Unknown(_, data) => w.put(data)?,
            Self::RevocationSupport(inform, time) => {
                w.put(&[bit(*inform, FIRST_BIT), 0])?;
                w.put(&time.to_be_bytes())?;
            }
            Self::UdpTunnelRequest(r) => {
                let flags = bit(r.force, FIRST_BIT) | bit(r.through_agent, SECOND_BIT);
                w.put(&[0, 0, flags, r.encapsulation, 0, 0])?;
            }
            Self::PrefixRequest(p) => {
                w.put(&[PREFIX_REQUEST, p.len])?;
                w.put(&p.addr.octets())?;
            }
            Self::PrefixReply(code, p) => {
                w.put(&[PREFIX_REPLY, code.0, p.len, 0])?;
                w.put(&p.addr.octets())?;
            }
            Self::TunnelingMode => w.put(&[TUNNELING_MODE, 0])?,
        }
        Ok(len)
    }

    const fn kind(&self) -> u8 {
        match self {
            Self::Auth(between, ..) => between.kind(),
            Self::UdpTunnelReply(_) => UDP_TUNNEL_REPLY,
            Self::EncapsulatingDelivery => ENCAPSULATING_DELIVERY,
            Self::MnNai(_) => MN_NAI,
            Self::RevocationSupport(..) => REVOCATION_SUPPORT,
            Self::UdpTunnelRequest(_) => UDP_TUNNEL_REQUEST,
            Self::PrefixRequest(_) | Self::PrefixReply(..) | Self::TunnelingMode => DSMIP4,
            Self::Unknown(kind, _) => *kind,
        }
    }
}

impl AuthKind {
    const fn of(kind: u8) -> Option<Self> {
        match kind {
            32 => Some(Self::MobileHome),
            33 => Some(Self::MobileForeign),
            34 => Some(Self::ForeignHome),
            _ => None,
        }
    }

    const fn kind(self) -> u8 {
        match self {
            Self::MobileHome => 32,
            Self::MobileForeign => 33,
            Self::ForeignHome => 34,
        }
    }
}

/// The validated extensions of a message, still on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extensions<'a> {
    payload: &'a [u8],
    at: usize,
}

impl<'a> Extensions<'a> {
    /// The extensions of `payload` from `at` on, which fill it.
    pub(super) fn parse(payload: &'a [u8], at: usize) -> Result<Self> {
        let mut next = at;
        while let Some((_, _, end)) = step(payload, next)? {
            next = end;
        }
        Ok(Self { payload, at })
    }

    /// Each with the offset in the UDP payload at which it begins.
    pub fn located(self) -> impl FusedIterator<Item = (usize, Extension<'a>)> {
        let mut next = Some(self.at);
        core::iter::from_fn(move || {
            let (at, extension, end) = step(self.payload, next?).ok().flatten()?;
            next = Some(end);
            Some((at, extension))
        })
        .fuse()
    }

    /// Without their offsets.
    pub fn iter(self) -> impl FusedIterator<Item = Extension<'a>> {
        self.located().map(|(_, extension)| extension)
    }
}

/// The extension at `at`, and where it ends.
fn step(payload: &[u8], at: usize) -> Result<Option<(usize, Extension<'_>, usize)>> {
    let Some(kind) = payload.get(at).copied() else { return Ok(None) };
    // RFC 5944 1.8: where one ends that may not be skipped, in which form ever, we need not know.
    if kind < FIRST_SKIPPABLE && AuthKind::of(kind).is_none() && kind != UDP_TUNNEL_REPLY {
        return Err(Error::new(ErrorKind::Unskippable, at));
    }
    let len = usize::from(octet(payload, at + 1)?);
    let cut = Error::new(ErrorKind::Truncated, at + 1);
    let data = payload.get(at + DATA_AT..).and_then(|d| d.get(..len)).ok_or(cut)?;
    let extension = Extension::parse(kind, data).map_err(|e| e.shifted(at))?;
    Ok(Some((at, extension, at + DATA_AT + len)))
}

/// The longest extension, in bytes.
pub const EXTENSION_LEN_MAX: usize = DATA_AT + 255;

const DATA_AT: usize = 2;

const UDP_TUNNEL_REPLY: u8 = 44;
const FIRST_SKIPPABLE: u8 = 128;
const ENCAPSULATING_DELIVERY: u8 = 130;
const MN_NAI: u8 = 131;
const REVOCATION_SUPPORT: u8 = 137;
const UDP_TUNNEL_REQUEST: u8 = 144;
const DSMIP4: u8 = 152;

/// Sub-types of the extensions of RFC 5454.
const PREFIX_REQUEST: u8 = 1;
const PREFIX_REPLY: u8 = 2;
const TUNNELING_MODE: u8 = 3;

const FIRST_BIT: u8 = 0x80;
const SECOND_BIT: u8 = 0x40;
