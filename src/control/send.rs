//! Where a message leaves: by its route, by the kernel's ESP, or in the tunnel of the node that it
//! is for, which a worker puts it into.

use super::counters::Counter;
use super::held::{Barrier, Reply};
use super::{Control, signaling};
use crate::addr::CustomerId;
use crate::dataplane::update::Tunnel;
use crate::mobility::anchor::WayHome;
use crate::mobility::ha::{HomeIcmp, HomeIcmpBody};
use crate::mobility::message::{AckMsg, PeerBody, PeerMsg};
use crate::nic::FramePool;
use crate::time::Instant;
use crate::wire::mh::BaFlags;
use std::net::Ipv6Addr;

/// The address space of the access network, where care-of addresses are, and of the kernel.
pub(super) const OPERATOR: CustomerId = CustomerId(0);

impl<P: FramePool> Control<P> {
    /// Sends a message now or, if it is to be held, when all that was decided before it is in
    /// force.
    pub(super) fn reply(&mut self, reply: Reply, held: bool, now: Instant) {
        if held {
            let (published, persisted) = (self.publisher.last_seq(), self.journal.last_seq());
            self.held.push(Barrier { published, persisted }, reply);
        } else {
            self.send(&reply, now);
        }
    }

    /// The next message whose time has come.
    pub(super) fn next_ready(&mut self) -> Option<Reply> {
        let (publisher, confirmed) = (&self.publisher, self.journal.confirmed());
        let is_down = |b: Barrier| publisher.in_force(b.published) && confirmed >= b.persisted;
        self.held.pop_ready(is_down)
    }

    /// Sends a message now.
    pub(super) fn send(&mut self, reply: &Reply, now: Instant) {
        match reply {
            Reply::Ack(ack) => self.send_ack(ack, now),
            Reply::Peer(msg) => self.send_peer(msg, now),
            Reply::Mip4(msg) => {
                let dst = msg.dst.to_ipv6_mapped();
                let is_home = msg.is_to_home();
                if self.answer_sender((false, is_home), dst, now, |buf| msg.emit(buf)) {
                    self.counters[Counter::Mip4Sent] += 1;
                }
            }
        }
    }

    /// Sends an ICMPv6 message of the home agent.
    pub(super) fn send_icmp(&mut self, icmp: &HomeIcmp, now: Instant) {
        let sent = self.send_anywhere(icmp.esp, icmp.dst, now, |b| signaling::write_icmp(icmp, b));
        if let HomeIcmpBody::PrefixAdvertisement { solicited, .. } = icmp.body {
            self.counters[if solicited {
                Counter::PrefixAdvertisementSolicited
            } else {
                Counter::PrefixAdvertisementUnsolicited
            }] += u64::from(sent);
        }
    }

    fn send_ack(&mut self, ack: &AckMsg, now: Instant) {
        let write = |buf: &mut [u8]| signaling::write_ack(ack, buf);
        let esp = ack.transport.is_protected();
        let (sent, counter) = if ack.ack.flags.contains(BaFlags::P) {
            let esp = esp || self.requires_ipsec(ack.dst);
            let sent = self.output.send_message(esp, ack.dst, now, &mut self.counters, write);
            (sent, Counter::PbaSent)
        } else {
            // 9.5.4: without a routing header the destination is the home address.
            let how = (esp, ack.home.is_none());
            (self.answer_sender(how, ack.dst, now, write), Counter::BaSent)
        };
        self.counters[counter] += u64::from(sent);
    }

    fn send_peer(&mut self, msg: &PeerMsg, now: Instant) {
        let esp = msg.transport.is_protected() || self.requires_ipsec(msg.dst);
        let write = |buf: &mut [u8]| signaling::write_peer(msg, buf);
        let (output, counters) = (&mut self.output, &mut self.counters);
        let sent = match msg.node.filter(|_| !esp) {
            Some(customer) => output.send_to_node(customer, counters, write),
            None => output.send_message(esp, msg.dst, now, counters, write),
        };
        let counter = match msg.body {
            PeerBody::Bri(_) => Counter::BriSent,
            PeerBody::Bra(_) => Counter::BraSent,
            PeerBody::Heartbeat(_) => Counter::HeartbeatSent,
            PeerBody::BindingError(_) => Counter::BindingErrorSent,
            PeerBody::RefreshRequest => Counter::RefreshRequestSent,
            PeerBody::Switch(_) => Counter::HomeAgentSwitchSent,
        };
        self.counters[counter] += u64::from(sent);
    }

    /// Answers who sent from this address. If that is its home address, it is at home, and hears
    /// there why its binding still says that it is away (RFC 6275 10.3.2, RFC 5944 3.8.3.1).
    fn answer_sender(
        &mut self,
        (esp, is_home): (bool, bool),
        dst: Ipv6Addr,
        now: Instant,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> bool {
        let way = Some(()).filter(|()| is_home && !esp);
        let Some(way) = way.and_then(|()| self.anchor.way_home(OPERATOR, dst)) else {
            return self.send_anywhere(esp, dst, now, write);
        };
        let (output, counters) = (&mut self.output, &mut self.counters);
        match way {
            WayHome::Gateway(path, keys) => {
                let mtu = self.publisher.tunnel_mtu(path.remote);
                output.send_through(Tunnel { path, mtu }, keys, counters, write)
            }
            WayHome::Link(link) => match link.and_then(|link| self.home.port(link)) {
                Some(home) => output.send_on_link((home.port, dst), now, counters, write),
                None => output.send_packet(dst, now, counters, write),
            },
        }
    }

    /// Sends to an address of the access network, which may be one that a node holds: the node is
    /// at home behind its gateway, or has its care-of address of this anchor (RFC 6612 4.1).
    pub(super) fn send_anywhere(
        &mut self,
        esp: bool,
        dst: Ipv6Addr,
        now: Instant,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> bool {
        let (output, counters) = (&mut self.output, &mut self.counters);
        if !esp && self.publisher.is_held(OPERATOR, dst) {
            output.send_to_node(OPERATOR, counters, write)
        } else {
            output.send_message(esp, dst, now, counters, write)
        }
    }

    /// Whether a gateway is not to be spoken to, nor heard, without ESP.
    pub(super) fn requires_ipsec(&self, address: Ipv6Addr) -> bool {
        self.mags.get(&address).is_some_and(|m| m.ipsec)
    }
}
