//! What we know of a gateway besides its sessions: how to reach it, and whether it is alive
//! (RFC 5847).
//!
//! ```text
//!             first session             answer, same Restart Counter
//!   idle  ----------------->  asked  <------------------------------- , every HEARTBEAT_INTERVAL
//!    ^                        |   |
//!    |  no session left       |   | more than MISSING_HEARTBEATS_ALLOWED requests unanswered
//!    +------------------------+   +--> failed       answer, another Restart Counter --> restarted
//!                                       \___ its sessions are lost, on both ways ___/
//! ```
//! Both ends ask; each answers whatever it thinks of the other (section 3).

use crate::addr::MnId;
use crate::mobility::config::{LmaTimers, PeerConfig};
use crate::mobility::message::{OwnedOptions, PeerBody, PeerMsg, Transport};
use crate::time::{Duration, Instant};
use crate::wire::mh::{Heartbeat, HeartbeatFlags, MobilityOption};
use std::net::Ipv6Addr;

/// Where a gateway's signaling comes from, and where it goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Contact {
    pub(crate) local: Ipv6Addr,
    pub(crate) remote: Ipv6Addr,
    pub(crate) transport: Transport,
    /// Where the tunnels of its sessions end: `remote`, or another address of its.
    pub(crate) proxy_coa: Ipv6Addr,
}

/// Whether a gateway lives, as far as heartbeats tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerState {
    /// It is not asked: the operator does not want it, or it has no session.
    Idle,
    /// It is asked, and has not answered yet.
    Asked,
    /// It answers.
    Reachable,
    /// So many requests in a row were not answered.
    Missing(u32),
    /// It did not answer as often as is allowed; until it registers a node again.
    Failed,
    /// It does not know heartbeats, and is not asked again.
    Unsupported,
}

/// A gateway's heartbeats, as they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerStatus {
    /// See [`PeerState`].
    pub state: PeerState,
    /// When it answered last.
    pub answered: Option<Instant>,
    /// The Restart Counter of its last answer.
    pub restart_counter: Option<u32>,
}

/// Why a gateway with sessions is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Failed,
    Unsupported,
}

/// One gateway.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    config: PeerConfig,
    contact: Option<Contact>,
    /// When the next request is due; `None` while it is not asked.
    due: Option<Instant>,
    /// The last request that was sent.
    seq: u32,
    awaits_answer: bool,
    missing: u32,
    end: Option<End>,
    answered: Option<Instant>,
    /// It has answered since it was asked again.
    alive: bool,
    /// Of its last answer since then.
    restart_counter: Option<u32>,
    /// It does not know Binding Revocation.
    pub(crate) irrevocable: bool,
    /// Its last indication's digest, our answer, and when: it may send it again.
    revocation: Option<(u64, PeerMsg, Instant)>,
}

/// What becomes of a peer whose next request is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    /// It is asked, with this sequence number.
    Ask(u32),
    /// It is not asked any more: it has no session.
    Rest,
    /// It is taken for dead.
    Failed,
}

/// What a response says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The peer lives.
    Alive,
    /// It lives, but lost every session that it had before this moment.
    Restarted(Instant),
    /// Nothing: it answers no request that was sent.
    Stray,
}

impl Peer {
    pub(crate) fn new(config: PeerConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// Goes on as the peer that was known under the old configuration. Heartbeats that are not
    /// wanted any more end when the next one is due.
    pub(crate) fn go_on(&mut self, old: &mut Self) {
        let config = std::mem::take(&mut self.config);
        std::mem::swap(self, old);
        self.config = config;
    }

    /// Whether heartbeats are wanted, and it is not asked although it has told where it is.
    pub(crate) const fn is_to_be_asked(&self) -> bool {
        let idle = self.due.is_none() && self.end.is_none();
        self.config.heartbeat && idle && self.contact.is_some()
    }

    /// It has registered a node: it is asked from now on. When the first request is due, if it was
    /// not asked before.
    pub(crate) fn wake(&mut self, contact: Contact, now: Instant) -> Option<Instant> {
        self.contact = Some(contact);
        self.revocation = None;
        self.end = self.end.filter(|e| *e == End::Unsupported);
        if self.due.is_some() || self.end.is_some() || !self.config.heartbeat {
            return None;
        }
        self.rest();
        self.due = Some(now);
        self.due
    }

    /// The time for the next request has come. When the one after it is due, if there is one.
    pub(crate) fn beat(
        &mut self,
        sessions: usize,
        timers: &LmaTimers,
        now: Instant,
    ) -> (Beat, Option<Instant>) {
        self.due = None;
        // 3: no request to a peer without a session. What it says of its restarts is of interest
        // only as long as it has some.
        if sessions == 0 || self.end.is_some() || !self.config.heartbeat {
            self.rest();
            return (Beat::Rest, None);
        }
        // 3.1
        self.missing = if self.awaits_answer { self.missing.saturating_add(1) } else { 0 };
        if self.missing > timers.missing_heartbeats_allowed {
            self.rest();
            self.end = Some(End::Failed);
            return (Beat::Failed, None);
        }
        self.seq = self.seq.wrapping_add(1);
        self.awaits_answer = true;
        self.due = Some(now + timers.heartbeat_interval);
        (Beat::Ask(self.seq), self.due)
    }

    /// It is not asked any more.
    const fn rest(&mut self) {
        self.due = None;
        (self.awaits_answer, self.missing) = (false, 0);
        (self.alive, self.restart_counter) = (false, None);
    }

    /// A response came (3.1, 3.2).
    pub(crate) fn answer(
        &mut self,
        heartbeat: Heartbeat,
        counter: Option<u32>,
        now: Instant,
    ) -> Answer {
        // 3.2: the number of an unsolicited response means nothing.
        let unsolicited = heartbeat.flags.contains(HeartbeatFlags::U);
        let asked = self.awaits_answer && heartbeat.seq == self.seq;
        if !(unsolicited || asked) {
            return Answer::Stray;
        }
        if !unsolicited {
            self.awaits_answer = false;
        }
        (self.missing, self.alive) = (0, true);
        let before = self.answered.replace(now);
        let known = self.restart_counter;
        self.restart_counter = counter.or(known);
        match (known, counter) {
            (Some(old), Some(new)) if old != new => {
                self.irrevocable = false;
                // An unsolicited response is the first thing that it says. Otherwise it may have
                // registered nodes anew since it restarted, some time after its last answer: what
                // it has registered since then is not known to be lost.
                let since = if unsolicited { now } else { before.unwrap_or(now) };
                Answer::Restarted(since)
            }
            _ => Answer::Alive,
        }
    }

    /// It does not know the message: whether that was the heartbeat. One that ever answered does
    /// know it.
    pub(crate) fn refuses_heartbeats(&mut self) -> bool {
        let refused = self.awaits_answer && self.answered.is_none();
        if refused {
            self.end = Some(End::Unsupported);
        }
        refused
    }

    /// How to reach it, as its last accepted update showed.
    pub(crate) const fn contact(&self) -> Option<Contact> {
        self.contact
    }

    /// Whether it takes part in revocation.
    pub(crate) const fn is_revocable(&self) -> bool {
        self.config.revocation && !self.irrevocable
    }

    /// Whether heartbeats are exchanged with it.
    pub(crate) const fn has_heartbeats(&self) -> bool {
        self.config.heartbeat
    }

    /// The identity by which it may revoke all its sessions at once (RFC 5846 8.2).
    pub(crate) const fn identity(&self) -> Option<&MnId> {
        self.config.revocation_identity.as_ref()
    }

    /// Notes what we answered to an indication.
    pub(crate) fn answered(&mut self, digest: u64, answer: PeerMsg, now: Instant) {
        self.revocation = Some((digest, answer, now));
    }

    /// What we answered to this indication a moment ago.
    pub(crate) fn answer_to(&self, digest: u64, now: Instant) -> Option<&PeerMsg> {
        let (last, answer, at) = self.revocation.as_ref()?;
        (*last == digest && now.since(*at) < REPEAT_MAX).then_some(answer)
    }

    pub(crate) const fn status(&self) -> PeerStatus {
        let state = match self.end {
            Some(End::Unsupported) => PeerState::Unsupported,
            Some(End::Failed) => PeerState::Failed,
            None if self.due.is_none() => PeerState::Idle,
            None if self.missing > 0 => PeerState::Missing(self.missing),
            None if self.alive => PeerState::Reachable,
            None => PeerState::Asked,
        };
        PeerStatus { state, answered: self.answered, restart_counter: self.restart_counter }
    }
}

/// A request, or a response with our Restart Counter (3.2, 3.3).
pub(crate) fn heartbeat(heartbeat: Heartbeat, counter: Option<u32>, to: &Contact) -> PeerMsg {
    let options = counter.map(MobilityOption::RestartCounter);
    PeerMsg {
        node: None,
        src: to.local,
        dst: to.remote,
        transport: to.transport,
        body: PeerBody::Heartbeat(heartbeat),
        options: OwnedOptions::from_options(options.as_slice()).unwrap_or_default(),
    }
}

/// For how long an indication may be the repetition of an earlier one. Peers double their patience
/// up to some seconds.
const REPEAT_MAX: Duration = Duration::from_secs(10);
