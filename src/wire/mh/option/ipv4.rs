//! The data of the IPv4 options (RFC 5844 section 3.3, RFC 5555 section 3.2.2).

use crate::wire::{Error, ErrorKind, Result};
use core::fmt;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// An IPv4 home address with the length of its network's prefix, as the options carry it. In a
/// request `0.0.0.0` asks for an assignment.
///
/// ```text
///  request:  | Type 36 | Length 6 | Prefix-len:6 Reserved:10             | IPv4 home address |
///  reply:    | Type 37 | Length 6 |      Status      | Pref-len:6  Res:2 | IPv4 home address |
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ipv4Home {
    addr: Ipv4Addr,
    prefix_len: u8,
}

impl Ipv4Home {
    /// No address: a request for an assignment.
    pub const ANY: Self = Self { addr: Ipv4Addr::UNSPECIFIED, prefix_len: 0 };

    /// `None` if the prefix length is over 32.
    #[must_use]
    pub const fn new(addr: Ipv4Addr, prefix_len: u8) -> Option<Self> {
        if prefix_len <= 32 { Some(Self { addr, prefix_len }) } else { None }
    }

    /// The address; `0.0.0.0` for none.
    #[must_use]
    pub const fn addr(self) -> Ipv4Addr {
        self.addr
    }

    /// Length of the network's prefix in bits, 0 to 32.
    #[must_use]
    pub const fn prefix_len(self) -> u8 {
        self.prefix_len
    }

    /// From the fields of an option; the six bits of the prefix length lead `octet`, which stands
    /// at `at` from the start of the option.
    pub(super) fn parse(addr: [u8; 4], octet: u8, at: usize) -> Result<Self> {
        Self::new(addr.into(), octet >> 2).ok_or(Error::new(ErrorKind::Value, at))
    }

    /// The byte that the prefix length leads.
    pub(super) const fn prefix_octet(self) -> u8 {
        self.prefix_len << 2
    }
}

/// Status of an IPv4 home address in a reply; below 128 it was assigned (RFC 5844 3.3.2). Values
/// without a name survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Ipv4HomeStatus(pub u8);

impl Ipv4HomeStatus {
    /// Success.
    pub const SUCCESS: Self = Self(0);
    /// Failure, reason unspecified.
    pub const REASON_UNSPECIFIED: Self = Self(128);
    /// Administratively prohibited.
    pub const ADMINISTRATIVELY_PROHIBITED: Self = Self(129);
    /// Incorrect IPv4 home address.
    pub const INCORRECT_ADDRESS: Self = Self(130);
    /// Invalid IPv4 address.
    pub const INVALID_ADDRESS: Self = Self(131);
    /// Dynamic IPv4 home address assignment is not available.
    pub const DYNAMIC_NOT_AVAILABLE: Self = Self(132);
    /// The node may not have a prefix (RFC 5555 3.2.1).
    pub const PREFIX_UNAUTHORIZED: Self = Self(133);

    /// Whether the address was assigned.
    #[must_use]
    pub const fn is_accepted(self) -> bool {
        self.0 < 128
    }
}

impl fmt::Display for Ipv4HomeStatus {
    /// A few words, or the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match *self {
            Self::SUCCESS => "success",
            Self::REASON_UNSPECIFIED => "reason unspecified",
            Self::ADMINISTRATIVELY_PROHIBITED => "administratively prohibited",
            Self::INCORRECT_ADDRESS => "incorrect address",
            Self::INVALID_ADDRESS => "invalid address",
            Self::DYNAMIC_NOT_AVAILABLE => "dynamic assignment not available",
            Self::PREFIX_UNAUTHORIZED => "prefix allocation unauthorized",
            Self(value) => return f.pad(&value.to_string()),
        })
    }
}

/// What the gateway is to be for the node's DHCP (RFC 5844 3.3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DhcpSupportMode {
    /// A relay; the S bit is clear.
    #[default]
    Relay,
    /// A server; the S bit is set.
    Server,
}

/// Whether a NAT was found, and what follows from it (RFC 5555 3.2.2).
///
/// ```text
///  | Type 31 | Length 6 | F | Reserved, 15 bits | Refresh Time, 32 bits |
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NatDetection {
    /// F: UDP encapsulation is required, with or without a NAT.
    pub force_udp: bool,
    /// How often the peer should refresh the NAT's state, in seconds; 0 says nothing.
    pub refresh_time_s: u32,
}

impl NatDetection {
    /// The refresh time that says that there is no NAT to keep alive.
    pub const NO_KEEPALIVE: u32 = u32::MAX;

    /// The F flag in the first byte of the data.
    const F: u8 = 0x80;

    pub(super) const fn parse([flags, _reserved, time @ ..]: [u8; 6]) -> Self {
        Self { force_udp: flags & Self::F != 0, refresh_time_s: u32::from_be_bytes(time) }
    }

    /// The first byte of the data.
    pub(super) const fn flags(self) -> u8 {
        if self.force_udp { Self::F } else { 0 }
    }
}
