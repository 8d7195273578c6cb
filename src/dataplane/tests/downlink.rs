//! Correspondent to node.

use super::*;

/// The flow label of a tunnel packet to MAG1.
fn label_of(packet: &Packet) -> u32 {
    let mut rig = Rig::new(1);
    rig.arrive(CORE, &packet.on_core());
    let (_, frame) = rig.sent_one();
    assert_eq!(frame[38..54], addr(MAG1).octets());
    u32::from_be_bytes([0, frame[15] & 0x0f, frame[16], frame[17]])
}

fn tunnel_remote(frame: &[u8]) -> Ipv6Addr {
    let mut octets = [0; 16];
    octets.copy_from_slice(&frame[38..54]);
    octets.into()
}

// RFC 6438
#[test]
fn flow_label_is_the_same_in_a_flow_differs_between_flows_and_is_never_zero() {
    let ports = |sport: u8| [&[sport, 1, 4, 2][..], &[7; 20]].concat();
    let udp = |sport| label_of(&Packet::new(CN, MN1).payload(UDP, &ports(sport)));
    assert_eq!(udp(1), label_of(&Packet::new(CN, MN1).payload(UDP, &ports(1)).hops(9)));
    let labels: std::collections::BTreeSet<_> = (0..32).map(udp).collect();
    assert!(labels.len() >= 31 && !labels.contains(&0), "{labels:?}");
    // The packet's own label stands for its flow, whatever the ports.
    let labelled =
        |label, sport| label_of(&Packet::new(CN, MN1).label(label).payload(UDP, &ports(sport)));
    assert_eq!(labelled(0xabcde, 1), labelled(0xabcde, 2));
    assert_ne!(labelled(0xabcde, 1), labelled(0xabcdf, 1));
    // Fragments of a packet have no ports in common, so ports do not count.
    let fragment =
        |rest| label_of(&Packet::new(CN, MN1).payload(44, &[17, 0, 0, 8, rest, 0, 0, 1]));
    assert_eq!(fragment(1), fragment(2));
    // Too short for ports.
    assert_ne!(label_of(&Packet::new(CN, MN1).payload(UDP, &[1, 2])), 0);
}

// proves: PMIP6-5.6.2-3
#[test]
fn longest_prefix_of_any_length_wins() {
    for workers in [1, 2] {
        let mut rig = Rig::new(workers);
        for (hnp, tunnel) in [
            ("2001:db8:1::/48", TUNNEL1),
            ("2001:db8:1:1::/64", TUNNEL2),
            ("2001:db8:1:1:8000::/65", TUNNEL1),
            ("2001:db8:1:1:8000::5/128", TUNNEL2),
            ("2001:db8:1:100::/56", TUNNEL2),
        ] {
            rig.set(hnp, through(tunnel));
        }
        for (dst, mag) in [
            ("2001:db8:1:1::1", MAG2),
            ("2001:db8:1:1:8000::4", MAG1),
            ("2001:db8:1:1:8000::5", MAG2),
            ("2001:db8:1:1ff::1", MAG2),
            ("2001:db8:1:200::1", MAG1),
        ] {
            for at in 0..usize::from(workers) {
                rig.arrive_at(at, CORE, &Packet::new(CN, dst).on_core());
                rig.run();
                assert_eq!(tunnel_remote(&rig.sent_one().1), addr(mag), "{dst}");
            }
        }
        rig.balance();
    }
}

// proves: PMIP6-5.6.2-3
#[test]
fn after_a_handoff_all_packets_take_the_new_tunnel_and_none_enters_from_the_old_one() {
    for workers in [1, 2] {
        let mut rig = Rig::new(workers);
        rig.arrive(CORE, &Packet::new(CN, MN1).on_core());
        assert_eq!(tunnel_remote(&rig.sent_one().1), addr(MAG1));
        // The frames arrive before the update is applied, but no burst was taken in between.
        for at in 0..usize::from(workers) {
            rig.arrive_at(at, CORE, &Packet::new(CN, MN1).on_core());
            rig.arrive_at(at, ACCESS, &uplink(&Packet::new(MN1, CN)));
        }
        rig.set(HNP1, through(TUNNEL2));
        let owner = usize::from(rig.steering.owner_of(addr(MN1)).0);
        let before = rig.workers[owner].applied.load();
        rig.run();
        assert!(before < Seq(rig.seq));
        assert_eq!(rig.workers[owner].applied.load(), Seq(rig.seq));
        let sent = rig.sent(ACCESS);
        assert_eq!(sent.len(), usize::from(workers));
        assert!(sent.iter().all(|f| tunnel_remote(f) == addr(MAG2)));
        assert_eq!(rig.drops(), [(DropReason::NotServing, u64::from(workers))]);
        rig.arrive(ACCESS, &Packet::new(MN1, CN).through(MAG2, LMA).on_access());
        assert_eq!(rig.sent_one().0, CORE);
        rig.balance();
    }
}

#[test]
fn next_hop_may_change_under_a_tunnel() {
    let mut rig = Rig::new(1);
    let down = Packet::new(CN, MN1).on_core();
    let new_mac = MacAddr([2, 9, 9, 9, 9, 9]);
    rig.publish(Change::NeighborSet(ACCESS, addr(MAG1), new_mac));
    rig.arrive(CORE, &down);
    let (port, frame) = rig.sent_one();
    assert_eq!((port, &frame[..12]), (ACCESS, &[new_mac.0, ACCESS_MAC.0].concat()[..]));
    // The way to the gateway now leads through the core: a one-armed anchor, as it were.
    let gateway = NextHop::Gateway(CORE, addr("fe80::1"));
    rig.publish(Change::RouteSet(prefix("2001:db8:a::1/128").into(), gateway));
    rig.arrive(CORE, &down);
    let (port, frame) = rig.sent_one();
    assert_eq!((port, &frame[..12]), (CORE, &[GATEWAY_MAC.0, CORE_MAC.0].concat()[..]));
    rig.balance();
}

#[test]
fn tunnel_mtu_is_also_limited_by_the_port() {
    let mut rig = Rig::new(1);
    let wide = Tunnel { path: TunnelPath::ip(addr(LMA), addr(MAG1)), mtu: 9000 };
    rig.publish(Change::TunnelSet(TUNNEL1, wide));
    rig.arrive(CORE, &Packet::new(CN, MN1).len(1460).on_core());
    assert_eq!(rig.sent_one().1.len(), 1514);
    rig.arrive(CORE, &Packet::new(CN, MN1).len(1461).on_core());
    assert_eq!(rig.drops(), [(DropReason::TunnelMtu, 1)]);
    assert_eq!(rig.sent_one().1[58..62], 1460u32.to_be_bytes());
    rig.balance();
}

// RFC 2473 4.1.1 (c): the option takes eight bytes of the tunnel's MTU.
#[test]
fn encapsulation_limit_counts_towards_the_mtu() {
    let mut rig = Rig::new(1);
    let limited = Packet::new(CN, MN1).payload(60, &[17, 0, 4, 1, 9, 1, 1, 0]);
    rig.arrive(CORE, &limited.clone().len(1452).on_core());
    assert_eq!(rig.sent_one().1.len(), 1514);
    rig.arrive(CORE, &limited.len(1453).on_core());
    assert_eq!(rig.sent_one().1[58..62], 1452u32.to_be_bytes());
    rig.balance();
}

#[test]
fn frame_in_several_buffers_is_forwarded_whole() {
    let mut rig = Rig::new(1);
    let bytes = Packet::new(CN, MN1).len(1400).on_core();
    let frame = rig.pool.frame_in_segments(CORE, &bytes[..500], &bytes[500..]).unwrap();
    rig.workers[0].rx[1].inject(frame).unwrap();
    rig.run();
    let (port, sent) = rig.sent_one();
    assert_eq!((port, sent.len()), (ACCESS, bytes.len() + 40));
    assert_eq!((&sent[54..61], &sent[62..]), (&bytes[14..21], &bytes[22..]));
    rig.balance();
}

#[test]
fn counters_of_a_binding_are_exact_over_handoffs_and_workers() {
    for workers in [1, 2] {
        let mut rig = Rig::new(workers);
        rig.set("2001:db8:1:8000::/49", through(TUNNEL1)); // on every worker
        for i in 0..20u16 {
            let at = usize::from(i % workers);
            rig.arrive_at(at, CORE, &Packet::new(CN, MN1).len(100).on_core());
            rig.arrive_at(at, ACCESS, &uplink(&Packet::new(MN1, CN).len(80)));
            let spread = format!("2001:db8:1:8{i:03x}::1");
            rig.arrive_at(at, CORE, &Packet::new(CN, &spread).len(90).on_core());
        }
        rig.run();
        rig.set(HNP1, through(TUNNEL2));
        rig.arrive(CORE, &Packet::new(CN, MN1).len(101).on_core());
        rig.arrive(ACCESS, &uplink(&Packet::new(MN1, CN))); // not counted: from the old gateway
        rig.set(HNP1, Forward::Held);
        rig.arrive(CORE, &Packet::new(CN, MN1).on_core()); // not counted: dropped
        drop(rig.reports());
        let want = EntryCounters {
            downlink_packets: 21,
            downlink_bytes: 2101,
            uplink_packets: 20,
            uplink_bytes: 1600,
        };
        assert_eq!(rig.entry_counters(HNP1), Some(want));
        let all =
            EntryCounters { downlink_packets: 20, downlink_bytes: 1800, ..Default::default() };
        assert_eq!(rig.entry_counters("2001:db8:1:8000::/49"), Some(all));
        assert_eq!(rig.count(Counter::DownlinkBytes), 2101 + 1800);
        assert_eq!(rig.count(Counter::UplinkBytes), 1600);
        rig.publish(Change::EntryDel(prefix(HNP1).into()));
        assert_eq!(rig.entry_counters(HNP1), None);
        rig.balance();
    }
}

#[test]
fn table_that_is_full_refuses_and_counts_and_the_rest_works() {
    let limits = Limits { entries_max: 2, tunnels_max: 2 };
    let mut rig = Rig::with(1, &Sizes { limits, ..SIZES });
    rig.set("2001:db8:1:3::/64", Forward::Held);
    let far = Tunnel { path: TunnelPath::ip(addr(LMA), addr(MAG1)), mtu: 1500 };
    rig.publish(Change::TunnelSet(TunnelId(2), far));
    rig.run();
    assert_eq!((rig.count(Counter::UpdatesRefused), rig.count(Counter::Entries)), (2, 2));
    rig.arrive(CORE, &Packet::new(CN, MN2).on_core());
    assert_eq!(tunnel_remote(&rig.sent_one().1), addr(MAG2));
    rig.balance();
}
