//! No acknowledgement before what it promises is in force.

use super::*;
use crate::dataplane::counters::Counter::Entries;

// proves: PMIP6-5.3.2-11, PMIP6-5.3.2-12, PMIP6-5.3.6-29
#[test]
fn pba_leaves_only_when_the_worker_forwards_and_the_journal_has_it() {
    let mut bench = Bench::new(Shape::default());
    let pbu = bench.pbu(MAG1, "mn1@example.org", 1, 600);
    bench.arrive(&pbu);
    bench.worker_turn(); // punts
    bench.control_turn(); // decides and publishes
    for _ in 0..10 {
        bench.control_turn();
    }
    assert!(bench.acks().is_empty(), "neither applied nor durable");
    bench.worker_turn(); // applies
    bench.control_turn();
    bench.worker_turn();
    assert!(bench.acks().is_empty(), "not durable");
    bench.confirm();
    bench.control_turn();
    bench.worker_turn(); // sends
    assert_eq!(bench.acks().len(), 1);
}

#[test]
fn pba_waits_for_the_worker_when_the_journal_is_quicker() {
    let mut bench = Bench::new(Shape::default());
    let pbu = bench.pbu(MAG1, "mn1@example.org", 1, 600);
    bench.arrive(&pbu);
    bench.worker_turn();
    bench.control_turn();
    bench.confirm();
    for _ in 0..10 {
        bench.control_turn();
    }
    assert_eq!(bench.control.held.len(), 1);
    bench.worker_turn(); // applies
    bench.control_turn();
    assert_eq!(bench.control.held.len(), 0);
    bench.worker_turn();
    assert_eq!(bench.acks().len(), 1);
}

#[test]
fn refusal_does_not_wait_behind_a_held_acceptance() {
    let mut bench = Bench::new(Shape::default());
    let stranger = "2001:db8:a::66".parse().expect("valid");
    bench.learn(stranger, MAG_MAC);
    bench.settle();
    let pbu = bench.pbu(MAG1, "mn1@example.org", 1, 600);
    bench.arrive(&pbu);
    let pbu = bench.pbu(stranger, "mn2@example.org", 1, 600);
    bench.arrive(&pbu);
    bench.worker_turn();
    bench.control_turn();
    bench.worker_turn();
    let acks = bench.acks();
    assert!(matches!(acks.as_slice(), [(to, ack)] if *to == stranger && ack.status.0 == 154));
    assert_eq!(bench.control.held.len(), 1);
}

#[test]
fn full_rings_and_a_slow_journal_delay_registrations_and_lose_none() {
    for workers in [1, 2] {
        let mut bench =
            Bench::new(Shape { workers, ring_len: 4, journal_len: 2, ..Shape::default() });
        let mut accepted = 0;
        for turn in 0..1000 {
            if turn < 100 {
                for n in [2 * turn, 2 * turn + 1] {
                    let pbu = bench.pbu(MAG1, &format!("mn{n}"), 1, 600);
                    bench.arrive(&pbu);
                }
            }
            bench.worker_turn();
            bench.control_turn();
            // What two turns bring in three: a disk slower than the gateways.
            if turn % 3 != 0
                && let Ok(batch) = bench.records.try_recv()
            {
                bench.confirmed.store(batch.last);
            }
            accepted += bench.acks().iter().filter(|(_, ack)| ack.status.is_accepted()).count();
        }
        assert!(bench.count(Counter::SignalingPaused) > 0);
        assert_eq!(accepted, 200);
        let entries = |w: &WorkerEnds<MemFrame>| w.counters.snapshot().get(Entries);
        let entries: u64 = bench.control.workers.iter().map(entries).sum();
        assert_eq!(entries, 200, "every worker forwards what was acknowledged");
    }
}

// proves: PMIP6-5.3.4-7
#[test]
fn binding_forwards_through_the_new_gateway_before_its_pba() {
    let mut bench = Bench::new(Shape::default());
    bench.register(MAG1, "mn1@example.org");
    bench.pass(Duration::from_secs(1));
    let hnp = bench.control.anchor.lma().cache().page(0, 10).0.next().expect("one").1.hnp[0];
    let inner = packet("2001:db8:f::1".parse().expect("valid"), hnp.addr(), 59, &[]);
    let mut seen = Vec::new();
    let pbu = bench.pbu(MAG2, "mn1@example.org", 2, 600);
    bench.arrive(&pbu);
    for _ in 0..10 {
        bench.arrive(&inner);
        bench.worker_turn();
        bench.control_turn();
        bench.confirm();
        for frame in bench.tx.take_all() {
            let bytes = frame.to_bytes();
            let ip = Ipv6Header::parse(&bytes[ether::HEADER_LEN..]).expect("IPv6");
            seen.push((ip.next_header, ip.dst));
        }
    }
    let first_new = seen.iter().position(|s| *s == (IPV6_IN_IPV6, MAG2)).expect("moved");
    let pba = seen.iter().position(|s| *s == (mh::NEXT_HEADER, MAG2)).expect("acknowledged");
    assert!(first_new < pba, "{seen:?}");
    assert!(!seen[first_new..].contains(&(IPV6_IN_IPV6, MAG1)), "{seen:?}");
}

/// The next header number of a tunnelled IPv6 packet.
const IPV6_IN_IPV6: u8 = 41;
