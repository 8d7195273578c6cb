//! Registration Replies, and what a node makes of their codes (RFC 5944 3.6.2).

use super::event::{Action, AuditKind, ReplyFault, Tunnel};
use super::exchange::{Exchange, low};
use super::{Binding, Keepalive, Mn4};
use crate::addr::Encap;
use crate::mobility::mip4::RegisteredPrefix;
use crate::mobility::mn::ack::{LATER, well_before};
use crate::mobility::mn::row::Delivery;
use crate::time::{Duration, Instant, Now};
use crate::wire::mip4::{
    AuthKind, Body, Extension, Extensions, Ipv6PrefixField, Message, PORT, PrefixCode,
    RegistrationReply, ReplyCode, UdpTunnelReply,
};
use std::net::Ipv4Addr;

/// An authentic reply to the latest request.
struct Reply {
    fixed: RegistrationReply,
    udp: Option<UdpTunnelReply>,
    prefixes: Vec<(PrefixCode, Ipv6PrefixField)>,
}

impl Mn4 {
    pub(super) fn answered(
        &mut self,
        src: Ipv4Addr,
        payload: &[u8],
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let reply = match self.read(src, payload) {
            Ok(reply) => reply,
            Err(why) => return actions.push(Action::Audit(AuditKind::ReplyIgnored(why))),
        };
        let Some(exchange) = &mut self.exchange else { return };
        let Some(sent) = exchange.sent() else { return };
        let (id, sent_at, ends) = (sent.id, sent.at, exchange.ends());
        self.identifier.take_nonce(reply.fixed.identification);
        match reply.fixed.code {
            code if code.is_accepted() && ends => self.ended(actions),
            code if code.is_accepted() => self.accepted(&reply, sent_at, now.mono, actions),
            code @ ReplyCode::IDENTIFICATION_MISMATCH => {
                self.identifier.correct(id, reply.fixed.identification);
                actions.push(Action::Audit(AuditKind::Refused(code)));
                if exchange.correct(now.mono) {
                    self.send_again(now, actions);
                }
            }
            code => self.refused(code, now.mono, actions),
        }
    }

    /// The tests of 3.6.2.1.
    fn read(&self, src: Ipv4Addr, payload: &[u8]) -> Result<Reply, ReplyFault> {
        let sent = self.exchange.as_ref().and_then(Exchange::sent);
        let sent = sent.ok_or(ReplyFault::Unexpected)?;
        if src != self.config.home_agent {
            return Err(ReplyFault::Address);
        }
        let Ok(Message { body: Body::Reply(fixed), extensions }) = Message::parse(payload) else {
            return Err(ReplyFault::Malformed);
        };
        if low(fixed.identification) != low(sent.id) {
            return Err(ReplyFault::Identification);
        }
        let end = self.authenticated(payload, extensions).ok_or(ReplyFault::Unauthenticated)?;
        let configured = self.config.home_address;
        let is_ours = configured.is_none_or(|home| home == fixed.home_address);
        if !is_ours || fixed.code.is_accepted() && fixed.home_address.is_unspecified() {
            return Err(ReplyFault::HomeAddress);
        }
        let mut reply = Reply { fixed, udp: None, prefixes: Vec::new() };
        // What stands behind the authentication is not the home agent's word.
        for (_, extension) in extensions.located().take_while(|(at, _)| *at < end) {
            match extension {
                Extension::UdpTunnelReply(udp) => reply.udp = Some(udp),
                Extension::PrefixReply(code, prefix) => reply.prefixes.push((code, prefix)),
                _ => {}
            }
        }
        Ok(reply)
    }

    /// Where the one Mobile-Home authentication of a message begins, if it is right.
    fn authenticated(&self, payload: &[u8], extensions: Extensions<'_>) -> Option<usize> {
        let mut found = extensions.located().filter_map(|(at, e)| match e {
            Extension::Auth(AuthKind::MobileHome, spi, data) => Some((at, spi, data)),
            _ => None,
        });
        let (at, spi, data) = found.next().filter(|_| found.next().is_none())?;
        let ours = &self.config.association;
        (spi == ours.spi && ours.verifies(payload, at, data)).then_some(at)
    }

    fn accepted(
        &mut self,
        reply: &Reply,
        sent_at: Instant,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let Some(Exchange { care_of, lifetime, .. }) = self.exchange.take() else { return };
        // 3.6.2.2: counted from when the request was sent.
        let granted = reply.fixed.lifetime.min(lifetime).duration().unwrap_or_default();
        let expires_at = sent_at + granted;
        if expires_at <= now {
            self.unbind(AuditKind::Expired, actions);
            self.retry_at = Some(now + LATER);
            return;
        }
        self.home_address = Some(reply.fixed.home_address);
        let udp = reply.udp.filter(|udp| udp.code < UdpTunnelReply::DECLINED);
        let tunnel = Tunnel {
            encap: match (udp, self.config.delivery) {
                (Some(_), _) => Encap::Mip4Udp(PORT),
                (None, Delivery::Gre) => Encap::Gre,
                (None, Delivery::Ip | Delivery::Udp) => Encap::Ip,
            },
            care_of,
            home_agent: self.config.home_agent,
            home_address: reply.fixed.home_address,
            reverse: self.config.reverse_tunnel,
            prefixes: self.registered(reply, actions),
        };
        let had = self.binding.as_ref().is_some_and(|b| b.tunnel.care_of == care_of);
        let refresh_at = sent_at + well_before(granted);
        let keepalive = udp.map(|udp| keepalive(udp, now));
        self.bind(Binding { tunnel, expires_at, refresh_at, keepalive }, actions);
        let what = if had { AuditKind::Refreshed } else { AuditKind::Registered };
        actions.push(Action::Audit(what));
    }

    /// The prefixes that are registered (RFC 5454 3.5).
    fn registered(&self, reply: &Reply, actions: &mut Vec<Action>) -> Vec<RegisteredPrefix> {
        let mut registered = Vec::new();
        for prefix in &self.config.ipv6.prefixes {
            if !self.config.ipv6.explicit {
                // 3.3.2: without a Tunneling Mode extension it is the home address.
                registered.push(RegisteredPrefix { prefix: *prefix, to_care_of: false });
                continue;
            }
            let is_about = |p: Ipv6PrefixField| p.prefix() == Some(*prefix);
            let said = reply.prefixes.iter().find(|(_, about)| is_about(*about));
            match said.map(|(code, _)| *code) {
                Some(code @ (PrefixCode::TO_HOME_ADDRESS | PrefixCode::TO_CARE_OF_ADDRESS)) => {
                    let to_care_of = code == PrefixCode::TO_CARE_OF_ADDRESS;
                    registered.push(RegisteredPrefix { prefix: *prefix, to_care_of });
                }
                Some(code) => actions.push(Action::Audit(AuditKind::PrefixRefused(code))),
                None => actions.push(Action::Audit(AuditKind::PrefixUnanswered)),
            }
        }
        registered
    }

    fn refused(&mut self, code: ReplyCode, now: Instant, actions: &mut Vec<Action>) {
        actions.push(Action::Audit(AuditKind::Refused(code)));
        let ends = self.exchange.take().is_some_and(|e| e.ends());
        if ends && self.is_stopping {
            // Who leaves does not insist.
            return self.ended(actions);
        }
        match &mut self.binding {
            // What is registered stays so until it expires; the next attempt extends it.
            Some(binding) => binding.refresh_at = binding.expires_at,
            // An address that was given once is asked for no more.
            None => self.home_address = self.config.home_address,
        }
        self.retry_at = Some(now + LATER);
    }
}

/// RFC 3519 4.9: as often as the home agent says, else as often as its default.
fn keepalive(udp: UdpTunnelReply, now: Instant) -> Keepalive {
    let interval = match udp.keepalive_s {
        0 => KEEPALIVE_INTERVAL,
        s => Duration::from_secs(s.into()),
    };
    Keepalive { interval, next_at: now + interval }
}

/// RFC 3519 4.9
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(110);
