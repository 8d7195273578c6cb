//! Path MTUs, from the router's word to the workers' tunnels and back.

use super::*;

/// What a router says about a packet of 1400 bytes that we sent through the tunnel to `mag`.
fn too_big(mag: Ipv6Addr, node: Ipv6Addr, mtu: u32) -> Vec<u8> {
    let correspondent = "2001:db8:f::1".parse().expect("valid");
    let whole = packet(correspondent, node, 17, &[0; 1360]);
    let inner = &whole[ether::HEADER_LEN..];
    let tunneled = packet(LMA, mag, 41, inner);
    let quoted = &tunneled[ether::HEADER_LEN..][..1232];
    let mut frame = packet(MAG2, LMA, 58, &[&[0; 8], quoted].concat());
    let error = crate::wire::icmpv6::ErrorMessage::PacketTooBig(mtu);
    error.emit(MAG2, LMA, 64, &mut frame[ether::HEADER_LEN..]).expect("fits");
    frame
}

/// Registers a node for an hour; an address of its.
fn register_for_an_hour(bench: &mut Bench) -> Ipv6Addr {
    let pbu = bench.pbu(MAG1, "mn1@example.org", 1, 3600);
    bench.arrive(&pbu);
    bench.settle();
    assert_eq!(bench.acks().len(), 1);
    bench.control.anchor.lma().cache().page(0, 1).0.next().expect("one").1.hnp[0].addr()
}

/// Whether an inner packet of so many bytes gets through to the node.
fn passes(bench: &mut Bench, node: Ipv6Addr, len: usize) -> bool {
    drop(bench.tx.take_all());
    let correspondent = "2001:db8:a::99".parse().expect("valid");
    let inner = packet(correspondent, node, 17, &vec![0; len - 40]);
    bench.arrive(&inner);
    bench.settle();
    let sent = bench.tx.take_all();
    sent.iter().any(|frame| [41, 44].contains(&frame.to_bytes()[20])) // whole or in parts
}

// RFC 8201 4, 5.3; RFC 2473 6.7
// proves: PMIP6-6.9.5-2
#[test]
fn path_mtu_that_a_router_tells_holds_for_ten_minutes_on_every_worker() {
    for workers in [1, 2] {
        let mut bench = Bench::new(Shape { workers, ..Shape::default() });
        let node = register_for_an_hour(&mut bench);
        assert!(passes(&mut bench, node, 1400));
        bench.arrive(&too_big(MAG1, node, 1400));
        bench.settle();
        assert_eq!(bench.control.publisher.tunnel_mtu(MAG1), 1400);
        assert_eq!(bench.control.publisher.tunnel_mtu(MAG2), 1500, "another path");
        assert!(passes(&mut bench, node, 1360) && !passes(&mut bench, node, 1361));
        // Less once more, five minutes later; and what says more says nothing.
        bench.pass(Duration::from_secs(300));
        for mtu in [1350, 1380] {
            bench.arrive(&too_big(MAG1, node, mtu));
            bench.settle();
        }
        assert_eq!(bench.control.publisher.tunnel_mtu(MAG1), 1350);
        assert_eq!(bench.count(Counter::PathMtuLearnt), 2);
        bench.pass(Duration::from_secs(599));
        assert!(!passes(&mut bench, node, 1311));
        bench.pass(Duration::from_secs(1));
        assert_eq!(bench.control.publisher.tunnel_mtu(MAG1), 1500, "what is configured");
        assert!(passes(&mut bench, node, 1460));
        assert_eq!(bench.count(Counter::PathMtuForgotten), 1);
    }
}

#[test]
fn path_mtu_holds_for_a_tunnel_that_is_made_later() {
    let mut bench = Bench::new(Shape::default());
    let node = register_for_an_hour(&mut bench);
    bench.arrive(&too_big(MAG1, node, 1300));
    bench.settle();
    let hnp = bench.control.anchor.lma().cache().page(0, 1).0.next().expect("one").1.hnp[0];
    let pbu = bench.pbu_with(MAG2, "mn1@example.org", hnp, 2, 3600);
    bench.arrive(&pbu);
    bench.settle();
    assert!(passes(&mut bench, node, 1400), "at the other gateway");
    let pbu = bench.pbu_with(MAG1, "mn1@example.org", hnp, 3, 3600);
    bench.arrive(&pbu);
    bench.settle();
    assert!(!passes(&mut bench, node, 1400) && passes(&mut bench, node, 1280));
}
