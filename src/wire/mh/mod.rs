//! The Mobility Header (RFC 6275 section 6.1) and its messages.
//!
//! ```text
//!  | Payload Proto | Header Len | MH Type | Reserved | Checksum | message data, options ... |
//! ```
//! `parse` checks everything that RFC 6275 section 9.2 asks for before it looks at the message.
//! Options are validated while parsing, so iterating over [`Options`] cannot fail.

pub mod option;

use crate::time::Lifetime;
use serde::{Deserialize, Serialize};

pub use option::{MobilityOption, Options};

/// IPv6 next header number of the Mobility Header.
pub const NEXT_HEADER: u8 = 135;

/// A sequence number, compared modulo 2^16 (RFC 6275 section 9.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct SeqNo(pub u16);

/// Flags of a Binding Update, as the 16 bits stand on the wire (RFC 6275 6.1.7, RFC 5213 8.1,
/// IANA registry): A 8000, H 4000, L 2000, K 1000, M 0800, R 0400, P 0200, F 0100, T 0080, B 0040.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct BuFlags(pub u16);

/// Flags of a Binding Acknowledgement, as the 8 bits stand on the wire (RFC 6275 6.1.8, RFC 5213
/// 8.2): K 80, R 40, P 20, T 10, B 08.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct BaFlags(pub u8);

/// Status of a Binding Acknowledgement. Below 128 the update was accepted (RFC 6275 6.1.8, RFC 5213 8.9).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Status(pub u8);

impl Status {
    /// The update was accepted.
    pub const ACCEPTED: Self = Self(0);
    /// Reason unspecified.
    pub const REASON_UNSPECIFIED: Self = Self(128);
    /// Administratively prohibited.
    pub const ADMINISTRATIVELY_PROHIBITED: Self = Self(129);
    /// Insufficient resources.
    pub const INSUFFICIENT_RESOURCES: Self = Self(130);
    /// Sequence number out of window (RFC 6275 9.5.1).
    pub const SEQUENCE_OUT_OF_WINDOW: Self = Self(135);
    /// Proxy registration not enabled for the mobile node.
    pub const PROXY_REG_NOT_ENABLED: Self = Self(152);
    /// Not local mobility anchor for this mobile node.
    pub const NOT_LMA_FOR_THIS_MOBILE_NODE: Self = Self(153);
    /// The gateway is not authorized to send proxy binding updates.
    pub const MAG_NOT_AUTHORIZED_FOR_PROXY_REG: Self = Self(154);
    /// The node is not authorized for one or more of the requested home network prefixes.
    pub const NOT_AUTHORIZED_FOR_HOME_NETWORK_PREFIX: Self = Self(155);
    /// Invalid timestamp value: the clocks are out of sync.
    pub const TIMESTAMP_MISMATCH: Self = Self(156);
    /// The timestamp is lower than the previously accepted one.
    pub const TIMESTAMP_LOWER_THAN_PREV_ACCEPTED: Self = Self(157);
    /// No Home Network Prefix option.
    pub const MISSING_HOME_NETWORK_PREFIX_OPTION: Self = Self(158);
    /// The prefixes of the binding and those of the update are not the same set.
    pub const BCE_PBU_PREFIX_SET_DO_NOT_MATCH: Self = Self(159);
    /// No Mobile Node Identifier option.
    pub const MISSING_MN_IDENTIFIER_OPTION: Self = Self(160);
    /// No Handoff Indicator option.
    pub const MISSING_HANDOFF_INDICATOR_OPTION: Self = Self(161);
    /// No Access Technology Type option.
    pub const MISSING_ACCESS_TECH_TYPE_OPTION: Self = Self(162);
    /// The care-of address is not one that packets can be sent to (RFC 6275 6.1.8).
    pub const INVALID_CARE_OF_ADDRESS: Self = Self(174);

    /// Whether the update was accepted.
    #[must_use]
    pub const fn is_accepted(self) -> bool {
        self.0 < 128
    }
}

/// A Binding Update without its options; a *Proxy* Binding Update when the P flag is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BindingUpdate {
    /// Sequence number.
    pub seq: SeqNo,
    /// Flags.
    pub flags: BuFlags,
    /// Requested lifetime; zero deregisters.
    pub lifetime: Lifetime,
}

/// A Binding Acknowledgement without its options; *Proxy* when the P flag is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BindingAck {
    /// Outcome.
    pub status: Status,
    /// Flags.
    pub flags: BaFlags,
    /// Sequence number, copied from the update.
    pub seq: SeqNo,
    /// Granted lifetime.
    pub lifetime: Lifetime,
}

/// A Binding Error (RFC 6275 section 6.1.9). Status 1: no binding; 2: unrecognized MH type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingError {
    /// 1 or 2.
    pub status: u8,
    /// The home address that was contained in the Home Address option, or `::`.
    pub home_address: std::net::Ipv6Addr,
}

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
}
