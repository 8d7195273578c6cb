//! The Proxy Binding Acknowledgement, constructed as RFC 5213 5.3.6 says and in its order.

use crate::addr::{HomePrefix, MnId};
use crate::mobility::binding::Bce;
use crate::mobility::message::{AckMsg, OwnedOptions, UpdateMsg};
use crate::time::{Lifetime, MobTimestamp};
use crate::wire::mh::{
    AccessTech, BaFlags, BindingAck, HandoffIndicator, MobilityOption, SeqNo, Status,
};
use std::net::Ipv6Addr;

/// A refusal: why, and what the PBA says besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: Status,
    /// The last accepted sequence number, where that is the reason (RFC 6275 9.5.1).
    pub(crate) last_seq: Option<SeqNo>,
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self { status, last_seq: None }
    }
}

/// The PBA that accepts `msg` for the session `bce` as it is now.
pub(crate) fn accept(msg: &UpdateMsg, bce: &Bce) -> AckMsg {
    let lifetime =
        if msg.update.lifetime == Lifetime::ZERO { Lifetime::ZERO } else { bce.lifetime };
    let ack =
        BindingAck { status: Status::ACCEPTED, flags: BaFlags::P, seq: msg.update.seq, lifetime };
    // RFC 5213 5.5 (7): the timestamp of the request. Link-local address: that of the binding, into
    // which one from the request went already.
    build(msg, ack, bce.hnp.iter().copied(), |t| t, |_| bce.link_local)
}

/// The PBA that refuses `msg`. `clock` is our time of day.
pub(crate) fn refuse(msg: &UpdateMsg, refusal: Refusal, clock: MobTimestamp) -> AckMsg {
    let ack = BindingAck {
        status: refusal.status,
        flags: BaFlags::P,
        // RFC 5213 5.5 (5), RFC 6275 9.5.1
        seq: refusal.last_seq.unwrap_or(msg.update.seq),
        lifetime: Lifetime::ZERO,
    };
    let hnp = msg.options.iter().filter_map(|o| match o {
        MobilityOption::HomeNetworkPrefix(p) => Some(p),
        _ => None,
    });
    // RFC 5213 5.5 (8), (9)
    let timestamp = |theirs| match refusal.status {
        Status::TIMESTAMP_MISMATCH | Status::TIMESTAMP_LOWER_THAN_PREV_ACCEPTED => clock,
        _ => theirs,
    };
    build(msg, ack, hnp, timestamp, |theirs| theirs)
}

/// Echoes the request's options in the order of figure 6; `timestamp` and `link_local` turn what
/// was asked into what is answered. At least one Home Network Prefix option: `ALL_ZERO` if `hnp`
/// gives none.
fn build(
    msg: &UpdateMsg,
    ack: BindingAck,
    hnp: impl Iterator<Item = HomePrefix>,
    timestamp: impl Fn(MobTimestamp) -> MobTimestamp,
    link_local: impl Fn(Ipv6Addr) -> Ipv6Addr,
) -> AckMsg {
    let mut echo = Echo::default();
    // The first of each counts, as when it was read.
    for option in &msg.options {
        let place = match option {
            MobilityOption::MnId(..) => &mut echo.mn_id,
            MobilityOption::HandoffIndicator(_) => &mut echo.handoff,
            MobilityOption::AccessTech(_) => &mut echo.att,
            MobilityOption::Timestamp(_) => &mut echo.timestamp,
            MobilityOption::MnLinkLayerId(_) => &mut echo.mn_ll_id,
            MobilityOption::LinkLocal(_) => &mut echo.link_local,
            _ => continue,
        };
        place.get_or_insert(option);
    }
    let mut options = vec![echo.mn_id.unwrap_or(MobilityOption::MnId(MnId::NAI, &[]))];
    options.extend(hnp.map(MobilityOption::HomeNetworkPrefix));
    if options.len() == 1 {
        let all_zero = HomePrefix::truncating(Ipv6Addr::UNSPECIFIED, 0);
        options.extend(all_zero.map(MobilityOption::HomeNetworkPrefix));
    }
    let no_handoff = MobilityOption::HandoffIndicator(HandoffIndicator(0));
    options.push(echo.handoff.unwrap_or(no_handoff));
    options.push(echo.att.unwrap_or(MobilityOption::AccessTech(AccessTech(0))));
    options.extend(echo.timestamp.map(|o| match o {
        MobilityOption::Timestamp(t) => MobilityOption::Timestamp(timestamp(t)),
        other => other,
    }));
    options.extend(echo.mn_ll_id);
    options.extend(echo.link_local.map(|o| match o {
        MobilityOption::LinkLocal(a) => MobilityOption::LinkLocal(link_local(a)),
        other => other,
    }));
    AckMsg {
        src: msg.dst,
        dst: msg.src,
        transport: msg.transport,
        ack,
        // Every option here was parsed or is of fixed size, so none can be too long.
        options: OwnedOptions::from_options(&options).unwrap_or_default(),
    }
}

/// The options of a request that stand in its PBA.
#[derive(Debug, Default)]
struct Echo<'a> {
    mn_id: Option<MobilityOption<'a>>,
    handoff: Option<MobilityOption<'a>>,
    att: Option<MobilityOption<'a>>,
    timestamp: Option<MobilityOption<'a>>,
    mn_ll_id: Option<MobilityOption<'a>>,
    link_local: Option<MobilityOption<'a>>,
}
