//! Fragments of tunnel packets of several gateways, in any order and disorder, through a whole
//! worker. A naive reassembly says what must come of them.
//!
//! ```text
//!  | packet, start, len, change | packet, ...    packet: bits 0 and 1 its gateway, the others its number;
//!                                                start and len in units of eight bytes
//! ```

use super::worker::{ACCESS, LMA, LMA4, MAC, MAG, MAG2, MAG4, PEER_MAC, Rig};
use anchord::dataplane::counters::Counter;
use anchord::time::{Duration, Instant};
use anchord::wire::ether::{self, EtherHeader};
use anchord::wire::ipv4::{self, Ipv4Header};
use anchord::wire::ipv6::{self, Ipv6Header};
use std::collections::HashMap;
use std::net::Ipv6Addr;

/// What a step changes of the fragment that its sender would make.
mod change {
    /// Whether others follow is said wrongly.
    pub(super) const MORE: u8 = 1;
    /// One byte is missing.
    pub(super) const SHORT: u8 = 2;
    /// Its first byte is another one.
    pub(super) const BYTE: u8 = 4;
    /// The frame is cut.
    pub(super) const CUT: u8 = 8;
    /// A router has marked congestion.
    pub(super) const MARKED: u8 = 16;
    /// It lies in two segments.
    pub(super) const SEGMENTS: u8 = 32;
    /// It comes a minute later than what came before.
    pub(super) const LATE: u8 = 64;
    /// It has no payload.
    pub(super) const EMPTY: u8 = 128;
}

const NODE_INTERFACE: u16 = 7;
const CORRESPONDENT: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xc, 0, 0, 0, 0, 1);
/// A gateway that no tunnel leads to.
const STRANGER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 3);
const TIMEOUT: Duration = Duration::from_secs(60);
/// Longest payload that is put together: the ports' MTU and 64.
const PAYLOAD_MAX: usize = 1564;
const PARTS_MAX: usize = 16;
const ECT_0: u8 = 0b10;
const CE: u8 = 0b11;

/// Runs the steps.
pub(crate) fn run(bytes: &[u8]) {
    let mut rig = Rig::new();
    let mut models = HashMap::<u8, Model>::new();
    for step in bytes.chunks_exact(4) {
        let [packet, start, len, change] = *step else { return };
        if change & change::LATE != 0 {
            rig.now = rig.now + TIMEOUT;
        }
        let fragment = Fragment::new(packet, start, len, change);
        let frame = fragment.frame();
        let cut = if change & change::CUT == 0 { frame.len() } else { frame.len() - 1 };
        let split = if change & change::SEGMENTS == 0 { cut } else { usize::from(len) % cut };
        let before = rig.counters.snapshot().get(Counter::Reassembled);
        let frame = rig.pool.frame_in_segments(ACCESS, &frame[..split], &frame[split..cut]);
        let sent = rig.send_through(ACCESS, frame.expect("none is held"));
        let whole = rig.counters.snapshot().get(Counter::Reassembled) - before;

        let is_taken = cut == fragment.frame().len() && fragment.is_sound() && packet & 3 != 3;
        let expected = is_taken.then(|| Model::take(&mut models, rig.now, packet, &fragment));
        let expected = expected.flatten();
        assert_eq!(whole == 1, expected.is_some(), "{fragment:?}");
        let Some((payload, is_marked)) = expected else { continue };
        let mut inner = inner(packet);
        if payload == inner {
            inner[7] -= 1; // a hop
            if is_marked {
                inner[1] = CE << 4;
            }
            assert_eq!(sent.len(), 1);
            assert_eq!(sent[0][ether::HEADER_LEN..], inner);
        }
    }
    assert_eq!(rig.pool.in_use(), 0, "a frame leaked");
}

/// The packet of a node behind its gateway that is sent in fragments.
fn inner(packet: u8) -> Vec<u8> {
    let subnet = [1, 3, 0xa3, 1][usize::from(packet & 3)];
    let len = 41 + usize::from(packet) * 23 % 1450;
    let header = Ipv6Header {
        traffic_class: ECT_0,
        flow_label: 0,
        payload_len: u16::try_from(len - ipv6::HEADER_LEN).expect("short"),
        next_header: 59,
        hop_limit: 64,
        src: Ipv6Addr::new(0x2001, 0xdb8, 1, subnet, 0, 0, 0, NODE_INTERFACE),
        dst: CORRESPONDENT,
    };
    let mut bytes: Vec<u8> = (0..=250).cycle().take(len).collect();
    header.emit(&mut bytes).expect("room");
    bytes
}

#[derive(Debug)]
struct Fragment {
    packet: u8,
    start: usize,
    more: bool,
    ecn: u8,
    payload: Vec<u8>,
}

impl Fragment {
    fn new(packet: u8, start: u8, len: u8, change: u8) -> Self {
        let inner = inner(packet);
        let start = usize::from(start) * 8;
        let end = start + usize::from(len % 128) * 8;
        // Nobody would send what is behind the end of the packet.
        let filler = vec![0xee; end.saturating_sub(inner.len().max(start))];
        let own = inner.get(start..end.min(inner.len())).unwrap_or_default();
        let is_beyond = start >= inner.len();
        let mut payload = own.to_vec();
        if is_beyond {
            payload = filler;
        }
        if change & change::SHORT != 0 {
            payload.pop();
        }
        if change & change::EMPTY != 0 {
            payload.clear();
        }
        if let (true, Some(first)) = (change & change::BYTE != 0, payload.first_mut()) {
            *first ^= 0xff;
        }
        let more = (end < inner.len()) != (change & change::MORE != 0);
        let ecn = if change & change::MARKED == 0 { ECT_0 } else { CE };
        Self { packet, start, more, ecn, payload }
    }

    /// Whether its length is one that a fragment can have.
    fn is_sound(&self) -> bool {
        let len = self.payload.len();
        len > 0 && (len.is_multiple_of(8) || !self.more)
    }

    fn frame(&self) -> Vec<u8> {
        let is_ipv4 = self.packet & 3 == 2;
        let ether_type = if is_ipv4 { ether::IPV4 } else { ether::IPV6 };
        let mut frame = vec![0; ether::HEADER_LEN];
        let header = EtherHeader { dst: MAC, src: PEER_MAC, ether_type };
        header.emit(&mut frame).expect("room");
        frame.extend(if is_ipv4 { self.ipv4() } else { self.ipv6() });
        frame
    }

    fn ipv6(&self) -> Vec<u8> {
        let header = Ipv6Header {
            traffic_class: self.ecn,
            flow_label: 0,
            payload_len: u16::try_from(8 + self.payload.len()).expect("short"),
            next_header: 44,
            hop_limit: 64,
            src: [MAG, MAG2, MAG, STRANGER][usize::from(self.packet & 3)],
            dst: LMA,
        };
        let mut bytes = vec![0; ipv6::HEADER_LEN];
        header.emit(&mut bytes).expect("room");
        let start = u16::try_from(self.start).expect("short");
        bytes.extend([41, 0]);
        bytes.extend((start | u16::from(self.more)).to_be_bytes());
        bytes.extend(u32::from(self.packet >> 2).to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    fn ipv4(&self) -> Vec<u8> {
        let mut bytes = vec![0; ipv4::HEADER_LEN];
        bytes.extend(&self.payload);
        let header = Ipv4Header {
            header_len: ipv4::HEADER_LEN,
            tos: self.ecn,
            total_len: u16::try_from(bytes.len()).expect("short"),
            identification: u16::from(self.packet >> 2),
            dont_fragment: false,
            more_fragments: self.more,
            fragment_offset: u16::try_from(self.start).expect("short"),
            ttl: 64,
            protocol: 41,
            src: MAG4,
            dst: LMA4,
        };
        header.emit(&mut bytes).expect("room");
        bytes
    }
}

/// A packet of which some fragments have come: byte by byte.
struct Model {
    begun: Instant,
    bytes: Vec<Option<u8>>,
    parts: Vec<(usize, bool, Vec<u8>)>,
    end: Option<usize>,
    is_spoilt: bool,
    is_marked: bool,
}

impl Model {
    /// What a fragment makes whole, and whether it is marked.
    fn take(
        models: &mut HashMap<u8, Self>,
        now: Instant,
        packet: u8,
        fragment: &Fragment,
    ) -> Option<(Vec<u8>, bool)> {
        if !fragment.more && fragment.start == 0 {
            // Of IPv6 a packet of one fragment meets no others (RFC 6946), of IPv4 it is none.
            return None;
        }
        models.retain(|_, model| now < model.begun + TIMEOUT);
        let model = models.entry(packet).or_insert_with(|| Self {
            begun: now,
            bytes: vec![None; PAYLOAD_MAX],
            parts: Vec::new(),
            end: None,
            is_spoilt: false,
            is_marked: false,
        });
        model.add(fragment);
        let end = model.end.filter(|_| !model.is_spoilt)?;
        let whole: Vec<u8> = model.bytes[..end].iter().map_while(|byte| *byte).collect();
        let is_marked = model.is_marked;
        (whole.len() == end).then(|| {
            models.remove(&packet);
            (whole, is_marked)
        })
    }

    fn add(&mut self, fragment: &Fragment) {
        let Fragment { start, more, payload, .. } = fragment;
        let end = start + payload.len();
        let part = (*start, *more, payload.clone());
        if self.parts.contains(&part) {
            return;
        }
        let is_behind = self.end.is_some_and(|e| end > e || (!more && e != end));
        let is_before = !more && self.bytes.iter().skip(end).any(Option::is_some);
        let overlaps = self.bytes.iter().take(end).skip(*start).any(Option::is_some);
        let is_too_much = end > PAYLOAD_MAX || self.parts.len() == PARTS_MAX;
        if is_behind || is_before || overlaps || is_too_much {
            self.is_spoilt = true;
            return;
        }
        for (place, byte) in self.bytes[*start..end].iter_mut().zip(payload) {
            *place = Some(*byte);
        }
        self.parts.push(part);
        self.end = self.end.or((!more).then_some(end));
        self.is_marked |= fragment.ecn == CE;
    }
}
