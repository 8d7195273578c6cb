//! The world around the core: what follows from its actions when somebody carries them out. From
//! it come the invariants that hold after every step, whatever happened.

use crate::case;
use anchord::addr::{CustomerPrefix, Encap, GreKeys};
use anchord::mobility::Lma;
use anchord::mobility::action::{Action, BindingId, Publication};
use anchord::mobility::binding::{Bce, BceState};
use anchord::mobility::event::Event;
use anchord::time::Now;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

/// The core, the workers' tables, and the disk.
#[derive(Debug)]
pub(crate) struct World {
    config: &'static str,
    pub(crate) lma: Lma,
    /// Where the workers send a prefix: through a tunnel, or nowhere.
    forwarding: BTreeMap<CustomerPrefix, Option<(Ipv6Addr, Encap, GreKeys)>>,
    disk: BTreeMap<BindingId, Vec<u8>>,
    /// Everything that went in, for replay.
    pub(crate) events: Vec<(Option<Event>, Now)>,
    /// And everything that came out.
    pub(crate) actions: Vec<Action>,
}

impl World {
    pub(crate) fn new(config: &'static str) -> Self {
        Self {
            config,
            lma: Lma::new(case::config(config)),
            forwarding: BTreeMap::new(),
            disk: BTreeMap::new(),
            events: Vec::new(),
            actions: Vec::new(),
        }
    }

    /// One event.
    pub(crate) fn handle(&mut self, event: Event, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        self.events.push((Some(event.clone()), now));
        self.lma.handle(event, now, &mut actions);
        self.carry_out(&actions);
        actions
    }

    /// One event; if the policy store is asked, it grants what the configuration would, at once.
    pub(crate) fn handle_granting(&mut self, event: Event, now: Now) -> Vec<Action> {
        let mut actions = self.handle(event, now);
        if let Some(question) = actions.iter().find_map(case::question) {
            let answer = case::Granting::default().answer(&self.lma);
            actions.extend(self.handle(Event::Policy { question, answer }, now));
        }
        actions
    }

    /// Timers, each at its own moment.
    pub(crate) fn pass_until(&mut self, now: Now) -> Vec<Action> {
        let mut all = Vec::new();
        while let Some(due) = self.lma.poll_timeout().filter(|due| *due <= now.mono) {
            let mut actions = Vec::new();
            let then = Now { mono: due, wall: case::wall_at(due) };
            self.events.push((None, then));
            self.lma.handle_timeout(then, &mut actions);
            self.carry_out(&actions);
            all.extend(actions);
        }
        all
    }

    /// Starts again with what is on the disk.
    pub(crate) fn restart(&mut self, now: Now) -> Vec<Action> {
        self.lma = Lma::new(case::config(self.config));
        self.forwarding.clear();
        let mut actions = Vec::new();
        for bytes in self.disk.values() {
            let bce = postcard::from_bytes(bytes).expect("decodes");
            self.lma.restore(bce, now, &mut actions).expect("taken up");
        }
        self.carry_out(&actions);
        // A stream that is replayed begins with a start.
        self.events.clear();
        self.actions.clear();
        actions
    }

    /// The sessions, oldest first.
    pub(crate) fn sessions(&self) -> Vec<Bce> {
        let (rows, _) = self.lma.cache().page(0, usize::MAX);
        let mut all: Vec<Bce> = rows.map(|(_, b)| b.clone()).collect();
        all.sort_by_key(|b| b.id);
        all
    }

    fn carry_out(&mut self, actions: &[Action]) {
        self.actions.extend_from_slice(actions);
        for action in actions {
            match action {
                Action::Publish(Publication::Forward(p, path, keys)) => {
                    self.forwarding.insert(*p, Some((path.remote, path.encap, *keys)));
                }
                Action::Publish(Publication::Hold(p)) => {
                    self.forwarding.insert(*p, None);
                }
                Action::Publish(Publication::Withdraw(p)) => {
                    assert!(self.forwarding.remove(p).is_some(), "{p} was not known");
                }
                // As the control loop does it: when everything of this call is done.
                Action::Persist(id) => match self.lma.cache().get(*id) {
                    Some(b) => {
                        let bytes = postcard::to_stdvec(b).expect("encodes");
                        self.disk.insert(*id, bytes);
                    }
                    None => drop(self.disk.remove(id)),
                },
                Action::Reply { ack, held } => {
                    assert_eq!(*held, ack.ack.status.is_accepted(), "only refusals go at once");
                }
                Action::Send { .. } | Action::AskPolicy(_) | Action::Audit(_) => {}
                Action::SendMip4 { .. }
                | Action::Publish(Publication::Copy(..) | Publication::Protect(..)) => {
                    panic!("no node registers by itself: {action:?}")
                }
                Action::ProbeHome(_)
                | Action::Defend { .. }
                | Action::Undefend(_)
                | Action::SendIcmp(_) => panic!("no home agent is configured: {action:?}"),
            }
        }
    }
}

/// What holds after every step, if nothing but sessions and waits has a timer.
pub(crate) fn invariants(world: &World, now: Now) -> Result<(), TestCaseError> {
    consistent(world, now)?;
    let first = world.sessions().iter().map(|b| b.remaining(now.mono)).min();
    let next = world.lma.poll_timeout().map(|at| at.since(now.mono));
    if world.lma.waiting() + world.lma.waiting_for_policy() == 0 {
        // A session that was extended leaves its timer where it was until that comes.
        prop_assert_eq!(next.is_some(), first.is_some());
        prop_assert!(next <= first, "{next:?}, {first:?}");
    }
    Ok(())
}

/// What holds after every step.
pub(crate) fn consistent(world: &World, now: Now) -> Result<(), TestCaseError> {
    let sessions = world.sessions();
    // No two sessions share a prefix, and the workers know exactly what the cache says.
    let mut forwarding = BTreeMap::new();
    let mut keys = BTreeSet::new();
    for b in &sessions {
        let through = (b.proxy_coa.0, b.encap, b.keys_in_use());
        let to = (b.state == BceState::Active).then_some(through);
        prop_assert!(b.prefixes().next().is_some(), "a session without addresses");
        for p in b.prefixes() {
            prop_assert!(forwarding.insert(p, to).is_none(), "{} is held twice", p);
            prop_assert_eq!(world.lma.cache().by_prefix(p).map(|b| b.id), Some(b.id));
        }
        if let Some(key) = b.gre_keys.uplink {
            prop_assert!(keys.insert(key), "key {} is held twice", key);
        }
        let of_node: BTreeSet<_> = world.lma.cache().of_node(&b.mn_id).map(|b| b.id).collect();
        prop_assert!(of_node.contains(&b.id));
    }
    prop_assert_eq!(&forwarding, &world.forwarding);
    // What is on the disk is what the cache holds.
    let disk: BTreeMap<_, _> =
        sessions.iter().map(|b| (b.id, postcard::to_stdvec(b).expect("encodes"))).collect();
    prop_assert_eq!(&disk, &world.disk);
    // Pools and gateways count what is there.
    for pool in world.lma.pools() {
        let ours =
            |p: &&CustomerPrefix| pool.customer == p.customer && pool.prefix.covers(p.prefix);
        let held = forwarding.keys().filter(ours).count();
        prop_assert_eq!(pool.used, held as u64);
    }
    for m in world.lma.mags() {
        let served = sessions.iter().filter(|b| b.proxy_coa.0 == m.address).count();
        prop_assert_eq!(m.usage.bindings, served);
    }
    // No timer is lost, none is late.
    let first = sessions.iter().map(|b| b.remaining(now.mono)).min();
    prop_assert!(first.is_none_or(|r| !r.is_zero()));
    let next = world.lma.poll_timeout().map(|at| at.since(now.mono));
    prop_assert!(first.is_none_or(|first| next.is_some_and(|next| next <= first)));
    let waits = world.lma.waiting() + world.lma.waiting_for_policy() > 0;
    prop_assert!(!waits || next.is_some());
    Ok(())
}
