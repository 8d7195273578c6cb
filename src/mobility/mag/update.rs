//! A Proxy Binding Update as RFC 5213 6.9.1.5 wants it: the one place that decides its options.

use crate::addr::{AnchorAddr, GreKey, HomePrefix, MnId, ProxyCoa};
use crate::mobility::mag::event::LinkLayerId;
use crate::mobility::message::{OwnedOptions, Transport, UpdateMsg};
use crate::time::{Lifetime, MobTimestamp};
use crate::wire::mh::option::{AccessTech, HandoffIndicator};
use crate::wire::mh::{AccessNetworkId, BindingUpdate, BuFlags, Ipv4Home, MobilityOption, SeqNo};
use crate::wire::udp;
use arrayvec::ArrayVec;
use core::iter;
use std::net::Ipv6Addr;

/// Options of an update besides the identifier and the prefixes.
const OTHER_OPTIONS_MAX: usize = 11;

/// What an update says.
#[derive(Debug, Clone, Copy)]
pub struct UpdateContents<'a> {
    /// Source.
    pub proxy_coa: ProxyCoa,
    /// Destination. To an IPv4 address the update goes by UDP (RFC 5844 4.2.2.1).
    pub lma: AnchorAddr,
    /// Whose.
    pub mn_id: &'a MnId,
    /// Its prefixes; one option with `ALL_ZERO` asks for an assignment if empty; no option at all
    /// if `None` (RFC 5844 3.2.3.1).
    pub prefixes: Option<&'a [HomePrefix]>,
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
    /// What the RFCs after 5213 add.
    pub extensions: Extensions<'a>,
}

/// What the RFCs after 5213 add to an update; each is absent by default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extensions<'a> {
    /// IPv4 Home Address Request (RFC 5844 3.3.1); `0.0.0.0` asks for an assignment.
    pub ipv4: Option<Ipv4Home>,
    /// GRE Key option, with our key or without one (RFC 5845 6.1).
    pub gre: Option<Option<GreKey>>,
    /// F and T: UDP whether there is a NAT or not, and the TLV-header in it (RFC 5844 4.2.2.1,
    /// RFC 5845 7.3).
    pub flags: BuFlags,
    /// Service Selection (RFC 5149).
    pub service: Option<&'a str>,
    /// Access Network Identifier (RFC 6757): sub-options that parse.
    pub access_network: Option<&'a [u8]>,
    /// Our end of the tunnel where it is not the source: Alternate (IPv4) Care-of Address
    /// (RFC 6275 6.2.5, RFC 6463 4.4).
    pub user_plane: Option<ProxyCoa>,
    /// Asks where the anchor's end of the tunnel is (RFC 7389 4).
    pub ask_user_plane: bool,
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
        self.extensions.add_to(&mut options);
        // RFC 5213 6.9.1.1 (3): without prefixes one instance, ALL_ZERO.
        let prefixes = self.prefixes.unwrap_or_default();
        let assign = self.prefixes.is_some_and(<[_]>::is_empty).then_some(HomePrefix::ALL_ZERO);
        let prefixes = prefixes.iter().copied().chain(assign);
        let all = iter::once(MobilityOption::MnId(self.mn_id.subtype(), self.mn_id.bytes()))
            .chain(prefixes.map(MobilityOption::HomeNetworkPrefix))
            .chain(options);
        UpdateMsg {
            home: None,
            src: self.proxy_coa.0,
            dst: self.lma.0,
            transport: transport_to(self.lma),
            update: BindingUpdate {
                seq: self.seq,
                // RFC 5213 6.9.1.5: P and A.
                flags: BuFlags::A | BuFlags::P | self.extensions.flags,
                lifetime: self.lifetime,
            },
            // Cannot fail: the types of the identifiers bound their lengths.
            options: OwnedOptions::from_options(all).unwrap_or_default(),
            header: Box::default(),
        }
    }
}

impl<'a> Extensions<'a> {
    fn add_to(self, options: &mut ArrayVec<MobilityOption<'a>, OTHER_OPTIONS_MAX>) {
        options.extend(self.ipv4.map(MobilityOption::Ipv4HomeAddressRequest));
        options.extend(self.gre.map(MobilityOption::GreKey));
        let service = self.service.map(str::as_bytes);
        options.extend(service.map(MobilityOption::ServiceSelection));
        let access_network = self.access_network.and_then(|b| AccessNetworkId::parse(b).ok());
        options.extend(access_network.map(MobilityOption::AccessNetworkId));
        options.extend(self.user_plane.map(|coa| match coa.0.to_ipv4_mapped() {
            Some(v4) => MobilityOption::AlternateIpv4Coa(v4),
            None => MobilityOption::AlternateCoa(coa.0),
        }));
        options.extend(self.ask_user_plane.then_some(MobilityOption::LmaUserPlane(None)));
    }
}

/// What carries our messages to an anchor: RFC 5844 4.2.2.1.
pub(super) fn transport_to(lma: AnchorAddr) -> Transport {
    match lma.0.to_ipv4_mapped() {
        Some(_) => Transport::Udp(udp::SIGNALING_PORT),
        None => Transport::Ipv6,
    }
}
