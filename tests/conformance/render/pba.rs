//! A PBA, or what a node is answered, as a line for people: its addresses, fixed fields, and
//! options in their order.

use super::{carried, mag, mags, name, ours};
use crate::case::{START, auth_data, secret};
use anchord::addr::MnId;
use anchord::mobility::message::AckMsg;
use anchord::wire::mh::{BaFlags, DhcpSupportMode, Ipv4Home, MobilityOption};
use std::fmt::Write as _;

pub(super) fn reply(msg: &AckMsg) -> String {
    assert_eq!(msg.src, ours(msg.dst), "5.3.6: from where the PBU was sent to");
    let to = name(msg.dst);
    let flags = msg.ack.flags;
    let mut text = if flags.contains(BaFlags::P) {
        let tlv = if flags.contains(BaFlags::T) { ", T" } else { "" };
        format!("to {to}{}: {}{tlv}", carried(msg.transport), msg.ack.status)
    } else {
        // For a node that moves by itself.
        let home = msg.home.map_or_else(String::new, |home| format!(" for {home}"));
        let router = if flags.contains(BaFlags::R) { ", R" } else { "" };
        format!("to {to}{home}: {}{router}", msg.ack.status)
    };
    let lifetime = msg.ack.lifetime.duration().as_secs();
    write!(text, ", seq {}, {lifetime} s", msg.ack.seq.0).expect("a string takes it");
    for (n, option) in msg.options.iter().enumerate() {
        write!(text, ", {}", said(msg, n, option)).expect("a string takes it");
    }
    text
}

/// What option `n` says.
fn said(msg: &AckMsg, n: usize, option: MobilityOption<'_>) -> String {
    match option {
        MobilityOption::MnId(_, []) => "mn_id -".into(),
        MobilityOption::MnId(subtype, id) => {
            format!("mn_id {}", MnId::new(subtype, id).expect("it fits"))
        }
        MobilityOption::HomeNetworkPrefix(p) => format!("hnp {p}"),
        MobilityOption::Ipv4HomeAddressReply(status, home) => {
            format!("ipv4 {} {}, {status}", status.0, ipv4(home))
        }
        MobilityOption::Ipv4DefaultRouter(a) => format!("router {a}"),
        MobilityOption::Ipv4DhcpSupportMode(DhcpSupportMode::Relay) => "dhcp relay".into(),
        MobilityOption::Ipv4DhcpSupportMode(DhcpSupportMode::Server) => "dhcp server".into(),
        MobilityOption::HandoffIndicator(h) => format!("handoff {}", h.0),
        MobilityOption::AccessTech(a) => format!("att {}", a.0),
        MobilityOption::Timestamp(t) => {
            let late = t.to_unix().as_secs_f64() - START.wall.to_unix().as_secs_f64();
            format!("timestamp {late:+.3} s")
        }
        MobilityOption::MnLinkLayerId(id) => format!("mn_ll_id {}", hex(id)),
        MobilityOption::LinkLocal(a) => format!("link_local {a}"),
        MobilityOption::GreKey(None) => "gre without key".into(),
        MobilityOption::GreKey(Some(key)) => format!("gre {}", key.0),
        MobilityOption::NatDetection(nat) => {
            let forced = if nat.force_udp { "F" } else { "-" };
            format!("nat {forced} {} s", nat.refresh_time_s)
        }
        MobilityOption::RefreshAdvice(t) => format!("refresh {} s", t.duration().as_secs()),
        MobilityOption::AccessNetworkId(ani) => format!("access_network {}", hex(ani.bytes())),
        MobilityOption::LmaUserPlane(Some(a)) => format!("user_plane {a}"),
        MobilityOption::ReplayProtection(time) => {
            format!("replay {:+.3} s", unix(time) - START.wall.to_unix().as_secs_f64())
        }
        MobilityOption::MessageAuth(1, spi, data) => {
            let before: Vec<_> = msg.options.iter().take(n).collect();
            assert_eq!(n + 1, msg.options.iter().count(), "RFC 4285 5.1: the last option");
            let right = |care_of: &String| {
                let secret = secret(spi);
                auth_data(&msg.ack, &before, spi, secret, mag(care_of), msg.dst) == data
            };
            let care_of = mags().find(right).expect("authentic, as the gateway verifies it");
            format!("auth {spi} with {care_of}")
        }
        other => panic!("nobody asks for {other:?}"),
    }
}

/// Seconds since 1970 of a time in the format of NTP.
fn unix(ntp: u64) -> f64 {
    let half = |n: u64| f64::from(u32::try_from(n & 0xffff_ffff).expect("32 bits"));
    half(ntp >> 32) - 2_208_988_800.0 + half(ntp) / 4_294_967_296.0
}

fn ipv4(home: Ipv4Home) -> String {
    format!("{}/{}", home.addr(), home.prefix_len())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().concat()
}
