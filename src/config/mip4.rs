//! `[mip4]`: the home agent of Mobile IPv4 (RFC 5944, RFC 5454): read, checked, shown.
//!
//! ```text
//!   [mip4]                   what holds for all nodes
//!   [[mip4.foreign_agent]]   the foreign agents with which keys are shared
//!   file of nodes            the keys of each node (`Mip4Keys`)
//! ```

use super::reader::{Section, boolean, integer, string};
use super::render::{insert, table};
use super::value::{span, unicast4};
use super::{AuthKey, Config, Node, Profile, duration};
use crate::addr::{COPIES_MAX, MnId};
use crate::mobility::mip4::{Algorithm, ReverseTunnel};
use crate::time::Duration;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use toml::de::DeValue;
use toml::{Table, Value};

/// What a home agent of Mobile IPv4 is told; its address is `node.lma_address_ipv4`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // keys of the file, each yes or no
pub struct Mip4 {
    /// Registered nodes at most: beyond it code 130.
    pub max_registrations: usize,
    /// Care-of addresses of a node at a time (RFC 5944 1.7): beyond it code 135.
    pub simultaneous_bindings: usize,
    /// The longest lifetime granted, in whole seconds.
    pub max_lifetime: Duration,
    /// How far a node's time may be from ours (RFC 5944 5.7.1).
    pub timestamp_window: Duration,
    /// About packets from nodes (RFC 3024).
    pub reverse_tunnel: ReverseTunnel,
    /// Whether nodes behind a NAT are served by UDP tunnels (RFC 3519).
    pub nat_traversal: bool,
    /// Whether a node gets a UDP tunnel because it asks for it, NAT or not.
    pub nat_forced: bool,
    /// How often nodes behind a NAT keep its mapping, in whole seconds.
    pub nat_keepalive: Duration,
    /// Whether IPv6 prefixes are served (RFC 5454).
    pub dual_stack: bool,
    /// Whether bindings are revoked, and may be (RFC 3543).
    pub revocation: bool,
    /// `[[mip4.foreign_agent]]`
    pub foreign_agents: Vec<Mip4ForeignAgent>,
}

/// A foreign agent with which keys are shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mip4ForeignAgent {
    /// The source of what it relays.
    pub address: Ipv4Addr,
    /// At least one.
    pub auth: Vec<Mip4Auth>,
}

/// A mobility security association (RFC 5944 1.6).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mip4Auth {
    /// 256 or more.
    pub spi: u32,
    /// Where the key is.
    pub key_file: PathBuf,
    /// What the file holds.
    pub key: AuthKey,
    /// With what messages are authenticated.
    pub algorithm: Algorithm,
}

/// What the file of nodes says of a node that registers by Mobile IPv4.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mip4Keys {
    /// At least one; and whether requests by it are known to be new by nonces, not by timestamps
    /// (RFC 5944 5.7).
    pub auth: Vec<(Mip4Auth, bool)>,
    /// Its prefixes are registered without being asked for (RFC 5454 1.4).
    pub implicit: bool,
}

/// The section.
pub(super) fn read(s: &Section<'_, '_>, dir: &Path) -> Mip4 {
    let second = Duration::from_secs(1);
    let whole = |v: &DeValue<'_>, most| whole_seconds(v, second..=most * second);
    let milli = Duration::from_millis(1);
    Mip4 {
        max_registrations: s.integer("max_registrations", 1 << 16, 1..=1 << 24),
        simultaneous_bindings: s.integer("simultaneous_bindings", 1, 1..=COPIES_MAX),
        // RFC 5944 3.3: 65535 seconds would be for ever.
        max_lifetime: s.or("max_lifetime", 1800 * second, &|v| whole(v, 65_534)),
        timestamp_window: s.or("timestamp_window", 7 * second, &|v| span(v, milli..=3600 * second)),
        reverse_tunnel: s.or("reverse_tunnel", ReverseTunnel::Allowed, &reverse_tunnel),
        nat_traversal: s.or("nat_traversal", true, &boolean),
        nat_forced: s.or("nat_forced", false, &boolean),
        nat_keepalive: s.or("nat_keepalive", 110 * second, &|v| whole(v, 65_535)),
        dual_stack: s.or("dual_stack", true, &boolean),
        revocation: s.or("revocation", true, &boolean),
        foreign_agents: s
            .tables("foreign_agent")
            .iter()
            .filter_map(|s| foreign_agent(s, dir))
            .collect(),
    }
}

fn foreign_agent(s: &Section<'_, '_>, dir: &Path) -> Option<Mip4ForeignAgent> {
    let address = s.required("address", &unicast4);
    let tables = s.tables("auth");
    let auth: Vec<_> = tables.iter().filter_map(|s| auth(s, dir)).collect();
    if tables.is_empty() {
        s.fault("auth", "is missing: a foreign agent without keys need not be named");
    }
    for (i, a) in auth.iter().enumerate() {
        if auth[..i].iter().any(|other| other.spi == a.spi) {
            s.fault("auth", format!("has SPI {} twice", a.spi));
        }
    }
    Some(Mip4ForeignAgent { address: address?, auth })
}

fn auth(s: &Section<'_, '_>, dir: &Path) -> Option<Mip4Auth> {
    // RFC 5944 1.6: 0 to 255 are reserved.
    let spi = s.required("spi", &|v| integer(v, &(256..=u32::MAX)));
    let algorithm = s.or("algorithm", Algorithm::default(), &|v| algorithm_of(&string(v)?));
    let key_file = s.required("key_file", &string).map(|file| dir.join(file))?;
    let key = AuthKey::read(&key_file).map_err(|what| s.fault("key_file", what)).ok()?;
    Some(Mip4Auth { spi: spi?, key_file, key, algorithm })
}

fn whole_seconds(
    v: &DeValue<'_>,
    range: std::ops::RangeInclusive<Duration>,
) -> Result<Duration, String> {
    let found = span(v, range)?;
    if found.subsec_nanos() > 0 {
        return Err(format!("{} is no whole number of seconds", duration::render(found)));
    }
    Ok(found)
}

fn reverse_tunnel(v: &DeValue<'_>) -> Result<ReverseTunnel, String> {
    let text = string(v)?;
    let found = REVERSE_TUNNEL.iter().find(|(name, _)| *name == text);
    found
        .map(|(_, it)| *it)
        .ok_or_else(|| format!("{text:?} is neither \"allowed\", \"required\" nor \"unavailable\""))
}

const REVERSE_TUNNEL: [(&str, ReverseTunnel); 3] = [
    ("allowed", ReverseTunnel::Allowed),
    ("required", ReverseTunnel::Required),
    ("unavailable", ReverseTunnel::Unavailable),
];

fn algorithm_of(text: &str) -> Result<Algorithm, String> {
    let found = ALGORITHMS.iter().find(|(name, _)| *name == text);
    found
        .map(|(_, it)| *it)
        .ok_or_else(|| format!("{text:?} is neither \"hmac-md5\" nor \"hmac-sha-256\""))
}

const ALGORITHMS: [(&str, Algorithm); 2] =
    [("hmac-md5", Algorithm::HmacMd5), ("hmac-sha-256", Algorithm::HmacSha256)];

/// What concerns other sections, too.
pub(super) fn check(root: &Section<'_, '_>, mip4: &Mip4, node: Option<&Node>) {
    let own = node.map(|n| n.lma_address_ipv4);
    if own == Some(None) {
        root.fault("mip4", "needs node.lma_address_ipv4: there registrations arrive");
    }
    let agents = mip4.foreign_agents.iter().enumerate();
    for (i, agent) in agents {
        let path = format!("mip4.foreign_agent[{i}].address");
        let mut before = mip4.foreign_agents[..i].iter();
        if let Some(j) = before.position(|other| other.address == agent.address) {
            root.fault(
                &path,
                format!("{} is already at mip4.foreign_agent[{j}].address", agent.address),
            );
        }
        if own == Some(Some(agent.address)) {
            root.fault(&path, format!("{} is our own, at node.lma_address_ipv4", agent.address));
        }
    }
}

impl Mip4Keys {
    /// The last field of a line: keys, and `implicit`; `None` if there is nothing. `dir` is the
    /// directory that key files are named from.
    pub(super) fn parse(field: &str, dir: &Path) -> Result<Option<Self>, String> {
        let mut keys = Self { auth: Vec::new(), implicit: false };
        for text in field.split_whitespace() {
            if text == "implicit" {
                keys.implicit = true;
                continue;
            }
            let key = key(text, dir).map_err(|what| format!("mip4: {what}"))?;
            if keys.auth.iter().any(|(other, _)| other.spi == key.0.spi) {
                return Err(format!("mip4: has SPI {} twice", key.0.spi));
            }
            keys.auth.push(key);
        }
        match (keys.auth.is_empty(), keys.implicit) {
            (true, true) => Err("mip4: has no key: give SPI:key_file".into()),
            (true, false) => Ok(None),
            (false, _) => Ok(Some(keys)),
        }
    }

    /// What belongs together is there: `mn_id` is the node's, `profile` has its addresses,
    /// `customer` is whose it is.
    pub(super) fn check(
        mn_id: &MnId,
        profile: &Profile,
        customer: Option<&str>,
        config: &Config,
    ) -> Result<(), String> {
        if config.mip4.is_none() {
            return Err("mip4: is given, and there is no [mip4]".into());
        }
        if profile.static_ipv4.is_some() {
            return Ok(());
        }
        // RFC 2794: who has no home address says who it is by its NAI.
        if mn_id.subtype() != MnId::NAI {
            return Err("mip4: needs an IPv4 address of its own, as it has no NAI".into());
        }
        let mut pools = config.pools.iter().filter(|p| p.customer.as_deref() == customer);
        if pools.any(super::Pool::is_ipv4) {
            return Ok(());
        }
        Err("mip4: has neither an IPv4 address of its own nor a [[pool]] to get one from".into())
    }
}

/// `256:mn1.key`, SPI and file; behind them, each after a colon, `hmac-sha-256` and `nonce` if
/// these are wanted.
fn key(text: &str, dir: &Path) -> Result<(Mip4Auth, bool), String> {
    let mut parts = text.split(':');
    let (spi, file) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if file.is_empty() {
        return Err(format!("{text:?} is neither implicit nor SPI:key_file"));
    }
    // RFC 5944 1.6: 0 to 255 are reserved.
    let number = spi.parse::<u32>().ok().filter(|n| *n >= 256);
    let spi = number.ok_or_else(|| format!("{spi:?} is no SPI of 256 or more"))?;
    let (mut algorithm, mut nonce) = (Algorithm::default(), false);
    for part in parts {
        match part {
            "timestamp" => nonce = false,
            "nonce" => nonce = true,
            other => {
                let wrong =
                    |_| format!("{other:?} is no algorithm, and neither timestamp nor nonce");
                algorithm = algorithm_of(other).map_err(wrong)?;
            }
        }
    }
    let key_file = dir.join(file);
    let key = AuthKey::read(&key_file)?;
    Ok((Mip4Auth { spi, key_file, key, algorithm }, nonce))
}

/// The section as the file would have it.
pub(super) fn render(m: &Mip4) -> Table {
    let time = |d| Value::from(duration::render(d));
    let name = |list: &[(&'static str, ReverseTunnel)]| {
        list.iter().find(|(_, it)| *it == m.reverse_tunnel).map(|(name, _)| *name)
    };
    let mut shown = table([
        ("max_registrations", i64::try_from(m.max_registrations).unwrap_or(i64::MAX).into()),
        ("simultaneous_bindings", i64::try_from(m.simultaneous_bindings).unwrap_or(1).into()),
        ("max_lifetime", time(m.max_lifetime)),
        ("timestamp_window", time(m.timestamp_window)),
        ("nat_traversal", m.nat_traversal.into()),
        ("nat_forced", m.nat_forced.into()),
        ("nat_keepalive", time(m.nat_keepalive)),
        ("dual_stack", m.dual_stack.into()),
        ("revocation", m.revocation.into()),
    ]);
    insert(&mut shown, "reverse_tunnel", name(&REVERSE_TUNNEL));
    let agent = |a: &Mip4ForeignAgent| {
        let auth = Value::Array(a.auth.iter().map(render_auth).collect());
        Value::from(table([("address", a.address.to_string().into()), ("auth", auth)]))
    };
    let agents = m.foreign_agents.iter().map(agent).collect();
    shown.insert("foreign_agent".into(), Value::Array(agents));
    shown
}

/// Where the key is, never the key.
fn render_auth(a: &Mip4Auth) -> Value {
    let name = ALGORITHMS.iter().find(|(_, it)| *it == a.algorithm).map(|(name, _)| *name);
    let mut auth = table([
        ("spi", i64::from(a.spi).into()),
        ("key_file", a.key_file.display().to_string().into()),
    ]);
    insert(&mut auth, "algorithm", name);
    Value::from(auth)
}

#[cfg(test)]
mod tests;
