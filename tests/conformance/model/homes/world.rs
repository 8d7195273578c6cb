//! What follows from the actions of an anchor of three protocols when somebody carries them out.

use super::{Files, Link, home, mip4, naive, network};
use crate::case;
use crate::model::{CONFIG, LIFETIME, TICKS};
use crate::render::address;
use anchord::addr::{CustomerId, CustomerPrefix, Encap, GreKeys, HomePrefix};
use anchord::mobility::action::{Action, BindingId, Publication};
use anchord::mobility::anchor::{Anchor, Record};
use anchord::mobility::binding::{Bce, BceState};
use anchord::mobility::event::Event;
use anchord::mobility::ha::{
    Drain, HaConfig, HomeAgent, HomeLink, HomeNode, HomeState, Interworking, LinkAddress, LinkId,
    LinkPrefix, Proof,
};
use anchord::mobility::mip4::HomeAgent4;
use anchord::mobility::{Description, Lma};
use anchord::time::{Duration, Now};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

/// Where the workers send a prefix: to the other end of a tunnel, or nowhere.
type Forwarding = BTreeMap<CustomerPrefix, Option<(Ipv6Addr, Encap, GreKeys)>>;

/// The anchor, the workers' tables, the disk, the home link.
#[derive(Debug)]
pub(super) struct World {
    pub(super) anchor: Anchor,
    interworking: Interworking,
    files: Files,
    forwarding: Forwarding,
    disk: BTreeMap<BindingId, Vec<u8>>,
    defended: BTreeSet<LinkAddress>,
    /// Of which the home link has said nothing yet.
    pub(super) probes: BTreeSet<LinkAddress>,
    /// Requests of Mobile IPv4 so far.
    pub(super) requests: u64,
}

fn homes(interworking: Interworking, files: Files) -> HaConfig {
    let second = files.second;
    let link = |prefix: &str, id, per_node_len| HomeLink {
        customer: CustomerId(0),
        prefixes: vec![LinkPrefix {
            prefix: prefix.parse().expect("a prefix"),
            address: None,
            valid_lifetime_s: None,
            preferred_lifetime_s: None,
        }],
        per_node_len,
        id,
        preference: 0,
    };
    let node = |n: u8| HomeNode {
        mn_id: case::mn_id(&format!("mn{n}@example.org")),
        customer: CustomerId(0),
        home_address: (n < 2).then(|| home(n)),
        ipv4_home_address: None,
        mobile_networks: if n == u8::from(second) { vec![network(0)] } else { Vec::new() },
        proof: Proof::Nothing,
    };
    let mut at_port = link("2001:db8:100::/64", Some(LinkId(1)), None);
    if files.link == Link::Short {
        let seconds = u32::try_from(naive::SHORT / TICKS).ok();
        at_port.prefixes[0].valid_lifetime_s = seconds;
        at_port.prefixes[0].preferred_lifetime_s = seconds;
    }
    let at_port = (files.link != Link::Gone).then_some(at_port);
    let of_pool = link("2001:db8:a000::/61", None, Some(64));
    HaConfig {
        enabled: true,
        address: address(case::LMA),
        links: at_port.into_iter().chain([of_pool]).collect(),
        nodes: (0..if second { 2 } else { 3 }).map(node).collect(),
        interworking,
        max_bindings: naive::ROOM,
        max_lifetime: Duration::from_secs(LIFETIME / TICKS),
        ..HaConfig::default()
    }
}

impl World {
    pub(super) fn new(interworking: Interworking) -> Self {
        Self {
            anchor: anchor(interworking, Files::default()),
            interworking,
            files: Files::default(),
            forwarding: Forwarding::new(),
            disk: BTreeMap::new(),
            defended: BTreeSet::new(),
            probes: BTreeSet::new(),
            requests: 0,
        }
    }

    pub(super) fn handle(&mut self, event: Event, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        self.anchor.handle(event, now, &mut actions);
        self.carry_out(&actions);
        actions
    }

    /// Timers, each at its own moment.
    pub(super) fn pass_until(&mut self, now: Now) -> Vec<Action> {
        let mut all = Vec::new();
        while let Some(due) = self.anchor.poll_timeout().filter(|due| *due <= now.mono) {
            let mut actions = Vec::new();
            let then = Now { mono: due, wall: case::wall_at(due) };
            self.anchor.handle_timeout(then, &mut actions);
            self.carry_out(&actions);
            all.extend(actions);
        }
        all
    }

    /// Other files.
    pub(super) fn reload(&mut self, files: Files, now: Now) -> Vec<Action> {
        self.files = files;
        let mut home = HomeAgent::new(homes(self.interworking, files));
        let mut description = Description::new(case::config(CONFIG));
        let mut mip4 = HomeAgent4::new(mip4::config());
        self.anchor.take_over(&mut description, &mut home, &mut mip4, now);
        self.sweep(now)
    }

    fn sweep(&mut self, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        while self.anchor.is_sweeping() {
            actions.extend(self.handle(Event::Sweep, now));
        }
        actions
    }

    /// Starts again with what is on the disk.
    pub(super) fn restart(&mut self, now: Now) -> Vec<Action> {
        self.anchor = anchor(self.interworking, self.files);
        self.forwarding.clear();
        self.defended.clear();
        self.probes.clear();
        let mut actions = Vec::new();
        for bytes in self.disk.values() {
            let record: Record<'static> = postcard::from_bytes(bytes).expect("decodes");
            self.anchor.restore(record, now, &mut actions).expect("taken up");
        }
        self.carry_out(&actions);
        // Its first event: it serves.
        actions.extend(self.handle(Event::NodeDrain(Drain::End), now));
        actions.extend(self.sweep(now));
        actions
    }

    /// The sessions of gateways, oldest first.
    pub(super) fn sessions(&self) -> Vec<Bce> {
        let (rows, _) = self.anchor.lma().cache().page(0, usize::MAX);
        let mut all: Vec<Bce> = rows.map(|(_, b)| b.clone()).collect();
        all.sort_by_key(|b| b.id);
        all
    }

    /// The node that holds a prefix of the pool, by a session or by a home registration.
    pub(super) fn holder(&self, prefix: HomePrefix) -> Option<u8> {
        let sessions = self.sessions();
        let session = sessions.iter().find(|b| b.hnp.contains(&prefix)).map(|b| &b.mn_id);
        let mut homes = self.anchor.ha().cache().from(None);
        let home = || homes.find(|b| prefix.contains(b.home)).map(|b| &b.mn_id);
        session.or_else(home).map(|mn_id| mn_id.bytes()[2] - b'0')
    }

    fn carry_out(&mut self, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Publish(Publication::Forward(key, path, keys)) => {
                    self.forwarding.insert(*key, Some((path.remote, path.encap, *keys)));
                }
                Action::Publish(Publication::Copy(..) | Publication::Protect(..)) => {
                    panic!("no node has several care-of addresses, or ESP: {action:?}")
                }
                Action::Publish(Publication::Hold(key)) => {
                    self.forwarding.insert(*key, None);
                }
                Action::Publish(Publication::Withdraw(key)) => {
                    assert!(self.forwarding.remove(key).is_some(), "{key} was not known");
                }
                Action::Persist(id) => match self.anchor.record(*id) {
                    Some(record) => {
                        let bytes = postcard::to_stdvec(&record).expect("encodes");
                        self.disk.insert(*id, bytes);
                    }
                    None => drop(self.disk.remove(id)),
                },
                Action::Defend { address, .. } => assert!(self.defended.insert(*address)),
                Action::Undefend(address) => assert!(self.defended.remove(address)),
                Action::ProbeHome(address) => {
                    self.probes.insert(*address);
                }
                Action::Reply { ack, held } => {
                    assert_eq!(*held, ack.ack.status.is_accepted(), "only refusals go at once");
                }
                Action::Send { .. }
                | Action::SendMip4 { .. }
                | Action::SendIcmp(_)
                | Action::AskPolicy(_)
                | Action::Audit(_) => {}
            }
        }
    }

    /// Whether nothing is left of anybody.
    pub(super) fn is_empty(&self) -> bool {
        let unused = self.anchor.lma().pools().all(|p| p.used == 0);
        self.forwarding.is_empty() && self.disk.is_empty() && unused
    }
}

fn anchor(interworking: Interworking, files: Files) -> Anchor {
    let lma = Lma::new(case::config(CONFIG));
    let ha = HomeAgent::new(homes(interworking, files));
    Anchor::new(lma, ha).with_mip4(HomeAgent4::new(mip4::config()))
}

/// What holds after every step: workers and home links know what the caches say, in the order of
/// RFC 6612 4.2; what is acknowledged is on the disk, and nothing else for long.
pub(super) fn consistent(world: &World) -> Result<(), TestCaseError> {
    let (mut forwarding, mut disk) = (Forwarding::new(), BTreeMap::new());
    let mut keep = |id| {
        let record = world.anchor.record(id).expect("it is there");
        disk.insert(id, postcard::to_stdvec(&record).expect("encodes"));
    };
    for b in world.sessions() {
        keep(b.id);
        let through = (b.proxy_coa.0, b.encap, b.keys_in_use());
        let to = (b.state == BceState::Active).then_some(through);
        for key in b.prefixes() {
            prop_assert!(forwarding.insert(key, to).is_none(), "{} is held twice", key);
        }
    }
    for r in world.anchor.mip4().registrations(None) {
        keep(r.id);
        let newest = r.bindings.last().expect("one at least");
        let to = (newest.remote.to_ipv6_mapped(), newest.encap, GreKeys::default());
        let home = HomePrefix::from_ipv4(r.home_address, 32).expect("a length");
        forwarding.insert(home.of(r.customer), Some(to));
    }
    let mut defended = BTreeSet::new();
    let (mut keys, mut probing) = (BTreeSet::new(), BTreeSet::new());
    for b in world.anchor.ha().cache().from(None) {
        if b.state == HomeState::Probing {
            probing.insert(b.id);
            continue;
        }
        keep(b.id);
        let to = (b.care_of, b.encap, GreKeys::default());
        for key in b.keys().filter(|_| b.state == HomeState::Active) {
            prop_assert!(keys.insert(key), "{} belongs to two", key);
            forwarding.insert(key, Some(to));
        }
        let on_link = b.link.filter(|l| l.0 == 1 && b.state == HomeState::Active);
        defended.extend(on_link.map(|link| LinkAddress { link, address: b.home }));
    }
    prop_assert_eq!(&world.forwarding, &forwarding);
    prop_assert_eq!(&world.defended, &defended);
    let settled = world.disk.iter().filter(|(id, _)| !probing.contains(id));
    let settled: BTreeMap<_, _> = settled.map(|(id, bytes)| (*id, bytes.clone())).collect();
    prop_assert_eq!(settled, disk);
    Ok(())
}
