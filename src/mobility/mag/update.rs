//! A Proxy Binding Update as RFC 5213 6.9.1.5 wants it: the one place that decides its options.

use crate::addr::{AnchorAddr, HomePrefix, MnId, ProxyCoa};
use crate::mobility::message::{OwnedOptions, UpdateMsg};
use crate::time::{Lifetime, MobTimestamp};
use crate::wire::mh::{BindingUpdate, BuFlags, MobilityOption, SeqNo};
use std::net::Ipv6Addr;

/// Handoff Indicator of a re-registration (RFC 5213 6.9.1.3 (3)).
pub const HANDOFF_UNCHANGED: u8 = 5;

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
    pub handoff: u8,
    /// Access Technology Type.
    pub att: u8,
    /// Link-layer identifier, if it is known.
    pub mn_ll_id: Option<&'a [u8]>,
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
        let mut options = OwnedOptions::default();
        options.push(MobilityOption::MnId(self.mn_id.subtype(), self.mn_id.bytes()));
        if self.prefixes.is_empty() {
            // RFC 5213 6.9.1.1 (3): one instance, ALL_ZERO.
            options.push(MobilityOption::HomeNetworkPrefix(HomePrefix::ALL_ZERO));
        }
        for &prefix in self.prefixes {
            options.push(MobilityOption::HomeNetworkPrefix(prefix));
        }
        options.push(MobilityOption::HandoffIndicator(self.handoff));
        options.push(MobilityOption::AccessTech(self.att));
        if let Some(at) = self.timestamp {
            options.push(MobilityOption::Timestamp(at));
        }
        // RFC 5213 6.9.1.1 (7): not when unknown, and not when ALL_ZERO.
        if let Some(id) = self.mn_ll_id.filter(|id| id.iter().any(|&b| b != 0)) {
            options.push(MobilityOption::MnLinkLayerId(id));
        }
        if let Some(address) = self.link_local {
            options.push(MobilityOption::LinkLocal(address));
        }
        UpdateMsg {
            src: self.proxy_coa.0,
            dst: self.lma.0,
            update: BindingUpdate {
                seq: self.seq,
                // RFC 5213 6.9.1.5: P and A.
                flags: BuFlags(BuFlags::ACK | BuFlags::PROXY),
                lifetime: self.lifetime,
            },
            options,
        }
    }
}
