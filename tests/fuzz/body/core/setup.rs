//! The anchor under test: whom it knows, and what it has to give.

use super::Input;
use anchord::addr::{AnchorAddr, CustomerId, HomePrefix, MnId};
use anchord::mobility::auth::AuthKey;
use anchord::mobility::config::{
    CustomerConfig, GrePolicy, LmaConfig, LmaTimers, MagConfig, PeerConfig, Policy, PoolConfig,
    Profile, RESERVED_LINK_LOCAL, ServiceConfig, Source,
};
use anchord::mobility::question::{Grant, PolicyAnswer};
use anchord::time::Duration;
use std::net::{Ipv4Addr, Ipv6Addr};

pub(super) const LMA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xff, 0, 0, 0, 0, 1);
pub(super) const LMA_IPV4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(super) const BINDINGS_MAX: usize = 6;
pub(super) const PREFIXES_MAX: usize = 16;
/// Of the second customer.
pub(super) const CUSTOMER_BINDINGS_MAX: usize = 3;
pub(super) const NODES: u8 = 7;
pub(super) const SERVICES: [&str; 3] = ["internet", "corp", "not-offered"];
/// The key of the one gateway that has to authenticate.
pub(super) const SPI: u32 = 256;
pub(super) const SECRET: [u8; 16] = [0x5a; 16];

/// Of the choices those that hold for a run: combined interworking.
pub(super) const FOR_A_RUN: u8 = 1 << 6;

/// The operator and one customer, whose address spaces are the same; `choices` says what else is
/// asked of gateways (bits 0 to 5), and what the home agent does (6 and 7).
pub(super) fn config(choices: u8) -> LmaConfig {
    let chosen = |bit: u8| choices & 1 << bit != 0;
    let operator = CustomerConfig { policy: policy(0, chosen(4)), ..CustomerConfig::default() };
    let customer = CustomerConfig {
        realms: vec!["b.example".to_owned()],
        policy: policy(2, chosen(5)),
        max_bindings: CUSTOMER_BINDINGS_MAX,
        gre: if chosen(3) { GrePolicy::KeysRequired } else { GrePolicy::Allowed },
        ..CustomerConfig::default()
    };
    let corp = ServiceConfig {
        name: SERVICES[1].to_owned(),
        customer: Some(CustomerId(1)),
        profile: Some(profile(1, 2)),
    };
    let internet = ServiceConfig { name: SERVICES[0].to_owned(), customer: None, profile: None };
    LmaConfig {
        lma_address_ipv4: Some(LMA_IPV4),
        timers: LmaTimers { revoke_at_handoff: chosen(0), ..LmaTimers::default() },
        accept_forced_udp: chosen(1),
        fixed_link_local: chosen(2).then_some(RESERVED_LINK_LOCAL),
        pools: [0, 1].into_iter().flat_map(pools_of).collect(),
        mags: (0..MAGS).flat_map(mag_configs).collect(),
        customers: vec![operator, customer],
        services: vec![internet, corp],
        max_bindings: BINDINGS_MAX,
        max_prefixes: PREFIXES_MAX,
        ..LmaConfig::new(AnchorAddr(LMA), Policy::default())
    }
}

fn pools_of(customer: u16) -> [PoolConfig; 2] {
    let customer = CustomerId(customer);
    let ipv4 = HomePrefix::from_ipv4(POOL_IPV4, 29).expect("a length below 33");
    [
        PoolConfig { customer, ..PoolConfig::new(pool(), 64) },
        PoolConfig { customer, ..PoolConfig::new(ipv4, 128) },
    ]
}

const POOL_IPV4: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 0);

/// One of the IPv4 pool's addresses, or one beside it, or none.
pub(super) fn ipv4(input: &mut Input<'_>) -> Ipv4Addr {
    match input.below(11) {
        10 => Ipv4Addr::UNSPECIFIED,
        n => Ipv4Addr::from_bits(POOL_IPV4.to_bits() + u32::from(n)),
    }
}

pub(super) fn pool() -> HomePrefix {
    HomePrefix::truncating(Ipv6Addr::new(0x2001, 0xdb8, 0xa000, 0, 0, 0, 0, 0), 61)
        .expect("a length below 129")
}

/// One of the pool's nine nearest, some outside of it; or `ALL_ZERO`.
pub(super) fn prefix(input: &mut Input<'_>) -> HomePrefix {
    let n = input.below(12);
    let (bits, len) = match n {
        0..=8 => (pool().bits() + (u128::from(n) << 64), 64),
        9 => (pool().bits(), 61),
        10 => (pool().bits(), 128),
        _ => (0, 0),
    };
    HomePrefix::truncating(Ipv6Addr::from(bits), len).expect("a length below 129")
}

/// A profile with addresses of both families, from the pools at this place and the next.
fn profile(prefixes: u8, pool: usize) -> Profile {
    Profile {
        prefixes,
        ipv4: Source::Pool(pool + 1),
        refresh_percent: 50,
        services: [0, 1].into(),
        ..Profile::ipv6(pool, Duration::from_secs(60))
    }
}

/// Most have a profile in common or are asked for, one node has two prefixes, one is disabled.
fn policy(pool: usize, asks: bool) -> Policy {
    let common = profile(1, pool);
    let mut policy = if asks { Policy::asking(common) } else { Policy::new(Some(common)) };
    policy.insert(name(1), profile(2, pool), &[]);
    policy.insert(name(2), Profile { enabled: false, ..profile(1, pool) }, &[]);
    policy
}

/// What a policy store may say of a node of this customer.
pub(super) fn policy_answer(input: &mut Input<'_>, home: CustomerId) -> PolicyAnswer {
    match input.below(6) {
        0 => PolicyAnswer::NotServed,
        1 => PolicyAnswer::Unavailable,
        n => {
            let profile = profile(n - 1, usize::from(home.0) * 2);
            let own = [prefix(input)];
            let own = if n == 5 { own.into() } else { Box::default() };
            PolicyAnswer::Granted(Box::new(Grant { profile, own }))
        }
    }
}

/// Nodes of the operator, of the customer, and one whose identifier is no NAI.
pub(super) fn name(n: u8) -> MnId {
    let id = match n {
        0..=3 => MnId::nai(&format!("mn{n}@example.org")),
        4 | 5 => MnId::nai(&format!("mn{n}@b.example")),
        _ => MnId::new(2, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]),
    };
    id.expect("a valid identifier")
}

pub(super) fn node(input: &mut Input<'_>) -> MnId {
    name(input.below(NODES))
}

const MAGS: u8 = 6;

/// Two of six gateways may do anything, one only with one node, one nothing; one authenticates, one
/// has sessions with GRE keys only. Each has an address of either family.
fn mag_configs(n: u8) -> [MagConfig; 2] {
    let nodes = if n == 2 { vec!["mn0@example.org".to_owned()] } else { Vec::new() };
    let key = AuthKey { spi: SPI, secret: SECRET.into(), replay_window: None };
    [mag_address(n), mag_address_ipv4(n).to_ipv6_mapped()].map(|address| MagConfig {
        authorized: n != 3,
        nodes: nodes.clone(),
        gre: if n == 5 { GrePolicy::KeysRequired } else { GrePolicy::Allowed },
        auth: if n == 4 { vec![key.clone()] } else { Vec::new() },
        peer: PeerConfig { heartbeat: true, revocation: true, revocation_identity: Some(name(n)) },
        ..MagConfig::new(address)
    })
}

pub(super) fn mag_address(n: u8) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, u16::from(n) + 0x10)
}

pub(super) fn mag_address_ipv4(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, n + 0x10)
}

/// Whether an address is one of a gateway, known or not.
pub(super) fn is_gateway(address: Ipv6Addr) -> bool {
    let is = |n| [mag_address(n), mag_address_ipv4(n).to_ipv6_mapped()].contains(&address);
    (0..=MAGS).any(is)
}

/// Any of the gateways, or nobody that is known.
pub(super) fn mag(input: &mut Input<'_>) -> u8 {
    input.below(MAGS + 1)
}
