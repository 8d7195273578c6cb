//! What `ordinary.rs` forwards, the general path forwards in the same bytes, and counts the same.

use super::super::ordinary::From;
use super::burst::{kinds, outcome};
use super::*;
use proptest::prelude::*;

/// One frame of a kind, with a byte changed near the edges of what is ordinary, or more behind it.
#[derive(Debug, Clone)]
struct Frame1 {
    kind: prop::sample::Index,
    at: usize,
    value: Option<u8>,
    padding: usize,
}

fn any_change() -> impl Strategy<Value = Frame1> {
    let edge =
        prop_oneof![Just(0u8), Just(1), Just(2), Just(0x45), Just(41), Just(255), any::<u8>()];
    (any::<prop::sample::Index>(), 0usize..110, prop::option::of(edge), 0usize..20).prop_map(
        |(kind, at, value, padding)| Frame1 {
            kind,
            at,
            value,
            padding: padding.saturating_sub(12),
        },
    )
}

impl Frame1 {
    fn frame(&self, kinds: &[(PortId, Vec<u8>)]) -> (PortId, Vec<u8>) {
        let (port, mut frame) = self.kind.get(kinds).clone();
        if let (Some(value), Some(byte)) = (self.value, frame.get_mut(self.at)) {
            *byte = value;
        }
        frame.extend(vec![0; self.padding]);
        (port, frame)
    }
}

proptest! {
    #[test]
    fn burst_comes_out_as_from_the_general_path_alone(
        changes in prop::collection::vec(any_change(), 1..65),
    ) {
        let kinds = kinds();
        let (mut rig, mut general) = (Rig::dual(1), Rig::dual(1));
        for (port, bytes) in changes.iter().map(|c| c.frame(&kinds)) {
            rig.arrive_at(0, port, &bytes);
        }
        rig.run();
        // Ports one after the other, as a worker polls them.
        for wanted in [ACCESS, CORE] {
            for (port, bytes) in changes.iter().map(|c| c.frame(&kinds)) {
                if port == wanted {
                    let frame = general.pool.frame(port, &bytes).unwrap();
                    let worker = &mut general.workers[0].worker;
                    worker.lane.now = general.now;
                    worker.lane.run_general(frame, From::Port(port));
                    worker.flush();
                }
            }
        }
        prop_assert_eq!(outcome(&mut rig, false), outcome(&mut general, false));
        prop_assert_eq!(rig.drops(), general.drops());
        for counter in [
            Counter::DownlinkPackets, Counter::DownlinkBytes,
            Counter::UplinkPackets, Counter::UplinkBytes, Counter::TxPackets, Counter::TxBytes,
        ] {
            prop_assert_eq!(rig.count(counter), general.count(counter), "{:?}", counter);
        }
        for prefix_ in [HNP1, HNP2, "10.1.0.19/32", "10.1.0.21/32", "10.1.0.22/32"] {
            prop_assert_eq!(rig.entry_counters(prefix_), general.entry_counters(prefix_));
        }
    }
}
