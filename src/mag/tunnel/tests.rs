//! Every form of tunnel, both ways.

use super::*;
use crate::addr::{Encap, GreKeys};
use crate::mobility::mag::action::Path;
use crate::wire::ipv4::Ipv4Header;
use crate::wire::ipv6::{HEADER_LEN, Ipv6Header};
use std::net::Ipv4Addr;

const COA: ProxyCoa = ProxyCoa(Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 0x11));
const LMA: AnchorAddr = AnchorAddr(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1));
const COA4: ProxyCoa = ProxyCoa(Ipv4Addr::new(192, 0, 2, 11).to_ipv6_mapped());
const LMA4: AnchorAddr = AnchorAddr(Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped());
const MN: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 1, 0, 0, 0, 0x42);
const CN: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xc, 0, 0, 0, 0, 1);
const MN4: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 5);
const CN4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const PATH: Path = Path { coa: COA, lma: LMA, encap: Encap::Ip };
const PATH4: Path = Path { coa: COA4, lma: LMA4, encap: Encap::Ip };
const KEYS: GreKeys = GreKeys { downlink: Some(7), uplink: Some(0xbeef) };
const NONE: GreKeys = GreKeys { downlink: None, uplink: None };

/// The node, in a tunnel of this form.
fn table(path: Path, keys: GreKeys) -> TunnelTable {
    let mut table = TunnelTable::default();
    table.insert("2001:db8:100:1::/64".parse().expect("prefix"), path, keys);
    table.insert("2001:db8:100:3::/64".parse().expect("prefix"), path, keys);
    table.insert("10.1.0.5/32".parse().expect("prefix"), path, keys);
    table
}

fn ipv6(src: Ipv6Addr, dst: Ipv6Addr, traffic_class: u8) -> Vec<u8> {
    let mut packet = vec![0xab; HEADER_LEN + 4];
    let header = Ipv6Header {
        traffic_class,
        flow_label: 0x12345,
        payload_len: 4,
        next_header: 17,
        hop_limit: 63,
        src,
        dst,
    };
    header.emit(&mut packet).expect("fits");
    packet
}

fn ipv4_of(src: Ipv4Addr, dst: Ipv4Addr, tos: u8) -> Vec<u8> {
    let mut packet = vec![0xab; ipv4::HEADER_LEN + 4];
    let header = Ipv4Header {
        header_len: ipv4::HEADER_LEN,
        tos,
        total_len: 24,
        identification: 0x4242,
        dont_fragment: false,
        more_fragments: false,
        fragment_offset: 0,
        ttl: 63,
        protocol: 17,
        src,
        dst,
    };
    header.emit(&mut packet).expect("fits");
    packet
}

fn encapsulated(inner: &[u8], table: &TunnelTable) -> Result<Vec<u8>, Counter> {
    let mut packet = vec![0; HEADROOM];
    packet.extend(inner);
    let (start, _) = encapsulate(&mut packet, table)?;
    Ok(packet[start..].to_vec())
}

/// What a gateway makes of a packet behind the outer header, from this anchor and of this form.
fn admitted(
    packet: &[u8],
    path: Path,
    form: Form,
    ecn: u8,
    table: &TunnelTable,
) -> Result<Vec<u8>, Counter> {
    let outer = Outer { lma: path.lma, coa: path.coa, traffic_class: ecn, form };
    let mut packet = packet.to_vec();
    let start = decapsulate(&mut packet, outer, table)?;
    Ok(packet[start..].to_vec())
}

// proves: PMIP6-6.10.5-12, PMIP6-6.10.5-14
#[test]
fn packet_of_a_bound_node_is_tunnelled_from_the_proxy_coa_to_its_anchor() {
    let inner = ipv6(MN, CN, 0xb9);
    let packet = encapsulated(&inner, &table(PATH, NONE)).expect("bound");
    let outer = Ipv6Header::parse(&packet).expect("header");
    assert_eq!((outer.src, outer.dst, outer.next_header), (COA.0, LMA.0, 41));
    assert_eq!((outer.traffic_class, outer.flow_label), (0xb9, 0x12345));
    assert_eq!(outer.packet_len(), packet.len());
    assert_eq!(packet[HEADER_LEN..], inner);
}

// proves: PMIP4-3.2.4-2, PMIP4-3.2.4-4
#[test]
fn ipv4_packet_of_a_bound_node_is_tunnelled_in_ipv6() {
    let inner = ipv4_of(MN4, CN4, 0xb9);
    let packet = encapsulated(&inner, &table(PATH, NONE)).expect("bound");
    let outer = Ipv6Header::parse(&packet).expect("header");
    assert_eq!((outer.dst, outer.next_header, outer.traffic_class), (LMA.0, 4, 0xb9));
    assert_eq!(packet[HEADER_LEN..], inner);
}

// proves: PMIP4-4.2.2.2-1
#[test]
fn over_ipv4_both_families_are_tunnelled_in_ipv4_or_udp() {
    let udp_path = Path { encap: Encap::Udp(5437), ..PATH4 };
    for (inner, protocol) in [(ipv6(MN, CN, 0xb9), 41), (ipv4_of(MN4, CN4, 0xb9), 4)] {
        let packet = encapsulated(&inner, &table(PATH4, NONE)).expect("bound");
        let outer = Ipv4Header::parse(&packet).expect("header and checksum");
        assert_eq!((outer.src.to_ipv6_mapped(), outer.dst.to_ipv6_mapped()), (COA4.0, LMA4.0));
        assert_eq!((outer.protocol, outer.tos, outer.dont_fragment), (protocol, 0xb9, true));
        assert_eq!(usize::from(outer.total_len), packet.len());
        assert_eq!(packet[20..], inner);

        let packet = encapsulated(&inner, &table(udp_path, NONE)).expect("bound");
        assert_eq!(Ipv4Header::parse(&packet).expect("header").protocol, 17);
        let len = u16::try_from(inner.len() + 8).expect("short").to_be_bytes();
        assert_eq!(packet[20..28], [0x15, 0x3d, 0x15, 0x3d, len[0], len[1], 0, 0]);
        assert_eq!(packet[28..], inner);
    }
}

// proves: GREKEY-4.2-5
#[test]
fn gre_carries_the_anchors_key_over_both_families() {
    let gre = Path { encap: Encap::Gre, ..PATH };
    let packet = encapsulated(&ipv6(MN, CN, 0), &table(gre, KEYS)).expect("bound");
    assert_eq!(Ipv6Header::parse(&packet).expect("header").next_header, 47);
    assert_eq!(packet[40..48], [0x20, 0, 0x86, 0xdd, 0, 0, 0xbe, 0xef]);
    let gre = Path { encap: Encap::Gre, ..PATH4 };
    let packet = encapsulated(&ipv4_of(MN4, CN4, 0), &table(gre, KEYS)).expect("bound");
    assert_eq!(Ipv4Header::parse(&packet).expect("header").protocol, 47);
    assert_eq!(packet[20..28], [0x20, 0, 0x08, 0x00, 0, 0, 0xbe, 0xef]);
    let packet = encapsulated(&ipv4_of(MN4, CN4, 0), &table(gre, NONE)).expect("bound");
    assert_eq!(packet[20..24], [0, 0, 0x08, 0x00], "GRE without keys");
}

// proves: GREKEY-7.3.1-1
#[test]
fn gre_in_udp_stands_behind_a_tlv_header() {
    let path = Path { encap: Encap::UdpGre(5437), ..PATH4 };
    let inner = ipv6(MN, CN, 0);
    let packet = encapsulated(&inner, &table(path, KEYS)).expect("bound");
    assert_eq!(packet[28..32], [0, 47, 0, 52], "type 0, GRE, the length of what follows");
    assert_eq!(packet[32..40], [0x20, 0, 0x86, 0xdd, 0, 0, 0xbe, 0xef]);
    assert_eq!(packet[40..], inner);
}

#[test]
fn mobile_ipv4_in_udp_has_a_header_that_says_what_follows() {
    let path = Path { encap: Encap::Mip4Udp(434), ..PATH4 };
    for (inner, next_header) in [(ipv6(MN, CN, 0), 41), (ipv4_of(MN4, CN4, 0), 4)] {
        let packet = encapsulated(&inner, &table(path, NONE)).expect("bound");
        let len = u16::try_from(inner.len() + 12).expect("short").to_be_bytes();
        assert_eq!(packet[20..28], [1, 0xb2, 1, 0xb2, len[0], len[1], 0, 0]);
        assert_eq!(packet[28..32], [4, next_header, 0, 0], "MIP Tunnel Data (RFC 3519 3.3)");
        assert_eq!(packet[32..], inner);
    }
}

#[test]
fn tunnel_inside_of_another_has_both_headers_up_and_comes_in_two_steps_down() {
    let home = ProxyCoa(MN4.to_ipv6_mapped());
    let mut table = table(PATH4, NONE);
    let prefix = "2001:db8:700::/64".parse().expect("prefix");
    let to_home = Path { coa: home, ..PATH4 };
    table.insert_inside(prefix, to_home, PATH4);
    let node = Ipv6Addr::new(0x2001, 0xdb8, 0x700, 0, 0, 0, 0, 1);
    let inner = ipv6(node, CN, 0xb9);
    let packet = encapsulated(&inner, &table).expect("bound");
    let headers = [0, 20].map(|at| Ipv4Header::parse(&packet[at..]).expect("a header"));
    let ends = headers.map(|h| (h.src.to_ipv6_mapped(), h.dst.to_ipv6_mapped(), h.protocol));
    assert_eq!(ends, [(COA4.0, LMA4.0, 4), (home.0, LMA4.0, 41)]);
    assert_eq!(headers.map(|h| (usize::from(h.total_len), h.tos)), [(84, 0xb9), (64, 0xb9)]);
    assert_eq!(packet[40..], inner);

    let down = ipv6(CN, node, 0);
    let short = ipv4_of(Ipv4Addr::new(192, 0, 2, 1), MN4, 0);
    let short = Ipv4Header::parse(&short).expect("a header");
    let mut packet = vec![0; 20];
    Ipv4Header { total_len: 64, protocol: 41, ..short }.emit(&mut packet).expect("fits");
    packet.extend(&down);
    assert_eq!(admitted(&packet, PATH4, Form::Ip, 0, &table).as_ref(), Ok(&packet), "first step");
    assert_eq!(admitted(&packet[20..], to_home, Form::Ip, 0, &table), Ok(down.clone()));
    let outside = admitted(&down, PATH4, Form::Ip, 0, &table);
    assert_eq!(outside, Err(Counter::TunnelWrongAnchor), "not without the inner one");
}

// proves: PMIP6-6.10.5-8, PMIP6-6.10.5-13, PMIP4-3.2.4-5
#[test]
fn packet_from_an_address_without_a_binding_is_not_tunnelled() {
    let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
    let between = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 2, 0, 0, 0, 1);
    let table = table(PATH, NONE);
    for src in [CN, link_local, between, Ipv6Addr::UNSPECIFIED] {
        let packet = ipv6(src, CN, 0);
        assert_eq!(encapsulated(&packet, &table), Err(Counter::TunnelNoBinding));
    }
    for src in [CN4, Ipv4Addr::new(10, 1, 0, 6), Ipv4Addr::UNSPECIFIED] {
        let packet = ipv4_of(src, CN4, 0);
        assert_eq!(encapsulated(&packet, &table), Err(Counter::TunnelNoBinding));
    }
}

// proves: PMIP6-6.10.5-1, PMIP6-6.10.5-4
#[test]
fn packet_goes_to_a_node_only_from_its_own_anchor_and_inside_its_prefix() {
    let table = table(PATH, NONE);
    let to = |dst, path| admitted(&ipv6(CN, dst, 0), path, Form::Ip, 0, &table).map(drop);
    assert_eq!(to(MN, PATH), Ok(()));
    assert_eq!(to(MN, Path { lma: AnchorAddr(CN), ..PATH }), Err(Counter::TunnelWrongAnchor));
    assert_eq!(to(MN, Path { coa: ProxyCoa(CN), ..PATH }), Err(Counter::TunnelWrongAnchor));
    assert_eq!(to(CN, PATH), Err(Counter::TunnelNoBinding));
}

// proves: PMIP4-3.2.4-1, PMIP4-4.2.2.2-3, GREKEY-4.2-13
#[test]
fn what_comes_in_the_negotiated_form_and_with_our_key_goes_to_the_node_as_it_was() {
    let key = 7u32.to_be_bytes();
    let gre = |kind: [u8; 2], inner: &[u8]| [&[0x20, 0], &kind[..], &key, inner].concat();
    for (inner, kind) in [(ipv6(CN, MN, 0), [0x86, 0xdd]), (ipv4_of(CN4, MN4, 0), [8, 0])] {
        let keyed = gre(kind, &inner);
        let len = u16::try_from(keyed.len()).expect("short").to_be_bytes();
        let tlv = [&[0, 47], &len[..], &keyed].concat();
        let mip4 = [&[4, if kind == [8, 0] { 4 } else { 41 }, 0, 0], &inner[..]].concat();
        let forms = [
            (Encap::Mip4Udp(434), Form::Mip4Udp, &mip4, NONE),
            (Encap::Mip6Udp(4191), Form::Mip6Udp, &inner, NONE),
            (Encap::Ip, Form::Ip, &inner, NONE),
            (Encap::Udp(5437), Form::Udp, &inner, NONE),
            (Encap::Gre, Form::Gre, &keyed, KEYS),
            (Encap::UdpGre(5437), Form::Udp, &tlv, KEYS),
        ];
        for (encap, form, packet, keys) in forms {
            let path = Path { encap, ..PATH4 };
            let right = table(path, keys);
            assert_eq!(admitted(packet, path, form, 0, &right).as_ref(), Ok(&inner), "{encap:?}");
            let other_key = GreKeys { downlink: Some(8), ..keys };
            let wrong = Err(Counter::TunnelWrongKey);
            assert_eq!(admitted(packet, path, form, 0, &table(path, other_key)), wrong);
            let mip4 = Encap::Mip4Udp(434);
            for other in [Encap::Ip, Encap::Gre, Encap::Udp(5437), Encap::UdpGre(5437), mip4] {
                if other != encap {
                    let table = table(Path { encap: other, ..path }, keys);
                    assert_eq!(admitted(packet, path, form, 0, &table), wrong, "{encap:?}");
                }
            }
        }
    }
}

// proves: GREKEY-7.1-2
#[test]
fn tlv_header_that_says_another_length_is_dropped() {
    let path = Path { encap: Encap::UdpGre(5437), ..PATH4 };
    let inner = [&[0, 0, 0x86, 0xdd], &ipv6(CN, MN, 0)[..]].concat();
    let table = table(path, NONE);
    let with = |len: usize| {
        let len = u16::try_from(len).expect("short").to_be_bytes();
        let packet = [&[0, 47], &len[..], &inner].concat();
        admitted(&packet, path, Form::Udp, 0, &table).map(drop)
    };
    assert_eq!(with(inner.len()), Ok(()));
    assert_eq!(with(inner.len() - 1), Err(Counter::TunnelMalformed));
    assert_eq!(with(inner.len() + 1), Err(Counter::TunnelMalformed));
}

#[test]
fn of_nested_prefixes_the_longest_counts_and_each_is_found() {
    let other = Path { lma: AnchorAddr(CN), ..PATH };
    let mut table = table(PATH, NONE);
    table.insert("2001:db8:100::/48".parse().expect("prefix"), other, NONE);
    let at = |n| Ipv6Addr::new(0x2001, 0xdb8, 0x100, n, 0, 0, 0, 1);
    let paths = |t: &TunnelTable| [1, 2, 3].map(|n| t.of(at(n)).map(|e| e.path));
    assert_eq!(paths(&table), [Some(PATH), Some(other), Some(PATH)]);
    table.remove("2001:db8:100:3::/64".parse().expect("prefix"));
    assert_eq!(paths(&table), [Some(PATH), Some(other), Some(other)]);
    table.remove("2001:db8:100::/48".parse().expect("prefix"));
    assert_eq!(paths(&table), [Some(PATH), None, None]);
}

// proves: PMIP4-3.1.4-1, PMIP4-4.1.4.2-1
#[test]
fn congestion_in_the_tunnel_reaches_the_node_if_its_transport_can_hear_of_it() {
    let table = table(PATH, NONE);
    let after = |inner_ecn: u8, outer_ecn| {
        let packet = ipv6(CN, MN, 0xb8 | inner_ecn);
        let packet = admitted(&packet, PATH, Form::Ip, outer_ecn, &table)?;
        Ok(Ipv6Header::parse(&packet).expect("header").traffic_class)
    };
    let after_ipv4 = |inner_ecn: u8, outer_ecn| {
        let packet = ipv4_of(CN4, MN4, 0xb8 | inner_ecn);
        let packet = admitted(&packet, PATH, Form::Ip, outer_ecn, &table)?;
        Ok(Ipv4Header::parse(&packet).expect("a right checksum").tos)
    };
    for (inner, outer, seen) in [
        (0b10, 0b11, Ok(0xbb)),
        (0b01, 0b11, Ok(0xbb)),
        (0b11, 0b11, Ok(0xbb)),
        (0b10, 0b01, Ok(0xba)),
        (0b00, 0b11, Err(Counter::TunnelCongested)),
        (0b00, 0b10, Ok(0xb8)),
    ] {
        assert_eq!(after(inner, outer), seen);
        assert_eq!(after_ipv4(inner, outer), seen);
    }
}

#[test]
fn cut_packet_is_dropped_as_malformed_in_every_form() {
    let table = table(PATH, NONE);
    for whole in [ipv6(MN, MN, 0), ipv4_of(MN4, MN4, 0)] {
        for len in 0..whole.len() {
            let cut = &whole[..len];
            assert_eq!(encapsulated(cut, &table), Err(Counter::TunnelMalformed));
            for form in [Form::Ip, Form::Gre, Form::Udp, Form::Mip4Udp, Form::Mip6Udp] {
                let outcome = admitted(cut, PATH, form, 0, &table);
                assert_eq!(outcome, Err(Counter::TunnelMalformed), "{form:?}");
            }
        }
    }
}
