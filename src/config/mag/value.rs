//! The values of single keys that only a gateway has.

use super::super::reader::{integer, string};
use super::super::value::unicast;
use super::Dhcpv6Mode;
use crate::addr::{MacAddr, MnId};
use crate::mobility::mag::event::{Gre, HandoffHint};
use crate::wire::mh::option::AccessTech;
use crate::wire::mh::{AniSubOption, Ipv4Home};
use std::net::{Ipv4Addr, Ipv6Addr};
use toml::de::DeValue;

/// RFC 5213 8.5.
pub(super) const ETHERNET: AccessTech = AccessTech(3);
/// As text.
pub(super) const MAC_LEN: usize = 17;

pub(super) fn access_tech(v: &DeValue<'_>) -> Result<AccessTech, String> {
    integer(v, &(1..=u8::MAX)).map(AccessTech)
}

pub(super) fn mn_id(v: &DeValue<'_>) -> Result<MnId, String> {
    let text = string(v)?;
    text.parse()
        .map_err(|_| format!("{text:?} is not an identifier of 1 to {} bytes", MnId::MAX_LEN))
}

pub(super) fn handoff_hint(v: &DeValue<'_>) -> Result<HandoffHint, String> {
    string(v)?.parse()
}

/// `true` for timestamps: `TimestampBasedApproachInUse`.
pub(super) fn ordering(v: &DeValue<'_>) -> Result<bool, String> {
    match string(v)?.as_str() {
        "timestamp" => Ok(true),
        "sequence-number" => Ok(false),
        other => Err(format!("{other:?} is neither \"timestamp\" nor \"sequence-number\"")),
    }
}

pub(super) fn link_local(v: &DeValue<'_>) -> Result<Ipv6Addr, String> {
    let text = string(v)?;
    match text.parse::<Ipv6Addr>() {
        Ok(a) if a.is_unicast_link_local() => Ok(a),
        _ => Err(format!("{text:?} is not a link-local address (like \"fe80::1\")")),
    }
}

pub(super) fn unicast_mac(v: &DeValue<'_>) -> Result<MacAddr, String> {
    let text = string(v)?;
    let mac: MacAddr = text.parse().map_err(|_| format!("{text:?} is not a MAC address"))?;
    let MacAddr([first, ..]) = mac;
    if first & 1 == 1 || mac == MacAddr::default() {
        return Err(format!("{mac} is not the address of an interface"));
    }
    Ok(mac)
}

pub(super) fn dhcpv6_mode(v: &DeValue<'_>) -> Result<Dhcpv6Mode, String> {
    match string(v)?.as_str() {
        "off" => Ok(Dhcpv6Mode::Off),
        "server" => Ok(Dhcpv6Mode::Server),
        "relay" => Ok(Dhcpv6Mode::Relay),
        other => Err(format!("{other:?} is not \"off\", \"server\" or \"relay\"")),
    }
}

/// An address of an interface that packets are routed to; IPv4 becomes IPv4-mapped.
pub(super) fn endpoint(v: &DeValue<'_>) -> Result<Ipv6Addr, String> {
    match string(v)?.parse::<Ipv4Addr>() {
        Ok(_) => ipv4_endpoint(v),
        Err(_) => unicast(v),
    }
}

/// The same, of IPv4.
pub(super) fn ipv4_endpoint(v: &DeValue<'_>) -> Result<Ipv6Addr, String> {
    ipv4_host(&string(v)?).map(|a| a.to_ipv6_mapped())
}

fn ipv4_host(text: &str) -> Result<Ipv4Addr, String> {
    match text.parse::<Ipv4Addr>() {
        Ok(a) if is_host(a) => Ok(a),
        _ => Err(format!("{text:?} is not an IPv4 address of an interface")),
    }
}

fn is_host(a: Ipv4Addr) -> bool {
    let [first, ..] = a.octets();
    first != 0 && first < 224 && !a.is_loopback() && !a.is_link_local()
}

/// `off`, `any`, or the address with the length of its network's prefix.
pub(super) fn ipv4_home(v: &DeValue<'_>) -> Result<Option<Ipv4Home>, String> {
    let text = string(v)?;
    let home = |text: &str| {
        let (address, len) = text.split_once('/')?;
        Ipv4Home::new(ipv4_host(address).ok()?, len.parse().ok()?)
    };
    match text.as_str() {
        "off" => Ok(None),
        "any" => Ok(Some(Ipv4Home::ANY)),
        text => home(text).map(Some).ok_or_else(|| {
            format!("{text:?} is not \"off\", \"any\" or an address like \"10.1.2.3/16\"")
        }),
    }
}

pub(super) fn gre(v: &DeValue<'_>) -> Result<Gre, String> {
    string(v)?.parse()
}

/// What a Service Selection option can carry (RFC 5149 3).
pub(super) fn service(v: &DeValue<'_>) -> Result<Box<str>, String> {
    match string(v)? {
        text if (1..=255).contains(&text.len()) => Ok(text.into()),
        text => Err(format!("{text:?} is not a service of 1 to 255 bytes")),
    }
}

/// What a sub-option of the Access Network Identifier can carry (RFC 6757 3).
pub(super) fn network_text(v: &DeValue<'_>) -> Result<String, String> {
    match string(v)? {
        text if (1..=100).contains(&text.len()) => Ok(text),
        text => Err(format!("{text:?} is not a name of 1 to 100 bytes")),
    }
}

/// Sub-options as they stand in the option.
pub(super) fn sub_options(list: &[AniSubOption<'_>]) -> Option<Box<[u8]>> {
    let mut bytes = Vec::new();
    for sub in list {
        let at = bytes.len();
        bytes.resize(at + sub.buffer_len(), 0);
        sub.emit(bytes.get_mut(at..)?).ok()?;
    }
    (!bytes.is_empty()).then(|| bytes.into())
}
