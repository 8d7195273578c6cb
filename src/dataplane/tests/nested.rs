//! A tunnel inside of another: the end of a node's tunnel is an address that another binding holds.
//!
//! ```text
//!   RFC 6612 4.1   CN ... MN2's packet | IPv6 LMA -> MN1 | IPv6 LMA -> MAG1
//!   RFC 5454 3.3.2 CN ... IPv6 packet | IPv4 LMA4 -> home address | IPv4 LMA4 -> MAG4
//! ```

use super::*;

const HOA: &str = "2001:db8:1:77::1";
const HOA4: &str = "10.1.0.19"; // node 3: behind IPv4, with no header between
const OURS: TunnelId = TunnelId(2); // of nobody else

/// The dual rig with a node behind MN1, which is behind MAG1.
fn rig(workers: u16) -> Rig {
    let mut rig = Rig::dual(workers);
    tunnel(&mut rig, TunnelPath::ip(addr(LMA), addr(MN1)), "2001:db8:1:77::/64");
    rig
}

/// Forwards a prefix through a tunnel.
fn tunnel(rig: &mut Rig, path: TunnelPath, prefix_: &str) {
    rig.publish(Change::TunnelSet(OURS, Tunnel { path, mtu: 1500 }));
    rig.set(prefix_, through(OURS));
    rig.run();
}

fn in_ipv6(src: &str, dst: &str, inner: &[u8]) -> Packet {
    Packet::new(src, dst).payload(41, inner)
}

#[test]
fn packet_to_a_node_behind_a_node_gets_both_tunnels_headers_whoever_owns_them() {
    for workers in [1, 2, 3] {
        let mut rig = rig(workers);
        for worker in 0..usize::from(workers) {
            rig.arrive_at(worker, CORE, &Packet::new(CN, HOA).on_core());
            rig.run();
            let (port, frame) = rig.sent_one();
            assert_eq!(
                (port, frame.len()),
                (ACCESS, 14 + 40 + 40 + Packet::new(CN, HOA).bytes().len())
            );
            assert_eq!(
                (&frame[22..38], &frame[38..54]),
                (&addr(LMA).octets()[..], &addr(MAG1).octets()[..])
            );
            assert_eq!((frame[20], frame[60], frame[21], frame[61]), (41, 41, 64, 64));
            assert_eq!(
                (&frame[62..78], &frame[78..94]),
                (&addr(LMA).octets()[..], &addr(MN1).octets()[..])
            );
            assert_eq!(frame[94..], Packet::new(CN, HOA).hops(63).bytes());
        }
        let counted = rig.entry_counters("2001:db8:1:77::/64").unwrap();
        assert_eq!(counted.downlink_packets, u64::from(workers));
        let outer = rig.entry_counters("2001:db8:1:1::/64").unwrap();
        assert_eq!(outer.downlink_packets, u64::from(workers));
        rig.balance();
    }
}

#[test]
fn packet_out_of_two_tunnels_is_forwarded_whoever_owns_them() {
    for workers in [1, 2, 3] {
        let mut rig = rig(workers);
        let inner = in_ipv6(MN1, LMA, &Packet::new(HOA, CN).bytes());
        let frame = in_ipv6(MAG1, LMA, &inner.bytes()).on_access();
        for worker in 0..usize::from(workers) {
            rig.arrive_at(worker, ACCESS, &frame);
            rig.run();
            let (port, frame) = rig.sent_one();
            assert_eq!((port, &frame[14..]), (CORE, &Packet::new(HOA, CN).hops(63).bytes()[..]));
        }
        assert_eq!(
            rig.entry_counters("2001:db8:1:77::/64").unwrap().uplink_packets,
            u64::from(workers)
        );
        rig.balance();
    }
}

// RFC 5454 3.3.2: the address of the node's own IPv4 binding is the tunnel's end.
// proves: DSMIP4-3.3.2-2, DSMIP4-3.3.2-3
#[test]
fn ipv6_in_ipv4_to_the_home_address_goes_through_the_tunnel_of_the_home_address() {
    let mut rig = Rig::dual(1);
    let [local, remote] = [LMA4, HOA4].map(|a| ipv4(a).to_ipv6_mapped());
    tunnel(&mut rig, TunnelPath::ip(local, remote), "2001:db8:1:77::/64");
    rig.arrive(CORE, &Packet::new(CN, HOA).on_core());
    let (port, frame) = rig.sent_one();
    assert_eq!(port, ACCESS);
    assert_eq!(
        (&frame[30..34], &frame[50..54]),
        (&ipv4(MAG4).octets()[..], &ipv4(HOA4).octets()[..])
    );
    assert_eq!(
        (frame[23], frame[43], &frame[54..]),
        (4, 41, &Packet::new(CN, HOA).hops(63).bytes()[..])
    );

    let inner = Packet4::new(HOA4, LMA4).payload(41, &Packet::new(HOA, CN).bytes());
    rig.arrive(ACCESS, &Packet4::new(MAG4, LMA4).payload(4, &inner.bytes()).on_access());
    let (port, frame) = rig.sent_one();
    assert_eq!((port, &frame[14..]), (CORE, &Packet::new(HOA, CN).hops(63).bytes()[..]));
    rig.balance();
}

// Whatever carries IPv4 to the care-of address.
// proves: DSMIP4-3.3.2-2, DSMIP4-3.3.2-3
#[test]
fn ipv6_to_a_home_address_behind_gre_or_udp_has_these_headers_too() {
    const PORT: u16 = 40_000;
    let home_tunnel = TunnelId(3);
    let packet = Packet::new(CN, HOA).hops(63).bytes();
    // What stands right before the inner header: GRE's, or the MIP Tunnel Data header behind UDP's.
    for (encap, number, said, at) in
        [(Encap::Gre, 47, [0, 0, 8, 0], 0), (Encap::Mip4Udp(PORT), 17, [4, 4, 0, 0], 8)]
    {
        let mut rig = Rig::dual(1);
        let [local, gateway, home] = [LMA4, MAG4, HOA4].map(|a| ipv4(a).to_ipv6_mapped());
        let path = TunnelPath { local, remote: gateway, encap };
        rig.publish(Change::TunnelSet(home_tunnel, Tunnel { path, mtu: 1500 }));
        rig.set(&format!("{HOA4}/32"), through(home_tunnel));
        tunnel(&mut rig, TunnelPath::ip(local, home), "2001:db8:1:77::/64");
        rig.arrive(CORE, &Packet::new(CN, HOA).on_core());
        let (port, frame) = rig.sent_one();
        assert_eq!((port, frame[23], &frame[30..34]), (ACCESS, number, &ipv4(MAG4).octets()[..]));
        let inner = 34 + at + 4;
        assert_eq!(frame[inner - 4..inner], said);
        assert_eq!(&frame[inner + 16..inner + 20], &ipv4(HOA4).octets());
        assert_eq!((frame[inner + 9], &frame[inner + 20..]), (41, &packet[..]));

        let inner = Packet4::new(HOA4, LMA4).payload(41, &Packet::new(HOA, CN).bytes()).bytes();
        let (up, carried) = (Packet4::new(MAG4, LMA4), [&said[..], &inner].concat());
        let up = if at == 0 { up.payload(47, &carried) } else { up.udp(PORT, 434, &carried) };
        rig.arrive(ACCESS, &up.on_access());
        let (port, frame) = rig.sent_one();
        assert_eq!((port, &frame[14..]), (CORE, &Packet::new(HOA, CN).hops(63).bytes()[..]));
        rig.balance();
    }
}

// proves: DSMIP4-3.3.2-7, DSMIP4-3.3.2-8, DSMIP4-3.3.2-9, DSMIP4-4-1, DSMIP4-4-2
#[test]
fn ipv6_of_another_home_address_or_another_prefix_is_dropped() {
    use DropReason as D;
    let own = Packet::new(HOA, CN).bytes();
    let in_home = |gateway: &str, home: &str, packet: &[u8]| {
        let inner = Packet4::new(home, LMA4).payload(41, packet).bytes();
        Packet4::new(gateway, LMA4).payload(4, &inner).on_access()
    };
    for (frame, reason) in [
        (in_home(MAG4, "10.1.0.20", &own), D::Encapsulation), // node 4 is behind GRE
        (in_home(MAG4, "10.1.0.200", &own), D::InnerSource),
        (in_home(MAG4, HOA4, &Packet::new(MN1, CN).bytes()), D::NotServing),
        (in_home(CN4, HOA4, &own), D::NotServing),
        (Packet4::new(MAG4, LMA4).payload(41, &own).on_access(), D::NotServing),
        (Packet4::new(HOA4, LMA4).payload(41, &own).on_access(), D::NotServing),
    ] {
        let mut rig = Rig::dual(1);
        let [local, remote] = [LMA4, HOA4].map(|a| ipv4(a).to_ipv6_mapped());
        tunnel(&mut rig, TunnelPath::ip(local, remote), "2001:db8:1:77::/64");
        rig.arrive(ACCESS, &frame);
        assert_eq!(rig.drops(), [(reason, 1)]);
        rig.balance();
    }
}

// The address of a node is no address of the access network: who claims it there lies.
#[test]
fn end_of_a_nested_tunnel_is_believed_inside_of_the_nodes_own_tunnel_alone() {
    let packet = Packet::new(HOA, CN).bytes();
    for (frame, reason) in [
        (in_ipv6(MN1, LMA, &packet), DropReason::NotServing),
        (in_ipv6(MAG2, LMA, &in_ipv6(MN1, LMA, &packet).bytes()), DropReason::NotServing),
        (in_ipv6(MAG1, LMA, &in_ipv6(MN2, LMA, &packet).bytes()), DropReason::NotServing),
        // MN1's own packets, as if MN1 were the end of MN1's tunnel.
        (
            in_ipv6(MAG1, LMA, &in_ipv6(MN1, LMA, &Packet::new(MN1, CN).bytes()).bytes()),
            DropReason::NotServing,
        ),
    ] {
        let mut rig = rig(1);
        for _ in 0..2 {
            rig.arrive(ACCESS, &frame.on_access());
        }
        assert_eq!(rig.drops(), [(reason, 2)]);
        rig.balance();
    }
}

// RFC 2473 4.1.2: what would go round is not carried.
#[test]
fn third_tunnel_is_not_entered_nor_left() {
    let mut rig = rig(1);
    let third = TunnelId(3);
    let path = TunnelPath::ip(addr(LMA), addr(HOA));
    rig.publish(Change::TunnelSet(third, Tunnel { path, mtu: 1500 }));
    rig.set("2001:db8:1:78::/64", through(third));
    // And MN1 behind the one behind it.
    rig.set("2001:db8:1:1::/64", through(third));
    rig.arrive(CORE, &Packet::new(CN, "2001:db8:1:78::1").on_core());
    assert_eq!(rig.drops(), [(DropReason::NestedTunnel, 1)]);
    let mut packet = Packet::new("2001:db8:1:78::1", CN).bytes();
    for (src, _) in [(HOA, 0), (MN1, 1), (HOA, 2), (MN1, 3)] {
        packet = in_ipv6(src, LMA, &packet).bytes();
    }
    rig.arrive(ACCESS, &in_ipv6(MAG1, LMA, &packet).on_access());
    assert_eq!(rig.sent(CORE).len(), 0);
    rig.balance();
}

// The tunnel inside leaves room for the headers of the one outside.
#[test]
fn sender_is_told_what_both_tunnels_carry_and_that_much_passes_whole() {
    let mut rig = rig(1);
    rig.arrive(CORE, &Packet::new(CN, HOA).len(1413).on_core());
    let (port, error) = rig.sent_one();
    let mtu = u32::from_be_bytes(error[58..62].try_into().unwrap());
    assert_eq!((port, error[54], mtu), (CORE, 2, 1412));
    rig.arrive(CORE, &Packet::new(CN, HOA).len(1412).on_core());
    assert_eq!(rig.sent_one().1.len(), 14 + 80 + 1412);
}
