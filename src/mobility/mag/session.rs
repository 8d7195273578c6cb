//! One entry of the Binding Update List (RFC 5213 6.1) and the state it is in.

use crate::addr::{AnchorAddr, HomePrefix, MnId};
use crate::mobility::mag::ack::{AckOptions, Match, Verdict};
use crate::mobility::mag::action::PbaFault;
use crate::mobility::mag::advert::AdvertTimer;
use crate::mobility::mag::event::{Attachment, LinkId};
use crate::mobility::mag::exchange::{Exchange, Sent};
use crate::mobility::message::AckMsg;
use crate::time::{Instant, MobTimestamp, Now};
use crate::wire::mh::{BindingAck, SeqNo, Status};
use serde::{Deserialize, Serialize};
use std::net::Ipv6Addr;

/// One node on one link.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) attachment: Attachment,
    /// Prefixes to ask for: the policy's, or those that the anchor assigned before.
    pub(super) wanted: Vec<HomePrefix>,
    pub(super) state: State,
    /// Without timestamps: the session's own sequence number.
    pub(super) seq: SeqNo,
    pub(super) last_timestamp: MobTimestamp,
    /// The deadline under which the gateway has filed this session.
    pub(super) indexed: Option<Instant>,
}

/// Where a session stands.
#[derive(Debug)]
pub(super) enum State {
    /// The first registration is on its way.
    Registering(Exchange),
    /// The anchor accepted: routes are in place, prefixes are advertised.
    Bound(Binding, Care),
    /// The node left; the anchor is told.
    Deregistering { exchange: Exchange, until: Instant },
    /// The anchor refused.
    Denied(Denial),
    /// Nothing is left; the entry is removed after the step.
    Gone,
}

/// What was granted and is in force.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) prefixes: Vec<HomePrefix>,
    /// Ours, on the access link.
    pub(super) link_local: Ipv6Addr,
    pub(super) expires_at: Instant,
    pub(super) refresh_at: Instant,
    pub(super) advert: AdvertTimer,
}

/// What is being done about a binding's end.
#[derive(Debug)]
pub(super) enum Care {
    /// Nothing, until it is time.
    Steady,
    /// Is the node still there (RFC 5213 6.13)?
    Probing { left: u8, at: Instant },
    /// The re-registration is on its way.
    Refreshing(Exchange),
    /// RFC 5213 6.9.1.2 (6): no update until an administrative action.
    Suspended,
}

/// Why there is no service, and what ends that.
#[derive(Debug)]
pub(super) struct Denial {
    pub(super) status: Option<Status>,
    pub(super) until: Until,
}

/// What a refused session waits for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Until {
    /// An administrative action.
    Admin,
    /// A point in time.
    At(Instant),
    /// The wall clock was set: it no longer stands at this distance from the monotonic one.
    ClockSet { offset: ClockOffset, check_at: Instant },
}

/// Wall clock minus monotonic clock, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClockOffset(i128);

impl ClockOffset {
    pub(super) fn of(now: Now) -> Self {
        let wall = i128::try_from(now.wall.to_unix().as_nanos()).unwrap_or(i128::MAX);
        Self(wall - i128::from(now.mono.0))
    }

    /// Whether the clock was adjusted by more than its reading can err.
    pub(super) fn was_set_since(self, before: Self) -> bool {
        const NOISE_NS: u128 = 10_000_000;
        self.0.abs_diff(before.0) > NOISE_NS
    }
}

/// An event as a session sees it.
#[derive(Debug)]
pub(super) enum Input {
    /// The node was seen (again) on its link.
    Seen { link_local: Option<Ipv6Addr> },
    /// The probe was answered.
    Present,
    /// The node left, or we end its session.
    Detach { terminate: bool },
    /// The session goes on elsewhere on this gateway.
    Moved,
    /// Administrative action.
    Retry,
    /// The answer to the request that is on its way.
    Answer(Verdict),
    /// The tunnel's MTU changed.
    MtuChanged,
    /// A deadline passed.
    Timeout,
}

impl Session {
    /// Whether the attachment is the one that this session serves.
    pub(super) fn serves(&self, at: &Attachment) -> bool {
        !self.is_leaving() && self.attachment.node.mn_id == at.node.mn_id
    }

    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.state, State::Deregistering { .. } | State::Gone)
    }

    /// The request that waits for its answer.
    pub(super) fn exchange(&self) -> Option<&Exchange> {
        match &self.state {
            State::Registering(x)
            | State::Bound(_, Care::Refreshing(x))
            | State::Deregistering { exchange: x, .. } => Some(x),
            State::Bound(..) | State::Denied(_) | State::Gone => None,
        }
    }

    pub(super) fn binding(&self) -> Option<&Binding> {
        match &self.state {
            State::Bound(b, _) => Some(b),
            _ => None,
        }
    }

    /// Whether a message answers our request (RFC 5213 6.9.1.2 (5), (6)).
    pub(super) fn matches(&self, msg: &AckMsg, ack: &AckOptions, timestamps: bool) -> Match {
        if msg.src != self.attachment.node.lma.0 || self.sent(msg.ack, timestamps).is_none() {
            return Match::No;
        }
        let Some(exchange) = self.exchange() else {
            return Match::No;
        };
        let at = &self.attachment;
        let same_id = ack.mn_id.as_ref().is_none_or(|id| *id == at.node.mn_id)
            || ack.misses_mn_id(msg.ack.status);
        let echoed = same_id
            && ack.handoff.is_none_or(|v| v == exchange.ask.handoff)
            && ack.att.is_none_or(|v| v == at.node.att)
            && ack
                .mn_ll_id
                .as_deref()
                .is_none_or(|id| at.mn_ll_id.as_ref().is_some_and(|own| own.bytes() == id));
        if echoed { Match::Echoed } else { Match::Differs }
    }

    /// What a message that [`Self::matches`] means.
    pub(super) fn judge(&self, ack: BindingAck, options: AckOptions, timestamps: bool) -> Verdict {
        match (self.sent(ack, timestamps), self.exchange()) {
            // A refused timestamp is that of one transmission; a later one has its own.
            (Some(sent), Some(exchange))
                if refuses_timestamp(ack.status) && exchange.latest() != Some(sent) =>
            {
                Verdict::Ignored(PbaFault::NoMatch)
            }
            (Some(sent), Some(exchange)) => {
                let registers = exchange.ask.lifetime.0 != 0;
                options.judge(ack, sent, timestamps, registers)
            }
            _ => Verdict::Ignored(PbaFault::NoMatch),
        }
    }

    /// The transmission that is answered.
    fn sent(&self, ack: BindingAck, timestamps: bool) -> Option<Sent> {
        let exchange = self.exchange()?;
        // RFC 6275 11.7.3: status 135 carries the anchor's number, not ours.
        if ack.status == Status::SEQUENCE_NUMBER_OUT_OF_WINDOW && !timestamps {
            return exchange.latest();
        }
        exchange.find(ack.seq)
    }

    /// When a timeout is next needed.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Registering(x) => Some(x.next_at()),
            State::Bound(b, care) => {
                let own = match care {
                    Care::Steady => b.refresh_at,
                    Care::Probing { at, .. } => *at,
                    Care::Refreshing(x) => x.next_at(),
                    Care::Suspended => b.expires_at,
                };
                Some(own.min(b.expires_at).min(b.advert.next_at()))
            }
            State::Deregistering { exchange, until } => {
                Some(if exchange.was_sent() { *until } else { exchange.next_at().min(*until) })
            }
            State::Denied(d) => match d.until {
                Until::Admin => None,
                Until::At(at) | Until::ClockSet { check_at: at, .. } => Some(at),
            },
            State::Gone => None,
        }
    }

    /// The entry for people.
    pub(super) fn row(&self, now: Now) -> BindingRow {
        let (state, status) = match &self.state {
            State::Registering(_) => (StateName::Registering, None),
            State::Bound(_, Care::Suspended) => (StateName::Suspended, None),
            State::Bound(..) => (StateName::Bound, None),
            State::Deregistering { .. } | State::Gone => (StateName::Deregistering, None),
            State::Denied(d) => (StateName::Denied, d.status.map(|s| s.0)),
        };
        let binding = self.binding();
        BindingRow {
            link: self.attachment.link.id,
            mn_id: self.attachment.node.mn_id.clone(),
            lma: self.attachment.node.lma,
            state,
            status,
            hnp: binding.map_or_else(Vec::new, |b| b.prefixes.clone()),
            link_local: binding.map(|b| b.link_local),
            lifetime_left_s: binding.map_or(0, |b| b.expires_at.since(now.mono).as_secs()),
        }
    }
}

/// One entry of the Binding Update List, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct BindingRow {
    pub link: LinkId,
    pub mn_id: MnId,
    pub lma: AnchorAddr,
    pub state: StateName,
    /// Why it is denied, if the anchor said so.
    pub status: Option<u8>,
    pub hnp: Vec<HomePrefix>,
    pub link_local: Option<Ipv6Addr>,
    pub lifetime_left_s: u64,
}

/// Where a session stands, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum StateName {
    Registering,
    Bound,
    Suspended,
    Deregistering,
    Denied,
}

fn refuses_timestamp(status: Status) -> bool {
    matches!(status, Status::TIMESTAMP_MISMATCH | Status::TIMESTAMP_LOWER_THAN_PREV_ACCEPTED)
}
