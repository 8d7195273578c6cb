//! What we emit is dissected by tshark: an independent opinion on every field.

use super::{Fixed, Golden, goldens};
use super::{MAG, MAG_LINK_LOCAL, MN, WHEN, emit, env, ipv6, pcap};
use anchord::addr::MacAddr;
use anchord::wire::ether::{self, EtherHeader};
use anchord::wire::icmpv6::ndp::{NeighborSolicitation, PrefixInformation, RouterAdvertisement};
use anchord::wire::icmpv6::{self, ERROR_HEADER_LEN, ErrorMessage, Unreachable, ndp};
use anchord::wire::ipv6::Ipv6Header;
use anchord::wire::mh::{self, MobilityOption};
use std::net::Ipv6Addr;
use std::process::{self, Command};

const LMA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 1);
const MAG_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const MN_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

/// An Ethernet frame with an IPv6 packet that carries `payload`.
fn frame(src: Ipv6Addr, dst: Ipv6Addr, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let header = Ipv6Header {
        traffic_class: 0,
        flow_label: 0,
        payload_len: u16::try_from(payload.len()).expect("short"),
        next_header,
        hop_limit: 255,
        src,
        dst,
    };
    let mut packet = vec![0; ipv6::HEADER_LEN];
    header.emit(&mut packet).expect("fits");
    packet.extend(payload);
    ethernet(&packet)
}

fn ethernet(packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; ether::HEADER_LEN];
    let header = EtherHeader { dst: MN_MAC, src: MAG_MAC, ether_type: ether::IPV6 };
    header.emit(&mut frame).expect("fits");
    frame.extend(packet);
    frame
}

/// Runs tshark over these frames; a line of tab-separated `fields` for each. `None`, said aloud,
/// where there is no tshark.
fn dissect(name: &str, frames: &[Vec<u8>], fields: &[&str]) -> Option<Vec<Vec<String>>> {
    let path = env::temp_dir().join(format!("anchord-{name}-{}.pcap", process::id()));
    pcap::write(&path, frames).expect("a capture in the temporary directory");
    let fields = fields.iter().flat_map(|f| ["-e", f]);
    let options = ["-T", "fields", "-E", "occurrence=a", "-E", "aggregator= ", "-r"];
    let run = Command::new("tshark").args(options).arg(&path).args(fields).output();
    std::fs::remove_file(&path).expect("our own file");
    let output = match run {
        Ok(output) => output,
        Err(e) => {
            eprintln!("SKIP {name}: tshark does not run: {e}");
            return None;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let rows = text.lines().map(|l| l.split('\t').map(Into::into).collect());
    let rows: Vec<Vec<String>> = rows.collect();
    assert_eq!(rows.len(), frames.len());
    Some(rows)
}

const MH_FIELDS: [&str; 21] = [
    "_ws.malformed",
    "_ws.expert.message",
    "mip6.mhtype",
    "mip6.bu.seqnr",
    "mip6.bu.p_flag",
    "mip6.bu.lifetime",
    "mip6.ba.status",
    "mip6.ba.p_flag",
    "mip6.ba.seqnr",
    "mip6.ba.lifetime",
    "mip6.be.status",
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
];

/// The values of [`MH_FIELDS`] that we meant.
fn meant(golden: &Golden) -> Vec<String> {
    use MobilityOption as O;
    let flag = |set: bool| u8::from(set).to_string();
    let mut bu = vec![String::new(); 3];
    let mut ba = vec![String::new(); 4];
    let mut be = String::new();
    let kind = match golden.fixed {
        Fixed::Brr => 0,
        Fixed::Bu(m) => {
            let p = m.flags.contains(mh::BuFlags::P);
            bu = vec![m.seq.0.to_string(), flag(p), m.lifetime.0.to_string()];
            5
        }
        Fixed::Ba(m) => {
            let p = m.flags.contains(mh::BaFlags::P);
            ba = vec![
                m.status.0.to_string(),
                flag(p),
                m.seq.0.to_string(),
                m.lifetime.0.to_string(),
            ];
            6
        }
        Fixed::Be(m) => {
            be = m.status.to_string();
            7
        }
        Fixed::Heartbeat(_) => 13,
        Fixed::Bri(_) | Fixed::Bra(_) => 16,
    };
    // What RFC 5213 wants and tshark does not know, see README.md.
    let notes = match golden.name {
        "pba-missing-mn-id" => {
            "Mobile Node Identifier (with option length = 1 byte; should be >= 2)"
        }
        "pbu-vendor-and-unknown" => "IE data not dissected yet IE data not dissected yet",
        _ => "",
    };
    let all = |text: &dyn Fn(&O<'_>) -> Option<String>| {
        golden.options.iter().filter_map(text).collect::<Vec<_>>().join(" ")
    };
    let option = |o: &O<'_>, field: &str| match (field, o) {
        // tshark shows text up to its first zero.
        ("mnid.identifier", O::MnId(_, [0, ..])) => None,
        ("mnid.identifier", O::MnId(_, id)) => Some(String::from_utf8_lossy(id).into()),
        ("nemo.mnp.mnp", O::HomeNetworkPrefix(p)) => Some(p.addr().to_string()),
        ("nemo.mnp.pfl", O::HomeNetworkPrefix(p)) => Some(p.len().to_string()),
        ("hi", O::HandoffIndicator(v)) => Some(v.0.to_string()),
        ("att", O::AccessTech(v)) => Some(v.0.to_string()),
        ("mnlli.lli", O::MnLinkLayerId(id)) => {
            Some(id.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().concat())
        }
        ("lila_lla", O::LinkLocal(a)) | ("acoa.acoa", O::AlternateCoa(a)) => Some(a.to_string()),
        ("timestamp_tmp", _) if *o == WHEN => Some("Nov 20, 2026 23:59:59.500000000 UTC".into()),
        ("bra.interval", O::RefreshAdvice(i)) => Some(i.0.to_string()),
        _ => None,
    };
    let mut row = vec![String::new(), notes.into(), kind.to_string()];
    row.extend(bu);
    row.extend(ba);
    row.push(be);
    let options = MH_FIELDS.iter().skip(row.len()).filter_map(|f| f.strip_prefix("mip6."));
    row.extend(options.map(|f| all(&|o| option(o, f))));
    row
}

#[test]
fn tshark_finds_in_our_messages_what_we_meant() {
    let goldens = goldens();
    let make = |g: &Golden| frame(MAG, LMA, mh::NEXT_HEADER, &emit(g.fixed, &g.options, MAG, LMA));
    let frames: Vec<_> = goldens.iter().map(make).collect();
    let Some(rows) = dissect("mobility", &frames, &MH_FIELDS) else { return };
    for (golden, row) in goldens.iter().zip(rows) {
        assert_eq!(row, meant(golden), "{}: {MH_FIELDS:?}", golden.name);
    }
}

#[test]
fn tshark_finds_no_fault_in_our_icmpv6() {
    let prefix = "2001:db8:1::/64".parse().expect("a prefix");
    let prefixes =
        [PrefixInformation { prefix, valid_lifetime_s: 3600, preferred_lifetime_s: 1800 }];
    let advertisement = RouterAdvertisement {
        hop_limit: 64,
        router_lifetime_s: 1800,
        source_link_layer: MAG_MAC,
        mtu: 1400,
        prefixes: &prefixes,
    };
    let node = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
    let mut ra = vec![0xa5; advertisement.buffer_len()];
    advertisement.emit(MAG_LINK_LOCAL, node, &mut ra).expect("fits");
    let solicitation = NeighborSolicitation { target: node, source_link_layer: MAG_MAC };
    let mut ns = vec![0xa5; NeighborSolicitation::LEN];
    solicitation.emit(MAG_LINK_LOCAL, node, &mut ns).expect("fits");

    let mut frames = vec![
        frame(MAG_LINK_LOCAL, node, icmpv6::NEXT_HEADER, &ra),
        frame(MAG_LINK_LOCAL, node, icmpv6::NEXT_HEADER, &ns),
    ];
    let errors = [
        ErrorMessage::DestinationUnreachable(Unreachable::Address),
        ErrorMessage::PacketTooBig(1400),
        ErrorMessage::HopLimitExceeded,
        ErrorMessage::ErroneousField(40),
        ErrorMessage::UnrecognizedOption(42),
    ];
    for error in errors {
        let mut packet = vec![0; ERROR_HEADER_LEN];
        packet.extend(&frame(MN, MAG, 59, &[])[ether::HEADER_LEN..]);
        error.emit(LMA, MN, ndp::HOP_LIMIT, &mut packet).expect("fits");
        frames.push(ethernet(&packet));
    }
    let fields = [
        "_ws.malformed",
        "_ws.expert.message",
        "icmpv6.checksum.status",
        "icmpv6.type",
        "icmpv6.code",
        "icmpv6.mtu",
        "icmpv6.pointer",
        "icmpv6.opt.mtu",
        "icmpv6.opt.prefix",
        "icmpv6.opt.prefix.valid_lifetime",
        "icmpv6.opt.linkaddr",
    ];
    let Some(rows) = dissect("icmpv6", &frames, &fields) else { return };
    let expected = [
        ["", "", "1", "134", "0", "", "", "1400", "2001:db8:1::", "3600", "02:00:00:00:00:01"],
        ["", "", "1", "135", "0", "", "", "", "", "", "02:00:00:00:00:01"],
        ["", "", "1", "1", "3", "", "", "", "", "", ""],
        ["", "", "1", "2", "0", "1400", "", "", "", "", ""],
        ["", "", "1", "3", "0", "", "", "", "", "", ""],
        ["", "", "1", "4", "0", "", "40", "", "", "", ""],
        ["", "", "1", "4", "2", "", "42", "", "", "", ""],
    ];
    assert_eq!(rows, expected, "{fields:?}");
}
