//! Who may register whom (RFC 5213 section 4 and 5.3.1 (5), (6)): gateways, nodes, prefixes.

use crate::addr::{CustomerId, HomePrefix, MnId, ProxyCoa};
use crate::mobility::address_map::AddressMap;
use crate::mobility::auth::AuthKey;
use crate::mobility::config::{GrePolicy, MagConfig, PeerConfig};
use crate::mobility::peer::{Peer, PeerStatus};
use crate::wire::mh::Status;
use std::net::Ipv6Addr;

/// The gateways that we know, by address. An update asks for its gateway a dozen times; what comes
/// out of the table in a row is sorted, so that nothing depends on the order of a hash table.
#[derive(Debug, Default)]
pub(crate) struct MagTable(AddressMap<Mag>);

/// One gateway: what it may do and what it did.
#[derive(Debug, Default)]
struct Mag {
    /// The configuration names it, and says whether it may register nodes; else an operator added
    /// it, or sessions have it.
    configured: Option<bool>,
    /// What an operator said of it since the start: that counts.
    told: Option<bool>,
    prefixes: Vec<HomePrefix>,
    nodes: Vec<NodePattern>,
    customer: CustomerId,
    gre: GrePolicy,
    auth: Vec<AuthKey>,
    usage: MagUsage,
    peer: Peer,
}

/// What a gateway did since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MagUsage {
    /// Sessions that it serves now, those in the delete delay included.
    pub bindings: usize,
    /// PBUs that came from it.
    pub pbu_received: u64,
    /// PBAs to it that accept.
    pub pba_accepted: u64,
    /// PBAs to it that refuse.
    pub pba_refused: u64,
}

/// A gateway as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MagState {
    /// Its Proxy-CoA.
    pub address: Ipv6Addr,
    /// Whether it may register nodes.
    pub authorized: bool,
    /// Whether the configuration names it.
    pub configured: bool,
    /// What it did.
    pub usage: MagUsage,
    /// Whether it lives.
    pub peer: PeerStatus,
}

impl MagTable {
    pub(crate) fn new(mags: &[MagConfig]) -> Self {
        let table = mags.iter().map(|m| {
            let nodes = m.nodes.iter().map(|p| NodePattern(p.as_bytes().into())).collect();
            let mag = Mag {
                configured: Some(m.authorized),
                told: None,
                prefixes: m.prefixes.clone(),
                nodes,
                customer: m.customer.unwrap_or_default(),
                gre: m.gre,
                auth: m.auth.clone(),
                usage: MagUsage::default(),
                peer: Peer::new(m.peer.clone()),
            };
            (m.address, mag)
        });
        Self(table.collect())
    }

    /// The operator authorizes a gateway; one that we do not know yet may serve every node.
    pub(crate) fn add(&mut self, address: Ipv6Addr) {
        let peer = || PeerConfig { heartbeat: true, revocation: true, revocation_identity: None };
        let unknown = || Mag { peer: Peer::new(peer()), ..Mag::default() };
        self.0.get_or_insert_with(address, unknown).told = Some(true);
    }

    /// The operator withdraws a gateway's authorization. One that was added is forgotten when its
    /// last session is gone, so that gateways may come and go for years.
    pub(crate) fn withdraw(&mut self, address: Ipv6Addr) {
        if let Some(mag) = self.0.get_mut(address) {
            mag.told = Some(false);
            self.forget_if_unused(address);
        }
    }

    /// Goes on with the gateways of `new`. What a gateway did, its sessions, whether it lives and
    /// what operators said of it is kept. One that the configuration names no more is withdrawn,
    /// and forgotten with its last session; one that an operator added stays.
    ///
    /// Returns those that are to be asked by heartbeats from now on. `new` has the old ones
    /// afterwards.
    pub(crate) fn take_over(&mut self, new: &mut Self) -> Vec<Ipv6Addr> {
        for (address, old) in self.0.iter_mut() {
            if let Some(new) = new.0.get_mut(address) {
                new.go_on(old);
                continue;
            }
            if old.configured.take().is_some() {
                old.told = None;
            }
            if old.is_used() {
                new.0.get_or_insert_with(address, || std::mem::take(old));
            }
        }
        std::mem::swap(self, new);
        self.sorted(|m| m.usage.bindings > 0 && m.peer.is_to_be_asked())
    }

    /// Whether we know this gateway.
    pub(crate) fn knows(&self, address: Ipv6Addr) -> bool {
        self.0.contains(address)
    }

    /// Whether the sender, and the gateway whose address the tunnel would have, may register this
    /// node. The tunnel's address is checked as well: a gateway must not steer a node's traffic to
    /// just any host by an Alternate Care-of Address.
    pub(crate) fn check(&self, src: Ipv6Addr, coa: ProxyCoa, mn_id: &MnId) -> Result<(), Status> {
        let may = |address| {
            let mag = self.0.get(address)?;
            let node = mag.nodes.is_empty() || mag.nodes.iter().any(|p| p.matches(mn_id.bytes()));
            (mag.is_authorized() && node).then_some(())
        };
        // RFC 5213 5.3.1 (6)
        let both = may(src).and_then(|()| if coa.0 == src { Some(()) } else { may(coa.0) });
        both.ok_or(Status::MAG_NOT_AUTHORIZED_FOR_PROXY_REG)
    }

    /// Whether a gateway may serve this prefix (RFC 5213 section 4).
    pub(crate) fn may_serve(&self, coa: ProxyCoa, prefix: HomePrefix) -> bool {
        self.0.get(coa.0).is_some_and(|mag| {
            mag.prefixes.is_empty() || mag.prefixes.iter().any(|allowed| allowed.covers(prefix))
        })
    }

    /// Whose nodes a gateway serves where their identifiers do not tell.
    pub(crate) fn customer(&self, src: Ipv6Addr) -> CustomerId {
        self.0.get(src).map_or_else(CustomerId::default, |mag| mag.customer)
    }

    /// Whether the sessions of a gateway use GRE.
    pub(crate) fn gre(&self, src: Ipv6Addr) -> GrePolicy {
        self.0.get(src).map_or_else(GrePolicy::default, |mag| mag.gre)
    }

    /// A gateway's own keys.
    pub(crate) fn auth(&self, src: Ipv6Addr) -> &[AuthKey] {
        self.0.get(src).map_or(&[], |mag| &mag.auth)
    }

    /// Changes what a gateway is known to have done; nothing happens if we do not know it, so
    /// strangers cost no memory.
    pub(crate) fn count(&mut self, address: Ipv6Addr, change: impl FnOnce(&mut MagUsage)) {
        if let Some(mag) = self.0.get_mut(address) {
            change(&mut mag.usage);
            if !mag.is_used() {
                self.0.remove(address);
            }
        }
    }

    /// How many sessions a gateway serves.
    pub(crate) fn bindings(&self, address: Ipv6Addr) -> usize {
        self.0.get(address).map_or(0, |m| m.usage.bindings)
    }

    /// A gateway as a peer.
    pub(crate) fn peer(&self, address: Ipv6Addr) -> Option<&Peer> {
        self.0.get(address).map(|m| &m.peer)
    }

    /// The same, to change it.
    pub(crate) fn peer_mut(&mut self, address: Ipv6Addr) -> Option<&mut Peer> {
        self.0.get_mut(address).map(|m| &mut m.peer)
    }

    /// The gateways that may register nodes and exchange heartbeats.
    pub(crate) fn heard_by_heartbeats(&self) -> Vec<Ipv6Addr> {
        self.sorted(|m| m.is_authorized() && m.peer.has_heartbeats())
    }

    /// The ends of tunnels whose gateway's messages come from this address: all that are reached
    /// there, for a gateway may have several (RFC 7389); without any the address itself.
    pub(crate) fn peers_at(&self, address: Ipv6Addr) -> Vec<Ipv6Addr> {
        let reached = |m: &Mag| m.peer.contact().is_some_and(|c| c.remote == address);
        let mut found = self.sorted(reached);
        if found.is_empty() && self.knows(address) {
            found.push(address);
        }
        found
    }

    /// The addresses of the gateways that are `wanted`, in their order.
    fn sorted(&self, wanted: impl Fn(&Mag) -> bool) -> Vec<Ipv6Addr> {
        let found = self.0.iter().filter(|(_, mag)| wanted(mag));
        let mut found: Vec<Ipv6Addr> = found.map(|(address, _)| address).collect();
        found.sort_unstable();
        found
    }

    fn forget_if_unused(&mut self, address: Ipv6Addr) {
        if self.0.get(address).is_some_and(|m| !m.is_used()) {
            self.0.remove(address);
        }
    }

    /// Counts a session that was kept on disk. Its gateway may be one that an operator had added,
    /// which the configuration does not name: it is known again, but may register nobody.
    pub(crate) fn restore(&mut self, address: Ipv6Addr) {
        self.0.get_or_insert_with(address, Mag::default).usage.bindings += 1;
    }

    /// All gateways, by address.
    pub(crate) fn iter(&self) -> impl Iterator<Item = MagState> + '_ {
        let state = |address| {
            let mag = self.0.get(address)?;
            Some(MagState {
                address,
                authorized: mag.is_authorized(),
                configured: mag.configured.is_some(),
                usage: mag.usage,
                peer: mag.peer.status(),
            })
        };
        self.sorted(|_| true).into_iter().filter_map(state)
    }
}

impl Mag {
    fn is_authorized(&self) -> bool {
        self.told.or(self.configured).unwrap_or(false)
    }

    /// Whether it must not be forgotten.
    fn is_used(&self) -> bool {
        self.configured.is_some() || self.is_authorized() || self.usage.bindings > 0
    }

    /// Goes on as the gateway that was known under the old configuration.
    fn go_on(&mut self, old: &mut Self) {
        (self.told, self.usage) = (old.told, old.usage);
        self.peer.go_on(&mut old.peer);
    }
}

/// A pattern for identifiers, where `*` is any run of bytes.
#[derive(Debug)]
struct NodePattern(Box<[u8]>);

impl NodePattern {
    /// Whether the whole identifier matches. Linear but for one step back a star, so that a long
    /// identifier cannot make it slow.
    fn matches(&self, id: &[u8]) -> bool {
        let (mut p, mut i) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while i < id.len() {
            match self.0.get(p) {
                Some(b'*') => {
                    star = Some((p, i));
                    p += 1;
                }
                Some(b) if Some(b) == id.get(i) => {
                    p += 1;
                    i += 1;
                }
                // Let the last star swallow one byte more.
                _ => match star {
                    Some((at, from)) => {
                        star = Some((at, from + 1));
                        p = at + 1;
                        i = from + 1;
                    }
                    None => return false,
                },
            }
        }
        self.0.get(p..).is_some_and(|rest| rest.iter().all(|b| *b == b'*'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, id: &str) -> bool {
        NodePattern(pattern.as_bytes().into()).matches(id.as_bytes())
    }

    #[test]
    fn star_is_any_run_of_bytes() {
        assert!(matches("*@example.org", "mn1@example.org"));
        assert!(matches("mn*@*.org", "mn1@a.b.org"));
        assert!(matches("*", "") && matches("a**", "a"));
        assert!(!matches("*@example.org", "mn1@example.org.evil"));
        assert!(!matches("mn1", "mn12") && !matches("mn12", "mn1") && !matches("", "a"));
    }

    #[test]
    fn strangers_are_not_counted() {
        let mut table = MagTable::default();
        table.count(Ipv6Addr::LOCALHOST, |u| u.pbu_received += 1);
        assert_eq!(table.iter().count(), 0);
    }
}
