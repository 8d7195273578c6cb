//! The nodes that may register, and the foreign agents with which we share keys.

use crate::addr::{CustomerId, MnId};
use crate::mobility::mip4::judge::Party;
use crate::mobility::mip4::{ForeignAgent, Mip4Node, SecurityAssociation};
use hashbrown::HashMap;
use std::net::Ipv4Addr;

/// All nodes, found by what they call themselves.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    all: Vec<Mip4Node>,
    /// By identifier; `None` where nodes of several customers have the same.
    by_id: HashMap<MnId, Option<usize>>,
    /// By configured home address; likewise.
    by_home: HashMap<Ipv4Addr, Option<usize>>,
}

impl Nodes {
    pub(super) fn new(all: Vec<Mip4Node>) -> Self {
        let (mut by_id, mut by_home) = (HashMap::new(), HashMap::new());
        for (at, node) in all.iter().enumerate() {
            by_id.entry(node.mn_id.clone()).and_modify(|n| *n = None).or_insert(Some(at));
            if let Some(home) = node.home_address {
                by_home.entry(home).and_modify(|n| *n = None).or_insert(Some(at));
            }
        }
        Self { all, by_id, by_home }
    }

    /// The place of the node that a request is about: by its NAI; without one, by its home address.
    pub(super) fn find(&self, nai: Option<&[u8]>, home: Ipv4Addr) -> Option<usize> {
        match nai {
            Some(nai) => *self.by_id.get(&MnId::new(MnId::NAI, nai)?)?,
            None => *self.by_home.get(&home)?,
        }
    }

    /// The place of the node with this identifier, of this customer.
    pub(super) fn named(&self, customer: CustomerId, mn_id: &MnId) -> Option<usize> {
        let is = |n: &Mip4Node| n.customer == customer && n.mn_id == *mn_id;
        match self.by_id.get(mn_id)? {
            Some(at) => Some(*at).filter(|at| self.all.get(*at).is_some_and(is)),
            None => self.all.iter().position(is),
        }
    }

    /// The node at a place that [`Self::find`] or [`Self::named`] said.
    pub(super) fn at(&self, place: usize) -> &Mip4Node {
        &self.all[place]
    }

    /// The association by which a node is answered.
    pub(super) fn association(&self, party: Party) -> &SecurityAssociation {
        &self.at(party.node).associations[party.association]
    }
}

/// The foreign agents, by address.
#[derive(Debug, Default)]
pub(super) struct ForeignAgents(HashMap<Ipv4Addr, Vec<SecurityAssociation>>);

impl ForeignAgents {
    pub(super) fn new(all: Vec<ForeignAgent>) -> Self {
        let shared = all.into_iter().filter(|a| !a.associations.is_empty());
        Self(shared.map(|a| (a.address, a.associations)).collect())
    }

    /// All with which we share something.
    pub(super) fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.0.keys().copied()
    }

    /// What we share with a foreign agent; empty if nothing.
    pub(super) fn of(&self, address: Ipv4Addr) -> &[SecurityAssociation] {
        self.0.get(&address).map_or(&[], |a| a)
    }
}
