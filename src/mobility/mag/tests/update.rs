//! What an update says: RFC 5213 6.9.1.1, 6.9.1.3 to 6.9.1.5.

use super::*;
use crate::wire::mh::BuFlags;

// proves: PMIP6-6.9.1.1-2, PMIP6-6.9.1.1-3, PMIP6-6.9.1.1-4, PMIP6-6.9.1.1-6, PMIP6-6.9.1.1-7
// proves: PMIP6-6.9.1.1-8, PMIP6-6.9.1.1-13, PMIP6-6.9.1.1-18, PMIP6-6.9.1.1-20
// proves: PMIP6-6.9.1.1-21, PMIP6-6.9.1.1-22, PMIP6-6.9.1.1-24, PMIP6-6.9.1.1-25
// proves: PMIP6-6.9.1.5-1, PMIP6-6.9.1.5-2, PMIP6-6.9.1.5-3, PMIP6-6.9.1.5-4, PMIP6-6.9.1.5-5
// proves: PMIP6-6.9.1.5-6, PMIP6-6.9.1.5-7, PMIP6-6.9.1.5-8, PMIP6-6.9.1.5-9, PMIP6-6.9.1.5-13
// proves: PMIP6-6.9.1.5-10, PMIP6-6.9.1.5-11, PMIP6-6.6-7, PMIP6-8.1-1, MNID-1-1
#[test]
fn first_update_has_the_flags_and_exactly_the_options_of_6_9_1_5() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(attachment()));
    assert_eq!((pbu.src, pbu.dst), (COA.0, LMA.0));
    assert_eq!(pbu.update.flags, BuFlags::A | BuFlags::P);
    assert_eq!(pbu.update.lifetime.duration(), LIFETIME);
    assert_eq!(
        options(&pbu),
        [
            MobilityOption::MnId(1, b"mn1@example.org"),
            MobilityOption::HomeNetworkPrefix(HomePrefix::ALL_ZERO),
            MobilityOption::HandoffIndicator(HandoffIndicator::UNKNOWN),
            MobilityOption::AccessTech(AccessTech(3)),
            MobilityOption::Timestamp(w.now.wall),
            MobilityOption::MnLinkLayerId(&[2, 0, 0, 0, 1, 1]),
            MobilityOption::LinkLocal(Ipv6Addr::UNSPECIFIED),
        ]
    );
}

// proves: PMIP6-6.9.1.1-5, PMIP6-6.9.1.1-7
#[test]
fn prefixes_of_the_policy_profile_are_asked_for_by_name() {
    let mut at = attachment();
    at.node.prefixes = vec![hnp(5), hnp(6)];
    assert_eq!(prefixes(&only_pbu(&World::new().attach(at))), [hnp(5), hnp(6)]);
}

// proves: PMIP6-6.9.1.1-9, PMIP6-6.9.1.1-10, PMIP6-6.9.1.1-11, PMIP6-6.9.1.1-12
// proves: PMIP6-6.9.1.1-13, PMIP6-6.9.1.1-14, PMIP6-6.9.1.1-15
#[test]
fn handoff_indicator_says_what_is_known_and_unknown_unless_told() {
    assert_eq!(HandoffHint::default(), HandoffHint::Unknown);
    for (hint, value) in [
        (HandoffHint::NewInterface, 1),
        (HandoffHint::BetweenInterfaces, 2),
        (HandoffHint::SameInterface, 3),
        (HandoffHint::Unknown, 4),
    ] {
        let pbu = only_pbu(&World::new().attach(Attachment { hint, ..attachment() }));
        assert_eq!(handoff(&pbu), HandoffIndicator(value));
    }
}

// proves: PMIP6-6.9.1.1-19, PMIP6-6.1-2
#[test]
fn link_layer_identifier_is_absent_when_it_is_unknown_or_all_zero() {
    assert_eq!(LinkLayerId::new(&[0; 6]), None);
    assert_eq!(LinkLayerId::new(&[]), None);
    assert_eq!(LinkLayerId::new(&[1; 254]), None);
    let pbu = only_pbu(&World::new().attach(Attachment { mn_ll_id: None, ..attachment() }));
    assert!(!options(&pbu).iter().any(|o| matches!(o, MobilityOption::MnLinkLayerId(_))));
}

// proves: PMIP6-6.9.1.1-22, PMIP6-6.8-1, PMIP6-9.3-8
#[test]
fn fixed_link_local_address_replaces_the_option_and_the_anchors_choice() {
    let fixed: Ipv6Addr = "fe80::1".parse().expect("address");
    let mut w = World::with(MagConfig { fixed_link_local: Some(fixed), ..config() });
    let pbu = only_pbu(&w.attach(attachment()));
    assert!(!options(&pbu).iter().any(|o| matches!(o, MobilityOption::LinkLocal(_))));
    let answer = Answer { link_local: Some(GIVEN), ..Answer::to(&pbu) };
    let actions = w.event(Event::Pba(answer.message()));
    assert!(actions.contains(&Action::ConfigureLink { link: LINK, link_local: fixed }));
    assert_eq!(adverts(&actions)[0].src, fixed);
}

// proves: PMIP6-6.9.1.1-16, PMIP6-9.3-5, PMIP6-5.5-2
#[test]
fn without_timestamps_the_sequence_number_goes_on_from_the_transferred_one() {
    let mut w = World::with(MagConfig { timestamps: false, ..config() });
    let at = Attachment { last_seq: Some(SeqNo(0xffff)), ..attachment() };
    let pbu = only_pbu(&w.attach(at));
    assert_eq!(pbu.update.seq, SeqNo(0));
    assert_eq!(timestamp(&pbu), None);
}

// proves: PMIP6-6.9.1.1-16, PMIP6-6.9.1.1-17, PMIP6-9.3-4
#[test]
fn with_timestamps_one_counter_of_the_gateway_numbers_the_updates_of_all_nodes() {
    let mut w = World::new();
    let mut second = attachment();
    second.link.id = LinkId(8);
    second.node.mn_id = MnId::nai("mn2@example.org").expect("short");
    let first = only_pbu(&w.attach(attachment()));
    let second = only_pbu(&w.attach(second));
    assert_eq!(second.update.seq, first.update.seq.next());
    assert!(timestamp(&first).is_some() && timestamp(&second).is_some());
}

// proves: PMIP6-6.9.1.3-1, PMIP6-6.9.1.3-2, PMIP6-6.9.1.3-3
#[test]
fn refresh_names_the_assigned_prefixes_and_says_handoff_state_not_changed() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(attachment()));
    let answer = Answer { prefixes: vec![hnp(1), hnp(2)], ..Answer::to(&pbu) };
    w.event(Event::Pba(answer.message()));
    w.wait(LIFETIME * 3 / 4);
    let refresh = only_pbu(&w.present());
    assert_eq!(prefixes(&refresh), [hnp(1), hnp(2)]);
    assert_eq!(handoff(&refresh), HandoffIndicator::NOT_CHANGED);
    assert_eq!(refresh.update.lifetime.duration(), LIFETIME);
    let kinds = |pbu: &UpdateMsg| {
        let name = |o: &MobilityOption<'_>| format!("{o:?}").split('(').next().map(str::to_owned);
        let mut kinds: Vec<_> = options(pbu).iter().filter_map(name).collect();
        kinds.dedup();
        kinds
    };
    assert_eq!(kinds(&refresh), kinds(&pbu), "the same set of options as the first");
}

// proves: PMIP6-6.9.1.4-1, PMIP6-6.9.1.4-2, PMIP6-6.9.1.4-3, PMIP6-6.9.1.4-4
#[test]
fn deregistration_has_lifetime_zero_the_assigned_prefixes_and_handoff_unknown() {
    let mut w = World::bound();
    let pbu = only_pbu(&w.detach(false));
    assert_eq!(pbu.update.lifetime, Lifetime::ZERO);
    assert_eq!(prefixes(&pbu), [hnp(1)]);
    assert_eq!(handoff(&pbu), HandoffIndicator::UNKNOWN);
    assert_eq!(options(&pbu).len(), 7);
}

#[test]
fn two_updates_in_one_tick_of_the_clock_have_increasing_timestamps() {
    let mut w = World::new();
    let first = only_pbu(&w.attach(attachment()));
    w.accept(&first);
    let second = only_pbu(&w.retry());
    assert!(timestamp(&second) > timestamp(&first));
}
