//! DHCPv6 (RFC 8415): the formats that server and relay share.
//!
//! ```text
//!  | msg-type |       transaction-id, 3 bytes      | options: code, length (2 bytes each), data ...
//!  | msg-type | hop-count | link-address, 16 | peer-address, 16 | options ...          of relays
//! ```

pub mod relay;
pub mod server;

use std::net::Ipv6Addr;

/// Port of servers and relays.
pub const SERVER_PORT: u16 = 547;
/// Port of clients.
pub const CLIENT_PORT: u16 = 546;
/// `All_DHCP_Relay_Agents_and_Servers`
pub const ALL_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
/// The longest message that is looked at, in bytes.
pub const MESSAGE_MAX: usize = 1500;

// Types of messages (7.3).
const SOLICIT: u8 = 1;
const ADVERTISE: u8 = 2;
const REQUEST: u8 = 3;
const CONFIRM: u8 = 4;
const RENEW: u8 = 5;
const REBIND: u8 = 6;
const REPLY: u8 = 7;
const RELEASE: u8 = 8;
const DECLINE: u8 = 9;
const RECONFIGURE: u8 = 10;
const INFORMATION_REQUEST: u8 = 11;
const RELAY_FORW: u8 = 12;
const RELAY_REPL: u8 = 13;

// Options (21).
const CLIENT_ID: u16 = 1;
const SERVER_ID: u16 = 2;
const IA_NA: u16 = 3;
const IA_TA: u16 = 4;
const IA_ADDR: u16 = 5;
const PREFERENCE: u16 = 7;
const RELAY_MESSAGE: u16 = 9;
const STATUS_CODE: u16 = 13;
const RAPID_COMMIT: u16 = 14;
const INTERFACE_ID: u16 = 18;
const DNS_SERVERS: u16 = 23;
const IA_PD: u16 = 25;

/// Length of the header of a client's or server's message, and of a relay's.
const HEADER_LEN: usize = 4;
const RELAY_HEADER_LEN: usize = 34;

/// Options that fill their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Options<'a>(&'a [u8]);

impl<'a> Options<'a> {
    /// `None` if one of them is cut.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        while !rest.is_empty() {
            (_, _, rest) = split_option(rest)?;
        }
        Some(Self(bytes))
    }

    fn iter(self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (code, data, tail) = split_option(rest)?;
            rest = tail;
            Some((code, data))
        })
    }

    /// The data of the first with this code.
    fn find(self, code: u16) -> Option<&'a [u8]> {
        self.iter().find(|(c, _)| *c == code).map(|(_, data)| data)
    }
}

/// Code and data of the first option, and what follows it.
fn split_option(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (code, rest) = bytes.split_first_chunk()?;
    let (len, rest) = rest.split_first_chunk()?;
    let (data, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
    Some((u16::from_be_bytes(*code), data, rest))
}

/// Appends an option; what is too long for one is left out.
fn put_option(message: &mut Vec<u8>, code: u16, data: &[u8]) {
    if let Ok(len) = u16::try_from(data.len()) {
        message.extend_from_slice(&code.to_be_bytes());
        message.extend_from_slice(&len.to_be_bytes());
        message.extend_from_slice(data);
    }
}
