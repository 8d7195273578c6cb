//! RFC 5846: what the anchor revokes, and what we do.

use super::*;
use crate::wire::mh::{
    BindingRevocationAck, BindingRevocationIndication, RevocationFlags, RevocationStatus,
    RevocationTrigger,
};

const P: RevocationFlags = RevocationFlags::P;
const SEQ: SeqNo = SeqNo(77);
const MN1: MobilityOption<'static> = MobilityOption::MnId(1, b"mn1@example.org");
const ADMIN: RevocationTrigger = RevocationTrigger::ADMINISTRATIVE;

fn bri(trigger: RevocationTrigger, flags: RevocationFlags) -> PeerBody {
    PeerBody::Bri(BindingRevocationIndication { trigger, seq: SEQ, flags })
}

fn revoke(
    w: &mut World,
    trigger: RevocationTrigger,
    flags: RevocationFlags,
    named: &[MobilityOption<'_>],
) -> Vec<Action> {
    w.event(from_lma(bri(trigger, flags), named))
}

/// What was answered.
fn bra(actions: &[Action]) -> BindingRevocationAck {
    let messages = sent(actions);
    match messages.first().map(|m| m.body) {
        Some(PeerBody::Bra(bra)) if messages.len() == 1 => bra,
        _ => unreachable!("{actions:?}"),
    }
}

fn status(
    w: &mut World,
    trigger: RevocationTrigger,
    flags: RevocationFlags,
    named: &[MobilityOption<'_>],
) -> RevocationStatus {
    bra(&revoke(w, trigger, flags, named)).status
}

/// Two nodes of different realms, the first with both families.
fn two_nodes() -> World {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(dual_stack()));
    w.accept(&pbu);
    let mut at = attachment();
    at.link.id = LinkId(8);
    at.node.mn_id = MnId::nai("mn2@example.net").expect("short");
    at.mn_ll_id = LinkLayerId::new(&[2, 0, 0, 0, 2, 1]);
    let pbu = only_pbu(&w.attach(at));
    w.event(Event::Pba(Answer { prefixes: vec![hnp(2)], ..Answer::to(&pbu) }.message()));
    assert_eq!(w.mag.links().count(), 2);
    w
}

// proves: REVOKE-6.1.2-1, REVOKE-6.1.2-3, REVOKE-6.1.2-6, REVOKE-6.1.2-7, REVOKE-6.1.2-8
// proves: REVOKE-6.1.2-9, REVOKE-9.1-14, REVOKE-5.1-3
#[test]
fn binding_of_the_node_is_ended_and_acknowledged_and_the_node_is_told() {
    let mut w = two_nodes();
    let unknown = MobilityOption::Unknown(200, b"?");
    let actions = revoke(&mut w, ADMIN, P, &[MN1, unknown]);
    let status = RevocationStatus::SUCCESS;
    assert_eq!(bra(&actions), BindingRevocationAck { status, seq: SEQ, flags: P });
    let message = &sent(&actions)[0];
    assert_eq!((message.src, message.dst), (COA.0, LMA.0));
    assert_eq!(removed(&actions), [route(hnp(1), LINK), route(home(), LINK)]);
    assert_eq!(pbus(&actions), [], "the anchor knows");
    assert_eq!(adverts(&actions)[0].prefixes[0].valid_lifetime_s, 0);
    assert_eq!(w.mag.links().collect::<Vec<_>>(), [LinkId(8)]);
}

#[test]
fn prefix_tells_which_session_of_a_node_is_meant() {
    let mut w = two_nodes();
    let prefix = |n| MobilityOption::HomeNetworkPrefix(hnp(n));
    let none = RevocationStatus::BINDING_DOES_NOT_EXIST;
    assert_eq!(status(&mut w, ADMIN, P, &[MN1, prefix(2)]), none, "another node's");
    let mut w = two_nodes();
    assert_eq!(status(&mut w, ADMIN, P, &[MN1, prefix(1)]), RevocationStatus::SUCCESS);
}

// proves: REVOKE-6.2.1-4, REVOKE-6.1.2-4
#[test]
fn binding_that_is_not_there_or_another_anchors_is_refused_128() {
    let none = RevocationStatus::BINDING_DOES_NOT_EXIST;
    let stranger = MobilityOption::MnId(1, b"mn9@example.org");
    assert_eq!(status(&mut two_nodes(), ADMIN, P, &[stranger]), none);
    assert_eq!(status(&mut two_nodes(), ADMIN, P, &[]), none);
    let mut w = two_nodes();
    let Event::Peer(msg) = from_lma(bri(ADMIN, P), &[MN1]) else { unreachable!() };
    let elsewhere = "2001:db8:1::9".parse().expect("address");
    let actions = w.event(Event::Peer(PeerMsg { src: elsewhere, ..msg }));
    assert_eq!(bra(&actions).status, none);
    assert_eq!(w.mag.links().count(), 2);
}

// proves: REVOKE-6.2.1-2
#[test]
fn trigger_that_is_not_known_is_refused_133() {
    let unknown = RevocationStatus::TRIGGER_NOT_SUPPORTED;
    for (trigger, flags) in [(8, P), (127, P), (130, P | RevocationFlags::G), (255, P)] {
        let trigger = RevocationTrigger(trigger);
        assert_eq!(status(&mut two_nodes(), trigger, flags, &[MN1]), unknown);
    }
}

// proves: REVOKE-6.2.1-1, REVOKE-6.2.1-3, REVOKE-9.1-1
#[test]
fn trigger_flags_and_options_that_do_not_fit_together_are_refused_134() {
    let (g, peer) = (P | RevocationFlags::G, RevocationTrigger::PER_PEER_POLICY);
    for (trigger, flags, named) in [
        (ADMIN, g, vec![MN1]),
        (peer, P, vec![]),
        (RevocationTrigger::LOCAL_POLICY, P, vec![MN1]),
        (peer, RevocationFlags::G, vec![]),
        (ADMIN, RevocationFlags::default(), vec![MN1]),
        (peer, g, vec![MN1]),
    ] {
        let mut w = two_nodes();
        let refused = RevocationStatus::FUNCTION_NOT_SUPPORTED;
        assert_eq!(status(&mut w, trigger, flags, &named), refused, "{trigger:?} {flags:?}");
        assert_eq!(w.mag.links().count(), 2);
    }
}

// proves: REVOKE-9.1-2, REVOKE-6.1.2-10
#[test]
fn per_peer_policy_ends_every_session_with_the_anchor() {
    let mut w = two_nodes();
    let flags = P | RevocationFlags::G;
    let actions = revoke(&mut w, RevocationTrigger::PER_PEER_POLICY, flags, &[]);
    assert_eq!((bra(&actions).status, bra(&actions).flags), (RevocationStatus::SUCCESS, flags));
    assert_eq!(w.mag.links().count(), 0);
    assert!(actions.contains(&Action::RemoveTunnel(PATH)));
}

// proves: REVOKE-9.1-3, REVOKE-9.1-4, REVOKE-9.1-5, REVOKE-9.1-6
#[test]
fn local_policy_ends_the_sessions_of_a_realm_and_needs_to_be_told_which() {
    let (policy, flags) = (RevocationTrigger::LOCAL_POLICY, P | RevocationFlags::G);
    let realm = |id| MobilityOption::MnId(1, id);
    let needed = RevocationStatus::REVOKED_MN_IDENTITY_REQUIRED;
    assert_eq!(status(&mut two_nodes(), policy, flags, &[]), needed);
    assert_eq!(status(&mut two_nodes(), policy, flags, &[realm(b"@example.com")]), needed);
    assert_eq!(status(&mut two_nodes(), policy, flags, &[realm(b"example.org")]), needed);
    let other_type = MobilityOption::MnId(2, b"@example.org");
    assert_eq!(status(&mut two_nodes(), policy, flags, &[other_type]), needed);
    let mut w = two_nodes();
    let named = [realm(b"@example.org")];
    assert_eq!(status(&mut w, policy, flags, &named), RevocationStatus::SUCCESS);
    assert_eq!(w.mag.links().collect::<Vec<_>>(), [LinkId(8)]);
}

// proves: REVOKE-9.1-3
#[test]
fn local_policy_may_name_the_care_of_address_of_the_sessions_besides_the_realm() {
    let (policy, flags) = (RevocationTrigger::LOCAL_POLICY, P | RevocationFlags::G);
    let needed = RevocationStatus::REVOKED_MN_IDENTITY_REQUIRED;
    let named = |coa| [MobilityOption::MnId(1, b"@EXAMPLE.org"), MobilityOption::AlternateCoa(coa)];
    assert_eq!(status(&mut two_nodes(), policy, flags, &named(LMA.0)), needed);
    let mut w = two_nodes();
    assert_eq!(status(&mut w, policy, flags, &named(COA.0)), RevocationStatus::SUCCESS);
    assert_eq!(w.mag.links().collect::<Vec<_>>(), [LinkId(8)]);
}

// proves: REVOKE-9.1-8
#[test]
fn node_that_answers_our_probe_is_still_here_132() {
    let mut w = two_nodes();
    let actions = revoke(&mut w, RevocationTrigger::HANDOFF_UNKNOWN, P, &[MN1]);
    assert_eq!(actions, [Action::Probe { link: LINK, node_link_local: Some(MN_LL) }]);
    let actions = w.present();
    assert_eq!(bra(&actions).status, RevocationStatus::MN_IS_ATTACHED);
    assert_eq!(removed(&actions), []);
    assert_eq!(sent(&w.wait(secs(5))), [], "and that was all");
}

// proves: REVOKE-9.1-7
#[test]
fn node_that_does_not_answer_is_gone_before_the_anchor_asks_again() {
    let handoff = RevocationTrigger::HANDOFF_SAME_ACCESS_TYPE;
    let mut w = two_nodes();
    revoke(&mut w, handoff, P, &[MN1]);
    assert_eq!(revoke(&mut w, handoff, P, &[MN1]), [], "it waits already");
    let actions = w.wait(Duration::from_millis(750));
    let probes = actions.iter().filter(|a| matches!(a, Action::Probe { .. })).count();
    assert_eq!(probes, 2, "three in all");
    assert_eq!(bra(&actions).status, RevocationStatus::SUCCESS);
    assert_eq!(removed(&actions).len(), 2);
    assert_eq!(adverts(&actions), [], "nobody is there to hear one");
    assert_eq!((pbus(&actions), w.mag.links().count()), (vec![], 1));
}

// proves: REVOKE-9.1-9, REVOKE-9.1-10, REVOKE-6.1.2-11
#[test]
fn ipv4_home_address_alone_is_released_and_the_prefix_stays() {
    let mut w = two_nodes();
    let flags = P | RevocationFlags::V;
    let named = [MN1, MobilityOption::Ipv4HomeAddressRequest(HOME)];
    let actions = revoke(&mut w, ADMIN, flags, &named);
    assert_eq!((bra(&actions).status, bra(&actions).flags), (RevocationStatus::SUCCESS, flags));
    assert_eq!(removed(&actions), [route(home(), LINK)]);
    assert_eq!(w.mag.links().count(), 2);
    assert_eq!(adverts(&actions), []);
}

// proves: REVOKE-9.1-9, REVOKE-9.1-11
#[test]
fn another_ipv4_address_than_the_nodes_is_refused_128_and_none_129() {
    let flags = P | RevocationFlags::V;
    let other = Ipv4Home::new(Ipv4Addr::new(10, 1, 0, 6), 16).expect("length");
    let named = [MN1, MobilityOption::Ipv4HomeAddressRequest(other)];
    let mut w = two_nodes();
    let none = RevocationStatus::BINDING_DOES_NOT_EXIST;
    assert_eq!(status(&mut w, ADMIN, flags, &named), none);
    assert!(w.mag.bindings(w.now).next().expect("entry").ipv4.is_some());
    let required = RevocationStatus::IPV4_HOME_ADDRESS_OPTION_REQUIRED;
    assert_eq!(status(&mut two_nodes(), ADMIN, flags, &[MN1]), required);
}

// proves: REVOKE-9.1-12, REVOKE-9.1-13
#[test]
fn revocation_of_which_a_part_is_released_already_is_accepted_as_partial() {
    let mut w = two_nodes();
    let prefix = |n| MobilityOption::HomeNetworkPrefix(hnp(n));
    let partial = RevocationStatus::PARTIAL_SUCCESS;
    assert_eq!(status(&mut w, ADMIN, P, &[MN1, prefix(1), prefix(9)]), partial);
    assert_eq!(w.mag.links().count(), 1);
}

#[test]
fn indication_that_comes_again_is_answered_alike() {
    let mut w = two_nodes();
    let first = sent(&revoke(&mut w, ADMIN, P, &[MN1]));
    assert_eq!(sent(&revoke(&mut w, ADMIN, P, &[MN1])), first);
    w.wait(secs(10));
    let none = RevocationStatus::BINDING_DOES_NOT_EXIST;
    assert_eq!(status(&mut w, ADMIN, P, &[MN1]), none, "a new one with an old number");
}

// proves: REVOKE-6.1.2-2, REVOKE-6.1.2-5
#[test]
fn indication_from_no_unicast_address_is_not_answered() {
    let mut w = two_nodes();
    for src in ["ff02::1", "::"] {
        let Event::Peer(msg) = from_lma(bri(ADMIN, P), &[MN1]) else { unreachable!() };
        let src = src.parse().expect("address");
        let actions = w.event(Event::Peer(PeerMsg { src, ..msg }));
        assert_eq!((sent(&actions), removed(&actions)), (vec![], vec![]));
    }
}

// proves: REVOKE-4-1
#[test]
fn indication_in_udp_is_answered_to_the_port_that_it_came_from() {
    let mut w = World::with(MagConfig { ipv4_proxy_coa: Some(COA4), ..config() });
    let mut at = attachment();
    at.node.lma = LMA4;
    let pbu = only_pbu(&w.attach(at));
    w.accept(&pbu);
    let Event::Peer(msg) = from_lma(bri(ADMIN, P), &[MN1]) else { unreachable!() };
    let transport = Transport::Udp(5436);
    let msg = PeerMsg { src: LMA4.0, dst: COA4.0, transport, ..msg };
    let answer = sent(&w.event(Event::Peer(msg)));
    assert_eq!((answer[0].src, answer[0].dst), (COA4.0, LMA4.0));
    assert_eq!(answer[0].transport, transport);
}

/// Our own revocation, and its number.
fn revoke_all(w: &mut World) -> (Vec<Action>, SeqNo) {
    let actions = w.event(Event::RevokeAll(LMA));
    match sent(&actions)[0].body {
        PeerBody::Bri(bri) => (actions, bri.seq),
        _ => unreachable!("{actions:?}"),
    }
}

fn acknowledged(w: &mut World, seq: SeqNo, status: RevocationStatus) -> Vec<Action> {
    let flags = P | RevocationFlags::G;
    let bra = BindingRevocationAck { status, seq, flags };
    w.event(from_lma(PeerBody::Bra(bra), &[]))
}

// proves: REVOKE-9.2-1, REVOKE-9.2-2, REVOKE-9.2-3, REVOKE-5.1-6, REVOKE-5.1-7, REVOKE-6.1.1-1
// proves: REVOKE-6.1.1-2, REVOKE-6.1.1-3, REVOKE-6.1.1-4, REVOKE-6.1.1-5, REVOKE-6.2.2-3
#[test]
fn we_revoke_everything_with_an_anchor_in_one_message_that_says_who_we_are() {
    let mut w = two_nodes();
    let (actions, seq) = revoke_all(&mut w);
    let message = &sent(&actions)[0];
    let (trigger, flags) = (RevocationTrigger::PER_PEER_POLICY, P | RevocationFlags::G);
    assert_eq!(message.body, PeerBody::Bri(BindingRevocationIndication { trigger, seq, flags }));
    let named: Vec<_> = message.options.iter().collect();
    assert_eq!(named, [MobilityOption::MnId(1, b"mag1")]);
    assert_eq!(w.mag.links().count(), 2);
    let actions = acknowledged(&mut w, seq, RevocationStatus::SUCCESS);
    assert_eq!((w.mag.links().count(), pbus(&actions)), (0, vec![]));
    assert_eq!(sent(&w.wait(secs(60))), []);
}

// proves: REVOKE-6.2.2-1, REVOKE-6.2.2-2
#[test]
fn acknowledgement_with_another_number_is_ignored() {
    let mut w = two_nodes();
    let (_, seq) = revoke_all(&mut w);
    let actions = acknowledged(&mut w, seq.next(), RevocationStatus::SUCCESS);
    assert_eq!(audits(&actions), [AuditKind::BraIgnored]);
    assert_eq!(w.mag.links().count(), 2);
}

// proves: REVOKE-9.2-7, REVOKE-6.3-1, REVOKE-6.3-2, REVOKE-6.3-3
#[test]
fn our_revocation_is_repeated_after_1_second_and_taken_for_done_after_2_more() {
    let mut w = two_nodes();
    let (first, _) = revoke_all(&mut w);
    assert_eq!(sent(&w.wait(Duration::from_millis(999))), []);
    assert_eq!(sent(&w.wait(Duration::from_millis(1))), sent(&first));
    assert_eq!(sent(&w.wait(Duration::from_millis(1999))), []);
    assert_eq!(w.mag.links().count(), 2);
    let actions = w.wait(Duration::from_millis(1));
    assert!(audits(&actions).contains(&AuditKind::RevocationUnanswered));
    assert_eq!((sent(&actions), w.mag.links().count()), (vec![], 0));
}

// proves: REVOKE-9.2-9
#[test]
fn anchor_that_does_not_let_us_revoke_is_not_asked_again() {
    let mut w = two_nodes();
    let (_, seq) = revoke_all(&mut w);
    acknowledged(&mut w, seq, RevocationStatus::GLOBAL_REVOCATION_NOT_AUTHORIZED);
    assert_eq!(w.mag.links().count(), 2);
    let actions = w.event(Event::RevokeAll(LMA));
    assert_eq!(sent(&actions), []);
    assert_eq!(audits(&actions), [AuditKind::RevokedByUs(130)]);
}
