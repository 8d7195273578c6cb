//! Any bytes as a stream of events for the anchor's pure core: it must not panic, and what it says
//! must add up to what its cache holds.
//!
//! ```text
//!   kind, gateway, delay (2), sequence (2), lifetime, options: length, bytes    one event each
//! ```
#![no_main]

use anchord::addr::{AnchorAddr, HomePrefix, MnId};
use anchord::mobility::Lma;
use anchord::mobility::action::{Action, Publication};
use anchord::mobility::binding::BceState;
use anchord::mobility::config::{LmaConfig, LmaTimers, MagConfig, Policy, PoolConfig, Profile};
use anchord::mobility::event::Event;
use anchord::mobility::message::{OwnedOptions, UpdateMsg};
use anchord::time::{Duration, Instant, Lifetime, MobTimestamp, Now};
use anchord::wire::mh::{BindingUpdate, BuFlags, MobilityOption, Options, SeqNo};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;
use std::net::Ipv6Addr;

const LMA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1);

fn mag(n: u8) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, (n % 4).into())
}

fn prefix(text: &str) -> HomePrefix {
    text.parse().expect("a prefix")
}

fn config() -> LmaConfig {
    let profile =
        Profile { enabled: true, pool: 0, prefixes: 2, max_lifetime: Duration::from_secs(100) };
    let mut policy = Policy::new(Some(profile));
    policy.insert(MnId::nai("m").expect("short"), profile, &[prefix("2001:db8:a000:2::/64")]);
    policy.insert(MnId::nai("n").expect("short"), Profile { enabled: false, ..profile }, &[]);
    let gateway = |n| MagConfig {
        address: mag(n),
        authorized: n < 3,
        prefixes: if n == 2 { vec![prefix("2001:db8:a000::/63")] } else { Vec::new() },
        nodes: if n == 1 { vec!["*m*".into()] } else { Vec::new() },
    };
    LmaConfig {
        lma_address: AnchorAddr(LMA),
        timers: LmaTimers::default(),
        pools: vec![PoolConfig { prefix: prefix("2001:db8:a000::/61"), delegated_len: 64 }],
        mags: (0..4).map(gateway).collect(),
        policy,
        max_bindings: 6,
    }
}

/// Takes events off the front of the input.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(front)
    }

    /// The next event and the milliseconds before it; `None` at the end.
    fn event(&mut self, now: Now) -> Option<(Event, u16)> {
        let &[kind, who, d0, d1, s0, s1, lifetime, len] = self.take(8)? else { return None };
        let bytes = self.take(usize::from(len).min(self.0.len()))?;
        let event = match kind {
            0 => Event::MagAdd(mag(who)),
            1 => Event::MagDel(mag(who)),
            2 => Event::AdminDelete { mn_id: MnId::new(1, bytes)?, prefix: None },
            _ => {
                let mut options = OwnedOptions::from(Options::parse(bytes).unwrap_or_default());
                if kind % 2 == 0 {
                    // A timestamp near our clock, which the fuzzer could hardly guess.
                    let near = MobTimestamp(now.wall.0 + u64::from(kind) * 100);
                    let with = options.iter().chain([MobilityOption::Timestamp(near)]);
                    options = OwnedOptions::from_options(&with.collect::<Vec<_>>()).ok()?;
                }
                Event::Pbu(UpdateMsg {
                    src: if who == 255 { Ipv6Addr::UNSPECIFIED } else { mag(who) },
                    dst: LMA,
                    update: BindingUpdate {
                        seq: SeqNo(u16::from_be_bytes([s0, s1])),
                        flags: BuFlags::P,
                        lifetime: Lifetime(lifetime.into()),
                    },
                    options,
                })
            }
        };
        Some((event, u16::from_be_bytes([d0, d1])))
    }
}

/// What the workers would forward.
type Forwarding = BTreeMap<HomePrefix, Option<Ipv6Addr>>;

fn carry_out(actions: &mut Vec<Action>, forwarding: &mut Forwarding) {
    for action in actions.drain(..) {
        match action {
            Action::Publish(Publication::Forward(p, lma, coa)) => {
                assert_eq!(lma.0, LMA);
                forwarding.insert(p, Some(coa.0));
            }
            Action::Publish(Publication::Hold(p)) => {
                assert!(forwarding.insert(p, None).is_some());
            }
            Action::Publish(Publication::Withdraw(p)) => {
                assert!(forwarding.remove(&p).is_some());
            }
            Action::Reply { ack, held } => {
                assert_eq!(held, ack.ack.status.is_accepted());
                assert_eq!(ack.src, LMA);
            }
            Action::Persist(_) | Action::Audit(_) => {}
        }
    }
}

fn check(lma: &Lma, forwarding: &Forwarding, now: Now) {
    let mut expected = Forwarding::new();
    let mut soonest = None;
    for (_, bce) in lma.cache().page(0, usize::MAX).0 {
        let to = (bce.state == BceState::Active).then_some(bce.proxy_coa.0);
        for p in &bce.hnp {
            assert!(expected.insert(*p, to).is_none(), "two sessions share {p}");
        }
        let remaining = bce.remaining(now.mono);
        soonest = Some(soonest.map_or(remaining, |s: Duration| s.min(remaining)));
    }
    assert_eq!(&expected, forwarding);
    assert!(lma.cache().len() <= 6);
    let next = lma.poll_timeout().map(|at| at.since(now.mono));
    assert_eq!(next.is_some(), soonest.is_some() || lma.waiting() > 0);
    assert!(soonest.is_none_or(|s| next.is_some_and(|n| n <= s)), "a timer is lost");
}

fuzz_target!(|bytes: &[u8]| {
    let (mut lma, mut input) = (Lma::new(config()), Input(bytes));
    let (mut actions, mut forwarding) = (Vec::new(), Forwarding::new());
    let mut passed = Duration::from_secs(1);
    loop {
        let now = Now {
            mono: Instant::default() + passed,
            wall: MobTimestamp::from_unix(Duration::from_secs(1_767_225_600) + passed),
        };
        while lma.poll_timeout().is_some_and(|due| due <= now.mono) {
            lma.handle_timeout(now, &mut actions);
        }
        let Some((event, delay)) = input.event(now) else { break };
        lma.handle(event, now, &mut actions);
        carry_out(&mut actions, &mut forwarding);
        check(&lma, &forwarding, now);
        passed += Duration::from_millis(delay.into());
    }
});
