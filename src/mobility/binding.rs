//! One mobility session: the Binding Cache entry of RFC 5213 section 5.1.

use crate::addr::{CustomerId, CustomerPrefix, Encap, GreKeys, HomePrefix, MnId, ProxyCoa};
use crate::mobility::action::BindingId;
use crate::mobility::assign::Addresses;
use crate::mobility::message::Transport;
use crate::mobility::request::Request;
use crate::mobility::tunnel::GreKeyAllocator;
use crate::time::{Duration, Instant, Lifetime, MobTimestamp, Now};
use crate::wire::mh::{AccessTech, HandoffIndicator, Ipv4Home, SeqNo, Status};
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BceState {
    /// Registered: traffic is forwarded.
    Active,
    /// De-registered: traffic is dropped until `MinDelayBeforeBCEDelete` has passed (5.3.5 (2)).
    Deleting,
}

/// A Binding Cache entry. Its serialised form is what is kept on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bce {
    /// Its name; kept across a restart.
    pub id: BindingId,
    /// Whose it is.
    pub mn_id: MnId,
    /// Which customer's node that is.
    pub home: CustomerId,
    /// Whose address space its addresses are in: another's than `home` where a service says so.
    pub customer: CustomerId,
    /// The service that was selected (RFC 5149).
    pub service: Option<Box<str>>,
    /// The prefixes of this session and of no other (5.2); empty for one of IPv4 only.
    pub hnp: Box<[HomePrefix]>,
    /// Its IPv4 home address (RFC 5844 3.1.1); there is one if `hnp` is empty.
    pub ipv4: Option<Ipv4HomeAddress>,
    /// The gateway that serves the node, as the far end of its tunnel; IPv4-mapped if that is over
    /// IPv4 (RFC 5844 4.1.1).
    pub proxy_coa: ProxyCoa,
    /// The gateway's address for messages: the source of the update that was accepted last.
    pub mag: Ipv6Addr,
    /// What carried that update.
    pub transport: Transport,
    /// In what its packets travel.
    pub encap: Encap,
    /// The gateway's GRE key, as long as keys are in use, and ours, which stays for the session's
    /// life once it was needed (RFC 5845 5.1).
    pub gre_keys: GreKeys,
    /// By which technology the node is attached.
    pub att: AccessTech,
    /// The hint of the update that was accepted last.
    pub handoff: HandoffIndicator,
    /// The interface of the node; `ALL_ZERO` if the gateway did not tell.
    pub mn_ll_id: LinkLayerId,
    /// The gateway's link-local address on the link to the node.
    pub link_local: Ipv6Addr,
    /// Where the node is attached, as its gateway told: the Access Network Identifier option's
    /// sub-options (RFC 6757).
    pub access_network: Option<Box<[u8]>>,
    /// Sequence number of the update that was accepted last.
    pub seq: SeqNo,
    /// Its timestamp; zero if it had none (5.1).
    pub timestamp: MobTimestamp,
    /// Its Replay Protection option, if it had one (RFC 4285 6).
    pub(crate) replay: Option<u64>,
    /// With what it was accepted: below 128.
    pub(crate) answer: Status,
    /// What was granted; zero while the delete delay runs.
    pub lifetime: Lifetime,
    /// See [`BceState`].
    pub state: BceState,
    /// How often it moved to another gateway.
    pub handoffs: u32,
    /// When it began.
    pub created: MobTimestamp,
    /// When the lifetime or the delete delay ends, by the wall clock: what a restart goes by.
    pub ends: MobTimestamp,
    /// The same by the monotonic clock of this run.
    #[serde(skip)]
    pub(crate) deadline: Instant,
    /// When the timer comes: at the deadline, or before.
    #[serde(skip)]
    pub(crate) timer: Option<Instant>,
    /// Digest of the update that was accepted last.
    pub(crate) last_update: u64,
    /// What the policy store granted it; `None` if the configuration knows its node. It stands last
    /// so that records of before can be read.
    #[serde(default)]
    pub(crate) granted: Option<Granted>,
}

/// What of a node's policy its session keeps: enough to extend it, to move it and to end it without
/// asking again, whatever has become of the pools' places meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Granted {
    /// The longest lifetime.
    pub(crate) max_lifetime: Lifetime,
    /// As in [`crate::mobility::config::Profile`].
    pub(crate) refresh_percent: u8,
}

/// An IPv4 home address and what a gateway is told with it (RFC 5844 3.1.2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ipv4HomeAddress {
    /// The address, with the length of its home network's prefix.
    pub home: Ipv4Home,
    /// The node's default router.
    pub default_router: Ipv4Addr,
}

impl Ipv4HomeAddress {
    /// As the key of a table: IPv4-mapped, the whole address.
    #[must_use]
    pub fn prefix(self) -> HomePrefix {
        HomePrefix::from_ipv4(self.home.addr(), 32).unwrap_or(HomePrefix::ALL_ZERO)
    }
}

impl Bce {
    /// Everything that is forwarded for it: its prefixes, then its IPv4 home address.
    pub fn prefixes(&self) -> impl Iterator<Item = CustomerPrefix> + '_ {
        let ipv4 = self.ipv4.map(Ipv4HomeAddress::prefix);
        self.hnp.iter().copied().chain(ipv4).map(|p| p.of(self.customer))
    }

    /// The keys in its packets: none unless both ends have one.
    #[must_use]
    pub fn keys_in_use(&self) -> GreKeys {
        if self.gre_keys.downlink.is_some() { self.gre_keys } else { GreKeys::default() }
    }

    /// The session gets addresses of families that it had none of.
    pub(crate) fn gain(&mut self, gained: Addresses) {
        if self.hnp.is_empty() {
            self.hnp = gained.hnp;
        }
        self.ipv4 = self.ipv4.or(gained.ipv4);
    }

    /// The gateway told its GRE key, or that keys are not in use. Ours is assigned when it is first
    /// needed and stays for the session's life (RFC 5845 3.3.2).
    pub(crate) fn set_keys(&mut self, downlink: Option<u32>, keys: &mut GreKeyAllocator) {
        self.gre_keys.downlink = downlink;
        if downlink.is_some() && self.gre_keys.uplink.is_none() {
            self.gre_keys.uplink = Some(keys.allocate());
        }
    }

    /// Takes over what an accepted update says (5.3.3 (1), 5.3.4 (1), 5.3.5 (2)), but for lifetime
    /// and state.
    pub(crate) fn take_over(&mut self, req: &Request) {
        self.proxy_coa = req.proxy_coa;
        self.att = req.att;
        self.handoff = req.handoff;
        self.mn_ll_id = req.mn_ll_id.clone();
        self.mag = req.mag;
        self.transport = req.transport;
        self.access_network.clone_from(&req.access_network);
        self.replay = req.replay.or(self.replay);
        // 5.3.6: an ALL_ZERO address in the request asks for the one that is there.
        if let Some(address) = req.link_local.filter(|a| !a.is_unspecified()) {
            self.link_local = address;
        }
        self.seq = req.seq;
        // 5.1: zero without the option. An update that waited may be older than the
        // de-registration for which it waited: "all previously accepted" counts (5.5 (6)).
        self.timestamp = req.timestamp.map_or(MobTimestamp(0), |t| t.max(self.timestamp));
        self.last_update = req.digest;
    }

    /// Sets both deadlines to `after` from now.
    pub(crate) fn end_after(&mut self, after: Duration, now: Now) {
        self.deadline = now.mono + after;
        self.ends = MobTimestamp::from_unix(now.wall.to_unix().saturating_add(after));
    }

    /// When it was registered last, by the clock of this run; for one that was restored, the start
    /// of the run at the latest. Of an active session only.
    pub(crate) fn registered(&self) -> Instant {
        self.deadline - self.lifetime.duration()
    }

    /// How long the lifetime or the delete delay still runs.
    #[must_use]
    pub fn remaining(&self, now: Instant) -> Duration {
        self.deadline.since(now)
    }
}

/// The link-layer identifier of a node's interface, as it stands on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Box<[u8]>", into = "Box<[u8]>")]
pub struct LinkLayerId {
    /// Empty: [`Self::ABSENT`], which most have, so that it costs no memory.
    bytes: Box<[u8]>,
}

impl LinkLayerId {
    /// What stands for an option that was not there: two octets, `ALL_ZERO` (RFC 5213 5.1).
    const ABSENT: [u8; 2] = [0, 0];

    /// From an option's value.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self { bytes: if bytes == Self::ABSENT { Box::default() } else { bytes.into() } }
    }

    /// As it stands on the wire.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        if self.bytes.is_empty() { &Self::ABSENT } else { &self.bytes }
    }

    /// Whether it says nothing: no option, or one with the value `ALL_ZERO` (RFC 5213 2.2).
    #[must_use]
    pub fn is_all_zero(&self) -> bool {
        self.bytes.iter().all(|b| *b == 0)
    }
}

impl Default for LinkLayerId {
    /// What stands for an option that was not there.
    fn default() -> Self {
        Self { bytes: Box::default() }
    }
}

impl From<Box<[u8]>> for LinkLayerId {
    fn from(bytes: Box<[u8]>) -> Self {
        Self::new(&bytes)
    }
}

impl From<LinkLayerId> for Box<[u8]> {
    fn from(id: LinkLayerId) -> Self {
        id.bytes().into()
    }
}
