//! A Proxy Binding Update as RFC 5213 6.9.1.5 wants it: the one place that decides its options.

use crate::addr::{AnchorAddr, HomePrefix, MnId, ProxyCoa};
use crate::mobility::mag::event::LinkLayerId;
use crate::mobility::message::{OwnedOptions, Transport, UpdateMsg};
use crate::time::{Lifetime, MobTimestamp};
use crate::wire::mh::option::{AccessTech, HandoffIndicator};
use crate::wire::mh::{BindingUpdate, BuFlags, MobilityOption, SeqNo};
use arrayvec::ArrayVec;
use core::iter;
use std::net::Ipv6Addr;

/// Options of an update besides the identifier and the prefixes.
const OTHER_OPTIONS_MAX: usize = 5;

/// What an update says.
#[derive(Debug, Clone, Copy)]
pub struct UpdateContents<'a> {
    /// Source.
    pub proxy_coa: ProxyCoa,
    /// Destination.
    pub lma: AnchorAddr,
    /// Whose.
    pub mn_id: &'a MnId,
    /// Its prefixes; one option with `ALL_ZERO` asks for an assignment if empty.
    pub prefixes: &'a [HomePrefix],
    /// Handoff Indicator.
    pub handoff: HandoffIndicator,
    /// Access Technology Type.
    pub att: AccessTech,
    /// Link-layer identifier, if it is known.
    pub mn_ll_id: Option<&'a LinkLayerId>,
    /// `::` asks for one; no option if `None`.
    pub link_local: Option<Ipv6Addr>,
    /// No option if `None`: sequence numbers are in use.
    pub timestamp: Option<MobTimestamp>,
    /// Sequence number.
    pub seq: SeqNo,
    /// Zero de-registers.
    pub lifetime: Lifetime,
}

impl UpdateContents<'_> {
    /// The message.
    #[must_use]
    pub fn message(&self) -> UpdateMsg {
        let mut options = ArrayVec::<MobilityOption<'_>, OTHER_OPTIONS_MAX>::new();
        options.push(MobilityOption::HandoffIndicator(self.handoff));
        options.push(MobilityOption::AccessTech(self.att));
        options.extend(self.timestamp.map(MobilityOption::Timestamp));
        // RFC 5213 6.9.1.1 (7): absent when unknown.
        options.extend(self.mn_ll_id.map(|id| MobilityOption::MnLinkLayerId(id.bytes())));
        options.extend(self.link_local.map(MobilityOption::LinkLocal));
        // RFC 5213 6.9.1.1 (3): without prefixes one instance, ALL_ZERO.
        let assign = self.prefixes.is_empty().then_some(HomePrefix::ALL_ZERO);
        let prefixes = self.prefixes.iter().copied().chain(assign);
        let all = iter::once(MobilityOption::MnId(self.mn_id.subtype(), self.mn_id.bytes()))
            .chain(prefixes.map(MobilityOption::HomeNetworkPrefix))
            .chain(options);
        UpdateMsg {
            src: self.proxy_coa.0,
            dst: self.lma.0,
            transport: Transport::Ipv6,
            update: BindingUpdate {
                seq: self.seq,
                // RFC 5213 6.9.1.5: P and A.
                flags: BuFlags::A | BuFlags::P,
                lifetime: self.lifetime,
            },
            // Cannot fail: the types of the identifiers bound their lengths.
            options: OwnedOptions::from_options(all).unwrap_or_default(),
            header: Box::default(),
        }
    }
}
