//! Another configuration, for a home agent that has registrations.
//!
//! ```text
//!   take_over: tables and links change hands, in one step
//!   review   : each registration, some with each Event::Sweep
//!                its prefix is gone, or valid no more -> the node is told so, the registration ends
//!                its prefix ends before it does       -> it ends with its prefix (RFC 6275 10.6.4)
//!                what its node was told is not so now -> it is told (10.6.2)
//! ```

use super::links::Links;
use super::prefixes::advertise;
use super::{HaConfig, HomeAgent, HomeBinding, HomeState};
use crate::mobility::Lma;
use crate::mobility::action::{Action, BindingId, HomeAudit};
use crate::time::{Duration, Lifetime, MobTimestamp, Now};
use crate::wire::mh::Status;

/// Registrations to look at again.
#[derive(Debug)]
pub(super) struct Review {
    /// What their nodes know.
    known: Known,
    /// Those after this one.
    cursor: Option<BindingId>,
    /// Up to this one: what began later, began under the new configuration.
    last: Option<BindingId>,
}

/// What nodes were told of their links.
#[derive(Debug)]
enum Known {
    /// All that there is to know: they were told by a home agent before this one.
    All,
    /// What these links say.
    Of(Links),
    /// It is not known what.
    Nothing,
}

/// Registrations that are looked at in one step at most.
const STEP: usize = 64;

/// How long nodes are told of a prefix that is gone, beyond the longest delay: until they have been
/// told for the last time.
const LAST_WORDS: Duration = Duration::from_secs(60);

impl HomeAgent {
    /// Goes on with the nodes, the links and the limits of `new`, which has the old nodes
    /// afterwards. Addresses of its own, how many registrations there may be, and the way in which
    /// it goes together with the local mobility anchor hold for a run. What is registered stays
    /// until it is refreshed or ends, as far as its home link is there.
    pub(crate) fn take_over(&mut self, new: &mut Self, now: Now) {
        std::mem::swap(&mut self.nodes, &mut new.nodes);
        let taken = std::mem::take(&mut new.config);
        let old = std::mem::take(&mut self.config);
        self.config = HaConfig {
            enabled: old.enabled,
            address: old.address,
            address_ipv4: old.address_ipv4,
            interworking: old.interworking,
            max_bindings: old.max_bindings,
            ..taken
        };
        let told_for = self.config.max_advertisement_interval + LAST_WORDS;
        new.links.go_on(&self.links, now.mono, told_for);
        std::mem::swap(&mut self.links, &mut new.links);
        let before = std::mem::take(&mut new.links);
        if self.links.are_those_of(&before) {
            return;
        }
        let links = &self.links;
        self.agents.keep(|id| links.has(id));
        let known = if self.review.is_some() { Known::Nothing } else { Known::Of(before) };
        self.begin_review(known);
    }

    /// What was restored is looked at, too: another run may have had other links.
    pub(super) fn review_restored(&mut self) {
        self.begin_review(Known::All);
    }

    fn begin_review(&mut self, known: Known) {
        let last = self.cache.newest();
        self.review = last.map(|last| Review { known, cursor: None, last: Some(last) });
    }

    /// Whether there are registrations to look at again.
    #[must_use]
    pub const fn is_reviewing(&self) -> bool {
        self.review.is_some()
    }

    /// Looks at some of them.
    pub(super) fn review_some(&mut self, lma: &mut Lma, now: Now, actions: &mut Vec<Action>) {
        let Some(mut review) = self.review.take() else { return };
        let next = self.cache.from(review.cursor).map(|b| b.id);
        let ids: Vec<BindingId> =
            next.take_while(|id| Some(*id) <= review.last).take(STEP).collect();
        review.cursor = ids.last().copied();
        for id in &ids {
            self.review_one(*id, &review.known, lma, now, actions);
        }
        if ids.len() == STEP {
            self.review = Some(review);
        }
    }

    fn review_one(
        &mut self,
        id: BindingId,
        known: &Known,
        lma: &mut Lma,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let Some(old) = self.cache.get(id).cloned() else { return };
        if old.state == HomeState::Invalid {
            return;
        }
        let place = self.place(old.customer, &old.mn_id, old.home, lma, now);
        // Below one unit of a lifetime nobody could register with it.
        let valid = |left: Option<Duration>| left.is_none_or(|left| left.as_secs() >= 4);
        let place = place.filter(|p| valid(p.valid));
        let Some(place) = place else {
            return match old.state {
                HomeState::Probing => self.give_up(id, Status::NOT_HOME_SUBNET, lma, now, actions),
                _ => self.end_with_prefix(&old, known, lma, now, actions),
            };
        };
        if old.state == HomeState::Probing && place.link != old.link {
            // Another link has to be asked: the node is to try again.
            return self.give_up(id, Status::INSUFFICIENT_RESOURCES, lma, now, actions);
        }
        let mut new = HomeBinding { link: place.link, ..old.clone() };
        if let Some(left) = place.valid.filter(|left| now.mono + *left < old.deadline) {
            new.lifetime = old.lifetime.min(Lifetime::at_most(left));
            new.deadline = now.mono + left;
            new.ends = MobTimestamp::from_unix(now.wall.to_unix() + left);
        }
        if let Some(probe) = self.probes.get_mut(&id) {
            probe.status = place.success(new.lifetime);
        }
        if new != old {
            if old.state != HomeState::Probing {
                self.publish_change(Some(&old), Some(&new), actions);
                actions.push(Action::Persist(id));
            }
            self.put(new.clone());
        }
        let is_news = match known {
            Known::All => false,
            Known::Of(before) => before.told(&old) != self.links.told(&new),
            Known::Nothing => true,
        };
        if is_news && new.state == HomeState::Active {
            self.announce(&new, now);
        }
    }

    /// RFC 6275 10.6.4: nobody uses an address whose prefix is not valid any more. As long as it is
    /// registered a node can be told so (6.8); what it asks then is answered by a Binding Error.
    fn end_with_prefix(
        &mut self,
        binding: &HomeBinding,
        known: &Known,
        lma: &mut Lma,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let before = match known {
            Known::Of(before) => Some(before),
            Known::All | Known::Nothing => None,
        };
        if self.may_tell(binding.id, now) {
            let told = self.links.told_in_the_end(binding, before);
            actions.push(advertise(binding, None, &told, now));
        }
        self.delete(binding.id, HomeAudit::PrefixGone, lma, actions);
    }
}
