//! Fixed offsets of Ethernet and IPv6 headers, and the walk over IPv6 extension headers.
//!
//! The hot path reads the fields it needs in place; everything here is bounds-checked once, by taking
//! a whole header at a time.

/// Bytes of an Ethernet header without tags.
pub(super) const ETHER_LEN: usize = 14;
/// Bytes of an IPv6 header.
pub(super) const IPV6_LEN: usize = 40;
/// The smallest MTU of an IPv6 link (RFC 8200 section 5).
pub(super) const IPV6_MTU_MIN: u16 = 1280;

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
    pub(in super::super) const ICMPV6: u8 = 58;
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

/// Addresses that no router may forward, as a source (RFC 4291 sections 2.5.2, 2.5.3, 2.5.6, 2.7) or
/// as a destination on behalf of a node: unspecified, loopback, link-local, multicast.
pub(super) const fn is_unforwardable(addr: u128) -> bool {
    addr <= 1 || is_link_local(addr) || is_multicast(addr)
}

/// What stands at one place of a header chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header<'a> {
    /// Hop-by-Hop or Destination Options: the options, and their offset in the packet.
    Options(Options<'a>),
    /// A Routing header.
    Routing,
    /// A Fragment header of a real fragment, and whether it is the first one.
    Fragment {
        /// What the fragmented part begins with.
        next: u8,
        /// Whether the upper-layer header may follow.
        first: bool,
    },
    /// The first header that is none of these.
    Upper {
        /// Its protocol number.
        protocol: u8,
        /// Its offset in the packet.
        at: usize,
    },
}

/// A walk over the headers of a packet, in order. Ends at the upper-layer header.
pub(super) struct Headers<'a> {
    packet: &'a [u8],
    next: u8,
    at: usize,
    left: u8,
}

/// The chain is cut, or longer than anyone needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// More extension headers than this in a packet are somebody's test of our patience.
const HEADERS_MAX: u8 = 8;

impl<'a> Headers<'a> {
    /// From the header that follows the IPv6 header of `packet`, whose first header is `ip`.
    pub(super) fn of(packet: &'a [u8], ip: Ipv6<'_>) -> Self {
        Self { packet, next: ip.next_header(), at: IPV6_LEN, left: HEADERS_MAX }
    }

    /// The header here; the walk then stands behind it (at `Upper` it stays).
    pub(super) fn step(&mut self) -> Result<Header<'a>, Malformed> {
        loop {
            if !matches!(
                self.next,
                protocol::HOP_BY_HOP
                    | protocol::DESTINATION
                    | protocol::ROUTING
                    | protocol::FRAGMENT
            ) {
                return Ok(Header::Upper { protocol: self.next, at: self.at });
            }
            self.left = self.left.checked_sub(1).ok_or(Malformed)?;
            let here = self.next;
            let rest = self.packet.get(self.at..).ok_or(Malformed)?;
            let [next, len, offset_hi, offset_lo, ..] = *rest else { return Err(Malformed) };
            // RFC 8200 4.3 and 4.6: in 8-octet units without the first; 4.5: always 8 octets.
            let len = if here == protocol::FRAGMENT { 8 } else { 8 * (usize::from(len) + 1) };
            let body = rest.get(..len).ok_or(Malformed)?;
            let options_at = self.at + 2;
            self.at += len;
            self.next = next;
            return Ok(match here {
                protocol::ROUTING => Header::Routing,
                protocol::FRAGMENT => {
                    let field = u16::from_be_bytes([offset_hi, offset_lo]);
                    if field & 0xfff9 == 0 {
                        continue; // an atomic fragment is a whole packet (RFC 6946)
                    }
                    Header::Fragment { next, first: field & 0xfff8 == 0 }
                }
                _ => Header::Options(Options { body: &body[2..], at: options_at }),
            });
        }
    }
}

/// The options of a Hop-by-Hop or Destination Options header, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Options<'a> {
    body: &'a [u8],
    at: usize,
}

/// One option, padding left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TlvOption<'a> {
    /// Its type; the two high bits say what to do if it is not known.
    pub(super) kind: u8,
    /// Its data.
    pub(super) data: &'a [u8],
    /// Offset of its type in the packet.
    pub(super) at: usize,
}

impl<'a> Iterator for Options<'a> {
    type Item = Result<TlvOption<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&kind, rest) = self.body.split_first()?;
            if kind == 0 {
                // Pad1
                self.body = rest;
                self.at += 1;
                continue;
            }
            let option = rest.split_first().and_then(|(len, rest)| {
                rest.split_at_checked(usize::from(*len)).map(|(data, rest)| (kind, data, rest))
            });
            let Some((kind, data, rest)) = option else {
                self.body = &[];
                return Some(Err(Malformed));
            };
            let at = self.at;
            self.body = rest;
            self.at += 2 + data.len();
            if kind != 1 {
                // not PadN
                return Some(Ok(TlvOption { kind, data, at }));
            }
        }
    }
}

/// Option type of the Tunnel Encapsulation Limit (RFC 2473 section 4.1.1).
pub(super) const OPTION_ENCAP_LIMIT: u8 = 4;
/// Option type of the Home Address (RFC 6275 section 6.3).
pub(super) const OPTION_HOME_ADDRESS: u8 = 201;
