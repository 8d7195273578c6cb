//! ICMPv6 of mobile nodes and their home agents (RFC 6275 sections 6.5 to 6.8, RFC 3963
//! section 7), and what home agents hear of each other in Router Advertisements (section 7).
//!
//! ```text
//!  144 Home Agent Address Discovery Request   | id | R, reserved |
//!  145 Home Agent Address Discovery Reply     | id | R, reserved | addresses ... |
//!  146 Mobile Prefix Solicitation             | id | reserved    |
//!  147 Mobile Prefix Advertisement            | id | M, O, res.  | options ... |
//! ```
//! A message here is what stands behind the extension headers, from the ICMPv6 type on. Where there
//! is a Home Address option or a type 2 routing header, its address counts for the checksum.

use super::ndp::{self, Envelope};
use super::{CHECKSUM_AT, checksum, fill_checksum};
use crate::addr::HomePrefix;
use crate::wire::{Error, ErrorKind, Result, Writer, be16, field, octet};
use std::net::Ipv6Addr;

const DISCOVERY_REQUEST: u8 = 144;
const DISCOVERY_REPLY: u8 = 145;
/// Type of a Mobile Prefix Solicitation.
pub const PREFIX_SOLICITATION: u8 = 146;
/// Type of a Mobile Prefix Advertisement.
pub const PREFIX_ADVERTISEMENT: u8 = 147;

/// R: mobile routers are asked for, or served (RFC 3963 7.1, 7.2).
const MOBILE_ROUTER: u16 = 0x8000;

/// Bytes of a message before what varies in length.
const HEADER_LEN: usize = 8;

/// Bytes of a Prefix Information option.
const PREFIX_LEN: usize = 32;

/// What a mobile node asks a home agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MobilityRequest {
    /// Which home agents are there? Type 144.
    Discovery {
        /// By which the answer is known.
        id: u16,
        /// Those that serve mobile routers are asked for.
        mobile_router: bool,
    },
    /// Which prefixes has the home link? Type 146.
    Prefixes {
        /// By which the answer is known.
        id: u16,
    },
}

impl MobilityRequest {
    /// Parses a message that came from `src` to `dst`; options behind it are not looked at (6.7).
    ///
    /// Fails with `Value` at offset 0 if it is another ICMPv6 message.
    pub fn parse(message: &[u8], src: Ipv6Addr, dst: Ipv6Addr) -> Result<Self> {
        let kind = octet(message, 0)?;
        let known = matches!(kind, DISCOVERY_REQUEST | PREFIX_SOLICITATION);
        if !known || octet(message, 1)? != 0 {
            return Err(Error::new(ErrorKind::Value, 0));
        }
        let (id, flags) = (be16(message, 4)?, be16(message, 6)?);
        if checksum(message, src, dst) != 0 {
            return Err(Error::new(ErrorKind::Checksum, CHECKSUM_AT));
        }
        Ok(if kind == DISCOVERY_REQUEST {
            Self::Discovery { id, mobile_router: flags & MOBILE_ROUTER != 0 }
        } else {
            Self::Prefixes { id }
        })
    }

    /// Writes the message to the front of `buf`, checksum included; returns its length.
    pub fn emit(&self, src: Ipv6Addr, dst: Ipv6Addr, buf: &mut [u8]) -> Result<usize> {
        let (kind, id, flags) = match *self {
            Self::Discovery { id, mobile_router } => {
                (DISCOVERY_REQUEST, id, if mobile_router { MOBILE_ROUTER } else { 0 })
            }
            Self::Prefixes { id } => (PREFIX_SOLICITATION, id, 0),
        };
        let mut w = Writer::new(buf);
        put_header(&mut w, kind, id, flags)?;
        finish(&mut w, src, dst)
    }
}

/// Writes a Home Agent Address Discovery Reply to the front of `buf`, checksum included; returns
/// its length.
pub fn emit_discovery_reply(
    id: u16,
    mobile_routers: bool,
    agents: &[Ipv6Addr],
    (src, dst): (Ipv6Addr, Ipv6Addr),
    buf: &mut [u8],
) -> Result<usize> {
    let flags = if mobile_routers { MOBILE_ROUTER } else { 0 };
    let mut w = Writer::new(buf);
    put_header(&mut w, DISCOVERY_REPLY, id, flags)?;
    for agent in agents {
        w.put(&agent.octets())?;
    }
    finish(&mut w, src, dst)
}

/// The id of a Home Agent Address Discovery Reply, and its addresses.
pub fn read_discovery_reply(
    message: &[u8],
    src: Ipv6Addr,
    dst: Ipv6Addr,
) -> Result<(u16, impl Iterator<Item = Ipv6Addr> + '_)> {
    if octet(message, 0)? != DISCOVERY_REPLY || octet(message, 1)? != 0 {
        return Err(Error::new(ErrorKind::Value, 0));
    }
    let id = be16(message, 4)?;
    if checksum(message, src, dst) != 0 {
        return Err(Error::new(ErrorKind::Checksum, CHECKSUM_AT));
    }
    let agents = message.get(HEADER_LEN..).unwrap_or_default();
    let (agents, rest) = agents.as_chunks::<16>();
    if !rest.is_empty() {
        return Err(Error::new(ErrorKind::Length, message.len()));
    }
    Ok((id, agents.iter().map(|a| Ipv6Addr::from(*a))))
}

/// A prefix of the home link, as a Mobile Prefix Advertisement tells it: with the flags L and A set
/// (RFC 6275 10.6.3), and with the flag R and the home agent's address in the place of the prefix,
/// if there is one (7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkPrefixInformation {
    /// The prefix.
    pub prefix: HomePrefix,
    /// The address of the home agent in it.
    pub address: Option<Ipv6Addr>,
    /// Seconds; all ones is for ever.
    pub valid_lifetime_s: u32,
    /// Seconds; all ones is for ever.
    pub preferred_lifetime_s: u32,
}

/// Flags of a Prefix Information option.
const ON_LINK: u8 = 0x80;
const AUTONOMOUS: u8 = 0x40;
const ROUTER_ADDRESS: u8 = 0x20;

/// Writes a Mobile Prefix Advertisement to the front of `buf`, checksum included; returns its
/// length. The flags M and O are clear: there is no DHCPv6 for nodes away from home.
pub fn emit_prefix_advertisement(
    id: u16,
    prefixes: &[LinkPrefixInformation],
    (src, dst): (Ipv6Addr, Ipv6Addr),
    buf: &mut [u8],
) -> Result<usize> {
    let mut w = Writer::new(buf);
    put_header(&mut w, PREFIX_ADVERTISEMENT, id, 0)?;
    for p in prefixes {
        let router = if p.address.is_some() { ROUTER_ADDRESS } else { 0 };
        w.put(&[ndp::PREFIX_INFORMATION, 4, p.prefix.len(), ON_LINK | AUTONOMOUS | router])?;
        w.put(&p.valid_lifetime_s.to_be_bytes())?;
        w.put(&p.preferred_lifetime_s.to_be_bytes())?;
        w.put(&[0; 4])?;
        w.put(&p.address.unwrap_or(p.prefix.addr()).octets())?;
    }
    finish(&mut w, src, dst)
}

/// The prefixes of a Mobile Prefix Advertisement; other options are skipped (6.8).
pub fn read_prefix_advertisement(
    message: &[u8],
    src: Ipv6Addr,
    dst: Ipv6Addr,
) -> Result<(u16, impl Iterator<Item = LinkPrefixInformation> + '_)> {
    if octet(message, 0)? != PREFIX_ADVERTISEMENT || octet(message, 1)? != 0 {
        return Err(Error::new(ErrorKind::Value, 0));
    }
    let id = be16(message, 4)?;
    if checksum(message, src, dst) != 0 {
        return Err(Error::new(ErrorKind::Checksum, CHECKSUM_AT));
    }
    ndp::check_options(message, HEADER_LEN)?;
    Ok((id, prefixes(message, HEADER_LEN)))
}

/// The Prefix Information options from `at` on, all options being checked before.
fn prefixes(message: &[u8], mut at: usize) -> impl Iterator<Item = LinkPrefixInformation> + '_ {
    core::iter::from_fn(move || {
        loop {
            let (kind, data, next) = ndp::next_option(message, at).ok().flatten()?;
            at = next;
            if kind == ndp::PREFIX_INFORMATION
                && let Some(prefix) = prefix(data)
            {
                return Some(prefix);
            }
        }
    })
}

fn prefix(data: &[u8]) -> Option<LinkPrefixInformation> {
    let data: &[u8; PREFIX_LEN - 2] = data.try_into().ok()?;
    let address = Ipv6Addr::from(field::<16>(data, 14).ok()?);
    let (len, flags) = (octet(data, 0).ok()?, octet(data, 1).ok()?);
    Some(LinkPrefixInformation {
        prefix: HomePrefix::truncating(address, len).ok()?,
        address: (flags & ROUTER_ADDRESS != 0).then_some(address),
        valid_lifetime_s: u32::from_be_bytes(field(data, 2).ok()?),
        preferred_lifetime_s: u32::from_be_bytes(field(data, 6).ok()?),
    })
}

/// What a home agent says of itself in its Router Advertisements (RFC 6275 7.1, 7.2, 7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentAdvertisement<'a> {
    /// H: the sender is a home agent on this link.
    pub home_agent: bool,
    /// For how long it is a router, in seconds.
    pub router_lifetime_s: u16,
    /// Preference, lifetime in seconds, and whether it serves mobile routers, of a Home Agent
    /// Information option.
    pub information: Option<(i16, u16, bool)>,
    message: &'a [u8],
}

/// H, among the flags of a Router Advertisement.
const HOME_AGENT: u8 = 0x20;
const HOME_AGENT_INFORMATION: u8 = 8;
/// Bytes of a Router Advertisement before its options.
const ADVERTISEMENT_LEN: usize = 16;

impl<'a> AgentAdvertisement<'a> {
    /// Parses a Router Advertisement and validates it (RFC 4861 section 6.1.2).
    pub fn parse(message: &'a [u8], envelope: Envelope) -> Result<Self> {
        ndp::validate(message, envelope, ndp::ROUTER_ADVERTISEMENT)?;
        let link_local = envelope.src.segments()[0] & 0xffc0 == 0xfe80;
        if !link_local {
            return Err(Error::new(ErrorKind::Value, 0));
        }
        let (flags, router_lifetime_s) = (octet(message, 5)?, be16(message, 6)?);
        if message.len() < ADVERTISEMENT_LEN {
            return Err(Error::new(ErrorKind::Truncated, message.len()));
        }
        let (mut at, mut information) = (ADVERTISEMENT_LEN, None);
        while let Some((kind, data, next)) = ndp::next_option(message, at)? {
            // 7.4: only with the H flag does the option say anything.
            if kind == HOME_AGENT_INFORMATION && flags & HOME_AGENT != 0 && information.is_none() {
                let reserved = be16(data, 0)?;
                let [preference, lifetime] = [be16(data, 2)?, be16(data, 4)?];
                let routers = reserved & MOBILE_ROUTER != 0;
                information = Some((preference.cast_signed(), lifetime, routers));
            }
            at = next;
        }
        let home_agent = flags & HOME_AGENT != 0;
        Ok(Self { home_agent, router_lifetime_s, information, message })
    }

    /// Its Prefix Information options.
    pub fn prefixes(&self) -> impl Iterator<Item = LinkPrefixInformation> + 'a {
        prefixes(self.message, ADVERTISEMENT_LEN)
    }
}

fn put_header(w: &mut Writer<'_>, kind: u8, id: u16, flags: u16) -> Result<()> {
    w.put(&[kind, 0, 0, 0])?;
    w.put(&id.to_be_bytes())?;
    w.put(&flags.to_be_bytes())
}

fn finish(w: &mut Writer<'_>, src: Ipv6Addr, dst: Ipv6Addr) -> Result<usize> {
    let len = w.at;
    fill_checksum(w.buf.get_mut(..len).unwrap_or_default(), src, dst)?;
    Ok(len)
}

#[cfg(test)]
mod tests;
