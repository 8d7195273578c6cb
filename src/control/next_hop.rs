//! Where our own messages go: the control core's copy of the mirrored routes.

use crate::addr::{CustomerId, CustomerPrefix, HomePrefix};
use crate::dataplane::update::NextHop;
use core::cmp::Reverse;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::net::Ipv6Addr;

/// Routes by prefix length, the longest first. A lookup costs one hash for each length in use: the
/// control core looks up once a message, not once a packet.
#[derive(Debug, Default)]
pub(super) struct RouteTable {
    by_len: BTreeMap<Reverse<u8>, HashMap<(CustomerId, u128), NextHop>>,
}

impl RouteTable {
    /// Creates or replaces a route; returns where it led before.
    pub(super) fn set(&mut self, route: CustomerPrefix, hop: NextHop) -> Option<NextHop> {
        let CustomerPrefix { customer, prefix } = route;
        let routes = self.by_len.entry(Reverse(prefix.len())).or_default();
        routes.insert((customer, prefix.bits()), hop)
    }

    /// Removes a route; returns where it led.
    pub(super) fn remove(&mut self, route: CustomerPrefix) -> Option<NextHop> {
        let CustomerPrefix { customer, prefix } = route;
        let len = Reverse(prefix.len());
        let routes = self.by_len.get_mut(&len)?;
        let old = routes.remove(&(customer, prefix.bits()));
        if routes.is_empty() {
            self.by_len.remove(&len);
        }
        old
    }

    /// The next hop of the longest prefix that contains `addr`, in the operator's own address space
    /// and of the same family.
    pub(super) fn lookup(&self, addr: Ipv6Addr) -> Option<NextHop> {
        let shortest = if addr.to_ipv4_mapped().is_some() { 96 } else { 0 };
        let lens = self.by_len.iter().take_while(|(len, _)| len.0 >= shortest);
        lens.into_iter().find_map(|(len, routes)| {
            let bits = addr.to_bits() & HomePrefix::mask(len.0);
            routes.get(&(CustomerId(0), bits)).copied()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::PortId;

    fn route(text: &str) -> CustomerPrefix {
        text.parse::<HomePrefix>().expect("valid").of(CustomerId(0))
    }

    #[test]
    fn longest_prefix_wins_and_its_removal_uncovers_the_next() {
        let mut table = RouteTable::default();
        let addr: Ipv6Addr = "2001:db8:1::1".parse().expect("valid");
        assert_eq!(table.lookup(addr), None);
        let via = |n| NextHop::OnLink(PortId(n));
        for (n, prefix) in ["::/0", "2001:db8::/32", "2001:db8:1::/48"].iter().enumerate() {
            table.set(route(prefix), via(u16::try_from(n).expect("small")));
        }
        assert_eq!(table.lookup(addr), Some(via(2)));
        table.remove(route("2001:db8:1::/48"));
        assert_eq!(table.lookup(addr), Some(via(1)));
        table.remove(route("2001:db8::/32"));
        assert_eq!(table.lookup(addr), Some(via(0)));
    }

    #[test]
    fn ipv4_has_routes_of_its_own_and_customers_have_theirs() {
        let mut table = RouteTable::default();
        let addr = std::net::Ipv4Addr::new(192, 0, 2, 7).to_ipv6_mapped();
        let via = |n| NextHop::OnLink(PortId(n));
        table.set(route("::/0"), via(0));
        let of_customer = HomePrefix::of(route("192.0.2.0/24").prefix, CustomerId(3));
        table.set(of_customer, via(1));
        assert_eq!(table.lookup(addr), None);
        table.set(route("0.0.0.0/0"), via(2));
        assert_eq!(table.lookup(addr), Some(via(2)));
        table.set(route("192.0.2.0/24"), via(3));
        assert_eq!(table.lookup(addr), Some(via(3)));
    }
}
