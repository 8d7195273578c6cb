//! Carries out what the core decided, in order.

use super::Gateway;
use crate::addr::AnchorAddr;
use crate::config::mag::Dhcpv6Mode;
use crate::mag::access;
use crate::mag::counter::{Counter, snake};
use crate::mobility::mag::action::{Action, Advert, Audit, AuditKind, Route};
use crate::mobility::mag::event::{Event, LinkId};
use crate::mobility::message::{PeerMsg, UpdateMsg};
use std::collections::BTreeSet;
use std::io;
use std::net::Ipv6Addr;

impl Gateway {
    pub(super) fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::SendPbu(msg) => self.send_pbu(&msg),
                Action::Send(msg) => self.send_to_peer(&msg),
                Action::Remember(anchors) => self.remember(anchors),
                Action::AddTunnel { path, tunnel_mtu } | Action::TunnelMtu { path, tunnel_mtu } => {
                    self.tunnel_mtus.insert(path, tunnel_mtu);
                    self.set_tunnel_mtu();
                }
                Action::RemoveTunnel(path) => {
                    self.tunnel_mtus.remove(&path);
                    self.set_tunnel_mtu();
                }
                Action::ConfigureIpv4 { link, lease } => self.configure_ipv4(link, lease),
                Action::UnconfigureIpv4 { link, lease } => self.unconfigure_ipv4(link, lease),
                Action::ConfigureLink { link, link_local } => {
                    if let Some(l) = self.links.get_mut(&link) {
                        l.link_local = Some(link_local);
                    }
                    let done = self.kernel.add_link_local(link, link_local);
                    self.note("link-local address", done);
                }
                Action::UnconfigureLink { link, link_local } => {
                    if let Some(l) = self.links.get_mut(&link) {
                        l.link_local = None;
                    }
                    let done = self.kernel.del_link_local(link, link_local);
                    self.note("link-local address", done);
                }
                Action::Install(route) => self.install(route),
                Action::Remove(route) => self.remove(route),
                Action::Advertise(advert) => self.advertise(&advert),
                Action::Probe { link, node_link_local } => self.probe(link, node_link_local),
                Action::Audit(audit) => self.audit(&audit),
            }
        }
    }

    fn send_pbu(&self, msg: &UpdateMsg) {
        if let Err(error) = self.signaling.send_update(msg) {
            // The core sends it again.
            self.counters.add(Counter::PbuSendFailed);
            tracing::warn!(%error, lma_address = %AnchorAddr(msg.dst), "PBU not sent");
        }
    }

    fn send_to_peer(&self, msg: &PeerMsg) {
        if let Err(error) = self.signaling.send(msg) {
            // What has to arrive is sent again, or asked for.
            self.counters.add(Counter::PeerSendFailed);
            tracing::warn!(%error, lma_address = %AnchorAddr(msg.dst), "message not sent");
        }
    }

    fn remember(&mut self, anchors: Vec<AnchorAddr>) {
        if let Err(error) = self.state.remember(anchors) {
            self.counters.add(Counter::StateWriteFailed);
            tracing::error!(%error, "state not written: a restart will not be told of");
        }
    }

    fn set_tunnel_mtu(&mut self) {
        // One TUN for all tunnels: the smallest.
        if let Some(&mtu) = self.tunnel_mtus.values().min() {
            let done = self.kernel.set_mtu(self.tunnel_link, mtu);
            self.note("tunnel MTU", done);
        }
    }

    fn install(&mut self, route: Route) {
        self.tunnel.table.write().insert(route.prefix, route.path, route.keys);
        if let Some(link) = self.links.get(&route.link) {
            let done = self.kernel.install(route.prefix, &link.interface);
            self.note("route", done);
        }
    }

    fn remove(&mut self, route: Route) {
        self.tunnel.table.write().remove(route.prefix);
        if let Some(link) = self.links.get(&route.link) {
            let done = self.kernel.remove(route.prefix, &link.interface);
            self.note("route", done);
        }
    }

    fn advertise(&self, advert: &Advert) {
        let Some(link) = self.links.get(&advert.link) else { return };
        let managed = self.config.dhcp.ipv6 != Dhcpv6Mode::Off;
        let sent = access::advertisement(advert, link.mac, managed)
            .map_err(io::Error::other)
            .and_then(|(packet, dst)| self.sender.send(&packet, dst, advert.link.0));
        self.note_nd(sent);
    }

    fn probe(&mut self, link: LinkId, node_link_local: Option<Ipv6Addr>) {
        let Some(there) = self.links.get(&link) else { return };
        match (node_link_local, there.link_local) {
            (Some(node), Some(ours)) => {
                let sent = access::probe(ours, node, there.mac)
                    .map_err(io::Error::other)
                    .and_then(|packet| self.sender.send(&packet, node, link.0));
                self.note_nd(sent);
            }
            // Nothing was heard from it: the link's own state is all that there is to go by.
            _ if there.interface.running => {
                self.handle(Event::Present { link, node_link_local: None });
            }
            _ => {}
        }
    }

    fn note_nd(&self, sent: io::Result<()>) {
        if let Err(error) = sent {
            self.counters.add(Counter::NdSendFailed);
            tracing::warn!(%error, "neighbour discovery message not sent");
        }
    }

    /// Counts and tells what the kernel refused.
    pub(super) fn note(&self, what: &str, done: io::Result<()>) {
        if let Err(error) = done {
            self.counters.add(Counter::KernelRefused);
            tracing::error!(%error, what, "the kernel refused");
        }
    }

    fn audit(&mut self, audit: &Audit) {
        *self.audits.entry(counter_name(audit.kind)).or_insert(0) += 1;
        let link = audit.link.and_then(|l| self.links.get(&l));
        let interface = link.map(|l| l.interface.name.as_str());
        let mn_id = audit.mn_id.as_ref().map(ToString::to_string);
        match audit.kind {
            // What anyone can send us does not fill the log.
            AuditKind::PbaIgnored(_)
            | AuditKind::LinkOccupied
            | AuditKind::BraIgnored
            | AuditKind::HeartbeatIgnored
            | AuditKind::NotUnicast
            | AuditKind::RevocationRefused(_) => {
                tracing::debug!(mn_id, interface, kind = ?audit.kind, "ignored");
            }
            kind => tracing::info!(mn_id, interface, ?kind, "binding"),
        }
    }

    pub(super) fn look_up_path_mtu(&mut self) {
        let lmas: BTreeSet<AnchorAddr> = self.tunnel_mtus.keys().map(|path| path.lma).collect();
        for lma in lmas {
            match self.kernel.path_mtu(lma.0) {
                Ok(Some(mtu)) => {
                    let known = u16::try_from(mtu).unwrap_or(u16::MAX);
                    // The configured value is the administrator's bound (RFC 5213 6.9.5).
                    let mtu = known.min(self.config.core.path_mtu);
                    self.handle(Event::PathMtu { lma, mtu });
                }
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, lma_address = %lma, "path MTU"),
            }
        }
    }
}

/// `refused_153`, `pba_ignored_no_match`, `registered`.
fn counter_name(kind: AuditKind) -> String {
    match kind {
        AuditKind::Refused(status) => format!("refused_{status}"),
        AuditKind::Ipv4Refused(status) => format!("ipv4_refused_{status}"),
        AuditKind::RevocationRefused(status) => format!("revocation_refused_{status}"),
        AuditKind::RevokedByUs(status) => format!("revoked_by_us_{status}"),
        AuditKind::NotGranted(family) => format!("not_granted_{}", snake(&format!("{family:?}"))),
        AuditKind::Released(family) => format!("released_{}", snake(&format!("{family:?}"))),
        AuditKind::PbaIgnored(why) => format!("pba_ignored_{}", snake(&format!("{why:?}"))),
        other => snake(&format!("{other:?}")),
    }
}
