//! What strangers and broken peers get: RFC 6275 9.2 and 9.3.3.

use super::*;

const BINDING_UPDATE: u8 = 5;
const BINDING_REVOCATION: u8 = 16;

/// A Mobility Header of 8 bytes with a valid checksum.
fn header(payload_proto: u8, header_len: u8, kind: u8) -> Vec<u8> {
    let mut header = vec![payload_proto, header_len, kind, 0, 0, 0, 0, 0];
    header.resize((usize::from(header_len) + 1) * 8, 0);
    let sum = internet_checksum(&header);
    header[4..6].copy_from_slice(&sum.to_be_bytes());
    header
}

/// RFC 1071 over the pseudo-header and `header`, word by word.
fn internet_checksum(header: &[u8]) -> u16 {
    let len = u8::try_from(header.len()).expect("short");
    let pseudo = [&MAG1.octets()[..], &LMA.octets(), &[0, len, 0, mh::NEXT_HEADER]].concat();
    let words = [&pseudo, header].concat();
    let sum: u32 = words.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).expect("folded twice")
}

/// The one packet that left, from its IPv6 header on.
fn answer(bench: &mut Bench) -> Vec<u8> {
    let frames = bench.tx.take_all();
    assert_eq!(frames.len(), 1);
    frames[0].to_bytes()[ether::HEADER_LEN..].to_vec()
}

// proves: MIP6-9.2-3, MIP6-9.2-4
#[test]
fn unknown_mh_type_is_answered_by_a_binding_error_with_status_2() {
    let mut bench = Bench::new(Shape::default());
    bench.arrive(&frame(MAG1, &header(59, 0, 200)));
    bench.settle();
    let packet = answer(&mut bench);
    let ip = Ipv6Header::parse(&packet).expect("IPv6");
    assert_eq!((ip.src, ip.dst, ip.next_header), (LMA, MAG1, 135));
    let message = Message::parse(&packet[40..], LMA, MAG1);
    assert!(matches!(message, Ok(Message::Be(e, _)) if e.status == 2), "{message:?}");
    assert_eq!(bench.count(Counter::BindingErrorSent), 1);
}

// proves: MIP6-9.2-5, MIP6-9.2-6, MIP6-9.2-7, REVOKE-6.2-1, REVOKE-6.2-2
#[test]
fn payload_proto_is_answered_by_a_parameter_problem_that_points_at_it() {
    for kind in [BINDING_UPDATE, BINDING_REVOCATION] {
        let mut bench = Bench::new(Shape::default());
        let sent = frame(MAG1, &header(17, 1, kind));
        bench.arrive(&sent);
        bench.settle();
        let packet = answer(&mut bench);
        assert_eq!((packet[6], packet[40], packet[41]), (58, 4, 0), "ICMPv6, type 4, code 0");
        assert_eq!(packet[44..48], [0, 0, 0, 40], "behind the IPv6 header");
        assert_eq!(packet[48..], sent[ether::HEADER_LEN..], "quotes the packet");
    }
}

// proves: MIP6-9.2-8, MIP6-9.2-9, MIP6-9.2-10, REVOKE-6.2-1, REVOKE-6.2-2
#[test]
fn header_len_too_small_is_answered_by_a_parameter_problem_that_points_at_it() {
    for kind in [BINDING_UPDATE, BINDING_REVOCATION] {
        let mut bench = Bench::new(Shape::default());
        bench.arrive(&frame(MAG1, &header(59, 0, kind)));
        bench.settle();
        let packet = answer(&mut bench);
        assert_eq!((packet[40], packet[41]), (4, 0));
        assert_eq!(packet[44..48], [0, 0, 0, 41]);
    }
}

// proves: MIP6-9.2-2, REVOKE-6.2-1, REVOKE-6.2-2
#[test]
fn bad_checksum_is_discarded_in_silence() {
    let mut bench = Bench::new(Shape::default());
    let mut pbu = bench.pbu(MAG1, "mn1@example.org", 1, 600);
    let last = pbu.len() - 1;
    pbu[last] ^= 1;
    bench.arrive(&pbu);
    let mut revocation = header(59, 1, BINDING_REVOCATION);
    revocation[6] = 1; // an indication, too late for the checksum
    bench.arrive(&frame(MAG1, &revocation));
    bench.settle();
    assert!(bench.tx.is_empty());
    assert_eq!(bench.count(Counter::SignalingChecksum), 2);
    assert!(bench.control.anchor.lma().cache().is_empty());
}

// proves: PMIP6-5.3.1-6, PMIP6-5.3.1-7
#[test]
fn gateway_that_is_not_configured_gets_154_and_no_binding() {
    let mut bench = Bench::new(Shape::default());
    let rogue = "2001:db8:a::66".parse().expect("valid");
    bench.learn(rogue, MAG_MAC);
    let pbu = bench.pbu(rogue, "mn1@example.org", 7, 600);
    bench.arrive(&pbu);
    bench.settle();
    let acks = bench.acks();
    assert!(matches!(acks.as_slice(), [(_, a)] if a.status.0 == 154 && a.seq.0 == 7), "{acks:?}");
    assert!(bench.control.anchor.lma().cache().is_empty());
    assert_eq!(bench.count(Counter::PbuRefused), 1);
}

#[test]
fn errors_are_limited_in_their_rate() {
    let mut bench = Bench::new(Shape::default());
    for _ in 0..100 {
        bench.arrive(&frame(MAG1, &header(59, 0, 200)));
    }
    bench.settle();
    assert_eq!(bench.tx.take_all().len(), 20);
    assert_eq!(bench.count(Counter::ErrorRateLimited), 80);
    assert_eq!(bench.count(Counter::SignalingUnknownType), 100);
}

// proves: PMIP6-8.1-1
#[test]
fn home_registration_is_refused_131_and_other_messages_are_counted() {
    let mut bench = Bench::new(Shape::default());
    let update = BindingUpdate {
        seq: SeqNo(9),
        flags: BuFlags(BuFlags::A.0 | BuFlags::H.0),
        lifetime: Lifetime(10),
    };
    let mut message = [0; 64];
    let none: [MobilityOption<'_>; 0] = [];
    let len = update.emit(&none, MAG1, LMA, &mut message).expect("fits");
    bench.arrive(&frame(MAG1, &message[..len]));
    bench.settle();
    let acks = bench.acks();
    assert!(matches!(acks.as_slice(), [(_, a)] if a.status.0 == 131 && a.seq.0 == 9), "{acks:?}");
    bench.arrive(&frame(MAG1, &header(59, 1, 6)));
    bench.settle();
    assert_eq!(bench.count(Counter::SignalingUnexpected), 1);
    assert!(bench.tx.is_empty());
}
