//! A home agent leaves service (RFC 5142).

use super::*;
use crate::mobility::message::{PeerBody, PeerMsg};

fn two_nodes(switch_rate: u32) -> World {
    let mut config = HaConfig { switch_rate, ..config() };
    config.links[0].id = Some(LinkId(0));
    let mut w = World::new(config);
    w.bu(&Bu::default());
    w.event(free());
    let options = vec![MobilityOption::MnId(1, b"mn2@example.org")];
    w.bu(&Bu { src: COA2, home: Some(POOLED), options, ..Bu::default() });
    w
}

/// Nobody else on the home link has the home address.
fn free() -> Event {
    let address = LinkAddress { link: LinkId(0), address: HOME };
    Event::HomeProbed { address, taken: false }
}

fn told(actions: &[Action]) -> Vec<Ipv6Addr> {
    messages(actions).map(|m| m.dst).collect()
}

fn messages(actions: &[Action]) -> impl Iterator<Item = &PeerMsg> {
    actions.iter().filter_map(|a| match a {
        Action::Send { msg, .. } => Some(msg),
        _ => None,
    })
}

// proves: HASWITCH-5.1-2, HASWITCH-5.1-5, HASWITCH-5.1-7, HASWITCH-5.3-3
#[test]
fn nodes_are_told_of_other_home_agents_and_refused_129_from_then_on() {
    let mut w = two_nodes(100);
    let other: Ipv6Addr = "2001:db8:100::99".parse().expect("an address");
    w.event(Event::HomeLinkRouter(RouterHeard {
        link: LinkId(0),
        src: "fe80::99".parse().expect("an address"),
        home_agent: true,
        router_lifetime_s: 600,
        information: None,
        prefixes: vec![PrefixHeard {
            prefix: prefix("2001:db8:100::/64"),
            address: Some(other),
            valid_lifetime_s: 600,
        }],
    }));
    assert_eq!(w.event(Event::NodeDrain(Drain::Begin { within: Some(Lifetime(15)) })), []);
    let actions = w.wait(Duration::ZERO);
    assert_eq!(told(&actions), [HOME, POOLED]);
    let msg = messages(&actions).next().expect("one");
    let PeerBody::Switch(switch) = msg.body else { panic!("{msg:?}") };
    assert!(switch.agents().eq([other]), "not ourselves");
    assert_eq!((msg.src, msg.node), (HA, Some(CustomerId::default())));
    assert!(msg.options.iter().eq([MobilityOption::RefreshAdvice(Lifetime(15))]));
    assert_eq!(w.status(&Bu { seq: 2, ..Bu::default() }), Some(129));
    assert!(w.binding(HOME).is_some(), "served until its lifetime ends");
    assert_eq!(w.status(&Bu { seq: 3, lifetime: 0, ..Bu::default() }), Some(0));
    w.event(Event::NodeDrain(Drain::End));
    w.bu(&Bu { seq: 4, ..Bu::default() });
    assert_eq!(reply(&w.event(free())).map(|a| a.ack.status.0), Some(0));
    assert!(told(&w.wait(Duration::from_secs(60))).is_empty());
}

// proves: HASWITCH-5.2-1, HASWITCH-5.2-2, HASWITCH-5.3-1, HASWITCH-5.3-2
#[test]
fn node_that_stays_is_told_again_after_5_10_and_20_seconds_and_keeps_its_binding() {
    let mut w = two_nodes(100);
    w.event(Event::NodeDrain(Drain::Begin { within: None }));
    assert_eq!(told(&w.wait(Duration::ZERO)).len(), 2);
    w.bu(&Bu { seq: 2, lifetime: 0, ..Bu::default() });
    assert_eq!(told(&w.wait(Duration::from_millis(4999))), [HOME; 0]);
    for wait in [1, 10_000, 20_000] {
        assert_eq!(told(&w.wait(Duration::from_millis(wait))), [POOLED], "the other has left");
    }
    assert_eq!(told(&w.wait(Duration::from_secs(100))), [HOME; 0]);
    assert!(w.binding(POOLED).is_some());
}

// proves: HASWITCH-5.2-3
#[test]
fn node_that_was_given_little_time_is_told_again_after_half_of_it() {
    let mut w = two_nodes(100);
    w.event(Event::NodeDrain(Drain::Begin { within: Some(Lifetime(1)) }));
    assert_eq!(told(&w.wait(Duration::from_millis(1999))).len(), 2);
    assert_eq!(told(&w.wait(Duration::from_millis(1))).len(), 2);
}

// proves: HASWITCH-7-1
#[test]
fn nodes_are_told_no_faster_than_the_operator_says() {
    let mut w = two_nodes(1);
    w.event(Event::NodeDrain(Drain::Begin { within: None }));
    assert_eq!(told(&w.wait(Duration::from_millis(999))), [HOME]);
    assert_eq!(told(&w.wait(Duration::from_millis(1))), [POOLED]);
}

// RFC 5142 5.2: half of no time at all would be again at once, for ever.
#[test]
fn node_that_is_to_leave_at_once_is_told_once_a_second_at_most() {
    let mut w = two_nodes(100);
    w.event(Event::NodeDrain(Drain::Begin { within: Some(Lifetime::ZERO) }));
    let first = w.wait(Duration::from_millis(900));
    assert_eq!(told(&first), [HOME, POOLED]);
    assert_eq!(told(&w.wait(Duration::from_millis(200))).len(), 2, "again");
}
