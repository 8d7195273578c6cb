//! The Binding Acknowledgement, as RFC 6275 9.5.4 and 10.3 say, with what RFC 3963, RFC 4285 and
//! RFC 5555 add.

use crate::addr::HomePrefix;
use crate::mobility::auth::{self, Signer};
use crate::mobility::message::{AckMsg, OwnedOptions, Transport, UpdateMsg};
use crate::time::{Lifetime, MobTimestamp};
use crate::wire::mh::{
    AuthOption, BaFlags, BindingAck, BuFlags, Ipv4Home, Ipv4HomeStatus, MobilityOption,
    NatDetection, SeqNo, Status,
};
use std::net::Ipv6Addr;

/// What an acknowledgement says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    pub(super) status: Status,
    /// The last accepted one, if the update's own is the reason of a refusal.
    pub(super) seq: SeqNo,
    pub(super) lifetime: Lifetime,
    /// What became of each IPv4 home address that was asked for.
    pub(super) ipv4: &'a [(Ipv4HomeStatus, Ipv4Home)],
    /// RFC 5555 3.2.2
    pub(super) nat: Option<NatDetection>,
    /// Our time of day: for who has another one (RFC 4285 6).
    pub(super) clock: MobTimestamp,
    pub(super) signer: Option<Signer<'a>>,
}

/// The acknowledgement of `msg`. It goes to where that came from; by a type 2 routing header with
/// the home address, unless it came from there (9.5.4).
pub(super) fn acknowledge(msg: &UpdateMsg, answer: &Answer<'_>) -> AckMsg {
    let router = msg.update.flags.contains(BuFlags::R);
    let ack = BindingAck {
        status: answer.status,
        // 10.3.1: we keep no security association that moves by itself, so K stays clear; RFC 3963
        // 4.2: R as in the update.
        flags: if router { BaFlags::R } else { BaFlags::default() },
        seq: answer.seq,
        lifetime: answer.lifetime,
    };
    let mut options = Vec::with_capacity(OPTIONS_USUAL);
    for option in &msg.options {
        match option {
            // RFC 4285 6: the time of the update, or ours in its upper half.
            MobilityOption::ReplayProtection(time) => {
                let mismatch = answer.status == Status::MIPV6_ID_MISMATCH;
                let time = if mismatch { auth::corrected(time, answer.clock) } else { time };
                options.push(MobilityOption::ReplayProtection(time));
            }
            MobilityOption::MnId(..) => options.push(option),
            // RFC 5648 6.2: copied but for the status, which is that of the acknowledgement.
            MobilityOption::BindingIdentifier(id, _, _) => {
                options.push(MobilityOption::BindingIdentifier(id, 0, &[]));
            }
            _ => {}
        }
    }
    let ipv4 = answer.ipv4.iter();
    options.extend(ipv4.map(|(status, home)| MobilityOption::Ipv4AddressAck(*status, *home)));
    options.extend(answer.nat.map(MobilityOption::NatDetection));
    let signed = answer.signer.and_then(|s| Some((s.key.spi, s.authenticate(&ack, &options)?)));
    if let Some((spi, data)) = &signed {
        options.push(MobilityOption::MessageAuth(AuthOption::MN_HA, *spi, data));
    }
    AckMsg {
        src: msg.dst,
        dst: msg.src,
        home: route(msg),
        transport: msg.transport,
        ack,
        // Every option here was parsed or is of fixed size, so none can be too long.
        options: OwnedOptions::from_options(&options).unwrap_or_default(),
    }
}

/// The home address that an answer needs to find its node: none if the node sent from it.
fn route(msg: &UpdateMsg) -> Option<Ipv6Addr> {
    let dsmip = matches!(msg.transport, Transport::Dsmip { .. });
    msg.home.filter(|home| dsmip || *home != msg.src)
}

/// What a NAT Detection option says: there is one in each answer that UDP carries (RFC 5555 4.2),
/// and where there is one, packets go in UDP (4.4.2). Without a NAT it is we who want that.
pub(super) fn nat_detection(
    msg: &UpdateMsg,
    translated: bool,
    keepalive_s: u32,
) -> Option<NatDetection> {
    matches!(msg.transport, Transport::Dsmip { .. }).then_some(NatDetection {
        force_udp: !translated,
        refresh_time_s: if translated { keepalive_s } else { NatDetection::NO_KEEPALIVE },
    })
}

/// An IPv4 home address as an option has it.
pub(super) fn ipv4_home(prefix: HomePrefix) -> Ipv4Home {
    prefix.to_ipv4().and_then(|(a, len)| Ipv4Home::new(a, len)).unwrap_or(Ipv4Home::ANY)
}

/// Room for the options of an answer: more than most have.
const OPTIONS_USUAL: usize = 6;
