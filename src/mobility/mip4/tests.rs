//! A home agent on the bench: nodes, foreign agents and an allocation that are values.

mod authentic;
mod dual;
mod keepalive;
mod nat;
mod property;
mod register;
mod restart;
mod revocation;

use super::*;
use crate::addr::{
    CustomerId, CustomerPrefix, Encap, GreKeys, HomePrefix, MnId, TunnelPath, TunnelPaths,
};
use crate::mobility::action::{Action, Audit, AuditKind, Mip4Audit, Publication};
use crate::mobility::auth::ntp;
use crate::mobility::mip4::security::append;
use crate::time::{Duration, Instant, MobTimestamp, Now};
use crate::wire::mip4::{
    AuthKind, Body, Extension, Identification, Message, RegistrationLifetime, RegistrationReply,
    RegistrationRequest, ReplyCode, RequestFlags,
};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

const AGENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const HOME: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 5);
const CARE_OF: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 8);
const NAT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
const FOREIGN: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 254);
const NAI: &str = "mn1@example.org";
const PORT: u16 = 5000;

/// The node's association, by the algorithm that everybody has.
fn shared() -> SecurityAssociation {
    association(256, 0x5a)
}

fn association(spi: u32, octet: u8) -> SecurityAssociation {
    let (algorithm, replay) = (Algorithm::default(), Replay::default());
    SecurityAssociation { spi, algorithm, secret: [octet; 16].into(), replay }
}

/// What the foreign agent shares with us.
fn agents() -> SecurityAssociation {
    association(300, 0xa5)
}

fn mn_id(nai: &str) -> MnId {
    MnId::nai(nai).expect("short")
}

fn node(nai: &str, home: Option<Ipv4Addr>) -> Mip4Node {
    Mip4Node {
        mn_id: mn_id(nai),
        customer: CustomerId(0),
        home_address: home,
        prefixes: Vec::new(),
        implicit: false,
        associations: vec![shared()],
    }
}

fn config() -> Mip4Config {
    Mip4Config { address: AGENT, nodes: vec![node(NAI, Some(HOME))], ..Mip4Config::default() }
}

/// An allocation: a pool of addresses, and who has what.
#[derive(Debug, Default)]
struct Pool {
    free: Vec<Ipv4Addr>,
    held: BTreeMap<HomePrefix, MnId>,
}

impl Pool {
    fn take(&mut self, node: NodeRef<'_>, prefix: HomePrefix) -> Result<(), Unavailable> {
        let overlaps = |p: &HomePrefix| p.covers(prefix) || prefix.covers(*p);
        if self.held.keys().any(overlaps) {
            return Err(Unavailable::Taken);
        }
        self.held.insert(prefix, node.mn_id.clone());
        Ok(())
    }
}

impl Homes for Pool {
    fn reserve_address(
        &mut self,
        node: NodeRef<'_>,
        wanted: Option<Ipv4Addr>,
    ) -> Result<Ipv4Addr, Unavailable> {
        let address = wanted.or_else(|| self.free.pop()).ok_or(Unavailable::Exhausted)?;
        let prefix = HomePrefix::from_ipv4(address, 32).expect("a length");
        self.take(node, prefix).map(|()| address)
    }

    fn reserve_prefix(&mut self, node: NodeRef<'_>, prefix: HomePrefix) -> Result<(), Unavailable> {
        self.take(node, prefix)
    }

    fn release(&mut self, node: NodeRef<'_>, prefix: HomePrefix) {
        assert_eq!(self.held.remove(&prefix).as_ref(), Some(node.mn_id), "{prefix} was its own");
    }
}

/// What was answered.
#[derive(Debug, Clone)]
struct Reply {
    msg: Mip4Msg,
    fixed: RegistrationReply,
    held: bool,
}

impl Reply {
    fn code(&self) -> u8 {
        self.fixed.code.0
    }

    fn extensions(&self) -> Vec<Extension<'_>> {
        Message::parse(&self.msg.payload).expect("ours").extensions.iter().collect()
    }

    /// Whether it has one authentication extension of this kind, and that is right.
    fn is_authentic(&self, kind: AuthKind, by: &SecurityAssociation) -> bool {
        let located = Message::parse(&self.msg.payload).expect("ours").extensions.located();
        let mut found = located.filter_map(|(at, e)| match e {
            Extension::Auth(k, spi, data) if k == kind => Some((at, spi, data)),
            _ => None,
        });
        let (at, spi, data) = found.next().expect("is authenticated");
        assert!(found.next().is_none(), "once");
        spi == by.spi && by.verifies(&self.msg.payload, at, data)
    }
}

struct Bench {
    agent: HomeAgent4,
    pool: Pool,
    now: Now,
    actions: Vec<Action>,
    count: u64,
}

impl Bench {
    fn new(config: Mip4Config) -> Self {
        let now = Now {
            mono: Instant(1_000_000_000),
            wall: MobTimestamp::from_unix(Duration::from_secs(1_795_219_200)),
        };
        let pool = Pool::default();
        Self { agent: HomeAgent4::new(config), pool, now, actions: Vec::new(), count: 0 }
    }

    fn wait(&mut self, time: Duration) {
        self.now.mono = self.now.mono + time;
        self.now.wall = MobTimestamp::from_unix(self.now.wall.to_unix() + time);
    }

    /// Lets time pass, and what is due happen.
    fn pass(&mut self, time: Duration) {
        self.wait(time);
        self.actions.clear();
        let (homes, actions) = (&mut self.pool, &mut self.actions);
        self.agent.handle_timeout(&mut Turn { homes, now: self.now, actions });
    }

    /// The operator ends what a node has.
    fn delete(&mut self, nai: &str) {
        self.actions.clear();
        let (homes, actions) = (&mut self.pool, &mut self.actions);
        let turn = &mut Turn { homes, now: self.now, actions };
        self.agent.delete(&mn_id(nai), None, None, turn);
    }

    /// A request as a node makes it that decapsulates by itself.
    fn request(&mut self) -> RegistrationRequest {
        self.count += 1;
        RegistrationRequest {
            flags: RequestFlags::D,
            lifetime: RegistrationLifetime(600),
            home_address: HOME,
            home_agent: AGENT,
            care_of: CARE_OF,
            identification: Identification(ntp(self.now.wall) + self.count),
        }
    }

    /// Delivers a message.
    fn deliver(&mut self, msg: &Mip4Msg) {
        self.actions.clear();
        let (homes, actions) = (&mut self.pool, &mut self.actions);
        self.agent.handle(msg, &mut Turn { homes, now: self.now, actions });
    }

    /// Sends a request with these extensions before its authentication, from its care-of address.
    fn register(
        &mut self,
        request: RegistrationRequest,
        extensions: &[Extension<'_>],
    ) -> Option<Reply> {
        let payload = signed(request, extensions, &shared());
        self.deliver(&from(request.care_of, payload));
        self.reply()
    }

    /// Registers by the default request.
    fn attach(&mut self) -> Reply {
        let request = self.request();
        self.register(request, &[]).expect("an answer")
    }

    fn reply(&self) -> Option<Reply> {
        let mut sent = self.sent();
        let (msg, held) = sent.next()?;
        assert!(sent.next().is_none(), "one answer");
        let Ok(Message { body: Body::Reply(fixed), .. }) = Message::parse(&msg.payload) else {
            panic!("{msg:?}");
        };
        Some(Reply { msg: msg.clone(), fixed, held })
    }

    fn sent(&self) -> impl Iterator<Item = (&Mip4Msg, bool)> {
        self.actions.iter().filter_map(|a| match a {
            Action::SendMip4 { msg, held } => Some((msg, *held)),
            _ => None,
        })
    }

    fn published(&self) -> Vec<Publication> {
        let publication = |a: &Action| if let Action::Publish(p) = a { Some(*p) } else { None };
        self.actions.iter().filter_map(publication).collect()
    }

    fn audits(&self) -> Vec<Mip4Audit> {
        let kind = |a: &Action| match a {
            Action::Audit(Audit { kind: AuditKind::Mip4(kind), .. }) => Some(*kind),
            Action::Audit(other) => panic!("{other:?} is no audit of ours"),
            _ => None,
        };
        self.actions.iter().filter_map(kind).collect()
    }

    fn registration(&self) -> Option<&Registration> {
        self.agent.of_node(CustomerId(0), &mn_id(NAI))
    }

    /// The care-of addresses of the node, the oldest first.
    fn care_ofs(&self) -> Vec<Ipv4Addr> {
        self.registration().map_or(Vec::new(), |r| r.bindings.iter().map(|b| b.care_of).collect())
    }
}

/// A message to the home agent.
fn from(src: Ipv4Addr, payload: Vec<u8>) -> Mip4Msg {
    Mip4Msg { src, dst: AGENT, port: PORT, payload }
}

fn unsigned(request: RegistrationRequest, extensions: &[Extension<'_>]) -> Vec<u8> {
    let body = Body::Request(request);
    let mut payload = vec![0; body.buffer_len()];
    body.emit(&mut payload).expect("fits");
    for extension in extensions {
        append(extension, &mut payload);
    }
    payload
}

/// A request with these extensions, authenticated by the node.
fn signed(
    request: RegistrationRequest,
    extensions: &[Extension<'_>],
    by: &SecurityAssociation,
) -> Vec<u8> {
    let mut payload = unsigned(request, extensions);
    by.append(AuthKind::MobileHome, &mut payload);
    payload
}

/// The same, relayed by a foreign agent that adds extensions and its authentication.
fn relayed(
    request: RegistrationRequest,
    own: &[Extension<'_>],
    added: &[Extension<'_>],
    by: Option<&SecurityAssociation>,
) -> Vec<u8> {
    let mut payload = signed(request, own, &shared());
    for extension in added {
        append(extension, &mut payload);
    }
    if let Some(by) = by {
        by.append(AuthKind::ForeignHome, &mut payload);
    }
    payload
}

fn key(prefix: &str) -> CustomerPrefix {
    prefix.parse::<HomePrefix>().expect("a prefix").into()
}

fn path(remote: Ipv4Addr, encap: Encap) -> TunnelPath {
    let (local, remote) = (AGENT.to_ipv6_mapped(), remote.to_ipv6_mapped());
    TunnelPath { local, remote, encap }
}

fn forward(prefix: &str, remote: Ipv4Addr, encap: Encap) -> Publication {
    Publication::Forward(key(prefix), path(remote, encap), GreKeys::default())
}

const CODE_1: u8 = ReplyCode::ACCEPTED_WITHOUT_SIMULTANEOUS.0;
