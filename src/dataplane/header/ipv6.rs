//! The IPv6 header, read in place.

/// Bytes of an IPv6 header.
pub(in super::super) const IPV6_LEN: usize = 40;

/// An IPv6 header.
#[derive(Clone, Copy)]
pub(in super::super) struct Ipv6<'a>(&'a [u8; IPV6_LEN]);

impl<'a> Ipv6<'a> {
    /// The header that `packet` begins with; `None` if it is shorter.
    #[inline]
    pub(in super::super) fn of(packet: &'a [u8]) -> Option<Self> {
        packet.first_chunk().map(Self)
    }

    #[inline]
    pub(in super::super) const fn version(self) -> u8 {
        (self.word() >> 28) as u8
    }

    #[inline]
    pub(in super::super) const fn traffic_class(self) -> u8 {
        (self.word() >> 20 & 0xff) as u8
    }

    #[inline]
    pub(in super::super) const fn flow_label(self) -> u32 {
        self.word() & 0x000f_ffff
    }

    /// Version, traffic class and flow label: one load.
    #[inline]
    const fn word(self) -> u32 {
        let [a, b, c, d, ..] = *self.0;
        u32::from_be_bytes([a, b, c, d])
    }

    /// Length of the whole packet by its payload length field, header included. (A jumbogram, RFC
    /// 2675, has zero there and counts as its header.)
    #[inline]
    pub(in super::super) const fn packet_len(self) -> usize {
        IPV6_LEN + u16::from_be_bytes([self.0[4], self.0[5]]) as usize
    }

    #[inline]
    pub(in super::super) const fn next_header(self) -> u8 {
        self.0[6]
    }

    #[inline]
    pub(in super::super) const fn hop_limit(self) -> u8 {
        self.0[7]
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
