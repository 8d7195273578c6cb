//! A node's registration and its bindings: the mobility binding list of RFC 5944 3.8.1.

use crate::addr::{
    CustomerId, CustomerPrefix, Encap, GreKeys, HomePrefix, MnId, TunnelPath, TunnelPaths,
};
use crate::mobility::action::{BindingId, Publication};
use crate::mobility::mip4::NodeRef;
use crate::time::{Instant, MobTimestamp, Now};
use crate::wire::mip4::{Identification, RegistrationLifetime, RequestFlags};
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, Ipv6Addr};

/// All that a node has registered. Its serialised form is what is kept on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Its name; kept across a restart.
    pub id: BindingId,
    /// Whose it is.
    pub mn_id: MnId,
    /// In whose address space.
    pub customer: CustomerId,
    /// The node's home address.
    pub home_address: Ipv4Addr,
    /// One for each care-of address, in the order in which these came; there is one at least.
    pub bindings: Vec<CareOfBinding>,
    /// IPv6 prefixes (RFC 5454 3.3.2).
    pub prefixes: Vec<RegisteredPrefix>,
    /// Of the request that was accepted last.
    pub identification: Identification,
    /// When it began.
    pub created: MobTimestamp,
    /// What the workers forward.
    #[serde(skip)]
    pub(super) published: Vec<(CustomerPrefix, TunnelPaths)>,
}

/// An IPv6 prefix of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredPrefix {
    /// The prefix.
    pub prefix: HomePrefix,
    /// Whether its packets go to the care-of address; else to the home address, inside of what
    /// goes to the care-of address.
    pub to_care_of: bool,
}

/// A binding of a home address with one care-of address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CareOfBinding {
    /// As the node named it.
    pub care_of: Ipv4Addr,
    /// Where packets go: the care-of address, or that of the NAT before it (RFC 3519 4.6).
    pub remote: Ipv4Addr,
    /// In what: IP, GRE or UDP.
    pub encap: Encap,
    /// What the request asked for.
    pub flags: RequestFlags,
    /// Its source: the node, a foreign agent, or a NAT.
    pub src: Ipv4Addr,
    /// Its source port.
    pub port: u16,
    /// What was granted.
    pub lifetime: RegistrationLifetime,
    /// When it ends, by the wall clock: what a restart goes by; never if `None`.
    pub ends: Option<MobTimestamp>,
    /// The same by the monotonic clock of this run.
    #[serde(skip)]
    pub(super) deadline: Option<Instant>,
    /// When the last message about it was sent.
    #[serde(skip)]
    pub(super) sent: Instant,
    /// How it is revoked, if that was agreed (RFC 3543 4.2.1).
    pub revocation: Option<RevocationTerms>,
}

/// What was agreed about revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationTerms {
    /// With the foreign agent at the source of the request; else with the node itself.
    pub with_agent: bool,
    /// The SPI by which messages are authenticated.
    pub spi: u32,
    /// Whether the I bit has a meaning.
    pub inform: bool,
    /// The other end's time when it registered.
    pub peer_time: u32,
}

impl Registration {
    pub(super) const fn node(&self) -> NodeRef<'_> {
        NodeRef { customer: self.customer, mn_id: &self.mn_id }
    }

    /// The home address as a key.
    pub(super) fn home(&self) -> HomePrefix {
        HomePrefix::from_ipv4(self.home_address, 32).unwrap_or(HomePrefix::ALL_ZERO)
    }

    /// Everything that it takes of the allocation: its home address (IPv4-mapped), its prefixes.
    pub fn held(&self) -> impl Iterator<Item = HomePrefix> + '_ {
        core::iter::once(self.home()).chain(self.prefixes.iter().map(|p| p.prefix))
    }

    /// Where the tunnels end that it is forwarded through, IPv4-mapped: a care-of address or the
    /// NAT before it, and perhaps its home address.
    pub fn tunnel_ends(&self) -> impl Iterator<Item = Ipv6Addr> + '_ {
        self.published.iter().flat_map(|(_, paths)| paths.all()).map(|path| path.remote)
    }

    /// Whether this address (IPv4-mapped) or prefix is the node's by it.
    #[must_use]
    pub fn holds(&self, prefix: HomePrefix) -> bool {
        self.held().any(|held| held == prefix)
    }

    pub(super) fn binding(&self, care_of: Ipv4Addr) -> Option<&CareOfBinding> {
        self.bindings.iter().find(|b| b.care_of == care_of)
    }

    /// What is to be forwarded and how: a copy to each care-of address (RFC 5944 1.7). `local` is
    /// our end of the tunnels.
    pub(super) fn forwarding(&self, local: Ipv4Addr) -> Vec<(CustomerPrefix, TunnelPaths)> {
        let path = |remote: Ipv4Addr, encap| TunnelPath {
            local: local.to_ipv6_mapped(),
            remote: remote.to_ipv6_mapped(),
            encap,
        };
        let newest_first = self.bindings.iter().rev();
        let ways = newest_first.clone().map(|b| path(b.remote, b.encap));
        let Some(to_care_of) = TunnelPaths::new(ways) else { return Vec::new() };
        // A foreign agent would not know what to do with IPv6 (RFC 5454 3.3.2).
        let co_located = newest_first.filter(|b| b.flags.contains(RequestFlags::D));
        let of_ipv6 = TunnelPaths::new(co_located.map(|b| path(b.remote, b.encap)));
        let home = (self.home().of(self.customer), to_care_of);
        let prefixes = self.prefixes.iter().map(|p| {
            // RFC 5454 3.3.2 (1): what is sent to the home address takes the home address's tunnel.
            let to_home = path(self.home_address, Encap::Ip).into();
            let paths = of_ipv6.filter(|_| p.to_care_of).unwrap_or(to_home);
            (p.prefix.of(self.customer), paths)
        });
        core::iter::once(home).chain(prefixes).collect()
    }
}

/// The publication of what [`Registration::forwarding`] says.
pub(super) fn publication(key: CustomerPrefix, paths: TunnelPaths) -> Publication {
    if paths.is_one() {
        Publication::Forward(key, paths.newest, GreKeys::default())
    } else {
        Publication::Copy(key, paths)
    }
}

impl CareOfBinding {
    /// What is left of its lifetime, never rounded up.
    #[must_use]
    pub fn remaining(&self, now: Now) -> RegistrationLifetime {
        match self.deadline {
            None => RegistrationLifetime::INFINITE,
            Some(deadline) => {
                let left = deadline.since(now.mono).as_secs();
                RegistrationLifetime(u16::try_from(left).unwrap_or(u16::MAX - 1))
            }
        }
    }
}
