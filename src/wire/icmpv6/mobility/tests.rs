use super::*;
use proptest::prelude::*;

const MN: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x60, 0, 0, 0, 0, 2);
const HA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 1);
const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// The right checksum in a message that was altered.
fn refreshed(mut message: Vec<u8>, src: Ipv6Addr, dst: Ipv6Addr) -> Vec<u8> {
    fill_checksum(&mut message, src, dst).expect("long enough");
    message
}

fn prefix() -> HomePrefix {
    "2001:db8:100::/64".parse().expect("a prefix")
}

// proves: MIP6-6.5-1, MIP6-6.7-3, MIP6-6.7-4, MIP6-6.7-5
#[test]
fn request_survives_a_round_trip_and_reserved_bits_and_options_are_ignored() {
    let requests = [
        MobilityRequest::Discovery { id: 77, mobile_router: false },
        MobilityRequest::Discovery { id: 78, mobile_router: true },
        MobilityRequest::Prefixes { id: 79 },
    ];
    for request in requests {
        let mut buf = [0xa5; 16];
        let len = request.emit(MN, HA, &mut buf).expect("fits");
        assert_eq!(len, 8);
        assert_eq!(MobilityRequest::parse(&buf[..len], MN, HA), Ok(request));
        assert!((0..len).all(|n| request.emit(MN, HA, &mut buf[..n]).is_err()));
        assert!((0..len).all(|n| MobilityRequest::parse(&buf[..n], MN, HA).is_err()));
        buf[7] |= 0x7f;
        buf[8..].copy_from_slice(&[200, 1, 1, 2, 3, 4, 5, 6]);
        let more = refreshed(buf.to_vec(), MN, HA);
        assert_eq!(MobilityRequest::parse(&more, MN, HA), Ok(request));
        buf[4] ^= 1;
        let e = MobilityRequest::parse(&buf[..len], MN, HA).map_err(|e| e.kind);
        assert_eq!(e, Err(ErrorKind::Checksum));
    }
    let reply = refreshed(vec![145, 0, 0, 0, 0, 1, 0, 0], MN, HA);
    let e = MobilityRequest::parse(&reply, MN, HA).map_err(|e| (e.kind, e.offset));
    assert_eq!(e, Err((ErrorKind::Value, 0)));
}

// proves: MIP6-6.6-1
#[test]
fn answers_are_read_as_they_were_written() {
    let mut buf = [0xa5; 128];
    let agents = [HA, MN];
    let len = emit_discovery_reply(77, true, &agents, (HA, MN), &mut buf).expect("fits");
    assert_eq!(buf[..len], bytes(DISCOVERED));
    let (id, read) = read_discovery_reply(&buf[..len], HA, MN).expect("valid");
    assert_eq!((id, read.collect::<Vec<_>>()), (77, agents.to_vec()));
    let cut = refreshed(buf[..len - 1].to_vec(), HA, MN);
    assert!(read_discovery_reply(&cut, HA, MN).is_err());

    let prefixes = [
        LinkPrefixInformation {
            prefix: prefix(),
            address: Some(HA),
            valid_lifetime_s: 600,
            preferred_lifetime_s: 300,
        },
        LinkPrefixInformation {
            prefix: "2001:db8:200::/56".parse().expect("a prefix"),
            address: None,
            valid_lifetime_s: u32::MAX,
            preferred_lifetime_s: u32::MAX,
        },
    ];
    let len = emit_prefix_advertisement(5, &prefixes, (HA, MN), &mut buf).expect("fits");
    let (id, read) = read_prefix_advertisement(&buf[..len], HA, MN).expect("valid");
    assert_eq!((id, read.collect::<Vec<_>>()), (5, prefixes.to_vec()));
    assert!(
        (0..len).all(|n| emit_prefix_advertisement(5, &prefixes, (HA, MN), &mut buf[..n]).is_err())
    );
}

// Made by scapy 2.5: raw(IPv6(src, dst, hlim=255) / message / options)[40:].
const ADVERTISEMENT: &str = "8600f586002007080000000000000000030440e0000002580000012c00000000\
    20010db8010000000000000000000001080100000009012c";
const DISCOVERY: &str = "90009299004e8000";
const DISCOVERED: &str = "910034a5004d800020010db8010000000000000000000001\
    20010db8006000000000000000000002";
const SOLICITATION: &str = "92001099004f0000";

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(byte).collect()
}

#[test]
fn requests_are_those_of_scapy() {
    let mut buf = [0xa5; 8];
    let requests = [
        (DISCOVERY, MobilityRequest::Discovery { id: 78, mobile_router: true }),
        (SOLICITATION, MobilityRequest::Prefixes { id: 79 }),
    ];
    for (golden, request) in requests {
        assert_eq!(MobilityRequest::parse(&bytes(golden), MN, HA), Ok(request));
        request.emit(MN, HA, &mut buf).expect("fits");
        assert_eq!(buf[..], bytes(golden));
    }
}

#[test]
fn home_agent_is_known_by_its_router_advertisement() {
    let envelope = Envelope { src: ROUTER, dst: ALL_NODES, hop_limit: 255 };
    let message = bytes(ADVERTISEMENT);
    let heard = AgentAdvertisement::parse(&message, envelope).expect("valid");
    assert_eq!((heard.home_agent, heard.router_lifetime_s), (true, 1800));
    assert_eq!(heard.information, Some((9, 300, false)));
    let prefixes: Vec<_> = heard.prefixes().collect();
    let expected = LinkPrefixInformation {
        prefix: prefix(),
        address: Some(HA),
        valid_lifetime_s: 600,
        preferred_lifetime_s: 300,
    };
    assert_eq!(prefixes, [expected]);
    let mut plain = message.clone();
    plain[5] = 0;
    let plain = refreshed(plain, ROUTER, ALL_NODES);
    let heard = AgentAdvertisement::parse(&plain, envelope).expect("valid");
    assert_eq!((heard.home_agent, heard.information), (false, None));
    for envelope in [Envelope { hop_limit: 254, ..envelope }, Envelope { src: HA, ..envelope }] {
        assert!(AgentAdvertisement::parse(&message, envelope).is_err());
    }
}

proptest! {
    #[test]
    fn noise_never_panics(
        mut message in prop::collection::vec(any::<u8>(), 4..96),
        kind in prop::sample::select(vec![134_u8, 144, 145, 146, 147]),
    ) {
        message[..2].copy_from_slice(&[kind, 0]);
        let message = refreshed(message, ROUTER, ALL_NODES);
        let envelope = Envelope { src: ROUTER, dst: ALL_NODES, hop_limit: 255 };
        let _ = MobilityRequest::parse(&message, ROUTER, ALL_NODES);
        let _ = read_discovery_reply(&message, ROUTER, ALL_NODES).map(|(_, a)| a.count());
        let _ = read_prefix_advertisement(&message, ROUTER, ALL_NODES).map(|(_, p)| p.count());
        let _ = AgentAdvertisement::parse(&message, envelope).map(|a| a.prefixes().count());
    }
}
