//! Registration revocation (RFC 3543): a binding ends before its time, and the other end is told.
//!
//! ```text
//!   ours     delete -> dropped at once -> Revocation, again after 1, 2, 4 .. s -> Acknowledgment
//!   theirs   Revocation of a foreign agent -> dropped -> Acknowledgment
//! ```

use super::HomeAgent4;
use crate::addr::MnId;
use crate::mobility::action::{Action, BindingId, Ignored, Mip4Audit};
use crate::mobility::mip4::agent::{Timer, Turn, audit, our_time};
use crate::mobility::mip4::judge::position;
use crate::mobility::mip4::request::Auth;
use crate::mobility::mip4::{CareOfBinding, Mip4Msg, Registration, SecurityAssociation};
use crate::time::{Duration, Instant};
use crate::wire::mip4::{
    AuthKind, Body, Extension, Extensions, PORT, RegistrationRevocation, RevocationAck,
};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// What we sent and nobody acknowledged yet.
#[derive(Debug, Default)]
pub(super) struct Revocations {
    pending: BTreeMap<u64, Pending>,
    last: u64,
}

#[derive(Debug)]
struct Pending {
    mn_id: MnId,
    body: RegistrationRevocation,
    dst: Ipv4Addr,
    port: u16,
    between: AuthKind,
    association: SecurityAssociation,
    /// How often it was sent.
    sent: u32,
    /// The end of the binding's lifetime: after it nothing is sent (4.2.2.1).
    until: Option<Instant>,
}

/// How often a revocation is sent at most, a minute in all.
const TRIES_MAX: u32 = 6;

/// 3.3: not more than one message a second about a binding; 4.2.2.1: each time twice as long.
const FIRST_INTERVAL: Duration = Duration::from_secs(1);

impl HomeAgent4 {
    /// Ends a registration, and tells those who agreed to be told.
    pub(super) fn revoke(&mut self, id: BindingId, turn: &mut Turn<'_>) {
        let Some(registration) = self.table.get(id) else { return };
        let told: Vec<(Pending, Instant)> =
            registration.bindings.iter().filter_map(|b| self.pending(registration, b)).collect();
        let why = if told.is_empty() { Mip4Audit::Deleted } else { Mip4Audit::Revoking };
        self.remove(id, why, turn);
        for (pending, sent) in told {
            self.revocations.last += 1;
            let serial = self.revocations.last;
            self.revocations.pending.insert(serial, pending);
            if turn.now.mono.since(sent) >= FIRST_INTERVAL {
                self.send_revocation(serial, turn);
            } else {
                self.timers.insert((sent + FIRST_INTERVAL, Timer::Revocation(serial)));
            }
        }
    }

    /// The revocation of a binding, if that was agreed; and when the last message about it was
    /// sent.
    fn pending(
        &self,
        registration: &Registration,
        binding: &CareOfBinding,
    ) -> Option<(Pending, Instant)> {
        let terms = binding.revocation?;
        let (between, shared) = if terms.with_agent {
            (AuthKind::ForeignHome, self.agents.of(binding.src))
        } else {
            let node = self.nodes.named(registration.customer, &registration.mn_id)?;
            (AuthKind::MobileHome, &self.nodes.at(node).associations[..])
        };
        let association = shared.iter().find(|a| a.spi == terms.spi)?.clone();
        let body = RegistrationRevocation {
            from_home_agent: true,
            // 3.3: to a node, it should be set.
            inform: terms.inform || !terms.with_agent,
            home_address: registration.home_address,
            home_domain: self.config.address,
            foreign_domain: binding.care_of,
            identifier: 0,
        };
        // Behind a NAT a node is reached by the port of its request alone.
        let port = if binding.src == binding.care_of { PORT } else { binding.port };
        let (dst, until, mn_id) = (binding.src, binding.deadline, registration.mn_id.clone());
        let pending = Pending { mn_id, body, dst, port, between, association, sent: 0, until };
        Some((pending, binding.sent))
    }

    /// Sends a revocation, and again later if nobody acknowledges it; gives it up after that.
    pub(super) fn send_revocation(&mut self, serial: u64, turn: &mut Turn<'_>) {
        let now = turn.now;
        let Some(pending) = self.revocations.pending.get_mut(&serial) else { return };
        let is_over = pending.until.is_some_and(|until| until <= now.mono);
        if is_over || pending.sent == TRIES_MAX {
            let about = Some(pending.body.foreign_domain);
            let mn_id = Some(pending.mn_id.clone());
            self.revocations.pending.remove(&serial);
            return turn.push(audit(Mip4Audit::RevocationUnanswered, mn_id, about));
        }
        // 4.2.2.1: each time the current time; later than the last in any case (3.5).
        let time = our_time(now);
        let last = pending.body.identifier;
        let is_later = pending.sent == 0 || is_after(time, last);
        pending.body.identifier = if is_later { time } else { last.wrapping_add(1) };
        let next = FIRST_INTERVAL.saturating_mul(1 << pending.sent);
        pending.sent += 1;
        let payload = signed(Body::Revocation(pending.body), pending.between, &pending.association);
        let msg =
            Mip4Msg { src: self.config.address, dst: pending.dst, port: pending.port, payload };
        turn.push(Action::SendMip4 { msg, held: false });
        self.timers.insert((now.mono + next, Timer::Revocation(serial)));
    }

    /// An acknowledgement: what it answers is not sent again.
    pub(super) fn handle_revocation_ack(
        &mut self,
        msg: &Mip4Msg,
        ack: &RevocationAck,
        extensions: Extensions<'_>,
        turn: &mut Turn<'_>,
    ) {
        let answers = |p: &Pending| {
            let auth = only(extensions, p.between);
            p.dst == msg.src
                && (p.body.home_address, p.body.identifier) == (ack.home_address, ack.identifier)
                && p.sent > 0
                && auth.is_some_and(|auth| {
                    position(core::slice::from_ref(&p.association), &auth, msg).is_some()
                })
        };
        let found = self.revocations.pending.iter().find(|(_, p)| answers(p)).map(|(n, _)| *n);
        match found.and_then(|serial| self.revocations.pending.remove(&serial)) {
            Some(p) => {
                let about = Some(p.body.foreign_domain);
                turn.push(audit(Mip4Audit::Revoked, Some(p.mn_id), about));
            }
            None => turn.push(audit(Mip4Audit::Ignored(Ignored::Stray), None, Some(msg.src))),
        }
    }

    /// A foreign agent revokes a binding (4.2.3.2).
    pub(super) fn handle_revocation(
        &mut self,
        msg: &Mip4Msg,
        revocation: &RegistrationRevocation,
        extensions: Extensions<'_>,
        turn: &mut Turn<'_>,
    ) {
        let ignored = |why| audit(Mip4Audit::Ignored(why), None, Some(msg.src));
        let shared = self.agents.of(msg.src);
        let auth = only(extensions, AuthKind::ForeignHome);
        let Some(place) = auth.and_then(|auth| position(shared, &auth, msg)) else {
            return turn.push(ignored(Ignored::Unauthenticated));
        };
        // 3.5: one of ours that was sent back.
        if revocation.from_home_agent {
            return turn.push(ignored(Ignored::Replayed));
        }
        if revocation.home_domain != self.config.address {
            return turn.push(ignored(Ignored::Stray));
        }
        let nai = extensions.iter().find_map(|e| match e {
            Extension::MnNai(nai) => Some(nai),
            _ => None,
        });
        let of_sender = |r: &Registration, b: &CareOfBinding| {
            b.care_of == revocation.foreign_domain
                && b.src == msg.src
                && nai.is_none_or(|nai| r.mn_id.bytes() == nai)
        };
        let mut found = self.table.of_home(revocation.home_address).filter_map(|r| {
            let binding = r.bindings.iter().find(|b| of_sender(r, b))?;
            Some((r.id, binding.revocation))
        });
        let (first, second) = (found.next(), found.next());
        drop(found);
        let inform = match (first, second) {
            // It is gone: our acknowledgement was lost, perhaps.
            (None, _) => false,
            (Some((id, Some(terms))), None) if terms.with_agent => {
                // 4.2.3.2: the registration came before; both times are the foreign agent's.
                if !is_after(revocation.identifier, terms.peer_time) {
                    return turn.push(ignored(Ignored::Replayed));
                }
                let care_of = revocation.foreign_domain;
                self.drop_binding(id, care_of, Mip4Audit::Revoked, turn);
                // We leave no node in the dark.
                terms.inform && revocation.inform
            }
            // Not agreed; or of two nodes of different customers, and it does not say of which.
            _ => return turn.push(ignored(Ignored::Stray)),
        };
        let body = Body::RevocationAck(RevocationAck {
            inform,
            home_address: revocation.home_address,
            identifier: revocation.identifier,
        });
        let Some(association) = self.agents.of(msg.src).get(place) else { return };
        let payload = signed(body, AuthKind::ForeignHome, association);
        let msg = Mip4Msg { src: self.config.address, dst: msg.src, port: msg.port, payload };
        turn.push(Action::SendMip4 { msg, held: true });
    }
}

/// A message with nothing but its authentication.
fn signed(body: Body, between: AuthKind, association: &SecurityAssociation) -> Vec<u8> {
    let mut payload = vec![0; body.buffer_len()];
    // As long as the fixed fields are.
    if body.emit(&mut payload).is_err() {
        payload.clear();
    }
    association.append(between, &mut payload);
    payload
}

/// The only authentication extension of a kind, if nothing stands behind it.
fn only(extensions: Extensions<'_>, kind: AuthKind) -> Option<Auth<'_>> {
    let mut found = None;
    for (at, extension) in extensions.located() {
        found = match extension {
            Extension::Auth(k, spi, data) if k == kind && found.is_none() => {
                Some(Auth { at, spi, data })
            }
            _ if found.is_some() => return None,
            _ => None,
        };
    }
    found
}

/// Whether a time of 32 bits comes after another.
const fn is_after(time: u32, other: u32) -> bool {
    let ahead = time.wrapping_sub(other);
    ahead != 0 && ahead < 1 << 31
}
