use super::*;
use crate::addr::AnchorAddr;
use crate::control::tests::{Bench, LMA, MAG1, MAG2, Shape};
use crate::mobility::Lma;
use crate::mobility::config::{CustomerConfig, LmaConfig, MagConfig, Policy, PoolConfig, Profile};
use tokio::sync::oneshot::Receiver;

fn show(filter: BindingFilter, cursor: u64, limit: usize, counters: bool) -> Request {
    Request::BindingShow { filter, cursor, limit, counters }
}

fn ask(bench: &mut Bench, request: Request) -> Reply {
    let mut answer: Receiver<Reply> = bench.asker.ask(request).expect("room");
    bench.settle();
    answer.try_recv().expect("answered")
}

fn page(bench: &mut Bench, filter: BindingFilter, cursor: u64, limit: usize) -> Page<BindingRow> {
    match ask(bench, show(filter, cursor, limit, false)) {
        Reply::Bindings(page) => page,
        other => panic!("{other:?}"),
    }
}

#[test]
fn pages_cover_every_binding_once() {
    let mut bench = Bench::new(Shape::default());
    for n in 0..25 {
        bench.register(MAG1, &format!("mn{n}"));
    }
    let (mut names, mut cursor) = (Vec::new(), 0);
    loop {
        let page = page(&mut bench, BindingFilter::default(), cursor, 10);
        assert!(page.rows.len() <= 10);
        names.extend(page.rows.iter().map(|r| r.mn_id.to_string()));
        match page.next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 25);
}

#[test]
fn filters_are_the_servers() {
    let mut bench = Bench::new(Shape::default());
    bench.register(MAG1, "mn1");
    bench.register(MAG2, "mn2");
    let by_mag = BindingFilter { mag: Some(MAG2.into()), ..BindingFilter::default() };
    let rows = page(&mut bench, by_mag, 0, 10).rows;
    assert_eq!(rows.iter().map(|r| r.mn_id.to_string()).collect::<Vec<_>>(), ["mn2"]);
    let by_prefix = BindingFilter { prefix: Some(rows[0].hnp[0]), ..BindingFilter::default() };
    assert_eq!(page(&mut bench, by_prefix, 0, 10).rows, rows);
    let mn_id = MnId::nai("mn1");
    let by_node = BindingFilter { mn_id, ..BindingFilter::default() };
    assert_eq!(page(&mut bench, by_node, 0, 10).rows[0].proxy_coa, std::net::IpAddr::from(MAG1));
}

#[test]
fn client_that_never_reads_costs_the_control_core_nothing() {
    let mut bench = Bench::new(Shape::default());
    bench.register(MAG1, "mn1");
    let mut unread = Vec::new();
    for _ in 0..100 {
        if let Ok(answer) = bench.asker.ask(show(BindingFilter::default(), 0, 512, true)) {
            unread.push(answer);
        }
        bench.settle();
    }
    assert_eq!(unread.len(), 100, "each is answered into its own slot");
    assert!(bench.control.queries.pending.is_empty());
    bench.register(MAG1, "mn2");
}

#[test]
fn counters_come_from_the_worker_that_owns_the_binding() {
    let mut bench = Bench::new(Shape { workers: 2, ..Shape::default() });
    bench.register(MAG1, "mn1");
    match ask(&mut bench, show(BindingFilter::default(), 0, 10, true)) {
        Reply::Bindings(page) => {
            assert_eq!(page.rows[0].counters, Some(vec![EntryCounters::default()]));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn page_goes_without_counters_when_a_worker_is_stuck() {
    let mut bench = Bench::new(Shape::default());
    bench.register(MAG1, "mn1");
    let request = show(BindingFilter::default(), 0, 10, true);
    let mut answer = bench.asker.ask(request).expect("room");
    bench.control_turn();
    assert!(answer.try_recv().is_err());
    bench.now.mono = bench.now.mono + COUNTERS_TIMEOUT;
    bench.control_turn();
    match answer.try_recv() {
        Ok(Reply::Bindings(page)) => assert_eq!(page.rows[0].counters, None),
        other => panic!("{other:?}"),
    }
    bench.settle(); // the late answer finds nobody
}

#[test]
fn deleting_and_withdrawing_say_what_was_wrong_with_the_question() {
    let mut bench = Bench::new(Shape::default());
    bench.register(MAG1, "mn1");
    let mn_id = MnId::nai("mn2").expect("short");
    let reply = ask(&mut bench, Request::BindingDel { mn_id, prefix: None, customer: None });
    assert_eq!(reply, Reply::Error("no binding of mn2: see `binding show`".into()));
    let mn_id = MnId::nai("mn1").expect("short");
    let reply = ask(&mut bench, Request::BindingDel { mn_id, prefix: None, customer: None });
    assert_eq!(reply, Reply::Deleted { sessions: 1 });
    let stranger = "2001:db8::99".parse().expect("valid");
    let reply = ask(&mut bench, Request::MagDel { address: stranger, revoke: false });
    assert!(matches!(reply, Reply::Error(_)));
}

#[test]
fn identifier_of_nodes_of_two_customers_is_not_deleted_before_one_is_named() {
    let mut bench = Bench::new(Shape::default());
    let of = |pool| {
        let policy = Policy::new(Some(Profile::ipv6(pool, Duration::from_secs(3600))));
        CustomerConfig { policy, ..CustomerConfig::default() }
    };
    let mag = |address, customer| MagConfig {
        customer: Some(CustomerId(customer)),
        ..MagConfig::new(address)
    };
    let pool = |customer| PoolConfig {
        customer: CustomerId(customer),
        ..PoolConfig::new("2001:db8:100::/40".parse().expect("valid"), 64)
    };
    bench.control.anchor = Lma::new(LmaConfig {
        pools: vec![pool(1), pool(2)],
        mags: vec![mag(MAG1, 1), mag(MAG2, 2)],
        customers: vec![CustomerConfig::default(), of(0), of(1)],
        ..LmaConfig::new(AnchorAddr(LMA), Policy::default())
    })
    .into();
    let names = [(1, "acme"), (2, "beta")].map(|(id, name)| (CustomerId(id), name.into()));
    bench.control.customers = names.into();
    bench.register(MAG1, "mn1");
    bench.register(MAG2, "mn1");
    let mut delete = |customer: Option<&str>| {
        let mn_id = MnId::nai("mn1").expect("short");
        let customer = customer.map(Into::into);
        ask(&mut bench, Request::BindingDel { mn_id, prefix: None, customer })
    };
    let which = "mn1 is a node of beta and one of acme: name a customer";
    assert_eq!(delete(None), Reply::Error(which.into()));
    assert_eq!(delete(Some("-")), Reply::Error("no binding of mn1: see `binding show`".into()));
    assert_eq!(delete(Some("acme")), Reply::Deleted { sessions: 1 });
    assert_eq!(delete(None), Reply::Deleted { sessions: 1 });
}

#[test]
fn gateway_added_by_the_operator_may_register_until_it_is_withdrawn() {
    let mut bench = Bench::new(Shape::default());
    let mag = "2001:db8:a::13".parse().expect("valid");
    bench.learn(mag, crate::addr::MacAddr([2, 0, 0, 0, 0, 0x13]));
    let add = Request::MagAdd { address: mag.into(), name: "mag3".into() };
    assert_eq!(ask(&mut bench, add), Reply::Done);
    bench.register(mag, "mn1");
    match ask(&mut bench, Request::MagShow) {
        Reply::Mags(rows) => {
            let row = rows.iter().find(|r| r.address == mag).expect("listed");
            assert_eq!((row.name.as_str(), row.bindings, row.tunnel_mtu), ("mag3", 1, 1400));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        ask(&mut bench, Request::MagDel { address: mag.into(), revoke: false }),
        Reply::Done
    );
    let pbu = bench.pbu(mag, "mn2", 2, 600);
    bench.arrive(&pbu);
    bench.settle();
    assert_eq!(bench.acks()[0].1.status.0, 154);
}

#[test]
fn every_counter_has_a_row_of_its_own_name() {
    let mut bench = Bench::new(Shape::default());
    let Reply::Stats(rows) = ask(&mut bench, Request::StatsShow) else { panic!("no rows") };
    let mut names: Vec<_> = rows.iter().map(|r| r.name.clone()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), rows.len());
    assert!(rows.len() > Counter::ALL.len());
}

#[test]
fn operator_is_answered_while_the_disk_is_stuck() {
    let mut bench = Bench::new(Shape { journal_len: 1, ..Shape::default() });
    bench.register(MAG1, "mn1");
    for n in 2..6 {
        let pbu = bench.pbu(MAG1, &format!("mn{n}"), 1, 600);
        bench.arrive(&pbu);
        bench.worker_turn();
        bench.control_turn(); // what a turn brings is one batch
    }
    let turns = |bench: &mut Bench| {
        for _ in 0..20 {
            bench.worker_turn();
            bench.control_turn();
        }
    };
    turns(&mut bench);
    assert!(bench.acks().is_empty() && bench.control.is_paused());
    let mut stats = bench.asker.ask(Request::StatsShow).expect("room");
    let mn_id = MnId::nai("mn1").expect("short");
    let delete = Request::BindingDel { mn_id, prefix: None, customer: None };
    let mut deleted = bench.asker.ask(delete).expect("room");
    turns(&mut bench);
    assert!(matches!(stats.try_recv(), Ok(Reply::Stats(_))));
    assert_eq!(deleted.try_recv(), Ok(Reply::Deleted { sessions: 1 }));
    bench.settle();
    assert_eq!(bench.acks().len(), 4, "the disk came back");
}

#[test]
fn deletion_waits_for_room_in_the_update_ring_and_is_not_refused() {
    let mut bench = Bench::new(Shape { ring_len: 1, ..Shape::default() });
    bench.register(MAG1, "mn1");
    for n in 1..=3 {
        let added = std::net::Ipv6Addr::from_bits(0x2001_0db8_000b << 80 | n);
        bench.learn(added, crate::addr::MacAddr([2; 6]));
    }
    bench.control_turn(); // three changes for a ring of one
    assert!(bench.control.publisher.is_backlogged());
    let mn_id = MnId::nai("mn1").expect("short");
    let delete = Request::BindingDel { mn_id, prefix: None, customer: None };
    let mut deleted = bench.asker.ask(delete).expect("room");
    bench.control_turn();
    assert!(deleted.try_recv().is_err(), "it waits");
    bench.settle();
    assert_eq!(deleted.try_recv(), Ok(Reply::Deleted { sessions: 1 }));
    assert!(bench.control.anchor.lma().cache().is_empty());
}

#[test]
fn gateways_that_come_and_go_use_up_no_place() {
    let mut bench = Bench::new(Shape::default());
    let address = |n: u128| std::net::Ipv6Addr::from_bits(0x2001_0db8_000a << 80 | 0x100 | n);
    let add = |n| Request::MagAdd { address: address(n).into(), name: format!("added{n}") };
    for n in 0..100 {
        assert_eq!(ask(&mut bench, add(n)), Reply::Done);
        assert_eq!(
            ask(&mut bench, Request::MagDel { address: address(n).into(), revoke: false }),
            Reply::Done
        );
    }
    // One that serves a session keeps its place until that ends.
    for n in 0..14 {
        assert_eq!(ask(&mut bench, add(n)), Reply::Done);
    }
    bench.learn(address(0), crate::addr::MacAddr([2; 6]));
    bench.register(address(0), "mn1");
    assert_eq!(
        ask(&mut bench, Request::MagDel { address: address(0).into(), revoke: false }),
        Reply::Done
    );
    assert!(matches!(ask(&mut bench, add(14)), Reply::Error(_)), "16 are the most");
    let mn_id = MnId::nai("mn1").expect("short");
    ask(&mut bench, Request::BindingDel { mn_id, prefix: None, customer: None });
    bench.pass(Duration::from_secs(3)); // it does not answer the revocation
    assert_eq!(ask(&mut bench, add(14)), Reply::Done);
}
