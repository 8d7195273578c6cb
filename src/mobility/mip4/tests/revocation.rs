//! Registration revocation (RFC 3543).

use super::*;
use crate::mobility::action::Ignored;
use crate::wire::mip4::{RegistrationRevocation, RevocationAck};

const NODE_TIME: u32 = 1000;

fn with_agent() -> Mip4Config {
    let foreign = ForeignAgent { address: FOREIGN, associations: vec![agents()] };
    Mip4Config { foreign_agents: vec![foreign], ..config() }
}

/// Registers through the foreign agent, which supports revocation; the answer's Revocation Support.
fn attach_through(bench: &mut Bench, inform: bool) -> Option<(bool, u32)> {
    let request = bench.request();
    let request = RegistrationRequest { flags: RequestFlags(0), care_of: FOREIGN, ..request };
    let support = [Extension::RevocationSupport(inform, NODE_TIME)];
    bench.deliver(&from(FOREIGN, relayed(request, &[], &support, Some(&agents()))));
    support_in(&bench.reply().expect("an answer"))
}

fn support_in(reply: &Reply) -> Option<(bool, u32)> {
    reply.extensions().into_iter().find_map(|e| match e {
        Extension::RevocationSupport(inform, time) => Some((inform, time)),
        _ => None,
    })
}

/// The revocation that was sent, and where to.
fn sent(bench: &Bench) -> Option<(RegistrationRevocation, Ipv4Addr, u16)> {
    let (msg, held) = bench.sent().next()?;
    assert!(!held);
    match Message::parse(&msg.payload).expect("ours").body {
        Body::Revocation(r) => Some((r, msg.dst, msg.port)),
        other => panic!("{other:?}"),
    }
}

fn message(body: Body, kind: AuthKind, by: &SecurityAssociation) -> Vec<u8> {
    let mut payload = vec![0; body.buffer_len()];
    body.emit(&mut payload).expect("fits");
    by.append(kind, &mut payload);
    payload
}

fn theirs() -> RegistrationRevocation {
    RegistrationRevocation {
        from_home_agent: false,
        inform: true,
        home_address: HOME,
        home_domain: AGENT,
        foreign_domain: FOREIGN,
        identifier: NODE_TIME + 1,
    }
}

fn revoke(bench: &mut Bench, revocation: RegistrationRevocation) {
    let payload = message(Body::Revocation(revocation), AuthKind::ForeignHome, &agents());
    bench.deliver(&from(FOREIGN, payload));
}

fn ack(bench: &Bench) -> Option<RevocationAck> {
    let (msg, _) = bench.sent().next()?;
    assert_eq!((msg.src, msg.dst, msg.port), (AGENT, FOREIGN, PORT));
    let message = Message::parse(&msg.payload).expect("ours");
    let Some((at, Extension::Auth(AuthKind::ForeignHome, _, data))) =
        message.extensions.located().last()
    else {
        panic!("not authenticated");
    };
    assert!(agents().verifies(&msg.payload, at, data));
    match message.body {
        Body::RevocationAck(ack) => Some(ack),
        other => panic!("{other:?}"),
    }
}

#[test]
fn support_is_answered_by_support_where_it_is_authentic() {
    for inform in [false, true] {
        let mut bench = Bench::new(with_agent());
        let support = attach_through(&mut bench, inform).expect("is supported");
        assert_eq!(support.0, inform);
        let reply = bench.reply().expect("an answer");
        let kinds = reply.extensions();
        let last = &kinds[kinds.len() - 2..];
        assert!(matches!(last[0], Extension::RevocationSupport(..)), "it covers it");
        assert!(matches!(last[1], Extension::Auth(AuthKind::ForeignHome, ..)));
    }
    // By nobody's key; behind it; and where the operator does not want it.
    let support = Extension::RevocationSupport(true, NODE_TIME);
    for (config, payload) in [(config(), false), (with_agent(), true)] {
        let mut bench = Bench::new(config);
        let request = bench.request();
        let request = RegistrationRequest { flags: RequestFlags(0), care_of: FOREIGN, ..request };
        let mut bytes = if payload {
            relayed(request, &[], &[], Some(&agents()))
        } else {
            relayed(request, &[], &[], None)
        };
        append(&support, &mut bytes);
        bench.deliver(&from(FOREIGN, bytes));
        let reply = bench.reply().expect("an answer");
        assert_eq!((reply.code(), support_in(&reply)), (CODE_1, None));
    }
    let mut bench = Bench::new(Mip4Config { revocation: false, ..with_agent() });
    assert_eq!(attach_through(&mut bench, true), None);
}

#[test]
fn revocation_is_sent_until_it_is_acknowledged_with_a_later_time_each_time() {
    let mut bench = Bench::new(with_agent());
    attach_through(&mut bench, true);
    bench.wait(Duration::from_secs(5));
    bench.delete(NAI);
    assert_eq!(bench.published(), [Publication::Withdraw(key("10.1.0.5/32"))]);
    assert_eq!(bench.audits(), [Mip4Audit::Revoking]);
    let (first, dst, port) = sent(&bench).expect("sent at once");
    assert_eq!((dst, port), (FOREIGN, 434));
    let expected =
        RegistrationRevocation { from_home_agent: true, identifier: first.identifier, ..theirs() };
    assert_eq!(first, expected);
    let mut last = first.identifier;
    for (wait, due) in [(999, false), (1, true), (1999, false), (1, true), (4000, true)] {
        bench.pass(Duration::from_millis(wait));
        let again = sent(&bench).map(|(r, ..)| r.identifier);
        assert_eq!(again.is_some(), due, "after {wait} ms");
        if let Some(again) = again {
            assert!(again > last);
            last = again;
        }
    }
    // Of an earlier one; by another key; the right one.
    let answer = |identifier| RevocationAck { inform: true, home_address: HOME, identifier };
    for (identifier, by, kind) in [
        (first.identifier, agents(), Mip4Audit::Ignored(Ignored::Stray)),
        (last, association(300, 0x77), Mip4Audit::Ignored(Ignored::Stray)),
        (last, agents(), Mip4Audit::Revoked),
    ] {
        let body = Body::RevocationAck(answer(identifier));
        bench.deliver(&from(FOREIGN, message(body, AuthKind::ForeignHome, &by)));
        assert_eq!(bench.audits(), [kind]);
    }
    bench.pass(Duration::from_secs(100));
    assert_eq!(bench.actions, []);
}

#[test]
fn revocation_that_nobody_acknowledges_is_given_up() {
    let mut bench = Bench::new(with_agent());
    attach_through(&mut bench, false);
    bench.wait(Duration::from_secs(5));
    bench.delete(NAI);
    let mut count = 1;
    let mut audits = Vec::new();
    for _ in 0..100 {
        bench.pass(Duration::from_secs(1));
        count += bench.sent().count();
        audits.extend(bench.audits());
    }
    assert_eq!((count, audits), (6, vec![Mip4Audit::RevocationUnanswered]));
    assert_eq!(bench.agent.poll_timeout(), None);
}

#[test]
fn revocation_is_not_sent_beyond_the_lifetime_nor_twice_in_a_second() {
    let mut bench = Bench::new(with_agent());
    attach_through(&mut bench, false);
    bench.delete(NAI);
    assert_eq!(bench.sent().count(), 0, "the answer was sent in this very second");
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.sent().count(), 1);

    let mut bench = Bench::new(with_agent());
    attach_through(&mut bench, false);
    bench.wait(Duration::from_millis(598_500));
    bench.delete(NAI);
    assert_eq!(bench.sent().count(), 1);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.sent().count(), 1);
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.audits(), [Mip4Audit::RevocationUnanswered]);
}

#[test]
fn node_that_speaks_for_itself_is_told_under_its_own_key() {
    let mut bench = Bench::new(config());
    let request = bench.request();
    let support = Extension::RevocationSupport(false, NODE_TIME);
    let reply = bench.register(request, &[support]).expect("an answer");
    assert!(support_in(&reply).is_some());
    bench.wait(Duration::from_secs(5));
    bench.delete(NAI);
    let (revocation, dst, port) = sent(&bench).expect("sent");
    assert_eq!((dst, port, revocation.foreign_domain), (CARE_OF, 434, CARE_OF));
    assert!(revocation.inform, "RFC 3543 3.3");
    let (msg, _) = bench.sent().next().expect("sent");
    let last = Message::parse(&msg.payload).expect("ours").extensions.located().last();
    let Some((at, Extension::Auth(AuthKind::MobileHome, 256, data))) = last else {
        panic!("{last:?}");
    };
    assert!(shared().verifies(&msg.payload, at, data));
}

#[test]
fn foreign_agent_revokes_what_it_serves_and_is_told_about_the_node() {
    for (agreed, asked, told) in [(true, true, true), (true, false, false), (false, true, false)] {
        let mut bench = Bench::new(with_agent());
        attach_through(&mut bench, agreed);
        revoke(&mut bench, RegistrationRevocation { inform: asked, ..theirs() });
        let (home_address, identifier) = (HOME, NODE_TIME + 1);
        assert_eq!(ack(&bench), Some(RevocationAck { inform: told, home_address, identifier }));
        assert_eq!((bench.audits(), bench.care_ofs().len()), (vec![Mip4Audit::Revoked], 0));
        // Again, as if our answer had been lost.
        revoke(&mut bench, RegistrationRevocation { identifier: NODE_TIME + 2, ..theirs() });
        let identifier = NODE_TIME + 2;
        assert_eq!(ack(&bench), Some(RevocationAck { inform: false, home_address, identifier }));
        assert_eq!(bench.published(), []);
    }
}

#[test]
fn revocation_that_is_old_reflected_or_anothers_changes_nothing() {
    let replayed = Mip4Audit::Ignored(Ignored::Replayed);
    let stray = Mip4Audit::Ignored(Ignored::Stray);
    let cases = [
        (RegistrationRevocation { identifier: NODE_TIME, ..theirs() }, replayed),
        (RegistrationRevocation { identifier: NODE_TIME - 1, ..theirs() }, replayed),
        (RegistrationRevocation { from_home_agent: true, ..theirs() }, replayed),
        (RegistrationRevocation { home_domain: ELSEWHERE, ..theirs() }, stray),
    ];
    for (revocation, kind) in cases {
        let mut bench = Bench::new(with_agent());
        attach_through(&mut bench, true);
        revoke(&mut bench, revocation);
        assert_eq!((bench.sent().count(), bench.audits()), (0, vec![kind]), "{revocation:?}");
        assert_eq!(bench.care_ofs(), [FOREIGN]);
    }
    let mut bench = Bench::new(with_agent());
    attach_through(&mut bench, true);
    let unauthenticated = Mip4Audit::Ignored(Ignored::Unauthenticated);
    let body = Body::Revocation(theirs());
    let wrong = [
        (FOREIGN, message(body, AuthKind::ForeignHome, &association(300, 0x77))),
        (FOREIGN, message(body, AuthKind::MobileHome, &agents())),
        (ELSEWHERE, message(body, AuthKind::ForeignHome, &agents())),
    ];
    for (src, payload) in wrong {
        bench.deliver(&from(src, payload));
        assert_eq!((bench.sent().count(), bench.audits()), (0, vec![unauthenticated]));
    }
    // It was not agreed.
    let mut bench = Bench::new(Mip4Config { revocation: false, ..with_agent() });
    attach_through(&mut bench, true);
    revoke(&mut bench, theirs());
    assert_eq!((bench.audits(), bench.care_ofs()), (vec![stray], vec![FOREIGN]));
}
