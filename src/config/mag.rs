//! The configuration of `anchor-mag`: RFC 5213 9.2 and 9.3, the access links, and the policy
//! profiles of mobile nodes (RFC 5213 6.2). `docs/anchor-mag.md` shows a whole file.

use super::reader::{Reader, Section, boolean, integer, string};
use super::section::{MTU_MAX, MTU_MIN, log};
use super::value::{absolute, global_prefix, interface_name, label, lifetime, span, unicast};
use super::{Faults, Log};
use crate::addr::{AnchorAddr, MacAddr, MnId, ProxyCoa};
use crate::mobility::mag::event::{HandoffHint, NodeProfile};
use crate::mobility::mag::{AdvertConfig, MagConfig};
use crate::time::{Duration, Lifetime};
use crate::wire::mh::option::AccessTech;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use toml::de::DeValue;

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
    att: AccessTech,
    lma: AnchorAddr,
}

impl UnknownNode {
    /// The profile of the node with this link-layer address.
    #[must_use]
    pub fn profile(&self, mac: MacAddr) -> Option<NodeProfile> {
        let mn_id = MnId::nai(&self.mn_id.replace(MAC_PLACEHOLDER, &mac.to_string()))?;
        Some(NodeProfile { mn_id, lma: self.lma, prefixes: Vec::new(), att: self.att })
    }
}

/// Reads and validates a whole file.
pub fn load(path: &Path) -> Result<Config, Faults> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Faults::one(path, "", &format!("cannot be read: {e}")))?;
    parse(&text, path)
}

fn parse(text: &str, path: &Path) -> Result<Config, Faults> {
    let reader = Reader::new(text);
    let config = config(&reader.root());
    let faults = reader.into_faults();
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(Faults::new(path, faults)),
    }
}

fn config(root: &Section<'_, '_>) -> Option<Config> {
    let node = root.table_or_empty("node");
    let name = node.required("name", &label);
    let proxy_coa = node.required("proxy_coa", &unicast);
    let lma = node.required("lma_address", &unicast).map(AnchorAddr);

    let binding = root.table_or_empty("binding");
    let handoff = binding.or("handoff", HandoffHint::Unknown, &handoff_hint);
    let advert = root.table_or_empty("advert");
    let core = MagConfig {
        proxy_coa: ProxyCoa(proxy_coa.unwrap_or(Ipv6Addr::UNSPECIFIED)),
        timestamps: binding.or("ordering", true, &ordering),
        fixed_link_local: advert.get("link_local", &link_local),
        lifetime: Lifetime::at_most(binding.or("lifetime", Duration::from_secs(3600), &lifetime)),
        path_mtu: binding.integer("path_mtu", 1500, MTU_MIN + 40..=MTU_MAX),
        advert: advert_config(&advert),
    };

    let tunnel = root.table_or_empty("tunnel");
    let tunnel = Tunnel {
        interface: tunnel.or("interface", "mag-tun".into(), &interface_name),
        local_routing: tunnel.or("local_routing", false, &boolean),
    };
    let access = access_links(root, &tunnel);
    let mobile_nodes = mobile_nodes(root, lma, handoff, &access);
    let unknown_node = root.table("unknown_node").map(|s| unknown_node(&s, lma));

    let control = root.table_or_empty("control");
    let socket = control.or("socket", "/run/anchor-mag.sock".into(), &absolute);
    let log = log(&root.table_or_empty("log"));
    // What a missing address stood for above is not used: its absence was reported.
    let (name, _, _) = (name?, proxy_coa?, lma?);
    let unknown_node = unknown_node.map_or(Some(None), |read| read.map(Some))?;
    Some(Config { name, core, handoff, tunnel, access, mobile_nodes, unknown_node, socket, log })
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
    lma: Option<AnchorAddr>,
    handoff: HandoffHint,
    access: &[Access],
) -> Vec<MobileNode> {
    let mut nodes = Vec::new();
    for s in root.tables("mobile_node") {
        let mn_id = s.required("mn_id", &mn_id);
        let own_lma = s.get("lma_address", &unicast).map(AnchorAddr);
        let att = s.or("att", ETHERNET, &access_tech);
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
        if let (Some(mn_id), Some(lma)) = (mn_id, own_lma.or(lma)) {
            let profile = NodeProfile { mn_id, lma, prefixes, att };
            nodes.push(MobileNode { profile, mac, interface, handoff });
        }
    }
    nodes
}

fn unknown_node(s: &Section<'_, '_>, lma: Option<AnchorAddr>) -> Option<UnknownNode> {
    let template = |v: &DeValue<'_>| {
        let text = string(v)?;
        if text.contains(MAC_PLACEHOLDER) && text.len() <= MnId::MAX_LEN - MAC_LEN {
            return Ok(text);
        }
        // RFC 5213 6.6: an identifier has to be unique.
        Err(format!("{text:?} must contain {MAC_PLACEHOLDER}, and be at most 237 bytes long"))
    };
    let mn_id = s.required("mn_id", &template);
    let att = s.or("att", ETHERNET, &access_tech);
    let own_lma = s.get("lma_address", &unicast).map(AnchorAddr);
    Some(UnknownNode { mn_id: mn_id?, att, lma: own_lma.or(lma)? })
}

/// RFC 5213 8.5.
const ETHERNET: AccessTech = AccessTech(3);
/// As text.
const MAC_LEN: usize = 17;

fn access_tech(v: &DeValue<'_>) -> Result<AccessTech, String> {
    integer(v, &(1..=u8::MAX)).map(AccessTech)
}

fn mn_id(v: &DeValue<'_>) -> Result<MnId, String> {
    let text = string(v)?;
    match MnId::nai(&text) {
        Some(id) if !text.is_empty() => Ok(id),
        _ => Err(format!("{text:?} is not an identifier of 1 to {} bytes", MnId::MAX_LEN)),
    }
}

fn handoff_hint(v: &DeValue<'_>) -> Result<HandoffHint, String> {
    string(v)?.parse()
}

/// `true` for timestamps: `TimestampBasedApproachInUse`.
fn ordering(v: &DeValue<'_>) -> Result<bool, String> {
    match string(v)?.as_str() {
        "timestamp" => Ok(true),
        "sequence-number" => Ok(false),
        other => Err(format!("{other:?} is neither \"timestamp\" nor \"sequence-number\"")),
    }
}

fn link_local(v: &DeValue<'_>) -> Result<Ipv6Addr, String> {
    let text = string(v)?;
    match text.parse::<Ipv6Addr>() {
        Ok(a) if a.is_unicast_link_local() => Ok(a),
        _ => Err(format!("{text:?} is not a link-local address (like \"fe80::1\")")),
    }
}

fn unicast_mac(v: &DeValue<'_>) -> Result<MacAddr, String> {
    let text = string(v)?;
    let mac: MacAddr = text.parse().map_err(|_| format!("{text:?} is not a MAC address"))?;
    let MacAddr([first, ..]) = mac;
    if first & 1 == 1 || mac == MacAddr::default() {
        return Err(format!("{mac} is not the address of an interface"));
    }
    Ok(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(config.access[0].mac, Some(MacAddr([2, 0, 0x5e, 0, 0x52, 0x13])));
        assert_eq!(config.core.fixed_link_local, None);
        assert_eq!(config.mobile_nodes[0].profile.mn_id, MnId::nai("mn1@example.org").expect("id"));
        assert_eq!(config.mobile_nodes[0].profile.lma.0.to_string(), "2001:db8:1::1");
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
            att: ETHERNET,
            lma: AnchorAddr(Ipv6Addr::LOCALHOST),
        };
        let id = |last| unknown.profile(MacAddr([2, 0, 0, 0, 0, last])).map(|p| p.mn_id);
        assert_eq!(id(1), MnId::nai("02:00:00:00:00:01@example.org"));
        assert_ne!(id(1), id(2));
    }
}
