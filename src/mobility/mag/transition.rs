//! The session's state machine: one `match (state, input)`.
//!
//! ```text
//!   Attach --> Registering --accepted--> Bound(Steady) --refresh time--> Bound(Probing)
//!                 |    ^                    ^   |                            | Present
//!         refused |    | Retry, timer       |   |                            v
//!                 v    |                    |   |  <------accepted------ Bound(Refreshing)
//!               Denied-+                    |   |                            |
//!                 ^                         |   | Detach, no answer to probes| echo differs
//!                 +---------refused---------+   v                            v
//!                                         Deregistering --> Gone        Bound(Suspended)
//! ```

use crate::mobility::mag::Shared;
use crate::mobility::mag::ack::Verdict;
use crate::mobility::mag::action::{Action, Audit, AuditKind, PbaFault};
use crate::mobility::mag::event::{Attachment, Gre};
use crate::mobility::mag::exchange::{
    Ask, Exchange, INITIAL_BINDACK_TIMEOUT, MAX_BINDACK_TIMEOUT, Release, Sent,
};
use crate::mobility::mag::session::{
    Binding, Care, ClockOffset, Denial, Input, Session, State, Until, Want,
};
use crate::mobility::mag::update::{Extensions, UpdateContents};
use crate::time::{Duration, Instant, Lifetime, MobTimestamp, Now};
use crate::wire::mh::option::HandoffIndicator;
use crate::wire::mh::{BindingAck, BuFlags, Ipv4Home, SeqNo, Status};
use std::net::Ipv6Addr;

/// `MAX_UNICAST_SOLICIT` (RFC 4861 section 10): probes before a node is taken for gone.
const PROBES: u8 = 3;
/// `RETRANS_TIMER` (RFC 4861 section 10).
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// How often a gateway whose clock the anchor refused looks whether it was set.
const CLOCK_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A session at one moment, with what a transition may touch.
pub(super) struct Cx<'a> {
    pub(super) s: &'a mut Session,
    pub(super) now: Now,
    pub(super) shared: &'a mut Shared,
    pub(super) actions: &'a mut Vec<Action>,
}

impl Session {
    /// A node attached: creates the entry and sends the first update (RFC 5213 6.9.1.1).
    pub(super) fn register(
        at: Attachment,
        now: Now,
        shared: &mut Shared,
        actions: &mut Vec<Action>,
    ) -> Self {
        let mut session = Self {
            want: Want::of(&at.node),
            seq: at.last_seq.unwrap_or_default(),
            attachment: at,
            state: State::Gone,
            last_timestamp: MobTimestamp::default(),
            indexed: None,
        };
        let mut cx = Cx { s: &mut session, now, shared, actions };
        let state = cx.registering();
        session.state = state;
        session
    }
}

/// Takes one input; the session is gone if its state says so afterwards.
pub(super) fn step(
    s: &mut Session,
    input: Input,
    now: Now,
    shared: &mut Shared,
    actions: &mut Vec<Action>,
) {
    let state = core::mem::replace(&mut s.state, State::Gone);
    let mut cx = Cx { s, now, shared, actions };
    let next = cx.next(state, input);
    s.state = next;
}

impl Cx<'_> {
    fn next(&mut self, state: State, input: Input) -> State {
        match (state, input) {
            (State::Registering(x), Input::Answer(v)) => self.registration_answered(x, v),
            (State::Registering(mut x), Input::Timeout) => {
                self.transmit_if_due(&mut x);
                State::Registering(x)
            }
            // The anchor may have accepted, and only its answer was lost: it has to know.
            (State::Registering(_), Input::Detach { .. }) => self.deregistering(),
            (State::Registering(x), Input::Seen { link_local }) => {
                self.note(link_local);
                State::Registering(x)
            }
            (State::Registering(x), Input::Present | Input::Retry | Input::MtuChanged) => {
                State::Registering(x)
            }

            (State::Bound(b, Care::Refreshing(x)), Input::Answer(v)) => {
                self.refresh_answered(b, x, v)
            }
            (State::Bound(b, care), Input::Timeout) => self.bound_timeout(b, care),
            (State::Bound(b, _), Input::Detach { terminate }) => {
                self.unbind(&b, terminate);
                self.deregistering()
            }
            (State::Bound(b, _), Input::Moved) => {
                self.unbind(&b, false);
                self.audit(AuditKind::Moved);
                State::Gone
            }
            (State::Bound(b, care), Input::Seen { link_local }) => {
                self.note(link_local);
                self.seen_while_bound(b, care)
            }
            (State::Bound(b, care), Input::Present) if b.challenge.is_some() => {
                self.challenge_met(b, care)
            }
            (State::Bound(b, Care::Probing { .. }), Input::Present) => self.refreshing(b, None),
            // An operator's retry also refreshes what needs no repair.
            (State::Bound(b, Care::Steady | Care::Suspended), Input::Retry) => {
                self.s.want.restore(&self.s.attachment.node);
                self.refreshing(b, None)
            }
            (State::Bound(mut b, care), Input::MtuChanged) => {
                self.follow_mtu(&mut b);
                State::Bound(b, care)
            }
            (State::Bound(b, care), Input::OfBinding(what)) => self.of_binding(b, care, what),
            (State::Bound(b, care), Input::Present | Input::Retry | Input::Answer(_)) => {
                State::Bound(b, care)
            }

            (State::Deregistering { .. }, Input::Answer(Verdict::Accepted(_))) => {
                self.audit(AuditKind::Deregistered);
                State::Gone
            }
            (State::Deregistering { exchange, until }, Input::Answer(v)) => {
                self.audit_unaccepted(&v);
                State::Deregistering { exchange, until }
            }
            (State::Deregistering { exchange, until }, Input::Timeout) => {
                self.deregistration_timeout(exchange, until)
            }
            (s, Input::OfBinding(_))
            | (
                s @ State::Deregistering { .. },
                Input::Seen { .. }
                | Input::Present
                | Input::Detach { .. }
                | Input::Moved
                | Input::Retry
                | Input::MtuChanged,
            ) => s,

            (State::Denied(_), Input::Retry) => {
                self.s.want.restore(&self.s.attachment.node);
                self.registering()
            }
            (State::Denied(d), Input::Timeout) => self.denial_timeout(d),
            // Nothing of it is left at the anchor.
            (State::Denied(_) | State::Registering(_), Input::Moved)
            | (State::Denied(_), Input::Detach { .. })
            | (State::Gone, _) => State::Gone,
            (State::Denied(d), Input::Seen { link_local }) => {
                self.note(link_local);
                State::Denied(d)
            }
            (State::Denied(d), Input::Present | Input::MtuChanged | Input::Answer(_)) => {
                State::Denied(d)
            }
        }
    }

    fn registration_answered(&mut self, x: Exchange, verdict: Verdict) -> State {
        match verdict {
            Verdict::Accepted(grant) => {
                self.audit(AuditKind::Registered);
                self.bind(None, grant)
            }
            Verdict::Refused(ack) => self.refused(x, ack),
            Verdict::EchoDiffers => {
                self.audit(AuditKind::PbaIgnored(PbaFault::EchoDiffers));
                // RFC 5213 6.9.1.2 (6)
                State::Denied(Denial { status: None, until: Until::Admin })
            }
            Verdict::Ignored(why) => {
                self.audit(AuditKind::PbaIgnored(why));
                State::Registering(x)
            }
        }
    }

    fn refresh_answered(&mut self, b: Binding, x: Exchange, verdict: Verdict) -> State {
        if let Some(release) = x.ask.release {
            return self.release_answered(b, x, release.family(), &verdict);
        }
        match verdict {
            Verdict::Accepted(grant) => {
                self.audit(AuditKind::Refreshed);
                self.bind(Some(b), grant)
            }
            Verdict::Refused(ack) if self.is_sequence_advice(ack) => {
                let x = self.follow_sequence_advice(&x, ack.seq);
                State::Bound(b, Care::Refreshing(x))
            }
            Verdict::Refused(ack) => {
                // RFC 5213 6.9.1.2 (11)
                self.unbind(&b, true);
                self.refused(x, ack)
            }
            Verdict::EchoDiffers => {
                self.audit(AuditKind::PbaIgnored(PbaFault::EchoDiffers));
                State::Bound(b, Care::Suspended)
            }
            Verdict::Ignored(why) => {
                self.audit(AuditKind::PbaIgnored(why));
                State::Bound(b, Care::Refreshing(x))
            }
        }
    }

    /// The reactions of RFC 5213 6.9.1.2 (7) to (11), each status where it belongs.
    fn refused(&mut self, mut x: Exchange, ack: BindingAck) -> State {
        if self.is_sequence_advice(ack) {
            return State::Registering(self.follow_sequence_advice(&x, ack.seq));
        }
        self.audit(AuditKind::Refused(ack.status.0));
        let until = match ack.status {
            // (8): register again, to reassert the node's presence; at the pace of retransmissions,
            // for the anchor may have accepted a later update of another gateway. RFC 4285 6 has
            // the same for its own time, which is corrected where it is put in.
            Status::TIMESTAMP_LOWER_THAN_PREV_ACCEPTED | Status::MIPV6_ID_MISMATCH => {
                if x.ask.handoff == HandoffIndicator::NOT_CHANGED {
                    x.ask = self.registration();
                }
                return State::Registering(x);
            }
            // (9): only after the clock was set; not from the anchor's timestamp.
            Status::TIMESTAMP_MISMATCH => Until::ClockSet {
                offset: ClockOffset::of(self.now),
                check_at: self.now.mono + CLOCK_CHECK_INTERVAL,
            },
            // (10): not the same prefixes again, but any. A set that does not match the anchor's is
            // no better known.
            Status::NOT_AUTHORIZED_FOR_HOME_NETWORK_PREFIX
            | Status::BCE_PBU_PREFIX_SET_DO_NOT_MATCH
                if !self.s.want.prefixes.is_empty() && self.s.want.ipv6 =>
            {
                self.s.want.prefixes.clear();
                return self.registering();
            }
            status if self.wants_less(status) => return self.registering(),
            // It may pass: the anchor is short of something, or does not say what.
            Status::REASON_UNSPECIFIED | Status::INSUFFICIENT_RESOURCES => {
                Until::At(self.now.mono + MAX_BINDACK_TIMEOUT)
            }
            // (7) and every other: nothing that we could send again would be better.
            _ => Until::Admin,
        };
        State::Denied(Denial { status: Some(ack.status), until })
    }

    /// Statuses after which something else may be asked for (RFC 5844 3.2.3.2, RFC 5845 4.2).
    fn wants_less(&mut self, status: Status) -> bool {
        let lma = self.s.attachment.node.lma;
        let want = &mut self.s.want;
        match status {
            Status::NOT_AUTHORIZED_FOR_IPV4_MOBILITY_SERVICE if want.ipv4.is_some() => {
                want.ipv4 = None;
                want.ipv4_denied = true;
            }
            // Not the same address again, but any.
            Status::NOT_AUTHORIZED_FOR_IPV4_HOME_ADDRESS
                if want.ipv4.is_some_and(|home| home != Ipv4Home::ANY) =>
            {
                want.ipv4 = Some(Ipv4Home::ANY);
            }
            Status::NOT_AUTHORIZED_FOR_IPV6_MOBILITY_SERVICE if want.ipv6 => want.ipv6 = false,
            Status::GRE_KEY_OPTION_REQUIRED if want.gre != Gre::Keys => {
                want.gre = Gre::Keys;
                self.shared.without_gre.remove(&lma);
            }
            _ => return false,
        }
        self.s.want.is_something()
    }

    /// Status 135 under sequence numbers: not the binding is refused, but the number.
    fn is_sequence_advice(&self, ack: BindingAck) -> bool {
        ack.status == Status::SEQUENCE_NUMBER_OUT_OF_WINDOW && !self.shared.config.timestamps
    }

    /// RFC 6275 11.7.3: go on from the number that the anchor has.
    fn follow_sequence_advice(&mut self, x: &Exchange, last: SeqNo) -> Exchange {
        self.audit(AuditKind::Refused(Status::SEQUENCE_NUMBER_OUT_OF_WINDOW.0));
        self.s.seq = last;
        let mut next = Exchange::new(x.ask, self.now.mono);
        self.transmit_if_due(&mut next);
        next
    }

    fn denial_timeout(&mut self, d: Denial) -> State {
        match d.until {
            Until::At(at) if at <= self.now.mono => self.registering(),
            Until::ClockSet { offset, check_at } if check_at <= self.now.mono => {
                if ClockOffset::of(self.now).was_set_since(offset) {
                    return self.registering();
                }
                let check_at = self.now.mono + CLOCK_CHECK_INTERVAL;
                State::Denied(Denial { until: Until::ClockSet { offset, check_at }, ..d })
            }
            Until::Admin | Until::At(_) | Until::ClockSet { .. } => State::Denied(d),
        }
    }

    fn bound_timeout(&mut self, mut b: Binding, care: Care) -> State {
        let now = self.now.mono;
        if b.expires_at <= now {
            return self.expired(&b, care);
        }
        if b.advert.next_at() <= now {
            self.advertise(&mut b);
        }
        if b.challenge.as_ref().is_some_and(|c| c.at() <= now) {
            return self.challenge_timeout(b, care);
        }
        match care {
            Care::Steady if b.refresh_at <= now => {
                self.probe();
                let care = Care::Probing { left: PROBES - 1, at: now + PROBE_INTERVAL };
                State::Bound(b, care)
            }
            Care::Probing { left: 0, at } if at <= now => {
                // RFC 5213 6.13: its presence cannot be told, so its binding is ended.
                self.audit(AuditKind::Unreachable);
                self.unbind(&b, false);
                self.deregistering()
            }
            Care::Probing { left, at } if at <= now => {
                self.probe();
                State::Bound(b, Care::Probing { left: left - 1, at: now + PROBE_INTERVAL })
            }
            Care::Refreshing(x) if x.ask.release.is_some() && x.is_worn() && x.next_at() <= now => {
                State::Bound(b, Care::Steady)
            }
            Care::Refreshing(mut x) => {
                self.transmit_if_due(&mut x);
                State::Bound(b, Care::Refreshing(x))
            }
            Care::Steady | Care::Probing { .. } | Care::Suspended => State::Bound(b, care),
        }
    }

    /// The binding ended while its re-registration had no answer.
    fn expired(&mut self, b: &Binding, care: Care) -> State {
        self.audit(AuditKind::Expired);
        self.unbind(b, true);
        match care {
            Care::Suspended => State::Denied(Denial { status: None, until: Until::Admin }),
            // RFC 5213 6.9.4 (2), (3): on at the slower rate, now as a first registration.
            Care::Refreshing(mut x) => {
                // What was released may be asked for again: the node is there.
                x.ask = self.registration();
                self.transmit_if_due(&mut x);
                State::Registering(x)
            }
            Care::Steady | Care::Probing { .. } => self.deregistering(),
        }
    }

    fn deregistration_timeout(&mut self, mut x: Exchange, until: Instant) -> State {
        if until <= self.now.mono {
            // RFC 5213 6.9.1.4: after INITIAL_BINDACK_TIMEOUT the entry goes, answered or not.
            self.audit(AuditKind::DeregistrationUnanswered);
            return State::Gone;
        }
        if !x.was_sent() {
            self.transmit_if_due(&mut x);
        }
        State::Deregistering { exchange: x, until }
    }

    pub(super) fn registering(&mut self) -> State {
        let mut x = Exchange::new(self.registration(), self.now.mono);
        self.transmit_if_due(&mut x);
        State::Registering(x)
    }

    pub(super) fn registration(&self) -> Ask {
        Ask {
            handoff: self.s.attachment.hint.indicator(),
            lifetime: self.shared.config.lifetime,
            upload: None,
            release: None,
        }
    }

    pub(super) fn refreshing(&mut self, b: Binding, upload: Option<Ipv6Addr>) -> State {
        // RFC 5213 6.9.1.3
        let lifetime = self.shared.config.lifetime;
        let ask = Ask { handoff: HandoffIndicator::NOT_CHANGED, lifetime, upload, release: None };
        let mut x = Exchange::new(ask, self.now.mono);
        self.transmit_if_due(&mut x);
        State::Bound(b, Care::Refreshing(x))
    }

    pub(super) fn deregistering(&mut self) -> State {
        // RFC 5213 6.9.1.4 (3): handoff state unknown.
        let ask = Ask::deregistration(None);
        let mut x = Exchange::new(ask, self.now.mono);
        self.transmit_if_due(&mut x);
        // MAX_UPDATE_RATE may hold it back: the wait begins when it leaves.
        let sent = x.was_sent();
        let until = x.next_at() + if sent { Duration::ZERO } else { INITIAL_BINDACK_TIMEOUT };
        State::Deregistering { exchange: x, until }
    }

    /// Sends the request if its time has come and `MAX_UPDATE_RATE` lets it.
    ///
    /// RFC 5213 6.9.4 (2): the node is still attached, for a link that goes down detaches it.
    pub(super) fn transmit_if_due(&mut self, x: &mut Exchange) {
        let now = self.now.mono;
        let at = &self.s.attachment;
        let interface = (at.node.mn_id.clone(), at.mn_ll_id.clone());
        let rate = self.shared.rates.entry(interface).or_default();
        x.postpone(rate.earliest(x.next_at()));
        if x.next_at() > now {
            return;
        }
        rate.record(now);
        if x.was_sent() {
            self.audit(AuditKind::Retransmitted);
        }
        let (seq, timestamp) = self.order();
        let sent = Sent { seq, timestamp, at: now };
        self.assign_key();
        let msg = self.contents(x.ask, sent).message();
        self.actions.push(Action::SendPbu(msg));
        x.record(sent);
    }

    /// What an update says.
    fn contents(&self, ask: Ask, sent: Sent) -> UpdateContents<'_> {
        let (config, want, node) = (&self.shared.config, &self.s.want, &self.s.attachment.node);
        let fixed = config.fixed_link_local.is_some();
        // RFC 5844 3.2.3.3: each family only where it is asked for, or was assigned.
        let (ipv6, ipv4) = match ask.release {
            None => (want.ipv6, want.ipv4),
            Some(Release::Ipv4(home)) => (false, Some(home)),
            Some(Release::Ipv6) => (true, None),
        };
        UpdateContents {
            // The configuration has an address of the family of each anchor.
            proxy_coa: config.coa_to(node.lma).unwrap_or(config.proxy_coa),
            lma: node.lma,
            mn_id: &node.mn_id,
            prefixes: ipv6.then_some(&want.prefixes),
            handoff: ask.handoff,
            att: node.att,
            mn_ll_id: self.s.attachment.mn_ll_id.as_ref(),
            // RFC 5213 6.9.1.1 (9)
            link_local: (!fixed).then(|| ask.upload.unwrap_or(Ipv6Addr::UNSPECIFIED)),
            timestamp: sent.timestamp,
            seq: sent.seq,
            lifetime: ask.lifetime,
            extensions: Extensions { ipv4, ..self.extensions(ask) },
        }
    }

    fn extensions(&self, ask: Ask) -> Extensions<'_> {
        let (config, node) = (&self.shared.config, &self.s.attachment.node);
        // RFC 5845 4.2: not in a de-registration, nor to an anchor that does not know it.
        let registers = ask.lifetime != Lifetime::ZERO;
        let knows = !self.shared.without_gre.contains(&node.lma);
        let gre = self.s.want.gre_option().filter(|_| registers && knows);
        let mut flags = BuFlags::default();
        if config.force_udp && node.lma.0.to_ipv4_mapped().is_some() {
            // RFC 5844 4.2.2.1; RFC 5845 7.3: GRE in UDP needs the TLV-header.
            flags = BuFlags::F | if gre.is_some() { BuFlags::T } else { flags };
        }
        Extensions {
            ipv4: None,
            gre,
            flags,
            // RFC 5149 4.1: in the first update only.
            service: node.service.as_deref().filter(|_| ask.is_initial()),
            access_network: config.access_network.as_deref(),
            user_plane: config.user_plane_to(node.lma),
            ask_user_plane: config.ask_user_plane,
        }
    }

    /// Our key for the packets to the node, the same for the session's life.
    fn assign_key(&mut self) {
        if self.s.want.gre == Gre::Keys && self.s.want.key.is_none() {
            self.s.want.key = Some(self.shared.keys.assign());
        }
    }

    /// A new sequence number, and a new timestamp if they are in use, for every transmission
    /// (RFC 5213 6.9.4 (4)).
    fn order(&mut self) -> (SeqNo, Option<MobTimestamp>) {
        if !self.shared.config.timestamps {
            self.s.seq = self.s.seq.next();
            return (self.s.seq, None);
        }
        self.shared.seq = self.shared.seq.next();
        // The clock's grain is 15 us; what it cannot tell apart still has to increase. A clock that
        // was set back is believed.
        let wall = self.now.wall;
        let at = if wall == self.s.last_timestamp {
            MobTimestamp(wall.0.saturating_add(1))
        } else {
            wall
        };
        self.s.last_timestamp = at;
        (self.shared.seq, Some(at))
    }

    pub(super) fn probe(&mut self) {
        self.actions.push(Action::Probe {
            link: self.s.attachment.link.id,
            node_link_local: self.s.attachment.node_link_local,
        });
    }

    fn note(&mut self, node_link_local: Option<Ipv6Addr>) {
        if node_link_local.is_some() {
            self.s.attachment.node_link_local = node_link_local;
        }
    }

    pub(super) fn audit(&mut self, kind: AuditKind) {
        self.actions.push(Action::Audit(Audit {
            kind,
            link: Some(self.s.attachment.link.id),
            mn_id: Some(self.s.attachment.node.mn_id.clone()),
        }));
    }

    pub(super) fn audit_unaccepted(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Accepted(_) => {}
            Verdict::Refused(ack) => self.audit(AuditKind::Refused(ack.status.0)),
            Verdict::EchoDiffers => self.audit(AuditKind::PbaIgnored(PbaFault::EchoDiffers)),
            Verdict::Ignored(why) => self.audit(AuditKind::PbaIgnored(*why)),
        }
    }
}
