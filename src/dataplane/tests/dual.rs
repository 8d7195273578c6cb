//! Both IP versions inside and outside, in every encapsulation: frames that scapy made, in and out
//! (tests/golden/dataplane/dual.py).

use super::golden::{Case, cases};
use super::*;
use crate::dataplane::checksum::updated;

/// Of every encapsulation and family, both ways.
pub(super) fn every_encapsulation() -> Vec<Case> {
    cases(include_str!("../../../tests/golden/dataplane/dual.txt"))
}

/// Takes the flow label out of a tunnel header of IPv6: golden.rs and downlink.rs test it.
fn without_label(mut frame: Vec<u8>) -> Vec<u8> {
    if frame[12] == 0x86 && frame[22..38] == addr(LMA).octets() {
        frame[15] &= 0xf0;
        frame[16..18].fill(0);
    }
    frame
}

/// Takes the identification out of a tunnel header of IPv4: it is of the worker that wrote it.
pub(super) fn without_identification(mut frame: Vec<u8>) -> Vec<u8> {
    let is_ours = |f: &[u8]| f[12] == 0x08 && f[26..30] == ipv4(LMA4).octets() && f[23] != 1;
    if frame.len() >= 34 && is_ours(&frame) {
        let word = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
        let checksum = updated(word(24), word(18), 0);
        frame[18..20].fill(0);
        frame[24..26].copy_from_slice(&checksum.to_be_bytes());
    }
    frame
}

// proves: PMIP4-3.1.3-2, PMIP4-3.1.3-3, PMIP4-3.1.4-1, PMIP4-4.1.4.1-1, PMIP4-4.1.4.1-2
// proves: PMIP4-4.1.4.2-1, GREKEY-5.2-3, GREKEY-7.1-1, GREKEY-7.2-6
#[test]
fn every_encapsulation_of_both_families_is_what_scapy_expects() {
    for workers in [1, 2, 3] {
        for case in every_encapsulation() {
            let mut rig = Rig::dual(workers);
            rig.arrive(case.given.0, &case.given.1);
            let (port, frame) = rig.sent_one();
            let mut frame = without_label(frame);
            if workers > 1 {
                frame = without_identification(frame); // the first worker begins with zero
            }
            assert_eq!((port, &frame), (case.expected.0, &case.expected.1), "{}", case.name);
            rig.balance();
        }
    }
}

/// Those that nothing has to be decided about.
fn ordinary() -> Vec<Case> {
    const ORDINARY: [&str; 6] = ["-down6", "-up6", "-down4", "-up4", "-padded", "-largest"];
    let is_ordinary = |name: &str| ORDINARY.iter().any(|end| name.ends_with(end));
    every_encapsulation().into_iter().filter(|case| is_ordinary(case.name)).collect()
}

// The first packet of a tunnel or to a destination resolves it; the loops do the next ones,
// whatever the kinds of those around them are.
#[test]
fn loops_of_every_encapsulation_make_what_scapy_expects() {
    for port in [ACCESS, CORE] {
        let cases: Vec<_> = ordinary().into_iter().filter(|case| case.given.0 == port).collect();
        let mut rig = Rig::dual(1);
        for turn in 0..3 {
            for case in &cases {
                rig.arrive_at(0, port, &case.given.1);
            }
            rig.run();
            let mut sent = [ACCESS, CORE].map(|port| rig.sent(port).into_iter());
            for case in &cases {
                let (to, expected) = case.expected.clone();
                let frame = sent[usize::from(to.0)].next().unwrap();
                let frame = without_identification(without_label(frame));
                assert_eq!(frame, without_identification(expected), "{}, {turn}", case.name);
            }
        }
    }
}

// Those without a budget in perf/icount, too. On the way up UDP takes a closer look.
#[test]
fn packets_of_every_encapsulation_pass_without_the_general_path() {
    for case in ordinary() {
        let (port, bytes) = &case.given;
        let mut rig = Rig::dual(1);
        rig.arrive(*port, bytes);
        rig.arrive(*port, bytes);
        let is_udp = *port == ACCESS && bytes[12] == 0x08 && bytes[23] == UDP;
        assert_eq!(rig.workers[0].worker.notes.has_left(), !is_udp, "{}", case.name);
    }
}

// RFC 6864 4.2: packets that may be fragmented bear different identifications, whichever worker
// sends them.
#[test]
fn identifications_of_tunnel_packets_differ_also_between_workers() {
    let mut rig = Rig::dual(3);
    let owner = |rig: &Rig, i: u8| rig.steering.owner_of(addr(&format!("::ffff:10.1.1.{i}")));
    let nodes: Vec<u8> = (0..=255).collect();
    for node in &nodes {
        rig.set(&format!("10.1.1.{node}/32"), through(TunnelId(4 + 3)));
        rig.arrive(CORE, &Packet4::new(CN4, &format!("10.1.1.{node}")).on_core());
    }
    assert!((0..3).all(|w| nodes.iter().any(|n| owner(&rig, *n) == WorkerId(w))));
    let mut seen: Vec<_> = rig.sent(ACCESS).iter().map(|f| [f[18], f[19]]).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), nodes.len());
    rig.balance();
}

#[test]
fn tunnels_that_nobody_has_defined_are_refused() {
    let mut rig = Rig::dual(1);
    let mut refused = 0;
    for (local, remote, encap) in [
        (addr(LMA), addr(MAG1), Encap::Udp(5437)),
        (addr(LMA), addr(MAG1), Encap::UdpGre(5437)),
        (addr(LMA), addr("::ffff:198.51.100.7"), Encap::Ip),
        (addr("::ffff:192.0.2.1"), addr(MAG1), Encap::Gre),
    ] {
        let path = TunnelPath { local, remote, encap };
        rig.publish(Change::TunnelSet(TUNNEL1, Tunnel { path, mtu: 1500 }));
        rig.arrive(CORE, &Packet::new(CN, MN1).on_core());
        refused += 1;
        assert_eq!(rig.count(Counter::UpdatesRefused), refused);
        assert_eq!(rig.drops(), [(DropReason::TunnelUnreachable, refused)], "no tunnel is left");
    }
    rig.balance();
}
