//! Captures of packets at the edges that scapy made (tests/golden/dataplane): what goes in, and
//! what comes out of it. `tests/edges.rs` and `tests/golden/edges.rs` read them, too.

use super::*;

pub(super) type Frames = Vec<(PortId, Vec<u8>)>;

/// Packets that are forwarded, answered or put together.
pub(super) struct Good {
    pub(super) name: &'static str,
    pub(super) given: Frames,
    pub(super) expected: Frames,
}

/// Packets of which the last one is dropped.
pub(super) struct Refused {
    pub(super) name: &'static str,
    pub(super) reason: &'static str,
    /// What the last one's fields say to others: `field=value`, a comma between them.
    pub(super) shows: &'static str,
    pub(super) frames: Frames,
}

macro_rules! golden {
    ($include:ident, $file:literal) => {
        $include!(concat!("../../../tests/golden/dataplane/", $file))
    };
}

pub(super) fn good() -> Vec<Good> {
    let mut given = frames_of(golden!(include_bytes, "edge.pcap"));
    let mut expected = frames_of(golden!(include_bytes, "edge-expected.pcap"));
    let cases = lines(golden!(include_str, "edge.txt")).map(|line| {
        let [name, from, to] = fields(line);
        Good { name, given: taken(from, &mut given), expected: taken(to, &mut expected) }
    });
    let cases = cases.collect();
    assert_eq!((given.next(), expected.next()), (None, None));
    cases
}

pub(super) fn refused() -> Vec<Refused> {
    let mut all = frames_of(golden!(include_bytes, "refused.pcap"));
    let cases = lines(golden!(include_str, "refused.txt")).map(|line| {
        let [name, reason, ports, shows] = fields(line);
        Refused { name, reason, shows, frames: taken(ports, &mut all) }
    });
    let cases = cases.collect();
    assert_eq!(all.next(), None);
    cases
}

fn lines(index: &'static str) -> impl Iterator<Item = &'static str> {
    index.lines().filter(|line| !line.starts_with('#'))
}

fn fields<const N: usize>(line: &'static str) -> [&'static str; N] {
    line.split(' ').collect::<Vec<_>>().try_into().unwrap_or_else(|_| panic!("{line}"))
}

/// The next frames of a capture, which arrive at or leave by these ports.
fn taken(ports: &str, capture: &mut impl Iterator<Item = Vec<u8>>) -> Frames {
    let port = |text: &str| PortId(text.parse().unwrap());
    ports.split(',').map(|text| (port(text), capture.next().unwrap())).collect()
}

/// The frames of a capture in the classic format.
pub(super) fn frames_of(capture: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    const FILE_HEADER_LEN: usize = 24;
    const RECORD_HEADER_LEN: usize = 16;
    let mut rest = &capture[FILE_HEADER_LEN..];
    std::iter::from_fn(move || {
        let len = rest.get(8..12)?;
        let len = u32::from_le_bytes(len.try_into().unwrap()) as usize;
        let (frame, behind) = rest[RECORD_HEADER_LEN..].split_at(len);
        rest = behind;
        Some(frame.to_vec())
    })
}

/// A frame without what depends on the worker: flow label and identification of tunnel packets.
pub(super) fn foreseeable(mut frame: Vec<u8>) -> Vec<u8> {
    let is = |at: usize, octets: &[u8]| frame.get(at..at + octets.len()) == Some(octets);
    if is(12, &[0x86, 0xdd]) && is(22, &addr(LMA).octets()) && !is(20, &[58]) {
        frame[15] &= 0xf0;
        frame[16..18].fill(0);
        if frame[20] == 44 {
            frame[58..62].fill(0);
        }
    } else if is(12, &[8, 0]) && is(26, &ipv4(LMA4).octets()) && !is(23, &[1]) {
        frame[18..20].fill(0);
        frame[24..26].fill(0);
    }
    frame
}
