//! Who may do what: the policy store of RFC 5213 6.2 as far as the anchor needs it.

use crate::addr::{HomePrefix, MnId};
use crate::time::Duration;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

/// What a node may do. Nodes with equal profiles share one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Profile {
    /// Whether network-based mobility is enabled for it (else status 152).
    pub enabled: bool,
    /// Where its home network prefixes come from.
    pub ipv6: Source,
    /// Where its IPv4 home address comes from.
    pub ipv4: Source,
    /// How many prefixes a session gets when it asks for an allocation; at least one.
    pub prefixes: u8,
    /// The longest lifetime granted; at least four seconds.
    pub max_lifetime: Duration,
    /// After how many percent of the lifetime gateways are advised to refresh (RFC 6275 6.2.4);
    /// from 100 on they are not advised.
    pub refresh_percent: u8,
    /// The services that it may select (RFC 5149 4.2), by their places in
    /// [`super::LmaConfig::services`].
    pub services: Box<[u16]>,
}

impl Profile {
    /// IPv6 only: one prefix a session, of the pool at this place.
    #[must_use]
    pub fn ipv6(pool: usize, max_lifetime: Duration) -> Self {
        Self {
            enabled: true,
            ipv6: Source::Pool(pool),
            ipv4: Source::Denied,
            prefixes: 1,
            max_lifetime,
            refresh_percent: 100,
            services: Box::default(),
        }
    }
}

/// Where a node's addresses of one family come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Source {
    /// It may not use this family (status 172 or 170).
    Denied,
    /// Those that are its own by configuration, no others.
    Own,
    /// Its own, else from the pool at this place in [`super::LmaConfig::pools`].
    Pool(usize),
}

impl Source {
    /// The pool, if there is one.
    pub(crate) fn pool(self) -> Option<usize> {
        match self {
            Self::Pool(pool) => Some(pool),
            Self::Denied | Self::Own => None,
        }
    }
}

/// Who may do what: a default, and the nodes that have something of their own.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    default: Option<Profile>,
    /// Nodes that are not named are not served by the default, but asked for.
    asks: bool,
    profiles: Vec<Profile>,
    places: HashMap<Profile, u32>,
    nodes: HashMap<MnId, NodePolicy>,
}

/// What a policy knows of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing<'a> {
    /// Its profile and its own prefixes.
    Known(&'a Profile, &'a [HomePrefix]),
    /// We do not serve it.
    Unserved,
    /// Nothing: a store has to be asked.
    Asked,
}

/// What one node has of its own: some hundred bytes in all, since there may be a million.
#[derive(Debug, Clone)]
struct NodePolicy {
    profile: u32,
    static_prefixes: Box<[HomePrefix]>,
}

impl Policy {
    /// A policy by which nodes that are not named have `default`; if `None`, they are refused with
    /// status 153.
    #[must_use]
    pub fn new(default: Option<Profile>) -> Self {
        Self { default, ..Self::default() }
    }

    /// A policy by which nodes that are not named are those of a store that has to be asked
    /// ([`crate::mobility::question`]); what it leaves out is that of `base`.
    #[must_use]
    pub fn asking(base: Profile) -> Self {
        Self { asks: true, ..Self::new(Some(base)) }
    }

    /// Gives a node a profile, and home network prefixes and an IPv4 home address (IPv4-mapped, of
    /// length 128) that are its own and nobody else's.
    pub fn insert(&mut self, mn_id: MnId, profile: Profile, static_prefixes: &[HomePrefix]) {
        let place = *self.places.entry(profile).or_insert_with_key(|profile| {
            self.profiles.push(profile.clone());
            u32::try_from(self.profiles.len() - 1).unwrap_or(u32::MAX)
        });
        self.nodes
            .insert(mn_id, NodePolicy { profile: place, static_prefixes: static_prefixes.into() });
    }

    /// What is known of a node.
    pub(crate) fn lookup(&self, mn_id: &MnId) -> Standing<'_> {
        if let Some(n) = self.nodes.get(mn_id) {
            let place = usize::try_from(n.profile).unwrap_or(usize::MAX);
            let profile = self.profiles.get(place);
            return profile.map_or(Standing::Unserved, |p| Standing::Known(p, &n.static_prefixes));
        }
        match &self.default {
            _ if self.asks => Standing::Asked,
            Some(profile) => Standing::Known(profile, &[]),
            None => Standing::Unserved,
        }
    }

    /// Whether a store has to be asked for nodes that are not named.
    pub(crate) const fn asks(&self) -> bool {
        self.asks
    }

    /// What nodes that are not named have; where they are asked for, what answers begin with.
    pub(crate) fn for_unnamed(&self) -> Option<&Profile> {
        self.default.as_ref()
    }

    /// The prefixes of all nodes that have their own, in no order.
    pub(crate) fn static_prefixes(&self) -> impl Iterator<Item = HomePrefix> + '_ {
        self.nodes.values().flat_map(|n| n.static_prefixes.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_with_equal_profiles_share_one() {
        let profile = Profile::ipv6(0, Duration::from_secs(60));
        let mut policy = Policy::new(None);
        for n in 0..100 {
            let mn_id = MnId::nai(&format!("mn{n}")).expect("short");
            policy.insert(mn_id, profile.clone(), &[]);
        }
        assert_eq!(policy.profiles.len(), 1);
        let named = MnId::nai("mn7").expect("short");
        assert_eq!(policy.lookup(&named), Standing::Known(&profile, &[]));
        let other = MnId::nai("other").expect("short");
        assert_eq!(policy.lookup(&other), Standing::Unserved);
        let asking = Policy {
            nodes: policy.nodes,
            profiles: policy.profiles,
            ..Policy::asking(profile.clone())
        };
        assert_eq!(asking.lookup(&named), Standing::Known(&profile, &[]));
        assert_eq!(asking.lookup(&other), Standing::Asked);
    }
}
