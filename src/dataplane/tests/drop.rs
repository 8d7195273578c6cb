//! One way at least to each [`DropReason`], and none without one.

use super::super::icmp::{ERRORS_BURST, ERRORS_BURST_SOURCE};
use super::*;
use crate::nic::mem::SEGMENT_MAX;
use std::collections::BTreeSet;

/// A rig, what goes wrong in it, and how many frames that costs.
pub(super) type Case = (DropReason, fn() -> Rig);

fn rig_with(port: PortId, frame: &[u8]) -> Rig {
    let mut rig = Rig::new(1);
    rig.arrive(port, frame);
    rig
}

fn from_core(packet: &Packet) -> Rig {
    rig_with(CORE, &packet.on_core())
}

fn from_access(packet: &Packet) -> Rig {
    rig_with(ACCESS, &packet.on_access())
}

fn from_tunnel(packet: &Packet) -> Rig {
    rig_with(ACCESS, &uplink(packet))
}

/// A frame with these bytes of EtherType.
fn ether(ether_type: [u8; 2]) -> Rig {
    let mut frame = Packet::new(CN, MN1).on_core();
    frame[12..14].copy_from_slice(&ether_type);
    rig_with(CORE, &frame)
}

fn with_first_byte(mut frame: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
    frame[at] = byte;
    frame
}

fn small_rings() -> Sizes {
    Sizes { report_ring_len: 8, handoff_ring_len: 1, ..SIZES }
}

#[allow(clippy::too_many_lines)] // a table
fn cases() -> Vec<Case> {
    use DropReason as D;
    let mut cases: Vec<Case> = vec![
        (D::FrameShort, || rig_with(CORE, &[2; 13])),
        (D::FrameShort, || rig_with(CORE, &Packet::new(CN, MN1).on_core()[..53])),
        (D::WrongMac, || rig_with(CORE, &Packet::new(CN, MN1).frame(ACCESS_MAC, GATEWAY_MAC))),
        (D::GroupMac, || rig_with(CORE, &Packet::new(CN, MN1).frame(MacAddr([0xff; 6]), CORE_MAC))),
        (D::Vlan, || ether([0x81, 0x00])),
        (D::Vlan, || ether([0x88, 0xa8])),
        (D::EtherType, || ether([0x88, 0xcc])),
        (D::IpVersion, || {
            rig_with(CORE, &with_first_byte(Packet::new(CN, MN1).on_core(), 14, 0x45))
        }),
        (D::Truncated, || {
            let frame = Packet::new(CN, MN1).on_core();
            rig_with(CORE, &frame[..frame.len() - 1])
        }),
        (D::Truncated, || from_core(&Packet::new(CN, MN1).payload(0, &[]))), // a jumbogram
        (D::Segmented, segmented_with_padding),
        (D::Segmented, || {
            // The inner header is cut, and all of it fits no buffer.
            segmented(ACCESS, &uplink(&Packet::new(MN1, CN).len(SEGMENT_MAX)), 60)
        }),
        (D::NoHeadroom, without_headroom),
        (D::SourceScope, || from_core(&Packet::new("fe80::9", MN1))),
        (D::SourceScope, || from_core(&Packet::new("ff02::9", MN1))),
        (D::SourceScope, || from_core(&Packet::new("::", MN1))),
        (D::SourceScope, || from_core(&Packet::new("::1", MN1))),
        (D::SourceScope, || from_tunnel(&Packet::new("fe80::11", CN))),
        (D::DestinationScope, || from_core(&Packet::new(CN, "::1"))),
        (D::DestinationScope, || from_core(&Packet::new(CN, "::"))),
        (D::DestinationScope, || from_tunnel(&Packet::new(MN1, "ff05::1"))),
        (D::DestinationScope, || from_tunnel(&Packet::new(MN1, "fe80::1"))),
        (D::NotAnchored, || from_core(&Packet::new(CN, "2001:db8:7::1"))),
        (D::NotAnchored, || from_core(&Packet::new(CN, MAG1))),
        (D::Unassigned, || from_core(&Packet::new(CN, NOBODY))),
        (D::Unassigned, || from_core(&Packet::new("fe80::1", NOBODY))),
        (D::Held, || held(&Packet::new(CN, MN1).on_core(), CORE)),
        (D::Held, || held(&uplink(&Packet::new(MN1, CN)), ACCESS)),
        (D::HopLimit, || from_core(&Packet::new(CN, MN1).hops(1))),
        (D::HopLimit, || from_core(&Packet::new(CN, MN1).hops(0))),
        (D::HopLimit, || from_tunnel(&Packet::new(MN1, CN).hops(1))),
        (D::HopLimit, || from_tunnel(&Packet::new(MN1, MN2).hops(1))),
        (D::EncapLimit, || {
            from_core(&Packet::new(CN, MN1).payload(60, &[17, 0, 4, 1, 0, 1, 1, 0]))
        }),
        (D::TunnelMtu, || from_core(&Packet::new(CN, MN1).len(1461))),
        (D::TunnelUnreachable, || {
            after(Change::RouteSet(prefix("2001:db8:a::/64").into(), NextHop::Unreachable))
        }),
        (D::TunnelUnreachable, || {
            after(Change::RouteSet(prefix("2001:db8:a::1/128").into(), NextHop::Local))
        }),
        (D::TunnelUnreachable, || after(Change::PoolSet(prefix("2001:db8:a::/64").into()))),
        (D::TunnelUnreachable, || after(Change::TunnelDel(TUNNEL1))),
        (D::NestedTunnel, || {
            // MN2's gateway is MN1, whose gateway is MN2.
            let mut rig = Rig::new(1);
            for (id, gateway) in [(TUNNEL1, MN2), (TUNNEL2, MN1)] {
                let path = TunnelPath::ip(addr(LMA), addr(gateway));
                rig.publish(Change::TunnelSet(id, Tunnel { path, mtu: 1500 }));
            }
            rig.run();
            rig.arrive(CORE, &Packet::new(CN, MN1).on_core());
            rig
        }),
        (D::RoleTunnel, || rig_with(CORE, &Packet::new(MN1, CN).through(MAG1, LMA).on_core())),
        (D::RoleSignaling, || from_core(&Packet::new(MAG1, LMA).payload(135, &[59, 1, 5, 0]))),
        (D::OuterHeader, || from_access(&Packet::new(MAG1, LMA).payload(60, &[41, 9, 1, 4]))),
        (D::OuterOption, || from_access(&to_lma(&[41, 0, 0x41, 4, 0, 0, 0, 0]))),
        (D::OuterOption, || from_access(&to_lma(&[41, 0, 0x81, 4, 0, 0, 0, 0]))),
        (D::OuterOption, || from_access(&to_lma(&[41, 0, 0xc1, 4, 0, 0, 0, 0]))),
        (D::OuterOption, || from_access(&to_lma(&[135, 0, 0xc1, 4, 0, 0, 0, 0]))),
        (D::OuterFragment, || {
            let inner = [&[41, 0, 0, 1, 0, 0, 0, 2][..], &Packet::new(MN1, CN).bytes()].concat();
            let outer = [&[44, 0, 0, 0, 0, 0, 0, 1][..], &inner].concat();
            from_access(&Packet::new(MAG1, LMA).payload(44, &outer))
        }),
        (D::OuterHeader, || {
            // Options that go on in the next fragment (RFC 7112).
            from_access(
                &Packet::new(MAG1, LMA).payload(44, &[60, 0, 0, 1, 0, 0, 0, 1, 41, 9, 1, 4]),
            )
        }),
        (D::OuterOption, || {
            let options = [60, 0, 0, 1, 0, 0, 0, 1, 41, 0, 0x81, 4, 0, 0, 0, 0];
            from_access(&Packet::new(MAG1, LMA).payload(44, &options))
        }),
        (D::FragmentLength, || from_access(&part(MAG1, 0, true, 63))),
        (D::FragmentLength, || from_access(&part(MAG1, 0, true, 0))),
        (D::FragmentLength, || from_access(&part(MAG1, 65_528, false, 8))),
        (D::FragmentOverlap, || fragments(&[(0, true, 64), (56, true, 64)])),
        (D::FragmentDuplicate, || fragments(&[(0, true, 64), (0, true, 64)])),
        (D::FragmentExcess, || from_access(&part(MAG1, 1560, true, 64))),
        (D::NotServing, || from_access(&part("2001:db8:bad::1", 0, true, 64))),
        (D::RoleTunnel, || from_core(&part(MAG1, 0, true, 64))),
        (D::Segmented, || segmented(ACCESS, &part(MAG1, 0, true, SEGMENT_MAX).on_access(), 70)),
        (D::TunnelError, || {
            let lost = edge::sent_by_us(&Packet::new(CN, MN1));
            rig_with(ACCESS, &edge::error_about(1, 0, 0, &lost)) // passed on
        }),
        (D::TunnelError, || {
            let lost = edge::sent_by_us(&Packet::new(CN, MN1));
            rig_with(ACCESS, &edge::error_about(3, 1, 0, &lost)) // not passed on
        }),
        (D::TunnelErrorStray, || {
            let lost = edge::sent_by_us(&Packet::new(CN, NOBODY));
            rig_with(ACCESS, &edge::error_about(1, 0, 0, &lost))
        }),
        (D::SignalingFragment, || from_access(&fragment(135, 0, 1))),
        (D::SignalingFragment, || from_access(&fragment(135, 185, 0))),
        (D::InnerVersion, || from_access(&Packet::new(MAG1, LMA).payload(41, &[0x45; 20]))),
        (D::InnerTruncated, || from_access(&Packet::new(MAG1, LMA).payload(41, &[0x60; 39]))),
        (D::InnerTruncated, || from_access(&Packet::new(MAG1, LMA).payload(41, &[]))),
        (D::InnerTruncated, || {
            let inner = Packet::new(MN1, CN).bytes();
            from_access(&Packet::new(MAG1, LMA).payload(41, &inner[..inner.len() - 1]))
        }),
        (D::InnerSource, || from_tunnel(&Packet::new("2001:db8:1:3::1", CN))),
        (D::InnerSource, || from_tunnel(&Packet::new("2001:db8:bad::1", CN))),
        (D::NotServing, || from_access(&Packet::new(MN1, CN).through(MAG2, LMA))),
        (D::NotServing, || from_access(&Packet::new(MN1, CN).through("2001:db8:bad::1", LMA))),
        (D::NotServing, || from_tunnel(&Packet::new(MN2, CN))),
        (D::EcnCongestion, || {
            from_access(&Packet::new(MN1, CN).through(MAG1, LMA).traffic_class(0x03))
        }),
        (D::ToAnchor, || from_tunnel(&Packet::new(MN1, LMA))),
        (D::ToAnchor, || from_tunnel(&Packet::new(MN1, "2001:db8:cc::ff"))),
        // Signaling from inside a tunnel is nobody's.
        (D::ToAnchor, || from_tunnel(&Packet::new(MN1, LMA).payload(135, &[59, 1, 5, 0]))),
        (D::NoRoute, || from_tunnel(&Packet::new(MN1, "2001:db8:dead::1"))),
        (D::Blackhole, || from_tunnel(&Packet::new(MN1, "2001:db8:b1ac::1"))),
        (D::EgressMtu, || from_tunnel(&Packet::new(MN1, CN).len(1501))),
        (D::SignalingPuntFull, || {
            let mut rig = Rig::with(1, &small_rings());
            let frame = Packet::new(MAG1, LMA).payload(135, &[59, 1, 5, 0]).on_access();
            for _ in 0..9 {
                rig.arrive(ACCESS, &frame);
            }
            rig
        }),
        (D::ExceptionPuntFull, || {
            let mut rig = Rig::with(1, &small_rings());
            for _ in 0..8 {
                // One of eight places is kept for answers.
                rig.arrive(CORE, &Packet::new(CN, "fe80::2").on_core());
            }
            rig
        }),
        (D::HandoffFull, || {
            let mut rig = Rig::with(2, &small_rings());
            let frame = Packet::new(CN, MN1).on_core();
            let other = usize::from(1 - rig.steering.owner_of(addr(MN1)).0);
            rig.arrive_at(other, CORE, &frame);
            rig.arrive_at(other, CORE, &frame);
            rig.run();
            rig
        }),
        (D::TxFull, || {
            let mut rig = Rig::new(1);
            rig.workers[0].tx[0].accept(0);
            rig.arrive(CORE, &Packet::new(CN, MN1).on_core());
            rig
        }),
        (D::UnknownPort, || {
            let mut rig = Rig::new(1);
            let frame = rig.pool.frame(ACCESS, &[0; 60]).unwrap();
            rig.workers[0].injects.push(Inject::Frame(PortId(9), frame)).unwrap();
            rig.run();
            rig
        }),
    ];
    cases.extend(super::drop4::cases());
    cases
}

/// A tunnel packet to the anchor with this Destination Options header in between.
fn to_lma(options: &[u8]) -> Packet {
    let inner = Packet::new(MN1, CN).bytes();
    Packet::new(MAG1, LMA).payload(60, &[options, &inner].concat())
}

/// A fragment of a tunnel packet with so many bytes from this one on.
fn part(src: &str, start: u16, more: bool, len: usize) -> Packet {
    let field = (start | u16::from(more)).to_be_bytes();
    let header = [41, 0, field[0], field[1], 0, 0, 0, 1];
    Packet::new(src, LMA).payload(44, &[&header[..], &vec![0x60; len]].concat())
}

fn fragments(parts: &[(u16, bool, usize)]) -> Rig {
    let mut rig = Rig::new(1);
    for (start, more, len) in parts {
        rig.arrive(ACCESS, &part(MAG1, *start, *more, *len).on_access());
    }
    rig
}

/// A fragment to the anchor, at an offset in units of eight bytes.
fn fragment(next: u8, offset: u16, more: u16) -> Packet {
    let field = (offset << 3 | more).to_be_bytes();
    let header = [next, 0, field[0], field[1], 0, 0, 0, 1];
    Packet::new(MAG1, LMA).payload(44, &[&header[..], &Packet::new(MN1, CN).bytes()].concat())
}

fn after(change: Change) -> Rig {
    let mut rig = Rig::new(1);
    rig.publish(change);
    rig.arrive(CORE, &Packet::new(CN, MN1).on_core());
    rig
}

fn held(frame: &[u8], port: PortId) -> Rig {
    let mut rig = Rig::new(1);
    rig.set(HNP1, Forward::Held);
    rig.arrive(port, frame);
    assert_eq!(rig.count(Counter::TxPackets), 0);
    rig
}

fn segmented_with_padding() -> Rig {
    let mut frame = Packet::new(CN, MN1).on_core();
    frame.resize(SEGMENT_MAX + 1, 0);
    segmented(CORE, &frame, 70)
}

/// A frame with so many bytes in its first buffer.
pub(super) fn segmented(port: PortId, frame: &[u8], first: usize) -> Rig {
    let mut rig = Rig::dual(1);
    let frame = rig.pool.frame_in_segments(port, &frame[..first], &frame[first..]).unwrap();
    rig.workers[0].rx[usize::from(port.0)].inject(frame).unwrap();
    rig.run();
    rig
}

fn without_headroom() -> Rig {
    let mut rig = Rig::new(1);
    let bytes = Packet::new(CN, MN1).on_core();
    let mut frame = rig.pool.frame(CORE, &[0]).unwrap();
    assert!(frame.prepend(89) && frame.truncate(bytes.len())); // 39 bytes are left
    frame.data_mut().copy_from_slice(&bytes);
    rig.workers[0].rx[1].inject(frame).unwrap();
    rig.run();
    rig
}

// proves: PMIP6-5.3.5-5, MIP6-8.4-5, PMIP6-5.6.2-6, GREKEY-5.2-6, GREKEY-7.1-2
#[test]
fn every_case_is_dropped_once_under_its_own_reason() {
    for (i, (reason, case)) in cases().into_iter().enumerate() {
        let mut rig = case();
        assert_eq!(rig.drops(), [(reason, 1)], "case {i}");
        rig.balance();
    }
}

#[test]
fn no_reason_is_without_a_case() {
    let tested: BTreeSet<_> = cases().iter().map(|(reason, _)| *reason).collect();
    assert_eq!(tested, DropReason::ALL.iter().copied().collect());
}

/// Reasons that tell the sender, given an ordinary sender: the rest is silent.
#[test]
fn only_these_reasons_are_answered() {
    use DropReason as D;
    let answered = [
        D::Unassigned,
        D::HopLimit,
        D::EncapLimit,
        D::TunnelMtu,
        D::TunnelUnreachable,
        D::OuterOption,
        D::FragmentLength,
        D::TunnelError,
        D::ToAnchor,
        D::NoRoute,
        D::EgressMtu,
    ];
    let mut seen = BTreeSet::new();
    for (reason, case) in cases() {
        let rig = case();
        if rig.count(Counter::IcmpErrors) > 0 {
            seen.insert(reason);
        }
    }
    assert_eq!(seen, answered.into_iter().collect());
}

// RFC 4443 2.4 (f), RFC 1812 4.3.2.8
#[test]
fn errors_of_both_families_are_limited_together_and_what_is_not_sent_is_counted() {
    let mut rig = Rig::dual(1);
    for host in 1..=50 {
        let (src, src4) = (format!("2001:db8:c:{host:x}::1"), format!("203.0.113.{host}"));
        rig.arrive(CORE, &Packet::new(&src, NOBODY).on_core());
        rig.arrive(CORE, &Packet4::new(&src4, "10.1.0.200").on_core());
    }
    let sent = u64::from(ERRORS_BURST);
    assert_eq!(rig.count(Counter::IcmpErrors), sent);
    assert_eq!(rig.count(Counter::IcmpLimited), 100 - sent);
    assert_eq!(rig.drops(), [(DropReason::Unassigned, 100)]);
    rig.balance();
}

#[test]
fn sender_that_provokes_errors_gets_its_share_and_no_more() {
    let mut rig = Rig::dual(1);
    for host in 0..40 {
        // Many addresses of one network.
        rig.arrive(CORE, &Packet::new(&format!("2001:db8:c::{host:x}"), NOBODY).on_core());
    }
    rig.arrive(CORE, &Packet::new("2001:db8:c:1::1", NOBODY).on_core());
    let share = u64::from(ERRORS_BURST_SOURCE);
    assert_eq!(rig.count(Counter::IcmpErrors), share + 1);
    assert_eq!(rig.count(Counter::IcmpLimitedSource), 40 - share);
    assert_eq!(rig.count(Counter::IcmpLimited), 0);
    rig.balance();
}

// RFC 4443 2.4 (e)
#[test]
fn no_error_about_an_error_or_to_a_sender_that_is_not_one() {
    for frame in [
        Packet::new(CN, NOBODY).payload(58, &[1, 3, 0, 0, 0, 0, 0, 0]),
        Packet::new(CN, NOBODY).payload(58, &[137, 0, 0, 0]),
        Packet::new("fe80::1", NOBODY),
        Packet::new("ff02::1", NOBODY),
        Packet::new("::", NOBODY),
        Packet::new(LMA, NOBODY),                // our own address, forged
        Packet::new("2001:db8:dead::1", NOBODY), // no way back
    ] {
        let mut rig = from_core(&frame);
        assert_eq!(rig.drops(), [(DropReason::Unassigned, 1)]);
        assert_eq!((rig.count(Counter::IcmpErrors), rig.count(Counter::IcmpSuppressed)), (0, 1));
        rig.balance();
    }
}
