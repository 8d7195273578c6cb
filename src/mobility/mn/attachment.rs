//! Where a node is, as the addresses of its interface tell (RFC 6275 11.5.1 to 11.5.3).
//!
//! A new address is where the node is now. Another that is known already is so only if the link
//! was lost since the present one was heard of: two routers on a link do not make a node move.

use crate::addr::HomePrefix;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv6Addr;

/// Where a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attachment {
    /// It has no address.
    Nowhere,
    /// On its home link.
    Home,
    /// Elsewhere, with this care-of address.
    Away(Ipv6Addr),
}

/// The addresses of the node's interface that could be care-of addresses.
#[derive(Debug)]
pub struct Addresses {
    home_prefix: HomePrefix,
    /// Each, and whether it was heard of since the link was lost.
    known: BTreeMap<Ipv6Addr, bool>,
    current: Option<Ipv6Addr>,
}

impl Addresses {
    /// None yet.
    #[must_use]
    pub const fn new(home_prefix: HomePrefix) -> Self {
        Self { home_prefix, known: BTreeMap::new(), current: None }
    }

    /// The interface has this address, or was told of it again.
    pub fn heard(&mut self, address: Ipv6Addr) {
        let is_new = self.known.insert(address, true).is_none();
        let is_heard = self.current.and_then(|c| self.known.get(&c)) == Some(&true);
        if is_new || !is_heard {
            self.current = Some(address);
        }
    }

    /// The interface has it no more.
    pub fn gone(&mut self, address: Ipv6Addr) {
        self.known.remove(&address);
        if self.current == Some(address) {
            let heard = self.known.iter().find(|(_, heard)| **heard);
            self.current = heard.or_else(|| self.known.iter().next()).map(|(a, _)| *a);
        }
    }

    /// The interface lost its link: what holds there has to be heard anew.
    pub fn link_lost(&mut self) {
        self.known.values_mut().for_each(|heard| *heard = false);
    }

    /// Where the node is.
    #[must_use]
    pub fn attachment(&self) -> Attachment {
        match self.current {
            None => Attachment::Nowhere,
            // RFC 6275 11.5.2
            Some(address) if self.home_prefix.contains(address) => Attachment::Home,
            Some(address) => Attachment::Away(address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 9);
    const B: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 9);
    const HOME: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 9);

    fn addresses() -> Addresses {
        Addresses::new("2001:db8:100::/64".parse().expect("prefix"))
    }

    #[test]
    fn new_address_is_where_the_node_is_and_home_is_known_by_its_prefix() {
        let mut addresses = addresses();
        assert_eq!(addresses.attachment(), Attachment::Nowhere);
        for (address, at) in [(A, Attachment::Away(A)), (B, Attachment::Away(B))] {
            addresses.heard(address);
            assert_eq!(addresses.attachment(), at);
        }
        addresses.heard(HOME);
        assert_eq!(addresses.attachment(), Attachment::Home);
        addresses.gone(HOME);
        assert_eq!(addresses.attachment(), Attachment::Away(A), "what is left");
        addresses.gone(A);
        addresses.gone(B);
        assert_eq!(addresses.attachment(), Attachment::Nowhere);
    }

    #[test]
    fn two_routers_on_a_link_do_not_make_the_node_move() {
        let mut addresses = addresses();
        addresses.heard(A);
        addresses.heard(B);
        addresses.heard(A);
        assert_eq!(addresses.attachment(), Attachment::Away(B));
    }

    #[test]
    fn address_that_is_heard_of_after_the_link_was_lost_is_where_the_node_is() {
        let mut addresses = addresses();
        addresses.heard(A);
        addresses.heard(B);
        addresses.link_lost();
        assert_eq!(addresses.attachment(), Attachment::Away(B), "nothing better is known");
        addresses.heard(A);
        assert_eq!(addresses.attachment(), Attachment::Away(A));
        addresses.heard(B);
        assert_eq!(addresses.attachment(), Attachment::Away(A));
    }
}
