//! A Proxy Binding Acknowledgement, read and judged (RFC 5213 6.9.1.2).

use crate::addr::{GreKey, HomePrefix, MnId};
use crate::mobility::mag::action::PbaFault;
use crate::mobility::mag::exchange::Sent;
use crate::mobility::message::AckMsg;
use crate::time::{Instant, Lifetime, MobTimestamp};
use crate::wire::mh::option::{AccessTech, HandoffIndicator};
use crate::wire::mh::{
    BaFlags, BindingAck, DhcpSupportMode, Ipv4Home, Ipv4HomeStatus, MobilityOption, NatDetection,
    Status,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The options that matter to a gateway. Each but the prefixes stands at most once.
#[derive(Debug, Default)]
pub(super) struct AckOptions {
    /// Empty (zero length) when the anchor missed it in the update (RFC 5213 5.3.1 (4)).
    pub(super) mn_id: Option<MnId>,
    pub(super) prefixes: Vec<HomePrefix>,
    pub(super) handoff: Option<HandoffIndicator>,
    pub(super) att: Option<AccessTech>,
    pub(super) mn_ll_id: Option<Box<[u8]>>,
    pub(super) link_local: Option<Ipv6Addr>,
    pub(super) timestamp: Option<MobTimestamp>,
    pub(super) refresh_advice: Option<Lifetime>,
    pub(super) ipv4: Option<(Ipv4HomeStatus, Ipv4Home)>,
    pub(super) router: Option<Ipv4Addr>,
    pub(super) dhcp: Option<DhcpSupportMode>,
    /// Without a key it grants GRE alone.
    // Outer: whether the option is there; inner: whether it has a key (RFC 5845 6.1).
    #[allow(clippy::option_option)]
    pub(super) gre: Option<Option<GreKey>>,
    pub(super) nat: Option<NatDetection>,
    /// One of each family at most (RFC 7389 4).
    pub(super) user_plane: Vec<IpAddr>,
}

/// Whether an acknowledgement answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    /// It does not.
    No,
    /// It does, and echoes what RFC 5213 6.9.1.2 (6) wants.
    Echoed,
    /// It does, but echoes something else.
    Differs,
}

/// What an acknowledgement that answers our request means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Accepted.
    Accepted(Grant),
    /// Refused.
    Refused(BindingAck),
    /// RFC 5213 6.9.1.2 (6).
    EchoDiffers,
    /// Ignored.
    Ignored(PbaFault),
}

/// What was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    /// Zero when it answers a de-registration.
    pub(super) lifetime: Lifetime,
    /// When the update was sent that it answers: lifetimes count from there (RFC 6275 11.7.3).
    pub(super) since: Instant,
    pub(super) prefixes: Vec<HomePrefix>,
    pub(super) ipv4: Result<Ipv4Grant, Ipv4Refusal>,
    /// `None`: the anchor gave none.
    pub(super) link_local: Option<Ipv6Addr>,
    pub(super) refresh_advice: Option<Lifetime>,
    pub(super) tunnel: TunnelGrant,
}

/// An IPv4 home address and what goes with it (RFC 5844 3.2.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ipv4Grant {
    pub(super) home: Ipv4Home,
    pub(super) router: Ipv4Addr,
    pub(super) dhcp: DhcpSupportMode,
}

/// Why there is no IPv4 home address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ipv4Refusal {
    /// The anchor says nothing of it, or says no usable address or router.
    Absent,
    /// It says why.
    Status(Ipv4HomeStatus),
}

/// What the anchor says of the tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TunnelGrant {
    /// 2 and 3 are about GRE (RFC 5845 6.4).
    pub(super) status: Status,
    /// T.
    pub(super) tlv_header: bool,
    // Outer: whether the option is there; inner: whether it has a key (RFC 5845 6.1).
    #[allow(clippy::option_option)]
    pub(super) gre: Option<Option<GreKey>>,
    pub(super) nat: Option<NatDetection>,
    pub(super) user_plane: Vec<IpAddr>,
}

impl AckOptions {
    /// Reads the options of a message with the P flag.
    pub(super) fn read(msg: &AckMsg) -> Result<Self, PbaFault> {
        if !msg.ack.flags.contains(BaFlags::P) {
            return Err(PbaFault::NotProxy);
        }
        let mut out = Self::default();
        for option in &msg.options {
            match option {
                MobilityOption::MnId(subtype, id) => {
                    let id = MnId::new(subtype, id).ok_or(PbaFault::Malformed)?;
                    once(&mut out.mn_id, id)?;
                }
                MobilityOption::HomeNetworkPrefix(p) => {
                    if !out.prefixes.contains(&p) {
                        out.prefixes.push(p);
                    }
                }
                MobilityOption::HandoffIndicator(v) => once(&mut out.handoff, v)?,
                MobilityOption::AccessTech(v) => once(&mut out.att, v)?,
                MobilityOption::MnLinkLayerId(id) => once(&mut out.mn_ll_id, id.into())?,
                MobilityOption::LinkLocal(a) => once(&mut out.link_local, a)?,
                MobilityOption::Timestamp(t) => once(&mut out.timestamp, t)?,
                MobilityOption::RefreshAdvice(l) => once(&mut out.refresh_advice, l)?,
                MobilityOption::Ipv4HomeAddressReply(status, home) => {
                    once(&mut out.ipv4, (status, home))?;
                }
                MobilityOption::Ipv4DefaultRouter(a) => once(&mut out.router, a)?,
                MobilityOption::Ipv4DhcpSupportMode(m) => once(&mut out.dhcp, m)?,
                MobilityOption::GreKey(key) => once(&mut out.gre, key)?,
                MobilityOption::NatDetection(nat) => once(&mut out.nat, nat)?,
                MobilityOption::LmaUserPlane(address) => {
                    let address = address.ok_or(PbaFault::Malformed)?;
                    if out.user_plane.iter().any(|a| a.is_ipv4() == address.is_ipv4()) {
                        return Err(PbaFault::Malformed);
                    }
                    out.user_plane.push(address);
                }
                // Not for a gateway, or not known: skipped (RFC 6275 6.2.1).
                MobilityOption::AlternateCoa(_)
                | MobilityOption::MessageAuth(..)
                | MobilityOption::ReplayProtection(_)
                | MobilityOption::Vendor(..)
                | MobilityOption::ServiceSelection(_)
                | MobilityOption::RestartCounter(_)
                | MobilityOption::Ipv4HomeAddressRequest(_)
                | MobilityOption::AlternateIpv4Coa(_)
                | MobilityOption::AccessNetworkId(_)
                | MobilityOption::MobileNetworkPrefix(_)
                | MobilityOption::Ipv4HomeAddress(..)
                | MobilityOption::Ipv4AddressAck(..)
                | MobilityOption::Ipv4CareOf(_)
                | MobilityOption::BindingIdentifier(..)
                | MobilityOption::Unknown(..) => {}
            }
        }
        Ok(out)
    }

    /// Judges the answer to `sent`; `timestamps` if they order the updates, `registers` unless the
    /// update was a de-registration.
    pub(super) fn judge(
        self,
        ack: BindingAck,
        sent: Sent,
        timestamps: bool,
        registers: bool,
    ) -> Verdict {
        if !ack.status.is_accepted() {
            return Verdict::Refused(ack);
        }
        // RFC 5213 5.5 (1), (7): an accepting answer returns our own value.
        if timestamps && self.timestamp != sent.timestamp {
            return Verdict::Ignored(PbaFault::Timestamp);
        }
        let prefixes: Vec<_> = self.prefixes.into_iter().filter(|p| is_routable(*p)).collect();
        if registers && ack.lifetime == Lifetime::ZERO {
            return Verdict::Ignored(PbaFault::ZeroLifetime);
        }
        let ipv4 = Ipv4Grant::from_options(self.ipv4, self.router, self.dhcp);
        if registers && prefixes.is_empty() && ipv4.is_err() {
            return Verdict::Ignored(PbaFault::NoPrefix);
        }
        Verdict::Accepted(Grant {
            lifetime: ack.lifetime,
            since: sent.at,
            prefixes,
            ipv4,
            tunnel: TunnelGrant {
                status: ack.status,
                tlv_header: ack.flags.contains(BaFlags::T),
                gre: self.gre,
                nat: self.nat,
                user_plane: self.user_plane,
            },
            link_local: self.link_local.filter(Ipv6Addr::is_unicast_link_local),
            refresh_advice: self.refresh_advice.filter(|&l| l != Lifetime::ZERO),
        })
    }

    /// Whether the anchor echoed a zero-length identifier because it found none.
    pub(super) fn misses_mn_id(&self, status: Status) -> bool {
        status == Status::MISSING_MN_IDENTIFIER_OPTION
            && self.mn_id.as_ref().is_some_and(|id| id.bytes().is_empty())
    }
}

impl Ipv4Grant {
    /// RFC 5844 3.2.3.2: accepted, with an address that a host can have and its default router.
    fn from_options(
        reply: Option<(Ipv4HomeStatus, Ipv4Home)>,
        router: Option<Ipv4Addr>,
        dhcp: Option<DhcpSupportMode>,
    ) -> Result<Self, Ipv4Refusal> {
        let (status, home) = reply.ok_or(Ipv4Refusal::Absent)?;
        if !status.is_accepted() {
            return Err(Ipv4Refusal::Status(status));
        }
        let router = router.filter(|a| is_host(*a)).ok_or(Ipv4Refusal::Absent)?;
        if !is_host(home.addr()) || home.addr() == router {
            return Err(Ipv4Refusal::Absent);
        }
        Ok(Self { home, router, dhcp: dhcp.unwrap_or_default() })
    }
}

/// An IPv4 address that one host can have and that we may route.
fn is_host(a: Ipv4Addr) -> bool {
    let [first, ..] = a.octets();
    first != 0 && first != 127 && first < 224 && !a.is_link_local()
}

/// A prefix that a node can have addresses in and that we may route.
fn is_routable(p: HomePrefix) -> bool {
    let a = p.addr();
    let global = !a.is_unicast_link_local() && !a.is_multicast() && !a.is_loopback();
    // What is IPv4-mapped would be taken for an IPv4 home address.
    p.len() != 0 && global && p.to_ipv4().is_none()
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), PbaFault> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(PbaFault::Malformed),
    }
}
