//! What a complete request does to the session that it is about: RFC 5213 5.3.1 (13).

use crate::mobility::action::{BindingId, Ignored};
use crate::mobility::binding::BceState;
use crate::mobility::lookup::Found;
use crate::mobility::request::Request;
use crate::time::Lifetime;
use crate::wire::mh::Status;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transition {
    /// A new session (5.3.2).
    Create,
    /// The lifetime is extended by the gateway that serves the node (5.3.3).
    Extend(BindingId),
    /// It is extended by another gateway: a handoff (5.3.4).
    Handoff(BindingId),
    /// The session ends (5.3.5).
    Deregister(BindingId),
    /// It is not known yet whether this session moved, or another begins (5.4.1.2 (4), 5.4.1.3
    /// (3)).
    Wait(BindingId),
    /// No answer.
    Ignore(Ignored),
    /// Refused.
    Refuse(Status),
    /// Refused, since the node may not use the service; a session whose address is named ends with
    /// it (RFC 5149 4.2).
    RefuseService(Option<BindingId>),
}

/// Decides; nothing is changed.
pub(crate) fn decide(found: Found<'_>, request: &Request) -> Transition {
    let ends = request.lifetime == Lifetime::ZERO;
    match (found, ends) {
        (Found::Refused(status, _), _) => Transition::Refuse(status),
        // 5.3.5 (1)
        (Found::Session(b), true) if b.proxy_coa != request.proxy_coa => {
            Transition::Ignore(Ignored::NotServing)
        }
        (Found::Session(b), true) => Transition::Deregister(b.id),
        (Found::Session(b), false) if b.proxy_coa == request.proxy_coa => Transition::Extend(b.id),
        (Found::Session(b), false) => Transition::Handoff(b.id),
        // 5.4.1.1 (6), 5.4.1.2 (5), 5.4.1.3 (4)
        (Found::New | Found::NewBeside(_) | Found::Unknown(_), true) => {
            Transition::Ignore(Ignored::NoSession)
        }
        (Found::New, false) => Transition::Create,
        (Found::Unknown(b), false) => Transition::Wait(b.id),
        // Its prefixes belong to a session of the node. While that session is only kept in case the
        // node comes back, it has come back: 5.3.5 (2) forbids to delete it, and 5.2 to give its
        // prefixes to a second one.
        (Found::NewBeside(b), false) if b.state == BceState::Deleting => {
            if b.proxy_coa == request.proxy_coa {
                Transition::Extend(b.id)
            } else {
                Transition::Handoff(b.id)
            }
        }
        // 5.2: each interface has prefixes of its own, so a new session cannot have these.
        (Found::NewBeside(_), false) if request.names_prefix() => {
            Transition::Refuse(Status::NOT_AUTHORIZED_FOR_HOME_NETWORK_PREFIX)
        }
        (Found::NewBeside(_), false) => {
            Transition::Refuse(Status::NOT_AUTHORIZED_FOR_IPV4_HOME_ADDRESS)
        }
    }
}
