//! Dual-stack nodes (RFC 5555).

use super::refusal::{key, signed};
use super::*;
use crate::mobility::auth::{Addresses, Signer};
use crate::mobility::packet::{self, Ends};
use crate::wire::ipv4::Ipv4Header;
use crate::wire::ipv6::Ipv6Header;
use crate::wire::mh::{Ipv4Home, Ipv4HomeStatus, Message, NatDetection};
use crate::wire::udp::UdpHeader;

const NAT: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 9);

fn in_ipv4(seq: u16, options: Vec<MobilityOption<'_>>) -> Bu<'_> {
    let transport = Transport::Dsmip { port: 40_123, anchor: HA, esp: false };
    Bu { seq, src: NAT.to_ipv6_mapped(), transport, options, ..Bu::default() }
}

fn ipv4(text: &str, len: u8) -> Ipv4Home {
    Ipv4Home::new(text.parse().expect("an address"), len).expect("a length")
}

/// What the answer says of IPv4 home addresses.
fn answers(actions: &[Action]) -> Vec<(u8, Ipv4Home)> {
    let options = &reply(actions).expect("an answer").options;
    let answer = |o| match o {
        MobilityOption::Ipv4AddressAck(status, home) => Some((status.0, home)),
        _ => None,
    };
    options.iter().filter_map(answer).collect()
}

fn nat(actions: &[Action]) -> Option<NatDetection> {
    reply(actions)?.options.iter().find_map(|o| match o {
        MobilityOption::NatDetection(nat) => Some(nat),
        _ => None,
    })
}

// proves: DSMIP6-4.2-2, DSMIP6-4.2-4, DSMIP6-4.5-1, DSMIP6-3.2.2-2, DSMIP6-4.5-13, DSMIP6-4.5-15
// proves: DSMIP6-3.2.2-6
#[test]
fn node_behind_a_nat_is_told_so_and_reached_in_udp_where_it_came_from() {
    let mut w = World::new(config());
    let inside = MobilityOption::Ipv4CareOf(Ipv4Addr::new(10, 9, 8, 7));
    let actions = w.bu(&in_ipv4(1, vec![inside]));
    let path = TunnelPath {
        local: HA4.to_ipv6_mapped(),
        remote: NAT.to_ipv6_mapped(),
        encap: Encap::Mip6Udp(40_123),
    };
    assert_eq!(w.binding(HOME).map(HomeBinding::path), Some(path));
    assert_eq!(nat(&actions), Some(NatDetection { force_udp: false, refresh_time_s: 110 }));
    let ack = reply(&actions).expect("an answer");
    let ends = Ends { src: ack.src, dst: ack.dst, transport: ack.transport, home: ack.home };
    let mut buf = [0; 256];
    let len = packet::emit(&ack.ack, ack.options.options(), &ends, &mut buf).expect("fits");
    let ip = Ipv4Header::parse(&buf[..len]).expect("IPv4");
    assert_eq!((ip.src, ip.dst, usize::from(ip.total_len)), (HA4, NAT, len));
    let (udp, inner) = UdpHeader::parse(&buf[20..len], ip.src, ip.dst).expect("UDP");
    assert_eq!((udp.src_port, udp.dst_port), (4191, 40_123));
    let ip = Ipv6Header::parse(inner).expect("IPv6");
    assert_eq!((ip.src, ip.dst, ip.next_header, ip.packet_len()), (HA, HOME, 135, inner.len()));
    assert!(matches!(Message::parse(&inner[40..], HA, HOME), Ok(Message::Ba(..))));
}

// proves: DSMIP6-3.2.2-4, DSMIP6-4.1-1, DSMIP6-4.5-6
#[test]
fn node_behind_a_nat_is_authentic_by_the_address_that_it_knows() {
    let proof = Proof::Keys(vec![key()]);
    let by_key = HomeNode { proof, ..node(1, Some(HOME)) };
    let mut w = World::new(HaConfig { nodes: vec![by_key], ..config() });
    let id = MobilityOption::MnId(1, b"mn1@example.org");
    let replay = MobilityOption::ReplayProtection(crate::mobility::auth::ntp(w.now.wall));
    let inside = MobilityOption::Ipv4CareOf(Ipv4Addr::new(10, 9, 8, 7));
    let actions = w.event(Event::Bu(signed(&in_ipv4(1, vec![inside, id, replay]), &key())));
    let ack = reply(&actions).expect("an answer");
    assert_eq!(ack.ack.status.0, 0);
    assert_eq!(w.binding(HOME).map(|b| b.care_of), Some(NAT.to_ipv6_mapped()));
    let signature = ack.options.iter().find_map(|o| match o {
        MobilityOption::MessageAuth(_, spi, data) => Some((spi, data.to_vec())),
        _ => None,
    });
    let about = Addresses { care_of: Ipv4Addr::new(10, 9, 8, 7).to_ipv6_mapped(), home: HOME };
    let options: Vec<_> = ack.options.iter().collect();
    let (key, covered) = (&key(), &options[..options.len() - 1]);
    let expected = Signer { key, about }.authenticate(&ack.ack, covered).expect("fits");
    assert_eq!(signature, Some((300, expected.to_vec())), "so is the answer");
}

#[test]
fn node_without_a_nat_is_told_to_use_udp_and_need_not_keep_anything_alive() {
    let mut w = World::new(config());
    let actions = w.bu(&in_ipv4(1, vec![MobilityOption::Ipv4CareOf(NAT)]));
    let told = NatDetection { force_udp: true, refresh_time_s: u32::MAX };
    assert_eq!(nat(&actions), Some(told));
    // Over IPv6 nothing is said, nothing is in UDP, and nobody can want that (status 144).
    let actions = w.bu(&Bu { seq: 2, ..Bu::default() });
    assert_eq!(nat(&actions), None);
    assert_eq!(w.binding(HOME).map(HomeBinding::path), Some(TunnelPath::ip(HA, COA)));
    let flags = BuFlags::A | BuFlags::H | BuFlags::F;
    assert_eq!(w.status(&Bu { seq: 3, flags, ..Bu::default() }), Some(144));
}

// proves: DSMIP6-4.5-2, DSMIP6-4.5-4, DSMIP6-4.5-9, DSMIP6-4.5-12, DSMIP6-3.2.1-3
// proves: DSMIP6-4.5-14
#[test]
fn ipv4_home_address_is_given_kept_and_taken_away_by_an_update_without_the_option() {
    let mut w = World::new(config());
    let asked = MobilityOption::Ipv4HomeAddress(ipv4("0.0.0.0", 32), false);
    let id = MobilityOption::MnId(1, b"mn1@example.org");
    let actions = w.bu(&Bu { options: vec![id, asked], ..Bu::default() });
    let given = ipv4("10.0.0.2", 32);
    assert_eq!(answers(&actions), [(0, given)]);
    let route = reply(&actions).and_then(|a| a.home);
    assert_eq!(route, Some(HOME), "the routing header has that of IPv6 all the same");
    let own = format!("{HOME}/128 to {COA}");
    assert_eq!(published(&actions), [format!("10.0.0.2/32 to {COA}"), own]);
    let named = MobilityOption::Ipv4HomeAddress(given, false);
    let actions = w.bu(&Bu { seq: 2, options: vec![named], ..Bu::default() });
    assert_eq!((answers(&actions), published(&actions)), (vec![(0, given)], vec![]));
    let actions = w.bu(&Bu { seq: 3, ..Bu::default() });
    assert_eq!((answers(&actions), published(&actions)), (vec![], vec!["10.0.0.2/32 gone".into()]));
    let used: Vec<u64> = w.anchor.lma().pools().map(|p| p.used).collect();
    assert_eq!(used, [0, 0], "it is free again");
}

// proves: DSMIP6-3.1.1-2, DSMIP6-3.2.1-1, DSMIP6-4.5-7, DSMIP6-4.5-8, DSMIP6-4.5-10
// proves: DSMIP6-4.5-11
#[test]
fn ipv4_home_address_that_cannot_be_leaves_the_binding_and_says_why() {
    let mut lma = lma_config();
    lma.pools.truncate(1);
    let anchor = Anchor::new(Lma::new(lma), HomeAgent::new(config()));
    let mut w = World { anchor, ..World::new(config()) };
    let cases = [
        (ipv4("0.0.0.0", 32), false, Ipv4HomeStatus::DYNAMIC_NOT_AVAILABLE),
        (ipv4("0.0.0.0", 24), true, Ipv4HomeStatus::PREFIX_UNAUTHORIZED),
        (ipv4("10.0.0.9", 32), false, Ipv4HomeStatus::INCORRECT_ADDRESS),
        (ipv4("10.0.0.0", 24), false, Ipv4HomeStatus::PREFIX_UNAUTHORIZED),
        (ipv4("10.0.0.9", 0), false, Ipv4HomeStatus::INVALID_ADDRESS),
    ];
    for (seq, (home, prefix, status)) in (1..).zip(cases) {
        let options = vec![MobilityOption::Ipv4HomeAddress(home, prefix)];
        let actions = w.bu(&Bu { seq, options, ..Bu::default() });
        assert_eq!(reply(&actions).map(|a| a.ack.status.0), Some(0), "IPv6 is served");
        let zero = Ipv4Home::new(home.addr(), 0).expect("zero");
        assert_eq!(answers(&actions), [(status.0, zero)]);
        assert_eq!(w.binding(HOME).and_then(|b| b.ipv4), None);
    }
}

// proves: DSMIP6-4.5-3
#[test]
fn configured_ipv4_home_address_is_the_nodes_whether_it_names_it_or_not() {
    let own = Some(Ipv4Addr::new(10, 0, 0, 77));
    let nodes = vec![HomeNode { ipv4_home_address: own, ..node(1, Some(HOME)) }];
    let mut w = World::new(HaConfig { nodes, ..config() });
    for (seq, home) in (1..).zip([ipv4("0.0.0.0", 32), ipv4("10.0.0.77", 32)]) {
        let options = vec![MobilityOption::Ipv4HomeAddress(home, false)];
        let actions = w.bu(&Bu { seq, options, ..Bu::default() });
        assert_eq!(answers(&actions), [(0, ipv4("10.0.0.77", 32))]);
    }
}
