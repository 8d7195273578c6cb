//! The gateway's core against RFC 5213 section 6, one requirement after the other. A [`World`] is a
//! gateway with a clock that only the test moves; an anchor's answers are made from the updates.

mod ack;
mod binding;
mod extension;
mod golden;
mod gre;
mod heartbeat;
mod ipv4;
mod link;
mod retransmission;
mod revocation;
mod update;

use crate::addr::{AnchorAddr, Encap, GreKey, GreKeys, HomePrefix, MnId, ProxyCoa};
use crate::mobility::mag::action::{Action, Advert, AuditKind, Path, PbaFault, Route};
use crate::mobility::mag::event::{
    Attachment, Event, Gre, HandoffHint, Link, LinkId, LinkLayerId, NodeProfile,
};
use crate::mobility::mag::{AdvertConfig, Mag, MagConfig, StateName};
use crate::mobility::message::{AckMsg, OwnedOptions, PeerBody, PeerMsg, Transport, UpdateMsg};
use crate::time::{Duration, Instant, Lifetime, MobTimestamp, Now};
use crate::wire::mh::option::{AccessTech, HandoffIndicator};
use crate::wire::mh::{
    BaFlags, BindingAck, Ipv4Home, Ipv4HomeStatus, MobilityOption, SeqNo, Status,
};
use std::net::{Ipv4Addr, Ipv6Addr};

pub(super) const COA: ProxyCoa = ProxyCoa(Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 0x11));
pub(super) const LMA: AnchorAddr = AnchorAddr(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1));
pub(super) const LINK: LinkId = LinkId(7);
/// What the anchor gives us as link-local address.
pub(super) const GIVEN: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x1234);
/// What our interface would make of its own.
pub(super) const OWN: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x5eff, 0xfe00, 0x5213);
pub(super) const MN_LL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 0x101);
pub(super) const LIFETIME: Duration = Duration::from_secs(400);

pub(super) fn hnp(n: u8) -> HomePrefix {
    format!("2001:db8:100:{n:x}::/64").parse().expect("prefix")
}

/// Our address towards anchors with an IPv4 address, and such an anchor.
pub(super) const COA4: ProxyCoa = ProxyCoa(Ipv4Addr::new(192, 0, 2, 11).to_ipv6_mapped());
pub(super) const LMA4: AnchorAddr = AnchorAddr(Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped());
/// The anchor's key.
pub(super) const UPLINK: GreKey = GreKey(0xbeef);
/// What the anchor gives as IPv4 home address, and its default router.
pub(super) const HOME: Ipv4Home = match Ipv4Home::new(Ipv4Addr::new(10, 1, 0, 5), 16) {
    Some(home) => home,
    None => Ipv4Home::ANY,
};
pub(super) const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);

/// The options by which an anchor speaks of an IPv4 home address.
pub(super) fn ipv4(status: Ipv4HomeStatus, home: Ipv4Home) -> [MobilityOption<'static>; 2] {
    [MobilityOption::Ipv4HomeAddressReply(status, home), MobilityOption::Ipv4DefaultRouter(ROUTER)]
}

/// [`HOME`] as a prefix.
pub(super) fn home() -> HomePrefix {
    HomePrefix::from_ipv4(HOME.addr(), 32).expect("length")
}

/// `mn1`, served with both families.
pub(super) fn dual_stack() -> Attachment {
    let mut at = attachment();
    at.node.ipv4 = Some(Ipv4Home::ANY);
    at
}

/// The messages that are neither updates nor acknowledgements.
pub(super) fn sent(actions: &[Action]) -> Vec<PeerMsg> {
    let sent = |a: &Action| if let Action::Send(m) = a { Some(m.clone()) } else { None };
    actions.iter().filter_map(sent).collect()
}

/// One of them, from the anchor.
pub(super) fn from_lma(body: PeerBody, options: &[MobilityOption<'_>]) -> Event {
    Event::Peer(PeerMsg {
        node: None,
        src: LMA.0,
        dst: COA.0,
        transport: Transport::Ipv6,
        body,
        options: OwnedOptions::from_options(options).expect("short"),
    })
}

/// IPv6 in IPv6.
pub(super) const PATH: Path = Path { coa: COA, lma: LMA, encap: Encap::Ip };

/// A route without keys.
pub(super) fn route(prefix: HomePrefix, link: LinkId) -> Route {
    Route { prefix, link, path: PATH, keys: GreKeys::default() }
}

pub(super) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(super) fn config() -> MagConfig {
    MagConfig {
        identity: "mag1".into(),
        proxy_coa: COA,
        ipv4_proxy_coa: None,
        user_plane: None,
        ask_user_plane: false,
        force_udp: false,
        access_network: None,
        heartbeat: None,
        timestamps: true,
        fixed_link_local: None,
        lifetime: Lifetime::at_most(LIFETIME),
        path_mtu: 1500,
        advert: AdvertConfig {
            interval: secs(600),
            router_lifetime_s: 1800,
            valid_lifetime_s: 86_400,
            preferred_lifetime_s: 14_400,
        },
    }
}

/// `mn1` on [`LINK`], solicited.
pub(super) fn attachment() -> Attachment {
    Attachment {
        link: Link { id: LINK, mtu: 1500, link_local: OWN },
        node: NodeProfile {
            mn_id: MnId::nai("mn1@example.org").expect("short"),
            lma: LMA,
            prefixes: Vec::new(),
            att: AccessTech(3),
            ipv6: true,
            ipv4: None,
            gre: Gre::Off,
            service: None,
        },
        mn_ll_id: LinkLayerId::new(&[2, 0, 0, 0, 1, 1]),
        hint: HandoffHint::Unknown,
        last_seq: None,
        node_link_local: Some(MN_LL),
    }
}

pub(super) struct World {
    pub(super) mag: Mag,
    pub(super) now: Now,
    /// The wall clock, finer than a timestamp can say.
    wall: Duration,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(config())
    }

    pub(super) fn with(config: MagConfig) -> Self {
        let wall = secs(1_700_000_000);
        let now = Now { mono: Instant(0), wall: MobTimestamp::from_unix(wall) };
        Self { mag: Mag::new(config), now, wall }
    }

    /// A world whose node is bound with `hnp(1)`.
    pub(super) fn bound() -> Self {
        let mut w = Self::new();
        let pbu = only_pbu(&w.attach(attachment()));
        w.accept(&pbu);
        w
    }

    pub(super) fn event(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.mag.handle(event, self.now, &mut actions);
        actions
    }

    pub(super) fn attach(&mut self, at: Attachment) -> Vec<Action> {
        self.event(Event::Attach(Box::new(at)))
    }

    pub(super) fn detach(&mut self, terminate: bool) -> Vec<Action> {
        self.event(Event::Detach { link: LINK, terminate })
    }

    pub(super) fn present(&mut self) -> Vec<Action> {
        self.event(Event::Present { link: LINK, node_link_local: Some(MN_LL) })
    }

    pub(super) fn retry(&mut self) -> Vec<Action> {
        self.event(Event::Retry(LINK))
    }

    /// Moves both clocks, and takes every timer at its time.
    pub(super) fn wait(&mut self, d: Duration) -> Vec<Action> {
        let end = self.now.mono + d;
        let mut actions = Vec::new();
        while let Some(at) = self.mag.poll_timeout().filter(|at| *at <= end) {
            self.jump_to(at.max(self.now.mono));
            self.mag.handle_timeout(self.now, &mut actions);
        }
        self.jump_to(end);
        actions
    }

    fn jump_to(&mut self, at: Instant) {
        self.wall += at.since(self.now.mono);
        self.now = Now { mono: at, wall: MobTimestamp::from_unix(self.wall) };
    }

    /// Sets the wall clock forward, as a time daemon would.
    pub(super) fn set_wall_clock(&mut self, by: Duration) {
        self.wall += by;
        self.now.wall = MobTimestamp::from_unix(self.wall);
    }

    /// The anchor accepts with `hnp(1)` or what was asked for.
    pub(super) fn accept(&mut self, pbu: &UpdateMsg) -> Vec<Action> {
        self.event(Event::Pba(Answer::to(pbu).message()))
    }

    pub(super) fn refuse(&mut self, pbu: &UpdateMsg, status: Status) -> Vec<Action> {
        let answer = Answer { status, ..Answer::to(pbu) };
        self.event(Event::Pba(answer.message()))
    }

    pub(super) fn state(&self) -> Option<StateName> {
        self.mag.bindings(self.now).next().map(|row| row.state)
    }
}

/// An anchor's answer, to be changed by a test before it is sent.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) src: Ipv6Addr,
    pub(super) flags: BaFlags,
    pub(super) status: Status,
    pub(super) seq: SeqNo,
    pub(super) lifetime: Lifetime,
    pub(super) mn_id: Option<MnId>,
    pub(super) prefixes: Vec<HomePrefix>,
    pub(super) handoff: Option<HandoffIndicator>,
    pub(super) att: Option<AccessTech>,
    pub(super) mn_ll_id: Option<Vec<u8>>,
    pub(super) link_local: Option<Ipv6Addr>,
    pub(super) timestamp: Option<MobTimestamp>,
    pub(super) refresh_advice: Option<Lifetime>,
    /// Whatever else it says.
    pub(super) more: Vec<MobilityOption<'static>>,
}

impl Answer {
    /// Accepts: echoes what has to be echoed, assigns `hnp(1)`, [`GIVEN`], [`HOME`] and [`UPLINK`]
    /// where asked to.
    pub(super) fn to(pbu: &UpdateMsg) -> Self {
        let mut answer = Self {
            src: pbu.dst,
            flags: BaFlags::P,
            status: Status::ACCEPTED,
            seq: pbu.update.seq,
            lifetime: pbu.update.lifetime,
            mn_id: None,
            prefixes: Vec::new(),
            handoff: None,
            att: None,
            mn_ll_id: None,
            link_local: None,
            timestamp: None,
            refresh_advice: None,
            more: Vec::new(),
        };
        for option in &pbu.options {
            match option {
                MobilityOption::MnId(subtype, id) => answer.mn_id = MnId::new(subtype, id),
                MobilityOption::HomeNetworkPrefix(HomePrefix::ALL_ZERO) => {
                    answer.prefixes.push(hnp(1));
                }
                MobilityOption::HomeNetworkPrefix(p) => answer.prefixes.push(p),
                MobilityOption::HandoffIndicator(v) => answer.handoff = Some(v),
                MobilityOption::AccessTech(v) => answer.att = Some(v),
                MobilityOption::MnLinkLayerId(id) => answer.mn_ll_id = Some(id.to_vec()),
                MobilityOption::LinkLocal(Ipv6Addr::UNSPECIFIED) => answer.link_local = Some(GIVEN),
                MobilityOption::LinkLocal(a) => answer.link_local = Some(a),
                MobilityOption::Timestamp(t) => answer.timestamp = Some(t),
                MobilityOption::Ipv4HomeAddressRequest(home) => {
                    let home = if home == Ipv4Home::ANY { HOME } else { home };
                    answer.more.extend(ipv4(Ipv4HomeStatus::SUCCESS, home));
                }
                MobilityOption::GreKey(key) => {
                    answer.more.push(MobilityOption::GreKey(key.map(|_| UPLINK)));
                }
                MobilityOption::AlternateCoa(_)
                | MobilityOption::AlternateIpv4Coa(_)
                | MobilityOption::LmaUserPlane(_)
                | MobilityOption::ServiceSelection(_)
                | MobilityOption::AccessNetworkId(_) => {}
                other => unreachable!("an update has no {other:?}"),
            }
        }
        answer
    }

    pub(super) fn message(&self) -> AckMsg {
        let mut options = Vec::new();
        options.extend(self.mn_id.iter().map(|id| MobilityOption::MnId(id.subtype(), id.bytes())));
        options.extend(self.prefixes.iter().copied().map(MobilityOption::HomeNetworkPrefix));
        options.extend(self.handoff.map(MobilityOption::HandoffIndicator));
        options.extend(self.att.map(MobilityOption::AccessTech));
        options.extend(self.mn_ll_id.as_deref().map(MobilityOption::MnLinkLayerId));
        options.extend(self.link_local.map(MobilityOption::LinkLocal));
        options.extend(self.timestamp.map(MobilityOption::Timestamp));
        options.extend(self.refresh_advice.map(MobilityOption::RefreshAdvice));
        options.extend(self.more.iter().copied());
        let ipv4 = self.src.to_ipv4_mapped().is_some();
        AckMsg {
            home: None,
            src: self.src,
            dst: if ipv4 { COA4.0 } else { COA.0 },
            transport: if ipv4 { Transport::Udp(5436) } else { Transport::Ipv6 },
            ack: BindingAck {
                status: self.status,
                flags: self.flags,
                seq: self.seq,
                lifetime: self.lifetime,
            },
            options: OwnedOptions::from_options(options).expect("short"),
        }
    }
}

pub(super) fn pbus(actions: &[Action]) -> Vec<UpdateMsg> {
    let sent = |a: &Action| if let Action::SendPbu(m) = a { Some(m.clone()) } else { None };
    actions.iter().filter_map(sent).collect()
}

pub(super) fn only_pbu(actions: &[Action]) -> UpdateMsg {
    let sent = pbus(actions);
    assert_eq!(sent.len(), 1, "{actions:?}");
    sent[0].clone()
}

pub(super) fn adverts(actions: &[Action]) -> Vec<Advert> {
    let sent = |a: &Action| if let Action::Advertise(m) = a { Some(m.clone()) } else { None };
    actions.iter().filter_map(sent).collect()
}

pub(super) fn audits(actions: &[Action]) -> Vec<AuditKind> {
    let told = |a: &Action| if let Action::Audit(x) = a { Some(x.kind) } else { None };
    actions.iter().filter_map(told).collect()
}

pub(super) fn installed(actions: &[Action]) -> Vec<Route> {
    let put = |a: &Action| if let Action::Install(r) = a { Some(*r) } else { None };
    actions.iter().filter_map(put).collect()
}

pub(super) fn removed(actions: &[Action]) -> Vec<Route> {
    let taken = |a: &Action| if let Action::Remove(r) = a { Some(*r) } else { None };
    actions.iter().filter_map(taken).collect()
}

/// What an update says, as the test wants to compare it.
pub(super) fn options(pbu: &UpdateMsg) -> Vec<MobilityOption<'_>> {
    pbu.options.iter().collect()
}

pub(super) fn timestamp(pbu: &UpdateMsg) -> Option<MobTimestamp> {
    options(pbu).into_iter().find_map(|o| match o {
        MobilityOption::Timestamp(t) => Some(t),
        _ => None,
    })
}

pub(super) fn handoff(pbu: &UpdateMsg) -> HandoffIndicator {
    let found = options(pbu).into_iter().find_map(|o| match o {
        MobilityOption::HandoffIndicator(v) => Some(v),
        _ => None,
    });
    found.expect("mandatory")
}

pub(super) fn prefixes(pbu: &UpdateMsg) -> Vec<HomePrefix> {
    let prefix = |o| if let MobilityOption::HomeNetworkPrefix(p) = o { Some(p) } else { None };
    options(pbu).into_iter().filter_map(prefix).collect()
}

pub(super) fn ignored(why: PbaFault) -> Vec<AuditKind> {
    vec![AuditKind::PbaIgnored(why)]
}
