//! What may happen, at random; and the message that a PBU stands for, given what its node has.

use super::{IPV4_POOL, Session, pool_prefix, stamp};
use crate::case::{LMA, LMA_IPV4};
use crate::render::{address, mag};
use anchord::addr::{GreKey, HomePrefix};
use anchord::mobility::message::{OwnedOptions, Transport, UpdateMsg};
use anchord::time::Lifetime;
use anchord::wire::mh::{
    AccessTech, BindingUpdate, BuFlags, HandoffIndicator, Ipv4Home, MobilityOption, SeqNo,
};
use proptest::prelude::*;
use std::net::Ipv4Addr;

/// One thing that may happen.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// So many ticks pass.
    Wait(u64),
    Pbu(Pbu),
    /// The process restarts: all that is left is what was persisted.
    Restart,
    Delete(u8),
}

/// A PBU, its prefixes and address still relative to what the node has.
#[derive(Debug, Clone)]
pub(crate) struct Pbu {
    pub(super) node: u8,
    pub(super) mag: u8,
    hnp: Hnp,
    ipv4: Ipv4,
    pub(super) hint: u8,
    pub(super) att: u8,
    pub(super) interface: u8,
    pub(super) seq: u16,
    /// Ticks from the anchor's clock.
    pub(super) skew: Option<i64>,
    pub(super) ends: bool,
    /// The GRE Key option and its key.
    pub(super) gre: Option<Option<u32>>,
}

/// Which prefixes a PBU names.
#[derive(Debug, Clone)]
enum Hnp {
    None,
    AllZero,
    /// All those of the node's session with this number, or `ALL_ZERO` if it has none.
    Own(usize),
    /// The first of them only.
    Part(usize),
    /// The prefix with this number of the pool.
    Pool(u16),
    NotOurs,
}

/// Which IPv4 home address a PBU names.
#[derive(Debug, Clone)]
enum Ipv4 {
    None,
    AllZero,
    /// That of the node's session with this number, or `ALL_ZERO` if it has none.
    Own(usize),
    /// The one with this number of the pool.
    Pool(u8),
    NotOurs,
}

pub(crate) fn ops() -> impl Strategy<Value = Vec<Op>> {
    let hnp = prop_oneof![
        3 => Just(Hnp::None),
        4 => Just(Hnp::AllZero),
        6 => (0..3_usize).prop_map(Hnp::Own),
        1 => (0..3_usize).prop_map(Hnp::Part),
        1 => (0..16_u16).prop_map(Hnp::Pool),
        1 => Just(Hnp::NotOurs),
    ];
    let ipv4 = prop_oneof![
        6 => Just(Ipv4::None),
        3 => Just(Ipv4::AllZero),
        4 => (0..3_usize).prop_map(Ipv4::Own),
        1 => (0..8_u8).prop_map(Ipv4::Pool),
        1 => Just(Ipv4::NotOurs),
    ];
    let gre = prop_oneof![
        3 => Just(None),
        1 => Just(Some(None)),
        2 => (1..4_u32).prop_map(|key| Some(Some(key))),
    ];
    let skew = prop_oneof![2 => Just(None), 3 => (-25_i64..25).prop_map(Some)];
    let who = (0..3_u8, 1..5_u8, 0..6_u8, 4..6_u8, 0..3_u8);
    let pbu = (who, hnp, ipv4, 0..6_u16, skew, prop::bool::weighted(0.25), gre).prop_map(
        |((node, mag, hint, att, interface), hnp, ipv4, seq, skew, ends, gre)| {
            Op::Pbu(Pbu { node, mag, hnp, ipv4, hint, att, interface, seq, skew, ends, gre })
        },
    );
    let op = prop_oneof![
        10 => pbu,
        4 => prop_oneof![0..20_u64, 0..768_u64, 0..4480_u64].prop_map(Op::Wait),
        1 => Just(Op::Restart),
        1 => (0..3_u8).prop_map(Op::Delete),
    ];
    prop::collection::vec(op, 1..60)
}

/// The name of the gateway with this number; the last one speaks IPv4 only.
pub(super) fn mag_name(mag: u8) -> String {
    if mag == 4 { "mag3-v4".into() } else { format!("mag{mag}") }
}

impl Pbu {
    /// The message that it stands for at `now`, when these are the sessions.
    pub(super) fn message(&self, sessions: &[Session], now: u64) -> UpdateMsg {
        let id = format!("mn{}@example.org", self.node);
        let mut options = vec![MobilityOption::MnId(1, id.as_bytes())];
        options.extend(self.prefixes(sessions).into_iter().map(MobilityOption::HomeNetworkPrefix));
        options.extend(self.address(sessions).map(|a| {
            let home = Ipv4Home::new(a, 29).expect("a length below 33");
            MobilityOption::Ipv4HomeAddressRequest(home)
        }));
        options.push(MobilityOption::HandoffIndicator(HandoffIndicator(self.hint)));
        options.push(MobilityOption::AccessTech(AccessTech(self.att)));
        let interface = [2, 0, 0, 0, 0, self.interface];
        if self.interface > 0 {
            options.push(MobilityOption::MnLinkLayerId(&interface));
        }
        let timestamp = self.skew.map(|skew| stamp(now, skew));
        options.extend(timestamp.map(MobilityOption::Timestamp));
        options.extend(self.gre.map(|key| MobilityOption::GreKey(key.map(GreKey))));
        let lifetime = if self.ends { Lifetime::ZERO } else { Lifetime(15) };
        let src = mag(&mag_name(self.mag));
        let ipv4 = src.to_ipv4_mapped().is_some();
        UpdateMsg {
            home: None,
            src,
            dst: if ipv4 { LMA_IPV4.to_ipv6_mapped() } else { address(LMA) },
            transport: if ipv4 { Transport::Udp(5436) } else { Transport::Ipv6 },
            update: BindingUpdate { seq: SeqNo(self.seq), flags: BuFlags::P, lifetime },
            options: OwnedOptions::from_options(&options).expect("options that fit"),
            header: Box::default(),
        }
    }

    fn prefixes(&self, sessions: &[Session]) -> Vec<HomePrefix> {
        let own = |n: usize| sessions.iter().filter(|s| s.node == self.node).nth(n);
        let own = |n| own(n).map(|s| s.hnp.clone()).filter(|hnp| !hnp.is_empty());
        let all_zero = vec![HomePrefix::ALL_ZERO];
        match self.hnp {
            Hnp::None => Vec::new(),
            Hnp::AllZero => all_zero,
            Hnp::Own(n) => own(n).unwrap_or(all_zero),
            // Never the whole of a session.
            Hnp::Part(n) => own(n).map_or(all_zero, |hnp| vec![hnp[0], pool_prefix(7)]),
            Hnp::Pool(n) => vec![pool_prefix(n.into())],
            Hnp::NotOurs => vec!["2001:db8:beef::/64".parse().expect("a prefix")],
        }
    }

    fn address(&self, sessions: &[Session]) -> Option<Ipv4Addr> {
        let own = |n: usize| sessions.iter().filter(|s| s.node == self.node).nth(n)?.ipv4;
        match self.ipv4 {
            Ipv4::None => None,
            Ipv4::AllZero => Some(Ipv4Addr::UNSPECIFIED),
            Ipv4::Own(n) => Some(own(n).unwrap_or(Ipv4Addr::UNSPECIFIED)),
            Ipv4::Pool(n) => Some(Ipv4Addr::from_bits(IPV4_POOL.to_bits() + u32::from(n))),
            Ipv4::NotOurs => Some(Ipv4Addr::new(203, 0, 113, 9)),
        }
    }
}
