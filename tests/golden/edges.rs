//! The captures of packets at the edges (`dataplane/`) are what their names say: tshark's reading.

use super::tshark::dissect;
use anchord::addr::PortId;

#[path = "../../src/dataplane/tests/captures.rs"]
#[allow(dead_code)] // the worker's tests use the rest
mod captures;

/// As `captures` names it.
const LMA: &str = "2001:db8:ff::1";
const LMA4: &str = "192.0.2.1";

fn addr(text: &str) -> std::net::Ipv6Addr {
    text.parse().expect("an address")
}

fn ipv4(text: &str) -> std::net::Ipv4Addr {
    text.parse().expect("an address")
}

#[test]
fn refused_packets_show_to_tshark_what_their_names_say() {
    let cases = captures::refused();
    let shown = |case: &captures::Refused| {
        let pair = |text: &'static str| text.split_once('=').expect("a field and its value");
        case.shows.split(',').map(pair).collect::<Vec<_>>()
    };
    let mut fields: Vec<_> = cases.iter().flat_map(shown).map(|(field, _)| field).collect();
    fields.sort_unstable();
    fields.dedup();
    let frames: Vec<_> = cases
        .iter()
        .filter_map(|case| case.frames.last().map(|(_, frame)| frame.clone()))
        .collect();
    let Some(rows) = dissect("refused", &frames, &fields) else { return };
    for (case, row) in cases.iter().zip(rows) {
        for (field, value) in shown(case) {
            let at = fields.binary_search(&field).expect("asked for");
            assert_eq!(row[at], value.replace('+', " "), "{}: {field}", case.name);
        }
    }
}

#[test]
fn tshark_finds_no_fault_in_what_is_forwarded_and_what_comes_out() {
    let cases = captures::good();
    let names = cases.iter().flat_map(|case| {
        let frames = case.given.iter().chain(&case.expected);
        frames.map(|(_, frame)| (case.name, frame.clone()))
    });
    let (names, frames): (Vec<_>, Vec<_>) = names.unzip();
    let fields = [
        "_ws.malformed",
        "ipv6.fraghdr.nxt",
        "ip.flags.mf",
        "ip.frag_offset",
        "ip.checksum.status",
        "icmpv6.checksum.status",
    ];
    let Some(rows) = dissect("edge", &frames, &fields) else { return };
    for (name, row) in names.iter().zip(rows) {
        // What a part of a packet carries is cut.
        let says = |at: usize| row[at].split(' ').any(|value| !matches!(value, "" | "0"));
        assert!(row[0].is_empty() || (1..4).any(says), "{name}: {row:?}");
        // Of what is quoted or cut tshark says that it cannot tell (2).
        let is_bad = |statuses: &String| statuses.split(' ').any(|status| status == "0");
        assert!(!row[4..].iter().any(is_bad), "{name}: {row:?}");
    }
}
