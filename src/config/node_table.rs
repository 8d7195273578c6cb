//! What the file of nodes said when it was read, in sixteen bytes a node: enough to tell what has
//! changed when it is read again.

use super::{HomeNode, Profile};
use crate::addr::{CustomerId, MnId};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A digest of each node's identifier, and of what it may do.
#[derive(Debug, Clone, Default)]
pub struct NodeTable {
    /// In order, once [`Self::finish`]ed.
    nodes: Vec<(u64, u64)>,
}

/// How many nodes differ between two readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeChanges {
    /// Named now, and not before.
    pub added: usize,
    /// Named before, and not now.
    pub removed: usize,
    /// Of another customer, or with another profile, `[policy.default]` included.
    pub changed: usize,
}

impl NodeTable {
    /// Notes a node.
    pub fn note(&mut self, mn_id: &MnId, customer: CustomerId, profile: &Profile, home: &HomeNode) {
        self.nodes.push((digest(mn_id), digest(&(customer, profile, home))));
    }

    /// All nodes are noted.
    pub fn finish(&mut self) {
        self.nodes.sort_unstable();
        self.nodes.shrink_to_fit();
    }

    /// What is different in the `new` one.
    #[must_use]
    pub fn changes(&self, new: &Self) -> NodeChanges {
        let mut changes = NodeChanges::default();
        let (mut old, mut new) = (self.nodes.iter().peekable(), new.nodes.iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return changes,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((old, _)), Some((new, _))) => old.cmp(new),
            };
            let before = if order == Ordering::Greater { None } else { old.next() };
            let now = if order == Ordering::Less { None } else { new.next() };
            match (before, now) {
                (Some(before), Some(now)) => changes.changed += usize::from(before.1 != now.1),
                (Some(_), None) => changes.removed += 1,
                (None, _) => changes.added += 1,
            }
        }
    }
}

/// The same in every process that is built alike; two nodes in a million millions share one.
fn digest(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(nodes: &[(&str, u16, u8)]) -> NodeTable {
        let mut table = NodeTable::default();
        for &(name, customer, prefixes) in nodes {
            let mn_id = MnId::nai(name).expect("short");
            let profile = Profile { prefixes, ..super::super::default_profile() };
            table.note(&mn_id, CustomerId(customer), &profile, &HomeNode::default());
        }
        table.finish();
        table
    }

    #[test]
    fn nodes_that_came_went_and_changed_are_counted_whatever_their_order() {
        let old = table(&[("a", 0, 1), ("b", 0, 1), ("c", 0, 1), ("d", 0, 1), ("e", 0, 1)]);
        let new =
            table(&[("f", 0, 1), ("e", 0, 1), ("c", 1, 1), ("b", 0, 2), ("g", 0, 1), ("a", 0, 1)]);
        assert_eq!(old.changes(&new), NodeChanges { added: 2, removed: 1, changed: 2 });
        assert_eq!(new.changes(&new), NodeChanges::default());
        let none = NodeTable::default();
        assert_eq!(none.changes(&old), NodeChanges { added: 5, ..NodeChanges::default() });
        assert_eq!(old.changes(&none), NodeChanges { removed: 5, ..NodeChanges::default() });
    }
}
