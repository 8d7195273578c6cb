//! Nodes with several care-of addresses: a copy of each packet goes to every one (RFC 5944 1.7).

use super::*;

const NODE: &str = "10.1.0.77";
const OLDER: &str = "198.51.100.8";
const SET: TunnelId = TunnelId(2);
const IN_GRE: TunnelId = TunnelId(3);
const PLAIN: TunnelId = dual_tunnel(3); // to MAG4

/// The dual rig with a node at MAG4, and at another address in GRE.
fn rig(workers: u16) -> Rig {
    let mut rig = Rig::dual(workers);
    let [local, older] = [LMA4, OLDER].map(|a| ipv4(a).to_ipv6_mapped());
    let path = TunnelPath { local, remote: older, encap: Encap::Gre };
    rig.publish(Change::TunnelSet(IN_GRE, Tunnel { path, mtu: 1500 }));
    let members = [Some(PLAIN), Some(IN_GRE), None, None];
    rig.publish(Change::CopiesSet(SET, members));
    rig.set(&format!("{NODE}/32"), through(SET));
    rig.publish(Change::NeighborSet(ACCESS, older, MacAddr([8; 6])));
    rig.run();
    rig
}

#[test]
fn each_care_of_address_gets_a_copy_in_its_own_tunnel() {
    for workers in [1, 2] {
        let mut rig = rig(workers);
        for worker in 0..usize::from(workers) {
            rig.arrive_at(worker, CORE, &Packet4::new(CN4, NODE).on_core());
            rig.run();
            let mut sent = rig.sent(ACCESS);
            sent.sort_by_key(|frame| frame[23]);
            let [plain, gre] = &sent[..] else { panic!("two: {:?}", rig.drops()) };
            assert_eq!((plain[23], &plain[30..34]), (4, &ipv4(MAG4).octets()[..]));
            assert_eq!((gre[23], &gre[30..34]), (47, &ipv4(OLDER).octets()[..]));
            assert_eq!(plain[34..], gre[38..], "the same packet");
            assert_eq!(plain[42], 63, "forwarded once");
        }
        assert_eq!(rig.count(Counter::Copies), u64::from(workers));
        rig.balance();
    }
}

#[test]
fn node_sends_from_each_of_its_care_of_addresses_and_from_no_other() {
    let packet = Packet4::new(NODE, CN4).bytes();
    let gre = [&[0, 0, 8, 0], &packet[..]].concat();
    for (frame, drops) in [
        (Packet4::new(MAG4, LMA4).payload(4, &packet), vec![]),
        (Packet4::new(OLDER, LMA4).payload(47, &gre), vec![]),
        (Packet4::new(OLDER, LMA4).payload(4, &packet), vec![(DropReason::Encapsulation, 1)]),
        (Packet4::new(CN4, LMA4).payload(4, &packet), vec![(DropReason::NotServing, 1)]),
    ] {
        let mut rig = rig(1);
        rig.arrive(ACCESS, &frame.on_access());
        assert_eq!(rig.drops(), drops);
        assert_eq!(rig.sent(CORE).len(), usize::from(drops.is_empty()));
        rig.balance();
    }
}

#[test]
fn sender_of_what_cannot_enter_is_told_once() {
    let mut rig = rig(1);
    rig.arrive(CORE, &Packet4::new(CN4, NODE).ttl(1).on_core());
    assert_eq!((rig.sent(CORE).len(), rig.sent(ACCESS).len()), (1, 0));
    assert_eq!(rig.drops(), [(DropReason::HopLimit, 2)]);
    rig.balance();
}

#[test]
fn one_tunnel_is_left_when_the_others_are_gone() {
    let mut rig = rig(1);
    rig.set(&format!("{NODE}/32"), through(PLAIN));
    rig.publish(Change::TunnelDel(SET));
    rig.arrive(CORE, &Packet4::new(CN4, NODE).on_core());
    let (_, frame) = rig.sent_one();
    assert_eq!(frame[30..34], ipv4(MAG4).octets());
    assert_eq!(rig.count(Counter::Copies), 0);
    rig.balance();
}
