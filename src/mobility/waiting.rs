//! Updates that wait for `MaxDelayBeforeNewBCEAssign` (RFC 5213 5.4.1.2 (4), 5.4.1.3 (3)).
//!
//! Bounded in all and per node; when there is no room, a new session is created at once, which the
//! RFC allows.

use crate::addr::{MnId, ProxyCoa};
use crate::mobility::action::BindingId;
use crate::mobility::freshness::Sent;
use crate::mobility::message::UpdateMsg;
use crate::mobility::question::Grant;
use crate::time::{Instant, MobTimestamp};
use crate::wire::mh::SeqNo;
use hashbrown::HashMap;
use std::collections::BTreeMap;

/// The most updates that wait, over all nodes.
const WAITING_MAX: usize = 65_536;

/// The most gateways that wait for one node.
const WAITING_PER_NODE_MAX: usize = 4;

/// Names an update that waits; rises with arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct WaitId(u64);

/// An update that waits for the de-registration of a session.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) msg: UpdateMsg,
    pub(crate) mn_id: MnId,
    pub(crate) proxy_coa: ProxyCoa,
    pub(crate) timestamp: Option<MobTimestamp>,
    /// What the policy store said of the node, under the description of that number: another one
    /// may have other pools at its places.
    pub(crate) grant: Option<Box<Grant>>,
    pub(crate) description: u64,
    /// The session for whose de-registration it waits.
    pub(crate) binding: BindingId,
    /// Whether its sequence number was greater than the session's when it came.
    pub(crate) in_order: bool,
    pub(crate) deadline: Instant,
}

impl Waiting {
    /// Whether an update with this timestamp and sequence number was sent after this one.
    pub(crate) fn is_before(&self, timestamp: Option<MobTimestamp>, seq: SeqNo) -> bool {
        let ours = Sent { timestamp: self.timestamp, seq: self.msg.update.seq };
        ours.is_before(Sent { timestamp, seq })
    }
}

/// All updates that wait.
#[derive(Debug, Default)]
pub(crate) struct WaitingRoom {
    entries: BTreeMap<WaitId, Waiting>,
    by_node: HashMap<MnId, Vec<WaitId>>,
    last: u64,
}

impl WaitingRoom {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes an update in; `None` if there is no room.
    pub(crate) fn park(&mut self, waiting: Waiting) -> Option<WaitId> {
        let of_node = self.by_node.get(&waiting.mn_id).map_or(0, Vec::len);
        if self.entries.len() >= WAITING_MAX || of_node >= WAITING_PER_NODE_MAX {
            return None;
        }
        self.last += 1;
        let id = WaitId(self.last);
        self.by_node.entry(waiting.mn_id.clone()).or_default().push(id);
        self.entries.insert(id, waiting);
        Some(id)
    }

    /// The update of this gateway that waits for this node.
    pub(crate) fn find(&mut self, mn_id: &MnId, coa: ProxyCoa) -> Option<(WaitId, &mut Waiting)> {
        let ids = self.by_node.get(mn_id)?;
        let id = *ids.iter().find(|i| self.entries.get(i).is_some_and(|w| w.proxy_coa == coa))?;
        self.entries.get_mut(&id).map(|w| (id, w))
    }

    /// The last update that waits for this session.
    pub(crate) fn last_for(&self, mn_id: &MnId, binding: BindingId) -> Option<WaitId> {
        let ids = self.by_node.get(mn_id)?;
        let waits = |i: &&WaitId| self.entries.get(i).is_some_and(|w| w.binding == binding);
        ids.iter().rev().find(waits).copied()
    }

    /// Takes an update out.
    pub(crate) fn take(&mut self, id: WaitId) -> Option<Waiting> {
        let waiting = self.entries.remove(&id)?;
        if let Some(ids) = self.by_node.get_mut(&waiting.mn_id) {
            ids.retain(|i| *i != id);
            if ids.is_empty() {
                self.by_node.remove(&waiting.mn_id);
            }
        }
        Some(waiting)
    }
}
