//! The node's IPv4 address on its link: its default router and its DHCP server are here (RFC 5844
//! 3.2.3.2, 3.4.1).

use super::Gateway;
use crate::addr::MacAddr;
use crate::dhcp::v4::relay::Backward;
use crate::dhcp::v4::{self, Kind, Reply, Request, Terms};
use crate::mag::access::Seen;
use crate::mag::counter::Counter;
use crate::mobility::mag::action::Ipv4Lease;
use crate::mobility::mag::event::{Event, Family, LinkId};
use crate::wire::mh::DhcpSupportMode;
use std::io;
use std::net::Ipv4Addr;

impl Gateway {
    pub(super) fn dhcp(&mut self, link: LinkId, request: &Request) {
        let Some(there) = self.links.get(&link) else { return };
        let Some(lease) = there.lease else { return self.want_ipv4(link, request) };
        if !self.is_nodes_own(link, request.mac) {
            return self.counters.add(Counter::DhcpIgnored);
        }
        match lease.dhcp {
            DhcpSupportMode::Server => self.serve(link, request, &lease),
            // RFC 5844 3.2.3.2: also where the anchor says nothing.
            DhcpSupportMode::Relay => self.relay(link, request, &lease),
        }
        if request.releases(&lease) {
            // RFC 5844 3.4.3: the address, and no prefix.
            self.handle(Event::Release { link, family: Family::Ipv4 });
        }
    }

    /// RFC 5213 6.3: one node on a link, known by its interface.
    fn is_nodes_own(&self, link: LinkId, mac: MacAddr) -> bool {
        self.core.mn_ll_id(link).is_none_or(|id| id.bytes() == mac.0)
    }

    fn serve(&self, link: LinkId, request: &Request, lease: &Ipv4Lease) {
        let terms = Terms { lease_s: self.config.dhcp.lease_s, dns: &self.config.dhcp.dns };
        if let Some(reply) = request.answer(lease, &terms) {
            self.reply(link, &reply);
        }
    }

    /// To every server (RFC 1542 4.1.1).
    fn relay(&self, link: LinkId, request: &Request, lease: &Ipv4Lease) {
        let Some(there) = self.links.get(&link) else { return };
        if request.wants_other(lease) {
            return self.other_address(link, lease);
        }
        let coa = self.config.core.ipv4_proxy_coa.and_then(|coa| coa.0.to_ipv4_mapped());
        let (Some(socket), Some(coa)) = (&self.relays.v4, coa) else {
            tracing::debug!("the anchor wants a DHCP relay: no IPv4 address in dhcp.servers");
            return self.counters.add(Counter::DhcpNoServer);
        };
        let Some(message) = request.relayed(lease, coa, &there.interface.name) else {
            return self.counters.add(Counter::DhcpIgnored);
        };
        for server in &self.config.dhcp.servers {
            let to = server.to_ipv6_mapped();
            let done = socket.send_to_port(&message, to, v4::SERVER_PORT);
            self.note_dhcp(done, Counter::DhcpRelayed, *server);
        }
    }

    /// A server answered a node, through us (RFC 5844 3.4.2).
    pub(super) fn dhcp_answered(&mut self, answer: &Backward) {
        let named = |name: &str| name.as_bytes() == answer.interface;
        let there = self.links.values().find(|l| named(&l.interface.name));
        let relays = |lease: &Ipv4Lease| lease.dhcp == DhcpSupportMode::Relay;
        let lease = there.and_then(|l| Some((l.interface.id, l.lease.filter(relays)?)));
        match lease {
            Some((link, lease)) if answer.gives_other(&lease) => self.other_address(link, &lease),
            Some((link, _)) if self.is_nodes_own(link, answer.mac) => {
                self.reply(link, &answer.reply);
            }
            _ => self.counters.add(Counter::DhcpIgnored),
        }
    }

    /// Node and server are to agree on the address that the anchor gave.
    fn other_address(&self, link: LinkId, lease: &Ipv4Lease) {
        self.counters.add(Counter::DhcpOtherAddress);
        let interface = self.links.get(&link).map(|l| l.interface.name.as_str());
        // Whoever is on the link can cause it, so it does not fill the log.
        tracing::debug!(interface, home = %lease.home.addr(), "DHCP about another address dropped");
    }

    /// The request is what tells of the node, or of its wish (RFC 5844 3.4.3); it comes again, and
    /// is answered once there is something to give.
    fn want_ipv4(&mut self, link: LinkId, request: &Request) {
        if !matches!(request.kind, Kind::Discover | Kind::Request) {
            return;
        }
        if self.core.links().any(|bound| bound == link) {
            return self.handle(Event::WantIpv4(link));
        }
        let Some(there) = self.links.get(&link) else { return };
        let name = there.interface.name.clone();
        let seen = Seen { interface: &name, mac: Some(request.mac), ..Seen::default() };
        if !self.attach(link, seen) {
            self.counters.add(Counter::NodeUnknown);
        }
    }

    fn reply(&self, link: LinkId, reply: &Reply) {
        if let Some(socket) = self.links.get(&link).and_then(|l| l.dhcp.v4.as_ref()) {
            let to = reply.to.to_ipv6_mapped();
            let done = socket.send_to_port(&reply.message, to, v4::CLIENT_PORT);
            self.note_dhcp(done, Counter::DhcpReplies, reply.to);
        }
    }

    fn note_dhcp(&self, done: io::Result<()>, sent: Counter, to: Ipv4Addr) {
        match done {
            Ok(()) => self.counters.add(sent),
            Err(error) => {
                self.counters.add(Counter::DhcpSendFailed);
                tracing::warn!(%error, %to, "DHCP message not sent");
            }
        }
    }

    /// In place of what was there before.
    pub(super) fn configure_ipv4(&mut self, link: LinkId, lease: Ipv4Lease) {
        let Some(there) = self.links.get_mut(&link) else { return };
        let before = there.lease.replace(lease);
        if before.is_none_or(|b| b.router != lease.router) {
            let done = self.kernel.add_router(link, lease.router);
            self.note("default router's address", done);
        }
    }

    pub(super) fn unconfigure_ipv4(&mut self, link: LinkId, lease: Ipv4Lease) {
        if let Some(there) = self.links.get_mut(&link) {
            there.lease = None;
        }
        let done = self.kernel.del_router(link, lease.router);
        self.note("default router's address", done);
    }
}
