//! A packet in parts: a tunnel packet that is larger than its path although the packet in it may
//! not be refused (RFC 2473 section 7, RFC 4213 section 3.2), and an IPv4 packet that its sender
//! allowed to be cut (RFC 791 section 3.2).
//!
//! ```text
//!   | IP |              payload              |
//!   | IP | Fragment |  0..n  |   | IP | Fragment | n..2n |   | IP | Fragment | 2n.. |
//! ```

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

/// How a packet is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Plan {
    family: Family,
    /// Ethernet and IP header of every part.
    head_len: usize,
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
        let Some(others) = self.other_parts(&frame, plan) else {
            return self.discard(frame, reason);
        };
        if !plan.cut_first(&mut frame) {
            return self.discard(frame, DropReason::NoHeadroom);
        }
        self.counters.add(Counter::FragmentsSent, others.len() as u64);
        send(self, frame);
        for part in others {
            send(self, part);
        }
    }

    /// All parts but the first; `None` if there are too many or there is no buffer.
    fn other_parts(&self, frame: &F, plan: Plan) -> Option<ArrayVec<F, PARTS_MAX>> {
        let data = frame.data();
        let head = data.get(..plan.head_len)?;
        let payload = data.get(plan.head_len..)?;
        let mut parts = ArrayVec::new();
        for (index, bytes) in payload.chunks(plan.unit).enumerate().skip(1) {
            let mut part = self.pool.alloc(frame.port())?;
            if !part.append(plan.part_head_len() + bytes.len()) {
                return None;
            }
            let room = part.data_mut();
            room.get_mut(..head.len())?.copy_from_slice(head);
            room.get_mut(plan.part_head_len()..)?.copy_from_slice(bytes);
            plan.write(room, index * plan.unit, bytes.len())?;
            parts.try_push(part).ok()?;
        }
        Some(parts)
    }
}

impl Plan {
    /// `None` if the packet is in several buffers, has options, or `mtu` has no room for anything.
    fn new<F: Frame>(frame: &F, mtu: u16, identification: u32) -> Option<Self> {
        let data = frame.data();
        if data.len() != frame.frame_len() {
            return None;
        }
        let ip = Ip::of_frame(data)?;
        let (header_len, overhead, next, offset, more) = match ip {
            Ip::V6(ip) => (IPV6_LEN, FRAGMENT_LEN, ip.next_header(), 0, false),
            // Of options some belong to the first part only: such packets are not cut.
            Ip::V4(ip) if ip.header_len() == IPV4_LEN => {
                (IPV4_LEN, 0, 0, ip.fragment_offset(), ip.more_fragments())
            }
            Ip::V4(_) => return None,
        };
        let unit = usize::from(mtu).checked_sub(header_len + overhead)? & !7;
        let head_len = ETHER_LEN + header_len;
        let len = data.len().checked_sub(head_len)?;
        let family = ip.family();
        (unit > 0).then_some(Self {
            family,
            head_len,
            unit,
            len,
            offset,
            more,
            next,
            identification,
        })
    }

    const fn part_head_len(self) -> usize {
        match self.family {
            Family::Ipv4 => self.head_len,
            Family::Ipv6 => self.head_len + FRAGMENT_LEN,
        }
    }

    /// Makes the first part of the frame itself. `false`: no room for its header.
    fn cut_first<F: Frame>(self, frame: &mut F) -> bool {
        let first_len = self.unit.min(self.len);
        if !frame.truncate(self.head_len + first_len) {
            return false;
        }
        let grown = self.part_head_len() - self.head_len;
        if grown > 0 {
            if !frame.prepend(grown) {
                return false;
            }
            frame.data_mut().copy_within(grown..grown + self.head_len, 0);
        }
        self.write(frame.data_mut(), 0, first_len).is_some()
    }

    /// Makes the header of the packet at the front of `frame` that of the part with `len` bytes
    /// from `start` on.
    fn write(self, frame: &mut [u8], start: usize, len: usize) -> Option<()> {
        let ends_here = start + len == self.len;
        let packet = frame.get_mut(ETHER_LEN..)?;
        match self.family {
            Family::Ipv4 => {
                let offset = u16::try_from(self.offset + start).ok()?;
                let part_len = u16::try_from(IPV4_LEN + len).ok()?;
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
