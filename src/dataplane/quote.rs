//! What an ICMP error says about a tunnel packet of ours, read from the part of it that is quoted
//! (RFC 4443 section 3, RFC 792, RFC 1191).
//!
//! ```text
//!   IP | ICMP error | IP from us to a gateway | [limit] | [GRE | UDP ...] | inner packet, cut
//!                   ^ outer_at                                            ^ inner_at
//! ```

use super::classify::Via;
use super::header::{ETHER_LEN, Family, IPV6_LEN, Ip, Ipv4, Ipv6, protocol};
use crate::wire::ipv6::{MIN_MTU, find_upper_layer};
use crate::wire::mip4::{self, TunnelData};
use crate::wire::{gre, tlv, udp};

/// What happened to the tunnel packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// Larger than the link behind the sender of the error carries: this many bytes.
    TooBig(u16),
    /// It does not get to the gateway (RFC 2473 section 8.1, RFC 2003 section 4).
    Unreachable,
    /// Nothing that a sender of packets could do something about.
    Other,
}

/// A tunnel packet of ours as an ICMP error quotes it. Offsets are from the error's IP header on;
/// addresses are as the tables hold them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quote {
    pub(super) news: News,
    /// Outer source and destination.
    pub(super) src: u128,
    pub(super) dst: u128,
    /// What stood between outer header and inner packet, with the gateway's UDP port.
    pub(super) via: Via,
    pub(super) outer_at: usize,
    pub(super) inner_at: usize,
    /// Whom the inner packet is for.
    pub(super) inner_dst: u128,
}

/// Reads an ICMP error to our address; `None` if `packet` is none, or none about a tunnel packet
/// that we could have sent. The checksum is not looked at.
pub(super) fn read(packet: &[u8]) -> Option<Quote> {
    let (ip, message_at) = match Ip::of(packet)? {
        Ip::V6(ip) => (Ip::V6(ip), message_at_ipv6(packet)?),
        Ip::V4(ip) => (Ip::V4(ip), (ip.protocol() == ICMP).then_some(ip.header_len())?),
    };
    let [kind, code, _, _, value @ ..] = *packet.get(message_at..)?.first_chunk::<8>()?;
    let outer_at = message_at + 8;
    let quoted = packet.get(outer_at..)?;
    let outer = Ip::of(quoted).filter(|outer| outer.src() == ip.dst())?;
    let (via, inner_at) = match outer {
        Ip::V6(_) => {
            let upper = find_upper_layer(quoted).ok()?;
            carried(quoted, upper.next_header, upper.offset)?
        }
        Ip::V4(outer) if !outer.is_later_fragment() => {
            carried(quoted, outer.protocol(), outer.header_len())?
        }
        Ip::V4(_) => return None,
    };
    let inner = quoted.get(inner_at..).and_then(Ip::of)?;
    let value = u32::from_be_bytes(value);
    let news = match outer {
        Ip::V6(outer) => news_ipv6(kind, code, value, quoted, outer)?,
        Ip::V4(outer) => news_ipv4(kind, code, value, outer)?,
    };
    Some(Quote {
        news,
        src: outer.src(),
        dst: outer.dst(),
        via,
        outer_at,
        inner_at: outer_at + inner_at,
        inner_dst: inner.dst(),
    })
}

/// Protocol numbers of ICMP.
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

fn message_at_ipv6(packet: &[u8]) -> Option<usize> {
    let upper = find_upper_layer(packet).ok()?;
    (upper.next_header == ICMPV6 && !upper.is_fragment).then_some(upper.offset)
}

/// `None`: not an error (RFC 4443 section 2.1), or one that contradicts what it quotes.
fn news_ipv6(kind: u8, code: u8, value: u32, quoted: &[u8], outer: Ipv6<'_>) -> Option<News> {
    match (kind, code) {
        (1, _) | (3, 0) => Some(News::Unreachable),
        (2, _) => {
            // RFC 8201 4: less than every link carries must be discarded; nor was a packet too big
            // that has no more than what is carried.
            let mtu = u16::try_from(value).ok().filter(|mtu| *mtu >= MIN_MTU)?;
            (usize::from(mtu) < outer.packet_len()).then_some(News::TooBig(mtu))
        }
        // RFC 2473 8.1: tunnels in the tunnel, more of them than the packet allows.
        (4, 0) if is_limit(quoted, value) => Some(News::Unreachable),
        (3 | 4, _) => Some(News::Other),
        _ => None,
    }
}

/// Whether `pointer` points to a Tunnel Encapsulation Limit that is used up.
fn is_limit(quoted: &[u8], pointer: u32) -> bool {
    let limit = find_upper_layer(quoted).ok().and_then(|upper| upper.encapsulation_limit);
    limit.is_some_and(|(value, at)| value <= 1 && u32::try_from(at) == Ok(pointer))
}

/// The same of ICMP for IPv4 (RFC 2003 section 4).
fn news_ipv4(kind: u8, code: u8, value: u32, outer: Ipv4<'_>) -> Option<News> {
    match (kind, code) {
        (3, 4) => {
            let len = u16::try_from(outer.packet_len()).ok()?;
            let told = u16::try_from(value & 0xffff).ok()?;
            let mtu = if told == 0 { plateau_below(len) } else { told };
            // RFC 1191 3: never below 68; and it was DF that kept the packet whole.
            let is_sound = mtu >= IPV4_MTU_LEAST && mtu < len && outer.dont_fragment();
            is_sound.then_some(News::TooBig(mtu.max(IPV4_MTU_FLOOR)))
        }
        // A source route, which our packets never have, failed: nobody's business (RFC 2003 4.1).
        (3, 5) => Some(News::Other),
        (3, _) | (11, 0) => Some(News::Unreachable),
        (4 | 5 | 11 | 12, _) => Some(News::Other),
        _ => None,
    }
}

/// Every link carries that much (RFC 791 section 3.2): who says less has no say.
const IPV4_MTU_LEAST: u16 = 68;
/// Every host takes that much. Less is not believed: tunnel packets in tens of fragments would
/// serve only whoever forged the error. With DF clear routers still cut them.
const IPV4_MTU_FLOOR: u16 = 576;

/// What a path is likely to carry if a router without RFC 1191 could not forward so many bytes: the
/// next plateau (RFC 1191 section 7.1).
fn plateau_below(len: u16) -> u16 {
    const PLATEAUS: [u16; 10] = [32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68];
    PLATEAUS.into_iter().find(|plateau| *plateau < len).unwrap_or(0)
}

/// What stands before the inner packet behind the outer header, which announces `number` at `at`,
/// and where the inner packet begins. Our tunnel packets have no other headers.
fn carried(quoted: &[u8], number: u8, at: usize) -> Option<(Via, usize)> {
    match number {
        protocol::IPV6 | protocol::IPV4 => Some((Via::Ip, at)),
        protocol::GRE => in_gre(quoted, at).map(|(key, inner_at)| (Via::Gre(key), inner_at)),
        protocol::UDP => in_udp(quoted, at),
        _ => None,
    }
}

fn in_gre(quoted: &[u8], at: usize) -> Option<(Option<u32>, usize)> {
    let key_at = at + gre::HEADER_LEN;
    match quoted.get(at..)?.first_chunk::<2>()? {
        [0, 0] => Some((None, key_at)),
        [KEY_PRESENT, 0] => {
            let key = u32::from_be_bytes(*quoted.get(key_at..)?.first_chunk()?);
            Some((Some(key), key_at + 4))
        }
        _ => None,
    }
}

/// In the first byte of a GRE header (RFC 2890 section 2).
const KEY_PRESENT: u8 = 0x20;

fn in_udp(quoted: &[u8], at: usize) -> Option<(Via, usize)> {
    let ports = quoted.get(at..)?.first_chunk::<4>()?;
    let [ours, gateways] = [0, 2].map(|i| u16::from_be_bytes([ports[i], ports[i + 1]]));
    let payload_at = at + udp::HEADER_LEN;
    let payload = quoted.get(payload_at..)?.first_chunk::<2>()?;
    match (ours, payload) {
        (mip4::PORT, [TunnelData::TYPE, _]) => {
            return Some((Via::Mip4Udp(gateways), payload_at + TunnelData::LEN));
        }
        (udp::TUNNEL_PORT | udp::SIGNALING_PORT | udp::DSMIP_PORT, _) => {}
        _ => return None,
    }
    match payload {
        [first, _] if matches!(first >> 4, 4 | 6) => Some((Via::Udp(gateways), payload_at)),
        [first, protocol::GRE] if first >> 4 == 0 => {
            let (key, inner_at) = in_gre(quoted, payload_at + tlv::HEADER_LEN)?;
            Some((Via::UdpGre(gateways, key), inner_at))
        }
        _ => None,
    }
}

/// Whether the checksum of an ICMP error that [`read`] has read holds; `packet` is all of it.
pub(super) fn is_intact(packet: &[u8], quote: &Quote) -> bool {
    use super::checksum::{sum_of, value};
    let message = packet.get(quote.outer_at - 8..).unwrap_or_default();
    let Some(ip) = Ip::of(packet) else { return false };
    let pseudo = match ip.family() {
        Family::Ipv4 => 0,
        Family::Ipv6 => {
            sum_of(packet.get(8..IPV6_LEN).unwrap_or_default())
                + message.len() as u64
                + u64::from(ICMPV6)
        }
    };
    value(pseudo + sum_of(message)) == 0
}

/// The packet in a frame without what the link added behind it; `None` if it is not in one buffer.
pub(super) fn whole_packet(frame: &[u8]) -> Option<&[u8]> {
    let packet = frame.get(ETHER_LEN..)?;
    let len = match Ip::of(packet)? {
        Ip::V6(ip) => ip.packet_len(),
        Ip::V4(ip) => ip.packet_len(),
    };
    packet.get(..len)
}

#[cfg(test)]
mod tests;
