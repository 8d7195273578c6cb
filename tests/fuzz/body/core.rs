//! Any sequence of events through the anchor's pure core: well-formed updates with any values, and
//! updates with any options at all.
//!
//! ```text
//!  | op | operands ... | op | operands ...        a byte each; what is missing at the end is zero
//! ```

use anchord::addr::{AnchorAddr, CustomerPrefix, HomePrefix, MnId};
use anchord::mobility::Lma;
use anchord::mobility::action::{Action, Publication};
use anchord::mobility::binding::BceState;
use anchord::mobility::config::{LmaConfig, MagConfig, PeerConfig, Policy, PoolConfig, Profile};
use anchord::mobility::event::Event;
use anchord::mobility::message::{OwnedOptions, Transport, UpdateMsg};
use anchord::time::{Duration, Instant, Lifetime, MobTimestamp, Now};
use anchord::wire::mh::{
    AccessTech, BaFlags, BindingUpdate, BuFlags, HandoffIndicator, MessageData, MobilityOption,
    SeqNo,
};
use std::collections::{BTreeMap, HashSet};
use std::net::Ipv6Addr;

const LMA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xff, 0, 0, 0, 0, 1);
const BINDINGS_MAX: usize = 6;

/// One timer call does a bounded part; so many calls are more than all bindings and waits need.
const TIMEOUTS_MAX: usize = 1000;

/// The operands.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, n: u8) -> u8 {
        self.byte() % n
    }
}

/// Runs the events and checks what must hold after each.
pub(crate) fn run(bytes: &[u8]) {
    let mut lma = Lma::new(config());
    let mut now = Now {
        mono: Instant(1_000_000_000),
        wall: MobTimestamp::from_unix(Duration::from_secs(1_700_000_000)),
    };
    let mut input = Input(bytes);
    let mut forwarding = Forwarding::new();
    while !input.0.is_empty() {
        let mut actions = Vec::new();
        let event = match input.below(8) {
            0..=3 => Some(Event::Pbu(update(&mut input, now))),
            4 => raw_update(&mut input).map(Event::Pbu),
            5 => {
                let prefix = (input.below(2) == 1).then(|| prefix(&mut input));
                node(&mut input).map(|mn_id| Event::AdminDelete { mn_id, prefix })
            }
            6 if input.below(2) == 0 => Some(Event::MagAdd(mag(&mut input))),
            6 => Some(Event::MagDel(mag(&mut input))),
            _ => {
                let step = Duration::from_millis(u64::from(input.byte()) * 250);
                now.mono = now.mono + step;
                now.wall = MobTimestamp::from_unix(now.wall.to_unix() + step);
                None
            }
        };
        for _ in 0..TIMEOUTS_MAX {
            if lma.poll_timeout().is_none_or(|due| due > now.mono) {
                break;
            }
            lma.handle_timeout(now, &mut actions);
        }
        assert!(lma.poll_timeout().is_none_or(|due| due > now.mono), "a timer that never rests");
        if let Some(event) = event {
            lma.handle(event, now, &mut actions);
        }
        check(&lma, &actions);
        publish(&actions, &mut forwarding);
        assert_eq!(forwarding, expected(&lma), "the workers know other than the cache");
    }
}

/// Where the workers send a prefix: to a gateway, or nowhere.
type Forwarding = BTreeMap<CustomerPrefix, Option<Ipv6Addr>>;

fn publish(actions: &[Action], forwarding: &mut Forwarding) {
    for action in actions {
        match action {
            Action::Publish(Publication::Forward(prefix, path, _)) => {
                forwarding.insert(*prefix, Some(path.remote));
            }
            Action::Publish(Publication::Hold(prefix)) => {
                forwarding.insert(*prefix, None);
            }
            Action::Publish(Publication::Withdraw(prefix)) => {
                assert!(forwarding.remove(prefix).is_some(), "{prefix} was not known");
            }
            Action::Persist(_)
            | Action::Reply { .. }
            | Action::Send { .. }
            | Action::AskPolicy(_)
            | Action::Audit(_) => {}
        }
    }
}

/// What the cache says of forwarding.
fn expected(lma: &Lma) -> Forwarding {
    let (rows, _) = lma.cache().page(0, usize::MAX);
    let to = rows.map(|(_, b)| {
        let coa = (b.state == BceState::Active).then_some(b.proxy_coa.0);
        b.hnp.iter().map(move |prefix| (*prefix, coa))
    });
    to.flatten().map(|(p, coa)| (p.into(), coa)).collect()
}

fn check(lma: &Lma, actions: &[Action]) {
    assert!(lma.cache().len() <= BINDINGS_MAX);
    let mut held = HashSet::new();
    for n in 0..=u8::MAX {
        let Some(mn_id) = name(n % 4).filter(|_| n < 4) else { break };
        for bce in lma.cache().of_node(&mn_id) {
            assert!(!bce.hnp.is_empty(), "a binding without a prefix");
            for prefix in &bce.hnp {
                assert!(held.insert(*prefix), "{prefix} is held twice");
                assert_eq!(lma.cache().by_prefix((*prefix).into()).map(|b| b.id), Some(bce.id));
            }
        }
    }
    for action in actions {
        if let Action::Reply { ack, held } = action {
            assert!(ack.ack.flags.contains(BaFlags::P));
            assert!(ack.ack.status.is_accepted() || !held, "a refusal need not wait");
            let mut buf = vec![0; ack.ack.buffer_len(ack.options.options())];
            // Longer than any Mobility Header: the control loop counts and drops it.
            let _ = ack.ack.emit(ack.options.options(), ack.src, ack.dst, &mut buf);
        }
    }
}

/// Two of four gateways may do anything, one only with one node, one nothing.
fn config() -> LmaConfig {
    let mag_config = |n, authorized, nodes: &[&str]| MagConfig {
        authorized,
        nodes: nodes.iter().map(|n| (*n).to_owned()).collect(),
        peer: PeerConfig { heartbeat: true, revocation: true, revocation_identity: name(n) },
        ..MagConfig::new(mag_address(n))
    };
    let profile = |prefixes| Profile { prefixes, ..Profile::ipv6(0, Duration::from_secs(60)) };
    let mut policy = Policy::new(Some(profile(1)));
    if let (Some(two), Some(disabled)) = (name(1), name(2)) {
        policy.insert(two, profile(2), &[]);
        policy.insert(disabled, Profile { enabled: false, ..profile(1) }, &[]);
    }
    LmaConfig {
        pools: vec![PoolConfig::new(pool(), 64)],
        mags: vec![
            mag_config(0, true, &[]),
            mag_config(1, true, &[]),
            mag_config(2, true, &["mn0@example.org"]),
            mag_config(3, false, &[]),
        ],
        max_bindings: BINDINGS_MAX,
        ..LmaConfig::new(AnchorAddr(LMA), policy)
    }
}

fn pool() -> HomePrefix {
    HomePrefix::truncating(Ipv6Addr::new(0x2001, 0xdb8, 0xa000, 0, 0, 0, 0, 0), 61)
        .expect("a length below 129")
}

fn mag_address(n: u8) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, u16::from(n) + 0x10)
}

fn mag(input: &mut Input<'_>) -> Ipv6Addr {
    mag_address(input.below(5))
}

fn name(n: u8) -> Option<MnId> {
    MnId::nai(&format!("mn{n}@example.org"))
}

fn node(input: &mut Input<'_>) -> Option<MnId> {
    name(input.below(4))
}

/// One of the pool's nine nearest, some outside of it; or `ALL_ZERO`.
fn prefix(input: &mut Input<'_>) -> HomePrefix {
    let n = input.below(12);
    let (bits, len) = match n {
        0..=8 => (pool().bits() + (u128::from(n) << 64), 64),
        9 => (pool().bits(), 61),
        10 => (pool().bits(), 128),
        _ => (0, 0),
    };
    HomePrefix::truncating(Ipv6Addr::from(bits), len).expect("a length below 129")
}

/// An update with these fields; each option may be there or not.
fn update(input: &mut Input<'_>, now: Now) -> UpdateMsg {
    let present = input.byte();
    let id = format!("mn{}@example.org", input.below(4));
    let link_layer = [2, 0, 0, 0, 0, input.below(3)];
    let mut options = Vec::new();
    // Mostly there: an update without it ends at once.
    if present & 0x03 != 0x03 {
        options.push(MobilityOption::MnId(MnId::NAI, id.as_bytes()));
    }
    for _ in 0..match present & 0x0c {
        0x0c => 0,
        0x08 => 2,
        _ => 1,
    } {
        options.push(MobilityOption::HomeNetworkPrefix(prefix(input)));
    }
    if present & 0x10 == 0 {
        let hint = HandoffIndicator(input.below(7));
        options.push(MobilityOption::HandoffIndicator(hint));
        options.push(MobilityOption::AccessTech(AccessTech(input.below(3))));
    }
    if present & 0x20 != 0 {
        options.push(MobilityOption::MnLinkLayerId(&link_layer));
    }
    if present & 0x40 != 0 {
        let address = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(input.below(3)));
        options.push(MobilityOption::LinkLocal(address));
    }
    if present & 0x80 != 0 {
        // Around the edges of the window: 128 steps of 1/256 s before, and after.
        let skew = (u64::from(input.byte()) << 8).wrapping_sub(128 << 8);
        options.push(MobilityOption::Timestamp(MobTimestamp(now.wall.0.wrapping_add(skew))));
    }
    let seq = SeqNo(u16::from(input.byte()) << 8 | 0x42);
    let lifetime = Lifetime(u16::from(input.below(20)));
    let flags = BuFlags::A | BuFlags::P;
    UpdateMsg {
        src: mag(input),
        dst: LMA,
        transport: Transport::Ipv6,
        update: BindingUpdate { seq, flags, lifetime },
        options: OwnedOptions::from_options(&options[..]).expect("short options"),
        header: Box::default(),
    }
}

/// An update whose options are the next bytes, if those are options.
fn raw_update(input: &mut Input<'_>) -> Option<UpdateMsg> {
    let src = mag(input);
    let len = usize::from(input.byte()).min(input.0.len());
    let (options, rest) = input.0.split_at(len);
    input.0 = rest;
    let update = BindingUpdate { flags: BuFlags(0x8200), ..BindingUpdate::default() };
    let options = OwnedOptions::try_from(options.to_vec()).ok()?;
    let header = Box::default();
    Some(UpdateMsg { src, dst: LMA, transport: Transport::Ipv6, update, options, header })
}
