//! The first stage: what the headers of a packet say, if they are ordinary ones.

use super::super::burst::Lane;
use super::super::classify::{Ingress, Via};
use super::super::encap::flow_label;
use super::super::fib::Fib;
use super::super::handoff::{Context, Origin};
use super::super::hash::high;
use super::super::header::{
    ETHER_LEN, Family, IPV4_LEN, IPV6_LEN, Ip, Ipv4, Ipv6, ether_type, is_unforwardable, protocol,
};
use super::super::tunnel::TRANSPORT;
use super::{From, Note, Way};
use crate::addr::{CustomerId, PortId};
use crate::nic::Frame;
use crate::wire::gre;

/// What must be known of the port by which a frame came.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Entry<'a> {
    ingress: &'a Ingress,
    /// The port's, in the lower 48 bits.
    mac: u64,
    customer: CustomerId,
}

impl<F: Frame> Lane<F> {
    #[inline]
    pub(in super::super) fn entry(&self, PortId(port): PortId) -> Option<Entry<'_>> {
        let ingress = self.ingress.get(usize::from(port))?;
        let mac = ingress.mac.0.iter().fold(0, |mac, byte| mac << 8 | u64::from(*byte));
        Some(Entry { ingress, mac, customer: self.ports.get(usize::from(port))?.customer })
    }

    /// The first stage for a frame that came by a port, maybe by another worker's.
    #[inline(always)]
    pub(in super::super) fn read(
        &self,
        frame: &F,
        entry: Option<Entry<'_>>,
        from: From,
        note: &mut Note,
    ) {
        note.from = from;
        let way = entry.and_then(|entry| self.read_frame(frame, entry, note));
        note.way = way.unwrap_or(Way::General);
    }

    /// The first stage for a plain packet of another worker.
    pub(in super::super) fn read_plain(&self, frame: &F, context: Context, note: &mut Note) {
        note.from = From::Downlink(context);
        note.customer = context.customer;
        let packet = frame.data().get(ETHER_LEN..).unwrap_or_default();
        let way = match packet.first().map(|first| first >> 4) {
            _ if context.origin == Origin::Ours => None,
            Some(6) => Ipv6::of(packet).and_then(|ip| self.plain_ipv6(packet, ip, note)),
            _ => ordinary_ipv4(packet).and_then(|ip| self.plain_ipv4(packet, ip, note)),
        };
        note.way = way.unwrap_or(Way::General);
    }

    /// `None` if it is not ordinary.
    #[inline(always)]
    fn read_frame(&self, frame: &F, entry: Entry<'_>, note: &mut Note) -> Option<Way> {
        let Entry { ingress, mac, customer } = entry;
        let (ether, packet) = frame.data().split_first_chunk::<ETHER_LEN>()?;
        let [.., high, low] = *ether;
        if u64::from_be_bytes(*ether.first_chunk()?) >> 16 != mac {
            return None;
        }
        note.customer = customer;
        let room = frame.frame_len() - ETHER_LEN;
        match [high, low] {
            ether_type::IPV6 => {
                let ip = Ipv6::of(packet)?;
                if ip.version() != 6 || ip.packet_len() > room {
                    return None;
                }
                if ingress.lma.is_none_or(|lma| lma.0.to_bits() != ip.dst()) {
                    return self.plain_ipv6(packet, ip, note);
                }
                let carried = (ip.next_header(), IPV6_LEN, ip.packet_len());
                self.read_tunnel(frame, ingress, carried, ip.traffic_class(), note)
            }
            ether_type::IPV4 => {
                let ip = ordinary_ipv4(packet)?;
                if ip.packet_len() > room {
                    return None;
                }
                if ingress.lma_ipv4.is_none_or(|lma| lma.to_ipv6_mapped().to_bits() != ip.dst()) {
                    return self.plain_ipv4(packet, ip, note);
                }
                if ip.is_fragment() {
                    return None;
                }
                let carried = (ip.protocol(), IPV4_LEN, ip.packet_len());
                self.read_tunnel(frame, ingress, carried, ip.tos(), note)
            }
            _ => None,
        }
    }

    #[inline(always)]
    fn plain_ipv6(&self, packet: &[u8], ip: Ipv6<'_>, note: &mut Note) -> Option<Way> {
        let is_extension = matches!(
            ip.next_header(),
            protocol::HOP_BY_HOP | protocol::ROUTING | protocol::FRAGMENT | protocol::DESTINATION
        );
        if self.may_be_clamped(packet, IPV6_LEN, ip.next_header())
            || !is_ordinary(ip.src())
            || !is_ordinary(ip.dst())
            || ip.hop_limit() <= 1
            || is_extension
        {
            return None;
        }
        note.inner = Family::Ipv6;
        note.packet_len = u16::try_from(ip.packet_len()).ok()?;
        note.traffic_class = self.markings.of(note.customer).outer(ip.traffic_class());
        note.dont_fragment = false; // RFC 4213 3.2.1
        let packet = packet.get(..ip.packet_len()).unwrap_or(packet);
        note.flow_label = flow_label(packet, Ip::V6(ip));
        note.addr = ip.dst();
        Some(Way::Down)
    }

    #[inline(always)]
    fn plain_ipv4(&self, packet: &[u8], ip: Ipv4<'_>, note: &mut Note) -> Option<Way> {
        if ip.ttl() <= 1 || self.may_be_clamped(packet, IPV4_LEN, ip.protocol()) {
            return None;
        }
        note.inner = Family::Ipv4;
        note.packet_len = u16::try_from(ip.packet_len()).ok()?;
        note.traffic_class = self.markings.of(note.customer).outer(ip.tos());
        note.dont_fragment = ip.dont_fragment(); // RFC 2003 3.1
        let packet = packet.get(..ip.packet_len()).unwrap_or(packet);
        note.flow_label = flow_label(packet, Ip::V4(ip));
        note.addr = ip.dst();
        Some(Way::Down)
    }

    /// Whether it is a SYN whose Maximum Segment Size may have to be lowered.
    #[inline]
    fn may_be_clamped(&self, packet: &[u8], at: usize, number: u8) -> bool {
        self.clamp_mss && number == protocol::TCP && is_syn(packet, at)
    }

    /// A packet to the anchor, with something of this number from here to there, and of this
    /// traffic class.
    #[inline]
    fn read_tunnel(
        &self,
        frame: &F,
        ingress: &Ingress,
        (number, at, end): (u8, usize, usize),
        traffic_class: u8,
        note: &mut Note,
    ) -> Option<Way> {
        if !ingress.access {
            return None;
        }
        let packet = frame.data().get(ETHER_LEN..)?;
        let (family, inner_at, via) = match number {
            protocol::IPV6 => (Family::Ipv6, at, Via::Ip),
            protocol::IPV4 => (Family::Ipv4, at, Via::Ip),
            protocol::GRE => read_gre(packet, at)?,
            _ => return None,
        };
        let inner = packet.get(inner_at..end)?;
        let (src, dst, own_class) = match family {
            Family::Ipv6 => {
                let ip = Ipv6::of(inner)?;
                let is_fine = ip.version() == 6
                    && !self.may_be_clamped(inner, IPV6_LEN, ip.next_header())
                    && ip.packet_len() == inner.len()
                    && ip.next_header() != protocol::HOP_BY_HOP
                    && ip.hop_limit() > 1
                    && is_ordinary(ip.src())
                    && is_ordinary(ip.dst());
                is_fine.then(|| (ip.src(), ip.dst(), ip.traffic_class()))?
            }
            Family::Ipv4 => {
                let ip = ordinary_ipv4(inner)?;
                let is_fine = ip.packet_len() == inner.len()
                    && ip.ttl() > 1
                    && !self.may_be_clamped(inner, IPV4_LEN, ip.protocol());
                is_fine.then(|| (ip.src(), ip.dst(), ip.tos()))?
            }
        };
        note.customer = self.customer_behind(frame).unwrap_or(TRANSPORT);
        // What changes the packet is for the general path.
        let marking = self.markings.of(note.customer);
        if marking.inner(own_class, traffic_class) != Some(own_class) {
            return None;
        }
        note.home = Fib::home(note.customer, dst);
        note.dst = dst;
        note.inner = family;
        note.inner_at = u16::try_from(inner_at).ok()?;
        note.packet_len = u16::try_from(end).ok()?;
        note.via = via;
        note.addr = src;
        Some(Way::Up)
    }
}

/// A GRE header with a key and nothing else, or with nothing.
#[inline(always)]
fn read_gre(packet: &[u8], at: usize) -> Option<(Family, usize, Via)> {
    let header = packet.get(at..)?;
    let [flags, version, protocol @ ..] = *header.first_chunk::<{ gre::HEADER_LEN }>()?;
    let (key, len) = match [flags, version] {
        [0, 0] => (None, gre::HEADER_LEN),
        [0x20, 0] => {
            let key = header.get(gre::HEADER_LEN..)?.first_chunk()?;
            (Some(u32::from_be_bytes(*key)), gre::HEADER_LEN + 4)
        }
        _ => return None,
    };
    let family = match protocol {
        ether_type::IPV6 => Family::Ipv6,
        ether_type::IPV4 => Family::Ipv4,
        _ => return None,
    };
    Some((family, at + len, Via::Gre(key)))
}

/// A whole IPv4 header without options, between addresses that may be forwarded.
#[inline(always)]
fn ordinary_ipv4(packet: &[u8]) -> Option<Ipv4<'_>> {
    let header = packet.first_chunk::<IPV4_LEN>()?;
    let ip = Ipv4::of(packet)?;
    let is_fine = header[0] == 0x45
        && ip.packet_len() >= IPV4_LEN
        && Ipv4::is_intact(header)
        && !is_unforwardable(ip.src())
        && !is_unforwardable(ip.dst());
    is_fine.then_some(ip)
}

/// Neither unspecified, loopback, mapped, link-local nor multicast. (Nor some others from ::/64 and
/// fe00::/8 that would do.)
#[inline(always)]
const fn is_ordinary(addr: u128) -> bool {
    high(addr).wrapping_sub(1) < (0xfe << 56) - 1
}

/// Whether a TCP header begins there that may be a SYN's.
fn is_syn(packet: &[u8], at: usize) -> bool {
    packet.get(at + TCP_FLAGS_AT).is_none_or(|flags| flags & TCP_SYN != 0)
}

const TCP_FLAGS_AT: usize = 13;
const TCP_SYN: u8 = 0b10;
