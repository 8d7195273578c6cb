//! Mobile IPv4: to what scapy asks and signs, the home agent answers what scapy expects, octet for
//! octet; and tshark reads it as it was meant.

use super::tshark::{dissect, ethernet};
use super::{bytes, directory};
use anchord::addr::{CustomerId, HomePrefix, MnId};
use anchord::mobility::action::Action;
use anchord::mobility::mip4::{
    Algorithm, ForeignAgent, HomeAgent4, Homes, Mip4Config, Mip4Msg, Mip4Node, NodeRef, Replay,
    SecurityAssociation, Turn, Unavailable,
};
use anchord::time::{Duration, Instant, MobTimestamp, Now};
use anchord::wire::ether;
use anchord::wire::ipv4::{self, Ipv4Header};
use anchord::wire::udp::{self, UdpHeader};
use std::net::Ipv4Addr;

/// The exchanges of `mip4/make.py`, in their order.
const EXCHANGES: [&str; 9] =
    ["plain", "sha256", "late", "nai", "dual", "nat", "agent", "revoked", "end"];

/// An allocation in which everything is free.
struct Everything;

impl Homes for Everything {
    fn reserve_address(
        &mut self,
        _: NodeRef<'_>,
        wanted: Option<Ipv4Addr>,
    ) -> Result<Ipv4Addr, Unavailable> {
        wanted.ok_or(Unavailable::Exhausted)
    }

    fn reserve_prefix(&mut self, _: NodeRef<'_>, _: HomePrefix) -> Result<(), Unavailable> {
        Ok(())
    }

    fn release(&mut self, _: NodeRef<'_>, _: HomePrefix) {}
}

fn home_agent() -> HomeAgent4 {
    let association = |spi, algorithm, octet| SecurityAssociation {
        spi,
        algorithm,
        secret: [octet; 16].into(),
        replay: Replay::default(),
    };
    let node = Mip4Node {
        mn_id: MnId::nai("mn1@example.org").expect("short"),
        customer: CustomerId(0),
        home_address: Some(Ipv4Addr::new(10, 1, 0, 5)),
        prefixes: vec!["2001:db8:1::/64".parse().expect("a prefix")],
        implicit: false,
        associations: vec![
            association(256, Algorithm::HmacMd5, 0x5a),
            association(257, Algorithm::HmacSha256, 0x5a),
        ],
    };
    let foreign = ForeignAgent {
        address: Ipv4Addr::new(198, 51, 100, 254),
        associations: vec![association(300, Algorithm::HmacMd5, 0xa5)],
    };
    HomeAgent4::new(Mip4Config {
        address: Ipv4Addr::new(192, 0, 2, 1),
        nodes: vec![node],
        foreign_agents: vec![foreign],
        ..Mip4Config::default()
    })
}

fn file(name: &str) -> Vec<u8> {
    bytes(&directory().join("mip4").join(name).with_extension("hex"))
}

/// A packet as the control core hands it on.
fn message(packet: &[u8]) -> Mip4Msg {
    let ip = Ipv4Header::parse(packet).expect("an IPv4 header");
    let datagram = &packet[ipv4::HEADER_LEN..];
    let (ports, payload) = UdpHeader::parse(datagram, ip.src, ip.dst).expect("a datagram");
    assert_eq!((ip.protocol, ports.dst_port), (udp::PROTOCOL, 434));
    Mip4Msg { src: ip.src, dst: ip.dst, port: ports.src_port, payload: payload.to_vec() }
}

/// What the home agent answers to each exchange's request, as packets.
fn answers() -> Vec<Vec<u8>> {
    let mut agent = home_agent();
    let wall = MobTimestamp::from_unix(Duration::from_secs(1_795_219_200));
    let now = Now { mono: Instant(1), wall };
    let answer = |name: &str| {
        let mut actions = Vec::new();
        let request = message(&file(&format!("{name}-request")));
        let (homes, actions_) = (&mut Everything, &mut actions);
        agent.handle(&request, &mut Turn { homes, now, actions: actions_ });
        let sent = actions.iter().find_map(|a| match a {
            Action::SendMip4 { msg, .. } => Some(msg),
            _ => None,
        });
        let mut packet = vec![0xa5; 1500];
        let len = sent.expect("an answer").emit(&mut packet).expect("fits");
        packet.truncate(len);
        packet
    };
    EXCHANGES.iter().copied().map(answer).collect()
}

// proves: MIP4-3.5.1-4, MIP4-3.8.3.3-1, MIP4-3.8.3.3-2, MIP4-1.6-2, MIP4-3.5.4-3
// proves: MIP4NAT-3.2-4, DSMIP4-2.2-1
#[test]
fn home_agent_answers_scapy_octet_for_octet() {
    for (name, made) in EXCHANGES.iter().zip(answers()) {
        assert_eq!(made, file(&format!("{name}-reply")), "{name}");
    }
}

#[test]
fn tshark_finds_no_fault_in_our_mobile_ipv4() {
    let frames: Vec<_> = answers().iter().map(|p| ethernet(ether::IPV4, p)).collect();
    let fields = [
        "_ws.malformed",
        "_ws.expert.message",
        "udp.checksum.status",
        "mip.type",
        "mip.code",
        "mip.life",
        "mip.homeaddr",
        "mip.ext.type",
        "mip.auth.spi",
        "mip.ext.utrp.keepalive",
        "mip.ext.rev.tstamp",
        "mip.revid",
    ];
    let Some(rows) = dissect("mip4", &frames, &fields) else { return };
    let (node, sha, agent) = ("0x00000100", "0x00000101", "0x0000012c");
    let home = "10.1.0.5";
    let both = [node, agent].join(" ");
    let expected = [
        ["", "", "1", "3", "1", "600", home, "32", node, "", "", ""],
        ["", "", "1", "3", "1", "600", home, "32", sha, "", "", ""],
        ["", "", "1", "3", "133", "0", home, "32", node, "", "", ""],
        ["", "", "1", "3", "1", "600", home, "131 32", node, "", "", ""],
        // It does not know what is in RFC 5454's, and says so by nothing.
        ["", "", "1", "3", "1", "600", home, "152 152 32", node, "", "", ""],
        ["", "", "1", "3", "1", "600", home, "44 32", node, "110", "", ""],
        ["", "", "1", "3", "1", "600", home, "32 137 34", &both, "", "4004208000", ""],
        ["", "", "1", "15", "", "", home, "34", agent, "", "", "1001"],
        ["", "", "1", "3", "1", "0", home, "32", node, "", "", ""],
    ];
    assert_eq!(rows, expected, "{fields:?}");
}
