//! What goes to the control core, and what comes from it.

use super::super::update::PuntReason;
use super::*;

/// The one report, which must be a punt, with the frame's bytes.
fn punted(rig: &mut Rig) -> (PuntReason, Vec<u8>) {
    let mut reports = rig.reports();
    assert_eq!(reports.len(), 1, "{:?}", rig.drops());
    match reports.remove(0) {
        Report::Punt(reason, frame) => (reason, frame.to_bytes()),
        other => panic!("not a punt: {other:?}"),
    }
}

#[test]
fn mobility_headers_are_signaling_also_behind_options() {
    for (next, rest) in [
        (135, &[59, 1, 5, 0, 0, 0, 0, 0][..]),
        (60, &[135, 0, 1, 4, 0, 0, 0, 0, 59, 1, 5, 0]),
        (60, &[135, 2, 1, 2, 0, 0, 201, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 59, 1]),
    ] {
        let mut rig = Rig::new(1);
        let mut frame = Packet::new(MAG1, LMA).payload(next, rest).on_access();
        frame.extend([0; 6]); // padding stays: the control core parses lengths itself
        rig.arrive(ACCESS, &frame);
        assert_eq!((rig.signaling(), rig.reports().len()), (vec![frame], 0));
        assert_eq!(rig.count(Counter::PuntSignaling), 1);
        rig.balance();
    }
}

// RFC 5844 4.1.3.1: over IPv4 a Mobility Header is in UDP to port 5436, from whatever port; what
// shares the port with it begins like an IP packet or a TLV-header (RFC 5845 7.1).
#[test]
fn mobility_headers_in_udp_are_signaling_with_their_ipv4_header() {
    for from in [5436, 1024] {
        let mut rig = Rig::dual(1);
        let message = [59, 1, 5, 0, 0, 0, 0, 0];
        let frame = Packet4::new(MAG4, LMA4).udp(from, 5436, &message).on_access();
        rig.arrive(ACCESS, &frame);
        assert_eq!((rig.signaling(), rig.reports().len()), (vec![frame], 0));
        let empty = Packet4::new(MAG4, LMA4).udp(from, 5436, &[]).on_access();
        rig.arrive(ACCESS, &empty);
        assert_eq!(rig.signaling(), [empty], "the control core judges it");
        let data = Packet4::new("10.1.0.23", CN4).bytes();
        rig.arrive(ACCESS, &Packet4::new(MAG4, LMA4).udp(40000, 5436, &data).on_access());
        assert_eq!((rig.sent_one().0, rig.count(Counter::PuntSignaling)), (CORE, 2));
        rig.balance();
    }
}

// RFC 5555 4.1: an update of a node in an IPv4 network is in an IPv6 packet from a home address
// that nobody need know. RFC 5944 3.2: what is no tunnel packet on port 434 is a registration.
#[test]
fn signaling_of_mobile_nodes_shares_its_ports_with_their_tunnels() {
    let message = [59, 1, 5, 0, 0, 0, 0, 0];
    let to_anchor = Packet::new("2001:db8:7::7", LMA);
    for (port, payload) in [
        (4191, to_anchor.clone().payload(135, &message).bytes()),
        (4191, to_anchor.payload(60, &[135, 0, 1, 4, 0, 0, 0, 0, 59, 1, 5, 0]).bytes()),
        (4191, vec![0x3b]),
        (434, vec![1, 0, 0, 0]),
        (434, vec![]),
    ] {
        let mut rig = Rig::dual(1);
        let frame = Packet4::new("198.51.100.99", LMA4).udp(1024, port, &payload).on_access();
        rig.arrive(ACCESS, &frame);
        assert_eq!((rig.signaling(), rig.reports().len()), (vec![frame], 0), "{port}");
        rig.balance();
    }
}

// RFC 6612 3.1: a node that came home de-registers through its gateway's tunnel.
#[test]
fn mobility_headers_of_nodes_inside_tunnels_are_signaling_where_there_is_a_home_agent() {
    let message = [59, 1, 5, 0, 0, 0, 0, 0];
    let inner = Packet::new(MN1, LMA).payload(135, &message);
    let frame = Packet::new(MAG1, LMA).payload(41, &inner.bytes()).on_access();
    for home_agent in [true, false] {
        let policy = TunnelPolicy { home_agent, ..POLICY };
        let mut rig = Rig::with(1, &Sizes { policy, ..SIZES });
        rig.arrive(ACCESS, &frame);
        let signaling = rig.signaling();
        assert_eq!(signaling.len(), usize::from(home_agent), "{:?}", rig.drops());
        if home_agent {
            assert_eq!(signaling[0][12..14], [0x86, 0xdd]);
            assert_eq!(signaling[0][14..], inner.bytes());
        }
        // Also by a gateway that does not serve it: it may be away from home still.
        let from = Packet::new(MAG2, LMA).payload(41, &inner.bytes()).on_access();
        rig.arrive(ACCESS, &from);
        assert_eq!(rig.signaling().len(), usize::from(home_agent), "{:?}", rig.drops());
        // What is no Mobility Header is refused all the same.
        let echo = Packet::new(MN1, LMA).payload(58, &[128, 0, 0, 0]);
        rig.arrive(ACCESS, &Packet::new(MAG1, LMA).payload(41, &echo.bytes()).on_access());
        rig.arrive(ACCESS, &Packet::new(MAG2, LMA).payload(41, &echo.bytes()).on_access());
        let refused = 2 - u64::from(home_agent);
        let mut drops = rig.drops();
        drops.sort_by_key(|(reason, _)| reason.name());
        let expected = [(DropReason::NotServing, refused), (DropReason::ToAnchor, refused)];
        assert_eq!(drops, expected);
        rig.balance();
    }
}

#[test]
fn what_is_the_kernels_is_punted_as_it_came() {
    let arp = [&[0xff; 6][..], &GATEWAY_MAC.0, &[0x08, 0x06], &[0; 46]].concat();
    let to_group = Packet::new("fe80::9", "ff02::1:ff00:ff").payload(58, &[135, 0]);
    for frame in [
        arp,
        Packet4::new(CN4, "255.255.255.255").frame(MacAddr([0xff; 6]), GATEWAY_MAC),
        Packet4::new(CN4, "224.0.0.1").frame(MacAddr([1, 0, 0x5e, 0, 0, 1]), GATEWAY_MAC),
        Packet4::new("169.254.1.1", "169.254.1.2").on_core(),
        Packet4::new(CN4, "192.0.2.254").on_core(),
        Packet4::new(CN4, LMA4).on_core(),
        Packet4::new(CN4, LMA4).payload(1, &[8, 0, 0, 0]).on_core(),
        Packet4::new(CN4, LMA4).payload(50, &[0; 24]).on_core(), // ESP
        Packet4::new(CN4, LMA4).payload(17, &[4, 1]).on_core(),  // no whole UDP header
        Packet4::new(CN4, LMA4).fragment(0x2000).on_core(),
        Packet4::new(CN4, LMA4).fragment(0x0007).on_core(),
        to_group.frame(MacAddr([0x33, 0x33, 0xff, 0, 0, 0xff]), GATEWAY_MAC),
        Packet::new("fe80::9", "fe80::c0").payload(58, &[136, 0]).on_core(),
        Packet::new("fe80::9", "2001:db8:cc::ff").payload(58, &[136, 0]).on_core(),
        Packet::new(CN, "2001:db8:cc::ff").payload(58, &[128, 0]).on_core(),
        Packet::new(CN, LMA).payload(58, &[128, 0]).on_core(),
        Packet::new(CN, LMA).payload(50, &[0; 24]).on_core(), // ESP
        Packet::new(CN, LMA).payload(44, &[58, 0, 0, 1, 0, 0, 0, 1, 128, 0]).on_core(),
        Packet::new(CN, LMA).payload(43, &[41, 2, 2, 1, 0, 0, 0, 0]).on_core(),
    ] {
        let mut rig = Rig::new(1);
        rig.arrive(CORE, &frame);
        assert_eq!(punted(&mut rig), (PuntReason::Exception, frame));
        assert_eq!(rig.count(Counter::PuntException), 1);
        rig.balance();
    }
}

#[test]
fn own_address_that_became_known_as_a_route_is_the_kernels() {
    for workers in [1, 2] {
        let mut rig = Rig::new(workers);
        rig.publish(Change::RouteSet(prefix("2001:db8:1:abc::1/128").into(), NextHop::Local));
        let frame = Packet::new(CN, "2001:db8:1:abc::1").on_core();
        rig.arrive(CORE, &frame);
        assert_eq!(punted(&mut rig), (PuntReason::Exception, frame));
        rig.balance();
    }
}

#[test]
fn frame_for_an_unresolved_neighbour_is_complete_but_for_its_destination() {
    let mut rig = Rig::new(1);
    rig.publish(Change::NeighborDel(ACCESS, addr(MAG1)));
    rig.publish(Change::NeighborDel(CORE, addr("fe80::1")));
    rig.arrive(CORE, &Packet::new(CN, MN1).on_core());
    let (reason, frame) = punted(&mut rig);
    assert_eq!(reason, PuntReason::Unresolved(ACCESS, addr(MAG1)));
    assert_eq!(frame[..14], [&[0; 6][..], &ACCESS_MAC.0, &[0x86, 0xdd]].concat());
    assert_eq!(
        (&frame[38..54], &frame[54..]),
        (&addr(MAG1).octets()[..], &Packet::new(CN, MN1).hops(63).bytes()[..])
    );
    rig.arrive(ACCESS, &uplink(&Packet::new(MN1, CN)));
    let expected = Packet::new(MN1, CN).hops(63).frame(MacAddr([0; 6]), CORE_MAC);
    assert_eq!(punted(&mut rig), (PuntReason::Unresolved(CORE, addr("fe80::1")), expected));
    assert_eq!(rig.count(Counter::PuntUnresolved), 2);
    rig.balance();
}

#[test]
fn exceptions_and_signaling_have_rings_of_their_own_and_answers_a_share() {
    let mut rig = Rig::with(1, &Sizes { report_ring_len: 16, ..SIZES });
    let signaling = Packet::new(MAG1, LMA).payload(135, &[59, 1, 5, 0]).on_access();
    for _ in 0..100 {
        rig.arrive(CORE, &Packet::new(CN, "fe80::2").on_core());
        rig.arrive(ACCESS, &signaling);
    }
    assert_eq!(
        [Counter::PuntException, Counter::PuntSignaling].map(|c| rig.count(c)),
        [14, 16],
        "seven eighths, and all"
    );
    for token in 0..5 {
        rig.publish(Change::CountersGet(prefix(HNP1).into(), token));
    }
    rig.run();
    let before = rig.reports().len();
    rig.run();
    let tokens: Vec<_> = rig
        .reports()
        .iter()
        .filter_map(|r| if let Report::Counters(t, Some(_)) = r { Some(*t) } else { None })
        .collect();
    assert_eq!((before, tokens), (16, vec![2, 3, 4]), "what has no room waits, none is lost");
    rig.balance();
}

#[test]
fn injected_frames_leave_as_they_are() {
    let mut rig = Rig::new(1);
    for i in 0..100u8 {
        let frame = rig.pool.frame(CORE, &[i; 60]).unwrap();
        rig.workers[0].injects.push(Inject::Frame(ACCESS, frame)).unwrap();
    }
    rig.run();
    assert_eq!(rig.sent(ACCESS), (0..100).map(|i| vec![i; 60]).collect::<Vec<_>>());
    assert_eq!((rig.count(Counter::Injected), rig.count(Counter::TxBytes)), (100, 6000));
    rig.balance();
}

#[test]
fn idle_poll_says_so_and_a_busy_one_says_how_much() {
    let mut rig = Rig::new(1);
    let polls = rig.count(Counter::Polls);
    let now = rig.now;
    assert_eq!(rig.workers[0].worker.poll(now), 0);
    let busy = rig.count(Counter::BusyPolls);
    rig.arrive_at(0, CORE, &Packet::new(CN, MN1).on_core());
    rig.set(HNP1, Forward::Held);
    assert_eq!(rig.workers[0].worker.poll(now), 2);
    assert_eq!((rig.count(Counter::Polls), rig.count(Counter::BusyPolls)), (polls + 2, busy + 1));
    rig.balance();
}
