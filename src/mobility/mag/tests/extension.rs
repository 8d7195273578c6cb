//! Service selection (RFC 5149), access network (RFC 6757), user plane (RFC 7389), identifiers
//! (RFC 4283, RFC 8371).

use super::*;
use std::net::IpAddr;

fn has(pbu: &UpdateMsg, wanted: MobilityOption<'_>) -> bool {
    options(pbu).contains(&wanted)
}

// proves: SERVICESEL-3-1, SERVICESEL-4.1-1, SERVICESEL-4.1-2, SERVICESEL-4.1-4
#[test]
fn service_is_named_once_behind_the_identifier_and_in_the_first_update_only() {
    let mut w = World::new();
    let mut at = attachment();
    at.node.service = Some("ims".into());
    let pbu = only_pbu(&w.attach(at));
    let service = MobilityOption::ServiceSelection(b"ims");
    assert_eq!(options(&pbu).iter().filter(|o| **o == service).count(), 1);
    assert!(matches!(options(&pbu)[0], MobilityOption::MnId(..)));
    w.accept(&pbu);
    w.wait(LIFETIME * 3 / 4);
    let refresh = only_pbu(&w.present());
    assert!(!has(&refresh, service));
    w.accept(&refresh);
    assert!(!has(&only_pbu(&w.detach(false)), service));
}

// proves: SERVICESEL-4.1-5
#[test]
fn service_that_is_refused_ends_the_binding_that_is_there() {
    let mut w = World::new();
    let mut at = attachment();
    at.node.service = Some("ims".into());
    let pbu = only_pbu(&w.attach(at));
    w.accept(&pbu);
    let refresh = only_pbu(&w.retry());
    let actions = w.refuse(&refresh, Status(151));
    assert_eq!(removed(&actions), [route(hnp(1), LINK)]);
    assert_eq!(w.state(), Some(StateName::Denied));
}

#[test]
fn access_network_is_told_in_every_update() {
    // ANI Type 1, 7 bytes: E, a name of 4 bytes, no access point.
    let network = [1, 7, 0x80, 4, b'h', b'o', b'm', b'e', 0];
    let access_network = Some(network.to_vec().into_boxed_slice());
    let mut w = World::with(MagConfig { access_network, ..config() });
    let pbu = only_pbu(&w.attach(attachment()));
    let told = |pbu: &UpdateMsg| {
        options(pbu).into_iter().any(|o| match o {
            MobilityOption::AccessNetworkId(ani) => ani.bytes() == network,
            _ => false,
        })
    };
    assert!(told(&pbu));
    w.accept(&pbu);
    assert!(told(&only_pbu(&w.retry())));
}

// proves: SERVICESEL-4.1-3
#[test]
fn other_service_is_registered_after_the_binding_of_the_first_was_deregistered() {
    let mut w = World::new();
    let with = |service: &str| {
        let mut at = attachment();
        at.node.service = Some(service.into());
        at
    };
    let pbu = only_pbu(&w.attach(with("internet")));
    w.accept(&pbu);
    assert_eq!(pbus(&w.attach(with("internet"))), [], "seen before");
    w.wait(secs(1));
    let mut updates = pbus(&w.attach(with("ims")));
    // RFC 6275 12: MAX_UPDATE_RATE may hold it back; but it is not repeated yet.
    updates.extend(pbus(&w.wait(Duration::from_millis(500))));
    let lifetimes: Vec<_> = updates.iter().map(|u| u.update.lifetime.0 == 0).collect();
    assert_eq!(lifetimes, [true, false]);
    assert!(!has(&updates[0], MobilityOption::ServiceSelection(b"internet")));
    assert!(has(&updates[1], MobilityOption::ServiceSelection(b"ims")));
    assert_eq!(w.mag.links().count(), 1);
}

#[test]
fn our_end_of_the_tunnel_may_be_another_address_than_the_updates_source() {
    let user_plane = ProxyCoa("2001:db8:3::11".parse().expect("address"));
    let mut w = World::with(MagConfig { user_plane: Some(user_plane), ..config() });
    let pbu = only_pbu(&w.attach(attachment()));
    assert_eq!(pbu.src, COA.0);
    assert!(has(&pbu, MobilityOption::AlternateCoa(user_plane.0)));
    let routes = installed(&w.accept(&pbu));
    assert_eq!(routes[0].path, Path { coa: user_plane, ..PATH });
}

// proves: REVOKE-9.2-5
#[test]
fn revocation_of_everything_names_the_care_of_address_if_it_is_not_the_source() {
    let user_plane = ProxyCoa("2001:db8:3::11".parse().expect("address"));
    let mut w = World::with(MagConfig { user_plane: Some(user_plane), ..config() });
    let pbu = only_pbu(&w.attach(attachment()));
    w.accept(&pbu);
    let message = &sent(&w.event(Event::RevokeAll(LMA)))[0];
    assert_eq!(message.src, COA.0);
    let named: Vec<_> = message.options.iter().collect();
    let coa = MobilityOption::AlternateCoa(user_plane.0);
    assert_eq!(named, [MobilityOption::MnId(1, b"mag1"), coa]);
}

#[test]
fn anchors_end_of_the_tunnel_is_where_it_says() {
    let mut w = World::with(MagConfig { ask_user_plane: true, ..config() });
    let pbu = only_pbu(&w.attach(attachment()));
    assert!(has(&pbu, MobilityOption::LmaUserPlane(None)));
    let there: Ipv6Addr = "2001:db8:3::1".parse().expect("address");
    let mut answer = Answer::to(&pbu);
    answer.more.push(MobilityOption::LmaUserPlane(Some(IpAddr::V6(there))));
    let other = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));
    answer.more.push(MobilityOption::LmaUserPlane(Some(other)));
    let routes = installed(&w.event(Event::Pba(answer.message())));
    assert_eq!(routes[0].path, Path { lma: AnchorAddr(there), ..PATH });
    let refresh = only_pbu(&w.retry());
    assert_eq!(refresh.dst, LMA.0, "signaling stays where it was");
}

#[test]
fn identifier_of_any_subtype_is_sent_and_recognised() {
    // RFC 8371: 16 an EUI-48.
    let eui = MnId::new(16, &[2, 0, 0, 0, 1, 1]).expect("short");
    let mut w = World::new();
    let mut at = attachment();
    at.node.mn_id = eui;
    let pbu = only_pbu(&w.attach(at));
    assert!(has(&pbu, MobilityOption::MnId(16, &[2, 0, 0, 0, 1, 1])));
    w.accept(&pbu);
    assert_eq!(w.state(), Some(StateName::Bound));
}

// proves: AUTH-5.3-2
#[test]
fn update_that_was_not_authentic_is_not_repeated() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(attachment()));
    w.refuse(&pbu, Status::MIPV6_AUTH_FAIL);
    assert_eq!(w.state(), Some(StateName::Denied));
    assert_eq!(pbus(&w.wait(secs(3600))), []);
}

// proves: AUTH-6-13
#[test]
fn update_whose_time_was_refused_is_sent_again_at_the_pace_of_retransmissions() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(attachment()));
    assert_eq!(pbus(&w.refuse(&pbu, Status::MIPV6_ID_MISMATCH)), []);
    assert_eq!(pbus(&w.wait(secs(1))).len(), 1);
}
