//! What the operator decides, as plain data: `control` translates the configuration file into it.

use crate::addr::{AnchorAddr, HomePrefix, MnId};
use crate::time::Duration;
use hashbrown::HashMap;
use std::net::Ipv6Addr;

/// Everything that the anchor's core is told before its first event.
#[derive(Debug, Clone)]
pub struct LmaConfig {
    /// LMAA: the tunnels' near end. Also seeds the link-local addresses that we generate.
    pub lma_address: AnchorAddr,
    /// RFC 5213 section 9.1 and 9.3.
    pub timers: LmaTimers,
    /// Pools that do not overlap; a [`Profile`] names one by its place here.
    pub pools: Vec<PoolConfig>,
    /// The gateways that may speak to us.
    pub mags: Vec<MagConfig>,
    /// What nodes may do.
    pub policy: Policy,
    /// Sessions at most, over all nodes: beyond it status 130.
    pub max_bindings: usize,
    /// Prefixes at most, over all sessions: what the workers' tables hold. Beyond it status 130.
    pub max_prefixes: usize,
}

/// The protocol's variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LmaTimers {
    /// `MinDelayBeforeBCEDelete`.
    pub min_delay_before_bce_delete: Duration,
    /// `MaxDelayBeforeNewBCEAssign`; zero creates new sessions without waiting (5.4.1.2 (4)).
    pub max_delay_before_new_bce_assign: Duration,
    /// `TimestampValidityWindow`.
    pub timestamp_validity_window: Duration,
    /// `MobileNodeGeneratedTimestampInUse`.
    pub mn_generated_timestamp_in_use: bool,
}

impl Default for LmaTimers {
    /// The RFC's defaults.
    fn default() -> Self {
        Self {
            min_delay_before_bce_delete: Duration::from_secs(10),
            max_delay_before_new_bce_assign: Duration::from_millis(1_500),
            timestamp_validity_window: Duration::from_millis(300),
            mn_generated_timestamp_in_use: false,
        }
    }
}

/// Prefixes to allocate from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolConfig {
    /// The whole pool.
    pub prefix: HomePrefix,
    /// Length of each home network prefix; at least that of `prefix`, at most 128.
    pub delegated_len: u8,
}

/// What a gateway may do (RFC 5213 section 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MagConfig {
    /// Its Proxy-CoA, and the source of its PBUs. A gateway with an Alternate Care-of Address of
    /// its own is configured once for each of the two.
    pub address: Ipv6Addr,
    /// Whether it may register nodes at all.
    pub authorized: bool,
    /// The prefixes it may serve; any if empty.
    pub prefixes: Vec<HomePrefix>,
    /// Identifiers of the nodes it may serve, as patterns where `*` is any run of bytes; any if
    /// empty.
    pub nodes: Vec<String>,
}

/// What a node may do. Nodes with equal profiles share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Profile {
    /// Whether network-based mobility is enabled for it (else status 152).
    pub enabled: bool,
    /// The pool that its prefixes come from, by its place in [`LmaConfig::pools`].
    pub pool: usize,
    /// How many prefixes a session gets when it asks for an allocation; at least one.
    pub prefixes: u8,
    /// The longest lifetime granted; at least four seconds.
    pub max_lifetime: Duration,
}

/// Who may do what: a default, and the nodes that have something of their own.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    default: Option<Profile>,
    profiles: Vec<Profile>,
    places: HashMap<Profile, u32>,
    nodes: HashMap<MnId, NodePolicy>,
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

    /// Gives a node a profile, and prefixes that are its own and nobody else's.
    pub fn insert(&mut self, mn_id: MnId, profile: Profile, static_prefixes: &[HomePrefix]) {
        let place = *self.places.entry(profile).or_insert_with(|| {
            self.profiles.push(profile);
            u32::try_from(self.profiles.len() - 1).unwrap_or(u32::MAX)
        });
        self.nodes
            .insert(mn_id, NodePolicy { profile: place, static_prefixes: static_prefixes.into() });
    }

    /// A node's profile and its own prefixes; `None` if we do not serve it.
    pub(crate) fn lookup(&self, mn_id: &MnId) -> Option<(Profile, &[HomePrefix])> {
        match self.nodes.get(mn_id) {
            Some(n) => {
                let profile = self.profiles.get(usize::try_from(n.profile).ok()?)?;
                Some((*profile, &n.static_prefixes))
            }
            None => self.default.map(|p| (p, [].as_slice())),
        }
    }

    /// The prefixes of all nodes that have their own, in no order.
    pub(crate) fn static_prefixes(&self) -> impl Iterator<Item = HomePrefix> + '_ {
        self.nodes.values().flat_map(|n| n.static_prefixes.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: Profile =
        Profile { enabled: true, pool: 0, prefixes: 1, max_lifetime: Duration::from_secs(60) };

    #[test]
    fn nodes_with_equal_profiles_share_one() {
        let mut policy = Policy::new(None);
        for n in 0..100 {
            policy.insert(MnId::nai(&format!("mn{n}")).expect("short"), PROFILE, &[]);
        }
        assert_eq!(policy.profiles.len(), 1);
        assert!(policy.lookup(&MnId::nai("mn7").expect("short")).is_some());
        assert!(policy.lookup(&MnId::nai("other").expect("short")).is_none());
    }
}
