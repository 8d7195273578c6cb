//! The node's core and the home agent's: they exchange octets in memory, through a NAT where a test
//! has one.

use super::event::{Action, AuditKind, Event, ReplyFault, Tunnel};
use super::{Ipv6Prefixes, Mn4, Mn4Config};
use crate::addr::{CustomerId, Encap, HomePrefix, MnId};
use crate::mobility::action::Action as AgentAction;
use crate::mobility::mip4::{
    Algorithm, HomeAgent4, Homes, Mip4Config, Mip4Msg, Mip4Node, NatPolicy, NodeRef,
    RegisteredPrefix, Replay, ReverseTunnel, SecurityAssociation, Turn, Unavailable,
};
use crate::mobility::mn::attachment::Attachment;
use crate::mobility::mn::row::Delivery;
use crate::time::{Duration, Instant, MobTimestamp, Now};
use crate::wire::mip4::{Body, Message, PrefixCode, RegistrationLifetime, ReplyCode};
use std::net::Ipv4Addr;

const AGENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const HOME: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 5);
const CARE_OF: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 8);
const NAT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
const NAI: &str = "mn1@example.org";

fn prefix() -> HomePrefix {
    "2001:db8:700::/56".parse().expect("a prefix")
}

fn association(replay: Replay) -> SecurityAssociation {
    let (algorithm, secret) = (Algorithm::HmacSha256, [0x5a; 16].into());
    SecurityAssociation { spi: 256, algorithm, secret, replay }
}

fn node() -> Mn4Config {
    Mn4Config {
        home_agent: AGENT,
        home_address: Some(HOME),
        mn_id: MnId::nai(NAI),
        association: association(Replay::default()),
        lifetime: RegistrationLifetime(400),
        delivery: Delivery::Ip,
        nat_detection: true,
        reverse_tunnel: true,
        ipv6: Ipv6Prefixes { prefixes: vec![], explicit: true, to_care_of: true },
    }
}

fn agent(node: &Mn4Config) -> Mip4Config {
    let known = Mip4Node {
        mn_id: MnId::nai(NAI).expect("short"),
        customer: CustomerId(0),
        home_address: node.home_address,
        prefixes: vec![prefix()],
        implicit: !node.ipv6.explicit,
        associations: vec![node.association.clone()],
    };
    Mip4Config { address: AGENT, nodes: vec![known], ..Mip4Config::default() }
}

/// An allocation that has all there is.
struct Everything;

impl Homes for Everything {
    fn reserve_address(
        &mut self,
        _: NodeRef<'_>,
        wanted: Option<Ipv4Addr>,
    ) -> Result<Ipv4Addr, Unavailable> {
        Ok(wanted.unwrap_or(HOME))
    }

    fn reserve_prefix(&mut self, _: NodeRef<'_>, _: HomePrefix) -> Result<(), Unavailable> {
        Ok(())
    }

    fn release(&mut self, _: NodeRef<'_>, _: HomePrefix) {}
}

/// A node, its home agent, and perhaps a NAT between them.
struct World {
    node: Mn4,
    agent: HomeAgent4,
    nat: bool,
    /// What the home agent's clock is ahead of the node's.
    ahead: Duration,
    now: Instant,
    /// Messages of the node, the latest last.
    sent: Vec<Mip4Msg>,
}

impl World {
    fn new(node: Mn4Config) -> Self {
        let agent = agent(&node);
        Self::with(node, agent)
    }

    fn with(node: Mn4Config, agent: Mip4Config) -> Self {
        let (node, agent) = (Mn4::new(node), HomeAgent4::new(agent));
        let now = Instant(1_000_000_000);
        Self { node, agent, nat: false, ahead: Duration::ZERO, now, sent: Vec::new() }
    }

    fn now(&self) -> Now {
        let unix = Duration::from_secs(1_795_219_200) + self.now.since(Instant(0));
        Now { mono: self.now, wall: MobTimestamp::from_unix(unix) }
    }

    /// What the node does about an event.
    fn handle(&mut self, event: Event) -> Vec<Action> {
        let (now, mut actions) = (self.now(), Vec::new());
        self.node.handle(event, now, &mut actions);
        self.note(&actions);
        actions
    }

    fn moves(&mut self, at: Attachment) -> Vec<Action> {
        self.handle(Event::Attached(at))
    }

    fn goes(&mut self, care_of: Ipv4Addr) -> Vec<Action> {
        self.moves(Attachment::Away(care_of.into()))
    }

    /// What happens next by time alone, and after how long.
    fn waits(&mut self) -> (Duration, Vec<Action>) {
        let at = self.node.poll_timeout().expect("something is due");
        let waited = at.since(self.now);
        self.now = at;
        let (now, mut actions) = (self.now(), Vec::new());
        self.node.handle_timeout(now, &mut actions);
        self.note(&actions);
        (waited, actions)
    }

    fn note(&mut self, actions: &[Action]) {
        let sent = actions.iter().filter_map(|a| match a {
            Action::Send(msg) => Some(msg.clone()),
            _ => None,
        });
        self.sent.extend(sent);
    }

    /// The home agent's answer to the latest message.
    fn reply(&mut self) -> Mip4Msg {
        let mut msg = self.sent.last().expect("a request").clone();
        if self.nat {
            (msg.src, msg.port) = (NAT, 40_000);
        }
        let (mut now, mut actions) = (self.now(), Vec::new());
        now.wall = MobTimestamp::from_unix(now.wall.to_unix() + self.ahead);
        let turn = &mut Turn { homes: &mut Everything, now, actions: &mut actions };
        self.agent.handle(&msg, turn);
        let mut sent = actions.into_iter().filter_map(|a| match a {
            AgentAction::SendMip4 { msg, .. } => Some(msg),
            _ => None,
        });
        let reply = sent.next().expect("an answer");
        assert_eq!((reply.dst, reply.port), (msg.src, msg.port));
        reply
    }

    /// What the node makes of it.
    fn hears(&mut self) -> Vec<Action> {
        let reply = self.reply();
        self.handle(Event::Message { src: reply.src, payload: reply.payload })
    }

    fn requests(&self) -> Vec<(u16, Ipv4Addr)> {
        let fixed = |m: &Mip4Msg| match Message::parse(&m.payload).expect("ours").body {
            Body::Request(fixed) => (fixed.lifetime.0, fixed.care_of),
            other => panic!("{other:?}"),
        };
        self.sent.iter().map(fixed).collect()
    }
}

fn audits(actions: &[Action]) -> Vec<AuditKind> {
    let audit = |a: &Action| if let Action::Audit(kind) = a { Some(*kind) } else { None };
    actions.iter().filter_map(audit).collect()
}

fn tunnel(actions: &[Action]) -> Option<Tunnel> {
    let mut tunnels = actions.iter().filter_map(|a| match a {
        Action::Tunnel(tunnel) => tunnel.clone(),
        _ => None,
    });
    tunnels.next()
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn node_registers_moves_and_is_refreshed_with_timestamps_and_with_nonces() {
    for replay in [Replay::default(), Replay::Nonces] {
        let mut world = World::new(Mn4Config { association: association(replay), ..node() });
        world.goes(CARE_OF);
        let mut actions = world.hears();
        if replay == Replay::Nonces {
            // Whatever it begins with is not what the home agent gave it.
            assert_eq!(audits(&actions), [AuditKind::Refused(ReplyCode::IDENTIFICATION_MISMATCH)]);
            actions = world.hears();
        }
        let bound = tunnel(&actions).expect("a tunnel");
        assert_eq!((bound.care_of, bound.home_address, bound.encap), (CARE_OF, HOME, Encap::Ip));
        world.goes(ELSEWHERE);
        assert_eq!(tunnel(&world.hears()).map(|t| t.care_of), Some(ELSEWHERE));
        let (after, _) = world.waits();
        assert_eq!(after, secs(360), "nine tenths of the lifetime");
        assert_eq!(audits(&world.hears()), [AuditKind::Refreshed]);
        assert_eq!(world.node.row(world.now()).lifetime_left_s, 400);
    }
}

#[test]
fn code_133_sets_the_clock_by_the_home_agents() {
    let mut world = World::new(node());
    world.ahead = secs(3600);
    world.goes(CARE_OF);
    let refused = world.hears();
    assert_eq!(audits(&refused), [AuditKind::Refused(ReplyCode::IDENTIFICATION_MISMATCH)]);
    assert_eq!(world.sent.len(), 2, "at once");
    assert_eq!(audits(&world.hears()), [AuditKind::Registered]);
    world.waits();
    assert_eq!(audits(&world.hears()), [AuditKind::Refreshed], "from now on it is right");
}

#[test]
fn unanswered_request_is_sent_again_ever_later_and_with_nonces_as_it_was() {
    for replay in [Replay::default(), Replay::Nonces] {
        let mut world = World::new(Mn4Config { association: association(replay), ..node() });
        world.goes(CARE_OF);
        let waited: Vec<_> = (0..7).map(|_| world.waits().0.as_secs()).collect();
        assert_eq!(waited, [1, 2, 4, 8, 16, 32, 32]);
        let repeats = world.sent.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert_eq!(repeats, if replay == Replay::Nonces { 7 } else { 0 });
    }
}

#[test]
fn only_the_authentic_reply_of_the_home_agent_to_the_latest_request_counts() {
    let mut world = World::new(node());
    world.goes(CARE_OF);
    let old = world.reply();
    world.waits();
    let good = world.reply();
    let mut forged = good.clone();
    forged.payload[3] ^= 1;
    let mut cut = good.clone();
    cut.payload.truncate(20);
    let mut stranger = good.clone();
    stranger.src = NAT;
    for (msg, fault) in [
        (old, ReplyFault::Identification),
        (forged, ReplyFault::Unauthenticated),
        (cut, ReplyFault::Unauthenticated),
        (stranger, ReplyFault::Address),
    ] {
        let actions = world.handle(Event::Message { src: msg.src, payload: msg.payload });
        assert_eq!(actions, [Action::Audit(AuditKind::ReplyIgnored(fault))]);
    }
    let message = Event::Message { src: good.src, payload: good.payload };
    assert!(tunnel(&world.handle(message.clone())).is_some());
    let again = [Action::Audit(AuditKind::ReplyIgnored(ReplyFault::Unexpected))];
    assert_eq!(world.handle(message), again);
}

#[test]
fn no_octets_make_the_node_panic_or_register() {
    let mut world = World::new(node());
    world.goes(CARE_OF);
    let good = world.reply().payload;
    for len in 0..good.len() {
        let payload = good[..len].to_vec();
        let actions = world.handle(Event::Message { src: AGENT, payload });
        assert!(matches!(actions[..], [Action::Audit(AuditKind::ReplyIgnored(_))]), "{len}");
    }
}

#[test]
fn refusal_is_followed_by_another_attempt_later_and_by_one_at_once_elsewhere() {
    let refuses = Mip4Config { reverse_tunnel: ReverseTunnel::Unavailable, ..agent(&node()) };
    let mut world = World::with(node(), refuses);
    world.goes(CARE_OF);
    let unavailable = ReplyCode::REVERSE_TUNNEL_UNAVAILABLE;
    assert_eq!(audits(&world.hears()), [AuditKind::Refused(unavailable)]);
    assert_eq!(world.node.poll_timeout().map(|at| at.since(world.now)), Some(secs(32)));
    world.goes(ELSEWHERE);
    assert_eq!(world.sent.len(), 2);
}

#[test]
fn lifetime_that_nobody_extends_ends_with_the_tunnel() {
    let mut world = World::new(node());
    world.goes(CARE_OF);
    world.hears();
    let began = world.now;
    while !world.waits().1.contains(&Action::Tunnel(None)) {}
    assert_eq!(world.now, began + secs(400));
    assert!(world.node.poll_timeout().is_some(), "it goes on asking");
}

#[test]
fn node_without_a_home_address_takes_the_one_that_it_is_given() {
    let mut world = World::new(Mn4Config { home_address: None, ..node() });
    world.goes(CARE_OF);
    let given = tunnel(&world.hears()).map(|t| t.home_address);
    assert_eq!(given, Some(HOME));
    world.goes(ELSEWHERE);
    assert_eq!(tunnel(&world.hears()).map(|t| t.home_address), given);
}

#[test]
fn node_that_comes_home_has_its_address_on_the_link_before_it_ends_its_registration() {
    let mut world = World::new(node());
    world.goes(CARE_OF);
    world.hears();
    let actions = world.moves(Attachment::Home);
    assert_eq!(actions[..2], [Action::JoinHome(HOME), Action::AdvertiseHome]);
    assert_eq!(world.requests().last(), Some(&(0, HOME)));
    assert_eq!(world.sent.last().map(|m| m.src), Some(HOME));
    assert_eq!(world.hears(), [Action::Tunnel(None), Action::Audit(AuditKind::Deregistered)]);
    assert!(world.agent.is_empty());
    assert_eq!(world.node.poll_timeout(), None);
    assert_eq!(world.goes(CARE_OF)[0], Action::LeaveHome);
}

#[test]
fn end_of_the_node_ends_its_registration_and_waits_for_that_in_vain_three_times() {
    let mut world = World::new(node());
    world.goes(CARE_OF);
    world.hears();
    world.handle(Event::Stop);
    assert_eq!(world.requests().last(), Some(&(0, CARE_OF)));
    let mut again = 0;
    while !world.node.is_stopped() {
        again += world.waits().1.iter().filter(|a| matches!(a, Action::Send(_))).count();
    }
    assert_eq!(again, 2);
    let mut world = World::new(node());
    world.handle(Event::Stop);
    assert!(world.node.is_stopped());
}

#[test]
fn tunnel_is_in_udp_behind_a_nat_or_if_the_node_insists_and_is_kept_by_keepalives() {
    for (nat, delivery, encap) in [
        (false, Delivery::Ip, Encap::Ip),
        (true, Delivery::Ip, Encap::Mip4Udp(434)),
        (false, Delivery::Udp, Encap::Mip4Udp(434)),
        (false, Delivery::Gre, Encap::Gre),
    ] {
        let config = Mn4Config { delivery, ..node() };
        let nat_policy = NatPolicy { forced: true, keepalive_s: 30, ..NatPolicy::default() };
        let agent = Mip4Config { nat: nat_policy, ..agent(&config) };
        let mut world = World::with(config, agent);
        world.nat = nat;
        world.goes(CARE_OF);
        assert_eq!(tunnel(&world.hears()).map(|t| t.encap), Some(encap), "{nat} {delivery:?}");
        let (after, actions) = world.waits();
        let kept = (after, actions) == (secs(30), vec![Action::KeepAlive]);
        assert_eq!(kept, encap == Encap::Mip4Udp(434), "{nat} {delivery:?}");
    }
}

#[test]
fn prefixes_go_the_way_that_the_home_agent_says() {
    let registered = |to_care_of| vec![RegisteredPrefix { prefix: prefix(), to_care_of }];
    for (explicit, to_care_of, expected) in [
        (true, true, registered(true)),
        (true, false, registered(false)),
        (false, true, registered(false)),
    ] {
        let ipv6 = Ipv6Prefixes { prefixes: vec![prefix()], explicit, to_care_of };
        let mut world = World::new(Mn4Config { ipv6, ..node() });
        world.goes(CARE_OF);
        let bound = tunnel(&world.hears()).expect("a tunnel");
        assert_eq!(bound.prefixes, expected, "{explicit} {to_care_of}");
        let of_agent = world.agent.registrations(None).next().expect("registered");
        assert_eq!(of_agent.prefixes, expected, "of the home agent");
    }
}

#[test]
fn prefix_that_is_refused_or_not_answered_has_no_tunnel() {
    let other: HomePrefix = "2001:db8:800::/56".parse().expect("a prefix");
    let ipv6 = Ipv6Prefixes { prefixes: vec![other], ..node().ipv6 };
    let config = Mn4Config { ipv6, ..node() };
    let serves_none = Mip4Config { dual_stack: false, ..agent(&config) };
    for (agent, why) in [
        (agent(&config), AuditKind::PrefixRefused(PrefixCode::PROHIBITED)),
        (serves_none, AuditKind::PrefixUnanswered),
    ] {
        let mut world = World::with(config.clone(), agent);
        world.goes(CARE_OF);
        let actions = world.hears();
        assert_eq!(audits(&actions), [why, AuditKind::Registered]);
        assert_eq!(tunnel(&actions).map(|t| t.prefixes), Some(Vec::new()));
    }
}
