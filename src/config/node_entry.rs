//! A node as the policy store describes it: what a line of the file of nodes may say, under the
//! names of `[policy.default]`.
//!
//! What concerns pools and services is checked by whoever holds them: they may change while an
//! answer is on its way.

use super::Families;
use super::check::overlap;
use super::section::{PREFIXES_MAX, families_of};
use super::value::{lifetime_of, node_prefix_of};
use crate::addr::HomePrefix;
use crate::time::Duration;
use serde::Deserialize;
use std::net::Ipv4Addr;

/// What a node may do; what is `None` is as in `[policy.default]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "Text")]
pub struct NodeEntry {
    /// Whether network-based mobility is enabled for it (else status 152).
    pub enabled: Option<bool>,
    /// Which home addresses its sessions may have.
    pub families: Option<Families>,
    /// The pool that its prefixes come from.
    pub pool: Option<String>,
    /// The pool that its IPv4 home address comes from.
    pub pool_ipv4: Option<String>,
    /// How many prefixes a session gets when it asks for an allocation.
    pub prefixes: Option<u8>,
    /// The longest lifetime granted.
    pub max_lifetime: Option<Duration>,
    /// After so many percent of the lifetime gateways are advised to refresh.
    pub refresh_percent: Option<u8>,
    /// Services that it may select (RFC 5149).
    pub services: Option<Vec<String>>,
    /// Home network prefixes that are its own, then the IPv4 home address that is (IPv4-mapped, of
    /// length 128).
    pub own: Vec<HomePrefix>,
}

/// The same as it is written.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct Text {
    enabled: Option<bool>,
    families: Option<String>,
    pool: Option<String>,
    pool_ipv4: Option<String>,
    prefixes: Option<u8>,
    max_lifetime: Option<String>,
    refresh_percent: Option<u8>,
    services: Option<Vec<String>>,
    static_prefixes: Vec<String>,
    static_ipv4: Option<Ipv4Addr>,
}

impl TryFrom<Text> for NodeEntry {
    type Error = String;

    fn try_from(text: Text) -> Result<Self, String> {
        let families = text.families.as_deref().map(families_of).transpose();
        let lifetime = text.max_lifetime.as_deref().map(lifetime_of).transpose();
        Ok(Self {
            enabled: text.enabled,
            families: families.map_err(|e| format!("families: {e}"))?,
            pool: text.pool,
            pool_ipv4: text.pool_ipv4,
            prefixes: within("prefixes", text.prefixes, PREFIXES_MAX)?,
            max_lifetime: lifetime.map_err(|e| format!("max_lifetime: {e}"))?,
            refresh_percent: within("refresh_percent", text.refresh_percent, 100)?,
            services: text.services,
            own: own(&text.static_prefixes, text.static_ipv4)?,
        })
    }
}

fn within(key: &str, value: Option<u8>, max: u8) -> Result<Option<u8>, String> {
    match value {
        Some(n) if !(1..=max).contains(&n) => Err(format!("{key}: {n} is not 1 to {max}")),
        _ => Ok(value),
    }
}

fn own(prefixes: &[String], ipv4: Option<Ipv4Addr>) -> Result<Vec<HomePrefix>, String> {
    if prefixes.len() > usize::from(PREFIXES_MAX) {
        return Err(format!("static_prefixes: more than {PREFIXES_MAX}"));
    }
    let mut own: Vec<HomePrefix> = Vec::new();
    for text in prefixes {
        let prefix = node_prefix_of(text).map_err(|e| format!("static_prefixes: {e}"))?;
        // As in the file of nodes.
        if prefix.to_ipv4().is_some() || prefix.len() < 48 {
            return Err(format!("static_prefixes: {prefix} is no IPv6 prefix of /48 or longer"));
        }
        if let Some(other) = own.iter().find(|o| overlap(**o, prefix)) {
            return Err(format!("static_prefixes: {other} and {prefix} overlap"));
        }
        own.push(prefix);
    }
    if let Some(address) = ipv4 {
        let host = node_prefix_of(&format!("{address}/32"));
        own.push(host.map_err(|e| format!("static_ipv4: {e}"))?);
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(json: &str) -> Result<NodeEntry, String> {
        serde_json::from_str(json).map_err(|e| e.to_string())
    }

    #[test]
    fn every_field_may_be_there_or_not() {
        assert_eq!(entry("{}"), Ok(NodeEntry::default()));
        let all = entry(
            r#"{"enabled": false, "families": "ipv4", "pool": "a", "pool_ipv4": "b", "prefixes": 2,
                "max_lifetime": "8h", "refresh_percent": 80, "services": ["internet"],
                "static_prefixes": ["2001:db8:7::/56"], "static_ipv4": "10.0.0.7"}"#,
        );
        let own = ["2001:db8:7::/56", "10.0.0.7/32"].map(|p| p.parse().expect("a prefix"));
        let expected = NodeEntry {
            enabled: Some(false),
            families: Some(Families::Ipv4),
            pool: Some("a".into()),
            pool_ipv4: Some("b".into()),
            prefixes: Some(2),
            max_lifetime: Some(Duration::from_secs(8 * 3600)),
            refresh_percent: Some(80),
            services: Some(vec!["internet".into()]),
            own: own.into(),
        };
        assert_eq!(all, Ok(expected));
    }

    #[test]
    fn what_no_node_can_have_is_refused_with_its_key() {
        for (json, what) in [
            (r#"{"families": "none"}"#, "families: \"none\" is neither"),
            (r#"{"prefixes": 0}"#, "prefixes: 0 is not 1 to 16"),
            (r#"{"prefixes": 300}"#, "invalid value"),
            (r#"{"max_lifetime": "1s"}"#, "max_lifetime: "),
            (r#"{"refresh_percent": 101}"#, "refresh_percent: 101 is not 1 to 100"),
            (r#"{"static_prefixes": ["fe80::/64"]}"#, "static_prefixes: fe80::/64 is not inside"),
            (r#"{"static_prefixes": ["10.0.0.0/24"]}"#, "is no IPv6 prefix"),
            (
                r#"{"static_prefixes": ["2001:db8:7::/48", "2001:db8:7:1::/64"]}"#,
                "2001:db8:7::/48 and 2001:db8:7:1::/64 overlap",
            ),
            (r#"{"static_ipv4": "224.0.0.1"}"#, "static_ipv4: 224.0.0.1 is a multicast address"),
            (r#"{"poool": "a"}"#, "unknown field `poool`"),
        ] {
            let refused = entry(json).expect_err(json);
            assert!(refused.contains(what), "{json}: {refused}");
        }
    }
}
