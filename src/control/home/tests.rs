//! Nodes that register themselves, frame by frame: what comes, what leaves, what the link sees.

use super::super::tests::{ACCESS, Bench, LMA, MAG1, Shape, packet};
use super::*;
use crate::addr::{
    AnchorAddr, CustomerId, Encap, GreKeys, HomePrefix, MnId, Protection, TunnelPath,
};
use crate::mobility::action::Publication;
use crate::mobility::ha::{HaConfig, HomeLink, HomeNode, LinkPrefix, Proof};
use crate::time::Lifetime;
use crate::wire::ipv6::{HomeRoute, find_upper_layer};
use crate::wire::mh::{
    self, BindingAck, BindingUpdate, BuFlags, Message, MessageData, MobilityOption, SeqNo,
};

/// Home addresses: of a pool's node, and on the link of the port.
const AWAY: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 7, 0, 0, 0, 7);
pub(in crate::control) const IN_ESP: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 8, 0, 0, 0, 8);
pub(in crate::control) const PART_IN_ESP: Ipv6Addr =
    Ipv6Addr::new(0x2001, 0xdb8, 0x100, 9, 0, 0, 0, 9);
pub(in crate::control) const ALL_IN_ESP: Ipv6Addr =
    Ipv6Addr::new(0x2001, 0xdb8, 0x100, 10, 0, 0, 0, 10);
const ON_LINK: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 0x77);
pub(in crate::control) const CARE_OF: Ipv6Addr =
    Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 0x51);
pub(in crate::control) const NEIGHBOR: Ipv6Addr =
    Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 0x99);
pub(in crate::control) const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x51]);
const ANYCAST: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0xfdff, 0xffff, 0xffff, 0xfffe);

/// A home agent whose links are a pool and that of the port.
pub(in crate::control) fn ha_config() -> HaConfig {
    let link = |prefix: &str, per_node_len, address: Option<Ipv6Addr>| HomeLink {
        customer: CustomerId::default(),
        prefixes: vec![LinkPrefix {
            prefix: prefix.parse().expect("valid"),
            address,
            valid_lifetime_s: None,
            preferred_lifetime_s: None,
        }],
        per_node_len,
        id: address.map(|_| LinkId(ACCESS.0)),
        preference: 0,
    };
    let node = |name: &str, home| HomeNode {
        mn_id: MnId::nai(name).expect("short"),
        customer: CustomerId::default(),
        home_address: Some(home),
        ipv4_home_address: None,
        mobile_networks: Vec::new(),
        proof: Proof::Nothing,
    };
    let mobile_networks = vec!["2001:db8:f1::/48".parse().expect("valid")];
    HaConfig {
        enabled: true,
        address: AnchorAddr(LMA).0,
        links: vec![
            link("2001:db8:100::/40", Some(64), None),
            link("2001:db8:a::/64", None, Some(LMA)),
        ],
        nodes: vec![
            node("mn1", AWAY),
            HomeNode { mobile_networks, ..node("mn2", ON_LINK) },
            HomeNode { proof: Proof::Esp(None), ..node("mn3", IN_ESP) },
            HomeNode {
                proof: Proof::Esp(Some(Protection::ReturnRoutability)),
                ..node("mn4", PART_IN_ESP)
            },
            HomeNode { proof: Proof::Esp(Some(Protection::All)), ..node("mn5", ALL_IN_ESP) },
        ],
        ..HaConfig::default()
    }
}

/// The same for the control core.
pub(in crate::control) fn home_links() -> HomeLinks {
    let retrans_timer = Duration::from_secs(1);
    let port = HomePort { port: ACCESS, address: LMA };
    let ports = BTreeMap::from([(LinkId(ACCESS.0), port)]);
    let prefixes = vec!["2001:db8:a::/64".parse::<HomePrefix>().expect("a prefix").into()];
    HomeLinks { ports, prefixes, dad_transmits: 1, retrans_timer }
}

pub(in crate::control) fn bench() -> Bench {
    let mut bench = Bench::new(Shape { home_agent: true, ..Shape::default() });
    bench.learn(CARE_OF, MAC);
    bench.settle();
    bench
}

/// A Mobility Header whose checksum counts `src`.
fn update(src: Ipv6Addr, seq: u16, lifetime: u16) -> Vec<u8> {
    flagged_update(BuFlags::A | BuFlags::H, src, seq, lifetime)
}

fn flagged_update(flags: BuFlags, src: Ipv6Addr, seq: u16, lifetime: u16) -> Vec<u8> {
    let update = BindingUpdate { seq: SeqNo(seq), flags, lifetime: Lifetime(lifetime) };
    let mut message = [0; mh::MAX_LEN];
    let none: [MobilityOption<'_>; 0] = [];
    let len = update.emit(&none, src, LMA, &mut message).expect("fits");
    message[..len].to_vec()
}

/// Destination options with a Home Address option, then `message`.
pub(in crate::control) fn with_home(home: Ipv6Addr, next_header: u8, message: &[u8]) -> Vec<u8> {
    [&[next_header, 2, 1, 2, 0, 0, 201, 16][..], &home.octets(), message].concat()
}

/// A registration of `home` at the care-of address, as a frame.
pub(in crate::control) fn registration(home: Ipv6Addr, seq: u16, lifetime: u16) -> Vec<u8> {
    registration_at(CARE_OF, home, seq, lifetime)
}

pub(in crate::control) fn registration_at(
    care_of: Ipv6Addr,
    home: Ipv6Addr,
    seq: u16,
    lifetime: u16,
) -> Vec<u8> {
    let message = update(home, seq, lifetime);
    packet(care_of, LMA, 60, &with_home(home, mh::NEXT_HEADER, &message))
}

/// What left, from its IPv6 header on.
pub(in crate::control) fn sent(bench: &mut Bench) -> Vec<Vec<u8>> {
    bench.tx.take_all().iter().map(|f| f.to_bytes()[ether::HEADER_LEN..].to_vec()).collect()
}

/// The acknowledgement that comes by way of a home address.
fn ack(packet: &[u8], home: Ipv6Addr) -> BindingAck {
    ack_at(CARE_OF, packet, home)
}

fn ack_at(care_of: Ipv6Addr, packet: &[u8], home: Ipv6Addr) -> BindingAck {
    let ip = Ipv6Header::parse(packet).expect("IPv6");
    assert_eq!((ip.src, ip.dst, ip.next_header), (LMA, care_of, HomeRoute::NEXT_HEADER));
    assert_eq!(packet[40..48], [mh::NEXT_HEADER, 2, 2, 1, 0, 0, 0, 0]);
    assert_eq!(packet[48..64], home.octets());
    match Message::parse(&packet[64..], LMA, home) {
        Ok(Message::Ba(ack, _)) => ack,
        other => panic!("no acknowledgement: {other:?}"),
    }
}

/// A message of neighbour discovery, as a frame of the link.
fn discovery(src: Ipv6Addr, dst: Ipv6Addr, message: &[u8]) -> Vec<u8> {
    let mut frame = packet(src, dst, icmpv6::NEXT_HEADER, message);
    frame[ether::HEADER_LEN + 7] = ndp::HOP_LIMIT;
    if dst.is_multicast() {
        frame[..6].copy_from_slice(&group_mac(dst).0);
    }
    frame
}

fn solicitation(src: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let source_link_layer = (!src.is_unspecified()).then_some(MAC);
    let (message, dst) =
        (NeighborSolicitation { target, source_link_layer }, solicited_node(target));
    let mut buf = [0; NeighborSolicitation::LEN_MAX];
    let len = message.emit(src, dst, &mut buf).expect("fits");
    discovery(src, dst, &buf[..len])
}

/// What a packet advertises.
fn advertised(packet: &[u8]) -> NeighborAdvertisement {
    let ip = Ipv6Header::parse(packet).expect("IPv6");
    let envelope = Envelope { src: ip.src, dst: ip.dst, hop_limit: ip.hop_limit };
    NeighborAdvertisement::parse(&packet[40..], envelope).expect("an advertisement")
}

// proves: MIP6-6.1.1-4, MIP6-8.4-3, MIP6-9.5.4-12
#[test]
fn registration_is_answered_by_way_of_the_home_address_when_workers_and_journal_have_it() {
    let mut bench = bench();
    bench.arrive(&registration(AWAY, 7, 15));
    bench.worker_turn();
    bench.control_turn();
    assert_eq!(sent(&mut bench).len(), 0, "held");
    bench.settle();
    let packets = sent(&mut bench);
    let ack = ack(&packets[0], AWAY);
    assert_eq!((packets.len(), ack.status.0, ack.seq.0, ack.lifetime.0), (1, 0, 7, 15));
    let counts = [Counter::BuReceived, Counter::BaSent, Counter::PbaSent].map(|c| bench.count(c));
    assert_eq!(counts, [1, 1, 0]);
    // A packet for it goes into its tunnel.
    bench.arrive(&packet(NEIGHBOR, AWAY, 59, &[]));
    bench.settle();
    let tunneled = sent(&mut bench);
    let outer = Ipv6Header::parse(&tunneled[0]).expect("IPv6");
    assert_eq!((outer.src, outer.dst, outer.next_header), (LMA, CARE_OF, 41));
}

// proves: MIP6-6.3-2, MIP6-10.3.1-9
#[test]
fn checksum_counts_the_home_address_and_that_is_one_of_a_node() {
    let mut bench = bench();
    let by_care_of = with_home(AWAY, mh::NEXT_HEADER, &update(CARE_OF, 1, 15));
    bench.arrive(&packet(CARE_OF, LMA, 60, &by_care_of));
    bench.settle();
    assert_eq!(bench.count(Counter::SignalingChecksum), 1);
    for home in [ALL_NODES, Ipv6Addr::UNSPECIFIED, Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 7)] {
        bench.arrive(&registration(home, 1, 15));
    }
    bench.settle();
    assert_eq!(bench.count(Counter::SignalingMalformed), 3);
    assert_eq!((bench.count(Counter::BuReceived), sent(&mut bench).len()), (0, 0));
}

// proves: MIP6-10.3.1-14, MIP6-10.4.1-5, MIP6-10.4.1-6, MIP6-10.4.1-7, MIP6-10.4.1-8
// proves: MIP6-10.4.1-9, MIP6-10.4.1-10, MIP6-10.4.1-4
#[test]
fn address_on_a_link_is_asked_for_once_before_it_is_registered() {
    let mut bench = bench();
    bench.arrive(&registration(ON_LINK, 1, 15));
    bench.settle();
    let probe = sent(&mut bench).remove(0);
    let ip = Ipv6Header::parse(&probe).expect("IPv6");
    assert_eq!((ip.src, ip.dst), (Ipv6Addr::UNSPECIFIED, solicited_node(ON_LINK)));
    let envelope = Envelope { src: ip.src, dst: ip.dst, hop_limit: ip.hop_limit };
    let solicitation = NeighborSolicitation::parse(&probe[40..], envelope);
    let expected = NeighborSolicitation { target: ON_LINK, source_link_layer: None };
    assert_eq!(solicitation, Ok(expected));
    bench.pass(Duration::from_millis(900));
    assert_eq!(sent(&mut bench).len(), 0, "it may still be answered");
    bench.pass(Duration::from_millis(200));
    let packets = sent(&mut bench);
    let (advertisements, acks): (Vec<_>, Vec<_>) = packets.iter().partition(|p| p[6] == 58);
    let advertisement = advertised(advertisements[0]);
    assert!(advertisement.overrides && !advertisement.solicited && !advertisement.router);
    assert_eq!(advertisement.target, ON_LINK);
    assert_eq!(advertisement.target_link_layer, Some(MacAddr([2, 0, 0, 0, 0, 1])), "ours");
    assert_eq!(Ipv6Header::parse(advertisements[0]).map(|ip| ip.src), Ok(LMA));
    assert_eq!(ack(acks[0], ON_LINK).status.0, 0);
}

// proves: MIP6-10.4.2-1, MIP6-10.4.2-2, MIP6-10.4.2-3
#[test]
fn packet_to_the_link_local_address_of_a_node_away_from_home_is_answered_and_enters_no_tunnel() {
    let mut bench = bench();
    let message = flagged_update(BuFlags::A | BuFlags::H | BuFlags::L, ON_LINK, 1, 15);
    bench.arrive(&packet(CARE_OF, LMA, 60, &with_home(ON_LINK, mh::NEXT_HEADER, &message)));
    bench.settle();
    bench.pass(Duration::from_millis(1100));
    let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x77);
    let about: Vec<_> =
        sent(&mut bench).iter().filter(|p| p[40] == 136).map(|p| advertised(p).target).collect();
    assert!(about.contains(&link_local), "it is defended: {about:?}");
    bench.to_kernel.try_iter().for_each(drop);
    let invoking = packet(NEIGHBOR, link_local, 59, &[]);
    let answers = |bench: &mut Bench, frame: &[u8]| {
        bench.arrive(frame);
        bench.settle();
        sent(bench)
    };
    bench.arrive(&invoking);
    bench.settle();
    let frame = bench.tx.take_all().remove(0).to_bytes();
    assert_eq!(frame[..6], invoking[6..12], "to who sent it");
    let error = &frame[ether::HEADER_LEN..];
    let ip = Ipv6Header::parse(error).expect("IPv6");
    assert_eq!((ip.src, ip.dst, ip.next_header), (LMA, NEIGHBOR, icmpv6::NEXT_HEADER));
    assert_eq!((error[40], error[41], &error[48..]), (1, 3, &invoking[ether::HEADER_LEN..]));
    // Of these nobody is told (RFC 4443 2.4 (e)): they name no sender, or are errors themselves.
    let multicast = packet(ALL_NODES, link_local, 59, &[]);
    let nobody = packet(Ipv6Addr::UNSPECIFIED, link_local, 59, &[]);
    let another_error = packet(NEIGHBOR, link_local, icmpv6::NEXT_HEADER, &[1, 3, 0, 0, 0, 0]);
    for frame in [multicast, nobody, another_error] {
        assert_eq!(answers(&mut bench, &frame).len(), 0);
    }
    // Whether it is reachable is asked of us (RFC 4861 7.3.1), all else of nobody.
    let mut probe = solicitation(NEIGHBOR, link_local);
    let message = NeighborSolicitation { target: link_local, source_link_layer: None };
    let len = message.emit(NEIGHBOR, link_local, &mut probe[54..]).expect("fits");
    let probe = discovery(NEIGHBOR, link_local, &probe[54..54 + len]);
    assert_eq!(advertised(&answers(&mut bench, &probe)[0]).target, link_local);
    let counts = [Counter::HomeLinkLocalDiscarded, Counter::UnreachableSent];
    assert_eq!(counts.map(|c| bench.count(c)), [4, 1]);
    for _ in 0..100 {
        answers(&mut bench, &invoking);
    }
    assert!(bench.count(Counter::UnreachableSent) < 50, "at a limited rate");
    assert_eq!((bench.count(Counter::HomeLinkLocalDiscarded), bench.to_kernel.len()), (104, 0));
    // Another's is the kernel's, and so is the node's own when it is back.
    let other = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x78);
    assert_eq!(answers(&mut bench, &packet(NEIGHBOR, other, 59, &[])).len(), 0);
    assert_eq!(bench.to_kernel.len(), 1);
    let tunneled = answers(&mut bench, &packet(NEIGHBOR, ON_LINK, 59, &[])).remove(0);
    let outer = Ipv6Header::parse(&tunneled).expect("IPv6");
    assert_eq!((outer.src, outer.dst, outer.next_header), (LMA, CARE_OF, 41), "unlike this one");
    answers(&mut bench, &registration(ON_LINK, 2, 0));
    assert_eq!(answers(&mut bench, &invoking).len(), 0);
    assert_eq!(bench.to_kernel.len(), 2);
}

// proves: NEMO-6.2-11
#[test]
fn address_of_a_mobile_router_is_advertised_as_a_routers() {
    let mut bench = bench();
    let message = flagged_update(BuFlags::A | BuFlags::H | BuFlags::R, ON_LINK, 1, 15);
    bench.arrive(&packet(CARE_OF, LMA, 60, &with_home(ON_LINK, mh::NEXT_HEADER, &message)));
    bench.settle();
    bench.pass(Duration::from_millis(1100));
    bench.arrive(&solicitation(NEIGHBOR, ON_LINK));
    bench.settle();
    let packets = sent(&mut bench);
    let about_it = packets.iter().filter(|p| p[6] == icmpv6::NEXT_HEADER && p[40] == 136);
    let seen: Vec<_> = about_it.map(|p| advertised(p)).map(|a| (a.router, a.solicited)).collect();
    assert_eq!(seen, [(true, false), (true, true)], "to all nodes, and to who asks");
}

// proves: MIP6-10.3.1-15
#[test]
fn address_that_somebody_on_the_link_has_is_refused_134() {
    for probes_too in [false, true] {
        let mut bench = bench();
        bench.arrive(&registration(ON_LINK, 1, 15));
        bench.settle();
        sent(&mut bench);
        let heard = if probes_too {
            solicitation(Ipv6Addr::UNSPECIFIED, ON_LINK)
        } else {
            let advertisement = NeighborAdvertisement {
                target: ON_LINK,
                router: false,
                solicited: false,
                overrides: true,
                target_link_layer: Some(MAC),
            };
            let mut buf = [0; NeighborAdvertisement::LEN_MAX];
            let len = advertisement.emit(ON_LINK, ALL_NODES, &mut buf).expect("fits");
            discovery(ON_LINK, ALL_NODES, &buf[..len])
        };
        bench.arrive(&heard);
        bench.settle();
        let packets = sent(&mut bench);
        assert_eq!(ack(&packets[0], ON_LINK).status.0, 134, "{probes_too}");
        assert_eq!(bench.count(Counter::HomeAddressTaken), 1);
        assert_eq!(bench.to_kernel.len(), 1, "the kernel hears it, too");
    }
}

// proves: MIP6-8.4-2, MIP6-10.4.1-12, MIP6-10.4.1-13, MIP6-10.4.1-14, MIP6-10.4.1-15
#[test]
fn solicitations_are_answered_for_the_node_until_it_is_back() {
    let mut bench = bench();
    bench.arrive(&registration(ON_LINK, 1, 15));
    bench.settle();
    bench.pass(Duration::from_millis(1100));
    sent(&mut bench);
    bench.arrive(&solicitation(NEIGHBOR, ON_LINK));
    bench.settle();
    let packet = sent(&mut bench).remove(0);
    let advertisement = advertised(&packet);
    assert!(advertisement.solicited && advertisement.overrides);
    assert_eq!(Ipv6Header::parse(&packet).map(|ip| ip.dst), Ok(NEIGHBOR));
    bench.arrive(&solicitation(Ipv6Addr::UNSPECIFIED, ON_LINK));
    bench.settle();
    let packet = sent(&mut bench).remove(0);
    assert_eq!(Ipv6Header::parse(&packet).map(|ip| ip.dst), Ok(ALL_NODES));
    assert!(!advertised(&packet).solicited);
    assert_eq!((bench.count(Counter::HomeAddressDefended), bench.to_kernel.len()), (2, 0));
    // Others' addresses are the kernel's.
    bench.arrive(&solicitation(NEIGHBOR, MAG1));
    bench.settle();
    assert_eq!((bench.to_kernel.len(), sent(&mut bench).len()), (1, 0));
    bench.arrive(&registration(ON_LINK, 2, 0));
    bench.settle();
    sent(&mut bench);
    bench.arrive(&solicitation(NEIGHBOR, ON_LINK));
    bench.settle();
    assert_eq!((bench.to_kernel.len(), sent(&mut bench).len()), (2, 0));
}

// proves: MIP6-8.4-9, MIP6-10.5.1-4
#[test]
fn question_for_home_agents_is_answered_and_not_the_kernels() {
    let mut bench = bench();
    let mut request = [0; 8];
    let asked = icmpv6::mobility::MobilityRequest::Discovery { id: 0x1234, mobile_router: false };
    asked.emit(CARE_OF, ANYCAST, &mut request).expect("fits");
    bench.control.publisher.broadcast(crate::dataplane::update::Change::RouteSet(
        HomePrefix::new(ANYCAST, 128).expect("valid").into(),
        crate::dataplane::update::NextHop::Local,
    ));
    bench.settle();
    bench.arrive(&packet(CARE_OF, ANYCAST, icmpv6::NEXT_HEADER, &request));
    bench.settle();
    let packet = sent(&mut bench).remove(0);
    let upper = find_upper_layer(&packet).expect("whole");
    assert_eq!(packet[upper.offset..upper.offset + 2], [145, 0]);
    assert_eq!(packet[upper.offset + 4..upper.offset + 6], [0x12, 0x34]);
    assert_eq!(packet[upper.offset + 8..], LMA.octets());
    assert_eq!((bench.count(Counter::HomeQuestionReceived), bench.to_kernel.len()), (1, 0));
}

// RFC 6275 9.3.1, 9.3.3.
// proves: MIP6-6.3-8, MIP6-10.6.3-2, MIP6-10.6.3-6
#[test]
fn home_address_option_without_its_binding_is_answered_by_binding_error_1() {
    let mut bench = bench();
    let asked = icmpv6::mobility::MobilityRequest::Prefixes { id: 7 };
    let mut request = [0; 8];
    asked.emit(AWAY, LMA, &mut request).expect("fits");
    let from = |care_of| packet(care_of, LMA, 60, &with_home(AWAY, icmpv6::NEXT_HEADER, &request));
    let elsewhere = Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 0x52);
    bench.learn(elsewhere, MAC);
    bench.arrive(&from(CARE_OF));
    bench.settle();
    // Registered, but not from there.
    bench.arrive(&registration(AWAY, 1, 15));
    bench.settle();
    bench.arrive(&from(elsewhere));
    bench.arrive(&from(ALL_NODES));
    bench.settle();
    let packets = sent(&mut bench);
    let errors = packets.iter().filter_map(|packet| {
        let ip = Ipv6Header::parse(packet).expect("IPv6");
        match Message::parse(packet.get(40..)?, LMA, ip.dst) {
            Ok(Message::Be(error, _)) => Some((ip.dst, error.status, error.home_address)),
            _ => None,
        }
    });
    assert!(errors.eq([(CARE_OF, 1, AWAY), (elsewhere, 1, AWAY)]), "{packets:?}");
    let counts = [Counter::HomeAddressUnbound, Counter::BindingErrorSent];
    assert_eq!(counts.map(|c| bench.count(c)), [3, 2]);
    assert_eq!((bench.count(Counter::HomeQuestionReceived), bench.to_kernel.len()), (0, 0));
    bench.arrive(&from(CARE_OF));
    bench.settle();
    let advertisement = sent(&mut bench).remove(0);
    let ip = Ipv6Header::parse(&advertisement).expect("IPv6");
    assert_eq!((ip.src, ip.dst), (LMA, CARE_OF), "where the node has its registration");
    bench.arrive(&packet(NEIGHBOR, AWAY, 59, &[]));
    bench.settle();
    let tunneled = sent(&mut bench).remove(0);
    assert_eq!(Ipv6Header::parse(&tunneled).map(|ip| ip.dst), Ok(CARE_OF), "as before");
    // Whoever asks that often is not always answered (RFC 6275 9.3.3).
    for _ in 0..1000 {
        bench.arrive(&from(elsewhere));
        bench.settle();
        sent(&mut bench);
    }
    assert!(bench.count(Counter::ErrorRateLimited) > 0);
    assert_eq!(bench.count(Counter::HomeAddressUnbound), 1003);
}

// RFC 6612 3.1: a node whose home link is its gateway's.
#[test]
fn node_that_is_at_home_is_answered_through_its_gateways_tunnel() {
    let mut bench = bench();
    let prefix = "2001:db8:100:7::/64".parse().expect("valid");
    let pbu = bench.pbu_with(MAG1, "mn1", prefix, 1, 600);
    bench.arrive(&pbu);
    bench.settle();
    bench.arrive(&registration(AWAY, 1, 15));
    bench.settle();
    sent(&mut bench);
    let inner = packet(AWAY, LMA, mh::NEXT_HEADER, &update(AWAY, 2, 0));
    bench.arrive(&packet(MAG1, LMA, 41, &inner[ether::HEADER_LEN..]));
    bench.settle();
    let answer = sent(&mut bench).remove(0);
    let outer = Ipv6Header::parse(&answer).expect("IPv6");
    assert_eq!((outer.src, outer.dst, outer.next_header), (LMA, MAG1, 41));
    let ip = Ipv6Header::parse(&answer[40..]).expect("IPv6");
    assert_eq!((ip.src, ip.dst, ip.next_header), (LMA, AWAY, mh::NEXT_HEADER));
    let ack = Message::parse(&answer[80..], LMA, AWAY);
    assert!(matches!(ack, Ok(Message::Ba(a, _)) if a.status.0 == 0 && a.seq.0 == 2), "{ack:?}");
}

// RFC 6275 10.3.2: its number is one that it has used already.
// proves: MIP6-10.3.2-9
#[test]
fn refusal_to_a_node_that_is_back_on_its_link_goes_to_its_link_layer_address() {
    let at_home = MacAddr([2, 0, 0, 0, 0, 0x77]);
    for is_known in [true, false] {
        let mut bench = bench();
        bench.arrive(&registration(ON_LINK, 9, 15));
        bench.settle();
        bench.pass(Duration::from_millis(1100));
        sent(&mut bench);
        if is_known {
            bench.learn(ON_LINK, at_home);
        }
        bench.settle();
        bench.requests.try_iter().for_each(drop);
        bench.arrive(&packet(ON_LINK, LMA, mh::NEXT_HEADER, &update(ON_LINK, 9, 0)));
        bench.settle();
        if !is_known {
            assert_eq!(bench.tx.take_all().len(), 0, "nowhere else");
            let asked: Vec<_> = bench.requests.try_iter().map(|r| (r.port, r.addr)).collect();
            assert_eq!(asked, [(ACCESS, ON_LINK)]);
            // The kernel asks the link, and we are not the ones to answer.
            let mut question = solicitation(NEIGHBOR, ON_LINK);
            question[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
            bench.arrive(&question);
            bench.settle();
            assert_eq!(bench.tx.take_all().len(), 0);
            bench.learn(ON_LINK, at_home);
            bench.settle();
        }
        let frames = bench.tx.take_all();
        let [frame] = &frames[..] else { panic!("one: {frames:?}") };
        let frame = frame.to_bytes();
        assert_eq!(frame[..6], at_home.0);
        let ip = Ipv6Header::parse(&frame[ether::HEADER_LEN..]).expect("IPv6");
        assert_eq!((ip.src, ip.dst, ip.next_header), (LMA, ON_LINK, mh::NEXT_HEADER));
        let ack = Message::parse(&frame[ether::HEADER_LEN + 40..], LMA, ON_LINK);
        assert!(matches!(ack, Ok(Message::Ba(a, _)) if a.status.0 == 135 && a.seq.0 == 9));
        // All else goes by the binding still, until the node says it right.
        bench.arrive(&packet(NEIGHBOR, ON_LINK, 59, &[]));
        bench.settle();
        let tunneled = sent(&mut bench).remove(0);
        assert_eq!(Ipv6Header::parse(&tunneled).map(|ip| ip.dst), Ok(CARE_OF));
        bench.arrive(&packet(ON_LINK, LMA, mh::NEXT_HEADER, &update(ON_LINK, 10, 0)));
        bench.settle();
        assert!(bench.tx.take_all().iter().any(|f| f.to_bytes()[..6] == at_home.0), "accepted");
        assert!(bench.control.anchor.way_home(CustomerId(0), ON_LINK).is_none());
    }
}

// The same in a domain of gateways, whether the node alone moved or all of its prefix.
#[test]
fn refusal_to_a_node_that_is_back_at_its_gateway_goes_through_the_gateways_tunnel() {
    for router in [BuFlags(0), BuFlags::R] {
        let mut bench = bench();
        let prefix = "2001:db8:100:7::/64".parse().expect("valid");
        let pbu = bench.pbu_with(MAG1, "mn1", prefix, 1, 600);
        let away = flagged_update(BuFlags::A | BuFlags::H | router, AWAY, 9, 15);
        bench.arrive(&packet(CARE_OF, LMA, 60, &with_home(AWAY, mh::NEXT_HEADER, &away)));
        bench.arrive(&pbu);
        bench.settle();
        assert_eq!(sent(&mut bench).len(), 2, "both are accepted");
        let inner = packet(AWAY, LMA, mh::NEXT_HEADER, &update(AWAY, 9, 0));
        bench.arrive(&packet(MAG1, LMA, 41, &inner[ether::HEADER_LEN..]));
        bench.settle();
        let answers = sent(&mut bench);
        let [answer] = &answers[..] else { panic!("one: {answers:?}") };
        let outer = Ipv6Header::parse(answer).expect("IPv6");
        assert_eq!((outer.src, outer.dst, outer.next_header), (LMA, MAG1, 41));
        let ack = Message::parse(&answer[80..], LMA, AWAY);
        assert!(matches!(ack, Ok(Message::Ba(a, _)) if a.status.0 == 135), "{ack:?}");
    }
}

// RFC 6612 4.1: the care-of address is one that Proxy Mobile IPv6 manages, here.
#[test]
fn node_whose_care_of_address_is_behind_a_gateway_is_answered_with_that_tunnels_key() {
    let care_of = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0xc, 0, 0, 0, 0x51);
    for workers in [1, 2] {
        let mut bench = Bench::new(Shape { home_agent: true, workers, ..Shape::default() });
        let managed = HomePrefix::truncating(care_of, 64).expect("valid");
        let path = TunnelPath { local: LMA, remote: MAG1, encap: Encap::Gre };
        let keys = GreKeys { downlink: Some(0x1122_3344), uplink: None };
        let forward = Publication::Forward(managed.into(), path, keys);
        bench.control.publisher.publish(forward);
        bench.arrive(&registration_at(care_of, AWAY, 1, 15));
        bench.settle();
        let answer = sent(&mut bench).remove(0);
        let outer = Ipv6Header::parse(&answer).expect("IPv6");
        assert_eq!((outer.src, outer.dst, outer.next_header), (LMA, MAG1, 47));
        assert_eq!(answer[40..48], [0x20, 0, 0x86, 0xdd, 0x11, 0x22, 0x33, 0x44]);
        assert_eq!(ack_at(care_of, &answer[48..], AWAY).status.0, 0);
        assert_eq!(bench.count(Counter::BaSent), 1);
    }
}

// Workers and nodes hear of another configuration later than we do.
#[test]
fn probe_on_a_link_that_a_reload_takes_away_says_nothing() {
    let port = HomePort { port: ACCESS, address: LMA };
    let links = |ids: &[u16]| HomeLinks {
        ports: ids.iter().map(|id| (LinkId(*id), port)).collect(),
        ..HomeLinks::default()
    };
    let mut home = Home::new(links(&[1, 2]));
    let at = |link| LinkAddress { link: LinkId(link), address: ON_LINK };
    home.set_probe(at(1), 1, Instant(5));
    home.set_probe(at(2), 1, Instant(6));
    home.take_over(&mut links(&[2]));
    assert_eq!(home.probes.keys().copied().collect::<Vec<_>>(), [at(2)]);
    assert_eq!(home.due.iter().copied().collect::<Vec<_>>(), [(Instant(6), at(2))]);
    assert_eq!(home.probed, []);
}
