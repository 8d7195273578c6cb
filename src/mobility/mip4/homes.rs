//! The one allocation of home addresses and prefixes, seen from here.

use crate::addr::{CustomerId, HomePrefix, MnId};
use std::net::Ipv4Addr;

/// A node: who, and whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeRef<'a> {
    /// In whose address space its addresses are.
    pub customer: CustomerId,
    /// Who it is, in whatever protocol it speaks.
    pub mn_id: &'a MnId,
}

/// Why a node does not get what it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// Another node has it, or something that overlaps it, or it is not anchored here.
    Taken,
    /// Nothing is left.
    Exhausted,
}

/// Who has which home address and prefix, over all protocols: addresses under one prefix belong to
/// one node at any time (RFC 5454 3.3). A node that has something already, by whichever protocol,
/// gets it again.
pub trait Homes {
    /// Takes an IPv4 home address for a node: this one, or any.
    fn reserve_address(
        &mut self,
        node: NodeRef<'_>,
        wanted: Option<Ipv4Addr>,
    ) -> Result<Ipv4Addr, Unavailable>;

    /// Takes a prefix for a node.
    fn reserve_prefix(&mut self, node: NodeRef<'_>, prefix: HomePrefix) -> Result<(), Unavailable>;

    /// Gives an address (IPv4-mapped) or a prefix back that was taken here. What the node has by
    /// another protocol stays the node's.
    fn release(&mut self, node: NodeRef<'_>, prefix: HomePrefix);
}
