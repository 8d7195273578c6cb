//! A DHCP relay agent on one node's link (RFC 1542, RFC 3046, RFC 5844 3.4.2).
//!
//! ```text
//!   | 82 | length | 1: interface | 2: IPv4 home address | 5: default router | 11: default router |
//! ```
//! What client and server say to each other is passed on as it is, but for this option. It tells
//! the server which address is the node's (Agent Remote ID, RFC 5844 3.4.2) and of which network
//! (Link Selection, RFC 3527: we are reached at an address of another one), and has the node send
//! its renewals to its default router, which is its gateway wherever it goes (RFC 5107).

use super::{
    BOOT_REPLY, CHADDR_AT, CIADDR_AT, ETHERNET, GIADDR_AT, Kind, MESSAGE_TYPE, OPTIONS_AT, Options,
    RELAY_AGENT_INFORMATION, Reply, Request, YIADDR_AT, address, destination, end, put_option,
};
use crate::addr::MacAddr;
use crate::mobility::mag::action::Ipv4Lease;
use std::net::Ipv4Addr;

const HOPS_AT: usize = 3;
/// More than that is a loop (RFC 1542 4.1.1).
const HOPS_MAX: u8 = 16;

const CIRCUIT_ID: u8 = 1;
const REMOTE_ID: u8 = 2;
const LINK_SELECTION: u8 = 5;
const SERVER_ID_OVERRIDE: u8 = 11;

impl Request {
    /// Whether it asks for, or has, another address than the home address: then it goes no further
    /// (RFC 5844 3.4.2).
    #[must_use]
    pub fn wants_other(&self, lease: &Ipv4Lease) -> bool {
        match self.kind {
            // A wish that the server need not follow.
            Kind::Discover => false,
            Kind::Request | Kind::Decline => self.wanted() != lease.home.addr(),
            Kind::Release | Kind::Inform => self.ciaddr != lease.home.addr(),
        }
    }

    /// The message for a server, which reaches us at `giaddr`. `None` if it went through too many
    /// relays, or a client put into it what only relays may (RFC 3046 2.1).
    #[must_use]
    pub fn relayed(&self, lease: &Ipv4Lease, giaddr: Ipv4Addr, interface: &str) -> Option<Vec<u8>> {
        let mut message = self.message.clone();
        let hops = message.get_mut(HOPS_AT).filter(|hops| **hops < HOPS_MAX)?;
        *hops += 1;
        message.get_mut(GIADDR_AT..GIADDR_AT + 4)?.copy_from_slice(&giaddr.octets());
        let mut information = Vec::new();
        put_option(&mut information, CIRCUIT_ID, interface.as_bytes());
        put_option(&mut information, REMOTE_ID, &lease.home.addr().octets());
        put_option(&mut information, LINK_SELECTION, &lease.router.octets());
        put_option(&mut information, SERVER_ID_OVERRIDE, &lease.router.octets());
        put_option(&mut message, RELAY_AGENT_INFORMATION, &information);
        end(&mut message);
        (!self.is_relayed).then_some(message)
    }
}

/// What a server says to a client through us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backward {
    /// On whose link: what [`Request::relayed`] said.
    pub interface: Vec<u8>,
    /// The client's interface.
    pub mac: MacAddr,
    yiaddr: Ipv4Addr,
    /// For the client.
    pub reply: Reply,
}

impl Backward {
    /// `None` if it is no answer of a server to what we passed on from `giaddr`.
    #[must_use]
    pub fn parse(bytes: &[u8], giaddr: Ipv4Addr) -> Option<Self> {
        let [op, htype, hlen, ..] = *bytes.first_chunk::<4>()?;
        if (op, htype, hlen) != (BOOT_REPLY, ETHERNET, 6) || address(bytes, GIADDR_AT)? != giaddr {
            return None;
        }
        let options = Options::parse(bytes)?;
        let is_nak = match options.find(MESSAGE_TYPE)? {
            [2 | 5] => false,
            [6] => true,
            _ => return None,
        };
        let mut information = options.find(RELAY_AGENT_INFORMATION)?;
        let mut interface = None;
        while let [code, len, rest @ ..] = information {
            let (data, rest) = rest.split_at_checked(usize::from(*len))?;
            interface = interface.or((*code == CIRCUIT_ID).then_some(data));
            information = rest;
        }
        // RFC 3046 2.1: the option is not for the client.
        let mut message = bytes.get(..OPTIONS_AT)?.to_vec();
        let kept = options.iter().filter(|(code, ..)| *code != RELAY_AGENT_INFORMATION);
        kept.for_each(|(.., whole)| message.extend_from_slice(whole));
        end(&mut message);
        Some(Self {
            interface: interface?.to_vec(),
            mac: MacAddr(*bytes.get(CHADDR_AT..)?.first_chunk()?),
            yiaddr: address(bytes, YIADDR_AT)?,
            reply: Reply { message, to: destination(is_nak, address(bytes, CIADDR_AT)?) },
        })
    }

    /// Whether the server gives another address than the anchor did (RFC 5844 3.4.2).
    #[must_use]
    pub fn gives_other(&self, lease: &Ipv4Lease) -> bool {
        // None at all is given by a refusal, and with mere information.
        self.yiaddr != Ipv4Addr::UNSPECIFIED && self.yiaddr != lease.home.addr()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{HOME, MAC, lease, message, option};
    use super::super::{CLIENT_ID, REPLY_LEN, REQUESTED_ADDRESS};
    use super::*;

    const GIADDR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 11);
    const NONE: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

    fn relayed(m: &[u8]) -> Option<Vec<u8>> {
        Request::parse(m).expect("a client's").relayed(&lease(), GIADDR, "acc0")
    }

    /// A server's answer to what was relayed: option 82 comes back (RFC 3046 2.2).
    fn answer(kind: u8, yiaddr: Ipv4Addr) -> Vec<u8> {
        let mut m = relayed(&message(1, NONE, &[])).expect("relayed");
        m[0] = BOOT_REPLY;
        m[YIADDR_AT..YIADDR_AT + 4].copy_from_slice(&yiaddr.octets());
        m[OPTIONS_AT + 2] = kind;
        m
    }

    // proves: PMIP4-3.2.3.2-18
    #[test]
    fn message_goes_on_whole_with_the_home_address_in_the_agents_option() {
        let discover = message(1, NONE, &[CLIENT_ID, 2, 7, 9]);
        let m = relayed(&discover).expect("relayed");
        assert_eq!((m[HOPS_AT], &m[GIADDR_AT..GIADDR_AT + 4]), (1, &GIADDR.octets()[..]));
        let told = [
            &[1, 4][..],
            b"acc0",
            &[2, 4],
            &HOME.octets(),
            &[5, 4, 10, 1, 0, 1, 11, 4, 10, 1, 0, 1],
        ]
        .concat();
        let reply = Reply { message: m.clone(), to: GIADDR };
        assert_eq!(option(&reply, RELAY_AGENT_INFORMATION), Some(told));
        let (mut before, mut after) = (discover, m);
        for changed in [HOPS_AT..HOPS_AT + 1, GIADDR_AT..GIADDR_AT + 4] {
            before[changed.clone()].fill(0);
            after[changed].fill(0);
        }
        // But for END.
        let len = before.len() - 1;
        assert_eq!(before[..len], after[..len]);
        assert!(after.len() >= REPLY_LEN);
    }

    #[test]
    fn loops_and_forged_agents_options_go_no_further() {
        let mut far = message(1, NONE, &[]);
        far[HOPS_AT] = HOPS_MAX;
        assert_eq!(relayed(&far), None);
        assert_eq!(relayed(&message(1, NONE, &[RELAY_AGENT_INFORMATION, 3, 1, 1, 0])), None);
    }

    // proves: PMIP4-3.4.2-1
    #[test]
    fn request_for_another_address_than_the_home_address_goes_no_further() {
        let wants_other = |m: &[u8]| Request::parse(m).expect("a client's").wants_other(&lease());
        let other = Ipv4Addr::new(10, 1, 0, 6);
        assert!(!wants_other(&message(3, NONE, &[REQUESTED_ADDRESS, 4, 10, 1, 0, 5])));
        assert!(wants_other(&message(3, NONE, &[REQUESTED_ADDRESS, 4, 10, 1, 0, 6])));
        for kind in [3, 7, 8] {
            assert!(!wants_other(&message(kind, HOME, &[])), "{kind}");
            assert!(wants_other(&message(kind, other, &[])), "{kind}");
        }
        assert!(!wants_other(&message(1, NONE, &[REQUESTED_ADDRESS, 4, 10, 1, 0, 6])));
    }

    // proves: PMIP4-3.2.3.2-18
    #[test]
    fn answer_comes_back_to_the_link_without_the_agents_option() {
        let back = Backward::parse(&answer(2, HOME), GIADDR).expect("a server's");
        assert_eq!((&back.interface[..], back.mac), (&b"acc0"[..], MacAddr(MAC)));
        assert_eq!(option(&back.reply, RELAY_AGENT_INFORMATION), None);
        assert_eq!(option(&back.reply, MESSAGE_TYPE), Some(vec![2]));
        assert_eq!(back.reply.message.len(), REPLY_LEN);
        assert_eq!(back.reply.to, Ipv4Addr::BROADCAST);
        assert!(!back.gives_other(&lease()));
        let other = Backward::parse(&answer(2, Ipv4Addr::new(10, 1, 0, 6)), GIADDR);
        assert!(other.expect("a server's").gives_other(&lease()));
        let refusal = Backward::parse(&answer(6, NONE), GIADDR).expect("a server's");
        assert!(!refusal.gives_other(&lease()));
    }

    #[test]
    fn what_is_no_answer_to_us_is_ignored() {
        let whole = answer(5, HOME);
        assert_eq!(Backward::parse(&whole, Ipv4Addr::new(192, 0, 2, 12)), None);
        for (at, value) in [(0, 1), (1, 6), (2, 16), (OPTIONS_AT - 1, 0), (OPTIONS_AT + 2, 3)] {
            let mut wrong = whole.clone();
            wrong[at] = value;
            assert_eq!(Backward::parse(&wrong, GIADDR), None, "{at}");
        }
        let end = whole.iter().rposition(|b| *b == 255).expect("an end");
        for len in 0..end {
            assert_eq!(Backward::parse(&whole[..len], GIADDR), None, "{len}");
        }
    }
}
