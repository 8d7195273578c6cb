//! Revocation and heartbeats: gateways that answer as they should, as they like or not at all,
//! that revoke, restart and fall silent, and an operator who deletes nodes, realms and gateways.
//! What was true of the core stays true, and nothing is left of anybody in the end.

use super::ops::{Op, mag_name, ops};
use super::policy::sessions;
use super::{TICKS, clock};
use crate::case;
use crate::render::{mag, ours};
use crate::world::{World, consistent};
use anchord::mobility::action::Action;
use anchord::mobility::event::Event;
use anchord::mobility::message::{OwnedOptions, PeerBody, PeerMsg, Transport};
use anchord::wire::mh::{
    BindingError, BindingRevocationAck, BindingRevocationIndication, Heartbeat, HeartbeatFlags,
    Ipv4Home, MobilityOption, RevocationFlags, RevocationStatus, RevocationTrigger, SeqNo,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::net::Ipv6Addr;

const CONFIG: &str = r#"
pool = "2001:db8:a000::/61"
pool_ipv4 = "10.1.0.0/29"
max_bindings = 6
max_lifetime = 60
revocation = true
revoke_at_handoff = true
heartbeat = true
mags = { mag1 = { identity = "mag1" }, mag2 = { identity = "mag2" } }
"#;

/// How long an indication is repeated: 1 s and 2 s (RFC 5846 11).
const PATIENCE: u64 = 3 * TICKS;

/// One thing that may happen. Gateways are numbers, as in [`Op`].
#[derive(Debug, Clone)]
enum Step {
    Op(Op),
    /// The indication with this number among those without an answer is answered.
    Bra(usize, u8),
    Bri(Bri),
    /// Its answer to the last heartbeat, or to one that was never sent, with a restart counter.
    Beat(u8, bool, Option<u32>),
    Error(u8),
    Realm(Option<u8>),
    Withdraw(u8),
    Add(u8),
}

/// An indication of a gateway about a node, or about all of its own.
#[derive(Debug, Clone)]
struct Bri {
    mag: u8,
    node: Option<u8>,
    trigger: u8,
    global: bool,
    only_ipv4: bool,
    prefixes: bool,
    seq: u16,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let status = prop_oneof![3 => Just(0), 2 => Just(132), 1 => 0..140_u8];
    let trigger = prop_oneof![4 => Just(5), 2 => Just(128), 1 => 0..135_u8];
    let bri = (1..5_u8, prop::option::of(0..3_u8), trigger, any::<[bool; 3]>(), 0..4_u16);
    let bri = bri.prop_map(|(mag, node, trigger, [global, only_ipv4, prefixes], seq)| {
        Step::Bri(Bri { mag, node, trigger, global, only_ipv4, prefixes, seq })
    });
    let beat = (1..4_u8, prop::bool::weighted(0.8), prop::option::of(0..3_u32));
    let step = prop_oneof![
        4 => Just(None),
        4 => (0..4_usize, status).prop_map(|(n, status)| Some(Step::Bra(n, status))),
        3 => bri.prop_map(Some),
        3 => beat.prop_map(|(mag, asked, counter)| Some(Step::Beat(mag, asked, counter))),
        1 => (1..5_u8).prop_map(|mag| Some(Step::Error(mag))),
        1 => prop::option::of(1..5_u8).prop_map(|mag| Some(Step::Realm(mag))),
        1 => (1..5_u8).prop_map(|mag| Some(Step::Withdraw(mag))),
        2 => (1..5_u8).prop_map(|mag| Some(Step::Add(mag))),
    ];
    (ops(), prop::collection::vec(step, 60)).prop_map(|(ops, steps)| {
        let mixed = ops.into_iter().zip(steps);
        mixed.flat_map(|(op, step)| [Some(Step::Op(op)), step]).flatten().collect()
    })
}

/// What the gateways were told.
#[derive(Debug, Default)]
struct Told {
    /// Indications that may still be repeated, by number: which, and until when.
    indications: BTreeMap<u16, (PeerMsg, u64)>,
    /// The last heartbeat to each.
    heartbeats: BTreeMap<Ipv6Addr, u32>,
}

impl Told {
    fn take(&mut self, actions: &[Action], now: u64) -> Result<(), TestCaseError> {
        self.indications.retain(|_, (_, until)| *until > now);
        for action in actions {
            let Action::Send { msg, .. } = action else { continue };
            match msg.body {
                PeerBody::Bri(bri) => {
                    // No two that are outstanding have a number in common (5.1); what has the same
                    // number is the same (6.3).
                    if let Some((before, _)) = self.indications.get(&bri.seq.0) {
                        prop_assert_eq!(before, msg);
                    } else {
                        self.indications.insert(bri.seq.0, (msg.clone(), now + PATIENCE));
                    }
                }
                PeerBody::Heartbeat(beat) if beat.flags == HeartbeatFlags::default() => {
                    self.heartbeats.insert(msg.dst, beat.seq);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn message(number: u8, body: PeerBody, options: &[MobilityOption<'_>]) -> PeerMsg {
    let src = mag(&mag_name(number));
    let ipv4 = src.to_ipv4_mapped().is_some();
    PeerMsg {
        node: None,
        src,
        dst: ours(src),
        transport: if ipv4 { Transport::Udp(5436) } else { Transport::Ipv6 },
        body,
        options: OwnedOptions::from_options(options).expect("options that fit"),
    }
}

impl Bri {
    fn message(&self, world: &World) -> PeerMsg {
        let all = sessions(world);
        let own = || all.iter().filter(|s| Some(s.node) == self.node);
        let id = self.node.map_or(mag_name(self.mag), |node| format!("mn{node}@example.org"));
        let mut options = vec![MobilityOption::MnId(1, id.as_bytes())];
        if self.prefixes {
            let named = own().flat_map(|s| s.hnp.iter().copied());
            options.extend(named.take(2).map(MobilityOption::HomeNetworkPrefix));
        }
        let home = own().find_map(|s| s.ipv4).and_then(|a| Ipv4Home::new(a, 29));
        let home = home.filter(|_| self.only_ipv4);
        options.extend(home.map(MobilityOption::Ipv4HomeAddressRequest));
        let none = RevocationFlags::default();
        let flags = RevocationFlags::P
            | if self.global { RevocationFlags::G } else { none }
            | if self.only_ipv4 { RevocationFlags::V } else { none };
        let (trigger, seq) = (RevocationTrigger(self.trigger), SeqNo(self.seq));
        let body = PeerBody::Bri(BindingRevocationIndication { trigger, seq, flags });
        message(self.mag, body, &options)
    }
}

/// What a step brings; none: time passes, or the process starts anew.
fn event(step: Step, world: &World, told: &mut Told, now: u64) -> Option<Event> {
    let address = |number| mag(&mag_name(number));
    Some(match step {
        Step::Op(Op::Pbu(pbu)) => Event::Pbu(pbu.message(&sessions(world), now)),
        Step::Op(Op::Delete(node)) => {
            let mn_id = case::mn_id(&format!("mn{node}@example.org"));
            Event::AdminDelete { mn_id, prefix: None, customer: None }
        }
        Step::Op(Op::Wait(_) | Op::Restart) => return None,
        Step::Bra(n, status) => {
            let (&seq, _) = told.indications.iter().nth(n)?;
            let (bri, _) = told.indications.remove(&seq)?;
            let PeerBody::Bri(asked) = bri.body else { return None };
            let (status, flags) = (RevocationStatus(status), asked.flags);
            let ack = BindingRevocationAck { status, seq: SeqNo(seq), flags };
            let options = OwnedOptions::default();
            let body = PeerBody::Bra(ack);
            Event::Peer(PeerMsg { src: bri.dst, dst: bri.src, body, options, ..bri })
        }
        Step::Bri(bri) => Event::Peer(bri.message(world)),
        Step::Beat(number, asked, counter) => {
            let last = told.heartbeats.get(&address(number)).copied().unwrap_or_default();
            let seq = if asked { last } else { last.wrapping_add(7) };
            let body = PeerBody::Heartbeat(Heartbeat { flags: HeartbeatFlags::R, seq });
            let counter = counter.map(MobilityOption::RestartCounter);
            Event::Peer(message(number, body, counter.as_slice()))
        }
        Step::Error(number) => {
            let home_address = Ipv6Addr::UNSPECIFIED;
            let error = BindingError { status: BindingError::UNKNOWN_MH_TYPE, home_address };
            Event::Peer(message(number, PeerBody::BindingError(error), &[]))
        }
        Step::Realm(number) => {
            Event::RealmRevoke { realm: case::mn_id("@example.org"), mag: number.map(address) }
        }
        Step::Withdraw(number) => Event::MagRevoke(address(number)),
        Step::Add(number) => Event::MagAdd(address(number)),
    })
}

/// Sweeps to the end.
fn sweep(world: &mut World, now: u64) -> Result<Vec<Action>, TestCaseError> {
    let mut all = Vec::new();
    for _ in 0..100 {
        if !world.lma.is_sweeping() {
            return Ok(all);
        }
        all.extend(world.handle(Event::Sweep, clock(now)));
    }
    Err(TestCaseError::fail("a sweep that never ends"))
}

fn play(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (mut world, mut told, mut now) = (World::new(CONFIG), Told::default(), 0);
    for step in steps {
        let mut actions = match &step {
            Step::Op(Op::Wait(ticks)) => {
                now += ticks;
                world.pass_until(clock(now))
            }
            Step::Op(Op::Restart) => {
                told = Told::default();
                world.restart(clock(now))
            }
            _ => match event(step, &world, &mut told, now) {
                Some(event) => world.handle(event, clock(now)),
                None => continue,
            },
        };
        actions.extend(sweep(&mut world, now)?);
        told.take(&actions, now)?;
        consistent(&world, clock(now))?;
    }
    // Nobody says anything any more.
    for _ in 0..10 {
        now += 60 * TICKS;
        world.pass_until(clock(now));
        sweep(&mut world, now)?;
        consistent(&world, clock(now))?;
    }
    prop_assert_eq!((world.sessions().len(), world.lma.waiting()), (0, 0));
    prop_assert_eq!(world.lma.poll_timeout(), None);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    // proves: REVOKE-5.1-1
    #[test]
    fn gateways_that_revoke_restart_and_fall_silent_break_nothing(steps in steps()) {
        play(steps)?;
    }
}
