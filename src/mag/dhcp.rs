//! A DHCP server for one node: its IPv4 home address is the only one that there is to give
//! (RFC 5844 3.4.1, RFC 2131).
//!
//! ```text
//!  | op | htype | hlen | hops | xid | secs | flags | ciaddr | yiaddr | siaddr | giaddr |
//!  | chaddr, 16 bytes | sname, 64 | file, 128 | magic | options: code, length, data ... | 255 |
//! ```
//! No crate: those for DHCP bring a resolver and a Unicode library for some twenty fields.

use crate::addr::MacAddr;
use crate::mobility::mag::action::Ipv4Lease;
use std::net::Ipv4Addr;

/// Port of servers.
pub(super) const SERVER_PORT: u16 = 67;
/// Port of clients.
pub(super) const CLIENT_PORT: u16 = 68;
/// The longest message that is looked at, in bytes.
pub(super) const MESSAGE_MAX: usize = 1500;

const BOOT_REQUEST: u8 = 1;
const BOOT_REPLY: u8 = 2;
const ETHERNET: u8 = 1;
const MAGIC: [u8; 4] = [99, 130, 83, 99];
const CIADDR_AT: usize = 12;
const YIADDR_AT: usize = 16;
const GIADDR_AT: usize = 24;
const CHADDR_AT: usize = 28;
const MAGIC_AT: usize = 236;
const OPTIONS_AT: usize = MAGIC_AT + MAGIC.len();
/// What every client can take (RFC 2131 2).
const REPLY_LEN: usize = 300;

const PAD: u8 = 0;
const SUBNET_MASK: u8 = 1;
const ROUTER: u8 = 3;
const DNS: u8 = 6;
const INTERFACE_MTU: u8 = 26;
const REQUESTED_ADDRESS: u8 = 50;
const LEASE_TIME: u8 = 51;
const MESSAGE_TYPE: u8 = 53;
const SERVER_ID: u8 = 54;
const CLIENT_ID: u8 = 61;
const END: u8 = 255;

/// What a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Discover,
    Request,
    Release,
    Inform,
}

/// A client's message, as far as a server of one address has to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) kind: Kind,
    pub(super) mac: MacAddr,
    /// The fields that a reply repeats, up to the addresses.
    head: [u8; CIADDR_AT],
    ciaddr: Ipv4Addr,
    requested: Option<Ipv4Addr>,
    server: Option<Ipv4Addr>,
    client_id: Option<Vec<u8>>,
}

/// What the operator says of leases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Terms<'a> {
    pub(super) lease_s: u32,
    pub(super) dns: &'a [Ipv4Addr],
}

/// A reply and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) message: Vec<u8>,
    pub(super) to: Ipv4Addr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Answer {
    Offer = 2,
    Ack = 5,
    Nak = 6,
}

impl Request {
    /// `None` if it is no message of a client on the link that we answer.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let head: [u8; CIADDR_AT] = *bytes.first_chunk()?;
        let address = |at: usize| bytes.get(at..)?.first_chunk::<4>().map(|a| Ipv4Addr::from(*a));
        let [op, htype, hlen, ..] = head;
        // A relay's messages come from elsewhere than the node's link.
        let direct = address(GIADDR_AT)? == Ipv4Addr::UNSPECIFIED;
        if (op, htype, hlen) != (BOOT_REQUEST, ETHERNET, 6) || !direct {
            return None;
        }
        let mac = MacAddr(*bytes.get(CHADDR_AT..)?.first_chunk()?);
        let mut options = bytes.get(MAGIC_AT..)?.strip_prefix(&MAGIC)?;
        let (mut kind, mut requested, mut server, mut client_id) = (None, None, None, None);
        let of = |data: &[u8]| <[u8; 4]>::try_from(data).ok().map(Ipv4Addr::from);
        while let [code, rest @ ..] = options {
            if *code == PAD {
                options = rest;
                continue;
            }
            let ([len, rest @ ..], true) = (rest, *code != END) else { break };
            let (data, rest) = rest.split_at_checked(usize::from(*len))?;
            match (*code, data) {
                (MESSAGE_TYPE, [1]) => kind = Some(Kind::Discover),
                (MESSAGE_TYPE, [3]) => kind = Some(Kind::Request),
                (MESSAGE_TYPE, [7]) => kind = Some(Kind::Release),
                (MESSAGE_TYPE, [8]) => kind = Some(Kind::Inform),
                (REQUESTED_ADDRESS, data) => requested = of(data),
                (SERVER_ID, data) => server = of(data),
                (CLIENT_ID, data) => client_id = Some(data.to_vec()),
                _ => {}
            }
            options = rest;
        }
        let ciaddr = address(CIADDR_AT)?;
        Some(Self { kind: kind?, mac, head, ciaddr, requested, server, client_id })
    }

    /// Whether the node gives up this lease.
    pub(super) fn releases(&self, lease: &Ipv4Lease) -> bool {
        self.kind == Kind::Release && self.ciaddr == lease.home.addr()
    }

    /// What is answered to the node that has this lease; `None` if nothing is.
    pub(super) fn answer(&self, lease: &Ipv4Lease, terms: &Terms<'_>) -> Option<Reply> {
        let ours = self.server.is_none_or(|server| server == lease.router);
        match self.kind {
            Kind::Discover => Some(self.reply(Answer::Offer, lease, terms)),
            // It took another server's offer.
            Kind::Request if !ours => None,
            Kind::Request => {
                // RFC 2131 4.3.2: selecting and INIT-REBOOT say it in the option, the others in
                // ciaddr. RFC 5844 3.4.1: another address than the home address is refused.
                let wants = self.requested.unwrap_or(self.ciaddr);
                let right = wants == lease.home.addr();
                let answer = if right { Answer::Ack } else { Answer::Nak };
                Some(self.reply(answer, lease, terms))
            }
            Kind::Inform => Some(self.reply(Answer::Ack, lease, terms)),
            Kind::Release => None,
        }
    }

    fn reply(&self, answer: Answer, lease: &Ipv4Lease, terms: &Terms<'_>) -> Reply {
        let mut message = vec![0; OPTIONS_AT];
        let mut put = |at: usize, bytes: &[u8]| {
            if let Some(place) = message.get_mut(at..at + bytes.len()) {
                place.copy_from_slice(bytes);
            }
        };
        put(0, &self.head);
        put(0, &[BOOT_REPLY]);
        // Hops, and the seconds since the client began, are not for a reply.
        put(3, &[0]);
        put(8, &[0, 0]);
        put(CHADDR_AT, &self.mac.0);
        put(MAGIC_AT, &MAGIC);
        let gives = answer != Answer::Nak && self.kind != Kind::Inform;
        if gives {
            put(YIADDR_AT, &lease.home.addr().octets());
        }
        if answer != Answer::Nak {
            put(CIADDR_AT, &self.ciaddr.octets());
        }
        let mut option = |code: u8, data: &[u8]| {
            message.push(code);
            message.push(u8::try_from(data.len()).unwrap_or(0));
            message.extend_from_slice(data);
        };
        option(MESSAGE_TYPE, &[answer as u8]);
        // RFC 5844 3.4.1: the default router is the server, on every link.
        option(SERVER_ID, &lease.router.octets());
        if answer != Answer::Nak {
            // RFC 5844 3.4.3
            option(SUBNET_MASK, &mask(lease.home.prefix_len()).octets());
            option(ROUTER, &lease.router.octets());
            option(INTERFACE_MTU, &lease.mtu.to_be_bytes());
            let dns: Vec<u8> = terms.dns.iter().take(8).flat_map(Ipv4Addr::octets).collect();
            if !dns.is_empty() {
                option(DNS, &dns);
            }
        }
        if gives {
            option(LEASE_TIME, &terms.lease_s.to_be_bytes());
        }
        // RFC 6842
        if let Some(id) = &self.client_id {
            option(CLIENT_ID, id);
        }
        message.push(END);
        message.resize(message.len().max(REPLY_LEN), PAD);
        Reply { message, to: self.destination(answer) }
    }

    /// RFC 2131 4.1. A client without an address has no ARP entry yet: it is answered by broadcast.
    fn destination(&self, answer: Answer) -> Ipv4Addr {
        if answer == Answer::Nak || self.ciaddr == Ipv4Addr::UNSPECIFIED {
            Ipv4Addr::BROADCAST
        } else {
            self.ciaddr
        }
    }
}

fn mask(prefix_len: u8) -> Ipv4Addr {
    let host_bits = u32::from(32 - prefix_len.min(32));
    Ipv4Addr::from_bits(u32::MAX.checked_shl(host_bits).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::mh::{DhcpSupportMode, Ipv4Home};

    const MAC: [u8; 6] = [2, 0, 0, 0, 1, 1];
    const HOME: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 5);
    const TERMS: Terms<'_> = Terms { lease_s: 3600, dns: &[Ipv4Addr::new(9, 9, 9, 9)] };

    fn lease() -> Ipv4Lease {
        Ipv4Lease {
            home: Ipv4Home::new(HOME, 16).expect("length"),
            router: Ipv4Addr::new(10, 1, 0, 1),
            mtu: 1452,
            dhcp: DhcpSupportMode::Server,
        }
    }

    fn message(kind: u8, ciaddr: Ipv4Addr, options: &[u8]) -> Vec<u8> {
        let mut m = vec![0; OPTIONS_AT];
        m[..8].copy_from_slice(&[1, 1, 6, 0, 0xca, 0xfe, 0, 7]);
        m[10] = 0x80;
        m[CIADDR_AT..CIADDR_AT + 4].copy_from_slice(&ciaddr.octets());
        m[CHADDR_AT..CHADDR_AT + 6].copy_from_slice(&MAC);
        m[MAGIC_AT..].copy_from_slice(&MAGIC);
        m.extend([MESSAGE_TYPE, 1, kind]);
        m.extend(options);
        m.push(END);
        m
    }

    fn answer(m: &[u8]) -> Option<Reply> {
        Request::parse(m).expect("a client's").answer(&lease(), &TERMS)
    }

    fn option(reply: &Reply, code: u8) -> Option<Vec<u8>> {
        let mut rest = reply.message.get(OPTIONS_AT..)?;
        while let [c, len, tail @ ..] = rest {
            let (data, tail) = tail.split_at_checked(usize::from(*len))?;
            if *c == code {
                return Some(data.to_vec());
            }
            rest = tail;
        }
        None
    }

    // proves: PMIP4-3.2.3.2-16, PMIP4-3.2.3.2-17, PMIP4-3.4.3-2, PMIP4-3.4.3-3, PMIP4-3.4.3-4
    // proves: PMIP4-3.4.3-6
    #[test]
    fn offer_has_the_home_address_its_mask_the_default_router_and_the_tunnels_mtu() {
        let offer = answer(&message(1, Ipv4Addr::UNSPECIFIED, &[])).expect("an offer");
        assert_eq!(offer.to, Ipv4Addr::BROADCAST);
        assert_eq!(offer.message[..4], [2, 1, 6, 0]);
        assert_eq!(offer.message[4..8], [0xca, 0xfe, 0, 7], "the client's number");
        assert_eq!(offer.message[10], 0x80);
        assert_eq!(offer.message[YIADDR_AT..YIADDR_AT + 4], HOME.octets());
        assert_eq!(offer.message[CHADDR_AT..CHADDR_AT + 6], MAC);
        assert_eq!(option(&offer, MESSAGE_TYPE), Some(vec![2]));
        assert_eq!(option(&offer, SUBNET_MASK), Some(vec![255, 255, 0, 0]));
        assert_eq!(option(&offer, ROUTER), Some(vec![10, 1, 0, 1]));
        assert_eq!(option(&offer, SERVER_ID), Some(vec![10, 1, 0, 1]));
        assert_eq!(option(&offer, INTERFACE_MTU), Some(1452u16.to_be_bytes().to_vec()));
        assert_eq!(option(&offer, LEASE_TIME), Some(3600u32.to_be_bytes().to_vec()));
        assert_eq!(option(&offer, DNS), Some(vec![9, 9, 9, 9]));
        assert_eq!(offer.message.len(), REPLY_LEN);
    }

    #[test]
    fn request_for_the_home_address_is_acknowledged_and_any_other_is_not() {
        let requested = |last: u8| [REQUESTED_ADDRESS, 4, 10, 1, 0, last];
        let kind = |m: &[u8]| answer(m).and_then(|r| option(&r, MESSAGE_TYPE));
        let none = Ipv4Addr::UNSPECIFIED;
        assert_eq!(kind(&message(3, none, &requested(5))), Some(vec![5]), "INIT-REBOOT");
        assert_eq!(kind(&message(3, none, &requested(6))), Some(vec![6]));
        assert_eq!(kind(&message(3, HOME, &[])), Some(vec![5]), "renewing");
        assert_eq!(kind(&message(3, Ipv4Addr::new(10, 1, 0, 6), &[])), Some(vec![6]));
        let elsewhere = [SERVER_ID, 4, 10, 9, 9, 9];
        assert_eq!(answer(&message(3, none, &elsewhere)), None, "another server's offer");
        let renewed = answer(&message(3, HOME, &[])).expect("an answer");
        assert_eq!(renewed.to, HOME);
        let nak = answer(&message(3, none, &requested(6))).expect("an answer");
        assert_eq!(nak.message[YIADDR_AT..YIADDR_AT + 4], [0; 4]);
        assert_eq!((option(&nak, LEASE_TIME), nak.to), (None, Ipv4Addr::BROADCAST));
    }

    #[test]
    fn release_counts_for_the_nodes_own_address_only_and_is_not_answered() {
        let own = Request::parse(&message(7, HOME, &[])).expect("a client's");
        assert!(own.releases(&lease()));
        assert_eq!(own.answer(&lease(), &TERMS), None);
        let other = message(7, Ipv4Addr::new(10, 1, 0, 6), &[]);
        assert!(!Request::parse(&other).expect("a client's").releases(&lease()));
    }

    #[test]
    fn what_is_no_clients_message_or_is_cut_is_ignored() {
        let whole = message(1, Ipv4Addr::UNSPECIFIED, &[CLIENT_ID, 2, 1, 2]);
        assert!(Request::parse(&whole).is_some());
        for len in 0..whole.len() - 7 {
            assert_eq!(Request::parse(&whole[..len]), None, "{len}");
        }
        for (at, value) in [(0, 2), (1, 6), (2, 16), (GIADDR_AT, 1), (MAGIC_AT, 0)] {
            let mut wrong = whole.clone();
            wrong[at] = value;
            assert_eq!(Request::parse(&wrong), None, "{at}");
        }
    }

    #[test]
    fn identifier_of_the_client_is_repeated() {
        let reply = answer(&message(1, Ipv4Addr::UNSPECIFIED, &[CLIENT_ID, 2, 7, 9]));
        assert_eq!(option(&reply.expect("an offer"), CLIENT_ID), Some(vec![7, 9]));
    }
}
