//! The home agent of Mobile IPv6 (RFC 6275 8.4 and 10): events in, decisions out.

mod config;
mod message;

use crate::addr::CustomerPrefix;
use crate::mobility::action::Action;
use crate::mobility::event::Event;
use crate::mobility::message::{AckMsg, OwnedOptions, UpdateMsg};
use crate::time::{Instant, Lifetime, Now};
use crate::wire::mh::{BaFlags, BindingAck, BuFlags, Status};

pub use config::{
    HaConfig, HomeLink, HomeNode, Interworking, LinkAddress, LinkId, LinkPrefix, Proof,
};
pub use message::{
    AgentInformation, Drain, HomeIcmp, HomeIcmpBody, PrefixHeard, PrefixOffer, RouterHeard,
};

/// The home agent's core.
#[derive(Debug, Default)]
pub struct HomeAgent {
    config: HaConfig,
}

impl HomeAgent {
    /// A home agent without bindings.
    #[must_use]
    pub const fn new(config: HaConfig) -> Self {
        Self { config }
    }

    /// Takes in one event; appends what follows from it, in the order in which it is to be done.
    pub(crate) fn handle(&mut self, event: Event, _now: Now, actions: &mut Vec<Action>) {
        if let Event::Bu(msg) = event
            && !self.config.enabled
        {
            actions.extend(refuse_home_registration(&msg));
        }
    }

    /// Whether a binding of ours says what is forwarded for this key.
    pub(crate) fn holds(&self, _key: CustomerPrefix) -> bool {
        false
    }

    /// Carries out what is due.
    pub(crate) fn handle_timeout(&mut self, _now: Now, _actions: &mut Vec<Action>) {}

    /// When [`Self::handle_timeout`] is to be called.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let _ = &self.config;
        None
    }
}

/// RFC 6275 10.3.1: we are no home agent. What asks for no home agent is for a correspondent, and
/// ignored.
fn refuse_home_registration(msg: &UpdateMsg) -> Option<Action> {
    let one_node = !msg.src.is_multicast() && !msg.src.is_unspecified();
    let asks = one_node && msg.update.flags.contains(BuFlags::H);
    asks.then(|| Action::Reply {
        ack: AckMsg {
            src: msg.dst,
            dst: msg.src,
            home: msg.home,
            transport: msg.transport,
            ack: BindingAck {
                status: Status::HOME_REGISTRATION_NOT_SUPPORTED,
                flags: BaFlags::default(),
                seq: msg.update.seq,
                lifetime: Lifetime::ZERO,
            },
            options: OwnedOptions::default(),
        },
        held: false,
    })
}
