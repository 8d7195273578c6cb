//! The local mobility anchor: events in, decisions out.
//!
//! The checks on a PBU stand here in the order of RFC 5213 5.3.1, which must be kept (5.3):
//!
//! ```text
//!  (1) authentic? 146 145     (7) ours? 153       (9) in order? 156 157 135   (10) prefix? 158
//!  (4) node named? 160        (8) enabled? 152        144                         172 170 173
//!  (5)(6) gateway may? 154                            (a duplicate: again     (11) hint? 161
//!                                                      the same answer)       (12) technology? 162
//!                                                                             (13) lookup: 155 159
//!                                                                                  171 151
//! ```
//! Whether it is in order is told by `order`; what (7), (8) rest on may have to be asked for
//! (`policy`). What follows from them is in `session`, `release` and `wait`; what else gateways
//! say, in `revocation` and `heartbeat`.

mod authentic;
mod heartbeat;
mod homes;
mod order;
mod policy;
mod realm;
mod release;
mod reload;
mod restore;
mod revocation;
mod session;
mod share;
mod wait;

use crate::addr::{AnchorAddr, CustomerId, MnId, ProxyCoa};
use crate::mobility::ack::{self, Offer, Refusal};
use crate::mobility::action::{Action, Audit, AuditKind, BindingId, Ignored};
use crate::mobility::authorize::{MagState, MagTable};
use crate::mobility::binding::{Bce, Ipv4HomeAddress};
use crate::mobility::cache::BindingCache;
use crate::mobility::config::{LmaConfig, LmaTimers, Profile};
use crate::mobility::customer::{Customers, Terms};
use crate::mobility::event::Event;
use crate::mobility::lifetime::{TimerKey, TimerQueue};
use crate::mobility::lookup::{self, Found, Node};
use crate::mobility::message::UpdateMsg;
use crate::mobility::prefix_pool::{PoolUsage, PrefixPools};
use crate::mobility::question::{Grant, PolicyAnswer, PolicyRoom, QuestionId};
use crate::mobility::request::{self, Fields, Request};
use crate::mobility::revoke::Revocations;
use crate::mobility::sweep::{Search, Sweeps};
use crate::mobility::transition::{self, Transition};
use crate::mobility::tunnel::GreKeyAllocator;
use crate::mobility::waiting::WaitingRoom;
use crate::time::{Instant, Lifetime, Now};
use crate::wire::mh::{SeqNo, Status};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr};

use order::check_since;
use policy::Answered;
pub use reload::Description;
pub use restore::RestoreError;

/// The anchor's core: its binding cache and everything that decides about it.
#[derive(Debug)]
pub struct Lma {
    address: AnchorAddr,
    address_ipv4: Option<Ipv4Addr>,
    protocol: LmaTimers,
    fixed_link_local: Option<Ipv6Addr>,
    accept_udp: bool,
    max_bindings: usize,
    max_prefixes: usize,
    cache: BindingCache,
    customers: Customers,
    pools: PrefixPools,
    mags: MagTable,
    gre_keys: GreKeyAllocator,
    timers: TimerQueue,
    waiting: WaitingRoom,
    policy_room: PolicyRoom,
    /// Rises when another description is put in force.
    description: u64,
    revocations: Revocations,
    sweeps: Sweeps,
    searches: VecDeque<Search>,
    /// RFC 5847 3.2
    restart_counter: u32,
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

/// What a check has against a PBU.
#[derive(Debug)]
enum Objection {
    Refuse(Refusal),
    Ignore(Ignored),
    /// The policy store has to be asked; what (9) says of it meanwhile.
    Ask(Result<bool, Refusal>),
}

impl<R: Into<Refusal>> From<R> for Objection {
    fn from(refusal: R) -> Self {
        Self::Refuse(refusal.into())
    }
}

/// How many timers one call of [`Lma::handle_timeout`] carries out at most, so that a mass expiry
/// does not stall the control core.
const TIMEOUT_BURST: usize = 128;

impl Lma {
    /// An anchor without bindings.
    #[must_use]
    pub fn new(config: LmaConfig) -> Self {
        let LmaConfig { lma_address, lma_address_ipv4, first_gre_key, .. } = config;
        let LmaConfig { max_bindings, max_prefixes, .. } = config;
        let Description { protocol, fixed_link_local, accept_udp, customers, pools, mags } =
            Description::new(config);
        Self {
            address: lma_address,
            address_ipv4: lma_address_ipv4,
            protocol,
            fixed_link_local,
            accept_udp,
            max_bindings,
            max_prefixes,
            customers,
            pools,
            mags,
            gre_keys: GreKeyAllocator::new(first_gre_key),
            cache: BindingCache::default(),
            timers: TimerQueue::default(),
            waiting: WaitingRoom::default(),
            policy_room: PolicyRoom::default(),
            description: 0,
            revocations: Revocations::default(),
            sweeps: Sweeps::default(),
            searches: VecDeque::new(),
            restart_counter: 0,
        }
    }

    /// Makes room for as many sessions as there may be, so that no table grows later.
    pub fn reserve(&mut self) {
        self.cache.reserve(self.max_bindings);
    }

    /// Takes in one event; appends what follows from it, in the order in which it is to be done.
    pub fn handle(&mut self, event: Event, now: Now, actions: &mut Vec<Action>) {
        match event {
            Event::Pbu(msg) => self.handle_pbu(&msg, now, actions),
            Event::Policy { question, answer } => {
                self.policy_answered(question, &answer, now, actions);
            }
            Event::Busy(msg) => {
                let mn_id = Fields::read(&msg).mn_id;
                self.mags.count(msg.src, |u| u.pbu_received += 1);
                self.refuse(Status::INSUFFICIENT_RESOURCES, mn_id, &msg, now, actions);
            }
            Event::Peer(msg) => self.handle_peer(&msg, now, actions),
            Event::Start { restart_counter, state_lost } => {
                self.start(restart_counter, state_lost, actions);
            }
            Event::Sweep => self.sweep(now, actions),
            Event::AdminDelete { mn_id, prefix, customer } => {
                let of_node = self.cache.of_node(&mn_id);
                let of_node = of_node.filter(|b| customer.is_none_or(|c| b.customer == c));
                let holds = |b: &Bce| prefix.is_none_or(|p| b.prefixes().any(|q| q.prefix == p));
                let ids: Vec<BindingId> = of_node.filter(|b| holds(b)).map(|b| b.id).collect();
                for id in ids {
                    self.revoke(id, prefix, now, actions);
                }
            }
            Event::RealmRevoke { realm, mag } => self.revoke_realm(realm, mag),
            Event::MagAdd(address) => self.mags.add(address),
            Event::MagDel(address) => self.mags.withdraw(address),
            Event::MagRevoke(address) => self.revoke_gateway(address, now, actions),
            // The home agent's: `Anchor` knows.
            Event::Bu(_)
            | Event::Mip4(_)
            | Event::HomeProbed { .. }
            | Event::HomeLinkRouter(_)
            | Event::AgentDiscovery { .. }
            | Event::PrefixSolicitation { .. }
            | Event::NodeDrain(_) => {}
        }
    }

    /// Carries out what is due; call it again at once while [`Self::poll_timeout`] is not later
    /// than now.
    pub fn handle_timeout(&mut self, now: Now, actions: &mut Vec<Action>) {
        for _ in 0..TIMEOUT_BURST {
            match self.timers.pop_due(now.mono) {
                Some(TimerKey::Revocation(seq)) => {
                    self.revocation_overdue(SeqNo(seq), now, actions);
                }
                Some(TimerKey::Heartbeat(address)) => self.beat(address, now, actions),
                Some(TimerKey::Binding(id)) => self.end(id, now, actions),
                Some(TimerKey::Policy(question)) => self.policy_overdue(question, now, actions),
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

    /// Whether there is work that is done bit by bit, one with each [`Event::Sweep`]: sessions of a
    /// gateway that lost them are to be deleted, those of a realm to be found, what is held of a
    /// new pool is to be counted.
    #[must_use]
    pub fn is_sweeping(&self) -> bool {
        !self.sweeps.is_empty() || !self.searches.is_empty() || self.pools.is_counting()
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

    /// The customers, by their numbers: sessions in their address space, and the most of them.
    pub fn customers(&self) -> impl Iterator<Item = (CustomerId, usize, usize)> + '_ {
        self.customers.usage()
    }

    /// How many updates wait for `MaxDelayBeforeNewBCEAssign`.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many updates wait for the policy store.
    #[must_use]
    pub fn waiting_for_policy(&self) -> usize {
        self.policy_room.len()
    }

    /// The oldest question that the policy store has not answered and still may.
    #[must_use]
    pub fn oldest_question(&self) -> Option<QuestionId> {
        self.policy_room.oldest()
    }

    /// About whom a question without an answer is: a customer's node.
    #[must_use]
    pub fn question(&self, id: QuestionId) -> Option<&(CustomerId, MnId)> {
        self.policy_room.node(id)
    }

    /// What answers of the policy store about a customer's nodes begin with.
    #[must_use]
    pub fn base_profile(&self, home: CustomerId) -> Option<&Profile> {
        self.customers.base_profile(home)
    }

    /// The place of a service in the configuration, as a [`Profile`] names it.
    #[must_use]
    pub fn service_place(&self, name: &str) -> Option<u16> {
        u16::try_from(self.customers.service_place(name.as_bytes())?).ok()
    }

    fn handle_pbu(&mut self, msg: &UpdateMsg, now: Now, actions: &mut Vec<Action>) {
        let fields = Fields::read(msg);
        // RFC 6275 9.5.4: no answer, and nothing done, if the source is not unicast.
        if !is_unicast(msg.src) {
            let why = AuditKind::Ignored(Ignored::NotUnicast);
            return self.audit(why, fields.mn_id, msg, actions);
        }
        self.mags.count(msg.src, |u| u.pbu_received += 1);
        self.decide(msg, fields, None, now, actions);
    }

    /// Decides about an update: when it comes, and again when the policy store has `answered`.
    fn decide(
        &mut self,
        msg: &UpdateMsg,
        fields: Fields,
        answered: Option<Answered<'_>>,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let mn_id = fields.mn_id.clone();
        match self.judge(msg, fields, mn_id.as_ref(), answered, now) {
            // RFC 5846 8.1: what the operator is about to end is not confirmed again.
            Ok(Verdict::Duplicate(id)) if self.is_revoking(id) => {
                self.refuse(Status::ADMINISTRATIVELY_PROHIBITED, mn_id, msg, now, actions);
            }
            Ok(Verdict::Duplicate(id)) => {
                self.accept(id, None, msg, actions);
                self.audit(AuditKind::Duplicate, mn_id, msg, actions);
            }
            Ok(Verdict::Proceed(transition, request, in_order)) => {
                self.carry_out(transition, &request, in_order, msg, now, actions);
            }
            Err(Objection::Refuse(refusal)) => self.refuse(refusal, mn_id, msg, now, actions),
            Err(Objection::Ignore(why)) => {
                self.audit(AuditKind::Ignored(why), mn_id, msg, actions);
            }
            Err(Objection::Ask(order)) => match answered.map(|a| a.answer) {
                None => self.park(msg, order, now, actions),
                Some(PolicyAnswer::NotServed) => {
                    let status = Status::NOT_LMA_FOR_THIS_MOBILE_NODE;
                    self.refuse(status, mn_id, msg, now, actions);
                }
                // With a grant nothing is left to be asked.
                Some(PolicyAnswer::Unavailable | PolicyAnswer::Granted(_)) => {
                    self.refuse(Status::INSUFFICIENT_RESOURCES, mn_id, msg, now, actions);
                }
            },
        }
    }

    /// The checks of RFC 5213 5.3.1, in their order. Nothing is changed.
    fn judge(
        &self,
        msg: &UpdateMsg,
        fields: Fields,
        mn_id: Option<&MnId>,
        answered: Option<Answered<'_>>,
        now: Now,
    ) -> Result<Verdict, Objection> {
        // RFC 4285 in the place of (1)
        let key = self.authenticate(msg, &fields)?;
        // (4)
        let mn_id = mn_id.ok_or(Status::MISSING_MN_IDENTIFIER_OPTION)?;
        // (5), (6)
        let home = self.admit_gateway(msg, &fields, mn_id)?;
        // (7), (8). A service is refused when it is known which session loses it.
        let grant = self.grant(msg, &fields, key, (home, mn_id), answered, now)?;
        let permit = |service| self.permit(msg, &fields, (home, mn_id), service, grant.as_deref());
        let asked = permit(fields.service.as_deref());
        let service_denied = matches!(asked, Err(Status::SERVICE_AUTHORIZATION_FAILED));
        let terms = if service_denied { permit(None) } else { asked }?;
        let Terms { customer, .. } = terms;
        let node = Node::new(&self.cache, mn_id, home, customer);
        // 5.5 leaves open what equal timestamps mean; the same bytes mean the same update.
        let digest = request::digest(msg);
        let mut sessions = node.all();
        if let Some(bce) = sessions.find(|b| b.last_update == digest) {
            return Ok(Verdict::Duplicate(bce.id));
        }
        // (9). For the session to which the message's ordering is compared, (13) is asked now; what
        // it says counts only after (10) to (12).
        let found = lookup::find(node, &self.protocol, msg, &fields);
        let in_order = match answered {
            None => self.check_order(msg, &fields, key, node, found, now)?,
            Some(Answered { order, .. }) => order.and(check_since(msg, &fields, found))?,
        };
        // (10) to (12)
        let grant = grant.as_deref();
        let terms = match found.session() {
            Some(bce) => self.terms_of_session(bce, terms, &fields, grant),
            None => terms,
        };
        let request = fields.complete(msg, terms.profile, home, digest)?;
        let request = Request { grant: grant.map(|g| Box::new(g.clone())), ..request };
        // (13)
        let denied = service_denied || !self.may_change_service(found, &request, &terms);
        let transition = if denied {
            Transition::RefuseService(
                found.session().filter(|_| request.names_address()).map(|b| b.id),
            )
        } else {
            transition::decide(found, &request)
        };
        Ok(Verdict::Proceed(transition, Box::new(request), in_order))
    }

    /// RFC 5213 5.3.1 (5), (6): may this gateway register this node, and whose is it?
    fn admit_gateway(
        &self,
        msg: &UpdateMsg,
        fields: &Fields,
        mn_id: &MnId,
    ) -> Result<CustomerId, Status> {
        self.mags.check(msg.src, fields.proxy_coa(msg), mn_id)?;
        let home = self.customers.home(mn_id, self.mags.customer(msg.src));
        self.check_admitted(home, msg, fields).map(|()| home)
    }

    fn check_admitted(
        &self,
        customer: CustomerId,
        msg: &UpdateMsg,
        fields: &Fields,
    ) -> Result<(), Status> {
        let admits = |address| self.customers.admits(customer, address);
        let admitted = admits(msg.src) && admits(fields.proxy_coa(msg).0);
        admitted.then_some(()).ok_or(Status::MAG_NOT_AUTHORIZED_FOR_PROXY_REG)
    }

    /// RFC 5213 5.3.1 (7), (8): do we serve the node, with this service? `grant` is what the policy
    /// store said of it.
    fn permit<'a>(
        &'a self,
        msg: &UpdateMsg,
        fields: &Fields,
        (home, mn_id): (CustomerId, &MnId),
        service: Option<&[u8]>,
        grant: Option<&'a Grant>,
    ) -> Result<Terms<'a>, Status> {
        let terms = self.customers.terms(home, mn_id, service, grant)?;
        self.check_admitted(terms.customer, msg, fields).map(|()| terms)
    }

    /// What applies to a session: a request that does not name a service leaves it as it is.
    fn terms_of_session<'a>(
        &'a self,
        bce: &Bce,
        asked: Terms<'a>,
        fields: &Fields,
        grant: Option<&'a Grant>,
    ) -> Terms<'a> {
        match (&fields.service, &bce.service) {
            (None, Some(name)) => {
                let name = Some(name.as_bytes());
                let its = self.customers.terms(bce.home, &bce.mn_id, name, grant);
                its.unwrap_or(asked)
            }
            _ => asked,
        }
    }

    /// RFC 5149 4.2: a session may go over to another service if it can keep its addresses.
    fn may_change_service(&self, found: Found<'_>, request: &Request, terms: &Terms<'_>) -> bool {
        let Some(bce) = found.session() else { return true };
        let named = request.service.as_deref();
        let same = named.is_none() || named == bce.service.as_deref().map(str::as_bytes);
        if same || !request.names_address() || request.lifetime == Lifetime::ZERO {
            return true;
        }
        let pools = [terms.profile.ipv6.pool(), terms.profile.ipv4.pool()];
        let keeps = |p| {
            let from = |pool: &usize| self.pools.is_from(*pool, p);
            terms.own.contains(&p) || pools.iter().flatten().any(from)
        };
        bce.customer == terms.customer && bce.prefixes().all(|p| keeps(p.prefix))
    }

    /// Answers with the session as it is now; `lost` is the IPv4 home address that it had.
    fn accept(
        &mut self,
        id: BindingId,
        lost: Option<Ipv4HomeAddress>,
        msg: &UpdateMsg,
        actions: &mut Vec<Action>,
    ) {
        let Some(bce) = self.cache.get(id) else { return };
        self.mags.count(msg.src, |u| u.pba_accepted += 1);
        let asked = ack::Asked::read(msg);
        let home = || self.pools.ipv4_home(bce.customer, asked.ipv4?.addr());
        let service = bce.service.as_deref().map(str::as_bytes);
        let terms = || self.customers.terms(bce.home, &bce.mn_id, service, None).ok();
        let percent = match bce.granted {
            Some(granted) => Some(granted.refresh_percent),
            None => terms().map(|t| t.profile.refresh_percent),
        };
        let offer = Offer {
            ipv4: bce.ipv4.or(lost).or_else(home),
            dhcp_mode: self.customers.dhcp_mode(bce.customer),
            refresh: percent.and_then(|p| refresh_advice(bce.lifetime, p)),
            user_plane: self.local_end(bce.proxy_coa),
            signer: if asked.signed { self.signer(msg) } else { None },
        };
        actions.push(Action::Reply { ack: ack::accept(msg, &asked, bce, &offer), held: true });
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
        let ack = ack::refuse(msg, refusal, now.wall, self.signer(msg));
        actions.push(Action::Reply { ack, held: false });
        self.audit(AuditKind::Refused(refusal.status.0), mn_id, msg, actions);
    }

    /// Our end of a tunnel to `coa`: of the same family.
    fn local_end(&self, coa: ProxyCoa) -> Ipv6Addr {
        match (coa.0.to_ipv4_mapped(), self.address_ipv4) {
            (Some(_), Some(ours)) => ours.to_ipv6_mapped(),
            _ => self.address.0,
        }
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

fn is_unicast(address: Ipv6Addr) -> bool {
    match address.to_ipv4_mapped() {
        Some(a) => !a.is_multicast() && !a.is_broadcast() && !a.is_unspecified(),
        None => !address.is_multicast() && !address.is_unspecified(),
    }
}

/// When a gateway is advised to refresh (RFC 6275 6.2.4): sooner than the lifetime ends.
fn refresh_advice(lifetime: Lifetime, percent: u8) -> Option<Lifetime> {
    let units = u32::from(lifetime.0) * u32::from(percent) / 100;
    let advice = Lifetime(u16::try_from(units).ok()?.max(1));
    (advice < lifetime).then_some(advice)
}

#[cfg(test)]
mod tests;
