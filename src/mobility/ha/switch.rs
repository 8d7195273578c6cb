//! A home agent leaves service: its nodes are told to look for another one (RFC 5142).
//!
//! ```text
//!   drain --> each node, not faster than configured --> again after 5, 10, 20 s, as long as its
//!             binding is there; what extends it is refused meanwhile (status 129)
//! ```

use super::{Drain, HomeAgent, HomeBinding, HomeState, HomeTimer, Proof};
use crate::mobility::action::{Action, BindingId};
use crate::mobility::auth::{Addresses, Signer};
use crate::mobility::message::{OwnedOptions, PeerBody, PeerMsg, Transport};
use crate::time::{Duration, Lifetime, Now};
use crate::wire::mh::{
    AuthOption, BindingRefreshRequest, HomeAgentSwitch, MessageData, MobilityOption,
};
use std::collections::BTreeMap;

/// It leaves service.
#[derive(Debug)]
pub(super) struct Draining {
    within: Option<Lifetime>,
    /// Those after this one are not told yet; `None`: nobody is.
    cursor: Option<BindingId>,
    /// How long is waited before each that was told is told again.
    waits: BTreeMap<BindingId, Duration>,
}

/// `INITIAL-HA-SWITCH-TIMEOUT` (RFC 5142 8).
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// However soon all is to be over: no node is told more often than updates may come (RFC 6275 13).
const LEAST_WAIT: Duration = Duration::from_secs(1);
/// `MAX-HA-SWITCH-TIMEOUT` (RFC 5142 8).
const LAST_WAIT: Duration = Duration::from_secs(20);
/// How often some more are told.
const TICK: Duration = Duration::from_millis(100);
const TICKS_A_SECOND: u32 = 10;

impl HomeAgent {
    /// The operator says so.
    pub(super) fn drain(&mut self, drain: Drain, now: Now) {
        self.timers.retain(|(_, t)| !matches!(t, HomeTimer::Drain | HomeTimer::Switch(_)));
        self.draining = match drain {
            Drain::Begin { within } => {
                self.timers.insert((now.mono, HomeTimer::Drain));
                Some(Draining { within, cursor: None, waits: BTreeMap::new() })
            }
            Drain::End => None,
        };
    }

    /// Whether it leaves service.
    #[must_use]
    pub const fn is_draining(&self) -> bool {
        self.draining.is_some()
    }

    /// 7: at a rate that the other home agents can take.
    pub(super) fn tell_some(&mut self, now: Now, actions: &mut Vec<Action>) {
        let Some(draining) = &mut self.draining else { return };
        let rate = self.config.switch_rate.max(1);
        let number = usize::try_from((rate / TICKS_A_SECOND).max(1)).unwrap_or(usize::MAX);
        let pause = TICK.max(Duration::from_secs(1) / rate);
        let next = self.cache.from(draining.cursor).map(|b| b.id);
        let ids: Vec<BindingId> = next.take(number).collect();
        let Some(last) = ids.last() else { return };
        draining.cursor = Some(*last);
        // 5.2: until half of the time has passed that the node was told, at most.
        let half = draining.within.map(|w| w.duration() / 2);
        let wait = half.map_or(FIRST_WAIT, |half| half.clamp(LEAST_WAIT, FIRST_WAIT));
        for id in &ids {
            draining.waits.insert(*id, wait);
        }
        self.timers.insert((now.mono + pause, HomeTimer::Drain));
        for id in ids {
            self.tell(id, now, actions);
        }
    }

    /// 5.2: until the node has deleted its binding, twice as long after each time.
    pub(super) fn tell_again(&mut self, id: BindingId, now: Now, actions: &mut Vec<Action>) {
        let Some(draining) = &mut self.draining else { return };
        let Some(wait) = draining.waits.get_mut(&id) else { return };
        *wait *= 2;
        if *wait > LAST_WAIT {
            draining.waits.remove(&id);
        }
        self.tell(id, now, actions);
    }

    fn tell(&mut self, id: BindingId, now: Now, actions: &mut Vec<Action>) {
        // Others alone: we are the one that leaves.
        let link = self.cache.get(id).and_then(|b| b.link);
        let agents = self.agents_of(link, (0, self.config.address), false, now);
        let Some(draining) = &mut self.draining else { return };
        let active = self.cache.get(id).filter(|b| b.state == HomeState::Active);
        let Some(binding) = active else {
            draining.waits.remove(&id);
            return;
        };
        if let Some(wait) = draining.waits.get(&id) {
            self.timers.insert((now.mono + *wait, HomeTimer::Switch(id)));
        }
        let advice = draining.within.map(MobilityOption::RefreshAdvice);
        let switch = HomeAgentSwitch::new(&agents);
        let msg = self.to_node(binding, &switch, PeerBody::Switch(switch), advice);
        actions.push(Action::Send { msg, held: false });
    }

    /// RFC 6275 9.5.5: a binding that is about to end is asked for, once.
    pub(super) fn ask_to_refresh(&mut self, id: BindingId, actions: &mut Vec<Action>) {
        let active = self.cache.get(id).filter(|b| b.state == HomeState::Active);
        let Some(binding) = active.filter(|_| self.draining.is_none()) else { return };
        let msg = self.to_node(binding, &BindingRefreshRequest, PeerBody::RefreshRequest, None);
        actions.push(Action::Send { msg, held: false });
    }

    /// A message to a node away from home: to its home address, by its tunnel (RFC 6275 6.1),
    /// protected as its own messages are (RFC 5142 5.1).
    fn to_node(
        &self,
        binding: &HomeBinding,
        message: &impl MessageData,
        body: PeerBody,
        advice: Option<MobilityOption<'_>>,
    ) -> PeerMsg {
        let mut options: Vec<_> = advice.into_iter().collect();
        let proof = self.nodes.by_id(&binding.mn_id).map(|n| &n.proof);
        let key = proof.and_then(|p| match p {
            Proof::Keys(keys) => keys.first(),
            Proof::Esp(_) | Proof::Nothing => None,
        });
        let about = Addresses { care_of: binding.care_of, home: binding.home };
        let signed = key.and_then(|key| {
            Some((key.spi, Signer { key, about }.authenticate(message, &options)?))
        });
        if let Some((spi, data)) = &signed {
            options.push(MobilityOption::MessageAuth(AuthOption::MN_HA, *spi, data));
        }
        let esp = binding.transport.is_protected();
        PeerMsg {
            src: self.config.address,
            dst: binding.home,
            transport: if esp { Transport::Ipv6Esp } else { Transport::Ipv6 },
            node: Some(binding.customer),
            body,
            options: OwnedOptions::from_options(&options).unwrap_or_default(),
        }
    }
}
