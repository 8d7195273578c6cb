//! The local mobility anchor: events in, decisions out.
//!
//! The checks on a PBU stand here in the order of RFC 5213 5.3.1, which must be kept (5.3):
//!
//! ```text
//!  (4) node named? 160        (7) ours? 153       (9) in order? 156 157 135   (10) prefix? 158
//!  (5)(6) gateway may? 154    (8) enabled? 152        (a duplicate: again     (11) hint? 161
//!                                                      the same answer)       (12) technology? 162
//!                                                                             (13) lookup: 155 159
//! ```
//! What follows from them is in `session`.

mod session;
mod wait;

use crate::addr::{AnchorAddr, MnId, ProxyCoa};
use crate::mobility::ack::{self, Refusal};
use crate::mobility::action::{Action, Audit, AuditKind, BindingId, Ignored};
use crate::mobility::authorize::{MagState, MagTable};
use crate::mobility::cache::BindingCache;
use crate::mobility::config::{LmaConfig, LmaTimers, Policy};
use crate::mobility::event::Event;
use crate::mobility::freshness;
use crate::mobility::lifetime::{TimerKey, TimerQueue};
use crate::mobility::lookup::{self, Found};
use crate::mobility::message::{PeerMsg, UpdateMsg};
use crate::mobility::prefix_pool::{PoolUsage, PrefixPools};
use crate::mobility::request::{self, Fields, Request};
use crate::mobility::transition::{self, Transition};
use crate::mobility::waiting::WaitingRoom;
use crate::time::{Instant, Now};
use crate::wire::mh::Status;
use std::net::Ipv6Addr;

pub use session::RestoreError;

/// The anchor's core: its binding cache and everything that decides about it.
#[derive(Debug)]
pub struct Lma {
    address: AnchorAddr,
    protocol: LmaTimers,
    policy: Policy,
    max_bindings: usize,
    max_prefixes: usize,
    cache: BindingCache,
    pools: PrefixPools,
    mags: MagTable,
    timers: TimerQueue,
    waiting: WaitingRoom,
}

/// What the checks on a PBU led to.
#[derive(Debug)]
enum Verdict {
    /// It is the last accepted update of this session again.
    Duplicate(BindingId),
    /// This is to be done. For [`Transition::Wait`], the flag says whether the sequence number is
    /// greater than the session's.
    Proceed(Transition, Box<Request>, bool),
}

/// How many timers one call of [`Lma::handle_timeout`] carries out at most, so that a mass expiry
/// does not stall the control core.
const TIMEOUT_BURST: usize = 128;

impl Lma {
    /// An anchor without bindings.
    #[must_use]
    pub fn new(config: LmaConfig) -> Self {
        Self {
            pools: PrefixPools::new(&config.pools, config.policy.static_prefixes()),
            mags: MagTable::new(&config.mags),
            address: config.lma_address,
            protocol: config.timers,
            policy: config.policy,
            max_bindings: config.max_bindings,
            max_prefixes: config.max_prefixes,
            cache: BindingCache::default(),
            timers: TimerQueue::default(),
            waiting: WaitingRoom::default(),
        }
    }

    /// Takes in one event; appends what follows from it, in the order in which it is to be done.
    pub fn handle(&mut self, event: Event, now: Now, actions: &mut Vec<Action>) {
        match event {
            Event::Pbu(msg) => self.handle_pbu(&msg, now, actions),
            Event::Peer(msg) => Self::handle_peer(&msg, actions),
            Event::AdminDelete { mn_id, prefix } => {
                let of_node = self.cache.of_node(&mn_id);
                let named = of_node.filter(|b| prefix.is_none_or(|p| b.hnp.contains(&p)));
                let ids: Vec<BindingId> = named.map(|b| b.id).collect();
                for id in ids {
                    self.delete(id, AuditKind::Deleted, now, actions);
                }
            }
            Event::MagAdd(address) => self.mags.add(address),
            Event::MagDel(address) => self.mags.withdraw(address),
        }
    }

    /// Carries out what is due; call it again at once while [`Self::poll_timeout`] is not later
    /// than now.
    pub fn handle_timeout(&mut self, now: Now, actions: &mut Vec<Action>) {
        for _ in 0..TIMEOUT_BURST {
            match self.timers.pop_due(now.mono) {
                Some(TimerKey::Binding(id)) => self.end(id, now, actions),
                Some(TimerKey::Waiting(id)) => {
                    if let Some(waiting) = self.waiting.take(id) {
                        self.resume(&waiting, None, now, actions);
                    }
                }
                None => return,
            }
        }
    }

    /// When [`Self::handle_timeout`] is to be called; `None`: not before the next event.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The sessions.
    #[must_use]
    pub fn cache(&self) -> &BindingCache {
        &self.cache
    }

    /// The gateways that we know, by address.
    pub fn mags(&self) -> impl Iterator<Item = MagState> + '_ {
        self.mags.iter()
    }

    /// Whether a gateway is configured, added, or serves a session.
    #[must_use]
    pub fn knows_mag(&self, address: Ipv6Addr) -> bool {
        self.mags.knows(address)
    }

    /// The pools, in the order of the configuration.
    pub fn pools(&self) -> impl Iterator<Item = PoolUsage> + '_ {
        self.pools.usage()
    }

    /// How many updates wait for `MaxDelayBeforeNewBCEAssign`.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn handle_pbu(&mut self, msg: &UpdateMsg, now: Now, actions: &mut Vec<Action>) {
        let fields = Fields::read(msg);
        let mn_id = fields.mn_id.clone();
        // RFC 6275 9.5.4: no answer, and nothing done, if the source is not unicast.
        if msg.src.is_multicast() || msg.src.is_unspecified() {
            return self.audit(AuditKind::Ignored(Ignored::NotUnicast), mn_id, msg, actions);
        }
        self.mags.count(msg.src, |u| u.pbu_received += 1);
        match self.judge(msg, fields, now) {
            Ok(Verdict::Duplicate(id)) => {
                self.accept(id, msg, actions);
                self.audit(AuditKind::Duplicate, mn_id, msg, actions);
            }
            Ok(Verdict::Proceed(transition, request, in_order)) => {
                self.carry_out(transition, &request, in_order, msg, now, actions);
            }
            Err(refusal) => self.refuse(refusal, mn_id, msg, now, actions),
        }
    }

    fn handle_peer(msg: &PeerMsg, actions: &mut Vec<Action>) {
        let kind = AuditKind::Ignored(Ignored::Stray);
        let proxy_coa = Some(ProxyCoa(msg.src));
        actions.push(Action::Audit(Audit { kind, mn_id: None, proxy_coa }));
    }

    /// The checks of RFC 5213 5.3.1, in their order. Nothing is changed.
    fn judge(&self, msg: &UpdateMsg, fields: Fields, now: Now) -> Result<Verdict, Refusal> {
        // (4)
        let mn_id = fields.mn_id.as_ref().ok_or(Status::MISSING_MN_IDENTIFIER_OPTION)?;
        // (5) to (8)
        self.authorize(msg, &fields, mn_id)?;
        // 5.5 leaves open what equal timestamps mean; the same bytes mean the same update.
        let digest = request::digest(msg);
        if let Some(bce) = self.cache.of_node(mn_id).find(|b| b.last_update == digest) {
            return Ok(Verdict::Duplicate(bce.id));
        }
        // (9). For the session to which the message's ordering is compared, (13) is asked now; what
        // it says counts only after (10) to (12).
        let found = lookup::find(&self.cache, &self.protocol, msg, &fields, mn_id);
        let in_order = self.check_order(msg, &fields, mn_id, found, now)?;
        // (10) to (12)
        let request = fields.complete(msg)?;
        // (13)
        let transition = transition::decide(found, &request);
        Ok(Verdict::Proceed(transition, Box::new(request), in_order))
    }

    /// RFC 5213 5.3.1 (5) to (8): may this gateway register this node, and do we serve it?
    fn authorize(&self, msg: &UpdateMsg, fields: &Fields, mn_id: &MnId) -> Result<(), Status> {
        // (5), (6)
        self.mags.check(msg.src, fields.proxy_coa(msg), mn_id)?;
        // (7) An identifier of zero length identifies nobody.
        let profile = self.policy.lookup(mn_id).filter(|_| !mn_id.bytes().is_empty());
        let (profile, _) = profile.ok_or(Status::NOT_LMA_FOR_THIS_MOBILE_NODE)?;
        // (8)
        if profile.enabled { Ok(()) } else { Err(Status::PROXY_REG_NOT_ENABLED) }
    }

    /// RFC 5213 5.5. Whether the sequence number, if it counts, is greater than the session's;
    /// where the message may be about a new session, that decides nothing yet.
    fn check_order(
        &self,
        msg: &UpdateMsg,
        fields: &Fields,
        mn_id: &MnId,
        found: Found<'_>,
        now: Now,
    ) -> Result<bool, Refusal> {
        let session = found.session();
        if let Some(timestamp) = fields.timestamp {
            let (cache, timers) = (&self.cache, &self.protocol);
            freshness::check_timestamp(timestamp, now.wall, timers, cache, mn_id, session)?;
            return Ok(true);
        }
        // RFC 6275 9.5.1; without a session any number is accepted.
        let last = session.map(|b| b.seq).filter(|last| !msg.update.seq.is_after(*last));
        match (last, found) {
            (None, _) => Ok(true),
            (Some(_), Found::Unknown(_)) => Ok(false),
            (last_seq, _) => {
                Err(Refusal { status: Status::SEQUENCE_NUMBER_OUT_OF_WINDOW, last_seq })
            }
        }
    }

    /// Answers with the session as it is now.
    fn accept(&mut self, id: BindingId, msg: &UpdateMsg, actions: &mut Vec<Action>) {
        if let Some(bce) = self.cache.get(id) {
            self.mags.count(msg.src, |u| u.pba_accepted += 1);
            actions.push(Action::Reply { ack: ack::accept(msg, bce), held: true });
        }
    }

    fn refuse(
        &mut self,
        refusal: impl Into<Refusal>,
        mn_id: Option<MnId>,
        msg: &UpdateMsg,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let refusal = refusal.into();
        self.mags.count(msg.src, |u| u.pba_refused += 1);
        let ack = ack::refuse(msg, refusal, now.wall);
        actions.push(Action::Reply { ack, held: false });
        self.audit(AuditKind::Refused(refusal.status.0), mn_id, msg, actions);
    }

    /// Notes what became of a message.
    #[allow(clippy::unused_self)] // reads as one of the decisions
    fn audit(
        &self,
        kind: AuditKind,
        mn_id: Option<MnId>,
        msg: &UpdateMsg,
        actions: &mut Vec<Action>,
    ) {
        let proxy_coa = Some(ProxyCoa(msg.src));
        actions.push(Action::Audit(Audit { kind, mn_id, proxy_coa }));
    }
}

#[cfg(test)]
mod tests;
