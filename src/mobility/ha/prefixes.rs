//! What nodes away from home are told of the prefixes of their home link (RFC 6275 10.6).

use super::{HomeAgent, HomeBinding, HomeIcmp, HomeIcmpBody, HomeState, PrefixOffer, Proof, audit};
use crate::addr::ProxyCoa;
use crate::mobility::action::{Action, HomeAudit, Ignored};
use crate::time::{Duration, Now};
use std::net::Ipv6Addr;

/// 6.8: at most one advertisement a second to any node.
const INTERVAL: Duration = Duration::from_secs(1);

impl HomeAgent {
    /// A node asks (10.6.2), in ESP or not; it is answered at once and likewise, at the address
    /// from which it asked (10.6.3).
    pub(super) fn solicited(
        &mut self,
        (src, dst): (Ipv6Addr, Ipv6Addr),
        home: Ipv6Addr,
        (id, esp): (u16, bool),
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let is_there = |b: &&HomeBinding| b.state == HomeState::Active && b.care_of == src;
        let binding = self.cache.of_home(home).find(is_there);
        let ignored = |why| audit(HomeAudit::Ignored(why), None, Some(ProxyCoa(src)));
        // 9.3.1: a Home Address option counts only if there is a binding that says so.
        let Some(binding) = binding else {
            return actions.push(ignored(Ignored::NoSession));
        };
        // 5.4, 6.7: whose other messages have to be in ESP, does not ask without.
        let proof = self.nodes.by_id(&binding.mn_id).map(|node| &node.proof);
        if !esp && matches!(proof, Some(Proof::Esp(_))) {
            return actions.push(ignored(Ignored::Unauthenticated));
        }
        let last = self.advertised.get(&binding.id);
        let early = last.is_some_and(|last| now.mono.since(*last) < INTERVAL);
        if early || !self.config.prefix_advertisements {
            return actions.push(ignored(Ignored::Withheld));
        }
        let binding_id = binding.id;
        let prefixes = self.offers(binding, now);
        let body = HomeIcmpBody::PrefixAdvertisement { id, prefixes };
        actions.push(Action::SendIcmp(HomeIcmp {
            src: dst,
            dst: src,
            home: Some(home),
            esp,
            body,
        }));
        self.advertised.retain(|_, last| now.mono.since(*last) < INTERVAL);
        self.advertised.insert(binding_id, now.mono);
    }

    /// The prefixes of a binding's home link with what is left of their lifetimes. The first has
    /// our address in it, if we have one (7.2).
    fn offers(&self, binding: &HomeBinding, now: Now) -> Vec<PrefixOffer> {
        let Some((id, link)) = binding.link.and_then(|id| Some((id, self.link(id)?))) else {
            // Its home link is that of a gateway's sessions: its own prefix, as long as it has it.
            let for_ever = u32::MAX;
            return vec![PrefixOffer {
                prefix: binding.held,
                address: None,
                valid_lifetime_s: for_ever,
                preferred_lifetime_s: for_ever,
            }];
        };
        let own = self.own_address(id);
        let passed = now.mono.since(self.since.unwrap_or(now.mono)).as_secs();
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        let left = |s: Option<u32>| s.map_or(u32::MAX, |s| s.saturating_sub(passed));
        let offer = |p: &super::LinkPrefix| PrefixOffer {
            prefix: p.prefix,
            address: Some(own).filter(|own| p.prefix.contains(*own)),
            valid_lifetime_s: left(p.valid_lifetime_s),
            preferred_lifetime_s: left(p.preferred_lifetime_s),
        };
        let mut offers: Vec<_> = link.prefixes.iter().map(offer).collect();
        offers.retain(|o| o.valid_lifetime_s > 0);
        offers.truncate(OFFERS_MAX);
        offers
    }
}

/// Prefixes in one advertisement: what fits into 1280 bytes.
const OFFERS_MAX: usize = 32;
