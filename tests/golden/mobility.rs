//! What we emit as Mobility Headers is dissected by tshark: an independent opinion on every field.

use super::tshark::{LMA, dissect, frame};
use super::{Fixed, Golden, MAG, WHEN, emit, goldens};
use anchord::wire::mh::{self, AniSubOption, BaFlags, BuFlags, DhcpSupportMode, HeartbeatFlags};
use anchord::wire::mh::{MobilityOption, RevocationFlags};

const FIELDS: [&str; 56] = [
    "_ws.malformed",
    "_ws.expert.message",
    "mip6.mhtype",
    "mip6.bu.seqnr",
    "mip6.bu.p_flag",
    "mip6.bu.f_flag",
    "mip6.bu.t_flag",
    "mip6.bu.lifetime",
    "mip6.ba.status",
    "mip6.ba.p_flag",
    "mip6.ba.t_flag",
    "mip6.ba.seqnr",
    "mip6.ba.lifetime",
    "mip6.be.status",
    "mip6.hb.u_flag",
    "mip6.hb.r_flag",
    "mip6.hb.seqnr",
    "mip6.bri_br.type",
    "mip6.bri_r.trigger",
    "mip6.bri_status",
    "mip6.bri_seqnr",
    "mip6.bri_ip",
    "mip6.bri_iv",
    "mip6.bri_ig",
    "mip6.bri_ap",
    "mip6.bri_av",
    "mip6.bri_ag",
    "mip6.mnid.subtype",
    "mip6.mnid.identifier",
    "mip6.nemo.mnp.mnp",
    "mip6.nemo.mnp.pfl",
    "mip6.hi",
    "mip6.att",
    "mip6.mnlli.lli",
    "mip6.lila_lla",
    "mip6.timestamp_tmp",
    "mip6.acoa.acoa",
    "mip6.bra.interval",
    "mip6.rc",
    "mip6.natd.f_flag",
    "mip6.natd.refresh_t",
    "mip6.gre_key",
    "mip6.ipv4ha.preflen",
    "mip6.ipv4ha.ha",
    "mip6.ipv4aa.sts",
    "mip6.ipv4dra.dra",
    "mip6.ipv4dsm.s_flag",
    "mip6.alt_ip4",
    "mip6.auth.subtype",
    "mip6.auth.mobility_spi",
    "mip6.auth.auth_data",
    "mip6.acc_net_id.net_name",
    "mip6.acc_net_id.ap_name",
    "mip6.acc_net_id.geo.latitude_degrees",
    "mip6.acc_net_id.geo.longitude_degrees",
    "mip6.acc_net_id.op_id",
];

fn flag(set: bool) -> String {
    u8::from(set).to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().concat()
}

/// What we meant by a field of the fixed part; `None` if the message has no such field.
fn fixed_value(field: &str, fixed: Fixed) -> Option<String> {
    use RevocationFlags as R;
    let number = |n: u32| Some(n.to_string());
    match (field, fixed) {
        ("mhtype", Fixed::Brr) => number(0),
        ("mhtype", Fixed::Bu(_)) => number(5),
        ("mhtype", Fixed::Ba(_)) => number(6),
        ("mhtype", Fixed::Be(_)) => number(7),
        ("mhtype", Fixed::Heartbeat(_)) => number(13),
        ("mhtype", Fixed::Bri(_) | Fixed::Bra(_)) => number(16),
        ("bu.seqnr", Fixed::Bu(m)) => number(m.seq.0.into()),
        ("bu.p_flag", Fixed::Bu(m)) => Some(flag(m.flags.contains(BuFlags::P))),
        ("bu.f_flag", Fixed::Bu(m)) => Some(flag(m.flags.contains(BuFlags::F))),
        ("bu.t_flag", Fixed::Bu(m)) => Some(flag(m.flags.contains(BuFlags::T))),
        ("bu.lifetime", Fixed::Bu(m)) => number(m.lifetime.0.into()),
        ("ba.status", Fixed::Ba(m)) => number(m.status.0.into()),
        ("ba.p_flag", Fixed::Ba(m)) => Some(flag(m.flags.contains(BaFlags::P))),
        ("ba.t_flag", Fixed::Ba(m)) => Some(flag(m.flags.contains(BaFlags::T))),
        ("ba.seqnr", Fixed::Ba(m)) => number(m.seq.0.into()),
        ("ba.lifetime", Fixed::Ba(m)) => number(m.lifetime.0.into()),
        ("be.status", Fixed::Be(m)) => number(m.status.into()),
        ("hb.u_flag", Fixed::Heartbeat(m)) => Some(flag(m.flags.contains(HeartbeatFlags::U))),
        ("hb.r_flag", Fixed::Heartbeat(m)) => Some(flag(m.flags.contains(HeartbeatFlags::R))),
        ("hb.seqnr", Fixed::Heartbeat(m)) => number(m.seq),
        ("bri_br.type", Fixed::Bri(_)) => number(1),
        ("bri_br.type", Fixed::Bra(_)) => number(2),
        ("bri_r.trigger", Fixed::Bri(m)) => number(m.trigger.0.into()),
        ("bri_status", Fixed::Bra(m)) => number(m.status.0.into()),
        ("bri_seqnr", Fixed::Bri(m)) => number(m.seq.0.into()),
        ("bri_seqnr", Fixed::Bra(m)) => number(m.seq.0.into()),
        ("bri_ip", Fixed::Bri(m)) => Some(flag(m.flags.contains(R::P))),
        ("bri_iv", Fixed::Bri(m)) => Some(flag(m.flags.contains(R::V))),
        ("bri_ig", Fixed::Bri(m)) => Some(flag(m.flags.contains(R::G))),
        ("bri_ap", Fixed::Bra(m)) => Some(flag(m.flags.contains(R::P))),
        ("bri_av", Fixed::Bra(m)) => Some(flag(m.flags.contains(R::V))),
        ("bri_ag", Fixed::Bra(m)) => Some(flag(m.flags.contains(R::G))),
        _ => None,
    }
}

/// What we meant by a field of an option; `None` if the option has no such field.
fn option_value(field: &str, option: &MobilityOption<'_>) -> Option<String> {
    use MobilityOption as O;
    match (field, option) {
        // tshark shows text up to its first zero.
        ("mnid.identifier", O::MnId(_, [0, ..] | [])) => None,
        ("mnid.identifier", O::MnId(_, id)) => Some(String::from_utf8_lossy(id).into()),
        ("mnid.subtype", O::MnId(subtype, _)) | ("auth.subtype", O::MessageAuth(subtype, ..)) => {
            Some(subtype.to_string())
        }
        ("nemo.mnp.mnp", O::HomeNetworkPrefix(p)) => Some(p.addr().to_string()),
        ("nemo.mnp.pfl", O::HomeNetworkPrefix(p)) => Some(p.len().to_string()),
        ("hi", O::HandoffIndicator(v)) => Some(v.0.to_string()),
        ("att", O::AccessTech(v)) => Some(v.0.to_string()),
        ("mnlli.lli", O::MnLinkLayerId(id)) => Some(hex(id)),
        ("lila_lla", O::LinkLocal(a)) | ("acoa.acoa", O::AlternateCoa(a)) => Some(a.to_string()),
        ("timestamp_tmp", _) if *option == WHEN => {
            Some("Nov 20, 2026 23:59:59.500000000 UTC".into())
        }
        ("bra.interval", O::RefreshAdvice(i)) => Some(i.0.to_string()),
        ("rc", O::RestartCounter(n)) => Some(n.to_string()),
        ("natd.f_flag", O::NatDetection(nat)) => Some(flag(nat.force_udp)),
        ("natd.refresh_t", O::NatDetection(nat)) => Some(nat.refresh_time_s.to_string()),
        ("gre_key", O::GreKey(key)) => key.map(|k| k.0.to_string()),
        ("ipv4ha.preflen", O::Ipv4HomeAddressRequest(h) | O::Ipv4HomeAddressReply(_, h)) => {
            Some(h.prefix_len().to_string())
        }
        ("ipv4ha.ha", O::Ipv4HomeAddressRequest(h) | O::Ipv4HomeAddressReply(_, h)) => {
            Some(h.addr().to_string())
        }
        ("ipv4aa.sts", O::Ipv4HomeAddressReply(status, _)) => Some(status.0.to_string()),
        ("ipv4dra.dra", O::Ipv4DefaultRouter(a)) | ("alt_ip4", O::AlternateIpv4Coa(a)) => {
            Some(a.to_string())
        }
        ("ipv4dsm.s_flag", O::Ipv4DhcpSupportMode(mode)) => {
            Some(flag(*mode == DhcpSupportMode::Server))
        }
        ("auth.mobility_spi", O::MessageAuth(_, spi, _)) => Some(spi.to_string()),
        // tshark leaves out the last two bytes.
        ("auth.auth_data", O::MessageAuth(_, _, data)) => Some(hex(&data[..data.len() - 2])),
        (_, O::AccessNetworkId(ani)) => ani.iter().find_map(|sub| access_network(field, sub)),
        _ => None,
    }
}

fn access_network(field: &str, sub: AniSubOption<'_>) -> Option<String> {
    use AniSubOption as A;
    let text = |bytes: &[u8]| Some(String::from_utf8_lossy(bytes).into());
    match (field.strip_prefix("acc_net_id.")?, sub) {
        ("net_name", A::Network { name, .. }) => text(name),
        ("ap_name", A::Network { access_point, .. }) => text(access_point),
        ("geo.latitude_degrees", A::GeoLocation { latitude, .. }) => Some(latitude.to_string()),
        ("geo.longitude_degrees", A::GeoLocation { longitude, .. }) => Some(longitude.to_string()),
        ("op_id", A::Operator(_, id)) => Some(hex(id)),
        _ => None,
    }
}

/// The values of [`FIELDS`] that we meant.
fn meant(golden: &Golden) -> Vec<String> {
    // What the RFCs want and tshark does not know, see README.md.
    let notes = match golden.name {
        "pba-missing-mn-id" => {
            "Mobile Node Identifier (with option length = 1 byte; should be >= 2)"
        }
        "pbu-vendor-and-unknown" => "IE data not dissected yet IE data not dissected yet",
        "pbu-ipv4-gre-udp" | "pba-ipv4-gre-udp" | "pbu-gre-without-key" => {
            "IE data not dissected yet"
        }
        _ => "",
    };
    let value = |field: &&str| match (*field, field.strip_prefix("mip6.")) {
        ("_ws.expert.message", _) => notes.into(),
        (_, Some(field)) => {
            let options = golden.options.iter().filter_map(|o| option_value(field, o));
            let all: Vec<_> = fixed_value(field, golden.fixed).into_iter().chain(options).collect();
            all.join(" ")
        }
        _ => String::new(),
    };
    FIELDS.iter().map(value).collect()
}

#[test]
fn tshark_finds_in_our_messages_what_we_meant() {
    let goldens = goldens();
    let make = |g: &Golden| frame(MAG, LMA, mh::NEXT_HEADER, &emit(g.fixed, &g.options, MAG, LMA));
    let frames: Vec<_> = goldens.iter().map(make).collect();
    let Some(rows) = dissect("mobility", &frames, &FIELDS) else { return };
    for (golden, row) in goldens.iter().zip(rows) {
        let meant = meant(golden);
        for (field, (found, meant)) in FIELDS.iter().zip(row.iter().zip(&meant)) {
            assert_eq!(found, meant, "{}: {field}", golden.name);
        }
    }
}
