//! A binding update's options, read once.

use crate::addr::HomePrefix;
use crate::mobility::message::{Transport, UpdateMsg};
use crate::time::Lifetime;
use crate::wire::mh::{AuthOption, BuFlags, Ipv4Home, MobilityOption, Status};
use std::net::{Ipv4Addr, Ipv6Addr};

/// What a binding update says, unchecked.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) home: Ipv6Addr,
    /// RFC 6275 9.5.1; in an IPv4 network, the address from which it came (RFC 5555 4.2).
    pub(super) care_of: Ipv6Addr,
    /// What the node takes for its address in an IPv4 network.
    pub(super) ipv4_care_of: Option<Ipv4Addr>,
    pub(super) networks: Vec<HomePrefix>,
    /// IPv4 home addresses, and whether a prefix is asked for.
    pub(super) ipv4: Vec<(Ipv4Home, bool)>,
    pub(super) replay: Option<u64>,
    /// The key between node and home agent that it names.
    pub(super) spi: Option<u32>,
    /// What a Binding Identifier option leads to (RFC 5648 4.5).
    pub(super) several: Option<Status>,
    /// It has a Nonce Indices option (RFC 6275 6.2.6): a correspondent's business.
    pub(super) nonces: bool,
}

impl Asked {
    pub(super) fn read(msg: &UpdateMsg) -> Self {
        let mut asked = Self {
            home: msg.home.unwrap_or(msg.src),
            care_of: msg.src,
            ipv4_care_of: None,
            networks: Vec::new(),
            ipv4: Vec::new(),
            replay: None,
            spi: None,
            several: None,
            nonces: false,
        };
        let dsmip = matches!(msg.transport, Transport::Dsmip { .. });
        for option in &msg.options {
            match option {
                MobilityOption::AlternateCoa(address) if !dsmip => asked.care_of = address,
                MobilityOption::Ipv4CareOf(address) => asked.ipv4_care_of = Some(address),
                MobilityOption::MobileNetworkPrefix(p) => asked.networks.push(p),
                MobilityOption::Ipv4HomeAddress(home, p) => asked.ipv4.push((home, p)),
                MobilityOption::ReplayProtection(time) => asked.replay = Some(time),
                MobilityOption::MessageAuth(AuthOption::MN_HA, spi, _) => asked.spi = Some(spi),
                MobilityOption::BindingIdentifier(_, _, care_of) => {
                    let formed = matches!(care_of.len(), 0 | 4 | 16);
                    let status =
                        if formed { Status::MCOA_PROHIBITED } else { Status::MCOA_MALFORMED };
                    if !formed || asked.several.is_none() {
                        asked.several = Some(status);
                    }
                }
                MobilityOption::Unknown(NONCE_INDICES, _) => asked.nonces = true,
                _ => {}
            }
        }
        asked
    }

    /// Whether the binding is to be deleted: by its lifetime, or as the care-of address is the home
    /// address, where the node is at home.
    pub(super) fn ends(&self, msg: &UpdateMsg) -> bool {
        msg.update.lifetime == Lifetime::ZERO || self.care_of == self.home
    }

    /// Whether a NAT changed the address on the way (RFC 5555 4.2). A node that does not say which
    /// address it has may be behind one.
    pub(super) fn is_translated(&self) -> bool {
        self.ipv4_care_of.map(|a| a.to_ipv6_mapped()) != Some(self.care_of)
    }

    /// The care-of address that authentication is about (RFC 4285 5.1): the one that the node
    /// knows.
    pub(super) fn signed_care_of(&self) -> Ipv6Addr {
        self.ipv4_care_of.map_or(self.care_of, |a| a.to_ipv6_mapped())
    }

    /// The status of what the flags ask for together (RFC 3963 6.2).
    pub(super) fn misses_home_flag(msg: &UpdateMsg) -> Option<Status> {
        let flags = msg.update.flags;
        let router = flags.contains(BuFlags::R) && !flags.contains(BuFlags::H);
        router.then_some(Status::MOBILE_ROUTER_OPERATION_NOT_PERMITTED)
    }
}

/// Option type of Nonce Indices.
const NONCE_INDICES: u8 = 4;

/// Whether an address names one node that packets reach from anywhere (RFC 6275 6.1.7).
pub(super) fn is_routable(address: Ipv6Addr) -> bool {
    if let Some(a) = address.to_ipv4_mapped() {
        let nobody = a.is_multicast() || a.is_broadcast() || a.is_unspecified() || a.is_loopback();
        return !nobody && !a.is_link_local();
    }
    let nobody = address.is_multicast() || address.is_unspecified() || address.is_loopback();
    !nobody && !address.is_unicast_link_local()
}
