//! Where a node is, as the addresses of its interface tell (RFC 6275 11.5.1 to 11.5.3).
//!
//! A new address is where the node is now. Another that is known already is so only if the link
//! was lost since the present one was heard of: two routers on a link do not make a node move.
//! Where there are both families it is IPv6 (RFC 5555 4.4.1).

use crate::addr::HomePrefix;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

/// Where a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attachment {
    /// It has no address.
    Nowhere,
    /// On its home link.
    Home,
    /// Elsewhere, with this care-of address.
    Away(IpAddr),
}

/// The addresses of the node's interface that could be care-of addresses; those of IPv4 as
/// IPv4-mapped ones.
#[derive(Debug)]
pub struct Addresses {
    home_prefix: Option<HomePrefix>,
    /// Each, and whether it was heard of since the link was lost.
    known: BTreeMap<Ipv6Addr, bool>,
    current: Option<Ipv6Addr>,
}

impl Addresses {
    /// None yet. Without a home prefix the node is never at home.
    #[must_use]
    pub const fn new(home_prefix: Option<HomePrefix>) -> Self {
        Self { home_prefix, known: BTreeMap::new(), current: None }
    }

    /// The interface has this address, or was told of it again.
    pub fn heard(&mut self, address: Ipv6Addr) {
        let is_new = self.known.insert(address, true).is_none();
        let is_heard = |c: &Ipv6Addr| self.known.get(c) == Some(&true);
        let is_better = match self.current.filter(is_heard) {
            None => true,
            Some(current) if is_ipv4(current) == is_ipv4(address) => is_new,
            Some(current) => is_ipv4(current),
        };
        if is_better {
            self.current = Some(address);
        }
    }

    /// The interface has it no more.
    pub fn gone(&mut self, address: Ipv6Addr) {
        self.known.remove(&address);
        if self.current == Some(address) {
            let left = self.known.iter().min_by_key(|(a, heard)| (!**heard, is_ipv4(**a)));
            self.current = left.map(|(a, _)| *a);
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
            Some(address) if self.home_prefix.is_some_and(|p| p.contains(address)) => {
                Attachment::Home
            }
            Some(address) => Attachment::Away(address.to_canonical()),
        }
    }
}

fn is_ipv4(address: Ipv6Addr) -> bool {
    address.to_ipv4_mapped().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 9);
    const B: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 9);
    const HOME: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 9);

    fn addresses() -> Addresses {
        Addresses::new(Some("2001:db8:100::/64".parse().expect("prefix")))
    }

    #[test]
    fn new_address_is_where_the_node_is_and_home_is_known_by_its_prefix() {
        let mut addresses = addresses();
        assert_eq!(addresses.attachment(), Attachment::Nowhere);
        for (address, at) in [(A, Attachment::Away(A.into())), (B, Attachment::Away(B.into()))] {
            addresses.heard(address);
            assert_eq!(addresses.attachment(), at);
        }
        addresses.heard(HOME);
        assert_eq!(addresses.attachment(), Attachment::Home);
        addresses.gone(HOME);
        assert_eq!(addresses.attachment(), Attachment::Away(A.into()), "what is left");
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
        assert_eq!(addresses.attachment(), Attachment::Away(B.into()));
    }

    #[test]
    fn address_that_is_heard_of_after_the_link_was_lost_is_where_the_node_is() {
        let mut addresses = addresses();
        addresses.heard(A);
        addresses.heard(B);
        addresses.link_lost();
        assert_eq!(addresses.attachment(), Attachment::Away(B.into()), "nothing better is known");
        addresses.heard(A);
        assert_eq!(addresses.attachment(), Attachment::Away(A.into()));
        addresses.heard(B);
        assert_eq!(addresses.attachment(), Attachment::Away(A.into()));
    }

    #[test]
    fn of_both_families_it_is_ipv6_unless_that_was_not_heard_of_on_this_link() {
        let mut addresses = addresses();
        let ipv4 = std::net::Ipv4Addr::new(192, 0, 2, 9);
        addresses.heard(ipv4.to_ipv6_mapped());
        assert_eq!(addresses.attachment(), Attachment::Away(ipv4.into()));
        addresses.heard(A);
        addresses.heard(ipv4.to_ipv6_mapped());
        assert_eq!(addresses.attachment(), Attachment::Away(A.into()));
        addresses.link_lost();
        addresses.heard(ipv4.to_ipv6_mapped());
        assert_eq!(addresses.attachment(), Attachment::Away(ipv4.into()));
        addresses.heard(A);
        assert_eq!(addresses.attachment(), Attachment::Away(A.into()));
        addresses.gone(A);
        assert_eq!(addresses.attachment(), Attachment::Away(ipv4.into()));
    }
}
