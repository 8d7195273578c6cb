//! Messages of Mobile IPv4: which reach the pure core, and how it answers.

use super::ipv4::{MAG, bench, frame4, frame4_between, frame4_to, signal};
use super::*;
use crate::control::admission::Class;
use crate::control::mip4::{NodeEnds, class_of};
use crate::mobility::action::{BindingId, BindingKind};
use crate::mobility::auth::ntp;
use crate::mobility::mip4::{
    Algorithm, HomeAgent4, Mip4Config, Mip4Msg, Mip4Node, Replay, SecurityAssociation,
};
use crate::wire::ipv4::Ipv4Header;
use crate::wire::mip4::{Body, Message, RegistrationReply, ReplyCode};
use crate::wire::udp::UdpHeader;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

const HOME: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const BROADCAST: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 255);
const PORT: u16 = 40_000;
const SECRET: [u8; 16] = [0x5a; 16];
/// Of the UDP checksum, in a frame.
const CHECKSUM_AT: usize = ether::HEADER_LEN + 20 + 6;

/// An anchor that is a home agent of one node, whose home network is a pool.
fn home_agent() -> Bench {
    let mut bench = bench();
    let lma = lma_config(Shape::default());
    let pools = vec![PoolConfig::new("198.51.100.0/24".parse().expect("a prefix"), 128)];
    let association = SecurityAssociation {
        spi: 256,
        algorithm: Algorithm::HmacMd5,
        secret: SECRET.into(),
        replay: Replay::default(),
    };
    let node = Mip4Node {
        mn_id: MnId::nai("mn1@example.org").expect("short"),
        customer: CustomerId(0),
        home_address: Some(HOME),
        prefixes: Vec::new(),
        implicit: false,
        associations: vec![association],
    };
    let mip4 = HomeAgent4::new(Mip4Config {
        address: LMA_IPV4,
        nodes: vec![node],
        ..Mip4Config::default()
    });
    let lma = Lma::new(LmaConfig { pools, ..lma });
    bench.control.anchor = Anchor::new(lma, HomeAgent::default()).with_mip4(mip4);
    bench
}

/// A request for a minute, whose authenticator is not right.
fn request() -> Vec<u8> {
    let fixed = [&[1, 0x22, 0, 60][..], &HOME.octets(), &LMA_IPV4.octets(), &MAG.octets()];
    let auth = [&[32, 20, 0, 0, 1, 0][..], &[0; 16]].concat();
    [&fixed.concat()[..], &[7; 8], &auth].concat()
}

/// The replies that left, with the port that they went to.
fn replies(bench: &mut Bench) -> Vec<(RegistrationReply, u16)> {
    let reply = |frame: &MemFrame| {
        let bytes = frame.to_bytes();
        let packet = &bytes[ether::HEADER_LEN..];
        let ip = Ipv4Header::parse(packet).expect("IPv4");
        assert_eq!((ip.src, ip.dst), (LMA_IPV4, MAG));
        assert_ne!(packet[26..28], [0, 0], "with a checksum");
        let (udp, payload) = UdpHeader::parse(&packet[20..], ip.src, ip.dst).expect("UDP");
        assert_eq!(udp.src_port, 434);
        let Ok(Message { body: Body::Reply(reply), .. }) = Message::parse(payload) else {
            panic!("{payload:?}");
        };
        (reply, udp.dst_port)
    };
    bench.tx.take_all().iter().map(reply).collect()
}

// proves: MIP4-3.1-5, MIP4-3.1-6, MIP4-3.8.2.1-1, MIP4-3.8.3.1-1
#[test]
fn request_is_answered_by_udp_unless_its_checksum_is_there_and_wrong() {
    for queue in [true, false] {
        let mut bench = home_agent();
        let mut receive = |frame: &[u8]| {
            if queue {
                signal(&mut bench, frame);
            } else {
                bench.arrive(frame);
                bench.settle();
            }
            replies(&mut bench)
        };
        let right = frame4(PORT, 434, &request());
        let mut without = right.clone();
        without[CHECKSUM_AT..CHECKSUM_AT + 2].fill(0);
        for frame in [&right, &without] {
            let [(reply, port)] = receive(frame)[..] else { panic!("one reply") };
            assert_eq!(reply.code, ReplyCode::MOBILE_NODE_FAILED_AUTHENTICATION);
            assert_eq!((reply.home_agent, port), (LMA_IPV4, PORT));
        }
        let mut wrong = right.clone();
        wrong[CHECKSUM_AT] ^= 1;
        for frame in [wrong, frame4(0, 434, &request())] {
            assert_eq!(receive(&frame), []);
        }
        let counts = [
            Counter::Mip4Received,
            Counter::Mip4Denied,
            Counter::Mip4Sent,
            Counter::SignalingChecksum,
            Counter::SignalingMalformed,
        ];
        assert_eq!(counts.map(|c| bench.count(c)), [2, 2, 2, 1, 1]);
    }
}

// proves: MIP4-3.6.1.2-19
#[test]
fn request_to_the_broadcast_address_of_a_home_network_is_heard_and_to_others_is_the_kernels() {
    let mut bench = home_agent();
    let elsewhere = Ipv4Addr::new(198, 51, 100, 254);
    let mut punt = |dst, port| {
        // As the worker gives it: a packet to an address of ours, for the kernel.
        let frame = frame4_to(dst, PORT, port, &request());
        let frame = bench.pool.frame(ACCESS, &frame).expect("a buffer");
        bench.control.give_to_kernel(frame, bench.now);
        bench.settle();
        (replies(&mut bench).len(), bench.to_kernel.try_iter().count())
    };
    assert_eq!(punt(BROADCAST, 434), (1, 0));
    assert_eq!(punt(BROADCAST, 435), (0, 1));
    assert_eq!(punt(elsewhere, 434), (0, 1));
    assert_eq!(bench.count(Counter::Mip4Received), 1);
}

#[test]
fn what_would_begin_a_registration_waits_behind_what_is_about_one() {
    let mut bench = home_agent();
    let class = |payload: &[u8]| {
        let (src, dst, payload) = (MAG, LMA_IPV4, payload.to_vec());
        let msg = Mip4Msg { src, dst, port: PORT, payload };
        class_of(&msg, bench.control.anchor.mip4())
    };
    let ends = [&[1, 0x22, 0, 0], &request()[4..]].concat();
    assert_eq!(class(&request()), Class::Fresh);
    assert_eq!(class(&ends), Class::Urgent);
    assert_eq!(class(&[7, 0]), Class::Urgent, "the pure core counts it");
    signal(&mut bench, &frame4(PORT, 434, &[7, 0]));
    assert_eq!(bench.count(Counter::Mip4Ignored), 1);
}

#[test]
fn end_of_several_tunnels_is_one_until_the_last_of_them_is_gone() {
    let [first, second] = [1, 2].map(|n| BindingId::new(BindingKind::Home4, n));
    let [nat, home] = [MAG, HOME].map(|a| a.to_ipv6_mapped());
    let mut ends = NodeEnds::default();
    assert_eq!(ends.set(first, vec![nat, nat]), [Change::NodeEndSet(nat)]);
    assert_eq!(ends.set(second, vec![nat, home]), [Change::NodeEndSet(home)]);
    assert_eq!(ends.set(first, vec![nat]), []);
    assert_eq!(ends.set(first, vec![]), []);
    assert_eq!(ends.set(second, vec![home]), [Change::NodeEndDel(nat)]);
    assert_eq!(ends.set(second, vec![]), [Change::NodeEndDel(home)]);
}

#[test]
fn keepalive_that_workers_leave_to_us_reaches_the_pure_core_and_one_of_nobody_is_ignored() {
    let mut bench = home_agent();
    let header = Ipv4Header {
        header_len: 20,
        tos: 0,
        total_len: 28,
        identification: 0,
        dont_fragment: false,
        more_fragments: false,
        fragment_offset: 0,
        ttl: 64,
        protocol: 1,
        src: HOME,
        dst: LMA_IPV4,
    };
    let mut inner = [0; 28];
    header.emit(&mut inner).expect("fits");
    inner[20..].copy_from_slice(&[8, 0, 0xf7, 0xf8, 0, 7, 0, 0]); // an echo request
    signal(&mut bench, &frame4(PORT, 434, &[&[4, 4, 0, 0], &inner[..]].concat()));
    let counts = [Counter::Mip4Received, Counter::Mip4Ignored, Counter::Mip4Sent];
    assert_eq!(counts.map(|c| bench.count(c)), [1, 1, 0]);
}

/// A request whose time lies `age_s` seconds back, by the node's clock, as a frame from `src`.
fn authentic(bench: &Bench, src: Ipv4Addr, lifetime: u16, age_s: u64) -> Vec<u8> {
    let [high, low] = lifetime.to_be_bytes();
    let time = ntp(bench.now.wall) - (age_s << 32);
    let fixed = [&[1, 0x22, high, low][..], &HOME.octets(), &LMA_IPV4.octets(), &src.octets()];
    let mut payload = [&fixed.concat()[..], &time.to_be_bytes(), &[32, 20, 0, 0, 1, 0]].concat();
    let mut mac = Hmac::<Md5>::new_from_slice(&SECRET).expect("a key");
    mac.update(&payload);
    payload.extend(mac.finalize().into_bytes());
    frame4_between((src, LMA_IPV4), (PORT, 434), &payload)
}

/// The reply that left: the link-layer address, the outermost destination, its code.
fn heard(bench: &mut Bench) -> (MacAddr, Ipv4Addr, u8) {
    let frames = bench.tx.take_all();
    let [frame] = &frames[..] else { panic!("one: {frames:?}") };
    let frame = frame.to_bytes();
    let ip = Ipv4Header::parse(&frame[ether::HEADER_LEN..]).expect("IPv4");
    assert_eq!(ip.protocol, 17, "in no tunnel");
    let mac = MacAddr(frame[..6].try_into().expect("six"));
    (mac, ip.dst, frame[ether::HEADER_LEN + 29])
}

// proves: MIP4-3.8.3.1-2, MIP4-3.8.3.1-3
#[test]
fn denial_to_a_node_that_is_back_on_its_home_network_ignores_its_binding() {
    let at_home = MacAddr([2, 0, 0, 0, 0, 0x77]);
    let mut bench = home_agent();
    bench.tell(KernelEvent::RouteSet(route("198.51.100.0/24"), NextHop::OnLink(ACCESS)));
    bench.learn(HOME.to_ipv6_mapped(), at_home);
    bench.settle();
    let request = authentic(&bench, MAG, 60, 0);
    signal(&mut bench, &request);
    assert_eq!(heard(&mut bench), (MAG_MAC, MAG, 1));
    assert!(bench.control.publisher.is_held(CustomerId(0), HOME.to_ipv6_mapped()));
    let with_wrong_clock = authentic(&bench, HOME, 0, 3600);
    signal(&mut bench, &with_wrong_clock);
    assert_eq!(heard(&mut bench), (at_home, HOME, 133));
    let to_node = frame4_between((MAG, HOME), (9, 9), &[]);
    bench.arrive(&to_node);
    bench.settle();
    let tunneled = bench.tx.take_all().remove(0).to_bytes();
    let outer = Ipv4Header::parse(&tunneled[ether::HEADER_LEN..]).expect("IPv4");
    assert_eq!((outer.dst, outer.protocol), (MAG, 4), "the binding is in force");
    bench.now.wall = MobTimestamp::from_unix(bench.now.wall.to_unix() + Duration::from_secs(1));
    let right = authentic(&bench, HOME, 0, 0);
    signal(&mut bench, &right);
    assert_eq!(heard(&mut bench), (at_home, HOME, 1));
    assert!(!bench.control.publisher.is_held(CustomerId(0), HOME.to_ipv6_mapped()));
}
