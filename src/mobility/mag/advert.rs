//! When a bound session advertises, and what (RFC 5213 6.7 and 6.9.2, RFC 4861 section 6.2).

use crate::addr::HomePrefix;
use crate::mobility::mag::AdvertConfig;
use crate::mobility::mag::action::{Advert, AdvertPrefix};
use crate::mobility::mag::event::LinkId;
use crate::time::{Duration, Instant};
use std::net::Ipv6Addr;

/// `MAX_INITIAL_RTR_ADVERTISEMENTS` (RFC 4861 section 10).
const INITIAL_ADVERTS: u8 = 3;
/// `MAX_INITIAL_RTR_ADVERT_INTERVAL` (RFC 4861 section 10).
const INITIAL_ADVERT_INTERVAL: Duration = Duration::from_secs(16);

/// The time of the next unsolicited advertisement.
#[derive(Debug, Clone, Copy)]
pub(super) struct AdvertTimer {
    next_at: Instant,
    initial_left: u8,
}

impl AdvertTimer {
    /// The first one is due now.
    pub(super) fn new(now: Instant) -> Self {
        Self { next_at: now, initial_left: INITIAL_ADVERTS }
    }

    pub(super) fn next_at(&self) -> Instant {
        self.next_at
    }

    /// An advertisement went out.
    pub(super) fn record(&mut self, now: Instant, config: &AdvertConfig) {
        self.initial_left = self.initial_left.saturating_sub(1);
        let interval = if self.initial_left > 0 {
            config.interval.min(INITIAL_ADVERT_INTERVAL)
        } else {
            config.interval
        };
        self.next_at = now + interval;
    }
}

/// Where an advertisement goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct AdvertTo {
    pub(super) link: LinkId,
    pub(super) src: Ipv6Addr,
    pub(super) dst: Option<Ipv6Addr>,
    pub(super) mtu: u16,
}

impl AdvertTo {
    /// We are the default router, and these are the node's prefixes.
    pub(super) fn serving(self, prefixes: &[HomePrefix], config: &AdvertConfig) -> Advert {
        let with = |&prefix: &HomePrefix| AdvertPrefix {
            prefix,
            valid_lifetime_s: config.valid_lifetime_s,
            preferred_lifetime_s: config.preferred_lifetime_s,
        };
        self.advert(config.router_lifetime_s, prefixes.iter().map(with).collect())
    }

    /// These prefixes are gone (RFC 5213 6.12), and `router_lifetime_s` says whether we are too.
    pub(super) fn withdrawing(self, prefixes: &[HomePrefix], router_lifetime_s: u16) -> Advert {
        let gone = |&prefix| AdvertPrefix { prefix, valid_lifetime_s: 0, preferred_lifetime_s: 0 };
        self.advert(router_lifetime_s, prefixes.iter().map(gone).collect())
    }

    fn advert(self, router_lifetime_s: u16, prefixes: Vec<AdvertPrefix>) -> Advert {
        let Self { link, src, dst, mtu } = self;
        Advert { link, src, dst, router_lifetime_s, mtu, prefixes }
    }
}
