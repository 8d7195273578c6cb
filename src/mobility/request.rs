//! A PBU's options, read once: what is absent, and then what is all there.
//!
//! [`Fields`] is what the options say, each mandatory one still absent or present, because the
//! checks of RFC 5213 5.3.1 (4) to (9) come before the ones that refuse an absent option (10) to
//! (12). [`Fields::complete`] is those last checks, and what RFC 5844 3.1.2.1 adds to them: after
//! it nothing mandatory is an `Option`.

use crate::addr::{CustomerId, Encap, HomePrefix, MnId, ProxyCoa};
use crate::mobility::binding::LinkLayerId;
use crate::mobility::config::{Profile, Source};
use crate::mobility::digest::Digest;
use crate::mobility::message::{Transport, UpdateMsg};
use crate::mobility::question::Grant;
use crate::mobility::tunnel::{GreRequest, TunnelRequest};
use crate::time::{Lifetime, MobTimestamp};
use crate::wire::mh::{
    AccessTech, AuthOption, BuFlags, HandoffIndicator, Ipv4Home, MobilityOption, SeqNo, Status,
};
use std::net::{Ipv4Addr, Ipv6Addr};

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
    pub(crate) alternate_ipv4_coa: Option<Ipv4Addr>,
    pub(crate) ipv4: Option<Ipv4Home>,
    /// There is more than one IPv4 Home Address Request.
    several_ipv4: bool,
    /// The GRE Key option, and the key in it.
    pub(crate) gre: Option<GreRequest>,
    pub(crate) service: Option<Box<[u8]>>,
    pub(crate) access_network: Option<Box<[u8]>>,
    pub(crate) replay: Option<u64>,
    /// The key between gateway and anchor that it names (RFC 4285 5.1).
    pub(crate) spi: Option<u32>,
    /// An option of which there cannot be two stands there twice (8.1).
    repeated: bool,
}

/// A PBU in which everything mandatory is present.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) mn_id: MnId,
    /// Whose node it is.
    pub(crate) home: CustomerId,
    /// The service that was selected.
    pub(crate) service: Option<Box<[u8]>>,
    /// As asked for, in the order of the wire, those with the value `ALL_ZERO` included; empty if
    /// IPv6 is not asked for.
    pub(crate) hnp: Vec<HomePrefix>,
    /// As asked for; `None` if IPv4 is not.
    pub(crate) ipv4: Option<Ipv4Home>,
    pub(crate) handoff: HandoffIndicator,
    pub(crate) att: AccessTech,
    pub(crate) mn_ll_id: LinkLayerId,
    pub(crate) link_local: Option<Ipv6Addr>,
    pub(crate) timestamp: Option<MobTimestamp>,
    pub(crate) seq: SeqNo,
    pub(crate) lifetime: Lifetime,
    pub(crate) proxy_coa: ProxyCoa,
    /// From where it came.
    pub(crate) mag: Ipv6Addr,
    pub(crate) transport: Transport,
    pub(crate) flags: BuFlags,
    pub(crate) gre: Option<GreRequest>,
    pub(crate) access_network: Option<Box<[u8]>>,
    pub(crate) replay: Option<u64>,
    /// What the policy store said of the node; `None` if the configuration knows it.
    pub(crate) grant: Option<Box<Grant>>,
    /// Of the whole message, to recognise a duplicate.
    pub(crate) digest: u64,
}

impl Request {
    /// Whether any address is named that is not `ALL_ZERO`.
    pub(crate) fn names_address(&self) -> bool {
        self.names_prefix() || self.named_ipv4().is_some()
    }

    /// The tunnel that is asked for, for a session that has `current` with this gateway already.
    pub(crate) fn tunnel(&self, current: Option<Encap>) -> TunnelRequest {
        let Self { transport, flags, gre, .. } = *self;
        TunnelRequest { coa: self.proxy_coa.0, transport, flags, gre, current }
    }

    /// The IPv4 home address that is named, if one is.
    pub(crate) fn named_ipv4(&self) -> Option<Ipv4Addr> {
        named(self.ipv4)
    }

    /// Whether a prefix is named that is not `ALL_ZERO`.
    pub(crate) fn names_prefix(&self) -> bool {
        self.hnp.iter().any(|p| !is_all_zero(*p))
    }
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
                    if f.hnp.is_empty() {
                        f.hnp = Vec::with_capacity(1); // most nodes have one
                    }
                    f.hnp.push(p);
                    true
                }
                // More than one has a status of its own (RFC 5844 3.1.2.1).
                MobilityOption::Ipv4HomeAddressRequest(home) => {
                    f.several_ipv4 |= !set(&mut f.ipv4, Some(home));
                    true
                }
                MobilityOption::AlternateIpv4Coa(a) => set(&mut f.alternate_ipv4_coa, Some(a)),
                MobilityOption::GreKey(key) => set(&mut f.gre, Some(GreRequest(key.map(|k| k.0)))),
                MobilityOption::ServiceSelection(name) => set(&mut f.service, Some(name.into())),
                MobilityOption::AccessNetworkId(ani) => {
                    set(&mut f.access_network, Some(ani.bytes().into()))
                }
                MobilityOption::ReplayProtection(time) => set(&mut f.replay, Some(time)),
                MobilityOption::MessageAuth(AuthOption::MN_HA, spi, _) => {
                    f.spi = f.spi.or(Some(spi));
                    true
                }
                // Read where the message is authenticated; answered as it stands; not for us.
                MobilityOption::MessageAuth(..)
                | MobilityOption::LmaUserPlane(_)
                | MobilityOption::RefreshAdvice(_)
                | MobilityOption::Vendor(..)
                | MobilityOption::RestartCounter(_)
                | MobilityOption::NatDetection(_)
                | MobilityOption::Ipv4HomeAddressReply(..)
                | MobilityOption::Ipv4DefaultRouter(_)
                | MobilityOption::Ipv4DhcpSupportMode(_)
                | MobilityOption::MobileNetworkPrefix(_)
                | MobilityOption::Ipv4HomeAddress(..)
                | MobilityOption::Ipv4AddressAck(..)
                | MobilityOption::Ipv4CareOf(_)
                | MobilityOption::BindingIdentifier(..)
                | MobilityOption::Unknown(..) => true,
            };
            f.repeated |= !first;
        }
        f.mn_ll_id = ll_id.unwrap_or_default();
        f
    }

    /// The care-of address: the Alternate Care-of Address if there is one, else the source
    /// (RFC 5213 5.3.1 (13), 6.9.1.5; of IPv4: RFC 6463 4.4). Over IPv4 it is the source, or
    /// another of IPv4 (RFC 5844 4.1.1).
    pub(crate) fn proxy_coa(&self, msg: &UpdateMsg) -> ProxyCoa {
        let ipv4 = self.alternate_ipv4_coa.map(|a| a.to_ipv6_mapped());
        let alternate = match msg.transport.udp_port() {
            None => self.alternate_coa.or(ipv4),
            Some(_) => ipv4,
        };
        ProxyCoa(alternate.unwrap_or(msg.src))
    }

    /// The prefixes that are not `ALL_ZERO`.
    pub(crate) fn named_prefixes(&self) -> impl Iterator<Item = HomePrefix> + '_ {
        self.hnp.iter().copied().filter(|p| !is_all_zero(*p))
    }

    /// The IPv4 home address that is named; `None` if one is to be assigned, or none is asked for.
    pub(crate) fn named_ipv4(&self) -> Option<Ipv4Addr> {
        named(self.ipv4)
    }

    /// Everything mandatory, or the status that says what is missing, in the RFC's order. `profile`
    /// says which families the node may use, `home` whose it is; `digest` is [`digest`]'s of `msg`.
    pub(crate) fn complete(
        self,
        msg: &UpdateMsg,
        profile: &Profile,
        home: CustomerId,
        digest: u64,
    ) -> Result<Request, Status> {
        let proxy_coa = self.proxy_coa(msg);
        // RFC 5213 5.3.1 (4); checked first by the caller as well
        let mn_id = self.mn_id.ok_or(Status::MISSING_MN_IDENTIFIER_OPTION)?;
        // RFC 5213 5.3.1 (10), RFC 5844 3.1.2.1
        if self.hnp.is_empty() && self.ipv4.is_none() {
            return Err(Status::MISSING_HOME_NETWORK_PREFIX_OPTION);
        }
        // RFC 5844 3.1.2.1, its next three
        if !self.hnp.is_empty() && profile.ipv6 == Source::Denied {
            return Err(Status::NOT_AUTHORIZED_FOR_IPV6_MOBILITY_SERVICE);
        }
        if self.ipv4.is_some() && profile.ipv4 == Source::Denied {
            return Err(Status::NOT_AUTHORIZED_FOR_IPV4_MOBILITY_SERVICE);
        }
        if self.several_ipv4 {
            return Err(Status::MULTIPLE_IPV4_HOME_ADDRESS_ASSIGNMENT_NOT_SUPPORTED);
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
            home,
            service: self.service,
            hnp: self.hnp,
            ipv4: self.ipv4,
            handoff,
            att,
            mn_ll_id: self.mn_ll_id,
            link_local: self.link_local,
            timestamp: self.timestamp,
            seq: msg.update.seq,
            lifetime: msg.update.lifetime,
            proxy_coa,
            mag: msg.src,
            transport: msg.transport,
            flags: msg.update.flags,
            gre: self.gre,
            access_network: self.access_network,
            replay: self.replay,
            grant: None,
            digest,
        })
    }
}

/// Whether a Home Network Prefix option asks for an allocation (RFC 5213 2.2, `ALL_ZERO`). Only
/// the prefix counts: some gateways put the length that they would like beside it.
pub(crate) fn is_all_zero(prefix: HomePrefix) -> bool {
    prefix.bits() == 0
}

fn named(ipv4: Option<Ipv4Home>) -> Option<Ipv4Addr> {
    ipv4.map(Ipv4Home::addr).filter(|a| !a.is_unspecified())
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
    // Each option says its own length: they cannot run into each other.
    fixed.field(msg.options.options().bytes()).finish()
}

/// Digest of what does not change when a gateway sends an update again (RFC 5213 6.9.4): all but
/// the sequence number, the times in it and what authenticates it. Of the lifetime, whether there
/// is one.
pub(crate) fn gist(msg: &UpdateMsg) -> u64 {
    let u = &msg.update;
    let fixed = Digest::new(0)
        .field(&msg.src.octets())
        .field(&msg.dst.octets())
        .field(&u.flags.0.to_be_bytes())
        .field(&[u8::from(u.lifetime == Lifetime::ZERO)]);
    let changes = |o: &MobilityOption<'_>| {
        matches!(
            o,
            MobilityOption::Timestamp(_)
                | MobilityOption::ReplayProtection(_)
                | MobilityOption::MessageAuth(..)
        )
    };
    let options = msg.options.iter().zip(msg.options.options().encoded());
    let kept = options.filter(|(option, _)| !changes(option));
    kept.fold(fixed, |digest, (_, bytes)| digest.field(bytes)).finish()
}

/// Stores `value` if nothing is stored yet; whether it was.
fn set<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    let first = place.is_none();
    if first {
        *place = value;
    }
    first
}
