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
//! pbu = { from = "mag1" }   # or bri, bra, heartbeat, binding_error (see `peer`), start, delete,
//!                           # mag_add, mag_del, mag_revoke, or nothing: time passes
//! expect = [
//!   "publish 2001:db8:a000::/64 through mag1",
//! ]
//! ```
//! A PBU has all mandatory options, set to what an initial registration of `mn1@example.org` would
//! have; a step names what differs, and in `without` what is left out.

use crate::peer;
use crate::render::{self, address, mag};
use anchord::addr::{AnchorAddr, HomePrefix, MnId};
use anchord::mobility::Lma;
use anchord::mobility::config::{
    LmaConfig, LmaTimers, MagConfig, PeerConfig, Policy, PoolConfig, Profile,
};
use anchord::mobility::event::Event;
use anchord::mobility::message::{OwnedOptions, Transport, UpdateMsg};
use anchord::time::{Duration, Instant, Lifetime, MobTimestamp, Now};
use anchord::wire::mh::{
    AccessTech, BindingUpdate, BuFlags, HandoffIndicator, MobilityOption, SeqNo,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A whole case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) proves: Vec<String>,
    #[serde(default)]
    config: Config,
    pub(crate) step: Vec<Step>,
}

/// What the anchor is told. `mag1`, `mag2` and `mag3` are authorized for everything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    pool: HomePrefix,
    delegated_len: u8,
    prefixes: u8,
    max_lifetime: u64,
    default_profile: bool,
    /// Node to its own prefixes; such a node has the default profile besides.
    nodes: BTreeMap<String, Vec<HomePrefix>>,
    disabled: Vec<String>,
    mags: BTreeMap<String, MagRule>,
    max_bindings: usize,
    delete_delay: f64,
    assign_delay: f64,
    timestamp_window: f64,
    mn_generated_timestamp: bool,
    /// Whether the gateways take part in it, and have their names as identities.
    revocation: bool,
    heartbeat: bool,
    revoke_at_handoff: bool,
    bri_max_retries: u8,
}

/// What a gateway may do, where it is not everything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MagRule {
    authorized: bool,
    prefixes: Vec<HomePrefix>,
    nodes: Vec<String>,
    identity: Option<String>,
}

/// One thing that happens, and what the core says to it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    at: f64,
    pbu: Option<Pbu>,
    delete: Option<Delete>,
    mag_add: Option<String>,
    mag_del: Option<String>,
    mag_revoke: Option<String>,
    start: Option<Start>,
    bri: Option<peer::Bri>,
    bra: Option<peer::Bra>,
    heartbeat: Option<peer::Beat>,
    binding_error: Option<peer::Error>,
    pub(crate) expect: Vec<String>,
}

/// A Proxy Binding Update.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Pbu {
    from: String,
    mn_id: Vec<String>,
    hnp: Vec<HomePrefix>,
    handoff: Vec<u8>,
    att: Vec<u8>,
    seq: u16,
    /// Seconds.
    lifetime: u32,
    /// Seconds from the anchor's clock at this step; absent: sequence numbers order the messages.
    timestamp: Option<f64>,
    mn_ll_id: Option<String>,
    link_local: Option<String>,
    alternate_coa: Option<String>,
    /// Type of an option that nobody knows.
    unknown: Option<u8>,
    without: Vec<String>,
}

/// The process serves from now on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    restart_counter: u32,
    state_lost: bool,
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
        let mut lma = Lma::new(self.config.lma());
        self.step.iter().map(|step| step.run(&mut lma)).collect()
    }
}

impl Step {
    fn run(&self, lma: &mut Lma) -> Vec<String> {
        let now = at(self.at);
        let mut lines = Vec::new();
        let mut actions = Vec::new();
        while let Some(due) = lma.poll_timeout().filter(|due| *due <= now.mono) {
            lma.handle_timeout(at(due.since(START.mono).as_secs_f64()), &mut actions);
            lines.extend(actions.drain(..).map(|a| format!("timer: {}", render::action(&a))));
        }
        if let Some(event) = self.event(now) {
            lma.handle(event, now, &mut actions);
        }
        lines.extend(actions.drain(..).map(|a| render::action(&a)));
        while lma.is_sweeping() {
            lma.handle(Event::Sweep, now, &mut actions);
            lines.extend(actions.drain(..).map(|a| format!("sweep: {}", render::action(&a))));
        }
        lines
    }

    fn event(&self, now: Now) -> Option<Event> {
        if let Some(pbu) = &self.pbu {
            return Some(Event::Pbu(pbu.message(now)));
        }
        if let Some(d) = &self.delete {
            return Some(Event::AdminDelete { mn_id: mn_id(&d.mn_id), prefix: d.prefix });
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
    MnId::nai(text).expect("a short identifier")
}

impl Default for Config {
    fn default() -> Self {
        let timers = LmaTimers::default();
        Self {
            pool: "2001:db8:a000::/48".parse().expect("a prefix"),
            delegated_len: 64,
            prefixes: 1,
            max_lifetime: 3600,
            default_profile: true,
            nodes: BTreeMap::new(),
            disabled: Vec::new(),
            mags: BTreeMap::new(),
            max_bindings: 1000,
            delete_delay: timers.min_delay_before_bce_delete.as_secs_f64(),
            assign_delay: timers.max_delay_before_new_bce_assign.as_secs_f64(),
            timestamp_window: timers.timestamp_validity_window.as_secs_f64(),
            mn_generated_timestamp: timers.mn_generated_timestamp_in_use,
            revocation: false,
            heartbeat: false,
            revoke_at_handoff: false,
            bri_max_retries: timers.bri_max_retries,
        }
    }
}

impl Config {
    fn lma(&self) -> LmaConfig {
        let profile = Profile {
            prefixes: self.prefixes,
            ..Profile::ipv6(0, Duration::from_secs(self.max_lifetime))
        };
        let mut policy = Policy::new(self.default_profile.then(|| profile.clone()));
        for (node, prefixes) in &self.nodes {
            policy.insert(mn_id(node), profile.clone(), prefixes);
        }
        for node in &self.disabled {
            policy.insert(mn_id(node), Profile { enabled: false, ..profile.clone() }, &[]);
        }
        let everything = MagRule::default();
        let rule = |name| (name, self.mags.get(name).unwrap_or(&everything));
        LmaConfig {
            timers: LmaTimers {
                min_delay_before_bce_delete: Duration::from_secs_f64(self.delete_delay),
                max_delay_before_new_bce_assign: Duration::from_secs_f64(self.assign_delay),
                timestamp_validity_window: Duration::from_secs_f64(self.timestamp_window),
                mn_generated_timestamp_in_use: self.mn_generated_timestamp,
                revoke_at_handoff: self.revoke_at_handoff,
                bri_max_retries: self.bri_max_retries,
                ..LmaTimers::default()
            },
            pools: vec![PoolConfig::new(self.pool, self.delegated_len)],
            mags: ["mag1", "mag2", "mag3"]
                .map(rule)
                .map(|(name, rule)| MagConfig {
                    authorized: rule.authorized,
                    prefixes: rule.prefixes.clone(),
                    nodes: rule.nodes.clone(),
                    peer: PeerConfig {
                        heartbeat: self.heartbeat,
                        revocation: self.revocation,
                        revocation_identity: rule.identity.as_deref().map(mn_id),
                    },
                    ..MagConfig::new(mag(name))
                })
                .into(),
            max_bindings: self.max_bindings,
            max_prefixes: 9 * (self.max_bindings + 1),
            ..LmaConfig::new(AnchorAddr(address(LMA)), policy)
        }
    }
}

impl Default for MagRule {
    fn default() -> Self {
        Self { authorized: true, prefixes: Vec::new(), nodes: Vec::new(), identity: None }
    }
}

impl Default for Pbu {
    fn default() -> Self {
        Self {
            from: "mag1".into(),
            mn_id: vec!["mn1@example.org".into()],
            hnp: vec!["::/0".parse().expect("a prefix")],
            handoff: vec![1],
            att: vec![4],
            seq: 1,
            lifetime: 60,
            timestamp: None,
            mn_ll_id: None,
            link_local: None,
            alternate_coa: None,
            unknown: None,
            without: Vec::new(),
        }
    }
}

impl Pbu {
    fn message(&self, now: Now) -> UpdateMsg {
        let with = |name: &str| !self.without.iter().any(|w| w == name);
        let ids: Vec<MnId> = self.mn_id.iter().map(|m| mn_id(m)).collect();
        let ll_id = self.mn_ll_id.as_deref().map(render::bytes_of_hex);
        let mut options = Vec::new();
        if with("mn_id") {
            options.extend(ids.iter().map(|m| MobilityOption::MnId(m.subtype(), m.bytes())));
        }
        if with("hnp") {
            options.extend(self.hnp.iter().map(|p| MobilityOption::HomeNetworkPrefix(*p)));
        }
        if with("handoff") {
            let hints = self.handoff.iter();
            options.extend(hints.map(|h| MobilityOption::HandoffIndicator(HandoffIndicator(*h))));
        }
        if with("att") {
            options.extend(self.att.iter().map(|a| MobilityOption::AccessTech(AccessTech(*a))));
        }
        let timestamp = self.timestamp.map(|skew| shifted(now.wall, skew));
        options.extend(timestamp.map(MobilityOption::Timestamp));
        options.extend(ll_id.as_deref().map(MobilityOption::MnLinkLayerId));
        options.extend(self.link_local.as_deref().map(|a| MobilityOption::LinkLocal(address(a))));
        let coa = self.alternate_coa.as_deref();
        options.extend(coa.map(|c| MobilityOption::AlternateCoa(mag(c))));
        options.extend(self.unknown.map(|kind| MobilityOption::Unknown(kind, &[1, 2, 3])));
        UpdateMsg {
            src: mag(&self.from),
            dst: address(LMA),
            transport: Transport::Ipv6,
            update: BindingUpdate {
                seq: SeqNo(self.seq),
                flags: BuFlags(BuFlags::A.0 | BuFlags::P.0),
                lifetime: Lifetime::at_most(Duration::from_secs(self.lifetime.into())),
            },
            options: OwnedOptions::from_options(&options).expect("options that fit"),
            header: Box::default(),
        }
    }
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
