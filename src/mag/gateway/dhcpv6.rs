//! The node's IPv6 addresses by DHCPv6: we are its server, or pass on to those of the operator
//! (RFC 5213 6.11).

use super::Gateway;
use crate::addr::HomePrefix;
use crate::config::mag::Dhcpv6Mode;
use crate::dhcp::v6;
use crate::dhcp::v6::relay::Backward;
use crate::dhcp::v6::server::Terms;
use crate::mag::counter::Counter;
use crate::mobility::mag::event::LinkId;
use std::net::Ipv6Addr;

impl Gateway {
    pub(super) fn dhcpv6(
        &mut self,
        link: LinkId,
        node: Ipv6Addr,
        to_multicast: bool,
        message: &[u8],
    ) {
        // Of one that is not bound there is nothing to say yet: it asks again.
        let prefixes = self.core.prefixes(link);
        let sent = match self.config.dhcp.ipv6 {
            Dhcpv6Mode::Relay => self.relay_v6(link, node, message, prefixes),
            Dhcpv6Mode::Server | Dhcpv6Mode::Off => {
                let dhcp = &self.config.dhcp;
                let terms = Terms { prefixes, lease_s: dhcp.lease_s, dns: &dhcp.dns_ipv6 };
                let bound = !prefixes.is_empty();
                let reply = bound.then(|| v6::server::answer(message, to_multicast, &terms));
                reply.flatten().map(|reply| self.reply_v6(link, node, &reply))
            }
        };
        if sent.is_none() {
            self.counters.add(Counter::Dhcpv6Ignored);
        }
    }

    /// To every server (RFC 8415 19.1.1, RFC 5213 6.11).
    fn relay_v6(
        &self,
        link: LinkId,
        node: Ipv6Addr,
        message: &[u8],
        prefixes: &[HomePrefix],
    ) -> Option<()> {
        let (there, socket) = (self.links.get(&link)?, self.relays.v6.as_ref()?);
        let prefix = *prefixes.first()?;
        let message = v6::relay::forward(message, node, prefix, &there.interface.name)?;
        for server in &self.config.dhcp.servers_ipv6 {
            self.note_v6(
                socket.send_to_port(&message, *server, v6::SERVER_PORT),
                Counter::Dhcpv6Relayed,
                *server,
            );
        }
        Some(())
    }

    pub(super) fn dhcpv6_answered(&mut self, message: &[u8]) {
        let sent = Backward::parse(message).and_then(|back| {
            let named = |name: &str| name.as_bytes() == back.interface;
            let link = self.links.values().find(|l| named(&l.interface.name))?.interface.id;
            self.reply_v6(link, back.client, back.message);
            Some(())
        });
        if sent.is_none() {
            self.counters.add(Counter::Dhcpv6Ignored);
        }
    }

    fn reply_v6(&self, link: LinkId, node: Ipv6Addr, message: &[u8]) {
        if let Some(socket) = self.links.get(&link).and_then(|l| l.dhcp.v6.as_ref()) {
            let done = socket.send_to_port(message, node, v6::CLIENT_PORT);
            self.note_v6(done, Counter::Dhcpv6Replies, node);
        }
    }

    fn note_v6(&self, done: std::io::Result<()>, sent: Counter, to: Ipv6Addr) {
        match done {
            Ok(()) => self.counters.add(sent),
            Err(error) => {
                self.counters.add(Counter::Dhcpv6SendFailed);
                tracing::warn!(%error, %to, "DHCPv6 message not sent");
            }
        }
    }
}
