//! The reactions to an acknowledgement: RFC 5213 6.9.1.2.

use super::*;

/// What one change to a right answer leads to: nothing but this audit, and the update is repeated.
fn assert_ignored(why: PbaFault, change: impl Fn(&mut Answer)) {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(attachment()));
    let mut answer = Answer::to(&pbu);
    change(&mut answer);
    let actions = w.event(Event::Pba(answer.message()));
    assert_eq!(audits(&actions), ignored(why));
    assert_eq!(actions.len(), 1);
    assert_eq!(pbus(&w.wait(secs(1))).len(), 1, "the request is still open");
    assert_eq!(w.state(), Some(StateName::Registering));
}

// proves: PMIP6-6.9.1.2-7, PMIP6-6.9.1.2-1, PMIP6-6.9.1.2-4
#[test]
fn acknowledgement_that_answers_no_recent_update_is_ignored() {
    assert_ignored(PbaFault::NoMatch, |a| a.seq = a.seq.next());
    assert_ignored(PbaFault::NoMatch, |a| a.src = COA.0);
    assert_ignored(PbaFault::NotProxy, |a| a.flags = BaFlags::default());
    assert_ignored(PbaFault::Timestamp, |a| a.timestamp = None);
    assert_ignored(PbaFault::Timestamp, |a| a.timestamp = Some(MobTimestamp(1)));
}

// proves: PMIP6-8.2-1
#[test]
fn options_that_we_do_not_understand_are_skipped() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(attachment()));
    let mut answer = Answer::to(&pbu).message();
    let known = answer.options.clone();
    let unknown = MobilityOption::Unknown(200, &[1, 2, 3]);
    let options: Vec<_> = core::iter::once(unknown).chain(known.iter()).collect();
    answer.options = OwnedOptions::from_options(&options).expect("options that fit");
    w.event(Event::Pba(answer));
    assert_eq!(w.state(), Some(StateName::Bound));
}

#[test]
fn acceptance_without_a_usable_prefix_or_lifetime_is_ignored() {
    let prefix = |p: &str| vec![p.parse::<HomePrefix>().expect("prefix")];
    assert_ignored(PbaFault::NoPrefix, |a| a.prefixes.clear());
    assert_ignored(PbaFault::NoPrefix, |a| a.prefixes = vec![HomePrefix::ALL_ZERO]);
    assert_ignored(PbaFault::NoPrefix, |a| a.prefixes = prefix("fe80::/64"));
    assert_ignored(PbaFault::NoPrefix, |a| a.prefixes = prefix("ff00::/8"));
    assert_ignored(PbaFault::ZeroLifetime, |a| a.lifetime = Lifetime::ZERO);
}

#[test]
fn acknowledgement_without_a_request_is_ignored_in_every_state() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(attachment()));
    w.accept(&pbu);
    assert_eq!(audits(&w.accept(&pbu)), ignored(PbaFault::NoMatch), "a duplicate");
    w.detach(false);
    w.wait(secs(2));
    assert_eq!(audits(&w.accept(&pbu)), ignored(PbaFault::NoMatch), "the session is gone");
}

// proves: PMIP6-6.9.1.2-8, PMIP6-6.9.1.2-9
#[test]
fn other_values_than_we_sent_stop_all_updates_until_an_administrator_acts() {
    let changes: [fn(&mut Answer); 4] = [
        |a| a.handoff = Some(HandoffIndicator::SAME_INTERFACE),
        |a| a.att = Some(AccessTech(4)),
        |a| a.mn_ll_id = Some(vec![2, 0, 0, 0, 9, 9]),
        |a| a.mn_id = MnId::nai("mn2@example.org"),
    ];
    for change in changes {
        let mut w = World::new();
        let pbu = only_pbu(&w.attach(attachment()));
        let mut answer = Answer::to(&pbu);
        change(&mut answer);
        let actions = w.event(Event::Pba(answer.message()));
        assert_eq!(audits(&actions), ignored(PbaFault::EchoDiffers), "{answer:?}");
        assert_eq!((actions.len(), w.state()), (1, Some(StateName::Denied)));
        assert_eq!(w.wait(secs(3600)), []);
        assert_eq!(pbus(&w.retry()).len(), 1);
    }
}

// proves: PMIP6-6.9.1.2-8, PMIP6-6.9.1.2-9
#[test]
fn other_values_in_a_refresh_leave_the_binding_to_run_out() {
    let mut w = World::bound();
    let refresh = only_pbu(&w.retry());
    let mut answer = Answer::to(&refresh);
    answer.att = Some(AccessTech(4));
    w.event(Event::Pba(answer.message()));
    assert_eq!(w.state(), Some(StateName::Suspended));
    let actions = w.wait(LIFETIME);
    assert_eq!(pbus(&actions), []);
    assert_eq!(removed(&actions).len(), 1);
    assert_eq!(w.state(), Some(StateName::Denied));
}

#[test]
fn answer_without_an_identifier_is_matched_by_the_gateways_own_counter() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(attachment()));
    let answer = Answer { mn_id: None, ..Answer::to(&pbu) };
    w.event(Event::Pba(answer.message()));
    assert_eq!(w.state(), Some(StateName::Bound));
}

// proves: PMIP6-6.9.1.2-10, PMIP6-6.9.1.2-11, PMIP6-6.9.1.2-16
#[test]
fn refusals_that_only_an_administrator_can_change_end_all_attempts() {
    for status in [
        Status::PROXY_REG_NOT_ENABLED,
        Status::NOT_LMA_FOR_THIS_MOBILE_NODE,
        Status::MAG_NOT_AUTHORIZED_FOR_PROXY_REG,
        Status::MISSING_HOME_NETWORK_PREFIX_OPTION,
        Status::MISSING_HANDOFF_INDICATOR_OPTION,
        Status::MISSING_ACCESS_TECH_TYPE_OPTION,
        Status::ADMINISTRATIVELY_PROHIBITED,
        Status(255),
    ] {
        let mut w = World::new();
        let pbu = only_pbu(&w.attach(attachment()));
        let actions = w.refuse(&pbu, status);
        assert_eq!(audits(&actions), [AuditKind::Refused(status.0)]);
        assert_eq!((adverts(&actions), installed(&actions)), (vec![], vec![]));
        assert_eq!(w.wait(secs(86_400)), [], "{status}");
        assert_eq!(w.state(), Some(StateName::Denied));
        assert_eq!(w.attach(attachment()), [], "the node's solicitations change nothing");
        assert_eq!(pbus(&w.retry()).len(), 1, "an administrator's word does");
    }
}

#[test]
fn missing_identifier_status_with_its_empty_echo_is_a_refusal() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(attachment()));
    let status = Status::MISSING_MN_IDENTIFIER_OPTION;
    let answer = Answer { status, mn_id: MnId::nai(""), ..Answer::to(&pbu) };
    let actions = w.event(Event::Pba(answer.message()));
    assert_eq!(audits(&actions), [AuditKind::Refused(160)]);
}

// proves: PMIP6-6.9.1.2-12
#[test]
fn timestamp_that_was_overtaken_is_followed_by_another_registration() {
    let mut w = World::new();
    let first = only_pbu(&w.attach(attachment()));
    assert_eq!(pbus(&w.refuse(&first, Status::TIMESTAMP_LOWER_THAN_PREV_ACCEPTED)), []);
    let again = only_pbu(&w.wait(secs(1)));
    assert!(timestamp(&again) > timestamp(&first));
    w.accept(&again);
    assert_eq!(w.state(), Some(StateName::Bound));
}

// proves: PMIP6-6.9.1.2-13, PMIP6-6.9.1.2-14
#[test]
fn mismatched_clock_is_tried_again_only_after_it_was_set() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(attachment()));
    w.refuse(&pbu, Status::TIMESTAMP_MISMATCH);
    assert_eq!(pbus(&w.wait(secs(600))), [], "the anchor's own timestamp is not taken over");
    w.set_wall_clock(secs(5));
    let again = only_pbu(&w.wait(secs(1)));
    assert!(timestamp(&again) > timestamp(&pbu).map(|t| MobTimestamp(t.0 + (5 << 16))));
}

// proves: PMIP6-6.9.1.2-15
#[test]
fn refused_prefixes_are_not_asked_for_again_but_any_are() {
    for status in
        [Status::NOT_AUTHORIZED_FOR_HOME_NETWORK_PREFIX, Status::BCE_PBU_PREFIX_SET_DO_NOT_MATCH]
    {
        let mut w = World::new();
        let mut at = attachment();
        at.node.prefixes = vec![hnp(5)];
        let first = only_pbu(&w.attach(at));
        let second = only_pbu(&w.refuse(&first, status));
        assert_eq!(prefixes(&second), [HomePrefix::ALL_ZERO]);
        assert_eq!(pbus(&w.refuse(&second, status)), [], "nothing is left to ask for");
        assert_eq!(w.state(), Some(StateName::Denied));
    }
}

#[test]
fn anchor_that_is_short_of_something_is_asked_again_after_a_while() {
    for status in [Status::INSUFFICIENT_RESOURCES, Status::REASON_UNSPECIFIED] {
        let mut w = World::new();
        let pbu = only_pbu(&w.attach(attachment()));
        w.refuse(&pbu, status);
        assert_eq!(pbus(&w.wait(secs(31))), []);
        assert_eq!(pbus(&w.wait(secs(1))).len(), 1);
    }
}

// proves: PMIP6-6.9.1.2-4
#[test]
fn sequence_number_out_of_window_is_answered_with_the_next_after_the_anchors() {
    let mut w = World::with(MagConfig { timestamps: false, ..config() });
    let pbu = only_pbu(&w.attach(attachment()));
    let status = Status::SEQUENCE_NUMBER_OUT_OF_WINDOW;
    let answer = Answer { status, seq: SeqNo(4711), ..Answer::to(&pbu) };
    let again = only_pbu(&w.event(Event::Pba(answer.message())));
    assert_eq!(again.update.seq, SeqNo(4712));
    w.accept(&again);
    assert_eq!(w.state(), Some(StateName::Bound));
    w.wait(secs(1));
    let refresh = only_pbu(&w.retry());
    let answer = Answer { status, seq: SeqNo(9000), ..Answer::to(&refresh) };
    let actions = w.event(Event::Pba(answer.message()));
    assert_eq!(only_pbu(&actions).update.seq, SeqNo(9001));
    assert_eq!(removed(&actions), [], "the number is refused, not the binding");
}

// proves: PMIP6-6.9.1.2-16, PMIP6-6.9.2-4
#[test]
fn refused_refresh_ends_service_and_withdraws_the_prefix() {
    let mut w = World::bound();
    let refresh = only_pbu(&w.retry());
    let actions = w.refuse(&refresh, Status::PROXY_REG_NOT_ENABLED);
    assert_eq!(removed(&actions), [route(hnp(1), LINK)]);
    let withdrawn = &adverts(&actions)[0];
    assert_eq!((withdrawn.router_lifetime_s, withdrawn.prefixes[0].valid_lifetime_s), (0, 0));
    assert!(actions.contains(&Action::RemoveTunnel(PATH)));
    assert_eq!(adverts(&w.attach(attachment())), [], "no prefix for a denied node");
}

// proves: PMIP6-6.9.1.2-24, PMIP6-6.9.1.2-25, PMIP6-6.9.1.2-26, PMIP6-6.9.1.1-23
#[test]
fn link_local_address_that_the_node_has_is_not_used_and_another_is_uploaded() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(attachment()));
    let answer = Answer { link_local: Some(MN_LL), ..Answer::to(&pbu) };
    let actions = w.event(Event::Pba(answer.message()));
    assert!(actions.contains(&Action::ConfigureLink { link: LINK, link_local: OWN }));
    let upload = only_pbu(&actions);
    assert!(options(&upload).contains(&MobilityOption::LinkLocal(OWN)));
    assert_eq!(handoff(&upload), HandoffIndicator::NOT_CHANGED);
    assert_eq!(pbus(&w.accept(&upload)), [], "once");
}

#[test]
fn collision_that_the_nodes_solicitation_shows_is_resolved_too() {
    let mut w = World::new();
    let silent = Attachment { node_link_local: None, ..attachment() };
    let pbu = only_pbu(&w.attach(silent));
    w.accept(&pbu);
    let actions = w.attach(Attachment { node_link_local: Some(GIVEN), ..attachment() });
    assert!(actions.contains(&Action::UnconfigureLink { link: LINK, link_local: GIVEN }));
    assert!(actions.contains(&Action::ConfigureLink { link: LINK, link_local: OWN }));
    assert!(options(&only_pbu(&actions)).contains(&MobilityOption::LinkLocal(OWN)));
}

#[test]
fn anchor_without_a_link_local_address_leaves_us_our_own() {
    for given in [None, Some(Ipv6Addr::UNSPECIFIED), Some(COA.0)] {
        let mut w = World::new();
        let pbu = only_pbu(&w.attach(attachment()));
        let actions =
            w.event(Event::Pba(Answer { link_local: given, ..Answer::to(&pbu) }.message()));
        assert!(actions.contains(&Action::ConfigureLink { link: LINK, link_local: OWN }));
    }
}
