//! The values of single keys: what each may be, and what is said when it is not.

use super::reader::string;
use super::{PortRole, duration};
use crate::addr::HomePrefix;
use crate::time::{Duration, Lifetime};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use toml::de::DeValue;

/// A name for people and for file names: no blanks, nothing that a shell would take.
pub(super) fn label(v: &DeValue<'_>) -> Result<String, String> {
    let text = string(v)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.is_empty() || text.len() > 63 || !text.chars().all(fits) {
        return Err(format!("{text:?} is not a name: 1 to 63 of a-z A-Z 0-9 . _ -"));
    }
    Ok(text)
}

/// A name that the kernel takes for an interface.
pub(super) fn interface_name(v: &DeValue<'_>) -> Result<String, String> {
    let text = label(v)?;
    // IFNAMSIZ is 16 with the terminating zero.
    if text.len() > 15 {
        return Err(format!("{text:?} has {} bytes, an interface's name at most 15", text.len()));
    }
    if ["lo", ".", "..", "all", "default"].contains(&text.as_str()) {
        return Err(format!("{text:?} is taken by the kernel"));
    }
    Ok(text)
}

/// `access` or `core`.
pub(super) fn role(v: &DeValue<'_>) -> Result<PortRole, String> {
    match string(v)?.as_str() {
        "access" => Ok(PortRole::Access),
        "core" => Ok(PortRole::Core),
        other => Err(format!("{other:?} is neither \"access\" nor \"core\"")),
    }
}

/// A PCI address with optional device arguments: `0000:3b:00.0`, `3b:00.0,mprq_en=1`.
pub(super) fn pci(v: &DeValue<'_>) -> Result<String, String> {
    let text = string(v)?;
    let address = text.split(',').next().unwrap_or_default();
    let short = match address.split_once(':') {
        Some((domain, rest)) if rest.contains(':') && hex(domain, 4) => rest,
        _ => address,
    };
    let fits = short.split_once(':').is_some_and(|(bus, rest)| {
        hex(bus, 2)
            && rest.split_once('.').is_some_and(|(device, function)| {
                hex(device, 2) && matches!(function.as_bytes(), [b'0'..=b'7'])
            })
    });
    if fits && arguments_fit(&text) {
        return Ok(text);
    }
    Err(format!("{text:?} is not a PCI address (as lspci -D shows it: \"0000:3b:00.0\")"))
}

/// An EAL `--vdev` argument: `net_af_packet0,iface=veth0`.
pub(super) fn vdev(v: &DeValue<'_>) -> Result<String, String> {
    let text = string(v)?;
    let name = text.split(',').next().unwrap_or_default();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !(name.starts_with("net_") && name.len() > 4 && name.chars().all(fits)) {
        return Err(format!("{text:?} is not a vdev (like \"net_af_packet0,iface=veth0\")"));
    }
    if !arguments_fit(&text) {
        return Err(format!("{text:?} has an argument that is not key=value"));
    }
    Ok(text)
}

/// An argument for EAL that no key of ours stands for.
pub(super) fn eal_argument(v: &DeValue<'_>) -> Result<String, String> {
    const OURS: [(&str, &str); 14] = [
        ("--file-prefix", "eal.file_prefix"),
        ("--no-huge", "eal.hugepages"),
        ("-m", "eal.memory_mib"),
        ("--socket-mem", "eal.memory_mib"),
        ("-l", "worker.cpus and control.cpu"),
        ("-c", "worker.cpus and control.cpu"),
        ("--lcores", "worker.cpus and control.cpu"),
        ("--main-lcore", "control.cpu"),
        ("--vdev", "port.vdev"),
        ("-a", "port.pci"),
        ("--allow", "port.pci"),
        ("-b", "port.pci"),
        ("--block", "port.pci"),
        ("--no-pci", "port.pci"),
    ];
    let text = string(v)?;
    let option = text.split('=').next().unwrap_or_default();
    // A short option's value may stand right behind it (`-m512`).
    let names = |name: &str| option == name || (name.len() == 2 && option.starts_with(name));
    match OURS.iter().find(|(name, _)| names(name)) {
        Some((name, key)) => Err(format!("{name} is not for here: {key} says it")),
        None => Ok(text),
    }
}

/// `address/length` of either family, an address that an interface can have; IPv4 as IPv4-mapped.
pub(super) fn interface_address(v: &DeValue<'_>) -> Result<(Ipv6Addr, u8), String> {
    let text = string(v)?;
    let parts = text.split_once('/').and_then(|(a, l)| Some((a, l.parse::<u8>().ok()?)));
    let wrong_len = || format!("{text:?} has a prefix length that no such address has");
    match parts.map(|(a, len)| (a.parse::<Ipv4Addr>(), a.parse::<Ipv6Addr>(), len)) {
        Some((Ok(a), _, len)) if (1..=32).contains(&len) => Ok((routable4(a)?, len + 96)),
        Some((_, Ok(a), len)) if (1..=128).contains(&len) => {
            Ok((if a.is_unicast_link_local() { a } else { routable(a)? }, len))
        }
        Some((Ok(_), ..) | (_, Ok(_), _)) => Err(wrong_len()),
        _ => Err(format!("{text:?} is not an IP address with its prefix length")),
    }
}

/// An address of either family that packets can be routed to; IPv4 as IPv4-mapped.
pub(super) fn unicast_any(v: &DeValue<'_>) -> Result<Ipv6Addr, String> {
    match string(v)?.parse::<Ipv4Addr>() {
        Ok(address) => routable4(address),
        Err(_) => unicast(v).map_err(|e| e.replace("an IPv6 address", "an IP address")),
    }
}

/// An IPv4 address that packets can be routed to.
pub(super) fn unicast4(v: &DeValue<'_>) -> Result<Ipv4Addr, String> {
    let text = string(v)?;
    let address = text.parse().map_err(|_| format!("{text:?} is not an IPv4 address"))?;
    routable4(address).map(|_| address)
}

fn routable4(address: Ipv4Addr) -> Result<Ipv6Addr, String> {
    let what = match address.octets()[0] {
        0 => "of this network",
        127 => "a loopback address",
        224..=239 => "a multicast address",
        240..=255 => "reserved",
        _ if address.is_link_local() => "link-local",
        _ => return Ok(address.to_ipv6_mapped()),
    };
    Err(format!("{address} is {what}, not one that packets are routed to"))
}

/// An address that packets can be routed to.
pub(super) fn unicast(v: &DeValue<'_>) -> Result<Ipv6Addr, String> {
    unicast_address(&string(v)?)
}

/// The same, of a text.
pub(super) fn unicast_address(text: &str) -> Result<Ipv6Addr, String> {
    let address: Ipv6Addr = text.parse().map_err(|_| format!("{text:?} is not an IPv6 address"))?;
    if address.is_unicast_link_local() {
        return Err(format!("{address} is link-local: packets cannot be routed to it"));
    }
    routable(address)
}

fn routable(address: Ipv6Addr) -> Result<Ipv6Addr, String> {
    let what = if address.is_unspecified() {
        "the unspecified address"
    } else if address.is_loopback() {
        "the loopback address"
    } else if address.is_multicast() {
        "a multicast address"
    } else if address.to_ipv4_mapped().is_some() {
        "an IPv4-mapped address"
    } else {
        return Ok(address);
    };
    Err(format!("{address} is {what}, not one of an interface"))
}

/// A prefix of global or unique local unicast addresses.
pub(super) fn global_prefix(v: &DeValue<'_>) -> Result<HomePrefix, String> {
    unicast_prefix(&string(v)?)
}

/// A prefix that nodes live in: of global or unique local IPv6 addresses, or of IPv4 ones.
pub(super) fn node_prefix(v: &DeValue<'_>) -> Result<HomePrefix, String> {
    node_prefix_of(&string(v)?)
}

/// The same, of a text.
pub(super) fn node_prefix_of(text: &str) -> Result<HomePrefix, String> {
    let prefix: HomePrefix = text.parse().map_err(|e: crate::addr::PrefixError| e.to_string())?;
    match prefix.to_ipv4() {
        Some((first, _)) => routable4(first).map(|_| prefix),
        None => unicast_prefix(text),
    }
}

/// The same of IPv6 alone, of a text.
pub(super) fn unicast_prefix(text: &str) -> Result<HomePrefix, String> {
    let prefix: HomePrefix = text.parse().map_err(|e: crate::addr::PrefixError| e.to_string())?;
    let first = prefix.addr().segments()[0];
    // RFC 4291 section 2.4: 2000::/3; RFC 4193: fc00::/7.
    if prefix.len() >= 3 && first & 0xe000 == 0x2000
        || prefix.len() >= 7 && first & 0xfe00 == 0xfc00
    {
        return Ok(prefix);
    }
    Err(format!("{prefix} is not inside 2000::/3 (global) or fc00::/7 (unique local)"))
}

/// A realm or a service: no blanks, as a NAI's realm is written, in lower case.
pub(super) fn realm(v: &DeValue<'_>) -> Result<String, String> {
    let text = string(v)?;
    let fits = |c: char| c.is_ascii_graphic() && !c.is_ascii_uppercase() && c != '@';
    if text.is_empty() || text.len() > 253 || !text.chars().all(fits) {
        return Err(format!("{text:?} is no realm: 1 to 253 characters, no blank, @ or capital"));
    }
    Ok(text)
}

/// An identifier of a service (RFC 5149 section 3).
pub(super) fn service(v: &DeValue<'_>) -> Result<String, String> {
    let text = string(v)?;
    if text.is_empty() || text.len() > 255 || text.chars().any(char::is_control) {
        return Err(format!("{text:?} is no service: 1 to 255 bytes of text"));
    }
    Ok(text)
}

/// A pattern for node identifiers.
pub(super) fn pattern(v: &DeValue<'_>) -> Result<String, String> {
    let text = string(v)?;
    if text.is_empty() || text.len() > crate::addr::MnId::MAX_LEN {
        return Err(format!("{text:?} matches no node: 1 to 254 bytes, * for any run of them"));
    }
    Ok(text)
}

/// A binding lifetime that the wire can carry: 4 s to 65535 units of 4 s.
pub(super) fn lifetime(v: &DeValue<'_>) -> Result<Duration, String> {
    lifetime_of(&string(v)?)
}

/// The same, of a text.
pub(super) fn lifetime_of(text: &str) -> Result<Duration, String> {
    within(duration::parse(text)?, &(Lifetime(1).duration()..=Lifetime(u16::MAX).duration()))
}

/// A duration in `range`.
pub(super) fn span(v: &DeValue<'_>, range: RangeInclusive<Duration>) -> Result<Duration, String> {
    within(duration::parse(&string(v)?)?, &range)
}

fn within(d: Duration, range: &RangeInclusive<Duration>) -> Result<Duration, String> {
    let text = duration::render;
    if d < *range.start() {
        return Err(format!("{} is below {}", text(d), text(*range.start())));
    }
    if d > *range.end() {
        return Err(format!("{} is above {}", text(d), text(*range.end())));
    }
    Ok(d)
}

/// The path of a Unix socket.
pub(super) fn socket_path(v: &DeValue<'_>) -> Result<PathBuf, String> {
    let path = absolute(v)?;
    // `sun_path` of unix(7), with its terminating zero, and room for ".lock" and ".new".
    if path.as_os_str().len() > 102 {
        return Err("is over 102 bytes, more than a socket's path may have".into());
    }
    Ok(path)
}

/// A path from the root.
pub(super) fn absolute(v: &DeValue<'_>) -> Result<PathBuf, String> {
    let path = PathBuf::from(string(v)?);
    if path.is_absolute() {
        return Ok(path);
    }
    Err(format!("{:?} is not an absolute path", path.display().to_string()))
}

fn hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn arguments_fit(device: &str) -> bool {
    let mut arguments = device.split(',').skip(1);
    arguments.all(|a| a.split_once('=').is_some_and(|(k, v)| !k.is_empty() && !v.is_empty()))
}
