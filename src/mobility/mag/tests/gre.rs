//! RFC 5845: GRE and its keys.

use super::*;
use crate::wire::mh::BuFlags;

fn with(gre: Gre) -> Attachment {
    let mut at = attachment();
    at.node.gre = gre;
    at
}

/// The GRE Key option of an update.
#[allow(clippy::option_option)]
fn option(pbu: &UpdateMsg) -> Option<Option<GreKey>> {
    options(pbu).into_iter().find_map(|o| match o {
        MobilityOption::GreKey(key) => Some(key),
        _ => None,
    })
}

fn other_node(mut at: Attachment) -> Attachment {
    at.link.id = LinkId(8);
    at.node.mn_id = MnId::nai("mn2@example.org").expect("short");
    at
}

/// Over IPv4 with UDP, which GRE needs the TLV-header for.
fn over_udp() -> (World, UpdateMsg) {
    let config = MagConfig { ipv4_proxy_coa: Some(COA4), force_udp: true, ..config() };
    let mut w = World::with(config);
    let mut at = with(Gre::Keys);
    at.node.lma = LMA4;
    let pbu = only_pbu(&w.attach(at));
    (w, pbu)
}

fn installed_one(actions: &[Action]) -> Route {
    let routes = installed(actions);
    assert_eq!(routes.len(), 1, "{actions:?}");
    routes[0]
}

// proves: GREKEY-3.3.1-1, GREKEY-3.3.1-2, GREKEY-3.3.2-3, GREKEY-3.3.2-5, GREKEY-4.2-2
// proves: GREKEY-4.2-4, GREKEY-4.2-12
#[test]
fn our_key_is_in_every_update_but_the_last_and_the_anchors_is_the_uplinks() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(with(Gre::Keys)));
    let ours = option(&pbu).flatten().expect("a key");
    let route = installed_one(&w.accept(&pbu));
    assert_eq!(route.path, Path { encap: Encap::Gre, ..PATH });
    let keys = GreKeys { downlink: Some(ours.0), uplink: Some(UPLINK.0) };
    assert_eq!(route.keys, keys);
    w.wait(LIFETIME * 3 / 4);
    let refresh = only_pbu(&w.present());
    assert_eq!(option(&refresh), Some(Some(ours)));
    w.accept(&refresh);
    assert_eq!(option(&only_pbu(&w.detach(false))), None);
}

#[test]
fn every_session_has_a_key_of_its_own() {
    let mut w = World::new();
    let first = option(&only_pbu(&w.attach(with(Gre::Keys))));
    let second = option(&only_pbu(&w.attach(other_node(with(Gre::Keys)))));
    assert!(first.is_some() && second.is_some() && first != second);
}

// proves: GREKEY-3.2-1, GREKEY-4.2-1, GREKEY-4.2-3
#[test]
fn gre_without_keys_is_asked_for_by_an_option_without_one() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(with(Gre::Encapsulation)));
    assert_eq!(option(&pbu), Some(None));
    let route = installed_one(&w.accept(&pbu));
    assert_eq!((route.path.encap, route.keys), (Encap::Gre, GreKeys::default()));
}

// proves: GREKEY-4.2-6, GREKEY-4.2-7
#[test]
fn anchor_that_leaves_the_option_out_gets_it_no_more() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(with(Gre::Keys)));
    let actions = w.event(Event::Pba(Answer { more: vec![], ..Answer::to(&pbu) }.message()));
    assert_eq!(installed(&actions), [route(hnp(1), LINK)]);
    assert!(audits(&actions).contains(&AuditKind::GreNotSupported));
    w.wait(LIFETIME * 3 / 4);
    assert_eq!(option(&only_pbu(&w.present())), None);
    assert_eq!(option(&only_pbu(&w.attach(other_node(with(Gre::Keys))))), None);
}

// proves: GREKEY-4.2-8
#[test]
fn status_163_is_answered_by_an_update_with_a_key() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(attachment()));
    assert_eq!(option(&pbu), None);
    let next = only_pbu(&w.refuse(&pbu, Status::GRE_KEY_OPTION_REQUIRED));
    assert!(option(&next).flatten().is_some());
    assert_eq!(installed_one(&w.accept(&next)).path.encap, Encap::Gre);
}

// proves: GREKEY-4.2-10, GREKEY-4.2-11
#[test]
fn status_2_ends_the_option_for_this_session_alone() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(with(Gre::Keys)));
    let status = Status::GRE_KEY_OPTION_NOT_REQUIRED;
    let answer = Answer { status, more: vec![], ..Answer::to(&pbu) };
    assert_eq!(installed(&w.event(Event::Pba(answer.message()))), [route(hnp(1), LINK)]);
    w.wait(LIFETIME * 3 / 4);
    assert_eq!(option(&only_pbu(&w.present())), None);
    assert!(option(&only_pbu(&w.attach(other_node(with(Gre::Keys))))).is_some());
}

// proves: GREKEY-7.1-1, GREKEY-7.2-1, GREKEY-7.2-3, GREKEY-7.3-1, GREKEY-7.3-2, GREKEY-7.3-3
#[test]
fn gre_in_udp_sets_t_and_uses_the_tlv_header_if_the_answer_has_it_too() {
    let (mut w, pbu) = over_udp();
    assert!(pbu.update.flags.contains(BuFlags::F | BuFlags::T));
    let answer = Answer { flags: BaFlags::P | BaFlags::T, ..Answer::to(&pbu) };
    let route = installed_one(&w.event(Event::Pba(answer.message())));
    assert_eq!(route.path, Path { coa: COA4, lma: LMA4, encap: Encap::UdpGre(5437) });
    assert_eq!(route.keys.uplink, Some(UPLINK.0));
}

// proves: GREKEY-7.3-4, GREKEY-7.3-5, GREKEY-7.3-6
#[test]
fn status_3_uses_gre_without_udp() {
    let (mut w, pbu) = over_udp();
    let status = Status::GRE_TUNNELING_BUT_TLV_HEADER_NOT_SUPPORTED;
    let answer = Answer { status, ..Answer::to(&pbu) };
    let route = installed_one(&w.event(Event::Pba(answer.message())));
    assert_eq!(route.path.encap, Encap::Gre);
    assert_eq!(route.keys.uplink, Some(UPLINK.0));
}
