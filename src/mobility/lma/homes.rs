//! The allocation as the home agent of Mobile IPv4 sees it: the same as the other home agent's.

use super::Lma;
use crate::addr::HomePrefix;
use crate::mobility::mip4::{Homes, NodeRef, Unavailable};
use std::net::Ipv4Addr;

impl Homes for Lma {
    fn reserve_address(
        &mut self,
        node: NodeRef<'_>,
        wanted: Option<Ipv4Addr>,
    ) -> Result<Ipv4Addr, Unavailable> {
        let Some(address) = wanted else {
            let given = self.share_ipv4(node.customer, node.mn_id);
            let address = given.and_then(HomePrefix::to_ipv4).map(|(address, _)| address);
            return address.ok_or(Unavailable::Exhausted);
        };
        let prefix = HomePrefix::from_ipv4(address, 32).map_err(|_| Unavailable::Taken)?;
        self.reserve_prefix(node, prefix).map(|()| address)
    }

    fn reserve_prefix(&mut self, node: NodeRef<'_>, prefix: HomePrefix) -> Result<(), Unavailable> {
        let is_ours = self.share(node.customer, node.mn_id, prefix);
        is_ours.then_some(()).ok_or(Unavailable::Taken)
    }

    fn release(&mut self, node: NodeRef<'_>, prefix: HomePrefix) {
        self.unshare(node.customer, prefix);
    }
}
