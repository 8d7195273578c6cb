//! `[mipv4]` of `anchor-mn`: a node of Mobile IPv4. `docs/anchor-mn.md` shows a whole file.

use super::mag::shared_key;
use super::mn::{mn_id, prefix_around};
use super::reader::{Section, boolean, string};
use super::value::{interface_address, node_prefix, span, unicast4};
use crate::addr::HomePrefix;
use crate::mobility::mip4::{Algorithm, Replay, SecurityAssociation};
use crate::mobility::mn::row::Delivery;
use crate::mobility::mn4::{Ipv6Prefixes, Mn4Config};
use crate::time::Duration;
use crate::wire::mip4::RegistrationLifetime;
use std::net::Ipv6Addr;
use std::path::Path;
use toml::de::DeValue;

/// The node, its home prefix, and its IPv6 addresses.
pub(super) type Mipv4 = (Mn4Config, Option<HomePrefix>, Vec<Ipv6Addr>);

/// `[mipv4]`, and what `[authentication]` says for it; `None` without.
pub(super) fn mipv4(
    s: &Section<'_, '_>,
    authentication: Option<&Section<'_, '_>>,
    dir: &Path,
) -> Option<Mipv4> {
    let home_agent = s.required("home_agent", &unicast4);
    let home_address = s.get("home_address", &unicast4);
    let home_prefix = s.get("home_prefix", &node_prefix);
    let mn_id = s.get("mn_id", &mn_id);
    if home_address.is_none() && mn_id.is_none() {
        s.fault("home_address", "is missing: without one and without mn_id nobody knows the node");
    }
    // 65535 is a lifetime without an end (RFC 5944 3.3).
    let seconds = |n| Duration::from_secs(n);
    let lifetime = |v: &DeValue<'_>| span(v, seconds(4)..=seconds(65_534));
    let lifetime = s.or("lifetime", seconds(600), &lifetime);
    let lifetime = RegistrationLifetime(u16::try_from(lifetime.as_secs()).unwrap_or(u16::MAX - 1));
    let delivery = s.or("delivery", Delivery::Ip, &delivery);
    let nat_detection = s.or("nat_detection", delivery != Delivery::Gre, &boolean);
    let reverse_tunnel = s.or("reverse_tunnel", true, &boolean);
    let ipv6 = s.list("ipv6", &ipv6_address);
    let explicit = s.or("explicit", true, &boolean);
    let to_care_of = s.or("ipv6_tunnel", true, &to_care_of);
    let association = authentication.and_then(|s| association(s, dir));
    let config = Mn4Config {
        home_agent: home_agent?,
        home_address,
        mn_id,
        association: association?,
        lifetime,
        delivery,
        nat_detection,
        reverse_tunnel,
        ipv6: Ipv6Prefixes {
            prefixes: ipv6.iter().filter_map(|(a, len)| prefix_around(*a, *len)).collect(),
            explicit,
            to_care_of,
        },
    };
    Some((config, home_prefix, ipv6.into_iter().map(|(address, _)| address).collect()))
}

/// A mobility security association (RFC 5944 5.1, 5.7).
fn association(s: &Section<'_, '_>, dir: &Path) -> Option<SecurityAssociation> {
    let algorithm = s.or("algorithm", Algorithm::default(), &algorithm);
    let replay = s.or("replay", Replay::default(), &replay);
    let (spi, secret) = shared_key(s, dir)?;
    Some(SecurityAssociation { spi, algorithm, secret, replay })
}

fn ipv6_address(v: &DeValue<'_>) -> Result<(Ipv6Addr, u8), String> {
    let (address, len) = interface_address(v)?;
    match address.to_ipv4_mapped() {
        Some(ipv4) => Err(format!("{ipv4} is not an IPv6 address")),
        None => Ok((address, len)),
    }
}

fn delivery(v: &DeValue<'_>) -> Result<Delivery, String> {
    match string(v)?.as_str() {
        "ip" => Ok(Delivery::Ip),
        "gre" => Ok(Delivery::Gre),
        "udp" => Ok(Delivery::Udp),
        other => Err(format!("{other:?} is neither \"ip\" nor \"gre\" nor \"udp\"")),
    }
}

fn to_care_of(v: &DeValue<'_>) -> Result<bool, String> {
    match string(v)?.as_str() {
        "care-of" => Ok(true),
        "home" => Ok(false),
        other => Err(format!("{other:?} is neither \"care-of\" nor \"home\"")),
    }
}

fn algorithm(v: &DeValue<'_>) -> Result<Algorithm, String> {
    match string(v)?.as_str() {
        "hmac-md5" => Ok(Algorithm::HmacMd5),
        "hmac-sha-256" => Ok(Algorithm::HmacSha256),
        other => Err(format!("{other:?} is neither \"hmac-md5\" nor \"hmac-sha-256\"")),
    }
}

fn replay(v: &DeValue<'_>) -> Result<Replay, String> {
    match string(v)?.as_str() {
        "timestamp" => Ok(Replay::default()),
        "nonce" => Ok(Replay::Nonces),
        other => Err(format!("{other:?} is neither \"timestamp\" nor \"nonce\"")),
    }
}
