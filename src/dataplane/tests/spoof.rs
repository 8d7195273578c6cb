//! Who may send what: every node through every tunnel, sources and destinations that no router
//! forwards, in every encapsulation.

use super::*;

/// Tunnels of `dual_tables`.
const TUNNELS: u32 = 10;

/// The IPv6 and the IPv4 address of the node behind tunnel `i`.
pub(super) fn node(i: u32) -> (String, String) {
    (format!("2001:db8:1:a{i:x}::1"), format!("10.1.0.{}", 16 + i))
}

/// A packet in the headers of tunnel `i`, from its gateway.
pub(super) fn tunnelled(i: u32, inner: &[u8]) -> Vec<u8> {
    tunnelled_from(i, None, inner)
}

/// The same from another gateway.
fn tunnelled_from(i: u32, gateway: Option<[&str; 2]>, inner: &[u8]) -> Vec<u8> {
    let [mag6, mag4] = gateway.unwrap_or([MAG1, MAG4]);
    let is_ipv4 = inner[0] >> 4 == 4;
    let (number, ether_type) = if is_ipv4 { (4, [8, 0]) } else { (41, [0x86, 0xdd]) };
    let gre = |key: Option<u32>| match key {
        Some(key) => [&[0x20, 0][..], &ether_type, &key.to_be_bytes(), inner].concat(),
        None => [&[0, 0][..], &ether_type, inner].concat(),
    };
    let tlv = |gre: Vec<u8>| {
        let len = u16::try_from(gre.len()).unwrap().to_be_bytes();
        [&[0, 47][..], &len, &gre].concat()
    };
    let in_ipv6 = |next, payload: &[u8]| Packet::new(mag6, LMA).payload(next, payload).on_access();
    let in_ipv4 = |p, payload: &[u8]| Packet4::new(mag4, LMA4).payload(p, payload).on_access();
    let in_udp =
        |port, payload: &[u8]| Packet4::new(mag4, LMA4).udp(port, 5437, payload).on_access();
    match i {
        0 => in_ipv6(number, inner),
        1 => in_ipv6(47, &gre(None)),
        2 => in_ipv6(47, &gre(Some(0x1002))),
        3 => in_ipv4(number, inner),
        4 => in_ipv4(47, &gre(None)),
        5 => in_ipv4(47, &gre(Some(0x1005))),
        6 => in_udp(5437, inner),
        7 => in_udp(40000, inner),
        8 => in_udp(5437, &tlv(gre(None))),
        _ => in_udp(5437, &tlv(gre(Some(0x1009)))),
    }
}

/// How a frame ends that arrives on the access port: forwarded to the core, or why not.
fn fate(rig: &mut Rig, frame: &[u8]) -> Option<DropReason> {
    let before = rig.snapshots();
    rig.arrive(ACCESS, frame);
    let sent = rig.sent(CORE).len();
    let after = rig.snapshots();
    let dropped = |r: &&DropReason| {
        before.iter().zip(&after).any(|(before, after)| after.dropped(**r) > before.dropped(**r))
    };
    let reasons: Vec<_> = DropReason::ALL.iter().filter(dropped).collect();
    assert_eq!(sent + reasons.len(), 1, "{reasons:?}");
    reasons.first().map(|r| **r)
}

/// What may be told of a tunnel packet that is not of the node's tunnel.
const NOT_THE_TUNNEL: [DropReason; 4] =
    [DropReason::NotServing, DropReason::Encapsulation, DropReason::UdpPort, DropReason::GreKey];

// proves: MIP6-10.4.5-3, PMIP6-5.6.2-6
#[test]
fn node_is_heard_through_its_own_tunnel_alone_and_that_from_its_own_gateway_alone() {
    for workers in [1, 2] {
        let mut rig = Rig::dual(workers);
        for (of, through) in (0..TUNNELS).flat_map(|of| (0..TUNNELS).map(move |t| (of, t))) {
            let (ipv6, ipv4) = node(of);
            let inner = [Packet::new(&ipv6, CN).bytes(), Packet4::new(&ipv4, CN4).bytes()];
            for inner in inner {
                let fate_ = fate(&mut rig, &tunnelled(through, &inner));
                if of == through {
                    assert_eq!(fate_, None, "node {of}");
                } else {
                    let reason = fate_.expect("not forwarded");
                    assert!(NOT_THE_TUNNEL.contains(&reason), "{of} through {through}: {reason:?}");
                }
                let rogue = Some([MAG2, "198.51.100.8"]);
                let forged = fate(&mut rig, &tunnelled_from(through, rogue, &inner));
                assert_eq!(forged, Some(DropReason::NotServing), "{of} through {through}");
            }
        }
        rig.balance();
    }
}

// RFC 5213 5.6.2, RFC 6275 10.4.2: link-local and multicast traffic stays on the link of the node.
// proves: MIP6-10.4.5-3
#[test]
fn sources_and_destinations_that_no_router_forwards_end_at_the_tunnel_in_every_encapsulation() {
    let mut rig = Rig::dual(1);
    for through in 0..TUNNELS {
        let (ipv6, ipv4) = node(through);
        for src in ["fe80::1", "ff02::1", "ff0e::1", "::", "::1", "::ffff:10.1.0.16"] {
            let frame = tunnelled(through, &Packet::new(src, CN).bytes());
            assert_eq!(fate(&mut rig, &frame), Some(DropReason::SourceScope), "{src}");
        }
        for src in
            ["169.254.1.1", "224.0.0.1", "255.255.255.255", "0.0.0.0", "127.0.0.1", "240.0.0.1"]
        {
            let frame = tunnelled(through, &Packet4::new(src, CN4).bytes());
            assert_eq!(fate(&mut rig, &frame), Some(DropReason::SourceScope), "{src}");
        }
        for src in ["2001:db8:1:77::1", "2001:db8:2::1"] {
            let frame = tunnelled(through, &Packet::new(src, CN).bytes());
            assert_eq!(fate(&mut rig, &frame), Some(DropReason::InnerSource), "{src}");
        }
        for dst in [
            "fe80::1",
            "ff02::1",
            "ff02::16",
            "ff05::2",
            "ff0e::1",
            "::",
            "::1",
            "::ffff:10.1.0.16",
        ] {
            let frame = tunnelled(through, &Packet::new(&ipv6, dst).bytes());
            assert_eq!(fate(&mut rig, &frame), Some(DropReason::DestinationScope), "{dst}");
        }
        for dst in
            ["169.254.1.1", "224.0.0.1", "239.1.1.1", "255.255.255.255", "0.0.0.0", "127.0.0.1"]
        {
            let frame = tunnelled(through, &Packet4::new(&ipv4, dst).bytes());
            assert_eq!(fate(&mut rig, &frame), Some(DropReason::DestinationScope), "{dst}");
        }
    }
    // Nobody is told: neither the gateway nor the node.
    assert_eq!((rig.count(Counter::IcmpErrors), rig.sent(ACCESS).len()), (0, 0));
    rig.balance();
}

#[test]
fn no_multicast_or_link_local_packet_from_the_core_enters_a_tunnel() {
    let mut rig = Rig::dual(1);
    let multicast_mac = MacAddr([0x33, 0x33, 0, 0, 0, 1]);
    for dst in ["ff02::1", "ff05::2", "ff0e::1", "ff3e:40:2001:db8:1:1:1:1", "fe80::1"] {
        for mac in [CORE_MAC, multicast_mac] {
            rig.arrive(CORE, &Packet::new(CN, dst).frame(mac, GATEWAY_MAC));
        }
    }
    for dst in ["224.0.0.1", "239.1.1.1", "255.255.255.255"] {
        rig.arrive(CORE, &Packet4::new(CN4, dst).on_core());
    }
    // All are the kernel's but the link-local one in a multicast frame.
    assert_eq!(
        (rig.count(Counter::PuntException), rig.drops()),
        (12, vec![(DropReason::GroupMac, 1)])
    );
    assert_eq!(rig.count(Counter::TxPackets), 0);
    rig.balance();
}
