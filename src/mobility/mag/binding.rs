//! What a granted binding puts in place, and how that changes and ends (RFC 5213 6.9.1.2 (12) to
//! (15), 6.9.1.4, 6.12).

use crate::addr::{AnchorAddr, HomePrefix};
use crate::mobility::mag::Shared;
use crate::mobility::mag::ack::{Grant, Ipv4Grant, Ipv4Refusal};
use crate::mobility::mag::action::{Action, AuditKind, Ipv4Lease, Path, Route};
use crate::mobility::mag::advert::{AdvertTimer, AdvertTo};
use crate::mobility::mag::event::{Family, Gre};
use crate::mobility::mag::path::keepalive;
use crate::mobility::mag::session::{Binding, Care, State};
use crate::mobility::mag::transition::Cx;
use crate::time::{Instant, Lifetime};
use std::net::Ipv6Addr;

/// RFC 8200 section 5.
const IPV6_MIN_MTU: u16 = 1280;

impl Shared {
    /// Largest outer packet to a tunnel's far end, bytes.
    pub(super) fn path_mtu(&self, lma: AnchorAddr) -> u16 {
        self.path_mtu.get(&lma).copied().unwrap_or(self.config.path_mtu)
    }

    /// Largest inner packet, bytes (RFC 2473 6.7: never below the minimum).
    pub(super) fn tunnel_mtu(&self, path: Path) -> u16 {
        self.path_mtu(path.lma).saturating_sub(path.overhead()).max(IPV6_MIN_MTU)
    }
}

impl Cx<'_> {
    /// The anchor accepted: puts the difference between what is in force and what was granted in
    /// place, advertises, and waits for the time to refresh.
    pub(super) fn bind(&mut self, old: Option<Binding>, grant: Grant) -> State {
        let lma = self.s.attachment.node.lma;
        let link = self.s.attachment.link.id;
        self.note_refusals(&grant);
        let asked = self.s.want.gre_option();
        let granted = Path::granted(&self.shared.config, lma, &grant.tunnel, asked);
        // An update cannot have left without an address of ours.
        let Some((path, keys)) = granted else { return State::Gone };
        self.follow_gre(&grant);

        let (link_local, upload) = self.choose_link_local(&grant);
        let now = self.now.mono;
        let mut binding = Binding {
            ipv4: grant.ipv4.ok().map(|ipv4| self.lease(ipv4, path)),
            path,
            keys,
            link_local,
            expires_at: grant.since + grant.lifetime.duration(),
            refresh_at: refresh_at(&grant),
            advert: old.as_ref().map_or_else(|| AdvertTimer::new(now), |b| b.advert),
            challenge: None,
            prefixes: grant.prefixes,
        };
        if old.as_ref().is_none_or(|b| b.path != path) {
            self.share_tunnel(path);
        }
        self.replace_link_local(old.as_ref().map(|b| b.link_local), link_local);
        let before = old.as_ref().map_or_else(Vec::new, |b| b.routes(link));
        self.replace_routes(&before, &binding.routes(link));
        self.replace_ipv4(old.as_ref().and_then(|b| b.ipv4), binding.ipv4);
        if let Some(b) = old.as_ref().filter(|b| b.path != path) {
            self.leave_tunnel(b.path);
        }
        self.keep(&binding);

        let had = old.map_or_else(Vec::new, |b| b.prefixes);
        let gone: Vec<_> = had.iter().copied().filter(|p| !binding.prefixes.contains(p)).collect();
        if !gone.is_empty() {
            // RFC 5213 6.12
            self.audit(AuditKind::Renumbered);
            self.withdraw(&binding, &gone, self.shared.config.advert.router_lifetime_s);
        }
        if binding.prefixes.iter().any(|p| !had.contains(p)) {
            self.advertise(&mut binding);
        }
        match upload {
            Some(address) => self.refreshing(binding, Some(address)),
            None => State::Bound(binding, Care::Steady),
        }
    }

    /// Counts what was asked for and not given.
    fn note_refusals(&mut self, grant: &Grant) {
        let want = &self.s.want;
        let (wants_ipv4, wants_ipv6) = (want.ipv4.is_some(), want.ipv6);
        match grant.ipv4 {
            Err(Ipv4Refusal::Status(status)) if wants_ipv4 => {
                self.audit(AuditKind::Ipv4Refused(status.0));
            }
            Err(_) if wants_ipv4 => self.audit(AuditKind::NotGranted(Family::Ipv4)),
            Ok(_) | Err(_) => {}
        }
        if grant.ipv4.is_err() {
            // RFC 5844 3.2.3.2: no IPv4 for now; the node may ask again.
            self.s.want.ipv4 = None;
        }
        if wants_ipv6 && grant.prefixes.is_empty() {
            self.audit(AuditKind::NotGranted(Family::Ipv6));
        }
    }

    /// What the answer says of GRE for the updates to come (RFC 5845 4.2).
    fn follow_gre(&mut self, grant: &Grant) {
        if self.s.want.gre == Gre::Off || grant.tunnel.gre.is_some() {
            return;
        }
        if grant.tunnel.status != crate::wire::mh::Status::GRE_KEY_OPTION_NOT_REQUIRED {
            self.audit(AuditKind::GreNotSupported);
            self.shared.without_gre.insert(self.s.attachment.node.lma);
        }
        self.s.want.gre = Gre::Off;
    }

    /// What is granted is what is asked for from now on (RFC 5213 6.9.1.3, RFC 5844 3.2.3.3).
    fn keep(&mut self, b: &Binding) {
        if !b.prefixes.is_empty() {
            self.s.want.prefixes.clone_from(&b.prefixes);
        }
        if let Some(lease) = b.ipv4 {
            self.s.want.ipv4 = Some(lease.home);
        }
    }

    fn lease(&self, ipv4: Ipv4Grant, path: Path) -> Ipv4Lease {
        let mtu = self.shared.tunnel_mtu(path).min(self.s.attachment.link.mtu);
        Ipv4Lease { home: ipv4.home, router: ipv4.router, mtu, dhcp: ipv4.dhcp }
    }

    fn replace_link_local(&mut self, old: Option<Ipv6Addr>, new: Ipv6Addr) {
        let link = self.s.attachment.link.id;
        if old == Some(new) {
            return;
        }
        if let Some(link_local) = old {
            self.actions.push(Action::UnconfigureLink { link, link_local });
        }
        self.actions.push(Action::ConfigureLink { link, link_local: new });
    }

    fn replace_routes(&mut self, old: &[Route], new: &[Route]) {
        let gone = old.iter().filter(|r| !new.contains(r));
        self.actions.extend(gone.map(|r| Action::Remove(*r)));
        let added = new.iter().filter(|r| !old.contains(r));
        self.actions.extend(added.map(|r| Action::Install(*r)));
    }

    fn replace_ipv4(&mut self, old: Option<Ipv4Lease>, new: Option<Ipv4Lease>) {
        let link = self.s.attachment.link.id;
        if old == new {
            return;
        }
        self.actions.extend(old.map(|lease| Action::UnconfigureIpv4 { link, lease }));
        self.actions.extend(new.map(|lease| Action::ConfigureIpv4 { link, lease }));
    }

    /// Takes back what [`Self::bind`] put in place. `withdraw` if the node is still on the link,
    /// and has to learn that its prefixes are not served there.
    pub(super) fn unbind(&mut self, b: &Binding, withdraw: bool) {
        let link = self.s.attachment.link.id;
        if withdraw && !b.prefixes.is_empty() {
            self.withdraw(b, &b.prefixes, 0);
        }
        self.replace_ipv4(b.ipv4, None);
        self.replace_routes(&b.routes(link), &[]);
        self.actions.push(Action::UnconfigureLink { link, link_local: b.link_local });
        self.leave_tunnel(b.path);
    }

    /// Takes back what is in place for one family, which is not the only one.
    pub(super) fn unbind_family(&mut self, b: &mut Binding, family: Family) {
        let link = self.s.attachment.link.id;
        let (before, lease) = (b.routes(link), b.ipv4);
        match family {
            Family::Ipv4 => b.ipv4 = None,
            Family::Ipv6 => {
                let gone = core::mem::take(&mut b.prefixes);
                self.withdraw(b, &gone, 0);
            }
        }
        self.replace_ipv4(lease, b.ipv4);
        let after = b.routes(link);
        self.replace_routes(&before, &after);
    }

    /// Tells the node that these prefixes are gone, and how long we are its default router still.
    fn withdraw(&mut self, b: &Binding, gone: &[HomePrefix], router_lifetime_s: u16) {
        let advert = self.advert_to(b).withdrawing(gone, router_lifetime_s);
        self.actions.push(Action::Advertise(advert));
    }

    /// RFC 5213 6.9.1.2 (12)
    fn share_tunnel(&mut self, path: Path) {
        let tunnel_mtu = self.shared.tunnel_mtu(path);
        let sessions = self.shared.tunnels.entry(path).or_insert(0);
        *sessions += 1;
        if *sessions == 1 {
            self.actions.push(Action::AddTunnel { path, tunnel_mtu });
        }
        let lma = self.s.attachment.node.lma;
        self.shared.peers.join(lma, self.now.mono, self.actions);
    }

    /// RFC 5213 5.6.1: the last session takes the tunnel with it.
    fn leave_tunnel(&mut self, path: Path) {
        if let Some(sessions) = self.shared.tunnels.get_mut(&path) {
            *sessions -= 1;
            if *sessions == 0 {
                self.shared.tunnels.remove(&path);
                self.actions.push(Action::RemoveTunnel(path));
            }
        }
        self.shared.peers.leave(self.s.attachment.node.lma, self.actions);
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

    /// Sends the node its prefixes; without one we are no IPv6 router.
    pub(super) fn advertise(&mut self, b: &mut Binding) {
        let config = &self.shared.config.advert;
        b.advert.record(self.now.mono, config);
        if b.prefixes.is_empty() {
            return;
        }
        let advert = self.advert_to(b).serving(&b.prefixes, config);
        self.actions.push(Action::Advertise(advert));
    }

    fn advert_to(&self, b: &Binding) -> AdvertTo {
        let at = &self.s.attachment;
        AdvertTo {
            link: at.link.id,
            src: b.link_local,
            dst: at.node_link_local,
            // RFC 5213 6.9.5: the tunnel's MTU, or the link's if that is lower.
            mtu: self.shared.tunnel_mtu(b.path).min(at.link.mtu),
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

/// Three quarters of the lifetime, or what the anchor advises (RFC 6275 6.2.4) or a NAT needs
/// (RFC 5555 4.3) if that is earlier.
fn refresh_at(grant: &Grant) -> Instant {
    let usual = grant.lifetime.duration() * 3 / 4;
    let advice = grant.refresh_advice.map(Lifetime::duration);
    let sooner = [advice, keepalive(grant.tunnel.nat)].into_iter().flatten();
    grant.since + sooner.fold(usual, core::cmp::Ord::min)
}
