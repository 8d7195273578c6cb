//! A Proxy Binding Acknowledgement, read and judged (RFC 5213 6.9.1.2).

use crate::addr::{HomePrefix, MnId};
use crate::mobility::mag::action::PbaFault;
use crate::mobility::mag::exchange::Sent;
use crate::mobility::message::AckMsg;
use crate::time::{Instant, Lifetime, MobTimestamp};
use crate::wire::mh::option::{AccessTech, HandoffIndicator};
use crate::wire::mh::{BaFlags, BindingAck, MobilityOption, Status};
use std::net::Ipv6Addr;

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
    /// `None`: the anchor gave none.
    pub(super) link_local: Option<Ipv6Addr>,
    pub(super) refresh_advice: Option<Lifetime>,
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
                // Not for a gateway, or not known: skipped (RFC 6275 6.2.1).
                MobilityOption::AlternateCoa(_)
                | MobilityOption::MessageAuth(..)
                | MobilityOption::ReplayProtection(_)
                | MobilityOption::Vendor(..)
                | MobilityOption::ServiceSelection(_)
                | MobilityOption::RestartCounter(_)
                | MobilityOption::NatDetection(_)
                | MobilityOption::GreKey(_)
                | MobilityOption::Ipv4HomeAddressRequest(_)
                | MobilityOption::Ipv4HomeAddressReply(..)
                | MobilityOption::Ipv4DefaultRouter(_)
                | MobilityOption::Ipv4DhcpSupportMode(_)
                | MobilityOption::AlternateIpv4Coa(_)
                | MobilityOption::AccessNetworkId(_)
                | MobilityOption::LmaUserPlane(_)
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
        if registers && prefixes.is_empty() {
            return Verdict::Ignored(PbaFault::NoPrefix);
        }
        Verdict::Accepted(Grant {
            lifetime: ack.lifetime,
            since: sent.at,
            prefixes,
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

/// A prefix that a node can have addresses in and that we may route.
fn is_routable(p: HomePrefix) -> bool {
    let a = p.addr();
    p.len() != 0 && !a.is_unicast_link_local() && !a.is_multicast() && !a.is_loopback()
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), PbaFault> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(PbaFault::Malformed),
    }
}
