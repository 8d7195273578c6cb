//! Packets at the edges that scapy made, in and out (tests/golden/dataplane/edge.py), and what
//! goes with them.

use super::*;

const FRAMES: &str = include_str!("../../../tests/golden/dataplane/edge.txt");

pub(super) type Frames = Vec<(PortId, Vec<u8>)>;

/// Frames as `port:bytes`, a comma between them.
pub(super) fn read_frames(text: &str) -> Frames {
    let frame = |text: &str| {
        let (port, hex) = text.split_once(':').unwrap();
        let octet = |i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
        (PortId(port.parse().unwrap()), (0..hex.len()).step_by(2).map(octet).collect())
    };
    text.split(',').map(frame).collect()
}

/// Name, what goes in, what must come out.
pub(super) fn cases() -> impl Iterator<Item = (&'static str, Frames, Frames)> {
    FRAMES.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let [name, given, expected] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        (name, read_frames(given), read_frames(expected))
    })
}

/// With tunnels of 1300 bytes.
pub(super) fn thin_rig(workers: u16) -> Rig {
    let mut rig = Rig::dual(workers);
    let tables = tables().into_iter().chain(packet4::dual_tables());
    for change in tables {
        if let Change::TunnelSet(id, tunnel) = change {
            rig.publish(Change::TunnelSet(id, Tunnel { mtu: 1300, ..tunnel }));
        }
    }
    rig.run();
    rig
}

/// The frame without what depends on the worker: flow label and identification of tunnel packets.
pub(super) fn foreseeable(mut frame: Vec<u8>) -> Vec<u8> {
    let is = |at: usize, octets: &[u8]| frame.get(at..at + octets.len()) == Some(octets);
    if is(12, &[0x86, 0xdd]) && is(22, &addr(LMA).octets()) && !is(20, &[58]) {
        frame[15] &= 0xf0;
        frame[16..18].fill(0);
        if frame[20] == 44 {
            frame[58..62].fill(0);
        }
    } else if is(12, &[8, 0]) && is(26, &ipv4(LMA4).octets()) && !is(23, &[1]) {
        frame[18..20].fill(0);
        frame[24..26].fill(0);
    }
    frame
}

pub(super) fn sent(rig: &Rig) -> Frames {
    let on = |port| rig.sent(port).into_iter().map(move |f| (port, foreseeable(f)));
    [ACCESS, CORE].into_iter().flat_map(on).collect()
}

// proves: PMIP4-3.1.4-2, PMIP4-4.1.4.2-2, PMIP4-4.1.4.2-3
#[test]
fn edge_cases_built_by_scapy_come_out_as_scapy_expects() {
    for workers in [1, 2, 3] {
        for (name, given, expected) in cases() {
            let mut rig = thin_rig(workers);
            for (i, (port, bytes)) in given.iter().enumerate() {
                rig.arrive_at(i % usize::from(workers), *port, bytes);
            }
            rig.run();
            let expected: Frames = expected.into_iter().map(|(p, f)| (p, foreseeable(f))).collect();
            let sent = sent(&rig);
            assert_eq!(sent, expected, "{name}, {workers} workers; dropped: {:?}", rig.drops());
            rig.balance();
        }
    }
}

/// An ICMPv6 error of a router on the way to MAG1 that quotes this.
pub(super) fn error_about(kind: u8, code: u8, value: u32, quoted: &[u8]) -> Vec<u8> {
    use crate::dataplane::checksum::{sum_of, value as checksum};
    let mut message = [&[kind, code, 0, 0][..], &value.to_be_bytes(), quoted].concat();
    let pseudo = [addr(MAG2).octets(), addr(LMA).octets()].concat();
    let sum = sum_of(&pseudo) + 58 + message.len() as u64 + sum_of(&message);
    message[2..4].copy_from_slice(&checksum(sum).to_be_bytes());
    Packet::new(MAG2, LMA).payload(58, &message).on_access()
}

/// A tunnel packet of ours to MAG1.
pub(super) fn sent_by_us(inner: &Packet) -> Vec<u8> {
    inner.clone().through(LMA, MAG1).bytes()
}

fn path_mtus(rig: &mut Rig) -> Vec<(Ipv6Addr, u16)> {
    let reports = rig.reports().into_iter();
    let path_mtu =
        |r| if let Report::PathMtu(gateway, mtu) = r { Some((gateway, mtu)) } else { None };
    reports.filter_map(path_mtu).collect()
}

// RFC 8201 4, RFC 2473 6.7, 8.1
// proves: PMIP6-6.9.5-2
#[test]
fn packet_too_big_about_our_packet_is_reported_and_passed_on_and_nothing_else_is() {
    for workers in [1, 2] {
        let packet = Packet::new(CN, MN1).len(1400);
        let told = |mtu| error_about(2, 0, mtu, &sent_by_us(&packet)[..1232]);
        let mut rig = Rig::new(workers);
        rig.arrive(ACCESS, &told(1400));
        assert_eq!(path_mtus(&mut rig), [(addr(MAG1), 1400)]);
        let (port, frame) = rig.sent_one();
        assert_eq!(
            (port, &frame[54..56], &frame[58..62]),
            (CORE, &[2, 0][..], &1360u32.to_be_bytes()[..])
        );
        assert_eq!(frame[38..54], addr(CN).octets());
        assert_eq!(rig.drops(), [(DropReason::TunnelError, 1)]);
        // When all know it, it is no news; the packet's sender is still told.
        let tunnel = Tunnel { path: TunnelPath::ip(addr(LMA), addr(MAG1)), mtu: 1400 };
        rig.publish(Change::TunnelSet(TUNNEL1, tunnel));
        rig.arrive(ACCESS, &told(1400));
        assert_eq!(path_mtus(&mut rig), []);
        assert_eq!(rig.sent_one().1[54..56], [2, 0]);
        assert_eq!(rig.count(Counter::PathMtuReports), 1);
        rig.balance();

        // Never below what every link carries; nor about a packet that we cut ourselves.
        let mut rig = Rig::new(workers);
        rig.arrive(ACCESS, &error_about(2, 0, 1300, &sent_by_us(&Packet::new(CN, MN1).len(1290))));
        assert_eq!(rig.sent_one().1[58..62], 1280u32.to_be_bytes());
        rig.arrive(ACCESS, &error_about(2, 0, 1300, &sent_by_us(&Packet::new(CN, MN1).len(1270))));
        assert_eq!(path_mtus(&mut rig), [(addr(MAG1), 1300), (addr(MAG1), 1300)]);
        assert!(rig.sent(CORE).is_empty());
        rig.balance();

        let forged: [(&str, Vec<u8>); 7] = [
            ("below 1280", told(1279)),
            ("larger than the packet", told(1440)),
            ("not our source", {
                let quoted = packet.clone().through(MAG2, MAG1).bytes();
                error_about(2, 0, 1400, &quoted[..1232])
            }),
            ("a gateway that does not serve the node", {
                let quoted = packet.clone().through(LMA, MAG2).bytes();
                error_about(2, 0, 1400, &quoted[..1232])
            }),
            ("nobody's address", {
                let packet = Packet::new(CN, NOBODY).len(1400);
                error_about(2, 0, 1400, &sent_by_us(&packet)[..1232])
            }),
            ("another encapsulation", {
                let gre = [&[0, 0, 0x86, 0xdd][..], &packet.bytes()].concat();
                let quoted = Packet::new(LMA, MAG1).payload(47, &gre).bytes();
                error_about(2, 0, 1400, &quoted[..1232])
            }),
            ("a checksum that is wrong", {
                let mut frame = told(1400);
                frame[56] ^= 1;
                frame
            }),
        ];
        for (what, frame) in forged {
            let mut rig = Rig::new(workers);
            rig.arrive(ACCESS, &frame);
            assert_eq!(path_mtus(&mut rig), [], "{what}");
            assert!(rig.sent(CORE).is_empty() && rig.sent(ACCESS).is_empty(), "{what}");
            rig.balance();
        }
        // What comes from the core is not believed at all: it is the kernel's.
        let mut rig = Rig::new(workers);
        let mut frame = told(1400);
        frame[..6].copy_from_slice(&CORE_MAC.0);
        rig.arrive(CORE, &frame);
        assert_eq!((path_mtus(&mut rig).len(), rig.count(Counter::PuntException)), (0, 1));
        rig.balance();
    }
}

// RFC 4443 2.4 (e): what is passed on is an error like any other.
#[test]
fn no_error_is_passed_on_about_errors_multicast_link_local_or_later_fragments() {
    let mut suppressed = 0;
    for inner in [
        Packet::new(CN, MN1).payload(58, &[1, 3, 0, 0, 0, 0, 0, 0]),
        Packet::new("fe80::1", MN1),
        Packet::new("ff02::1", MN1),
        Packet::new("::", MN1),
        Packet::new(CN, MN1).payload(44, &[&[17, 0, 0, 8, 0, 0, 0, 1][..], &[0; 16]].concat()),
    ] {
        let mut rig = Rig::new(1);
        rig.arrive(ACCESS, &error_about(1, 3, 0, &sent_by_us(&inner)));
        assert_eq!(rig.drops(), [(DropReason::TunnelError, 1)]);
        suppressed += rig.count(Counter::IcmpSuppressed);
        assert_eq!(rig.count(Counter::IcmpErrors), 0);
        rig.balance();
    }
    assert_eq!(suppressed, 5);
}

// RFC 8200 4.5
#[test]
fn fragments_that_never_become_a_packet_are_given_up_after_a_minute() {
    let mut rig = Rig::new(1);
    let rest = [&[41, 0, 0, 1, 0, 0, 0, 1][..], &Packet::new(MN1, CN).bytes()].concat();
    rig.arrive(ACCESS, &Packet::new(MAG1, LMA).payload(44, &rest).on_access());
    assert_eq!(rig.count(Counter::FragmentsTaken), 1);
    rig.balance(); // its frame is free already
    rig.now = rig.now + crate::time::Duration::from_secs(59);
    rig.workers[0].worker.poll(rig.now);
    assert_eq!(rig.count(Counter::ReassemblyTimeout), 0);
    rig.now = rig.now + crate::time::Duration::from_secs(1);
    rig.workers[0].worker.poll(rig.now);
    assert_eq!(rig.count(Counter::ReassemblyTimeout), 1);
    rig.balance();
}

// RFC 8200 4.5: the sender of an impossible fragment is told which field is wrong.
#[test]
fn fragment_of_odd_length_is_answered_with_a_parameter_problem() {
    let mut rig = Rig::new(1);
    let rest = [&[41, 0, 0, 1, 0, 0, 0, 1][..], &[0x60; 47]].concat();
    rig.arrive(ACCESS, &Packet::new(MAG1, LMA).payload(44, &rest).on_access());
    assert_eq!(rig.drops(), [(DropReason::FragmentLength, 1)]);
    let (port, frame) = rig.sent_one();
    assert_eq!((port, &frame[54..56], &frame[58..62]), (ACCESS, &[4, 0][..], &[0, 0, 0, 4][..]));
    rig.balance();
}

// With no buffer for the parts, or for the whole, the packet is lost and counted.
#[test]
fn pool_that_is_used_up_costs_packets_and_nothing_else() {
    let mut rig = thin_rig(1);
    let big = Packet::new(CN, MN1).len(1280).on_core();
    let (_, pieces, _) = cases().find(|(name, ..)| *name == "fragments-ipv6").unwrap();
    let frames: Vec<_> =
        pieces.iter().map(|(p, bytes)| rig.pool.frame(*p, bytes).unwrap()).collect();
    let big = rig.pool.frame(CORE, &big).unwrap();
    let all: Vec<_> = std::iter::from_fn(|| rig.pool.frame(CORE, &[])).collect();
    rig.workers[0].rx[1].inject(big).unwrap();
    rig.run();
    assert_eq!(rig.drops(), [(DropReason::TunnelFragment, 1)]);
    let taken = all; // its buffer is free again: take it
    let more: Vec<_> = std::iter::from_fn(|| rig.pool.frame(CORE, &[])).collect();
    for frame in frames {
        rig.workers[0].rx[0].inject(frame).unwrap();
        rig.run();
        drop(rig.pool.frame(CORE, &[]));
    }
    assert_eq!(rig.count(Counter::Reassembled), 1, "fragments free the buffers that they need");
    drop((taken, more));
    rig.balance();
}

// What a burst of packets that are all cut makes fits: two parts each.
#[test]
fn burst_of_64_packets_that_are_cut_leaves_whole() {
    let mut rig = thin_rig(1);
    for _ in 0..64 {
        rig.arrive_at(0, CORE, &Packet::new(CN, MN1).len(1280).on_core());
    }
    rig.run();
    assert_eq!((rig.drops(), rig.count(Counter::TxPackets)), (vec![], 128));
    let bytes: usize = rig.sent(ACCESS).iter().map(Vec::len).sum();
    assert_eq!(rig.count(Counter::TxBytes), bytes as u64);
    rig.balance();
    // A port that takes no more than one burst.
    rig.workers[0].tx[0].accept(64);
    for _ in 0..64 {
        rig.arrive_at(0, CORE, &Packet::new(CN, MN1).len(1280).on_core());
    }
    rig.run();
    assert_eq!(rig.drops(), [(DropReason::TxFull, 64)]);
    rig.balance();
}
