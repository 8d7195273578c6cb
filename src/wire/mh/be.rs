//! Binding Error, MH type 7 (RFC 6275 section 6.1.9).

use super::MessageData;
use crate::wire::{Result, field, octet};
use serde::{Deserialize, Serialize};
use std::net::Ipv6Addr;

/// A Binding Error without its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingError {
    /// [`Self::UNKNOWN_BINDING`], [`Self::UNKNOWN_MH_TYPE`], or what a later RFC made of it.
    pub status: u8,
    /// The home address that was contained in the Home Address option, or `::`.
    pub home_address: Ipv6Addr,
}

impl BindingError {
    /// A Home Address destination option without a binding.
    pub const UNKNOWN_BINDING: u8 = 1;
    /// An MH Type that the receiver does not know (RFC 6275 section 9.2).
    pub const UNKNOWN_MH_TYPE: u8 = 2;
}

impl MessageData for BindingError {
    const MH_TYPE: u8 = 7;
    const LEN: usize = 18;

    fn parse_data(data: &[u8]) -> Result<Self> {
        Ok(Self { status: octet(data, 0)?, home_address: Ipv6Addr::from(field::<16>(data, 2)?) })
    }

    fn emit_data(&self, data: &mut [u8]) {
        if let [status, _reserved, home_address @ ..] = data {
            *status = self.status;
            home_address.copy_from_slice(&self.home_address.octets());
        }
    }
}
