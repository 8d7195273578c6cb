//! `[home_agent]`: Mobile IPv6 beside the LMA (RFC 6275, RFC 6612): read, checked, shown.
//!
//! ```text
//!   [home_agent]           what holds for all nodes
//!   [[home_agent.link]]    where home addresses are besides pools: a prefix, on a port or virtual
//!   file of nodes          home address, mobile networks and keys of each node (`HomeNode`)
//! ```

use super::check::overlap;
use super::reader::{Section, boolean, string};
use super::render::{insert, table};
use super::value::{global_prefix, label, lifetime, node_prefix_of, span, unicast_address};
use super::{Auth, AuthKey, Config, Mip4Keys, Pool, Port, Profile, duration};
use crate::addr::{HomePrefix, Protection};
use crate::mobility::ha::Interworking;
use crate::time::Duration;
use std::net::Ipv6Addr;
use std::ops::RangeInclusive;
use std::path::Path;
use toml::de::DeValue;
use toml::{Table, Value};

/// What a home agent is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeAgent {
    /// How bindings of both protocols stand beside each other.
    pub interworking: Interworking,
    /// Bindings of nodes by themselves at most: beyond it status 130.
    pub max_bindings: usize,
    /// The longest lifetime granted.
    pub max_lifetime: Duration,
    /// How long the entry of a node that came home is kept, so that it is not taken for a duplicate
    /// of its own address (RFC 6275 10.3.2).
    pub delete_delay: Duration,
    /// How often nodes behind a NAT refresh its state (RFC 5555 6.4), in whole seconds.
    pub nat_keepalive: Duration,
    /// Whether mobile prefix advertisements are sent (RFC 6275 8.4).
    pub prefix_advertisements: bool,
    /// `MinMobPfxAdvInterval` (RFC 6275 13).
    pub min_advertisement_interval: Duration,
    /// `MaxMobPfxAdvInterval`, not below that.
    pub max_advertisement_interval: Duration,
    /// New nodes a second at most that are told by a Home Agent Switch (RFC 5142 7 and 8).
    pub switch_rate: u32,
    /// Whether a node whose binding is about to end is asked to refresh it (RFC 6275 9.5.5).
    pub refresh_requests: bool,
    /// Among other home agents of a link, highest first (RFC 6275 7.4).
    pub preference: i16,
    /// `DupAddrDetectTransmits` (RFC 4862 5.1).
    pub dad_transmits: u8,
    /// `RetransTimer` (RFC 4861 10): how long each of them waits for an answer.
    pub retrans_timer: Duration,
    /// How far the time of a Replay Protection option may be from ours (RFC 4285 6), which then has
    /// to be there; it may be left out if `None`.
    pub replay_window: Option<Duration>,
    /// `[[home_agent.link]]`
    pub links: Vec<HomeLink>,
}

/// A link that home addresses are on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeLink {
    /// Its prefix.
    pub prefix: HomePrefix,
    /// The port that it is at; virtual (RFC 6275 4.1) if `None`.
    pub port: Option<String>,
    /// Whose; the operator's own if `None`. That of the port, if there is one.
    pub customer: Option<String>,
    /// How long nodes are told that the prefix is valid, in whole seconds; for ever if `None`.
    pub valid_lifetime: Option<Duration>,
    /// The same of its being preferred.
    pub preferred_lifetime: Option<Duration>,
}

/// What the file of nodes says of a node's home.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct HomeNode {
    /// The home address that it has to register; any that its prefix or nobody has, if `None`.
    pub address: Option<Ipv6Addr>,
    /// Mobile network prefixes that it may register (RFC 3963).
    pub mobile_networks: Vec<HomePrefix>,
    /// What its messages have to prove; it may not register by itself if `None`.
    pub proof: Option<HomeProof>,
    /// By what it registers by Mobile IPv4; it may not if `None`.
    pub mip4: Option<Mip4Keys>,
}

/// By what a message is known to be a node's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HomeProof {
    /// It came in ESP (RFC 4877), as what is named of its tunnel has to (RFC 6275 10.4.6).
    Esp(Option<Protection>),
    /// It is authenticated by one of these keys (RFC 4285).
    Keys(Vec<Auth>),
    /// Nothing: for laboratories.
    Nothing,
}

/// The section; `ports` are those that could be read.
pub(super) fn read(s: &Section<'_, '_>, ports: &[Option<Port>]) -> HomeAgent {
    let [milli, second, minute] = [1, 1000, 60_000].map(Duration::from_millis);
    // RFC 4285 5.1, 6: more than three seconds.
    let window = Duration::from_millis(3001)..=60 * minute;
    // RFC 6275 6.8: nobody is told twice in a second.
    let interval = |key, default| s.or(key, default, &|v| span(v, second..=30 * 24 * 60 * minute));
    let min_advertisement_interval = interval("min_advertisement_interval", 10 * minute);
    let max_advertisement_interval = interval("max_advertisement_interval", 24 * 60 * minute);
    if max_advertisement_interval < min_advertisement_interval {
        s.fault("max_advertisement_interval", "is shorter than min_advertisement_interval");
    }
    HomeAgent {
        interworking: s.or("interworking", Interworking::Independent, &interworking),
        max_bindings: s.integer("max_bindings", 1 << 16, 1..=1 << 24),
        max_lifetime: s.or("max_lifetime", 60 * minute, &lifetime),
        delete_delay: s.or("delete_delay", 10 * second, &|v| span(v, milli..=10 * minute)),
        nat_keepalive: s.or("nat_keepalive", 110 * second, &|v| whole_seconds(v, 1..=65_535)),
        prefix_advertisements: s.or("prefix_advertisements", true, &boolean),
        min_advertisement_interval,
        max_advertisement_interval,
        switch_rate: s.integer("switch_rate", 1, 1..=100_000),
        refresh_requests: s.or("refresh_requests", true, &boolean),
        preference: s.integer("preference", 0, i16::MIN..=i16::MAX),
        dad_transmits: s.integer("dad_transmits", 1, 0..=10),
        retrans_timer: s.or("retrans_timer", second, &|v| span(v, 10 * milli..=minute)),
        replay_window: s.get("replay_window", &|v| span(v, window.clone())),
        links: s.tables("link").iter().filter_map(|s| link(s, ports)).collect(),
    }
}

fn link(s: &Section<'_, '_>, ports: &[Option<Port>]) -> Option<HomeLink> {
    let prefix = s.required("prefix", &global_prefix);
    let name = s.get("port", &label);
    let customer = s.get("customer", &label);
    let lifetime = |key| s.get(key, &|v| whole_seconds(v, 1..=u32::MAX - 1));
    let valid_lifetime = lifetime("valid_lifetime");
    let preferred_lifetime = lifetime("preferred_lifetime");
    if valid_lifetime.is_some_and(|valid| preferred_lifetime.is_none_or(|p| p > valid)) {
        s.fault("preferred_lifetime", "is longer than valid_lifetime (RFC 4861 4.6.2)");
    }
    let port = name.as_ref().and_then(|n| ports.iter().flatten().find(|p| p.name == *n));
    if let (Some(name), None) = (&name, port) {
        s.fault("port", format!("{name:?} is no [[port]]"));
    }
    if name.is_some() && customer.is_some() {
        s.fault("customer", "is that of the port: leave it out");
    }
    let prefix = prefix?;
    if !(48..=128).contains(&prefix.len()) {
        s.fault("prefix", format!("{prefix} is not of /48 to /128"));
    }
    // RFC 6275 10.5.1: agents of a link are known by their addresses on it.
    let is_on = |p: &Port| p.addresses.iter().any(|&(a, _)| prefix.contains(a));
    if let Some(port) = port.filter(|p| !is_on(p)) {
        s.fault("prefix", format!("no address of port {} is in {prefix}", port.name));
    }
    let customer = port.map_or(customer, |p| p.customer.clone());
    Some(HomeLink { prefix, port: name, customer, valid_lifetime, preferred_lifetime })
}

fn whole_seconds(v: &DeValue<'_>, range: RangeInclusive<u32>) -> Result<Duration, String> {
    let [from, to] = [*range.start(), *range.end()].map(|s| Duration::from_secs(s.into()));
    let found = span(v, from..=to)?;
    if found.subsec_nanos() > 0 {
        return Err(format!("{} is no whole number of seconds", duration::render(found)));
    }
    Ok(found)
}

fn interworking(v: &DeValue<'_>) -> Result<Interworking, String> {
    match string(v)?.as_str() {
        "independent" => Ok(Interworking::Independent),
        "combined" => Ok(Interworking::Combined),
        other => Err(format!("{other:?} is neither \"independent\" nor \"combined\"")),
    }
}

/// What concerns other sections, too: links are apart, from each other and from pools, which are
/// links themselves.
pub(super) fn check(
    root: &Section<'_, '_>,
    home_agent: &HomeAgent,
    customers: &[Option<super::Customer>],
    pools: &[Option<Pool>],
) {
    for (i, link) in home_agent.links.iter().enumerate() {
        let path = |key: &str| format!("home_agent.link[{i}].{key}");
        if let Some(name) = &link.customer
            && !customers.iter().flatten().any(|c| c.name == *name)
        {
            root.fault(&path("customer"), format!("{name:?} is no [[customer]]"));
        }
        let same = |o: &HomeLink| o.customer == link.customer && overlap(o.prefix, link.prefix);
        let mut others = home_agent.links[..i].iter().enumerate();
        if let Some((j, other)) = others.find(|(_, o)| same(o)) {
            let what = format!("{} overlaps link[{j}] ({})", link.prefix, other.prefix);
            root.fault(&path("prefix"), what);
        }
        let mut pools = pools.iter().flatten().filter(|p| p.customer == link.customer);
        if let Some(pool) = pools.find(|p| overlap(p.prefix, link.prefix)) {
            let what = format!("{} overlaps the pool {}, a link itself", link.prefix, pool.name);
            root.fault(&path("prefix"), what);
        }
    }
}

impl HomeNode {
    /// From the last fields of a line: home address, mobile networks, authentication, Mobile IPv4;
    /// `dir` is the directory that key files are named from.
    pub(super) fn parse<'e>(
        mut fields: impl Iterator<Item = &'e str>,
        dir: &Path,
        config: &Config,
    ) -> Result<Self, String> {
        let mut field = || fields.next().unwrap_or_default();
        let (address, networks, authentication) = (field(), field(), field());
        let mip4 = field();
        let mut node = Self::default();
        if !address.is_empty() {
            let address = unicast_address(address).map_err(|e| format!("home_address: {e}"))?;
            node.address = Some(address);
        }
        for text in networks.split_whitespace() {
            let prefix = node_prefix_of(text).map_err(|e| format!("mobile_networks: {e}"))?;
            if prefix.to_ipv4().is_some() || prefix.len() < 48 {
                return Err(format!(
                    "mobile_networks: {prefix} is no IPv6 prefix of /48 or longer"
                ));
            }
            node.mobile_networks.push(prefix);
        }
        let window = config.home_agent.as_ref().and_then(|h| h.replay_window);
        node.proof = match authentication {
            "" => None,
            "esp" => Some(HomeProof::Esp(None)),
            "esp:return-routability" => Some(HomeProof::Esp(Some(Protection::ReturnRoutability))),
            "esp:all" => Some(HomeProof::Esp(Some(Protection::All))),
            "none" => Some(HomeProof::Nothing),
            keys => {
                let keys = keys.split_whitespace().map(|text| key(text, dir, window));
                Some(HomeProof::Keys(keys.collect::<Result<_, _>>()?))
            }
        };
        node.mip4 = Mip4Keys::parse(mip4, dir)?;
        node.complete(config).map(|()| node)
    }

    /// What belongs together is there.
    fn complete(&self, config: &Config) -> Result<(), String> {
        // By Mobile IPv4 a node registers prefixes that are its own, too.
        let has_networks = !self.mobile_networks.is_empty() && self.mip4.is_none();
        if self.address.is_none() && self.proof.is_none() && !has_networks {
            return Ok(());
        }
        if config.home_agent.is_none() {
            return Err("has a home, and there is no [home_agent]".into());
        }
        // RFC 6275 5.1: binding updates to home agents are authenticated, whatever else is not.
        match self.proof {
            Some(_) => Ok(()),
            None => Err("authentication: is missing: give esp or SPI:key_file".into()),
        }
    }

    /// Adds to a profile's own prefixes the one of a pool that the home address is in, so that
    /// either protocol gives the node the same (RFC 6612 4.2). Fails if its addresses do not fit
    /// pools, home links and the customer whose node it is.
    pub(super) fn reserve(
        &self,
        profile: &mut Profile,
        customer: Option<&str>,
        config: &Config,
    ) -> Result<(), String> {
        // The kernel that does ESP has the operator's address space alone.
        if let (Some(HomeProof::Esp(Some(_))), Some(name)) = (&self.proof, customer) {
            return Err(format!("authentication: what of a tunnel is in ESP is not of {name}"));
        }
        let pools = || config.pools.iter().filter(|p| p.customer.as_deref() == customer);
        let links = config.home_agent.iter().flat_map(|h| &h.links);
        let mut links = links.filter(|l| l.customer.as_deref() == customer);
        if let Some(address) = self.address {
            let pool = pools().find(|p| p.prefix.contains(address));
            match pool.map(|p| HomePrefix::truncating(address, p.delegated_len)) {
                Some(Ok(prefix)) if !profile.static_prefixes.contains(&prefix) => {
                    profile.static_prefixes.push(prefix);
                }
                Some(_) => {}
                None if links.any(|l| l.prefix.contains(address)) => {}
                None => {
                    return Err(format!(
                        "home_address: {address} is in no [[pool]] or [[home_agent.link]] of its \
                         customer"
                    ));
                }
            }
        }
        for network in &self.mobile_networks {
            let near = pools().map(|p| p.prefix).find(|p| overlap(*p, *network));
            if let Some(near) = near {
                return Err(format!("mobile_networks: {network} overlaps the pool {near}"));
            }
        }
        Ok(())
    }

    /// What is the node's alone besides its static prefixes.
    pub(super) fn own(&self, profile: &Profile) -> impl Iterator<Item = HomePrefix> {
        let inside = |a: &Ipv6Addr| profile.static_prefixes.iter().any(|p| p.contains(*a));
        let address = self.address.filter(|a| !inside(a));
        let address = address.and_then(|a| HomePrefix::truncating(a, 128).ok());
        address.into_iter().chain(self.mobile_networks.iter().copied())
    }
}

/// `256:mn1.key`, SPI and file.
fn key(text: &str, dir: &Path, replay_window: Option<Duration>) -> Result<Auth, String> {
    let Some((spi, file)) = text.split_once(':') else {
        return Err(format!("authentication: {text:?} is neither esp, none nor SPI:key_file"));
    };
    // RFC 4285 5.1: 0 to 255 are reserved.
    let number = spi.parse::<u32>().ok().filter(|n| *n >= 256);
    let spi = number.ok_or_else(|| format!("authentication: {spi:?} is no SPI of 256 or more"))?;
    let key_file = dir.join(file);
    let key = AuthKey::read(&key_file).map_err(|what| format!("authentication: {what}"))?;
    Ok(Auth { spi, key_file, key, replay_window })
}

/// The section as the file would have it.
pub(super) fn render(h: &HomeAgent) -> Table {
    let time = |d| Value::from(duration::render(d));
    let mode = match h.interworking {
        Interworking::Independent => "independent",
        Interworking::Combined => "combined",
    };
    let mut shown = table([
        ("interworking", mode.into()),
        ("max_bindings", i64::try_from(h.max_bindings).unwrap_or(i64::MAX).into()),
        ("max_lifetime", time(h.max_lifetime)),
        ("delete_delay", time(h.delete_delay)),
        ("nat_keepalive", time(h.nat_keepalive)),
        ("prefix_advertisements", h.prefix_advertisements.into()),
        ("min_advertisement_interval", time(h.min_advertisement_interval)),
        ("max_advertisement_interval", time(h.max_advertisement_interval)),
        ("switch_rate", i64::from(h.switch_rate).into()),
        ("refresh_requests", h.refresh_requests.into()),
        ("preference", i64::from(h.preference).into()),
        ("dad_transmits", i64::from(h.dad_transmits).into()),
        ("retrans_timer", time(h.retrans_timer)),
    ]);
    insert(&mut shown, "replay_window", h.replay_window.map(time));
    let link = |l: &HomeLink| {
        let mut link = table([("prefix", l.prefix.to_string().into())]);
        insert(&mut link, "port", l.port.clone());
        insert(&mut link, "customer", l.customer.clone().filter(|_| l.port.is_none()));
        insert(&mut link, "valid_lifetime", l.valid_lifetime.map(time));
        insert(&mut link, "preferred_lifetime", l.preferred_lifetime.map(time));
        Value::from(link)
    };
    shown.insert("link".into(), Value::Array(h.links.iter().map(link).collect()));
    shown
}

#[cfg(test)]
mod tests;
