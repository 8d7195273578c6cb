//! What we emit is dissected by tshark: an independent opinion on every field.

use super::{MAG, MAG_LINK_LOCAL, MN, env, ipv6, packets, pcap};
use anchord::addr::MacAddr;
use anchord::wire::ether::{self, EtherHeader};
use anchord::wire::icmpv6::ndp::{NeighborSolicitation, PrefixInformation, RouterAdvertisement};
use anchord::wire::icmpv6::{self, ERROR_HEADER_LEN, ErrorMessage, Unreachable, ndp};
use anchord::wire::ipv6::Ipv6Header;
use std::net::Ipv6Addr;
use std::process::{self, Command};

pub(crate) const LMA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 1);
const MAG_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const MN_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

/// An Ethernet frame with an IPv6 packet that carries `payload`.
pub(crate) fn frame(src: Ipv6Addr, dst: Ipv6Addr, next_header: u8, payload: &[u8]) -> Vec<u8> {
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
    ethernet(ether::IPV6, &packet)
}

pub(crate) fn ethernet(ether_type: u16, packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; ether::HEADER_LEN];
    let header = EtherHeader { dst: MN_MAC, src: MAG_MAC, ether_type };
    header.emit(&mut frame).expect("fits");
    frame.extend(packet);
    frame
}

/// Runs tshark over these frames; a line of tab-separated `fields` for each. `None`, said aloud,
/// where there is no tshark.
pub(crate) fn dissect(name: &str, frames: &[Vec<u8>], fields: &[&str]) -> Option<Vec<Vec<String>>> {
    let path = env::temp_dir().join(format!("anchord-{name}-{}.pcap", process::id()));
    pcap::write(&path, frames).expect("a capture in the temporary directory");
    let fields = fields.iter().flat_map(|f| ["-e", f]);
    // Checksums that a NIC would fill in are not verified unless one asks; each frame is read by
    // itself.
    let options = ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-T", "fields"];
    let alone = ["-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"];
    let options =
        [&options[..], &alone, &["-E", "occurrence=a", "-E", "aggregator= ", "-r"]].concat();
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

#[test]
fn tshark_finds_no_fault_in_our_icmpv6() {
    let prefix = "2001:db8:1::/64".parse().expect("a prefix");
    let prefixes =
        [PrefixInformation { prefix, valid_lifetime_s: 3600, preferred_lifetime_s: 1800 }];
    let advertisement = RouterAdvertisement {
        hop_limit: 64,
        router_lifetime_s: 1800,
        source_link_layer: MAG_MAC,
        managed: true,
        mtu: 1400,
        prefixes: &prefixes,
    };
    let node = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
    let mut ra = vec![0xa5; advertisement.buffer_len()];
    advertisement.emit(MAG_LINK_LOCAL, node, &mut ra).expect("fits");
    let solicitation = NeighborSolicitation { target: node, source_link_layer: Some(MAG_MAC) };
    let mut ns = vec![0xa5; NeighborSolicitation::LEN_MAX];
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
        frames.push(ethernet(ether::IPV6, &packet));
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

#[test]
fn tshark_finds_no_fault_in_our_ipv4() {
    let made = packets::made();
    let frames: Vec<_> = made.iter().map(|(_, p)| ethernet(ether::IPV4, p)).collect();
    let fields = [
        "_ws.malformed",
        "_ws.expert.message",
        "ip.checksum.status",
        "udp.checksum.status",
        "udp.dstport",
        "mip6.mhtype",
        "gre.key",
        "gre.sequence_number",
        "icmp.type",
        "icmp.code",
        "icmp.mtu",
    ];
    let Some(rows) = dissect("ipv4", &frames, &fields) else { return };
    for ((name, _), row) in made.iter().zip(rows) {
        // Every header's checksum is good (1), or not there (3); the ping that is carried, and
        // those that are quoted, show theirs as well.
        let expected = match *name {
            "mobility-in-udp" => ["", "", "1", "1", "5436", "5", "", "", "", "", ""],
            "packet-in-udp" | "gre-in-tlv-in-udp" => {
                ["", "", "1", "1", "5437", "", "", "", "", "", ""]
            }
            "packet-in-udp-without-checksum" => ["", "", "1", "3", "5437", "", "", "", "", "", ""],
            "gre" => ["", "", "1 1", "", "", "", "", "", "8", "0", ""],
            "gre-key-sequence" => ["", "", "1 1", "", "", "", "0x01020304", "5", "8", "0", ""],
            "icmp-net-unreachable" => ["", "", "1 1", "", "", "", "", "", "3 8", "0 0", ""],
            "icmp-host-unreachable" => ["", "", "1 1", "", "", "", "", "", "3 8", "1 0", ""],
            "icmp-fragmentation-needed" => {
                ["", "", "1 1", "", "", "", "", "", "3 8", "4 0", "1400"]
            }
            "icmp-prohibited" => ["", "", "1 1", "", "", "", "", "", "3 8", "13 0", ""],
            "icmp-time-exceeded" => ["", "", "1 1", "", "", "", "", "", "11 8", "0 0", ""],
            other => panic!("{other} has no expectation"),
        };
        assert_eq!(row, expected, "{name}: {fields:?}");
    }
}
