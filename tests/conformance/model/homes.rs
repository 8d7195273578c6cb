//! Nodes that move themselves, their gateways, and Mobile IPv4, in one anchor: random streams of
//! updates in any order, home links that answer late or never, come, go and end, other files,
//! restarts. What home registrations come to is what a naive list of them says; workers, disk and
//! home links know what the caches of all three protocols know (RFC 6612 4.2), whatever happened.

mod mip4;
mod naive;
mod world;

use super::ops::{Op, Pbu, ops};
use super::policy::as_model;
use super::{TICKS, clock};
use crate::case;
use crate::render::address;
use anchord::addr::HomePrefix;
use anchord::mobility::action::Action;
use anchord::mobility::event::Event;
use anchord::mobility::ha::Interworking;
use anchord::mobility::message::{OwnedOptions, Transport, UpdateMsg};
use anchord::time::Lifetime;
use anchord::wire::mh::{BindingUpdate, BuFlags, MobilityOption, SeqNo};
use naive::{Answer, Homes};
use proptest::prelude::*;
use std::net::Ipv6Addr;
use world::{World, consistent};

/// One thing that may happen.
#[derive(Debug, Clone)]
enum Step {
    Gateway(Pbu),
    Node(Bu),
    /// A registration of Mobile IPv4: node, care-of address, whether it ends.
    Mip4(u8, u8, bool),
    /// The probe with this number is answered: whether the address is taken.
    Probed(usize, bool),
    Wait(u64),
    Delete(u8),
    /// The files are read again.
    Reload(Files),
    Restart,
}

/// What the files say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Files {
    /// The second file of nodes: the network is the second node's, and the third node is not in it.
    second: bool,
    link: Link,
}

/// The home link of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Link {
    #[default]
    There,
    /// Its prefix is valid for a moment only.
    Short,
    Gone,
}

/// What a node says of itself.
#[derive(Debug, Clone)]
struct Bu {
    node: u8,
    /// By its identifier, too.
    named: bool,
    home: u8,
    /// Zero: it is at home.
    care_of: u8,
    seq: u16,
    /// In units of four seconds.
    lifetime: u16,
    router: bool,
    home_registration: bool,
    network: Option<u8>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let flags = (any::<bool>(), prop::bool::weighted(0.95), prop::option::weighted(0.3, 0..3_u8));
    let who = (0..3_u8, prop::bool::weighted(0.8), prop::option::weighted(0.2, 0..5_u8), 0..4_u8);
    let lifetime = prop_oneof![1 => Just(0), 2 => Just(5), 4 => Just(15_u16)];
    let bu = (who, 0..12_u16, lifetime, flags).prop_map(|(who, seq, lifetime, flags)| {
        let ((node, named, another, care_of), (router, home_registration, network)) = (who, flags);
        let home = another.unwrap_or(node);
        Bu { node, named, home, care_of, seq, lifetime, router, home_registration, network }
    });
    let step = prop_oneof![
        10 => bu.prop_map(Some).prop_map(|bu| bu.map(Step::Node)),
        6 => (0..3_usize, prop::bool::weighted(0.2)).prop_map(|(n, t)| Some(Step::Probed(n, t))),
        3 => (0..3_u8, 0..3_u8, prop::bool::weighted(0.2))
            .prop_map(|(node, care_of, ends)| Some(Step::Mip4(node, care_of, ends))),
        2 => files().prop_map(|files| Some(Step::Reload(files))),
        4 => Just(None),
    ];
    (ops(), prop::collection::vec((step.clone(), step), 60)).prop_map(|(ops, steps)| {
        let gateway = |op| match op {
            Op::Pbu(pbu) => Step::Gateway(pbu),
            Op::Wait(ticks) => Step::Wait(ticks),
            Op::Restart => Step::Restart,
            Op::Delete(node) => Step::Delete(node),
        };
        let mixed = ops.into_iter().zip(steps);
        mixed.flat_map(|(op, (a, b))| [a, Some(gateway(op)), b]).flatten().collect()
    })
}

fn files() -> impl Strategy<Value = Files> {
    let link = prop_oneof![2 => Just(Link::There), 1 => Just(Link::Short), 1 => Just(Link::Gone)];
    (any::<bool>(), link).prop_map(|(second, link)| Files { second, link })
}

/// The home address with this number: on the home link, in the pool, nowhere.
fn home(n: u8) -> Ipv6Addr {
    address(match n {
        0 => "2001:db8:100::10",
        1 => "2001:db8:100::11",
        2 => "2001:db8:a000:3::7",
        3 => "2001:db8:a000:4::7",
        _ => "2001:db8:dead::1",
    })
}

/// The network with this number.
fn network(n: u8) -> HomePrefix {
    ["2001:db8:700::/56", "2001:db8:800::/56", "::/0"][usize::from(n)].parse().expect("a prefix")
}

impl Bu {
    fn care_of(&self) -> Ipv6Addr {
        match self.care_of {
            0 => home(self.home),
            n => Ipv6Addr::new(0x2001, 0xdb8, 0x60, 0, 0, 0, 0, n.into()),
        }
    }

    fn message(&self) -> UpdateMsg {
        let id = format!("mn{}@example.org", self.node);
        let mut options = Vec::new();
        if self.named {
            options.push(MobilityOption::MnId(1, id.as_bytes()));
        }
        options.extend(self.network.map(|n| MobilityOption::MobileNetworkPrefix(network(n))));
        let flag = |is, flag| if is { flag } else { BuFlags::default() };
        let flags =
            BuFlags::A | flag(self.router, BuFlags::R) | flag(self.home_registration, BuFlags::H);
        let lifetime = Lifetime(self.lifetime);
        UpdateMsg {
            src: self.care_of(),
            dst: address(case::LMA),
            home: (self.care_of > 0).then(|| home(self.home)),
            transport: Transport::Ipv6,
            update: BindingUpdate { seq: SeqNo(self.seq), flags, lifetime },
            options: OwnedOptions::from_options(&options).expect("options that fit"),
            header: Box::default(),
        }
    }
}

/// The answers to nodes in a stream of actions.
fn answers(actions: &[Action]) -> Vec<Answer> {
    let answer = |a: &Action| match a {
        Action::Reply { ack, .. } if naive::is_of_node(ack.dst) => {
            Some(Answer(ack.ack.status.0, ack.ack.seq.0, ack.ack.lifetime.0))
        }
        _ => None,
    };
    actions.iter().filter_map(answer).collect()
}

fn play(interworking: Interworking, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (mut world, mut homes, mut now) = (World::new(interworking), Homes::default(), 0);
    for step in steps {
        let actions = match &step {
            Step::Gateway(pbu) => {
                let message = pbu.message(&as_model(world.sessions()), now);
                world.handle(Event::Pbu(message), clock(now))
            }
            Step::Node(bu) => {
                homes.update(bu, &world, now);
                world.handle(Event::Bu(bu.message()), clock(now))
            }
            Step::Mip4(node, care_of, ends) => {
                let event = mip4::request(*node, *care_of, *ends, clock(now), &mut world.requests);
                world.handle(event, clock(now))
            }
            Step::Probed(n, taken) => {
                let Some(address) = world.probes.iter().nth(*n).copied() else { continue };
                world.probes.remove(&address);
                homes.probed(address.address, *taken, now);
                world.handle(Event::HomeProbed { address, taken: *taken }, clock(now))
            }
            Step::Wait(ticks) => {
                now += ticks;
                homes.wait(now);
                world.pass_until(clock(now))
            }
            Step::Delete(node) => {
                homes.delete(*node);
                let mn_id = case::mn_id(&format!("mn{node}@example.org"));
                let event = Event::AdminDelete { mn_id, prefix: None, customer: None };
                world.handle(event, clock(now))
            }
            Step::Reload(files) => {
                homes.reload(*files, now);
                world.reload(*files, clock(now))
            }
            Step::Restart => {
                homes.restart(now);
                world.restart(clock(now))
            }
        };
        // What both have in one entry, a gateway may end.
        if interworking == Interworking::Independent {
            prop_assert_eq!(&answers(&actions), &homes.take_answers(), "{:?}", &step);
            homes.compare(world.anchor.ha(), clock(now).mono)?;
        }
        consistent(&world)?;
    }
    // Nobody says anything any more.
    for _ in 0..5 {
        now += 60 * TICKS;
        world.pass_until(clock(now));
        consistent(&world)?;
    }
    prop_assert!(world.is_empty(), "something is left");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    // proves: MIP6-9.5.1-4, MIP6-9.5.1-12, MIP6-9.5.1-13, MIP6-9.5.1-14, MIP6-10.3.1-13
    // proves: MIP6-10.3.1-14, MIP6-10.3.1-15, MIP6-10.3.1-21, MIP6-10.3.2-3, MIP6-10.6.4-1
    #[test]
    fn home_registrations_are_what_a_naive_list_says_whatever_gateways_do(steps in steps()) {
        play(Interworking::Independent, steps)?;
    }

    #[test]
    fn one_entry_of_both_protocols_keeps_all_tables_consistent(steps in steps()) {
        play(Interworking::Combined, steps)?;
    }
}
