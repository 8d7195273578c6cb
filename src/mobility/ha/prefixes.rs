//! What nodes away from home are told of the prefixes of their home link (RFC 6275 10.6).

use super::links::Told;
use super::{HomeAgent, HomeBinding, HomeIcmp, HomeIcmpBody, HomeState, PrefixOffer, Proof, audit};
use crate::addr::ProxyCoa;
use crate::mobility::action::{Action, HomeAudit, Ignored};
use crate::time::{Instant, Now};
use std::net::Ipv6Addr;

/// What a node asks by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    pub(super) id: u16,
    /// It came in ESP.
    pub(super) esp: bool,
}

impl HomeAgent {
    /// A node asks (10.6.2), in ESP or not; it is answered likewise and as soon as may be, at the
    /// address from which it asked (10.6.3).
    pub(super) fn solicited(
        &mut self,
        src: Ipv6Addr,
        home: Ipv6Addr,
        asked: Question,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let is_there = |b: &&HomeBinding| b.state == HomeState::Active && b.care_of == src;
        let binding = self.cache.of_home(home).find(is_there).cloned();
        let ignored = |why| audit(HomeAudit::Ignored(why), None, Some(ProxyCoa(src)));
        // 9.3.1: a Home Address option counts only if there is a binding that says so.
        let Some(binding) = binding else {
            return actions.push(ignored(Ignored::NoSession));
        };
        // 5.4, 6.7: whose other messages have to be in ESP, does not ask without.
        let proof = self.nodes.by_id(&binding.mn_id).map(|node| &node.proof);
        if !asked.esp && matches!(proof, Some(Proof::Esp(_))) {
            return actions.push(ignored(Ignored::Unauthenticated));
        }
        if !self.config.prefix_advertisements {
            return actions.push(ignored(Ignored::Withheld));
        }
        if self.has_asked(&binding, asked, now) {
            actions.push(self.advertisement(&binding, Some(asked), now));
        }
    }

    /// An advertisement as it is now; without an identifier nobody has asked for it.
    pub(super) fn advertisement(
        &self,
        binding: &HomeBinding,
        asked: Option<Question>,
        now: Now,
    ) -> Action {
        advertise(binding, asked, &self.links.told(binding), now)
    }
}

/// Tells a node of these prefixes, with what is left of their lifetimes.
pub(super) fn advertise(
    binding: &HomeBinding,
    asked: Option<Question>,
    told: &[Told],
    now: Now,
) -> Action {
    let left = |until: Option<Instant>| {
        let left = until.map(|until| until.since(now.mono).as_secs());
        left.map_or(u32::MAX, |s| u32::try_from(s).unwrap_or(u32::MAX))
    };
    let offer = |t: &Told| PrefixOffer {
        prefix: t.prefix,
        address: t.address,
        valid_lifetime_s: left(t.span.valid),
        preferred_lifetime_s: left(t.span.preferred),
    };
    let prefixes = told.iter().map(offer).collect();
    let (id, solicited) = (asked.map_or(0, |asked| asked.id), asked.is_some());
    Action::SendIcmp(HomeIcmp {
        // 10.6.3: the address to which the node addressed its registration.
        src: binding.local,
        // 6.8: what nobody has asked for goes to the care-of address, too.
        dst: binding.care_of,
        home: Some(binding.home),
        esp: asked.map_or(binding.transport.is_protected(), |asked| asked.esp),
        body: HomeIcmpBody::PrefixAdvertisement { id, solicited, prefixes },
    })
}
