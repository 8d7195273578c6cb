//! Binding revocation (RFC 5846): what an anchor revokes here, and what we revoke there.
//!
//! ```text
//!   Bri --> which sessions? --> none: 128, 131; not as it should be: 129, 133, 134
//!                |
//!                +-- handoff trigger: probe the node --> there: 132 | gone: unbind, 0
//!                +-- V: the IPv4 home address alone
//!                +-- else: unbind, 0 (1 if only some are there)
//! ```

use crate::addr::{AnchorAddr, HomePrefix, MnId};
use crate::mobility::mag::Mag;
use crate::mobility::mag::action::{Action, Audit, AuditKind};
use crate::mobility::mag::event::LinkId;
use crate::mobility::mag::session::{Binding, Care, Input, OfBinding, Session, State};
use crate::mobility::mag::transition::Cx;
use crate::mobility::message::{OwnedOptions, PeerBody, PeerMsg};
use crate::time::{Duration, Instant, Now};
use crate::wire::mh::{
    BindingRevocationAck, BindingRevocationIndication, Ipv4Home, MobilityOption, RevocationFlags,
    RevocationStatus, RevocationTrigger, SeqNo,
};
use arrayvec::ArrayVec;
use std::net::Ipv6Addr;

/// Probes before a node that is said to have left is taken for gone.
const CHALLENGE_PROBES: u8 = 3;
/// Between them: the answer has to come before the anchor asks again (RFC 5846 11: one second).
const CHALLENGE_INTERVAL: Duration = Duration::from_millis(250);
/// Answers that are kept for an indication that comes again.
const ANSWERS_MAX: usize = 64;
/// How long they are kept: longer than an anchor repeats itself (RFC 5846 11).
const ANSWER_KEPT: Duration = Duration::from_secs(10);

/// A revocation that waits until it is known whether the node is still there (RFC 5846 9.1).
#[derive(Debug)]
pub(super) struct Challenge {
    bri: PeerMsg,
    left: u8,
    at: Instant,
}

impl Challenge {
    /// When the next probe, or the end, is due.
    pub(super) fn at(&self) -> Instant {
        self.at
    }
}

/// The latest answers: an indication that comes again is answered alike.
#[derive(Debug, Default)]
pub(super) struct Answers(ArrayVec<(Instant, PeerMsg), ANSWERS_MAX>);

impl Answers {
    /// The answer to this very indication.
    fn find(&self, bri: &PeerMsg, seq: SeqNo, now: Instant) -> Option<PeerMsg> {
        let same = |(at, bra): &&(Instant, PeerMsg)| {
            let answers = matches!(&bra.body, PeerBody::Bra(b) if b.seq == seq);
            now.since(*at) < ANSWER_KEPT && answers && bra.dst == bri.src
        };
        self.0.iter().rev().find(same).map(|(_, bra)| bra.clone())
    }

    fn keep(&mut self, bra: &PeerMsg, now: Instant) {
        if self.0.is_full() {
            self.0.remove(0);
        }
        self.0.push((now, bra.clone()));
    }
}

/// What an indication names.
#[derive(Debug, Default)]
struct Named {
    mn_id: Option<MnId>,
    prefixes: Vec<HomePrefix>,
    ipv4: Option<Ipv4Home>,
    /// The Proxy-CoA of the sessions, in an Alternate Care-of Address.
    coa: Option<Ipv6Addr>,
    /// Whether it names anything at all.
    anything: bool,
}

impl Named {
    fn read(options: &OwnedOptions) -> Self {
        let mut named = Self::default();
        for option in options {
            match option {
                MobilityOption::MnId(subtype, id) => named.mn_id = MnId::new(subtype, id),
                MobilityOption::HomeNetworkPrefix(p) => named.prefixes.push(p),
                MobilityOption::Ipv4HomeAddressRequest(home) => named.ipv4 = Some(home),
                // They say who speaks and to whom, not of whom.
                MobilityOption::AlternateCoa(coa) => {
                    named.coa = Some(coa);
                    continue;
                }
                MobilityOption::MessageAuth(..) | MobilityOption::ReplayProtection(_) => continue,
                _ => {}
            }
            named.anything = true;
        }
        named
    }

    /// Of the node itself; with prefixes, the session that has one of them.
    fn is(&self, s: &Session, b: &Binding) -> bool {
        let node = self.mn_id.as_ref() == Some(&s.attachment.node.mn_id);
        node && self.coa.is_none_or(|coa| b.path.coa.0 == coa)
            && (self.prefixes.is_empty() || b.prefixes.iter().any(|p| self.prefixes.contains(p)))
    }

    /// Of the realm that a Network Access Identifier ends with; of those, what else is named
    /// (RFC 5846 8.1).
    fn is_of_realm(&self, s: &Session, b: &Binding) -> bool {
        let realms = self.mn_id.as_ref().and_then(MnId::realm).zip(s.attachment.node.mn_id.realm());
        let within = |p: &HomePrefix| self.prefixes.iter().any(|set| set.covers(*p));
        realms.is_some_and(|(named, own)| own.eq_ignore_ascii_case(named))
            && self.coa.is_none_or(|coa| b.path.coa.0 == coa)
            && (self.prefixes.is_empty() || b.prefixes.iter().any(within))
    }
}

impl Mag {
    /// RFC 5846 6.2.1, 9.1
    pub(super) fn bri(
        &mut self,
        msg: &PeerMsg,
        bri: BindingRevocationIndication,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        if let Some(bra) = self.shared.answers.find(msg, bri.seq, now.mono) {
            actions.push(Action::Send(bra));
            return;
        }
        if self.is_challenged(msg, bri.seq) {
            return;
        }
        let named = Named::read(&msg.options);
        let only_ipv4 = bri.flags.contains(RevocationFlags::V);
        let status = match self.revoked(msg, bri, &named) {
            Ok(links) if is_handoff(bri.trigger) && !only_ipv4 => {
                // Answered once it is known whether the node is there.
                for link in links {
                    let (bri, at) = (msg.clone(), now.mono + CHALLENGE_INTERVAL);
                    let challenge = Challenge { bri, left: CHALLENGE_PROBES - 1, at };
                    let input = Input::OfBinding(OfBinding::Challenged(challenge));
                    self.step(link, input, now, actions);
                }
                return;
            }
            Ok(links) => {
                let missing = !only_ipv4 && self.misses_some(&links, &named);
                for link in links {
                    let what = if only_ipv4 { OfBinding::Ipv4Revoked } else { OfBinding::Revoked };
                    self.step(link, Input::OfBinding(what), now, actions);
                }
                if missing { RevocationStatus::PARTIAL_SUCCESS } else { RevocationStatus::SUCCESS }
            }
            Err(status) => {
                let kind = AuditKind::RevocationRefused(status.0);
                actions.push(Action::Audit(Audit { kind, link: None, mn_id: named.mn_id }));
                status
            }
        };
        let bra = answer(msg, bri, status);
        self.shared.answers.keep(&bra, now.mono);
        actions.push(Action::Send(bra));
    }

    /// The sessions that an indication revokes, or why it is refused.
    fn revoked(
        &self,
        msg: &PeerMsg,
        bri: BindingRevocationIndication,
        named: &Named,
    ) -> Result<Vec<LinkId>, RevocationStatus> {
        let global = bri.flags.contains(RevocationFlags::G);
        if bri.trigger.name().is_none() {
            return Err(RevocationStatus::TRIGGER_NOT_SUPPORTED);
        }
        // RFC 5846 6.2.1; all our bindings are proxy ones.
        if global != bri.trigger.is_global() || !bri.flags.contains(RevocationFlags::P) {
            return Err(RevocationStatus::FUNCTION_NOT_SUPPORTED);
        }
        let lma = AnchorAddr(msg.src);
        match bri.trigger {
            // RFC 5846 9.1: no mobility options.
            RevocationTrigger::PER_PEER_POLICY if named.anything => {
                Err(RevocationStatus::FUNCTION_NOT_SUPPORTED)
            }
            RevocationTrigger::PER_PEER_POLICY => {
                existing(self.bound_to(lma, |_, _| true), RevocationStatus::BINDING_DOES_NOT_EXIST)
            }
            RevocationTrigger::LOCAL_POLICY => existing(
                self.bound_to(lma, |s, b| named.is_of_realm(s, b)),
                RevocationStatus::REVOKED_MN_IDENTITY_REQUIRED,
            ),
            _ if bri.flags.contains(RevocationFlags::V) => {
                let home = named.ipv4.ok_or(RevocationStatus::IPV4_HOME_ADDRESS_OPTION_REQUIRED)?;
                let has = |b: &Binding| b.ipv4.is_some_and(|l| l.home.addr() == home.addr());
                let links = self.bound_to(lma, |s, b| named.is(s, b) && has(b));
                existing(links, RevocationStatus::BINDING_DOES_NOT_EXIST)
            }
            _ => existing(
                self.bound_to(lma, |s, b| named.is(s, b)),
                RevocationStatus::BINDING_DOES_NOT_EXIST,
            ),
        }
    }

    /// Links that are bound to an anchor and fit.
    fn bound_to(&self, lma: AnchorAddr, fits: impl Fn(&Session, &Binding) -> bool) -> Vec<LinkId> {
        let bound = self.sessions.iter().filter(|(_, s)| s.attachment.node.lma == lma);
        bound.filter(|(_, s)| s.binding().is_some_and(|b| fits(s, b))).map(|(l, _)| *l).collect()
    }

    /// Whether one of the prefixes that are named is released already (RFC 5846 9.1).
    fn misses_some(&self, links: &[LinkId], named: &Named) -> bool {
        let bindings = || links.iter().filter_map(|l| self.sessions.get(l)?.binding());
        named.prefixes.iter().any(|p| !bindings().any(|b| b.prefixes.contains(p)))
    }

    fn is_challenged(&self, msg: &PeerMsg, seq: SeqNo) -> bool {
        self.sessions.values().filter_map(Session::binding).any(|b| {
            let asked = b.challenge.as_ref().map(|c| &c.bri);
            asked.is_some_and(|c| {
                c.src == msg.src && matches!(c.body, PeerBody::Bri(bri) if bri.seq == seq)
            })
        })
    }

    /// Ends all sessions with an anchor, without a word to it: it knows (RFC 5846 9.2).
    pub(super) fn drop_all(&mut self, lma: AnchorAddr, now: Now, actions: &mut Vec<Action>) {
        for link in self.bound_to(lma, |_, _| true) {
            self.step(link, Input::OfBinding(OfBinding::Revoked), now, actions);
        }
    }
}

impl Cx<'_> {
    pub(super) fn challenged(&mut self, mut b: Binding, care: Care, c: Challenge) -> State {
        b.challenge = Some(c);
        self.probe();
        State::Bound(b, care)
    }

    /// The node is still there (RFC 5846 9.1).
    pub(super) fn challenge_met(&mut self, mut b: Binding, care: Care) -> State {
        if let Some(challenge) = b.challenge.take() {
            let status = RevocationStatus::MN_IS_ATTACHED;
            self.audit(AuditKind::RevocationRefused(status.0));
            self.answer_challenge(&challenge, status);
        }
        match care {
            Care::Probing { .. } => self.refreshing(b, None),
            Care::Steady | Care::Refreshing(_) | Care::Suspended => State::Bound(b, care),
        }
    }

    /// No answer yet, or none at all: the node left.
    pub(super) fn challenge_timeout(&mut self, mut b: Binding, care: Care) -> State {
        match b.challenge.take() {
            Some(c) if c.left > 0 => {
                self.probe();
                let at = self.now.mono + CHALLENGE_INTERVAL;
                b.challenge = Some(Challenge { left: c.left - 1, at, ..c });
                State::Bound(b, care)
            }
            Some(c) => {
                self.audit(AuditKind::Revoked);
                self.unbind(&b, false);
                self.answer_challenge(&c, RevocationStatus::SUCCESS);
                State::Gone
            }
            None => State::Bound(b, care),
        }
    }

    fn answer_challenge(&mut self, challenge: &Challenge, status: RevocationStatus) {
        if let PeerBody::Bri(bri) = challenge.bri.body {
            let bra = answer(&challenge.bri, bri, status);
            self.shared.answers.keep(&bra, self.now.mono);
            self.actions.push(Action::Send(bra));
        }
    }
}

/// RFC 5846 9.1: whether the trigger says that the node went to another gateway.
fn is_handoff(trigger: RevocationTrigger) -> bool {
    matches!(
        trigger,
        RevocationTrigger::HANDOFF_SAME_ACCESS_TYPE
            | RevocationTrigger::HANDOFF_DIFFERENT_ACCESS_TYPE
            | RevocationTrigger::HANDOFF_UNKNOWN
    )
}

fn existing(links: Vec<LinkId>, none: RevocationStatus) -> Result<Vec<LinkId>, RevocationStatus> {
    if links.is_empty() { Err(none) } else { Ok(links) }
}

/// RFC 5846 6.1.2: back to where the indication came from, with its number and flags.
fn answer(msg: &PeerMsg, bri: BindingRevocationIndication, status: RevocationStatus) -> PeerMsg {
    let named = RevocationFlags::P.0 | RevocationFlags::G.0 | RevocationFlags::V.0;
    let flags = RevocationFlags(bri.flags.0 & named);
    PeerMsg {
        node: None,
        src: msg.dst,
        dst: msg.src,
        transport: msg.transport,
        body: PeerBody::Bra(BindingRevocationAck { status, seq: bri.seq, flags }),
        options: OwnedOptions::default(),
    }
}
