//! Packets that a tunnel brought to a node of Mobile IPv4, and that come back: whoever has its
//! care-of address does not know the node any more, and sends what it gets from us to the home
//! address, in a tunnel of its own (RFC 5944 section 4.2.3).
//!
//! ```text
//!   care-of address --> home address | any source --> home address     dropped: a loop
//!   anybody else    --> home address | any source --> home address     to the node, as any other
//!   care-of address --> home address | any source --> another          likewise
//! ```

use super::burst::Lane;
use super::header::{ETHER_LEN, Ip, Ipv4, ether_type, protocol};
use super::update::TunnelId;
use crate::nic::Frame;
use crate::wire::gre;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Where the destination stands in a header of minimal encapsulation (RFC 2004 section 3.1).
const MINIMAL_DESTINATION_AT: usize = 4;
/// Bits of a GRE header each of which four bytes more go with: checksum, key, sequence number (RFC
/// 2784 section 2.1, RFC 2890 section 2).
const GRE_OPTIONAL: u16 = 0xb000;

impl<F: Frame> Lane<F> {
    /// Whether a packet to a node whose tunnel is `id` came from where that tunnel ends, and is a
    /// tunnel packet around one to the same address.
    #[cold]
    pub(super) fn is_loop(&self, frame: &[u8], id: TunnelId) -> bool {
        let packet = frame.get(ETHER_LEN..).unwrap_or_default();
        let Some(Ip::V4(outer)) = Ip::of(packet) else { return false };
        // A node with several care-of addresses has none that is more current than the others.
        let tunnel = self.tunnels.ends(self.tunnels.one_of(id, outer.src()).0);
        let from = Ipv6Addr::from_bits(outer.src());
        tunnel.is_some_and(|tunnel| tunnel.remote() == from)
            && self.node_ends.ends.contains(&from)
            && inner_destination(packet, outer) == Some(outer.dst())
    }
}

/// Whom the packet is for that a tunnel packet carries, in an encapsulation that Mobile IPv4 has;
/// IPv4-mapped. `None`: it is no tunnel packet, carries IPv6, or is the later part of one.
fn inner_destination(packet: &[u8], outer: Ipv4<'_>) -> Option<u128> {
    if outer.is_later_fragment() {
        return None;
    }
    let carried = packet.get(outer.header_len()..)?;
    match outer.protocol() {
        protocol::IPV4 => Ipv4::of(carried).map(Ipv4::dst),
        protocol::MINIMAL => {
            let octets = carried.get(MINIMAL_DESTINATION_AT..)?.first_chunk::<4>()?;
            Some(Ipv4Addr::from(*octets).to_ipv6_mapped().to_bits())
        }
        protocol::GRE => {
            let [high, low, carries @ ..] = *carried.first_chunk::<{ gre::HEADER_LEN }>()?;
            let optional = u16::from_be_bytes([high, low]) & GRE_OPTIONAL;
            let len = gre::HEADER_LEN + 4 * optional.count_ones() as usize;
            let inner = carried.get(len..).filter(|_| carries == ether_type::IPV4)?;
            Ipv4::of(inner).map(Ipv4::dst)
        }
        _ => None,
    }
}
