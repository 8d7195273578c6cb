//! A server of one node's addresses (RFC 8415 18.3): one address of each of its prefixes
//! (RFC 5213 6.11).
//!
//! It keeps nothing. A node that moved is answered by its new gateway as by the old one: the
//! addresses follow from the prefixes, and every gateway is the same server to it.

use super::{
    ADVERTISE, CLIENT_ID, CONFIRM, DECLINE, DNS_SERVERS, HEADER_LEN, IA_ADDR, IA_NA, IA_PD, IA_TA,
    INFORMATION_REQUEST, Options, PREFERENCE, RAPID_COMMIT, REBIND, RELEASE, RENEW, REPLY, REQUEST,
    SERVER_ID, SOLICIT, STATUS_CODE, put_option,
};
use crate::addr::HomePrefix;
use sha1::{Digest, Sha1};
use std::net::Ipv6Addr;

/// The server's DUID (11.4): of the link-layer address that RFC 6543 reserves for gateways.
const SERVER_DUID: [u8; 10] = [0, 3, 0, 1, 0, 0, 0x5e, 0, 0x52, 0x13];
/// Lengths of a client's DUID (11.1).
const DUID_LENS: std::ops::RangeInclusive<usize> = 3..=130;
/// Of Advertise: the client need not wait for other servers (18.2.1).
const PREFERENCE_MAX: u8 = 255;
/// What comes before the options of an identity association: IAID, T1 and T2; of IA_TA the IAID.
const IA_LEN: usize = 12;
const IA_TA_LEN: usize = 4;

const SUCCESS: u16 = 0;
const NO_ADDRS_AVAIL: u16 = 2;
const NO_BINDING: u16 = 3;
const NOT_ON_LINK: u16 = 4;
const USE_MULTICAST: u16 = 5;
const NO_PREFIX_AVAIL: u16 = 6;

/// What there is for the node.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Its home network prefixes.
    pub prefixes: &'a [HomePrefix],
    /// Valid and preferred lifetime, in seconds.
    pub lease_s: u32,
    /// Resolvers.
    pub dns: &'a [Ipv6Addr],
}

/// The answer to a client's message, which came to a multicast address or not; `None` if there is
/// none to give.
#[must_use]
pub fn answer(message: &[u8], to_multicast: bool, terms: &Terms<'_>) -> Option<Vec<u8>> {
    let request = Request::parse(message)?;
    if to_multicast {
        return request.answer(terms);
    }
    // 18.4: we never say that we take unicast.
    let may_be_told = matches!(request.kind, REQUEST | RENEW | RELEASE | DECLINE);
    may_be_told.then(|| {
        let mut reply = request.reply(REPLY);
        put_status(&mut reply, USE_MULTICAST);
        reply
    })
}

/// The address of a prefix that its node gets. No other node has the prefix, so nothing else need
/// be known of the node, and it stays the same over handoffs between links and interfaces
/// (RFC 5213 6.11).
#[must_use]
pub fn address_of(prefix: HomePrefix) -> Ipv6Addr {
    let digest = Sha1::digest(prefix.bits().to_be_bytes());
    let chosen = digest.first_chunk().map_or(1, |bytes| u128::from_be_bytes(*bytes));
    let host = chosen & !HomePrefix::mask(prefix.len());
    // Zero is the routers' anycast address (RFC 4291 2.6.1), but for a prefix that is an address.
    let host = if host == 0 && prefix.len() < 128 { 1 } else { host };
    Ipv6Addr::from_bits(prefix.bits() | host)
}

/// A client's message that has what its type must have (16).
#[derive(Debug)]
struct Request<'a> {
    kind: u8,
    transaction: [u8; 3],
    client_id: Option<&'a [u8]>,
    options: Options<'a>,
}

/// An identity association (21.4).
struct Association<'a> {
    iaid: &'a [u8],
    options: Options<'a>,
}

impl<'a> Request<'a> {
    fn parse(message: &'a [u8]) -> Option<Self> {
        let (header, options) = message.split_first_chunk::<HEADER_LEN>()?;
        let ([kind, transaction @ ..], options) = (*header, Options::parse(options)?);
        let (client_id, server_id) = (options.find(CLIENT_ID), options.find(SERVER_ID));
        if client_id.is_some_and(|id| !DUID_LENS.contains(&id.len())) {
            return None;
        }
        let ours = server_id == Some(&SERVER_DUID[..]);
        let asks = |code| matches!(code, IA_NA | IA_TA | IA_PD);
        let complete = match kind {
            SOLICIT | CONFIRM | REBIND => client_id.is_some() && server_id.is_none(),
            REQUEST | RENEW | RELEASE | DECLINE => client_id.is_some() && ours,
            INFORMATION_REQUEST => {
                (ours || server_id.is_none()) && !options.iter().any(|(code, _)| asks(code))
            }
            _ => false,
        };
        complete.then_some(Self { kind, transaction, client_id, options })
    }

    fn answer(&self, terms: &Terms<'_>) -> Option<Vec<u8>> {
        let rapid = self.kind == SOLICIT && self.options.find(RAPID_COMMIT).is_some();
        let mut reply = self.reply(if self.kind == SOLICIT && !rapid { ADVERTISE } else { REPLY });
        match self.kind {
            CONFIRM => {
                put_status(&mut reply, self.confirmation(terms)?);
                return Some(reply);
            }
            RELEASE | DECLINE => put_status(&mut reply, SUCCESS),
            SOLICIT if rapid => put_option(&mut reply, RAPID_COMMIT, &[]),
            SOLICIT => put_option(&mut reply, PREFERENCE, &[PREFERENCE_MAX]),
            _ => {}
        }
        self.put_associations(&mut reply, terms);
        let dns: Vec<u8> = terms.dns.iter().flat_map(Ipv6Addr::octets).collect();
        if !dns.is_empty() && !matches!(self.kind, RELEASE | DECLINE) {
            put_option(&mut reply, DNS_SERVERS, &dns);
        }
        Some(reply)
    }

    /// An answer with the identifiers that each has (16).
    fn reply(&self, kind: u8) -> Vec<u8> {
        let mut reply = vec![kind];
        reply.extend_from_slice(&self.transaction);
        put_option(&mut reply, SERVER_ID, &SERVER_DUID);
        if let Some(id) = self.client_id {
            put_option(&mut reply, CLIENT_ID, id);
        }
        reply
    }

    /// Whether all addresses are still right for the link (18.3.3); `None`: there are none, or no
    /// prefix to tell by.
    fn confirmation(&self, terms: &Terms<'_>) -> Option<u16> {
        let associations = self.options.iter().filter_map(|(code, data)| match code {
            IA_NA => Association::parse(data, IA_LEN),
            IA_TA => Association::parse(data, IA_TA_LEN),
            _ => None,
        });
        let addresses: Vec<Ipv6Addr> = associations.flat_map(|ia| ia.addresses()).collect();
        if addresses.is_empty() || terms.prefixes.is_empty() {
            return None;
        }
        Some(if addresses.iter().all(|a| terms.is_on_link(*a)) { SUCCESS } else { NOT_ON_LINK })
    }

    /// What becomes of each association: the first of addresses that last gets the node's.
    fn put_associations(&self, reply: &mut Vec<u8>, terms: &Terms<'_>) {
        let mut is_first = true;
        for (code, data) in self.options.iter() {
            let ia = Association::parse(data, if code == IA_TA { IA_TA_LEN } else { IA_LEN });
            let (Some(ia), IA_NA | IA_TA | IA_PD) = (ia, code) else { continue };
            let ends = matches!(self.kind, RELEASE | DECLINE);
            let body = match code {
                _ if ends => ia.released(code, terms),
                IA_NA if is_first => Some(ia.granted(self.kind, terms)),
                IA_PD => Some(ia.refused(IA_LEN, NO_PREFIX_AVAIL)),
                IA_TA => Some(ia.refused(IA_TA_LEN, NO_ADDRS_AVAIL)),
                _ => Some(ia.refused(IA_LEN, NO_ADDRS_AVAIL)),
            };
            is_first &= code != IA_NA;
            if let Some(body) = body {
                put_option(reply, code, &body);
            }
        }
    }
}

impl<'a> Association<'a> {
    fn parse(data: &'a [u8], header_len: usize) -> Option<Self> {
        let (header, options) = data.split_at_checked(header_len)?;
        Some(Self { iaid: header.get(..4)?, options: Options::parse(options)? })
    }

    fn addresses(&self) -> impl Iterator<Item = Ipv6Addr> + use<'a> {
        let of = |(code, data): (u16, &[u8])| {
            let address = data.first_chunk::<16>().filter(|_| code == IA_ADDR)?;
            Some(Ipv6Addr::from(*address))
        };
        self.options.iter().filter_map(of)
    }

    /// The node's addresses. Those that it thinks it has, and has not any more, end at once
    /// (18.3.4, 18.3.5).
    fn granted(&self, kind: u8, terms: &Terms<'_>) -> Vec<u8> {
        // 18.3.2
        if kind == REQUEST && self.addresses().any(|a| !terms.is_on_link(a)) {
            return self.refused(IA_LEN, NOT_ON_LINK);
        }
        let own: Vec<Ipv6Addr> = terms.prefixes.iter().copied().map(address_of).collect();
        let extends = matches!(kind, RENEW | REBIND);
        let gone: Vec<Ipv6Addr> =
            self.addresses().filter(|a| extends && !own.contains(a)).collect();
        if own.is_empty() && gone.is_empty() {
            return self.refused(IA_LEN, NO_ADDRS_AVAIL);
        }
        let mut body = self.iaid.to_vec();
        // T1 and T2 (21.4).
        body.extend_from_slice(&(terms.lease_s / 2).to_be_bytes());
        body.extend_from_slice(&(terms.lease_s / 5 * 4).to_be_bytes());
        for (addresses, lifetime_s) in [(own, terms.lease_s), (gone, 0)] {
            for address in addresses {
                let mut data = address.octets().to_vec();
                data.extend_from_slice(&lifetime_s.to_be_bytes());
                data.extend_from_slice(&lifetime_s.to_be_bytes());
                put_option(&mut body, IA_ADDR, &data);
            }
        }
        body
    }

    fn refused(&self, header_len: usize, status: u16) -> Vec<u8> {
        let mut body = self.iaid.to_vec();
        body.resize(header_len, 0);
        put_status(&mut body, status);
        body
    }

    /// What is said of an association whose addresses are given back: nothing, if they were given.
    fn released(&self, code: u16, terms: &Terms<'_>) -> Option<Vec<u8>> {
        let own = |a| terms.prefixes.iter().any(|p| address_of(*p) == a);
        let known = code == IA_NA && self.addresses().all(own);
        let header_len = if code == IA_TA { IA_TA_LEN } else { IA_LEN };
        (!known).then(|| self.refused(header_len, NO_BINDING))
    }
}

impl Terms<'_> {
    fn is_on_link(&self, address: Ipv6Addr) -> bool {
        self.prefixes.iter().any(|p| p.contains(address))
    }
}

/// A status without words.
fn put_status(message: &mut Vec<u8>, status: u16) {
    put_option(message, STATUS_CODE, &status.to_be_bytes());
}

#[cfg(test)]
mod tests;
