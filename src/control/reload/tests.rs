use super::*;
use crate::addr::HomePrefix;
use crate::admin::api::{Reply, Request};
use crate::control::tests::{Bench, MAG1, MAG2, Shape, lma_config};
use crate::dataplane::counters::Counter as WorkerCounter;
use crate::mobility::config::{LmaConfig, MagConfig, PoolConfig};
use crate::time::Duration;

const MAG3: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 0x13);

fn mag(name: &str, address: Ipv6Addr) -> MagInfo {
    MagInfo { name: name.into(), address, tunnel_mtu: 1400, signaling_rate: 5000, ipsec: false }
}

fn new_config(config: LmaConfig, mags: Vec<MagInfo>, pools: &[&str]) -> NewConfig {
    let pools = pools.iter().map(|p| (*p).to_owned()).collect();
    NewConfig::new(Description::new(config), mags, Vec::new(), pools)
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
    let mn_id = crate::addr::MnId::nai(mn_id).expect("short");
    bench.control.lma.cache().of_node(&mn_id).next().expect("a session").hnp[0]
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
    assert_eq!(bench.control.lma.pools().map(|p| p.used).collect::<Vec<_>>(), [2]);
}
