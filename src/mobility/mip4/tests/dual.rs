//! IPv6 prefixes (RFC 5454).

use super::*;
use crate::wire::mip4::{Ipv6PrefixField, PrefixCode, UdpTunnelRequest};
use std::net::Ipv6Addr;

const FIRST: &str = "2001:db8:1::/64";
const SECOND: &str = "2001:db8:2::/56";

fn prefix(text: &str) -> HomePrefix {
    text.parse().expect("a prefix")
}

fn asks(text: &str) -> Extension<'static> {
    Extension::PrefixRequest(prefix(text).into())
}

fn dual() -> Mip4Config {
    let prefixes = vec![prefix(FIRST), prefix(SECOND)];
    Mip4Config { nodes: vec![Mip4Node { prefixes, ..node(NAI, Some(HOME)) }], ..config() }
}

/// Registers with these extensions; what is said of each prefix.
fn ask(bench: &mut Bench, flags: RequestFlags, extensions: &[Extension<'_>]) -> Vec<(u8, String)> {
    let request = RegistrationRequest { flags, ..bench.request() };
    let reply = bench.register(request, extensions).expect("an answer");
    assert_eq!(reply.code(), CODE_1);
    let said = |e: &Extension<'_>| match e {
        Extension::PrefixReply(code, field) => {
            Some((code.0, format!("{}/{}", field.addr, field.len)))
        }
        _ => None,
    };
    reply.extensions().iter().filter_map(said).collect()
}

fn said(code: PrefixCode, text: &str) -> (u8, String) {
    (code.0, text.into())
}

// proves: DSMIP4-3.3-1, DSMIP4-3.3-2, DSMIP4-3.3-4, DSMIP4-3.3-5, DSMIP4-3.3.2-1
#[test]
fn prefix_is_tunnelled_to_the_home_address_unless_the_node_asks_for_the_other_mode() {
    let mut bench = Bench::new(dual());
    let answers = ask(&mut bench, RequestFlags::D, &[asks(FIRST), asks(SECOND)]);
    let code = PrefixCode::TO_HOME_ADDRESS;
    assert_eq!(answers, [said(code, FIRST), said(code, SECOND)]);
    let published = [
        forward("10.1.0.5/32", CARE_OF, Encap::Ip),
        forward(FIRST, HOME, Encap::Ip),
        forward(SECOND, HOME, Encap::Ip),
    ];
    assert_eq!(bench.published(), published);
    let registered = &bench.registration().expect("is there").prefixes;
    let expected =
        [FIRST, SECOND].map(|p| RegisteredPrefix { prefix: prefix(p), to_care_of: false });
    assert_eq!(registered, &expected);
}

// proves: DSMIP4-3.3.2-4
#[test]
fn prefix_is_tunnelled_to_a_co_located_care_of_address_if_the_node_asks_for_it() {
    let mut bench = Bench::new(dual());
    for (flags, encap) in [(RequestFlags(0), Encap::Ip), (RequestFlags::G, Encap::Gre)] {
        let flags = RequestFlags::D | flags;
        let answers = ask(&mut bench, flags, &[asks(FIRST), Extension::TunnelingMode]);
        assert_eq!(answers, [said(PrefixCode::TO_CARE_OF_ADDRESS, FIRST)]);
        assert!(bench.published().contains(&forward(FIRST, CARE_OF, encap)), "{encap:?}");
    }
}

// proves: DSMIP4-3.3.2-6
#[test]
fn tunneling_mode_is_ignored_behind_a_foreign_agent() {
    let mut bench = Bench::new(dual());
    let answers = ask(&mut bench, RequestFlags(0), &[Extension::TunnelingMode, asks(FIRST)]);
    assert_eq!(answers, [said(PrefixCode::TO_HOME_ADDRESS, FIRST)]);
    assert!(bench.published().contains(&forward(FIRST, HOME, Encap::Ip)));
}

// proves: DSMIP4-3.3-3
#[test]
fn prefix_that_is_named_twice_is_answered_once() {
    let mut bench = Bench::new(dual());
    let dirty = Ipv6PrefixField { len: 64, addr: Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 1, 2, 3, 4) };
    let twice = [asks(FIRST), Extension::PrefixRequest(dirty), asks(SECOND), asks(FIRST)];
    let answers = ask(&mut bench, RequestFlags::D, &twice);
    let code = PrefixCode::TO_HOME_ADDRESS;
    assert_eq!(answers, [said(code, FIRST), said(code, SECOND)]);
}

// proves: DSMIP4-3.3-6
#[test]
fn prefix_is_rejected_alone_if_it_is_not_the_nodes_or_overlaps_anothers() {
    let mut bench = Bench::new(dual());
    let other = mn_id("mn2@example.org");
    let taken = prefix("2001:db8:2::/48");
    bench.pool.held.insert(taken, other);
    let strange = Ipv6PrefixField { len: 129, addr: Ipv6Addr::LOCALHOST };
    let asked = [
        asks("2001:db8:9::/64"),
        asks("2001:db8:1::/63"),
        asks(SECOND),
        Extension::PrefixRequest(strange),
        asks(FIRST),
    ];
    let answers = ask(&mut bench, RequestFlags::D, &asked);
    let expected = [
        said(PrefixCode::PROHIBITED, "2001:db8:9::/64"),
        said(PrefixCode::PROHIBITED, "2001:db8:1::/63"),
        said(PrefixCode::REJECTED, SECOND),
        said(PrefixCode::REJECTED, "::1/129"),
        said(PrefixCode::TO_HOME_ADDRESS, FIRST),
    ];
    assert_eq!(answers, expected);
    assert_eq!(bench.published().len(), 2, "the home address and one prefix");
    assert_eq!(bench.pool.held.len(), 3);
}

#[test]
fn link_local_address_for_prefix_delegation_is_rejected_9() {
    let mut bench = Bench::new(dual());
    let addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xc633, 0x6407);
    let field = Extension::PrefixRequest(Ipv6PrefixField { len: 255, addr });
    let answers = ask(&mut bench, RequestFlags::D, &[field]);
    assert_eq!(answers, [(PrefixCode::PROHIBITED.0, format!("{addr}/255"))]);
}

#[test]
fn more_prefixes_than_are_looked_at_get_no_reply() {
    let mut bench = Bench::new(dual());
    let many: Vec<_> = (0..40).map(|n| asks(&format!("2001:db8:{n:x}00::/64"))).collect();
    assert_eq!(ask(&mut bench, RequestFlags::D, &many).len(), 16);
}

#[test]
fn prefix_that_a_later_request_leaves_out_is_given_back_and_the_others_stay() {
    let mut bench = Bench::new(dual());
    ask(&mut bench, RequestFlags::D, &[asks(FIRST), asks(SECOND)]);
    let answers = ask(&mut bench, RequestFlags::D, &[asks(SECOND)]);
    assert_eq!(answers, [said(PrefixCode::TO_HOME_ADDRESS, SECOND)]);
    assert_eq!(bench.published(), [Publication::Withdraw(key(FIRST))]);
    assert!(!bench.pool.held.contains_key(&prefix(FIRST)));
    ask(&mut bench, RequestFlags::D, &[]);
    assert_eq!(bench.published(), [Publication::Withdraw(key(SECOND))]);
    assert_eq!(bench.pool.held.len(), 1);
}

#[test]
fn all_prefixes_end_with_the_registration() {
    let mut bench = Bench::new(dual());
    ask(&mut bench, RequestFlags::D, &[asks(FIRST), asks(SECOND)]);
    let lifetime = RegistrationLifetime::ZERO;
    let request = RegistrationRequest { lifetime, care_of: HOME, ..bench.request() };
    bench.register(request, &[asks(FIRST)]).expect("an answer");
    let withdrawn = ["10.1.0.5/32", FIRST, SECOND].map(|p| Publication::Withdraw(key(p)));
    assert_eq!((bench.published(), bench.pool.held.len()), (withdrawn.to_vec(), 0));
}

#[test]
fn movement_takes_the_prefixes_along() {
    let mut bench = Bench::new(dual());
    ask(&mut bench, RequestFlags::D, &[asks(FIRST)]);
    let request = RegistrationRequest { care_of: ELSEWHERE, ..bench.request() };
    bench.register(request, &[asks(FIRST)]).expect("an answer");
    // They are at the home address, which moves.
    assert_eq!(bench.published(), [forward("10.1.0.5/32", ELSEWHERE, Encap::Ip)]);
}

// proves: DSMIP4-1.4-1
#[test]
fn implicit_prefixes_are_registered_without_a_word_and_go_to_the_home_address() {
    let prefixes = vec![prefix(FIRST), prefix(SECOND)];
    let implicit = Mip4Node { prefixes, implicit: true, ..node(NAI, Some(HOME)) };
    let mut bench = Bench::new(Mip4Config { nodes: vec![implicit], ..config() });
    assert_eq!(ask(&mut bench, RequestFlags::D, &[Extension::TunnelingMode]), []);
    let published = bench.published();
    assert_eq!(published[1..], [FIRST, SECOND].map(|p| forward(p, HOME, Encap::Ip)));
    // Once it speaks of prefixes, what it says counts.
    ask(&mut bench, RequestFlags::D, &[asks(FIRST)]);
    assert_eq!(bench.published(), [Publication::Withdraw(key(SECOND))]);
}

// proves: DSMIP4-3.3.2-2
#[test]
fn prefix_at_the_home_address_is_carried_whatever_carries_that() {
    let mut bench = Bench::new(dual());
    let flags = RequestFlags::D | RequestFlags::G;
    let accepted = vec![said(PrefixCode::TO_HOME_ADDRESS, FIRST)];
    assert_eq!(ask(&mut bench, flags, &[asks(FIRST)]), accepted);
    let two_levels = forward(FIRST, HOME, Encap::Ip);
    let published = [forward("10.1.0.5/32", CARE_OF, Encap::Gre), two_levels];
    assert_eq!(bench.published(), published);
    let udp = UdpTunnelRequest { force: false, through_agent: false, encapsulation: 0 };
    let udp = Extension::UdpTunnelRequest(udp);
    let request = bench.request();
    bench.deliver(&from(NAT, signed(request, &[udp, asks(FIRST)], &shared())));
    let in_udp = Encap::Mip4Udp(PORT);
    assert_eq!(bench.published(), [forward("10.1.0.5/32", NAT, in_udp)]);
    let request = bench.request();
    let extensions = [udp, asks(FIRST), Extension::TunnelingMode];
    bench.deliver(&from(NAT, signed(request, &extensions, &shared())));
    assert_eq!(bench.published(), [forward(FIRST, NAT, in_udp)]);
}

// What goes to the home address of a customer's node would look for it among the operator's.
#[test]
fn prefix_of_a_customers_node_is_carried_to_its_care_of_address_alone() {
    let customer = CustomerId(7);
    let nodes = dual().nodes.into_iter().map(|n| Mip4Node { customer, ..n }).collect();
    let mut bench = Bench::new(Mip4Config { nodes, ..dual() });
    let rejected = vec![said(PrefixCode::REJECTED, FIRST)];
    assert_eq!(ask(&mut bench, RequestFlags::D, &[asks(FIRST)]), rejected);
    let accepted = vec![said(PrefixCode::TO_CARE_OF_ADDRESS, FIRST)];
    let asked = [asks(FIRST), Extension::TunnelingMode];
    assert_eq!(ask(&mut bench, RequestFlags::D, &asked), accepted);
}

#[test]
fn denied_registration_denies_its_prefixes_and_keeps_what_there_is() {
    let mut bench = Bench::new(dual());
    ask(&mut bench, RequestFlags::D, &[asks(FIRST)]);
    let flags = RequestFlags::D | RequestFlags::M;
    let request = RegistrationRequest { flags, ..bench.request() };
    let reply = bench.register(request, &[asks(SECOND)]).expect("an answer");
    assert_eq!((reply.code(), reply.extensions().len(), bench.published()), (139, 1, vec![]));
    assert!(bench.pool.held.contains_key(&prefix(FIRST)));
}

#[test]
fn request_that_is_sent_again_says_the_same_of_its_prefixes() {
    let mut bench = Bench::new(dual());
    let request = bench.request();
    let asked = [asks(FIRST), asks("2001:db8:9::/64"), Extension::TunnelingMode];
    let payload = signed(request, &asked, &shared());
    let codes = |bench: &Bench| -> Vec<u8> {
        let reply = bench.reply().expect("an answer");
        let code = |e: &Extension<'_>| match e {
            Extension::PrefixReply(code, _) => Some(code.0),
            _ => None,
        };
        reply.extensions().iter().filter_map(code).collect()
    };
    bench.deliver(&from(CARE_OF, payload.clone()));
    assert_eq!(codes(&bench), [1, 9]);
    bench.deliver(&from(CARE_OF, payload));
    assert_eq!((codes(&bench), bench.published()), (vec![1, 9], vec![]));
}

#[test]
fn home_agent_without_ipv6_says_nothing_of_prefixes() {
    let mut bench = Bench::new(Mip4Config { dual_stack: false, ..dual() });
    assert_eq!(ask(&mut bench, RequestFlags::D, &[asks(FIRST)]), []);
    assert_eq!(bench.published().len(), 1);
}
