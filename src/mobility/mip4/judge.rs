//! What a request has to pass, in the order of RFC 5944 3.8.2.1, and then whether it can be served:
//!
//! ```text
//!  a) authentic? 131      home agent named? 136    reverse tunnel? 137 138   UDP tunnel? 129 134 142
//!  b) new? 133            well-formed? 134         encapsulation? 139        room? 130 135
//!  c) d) agent? 132       home address? 129
//! ```
//! Nothing is changed. Who cannot be answered by a key that both ends have is not answered.

use super::HomeAgent4;
use crate::addr::{COPIES_MAX, Encap};
use crate::mobility::action::Ignored;
use crate::mobility::mip4::agent::{digest, is_unicast};
use crate::mobility::mip4::binding::PORT_UNKNOWN;
use crate::mobility::mip4::nat::{self, Nat};
use crate::mobility::mip4::request::{Auth, ForeignHome, Request};
use crate::mobility::mip4::{KnownBy, Mip4Msg, Mip4Node, ReverseTunnel, SecurityAssociation};
use crate::time::Now;
use crate::wire::mip4::{Identification, ReplyCode, RequestFlags};
use std::net::Ipv4Addr;

/// Between whom a request and its reply are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Party {
    /// The node, by its place among all.
    pub(super) node: usize,
    /// Which of its associations authenticates the reply.
    pub(super) association: usize,
    /// Which of the foreign agent's, if the request was authenticated by one.
    pub(super) agent: Option<usize>,
}

/// How an accepted request is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    /// In what packets travel.
    pub(super) encap: Encap,
    /// Where to: the care-of address, or the NAT before it.
    pub(super) remote: Ipv4Addr,
    /// How that is known.
    pub(super) known_by: KnownBy,
    /// What is said about a UDP tunnel.
    pub(super) nat: Option<Nat>,
}

/// What a check has against a request.
#[derive(Debug)]
pub(super) enum Objection {
    /// No answer.
    Discard(Ignored),
    /// The node's authenticator is not right: code 131.
    NotAuthentic(Party),
    /// It is not new: code 133, with this Identification.
    Mismatch(Party, Identification),
    /// It is what was accepted last.
    Again(Party),
    /// This code.
    Deny(Party, ReplyCode),
}

impl HomeAgent4 {
    pub(super) fn judge(
        &self,
        msg: &Mip4Msg,
        request: &Request<'_>,
        now: Now,
    ) -> Result<(Party, Terms), Objection> {
        let party = self.authenticate(msg, request)?;
        self.check_new(msg, request, party, now)?;
        let party = self.authenticate_agent(msg, request, party)?;
        let terms = self.serve(msg, request, party).map_err(|c| Objection::Deny(party, c))?;
        Ok((party, terms))
    }

    /// (a): who is it, and is it true?
    fn authenticate(&self, msg: &Mip4Msg, request: &Request<'_>) -> Result<Party, Objection> {
        let unknown = || Objection::Discard(Ignored::Unauthenticated);
        let auth = request.mobile_home.ok_or_else(unknown)?;
        let node = self.find(request).ok_or_else(unknown)?;
        let associations = &self.nodes.at(node).associations;
        if associations.is_empty() {
            return Err(unknown());
        }
        if let Some(association) = position(associations, &auth, msg) {
            return Ok(Party { node, association, agent: None });
        }
        // The answer is authenticated by the association that it named, or by one that it may have.
        let association = associations.iter().position(|a| a.spi == auth.spi).unwrap_or(0);
        let shared = self.agents.of(msg.src);
        let agent = match request.foreign_home {
            ForeignHome::One(auth) => position(shared, &auth, msg),
            ForeignHome::None | ForeignHome::Several => None,
        };
        if agent.is_none() && !shared.is_empty() {
            return Err(unknown());
        }
        Err(Objection::NotAuthentic(Party { node, association, agent }))
    }

    /// The node that a request is about: by what it calls itself, or by the home address that it
    /// was given.
    fn find(&self, request: &Request<'_>) -> Option<usize> {
        let home = request.fixed.home_address;
        self.nodes.find(request.nai, home).or_else(|| {
            let mut given = self.table.of_home(home).filter(|_| request.nai.is_none());
            let only = given.next().filter(|_| given.next().is_none())?;
            self.nodes.named(only.customer, &only.mn_id)
        })
    }

    /// (b): is it new?
    fn check_new(
        &self,
        msg: &Mip4Msg,
        request: &Request<'_>,
        party: Party,
        now: Now,
    ) -> Result<(), Objection> {
        let node = self.nodes.at(party.node);
        let seen = self.seen.get(&(node.customer, node.mn_id.clone()));
        let seen = seen.copied().unwrap_or_default();
        if seen.digest == Some(digest(msg)) && self.is_in_force(node, request) {
            return Err(Objection::Again(party));
        }
        let replay = self.nodes.association(party).replay;
        let fresh = seen.check(request.fixed.identification, replay, self.floor, now);
        fresh.map_err(|id| Objection::Mismatch(party, id))
    }

    /// Whether what a request asks for is so: the binding is there, or is not.
    fn is_in_force(&self, node: &Mip4Node, request: &Request<'_>) -> bool {
        let registration = self.table.of_node(node.customer, &node.mn_id);
        let binding = registration.and_then(|r| r.binding(request.fixed.care_of));
        binding.is_some() != request.ends()
    }

    /// (c), (d): is the foreign agent whom it says it is?
    fn authenticate_agent(
        &self,
        msg: &Mip4Msg,
        request: &Request<'_>,
        party: Party,
    ) -> Result<Party, Objection> {
        let shared = self.agents.of(msg.src);
        if shared.is_empty() {
            let is_signed = request.foreign_home != ForeignHome::None;
            let unknown = Objection::Discard(Ignored::Unauthenticated);
            return if is_signed { Err(unknown) } else { Ok(party) };
        }
        let agent = match request.foreign_home {
            ForeignHome::One(auth) => position(shared, &auth, msg),
            ForeignHome::None | ForeignHome::Several => None,
        };
        // 3.5.4, 3.8.1: foreign agents do not sign de-registrations.
        if agent.is_none() && !request.ends() {
            let code = ReplyCode::FOREIGN_AGENT_FAILED_AUTHENTICATION;
            return Err(Objection::Deny(party, code));
        }
        Ok(Party { agent, ..party })
    }

    /// Can it be served, and how?
    fn serve(
        &self,
        msg: &Mip4Msg,
        request: &Request<'_>,
        party: Party,
    ) -> Result<Terms, ReplyCode> {
        let (fixed, node) = (&request.fixed, self.nodes.at(party.node));
        // 3.8.2.1, 3.8.3.2: sent to a broadcast address, or to another home agent.
        if msg.dst != self.config.address || fixed.home_agent != self.config.address {
            return Err(ReplyCode::UNKNOWN_HOME_AGENT);
        }
        let home = fixed.home_address;
        if !home.is_unspecified() && node.home_address.is_some_and(|own| own != home) {
            return Err(ReplyCode::PROHIBITED);
        }
        if request.ends() {
            let (encap, remote, known_by) = (Encap::Ip, fixed.care_of, KnownBy::Request);
            return Ok(Terms { encap, remote, known_by, nat: None });
        }
        if self.draining {
            return Err(ReplyCode::PROHIBITED);
        }
        // Packets to the home address would go to the home address; or back to us.
        if !is_unicast(fixed.care_of) || [home, self.config.address].contains(&fixed.care_of) {
            return Err(ReplyCode::POORLY_FORMED);
        }
        self.check_reverse_tunnel(fixed.flags)?;
        let nat = self.nat(request, msg.src)?;
        // RFC 3519 4.6: the source is the effective care-of address, but for its port perhaps.
        let (encap, remote, known_by) = match nat.filter(|nat| nat.has_tunnel()) {
            Some(nat) if nat.half_bound => (PORT_UNKNOWN, msg.src, KnownBy::Awaited),
            Some(_) => (Encap::Mip4Udp(msg.port), msg.src, KnownBy::Request),
            None => (nat::encapsulation(fixed.flags)?, fixed.care_of, KnownBy::Request),
        };
        self.check_room(node, request)?;
        Ok(Terms { encap, remote, known_by, nat })
    }

    /// RFC 3024 4.3.1
    fn check_reverse_tunnel(&self, flags: RequestFlags) -> Result<(), ReplyCode> {
        match (self.config.reverse_tunnel, flags.contains(RequestFlags::T)) {
            (ReverseTunnel::Unavailable, true) => Err(ReplyCode::REVERSE_TUNNEL_UNAVAILABLE),
            (ReverseTunnel::Required, false) => Err(ReplyCode::REVERSE_TUNNEL_REQUIRED),
            _ => Ok(()),
        }
    }

    pub(super) fn nat(
        &self,
        request: &Request<'_>,
        src: Ipv4Addr,
    ) -> Result<Option<Nat>, ReplyCode> {
        nat::decide(request, src, self.config.nat)
    }

    fn check_room(&self, node: &Mip4Node, request: &Request<'_>) -> Result<(), ReplyCode> {
        let Some(registration) = self.table.of_node(node.customer, &node.mn_id) else {
            let full = self.table.len() >= self.config.max_registrations;
            return if full { Err(ReplyCode::INSUFFICIENT_RESOURCES) } else { Ok(()) };
        };
        let is_another = registration.binding(request.fixed.care_of).is_none();
        let full = registration.bindings.len() >= self.config.max_bindings.min(COPIES_MAX);
        // 3.8.2.2: with one at most the S bit is as if it were not set.
        if self.keeps_others(request) && is_another && full {
            return Err(ReplyCode::TOO_MANY_BINDINGS);
        }
        Ok(())
    }

    /// Whether bindings with other care-of addresses stay.
    pub(super) fn keeps_others(&self, request: &Request<'_>) -> bool {
        self.config.max_bindings > 1 && request.fixed.flags.contains(RequestFlags::S)
    }
}

/// Which of these associations authenticates a message by this extension.
pub(super) fn position(
    associations: &[SecurityAssociation],
    auth: &Auth<'_>,
    msg: &Mip4Msg,
) -> Option<usize> {
    let is =
        |a: &SecurityAssociation| a.spi == auth.spi && a.verifies(&msg.payload, auth.at, auth.data);
    associations.iter().position(is)
}
