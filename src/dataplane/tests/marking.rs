//! DSCP, ECN and MSS of what goes through a worker.

use super::*;
use crate::dataplane::checksum::{sum_of, value};

/// What a worker's traffic class fields say: of the outer header, of the inner one.
fn classes(frame: &[u8]) -> (u8, u8) {
    let class = |at: usize| match frame[at] >> 4 {
        6 => frame[at] << 4 | frame[at + 1] >> 4,
        _ => frame[at + 1],
    };
    let inner_at = if frame[14] >> 4 == 6 { 54 } else { 34 };
    (class(14), class(inner_at))
}

fn rig_with(policy: TunnelPolicy) -> Rig {
    let mut rig = Rig::with(1, &Sizes { policy, ..SIZES });
    for change in packet4::dual_tables() {
        rig.publish(change);
    }
    rig.run();
    rig
}

/// A packet of this class from a node behind a tunnel of each outer family, with an outer header of
/// that class.
fn up(of_ipv4: bool, in_ipv4: bool, inner: u8, outer: u8) -> Vec<u8> {
    let i = if in_ipv4 { 3 } else { 0 };
    let (protocol, inner) = if of_ipv4 {
        (4, Packet4::new(&format!("10.1.0.{}", 16 + i), CN4).tos(inner).bytes())
    } else {
        (41, Packet::new(&format!("2001:db8:1:a{i}::1"), CN).traffic_class(inner).bytes())
    };
    if in_ipv4 {
        Packet4::new(MAG4, LMA4).payload(protocol, &inner).tos(outer).on_access()
    } else {
        Packet::new(MAG1, LMA).payload(protocol, &inner).traffic_class(outer).on_access()
    }
}

/// The class that such a packet leaves with; `None`: it was dropped for its congestion.
fn class_of(rig: &mut Rig, frame: &[u8]) -> Option<u8> {
    let before = rig.drops();
    rig.arrive(ACCESS, frame);
    let class = match rig.sent(CORE).pop() {
        Some(sent) if sent[14] >> 4 == 4 => {
            assert_eq!(value(sum_of(&sent[14..34])), 0, "the header's checksum holds");
            Some(sent[15])
        }
        Some(sent) => Some(sent[14] << 4 | sent[15] >> 4),
        None => None,
    };
    let congested = rig.drops().len() > before.len() || rig.drops() != before;
    assert_eq!(congested, class.is_none());
    class
}

// RFC 6040 4.2, figure 4: inner Not-ECT, ECT(0), ECT(1), CE by outer Not-ECT, ECT(0), ECT(1), CE.
// proves: ECN-4.2-1, ECN-4.2-2, ECN-4.2-3, ECN-4.2-4, ECN-4.2-5
#[test]
fn every_cell_of_the_ecn_table_holds_in_every_combination_of_families() {
    const CODES: [u8; 4] = [0b00, 0b10, 0b01, 0b11];
    let table = [
        [Some(0b00), Some(0b00), Some(0b00), None],
        [Some(0b10), Some(0b10), Some(0b01), Some(0b11)],
        [Some(0b01), Some(0b01), Some(0b01), Some(0b11)],
        [Some(0b11), Some(0b11), Some(0b11), Some(0b11)],
    ];
    for mode in [EcnMode::Normal, EcnMode::Compatibility] {
        let mut rig = rig_with(TunnelPolicy { ecn: mode, ..POLICY });
        let mut dropped = 0;
        for (of_ipv4, in_ipv4) in [(false, false), (false, true), (true, false), (true, true)] {
            for (inner, row) in CODES.into_iter().zip(table) {
                for (outer, expected) in CODES.into_iter().zip(row) {
                    let frame = up(of_ipv4, in_ipv4, inner, outer);
                    let found = class_of(&mut rig, &frame);
                    assert_eq!(found, expected, "{inner:02b} in {outer:02b}, {of_ipv4} {in_ipv4}");
                    dropped += u64::from(found.is_none());
                }
            }
        }
        assert_eq!((dropped, rig.drops()), (4, vec![(DropReason::EcnCongestion, 4)]));
        rig.balance();
    }
}

// RFC 6040 4.1, RFC 2983 3
#[test]
fn entry_and_exit_mark_as_the_operator_wants_it() {
    let (ef, af) = (0x2e << 2, 0x0a << 2);
    for (policy, outer, out) in [
        (POLICY, ef | 0b10, ef | 0b10),
        (TunnelPolicy { dscp: DscpModel::Uniform, ..POLICY }, ef | 0b10, af | 0b10),
        (TunnelPolicy { dscp: DscpModel::Pipe(Some(7)), ..POLICY }, 7 << 2 | 0b10, ef | 0b10),
        (TunnelPolicy { ecn: EcnMode::Compatibility, ..POLICY }, ef, ef | 0b10),
        (
            TunnelPolicy { customer_dscp: vec![(CustomerId(0), 9)], ..POLICY },
            9 << 2 | 0b10,
            ef | 0b10,
        ),
        (TunnelPolicy { customer_dscp: vec![(CustomerId(1), 9)], ..POLICY }, ef | 0b10, ef | 0b10),
    ] {
        let mut rig = rig_with(policy.clone());
        for node in ["10.1.0.16", "10.1.0.19"] {
            rig.arrive(CORE, &Packet4::new(CN4, node).tos(ef | 0b10).on_core());
            let sent = rig.sent_one().1;
            assert_eq!(classes(&sent), (outer, ef | 0b10), "{policy:?}");
        }
        for node in ["2001:db8:1:a0::1", "2001:db8:1:a3::1"] {
            rig.arrive(CORE, &Packet::new(CN, node).traffic_class(ef | 0b10).on_core());
            assert_eq!(classes(&rig.sent_one().1), (outer, ef | 0b10), "{policy:?}");
        }
        for (of_ipv4, in_ipv4) in [(false, false), (false, true), (true, false), (true, true)] {
            let frame = up(of_ipv4, in_ipv4, ef | 0b10, af | 0b10);
            assert_eq!(class_of(&mut rig, &frame), Some(out), "{policy:?}");
        }
        rig.balance();
    }
}

const SYN: [u8; 24] =
    [4, 1, 4, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0x60, 2, 255, 255, 0, 0, 0, 0, 2, 4, 5, 180];
const TCP: u8 = 6;

/// The MSS of a SYN that ends a frame.
fn mss(frame: &[u8]) -> u16 {
    u16::from_be_bytes([frame[frame.len() - 2], frame[frame.len() - 1]])
}

// What each tunnel of 1500 bytes has room for, less IP and TCP header.
#[test]
fn syn_is_clamped_to_the_tunnel_both_ways_in_every_encapsulation() {
    let headers = [40, 44, 48, 20, 24, 28, 28, 28, 36, 40];
    let mut rig = rig_with(TunnelPolicy { clamp_mss: true, ..POLICY });
    for (i, headers) in (0..).zip(headers) {
        let node = spoof::node(i);
        let syn4 = Packet4::new(CN4, &node.1).payload(TCP, &SYN);
        rig.arrive(CORE, &syn4.on_core());
        assert_eq!(mss(&rig.sent_one().1), (1500 - headers - 40).min(1460), "{i}");
        let syn6 = Packet::new(CN, &node.0).payload(TCP, &SYN);
        rig.arrive(CORE, &syn6.on_core());
        assert_eq!(mss(&rig.sent_one().1), 1500 - headers - 60, "{i}");
        let syn4 = Packet4::new(&node.1, CN4).payload(TCP, &SYN).bytes();
        rig.arrive(ACCESS, &spoof::tunnelled(i, &syn4));
        assert_eq!(mss(&rig.sent_one().1), 1500 - headers - 40, "{i} up");
        let syn6 = Packet::new(&node.0, CN).payload(TCP, &SYN).bytes();
        rig.arrive(ACCESS, &spoof::tunnelled(i, &syn6));
        assert_eq!(mss(&rig.sent_one().1), 1500 - headers - 60, "{i} up");
    }
    assert_eq!(rig.count(Counter::MssClamped), 40);
    rig.balance();
    let mut rig = rig_with(POLICY);
    rig.arrive(CORE, &Packet::new(CN, MN1).payload(TCP, &SYN).on_core());
    assert_eq!((mss(&rig.sent_one().1), rig.count(Counter::MssClamped)), (1460, 0));
    rig.balance();
}
