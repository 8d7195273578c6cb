//! Messages as the pure core sees them: owned, serialisable, with the addresses they came with.

use crate::addr::CustomerId;
use crate::wire;
use crate::wire::mh::option::OptionIter;
use crate::wire::mh::{
    self, BindingAck, BindingError, BindingRevocationAck, BindingRevocationIndication,
    BindingUpdate, Heartbeat, HomeAgentSwitch, MobilityOption, OptionList, Options,
};
use core::borrow::Borrow;
use serde::{Deserialize, Serialize};
use std::net::Ipv6Addr;

/// The options of a message, in the order of the wire, without padding.
///
/// Owned and serialisable so that a recorded stream replays. Bounded by the Mobility Header itself
/// (at most 2 KiB). The encoding is the wire's own: type, length, data.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct OwnedOptions(Vec<u8>);

impl OwnedOptions {
    /// Builds them. Fails with `Length` if an option's data passes its length field: never for
    /// what was parsed, nor for a [`crate::addr::MnId`].
    pub fn from_options<'o>(options: impl OptionList<'o>) -> wire::Result<Self> {
        let len = options.clone().into_iter().map(|o| o.borrow().buffer_len()).sum();
        let mut bytes = vec![0; len];
        let mut rest = &mut bytes[..];
        for option in options {
            let written = option.borrow().emit(rest)?;
            rest = rest.get_mut(written..).unwrap_or_default();
        }
        Ok(Self(bytes))
    }

    /// None yet, with room for so many bytes of them.
    pub(crate) fn with_capacity(len: usize) -> Self {
        Self(Vec::with_capacity(len))
    }

    /// Appends one that was parsed, or is of fixed size: others may be longer than their length
    /// field can say, and are left out.
    pub(crate) fn push(&mut self, option: &MobilityOption<'_>) {
        let at = self.0.len();
        self.0.resize(at + option.buffer_len(), 0);
        if option.emit(self.0.get_mut(at..).unwrap_or_default()).is_err() {
            self.0.truncate(at);
        }
    }

    /// The options as [`crate::wire::mh::MessageData::emit`] takes them.
    #[must_use]
    pub fn options(&self) -> Options<'_> {
        Options::from_validated(&self.0)
    }

    /// Iterates over them.
    #[must_use]
    pub fn iter(&self) -> OptionIter<'_> {
        self.options().iter()
    }
}

impl From<Options<'_>> for OwnedOptions {
    fn from(options: Options<'_>) -> Self {
        let mut bytes = Vec::with_capacity(options.len());
        options.copy_to(&mut bytes);
        Self(bytes)
    }
}

impl<'a> IntoIterator for &'a OwnedOptions {
    type Item = MobilityOption<'a>;
    type IntoIter = OptionIter<'a>;
    fn into_iter(self) -> OptionIter<'a> {
        self.iter()
    }
}

impl TryFrom<Vec<u8>> for OwnedOptions {
    type Error = wire::Error;
    fn try_from(bytes: Vec<u8>) -> wire::Result<Self> {
        Options::parse(&bytes)?;
        Ok(Self(bytes))
    }
}

impl From<OwnedOptions> for Vec<u8> {
    fn from(options: OwnedOptions) -> Self {
        options.0
    }
}

/// What carries a Mobility Header between two addresses.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub enum Transport {
    /// IPv6, next header 135.
    #[default]
    Ipv6,
    /// UDP over IPv4 (RFC 5844 section 4): the peer's port. Both addresses are IPv4-mapped.
    Udp(u16),
    /// As [`Self::Ipv6`], in ESP (RFC 5213 section 4).
    Ipv6Esp,
    /// As [`Self::Udp`], in ESP.
    UdpEsp(u16),
    /// An IPv6 packet in UDP over IPv4 (RFC 5555 4.2): both addresses of the message are those of
    /// IPv4, IPv4-mapped; the IPv6 packet goes between the home address, which stands in the
    /// message's `home`, and us.
    Dsmip {
        /// The node's port, or that of the NAT before it.
        port: u16,
        /// Our address in the IPv6 packet.
        anchor: Ipv6Addr,
        /// ESP protects the message in the IPv6 packet.
        esp: bool,
    },
}

impl Transport {
    /// The peer's port, if UDP carries the message.
    #[must_use]
    pub const fn udp_port(self) -> Option<u16> {
        match self {
            Self::Udp(port) | Self::UdpEsp(port) | Self::Dsmip { port, .. } => Some(port),
            Self::Ipv6 | Self::Ipv6Esp => None,
        }
    }

    /// Whether ESP protects the message.
    #[must_use]
    pub const fn is_protected(self) -> bool {
        matches!(self, Self::Ipv6Esp | Self::UdpEsp(_) | Self::Dsmip { esp: true, .. })
    }

    /// The same in ESP.
    #[must_use]
    pub const fn protected(self) -> Self {
        match self {
            Self::Ipv6 | Self::Ipv6Esp => Self::Ipv6Esp,
            Self::Udp(port) | Self::UdpEsp(port) => Self::UdpEsp(port),
            Self::Dsmip { port, anchor, .. } => Self::Dsmip { port, anchor, esp: true },
        }
    }
}

/// A Binding Update as it arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateMsg {
    /// Source.
    pub src: Ipv6Addr,
    /// Destination.
    pub dst: Ipv6Addr,
    /// What carries it.
    #[serde(default)]
    pub transport: Transport,
    /// The home address of its Home Address option (RFC 6275 6.3); `src` stays the packet's source.
    #[serde(default)]
    pub home: Option<Ipv6Addr>,
    /// Its fixed fields.
    pub update: BindingUpdate,
    /// Its options.
    pub options: OwnedOptions,
    /// The Mobility Header as it stood on the wire, if one of its options authenticates it
    /// (RFC 4285); else empty.
    #[serde(default)]
    pub header: Box<[u8]>,
}

impl UpdateMsg {
    /// What [`Self::header`] is for a message with these options, parsed from `header`.
    #[must_use]
    pub fn kept_header(options: Options<'_>, header: &[u8]) -> Box<[u8]> {
        let len = if options.is_signed() { header.len().min(mh::MAX_LEN) } else { 0 };
        header.get(..len).unwrap_or_default().into()
    }
}

/// A Binding Acknowledgement, to send or as it arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AckMsg {
    /// Source.
    pub src: Ipv6Addr,
    /// Destination.
    pub dst: Ipv6Addr,
    /// What carries it.
    #[serde(default)]
    pub transport: Transport,
    /// The home address in its type 2 routing header (RFC 6275 9.5.4); `dst` stays the care-of
    /// address.
    #[serde(default)]
    pub home: Option<Ipv6Addr>,
    /// Its fixed fields.
    pub ack: BindingAck,
    /// Its options.
    pub options: OwnedOptions,
}

/// Any other message between an anchor and a gateway, to send or as it arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerMsg {
    /// Source.
    pub src: Ipv6Addr,
    /// Destination.
    pub dst: Ipv6Addr,
    /// What carries it.
    #[serde(default)]
    pub transport: Transport,
    /// It is to a mobile node, and `dst` a home address in this customer's address space: it takes
    /// the way of the node's packets, as it may not have a type 2 routing header (RFC 6275 6.1).
    #[serde(default)]
    pub node: Option<CustomerId>,
    /// Which message, and its fixed fields.
    pub body: PeerBody,
    /// Its options.
    pub options: OwnedOptions,
}

/// What two peers tell each other besides updates and acknowledgements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerBody {
    /// Binding Revocation Indication (RFC 5846 5.1).
    Bri(BindingRevocationIndication),
    /// Binding Revocation Acknowledgement (RFC 5846 5.2).
    Bra(BindingRevocationAck),
    /// Heartbeat, request or response (RFC 5847 3.3).
    Heartbeat(Heartbeat),
    /// Binding Error: the peer does not know what we sent (RFC 6275 6.1.9).
    BindingError(BindingError),
    /// Binding Refresh Request (RFC 6275 6.1.2), of a home agent.
    RefreshRequest,
    /// Home Agent Switch (RFC 5142), of a home agent.
    Switch(HomeAgentSwitch),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::mh::MessageData;

    #[test]
    fn owned_options_hold_what_was_on_the_wire_without_padding() {
        let options = [
            MobilityOption::MnId(1, b"mn1@example.org"),
            MobilityOption::LinkLocal(Ipv6Addr::LOCALHOST),
            MobilityOption::Unknown(200, b"survives"),
        ];
        let built = OwnedOptions::from_options(&options).expect("fits");
        assert!(built.iter().eq(options));

        let mut bytes = [0; 128];
        let (src, dst) = (Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
        let update = BindingUpdate::default();
        update.emit(&options, src, dst, &mut bytes).expect("fits");
        let message = wire::mh::Message::parse(&bytes, src, dst).expect("valid");
        assert_eq!(OwnedOptions::from(message.options()), built);
    }

    #[test]
    fn option_over_its_length_field_cannot_be_owned() {
        assert!(OwnedOptions::from_options(&[MobilityOption::MnId(1, &[0; 255])]).is_err());
    }

    #[test]
    fn recorded_options_are_validated_when_read() {
        let json = serde_json::to_string(&OwnedOptions(vec![24, 2, 0, 4])).expect("serialises");
        assert_eq!(json, "[24,2,0,4]");
        assert!(serde_json::from_str::<OwnedOptions>(&json).is_ok());
        assert!(serde_json::from_str::<OwnedOptions>("[24,2,0]").is_err());
    }
}
