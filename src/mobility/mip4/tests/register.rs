//! Registration, refresh, movement and de-registration (RFC 5944 3.8.2.2, 3.8.3).

use super::*;

// proves: MIP4-3.8.2-1, MIP4-3.8.1-3, MIP4-3.8.2.2-1, MIP4-3.8.3-1, MIP4-3.8.3.2-1, MIP4-3.8.3.2-5
// proves: MIP4-3.8.3.2-8, MIP4-3.4-7, MIP4-4.1-1, MIP4-4.2.3-5, REVTUN-4.3.2-1
#[test]
fn registration_is_forwarded_kept_and_answered_when_both_are_so() {
    let mut bench = Bench::new(config());
    let request = bench.request();
    let reply = bench.register(request, &[]).expect("an answer");
    assert_eq!((reply.code(), reply.held), (CODE_1, true));
    assert_eq!((reply.fixed.home_address, reply.fixed.home_agent), (HOME, AGENT));
    assert_eq!(reply.fixed.identification, request.identification);
    assert!(reply.is_authentic(AuthKind::MobileHome, &shared()));
    assert_eq!(bench.published(), [forward("10.1.0.5/32", CARE_OF, Encap::Ip)]);
    let registration = bench.registration().expect("is there");
    assert_eq!(
        (registration.home_address, registration.identification),
        (HOME, request.identification)
    );
    assert_eq!(bench.actions[1], Action::Persist(registration.id), "before it is answered");
    assert!(bench.agent.holds(key("10.1.0.5/32")));
    assert_eq!(bench.audits(), [Mip4Audit::Registered]);
}

// proves: MIP4-3.8.2.2-2, MIP4-3.8.3.1-1
#[test]
fn reply_goes_where_the_request_came_from() {
    let mut bench = Bench::new(config());
    let request = bench.request();
    let request = RegistrationRequest { flags: RequestFlags(0), care_of: FOREIGN, ..request };
    bench.deliver(&from(ELSEWHERE, signed(request, &[], &shared())));
    let reply = bench.reply().expect("an answer");
    assert_eq!((reply.code(), reply.msg.src, reply.msg.dst), (CODE_1, AGENT, ELSEWHERE));
    assert_eq!(reply.msg.port, PORT);
    // To a broadcast address: the source is ours.
    let request = bench.request();
    let broadcast = Mip4Msg {
        dst: Ipv4Addr::new(10, 1, 255, 255),
        ..from(CARE_OF, signed(request, &[], &shared()))
    };
    bench.deliver(&broadcast);
    assert_eq!(bench.reply().map(|r| r.msg.src), Some(AGENT));
}

// proves: MIP4-3.4-3, MIP4-3.8.2.2-6, MIP4-3.8.3.2-2, MIP4-3.8.3.2-3, MIP4-3.8.3.2-4
#[test]
fn lifetime_is_what_was_asked_for_but_never_more_than_ours() {
    let max = |max_lifetime| Mip4Config { max_lifetime, ..config() };
    let cases = [
        (RegistrationLifetime(1800), 600, 600),
        (RegistrationLifetime(1800), 1800, 1800),
        (RegistrationLifetime(1800), 1801, 1800),
        (RegistrationLifetime(1800), 0xffff, 1800),
        (RegistrationLifetime::INFINITE, 0xffff, 0xffff),
        (RegistrationLifetime::INFINITE, 0xfffe, 0xfffe),
    ];
    for (limit, asked, granted) in cases {
        let mut bench = Bench::new(max(limit));
        let request = bench.request();
        let request = RegistrationRequest { lifetime: RegistrationLifetime(asked), ..request };
        let reply = bench.register(request, &[]).expect("an answer");
        assert_eq!(reply.fixed.lifetime.0, granted, "{limit:?} {asked}");
        let due = bench.agent.poll_timeout();
        let end = |s: u16| bench.now.mono + Duration::from_secs(s.into());
        assert_eq!(due, (granted != 0xffff).then(|| end(granted)));
    }
}

// proves: MIP4-3.8.2.2-8, MIP4-3.8-1, MIP4-3.8-2, MIP4-4.2.3-3, MIP4-4.2.3-8
#[test]
fn registration_ends_with_its_lifetime_and_nobody_is_told() {
    let mut bench = Bench::new(config());
    let id = {
        bench.attach();
        bench.registration().expect("is there").id
    };
    bench.pass(Duration::from_millis(599_999));
    assert_eq!(bench.actions, []);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.published(), [Publication::Withdraw(key("10.1.0.5/32"))]);
    assert!(bench.actions.contains(&Action::Persist(id)));
    assert_eq!((bench.sent().count(), bench.audits()), (0, vec![Mip4Audit::Expired]));
    assert!(bench.registration().is_none() && bench.agent.poll_timeout().is_none());
    assert_eq!((bench.pool.held.len(), bench.agent.holds(key("10.1.0.5/32"))), (0, false));
}

#[test]
fn refresh_extends_the_lifetime_and_forwards_nothing_anew() {
    let mut bench = Bench::new(config());
    bench.attach();
    bench.wait(Duration::from_secs(300));
    let reply = bench.attach();
    assert_eq!((reply.fixed.lifetime.0, bench.published()), (600, vec![]));
    assert_eq!(bench.audits(), [Mip4Audit::Refreshed]);
    bench.pass(Duration::from_secs(599));
    assert_eq!((bench.care_ofs(), bench.audits()), (vec![CARE_OF], vec![]));
}

#[test]
fn movement_replaces_the_binding_and_its_timer() {
    let mut bench = Bench::new(config());
    bench.attach();
    bench.wait(Duration::from_secs(1));
    let request = RegistrationRequest { care_of: ELSEWHERE, ..bench.request() };
    bench.register(request, &[]).expect("an answer");
    assert_eq!(bench.published(), [forward("10.1.0.5/32", ELSEWHERE, Encap::Ip)]);
    assert_eq!((bench.audits(), bench.care_ofs()), (vec![Mip4Audit::Moved], vec![ELSEWHERE]));
    bench.pass(Duration::from_secs(599));
    assert_eq!(bench.actions, [], "the timer of the first is gone");
}

// proves: MIP4-3.8.2.2-9
#[test]
fn request_that_is_sent_again_gets_the_same_answer_and_no_more_time() {
    let mut bench = Bench::new(config());
    let request = bench.request();
    let msg = from(CARE_OF, signed(request, &[], &shared()));
    bench.deliver(&msg);
    bench.wait(Duration::from_secs(3));
    bench.deliver(&msg);
    let again = bench.reply().expect("an answer");
    assert_eq!((again.code(), again.fixed.lifetime.0), (CODE_1, 597));
    assert_eq!(again.fixed.identification, request.identification);
    assert_eq!((bench.published(), bench.audits()), (vec![], vec![Mip4Audit::Duplicate]));
    bench.pass(Duration::from_secs(597));
    assert_eq!(bench.audits(), [Mip4Audit::Expired]);
    // Of one that is gone meanwhile nothing is said again.
    bench.deliver(&msg);
    assert_eq!(bench.reply().map(|r| r.code()), Some(133));
}

#[test]
fn deregistration_ends_the_binding_that_it_names_or_all() {
    let simultaneous = Mip4Config { max_bindings: 3, ..config() };
    for (care_of, left) in [(CARE_OF, vec![ELSEWHERE]), (ELSEWHERE, vec![CARE_OF]), (HOME, vec![])]
    {
        let mut bench = Bench::new(simultaneous.clone());
        for care_of in [CARE_OF, ELSEWHERE] {
            let flags = RequestFlags::D | RequestFlags::S;
            let request = RegistrationRequest { flags, care_of, ..bench.request() };
            assert_eq!(bench.register(request, &[]).map(|r| r.code()), Some(0));
        }
        let lifetime = RegistrationLifetime::ZERO;
        let request = RegistrationRequest { lifetime, care_of, ..bench.request() };
        bench.deliver(&from(HOME, signed(request, &[], &shared())));
        let reply = bench.reply().expect("an answer");
        assert_eq!((reply.code(), reply.fixed.lifetime.0, reply.held), (0, 0, true));
        // It goes to the node at home, whatever its binding says.
        assert_eq!((reply.msg.dst, bench.care_ofs()), (HOME, left.clone()));
        let published = match left.first() {
            None => Publication::Withdraw(key("10.1.0.5/32")),
            Some(care_of) => forward("10.1.0.5/32", *care_of, Encap::Ip),
        };
        assert_eq!(bench.published(), [published]);
        assert_eq!(bench.audits(), [Mip4Audit::Deregistered]);
    }
}

#[test]
fn deregistration_of_what_is_not_registered_is_accepted() {
    let mut bench = Bench::new(config());
    let lifetime = RegistrationLifetime::ZERO;
    let request = RegistrationRequest { lifetime, care_of: HOME, ..bench.request() };
    let reply = bench.register(request, &[]).expect("an answer");
    assert_eq!((reply.code(), reply.fixed.lifetime.0, bench.published()), (CODE_1, 0, vec![]));
    bench.attach();
    let request = RegistrationRequest { lifetime, care_of: ELSEWHERE, ..bench.request() };
    bench.register(request, &[]).expect("an answer");
    assert_eq!(bench.care_ofs(), [CARE_OF]);
}

#[test]
fn packets_are_copied_to_each_of_several_care_of_addresses() {
    let mut bench = Bench::new(Mip4Config { max_bindings: 9, ..config() });
    let home = key("10.1.0.5/32");
    let mut ask = |care_of, flags| {
        let flags = RequestFlags::D | flags;
        let request = RegistrationRequest { flags, care_of, ..bench.request() };
        let code = bench.register(request, &[]).expect("an answer").code();
        (code, bench.published())
    };
    let copies = |care_ofs: &[Ipv4Addr]| {
        let paths = care_ofs.iter().map(|c| path(*c, Encap::Ip));
        vec![Publication::Copy(home, TunnelPaths::new(paths).expect("some"))]
    };
    let third = Ipv4Addr::new(198, 51, 100, 99);
    let one = vec![forward("10.1.0.5/32", CARE_OF, Encap::Ip)];
    assert_eq!(ask(CARE_OF, RequestFlags::S), (0, one.clone()));
    assert_eq!(ask(ELSEWHERE, RequestFlags::S), (0, copies(&[ELSEWHERE, CARE_OF])));
    assert_eq!(ask(CARE_OF, RequestFlags::S), (0, vec![]), "a refresh");
    assert_eq!(ask(third, RequestFlags::S), (0, copies(&[third, ELSEWHERE, CARE_OF])));
    assert_eq!(ask(Ipv4Addr::new(198, 51, 100, 100), RequestFlags::S).0, 0);
    assert_eq!(ask(Ipv4Addr::new(198, 51, 100, 101), RequestFlags::S), (135, vec![]));
    assert_eq!(ask(CARE_OF, RequestFlags(0)), (0, one), "without the S bit the others go");
}

// proves: MIP4-4.2.3-9
#[test]
fn simultaneous_bindings_are_kept_as_long_as_each_lives_and_as_many_as_may_be() {
    let mut bench = Bench::new(Mip4Config { max_bindings: 2, ..config() });
    let third = Ipv4Addr::new(198, 51, 100, 99);
    let ask = |bench: &mut Bench, care_of, flags| {
        let flags = RequestFlags::D | flags;
        let request = RegistrationRequest { flags, care_of, ..bench.request() };
        bench.register(request, &[]).expect("an answer").code()
    };
    assert_eq!(ask(&mut bench, CARE_OF, RequestFlags::S), 0);
    bench.wait(Duration::from_secs(100));
    assert_eq!(ask(&mut bench, ELSEWHERE, RequestFlags::S), 0);
    assert_eq!(ask(&mut bench, third, RequestFlags::S), 135);
    assert_eq!(bench.care_ofs(), [CARE_OF, ELSEWHERE]);
    assert_eq!(ask(&mut bench, ELSEWHERE, RequestFlags::S), 0, "it is no other");
    bench.pass(Duration::from_secs(500));
    assert_eq!((bench.care_ofs(), bench.audits()), (vec![ELSEWHERE], vec![Mip4Audit::Expired]));
    assert_eq!(ask(&mut bench, third, RequestFlags(0)), 0);
    assert_eq!(bench.care_ofs(), [third], "without the S bit the others go");
}

#[test]
fn where_there_are_no_simultaneous_bindings_the_s_bit_is_answered_by_1() {
    let mut bench = Bench::new(config());
    bench.attach();
    let flags = RequestFlags::D | RequestFlags::S;
    let request = RegistrationRequest { flags, care_of: ELSEWHERE, ..bench.request() };
    assert_eq!(bench.register(request, &[]).map(|r| r.code()), Some(CODE_1));
    assert_eq!(bench.care_ofs(), [ELSEWHERE]);
}

// proves: MIP4-3.8.1-5, MIP4-3.8.3.2-7, REVTUN-8-11
#[test]
fn node_without_a_home_address_gets_one_by_its_nai_and_keeps_it() {
    let nodes = vec![node(NAI, None), node("mn2@example.org", None)];
    let mut bench = Bench::new(Mip4Config { nodes, ..config() });
    bench.pool.free = vec![HOME];
    let nai = Extension::MnNai(NAI.as_bytes());
    let nobody = Ipv4Addr::UNSPECIFIED;
    for _ in 0..2 {
        let request = RegistrationRequest { home_address: nobody, ..bench.request() };
        let reply = bench.register(request, &[nai]).expect("an answer");
        assert_eq!((reply.code(), reply.fixed.home_address), (CODE_1, HOME));
        assert_eq!(reply.extensions().first(), Some(&nai));
    }
    // Then by the address alone.
    let request = bench.request();
    assert_eq!(bench.register(request, &[]).map(|r| r.code()), Some(CODE_1));
    // The pool is empty; and what another has is its own.
    let other = Extension::MnNai(b"mn2@example.org");
    for (home_address, code) in [(nobody, 130), (HOME, 129)] {
        let request = RegistrationRequest { home_address, ..bench.request() };
        let reply = bench.register(request, &[other]).expect("an answer");
        assert_eq!((reply.code(), reply.fixed.home_address), (code, home_address));
        assert_eq!(bench.published(), []);
    }
    // It ends the registration without knowing its address, too.
    let request = RegistrationRequest {
        home_address: nobody,
        lifetime: RegistrationLifetime::ZERO,
        ..bench.request()
    };
    let reply = bench.register(request, &[nai]).expect("an answer");
    assert_eq!((reply.fixed.home_address, bench.care_ofs()), (HOME, vec![]));
    assert!(bench.pool.held.is_empty());
}

// proves: MIP4-3.8.3.2-6, MIP4-3.8.2.3-1, MIP4-3.8.2-2, MIP4-3.8.3-2
#[test]
fn home_address_that_is_not_the_nodes_is_denied_129() {
    let mut bench = Bench::new(config());
    let nai = Extension::MnNai(NAI.as_bytes());
    let home_address = Ipv4Addr::new(10, 1, 0, 6);
    let request = RegistrationRequest { home_address, ..bench.request() };
    let reply = bench.register(request, &[nai]).expect("an answer");
    assert_eq!((reply.code(), reply.held, reply.fixed.home_address), (129, false, home_address));
    assert!(reply.is_authentic(AuthKind::MobileHome, &shared()));
    assert_eq!((bench.published(), bench.audits()), (vec![], vec![Mip4Audit::Denied(129)]));
}

// proves: MIP4-3.8.2.1-22, MIP4-3.8.2.1-23, MIP4-3.6.1.2-19, MIP4-3.8.3.2-9, MIP4-3.8.3.2-10
#[test]
fn node_that_looks_for_its_home_agent_is_told_our_address_by_136() {
    let broadcast = Ipv4Addr::new(10, 1, 255, 255);
    let cases = [
        (broadcast, broadcast),
        (broadcast, AGENT),
        (Ipv4Addr::BROADCAST, broadcast),
        (AGENT, broadcast),
        (AGENT, Ipv4Addr::new(192, 0, 2, 2)),
        (AGENT, Ipv4Addr::UNSPECIFIED),
    ];
    for (dst, home_agent) in cases {
        let mut bench = Bench::new(config());
        let request = RegistrationRequest { home_agent, ..bench.request() };
        let msg = Mip4Msg { dst, ..from(CARE_OF, signed(request, &[], &shared())) };
        bench.deliver(&msg);
        let reply = bench.reply().expect("an answer");
        assert_eq!((reply.code(), reply.fixed.home_agent, reply.msg.src), (136, AGENT, AGENT));
        assert_eq!(bench.care_ofs(), [Ipv4Addr::UNSPECIFIED; 0]);
    }
}

// proves: MIP4-3.8.2-3
#[test]
fn bits_that_we_do_not_serve_are_ignored() {
    let mut bench = Bench::new(config());
    // B, and the two that are sent as zero: r and x.
    let flags = RequestFlags::D | RequestFlags::B | RequestFlags(0x05);
    let request = RegistrationRequest { flags, ..bench.request() };
    assert_eq!(bench.register(request, &[]).map(|r| r.code()), Some(CODE_1));
}

// proves: REVTUN-3.4-7, REVTUN-4.3.1-1, REVTUN-3.4-1
#[test]
fn gre_is_used_where_it_is_asked_for_and_minimal_encapsulation_is_denied_139() {
    for (flags, expected) in [
        (RequestFlags::G, Ok(Encap::Gre)),
        (RequestFlags::G | RequestFlags::M, Ok(Encap::Gre)),
        (RequestFlags::M, Err(139)),
        (RequestFlags::M | RequestFlags::T, Err(139)),
        (RequestFlags::T, Ok(Encap::Ip)),
    ] {
        let mut bench = Bench::new(config());
        let request = RegistrationRequest { flags: RequestFlags::D | flags, ..bench.request() };
        let code = bench.register(request, &[]).expect("an answer").code();
        match expected {
            Ok(encap) => assert_eq!(bench.published(), [forward("10.1.0.5/32", CARE_OF, encap)]),
            Err(expected) => assert_eq!((code, bench.published()), (expected, vec![])),
        }
    }
}

// proves: REVTUN-3.2-1, REVTUN-3.4-3, REVTUN-4.3.1-3, REVTUN-4.3.1-4, REVTUN-8-10
#[test]
fn reverse_tunnel_is_had_required_or_refused_as_the_operator_says() {
    use ReverseTunnel::{Allowed, Required, Unavailable};
    let t = RequestFlags::T;
    for (reverse_tunnel, flags, code) in [
        (Allowed, RequestFlags(0), CODE_1),
        (Allowed, t, CODE_1),
        (Required, RequestFlags(0), 138),
        (Required, t, CODE_1),
        (Unavailable, RequestFlags(0), CODE_1),
        (Unavailable, t, 137),
    ] {
        let mut bench = Bench::new(Mip4Config { reverse_tunnel, ..config() });
        let request = RegistrationRequest { flags: RequestFlags::D | flags, ..bench.request() };
        assert_eq!(bench.register(request, &[]).map(|r| r.code()), Some(code));
        // What was granted is kept.
        let kept = bench.registration().map(|r| r.bindings[0].flags);
        assert_eq!(kept, (code == CODE_1).then_some(request.flags));
    }
}

#[test]
fn care_of_address_to_which_no_tunnel_can_lead_is_denied_134() {
    for care_of in [HOME, AGENT, Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST] {
        let mut bench = Bench::new(config());
        let request = RegistrationRequest { care_of, ..bench.request() };
        bench.deliver(&from(CARE_OF, signed(request, &[], &shared())));
        assert_eq!(bench.reply().map(|r| r.code()), Some(134), "{care_of}");
    }
}

#[test]
fn full_table_denies_130_to_another_node_and_none_to_those_in_it() {
    let second = Ipv4Addr::new(10, 1, 0, 6);
    let nodes = vec![node(NAI, Some(HOME)), node("mn2@example.org", Some(second))];
    let mut bench = Bench::new(Mip4Config { nodes, max_registrations: 1, ..config() });
    bench.attach();
    let request = RegistrationRequest { home_address: second, ..bench.request() };
    assert_eq!(bench.register(request, &[]).map(|r| r.code()), Some(130));
    assert_eq!(bench.pool.held.len(), 1, "nothing was taken");
    assert_eq!(bench.attach().code(), CODE_1);
}

#[test]
fn operator_ends_a_registration() {
    let mut bench = Bench::new(config());
    bench.attach();
    bench.delete(NAI);
    assert_eq!(bench.published(), [Publication::Withdraw(key("10.1.0.5/32"))]);
    assert_eq!((bench.audits(), bench.sent().count()), (vec![Mip4Audit::Deleted], 0));
}
