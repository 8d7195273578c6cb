//! A node that moves by itself, message by message.

mod agents;
mod captured;
mod drain;
mod dsmip;
mod home;
mod nemo;
mod news;
mod protect;
mod refusal;
mod review;

use super::*;
use crate::addr::{AnchorAddr, CustomerId, Encap, HomePrefix, TunnelPath};
use crate::mobility::action::Ignored;
use crate::mobility::anchor::Anchor;
use crate::mobility::config::{LmaConfig, MagConfig, Policy, PoolConfig, Profile, Source};
use crate::mobility::message::{AckMsg, OwnedOptions, Transport};
use crate::time::{Duration, Lifetime, MobTimestamp};
use crate::wire::mh::{BindingUpdate, BuFlags, MobilityOption, SeqNo, Status};
use std::net::Ipv4Addr;

pub(in crate::mobility) const HA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 1);
pub(in crate::mobility) const HA4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(in crate::mobility) const HOME: Ipv6Addr =
    Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 0x1234);
pub(in crate::mobility) const COA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x60, 0, 0, 0, 0, 2);
pub(in crate::mobility) const COA2: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x61, 0, 0, 0, 0, 2);
pub(in crate::mobility) const MAG: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 1);
/// In the pool of the local mobility anchor, where each node has a prefix of its own.
pub(in crate::mobility) const POOLED: Ipv6Addr =
    Ipv6Addr::new(0x2001, 0xdb8, 0xa000, 1, 0, 0, 0, 7);

pub(in crate::mobility) fn prefix(text: &str) -> HomePrefix {
    text.parse().expect("a prefix")
}

pub(in crate::mobility) fn mn_id(n: u8) -> MnId {
    MnId::nai(&format!("mn{n}@example.org")).expect("short")
}

/// A node known by its home address alone.
pub(in crate::mobility) fn node(n: u8, home: Option<Ipv6Addr>) -> HomeNode {
    HomeNode {
        mn_id: mn_id(n),
        customer: CustomerId(0),
        home_address: home,
        ipv4_home_address: None,
        mobile_networks: Vec::new(),
        proof: Proof::Nothing,
    }
}

pub(in crate::mobility) fn link(text: &str) -> HomeLink {
    HomeLink {
        customer: CustomerId(0),
        prefixes: vec![LinkPrefix {
            prefix: prefix(text),
            address: None,
            valid_lifetime_s: None,
            preferred_lifetime_s: None,
        }],
        per_node_len: None,
        id: None,
        preference: 0,
    }
}

pub(in crate::mobility) fn config() -> HaConfig {
    HaConfig {
        enabled: true,
        address: HA,
        address_ipv4: Some(HA4),
        links: vec![link("2001:db8:100::/64")],
        nodes: vec![node(1, Some(HOME)), node(2, None)],
        ..HaConfig::default()
    }
}

pub(in crate::mobility) fn lma_config() -> LmaConfig {
    let profile = Profile { ipv4: Source::Pool(1), ..Profile::ipv6(0, Duration::from_secs(3600)) };
    LmaConfig {
        lma_address_ipv4: Some(HA4),
        pools: vec![
            PoolConfig::new(prefix("2001:db8:a000::/48"), 64),
            PoolConfig::new(prefix("10.0.0.0/24"), 128),
        ],
        mags: vec![MagConfig::new(MAG)],
        ..LmaConfig::new(AnchorAddr(HA), Policy::new(Some(profile)))
    }
}

/// An anchor, and the time.
#[derive(Debug)]
pub(in crate::mobility) struct World {
    pub(in crate::mobility) anchor: Anchor,
    pub(in crate::mobility) now: Now,
}

impl World {
    pub(in crate::mobility) fn new(ha: HaConfig) -> Self {
        let anchor = Anchor::new(Lma::new(lma_config()), HomeAgent::new(ha));
        let wall = MobTimestamp(1_767_225_600 << 16);
        Self { anchor, now: Now { mono: Instant(1_000_000_000_000), wall } }
    }

    pub(in crate::mobility) fn wait(&mut self, passed: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        let end = self.now.mono + passed;
        while let Some(due) = self.anchor.poll_timeout().filter(|due| *due <= end) {
            self.advance(due);
            self.anchor.handle_timeout(self.now, &mut actions);
        }
        self.advance(end);
        actions
    }

    fn advance(&mut self, to: Instant) {
        let passed = to.since(self.now.mono);
        self.now.wall = MobTimestamp::from_unix(self.now.wall.to_unix() + passed);
        self.now.mono = self.now.mono.max(to);
    }

    pub(in crate::mobility) fn event(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.anchor.handle(event, self.now, &mut actions);
        actions
    }

    pub(in crate::mobility) fn bu(&mut self, bu: &Bu<'_>) -> Vec<Action> {
        self.event(Event::Bu(bu.message()))
    }

    /// The status of the answer to an update; `None`: there is none.
    fn status(&mut self, bu: &Bu<'_>) -> Option<u8> {
        reply(&self.bu(bu)).map(|ack| ack.ack.status.0)
    }

    fn binding(&self, home: Ipv6Addr) -> Option<&HomeBinding> {
        self.anchor.ha().cache().by_home(CustomerId(0), home)
    }
}

/// A binding update: a home registration of [`HOME`] at [`COA`] but for what a test says.
#[derive(Debug, Clone)]
pub(in crate::mobility) struct Bu<'a> {
    pub(in crate::mobility) src: Ipv6Addr,
    pub(in crate::mobility) home: Option<Ipv6Addr>,
    pub(in crate::mobility) seq: u16,
    pub(in crate::mobility) lifetime: u16,
    pub(in crate::mobility) flags: BuFlags,
    pub(in crate::mobility) transport: Transport,
    pub(in crate::mobility) options: Vec<MobilityOption<'a>>,
}

impl Default for Bu<'_> {
    fn default() -> Self {
        Self {
            src: COA,
            home: Some(HOME),
            seq: 1,
            lifetime: 150,
            flags: BuFlags::A | BuFlags::H,
            transport: Transport::Ipv6,
            options: Vec::new(),
        }
    }
}

impl Bu<'_> {
    pub(in crate::mobility) fn message(&self) -> UpdateMsg {
        let ipv4 = self.src.to_ipv4_mapped().is_some();
        UpdateMsg {
            src: self.src,
            dst: if ipv4 { HA4.to_ipv6_mapped() } else { HA },
            home: self.home,
            transport: self.transport,
            update: BindingUpdate {
                seq: SeqNo(self.seq),
                flags: self.flags,
                lifetime: Lifetime(self.lifetime),
            },
            options: OwnedOptions::from_options(&self.options).expect("fits"),
            header: Box::default(),
        }
    }
}

pub(in crate::mobility) fn reply(actions: &[Action]) -> Option<&AckMsg> {
    actions.iter().find_map(|a| match a {
        Action::Reply { ack, .. } => Some(ack),
        _ => None,
    })
}

/// What is forwarded from now on, as text.
pub(in crate::mobility) fn published(actions: &[Action]) -> Vec<String> {
    let text = |a: &Action| match a {
        Action::Publish(Publication::Forward(p, path, _)) => {
            Some(format!("{p} to {}", path.remote))
        }
        Action::Publish(Publication::Protect(p, path, protection)) => {
            Some(format!("{p} to {}, {protection:?} in ESP", path.remote))
        }
        Action::Publish(Publication::Hold(p)) => Some(format!("{p} held")),
        Action::Publish(Publication::Withdraw(p)) => Some(format!("{p} gone")),
        _ => None,
    };
    actions.iter().filter_map(text).collect()
}

fn noted(actions: &[Action]) -> Vec<AuditKind> {
    let kind = |a: &Action| match a {
        Action::Audit(audit) => Some(audit.kind),
        _ => None,
    };
    actions.iter().filter_map(kind).collect()
}
