//! Tunnel packets that came in fragments are put together in buffers that are made at start
//! (`docs/adr/0060-fragments-and-path-mtu.md`).
//!
//! ```text
//!   fragment --> key: source, destination, identification --> one of DATAGRAMS_MAX `places`
//!                ranges that are there: | 0..1232 |        | 2464..2600 (the last one) |
//!   no hole left: the packet goes on as if it had come whole
//! ```
//!
//! A fragment is copied and its frame is free again, so that fragments never hold the buffers of a
//! port. What bounds it: so many packets at once, so many bytes and fragments each, so much time
//! each. Where there is no room for one more packet, the oldest one is given up of the gateway that
//! has the most.

mod places;

use super::drop::DropReason;
use super::header::{ETHER_LEN, Family, IPV4_LEN, IPV6_LEN, Ipv4, Ipv6, protocol};
use crate::time::{Duration, Instant};
use crate::wire::ipv6::find_fragment;
use arrayvec::ArrayVec;
use places::{DATAGRAMS_MAX, Places};

/// Fragments of one packet.
pub(super) const FRAGMENTS_MAX: usize = 16;
/// How long a packet waits for its missing fragments, from the first one that came (RFC 8200
/// section 4.5, RFC 1122 section 3.3.2).
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);

/// What fragments of one packet have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    /// The gateway; IPv4-mapped, as the destination.
    pub(super) src: u128,
    pub(super) dst: u128,
    pub(super) identification: u32,
    /// Of IPv4 (RFC 791 section 3.2); zero of IPv6, where fragments may differ in it (RFC 8200
    /// section 4.5).
    protocol: u8,
}

/// A fragment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fragment<'a> {
    pub(super) key: Key,
    /// Its IP header without options and extension headers.
    header: &'a [u8],
    /// What the payload begins with, in the first one.
    next: u8,
    /// Where its payload stands in the packet's, in bytes.
    start: usize,
    /// Whether others follow it.
    more: bool,
    ecn: u8,
    payload: &'a [u8],
}

/// Why a fragment is none, and the field that says so, in bytes from its IP header on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) pointer: u32,
}

/// Length of an IPv6 Fragment header.
const FRAGMENT_LEN: usize = 8;

impl<'a> Fragment<'a> {
    /// Reads a packet that classification has found to be a fragment: `packet` is all of it and no
    /// more.
    pub(super) fn of(packet: &'a [u8]) -> Result<Self, Fault> {
        let fragment = match packet.first().map(|first| first >> 4) {
            Some(4) => Self::of_ipv4(packet),
            _ => Self::of_ipv6(packet),
        };
        // A packet that was found to be whole has these headers.
        let fragment = fragment.ok_or(Fault { pointer: 0 })?;
        let is_ipv4 = fragment.header.len() == IPV4_LEN;
        let len = fragment.payload.len();
        // RFC 8200 4.5: but for the last one they are multiples of eight bytes, and none ends
        // behind the longest packet.
        if len == 0 || (fragment.more && !len.is_multiple_of(8)) {
            return Err(Fault { pointer: if is_ipv4 { 2 } else { 4 } });
        }
        let header = if is_ipv4 { IPV4_LEN } else { 0 };
        if fragment.start + len + header > usize::from(u16::MAX) {
            let at = find_fragment(packet).map_or(4, |at| at + 2);
            return Err(Fault { pointer: u32::try_from(at).unwrap_or(u32::MAX) });
        }
        Ok(fragment)
    }

    fn of_ipv6(packet: &'a [u8]) -> Option<Self> {
        let ip = Ipv6::of(packet)?;
        let at = find_fragment(packet)?;
        let header = packet.get(at..)?.first_chunk::<FRAGMENT_LEN>()?;
        let [next, _, high, low, identification @ ..] = *header;
        let offset = u16::from_be_bytes([high, low]);
        Some(Self {
            key: Key {
                src: ip.src(),
                dst: ip.dst(),
                identification: u32::from_be_bytes(identification),
                protocol: 0,
            },
            header: packet.get(..IPV6_LEN)?,
            next,
            start: usize::from(offset & !7),
            more: offset & 1 != 0,
            ecn: ip.traffic_class() & 0b11,
            payload: packet.get(at + FRAGMENT_LEN..)?,
        })
    }

    fn of_ipv4(packet: &'a [u8]) -> Option<Self> {
        let ip = Ipv4::of(packet)?;
        Some(Self {
            key: Key {
                src: ip.src(),
                dst: ip.dst(),
                identification: ip.identification().into(),
                protocol: ip.protocol(),
            },
            header: packet.get(..IPV4_LEN)?,
            next: ip.protocol(),
            start: ip.fragment_offset(),
            more: ip.more_fragments(),
            ecn: ip.tos() & 0b11,
            payload: packet.get(ip.header_len()..)?,
        })
    }

    /// Whether it may be one of UDP that is no tunnel's.
    pub(super) fn is_udp(&self) -> bool {
        self.key.protocol == protocol::UDP
    }
}

/// What became of a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It waits for others; to make room for it a packet was given up, or not.
    Held { evicted: bool },
    /// It was the last one that was missing.
    Complete(Place),
    /// It is of no use.
    Refused(DropReason),
}

/// Where a packet that is complete stands, until it is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(usize);

#[derive(Debug)]
struct Datagram {
    family: Family,
    /// Something was wrong with it: what is still to come of it is discarded (RFC 5722).
    is_spoilt: bool,
    /// Ethernet and IP header of the first fragment.
    head: ArrayVec<u8, { ETHER_LEN + IPV6_LEN }>,
    /// What the payload begins with.
    next: u8,
    /// Length of the payload, once the last fragment is there.
    len: Option<usize>,
    /// Parts of the payload that are there: from, to.
    ranges: ArrayVec<(usize, usize), FRAGMENTS_MAX>,
    /// ECN code points seen: bit n for code point n.
    ecn: u8,
}

/// The buffers of a worker.
#[derive(Debug)]
pub(super) struct Reassembly {
    places: Places,
    /// By place.
    datagrams: Box<[Datagram]>,
    /// `payload_max` bytes for each.
    bytes: Box<[u8]>,
    payload_max: usize,
}

impl Reassembly {
    /// For packets whose payload has up to `payload_max` bytes; nobody knows the `secret`.
    pub(super) fn new(payload_max: usize, secret: u64) -> Self {
        let blank = || Datagram {
            family: Family::Ipv6,
            is_spoilt: false,
            head: ArrayVec::new(),
            next: 0,
            len: None,
            ranges: ArrayVec::new(),
            ecn: 0,
        };
        Self {
            places: Places::new(secret),
            datagrams: (0..DATAGRAMS_MAX).map(|_| blank()).collect(),
            bytes: vec![0; DATAGRAMS_MAX * payload_max].into_boxed_slice(),
            payload_max,
        }
    }

    /// Takes a fragment in; `ether` is the Ethernet header of its frame.
    pub(super) fn take(
        &mut self,
        now: Instant,
        fragment: &Fragment<'_>,
        ether: &[u8; ETHER_LEN],
    ) -> Taken {
        let (at, evicted) = self.place_of(fragment.key, now);
        let payload_max = self.payload_max;
        let Some(datagram) = self.datagrams.get_mut(at) else {
            return Taken::Refused(DropReason::FragmentExcess);
        };
        let Some(bytes) = self.bytes.get_mut(at * payload_max..(at + 1) * payload_max) else {
            return Taken::Refused(DropReason::FragmentExcess);
        };
        if let Err(reason) = datagram.add(fragment, ether, bytes) {
            return Taken::Refused(reason);
        }
        if datagram.is_complete() { Taken::Complete(Place(at)) } else { Taken::Held { evicted } }
    }

    /// Headers and payload of a packet that is complete; `None` if the markings of its fragments
    /// say that it must be dropped.
    pub(super) fn packet(&self, Place(at): Place) -> Option<(ArrayVec<u8, 54>, &[u8])> {
        let datagram = self.datagrams.get(at)?;
        let len = datagram.len?;
        let start = at * self.payload_max;
        Some((datagram.whole_head(len)?, self.bytes.get(start..start + len)?))
    }

    /// Forgets a packet.
    pub(super) fn release(&mut self, Place(at): Place) {
        self.places.release(at);
    }

    /// Gives up what has waited too long; returns how many packets that was.
    pub(super) fn expire(&mut self, now: Instant) -> u64 {
        let mut expired = 0;
        while let Some(at) = self.places.expired(now) {
            expired += u64::from(self.give_up(at));
        }
        expired
    }

    /// The place of a packet, a new one if need be; whether another packet had to make room.
    fn place_of(&mut self, key: Key, now: Instant) -> (usize, bool) {
        if let Some(at) = self.places.find(&key) {
            return (at, false);
        }
        let is_full = self.places.used() == DATAGRAMS_MAX;
        let evicted = is_full && self.places.dearest().is_some_and(|at| self.give_up(at));
        let at = self.places.begin(key, now + TIMEOUT).unwrap_or(DATAGRAMS_MAX);
        if let Some(datagram) = self.datagrams.get_mut(at) {
            datagram.begin(Family::of(key.src));
        }
        (at, evicted)
    }

    /// `true`: it could still have become a packet.
    fn give_up(&mut self, at: usize) -> bool {
        self.places.release(at);
        self.datagrams.get(at).is_some_and(|datagram| !datagram.is_spoilt)
    }
}

impl Datagram {
    fn begin(&mut self, family: Family) {
        self.family = family;
        self.is_spoilt = false;
        self.head.clear();
        self.len = None;
        self.ranges.clear();
        self.ecn = 0;
    }

    /// Adds a fragment to the `bytes` of the packet. What contradicts the others spoils the packet.
    fn add(
        &mut self,
        fragment: &Fragment<'_>,
        ether: &[u8; ETHER_LEN],
        bytes: &mut [u8],
    ) -> Result<(), DropReason> {
        if self.is_spoilt {
            return Err(DropReason::FragmentOverlap);
        }
        let (start, end) = (fragment.start, fragment.start + fragment.payload.len());
        let ends_it = !fragment.more;
        let contradicts = match self.len {
            Some(len) => end > len || (ends_it && end != len),
            None => ends_it && self.ranges.iter().any(|(_, to)| *to > end),
        };
        if contradicts {
            return Err(self.spoil(DropReason::FragmentOverlap));
        }
        if let Some(overlapped) = self.ranges.iter().find(|(from, to)| start < *to && *from < end) {
            // RFC 8200 4.5: the same one once more need not spoil the others.
            let is_same = *overlapped == (start, end)
                && bytes.get(start..end) == Some(fragment.payload)
                && ends_it == (self.len == Some(end));
            if is_same {
                return Err(DropReason::FragmentDuplicate);
            }
            return Err(self.spoil(DropReason::FragmentOverlap));
        }
        let Some(place) = bytes.get_mut(start..end).filter(|_| !self.ranges.is_full()) else {
            return Err(self.spoil(DropReason::FragmentExcess));
        };
        place.copy_from_slice(fragment.payload);
        self.ranges.push((start, end));
        self.ecn |= 1 << fragment.ecn;
        if ends_it {
            self.len = Some(end);
        }
        if start == 0 {
            self.next = fragment.next;
            self.head.clear();
            self.head.extend(ether.iter().chain(fragment.header).copied());
        }
        Ok(())
    }

    fn spoil(&mut self, reason: DropReason) -> DropReason {
        self.is_spoilt = true;
        reason
    }

    fn is_complete(&self) -> bool {
        let held: usize = self.ranges.iter().map(|(from, to)| to - from).sum();
        self.len == Some(held)
    }

    /// The headers of the whole packet, whose payload has `len` bytes.
    fn whole_head(&self, len: usize) -> Option<ArrayVec<u8, 54>> {
        let ecn = self.whole_ecn()?;
        let mut head = self.head.clone();
        let ip = head.get_mut(ETHER_LEN..)?;
        if self.family == Family::Ipv4 {
            Ipv4::set_whole(ip, u16::try_from(IPV4_LEN + len).ok()?);
            let tos = *ip.get(1)?;
            Ipv4::set_tos(ip, tos & 0b1111_1100 | ecn);
        } else {
            ip.get_mut(4..6)?.copy_from_slice(&u16::try_from(len).ok()?.to_be_bytes());
            *ip.get_mut(6)? = self.next;
            let class = ip.get_mut(1)?;
            *class = *class & 0b1100_1111 | ecn << 4;
        }
        Some(head)
    }

    /// The ECN field of the whole packet: that of the first fragment, unless congestion was marked
    /// on another one (RFC 3168 section 5.3). `None`: marked, and the sender knows no ECN.
    fn whole_ecn(&self) -> Option<u8> {
        const NOT_ECT: u8 = 0b00;
        const CE: u8 = 0b11;
        if self.ecn & 1 << CE != 0 {
            return (self.ecn & 1 << NOT_ECT == 0).then_some(CE);
        }
        let byte = self.head.get(ETHER_LEN + 1)?;
        Some(if self.family == Family::Ipv4 { byte & 0b11 } else { byte >> 4 & 0b11 })
    }
}

#[cfg(test)]
mod tests;
