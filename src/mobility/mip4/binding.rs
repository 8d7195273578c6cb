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
    pub(super) published: Vec<Forwarding>,
}

/// A prefix, and the ways of its packets: `None` if these are dropped, as it is not known yet where
/// to.
pub(super) type Forwarding = (CustomerPrefix, Option<TunnelPaths>);

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
    /// How that is known.
    pub known_by: KnownBy,
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

/// How it is known where a tunnel ends (RFC 3519 4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KnownBy {
    /// By the request.
    Request,
    /// A keepalive will tell the port.
    Awaited,
    /// A keepalive has told it.
    Keepalive,
}

/// Of a tunnel in UDP whose port is not known: packets have none.
pub(super) const PORT_UNKNOWN: Encap = Encap::Mip4Udp(0);

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
    /// NAT before it, and perhaps its home address. With those from which a keepalive is to come.
    pub fn tunnel_ends(&self) -> impl Iterator<Item = Ipv6Addr> + '_ {
        let paths = self.published.iter().filter_map(|(_, paths)| *paths);
        let awaited = self.bindings.iter().filter(|b| b.known_by == KnownBy::Awaited);
        let awaited = awaited.map(|b| b.remote.to_ipv6_mapped());
        paths.flat_map(|paths| paths.all()).map(|path| path.remote).chain(awaited)
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
    pub(super) fn forwarding(&self, local: Ipv4Addr) -> Vec<Forwarding> {
        let path = |remote: Ipv4Addr, encap| TunnelPath {
            local: local.to_ipv6_mapped(),
            remote: remote.to_ipv6_mapped(),
            encap,
        };
        let newest_first = self.bindings.iter().rev();
        // RFC 3519 4.6: nothing is sent before it is known where to.
        let way = |b: &CareOfBinding| (!b.is_half_bound()).then(|| path(b.remote, b.encap));
        let home =
            (self.home().of(self.customer), TunnelPaths::new(newest_first.clone().filter_map(way)));
        // A foreign agent would not know what to do with IPv6 (RFC 5454 3.3.2).
        let mut co_located = newest_first.filter(|b| b.flags.contains(RequestFlags::D)).peekable();
        let is_co_located = co_located.peek().is_some();
        let of_ipv6 = TunnelPaths::new(co_located.filter_map(way));
        let prefixes = self.prefixes.iter().map(|p| {
            // RFC 5454 3.3.2 (1): what is sent to the home address takes the home address's tunnel.
            let to_home = Some(path(self.home_address, Encap::Ip).into());
            let paths = if p.to_care_of && is_co_located { of_ipv6 } else { to_home };
            (p.prefix.of(self.customer), paths)
        });
        core::iter::once(home).chain(prefixes).collect()
    }
}

/// The publication of what [`Registration::forwarding`] says.
pub(super) fn publication((key, paths): Forwarding) -> Publication {
    match paths {
        None => Publication::Hold(key),
        Some(paths) if paths.is_one() => {
            Publication::Forward(key, paths.newest, GreKeys::default())
        }
        Some(paths) => Publication::Copy(key, paths),
    }
}

impl CareOfBinding {
    /// Whether it is not known yet where its tunnel ends.
    #[must_use]
    pub fn is_half_bound(&self) -> bool {
        self.encap == PORT_UNKNOWN
    }

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
