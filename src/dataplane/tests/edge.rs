//! Packets at the edges that scapy made, in and out (tests/golden/dataplane/edge.py), and what
//! goes with them.

use super::captures::{Frames, foreseeable};
use super::*;

/// With tunnels of 1300 bytes.
pub(super) fn thin_rig(workers: u16) -> Rig {
    let mut rig = Rig::dual(workers);
    for change in thin_tunnels() {
        rig.publish(change);
    }
    rig.run();
    rig
}

pub(super) fn sent(rig: &Rig) -> Frames {
    let on = |port| rig.sent(port).into_iter().map(move |f| (port, foreseeable(f)));
    [ACCESS, CORE].into_iter().flat_map(on).collect()
}

// proves: PMIP4-3.1.4-2, PMIP4-4.1.4.2-2, PMIP4-4.1.4.2-3
#[test]
fn edge_cases_built_by_scapy_come_out_as_scapy_expects() {
    for workers in [1, 2, 3] {
        for captures::Good { name, given, expected } in captures::good() {
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

// A worker does not know the option but before a Mobility Header (RFC 6275 9.3.1).
// proves: MIP6-6.3-3, MIP6-6.3-4
#[test]
fn home_address_option_before_a_tunnel_packet_is_pointed_at_unless_it_went_to_many() {
    let inner = Packet::new(MN1, CN).bytes();
    let options = [&[41, 2, 1, 2, 0, 0, 201, 16][..], &addr(MN1).octets(), &inner].concat();
    let to = |dst: &str| Packet::new(MAG1, dst).payload(60, &options);
    let mut rig = Rig::new(1);
    rig.arrive(ACCESS, &to(LMA).on_access());
    assert_eq!(rig.drops(), [(DropReason::OuterOption, 1)]);
    let (port, frame) = rig.sent_one();
    let error = &frame[14..];
    assert_eq!((port, error[6], &error[24..40]), (ACCESS, 58, &addr(MAG1).octets()[..]));
    assert_eq!((error[40], error[41], &error[44..48]), (4, 2, &[0, 0, 0, 46][..]));
    assert_eq!((error[48 + 46], &error[48..]), (201, &to(LMA).bytes()[..]));
    let mut to_all = to("ff02::1").on_access();
    to_all[..6].copy_from_slice(&[0x33, 0x33, 0, 0, 0, 1]);
    rig.arrive(ACCESS, &to_all);
    assert_eq!((rig.sent(ACCESS).len(), rig.reports().len()), (0, 1), "the kernel hears it");
    assert_eq!(rig.count(Counter::IcmpErrors), 1);
    rig.balance();
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
    let pieces = captures::good().into_iter().find(|case| case.name == "fragments-ipv6").unwrap();
    let frames: Vec<_> =
        pieces.given.iter().map(|(p, bytes)| rig.pool.frame(*p, bytes).unwrap()).collect();
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

// What a burst makes beyond a burst leaves in between: six parts each.
#[test]
fn burst_of_64_packets_that_are_cut_leaves_whole_and_in_order() {
    let mut rig = Rig::dual(1);
    let path = TunnelPath::ip(addr(LMA), addr(MAG1));
    rig.publish(Change::TunnelSet(dual_tunnel(0), Tunnel { path, mtu: 300 }));
    let packet = |ttl| Packet4::new(CN4, "10.1.0.16").fragment(0).ttl(ttl).len(1400).on_core();
    let expected: Vec<(u8, u16)> =
        (0..64).flat_map(|i| (0..6).map(move |p| (i, p * 248))).collect();
    for i in 0..64 {
        rig.arrive_at(0, CORE, &packet(i + 2));
    }
    rig.run();
    assert_eq!((rig.drops(), rig.count(Counter::TxPackets)), (vec![], 384));
    let sent = rig.sent(ACCESS);
    let bytes: usize = sent.iter().map(Vec::len).sum();
    assert_eq!(rig.count(Counter::TxBytes), bytes as u64);
    let mut number = 0;
    let order: Vec<_> = sent
        .iter()
        .map(|frame| {
            let offset = u16::from_be_bytes([frame[56], frame[57]]) & !7;
            if offset == 0 {
                number = frame[62 + 8] - 1;
            }
            (number, offset)
        })
        .collect();
    assert_eq!(order, expected);
    rig.balance();
    // A port that takes no more than one burst: the rest is counted, and none of it later.
    rig.workers[0].tx[0].accept(64);
    for i in 0..64 {
        rig.arrive_at(0, CORE, &packet(i + 2));
    }
    rig.run();
    assert_eq!(rig.drops(), [(DropReason::TxFull, 320)]);
    rig.balance();
}
