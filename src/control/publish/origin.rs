//! Whose nodes a gateway serves: what packets without a GRE key of ours are taken for.

use crate::addr::CustomerId;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::net::Ipv6Addr;

/// By gateway, how many entries without a key each customer has there. A gateway with entries of
/// several customers is nobody's: where addresses may overlap, only a key tells them apart.
#[derive(Debug, Default)]
pub(super) struct Origins(HashMap<Ipv6Addr, BTreeMap<CustomerId, usize>>);

impl Origins {
    /// Notes an entry without a key. What workers are to be told, if that changes: the customer, or
    /// that it is no single one any more.
    pub(super) fn add(
        &mut self,
        customer: CustomerId,
        gateway: Ipv6Addr,
    ) -> Option<Option<CustomerId>> {
        let entries = self.0.entry(gateway).or_default();
        let before = only(entries);
        *entries.entry(customer).or_default() += 1;
        let after = only(entries);
        (after != before).then_some(after)
    }

    /// The same when an entry goes.
    pub(super) fn remove(
        &mut self,
        customer: CustomerId,
        gateway: Ipv6Addr,
    ) -> Option<Option<CustomerId>> {
        let entries = self.0.get_mut(&gateway)?;
        let before = only(entries);
        let count = entries.get_mut(&customer)?;
        *count -= 1;
        if *count == 0 {
            entries.remove(&customer);
        }
        let after = only(entries);
        if entries.is_empty() {
            self.0.remove(&gateway);
        }
        (after != before).then_some(after)
    }
}

/// The customer that alone has entries; `None` also if that is the operator, who needs no mention.
fn only(entries: &BTreeMap<CustomerId, usize>) -> Option<CustomerId> {
    let first = entries.keys().next().copied()?;
    (entries.len() == 1 && first != CustomerId(0)).then_some(first)
}
