//! Between which addresses, and in what, a node's packets travel between anchor and gateway.

use serde::{Deserialize, Serialize};
use std::net::Ipv6Addr;

/// What stands between the outer IP header and a node's packet. The families of both are free:
/// IPv4 is written as IPv4-mapped IPv6 throughout.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub enum Encap {
    /// Nothing: IP in IP (RFC 2473, RFC 4213, RFC 2003).
    #[default]
    Ip,
    /// A GRE header (RFC 2784), with keys where the binding has some (RFC 5845 section 3).
    Gre,
    /// UDP to this port of the gateway, or of the NAT before it (RFC 5844 section 4.2).
    Udp(u16),
    /// The same, then the TLV header of RFC 5845 section 6.3 and a GRE header.
    UdpGre(u16),
    /// UDP from port 434 to this one of the node, or of the NAT before it, then the header of a MIP
    /// Tunnel Data message (RFC 3519 section 3.3). Over IPv4.
    Mip4Udp(u16),
    /// UDP from port 4191 to this one of the node, or of the NAT before it (RFC 5555 section 3.3).
    /// Over IPv4.
    Mip6Udp(u16),
}

/// The GRE keys of one binding (RFC 5845 section 3), one for each direction.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct GreKeys {
    /// Assigned by the gateway: in packets to the node.
    pub downlink: Option<u32>,
    /// Assigned by the anchor: in packets from the node.
    pub uplink: Option<u32>,
}

/// The way between the anchor and a gateway: what all bindings share that take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TunnelPath {
    /// Our end: outer source downlink, outer destination uplink.
    pub local: Ipv6Addr,
    /// The gateway's end: outer destination downlink, the only outer source admitted uplink.
    pub remote: Ipv6Addr,
    /// What is in between.
    pub encap: Encap,
}

impl TunnelPath {
    /// IP in IP between these two addresses.
    #[must_use]
    pub const fn ip(local: Ipv6Addr, remote: Ipv6Addr) -> Self {
        Self { local, remote, encap: Encap::Ip }
    }
}

/// What of a mobile node's packets travels in ESP, in tunnel mode, between home agent and node, and
/// in its plain tunnel not at all (RFC 6275 10.4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protection {
    /// Mobility Headers: those of return routability, and whatever else the tunnel would carry of
    /// them, as nothing tells them apart.
    ReturnRoutability,
    /// Everything.
    All,
}

/// How many ways copies of a node's packets may take at most.
pub const COPIES_MAX: usize = 4;

/// The ways of a node with several care-of addresses (RFC 5944 section 1.7): a copy takes each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TunnelPaths {
    /// The one that was registered last.
    pub newest: TunnelPath,
    /// The others, without gaps.
    pub others: [Option<TunnelPath>; COPIES_MAX - 1],
}

impl TunnelPaths {
    /// These, each once, the newest first; those beyond [`COPIES_MAX`] are left out. `None` if
    /// there is none.
    #[must_use]
    pub fn new(paths: impl IntoIterator<Item = TunnelPath>) -> Option<Self> {
        let mut paths = paths.into_iter();
        let mut all = Self::from(paths.next()?);
        for path in paths {
            let is_there = all.all().any(|p| p == path);
            if let Some(free) = all.others.iter_mut().find(|o| o.is_none()).filter(|_| !is_there) {
                *free = Some(path);
            }
        }
        Some(all)
    }

    /// Whether there is one alone.
    #[must_use]
    pub const fn is_one(&self) -> bool {
        self.others[0].is_none()
    }

    /// All of them, the newest first.
    pub fn all(&self) -> impl Iterator<Item = TunnelPath> + use<> {
        std::iter::once(self.newest).chain(self.others.into_iter().flatten())
    }
}

impl From<TunnelPath> for TunnelPaths {
    fn from(newest: TunnelPath) -> Self {
        Self { newest, others: [None; COPIES_MAX - 1] }
    }
}
