//! Frames that scapy made, in and out (tests/golden/dataplane/make.py).

use super::{Counter, PortId, Rig};

const FRAMES: &str = include_str!("../../../tests/golden/dataplane/frames.txt");

pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) given: (PortId, Vec<u8>),
    pub(super) expected: (PortId, Vec<u8>),
}

/// The cases of a file.
pub(super) fn cases(frames: &'static str) -> Vec<Case> {
    let port = |s: &str| PortId(s.parse().unwrap());
    let bytes = |s: &str| {
        (0..s.len()).step_by(2).map(|i| u8::from_str_radix(&s[i..i + 2], 16).unwrap()).collect()
    };
    let lines = frames.lines().filter(|l| !l.starts_with('#'));
    lines
        .map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            [name, p, given, q, expected] => {
                Case { name, given: (port(p), bytes(given)), expected: (port(q), bytes(expected)) }
            }
            _ => panic!("{line}"),
        })
        .collect()
}

/// Takes the flow label out of a frame's outer header if it is a tunnel header.
fn take_tunnel_label(frame: &mut [u8]) -> u32 {
    let is_tunnel = frame[22..38] == super::addr(super::LMA).octets() && frame[20] != 58;
    if !is_tunnel {
        return 0;
    }
    let label = u32::from_be_bytes([0, frame[15] & 0x0f, frame[16], frame[17]]);
    assert_ne!(label, 0, "a tunnel packet has a flow label");
    frame[15] &= 0xf0;
    frame[16..18].fill(0);
    label
}

// proves: PMIP6-5.6.1-1, PMIP6-5.6.1-4, PMIP6-5.6.2-3, PMIP6-5.6.2-4, PMIP6-5.6.2-5, PMIP6-5.6.2-6
// proves: PMIP6-5.6.3-1, PMIP6-5.6.3-2, PMIP6-5.6.3-4, ECN-4.1-2
#[test]
fn frames_built_by_scapy_come_out_as_scapy_expects() {
    for workers in [1, 2, 3] {
        for case in cases(FRAMES) {
            let mut rig = Rig::new(workers);
            rig.arrive(case.given.0, &case.given.1);
            let (port, mut frame) = rig.sent_one();
            take_tunnel_label(&mut frame);
            assert_eq!((port, &frame), (case.expected.0, &case.expected.1), "{}", case.name);
            rig.balance();
        }
    }
}

// proves: PMIP6-5.6.2-3
#[test]
fn golden_frames_are_spread_over_both_workers() {
    let mut rig = Rig::new(2);
    for case in cases(FRAMES) {
        rig.arrive(case.given.0, &case.given.1);
    }
    assert!(rig.count(Counter::HandoffSent) > 0, "MN1 or MN2 belongs to the second worker");
    assert!(rig.snapshots().iter().all(|s| s.get(Counter::TxPackets) > 0));
    rig.balance();
}
