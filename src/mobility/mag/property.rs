//! Random events, answers included: whatever comes, the invariants of the module hold.

use super::tests::{Answer, COA, HOME, LMA, MN_LL, OWN, World, config, from_lma, hnp, pbus, secs};
use crate::addr::{AnchorAddr, HomePrefix, MnId};
use crate::mobility::mag::action::{Action, Ipv4Lease, Path, Route};
use crate::mobility::mag::event::{
    Attachment, Event, Family, Gre, HandoffHint, Link, LinkId, LinkLayerId, NodeProfile,
};
use crate::mobility::mag::{HeartbeatConfig, MagConfig};
use crate::mobility::message::{PeerBody, UpdateMsg};
use crate::time::{Duration, Instant, Lifetime};
use crate::wire::mh::option::AccessTech;
use crate::wire::mh::{
    BaFlags, BindingRevocationIndication, Heartbeat, HeartbeatFlags, Ipv4Home, MobilityOption,
    RevocationFlags, RevocationTrigger, SeqNo, Status,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

#[derive(Debug, Clone)]
enum Step {
    Attach {
        node: u8,
        link: u8,
        hint: u8,
        heard: bool,
    },
    Detach {
        link: u8,
        terminate: bool,
    },
    Present {
        link: u8,
    },
    Retry {
        link: u8,
    },
    /// Answers the nth latest update, in this way.
    Answer {
        back: u8,
        how: How,
    },
    Wait {
        ms: u32,
    },
    SetClock {
        s: u16,
    },
    PathMtu {
        mtu: u16,
    },
    WantIpv4 {
        link: u8,
    },
    Release {
        link: u8,
        ipv4: bool,
    },
    Revoke {
        trigger: u8,
        flags: u8,
        node: u8,
        seq: u8,
    },
    RevokeAll,
    /// A response to the nth latest heartbeat, or to none.
    Beat {
        back: u8,
        counter: u8,
    },
}

#[derive(Debug, Clone)]
enum How {
    Accept { prefix: u8, lifetime: u16, link_local: u8 },
    Refuse { status: u8 },
    Garble { field: u8, value: u16 },
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        4 => (0..6u8, 0..200u16, 0..4u8)
            .prop_map(|(prefix, lifetime, link_local)| How::Accept { prefix, lifetime, link_local }),
        2 => (126..164u8).prop_map(|status| How::Refuse { status }),
        1 => (0..8u8, any::<u16>()).prop_map(|(field, value)| How::Garble { field, value }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..4u8, 0..3u8, 0..4u8, any::<bool>())
            .prop_map(|(node, link, hint, heard)| Step::Attach { node, link, hint, heard }),
        1 => (0..3u8, any::<bool>()).prop_map(|(link, terminate)| Step::Detach { link, terminate }),
        1 => (0..3u8).prop_map(|link| Step::Present { link }),
        1 => (0..3u8).prop_map(|link| Step::Retry { link }),
        5 => (0..4u8, how()).prop_map(|(back, how)| Step::Answer { back, how }),
        3 => (0..200_000u32).prop_map(|ms| Step::Wait { ms }),
        1 => any::<u16>().prop_map(|s| Step::SetClock { s }),
        1 => any::<u16>().prop_map(|mtu| Step::PathMtu { mtu }),
        1 => (0..3u8).prop_map(|link| Step::WantIpv4 { link }),
        1 => (0..3u8, any::<bool>()).prop_map(|(link, ipv4)| Step::Release { link, ipv4 }),
        1 => (0..10u8, 0..8u8, 0..3u8, any::<u8>())
            .prop_map(|(trigger, flags, node, seq)| Step::Revoke { trigger, flags, node, seq }),
        1 => Just(Step::RevokeAll),
        1 => (0..4u8, 0..2u8).prop_map(|(back, counter)| Step::Beat { back, counter }),
    ]
}

fn link(n: u8) -> LinkId {
    LinkId(u32::from(n) + 1)
}

fn attachment(node: u8, on: u8, hint: u8, heard: bool) -> Attachment {
    let hints = [
        HandoffHint::NewInterface,
        HandoffHint::BetweenInterfaces,
        HandoffHint::SameInterface,
        HandoffHint::Unknown,
    ];
    Attachment {
        link: Link { id: link(on), mtu: 1500, link_local: OWN },
        node: NodeProfile {
            // Node 3 is node 2's second interface.
            mn_id: MnId::nai(&format!("mn{}@example.org", node.min(2))).expect("short"),
            lma: LMA,
            prefixes: if node == 1 { vec![hnp(5)] } else { Vec::new() },
            att: AccessTech(3),
            ipv6: node != 3,
            ipv4: (node != 1).then_some(Ipv4Home::ANY),
            gre: if node == 0 { Gre::Keys } else { Gre::Off },
            service: None,
        },
        mn_ll_id: LinkLayerId::new(&[2, 0, 0, 0, 0, node]),
        hint: hints[usize::from(hint)],
        last_seq: None,
        node_link_local: heard.then_some(MN_LL),
    }
}

fn answer(pbu: &UpdateMsg, how: &How) -> Answer {
    let mut a = Answer::to(pbu);
    match *how {
        How::Accept { prefix, lifetime, link_local } => {
            a.prefixes = vec![if prefix == 0 { HomePrefix::ALL_ZERO } else { hnp(prefix) }];
            a.lifetime = Lifetime(lifetime).min(a.lifetime);
            a.link_local = [None, Some(MN_LL), Some(Ipv6Addr::UNSPECIFIED), a.link_local]
                [usize::from(link_local)];
        }
        How::Refuse { status } => a.status = Status(status),
        How::Garble { field, value } => match field {
            0 => a.src = COA.0,
            1 => a.flags = BaFlags(0),
            2 => a.seq = SeqNo(value),
            3 => a.mn_id = MnId::nai("mn0@example.org"),
            4 => a.att = Some(AccessTech(9)),
            5 => a.mn_ll_id = Some(vec![9; usize::from(value % 200)]),
            6 => a.timestamp = None,
            _ => a.mn_id = None,
        },
    }
    a
}

/// What the actions so far have put in place.
#[derive(Default)]
struct Kernel {
    routes: BTreeSet<Route>,
    tunnels: BTreeSet<Path>,
    link_locals: BTreeMap<LinkId, Ipv6Addr>,
    leases: BTreeMap<LinkId, Ipv4Lease>,
    anchors: Vec<AnchorAddr>,
    /// Numbers of our heartbeats.
    beats: Vec<u32>,
    sent: Vec<UpdateMsg>,
    /// When each node's interface sent.
    times: BTreeMap<Vec<u8>, Vec<Instant>>,
}

impl Kernel {
    /// Carries the actions out, each of which must be possible.
    fn act(&mut self, actions: &[Action], at: Instant) {
        self.sent.extend(pbus(actions));
        for action in actions {
            match action {
                Action::Install(r) => {
                    assert!(self.tunnels.contains(&r.path), "no tunnel for {r:?}");
                    let taken = self.routes.iter().any(|other| other.prefix == r.prefix);
                    assert!(!taken, "{r:?} is there");
                    self.routes.insert(*r);
                }
                Action::Remove(r) => assert!(self.routes.remove(r), "{r:?} is not there"),
                Action::AddTunnel { path, .. } => assert!(self.tunnels.insert(*path)),
                Action::RemoveTunnel(path) => {
                    assert!(self.tunnels.remove(path));
                    assert!(!self.routes.iter().any(|r| r.path == *path), "routes outlive it");
                }
                Action::ConfigureLink { link, link_local } => {
                    assert_eq!(self.link_locals.insert(*link, *link_local), None);
                }
                Action::UnconfigureLink { link, link_local } => {
                    assert_eq!(self.link_locals.remove(link), Some(*link_local));
                }
                Action::Advertise(a) => {
                    assert_eq!(self.link_locals.get(&a.link), Some(&a.src));
                    assert!(a.mtu >= 1280 && a.dst != Some(a.src));
                    for p in a.prefixes.iter().filter(|p| p.valid_lifetime_s > 0) {
                        let routed = |r: &Route| r.prefix == p.prefix && r.link == a.link;
                        assert!(self.routes.iter().any(routed), "advertised without a route");
                    }
                }
                Action::SendPbu(pbu) => {
                    let times = self.times.entry(interface(pbu)).or_default();
                    times.push(at);
                    // MAX_UPDATE_RATE; the last step of the clock may have been a tenth.
                    let fourth = times.iter().rev().nth(3);
                    let apart = fourth.map(|then| at.since(*then));
                    assert!(apart.is_none_or(|d| d >= Duration::from_millis(900)), "{apart:?}");
                }
                Action::TunnelMtu { path, .. } => assert!(self.tunnels.contains(path)),
                Action::ConfigureIpv4 { link, lease } => {
                    self.leases.insert(*link, *lease);
                }
                Action::UnconfigureIpv4 { link, lease } => {
                    assert_eq!(self.leases.remove(link), Some(*lease));
                }
                Action::Remember(anchors) => self.anchors.clone_from(anchors),
                Action::Probe { .. } | Action::Audit(_) => {}
                Action::Send(msg) => {
                    if let PeerBody::Heartbeat(beat) = msg.body {
                        self.beats.push(beat.seq);
                    }
                }
            }
        }
    }
}

/// The link-layer identifier in an update.
fn interface(pbu: &UpdateMsg) -> Vec<u8> {
    use crate::wire::mh::MobilityOption::MnLinkLayerId;
    let found = pbu.options.iter().find_map(|o| match o {
        MnLinkLayerId(id) => Some(id.to_vec()),
        _ => None,
    });
    found.expect("every node of this test has one")
}

fn run(steps: Vec<Step>, timestamps: bool) {
    let heartbeat = HeartbeatConfig { interval: secs(30), missing_allowed: 2 };
    let mut w = World::with(MagConfig { timestamps, heartbeat: Some(heartbeat), ..config() });
    let mut kernel = Kernel::default();
    for step in steps {
        let before = w.now.mono;
        let actions = match step {
            Step::Attach { node, link, hint, heard } => {
                w.attach(attachment(node, link, hint, heard))
            }
            Step::Detach { link: l, terminate } => {
                w.event(Event::Detach { link: link(l), terminate })
            }
            Step::Present { link: l } => {
                w.event(Event::Present { link: link(l), node_link_local: Some(MN_LL) })
            }
            Step::Retry { link: l } => w.event(Event::Retry(link(l))),
            Step::Answer { back, how } => {
                let Some(pbu) = kernel.sent.iter().rev().nth(usize::from(back)).cloned() else {
                    continue;
                };
                w.event(Event::Pba(answer(&pbu, &how).message()))
            }
            Step::Wait { ms } => {
                // In steps, so that the times of updates are known.
                for _ in 0..ms / 100 {
                    let actions = w.wait(Duration::from_millis(100));
                    kernel.act(&actions, w.now.mono);
                }
                continue;
            }
            Step::SetClock { s } => {
                w.set_wall_clock(secs(s.into()));
                continue;
            }
            Step::PathMtu { mtu } => w.event(Event::PathMtu { lma: LMA, mtu }),
            Step::WantIpv4 { link: l } => w.event(Event::WantIpv4(link(l))),
            Step::Release { link: l, ipv4 } => {
                let family = if ipv4 { Family::Ipv4 } else { Family::Ipv6 };
                w.event(Event::Release { link: link(l), family })
            }
            Step::Revoke { trigger, flags, node, seq } => {
                // The last two are global.
                let trigger = if trigger < 8 { trigger } else { trigger + 120 };
                let bri = BindingRevocationIndication {
                    trigger: RevocationTrigger(trigger),
                    seq: SeqNo(seq.into()),
                    flags: RevocationFlags(u16::from(flags) << 13),
                };
                let id = format!("mn{node}@example.org");
                let named = [
                    MobilityOption::MnId(1, id.as_bytes()),
                    MobilityOption::Ipv4HomeAddressRequest(HOME),
                ];
                let named = if trigger == 128 { &named[..0] } else { &named };
                w.event(from_lma(PeerBody::Bri(bri), named))
            }
            Step::RevokeAll => w.event(Event::RevokeAll(LMA)),
            Step::Beat { back, counter } => {
                let seq = kernel.beats.iter().rev().nth(usize::from(back)).copied();
                let beat = Heartbeat { flags: HeartbeatFlags::R, seq: seq.unwrap_or(0) };
                let told = [MobilityOption::RestartCounter(counter.into())];
                w.event(from_lma(PeerBody::Heartbeat(beat), &told))
            }
        };
        kernel.act(&actions, before);
    }
    // In the end everybody leaves, and nothing is left behind.
    for n in 0..3 {
        let actions = w.event(Event::Detach { link: link(n), terminate: false });
        kernel.act(&actions, w.now.mono);
    }
    let actions = w.wait(secs(5));
    kernel.act(&actions, w.now.mono);
    assert_eq!(w.mag.links().count(), 0);
    assert_eq!(w.mag.poll_timeout(), None);
    assert!(kernel.routes.is_empty() && kernel.tunnels.is_empty());
    assert!(kernel.link_locals.is_empty() && kernel.leases.is_empty());
    assert_eq!(kernel.anchors, []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn random_events_never_leave_anything_behind(
        steps in proptest::collection::vec(step(), 0..80),
        timestamps: bool,
    ) {
        run(steps, timestamps);
    }
}
