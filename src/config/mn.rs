//! The configuration of `anchor-mn`. `docs/anchor-mn.md` shows a whole file.

use super::mag::auth_key;
use super::reader::{self, Reader, Section, boolean, string};
use super::section::{MTU_MAX, log};
use super::value::{absolute, global_prefix, interface_name, label, lifetime, span, unicast};
use super::{Faults, Log};
use crate::addr::{HomePrefix, MnId};
use crate::mobility::auth::AuthKey;
use crate::mobility::mn::{MnConfig, MobileRouter};
use crate::time::{Duration, Lifetime};
use std::path::{Path, PathBuf};
use toml::de::DeValue;

/// A whole configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `[node]`: for logs.
    pub name: String,
    /// Whose addresses are care-of addresses.
    pub interface: String,
    /// `[mipv6]`
    pub core: MnConfig,
    /// `mipv6.home_prefix`: where it is heard of, the node is at home.
    pub home_prefix: HomePrefix,
    /// `[authentication]` (RFC 4285).
    pub auth: Option<AuthKey>,
    /// `tunnel.interface`: name of its TUN.
    pub tunnel: String,
    /// `tunnel.mtu`, in bytes.
    pub tunnel_mtu: u16,
    /// `[control]`: the socket's path.
    pub socket: PathBuf,
    /// `[log]`
    pub log: Log,
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
    let mipv6 = mipv6(&root.table_or_empty("mipv6"));
    let tunnel = root.table_or_empty("tunnel");
    // RFC 8200 5: what a link of IPv6 carries at least; above it 40 are left for the outer header.
    let tunnel_mtu = tunnel.integer("mtu", 1460, 1280..=MTU_MAX - 40);
    let tun = tunnel.or("interface", "mn-tun".into(), &interface_name);
    if interface.as_ref() == Some(&tun) {
        tunnel.fault("interface", format!("{tun} is node.interface"));
    }
    let auth = root.table("authentication").map(|s| auth_key(&s, dir));
    let control = root.table_or_empty("control");
    let socket = control.or("socket", "/run/anchor-mn.sock".into(), &absolute);
    let log = log(&root.table_or_empty("log"));
    let (core, home_prefix) = mipv6?;
    Some(Config {
        name: name?,
        interface: interface?,
        core,
        home_prefix,
        auth: auth.flatten(),
        tunnel: tun,
        tunnel_mtu,
        socket,
        log,
    })
}

/// `[mipv6]`: the node, and the prefix of its home link.
fn mipv6(s: &Section<'_, '_>) -> Option<(MnConfig, HomePrefix)> {
    let home_address = s.required("home_address", &unicast);
    let home_prefix = s.get("home_prefix", &global_prefix);
    let home_agents = s.list("home_agents", &unicast);
    if home_agents.is_empty() {
        s.fault("home_agents", "at least one home agent is needed");
    }
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
    let home_prefix = home_prefix.or_else(|| HomePrefix::truncating(home_address, 64).ok())?;
    if !home_prefix.contains(home_address) {
        s.fault("home_prefix", format!("{home_address} is not in {home_prefix}"));
    }
    let router = is_router.then_some(MobileRouter { prefixes, explicit });
    let lifetime = Lifetime::at_most(lifetime);
    Some((
        MnConfig { home_address, home_agents, mn_id, lifetime, first_timeout, router },
        home_prefix,
    ))
}

fn mn_id(v: &DeValue<'_>) -> Result<MnId, String> {
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
        let toml = page.split("```toml").nth(1).and_then(|rest| rest.split("```").next());
        let key = std::env::temp_dir().join(format!("mn-key-{}", std::process::id()));
        std::fs::write(&key, "000102030405060708090a0b0c0d0e0f\n").expect("writable");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("ours");
        let text = toml.expect("the page has one").replace("mn.key", &key.display().to_string());
        let config = read(&text).unwrap_or_else(|f| panic!("{f:?}"));
        drop(std::fs::remove_file(&key));
        assert_eq!(config.auth.map(|key| (key.spi, key.secret.len())), Some((256, 16)));
        assert_eq!(config.core.home_agents.len(), 1);
        assert!(config.core.router.is_some_and(|r| r.explicit && r.prefixes.len() == 1));
        assert!(config.core.mn_id.is_some());
    }

    #[test]
    fn home_prefix_is_the_subnet_of_the_home_address_unless_it_is_told() {
        let home =
            "[mipv6]\nhome_address = \"2001:db8:100::9\"\nhome_agents = [\"2001:db8:a::1\"]\n";
        let config = read(&format!("{NODE}{home}")).unwrap_or_else(|f| panic!("{f:?}"));
        assert_eq!(config.home_prefix.to_string(), "2001:db8:100::/64");
        assert_eq!((config.core.router, config.auth), (None, None));
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
