//! The format of a case, and how it is run.
//!
//! ```toml
//! proves = ["PMIP6-5.3.2-7"]
//!
//! [config]                  # all optional; see `Config`
//! pool = "2001:db8:a000::/62"
//!
//! [[step]]
//! at = 0.0                  # seconds since the start; timers that are due go first
//! pbu = { from = "mag1" }   # or bu, probed (see `bu`), rrq, keepalive, revoke (see `mip4`), bri, bra, heartbeat, binding_error (see
//!                           # `peer`), start, drain, delete, answer, mag_add, mag_del, mag_revoke,
//!                           # realm_revoke, or nothing: time passes
//! expect = [
//!   "publish 2001:db8:a000::/64 through mag1",
//! ]
//! ```
//! A PBU has all mandatory options, set to what an initial registration of `mn1@example.org` would
//! have; a step names what differs, and in `without` what is left out.

mod answer;
mod bu;
mod config;
mod mip4;
mod pbu;

use crate::peer;
use crate::render::{self, mag};
use anchord::addr::{HomePrefix, MnId};
use anchord::mobility::Lma;
use anchord::mobility::anchor::Anchor;
use anchord::mobility::config::LmaConfig;
use anchord::mobility::event::Event;
use anchord::mobility::ha::Drain;
use anchord::time::{Duration, Instant, MobTimestamp, Now};
pub(crate) use answer::{Granting, question};
use bu::{Bu, Probed};
use config::Config;
pub(crate) use mip4::authenticator;
use mip4::{Keepalive, Revoke, Rrq};
use pbu::Pbu;
use serde::Deserialize;
use std::fmt::Write as _;

pub(crate) use pbu::{LMA_IPV4, auth_data, secret};

/// A whole case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) proves: Vec<String>,
    #[serde(default)]
    config: Config,
    pub(crate) step: Vec<Step>,
}

/// One thing that happens, and what the core says to it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    at: f64,
    pbu: Option<Pbu>,
    bu: Option<Bu>,
    probed: Option<Probed>,
    rrq: Option<Rrq>,
    keepalive: Option<Keepalive>,
    revoke: Option<Revoke>,
    /// Whether the home agents leave service, or come back.
    drain: Option<bool>,
    answer: Option<Granting>,
    delete: Option<Delete>,
    mag_add: Option<String>,
    mag_del: Option<String>,
    mag_revoke: Option<String>,
    realm_revoke: Option<RealmRevoke>,
    start: Option<Start>,
    bri: Option<peer::Bri>,
    bra: Option<peer::Bra>,
    heartbeat: Option<peer::Beat>,
    binding_error: Option<peer::Error>,
    pub(crate) expect: Vec<String>,
}

/// The process serves from now on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    restart_counter: u32,
    state_lost: bool,
}

/// The operator revokes the sessions of a realm.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RealmRevoke {
    realm: String,
    mag: Option<String>,
}

/// The operator deletes a node's sessions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Delete {
    mn_id: String,
    prefix: Option<HomePrefix>,
}

/// The monotonic clock and the wall clock at the start of a case.
pub(crate) const START: Now = Now {
    mono: Instant(1_000_000_000_000),
    wall: MobTimestamp(1_767_225_600 << 16), // 2026-01-01
};

/// The anchor's address in every case.
pub(crate) const LMA: &str = "2001:db8:1::1";

impl Case {
    /// What the core says in each step.
    pub(crate) fn run(&self) -> Vec<Vec<String>> {
        let mut anchor = self.config.anchor();
        self.step.iter().map(|step| step.run(&mut anchor)).collect()
    }
}

impl Step {
    fn run(&self, anchor: &mut Anchor) -> Vec<String> {
        let now = at(self.at);
        let mut lines = Vec::new();
        let mut actions = Vec::new();
        while let Some(due) = anchor.poll_timeout().filter(|due| *due <= now.mono) {
            anchor.handle_timeout(at(due.since(START.mono).as_secs_f64()), &mut actions);
            lines.extend(actions.drain(..).map(|a| format!("timer: {}", render::action(&a))));
        }
        if let Some(event) = self.event(anchor.lma(), now) {
            anchor.handle(event, now, &mut actions);
        }
        lines.extend(actions.drain(..).map(|a| render::action(&a)));
        while anchor.is_sweeping() {
            anchor.handle(Event::Sweep, now, &mut actions);
            lines.extend(actions.drain(..).map(|a| format!("sweep: {}", render::action(&a))));
        }
        lines
    }

    fn event(&self, lma: &Lma, now: Now) -> Option<Event> {
        if let Some(answer) = &self.answer {
            return Some(answer.event(lma));
        }
        if let Some(bu) = &self.bu {
            return Some(Event::Bu(bu.message()));
        }
        if let Some(probed) = &self.probed {
            let (address, taken) = (probed.address(), probed.taken());
            return Some(Event::HomeProbed { address, taken });
        }
        if let Some(rrq) = &self.rrq {
            return Some(Event::Mip4(rrq.message(now)));
        }
        if let Some(keepalive) = &self.keepalive {
            return Some(Event::Mip4(keepalive.message()));
        }
        if let Some(revoke) = &self.revoke {
            return Some(Event::Mip4(revoke.message(now)));
        }
        if let Some(drain) = self.drain {
            let begin = Drain::Begin { within: None };
            return Some(Event::NodeDrain(if drain { begin } else { Drain::End }));
        }
        if let Some(pbu) = &self.pbu {
            return Some(Event::Pbu(pbu.message(now)));
        }
        if let Some(d) = &self.delete {
            return Some(Event::AdminDelete {
                mn_id: mn_id(&d.mn_id),
                prefix: d.prefix,
                customer: None,
            });
        }
        if let Some(start) = &self.start {
            let &Start { restart_counter, state_lost } = start;
            return Some(Event::Start { restart_counter, state_lost });
        }
        let messages = [
            self.bri.as_ref().map(peer::Bri::message),
            self.bra.as_ref().map(peer::Bra::message),
            self.heartbeat.as_ref().map(peer::Beat::message),
            self.binding_error.as_ref().map(peer::Error::message),
        ];
        if let Some(message) = messages.into_iter().flatten().next() {
            return Some(Event::Peer(message));
        }
        if let Some(r) = &self.realm_revoke {
            let realm = mn_id(&format!("@{}", r.realm));
            return Some(Event::RealmRevoke { realm, mag: r.mag.as_deref().map(mag) });
        }
        if let Some(m) = &self.mag_revoke {
            return Some(Event::MagRevoke(mag(m)));
        }
        let add = self.mag_add.as_ref().map(|m| Event::MagAdd(mag(m)));
        add.or(self.mag_del.as_ref().map(|m| Event::MagDel(mag(m))))
    }
}

/// Both clocks at so many seconds from the start.
fn at(seconds: f64) -> Now {
    let passed = Duration::from_secs_f64(seconds);
    Now { mono: START.mono + passed, wall: shifted(START.wall, seconds) }
}

fn shifted(clock: MobTimestamp, seconds: f64) -> MobTimestamp {
    let by = MobTimestamp::from_unix(Duration::from_secs_f64(seconds.abs())).0;
    MobTimestamp(if seconds < 0.0 { clock.0 - by } else { clock.0 + by })
}

/// The core's configuration from the `[config]` of a case.
pub(crate) fn config(text: &str) -> LmaConfig {
    toml::from_str::<Config>(text).expect("a configuration").lma()
}

/// The wall clock when the monotonic clock is `mono`.
pub(crate) fn wall_at(mono: Instant) -> MobTimestamp {
    MobTimestamp::from_unix(START.wall.to_unix() + mono.since(START.mono))
}

pub(crate) fn mn_id(text: &str) -> MnId {
    // An empty one is none that people may write.
    text.parse().ok().or_else(|| MnId::nai(text)).expect("a short identifier")
}

/// The text of a case with the expectations of its steps replaced.
pub(crate) fn rewrite(text: &str, said: &[Vec<String>]) -> String {
    let mut new = String::new();
    let mut said = said.iter();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("expect = [") {
            inside = !line.ends_with(']');
            new.push_str("expect = [\n");
            for l in said.next().into_iter().flatten() {
                writeln!(new, "  {l:?},").expect("a string takes it");
            }
            new.push_str("]\n");
        } else if inside {
            inside = line != "]";
        } else {
            new.push_str(line);
            new.push('\n');
        }
    }
    new
}
