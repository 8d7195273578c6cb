//! Who is heard, and when (RFC 5944 3.8.2.1, 5.7).

use super::*;
use crate::mobility::action::Ignored;

const UNAUTHENTICATED: Mip4Audit = Mip4Audit::Ignored(Ignored::Unauthenticated);

fn with_agent() -> Mip4Config {
    let foreign = ForeignAgent { address: FOREIGN, associations: vec![agents()] };
    Mip4Config { foreign_agents: vec![foreign], ..config() }
}

/// A request through the foreign agent.
fn through(bench: &mut Bench) -> RegistrationRequest {
    RegistrationRequest { flags: RequestFlags(0), care_of: FOREIGN, ..bench.request() }
}

// proves: MIP4-3.2-1, MIP4-3.2-2, MIP4-3.3-2, MIP4-3.5.2-1, MIP4-3.8.1-2, MIP4-3.8.2.1-2
// proves: MIP4-3.8.2.1-3, MIP4-3.8.2.1-4, MIP4-3.8.2.1-5, MIP4-3.8.2.1-6, REVTUN-4-2
#[test]
fn who_shares_nothing_with_us_or_does_not_sign_is_not_answered() {
    let mut bench = Bench::new(config());
    let request = bench.request();
    let stranger = RegistrationRequest { home_address: Ipv4Addr::new(10, 9, 9, 9), ..request };
    let other = Extension::MnNai(b"other@example.org");
    let messages = [
        unsigned(request, &[]),
        signed(stranger, &[], &shared()),
        signed(request, &[other], &shared()),
        // Signed to the foreign agent, not to us.
        {
            let mut payload = unsigned(request, &[]);
            shared().append(AuthKind::MobileForeign, &mut payload);
            payload
        },
    ];
    for payload in messages {
        bench.deliver(&from(CARE_OF, payload));
        assert_eq!((bench.sent().count(), bench.audits()), (0, vec![UNAUTHENTICATED]));
    }
    let nodes = vec![Mip4Node { associations: Vec::new(), ..node(NAI, Some(HOME)) }];
    let mut bench = Bench::new(Mip4Config { nodes, ..config() });
    let request = bench.request();
    assert!(bench.register(request, &[]).is_none());
    assert_eq!(bench.audits(), [UNAUTHENTICATED]);
}

// proves: MIP4-3.8.2.1-7, MIP4-3.8.2.1-9, MIP4-3.8.2.1-10, MIP4-3.8.2.1-11, MIP4-3.8.2.1-12
#[test]
fn wrong_authenticator_is_denied_131_under_a_key_that_the_node_may_have() {
    let mut bench = Bench::new(config());
    let request = bench.request();
    // Another secret; an SPI that we do not know; one octet changed on the way.
    let mut changed = signed(request, &[], &shared());
    changed[3] ^= 1;
    let wrong = [
        signed(request, &[], &association(256, 0x77)),
        signed(request, &[], &association(257, 0x5a)),
        changed,
    ];
    for payload in wrong {
        bench.deliver(&from(CARE_OF, payload));
        let reply = bench.reply().expect("an answer");
        assert_eq!((reply.code(), reply.held), (131, false));
        assert!(reply.is_authentic(AuthKind::MobileHome, &shared()));
        assert_eq!(reply.fixed.identification, request.identification);
        assert_eq!((bench.care_ofs(), bench.audits()), (vec![], vec![Mip4Audit::Denied(131)]));
    }
    // Nothing was used up: the true one is still new.
    bench.deliver(&from(CARE_OF, signed(request, &[], &shared())));
    assert_eq!(bench.reply().map(|r| r.code()), Some(CODE_1));
}

// proves: MIP4-3.8.2.1-8
#[test]
fn behind_a_foreign_agent_with_a_key_131_is_said_only_if_that_one_is_authentic() {
    let mut bench = Bench::new(with_agent());
    let request = through(&mut bench);
    let mut payload = signed(request, &[], &association(256, 0x77));
    let bare = payload.clone();
    agents().append(AuthKind::ForeignHome, &mut payload);
    bench.deliver(&from(FOREIGN, payload));
    let reply = bench.reply().expect("an answer");
    assert_eq!(reply.code(), 131);
    assert!(reply.is_authentic(AuthKind::ForeignHome, &agents()));
    bench.deliver(&from(FOREIGN, bare));
    assert_eq!((bench.sent().count(), bench.audits()), (0, vec![UNAUTHENTICATED]));
}

// proves: MIP4-3.5.4-3, MIP4-3.8.1-7, MIP4-3.8.1-9, MIP4-3.8.2.1-16, MIP4-3.8.2.1-17
// proves: MIP4-3.8.2.1-18, MIP4-3.8.2.1-19, MIP4-3.8.2.1-20, MIP4-3.8.3.3-3, REVTUN-4-1
#[test]
fn foreign_agent_with_a_key_has_to_use_it_once_and_rightly_else_132() {
    let mut bench = Bench::new(with_agent());
    let signers: [(&[SecurityAssociation], u8); 4] = [
        (&[], 132),
        (&[association(300, 0x77)], 132),
        (&[agents(), agents()], 132),
        (&[agents()], CODE_1),
    ];
    for (signers, code) in signers {
        let request = through(&mut bench);
        let mut payload = signed(request, &[], &shared());
        for signer in signers {
            signer.append(AuthKind::ForeignHome, &mut payload);
        }
        bench.deliver(&from(FOREIGN, payload));
        let reply = bench.reply().expect("an answer");
        assert_eq!((reply.code(), reply.msg.dst), (code, FOREIGN));
        assert!(reply.is_authentic(AuthKind::MobileHome, &shared()));
        assert!(reply.is_authentic(AuthKind::ForeignHome, &agents()));
        assert_eq!(bench.care_ofs().len(), usize::from(code == CODE_1));
    }
}

// proves: MIP4-3.5.4-2, MIP4-3.5.4-6
#[test]
fn deregistration_needs_no_signature_of_the_foreign_agent_and_gets_none() {
    let mut bench = Bench::new(with_agent());
    let request = through(&mut bench);
    bench.deliver(&from(FOREIGN, relayed(request, &[], &[], Some(&agents()))));
    assert_eq!(bench.care_ofs(), [FOREIGN]);
    let lifetime = RegistrationLifetime::ZERO;
    let request = RegistrationRequest { lifetime, ..through(&mut bench) };
    bench.deliver(&from(FOREIGN, relayed(request, &[], &[], None)));
    let reply = bench.reply().expect("an answer");
    assert_eq!((reply.code(), bench.care_ofs().len()), (CODE_1, 0));
    let is_foreign = |e: &Extension<'_>| matches!(e, Extension::Auth(AuthKind::ForeignHome, ..));
    assert!(!reply.extensions().iter().any(is_foreign));
}

// proves: MIP4-3.8.2.1-21
#[test]
fn signature_of_a_foreign_agent_without_a_key_is_discarded_with_its_message() {
    let mut bench = Bench::new(config());
    let request = through(&mut bench);
    bench.deliver(&from(FOREIGN, relayed(request, &[], &[], Some(&agents()))));
    assert_eq!((bench.sent().count(), bench.audits()), (0, vec![UNAUTHENTICATED]));
}

// proves: MIP4-3.8.2.1-13, MIP4-3.8.2.1-14, MIP4-3.8.2.1-15
#[test]
fn time_far_from_ours_or_not_after_the_last_is_denied_133_with_our_seconds() {
    let mut bench = Bench::new(config());
    let ours = ntp(bench.now.wall);
    let second = 1 << 32;
    let cases = [
        (ours - 7 * second - 1, 133),
        (ours + 7 * second + 1, 133),
        (ours - 2 * second, CODE_1),
        (ours - 2 * second, CODE_1), // the same again, byte for byte
        (ours - 2 * second - 1, 133),
        (ours - 3 * second, 133),
        (ours - 2 * second + 1, CODE_1),
        (ours + 7 * second, CODE_1),
        (ours, 133),
    ];
    for (time, code) in cases {
        let identification = Identification(time);
        let request = RegistrationRequest { identification, ..bench.request() };
        let reply = bench.register(request, &[]).expect("an answer");
        assert_eq!(reply.code(), code, "{time:x}");
        let expected = if code == 133 {
            identification.with_high(Identification(ours).high())
        } else {
            identification
        };
        assert_eq!(reply.fixed.identification, expected);
    }
    assert_eq!(bench.audits(), [Mip4Audit::Denied(133)]);
}

#[test]
fn request_of_before_a_deregistration_is_not_new_after_it() {
    let mut bench = Bench::new(config());
    let first = bench.request();
    let first = from(CARE_OF, signed(first, &[], &shared()));
    bench.deliver(&first);
    let lifetime = RegistrationLifetime::ZERO;
    let request = RegistrationRequest { lifetime, care_of: HOME, ..bench.request() };
    bench.register(request, &[]).expect("an answer");
    bench.deliver(&first);
    assert_eq!(bench.reply().map(|r| r.code()), Some(133));
    assert_eq!(bench.care_ofs().len(), 0);
}

#[test]
fn nonce_is_given_with_each_answer_and_good_once() {
    let associations = vec![SecurityAssociation { replay: Replay::Nonces, ..shared() }];
    let nodes = vec![Mip4Node { associations, ..node(NAI, Some(HOME)) }];
    let mut bench = Bench::new(Mip4Config { nodes, nonce_seed: [9; 32], ..config() });
    let ask = |bench: &mut Bench, high: u32, low: u64| {
        let identification = Identification(low).with_high(high);
        let request = RegistrationRequest { identification, ..bench.request() };
        let reply = bench.register(request, &[]).expect("an answer");
        assert_eq!(reply.fixed.identification.with_high(0), Identification(low), "the lower half");
        (reply.code(), reply.fixed.identification.high())
    };
    let (code, first) = ask(&mut bench, 0, 1);
    assert_eq!(code, 133, "we gave none yet");
    let (code, second) = ask(&mut bench, first, 2);
    assert_eq!(code, CODE_1);
    assert_ne!(second, first);
    // The same message again: the same nonce, if the answer was lost.
    assert_eq!(ask(&mut bench, first, 2), (CODE_1, second));
    let (code, third) = ask(&mut bench, first, 3);
    assert_eq!(code, 133);
    let (code, fourth) = ask(&mut bench, third, 4);
    assert_eq!(code, CODE_1);
    // Who cannot sign takes no nonce away.
    let identification = Identification(5).with_high(77);
    let request = RegistrationRequest { identification, ..bench.request() };
    bench.deliver(&from(CARE_OF, signed(request, &[], &association(256, 0x77))));
    assert_eq!(bench.reply().map(|r| r.fixed.identification), Some(identification));
    assert_eq!(ask(&mut bench, fourth, 6).0, CODE_1);
}

#[test]
fn each_association_has_its_own_algorithm() {
    let sha = SecurityAssociation { algorithm: Algorithm::HmacSha256, ..association(400, 3) };
    let associations = vec![shared(), sha.clone()];
    let nodes = vec![Mip4Node { associations, ..node(NAI, Some(HOME)) }];
    let mut bench = Bench::new(Mip4Config { nodes, ..config() });
    for by in [shared(), sha] {
        let request = bench.request();
        bench.deliver(&from(CARE_OF, signed(request, &[], &by)));
        let reply = bench.reply().expect("an answer");
        assert_eq!(reply.code(), CODE_1);
        assert!(reply.is_authentic(AuthKind::MobileHome, &by));
    }
}

#[test]
fn nodes_of_two_customers_with_the_same_home_address_are_told_apart_by_nai() {
    let other = Mip4Node { customer: CustomerId(1), ..node("mn1@example.net", Some(HOME)) };
    let nodes = vec![node(NAI, Some(HOME)), other];
    let mut bench = Bench::new(Mip4Config { nodes, ..config() });
    let request = bench.request();
    assert!(bench.register(request, &[]).is_none(), "it does not say who it is");
    let nai = Extension::MnNai(b"mn1@example.net");
    let request = bench.request();
    assert_eq!(bench.register(request, &[nai]).map(|r| r.code()), Some(CODE_1));
    let id = mn_id("mn1@example.net");
    assert!(bench.agent.of_node(CustomerId(1), &id).is_some() && bench.registration().is_none());
}

#[test]
fn what_is_no_request_or_comes_from_nowhere_is_discarded() {
    let mut bench = Bench::new(config());
    let request = bench.request();
    let good = signed(request, &[], &shared());
    let cut = good[..good.len() - 1].to_vec();
    let cases = [
        (CARE_OF, cut, Ignored::Malformed),
        (CARE_OF, vec![5, 4, 0, 0], Ignored::Malformed),
        (CARE_OF, vec![], Ignored::Malformed),
        (CARE_OF, [&[3][..], &[0; 19]].concat(), Ignored::Stray),
        (Ipv4Addr::UNSPECIFIED, good.clone(), Ignored::NotUnicast),
        (Ipv4Addr::BROADCAST, good, Ignored::NotUnicast),
    ];
    for (src, payload, why) in cases {
        bench.deliver(&from(src, payload));
        assert_eq!((bench.sent().count(), bench.audits()), (0, vec![Mip4Audit::Ignored(why)]));
    }
}

#[test]
fn what_stands_behind_the_nodes_signature_is_not_its_word() {
    let mut bench = Bench::new(config());
    let request = bench.request();
    let mut payload = signed(request, &[], &shared());
    append(&Extension::MnNai(b"other@example.org"), &mut payload);
    bench.deliver(&from(CARE_OF, payload));
    assert_eq!(bench.reply().map(|r| r.code()), Some(CODE_1));
    assert_eq!(bench.care_ofs(), [CARE_OF]);
}
