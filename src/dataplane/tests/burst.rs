//! Bursts of any size and mixture do what single packets do, and noise does no harm.

use super::super::classify::{Class, Ingress, classify};
use super::super::icmp::ERRORS_BURST_SOURCE;
use super::dual::without_identification;
use super::*;
use crate::nic::BURST_MAX;
use proptest::prelude::*;
use std::sync::OnceLock;

type Frames = Vec<(PortId, Vec<u8>)>;

/// Frames of all kinds, forwarded ones more than others.
pub(super) fn kinds() -> Vec<(PortId, Vec<u8>)> {
    let core = |p: Packet| (CORE, p.on_core());
    let access = |p: Packet| (ACCESS, p.on_access());
    let tunnel = |p: Packet| (ACCESS, uplink(&p));
    let in_ipv4 = |protocol, header: &[u8], inner: &Packet4| {
        let payload = [header, &inner.bytes()].concat();
        Packet4::new(MAG4, LMA4).payload(protocol, &payload).on_access()
    };
    let behind_udp = Packet4::new("10.1.0.22", CN4).bytes();
    let mut kinds = vec![
        core(Packet::new(CN, MN1)),
        core(Packet::new(CN, MN2)),
        core(Packet::new(CN, MN1).len(1000).traffic_class(3)),
        core(Packet::new(CN, MN1).len(1461)),
        core(Packet::new(CN, MN1).hops(1)),
        core(Packet::new(CN, NOBODY)),
        core(Packet::new(CN, "2001:db8:7::1")),
        core(Packet::new(CN, LMA).payload(58, &[128, 0])),
        core(Packet::new(CN, "fe80::c0")),
        core(Packet::new(MN2, MN1).hops(1)), // forged, and its error goes into a tunnel
        tunnel(Packet::new(MN1, CN)),
        tunnel(Packet::new(MN1, CN).len(400)),
        tunnel(Packet::new(MN1, MN2)),
        tunnel(Packet::new(MN1, MN2).len(1361)),
        tunnel(Packet::new(MN1, NOBODY)),
        tunnel(Packet::new(MN1, "2001:db8:dead::1")),
        tunnel(Packet::new(MN2, CN)),
        tunnel(Packet::new("2001:db8:1:3::3", CN)),
        access(Packet::new(MN2, CN).through(MAG2, LMA)),
        access(Packet::new(MN2, MN1).through(MAG2, LMA)),
        access(Packet::new(MAG1, LMA).payload(135, &[59, 1, 5, 0])),
        access(Packet::new(MAG1, LMA).payload(60, &[41, 9])),
        (ACCESS, vec![0xff; 14]),
        (CORE, vec![]),
        (CORE, Packet4::new(CN4, "10.1.0.19").on_core()),
        (CORE, Packet4::new(CN4, "10.1.0.25").len(900).on_core()),
        (CORE, Packet4::new(CN4, "10.1.0.200").on_core()),
        (ACCESS, in_ipv4(4, &[], &Packet4::new("10.1.0.19", CN4))),
        (ACCESS, in_ipv4(4, &[], &Packet4::new("10.1.0.19", "10.1.0.25"))),
        (ACCESS, in_ipv4(47, &[0x20, 0, 8, 0, 0, 0, 0x10, 5], &Packet4::new("10.1.0.21", CN4))),
        (ACCESS, in_ipv4(47, &[0x20, 0, 8, 0, 0, 0, 0x10, 6], &Packet4::new("10.1.0.21", CN4))),
        (ACCESS, Packet4::new(MAG4, LMA4).udp(5437, 5437, &behind_udp).on_access()),
    ];
    kinds.extend(super::dual::every_encapsulation().into_iter().map(|case| case.given));
    kinds
}

/// What came out: sent on both ports and punted. With several workers there is no order between
/// them.
pub(super) fn outcome(rig: &mut Rig, sort: bool) -> [Vec<Vec<u8>>; 3] {
    let punts = rig.reports().into_iter().filter_map(|r| match r {
        Report::Punt(_, frame) => Some(frame.to_bytes()),
        Report::Counters(..) | Report::PathMtu(..) | Report::Exception(..) => None,
    });
    let punts: Vec<_> = punts.collect();
    // Each worker has identifications of its own.
    let sent = |port| rig.sent(port).into_iter().map(without_identification).collect();
    let mut out = [sent(ACCESS), sent(CORE), punts];
    if sort {
        for frames in &mut out {
            frames.sort();
        }
    }
    out
}

fn traffic_counters(rig: &Rig) -> Vec<(Counter, u64)> {
    use Counter as C;
    let fixed = |c: &&Counter| {
        !matches!(**c, C::Polls | C::BusyPolls | C::HandoffSent | C::HandoffReceived | C::Updates)
            && !matches!(**c, C::Entries)
    };
    C::ALL.iter().filter(fixed).map(|c| (*c, rig.count(*c))).collect()
}

/// Runs the frames one by one through one worker.
fn one_by_one(frames: &[(PortId, Vec<u8>)]) -> Rig {
    let mut rig = Rig::dual(1);
    for (port, bytes) in frames {
        rig.arrive(*port, bytes);
    }
    rig
}

/// The kinds that are answered by an error.
fn answered() -> &'static Vec<(PortId, Vec<u8>)> {
    static ANSWERED: OnceLock<Vec<(PortId, Vec<u8>)>> = OnceLock::new();
    ANSWERED.get_or_init(|| {
        let costs = |f: &(_, _)| one_by_one(std::slice::from_ref(f)).count(Counter::IcmpErrors);
        kinds().into_iter().filter(|f| costs(f) > 0).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn mixed_bursts_do_what_single_packets_do(
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..200),
        workers in 1u16..4,
        seed in any::<u16>(),
    ) {
        let kinds = kinds();
        // Bursts of one port, as ports are polled one after the other.
        let mut frames: Vec<_> = picks.iter().map(|pick| pick.get(&kinds).clone()).collect();
        frames.sort_by_key(|(port, _)| *port);
        // No more errors than one source may get, since each worker has its own buckets.
        let mut left = ERRORS_BURST_SOURCE;
        frames.retain(|f| !answered().contains(f) || { left = left.saturating_sub(1); left > 0 });

        let mut single = one_by_one(&frames);
        let mut burst = Rig::dual(workers);
        for (i, (port, bytes)) in frames.iter().enumerate() {
            let at = (i ^ usize::from(seed)) % usize::from(workers);
            burst.arrive_at(at, *port, bytes);
        }
        burst.run();
        prop_assert_eq!(burst.drops(), single.drops());
        prop_assert_eq!(traffic_counters(&burst), traffic_counters(&single));
        for hnp in [HNP1, HNP2] {
            // Order is kept by one worker as long as each port's frames are one burst.
            let of_core = frames.iter().filter(|(port, _)| *port == CORE).count();
            let sort = workers > 1 || of_core.max(frames.len() - of_core) > BURST_MAX;
            let same = outcome(&mut burst, sort) == outcome(&mut single, sort);
            prop_assert!(same, "other frames came out");
            prop_assert_eq!(burst.entry_counters(hnp), single.entry_counters(hnp));
        }
        burst.balance();
        single.balance();
    }

    // Also what is cut, put together, complained about and clamped.
    #[test]
    fn bursts_of_1_to_64_frames_of_every_kind_do_what_single_packets_do(
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..=BURST_MAX),
    ) {
        let edges = captures::good().into_iter().flat_map(|case| case.given);
        let kinds: Frames = kinds().into_iter().chain(edges).collect();
        let mut frames: Vec<_> = picks.iter().map(|pick| pick.get(&kinds).clone()).collect();
        frames.sort_by_key(|(port, _)| *port); // as ports are polled
        let mut single = super::edge::thin_rig(1);
        for (port, bytes) in &frames {
            single.arrive(*port, bytes);
        }
        let mut burst = super::edge::thin_rig(1);
        for (port, bytes) in &frames {
            burst.arrive_at(0, *port, bytes);
        }
        burst.run();
        let out = [&mut burst, &mut single].map(|rig| {
            let [access, core, punts] = outcome(rig, false);
            [access, core].map(|sent| {
                sent.into_iter().map(captures::foreseeable).collect::<Vec<_>>()
            }).into_iter().chain([punts]).collect::<Vec<_>>()
        });
        prop_assert_eq!(burst.drops(), single.drops());
        prop_assert_eq!(traffic_counters(&burst), traffic_counters(&single));
        prop_assert!(out[0] == out[1], "other frames came out");
        burst.balance();
        single.balance();
    }

    #[test]
    fn noise_never_panics_and_every_frame_has_an_end(
        frames in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec((0..140usize, any::<u8>()), 0..4), 0..200usize), 1..70),
        workers in 1u16..3,
    ) {
        let kinds = kinds();
        let mut rig = Rig::dual(workers);
        for (i, (pick, flips, cut)) in frames.iter().enumerate() {
            let (port, mut bytes) = pick.get(&kinds).clone();
            for (at, byte) in flips {
                if let Some(b) = bytes.get_mut(*at) {
                    *b = *byte;
                }
            }
            // A third is cut, a third is in two buffers.
            if i % 3 == 0 {
                bytes.truncate(*cut);
            }
            let at = if i % 3 == 1 { (*cut).min(bytes.len()) } else { bytes.len() };
            let frame = rig.pool.frame_in_segments(port, &bytes[..at], &bytes[at..]).unwrap();
            rig.workers[i % usize::from(workers)].rx[usize::from(port.0)].inject(frame).unwrap();
        }
        rig.run();
        rig.balance();
    }

    #[test]
    fn classification_of_any_bytes_stays_inside_them(bytes in prop::collection::vec(any::<u8>(), 0..200), more in 0..100usize) {
        let lma = Some(AnchorAddr(addr(LMA)));
        let ingress = Ingress { mac: ACCESS_MAC, access: true, lma, lma_ipv4: Some(ipv4(LMA4)) };
        let frame_len = bytes.len() + more;
        match classify(&bytes, frame_len, &ingress) {
            Class::Plain { packet_len, .. } => prop_assert!(14 + packet_len <= frame_len),
            Class::Tunneled { inner_at, packet_len, .. } => {
                prop_assert!(inner_at + 20 <= packet_len && 14 + packet_len <= frame_len);
            }
            _ => {}
        }
    }
}

#[test]
fn bursts_around_the_limits_are_forwarded_whole_and_in_order() {
    for workers in [1, 2] {
        for n in [1u8, 2, 31, 32, 33, 63, 64, 65, 130] {
            let mut rig = Rig::new(workers);
            let packet = |i| Packet::new(CN, MN1).payload(UDP, &[i; 20]);
            for i in 0..n {
                rig.arrive_at(0, CORE, &packet(i).on_core());
                rig.arrive_at(0, ACCESS, &uplink(&Packet::new(MN1, CN).payload(UDP, &[i; 20])));
            }
            rig.run();
            for port in [ACCESS, CORE] {
                let order: Vec<_> = rig.sent(port).iter().map(|f| *f.last().unwrap()).collect();
                assert_eq!(order, (0..n).collect::<Vec<_>>(), "{n} frames, {workers} workers");
            }
            rig.balance();
        }
    }
}
