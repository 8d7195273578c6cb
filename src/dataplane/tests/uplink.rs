//! Node to correspondent.

use super::*;

// proves: PMIP6-5.6.2-5
#[test]
fn packet_leaves_by_the_longest_route_to_its_destination() {
    let mut rig = Rig::new(1);
    let other = MacAddr([2, 0, 0, 0, 3, 3]);
    rig.publish(Change::RouteSet(prefix("2001:db8:c::/64").into(), NextHop::OnLink(CORE)));
    rig.publish(Change::NeighborSet(CORE, addr(CN), other));
    for (dst, mac) in [(CN, other), ("2001:db8:c:1::1", GATEWAY_MAC)] {
        rig.arrive(ACCESS, &uplink(&Packet::new(MN1, dst)));
        let expected = Packet::new(MN1, dst).hops(63).frame(mac, CORE_MAC);
        assert_eq!(rig.sent_one(), (CORE, expected));
    }
    rig.balance();
}

#[test]
fn one_armed_anchor_sends_out_of_the_port_that_it_received_on() {
    let mut rig = Rig::new(1);
    rig.publish(Change::RouteSet(prefix("::/0").into(), NextHop::Gateway(ACCESS, addr("fe80::1"))));
    rig.publish(Change::NeighborSet(ACCESS, addr("fe80::1"), GATEWAY_MAC));
    rig.arrive(ACCESS, &uplink(&Packet::new(MN1, CN)));
    let expected = Packet::new(MN1, CN).hops(63).frame(GATEWAY_MAC, ACCESS_MAC);
    assert_eq!(rig.sent_one(), (ACCESS, expected));
    rig.arrive(ACCESS, &Packet::new(CN, MN1).on_access());
    assert_eq!(rig.sent_one().0, ACCESS);
    rig.balance();
}

// RFC 2473 4.1.1, RFC 8200 4.2: whatever may be skipped before the inner packet is skipped.
#[test]
fn extension_headers_before_the_inner_packet_are_skipped() {
    let inner = Packet::new(MN1, CN).bytes();
    for (next, headers) in [
        (60, &[41, 0, 4, 1, 4, 1, 1, 0][..]), // a Linux tunnel's
        (60, &[41, 0, 4, 1, 0, 1, 1, 0]),     // its last level
        (60, &[41, 0, 0x1e, 4, 1, 2, 3, 4]),  // unknown, may be skipped
        (0, &[60, 0, 1, 4, 0, 0, 0, 0, 41, 0, 1, 4, 0, 0, 0, 0]), // both kinds of options
        (43, &[41, 0, 4, 0, 0, 0, 0, 0]),     // a routing header used up
        (44, &[41, 0, 0, 0, 0, 0, 0, 1]),     // an atomic fragment
    ] {
        let mut rig = Rig::new(1);
        let outer = Packet::new(MAG1, LMA).payload(next, &[headers, &inner].concat());
        rig.arrive(ACCESS, &outer.on_access());
        let expected = Packet::new(MN1, CN).hops(63).frame(GATEWAY_MAC, CORE_MAC);
        assert_eq!(rig.sent_one(), (CORE, expected));
        rig.balance();
    }
}

// RFC 2473 3.3: the tunnel's own hop limit and trailing bytes of the outer packet mean nothing.
#[test]
fn outer_packet_may_be_longer_than_the_inner_one() {
    let mut rig = Rig::new(1);
    let inner = [Packet::new(MN1, CN).bytes(), vec![0xee; 5]].concat();
    let outer = Packet::new(MAG1, LMA).payload(41, &inner).hops(1);
    rig.arrive(ACCESS, &outer.on_access());
    let expected = Packet::new(MN1, CN).hops(63).frame(GATEWAY_MAC, CORE_MAC);
    assert_eq!(rig.sent_one(), (CORE, expected));
    rig.balance();
}

// proves: ECN-4.2-1, PMIP6-5.6.3-4
#[test]
fn traffic_class_keeps_its_dscp_when_congestion_is_marked() {
    let mut rig = Rig::new(1);
    let inner = Packet::new(MN1, CN).traffic_class(0xb9); // EF, ECT(1)
    let outer = inner.clone().through(MAG1, LMA).traffic_class(0x03); // best effort, CE
    rig.arrive(ACCESS, &outer.on_access());
    let expected = inner.traffic_class(0xbb).hops(63).frame(GATEWAY_MAC, CORE_MAC);
    assert_eq!(rig.sent_one(), (CORE, expected));
    rig.balance();
}

#[test]
fn node_to_node_counts_on_both_bindings_and_spends_one_hop() {
    for workers in [1, 2, 4] {
        let mut rig = Rig::new(workers);
        for at in 0..usize::from(workers) {
            rig.arrive_at(at, ACCESS, &uplink(&Packet::new(MN1, MN2).hops(2).len(90)));
        }
        rig.run();
        let n = u64::from(workers);
        let sent = rig.sent(ACCESS);
        assert_eq!(sent.len() as u64, n);
        let inner = Packet::new(MN1, MN2).hops(1).len(90).bytes();
        assert!(sent.iter().all(|f| f[38..54] == addr(MAG2).octets() && f[54..] == inner));
        assert_eq!(rig.count(Counter::NodeToNode), n);
        let up = rig.entry_counters(HNP1).unwrap();
        let down = rig.entry_counters(HNP2).unwrap();
        assert_eq!((up.uplink_packets, up.uplink_bytes, up.downlink_packets), (n, 90 * n, 0));
        assert_eq!(
            (down.downlink_packets, down.downlink_bytes, down.uplink_packets),
            (n, 90 * n, 0)
        );
        rig.balance();
    }
}

#[test]
fn node_may_use_every_prefix_of_its_own_and_no_other() {
    let mut rig = Rig::new(1);
    rig.set("2001:db8:1:f::/64", through(TUNNEL1)); // a second prefix by the same gateway
    rig.set("2001:db8:1:f::99/128", through(TUNNEL2)); // but this address is elsewhere
    for (src, ok) in [
        ("2001:db8:1:1:ffff::1", true),
        ("2001:db8:1:f::1", true),
        ("2001:db8:1:f::99", false),
        ("2001:db8:1:2::1", false),
    ] {
        rig.arrive(ACCESS, &uplink(&Packet::new(src, CN)));
        assert_eq!(rig.sent(CORE).len(), usize::from(ok), "{src}");
    }
    assert_eq!(rig.drops(), [(DropReason::NotServing, 2)]);
    rig.balance();
}
