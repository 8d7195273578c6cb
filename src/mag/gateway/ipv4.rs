//! The node's IPv4 address on its link: its default router and its DHCP server are here (RFC 5844
//! 3.2.3.2, 3.4.1).

use super::Gateway;
use crate::mag::access::Seen;
use crate::mag::counter::Counter;
use crate::mag::dhcp::{self, Kind, Reply, Terms};
use crate::mobility::mag::action::Ipv4Lease;
use crate::mobility::mag::event::{Event, Family, LinkId};

impl Gateway {
    pub(super) fn dhcp(&mut self, link: LinkId, request: &dhcp::Request) {
        let Some(there) = self.links.get(&link) else { return };
        let Some(lease) = there.lease else { return self.want_ipv4(link, request) };
        // RFC 5213 6.3: one node on a link, known by its interface.
        let own = self.core.mn_ll_id(link).is_none_or(|id| id.bytes() == request.mac.0);
        if !own {
            return self.counters.add(Counter::DhcpIgnored);
        }
        if request.releases(&lease) {
            // RFC 5844 3.4.3: the address, and no prefix.
            return self.handle(Event::Release { link, family: Family::Ipv4 });
        }
        let terms = Terms { lease_s: self.config.dhcp.lease_s, dns: &self.config.dhcp.dns };
        if let Some(reply) = request.answer(&lease, &terms) {
            self.reply(link, &reply);
        }
    }

    /// The request is what tells of the node, or of its wish (RFC 5844 3.4.3); it comes again, and
    /// is answered once there is something to give.
    fn want_ipv4(&mut self, link: LinkId, request: &dhcp::Request) {
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
        let socket = self.links.get(&link).and_then(|l| l.dhcp.as_ref());
        let Some(socket) = socket else { return };
        let to = reply.to.to_ipv6_mapped();
        match socket.send_to_port(&reply.message, to, dhcp::CLIENT_PORT) {
            Ok(()) => self.counters.add(Counter::DhcpReplies),
            Err(error) => {
                self.counters.add(Counter::DhcpSendFailed);
                tracing::warn!(%error, to = %reply.to, "DHCP reply not sent");
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
