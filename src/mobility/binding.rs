//! One mobility session: the Binding Cache entry of RFC 5213 section 5.1.

use crate::addr::{HomePrefix, MnId, ProxyCoa};
use crate::mobility::action::BindingId;
use crate::mobility::request::Request;
use crate::time::{Duration, Instant, Lifetime, MobTimestamp, Now};
use crate::wire::mh::{AccessTech, HandoffIndicator, SeqNo};
use serde::{Deserialize, Serialize};
use std::net::Ipv6Addr;

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
    /// The prefixes of this session and of no other (5.2); never empty.
    pub hnp: Box<[HomePrefix]>,
    /// The gateway that serves the node; with the anchor's address it names the tunnel.
    pub proxy_coa: ProxyCoa,
    /// By which technology the node is attached.
    pub att: AccessTech,
    /// The hint of the update that was accepted last.
    pub handoff: HandoffIndicator,
    /// The interface of the node; `ALL_ZERO` if the gateway did not tell.
    pub mn_ll_id: LinkLayerId,
    /// The gateway's link-local address on the link to the node.
    pub link_local: Ipv6Addr,
    /// Sequence number of the update that was accepted last.
    pub seq: SeqNo,
    /// Its timestamp; zero if it had none (5.1).
    pub timestamp: MobTimestamp,
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
    /// The same by the monotonic clock of this run: what the timer goes by.
    #[serde(skip)]
    pub(crate) deadline: Instant,
    /// Digest of the update that was accepted last.
    pub(crate) last_update: u64,
}

impl Bce {
    /// Takes over what an accepted update says (5.3.3 (1), 5.3.4 (1), 5.3.5 (2)), but for lifetime
    /// and state.
    pub(crate) fn take_over(&mut self, req: &Request) {
        self.proxy_coa = req.proxy_coa;
        self.att = req.att;
        self.handoff = req.handoff;
        self.mn_ll_id = req.mn_ll_id.clone();
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

    /// How long the lifetime or the delete delay still runs.
    #[must_use]
    pub fn remaining(&self, now: Instant) -> Duration {
        self.deadline.since(now)
    }
}

/// The link-layer identifier of a node's interface, as it stands on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkLayerId(Box<[u8]>);

impl LinkLayerId {
    /// From an option's value.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// As it stands on the wire.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it says nothing: no option, or one with the value `ALL_ZERO` (RFC 5213 2.2).
    #[must_use]
    pub fn is_all_zero(&self) -> bool {
        self.0.iter().all(|b| *b == 0)
    }
}

impl Default for LinkLayerId {
    /// What stands for an option that was not there: two octets, `ALL_ZERO` (RFC 5213 5.1).
    fn default() -> Self {
        Self([0, 0].into())
    }
}
