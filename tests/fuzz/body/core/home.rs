//! Nodes that move themselves: the home agents under test, and what such nodes and their home links
//! say. A node has the name that gateways know it by.

use super::Input;
use super::message::{near_ntp, raw_options, signed};
use super::setup::{LMA, LMA_IPV4, SECRET, SPI, ipv4, name, node, pool};
use anchord::addr::{CustomerId, HomePrefix, Protection};
use anchord::mobility::auth::AuthKey;
use anchord::mobility::event::Event;
use anchord::mobility::ha::{
    AgentInformation, HaConfig, HomeBinding, HomeIcmp, HomeIcmpBody, HomeLink, HomeNode,
    Interworking, LinkAddress, LinkId, LinkPrefix, PrefixHeard, Proof, RouterHeard,
};
use anchord::mobility::message::{Transport, UpdateMsg};
use anchord::mobility::mip4::{
    Algorithm, Mip4Config, Mip4Msg, Mip4Node, Replay, SecurityAssociation,
};
use anchord::time::{Duration, Lifetime, Now};
use anchord::wire::icmpv6::mobility::{
    LinkPrefixInformation, emit_discovery_reply, emit_prefix_advertisement,
};
use anchord::wire::mh::{BindingUpdate, BuFlags, Ipv4Home, MobilityOption, SeqNo};
use anchord::wire::mip4::{
    Body, Extension, Identification, RegistrationLifetime, RegistrationRequest, RequestFlags,
    UdpTunnelRequest,
};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use std::net::{Ipv4Addr, Ipv6Addr};

pub(super) const BINDINGS_MAX: usize = 5;
pub(super) const REGISTRATIONS_MAX: usize = 3;
pub(super) const CARE_OF_MAX: usize = 2;

/// The home link that a port has.
const ATTACHED: LinkId = LinkId(2);

/// Two pools are virtual links, as the configuration makes them; a port has the third, which has
/// two prefixes. Bit 6 of the choices: one entry for both protocols; bit 7: other nodes.
pub(super) fn mobile_ipv6(choices: u8) -> HaConfig {
    let prefix = |prefix, valid: Option<u32>| LinkPrefix {
        prefix,
        address: None,
        valid_lifetime_s: valid,
        preferred_lifetime_s: valid.map(|s| s / 10),
    };
    let link = |customer, prefixes| HomeLink {
        customer: CustomerId(customer),
        prefixes,
        per_node_len: Some(64),
        id: None,
        preference: 0,
    };
    let own = LinkPrefix { address: Some(home_address(9)), ..prefix(subnet(0), None) };
    let attached = HomeLink {
        per_node_len: None,
        id: Some(ATTACHED),
        ..link(0, vec![own, prefix(subnet(1), Some(600))])
    };
    let of_pool = |customer| link(customer, vec![prefix(pool(), None)]);
    HaConfig {
        enabled: true,
        address: LMA,
        address_ipv4: Some(LMA_IPV4),
        links: vec![of_pool(0), of_pool(1), attached],
        nodes: nodes(choices & 1 << 7 != 0),
        interworking: if choices & 1 << 6 == 0 {
            Interworking::Independent
        } else {
            Interworking::Combined
        },
        max_bindings: BINDINGS_MAX,
        max_lifetime: Duration::from_secs(60),
        switch_rate: 20,
        refresh_requests: choices & 1 != 0,
        ..HaConfig::default()
    }
}

/// One has a key, one needs ESP, one no proof at all; two of the operator's have a home address on
/// the attached link, of which other nodes' file knows only one.
fn nodes(others: bool) -> Vec<HomeNode> {
    let plain = |n: u8| HomeNode {
        mn_id: name(n),
        customer: customer(n),
        home_address: None,
        ipv4_home_address: None,
        mobile_networks: Vec::new(),
        proof: Proof::Nothing,
    };
    let key = AuthKey { spi: SPI, secret: SECRET.into(), replay_window: None };
    let mut all = vec![
        plain(0),
        HomeNode {
            home_address: Some(home_address(1)),
            mobile_networks: vec![network(1)],
            proof: Proof::Keys(vec![key]),
            ..plain(1)
        },
        HomeNode {
            home_address: Some(home_address(2)),
            ipv4_home_address: Some(Ipv4Addr::new(10, 1, 0, 5)),
            mobile_networks: vec![network(2)],
            ..plain(2)
        },
        HomeNode { proof: Proof::Esp(Some(Protection::ReturnRoutability)), ..plain(3) },
        HomeNode { mobile_networks: vec![network(4)], ..plain(4) },
        HomeNode { home_address: Some(home_address(5)), ..plain(5) },
    ];
    if others {
        all.remove(2);
        all[0].mobile_networks = vec![network(2)];
        all[1].proof = Proof::Nothing;
    }
    all
}

fn customer(n: u8) -> CustomerId {
    CustomerId(u16::from(n == 4 || n == 5))
}

/// Nodes of which the names are those of Mobile IPv6; one is dual-stack by configuration alone. Bit
/// 7 of the choices: others, and another home address.
pub(super) fn mobile_ipv4(choices: u8) -> Mip4Config {
    let association = SecurityAssociation {
        spi: SPI,
        algorithm: Algorithm::HmacMd5,
        secret: SECRET.into(),
        replay: Replay::default(),
    };
    let node = |n: u8, home_address| Mip4Node {
        mn_id: name(n),
        customer: customer(n),
        home_address,
        prefixes: vec![network(n), in_pool(n)],
        implicit: n == 4,
        associations: vec![association.clone()],
    };
    let others = choices & 1 << 7 != 0;
    let home = Ipv4Addr::new(10, 1, 0, if others { 3 } else { 4 });
    let last = if others { 5 } else { 4 };
    Mip4Config {
        address: LMA_IPV4,
        nodes: vec![node(0, None), node(1, Some(home)), node(3, None), node(last, None)],
        max_lifetime: RegistrationLifetime(60),
        max_registrations: REGISTRATIONS_MAX,
        max_bindings: CARE_OF_MAX,
        ..Mip4Config::default()
    }
}

/// A prefix of the attached link.
fn subnet(n: u16) -> HomePrefix {
    HomePrefix::truncating(Ipv6Addr::new(0x2001, 0xdb8, 0xb0, n, 0, 0, 0, 0), 64).expect("a length")
}

/// A network that moves with a node.
fn network(n: u8) -> HomePrefix {
    let address = Ipv6Addr::new(0x2001, 0xdb8, 0x700, u16::from(n) << 8, 0, 0, 0, 0);
    HomePrefix::truncating(address, 56).expect("a length")
}

/// One of the pool's prefixes, which both customers have.
fn in_pool(n: u8) -> HomePrefix {
    let bits = pool().bits() + (u128::from(n) << 64);
    HomePrefix::truncating(Ipv6Addr::from(bits), 64).expect("a length")
}

/// Up to 4 and from 9 on in the attached link's first prefix; 5 is 1 in its second; else one in
/// the pool.
fn home_address(n: u8) -> Ipv6Addr {
    match n {
        0..=4 | 9.. => Ipv6Addr::from_bits(subnet(0).bits() + 0x10 + u128::from(n)),
        5 => Ipv6Addr::from_bits(subnet(1).bits() + 0x11),
        n => Ipv6Addr::from_bits(in_pool(n - 6).bits() + 7),
    }
}

/// One that is at home on some link, mostly.
fn home(input: &mut Input<'_>) -> Ipv6Addr {
    match input.below(12) {
        10 => Ipv6Addr::new(0x2001, 0xdb8, 0xdead, 0, 0, 0, 0, 1),
        11 => LMA,
        n => home_address(n),
    }
}

/// Where a node is: elsewhere, in an IPv4 network, at another's home, at the anchor itself.
fn care_of(input: &mut Input<'_>) -> Ipv6Addr {
    match input.below(10) {
        n @ 0..=4 => Ipv6Addr::new(0x2001, 0xdb8, 0xc0, 0, 0, 0, 0, u16::from(n)),
        n @ 5..=6 => Ipv4Addr::new(203, 0, 113, n).to_ipv6_mapped(),
        7 => home_address(7),
        8 => LMA,
        _ => Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1),
    }
}

/// A binding update with these fields; each option may be there or not.
pub(super) fn update(input: &mut Input<'_>, now: Now) -> UpdateMsg {
    let present = input.byte();
    let (id, home, src) = (node(input), home(input), care_of(input));
    let at_home = present & 0x01 != 0;
    let src = if at_home { home } else { src };
    let mut options = Vec::new();
    if present & 0x06 != 0x06 {
        options.push(MobilityOption::MnId(id.subtype(), id.bytes()));
    }
    let mut about = src;
    if present & 0x08 != 0 {
        about = care_of(input);
        options.push(MobilityOption::AlternateCoa(about));
    }
    if present & 0x10 != 0 {
        for _ in 0..=input.below(2) {
            options.push(extra(input, now));
        }
    }
    let flags = [0, BuFlags::R.0, BuFlags::R.0, BuFlags::L.0, BuFlags::F.0, BuFlags::K.0];
    let flags = BuFlags::A.0 | flags[usize::from(input.below(6))];
    let flags = BuFlags(if present & 0xc0 == 0xc0 { flags } else { flags | BuFlags::H.0 });
    let seq = SeqNo(u16::from(input.byte()) << 8 | 0x42);
    let update = BindingUpdate { seq, flags, lifetime: Lifetime(u16::from(input.below(20))) };
    let esp = present & 0x20 != 0;
    let (dst, transport) = match src.to_ipv4_mapped() {
        Some(_) => {
            let port = [4191, 1024][usize::from(input.below(2))];
            (LMA_IPV4.to_ipv6_mapped(), Transport::Dsmip { port, anchor: LMA, esp })
        }
        None if esp => (LMA, Transport::Ipv6Esp),
        None => (LMA, Transport::Ipv6),
    };
    let (options, header) = signed(input, update, &options, (about, home));
    UpdateMsg { home: (!at_home).then_some(home), src, dst, transport, update, options, header }
}

/// What only some updates have.
fn extra(input: &mut Input<'_>, now: Now) -> MobilityOption<'static> {
    use MobilityOption as O;
    match input.below(12) {
        0..=3 => O::MobileNetworkPrefix(match input.below(8) {
            n @ 0..=4 => network(n),
            5 => in_pool(1),
            6 => HomePrefix::truncating(network(2).addr(), 60).expect("a length"),
            _ => HomePrefix::ALL_ZERO,
        }),
        4..=6 => {
            let len = [32, 29, 0][usize::from(input.below(3))];
            let home = Ipv4Home::new(ipv4(input), len).expect("a length below 33");
            O::Ipv4HomeAddress(home, input.below(4) == 3)
        }
        7 => O::Ipv4CareOf(Ipv4Addr::new(203, 0, 113, input.below(8))),
        8 => O::BindingIdentifier(input.byte().into(), 0, &[0; 16][..usize::from(input.below(17))]),
        9 => O::ReplayProtection(near_ntp(input, now)),
        _ => O::Unknown(200, b"survives"),
    }
}

/// A binding update whose options are the next bytes, if those are options.
pub(super) fn raw_update(input: &mut Input<'_>) -> Option<UpdateMsg> {
    let (home, src) = (home(input), care_of(input));
    let options = raw_options(input)?;
    let flags = BuFlags(0xc000 | u16::from(input.byte()) << 6);
    let update = BindingUpdate { seq: SeqNo(1), flags, lifetime: Lifetime(15) };
    let (dst, transport, home, header) = (LMA, Transport::Ipv6, Some(home), Box::default());
    Some(UpdateMsg { home, src, dst, transport, update, options, header })
}

/// What the home link says of an address that it was asked for, or was not.
pub(super) fn probed(input: &mut Input<'_>, asked: Option<LinkAddress>) -> Event {
    let nobody = LinkAddress { link: ATTACHED, address: home_address(1) };
    Event::HomeProbed { address: asked.unwrap_or(nobody), taken: input.below(4) == 3 }
}

/// A question about home agents, or about the prefixes of a home link.
pub(super) fn icmp(input: &mut Input<'_>) -> Event {
    let (src, id) = (care_of(input), u16::from(input.byte()));
    let link = mobile_ipv6(0).links.swap_remove(usize::from(input.below(3)));
    let anycast = link.anycast_addresses().next().unwrap_or(LMA);
    match input.below(4) {
        0 => Event::AgentDiscovery { src, dst: anycast, id, mobile_router: false },
        1 => Event::AgentDiscovery { src, dst: LMA, id, mobile_router: true },
        _ => {
            let (home, esp) = (home(input), id & 1 != 0);
            Event::PrefixSolicitation { src, home, dst: LMA, id, esp }
        }
    }
}

/// Another home agent on a home link.
pub(super) fn router(input: &mut Input<'_>) -> RouterHeard {
    let n = u16::from(input.byte());
    let lifetime_s = u16::from(input.below(3)) * 20;
    let preference = i16::from(input.byte()) << 8;
    let address = Ipv6Addr::from_bits(subnet(0).bits() + 0x100 + u128::from(n));
    let prefix = PrefixHeard { prefix: subnet(0), address: Some(address), valid_lifetime_s: 40 };
    RouterHeard {
        link: LinkId(input.below(4).into()),
        src: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, n),
        home_agent: input.below(4) > 0,
        router_lifetime_s: lifetime_s,
        information: (input.below(2) == 1).then_some(AgentInformation {
            preference,
            lifetime_s,
            mobile_routers: n % 2 == 1,
        }),
        prefixes: vec![prefix; usize::from(input.below(3))],
    }
}

pub(super) fn within(input: &mut Input<'_>) -> Lifetime {
    Lifetime(u16::from(input.below(20)))
}

/// A registration request of Mobile IPv4, mostly signed as it should be; or any bytes.
pub(super) fn registration(input: &mut Input<'_>, now: Now, count: u64) -> Mip4Msg {
    let (id, what) = (node(input), input.byte());
    let home_address = if what.trailing_zeros() >= 2 { Ipv4Addr::UNSPECIFIED } else { ipv4(input) };
    let there = |n| Ipv4Addr::new(203, 0, 113, n);
    let care_of = if what & 0x04 == 0 { there(input.below(6)) } else { home_address };
    // 1900 is where RFC 5944 5.7.1 counts from.
    let seconds = now.wall.to_unix().as_secs() + 2_208_988_800;
    let body = Body::Request(RegistrationRequest {
        flags: RequestFlags(input.byte()),
        lifetime: RegistrationLifetime([0, 1, 30, 120][usize::from(input.below(4))]),
        home_address,
        home_agent: LMA_IPV4,
        care_of,
        identification: Identification((seconds << 32) + count),
    });
    let mut extensions = vec![Extension::MnNai(id.bytes())];
    let n = input.below(5);
    let prefixes = [network(n), in_pool(n)];
    let asked = prefixes.iter().filter(|_| what & 0x08 != 0);
    extensions.extend(asked.map(|p| Extension::PrefixRequest((*p).into())));
    extensions.extend((what & 0x10 != 0).then_some(Extension::TunnelingMode));
    let udp = UdpTunnelRequest { force: true, through_agent: false, encapsulation: 0 };
    extensions.extend((what & 0x20 != 0).then_some(Extension::UdpTunnelRequest(udp)));
    let mut payload = vec![0; body.buffer_len()];
    body.emit(&mut payload).expect("fits");
    for extension in extensions {
        let from = payload.len();
        payload.resize(from + extension.buffer_len(), 0);
        extension.emit(&mut payload[from..]).expect("fits");
    }
    payload.extend([&[32, 20][..], &SPI.to_be_bytes()].concat());
    let mut mac = Hmac::<Md5>::new_from_slice(&SECRET).expect("a key");
    mac.update(&payload);
    payload.extend(mac.finalize().into_bytes());
    if what & 0xc0 == 0xc0 {
        let at = usize::from(input.byte()) % payload.len();
        payload[at] ^= input.byte();
    }
    let src = if what & 0x80 == 0 { there(input.below(6)) } else { care_of };
    Mip4Msg { src, dst: LMA_IPV4, port: 5000, payload }
}

/// An ICMPv6 message of the home agent is short enough for any link, and names what it should.
pub(super) fn check_icmp(icmp: &HomeIcmp) {
    // The smallest MTU of IPv6, less its header and a type 2 routing header.
    let (ends, mut room) = ((icmp.src, icmp.dst), [0; 1280 - 40 - 24]);
    match &icmp.body {
        HomeIcmpBody::DiscoveryReply { id, mobile_routers, agents } => {
            assert!(agents.iter().all(|a| !a.is_multicast() && !a.is_unspecified()));
            let room = &mut [0; 1280 - 40];
            emit_discovery_reply(*id, *mobile_routers, agents, ends, room)
        }
        HomeIcmpBody::PrefixAdvertisement { id, prefixes, .. } => {
            assert!(!prefixes.is_empty() && icmp.home.is_some(), "{icmp:?}");
            let all: Vec<_> = prefixes
                .iter()
                .map(|p| LinkPrefixInformation {
                    prefix: p.prefix,
                    address: p.address,
                    valid_lifetime_s: p.valid_lifetime_s,
                    preferred_lifetime_s: p.preferred_lifetime_s,
                })
                .collect();
            emit_prefix_advertisement(*id, &all, ends, &mut room)
        }
    }
    .expect("fits into 1280 bytes");
}

/// What the home agent answers for on a home link (RFC 6275 10.3.1): the home address, with the L
/// flag the link-local address of the same identifier.
pub(super) fn defended(b: &HomeBinding) -> Vec<LinkAddress> {
    let Some(link) = b.link.filter(|link| *link == ATTACHED) else { return Vec::new() };
    let identifier = b.home.to_bits() & u128::from(u64::MAX);
    let link_local = Ipv6Addr::from_bits((0xfe80 << 112) | identifier);
    let link_local = b.flags.contains(BuFlags::L).then_some(link_local);
    let all = [Some(b.home), link_local].into_iter().flatten();
    all.map(|address| LinkAddress { link, address }).collect()
}
