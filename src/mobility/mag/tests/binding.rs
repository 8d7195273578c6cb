//! What a binding puts in place and what it advertises: RFC 5213 6.7, 6.9.1.2 (12) to (15), 6.9.2,
//! 6.9.5, 6.12.

use super::*;
use crate::mobility::mag::action::AdvertPrefix;

// proves: PMIP6-6.1-1, PMIP6-6.9.1.1-11, PMIP6-6.9.1.1-26, PMIP6-6.9.1.2-18, PMIP6-6.9.1.2-20
// proves: PMIP6-6.9.1.2-21, PMIP6-6.9.1.2-22, PMIP6-6.9.1.2-23, PMIP6-6.9.1.2-24, PMIP6-6.7-1
// proves: PMIP6-6.7-2
#[test]
fn acceptance_makes_tunnel_address_route_and_advertisement_in_this_order() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(attachment()));
    assert_eq!(w.state(), Some(StateName::Registering));
    let actions = w.accept(&pbu);
    let advert = Advert {
        link: LINK,
        src: GIVEN,
        dst: Some(MN_LL),
        router_lifetime_s: 1800,
        mtu: 1460,
        prefixes: vec![AdvertPrefix {
            prefix: hnp(1),
            valid_lifetime_s: 86_400,
            preferred_lifetime_s: 14_400,
        }],
    };
    assert_eq!(
        actions[1..],
        [
            Action::AddTunnel { path: PATH, tunnel_mtu: 1460 },
            Action::Remember(vec![LMA]),
            Action::ConfigureLink { link: LINK, link_local: GIVEN },
            Action::Install(route(hnp(1), LINK)),
            Action::Advertise(advert),
        ]
    );
    let row = w.mag.bindings(w.now).next().expect("entry");
    assert_eq!((row.state, row.hnp, row.link_local), (StateName::Bound, vec![hnp(1)], Some(GIVEN)));
    assert_eq!(row.lifetime_left_s, LIFETIME.as_secs());
}

// proves: PMIP6-6.9.2-1, PMIP6-6.9.2-2, PMIP6-6.9.2-3
#[test]
fn solicitation_is_answered_only_when_the_registration_is_complete() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(attachment()));
    assert_eq!(w.attach(attachment()), [], "not yet");
    w.accept(&pbu);
    let actions = w.attach(attachment());
    assert_eq!(actions.len(), 1);
    assert_eq!(adverts(&actions)[0].prefixes[0].prefix, hnp(1));
}

#[test]
fn three_advertisements_come_soon_and_then_one_every_interval() {
    let mut w = World::bound();
    assert_eq!(adverts(&w.wait(secs(16))).len(), 1);
    assert_eq!(adverts(&w.wait(secs(16))).len(), 1);
    assert_eq!(adverts(&w.wait(secs(200))).len(), 0);
    let refresh = only_pbu(&w.retry());
    assert_eq!(adverts(&w.accept(&refresh)), [], "nothing changed for the node");
}

// proves: PMIP6-6.9.2-6, PMIP6-6.9.2-7, PMIP6-6.9.2-8, PMIP6-6.9.5-6, PMIP6-6.9.5-7
// proves: PMIP6-6.9.5-8, PMIP6-6.9.5-9
#[test]
fn advertised_mtu_is_the_tunnels_or_the_links_if_that_is_lower() {
    let mtu = |path_mtu, link_mtu| {
        let mut w = World::with(MagConfig { path_mtu, ..config() });
        let mut at = attachment();
        at.link.mtu = link_mtu;
        let pbu = only_pbu(&w.attach(at));
        adverts(&w.accept(&pbu))[0].mtu
    };
    assert_eq!(mtu(1500, 1500), 1460);
    assert_eq!(mtu(9000, 1500), 1500);
    assert_eq!(mtu(1300, 1500), 1280, "never below IPv6's minimum");
}

// proves: PMIP6-6.9.5-10, PMIP6-6.9.5-11, PMIP6-6.9.5-12
#[test]
fn change_of_the_path_mtu_reaches_the_tunnel_and_the_node() {
    let mut w = World::bound();
    let actions = w.event(Event::PathMtu { lma: LMA, mtu: 1400 });
    assert_eq!(actions[0], Action::TunnelMtu { path: PATH, tunnel_mtu: 1360 });
    assert_eq!(adverts(&actions)[0].mtu, 1360);
    assert_eq!(w.event(Event::PathMtu { lma: LMA, mtu: 1400 }), [], "no change");
    assert_eq!(adverts(&w.attach(attachment()))[0].mtu, 1360, "all later ones too");
}

// proves: PMIP6-6.12-1, PMIP6-6.12-2
#[test]
fn prefix_that_the_anchor_replaces_is_withdrawn_and_its_route_deleted() {
    let mut w = World::bound();
    let refresh = only_pbu(&w.retry());
    let answer = Answer { prefixes: vec![hnp(2)], ..Answer::to(&refresh) };
    let actions = w.event(Event::Pba(answer.message()));
    assert_eq!(audits(&actions), [AuditKind::Refreshed, AuditKind::Renumbered]);
    assert_eq!(removed(&actions)[0].prefix, hnp(1));
    assert_eq!(installed(&actions)[0].prefix, hnp(2));
    let told = adverts(&actions);
    assert_eq!((told[0].prefixes[0].prefix, told[0].prefixes[0].valid_lifetime_s), (hnp(1), 0));
    assert_eq!(told[0].router_lifetime_s, 1800, "we are still its router");
    assert_eq!(told[1].prefixes.len(), 1);
    assert_eq!(told[1].prefixes[0].prefix, hnp(2));
}

// proves: PMIP6-6.9.1.2-19, PMIP6-6.9.1.4-8
#[test]
fn tunnel_lives_as_long_as_any_node_shares_it() {
    let mut w = World::bound();
    let mut second = attachment();
    second.link.id = LinkId(8);
    second.node.mn_id = MnId::nai("mn2@example.org").expect("short");
    let pbu = only_pbu(&w.attach(second));
    let answer = Answer { prefixes: vec![hnp(2)], ..Answer::to(&pbu) };
    let actions = w.event(Event::Pba(answer.message()));
    assert!(!actions.iter().any(|a| matches!(a, Action::AddTunnel { .. })));
    assert!(!w.detach(false).contains(&Action::RemoveTunnel(PATH)));
    let last = w.event(Event::Detach { link: LinkId(8), terminate: false });
    assert!(last.contains(&Action::RemoveTunnel(PATH)));
}

#[test]
fn prefix_that_comes_to_another_link_of_ours_leaves_the_first() {
    // A node hands its session over from one of its interfaces to another, at the same gateway.
    let mut w = World::bound();
    let mut at = attachment();
    at.link.id = LinkId(8);
    at.mn_ll_id = LinkLayerId::new(&[2, 0, 0, 0, 1, 2]);
    at.hint = HandoffHint::BetweenInterfaces;
    let pbu = only_pbu(&w.attach(at));
    let actions = w.accept(&pbu);
    assert_eq!(removed(&actions)[0].link, LINK);
    assert_eq!(installed(&actions)[0].link, LinkId(8));
    let removal = actions.iter().position(|a| matches!(a, Action::Remove(_)));
    assert!(removal < actions.iter().position(|a| matches!(a, Action::Install(_))));
    assert_eq!(pbus(&actions), [], "the anchor is not told that the session ended");
}

#[test]
fn same_interface_on_another_link_of_ours_takes_its_session_along() {
    let mut w = World::bound();
    let mut at = attachment();
    at.link.id = LinkId(8);
    let actions = w.attach(at);
    assert_eq!(removed(&actions)[0].link, LINK);
    let pbu = only_pbu(&actions);
    assert_eq!(pbu.update.lifetime.duration(), LIFETIME, "no de-registration");
    assert_eq!(installed(&w.accept(&pbu))[0].link, LinkId(8));
    assert_eq!(w.mag.links().count(), 1);
}

#[test]
fn refresh_comes_earlier_if_the_anchor_advises_so() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(attachment()));
    let advised = Answer { refresh_advice: Some(Lifetime(10)), ..Answer::to(&pbu) };
    w.event(Event::Pba(advised.message()));
    assert!(!w.wait(secs(39)).iter().any(|a| matches!(a, Action::Probe { .. })));
    assert!(w.wait(secs(1)).iter().any(|a| matches!(a, Action::Probe { .. })));
}
