//! A packet in parts: a tunnel packet that is larger than its path although the packet in it may
//! not be refused (RFC 2473 section 7, RFC 4213 section 3.2), and an IPv4 packet that its sender
//! allowed to be cut (RFC 791 section 3.2).
//!
//! ```text
//!   | IP |              payload              |
//!   | IP | Fragment |  0..n  |   | IP | Fragment | n..2n |   | IP | Fragment | 2n.. |
//! ```
//!
//! Of IPv4's options the first part has all, the others those that say so themselves.

use super::burst::Lane;
use super::counters::Counter;
use super::drop::DropReason;
use super::header::{ETHER_LEN, Family, IPV4_LEN, IPV6_LEN, Ip, Ipv4, protocol};
use crate::nic::Frame;
use arrayvec::ArrayVec;

/// Parts of one packet at most: what 9,600 bytes make on the smallest paths.
const PARTS_MAX: usize = 24;
/// Length of an IPv6 Fragment header.
const FRAGMENT_LEN: usize = 8;
/// Longest Ethernet and IP header: of IPv4 with options.
const HEAD_LEN_MAX: usize = ETHER_LEN + 60;

/// An Ethernet and an IP header.
type Head = ArrayVec<u8, HEAD_LEN_MAX>;

/// How a packet is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Plan {
    family: Family,
    /// What the first part begins with, as the packet did, and the others.
    first: Head,
    later: Head,
    /// Payload of every part but the last one: a multiple of eight bytes.
    unit: usize,
    /// Payload of all parts.
    len: usize,
    /// Where the payload begins in the packet that this one is a part of itself, and whether others
    /// follow; of IPv4.
    offset: usize,
    more: bool,
    /// Of IPv6: what the payload begins with, and the parts' common number.
    next: u8,
    identification: u32,
}

impl<F: Frame> Lane<F> {
    /// Ends a packet that is longer than `mtu`: `send` gets its parts, in order. If it cannot be
    /// cut, it is dropped for `reason`.
    #[cold]
    pub(super) fn send_in_parts(
        &mut self,
        mut frame: F,
        mtu: u16,
        reason: DropReason,
        mut send: impl FnMut(&mut Self, F),
    ) {
        let identification = self.fragments.next();
        let Some(plan) = Plan::new(&frame, mtu, identification) else {
            return self.discard(frame, reason);
        };
        // What is in one buffer becomes the first part itself.
        let is_first = frame.data().len() == frame.frame_len();
        let Some(parts) = self.parts(&frame, &plan, usize::from(is_first)) else {
            return self.discard(frame, reason);
        };
        if is_first && !plan.cut_first(&mut frame) {
            return self.discard(frame, DropReason::NoHeadroom);
        }
        let first = is_first.then_some(frame);
        let count = usize::from(is_first) + parts.len();
        self.counters.add(Counter::FragmentsSent, count.saturating_sub(1) as u64);
        for part in first.into_iter().chain(parts) {
            send(self, part);
        }
    }

    /// All parts but the first `skipped`; `None` if there are too many or there is no buffer.
    fn parts(&self, frame: &F, plan: &Plan, skipped: usize) -> Option<ArrayVec<F, PARTS_MAX>> {
        let mut parts = ArrayVec::new();
        for start in (0..plan.len).step_by(plan.unit).skip(skipped) {
            let len = plan.unit.min(plan.len - start);
            let head_len = plan.head_len(start);
            let mut part = self.pool.alloc(frame.port())?;
            if !part.append(head_len + len) {
                return None;
            }
            let room = part.data_mut();
            plan.write(room, start, len)?;
            if !frame.copy_to(plan.first.len() + start, room.get_mut(head_len..)?) {
                return None;
            }
            part.set_priority(frame.priority());
            parts.try_push(part).ok()?;
        }
        Some(parts)
    }
}

impl Plan {
    /// `None` if the header is not in the first buffer, its options cannot be read, or `mtu` has no
    /// room for anything.
    fn new<F: Frame>(frame: &F, mtu: u16, identification: u32) -> Option<Self> {
        let data = frame.data();
        let ip = Ip::of_frame(data)?;
        let (header_len, overhead, next, offset, more) = match ip {
            Ip::V6(ip) => (IPV6_LEN, FRAGMENT_LEN, ip.next_header(), 0, false),
            Ip::V4(ip) => (ip.header_len(), 0, 0, ip.fragment_offset(), ip.more_fragments()),
        };
        let unit = usize::from(mtu).checked_sub(header_len + overhead)? & !7;
        let first = Head::try_from(data.get(..ETHER_LEN + header_len)?).ok()?;
        let later = match ip {
            Ip::V4(_) if header_len > IPV4_LEN => later_head(&first)?,
            Ip::V4(_) | Ip::V6(_) => first.clone(),
        };
        let len = frame.frame_len().checked_sub(first.len())?;
        let family = ip.family();
        (unit > 0).then_some(Self {
            family,
            first,
            later,
            unit,
            len,
            offset,
            more,
            next,
            identification,
        })
    }

    /// What the part begins with that has the payload from `start` on.
    const fn head(&self, start: usize) -> &Head {
        if start == 0 { &self.first } else { &self.later }
    }

    /// Where its payload begins in its frame.
    const fn head_len(&self, start: usize) -> usize {
        let fragment = if matches!(self.family, Family::Ipv6) { FRAGMENT_LEN } else { 0 };
        self.head(start).len() + fragment
    }

    /// Makes the first part of the frame itself. `false`: no room for its header.
    fn cut_first<F: Frame>(&self, frame: &mut F) -> bool {
        let len = self.unit.min(self.len);
        frame.truncate(self.first.len() + len)
            && frame.prepend(self.head_len(0) - self.first.len())
            && self.write(frame.data_mut(), 0, len).is_some()
    }

    /// Writes to the front of `frame` the headers of the part with `len` bytes from `start` on.
    fn write(&self, frame: &mut [u8], start: usize, len: usize) -> Option<()> {
        let ends_here = start + len == self.len;
        let head = self.head(start);
        frame.get_mut(..head.len())?.copy_from_slice(head);
        let packet = frame.get_mut(ETHER_LEN..)?;
        match self.family {
            Family::Ipv4 => {
                let offset = u16::try_from(self.offset + start).ok()?;
                let part_len = u16::try_from(head.len() - ETHER_LEN + len).ok()?;
                Ipv4::set_part(packet, part_len, offset, !ends_here || self.more);
            }
            Family::Ipv6 => {
                let payload_len = u16::try_from(FRAGMENT_LEN + len).ok()?;
                packet.get_mut(4..6)?.copy_from_slice(&payload_len.to_be_bytes());
                *packet.get_mut(6)? = protocol::FRAGMENT;
                let offset = u16::try_from(start).ok()? | u16::from(!ends_here);
                let header = packet.get_mut(IPV6_LEN..)?.first_chunk_mut::<FRAGMENT_LEN>()?;
                header[..2].copy_from_slice(&[self.next, 0]);
                header[2..4].copy_from_slice(&offset.to_be_bytes());
                header[4..].copy_from_slice(&self.identification.to_be_bytes());
            }
        }
        Some(())
    }
}

/// The options that end a list, that stand alone, and the bit of those that every part has (RFC 791
/// section 3.1).
const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const COPIED: u8 = 0x80;

/// What parts after the first one begin with if that one has options; `None` if these cannot be
/// read.
fn later_head(first: &[u8]) -> Option<Head> {
    let (fixed, options) = first.split_at_checked(ETHER_LEN + IPV4_LEN)?;
    let mut head = Head::try_from(fixed).ok()?;
    let mut rest = options;
    while let [kind, behind @ ..] = rest {
        rest = match *kind {
            END => break,
            NO_OPERATION => behind,
            kind => {
                let len = usize::from(*behind.first()?);
                let (option, behind) = rest.split_at_checked(len).filter(|_| len >= 2)?;
                if kind & COPIED != 0 {
                    head.try_extend_from_slice(option).ok()?;
                }
                behind
            }
        };
    }
    while !(head.len() - ETHER_LEN).is_multiple_of(4) {
        head.try_push(END).ok()?;
    }
    let words = u8::try_from((head.len() - ETHER_LEN) / 4).ok()?;
    *head.get_mut(ETHER_LEN)? = 4 << 4 | words;
    Some(head)
}

/// Identifications of the fragments that a worker sends: each comes once in 2^32, in an order that
/// nobody can foretell (RFC 7739 section 4).
#[derive(Debug)]
pub(super) struct Identifications {
    count: u32,
    secret: u64,
}

impl Identifications {
    pub(super) fn new(secret: u64) -> Self {
        Self { count: 0, secret }
    }

    /// Four rounds of a Feistel network: a permutation of the count.
    fn next(&mut self) -> u32 {
        self.count = self.count.wrapping_add(1);
        let [a, b, c, d] = self.count.to_be_bytes();
        let (mut left, mut right) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        for round in 0..4 {
            let mixed = super::hash::mix(self.secret ^ round, right.into());
            let [.., high, low] = mixed.to_be_bytes();
            (left, right) = (right, left ^ u16::from_be_bytes([high, low]));
        }
        u32::from(left) << 16 | u32::from(right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    // RFC 7739: no two alike, and the next one is not the last one and one.
    #[test]
    fn identifications_do_not_repeat_and_do_not_count() {
        let mut ids = Identifications::new(0x1234_5678_9abc_def0);
        let made: Vec<u32> = (0..200_000).map(|_| ids.next()).collect();
        assert_eq!(made.iter().collect::<HashSet<_>>().len(), made.len());
        let steps: HashSet<u32> = made.windows(2).map(|w| w[1].wrapping_sub(w[0])).collect();
        assert!(steps.len() > 199_000, "{}", steps.len());
        assert_ne!(Identifications::new(1).next(), Identifications::new(2).next());
    }
}
