//! What is of the link that a tunnel to a node of Mobile IPv4 is: questions about our end of it,
//! and what goes no further.

use super::dual::without_identification;
use super::*;
use crate::wire::icmpv6::ndp::{Envelope, NeighborAdvertisement, NeighborSolicitation};

/// Our end: by 192.0.2.1.
const OWN: &str = "fe80::c000:201";
const GROUP: &str = "ff02::1:ff00:201";
/// The node's end, by its home address.
const NODE: &str = "fe80::a01:13";
const HOA4: &str = "10.1.0.19"; // node 3: behind IPv4, with no header between
const NODE_PORT: u16 = 40000;

/// With a node of Mobile IPv4 whose tunnels end at its care-of address and at its home address.
fn rig(workers: u16) -> Rig {
    let policy = TunnelPolicy { home_agent: true, ..POLICY };
    let mut rig = Rig::with(workers, &Sizes { policy, ..SIZES });
    for change in dual_tables() {
        rig.publish(change);
    }
    rig.publish(Change::RouteSet(prefix("192.0.2.1/32").into(), NextHop::Local));
    for end in [MAG4, HOA4] {
        rig.publish(Change::NodeEndSet(ipv4(end).to_ipv6_mapped()));
    }
    rig.run();
    rig
}

/// What stands around a packet in a tunnel.
type Around = fn(&[u8]) -> Packet4;

/// What can stand around a packet of the node, and what then stands around the answer.
fn ways() -> [(&'static str, Around, Around); 4] {
    [
        (
            "alone",
            |p| Packet4::new(MAG4, LMA4).payload(41, p),
            |p| Packet4::new(LMA4, MAG4).payload(41, p),
        ),
        (
            "GRE",
            |p| Packet4::new(MAG4, LMA4).payload(47, &gre(p)),
            |p| Packet4::new(LMA4, MAG4).payload(47, &gre(p)),
        ),
        (
            "UDP",
            |p| Packet4::new(MAG4, LMA4).udp(NODE_PORT, 434, &tunnel_data(p)),
            |p| Packet4::new(LMA4, MAG4).udp(434, NODE_PORT, &tunnel_data(p)),
        ),
        (
            "to the home address",
            |p| {
                let inner = Packet4::new(HOA4, LMA4).payload(41, p);
                Packet4::new(MAG4, LMA4).payload(4, &inner.bytes())
            },
            |p| {
                let inner = Packet4::new(LMA4, HOA4).fragment(0).payload(41, p);
                Packet4::new(LMA4, MAG4).payload(4, &inner.bytes())
            },
        ),
    ]
}

fn gre(packet: &[u8]) -> Vec<u8> {
    [&[0, 0, 0x86, 0xdd], packet].concat()
}

fn tunnel_data(packet: &[u8]) -> Vec<u8> {
    [&[4, 41, 0, 0], packet].concat()
}

/// A solicitation with a link-layer address, which a tunnel has not and nobody reads.
fn solicitation(src: &str, dst: &str, target: &str) -> Packet {
    let source_link_layer = (src != "::").then_some(MacAddr([9; 6]));
    let message = NeighborSolicitation { target: addr(target), source_link_layer };
    let mut bytes = [0; NeighborSolicitation::LEN_MAX];
    let len = message.emit(addr(src), addr(dst), &mut bytes).expect("fits");
    Packet::new(src, dst).hops(255).payload(58, &bytes[..len])
}

/// The advertisement that answers it.
fn advertisement(dst: &str, solicited: bool) -> Vec<u8> {
    let message = NeighborAdvertisement {
        target: addr(OWN),
        router: true,
        solicited,
        overrides: false,
        target_link_layer: None,
    };
    let mut bytes = [0; 24];
    assert_eq!(message.emit(addr(OWN), addr(dst), &mut bytes), Ok(24));
    let envelope = Envelope { src: addr(OWN), dst: addr(dst), hop_limit: 255 };
    assert_eq!(NeighborAdvertisement::parse(&bytes, envelope), Ok(message), "valid");
    Packet::new(OWN, dst).hops(255).payload(58, &bytes).bytes()
}

fn echo(kind: u8, src: &str, dst: &str) -> Packet {
    use crate::dataplane::checksum::{sum_of, value};
    let mut message = [&[kind, 0, 0, 0, 0x12, 0x34, 0, 1][..], &[0xa5; 8]].concat();
    let pseudo = [&addr(src).octets()[..], &addr(dst).octets(), &[0, 0, 0, 16, 0, 0, 0, 58]];
    let checksum = value(sum_of(&[pseudo.concat(), message.clone()].concat())).to_be_bytes();
    message[2..4].copy_from_slice(&checksum);
    Packet::new(src, dst).hops(64).payload(58, &message)
}

// proves: DSMIP4-3.6-1, DSMIP4-3.6-2
#[test]
fn who_asks_for_our_end_of_its_tunnel_is_answered_by_that_tunnel() {
    let of_node = "2001:db8:1:a3::11"; // a global source, of the node behind IPv4 alone
    for workers in [1, 2, 3] {
        for (name, up, down) in ways() {
            for (question, answer) in [
                (solicitation(NODE, OWN, OWN), advertisement(NODE, true)),
                (solicitation(NODE, GROUP, OWN), advertisement(NODE, true)),
                (solicitation("::", GROUP, OWN), advertisement("ff02::1", false)),
                (echo(128, NODE, OWN), echo(129, OWN, NODE).bytes()),
                (solicitation(of_node, OWN, OWN), advertisement(of_node, true)),
            ] {
                let is_global = question.bytes()[8] == 0x20;
                if is_global && name != "alone" {
                    continue;
                }
                let mut rig = rig(workers);
                rig.arrive(ACCESS, &up(&question.bytes()).on_access());
                assert_eq!(rig.drops(), [], "{name}");
                let (port, frame) = rig.sent_one();
                let frame = without_identification(frame);
                let expected = without_identification(down(&answer).fragment(0).on_access());
                // What is inside of another has an identification of its own: from its ends on.
                let at = if name == "to the home address" { 34 + 12 } else { 14 };
                assert_eq!((port, &frame[at..]), (ACCESS, &expected[at..]), "{name}, {workers}");
                rig.balance();
            }
        }
    }
}

// proves: DSMIP4-3.6-2
#[test]
fn whatever_else_is_of_the_link_ends_there_and_is_no_exception() {
    use DropReason::{DestinationScope, SourceScope};
    let alone = |p: &Packet| Packet4::new(MAG4, LMA4).payload(41, &p.bytes()).on_access();
    let padded = |p: &Packet| {
        let gre = [&[0x80, 0, 0x86, 0xdd, 0, 0, 0, 0], &p.bytes()[..]].concat();
        let mut gre = gre;
        let sum = crate::dataplane::checksum::sum_of(&gre);
        gre[4..6].copy_from_slice(&crate::dataplane::checksum::value(sum).to_be_bytes());
        Packet4::new(MAG4, LMA4).payload(47, &gre).on_access()
    };
    let from = |src: &str, p: &Packet| Packet4::new(src, LMA4).payload(41, &p.bytes()).on_access();
    let question = solicitation(NODE, OWN, OWN);
    for (frame, reason) in [
        (alone(&solicitation(NODE, OWN, NODE)), SourceScope),
        (alone(&solicitation(NODE, GROUP, "fe80::1:201")), SourceScope),
        (alone(&question.clone().hops(254)), SourceScope),
        (alone(&echo(128, NODE, "fe80::1")), SourceScope),
        (alone(&echo(128, NODE, "ff02::1")), SourceScope),
        (alone(&echo(129, NODE, OWN)), SourceScope),
        (alone(&echo(128, "ff02::1", OWN)), SourceScope),
        (alone(&echo(128, "::", OWN)), SourceScope),
        (alone(&Packet::new(NODE, "ff02::2").hops(255).payload(58, &[133; 8])), SourceScope),
        (alone(&Packet::new(NODE, CN)), SourceScope),
        (alone(&Packet::new("2001:db8:1:a3::11", "ff02::1")), DestinationScope),
        // Headers with more in them than ours have.
        (padded(&question), SourceScope),
        // Nobody's tunnel ends there; and the home address is believed out of its tunnel alone.
        (from("198.51.100.77", &question), SourceScope),
        (from(HOA4, &question), SourceScope),
    ] {
        let mut rig = rig(1);
        rig.arrive(ACCESS, &frame);
        assert_eq!(rig.drops(), [(reason, 1)]);
        assert_eq!((rig.reports().len(), rig.sent(ACCESS).len(), rig.sent(CORE).len()), (0, 0, 0));
        rig.balance();
    }
}

// proves: DSMIP4-3.6-2
#[test]
fn tunnel_costs_a_packet_one_hop_and_what_we_say_ourselves_none() {
    // RFC 4213 3.3: as any other link; the answers above leave with the hop limit that they have.
    let mut rig = rig(1);
    let up = Packet::new("2001:db8:1:a3::11", CN).hops(9);
    rig.arrive(ACCESS, &Packet4::new(MAG4, LMA4).payload(41, &up.bytes()).on_access());
    assert_eq!(rig.sent_one().1[14..], up.hops(8).bytes());
    rig.arrive(CORE, &Packet::new(CN, "2001:db8:1:a3::11").hops(9).on_core());
    assert_eq!(rig.sent_one().1[34 + 7], 8);
    rig.balance();
}
