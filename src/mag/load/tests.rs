//! The load against the anchor's own core, in memory and in a time of their own.

use super::*;
use crate::load::{Load, Outcome, Pace};
use crate::mobility::Lma;
use crate::mobility::action::Action;
use crate::mobility::config::{LmaConfig, MagConfig, Policy, PoolConfig, Profile, Source};
use crate::mobility::event::Event;
use crate::mobility::message::{OwnedOptions, PeerBody, PeerMsg, Transport};
use crate::time::{Duration, Instant};
use crate::wire::mh::{
    BindingRevocationIndication, Heartbeat, HeartbeatFlags, Ipv4HomeStatus, RevocationFlags,
    RevocationStatus, RevocationTrigger, Status,
};
use std::collections::BTreeMap;

const LMA: AnchorAddr = AnchorAddr(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1));
const FIRST: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 0x11);
const LMA4: AnchorAddr = AnchorAddr(Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped());
const FIRST4: Ipv6Addr = Ipv4Addr::new(192, 0, 2, 11).to_ipv6_mapped();
const ALL: [Phase; 5] =
    [Phase::Register, Phase::Refresh, Phase::Handoff, Phase::Handoff, Phase::Deregister];

fn plan() -> Plan {
    Plan {
        lma: LMA,
        first_mag: FIRST,
        mags: 3,
        first_node: 7,
        lifetime: Lifetime(900),
        mix: Mix::default(),
    }
}

fn pace(nodes: u32, phases: &[Phase]) -> Pace {
    Pace {
        nodes,
        rate: Some(1000),
        window: 64,
        reply_timeout: Duration::from_secs(1),
        retries: 3,
        phases: phases.to_vec(),
    }
}

fn load(plan: Plan, pace: Pace) -> Load<Gateways> {
    Load::new(Gateways::new(plan, pace.nodes), pace, at(0))
}

/// An anchor that has prefixes for `capacity` nodes.
fn anchor(capacity: usize) -> Lma {
    let policy = Policy::new(Some(Profile::ipv6(0, Duration::from_secs(3600))));
    Lma::new(LmaConfig {
        pools: vec![PoolConfig::new("2001:db8:100::/40".parse().expect("prefix"), 64)],
        mags: (0..3).map(|n| MagConfig::new(mag_address(FIRST, n))).collect(),
        max_bindings: capacity,
        ..LmaConfig::new(LMA, policy)
    })
}

/// An anchor on both families that gives out addresses of both.
fn dual_stack_anchor() -> Lma {
    let policy = Policy::new(Some(Profile {
        ipv4: Source::Pool(1),
        ..Profile::ipv6(0, Duration::from_secs(3600))
    }));
    let home = "10.0.0.0/16".parse().expect("prefix");
    let mags = (0..3).flat_map(|n| [mag_address(FIRST, n), mag_address(FIRST4, n)]);
    Lma::new(LmaConfig {
        lma_address_ipv4: LMA4.0.to_ipv4_mapped(),
        accept_forced_udp: true,
        pools: vec![
            PoolConfig::new("2001:db8:100::/40".parse().expect("prefix"), 64),
            PoolConfig::new(home, 128),
        ],
        mags: mags.map(MagConfig::new).collect(),
        ..LmaConfig::new(LMA, policy)
    })
}

fn at(ms: u64) -> Now {
    let since = Duration::from_millis(ms);
    let wall = MobTimestamp::from_unix(Duration::from_secs(1_700_000_000) + since);
    Now { mono: Instant(0) + since, wall }
}

/// Runs the load, a millisecond a step; `tamper` may change or swallow an answer.
fn run(
    plan: Plan,
    pace: Pace,
    lma: &mut Lma,
    mut tamper: impl FnMut(&mut AckMsg) -> bool,
) -> Vec<Outcome> {
    let mut load = load(plan, pace);
    for ms in 0..60_000 {
        let mut actions = Vec::new();
        lma.handle_timeout(at(ms), &mut actions);
        while let Some(msg) = load.poll_send(at(ms)) {
            lma.handle(Event::Pbu(msg), at(ms), &mut actions);
        }
        for action in actions {
            if let Action::Reply { mut ack, .. } = action
                && tamper(&mut ack)
            {
                load.answer(&ack, at(ms + 1));
            }
        }
        if load.is_done() {
            return load.outcomes().to_vec();
        }
    }
    unreachable!("a minute is enough for every test")
}

#[test]
fn every_phase_of_every_node_is_accepted_by_the_anchors_core() {
    let mut lma = anchor(10_000);
    let outcomes = run(plan(), pace(500, &ALL), &mut lma, |_| true);
    assert_eq!(outcomes.iter().map(|o| o.phase).collect::<Vec<_>>(), ALL);
    for o in &outcomes {
        assert_eq!((o.sent, o.accepted, o.skipped), (500, 500, 0), "{:?}: {:?}", o.phase, o.errors);
        assert!(o.errors.is_empty());
        // A thousand a second.
        assert!(o.took >= Duration::from_millis(499) && o.took <= Duration::from_millis(510));
        assert_eq!(o.latency.max(), Duration::from_millis(1));
    }
}

#[test]
fn nodes_of_all_kinds_keep_prefix_address_and_key_over_handoffs() {
    let mix = Mix { ipv4: 60, gre: 40, udp: 50 };
    for (lma, first_mag) in [(LMA, FIRST), (LMA4, FIRST4)] {
        let plan = Plan { lma, first_mag, mix, ..plan() };
        for o in run(plan, pace(200, &ALL), &mut dual_stack_anchor(), |_| true) {
            assert_eq!(o.accepted, 200, "{:?}: {:?}", o.phase, o.errors);
        }
    }
    let kinds: std::collections::BTreeSet<_> =
        (0..200).map(|n| (mix.ipv4(n), mix.gre(n), mix.udp(n))).collect();
    assert_eq!(kinds.len(), 8, "every combination occurs");
}

#[test]
fn address_or_key_that_is_missing_or_changes_is_an_error() {
    let mix = Mix { ipv4: 100, gre: 100, udp: 0 };
    let plan = Plan { mix, ..plan() };
    let pace = pace(10, &[Phase::Register, Phase::Handoff]);
    let changed = |with: MobilityOption<'_>| {
        let mut answers = 0;
        let outcomes = run(plan.clone(), pace.clone(), &mut dual_stack_anchor(), |ack| {
            answers += 1;
            if answers == 15 {
                replace(ack, with);
            }
            true
        });
        assert!(outcomes[0].errors.is_empty());
        outcomes[1].errors.clone()
    };
    let only = |kind: &str| BTreeMap::from([(kind.to_owned(), 1)]);
    let home = Ipv4Home::new(Ipv4Addr::new(10, 0, 9, 9), 16).expect("length");
    let reply = MobilityOption::Ipv4HomeAddressReply(Ipv4HomeStatus::SUCCESS, home);
    assert_eq!(changed(reply), only("IPv4 address changed"));
    let reply = MobilityOption::Ipv4HomeAddressReply(Ipv4HomeStatus::REASON_UNSPECIFIED, home);
    assert_eq!(changed(reply), only("no IPv4 address"));
    assert_eq!(changed(MobilityOption::GreKey(Some(GreKey(9999)))), only("uplink key changed"));
    assert_eq!(changed(MobilityOption::GreKey(None)), only("uplink key"));
}

#[test]
fn revocations_and_heartbeats_are_answered_and_a_revoked_node_has_nothing() {
    let mut lma = anchor(10);
    let mut load = load(plan(), pace(1, &[Phase::Register]));
    let pbu = load.poll_send(at(0)).expect("due");
    let mut actions = Vec::new();
    lma.handle(Event::Pbu(pbu), at(0), &mut actions);
    for action in actions {
        if let Action::Reply { ack, .. } = action {
            load.answer(&ack, at(1));
        }
    }
    assert!(load.player.nodes[0].has.is_some());
    let message = |body, options: &[MobilityOption<'_>]| PeerMsg {
        node: None,
        src: LMA.0,
        dst: FIRST,
        transport: Transport::Ipv6,
        body,
        options: OwnedOptions::from_options(options).expect("short"),
    };
    let beat = Heartbeat { flags: HeartbeatFlags::default(), seq: 9 };
    let answer = load.peer(&message(PeerBody::Heartbeat(beat), &[])).expect("an answer");
    assert_eq!((answer.src, answer.dst), (FIRST, LMA.0));
    let beat = Heartbeat { flags: HeartbeatFlags::R, seq: 9 };
    assert_eq!(answer.body, PeerBody::Heartbeat(beat));

    let bri = |trigger| {
        let flags = RevocationFlags::P;
        let named = [MobilityOption::MnId(MnId::NAI, b"mn7@load.example")];
        let bri = BindingRevocationIndication { trigger, seq: SeqNo(3), flags };
        message(PeerBody::Bri(bri), &named)
    };
    let status = |answer: Option<PeerMsg>| match answer.map(|a| a.body) {
        Some(PeerBody::Bra(bra)) => bra.status,
        other => unreachable!("{other:?}"),
    };
    let (handoff, admin) = (RevocationTrigger::HANDOFF_UNKNOWN, RevocationTrigger::ADMINISTRATIVE);
    assert_eq!(status(load.peer(&bri(handoff))), RevocationStatus::SUCCESS);
    assert!(load.player.nodes[0].has.is_some(), "it went to another gateway");
    assert_eq!(status(load.peer(&bri(admin))), RevocationStatus::SUCCESS);
    assert!(load.player.nodes[0].has.is_none() && load.player.owners.is_empty());
    assert_eq!(status(load.peer(&bri(admin))), RevocationStatus::BINDING_DOES_NOT_EXIST);
    let counted = load.outcomes().last().map(|o| (o.revocations, o.heartbeats));
    assert_eq!(counted, Some((3, 1)));
}

#[test]
fn refusals_and_what_follows_from_them_are_counted() {
    let outcomes = run(plan(), pace(100, &ALL), &mut anchor(60), |_| true);
    assert_eq!(outcomes[0].accepted, 60);
    assert_eq!(outcomes[0].errors.get("status 130"), Some(&40));
    assert_eq!((outcomes[1].accepted, outcomes[1].skipped), (60, 40));
}

#[test]
fn lost_answers_are_asked_for_again_until_none_is_missing() {
    let mut n = 0;
    for o in run(plan(), pace(100, &ALL), &mut anchor(1000), |_| {
        n += 1;
        n % 10 != 0
    }) {
        assert_eq!((o.sent, o.accepted), (100, 100), "{:?}: {:?}", o.phase, o.errors);
        assert!((10..=14).contains(&o.retransmitted) && o.errors.is_empty(), "{}", o.retransmitted);
        assert!(o.latency.max() >= Duration::from_secs(1), "the first transmission counts");
    }
}

#[test]
fn nodes_that_are_never_answered_are_lost_and_do_not_stop_the_load() {
    let silent = b"mn7@load.example";
    let outcomes = run(plan(), pace(100, &[Phase::Register]), &mut anchor(1000), |ack| {
        !ack.options.iter().any(|o| o == MobilityOption::MnId(MnId::NAI, silent))
    });
    let o = &outcomes[0];
    assert_eq!((o.accepted, o.retransmitted), (99, 3));
    assert_eq!(o.errors, BTreeMap::from([("lost".into(), 1)]));
}

#[test]
fn answer_to_what_was_sent_again_meanwhile_is_late_and_no_error() {
    let mut lma = anchor(10);
    let mut load = load(plan(), pace(1, &[Phase::Register]));
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for (ms, actions) in [(0, &mut first), (1000, &mut second)] {
        let pbu = load.poll_send(at(ms)).expect("due");
        lma.handle(Event::Pbu(pbu), at(ms), actions);
    }
    for action in first.into_iter().chain(second) {
        if let Action::Reply { ack, .. } = action {
            load.answer(&ack, at(1001));
        }
    }
    let o = load.outcomes().last().expect("a phase");
    assert_eq!((o.accepted, o.retransmitted, o.late), (1, 1, 1));
    assert!(o.errors.is_empty() && load.is_done());
}

/// The errors of a registration whose answers are changed.
fn errors(change: impl Fn(&mut AckMsg)) -> BTreeMap<String, u64> {
    let outcomes = run(plan(), pace(10, &[Phase::Register]), &mut anchor(1000), |ack| {
        change(ack);
        true
    });
    outcomes[0].errors.clone()
}

fn replace(msg: &mut AckMsg, with: MobilityOption<'_>) {
    let kind = core::mem::discriminant(&with);
    let all = msg.options.clone();
    let changed = all.iter().map(|o| if core::mem::discriminant(&o) == kind { with } else { o });
    let changed: Vec<_> = changed.collect();
    msg.options = OwnedOptions::from_options(changed).expect("short");
}

#[test]
fn wrong_answers_are_told_apart() {
    let only = |kind: &str, n| BTreeMap::from([(kind.to_owned(), n)]);
    assert_eq!(errors(|a| a.ack.status = Status(153)), only("status 153", 10));
    assert_eq!(errors(|a| a.ack.lifetime = Lifetime(901)), only("lifetime", 10));
    assert_eq!(errors(|a| a.ack.lifetime = Lifetime::ZERO), only("lifetime", 10));
    assert_eq!(errors(|a| a.dst = LMA.0), only("wrong address or flag", 10));
    assert_eq!(errors(|a| replace(a, MobilityOption::AccessTech(AccessTech(4)))), only("echo", 10));
    let stale = MobilityOption::Timestamp(MobTimestamp(1));
    assert_eq!(errors(|a| replace(a, stale)), only("echo", 10));
    let none = MobilityOption::HomeNetworkPrefix(HomePrefix::ALL_ZERO);
    assert_eq!(errors(|a| replace(a, none)), only("no prefix", 10));
    let same = MobilityOption::HomeNetworkPrefix("2001:db8::/64".parse().expect("prefix"));
    assert_eq!(errors(|a| replace(a, same)), only("prefix given twice", 9));
}

#[test]
fn prefix_that_changes_in_a_handoff_is_an_error() {
    let mut answers = 0;
    let pace = pace(10, &[Phase::Register, Phase::Handoff]);
    let outcomes = run(plan(), pace, &mut anchor(1000), |ack| {
        answers += 1;
        if answers == 15 {
            let other = "2001:db8::/64".parse().expect("prefix");
            replace(ack, MobilityOption::HomeNetworkPrefix(other));
        }
        true
    });
    assert_eq!(outcomes[1].errors, BTreeMap::from([("prefix changed".into(), 1)]));
}
