//! A node's binding for people, of whichever protocol.

use super::attachment::Attachment;
use crate::addr::{Encap, HomePrefix};
use crate::mobility::mip4::RegisteredPrefix;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr};

/// A binding for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingRow {
    /// The home address; none if the home agent has not given one yet.
    pub home_address: Option<IpAddr>,
    /// The home agent that it is registered with, or that is asked.
    pub home_agent: IpAddr,
    /// The care-of address that is registered; none if there is no binding.
    pub care_of: Option<IpAddr>,
    /// Seconds.
    pub lifetime_left_s: u64,
    /// Where the node is.
    pub at: Attachment,
    /// An update waits for its acknowledgement.
    pub is_waiting: bool,
    /// What carries its packets to the home agent; none if there is no binding.
    pub delivery: Option<Delivery>,
    /// The IPv4 home address beside one of IPv6 (RFC 5555), if it is bound.
    pub ipv4_home_address: Option<Ipv4Addr>,
    /// IPv6 prefixes that Mobile IPv4 registered (RFC 5454).
    pub prefixes: Vec<RegisteredPrefix>,
    /// Of the home link, as the home agent of Mobile IPv6 has told.
    pub home_prefixes: Vec<HomePrefixRow>,
}

/// A prefix of the home link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HomePrefixRow {
    /// The prefix.
    pub prefix: HomePrefix,
    /// Seconds that it is valid; for ever if absent.
    pub valid_s: Option<u32>,
    /// Seconds that it is preferred; for ever if absent.
    pub preferred_s: Option<u32>,
}

/// What stands between the outer header and a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// Nothing.
    Ip,
    /// A GRE header.
    Gre,
    /// UDP, through NATs.
    Udp,
}

impl From<Encap> for Delivery {
    fn from(encap: Encap) -> Self {
        match encap {
            Encap::Ip => Self::Ip,
            Encap::Gre => Self::Gre,
            Encap::Udp(_) | Encap::UdpGre(_) | Encap::Mip4Udp(_) | Encap::Mip6Udp(_) => Self::Udp,
        }
    }
}
