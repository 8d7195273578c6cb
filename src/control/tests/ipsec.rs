//! Signaling in ESP (RFC 5213 section 4): what the kernel hands over and takes, and what is said to
//! gateways that accept nothing else.

use super::ipv4::{frame4, registration};
use super::*;
use crate::control::home::tests::{
    CARE_OF, IN_ESP, bench as home_bench, registration as home_registration, with_home,
};
use crate::mobility::message::{OwnedOptions, PeerBody, PeerMsg, Transport};
use crate::wire::icmpv6;
use crate::wire::icmpv6::mobility::MobilityRequest;
use crate::wire::ipv6::HomeRoute;
use crate::wire::mh::{
    BindingRevocationIndication, Heartbeat, HeartbeatFlags, RevocationFlags, RevocationTrigger,
};
use crate::wire::udp;

/// An anchor to which the first gateway speaks in ESP only.
fn bench() -> Bench {
    let mut bench = Bench::new(Shape::default());
    bench.control.mags.get_mut(&MAG1).expect("configured").ipsec = true;
    bench
}

impl Bench {
    /// The kernel takes a frame's message out of ESP.
    pub(super) fn comes_in_esp(&mut self, frame: &[u8]) {
        self.out_of_esp.send(frame.into()).expect("room");
        self.settle();
    }

    /// The messages that the kernel is to put into ESP: whole packets, with their destination.
    pub(super) fn goes_into_esp(&mut self) -> Vec<(Ipv6Addr, Vec<u8>)> {
        let packets: Vec<_> = self.into_esp.try_iter().collect();
        let parsed = packets.iter().map(|p| (Ipv6Header::parse(p).expect("IPv6"), p));
        parsed.map(|(ip, p)| (ip.dst, p[ipv6::HEADER_LEN..].to_vec())).collect()
    }
}

/// A heartbeat request from `mag`, as a frame.
fn heartbeat(mag: Ipv6Addr) -> Vec<u8> {
    let request = Heartbeat { flags: HeartbeatFlags::default(), seq: 5 };
    let mut message = [0; mh::MAX_LEN];
    let none: [MobilityOption<'_>; 0] = [];
    let len = request.emit(&none, mag, LMA, &mut message).expect("fits");
    frame(mag, &message[..len])
}

// proves: PMIP6-4-1, PMIP6-5.3.1-1, PMIP6-5.3.6-28
#[test]
fn update_in_esp_is_answered_in_esp_and_one_without_is_discarded_in_silence() {
    let mut bench = bench();
    let pbu = bench.pbu(MAG1, "mn1@example.org", 1, 600);
    bench.arrive(&pbu);
    bench.settle();
    assert_eq!(bench.count(Counter::SignalingUnprotected), 1);
    assert_eq!(
        (bench.count(Counter::PbuReceived), bench.control.anchor.lma().cache().len()),
        (0, 0)
    );
    bench.comes_in_esp(&pbu);
    assert_eq!((bench.count(Counter::IpsecRx), bench.count(Counter::PbuReceived)), (1, 1));
    let sent = bench.goes_into_esp();
    let [(MAG1, message)] = sent.as_slice() else { panic!("{sent:?}") };
    let message = Message::parse(message, LMA, MAG1);
    assert!(matches!(message, Ok(Message::Ba(ack, _)) if ack.status.0 == 0), "{message:?}");
    assert_eq!(bench.tx.take_all().len(), 0, "nothing leaves without");
    assert_eq!((bench.count(Counter::PbaSent), bench.count(Counter::IpsecTx)), (1, 1));
}

#[test]
fn acknowledgement_in_esp_is_held_like_any_other() {
    let mut bench = bench();
    let pbu = bench.pbu(MAG1, "mn1@example.org", 1, 600);
    bench.out_of_esp.send(pbu.into()).expect("room");
    bench.control_turn();
    bench.confirm();
    bench.control_turn();
    assert!(bench.into_esp.is_empty(), "no worker has applied it");
    bench.settle();
    assert_eq!(bench.into_esp.len(), 1);
}

#[test]
fn gateway_of_which_nothing_is_required_is_answered_as_it_speaks() {
    let mut bench = bench();
    let pbu = bench.pbu(MAG2, "mn2@example.org", 1, 600);
    bench.comes_in_esp(&pbu);
    assert_eq!((bench.goes_into_esp().len(), bench.tx.take_all().len()), (1, 0));
    bench.register(MAG2, "mn3@example.org");
    assert_eq!(bench.into_esp.len(), 0);
    assert_eq!(bench.count(Counter::SignalingUnprotected), 0);
}

// proves: HEARTBEAT-6-1, REVOKE-6.1-1, REVOKE-6.2-3
#[test]
fn heartbeats_and_revocations_are_protected_both_ways() {
    let mut bench = bench();
    bench.arrive(&heartbeat(MAG1));
    bench.settle();
    assert_eq!((bench.count(Counter::HeartbeatReceived), bench.into_esp.len()), (0, 0));
    bench.comes_in_esp(&heartbeat(MAG1));
    let sent = bench.goes_into_esp();
    assert!(matches!(sent.as_slice(), [(MAG1, m)] if m[2] == 13), "{sent:?}");

    // About a session that was registered when nothing was required yet.
    let (trigger, flags) = (RevocationTrigger::ADMINISTRATIVE, RevocationFlags::P);
    let msg = PeerMsg {
        node: None,
        src: LMA,
        dst: MAG1,
        transport: Transport::Ipv6,
        body: PeerBody::Bri(BindingRevocationIndication { trigger, seq: SeqNo(1), flags }),
        options: OwnedOptions::default(),
    };
    bench.control.actions = vec![Action::Send { msg, held: false }];
    bench.control.perform(bench.now);
    let sent = bench.goes_into_esp();
    assert!(matches!(sent.as_slice(), [(MAG1, m)] if m[2] == 16), "{sent:?}");
    assert_eq!(bench.tx.take_all().len(), 0);
    // And its answer without ESP counts for nothing.
    bench.arrive(&frame(MAG1, &[59, 1, 16, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1, 2, 0, 0]));
    bench.settle();
    let (answers, clear) = (Counter::BraReceived, Counter::SignalingUnprotected);
    assert_eq!((bench.count(answers), bench.count(clear)), (0, 2));
}

// proves: PMIP4-4.2.2-5
#[test]
fn update_over_ipv4_in_esp_is_answered_in_esp_to_the_port_that_it_came_from() {
    let mut bench = bench();
    let from = Ipv4Addr::new(192, 0, 2, 11);
    let info = MagInfo {
        name: "mag1".into(),
        address: from.to_ipv6_mapped(),
        tunnel_mtu: 1500,
        signaling_rate: 20_000,
        ipsec: true,
    };
    bench.control.mags.insert(info.address, info);
    let pbu = frame4(40_000, 5436, &registration(&bench));
    let clear = bench.pool.frame(ACCESS, &pbu).expect("a buffer");
    assert!(bench.signaling.inject(clear).is_ok());
    bench.settle();
    assert_eq!(bench.count(Counter::SignalingUnprotected), 1);
    bench.comes_in_esp(&pbu);
    let packets: Vec<_> = bench.into_esp.try_iter().collect();
    assert_eq!((packets.len(), bench.tx.take_all().len()), (1, 0));
    let (udp, message) = udp::UdpHeader::parse(&packets[0][20..], LMA_IPV4, from).expect("UDP");
    assert_eq!((udp.src_port, udp.dst_port), (5436, 40_000));
    assert!(matches!(Message::parse_in_udp(message), Ok(Message::Ba(..))));
}

#[test]
fn malformed_message_in_esp_shows_nothing_outside_of_it() {
    let mut bench = bench();
    bench.comes_in_esp(&frame(MAG1, &[58, 0, 5, 0, 0, 0, 0, 0])); // payload proto is not 59
    bench.comes_in_esp(&frame(MAG1, &checksummed([59, 0, 200, 0, 0, 0, 0, 0]))); // unknown type
    assert_eq!(bench.tx.take_all().len(), 0);
    let sent = bench.goes_into_esp();
    assert!(matches!(sent.as_slice(), [(MAG1, m)] if m[2] == 7), "a Binding Error: {sent:?}");
}

#[test]
fn full_queue_to_the_kernel_is_counted_and_blocks_nobody() {
    let mut bench = bench();
    for _ in 0..40 {
        bench.comes_in_esp(&heartbeat(MAG1));
    }
    bench.control_turn();
    let sent = bench.count(Counter::IpsecTx);
    assert_eq!((sent, bench.count(Counter::IpsecTxDropped)), (16, 24));
    assert_eq!(bench.count(Counter::HeartbeatSent), sent);
}

#[test]
fn without_ipsec_in_the_kernel_what_is_to_be_protected_is_lost() {
    let path = IpsecPath::unavailable();
    let mut counters = Counters::default();
    assert!(!path.send(&mut counters, |_| Some(40)));
    assert_eq!((counters[Counter::IpsecTx], path.losses.sent()), (0, 1));
    assert!(path.from_kernel.try_recv().is_err());
}

// RFC 5213 section 4
#[test]
fn signaling_that_the_kernel_did_not_protect_does_not_leave() {
    let mut bench = bench();
    let of_ours = |next_header, payload: &[u8]| packet(LMA, MAG1, next_header, payload);
    let clear = of_ours(mh::NEXT_HEADER, &[59, 0, 6, 0, 0, 0, 0, 0]);
    let esp = of_ours(50, &[0; 24]);
    // To a node away from home.
    let route = [&[135, 2, 2, 1][..], &[0; 20], &[59, 0, 6, 0, 0, 0, 0, 0]].concat();
    let routed = of_ours(43, &route);
    let advertisement = [&[58, 2, 2, 1][..], &[0; 20], &[147, 0, 0, 0, 0, 7, 0, 0]].concat();
    let advertisement = of_ours(43, &advertisement);
    for frame in [&clear, &routed, &advertisement, &esp] {
        bench.from_kernel.send((ACCESS, frame.as_slice().into())).expect("room");
    }
    let mut ipv4 = frame4(5436, 5436, &[59, 0, 6, 0, 0, 0, 0, 0]);
    let (src, dst) = (ipv4[26..30].to_vec(), ipv4[30..34].to_vec());
    ipv4[26..30].copy_from_slice(&dst); // neither sum changes
    ipv4[30..34].copy_from_slice(&src);
    bench.from_kernel.send((ACCESS, ipv4.into())).expect("room");
    bench.settle();
    let left: Vec<_> = bench.tx.take_all().iter().map(MemFrame::to_bytes).collect();
    assert_eq!(left, [esp]);
    assert_eq!(bench.count(Counter::KernelUnprotected), 4);
}

#[test]
fn message_in_esp_to_a_node_behind_a_gateway_enters_that_tunnel() {
    let mut bench = Bench::new(Shape::default());
    bench.register(MAG1, "mn1@example.org");
    let hnp = bench.control.anchor.lma().cache().page(0, 1).0.next().expect("one").1.hnp[0];
    let node = Ipv6Addr::from_bits(hnp.addr().to_bits() | 7);
    let mut routed = [0; HomeRoute::LEN + 24];
    let home = "2001:db8:9::1".parse().expect("an address");
    HomeRoute { next_header: 50, home }.emit(&mut routed).expect("it fits");
    let route = HomeRoute::NEXT_HEADER;
    for esp in [packet(LMA, node, 50, &[0; 24]), packet(LMA, node, route, &routed)] {
        bench.from_kernel.send((ACCESS, esp.clone().into())).expect("room");
        bench.settle();
        let left: Vec<_> = bench.tx.take_all().iter().map(MemFrame::to_bytes).collect();
        let outer = Ipv6Header::parse(&left[0][14..]).expect("IPv6");
        assert_eq!((left.len(), outer.dst, &left[0][54..]), (1, MAG1, &esp[14..]));
    }
    assert_eq!(bench.count(Counter::KernelRx), 2);
}

// proves: MIP6-6.7-2, MIP6-6.8-3, MIP6-10.6.3-5
#[test]
fn node_whose_messages_are_in_esp_asks_and_is_told_of_prefixes_in_esp_alone() {
    let mut bench = home_bench();
    bench.comes_in_esp(&home_registration(IN_ESP, 1, 15));
    assert_eq!(bench.goes_into_esp().len(), 1, "its acknowledgement");
    let mut request = [0; 8];
    MobilityRequest::Prefixes { id: 7 }.emit(IN_ESP, LMA, &mut request).expect("fits");
    let asked = packet(CARE_OF, LMA, 60, &with_home(IN_ESP, icmpv6::NEXT_HEADER, &request));
    bench.arrive(&asked);
    bench.settle();
    assert_eq!((bench.count(Counter::HomeIgnored), bench.goes_into_esp().len()), (1, 0));
    bench.comes_in_esp(&asked);
    let sent = bench.goes_into_esp();
    let [(CARE_OF, message)] = sent.as_slice() else { panic!("{sent:?}") };
    let (route, advertisement) = HomeRoute::parse(message).expect("a routing header");
    assert_eq!(route, HomeRoute { next_header: icmpv6::NEXT_HEADER, home: IN_ESP });
    assert_eq!((advertisement[0], &advertisement[4..6]), (147, &[0, 7][..]));
    assert_eq!((bench.count(Counter::HomeQuestionReceived), bench.tx.take_all().len()), (2, 0));
}

/// A Mobility Header of a gateway with its checksum.
fn checksummed(mut header: [u8; 8]) -> [u8; 8] {
    let pseudo = [MAG1.segments(), LMA.segments()].concat();
    let words = header.chunks(2).map(|w| u16::from_be_bytes([w[0], w[1]]));
    let sum: u32 = pseudo.into_iter().chain(words).map(u32::from).sum::<u32>() + 8 + 135;
    let folded = (sum & 0xffff) + (sum >> 16);
    let value = !u16::try_from((folded & 0xffff) + (folded >> 16)).expect("folded");
    header[4..6].copy_from_slice(&value.to_be_bytes());
    header
}
