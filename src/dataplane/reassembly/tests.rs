use super::*;
use proptest::prelude::*;

const SECRET: u64 = 0x0123_4567_89ab_cdef;
const NOW: Instant = Instant(1 << 40);
const ETHER: [u8; ETHER_LEN] = [7; ETHER_LEN];
const GATEWAY: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0xa, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const ANCHOR: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// A fragment of IPv6; `start` is in bytes.
fn ipv6(id: u32, start: u16, more: bool, ecn: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(payload.len() + 8).unwrap().to_be_bytes();
    let offset = (start | u16::from(more)).to_be_bytes();
    let header = [0x60, ecn << 4, 0, 0, high, low, 44, 64];
    let fragment = [&[41, 0][..], &offset, &id.to_be_bytes()].concat();
    [&header[..], &GATEWAY, &ANCHOR, &fragment, payload].concat()
}

/// A fragment of IPv4.
fn ipv4(id: u16, protocol: u8, start: u16, more: bool, ecn: u8, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len() + 20).unwrap().to_be_bytes();
    let offset = ((start / 8) | if more { 0x2000 } else { 0 }).to_be_bytes();
    let id = id.to_be_bytes();
    let mut packet = vec![0x45, ecn, len[0], len[1], id[0], id[1], offset[0], offset[1], 64];
    packet.extend([protocol, 0, 0, 198, 51, 100, 7, 192, 0, 2, 1]);
    packet.extend(payload);
    packet
}

fn take(reassembly: &mut Reassembly, packet: &[u8]) -> Taken {
    reassembly.take(NOW, &Fragment::of(packet).unwrap(), &ETHER)
}

const HELD: Taken = Taken::Held { evicted: false };

/// The packet that is complete, behind its Ethernet header.
fn whole(reassembly: &mut Reassembly, taken: Taken) -> Vec<u8> {
    let Taken::Complete(place) = taken else { panic!("{taken:?}") };
    let (head, payload) = reassembly.packet(place).unwrap();
    assert_eq!(head[..ETHER_LEN], ETHER);
    let packet = [&head[ETHER_LEN..], payload].concat();
    reassembly.release(place);
    packet
}

fn bytes(len: usize) -> Vec<u8> {
    (0..=255).cycle().take(len).collect()
}

proptest! {
    #[test]
    fn fragments_in_any_order_make_the_packet(
        len in 17..1400usize, parts in 2..8usize, order in any::<[u8; 8]>(), of_ipv4 in any::<bool>(),
    ) {
        let payload = bytes(len);
        let unit = (len.div_ceil(parts)).div_ceil(8) * 8;
        let mut fragments: Vec<_> = payload
            .chunks(unit)
            .enumerate()
            .map(|(i, part)| {
                let (start, more) = (u16::try_from(i * unit).unwrap(), (i + 1) * unit < len);
                let packet = if of_ipv4 {
                    ipv4(9, 41, start, more, 0, part)
                } else {
                    ipv6(9, start, more, 0, part)
                };
                (order[i], packet)
            })
            .collect();
        fragments.sort_by_key(|(order, _)| *order);
        let mut r = Reassembly::new(1600, SECRET);
        let (_, last) = fragments.pop().unwrap();
        for (_, fragment) in &fragments {
            prop_assert_eq!(take(&mut r, fragment), HELD);
        }
        let taken = take(&mut r, &last);
        let packet = whole(&mut r, taken);
        if of_ipv4 {
            prop_assert!(Ipv4::is_intact(&packet[..20]));
            let ip = Ipv4::of(&packet).unwrap();
            prop_assert!(!ip.is_fragment() && ip.packet_len() == 20 + len);
            prop_assert_eq!(&packet[20..], payload);
        } else {
            let ip = Ipv6::of(&packet).unwrap();
            prop_assert_eq!((ip.next_header(), ip.packet_len()), (41, 40 + len));
            prop_assert_eq!(&packet[40..], payload);
        }
        prop_assert_eq!(r.places.used(), 0);
    }

    #[test]
    fn any_fragments_leave_the_buffers_in_order(
        packets in prop::collection::vec((0..3u32, 0..8u16, any::<bool>(), 1..4usize), 0..60),
    ) {
        let mut r = Reassembly::new(64, SECRET);
        for (id, unit, more, units) in packets {
            let len = if more { units * 8 } else { units * 8 - 3 };
            let packet = ipv6(id, unit * 8, more, 0, &bytes(len));
            if let Taken::Complete(place) = take(&mut r, &packet) {
                let (head, payload) = r.packet(place).unwrap();
                prop_assert_eq!(usize::from(u16::from_be_bytes([head[18], head[19]])), payload.len());
                r.release(place);
            }
            prop_assert!(r.places.used() <= 3);
        }
    }
}

// RFC 5722 section 4, RFC 8200 4.5
#[test]
fn overlapping_fragments_spoil_the_packet_with_all_that_still_comes_of_it() {
    for (start, len) in [(8, 16), (0, 8), (16, 24), (16, 8)] {
        let mut r = Reassembly::new(1600, SECRET);
        assert_eq!(take(&mut r, &ipv6(1, 0, true, 0, &bytes(24))), HELD);
        let overlap = Taken::Refused(DropReason::FragmentOverlap);
        assert_eq!(take(&mut r, &ipv6(1, start, true, 0, &bytes(len))), overlap, "{start} {len}");
        assert_eq!(take(&mut r, &ipv6(1, 24, false, 0, &bytes(5))), overlap);
        assert_eq!(take(&mut r, &ipv6(2, 0, true, 0, &bytes(24))), HELD, "another packet");
        assert_eq!(r.expire(NOW + TIMEOUT), 1, "the spoilt one was given up before");
        assert_eq!(take(&mut r, &ipv6(1, 24, false, 0, &bytes(5))), HELD, "forgotten by now");
    }
}

#[test]
fn same_fragment_once_more_spoils_nothing_unless_its_bytes_differ() {
    let mut r = Reassembly::new(1600, SECRET);
    assert_eq!(take(&mut r, &ipv6(1, 0, true, 0, &bytes(24))), HELD);
    let again = take(&mut r, &ipv6(1, 0, true, 0, &bytes(24)));
    assert_eq!(again, Taken::Refused(DropReason::FragmentDuplicate));
    let taken = take(&mut r, &ipv6(1, 24, false, 0, &bytes(5)));
    assert_eq!(whole(&mut r, taken).len(), 40 + 29);
    assert_eq!(take(&mut r, &ipv6(1, 0, true, 0, &bytes(24))), HELD);
    let other = take(&mut r, &ipv6(1, 0, true, 0, &[9; 24]));
    assert_eq!(other, Taken::Refused(DropReason::FragmentOverlap));
}

#[test]
fn ends_that_contradict_each_other_spoil_the_packet() {
    let spoilt = Taken::Refused(DropReason::FragmentOverlap);
    for (first, second) in [
        ((40, false, 8), (24, false, 8)), // two last ones
        ((24, false, 8), (40, true, 8)),  // one behind the last one
        ((40, true, 8), (24, false, 8)),  // the last one before another one
    ] {
        let mut r = Reassembly::new(1600, SECRET);
        let fragment = |(start, more, len)| ipv6(1, start, more, 0, &bytes(len));
        assert_eq!(take(&mut r, &fragment(first)), HELD);
        assert_eq!(take(&mut r, &fragment(second)), spoilt, "{first:?} {second:?}");
    }
}

#[test]
fn packets_that_are_too_long_or_in_too_many_parts_are_given_up() {
    let excess = Taken::Refused(DropReason::FragmentExcess);
    let mut r = Reassembly::new(64, SECRET);
    assert_eq!(take(&mut r, &ipv6(1, 56, true, 0, &bytes(16))), excess);
    assert_eq!(take(&mut r, &ipv6(2, 56, true, 0, &bytes(8))), HELD);
    let mut r = Reassembly::new(1600, SECRET);
    for i in 0..FRAGMENTS_MAX {
        let start = u16::try_from(i * 8).unwrap();
        assert_eq!(take(&mut r, &ipv6(1, start, true, 0, &bytes(8))), HELD);
    }
    let start = u16::try_from(FRAGMENTS_MAX * 8).unwrap();
    assert_eq!(take(&mut r, &ipv6(1, start, false, 0, &bytes(8))), excess);
}

#[test]
fn oldest_packet_makes_room_for_one_too_many() {
    let mut r = Reassembly::new(64, SECRET);
    let mut now = NOW;
    for id in 0..u32::try_from(DATAGRAMS_MAX).unwrap() {
        let packet = ipv6(id, 0, true, 0, &bytes(8));
        assert_eq!(r.take(now, &Fragment::of(&packet).unwrap(), &ETHER), HELD);
        now = now + Duration::from_millis(1);
    }
    let packet = ipv6(9999, 0, true, 0, &bytes(8));
    let taken = r.take(now, &Fragment::of(&packet).unwrap(), &ETHER);
    assert_eq!(taken, Taken::Held { evicted: true });
    let taken = take(&mut r, &ipv6(1, 8, false, 0, &bytes(8)));
    assert_eq!(whole(&mut r, taken).len(), 56, "the second one is still there");
    assert_eq!(take(&mut r, &ipv6(0, 8, false, 0, &bytes(8))), HELD, "the first one is not");
}

#[test]
fn gateway_that_sends_first_fragments_alone_pushes_out_its_own() {
    let mut r = Reassembly::new(64, SECRET);
    let mut quiet = ipv6(1, 0, true, 0, &bytes(8));
    quiet[8 + 15] = 9;
    assert_eq!(take(&mut r, &quiet), HELD, "the oldest of all");
    for id in 0..1000 {
        take(&mut r, &ipv6(id, 0, true, 0, &bytes(8)));
    }
    assert_eq!(r.places.used(), DATAGRAMS_MAX);
    let mut last = ipv6(1, 8, false, 0, &bytes(8));
    last[8 + 15] = 9;
    let taken = take(&mut r, &last);
    assert_eq!(whole(&mut r, taken).len(), 56);
}

// RFC 8200 4.5: 60 seconds from the first fragment that came.
#[test]
fn packet_waits_a_minute_and_no_longer() {
    let mut r = Reassembly::new(64, SECRET);
    assert_eq!(take(&mut r, &ipv6(1, 0, true, 0, &bytes(8))), HELD);
    assert_eq!(r.expire(Instant((NOW + TIMEOUT).0 - 1)), 0);
    assert_eq!((r.expire(NOW + TIMEOUT), r.places.used()), (1, 0));
    assert_eq!(take(&mut r, &ipv6(1, 8, false, 0, &bytes(8))), HELD);
}

// RFC 8200 4.5, RFC 791 3.2
#[test]
fn packets_are_told_apart_by_addresses_identification_and_of_ipv4_protocol() {
    let mut r = Reassembly::new(64, SECRET);
    assert_eq!(take(&mut r, &ipv4(1, 41, 0, true, 0, &bytes(8))), HELD);
    assert_eq!(take(&mut r, &ipv4(1, 4, 8, false, 0, &bytes(8))), HELD);
    assert_eq!(take(&mut r, &ipv4(2, 41, 8, false, 0, &bytes(8))), HELD);
    let mut other = ipv4(1, 41, 8, false, 0, &bytes(8));
    other[15] += 1;
    assert_eq!(take(&mut r, &other), HELD);
    let taken = take(&mut r, &ipv4(1, 41, 8, false, 0, &bytes(8)));
    assert_eq!(whole(&mut r, taken).len(), 36);
}

// RFC 3168 5.3
#[test]
fn congestion_on_any_fragment_is_on_the_packet_or_drops_it() {
    for (first, second, expected) in [
        (0b00, 0b00, Some(0b00)),
        (0b10, 0b10, Some(0b10)),
        (0b10, 0b01, Some(0b10)),
        (0b10, 0b11, Some(0b11)),
        (0b11, 0b01, Some(0b11)),
        (0b11, 0b11, Some(0b11)),
        (0b11, 0b00, None),
        (0b00, 0b11, None),
    ] {
        for of_ipv4 in [false, true] {
            let fragment = |start, more, ecn| {
                if of_ipv4 {
                    ipv4(1, 41, start, more, ecn, &bytes(8))
                } else {
                    ipv6(1, start, more, ecn, &bytes(8))
                }
            };
            let mut r = Reassembly::new(64, SECRET);
            assert_eq!(take(&mut r, &fragment(0, true, first)), HELD);
            let Taken::Complete(place) = take(&mut r, &fragment(8, false, second)) else {
                panic!("not complete")
            };
            let ecn = r.packet(place).map(|(head, _)| {
                let byte = head[ETHER_LEN + 1];
                if of_ipv4 { byte & 0b11 } else { byte >> 4 & 0b11 }
            });
            assert_eq!(ecn, expected, "{first:02b} {second:02b}");
        }
    }
}

// RFC 8200 4.5: Parameter Problem, pointing at the Payload Length or the Fragment Offset.
#[test]
fn impossible_lengths_are_faults_at_their_field() {
    let fault = |packet: &[u8]| Fragment::of(packet).unwrap_err().pointer;
    assert_eq!(fault(&ipv6(1, 0, true, 0, &bytes(12))), 4);
    assert_eq!(fault(&ipv6(1, 0, true, 0, &[])), 4);
    assert_eq!(fault(&ipv6(1, 8, false, 0, &[])), 4);
    assert_eq!(fault(&ipv6(1, 65_528, false, 0, &bytes(8))), 42);
    assert!(Fragment::of(&ipv6(1, 65_528, false, 0, &bytes(7))).is_ok());
    assert_eq!(fault(&ipv4(1, 41, 0, true, 0, &bytes(12))), 2);
    assert!(Fragment::of(&ipv4(1, 41, 65_520, false, 0, &bytes(8))).is_err());
}
