//! Mobile nodes whose tunnel is in ESP: what is left to the kernel, and what may not come without
//! (RFC 6275 10.4.6).

use super::*;
use crate::addr::Protection::{All, ReturnRoutability};
use crate::dataplane::update::PuntReason;

/// At MAG1 by itself, out of MN1's prefix.
const NODE: &str = "2001:db8:1:1::7";
const PART: TunnelId = TunnelId(9);
const HOME_TEST: [u8; 8] = [59, 0, 3, 0, 0, 0, 0, 0];
const HOME_TEST_INIT: [u8; 8] = [59, 0, 1, 0, 0, 0, 0, 0];

fn rig(workers: u16, protection: Protection) -> Rig {
    let mut rig = Rig::new(workers);
    rig.publish(Change::ProtectedSet(PART, TUNNEL1, protection));
    rig.set(&format!("{NODE}/128"), through(PART));
    rig.run();
    rig
}

/// What the kernel is to forward.
fn left_to_kernel(rig: &mut Rig) -> Vec<(PortId, Vec<u8>)> {
    let frame = |report: Report<MemFrame>| match report {
        Report::Punt(PuntReason::Protected, frame) => Some((frame.port(), frame.to_bytes())),
        _ => None,
    };
    rig.reports().into_iter().filter_map(frame).collect()
}

/// Packets from `src` to `dst`; and whether they carry a Mobility Header.
fn packets(src: &str, dst: &str, message: &[u8]) -> Vec<(Packet, bool)> {
    let packet = || Packet::new(src, dst);
    let behind = |header: &[u8]| [header, message].concat();
    vec![
        (packet(), false),
        (packet().payload(58, &[128, 0, 0, 0, 0, 0, 0, 0]), false),
        (packet().payload(135, message), true),
        (packet().payload(60, &behind(&[135, 0, 1, 4, 0, 0, 0, 0])), true),
        // The first fragment, and the last.
        (packet().payload(44, &behind(&[135, 0, 0, 1, 0, 0, 0, 9])), true),
        (packet().payload(44, &behind(&[135, 0, 0, 8, 0, 0, 0, 9])), true),
        // One whose first fragment may have it behind options.
        (packet().payload(44, &behind(&[60, 0, 0, 8, 0, 0, 0, 9])), true),
        (packet().payload(44, &behind(&[17, 0, 0, 8, 0, 0, 0, 9])), false),
    ]
}

// proves: MIP6-10.4.6-5, MIP6-10.4.2-8, MIP6-8.4-13
#[test]
fn packet_that_is_to_be_in_esp_is_left_to_the_kernel_as_it_came_and_any_other_enters_the_tunnel() {
    for (protection, worker) in [(ReturnRoutability, 0), (ReturnRoutability, 1), (All, 0), (All, 1)]
    {
        for (packet, is_mobility) in packets(CN, NODE, &HOME_TEST) {
            let mut rig = rig(2, protection);
            rig.arrive_at(worker, CORE, &packet.on_core());
            rig.run();
            let sent = rig.sent(ACCESS);
            if is_mobility || protection == All {
                assert_eq!(left_to_kernel(&mut rig), [(CORE, packet.on_core())]);
                assert_eq!(sent.len(), 0);
            } else {
                assert_eq!(left_to_kernel(&mut rig), []);
                let mut inner = packet.bytes();
                inner[7] -= 1;
                assert_eq!((sent.len(), &sent[0][54..]), (1, &inner[..]));
                assert_eq!(sent[0][38..54], addr(MAG1).octets());
            }
            rig.balance();
        }
    }
}

// proves: MIP6-10.4.6-5, MIP6-8.4-13
#[test]
fn packet_that_is_to_be_in_esp_is_dropped_if_it_comes_in_the_plain_tunnel() {
    for protection in [ReturnRoutability, All] {
        for (packet, is_mobility) in packets(NODE, CN, &HOME_TEST_INIT) {
            let mut rig = rig(1, protection);
            rig.arrive(ACCESS, &uplink(&packet));
            let is_dropped = is_mobility || protection == All;
            let expected = is_dropped.then_some((DropReason::Unprotected, 1));
            assert_eq!(rig.drops(), Vec::from_iter(expected));
            assert_eq!(rig.sent(CORE).len(), usize::from(!is_dropped));
            rig.balance();
        }
    }
}

// proves: MIP6-10.4.6-5
#[test]
fn packets_of_other_nodes_in_the_same_tunnel_are_as_they_were() {
    let mut rig = rig(1, All);
    for (packet, _) in packets(CN, MN1, &HOME_TEST) {
        rig.arrive(CORE, &packet.on_core());
    }
    for (packet, _) in packets(MN1, CN, &HOME_TEST_INIT) {
        rig.arrive(ACCESS, &uplink(&packet));
    }
    assert_eq!((rig.sent(ACCESS).len(), rig.sent(CORE).len()), (8, 8));
    assert_eq!((left_to_kernel(&mut rig), rig.drops()), (vec![], vec![]));
    // Without protection it is one of them.
    rig.set(&format!("{NODE}/128"), through(TUNNEL1));
    rig.publish(Change::TunnelDel(PART));
    rig.arrive(CORE, &Packet::new(CN, NODE).payload(135, &HOME_TEST).on_core());
    assert_eq!(rig.sent(ACCESS).len(), 1);
    rig.balance();
}

#[test]
fn packet_from_node_to_node_is_left_to_the_kernel_as_if_it_came_without_a_tunnel() {
    let mut rig = rig(1, All);
    let packet = Packet::new(MN2, NODE);
    rig.arrive(ACCESS, &packet.clone().through(MAG2, LMA).on_access());
    let left = left_to_kernel(&mut rig);
    let [(ACCESS, frame)] = left.as_slice() else { panic!("{left:?}") };
    assert_eq!((&frame[..6], &frame[12..14]), (&ACCESS_MAC.0[..], &[0x86, 0xdd][..]));
    assert_eq!(frame[14..], packet.bytes());
    rig.balance();
}
