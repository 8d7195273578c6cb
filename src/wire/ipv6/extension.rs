//! IPv6 extension headers (RFC 8200 section 4), as far as an anchor has to see behind them.
//!
//! ```text
//!  IPv6 | Hop-by-Hop | Destination Options | Routing | Fragment | ... upper layer
//!                       |- Tunnel Encapsulation Limit (RFC 2473 4.1.1): a Linux tunnel sends it
//!                       '- Home Address (RFC 6275 6.3): a mobile node's binding update
//! ```

use super::{HEADER_LEN, NEXT_HEADER_AT};
use crate::wire::{Error, ErrorKind, Result, be16, octet};
use std::net::Ipv6Addr;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION_OPTIONS: u8 = 60;

/// More extension headers than this are refused: no honest packet has them (RFC 8504 5.3).
const HEADERS_MAX: usize = 8;

/// Options of the Hop-by-Hop and Destination Options headers.
const PAD1: u8 = 0;
const PADN: u8 = 1;
const TUNNEL_ENCAPSULATION_LIMIT: u8 = 4;
const HOME_ADDRESS: u8 = 201;

/// What stands behind the extension headers, and what they said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UpperLayer {
    /// The first header that is no extension header that we can step over.
    pub next_header: u8,
    /// Its offset from the start of the IPv6 header, in bytes.
    pub offset: usize,
    /// The packet is a fragment of a larger one; what stands at `offset` may be its middle.
    pub is_fragment: bool,
    /// The first Tunnel Encapsulation Limit: its value, and the value's offset.
    pub encapsulation_limit: Option<(u8, usize)>,
    /// Offset of the first option that we do not know and that must not be skipped
    /// (RFC 8200 section 4.2).
    pub unskippable_option: Option<usize>,
    /// The address in a Home Address option (RFC 6275 section 6.3), and the option's offset. Only a
    /// home agent may go on with such a packet: for all others it is [`Self::unskippable_option`].
    pub home_address: Option<(Ipv6Addr, usize)>,
}

impl UpperLayer {
    /// The first option that must not be skipped by who knows no Home Address option.
    #[must_use]
    pub fn unknown_option(&self) -> Option<usize> {
        let home = self.home_address.map(|(_, at)| at);
        self.unskippable_option.into_iter().chain(home).min()
    }
}

/// Steps over the extension headers of `packet`, which starts with its IPv6 header.
///
/// Stops at whatever it cannot step over: an upper layer, ESP, AH, a routing header that is not
/// used up, a fragment that is not the first. Fails with `Truncated` or `Length` if a header or an
/// option leaves the packet or its header, with `Value` if there are too many headers.
pub fn find_upper_layer(packet: &[u8]) -> Result<UpperLayer> {
    let mut upper = UpperLayer {
        next_header: octet(packet, NEXT_HEADER_AT)?,
        offset: HEADER_LEN,
        ..UpperLayer::default()
    };
    for _ in 0..HEADERS_MAX {
        let at = upper.offset;
        let len = match upper.next_header {
            // RFC 8200 4.1: only directly behind the IPv6 header.
            HOP_BY_HOP if at == HEADER_LEN => read_options(packet, &mut upper)?,
            DESTINATION_OPTIONS => read_options(packet, &mut upper)?,
            ROUTING if octet(packet, at + 3)? == 0 => header_len(packet, at)?,
            FRAGMENT => {
                let offset_and_more = be16(packet, at + 2)?;
                // RFC 6946: with neither an offset nor more to come it is a whole packet.
                upper.is_fragment |= offset_and_more & 0xfff9 != 0;
                if offset_and_more & 0xfff8 != 0 {
                    return Ok(upper);
                }
                8
            }
            _ => return Ok(upper),
        };
        upper.next_header = octet(packet, at)?;
        upper.offset = at + len;
    }
    Err(Error::new(ErrorKind::Value, upper.offset))
}

/// Where the Fragment header of `packet`, which starts with its IPv6 header, begins; `None` if it
/// has none among the extension headers that [`find_upper_layer`] steps over.
#[must_use]
pub fn find_fragment(packet: &[u8]) -> Option<usize> {
    let (mut next_header, mut at) = (octet(packet, NEXT_HEADER_AT).ok()?, HEADER_LEN);
    for _ in 0..HEADERS_MAX {
        match next_header {
            FRAGMENT => return Some(at),
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS => {
                next_header = octet(packet, at).ok()?;
                at += header_len(packet, at).ok()?;
            }
            _ => return None,
        }
    }
    None
}

/// Whether an IPv6 packet carries this next header, as a whole or as a fragment of it.
#[must_use]
pub fn carries(packet: &[u8], next_header: u8) -> bool {
    let of_fragment = || find_fragment(packet).and_then(|at| packet.get(at).copied());
    find_upper_layer(packet).is_ok_and(|upper| upper.next_header == next_header)
        || of_fragment() == Some(next_header)
}

/// Whether an IPv6 packet carries this next header, or may do so: it has headers that we cannot
/// step over, or is a later fragment of one whose headers go on behind the first.
#[must_use]
pub fn may_carry(packet: &[u8], next_header: u8) -> bool {
    let goes_on = |n: u8| matches!(n, HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS);
    let of_fragment = || find_fragment(packet).and_then(|at| packet.get(at).copied());
    let is_unknown = match find_upper_layer(packet) {
        Ok(UpperLayer { next_header: FRAGMENT, .. }) => of_fragment().is_none_or(goes_on),
        Ok(upper) => goes_on(upper.next_header),
        Err(_) => true,
    };
    is_unknown || carries(packet, next_header)
}

/// Length of the extension header at `at`, in bytes.
fn header_len(packet: &[u8], at: usize) -> Result<usize> {
    Ok((usize::from(octet(packet, at + 1)?) + 1) * 8)
}

/// Reads the options header at `upper.offset`; returns its length.
fn read_options(packet: &[u8], upper: &mut UpperLayer) -> Result<usize> {
    let start = upper.offset;
    let is_destination = upper.next_header == DESTINATION_OPTIONS;
    let len = header_len(packet, start)?;
    let end = start + len;
    let header = packet.get(..end).ok_or(Error::new(ErrorKind::Truncated, start + 1))?;
    let mut at = start + 2;
    while at < end {
        let kind = octet(header, at)?;
        if kind == PAD1 {
            at += 1;
            continue;
        }
        let cut = Error::new(ErrorKind::Length, at + 1);
        let data_len = octet(header, at + 1).map_err(|_| cut)?;
        let data_at = at + 2;
        let data = header.get(data_at..data_at + usize::from(data_len)).ok_or(cut)?;
        match (kind, data) {
            (PADN, _) => {}
            (TUNNEL_ENCAPSULATION_LIMIT, [limit]) => {
                upper.encapsulation_limit.get_or_insert((*limit, data_at));
            }
            // 6.3: once, and in a Destination Options header.
            (HOME_ADDRESS, data) if is_destination && upper.home_address.is_none() => {
                let octets: [u8; 16] = data.try_into().map_err(|_| cut)?;
                upper.home_address = Some((octets.into(), at));
            }
            (TUNNEL_ENCAPSULATION_LIMIT, _) => return Err(cut),
            // RFC 8200 4.2: the two highest bits say what is to be done with an unknown option.
            _ if kind >> 6 == 0 => {}
            _ => {
                upper.unskippable_option.get_or_insert(at);
            }
        }
        at = data_at + data.len();
    }
    Ok(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An IPv6 header that says `next_header`, then `rest`.
    fn packet(next_header: u8, rest: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, 0, next_header, 64];
        packet.resize(HEADER_LEN, 0);
        packet.extend(rest);
        packet
    }

    fn upper(next_header: u8, offset: usize) -> UpperLayer {
        UpperLayer { next_header, offset, ..UpperLayer::default() }
    }

    #[test]
    fn tunnel_packet_of_a_linux_kernel_is_found_behind_its_encapsulation_limit() {
        let p = packet(60, &[41, 0, 4, 1, 4, 1, 1, 0, 0x60]);
        let expected = UpperLayer { encapsulation_limit: Some((4, 44)), ..upper(41, 48) };
        assert_eq!(find_upper_layer(&p), Ok(expected));
    }

    #[test]
    fn plain_packet_ends_at_its_first_header() {
        assert_eq!(find_upper_layer(&packet(17, &[])), Ok(upper(17, 40)));
    }

    #[test]
    fn every_kind_of_extension_header_is_stepped_over() {
        let p = packet(0, &[&[60, 0, 1, 4, 0, 0, 0, 0], &[43, 0, 1, 4, 0, 0, 0, 0][..]].concat());
        let p = [&p[..], &[44, 0, 0, 0, 0, 0, 0, 0], &[135, 0, 0, 0, 1, 2, 3, 4]].concat();
        assert_eq!(find_upper_layer(&p), Ok(upper(135, 72)));
    }

    // What is to be in ESP does not pass in the clear behind headers that we cannot step over.
    #[test]
    fn packet_may_carry_what_stands_behind_headers_that_cannot_be_stepped_over() {
        const OPTIONS: [u8; 8] = [60, 0, 1, 4, 0, 0, 0, 0];
        let fragment = |next_header, offset: u8| [next_header, 0, 0, offset, 0, 0, 0, 9];
        for (what, p, may) in [
            ("itself", packet(135, &[59]), true),
            ("another", packet(17, &[59]), false),
            ("too many headers", packet(60, &OPTIONS.repeat(9)), true),
            ("a header that is cut", packet(60, &[135, 4, 1, 4, 0, 0, 0, 0]), true),
            ("a route that is not used up", packet(43, &[135, 0, 0, 1, 0, 0, 0, 0]), true),
            ("its later fragment", packet(44, &fragment(135, 8)), true),
            ("that of another", packet(44, &fragment(17, 8)), false),
            ("one whose headers go on in the first", packet(44, &fragment(60, 8)), true),
            ("the first one of another", packet(44, &fragment(17, 1)), false),
        ] {
            assert_eq!(may_carry(&p, 135), may, "{what}");
        }
    }

    #[test]
    fn routing_header_with_segments_left_is_where_the_walk_ends() {
        let p = packet(43, &[41, 0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(find_upper_layer(&p), Ok(upper(43, 40)));
    }

    #[test]
    fn fragments_are_told_from_whole_packets() {
        let first = packet(44, &[41, 0, 0, 1, 0, 0, 0, 9]);
        let expected = UpperLayer { is_fragment: true, ..upper(41, 48) };
        assert_eq!(find_upper_layer(&first), Ok(expected));
        let later = packet(44, &[41, 0, 0, 8, 0, 0, 0, 9]);
        let expected = UpperLayer { is_fragment: true, ..upper(44, 40) };
        assert_eq!(find_upper_layer(&later), Ok(expected));
        let atomic = packet(44, &[41, 0, 0, 0, 0, 0, 0, 9]);
        assert_eq!(find_upper_layer(&atomic), Ok(upper(41, 48)));
        let behind = packet(0, &[&[44, 0, 1, 4, 0, 0, 0, 0], &first[40..]].concat());
        let found =
            [&first, &later, &atomic, &behind, &packet(41, &first)].map(|p| find_fragment(p));
        assert_eq!(found, [Some(40), Some(40), Some(40), Some(48), None]);
        for len in 0..behind.len() {
            assert!(find_fragment(&behind[..len]).is_none_or(|at| at == 48), "{len}");
        }
    }

    #[test]
    fn unknown_option_is_skipped_or_reported_as_its_highest_bits_say() {
        let skippable = packet(60, &[41, 0, 0x3e, 4, 0, 0, 0, 0]);
        assert_eq!(find_upper_layer(&skippable), Ok(upper(41, 48)));
        for kind in [0x7e, 0xbe, 0xfe] {
            let p = packet(60, &[41, 0, 0, kind, 3, 0, 0, 0]);
            let expected = UpperLayer { unskippable_option: Some(43), ..upper(41, 48) };
            assert_eq!(find_upper_layer(&p), Ok(expected));
        }
    }

    #[test]
    fn option_that_leaves_its_header_is_an_error_at_its_length() {
        let length = |offset| Err(Error { kind: ErrorKind::Length, offset });
        assert_eq!(find_upper_layer(&packet(60, &[41, 0, 1, 5, 0, 0, 0, 0, 0])), length(43));
        assert_eq!(find_upper_layer(&packet(60, &[41, 0, 0, 0, 0, 0, 0, 5, 0])), length(48));
        assert_eq!(find_upper_layer(&packet(60, &[41, 0, 4, 2, 0, 0, 0, 0])), length(43));
    }

    #[test]
    fn ninth_extension_header_is_refused() {
        let mut eight = [60, 0, 1, 4, 0, 0, 0, 0].repeat(8);
        let e = Err(Error { kind: ErrorKind::Value, offset: 40 + 8 * 8 });
        assert_eq!(find_upper_layer(&packet(60, &eight)), e);
        eight.truncate(7 * 8);
        eight[6 * 8] = 41;
        assert_eq!(find_upper_layer(&packet(60, &eight)), Ok(upper(41, 40 + 7 * 8)));
    }

    proptest! {
        #[test]
        fn noise_never_panics_and_the_end_is_never_past_a_whole_chain(
            next_header in prop::sample::select(vec![0_u8, 43, 44, 60]),
            rest in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let p = packet(next_header, &rest);
            if let Ok(upper) = find_upper_layer(&p) {
                prop_assert!(upper.offset >= HEADER_LEN);
                for len in 0..upper.offset.min(p.len()) {
                    let shorter = find_upper_layer(&p[..len]).map(|u| u.offset);
                    prop_assert!(shorter.is_err() || shorter == Ok(upper.offset));
                }
            }
        }
    }
}
