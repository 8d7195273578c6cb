//! Packets at the edges that scapy made and a worker drops (tests/golden/dataplane/refused.py).

use super::edge::{read_frames, thin_rig};
use super::*;

const FRAMES: &str = include_str!("../../../tests/golden/dataplane/refused.txt");

#[test]
fn refused_packets_built_by_scapy_are_dropped_for_the_reason_that_is_named() {
    for line in FRAMES.lines().filter(|line| !line.starts_with('#')) {
        let [name, reason, frames] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let mut rig = thin_rig(1);
        let mut frames = read_frames(frames);
        let (port, last) = frames.pop().unwrap();
        for (port, frame) in frames {
            rig.arrive(port, &frame);
            assert_eq!(rig.drops(), [], "{name}: not the last one");
        }
        rig.arrive(port, &last);
        let drops: Vec<_> = rig.drops().into_iter().map(|(r, n)| (r.name(), n)).collect();
        assert_eq!(drops, [(reason, 1)], "{name}");
        rig.balance();
        // The same in two buffers, wherever they part: dropped all the same, nothing leaks.
        for at in (0..last.len()).step_by(7) {
            let mut rig = thin_rig(1);
            let frame = rig.pool.frame_in_segments(port, &last[..at], &last[at..]).unwrap();
            rig.workers[0].rx[usize::from(port.0)].inject(frame).unwrap();
            rig.run();
            assert_eq!(rig.count(Counter::UplinkPackets), 0, "{name}, {at} bytes in the first");
            rig.balance();
        }
    }
}

/// The worker looks at the first buffer only: headers that go on in the next one are named
/// `segmented` or are too short for what they say, and what is forwarded is what one buffer gives.
#[test]
fn good_packets_in_two_buffers_are_forwarded_as_they_are_or_dropped_by_name() {
    for (name, given, expected) in edge::cases() {
        let [(port, frame)] = &given[..] else { continue };
        let step = if frame.len() < 200 { 1 } else { 61 };
        for at in (0..frame.len()).step_by(step) {
            let mut rig = thin_rig(1);
            let split = rig.pool.frame_in_segments(*port, &frame[..at], &frame[at..]).unwrap();
            rig.workers[0].rx[usize::from(port.0)].inject(split).unwrap();
            rig.run();
            let sent = edge::sent(&rig);
            if sent.is_empty() {
                let named = [
                    DropReason::Segmented,
                    DropReason::FrameShort,
                    DropReason::OuterHeader,
                    DropReason::Vlan,
                    DropReason::TunnelFragment,
                    DropReason::EgressFragment,
                    DropReason::TunnelMtu,
                    DropReason::GreHeader,
                ];
                let drops = rig.drops();
                let punted = rig.count(Counter::PuntException);
                let is_named = drops.iter().all(|(reason, _)| named.contains(reason));
                assert!(is_named && drops.len() as u64 + punted == 1, "{name}, {at}: {drops:?}");
            } else {
                let expected: Vec<_> =
                    expected.iter().map(|(p, f)| (*p, edge::foreseeable(f.clone()))).collect();
                assert_eq!(sent, expected, "{name}, {at} bytes in the first buffer");
            }
            rig.balance();
        }
    }
}
