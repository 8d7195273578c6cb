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

// What the budgets of perf/icount are for: these packets cost no more than that.
#[test]
fn ordinary_packets_of_every_family_pass_without_the_general_path() {
    let in_ipv6 = |next, header: &[u8], inner: &[u8]| {
        let payload = [header, inner].concat();
        (ACCESS, Packet::new(MAG1, LMA).payload(next, &payload).on_access())
    };
    let padded = |(port, frame): (PortId, Vec<u8>)| (port, [&frame[..], &[0; 9]].concat());
    let (down, up) = (Packet::new(CN, MN1), Packet::new(MN1, CN));
    let mut rig = Rig::dual(1);
    let passes = [
        (CORE, down.on_core()),
        padded((CORE, down.on_core())),
        (ACCESS, uplink(&up)),
        padded((ACCESS, uplink(&up))),
        (CORE, Packet4::new(CN4, "10.1.0.19").on_core()),
        padded((CORE, Packet4::new(CN4, "10.1.0.19").on_core())),
        (
            ACCESS,
            Packet4::new(MAG4, LMA4)
                .payload(4, &Packet4::new("10.1.0.19", CN4).bytes())
                .on_access(),
        ),
    ];
    let mut has_left = |(port, frame): &(PortId, Vec<u8>)| {
        rig.arrive(*port, frame); // the first one resolves its tunnel or its route
        rig.arrive(*port, frame);
        rig.workers[0].worker.notes.has_left()
    };
    for (at, pass) in passes.iter().enumerate() {
        assert!(has_left(pass), "{at}");
    }
    for other in [
        (CORE, down.clone().hops(1).on_core()),
        (CORE, Packet::new("::1", MN1).on_core()),
        (CORE, down.payload(44, &[17, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0]).on_core()),
        (ACCESS, uplink(&Packet::new(MN2, CN))),
        in_ipv6(47, &[0x20, 0, 0x86, 0xdd, 0, 0, 0, 7], &up.bytes()),
    ] {
        assert!(!has_left(&other));
    }
}

// A Mobile IPv6 node has a tunnel of its own, and a new one with each care-of address.
#[test]
fn first_packet_in_a_new_tunnel_passes_without_the_general_path() {
    let mut rig = Rig::new(1);
    let path = TunnelPath::ip(addr(LMA), addr(MAG2));
    rig.publish(Change::TunnelSet(TunnelId(7), Tunnel { path, mtu: 1500 }));
    rig.set("2001:db8:1:1::/64", Forward::Tunnel(TunnelId(7), GreKeys::default()));
    rig.run();
    rig.arrive(CORE, &Packet::new(CN, MN1).on_core());
    assert!(rig.workers[0].worker.notes.has_left());
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
