//! Half-bound tunnels (RFC 3519 sections 4.6 and 4.11): a node with an address of its own registers
//! through a foreign agent, so that the source of its request is not where its tunnel ends. That
//! the node's first keepalive tells, which comes through the tunnel.
//!
//! ```text
//!   request, 'R' flag --> half bound: packets to the node are dropped
//!   keepalive from the request's source, of the node --> bound to the keepalive's port
//!   request again, from the same source --> bound as before; a keepalive from another port that
//!                                           comes soon says that a NAT has forgotten this one
//! ```
//! Keepalives of tunnels that are known never come here: workers answer them.

use super::HomeAgent4;
use crate::addr::Encap;
use crate::mobility::action::{Action, BindingId, Ignored, Mip4Audit};
use crate::mobility::mip4::agent::audit;
use crate::mobility::mip4::{CareOfBinding, KnownBy, Mip4Msg, Turn};
use crate::time::{Duration, Instant};
use crate::wire::icmpv4::{self, EchoRequest};
use crate::wire::ipv4::{self, Ipv4Header};
use crate::wire::mip4::TunnelData;
use std::net::Ipv4Addr;

/// What a keepalive says: whose it is, and what it wants to have back.
struct Keepalive<'a> {
    home: Ipv4Addr,
    echo: EchoRequest<'a>,
}

impl HomeAgent4 {
    /// Takes in a tunnel packet of UDP that no tunnel of ours takes: the first keepalive of a
    /// half-bound one, or somebody's who would like to have it (6.1.2).
    pub(super) fn handle_keepalive(&mut self, msg: &Mip4Msg, turn: &mut Turn<'_>) {
        let now = turn.now.mono;
        let found = self.read_keepalive(msg).and_then(|k| Some((self.awaiting(msg, &k, now)?, k)));
        let bound = found.and_then(|(id, keepalive)| {
            let reply = self.answer_keepalive(msg, &keepalive)?;
            self.bind_to(id, msg, turn).then_some(reply)
        });
        let Some(reply) = bound else {
            let refused = self.refused(msg);
            return turn.push(audit(refused, None, Some(msg.src)));
        };
        turn.push(Action::SendMip4 { msg: reply, held: true });
    }

    /// What is in a message; `None` if it is no keepalive to us.
    fn read_keepalive<'m>(&self, msg: &'m Mip4Msg) -> Option<Keepalive<'m>> {
        let (TunnelData { next_header }, packet) = TunnelData::parse(&msg.payload).ok()?;
        let ip = Ipv4Header::parse(packet).ok().filter(|_| next_header == PROTOCOL_IPV4)?;
        let is_ours = msg.dst == self.config.address && ip.dst == self.config.address;
        let is_whole_icmp = ip.protocol == icmpv4::PROTOCOL && !ip.is_fragment();
        let message = packet.get(ip.header_len..usize::from(ip.total_len))?;
        let echo = EchoRequest::parse(message).ok().filter(|_| is_ours && is_whole_icmp)?;
        Some(Keepalive { home: ip.src, echo })
    }

    /// What it is, if nothing comes of it: a NAT may have changed the port of a tunnel that its
    /// request told; of a half-bound one nobody but its node sends any.
    fn refused(&self, msg: &Mip4Msg) -> Mip4Audit {
        let of_half_bound = |keepalive: &Keepalive<'_>| {
            let mut bindings = self.table.of_home(keepalive.home).flat_map(|r| &r.bindings);
            bindings.any(|b| b.known_by != KnownBy::Request)
        };
        match self.read_keepalive(msg) {
            Some(keepalive) if of_half_bound(&keepalive) => Mip4Audit::KeepaliveRefused,
            _ => Mip4Audit::Ignored(Ignored::Stray),
        }
    }

    /// The registration of the node that it is from, if one of its bindings waits for it, or has
    /// just got it. Of nodes of several customers with one address none can be told by it.
    fn awaiting(
        &self,
        msg: &Mip4Msg,
        keepalive: &Keepalive<'_>,
        now: Instant,
    ) -> Option<BindingId> {
        let waits = |b: &CareOfBinding| b.takes_keepalive(msg, now);
        let mut found = self.table.of_home(keepalive.home).filter(|r| r.bindings.iter().any(waits));
        let only = found.next().filter(|_| found.next().is_none())?;
        Some(only.id)
    }

    /// 4.6: from now on packets to the node go where its keepalive came from.
    fn bind_to(&mut self, id: BindingId, msg: &Mip4Msg, turn: &mut Turn<'_>) -> bool {
        let Some(mut registration) = self.table.remove(id) else { return false };
        let mut newest_first = registration.bindings.iter_mut().rev();
        let binding = newest_first.find(|b| b.takes_keepalive(msg, turn.now.mono));
        let care_of = binding.filter(|b| b.known_by == KnownBy::Awaited).map(|binding| {
            (binding.encap, binding.known_by) = (Encap::Mip4Udp(msg.port), KnownBy::Keepalive);
            binding.care_of
        });
        if let Some(care_of) = care_of {
            self.publish(&mut registration, turn.actions);
            turn.push(Action::Persist(id));
            let mn_id = registration.mn_id.clone();
            turn.push(audit(Mip4Audit::Bound, Some(mn_id), Some(care_of)));
        }
        self.table.insert(registration);
        true
    }

    /// The echo reply, in the headers of the tunnel.
    fn answer_keepalive(&self, msg: &Mip4Msg, keepalive: &Keepalive<'_>) -> Option<Mip4Msg> {
        let len = ipv4::HEADER_LEN + keepalive.echo.buffer_len();
        let mut payload = vec![0; TunnelData::LEN + len];
        let (front, packet) = payload.split_at_mut(TunnelData::LEN);
        TunnelData { next_header: PROTOCOL_IPV4 }.emit(front).ok()?;
        let header = Ipv4Header {
            header_len: ipv4::HEADER_LEN,
            tos: 0,
            total_len: u16::try_from(len).ok()?,
            identification: 0,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            ttl: TTL,
            protocol: icmpv4::PROTOCOL,
            src: self.config.address,
            dst: keepalive.home,
        };
        header.emit(packet).ok()?;
        keepalive.echo.emit_reply(packet.get_mut(ipv4::HEADER_LEN..)?).ok()?;
        Some(Mip4Msg { src: self.config.address, dst: msg.src, port: msg.port, payload })
    }
}

impl CareOfBinding {
    /// Whether a keepalive is one that this binding waits for, or the one that it got last: the
    /// node may have sent another one meanwhile.
    fn takes_keepalive(&self, msg: &Mip4Msg, now: Instant) -> bool {
        // 6.1.2: from nowhere else than the request.
        let is_from_there = self.src == msg.src;
        // 4.9: a node sends one when it is answered.
        let is_soon = now.since(self.sent) < REBOUND_WITHIN;
        match self.known_by {
            KnownBy::Request => false,
            KnownBy::Awaited => is_from_there && (self.is_half_bound() || is_soon),
            KnownBy::Keepalive => is_from_there && self.encap == Encap::Mip4Udp(msg.port),
        }
    }
}

/// How long after a request another port is believed, while one is known: no longer than a node
/// takes, for whoever shares its address could have its packets (6.1.2).
const REBOUND_WITHIN: Duration = Duration::from_secs(10);

const PROTOCOL_IPV4: u8 = 4;
const TTL: u8 = 64;
