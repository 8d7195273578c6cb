//! Actions as lines for people.

mod mip4;
mod pba;

use crate::case::{LMA, LMA_IPV4};
use anchord::addr::{Encap, GreKeys, MnId, TunnelPath};
use anchord::mobility::action::{Action, Audit, AuditKind, BindingKind, Mip4Audit, Publication};
use anchord::mobility::message::{PeerBody, PeerMsg, Transport};
use anchord::wire::mh::{HeartbeatFlags, MobilityOption, RevocationFlags};
use std::fmt::Write as _;
use std::net::Ipv6Addr;

/// The gateways' addresses: `mag1` is `2001:db8:2::1`, `mag1-v4` is `198.51.100.1`. Anything else
/// is an address.
pub(crate) fn mag(name: &str) -> Ipv6Addr {
    match name.strip_prefix("mag").map(|n| (n, n.strip_suffix("-v4"))) {
        Some((_, Some(n))) => address(&format!("::ffff:198.51.100.{n}")),
        Some((n, None)) => address(&format!("2001:db8:2::{n}")),
        None => address(name),
    }
}

pub(crate) fn address(text: &str) -> Ipv6Addr {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no address"))
}

pub(crate) fn bytes_of_hex(text: &str) -> Vec<u8> {
    let pair = |i| u8::from_str_radix(&text[i..i + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(pair).collect()
}

/// One action.
pub(crate) fn action(action: &Action) -> String {
    match action {
        Action::Publish(Publication::Forward(p, path, keys)) => {
            assert_eq!(path.local, ours(path.remote), "of the same family");
            let key = |k: Option<u32>| k.map_or("-".into(), |k| k.to_string());
            let keys = match *keys {
                GreKeys { downlink: None, uplink: None } => String::new(),
                GreKeys { downlink, uplink } => format!(" {}/{}", key(downlink), key(uplink)),
            };
            format!("publish {p} through {}", way(path, &keys))
        }
        Action::Publish(Publication::Protect(p, path, protection)) => {
            format!("publish {p} through {}, {protection:?} in ESP", way(path, ""))
        }
        Action::Publish(Publication::Copy(p, paths)) => {
            let ways: Vec<_> = paths.all().map(|path| way(&path, "")).collect();
            format!("publish {p} copied through {}", ways.join(" and "))
        }
        Action::Publish(Publication::Hold(p)) => format!("publish {p} dropped"),
        Action::Publish(Publication::Withdraw(p)) => format!("publish {p} withdrawn"),
        Action::Persist(id) => match id.kind() {
            BindingKind::Proxy => format!("persist {}", id.0),
            kind => format!("persist {kind:?} {}", id.0 & u64::from(u32::MAX)),
        },
        Action::Reply { ack, held } => {
            format!("reply {} {}", if *held { "held" } else { "at once" }, pba::reply(ack))
        }
        Action::Send { msg, held } => {
            format!("send {} {}", if *held { "held" } else { "at once" }, peer(msg))
        }
        Action::SendMip4 { msg, held } => {
            format!("send {} {}", if *held { "held" } else { "at once" }, mip4::message(msg))
        }
        Action::ProbeHome(a) => format!("probe {} on link {}", a.address, a.link.0),
        Action::Defend { address: a, router } => {
            let router = if *router { " as a router's" } else { "" };
            format!("defend {} on link {}{router}", a.address, a.link.0)
        }
        Action::Undefend(a) => format!("defend {} on link {} no more", a.address, a.link.0),
        Action::SendIcmp(icmp) => format!("send {icmp:?}"),
        Action::AskPolicy(q) => {
            let service = q.service.as_deref().map(String::from_utf8_lossy);
            let service = service.map(|s| format!(", service {s}")).unwrap_or_default();
            format!("ask {} about {} for {}{service}", q.id.0, q.mn_id, name(q.mag))
        }
        Action::Audit(Audit { kind, mn_id, proxy_coa }) => {
            let kind = match kind {
                AuditKind::Refused(status) => format!("refused {status}"),
                AuditKind::Ignored(why) => format!("ignored {why:?}"),
                AuditKind::Home(kind) => format!("home {}", format!("{kind:?}").to_lowercase()),
                AuditKind::Mip4(Mip4Audit::Denied(code)) => format!("mip4 denied {code}"),
                AuditKind::Mip4(Mip4Audit::Ignored(why)) => format!("mip4 ignored {why:?}"),
                AuditKind::Mip4(kind) => format!("mip4 {}", format!("{kind:?}").to_lowercase()),
                other => format!("{other:?}").to_lowercase(),
            };
            let mn_id = mn_id.as_ref().map_or("?".into(), ToString::to_string);
            let coa = proxy_coa.map_or("?".into(), |c| name(c.0));
            format!("audit {kind}, {mn_id} at {coa}")
        }
    }
}

/// Where a tunnel ends, and what it is.
fn way(path: &TunnelPath, keys: &str) -> String {
    let encap = match path.encap {
        Encap::Ip => String::new(),
        Encap::Gre => format!(" in GRE{keys}"),
        Encap::Udp(port) => format!(" in UDP to {port}"),
        Encap::UdpGre(port) => format!(" in UDP to {port}, GRE{keys}"),
        Encap::Mip4Udp(port) => format!(" in UDP from 434 to {port}"),
        Encap::Mip6Udp(port) => format!(" in UDP from 4191 to {port}"),
    };
    format!("{}{encap}", name(path.remote))
}

/// The name of a gateway, or its address.
fn name(address: Ipv6Addr) -> String {
    mags().find(|m| mag(m) == address).unwrap_or_else(|| address.to_string())
}

/// The names of all gateways.
fn mags() -> impl Iterator<Item = String> {
    (1..=3).flat_map(|n| [format!("mag{n}"), format!("mag{n}-v4")])
}

/// The anchor's address of the family of `theirs`.
pub(crate) fn ours(theirs: Ipv6Addr) -> Ipv6Addr {
    theirs.to_ipv4_mapped().map_or(address(LMA), |_| LMA_IPV4.to_ipv6_mapped())
}

/// What carries a message, where it is not IPv6 alone.
fn carried(transport: Transport) -> String {
    let port = transport.udp_port().map_or_else(String::new, |port| format!(" port {port}"));
    let esp = if transport.is_protected() { " in ESP" } else { "" };
    port + esp
}

/// A message of revocation or a heartbeat: its addresses, fixed fields, and options in their order.
fn peer(msg: &PeerMsg) -> String {
    assert_eq!(msg.src, ours(msg.dst));
    let revocation = |flags: RevocationFlags| {
        let letters =
            [(RevocationFlags::P, 'P'), (RevocationFlags::V, 'V'), (RevocationFlags::G, 'G')];
        letters.iter().filter(|(f, _)| flags.contains(*f)).map(|(_, c)| *c).collect::<String>()
    };
    let what = match msg.body {
        PeerBody::Bri(m) => {
            format!("BRI {} {}, {}, seq {}", m.trigger.0, m.trigger, revocation(m.flags), m.seq.0)
        }
        PeerBody::Bra(m) => {
            format!("BRA {} {}, {}, seq {}", m.status.0, m.status, revocation(m.flags), m.seq.0)
        }
        PeerBody::Heartbeat(m) => {
            let unsolicited = m.flags.contains(HeartbeatFlags::U);
            let kind = if m.flags.contains(HeartbeatFlags::R) { "response" } else { "request" };
            format!(
                "heartbeat {}{kind}, seq {}",
                if unsolicited { "unsolicited " } else { "" },
                m.seq
            )
        }
        PeerBody::BindingError(m) => format!("binding error {}", m.status),
        PeerBody::RefreshRequest => "refresh request".into(),
        PeerBody::Switch(m) => format!("home agent switch to {:?}", m.agents().collect::<Vec<_>>()),
    };
    let port = carried(msg.transport);
    let mut text = format!("to {}{port}: {what}", name(msg.dst));
    for option in &msg.options {
        let said = match option {
            MobilityOption::MnId(subtype, id) => {
                format!("mn_id {}", MnId::new(subtype, id).expect("it fits"))
            }
            MobilityOption::HomeNetworkPrefix(p) => format!("hnp {p}"),
            MobilityOption::Ipv4HomeAddressRequest(home) => {
                format!("ipv4 {}/{}", home.addr(), home.prefix_len())
            }
            MobilityOption::AlternateCoa(coa) => format!("coa {}", name(coa)),
            MobilityOption::RestartCounter(n) => format!("restart counter {n}"),
            other => panic!("neither RFC 5846 nor 5847 names {other:?}"),
        };
        write!(text, ", {said}").expect("a string takes it");
    }
    text
}
