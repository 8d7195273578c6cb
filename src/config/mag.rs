//! The configuration of `anchor-mag`: RFC 5213 9.2 and 9.3, the access links, and the policy
//! profiles of mobile nodes (RFC 5213 6.2). `docs/anchor-mag.md` shows a whole file.

mod value;

use super::key;
use super::reader::{self, Reader, Section, boolean, integer, string};
use super::section::{MTU_MAX, MTU_MIN, log};
use super::value::{absolute, global_prefix, interface_name, label, lifetime, span, unicast};
use super::{Faults, Log};
use crate::addr::{AnchorAddr, MacAddr, MnId, ProxyCoa};
use crate::mobility::auth::AuthKey;
use crate::mobility::mag::event::{Gre, HandoffHint, NodeProfile};
use crate::mobility::mag::{AdvertConfig, HeartbeatConfig, MagConfig};
use crate::time::{Duration, Lifetime};
use crate::wire::mh::option::AccessTech;
use crate::wire::mh::{AniSubOption, Ipv4Home};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use toml::de::DeValue;
use value::{
    ETHERNET, MAC_LEN, access_tech, dhcpv6_mode, endpoint, gre, handoff_hint, ipv4_endpoint,
    ipv4_home, link_local, mn_id, network_text, ordering, service, sub_options, unicast_mac,
};

/// What stands in a template for the link-layer address of an unknown node.
const MAC_PLACEHOLDER: &str = "{mac}";

/// A whole configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `[node]`: for logs.
    pub name: String,
    /// What the pure core is told.
    pub core: MagConfig,
    /// `binding.handoff`: what a router solicitation says of the handoff.
    pub handoff: HandoffHint,
    /// `[tunnel]`
    pub tunnel: Tunnel,
    /// `[[access]]`
    pub access: Vec<Access>,
    /// `[[mobile_node]]`
    pub mobile_nodes: Vec<MobileNode>,
    /// `[unknown_node]`; the others are ignored if `None`.
    pub unknown_node: Option<UnknownNode>,
    /// `[control]`: the socket's path.
    pub socket: PathBuf,
    /// `[authentication]` (RFC 4285).
    pub auth: Option<AuthKey>,
    /// `[dhcp]`
    pub dhcp: Dhcp,
    /// `[state]`: where the restart counter is kept (RFC 5847 3.2).
    pub state_file: PathBuf,
    /// `[log]`
    pub log: Log,
}

/// The tunnel to the anchors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnel {
    /// Name of its TUN interface.
    pub interface: String,
    /// `EnableMAGLocalRouting` (RFC 5213 9.2).
    pub local_routing: bool,
}

/// A point-to-point access link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Its interface.
    pub interface: String,
    /// `FixedMAGLinkLayerAddressOnAllAccessLinks` (RFC 5213 9.3); the interface's own if `None`.
    pub mac: Option<MacAddr>,
}

/// What nodes are told by DHCP besides their address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dhcp {
    /// Seconds.
    pub lease_s: u32,
    /// Resolvers.
    pub dns: Vec<Ipv4Addr>,
    /// The same of IPv6.
    pub dns_ipv6: Vec<Ipv6Addr>,
    /// Servers, where the anchor wants a relay (RFC 5844 3.3.4).
    pub servers: Vec<Ipv4Addr>,
    /// Servers of DHCPv6, for a relay.
    pub servers_ipv6: Vec<Ipv6Addr>,
    /// `dhcp.ipv6`
    pub ipv6: Dhcpv6Mode,
}

/// What the gateway is for the DHCPv6 of its nodes (RFC 5213 6.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dhcpv6Mode {
    /// Nothing: addresses are made of what router advertisements say.
    Off,
    /// It gives an address of each of the node's prefixes.
    Server,
    /// It passes on to servers.
    Relay,
}

/// What tells a mobile node, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MobileNode {
    /// Its policy profile.
    pub profile: NodeProfile,
    /// The link-layer address of its interface; any if `None`.
    pub mac: Option<MacAddr>,
    /// The access link that is its own; any if `None`.
    pub interface: Option<String>,
    /// What a router solicitation says of the handoff.
    pub handoff: HandoffHint,
}

/// The profile of nodes that are not named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownNode {
    /// Identifier with `{mac}` for the link-layer address.
    mn_id: String,
    served: Served,
}

/// What a profile says besides who the node is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Served {
    att: AccessTech,
    lma: AnchorAddr,
    ipv6: bool,
    ipv4: Option<Ipv4Home>,
    gre: Gre,
    service: Option<Box<str>>,
}

impl Served {
    fn profile(&self, mn_id: MnId, prefixes: Vec<crate::addr::HomePrefix>) -> NodeProfile {
        let Self { att, lma, ipv6, ipv4, gre, service } = self.clone();
        NodeProfile { mn_id, lma, prefixes, att, ipv6, ipv4, gre, service }
    }
}

impl UnknownNode {
    /// The profile of the node with this link-layer address.
    #[must_use]
    pub fn profile(&self, mac: MacAddr) -> Option<NodeProfile> {
        let mn_id = MnId::nai(&self.mn_id.replace(MAC_PLACEHOLDER, &mac.to_string()))?;
        Some(self.served.profile(mn_id, Vec::new()))
    }
}

impl Config {
    /// Whether there may be a node with an IPv4 address.
    #[must_use]
    pub fn serves_ipv4(&self) -> bool {
        let unknown = self.unknown_node.as_ref().is_some_and(|u| u.served.ipv4.is_some());
        unknown || self.mobile_nodes.iter().any(|node| node.profile.ipv4.is_some())
    }
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
    let addresses = Addresses::read(&node);

    let binding = root.table_or_empty("binding");
    let handoff = binding.or("handoff", HandoffHint::Unknown, &handoff_hint);
    let advert = root.table_or_empty("advert");
    let core = MagConfig {
        identity: name.clone().unwrap_or_default(),
        proxy_coa: ProxyCoa(addresses.proxy_coa.unwrap_or(Ipv6Addr::UNSPECIFIED)),
        ipv4_proxy_coa: addresses.ipv4_proxy_coa,
        user_plane: addresses.user_plane,
        ask_user_plane: binding.or("ask_user_plane", false, &boolean),
        force_udp: binding.or("force_udp", false, &boolean),
        access_network: access_network(root),
        heartbeat: root.table("heartbeat").map(|s| heartbeat(&s)),
        timestamps: binding.or("ordering", true, &ordering),
        fixed_link_local: advert.get("link_local", &link_local),
        lifetime: Lifetime::at_most(binding.or("lifetime", Duration::from_secs(3600), &lifetime)),
        path_mtu: binding.integer("path_mtu", 1500, MTU_MIN + 40..=MTU_MAX),
        advert: advert_config(&advert),
    };
    let default = Served {
        att: ETHERNET,
        lma: addresses.lma.unwrap_or(AnchorAddr(Ipv6Addr::UNSPECIFIED)),
        ipv6: binding.or("ipv6", true, &boolean),
        ipv4: binding.or("ipv4", None, &ipv4_home),
        gre: binding.or("gre", Gre::Off, &gre),
        service: binding.get("service", &service),
    };

    let tunnel = root.table_or_empty("tunnel");
    let tunnel = Tunnel {
        interface: tunnel.or("interface", "mag-tun".into(), &interface_name),
        local_routing: tunnel.or("local_routing", false, &boolean),
    };
    let access = access_links(root, &tunnel);
    let mobile_nodes = mobile_nodes(root, &core, &default, handoff, &access);
    let unknown_node = root.table("unknown_node").map(|s| unknown_node(&s, &core, &default));

    let control = root.table_or_empty("control");
    let socket = control.or("socket", "/run/anchor-mag.sock".into(), &absolute);
    let auth = root.table("authentication").map(|s| auth_key(&s, dir));
    let dhcp = dhcp(&root.table_or_empty("dhcp"), core.ipv4_proxy_coa);
    let state = root.table_or_empty("state");
    let state_file = state.or("file", "/var/lib/anchor-mag/state.json".into(), &absolute);
    let log = log(&root.table_or_empty("log"));
    // What a missing address stood for above is not used: its absence was reported.
    let (name, _, _) = (name?, addresses.proxy_coa?, addresses.lma?);
    let unknown_node = unknown_node.map_or(Some(None), |read| read.map(Some))?;
    Some(Config {
        name,
        core,
        handoff,
        tunnel,
        access,
        mobile_nodes,
        unknown_node,
        socket,
        auth: auth.flatten(),
        dhcp,
        state_file,
        log,
    })
}

/// `[node]`: ours, and the default anchor's.
struct Addresses {
    proxy_coa: Option<Ipv6Addr>,
    ipv4_proxy_coa: Option<ProxyCoa>,
    user_plane: Option<ProxyCoa>,
    lma: Option<AnchorAddr>,
}

impl Addresses {
    fn read(node: &Section<'_, '_>) -> Self {
        let read = Self {
            proxy_coa: node.required("proxy_coa", &unicast),
            ipv4_proxy_coa: node.get("ipv4_proxy_coa", &ipv4_endpoint).map(ProxyCoa),
            user_plane: node.get("user_plane_address", &endpoint).map(ProxyCoa),
            lma: node.required("lma_address", &endpoint).map(AnchorAddr),
        };
        if let Some(lma) = read.lma {
            reachable(node, lma, read.ipv4_proxy_coa);
        }
        read
    }
}

/// An anchor with an IPv4 address is spoken to from one (RFC 5844 4.2.2.1).
fn reachable(s: &Section<'_, '_>, lma: AnchorAddr, ipv4_proxy_coa: Option<ProxyCoa>) {
    if lma.0.to_ipv4_mapped().is_some() && ipv4_proxy_coa.is_none() {
        s.fault("lma_address", "is an IPv4 address: node.ipv4_proxy_coa is needed to speak to it");
    }
}

/// `[heartbeat]` (RFC 5847 section 5).
fn heartbeat(s: &Section<'_, '_>) -> HeartbeatConfig {
    let secs = Duration::from_secs;
    HeartbeatConfig {
        interval: s.or("interval", secs(60), &|v| span(v, secs(1)..=secs(3600))),
        missing_allowed: s.integer("missing_allowed", 3, 1..=100),
    }
}

/// `[authentication]`: the SPIs up to 255 are reserved (RFC 4285 5.1).
pub(super) fn auth_key(s: &Section<'_, '_>, dir: &Path) -> Option<AuthKey> {
    let replay = s.or("replay_protection", true, &boolean);
    let (spi, secret) = shared_key(s, dir)?;
    let replay_window = replay.then_some(AuthKey::DEFAULT_WINDOW);
    Some(AuthKey { spi, secret, replay_window })
}

/// An SPI and the key that it names.
pub(super) fn shared_key(s: &Section<'_, '_>, dir: &Path) -> Option<(u32, Box<[u8]>)> {
    let spi = s.required("spi", &|v| integer(v, &(256..=u32::MAX)));
    let key_file = s.required("key_file", &string).map(|file| dir.join(file))?;
    let key = key::AuthKey::read(&key_file).map_err(|what| s.fault("key_file", what)).ok()?;
    Some((spi?, key.bytes().into()))
}

/// `[dhcp]` (RFC 5844 3.4, RFC 5213 6.11).
fn dhcp(s: &Section<'_, '_>, ipv4_proxy_coa: Option<ProxyCoa>) -> Dhcp {
    let secs = Duration::from_secs;
    let lease = s.or("lease", secs(3600), &|v| span(v, secs(60)..=secs(604_800)));
    let (dns, dns_ipv6) = by_family(&s.list("dns", &endpoint));
    let (servers, servers_ipv6) = by_family(&s.list("servers", &endpoint));
    let ipv6 = s.or("ipv6", Dhcpv6Mode::Off, &dhcpv6_mode);
    if !servers.is_empty() && ipv4_proxy_coa.is_none() {
        s.fault("servers", "node.ipv4_proxy_coa is needed: the servers answer to it");
    }
    if ipv6 == Dhcpv6Mode::Relay && servers_ipv6.is_empty() {
        s.fault("ipv6", "a relay needs an IPv6 address among dhcp.servers");
    }
    let lease_s = u32::try_from(lease.as_secs()).unwrap_or(u32::MAX);
    Dhcp { lease_s, dns, dns_ipv6, servers, servers_ipv6, ipv6 }
}

fn by_family(addresses: &[Ipv6Addr]) -> (Vec<Ipv4Addr>, Vec<Ipv6Addr>) {
    let ipv6 = addresses.iter().copied().filter(|a| a.to_ipv4_mapped().is_none());
    (addresses.iter().filter_map(Ipv6Addr::to_ipv4_mapped).collect(), ipv6.collect())
}

/// `[access_network]` (RFC 6757).
fn access_network(root: &Section<'_, '_>) -> Option<Box<[u8]>> {
    let s = root.table("access_network")?;
    let name = s.required("name", &network_text);
    let access_point = s.get("access_point", &network_text).unwrap_or_default();
    let realm = s.get("operator_realm", &network_text);
    let name = name?;
    let network = AniSubOption::Network {
        utf8: true,
        name: name.as_bytes(),
        access_point: access_point.as_bytes(),
    };
    // RFC 6757 3.1.3: an operator by its realm is of type 2.
    let operator = realm.as_deref().map(|realm| AniSubOption::Operator(2, realm.as_bytes()));
    sub_options(&[Some(network), operator].into_iter().flatten().collect::<Vec<_>>())
}

fn advert_config(s: &Section<'_, '_>) -> AdvertConfig {
    let secs = Duration::from_secs;
    // RFC 4861 6.2.1: MaxRtrAdvInterval is 4 to 1800 s, AdvDefaultLifetime up to 9000 s.
    let interval = s.or("interval", secs(600), &|v| span(v, secs(4)..=secs(1800)));
    let router = s.or("router_lifetime", secs(1800), &|v| span(v, secs(4)..=secs(9000)));
    let forever = secs(u64::from(u32::MAX));
    let valid = s.or("valid_lifetime", secs(86400), &|v| span(v, secs(1)..=forever));
    let preferred = s.or("preferred_lifetime", secs(14400), &|v| span(v, secs(1)..=forever));
    if router < interval {
        s.fault("router_lifetime", "is shorter than advert.interval: it would end in between");
    }
    if preferred > valid {
        s.fault("preferred_lifetime", "is longer than advert.valid_lifetime");
    }
    AdvertConfig {
        interval,
        router_lifetime_s: u16::try_from(router.as_secs()).unwrap_or(u16::MAX),
        valid_lifetime_s: u32::try_from(valid.as_secs()).unwrap_or(u32::MAX),
        preferred_lifetime_s: u32::try_from(preferred.as_secs()).unwrap_or(u32::MAX),
    }
}

fn access_links(root: &Section<'_, '_>, tunnel: &Tunnel) -> Vec<Access> {
    let mut links: Vec<Access> = Vec::new();
    for s in root.tables("access") {
        let mac = s.get("mac", &unicast_mac);
        let Some(interface) = s.required("interface", &interface_name) else { continue };
        if interface == tunnel.interface || links.iter().any(|l| l.interface == interface) {
            s.fault("interface", format!("{interface} has another use in this file"));
        }
        links.push(Access { interface, mac });
    }
    if links.is_empty() {
        root.fault("access", "no access link: at least one [[access]] is needed");
    }
    links
}

fn mobile_nodes(
    root: &Section<'_, '_>,
    core: &MagConfig,
    default: &Served,
    handoff: HandoffHint,
    access: &[Access],
) -> Vec<MobileNode> {
    let mut nodes = Vec::new();
    for s in root.tables("mobile_node") {
        let mn_id = s.required("mn_id", &mn_id);
        let served = served(&s, core, default);
        let prefixes = s.list("prefixes", &global_prefix);
        let (mac, interface) = (s.get("mac", &unicast_mac), s.get("interface", &interface_name));
        let handoff = s.or("handoff", handoff, &handoff_hint);
        if mac.is_none() && interface.is_none() {
            s.fault("", "has neither mac nor interface: nothing tells this node");
        }
        if let Some(name) = interface.as_ref().filter(|n| access.iter().all(|a| a.interface != **n))
        {
            s.fault("interface", format!("{name} is none of the [[access]] links"));
        }
        if let Some(mn_id) = mn_id {
            let profile = served.profile(mn_id, prefixes);
            nodes.push(MobileNode { profile, mac, interface, handoff });
        }
    }
    nodes
}

/// What a node's table says of its service; `default` where it says nothing.
fn served(s: &Section<'_, '_>, core: &MagConfig, default: &Served) -> Served {
    let own_lma = s.get("lma_address", &endpoint).map(AnchorAddr);
    if let Some(lma) = own_lma {
        reachable(s, lma, core.ipv4_proxy_coa);
    }
    let served = Served {
        att: s.or("att", default.att, &access_tech),
        lma: own_lma.unwrap_or(default.lma),
        ipv6: s.or("ipv6", default.ipv6, &boolean),
        ipv4: s.or("ipv4", default.ipv4, &ipv4_home),
        gre: s.or("gre", default.gre, &gre),
        service: s.get("service", &service).or_else(|| default.service.clone()),
    };
    if !served.ipv6 && served.ipv4.is_none() {
        s.fault("", "is served with neither ipv6 nor ipv4");
    }
    served
}

fn unknown_node(s: &Section<'_, '_>, core: &MagConfig, default: &Served) -> Option<UnknownNode> {
    let template = |v: &DeValue<'_>| {
        let text = string(v)?;
        if text.contains(MAC_PLACEHOLDER) && text.len() <= MnId::MAX_LEN - MAC_LEN {
            return Ok(text);
        }
        // RFC 5213 6.6: an identifier has to be unique.
        Err(format!("{text:?} must contain {MAC_PLACEHOLDER}, and be at most 237 bytes long"))
    };
    let mn_id = s.required("mn_id", &template);
    let served = served(s, core, default);
    Some(UnknownNode { mn_id: mn_id?, served })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const SAMPLE: &str = include_str!("../../tests/smoke/anchor-mag.toml");

    fn faults(text: &str) -> Vec<String> {
        let faults = parse(text, Path::new("mag.toml")).map_or_else(|f| f, |_| unreachable!());
        faults.to_string().lines().map(ToOwned::to_owned).collect()
    }

    // proves: PMIP6-9.2-1, PMIP6-9.3-1, PMIP6-9.3-2, PMIP6-6.2-1, PMIP6-6.2-3
    #[test]
    fn sample_configures_every_variable_of_sections_9_2_and_9_3() {
        let config = parse(SAMPLE, Path::new("mag.toml")).expect("sample is valid");
        assert!(config.core.timestamps);
        assert!(!config.tunnel.local_routing);
        assert_eq!(config.access[0].mac, Some(MacAddr([0, 0, 0x5e, 0, 0x52, 0x13])));
        assert_eq!(config.core.fixed_link_local, None);
        assert_eq!(config.mobile_nodes[0].profile.mn_id, MnId::nai("mn1@example.org").expect("id"));
        assert_eq!(config.mobile_nodes[0].profile.lma.0.to_string(), "2001:db8:1::1");
    }

    // proves: PMIP4-5.2-1, PMIP4-5.2-2
    #[test]
    fn udp_encapsulation_is_forced_only_if_the_file_says_so() {
        let read =
            |text: &str| parse(text, Path::new("mag.toml")).unwrap_or_else(|f| panic!("{f}"));
        assert!(!read(SAMPLE).core.force_udp);
        let text = SAMPLE.replacen("[binding]", "[binding]\nforce_udp = true", 1);
        assert!(read(&text).core.force_udp);
    }

    #[test]
    fn every_fault_is_reported_at_once_with_its_line() {
        let text = "[node]\nname = \"m\"\nproxy_coa = \"fe80::1\"\n[binding]\nordering = \"luck\"\n\
                    [[access]]\ninterface = \"a\"\nmack = 1\n[[mobile_node]]\nmn_id = \"x\"\n";
        let got = faults(text);
        let has = |line: &str, what: &str| {
            got.iter().any(|f| f.starts_with(&format!("mag.toml:{line}")) && f.contains(what))
        };
        assert!(has("1:", "lma_address: is missing"), "{got:?}");
        assert!(has("3:", "link-local"), "{got:?}");
        assert!(has("5:", "luck"), "{got:?}");
        assert!(has("8:", "did you mean \"mac\""), "{got:?}");
        assert!(has("9:", "neither mac nor interface"), "{got:?}");
        assert_eq!(got.len(), 5);
    }

    // proves: PMIP6-6.6-2
    #[test]
    fn template_for_unknown_nodes_gives_each_its_own_identifier() {
        let unknown = UnknownNode {
            mn_id: "{mac}@example.org".into(),
            served: Served {
                att: ETHERNET,
                lma: AnchorAddr(Ipv6Addr::LOCALHOST),
                ipv6: true,
                ipv4: None,
                gre: Gre::Off,
                service: None,
            },
        };
        let id = |last| unknown.profile(MacAddr([2, 0, 0, 0, 0, last])).map(|p| p.mn_id);
        assert_eq!(id(1), MnId::nai("02:00:00:00:00:01@example.org"));
        assert_ne!(id(1), id(2));
    }

    // proves: PMIP4-3.2.2-1, PMIP4-4.1.2-1, PMIP4-5.2-1, FIXEDLL-1-2, FIXEDLL-1-4
    #[test]
    fn page_of_the_documentation_is_a_valid_configuration_with_every_section() {
        let page = include_str!("../../docs/anchor-mag.md");
        let toml = page.split("```toml").nth(1).and_then(|rest| rest.split("```").next());
        let text = toml.expect("the page has one");
        // What is commented out is meant to be valid too, but for the remarks behind it.
        let optional = |key: &str| format!("# {key} = ");
        let mut text = text.to_owned();
        for key in ["ipv4_proxy_coa", "user_plane_address", "service", "link_local"] {
            assert!(text.contains(&optional(key)), "{key}");
            text = text.replace(&optional(key), &format!("{key} = "));
        }
        let key = std::env::temp_dir().join(format!("mag-key-{}", std::process::id()));
        std::fs::write(&key, "000102030405060708090a0b0c0d0e0f\n").expect("writable");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("ours");
        let text = text.replace("lma.key", &key.display().to_string());
        let config = parse(&text, Path::new("mag.toml")).unwrap_or_else(|f| panic!("{f}"));
        drop(std::fs::remove_file(&key));
        assert_eq!(config.core.ipv4_proxy_coa.map(|c| c.to_string()), Some("192.0.2.11".into()));
        assert_eq!(
            config.core.fixed_link_local,
            Some(crate::mobility::config::RESERVED_LINK_LOCAL)
        );
        assert_eq!(config.auth.map(|key| (key.spi, key.secret.len())), Some((256, 16)));
        let heartbeat = config.core.heartbeat.map(|h| (h.interval, h.missing_allowed));
        assert_eq!(heartbeat, Some((Duration::from_secs(60), 3)));
        // ANI Type 1, E, the name, no access point.
        let network = [1, 9, 0x80, 6, b'w', b'l', b'a', b'n', b'-', b'7', 0];
        assert_eq!(config.core.access_network.as_deref(), Some(&network[..]));
        let profile = &config.mobile_nodes[0].profile;
        assert_eq!((profile.ipv4, profile.service.as_deref()), (None, Some("internet")));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let with = |node: &str, mobile_node: &str| {
            faults(&format!(
                "[node]\nname = \"m\"\nproxy_coa = \"2001:db8::1\"\n{node}\n\
                 [[access]]\ninterface = \"a\"\n\
                 [[mobile_node]]\nmn_id = \"x\"\ninterface = \"a\"\n{mobile_node}\n"
            ))
        };
        let lma = "lma_address = \"2001:db8::2\"";
        let one = |got: Vec<String>, what: &str| {
            assert!(got.len() == 1 && got[0].contains(what), "{got:?}");
        };
        one(with("lma_address = \"192.0.2.1\"", ""), "ipv4_proxy_coa is needed");
        one(with(lma, "lma_address = \"192.0.2.1\""), "ipv4_proxy_coa is needed");
        one(with(lma, "ipv6 = false"), "neither ipv6 nor ipv4");
        one(with(lma, "ipv4 = \"10.1.2.3\""), "10.1.2.3/16");
        one(with(lma, "ipv4 = \"127.0.0.1/8\""), "10.1.2.3/16");
        one(with(lma, "gre = \"on\""), "off, encapsulation or keys");
        one(with(lma, "[heartbeat]\ninterval = \"2h\""), "above 1h");
        one(with(lma, "[dhcp]\nipv6 = \"on\""), "\"off\", \"server\" or \"relay\"");
        one(with(lma, "[dhcp]\nipv6 = \"relay\""), "needs an IPv6 address among dhcp.servers");
        one(with(lma, "[dhcp]\nservers = [\"192.0.2.53\"]"), "node.ipv4_proxy_coa is needed");
    }
}
