//! The data of a Home Network Prefix option (RFC 5213 section 8.3), or of a Mobile Network Prefix
//! option (RFC 3963 section 4.3), type 6.
//!
//! ```text
//!  +---------------+---------------+---------------+---------------+
//!  |   Type 22     |   Length 18   |   Reserved    | Prefix Length |
//!  +---------------+---------------+---------------+---------------+
//!  |                 Home Network Prefix, 16 bytes                 |
//! ```

use crate::addr::HomePrefix;
use crate::wire::{Error, ErrorKind, Result};
use std::net::Ipv6Addr;

/// Length of the option's data, in bytes.
pub(super) const DATA_LEN: usize = 18;

/// Offset of Prefix Length from the start of the option, in bytes.
const PREFIX_LENGTH_AT: usize = 3;

/// The prefix, host bits cleared: a peer may well send an address.
pub(super) fn parse(data: &[u8]) -> Result<HomePrefix> {
    let data: &[u8; DATA_LEN] =
        data.try_into().map_err(|_| Error { kind: ErrorKind::Length, offset: 1 })?;
    let [_reserved, len, addr @ ..] = data;
    let addr: Ipv6Addr = (*addr).into();
    HomePrefix::truncating(addr, *len)
        .map_err(|_| Error { kind: ErrorKind::Value, offset: PREFIX_LENGTH_AT })
}
