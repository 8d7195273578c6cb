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
use super::counters::Counter;
use super::drop::DropReason;
use super::encap::{EncapLimit, Outer, encap_limit, encapsulate, flow_label};
use super::fib::Route;
use super::handoff::{Origin, Stage};
use super::header::{ETHER_LEN, Ipv6, is_unforwardable};
use super::icmp::rewrite;
use super::mtu::{Fit, fit, overhead};
use super::shard::Slot;
use super::tunnel::{Path, TunnelSlot};
use super::update::{Forward, PuntReason};
use crate::nic::Frame;
use crate::wire::icmpv6::{ErrorMessage, Unreachable};
use std::net::Ipv6Addr;

/// Why a packet goes nowhere, and what its sender is told.
struct Refusal(DropReason, Option<ErrorMessage>);

impl From<DropReason> for Refusal {
    fn from(reason: DropReason) -> Self {
        Self(reason, None)
    }
}

impl<F: Frame> Lane<F> {
    /// Ends a plain packet to an address that is ours to look up; `slot` is its entry.
    pub(super) fn downlink(&mut self, mut frame: F, slot: Option<Slot>, origin: Origin) {
        let Some(slot) = slot else { return self.without_entry(frame) };
        let Forward::Tunnel(id, _) = self.shard.entry(slot).forward() else {
            return self.discard(frame, DropReason::Held); // RFC 5213 5.3.5 (2)
        };
        let tunnel = self.tunnels.resolved(id, &self.fib, &self.ports);
        let (tunnel, outer) = match enter(frame.data(), frame.frame_len(), tunnel, origin) {
            Ok(entry) => entry,
            Err(refusal) => return self.refuse_by(frame, refusal),
        };
        let (path, port) = (tunnel.path, tunnel.port);
        let bytes = frame.frame_len() - ETHER_LEN;
        spend_hop(&mut frame, origin);
        if !encapsulate(&mut frame, &tunnel.head, outer) {
            return self.discard(frame, DropReason::NoHeadroom);
        }
        self.shard.entry_mut(slot).count_downlink(bytes);
        self.counters.add(Counter::DownlinkPackets, 1);
        self.counters.add(Counter::DownlinkBytes, bytes as u64);
        match path {
            Path::Ready => self.send(frame, port),
            Path::Unresolved | Path::Unreachable => self.punt_unresolved(frame),
        }
    }

    /// Hands a tunnel packet to the control core until its next hop is resolved.
    fn punt_unresolved(&mut self, frame: F) {
        let remote = Ipv6::of_frame(frame.data()).map_or(0, Ipv6::dst);
        match self.fib.lookup(remote) {
            Route::Unresolved(port, gateway) => {
                self.punt(frame, PuntReason::Unresolved(port, gateway));
            }
            _ => self.discard(frame, DropReason::TunnelUnreachable),
        }
    }

    /// A plain packet to an address that no node holds.
    fn without_entry(&mut self, frame: F) {
        let dst = Ipv6::of_frame(frame.data()).map_or(0, Ipv6::dst);
        match self.fib.resolve(dst) {
            Route::Local => self.punt(frame, PuntReason::Exception),
            // RFC 4443 3.1 code 3: the route ends here, the address does not answer.
            Route::Anchored => {
                self.refuse(
                    frame,
                    DropReason::Unassigned,
                    ErrorMessage::DestinationUnreachable(Unreachable::Address),
                );
            }
            _ => self.discard(frame, DropReason::NotAnchored),
        }
    }

    /// Routes a packet that came out of a tunnel, or that is ours.
    pub(super) fn route(&mut self, mut frame: F, origin: Origin) {
        let Some(ip) = Ipv6::of_frame(frame.data()) else {
            return self.discard(frame, DropReason::FrameShort);
        };
        let (dst, hop_limit) = (ip.dst(), ip.hop_limit());
        let (port, to) = match self.fib.resolve(dst) {
            Route::Anchored => return self.route_to_node(frame, dst, origin),
            Route::Send(port, mac) => (port, Ok(mac)),
            Route::Unresolved(port, gateway) => (port, Err(gateway)),
            Route::Unreachable => {
                return self.refuse(
                    frame,
                    DropReason::NoRoute,
                    ErrorMessage::DestinationUnreachable(Unreachable::NoRoute),
                );
            }
            Route::Blackhole => return self.discard(frame, DropReason::Blackhole),
            // The anchor itself is no service for nodes.
            Route::Local => {
                return self.refuse(
                    frame,
                    DropReason::ToAnchor,
                    ErrorMessage::DestinationUnreachable(Unreachable::Prohibited),
                );
            }
        };
        if hop_limit <= 1 && origin == Origin::Forwarded {
            return self.refuse(frame, DropReason::HopLimit, ErrorMessage::HopLimitExceeded);
        }
        let mtu = self.ports.get(usize::from(port.0)).map_or(0, |p| p.mtu);
        if frame.frame_len() - ETHER_LEN > usize::from(mtu) {
            let error = ErrorMessage::PacketTooBig(mtu.into());
            return self.refuse(frame, DropReason::EgressMtu, error);
        }
        spend_hop(&mut frame, origin);
        self.send_to(frame, port, to);
    }

    /// From node to node: the packet stays in the anchor, and is a downlink packet of its
    /// destination's owner.
    fn route_to_node(&mut self, frame: F, dst: u128, origin: Origin) {
        if origin == Origin::Forwarded {
            self.counters.add(Counter::NodeToNode, 1);
        }
        let owner = self.steering.owner_of_bits(dst);
        if owner == self.id {
            let slot = self.shard.lookup(dst);
            self.downlink(frame, slot, origin);
        } else {
            self.hand_off(frame, owner, Stage::Downlink(origin));
        }
    }

    fn refuse_by(&mut self, frame: F, Refusal(reason, error): Refusal) {
        match error {
            Some(error) => self.refuse(frame, reason, error),
            None => self.discard(frame, reason),
        }
    }

    /// Drops a packet and, where that is allowed, sends it back inside an error.
    pub(super) fn refuse(&mut self, mut frame: F, reason: DropReason, error: ErrorMessage) {
        self.counters.dropped(reason, 1);
        let packet = frame.data().get(ETHER_LEN..).unwrap_or_default();
        let source = Ipv6::of(packet).and_then(|ip| self.error_source(ip));
        let (true, Some(source)) = (error.may_answer(packet), source) else {
            self.counters.add(Counter::IcmpSuppressed, 1);
            return;
        };
        if !self.errors.take(self.now) {
            self.counters.add(Counter::IcmpLimited, 1);
            return;
        }
        if rewrite(&mut frame, error, source) {
            self.counters.add(Counter::IcmpErrors, 1);
            self.route(frame, Origin::Ours);
        } else {
            self.counters.add(Counter::IcmpSuppressed, 1);
        }
    }

    /// The source of an error about a packet (RFC 4443 section 2.2): (a) the address that it was
    /// sent to, if that is ours; (b) else an address of the link by which the error leaves, the
    /// tunnel's for a node. `None`: it would go nowhere.
    fn error_source(&mut self, ip: Ipv6<'_>) -> Option<Ipv6Addr> {
        if is_unforwardable(ip.src()) {
            return None;
        }
        if ip.dst() == self.lma.to_bits() {
            return Some(self.lma);
        }
        match self.fib.resolve(ip.src()) {
            Route::Anchored => Some(self.lma),
            Route::Send(port, _) | Route::Unresolved(port, _) => {
                self.ports.get(usize::from(port.0)).map(|p| p.address.unwrap_or(self.lma))
            }
            Route::Unreachable | Route::Blackhole | Route::Local => None,
        }
    }
}

/// The tunnel that the packet may enter, and what its header then says. Changes nothing, so that an
/// error can quote the packet as it came.
fn enter<'t>(
    frame: &[u8],
    frame_len: usize,
    tunnel: Option<&'t TunnelSlot>,
    origin: Origin,
) -> Result<(&'t TunnelSlot, Outer), Refusal> {
    let (Some(ip), Some(packet)) = (Ipv6::of_frame(frame), frame.get(ETHER_LEN..)) else {
        return Err(DropReason::FrameShort.into());
    };
    if is_unforwardable(ip.src()) {
        return Err(DropReason::SourceScope.into());
    }
    if ip.hop_limit() <= 1 && origin == Origin::Forwarded {
        return Err(Refusal(DropReason::HopLimit, Some(ErrorMessage::HopLimitExceeded)));
    }
    let limit = encap_limit(packet, ip);
    if let Some(EncapLimit { value: 0, at }) = limit {
        // RFC 2473 4.1.1 (b)
        let pointer = u32::try_from(at).unwrap_or(u32::MAX);
        return Err(Refusal(DropReason::EncapLimit, Some(ErrorMessage::ErroneousField(pointer))));
    }
    let Some(tunnel) = tunnel.filter(|t| t.path != Path::Unreachable) else {
        // RFC 2473 8.2: to the sender it looks like an address behind us that is not reachable.
        let error = ErrorMessage::DestinationUnreachable(Unreachable::Address);
        return Err(Refusal(DropReason::TunnelUnreachable, Some(error)));
    };
    match fit(frame_len - ETHER_LEN, overhead(limit.is_some()), tunnel.mtu) {
        Fit::Whole => {}
        Fit::TooBig(mtu) => {
            return Err(Refusal(DropReason::TunnelMtu, Some(ErrorMessage::PacketTooBig(mtu))));
        }
        Fit::Fragment => return Err(DropReason::TunnelFragment.into()),
    }
    let outer = Outer {
        traffic_class: ip.traffic_class(),
        flow_label: flow_label(packet, ip),
        encap_limit: limit.map(|l| l.value - 1), // RFC 2473 4.1.1 (c)
    };
    Ok((tunnel, outer))
}

/// Forwarding costs a hop (RFC 8200 section 3); what we sent ourselves has not been forwarded yet.
fn spend_hop<F: Frame>(frame: &mut F, origin: Origin) {
    if let (Origin::Forwarded, Some(hops)) = (origin, frame.data_mut().get_mut(ETHER_LEN + 7)) {
        *hops = hops.saturating_sub(1);
    }
}
