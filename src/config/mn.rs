//! The configuration of `anchor-mn`. `docs/anchor-mn.md` shows a whole file.

use super::mag::auth_key;
use super::mn4::mipv4;
use super::reader::{self, Reader, Section, boolean, string};
use super::section::{MTU_MAX, log};
use super::value::{
    absolute, global_prefix, interface_name, label, lifetime, span, unicast, unicast4,
};
use super::{Faults, Log};
use crate::addr::{HomePrefix, MnId};
use crate::mobility::auth::AuthKey;
use crate::mobility::mn::{MnConfig, MobileRouter};
use crate::mobility::mn4::Mn4Config;
use crate::time::{Duration, Lifetime};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use toml::de::DeValue;

/// A whole configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `[node]`: for logs.
    pub name: String,
    /// Whose addresses are care-of addresses.
    pub interface: String,
    /// `[mipv6]` or `[mipv4]`
    pub core: Core,
    /// `home_prefix` of either: where it is heard of, the node is at home.
    pub home_prefix: Option<HomePrefix>,
    /// Addresses that the node has wherever it is.
    pub addresses: Vec<Ipv6Addr>,
    /// `tunnel.interface`: name of its TUN.
    pub tunnel: String,
    /// `tunnel.mtu`, in bytes.
    pub tunnel_mtu: u16,
    /// `[control]`: the socket's path.
    pub socket: PathBuf,
    /// `[log]`
    pub log: Log,
}

/// What the node speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Core {
    /// Mobile IPv6, authenticated by RFC 4285 if there is a key.
    Mip6(MnConfig, Option<AuthKey>),
    /// Mobile IPv4.
    Mip4(Mn4Config),
}

/// Reads and validates a whole file.
pub fn load(path: &Path) -> Result<Config, Faults> {
    parse(&reader::text(path)?, path)
}

fn parse(text: &str, path: &Path) -> Result<Config, Faults> {
    Reader::read(text, path, |reader, dir| config(&reader.root(), dir))
}

fn config(root: &Section<'_, '_>, dir: &Path) -> Option<Config> {
    let node = root.table_or_empty("node");
    let name = node.required("name", &label);
    let interface = node.required("interface", &interface_name);
    let tunnel = root.table_or_empty("tunnel");
    // RFC 8200 5: what a link of IPv6 carries at least; above it 40 are left for the outer header.
    let tunnel_mtu = tunnel.integer("mtu", 1460, 1280..=MTU_MAX - 40);
    let tun = tunnel.or("interface", "mn-tun".into(), &interface_name);
    if interface.as_ref() == Some(&tun) {
        tunnel.fault("interface", format!("{tun} is node.interface"));
    }
    let protocol = protocol(root, dir);
    let control = root.table_or_empty("control");
    let socket = control.or("socket", "/run/anchor-mn.sock".into(), &absolute);
    let log = log(&root.table_or_empty("log"));
    let (core, home_prefix, addresses) = protocol?;
    Some(Config {
        name: name?,
        interface: interface?,
        core,
        home_prefix,
        addresses,
        tunnel: tun,
        tunnel_mtu,
        socket,
        log,
    })
}

/// `[mipv4]`, else `[mipv6]`: the node, its home prefix, and its addresses besides one that it is
/// given.
fn protocol(
    root: &Section<'_, '_>,
    dir: &Path,
) -> Option<(Core, Option<HomePrefix>, Vec<Ipv6Addr>)> {
    let authentication = root.table("authentication");
    let Some(ipv4) = root.table("mipv4") else {
        let auth = authentication.map(|s| auth_key(&s, dir));
        let (core, home_prefix) = mipv6(&root.table_or_empty("mipv6"))?;
        let home = core.home_address;
        return Some((Core::Mip6(core, auth.flatten()), Some(home_prefix), vec![home]));
    };
    if authentication.is_none() {
        root.fault("authentication", "is missing: there is no Mobile IPv4 without");
    }
    if root.has("mipv6") {
        root.fault("mipv6", "a node speaks either this or mipv4");
    }
    let (core, home_prefix, mut addresses) = mipv4(&ipv4, authentication.as_ref(), dir)?;
    addresses.extend(core.home_address.map(|home| home.to_ipv6_mapped()));
    Some((Core::Mip4(core), home_prefix, addresses))
}

/// `[mipv6]`: the node, and the prefix of its home link.
fn mipv6(s: &Section<'_, '_>) -> Option<(MnConfig, HomePrefix)> {
    let home_address = s.required("home_address", &unicast);
    let home_prefix = s.get("home_prefix", &global_prefix);
    let home_agents = s.list("home_agents", &unicast);
    if home_agents.is_empty() {
        s.fault("home_agents", "at least one home agent is needed");
    }
    let home_agent_ipv4 = s.get("home_agent_ipv4", &unicast4);
    if home_agent_ipv4.is_some() && home_agents.len() > 1 {
        s.fault("home_agent_ipv4", "whose is it? With it there may be one home agent only");
    }
    let ipv4_home = s.get("ipv4_home_address", &any_or_unicast4);
    let mn_id = s.get("mn_id", &mn_id);
    let lifetime = s.or("lifetime", Duration::from_secs(600), &lifetime);
    let milli = Duration::from_millis;
    let first_timeout =
        s.or("first_timeout", milli(1500), &|v| span(v, milli(100)..=milli(32_000)));
    let prefixes = s.list("mobile_networks", &global_prefix);
    let is_router = s.or("router", !prefixes.is_empty(), &boolean);
    let explicit = s.or("explicit", true, &boolean);
    if is_router && explicit && prefixes.is_empty() {
        s.fault("mobile_networks", "is empty: explicit = false leaves them to the home agent");
    }
    if !is_router && !prefixes.is_empty() {
        s.fault("mobile_networks", "router = false has none");
    }
    let home_address = home_address?;
    let home_prefix = home_prefix.or_else(|| prefix_around(home_address, 64))?;
    if !home_prefix.contains(home_address) {
        s.fault("home_prefix", format!("{home_address} is not in {home_prefix}"));
    }
    let router = is_router.then_some(MobileRouter { prefixes, explicit });
    let lifetime = Lifetime::at_most(lifetime);
    let core = MnConfig {
        home_address,
        home_agents,
        home_agent_ipv4,
        ipv4_home,
        mn_id,
        lifetime,
        first_timeout,
        router,
    };
    Some((core, home_prefix))
}

/// An IPv4 address; 0.0.0.0 for `any`.
fn any_or_unicast4(v: &DeValue<'_>) -> Result<Ipv4Addr, String> {
    if string(v)? == "any" { Ok(Ipv4Addr::UNSPECIFIED) } else { unicast4(v) }
}

/// The prefix of this length that an address is in.
pub(super) fn prefix_around(address: Ipv6Addr, len: u8) -> Option<HomePrefix> {
    HomePrefix::truncating(address, len).ok()
}

pub(super) fn mn_id(v: &DeValue<'_>) -> Result<MnId, String> {
    let text = string(v)?;
    text.parse()
        .map_err(|_| format!("{text:?} is not an identifier of 1 to {} bytes", MnId::MAX_LEN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const NODE: &str = "[node]\nname = \"mn1\"\ninterface = \"eth0\"\n";

    fn read(text: &str) -> Result<Config, Vec<String>> {
        let lines = |f: Faults| f.to_string().lines().map(ToOwned::to_owned).collect();
        parse(text, Path::new("mn.toml")).map_err(lines)
    }

    #[test]
    fn page_of_the_documentation_is_a_valid_configuration_with_every_section() {
        let page = include_str!("../../docs/anchor-mn.md");
        let nth = |n| page.split("```toml").nth(n).and_then(|rest| rest.split("```").next());
        let (toml, mipv4) = (nth(1).expect("the page has one"), nth(2).expect("and another"));
        let key = std::env::temp_dir().join(format!("mn-key-{}", std::process::id()));
        std::fs::write(&key, "000102030405060708090a0b0c0d0e0f\n").expect("writable");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("ours");
        let read = |text: &str| {
            let text = text.replace("mn.key", &key.display().to_string());
            read(&text).unwrap_or_else(|f| panic!("{f:?}"))
        };
        let (config, config4) = (read(toml), read(&format!("{NODE}{mipv4}")));
        drop(std::fs::remove_file(&key));
        let Core::Mip6(core, auth) = config.core else { panic!("{:?}", config.core) };
        assert_eq!(auth.map(|key| (key.spi, key.secret.len())), Some((256, 16)));
        assert_eq!((core.home_agents.len(), config.addresses), (1, vec![core.home_address]));
        assert!(core.router.is_some_and(|r| r.explicit && r.prefixes.len() == 1));
        assert!(core.mn_id.is_some());
        let Core::Mip4(core) = config4.core else { panic!("{:?}", config4.core) };
        assert_eq!((core.association.spi, core.lifetime.0), (256, 600));
        assert!(core.home_address.is_some_and(|h| config4.addresses.contains(&h.to_ipv6_mapped())));
        let prefixes: Vec<_> = core.ipv6.prefixes.iter().map(ToString::to_string).collect();
        assert_eq!(prefixes, ["2001:db8:700::/64"]);
    }

    #[test]
    fn node_of_mobile_ipv4_has_a_key_and_a_name_and_is_no_other() {
        let faults = read(&format!("{NODE}[mipv4]\ndelivery = \"x\"\n[mipv6]\n"));
        let faults = faults.expect_err("faults");
        for what in ["home_agent", "home_address", "delivery", "authentication", "mipv6: "] {
            assert!(faults.iter().any(|f| f.contains(what)), "{what}: {faults:?}");
        }
        assert_eq!(faults.len(), 5, "{faults:?}");
    }

    #[test]
    fn home_prefix_is_the_subnet_of_the_home_address_unless_it_is_told() {
        let home =
            "[mipv6]\nhome_address = \"2001:db8:100::9\"\nhome_agents = [\"2001:db8:a::1\"]\n";
        let config = read(&format!("{NODE}{home}")).unwrap_or_else(|f| panic!("{f:?}"));
        let shown = config.home_prefix.map(|p| p.to_string());
        assert_eq!(shown.as_deref(), Some("2001:db8:100::/64"));
        assert!(matches!(config.core, Core::Mip6(MnConfig { router: None, .. }, None)));
        let faults = read(&format!("{NODE}{home}home_prefix = \"2001:db8:200::/64\"\n"));
        assert!(faults.is_err_and(|f| f.len() == 1 && f[0].contains("is not in")));
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let faults = read(
            "[node]\nname = \"x\"\n[mipv6]\nhome_address = \"fe80::1\"\nlifetime = \"1s\"\n\
             router = false\nmobile_networks = [\"2001:db8:1::/64\"]\n[tunnel]\nmtu = 1279\n",
        );
        let faults = faults.expect_err("faults");
        for what in
            ["interface: is missing", "link-local", "home_agents", "lifetime", "1280", "router"]
        {
            assert!(faults.iter().any(|f| f.contains(what)), "{what}: {faults:?}");
        }
        assert_eq!(faults.len(), 6, "{faults:?}");
    }
}
