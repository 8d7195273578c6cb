//! The home links: which one an address is on, and how long its prefixes are valid.

use super::{HomeBinding, HomeLink, LinkId, LinkPrefix};
use crate::addr::{CustomerId, CustomerPrefix, HomePrefix};
use crate::time::{Duration, Instant};
use std::collections::BTreeMap;
use std::net::Ipv6Addr;

/// All of them, and since when the lifetimes of their prefixes run.
#[derive(Debug, Default)]
pub(super) struct Links {
    all: Vec<HomeLink>,
    /// Since the first event, but for those below.
    since: Option<Instant>,
    /// Since another configuration brought or changed them.
    renewed: BTreeMap<CustomerPrefix, Instant>,
    /// Prefixes that a link has no more, and until when its nodes have to be told so: the next
    /// configuration after that forgets them. Who has not heard it by then is told it later, too.
    gone: Vec<(LinkId, HomePrefix, Instant)>,
}

/// Until when a prefix is valid, and preferred; for ever if `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) valid: Option<Instant>,
    pub(super) preferred: Option<Instant>,
}

impl Span {
    pub(super) const FOR_EVER: Self = Self { valid: None, preferred: None };
    /// It is over.
    pub(super) const OVER: Self = Self { valid: Some(Instant(0)), preferred: Some(Instant(0)) };
}

/// What a node is told of a prefix of its home link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) prefix: HomePrefix,
    /// Our address in it.
    pub(super) address: Option<Ipv6Addr>,
    pub(super) span: Span,
}

impl Told {
    const fn gone(prefix: HomePrefix) -> Self {
        Self { prefix, address: None, span: Span::OVER }
    }
}

/// Prefixes in one advertisement: what fits into 1280 bytes.
pub(super) const TOLD_MAX: usize = 32;

impl Links {
    pub(super) fn new(all: Vec<HomeLink>) -> Self {
        Self { all, ..Self::default() }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &HomeLink> {
        self.all.iter()
    }

    pub(super) fn has(&self, id: LinkId) -> bool {
        self.all.iter().any(|l| l.id == Some(id))
    }

    /// The lifetimes of prefixes run from the first event on.
    pub(super) fn begin(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// The link of a home address, and its prefix there.
    pub(super) fn find(
        &self,
        customer: CustomerId,
        home: Ipv6Addr,
    ) -> Option<(&HomeLink, &LinkPrefix)> {
        let own = self.all.iter().filter(|l| l.customer == customer);
        let mut prefixes = own.flat_map(|l| l.prefixes.iter().map(move |p| (l, p)));
        prefixes.find(|(_, p)| p.prefix.contains(home))
    }

    pub(super) fn span(&self, customer: CustomerId, p: &LinkPrefix) -> Span {
        let renewed = self.renewed.get(&p.prefix.of(customer)).copied();
        let since = renewed.or(self.since).unwrap_or_default();
        let after = |s: Option<u32>| s.map(|s| since + Duration::from_secs(s.into()));
        Span { valid: after(p.valid_lifetime_s), preferred: after(p.preferred_lifetime_s) }
    }

    /// What the node of a binding is told (RFC 6275 10.6.1): the prefixes of its home link, in
    /// their order, then those that the link has lost. Where each node has a prefix of its own,
    /// that one.
    pub(super) fn told(&self, binding: &HomeBinding) -> Vec<Told> {
        let HomeBinding { customer, home, held, .. } = *binding;
        let Some((link, own)) = self.find(customer, home) else {
            // A session of a gateway's has it, as long as that is there.
            return vec![Told { prefix: held, address: None, span: Span::FOR_EVER }];
        };
        if link.per_node_len.is_some() {
            let span = self.span(customer, own);
            return vec![Told { prefix: held, address: own.address, span }];
        }
        self.of_link(link)
    }

    /// The prefixes of a link, and those that it has lost.
    fn of_link(&self, link: &HomeLink) -> Vec<Told> {
        let told = |p: &LinkPrefix| {
            let span = self.span(link.customer, p);
            Told { prefix: p.prefix, address: p.address, span }
        };
        let lost = self.gone.iter().filter(|(id, ..)| link.id == Some(*id));
        let lost = lost.map(|(_, prefix, _)| Told::gone(*prefix));
        link.prefixes.iter().map(told).chain(lost).take(TOLD_MAX).collect()
    }

    /// What the node of a binding is told whose prefix is valid no more: `before` had it.
    pub(super) fn told_in_the_end(
        &self,
        binding: &HomeBinding,
        before: Option<&Self>,
    ) -> Vec<Told> {
        let there = self.all.iter().find(|l| l.id.is_some() && l.id == binding.link);
        let mut told = there.map(|link| self.of_link(link)).unwrap_or_default();
        if !told.iter().any(|t| t.prefix.contains(binding.home)) {
            let had = before.and_then(|b| b.find(binding.customer, binding.home));
            let shared = had.filter(|(link, _)| link.per_node_len.is_none());
            told.truncate(TOLD_MAX - 1);
            told.push(Told::gone(shared.map_or(binding.held, |(_, p)| p.prefix)));
        }
        told
    }

    /// Goes on where `old` was: the lifetimes of what has not changed go on. What a link has lost
    /// is told for so long.
    pub(super) fn go_on(&mut self, old: &Self, now: Instant, told_for: Duration) {
        self.since = old.since.or(Some(now));
        for (customer, p) in
            self.all.iter().flat_map(|l| l.prefixes.iter().map(|p| (l.customer, p)))
        {
            let lifetimes = |p: &LinkPrefix| (p.valid_lifetime_s, p.preferred_lifetime_s);
            let before = old.of_prefix(customer, p.prefix).map(lifetimes);
            let key = p.prefix.of(customer);
            let since = if before == Some(lifetimes(p)) {
                old.renewed.get(&key).copied()
            } else {
                Some(now)
            };
            self.renewed.extend(since.map(|since| (key, since)));
        }
        let had = old.all.iter().filter_map(|l| Some((l.id?, l)));
        let had = had.flat_map(|(id, l)| l.prefixes.iter().map(move |p| (id, p.prefix)));
        let lost = had.map(|(id, prefix)| (id, prefix, now + told_for));
        let earlier = old.gone.iter().copied().filter(|(.., until)| *until > now);
        let is_gone = |(id, prefix, _): &(LinkId, HomePrefix, Instant)| {
            let mut links = self.all.iter().filter(|l| l.id == Some(*id)).peekable();
            links.peek().is_some() && !links.any(|l| l.prefixes.iter().any(|p| p.prefix == *prefix))
        };
        self.gone = lost.chain(earlier).filter(is_gone).take(TOLD_MAX).collect();
    }

    /// Whether both have the same links.
    pub(super) fn are_those_of(&self, other: &Self) -> bool {
        self.all == other.all
    }

    fn of_prefix(&self, customer: CustomerId, prefix: HomePrefix) -> Option<&LinkPrefix> {
        let own = self.all.iter().filter(|l| l.customer == customer);
        own.flat_map(|l| &l.prefixes).find(|p| p.prefix == prefix)
    }
}
