//! Any bytes: as what comes on DHCP's ports, from nodes and from servers.

use anchord::addr::HomePrefix;
use anchord::dhcp::v4::{self, Request};
use anchord::dhcp::v6::{relay, server};
use anchord::mobility::mag::action::Ipv4Lease;
use anchord::wire::mh::{DhcpSupportMode, Ipv4Home};
use std::net::{Ipv4Addr, Ipv6Addr};

const NODE: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
const GIADDR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 11);
const DNS: [Ipv4Addr; 1] = [Ipv4Addr::new(9, 9, 9, 9)];
const INTERFACE: &str = "acc0";

/// What is answered is short and names only what is the node's; what is passed on is all there.
pub(crate) fn run(bytes: &[u8]) {
    ipv4(bytes);
    ipv6(bytes);
}

fn ipv4(bytes: &[u8]) {
    let home = Ipv4Home::new(Ipv4Addr::new(10, 1, 0, 5), 16).expect("length");
    let router = Ipv4Addr::new(10, 1, 0, 1);
    let lease = Ipv4Lease { home, router, mtu: 1452, dhcp: DhcpSupportMode::Server };
    if let Some(request) = Request::parse(bytes) {
        let terms = v4::Terms { lease_s: 3600, dns: &DNS };
        if let Some(reply) = request.answer(&lease, &terms) {
            assert!((300..600).contains(&reply.message.len()));
            let given = &reply.message[16..20];
            assert!(given == [0; 4] || given == home.addr().octets());
        }
        if let Some(message) = request.relayed(&lease, GIADDR, INTERFACE) {
            assert_eq!(Request::parse(&message), None, "no relay before us");
            assert!(message.len() <= bytes.len().max(300) + 40);
        }
    }
    let giaddr = bytes.get(24..28).and_then(|a| <[u8; 4]>::try_from(a).ok());
    let answer = v4::relay::Backward::parse(bytes, giaddr.map_or(GIADDR, Ipv4Addr::from));
    if let Some(back) = answer {
        assert!(back.reply.message.len() <= bytes.len().max(300) + 1);
    }
}

fn ipv6(bytes: &[u8]) {
    let prefixes: Vec<HomePrefix> =
        ["2001:db8:100:7::/64", "2001:db8:100:8::/64"].map(|p| p.parse().expect("prefix")).into();
    for prefixes in [&prefixes[..], &[]] {
        let terms = server::Terms { prefixes, lease_s: 3600, dns: &[] };
        for to_multicast in [true, false] {
            let Some(reply) = server::answer(bytes, to_multicast, &terms) else { continue };
            assert!(matches!(reply[0], 2 | 7) && reply[1..4] == bytes[1..4]);
            // For each option of four bytes a status, for the first association the addresses.
            assert!(reply.len() <= 4 * bytes.len() + 200);
        }
    }
    if let Some(out) = relay::forward(bytes, NODE, prefixes[0], INTERFACE) {
        assert!(out.ends_with(bytes));
        assert_eq!(relay::Backward::parse(&out), None, "it is no server's");
        let mut back = out;
        let at = back.len() - bytes.len();
        (back[0], back[at]) = (13, 7);
        let back = relay::Backward::parse(&back).expect("a server's");
        assert_eq!((back.interface, back.client), (INTERFACE.as_bytes(), NODE));
        assert_eq!(back.message[1..], bytes[1..]);
    }
    if let Some(back) = relay::Backward::parse(bytes) {
        assert!(back.client.is_unicast_link_local() && back.message.len() >= 4);
    }
}
