//! Sessions that are revoked: by us (RFC 5846 8.1), and by gateways (8.2).

use super::Lma;
use super::release::Family;
use crate::addr::{HomePrefix, MnId, ProxyCoa};
use crate::mobility::action::{Action, Audit, AuditKind, BindingId, Ignored, Publication};
use crate::mobility::binding::{Bce, BceState, Ipv4HomeAddress};
use crate::mobility::digest::Digest;
use crate::mobility::lifetime::TimerKey;
use crate::mobility::message::{OwnedOptions, PeerBody, PeerMsg, Transport};
use crate::mobility::peer::{Contact, Peer};
use crate::mobility::revoke::{self, Outstanding, Overdue, Subject};
use crate::time::{Duration, Lifetime, Now};
use crate::wire::mh::{
    BindingError, BindingRevocationAck, BindingRevocationIndication, MobilityOption,
    RevocationFlags, RevocationStatus, RevocationTrigger, SeqNo,
};
use crate::wire::udp;
use std::net::{Ipv4Addr, Ipv6Addr};

/// How an indication that we sent came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The gateway has the session no more.
    Revoked,
    /// The node is still attached to it (status 132).
    Attached,
    /// The gateway will not, for another reason.
    Refused,
    /// It did not answer.
    Silence,
}

/// What a gateway's indication names.
#[derive(Debug, Default)]
struct Named {
    mn_id: Option<MnId>,
    hnp: Vec<HomePrefix>,
    coa: Option<Ipv6Addr>,
    ipv4: Option<Ipv4Addr>,
}

/// What a gateway's indication leads to.
#[derive(Debug)]
enum Verdict {
    /// These sessions end; these prefixes have none.
    Sessions(Vec<BindingId>, Vec<HomePrefix>),
    /// A session of both families loses its IPv4 home address.
    Ipv4(BindingId),
    /// All sessions of a gateway end.
    Gateway(ProxyCoa),
}

impl Lma {
    /// The operator ends a session (8.1). Its traffic stops at once; it is deleted when its gateway
    /// has answered, or will not. One that its gateway has let go already is deleted at once. Of a
    /// session of both families, the IPv4 home address alone ends if it is what `prefix` names.
    pub(super) fn revoke(
        &mut self,
        id: BindingId,
        prefix: Option<HomePrefix>,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let Some(bce) = self.cache.get(id) else { return };
        let active = bce.state == BceState::Active;
        let trigger = RevocationTrigger::ADMINISTRATIVE;
        let ipv4 = bce.ipv4.map(Ipv4HomeAddress::prefix).filter(|_| !bce.hnp.is_empty());
        if active && ipv4.is_some() && ipv4 == prefix {
            if !self.indicate(Subject::Ipv4(id), trigger, None, false, now, actions) {
                self.lose_ipv4(id, actions);
            }
            return;
        }
        if !active || !self.indicate(Subject::Session(id), trigger, None, false, now, actions) {
            return self.delete(id, AuditKind::Deleted, now, actions);
        }
        self.suspend(id, revoke::patience(&self.protocol), now, actions);
        self.audit_session(AuditKind::Revoking, id, actions);
    }

    /// The operator withdraws a gateway and ends all its sessions (8.1, G flag).
    pub(super) fn revoke_gateway(
        &mut self,
        address: Ipv6Addr,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let coa = ProxyCoa(address);
        let has_sessions = self.mags.bindings(address) > 0;
        let trigger = RevocationTrigger::PER_PEER_POLICY;
        let asked = has_sessions
            && self.indicate(Subject::Gateway(coa), trigger, None, false, now, actions);
        self.mags.withdraw(address);
        if has_sessions && !asked {
            self.sweeps.begin(coa, now.mono, AuditKind::Revoked, None);
        }
    }

    /// Asks the gateway of a session, to which another gateway's update may belong, whether it has
    /// the node still (8.1). `false` if it cannot be asked.
    pub(super) fn ask_whether_moved(
        &mut self,
        id: BindingId,
        now: Now,
        actions: &mut Vec<Action>,
    ) -> bool {
        let asked = |s: Subject| matches!(s, Subject::Perhaps(_));
        let trigger = RevocationTrigger::HANDOFF_UNKNOWN;
        self.revocations.of(id).any(|(_, o)| asked(o.subject))
            || self.indicate(Subject::Perhaps(id), trigger, None, false, now, actions)
    }

    /// A session has moved here from another gateway. That one is no longer asked to end it, nor is
    /// this one. With a `trigger`, the other one is told, if the operator wants it and it is not
    /// told yet.
    pub(super) fn after_handoff(
        &mut self,
        id: BindingId,
        previous: Contact,
        trigger: Option<RevocationTrigger>,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let here = self.cache.get(id).map(|b| self.contact(b).remote);
        let outstanding: Vec<(SeqNo, Ipv6Addr)> =
            self.revocations.of(id).map(|(seq, o)| (seq, o.msg.dst)).collect();
        let told = outstanding.iter().any(|(_, to)| *to == previous.remote);
        for (seq, to) in outstanding {
            if Some(to) == here {
                self.stop_waiting_for(seq);
            } else {
                self.revocations.moved(seq);
            }
        }
        if let Some(trigger) = trigger.filter(|_| self.protocol.revoke_at_handoff && !told) {
            self.indicate(Subject::Moved(id), trigger, Some(previous), true, now, actions);
        }
    }

    /// A session of both families has its IPv4 home address no more.
    fn lose_ipv4(&mut self, id: BindingId, actions: &mut Vec<Action>) {
        if self.give_back(id, Family::Ipv4, actions).is_some() {
            actions.push(Action::Persist(id));
            self.audit_released(id, Family::Ipv4, actions);
        }
    }

    /// Whether a session is about to end because the operator wants it.
    pub(super) fn is_revoking(&self, id: BindingId) -> bool {
        self.revocations.of(id).any(|(_, o)| matches!(o.subject, Subject::Session(_)))
    }

    /// Nobody needs to know any more whether, or that, a session ends.
    pub(super) fn forget_revocations(&mut self, id: BindingId) {
        let moved = |s: Subject| matches!(s, Subject::Moved(_));
        let settled: Vec<SeqNo> = (self.revocations.of(id))
            .filter(|(_, o)| !moved(o.subject))
            .map(|(seq, _)| seq)
            .collect();
        for seq in settled {
            self.stop_waiting_for(seq);
        }
    }

    /// Where the messages about a session go to: its Proxy-CoA (8.1), unless that is only the end
    /// of its tunnel: then its gateway's address for signaling (RFC 7389 2.2), which the security
    /// association is of (8.1). Over IPv4 the addresses and ports are those of its registration
    /// (4).
    pub(super) fn contact(&self, bce: &Bce) -> Contact {
        let (remote, transport) = (bce.mag, bce.transport);
        let local = self.local_end(ProxyCoa(remote));
        Contact { local, remote, transport, proxy_coa: bce.proxy_coa.0 }
    }

    /// Sends an indication; `false` if the gateway does not take part in revocation, or too many
    /// are outstanding.
    fn indicate(
        &mut self,
        subject: Subject,
        trigger: RevocationTrigger,
        to: Option<Contact>,
        held: bool,
        now: Now,
        actions: &mut Vec<Action>,
    ) -> bool {
        let bce = subject.binding().and_then(|id| self.cache.get(id));
        let to = match (to, bce, subject) {
            (Some(to), ..) => to,
            (None, Some(bce), _) => self.contact(bce),
            (None, None, Subject::Gateway(coa)) => self.contact_of_gateway(coa.0),
            (None, None, _) => return false,
        };
        let peer = self.mags.peer(to.remote);
        if !peer.is_some_and(Peer::is_revocable) {
            return false;
        }
        let Some(seq) = self.revocations.next_seq() else { return false };
        let msg = match bce {
            Some(bce) => {
                let only_ipv4 = matches!(subject, Subject::Ipv4(_));
                revoke::of_session(bce, only_ipv4, trigger, seq, &to)
            }
            None => revoke::of_gateway(seq, &to),
        };
        self.send_indication(subject, seq, msg, held, now, actions);
        true
    }

    /// Sends an indication, and waits for its answer.
    pub(super) fn send_indication(
        &mut self,
        subject: Subject,
        seq: SeqNo,
        msg: PeerMsg,
        held: bool,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let (timers, copy) = (&self.protocol, msg.clone());
        let due = self.revocations.wait_for(seq, subject, copy, timers, now.mono);
        self.timers.arm(due, TimerKey::Revocation(seq.0));
        actions.push(Action::Send { msg, held });
    }

    /// How a gateway is reached apart from any session.
    pub(super) fn contact_of_gateway(&self, address: Ipv6Addr) -> Contact {
        let local = self.local_end(ProxyCoa(address));
        let over_ipv4 = address.to_ipv4_mapped().is_some();
        let transport =
            if over_ipv4 { Transport::Udp(udp::SIGNALING_PORT) } else { Transport::Ipv6 };
        let known = self.mags.peer(address).and_then(Peer::contact);
        known.unwrap_or(Contact { local, remote: address, transport, proxy_coa: address })
    }

    /// Stops a session's traffic; it is deleted `after` so long.
    fn suspend(&mut self, id: BindingId, after: Duration, now: Now, actions: &mut Vec<Action>) {
        let Some(bce) = self.cache.get_mut(id) else { return };
        bce.state = BceState::Deleting;
        bce.lifetime = Lifetime::ZERO;
        bce.end_after(after, now);
        self.timers.follow(&mut bce.timer, bce.deadline, TimerKey::Binding(id));
        actions.extend(bce.prefixes().map(|p| Action::Publish(Publication::Hold(p))));
        actions.push(Action::Persist(id));
    }

    fn stop_waiting_for(&mut self, seq: SeqNo) -> Option<Outstanding> {
        let sent = self.revocations.take(seq)?;
        self.timers.disarm(sent.due, TimerKey::Revocation(seq.0));
        Some(sent)
    }

    /// An acknowledgement came (6.2.2).
    pub(super) fn handle_bra(
        &mut self,
        msg: &PeerMsg,
        ack: BindingRevocationAck,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let outstanding = self.revocations.is_outstanding(ack.seq, msg.src);
        let Some(sent) = outstanding.then(|| self.stop_waiting_for(ack.seq)).flatten() else {
            return note(AuditKind::Ignored(Ignored::Stray), msg, actions);
        };
        let outcome = match ack.status {
            // It does not exist there (any more): so be it.
            RevocationStatus::BINDING_DOES_NOT_EXIST => Outcome::Revoked,
            status if status.is_accepted() => Outcome::Revoked,
            RevocationStatus::MN_IS_ATTACHED => Outcome::Attached,
            _ => Outcome::Refused,
        };
        if !ack.status.is_accepted() {
            note(AuditKind::RevocationRefused(ack.status.0), msg, actions);
        }
        self.conclude(&sent, outcome, now, actions);
    }

    /// No acknowledgement came in time (6.3).
    pub(super) fn revocation_overdue(&mut self, seq: SeqNo, now: Now, actions: &mut Vec<Action>) {
        match self.revocations.overdue(seq, &self.protocol) {
            Some(Overdue::Again(msg, due)) => {
                self.timers.arm(due, TimerKey::Revocation(seq.0));
                actions.push(Action::Send { msg, held: false });
            }
            Some(Overdue::GivenUp(sent)) => {
                let proxy_coa = Some(ProxyCoa(sent.msg.dst));
                let kind = AuditKind::RevocationUnanswered;
                actions.push(Action::Audit(Audit { kind, mn_id: None, proxy_coa }));
                self.conclude(&sent, Outcome::Silence, now, actions);
            }
            None => {}
        }
    }

    /// A gateway does not know a message that we sent (RFC 6275 6.1.9).
    pub(super) fn handle_error(
        &mut self,
        msg: &PeerMsg,
        error: BindingError,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let unknown_type = error.status == BindingError::UNKNOWN_MH_TYPE;
        let asked = if unknown_type { self.mags.peers_at(msg.src) } else { Vec::new() };
        let refuses = |a| self.mags.peer_mut(a).is_some_and(Peer::refuses_heartbeats);
        if asked.into_iter().any(refuses) {
            return note(AuditKind::HeartbeatUnsupported, msg, actions);
        }
        if !unknown_type || self.revocations.at(msg.src).is_none() {
            return note(AuditKind::Ignored(Ignored::Stray), msg, actions);
        }
        note(AuditKind::RevocationUnsupported, msg, actions);
        if let Some(peer) = self.mags.peer_mut(msg.src) {
            peer.irrevocable = true;
        }
        // What is beyond a turn's work ends by itself, soon.
        for _ in 0..CONCLUSIONS_MAX {
            let Some(seq) = self.revocations.at(msg.src) else { return };
            if let Some(sent) = self.stop_waiting_for(seq) {
                self.conclude(&sent, Outcome::Silence, now, actions);
            }
        }
    }

    /// What follows from an answer, or from none.
    fn conclude(
        &mut self,
        sent: &Outstanding,
        outcome: Outcome,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        match (sent.subject, outcome) {
            // The operator's will stands (6.2.2, 6.3).
            (Subject::Session(id), Outcome::Revoked) => {
                self.delete(id, AuditKind::Revoked, now, actions);
            }
            (Subject::Session(id), _) => self.delete(id, AuditKind::Deleted, now, actions),
            (Subject::Ipv4(id), _) => self.lose_ipv4(id, actions),
            (Subject::Gateway(coa), _) => {
                self.sweeps.begin(coa, now.mono, AuditKind::Revoked, None);
            }
            (Subject::Realm(coa), _) => self.sweep_realm(coa, &sent.msg, now),
            // 8.1: as if it had been de-registered
            (Subject::Perhaps(id), Outcome::Revoked) => {
                let delay = self.protocol.min_delay_before_bce_delete;
                self.suspend(id, delay, now, actions);
                self.audit_session(AuditKind::Deregistered, id, actions);
                if let Some(waiting) = self.take_last_waiting(id) {
                    self.resume(&waiting, Some(id), now, actions);
                }
            }
            // 8.1: as if it had not been de-registered in time
            (Subject::Perhaps(id), Outcome::Attached | Outcome::Silence) => {
                while let Some(waiting) = self.take_last_waiting(id) {
                    self.resume(&waiting, None, now, actions);
                }
            }
            // Nothing is known: what waits, waits until its time is over.
            (Subject::Perhaps(_), Outcome::Refused) | (Subject::Moved(_), _) => {}
        }
    }

    /// A gateway revokes (8.2).
    pub(super) fn handle_bri(
        &mut self,
        msg: &PeerMsg,
        bri: BindingRevocationIndication,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let digest = digest(msg, bri);
        let last = self.mags.peer(msg.src).and_then(|p| p.answer_to(digest, now.mono));
        if let Some(answer) = last {
            // It is sent again: the same answer, once it is true.
            if !self.sweeps.will_send(answer) {
                actions.push(Action::Send { msg: answer.clone(), held: true });
            }
            return;
        }
        let named = Named::read(msg);
        let verdict = self.judge_bri(msg, bri, &named);
        let answer = match &verdict {
            Err(status) => acknowledge(msg, bri, *status, &named, &[]),
            Ok(Verdict::Sessions(_, missing)) if !missing.is_empty() => {
                let status = RevocationStatus::PARTIAL_SUCCESS;
                acknowledge(msg, bri, status, &named, missing)
            }
            Ok(_) => acknowledge(msg, bri, RevocationStatus::SUCCESS, &named, &[]),
        };
        match verdict {
            Err(status) => {
                actions.push(Action::Send { msg: answer, held: false });
                return note(AuditKind::RevocationDenied(status.0), msg, actions);
            }
            Ok(Verdict::Gateway(coa)) => {
                let (kind, then) = (AuditKind::Revoked, Some(answer.clone()));
                self.sweeps.begin(coa, now.mono, kind, then);
            }
            Ok(Verdict::Ipv4(id)) => {
                self.lose_ipv4(id, actions);
                actions.push(Action::Send { msg: answer.clone(), held: true });
            }
            Ok(Verdict::Sessions(ids, _)) => {
                for id in ids {
                    self.delete(id, AuditKind::Revoked, now, actions);
                }
                actions.push(Action::Send { msg: answer.clone(), held: true });
            }
        }
        if let Some(peer) = self.mags.peer_mut(msg.src) {
            peer.answered(digest, answer, now.mono);
        }
    }

    /// The checks of 6.2.1 and 8.2.
    fn judge_bri(
        &self,
        msg: &PeerMsg,
        bri: BindingRevocationIndication,
        named: &Named,
    ) -> Result<Verdict, RevocationStatus> {
        let global = bri.flags.contains(RevocationFlags::G);
        if bri.trigger.name().is_none() {
            return Err(RevocationStatus::TRIGGER_NOT_SUPPORTED);
        }
        if bri.trigger.is_global() != global {
            return Err(RevocationStatus::FUNCTION_NOT_SUPPORTED);
        }
        // Every binding of ours is a proxy's: without the flag it is not ours that is meant.
        if !bri.flags.contains(RevocationFlags::P) {
            return Err(RevocationStatus::BINDING_DOES_NOT_EXIST);
        }
        if global {
            self.judge_global(msg, bri, named)
        } else {
            self.judge_sessions(msg, bri, named)
        }
    }

    fn judge_global(
        &self,
        msg: &PeerMsg,
        bri: BindingRevocationIndication,
        named: &Named,
    ) -> Result<Verdict, RevocationStatus> {
        // 9.2: the only global trigger that a gateway uses
        if bri.trigger != RevocationTrigger::PER_PEER_POLICY {
            return Err(RevocationStatus::FUNCTION_NOT_SUPPORTED);
        }
        let identity = |address| self.mags.peer(address).and_then(|p| p.identity());
        let claimed = named.mn_id.as_ref();
        let coa = named.coa.unwrap_or(msg.src);
        // 8.2, 13. The other care-of address must be the same gateway's.
        let may = claimed.is_some() && identity(msg.src) == claimed && identity(coa) == claimed;
        if !may {
            return Err(RevocationStatus::GLOBAL_REVOCATION_NOT_AUTHORIZED);
        }
        if self.mags.bindings(coa) == 0 {
            return Err(RevocationStatus::BINDING_DOES_NOT_EXIST);
        }
        Ok(Verdict::Gateway(ProxyCoa(coa)))
    }

    fn judge_sessions(
        &self,
        msg: &PeerMsg,
        bri: BindingRevocationIndication,
        named: &Named,
    ) -> Result<Verdict, RevocationStatus> {
        let mn_id = named.mn_id.as_ref().ok_or(RevocationStatus::REVOKED_MN_IDENTITY_REQUIRED)?;
        // No gateway ends what another one serves, as with a de-registration (RFC 5213 5.3.5 (1)).
        let theirs = |b: &&Bce| {
            (b.mag == msg.src || b.proxy_coa.0 == msg.src)
                && named.coa.is_none_or(|coa| b.proxy_coa.0 == coa)
        };
        let sessions = || self.cache.of_node(mn_id).filter(theirs);
        if bri.flags.contains(RevocationFlags::V) {
            let address = named.ipv4.ok_or(RevocationStatus::IPV4_HOME_ADDRESS_OPTION_REQUIRED)?;
            let bce = sessions().find(|b| b.ipv4.is_some_and(|a| a.home.addr() == address));
            let bce = bce.ok_or(RevocationStatus::BINDING_DOES_NOT_EXIST)?;
            let alone = bce.hnp.is_empty();
            return Ok(if alone {
                Verdict::Sessions(vec![bce.id], Vec::new())
            } else {
                Verdict::Ipv4(bce.id)
            });
        }
        let holds = |p: HomePrefix| sessions().find(|b| b.hnp.contains(&p)).map(|b| b.id);
        let missing: Vec<HomePrefix> =
            named.hnp.iter().copied().filter(|p| holds(*p).is_none()).collect();
        let mut ids: Vec<BindingId> = match named.hnp.as_slice() {
            [] => sessions().map(|b| b.id).collect(),
            prefixes => prefixes.iter().filter_map(|p| holds(*p)).collect(),
        };
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Err(RevocationStatus::BINDING_DOES_NOT_EXIST);
        }
        Ok(Verdict::Sessions(ids, missing))
    }
}

impl Named {
    /// Options that we do not know are skipped (5.1).
    fn read(msg: &PeerMsg) -> Self {
        let mut named = Self::default();
        for option in &msg.options {
            match option {
                MobilityOption::MnId(subtype, id) => named.mn_id = MnId::new(subtype, id),
                MobilityOption::HomeNetworkPrefix(p) => named.hnp.push(p),
                MobilityOption::AlternateCoa(coa) => named.coa = Some(coa),
                MobilityOption::Ipv4HomeAddressRequest(home) => named.ipv4 = Some(home.addr()),
                _ => {}
            }
        }
        named
    }
}

/// The acknowledgement of a gateway's indication (6.1.2): its number, and its flags without those
/// that are reserved. `missing` are the prefixes whose revocation failed (5.2).
fn acknowledge(
    msg: &PeerMsg,
    bri: BindingRevocationIndication,
    status: RevocationStatus,
    named: &Named,
    missing: &[HomePrefix],
) -> PeerMsg {
    let all = RevocationFlags::P | RevocationFlags::V | RevocationFlags::G;
    let flags = RevocationFlags(bri.flags.0 & all.0);
    let mut options = Vec::new();
    if let Some(mn_id) = named.mn_id.as_ref().filter(|_| !missing.is_empty()) {
        options.push(MobilityOption::MnId(mn_id.subtype(), mn_id.bytes()));
        options.extend(missing.iter().map(|p| MobilityOption::HomeNetworkPrefix(*p)));
    }
    PeerMsg {
        node: None,
        src: msg.dst,
        dst: msg.src,
        transport: msg.transport,
        body: PeerBody::Bra(BindingRevocationAck { status, seq: bri.seq, flags }),
        // They were parsed: none can be too long.
        options: OwnedOptions::from_options(&options).unwrap_or_default(),
    }
}

/// Of an indication, to know it again.
fn digest(msg: &PeerMsg, bri: BindingRevocationIndication) -> u64 {
    let fixed = Digest::new(0)
        .field(&[bri.trigger.0])
        .field(&bri.seq.0.to_be_bytes())
        .field(&bri.flags.0.to_be_bytes());
    msg.options.options().encoded().fold(fixed, Digest::field).finish()
}

/// Notes what became of a gateway's message.
pub(super) fn note(kind: AuditKind, msg: &PeerMsg, actions: &mut Vec<Action>) {
    let proxy_coa = Some(ProxyCoa(msg.src));
    actions.push(Action::Audit(Audit { kind, mn_id: None, proxy_coa }));
}

/// Indications that one Binding Error brings to an end.
const CONCLUSIONS_MAX: usize = 64;
