//! Ethernet and IPv6 headers as the hot path reads them: in place, by fixed offsets, bounds-checked
//! once by taking a whole header at a time. What may be slow uses [`crate::wire`].

/// Bytes of an Ethernet header without tags.
pub(super) const ETHER_LEN: usize = 14;
/// Bytes of an IPv6 header.
pub(super) const IPV6_LEN: usize = 40;

/// EtherType of IPv6.
pub(super) const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];

/// Next header values (IANA "Assigned Internet Protocol Numbers").
pub(super) mod protocol {
    pub(in super::super) const HOP_BY_HOP: u8 = 0;
    pub(in super::super) const TCP: u8 = 6;
    pub(in super::super) const UDP: u8 = 17;
    pub(in super::super) const IPV6: u8 = 41;
    pub(in super::super) const ROUTING: u8 = 43;
    pub(in super::super) const FRAGMENT: u8 = 44;
    pub(in super::super) const DESTINATION: u8 = 60;
    pub(in super::super) const SCTP: u8 = 132;
    pub(in super::super) const MOBILITY: u8 = 135;
}

/// An IPv6 header, read in place.
#[derive(Clone, Copy)]
pub(super) struct Ipv6<'a>(&'a [u8; IPV6_LEN]);

impl<'a> Ipv6<'a> {
    /// The header that `packet` begins with; `None` if it is shorter.
    pub(super) fn of(packet: &'a [u8]) -> Option<Self> {
        packet.first_chunk().map(Self)
    }

    /// The header in a frame that was classified as IPv6: behind the Ethernet header.
    pub(super) fn of_frame(frame: &'a [u8]) -> Option<Self> {
        frame.get(ETHER_LEN..).and_then(Self::of)
    }

    pub(super) const fn version(self) -> u8 {
        self.0[0] >> 4
    }

    pub(super) const fn traffic_class(self) -> u8 {
        (self.0[0] << 4) | (self.0[1] >> 4)
    }

    pub(super) const fn flow_label(self) -> u32 {
        u32::from_be_bytes([0, self.0[1] & 0x0f, self.0[2], self.0[3]])
    }

    /// Length of the whole packet by its payload length field, header included. (A jumbogram, RFC
    /// 2675, has zero there and counts as its header.)
    pub(super) const fn packet_len(self) -> usize {
        IPV6_LEN + u16::from_be_bytes([self.0[4], self.0[5]]) as usize
    }

    pub(super) const fn next_header(self) -> u8 {
        self.0[6]
    }

    pub(super) const fn hop_limit(self) -> u8 {
        self.0[7]
    }

    pub(super) fn src(self) -> u128 {
        self.addr_at(8)
    }

    pub(super) fn dst(self) -> u128 {
        self.addr_at(24)
    }

    fn addr_at(self, at: usize) -> u128 {
        let mut octets = [0; 16];
        octets.copy_from_slice(&self.0[at..at + 16]);
        u128::from_be_bytes(octets)
    }
}

/// ff00::/8
pub(super) const fn is_multicast(addr: u128) -> bool {
    addr >> 120 == 0xff
}

/// fe80::/10
pub(super) const fn is_link_local(addr: u128) -> bool {
    addr >> 118 == 0xfe80 >> 6
}

/// Addresses that no router may forward, as a source (RFC 4291 sections 2.5.2, 2.5.3, 2.5.6, 2.7)
/// or as a destination on behalf of a node: unspecified, loopback, link-local, multicast.
pub(super) const fn is_unforwardable(addr: u128) -> bool {
    addr <= 1 || is_link_local(addr) || is_multicast(addr)
}
