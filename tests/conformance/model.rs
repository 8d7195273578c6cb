//! Random streams of events against a naive model: lists instead of indexes, one rule after the
//! other as the RFC tells them. After every step the core must say what the model says, and what
//! it said so far must add up to what its cache holds.

mod homes;
mod ops;
mod peers;
mod policy;

use crate::case::START;
use crate::render::mag;
use crate::world::{World, invariants};
use anchord::addr::{Encap, HomePrefix};
use anchord::mobility::action::{Action, AuditKind, BindingId, Ignored};
use anchord::mobility::event::Event;
use anchord::mobility::message::UpdateMsg;
use anchord::time::{Duration, MobTimestamp, Now};
use anchord::wire::mh::MobilityOption;
use ops::{Pbu, mag_name};
use proptest::prelude::*;
use std::net::Ipv4Addr;

pub(crate) use ops::{Op, ops};

/// What the model holds of a session.
#[derive(Debug, Clone)]
struct Session {
    id: u64,
    node: u8,
    mag: u8,
    hnp: Vec<HomePrefix>,
    ipv4: Option<Ipv4Addr>,
    /// It gets a prefix, an address, a key: filled in from what the anchor chose.
    gets: [bool; 3],
    /// As the last update asked for it.
    gre: Option<Option<u32>>,
    /// Ours, once it was needed.
    uplink: Option<u32>,
    att: u8,
    interface: u8,
    seq: u16,
    timestamp: u64,
    deleting: bool,
    ends: u64,
    last: UpdateMsg,
}

/// An update that waits.
#[derive(Debug, Clone)]
struct Waiting {
    msg: UpdateMsg,
    pbu: Pbu,
    timestamp: Option<u64>,
    session: u64,
    in_order: bool,
    until: u64,
}

/// What is to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Status(u8),
    Silence,
}

/// The naive anchor. Time is in ticks since the start.
#[derive(Debug, Default)]
struct Model {
    now: u64,
    last_id: u64,
    sessions: Vec<Session>,
    waiting: Vec<Waiting>,
    /// Answers that were due since the last look.
    answers: Vec<Answer>,
}

/// Sessions that the table holds, and prefixes that the pool has.
const TABLE: usize = 6;
const POOL: u128 = 8;
/// The first address of the IPv4 pool, and those that are given out.
const IPV4_POOL: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 0);
const IPV4_LAST: usize = 6;
const IPV4_FIRST: usize = 2;
const LIFETIME: u64 = 60 * TICKS;
const DELETE_DELAY: u64 = 10 * TICKS;
const ASSIGN_DELAY: u64 = 3 * TICKS / 2;

/// Ticks a second: exact in nanoseconds and in the units of a timestamp.
const TICKS: u64 = 64;

fn pool_prefix(n: u128) -> HomePrefix {
    let base: HomePrefix = "2001:db8:a000::/61".parse().expect("a prefix");
    HomePrefix::new((base.bits() | (n << 64)).into(), 64).expect("a prefix")
}

/// The configuration that the model assumes: one prefix a session, four gateways.
pub(crate) const CONFIG: &str = r#"
pool = "2001:db8:a000::/61"
pool_ipv4 = "10.1.0.0/29"
max_bindings = 6
max_lifetime = 60
"#;

/// The same, but the policy store says so.
const ASKING: &str = r#"
pool = "2001:db8:a000::/61"
pool_ipv4 = "10.1.0.0/29"
max_bindings = 6
max_lifetime = 60
asks = true
"#;

fn clock(ticks: u64) -> Now {
    let passed = Duration::from_nanos(ticks * (1_000_000_000 / TICKS));
    Now { mono: START.mono + passed, wall: stamp(ticks, 0) }
}

/// A clock that is `skew` ticks from the anchor's.
fn stamp(now: u64, skew: i64) -> MobTimestamp {
    let unit = 65_536 / TICKS;
    MobTimestamp((START.wall.0 / unit + now).saturating_add_signed(skew) * unit)
}

impl Model {
    /// Lets time pass: what ends first, ends first.
    fn wait(&mut self, ticks: u64) {
        let until = self.now + ticks;
        loop {
            let session = self.sessions.iter().map(|s| s.ends).min().filter(|e| *e <= until);
            let waiting = self.waiting.iter().map(|w| w.until).min().filter(|e| *e <= until);
            match (session, waiting) {
                (None, None) => break,
                // At the same moment sessions end before waits do.
                (Some(s), w) if w.is_none_or(|w| s <= w) => {
                    self.now = s;
                    let n = self.sessions.iter().position(|x| x.ends == s).expect("found above");
                    self.end(n);
                }
                (_, w) => {
                    self.now = w.expect("not the arm before");
                    let n = self.waiting.iter().position(|x| x.until == self.now);
                    let w = self.waiting.remove(n.expect("found above"));
                    self.create(&w.pbu, &w.msg, w.timestamp);
                }
            }
        }
        self.now = until;
    }

    /// A session ends; what waited for it has nothing to wait for.
    fn end(&mut self, n: usize) {
        let gone = self.sessions.remove(n);
        while let Some(n) = self.waiting.iter().rposition(|w| w.session == gone.id) {
            let w = self.waiting.remove(n);
            self.create(&w.pbu, &w.msg, w.timestamp);
        }
    }

    fn pbu(&mut self, pbu: &Pbu, msg: &UpdateMsg) {
        let timestamp = pbu.skew.map(|skew| stamp(self.now, skew).0);
        if self.sessions.iter().any(|s| s.last == *msg) {
            return self.answers.push(Answer::Status(0));
        }
        let asked = Asked::of(msg);
        let found = self.find(pbu, &asked);
        // 5.5
        let session = match found {
            Found::Update(n) | Found::Maybe(n) | Found::Beside(n) => Some(n),
            Found::Refuse(_, n) => n,
            Found::New => None,
        };
        let mut in_order = true;
        if let Some(t) = timestamp {
            if session.is_some_and(|n| t < self.sessions[n].timestamp) {
                return self.answers.push(Answer::Status(157));
            }
            let near = t.abs_diff(clock(self.now).wall.0) <= 300 * 65_536 / 1000;
            let mut own = self.sessions.iter().filter(|s| s.node == pbu.node);
            if !near || own.any(|s| t <= s.timestamp) {
                return self.answers.push(Answer::Status(156));
            }
        } else {
            let late = |n: usize| {
                let ahead = pbu.seq.wrapping_sub(self.sessions[n].seq);
                !(1..0x8000).contains(&ahead)
            };
            match (session.is_some_and(late), found) {
                (true, Found::Maybe(_)) => in_order = false,
                (true, _) => return self.answers.push(Answer::Status(135)),
                _ => {}
            }
        }
        // 5.3.1 (10), 5844 3.1.2.1
        if asked.hnp.is_empty() && asked.ipv4.is_none() {
            return self.answers.push(Answer::Status(158));
        }
        // 5.3.1 (13)
        match found {
            Found::Refuse(status, _) => self.answers.push(Answer::Status(status)),
            Found::Update(n) if pbu.ends => self.deregister(n, pbu, msg, timestamp),
            Found::Update(n) => self.update(n, pbu, msg, timestamp),
            _ if pbu.ends => {
                self.waiting.retain(|w| !(same_wait(w, pbu) && is_before(w, timestamp, pbu.seq)));
                self.answers.push(Answer::Silence);
            }
            Found::Beside(n) if self.sessions[n].deleting => self.update(n, pbu, msg, timestamp),
            Found::Beside(_) if asked.named_hnp() => self.answers.push(Answer::Status(155)),
            Found::Beside(_) => self.answers.push(Answer::Status(171)),
            Found::Maybe(n) => self.park(n, pbu, msg, timestamp, in_order),
            Found::New => self.create(pbu, msg, timestamp),
        }
    }

    /// 5.4.1
    fn find(&self, pbu: &Pbu, asked: &Asked) -> Found {
        let of_node = |s: &Session| s.node == pbu.node;
        let only = {
            let mut own = (0..self.sessions.len()).filter(|n| of_node(&self.sessions[*n]));
            own.next().filter(|_| own.next().is_none())
        };
        if asked.named_hnp() {
            let holders: Vec<usize> = (asked.hnp.iter())
                .filter_map(|p| self.sessions.iter().position(|s| s.hnp.contains(p)))
                .collect();
            let own = holders.iter().copied().find(|n| of_node(&self.sessions[*n]));
            if let Some(other) = holders.iter().position(|n| !of_node(&self.sessions[*n])) {
                let before = holders[..other].first().copied();
                return Found::Refuse(155, before);
            }
            let Some(n) = own else { return Found::New };
            if asked.hnp != self.sessions[n].hnp {
                return Found::Refuse(159, Some(n));
            }
            return self.find_by_condition(n, pbu);
        }
        // 5844 3.1.2.7
        if let Some(a) = asked.named_ipv4() {
            return match self.sessions.iter().position(|s| s.ipv4 == Some(a)) {
                None => Found::New,
                Some(n) if !of_node(&self.sessions[n]) => Found::Refuse(171, None),
                Some(n) => self.find_by_condition(n, pbu),
            };
        }
        let maybe = |n: usize| {
            if self.sessions[n].deleting { Found::Update(n) } else { Found::Maybe(n) }
        };
        if pbu.interface != 0 {
            let same = |s: &Session| of_node(s) && s.interface == pbu.interface && s.att == pbu.att;
            // The newest, should there be two.
            return match (self.sessions.iter().rposition(same), only, pbu.hint) {
                (Some(n), ..) | (None, Some(n), 2) => Found::Update(n),
                (None, Some(n), 4) => maybe(n),
                _ => Found::New,
            };
        }
        match (only, pbu.hint) {
            (Some(n), 2 | 3) => Found::Update(n),
            (Some(n), 4) => maybe(n),
            _ => Found::New,
        }
    }

    /// 5.4.1.1 (5), (6)
    fn find_by_condition(&self, n: usize, pbu: &Pbu) -> Found {
        let s = &self.sessions[n];
        let conditions = [
            pbu.interface != 0 && pbu.interface == s.interface && pbu.att == s.att,
            pbu.hint == 2,
            pbu.interface == 0 && s.interface == 0 && pbu.att == s.att && pbu.hint == 3,
            pbu.mag == s.mag && pbu.att == s.att,
        ];
        if conditions.contains(&true) { Found::Update(n) } else { Found::Beside(n) }
    }

    /// 5844 3.1.2.2: whether a session can have the address that is asked for.
    fn check_ipv4(&self, asked: &Asked) -> Result<(), u8> {
        let held: Vec<Ipv4Addr> = self.sessions.iter().filter_map(|s| s.ipv4).collect();
        // Chosen in this step, not yet filled in; what waited names no address.
        let chosen = self.sessions.iter().filter(|s| s.gets[1]).count();
        match (asked.ipv4, asked.named_ipv4()) {
            (None, _) => Ok(()),
            (_, None) if held.len() + chosen > IPV4_LAST - IPV4_FIRST => Err(130),
            (_, None) => Ok(()),
            (_, Some(a)) => {
                let place = a.to_bits().wrapping_sub(IPV4_POOL.to_bits()) as usize;
                let free = (IPV4_FIRST..=IPV4_LAST).contains(&place) && !held.contains(&a);
                if free { Ok(()) } else { Err(171) }
            }
        }
    }

    fn create(&mut self, pbu: &Pbu, msg: &UpdateMsg, timestamp: Option<u64>) {
        let asked = Asked::of(msg);
        let held = |p: &HomePrefix| self.sessions.iter().any(|s| s.hnp.contains(p));
        if self.sessions.len() >= TABLE {
            return self.answers.push(Answer::Status(130));
        }
        let ours: Vec<HomePrefix> = (0..POOL).map(pool_prefix).collect();
        if asked.named_hnp() && asked.hnp.iter().any(|p| !ours.contains(p) || held(p)) {
            return self.answers.push(Answer::Status(155));
        }
        if let Err(status) = self.check_ipv4(&asked) {
            return self.answers.push(Answer::Status(status));
        }
        self.answers.push(Answer::Status(0));
        self.last_id += 1;
        let chosen_hnp = !asked.hnp.is_empty() && !asked.named_hnp();
        self.sessions.push(Session {
            id: self.last_id,
            node: pbu.node,
            mag: pbu.mag,
            ipv4: asked.named_ipv4(),
            gets: [
                chosen_hnp,
                asked.ipv4.is_some() && asked.named_ipv4().is_none(),
                matches!(pbu.gre, Some(Some(_))),
            ],
            hnp: if asked.named_hnp() { asked.hnp } else { Vec::new() },
            gre: pbu.gre,
            uplink: None,
            att: pbu.att,
            interface: pbu.interface,
            seq: pbu.seq,
            timestamp: timestamp.unwrap_or(0),
            deleting: false,
            ends: self.now + LIFETIME,
            last: msg.clone(),
        });
    }

    fn take_over(&mut self, n: usize, pbu: &Pbu, msg: &UpdateMsg, timestamp: Option<u64>) {
        let s = &mut self.sessions[n];
        (s.mag, s.att, s.interface, s.seq) = (pbu.mag, pbu.att, pbu.interface, pbu.seq);
        s.timestamp = timestamp.map_or(0, |t| t.max(s.timestamp));
        s.last = msg.clone();
    }

    fn update(&mut self, n: usize, pbu: &Pbu, msg: &UpdateMsg, timestamp: Option<u64>) {
        let (asked, s) = (Asked::of(msg), &self.sessions[n]);
        if s.ipv4.is_some() && asked.named_ipv4().is_some_and(|a| s.ipv4 != Some(a)) {
            return self.answers.push(Answer::Status(171));
        }
        let gets_ipv4 = s.ipv4.is_none() && asked.ipv4.is_some();
        if let (true, Err(status)) = (gets_ipv4, self.check_ipv4(&asked)) {
            return self.answers.push(Answer::Status(status));
        }
        let s = &mut self.sessions[n];
        // 5844 3.1.2.4
        if s.mag != pbu.mag && asked.hnp.is_empty() {
            s.hnp.clear();
        }
        if s.mag != pbu.mag && asked.ipv4.is_none() {
            s.ipv4 = None;
        }
        // 5844 3.1.2.1: a family that it had not.
        let gets_hnp = s.hnp.is_empty() && !asked.hnp.is_empty();
        s.ipv4 = s.ipv4.or(asked.named_ipv4());
        let gets_key = matches!(pbu.gre, Some(Some(_))) && s.uplink.is_none();
        s.gets = [gets_hnp, gets_ipv4 && s.ipv4.is_none(), gets_key];
        s.gre = pbu.gre;
        self.take_over(n, pbu, msg, timestamp);
        self.sessions[n].deleting = false;
        self.sessions[n].ends = self.now + LIFETIME;
        self.answers.push(Answer::Status(0));
    }

    fn deregister(&mut self, n: usize, pbu: &Pbu, msg: &UpdateMsg, timestamp: Option<u64>) {
        if self.sessions[n].mag != pbu.mag {
            self.waiting.retain(|w| !(same_wait(w, pbu) && is_before(w, timestamp, pbu.seq)));
            return self.answers.push(Answer::Silence);
        }
        self.take_over(n, pbu, msg, timestamp);
        // 5844 3.1.2.5
        let (asked, s) = (Asked::of(msg), &mut self.sessions[n]);
        if !s.deleting && !s.hnp.is_empty() && s.ipv4.is_some() {
            match (asked.hnp.is_empty(), asked.ipv4.is_none()) {
                (true, false) => s.ipv4 = None,
                (false, true) => s.hnp.clear(),
                _ => {}
            }
            if s.hnp.is_empty() || s.ipv4.is_none() {
                return self.answers.push(Answer::Status(0));
            }
        }
        if !self.sessions[n].deleting {
            self.sessions[n].deleting = true;
            self.sessions[n].ends = self.now + DELETE_DELAY;
        }
        self.answers.push(Answer::Status(0));
        let id = self.sessions[n].id;
        if let Some(w) = self.waiting.iter().rposition(|w| w.session == id) {
            let w = self.waiting.remove(w);
            if w.in_order {
                self.update(n, &w.pbu, &w.msg, w.timestamp);
            } else {
                self.answers.push(Answer::Status(135));
            }
        }
    }

    fn park(&mut self, n: usize, pbu: &Pbu, msg: &UpdateMsg, stamp: Option<u64>, in_order: bool) {
        self.answers.push(Answer::Silence);
        let new = Waiting {
            msg: msg.clone(),
            pbu: pbu.clone(),
            timestamp: stamp,
            session: self.sessions[n].id,
            in_order,
            until: self.now + ASSIGN_DELAY,
        };
        match self.waiting.iter_mut().find(|w| same_wait(w, pbu)) {
            Some(old) if is_before(old, stamp, pbu.seq) => {
                *old = Waiting { until: old.until, session: old.session, ..new };
            }
            Some(_) => {}
            None => self.waiting.push(new),
        }
    }
}

/// What a PBU is about; numbers of sessions.
#[derive(Debug, Clone, Copy)]
enum Found {
    Update(usize),
    Maybe(usize),
    Beside(usize),
    New,
    Refuse(u8, Option<usize>),
}

/// The addresses that a PBU asks for.
#[derive(Debug)]
struct Asked {
    hnp: Vec<HomePrefix>,
    ipv4: Option<Ipv4Addr>,
}

impl Asked {
    fn of(msg: &UpdateMsg) -> Self {
        let hnp = msg.options.iter().filter_map(|o| match o {
            MobilityOption::HomeNetworkPrefix(p) => Some(p),
            _ => None,
        });
        let ipv4 = msg.options.iter().find_map(|o| match o {
            MobilityOption::Ipv4HomeAddressRequest(home) => Some(home.addr()),
            _ => None,
        });
        Self { hnp: hnp.collect(), ipv4 }
    }

    fn named_hnp(&self) -> bool {
        self.hnp.iter().any(|p| p.bits() != 0)
    }

    fn named_ipv4(&self) -> Option<Ipv4Addr> {
        self.ipv4.filter(|a| !a.is_unspecified())
    }
}

fn same_wait(w: &Waiting, pbu: &Pbu) -> bool {
    w.pbu.node == pbu.node && w.pbu.mag == pbu.mag
}

fn is_before(w: &Waiting, timestamp: Option<u64>, seq: u16) -> bool {
    match (w.timestamp, timestamp) {
        (Some(old), Some(new)) => new > old,
        _ => (1..0x8000).contains(&seq.wrapping_sub(w.pbu.seq)),
    }
}

/// The answers in a stream of actions.
fn answers(actions: &[Action]) -> Vec<Answer> {
    let answer = |a: &Action| match a {
        Action::Reply { ack, .. } => Some(Answer::Status(ack.ack.status.0)),
        Action::Audit(a) => match a.kind {
            AuditKind::Ignored(Ignored::NotServing | Ignored::NoSession | Ignored::Waiting) => {
                Some(Answer::Silence)
            }
            _ => None,
        },
        _ => None,
    };
    actions.iter().filter_map(answer).collect()
}

/// Plays a stream through the core and the model.
pub(crate) fn play(config: &'static str, ops: Vec<Op>) -> Result<World, TestCaseError> {
    let (mut world, mut model) = (World::new(config), Model::default());
    for op in ops {
        let actions = match op {
            Op::Wait(ticks) => {
                model.wait(ticks);
                world.pass_until(clock(model.now))
            }
            Op::Pbu(pbu) => {
                let msg = pbu.message(&model.sessions, model.now);
                model.pbu(&pbu, &msg);
                world.handle_granting(Event::Pbu(msg), clock(model.now))
            }
            Op::Restart => {
                // Updates that wait are lost; their gateways send them again.
                model.waiting.clear();
                model.last_id = model.sessions.iter().map(|s| s.id).max().unwrap_or(0);
                world.restart(clock(model.now))
            }
            Op::Delete(node) => {
                while let Some(n) = model.sessions.iter().rposition(|s| s.node == node) {
                    model.end(n);
                    if model.sessions.len() > n
                        && model.sessions[n..].iter().any(|s| s.node == node)
                    {
                        break; // what waited began a session, which the operator did not mean
                    }
                }
                let mn_id = crate::case::mn_id(&format!("mn{node}@example.org"));
                world.handle(
                    Event::AdminDelete { mn_id, prefix: None, customer: None },
                    clock(model.now),
                )
            }
        };
        prop_assert_eq!(&answers(&actions), &std::mem::take(&mut model.answers));
        model.fill(&world);
        compare(&world, &model)?;
        invariants(&world, clock(model.now))?;
    }
    Ok(world)
}

impl Model {
    /// Takes over what the anchor chose where it was to choose, and no more.
    fn fill(&mut self, world: &World) {
        for s in &mut self.sessions {
            let Some(b) = world.lma.cache().get(BindingId(s.id)) else { continue };
            let [hnp, ipv4, key] = std::mem::take(&mut s.gets);
            if hnp {
                s.hnp = b.hnp.to_vec();
                assert!(s.hnp.len() == 1 && (0..POOL).any(|n| pool_prefix(n) == s.hnp[0]));
            }
            if ipv4 {
                s.ipv4 = b.ipv4.map(|a| a.home.addr());
                assert!(s.ipv4.is_some_and(|a| a.octets()[3] >= 2 && a.octets()[3] <= 6));
            }
            if key {
                s.uplink = b.gre_keys.uplink;
                assert!(s.uplink.is_some());
            }
        }
    }
}

/// The sessions of both, one by one.
fn compare(world: &World, model: &Model) -> Result<(), TestCaseError> {
    let sessions = world.sessions();
    prop_assert_eq!(sessions.len(), model.sessions.len());
    for (b, s) in sessions.iter().zip(&model.sessions) {
        prop_assert_eq!(b.id.0, s.id);
        prop_assert_eq!(b.hnp.to_vec(), s.hnp.clone());
        prop_assert_eq!(b.ipv4.map(|a| a.home.addr()), s.ipv4);
        prop_assert_eq!((b.gre_keys.downlink, b.gre_keys.uplink), (s.gre.flatten(), s.uplink));
        prop_assert_eq!(b.encap, if s.gre.is_some() { Encap::Gre } else { Encap::Ip });
        prop_assert_eq!(b.mn_id.to_string(), format!("mn{}@example.org", s.node));
        prop_assert_eq!(b.proxy_coa.0, mag(&mag_name(s.mag)));
        prop_assert_eq!((b.att.0, b.seq.0, b.timestamp.0), (s.att, s.seq, s.timestamp));
        prop_assert_eq!(format!("{:?}", b.state) == "Deleting", s.deleting);
        prop_assert_eq!(
            b.remaining(clock(model.now).mono),
            clock(s.ends).mono.since(clock(model.now).mono)
        );
    }
    prop_assert_eq!(world.lma.waiting(), model.waiting.len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    // proves: PMIP6-5.1-1, PMIP6-5.2-1, PMIP6-5.2-2, PMIP6-5.2-3, PMIP6-5.3.2-2, PMIP6-5.4.1-1
    #[test]
    fn core_agrees_with_a_naive_model(ops in ops()) {
        play(CONFIG, ops)?;
    }

    #[test]
    fn policy_store_that_answers_at_once_makes_no_difference(ops in ops()) {
        play(ASKING, ops)?;
    }
}
