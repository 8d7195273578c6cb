use super::*;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::RouteNextHop;

const ACCESS: PortId = PortId(0);
const CORE: PortId = PortId(1);
const LOOPBACK: u32 = 1;

fn addr(s: &str) -> Ipv6Addr {
    s.parse().expect("valid")
}

fn prefix(s: &str) -> CustomerPrefix {
    s.parse::<HomePrefix>().expect("valid").of(OWN)
}

/// Interfaces 10 and 11 are our ports' TAPs; 2 is somebody else's.
fn mirror() -> Mirror {
    let tap = |port| TapPort { port, customer: OWN };
    Mirror::new([(10, tap(ACCESS)), (11, tap(CORE))].into_iter().collect(), LOOPBACK)
}

fn route(dst: &str, metric: u32, kind: RouteType, more: &[RouteAttribute]) -> RouteMessage {
    let CustomerPrefix { prefix: dst, .. } = prefix(dst);
    let mut m = RouteMessage::default();
    m.header.address_family = AddressFamily::Inet6;
    m.header.table = RouteHeader::RT_TABLE_MAIN;
    m.header.kind = kind;
    m.header.destination_prefix_length = dst.len();
    m.attributes = vec![
        RouteAttribute::Destination(RouteAddress::Inet6(dst.addr())),
        RouteAttribute::Priority(metric),
    ];
    m.attributes.extend_from_slice(more);
    m
}

fn via(ifindex: u32, gateway: &str) -> [RouteAttribute; 2] {
    let gateway = RouteAddress::Inet6(addr(gateway));
    [RouteAttribute::Oif(ifindex), RouteAttribute::Gateway(gateway)]
}

fn add(m: RouteMessage) -> Notice {
    Notice { message: RouteNetlinkMessage::NewRoute(m), replace: false }
}

fn del(m: RouteMessage) -> Notice {
    Notice { message: RouteNetlinkMessage::DelRoute(m), replace: false }
}

fn handle(mirror: &mut Mirror, notice: &Notice) -> Vec<KernelEvent> {
    let mut events = Vec::new();
    mirror.handle(notice, &mut events);
    events
}

fn neighbor(ifindex: u32, dst: &str, state: NeighbourState, mac: Option<[u8; 6]>) -> Notice {
    let mut m = NeighbourMessage::default();
    m.header.family = AddressFamily::Inet6;
    m.header.ifindex = ifindex;
    m.header.state = state;
    m.attributes.push(NeighbourAttribute::Destination(NeighbourAddress::Inet6(addr(dst))));
    m.attributes.extend(mac.map(|mac| NeighbourAttribute::LinkLayerAddress(mac.to_vec())));
    Notice { message: RouteNetlinkMessage::NewNeighbour(m), replace: false }
}

#[test]
fn default_route_connected_route_and_discarding_routes_are_mirrored() {
    let mut m = mirror();
    let default = add(route("::/0", 1024, RouteType::Unicast, &via(11, "fe80::1")));
    let hop = NextHop::Gateway(CORE, addr("fe80::1"));
    assert_eq!(handle(&mut m, &default), [KernelEvent::RouteSet(prefix("::/0"), hop)]);
    let p = "2001:db8:a::/64";
    let connected = add(route(p, 256, RouteType::Unicast, &[RouteAttribute::Oif(10)]));
    let on_link = KernelEvent::RouteSet(prefix(p), NextHop::OnLink(ACCESS));
    assert_eq!(handle(&mut m, &connected), [on_link]);
    for (kind, hop) in [
        (RouteType::Unreachable, NextHop::Unreachable),
        (RouteType::Prohibit, NextHop::Unreachable),
        (RouteType::BlackHole, NextHop::Blackhole),
    ] {
        let notice = add(route("2001:db8:dead::/48", 1024, kind, &[RouteAttribute::Oif(1)]));
        let events = handle(&mut mirror(), &notice);
        assert_eq!(events, [KernelEvent::RouteSet(prefix("2001:db8:dead::/48"), hop)]);
    }
}

#[test]
fn what_does_not_concern_our_ports_is_left_out() {
    let mut m = mirror();
    let mut other_table = route("2001:db8:1::/48", 1024, RouteType::Unicast, &via(10, "fe80::1"));
    other_table.header.table = 100;
    let mut cached = route("2001:db8:1::1/128", 1024, RouteType::Unicast, &via(10, "fe80::1"));
    cached.header.flags = RouteFlags::Cloned;
    for m2 in [
        route("2001:db8:1::/48", 1024, RouteType::Unicast, &via(2, "fe80::1")),
        route("fe80::/64", 256, RouteType::Unicast, &[RouteAttribute::Oif(10)]),
        route("ff00::/8", 256, RouteType::Multicast, &[RouteAttribute::Oif(10)]),
        other_table,
        cached,
    ] {
        assert_eq!(handle(&mut m, &add(m2)), []);
    }
    let reachable = Some([2; 6]);
    let strange = neighbor(2, "2001:db8::1", NeighbourState::Reachable, reachable);
    assert_eq!(handle(&mut m, &strange), []);
}

#[test]
fn lowest_metric_wins_and_its_removal_uncovers_the_next() {
    let mut m = mirror();
    let p = "2001:db8:1::/48";
    let set = |gw: &str| KernelEvent::RouteSet(prefix(p), NextHop::Gateway(CORE, addr(gw)));
    let good = route(p, 20, RouteType::Unicast, &via(11, "fe80::1"));
    let better = route(p, 10, RouteType::Unicast, &via(11, "fe80::2"));
    assert_eq!(handle(&mut m, &add(good.clone())), [set("fe80::1")]);
    assert_eq!(handle(&mut m, &add(better.clone())), [set("fe80::2")]);
    assert_eq!(handle(&mut m, &add(better.clone())), [], "told twice");
    assert_eq!(handle(&mut m, &del(better)), [set("fe80::1")]);
    assert_eq!(handle(&mut m, &del(good)), [KernelEvent::RouteDel(prefix(p))]);
    assert!(m.routes.is_empty());
}

#[test]
fn replaced_route_leaves_nothing_of_the_old_one() {
    let mut m = mirror();
    let p = "2001:db8:1::/48";
    handle(&mut m, &add(route(p, 10, RouteType::Unicast, &via(11, "fe80::1"))));
    let new = route(p, 10, RouteType::Unicast, &via(10, "fe80::2"));
    let replace = Notice { message: RouteNetlinkMessage::NewRoute(new.clone()), replace: true };
    let hop = NextHop::Gateway(ACCESS, addr("fe80::2"));
    assert_eq!(handle(&mut m, &replace), [KernelEvent::RouteSet(prefix(p), hop)]);
    assert_eq!(handle(&mut m, &del(new)), [KernelEvent::RouteDel(prefix(p))]);
}

#[test]
fn of_several_next_hops_the_first_of_ours_is_taken() {
    let mut m = mirror();
    let hops = [(2, "fe80::1"), (10, "fe80::2"), (11, "fe80::3")].map(|(index, gateway)| {
        let mut hop = RouteNextHop::default();
        hop.interface_index = index;
        hop.attributes = vec![RouteAttribute::Gateway(RouteAddress::Inet6(addr(gateway)))];
        hop
    });
    let multipath = RouteAttribute::MultiPath(hops.to_vec());
    let events = handle(&mut m, &add(route("::/0", 10, RouteType::Unicast, &[multipath])));
    let hop = NextHop::Gateway(ACCESS, addr("fe80::2"));
    assert_eq!(events, [KernelEvent::RouteSet(prefix("::/0"), hop)]);
}

#[test]
fn own_addresses_are_local_whatever_the_main_table_says() {
    let mut m = mirror();
    let p = prefix("2001:db8::1/128");
    handle(&mut m, &add(route("2001:db8::1/128", 10, RouteType::Unicast, &via(11, "fe80::1"))));
    let mut message = AddressMessage::default();
    message.header.index = LOOPBACK;
    message.attributes = vec![AddressAttribute::Address(IpAddr::V6(p.prefix.addr()))];
    let new = |m| Notice { message: RouteNetlinkMessage::NewAddress(m), replace: false };
    let events = handle(&mut m, &new(message.clone()));
    assert_eq!(events, [KernelEvent::RouteSet(p, NextHop::Local)]);
    let gone = RouteNetlinkMessage::DelAddress(message.clone());
    let events = handle(&mut m, &Notice { message: gone, replace: false });
    let hop = NextHop::Gateway(CORE, addr("fe80::1"));
    assert_eq!(events, [KernelEvent::RouteSet(p, hop)]);
    message.header.index = 2;
    assert_eq!(handle(&mut m, &new(message)), [], "on somebody else's interface");
}

#[test]
fn neighbor_is_usable_in_the_states_that_rfc_4861_allows() {
    let (mac, dst) = (Some([2, 0, 0, 0, 0, 9]), "2001:db8:a::9");
    for (state, usable) in [
        (NeighbourState::Reachable, true),
        (NeighbourState::Stale, true),
        (NeighbourState::Delay, true),
        (NeighbourState::Probe, true),
        (NeighbourState::Permanent, true),
        (NeighbourState::Incomplete, false),
        (NeighbourState::Failed, false),
    ] {
        let events = handle(&mut mirror(), &neighbor(10, dst, state, mac));
        let [KernelEvent::Neighbor(ACCESS, _, n)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(n.mac.is_some(), usable, "{}", n.state);
    }
    let mut m = mirror();
    let known = neighbor(10, dst, NeighbourState::Reachable, mac);
    handle(&mut m, &known);
    assert_eq!(handle(&mut m, &known), []);
    let RouteNetlinkMessage::NewNeighbour(message) = known.message else { panic!("a neighbour") };
    let gone = Notice { message: RouteNetlinkMessage::DelNeighbour(message), replace: false };
    assert_eq!(handle(&mut m, &gone), [KernelEvent::NeighborDel(ACCESS, addr(dst))]);
}

/// A mirror with TAPs of two customers besides, and their routes.
mod customers {
    use super::*;
    use netlink_packet_route::link::LinkMessage;
    use std::net::Ipv4Addr;

    const ACME: CustomerId = CustomerId(1);
    const BETA: CustomerId = CustomerId(2);

    fn mirror() -> Mirror {
        let tap = |port, customer| TapPort { port: PortId(port), customer };
        let taps = [(10, tap(0, OWN)), (11, tap(1, OWN)), (20, tap(2, ACME)), (21, tap(3, BETA))];
        Mirror::new(taps.into_iter().collect(), LOOPBACK)
    }

    fn of(customer: CustomerId, prefix: &str) -> CustomerPrefix {
        prefix.parse::<HomePrefix>().expect("valid").of(customer)
    }

    fn route4(dst: &str, table: u8, ifindex: u32, gateway: Option<Ipv4Addr>) -> RouteMessage {
        let (dst, len) = dst.parse::<HomePrefix>().expect("valid").to_ipv4().expect("IPv4");
        let mut m = RouteMessage::default();
        m.header.address_family = AddressFamily::Inet;
        m.header.table = table;
        m.header.kind = RouteType::Unicast;
        m.header.destination_prefix_length = len;
        m.attributes = vec![RouteAttribute::Oif(ifindex)];
        if len > 0 {
            m.attributes.push(RouteAttribute::Destination(RouteAddress::Inet(dst)));
        }
        m.attributes.extend(gateway.map(|g| RouteAttribute::Gateway(RouteAddress::Inet(g))));
        m
    }

    #[test]
    fn ipv4_routes_addresses_and_neighbors_are_ipv4_mapped() {
        let mut m = mirror();
        let router = Ipv4Addr::new(192, 0, 2, 9);
        let events = handle(&mut m, &add(route4("0.0.0.0/0", 254, 11, Some(router))));
        let hop = NextHop::Gateway(CORE, router.to_ipv6_mapped());
        assert_eq!(events, [KernelEvent::RouteSet(of(OWN, "0.0.0.0/0"), hop)]);
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.index = 10;
        let own = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        let peer = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
        message.attributes = vec![AddressAttribute::Address(peer), AddressAttribute::Local(own)];
        let message = RouteNetlinkMessage::NewAddress(message);
        let events = handle(&mut m, &Notice { message, replace: false });
        let local = KernelEvent::RouteSet(of(OWN, "192.0.2.1/32"), NextHop::Local);
        assert_eq!(events, [local]);
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.ifindex = 11;
        message.header.state = NeighbourState::Reachable;
        message.attributes = vec![
            NeighbourAttribute::Destination(NeighbourAddress::Inet(router)),
            NeighbourAttribute::LinkLayerAddress(vec![2; 6]),
        ];
        let message = RouteNetlinkMessage::NewNeighbour(message);
        let events = handle(&mut m, &Notice { message, replace: false });
        let known = Neighbor { mac: Some(MacAddr([2; 6])), state: "reachable" };
        assert_eq!(events, [KernelEvent::Neighbor(CORE, router.to_ipv6_mapped(), known)]);
    }

    #[test]
    fn route_that_leaves_by_a_customers_port_is_the_customers_whatever_its_table() {
        let mut m = mirror();
        let acme = KernelEvent::RouteSet(of(ACME, "10.0.0.0/8"), NextHop::OnLink(PortId(2)));
        let beta = KernelEvent::RouteSet(of(BETA, "10.0.0.0/8"), NextHop::OnLink(PortId(3)));
        assert_eq!(handle(&mut m, &add(route4("10.0.0.0/8", 7, 20, None))), [acme]);
        assert_eq!(handle(&mut m, &add(route4("10.0.0.0/8", 254, 21, None))), [beta]);
        assert_eq!(handle(&mut m, &add(route4("10.0.0.0/8", 7, 11, None))), [], "ours: main only");
        // The same in another table: one is left when the other goes.
        assert_eq!(handle(&mut m, &add(route4("10.0.0.0/8", 8, 20, None))), []);
        assert_eq!(handle(&mut m, &del(route4("10.0.0.0/8", 7, 20, None))), []);
        let gone = KernelEvent::RouteDel(of(ACME, "10.0.0.0/8"));
        assert_eq!(handle(&mut m, &del(route4("10.0.0.0/8", 8, 20, None))), [gone]);
    }

    #[test]
    fn route_replaced_by_one_of_another_customer_leaves_the_first() {
        let mut m = mirror();
        handle(&mut m, &add(route4("10.0.0.0/8", 7, 20, None)));
        let message = RouteNetlinkMessage::NewRoute(route4("10.0.0.0/8", 7, 21, None));
        let events = handle(&mut m, &Notice { message, replace: true });
        let beta = KernelEvent::RouteSet(of(BETA, "10.0.0.0/8"), NextHop::OnLink(PortId(3)));
        assert_eq!(events, [KernelEvent::RouteDel(of(ACME, "10.0.0.0/8")), beta]);
    }

    #[test]
    fn ipv4_route_may_have_an_ipv6_next_hop() {
        let mut m = mirror();
        let mut route = route4("198.51.100.0/24", 254, 11, None);
        route.attributes.push(RouteAttribute::Via(RouteVia::Inet6(addr("fe80::1"))));
        let hop = NextHop::Gateway(CORE, addr("fe80::1"));
        let set = KernelEvent::RouteSet(of(OWN, "198.51.100.0/24"), hop);
        assert_eq!(handle(&mut m, &add(route)), [set]);
    }

    #[test]
    fn ipv4_routes_that_the_kernel_drops_in_silence_are_looked_for() {
        let m = mirror();
        let link = |index| {
            let mut message = LinkMessage::default();
            message.header.index = index;
            RouteNetlinkMessage::NewLink(message)
        };
        assert!(m.hides_changes(&link(11)) && !m.hides_changes(&link(2)));
        let address = |family| {
            let mut message = AddressMessage::default();
            (message.header.family, message.header.index) = (family, 11);
            RouteNetlinkMessage::DelAddress(message)
        };
        assert!(m.hides_changes(&address(AddressFamily::Inet)));
        assert!(!m.hides_changes(&address(AddressFamily::Inet6)), "these it announces");
    }
}

#[test]
fn resync_says_exactly_what_changed_meanwhile() {
    let (mut old, mut new) = (mirror(), mirror());
    let stays = add(route("::/0", 10, RouteType::Unicast, &via(11, "fe80::1")));
    let goes = add(route("2001:db8:1::/48", 10, RouteType::Unicast, &via(11, "fe80::1")));
    let moves = |gw| add(route("2001:db8:2::/48", 10, RouteType::Unicast, &via(11, gw)));
    let comes = add(route("2001:db8:3::/48", 10, RouteType::Unicast, &via(11, "fe80::1")));
    let state = NeighbourState::Reachable;
    let forgotten = neighbor(10, "2001:db8:a::1", state, Some([1; 6]));
    let found = neighbor(10, "2001:db8:a::2", state, Some([2; 6]));
    for notice in [&stays, &goes, &moves("fe80::1"), &forgotten] {
        handle(&mut old, notice);
    }
    for notice in [&stays, &moves("fe80::2"), &comes, &found] {
        handle(&mut new, notice);
    }
    let mut events = Vec::new();
    old.diff(&new, &mut events);
    let hop = |gw| NextHop::Gateway(CORE, addr(gw));
    let there = Neighbor { mac: Some(MacAddr([2; 6])), state: "reachable" };
    assert_eq!(
        events,
        [
            KernelEvent::RouteDel(prefix("2001:db8:1::/48")),
            KernelEvent::RouteSet(prefix("2001:db8:2::/48"), hop("fe80::2")),
            KernelEvent::RouteSet(prefix("2001:db8:3::/48"), hop("fe80::1")),
            KernelEvent::NeighborDel(ACCESS, addr("2001:db8:a::1")),
            KernelEvent::Neighbor(ACCESS, addr("2001:db8:a::2"), there),
        ]
    );
    events.clear();
    new.diff(&new, &mut events);
    assert_eq!(events, []);
}
