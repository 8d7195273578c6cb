//! The Proxy Binding Acknowledgement, constructed as RFC 5213 5.3.6 and RFC 5844 3.1.2.6 say and in
//! their order.

use crate::addr::{Encap, GreKey, HomePrefix, MnId};
use crate::mobility::auth::{self, Signer};
use crate::mobility::binding::{Bce, Ipv4HomeAddress};
use crate::mobility::message::{AckMsg, OwnedOptions, UpdateMsg};
use crate::time::{Lifetime, MobTimestamp};
use crate::wire::mh::{
    AccessTech, AuthOption, BaFlags, BindingAck, DhcpSupportMode, HandoffIndicator, Ipv4Home,
    Ipv4HomeStatus, MobilityOption, NatDetection, SeqNo, Status,
};
use crate::wire::udp;
use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

/// A refusal: why, and what the PBA says besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: Status,
    /// The last accepted sequence number, where that is the reason (RFC 6275 9.5.1).
    pub(crate) last_seq: Option<SeqNo>,
    /// What an IPv4 Home Address Reply says.
    pub(crate) ipv4: Ipv4HomeStatus,
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        // RFC 5844 3.1.2.2 names it for 171; the other two deny IPv4 in the same way.
        let ipv4 = match status {
            Status::NOT_AUTHORIZED_FOR_IPV4_HOME_ADDRESS
            | Status::NOT_AUTHORIZED_FOR_IPV4_MOBILITY_SERVICE
            | Status::MULTIPLE_IPV4_HOME_ADDRESS_ASSIGNMENT_NOT_SUPPORTED => {
                Ipv4HomeStatus::ADMINISTRATIVELY_PROHIBITED
            }
            _ => Ipv4HomeStatus::REASON_UNSPECIFIED,
        };
        Self { status, last_seq: None, ipv4 }
    }
}

/// What an accepting PBA says that does not stand in the session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer<'a> {
    /// The IPv4 home address of which the answer speaks: the session's, or the one that it has just
    /// lost.
    pub(crate) ipv4: Option<Ipv4HomeAddress>,
    pub(crate) dhcp_mode: Option<DhcpSupportMode>,
    /// When to refresh (RFC 6275 6.2.4).
    pub(crate) refresh: Option<Lifetime>,
    /// Our end of the tunnel (RFC 7389 4).
    pub(crate) user_plane: Ipv6Addr,
    pub(crate) signer: Option<Signer<'a>>,
}

/// The PBA that accepts `msg` for the session `bce` as it is now.
pub(crate) fn accept(msg: &UpdateMsg, asked: &Asked<'_>, bce: &Bce, offer: &Offer<'_>) -> AckMsg {
    let ends = msg.update.lifetime == Lifetime::ZERO;
    let lifetime = if ends { Lifetime::ZERO } else { bce.lifetime };
    let status = if ends { Status::ACCEPTED } else { bce.answer };
    // RFC 5845 7.2: only if it was set in the update, as otherwise this is not the format.
    let tlv = !ends && matches!(bce.encap, Encap::UdpGre(_));
    let flags = if tlv { BaFlags::P | BaFlags::T } else { BaFlags::P };
    let ack = BindingAck { status, flags, seq: msg.update.seq, lifetime };
    let answer = Answer {
        // A session that has just lost them is asked about those that it had.
        hnp: if bce.hnp.is_empty() { named(msg).into() } else { Cow::Borrowed(&*bce.hnp) },
        ipv4: offer.ipv4.map(|a| a.home),
        ipv4_status: Ipv4HomeStatus::SUCCESS,
        // RFC 5213 5.5 (7), RFC 4285 6: the time of the request.
        timestamp: |t| t,
        replay: |t| t,
        // That of the binding, into which one from the request went already.
        link_local: |_| bce.link_local,
    };
    let mut options = answer.options(asked);
    let mut push = |option: Option<MobilityOption<'_>>| {
        if let Some(option) = option {
            options.push(&option);
        }
    };
    if let Some(ipv4) = offer.ipv4.filter(|_| asked.ipv4.is_some()) {
        // RFC 5844 3.1.2.6
        push(Some(MobilityOption::Ipv4DefaultRouter(ipv4.default_router)));
        push(offer.dhcp_mode.map(MobilityOption::Ipv4DhcpSupportMode));
    }
    if !ends {
        push(gre_key(asked, bce));
        push(nat_detection(msg, bce).map(MobilityOption::NatDetection));
        push(offer.refresh.map(MobilityOption::RefreshAdvice));
    }
    let more = asked.more.then_some(&msg.options).into_iter().flatten();
    more.for_each(|o| match o {
        // RFC 6757 4.1: what we understood comes back.
        MobilityOption::AccessNetworkId(_) => push(Some(o)),
        MobilityOption::LmaUserPlane(_) => push(Some(MobilityOption::LmaUserPlane(Some(
            offer.user_plane.to_ipv4_mapped().map_or(offer.user_plane.into(), IpAddr::from),
        )))),
        _ => {}
    });
    finish(msg, ack, options, offer.signer)
}

/// The PBA that refuses `msg`. `clock` is our time of day.
pub(crate) fn refuse(
    msg: &UpdateMsg,
    refusal: Refusal,
    clock: MobTimestamp,
    signer: Option<Signer<'_>>,
) -> AckMsg {
    let ack = BindingAck {
        status: refusal.status,
        flags: BaFlags::P,
        // RFC 5213 5.5 (5), RFC 6275 9.5.1
        seq: refusal.last_seq.unwrap_or(msg.update.seq),
        lifetime: Lifetime::ZERO,
    };
    let answer = Answer {
        hnp: named(msg).into(),
        // RFC 5844 3.1.2.6: as in the request.
        ipv4: None,
        ipv4_status: refusal.ipv4,
        // RFC 5213 5.5 (8), (9)
        timestamp: |theirs| match refusal.status {
            Status::TIMESTAMP_MISMATCH | Status::TIMESTAMP_LOWER_THAN_PREV_ACCEPTED => clock,
            _ => theirs,
        },
        // RFC 4285 6
        replay: |theirs| match refusal.status {
            Status::MIPV6_ID_MISMATCH => auth::corrected(theirs, clock),
            _ => theirs,
        },
        link_local: |theirs| theirs,
    };
    let options = answer.options(&Asked::read(msg));
    finish(msg, ack, options, signer)
}

/// What every answer says, and how it turns what was asked into it.
struct Answer<'h, T, R, L> {
    hnp: Cow<'h, [HomePrefix]>,
    /// As in the request if `None`.
    ipv4: Option<Ipv4Home>,
    ipv4_status: Ipv4HomeStatus,
    timestamp: T,
    replay: R,
    link_local: L,
}

impl<T, R, L> Answer<'_, T, R, L>
where
    T: Fn(MobTimestamp) -> MobTimestamp,
    R: Fn(u64) -> u64,
    L: Fn(Ipv6Addr) -> Ipv6Addr,
{
    /// Echoes the request's options in the order of figure 6.
    fn options(self, echo: &Asked<'_>) -> OwnedOptions {
        let mut options = OwnedOptions::with_capacity(OPTIONS_USUAL);
        let (subtype, id) = echo.mn_id.unwrap_or((MnId::NAI, &[]));
        options.push(&MobilityOption::MnId(subtype, id));
        // RFC 5844 3.1.2.6: none if only IPv4 was asked for; else RFC 5213 5.3.6: at least one.
        if echo.ipv4.is_none() || echo.names_ipv6 {
            let at_least = if self.hnp.is_empty() { &[HomePrefix::ALL_ZERO] } else { &*self.hnp };
            for prefix in at_least {
                options.push(&MobilityOption::HomeNetworkPrefix(*prefix));
            }
        }
        if let Some(asked) = echo.ipv4 {
            let home = self.ipv4.unwrap_or(asked);
            options.push(&MobilityOption::Ipv4HomeAddressReply(self.ipv4_status, home));
        }
        let handoff = echo.handoff.unwrap_or(HandoffIndicator(0));
        options.push(&MobilityOption::HandoffIndicator(handoff));
        options.push(&MobilityOption::AccessTech(echo.att.unwrap_or(AccessTech(0))));
        if let Some(t) = echo.timestamp {
            options.push(&MobilityOption::Timestamp((self.timestamp)(t)));
        }
        if let Some(id) = echo.mn_ll_id {
            options.push(&MobilityOption::MnLinkLayerId(id));
        }
        if let Some(a) = echo.link_local {
            options.push(&MobilityOption::LinkLocal((self.link_local)(a)));
        }
        if let Some(t) = echo.replay {
            options.push(&MobilityOption::ReplayProtection((self.replay)(t)));
        }
        options
    }
}

/// The message, authenticated if the request was to be (RFC 4285 5.1.1).
fn finish(
    msg: &UpdateMsg,
    ack: BindingAck,
    mut options: OwnedOptions,
    signer: Option<Signer<'_>>,
) -> AckMsg {
    if let Some(signer) = signer {
        let all: Vec<_> = options.iter().collect();
        if let Some(data) = signer.authenticate(&ack, &all) {
            options.push(&MobilityOption::MessageAuth(AuthOption::MN_HA, signer.key.spi, &data));
        }
    }
    AckMsg { home: None, src: msg.dst, dst: msg.src, transport: msg.transport, ack, options }
}

/// The prefixes in a request, in its order.
fn named(msg: &UpdateMsg) -> Vec<HomePrefix> {
    let prefixes = msg.options.iter().filter_map(|o| match o {
        MobilityOption::HomeNetworkPrefix(p) => Some(p),
        _ => None,
    });
    prefixes.collect()
}

/// The GRE Key option: with our key if the gateway told its own (RFC 5845 3.3.1, 5.2).
fn gre_key(asked: &Asked<'_>, bce: &Bce) -> Option<MobilityOption<'static>> {
    let used = matches!(bce.encap, Encap::Gre | Encap::UdpGre(_));
    (asked.gre && used).then(|| MobilityOption::GreKey(bce.keys_in_use().uplink.map(GreKey)))
}

/// RFC 5844 4.2.2: by it a gateway knows that packets travel in UDP.
fn nat_detection(msg: &UpdateMsg, bce: &Bce) -> Option<NatDetection> {
    let port = msg.transport.udp_port()?;
    let refresh_time_s =
        if port == udp::SIGNALING_PORT { NatDetection::NO_KEEPALIVE } else { NAT_KEEPALIVE_S };
    let in_udp = matches!(bce.encap, Encap::Udp(_) | Encap::UdpGre(_));
    in_udp.then_some(NatDetection { force_udp: true, refresh_time_s })
}

/// `NATKATIMEOUT` (RFC 5555 6.4), in seconds.
const NAT_KEEPALIVE_S: u32 = 110;

/// What of a request stands in its PBA, or decides what does. Of each option the first counts, as
/// when the request was read.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // options that are there or not
pub(crate) struct Asked<'a> {
    mn_id: Option<(u8, &'a [u8])>,
    handoff: Option<HandoffIndicator>,
    att: Option<AccessTech>,
    mn_ll_id: Option<&'a [u8]>,
    timestamp: Option<MobTimestamp>,
    link_local: Option<Ipv6Addr>,
    replay: Option<u64>,
    /// The IPv4 home address that it asks for.
    pub(crate) ipv4: Option<Ipv4Home>,
    names_ipv6: bool,
    gre: bool,
    /// It names a key with which it is authenticated (RFC 4285 5.1).
    pub(crate) signed: bool,
    /// There are options that are answered one by one.
    more: bool,
}

impl<'a> Asked<'a> {
    pub(crate) fn read(msg: &'a UpdateMsg) -> Self {
        let mut asked = Self::default();
        msg.options.iter().for_each(|option| asked.take(option));
        asked
    }

    fn take(&mut self, option: MobilityOption<'a>) {
        match option {
            MobilityOption::MnId(subtype, id) => self.mn_id = self.mn_id.or(Some((subtype, id))),
            MobilityOption::HandoffIndicator(v) => self.handoff = self.handoff.or(Some(v)),
            MobilityOption::AccessTech(v) => self.att = self.att.or(Some(v)),
            MobilityOption::MnLinkLayerId(id) => self.mn_ll_id = self.mn_ll_id.or(Some(id)),
            MobilityOption::Timestamp(t) => self.timestamp = self.timestamp.or(Some(t)),
            MobilityOption::LinkLocal(a) => self.link_local = self.link_local.or(Some(a)),
            MobilityOption::ReplayProtection(t) => self.replay = self.replay.or(Some(t)),
            MobilityOption::Ipv4HomeAddressRequest(home) => self.ipv4 = self.ipv4.or(Some(home)),
            MobilityOption::HomeNetworkPrefix(_) => self.names_ipv6 = true,
            MobilityOption::GreKey(_) => self.gre = true,
            MobilityOption::MessageAuth(AuthOption::MN_HA, ..) => self.signed = true,
            MobilityOption::AccessNetworkId(_) | MobilityOption::LmaUserPlane(_) => {
                self.more = true;
            }
            _ => {}
        }
    }
}

/// Room for the options of an answer, in bytes: more than most take.
const OPTIONS_USUAL: usize = 128;
