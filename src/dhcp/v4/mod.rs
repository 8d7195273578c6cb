//! A DHCP server for one node: its IPv4 home address is the only one that there is to give
//! (RFC 5844 3.4.1, RFC 2131).
//!
//! ```text
//!  | op | htype | hlen | hops | xid | secs | flags | ciaddr | yiaddr | siaddr | giaddr |
//!  | chaddr, 16 bytes | sname, 64 | file, 128 | magic | options: code, length, data ... | 255 |
//! ```

pub mod relay;

use crate::addr::MacAddr;
use crate::mobility::mag::action::Ipv4Lease;
use std::net::Ipv4Addr;

/// Port of servers.
pub const SERVER_PORT: u16 = 67;
/// Port of clients.
pub const CLIENT_PORT: u16 = 68;
/// The longest message that is looked at, in bytes.
pub const MESSAGE_MAX: usize = 1500;

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
const RELAY_AGENT_INFORMATION: u8 = 82;
const END: u8 = 255;

/// What a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any address.
    Discover,
    /// This address.
    Request,
    /// Not this address: another host has it.
    Decline,
    /// No address any more.
    Release,
    /// Only what goes with its address.
    Inform,
}

/// A client's message, as far as a server of one address has to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it wants.
    pub kind: Kind,
    /// Its interface's link-layer address.
    pub mac: MacAddr,
    /// The fields that a reply repeats, up to the addresses.
    head: [u8; CIADDR_AT],
    ciaddr: Ipv4Addr,
    requested: Option<Ipv4Addr>,
    server: Option<Ipv4Addr>,
    client_id: Option<Vec<u8>>,
    /// The whole message up to its last option.
    message: Vec<u8>,
    /// It says that a relay added to it.
    is_relayed: bool,
}

/// What the operator says of leases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms<'a> {
    /// Seconds.
    pub lease_s: u32,
    /// Resolvers.
    pub dns: &'a [Ipv4Addr],
}

/// A reply and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// A whole message.
    pub message: Vec<u8>,
    /// The client's address, or everybody's on its link.
    pub to: Ipv4Addr,
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
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let head: [u8; CIADDR_AT] = *bytes.first_chunk()?;
        let [op, htype, hlen, ..] = head;
        // A relay's messages come from elsewhere than the node's link.
        let direct = address(bytes, GIADDR_AT)? == Ipv4Addr::UNSPECIFIED;
        if (op, htype, hlen) != (BOOT_REQUEST, ETHERNET, 6) || !direct {
            return None;
        }
        let mac = MacAddr(*bytes.get(CHADDR_AT..)?.first_chunk()?);
        let options = Options::parse(bytes)?;
        let of = |code| <[u8; 4]>::try_from(options.find(code)?).ok().map(Ipv4Addr::from);
        let kind = match options.find(MESSAGE_TYPE)? {
            [1] => Kind::Discover,
            [3] => Kind::Request,
            [4] => Kind::Decline,
            [7] => Kind::Release,
            [8] => Kind::Inform,
            _ => return None,
        };
        Some(Self {
            kind,
            mac,
            head,
            ciaddr: address(bytes, CIADDR_AT)?,
            requested: of(REQUESTED_ADDRESS),
            server: of(SERVER_ID),
            client_id: options.find(CLIENT_ID).map(<[u8]>::to_vec),
            message: bytes.get(..OPTIONS_AT + options.0.len())?.to_vec(),
            is_relayed: options.find(RELAY_AGENT_INFORMATION).is_some(),
        })
    }

    /// The address that it asks to keep or to get. RFC 2131 4.3.2: selecting and INIT-REBOOT say it
    /// in the option, the others in ciaddr.
    fn wanted(&self) -> Ipv4Addr {
        self.requested.unwrap_or(self.ciaddr)
    }

    /// Whether the node gives up this lease.
    pub fn releases(&self, lease: &Ipv4Lease) -> bool {
        self.kind == Kind::Release && self.ciaddr == lease.home.addr()
    }

    /// What is answered to the node that has this lease; `None` if nothing is.
    pub fn answer(&self, lease: &Ipv4Lease, terms: &Terms<'_>) -> Option<Reply> {
        let ours = self.server.is_none_or(|server| server == lease.router);
        match self.kind {
            Kind::Discover => Some(self.reply(Answer::Offer, lease, terms)),
            // It took another server's offer.
            Kind::Request if !ours => None,
            Kind::Request => {
                // RFC 5844 3.4.1: another address than the home address is refused.
                let right = self.wanted() == lease.home.addr();
                let answer = if right { Answer::Ack } else { Answer::Nak };
                Some(self.reply(answer, lease, terms))
            }
            Kind::Inform => Some(self.reply(Answer::Ack, lease, terms)),
            Kind::Release | Kind::Decline => None,
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
        let mut option = |code, data: &[u8]| put_option(&mut message, code, data);
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
        end(&mut message);
        Reply { message, to: destination(answer == Answer::Nak, self.ciaddr) }
    }
}

/// The options of a message, up to the one that ends them: whole, without that and padding behind.
#[derive(Debug, Clone, Copy)]
struct Options<'a>(&'a [u8]);

impl<'a> Options<'a> {
    /// `None` if there are none, or one is cut.
    fn parse(message: &'a [u8]) -> Option<Self> {
        let all = message.get(MAGIC_AT..)?.strip_prefix(&MAGIC)?;
        let mut rest = all;
        while !matches!(rest, [] | [END, ..]) {
            (_, rest) = split_option(rest)?;
        }
        Some(Self(all.get(..all.len() - rest.len())?))
    }

    /// Each option: its code, its data, and all its bytes.
    fn iter(self) -> impl Iterator<Item = (u8, &'a [u8], &'a [u8])> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (data, tail) = split_option(rest)?;
            let whole = rest.get(..rest.len() - tail.len())?;
            rest = tail;
            Some((*whole.first()?, data, whole))
        })
    }

    /// The data of the last with this code.
    fn find(self, code: u8) -> Option<&'a [u8]> {
        self.iter().filter(|(c, ..)| *c == code).last().map(|(_, data, _)| data)
    }
}

/// The data of the first option, and what follows it.
fn split_option(options: &[u8]) -> Option<(&[u8], &[u8])> {
    match options {
        [PAD, rest @ ..] => Some((&[], rest)),
        [_, len, rest @ ..] => rest.split_at_checked(usize::from(*len)),
        _ => None,
    }
}

/// Appends an option; what is too long for one is left out.
fn put_option(message: &mut Vec<u8>, code: u8, data: &[u8]) {
    if let Ok(len) = u8::try_from(data.len()) {
        message.extend_from_slice(&[code, len]);
        message.extend_from_slice(data);
    }
}

/// Ends the options; no shorter than every client can take.
fn end(message: &mut Vec<u8>) {
    message.push(END);
    message.resize(message.len().max(REPLY_LEN), PAD);
}

fn address(message: &[u8], at: usize) -> Option<Ipv4Addr> {
    message.get(at..)?.first_chunk::<4>().map(|a| Ipv4Addr::from(*a))
}

/// RFC 2131 4.1. A client without an address has no ARP entry yet: it is answered by broadcast.
fn destination(is_nak: bool, ciaddr: Ipv4Addr) -> Ipv4Addr {
    if is_nak || ciaddr == Ipv4Addr::UNSPECIFIED { Ipv4Addr::BROADCAST } else { ciaddr }
}

fn mask(prefix_len: u8) -> Ipv4Addr {
    let host_bits = u32::from(32 - prefix_len.min(32));
    Ipv4Addr::from_bits(u32::MAX.checked_shl(host_bits).unwrap_or(0))
}

#[cfg(test)]
mod tests;
