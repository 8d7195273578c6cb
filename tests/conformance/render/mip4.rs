//! Messages of Mobile IPv4 as lines for people. Their authenticators are right, or this panics.

use crate::case::{LMA_IPV4, authenticator};
use anchord::mobility::mip4::Mip4Msg;
use anchord::wire::ipv4::Ipv4Header;
use anchord::wire::mip4::{AuthKind, Body, Extension, Message};

/// To whom, the fixed fields, and the extensions in their order.
pub(super) fn message(msg: &Mip4Msg) -> String {
    assert_eq!(msg.src, LMA_IPV4);
    if let [4, 4, 0, 0, packet @ ..] = &msg.payload[..] {
        let (port, to) = (msg.port, Ipv4Header::parse(packet).expect("a packet").dst);
        assert_eq!(packet[20..], [0, 0, 0xff, 0xf8, 0, 7, 0, 0], "an echo reply");
        return format!("to {} port {port}: echo reply to {to}", msg.dst);
    }
    let message = Message::parse(&msg.payload).expect("ours");
    let fixed = match message.body {
        Body::Reply(r) => {
            assert_eq!(r.home_agent, LMA_IPV4);
            let (code, lifetime, id) = (r.code.0, r.lifetime.0, r.identification.0);
            format!("code {code}, {lifetime} s, home {}, id {id:016x}", r.home_address)
        }
        Body::Revocation(r) => {
            assert!(r.from_home_agent && r.home_domain == LMA_IPV4);
            let inform = if r.inform { ", inform" } else { "" };
            let (home, foreign, id) = (r.home_address, r.foreign_domain, r.identifier);
            format!("revocation of {home} at {foreign}, id {id}{inform}")
        }
        Body::RevocationAck(r) => {
            let inform = if r.inform { ", inform" } else { "" };
            format!("acknowledges revocation {} of {}{inform}", r.identifier, r.home_address)
        }
        Body::Request(_) => panic!("no home agent sends {msg:?}"),
    };
    let extensions = message.extensions.located().map(|(at, e)| extension(at, e, &msg.payload));
    let said: Vec<String> = std::iter::once(fixed).chain(extensions).collect();
    format!("to {} port {}: {}", msg.dst, msg.port, said.join("; "))
}

fn extension(at: usize, extension: Extension<'_>, payload: &[u8]) -> String {
    match extension {
        Extension::Auth(between, spi, proof) => {
            assert_eq!(proof, authenticator(spi, &payload[..at + 6]), "is not authentic");
            let by = if between == AuthKind::MobileHome { "the node" } else { "the agent" };
            format!("authentic to {by} by {spi}")
        }
        Extension::MnNai(nai) => format!("NAI {}", String::from_utf8_lossy(nai)),
        Extension::PrefixReply(code, field) => {
            format!("prefix {}/{} code {}", field.addr, field.len, code.0)
        }
        Extension::UdpTunnelReply(r) => {
            let forced = if r.forced { ", forced" } else { "" };
            format!("UDP tunnel {}, keepalive {} s{forced}", r.code, r.keepalive_s)
        }
        Extension::RevocationSupport(inform, time) => {
            format!("revocation{} at {time}", if inform { " with inform" } else { "" })
        }
        other => panic!("no home agent sends {other:?}"),
    }
}
