//! Mobile routers (RFC 3963), and home network prefixes that move (RFC 6612 4.2.1).

use super::*;

const ROUTER: BuFlags = BuFlags(0xc400); // A, H, R

fn routers() -> World {
    let networks = vec![prefix("2001:db8:f1::/48"), prefix("2001:db8:f2::/56")];
    let router = HomeNode { mobile_networks: networks, ..node(1, Some(HOME)) };
    World::new(HaConfig { nodes: vec![router, node(2, None)], ..config() })
}

fn explicit(seq: u16, networks: &[&str]) -> Bu<'static> {
    let options = networks.iter().map(|n| MobilityOption::MobileNetworkPrefix(prefix(n)));
    Bu { seq, flags: ROUTER, options: options.collect(), ..Bu::default() }
}

// proves: NEMO-6-2, NEMO-6.5-1, NEMO-4.1-1
#[test]
fn implicit_mode_forwards_all_networks_of_the_router_and_a_node_none() {
    let mut w = routers();
    let actions = w.bu(&Bu { flags: ROUTER, ..Bu::default() });
    let to = |p: &str| format!("{p} to {COA}");
    let own = format!("{HOME}/128");
    assert_eq!(published(&actions), ["2001:db8:f1::/48", "2001:db8:f2::/56", &own].map(to));
    assert_eq!(reply(&actions).map(|a| a.ack.flags.0), Some(0x40), "R");
    let mut w = routers();
    assert_eq!(published(&w.bu(&Bu::default())), [to(&own)]);
}

// proves: NEMO-6-2, NEMO-6.2-4, NEMO-6.2-9, NEMO-6.7-1
#[test]
fn explicit_mode_forwards_what_each_update_names() {
    let mut w = routers();
    let actions = w.bu(&explicit(1, &["2001:db8:f1:7::/64", "2001:db8:f2::/56"]));
    assert_eq!(published(&actions).len(), 3);
    let actions = w.bu(&explicit(2, &["2001:db8:f2::/56"]));
    assert_eq!(published(&actions), ["2001:db8:f1:7::/64 gone"]);
    let actions = w.bu(&Bu { lifetime: 0, ..explicit(3, &["2001:db8:bad::/48"]) });
    assert_eq!(reply(&actions).map(|a| a.ack.status.0), Some(0), "not looked at");
    assert_eq!(published(&actions).len(), 2);
}

// proves: NEMO-6.2-1, NEMO-6.2-2, NEMO-6.2-3, NEMO-6.2-5, NEMO-6.2-6, NEMO-6.2-7, NEMO-6.2-8
// proves: NEMO-6.1.2-1, NEMO-6.1.2-2, NEMO-6.2-10
#[test]
fn routers_are_refused_140_to_143_and_139() {
    let mut w = routers();
    assert_eq!(w.status(&Bu { flags: BuFlags::A | BuFlags::R, ..Bu::default() }), Some(140));
    for invalid in ["::/0", "ff00::/8", "fe80::/64"] {
        assert_eq!(w.status(&explicit(1, &["2001:db8:f1::/48", invalid])), Some(141), "{invalid}");
    }
    for another in ["2001:db8:f3::/48", "2001:db8:f2::/55", "2001:db8:100::/64"] {
        assert_eq!(w.status(&explicit(1, &["2001:db8:f1::/48", another])), Some(142), "{another}");
    }
    let id = MobilityOption::MnId(1, b"mn2@example.org");
    let home = Some("2001:db8:100::22".parse().expect("an address"));
    let nothing = Bu { flags: ROUTER, home, options: vec![id], ..Bu::default() };
    assert_eq!(w.status(&nothing), Some(143));
    assert!(w.anchor.ha().cache().is_empty());
    assert_eq!(w.status(&explicit(1, &["2001:db8:f1::/48"])), Some(0));
    assert_eq!(w.status(&Bu { seq: 2, ..Bu::default() }), Some(139), "R as it was");
    assert!(w.binding(HOME).expect("there").is_router());
    let ends = Bu { seq: 3, lifetime: 0, ..Bu::default() };
    assert_eq!(w.status(&ends), Some(0), "ignored when it ends");
}

#[test]
fn network_that_another_router_has_registered_is_refused_142() {
    let networks = vec![prefix("2001:db8:f1::/48")];
    let router = |n, home| HomeNode { mobile_networks: networks.clone(), ..node(n, Some(home)) };
    let other = Ipv6Addr::from_bits(HOME.to_bits() + 1);
    let nodes = vec![router(1, HOME), router(2, other)];
    let mut w = World::new(HaConfig { nodes, ..config() });
    assert_eq!(w.status(&Bu { flags: ROUTER, ..Bu::default() }), Some(0));
    assert_eq!(w.status(&Bu { flags: ROUTER, home: Some(other), ..Bu::default() }), Some(142));
}

// proves: NEMO-6.2-6
#[test]
fn network_that_another_router_registers_while_the_home_link_is_asked_is_refused_142() {
    let networks = vec![prefix("2001:db8:f1::/48")];
    let router = |n, home| HomeNode { mobile_networks: networks.clone(), ..node(n, Some(home)) };
    let other = Ipv6Addr::from_bits(HOME.to_bits() + 1);
    let mut config = HaConfig { nodes: vec![router(1, HOME), router(2, other)], ..config() };
    config.links[0].id = Some(LinkId(0));
    let mut w = World::new(config);
    w.bu(&Bu { flags: ROUTER, ..Bu::default() });
    w.bu(&Bu { flags: ROUTER, home: Some(other), ..Bu::default() });
    let mut free = |address| {
        let address = LinkAddress { link: LinkId(0), address };
        let actions = w.event(Event::HomeProbed { address, taken: false });
        reply(&actions).map(|a| a.ack.status.0)
    };
    assert_eq!((free(other), free(HOME)), (Some(0), Some(142)));
    assert_eq!(w.binding(HOME), None);
}

#[test]
fn with_the_flag_the_whole_home_network_prefix_moves_and_without_it_the_address() {
    let options = vec![MobilityOption::MnId(1, b"mn2@example.org")];
    let bu = Bu { home: Some(POOLED), options, ..Bu::default() };
    let mut w = routers();
    assert_eq!(published(&w.bu(&bu)), [format!("{POOLED}/128 to {COA}")]);
    let mut w = routers();
    let actions = w.bu(&Bu { flags: ROUTER, ..bu });
    let whole = format!("2001:db8:a000:1::/64 to {COA}");
    assert_eq!(published(&actions), [whole, format!("{POOLED}/128 to {COA}")]);
}
