//! Whatever comes, in whatever order: what must hold at any time.

use super::*;
use crate::wire::mip4::{RegistrationRevocation, RevocationAck, TunnelData, UdpTunnelRequest};
use proptest::prelude::*;
use std::collections::BTreeMap;

const PREFIXES: [&str; 3] = ["2001:db8:1::/64", "2001:db8:2::/64", "2001:db8:2::/48"];

/// Something that may happen.
#[derive(Debug, Clone)]
enum Step {
    Request { node: u8, care_of: u8, flags: u8, lifetime: u16, tunnel: Option<u8>, prefixes: u8 },
    Through { node: u8, inform: bool, lifetime: u16, wrong: bool },
    Again,
    Revoke { node: u8, time: u32 },
    Ack { home: u8, time: u32 },
    Delete(u8),
    Keepalive { node: u8, through_agent: bool, port: u16 },
    Bytes(Vec<u8>),
    Pass(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let tunnel = prop::option::of(0..4_u8);
    let request =
        (0..3_u8, 0..5_u8, any::<u8>(), prop_oneof![Just(0), 1..40_u16], tunnel, 0..16_u8);
    let request = request.prop_map(|(node, care_of, flags, lifetime, tunnel, prefixes)| {
        Step::Request { node, care_of, flags, lifetime, tunnel, prefixes }
    });
    let through = (0..3_u8, any::<bool>(), 0..40_u16, prop::bool::weighted(0.2));
    let through = through.prop_map(|(node, inform, lifetime, wrong)| Step::Through {
        node,
        inform,
        lifetime,
        wrong,
    });
    let keepalive = (0..3_u8, any::<bool>(), 1..4_u16)
        .prop_map(|(node, through_agent, port)| Step::Keepalive { node, through_agent, port });
    prop_oneof![
        4 => request,
        2 => through,
        1 => Just(Step::Again),
        1 => (0..3_u8, 990..1010_u32).prop_map(|(node, time)| Step::Revoke { node, time }),
        1 => (0..3_u8, any::<u32>()).prop_map(|(home, time)| Step::Ack { home, time }),
        1 => (0..3_u8).prop_map(Step::Delete),
        1 => keepalive,
        1 => prop::collection::vec(any::<u8>(), 0..60).prop_map(Step::Bytes),
        2 => (0..30_u16).prop_map(Step::Pass),
    ]
}

fn home(node: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, 0, 5 + node)
}

fn nai(node: u8) -> String {
    format!("mn{node}@example.org")
}

fn three_nodes() -> Mip4Config {
    let prefixes: Vec<HomePrefix> = PREFIXES.iter().map(|p| p.parse().expect("one")).collect();
    let of = |n| Mip4Node {
        prefixes: prefixes.clone(),
        implicit: n == 2,
        ..node(&nai(n), Some(home(n)))
    };
    let foreign = ForeignAgent { address: FOREIGN, associations: vec![agents()] };
    Mip4Config {
        nodes: (0..3).map(of).collect(),
        foreign_agents: vec![foreign],
        max_bindings: 2,
        max_registrations: 2,
        max_lifetime: RegistrationLifetime(30),
        ..config()
    }
}

/// What the workers forward, by the publications alone.
#[derive(Debug, Default)]
struct Workers(BTreeMap<CustomerPrefix, Option<TunnelPaths>>);

impl Workers {
    fn apply(&mut self, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Publish(Publication::Copy(key, paths)) => {
                    self.0.insert(*key, Some(*paths));
                }
                Action::Publish(Publication::Forward(key, path, _)) => {
                    self.0.insert(*key, Some((*path).into()));
                }
                Action::Publish(Publication::Hold(key)) => {
                    self.0.insert(*key, None);
                }
                Action::Publish(Publication::Withdraw(key)) => {
                    assert!(self.0.remove(key).is_some(), "{key} was forwarded");
                }
                _ => {}
            }
        }
    }
}

fn act(bench: &mut Bench, step: &Step, last: &mut Option<Mip4Msg>) {
    let msg = match step {
        Step::Request { node, care_of, flags, lifetime, tunnel, prefixes } => {
            let request = RegistrationRequest {
                flags: RequestFlags(*flags),
                lifetime: RegistrationLifetime(*lifetime),
                home_address: home(*node),
                care_of: [CARE_OF, ELSEWHERE, NAT, home(*node), AGENT][usize::from(*care_of)],
                ..bench.request()
            };
            let bit = |n: usize| prefixes & 1 << n != 0;
            let asked = PREFIXES.iter().enumerate().filter(|(n, _)| bit(*n));
            let asked = asked.map(|(_, p)| p.parse::<HomePrefix>().expect("one"));
            let mut all: Vec<_> = asked.map(|p| Extension::PrefixRequest(p.into())).collect();
            all.extend(bit(3).then_some(Extension::TunnelingMode));
            all.extend(tunnel.map(|t| {
                let (force, through_agent) = (t & 1 != 0, t & 2 != 0);
                let asked = UdpTunnelRequest { force, through_agent, encapsulation: 0 };
                Extension::UdpTunnelRequest(asked)
            }));
            from(CARE_OF, signed(request, &all, &shared()))
        }
        Step::Through { node, inform, lifetime, wrong } => {
            let request = RegistrationRequest {
                flags: RequestFlags(0),
                lifetime: RegistrationLifetime(*lifetime),
                home_address: home(*node),
                care_of: FOREIGN,
                ..bench.request()
            };
            let support = [Extension::RevocationSupport(*inform, 1000)];
            let by = if *wrong { association(300, 1) } else { agents() };
            from(FOREIGN, relayed(request, &[], &support, Some(&by)))
        }
        Step::Again => last.clone().unwrap_or_else(|| from(CARE_OF, vec![])),
        Step::Revoke { node, time } => {
            let body = Body::Revocation(RegistrationRevocation {
                from_home_agent: false,
                inform: true,
                home_address: home(*node),
                home_domain: AGENT,
                foreign_domain: FOREIGN,
                identifier: *time,
            });
            from(FOREIGN, authentic(body))
        }
        Step::Ack { home: node, time } => {
            let (inform, home_address) = (false, home(*node));
            let body =
                Body::RevocationAck(RevocationAck { inform, home_address, identifier: *time });
            from(FOREIGN, authentic(body))
        }
        Step::Keepalive { node, through_agent, port } => {
            let src = if *through_agent { FOREIGN } else { CARE_OF };
            keepalive::keepalive(src, *port, home(*node), AGENT)
        }
        Step::Bytes(bytes) => from(CARE_OF, bytes.clone()),
        Step::Delete(node) => {
            return bench.delete(&nai(*node));
        }
        Step::Pass(seconds) => return bench.pass(Duration::from_secs((*seconds).into())),
    };
    bench.deliver(&msg);
    *last = Some(msg);
}

fn authentic(body: Body) -> Vec<u8> {
    let mut payload = vec![0; body.buffer_len()];
    body.emit(&mut payload).expect("fits");
    agents().append(AuthKind::ForeignHome, &mut payload);
    payload
}

proptest! {
    #[test]
    fn tables_agree_after_any_sequence(steps in prop::collection::vec(step(), 1..40)) {
        let mut bench = Bench::new(three_nodes());
        let (mut workers, mut last) = (Workers::default(), None);
        for step in &steps {
            act(&mut bench, step, &mut last);
            workers.apply(&bench.actions);
            let all: Vec<_> = bench.agent.registrations(None).collect();
            prop_assert!(all.len() <= 2);
            // What is forwarded is what the registrations say, no more and no less.
            let said = all.iter().flat_map(|r| r.forwarding(AGENT)).collect::<BTreeMap<_, _>>();
            prop_assert_eq!(&workers.0, &said);
            prop_assert!(said.keys().all(|key| bench.agent.holds(*key)));
            // What is held is theirs, and nobody's overlaps another's.
            let held: BTreeMap<_, _> =
                all.iter().flat_map(|r| r.held().map(|p| (p, r.mn_id.clone()))).collect();
            prop_assert_eq!(&bench.pool.held, &held);
            for r in &all {
                prop_assert!((1..=2).contains(&r.bindings.len()));
                for binding in &r.bindings {
                    // It ends, and there is a timer for it, within what is granted at most.
                    let left = binding.deadline.map(|at| at.since(bench.now.mono).as_secs());
                    prop_assert!(left.is_some_and(|left| left <= 30));
                    prop_assert!(binding.deadline > Some(bench.now.mono));
                }
            }
            prop_assert!(bench.agent.poll_timeout().is_none_or(|at| at > bench.now.mono));
            let is_message = |msg: &Mip4Msg| msg.payload[0] != TunnelData::TYPE;
            for (msg, _) in bench.sent().filter(|(msg, _)| is_message(msg)) {
                let message = Message::parse(&msg.payload).expect("is one");
                prop_assert_eq!(msg.src, AGENT);
                let is_auth = |e: Extension<'_>| matches!(e, Extension::Auth(..));
                prop_assert!(message.extensions.iter().last().is_some_and(is_auth));
            }
        }
    }

    #[test]
    fn identification_is_accepted_within_the_window_and_once(
        times in prop::collection::vec(-12_000_i64..12_000, 1..20),
    ) {
        let mut bench = Bench::new(config());
        let ours = ntp(bench.now.wall);
        let mut greatest = None;
        for ms in times {
            let offset = ms * (1 << 32) / 1000;
            let time = ours.wrapping_add_signed(offset);
            let request = RegistrationRequest {
                identification: Identification(time),
                ..bench.request()
            };
            let reply = bench.register(request, &[]).expect("an answer");
            let again = greatest == Some(time);
            let is_new = ms.abs() <= 7000 && greatest.is_none_or(|g| time > g);
            prop_assert_eq!(reply.code() == CODE_1, is_new || again);
            if is_new {
                greatest = Some(time);
            }
        }
    }
}
