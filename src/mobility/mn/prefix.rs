//! What a node away from home knows of its home link's prefixes, and how it asks (RFC 6275 11.4.2,
//! 11.4.3).
//!
//! ```text
//!   status 1 in an acknowledgement, an advertisement nobody asked for --> solicitation
//!                                                  again after 3, 6, 12 s | advertisement
//!                                                                         v
//!                                                          what the home link has
//! ```

use super::event::{Action, AuditKind, PrefixAnswer, PrefixQuestion};
use super::row::HomePrefixRow;
use super::{Binding, Mn};
use crate::mobility::digest::Digest;
use crate::time::{Duration, Instant};
use crate::wire::icmpv6::mobility::LinkPrefixInformation;
use std::net::Ipv6Addr;

/// `INITIAL_SOLICIT_TIMER` (RFC 6275 12).
const FIRST_WAIT: Duration = Duration::from_secs(3);
/// Times that a question is put.
const TRIES: u32 = 4;
/// Prefixes of a home link that are remembered.
const KNOWN_MAX: usize = 32;

/// What is known, and what is asked.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    known: Vec<Known>,
    open: Option<Open>,
    /// Identifiers so far.
    asked: u64,
}

/// A question without an answer.
#[derive(Debug, Clone, Copy)]
struct Open {
    id: u16,
    next_at: Instant,
    times: u32,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    information: LinkPrefixInformation,
    since: Instant,
}

impl Prefixes {
    /// When the question is put again.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.open.map(|open| open.next_at)
    }

    /// The prefixes, with what is left of their lifetimes.
    pub(super) fn rows(&self, now: Instant) -> Vec<HomePrefixRow> {
        let row = |k: &Known| {
            let passed = u32::try_from(now.since(k.since).as_secs()).unwrap_or(u32::MAX);
            let left = |s: u32| (s != u32::MAX).then(|| s.saturating_sub(passed));
            HomePrefixRow {
                prefix: k.information.prefix,
                valid_s: left(k.information.valid_lifetime_s),
                preferred_s: left(k.information.preferred_lifetime_s),
            }
        };
        self.known.iter().map(row).collect()
    }
}

impl Mn {
    /// Asks the home agent for the prefixes, unless that was done already.
    pub(super) fn ask_for_prefixes(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.prefixes.open.is_some() {
            return;
        }
        self.prefixes.asked += 1;
        // 11.4.2: a random value.
        let any = Digest::new(self.prefixes.asked).field(&now.0.to_le_bytes()).finish();
        let id = u16::try_from(any >> 48).unwrap_or_default();
        self.prefixes.open = Some(Open { id, next_at: now, times: 0 });
        self.ask_again(now, actions);
    }

    /// Puts the question, as often as it may be put.
    pub(super) fn ask_again(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let ends = self.binding.as_ref().and_then(ends);
        let open = self.prefixes.open.as_mut().filter(|open| open.times < TRIES);
        let Some((open, (care_of, agent))) = open.zip(ends) else {
            self.prefixes.open = None;
            return;
        };
        open.next_at = now + FIRST_WAIT * (1 << open.times);
        open.times += 1;
        let (id, home) = (open.id, self.config.home_address);
        actions.push(Action::SolicitPrefixes(PrefixQuestion { id, care_of, home, agent }));
    }

    /// A Mobile Prefix Advertisement, checked as 11.4.3 says.
    pub(super) fn advertised(
        &mut self,
        answer: PrefixAnswer,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let PrefixAnswer { src, home, id, prefixes } = answer;
        if !self.is_bound_with(src) || home != Some(self.config.home_address) {
            return actions.push(Action::Audit(AuditKind::AdvertisementIgnored));
        }
        if self.prefixes.open.is_none_or(|open| open.id != id) {
            // What nobody asked for is not believed, and a reason to ask.
            actions.push(Action::Audit(AuditKind::AdvertisementUnsolicited));
            return self.ask_for_prefixes(now, actions);
        }
        self.prefixes.open = None;
        let known = |information| Known { information, since: now };
        self.prefixes.known = prefixes.into_iter().take(KNOWN_MAX).map(known).collect();
        actions.push(Action::Audit(AuditKind::PrefixesLearnt));
    }
}

/// Between which addresses a question goes; there is none from an IPv4 network.
fn ends(binding: &Binding) -> Option<(Ipv6Addr, Ipv6Addr)> {
    let care_of = binding.tunnel.ends.care_of;
    care_of.to_ipv4_mapped().is_none().then_some((care_of, binding.agent))
}
