//! Where our own messages go: the control core's copy of the mirrored routes.

use crate::addr::HomePrefix;
use crate::dataplane::update::NextHop;
use core::cmp::Reverse;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::net::Ipv6Addr;

/// Routes by prefix length, the longest first. A lookup costs one hash for each length in use: the
/// control core looks up once a message, not once a packet.
#[derive(Debug, Default)]
pub(super) struct RouteTable {
    by_len: BTreeMap<Reverse<u8>, HashMap<u128, NextHop>>,
}

impl RouteTable {
    /// Creates or replaces a route; returns where it led before.
    pub(super) fn set(&mut self, prefix: HomePrefix, hop: NextHop) -> Option<NextHop> {
        self.by_len.entry(Reverse(prefix.len())).or_default().insert(prefix.bits(), hop)
    }

    /// Removes a route; returns where it led.
    pub(super) fn remove(&mut self, prefix: HomePrefix) -> Option<NextHop> {
        let len = Reverse(prefix.len());
        let routes = self.by_len.get_mut(&len)?;
        let old = routes.remove(&prefix.bits());
        if routes.is_empty() {
            self.by_len.remove(&len);
        }
        old
    }

    /// The next hop of the longest prefix that contains `addr`.
    pub(super) fn lookup(&self, addr: Ipv6Addr) -> Option<NextHop> {
        self.by_len.iter().find_map(|(len, routes)| {
            routes.get(&(addr.to_bits() & HomePrefix::mask(len.0))).copied()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::PortId;

    #[test]
    fn longest_prefix_wins_and_its_removal_uncovers_the_next() {
        let mut table = RouteTable::default();
        let addr: Ipv6Addr = "2001:db8:1::1".parse().expect("valid");
        assert_eq!(table.lookup(addr), None);
        let via = |n| NextHop::OnLink(PortId(n));
        for (n, prefix) in ["::/0", "2001:db8::/32", "2001:db8:1::/48"].iter().enumerate() {
            table.set(prefix.parse().expect("valid"), via(u16::try_from(n).expect("small")));
        }
        assert_eq!(table.lookup(addr), Some(via(2)));
        table.remove("2001:db8:1::/48".parse().expect("valid"));
        assert_eq!(table.lookup(addr), Some(via(1)));
        table.remove("2001:db8::/32".parse().expect("valid"));
        assert_eq!(table.lookup(addr), Some(via(0)));
    }
}
