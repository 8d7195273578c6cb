//! Tunnels of Mobile IPv4: in UDP on port 434 (RFC 3519), and IPv6 in IPv4 to a home address in
//! IPv4 to a care-of address (RFC 5454).

use super::dual::without_identification;
use super::*;

/// The port of a NAT before the node, or of the node.
const NODE_PORT: u16 = 40000;
const HOA: &str = "10.1.1.5";
const IN_UDP: &str = "2001:db8:1:b0::/64";
const IN_HOME: &str = "2001:db8:1:b1::/64";
const MIP: TunnelId = TunnelId(14);
const TWO_LEVELS: TunnelId = TunnelId(15);

fn rig() -> Rig {
    let mut rig = Rig::dual(1);
    let [local, remote] = [LMA4, MAG4].map(|a| ipv4(a).to_ipv6_mapped());
    let encaps = [(MIP, Encap::Mip4Udp(NODE_PORT)), (TWO_LEVELS, Encap::HomeIpv4(ipv4(HOA)))];
    for (id, encap) in encaps {
        let path = TunnelPath { local, remote, encap };
        rig.publish(Change::TunnelSet(id, Tunnel { path, mtu: 1500 }));
    }
    // As the kernel has it of an address of its own.
    rig.publish(Change::RouteSet(prefix("192.0.2.1/32").into(), NextHop::Local));
    rig.set(&format!("{HOA}/32"), through(MIP));
    rig.set(IN_UDP, through(MIP));
    rig.set(IN_HOME, through(TWO_LEVELS));
    rig.run();
    rig
}

/// From the node's NAT to the anchor's port of Mobile IPv4.
fn in_udp(from: u16, header: [u8; 4], inner: &[u8]) -> Vec<u8> {
    Packet4::new(MAG4, LMA4).udp(from, 434, &[&header, inner].concat()).on_access()
}

/// From the node's care-of address: this from its home address.
fn in_home(home: &str, inner: &[u8]) -> Vec<u8> {
    let second = Packet4::new(home, LMA4).payload(41, inner);
    Packet4::new(MAG4, LMA4).payload(4, &second.bytes()).on_access()
}

fn node6(prefix: &str) -> String {
    prefix.replace("::/64", "::11")
}

/// The packet behind the Ethernet header of the one frame that was sent, and on which port.
fn sent(rig: &Rig) -> (PortId, Vec<u8>) {
    let (port, frame) = rig.sent_one();
    (port, without_identification(frame).split_off(14))
}

// proves: MIP4NAT-4.1-2, MIP4NAT-4.7-1, MIP4NAT-4.7-2, MIP4NAT-3.3-1, DSMIP4-3.9-2
#[test]
fn packets_of_both_families_travel_in_udp_behind_the_header_of_rfc_3519() {
    for (packet, inner, next) in [
        (Packet4::new(CN4, HOA).on_core(), Packet4::new(CN4, HOA).ttl(63).bytes(), 4),
        (
            Packet::new(CN, &node6(IN_UDP)).on_core(),
            Packet::new(CN, &node6(IN_UDP)).hops(63).bytes(),
            41,
        ),
    ] {
        let mut rig = rig();
        rig.arrive(CORE, &packet);
        let (port, made) = sent(&rig);
        assert_eq!((port, &made[9..10]), (ACCESS, &[UDP][..]));
        assert_eq!([&made[12..16], &made[16..20]], [ipv4(LMA4), ipv4(MAG4)].map(|a| a.octets()));
        let udp = [434, NODE_PORT, u16::try_from(12 + inner.len()).unwrap(), 0];
        assert_eq!(made[20..28], udp.map(u16::to_be_bytes).concat());
        assert_eq!((&made[28..32], &made[32..]), (&[4, next, 0, 0][..], &inner[..]));
        rig.balance();
    }
}

#[test]
fn packets_of_the_node_come_out_of_udp_whatever_the_reserved_octets_say() {
    for (inner, next, expected) in [
        (Packet4::new(HOA, CN4).bytes(), 4, Packet4::new(HOA, CN4).ttl(63).bytes()),
        (
            Packet::new(&node6(IN_UDP), CN).bytes(),
            41,
            Packet::new(&node6(IN_UDP), CN).hops(63).bytes(),
        ),
    ] {
        for reserved in [0, 0xff] {
            let mut rig = rig();
            rig.arrive(ACCESS, &in_udp(NODE_PORT, [4, next, reserved, reserved], &inner));
            let (port, frame) = rig.sent_one();
            assert_eq!((port, &frame[14..]), (CORE, &expected[..]));
            rig.balance();
        }
    }
}

// proves: MIP4NAT-3.3-2, MIP4NAT-3.3-3, MIP4NAT-4.3-1
#[test]
fn udp_of_another_port_another_encapsulation_or_another_family_is_dropped() {
    use DropReason as D;
    let inner = Packet4::new(HOA, CN4).bytes();
    let plain = Packet4::new(MAG4, LMA4).payload(4, &inner).on_access();
    let foreign = Packet4::new("10.1.0.19", CN4).bytes();
    for (frame, reason) in [
        (in_udp(NODE_PORT + 1, [4, 4, 0, 0], &inner), D::UdpPort),
        (in_udp(NODE_PORT, [4, 41, 0, 0], &inner), D::InnerVersion),
        (in_udp(NODE_PORT, [4, 47, 0, 0], &inner), D::InnerVersion),
        (in_udp(NODE_PORT, [4, 55, 0, 0], &inner), D::InnerVersion),
        (in_udp(NODE_PORT, [4, 4, 0, 0], &[]), D::InnerTruncated),
        (plain, D::Encapsulation),
        (in_udp(NODE_PORT, [4, 4, 0, 0], &foreign), D::Encapsulation),
    ] {
        let mut rig = rig();
        rig.arrive(ACCESS, &frame);
        assert_eq!(rig.drops(), [(reason, 1)]);
        rig.balance();
    }
}

// proves: DSMIP4-3.3.2-2
#[test]
fn ipv6_travels_to_the_home_address_inside_of_what_travels_to_the_care_of_address() {
    let mut rig = rig();
    let packet = Packet::new(CN, &node6(IN_HOME)).traffic_class(0xb9);
    rig.arrive(CORE, &packet.on_core());
    let (port, made) = sent(&rig);
    let inner = Packet::new(CN, &node6(IN_HOME)).traffic_class(0xb9).hops(63).bytes();
    let second = Packet4::new(LMA4, HOA).tos(0xb9).payload(41, &inner).bytes();
    let mut second = second;
    second[4..6].fill(0); // no identification: it is never cut
    second[10..12].fill(0);
    let sum = crate::dataplane::checksum::sum_of(&second[..20]);
    second[10..12].copy_from_slice(&crate::dataplane::checksum::value(sum).to_be_bytes());
    assert_eq!((port, made[9], made[1]), (ACCESS, 4, 0xb9));
    assert_eq!([&made[12..16], &made[16..20]], [ipv4(LMA4), ipv4(MAG4)].map(|a| a.octets()));
    assert_eq!(made[20..], second);
    rig.balance();
}

// proves: DSMIP4-3.3.2-3
#[test]
fn ipv6_of_the_node_comes_out_of_both_levels() {
    let mut rig = rig();
    let packet = Packet::new(&node6(IN_HOME), CN);
    rig.arrive(ACCESS, &in_home(HOA, &packet.clone().bytes()));
    let (port, frame) = rig.sent_one();
    assert_eq!((port, &frame[14..]), (CORE, &packet.hops(63).bytes()[..]));
    rig.balance();
}

// proves: DSMIP4-3.3.2-7, DSMIP4-3.3.2-8, DSMIP4-3.3.2-9, DSMIP4-4-1, DSMIP4-4-2
#[test]
fn ipv6_of_another_home_address_or_another_prefix_is_dropped() {
    use DropReason as D;
    let own = Packet::new(&node6(IN_HOME), CN).bytes();
    let one_level = Packet4::new(MAG4, LMA4).payload(41, &own).on_access();
    let elsewhere = Packet4::new(CN4, LMA4)
        .payload(4, &Packet4::new(HOA, LMA4).payload(41, &own).bytes())
        .on_access();
    for (frame, reason) in [
        (in_home("10.1.1.6", &own), D::NotServing),
        (in_home(HOA, &Packet::new(&node6(IN_UDP), CN).bytes()), D::Encapsulation),
        (one_level, D::Encapsulation),
        (elsewhere, D::NotServing),
    ] {
        let mut rig = rig();
        rig.arrive(ACCESS, &frame);
        assert_eq!(rig.drops(), [(reason, 1)]);
        rig.balance();
    }
}

#[test]
fn messages_of_mobile_ipv4_on_the_same_port_are_not_tunnel_packets() {
    for kind in [1, 3, 7, 15] {
        let mut rig = rig();
        rig.arrive(ACCESS, &in_udp(NODE_PORT, [kind, 0, 0, 0], &[0; 40]));
        assert_eq!(rig.drops(), []);
        assert_eq!(rig.reports().len() + rig.signaling().len(), 1);
        rig.balance();
    }
}
