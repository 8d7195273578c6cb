use super::*;
use crate::addr::{AnchorAddr, HomePrefix, MnId};
use crate::admin::api::{Reply, Request};
use crate::control::tests::{Bench, LMA, MAG1, MAG2, Shape, lma_config};
use crate::dataplane::counters::Counter as WorkerCounter;
use crate::mobility::Lma;
use crate::mobility::config::{LmaConfig, MagConfig, Policy, PoolConfig, Profile};
use crate::mobility::event::Event;
use crate::mobility::ha::HomeAgent;
use crate::mobility::message::{OwnedOptions, Transport, UpdateMsg};
use crate::time::{Duration, Instant, Lifetime, MobTimestamp};
use crate::wire::mh::{
    AccessTech, BindingUpdate, BuFlags, HandoffIndicator, MobilityOption, SeqNo,
};

const MAG3: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 0x13);

fn mag(name: &str, address: Ipv6Addr) -> MagInfo {
    MagInfo { name: name.into(), address, tunnel_mtu: 1400, signaling_rate: 5000, ipsec: false }
}

fn new_config(config: LmaConfig, mags: Vec<MagInfo>, pools: &[&str]) -> NewConfig {
    let pools = pools.iter().map(|p| (*p).to_owned()).collect();
    let (home, mip4) = (HomeAgent::default(), HomeAgent4::default());
    let homes = Homes::default();
    NewConfig::new(Description::new(config), home, mip4, homes, mags, Vec::new(), pools)
}

/// Puts it in force as the reload thread would.
fn reload(bench: &mut Bench, new: NewConfig) -> Result<(), Refused> {
    let (answer, answered) = bounded(1);
    let sent = bench.reloader.0.send(Reload::TakeOver(Box::new(new), answer));
    assert!(sent.is_ok());
    bench.settle();
    answered.try_recv().expect("answered").0
}

fn hnp_of(bench: &Bench, mn_id: &str) -> HomePrefix {
    let mn_id = MnId::nai(mn_id).expect("short");
    bench.control.anchor.lma().cache().of_node(&mn_id).next().expect("a session").hnp[0]
}

fn mags(bench: &mut Bench) -> Vec<(String, Ipv6Addr, u16)> {
    let mut answer = bench.asker.ask(Request::MagShow).expect("room");
    bench.settle();
    let Ok(Reply::Mags(rows)) = answer.try_recv() else { panic!("no rows") };
    let address = |a| match a {
        std::net::IpAddr::V6(a) => a,
        std::net::IpAddr::V4(a) => a.to_ipv6_mapped(),
    };
    rows.into_iter().map(|r| (r.name, address(r.address), r.tunnel_mtu)).collect()
}

#[test]
fn new_gateway_and_pool_are_of_use_at_once_and_sessions_of_the_old_ones_go_on() {
    let mut bench = Bench::new(Shape::default());
    bench.register(MAG1, "mn1");
    let kept = hnp_of(&bench, "mn1");
    let config = LmaConfig {
        pools: vec![PoolConfig::new("2001:db8:7000::/40".parse().expect("valid"), 64)],
        mags: [MAG2, MAG3].map(MagConfig::new).into(),
        ..lma_config(Shape::default())
    };
    let named = vec![mag("mag2", MAG2), mag("mag3", MAG3)];
    assert_eq!(reload(&mut bench, new_config(config, named, &["other"])), Ok(()));
    assert_eq!(bench.count(Counter::ConfigReloaded), 1);
    // The gateway that is named no more is known as long as it has a session, with its MTU.
    let known = mags(&mut bench);
    let expected = [("mag1", MAG1, 1500), ("mag2", MAG2, 1400), ("mag3", MAG3, 1400)];
    assert_eq!(known, expected.map(|(n, a, mtu)| (n.to_owned(), a, mtu)));
    bench.learn(MAG3, crate::addr::MacAddr([2, 0, 0, 0, 0, 0x13]));
    bench.register(MAG3, "mn3");
    assert_eq!(hnp_of(&bench, "mn3").to_string(), "2001:db8:7000::/64");
    assert_eq!(hnp_of(&bench, "mn1"), kept);
    // Its node moves to one that is named: then it is forgotten.
    bench.pass(Duration::from_secs(1));
    let handoff = bench.pbu_with(MAG2, "mn1", kept, 2, 600);
    bench.arrive(&handoff);
    bench.settle();
    assert_eq!(
        bench.acks().iter().map(|(to, ack)| (*to, ack.status.0)).collect::<Vec<_>>(),
        [(MAG2, 0)]
    );
    bench.register(MAG2, "mn2");
    let entries = bench.workers.len();
    assert_eq!((entries, hnp_of(&bench, "mn1")), (1, kept));
    let refused = bench.pbu(MAG1, "mn4", 1, 600);
    bench.arrive(&refused);
    bench.settle();
    assert_eq!(
        bench.acks().iter().map(|(to, ack)| (*to, ack.status.0)).collect::<Vec<_>>(),
        [(MAG1, 154)]
    );
    assert_eq!(bench.control.workers[0].counters.snapshot().get(WorkerCounter::Entries), 3);
}

#[test]
fn more_gateways_than_there_is_room_for_are_refused_and_nothing_changes() {
    let mut bench = Bench::new(Shape::default());
    bench.register(MAG1, "mn1");
    let many: Vec<Ipv6Addr> =
        (0x100..0x110).map(|n| Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, n)).collect();
    let config = LmaConfig {
        pools: Vec::new(),
        mags: many.iter().copied().map(MagConfig::new).collect(),
        ..lma_config(Shape::default())
    };
    let named: Vec<MagInfo> = many.iter().map(|a| mag("many", *a)).collect();
    let refused = reload(&mut bench, new_config(config, named, &[]));
    assert_eq!(refused, Err(Refused::Mags { known: 17, max: 16 }));
    assert_eq!(bench.count(Counter::ConfigRefused), 1);
    assert_eq!(mags(&mut bench).len(), 2);
    bench.register(MAG2, "mn2");
    assert_eq!(bench.control.anchor.lma().pools().map(|p| p.used).collect::<Vec<_>>(), [2]);
}

/// The time that the control core does nothing else; printed, not judged: see docs/operation.md.
#[test]
#[ignore = "a measurement: cargo test --lib a_million_sessions -- --ignored --nocapture"]
#[allow(clippy::disallowed_methods)] // time is what is measured
fn step_with_a_million_sessions() {
    const NODES: u32 = 1_250_000;
    let described = |pool_len: u8, mags: u16| {
        let profile = Profile::ipv6(0, Duration::from_secs(400_000));
        let mut policy = Policy::new(None);
        for n in 0..NODES {
            policy.insert(node(n), profile.clone(), &[]);
        }
        let pool = HomePrefix::truncating(POOL, pool_len).expect("a prefix");
        let mags = (0..mags).map(|n| Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 1, n));
        LmaConfig {
            pools: vec![PoolConfig::new(pool, 64)],
            mags: mags.map(MagConfig::new).collect(),
            ..LmaConfig::new(AnchorAddr(LMA), policy)
        }
    };
    let mut lma = Lma::new(described(40, 1000));
    let mut actions = Vec::new();
    let mut handle = |lma: &mut Lma, event, secs: u64| {
        let wall = MobTimestamp::from_unix(Duration::from_secs(1_800_000_000 + secs));
        lma.handle(event, Now { mono: Instant(secs * 1_000_000_000), wall }, &mut actions);
        actions.clear();
    };
    for n in 0..NODES {
        handle(&mut lma, registration(n), 0);
    }
    let delete = |n| Event::AdminDelete { mn_id: node(n), prefix: None, customer: None };
    // What is left is held in 250,000 ranges.
    for n in (0..NODES).step_by(5) {
        handle(&mut lma, delete(n), 1);
    }
    for (what, pool_len, mags) in [("as it was", 40, 1000), ("pool grown", 39, 5000)] {
        let mut new = Description::new(described(pool_len, mags));
        let begun = std::time::Instant::now();
        lma.take_over(&mut new, Now::default());
        let step = begun.elapsed();
        let (mut counts, mut longest) = (0, Duration::ZERO);
        while lma.is_sweeping() {
            let begun = std::time::Instant::now();
            handle(&mut lma, Event::Sweep, 2);
            longest = longest.max(begun.elapsed());
            counts += 1;
        }
        let begun = std::time::Instant::now();
        drop(new);
        eprintln!(
            "{what}: {} sessions, {mags} gateways: the step {step:?}, counted in {counts} steps of \
             {longest:?} at most, what was replaced is dropped elsewhere in {:?}",
            lma.cache().len(),
            begun.elapsed()
        );
    }
    assert_eq!(lma.pools().map(|p| p.used).collect::<Vec<_>>(), [1_000_000]);
}

const POOL: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xa000, 0, 0, 0, 0, 0);

fn node(n: u32) -> MnId {
    MnId::nai(&format!("mn{n}@example.org")).expect("short")
}

/// A new interface of a node, for long.
fn registration(n: u32) -> Event {
    let mn_id = node(n);
    let options = [
        MobilityOption::MnId(mn_id.subtype(), mn_id.bytes()),
        MobilityOption::HomeNetworkPrefix(HomePrefix::ALL_ZERO),
        MobilityOption::HandoffIndicator(HandoffIndicator(1)),
        MobilityOption::AccessTech(AccessTech(4)),
    ];
    let lifetime = Lifetime(60_000);
    Event::Pbu(UpdateMsg {
        home: None,
        src: Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 1, 1),
        dst: LMA,
        transport: Transport::Ipv6,
        update: BindingUpdate { seq: SeqNo(1), flags: BuFlags::P, lifetime },
        options: OwnedOptions::from_options(&options).expect("options that fit"),
        header: Box::default(),
    })
}
