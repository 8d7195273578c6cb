//! Packets at the edges that scapy made and a worker drops (tests/golden/dataplane/refused.py).

use super::captures::{Good, Refused};
use super::edge::thin_rig;
use super::*;

#[test]
fn refused_packets_built_by_scapy_are_dropped_for_the_reason_that_is_named() {
    for Refused { name, reason, frames: mut before, .. } in captures::refused() {
        let mut rig = thin_rig(1);
        let (port, last) = before.pop().unwrap();
        for (port, frame) in &before {
            rig.arrive(*port, frame);
            assert_eq!(rig.drops(), [], "{name}: not the last one");
        }
        rig.arrive(port, &last);
        let drops: Vec<_> = rig.drops().into_iter().map(|(r, n)| (r.name(), n)).collect();
        assert_eq!(drops, [(reason, 1)], "{name}");
        rig.balance();
        // The same in two buffers, wherever they part: dropped for the same reason, nothing leaks.
        for at in (0..last.len()).step_by(7) {
            let mut rig = thin_rig(1);
            for (port, frame) in &before {
                rig.arrive(*port, frame);
            }
            let frame = rig.pool.frame_in_segments(port, &last[..at], &last[at..]).unwrap();
            rig.workers[0].rx[usize::from(port.0)].inject(frame).unwrap();
            rig.run();
            let drops: Vec<_> = rig.drops().into_iter().map(|(r, n)| (r.name(), n)).collect();
            assert_eq!(drops, [(reason, 1)], "{name}, {at} bytes in the first buffer");
            rig.balance();
        }
    }
}

/// Where a frame parts into two buffers makes no difference, not to one that is cut either.
#[test]
fn good_packets_in_two_buffers_are_forwarded_like_those_in_one() {
    for Good { name, given, expected } in captures::good() {
        let [(port, frame)] = &given[..] else { continue };
        let expected: Vec<_> =
            expected.into_iter().map(|(p, f)| (p, captures::foreseeable(f))).collect();
        let step = if frame.len() < 200 { 1 } else { 61 };
        for at in (0..frame.len()).step_by(step) {
            let mut rig = thin_rig(1);
            let split = rig.pool.frame_in_segments(*port, &frame[..at], &frame[at..]).unwrap();
            rig.workers[0].rx[usize::from(port.0)].inject(split).unwrap();
            rig.run();
            assert_eq!(edge::sent(&rig), expected, "{name}, {at} bytes in the first buffer");
            rig.balance();
        }
    }
}
