//! The IPv4 header, read and changed in place.

use super::super::checksum::{sum_of, updated, value};

/// Bytes of an IPv4 header without options.
pub(in super::super) const IPV4_LEN: usize = 20;

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
/// More Fragments and the offset.
const FRAGMENT: u16 = 0x3fff;
const OFFSET: u16 = 0x1fff;
/// What stands before an IPv4 address in its mapped form.
const MAPPED: u128 = 0xffff << 32;

/// An IPv4 header's fixed part.
#[derive(Clone, Copy)]
pub(in super::super) struct Ipv4<'a>(&'a [u8; IPV4_LEN]);

impl<'a> Ipv4<'a> {
    /// The header that `packet` begins with; `None` if it is shorter.
    #[inline]
    pub(in super::super) fn of(packet: &'a [u8]) -> Option<Self> {
        packet.first_chunk().map(Self)
    }

    #[inline]
    pub(in super::super) const fn version(self) -> u8 {
        self.0[0] >> 4
    }

    /// Length of the header with its options, by its own word.
    #[inline]
    pub(in super::super) const fn header_len(self) -> usize {
        (self.0[0] & 0x0f) as usize * 4
    }

    #[inline]
    pub(in super::super) const fn tos(self) -> u8 {
        self.0[1]
    }

    /// Length of the whole packet by its total length field.
    #[inline]
    pub(in super::super) const fn packet_len(self) -> usize {
        self.word_at(2) as usize
    }

    #[inline]
    pub(in super::super) const fn dont_fragment(self) -> bool {
        self.word_at(6) & DONT_FRAGMENT != 0
    }

    /// Whether it is a part of a larger packet.
    #[inline]
    pub(in super::super) const fn is_fragment(self) -> bool {
        self.word_at(6) & FRAGMENT != 0
    }

    /// Whether it is such a part, and not the first one.
    #[inline]
    pub(in super::super) const fn is_later_fragment(self) -> bool {
        self.word_at(6) & OFFSET != 0
    }

    /// Whether others follow this part.
    #[inline]
    pub(in super::super) const fn more_fragments(self) -> bool {
        self.word_at(6) & MORE_FRAGMENTS != 0
    }

    /// Where this part begins in the payload of the packet, in bytes.
    #[inline]
    pub(in super::super) const fn fragment_offset(self) -> usize {
        (self.word_at(6) & OFFSET) as usize * 8
    }

    #[inline]
    pub(in super::super) const fn identification(self) -> u16 {
        self.word_at(4)
    }

    #[inline]
    pub(in super::super) const fn ttl(self) -> u8 {
        self.0[8]
    }

    #[inline]
    pub(in super::super) const fn protocol(self) -> u8 {
        self.0[9]
    }

    /// IPv4-mapped.
    #[inline]
    pub(in super::super) const fn src(self) -> u128 {
        self.addr_at(12)
    }

    /// IPv4-mapped.
    #[inline]
    pub(in super::super) const fn dst(self) -> u128 {
        self.addr_at(16)
    }

    #[inline]
    const fn word_at(self, at: usize) -> u16 {
        u16::from_be_bytes([self.0[at], self.0[at + 1]])
    }

    #[inline]
    const fn addr_at(self, at: usize) -> u128 {
        let b = self.0;
        MAPPED | u32::from_be_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]]) as u128
    }

    /// Source and destination.
    #[inline]
    pub(in super::super) const fn addrs(self) -> [u32; 2] {
        let b = self.0;
        [
            u32::from_be_bytes([b[12], b[13], b[14], b[15]]),
            u32::from_be_bytes([b[16], b[17], b[18], b[19]]),
        ]
    }

    /// Whether it is of this version, without options, and its checksum holds.
    #[inline(always)]
    #[allow(clippy::inline_always)] // a dozen instructions
    pub(in super::super) fn is_simple(self) -> bool {
        // RFC 1071 2: by words of any length, in either order of bytes; the sum is not zero.
        let word = |i: usize| {
            let b = &self.0[i * 4..i * 4 + 4];
            u64::from(u32::from_ne_bytes([b[0], b[1], b[2], b[3]]))
        };
        let sum = word(0) + word(1) + word(2) + word(3) + word(4);
        self.0[0] == 0x45 && sum.is_multiple_of(0xffff)
    }

    /// Whether the checksum of a header with its options holds.
    #[inline]
    pub(in super::super) fn is_intact(header: &[u8]) -> bool {
        value(sum_of(header)) == 0
    }

    /// Takes one from the time to live of the packet, if there is one left.
    #[inline]
    pub(in super::super) fn spend_hop(packet: &mut [u8]) {
        match packet.first_chunk_mut() {
            Some(header) if header[8] > 0 => Self::spend_one(header),
            _ => {}
        }
    }

    /// The same of a header that has one (RFC 1141 and 1624: the checksum follows).
    #[inline(always)]
    #[allow(clippy::inline_always)] // half a dozen instructions
    pub(in super::super) fn spend_one(header: &mut [u8; IPV4_LEN]) {
        header[8] = header[8].wrapping_sub(1);
        // The word of both is 0x0100 less, whatever they are; what overflows comes in again, and
        // so does a sum of ones alone, which is zero.
        let (checksum, carried) =
            u16::from_be_bytes([header[10], header[11]]).overflowing_add(0x0100);
        let carry = u16::from(carried || checksum == 0xffff);
        header[10..12].copy_from_slice(&checksum.wrapping_add(carry).to_be_bytes());
    }

    /// The word of its flags and offset with nothing in it but Don't Fragment.
    #[inline(always)]
    #[allow(clippy::inline_always)] // two instructions
    pub(in super::super) fn dont_fragment_of(header: &[u8; IPV4_LEN]) -> u16 {
        u16::from_be_bytes([header[6], header[7]]) & DONT_FRAGMENT
    }

    /// Sets the type of service of the packet: DSCP and ECN.
    pub(in super::super) fn set_tos(packet: &mut [u8], tos: u8) {
        if let Some(header) = packet.first_chunk_mut::<IPV4_LEN>() {
            let old = u16::from_be_bytes([header[0], header[1]]);
            header[1] = tos;
            let new = u16::from_be_bytes([header[0], header[1]]);
            Self::update_checksum(header, old, new);
        }
    }

    /// Makes the header without options that `packet` begins with that of a whole packet of
    /// `packet_len` bytes.
    pub(in super::super) fn set_whole(packet: &mut [u8], packet_len: u16) {
        if let Some(first) = packet.first_mut() {
            *first = 0x45;
        }
        Self::set_part(packet, packet_len, 0, false);
    }

    /// Makes the header that `packet` begins with, options included, that of a part of `part_len`
    /// bytes, header included, whose payload begins `offset` bytes into that of the packet.
    pub(in super::super) fn set_part(packet: &mut [u8], part_len: u16, offset: u16, more: bool) {
        let header_len = Ipv4::of(packet).map_or(0, Ipv4::header_len).max(IPV4_LEN);
        if let Some(header) = packet.get_mut(..header_len) {
            let more = if more { MORE_FRAGMENTS } else { 0 };
            header[2..4].copy_from_slice(&part_len.to_be_bytes());
            header[6..8].copy_from_slice(&((offset / 8) | more).to_be_bytes());
            header[10..12].fill(0);
            let checksum = value(sum_of(header));
            header[10..12].copy_from_slice(&checksum.to_be_bytes());
        }
    }

    #[inline]
    fn update_checksum(header: &mut [u8; IPV4_LEN], old: u16, new: u16) {
        let checksum = u16::from_be_bytes([header[10], header[11]]);
        header[10..12].copy_from_slice(&updated(checksum, old, new).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ipv4::Ipv4Header;
    use std::net::Ipv4Addr;

    fn header(ttl: u8, tos: u8, identification: u16) -> [u8; IPV4_LEN] {
        let header = Ipv4Header {
            header_len: IPV4_LEN,
            tos,
            total_len: 20,
            identification,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            ttl,
            protocol: 17,
            src: Ipv4Addr::new(10, 0, 0, 1),
            dst: Ipv4Addr::new(198, 51, 100, 7),
        };
        let mut bytes = [0; IPV4_LEN];
        header.emit(&mut bytes).expect("room");
        bytes
    }

    // RFC 1624: whatever is changed, the header is that of a sender who had written it so.
    #[test]
    fn changed_header_has_the_checksum_of_a_new_one() {
        for identification in 0..=u16::MAX {
            let mut bytes = header(64, 0b10, identification);
            Ipv4::spend_hop(&mut bytes);
            assert!(Ipv4::is_intact(&bytes));
            Ipv4::set_tos(&mut bytes, 0b11);
            assert_eq!(bytes, header(63, 0b11, identification));
        }
    }
}
