//! NATs (RFC 3519 4.6).

use super::*;
use crate::wire::mip4::{UdpTunnelReply, UdpTunnelRequest};

const ASKED: UdpTunnelRequest =
    UdpTunnelRequest { force: false, through_agent: false, encapsulation: 0 };

/// What is answered to a node at `src`.
fn ask(policy: NatPolicy, src: Ipv4Addr, flags: RequestFlags, asked: UdpTunnelRequest) -> Bench {
    let mut bench = Bench::new(Mip4Config { nat: policy, ..config() });
    let request = RegistrationRequest { flags, ..bench.request() };
    let extension = Extension::UdpTunnelRequest(asked);
    bench.deliver(&from(src, signed(request, &[extension], &shared())));
    bench
}

/// Code, and the UDP Tunnel Reply.
fn outcome(bench: &Bench) -> (u8, Option<UdpTunnelReply>) {
    let reply = bench.reply().expect("an answer");
    let tunnel = reply.extensions().into_iter().find_map(|e| match e {
        Extension::UdpTunnelReply(reply) => Some(reply),
        _ => None,
    });
    (reply.code(), tunnel)
}

const WILL: UdpTunnelReply =
    UdpTunnelReply { code: UdpTunnelReply::WILL_TUNNEL, forced: false, keepalive_s: 110 };
const DECLINED: UdpTunnelReply =
    UdpTunnelReply { code: UdpTunnelReply::DECLINED, forced: false, keepalive_s: 0 };

// proves: MIP4NAT-4.6-1, MIP4NAT-4.6-2, MIP4NAT-4.6-4
// proves: DSMIP4-3.9-1
#[test]
fn node_behind_a_nat_gets_a_udp_tunnel_to_where_its_request_came_from() {
    let bench = ask(NatPolicy::default(), NAT, RequestFlags::D, ASKED);
    assert_eq!(outcome(&bench), (CODE_1, Some(WILL)));
    assert_eq!(bench.published(), [forward("10.1.0.5/32", NAT, Encap::Mip4Udp(PORT))]);
    let binding = &bench.registration().expect("is there").bindings[0];
    assert_eq!((binding.care_of, binding.remote, binding.port), (CARE_OF, NAT, PORT));
    let reply = bench.reply().expect("an answer");
    let place = |e: &Extension<'_>| matches!(e, Extension::UdpTunnelReply(_));
    assert_eq!(reply.extensions().iter().position(place), Some(0), "before it is signed");
}

#[test]
fn another_mapping_of_the_nat_moves_the_tunnel_with_the_next_request() {
    let mut bench = ask(NatPolicy::default(), NAT, RequestFlags::D, ASKED);
    let request = bench.request();
    let payload = signed(request, &[Extension::UdpTunnelRequest(ASKED)], &shared());
    bench.deliver(&Mip4Msg { port: 6000, ..from(NAT, payload) });
    assert_eq!(bench.published(), [forward("10.1.0.5/32", NAT, Encap::Mip4Udp(6000))]);
    // It ends the binding by the care-of address that it knows.
    let lifetime = RegistrationLifetime::ZERO;
    let request = RegistrationRequest { lifetime, ..bench.request() };
    bench.deliver(&from(NAT, signed(request, &[], &shared())));
    assert_eq!(bench.care_ofs().len(), 0);
}

// proves: MIP4NAT-4.6-3, MIP4NAT-4.6-10, MIP4NAT-4.6-11
#[test]
fn without_a_nat_the_tunnel_is_declined_and_the_registration_accepted() {
    let bench = ask(NatPolicy::default(), CARE_OF, RequestFlags::D, ASKED);
    assert_eq!(outcome(&bench), (CODE_1, Some(DECLINED)));
    assert_eq!(bench.published(), [forward("10.1.0.5/32", CARE_OF, Encap::Ip)]);
}

// proves: MIP4NAT-3.1.1-1, MIP4NAT-3.1.1-2, MIP4NAT-4.6.1-1, MIP4NAT-4.6.1-2
#[test]
fn tunnel_that_is_forced_or_not_allowed_is_as_the_operator_says() {
    let force = UdpTunnelRequest { force: true, ..ASKED };
    let allowed = |traversal, forced| NatPolicy { traversal, forced, ..NatPolicy::default() };
    let forced = Some(UdpTunnelReply { forced: true, ..WILL });
    let cases = [
        (allowed(true, true), CARE_OF, force, (CODE_1, forced)),
        (allowed(true, false), CARE_OF, force, (129, None)),
        (allowed(false, true), NAT, ASKED, (129, None)),
        (allowed(false, true), NAT, force, (129, None)),
        (allowed(true, false), NAT, force, (CODE_1, Some(WILL))),
    ];
    for (policy, src, asked, expected) in cases {
        let bench = ask(policy, src, RequestFlags::D, asked);
        assert_eq!(outcome(&bench), expected, "{policy:?} {src}");
        assert_eq!(bench.registration().is_some(), expected.0 == CODE_1);
    }
}

// proves: MIP4NAT-4.10-5
#[test]
fn keepalive_interval_is_the_operators() {
    let policy = NatPolicy { keepalive_s: 30, ..NatPolicy::default() };
    let bench = ask(policy, NAT, RequestFlags::D, ASKED);
    assert_eq!(outcome(&bench).1.map(|r| r.keepalive_s), Some(30));
}

// proves: MIP4NAT-4.6.1-3, MIP4NAT-4.6.1-4
#[test]
fn who_asks_has_to_be_the_end_of_the_tunnel_else_134() {
    let bench = ask(NatPolicy::default(), NAT, RequestFlags(0), ASKED);
    assert_eq!(outcome(&bench), (134, None), "the node asks and decapsulates nothing");
    for (flags, code) in [(RequestFlags::D, 134), (RequestFlags(0), CODE_1)] {
        let mut bench = Bench::new(config());
        let request = RegistrationRequest { flags, care_of: FOREIGN, ..bench.request() };
        let asked = Extension::UdpTunnelRequest(ASKED);
        bench.deliver(&from(NAT, relayed(request, &[], &[asked], None)));
        let expected = (code == CODE_1).then_some(WILL);
        assert_eq!(outcome(&bench), (code, expected), "the foreign agent asks");
        if code == CODE_1 {
            let reply = bench.reply().expect("an answer");
            let place = |e: &Extension<'_>| matches!(e, Extension::UdpTunnelReply(_));
            assert_eq!(reply.extensions().iter().position(place), Some(1), "behind the node's");
        }
    }
}

// proves: MIP4NAT-4.1-3, MIP4NAT-4.1-4, MIP4NAT-4.1-5, MIP4NAT-4.6.1-6
#[test]
fn udp_carries_ip_alone_and_other_encapsulations_are_denied_142() {
    let (d, g, m) = (RequestFlags::D, RequestFlags::G, RequestFlags::M);
    let cases = [
        (d, 0, CODE_1),
        (d, 4, CODE_1),
        (d | g, 4, CODE_1),
        (d | g, 0, 142),
        (d | m, 0, 142),
        (d, 41, 142),
        (d, 47, 142),
        (d, 55, 142),
    ];
    for (flags, encapsulation, code) in cases {
        let asked = UdpTunnelRequest { encapsulation, ..ASKED };
        let bench = ask(NatPolicy::default(), NAT, flags, asked);
        assert_eq!(outcome(&bench).0, code, "{flags:?} {encapsulation}");
        // Where there is no NAT, the bits of the request say it.
        if encapsulation != 0 {
            let bench = ask(NatPolicy::default(), CARE_OF, flags, asked);
            assert_eq!(outcome(&bench), (CODE_1, Some(DECLINED)));
        }
    }
}

#[test]
fn tunnel_through_an_agent_is_declined_where_the_source_is_the_care_of_address() {
    let asked = UdpTunnelRequest { through_agent: true, ..ASKED };
    let bench = ask(NatPolicy::default(), CARE_OF, RequestFlags::D, asked);
    assert_eq!(outcome(&bench), (CODE_1, Some(DECLINED)));
    assert_eq!(bench.published(), [forward("10.1.0.5/32", CARE_OF, Encap::Ip)]);
}

#[test]
fn who_does_not_ask_is_not_told() {
    let mut bench = Bench::new(config());
    let request = bench.request();
    bench.deliver(&from(NAT, signed(request, &[], &shared())));
    assert_eq!(outcome(&bench), (CODE_1, None));
    assert_eq!(bench.published(), [forward("10.1.0.5/32", CARE_OF, Encap::Ip)]);
}
