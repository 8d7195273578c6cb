//! Any bytes as an ICMPv6 message of mobile nodes, home agents and neighbours, with and without its
//! right checksum; and as the IPv6 packet around one.
//!
//! ```text
//!  | what | message ...        what: bit 0 it comes from a link-local address, bit 1 from none,
//!                                    bit 2 from beyond a router, bit 3 to a group
//! ```

use anchord::wire::icmpv6::mobility::{
    AgentAdvertisement, LinkPrefixInformation, MobilityRequest, emit_discovery_reply,
    emit_prefix_advertisement, read_discovery_reply, read_prefix_advertisement,
};
use anchord::wire::icmpv6::ndp::{
    Envelope, HOP_LIMIT, NeighborAdvertisement, NeighborSolicitation, RouterSolicitation,
};
use anchord::wire::icmpv6::{ErrorMessage, NEXT_HEADER};
use anchord::wire::ipv6::{HEADER_LEN, HomeRoute, find_fragment, find_upper_layer};
use std::net::Ipv6Addr;

const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const MN: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x60, 0, 0, 0, 0, 2);
const HA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 1);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Parses; what parses must survive being emitted and parsed again.
pub(crate) fn run(bytes: &[u8]) {
    packet(bytes);
    let [what, message @ ..] = bytes else { return };
    let src = match what & 3 {
        0 => MN,
        1 => ROUTER,
        _ => Ipv6Addr::UNSPECIFIED,
    };
    let envelope = Envelope {
        src,
        dst: if what & 8 == 0 { HA } else { ALL_NODES },
        hop_limit: if what & 4 == 0 { HOP_LIMIT } else { HOP_LIMIT - 1 },
    };
    check(message, envelope);
    // Nobody guesses a checksum: the same bytes with the right one.
    if message.len() >= 4 {
        let mut message = message.to_vec();
        message[2..4].fill(0);
        let sum = checksum(&message, envelope);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        check(&message, envelope);
    }
}

fn check(message: &[u8], envelope: Envelope) {
    let (src, dst) = (envelope.src, envelope.dst);
    // Longer than any message that is emitted here, one option of 8 bytes each.
    let room = &mut vec![0xa5; message.len() * 4 + 64][..];
    if let Ok(request) = MobilityRequest::parse(message, src, dst) {
        let len = request.emit(src, dst, room).expect("8 bytes");
        assert_eq!(MobilityRequest::parse(&room[..len], src, dst), Ok(request));
    }
    if let Ok((id, agents)) = read_discovery_reply(message, src, dst) {
        let agents: Vec<Ipv6Addr> = agents.collect();
        assert_eq!(agents.len() * 16 + 8, message.len());
        let len = emit_discovery_reply(id, false, &agents, (src, dst), room).expect("as long");
        let (again, read) = read_discovery_reply(&room[..len], src, dst).expect("we made it");
        assert!(again == id && read.eq(agents));
    }
    if let Ok((id, prefixes)) = read_prefix_advertisement(message, src, dst) {
        let prefixes: Vec<LinkPrefixInformation> = prefixes.collect();
        let len = emit_prefix_advertisement(id, &prefixes, (src, dst), room).expect("no longer");
        let (again, read) = read_prefix_advertisement(&room[..len], src, dst).expect("ours");
        assert!(again == id && read.eq(prefixes));
    }
    advertisement(message, envelope);
    neighbours(message, envelope, room);
}

/// What other home agents say of themselves, read in another way than the library's.
fn advertisement(message: &[u8], envelope: Envelope) {
    let Ok(ra) = AgentAdvertisement::parse(message, envelope) else { return };
    assert_eq!((envelope.src, envelope.hop_limit, message[0]), (ROUTER, HOP_LIMIT, 134));
    assert_eq!(ra.home_agent, message[5] & 0x20 != 0);
    assert_eq!(ra.router_lifetime_s.to_be_bytes(), message[6..8]);
    let (mut rest, mut information, mut prefixes) = (&message[16..], None, 0);
    while let &[kind, units, ..] = rest {
        assert!(units > 0, "an option of no length");
        let (option, others) = rest.split_at(usize::from(units) * 8);
        if kind == 8 && information.is_none() {
            information = option[2..]
                .chunks_exact(2)
                .map(|b| u16::from_be_bytes([b[0], b[1]]))
                .collect::<Vec<_>>()
                .into();
        }
        prefixes += usize::from(kind == 3 && units == 4 && option[2] <= 128);
        rest = others;
    }
    assert!(rest.is_empty(), "an option that is cut");
    let information = information.filter(|_| ra.home_agent);
    let said = ra.information.map(|(p, lifetime, r)| (p.cast_unsigned(), lifetime, r));
    assert_eq!(said, information.map(|i| (i[1], i[2], i[0] & 0x8000 != 0)));
    assert_eq!(ra.prefixes().count(), prefixes);
}

fn neighbours(message: &[u8], envelope: Envelope, room: &mut [u8]) {
    let (src, dst) = (envelope.src, envelope.dst);
    if let Ok(rs) = RouterSolicitation::parse(message, envelope) {
        let len = rs.emit(src, dst, room).expect("no longer");
        assert_eq!(RouterSolicitation::parse(&room[..len], envelope), Ok(rs));
    }
    if let Ok(ns) = NeighborSolicitation::parse(message, envelope) {
        let len = ns.emit(src, dst, room).expect("no longer");
        assert_eq!(NeighborSolicitation::parse(&room[..len], envelope), Ok(ns));
    }
    if let Ok(na) = NeighborAdvertisement::parse(message, envelope) {
        let len = na.emit(src, dst, room).expect("no longer");
        assert_eq!(NeighborAdvertisement::parse(&room[..len], envelope), Ok(na));
    }
}

/// Behind the headers of the packet is what they say; no error is answered by one.
fn packet(bytes: &[u8]) {
    if let Some(at) = find_fragment(bytes) {
        assert!(at >= HEADER_LEN);
    }
    let Ok(upper) = find_upper_layer(bytes) else { return };
    assert!(upper.offset >= HEADER_LEN && (upper.offset - HEADER_LEN).is_multiple_of(8));
    if let Some((home, at)) = upper.home_address {
        assert_eq!((bytes[at], bytes[at + 1]), (201, 16));
        assert_eq!(home.octets(), bytes[at + 2..at + 18]);
    }
    let behind = bytes.get(upper.offset..).unwrap_or_default();
    if let Ok((route, rest)) = HomeRoute::parse(behind) {
        let mut again = [0; HomeRoute::LEN];
        route.emit(&mut again).expect("fits");
        assert_eq!(HomeRoute::parse(&again), Ok((route, &[][..])));
        assert_eq!(rest.len() + HomeRoute::LEN, behind.len());
    }
    let is_error = upper.next_header == NEXT_HEADER && behind.first().is_some_and(|k| *k < 128);
    if is_error && !upper.is_fragment {
        assert!(!ErrorMessage::PacketTooBig(1280).may_answer(bytes));
    }
}

/// RFC 4443 section 2.3, in another way than the library: word by word, carry at once.
fn checksum(message: &[u8], envelope: Envelope) -> u16 {
    let mut bytes = [envelope.src.octets(), envelope.dst.octets()].concat();
    bytes.extend(u32::try_from(message.len()).expect("short").to_be_bytes());
    bytes.extend([0, 0, 0, NEXT_HEADER]);
    bytes.extend(message);
    let words = bytes.chunks(2).map(|w| u16::from_be_bytes([w[0], w.get(1).copied().unwrap_or(0)]));
    !words.fold(0, |sum: u16, word| {
        let (sum, carry) = sum.overflowing_add(word);
        sum + u16::from(carry)
    })
}
