//! Any bytes as what comes on UDP port 434; and any sequence of messages, most of them with a
//! signature that is right, through the home agent of Mobile IPv4.
//!
//! ```text
//!  | op | operands ... | op | operands ...      a byte each; what is missing is zero
//! ```

use anchord::addr::{CustomerId, CustomerPrefix, HomePrefix, MnId, TunnelPath};
use anchord::mobility::action::{Action, Publication};
use anchord::mobility::mip4::{
    Algorithm, ForeignAgent, HomeAgent4, Homes, Mip4Config, Mip4Msg, Mip4Node, NodeRef, Replay,
    SecurityAssociation, Turn, Unavailable,
};
use anchord::time::{Duration, Instant, MobTimestamp, Now};
use anchord::wire::mip4::{Message, TunnelData};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

const AGENT: [u8; 4] = [192, 0, 2, 1];
const FOREIGN: [u8; 4] = [198, 51, 100, 254];
const SECRET: [u8; 16] = [0x5a; 16];
/// 2026-01-01, in NTP's seconds and in those since 1970.
const NTP_NOW: u64 = 3_976_214_400;
const UNIX_NOW: u64 = 1_767_225_600;

/// What parses is emitted and parsed to the same; whatever comes, the tables agree.
pub(crate) fn run(bytes: &[u8]) {
    parse(bytes);
    let mut world = World::new();
    let mut input = bytes;
    while let Some((op, rest)) = input.split_first() {
        input = world.step(*op, rest);
    }
}

fn parse(bytes: &[u8]) {
    let _ = TunnelData::parse(bytes);
    let Ok(message) = Message::parse(bytes) else { return };
    let mut again = vec![0; message.body.buffer_len()];
    message.body.emit(&mut again).expect("as long as it says");
    for extension in message.extensions.iter() {
        let from = again.len();
        again.resize(from + extension.buffer_len(), 0);
        extension.emit(&mut again[from..]).expect("was one");
    }
    let parsed = Message::parse(&again).expect("is one");
    assert_eq!(parsed.body, message.body);
    assert!(parsed.extensions.iter().eq(message.extensions.iter()));
}

/// Who has what.
#[derive(Default)]
struct Pool(BTreeMap<HomePrefix, MnId>);

impl Pool {
    fn take(&mut self, node: NodeRef<'_>, prefix: HomePrefix) -> Result<(), Unavailable> {
        if self.0.keys().any(|p| p.covers(prefix) || prefix.covers(*p)) {
            return Err(Unavailable::Taken);
        }
        self.0.insert(prefix, node.mn_id.clone());
        Ok(())
    }
}

impl Homes for Pool {
    fn reserve_address(
        &mut self,
        node: NodeRef<'_>,
        wanted: Option<Ipv4Addr>,
    ) -> Result<Ipv4Addr, Unavailable> {
        let address = wanted.unwrap_or(Ipv4Addr::new(10, 1, 0, 99));
        let prefix = HomePrefix::from_ipv4(address, 32).expect("a length");
        self.take(node, prefix).map(|()| address)
    }

    fn reserve_prefix(&mut self, node: NodeRef<'_>, prefix: HomePrefix) -> Result<(), Unavailable> {
        self.take(node, prefix)
    }

    fn release(&mut self, node: NodeRef<'_>, prefix: HomePrefix) {
        assert_eq!(self.0.remove(&prefix).as_ref(), Some(node.mn_id), "{prefix} was its own");
    }
}

struct World {
    agent: HomeAgent4,
    pool: Pool,
    now: Now,
    count: u64,
    forwarding: BTreeMap<CustomerPrefix, TunnelPath>,
}

fn association(spi: u32, replay: Replay) -> SecurityAssociation {
    SecurityAssociation { spi, algorithm: Algorithm::HmacMd5, secret: SECRET.into(), replay }
}

fn nai(n: u8) -> MnId {
    MnId::nai(&format!("mn{n}@example.org")).expect("short")
}

impl World {
    fn new() -> Self {
        let node = |n: u8| Mip4Node {
            mn_id: nai(n),
            customer: CustomerId(0),
            home_address: (n < 3).then_some(Ipv4Addr::new(10, 1, 0, n)),
            prefixes: ["2001:db8:1::/64", "2001:db8:2::/56"]
                .map(|p| p.parse().expect("one"))
                .into(),
            implicit: n == 2,
            associations: vec![
                association(256, Replay::default()),
                association(257, Replay::Nonces),
            ],
        };
        let foreign = vec![association(300, Replay::default())];
        let config = Mip4Config {
            address: AGENT.into(),
            nodes: (1..5).map(node).collect(),
            foreign_agents: vec![ForeignAgent { address: FOREIGN.into(), associations: foreign }],
            max_registrations: 3,
            max_bindings: 2,
            ..Mip4Config::default()
        };
        let wall = MobTimestamp::from_unix(Duration::from_secs(UNIX_NOW));
        let now = Now { mono: Instant(1), wall };
        let (pool, forwarding) = (Pool::default(), BTreeMap::new());
        Self { agent: HomeAgent4::new(config), pool, now, count: 0, forwarding }
    }

    /// Does one thing; what is left of the bytes.
    fn step<'i>(&mut self, op: u8, input: &'i [u8]) -> &'i [u8] {
        let mut actions = Vec::new();
        let (a, rest) = input.split_at(input.len().min(4));
        let a: [u8; 4] = std::array::from_fn(|n| a.get(n).copied().unwrap_or(0));
        let (extensions, rest) = rest.split_at(rest.len().min(usize::from(a[3])));
        let from = |src: [u8; 4], payload| Mip4Msg {
            src: src.into(),
            dst: AGENT.into(),
            port: 434 + u16::from(a[1] >> 6),
            payload,
        };
        let msg = match op % 8 {
            0 => from([198, 51, 100, a[1]], [&a[..], extensions].concat()),
            1..=3 => {
                let payload = signed(self.request(a, extensions), 32, 256 + u32::from(op >> 7));
                from([198, 51, 100, a[1] & 3], payload)
            }
            4 => {
                let payload = signed(self.request(a, &[]), 32, 256);
                from(FOREIGN, signed([&payload, extensions].concat(), 34, 300))
            }
            5 => {
                let head = [[7, 0, a[1], 0], [10, 1, 0, a[0] % 5], AGENT, FOREIGN, [a[2]; 4]];
                from(FOREIGN, signed([&head.concat(), extensions].concat(), 34, 300))
            }
            6 => {
                let node = nai(a[0] % 5);
                self.turn(&mut actions, |agent, turn| agent.delete(&node, None, None, turn));
                self.check(&actions);
                return rest;
            }
            _ => {
                self.now.mono = self.now.mono + Duration::from_secs(u64::from(a[0]) * 10);
                let wall = self.now.wall.to_unix() + Duration::from_secs(u64::from(a[0]) * 10);
                self.now.wall = MobTimestamp::from_unix(wall);
                self.turn(&mut actions, HomeAgent4::handle_timeout);
                self.check(&actions);
                return rest;
            }
        };
        self.turn(&mut actions, |agent, turn| agent.handle(&msg, turn));
        self.check(&actions);
        rest
    }

    fn turn(
        &mut self,
        actions: &mut Vec<Action>,
        act: impl FnOnce(&mut HomeAgent4, &mut Turn<'_>),
    ) {
        act(&mut self.agent, &mut Turn { homes: &mut self.pool, now: self.now, actions });
    }

    /// The fixed fields of a request, and what is behind them.
    fn request(&mut self, [who, flags, care_of, _]: [u8; 4], extensions: &[u8]) -> Vec<u8> {
        self.count += 1;
        let seconds = self.now.wall.to_unix().as_secs() - UNIX_NOW + NTP_NOW;
        let id = (seconds << 32) + self.count;
        let lifetime = [0, 1, 60, 255][usize::from(care_of >> 6)];
        let home = if who & 0x80 == 0 { [10, 1, 0, who % 5] } else { [0; 4] };
        let care_of = if care_of & 7 == 7 { home } else { [198, 51, 100, care_of & 3] };
        let head = [[1, flags, 0, lifetime], home, AGENT, care_of].concat();
        [&head, &id.to_be_bytes()[..], extensions].concat()
    }

    fn check(&mut self, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Publish(Publication::Forward(key, path, _)) => {
                    self.forwarding.insert(*key, *path);
                }
                Action::Publish(Publication::Copy(key, paths)) => {
                    assert!(!paths.is_one());
                    self.forwarding.insert(*key, paths.newest);
                }
                Action::Publish(Publication::Withdraw(key)) => {
                    assert!(self.forwarding.remove(key).is_some(), "{key} was forwarded");
                }
                Action::SendMip4 { msg, .. } => {
                    Message::parse(&msg.payload).expect("ours is a message");
                    assert!(msg.emit(&mut [0; 2048]).is_some());
                }
                _ => {}
            }
        }
        let all: Vec<_> = self.agent.registrations(None).collect();
        assert!(all.len() <= 3);
        assert!(all.iter().all(|r| (1..=2).contains(&r.bindings.len())));
        let held = all.iter().map(|r| 1 + r.prefixes.len()).sum();
        assert_eq!((self.forwarding.len(), self.pool.0.len()), (held, held));
        assert!(self.forwarding.keys().all(|key| self.agent.holds(*key)));
        for r in all {
            let home = HomePrefix::from_ipv4(r.home_address, 32).expect("a length");
            assert!(self.forwarding.contains_key(&home.of(r.customer)));
        }
    }
}

/// A message with an authentication extension of this type.
fn signed(mut payload: Vec<u8>, kind: u8, spi: u32) -> Vec<u8> {
    payload.extend([kind, 20]);
    payload.extend(spi.to_be_bytes());
    let mut mac = Hmac::<Md5>::new_from_slice(&SECRET).expect("a key");
    mac.update(&payload);
    payload.extend(mac.finalize().into_bytes());
    payload
}
