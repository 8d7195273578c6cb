use super::*;
use crate::dataplane::checksum::{sum_of, value};

const LMA: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const MAG: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0xa, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const NODE: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x11];
const LMA4: [u8; 4] = [192, 0, 2, 1];
const MAG4: [u8; 4] = [198, 51, 100, 7];

fn ipv6(src: [u8; 16], dst: [u8; 16], next: u8, len: u16, rest: &[u8]) -> Vec<u8> {
    let [high, low] = len.to_be_bytes();
    [&[0x60, 0, 0, 0, high, low, next, 64][..], &src, &dst, rest].concat()
}

fn ipv4(src: [u8; 4], dst: [u8; 4], fragment: u16, protocol: u8, len: u16, rest: &[u8]) -> Vec<u8> {
    let ([a, b], [c, d]) = (len.to_be_bytes(), fragment.to_be_bytes());
    let mut header = vec![0x45, 0, a, b, 0, 1, c, d, 64, protocol, 0, 0];
    header.extend([src, dst].concat());
    let sum = value(sum_of(&header)).to_be_bytes();
    header[10..12].copy_from_slice(&sum);
    [&header, rest].concat()
}

fn inner() -> Vec<u8> {
    ipv6([9; 16], NODE, 17, 1400, &[0; 8])
}

/// An error to us that quotes this.
fn error6(kind: u8, code: u8, value_: u32, quoted: &[u8]) -> Vec<u8> {
    let mut message = [&[kind, code, 0, 0][..], &value_.to_be_bytes(), quoted].concat();
    let len = u16::try_from(message.len()).unwrap();
    let pseudo = sum_of(&LMA) + sum_of(&MAG) + u64::from(len) + 58;
    let sum = value(pseudo + sum_of(&message)).to_be_bytes();
    message[2..4].copy_from_slice(&sum);
    ipv6(MAG, LMA, 58, len, &message)
}

fn error4(kind: u8, code: u8, value_: u32, quoted: &[u8]) -> Vec<u8> {
    let mut message = [&[kind, code, 0, 0][..], &value_.to_be_bytes(), quoted].concat();
    let sum = value(sum_of(&message)).to_be_bytes();
    message[2..4].copy_from_slice(&sum);
    ipv4([10, 9, 9, 9], LMA4, 0, 1, u16::try_from(message.len() + 20).unwrap(), &message)
}

fn news(error: &[u8]) -> Option<News> {
    let quote = read(error)?;
    assert!(is_intact(error, &quote));
    Some(quote.news)
}

#[test]
fn inner_packet_is_found_in_every_encapsulation() {
    let gre = [&[0x20, 0, 0x86, 0xdd, 0, 0, 0, 9][..], &inner()].concat();
    let from = |port: u16, payload: &[u8]| {
        [&port.to_be_bytes()[..], &[0x9c, 0x40, 0, 0, 0, 0], payload].concat()
    };
    let udp = |payload: &[u8]| from(5437, payload);
    let data = [&[4, 41, 0, 0][..], &inner()].concat();
    let tlv = [&[0, 47, 9, 9][..], &gre].concat();
    let mapped = |a: [u8; 4]| std::net::Ipv4Addr::from(a).to_ipv6_mapped().to_bits();
    let in_ipv6 = |next, rest: &[u8]| error6(1, 3, 0, &ipv6(LMA, MAG, next, 1440, rest));
    let in_ipv4 = |p, rest: &[u8]| error4(3, 1, 0, &ipv4(LMA4, MAG4, 0, p, 1440, rest));
    let limit = [&[41, 0, 4, 1, 3, 1, 1, 0][..], &inner()].concat();
    for (error, via, headers) in [
        (in_ipv6(41, &inner()), Via::Ip, 40),
        (in_ipv6(60, &limit), Via::Ip, 48),
        (in_ipv6(47, &gre), Via::Gre(Some(9)), 48),
        (in_ipv4(41, &inner()), Via::Ip, 20),
        (in_ipv4(47, &gre), Via::Gre(Some(9)), 28),
        (in_ipv4(17, &udp(&inner())), Via::Udp(40000), 28),
        (in_ipv4(17, &udp(&tlv)), Via::UdpGre(40000, Some(9)), 40),
        (in_ipv4(17, &from(4191, &inner())), Via::Udp(40000), 28),
        (in_ipv4(17, &from(434, &data)), Via::Mip4Udp(40000), 32),
    ] {
        let quote = read(&error).expect("a quote");
        assert_eq!((quote.via, quote.inner_at - quote.outer_at), (via, headers));
        assert_eq!(quote.inner_dst, u128::from_be_bytes(NODE));
        let ends = if headers == 20 || error[0] == 0x45 {
            (mapped(LMA4), mapped(MAG4))
        } else {
            (u128::from_be_bytes(LMA), u128::from_be_bytes(MAG))
        };
        assert_eq!((quote.src, quote.dst), ends);
        assert!(is_intact(&error, &quote));
        for at in [quote.outer_at - 1, quote.inner_at + 3] {
            let mut bad = error.clone();
            bad[at] ^= 1;
            assert!(!is_intact(&bad, &quote));
        }
        for len in 0..quote.inner_at + 40 {
            assert_eq!(read(&error[..len]), None, "cut to {len}");
        }
    }
}

// RFC 8201 4, RFC 4443 3.2
#[test]
fn packet_too_big_is_believed_if_the_packet_was_and_no_link_is_smaller() {
    let told = |mtu| news(&error6(2, 0, mtu, &ipv6(LMA, MAG, 41, 1440, &inner())));
    assert_eq!(told(1400), Some(News::TooBig(1400)));
    assert_eq!(told(1280), Some(News::TooBig(1280)));
    assert_eq!(told(1479), Some(News::TooBig(1479)));
    for mtu in [0, 68, 1279, 1480, 65_535, 65_536, u32::MAX] {
        assert_eq!(told(mtu), None, "{mtu}");
    }
}

// RFC 1191 3, 5, 7.1
#[test]
fn fragmentation_needed_is_believed_if_df_forbade_it() {
    let quoted = |fragment| ipv4(LMA4, MAG4, fragment, 41, 1440, &inner());
    let told = |mtu| news(&error4(3, 4, mtu, &quoted(0x4000)));
    assert_eq!(told(1400), Some(News::TooBig(1400)));
    assert_eq!(told(576), Some(News::TooBig(576)));
    assert_eq!(told(100), Some(News::TooBig(576)), "not that little");
    assert_eq!(told(0), Some(News::TooBig(1006)), "the next plateau");
    for mtu in [67, 1440, 9000] {
        assert_eq!(told(mtu), None, "{mtu}");
    }
    assert_eq!(news(&error4(3, 4, 1400, &quoted(0))), None, "without DF");
}

// RFC 2473 8.1, RFC 2003 4
#[test]
fn what_senders_can_do_something_about_is_told_from_the_rest() {
    let quoted6 = ipv6(LMA, MAG, 41, 1440, &inner());
    for (kind, code, expected) in [
        (1, 0, Some(News::Unreachable)),
        (1, 4, Some(News::Unreachable)),
        (3, 0, Some(News::Unreachable)),
        (3, 1, Some(News::Other)),
        (4, 0, Some(News::Other)),
        (4, 2, Some(News::Other)),
        (128, 0, None),
        (137, 0, None),
        (100, 0, None),
    ] {
        assert_eq!(news(&error6(kind, code, 0, &quoted6)), expected, "{kind} {code}");
    }
    let quoted4 = ipv4(LMA4, MAG4, 0, 41, 1440, &inner());
    for (kind, code, expected) in [
        (3, 0, Some(News::Unreachable)),
        (3, 1, Some(News::Unreachable)),
        (3, 3, Some(News::Unreachable)),
        (3, 5, Some(News::Other)),
        (4, 0, Some(News::Other)),
        (5, 1, Some(News::Other)),
        (11, 0, Some(News::Unreachable)),
        (11, 1, Some(News::Other)),
        (12, 0, Some(News::Other)),
        (8, 0, None),
    ] {
        assert_eq!(news(&error4(kind, code, 0, &quoted4)), expected, "{kind} {code}");
    }
}

#[test]
fn used_up_encapsulation_limit_is_what_the_pointer_must_point_to() {
    let limited = |value| {
        let rest = [&[41, 0, 4, 1, value, 1, 1, 0][..], &inner()].concat();
        ipv6(LMA, MAG, 60, 1440, &rest)
    };
    assert_eq!(news(&error6(4, 0, 44, &limited(0))), Some(News::Unreachable));
    assert_eq!(news(&error6(4, 0, 44, &limited(4))), Some(News::Other));
    assert_eq!(news(&error6(4, 0, 43, &limited(0))), Some(News::Other));
    assert_eq!(news(&error6(4, 1, 44, &limited(0))), Some(News::Other));
}

#[test]
fn quotes_of_what_we_never_send_are_none() {
    let foreign = ipv6(MAG, LMA, 41, 1440, &inner());
    let gre = |flags: [u8; 2]| [&flags[..], &[0x86, 0xdd, 0, 0, 0, 0], &inner()].concat();
    for quoted in [
        foreign,
        ipv6(LMA, MAG, 6, 1440, &inner()),
        ipv6(LMA, MAG, 135, 1440, &inner()),
        ipv6(LMA, MAG, 47, 1440, &gre([0x80, 0])), // with a checksum
        ipv6(LMA, MAG, 47, 1440, &gre([0, 1])),
        ipv6(LMA, MAG, 44, 1440, &[&[41, 0, 0, 8, 0, 0, 0, 1][..], &inner()].concat()),
        ipv6(LMA, MAG, 41, 1440, &[0x75; 40]),
    ] {
        assert_eq!(read(&error6(1, 3, 0, &quoted)), None, "{:02x?}", &quoted[..60]);
    }
    let later = ipv4(LMA4, MAG4, 185, 41, 1440, &inner());
    let dns = ipv4(LMA4, MAG4, 0, 17, 1440, &[&[0, 53, 0, 53, 0, 0, 0, 0][..], &inner()].concat());
    let hello = [&[0x15, 0x3c, 0x15, 0x3c, 0, 0, 0, 0, 59, 1, 13, 0][..], &[0; 40]].concat();
    let signaling = ipv4(LMA4, MAG4, 0, 17, 1440, &hello);
    for quoted in [later, dns, signaling] {
        assert_eq!(read(&error4(3, 1, 0, &quoted)), None, "{quoted:02x?}");
    }
}

// The first fragment of a tunnel packet that we cut.
#[test]
fn quote_of_a_first_fragment_says_what_was_in_the_packet() {
    let rest = [&[41, 0, 0, 1, 0, 0, 0, 1][..], &inner()].concat();
    let quote = read(&error6(1, 3, 0, &ipv6(LMA, MAG, 44, 1240, &rest))).expect("a quote");
    assert_eq!((quote.via, quote.inner_at - quote.outer_at), (Via::Ip, 48));
}
