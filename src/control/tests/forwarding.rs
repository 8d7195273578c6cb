//! Neighbours, the kernel's frames, tunnels and expiry through the whole loop.

use super::*;
use crate::admin::api::Request;
use crate::dataplane::counters::Counter::Entries;

#[test]
fn pba_waits_for_an_unresolved_gateway_and_the_kernel_is_asked_once() {
    let mut bench = Bench::without_neighbors(Shape::default());
    while bench.requests.try_recv().is_ok() {} // the configured gateways
    let pbu = bench.pbu(MAG1, "mn1@example.org", 1, 600);
    bench.arrive(&pbu);
    bench.settle();
    assert!(bench.tx.is_empty());
    let asked: Vec<_> = bench.requests.try_iter().collect();
    assert_eq!(asked, [NeighborRequest { port: ACCESS, addr: MAG1, keep: true }]);
    bench.learn(MAG1, MAG_MAC);
    bench.settle();
    let frames = bench.tx.take_all();
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].to_bytes()[..6], MAG_MAC.0);
    assert_eq!(frames[0].to_bytes()[6..12], OWN_MAC.0);
}

#[test]
fn packet_that_waited_for_the_old_gateway_is_dropped_after_a_handoff() {
    let mut bench = Bench::new(Shape::default());
    bench.register(MAG1, "mn1@example.org");
    let hnp = bench.control.anchor.lma().cache().page(0, 1).0.next().expect("one").1.hnp[0];
    bench.tell(KernelEvent::NeighborDel(ACCESS, MAG1));
    bench.settle();
    let inner = packet("2001:db8:f::1".parse().expect("valid"), hnp.addr(), 59, &[]);
    bench.arrive(&inner);
    bench.settle();
    assert_eq!((bench.count(Counter::NeighborHeld), bench.tx.len()), (1, 0), "it waits");
    let pbu = bench.pbu(MAG2, "mn1@example.org", 2, 600);
    bench.arrive(&pbu);
    bench.settle();
    assert_eq!(bench.acks().len(), 1);
    bench.learn(MAG1, MAG_MAC);
    bench.settle();
    assert!(bench.tx.is_empty(), "nothing goes to the gateway that lost the node");
    assert_eq!(bench.count(Counter::NeighborHeldDropped), 1);
    assert_eq!(bench.pool.in_use(), 0, "no frame leaks");
}

#[test]
fn frames_for_a_silent_gateway_are_given_up_and_counted() {
    let mut bench = Bench::without_neighbors(Shape::default());
    for n in 0..5 {
        let pbu = bench.pbu(MAG1, &format!("mn{n}"), 1, 600);
        bench.arrive(&pbu);
    }
    bench.settle();
    assert_eq!(bench.count(Counter::NeighborHeldDropped), 2, "three wait");
    bench.pass(Duration::from_secs(3));
    assert_eq!(bench.count(Counter::NeighborHeldDropped), 5);
    bench.learn(MAG1, MAG_MAC);
    bench.settle();
    assert!(bench.tx.is_empty());
    assert_eq!(bench.pool.in_use(), 0, "no frame leaks");
}

#[test]
fn what_is_for_the_kernel_gets_there_and_its_frames_leave() {
    let mut bench = Bench::new(Shape::default());
    let echo = packet(MAG1, LMA, 58, &[128, 0, 0, 0, 0, 0, 0, 0]);
    bench.arrive(&echo);
    bench.settle();
    let (port, frame) = bench.to_kernel.try_recv().expect("punted");
    assert_eq!((port, frame.to_bytes()), (ACCESS, echo.clone()));
    bench.from_kernel.send((ACCESS, echo.clone().into())).expect("room");
    bench.settle();
    let sent = bench.tx.take_all();
    assert_eq!(sent.iter().map(MemFrame::to_bytes).collect::<Vec<_>>(), [echo]);
}

#[test]
fn kernel_that_does_not_read_costs_frames_and_nothing_else() {
    let mut bench = Bench::new(Shape::default());
    let echo = packet(MAG1, LMA, 58, &[128, 0, 0, 0, 0, 0, 0, 0]);
    for _ in 0..100 {
        bench.arrive(&echo);
        bench.settle();
    }
    assert_eq!(bench.count(Counter::KernelTx), 16);
    assert_eq!(bench.count(Counter::KernelTxDropped), 84);
    bench.register(MAG1, "mn1@example.org");
}

/// Entries in the first worker's table.
fn entries(bench: &Bench) -> u64 {
    bench.control.workers[0].counters.snapshot().get(Entries)
}

#[test]
fn binding_expires_and_the_worker_forgets_it() {
    let mut bench = Bench::new(Shape::default());
    bench.register(MAG1, "mn1@example.org");
    bench.pass(Duration::from_secs(599));
    assert_eq!(entries(&bench), 1);
    bench.pass(Duration::from_secs(2));
    assert!(bench.control.anchor.lma().cache().is_empty());
    assert_eq!((entries(&bench), bench.count(Counter::BindingExpired)), (0, 1));
}

// proves: PMIP6-5.3.5-2, PMIP6-5.3.5-3, PMIP6-5.3.5-5, PMIP6-5.3.5-7
#[test]
fn deregistered_node_is_held_for_the_delete_delay_then_forgotten() {
    let mut bench = Bench::new(Shape::default());
    bench.register(MAG1, "mn1@example.org");
    bench.pass(Duration::from_secs(1));
    let hnp = bench.control.anchor.lma().cache().page(0, 1).0.next().expect("one").1.hnp[0];
    let pbu = bench.pbu_with(MAG1, "mn1@example.org", hnp, 2, 0);
    bench.arrive(&pbu);
    bench.settle();
    let acks = bench.acks();
    assert!(
        matches!(acks.as_slice(), [(_, a)] if a.status.0 == 0 && a.lifetime.0 == 0),
        "{acks:?}"
    );
    let inner = packet("2001:db8:f::1".parse().expect("valid"), hnp.addr(), 59, &[]);
    bench.arrive(&inner);
    bench.settle();
    assert!(bench.tx.is_empty(), "dropped in the delete delay");
    bench.pass(Duration::from_secs(9));
    assert_eq!(entries(&bench), 1);
    bench.pass(Duration::from_secs(2));
    assert_eq!((entries(&bench), bench.count(Counter::BindingDeleted)), (0, 1));
}

/// Whom the kernel was asked for since the last time, and whether it keeps them resolved.
fn asked(bench: &mut Bench) -> Vec<(Ipv6Addr, bool)> {
    bench.settle();
    bench.requests.try_iter().map(|r| (r.addr, r.keep)).collect()
}

#[test]
fn next_hop_is_kept_resolved_as_long_as_a_route_leads_there() {
    let mut bench = Bench::new(Shape::default());
    asked(&mut bench);
    let routers = ["fe80::1", "fe80::2"].map(|a| -> Ipv6Addr { a.parse().expect("valid") });
    let [one, two] = routers.map(|r| NextHop::Gateway(ACCESS, r));
    let [a, b] = ["::/0", "2001:db8:f::/48"].map(route);
    for prefix in [a, b, a] {
        bench.tell(KernelEvent::RouteSet(prefix, one));
    }
    assert_eq!(asked(&mut bench), [(routers[0], true)]);
    bench.tell(KernelEvent::RouteSet(a, two));
    assert_eq!(asked(&mut bench), [(routers[1], true)], "the other route still leads there");
    bench.tell(KernelEvent::RouteDel(b));
    assert_eq!(asked(&mut bench), [(routers[0], false)]);
    bench.tell(KernelEvent::RouteSet(a, NextHop::Unreachable));
    assert_eq!(asked(&mut bench), [(routers[1], false)]);
    bench.tell(KernelEvent::RouteDel(b));
    assert_eq!(asked(&mut bench), []);
}

#[test]
fn next_hop_with_a_permanent_address_is_never_asked_for() {
    let mut bench = Bench::new(Shape::default());
    asked(&mut bench);
    let router: Ipv6Addr = "fe80::1".parse().expect("valid");
    let given = Neighbor { mac: Some(MAG_MAC), state: "permanent" };
    bench.tell(KernelEvent::Neighbor(ACCESS, router, given));
    bench.tell(KernelEvent::RouteSet(route("::/0"), NextHop::Gateway(ACCESS, router)));
    assert_eq!(asked(&mut bench), []);
}

#[test]
fn gateway_that_is_forgotten_is_not_kept_resolved() {
    let mut bench = Bench::new(Shape::default());
    asked(&mut bench);
    let mag: Ipv6Addr = "2001:db8:a::13".parse().expect("valid");
    let add = Request::MagAdd { address: mag.into(), name: "mag3".into() };
    drop(bench.asker.ask(add).expect("room"));
    assert_eq!(asked(&mut bench), [(mag, true)]);
    drop(bench.asker.ask(Request::MagDel { address: mag.into(), revoke: false }).expect("room"));
    assert_eq!(asked(&mut bench), [(mag, false)]);
    drop(bench.asker.ask(Request::MagDel { address: MAG1.into(), revoke: false }).expect("room"));
    assert_eq!(asked(&mut bench), [], "it is configured: it may be authorized again");
}

#[test]
fn pba_that_finds_the_ring_full_is_not_counted_as_sent() {
    let mut bench = Bench::new(Shape { ring_len: 4, ..Shape::default() });
    let stranger = "2001:db8:a::66".parse().expect("valid");
    bench.learn(stranger, MAG_MAC);
    bench.settle();
    for n in 0..10 {
        let refused = bench.pbu(stranger, "mn1", n, 600);
        let frame = bench.pool.frame(ACCESS, &refused).expect("a buffer");
        assert!(bench.signaling.inject(frame).is_ok());
    }
    bench.control_turn();
    assert_eq!((bench.count(Counter::PbaSent), bench.count(Counter::InjectDropped)), (4, 6));
    bench.settle();
    assert_eq!(bench.acks().len(), 4);
}
