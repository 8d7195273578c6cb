//! Who is served and by whom: `[[customer]]`, `[[service]]`, `[[pool]]`, `[[mag]]`, `[policy]`.

use super::super::reader::{Section, boolean, integer, string};
use super::super::tunnel::dscp_value;
use super::super::value::{
    label, lifetime, node_prefix, pattern, realm, service as service_name, socket_path, span,
    unicast_any, unicast4,
};
use super::super::{
    Auth, AuthKey, CUSTOMER_ID_MAX, Customer, Families, GreUse, Mag, Policy, PolicyStore, Pool,
    Profile, ROUTE_TABLE, Service, peer,
};
use super::{MTU_MAX, MTU_MIN};
use crate::addr::CustomerId;
use crate::time::Duration;
use crate::wire::mh::DhcpSupportMode;
use std::net::Ipv4Addr;
use std::path::Path;
use toml::de::DeValue;

/// A virtual operator; `dir` is the directory that relative paths begin at.
pub(super) fn customer(s: &Section<'_, '_>, dir: &Path) -> Option<Customer> {
    let name = s.required("name", &label);
    let id = s.required("id", &|v| integer(v, &(1..=CUSTOMER_ID_MAX)));
    let realms = s.list("realms", &realm);
    let mags = s.list("mags", &label);
    let dhcp = s.get("dhcp", &dhcp_mode);
    let max_bindings = s.get("max_bindings", &|v| integer(v, &(1..=BINDINGS_MAX)));
    let gre = s.or("gre", GreUse::Allowed, &gre_use);
    let auth = auth(s, dir);
    let dscp = s.get("dscp", &dscp_value);
    let (name, id) = (name?, CustomerId(id?));
    Some(Customer { name, id, realms, mags, dhcp, max_bindings, gre, dscp, auth })
}

/// What a service brings.
pub(super) fn service(s: &Section<'_, '_>) -> Option<Service> {
    let name = s.required("name", &service_name);
    let customer = s.get("customer", &label);
    let profile = s.table("profile").map(|table| profile(&table));
    Some(Service { name: name?, customer, profile })
}

/// Prefixes or IPv4 addresses to give out.
pub(super) fn pool(s: &Section<'_, '_>) -> Option<Pool> {
    let name = s.required("name", &label);
    let customer = s.get("customer", &label);
    let prefix = s.required("prefix", &node_prefix);
    let ipv4 = prefix.and_then(crate::addr::HomePrefix::to_ipv4);
    let (delegated_len, default_router) = match ipv4 {
        Some((first, len)) => (IPV4_HOST_LEN, Some(default_router(s, first, len))),
        None => {
            // A home network prefix of /48 to /128 is what the workers look up.
            (s.integer("delegated_len", 64, 48..=128), None)
        }
    };
    // Pools of several customers may overlap: which table is whose only the operator knows.
    let table = s.get("route_table", &|v| integer(v, &(1..=u32::MAX)));
    let route_table = table.or(customer.is_none().then_some(ROUTE_TABLE));
    let (name, prefix) = (name?, prefix?);
    if delegated_len < prefix.len() {
        let what = format!("{delegated_len} is shorter than the pool's own /{}", prefix.len());
        s.fault("delegated_len", what);
    }
    Some(Pool { name, customer, prefix, delegated_len, default_router, route_table })
}

/// The default router of an IPv4 pool: as it is told, else the first address after the network's.
fn default_router(s: &Section<'_, '_>, first: Ipv4Addr, len: u8) -> Ipv4Addr {
    if len > IPV4_POOL_LEN_MAX {
        let what = format!("/{len} has no room for nodes: an IPv4 pool is /30 or shorter");
        s.fault("prefix", what);
    }
    let second = Ipv4Addr::from_bits(first.to_bits() | 1);
    let router = s.or("default_router", second, &unicast4);
    let mask = u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
    let (host, broadcast) = (router.to_bits() & !mask, !mask);
    if router.to_bits() & mask != first.to_bits() || host == 0 || host == broadcast {
        s.fault("default_router", format!("{router} is no host's address of the pool's network"));
    }
    router
}

/// A gateway; `mtu` is the default of its tunnel's.
pub(super) fn mag(s: &Section<'_, '_>, dir: &Path, mtu: u16) -> Option<Mag> {
    let name = s.required("name", &label);
    let address = s.required("address", &unicast_any);
    let more_addresses = s.list("more_addresses", &unicast_any);
    let customer = s.get("customer", &label);
    let authorized = s.or("authorized", true, &boolean);
    let prefixes = s.list("prefixes", &node_prefix);
    let nodes = s.list("nodes", &pattern);
    let tunnel_mtu = s.integer("tunnel_mtu", mtu, MTU_MIN..=MTU_MAX);
    let gre = s.or("gre", GreUse::Allowed, &gre_use);
    let auth = auth(s, dir);
    let peer = peer::mag(s);
    Some(Mag {
        name: name?,
        address: address?,
        more_addresses,
        customer,
        authorized,
        prefixes,
        nodes,
        tunnel_mtu,
        gre,
        auth,
        peer,
    })
}

/// The tables `auth` of a gateway or customer.
fn auth(s: &Section<'_, '_>, dir: &Path) -> Vec<Auth> {
    let read = |s: &Section<'_, '_>| {
        // RFC 4285 section 5.1: 0 to 255 are reserved.
        let spi = s.required("spi", &|v| integer(v, &(256..=u32::MAX)));
        // RFC 4285 5.1, 6: more than three seconds.
        let window = Duration::from_millis(3001)..=Duration::from_secs(3600);
        let replay_window = s.get("replay_window", &|v| span(v, window.clone()));
        let key_file = s.required("key_file", &string).map(|file| dir.join(file))?;
        let key = AuthKey::read(&key_file).map_err(|what| s.fault("key_file", what)).ok()?;
        Some(Auth { spi: spi?, key_file, key, replay_window })
    };
    s.tables("auth").iter().filter_map(read).collect()
}

pub(super) fn dhcp_mode(v: &DeValue<'_>) -> Result<DhcpSupportMode, String> {
    match string(v)?.as_str() {
        "relay" => Ok(DhcpSupportMode::Relay),
        "server" => Ok(DhcpSupportMode::Server),
        other => Err(format!("{other:?} is neither \"relay\" nor \"server\"")),
    }
}

fn gre_use(v: &DeValue<'_>) -> Result<GreUse, String> {
    match string(v)?.as_str() {
        "off" => Ok(GreUse::Off),
        "allowed" => Ok(GreUse::Allowed),
        "required" => Ok(GreUse::Required),
        other => Err(format!("{other:?} is neither \"off\", \"allowed\" nor \"required\"")),
    }
}

fn families(v: &DeValue<'_>) -> Result<Families, String> {
    families_of(&string(v)?)
}

/// `both`, `ipv6` or `ipv4`.
pub(in crate::config) fn families_of(text: &str) -> Result<Families, String> {
    match text {
        "both" => Ok(Families::Both),
        "ipv6" => Ok(Families::Ipv6),
        "ipv4" => Ok(Families::Ipv4),
        other => Err(format!("{other:?} is neither \"both\", \"ipv6\" nor \"ipv4\"")),
    }
}

/// What nodes may do.
pub(super) fn policy(s: &Section<'_, '_>, dir: &Path) -> Policy {
    Policy {
        default: s.table("default").map(|table| profile(&table)),
        nodes_file: s.get("nodes_file", &string).map(|file| dir.join(file)),
        store: policy_store(s),
        max_bindings: s.integer("max_bindings", 1 << 20, 1..=BINDINGS_MAX),
    }
}

fn policy_store(s: &Section<'_, '_>) -> Option<PolicyStore> {
    let range = Duration::from_millis(10)..=Duration::from_secs(30);
    let timeout = s.or("timeout", Duration::from_secs(2), &|v| span(v, range.clone()));
    let socket = s.get("socket", &socket_path);
    if s.has("timeout") && !s.has("socket") {
        s.fault("timeout", "has no meaning without socket");
    }
    Some(PolicyStore { socket: socket?, timeout })
}

fn profile(s: &Section<'_, '_>) -> Profile {
    let default = default_profile();
    Profile {
        enabled: s.or("enabled", default.enabled, &boolean),
        families: s.or("families", default.families, &families),
        pool: s.get("pool", &label),
        pool_ipv4: s.get("pool_ipv4", &label),
        prefixes: s.integer("prefixes", default.prefixes, 1..=PREFIXES_MAX),
        max_lifetime: s.or("max_lifetime", default.max_lifetime, &lifetime),
        refresh_percent: s.integer("refresh_percent", default.refresh_percent, 1..=100),
        services: s.has("services").then(|| s.list("services", &service_name)),
        static_prefixes: default.static_prefixes,
        static_ipv4: default.static_ipv4,
    }
}

/// What nodes may do where neither `[policy.default]` nor their own line says.
#[must_use]
pub fn default_profile() -> Profile {
    Profile {
        enabled: true,
        families: Families::Both,
        pool: None,
        pool_ipv4: None,
        prefixes: 1,
        max_lifetime: Duration::from_secs(3600),
        refresh_percent: 100,
        services: None,
        static_prefixes: Vec::new(),
        static_ipv4: None,
    }
}

/// The most prefixes of one session: so that they and the other options always fit a PBA.
pub(in crate::config) const PREFIXES_MAX: u8 = 16;
/// The most sessions.
const BINDINGS_MAX: usize = 1 << 24;
/// The length of an IPv4-mapped address.
const IPV4_HOST_LEN: u8 = 128;
/// Two hosts beside the addresses of network and broadcast.
const IPV4_POOL_LEN_MAX: u8 = 30;
