//! A load without sockets: the home agent is the test.

use super::{Nodes, Plan, following};
use crate::load::{Load, Pace, Phase};
use crate::mobility::message::{AckMsg, OwnedOptions, Transport, UpdateMsg};
use crate::time::{Duration, Instant, Lifetime, MobTimestamp, Now};
use crate::wire::mh::{BaFlags, BindingAck, Status};
use std::net::Ipv6Addr;

const HA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1);
const HOME: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 9);
const COA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 1);

fn pace() -> Pace {
    Pace {
        nodes: 5,
        rate: None,
        window: 3,
        reply_timeout: Duration::from_secs(1),
        retries: 1,
        phases: vec![Phase::Register, Phase::Handoff, Phase::Deregister],
    }
}

fn load(pace: Pace) -> Load<Nodes> {
    let plan = Plan {
        home_agent: HA,
        first_home: HOME,
        home_len: 64,
        first_coa: COA,
        coas: 2,
        lifetime: Lifetime(150),
    };
    Load::new(Nodes::new(plan, pace.nodes), pace, at(0))
}

fn at(ms: u64) -> Now {
    Now { mono: Instant(ms * 1_000_000), wall: MobTimestamp(0) }
}

fn accept(msg: &UpdateMsg) -> AckMsg {
    AckMsg {
        src: msg.dst,
        dst: msg.src,
        transport: Transport::Ipv6,
        home: msg.home,
        ack: BindingAck {
            status: Status::ACCEPTED,
            flags: BaFlags::default(),
            seq: msg.update.seq,
            lifetime: msg.update.lifetime,
        },
        options: OwnedOptions::default(),
    }
}

/// Everything that is to be sent now.
fn sent(load: &mut Load<Nodes>, now: Now) -> Vec<UpdateMsg> {
    core::iter::from_fn(|| load.poll_send(now)).collect()
}

#[test]
fn every_node_goes_through_every_phase_as_the_window_lets() {
    let mut load = load(pace());
    let mut all = Vec::new();
    while !load.is_done() {
        let burst = sent(&mut load, at(1));
        assert!((1..=3).contains(&burst.len()), "{}", burst.len());
        for msg in &burst {
            load.answer(&accept(msg), at(2));
        }
        all.extend(burst);
    }
    assert_eq!(all.len(), 15);
    let homes: Vec<_> = all[..5].iter().filter_map(|m| m.home).collect();
    assert_eq!(homes[4], following(HOME, 4, 64));
    assert_eq!(homes[1].to_string(), "2001:db8:100:1::9");
    let coas =
        |range: core::ops::Range<usize>| all[range].iter().map(|m| m.src).collect::<Vec<_>>();
    assert!(coas(0..5).iter().zip(coas(5..10)).all(|(before, after)| *before != after), "moved");
    assert!(all[10..].iter().all(|m| m.update.lifetime == Lifetime::ZERO));
    assert!(load.outcomes().iter().all(|o| (o.sent, o.accepted) == (5, 5) && o.errors.is_empty()));
}

#[test]
fn answer_that_is_wrong_is_counted_by_what_is_wrong_with_it() {
    let mut load = load(Pace { nodes: 3, phases: vec![Phase::Register], ..pace() });
    let burst = sent(&mut load, at(0));
    let mut acks: Vec<_> = burst.iter().map(accept).collect();
    acks[0].ack.status = Status::NOT_HOME_SUBNET;
    acks[1].ack.lifetime = Lifetime(151);
    acks[2].src = COA;
    for ack in &acks {
        load.answer(ack, at(1));
    }
    load.answer(&acks[2], at(1));
    let kinds: Vec<_> = load.outcomes()[0].errors.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["lifetime", "status 132", "unexpected", "wrong address"]);
    assert!(load.is_done());
}

#[test]
fn update_without_an_answer_is_sent_again_with_the_next_number_and_then_lost() {
    let mut load = load(Pace { nodes: 1, phases: vec![Phase::Register], ..pace() });
    let first = sent(&mut load, at(0));
    assert_eq!(load.poll_timeout(), Some(at(1000).mono));
    assert!(sent(&mut load, at(999)).is_empty());
    let second = sent(&mut load, at(1000));
    assert!(second[0].update.seq.is_after(first[0].update.seq));
    load.answer(&accept(&first[0]), at(1001));
    assert_eq!((load.outcomes()[0].late, load.is_done()), (1, false), "an old answer");
    assert!(sent(&mut load, at(3000)).is_empty());
    assert_eq!(load.outcomes()[0].errors.get("lost"), Some(&1));
}
