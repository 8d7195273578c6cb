//! One home registration: the Binding Cache entry of RFC 6275 9.1 with its home registration flag.

use crate::addr::{CustomerId, CustomerPrefix, Encap, HomePrefix, MnId, Protection, TunnelPath};
use crate::mobility::action::BindingId;
use crate::mobility::ha::LinkId;
use crate::mobility::message::Transport;
use crate::time::{Instant, Lifetime, MobTimestamp};
use crate::wire::mh::{BuFlags, SeqNo};
use serde::{Deserialize, Serialize};
use std::net::Ipv6Addr;

/// Where a home registration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HomeState {
    /// The home link is being asked whether anybody has the home address; nothing is forwarded, and
    /// the node has no answer yet.
    Probing,
    /// Registered: packets go to the care-of address.
    Active,
    /// The node came home: the entry only remembers the sequence number (RFC 6275 10.3.2).
    Invalid,
    /// A gateway has taken the node over (combined interworking): the P flag of the entry is set.
    Proxied,
}

/// A home registration. Its serialised form is what is kept on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HomeBinding {
    /// Its name; kept across a restart.
    pub id: BindingId,
    /// Whose it is.
    pub mn_id: MnId,
    /// Whose address space its addresses are in.
    pub customer: CustomerId,
    /// The home address.
    pub home: Ipv6Addr,
    /// The home link, if it is at a port.
    pub link: Option<LinkId>,
    /// What of the allocation it holds: the home address, or the prefix that it lies in.
    pub held: HomePrefix,
    /// Its IPv4 home address or prefix, IPv4-mapped (RFC 5555).
    pub ipv4: Option<HomePrefix>,
    /// The prefixes that move with the node: its home network prefix if it registered all of it,
    /// its mobile networks (RFC 3963).
    pub networks: Box<[HomePrefix]>,
    /// Where the node is; IPv4-mapped in an IPv4 network.
    pub care_of: Ipv6Addr,
    /// From where its last message came, and where the answer went.
    pub peer: Ipv6Addr,
    /// Our end of the tunnel.
    pub local: Ipv6Addr,
    /// What carried the last message.
    pub transport: Transport,
    /// In what its packets travel.
    pub encap: Encap,
    /// The flags of the update that was accepted last.
    pub flags: BuFlags,
    /// Its sequence number.
    pub seq: SeqNo,
    /// The last Replay Protection option, if there was one (RFC 4285 6).
    pub(crate) replay: Option<u64>,
    /// What was granted; zero for an invalid entry.
    pub lifetime: Lifetime,
    /// See [`HomeState`].
    pub state: HomeState,
    /// How often it moved.
    pub moves: u32,
    /// When it began.
    pub created: MobTimestamp,
    /// When it ends, by the wall clock: what a restart goes by.
    pub ends: MobTimestamp,
    /// The same by the monotonic clock of this run.
    #[serde(skip)]
    pub(crate) deadline: Instant,
    /// What of its tunnel is in ESP: by configuration, as of the last registration or restart.
    #[serde(skip)]
    pub(crate) protection: Option<Protection>,
}

impl HomeBinding {
    /// What is forwarded for it, and for nobody else while it is active.
    pub fn keys(&self) -> impl Iterator<Item = CustomerPrefix> + '_ {
        let home = HomePrefix::new(self.home, 128).ok();
        let all = home.into_iter().chain(self.networks.iter().copied()).chain(self.ipv4);
        all.map(|p| p.of(self.customer))
    }

    /// The way to the node.
    #[must_use]
    pub const fn path(&self) -> TunnelPath {
        TunnelPath { local: self.local, remote: self.care_of, encap: self.encap }
    }

    /// What of the packets of one of its keys is in ESP. Return routability is the home address's
    /// own: whoever moves inside of a mobile network has a home agent elsewhere.
    pub(crate) fn protection_of(&self, key: CustomerPrefix) -> Option<Protection> {
        let is_home = key.prefix.len() == 128 && key.prefix.contains(self.home);
        self.protection.filter(|p| is_home || *p == Protection::All)
    }

    /// Whether it is a mobile router's (RFC 3963).
    #[must_use]
    pub const fn is_router(&self) -> bool {
        self.flags.contains(BuFlags::R)
    }

    /// The addresses that are probed and defended for it (RFC 6275 10.3.1): the home address, and
    /// with the L flag the link-local address of the same identifier.
    pub(crate) fn defended(&self) -> impl Iterator<Item = Ipv6Addr> + use<> {
        let identifier = self.home.to_bits() & u128::from(u64::MAX);
        let link_local = Ipv6Addr::from_bits(0xfe80_u128 << 112 | identifier);
        let link_local = self.flags.contains(BuFlags::L).then_some(link_local);
        [Some(self.home), link_local].into_iter().flatten()
    }
}
