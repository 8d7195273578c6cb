//! Messages that a gateway could send: well-formed, with any values and any options.

use super::Input;
use super::setup::{
    LMA, LMA_IPV4, SECRET, SERVICES, SPI, ipv4, mag, mag_address, mag_address_ipv4, node, prefix,
};
use anchord::addr::GreKey;
use anchord::mobility::message::{OwnedOptions, PeerBody, PeerMsg, Transport, UpdateMsg};
use anchord::time::{Lifetime, MobTimestamp, Now};
use anchord::wire::mh::{
    AccessTech, AuthOption, BindingError, BindingRevocationAck, BindingRevocationIndication,
    BindingUpdate, BuFlags, DhcpSupportMode, HandoffIndicator, Heartbeat, HeartbeatFlags, Ipv4Home,
    MAX_LEN, MessageData, MobilityOption, NatDetection, RevocationFlags, RevocationStatus,
    RevocationTrigger, SeqNo,
};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Source, destination and what carries a message from a gateway.
fn way(input: &mut Input<'_>) -> (Ipv6Addr, Ipv6Addr, Transport) {
    let n = mag(input);
    match input.below(4) {
        3 => (
            mag_address_ipv4(n).to_ipv6_mapped(),
            LMA_IPV4.to_ipv6_mapped(),
            Transport::Udp([5436, 1024][usize::from(input.below(2))]),
        ),
        _ => (mag_address(n), LMA, Transport::Ipv6),
    }
}

/// An update with these fields; each option may be there or not.
pub(super) fn update(input: &mut Input<'_>, now: Now) -> UpdateMsg {
    let present = input.byte();
    let id = node(input);
    let link_layer = [2, 0, 0, 0, 0, input.below(3)];
    let mut options = Vec::new();
    // Mostly there: an update without it ends at once.
    if present & 0x03 != 0x03 {
        options.push(MobilityOption::MnId(id.subtype(), id.bytes()));
    }
    for _ in 0..match present & 0x0c {
        0x0c => 0,
        0x08 => 2,
        _ => 1,
    } {
        options.push(MobilityOption::HomeNetworkPrefix(prefix(input)));
    }
    if present & 0x10 == 0 {
        let hint = HandoffIndicator(input.below(7));
        options.push(MobilityOption::HandoffIndicator(hint));
        options.push(MobilityOption::AccessTech(AccessTech(input.below(3))));
    }
    if present & 0x20 != 0 {
        options.push(MobilityOption::MnLinkLayerId(&link_layer));
    }
    if present & 0x40 != 0 {
        for _ in 0..=input.below(3) {
            options.push(extra(input, now));
        }
    }
    if present & 0x80 != 0 {
        options.push(MobilityOption::Timestamp(near(input, now)));
    }
    let seq = SeqNo(u16::from(input.byte()) << 8 | 0x42);
    let lifetime = Lifetime(u16::from(input.below(20)));
    let more = [0, BuFlags::F.0, BuFlags::T.0, BuFlags::F.0 | BuFlags::T.0, BuFlags::R.0];
    let more = more[usize::from(input.below(5))];
    let update =
        BindingUpdate { seq, flags: BuFlags(BuFlags::A.0 | BuFlags::P.0 | more), lifetime };
    let (src, dst, transport) = way(input);
    let (options, header) = signed(input, update, &options, (src, src));
    UpdateMsg { home: None, src, dst, transport, update, options, header }
}

/// What only some updates have.
fn extra(input: &mut Input<'_>, now: Now) -> MobilityOption<'static> {
    use MobilityOption as O;
    match input.below(17) {
        0..=2 => O::Ipv4HomeAddressRequest(ipv4_home(input)),
        3 => O::GreKey(None),
        4 | 5 => O::GreKey(Some(GreKey(input.byte().into()))),
        6 => match SERVICES.get(usize::from(input.below(4))) {
            Some(name) => O::ServiceSelection(name.as_bytes()),
            None => O::ServiceSelection(b"\xff\xfe"),
        },
        7 => O::NatDetection(NatDetection {
            force_udp: input.below(2) == 1,
            refresh_time_s: u32::from(input.byte()),
        }),
        8 => O::AlternateCoa(mag_address(mag(input))),
        9 => O::AlternateIpv4Coa(mag_address_ipv4(mag(input))),
        10 => O::LmaUserPlane(match input.below(3) {
            0 => None,
            1 => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            _ => Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        }),
        11 => {
            let all = [DhcpSupportMode::Relay, DhcpSupportMode::Server];
            O::Ipv4DhcpSupportMode(all[usize::from(input.below(2))])
        }
        12 => O::Vendor(input.byte().into(), input.byte(), b"kept"),
        13 => O::RestartCounter(input.below(3).into()),
        14 => O::ReplayProtection(near_ntp(input, now)),
        15 => {
            let last = u16::from(input.below(3));
            O::LinkLocal(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last))
        }
        _ => O::Unknown(200, b"survives"),
    }
}

fn ipv4_home(input: &mut Input<'_>) -> Ipv4Home {
    let addr = ipv4(input);
    let len = [32, 29, 0][usize::from(input.below(3))];
    Ipv4Home::new(addr, len).expect("a length below 33")
}

/// Around the edges of the window: 128 steps of 1/256 s before, and after.
fn near(input: &mut Input<'_>, now: Now) -> MobTimestamp {
    let skew = (u64::from(input.byte()) << 8).wrapping_sub(128 << 8);
    MobTimestamp(now.wall.0.wrapping_add(skew))
}

/// The same as RFC 4285 6 has it, which counts from 1900.
pub(super) fn near_ntp(input: &mut Input<'_>, now: Now) -> u64 {
    let time = near(input, now).0;
    (((time >> 16) + 2_208_988_800) << 32) | ((time & 0xffff) << 16)
}

/// The options with an authentication option behind them, if there is to be one, and the header in
/// which that stands. It is about a care-of address and a home address.
pub(super) fn signed(
    input: &mut Input<'_>,
    update: BindingUpdate,
    options: &[MobilityOption<'_>],
    (care_of, home): (Ipv6Addr, Ipv6Addr),
) -> (OwnedOptions, Box<[u8]>) {
    let owned = |options: &[_]| OwnedOptions::from_options(options).expect("short options");
    // Right, wrong, by a key that nobody has; mostly none.
    let (spi, flip) = match input.below(8) {
        0 | 1 => (SPI, 0),
        2 => (SPI, 1),
        3 => (SPI + 1, 0),
        _ => return (owned(options), Box::default()),
    };
    let unsigned = header_of(update, options, spi, &[0; 12]);
    let found = AuthOption::find(&unsigned, AuthOption::MN_HA).ok().flatten();
    let (care_of, home) = (care_of.octets(), home.octets());
    let mut mac = Hmac::<Sha1>::new_from_slice(&SECRET).expect("a key");
    for piece in found.expect("just added").mobility_data(&care_of, &home, &unsigned) {
        mac.update(piece);
    }
    let mut data = [0; 12];
    data.copy_from_slice(&mac.finalize().into_bytes()[..12]);
    data[0] ^= flip;
    let header = header_of(update, options, spi, &data);
    (owned(&with_auth(options, spi, &data)), header)
}

fn header_of(
    update: BindingUpdate,
    options: &[MobilityOption<'_>],
    spi: u32,
    data: &[u8],
) -> Box<[u8]> {
    let mut header = [0; MAX_LEN];
    let options = with_auth(options, spi, data);
    let len = update.emit_in_udp(&options, &mut header).expect("short options");
    header[..len].into()
}

fn with_auth<'o>(
    options: &[MobilityOption<'o>],
    spi: u32,
    data: &'o [u8],
) -> Vec<MobilityOption<'o>> {
    let last = MobilityOption::MessageAuth(AuthOption::MN_HA, spi, data);
    options.iter().copied().chain([last]).collect()
}

/// An update whose options are the next bytes, if those are options.
pub(super) fn raw_update(input: &mut Input<'_>) -> Option<UpdateMsg> {
    let (src, dst, transport) = way(input);
    let options = raw_options(input)?;
    let update = BindingUpdate { flags: BuFlags(0x8200), ..BindingUpdate::default() };
    Some(UpdateMsg { home: None, src, dst, transport, update, options, header: Box::default() })
}

pub(super) fn raw_options(input: &mut Input<'_>) -> Option<OwnedOptions> {
    let len = usize::from(input.byte()).min(input.0.len());
    let (options, rest) = input.0.split_at(len);
    input.0 = rest;
    OwnedOptions::try_from(options.to_vec()).ok()
}

/// A message that is no update, asked for by nobody.
pub(super) fn peer(input: &mut Input<'_>) -> Option<PeerMsg> {
    let (src, dst, transport) = way(input);
    let seq = SeqNo(u16::from(input.byte()));
    let flags = RevocationFlags(u16::from(input.below(8)) << 13);
    let body = match input.below(5) {
        0 | 1 => {
            let trigger = RevocationTrigger([0, 1, 4, 7, 128, 129][usize::from(input.below(6))]);
            PeerBody::Bri(BindingRevocationIndication { trigger, seq, flags })
        }
        2 => {
            let status = RevocationStatus(input.byte());
            PeerBody::Bra(BindingRevocationAck { status, seq, flags })
        }
        3 => {
            let flags = HeartbeatFlags(u16::from(input.below(4)));
            PeerBody::Heartbeat(Heartbeat { flags, seq: seq.0.into() })
        }
        _ => PeerBody::BindingError(BindingError { status: input.below(4), home_address: src }),
    };
    let options = match input.below(4) {
        0 => raw_options(input)?,
        n => peer_options(input, n),
    };
    Some(PeerMsg { node: None, src, dst, transport, body, options })
}

fn peer_options(input: &mut Input<'_>, n: u8) -> OwnedOptions {
    let id = node(input);
    let mut options = vec![MobilityOption::MnId(id.subtype(), id.bytes())];
    if n > 1 {
        options.push(MobilityOption::HomeNetworkPrefix(prefix(input)));
    }
    if n > 2 {
        options.push(MobilityOption::RestartCounter(input.below(3).into()));
        options.push(MobilityOption::AlternateCoa(mag_address(mag(input))));
    }
    OwnedOptions::from_options(&options).expect("short options")
}

/// What a gateway answers to a message of ours: mostly as it should.
pub(super) fn answer(input: &mut Input<'_>, sent: &PeerMsg) -> PeerMsg {
    let restart = [MobilityOption::RestartCounter(input.below(3).into())];
    let (body, options) = match sent.body {
        PeerBody::Bri(bri) => {
            let status = RevocationStatus([0, 1, 128, 130, 131, 133][usize::from(input.below(6))]);
            let ack = BindingRevocationAck { status, seq: bri.seq, flags: bri.flags };
            (PeerBody::Bra(ack), sent.options.clone())
        }
        PeerBody::Heartbeat(heartbeat) => {
            let flags = HeartbeatFlags(heartbeat.flags.0 | HeartbeatFlags::R.0);
            let options = OwnedOptions::from_options(&restart).expect("short options");
            (PeerBody::Heartbeat(Heartbeat { flags, ..heartbeat }), options)
        }
        other => (other, sent.options.clone()),
    };
    PeerMsg { node: None, src: sent.dst, dst: sent.src, transport: sent.transport, body, options }
}
