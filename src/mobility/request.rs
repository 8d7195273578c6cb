//! A PBU's options, read once: what is absent, and then what is all there.
//!
//! [`Fields`] is what the options say, each mandatory one still absent or present, because the
//! checks of RFC 5213 5.3.1 (4) to (9) come before the ones that refuse an absent option (10) to
//! (12). [`Fields::complete`] is those last checks: after it nothing mandatory is an `Option`.

use crate::addr::{HomePrefix, MnId, ProxyCoa};
use crate::mobility::binding::LinkLayerId;
use crate::mobility::digest::Digest;
use crate::mobility::message::UpdateMsg;
use crate::time::{Lifetime, MobTimestamp};
use crate::wire::mh::{AccessTech, HandoffIndicator, MobilityOption, SeqNo, Status};
use std::net::Ipv6Addr;

/// What a PBU says, unchecked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields {
    pub(crate) mn_id: Option<MnId>,
    pub(crate) hnp: Vec<HomePrefix>,
    pub(crate) handoff: Option<HandoffIndicator>,
    pub(crate) att: Option<AccessTech>,
    pub(crate) timestamp: Option<MobTimestamp>,
    pub(crate) mn_ll_id: LinkLayerId,
    pub(crate) link_local: Option<Ipv6Addr>,
    pub(crate) alternate_coa: Option<Ipv6Addr>,
    /// An option of which there cannot be two stands there twice (8.1).
    repeated: bool,
}

/// A PBU in which everything mandatory is present.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) mn_id: MnId,
    /// As asked for, in the order of the wire, those with the value `ALL_ZERO` included.
    pub(crate) hnp: Vec<HomePrefix>,
    pub(crate) handoff: HandoffIndicator,
    pub(crate) att: AccessTech,
    pub(crate) mn_ll_id: LinkLayerId,
    pub(crate) link_local: Option<Ipv6Addr>,
    pub(crate) timestamp: Option<MobTimestamp>,
    pub(crate) seq: SeqNo,
    pub(crate) lifetime: Lifetime,
    pub(crate) proxy_coa: ProxyCoa,
    /// Of the whole message, to recognise a duplicate.
    pub(crate) digest: u64,
}

impl Fields {
    /// Reads the options. The first of an option counts where a second is not allowed; options
    /// that we do not know are skipped (8.1).
    pub(crate) fn read(msg: &UpdateMsg) -> Self {
        let mut f = Self::default();
        let mut ll_id = None;
        for option in &msg.options {
            let first = match option {
                MobilityOption::MnId(subtype, id) => set(&mut f.mn_id, MnId::new(subtype, id)),
                MobilityOption::HandoffIndicator(v) => set(&mut f.handoff, Some(v)),
                MobilityOption::AccessTech(v) => set(&mut f.att, Some(v)),
                MobilityOption::MnLinkLayerId(id) => set(&mut ll_id, Some(LinkLayerId::new(id))),
                MobilityOption::LinkLocal(a) => set(&mut f.link_local, Some(a)),
                MobilityOption::Timestamp(t) => set(&mut f.timestamp, Some(t)),
                MobilityOption::AlternateCoa(a) => set(&mut f.alternate_coa, Some(a)),
                MobilityOption::HomeNetworkPrefix(p) => {
                    f.hnp.push(p);
                    true
                }
                MobilityOption::RefreshAdvice(_)
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
                | MobilityOption::Unknown(..) => true,
            };
            f.repeated |= !first;
        }
        f.mn_ll_id = ll_id.unwrap_or_default();
        f
    }

    /// The care-of address: the Alternate Care-of Address if there is one, else the source
    /// (RFC 5213 5.3.1 (13), 6.9.1.5).
    pub(crate) fn proxy_coa(&self, msg: &UpdateMsg) -> ProxyCoa {
        ProxyCoa(self.alternate_coa.unwrap_or(msg.src))
    }

    /// The prefixes that are not `ALL_ZERO`.
    pub(crate) fn named_prefixes(&self) -> impl Iterator<Item = HomePrefix> + '_ {
        self.hnp.iter().copied().filter(|p| !is_all_zero(*p))
    }

    /// Everything mandatory, or the status that says what is missing, in the RFC's order.
    pub(crate) fn complete(self, msg: &UpdateMsg) -> Result<Request, Status> {
        let proxy_coa = self.proxy_coa(msg);
        // RFC 5213 5.3.1 (4); checked first by the caller as well
        let mn_id = self.mn_id.ok_or(Status::MISSING_MN_IDENTIFIER_OPTION)?;
        // RFC 5213 5.3.1 (10)
        if self.hnp.is_empty() {
            return Err(Status::MISSING_HOME_NETWORK_PREFIX_OPTION);
        }
        // RFC 5213 5.3.1 (11)
        let handoff = self.handoff.ok_or(Status::MISSING_HANDOFF_INDICATOR_OPTION)?;
        // RFC 5213 5.3.1 (12)
        let att = self.att.ok_or(Status::MISSING_ACCESS_TECH_TYPE_OPTION)?;
        // RFC 5213 8.1: "there cannot be more than one instance". No status of its own.
        if self.repeated {
            return Err(Status::REASON_UNSPECIFIED);
        }
        Ok(Request {
            mn_id,
            hnp: self.hnp,
            handoff,
            att,
            mn_ll_id: self.mn_ll_id,
            link_local: self.link_local,
            timestamp: self.timestamp,
            seq: msg.update.seq,
            lifetime: msg.update.lifetime,
            proxy_coa,
            digest: digest(msg),
        })
    }
}

/// Whether a Home Network Prefix option asks for an allocation (RFC 5213 2.2, `ALL_ZERO`). Only
/// the prefix counts: some gateways put the length that they would like beside it.
pub(crate) fn is_all_zero(prefix: HomePrefix) -> bool {
    prefix.bits() == 0
}

/// Digest of a message, addresses included: equal for byte-identical duplicates (but for padding).
pub(crate) fn digest(msg: &UpdateMsg) -> u64 {
    let u = &msg.update;
    let fixed = Digest::new(0)
        .field(&msg.src.octets())
        .field(&msg.dst.octets())
        .field(&u.seq.0.to_be_bytes())
        .field(&u.flags.0.to_be_bytes())
        .field(&u.lifetime.0.to_be_bytes());
    msg.options.options().encoded().fold(fixed, Digest::field).finish()
}

/// Stores `value` if nothing is stored yet; whether it was.
fn set<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    let first = place.is_none();
    if first {
        *place = value;
    }
    first
}
