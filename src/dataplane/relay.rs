//! ICMP errors about tunnel packets of ours: what they say about the path is reported, what they
//! say about a node's packet is passed on to its sender (RFC 2473 section 8, RFC 2003 sections 4
//! and 5, RFC 4213 section 3.4).
//!
//! ```text
//!   error --> quoted: from us? through a tunnel of that node, with its key?   no --> stray
//!         --> too big: MTU to the control core, which tells all workers
//!         --> the inner packet, as far as it is quoted, in an error of our own --> its sender
//! ```

use super::burst::Lane;
use super::counters::Counter;
use super::drop::DropReason;
use super::handoff::Context;
use super::header::{Family, Ip};
use super::quote::{self, News, Quote};
use super::update::{Forward, TunnelId};
use crate::addr::CustomerId;
use crate::nic::Frame;
use crate::wire::icmpv6::{ErrorMessage, Unreachable};
use crate::wire::ipv6::MIN_MTU;
use std::net::Ipv6Addr;

impl<F: Frame> Lane<F> {
    /// Ends an ICMP error about a tunnel packet to a node that is ours.
    #[cold]
    pub(super) fn take_tunnel_error(&mut self, mut frame: F, context: Context) {
        let Some(packet) = quote::whole_packet(frame.data()) else {
            return self.discard(frame, DropReason::Segmented);
        };
        let packet_len = packet.len();
        let found = quote::read(packet).filter(|quote| quote::is_intact(packet, quote));
        let sent = found.and_then(|quote| Some((quote, self.sent_through(&quote)?)));
        let Some((quote, (tunnel, customer))) = sent else {
            return self.discard(frame, DropReason::TunnelErrorStray);
        };
        if let News::TooBig(mtu) = quote.news {
            self.report_path_mtu(tunnel, quote.dst, mtu);
        }
        let inner = packet.get(quote.inner_at..).and_then(Ip::of);
        let Some(error) = inner.and_then(|inner| relayed(&quote, inner)) else {
            return self.discard(frame, DropReason::TunnelError);
        };
        // What is left is the packet that the node's correspondent sent, behind room for an
        // Ethernet header.
        let ether_and_packet = packet_len + super::header::ETHER_LEN;
        let is_cut = frame.frame_len() == ether_and_packet || frame.truncate(ether_and_packet);
        if !is_cut || !frame.trim_front(quote.inner_at) {
            return self.discard(frame, DropReason::Segmented);
        }
        self.refuse(frame, DropReason::TunnelError, error, Context { customer, ..context });
    }

    /// The tunnel that a packet took, and whose node it was for: the one that packets to that node
    /// still take.
    fn sent_through(&self, quote: &Quote) -> Option<(TunnelId, CustomerId)> {
        self.fib.customers().find_map(|customer| {
            let slot = self.shard.lookup(customer, quote.inner_dst)?;
            let Forward::Tunnel(id, keys) = self.shard.forward(slot) else { return None };
            let (id, _) = self.tunnels.one_of(id, quote.dst);
            let tunnel = self.tunnels.ends(id)?;
            let key = keys.downlink.filter(|_| tunnel.shape.has_gre());
            let is_the_way = tunnel.admits(quote.dst, quote.src, quote.via).is_ok();
            (is_the_way && key == quote.via.key()).then_some((id, customer))
        })
    }

    /// Tells the control core of a path that carries less than we send, whose end is `remote`.
    fn report_path_mtu(&mut self, tunnel: TunnelId, remote: u128, mtu: u16) {
        let resolved = self.tunnels.resolved(tunnel, &self.fib, &self.ports);
        if resolved.is_none_or(|tunnel| mtu >= tunnel.mtu) {
            return; // it has been learnt meanwhile
        }
        if self.reports.path_mtu(Ipv6Addr::from_bits(remote), mtu) {
            self.counters.add(Counter::PathMtuReports, 1);
        }
    }
}

/// What the sender of the inner packet is told.
fn relayed(quote: &Quote, inner: Ip<'_>) -> Option<ErrorMessage> {
    match quote.news {
        News::Unreachable => {
            Some(ErrorMessage::DestinationUnreachable(Unreachable::Address)) // RFC 2473 8.2, 8.3
        }
        News::TooBig(mtu) => {
            let overhead = u16::try_from(quote.inner_at - quote.outer_at).unwrap_or(u16::MAX);
            let room = u32::from(mtu.saturating_sub(overhead));
            let (may_be_told, least) = match inner {
                // RFC 2473 7.1, 7.2: whom the packets that we cut are from need not know.
                Ip::V6(ip) => (ip.packet_len() > usize::from(MIN_MTU), u32::from(MIN_MTU)),
                Ip::V4(ip) => (ip.dont_fragment(), 68),
            };
            let is_less = match inner.family() {
                Family::Ipv6 => inner_len(inner) > room.max(least) as usize,
                Family::Ipv4 => inner_len(inner) > room as usize,
            };
            (may_be_told && is_less).then(|| ErrorMessage::PacketTooBig(room.max(least)))
        }
        News::Other => None,
    }
}

fn inner_len(inner: Ip<'_>) -> usize {
    match inner {
        Ip::V6(ip) => ip.packet_len(),
        Ip::V4(ip) => ip.packet_len(),
    }
}
