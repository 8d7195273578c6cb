//! The checks on a binding update, in their order. Nothing is changed.

use super::links::Span;
use super::request::{Asked, is_routable};
use super::security::{Sender, Unproven};
use super::{HomeAgent, HomeBinding, HomeState, Interworking, LinkId};
use crate::addr::{CustomerId, HomePrefix, MnId};
use crate::mobility::Lma;
use crate::mobility::action::{BindingId, Ignored};
use crate::mobility::auth::{self, Addresses, AuthKey, Signer};
use crate::mobility::message::{Transport, UpdateMsg};
use crate::time::{Duration, Instant, Lifetime, Now};
use crate::wire::mh::{BuFlags, SeqNo, Status};
use std::net::Ipv6Addr;

/// What a check has against a binding update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Objection {
    /// It is discarded in silence.
    Ignore(Ignored),
    /// It is answered with a status, and the last accepted sequence number if that is the reason.
    Refuse(Status, Option<SeqNo>),
}

impl From<Status> for Objection {
    fn from(status: Status) -> Self {
        Self::Refuse(status, None)
    }
}

/// What a binding update asks for, and may.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The end of this binding.
    End(BindingId),
    /// A binding.
    Register(Box<Plan>),
}

/// A binding that may be.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) mn_id: MnId,
    pub(super) customer: CustomerId,
    /// The entry that there is for the home address.
    pub(super) existing: Option<BindingId>,
    pub(super) place: Place,
    pub(super) networks: Box<[HomePrefix]>,
    pub(super) lifetime: Lifetime,
    /// 0 or 1.
    pub(super) status: Status,
}

/// Where a home address is at home.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The home link, if it is at a port.
    pub(super) link: Option<LinkId>,
    /// What of the allocation goes with it.
    pub(super) held: HomePrefix,
    /// For how long its prefix is valid, and preferred; for ever if `None`.
    pub(super) valid: Option<Duration>,
    preferred: Option<Duration>,
}

impl HomeAgent {
    pub(super) fn judge(
        &self,
        msg: &UpdateMsg,
        asked: &Asked,
        lma: &Lma,
        now: Now,
    ) -> Result<Verdict, Objection> {
        // 10.3.1. Who is no home agent cannot know a node, either.
        if !self.config.enabled {
            let home = msg.update.flags.contains(BuFlags::H);
            let refused = Objection::from(Status::HOME_REGISTRATION_NOT_SUPPORTED);
            return Err(if home { refused } else { Objection::Ignore(Ignored::NotForHomeAgent) });
        }
        // 9.5.1; 6.1.7: a care-of address that nobody can reach is discarded in silence.
        // Of IPv4 is a care-of address if the update came from there, and only then.
        let is_ipv4 = |a: Ipv6Addr| a.to_ipv4_mapped().is_some();
        let in_ipv4 = matches!(msg.transport, Transport::Dsmip { .. });
        let families = !is_ipv4(asked.home) && is_ipv4(asked.care_of) == in_ipv4;
        if !families || !is_routable(asked.home) || !is_routable(asked.care_of) {
            return Err(Objection::Ignore(Ignored::NotRoutable));
        }
        let Sender { node, key } = self.sender(msg, asked, lma)?;
        let (customer, mn_id) = (node.customer, &node.mn_id);
        self.check_time(asked, key, (customer, mn_id), now)?;
        let existing = self.cache.by_home(customer, asked.home);
        check_kind(asked, msg, existing)?;
        if let Some(status) = asked.several {
            return Err(status.into());
        }
        if asked.ends(msg) {
            // 10.3.2. An entry that only remembers is none.
            let there = existing.filter(|b| b.state != HomeState::Invalid && b.mn_id == *mn_id);
            let there = there.ok_or(Status::NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE)?;
            return Ok(Verdict::End(there.id));
        }
        // 10.3.1: without it the source is the home address, and no care-of address.
        if msg.home.is_none() {
            return Err(Objection::Ignore(Ignored::NoHomeAddress));
        }
        let place = self.place(customer, mn_id, asked.home, lma, now);
        let place = place.ok_or(Status::NOT_HOME_SUBNET)?;
        // Below one unit the prefix is valid no more.
        let valid = place.valid.map_or(Lifetime(u16::MAX), Lifetime::at_most);
        if valid == Lifetime::ZERO {
            return Err(Status::NOT_HOME_SUBNET.into());
        }
        // RFC 5142 5.3
        if self.draining.is_some() {
            return Err(Status::ADMINISTRATIVELY_PROHIBITED.into());
        }
        if existing.is_none() && self.cache.len() >= self.config.max_bindings {
            return Err(Status::INSUFFICIENT_RESOURCES.into());
        }
        let another = self.is_own(asked.home)
            || node.home_address.is_some_and(|own| own != asked.home)
            || self.nodes.is_of_another(customer, mn_id, asked.home)
            || existing.is_some_and(|b| b.mn_id != *mn_id);
        if another {
            return Err(Status::NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE.into());
        }
        let networks = self.networks(msg, asked, &node.mobile_networks, place.held)?;
        self.check_care_of(msg, asked, (customer, &networks), existing.map(|b| b.id))?;
        let max = Lifetime::at_most(self.config.max_lifetime).max(Lifetime(1));
        let lifetime = msg.update.lifetime.min(max).min(valid);
        Ok(Verdict::Register(Box::new(Plan {
            mn_id: mn_id.clone(),
            customer,
            existing: existing.map(|b| b.id),
            place,
            networks,
            lifetime,
            status: place.success(lifetime),
        })))
    }

    /// RFC 6275 5.1, RFC 4285 5.1.
    fn sender<'a>(
        &'a self,
        msg: &UpdateMsg,
        asked: &Asked,
        lma: &Lma,
    ) -> Result<Sender<'a>, Objection> {
        let owner = |a| lma.owner_of(HomePrefix::new(a, 128).ok()?);
        let sender = self.nodes.sender(msg, asked.home, asked.signed_care_of(), owner);
        sender.map_err(|e| match e {
            Unproven::Silence => Objection::Ignore(Ignored::Unauthenticated),
            Unproven::Refuse(status) => status.into(),
        })
    }

    /// What an answer to `msg` is authenticated with: the key that it names, if we have that.
    pub(super) fn signer<'a>(
        &'a self,
        msg: &UpdateMsg,
        asked: &Asked,
        lma: &Lma,
    ) -> Option<Signer<'a>> {
        let owner = |a| lma.owner_of(HomePrefix::new(a, 128).ok()?);
        let key = self.nodes.key(msg, (asked.home, asked.spi?), owner)?;
        let about = Addresses { care_of: asked.signed_care_of(), home: asked.home };
        Some(Signer { key, about })
    }

    /// RFC 4285 6: after authentication only.
    fn check_time(
        &self,
        asked: &Asked,
        key: Option<&AuthKey>,
        (customer, mn_id): (CustomerId, &MnId),
        now: Now,
    ) -> Result<(), Objection> {
        let Some((key, time)) = key.zip(asked.replay) else { return Ok(()) };
        let window = key.replay_window.unwrap_or(AuthKey::DEFAULT_WINDOW);
        let mut last = self.cache.of_node(customer, mn_id).filter_map(|b| b.replay);
        let new = last.all(|last| auth::is_after(time, last));
        let close = auth::is_close(time, now.wall, window);
        if new && close { Ok(()) } else { Err(Status::MIPV6_ID_MISMATCH.into()) }
    }

    /// The home link of an address; `None` if it is none of ours. What the local mobility anchor
    /// gives to nodes comes first: it is one allocation.
    pub(super) fn place(
        &self,
        customer: CustomerId,
        mn_id: &MnId,
        home: Ipv6Addr,
        lma: &Lma,
        now: Now,
    ) -> Option<Place> {
        let allocated = lma.home_prefix(customer, mn_id, host(home));
        let left = |until: Option<Instant>| until.map(|until| until.since(now.mono));
        match (self.links.find(customer, home), allocated) {
            (Some((link, prefix)), allocated) => {
                let own = |len| HomePrefix::truncating(home, len).ok();
                let held = allocated.or_else(|| own(link.per_node_len.unwrap_or(128)))?;
                let Span { valid, preferred } = self.links.span(customer, prefix);
                let (valid, preferred) = (left(valid), left(preferred));
                Some(Place { link: link.id, held, valid, preferred })
            }
            (None, Some(held)) => Some(Place { link: None, held, valid: None, preferred: None }),
            (None, None) => None,
        }
    }

    /// RFC 3963 6.2, 6.1.2: the prefixes that move with the node. RFC 6612 4.2.1: with the R flag
    /// its home network prefix is one of them. One entry for both protocols always has all of it.
    fn networks(
        &self,
        msg: &UpdateMsg,
        asked: &Asked,
        own: &[HomePrefix],
        held: HomePrefix,
    ) -> Result<Box<[HomePrefix]>, Status> {
        let whole = Some(held).filter(|p| p.len() < 128);
        let mut networks: Vec<HomePrefix> = Vec::new();
        if self.config.interworking == Interworking::Combined {
            networks.extend(whole);
        }
        if msg.update.flags.contains(BuFlags::R) {
            for &prefix in &asked.networks {
                let address = prefix.addr();
                if prefix.len() == 0 || address.is_multicast() || address.is_unicast_link_local() {
                    return Err(Status::INVALID_PREFIX);
                }
                if whole != Some(prefix) && !own.iter().any(|o| o.covers(prefix)) {
                    return Err(Status::NOT_AUTHORIZED_FOR_PREFIX);
                }
                networks.push(prefix);
            }
            if asked.networks.is_empty() {
                networks.extend(own.iter().copied().chain(whole));
            }
            // Nothing says what would have to be forwarded.
            if networks.is_empty() {
                return Err(Status::FORWARDING_SETUP_FAILED);
            }
        }
        networks.sort_unstable();
        networks.dedup();
        Ok(networks.into())
    }

    /// A care-of address that its own tunnel would have to reach, or that is ours; a network that
    /// another node has; an encapsulation that there is not (RFC 5555 4.5).
    fn check_care_of(
        &self,
        msg: &UpdateMsg,
        asked: &Asked,
        (customer, networks): (CustomerId, &[HomePrefix]),
        existing: Option<BindingId>,
    ) -> Result<(), Status> {
        let inside = networks.iter().any(|p| p.contains(asked.care_of));
        if inside || self.is_own(asked.care_of) {
            return Err(Status::INVALID_CARE_OF_ADDRESS);
        }
        if self.is_of_another(customer, networks, existing) {
            return Err(Status::NOT_AUTHORIZED_FOR_PREFIX);
        }
        let in_ipv4 = matches!(msg.transport, Transport::Dsmip { .. });
        if msg.update.flags.contains(BuFlags::F) && !in_ipv4 {
            return Err(CANNOT_FORCE_UDP);
        }
        if in_ipv4 && self.config.address_ipv4.is_none() {
            return Err(Status::INVALID_CARE_OF_ADDRESS);
        }
        Ok(())
    }

    /// Whether one of these networks is forwarded for another binding than this one.
    pub(super) fn is_of_another(
        &self,
        customer: CustomerId,
        networks: &[HomePrefix],
        existing: Option<BindingId>,
    ) -> bool {
        let mut holders = networks.iter().filter_map(|p| self.cache.by_key(p.of(customer)));
        holders.any(|b| Some(b.id) != existing)
    }
}

impl Place {
    /// 10.3.1: status 1 if the prefix is deprecated, or will be during the lifetime, or becomes
    /// invalid at its end; compared in units of four seconds.
    pub(super) fn success(&self, lifetime: Lifetime) -> Status {
        let units = |d: Duration| d.as_secs() / 4;
        let granted = u64::from(lifetime.0);
        let deprecated = self.preferred.is_some_and(|p| units(p) < granted);
        let ends = self.valid.is_some_and(|v| units(v) == granted);
        if deprecated || ends {
            Status::ACCEPTED_PREFIX_DISCOVERY_NECESSARY
        } else {
            Status::ACCEPTED
        }
    }
}

/// RFC 6275 9.5.1, RFC 3963 6.2: in order, and of the same kind as before.
fn check_kind(
    asked: &Asked,
    msg: &UpdateMsg,
    existing: Option<&HomeBinding>,
) -> Result<(), Objection> {
    let last = existing.map(|b| b.seq);
    if let Some(last) = last.filter(|last| !msg.update.seq.is_after(*last)) {
        return Err(Objection::Refuse(Status::SEQUENCE_NUMBER_OUT_OF_WINDOW, Some(last)));
    }
    if let Some(status) = Asked::misses_home_flag(msg) {
        return Err(status.into());
    }
    let changed = Err(Status::REGISTRATION_TYPE_CHANGE_DISALLOWED.into());
    let there = existing.filter(|b| b.state != HomeState::Invalid);
    if !msg.update.flags.contains(BuFlags::H) {
        let silence = Err(Objection::Ignore(Ignored::NotForHomeAgent));
        return if there.is_some() { changed } else { silence };
    }
    // 9.5.1: not in a home registration; what fails for such a reason is discarded in silence.
    if asked.nonces {
        return Err(Objection::Ignore(Ignored::NotForHomeAgent));
    }
    let router = msg.update.flags.contains(BuFlags::R);
    // RFC 3963 6.2: of a de-registration the flag is ignored.
    let other = !asked.ends(msg) && there.is_some_and(|b| b.is_router() != router);
    if other { changed } else { Ok(()) }
}

/// An address as a prefix.
pub(super) fn host(address: Ipv6Addr) -> HomePrefix {
    HomePrefix::new(address, 128).unwrap_or(HomePrefix::ALL_ZERO)
}

/// RFC 5555 4.5 has no name for it; elsewhere the number has another meaning (RFC 4285 6).
const CANNOT_FORCE_UDP: Status = Status(144);
