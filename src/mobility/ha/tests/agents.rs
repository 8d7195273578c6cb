//! Other home agents, and what nodes ask about them and about prefixes (RFC 6275 10.5, 10.6).

use super::*;

const ANYCAST: &str = "2001:db8:100:0:fdff:ffff:ffff:fffe";

fn heard(n: u16, preference: i16, lifetime_s: u16) -> RouterHeard {
    let address = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 1, n);
    RouterHeard {
        link: LinkId(0),
        src: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, n),
        home_agent: true,
        router_lifetime_s: 1800,
        information: Some(AgentInformation { preference, lifetime_s, mobile_routers: n == 3 }),
        prefixes: vec![PrefixHeard {
            prefix: prefix("2001:db8:100::/64"),
            address: Some(address),
            valid_lifetime_s: 100,
        }],
    }
}

fn at_port() -> HaConfig {
    let mut config = config();
    config.links[0].id = Some(LinkId(0));
    config
}

fn ask(w: &mut World, mobile_router: bool) -> Vec<u16> {
    let dst = ANYCAST.parse().expect("an address");
    let actions = w.event(Event::AgentDiscovery { src: COA, dst, id: 77, mobile_router });
    let [Action::SendIcmp(icmp)] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!((icmp.src, icmp.dst, icmp.home), (HA, COA, None));
    let HomeIcmpBody::DiscoveryReply { id: 77, mobile_routers, agents } = &icmp.body else {
        panic!("{icmp:?}")
    };
    assert_eq!(*mobile_routers, mobile_router);
    agents.iter().map(|a| a.segments()[7] | a.segments()[6] << 8).collect()
}

// proves: MIP6-8.4-8, MIP6-8.4-9, MIP6-10.1-1, MIP6-10.5.1-4, MIP6-10.5.1-5, MIP6-10.5.1-6
// proves: MIP6-10.5.1-1, MIP6-10.5.1-2, MIP6-6.5-2, MIP6-8.4-10
#[test]
fn home_agents_of_the_link_are_told_in_the_order_of_their_preference() {
    let mut config = at_port();
    config.links[0].preference = -3;
    let mut w = World::new(config);
    w.event(Event::HomeLinkRouter(heard(2, 9, 600)));
    w.event(Event::HomeLinkRouter(heard(3, -1, 600)));
    w.event(Event::HomeLinkRouter(RouterHeard { information: None, ..heard(4, 9, 600) }));
    assert_eq!(ask(&mut w, false), [0x102, 0x104, 0x103, 1], "9, 0, -1 and our -3");
    assert_eq!(ask(&mut w, true), [0x103, 1], "those that serve mobile routers");
    let elsewhere = Event::AgentDiscovery { src: COA, dst: HA, id: 1, mobile_router: false };
    assert_eq!(w.event(elsewhere), [], "not to the anycast address");
}

// proves: MIP6-10.1-3, MIP6-10.1-4, MIP6-10.5.1-3
#[test]
fn home_agent_is_forgotten_when_it_says_so_or_its_time_is_over() {
    let mut w = World::new(at_port());
    w.event(Event::HomeLinkRouter(heard(2, 9, 50)));
    w.event(Event::HomeLinkRouter(heard(3, 8, 600)));
    w.event(Event::HomeLinkRouter(heard(4, 7, 600)));
    w.event(Event::HomeLinkRouter(heard(5, 6, 600)));
    w.event(Event::HomeLinkRouter(heard(4, 7, 0)));
    w.event(Event::HomeLinkRouter(RouterHeard { home_agent: false, ..heard(5, 6, 600) }));
    assert_eq!(ask(&mut w, false), [0x102, 0x103, 1]);
    w.wait(Duration::from_secs(50));
    assert_eq!(ask(&mut w, false), [0x103, 1]);
    w.wait(Duration::from_secs(50));
    assert_eq!(ask(&mut w, false), [1], "its prefix is valid no more");
}

// proves: MIP6-10.5.1-7, MIP6-10.5.1-8, MIP6-10.5.1-9, MIP6-10.5.1-10
#[test]
fn equal_agents_take_turns_and_an_answer_fits_into_1280_bytes() {
    let mut w = World::new(at_port());
    for n in 2..10 {
        let mut all = heard(n, 5, 600);
        for more in 0..20 {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, n, more);
            all.prefixes.push(PrefixHeard { address: Some(address), ..all.prefixes[0] });
        }
        w.event(Event::HomeLinkRouter(all));
    }
    let (first, second) = (ask(&mut w, false), ask(&mut w, false));
    assert_eq!((first.len(), second.len()), (77, 77));
    assert_ne!(first, second);
    assert!(!first.contains(&1), "the least preferred is left out");
}

// proves: MIP6-6.8-9, MIP6-10.6.2-1, MIP6-6.7-1, MIP6-8.4-12
#[test]
fn prefixes_are_told_to_who_has_a_binding_there_and_once_a_second() {
    let ask = |src| Event::PrefixSolicitation { src, home: HOME, dst: HA, id: 5, esp: false };
    let ignored = |actions: Vec<Action>| match noted(&actions)[..] {
        [AuditKind::Home(HomeAudit::Ignored(why))] => Some(why),
        _ => None,
    };
    let mut w = World::new(config());
    assert_eq!(ignored(w.event(ask(COA))), Some(Ignored::NoSession));
    w.bu(&Bu::default());
    assert_eq!(ignored(w.event(ask(COA2))), Some(Ignored::NoSession));
    assert!(matches!(w.event(ask(COA))[..], [Action::SendIcmp(_)]));
    assert_eq!(w.event(ask(COA)), []);
    assert_eq!(w.wait(Duration::from_millis(999)), []);
    assert!(matches!(w.wait(Duration::from_millis(1))[..], [Action::SendIcmp(_)]));
    let mut w = World::new(HaConfig { prefix_advertisements: false, ..config() });
    w.bu(&Bu::default());
    assert_eq!(ignored(w.event(ask(COA))), Some(Ignored::Withheld));
}

// proves: MIP6-6.7-2, MIP6-6.8-3, MIP6-10.6.3-5
#[test]
fn prefixes_are_told_in_esp_to_who_asks_so_and_without_to_nobody_whose_messages_have_to_be_in_it() {
    let ask = |esp| Event::PrefixSolicitation { src: COA, home: HOME, dst: HA, id: 5, esp };
    let told = |actions: Vec<Action>| match &actions[..] {
        [Action::SendIcmp(icmp)] => Some((icmp.dst, icmp.home, icmp.esp)),
        _ => None,
    };
    let mut nodes = config().nodes;
    nodes[0].proof = Proof::Esp(None);
    let mut w = World::new(HaConfig { nodes, ..config() });
    w.bu(&Bu { transport: Transport::Ipv6Esp, ..Bu::default() });
    let clear = w.event(ask(false));
    let unauthenticated = AuditKind::Home(HomeAudit::Ignored(Ignored::Unauthenticated));
    assert_eq!(noted(&clear), [unauthenticated]);
    assert_eq!(told(clear), None);
    assert_eq!(told(w.event(ask(true))), Some((COA, Some(HOME), true)));
    // Of whom nothing is required is answered as it asks.
    let mut w = World::new(config());
    w.bu(&Bu::default());
    assert_eq!(told(w.event(ask(false))), Some((COA, Some(HOME), false)));
    w.wait(Duration::from_secs(1));
    assert_eq!(told(w.event(ask(true))), Some((COA, Some(HOME), true)));
}
