//! What a granted binding puts in place, and how that changes and ends (RFC 5213 6.9.1.2 (12) to
//! (15), 6.9.1.4, 6.12).

use crate::addr::{AnchorAddr, HomePrefix};
use crate::mobility::mag::Shared;
use crate::mobility::mag::ack::Grant;
use crate::mobility::mag::action::{Action, AuditKind, Route};
use crate::mobility::mag::advert::{AdvertTimer, AdvertTo};
use crate::mobility::mag::session::{Binding, Care, State};
use crate::mobility::mag::transition::Cx;
use crate::time::{Instant, Lifetime};
use std::net::Ipv6Addr;

/// The outer header (RFC 2473 6.7).
const OUTER_HEADER_LEN: u16 = 40;
/// RFC 8200 section 5.
const IPV6_MIN_MTU: u16 = 1280;

impl Shared {
    /// Largest outer packet to an anchor, bytes.
    pub(super) fn path_mtu(&self, lma: AnchorAddr) -> u16 {
        self.path_mtu.get(&lma).copied().unwrap_or(self.config.path_mtu)
    }

    /// Largest inner packet to an anchor, bytes (RFC 2473 6.7: never below the minimum).
    pub(super) fn tunnel_mtu(&self, lma: AnchorAddr) -> u16 {
        self.path_mtu(lma).saturating_sub(OUTER_HEADER_LEN).max(IPV6_MIN_MTU)
    }
}

impl Cx<'_> {
    /// The anchor accepted: puts the difference between what is in force and what was granted in
    /// place, advertises, and waits for the time to refresh.
    pub(super) fn bind(&mut self, old: Option<Binding>, grant: Grant) -> State {
        let lma = self.s.attachment.node.lma;
        let link = self.s.attachment.link.id;
        let (old_prefixes, old_link_local, advert) = match old {
            Some(b) => (b.prefixes, Some(b.link_local), Some(b.advert)),
            None => (Vec::new(), None, None),
        };
        if old_link_local.is_none() {
            self.share_tunnel();
        }
        let (link_local, upload) = self.choose_link_local(&grant);
        if old_link_local != Some(link_local) {
            if let Some(link_local) = old_link_local {
                self.actions.push(Action::UnconfigureLink { link, link_local });
            }
            self.actions.push(Action::ConfigureLink { link, link_local });
        }
        let missing_from = |set: &[HomePrefix], of: &[HomePrefix]| -> Vec<HomePrefix> {
            of.iter().copied().filter(|p| !set.contains(p)).collect()
        };
        let gone = missing_from(&grant.prefixes, &old_prefixes);
        let added = missing_from(&old_prefixes, &grant.prefixes);
        let route = |&prefix: &HomePrefix| Route { prefix, link, lma };
        self.actions.extend(gone.iter().map(|p| Action::Remove(route(p))));
        self.actions.extend(added.iter().map(|p| Action::Install(route(p))));
        self.s.wanted.clone_from(&grant.prefixes);

        let mut binding = Binding {
            prefixes: grant.prefixes,
            link_local,
            expires_at: grant.since + grant.lifetime.duration(),
            refresh_at: refresh_at(grant.since, grant.lifetime, grant.refresh_advice),
            advert: advert.unwrap_or_else(|| AdvertTimer::new(self.now.mono)),
        };
        if !gone.is_empty() {
            // RFC 5213 6.12
            self.audit(AuditKind::Renumbered);
            let lifetime_s = self.shared.config.advert.router_lifetime_s;
            let advert = self.advert_to(&binding).withdrawing(&gone, lifetime_s);
            self.actions.push(Action::Advertise(advert));
        }
        if !added.is_empty() {
            self.advertise(&mut binding);
        }
        match upload {
            Some(address) => self.refreshing(binding, Some(address)),
            None => State::Bound(binding, Care::Steady),
        }
    }

    /// Takes back what [`Self::bind`] put in place. `withdraw` if the node is still on the link,
    /// and has to learn that its prefixes are not served there.
    pub(super) fn unbind(&mut self, b: &Binding, withdraw: bool) {
        let lma = self.s.attachment.node.lma;
        let link = self.s.attachment.link.id;
        if withdraw {
            let advert = self.advert_to(b).withdrawing(&b.prefixes, 0);
            self.actions.push(Action::Advertise(advert));
        }
        for &prefix in &b.prefixes {
            self.actions.push(Action::Remove(Route { prefix, link, lma }));
        }
        self.actions.push(Action::UnconfigureLink { link, link_local: b.link_local });
        // RFC 5213 5.6.1: the last session takes the tunnel with it.
        if let Some(sessions) = self.shared.tunnels.get_mut(&lma) {
            *sessions -= 1;
            if *sessions == 0 {
                self.shared.tunnels.remove(&lma);
                self.actions.push(Action::RemoveTunnel { lma });
            }
        }
    }

    /// RFC 5213 6.9.1.2 (12)
    fn share_tunnel(&mut self) {
        let lma = self.s.attachment.node.lma;
        let tunnel_mtu = self.shared.tunnel_mtu(lma);
        let sessions = self.shared.tunnels.entry(lma).or_insert(0);
        *sessions += 1;
        if *sessions == 1 {
            self.actions.push(Action::AddTunnel { lma, tunnel_mtu });
        }
    }

    /// The node was seen again while it is bound: it is present, and wants an advertisement.
    pub(super) fn seen_while_bound(&mut self, mut b: Binding, care: Care) -> State {
        if self.s.attachment.node_link_local == Some(b.link_local) {
            // RFC 5213 6.9.1.2 (15), noticed late.
            let link = self.s.attachment.link.id;
            let ours = self.own_link_local(b.link_local);
            self.audit(AuditKind::LinkLocalCollision);
            self.actions.push(Action::UnconfigureLink { link, link_local: b.link_local });
            self.actions.push(Action::ConfigureLink { link, link_local: ours });
            b.link_local = ours;
            self.advertise(&mut b);
            return self.refreshing(b, Some(ours));
        }
        self.advertise(&mut b);
        match care {
            Care::Probing { .. } => self.refreshing(b, None),
            Care::Steady | Care::Refreshing(_) | Care::Suspended => State::Bound(b, care),
        }
    }

    /// Sends the node its prefixes.
    pub(super) fn advertise(&mut self, b: &mut Binding) {
        let config = &self.shared.config.advert;
        let advert = self.advert_to(b).serving(&b.prefixes, config);
        b.advert.record(self.now.mono, config);
        self.actions.push(Action::Advertise(advert));
    }

    fn advert_to(&self, b: &Binding) -> AdvertTo {
        let at = &self.s.attachment;
        AdvertTo {
            link: at.link.id,
            src: b.link_local,
            dst: at.node_link_local,
            // RFC 5213 6.9.5: the tunnel's MTU, or the link's if that is lower.
            mtu: self.shared.tunnel_mtu(at.node.lma).min(at.link.mtu),
        }
    }

    /// Our address on the link (RFC 5213 6.8, 6.9.1.2 (15)), and whether the anchor has to be told.
    fn choose_link_local(&mut self, grant: &Grant) -> (Ipv6Addr, Option<Ipv6Addr>) {
        if let Some(fixed) = self.shared.config.fixed_link_local {
            return (fixed, None);
        }
        let given = grant.link_local.unwrap_or(self.s.attachment.link.link_local);
        if self.s.attachment.node_link_local == Some(given) {
            self.audit(AuditKind::LinkLocalCollision);
            let ours = self.own_link_local(given);
            return (ours, Some(ours));
        }
        (given, None)
    }

    /// An address that is neither the node's nor `taken`: the interface's own, or its neighbour.
    fn own_link_local(&self, taken: Ipv6Addr) -> Ipv6Addr {
        let own = self.s.attachment.link.link_local;
        if own == taken { Ipv6Addr::from_bits(own.to_bits() ^ 1) } else { own }
    }
}

/// Three quarters of the lifetime, or what the anchor advises if that is earlier (RFC 6275 6.2.4).
fn refresh_at(since: Instant, lifetime: Lifetime, advice: Option<Lifetime>) -> Instant {
    let usual = lifetime.duration() * 3 / 4;
    since + advice.map_or(usual, |a| a.duration().min(usual))
}
