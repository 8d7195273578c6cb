//! Registrations under another configuration of home links.

use super::news::{heard, lasting};
use super::*;
use crate::mobility::Description;
use crate::mobility::mip4::HomeAgent4;

/// Takes over another configuration, and looks at everything again.
pub(super) fn reload(w: &mut World, ha: HaConfig) -> Vec<Action> {
    take_over(w, ha);
    let mut actions = Vec::new();
    while w.anchor.is_sweeping() {
        actions.extend(w.event(Event::Sweep));
    }
    actions
}

fn take_over(w: &mut World, ha: HaConfig) {
    let (mut description, mut mip4) = (Description::new(lma_config()), HomeAgent4::default());
    w.anchor.take_over(&mut description, &mut HomeAgent::new(ha), &mut mip4, w.now);
}

fn at_port(port: u16) -> HaConfig {
    let mut config = config();
    config.links[0].id = Some(LinkId(port));
    config
}

/// A node that is registered on the link of port 3.
fn registered_at_3() -> World {
    let mut w = World::new(at_port(3));
    w.bu(&Bu::default());
    let address = LinkAddress { link: LinkId(3), address: HOME };
    let actions = w.event(Event::HomeProbed { address, taken: false });
    assert!(actions.contains(&Action::Defend { address, router: false }));
    w
}

// proves: MIP6-10.6.4-1
#[test]
fn registration_ends_with_its_prefix_when_that_is_to_end_earlier() {
    let mut w = World::new(config());
    w.bu(&Bu::default());
    let id = w.binding(HOME).expect("there").id;
    let actions = reload(&mut w, lasting(100, 100));
    assert_eq!(actions, [Action::Persist(id)]);
    assert_eq!(heard(&w.wait(Duration::ZERO)).len(), 1, "it is told at once");
    // 24 units are left after 2 s.
    w.wait(Duration::from_secs(2));
    let actions = w.bu(&Bu { seq: 2, ..Bu::default() });
    let ack = reply(&actions).expect("an answer");
    assert_eq!((ack.ack.status.0, ack.ack.lifetime), (1, Lifetime(24)));
    w.wait(Duration::from_secs(95));
    assert!(w.binding(HOME).is_some());
    assert_eq!(published(&w.wait(Duration::from_secs(3))), [format!("{HOME}/128 gone")]);
    assert_eq!(w.status(&Bu { seq: 3, ..Bu::default() }), Some(132));
}

#[test]
fn lifetimes_that_did_not_change_run_on_over_another_configuration() {
    let mut w = World::new(lasting(100, 100));
    w.bu(&Bu::default());
    w.wait(Duration::from_secs(60));
    let mut more = lasting(100, 100);
    more.links.push(link("2001:db8:300::/64"));
    reload(&mut w, more);
    let actions = w.bu(&Bu { seq: 2, ..Bu::default() });
    assert_eq!(reply(&actions).map(|a| a.ack.lifetime), Some(Lifetime(10)));
    // One that is reconfigured begins anew.
    reload(&mut w, lasting(200, 100));
    let actions = w.bu(&Bu { seq: 3, ..Bu::default() });
    assert_eq!(reply(&actions).map(|a| a.ack.lifetime), Some(Lifetime(50)));
}

// proves: MIP6-10.6.4-1
#[test]
fn node_whose_prefix_is_gone_is_told_and_its_registration_ends() {
    let mut w = registered_at_3();
    let id = w.binding(HOME).expect("there").id;
    let address = LinkAddress { link: LinkId(3), address: HOME };
    let mut other = at_port(3);
    other.links[0].prefixes[0].prefix = prefix("2001:db8:200::/64");
    let actions = reload(&mut w, other);
    let told = &heard(&actions)[0];
    let for_ever = ("2001:db8:200::/64".to_owned(), u32::MAX, u32::MAX);
    assert_eq!(told.prefixes, [for_ever, ("2001:db8:100::/64".to_owned(), 0, 0)]);
    assert_eq!(published(&actions), [format!("{HOME}/128 gone")]);
    assert!(actions.contains(&Action::Undefend(address)));
    assert!(actions.contains(&Action::Persist(id)));
    assert_eq!(noted(&actions), [AuditKind::Home(HomeAudit::PrefixGone)]);
    assert_eq!((w.binding(HOME), w.anchor.poll_timeout()), (None, None));
    assert_eq!(w.status(&Bu { seq: 2, ..Bu::default() }), Some(132));
}

#[test]
fn node_whose_whole_link_is_gone_is_told_its_prefix_without_lifetimes() {
    let mut w = World::new(config());
    w.bu(&Bu::default());
    let actions = reload(&mut w, HaConfig { links: Vec::new(), ..config() });
    assert_eq!(heard(&actions)[0].prefixes, [("2001:db8:100::/64".to_owned(), 0, 0)]);
    assert_eq!(w.binding(HOME), None);
}

#[test]
fn registration_for_which_a_link_is_asked_that_goes_is_refused() {
    let mut w = World::new(at_port(3));
    w.bu(&Bu::default());
    let actions = reload(&mut w, HaConfig { links: Vec::new(), ..config() });
    assert_eq!(reply(&actions).map(|a| a.ack.status.0), Some(132));
    assert_eq!((w.binding(HOME), w.anchor.ha().probing()), (None, 0));
    // At another port it would have to be asked for again.
    let mut w = World::new(at_port(3));
    w.bu(&Bu::default());
    let actions = reload(&mut w, at_port(4));
    assert_eq!(reply(&actions).map(|a| a.ack.status.0), Some(130));
}

#[test]
fn links_that_come_and_go_and_their_order_do_not_concern_the_others() {
    let mut w = registered_at_3();
    let before = w.binding(HOME).cloned();
    let mut more = at_port(3);
    more.links.insert(0, link("2001:db8:300::/64"));
    more.links.insert(1, HomeLink { id: Some(LinkId(0)), ..link("2001:db8:400::/64") });
    assert_eq!(reload(&mut w, more), []);
    assert_eq!(w.binding(HOME).cloned(), before);
    let other = Ipv6Addr::new(0x2001, 0xdb8, 0x300, 0, 0, 0, 0, 2);
    let options = vec![MobilityOption::MnId(1, b"mn2@example.org")];
    let bu = Bu { home: Some(other), options, ..Bu::default() };
    assert_eq!(w.status(&bu), Some(0), "the new link is of use at once");
    assert_eq!(published(&reload(&mut w, at_port(3))), [format!("{other}/128 gone")]);
    assert_eq!(w.binding(HOME).cloned(), before);
    // To another port: who asks for it there is answered by us, who asked here is not any more.
    let [here, there] = [3, 4].map(|n| LinkAddress { link: LinkId(n), address: HOME });
    let id = before.expect("there").id;
    let expected = [
        Action::Undefend(here),
        Action::Defend { address: there, router: false },
        Action::Persist(id),
    ];
    assert_eq!(reload(&mut w, at_port(4)), expected);
}

#[test]
fn link_local_address_of_two_prefixes_is_defended_until_both_registrations_end() {
    let mut two = at_port(3);
    two.links[0].prefixes.push(link("2001:db8:200::/64").prefixes[0]);
    let mut w = World::new(two);
    let second = Ipv6Addr::new(0x2001, 0xdb8, 0x200, 0, 0, 0, 0, 0x1234);
    let link_local = LinkAddress { link: LinkId(3), address: "fe80::1234".parse().expect("one") };
    let flags = BuFlags::A | BuFlags::H | BuFlags::L;
    let mut all = Vec::new();
    for (home, name) in [(HOME, "mn1@example.org"), (second, "mn2@example.org")] {
        let options = vec![MobilityOption::MnId(1, name.as_bytes())];
        w.bu(&Bu { home: Some(home), flags, options, ..Bu::default() });
        for address in [home, link_local.address] {
            let address = LinkAddress { link: LinkId(3), address };
            all.extend(w.event(Event::HomeProbed { address, taken: false }));
        }
    }
    let defended = Action::Defend { address: link_local, router: false };
    assert_eq!(all.iter().filter(|a| **a == defended).count(), 1);
    let mut ends = |home, name: &str| {
        let options = vec![MobilityOption::MnId(1, name.as_bytes())];
        w.bu(&Bu { home: Some(home), seq: 2, lifetime: 0, flags, options, ..Bu::default() })
    };
    assert!(!ends(HOME, "mn1@example.org").contains(&Action::Undefend(link_local)));
    assert!(ends(second, "mn2@example.org").contains(&Action::Undefend(link_local)));
}

#[test]
fn what_was_restored_ends_if_its_link_is_gone_and_is_found_at_its_port() {
    let w = registered_at_3();
    let id = w.binding(HOME).expect("there").id;
    let kept = postcard::to_stdvec(&w.anchor.record(id).expect("there")).expect("encodes");
    let restore = |config: HaConfig| {
        let mut w = World::new(config);
        let mut actions = Vec::new();
        let record = postcard::from_bytes(&kept).expect("decodes");
        w.anchor.restore(record, w.now, &mut actions).expect("new");
        while w.anchor.is_sweeping() {
            actions.extend(w.event(Event::Sweep));
        }
        (w, actions)
    };
    let (w, actions) = restore(HaConfig { links: Vec::new(), ..config() });
    assert_eq!(published(&actions), [format!("{HOME}/128 to {COA}"), format!("{HOME}/128 gone")]);
    assert_eq!(w.binding(HOME), None);
    let (w, actions) = restore(at_port(5));
    let address = LinkAddress { link: LinkId(5), address: HOME };
    assert!(actions.contains(&Action::Defend { address, router: false }));
    assert_eq!(heard(&actions), [], "it knows its link");
    assert!(w.binding(HOME).is_some());
}

#[test]
fn hundreds_are_looked_at_step_by_step_and_a_second_configuration_forgets_nobody() {
    let nodes: Vec<_> = (1..=200).map(|n| node(n, None)).collect();
    let with = |preferred| HaConfig { nodes: nodes.clone(), ..lasting(100_000, preferred) };
    let mut w = World::new(with(90_000));
    for n in 1..=200 {
        let name = mn_id(n);
        let home = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 1, n.into());
        let options = vec![MobilityOption::MnId(1, name.bytes())];
        w.bu(&Bu { home: Some(home), options, lifetime: 20_000, ..Bu::default() });
    }
    take_over(&mut w, with(300));
    w.event(Event::Sweep);
    let told =
        |actions: &[Action]| actions.iter().filter(|a| matches!(a, Action::SendIcmp(_))).count();
    assert_eq!(told(&w.wait(Duration::from_secs(1))), 64);
    assert!(w.anchor.is_sweeping());
    reload(&mut w, with(400));
    let mut steps = 0;
    for _ in 0..200 {
        steps += told(&w.wait(Duration::from_millis(10)));
    }
    assert_eq!(steps, 200, "those who were told before, too");
}

#[test]
fn what_holds_for_a_run_does_not_change_and_the_rest_does() {
    let mut w = World::new(config());
    w.bu(&Bu::default());
    let other = HaConfig {
        enabled: false,
        address: COA,
        interworking: Interworking::Combined,
        max_bindings: 1,
        max_lifetime: Duration::from_secs(40),
        ..config()
    };
    reload(&mut w, other);
    assert_eq!(w.anchor.ha().interworking(), Interworking::Independent);
    let actions = w.bu(&Bu { seq: 2, ..Bu::default() });
    let ack = reply(&actions).expect("it is a home agent still");
    assert_eq!((ack.src, ack.ack.lifetime), (HA, Lifetime(10)));
    let options = vec![MobilityOption::MnId(1, b"mn2@example.org")];
    let second = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 2);
    assert_eq!(w.status(&Bu { home: Some(second), options, ..Bu::default() }), Some(0));
}
