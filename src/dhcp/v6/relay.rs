//! A relay agent of one node's link (RFC 8415 19, RFC 5213 6.11). What client and server say to
//! each other is passed on as it is, byte by byte.

use super::{
    ADVERTISE, CONFIRM, DECLINE, HEADER_LEN, INFORMATION_REQUEST, INTERFACE_ID, Options, REBIND,
    RECONFIGURE, RELAY_FORW, RELAY_HEADER_LEN, RELAY_MESSAGE, RELAY_REPL, RELEASE, RENEW, REPLY,
    REQUEST, SOLICIT, put_option,
};
use crate::addr::HomePrefix;
use std::net::Ipv6Addr;

/// A client's message for a server, which learns from it the link: any of the node's prefixes names
/// it (RFC 5213 6.11). `None` if it is no client's message.
#[must_use]
pub fn forward(
    message: &[u8],
    client: Ipv6Addr,
    prefix: HomePrefix,
    interface: &str,
) -> Option<Vec<u8>> {
    let (header, options) = message.split_first_chunk::<HEADER_LEN>()?;
    let [kind, ..] = *header;
    // Relays beyond the node's link there are none.
    if !matches!(
        kind,
        SOLICIT | REQUEST | CONFIRM | RENEW | REBIND | RELEASE | DECLINE | INFORMATION_REQUEST
    ) {
        return None;
    }
    Options::parse(options)?;
    let mut out = vec![RELAY_FORW, 0];
    out.extend_from_slice(&prefix.addr().octets());
    out.extend_from_slice(&client.octets());
    put_option(&mut out, INTERFACE_ID, interface.as_bytes());
    put_option(&mut out, RELAY_MESSAGE, message);
    Some(out)
}

/// What a server says to a client through us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backward<'a> {
    /// On whose link: what [`forward`] said.
    pub interface: &'a [u8],
    /// The client's link-local address.
    pub client: Ipv6Addr,
    /// The server's message.
    pub message: &'a [u8],
}

impl<'a> Backward<'a> {
    /// `None` if it is no answer of a server to what a client of ours said.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, options) = bytes.split_first_chunk::<RELAY_HEADER_LEN>()?;
        let (link, peer) = header.split_last_chunk::<16>()?;
        let (client, options) = (Ipv6Addr::from(*peer), Options::parse(options)?);
        let message = options.find(RELAY_MESSAGE)?;
        let answer = matches!(message.first(), Some(&(ADVERTISE | REPLY | RECONFIGURE)));
        let ours = link.first() == Some(&RELAY_REPL) && client.is_unicast_link_local();
        if !ours || !answer || message.len() < HEADER_LEN {
            return None;
        }
        Some(Self { interface: options.find(INTERFACE_ID)?, client, message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 7);
    const SOLICITS: [u8; 10] = [SOLICIT, 1, 2, 3, 0, 8, 0, 2, 0, 0];

    fn prefix() -> HomePrefix {
        "2001:db8:100:7::/64".parse().expect("prefix")
    }

    // proves: PMIP6-6.11-1
    #[test]
    fn message_goes_on_whole_with_the_nodes_prefix_as_the_link() {
        let out = forward(&SOLICITS, CLIENT, prefix(), "acc0").expect("a client's");
        let mut wanted = vec![12, 0];
        wanted.extend(prefix().addr().octets());
        wanted.extend(CLIENT.octets());
        wanted.extend([0, 18, 0, 4]);
        wanted.extend(b"acc0");
        wanted.extend([0, 9, 0, 10]);
        wanted.extend(SOLICITS);
        assert_eq!(out, wanted);
    }

    #[test]
    fn only_clients_messages_go_on() {
        for kind in 0..=255 {
            let mut message = SOLICITS;
            message[0] = kind;
            let wanted = matches!(kind, 1 | 3..=6 | 8 | 9 | 11);
            assert_eq!(forward(&message, CLIENT, prefix(), "acc0").is_some(), wanted, "{kind}");
        }
        for len in (0..SOLICITS.len()).filter(|len| *len != 4) {
            assert_eq!(forward(&SOLICITS[..len], CLIENT, prefix(), "acc0"), None, "{len}");
        }
    }

    // proves: PMIP6-6.11-1
    #[test]
    fn answer_comes_back_to_the_link_and_the_client_that_it_names() {
        let mut bytes = forward(&SOLICITS, CLIENT, prefix(), "acc0").expect("a client's");
        assert_eq!(Backward::parse(&bytes), None, "it is no server's");
        let inner = bytes.len() - SOLICITS.len();
        (bytes[0], bytes[inner]) = (RELAY_REPL, ADVERTISE);
        let back = Backward::parse(&bytes).expect("a server's");
        assert_eq!((back.interface, back.client), (&b"acc0"[..], CLIENT));
        assert_eq!(back.message, &bytes[inner..]);
        for len in 0..bytes.len() {
            assert_eq!(Backward::parse(&bytes[..len]), None, "{len}");
        }
        for (at, value, what) in [(18, 0x20, "another address"), (inner, SOLICIT, "a client's")] {
            let mut wrong = bytes.clone();
            wrong[at] = value;
            assert_eq!(Backward::parse(&wrong), None, "{what}");
        }
    }
}
