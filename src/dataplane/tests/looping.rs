//! Tunnel packets to the home address of a node of Mobile IPv4 that is away.

use super::dual::without_identification;
use super::own::rig;
use super::*;

const NODE: &str = "10.1.0.19"; // node 3: in IPv4 to MAG4, with no header between
const IN_UDP: &str = "10.1.0.27"; // node 11: in UDP of RFC 3519 to MAG4
const ELSEWHERE: &str = "198.51.100.9"; // in the access network, nobody's care-of address

/// Of which MAG4 is a care-of address.
fn mobile(workers: u16) -> Rig {
    let mut rig = rig(workers);
    rig.publish(Change::NodeEndSet(ipv4(MAG4).to_ipv6_mapped()));
    rig.run();
    rig
}

/// A packet to `inner` in one from `src` to `node`, in each encapsulation that Mobile IPv4 has.
fn tunneled(src: &str, node: &str, inner: &str) -> Vec<Packet4> {
    let packet = Packet4::new(CN4, inner);
    let [whole, payload] = [packet.bytes(), packet.bytes().split_off(20)];
    let [from, to] = [CN4, inner].map(|a| ipv4(a).octets());
    let gre = |header: &[u8]| [header, &whole[..]].concat();
    let outer = Packet4::new(src, node);
    vec![
        outer.clone().payload(4, &whole),
        outer.clone().payload(47, &gre(&[0, 0, 8, 0])),
        outer.clone().payload(47, &gre(&[0x20, 0, 8, 0, 1, 2, 3, 4])),
        outer.clone().payload(47, &gre(&[0xb0, 0, 8, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 1])),
        outer.clone().payload(55, &[&[UDP, 0, 0, 0][..], &to, &payload].concat()),
        outer.payload(55, &[&[UDP, 0x80, 0, 0][..], &to, &from, &payload].concat()),
    ]
}

// proves: MIP4-4.2.3-10, MIP4-4.2.3-11, MIP4-4.2.3-12
#[test]
fn what_comes_back_from_the_care_of_address_is_dropped_without_a_word() {
    for (workers, node) in [(1, NODE), (1, IN_UDP), (3, NODE), (3, IN_UDP)] {
        for packet in tunneled(MAG4, node, node) {
            let mut rig = mobile(workers);
            rig.arrive(ACCESS, &packet.on_access());
            assert_eq!(rig.drops(), [(DropReason::TunnelLoop, 1)]);
            assert_eq!((rig.sent(ACCESS).len(), rig.sent(CORE).len()), (0, 0));
            assert_eq!(rig.entry_counters(&format!("{node}/32")).unwrap().downlink_packets, 0);
            rig.balance();
        }
    }
}

// proves: MIP4-4.2.3-11, MIP4-4.2.3-13, MIP4-4.2.3-15
#[test]
fn any_other_tunnel_packet_gets_a_tunnel_header_to_the_care_of_address_around_it() {
    let forwarded = |frame: &[u8], packet: &Packet4| {
        let mut rig = mobile(1);
        rig.arrive(ACCESS, frame);
        let (port, sent) = rig.sent_one();
        let sent = without_identification(sent);
        assert_eq!((port, sent[23], &sent[30..34]), (ACCESS, 4, &ipv4(MAG4).octets()[..]));
        assert_eq!(sent[34..], packet.clone().ttl(63).bytes());
        rig.balance();
    };
    for (src, inner) in [(ELSEWHERE, NODE), (CN4, NODE), (MAG4, CN4), (ELSEWHERE, IN_UDP)] {
        for packet in tunneled(src, NODE, inner) {
            forwarded(&packet.on_access(), &packet);
        }
    }
    // What no tunnel packet is, or not whole, or carries IPv6.
    let short = Packet4::new(MAG4, NODE).payload(4, &Packet4::new(CN4, NODE).bytes()[..19]);
    let part = Packet4::new(MAG4, NODE).payload(4, &Packet4::new(CN4, NODE).bytes()).fragment(4);
    let ipv6 = Packet4::new(MAG4, NODE).payload(47, &[&[0, 0, 0x86, 0xdd][..], &[0; 60]].concat());
    for packet in [Packet4::new(MAG4, NODE), short, part, ipv6] {
        forwarded(&packet.on_access(), &packet);
    }
}

// RFC 5944 1.7: each is a current care-of address.
#[test]
fn node_with_several_care_of_addresses_gets_nothing_back_from_any_of_them() {
    const OLDER: &str = "198.51.100.8";
    const SET: TunnelId = TunnelId(2); // of nobody else
    const IN_GRE: TunnelId = TunnelId(3);
    let mut rig = mobile(1);
    let [local, older] = [LMA4, OLDER].map(|a| ipv4(a).to_ipv6_mapped());
    let path = TunnelPath { local, remote: older, encap: Encap::Gre };
    rig.publish(Change::TunnelSet(IN_GRE, Tunnel { path, mtu: 1500 }));
    rig.publish(Change::CopiesSet(SET, [Some(dual_tunnel(3)), Some(IN_GRE), None, None]));
    rig.publish(Change::NodeEndSet(older));
    rig.publish(Change::NeighborSet(ACCESS, older, MacAddr([8; 6])));
    rig.set(&format!("{NODE}/32"), through(SET));
    for (src, dropped) in [(MAG4, 1), (OLDER, 2), (ELSEWHERE, 2)] {
        rig.arrive(ACCESS, &tunneled(src, NODE, NODE)[0].on_access());
        assert_eq!(rig.drops(), [(DropReason::TunnelLoop, dropped)]);
        assert_eq!(rig.sent(ACCESS).len(), if src == ELSEWHERE { 2 } else { 0 });
    }
    rig.balance();
}

#[test]
fn nodes_that_the_network_moves_have_no_care_of_address_that_could_send_anything_back() {
    let mut rig = rig(1);
    rig.arrive(ACCESS, &tunneled(MAG4, NODE, NODE)[0].on_access());
    assert_eq!((rig.drops(), rig.sent(ACCESS).len()), (vec![], 1));
    rig.balance();
}
