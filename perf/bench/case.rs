//! What is measured: packets one way, in one kind of tunnel, for so many bindings.

use crate::scene::{ACCESS_MTU, LMA, MAGS, POOL, mag};
use anchord::addr::{Encap, GreKeys, HomePrefix, TunnelPath};
use anchord::dataplane::update::{Change, Forward, Tunnel, TunnelId};
use std::net::{Ipv4Addr, Ipv6Addr};

/// A figure to be: what the generator makes and the worker's tables hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub(crate) struct Case {
    /// `down` or `up`, the family inside (6 or 4), the family outside: down66, up46, ...
    #[arg(long, default_value = "down66")]
    pub(crate) kind: Kind,
    /// In GRE, with keys of each binding's own.
    #[arg(long)]
    pub(crate) gre: bool,
    /// Bindings.
    #[arg(long, default_value_t = 1000)]
    pub(crate) bindings: u32,
    /// Gateways; binding i is at gateway i modulo this.
    #[arg(long, default_value_t = 1000)]
    pub(crate) mags: u32,
}

impl Default for Case {
    fn default() -> Self {
        Self { kind: Kind::Down66, gre: false, bindings: 1000, mags: MAGS }
    }
}

/// Which way, the family inside and the family outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[allow(missing_docs)]
pub(crate) enum Kind {
    Down66,
    Down46,
    Down64,
    Down44,
    Up66,
    Up46,
    Up64,
    Up44,
}

impl Kind {
    /// As the generator calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Down66 => "down66",
            Self::Down46 => "down46",
            Self::Down64 => "down64",
            Self::Down44 => "down44",
            Self::Up66 => "up66",
            Self::Up46 => "up46",
            Self::Up64 => "up64",
            Self::Up44 => "up44",
        }
    }

    pub(crate) fn is_uplink(self) -> bool {
        matches!(self, Self::Up66 | Self::Up46 | Self::Up64 | Self::Up44)
    }

    pub(crate) fn inner_is_ipv4(self) -> bool {
        matches!(self, Self::Down46 | Self::Down44 | Self::Up46 | Self::Up44)
    }

    pub(crate) fn outer_is_ipv4(self) -> bool {
        matches!(self, Self::Down64 | Self::Down44 | Self::Up64 | Self::Up44)
    }
}

impl Case {
    /// The generator's device (`perf/pgen/pgen.c`), with these arguments besides.
    pub(crate) fn device(&self, more: &str) -> String {
        let Self { kind, gre, bindings, mags } = self;
        let (kind, gre) = (kind.name(), u8::from(*gre));
        format!("net_pgen0,kind={kind},gre={gre},flows={bindings},mags={mags}{more}")
    }

    /// The arguments of the bench that measures it.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let Self { kind, gre, bindings, mags } = self;
        let kind = kind.name();
        let mut arguments = vec![
            format!("--kind={kind}"),
            format!("--bindings={bindings}"),
            format!("--mags={mags}"),
        ];
        arguments.extend(gre.then(|| "--gre".into()));
        arguments
    }

    /// A tunnel to every gateway, numbered from `first` on.
    pub(crate) fn tunnels(self, first: u32) -> impl Iterator<Item = Change> {
        let encap = if self.gre { Encap::Gre } else { Encap::Ip };
        (0..self.mags).map(move |i| {
            let (local, remote) = if self.kind.outer_is_ipv4() {
                (LMA4.to_ipv6_mapped(), mag4(i).to_ipv6_mapped())
            } else {
                (LMA, mag(i))
            };
            let tunnel = Tunnel { path: TunnelPath { local, remote, encap }, mtu: ACCESS_MTU };
            Change::TunnelSet(TunnelId(first + i), tunnel)
        })
    }

    /// Binding `i` in a tunnel.
    pub(crate) fn entry(self, i: u32, tunnel: u32) -> Option<Change> {
        let key = self.gre.then_some(GRE_KEY + i);
        let keys = GreKeys { downlink: key, uplink: key };
        let forward = Forward::Tunnel(TunnelId(tunnel), keys);
        self.prefix(i).map(|prefix| Change::EntrySet(prefix.into(), forward))
    }

    /// Binding `i` is gone.
    pub(crate) fn removal(self, i: u32) -> Option<Change> {
        self.prefix(i).map(|prefix| Change::EntryDel(prefix.into()))
    }

    /// What binding `i` is for.
    pub(crate) fn prefix(self, i: u32) -> Option<HomePrefix> {
        let prefix = if self.kind.inner_is_ipv4() {
            HomePrefix::from_ipv4(Ipv4Addr::from_bits(POOL4 + i), 32)
        } else {
            HomePrefix::new(Ipv6Addr::from_bits(POOL | (u128::from(i) << 64)), 64)
        };
        prefix.ok()
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let way = if self.kind.is_uplink() { "uplink" } else { "downlink" };
        let family = |ipv4| if ipv4 { 4 } else { 6 };
        let [inner, outer] = [self.kind.inner_is_ipv4(), self.kind.outer_is_ipv4()].map(family);
        let gre = if self.gre { " GRE" } else { "" };
        write!(f, "{way} {inner}in{outer}{gre}, {}", self.bindings)?;
        match self.mags {
            MAGS => Ok(()),
            mags if mags == self.bindings => write!(f, ", a tunnel each"),
            mags => write!(f, ", {mags} gateways"),
        }
    }
}

/// The anchor's IPv4 address.
pub(crate) const LMA4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// The pool of IPv4 home addresses is 10.0.0.0/8.
const POOL4: u32 = 0x0a00_0000;
/// Of the first binding.
const GRE_KEY: u32 = 0x1000;

fn mag4(i: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0xac10_0000 + i)
}
