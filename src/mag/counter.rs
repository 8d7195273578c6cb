//! What the gateway counts besides the pure core's audits. Relaxed: each is only ever looked at.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// One counter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Counter {
            $($(#[$doc])* $name,)*
        }

        impl Counter {
            const ALL: &[(Self, &str)] = &[$((Self::$name, $text),)*];
        }

        /// All of them.
        #[derive(Debug, Default)]
        pub(crate) struct Counters([AtomicU64; [$($text,)*].len()]);
    };
}

counters! {
    /// Mobility Headers that were refused (RFC 6275 9.2).
    MhMalformed = "mh_malformed",
    /// Mobility Headers of a type that a gateway has no use for.
    MhUnexpected = "mh_unexpected",
    /// Acknowledgements that our key did not verify (RFC 4285 5.1.1).
    PbaUnauthenticated = "pba_unauthenticated",
    /// Router solicitations that were refused (RFC 4861 6.1.1).
    NdMalformed = "nd_malformed",
    /// Router solicitations of nodes that no configuration names.
    NodeUnknown = "node_unknown",
    /// Updates that the kernel did not take; they are sent again.
    PbuSendFailed = "pbu_send_failed",
    /// Revocations, their acknowledgements and heartbeats that the kernel did not take.
    PeerSendFailed = "peer_send_failed",
    /// Messages on DHCP's port that are no client's, or not of the node's own interface.
    DhcpIgnored = "dhcp_ignored",
    /// DHCP messages to nodes.
    DhcpReplies = "dhcp_replies",
    /// DHCP messages that the kernel did not take.
    DhcpSendFailed = "dhcp_send_failed",
    /// Messages of nodes that went to DHCP servers.
    DhcpRelayed = "dhcp_relayed",
    /// DHCP messages about another address than the node's home address (RFC 5844 3.4.2).
    DhcpOtherAddress = "dhcp_other_address",
    /// The anchor wants a DHCP relay, and no server is configured.
    DhcpNoServer = "dhcp_no_server",
    /// Messages on DHCPv6's port that are not answered, or not of a bound node.
    Dhcpv6Ignored = "dhcpv6_ignored",
    /// DHCPv6 messages to nodes.
    Dhcpv6Replies = "dhcpv6_replies",
    /// Messages of nodes that went to DHCPv6 servers.
    Dhcpv6Relayed = "dhcpv6_relayed",
    /// DHCPv6 messages that the kernel did not take.
    Dhcpv6SendFailed = "dhcpv6_send_failed",
    /// The restart counter and its anchors were not written (RFC 5847 3.2).
    StateWriteFailed = "state_write_failed",
    /// Advertisements and probes that the kernel did not take.
    NdSendFailed = "nd_send_failed",
    /// Routes, rules or addresses that the kernel refused.
    KernelRefused = "kernel_refused",
    /// Receiving, or taking a control client, failed; it was tried again.
    SocketFailed = "socket_failed",
    /// Packets tunnelled to an anchor.
    TunnelUplink = "tunnel_uplink",
    /// Packets from an anchor to a node.
    TunnelDownlink = "tunnel_downlink",
    /// Not an IP packet, or not a whole one.
    TunnelMalformed = "tunnel_malformed",
    /// No bound node has the address.
    TunnelNoBinding = "tunnel_no_binding",
    /// Tunnelled by another address than the node's anchor.
    TunnelWrongAnchor = "tunnel_wrong_anchor",
    /// Not in the form that was negotiated with its anchor, or with another GRE key.
    TunnelWrongKey = "tunnel_wrong_key",
    /// Marked as congested, for a transport that cannot hear of it (RFC 3168 9.1.1).
    TunnelCongested = "tunnel_congested",
    /// The kernel did not take the tunnel packet.
    TunnelSendFailed = "tunnel_send_failed",
    /// The TUN did not take the packet.
    TunnelTunRefused = "tunnel_tun_refused",
}

impl Counters {
    /// Counts one.
    pub(crate) fn add(&self, counter: Counter) {
        if let Some(cell) = self.0.get(counter as usize) {
            cell.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All, by name.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Counter::ALL.iter().map(|(c, name)| {
            (*name, self.0.get(*c as usize).map_or(0, |cell| cell.load(Ordering::Relaxed)))
        })
    }
}

/// `PbaIgnored` as `pba_ignored`.
pub(crate) fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
