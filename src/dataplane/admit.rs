//! The uplink: admission of what comes out of a tunnel (RFC 5213 section 5.6.2, RFC 6275 section
//! 10.4.5). A packet enters only from the gateway that serves the node, in the headers that were
//! agreed on, and only with a source address of the node's own.

use super::burst::Lane;
use super::classify::{Class, Via};
use super::counters::Counter;
use super::decap::decapsulate;
use super::drop::DropReason;
use super::echo;
use super::encap::overhead;
use super::forward::{is_mobility_header, is_signaling};
use super::handoff::{Context, Origin};
use super::header::{ETHER_LEN, Ip, is_unforwardable, protocol};
use super::marking::Marking;
use super::mss::{clamp, is_syn};
use super::protect::covers;
use super::shard::Slot;
use super::tunnel::{Mismatch, Path, TRANSPORT};
use super::update::Forward;
use crate::addr::PortId;
use crate::nic::Frame;
use crate::wire::mip4;
use std::net::Ipv6Addr;

impl<F: Frame> Lane<F> {
    /// Ends a tunnel packet whose inner packet begins `inner_at` bytes into it, behind `via`;
    /// `slot` is the entry of the inner source.
    pub(super) fn uplink(
        &mut self,
        mut frame: F,
        slot: Option<Slot>,
        inner_at: usize,
        via: Via,
        context: Context,
    ) {
        let marking = self.markings.of(context.customer);
        let traffic_class =
            match self.admit(frame.data(), slot, inner_at, via, context.origin, marking) {
                Ok(traffic_class) => traffic_class,
                Err(reason) => {
                    return self.refuse_entry(frame, slot, (inner_at, via), context, reason);
                }
            };
        if !decapsulate(&mut frame, inner_at, traffic_class) {
            return self.discard(frame, DropReason::Segmented);
        }
        if self.clamp_mss && is_syn(&frame) {
            self.clamp_uplink(&mut frame, slot);
        }
        let bytes = frame.frame_len() - ETHER_LEN;
        if let Some(slot) = slot
            && self.shard.count_uplink(slot, bytes)
        {
            self.shard.carry(slot);
        }
        self.counters.add(Counter::UplinkPackets, 1);
        self.counters.add(Counter::UplinkBytes, bytes as u64);
        self.route(frame, context);
    }

    /// Ends a packet that may not enter.
    #[cold]
    fn refuse_entry(
        &mut self,
        mut frame: F,
        slot: Option<Slot>,
        (inner_at, via): (usize, Via),
        context: Context,
        reason: DropReason,
    ) {
        if matches!(via, Via::Mip4Udp(_)) && self.may_be_first_keepalive(&frame, inner_at) {
            return self.signal(frame);
        }
        let is_of_link = matches!(reason, DropReason::SourceScope | DropReason::DestinationScope);
        if is_of_link && self.answer_on_link(&mut frame, inner_at, via, context.origin) {
            let context = Context { origin: Origin::Ours, customer: TRANSPORT, ..context };
            return self.route(frame, context);
        }
        if reason == DropReason::NotServing && self.home_agent && self.is_message(&frame, inner_at)
        {
            return self.hear_from_home(frame, inner_at, context.port);
        }
        let reason = self.exception(reason, &frame, slot, inner_at);
        self.discard(frame, reason);
    }

    /// Whether a tunnel packet carries what a node says to a home agent: a Mobility Header, a
    /// message of Mobile IPv4.
    #[cold]
    fn is_message(&self, frame: &F, inner_at: usize) -> bool {
        let inner = frame.data().get(ETHER_LEN + inner_at..).unwrap_or_default();
        match Ip::of(inner) {
            Some(Ip::V6(ip)) => ip.dst() == self.lma.to_bits() && is_mobility_header(inner),
            Some(Ip::V4(ip)) => {
                let port = inner.get(ip.header_len() + 2..).and_then(<[u8]>::first_chunk);
                self.lma_ipv4.is_some_and(|own| own.to_ipv6_mapped().to_bits() == ip.dst())
                    && ip.protocol() == protocol::UDP
                    && !ip.is_fragment()
                    && port == Some(&mip4::PORT.to_be_bytes())
            }
            None => false,
        }
    }

    /// RFC 3519 4.6: whether the control core has to look at a packet that came in UDP from the end
    /// of a node's tunnel: of a half-bound one the port is not known.
    fn may_be_first_keepalive(&self, frame: &F, inner_at: usize) -> bool {
        let from = Ip::of_frame(frame.data()).map(Ip::src);
        let inner = frame.data().get(ETHER_LEN + inner_at..).unwrap_or_default();
        from.is_some_and(|from| self.node_ends.ends.contains(&Ipv6Addr::from_bits(from)))
            && self.lma_ipv4.is_some_and(|lma| echo::is_request(inner, lma))
    }

    /// RFC 6612 3.1: a node that came home says so through its gateway, while its packets still go
    /// to its care-of address. Anything else is none of that gateway's.
    #[cold]
    fn hear_from_home(&mut self, mut frame: F, inner_at: usize, port: PortId) {
        let is_heard = decapsulate(&mut frame, inner_at, 0)
            && (is_signaling(&mut frame, self.lma)
                || self.class_of(&mut frame, port) == Some(Class::Signaling));
        if is_heard {
            self.signal(frame);
        } else {
            self.discard(frame, DropReason::NotServing);
        }
    }

    /// Whether the packet may enter; the traffic class that it then gets.
    fn admit(
        &self,
        frame: &[u8],
        slot: Option<Slot>,
        inner_at: usize,
        via: Via,
        origin: Origin,
        marking: Marking,
    ) -> Result<u8, DropReason> {
        let inner = frame.get(ETHER_LEN + inner_at..).and_then(Ip::of);
        let (Some(outer), Some(inner)) = (Ip::of_frame(frame), inner) else {
            return Err(DropReason::InnerTruncated);
        };
        if is_unforwardable(inner.src()) {
            return Err(DropReason::SourceScope);
        }
        let slot = slot.ok_or(DropReason::InnerSource)?;
        let (tunnel, protection, keys) = match self.shard.forward(slot) {
            Forward::Held => return Err(DropReason::Held), // RFC 5213 5.3.5 (2)
            Forward::Tunnel(id, keys) => {
                let (id, protection) = self.tunnels.one_of(id, outer.src());
                (self.tunnels.ends(id), protection, keys)
            }
        };
        let tunnel = tunnel.ok_or(DropReason::NotServing)?;
        // The end of a nested tunnel is an address of a node: nobody else may use it.
        if (tunnel.path == Path::Nested) != (origin == Origin::Inner) {
            return Err(DropReason::NotServing);
        }
        tunnel.admits(outer.src(), outer.dst(), via).map_err(|mismatch| match mismatch {
            Mismatch::Ends => DropReason::NotServing,
            Mismatch::Shape => DropReason::Encapsulation,
            Mismatch::Port => DropReason::UdpPort,
        })?;
        // RFC 5845 5.2: the key, too, says to which session a packet belongs.
        if tunnel.shape.has_gre() && via.key() != keys.uplink {
            return Err(DropReason::GreKey);
        }
        // RFC 6275 10.4.6: what is to be in ESP comes out of it by the kernel, or not at all.
        if protection.is_some_and(|p| covers(p, frame.get(ETHER_LEN + inner_at..))) {
            return Err(DropReason::Unprotected);
        }
        if is_unforwardable(inner.dst()) {
            return Err(DropReason::DestinationScope);
        }
        let traffic_class = marking.inner(inner.traffic_class(), outer.traffic_class());
        traffic_class.ok_or(DropReason::EcnCongestion)
    }

    /// What the node's SYN asks for comes back through its tunnel: it fits.
    #[cold]
    fn clamp_uplink(&mut self, frame: &mut F, slot: Option<Slot>) {
        let forward = slot.map(|slot| self.shard.forward(slot));
        let Some(Forward::Tunnel(id, keys)) = forward else { return };
        let (id, _) = self.tunnels.one_of(id, 0);
        if let Some(tunnel) = self.tunnels.resolved(id, &self.fib, &self.ports) {
            let with_key = keys.downlink.is_some() && tunnel.shape.has_gre();
            let clamped = clamp(frame, tunnel.mtu, overhead(tunnel.shape, false, with_key));
            self.counters.add(Counter::MssClamped, clamped.into());
        }
    }
}
