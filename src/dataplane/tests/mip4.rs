//! Tunnels of Mobile IPv4 in UDP on port 434 (RFC 3519). IPv6 in IPv4 to a home address is in
//! `nested`.

use super::dual::without_identification;
use super::*;

/// The port of a NAT before the node, or of the node.
const NODE_PORT: u16 = 40000;
const HOA: &str = "10.1.1.5";
const IN_UDP: &str = "2001:db8:1:b0::/64";
const MIP: TunnelId = TunnelId(2); // of nobody else

fn rig() -> Rig {
    let mut rig = Rig::dual(1);
    let [local, remote] = [LMA4, MAG4].map(|a| ipv4(a).to_ipv6_mapped());
    let path = TunnelPath { local, remote, encap: Encap::Mip4Udp(NODE_PORT) };
    rig.publish(Change::TunnelSet(MIP, Tunnel { path, mtu: 1500 }));
    // As the kernel has it of an address of its own.
    rig.publish(Change::RouteSet(prefix("192.0.2.1/32").into(), NextHop::Local));
    rig.set(&format!("{HOA}/32"), through(MIP));
    rig.set(IN_UDP, through(MIP));
    rig.run();
    rig
}

/// From the node's NAT to the anchor's port of Mobile IPv4.
fn in_udp(from: u16, header: [u8; 4], inner: &[u8]) -> Vec<u8> {
    Packet4::new(MAG4, LMA4).udp(from, 434, &[&header, inner].concat()).on_access()
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

/// An echo request, whose checksum nobody looks at here.
const ECHO: [u8; 8] = [8, 0, 0, 0, 0, 7, 0, 0];

// proves: MIP4NAT-4.6-6, MIP4NAT-4.6-7
#[test]
fn keepalive_from_the_end_of_a_tunnel_that_none_takes_is_the_control_cores_and_all_else_is_dropped()
{
    use DropReason as D;
    const HALF_BOUND: &str = "10.1.1.6";
    let echo = |src: &str, dst: &str| Packet4::new(src, dst).payload(1, &ECHO);
    let keepalive = |port: u16, inner: &Packet4| in_udp(port, [4, 4, 0, 0], &inner.bytes());
    let from_elsewhere = |inner: &Packet4| {
        let payload = [&[4, 4, 0, 0][..], &inner.bytes()].concat();
        Packet4::new("198.51.100.9", LMA4).udp(NODE_PORT, 434, &payload).on_access()
    };
    let reply = Packet4::new(HALF_BOUND, LMA4).payload(1, &[0, 0, 0, 0, 0, 7, 0, 0]);
    for (frame, dropped) in [
        (keepalive(61_000, &echo(HALF_BOUND, LMA4)), None),
        // A NAT has forgotten the port of one that was known; another customer's node, perhaps.
        (keepalive(NODE_PORT + 1, &echo(HOA, LMA4)), None),
        (keepalive(NODE_PORT, &echo("10.1.1.9", LMA4)), None),
        (from_elsewhere(&echo(HALF_BOUND, LMA4)), Some(D::Held)),
        (keepalive(61_000, &echo(HALF_BOUND, CN4)), Some(D::Held)),
        (keepalive(61_000, &reply), Some(D::Held)),
        (keepalive(61_000, &echo(HALF_BOUND, LMA4).fragment(0x2000)), Some(D::Held)),
        (keepalive(61_000, &Packet4::new(HALF_BOUND, LMA4)), Some(D::Held)),
        (Packet4::new(CN4, HALF_BOUND).on_access(), Some(D::Held)),
    ] {
        let mut rig = rig();
        rig.set(&format!("{HALF_BOUND}/32"), Forward::Held);
        rig.publish(Change::NodeEndSet(ipv4(MAG4).to_ipv6_mapped()));
        rig.run();
        rig.arrive(ACCESS, &frame);
        assert_eq!(rig.drops(), dropped.map(|d| (d, 1)).into_iter().collect::<Vec<_>>());
        let punted = if dropped.is_none() { vec![frame] } else { vec![] };
        assert_eq!(rig.signaling(), punted, "as it came");
        assert_eq!(rig.sent(ACCESS).len() + rig.sent(CORE).len(), 0);
        rig.balance();
    }
}

// proves: DSMIP4-3.6-3
#[test]
fn tunnel_mtu_is_the_operators_and_what_fits_it_of_ipv6_travels_without_df() {
    let node = "2001:db8:1:a3::11"; // node 3: in IPv4 to MAG4, with no header between
    for (mtu, len, told) in [
        (1400, 1380, None),
        (1400, 1381, Some(1380_u32)),
        (1300, 1280, None),
        (1300, 1281, Some(1280)),
    ] {
        let mut rig = rig();
        let [local, remote] = [LMA4, MAG4].map(|a| ipv4(a).to_ipv6_mapped());
        let path = TunnelPath::ip(local, remote);
        rig.publish(Change::TunnelSet(dual_tunnel(3), Tunnel { path, mtu }));
        rig.arrive(CORE, &Packet::new(CN, node).len(len).on_core());
        let (port, frame) = rig.sent_one();
        if let Some(room) = told {
            assert_eq!((port, &frame[54..56]), (CORE, &[2, 0][..]), "Packet Too Big");
            assert_eq!(frame[58..62], room.to_be_bytes());
        } else {
            assert_eq!((port, frame.len()), (ACCESS, 14 + 20 + len));
            assert_eq!((frame[23], &frame[20..22]), (41, &[0, 0][..]), "no DF, no fragment");
        }
        rig.balance();
    }
}

/// An ICMP error of a router in the access network that quotes this.
fn error_about(code: u8, value_: u32, quoted: &[u8]) -> Vec<u8> {
    use crate::dataplane::checksum::{sum_of, value};
    let mut message = [&[3, code, 0, 0][..], &value_.to_be_bytes(), quoted].concat();
    let checksum = value(sum_of(&message)).to_be_bytes();
    message[2..4].copy_from_slice(&checksum);
    Packet4::new("198.51.100.1", LMA4).payload(1, &message).on_access()
}

// proves: MIP4-4.2.3-6
#[test]
fn error_from_within_a_nodes_tunnel_reaches_the_sender_of_the_packet_in_it() {
    for (node, overhead) in [("10.1.0.19", 20), (HOA, 32)] {
        for (code, mtu, room) in [(1, 0, 0), (4, 700, 700 - overhead)] {
            let mut rig = rig();
            rig.arrive(CORE, &Packet4::new(CN4, node).len(800).on_core());
            let (_, tunneled) = sent(&rig);
            rig.arrive(ACCESS, &error_about(code, mtu, &tunneled));
            let (port, frame) = rig.sent_one();
            assert_eq!((port, &frame[30..34]), (CORE, &ipv4(CN4).octets()[..]));
            assert_eq!(frame[34..36], [3, code], "{node}");
            assert_eq!(u16::from_be_bytes([frame[40], frame[41]]), room);
            assert_eq!(frame[58..62], ipv4(node).octets(), "about what it sent");
            assert_eq!(rig.drops(), [(DropReason::TunnelError, 1)]);
            rig.balance();
        }
    }
}
