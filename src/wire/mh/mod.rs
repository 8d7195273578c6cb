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
