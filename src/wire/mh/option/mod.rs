//! Mobility options (RFC 6275 section 6.2): type, length, data.
//!
//! ```text
//!  | type | length | data ... |      length counts the data only; Pad1 (type 0) is one byte alone
//! ```
//! Peers do not keep the alignments that the RFCs ask for, and pad as they like: parsing takes any.
//! Lengths are taken at their word: an option that is cut, or has not the length of its type, is
//! an error.

mod access_network;
mod access_tech;
mod handoff;
mod hnp;
mod ipv4;
mod list;

#[cfg(test)]
pub(in crate::wire::mh) mod tests;

use super::super::{Error, ErrorKind, Result, Writer, octet};
use crate::addr::{GreKey, HomePrefix};
use crate::time::{Lifetime, MobTimestamp};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use access_network::{AccessNetworkId, AniSubOption};
pub use access_tech::AccessTech;
pub use handoff::HandoffIndicator;
pub use ipv4::{DhcpSupportMode, Ipv4Home, Ipv4HomeStatus, NatDetection};
pub use list::{OptionIter, OptionList, Options};
pub(super) use list::{emit_encoded, emit_padded, is_padding, next, padded_end};

/// One mobility option. What we do not know is kept as [`MobilityOption::Unknown`] and survives a
/// round trip. Pad1 and `PadN` never appear: `emit` inserts them, parsing skips them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MobilityOption<'a> {
    /// Type 2: Binding Refresh Advice (RFC 6275 6.2.4).
    RefreshAdvice(Lifetime),
    /// Type 3: Alternate Care-of Address (RFC 6275 6.2.5).
    AlternateCoa(Ipv6Addr),
    /// Type 6: Mobile Network Prefix (RFC 3963 4.3), its host bits cleared.
    MobileNetworkPrefix(HomePrefix),
    /// Type 8: Mobile Node Identifier (RFC 4283): subtype and identifier (at most 254 bytes).
    MnId(u8, &'a [u8]),
    /// Type 9: Mobility Message Authentication (RFC 4285 5): subtype (1 MN-HA, 2 MN-AAA), mobility
    /// SPI, authentication data (at most 250 bytes). [`super::AuthOption`] finds what it covers.
    MessageAuth(u8, u32, &'a [u8]),
    /// Type 10: Mobility Message Replay Protection (RFC 4285 6): time in the format of NTP, seconds
    /// since 1900 in the upper 32 bits.
    ReplayProtection(u64),
    /// Type 19: Vendor Specific (RFC 5094): vendor id, subtype, data (at most 250 bytes).
    Vendor(u32, u8, &'a [u8]),
    /// Type 20: Service Selection (RFC 5149), 1 to 255 bytes that should be UTF-8.
    ServiceSelection(&'a [u8]),
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
    /// Type 28: Restart Counter (RFC 5847 3.4).
    RestartCounter(u32),
    /// Type 29: IPv4 Home Address (RFC 5555 3.1.1); `0.0.0.0` asks for an assignment. The flag: a
    /// prefix is asked for.
    Ipv4HomeAddress(Ipv4Home, bool),
    /// Type 30: IPv4 Address Acknowledgement (RFC 5555 3.2.1).
    Ipv4AddressAck(Ipv4HomeStatus, Ipv4Home),
    /// Type 31: NAT Detection (RFC 5555 3.2.2).
    NatDetection(NatDetection),
    /// Type 32: IPv4 Care-of Address (RFC 5555 3.1.2).
    Ipv4CareOf(Ipv4Addr),
    /// Type 33: GRE Key (RFC 5845 6.1); without a key it negotiates GRE encapsulation only.
    GreKey(Option<GreKey>),
    /// Type 35: Binding Identifier (RFC 5648 4.3): the identifier, a status, and what follows the
    /// flags: a care-of address of 0, 4 or 16 bytes, if the length is right (at most 251 bytes).
    BindingIdentifier(u16, u8, &'a [u8]),
    /// Type 36: IPv4 Home Address Request (RFC 5844 3.3.1); `0.0.0.0` asks for an assignment.
    Ipv4HomeAddressRequest(Ipv4Home),
    /// Type 37: IPv4 Home Address Reply (RFC 5844 3.3.2).
    Ipv4HomeAddressReply(Ipv4HomeStatus, Ipv4Home),
    /// Type 38: IPv4 Default-Router Address (RFC 5844 3.3.3).
    Ipv4DefaultRouter(Ipv4Addr),
    /// Type 39: IPv4 DHCP Support Mode (RFC 5844 3.3.4).
    Ipv4DhcpSupportMode(DhcpSupportMode),
    /// Type 49: Alternate IPv4 Care-of Address (RFC 6463 4.4): a gateway's user plane (RFC 7389).
    AlternateIpv4Coa(Ipv4Addr),
    /// Type 52: Access Network Identifier (RFC 6757 3), at most 255 bytes.
    AccessNetworkId(AccessNetworkId<'a>),
    /// Type 59: LMA User-Plane Address (RFC 7389 4): in an update none, or the unspecified address
    /// of the family that is asked for.
    LmaUserPlane(Option<IpAddr>),
    /// Any other: type and data (at most 255 bytes).
    Unknown(u8, &'a [u8]),
}

const PAD1: u8 = 0;
const PADN: u8 = 1;
const REFRESH_ADVICE: u8 = 2;
const ALTERNATE_COA: u8 = 3;
const MOBILE_NETWORK_PREFIX: u8 = 6;
const MN_ID: u8 = 8;
const MESSAGE_AUTH: u8 = 9;
const REPLAY_PROTECTION: u8 = 10;
const VENDOR: u8 = 19;
const SERVICE_SELECTION: u8 = 20;
const HOME_NETWORK_PREFIX: u8 = 22;
const HANDOFF_INDICATOR: u8 = 23;
const ACCESS_TECH: u8 = 24;
const MN_LINK_LAYER_ID: u8 = 25;
const LINK_LOCAL: u8 = 26;
const TIMESTAMP: u8 = 27;
const RESTART_COUNTER: u8 = 28;
const IPV4_HOME_ADDRESS: u8 = 29;
const IPV4_ADDRESS_ACK: u8 = 30;
const NAT_DETECTION: u8 = 31;
const IPV4_CARE_OF: u8 = 32;
const GRE_KEY: u8 = 33;
const BINDING_IDENTIFIER: u8 = 35;
const IPV4_HOME_ADDRESS_REQUEST: u8 = 36;
const IPV4_HOME_ADDRESS_REPLY: u8 = 37;
const IPV4_DEFAULT_ROUTER: u8 = 38;
const IPV4_DHCP_SUPPORT_MODE: u8 = 39;
const ALTERNATE_IPV4_COA: u8 = 49;
const ACCESS_NETWORK_ID: u8 = 52;
const LMA_USER_PLANE: u8 = 59;

/// Bytes of a Mobility Message Authentication option before its authentication data.
pub(super) const AUTH_DATA_AT: usize = DATA_AT + 5;

/// P, in the first byte of an IPv4 Home Address option behind its length.
const PREFIX_REQUESTED: u8 = 0x02;

/// S, in the last byte of an IPv4 DHCP Support Mode option.
const DHCP_SERVER: u8 = 1;

/// Bytes before an option's data.
const DATA_AT: usize = 2;

impl<'a> MobilityOption<'a> {
    /// From a whole option, type and length included, whose length field is already verified.
    pub(super) fn parse(option: &'a [u8]) -> Result<Self> {
        let kind = octet(option, 0)?;
        let data = option.get(DATA_AT..).unwrap_or_default();
        let bad_length = Error::new(ErrorKind::Length, 1);
        Ok(match kind {
            REFRESH_ADVICE => Self::RefreshAdvice(Lifetime(u16::from_be_bytes(whole(data)?))),
            ALTERNATE_COA => Self::AlternateCoa(whole::<16>(data)?.into()),
            MOBILE_NETWORK_PREFIX => Self::MobileNetworkPrefix(hnp::parse(data)?),
            MN_ID => {
                let (subtype, id) = data.split_first().ok_or(bad_length)?;
                Self::MnId(*subtype, id)
            }
            MESSAGE_AUTH => {
                let ([subtype, spi @ ..], auth) = lead::<5>(data)?;
                Self::MessageAuth(subtype, u32::from_be_bytes(spi), auth)
            }
            REPLAY_PROTECTION => Self::ReplayProtection(u64::from_be_bytes(whole(data)?)),
            VENDOR => {
                let ([a, b, c, d, subtype], rest) = lead::<5>(data)?;
                Self::Vendor(u32::from_be_bytes([a, b, c, d]), subtype, rest)
            }
            SERVICE_SELECTION | ACCESS_NETWORK_ID if data.is_empty() => return Err(bad_length),
            SERVICE_SELECTION => Self::ServiceSelection(data),
            HOME_NETWORK_PREFIX => Self::HomeNetworkPrefix(hnp::parse(data)?),
            // Reserved, then a code point.
            HANDOFF_INDICATOR => Self::HandoffIndicator(HandoffIndicator(whole::<2>(data)?[1])),
            ACCESS_TECH => Self::AccessTech(AccessTech(whole::<2>(data)?[1])),
            MN_LINK_LAYER_ID => Self::MnLinkLayerId(lead::<2>(data)?.1),
            LINK_LOCAL => Self::LinkLocal(whole::<16>(data)?.into()),
            TIMESTAMP => Self::Timestamp(MobTimestamp(u64::from_be_bytes(whole(data)?))),
            RESTART_COUNTER => Self::RestartCounter(u32::from_be_bytes(whole(data)?)),
            ALTERNATE_IPV4_COA => Self::AlternateIpv4Coa(whole::<4>(data)?.into()),
            ACCESS_NETWORK_ID => {
                Self::AccessNetworkId(AccessNetworkId::parse(data).map_err(|e| e.shifted(DATA_AT))?)
            }
            LMA_USER_PLANE => {
                let (_reserved, address) = lead::<2>(data)?;
                Self::LmaUserPlane(match address.len() {
                    0 => None,
                    4 => Some(whole::<4>(address)?.into()),
                    _ => Some(whole::<16>(address)?.into()),
                })
            }
            _ => return Self::parse_ipv4(kind, data),
        })
    }

    /// The options of IPv4 support and of tunnels, and those that we do not know.
    fn parse_ipv4(kind: u8, data: &'a [u8]) -> Result<Self> {
        Ok(match kind {
            IPV4_HOME_ADDRESS => {
                let [prefix, _reserved, address @ ..] = whole::<6>(data)?;
                let home = Ipv4Home::parse(address, prefix, DATA_AT)?;
                Self::Ipv4HomeAddress(home, prefix & PREFIX_REQUESTED != 0)
            }
            IPV4_ADDRESS_ACK => {
                let [status, prefix, address @ ..] = whole::<6>(data)?;
                let home = Ipv4Home::parse(address, prefix, DATA_AT + 1)?;
                Self::Ipv4AddressAck(Ipv4HomeStatus(status), home)
            }
            IPV4_CARE_OF => {
                let [_, _, address @ ..] = whole::<6>(data)?;
                Self::Ipv4CareOf(address.into())
            }
            BINDING_IDENTIFIER => {
                let ([high, low, status, _flags], care_of) = lead::<4>(data)?;
                Self::BindingIdentifier(u16::from_be_bytes([high, low]), status, care_of)
            }
            NAT_DETECTION => Self::NatDetection(NatDetection::parse(whole(data)?)),
            GRE_KEY => {
                let (_reserved, key) = lead::<2>(data)?;
                let key = if key.is_empty() { None } else { Some(whole(key)?) };
                Self::GreKey(key.map(|k| GreKey(u32::from_be_bytes(k))))
            }
            IPV4_HOME_ADDRESS_REQUEST => {
                let [prefix, _reserved, address @ ..] = whole::<6>(data)?;
                Self::Ipv4HomeAddressRequest(Ipv4Home::parse(address, prefix, DATA_AT)?)
            }
            IPV4_HOME_ADDRESS_REPLY => {
                let [status, prefix, address @ ..] = whole::<6>(data)?;
                let home = Ipv4Home::parse(address, prefix, DATA_AT + 1)?;
                Self::Ipv4HomeAddressReply(Ipv4HomeStatus(status), home)
            }
            IPV4_DEFAULT_ROUTER => {
                let [_, _, address @ ..] = whole::<6>(data)?;
                Self::Ipv4DefaultRouter(address.into())
            }
            IPV4_DHCP_SUPPORT_MODE => {
                let [_reserved, mode] = whole::<2>(data)?;
                let server = mode & DHCP_SERVER != 0;
                let mode = if server { DhcpSupportMode::Server } else { DhcpSupportMode::Relay };
                Self::Ipv4DhcpSupportMode(mode)
            }
            _ => Self::Unknown(kind, data),
        })
    }

    /// The option type.
    const fn kind(&self) -> u8 {
        match self {
            Self::RefreshAdvice(_) => REFRESH_ADVICE,
            Self::AlternateCoa(_) => ALTERNATE_COA,
            Self::MobileNetworkPrefix(_) => MOBILE_NETWORK_PREFIX,
            Self::Ipv4HomeAddress(..) => IPV4_HOME_ADDRESS,
            Self::Ipv4AddressAck(..) => IPV4_ADDRESS_ACK,
            Self::Ipv4CareOf(_) => IPV4_CARE_OF,
            Self::BindingIdentifier(..) => BINDING_IDENTIFIER,
            Self::MnId(..) => MN_ID,
            Self::MessageAuth(..) => MESSAGE_AUTH,
            Self::ReplayProtection(_) => REPLAY_PROTECTION,
            Self::Vendor(..) => VENDOR,
            Self::ServiceSelection(_) => SERVICE_SELECTION,
            Self::HomeNetworkPrefix(_) => HOME_NETWORK_PREFIX,
            Self::HandoffIndicator(_) => HANDOFF_INDICATOR,
            Self::AccessTech(_) => ACCESS_TECH,
            Self::MnLinkLayerId(_) => MN_LINK_LAYER_ID,
            Self::LinkLocal(_) => LINK_LOCAL,
            Self::Timestamp(_) => TIMESTAMP,
            Self::RestartCounter(_) => RESTART_COUNTER,
            Self::NatDetection(_) => NAT_DETECTION,
            Self::GreKey(_) => GRE_KEY,
            Self::Ipv4HomeAddressRequest(_) => IPV4_HOME_ADDRESS_REQUEST,
            Self::Ipv4HomeAddressReply(..) => IPV4_HOME_ADDRESS_REPLY,
            Self::Ipv4DefaultRouter(_) => IPV4_DEFAULT_ROUTER,
            Self::Ipv4DhcpSupportMode(_) => IPV4_DHCP_SUPPORT_MODE,
            Self::AlternateIpv4Coa(_) => ALTERNATE_IPV4_COA,
            Self::AccessNetworkId(_) => ACCESS_NETWORK_ID,
            Self::LmaUserPlane(_) => LMA_USER_PLANE,
            Self::Unknown(kind, _) => *kind,
        }
    }

    /// Bytes of padding before the option when it is to be put at `at` or behind.
    const fn padding_at(&self, at: usize) -> usize {
        padding_at(self.kind(), self.buffer_len(), at)
    }

    /// Length in bytes without padding, type and length included.
    #[must_use]
    pub const fn buffer_len(&self) -> usize {
        DATA_AT
            + match self {
                Self::RefreshAdvice(_)
                | Self::HandoffIndicator(_)
                | Self::AccessTech(_)
                | Self::Ipv4DhcpSupportMode(_)
                | Self::GreKey(None)
                | Self::LmaUserPlane(None) => 2,
                Self::RestartCounter(_) | Self::AlternateIpv4Coa(_) => 4,
                Self::NatDetection(_)
                | Self::GreKey(Some(_))
                | Self::Ipv4HomeAddress(..)
                | Self::Ipv4AddressAck(..)
                | Self::Ipv4CareOf(_)
                | Self::Ipv4HomeAddressRequest(_)
                | Self::Ipv4HomeAddressReply(..)
                | Self::Ipv4DefaultRouter(_)
                | Self::LmaUserPlane(Some(IpAddr::V4(_))) => 6,
                Self::Timestamp(_) | Self::ReplayProtection(_) => 8,
                Self::AlternateCoa(_) | Self::LinkLocal(_) => 16,
                Self::LmaUserPlane(Some(IpAddr::V6(_))) => 18,
                Self::HomeNetworkPrefix(_) | Self::MobileNetworkPrefix(_) => hnp::DATA_LEN,
                Self::BindingIdentifier(_, _, care_of) => 4 + care_of.len(),
                Self::MnId(_, id) => 1 + id.len(),
                Self::MnLinkLayerId(id) => 2 + id.len(),
                Self::MessageAuth(_, _, data) | Self::Vendor(_, _, data) => 5 + data.len(),
                Self::AccessNetworkId(ani) => ani.bytes().len(),
                Self::ServiceSelection(data) | Self::Unknown(_, data) => data.len(),
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
            Self::MessageAuth(subtype, spi, data) => {
                w.put(&[*subtype])?;
                w.put(&spi.to_be_bytes())?;
                w.put(data)
            }
            Self::Vendor(vendor, subtype, data) => {
                w.put(&vendor.to_be_bytes())?;
                w.put(&[*subtype])?;
                w.put(data)
            }
            Self::BindingIdentifier(id, status, care_of) => {
                w.put(&id.to_be_bytes())?;
                w.put(&[*status, 0])?;
                w.put(care_of)
            }
            Self::Ipv4HomeAddress(home, prefix) => {
                let flag = if *prefix { PREFIX_REQUESTED } else { 0 };
                w.put(&[home.prefix_octet() | flag, 0])?;
                w.put(&home.addr().octets())
            }
            Self::HomeNetworkPrefix(p) | Self::MobileNetworkPrefix(p) => {
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
            Self::Timestamp(MobTimestamp(t)) | Self::ReplayProtection(t) => w.put(&t.to_be_bytes()),
            Self::RestartCounter(n) => w.put(&n.to_be_bytes()),
            Self::NatDetection(nat) => {
                w.put(&[nat.flags(), 0])?;
                w.put(&nat.refresh_time_s.to_be_bytes())
            }
            Self::GreKey(None)
            | Self::LmaUserPlane(None)
            | Self::Ipv4DhcpSupportMode(DhcpSupportMode::Relay) => w.put(&[0, 0]),
            Self::GreKey(Some(key)) => {
                w.put(&[0, 0])?;
                w.put(&key.0.to_be_bytes())
            }
            Self::Ipv4HomeAddressRequest(home) => {
                w.put(&[home.prefix_octet(), 0])?;
                w.put(&home.addr().octets())
            }
            Self::Ipv4HomeAddressReply(status, home) | Self::Ipv4AddressAck(status, home) => {
                w.put(&[status.0, home.prefix_octet()])?;
                w.put(&home.addr().octets())
            }
            Self::Ipv4DefaultRouter(a)
            | Self::Ipv4CareOf(a)
            | Self::LmaUserPlane(Some(IpAddr::V4(a))) => {
                w.put(&[0, 0])?;
                w.put(&a.octets())
            }
            Self::LmaUserPlane(Some(IpAddr::V6(a))) => {
                w.put(&[0, 0])?;
                w.put(&a.octets())
            }
            Self::Ipv4DhcpSupportMode(DhcpSupportMode::Server) => w.put(&[0, DHCP_SERVER]),
            Self::AlternateIpv4Coa(a) => w.put(&a.octets()),
            Self::AccessNetworkId(ani) => w.put(ani.bytes()),
            Self::ServiceSelection(data) | Self::Unknown(_, data) => w.put(data),
        }
    }
}

/// Bytes of padding before an option of this type and length in bytes when it is to be put at `at`
/// or behind.
const fn padding_at(kind: u8, len: usize, at: usize) -> usize {
    let (n, m) = alignment(kind, len);
    m.wrapping_sub(at) & (n - 1)
}

/// Where an option may start: `(n, m)` reads "n times some integer, plus m" bytes after the start
/// of the Mobility Header; `n` is a power of two.
const fn alignment(kind: u8, len: usize) -> (usize, usize) {
    match kind {
        ALTERNATE_COA | LINK_LOCAL => (8, 6),
        VENDOR | RESTART_COUNTER | ALTERNATE_IPV4_COA => (4, 2),
        MESSAGE_AUTH => (4, 1),
        NAT_DETECTION
        | GRE_KEY
        | IPV4_HOME_ADDRESS
        | IPV4_ADDRESS_ACK
        | IPV4_CARE_OF
        | IPV4_HOME_ADDRESS_REQUEST
        | IPV4_HOME_ADDRESS_REPLY
        | IPV4_DEFAULT_ROUTER
        | ACCESS_NETWORK_ID => (4, 0),
        HOME_NETWORK_PREFIX | MOBILE_NETWORK_PREFIX => (8, 4),
        BINDING_IDENTIFIER if len > DATA_AT + 4 => (8, 2),
        // RFC 5213 8.6 wants the identifier on its natural boundary: an EUI-64 is eight bytes.
        MN_LINK_LAYER_ID if len == DATA_AT + 2 + 8 => (8, 4),
        REFRESH_ADVICE | MN_LINK_LAYER_ID | BINDING_IDENTIFIER => (2, 0),
        TIMESTAMP | REPLAY_PROTECTION | LMA_USER_PLANE => (8, 2),
        _ => (1, 0),
    }
}

/// All of an option's data: exactly `N` bytes.
fn whole<const N: usize>(data: &[u8]) -> Result<[u8; N]> {
    data.try_into().map_err(|_| Error::new(ErrorKind::Length, 1))
}

/// The first `N` bytes of an option's data, and the rest.
fn lead<const N: usize>(data: &[u8]) -> Result<([u8; N], &[u8])> {
    match data.split_first_chunk() {
        Some((first, rest)) => Ok((*first, rest)),
        None => Err(Error::new(ErrorKind::Length, 1)),
    }
}
