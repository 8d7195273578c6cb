//! A policy store that answers when it likes: late, in any order, twice, never, to nobody, yes and
//! no. What was true of the core stays true, and nobody is answered more often than it asked.

use super::ops::{Op, ops};
use super::{ASKING, Session, clock};
use crate::case::Granting;
use crate::world::{World, invariants};
use anchord::addr::MnId;
use anchord::mobility::action::Action;
use anchord::mobility::event::Event;
use anchord::mobility::message::{OwnedOptions, Transport, UpdateMsg};
use anchord::mobility::question::{PolicyAnswer, QuestionId};
use anchord::wire::mh::{BindingUpdate, MobilityOption};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

/// What the store does.
#[derive(Debug, Clone)]
enum Said {
    Serve,
    NotServed,
    Unavailable,
}

/// One thing that may happen.
#[derive(Debug, Clone)]
enum Step {
    Op(Op),
    /// The question with this number among those of which no answer was given yet is answered; and
    /// again, so often.
    Answer(usize, Said, u8),
    Nobody(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let said = prop_oneof![6 => Just(Said::Serve), 1 => Just(Said::NotServed), 1 => Just(Said::Unavailable)];
    let answer = (0..8_usize, said, prop_oneof![4 => Just(0_u8), 1 => 1..3_u8]);
    let answers = prop::collection::vec(
        prop_oneof![
            4 => Just(None),
            8 => answer.prop_map(|(n, said, again)| Some(Step::Answer(n, said, again))),
            1 => (0..1_000_u64).prop_map(|id| Some(Step::Nobody(id + 1_000_000))),
        ],
        60,
    );
    (ops(), answers).prop_map(|(ops, answers)| {
        let mixed = ops.into_iter().zip(answers);
        mixed.flat_map(|(op, answer)| [Some(Step::Op(op)), answer]).flatten().collect()
    })
}

/// What was said and asked so far.
#[derive(Debug, Default)]
struct Ledger {
    unanswered: BTreeSet<QuestionId>,
    asked_about: BTreeMap<QuestionId, MnId>,
    granted: BTreeSet<Vec<u8>>,
    /// By gateway and node: updates that came, less the answers to them.
    owed: BTreeMap<(Ipv6Addr, Vec<u8>), i64>,
}

impl Ledger {
    fn sent(&mut self, msg: &UpdateMsg) {
        *self.owed.entry((msg.src, mn_id(msg.options.iter()))).or_default() += 1;
    }

    fn take(&mut self, actions: &[Action]) -> Result<(), TestCaseError> {
        for action in actions {
            match action {
                Action::AskPolicy(q) => {
                    let node = (q.id, q.mn_id.clone());
                    prop_assert!(self.unanswered.insert(q.id), "asked twice");
                    prop_assert!(self.asked_about.insert(node.0, node.1).is_none());
                }
                Action::Reply { ack, .. } => {
                    let key = (ack.dst, mn_id(ack.options.iter()));
                    let owed = self.owed.entry(key).or_default();
                    *owed -= 1;
                    prop_assert!(*owed >= 0, "more answers than updates: {:?}", ack);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn mn_id<'o>(mut options: impl Iterator<Item = MobilityOption<'o>>) -> Vec<u8> {
    let id = options.find_map(|o| match o {
        MobilityOption::MnId(_, id) => Some(id.to_vec()),
        _ => None,
    });
    id.unwrap_or_default()
}

/// As far as a message is made from them.
pub(super) fn sessions(world: &World) -> Vec<Session> {
    as_model(world.sessions())
}

/// The same of these.
pub(super) fn as_model(all: Vec<anchord::mobility::binding::Bce>) -> Vec<Session> {
    let node = |id: &MnId| id.bytes().get(2).map_or(0, |b| b - b'0');
    let session = |b: anchord::mobility::binding::Bce, any: &UpdateMsg| Session {
        id: b.id.0,
        node: node(&b.mn_id),
        mag: 0,
        hnp: b.hnp.to_vec(),
        ipv4: b.ipv4.map(|a| a.home.addr()),
        gets: [false; 3],
        gre: None,
        uplink: None,
        att: b.att.0,
        interface: 0,
        seq: b.seq.0,
        timestamp: b.timestamp.0,
        deleting: false,
        ends: 0,
        last: any.clone(),
    };
    let any = UpdateMsg {
        home: None,
        src: Ipv6Addr::UNSPECIFIED,
        dst: Ipv6Addr::UNSPECIFIED,
        transport: Transport::Ipv6,
        update: BindingUpdate::default(),
        options: OwnedOptions::default(),
        header: Box::default(),
    };
    all.into_iter().map(|b| session(b, &any)).collect()
}

fn play(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (mut world, mut ledger, mut now) = (World::new(ASKING), Ledger::default(), 0);
    for step in steps {
        let actions = match step {
            Step::Op(Op::Wait(ticks)) => {
                now += ticks;
                world.pass_until(clock(now))
            }
            Step::Op(Op::Pbu(pbu)) => {
                let msg = pbu.message(&sessions(&world), now);
                ledger.sent(&msg);
                world.handle(Event::Pbu(msg), clock(now))
            }
            Step::Op(Op::Restart) => {
                ledger = Ledger { granted: ledger.granted, ..Ledger::default() };
                world.restart(clock(now))
            }
            Step::Op(Op::Delete(node)) => {
                let mn_id = crate::case::mn_id(&format!("mn{node}@example.org"));
                world.handle(Event::AdminDelete { mn_id, prefix: None, customer: None }, clock(now))
            }
            Step::Answer(n, said, again) => {
                let Some(&question) = ledger.unanswered.iter().nth(n) else { continue };
                ledger.unanswered.remove(&question);
                let answer = match said {
                    Said::Serve => {
                        // A late one grants nothing any more.
                        if world.lma.question(question).is_some() {
                            ledger.granted.insert(ledger.asked_about[&question].bytes().into());
                        }
                        Granting::default().answer(&world.lma)
                    }
                    Said::NotServed => PolicyAnswer::NotServed,
                    Said::Unavailable => PolicyAnswer::Unavailable,
                };
                let mut all = Vec::new();
                for _ in 0..=again {
                    let event = Event::Policy { question, answer: answer.clone() };
                    all.extend(world.handle(event, clock(now)));
                }
                all
            }
            Step::Nobody(id) => {
                let question = QuestionId(id);
                let answer = Granting::default().answer(&world.lma);
                world.handle(Event::Policy { question, answer }, clock(now))
            }
        };
        ledger.take(&actions)?;
        invariants(&world, clock(now))?;
        for session in world.sessions() {
            prop_assert!(ledger.granted.contains(session.mn_id.bytes()), "nobody granted it");
        }
        prop_assert!(world.lma.waiting_for_policy() <= 8 * ledger.asked_about.len());
    }
    // Whoever waited has waited long enough.
    now += 60 * super::TICKS;
    ledger.take(&world.pass_until(clock(now)))?;
    prop_assert_eq!(world.lma.waiting_for_policy() + world.lma.waiting(), 0);
    prop_assert_eq!(world.lma.oldest_question(), None);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    // proves: PMIP6-5.2-1, PMIP6-5.3.2-2
    #[test]
    fn policy_store_that_answers_when_it_likes_breaks_nothing(steps in steps()) {
        play(steps)?;
    }
}
