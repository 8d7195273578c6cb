//! Presence and departure: RFC 5213 6.3, 6.9.1.4, 6.13.

use super::*;

// proves: PMIP6-6.9.1.4-5, PMIP6-6.9.1.4-6, PMIP6-6.9.1.4-7
#[test]
fn departure_removes_the_route_at_once_and_the_entry_with_the_answer() {
    let mut w = World::bound();
    let actions = w.detach(false);
    assert_eq!(removed(&actions), [route(hnp(1), LINK)]);
    assert!(actions.contains(&Action::UnconfigureLink { link: LINK, link_local: GIVEN }));
    assert_eq!(adverts(&actions), [], "nobody is there to hear one");
    let pbu = only_pbu(&actions);
    assert_eq!(w.state(), Some(StateName::Deregistering));
    assert_eq!(audits(&w.accept(&pbu)), [AuditKind::Deregistered]);
    assert_eq!(w.state(), None);
    assert_eq!(w.mag.poll_timeout(), None);
}

// proves: PMIP6-6.9.1.4-5, PMIP6-6.9.1.4-6
#[test]
fn entry_goes_after_one_second_without_an_answer_too() {
    let mut w = World::bound();
    w.detach(false);
    assert_eq!(w.wait(Duration::from_millis(999)), []);
    assert_eq!(audits(&w.wait(Duration::from_millis(1))), [AuditKind::DeregistrationUnanswered]);
    assert_eq!(w.state(), None);
}

// proves: PMIP6-6.9.1.4-9
#[test]
fn node_whose_session_we_end_is_told_that_router_and_prefix_are_gone() {
    let mut w = World::bound();
    let told = adverts(&w.detach(true));
    assert_eq!((told[0].router_lifetime_s, told[0].prefixes[0].prefix), (0, hnp(1)));
    assert_eq!(told[0].prefixes[0].valid_lifetime_s, 0);
    assert_eq!(told[0].prefixes[0].preferred_lifetime_s, 0);
}

#[test]
fn departure_during_the_first_registration_is_told_to_the_anchor() {
    // It may have accepted, and its answer may be lost.
    let mut w = World::new();
    w.attach(attachment());
    let pbu = only_pbu(&w.detach(false));
    assert_eq!(pbu.update.lifetime, Lifetime::ZERO);
    assert_eq!(prefixes(&pbu), [HomePrefix::ALL_ZERO]);
}

#[test]
fn node_that_comes_back_during_its_deregistration_is_registered_anew() {
    let mut w = World::bound();
    let deregistration = only_pbu(&w.detach(false));
    w.wait(Duration::from_millis(10));
    let pbu = only_pbu(&w.attach(attachment()));
    assert_eq!(pbu.update.lifetime.duration(), LIFETIME);
    assert_eq!(audits(&w.accept(&deregistration)), ignored(PbaFault::NoMatch));
    w.accept(&pbu);
    assert_eq!(w.state(), Some(StateName::Bound));
}

// proves: PMIP6-6.13-1
#[test]
fn binding_is_extended_only_after_the_node_answered_a_probe() {
    let mut w = World::bound();
    let actions = w.wait(LIFETIME * 3 / 4);
    let probe = Action::Probe { link: LINK, node_link_local: Some(MN_LL) };
    assert_eq!(actions.last(), Some(&probe));
    assert_eq!(pbus(&actions), []);
    let other = Event::Present { link: LINK, node_link_local: Some(OWN) };
    assert_eq!(w.event(other), [], "another node's presence says nothing");
    assert_eq!(pbus(&w.present()).len(), 1);
}

// proves: PMIP6-6.13-2, PMIP6-6.13-3, PMIP6-6.13-4
#[test]
fn node_that_answers_no_probe_is_deregistered_and_forgotten() {
    let mut w = World::bound();
    w.wait(LIFETIME * 3 / 4);
    let actions = w.wait(secs(3));
    let probes = actions.iter().filter(|a| matches!(a, Action::Probe { .. })).count();
    assert_eq!(probes, 2, "three in all");
    assert_eq!(audits(&actions), [AuditKind::Unreachable]);
    assert_eq!(removed(&actions).len(), 1);
    assert_eq!(only_pbu(&actions).update.lifetime, Lifetime::ZERO);
    w.wait(secs(1));
    assert_eq!(w.state(), None);
}

#[test]
fn solicitation_is_as_good_as_an_answer_to_the_probe() {
    let mut w = World::bound();
    w.wait(LIFETIME * 3 / 4);
    let actions = w.attach(attachment());
    assert_eq!((pbus(&actions).len(), adverts(&actions).len()), (1, 1));
}

// proves: PMIP6-6.6-8
#[test]
fn second_node_on_a_point_to_point_link_gets_no_service() {
    let mut w = World::bound();
    let mut other = attachment();
    other.node.mn_id = MnId::nai("mn2@example.org").expect("short");
    assert_eq!(audits(&w.attach(other)), [AuditKind::LinkOccupied]);
    assert_eq!(w.mag.links().count(), 1);
}

#[test]
fn denied_node_leaves_without_a_word_to_the_anchor() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(attachment()));
    w.refuse(&pbu, Status::PROXY_REG_NOT_ENABLED);
    assert_eq!(w.detach(false), []);
    assert_eq!(w.state(), None);
}
