//! The node's core against RFC 6275 section 11. A [`World`] is a node with a clock that only the
//! test moves; a home agent's answers are made from the updates.

mod dsmip;
mod prefixes;

use super::attachment::Attachment;
use super::event::{AckFault, Action, AuditKind, Event, Tunnel, TunnelEnds};
use super::{Mn, MnConfig, MobileRouter};
use crate::addr::{Encap, MnId};
use crate::mobility::message::{AckMsg, OwnedOptions, Transport, UpdateMsg};
use crate::time::{Duration, Instant, Lifetime, MobTimestamp, Now};
use crate::wire::mh::{BaFlags, BindingAck, BindingError, BuFlags, MobilityOption, SeqNo, Status};
use std::net::Ipv6Addr;

const HOME: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 9);
const HA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1);
const HA2: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 2);
const COA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 9);
const COA2: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 3, 0, 0, 0, 0, 9);
const LIFETIME: Duration = Duration::from_secs(400);

fn config() -> MnConfig {
    MnConfig {
        home_address: HOME,
        home_agents: vec![HA],
        home_agent_ipv4: None,
        ipv4_home: None,
        mn_id: MnId::nai("mn1@example.org"),
        lifetime: Lifetime::at_most(LIFETIME),
        first_timeout: Duration::from_millis(1500),
        router: None,
    }
}

struct World {
    mn: Mn,
    now: Instant,
}

impl World {
    fn new(config: MnConfig) -> Self {
        Self { mn: Mn::new(config), now: Instant(0) }
    }

    /// Bound with this care-of address.
    fn bound(config: MnConfig, care_of: Ipv6Addr) -> Self {
        let mut world = Self::new(config);
        let update = world.moves(Attachment::Away(care_of.into()));
        world.answers(&update);
        world
    }

    fn handle(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        let now = Now { mono: self.now, wall: MobTimestamp(0) };
        self.mn.handle(event, now, &mut actions);
        actions
    }

    /// The only update that follows from being there.
    fn moves(&mut self, at: Attachment) -> UpdateMsg {
        let actions = self.handle(Event::Attached(at));
        one(&actions)
    }

    fn answers(&mut self, update: &UpdateMsg) -> Vec<Action> {
        self.handle(Event::Ack(accept(update)))
    }

    /// Refused with this status.
    fn refuses(&mut self, update: &UpdateMsg, status: Status) -> Vec<Action> {
        let mut ack = accept(update);
        ack.ack.status = status;
        self.handle(Event::Ack(ack))
    }

    /// What happens next by time alone, and after how long.
    fn waits(&mut self) -> (Duration, Vec<Action>) {
        let at = self.mn.poll_timeout().expect("something is due");
        let waited = at.since(self.now);
        self.now = at;
        let mut actions = Vec::new();
        let now = Now { mono: at, wall: MobTimestamp(0) };
        self.mn.handle_timeout(now, &mut actions);
        (waited, actions)
    }
}

fn accept(update: &UpdateMsg) -> AckMsg {
    AckMsg {
        src: update.dst,
        dst: update.src,
        transport: Transport::Ipv6,
        home: update.home,
        ack: BindingAck {
            status: Status::ACCEPTED,
            flags: BaFlags::default(),
            seq: update.update.seq,
            lifetime: update.update.lifetime,
        },
        options: OwnedOptions::default(),
    }
}

fn sent(actions: &[Action]) -> Vec<UpdateMsg> {
    let update = |a: &Action| if let Action::SendBu(m) = a { Some(m.clone()) } else { None };
    actions.iter().filter_map(update).collect()
}

fn one(actions: &[Action]) -> UpdateMsg {
    let mut sent = sent(actions);
    assert_eq!(sent.len(), 1, "{actions:?}");
    sent.remove(0)
}

fn audits(actions: &[Action]) -> Vec<AuditKind> {
    let audit = |a: &Action| if let Action::Audit(kind) = a { Some(*kind) } else { None };
    actions.iter().filter_map(audit).collect()
}

fn over_ipv6(care_of: Ipv6Addr) -> Tunnel {
    let ends = TunnelEnds { care_of, home_agent: HA };
    Tunnel { ends, encap: Encap::Ip, ipv4_home: None }
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn update_has_the_flags_the_home_address_and_the_alternate_care_of_address() {
    let update = World::new(config()).moves(Attachment::Away(COA.into()));
    assert_eq!((update.src, update.dst, update.home), (COA, HA, Some(HOME)));
    assert_eq!(update.update.flags, BuFlags::A | BuFlags::H);
    assert_eq!(update.update.lifetime, Lifetime(100));
    let options: Vec<_> = update.options.iter().collect();
    let mn_id = MobilityOption::MnId(1, b"mn1@example.org");
    assert_eq!(options, [MobilityOption::AlternateCoa(COA), mn_id]);
}

#[test]
fn tunnel_is_there_from_the_acknowledgement_on() {
    let mut world = World::new(config());
    let update = world.moves(Attachment::Away(COA.into()));
    let tunnel = over_ipv6(COA);
    let actions = world.answers(&update);
    let expected = [Action::Tunnel(Some(tunnel)), Action::Audit(AuditKind::Registered)];
    assert_eq!(actions, expected);
}

#[test]
fn movement_is_registered_at_once_and_the_old_tunnel_stays_until_it_is_acknowledged() {
    let mut world = World::bound(config(), COA);
    let update = world.moves(Attachment::Away(COA2.into()));
    assert_eq!((update.src, update.home), (COA2, Some(HOME)));
    assert_eq!(world.answers(&update)[0], Action::Tunnel(Some(over_ipv6(COA2))));
}

#[test]
fn first_update_is_repeated_after_longer_than_others_and_the_time_doubles_up_to_a_limit() {
    let mut world = World::new(config());
    let first = world.moves(Attachment::Away(COA.into()));
    let mut last = first.update.seq;
    let mut waited = Vec::new();
    for _ in 0..7 {
        let (after, actions) = world.waits();
        let again = one(&actions);
        assert!(again.update.seq.is_after(last), "greater than before");
        last = again.update.seq;
        waited.push(after.as_millis());
    }
    assert_eq!(waited, [1500, 3000, 6000, 12_000, 24_000, 32_000, 32_000]);
    let mut world = World::bound(config(), COA);
    world.moves(Attachment::Away(COA2.into()));
    assert_eq!(world.waits().0, secs(1), "there is a binding already");
}

#[test]
fn lifetime_is_counted_from_the_update_and_refreshed_well_before_its_end() {
    let mut world = World::new(config());
    let update = world.moves(Attachment::Away(COA.into()));
    world.now = Instant(500_000_000);
    let mut ack = accept(&update);
    ack.ack.lifetime = Lifetime(50);
    world.handle(Event::Ack(ack));
    let (_, actions) = world.waits();
    assert_eq!(world.now, Instant(0) + secs(180), "nine tenths of 200 s");
    let refresh = one(&actions);
    let actions = world.answers(&refresh);
    assert_eq!(actions, [Action::Audit(AuditKind::Refreshed)], "the tunnel stays");
    assert_eq!(world.mn.row(Now { mono: world.now, wall: MobTimestamp(0) }).lifetime_left_s, 400);
}

#[test]
fn binding_refresh_advice_makes_it_earlier() {
    let mut world = World::new(config());
    let update = world.moves(Attachment::Away(COA.into()));
    let mut ack = accept(&update);
    let advice = [MobilityOption::RefreshAdvice(Lifetime(5))];
    ack.options = OwnedOptions::from_options(&advice).expect("short");
    world.handle(Event::Ack(ack));
    assert_eq!(world.waits().0, secs(20));
}

#[test]
fn binding_that_nobody_extends_ends_with_its_tunnel() {
    let mut world = World::bound(config(), COA);
    let mut ended = Vec::new();
    while ended.is_empty() {
        let (_, actions) = world.waits();
        ended = actions.into_iter().filter(|a| *a == Action::Tunnel(None)).collect();
    }
    assert_eq!(world.now, Instant(0) + LIFETIME);
    assert!(world.mn.poll_timeout().is_some(), "it goes on asking");
}

#[test]
fn status_135_is_followed_by_an_update_with_the_number_after_the_one_told() {
    let mut world = World::new(config());
    let update = world.moves(Attachment::Away(COA.into()));
    let mut ack = accept(&update);
    (ack.ack.status, ack.ack.seq) = (Status::SEQUENCE_NUMBER_OUT_OF_WINDOW, SeqNo(4711));
    let again = one(&world.handle(Event::Ack(ack.clone())));
    assert_eq!(again.update.seq, SeqNo(4712));
    assert!(audits(&world.answers(&again)).contains(&AuditKind::Registered));
    // One that does so for ever is asked no more than any other.
    let mut world = World::new(config());
    world.moves(Attachment::Away(COA.into()));
    let mut n = 0;
    for _ in 0..20 {
        n += sent(&world.handle(Event::Ack(ack.clone()))).len();
    }
    assert!(n <= 2, "{n} and the first within a second");
}

#[test]
fn acknowledgement_that_does_not_fit_is_ignored() {
    let mut world = World::new(config());
    let update = world.moves(Attachment::Away(COA.into()));
    let good = accept(&update);
    let mut wrong = [(); 4].map(|()| good.clone());
    wrong[0].src = HA2;
    wrong[1].dst = COA2;
    wrong[2].home = None;
    wrong[3].ack.seq = SeqNo(99);
    let faults =
        [AckFault::Address, AckFault::Address, AckFault::RoutingHeader, AckFault::Sequence];
    for (ack, fault) in wrong.into_iter().zip(faults) {
        let actions = world.handle(Event::Ack(ack));
        assert_eq!(actions, [Action::Audit(AuditKind::AckIgnored(fault))]);
    }
    assert!(world.handle(Event::Ack(good.clone())).len() == 2, "this one does");
    let actions = world.handle(Event::Ack(good));
    assert_eq!(actions, [Action::Audit(AuditKind::AckIgnored(AckFault::Unexpected))]);
}

#[test]
fn acknowledgement_of_any_transmission_counts_from_that_one() {
    let mut world = World::new(config());
    let first = world.moves(Attachment::Away(COA.into()));
    let (_, actions) = world.waits();
    let second = one(&actions);
    world.answers(&first);
    let now = Now { mono: world.now, wall: MobTimestamp(0) };
    assert_eq!(world.mn.row(now).lifetime_left_s, 398);
    let late = world.answers(&second);
    assert_eq!(late, [Action::Audit(AuditKind::AckIgnored(AckFault::Unexpected))]);
}

#[test]
fn refusals_are_answered_as_their_statuses_say() {
    for (status, wait) in [
        (Status::INSUFFICIENT_RESOURCES, Some(secs(32))),
        (Status::REASON_UNSPECIFIED, Some(secs(32))),
        (Status::NOT_HOME_SUBNET, Some(secs(32))),
        (Status::DUPLICATE_ADDRESS_DETECTION_FAILED, None),
        (Status::INVALID_CARE_OF_ADDRESS, None),
    ] {
        let mut world = World::new(config());
        let update = world.moves(Attachment::Away(COA.into()));
        let actions = world.refuses(&update, status);
        assert_eq!(actions, [Action::Audit(AuditKind::Refused(status))]);
        let due = world.mn.poll_timeout().map(|at| at.since(world.now));
        assert_eq!(due, wait, "{status}");
        assert!(sent(&world.handle(Event::Attached(Attachment::Away(COA2.into())))).len() == 1);
    }
}

#[test]
fn refused_refresh_leaves_the_binding_until_it_expires_and_is_not_repeated_at_once() {
    for (status, attempts) in
        [(Status::REASON_UNSPECIFIED, 1), (Status::DUPLICATE_ADDRESS_DETECTION_FAILED, 0)]
    {
        let mut world = World::bound(config(), COA);
        let refresh = one(&world.waits().1);
        world.refuses(&refresh, status);
        let mut sent_before_end = 0;
        loop {
            let (_, actions) = world.waits();
            if actions.contains(&Action::Tunnel(None)) {
                break;
            }
            sent_before_end += sent(&actions).len();
            if let Some(update) = sent(&actions).first() {
                world.refuses(update, status);
            }
        }
        assert_eq!((world.now, sent_before_end), (Instant(0) + LIFETIME, attempts), "{status}");
    }
}

#[test]
fn status_144_is_followed_by_another_attempt_at_once() {
    let mut world = World::new(config());
    let update = world.moves(Attachment::Away(COA.into()));
    assert_eq!(sent(&world.refuses(&update, Status::MIPV6_ID_MISMATCH)).len(), 1);
}

#[test]
fn home_agent_that_does_not_serve_the_node_is_followed_by_the_next() {
    let mut world = World::new(MnConfig { home_agents: vec![HA, HA2], ..config() });
    let update = world.moves(Attachment::Away(COA.into()));
    world.refuses(&update, Status::NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE);
    let (after, actions) = world.waits();
    assert_eq!((after, one(&actions).dst), (secs(1), HA2));
}

#[test]
fn silent_home_agent_is_followed_by_the_next_when_the_longest_timeout_is_reached() {
    let mut world = World::new(MnConfig { home_agents: vec![HA, HA2], ..config() });
    let first = world.moves(Attachment::Away(COA.into()));
    let mut asked = vec![first.dst];
    while asked.last() == Some(&HA) {
        let (_, actions) = world.waits();
        asked.push(one(&actions).dst);
    }
    assert_eq!(asked.len(), 6);
    assert_eq!(asked.last(), Some(&HA2));
}

#[test]
fn no_more_than_three_updates_leave_within_a_second() {
    let mut world = World::new(config());
    let mut n = 0;
    for i in 0..10 {
        let at = if i % 2 == 0 { COA } else { COA2 };
        n += sent(&world.handle(Event::Attached(Attachment::Away(at.into())))).len();
    }
    assert_eq!(n, 3);
    let (after, actions) = world.waits();
    assert_eq!((after, one(&actions).src), (secs(1), COA2), "the latest, later");
}

#[test]
fn node_that_comes_home_deregisters_by_its_home_address_and_tells_the_link() {
    let mut world = World::bound(config(), COA);
    let actions = world.handle(Event::Attached(Attachment::Home));
    let update = one(&actions);
    assert_eq!((update.src, update.home), (HOME, None));
    assert_eq!(update.update.lifetime, Lifetime::ZERO);
    assert_eq!(update.options.iter().next(), Some(MobilityOption::AlternateCoa(HOME)));
    assert_eq!(actions.last(), Some(&Action::JoinHome), "only behind the update");
    let actions = world.answers(&update);
    let expected =
        [Action::Tunnel(None), Action::Audit(AuditKind::Deregistered), Action::AdvertiseHome];
    assert_eq!(actions, expected);
    let actions = world.handle(Event::Attached(Attachment::Away(COA.into())));
    assert_eq!(actions[0], Action::LeaveHome);
    assert_eq!(one(&actions).update.lifetime, Lifetime(100));
}

#[test]
fn home_agent_without_a_binding_lets_the_node_be_at_home() {
    let mut world = World::new(config());
    let update = world.moves(Attachment::Home);
    let actions = world.refuses(&update, Status::NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE);
    assert!(actions.contains(&Action::AdvertiseHome));
    assert_eq!(world.mn.poll_timeout(), None);
}

#[test]
fn refresh_request_and_unknown_binding_of_the_home_agent_are_followed_by_an_update() {
    let error = BindingError { status: BindingError::UNKNOWN_BINDING, home_address: HOME };
    for event in [Event::RefreshRequest { src: HA }, Event::BindingError { src: HA, error }] {
        let mut world = World::bound(config(), COA);
        assert_eq!(sent(&world.handle(event.clone())).len(), 1);
        assert_eq!(sent(&world.handle(event)).len(), 0, "it was asked already");
    }
    for event in [Event::RefreshRequest { src: HA2 }, Event::BindingError { src: HA2, error }] {
        let actions = World::bound(config(), COA).handle(event);
        assert_eq!((sent(&actions).len(), audits(&actions).len()), (0, 1), "a stranger");
    }
}

#[test]
fn home_agent_that_sends_the_node_away_is_left_before_the_next_is_asked() {
    let mut world = World::bound(config(), COA);
    let switch = Event::Switch { src: HA, agents: vec![HA2] };
    let leaves = one(&world.handle(switch));
    assert_eq!((leaves.dst, leaves.update.lifetime), (HA, Lifetime::ZERO));
    assert_eq!((leaves.src, leaves.home), (COA, Some(HOME)));
    let actions = world.answers(&leaves);
    assert_eq!(actions[0], Action::Tunnel(None));
    let comes = one(&actions);
    assert_eq!((comes.dst, comes.update.lifetime), (HA2, Lifetime(100)));
    let nobody = World::bound(config(), COA).handle(Event::Switch { src: HA, agents: vec![] });
    assert_eq!(nobody, [Action::Audit(AuditKind::SwitchIgnored)]);
}

#[test]
fn end_of_the_node_ends_its_binding_and_waits_for_that_in_vain_three_times() {
    let mut world = World::bound(config(), COA);
    let update = one(&world.handle(Event::Stop));
    assert_eq!((update.src, update.update.lifetime), (COA, Lifetime::ZERO));
    assert!(!world.mn.is_stopped());
    let mut again = 0;
    while !world.mn.is_stopped() {
        again += sent(&world.waits().1).len();
    }
    assert_eq!(again, 2);
    let mut world = World::new(config());
    world.handle(Event::Stop);
    assert!(world.mn.is_stopped());
}

#[test]
fn mobile_router_names_its_networks_and_takes_no_agent_that_does_not_serve_routers() {
    let prefixes = vec!["2001:db8:700::/56".parse().expect("prefix")];
    let router = |explicit| {
        let router = MobileRouter { prefixes: prefixes.clone(), explicit };
        World::new(MnConfig { router: Some(router), ..config() })
    };
    let named = |update: &UpdateMsg| {
        update
            .options
            .iter()
            .filter(|o| matches!(o, MobilityOption::MobileNetworkPrefix(_)))
            .count()
    };
    let mut world = router(true);
    let update = world.moves(Attachment::Away(COA.into()));
    assert_eq!((named(&update), update.update.flags), (1, BuFlags::A | BuFlags::H | BuFlags::R));
    let actions = world.answers(&update);
    assert_eq!(audits(&actions), [AuditKind::NotAsRouter]);
    let goodbye = one(&actions);
    assert_eq!((goodbye.dst, goodbye.update.lifetime, named(&goodbye)), (HA, Lifetime::ZERO, 0));
    assert!(goodbye.update.flags.contains(BuFlags::R));
    let mut world = router(false);
    let update = world.moves(Attachment::Away(COA.into()));
    assert_eq!(named(&update), 0, "the home agent knows them");
    let mut ack = accept(&update);
    ack.ack.flags = BaFlags::R;
    assert_eq!(audits(&world.handle(Event::Ack(ack))), [AuditKind::Registered]);
}
