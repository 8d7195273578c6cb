//! Mobility options (RFC 6275 section 6.2): one file an option.

use crate::addr::HomePrefix;
use crate::time::{Lifetime, MobTimestamp};
use std::net::Ipv6Addr;

/// One mobility option. What we do not know is kept as [`MobilityOption::Unknown`] and survives a
/// round trip. Pad1 and `PadN` never appear: `emit` inserts them, parsing skips them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MobilityOption<'a> {
    /// Type 2: Binding Refresh Advice (RFC 6275 6.2.4).
    RefreshAdvice(Lifetime),
    /// Type 3: Alternate Care-of Address (RFC 6275 6.2.5).
    AlternateCoa(Ipv6Addr),
    /// Type 8: Mobile Node Identifier (RFC 4283): subtype and identifier.
    MnId(u8, &'a [u8]),
    /// Type 19: Vendor Specific (RFC 5094): vendor id, subtype, data.
    Vendor(u32, u8, &'a [u8]),
    /// Type 22: Home Network Prefix (RFC 5213 8.3); `::/0` asks for an allocation (`ALL_ZERO`).
    /// On the wire the length stands beside an address whose host bits we clear.
    HomeNetworkPrefix(HomePrefix),
    /// Type 23: Handoff Indicator (RFC 5213 8.4), raw.
    HandoffIndicator(u8),
    /// Type 24: Access Technology Type (RFC 5213 8.5), raw.
    AccessTech(u8),
    /// Type 25: Mobile Node Link-layer Identifier (RFC 5213 8.6).
    MnLinkLayerId(&'a [u8]),
    /// Type 26: Link-local Address (RFC 5213 8.7); `::` asks the anchor for one.
    LinkLocal(Ipv6Addr),
    /// Type 27: Timestamp (RFC 5213 8.8).
    Timestamp(MobTimestamp),
    /// Any other: type and data.
    Unknown(u8, &'a [u8]),
}

/// The validated options of a message, still on the wire; iterate to get [`MobilityOption`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options<'a> {
    bytes: &'a [u8],
}

impl<'a> Options<'a> {
    /// The bytes as they stand on the wire, padding included.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}
