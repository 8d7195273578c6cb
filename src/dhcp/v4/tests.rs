use super::*;
use crate::wire::mh::{DhcpSupportMode, Ipv4Home};

pub(super) const MAC: [u8; 6] = [2, 0, 0, 0, 1, 1];
pub(super) const HOME: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 5);
const TERMS: Terms<'_> = Terms { lease_s: 3600, dns: &[Ipv4Addr::new(9, 9, 9, 9)] };

pub(super) fn lease() -> Ipv4Lease {
    Ipv4Lease {
        home: Ipv4Home::new(HOME, 16).expect("length"),
        router: Ipv4Addr::new(10, 1, 0, 1),
        mtu: 1452,
        dhcp: DhcpSupportMode::Server,
    }
}

pub(super) fn message(kind: u8, ciaddr: Ipv4Addr, options: &[u8]) -> Vec<u8> {
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

pub(super) fn option(reply: &Reply, code: u8) -> Option<Vec<u8>> {
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
