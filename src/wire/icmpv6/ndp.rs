//! Neighbour discovery (RFC 4861), as far as an access gateway speaks it itself: it hears Router
//! Solicitations and Neighbor Advertisements, and sends Router Advertisements and Neighbor
//! Solicitations.
//!
//! A message here is what stands behind the IPv6 header, from the ICMPv6 type on.

use super::{checksum, fill_checksum};
use crate::addr::{HomePrefix, MacAddr};
use crate::wire::{Error, ErrorKind, Result, Writer, field, octet};
use std::net::Ipv6Addr;

const ROUTER_SOLICITATION: u8 = 133;
pub(super) const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOR_SOLICITATION: u8 = 135;
const NEIGHBOR_ADVERTISEMENT: u8 = 136;

/// Every message of neighbour discovery comes with this hop limit, so that it cannot come from
/// beyond a router (RFC 4861 section 6.1).
pub const HOP_LIMIT: u8 = 255;

const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;
pub(super) const PREFIX_INFORMATION: u8 = 3;
const MTU: u8 = 5;

/// Flags of a Neighbor Advertisement.
const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

/// Flags M and O of a Router Advertisement.
const MANAGED_AND_OTHER: u8 = 0xc0;

/// Options count their length in these, in bytes.
const UNIT: usize = 8;

/// The addresses and the hop limit of the IPv6 header that a message came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope {
    /// Source.
    pub src: Ipv6Addr,
    /// Destination.
    pub dst: Ipv6Addr,
    /// Hop limit as received.
    pub hop_limit: u8,
}

/// A Router Solicitation (RFC 4861 section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouterSolicitation {
    /// The sender's link-layer address, if it says so.
    pub source_link_layer: Option<MacAddr>,
}

impl RouterSolicitation {
    /// Length of the message with a link-layer address, in bytes.
    pub const LEN_MAX: usize = 8 + UNIT;

    /// Writes the message into the front of `buf`, checksum included; returns its length.
    pub fn emit(&self, src: Ipv6Addr, dst: Ipv6Addr, buf: &mut [u8]) -> Result<usize> {
        let len = 8 + self.source_link_layer.map_or(0, |_| UNIT);
        let short = Error::new(ErrorKind::Truncated, buf.len());
        let message = buf.get_mut(..len).ok_or(short)?;
        let mut w = Writer::new(message);
        w.put(&[ROUTER_SOLICITATION, 0, 0, 0, 0, 0, 0, 0])?;
        if let Some(mac) = self.source_link_layer {
            put_link_layer(&mut w, SOURCE_LINK_LAYER, mac)?;
        }
        fill_checksum(message, src, dst)?;
        Ok(len)
    }

    /// Parses and validates (RFC 4861 section 6.1.1).
    pub fn parse(message: &[u8], envelope: Envelope) -> Result<Self> {
        validate(message, envelope, ROUTER_SOLICITATION)?;
        let source_link_layer = find_link_layer(message, 8, SOURCE_LINK_LAYER)?;
        if envelope.src.is_unspecified() && source_link_layer.is_some() {
            return Err(Error::new(ErrorKind::Value, 8));
        }
        Ok(Self { source_link_layer })
    }
}

/// A Neighbor Advertisement (RFC 4861 section 4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeighborAdvertisement {
    /// The address that it speaks of.
    pub target: Ipv6Addr,
    /// Flag R: the sender is a router.
    pub router: bool,
    /// Flag S: it answers a solicitation.
    pub solicited: bool,
    /// Flag O: it takes the place of what is cached.
    pub overrides: bool,
    /// The link-layer address of the target, if it says so.
    pub target_link_layer: Option<MacAddr>,
}

impl NeighborAdvertisement {
    /// Length of the message with a link-layer address, in bytes.
    pub const LEN_MAX: usize = 24 + UNIT;

    /// Writes the message into the front of `buf`, checksum included; returns its length.
    pub fn emit(&self, src: Ipv6Addr, dst: Ipv6Addr, buf: &mut [u8]) -> Result<usize> {
        let flags =
            [(self.router, ROUTER), (self.solicited, SOLICITED), (self.overrides, OVERRIDE)];
        let flags = flags.iter().filter(|(is, _)| *is).fold(0, |flags, (_, flag)| flags | flag);
        let option = self.target_link_layer.map(|mac| (TARGET_LINK_LAYER, mac));
        emit_about(NEIGHBOR_ADVERTISEMENT, flags, self.target, option, (src, dst), buf)
    }

    /// Parses and validates (RFC 4861 section 7.1.2).
    pub fn parse(message: &[u8], envelope: Envelope) -> Result<Self> {
        validate(message, envelope, NEIGHBOR_ADVERTISEMENT)?;
        let target: Ipv6Addr = field(message, 8)?.into();
        let flags = octet(message, 4)?;
        let solicited = flags & SOLICITED != 0;
        if target.is_multicast() || solicited && envelope.dst.is_multicast() {
            return Err(Error::new(ErrorKind::Value, 8));
        }
        check_options(message, 24)?;
        Ok(Self {
            target,
            router: flags & ROUTER != 0,
            solicited,
            overrides: flags & OVERRIDE != 0,
            target_link_layer: find_link_layer(message, 24, TARGET_LINK_LAYER)?,
        })
    }
}

/// A Neighbor Solicitation (RFC 4861 section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeighborSolicitation {
    /// Whose link-layer address, or presence, is asked for.
    pub target: Ipv6Addr,
    /// The sender's link-layer address, if it says so; who has no address yet does not.
    pub source_link_layer: Option<MacAddr>,
}

impl NeighborSolicitation {
    /// Length of the message with a link-layer address, in bytes.
    pub const LEN_MAX: usize = 24 + UNIT;

    /// Parses and validates (RFC 4861 section 7.1.1).
    pub fn parse(message: &[u8], envelope: Envelope) -> Result<Self> {
        validate(message, envelope, NEIGHBOR_SOLICITATION)?;
        let target: Ipv6Addr = field(message, 8)?.into();
        let source_link_layer = find_link_layer(message, 24, SOURCE_LINK_LAYER)?;
        let is_probe = envelope.src.is_unspecified();
        let to_others = envelope.dst != solicited_node(target);
        if target.is_multicast() || is_probe && (to_others || source_link_layer.is_some()) {
            return Err(Error::new(ErrorKind::Value, 8));
        }
        Ok(Self { target, source_link_layer })
    }

    /// Writes the message into the front of `buf`, checksum included; returns its length.
    pub fn emit(&self, src: Ipv6Addr, dst: Ipv6Addr, buf: &mut [u8]) -> Result<usize> {
        let option = self.source_link_layer.map(|mac| (SOURCE_LINK_LAYER, mac));
        emit_about(NEIGHBOR_SOLICITATION, 0, self.target, option, (src, dst), buf)
    }
}

/// The group of the nodes whose addresses end as this one (RFC 4291 section 2.7.1).
#[must_use]
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let low = address.to_bits() & 0xff_ffff;
    Ipv6Addr::from_bits(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 0).to_bits() | low)
}

/// Writes a message about `target` with at most one option, from and to these addresses.
fn emit_about(
    kind: u8,
    flags: u8,
    target: Ipv6Addr,
    option: Option<(u8, MacAddr)>,
    (src, dst): (Ipv6Addr, Ipv6Addr),
    buf: &mut [u8],
) -> Result<usize> {
    let len = 24 + option.map_or(0, |_| UNIT);
    let short = Error::new(ErrorKind::Truncated, buf.len());
    let message = buf.get_mut(..len).ok_or(short)?;
    let mut w = Writer::new(message);
    w.put(&[kind, 0, 0, 0, flags, 0, 0, 0])?;
    w.put(&target.octets())?;
    if let Some((kind, mac)) = option {
        put_link_layer(&mut w, kind, mac)?;
    }
    fill_checksum(message, src, dst)?;
    Ok(len)
}

/// A Router Advertisement (RFC 4861 section 4.2) with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterAdvertisement<'a> {
    /// The hop limit that nodes should use; zero leaves it to them.
    pub hop_limit: u8,
    /// For how long this router is a default router, in seconds; zero: it is none.
    pub router_lifetime_s: u16,
    /// The router's link-layer address.
    pub source_link_layer: MacAddr,
    /// Addresses and more are to be had by DHCPv6 (flags M and O).
    pub managed: bool,
    /// The link's MTU, in bytes.
    pub mtu: u16,
    /// The prefixes of the link.
    pub prefixes: &'a [PrefixInformation],
}

/// A Prefix Information option (RFC 4861 section 4.6.2). The prefix is on-link, and nodes may form
/// addresses in it (flags L and A set).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixInformation {
    /// The prefix.
    pub prefix: HomePrefix,
    /// Seconds; all ones is for ever.
    pub valid_lifetime_s: u32,
    /// Seconds, not above the valid lifetime.
    pub preferred_lifetime_s: u32,
}

impl RouterAdvertisement<'_> {
    /// Length of the message, in bytes.
    #[must_use]
    pub const fn buffer_len(&self) -> usize {
        16 + UNIT + UNIT + self.prefixes.len() * 4 * UNIT
    }

    /// Writes the message into the front of `buf`, checksum included; returns its length.
    pub fn emit(&self, src: Ipv6Addr, dst: Ipv6Addr, buf: &mut [u8]) -> Result<usize> {
        let short = Error::new(ErrorKind::Truncated, buf.len());
        let message = buf.get_mut(..self.buffer_len()).ok_or(short)?;
        let mut w = Writer::new(message);
        // The node's own defaults for the reachable time and the retransmission timer.
        let flags = if self.managed { MANAGED_AND_OTHER } else { 0 };
        w.put(&[ROUTER_ADVERTISEMENT, 0, 0, 0, self.hop_limit, flags])?;
        w.put(&self.router_lifetime_s.to_be_bytes())?;
        w.put(&[0; 8])?;
        put_link_layer(&mut w, SOURCE_LINK_LAYER, self.source_link_layer)?;
        w.put(&[MTU, 1, 0, 0, 0, 0])?;
        w.put(&self.mtu.to_be_bytes())?;
        for p in self.prefixes {
            const ON_LINK_AND_AUTONOMOUS: u8 = 0xc0;
            w.put(&[PREFIX_INFORMATION, 4, p.prefix.len(), ON_LINK_AND_AUTONOMOUS])?;
            w.put(&p.valid_lifetime_s.to_be_bytes())?;
            w.put(&p.preferred_lifetime_s.to_be_bytes())?;
            w.put(&[0; 4])?;
            w.put(&p.prefix.addr().octets())?;
        }
        fill_checksum(message, src, dst)?;
        Ok(self.buffer_len())
    }
}

fn put_link_layer(w: &mut Writer<'_>, option: u8, mac: MacAddr) -> Result<()> {
    w.put(&[option, 1])?;
    w.put(&mac.0)
}

/// What RFC 4861 sections 6.1 and 7.1 ask of every message.
pub(super) fn validate(message: &[u8], envelope: Envelope, kind: u8) -> Result<()> {
    if octet(message, 0)? != kind || octet(message, 1)? != 0 || envelope.hop_limit != HOP_LIMIT {
        return Err(Error::new(ErrorKind::Value, 0));
    }
    if checksum(message, envelope.src, envelope.dst) != 0 {
        return Err(Error::new(ErrorKind::Checksum, super::CHECKSUM_AT));
    }
    Ok(())
}

/// The option at `at`: its type and its data, and where the next one is; `None` at the end.
pub(super) fn next_option(message: &[u8], at: usize) -> Result<Option<(u8, &[u8], usize)>> {
    if at == message.len() {
        return Ok(None);
    }
    let cut = Error::new(ErrorKind::Length, at + 1);
    let kind = octet(message, at)?;
    let units = octet(message, at + 1).map_err(|_| cut)?;
    let end = at + usize::from(units) * UNIT;
    // RFC 4861 4.6: a length of zero makes the message invalid; `end` is then before the data.
    let data = message.get(at + 2..end).ok_or(cut)?;
    Ok(Some((kind, data, end)))
}

/// All options from `at` on have lengths.
pub(super) fn check_options(message: &[u8], mut at: usize) -> Result<()> {
    while let Some((_, _, next)) = next_option(message, at)? {
        at = next;
    }
    Ok(())
}

/// The Ethernet address in the first option of type `wanted`, all options being checked.
fn find_link_layer(message: &[u8], mut at: usize, wanted: u8) -> Result<Option<MacAddr>> {
    if at > message.len() {
        return Err(Error::new(ErrorKind::Truncated, message.len()));
    }
    let mut found = None;
    while let Some((kind, data, next)) = next_option(message, at)? {
        if kind == wanted && found.is_none() {
            found = data.try_into().ok().map(MacAddr);
        }
        at = next;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NODE: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
    const MAG: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

    // Made by scapy 2.5: raw(IPv6(src, dst, hlim=255) / message / options)[40:].
    const RS: &str = "85007a2a000000000101020000000002";
    const RS_UNSPECIFIED: &str = "85007bb800000000";
    const NA: &str = "8800381a40000000fe8000000000000000000000000000020201020000000002";
    const NS: &str = "87007a1b00000000fe8000000000000000000000000000020101020000000001";
    const RA: &str = "8600a16640000708000000000000000001010200000000010501000000000578\
                      030440c000000e10000007080000000020010db8000100000000000000000000";

    fn bytes(hex: &str) -> Vec<u8> {
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
        (0..hex.len()).step_by(2).map(byte).collect()
    }

    fn envelope(src: Ipv6Addr, dst: Ipv6Addr) -> Envelope {
        Envelope { src, dst, hop_limit: 255 }
    }

    /// Writes the right checksum into a message that was altered.
    fn refreshed(mut message: Vec<u8>, e: Envelope) -> Vec<u8> {
        fill_checksum(&mut message, e.src, e.dst).expect("long enough");
        message
    }

    #[test]
    fn router_solicitation_that_we_send_is_the_one_that_scapy_makes() {
        let mut buf = [0xff; RouterSolicitation::LEN_MAX];
        let rs = RouterSolicitation { source_link_layer: Some(MacAddr([2, 0, 0, 0, 0, 2])) };
        assert_eq!(rs.emit(NODE, ALL_ROUTERS, &mut buf), Ok(buf.len()));
        assert_eq!(buf[..], bytes(RS));
        for len in 0..buf.len() {
            assert!(rs.emit(NODE, ALL_ROUTERS, &mut buf[..len]).is_err(), "{len}");
        }
        let (none, from) = (Ipv6Addr::UNSPECIFIED, envelope(Ipv6Addr::UNSPECIFIED, ALL_ROUTERS));
        let rs = RouterSolicitation { source_link_layer: None };
        assert_eq!(rs.emit(none, ALL_ROUTERS, &mut buf), Ok(8));
        assert_eq!(RouterSolicitation::parse(&buf[..8], from), Ok(rs));
    }

    #[test]
    fn router_solicitation_of_scapy_is_understood() {
        let mac = MacAddr([2, 0, 0, 0, 0, 2]);
        let rs = RouterSolicitation::parse(&bytes(RS), envelope(NODE, ALL_ROUTERS));
        assert_eq!(rs, Ok(RouterSolicitation { source_link_layer: Some(mac) }));
        let from = envelope(Ipv6Addr::UNSPECIFIED, ALL_ROUTERS);
        let rs = RouterSolicitation::parse(&bytes(RS_UNSPECIFIED), from);
        assert_eq!(rs, Ok(RouterSolicitation { source_link_layer: None }));
    }

    #[test]
    fn router_solicitation_from_beyond_the_link_is_refused() {
        let e = Envelope { hop_limit: 254, ..envelope(NODE, ALL_ROUTERS) };
        assert!(RouterSolicitation::parse(&bytes(RS), e).is_err());
    }

    #[test]
    fn router_solicitation_without_an_address_may_not_name_a_link_layer_one() {
        let e = envelope(Ipv6Addr::UNSPECIFIED, ALL_ROUTERS);
        let refused = RouterSolicitation::parse(&refreshed(bytes(RS), e), e);
        assert_eq!(refused, Err(Error { kind: ErrorKind::Value, offset: 8 }));
    }

    #[test]
    fn option_without_a_length_invalidates_the_message() {
        let e = envelope(NODE, ALL_ROUTERS);
        let mut message = bytes(RS);
        message[9] = 0;
        let refused = RouterSolicitation::parse(&refreshed(message, e), e);
        assert_eq!(refused, Err(Error { kind: ErrorKind::Length, offset: 9 }));
    }

    #[test]
    fn neighbor_advertisement_of_scapy_is_understood() {
        let na = NeighborAdvertisement::parse(&bytes(NA), envelope(NODE, MAG));
        let expected = NeighborAdvertisement {
            target: NODE,
            router: false,
            solicited: true,
            overrides: false,
            target_link_layer: Some(MacAddr([2, 0, 0, 0, 0, 2])),
        };
        assert_eq!(na, Ok(expected));
        let mut buf = [0xff; NeighborAdvertisement::LEN_MAX];
        assert_eq!(expected.emit(NODE, MAG, &mut buf), Ok(buf.len()));
        assert_eq!(buf[..], bytes(NA));
        let e = envelope(NODE, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1));
        assert!(NeighborAdvertisement::parse(&refreshed(bytes(NA), e), e).is_err());
    }

    #[test]
    fn what_we_send_is_what_scapy_makes_and_short_buffers_are_errors() {
        let source_link_layer = MacAddr([2, 0, 0, 0, 0, 1]);
        let ns = NeighborSolicitation { target: NODE, source_link_layer: Some(source_link_layer) };
        let mut ra = RouterAdvertisement {
            hop_limit: 64,
            router_lifetime_s: 1800,
            source_link_layer,
            managed: false,
            mtu: 1400,
            prefixes: &[PrefixInformation {
                prefix: "2001:db8:1::/64".parse().expect("a prefix"),
                valid_lifetime_s: 3600,
                preferred_lifetime_s: 1800,
            }],
        };
        let mut buf = [0xff; 80];
        let len = ns.emit(MAG, NODE, &mut buf).expect("fits");
        assert_eq!(buf[..len], bytes(NS));
        assert!((0..len).all(|short| ns.emit(MAG, NODE, &mut buf[..short]).is_err()));
        let len = ra.emit(MAG, NODE, &mut buf).expect("fits");
        assert_eq!(buf[..len], bytes(RA));
        assert!((0..len).all(|short| ra.emit(MAG, NODE, &mut buf[..short]).is_err()));
        ra.managed = true;
        ra.emit(MAG, NODE, &mut buf).expect("fits");
        assert_eq!(buf[5], 0xc0, "M and O (RFC 4861 4.2)");
    }

    proptest! {
        #[test]
        fn noise_never_panics(
            mut message in prop::collection::vec(any::<u8>(), 0..64),
            kind in prop::sample::select(vec![ROUTER_SOLICITATION, NEIGHBOR_ADVERTISEMENT]),
        ) {
            let e = envelope(NODE, MAG);
            if message.len() >= 4 {
                message[..2].copy_from_slice(&[kind, 0]);
                message = refreshed(message, e);
            }
            let _ = RouterSolicitation::parse(&message, e);
            let _ = NeighborAdvertisement::parse(&message, e);
        }

        #[test]
        fn every_cut_of_a_message_is_an_error(cut in 1..32_usize) {
            let e = envelope(NODE, MAG);
            for whole in [bytes(RS), bytes(NA)] {
                let len = whole.len().saturating_sub(cut);
                // A Router Solicitation may end before its option.
                if len >= 4 && !(whole[0] == ROUTER_SOLICITATION && len == 8) {
                    let message = refreshed(whole[..len].to_vec(), e);
                    prop_assert!(RouterSolicitation::parse(&message, e).is_err());
                    let na = NeighborAdvertisement::parse(&message, e);
                    prop_assert!(na.is_err() || len == 24, "{na:?}");
                }
            }
        }
    }
}
