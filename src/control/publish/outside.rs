//! What the core's routers are led to besides the pools of the configuration: prefixes that nodes
//! hold outside of them (RFC 3963 section 6.3, RFC 5454 section 3.3.1), and pools that the
//! configuration names no more while nodes are in them. Packets to an address of a home link at a
//! port reach us by that link (RFC 6275 section 10.4.1): it is not among them.

use crate::addr::CustomerPrefix;
use crate::control::advertise::Advertiser;
use std::collections::{BTreeMap, BTreeSet};

/// Changes told at once.
const BATCH: usize = 256;

#[derive(Debug, Default)]
pub(in crate::control) struct Outside {
    /// Home links at ports.
    links: Vec<CustomerPrefix>,
    held: BTreeSet<CustomerPrefix>,
    /// What is to be told: whether each is held now. One for each prefix, however often it changes.
    changed: BTreeMap<CustomerPrefix, bool>,
}

impl Outside {
    /// With these home links at ports.
    pub(super) fn new(links: Vec<CustomerPrefix>) -> Self {
        Self { links, ..Self::default() }
    }

    /// Other home links at ports. What is on one of them is not told of any more. Returns whether
    /// they are others: what was on one that is gone begins now.
    pub(super) fn set_links(&mut self, links: Vec<CustomerPrefix>) -> bool {
        if self.links == links {
            return false;
        }
        self.links = links;
        let held: Vec<_> = self.held.iter().copied().filter(|p| self.is_on_link(*p)).collect();
        for prefix in held {
            self.end(prefix);
        }
        true
    }

    fn is_on_link(&self, prefix: CustomerPrefix) -> bool {
        let is_address = prefix.prefix.len() == 128;
        let covers = |link: &CustomerPrefix| {
            is_address && link.customer == prefix.customer && link.prefix.covers(prefix.prefix)
        };
        self.links.iter().any(covers)
    }

    pub(super) fn begin(&mut self, prefix: CustomerPrefix) {
        if !self.is_on_link(prefix) && self.held.insert(prefix) {
            self.changed.insert(prefix, true);
        }
    }

    pub(super) fn end(&mut self, prefix: CustomerPrefix) {
        if self.held.remove(&prefix) {
            self.changed.insert(prefix, false);
        }
    }

    /// Tells what changed, as far as there is room for it, one batch. Returns how much that was.
    pub(in crate::control) fn tell(&mut self, advertiser: &Advertiser) -> usize {
        if self.changed.is_empty() || advertiser.is_full() {
            return 0;
        }
        let batch = self.batch();
        let len = batch.len();
        match advertiser.follow(batch) {
            Ok(()) => len,
            // Somebody else was faster; nothing has changed meanwhile.
            Err(batch) => {
                self.changed.extend(batch);
                0
            }
        }
    }

    pub(super) fn batch(&mut self) -> Vec<(CustomerPrefix, bool)> {
        std::iter::from_fn(|| self.changed.pop_first()).take(BATCH).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::{CustomerId, HomePrefix};

    fn prefix(text: &str) -> HomePrefix {
        text.parse().expect("a prefix")
    }

    #[test]
    fn prefix_is_told_of_once_however_often_it_changes_before_that() {
        let mut outside = Outside::default();
        let [one, two] = ["2001:db8:1::/64", "2001:db8:2::/56"].map(|p| prefix(p).into());
        outside.begin(one);
        outside.begin(one);
        outside.begin(two);
        assert_eq!(outside.batch(), [(one, true), (two, true)]);
        outside.end(one);
        outside.begin(one);
        outside.end(one);
        outside.end(one);
        assert_eq!(outside.batch(), [(one, false)]);
    }

    #[test]
    fn address_on_a_home_link_of_the_same_customer_is_not_among_them() {
        let link = prefix("2001:db8:a::/64");
        let mut outside = Outside::new(vec![link.of(CustomerId(1))]);
        let home = prefix("2001:db8:a::7/128");
        outside.begin(home.of(CustomerId(1)));
        outside.begin(prefix("2001:db8:a:0:8000::/68").of(CustomerId(1)));
        outside.begin(home.of(CustomerId(2)));
        outside.begin(prefix("2001:db8::/32").of(CustomerId(1)));
        assert_eq!(
            outside.batch().into_iter().map(|(p, _)| p).collect::<Vec<_>>(),
            [
                prefix("2001:db8::/32").of(CustomerId(1)),
                prefix("2001:db8:a:0:8000::/68").of(CustomerId(1)),
                home.of(CustomerId(2)),
            ],
        );
        // Another customer's port has it from now on.
        assert!(outside.set_links(vec![link.of(CustomerId(2))]));
        assert!(!outside.set_links(vec![link.of(CustomerId(2))]));
        assert_eq!(outside.batch(), [(home.of(CustomerId(2)), false)]);
    }

    #[test]
    fn batches_are_bounded_and_nothing_is_lost_between_them() {
        let mut outside = Outside::default();
        let all: Vec<CustomerPrefix> =
            (0..600).map(|n| prefix(&format!("2001:db8:{n:x}::/48")).into()).collect();
        for prefix in &all {
            outside.begin(*prefix);
        }
        let told: Vec<_> = std::iter::from_fn(|| Some(outside.batch()).filter(|b| !b.is_empty()))
            .inspect(|batch| assert!(batch.len() <= BATCH))
            .flatten()
            .collect();
        let expected: BTreeSet<_> = all.into_iter().map(|p| (p, true)).collect();
        assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), expected);
    }
}
