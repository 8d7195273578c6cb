//! Actions as lines for people.

use crate::case::{LMA, START};
use anchord::addr::{Encap, MnId};
use anchord::mobility::action::{Action, Audit, AuditKind, BindingId, Publication};
use anchord::mobility::message::{AckMsg, PeerBody, PeerMsg};
use anchord::wire::mh::{BaFlags, HeartbeatFlags, MobilityOption, RevocationFlags};
use std::fmt::Write as _;
use std::net::Ipv6Addr;

/// The gateways' addresses: `mag1` is `2001:db8:2::1`. Anything else is an address.
pub(crate) fn mag(name: &str) -> Ipv6Addr {
    match name.strip_prefix("mag") {
        Some(n) => address(&format!("2001:db8:2::{n}")),
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
        Action::Publish(Publication::Forward(p, path, _)) => {
            assert_eq!((path.local, path.encap), (address(LMA), Encap::Ip));
            format!("publish {p} through {}", name(path.remote))
        }
        Action::Publish(Publication::Hold(p)) => format!("publish {p} dropped"),
        Action::Publish(Publication::Withdraw(p)) => format!("publish {p} withdrawn"),
        Action::Persist(BindingId(id)) => format!("persist {id}"),
        Action::Reply { ack, held } => {
            format!("reply {} {}", if *held { "held" } else { "at once" }, reply(ack))
        }
        Action::Send { msg, held } => {
            format!("send {} {}", if *held { "held" } else { "at once" }, peer(msg))
        }
        Action::Audit(Audit { kind, mn_id, proxy_coa }) => {
            let kind = match kind {
                AuditKind::Refused(status) => format!("refused {status}"),
                AuditKind::Ignored(why) => format!("ignored {why:?}"),
                other => format!("{other:?}").to_lowercase(),
            };
            let mn_id = mn_id.as_ref().map_or("?".into(), ToString::to_string);
            let coa = proxy_coa.map_or("?".into(), |c| name(c.0));
            format!("audit {kind}, {mn_id} at {coa}")
        }
    }
}

/// The name of a gateway, or its address.
fn name(address: Ipv6Addr) -> String {
    let named = (1..=3).map(|n| format!("mag{n}")).find(|m| mag(m) == address);
    named.unwrap_or_else(|| address.to_string())
}

/// A PBA: its addresses, fixed fields, and options in their order.
fn reply(msg: &AckMsg) -> String {
    assert_eq!(msg.src, address(LMA), "5.3.6: from where the PBU was sent to");
    assert_eq!(msg.ack.flags, BaFlags::P, "5.3.6: the P flag must be set");
    let mut text = format!(
        "to {}: {}, seq {}, {} s",
        name(msg.dst),
        msg.ack.status,
        msg.ack.seq.0,
        msg.ack.lifetime.duration().as_secs()
    );
    for option in &msg.options {
        let said = match option {
            MobilityOption::MnId(_, []) => "mn_id -".into(),
            MobilityOption::MnId(subtype, id) => {
                format!("mn_id {}", MnId::new(subtype, id).expect("it fits"))
            }
            MobilityOption::HomeNetworkPrefix(p) => format!("hnp {p}"),
            MobilityOption::HandoffIndicator(h) => format!("handoff {}", h.0),
            MobilityOption::AccessTech(a) => format!("att {}", a.0),
            MobilityOption::Timestamp(t) => {
                let late = t.to_unix().as_secs_f64() - START.wall.to_unix().as_secs_f64();
                format!("timestamp {late:+.3} s")
            }
            MobilityOption::MnLinkLayerId(id) => {
                let mut hex = String::from("mn_ll_id ");
                for b in id {
                    write!(hex, "{b:02x}").expect("a string takes it");
                }
                hex
            }
            MobilityOption::LinkLocal(a) => format!("link_local {a}"),
            other => panic!("5.3.6 does not name {other:?}"),
        };
        write!(text, ", {said}").expect("a string takes it");
    }
    text
}

/// A message of revocation or a heartbeat: its addresses, fixed fields, and options in their order.
fn peer(msg: &PeerMsg) -> String {
    assert_eq!(msg.src, address(LMA));
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
    };
    let mut text = format!("to {}: {what}", name(msg.dst));
    for option in &msg.options {
        let said = match option {
            MobilityOption::MnId(subtype, id) => {
                format!("mn_id {}", MnId::new(subtype, id).expect("it fits"))
            }
            MobilityOption::HomeNetworkPrefix(p) => format!("hnp {p}"),
            MobilityOption::Ipv4HomeAddressRequest(home) => {
                format!("ipv4 {}/{}", home.addr(), home.prefix_len())
            }
            MobilityOption::RestartCounter(n) => format!("restart counter {n}"),
            other => panic!("neither RFC 5846 nor 5847 names {other:?}"),
        };
        write!(text, ", {said}").expect("a string takes it");
    }
    text
}
