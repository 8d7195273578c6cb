//! What the policy store answers in a step.

use anchord::addr::{CustomerId, HomePrefix};
use anchord::mobility::Lma;
use anchord::mobility::action::Action;
use anchord::mobility::config::{Profile, Source};
use anchord::mobility::event::Event;
use anchord::mobility::question::{Grant, PolicyAnswer, QuestionId};
use anchord::time::Duration;
use serde::Deserialize;

/// By default that the node may do what the configuration's profile says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::struct_excessive_bools)] // the keys of a file
pub(crate) struct Granting {
    question: u64,
    serve: bool,
    unavailable: bool,
    enabled: bool,
    ipv6: bool,
    own: Vec<HomePrefix>,
    prefixes: Option<u8>,
    /// Seconds.
    max_lifetime: Option<u64>,
    refresh_percent: Option<u8>,
    /// Their places, in the order of their names.
    services: Option<Vec<u16>>,
}

impl Default for Granting {
    fn default() -> Self {
        Self {
            question: 1,
            serve: true,
            unavailable: false,
            enabled: true,
            ipv6: true,
            own: Vec::new(),
            prefixes: None,
            max_lifetime: None,
            refresh_percent: None,
            services: None,
        }
    }
}

impl Granting {
    pub(super) fn event(&self, lma: &Lma) -> Event {
        Event::Policy { question: QuestionId(self.question), answer: self.answer(lma) }
    }

    pub(crate) fn answer(&self, lma: &Lma) -> PolicyAnswer {
        let base = lma.base_profile(CustomerId(0)).expect("nodes are asked for").clone();
        let profile = Profile {
            enabled: self.enabled,
            ipv6: if self.ipv6 { base.ipv6 } else { Source::Denied },
            prefixes: self.prefixes.unwrap_or(base.prefixes),
            max_lifetime: self.max_lifetime.map_or(base.max_lifetime, Duration::from_secs),
            refresh_percent: self.refresh_percent.unwrap_or(base.refresh_percent),
            services: self.services.as_deref().map_or(base.services, Into::into),
            ..base
        };
        match (self.serve, self.unavailable) {
            (_, true) => PolicyAnswer::Unavailable,
            (false, _) => PolicyAnswer::NotServed,
            _ => {
                let own = self.own.as_slice().into();
                PolicyAnswer::Granted(Box::new(Grant { profile, own }))
            }
        }
    }
}

/// The question that an action puts.
pub(crate) fn question(action: &Action) -> Option<QuestionId> {
    match action {
        Action::AskPolicy(question) => Some(question.id),
        _ => None,
    }
}
