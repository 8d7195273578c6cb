//! Acknowledgements of any kind, and everything else that can happen, through the gateway's pure
//! core.
//!
//! ```text
//!  | op | operands ... | op | operands ...        a byte each; what is missing at the end is zero
//! ```

use anchord::addr::{AnchorAddr, HomePrefix, MnId, ProxyCoa};
use anchord::mobility::mag::action::{Action, Path, Route};
use anchord::mobility::mag::event::{
    Attachment, Event, Family, Gre, HandoffHint, Link, LinkId, LinkLayerId, NodeProfile,
};
use anchord::mobility::mag::{AdvertConfig, HeartbeatConfig, Mag, MagConfig};
use anchord::mobility::message::{AckMsg, OwnedOptions, PeerBody, PeerMsg, Transport, UpdateMsg};
use anchord::time::{Duration, Instant, Lifetime, MobTimestamp, Now};
use anchord::wire::mh::{
    AccessTech, BaFlags, BindingAck, BindingRevocationAck, BindingRevocationIndication, Heartbeat,
    HeartbeatFlags, Ipv4Home, MobilityOption, Options, RevocationFlags, RevocationStatus,
    RevocationTrigger, SeqNo, Status,
};
use std::collections::BTreeSet;
use std::net::Ipv6Addr;

const COA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 0x11);
const LMA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1);
const LINKS: u8 = 3;

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

    fn link(&mut self) -> LinkId {
        LinkId(u32::from(self.below(LINKS)))
    }

    fn link_local(&mut self) -> Ipv6Addr {
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(self.below(4)))
    }
}

/// Runs the events; routes and tunnels must be made once and taken back once.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let mut mag = Mag::new(config(input.byte()));
    let mut now = Now {
        mono: Instant(1_000_000_000),
        wall: MobTimestamp::from_unix(Duration::from_secs(1_700_000_000)),
    };
    let mut world = World::default();
    while !input.0.is_empty() {
        let mut actions = Vec::new();
        let event = match input.below(10) {
            0 => Some(Event::Attach(Box::new(attachment(&mut input)))),
            1..=3 => answer(&mut input, &world.sent).map(Event::Pba),
            4 => raw_answer(&mut input, &world.sent).map(Event::Pba),
            5 => Some(match input.below(4) {
                0 => Event::Detach { link: input.link(), terminate: input.below(2) == 1 },
                1 => Event::Retry(input.link()),
                2 => Event::PathMtu { lma: AnchorAddr(LMA), mtu: u16::from(input.byte()) << 8 },
                _ => {
                    Event::Present { link: input.link(), node_link_local: Some(input.link_local()) }
                }
            }),
            8 => Some(match input.below(3) {
                0 => Event::WantIpv4(input.link()),
                1 => Event::Release { link: input.link(), family: Family::Ipv4 },
                _ => Event::Release { link: input.link(), family: Family::Ipv6 },
            }),
            9 => Some(if input.below(8) == 0 {
                Event::RevokeAll(AnchorAddr(LMA))
            } else {
                Event::Peer(peer(&mut input))
            }),
            6 => {
                now.wall = MobTimestamp(now.wall.0.wrapping_add(u64::from(input.byte()) << 16));
                None
            }
            _ => {
                let step = Duration::from_millis(u64::from(input.byte()) * 250);
                now.mono = now.mono + step;
                now.wall = MobTimestamp(now.wall.0.wrapping_add(MobTimestamp::from_unix(step).0));
                None
            }
        };
        mag.handle_timeout(now, &mut actions);
        if let Some(event) = event {
            mag.handle(event, now, &mut actions);
        }
        world.act(actions);
    }
    let mut actions = Vec::new();
    for link in 0..LINKS {
        let link = LinkId(link.into());
        mag.handle(Event::Detach { link, terminate: false }, now, &mut actions);
    }
    for _ in 0..10 {
        now.mono = now.mono + Duration::from_secs(1);
        mag.handle_timeout(now, &mut actions);
    }
    world.act(actions);
    assert_eq!(mag.links().count(), 0);
    assert!(world.routes.is_empty() && world.tunnels.is_empty());
}

/// What the actions so far have made, and what they sent last.
#[derive(Default)]
struct World {
    routes: BTreeSet<Route>,
    tunnels: BTreeSet<Path>,
    sent: Vec<UpdateMsg>,
}

impl World {
    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Install(route) => assert!(self.routes.insert(route), "twice: {route:?}"),
                Action::Remove(route) => assert!(self.routes.remove(&route), "gone: {route:?}"),
                Action::AddTunnel { path, .. } => assert!(self.tunnels.insert(path)),
                Action::RemoveTunnel(path) => assert!(self.tunnels.remove(&path)),
                Action::SendPbu(pbu) => {
                    self.sent.push(pbu);
                    if self.sent.len() > 4 {
                        self.sent.remove(0);
                    }
                }
                _ => {}
            }
        }
    }
}

fn config(flags: u8) -> MagConfig {
    let heartbeat = HeartbeatConfig { interval: Duration::from_secs(1), missing_allowed: 2 };
    MagConfig {
        identity: "mag".into(),
        proxy_coa: ProxyCoa(COA),
        ipv4_proxy_coa: None,
        user_plane: None,
        ask_user_plane: flags & 8 != 0,
        force_udp: false,
        access_network: None,
        heartbeat: (flags & 4 != 0).then_some(heartbeat),
        timestamps: flags & 1 == 0,
        fixed_link_local: (flags & 2 != 0).then(|| Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9)),
        lifetime: Lifetime(100),
        path_mtu: 1500,
        advert: AdvertConfig {
            interval: Duration::from_secs(600),
            router_lifetime_s: 1800,
            valid_lifetime_s: 86_400,
            preferred_lifetime_s: 14_400,
        },
    }
}

fn attachment(input: &mut Input<'_>) -> Attachment {
    let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    Attachment {
        link: Link { id: input.link(), mtu: 1500, link_local },
        node: NodeProfile {
            mn_id: MnId::nai(&format!("mn{}", input.below(3))).expect("short"),
            lma: AnchorAddr(LMA),
            prefixes: (0..input.below(3)).map(|_| prefix(input)).collect(),
            att: AccessTech(3),
            ipv6: input.below(4) != 0,
            ipv4: (input.below(2) == 1).then_some(Ipv4Home::ANY),
            gre: [Gre::Off, Gre::Encapsulation, Gre::Keys][usize::from(input.below(3))],
            service: None,
        },
        mn_ll_id: LinkLayerId::new(&[input.below(4)]),
        hint: HandoffHint::Unknown,
        last_seq: None,
        node_link_local: (input.below(2) == 1).then(|| input.link_local()),
    }
}

fn prefix(input: &mut Input<'_>) -> HomePrefix {
    let address = Ipv6Addr::new(0x2001, 0xdb8, 0x100, u16::from(input.below(4)), 0, 0, 0, 0);
    HomePrefix::new(address, 64).expect("no host bits")
}

/// One of the last updates, answered with any status, lifetime and prefixes.
fn answer(input: &mut Input<'_>, sent: &[UpdateMsg]) -> Option<AckMsg> {
    let pbu = sent.get(usize::from(input.below(4)) % sent.len().max(1))?;
    let status = if input.below(3) == 0 { input.byte() } else { 0 };
    let prefixes: Vec<HomePrefix> = (0..input.below(3)).map(|_| prefix(input)).collect();
    let link_local = input.link_local();
    let echoed = pbu.options.iter().filter(|o| {
        !matches!(o, MobilityOption::HomeNetworkPrefix(_) | MobilityOption::LinkLocal(_))
    });
    let options: Vec<_> = echoed
        .chain(prefixes.into_iter().map(MobilityOption::HomeNetworkPrefix))
        .chain([MobilityOption::LinkLocal(link_local)])
        .collect();
    let lifetime = Lifetime(u16::from(input.byte()).min(pbu.update.lifetime.0));
    Some(message(pbu, Status(status), lifetime, OwnedOptions::from_options(options).ok()?))
}

/// One of the last updates, answered with the bytes that follow as its options.
fn raw_answer(input: &mut Input<'_>, sent: &[UpdateMsg]) -> Option<AckMsg> {
    let pbu = sent.get(usize::from(input.below(4)) % sent.len().max(1))?;
    let len = usize::from(input.byte()).min(input.0.len());
    let (options, rest) = input.0.split_at(len);
    input.0 = rest;
    let options = Options::parse(options).ok()?.into();
    Some(message(pbu, Status::ACCEPTED, pbu.update.lifetime, options))
}

/// A revocation, an acknowledgement of one or a heartbeat, with the bytes that follow as options.
fn peer(input: &mut Input<'_>) -> PeerMsg {
    let (kind, code, seq) = (input.below(4), input.byte(), input.below(4));
    let flags = u16::from(input.byte());
    let body = match kind {
        0 | 1 => PeerBody::Bri(BindingRevocationIndication {
            trigger: RevocationTrigger(code),
            seq: SeqNo(seq.into()),
            flags: RevocationFlags(flags << 8),
        }),
        2 => PeerBody::Bra(BindingRevocationAck {
            status: RevocationStatus(code),
            seq: SeqNo(seq.into()),
            flags: RevocationFlags(flags << 8),
        }),
        _ => PeerBody::Heartbeat(Heartbeat { flags: HeartbeatFlags(flags), seq: seq.into() }),
    };
    let len = usize::from(input.byte()).min(input.0.len());
    let (options, rest) = input.0.split_at(len);
    let options = Options::parse(options).map(Into::into).unwrap_or_default();
    input.0 = rest;
    PeerMsg { node: None, src: LMA, dst: COA, transport: Transport::Ipv6, body, options }
}

fn message(pbu: &UpdateMsg, status: Status, lifetime: Lifetime, options: OwnedOptions) -> AckMsg {
    let seq = SeqNo(pbu.update.seq.0);
    let ack = BindingAck { status, flags: BaFlags::P, seq, lifetime };
    AckMsg { home: None, src: pbu.dst, dst: pbu.src, transport: pbu.transport, ack, options }
}
