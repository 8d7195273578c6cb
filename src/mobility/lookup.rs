//! The Binding Cache entry existence test, RFC 5213 5.4.1, in its order, and RFC 5844 3.1.2.7.
//!
//! ```text
//!   a prefix is named?         --yes-->  5.4.1.1        by prefix
//!        | no
//!   an IPv4 home address is?   --yes-->  5844 3.1.2.7   by address
//!        | no
//!   a link-layer id?           --yes-->  5.4.1.2        by node, technology and link-layer id
//!        | no
//!                                        5.4.1.3        by node
//! ```
//! A request is about sessions of the service that it names, or of the default one (RFC 5149 1);
//! but an address that it names counts more, and the service may change with it.
//!
//! It asks the cache and the message only. It runs on [`Fields`], not on a complete request, since
//! the ordering of messages, which needs the session, is checked before absent options are
//! (5.3.1 (9) before (10)); a field that is absent matches nothing.

use crate::addr::{CustomerId, HomePrefix, MnId};
use crate::mobility::binding::{Bce, BceState};
use crate::mobility::cache::BindingCache;
use crate::mobility::config::LmaTimers;
use crate::mobility::message::UpdateMsg;
use crate::mobility::request::Fields;
use crate::wire::mh::{HandoffIndicator, Status};
use std::net::Ipv4Addr;

/// What a PBU is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Found<'a> {
    /// A session that is to be updated, or de-registered.
    Session(&'a Bce),
    /// A session that it may be about: only the de-registration by its gateway can tell
    /// (5.4.1.2 (4), 5.4.1.3 (3)).
    Unknown(&'a Bce),
    /// A new session, although the prefixes that it names are those of this one (5.4.1.1 (6)).
    NewBeside(&'a Bce),
    /// A new session.
    New,
    /// Nothing: it is refused with this status. The session is the node's own that it names.
    Refused(Status, Option<&'a Bce>),
}

impl<'a> Found<'a> {
    /// The existing session to which the message's ordering is compared.
    pub(crate) fn session(self) -> Option<&'a Bce> {
        match self {
            Self::Session(b) | Self::Unknown(b) | Self::NewBeside(b) => Some(b),
            Self::Refused(_, b) => b,
            Self::New => None,
        }
    }
}

/// The node that a PBU is about, and where its sessions may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node<'a> {
    pub(crate) cache: &'a BindingCache,
    /// The slot of its newest session.
    pub(crate) newest: Option<u32>,
    pub(crate) mn_id: &'a MnId,
    pub(crate) home: CustomerId,
    /// The address space of a session that begins now.
    pub(crate) customer: CustomerId,
}

/// Finds the session that a PBU is about.
pub(crate) fn find<'a>(
    node: Node<'a>,
    timers: &LmaTimers,
    msg: &UpdateMsg,
    fields: &Fields,
) -> Found<'a> {
    let found = if fields.named_prefixes().next().is_some() {
        by_prefix(node, msg, fields)
    } else if let Some(address) = fields.named_ipv4() {
        by_ipv4(node, address, msg, fields)
    } else if fields.mn_ll_id.is_all_zero() {
        by_node(node, fields)
    } else {
        by_link_layer_id(node, fields)
    };
    match found {
        // What it would wait for has happened.
        Found::Unknown(bce) if bce.state == BceState::Deleting => Found::Session(bce),
        // "MAY also choose to create a new mobility session without waiting"
        Found::Unknown(_) if timers.max_delay_before_new_bce_assign.is_zero() => Found::New,
        _ => found,
    }
}

/// RFC 5213 5.4.1.1
fn by_prefix<'a>(node: Node<'a>, msg: &UpdateMsg, fields: &Fields) -> Found<'a> {
    let mut own: Option<&Bce> = None;
    for bce in fields.named_prefixes().filter_map(|p| node.holder(p)) {
        // (3)
        if !node.owns(bce) {
            return Found::Refused(Status::NOT_AUTHORIZED_FOR_HOME_NETWORK_PREFIX, own);
        }
        own = own.or(Some(bce));
    }
    // (2)
    let Some(bce) = own else { return Found::New };
    // (4) An option with the value ALL_ZERO counts, and matches nothing.
    let same_set = fields.hnp.len() == bce.hnp.len()
        && fields.hnp.iter().all(|p| bce.hnp.contains(p))
        && bce.hnp.iter().all(|p| fields.hnp.contains(p));
    if !same_set {
        return Found::Refused(Status::BCE_PBU_PREFIX_SET_DO_NOT_MATCH, Some(bce));
    }
    by_condition(bce, msg, fields)
}

/// RFC 5844 3.1.2.7: the same with one address, which is one set.
fn by_ipv4<'a>(node: Node<'a>, address: Ipv4Addr, msg: &UpdateMsg, fields: &Fields) -> Found<'a> {
    let prefix = HomePrefix::from_ipv4(address, 32).ok();
    match prefix.and_then(|p| node.holder(p)) {
        None => Found::New,
        Some(bce) if !node.owns(bce) => {
            Found::Refused(Status::NOT_AUTHORIZED_FOR_IPV4_HOME_ADDRESS, None)
        }
        Some(bce) => by_condition(bce, msg, fields),
    }
}

/// RFC 5213 5.4.1.1 (5), (6)
fn by_condition<'a>(bce: &'a Bce, msg: &UpdateMsg, fields: &Fields) -> Found<'a> {
    let same_att = fields.att == Some(bce.att);
    let no_ll_id = fields.mn_ll_id.is_all_zero();
    let same_interface = !no_ll_id && fields.mn_ll_id == bce.mn_ll_id && same_att;
    let between_interfaces = fields.handoff == Some(HandoffIndicator::BETWEEN_INTERFACES);
    let between_gateways = no_ll_id
        && bce.mn_ll_id.is_all_zero()
        && same_att
        && fields.handoff == Some(HandoffIndicator::SAME_INTERFACE);
    let same_gateway = fields.proxy_coa(msg) == bce.proxy_coa && same_att;
    if same_interface || between_interfaces || between_gateways || same_gateway {
        Found::Session(bce)
    } else {
        Found::NewBeside(bce) // (6)
    }
}

/// RFC 5213 5.4.1.2
fn by_link_layer_id<'a>(node: Node<'a>, fields: &Fields) -> Found<'a> {
    // (1), (2)
    let same = |b: &&Bce| Some(b.att) == fields.att && b.mn_ll_id == fields.mn_ll_id;
    if let Some(bce) = node.sessions(fields).find(same) {
        return Found::Session(bce);
    }
    match (node.only_session(fields), fields.handoff) {
        (Some(bce), Some(HandoffIndicator::BETWEEN_INTERFACES)) => Found::Session(bce), // (3)
        (Some(bce), Some(HandoffIndicator::UNKNOWN)) => Found::Unknown(bce),            // (4)
        _ => Found::New,                                                                // (5)
    }
}

/// RFC 5213 5.4.1.3
fn by_node<'a>(node: Node<'a>, fields: &Fields) -> Found<'a> {
    match (node.only_session(fields), fields.handoff) {
        // (2)
        (
            Some(bce),
            Some(HandoffIndicator::BETWEEN_INTERFACES | HandoffIndicator::SAME_INTERFACE),
        ) => Found::Session(bce),
        (Some(bce), Some(HandoffIndicator::UNKNOWN)) => Found::Unknown(bce), // (3)
        _ => Found::New,                                                     // (4)
    }
}

impl<'a> Node<'a> {
    pub(crate) fn new(
        cache: &'a BindingCache,
        mn_id: &'a MnId,
        home: CustomerId,
        customer: CustomerId,
    ) -> Self {
        Self { cache, newest: cache.newest_of(mn_id), mn_id, home, customer }
    }

    /// All its sessions, newest first.
    pub(crate) fn all(self) -> impl Iterator<Item = &'a Bce> {
        self.cache.chain(self.newest).filter(move |b| b.home == self.home)
    }

    /// Its sessions with the service that is named, newest first; none named is the default one
    /// (RFC 5149 1).
    fn sessions(self, fields: &Fields) -> impl Iterator<Item = &'a Bce> {
        let named = fields.service.as_deref();
        let of_service = move |b: &&Bce| b.service.as_deref().map(str::as_bytes) == named;
        self.all().filter(of_service)
    }

    /// Its session if it has one and only one.
    fn only_session(self, fields: &Fields) -> Option<&'a Bce> {
        let mut sessions = self.sessions(fields);
        sessions.next().filter(|_| sessions.next().is_none())
    }

    /// The session that holds this prefix. What the node itself holds counts in every address
    /// space: a refresh need not name the service again (RFC 5149 4.1).
    fn holder(self, prefix: HomePrefix) -> Option<&'a Bce> {
        let here = self.cache.by_prefix(prefix.of(self.customer));
        let mut own = self.all();
        let elsewhere = || own.find(|b| b.prefixes().any(|p| p.prefix == prefix));
        here.filter(|b| self.owns(b)).or_else(elsewhere).or(here)
    }

    fn owns(self, bce: &Bce) -> bool {
        bce.home == self.home && bce.mn_id == *self.mn_id
    }
}
