//! Messages as the pure core sees them: owned, serialisable, with the addresses they came with.

use crate::wire::mh::{BindingAck, BindingUpdate};
use serde::{Deserialize, Serialize};
use std::net::Ipv6Addr;

/// The options of a message, in the order of the wire, without padding.
///
/// Owned and serialisable so that a recorded stream replays. Bounded by the Mobility Header itself
/// (at most 2 KiB). The encoding is the wire's own (type, length, data); `wire::mh::Options` reads it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OwnedOptions(pub Vec<u8>);

/// A Binding Update as it arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateMsg {
    /// IPv6 source.
    pub src: Ipv6Addr,
    /// IPv6 destination.
    pub dst: Ipv6Addr,
    /// Its fixed fields.
    pub update: BindingUpdate,
    /// Its options.
    pub options: OwnedOptions,
}

/// A Binding Acknowledgement, to send or as it arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AckMsg {
    /// IPv6 source.
    pub src: Ipv6Addr,
    /// IPv6 destination.
    pub dst: Ipv6Addr,
    /// Its fixed fields.
    pub ack: BindingAck,
    /// Its options.
    pub options: OwnedOptions,
}
