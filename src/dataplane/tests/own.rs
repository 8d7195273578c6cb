//! What the anchor itself says to nodes: messages of the control core, answers to echo requests.

use super::dual::without_identification;
use super::*;

/// With nodes that may speak to the anchor.
pub(super) fn rig(workers: u16) -> Rig {
    let policy = TunnelPolicy { home_agent: true, mobile_ipv4: true, ..POLICY };
    let mut rig = Rig::with(workers, &Sizes { policy, ..SIZES });
    for change in dual_tables() {
        rig.publish(change);
    }
    // As the kernel has it of an address of its own.
    rig.publish(Change::RouteSet(prefix("192.0.2.1/32").into(), NextHop::Local));
    rig.run();
    rig
}

/// The first worker is given a packet to a node.
fn inject(rig: &mut Rig, packet: &[u8]) {
    let frame = rig.pool.frame(ACCESS, &[&[0; 14], packet].concat()).unwrap();
    rig.workers[0].injects.push(Inject::ToNode(CustomerId(0), frame)).unwrap();
    rig.run();
}

/// The one frame that was sent, which nothing but its tunnel tells from another.
fn sent(rig: &Rig) -> (PortId, Vec<u8>) {
    let (port, frame) = rig.sent_one();
    (port, without_identification(frame))
}

/// An address of each node of the dual tables.
fn nodes() -> Vec<String> {
    (0..12).map(|i| format!("2001:db8:1:a{i:x}::11")).collect()
}

#[test]
fn packet_of_ours_to_a_node_takes_its_tunnel_as_any_other_does_and_costs_no_hop() {
    for workers in [1, 2, 3] {
        let mut rig = rig(workers);
        for node in nodes() {
            rig.arrive(CORE, &Packet::new(CN, &node).on_core());
            let expected = sent(&rig);
            inject(&mut rig, &Packet::new(CN, &node).hops(63).bytes());
            assert_eq!(sent(&rig), expected, "{node}, {workers}");
        }
        for node in (0..12).map(|i| format!("10.1.0.{}", 16 + i)) {
            rig.arrive(CORE, &Packet4::new(CN4, &node).on_core());
            let expected = sent(&rig);
            inject(&mut rig, &Packet4::new(CN4, &node).ttl(63).bytes());
            assert_eq!(sent(&rig), expected, "{node}, {workers}");
        }
        rig.balance();
    }
}

// RFC 6275 10.3.2: the node is at home though its entry says that it is elsewhere.
#[test]
fn packet_of_ours_takes_the_tunnel_that_it_is_given_as_if_its_entry_said_so() {
    let ipv4 = |a: &str| ipv4(a).to_ipv6_mapped();
    let keyed = GreKeys { downlink: Some(7), uplink: Some(8) };
    for (path, keys) in [
        (TunnelPath::ip(addr(LMA), addr(MAG2)), GreKeys::default()),
        (TunnelPath { encap: Encap::Gre, ..TunnelPath::ip(addr(LMA), addr(MAG2)) }, keyed),
        (TunnelPath { encap: Encap::Udp(5437), ..TunnelPath::ip(ipv4(LMA4), ipv4(MAG4)) }, keyed),
    ] {
        let mut rig = rig(1);
        let tunnel = Tunnel { path, mtu: 1280 };
        rig.publish(Change::TunnelSet(TunnelId(1), tunnel));
        for len in [100, 1260] {
            let bytes = Packet::new(LMA, MN1).len(len).bytes();
            rig.set(HNP1, Forward::Tunnel(TunnelId(1), keys));
            inject(&mut rig, &bytes);
            let expected: Vec<_> = rig.sent(ACCESS).into_iter().map(unlike).collect();
            assert_eq!(expected.len(), if len == 100 { 1 } else { 2 }, "cut");
            rig.set(HNP1, Forward::Held);
            let frame = rig.pool.frame(ACCESS, &[&[0; 14], &bytes[..]].concat()).unwrap();
            assert!(rig.workers[0].injects.push(Inject::Through(tunnel, keys, frame)).is_ok());
            rig.run();
            assert_eq!(rig.sent(ACCESS).into_iter().map(unlike).collect::<Vec<_>>(), expected);
        }
        rig.balance();
    }
    let mut rig = rig(1);
    for path in [TunnelPath::ip(addr(LMA), addr(LMA)), TunnelPath::ip(addr(LMA), ipv4(MAG4))] {
        let bytes = [&[0; 14], &Packet::new(LMA, MN1).bytes()[..]].concat();
        let frame = rig.pool.frame(ACCESS, &bytes).unwrap();
        let through = Inject::Through(Tunnel { path, mtu: 1500 }, GreKeys::default(), frame);
        assert!(rig.workers[0].injects.push(through).is_ok());
    }
    rig.run();
    assert_eq!(rig.drops(), [(DropReason::TunnelUnreachable, 2)]);
    rig.balance();
}

/// A frame of ours without what differs from one to the next.
fn unlike(frame: Vec<u8>) -> Vec<u8> {
    let mut frame = without_identification(frame);
    if frame[12..14] == [0x86, 0xdd] && frame[20] == 44 {
        frame[58..62].fill(0); // of a fragment header
    }
    frame
}

// RFC 6612 4.1: the node has its care-of address of this anchor.
#[test]
fn packet_of_ours_to_a_node_behind_a_node_gets_both_tunnels_headers() {
    for workers in [1, 2, 3] {
        let mut rig = rig(workers);
        let path = TunnelPath::ip(addr(LMA), addr("2001:db8:1:a2::11")); // which is behind a key
        rig.publish(Change::TunnelSet(TunnelId(2), Tunnel { path, mtu: 1500 }));
        rig.set("2001:db8:1:77::/64", through(TunnelId(2)));
        inject(&mut rig, &Packet::new(LMA, "2001:db8:1:77::1").bytes());
        let (port, frame) = sent(&rig);
        let inner = Packet::new(LMA, "2001:db8:1:77::1").bytes();
        assert_eq!((port, frame[20], &frame[54..62]), (ACCESS, 47, &KEYED[..]));
        assert_eq!((frame[62] >> 4, frame[68]), (6, 41));
        assert_eq!(frame[102..], inner);
        rig.balance();
    }
}

#[test]
fn packet_of_ours_to_a_node_that_is_gone_is_dropped_and_nobody_is_told() {
    let mut rig = rig(1);
    rig.set(HNP1, Forward::Held);
    inject(&mut rig, &Packet::new(LMA, MN1).bytes());
    inject(&mut rig, &Packet::new(LMA, NOBODY).bytes());
    assert_eq!(rig.drops(), [(DropReason::Unassigned, 1), (DropReason::Held, 1)]);
    assert_eq!((rig.sent(ACCESS).len(), rig.sent(CORE).len()), (0, 0));
    rig.balance();
}

/// An ICMP message of 16 bytes with its checksum, behind what of the pseudo-header counts.
fn icmp(kind: u8, pseudo: &[u8]) -> Vec<u8> {
    use crate::dataplane::checksum::{sum_of, value};
    let mut message = [&[kind, 0, 0, 0, 0x12, 0x34, 0, 1][..], &[0xa5; 8]].concat();
    let checksum = value(sum_of(&[pseudo, &message].concat())).to_be_bytes();
    message[2..4].copy_from_slice(&checksum);
    message
}

fn echo(kind: u8, src: &str, dst: &str) -> Packet {
    let ends = [addr(src).octets(), addr(dst).octets()].concat();
    let pseudo = [&ends[..], &[0, 0, 0, 16, 0, 0, 0, 58]].concat();
    Packet::new(src, dst).payload(58, &icmp(kind, &pseudo))
}

fn echo4(kind: u8, src: &str, dst: &str) -> Packet4 {
    Packet4::new(src, dst).payload(1, &icmp(kind, &[]))
}

// RFC 3519 4.9: what keeps a NAT's mapping, and says so to the node.
#[test]
fn echo_request_of_a_node_to_the_anchor_is_answered_by_its_tunnel() {
    let (up, down) = (Packet4::new(MAG4, LMA4), Packet4::new(LMA4, MAG4).fragment(0));
    let header = |next| [4, next, 0, 0];
    for workers in [1, 2, 3] {
        for (inner, reply, next) in [
            (echo4(8, "10.1.0.27", LMA4).bytes(), echo4(0, LMA4, "10.1.0.27").bytes(), 4),
            (
                echo(128, "2001:db8:1:ab::11", LMA).bytes(),
                echo(129, LMA, "2001:db8:1:ab::11").bytes(),
                41,
            ),
        ] {
            let mut rig = rig(workers);
            let request = up.clone().udp(40002, 434, &[&header(next), &inner[..]].concat());
            rig.arrive(ACCESS, &request.on_access());
            let (port, frame) = sent(&rig);
            let expected = down.clone().udp(434, 40002, &[&header(next), &reply[..]].concat());
            assert_eq!((port, &frame[34..]), (ACCESS, &expected.bytes()[20..]));
            assert_eq!(frame[26..34], expected.bytes()[12..20]);
            rig.balance();
        }
    }
}

// The care-of address of such a node is one that a gateway serves.
#[test]
fn registrations_in_udp_come_out_of_a_gateways_tunnel() {
    for (port, message) in [(434, vec![1; 24]), (4191, update(LMA).bytes())] {
        let request = Packet4::new("10.1.0.19", LMA4).udp(4000, port, &message);
        let frame = Packet4::new(MAG4, LMA4).payload(4, &request.bytes()).on_access();
        let mut rig = rig(1);
        rig.arrive(ACCESS, &frame);
        let heard = rig.signaling();
        assert_eq!(
            (heard.len(), &heard[0][12..14], &heard[0][14..]),
            (1, &[8, 0][..], &request.bytes()[..])
        );
        rig.balance();
        let mut rig = Rig::dual(1);
        rig.publish(Change::RouteSet(prefix("192.0.2.1/32").into(), NextHop::Local));
        rig.arrive(ACCESS, &frame);
        assert_eq!((rig.signaling().len(), rig.drops()), (0, vec![(DropReason::ToAnchor, 1)]));
    }
}

// Its home is behind the gateway, and what it has registered is in force still.
#[test]
fn node_of_mobile_ipv4_that_is_back_says_so_through_its_gateway_and_sends_nothing_else() {
    let (home, away) = ("10.1.0.19", ipv4("198.51.100.77").to_ipv6_mapped());
    let from_home = |port, message: &[u8]| Packet4::new(home, LMA4).udp(4000, port, message);
    let request = from_home(434, &[1; 24]);
    let in_tunnel = from_home(434, &[&[4, 4, 0, 0], &Packet4::new(home, CN4).bytes()[..]].concat());
    for (inner, heard) in [
        (&request, 1),
        (&in_tunnel, 0),
        (&from_home(435, &[1; 24]), 0),
        (&Packet4::new(home, CN4).udp(4000, 434, &[1; 24]), 0),
    ] {
        let mut rig = rig(1);
        let path = TunnelPath::ip(ipv4(LMA4).to_ipv6_mapped(), away);
        rig.publish(Change::TunnelSet(TunnelId(2), Tunnel { path, mtu: 1500 }));
        rig.set(&format!("{home}/32"), through(TunnelId(2)));
        rig.publish(Change::NodeEndSet(away));
        rig.run();
        rig.arrive(ACCESS, &Packet4::new(MAG4, LMA4).payload(4, &inner.bytes()).on_access());
        let signaling = rig.signaling();
        assert_eq!(signaling.len(), heard);
        assert!(signaling.iter().all(|frame| frame[14..] == request.bytes()));
        assert_eq!(rig.drops().len(), 1 - heard, "{:?}", rig.drops());
        assert_eq!(rig.sent(CORE).len(), 0);
        rig.balance();
    }
}

/// A Mobility Header of a home address.
fn update(dst: &str) -> Packet {
    Packet::new("2001:db8:7::7", dst).payload(135, &[59, 0, 5, 0, 0, 0, 0, 0])
}

#[test]
fn whatever_else_a_node_sends_to_the_anchor_is_refused() {
    let request = || echo(128, MN1, LMA);
    let padded = echo4(8, "10.1.0.19", LMA4).len(40).fragment(0x2000).bytes(); // the first part
    let in_ipv4 = |packet: &[u8]| Packet4::new(MAG4, LMA4).payload(4, packet).on_access();
    for (frame, answers) in [
        (uplink(&request()), 1),
        (uplink(&echo(129, MN1, LMA)), 0),
        (uplink(&request().payload(58, &[128, 0, 0])), 0),
        (uplink(&request().payload(UDP, &[128; 16])), 0),
        (in_ipv4(&padded), 0),
        (in_ipv4(&echo4(13, "10.1.0.19", LMA4).bytes()), 0),
    ] {
        let mut rig = rig(1);
        rig.arrive(ACCESS, &frame);
        assert_eq!(rig.drops().len(), 1 - answers, "{:?}", rig.drops());
        assert!(rig.drops().iter().all(|drop| *drop == (DropReason::ToAnchor, 1)));
        rig.balance();
    }
    // Of a local mobility anchor alone nodes have nothing to ask.
    let mut rig = Rig::new(1);
    rig.arrive(ACCESS, &uplink(&request()));
    assert_eq!(rig.drops(), [(DropReason::ToAnchor, 1)]);
    rig.balance();
}

/// A GRE header of IPv6 with the key of node 2 of the dual tables.
const KEYED: [u8; 8] = [0x20, 0, 0x86, 0xdd, 0x11, 0x22, 0x33, 0x44];
