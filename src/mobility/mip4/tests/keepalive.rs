//! Tunnels whose end the first keepalive tells (RFC 3519 4.6, 4.11).

use super::*;
use crate::mobility::action::Ignored;
use crate::wire::ipv4::Ipv4Header;
use crate::wire::mip4::{UdpTunnelReply, UdpTunnelRequest};

const HOME_KEY: &str = "10.1.0.5/32";
const NODES_PORT: u16 = 61_000;
const THROUGH_AGENT: Extension<'_> = Extension::UdpTunnelRequest(UdpTunnelRequest {
    force: false,
    through_agent: true,
    encapsulation: 0,
});

/// An ICMP message in IPv4, as it stands behind the header of RFC 3519.
fn icmp(kind: u8, src: Ipv4Addr, dst: Ipv4Addr, rest: &[u8]) -> Vec<u8> {
    let mut message = [&[kind, 0, 0, 0][..], rest].concat();
    let checksum = checksum(&message);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    let mut packet = vec![0; 20];
    packet.extend(&message);
    let header = Ipv4Header {
        header_len: 20,
        tos: 0,
        total_len: u16::try_from(packet.len()).expect("short"),
        identification: 9,
        dont_fragment: false,
        more_fragments: false,
        fragment_offset: 0,
        ttl: 63,
        protocol: 1,
        src,
        dst,
    };
    header.emit(&mut packet).expect("fits");
    packet
}

/// RFC 1071
fn checksum(message: &[u8]) -> u16 {
    let word = |w: &[u8]| u32::from(w[0]) << 8 | u32::from(w.get(1).copied().unwrap_or(0));
    let sum: u32 = message.chunks(2).map(word).sum();
    !u16::try_from((sum & 0xffff) + (sum >> 16)).expect("short")
}

const ECHO: &[u8] = &[0x12, 0x34, 0, 7, b'k', b'e', b'e', b'p', b'!'];

pub(super) fn keepalive(src: Ipv4Addr, port: u16, home: Ipv4Addr, to: Ipv4Addr) -> Mip4Msg {
    let payload = [&[4, 4, 0, 0][..], &icmp(8, home, to, ECHO)].concat();
    Mip4Msg { port, ..super::from(src, payload) }
}

/// A request through a foreign agent behind a NAT.
fn ask_through_agent(bench: &mut Bench, more: &[Extension<'_>]) -> Reply {
    let request = bench.request();
    let extensions = [&[THROUGH_AGENT][..], more].concat();
    bench.deliver(&from(NAT, signed(request, &extensions, &shared())));
    bench.reply().expect("an answer")
}

fn bench() -> Bench {
    let mut bench = Bench::new(config());
    ask_through_agent(&mut bench, &[]);
    bench
}

/// Nothing has changed, and nobody was answered; what is said of it.
fn refused(bench: &mut Bench, msg: &Mip4Msg) -> Mip4Audit {
    let before = bench.registration().cloned();
    bench.deliver(msg);
    assert_eq!((bench.published(), bench.sent().count()), (vec![], 0), "{msg:?}");
    assert_eq!(bench.registration(), before.as_ref());
    let audits = bench.audits();
    let [audit] = audits[..] else { panic!("one: {audits:?}") };
    audit
}

const STRAY: Mip4Audit = Mip4Audit::Ignored(Ignored::Stray);
const BOGUS: Mip4Audit = Mip4Audit::KeepaliveRefused;

// proves: MIP4NAT-4.6-5, MIP4NAT-4.6-6
#[test]
fn request_through_an_agent_is_assented_to_and_nothing_is_sent_before_the_first_keepalive() {
    let mut bench = Bench::new(config());
    let reply = ask_through_agent(&mut bench, &[]);
    let will =
        UdpTunnelReply { code: UdpTunnelReply::WILL_TUNNEL, forced: false, keepalive_s: 110 };
    assert!(
        reply.code() == CODE_1 && reply.extensions().contains(&Extension::UdpTunnelReply(will))
    );
    assert_eq!((reply.msg.dst, reply.msg.port), (NAT, PORT), "the agent's");
    assert_eq!(bench.published(), [Publication::Hold(key(HOME_KEY))]);
    let registration = bench.registration().expect("is there");
    assert!(registration.bindings[0].is_half_bound());
    assert_eq!(registration.tunnel_ends().collect::<Vec<_>>(), [NAT.to_ipv6_mapped()]);
}

// proves: MIP4NAT-4.6-7, MIP4NAT-4.6-9
#[test]
fn first_keepalive_says_where_the_tunnel_ends_and_is_answered_through_it() {
    let mut bench = bench();
    bench.deliver(&keepalive(NAT, NODES_PORT, HOME, AGENT));
    assert_eq!(bench.published(), [forward(HOME_KEY, NAT, Encap::Mip4Udp(NODES_PORT))]);
    assert_eq!(bench.audits(), [Mip4Audit::Bound]);
    let id = bench.registration().expect("is there").id;
    assert!(bench.actions.contains(&Action::Persist(id)));
    let payload = [&[4, 4, 0, 0][..], &icmp(0, AGENT, HOME, ECHO)].concat();
    let (msg, held) = bench.sent().next().expect("an answer");
    assert_eq!((msg.src, msg.dst, msg.port, held), (AGENT, NAT, NODES_PORT, true));
    // But for what a sender of its own says of itself.
    let without_header = |p: &[u8]| [&p[..4], &p[16..24], &p[24..]].concat();
    assert_eq!(without_header(&msg.payload), without_header(&payload));
    assert!(Ipv4Header::parse(&msg.payload[4..]).is_ok(), "its checksum is right");
    assert!(!bench.registration().expect("is there").bindings[0].is_half_bound());
}

// proves: MIP4NAT-4.6-7, MIP4NAT-4.6-8, MIP4NAT-6.1.2-1
#[test]
fn keepalive_from_elsewhere_of_somebody_else_or_to_another_is_refused() {
    let mut bench = bench();
    let right = keepalive(NAT, NODES_PORT, HOME, AGENT);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut msg = right.clone();
        change(&mut msg.payload);
        msg
    };
    let packet = |packet: Vec<u8>| {
        let payload = [&[4, 4, 0, 0][..], &packet].concat();
        Mip4Msg { payload, ..right.clone() }
    };
    let cases = [
        (keepalive(CARE_OF, NODES_PORT, HOME, AGENT), BOGUS),
        (keepalive(FOREIGN, PORT, HOME, AGENT), BOGUS),
        (keepalive(NAT, NODES_PORT, ELSEWHERE, AGENT), STRAY),
        (keepalive(NAT, NODES_PORT, CARE_OF, AGENT), STRAY),
        (keepalive(NAT, NODES_PORT, HOME, ELSEWHERE), STRAY),
        (Mip4Msg { dst: ELSEWHERE, ..right.clone() }, STRAY),
        (packet(icmp(0, HOME, AGENT, ECHO)), STRAY),
        (packet(icmp(13, HOME, AGENT, ECHO)), STRAY),
        (packet(icmp(8, HOME, AGENT, &[1, 2, 3])), STRAY),
        (with(&|p| p[1] = 41), STRAY),
        (with(&|p| p[26] ^= 1), STRAY),     // the ICMP checksum
        (with(&|p| p[14] ^= 1), STRAY),     // that of the header
        (with(&|p| p.truncate(31)), STRAY), // cut
        (with(&|p| p.truncate(5)), STRAY),
        (with(&|p| p.truncate(3)), STRAY),
    ];
    for (msg, why) in &cases {
        assert_eq!(refused(&mut bench, msg), *why, "{msg:?}");
    }
    bench.deliver(&right);
    assert_eq!(bench.audits(), [Mip4Audit::Bound], "the right one still counts");
    for (msg, why) in &cases {
        assert_eq!(refused(&mut bench, msg), *why, "{msg:?}");
    }
}

#[test]
fn second_keepalive_from_another_port_moves_nothing_and_the_same_again_is_answered_again() {
    let mut bench = bench();
    bench.deliver(&keepalive(NAT, NODES_PORT, HOME, AGENT));
    let elsewhere = keepalive(NAT, NODES_PORT + 1, HOME, AGENT);
    assert_eq!(refused(&mut bench, &elsewhere), BOGUS);
    bench.deliver(&keepalive(NAT, NODES_PORT, HOME, AGENT));
    assert_eq!((bench.published(), bench.audits()), (vec![], vec![]));
    assert_eq!(bench.sent().count(), 1);
}

#[test]
fn binding_whose_end_its_request_told_takes_no_keepalive() {
    let mut bench = Bench::new(config());
    let right = keepalive(NAT, NODES_PORT, HOME, AGENT);
    assert_eq!(refused(&mut bench, &right), STRAY);
    let request = bench.request();
    let asked = UdpTunnelRequest { force: false, through_agent: false, encapsulation: 0 };
    let extensions = [Extension::UdpTunnelRequest(asked)];
    bench.deliver(&from(NAT, signed(request, &extensions, &shared())));
    assert_eq!(refused(&mut bench, &right), STRAY, "a NAT may have forgotten the port");
}

#[test]
fn refresh_from_the_same_source_goes_on_by_the_port_that_is_known_until_the_next_keepalive() {
    let mut bench = bench();
    bench.deliver(&keepalive(NAT, NODES_PORT, HOME, AGENT));
    ask_through_agent(&mut bench, &[]);
    assert_eq!((bench.published(), bench.audits()), (vec![], vec![Mip4Audit::Refreshed]));
    // The NAT has forgotten it.
    bench.wait(Duration::from_secs(9));
    bench.deliver(&keepalive(NAT, NODES_PORT + 1, HOME, AGENT));
    assert_eq!(bench.published(), [forward(HOME_KEY, NAT, Encap::Mip4Udp(NODES_PORT + 1))]);
    // Behind another NAT.
    let request = bench.request();
    bench.deliver(&from(ELSEWHERE, signed(request, &[THROUGH_AGENT], &shared())));
    assert_eq!(bench.published(), [Publication::Hold(key(HOME_KEY))]);
    assert_eq!(refused(&mut bench, &keepalive(NAT, NODES_PORT + 1, HOME, AGENT)), BOGUS);
    // It registers by itself, from behind the same NAT: that says where it is.
    ask_through_agent(&mut bench, &[]);
    let request = bench.request();
    let asked = UdpTunnelRequest { force: false, through_agent: false, encapsulation: 0 };
    let extensions = [Extension::UdpTunnelRequest(asked)];
    bench.deliver(&from(NAT, signed(request, &extensions, &shared())));
    assert_eq!(bench.published(), [forward(HOME_KEY, NAT, Encap::Mip4Udp(PORT))]);
    ask_through_agent(&mut bench, &[]);
    assert_eq!(bench.published(), [Publication::Hold(key(HOME_KEY))]);
}

// Workers answer the node by the port that is known; who shares its address does not get its
// packets.
// proves: MIP4NAT-6.1.2-1
#[test]
fn other_port_is_believed_for_a_moment_after_a_refresh_and_no_longer() {
    let mut bench = bench();
    bench.deliver(&keepalive(NAT, NODES_PORT, HOME, AGENT));
    ask_through_agent(&mut bench, &[]);
    bench.wait(Duration::from_secs(10));
    assert_eq!(refused(&mut bench, &keepalive(NAT, NODES_PORT + 1, HOME, AGENT)), BOGUS);
    // One that waits for its first waits on.
    let mut bench = self::bench();
    bench.wait(Duration::from_secs(60));
    bench.deliver(&keepalive(NAT, NODES_PORT, HOME, AGENT));
    assert_eq!(bench.audits(), [Mip4Audit::Bound]);
}

// RFC 5454 3.3.2: both ways for IPv6 end where IPv4's does.
#[test]
fn prefixes_wait_with_the_address_if_their_packets_go_to_the_care_of_address() {
    const PREFIX: &str = "2001:db8:1::/64";
    for to_care_of in [true, false] {
        let node =
            Mip4Node { prefixes: vec![PREFIX.parse().expect("a prefix")], ..node(NAI, Some(HOME)) };
        let mut bench = Bench::new(Mip4Config { nodes: vec![node], ..config() });
        let prefix: HomePrefix = PREFIX.parse().expect("a prefix");
        let mut more = vec![Extension::PrefixRequest(prefix.into())];
        more.extend(to_care_of.then_some(Extension::TunnelingMode));
        ask_through_agent(&mut bench, &more);
        let hold = Publication::Hold(key(HOME_KEY));
        let inside = forward(PREFIX, HOME, Encap::Ip);
        let second = if to_care_of { Publication::Hold(key(PREFIX)) } else { inside };
        assert_eq!(bench.published(), [hold, second]);
        bench.deliver(&keepalive(NAT, NODES_PORT, HOME, AGENT));
        let in_udp = |key| forward(key, NAT, Encap::Mip4Udp(NODES_PORT));
        let expected = [in_udp(HOME_KEY), in_udp(PREFIX)];
        assert_eq!(bench.published(), expected[..if to_care_of { 2 } else { 1 }]);
    }
}

#[test]
fn other_care_of_addresses_get_packets_while_one_waits() {
    let mut bench = Bench::new(Mip4Config { max_bindings: 2, ..config() });
    let request = RegistrationRequest { care_of: ELSEWHERE, ..bench.request() };
    bench.register(request, &[]).expect("an answer");
    let flags = RequestFlags::D | RequestFlags::S;
    let request = RegistrationRequest { flags, ..bench.request() };
    bench.deliver(&from(NAT, signed(request, &[THROUGH_AGENT], &shared())));
    assert_eq!((bench.published(), bench.care_ofs()), (vec![], vec![ELSEWHERE, CARE_OF]));
    bench.deliver(&keepalive(NAT, NODES_PORT, HOME, AGENT));
    let ways = [path(NAT, Encap::Mip4Udp(NODES_PORT)), path(ELSEWHERE, Encap::Ip)];
    let both = TunnelPaths::new(ways).expect("two");
    assert_eq!(bench.published(), [Publication::Copy(key(HOME_KEY), both)]);
}

#[test]
fn agent_that_asks_for_itself_has_no_such_flag() {
    let mut bench = Bench::new(config());
    let flags = RequestFlags(0);
    let request = RegistrationRequest { flags, care_of: FOREIGN, ..bench.request() };
    bench.deliver(&from(NAT, relayed(request, &[], &[THROUGH_AGENT], None)));
    assert_eq!(bench.published(), [forward(HOME_KEY, NAT, Encap::Mip4Udp(PORT))]);
}
