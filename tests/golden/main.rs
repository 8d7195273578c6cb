//! Bytes that others made are understood, and what we make is understood by others.
//! `README.md` beside this file says how the bytes were made.
#![allow(missing_docs)]

mod edges;
mod mip4;
mod mobility;
mod packets;
mod pcap;
mod tshark;

use anchord::addr::{GreKey, HomePrefix};
use anchord::time::{Lifetime, MobTimestamp};
use anchord::wire::ether::{self, EtherHeader};
use anchord::wire::ipv6::{self, Ipv6Header};
use anchord::wire::mh::{
    AccessNetworkId, AccessTech, AuthOption, BaFlags, BindingAck, BindingError,
    BindingRefreshRequest, BindingRevocationAck, BindingRevocationIndication, BindingUpdate,
    BuFlags, DhcpSupportMode, HandoffIndicator, Heartbeat, HeartbeatFlags, Ipv4Home,
    Ipv4HomeStatus, Message, MessageData, MobilityOption, NEXT_HEADER, NatDetection,
    RevocationFlags, RevocationStatus, RevocationTrigger, SeqNo, Status,
};
use std::ffi::OsString;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::{env, fs};

const MAG: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 2);
const MN: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x200, 0, 0, 0, 0, 9);
const MAG_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const NAI: MobilityOption<'_> = MobilityOption::MnId(1, b"mn1@example.org");
const MAC: MobilityOption<'_> = MobilityOption::MnLinkLayerId(&[2, 0, 0, 0, 0, 1]);
/// 2026-11-20 23:59:59.5 UTC.
const WHEN: MobilityOption<'_> =
    MobilityOption::Timestamp(MobTimestamp(1_795_219_199 << 16 | 0x8000));

/// IMSI 123456123456789, the example of RFC 8371.
const IMSI: MobilityOption<'_> =
    MobilityOption::MnId(3, &[0x12, 0x34, 0x56, 0x12, 0x34, 0x56, 0x78, 0x9f]);
/// SSID "net" of access point "ap", at 48.5 N 9.25 W, of Private Enterprise Number 32473.
const ACCESS_NETWORK: &[u8] =
    b"\x01\x08\x80\x03net\x02ap\x02\x06\x18\x40\x00\xfb\x60\x00\x03\x03\x01\x7e\xd9";

/// The fixed part of a message, whichever it is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fixed {
    Brr,
    Bu(BindingUpdate),
    Ba(BindingAck),
    Be(BindingError),
    Heartbeat(Heartbeat),
    Bri(BindingRevocationIndication),
    Bra(BindingRevocationAck),
}

/// A file of `messages/`, and what it says.
struct Golden {
    name: &'static str,
    fixed: Fixed,
    options: Vec<MobilityOption<'static>>,
    /// Whether its padding is what we would write.
    canonical: bool,
}

/// What the updates of an hour have in common.
const LASTING: BindingUpdate =
    BindingUpdate { seq: SeqNo(1), flags: BuFlags(0), lifetime: Lifetime(900) };

fn pbu(seq: u16, lifetime: u16) -> Fixed {
    let flags = BuFlags::A | BuFlags::P;
    Fixed::Bu(BindingUpdate { seq: SeqNo(seq), flags, lifetime: Lifetime(lifetime) })
}

fn pba(status: Status, seq: u16, lifetime: u16) -> Fixed {
    let (seq, lifetime) = (SeqNo(seq), Lifetime(lifetime));
    Fixed::Ba(BindingAck { status, flags: BaFlags::P, seq, lifetime })
}

fn hnp(prefix: &str) -> MobilityOption<'static> {
    MobilityOption::HomeNetworkPrefix(prefix.parse::<HomePrefix>().expect("a prefix"))
}

fn home_v4(addr: &str, prefix_len: u8) -> Ipv4Home {
    Ipv4Home::new(addr.parse().expect("an address"), prefix_len).expect("a length")
}

const fn heartbeat(flags: u16, seq: u32) -> Fixed {
    Fixed::Heartbeat(Heartbeat { flags: HeartbeatFlags(flags), seq })
}

const fn bri(trigger: RevocationTrigger, seq: u16, flags: RevocationFlags) -> Fixed {
    Fixed::Bri(BindingRevocationIndication { trigger, seq: SeqNo(seq), flags })
}

const fn bra(status: RevocationStatus, seq: u16) -> Fixed {
    Fixed::Bra(BindingRevocationAck { status, seq: SeqNo(seq), flags: RevocationFlags::P })
}

const fn hi(value: HandoffIndicator) -> MobilityOption<'static> {
    MobilityOption::HandoffIndicator(value)
}

const fn att(value: u8) -> MobilityOption<'static> {
    MobilityOption::AccessTech(AccessTech(value))
}

/// The prefix of the first node's binding.
fn first() -> MobilityOption<'static> {
    hnp("2001:db8:1::/64")
}

/// Asks for a prefix.
fn any() -> MobilityOption<'static> {
    hnp("::/0")
}

fn golden(name: &'static str, fixed: Fixed, options: &[MobilityOption<'static>]) -> Golden {
    Golden { name, fixed, options: options.to_vec(), canonical: true }
}

/// A message that is padded in a way which is not ours.
fn foreign(name: &'static str, fixed: Fixed, options: &[MobilityOption<'static>]) -> Golden {
    Golden { canonical: false, ..golden(name, fixed, options) }
}

/// The messages of RFC 5213 and those of RFC 6275 that it builds on.
fn of_proxy_mobile_ipv6() -> Vec<Golden> {
    use HandoffIndicator as Hi;
    use MobilityOption as O;
    let bu = BindingUpdate {
        seq: SeqNo(15),
        flags: BuFlags::A | BuFlags::H | BuFlags::L | BuFlags::K,
        lifetime: Lifetime(105),
    };
    let ba = BindingAck {
        status: Status::ACCEPTED_PREFIX_DISCOVERY_NECESSARY,
        flags: BaFlags::K,
        seq: SeqNo(15),
        lifetime: Lifetime(105),
    };
    let be =
        BindingError { status: BindingError::UNKNOWN_MH_TYPE, home_address: Ipv6Addr::UNSPECIFIED };
    let lla = |a| O::LinkLocal(a);
    vec![
        golden(
            "pbu-attach",
            pbu(1, 900),
            &[NAI, any(), hi(Hi::NEW_INTERFACE), att(4), MAC, lla(Ipv6Addr::UNSPECIFIED), WHEN],
        ),
        golden(
            "pba-accepted",
            pba(Status::ACCEPTED, 1, 900),
            &[NAI, first(), hi(Hi::NEW_INTERFACE), att(4), MAC, lla(MAG_LINK_LOCAL), WHEN],
        ),
        golden(
            "pbu-handoff-two-prefixes",
            pbu(0xffff, 900),
            &[
                NAI,
                first(),
                hnp("2001:db8:2:300::/56"),
                hi(Hi::SAME_INTERFACE),
                att(3),
                O::MnLinkLayerId(&[2, 0, 0, 0xff, 0xfe, 0, 0, 1]),
                WHEN,
            ],
        ),
        golden("pbu-deregister-by-sequence", pbu(2, 0), &[NAI, first(), hi(Hi::UNKNOWN), att(1)]),
        golden(
            "pba-missing-mn-id",
            pba(Status::MISSING_MN_IDENTIFIER_OPTION, 7, 0),
            &[O::MnId(1, b"")],
        ),
        golden(
            "pba-timestamp-mismatch",
            pba(Status::TIMESTAMP_MISMATCH, 1, 0),
            &[NAI, any(), hi(Hi::NEW_INTERFACE), att(4), WHEN],
        ),
        golden(
            "pbu-vendor-and-unknown",
            pbu(1, 900),
            &[
                NAI,
                O::Vendor(32473, 1, b"abc"),
                O::Unknown(200, b"xyz"),
                O::Unknown(201, b""),
                hi(HandoffIndicator(99)),
                att(250),
            ],
        ),
        golden("bu-home-registration", Fixed::Bu(bu), &[O::AlternateCoa(MN)]),
        golden("ba-refresh-advice", Fixed::Ba(ba), &[O::RefreshAdvice(Lifetime(90))]),
        golden("pbu-no-options", pbu(1, 900), &[]),
        golden("brr", Fixed::Brr, &[]),
        golden("be-unknown-mh-type", Fixed::Be(be), &[]),
        golden(
            "pbu-zero-nai-host-prefix",
            pbu(1, 900),
            &[O::MnId(1, &[0; 63]), hnp("2001:db8:1::1/128"), hi(Hi::SAME_INTERFACE), att(4), WHEN],
        ),
        foreign("pbu-unaligned-pad1", pbu(1, 900), &[NAI, first(), hi(Hi::UNKNOWN), att(0)]),
        foreign("pbu-padn-with-data", pbu(1, 900), &[NAI]),
    ]
}

/// The messages of dual stack, GRE keys, authentication, heartbeat and revocation.
fn of_its_extensions() -> Vec<Golden> {
    use HandoffIndicator as Hi;
    use MobilityOption as O;
    vec![
        golden(
            "pbu-ipv4-gre-udp",
            Fixed::Bu(BindingUpdate {
                flags: BuFlags::A | BuFlags::P | BuFlags::F | BuFlags::T,
                ..LASTING
            }),
            &[
                IMSI,
                O::ServiceSelection(b"internet"),
                any(),
                hi(Hi::NEW_INTERFACE),
                att(4),
                O::Ipv4HomeAddressRequest(home_v4("0.0.0.0", 24)),
                O::GreKey(Some(GreKey(0x0102_0304))),
                O::AlternateIpv4Coa(Ipv4Addr::new(192, 0, 2, 2)),
                O::LmaUserPlane(None),
                O::AccessNetworkId(AccessNetworkId::parse(ACCESS_NETWORK).expect("valid")),
            ],
        ),
        golden(
            "pba-ipv4-gre-udp",
            Fixed::Ba(BindingAck {
                status: Status::ACCEPTED,
                flags: BaFlags::P | BaFlags::T,
                seq: SeqNo(1),
                lifetime: Lifetime(900),
            }),
            &[
                IMSI,
                first(),
                hi(Hi::NEW_INTERFACE),
                att(4),
                O::Ipv4HomeAddressReply(Ipv4HomeStatus::SUCCESS, home_v4("10.0.0.7", 24)),
                O::Ipv4DefaultRouter(Ipv4Addr::new(10, 0, 0, 1)),
                O::Ipv4DhcpSupportMode(DhcpSupportMode::Server),
                O::NatDetection(NatDetection { force_udp: true, refresh_time_s: 110 }),
                O::GreKey(Some(GreKey(0xfffe_fdfc))),
                O::LmaUserPlane(Some(Ipv4Addr::new(198, 51, 100, 1).into())),
            ],
        ),
        golden(
            "pbu-gre-without-key",
            pbu(1, 900),
            &[
                NAI,
                any(),
                hi(Hi::UNKNOWN),
                att(3),
                O::GreKey(None),
                O::LmaUserPlane(Some(Ipv6Addr::UNSPECIFIED.into())),
            ],
        ),
        golden(
            "pba-ipv4-refused",
            pba(Status::NOT_AUTHORIZED_FOR_IPV4_MOBILITY_SERVICE, 1, 0),
            &[
                NAI,
                O::Ipv4HomeAddressReply(
                    Ipv4HomeStatus::DYNAMIC_NOT_AVAILABLE,
                    home_v4("0.0.0.0", 0),
                ),
                O::Ipv4DhcpSupportMode(DhcpSupportMode::Relay),
            ],
        ),
        golden(
            "pbu-authenticated",
            pbu(1, 900),
            &[
                NAI,
                first(),
                hi(Hi::NOT_CHANGED),
                att(4),
                O::ReplayProtection(0xe83f_0a7f_8000_0000),
                O::MessageAuth(AuthOption::MN_HA, 256, b"AAAAAAAAAAAA"),
            ],
        ),
        golden("heartbeat-request", heartbeat(0, 0x0102_0304), &[]),
        golden("heartbeat-response", heartbeat(1, 0x0102_0304), &[O::RestartCounter(7)]),
        golden("heartbeat-unsolicited", heartbeat(3, 0), &[O::RestartCounter(8)]),
        golden(
            "bri-session",
            bri(RevocationTrigger::ADMINISTRATIVE, 0xfffe, RevocationFlags::P),
            &[NAI, first()],
        ),
        golden(
            "bri-ipv4-only",
            bri(RevocationTrigger::USER_INITIATED, 2, RevocationFlags::P | RevocationFlags::V),
            &[NAI, O::Ipv4HomeAddressRequest(home_v4("10.0.0.7", 32))],
        ),
        golden(
            "bri-global",
            bri(RevocationTrigger::PER_PEER_POLICY, 3, RevocationFlags::P | RevocationFlags::G),
            &[O::MnId(1, b"mag1@example.org")],
        ),
        golden("bra-success", bra(RevocationStatus::SUCCESS, 0xfffe), &[]),
        golden("bra-attached", bra(RevocationStatus::MN_IS_ATTACHED, 9), &[NAI, first()]),
    ]
}

/// What `make.py` says in its own words.
fn goldens() -> Vec<Golden> {
    of_proxy_mobile_ipv6().into_iter().chain(of_its_extensions()).collect()
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The packet in a `.hex` file.
fn packet(name: &str) -> Vec<u8> {
    bytes(&directory().join("messages").join(name).with_extension("hex"))
}

/// The bytes of a `.hex` file.
fn bytes(path: &Path) -> Vec<u8> {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.split_whitespace().map(|b| u8::from_str_radix(b, 16).expect("hex")).collect()
}

/// The IPv6 header of a packet and what its Mobility Header says.
fn parse(packet: &[u8]) -> (Ipv6Header, Fixed, Vec<MobilityOption<'_>>) {
    let header = Ipv6Header::parse(packet).expect("an IPv6 header");
    assert_eq!((header.packet_len(), header.next_header), (packet.len(), NEXT_HEADER));
    let message = Message::parse(&packet[ipv6::HEADER_LEN..], header.src, header.dst);
    let message = message.expect("a valid Mobility Header");
    let fixed = match message {
        Message::Brr(_) => Fixed::Brr,
        Message::Bu(m, _) => Fixed::Bu(m),
        Message::Ba(m, _) => Fixed::Ba(m),
        Message::Be(m, _) => Fixed::Be(m),
        Message::Heartbeat(m, _) => Fixed::Heartbeat(m),
        Message::Bri(m, _) => Fixed::Bri(m),
        Message::Bra(m, _) => Fixed::Bra(m),
        Message::Switch(..) => panic!("scapy knows no Home Agent Switch"),
    };
    (header, fixed, message.options().iter().collect())
}

/// The Mobility Header that we make of this.
fn emit(fixed: Fixed, options: &[MobilityOption<'_>], src: Ipv6Addr, dst: Ipv6Addr) -> Vec<u8> {
    let mut buf = vec![0xa5; 2048];
    let len = match fixed {
        Fixed::Brr => BindingRefreshRequest.emit(options, src, dst, &mut buf),
        Fixed::Bu(m) => m.emit(options, src, dst, &mut buf),
        Fixed::Ba(m) => m.emit(options, src, dst, &mut buf),
        Fixed::Be(m) => m.emit(options, src, dst, &mut buf),
        Fixed::Heartbeat(m) => m.emit(options, src, dst, &mut buf),
        Fixed::Bri(m) => m.emit(options, src, dst, &mut buf),
        Fixed::Bra(m) => m.emit(options, src, dst, &mut buf),
    };
    buf.truncate(len.expect("fits"));
    buf
}

// proves: PMIP6-8.1-2, PMIP6-8.3-2, PMIP6-8.4-2, PMIP6-8.5-2, PMIP6-8.6-2, MIP6-6.2.1-1
// proves: MIP6-6.2.1-2, MIP6-6.2.3-1
#[test]
fn messages_made_by_scapy_mean_what_scapy_was_told() {
    for golden in goldens() {
        let packet = packet(golden.name);
        let (_, fixed, options) = parse(&packet);
        assert_eq!((fixed, options), (golden.fixed, golden.options), "{}", golden.name);
    }
}

// proves: PMIP6-8.3-1, PMIP6-8.4-1, PMIP6-8.5-1, PMIP6-8.6-1, PMIP6-8.7-1, PMIP6-8.8-1
// proves: MIP6-6.1.1-1, MIP6-6.1.1-2, MIP6-6.1.1-4, MIP6-6.1.1-5
// proves: PMIP4-3.3.1-1, PMIP4-3.3.2-1, PMIP4-3.3.3-1, PMIP4-3.3.4-1
// proves: HEARTBEAT-3.3-1, HEARTBEAT-3.4-1, MNID-3.1-1
#[test]
fn what_we_emit_is_byte_for_byte_what_scapy_emits() {
    for golden in goldens().into_iter().filter(|g| g.canonical) {
        let packet = packet(golden.name);
        let header = Ipv6Header::parse(&packet).expect("an IPv6 header");
        let made = emit(golden.fixed, &golden.options, header.src, header.dst);
        assert_eq!(made, packet[ipv6::HEADER_LEN..], "{}", golden.name);
    }
}

#[test]
fn every_golden_message_has_its_meaning_written_down() {
    let files = fs::read_dir(directory().join("messages")).expect("messages");
    let stem = |e: fs::DirEntry| e.path().file_stem().expect("a name").to_owned();
    let mut files: Vec<OsString> = files.map(|e| stem(e.expect("an entry"))).collect();
    let mut named: Vec<OsString> = goldens().iter().map(|g| g.name.into()).collect();
    files.sort();
    named.sort();
    assert_eq!(files, named);
}

#[test]
fn every_signaling_message_of_another_implementation_is_understood() {
    let (mut updates, mut acks) = (Vec::new(), Vec::new());
    for frame in pcap::read(&directory().join("opmip-core.pcap")) {
        let ethernet = EtherHeader::parse(&frame).expect("an Ethernet header");
        let packet = &frame[ether::HEADER_LEN..];
        let is_signaling = ethernet.ether_type == ether::IPV6
            && Ipv6Header::parse(packet).is_ok_and(|h| h.next_header == NEXT_HEADER);
        if !is_signaling {
            continue;
        }
        let (header, fixed, options) = parse(packet);
        // Its padding is not ours, so the bytes differ; the meaning must not.
        let again = emit(fixed, &options, header.src, header.dst);
        let again = Message::parse(&again, header.src, header.dst).expect("valid");
        assert!(again.options().iter().eq(options.iter().copied()));
        match fixed {
            Fixed::Bu(update) => updates.push((header.src, update, options.len())),
            Fixed::Ba(ack) => acks.push(ack),
            other => panic!("neither update nor acknowledgement: {other:?}"),
        }
    }
    assert_eq!((updates.len(), acks.len()), (92, 92));
    assert!(updates.iter().all(|(src, u, _)| u.flags == BuFlags::A | BuFlags::P && *src == MAG));
    assert!(acks.iter().all(|a| a.flags.contains(BaFlags::P) && a.status.is_accepted()));
}
