//! What both families and all encapsulations add to the ways to a [`DropReason`].

use super::drop::{Case, segmented};
use super::*;
use crate::nic::mem::SEGMENT_MAX;

/// Node 0 is behind IP in IPv6, 3 behind IP in IPv4, 4 behind GRE in it, 5 the same with keys, 6
/// behind UDP, 8 behind TLV and GRE, 9 the same with keys.
const NODE: [&str; 10] = [
    "10.1.0.16",
    "10.1.0.17",
    "10.1.0.18",
    "10.1.0.19",
    "10.1.0.20",
    "10.1.0.21",
    "10.1.0.22",
    "10.1.0.23",
    "10.1.0.24",
    "10.1.0.25",
];
const GRE_IPV4: [u8; 4] = [0, 0, 8, 0];
const GRE_KEY: [u8; 4] = [0x20, 0, 8, 0];

fn rig_with(port: PortId, frame: &[u8]) -> Rig {
    let mut rig = Rig::dual(1);
    rig.arrive(port, frame);
    rig
}

fn from_core(packet: &Packet4) -> Rig {
    rig_with(CORE, &packet.on_core())
}

fn from_access(packet: &Packet4) -> Rig {
    rig_with(ACCESS, &packet.on_access())
}

/// A frame from the core to node 3 with its header changed; the checksum holds again unless that
/// was what has changed.
fn with_header(at: usize, byte: u8) -> Rig {
    let mut frame = Packet4::new(CN4, NODE[3]).on_core();
    frame[at] = byte;
    if !(24..26).contains(&at) {
        frame[24..26].fill(0);
        let checksum =
            super::super::checksum::value(super::super::checksum::sum_of(&frame[14..34]));
        frame[24..26].copy_from_slice(&checksum.to_be_bytes());
    }
    rig_with(CORE, &frame)
}

/// From node `i`.
fn from_node(i: usize) -> Packet4 {
    Packet4::new(NODE[i], CN4)
}

/// To the anchor's IPv4 address, with this behind the header.
fn to_lma(protocol: u8, parts: &[&[u8]]) -> Packet4 {
    Packet4::new(MAG4, LMA4).payload(protocol, &parts.concat())
}

/// To the anchor's port of tunnels, from this port of the gateway.
fn udp(from: u16, parts: &[&[u8]]) -> Packet4 {
    Packet4::new(MAG4, LMA4).udp(from, 5437, &parts.concat())
}

fn mip4(parts: &[&[u8]]) -> Packet4 {
    Packet4::new(MAG4, LMA4).udp(40002, 434, &parts.concat())
}

/// A TLV-header before this.
fn tlv(next: u8, parts: &[&[u8]]) -> Vec<u8> {
    let rest = parts.concat();
    [&[0, next][..], &u16::try_from(rest.len()).unwrap().to_be_bytes(), &rest].concat()
}

fn with_byte(packet: &Packet4, at: usize, byte: u8) -> Rig {
    let mut frame = packet.on_access();
    frame[at] = byte;
    rig_with(ACCESS, &frame)
}

/// A tunnel of 1300 bytes to node 3.
fn thin(packet: &Packet4) -> Rig {
    let mut rig = Rig::dual(1);
    let [local, remote] = [LMA4, MAG4].map(|a| ipv4(a).to_ipv6_mapped());
    let tunnel = Tunnel { path: TunnelPath::ip(local, remote), mtu: 1300 };
    rig.publish(Change::TunnelSet(dual_tunnel(3), tunnel));
    rig.arrive(CORE, &packet.on_core());
    rig
}

#[allow(clippy::too_many_lines)] // a table
pub(super) fn cases() -> Vec<Case> {
    use DropReason as D;
    vec![
        (D::FrameShort, || rig_with(CORE, &Packet4::new(CN4, NODE[3]).on_core()[..33])),
        (D::TunnelLoop, || {
            let mut rig = own::rig(1);
            rig.publish(Change::NodeEndSet(ipv4(MAG4).to_ipv6_mapped()));
            let back = Packet4::new(MAG4, NODE[3]).payload(4, &Packet4::new(CN4, NODE[3]).bytes());
            rig.arrive(ACCESS, &back.on_access());
            rig
        }),
        (D::Ipv4Header, || with_header(14, 0x4f)), // options beyond the packet
        (D::IpVersion, || with_header(14, 0x65)),
        (D::Ipv4Header, || with_header(14, 0x44)),
        (D::Ipv4Header, || with_header(17, 19)),
        (D::Ipv4Header, || {
            let mut inner = from_node(3).bytes();
            inner[0] = 0x44;
            from_access(&to_lma(4, &[&inner]))
        }),
        (D::Ipv4Checksum, || with_header(24, 0xff)),
        (D::Ipv4Checksum, || {
            let mut inner = from_node(3).bytes();
            inner[8] += 1;
            from_access(&to_lma(4, &[&inner]))
        }),
        (D::Ipv4Checksum, || with_byte(&to_lma(4, &[&from_node(3).bytes()]), 22, 1)),
        (D::Truncated, || {
            let frame = Packet4::new(CN4, NODE[3]).on_core();
            rig_with(CORE, &frame[..frame.len() - 1])
        }),
        (D::GroupMac, || {
            rig_with(CORE, &Packet4::new(CN4, NODE[3]).frame(MacAddr([0xff; 6]), GATEWAY_MAC))
        }),
        (D::SourceScope, || from_core(&Packet4::new("127.0.0.1", NODE[3]))),
        (D::SourceScope, || from_core(&Packet4::new("0.0.0.0", NODE[3]))),
        (D::SourceScope, || from_core(&Packet4::new("255.255.255.255", NODE[3]))),
        (D::SourceScope, || from_access(&to_lma(4, &[&Packet4::new("224.0.0.9", CN4).bytes()]))),
        // An IPv6 packet may not name an IPv4 home address.
        (D::SourceScope, || {
            let inner = Packet::new("::ffff:10.1.0.16", CN);
            rig_with(ACCESS, &inner.through(MAG1, LMA).on_access())
        }),
        (D::SourceScope, || rig_with(CORE, &Packet::new("::ffff:203.0.113.9", MN1).on_core())),
        (D::DestinationScope, || rig_with(CORE, &Packet::new(CN, "::ffff:10.1.0.16").on_core())),
        (D::DestinationScope, || {
            rig_with(ACCESS, &uplink(&Packet::new(MN1, "::ffff:203.0.113.9")))
        }),
        (D::DestinationScope, || from_core(&Packet4::new(CN4, "127.0.0.1"))),
        (D::DestinationScope, || from_core(&Packet4::new(CN4, "240.0.0.1"))),
        (D::DestinationScope, || from_core(&Packet4::new(CN4, "0.0.0.0"))),
        (D::DestinationScope, || {
            from_access(&to_lma(4, &[&Packet4::new(NODE[3], "255.255.255.255").bytes()]))
        }),
        (D::NotAnchored, || from_core(&Packet4::new(CN4, "10.2.0.1"))),
        (D::HopLimit, || from_core(&Packet4::new(CN4, NODE[3]).ttl(0))),
        (D::HopLimit, || from_access(&to_lma(4, &[&from_node(3).ttl(1).bytes()]))),
        (D::TunnelMtu, || thin(&Packet4::new(CN4, NODE[3]).len(1281))),
        (D::TunnelFragment, || {
            // More parts than one packet may have.
            let mut rig = Rig::dual(1);
            let [local, remote] = [LMA4, MAG4].map(|a| ipv4(a).to_ipv6_mapped());
            let tunnel = Tunnel { path: TunnelPath::ip(local, remote), mtu: 68 };
            rig.publish(Change::TunnelSet(dual_tunnel(3), tunnel));
            rig.arrive(CORE, &Packet4::new(CN4, NODE[3]).fragment(0).len(1281).on_core());
            rig
        }),
        (D::EgressMtu, || from_access(&to_lma(4, &[&from_node(3).len(1501).bytes()]))),
        (D::EgressFragment, || {
            // With an option that has no length: it cannot be told which parts it belongs to.
            let mut inner = from_node(3).fragment(0).len(1501).bytes();
            inner[0] = 0x46;
            inner[20..24].copy_from_slice(&[0x94, 0, 0, 0]);
            inner[10..12].fill(0);
            let checksum =
                super::super::checksum::value(super::super::checksum::sum_of(&inner[..24]));
            inner[10..12].copy_from_slice(&checksum.to_be_bytes());
            from_access(&to_lma(4, &[&inner]))
        }),
        (D::RoleTunnel, || from_core(&to_lma(4, &[&from_node(3).bytes()]))),
        (D::RoleTunnel, || from_core(&udp(5437, &[&from_node(6).bytes()]))),
        (D::RoleSignaling, || from_core(&to_lma(UDP, &[&[21, 60, 21, 60, 0, 16, 0, 0], &[59; 8]]))),
        (D::OuterUdp, || {
            from_access(&to_lma(UDP, &[&[21, 61, 21, 61, 0, 200, 0, 0], &[0x45; 40]]))
        }),
        (D::OuterUdp, || from_access(&to_lma(UDP, &[&[21, 61, 21, 61, 0, 7, 0, 0], &[0x45; 40]]))),
        (D::OuterUdp, || {
            let mut packet = udp(5437, &[&from_node(6).bytes()]);
            packet.set_payload(6, 1); // a checksum, and a wrong one
            from_access(&packet)
        }),
        (D::InnerVersion, || from_access(&mip4(&[&[4, 41, 0, 0], &from_node(3).bytes()]))),
        (D::RoleSignaling, || from_core(&mip4(&[&[1, 0, 0, 0]]))),
        (D::TlvHeader, || from_access(&udp(5437, &[&[0, 47]]))),
        (D::TlvHeader, || {
            from_access(&udp(5437, &[&tlv(47, &[&GRE_IPV4, &from_node(8).bytes()]), &[0]]))
        }),
        (D::TlvHeader, || from_access(&udp(5437, &[&tlv(4, &[&from_node(8).bytes()])]))),
        (D::GreHeader, || from_access(&to_lma(47, &[&[0, 0, 8]]))),
        (D::GreHeader, || from_access(&to_lma(47, &[&GRE_KEY, &[0; 3]]))),
        (D::GreHeader, || from_access(&to_lma(47, &[&[0, 1, 8, 0], &from_node(4).bytes()]))),
        (D::GreHeader, || from_access(&to_lma(47, &[&[0x40, 0, 8, 0], &from_node(4).bytes()]))),
        (D::GreHeader, || from_access(&to_lma(47, &[&[0x08, 0, 8, 0], &from_node(4).bytes()]))),
        (D::GreHeader, || {
            from_access(&to_lma(47, &[&[0x80, 0, 8, 0, 1, 1, 0, 0], &from_node(4).bytes()]))
        }),
        (D::FragmentLength, || {
            from_access(&to_lma(4, &[&from_node(3).bytes(), &[0]]).fragment(0x2000))
        }),
        (D::NotServing, || {
            let fragment = Packet4::new("198.51.100.8", LMA4).payload(4, &[0x45; 24]);
            from_access(&fragment.fragment(0x2000))
        }),
        (D::RoleTunnel, || from_core(&to_lma(41, &[&[0x60; 40]]).fragment(1))),
        (D::RoleTunnel, || from_core(&to_lma(47, &[&GRE_IPV4]).fragment(0x2000))),
        (D::SignalingFragment, || {
            let datagram =
                Packet4::new(MAG4, LMA4).udp(5436, 5436, &[59; 16]).bytes().split_off(20);
            let mut rig = from_access(&to_lma(UDP, &[&datagram[..16]]).fragment(0x2000));
            rig.arrive(ACCESS, &to_lma(UDP, &[&datagram[16..]]).fragment(2).on_access());
            rig
        }),
        (D::InnerVersion, || from_access(&to_lma(4, &[&Packet::new(MN1, CN).bytes()]))),
        (D::InnerVersion, || from_access(&to_lma(41, &[&from_node(3).bytes()]))),
        (D::InnerVersion, || {
            from_access(&to_lma(47, &[&[0, 0, 0x86, 0xdd], &from_node(4).bytes()]))
        }),
        (D::InnerVersion, || from_access(&to_lma(47, &[&[0, 0, 0x88, 0xb5], &[0x45; 20]]))),
        (D::InnerVersion, || from_access(&udp(5437, &[&[59; 8]]))),
        (D::InnerTruncated, || from_access(&to_lma(4, &[]))),
        (D::InnerTruncated, || from_access(&to_lma(4, &[&from_node(3).bytes()[..19]]))),
        (D::InnerTruncated, || from_access(&to_lma(4, &[&from_node(3).bytes()[..21]]))),
        (D::InnerTruncated, || from_access(&to_lma(47, &[&GRE_IPV4]))),
        (D::InnerTruncated, || from_access(&udp(5437, &[]))),
        (D::Segmented, || {
            let frame = to_lma(4, &[&from_node(3).len(SEGMENT_MAX).bytes()]).on_access();
            segmented(ACCESS, &frame, 40)
        }),
        (D::InnerSource, || from_access(&to_lma(4, &[&Packet4::new("10.1.0.99", CN4).bytes()]))),
        (D::NotServing, || {
            let inner = from_node(3).bytes();
            from_access(&Packet4::new("198.51.100.8", LMA4).payload(4, &inner))
        }),
        (D::NotServing, || {
            let inner = Packet::new(MAG1, LMA).payload(4, &from_node(3).bytes());
            rig_with(ACCESS, &inner.on_access()) // the other family outside
        }),
        (D::ReverseTunnel, || {
            let mut rig = own::rig(1);
            rig.publish(Change::NodeEndSet(ipv4(MAG4).to_ipv6_mapped()));
            rig.arrive(ACCESS, &to_lma(4, &[&Packet4::new("10.1.0.99", CN4).bytes()]).on_access());
            rig
        }),
        (D::Unprotected, || {
            let mut rig = Rig::dual(1);
            let all = Change::ProtectedSet(TunnelId(12), dual_tunnel(3), Protection::All);
            rig.publish(all);
            rig.set(&format!("{}/32", NODE[3]), through(TunnelId(12)));
            rig.arrive(ACCESS, &to_lma(4, &[&from_node(3).bytes()]).on_access());
            rig
        }),
        // What the tunnel's headers must be is in the binding, not in the packet.
        (D::Encapsulation, || from_access(&to_lma(47, &[&GRE_IPV4, &from_node(3).bytes()]))),
        (D::Encapsulation, || from_access(&to_lma(4, &[&from_node(4).bytes()]))),
        (D::Encapsulation, || from_access(&to_lma(4, &[&from_node(6).bytes()]))),
        (D::Encapsulation, || from_access(&udp(5437, &[&from_node(3).bytes()]))),
        (D::Encapsulation, || from_access(&udp(5437, &[&from_node(8).bytes()]))),
        (D::Encapsulation, || {
            from_access(&udp(5437, &[&tlv(47, &[&GRE_IPV4, &from_node(6).bytes()])]))
        }),
        (D::UdpPort, || from_access(&udp(5436, &[&from_node(6).bytes()]))),
        (D::UdpPort, || from_access(&udp(40000, &[&tlv(47, &[&GRE_IPV4, &from_node(8).bytes()])]))),
        (D::GreKey, || from_access(&to_lma(47, &[&GRE_IPV4, &from_node(5).bytes()]))),
        (D::GreKey, || {
            from_access(&to_lma(47, &[&GRE_KEY, &[0, 0, 0x10, 6], &from_node(5).bytes()]))
        }),
        (D::GreKey, || from_access(&to_lma(47, &[&GRE_KEY, &[0; 4], &from_node(4).bytes()]))),
        (D::GreKey, || {
            let inner = from_node(9).bytes();
            from_access(&udp(5437, &[&tlv(47, &[&GRE_KEY, &[0, 0, 0x10, 5], &inner])]))
        }),
        (D::EcnCongestion, || from_access(&to_lma(4, &[&from_node(3).bytes()]).tos(0x03))),
        (D::ToAnchor, || from_access(&to_lma(4, &[&Packet4::new(NODE[3], LMA4).bytes()]))),
        (D::NoRoute, || from_access(&to_lma(4, &[&Packet4::new(NODE[3], "198.18.0.1").bytes()]))),
    ]
}

// RFC 1122 3.2.2: never about an error or a later fragment, nor to a source that no host has.
#[test]
fn errors_to_ipv4_senders_keep_to_rfc_1122() {
    let about = |packet: Packet4| {
        let mut rig = from_core(&packet);
        assert_eq!(rig.drops(), [(DropReason::Unassigned, 1)]);
        let sent = rig.count(Counter::IcmpErrors);
        assert_eq!(sent + rig.count(Counter::IcmpSuppressed), 1);
        rig.balance();
        sent == 1
    };
    let lost = |src: &str| Packet4::new(src, "10.1.0.200");
    assert!(about(lost(CN4)));
    assert!(about(lost(CN4).payload(1, &[8, 0, 0, 0])), "an echo request");
    assert!(about(lost(CN4).fragment(0x2000)), "the first fragment");
    for packet in [
        lost(CN4).payload(1, &[3, 1, 0, 0]),
        lost(CN4).payload(1, &[]),
        lost(CN4).fragment(1),
        lost("0.0.0.0"),
        lost("127.0.0.1"),
        lost("255.255.255.255"),
        lost("224.0.0.1"),
        lost("198.18.0.1"), // no way back
        lost(LMA4),         // our own address, forged
    ] {
        assert!(!about(packet));
    }
}
