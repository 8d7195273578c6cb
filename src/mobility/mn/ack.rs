//! Binding Acknowledgements, and what a node makes of their statuses (RFC 6275 11.7.3).

use super::event::{AckFault, Action, AuditKind, Tunnel, TunnelEnds};
use super::{Binding, Exchange, Mn};
use crate::addr::Encap;
use crate::mobility::message::AckMsg;
use crate::time::{Duration, Instant, Lifetime};
use crate::wire::mh::{BaFlags, MobilityOption, NatDetection, SeqNo, Status};
use crate::wire::udp;
use std::net::Ipv4Addr;

/// What follows from a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reaction {
    /// The cause is corrected: at once again.
    Again,
    /// It may pass: again after the longest timeout.
    Later,
    /// Another home agent, if there is one; else later.
    OtherAgent,
    /// Nothing before the node is elsewhere.
    Stop,
}

/// What a refusal says of the next attempt.
fn reaction(status: Status) -> Reaction {
    match status {
        // The answer has the time to go on from (RFC 4285 section 6); the signer takes it over.
        Status::MIPV6_ID_MISMATCH => Reaction::Again,
        Status::HOME_REGISTRATION_NOT_SUPPORTED
        | Status::NOT_HOME_SUBNET
        | Status::NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE
        // RFC 3963 5.3: the router may ask another one.
        | Status::MOBILE_ROUTER_OPERATION_NOT_PERMITTED
        | Status::INVALID_PREFIX
        | Status::NOT_AUTHORIZED_FOR_PREFIX
        | Status::FORWARDING_SETUP_FAILED => Reaction::OtherAgent,
        // RFC 6275 11.7.1: the address is another's. Or: this care-of address will not do.
        Status::DUPLICATE_ADDRESS_DETECTION_FAILED | Status::INVALID_CARE_OF_ADDRESS => {
            Reaction::Stop
        }
        _ => Reaction::Later,
    }
}

impl Mn {
    pub(super) fn acknowledged(&mut self, msg: &AckMsg, now: Instant, actions: &mut Vec<Action>) {
        if let Err(fault) = self.check(msg) {
            actions.push(Action::Audit(AuditKind::AckIgnored(fault)));
            return;
        }
        let status = msg.ack.status;
        let Some(exchange) = &mut self.exchange else { return };
        if status == Status::SEQUENCE_NUMBER_OUT_OF_WINDOW {
            // The number is the last that the agent accepted, not ours.
            self.seq = msg.ack.seq;
            exchange.correct(now);
            actions.push(Action::Audit(AuditKind::Refused(status)));
            if exchange.next_at() <= now {
                self.send_again(now, actions);
            }
            return;
        }
        let sent_at = exchange.sent_at(msg.ack.seq).unwrap_or(now);
        if exchange.lifetime == Lifetime::ZERO {
            // One without a binding has nothing to end (10.3.2); and who leaves does not insist.
            let gone = status == Status::NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE;
            let leaves = self.is_stopping || !self.successors.is_empty();
            if status.is_accepted() || gone || leaves && reaction(status) != Reaction::Again {
                return self.ended(now, actions);
            }
        } else if status.is_accepted() {
            return self.accepted(msg, sent_at, now, actions);
        }
        self.refused(status, now, actions);
    }

    /// The tests of 11.7.3 and 6.1.8.
    fn check(&self, msg: &AckMsg) -> Result<(), AckFault> {
        let exchange = self.exchange.as_ref().ok_or(AckFault::Unexpected)?;
        let peer = self.peer(exchange.agent, exchange.care_of);
        if (msg.src, msg.dst) != (peer, exchange.care_of) {
            return Err(AckFault::Address);
        }
        let home = self.config.home_address;
        if msg.home != (exchange.care_of != home).then_some(home) {
            return Err(AckFault::RoutingHeader);
        }
        let is_ours = |seq: SeqNo| exchange.sent_at(seq).is_some();
        if msg.ack.status != Status::SEQUENCE_NUMBER_OUT_OF_WINDOW && !is_ours(msg.ack.seq) {
            return Err(AckFault::Sequence);
        }
        Ok(())
    }

    fn accepted(
        &mut self,
        msg: &AckMsg,
        sent_at: Instant,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        if self.config.router.is_some() && !msg.ack.flags.contains(BaFlags::R) {
            // RFC 3963 5.3: it does not serve mobile routers, and is to know that it is left.
            actions.push(Action::Audit(AuditKind::NotAsRouter));
            if let Some((agent, care_of)) = self.exchange.as_ref().map(|e| (e.agent, e.care_of)) {
                actions.push(Action::SendBu(self.goodbye(agent, care_of)));
            }
            return self.try_elsewhere(now, actions);
        }
        let Some(Exchange { agent, care_of, lifetime, .. }) = self.exchange.take() else { return };
        // 11.7.3: counted from when the update was sent.
        let granted = msg.ack.lifetime.min(lifetime).duration();
        let expires_at = sent_at + granted;
        if expires_at <= now {
            self.unbind(AuditKind::Expired, actions);
            self.retry_at = Some(now + LATER);
            return;
        }
        let ends = TunnelEnds { care_of, home_agent: self.peer(agent, care_of) };
        let had = self.binding.is_some_and(|b| b.tunnel.ends == ends);
        let refresh_at = sent_at + refresh_after(granted, msg);
        let in_udp = nat_detection(msg).is_some() && care_of.to_ipv4_mapped().is_some();
        let encap = if in_udp { Encap::Mip6Udp(udp::DSMIP_PORT) } else { Encap::Ip };
        let tunnel = Tunnel { ends, encap, ipv4_home: ipv4_home(msg, actions) };
        self.bind(Binding { agent, tunnel, expires_at, refresh_at }, actions);
        let what = if had { AuditKind::Refreshed } else { AuditKind::Registered };
        actions.push(Action::Audit(what));
        if msg.ack.status == Status::ACCEPTED_PREFIX_DISCOVERY_NECESSARY {
            actions.push(Action::Audit(AuditKind::PrefixDiscoveryNecessary));
            self.ask_for_prefixes(now, actions);
        }
    }

    fn refused(&mut self, status: Status, now: Instant, actions: &mut Vec<Action>) {
        actions.push(Action::Audit(AuditKind::Refused(status)));
        match reaction(status) {
            Reaction::Again => {
                let Some(exchange) = &mut self.exchange else { return };
                exchange.correct(now);
                if exchange.next_at() <= now {
                    self.send_again(now, actions);
                }
            }
            Reaction::Later => self.pause(now),
            Reaction::OtherAgent => self.try_elsewhere(now, actions),
            Reaction::Stop => {
                self.pause(now);
                self.retry_at = None;
            }
        }
    }

    fn try_elsewhere(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.pause(now);
        if self.agents.len() > 1 {
            // One after the other, at the rate of retransmissions to one that is silent.
            self.agents.rotate_left(1);
            self.retry_at = Some(now + NEXT);
        }
        if self.binding.is_some_and(|b| b.agent != self.agent()) {
            self.unbind(AuditKind::Expired, actions);
        }
    }

    /// What is registered stays so until it expires; it is not refreshed before the next attempt.
    fn pause(&mut self, now: Instant) {
        self.exchange = None;
        if let Some(binding) = &mut self.binding {
            binding.refresh_at = binding.expires_at;
        }
        self.retry_at = Some(now + LATER);
    }
}

/// How long after its update a binding of this lifetime is refreshed: well before its end, and as
/// soon as a Binding Refresh Advice asks (RFC 6275 11.7.3).
fn refresh_after(granted: Duration, msg: &AckMsg) -> Duration {
    let advised = msg.options.iter().find_map(|o| match o {
        MobilityOption::RefreshAdvice(interval) if interval != Lifetime::ZERO => Some(interval),
        _ => None,
    });
    let own = well_before(granted);
    let own = advised.map_or(own, |interval| own.min(interval.duration()));
    // RFC 5555 4.3: an update keeps the NAT's mapping.
    let nat = nat_detection(msg).and_then(|nat| match nat.refresh_time_s {
        NatDetection::NO_KEEPALIVE => None,
        0 => Some(NAT_KEEPALIVE_TIMEOUT),
        s => Some(Duration::from_secs(s.into())),
    });
    nat.map_or(own, |nat| own.min(nat))
}

fn nat_detection(msg: &AckMsg) -> Option<NatDetection> {
    msg.options.iter().find_map(|o| match o {
        MobilityOption::NatDetection(nat) => Some(nat),
        _ => None,
    })
}

/// The IPv4 home address that is bound (RFC 5555 4.4.2).
fn ipv4_home(msg: &AckMsg, actions: &mut Vec<Action>) -> Option<Ipv4Addr> {
    let (status, home) = msg.options.iter().find_map(|o| match o {
        MobilityOption::Ipv4AddressAck(status, home) => Some((status, home.addr())),
        _ => None,
    })?;
    if status.is_accepted() && !home.is_unspecified() {
        return Some(home);
    }
    actions.push(Action::Audit(AuditKind::Ipv4HomeRefused(status)));
    None
}

/// `NATKATIMEOUT` (RFC 5555 section 6).
const NAT_KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(110);

/// When what is granted for so long is asked for again: with time for some retransmissions.
pub(in crate::mobility) fn well_before(granted: Duration) -> Duration {
    if granted >= LONG { granted * 9 / 10 } else { granted / 2 }
}

/// After a refusal that may pass: `MAX_BINDACK_TIMEOUT`.
pub(in crate::mobility) const LATER: Duration = Duration::from_secs(32);
/// Before another home agent is asked.
const NEXT: Duration = Duration::from_secs(1);
/// A lifetime of which a tenth is time enough.
const LONG: Duration = Duration::from_secs(40);
