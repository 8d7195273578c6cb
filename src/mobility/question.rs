//! Updates that wait until the policy store has said what their nodes may do.
//!
//! ```text
//!   update of a node that is not known --> question --> Action::AskPolicy
//!   another of the same node           --> behind it, in the order of arrival
//!   the same one, sent again           --> in its place, if it was sent later
//!   Event::Policy, or the deadline     --> all of them, in that order
//! ```
//! One question a node. Bounded in all, for each gateway and for each node, so that a store which
//! does not answer costs neither memory nor, by one gateway's doing, the room of the others.

use crate::addr::{CustomerId, HomePrefix, MnId};
use crate::mobility::ack::Refusal;
use crate::mobility::config::Profile;
use crate::mobility::freshness::Sent;
use crate::mobility::message::UpdateMsg;
use crate::mobility::request;
use crate::time::{Instant, MobTimestamp};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv6Addr;

/// The most updates that wait, over all nodes.
const UPDATES_MAX: usize = 65_536;
/// The most of them that came from one gateway.
const PER_GATEWAY_MAX: usize = UPDATES_MAX / 4;
/// The most of them that are about one node.
const PER_NODE_MAX: usize = 8;

/// Names a question; rises, and is never used again.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct QuestionId(pub u64);

/// What the policy store is asked: what may this node do?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyQuestion {
    /// Its name.
    pub id: QuestionId,
    /// The node.
    pub mn_id: MnId,
    /// Whose it is.
    pub home: CustomerId,
    /// The gateway that registers it, the first if there are several.
    pub mag: Ipv6Addr,
    /// The service that this gateway selects (RFC 5149).
    pub service: Option<Box<[u8]>>,
}

/// What the policy store answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolicyAnswer {
    /// The node may do this.
    Granted(Box<Grant>),
    /// We do not serve it (status 153).
    NotServed,
    /// Nothing; nor is anything to be expected (status 130).
    Unavailable,
}

/// What a node may do that the policy store knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// As for a node of the configuration.
    pub profile: Profile,
    /// Home network prefixes and an IPv4 home address (IPv4-mapped, of length 128) that are its own
    /// as long as no other session holds what overlaps them.
    pub own: Box<[HomePrefix]>,
}

/// An update that waits.
#[derive(Debug, Clone)]
pub(crate) struct Parked {
    pub(crate) msg: UpdateMsg,
    timestamp: Option<MobTimestamp>,
    /// Equal for the same update sent again.
    gist: u64,
    /// What RFC 5213 5.3.1 (9) says of it, which counts from when it came.
    pub(crate) order: Result<bool, Refusal>,
}

impl Parked {
    pub(crate) fn new(
        msg: &UpdateMsg,
        timestamp: Option<MobTimestamp>,
        order: Result<bool, Refusal>,
    ) -> Self {
        Self { msg: msg.clone(), timestamp, gist: request::gist(msg), order }
    }

    fn sent(&self) -> Sent {
        Sent { timestamp: self.timestamp, seq: self.msg.update.seq }
    }
}

/// A question without an answer.
#[derive(Debug)]
pub(crate) struct Open {
    node: (CustomerId, MnId),
    pub(crate) deadline: Instant,
    /// In the order in which they came.
    pub(crate) parked: Vec<Parked>,
}

impl Open {
    pub(crate) fn mn_id(&self) -> &MnId {
        &self.node.1
    }
}

/// What became of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parking {
    /// It waits; the store is to be asked.
    Ask(QuestionId),
    /// It waits for the answer to a question that was put before.
    Joined,
    /// There is no room.
    Full,
}

/// All updates that wait.
#[derive(Debug, Default)]
pub(crate) struct PolicyRoom {
    open: BTreeMap<QuestionId, Open>,
    by_node: HashMap<(CustomerId, MnId), QuestionId>,
    by_gateway: HashMap<Ipv6Addr, usize>,
    updates: usize,
    last: u64,
}

impl PolicyRoom {
    /// Updates that wait.
    pub(crate) fn len(&self) -> usize {
        self.updates
    }

    /// The oldest question without an answer.
    pub(crate) fn oldest(&self) -> Option<QuestionId> {
        self.open.first_key_value().map(|(id, _)| *id)
    }

    /// About whom a question is.
    pub(crate) fn node(&self, id: QuestionId) -> Option<&(CustomerId, MnId)> {
        self.open.get(&id).map(|open| &open.node)
    }

    /// Whether an update of this node waits.
    pub(crate) fn holds(&self, home: CustomerId, mn_id: &MnId) -> bool {
        // Free of charge where nothing ever waits.
        self.updates > 0 && self.by_node.contains_key(&(home, mn_id.clone()))
    }

    /// Lets an update wait: until `deadline` if it is the first of its node.
    pub(crate) fn park(
        &mut self,
        home: CustomerId,
        mn_id: &MnId,
        update: Parked,
        deadline: Instant,
    ) -> Parking {
        let node = (home, mn_id.clone());
        let known = self.by_node.get(&node).copied();
        let src = update.msg.src;
        let full = self.updates >= UPDATES_MAX
            || self.by_gateway.get(&src).is_some_and(|n| *n >= PER_GATEWAY_MAX);
        if let Some(open) = known.and_then(|id| self.open.get_mut(&id)) {
            if let Some(same) = open.parked.iter_mut().find(|p| p.gist == update.gist) {
                // A retransmission: the last one sent is answered (RFC 5213 6.9.4).
                if same.sent().is_before(update.sent()) {
                    *same = update;
                }
                return Parking::Joined;
            }
            if full || open.parked.len() >= PER_NODE_MAX {
                return Parking::Full;
            }
            open.parked.push(update);
            self.enter(src);
            return Parking::Joined;
        }
        if full {
            return Parking::Full;
        }
        self.last += 1;
        let id = QuestionId(self.last);
        self.by_node.insert(node.clone(), id);
        self.open.insert(id, Open { node, deadline, parked: vec![update] });
        self.enter(src);
        Parking::Ask(id)
    }

    /// Takes out all that wait for the answer to a question.
    pub(crate) fn take(&mut self, id: QuestionId) -> Option<Open> {
        let open = self.open.remove(&id)?;
        self.by_node.remove(&open.node);
        for parked in &open.parked {
            self.leave(parked.msg.src);
        }
        Some(open)
    }

    fn enter(&mut self, src: Ipv6Addr) {
        self.updates += 1;
        *self.by_gateway.entry(src).or_default() += 1;
    }

    fn leave(&mut self, src: Ipv6Addr) {
        self.updates -= 1;
        if let Some(n) = self.by_gateway.get_mut(&src) {
            *n -= 1;
            if *n == 0 {
                self.by_gateway.remove(&src);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mobility::message::{OwnedOptions, Transport};
    use crate::time::Lifetime;
    use crate::wire::mh::{BindingUpdate, BuFlags, HandoffIndicator, MobilityOption, SeqNo};

    const HOME: CustomerId = CustomerId(0);

    fn node(n: usize) -> MnId {
        MnId::nai(&format!("mn{n}")).expect("short")
    }

    fn update(mag: u16, seq: u16, hint: u8) -> Parked {
        let options = [MobilityOption::HandoffIndicator(HandoffIndicator(hint))];
        let msg = UpdateMsg {
            home: None,
            src: Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, mag),
            dst: Ipv6Addr::LOCALHOST,
            transport: Transport::Ipv6,
            update: BindingUpdate { seq: SeqNo(seq), flags: BuFlags::P, lifetime: Lifetime(9) },
            options: OwnedOptions::from_options(&options).expect("fits"),
            header: Box::default(),
        };
        Parked::new(&msg, None, Ok(true))
    }

    fn park(room: &mut PolicyRoom, n: usize, update: Parked) -> Parking {
        room.park(HOME, &node(n), update, Instant(7))
    }

    #[test]
    fn updates_of_a_node_wait_for_one_answer_in_the_order_in_which_they_came() {
        let mut room = PolicyRoom::default();
        assert_eq!(park(&mut room, 1, update(1, 5, 1)), Parking::Ask(QuestionId(1)));
        assert_eq!(park(&mut room, 1, update(2, 1, 3)), Parking::Joined);
        assert_eq!(park(&mut room, 2, update(1, 5, 1)), Parking::Ask(QuestionId(2)));
        // Sent again, and then one that was sent before comes late.
        assert_eq!(park(&mut room, 1, update(1, 6, 1)), Parking::Joined);
        assert_eq!(park(&mut room, 1, update(1, 4, 1)), Parking::Joined);
        assert!(room.holds(HOME, &node(1)) && !room.holds(CustomerId(1), &node(1)));
        assert_eq!((room.len(), room.oldest()), (3, Some(QuestionId(1))));
        let open = room.take(QuestionId(1)).expect("two wait");
        let waited: Vec<u16> = open.parked.iter().map(|p| p.msg.update.seq.0).collect();
        assert_eq!((open.mn_id(), waited), (&node(1), vec![6, 1]));
        assert!(room.take(QuestionId(1)).is_none() && !room.holds(HOME, &node(1)));
        assert_eq!((room.len(), room.oldest()), (1, Some(QuestionId(2))));
        assert_eq!(park(&mut room, 1, update(1, 7, 1)), Parking::Ask(QuestionId(3)));
    }

    #[test]
    fn room_is_bounded_for_a_node_for_a_gateway_and_in_all() {
        let mut room = PolicyRoom::default();
        for hint in 0..8 {
            assert_ne!(park(&mut room, 1, update(1, 1, hint)), Parking::Full);
        }
        assert_eq!(park(&mut room, 1, update(1, 1, 8)), Parking::Full);
        assert_eq!(park(&mut room, 1, update(1, 2, 7)), Parking::Joined, "sent again");
        let mut n = 2;
        for mag in 1..=4 {
            while park(&mut room, n, update(mag, 1, 1)) != Parking::Full {
                n += 1;
            }
            assert_eq!(room.len(), usize::from(mag) * PER_GATEWAY_MAX);
        }
        assert_eq!(park(&mut room, n, update(5, 1, 1)), Parking::Full, "no room for anybody");
        room.take(QuestionId(1)).expect("eight wait");
        assert_eq!(room.len(), UPDATES_MAX - 8);
        assert_ne!(park(&mut room, n, update(5, 1, 1)), Parking::Full);
        while let Some(id) = room.oldest() {
            room.take(id);
        }
        assert_eq!((room.len(), room.by_node.len(), room.by_gateway.len()), (0, 0, 0));
    }
}
