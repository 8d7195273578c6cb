//! The load against the anchor's own core, in memory and in a time of their own.

use super::*;
use crate::mobility::Lma;
use crate::mobility::action::Action;
use crate::mobility::config::{LmaConfig, MagConfig, Policy, PoolConfig, Profile};
use crate::mobility::event::Event;
use crate::mobility::message::OwnedOptions;
use crate::wire::mh::Status;

const LMA: AnchorAddr = AnchorAddr(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1));
const FIRST: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 0x11);
const ALL: [Phase; 5] =
    [Phase::Register, Phase::Refresh, Phase::Handoff, Phase::Handoff, Phase::Deregister];

fn plan(nodes: u32) -> Plan {
    Plan {
        lma: LMA,
        first_mag: FIRST,
        mags: 3,
        first_node: 7,
        nodes,
        rate: Some(1000),
        window: 64,
        lifetime: Lifetime(900),
        reply_timeout: Duration::from_secs(2),
        phases: ALL.to_vec(),
    }
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

fn at(ms: u64) -> Now {
    let since = Duration::from_millis(ms);
    let wall = MobTimestamp::from_unix(Duration::from_secs(1_700_000_000) + since);
    Now { mono: Instant(0) + since, wall }
}

/// Runs the load, a millisecond a step; `tamper` may change or swallow an answer.
fn run(plan: Plan, lma: &mut Lma, mut tamper: impl FnMut(&mut AckMsg) -> bool) -> Vec<Outcome> {
    let mut load = Load::new(plan, at(0));
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
    let outcomes = run(plan(500), &mut lma, |_| true);
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
fn refusals_and_what_follows_from_them_are_counted() {
    let outcomes = run(plan(100), &mut anchor(60), |_| true);
    assert_eq!(outcomes[0].accepted, 60);
    assert_eq!(outcomes[0].errors.get("status 130"), Some(&40));
    assert_eq!((outcomes[1].accepted, outcomes[1].skipped), (60, 40));
}

#[test]
fn lost_answers_are_counted_and_do_not_stop_the_load() {
    let mut n = 0;
    let outcomes = run(plan(100), &mut anchor(1000), |_| {
        n += 1;
        n % 10 != 0
    });
    assert_eq!(outcomes[0].errors.get("lost"), Some(&10));
    assert_eq!(outcomes[0].accepted, 90);
}

/// The errors of a registration whose answers are changed.
fn errors(change: impl Fn(&mut AckMsg)) -> BTreeMap<String, u64> {
    let plan = Plan { phases: vec![Phase::Register], ..plan(10) };
    let outcomes = run(plan, &mut anchor(1000), |ack| {
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
    let plan = Plan { phases: vec![Phase::Register, Phase::Handoff], ..plan(10) };
    let outcomes = run(plan, &mut anchor(1000), |ack| {
        answers += 1;
        if answers == 15 {
            let other = "2001:db8::/64".parse().expect("prefix");
            replace(ack, MobilityOption::HomeNetworkPrefix(other));
        }
        true
    });
    assert_eq!(outcomes[1].errors, BTreeMap::from([("prefix changed".into(), 1)]));
}
