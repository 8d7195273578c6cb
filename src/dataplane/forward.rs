//! The downlink, and the routing of what needs no tunnel.
//!
//! ```text
//!                    own entry?                          pool?
//!   plain packet ---> downlink --yes--> tunnel     no --> Unassigned, NotAnchored or the kernel
//!   from a tunnel --> route --in a pool--> downlink (node to node)
//!                       +--elsewhere--> port
//!   dropped packet --> refuse --> its sender: route
//! ```

use super::burst::Lane;
use super::classify::{Class, classify};
use super::counters::Counter;
use super::drop::DropReason;
use super::echo;
use super::encap::{encapsulate, overhead};
use super::enter::{Refusal, enter};
use super::fib::Route;
use super::handoff::{Context, Origin, Stage};
use super::header::{ETHER_LEN, Family, Ip, Ipv4, ether_type, is_unforwardable, protocol};
use super::icmp::{may_answer, rewrite};
use super::mss::{clamp, is_syn};
use super::protect::is_covered;
use super::shard::Slot;
use super::tunnel::{Path, Special, TRANSPORT, TunnelSlot};
use super::update::{Copies, Forward, PuntReason, Tunnel, TunnelId};
use crate::addr::{CustomerId, GreKeys, PortId};
use crate::nic::Frame;
use crate::wire::icmpv6::{ErrorMessage, Unreachable};
use crate::wire::ipv6::find_upper_layer;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What a router without an IPv4 address calls itself in ICMP errors (RFC 7600 section 4.8).
const IPV4_DUMMY: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);

impl<F: Frame> Lane<F> {
    /// Ends a plain packet to an address that is ours to look up; `slot` is its entry.
    pub(super) fn downlink(&mut self, frame: F, slot: Option<Slot>, context: Context) {
        let Some(slot) = slot else { return self.without_entry(frame, context) };
        let Forward::Tunnel(id, keys) = self.shard.forward(slot) else {
            return self.discard(frame, DropReason::Held); // RFC 5213 5.3.5 (2)
        };
        if !self.node_ends.ends.is_empty() && self.is_loop(frame.data(), id) {
            return self.discard(frame, DropReason::TunnelLoop); // RFC 5944 4.2.3
        }
        match self.tunnels.special(id) {
            None => self.downlink_by((id, keys), frame, slot, context, true),
            Some(Special::Copies(copies)) => {
                self.downlink_copies(copies, keys, frame, slot, context);
            }
            Some(Special::Protected(_, protection)) if is_covered(&frame, protection) => {
                self.punt_protected(frame, context.port);
            }
            Some(Special::Protected(id, _)) => {
                self.downlink_by((id, keys), frame, slot, context, true);
            }
        }
    }

    /// A node with several care-of addresses: a copy goes to each (RFC 5944 1.7). What its sender
    /// is told, the tunnel says that was registered last.
    #[cold]
    fn downlink_copies(
        &mut self,
        copies: Copies,
        keys: GreKeys,
        frame: F,
        slot: Slot,
        context: Context,
    ) {
        for id in copies.into_iter().flatten().skip(1) {
            match self.copy_of(&frame) {
                Some(copy) => {
                    self.counters.add(Counter::Copies, 1);
                    self.downlink_by((id, keys), copy, slot, context, false);
                }
                None => self.counters.add(Counter::CopiesFailed, 1),
            }
        }
        if let Some(id) = copies[0] {
            self.downlink_by((id, keys), frame, slot, context, true);
        }
    }

    fn copy_of(&self, frame: &F) -> Option<F> {
        let mut copy = self.pool.alloc(frame.port())?;
        let len = frame.frame_len();
        (copy.append(len) && frame.copy_to(0, copy.data_mut())).then_some(copy)
    }

    /// Ends a packet that goes into a tunnel; `tell`: if it cannot, its sender is told.
    fn downlink_by(
        &mut self,
        (id, keys): (TunnelId, GreKeys),
        mut frame: F,
        slot: Slot,
        context: Context,
        tell: bool,
    ) {
        let tunnel = self.tunnels.resolved(id, &self.fib, &self.ports);
        let marking = self.markings.of(context.customer);
        let entered = enter(frame.data(), frame.frame_len(), tunnel, keys, context.origin, marking);
        let (tunnel, mut outer) = match entered {
            Ok(entry) => entry,
            Err(refusal) if tell => return self.refuse_by(frame, refusal, context),
            Err(Refusal(reason, _)) => return self.discard(frame, reason),
        };
        if tunnel.shape.family() == Family::Ipv4 {
            outer.identification = self.identification;
            self.identification = self.identification.wrapping_add(self.steering.workers());
        }
        let way = (tunnel.path, tunnel.port, tunnel.mtu);
        if self.clamp_mss && is_syn(&frame) {
            let (with_limit, with_key) = (outer.encap_limit.is_some(), outer.key.is_some());
            let overhead = overhead(tunnel.shape, with_limit, with_key);
            let clamped = clamp(&mut frame, tunnel.mtu, overhead);
            self.counters.add(Counter::MssClamped, clamped.into());
        }
        let bytes = frame.frame_len() - ETHER_LEN;
        spend_hop(&mut frame, context.origin);
        if !encapsulate(&mut frame, tunnel, outer) {
            return self.discard(frame, DropReason::NoHeadroom);
        }
        if self.shard.count_downlink(slot, bytes) {
            self.shard.carry(slot);
        }
        self.counters.add(Counter::DownlinkPackets, 1);
        self.counters.add(Counter::DownlinkBytes, bytes as u64);
        self.send_whole_or_cut(frame, way);
    }

    /// Ends a packet of the control core's that takes this tunnel, to a node that is at home while
    /// its entry says that it is elsewhere.
    #[cold]
    pub(super) fn send_through(&mut self, mut frame: F, tunnel: &Tunnel, keys: GreKeys) {
        let slot = TunnelSlot::by_itself(tunnel, &self.fib, &self.ports);
        let marking = self.markings.of(TRANSPORT);
        let len = frame.frame_len();
        let entered = enter(frame.data(), len, slot.as_ref(), keys, Origin::Ours, marking);
        let (tunnel, mut outer) = match entered {
            Ok(entry) => entry,
            Err(Refusal(reason, _)) => return self.discard(frame, reason),
        };
        outer.identification = self.identification;
        self.identification = self.identification.wrapping_add(self.steering.workers());
        if !encapsulate(&mut frame, tunnel, outer) {
            return self.discard(frame, DropReason::NoHeadroom);
        }
        self.send_whole_or_cut(frame, (tunnel.path, tunnel.port, tunnel.mtu));
    }

    /// Ends a tunnel packet, which may be longer than its tunnel carries.
    fn send_whole_or_cut(&mut self, frame: F, (path, port, mtu): (Path, PortId, u16)) {
        if frame.frame_len() - ETHER_LEN > usize::from(mtu) {
            let send = |this: &mut Self, part| this.send_tunneled(part, path, port);
            return self.send_in_parts(frame, mtu, DropReason::TunnelFragment, send);
        }
        self.send_tunneled(frame, path, port);
    }

    /// Ends a tunnel packet, or a part of one.
    fn send_tunneled(&mut self, frame: F, path: Path, port: PortId) {
        match path {
            Path::Ready => self.send(frame, port),
            Path::Nested => self.send_nested(frame, port),
            Path::Unresolved | Path::Unreachable => self.punt_unresolved(frame),
        }
    }

    /// A tunnel packet to an address that a node holds goes through that node's tunnel: to a
    /// care-of address that Proxy Mobile IPv6 manages (RFC 6612 section 4.1), to a home address of
    /// Mobile IPv4 (RFC 5454 section 3.3.2).
    fn send_nested(&mut self, frame: F, port: PortId) {
        let dst = Ip::of_frame(frame.data()).map_or(0, Ip::dst);
        let context = Context { origin: Origin::Tunnel, customer: TRANSPORT, port };
        self.route_to_node(frame, dst, context);
    }

    /// Hands a tunnel packet to the control core until its next hop is resolved.
    fn punt_unresolved(&mut self, frame: F) {
        let remote = Ip::of_frame(frame.data()).map_or(0, Ip::dst);
        match self.fib.lookup(TRANSPORT, remote) {
            Route::Unresolved(port, gateway) => {
                self.punt(frame, PuntReason::Unresolved(port, gateway));
            }
            _ => self.discard(frame, DropReason::TunnelUnreachable),
        }
    }

    /// A plain packet to an address that no node holds.
    fn without_entry(&mut self, frame: F, context: Context) {
        if context.origin == Origin::Tunnel {
            return self.discard(frame, DropReason::TunnelUnreachable);
        }
        let dst = Ip::of_frame(frame.data()).map_or(0, Ip::dst);
        match self.fib.resolve(context.customer, dst) {
            Route::Local => self.punt_exception(frame, context.port),
            // RFC 4443 3.1 code 3: the route ends here, the address does not answer.
            Route::Anchored => {
                let error = ErrorMessage::DestinationUnreachable(Unreachable::Address);
                self.refuse(frame, DropReason::Unassigned, error, context);
            }
            _ => self.discard(frame, DropReason::NotAnchored),
        }
    }

    /// Ends a packet of the control core's to an address that a node holds.
    pub(super) fn send_to_node(&mut self, frame: F, customer: CustomerId) {
        let context = Context { origin: Origin::Ours, customer, port: frame.port() };
        self.route(frame, context);
    }

    /// Routes a packet that came out of a tunnel, or that is ours.
    pub(super) fn route(&mut self, mut frame: F, context: Context) {
        let Some(ip) = Ip::of_frame(frame.data()) else {
            return self.discard(frame, DropReason::FrameShort);
        };
        let (dst, hop_limit) = (ip.dst(), ip.hop_limit());
        let may_fragment = matches!(ip, Ip::V4(ip) if !ip.dont_fragment());
        let (port, to) = match self.fib.resolve(context.customer, dst) {
            Route::Anchored => return self.route_to_node(frame, dst, context),
            Route::Send(port, mac) => (port, Ok(mac)),
            Route::Unresolved(port, gateway) => (port, Err(gateway)),
            Route::Blackhole => return self.discard(frame, DropReason::Blackhole),
            Route::Unreachable => {
                let error = ErrorMessage::DestinationUnreachable(Unreachable::NoRoute);
                return self.refuse(frame, DropReason::NoRoute, error, context);
            }
            Route::Local => return self.arrive(frame, context),
        };
        if hop_limit <= 1 && context.origin.is_forwarded() {
            let error = ErrorMessage::HopLimitExceeded;
            return self.refuse(frame, DropReason::HopLimit, error, context);
        }
        let mtu = self.ports.get(usize::from(port.0)).map_or(0, |p| p.mtu);
        if frame.frame_len() - ETHER_LEN > usize::from(mtu) {
            if may_fragment {
                spend_hop(&mut frame, context.origin);
                let send = |this: &mut Self, part| this.send_to(part, port, to);
                return self.send_in_parts(frame, mtu, DropReason::EgressFragment, send);
            }
            let error = ErrorMessage::PacketTooBig(mtu.into());
            return self.refuse(frame, DropReason::EgressMtu, error, context);
        }
        spend_hop(&mut frame, context.origin);
        self.send_to(frame, port, to);
    }

    /// A packet out of a tunnel to the anchor's own address: a node's own signaling, a tunnel
    /// packet again, of a node that is the end of a second tunnel, or what keeps a tunnel alive.
    /// Subscribers have no other business with the anchor's host.
    fn arrive(&mut self, mut frame: F, context: Context) {
        if self.home_agent && is_signaling(&mut frame, self.lma) {
            return self.signal(frame);
        }
        match self.class_of(&mut frame, context.port) {
            Some(Class::Tunneled { .. }) if context.origin == Origin::Forwarded => {
                return self.out_of_tunnel(frame, context.port, None);
            }
            // In UDP: of Mobile IPv4, of RFC 5555.
            Some(Class::Signaling) if self.home_agent => return self.signal(frame),
            _ => {}
        }
        if self.home_agent && context.origin.is_forwarded() && echo::answer(&mut frame) {
            return self.route(frame, Context { origin: Origin::Ours, ..context });
        }
        let error = ErrorMessage::DestinationUnreachable(Unreachable::Prohibited);
        self.refuse(frame, DropReason::ToAnchor, error, context);
    }

    /// What the packet in a frame without an Ethernet header, which it gets, is by itself.
    pub(super) fn class_of(&self, frame: &mut F, port: PortId) -> Option<Class> {
        self.address_to_us(frame, port)?;
        let ingress = self.ingress.get(usize::from(port.0))?;
        Some(classify(frame.data(), frame.frame_len(), ingress))
    }

    /// Writes an Ethernet header as if the frame had come by this port.
    pub(super) fn address_to_us(&self, frame: &mut F, port: PortId) -> Option<()> {
        let ingress = self.ingress.get(usize::from(port.0))?;
        let family = Ip::of_frame(frame.data()).map(Ip::family)?;
        let header = frame.data_mut().first_chunk_mut::<ETHER_LEN>()?;
        header[..6].copy_from_slice(&ingress.mac.0);
        header[12..].copy_from_slice(&family.ether_type());
        Some(())
    }

    /// From node to node: the packet stays in the anchor, and is a downlink packet of its
    /// destination's owner.
    fn route_to_node(&mut self, frame: F, dst: u128, context: Context) {
        if context.origin.is_forwarded() {
            self.counters.add(Counter::NodeToNode, 1);
        }
        let owner = self.steering.owner_of_bits(dst);
        if owner == self.id {
            let slot = self.shard.lookup(context.customer, dst);
            self.downlink(frame, slot, context);
        } else {
            self.hand_off(frame, owner, Stage::Downlink(context));
        }
    }

    fn refuse_by(&mut self, frame: F, Refusal(reason, error): Refusal, context: Context) {
        match error {
            Some(error) if context.origin != Origin::Tunnel => {
                self.refuse(frame, reason, error, context);
            }
            _ => self.discard(frame, reason),
        }
    }

    /// Drops a packet and, where that is allowed, sends it back inside an error.
    pub(super) fn refuse(
        &mut self,
        mut frame: F,
        reason: DropReason,
        error: ErrorMessage,
        context: Context,
    ) {
        self.counters.dropped(reason, 1);
        let packet = frame.data().get(ETHER_LEN..).unwrap_or_default();
        let ip = Ip::of(packet);
        let target = ip.map_or(0, Ip::src);
        let source = ip.and_then(|ip| self.error_source(ip, context));
        let (true, Some(source)) = (may_answer(error, packet), source) else {
            self.counters.add(Counter::IcmpSuppressed, 1);
            return;
        };
        if let Err(limited) = self.errors.take(self.now, target) {
            self.counters.add(limited, 1);
            return;
        }
        if rewrite(&mut frame, error, source) {
            self.counters.add(Counter::IcmpErrors, 1);
            self.route(frame, Context { origin: Origin::Ours, ..context });
        } else {
            self.counters.add(Counter::IcmpSuppressed, 1);
        }
    }

    /// The source of an error about a packet (RFC 4443 section 2.2, RFC 1812 section 4.3.2.4): (a)
    /// the address that it was sent to, if that is ours; (b) else an address of the link by which
    /// the error leaves, the tunnel's for a node. `None`: it would go nowhere.
    fn error_source(&mut self, ip: Ip<'_>, context: Context) -> Option<Ipv6Addr> {
        if is_unforwardable(ip.src()) {
            return None;
        }
        let lma_ipv4 = self.lma_ipv4.unwrap_or(IPV4_DUMMY).to_ipv6_mapped();
        let lma = if ip.family() == Family::Ipv4 { lma_ipv4 } else { self.lma };
        if context.customer == TRANSPORT && ip.dst() == lma.to_bits() {
            return Some(lma);
        }
        match self.fib.resolve(context.customer, ip.src()) {
            Route::Anchored => Some(lma),
            Route::Send(port, _) | Route::Unresolved(port, _) => {
                let port = self.ports.get(usize::from(port.0))?;
                let address = match ip.family() {
                    Family::Ipv4 => port.ipv4_address.map(|a| a.to_ipv6_mapped()),
                    Family::Ipv6 => port.address,
                };
                Some(address.unwrap_or(lma))
            }
            Route::Unreachable | Route::Blackhole | Route::Local => None,
        }
    }
}

/// Whether a whole IPv6 packet carries a Mobility Header.
pub(super) fn is_mobility_header(packet: &[u8]) -> bool {
    let upper = find_upper_layer(packet);
    upper.is_ok_and(|u| u.next_header == protocol::MOBILITY && !u.is_fragment)
}

/// Whether a packet that came out of a tunnel is a Mobility Header to the anchor: then its frame is
/// one as if it had come without the tunnel.
pub(super) fn is_signaling(frame: &mut impl Frame, lma: Ipv6Addr) -> bool {
    let packet = frame.data().get(ETHER_LEN..).unwrap_or_default();
    let to_anchor = matches!(Ip::of(packet), Some(Ip::V6(ip)) if ip.dst() == lma.to_bits());
    let found = to_anchor && is_mobility_header(packet);
    // What the tunnel's headers left there.
    if let Some(header) = frame.data_mut().first_chunk_mut::<ETHER_LEN>().filter(|_| found) {
        *header = [0; ETHER_LEN];
        header[12..].copy_from_slice(&ether_type::IPV6);
    }
    found
}

/// Forwarding costs a hop (RFC 8200 section 3, RFC 1812 section 5.3.1); what we sent ourselves has
/// not been forwarded yet.
fn spend_hop<F: Frame>(frame: &mut F, origin: Origin) {
    if !origin.is_forwarded() {
        return;
    }
    match frame.data_mut().get_mut(ETHER_LEN..) {
        Some([first, _, _, _, _, _, _, hops, ..]) if *first >> 4 == 6 => {
            *hops = hops.saturating_sub(1);
        }
        Some(packet) => Ipv4::spend_hop(packet),
        None => {}
    }
}
