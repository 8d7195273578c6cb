//! Who may send what: every node through every tunnel, sources and destinations that no router
//! forwards, in every encapsulation.

use super::*;

/// Tunnels of `dual_tables`.
pub(super) const TUNNELS: u32 = 12;

/// The IPv6 and the IPv4 address of the node behind tunnel `i`.
pub(super) fn node(i: u32) -> (String, String) {
    (format!("2001:db8:1:a{i:x}::1"), format!("10.1.0.{}", 16 + i))
}

/// What a gateway puts before a packet.
#[derive(Clone, Copy)]
pub(super) struct Wire {
    gateway6: &'static str,
    gateway4: &'static str,
    in_ipv4: bool,
    /// From this port.
    udp: Option<u16>,
    /// To this one of ours, unless GRE makes it that of gateways.
    ours: u16,
    /// With this key; behind UDP a TLV-header comes with it.
    gre: Option<Option<u32>>,
    /// Traffic class or type of service.
    class: u8,
}

impl Wire {
    /// That of tunnel `i`.
    pub(super) fn of(i: u32) -> Self {
        let (in_ipv4, udp, gre) = [
            (false, None, None),
            (false, None, Some(None)),
            (false, None, Some(Some(0x1002))),
            (true, None, None),
            (true, None, Some(None)),
            (true, None, Some(Some(0x1005))),
            (true, Some(5437), None),
            (true, Some(40000), None),
            (true, Some(5437), Some(None)),
            (true, Some(5437), Some(Some(0x1009))),
            (true, Some(40001), None),
            (true, Some(40002), None),
        ][i as usize];
        let ours = match udp {
            Some(40001) => 4191,
            Some(40002) => 434,
            _ => 5437,
        };
        Self { gateway6: MAG1, gateway4: MAG4, in_ipv4, udp, ours, gre, class: 0 }
    }

    /// The same of gateways that serve nobody.
    fn of_rogue(self) -> Self {
        Self { gateway6: "2001:db8:a::99", gateway4: "198.51.100.8", ..self }
    }

    pub(super) fn with_class(self, class: u8) -> Self {
        Self { class, ..self }
    }

    pub(super) fn with_key(self, key: u32) -> Self {
        Self { gre: Some(Some(key)), ..self }
    }

    /// Bytes before the packet, on the way to a node.
    pub(super) fn len(self) -> usize {
        let gre = self.gre.map_or(0, |key| 4 + if key.is_some() { 4 } else { 0 });
        let has_more = self.gre.is_some() || self.ours == 434;
        let udp = self.udp.map_or(0, |_| 8 + if has_more { 4 } else { 0 });
        (if self.in_ipv4 { 20 } else { 40 }) + gre + udp
    }

    /// A tunnel packet with this packet in it, as it arrives.
    pub(super) fn carry(self, inner: &[u8]) -> Vec<u8> {
        let is_ipv4 = inner[0] >> 4 == 4;
        let (number, ether_type) = if is_ipv4 { (4, [8, 0]) } else { (41, [0x86, 0xdd]) };
        let (number, mut payload) = match self.gre {
            None => (number, inner.to_vec()),
            Some(None) => (47, [&[0, 0][..], &ether_type, inner].concat()),
            Some(Some(key)) => {
                (47, [&[0x20, 0][..], &ether_type, &key.to_be_bytes(), inner].concat())
            }
        };
        if self.udp.is_some() && self.gre.is_some() {
            let len = u16::try_from(payload.len()).unwrap().to_be_bytes();
            payload.splice(0..0, [0, 47, len[0], len[1]]);
        }
        let ours = if self.gre.is_some() { 5437 } else { self.ours };
        if self.udp.is_some() && ours == 434 {
            payload.splice(0..0, [4, number, 0, 0]);
        }
        let in_ipv4 = Packet4::new(self.gateway4, LMA4).tos(self.class);
        match self.udp {
            Some(port) => in_ipv4.udp(port, ours, &payload).on_access(),
            None if self.in_ipv4 => in_ipv4.payload(number, &payload).on_access(),
            None => {
                let outer = Packet::new(self.gateway6, LMA).traffic_class(self.class);
                outer.payload(number, &payload).on_access()
            }
        }
    }
}

/// A packet in the headers of tunnel `i`, from its gateway.
pub(super) fn tunnelled(i: u32, inner: &[u8]) -> Vec<u8> {
    Wire::of(i).carry(inner)
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
            }
        }
        rig.balance();
    }
}

/// What may be wrong with a tunnel packet of tunnel `i`, and what that is called.
fn faults(i: u32) -> Vec<(&'static str, Wire, DropReason)> {
    use DropReason as D;
    let wire = Wire::of(i);
    let mut faults = vec![("outer source", wire.of_rogue(), D::NotServing)];
    let mut fault = |what, wire, reason| faults.push((what, wire, reason));
    match wire.udp {
        None => fault("outer family", Wire { in_ipv4: !wire.in_ipv4, ..wire }, D::NotServing),
        Some(port) => {
            fault("outer port", Wire { udp: Some(port ^ 1), ..wire }, D::UdpPort);
            fault("no UDP", Wire { udp: None, ..wire }, D::Encapsulation);
        }
    }
    if wire.in_ipv4 && wire.udp.is_none() {
        fault("UDP", Wire { udp: Some(5437), ..wire }, D::Encapsulation);
    }
    match wire.gre {
        None => {
            fault("GRE", Wire { gre: Some(None), ..wire }, D::Encapsulation);
            fault("GRE with a key", Wire { gre: Some(Some(1)), ..wire }, D::Encapsulation);
        }
        Some(key) => {
            fault("no GRE", Wire { gre: None, ..wire }, D::Encapsulation);
            let other = key.map_or(1, |key| key ^ 1);
            fault("key", Wire { gre: Some(Some(other)), ..wire }, D::GreKey);
            fault("key zero", Wire { gre: Some(Some(0)), ..wire }, D::GreKey);
            if key.is_some() {
                fault("no key", Wire { gre: Some(None), ..wire }, D::GreKey);
            }
        }
    }
    faults
}

// proves: MIP6-10.4.5-3, PMIP6-5.6.2-6, GREKEY-5.2-6
#[test]
fn each_thing_that_is_wrong_with_a_tunnel_packet_is_named_in_every_encapsulation() {
    for workers in [1, 2] {
        let mut rig = Rig::dual(workers);
        // A node of another gateway, in both families.
        rig.publish(Change::EntrySet(prefix("10.1.0.99/32").into(), through(TUNNEL2)));
        for i in 0..TUNNELS {
            let (ipv6, ipv4) = node(i);
            let inners = |ipv6: &str, ipv4: &str| {
                [Packet::new(ipv6, CN).bytes(), Packet4::new(ipv4, CN4).bytes()]
            };
            for inner in inners(&ipv6, &ipv4) {
                for (what, wire, reason) in faults(i) {
                    let found = fate(&mut rig, &wire.carry(&inner));
                    assert_eq!(found, Some(reason), "{what} of tunnel {i}, {workers} workers");
                }
                assert_eq!(fate(&mut rig, &tunnelled(i, &inner)), None, "tunnel {i}");
            }
            for (reason, inners) in [
                (DropReason::InnerSource, inners("2001:db8:1:77::1", "10.1.0.200")),
                (DropReason::InnerSource, inners("2001:db8:2::1", "10.2.0.1")),
                (DropReason::NotServing, inners(MN2, "10.1.0.99")),
            ] {
                for inner in inners {
                    assert_eq!(fate(&mut rig, &tunnelled(i, &inner)), Some(reason), "tunnel {i}");
                }
            }
        }
        // Nobody is told.
        assert_eq!(rig.count(Counter::IcmpErrors), 0);
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

// proves: MIP6-10.4.2-4
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
