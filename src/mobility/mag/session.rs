//! One entry of the Binding Update List (RFC 5213 6.1) and the state it is in.

use crate::addr::{AnchorAddr, GreKey, GreKeys, HomePrefix, MnId};
use crate::mobility::mag::ack::{AckOptions, Match, Verdict};
use crate::mobility::mag::action::{Ipv4Lease, Path, PbaFault, Route};
use crate::mobility::mag::advert::AdvertTimer;
use crate::mobility::mag::event::{Attachment, Family, Gre, LinkId, NodeProfile};
use crate::mobility::mag::exchange::{Exchange, Sent};
use crate::mobility::mag::revocation::Challenge;
use crate::mobility::message::AckMsg;
use crate::time::{Instant, MobTimestamp, Now};
use crate::wire::mh::{BindingAck, Ipv4Home, SeqNo, Status};
use serde::{Deserialize, Serialize};
use std::net::Ipv6Addr;

/// One node on one link.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) attachment: Attachment,
    pub(super) want: Want,
    pub(super) state: State,
    /// Without timestamps: the session's own sequence number.
    pub(super) seq: SeqNo,
    pub(super) last_timestamp: MobTimestamp,
    /// The deadline under which the gateway has filed this session.
    pub(super) indexed: Option<Instant>,
}

/// What a session asks for: the profile's, less what the anchor will not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Want {
    pub(super) ipv6: bool,
    /// Prefixes to ask for: the policy's, or those that the anchor assigned before.
    pub(super) prefixes: Vec<HomePrefix>,
    /// The address to ask for: the policy's, or that which the anchor assigned before.
    pub(super) ipv4: Option<Ipv4Home>,
    /// No service until an administrative action (status 170, RFC 5844 3.2.3.2).
    pub(super) ipv4_denied: bool,
    pub(super) gre: Gre,
    /// Ours, once one was needed; it stays for the session's life.
    pub(super) key: Option<GreKey>,
}

impl Want {
    pub(super) fn of(profile: &NodeProfile) -> Self {
        Self {
            ipv6: profile.ipv6,
            prefixes: profile.prefixes.clone(),
            ipv4: profile.ipv4,
            ipv4_denied: false,
            gre: profile.gre,
            key: None,
        }
    }

    /// After an administrative action everything may be asked for again (RFC 5844 3.2.3.2).
    pub(super) fn restore(&mut self, profile: &NodeProfile) {
        self.ipv6 |= profile.ipv6;
        self.ipv4 = self.ipv4.or(profile.ipv4);
        self.ipv4_denied = false;
        if self.gre == Gre::Off {
            self.gre = profile.gre;
        }
    }

    /// Whether there is anything left to ask for.
    pub(super) fn is_something(&self) -> bool {
        self.ipv6 || self.ipv4.is_some()
    }

    /// The GRE Key option of an update (RFC 5845 4.2).
    // Outer: whether the option is there; inner: whether it has a key (RFC 5845 6.1).
    #[allow(clippy::option_option)]
    pub(super) fn gre_option(&self) -> Option<Option<GreKey>> {
        match self.gre {
            Gre::Off => None,
            Gre::Encapsulation => Some(None),
            Gre::Keys => Some(self.key),
        }
    }
}

/// Where a session stands.
// A gateway has few sessions; a box would only cost a step more.
#[allow(clippy::large_enum_variant)]
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
    pub(super) ipv4: Option<Ipv4Lease>,
    pub(super) path: Path,
    pub(super) keys: GreKeys,
    /// Ours, on the access link.
    pub(super) link_local: Ipv6Addr,
    pub(super) expires_at: Instant,
    pub(super) refresh_at: Instant,
    pub(super) advert: AdvertTimer,
    /// The anchor believes that the node is elsewhere (RFC 5846 9.1).
    pub(super) challenge: Option<Challenge>,
}

impl Binding {
    /// What is forwarded for it.
    pub(super) fn routes(&self, link: LinkId) -> Vec<Route> {
        let ipv4 = self.ipv4.and_then(|lease| HomePrefix::from_ipv4(lease.home.addr(), 32).ok());
        let Self { path, keys, .. } = *self;
        let prefixes = self.prefixes.iter().copied().chain(ipv4);
        prefixes.map(|prefix| Route { prefix, link, path, keys }).collect()
    }
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
    /// Something that matters to a session only while it is bound.
    OfBinding(OfBinding),
}

/// An event that matters to a session only while it is bound.
#[derive(Debug)]
pub(super) enum OfBinding {
    /// The node asks for an IPv4 address.
    WantIpv4,
    /// The node gives up one family.
    Release(Family),
    /// The anchor ended it, or we did by a revocation of our own.
    Revoked,
    /// The anchor ended its IPv4 home address alone.
    Ipv4Revoked,
    /// The anchor asks whether the node is still there.
    Challenged(Challenge),
    /// The anchor lost its sessions.
    AnchorRestarted,
    /// The anchor cannot be reached.
    AnchorLost,
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
    pub(super) fn judge(
        &self,
        ack: BindingAck,
        mut options: AckOptions,
        timestamps: bool,
    ) -> Verdict {
        // What was not asked for is not taken.
        if !self.want.ipv6 {
            options.prefixes.clear();
        }
        if self.want.ipv4.is_none() {
            options.ipv4 = None;
        }
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
                let challenge = b.challenge.as_ref().map(Challenge::at);
                let soonest = own.min(b.expires_at).min(b.advert.next_at());
                Some(challenge.map_or(soonest, |at| at.min(soonest)))
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
            ipv4: binding.and_then(|b| b.ipv4),
            path: binding.map(|b| b.path),
            keys: binding.map_or_else(GreKeys::default, |b| b.keys),
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
    pub ipv4: Option<Ipv4Lease>,
    pub path: Option<Path>,
    pub keys: GreKeys,
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
