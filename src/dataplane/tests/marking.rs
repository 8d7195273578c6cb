//! DSCP, ECN and MSS of what goes through a worker.

use super::spoof::Wire;
use super::*;
use crate::dataplane::checksum::{sum_of, value};

/// What a worker's traffic class fields say: of the outer header, and of the inner one behind the
/// headers of tunnel `i`.
fn classes(frame: &[u8], i: u32) -> (u8, u8) {
    let class = |at: usize| match frame[at] >> 4 {
        6 => frame[at] << 4 | frame[at + 1] >> 4,
        _ => frame[at + 1],
    };
    (class(14), class(14 + Wire::of(i).len()))
}

fn rig_with(policy: TunnelPolicy) -> Rig {
    let mut rig = Rig::with(1, &Sizes { policy, ..SIZES });
    for change in dual_tables() {
        rig.publish(change);
    }
    rig.run();
    rig
}

/// A packet of this class from the node behind tunnel `i`, with an outer header of that class.
fn up(of_ipv4: bool, i: u32, inner: u8, outer: u8) -> Vec<u8> {
    let (ipv6, ipv4) = spoof::node(i);
    let inner = if of_ipv4 {
        Packet4::new(&ipv4, CN4).tos(inner).bytes()
    } else {
        Packet::new(&ipv6, CN).traffic_class(inner).bytes()
    };
    Wire::of(i).with_class(outer).carry(&inner)
}

/// A packet of this class to that node.
fn down(of_ipv4: bool, i: u32, class: u8) -> Vec<u8> {
    let (ipv6, ipv4) = spoof::node(i);
    if of_ipv4 {
        Packet4::new(CN4, &ipv4).tos(class).on_core()
    } else {
        Packet::new(CN, &ipv6).traffic_class(class).on_core()
    }
}

/// Every tunnel with each family in it.
fn ways() -> impl Iterator<Item = (bool, u32)> {
    (0..spoof::TUNNELS).flat_map(|i| [(false, i), (true, i)])
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
// proves: ECN-4.2-1, ECN-4.2-2, ECN-4.2-3, ECN-4.2-4, ECN-4.2-5, DSMIP6-4.1.1-2, DSMIP4-3.6-6
#[test]
fn every_cell_of_the_ecn_table_holds_for_both_families_in_every_encapsulation() {
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
        for (of_ipv4, i) in ways() {
            for (inner, row) in CODES.into_iter().zip(table) {
                for (outer, expected) in CODES.into_iter().zip(row) {
                    let found = class_of(&mut rig, &up(of_ipv4, i, inner, outer));
                    assert_eq!(found, expected, "{inner:02b} in {outer:02b}, {of_ipv4} {i}");
                    dropped += u64::from(found.is_none());
                }
            }
        }
        assert_eq!((dropped, rig.drops()), (24, vec![(DropReason::EcnCongestion, 24)]));
        rig.balance();
    }
}

// RFC 6040 4.1, RFC 2983 3
// proves: DSMIP6-4.1.1-1
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
        for (of_ipv4, i) in ways() {
            rig.arrive(CORE, &down(of_ipv4, i, ef | 0b10));
            let found = classes(&rig.sent_one().1, i);
            assert_eq!(found, (outer, ef | 0b10), "{policy:?}, {of_ipv4} {i}");
            let frame = up(of_ipv4, i, ef | 0b10, af | 0b10);
            assert_eq!(class_of(&mut rig, &frame), Some(out), "{policy:?}, {of_ipv4} {i}");
        }
        rig.balance();
    }
}

// The customer is told by its port on the way down, by the GRE key on the way up.
#[test]
fn customers_tunnel_packets_have_their_own_dscp_and_their_packets_keep_theirs() {
    let (ef, af) = (0x2e << 2, 0x0a << 2);
    let policy = TunnelPolicy {
        dscp: DscpModel::Uniform,
        customer_dscp: vec![(CustomerId(1), 9), (CustomerId(2), 10)],
        ..POLICY
    };
    let mut rig = customer::with_customers(rig_with(policy));
    let frame = Packet4::new(CN4, "10.1.0.16").tos(ef | 1).on_core();
    for (vlan, tunnel, outer) in [(Some(100), 5, 9 << 2), (Some(200), 9, 10 << 2), (None, 0, ef)] {
        let frame = vlan.map_or(frame.clone(), |id| customer::tagged(&frame, id));
        rig.arrive(CORE, &frame);
        assert_eq!(classes(&rig.sent_one().1, tunnel), (outer | 1, ef | 1), "{vlan:?}");
    }
    let inner = Packet4::new("10.1.0.16", CN4).tos(ef | 1).bytes();
    for (i, key, class_at, out) in
        [(5, Some(0x2001), 19, ef), (9, Some(0x2002), 19, ef), (0, None, 15, af)]
    {
        let wire = Wire::of(i).with_class(af | 1);
        rig.arrive(ACCESS, &key.map_or(wire, |key| wire.with_key(key)).carry(&inner));
        assert_eq!(rig.sent_one().1[class_at], out | 1, "{i}");
    }
    rig.balance();
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
    let headers = [40, 44, 48, 20, 24, 28, 28, 28, 36, 40, 28, 32];
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
    assert_eq!(rig.count(Counter::MssClamped), 48);
    rig.balance();
    let mut rig = rig_with(POLICY);
    rig.arrive(CORE, &Packet::new(CN, MN1).payload(TCP, &SYN).on_core());
    assert_eq!((mss(&rig.sent_one().1), rig.count(Counter::MssClamped)), (1460, 0));
    rig.balance();
}
