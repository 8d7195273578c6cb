//! The Binding Cache entry existence test, RFC 5213 5.4.1, in its order.
//!
//! ```text
//!   a prefix is named?  --yes-->  5.4.1.1  by prefix
//!        | no
//!   a link-layer id?    --yes-->  5.4.1.2  by node, technology and link-layer id
//!        | no
//!                                 5.4.1.3  by node
//! ```
//! It asks the cache and the message only. It runs on [`Fields`], not on a complete request, since
//! the ordering of messages, which needs the session, is checked before absent options are
//! (5.3.1 (9) before (10)); a field that is absent matches nothing.

use crate::addr::MnId;
use crate::mobility::binding::{Bce, BceState};
use crate::mobility::cache::BindingCache;
use crate::mobility::config::LmaTimers;
use crate::mobility::message::UpdateMsg;
use crate::mobility::request::Fields;
use crate::wire::mh::{HandoffIndicator, Status};

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

/// Finds the session that a PBU is about.
pub(crate) fn find<'a>(
    cache: &'a BindingCache,
    timers: &LmaTimers,
    msg: &UpdateMsg,
    fields: &Fields,
    mn_id: &MnId,
) -> Found<'a> {
    let found = if fields.named_prefixes().next().is_some() {
        by_prefix(cache, msg, fields, mn_id)
    } else if fields.mn_ll_id.is_all_zero() {
        by_node(cache, fields, mn_id)
    } else {
        by_link_layer_id(cache, fields, mn_id)
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
fn by_prefix<'a>(
    cache: &'a BindingCache,
    msg: &UpdateMsg,
    fields: &Fields,
    mn_id: &MnId,
) -> Found<'a> {
    let mut own: Option<&Bce> = None;
    for bce in fields.named_prefixes().filter_map(|p| cache.by_hnp(p)) {
        // (3)
        if bce.mn_id != *mn_id {
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
    // (5)
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
fn by_link_layer_id<'a>(cache: &'a BindingCache, fields: &Fields, mn_id: &MnId) -> Found<'a> {
    // (1), (2)
    let same = |b: &&Bce| Some(b.att) == fields.att && b.mn_ll_id == fields.mn_ll_id;
    if let Some(bce) = cache.of_node(mn_id).find(same) {
        return Found::Session(bce);
    }
    match (only_session(cache, mn_id), fields.handoff) {
        (Some(bce), Some(HandoffIndicator::BETWEEN_INTERFACES)) => Found::Session(bce), // (3)
        (Some(bce), Some(HandoffIndicator::UNKNOWN)) => Found::Unknown(bce),            // (4)
        _ => Found::New,                                                                // (5)
    }
}

/// RFC 5213 5.4.1.3
fn by_node<'a>(cache: &'a BindingCache, fields: &Fields, mn_id: &MnId) -> Found<'a> {
    match (only_session(cache, mn_id), fields.handoff) {
        // (2)
        (
            Some(bce),
            Some(HandoffIndicator::BETWEEN_INTERFACES | HandoffIndicator::SAME_INTERFACE),
        ) => Found::Session(bce),
        (Some(bce), Some(HandoffIndicator::UNKNOWN)) => Found::Unknown(bce), // (3)
        _ => Found::New,                                                     // (4)
    }
}

/// The node's session if it has one and only one.
fn only_session<'a>(cache: &'a BindingCache, mn_id: &MnId) -> Option<&'a Bce> {
    let mut sessions = cache.of_node(mn_id);
    sessions.next().filter(|_| sessions.next().is_none())
}
