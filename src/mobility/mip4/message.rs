//! A message of Mobile IPv4 with the addresses it came with, or is to go with.

use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A UDP payload between our port 434 and a node or foreign agent. It is kept as it stands on the
/// wire: what authenticates it covers the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mip4Msg {
    /// Source; of a message that arrived, the other end's, or that of a NAT before it.
    pub src: Ipv4Addr,
    /// Destination; of a message that arrived, ours, or a broadcast.
    pub dst: Ipv4Addr,
    /// The other end's port. Ours is 434.
    pub port: u16,
    /// What UDP carries.
    pub payload: Vec<u8>,
}
