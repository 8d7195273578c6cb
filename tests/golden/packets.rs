//! IPv4 packets: what scapy makes of UDP, GRE, the TLV-header and ICMP, and what we make of them.

use super::directory;
use anchord::addr::GreKey;
use anchord::time::Lifetime;
use anchord::wire::gre::{self, GreHeader};
use anchord::wire::icmpv4::{self, ERROR_HEADER_LEN, ErrorMessage, Unreachable};
use anchord::wire::ipv4::{HEADER_LEN, Ipv4Header};
use anchord::wire::mh::{BindingUpdate, BuFlags, Message, MessageData, MobilityOption, SeqNo};
use anchord::wire::tlv::{self, TlvHeader};
use anchord::wire::udp::{self, SIGNALING_PORT, TUNNEL_PORT, UdpHeader};
use anchord::wire::{ErrorKind, ether};
use std::ffi::OsString;
use std::fs;
use std::net::Ipv4Addr;

const SRC: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const DST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const KEY: GreKey = GreKey(0x0102_0304);

/// An echo request of a node, as `make.py` carries and quotes it.
const PING: [u8; 32] = [
    0x45, 0, 0, 0x20, 0, 7, 0, 0, 0x3f, 1, 0x35, 0xc6, 10, 0, 0, 7, 203, 0, 113, 9, 8, 0, 0x19,
    0x2c, 0, 1, 0, 2, b'p', b'i', b'n', b'g',
];

const UPDATE: BindingUpdate = BindingUpdate {
    seq: SeqNo(1),
    flags: BuFlags(BuFlags::A.0 | BuFlags::P.0 | BuFlags::F.0),
    lifetime: Lifetime(900),
};

const NAI: [MobilityOption<'_>; 1] = [MobilityOption::MnId(1, b"mn1@example.org")];

/// A packet of `packets/`.
fn read(name: &str) -> Vec<u8> {
    super::bytes(&directory().join("packets").join(name).with_extension("hex"))
}

/// An IPv4 packet that carries `payload`.
fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0xa5; HEADER_LEN];
    packet.extend(payload);
    let header = Ipv4Header {
        header_len: HEADER_LEN,
        tos: 0,
        total_len: u16::try_from(packet.len()).expect("short"),
        identification: 0,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        ttl: 64,
        protocol,
        src: SRC,
        dst: DST,
    };
    header.emit(&mut packet).expect("fits");
    packet
}

fn in_udp(port: u16, checksum: bool, payload: &[u8]) -> Vec<u8> {
    let mut datagram = vec![0xa5; udp::HEADER_LEN];
    datagram.extend(payload);
    let header = UdpHeader { src_port: port, dst_port: port };
    let emitted = if checksum {
        header.emit(SRC, DST, &mut datagram)
    } else {
        header.emit_without_checksum(&mut datagram)
    };
    emitted.expect("fits");
    ipv4(udp::PROTOCOL, &datagram)
}

fn in_gre(key: Option<GreKey>, seq: Option<u32>) -> Vec<u8> {
    let header = GreHeader { protocol: ether::IPV4, key, seq };
    let mut packet = vec![0xa5; header.buffer_len()];
    assert_eq!(header.emit(&mut packet), Ok(packet.len()));
    packet.extend(PING);
    packet
}

fn icmp(error: ErrorMessage) -> Vec<u8> {
    let mut packet = vec![0xa5; ERROR_HEADER_LEN];
    packet.extend(PING);
    error.emit(SRC, DST, 64, &mut packet).expect("fits");
    packet
}

/// What we make ourselves: the name of scapy's, and ours.
pub(crate) fn made() -> Vec<(&'static str, Vec<u8>)> {
    use ErrorMessage as E;
    let mut update = vec![0xa5; UPDATE.buffer_len(&NAI)];
    UPDATE.emit_in_udp(&NAI, &mut update).expect("fits");
    let mut in_tlv = vec![0xa5; tlv::HEADER_LEN];
    in_tlv.extend(in_gre(Some(KEY), None));
    TlvHeader { next_header: gre::PROTOCOL }.emit(&mut in_tlv).expect("fits");
    let unreachable = |why| icmp(E::DestinationUnreachable(why));
    vec![
        ("mobility-in-udp", in_udp(SIGNALING_PORT, true, &update)),
        ("packet-in-udp", in_udp(TUNNEL_PORT, true, &PING)),
        ("packet-in-udp-without-checksum", in_udp(TUNNEL_PORT, false, &PING)),
        ("gre-in-tlv-in-udp", in_udp(TUNNEL_PORT, true, &in_tlv)),
        ("gre", ipv4(gre::PROTOCOL, &in_gre(None, None))),
        ("gre-key-sequence", ipv4(gre::PROTOCOL, &in_gre(Some(KEY), Some(5)))),
        ("icmp-net-unreachable", unreachable(Unreachable::Net)),
        ("icmp-host-unreachable", unreachable(Unreachable::Host)),
        ("icmp-fragmentation-needed", icmp(E::FragmentationNeeded(1400))),
        ("icmp-prohibited", unreachable(Unreachable::Prohibited)),
        ("icmp-time-exceeded", icmp(E::TimeExceeded)),
    ]
}

/// The header of a packet and what it carries.
fn parse(packet: &[u8]) -> (Ipv4Header, &[u8]) {
    let header = Ipv4Header::parse(packet).expect("an IPv4 header");
    assert_eq!(usize::from(header.total_len), packet.len());
    (header, &packet[header.header_len..])
}

#[test]
fn packets_that_we_make_are_byte_for_byte_those_of_scapy() {
    for (name, made) in made() {
        assert_eq!(made, read(name), "{name}");
    }
}

#[test]
fn every_golden_packet_is_made_or_read() {
    let files = fs::read_dir(directory().join("packets")).expect("packets");
    let stem = |e: fs::DirEntry| e.path().file_stem().expect("a name").to_owned();
    let mut files: Vec<OsString> = files.map(|e| stem(e.expect("an entry"))).collect();
    let mut named: Vec<OsString> = made().iter().map(|(name, _)| (*name).into()).collect();
    named.extend(["gre-checksum-key".into(), "fragment-with-option".into()]);
    files.sort();
    named.sort();
    assert_eq!(files, named);
}

#[test]
fn mobility_header_in_udp_means_what_scapy_was_told() {
    let packet = read("mobility-in-udp");
    let (header, datagram) = parse(&packet);
    assert_eq!((header.src, header.dst, header.protocol), (SRC, DST, udp::PROTOCOL));
    let (udp, payload) = UdpHeader::parse(datagram, SRC, DST).expect("a datagram");
    assert_eq!((udp.src_port, udp.dst_port), (5436, 5436));
    let message = Message::parse_in_udp(payload).expect("a Mobility Header");
    assert!(matches!(message, Message::Bu(UPDATE, _)), "{message:?}");
    assert!(message.options().iter().eq(NAI));
}

#[test]
fn packet_in_udp_is_taken_with_and_without_checksum() {
    for name in ["packet-in-udp", "packet-in-udp-without-checksum"] {
        let packet = read(name);
        let (_, datagram) = parse(&packet);
        let (_, payload) = UdpHeader::parse(datagram, SRC, DST).expect("a datagram");
        assert_eq!(payload, PING, "{name}");
    }
}

#[test]
fn gre_behind_a_tlv_header_carries_its_key() {
    let packet = read("gre-in-tlv-in-udp");
    let (_, datagram) = parse(&packet);
    let (_, payload) = UdpHeader::parse(datagram, SRC, DST).expect("a datagram");
    let (tlv, inner) = TlvHeader::parse(payload).expect("a TLV-header");
    assert_eq!(tlv.next_header, gre::PROTOCOL);
    let (gre, inner) = GreHeader::parse(inner).expect("GRE");
    assert_eq!(gre, GreHeader { protocol: ether::IPV4, key: Some(KEY), seq: None });
    assert_eq!(inner, PING);
}

#[test]
fn gre_checksum_is_verified() {
    let packet = read("gre-checksum-key");
    let (_, bytes) = parse(&packet);
    let (gre, inner) = GreHeader::parse(bytes).expect("GRE");
    assert_eq!(gre, GreHeader { protocol: ether::IPV4, key: Some(GreKey(0xfffe_fdfc)), seq: None });
    assert_eq!(inner, &PING[..31], "an odd number of bytes");
    for at in 8..bytes.len() {
        let mut broken = bytes.to_vec();
        broken[at] ^= 1;
        let e = GreHeader::parse(&broken).map_err(|e| (e.kind, e.offset));
        assert_eq!(e, Err((ErrorKind::Checksum, 4)), "byte {at}");
    }
}

#[test]
fn fragment_with_an_option_is_read_as_scapy_was_told() {
    let packet = read("fragment-with-option");
    let (header, payload) = parse(&packet);
    let expected = Ipv4Header {
        header_len: 24,
        tos: 0xb9,
        total_len: 56,
        identification: 0xabcd,
        dont_fragment: false,
        more_fragments: true,
        fragment_offset: 1480,
        ttl: 3,
        protocol: 17,
        src: SRC,
        dst: DST,
    };
    assert_eq!((header, payload), (expected, PING.as_slice()));
    assert!(header.is_fragment());
    assert!(!ErrorMessage::may_answer(&packet), "not the first fragment");
    assert_eq!(icmpv4::PROTOCOL, parse(&PING).0.protocol);
}
