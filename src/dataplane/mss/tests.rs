use super::*;
use crate::dataplane::checksum::{sum_of, value};

/// A TCP header with these options, padded, whose checksum holds over the pseudo-header of `ip`.
fn packet(ip: &[u8], tcp_protocol_at: &[u8], flags: u8, options: &[u8]) -> Vec<u8> {
    let mut tcp = vec![0x12, 0x34, 0, 80, 1, 2, 3, 4, 0, 0, 0, 0, 0, flags, 0xff, 0xff, 0, 0, 0, 0];
    tcp.extend(options);
    while tcp.len() % 4 != 0 {
        tcp.push(0);
    }
    tcp[12] = u8::try_from(tcp.len() / 4).unwrap() << 4;
    let mut packet = [ip, tcp_protocol_at, &tcp].concat();
    let len = packet.len();
    if ip[0] >> 4 == 4 {
        packet[2..4].copy_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
        packet[10..12].fill(0);
        let sum = value(sum_of(&packet[..20]));
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
    } else {
        packet[4..6].copy_from_slice(&u16::try_from(len - 40).unwrap().to_be_bytes());
    }
    let sum = tcp_sum(&packet, tcp.len());
    let at = len - tcp.len() + CHECKSUM_AT;
    packet[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// What the checksum of the last `tcp_len` bytes would have to be; zero if it holds.
fn tcp_sum(packet: &[u8], tcp_len: usize) -> u16 {
    let addresses = if packet[0] >> 4 == 4 { &packet[12..20] } else { &packet[8..40] };
    let tcp = &packet[packet.len() - tcp_len..];
    value(sum_of(addresses) + 6 + tcp_len as u64 + sum_of(tcp))
}

fn ipv4(fragment: u16) -> Vec<u8> {
    let [high, low] = fragment.to_be_bytes();
    let mut ip = vec![0x45, 0, 0, 0, 0, 7, high, low, 64, 6, 0, 0, 203, 0, 113, 9, 10, 0, 0, 1];
    ip[10..12].fill(0);
    ip
}

fn ipv6(next: u8) -> Vec<u8> {
    let mut ip = vec![0x60, 0, 0, 0, 0, 0, next, 64];
    ip.extend((0..32).map(|i| i * 7));
    ip
}

const MSS_1460: [u8; 4] = [2, 4, 5, 180];

#[test]
fn mss_of_a_syn_is_lowered_and_the_checksum_holds() {
    let before: [&[u8]; 4] = [&[], &[1], &[1, 1, 1], &[3, 3, 7]]; // odd places, too
    let extension: &[u8] = &[6, 0, 1, 4, 0, 0, 0, 0];
    for options in before {
        for flags in [0x02, 0x12, 0xc2] {
            let options = [options, &MSS_1460, &[4, 2]].concat();
            for (ip, between, tcp_at, most) in [
                (ipv4(0x4000), &[][..], 20, 1400 - 40),
                (ipv6(6), &[][..], 40, 1400 - 60),
                (ipv6(60), extension, 48, 1400 - 60),
            ] {
                let mut syn = packet(&ip, between, flags, &options);
                let tcp_len = syn.len() - tcp_at;
                assert_eq!(tcp_sum(&syn, tcp_len), 0);
                assert!(lower(&mut syn, 1400));
                assert_eq!(tcp_sum(&syn, tcp_len), 0, "{options:?}");
                let at = tcp_at + mss_at(&syn[tcp_at..]).unwrap();
                assert_eq!(syn[at..at + 2], u16::try_from(most).unwrap().to_be_bytes());
                let done = syn.clone();
                assert!(!lower(&mut syn, 1400), "it fits by now");
                assert_eq!(syn, done);
            }
        }
    }
}

#[test]
fn what_is_no_syn_or_has_no_larger_mss_is_left_alone() {
    let mut left = vec![
        packet(&ipv4(0), &[], 0x10, &MSS_1460), // ACK
        packet(&ipv4(0), &[], 0x04, &MSS_1460), // RST
        packet(&ipv4(5), &[], 0x02, &MSS_1460), // a later fragment
        packet(&ipv4(0), &[], 0x02, &[]),
        packet(&ipv4(0), &[], 0x02, &[2, 4, 5, 80]), // 1360
        packet(&ipv4(0), &[], 0x02, &[0, 2, 4, 5, 180]), // behind the end
        packet(&ipv4(0), &[], 0x02, &[3, 0, 2, 4, 5, 180]), // an option without a length
        packet(&ipv4(0), &[], 0x02, &[2, 3, 5, 180]), // another length
        packet(&ipv6(17), &[], 0x02, &MSS_1460),
    ];
    let mut udp = packet(&ipv4(0), &[], 0x02, &MSS_1460);
    udp[9] = 17;
    left.push(udp);
    for packet in left {
        let mut now = packet.clone();
        assert!(!lower(&mut now, 1400), "{packet:02x?}");
        assert_eq!(now, packet);
    }
}

#[test]
fn cut_packets_are_stepped_into_no_further_than_they_go() {
    let whole = packet(&ipv6(60), &[6, 0, 1, 4, 0, 0, 0, 0], 0x02, &MSS_1460);
    for len in 0..whole.len() {
        let mut cut = whole[..len].to_vec();
        let lowered = lower(&mut cut, 1400);
        assert!(!lowered || len >= whole.len() - 1, "{len}");
    }
}
