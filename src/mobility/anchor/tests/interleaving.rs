//! The races of RFC 6612 3.2: what a node and its gateway send arrives in any order, late or twice.

use super::*;
use crate::mobility::binding::BceState;
use crate::mobility::ha::HomeState;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What is forwarded, as the workers know it.
#[derive(Debug, Default)]
struct Forwarding(BTreeMap<crate::addr::CustomerPrefix, Option<std::net::Ipv6Addr>>);

impl Forwarding {
    fn follow(&mut self, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Publish(Publication::Forward(key, path, _)) => {
                    self.0.insert(*key, Some(path.remote));
                }
                Action::Publish(Publication::Hold(key)) => {
                    self.0.insert(*key, None);
                }
                Action::Publish(Publication::Withdraw(key)) => {
                    self.0.remove(key);
                }
                _ => {}
            }
        }
    }

    /// Where a packet to the home address goes: the longest match.
    fn of(&self, home: std::net::Ipv6Addr) -> Option<std::net::Ipv6Addr> {
        let inside = self.0.iter().filter(|(key, _)| key.prefix.contains(home));
        *inside.max_by_key(|(key, _)| key.prefix.len())?.1
    }
}

/// What either of them sends.
#[derive(Debug, Clone, Copy)]
enum Sent {
    Node { seq: u16, lifetime: u16, router: bool },
    Gateway { seq: u16, lifetime: u16 },
}

fn sent(sent: Sent) -> Event {
    match sent {
        Sent::Node { seq, lifetime, router } => {
            Event::Bu(bu(seq, lifetime, if router { ROUTER } else { PLAIN }).message())
        }
        Sent::Gateway { seq, lifetime } => pbu(2, seq, lifetime, prefix(WHOLE)),
    }
}

/// A story in the order in which it was sent: which of them said something, and whether it was its
/// end. The node's R flag is the same throughout.
fn story() -> impl Strategy<Value = Vec<Sent>> {
    let step = (any::<bool>(), prop::bool::weighted(0.3));
    (prop::collection::vec(step, 1..8), any::<bool>()).prop_map(|(steps, router)| {
        let (mut node, mut gateway) = (0, 0);
        let mut number = |by_node: bool, ends: bool| {
            let lifetime = if ends { 0 } else { 900 };
            if by_node {
                node += 1;
                Sent::Node { seq: node, lifetime, router }
            } else {
                gateway += 1;
                Sent::Gateway { seq: gateway, lifetime }
            }
        };
        steps.into_iter().map(|(by_node, ends)| number(by_node, ends)).collect()
    })
}

proptest! {
    /// In whatever order messages arrive, and each once more: each protocol's binding is what its
    /// own messages, ordered by their own numbers, make of it; packets to the home address go to
    /// the care-of address while there is a MIPv6 binding, else where the proxy binding says.
    #[test]
    fn each_protocol_ends_as_if_the_other_were_not_there(
        order in story().prop_flat_map(|story| {
            let twice: Vec<Sent> = story.iter().chain(&story).copied().collect();
            Just(twice).prop_shuffle()
        }),
    ) {
        let mut both = World::new(config());
        let (mut node_alone, mut gateway_alone) = (World::new(config()), World::new(config()));
        let mut forwarding = Forwarding::default();
        for message in order {
            let alone = match message {
                Sent::Node { .. } => &mut node_alone,
                Sent::Gateway { .. } => &mut gateway_alone,
            };
            let expected = reply(&alone.event(sent(message))).map(|a| (a.ack.status, a.ack.seq));
            let actions = both.event(sent(message));
            let said = reply(&actions).map(|a| (a.ack.status, a.ack.seq));
            prop_assert_eq!(said, expected, "{:?}", message);
            forwarding.follow(&actions);
            let home = |w: &World| {
                let b = w.anchor.ha().cache().by_home(CustomerId(0), POOLED);
                b.map(|b| (b.state, b.seq, b.care_of))
            };
            prop_assert_eq!(home(&both), home(&node_alone));
            let proxy = |w: &World| {
                let b = w.anchor.lma().cache().by_prefix(prefix(WHOLE).into());
                b.map(|b| (b.state, b.seq))
            };
            prop_assert_eq!(proxy(&both), proxy(&gateway_alone));
            let active = home(&both).filter(|(state, ..)| *state == HomeState::Active);
            let serving = proxy(&both).filter(|(s, _)| *s == BceState::Active);
            let expected = active.map(|(_, _, coa)| coa).or(serving.map(|_| MAG));
            prop_assert_eq!(forwarding.of(POOLED), expected);
        }
        // In the end nothing is left of either.
        forwarding.follow(&both.wait(Duration::from_secs(4000)));
        prop_assert!(forwarding.0.is_empty(), "{:?}", forwarding);
        let used: Vec<u64> = both.anchor.lma().pools().map(|p| p.used).collect();
        prop_assert_eq!(used, [0, 0]);
    }

    /// The one entry of both: the last registration that is accepted has it.
    #[test]
    fn combined_entry_follows_the_last_registration_that_was_accepted(
        order in story().prop_flat_map(|story| Just(story).prop_shuffle()),
    ) {
        let mut w = combined();
        let mut forwarding = Forwarding::default();
        let mut serves = None;
        for message in order {
            let actions = w.event(sent(message));
            forwarding.follow(&actions);
            let accepted = status(&actions) == Some(0);
            serves = match message {
                _ if !accepted => serves,
                Sent::Node { lifetime: 900, .. } => Some(COA),
                Sent::Gateway { lifetime: 900, .. } => Some(MAG),
                // P set: it stays the gateway's.
                Sent::Node { .. } => serves.filter(|s| *s == MAG),
                Sent::Gateway { .. } => None,
            };
            prop_assert_eq!(forwarding.of(POOLED), serves, "{:?}", message);
        }
        forwarding.follow(&w.wait(Duration::from_secs(4000)));
        prop_assert!(forwarding.0.is_empty(), "{:?}", forwarding);
    }
}
