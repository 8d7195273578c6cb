//! The IPv6 header, read in place.

/// Bytes of an IPv6 header.
pub(in super::super) const IPV6_LEN: usize = 40;

/// An IPv6 header.
#[derive(Clone, Copy)]
pub(in super::super) struct Ipv6<'a>(&'a [u8; IPV6_LEN]);

/// What stands before the addresses of an IPv6 header, as one number: one load, one store.
///
/// ```text
///   version 4 bits | traffic class 8 | flow label 20 | payload length 16 | next header 8 | hop limit 8
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in super::super) struct Ipv6Start(pub(in super::super) u64);

/// Where its fields begin.
pub(in super::super) const TRAFFIC_CLASS_SHIFT: u32 = 52;
pub(in super::super) const FLOW_LABEL_SHIFT: u32 = 32;
pub(in super::super) const PAYLOAD_LEN_SHIFT: u32 = 16;
const NEXT_HEADER_SHIFT: u32 = 8;

#[allow(clippy::cast_possible_truncation)] // cut to the field
impl Ipv6Start {
    #[inline]
    pub(in super::super) const fn new(
        traffic_class: u8,
        flow_label: u32,
        payload_len: u16,
        next_header: u8,
        hop_limit: u8,
    ) -> Self {
        Self(
            6 << 60
                | (traffic_class as u64) << TRAFFIC_CLASS_SHIFT
                | (flow_label as u64) << FLOW_LABEL_SHIFT
                | (payload_len as u64) << PAYLOAD_LEN_SHIFT
                | (next_header as u64) << NEXT_HEADER_SHIFT
                | hop_limit as u64,
        )
    }

    #[inline]
    pub(in super::super) const fn version(self) -> u8 {
        (self.0 >> 60) as u8
    }

    #[inline]
    pub(in super::super) const fn traffic_class(self) -> u8 {
        (self.0 >> TRAFFIC_CLASS_SHIFT) as u8
    }

    #[inline]
    pub(in super::super) const fn flow_label(self) -> u32 {
        (self.0 >> FLOW_LABEL_SHIFT) as u32 & 0x000f_ffff
    }

    /// Length of the whole packet by the payload length, header included. (A jumbogram, RFC 2675,
    /// has zero there and counts as its header.)
    #[inline]
    pub(in super::super) const fn packet_len(self) -> usize {
        IPV6_LEN + (self.0 >> PAYLOAD_LEN_SHIFT) as u16 as usize
    }

    #[inline]
    pub(in super::super) const fn next_header(self) -> u8 {
        (self.0 >> NEXT_HEADER_SHIFT) as u8
    }

    #[inline]
    pub(in super::super) const fn hop_limit(self) -> u8 {
        self.0 as u8
    }
}

impl<'a> Ipv6<'a> {
    /// The header that `packet` begins with; `None` if it is shorter.
    #[inline]
    pub(in super::super) fn of(packet: &'a [u8]) -> Option<Self> {
        packet.first_chunk().map(Self)
    }

    /// All that stands before the addresses.
    #[inline]
    pub(in super::super) const fn start(self) -> Ipv6Start {
        match self.0.first_chunk() {
            Some(start) => Ipv6Start(u64::from_be_bytes(*start)),
            None => Ipv6Start(0),
        }
    }

    #[inline]
    pub(in super::super) const fn version(self) -> u8 {
        self.start().version()
    }

    #[inline]
    pub(in super::super) const fn traffic_class(self) -> u8 {
        self.start().traffic_class()
    }

    /// Length of the whole packet by its payload length field, header included.
    #[inline]
    pub(in super::super) const fn packet_len(self) -> usize {
        self.start().packet_len()
    }

    #[inline]
    pub(in super::super) const fn next_header(self) -> u8 {
        self.start().next_header()
    }

    #[inline]
    pub(in super::super) const fn hop_limit(self) -> u8 {
        self.start().hop_limit()
    }

    #[inline]
    pub(in super::super) fn src(self) -> u128 {
        self.addr_at(8)
    }

    #[inline]
    pub(in super::super) fn dst(self) -> u128 {
        self.addr_at(24)
    }

    #[inline]
    fn addr_at(self, at: usize) -> u128 {
        let mut octets = [0; 16];
        octets.copy_from_slice(&self.0[at..at + 16]);
        u128::from_be_bytes(octets)
    }
}
