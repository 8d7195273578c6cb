//! What an accepted request does to a session: it begins, is extended, moves (RFC 5213 5.3.2 to
//! 5.3.4, RFC 5844 3.1.2.2 to 3.1.2.4).

use super::Lma;
use super::release::Family;
use crate::addr::{CustomerId, CustomerPrefix, GreKeys, MnId, TunnelPath};
use crate::mobility::ack::Refusal;
use crate::mobility::action::{Action, Audit, AuditKind, BindingId, Publication};
use crate::mobility::assign::{Addresses, Assignment, ENTRIES_MAX};
use crate::mobility::binding::{Bce, BceState, Granted, Ipv4HomeAddress};
use crate::mobility::customer::Terms;
use crate::mobility::digest::Digest;
use crate::mobility::lifetime::{TimerKey, grant};
use crate::mobility::message::UpdateMsg;
use crate::mobility::request::Request;
use crate::mobility::revoke;
use crate::mobility::transition::Transition;
use crate::mobility::tunnel::{self, TunnelGrant};
use crate::time::{Instant, Lifetime, MobTimestamp, Now};
use crate::wire::mh::{Ipv4HomeStatus, Status};
use std::net::Ipv6Addr;

/// The most sessions, that is attached interfaces, of one node.
const SESSIONS_PER_NODE_MAX: usize = 16;

/// What a new session gets.
#[derive(Debug)]
struct Admission {
    terms: SessionTerms,
    addresses: Addresses,
    tunnel: TunnelGrant,
}

/// What applies to a session, without what it is looked up in.
#[derive(Debug)]
struct SessionTerms {
    customer: CustomerId,
    service: Option<Box<str>>,
    lifetime: Lifetime,
    granted: Option<Granted>,
}

/// What an update changes.
#[derive(Debug)]
struct Change {
    terms: SessionTerms,
    gained: Addresses,
    lost: Option<Family>,
    tunnel: TunnelGrant,
}

impl Lma {
    /// Does what was decided. `in_order` is for [`Transition::Wait`].
    pub(super) fn carry_out(
        &mut self,
        transition: Transition,
        request: &Request,
        in_order: bool,
        msg: &UpdateMsg,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        match transition {
            Transition::Create => self.create(request, msg, now, actions),
            Transition::Extend(id) | Transition::Handoff(id) => {
                self.update(id, request, msg, now, actions);
            }
            Transition::Deregister(id) => self.deregister(id, request, msg, now, actions),
            Transition::Wait(id) => self.wait(id, request, in_order, msg, now, actions),
            Transition::Ignore(why) => {
                self.stop_waiting(request);
                let mn_id = Some(request.mn_id.clone());
                self.audit(AuditKind::Ignored(why), mn_id, msg, actions);
            }
            Transition::Refuse(status) => {
                self.refuse(status, Some(request.mn_id.clone()), msg, now, actions);
            }
            Transition::RefuseService(session) => {
                if let Some(id) = session {
                    self.delete(id, AuditKind::Deleted, now, actions);
                }
                let status = Status::SERVICE_AUTHORIZATION_FAILED;
                self.refuse(status, Some(request.mn_id.clone()), msg, now, actions);
            }
        }
    }

    /// RFC 5213 5.3.2, RFC 5844 3.1.2.2: one session for both families.
    pub(super) fn create(
        &mut self,
        req: &Request,
        msg: &UpdateMsg,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let Admission { terms, addresses, tunnel } = match self.admit(req) {
            Ok(admission) => admission,
            Err(refusal) => {
                return self.refuse(refusal, Some(req.mn_id.clone()), msg, now, actions);
            }
        };
        let asked = req.link_local.filter(|a| !a.is_unspecified()).or(self.fixed_link_local);
        let link_local = asked.unwrap_or_else(|| self.generate_link_local(&req.mn_id, &addresses));
        let mut bce = Bce {
            id: self.cache.next_id(),
            mn_id: req.mn_id.clone(),
            home: req.home,
            customer: terms.customer,
            service: terms.service,
            hnp: addresses.hnp,
            ipv4: addresses.ipv4,
            proxy_coa: req.proxy_coa,
            mag: req.mag,
            transport: req.transport,
            encap: tunnel.encap,
            gre_keys: GreKeys::default(),
            att: req.att,
            handoff: req.handoff,
            mn_ll_id: req.mn_ll_id.clone(),
            link_local,
            access_network: req.access_network.clone(),
            seq: req.seq,
            timestamp: req.timestamp.unwrap_or_default(),
            replay: req.replay,
            answer: tunnel.status,
            lifetime: terms.lifetime,
            state: BceState::Active,
            handoffs: 0,
            created: now.wall,
            ends: MobTimestamp::default(),
            deadline: Instant::default(),
            timer: None,
            last_update: req.digest,
            granted: terms.granted,
        };
        bce.set_keys(tunnel.downlink, &mut self.gre_keys);
        bce.end_after(bce.lifetime.duration(), now);
        let id = bce.id;
        self.mags.count(bce.proxy_coa.0, |u| u.bindings += 1);
        self.customers.enter(bce.customer);
        self.timers.follow(&mut bce.timer, bce.deadline, TimerKey::Binding(id));
        self.cache.insert(bce);
        self.watch(id, now);
        self.publish_forward(id, actions);
        actions.push(Action::Persist(id));
        self.accept(id, None, msg, actions);
        self.audit_session(AuditKind::Created, id, actions);
    }

    /// Room, a tunnel and addresses for a new session.
    fn admit(&mut self, req: &Request) -> Result<Admission, Refusal> {
        let grant = req.grant.as_deref();
        let terms = self.customers.terms(req.home, &req.mn_id, req.service.as_deref(), grant)?;
        // How many prefixes it will be is known too late: as many as there may be must fit.
        let room = self.cache.len() < self.max_bindings && self.customers.has_room(terms.customer);
        if !room || self.entries_left() < ENTRIES_MAX {
            return Err(Status::INSUFFICIENT_RESOURCES.into());
        }
        if self.cache.of_subscriber(req.home, &req.mn_id).count() >= SESSIONS_PER_NODE_MAX {
            return Err(Status::ADMINISTRATIVELY_PROHIBITED.into());
        }
        let tunnel = self.negotiate(req, &terms, None)?;
        let (mn_id, mags, pools) = (&req.mn_id, &self.mags, &mut self.pools);
        let mut assignment = Assignment { mn_id, terms, mags, pools };
        let addresses = assignment.choose(&req.hnp, req.ipv4, req.proxy_coa)?;
        Ok(Admission { terms: SessionTerms::new(&terms, req), addresses, tunnel })
    }

    /// RFC 5213 5.3.3 and 5.3.4; within the delete delay also 5.3.5 (2): the session is taken up
    /// again.
    pub(super) fn update(
        &mut self,
        id: BindingId,
        req: &Request,
        msg: &UpdateMsg,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        // RFC 5846 8.1: the gateway that is told to end it cannot extend it.
        let before = self.cache.get(id).map(|b| (b.proxy_coa, self.contact(b), b.att));
        if self.is_revoking(id) && before.is_some_and(|(coa, ..)| coa == req.proxy_coa) {
            let status = Status::ADMINISTRATIVELY_PROHIBITED;
            return self.refuse(status, Some(req.mn_id.clone()), msg, now, actions);
        }
        let Change { terms, gained, lost, tunnel } = match self.plan(id, req) {
            Ok(change) => change,
            Err(refusal) => {
                return self.refuse(refusal, Some(req.mn_id.clone()), msg, now, actions);
            }
        };
        if let Some(family) = lost {
            self.give_back(id, family, actions);
        }
        let grown = !gained.hnp.is_empty() || gained.ipv4.is_some();
        if grown {
            self.cache.readdress(id, |bce| bce.gain(gained));
        }
        let Some(bce) = self.cache.get_mut(id) else { return };
        let previous = (bce.proxy_coa, bce.encap, bce.keys_in_use());
        let moved = previous.0 != req.proxy_coa;
        let revived = bce.state == BceState::Deleting;
        bce.take_over(req);
        bce.state = BceState::Active;
        bce.service = terms.service;
        bce.granted = terms.granted;
        bce.encap = tunnel.encap;
        bce.answer = tunnel.status;
        bce.lifetime = terms.lifetime;
        bce.end_after(bce.lifetime.duration(), now);
        bce.handoffs += u32::from(moved);
        self.timers.follow(&mut bce.timer, bce.deadline, TimerKey::Binding(id));
        bce.set_keys(tunnel.downlink, &mut self.gre_keys);
        let redirected = previous != (bce.proxy_coa, bce.encap, bce.keys_in_use());
        if moved {
            self.mags.count(previous.0.0, |u| u.bindings -= 1);
            self.mags.count(req.proxy_coa.0, |u| u.bindings += 1);
        }
        self.watch(id, now);
        if redirected || revived || grown {
            self.publish_forward(id, actions);
        }
        actions.push(Action::Persist(id));
        self.accept(id, None, msg, actions);
        if let Some((_, contact, att)) = before.filter(|_| moved) {
            // One that has let the session go knows already.
            let trigger = revoke::handoff_trigger(att, req.att, req.handoff);
            self.after_handoff(id, contact, Some(trigger).filter(|_| !revived), now, actions);
        }
        if let Some(family) = lost {
            self.audit_released(id, family, actions);
        }
        if revived {
            self.audit_session(AuditKind::Revived, id, actions);
        }
        if moved {
            self.audit_session(AuditKind::HandedOff, id, actions);
        } else if !revived {
            self.audit_session(AuditKind::Refreshed, id, actions);
        }
    }

    /// What an update changes, or why it is refused; addresses that it gains are taken.
    fn plan(&mut self, id: BindingId, req: &Request) -> Result<Change, Refusal> {
        let bce = self.cache.get(id).ok_or(Status::REASON_UNSPECIFIED)?;
        // With the service that is named from now on, else with its own.
        let own = bce.service.as_deref().map(str::as_bytes);
        let grant = req.grant.as_deref();
        let terms = |service| self.customers.terms(req.home, &req.mn_id, service, grant);
        let terms = match (req.service.as_deref(), own) {
            (Some(named), _) => terms(Some(named))?,
            // A service that is no longer offered.
            (None, Some(own)) => terms(Some(own)).or_else(|_| terms(None))?,
            (None, None) => terms(None)?,
        };
        // Its addresses stay where they are.
        let terms = Terms { customer: bce.customer, ..terms };
        let moved = bce.proxy_coa != req.proxy_coa;
        let has_ipv4 = bce.ipv4.map(|a| a.home.addr());
        if has_ipv4.zip(req.named_ipv4()).is_some_and(|(has, named)| has != named) {
            let refusal = Refusal::from(Status::NOT_AUTHORIZED_FOR_IPV4_HOME_ADDRESS);
            return Err(Refusal { ipv4: Ipv4HomeStatus::INCORRECT_ADDRESS, ..refusal });
        }
        // RFC 5844 3.1.2.4: what the new gateway does not ask for is released.
        let lost = match (req.hnp.is_empty(), req.ipv4.is_none()) {
            (true, false) if moved && !bce.hnp.is_empty() => Some(Family::Ipv6),
            (false, true) if moved && has_ipv4.is_some() => Some(Family::Ipv4),
            _ => None,
        };
        let kept_ipv6 = if lost == Some(Family::Ipv6) { &[][..] } else { &bce.hnp };
        if !kept_ipv6.iter().all(|p| self.mags.may_serve(req.proxy_coa, *p)) {
            return Err(Status::NOT_AUTHORIZED_FOR_HOME_NETWORK_PREFIX.into());
        }
        let kept_ipv4 = bce.ipv4.filter(|_| lost != Some(Family::Ipv4));
        if kept_ipv4.is_some_and(|a| !self.mags.may_serve(req.proxy_coa, a.prefix())) {
            return Err(Status::NOT_AUTHORIZED_FOR_IPV4_HOME_ADDRESS.into());
        }
        let tunnel = self.negotiate(req, &terms, Some(bce).filter(|_| !moved))?;
        // RFC 5844 3.1.2.1: a family that it did not have, as for a new session.
        let hnp = if bce.hnp.is_empty() { &req.hnp[..] } else { &[] };
        let ipv4 = req.ipv4.filter(|_| has_ipv4.is_none());
        if (!hnp.is_empty() || ipv4.is_some()) && self.entries_left() < ENTRIES_MAX {
            return Err(Status::INSUFFICIENT_RESOURCES.into());
        }
        let (mn_id, mags, pools) = (&req.mn_id, &self.mags, &mut self.pools);
        let mut assignment = Assignment { mn_id, terms, mags, pools };
        let gained = assignment.choose(hnp, ipv4, req.proxy_coa)?;
        Ok(Change { terms: SessionTerms::new(&terms, req), gained, lost, tunnel })
    }

    fn negotiate(
        &self,
        req: &Request,
        terms: &Terms<'_>,
        current: Option<&Bce>,
    ) -> Result<TunnelGrant, Status> {
        let tunnel = req.tunnel(current.map(|b| b.encap));
        // There is no tunnel over IPv4 without an address of ours.
        if tunnel.coa.to_ipv4_mapped().is_some() && self.address_ipv4.is_none() {
            return Err(Status::INVALID_CARE_OF_ADDRESS);
        }
        let policy = tunnel::combine(self.customers.gre(terms.customer), self.mags.gre(req.mag));
        tunnel::negotiate(&tunnel, policy, self.accept_udp)
    }

    fn entries_left(&self) -> usize {
        self.max_prefixes.saturating_sub(self.cache.prefixes())
    }

    /// Every prefix of a session goes through the tunnel to its gateway (5.3.2 (5), (6), 5.3.4 (2)
    /// to (4), RFC 5844 3.1.2.2, 3.1.2.4, 4.1.3.1).
    pub(super) fn publish_forward(&self, id: BindingId, actions: &mut Vec<Action>) {
        let Some(bce) = self.cache.get(id) else { return };
        actions.extend(bce.prefixes().map(|p| Action::Publish(self.forward(bce, p))));
    }

    fn forward(&self, bce: &Bce, prefix: CustomerPrefix) -> Publication {
        let local = self.local_end(bce.proxy_coa);
        let path = TunnelPath { local, remote: bce.proxy_coa.0, encap: bce.encap };
        Publication::Forward(prefix, path, bce.keys_in_use())
    }

    /// What is in force for this prefix by a session; `None` if no session holds exactly it.
    pub(crate) fn publication(&self, prefix: CustomerPrefix) -> Option<Publication> {
        let bce = self.cache.by_prefix(prefix)?;
        Some(match bce.state {
            BceState::Active => self.forward(bce, prefix),
            BceState::Deleting => Publication::Hold(prefix),
        })
    }

    /// The same by the session of this node whose prefix the address lies in.
    pub(crate) fn publication_around(
        &self,
        mn_id: &MnId,
        address: CustomerPrefix,
    ) -> Option<Publication> {
        let own = self.cache.of_node(mn_id).flat_map(Bce::prefixes);
        let around =
            |p: &CustomerPrefix| p.customer == address.customer && p.prefix.covers(address.prefix);
        self.publication(own.filter(around).max_by_key(|p| p.prefix.len())?)
    }

    pub(super) fn audit_session(&self, kind: AuditKind, id: BindingId, actions: &mut Vec<Action>) {
        let Some(bce) = self.cache.get(id) else { return };
        let (mn_id, proxy_coa) = (Some(bce.mn_id.clone()), Some(bce.proxy_coa));
        actions.push(Action::Audit(Audit { kind, mn_id, proxy_coa }));
    }

    /// The gateway's address on its link to the node (5.3.6): one for each session, the same in
    /// every run, from our own address, the node and its addresses.
    fn generate_link_local(&self, mn_id: &MnId, addresses: &Addresses) -> Ipv6Addr {
        let mut digest = Digest::new(0).field(&self.address.0.octets());
        digest = digest.field(&[mn_id.subtype()]).field(mn_id.bytes());
        let ipv4 = addresses.ipv4.map(Ipv4HomeAddress::prefix);
        for prefix in addresses.hnp.iter().chain(&ipv4) {
            digest = digest.field(&prefix.addr().octets());
        }
        // The u bit is clear: made up, not from a link-layer address (RFC 4291 appendix A). With
        // the top bit clear it is none of the reserved identifiers of RFC 5453; nor is it zero.
        let iid = (digest.finish() & 0x7dff_ffff_ffff_ffff).max(1);
        Ipv6Addr::from_bits(0xfe80_u128 << 112 | u128::from(iid))
    }
}

impl SessionTerms {
    fn new(terms: &Terms<'_>, req: &Request) -> Self {
        Self {
            customer: terms.customer,
            service: terms.service.map(|s| s.name.as_str().into()),
            lifetime: grant(req.lifetime, terms.profile.max_lifetime),
            granted: terms.granted.then(|| Granted {
                max_lifetime: Lifetime::at_most(terms.profile.max_lifetime),
                refresh_percent: terms.profile.refresh_percent,
            }),
        }
    }
}
