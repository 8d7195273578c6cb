//! Customers with overlapping addresses, and VLANs as their ports.
//!
//! ```text
//!   customer 1  VLAN 100 of port 1 (port 2)   10.1.0.16 behind tunnel 5, keys 2 down, 0x2001 up
//!   customer 2  VLAN 200 of port 1 (port 3)   10.1.0.16 behind tunnel 9, keys 2 down, 0x2002 up
//!   operator    port 1                        10.1.0.16 behind tunnel 0
//! ```

use super::super::update::PuntReason;
use super::*;

const NODE: &str = "10.1.0.16";
const A: CustomerId = CustomerId(1);
const B: CustomerId = CustomerId(2);
const PORT_A: PortId = PortId(2);
const PORT_B: PortId = PortId(3);

fn keyed(tunnel: u32, uplink: u32) -> Forward {
    Forward::Tunnel(dual_tunnel(tunnel), GreKeys { downlink: Some(2), uplink: Some(uplink) })
}

/// With the nodes of the picture, and a default route for each customer.
fn rig(workers: u16) -> Rig {
    with_customers(Rig::dual(workers))
}

/// The same on top of `dual_tables`.
pub(super) fn with_customers(mut rig: Rig) -> Rig {
    for (customer, port, forward) in [(A, PORT_A, keyed(5, 0x2001)), (B, PORT_B, keyed(9, 0x2002))]
    {
        let gateway = NextHop::Gateway(port, addr("fe80::1"));
        for change in [
            Change::PoolSet(prefix("10.1.0.0/16").of(customer)),
            Change::RouteSet(prefix("0.0.0.0/0").of(customer), gateway),
            Change::NeighborSet(port, addr("fe80::1"), GATEWAY_MAC),
            Change::EntrySet(prefix("10.1.0.16/32").of(customer), forward),
        ] {
            rig.publish(change);
        }
    }
    rig.run();
    rig
}

/// A frame with the tag of a VLAN.
pub(super) fn tagged(frame: &[u8], id: u16) -> Vec<u8> {
    let tag = [[0x81, 0x00], id.to_be_bytes()].concat();
    [&frame[..12], &tag, &frame[12..]].concat()
}

/// From MAG4 in GRE with this key.
fn gre(inner: &Packet4, key: u32) -> Vec<u8> {
    let header = [&[0x20, 0, 8, 0][..], &key.to_be_bytes()].concat();
    Packet4::new(MAG4, LMA4).payload(47, &[&header, &inner.bytes()[..]].concat()).on_access()
}

/// The same behind UDP and a TLV-header.
fn tlv(inner: &Packet4, key: u32) -> Vec<u8> {
    let header = [&[0x20, 0, 8, 0][..], &key.to_be_bytes()].concat();
    let gre = [&header, &inner.bytes()[..]].concat();
    let len = u16::try_from(gre.len()).unwrap().to_be_bytes();
    let payload = [&[0, 47], &len[..], &gre].concat();
    Packet4::new(MAG4, LMA4).udp(5437, 5437, &payload).on_access()
}

// proves: GREKEY-5.2-3, GREKEY-5.2-6
#[test]
fn overlapping_addresses_are_told_apart_by_port_down_and_by_key_up() {
    for workers in [1, 2, 3] {
        let mut rig = rig(workers);
        let down = Packet4::new(CN4, NODE).on_core();
        // Behind IPv4 and GRE; IPv4, UDP, TLV and GRE; IPv6: what tells the tunnels apart.
        for (frame, at, mark) in
            [(tagged(&down, 100), 23, 47), (tagged(&down, 200), 23, 17), (down.clone(), 12, 0x86)]
        {
            rig.arrive(CORE, &frame);
            let (port, sent) = rig.sent_one();
            assert_eq!((port, sent[at]), (ACCESS, mark));
            let inner = Packet4::new(CN4, NODE).ttl(63).bytes();
            assert!(sent.ends_with(&inner));
        }
        let up = Packet4::new(NODE, CN4);
        let expected = Packet4::new(NODE, CN4).ttl(63).frame(GATEWAY_MAC, CORE_MAC);
        for (frame, expected) in
            [(gre(&up, 0x2001), tagged(&expected, 100)), (tlv(&up, 0x2002), tagged(&expected, 200))]
        {
            rig.arrive(ACCESS, &frame);
            assert_eq!(rig.sent_one(), (CORE, expected));
        }
        for customer in [A, B, CustomerId(0)] {
            let key = prefix("10.1.0.16/32").of(customer);
            let up = u64::from(customer != CustomerId(0));
            let counted = rig.counters_of(key).map(|c| (c.downlink_packets, c.uplink_packets));
            assert_eq!(counted, Some((1, up)));
        }
        rig.balance();
    }
}

// RFC 5845 3.1: the key of one customer opens no binding of another.
#[test]
fn key_of_one_customer_is_none_of_another() {
    let mut rig = rig(1);
    let up = Packet4::new(NODE, CN4);
    rig.arrive(ACCESS, &gre(&up, 0x2002)); // B's key in A's encapsulation
    assert_eq!(rig.drops(), [(DropReason::Encapsulation, 1)]);
    rig.arrive(ACCESS, &gre(&up, 0x7777)); // nobody's key: the operator's node has another tunnel
    assert_eq!(rig.drops(), [(DropReason::NotServing, 1), (DropReason::Encapsulation, 1)]);
    rig.publish(Change::EntryDel(prefix("10.1.0.16/32").of(A)));
    rig.arrive(ACCESS, &gre(&up, 0x2001)); // its binding is gone
    assert_eq!(rig.drops(), [(DropReason::NotServing, 2), (DropReason::Encapsulation, 1)]);
    rig.balance();
}

#[test]
fn node_to_node_stays_inside_the_customer() {
    for workers in [1, 3] {
        let mut rig = rig(workers);
        // 10.1.0.17 is the operator's only, and an address of the pool to customer A.
        rig.arrive(ACCESS, &gre(&Packet4::new(NODE, "10.1.0.17"), 0x2001));
        assert_eq!(rig.drops(), [(DropReason::Unassigned, 1)]);
        let (port, error) = rig.sent_one();
        assert_eq!((port, error[23]), (ACCESS, 47), "the answer goes back into A's tunnel");
        let peer = prefix("10.1.0.17/32").of(A);
        rig.publish(Change::EntrySet(peer, keyed(5, 0x2003)));
        rig.arrive(ACCESS, &gre(&Packet4::new(NODE, "10.1.0.17"), 0x2001));
        assert_eq!((rig.sent_one().0, rig.count(Counter::NodeToNode)), (ACCESS, 2));
        assert_eq!(rig.counters_of(peer).map(|c| c.downlink_packets), Some(1));
        let operators = prefix("10.1.0.17/32").into();
        assert_eq!(rig.counters_of(operators).map(|c| c.downlink_packets), Some(0));
        rig.balance();
    }
}

#[test]
fn gateway_of_one_customer_needs_no_key() {
    let mut rig = rig(2);
    let remote = ipv4(MAG4).to_ipv6_mapped();
    let ip = Forward::Tunnel(dual_tunnel(3), GreKeys::default());
    rig.publish(Change::EntrySet(prefix("10.1.0.77/32").of(B), ip));
    let inner = Packet4::new("10.1.0.77", CN4);
    let frame = Packet4::new(MAG4, LMA4).payload(4, &inner.bytes()).on_access();
    rig.arrive(ACCESS, &frame);
    assert_eq!(rig.drops(), [(DropReason::InnerSource, 1)]);
    rig.publish(Change::OriginSet(remote, B));
    rig.arrive(ACCESS, &frame);
    let expected = inner.clone().ttl(63).frame(GATEWAY_MAC, CORE_MAC);
    assert_eq!(rig.sent_one(), (CORE, tagged(&expected, 200)));
    rig.arrive(ACCESS, &gre(&Packet4::new(NODE, CN4), 0x2001)); // a key says more than its gateway
    assert_eq!(rig.sent_one().1[14..16], 100u16.to_be_bytes());
    rig.publish(Change::OriginDel(remote));
    rig.arrive(ACCESS, &frame);
    assert_eq!(rig.drops(), [(DropReason::InnerSource, 2)]);
    rig.balance();
}

#[test]
fn customer_without_a_route_reaches_nobody() {
    let mut rig = rig(1);
    rig.publish(Change::RouteDel(prefix("0.0.0.0/0").of(A)));
    rig.arrive(ACCESS, &gre(&Packet4::new(NODE, CN4), 0x2001));
    assert_eq!(rig.drops(), [(DropReason::NoRoute, 1)]);
    rig.arrive(CORE, &tagged(&Packet4::new(CN4, "10.9.9.9").on_core(), 100));
    assert_eq!(rig.drops(), [(DropReason::NotAnchored, 1), (DropReason::NoRoute, 1)]);
    rig.balance();
}

// The anchor's own addresses are the operator's: a customer may use the same ones.
#[test]
fn anchors_address_is_nothing_special_to_a_customer() {
    let mut rig = rig(1);
    rig.arrive(ACCESS, &gre(&Packet4::new(NODE, LMA4), 0x2001));
    let expected = Packet4::new(NODE, LMA4).ttl(63).frame(GATEWAY_MAC, CORE_MAC);
    assert_eq!(rig.sent_one(), (CORE, tagged(&expected, 100)));
    let signaling = Packet::new(CN, LMA).payload(135, &[59, 1, 5, 0]).on_core();
    rig.arrive(CORE, &tagged(&signaling, 100));
    rig.arrive(CORE, &signaling);
    assert_eq!(rig.drops(), [(DropReason::NotAnchored, 1), (DropReason::RoleSignaling, 1)]);
    rig.balance();
}

#[test]
fn frames_of_no_vlan_of_ours_are_dropped_and_untagged_ones_are_the_devices() {
    let down = Packet4::new(CN4, NODE).on_core();
    for frame in [
        tagged(&down, 101),
        tagged(&down, 0),
        tagged(&tagged(&down, 100), 100),
        [&down[..12], &[0x88, 0xa8, 0, 100], &down[12..]].concat(),
    ] {
        let mut rig = rig(1);
        rig.arrive(CORE, &frame);
        assert_eq!(rig.drops(), [(DropReason::Vlan, 1)]);
        rig.balance();
    }
    let mut rig = rig(1);
    rig.arrive(ACCESS, &tagged(&Packet4::new(CN4, NODE).on_access(), 100)); // of the other device
    assert_eq!(rig.drops(), [(DropReason::Vlan, 1)]);
    rig.arrive(CORE, &tagged(&down, 0xe064)); // of a high priority
    assert_eq!(rig.sent_one().1[23], 47);
    rig.arrive(CORE, &tagged(&down, 100)[..15]);
    assert_eq!(rig.drops(), [(DropReason::Vlan, 2)]);
    rig.balance();
}

/// The one punt: why, the device that the frame came by, the frame.
fn punted(rig: &mut Rig) -> (PuntReason, PortId, Vec<u8>) {
    match rig.reports().pop() {
        Some(Report::Punt(reason, frame)) => (reason, frame.port(), frame.to_bytes()),
        _ => panic!("{:?}", rig.drops()),
    }
}

#[test]
fn kernel_sees_a_vlans_frames_with_their_tag_and_our_own_leave_with_it() {
    let mut rig = rig(1);
    let arp = [&[0xff; 6][..], &GATEWAY_MAC.0, &[0x08, 0x06], &[0; 46]].concat();
    let own = Packet4::new(CN4, "192.0.2.254").on_core();
    for frame in [tagged(&arp, 100), tagged(&own, 200)] {
        rig.arrive(CORE, &frame);
        assert_eq!(punted(&mut rig), (PuntReason::Exception, CORE, frame));
    }
    let frame = rig.pool.frame(CORE, &arp).unwrap();
    rig.workers[0].injects.push(Inject::Frame(PORT_B, frame)).unwrap();
    rig.run();
    assert_eq!(rig.sent_one(), (CORE, tagged(&arp, 200)));
    rig.publish(Change::NeighborDel(PORT_A, addr("fe80::1")));
    rig.arrive(ACCESS, &gre(&Packet4::new(NODE, CN4), 0x2001));
    let expected = Packet4::new(NODE, CN4).ttl(63).frame(MacAddr([0; 6]), CORE_MAC);
    let reason = PuntReason::Unresolved(PORT_A, addr("fe80::1"));
    assert_eq!(punted(&mut rig), (reason, ACCESS, expected));
    rig.balance();
}

#[test]
fn frame_without_room_for_its_tag_is_dropped() {
    let mut rig = rig(1);
    let bytes = Packet4::new(CN4, NODE).on_core();
    let mut frame = rig.pool.frame(CORE, &[0]).unwrap();
    assert!(frame.prepend(125) && frame.truncate(bytes.len()));
    rig.workers[0].injects.push(Inject::Frame(PORT_A, frame)).unwrap();
    rig.run();
    assert_eq!(rig.drops(), [(DropReason::NoHeadroom, 1)]);
    rig.balance();
}

#[test]
fn tunnels_end_on_a_vlan_of_the_operators_too() {
    let mut rig = Rig::new(2);
    let inner = Packet::new(MN1, CN);
    rig.arrive(CORE, &tagged(&inner.clone().through(MAG1, LMA).on_core(), 300));
    assert_eq!(rig.sent_one(), (CORE, inner.hops(63).frame(GATEWAY_MAC, CORE_MAC)));
    let signaling = Packet::new(MAG1, LMA).payload(135, &[59, 1, 5, 0]).on_core();
    rig.arrive(CORE, &tagged(&signaling, 300));
    assert_eq!(rig.count(Counter::PuntSignaling), 1);
    assert_eq!(rig.signaling(), [signaling]);
    rig.publish(Change::RouteSet(prefix("2001:db8:a::/64").into(), NextHop::OnLink(PortId(4))));
    rig.publish(Change::NeighborSet(PortId(4), addr(MAG1), MAG1_MAC));
    rig.arrive(CORE, &Packet::new(CN, MN1).on_core());
    let (port, sent) = rig.sent_one();
    assert_eq!((port, &sent[12..16]), (CORE, &[0x81, 0x00, 1, 44][..]));
    rig.balance();
}

#[test]
fn tunnel_over_ipv6_carries_customers_too() {
    let mut rig = rig(1);
    let path = TunnelPath { local: addr(LMA), remote: addr(MAG2), encap: Encap::Gre };
    rig.publish(Change::TunnelSet(TUNNEL2, Tunnel { path, mtu: 1500 }));
    let keys = GreKeys { downlink: Some(5), uplink: Some(6) };
    let hnp = prefix("2001:db8:1:2::/64").of(A);
    rig.publish(Change::EntrySet(hnp, Forward::Tunnel(TUNNEL2, keys)));
    rig.publish(Change::PoolSet(hnp));
    rig.arrive(CORE, &tagged(&Packet::new(CN, MN2).on_core(), 100));
    let (port, sent) = rig.sent_one();
    assert_eq!(
        (port, sent[20], &sent[54..62]),
        (ACCESS, 47, &[0x20, 0, 0x86, 0xdd, 0, 0, 0, 5][..])
    );
    let gre = [&[0x20, 0, 0x86, 0xdd, 0, 0, 0, 6][..], &Packet::new(MN2, NOBODY).bytes()].concat();
    rig.arrive(ACCESS, &Packet::new(MAG2, LMA).payload(47, &gre).on_access());
    assert_eq!(rig.drops(), [(DropReason::NoRoute, 1)], "A's address space has no IPv6 beside it");
    drop(rig.sent(ACCESS));
    rig.balance();
}

// IEEE 802.1Q: priority and drop eligibility of a tag stay with the frame from VLAN to VLAN.
#[test]
fn priority_of_a_tag_is_that_of_the_tag_that_the_frame_leaves_with() {
    for workers in [1, 2] {
        let mut rig = Rig::dual(workers);
        // Gateways on VLAN 300 of the core port: tunnel packets are tagged both ways.
        let gateways = NextHop::OnLink(PortId(4));
        rig.publish(Change::RouteSet(prefix("2001:db8:a::/64").into(), gateways));
        rig.publish(Change::NeighborSet(PortId(4), addr(MAG1), MAG1_MAC));
        rig.publish(Change::RouteSet(
            prefix("0.0.0.0/0").of(A),
            NextHop::Gateway(PORT_A, addr("fe80::1")),
        ));
        rig.publish(Change::PoolSet(prefix("10.1.0.0/16").of(A)));
        rig.publish(Change::NeighborSet(PORT_A, addr("fe80::1"), GATEWAY_MAC));
        rig.publish(Change::OriginSet(addr(MAG1), A));
        let ip = Forward::Tunnel(TUNNEL1, GreKeys::default());
        rig.publish(Change::EntrySet(prefix("10.1.0.16/32").of(A), ip));
        rig.run();
        let control = |frame: &[u8]| u16::from_be_bytes([frame[14], frame[15]]);
        for priority in (0..16).map(|bits| bits << 12) {
            let down = tagged(&Packet4::new(CN4, NODE).on_core(), 100 + priority);
            rig.arrive(CORE, &down);
            assert_eq!(control(&rig.sent_one().1), 300 + priority);
            let inner = Packet4::new(NODE, CN4).bytes();
            let up = Packet::new(MAG1, LMA).payload(4, &inner).frame(CORE_MAC, MAG1_MAC);
            rig.arrive(CORE, &tagged(&up, 300 + priority));
            assert_eq!(control(&rig.sent_one().1), 100 + priority);
            // All parts of what is cut have it.
            let big = Packet4::new(CN4, NODE).fragment(0).len(1490).on_core();
            rig.arrive(CORE, &tagged(&big, 100 + priority));
            let parts: Vec<_> = rig.sent(CORE).iter().map(|f| control(f)).collect();
            assert_eq!(parts, [300 + priority; 2]);
        }
        // What comes without a tag leaves with the lowest one.
        let up = Packet::new(MAG1, LMA).payload(4, &Packet4::new(NODE, CN4).bytes()).on_access();
        rig.arrive(ACCESS, &up);
        assert_eq!(control(&rig.sent_one().1), 100);
        rig.balance();
    }
}
