//! Messages of Mobile IPv4, and what the anchor is told of it. Authenticators are made without the
//! anchor's own code, of the secret that the SPI says.

use super::{LMA_IPV4, mn_id, secret};
use anchord::addr::{CustomerId, HomePrefix};
use anchord::mobility::mip4::{
    Algorithm, ForeignAgent, Mip4Config, Mip4Msg, Mip4Node, NatPolicy, Replay, ReverseTunnel,
    SecurityAssociation,
};
use anchord::time::{MobTimestamp, Now};
use anchord::wire::ipv4::Ipv4Header;
use anchord::wire::mip4::{
    AuthKind, Body, Extension, Identification, RegistrationLifetime, RegistrationRequest,
    RegistrationRevocation, RequestFlags, RevocationAck, UdpTunnelRequest,
};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The `[config.mip4]` of a case: a home agent of Mobile IPv4.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::struct_excessive_bools)] // the keys of a file
pub(super) struct Mip4 {
    /// By identifier.
    nodes: BTreeMap<String, Node>,
    /// Foreign agents that share the key with SPI 300.
    agents: Vec<Ipv4Addr>,
    max_lifetime: u16,
    max_registrations: usize,
    max_bindings: usize,
    reverse_tunnel: Reverse,
    nat: bool,
    nat_forced: bool,
    dual_stack: bool,
    revocation: bool,
}

/// What a reverse tunnel is.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reverse {
    Allowed,
    Required,
    Unavailable,
}

/// A node with the key of SPI 256.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Node {
    home: Option<Ipv4Addr>,
    prefixes: Vec<HomePrefix>,
    implicit: bool,
    nonces: bool,
}

impl Default for Mip4 {
    fn default() -> Self {
        Self {
            nodes: BTreeMap::new(),
            agents: Vec::new(),
            max_lifetime: 1800,
            max_registrations: 1000,
            max_bindings: 1,
            reverse_tunnel: Reverse::Allowed,
            nat: true,
            nat_forced: false,
            dual_stack: true,
            revocation: true,
        }
    }
}

impl Mip4 {
    pub(super) fn config(&self) -> Mip4Config {
        let shared = |spi, replay| SecurityAssociation {
            spi,
            algorithm: Algorithm::HmacMd5,
            secret: secret(spi).into(),
            replay,
        };
        let node = |(name, node): (&String, &Node)| Mip4Node {
            mn_id: mn_id(name),
            customer: CustomerId(0),
            home_address: node.home,
            prefixes: node.prefixes.clone(),
            implicit: node.implicit,
            associations: vec![shared(
                256,
                if node.nonces { Replay::Nonces } else { Replay::default() },
            )],
        };
        let agent = |&address: &Ipv4Addr| ForeignAgent {
            address,
            associations: vec![shared(AGENT_SPI, Replay::default())],
        };
        Mip4Config {
            address: LMA_IPV4,
            nodes: self.nodes.iter().map(node).collect(),
            foreign_agents: self.agents.iter().map(agent).collect(),
            max_lifetime: RegistrationLifetime(self.max_lifetime),
            max_registrations: self.max_registrations,
            max_bindings: self.max_bindings,
            reverse_tunnel: match self.reverse_tunnel {
                Reverse::Allowed => ReverseTunnel::Allowed,
                Reverse::Required => ReverseTunnel::Required,
                Reverse::Unavailable => ReverseTunnel::Unavailable,
            },
            nat: NatPolicy { traversal: self.nat, forced: self.nat_forced, ..NatPolicy::default() },
            dual_stack: self.dual_stack,
            revocation: self.revocation,
            nonce_seed: [0; 32],
        }
    }
}

/// A Registration Request: of ten minutes, by a node that decapsulates itself and is known by its
/// home address.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::struct_excessive_bools)] // the keys of a file
pub(super) struct Rrq {
    /// Source; the care-of address if not given.
    from: Option<Ipv4Addr>,
    port: u16,
    to: Ipv4Addr,
    home: Ipv4Addr,
    /// The field; our address if not given.
    home_agent: Ipv4Addr,
    care_of: Ipv4Addr,
    /// Of S, B, D, M, G and T.
    flags: String,
    lifetime: u16,
    nai: Option<String>,
    /// The Identification is the node's time, so many seconds ago.
    age: f64,
    /// The upper half of it.
    nonce: Option<u32>,
    spi: u32,
    /// The authenticator is not right, or not there.
    wrong: bool,
    unsigned: bool,
    prefixes: Vec<HomePrefix>,
    tunneling_mode: bool,
    /// "", "F" or "R".
    udp_tunnel: Option<String>,
    revocation: bool,
    /// A foreign agent with the key of SPI 300 relays it; whether it knows revocation; whether its
    /// authenticator is wrong.
    relayed: bool,
    agent_revocation: bool,
    agent_wrong: bool,
}

impl Default for Rrq {
    fn default() -> Self {
        Self {
            from: None,
            port: 5000,
            to: LMA_IPV4,
            home: Ipv4Addr::new(10, 1, 0, 5),
            home_agent: LMA_IPV4,
            care_of: Ipv4Addr::new(203, 0, 113, 7),
            flags: "DT".into(),
            lifetime: 600,
            nai: None,
            age: 0.0,
            nonce: None,
            spi: 256,
            wrong: false,
            unsigned: false,
            prefixes: Vec::new(),
            tunneling_mode: false,
            udp_tunnel: None,
            revocation: false,
            relayed: false,
            agent_revocation: false,
            agent_wrong: false,
        }
    }
}

impl Rrq {
    pub(super) fn message(&self, now: Now) -> Mip4Msg {
        let stamp = super::shifted(now.wall, -self.age);
        let id = Identification(ntp(stamp));
        let request = RegistrationRequest {
            flags: self.flags(),
            lifetime: RegistrationLifetime(self.lifetime),
            home_address: self.home,
            home_agent: self.home_agent,
            care_of: self.care_of,
            identification: self.nonce.map_or(id, |nonce| id.with_high(nonce)),
        };
        let time = (ntp(now.wall) >> 32).try_into().expect("32 bits");
        let mut payload = fixed(Body::Request(request));
        for extension in self.extensions(time) {
            append(&extension, &mut payload);
        }
        if !self.unsigned {
            sign(AuthKind::MobileHome, self.spi, self.wrong, &mut payload);
        }
        if self.agent_revocation {
            append(&Extension::RevocationSupport(true, time), &mut payload);
        }
        if self.relayed {
            sign(AuthKind::ForeignHome, AGENT_SPI, self.agent_wrong, &mut payload);
        }
        let src = self.from.unwrap_or(self.care_of);
        Mip4Msg { src, dst: self.to, port: self.port, payload }
    }

    fn flags(&self) -> RequestFlags {
        let given = self.flags.chars().map(|f| match f {
            'S' => RequestFlags::S,
            'B' => RequestFlags::B,
            'D' => RequestFlags::D,
            'M' => RequestFlags::M,
            'G' => RequestFlags::G,
            'T' => RequestFlags::T,
            other => panic!("{other} is no flag of a case"),
        });
        given.fold(RequestFlags::default(), |all, f| all | f)
    }

    /// The node's own.
    fn extensions(&self, time: u32) -> Vec<Extension<'_>> {
        let nai = self.nai.as_deref().map(|nai| Extension::MnNai(nai.as_bytes()));
        let prefixes = self.prefixes.iter().map(|p| Extension::PrefixRequest((*p).into()));
        let mode = self.tunneling_mode.then_some(Extension::TunnelingMode);
        let udp = self.udp_tunnel.as_deref().map(|flag| {
            let (force, through_agent) = (flag == "F", flag == "R");
            let request = UdpTunnelRequest { force, through_agent, encapsulation: 0 };
            Extension::UdpTunnelRequest(request)
        });
        let revocation = self.revocation.then_some(Extension::RevocationSupport(true, time));
        nai.into_iter().chain(prefixes).chain(mode).chain(udp).chain(revocation).collect()
    }
}

/// What keeps a tunnel in UDP alive (RFC 3519 4.9).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keepalive {
    from: Ipv4Addr,
    port: u16,
    /// Source and destination inside of the tunnel.
    home: Ipv4Addr,
    #[serde(default = "anchor")]
    to: Ipv4Addr,
}

impl Keepalive {
    pub(super) fn message(&self) -> Mip4Msg {
        // An echo request with the identifier 7, of no data.
        let icmp = [8, 0, 0xf7, 0xf8, 0, 7, 0, 0];
        let header = Ipv4Header {
            header_len: 20,
            tos: 0,
            total_len: 28,
            identification: 0,
            dont_fragment: false,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 64,
            protocol: 1,
            src: self.home,
            dst: self.to,
        };
        let mut packet = [0; 20];
        header.emit(&mut packet).expect("fits");
        let payload = [&[4, 4, 0, 0][..], &packet, &icmp].concat();
        Mip4Msg { src: self.from, dst: LMA_IPV4, port: self.port, payload }
    }
}

const fn anchor() -> Ipv4Addr {
    LMA_IPV4
}

/// A message about revocation from a foreign agent, or from a node if it has that key's SPI.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revoke {
    from: Ipv4Addr,
    home: Ipv4Addr,
    /// Acknowledges the message with this identifier; else it is a revocation.
    acknowledges: Option<u32>,
    #[serde(default = "agent_spi")]
    spi: u32,
    #[serde(default)]
    wrong: bool,
}

impl Revoke {
    pub(super) fn message(&self, now: Now) -> Mip4Msg {
        let time = (ntp(now.wall) >> 32).try_into().expect("32 bits");
        let body = match self.acknowledges {
            Some(identifier) => Body::RevocationAck(RevocationAck {
                inform: true,
                home_address: self.home,
                identifier,
            }),
            None => Body::Revocation(RegistrationRevocation {
                from_home_agent: false,
                inform: true,
                home_address: self.home,
                home_domain: LMA_IPV4,
                foreign_domain: self.from,
                identifier: time,
            }),
        };
        let mut payload = fixed(body);
        let between =
            if self.spi == AGENT_SPI { AuthKind::ForeignHome } else { AuthKind::MobileHome };
        sign(between, self.spi, self.wrong, &mut payload);
        Mip4Msg { src: self.from, dst: LMA_IPV4, port: 434, payload }
    }
}

/// The SPI of the key that all foreign agents have.
const AGENT_SPI: u32 = 300;

const fn agent_spi() -> u32 {
    AGENT_SPI
}

/// NTP's format, of which the last 16 bits are zero.
fn ntp(time: MobTimestamp) -> u64 {
    const EPOCH: u64 = 2_208_988_800;
    (time.0 << 16).wrapping_add(EPOCH << 32)
}

fn fixed(body: Body) -> Vec<u8> {
    let mut payload = vec![0; body.buffer_len()];
    body.emit(&mut payload).expect("fits");
    payload
}

fn append(extension: &Extension<'_>, payload: &mut Vec<u8>) {
    let from = payload.len();
    payload.resize(from + extension.buffer_len(), 0);
    extension.emit(&mut payload[from..]).expect("fits");
}

fn sign(between: AuthKind, spi: u32, wrong: bool, payload: &mut Vec<u8>) {
    append(&Extension::Auth(between, spi, &[]), payload);
    // Its length, which is covered, is that with the authenticator.
    let length_at = payload.len() - 5;
    payload[length_at] = 4 + 16;
    let mut proof = authenticator(spi, payload);
    proof[0] ^= u8::from(wrong);
    payload.extend(proof);
}

/// RFC 5944 5.1
pub(crate) fn authenticator(spi: u32, covered: &[u8]) -> [u8; 16] {
    let mut mac = Hmac::<Md5>::new_from_slice(&secret(spi)).expect("a key");
    mac.update(covered);
    mac.finalize().into_bytes().into()
}
