//! Random streams of events against a naive model: lists instead of indexes, one rule after the
//! other as the RFC tells them. After every step the core must say what the model says, and what
//! it said so far must add up to what its cache holds.

use crate::case::{LMA, START};
use crate::render::{address, mag};
use crate::world::{World, invariants};
use anchord::addr::HomePrefix;
use anchord::mobility::action::{Action, AuditKind, Ignored};
use anchord::mobility::event::Event;
use anchord::mobility::message::{OwnedOptions, Transport, UpdateMsg};
use anchord::time::{Duration, Lifetime, MobTimestamp, Now};
use anchord::wire::mh::{
    AccessTech, BindingUpdate, BuFlags, HandoffIndicator, MobilityOption, SeqNo,
};
use proptest::prelude::*;

/// One thing that may happen.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// So many ticks pass.
    Wait(u64),
    Pbu(Pbu),
    /// The process restarts: all that is left is what was persisted.
    Restart,
    Delete(u8),
}

/// A PBU, its prefixes still relative to what the node has.
#[derive(Debug, Clone)]
pub(crate) struct Pbu {
    node: u8,
    mag: u8,
    hnp: Hnp,
    hint: u8,
    att: u8,
    interface: u8,
    seq: u16,
    /// Ticks from the anchor's clock.
    skew: Option<i64>,
    ends: bool,
}

/// Which prefixes a PBU names.
#[derive(Debug, Clone)]
pub(crate) enum Hnp {
    AllZero,
    /// All those of the node's session with this number, or `ALL_ZERO` if it has none.
    Own(usize),
    /// The first of them only.
    Part(usize),
    /// The prefix with this number of the pool.
    Pool(u16),
    NotOurs,
}

pub(crate) fn ops() -> impl Strategy<Value = Vec<Op>> {
    let hnp = prop_oneof![
        4 => Just(Hnp::AllZero),
        6 => (0..3_usize).prop_map(Hnp::Own),
        1 => (0..3_usize).prop_map(Hnp::Part),
        1 => (0..16_u16).prop_map(Hnp::Pool),
        1 => Just(Hnp::NotOurs),
    ];
    let skew = prop_oneof![2 => Just(None), 3 => (-25_i64..25).prop_map(Some)];
    let who = (0..3_u8, 1..4_u8, hnp, 0..6_u8, 4..6_u8, 0..3_u8);
    let pbu = (who, 0..6_u16, skew, prop::bool::weighted(0.25)).prop_map(
        |((node, mag, hnp, hint, att, interface), seq, skew, ends)| {
            Op::Pbu(Pbu { node, mag, hnp, hint, att, interface, seq, skew, ends })
        },
    );
    let op = prop_oneof![
        10 => pbu,
        4 => prop_oneof![0..20_u64, 0..768_u64, 0..4480_u64].prop_map(Op::Wait),
        1 => Just(Op::Restart),
        1 => (0..3_u8).prop_map(Op::Delete),
    ];
    prop::collection::vec(op, 1..60)
}

/// What the model holds of a session.
#[derive(Debug, Clone)]
struct Session {
    node: u8,
    mag: u8,
    hnp: Vec<HomePrefix>,
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
    session: Vec<HomePrefix>,
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
    sessions: Vec<Session>,
    waiting: Vec<Waiting>,
    /// Answers that were due since the last look.
    answers: Vec<Answer>,
}

/// Sessions that the table holds, and prefixes that the pool has.
const TABLE: usize = 5;
const POOL: u128 = 8;
const LIFETIME: u64 = 60 * TICKS;
const DELETE_DELAY: u64 = 10 * TICKS;
const ASSIGN_DELAY: u64 = 3 * TICKS / 2;

/// Ticks a second: exact in nanoseconds and in the units of a timestamp.
const TICKS: u64 = 64;

fn pool_prefix(n: u128) -> HomePrefix {
    let base: HomePrefix = "2001:db8:a000::/61".parse().expect("a prefix");
    HomePrefix::new((base.bits() | (n << 64)).into(), 64).expect("a prefix")
}

/// The configuration that the model assumes: one prefix a session, three gateways.
pub(crate) const CONFIG: &str = r#"
pool = "2001:db8:a000::/61"
max_bindings = 5
max_lifetime = 60
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
    /// The message that `pbu` stands for now.
    fn message(&self, pbu: &Pbu) -> UpdateMsg {
        let own = |n: usize| self.sessions.iter().filter(|s| s.node == pbu.node).nth(n);
        let all_zero = vec!["::/0".parse().expect("a prefix")];
        let hnp = match pbu.hnp {
            Hnp::AllZero => all_zero,
            Hnp::Own(n) => own(n).map_or(all_zero, |s| s.hnp.clone()),
            Hnp::Part(n) => own(n).map_or(all_zero, |s| {
                vec![s.hnp[0], pool_prefix(7)] // never the whole of a session
            }),
            Hnp::Pool(n) => vec![pool_prefix(n.into())],
            Hnp::NotOurs => vec!["2001:db8:beef::/64".parse().expect("a prefix")],
        };
        let id = format!("mn{}@example.org", pbu.node);
        let mut options = vec![MobilityOption::MnId(1, id.as_bytes())];
        options.extend(hnp.iter().map(|p| MobilityOption::HomeNetworkPrefix(*p)));
        options.push(MobilityOption::HandoffIndicator(HandoffIndicator(pbu.hint)));
        options.push(MobilityOption::AccessTech(AccessTech(pbu.att)));
        let interface = [2, 0, 0, 0, 0, pbu.interface];
        if pbu.interface > 0 {
            options.push(MobilityOption::MnLinkLayerId(&interface));
        }
        let timestamp = pbu.skew.map(|skew| stamp(self.now, skew));
        options.extend(timestamp.map(MobilityOption::Timestamp));
        let lifetime = if pbu.ends { Lifetime::ZERO } else { Lifetime(15) };
        UpdateMsg {
            src: mag(&format!("mag{}", pbu.mag)),
            dst: address(LMA),
            transport: Transport::Ipv6,
            update: BindingUpdate { seq: SeqNo(pbu.seq), flags: BuFlags::P, lifetime },
            options: OwnedOptions::from_options(&options).expect("options that fit"),
            header: Box::default(),
        }
    }

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
        while let Some(n) = self.waiting.iter().rposition(|w| w.session == gone.hnp) {
            let w = self.waiting.remove(n);
            self.create(&w.pbu, &w.msg, w.timestamp);
        }
    }

    fn pbu(&mut self, pbu: &Pbu, msg: &UpdateMsg) {
        let timestamp = pbu.skew.map(|skew| stamp(self.now, skew).0);
        if self.sessions.iter().any(|s| s.last == *msg) {
            return self.answers.push(Answer::Status(0));
        }
        let named: Vec<HomePrefix> = msg.options.iter().filter_map(prefix_of).collect();
        let found = self.find(pbu, &named);
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
            Found::Beside(_) => self.answers.push(Answer::Status(155)),
            Found::Maybe(n) => self.park(n, pbu, msg, timestamp, in_order),
            Found::New => self.create(pbu, msg, timestamp),
        }
    }

    /// 5.4.1
    fn find(&self, pbu: &Pbu, named: &[HomePrefix]) -> Found {
        let of_node = |s: &Session| s.node == pbu.node;
        let only = {
            let mut own = (0..self.sessions.len()).filter(|n| of_node(&self.sessions[*n]));
            own.next().filter(|_| own.next().is_none())
        };
        if named.iter().any(|p| p.bits() != 0) {
            let holders: Vec<usize> = named
                .iter()
                .filter_map(|p| self.sessions.iter().position(|s| s.hnp.contains(p)))
                .collect();
            let own = holders.iter().copied().find(|n| of_node(&self.sessions[*n]));
            if let Some(other) = holders.iter().position(|n| !of_node(&self.sessions[*n])) {
                let before = holders[..other].first().copied();
                return Found::Refuse(155, before);
            }
            let Some(n) = own else { return Found::New };
            let s = &self.sessions[n];
            if named != s.hnp {
                return Found::Refuse(159, Some(n));
            }
            let conditions = [
                pbu.interface != 0 && pbu.interface == s.interface && pbu.att == s.att,
                pbu.hint == 2,
                pbu.interface == 0 && s.interface == 0 && pbu.att == s.att && pbu.hint == 3,
                pbu.mag == s.mag && pbu.att == s.att,
            ];
            return if conditions.contains(&true) { Found::Update(n) } else { Found::Beside(n) };
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

    fn create(&mut self, pbu: &Pbu, msg: &UpdateMsg, timestamp: Option<u64>) {
        let named: Vec<HomePrefix> = msg.options.iter().filter_map(prefix_of).collect();
        let held = |p: &HomePrefix| self.sessions.iter().any(|s| s.hnp.contains(p));
        if self.sessions.len() >= TABLE {
            return self.answers.push(Answer::Status(130));
        }
        let ours: Vec<HomePrefix> = (0..POOL).map(pool_prefix).collect();
        let all_zero = named.iter().all(|p| p.bits() == 0);
        if !all_zero && named.iter().any(|p| !ours.contains(p) || held(p)) {
            return self.answers.push(Answer::Status(155));
        }
        self.answers.push(Answer::Status(0));
        self.sessions.push(Session {
            node: pbu.node,
            mag: pbu.mag,
            // Filled in from what the anchor chose, if it was asked to choose.
            hnp: if all_zero { Vec::new() } else { named },
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
        if !self.sessions[n].deleting {
            self.sessions[n].deleting = true;
            self.sessions[n].ends = self.now + DELETE_DELAY;
        }
        self.answers.push(Answer::Status(0));
        let hnp = self.sessions[n].hnp.clone();
        if let Some(w) = self.waiting.iter().rposition(|w| w.session == hnp) {
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
            session: self.sessions[n].hnp.clone(),
            in_order,
            until: self.now + ASSIGN_DELAY,
        };
        match self.waiting.iter_mut().find(|w| same_wait(w, pbu)) {
            Some(old) if is_before(old, stamp, pbu.seq) => {
                *old = Waiting { until: old.until, session: old.session.clone(), ..new };
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

fn prefix_of(option: MobilityOption<'_>) -> Option<HomePrefix> {
    match option {
        MobilityOption::HomeNetworkPrefix(p) => Some(p),
        _ => None,
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
pub(crate) fn play(ops: Vec<Op>) -> Result<World, TestCaseError> {
    let (mut world, mut model) = (World::new(CONFIG), Model::default());
    for op in ops {
        let actions = match op {
            Op::Wait(ticks) => {
                model.wait(ticks);
                world.pass_until(clock(model.now))
            }
            Op::Pbu(pbu) => {
                let msg = model.message(&pbu);
                model.pbu(&pbu, &msg);
                world.handle(Event::Pbu(msg), clock(model.now))
            }
            Op::Restart => {
                // Updates that wait are lost; their gateways send them again.
                model.waiting.clear();
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
                world.handle(Event::AdminDelete { mn_id, prefix: None }, clock(model.now))
            }
        };
        prop_assert_eq!(&answers(&actions), &std::mem::take(&mut model.answers));
        // What the anchor chose, in the order in which it chose it.
        let mut new: Vec<Vec<HomePrefix>> =
            world.sessions().iter().map(|b| b.hnp.to_vec()).collect();
        new.retain(|hnp| !model.sessions.iter().any(|s| s.hnp == *hnp));
        let open = model.sessions.iter_mut().filter(|s| s.hnp.is_empty());
        for (session, hnp) in open.zip(new) {
            session.hnp = hnp;
        }
        compare(&world, &model)?;
        invariants(&world, clock(model.now))?;
    }
    Ok(world)
}

/// The sessions of both, one by one.
fn compare(world: &World, model: &Model) -> Result<(), TestCaseError> {
    let sessions = world.sessions();
    prop_assert_eq!(sessions.len(), model.sessions.len());
    for (b, s) in sessions.iter().zip(&model.sessions) {
        prop_assert_eq!(b.hnp.to_vec(), s.hnp.clone());
        prop_assert_eq!(b.mn_id.to_string(), format!("mn{}@example.org", s.node));
        prop_assert_eq!(b.proxy_coa.0, mag(&format!("mag{}", s.mag)));
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
        play(ops)?;
    }
}
