//! RFC 5844: IPv4 home addresses, and IPv4 between gateway and anchor.

use super::*;
use crate::mobility::mag::action::Ipv4Lease;
use crate::mobility::mag::event::Family;
use crate::wire::mh::{BuFlags, DhcpSupportMode, NatDetection};

fn lease() -> Ipv4Lease {
    Ipv4Lease { home: HOME, router: ROUTER, mtu: 1460, dhcp: DhcpSupportMode::Relay }
}

/// The addresses that an update asks for.
fn requests(pbu: &UpdateMsg) -> Vec<Ipv4Home> {
    let request = |o| match o {
        MobilityOption::Ipv4HomeAddressRequest(home) => Some(home),
        _ => None,
    };
    options(pbu).into_iter().filter_map(request).collect()
}

/// A world whose node is bound with both families.
fn bound() -> World {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(dual_stack()));
    w.accept(&pbu);
    w
}

fn ipv4_only() -> Attachment {
    let mut at = dual_stack();
    at.node.ipv6 = false;
    at
}

/// A node whose anchor has an IPv4 address.
fn behind_ipv4(force_udp: bool) -> (World, UpdateMsg) {
    let mut w = World::with(MagConfig { ipv4_proxy_coa: Some(COA4), force_udp, ..config() });
    let mut at = dual_stack();
    at.node.lma = LMA4;
    let pbu = only_pbu(&w.attach(at));
    (w, pbu)
}

fn path_of(w: &World) -> Option<Path> {
    w.mag.bindings(w.now).next().and_then(|row| row.path)
}

// proves: PMIP4-3.2.3.1-1, PMIP4-3.2.3.1-2, PMIP4-3.2.3.1-3, PMIP4-3.2.3.1-5, PMIP4-3.2.3.1-7
// proves: PMIP4-3.2.3.2-7, PMIP4-3.2.3.2-8, PMIP4-3.2.3.2-9, PMIP4-3.2.3.2-10, PMIP4-3.2.3.2-12
// proves: PMIP4-3.2.3.2-13, PMIP4-3.2.2-1
#[test]
fn node_of_both_families_gets_prefix_and_address_in_one_session() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(dual_stack()));
    assert_eq!(requests(&pbu), [Ipv4Home::ANY]);
    assert_eq!(prefixes(&pbu), [HomePrefix::ALL_ZERO]);
    let actions = w.accept(&pbu);
    assert_eq!(installed(&actions), [route(hnp(1), LINK), route(home(), LINK)]);
    assert!(actions.contains(&Action::ConfigureIpv4 { link: LINK, lease: lease() }));
    assert!(actions.contains(&Action::AddTunnel { path: PATH, tunnel_mtu: 1460 }));
    let row = w.mag.bindings(w.now).next().expect("entry");
    assert_eq!((row.hnp, row.ipv4), (vec![hnp(1)], Some(lease())));
    let gone = w.detach(false);
    assert_eq!(removed(&gone), [route(hnp(1), LINK), route(home(), LINK)]);
    assert!(gone.contains(&Action::UnconfigureIpv4 { link: LINK, lease: lease() }));
    assert!(gone.contains(&Action::RemoveTunnel(PATH)));
}

// proves: PMIP4-3.2.3.1-8, PMIP4-3.2.3.1-9, PMIP4-3.2.3.3-10
#[test]
fn node_of_ipv4_alone_has_no_prefix_in_any_update_and_no_router_advertisement() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(ipv4_only()));
    assert_eq!((prefixes(&pbu), requests(&pbu)), (vec![], vec![Ipv4Home::ANY]));
    let actions = w.accept(&pbu);
    assert_eq!(installed(&actions), [route(home(), LINK)]);
    assert_eq!(adverts(&actions), []);
    w.wait(LIFETIME * 3 / 4);
    let refresh = only_pbu(&w.present());
    assert_eq!((prefixes(&refresh), requests(&refresh)), (vec![], vec![HOME]));
    w.accept(&refresh);
    let end = only_pbu(&w.detach(true));
    assert_eq!((prefixes(&end), requests(&end)), (vec![], vec![HOME]));
}

// proves: PMIP4-3.2.3.1-4
#[test]
fn address_of_the_policy_profile_is_asked_for_by_name() {
    let own = Ipv4Home::new(Ipv4Addr::new(10, 1, 7, 7), 16).expect("length");
    let mut at = dual_stack();
    at.node.ipv4 = Some(own);
    assert_eq!(requests(&only_pbu(&World::new().attach(at))), [own]);
}

// proves: PMIP4-3.2.3.2-5, PMIP4-3.2.3.2-6, PMIP4-3.4.3-1
#[test]
fn without_an_address_in_the_answer_only_the_prefix_is_served() {
    let refused = ipv4(Ipv4HomeStatus::ADMINISTRATIVELY_PROHIBITED, Ipv4Home::ANY).to_vec();
    let none = ipv4(Ipv4HomeStatus::SUCCESS, Ipv4Home::ANY).to_vec();
    let no_router = vec![MobilityOption::Ipv4HomeAddressReply(Ipv4HomeStatus::SUCCESS, HOME)];
    let absent = AuditKind::NotGranted(Family::Ipv4);
    for (more, told) in [
        (vec![], absent),
        (refused, AuditKind::Ipv4Refused(129)),
        (none, absent),
        (no_router, absent),
    ] {
        let mut w = World::new();
        let pbu = only_pbu(&w.attach(dual_stack()));
        let actions = w.event(Event::Pba(Answer { more, ..Answer::to(&pbu) }.message()));
        assert_eq!(installed(&actions), [route(hnp(1), LINK)]);
        assert!(!actions.iter().any(|a| matches!(a, Action::ConfigureIpv4 { .. })));
        assert_eq!(audits(&actions), [AuditKind::Registered, told]);
    }
}

// proves: PMIP4-3.2.3.2-1, PMIP4-4.2.2-6
#[test]
fn acknowledgement_about_ipv4_or_by_ipv4_is_verified_as_any_other() {
    let changes: [fn(&mut Answer); 5] = [
        |a| a.seq = a.seq.next(),
        |a| a.src = COA.0,
        |a| a.flags = BaFlags::default(),
        |a| a.timestamp = None,
        |a| a.lifetime = Lifetime::ZERO,
    ];
    for change in changes {
        for over_ipv4 in [false, true] {
            let (mut w, pbu) = if over_ipv4 {
                behind_ipv4(false)
            } else {
                let mut by_ipv6 = World::new();
                let pbu = only_pbu(&by_ipv6.attach(dual_stack()));
                (by_ipv6, pbu)
            };
            let mut answer = Answer::to(&pbu);
            change(&mut answer);
            let actions = w.event(Event::Pba(answer.message()));
            assert!(matches!(actions[..], [Action::Audit(_)]), "{actions:?}");
            assert_eq!(w.state(), Some(StateName::Registering));
            assert_eq!(installed(&w.accept(&pbu)).len(), 2, "the right one");
        }
    }
}

#[test]
fn address_that_was_not_asked_for_is_not_taken() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(attachment()));
    let more = ipv4(Ipv4HomeStatus::SUCCESS, HOME).to_vec();
    let actions = w.event(Event::Pba(Answer { more, ..Answer::to(&pbu) }.message()));
    assert_eq!(installed(&actions), [route(hnp(1), LINK)]);
}

// proves: PMIP4-3.2.3.2-2
#[test]
fn status_170_leaves_ipv4_out_until_an_administrative_action() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(dual_stack()));
    let next = only_pbu(&w.refuse(&pbu, Status::NOT_AUTHORIZED_FOR_IPV4_MOBILITY_SERVICE));
    assert_eq!((prefixes(&next), requests(&next)), (vec![HomePrefix::ALL_ZERO], vec![]));
    w.accept(&next);
    assert_eq!(w.event(Event::WantIpv4(LINK)), [], "the node alone may not ask");
    assert_eq!(requests(&only_pbu(&w.retry())), [Ipv4Home::ANY]);
}

// proves: PMIP4-3.2.3.2-3
#[test]
fn status_171_asks_for_any_address_in_place_of_the_one_refused() {
    let mut w = World::new();
    let mut at = dual_stack();
    at.node.ipv4 = Some(HOME);
    let pbu = only_pbu(&w.attach(at));
    let status = Status::NOT_AUTHORIZED_FOR_IPV4_HOME_ADDRESS;
    let next = only_pbu(&w.refuse(&pbu, status));
    assert_eq!(requests(&next), [Ipv4Home::ANY]);
    assert_eq!(pbus(&w.refuse(&next, status)), [], "there is nothing left to ask for");
    assert_eq!(w.state(), Some(StateName::Denied));
}

// proves: PMIP4-3.2.3.2-4
#[test]
fn status_172_leaves_the_prefix_out_until_an_administrative_action() {
    let status = Status::NOT_AUTHORIZED_FOR_IPV6_MOBILITY_SERVICE;
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(dual_stack()));
    let next = only_pbu(&w.refuse(&pbu, status));
    assert_eq!((prefixes(&next), requests(&next)), (vec![], vec![Ipv4Home::ANY]));
    w.accept(&next);
    assert_eq!(prefixes(&only_pbu(&w.retry())), [HomePrefix::ALL_ZERO]);

    let mut w = World::new();
    let pbu = only_pbu(&w.attach(attachment()));
    assert_eq!(pbus(&w.refuse(&pbu, status)), [], "a node of IPv6 alone has nothing left");
    assert_eq!(w.state(), Some(StateName::Denied));
}

// proves: PMIP4-3.2.3.3-1, PMIP4-3.2.3.3-2, PMIP4-3.2.3.3-3, PMIP4-3.2.3.3-4, PMIP4-3.2.3.3-11
#[test]
fn refresh_and_deregistration_name_the_address_once_beside_the_prefix() {
    let mut w = bound();
    w.wait(LIFETIME * 3 / 4);
    let refresh = only_pbu(&w.present());
    assert_eq!((prefixes(&refresh), requests(&refresh)), (vec![hnp(1)], vec![HOME]));
    w.accept(&refresh);
    let end = only_pbu(&w.detach(false));
    assert_eq!((prefixes(&end), requests(&end)), (vec![hnp(1)], vec![HOME]));
    assert_eq!(end.update.lifetime, Lifetime::ZERO);
}

// proves: PMIP4-3.2.3.3-5, PMIP4-3.2.3.3-6
#[test]
fn address_may_be_asked_for_later_in_the_same_session() {
    let mut w = bound();
    let release = only_pbu(&w.event(Event::Release { link: LINK, family: Family::Ipv4 }));
    w.accept(&release);
    let pbu = only_pbu(&w.event(Event::WantIpv4(LINK)));
    assert_eq!((prefixes(&pbu), requests(&pbu)), (vec![hnp(1)], vec![Ipv4Home::ANY]));
    assert_eq!(handoff(&pbu), HandoffIndicator::NOT_CHANGED);
    assert_eq!(installed(&w.accept(&pbu)), [route(home(), LINK)]);
    assert_eq!(w.event(Event::WantIpv4(LINK)), [], "it has one");
}

// proves: PMIP4-3.2.3.3-7, PMIP4-3.2.3.3-8, PMIP4-3.4.3-7
#[test]
fn release_of_the_address_keeps_session_and_prefix() {
    let mut w = bound();
    let actions = w.event(Event::Release { link: LINK, family: Family::Ipv4 });
    assert_eq!(removed(&actions), [route(home(), LINK)]);
    assert!(actions.contains(&Action::UnconfigureIpv4 { link: LINK, lease: lease() }));
    let pbu = only_pbu(&actions);
    assert_eq!((prefixes(&pbu), requests(&pbu)), (vec![], vec![HOME]));
    assert_eq!(pbu.update.lifetime, Lifetime::ZERO);
    assert_eq!(audits(&w.accept(&pbu)), [AuditKind::Released(Family::Ipv4)]);
    assert_eq!(w.state(), Some(StateName::Bound));
    w.wait(LIFETIME * 3 / 4);
    let refresh = only_pbu(&w.present());
    assert_eq!((prefixes(&refresh), requests(&refresh)), (vec![hnp(1)], vec![]));
}

// proves: PMIP4-3.2.3.3-9
#[test]
fn release_of_the_prefix_keeps_session_and_address() {
    let mut w = bound();
    let actions = w.event(Event::Release { link: LINK, family: Family::Ipv6 });
    assert_eq!(removed(&actions), [route(hnp(1), LINK)]);
    assert_eq!(adverts(&actions)[0].prefixes[0].valid_lifetime_s, 0);
    let pbu = only_pbu(&actions);
    assert_eq!((prefixes(&pbu), requests(&pbu)), (vec![hnp(1)], vec![]));
    assert_eq!(pbu.update.lifetime, Lifetime::ZERO);
    w.accept(&pbu);
    w.wait(LIFETIME * 3 / 4);
    let refresh = only_pbu(&w.present());
    assert_eq!((prefixes(&refresh), requests(&refresh)), (vec![], vec![HOME]));
}

#[test]
fn release_of_the_only_family_ends_the_session() {
    let mut w = World::bound();
    assert_eq!(w.event(Event::Release { link: LINK, family: Family::Ipv4 }), []);
    w.event(Event::Release { link: LINK, family: Family::Ipv6 });
    assert_eq!(w.state(), Some(StateName::Deregistering));
}

#[test]
fn release_without_an_answer_is_sent_three_times_and_the_session_goes_on() {
    let mut w = bound();
    w.event(Event::Release { link: LINK, family: Family::Ipv4 });
    assert_eq!(pbus(&w.wait(secs(60))).len(), 2);
    w.wait((LIFETIME * 3 / 4).saturating_sub(secs(60)));
    assert_eq!(prefixes(&only_pbu(&w.present())), [hnp(1)]);
}

// proves: PMIP4-3.2.3.3-12
#[test]
fn address_that_is_not_extended_is_forwarded_no_more() {
    let mut w = bound();
    w.wait(LIFETIME * 3 / 4);
    let refresh = only_pbu(&w.present());
    let answer = Answer { more: vec![], ..Answer::to(&refresh) };
    let actions = w.event(Event::Pba(answer.message()));
    assert_eq!(removed(&actions), [route(home(), LINK)]);
    assert!(actions.contains(&Action::UnconfigureIpv4 { link: LINK, lease: lease() }));
}

// proves: PMIP4-4.1.2-1, PMIP4-4.2.1-1, PMIP4-4.2.2-1, PMIP4-4.2.2-2, PMIP4-4.2.2-3
// proves: PMIP4-4.2.2-4, PMIP4-4.2.2.1-2, PMIP4-3.2.3.1-10
#[test]
fn anchor_with_an_ipv4_address_is_spoken_to_by_udp_from_ours() {
    let (mut w, pbu) = behind_ipv4(false);
    let way = |pbu: &UpdateMsg| (pbu.src, pbu.dst, pbu.transport);
    let udp = (COA4.0, LMA4.0, Transport::Udp(5436));
    assert_eq!(way(&pbu), udp);
    assert_eq!(pbu.update.flags, BuFlags::A | BuFlags::P);
    w.accept(&pbu);
    assert_eq!(w.mag.bindings(w.now).next().expect("entry").lma, LMA4);
    w.wait(LIFETIME * 3 / 4);
    let refresh = only_pbu(&w.present());
    assert_eq!(way(&refresh), udp);
    w.accept(&refresh);
    assert_eq!(way(&only_pbu(&w.detach(false))), udp);
}

// proves: PMIP4-4.2.2-8, PMIP4-4.2.2-9, PMIP4-4.2.2-10, PMIP4-4.2.2-11
// proves: PMIP4-3.2.3.2-11
#[test]
fn nat_detection_option_with_f_tunnels_in_udp_and_anything_else_in_ipv4() {
    let nat = |force_udp| {
        let refresh_time_s = NatDetection::NO_KEEPALIVE;
        MobilityOption::NatDetection(NatDetection { force_udp, refresh_time_s })
    };
    let cases = [(None, Encap::Ip), (Some(false), Encap::Ip), (Some(true), Encap::Udp(5437))];
    for (option, encap) in cases {
        let (mut w, pbu) = behind_ipv4(false);
        let mut answer = Answer::to(&pbu);
        answer.more.extend(option.map(nat));
        let actions = w.event(Event::Pba(answer.message()));
        let path = Path { coa: COA4, lma: LMA4, encap };
        assert_eq!(path_of(&w), Some(path));
        let tunnel_mtu = if encap == Encap::Ip { 1480 } else { 1472 };
        assert!(actions.contains(&Action::AddTunnel { path, tunnel_mtu }), "{actions:?}");
        assert!(installed(&actions).iter().all(|r| r.path == path));
    }
}

// proves: PMIP4-4.2.2.1-3, PMIP4-5.2-1
#[test]
fn f_flag_says_that_udp_is_forced_and_stands_only_over_ipv4() {
    let (_, pbu) = behind_ipv4(true);
    assert!(pbu.update.flags.contains(BuFlags::F));
    let mut w = World::with(MagConfig { force_udp: true, ..config() });
    let pbu = only_pbu(&w.attach(dual_stack()));
    assert!(!pbu.update.flags.contains(BuFlags::F));
}

#[test]
fn nat_is_kept_open_by_refreshing_as_often_as_the_anchor_says() {
    let (mut w, pbu) = behind_ipv4(true);
    let mut answer = Answer::to(&pbu);
    let nat = NatDetection { force_udp: true, refresh_time_s: 20 };
    answer.more.push(MobilityOption::NatDetection(nat));
    w.event(Event::Pba(answer.message()));
    assert!(!w.wait(secs(19)).iter().any(|a| matches!(a, Action::Probe { .. })));
    assert!(w.wait(secs(1)).iter().any(|a| matches!(a, Action::Probe { .. })));
    assert_eq!(pbus(&w.present()).len(), 1);
}
