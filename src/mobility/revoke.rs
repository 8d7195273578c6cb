//! Binding revocation (RFC 5846): the indications that we sent and nobody has answered yet.
//!
//! ```text
//!   operator deletes a session     held, BRI     --answer, or none-->  deleted
//!   hint 4, RFC 5213 5.4.1         BRI           --success-->          as if de-registered
//!                                                --132, or none-->     a new session
//!   session moved                  BRI to the previous gateway; its answer changes nothing
//!   gateway withdrawn              BRI, G flag   --answer, or none-->  its sessions deleted
//!   operator deletes a realm       the same, with it: to each gateway that serves nodes of it
//! ```
//! A sequence number names one indication (5.1); retransmissions keep it (6.3).

use crate::addr::{MnId, ProxyCoa};
use crate::mobility::action::BindingId;
use crate::mobility::binding::Bce;
use crate::mobility::config::LmaTimers;
use crate::mobility::message::{OwnedOptions, PeerBody, PeerMsg};
use crate::mobility::peer::Contact;
use crate::time::{Duration, Instant};
use crate::wire::mh::{
    AccessTech, BindingRevocationIndication, HandoffIndicator, MobilityOption, RevocationFlags,
    RevocationTrigger, SeqNo,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

/// Indications outstanding at most: half of the sequence numbers, so that a free one is near.
const OUTSTANDING_MAX: usize = 1 << 15;

/// What an indication is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A session that ends (8.1).
    Session(BindingId),
    /// Its IPv4 home address alone (8.1, V flag).
    Ipv4(BindingId),
    /// A session that may have moved: another gateway's update waits to know (8.1).
    Perhaps(BindingId),
    /// A session that has moved away from the gateway that is told.
    Moved(BindingId),
    /// All sessions of a gateway (8.1, G flag).
    Gateway(ProxyCoa),
    /// Those of them that are of the realm that the message names (8.1, G flag).
    Realm(ProxyCoa),
}

impl Subject {
    /// The session, if it is one.
    pub(crate) const fn binding(self) -> Option<BindingId> {
        match self {
            Self::Session(id) | Self::Ipv4(id) | Self::Perhaps(id) | Self::Moved(id) => Some(id),
            Self::Gateway(_) | Self::Realm(_) => None,
        }
    }
}

/// An indication that waits for its acknowledgement.
#[derive(Debug)]
pub(crate) struct Outstanding {
    pub(crate) subject: Subject,
    pub(crate) msg: PeerMsg,
    retries_left: u8,
    delay: Duration,
    pub(crate) due: Instant,
}

/// What is to be done when an indication was not answered in time.
#[derive(Debug)]
pub(crate) enum Overdue {
    /// The same once more, and when the next answer is due.
    Again(PeerMsg, Instant),
    /// Nothing: it was the last one.
    GivenUp(Outstanding),
}

/// All indications that wait.
#[derive(Debug, Default)]
pub(crate) struct Revocations {
    by_seq: BTreeMap<u16, Outstanding>,
    by_binding: BTreeSet<(BindingId, u16)>,
    by_peer: BTreeSet<(Ipv6Addr, u16)>,
    last: u16,
}

impl Revocations {
    /// A sequence number that no outstanding indication has (5.1); `None` if there are too many.
    pub(crate) fn next_seq(&mut self) -> Option<SeqNo> {
        if self.by_seq.len() >= OUTSTANDING_MAX {
            return None;
        }
        loop {
            self.last = self.last.wrapping_add(1);
            if !self.by_seq.contains_key(&self.last) {
                return Some(SeqNo(self.last));
            }
        }
    }

    /// Waits for the answer to `msg`, which has the number `seq`; until when.
    pub(crate) fn wait_for(
        &mut self,
        seq: SeqNo,
        subject: Subject,
        msg: PeerMsg,
        timers: &LmaTimers,
        now: Instant,
    ) -> Instant {
        let delay = timers.init_min_delay_bris;
        let due = now + delay;
        let retries_left = timers.bri_max_retries;
        self.by_peer.insert((msg.dst, seq.0));
        self.by_seq.insert(seq.0, Outstanding { subject, msg, retries_left, delay, due });
        if let Some(id) = subject.binding() {
            self.by_binding.insert((id, seq.0));
        }
        due
    }

    /// The indication with this number was not answered in time.
    pub(crate) fn overdue(&mut self, seq: SeqNo, timers: &LmaTimers) -> Option<Overdue> {
        let sent = self.by_seq.get_mut(&seq.0)?;
        let Some(left) = sent.retries_left.checked_sub(1) else {
            return self.take(seq).map(Overdue::GivenUp);
        };
        sent.retries_left = left;
        // 6.3: doubled each time, up to MAX_BRACK_TIMEOUT.
        sent.delay = (sent.delay * 2).min(timers.max_brack_timeout);
        // From when it was due, not from now: so that the last wait ends no later than the session.
        sent.due = sent.due + sent.delay;
        Some(Overdue::Again(sent.msg.clone(), sent.due))
    }

    /// Whether an indication with this number went to this address.
    pub(crate) fn is_outstanding(&self, seq: SeqNo, to: Ipv6Addr) -> bool {
        self.by_peer.contains(&(to, seq.0))
    }

    /// Waits no longer for the answer to this one.
    pub(crate) fn take(&mut self, seq: SeqNo) -> Option<Outstanding> {
        let taken = self.by_seq.remove(&seq.0)?;
        self.by_peer.remove(&(taken.msg.dst, seq.0));
        if let Some(id) = taken.subject.binding() {
            self.by_binding.remove(&(id, seq.0));
        }
        Some(taken)
    }

    /// What is outstanding about a session.
    pub(crate) fn of(&self, id: BindingId) -> impl Iterator<Item = (SeqNo, &Outstanding)> {
        let numbers = self.by_binding.range((id, 0)..=(id, u16::MAX));
        numbers.filter_map(|(_, seq)| Some((SeqNo(*seq), self.by_seq.get(seq)?)))
    }

    /// The first that is outstanding at an address.
    pub(crate) fn at(&self, to: Ipv6Addr) -> Option<SeqNo> {
        let mut there = self.by_peer.range((to, 0)..=(to, u16::MAX));
        there.next().map(|(_, seq)| SeqNo(*seq))
    }

    /// The session was handed off, so it is not about its end any more.
    pub(crate) fn moved(&mut self, seq: SeqNo) {
        if let Some(o) = self.by_seq.get_mut(&seq.0)
            && let Some(id) = o.subject.binding()
        {
            o.subject = Subject::Moved(id);
        }
    }
}

/// How long it takes until an indication that nobody answers is given up (6.3).
pub(crate) fn patience(timers: &LmaTimers) -> Duration {
    let delays = std::iter::successors(Some(timers.init_min_delay_bris), |d| {
        Some((*d * 2).min(timers.max_brack_timeout))
    });
    delays.take(usize::from(timers.bri_max_retries) + 1).sum()
}

/// The indication that a session is revoked (8.1): MN-ID, and every prefix that it holds. Of one
/// that has IPv4 alone, or with `only_ipv4`, the IPv4 home address.
pub(crate) fn of_session(
    bce: &Bce,
    only_ipv4: bool,
    trigger: RevocationTrigger,
    seq: SeqNo,
    to: &Contact,
) -> PeerMsg {
    let mut options = vec![MobilityOption::MnId(bce.mn_id.subtype(), bce.mn_id.bytes())];
    let mut flags = RevocationFlags::P;
    match bce.ipv4.filter(|_| only_ipv4 || bce.hnp.is_empty()) {
        Some(ipv4) => {
            flags = flags | RevocationFlags::V;
            options.push(MobilityOption::Ipv4HomeAddressRequest(ipv4.home));
        }
        None => options.extend(bce.hnp.iter().map(|p| MobilityOption::HomeNetworkPrefix(*p))),
    }
    indication(trigger, seq, flags, &options, to)
}

/// The indication that the sessions of a realm are revoked (8.1); where the gateway has others too,
/// those at `coa`.
pub(crate) fn of_realm(realm: &MnId, coa: Option<ProxyCoa>, seq: SeqNo, to: &Contact) -> PeerMsg {
    let flags = RevocationFlags::P | RevocationFlags::G;
    let mut options = vec![MobilityOption::MnId(realm.subtype(), realm.bytes())];
    let coa = coa.filter(|_| !is_elsewhere(to));
    options.extend(coa.map(|coa| MobilityOption::AlternateCoa(coa.0)));
    indication(RevocationTrigger::LOCAL_POLICY, seq, flags, &options, to)
}

/// The indication that all sessions of a gateway are revoked: without options (8.1).
pub(crate) fn of_gateway(seq: SeqNo, to: &Contact) -> PeerMsg {
    let flags = RevocationFlags::P | RevocationFlags::G;
    indication(RevocationTrigger::PER_PEER_POLICY, seq, flags, &[], to)
}

fn indication(
    trigger: RevocationTrigger,
    seq: SeqNo,
    flags: RevocationFlags,
    options: &[MobilityOption<'_>],
    to: &Contact,
) -> PeerMsg {
    let coa = is_elsewhere(to).then_some(MobilityOption::AlternateCoa(to.proxy_coa));
    PeerMsg {
        node: None,
        src: to.local,
        dst: to.remote,
        transport: to.transport,
        body: PeerBody::Bri(BindingRevocationIndication { trigger, seq, flags }),
        // An identifier and prefixes that were parsed: none can be too long.
        options: OwnedOptions::from_options(options.iter().copied().chain(coa)).unwrap_or_default(),
    }
}

/// 8.1: whether the security association is between other addresses than the sessions' own, which
/// have to be named then.
fn is_elsewhere(to: &Contact) -> bool {
    to.transport.is_protected()
        && to.proxy_coa != to.remote
        && to.proxy_coa.to_ipv4_mapped().is_none()
}

/// Why the previous gateway is told that a session moved (5.1).
pub(crate) fn handoff_trigger(
    before: AccessTech,
    after: AccessTech,
    hint: HandoffIndicator,
) -> RevocationTrigger {
    match hint {
        HandoffIndicator::UNKNOWN => RevocationTrigger::HANDOFF_UNKNOWN,
        _ if before == after => RevocationTrigger::HANDOFF_SAME_ACCESS_TYPE,
        _ => RevocationTrigger::HANDOFF_DIFFERENT_ACCESS_TYPE,
    }
}
