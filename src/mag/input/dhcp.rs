//! What comes on DHCP's ports: from nodes on each link, from servers to our address.

use super::Input;
use crate::dhcp::v4::relay::Backward;
use crate::dhcp::{v4, v6};
use crate::mag::counter::{Counter, Counters};
use crate::mag::retry;
use crate::mag::socket::{RawSocket, Received};
use crate::mobility::mag::event::LinkId;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use tokio::sync::mpsc;

/// A socket, and where what it receives goes.
pub(in crate::mag) struct Port {
    pub(in crate::mag) socket: Arc<RawSocket>,
    pub(in crate::mag) gateway: mpsc::Sender<Input>,
    pub(in crate::mag) counters: Arc<Counters>,
}

impl Port {
    /// What nodes of one link ask of a DHCP server, until the gateway or the link is gone.
    pub(in crate::mag) async fn nodes(self, link: LinkId) {
        let read = |bytes: &[u8], _| {
            v4::Request::parse(bytes).map(|request| Input::Dhcp { link, request })
        };
        self.receive("DHCP", Counter::DhcpIgnored, read).await;
    }

    /// What DHCP servers answer to our address. Only those that are configured are heard.
    pub(in crate::mag) async fn servers(self, servers: Vec<Ipv4Addr>) {
        let read = |bytes: &[u8], from: Received| {
            from.src.to_ipv4_mapped().filter(|a| servers.contains(a))?;
            Backward::parse(bytes, from.dst.to_ipv4_mapped()?).map(Input::DhcpServer)
        };
        self.receive("DHCP servers", Counter::DhcpIgnored, read).await;
    }

    /// What nodes of one link say to DHCPv6 servers: from a link-local address (RFC 8415 13.1).
    pub(in crate::mag) async fn nodes_v6(self, link: LinkId) {
        let read = |bytes: &[u8], from: Received| {
            from.src.is_unicast_link_local().then(|| Input::Dhcpv6 {
                link,
                node: from.src,
                to_multicast: from.dst.is_multicast(),
                message: bytes.to_vec(),
            })
        };
        self.receive("DHCPv6", Counter::Dhcpv6Ignored, read).await;
    }

    /// What DHCPv6 servers send to our address. Only those that are configured are heard.
    pub(in crate::mag) async fn servers_v6(self, servers: Vec<Ipv6Addr>) {
        let read = |bytes: &[u8], from: Received| {
            servers.contains(&from.src).then(|| Input::Dhcpv6Server(bytes.to_vec()))
        };
        self.receive("DHCPv6 servers", Counter::Dhcpv6Ignored, read).await;
    }

    async fn receive(
        self,
        what: &'static str,
        ignored: Counter,
        read: impl Fn(&[u8], Received) -> Option<Input>,
    ) {
        const LEN: usize =
            if v4::MESSAGE_MAX > v6::MESSAGE_MAX { v4::MESSAGE_MAX } else { v6::MESSAGE_MAX };
        let mut buf = [0; LEN];
        loop {
            let received = self.socket.recv(&mut buf).await;
            let received = retry::ok_or_pause(what, &self.counters, received).await;
            let Some(from) = received else { continue };
            match read(from.bytes(&buf), from) {
                Some(input) => {
                    if self.gateway.send(input).await.is_err() {
                        return;
                    }
                }
                None => self.counters.add(ignored),
            }
        }
    }
}
