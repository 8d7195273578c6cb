//! What a received frame is: a pure function of its bytes. Any bytes give an answer, none panics.
//!
//! ```text
//!   to the anchor's address    an inner packet, GRE, UDP to port 5437,   --> Tunneled
//!                              the same of nodes, to ports 4191 and 434
//!                              a Mobility Header, UDP to port 5436, to   --> Punt(Signaling)
//!                              4191 and 434 what is no tunnel packet
//!                              a fragment of a tunnel packet, of any UDP --> Fragment
//!                              an ICMP error that quotes a tunnel packet --> TunnelError
//!                              anything else                             --> Punt(Exception)
//!   multicast, link-local, broadcast, ARP                                --> Punt(Exception)
//!   any other unicast IPv6 or IPv4                                       --> Plain
//! ```

mod ipv4;
mod ipv6;
mod tunnel;

use super::drop::DropReason;
use super::header::{ETHER_LEN, ether_type};
use crate::addr::{AnchorAddr, MacAddr};
use std::net::Ipv4Addr;

/// What classification must know of the place where a frame arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ingress {
    /// The port's MAC address.
    pub mac: MacAddr,
    /// Whether tunnels and signaling are accepted here.
    pub access: bool,
    /// The anchor's IPv6 address; `None` on a customer's port, where it may be anybody's.
    pub lma: Option<AnchorAddr>,
    /// The anchor's IPv4 address, if it has one.
    pub lma_ipv4: Option<Ipv4Addr>,
}

/// What a frame is. Lengths and offsets are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A packet to an address that the worker's tables must tell more about.
    Plain {
        /// The destination, host order, IPv4-mapped if it is one of IPv4.
        dst: u128,
        /// Length of the packet; what follows it in the frame is padding.
        packet_len: usize,
    },
    /// A packet in a packet to the anchor's address, all headers whole and all lengths consistent.
    Tunneled {
        /// Source address of the inner packet, host order, IPv4-mapped if it is one of IPv4.
        inner_src: u128,
        /// Where the inner packet begins in the outer one.
        inner_at: usize,
        /// Where the inner packet ends in the outer one; what follows in the frame is padding.
        packet_len: usize,
        /// What stands between the outer IP header and the inner packet.
        via: Via,
    },
    /// A fragment of what may be a tunnel packet, to the anchor's address.
    Fragment,
    /// An ICMP error to the anchor's address about a tunnel packet that came from there.
    TunnelError {
        /// Whom the packet in the tunnel packet was for, as [`Class::Plain::dst`].
        inner_dst: u128,
    },
    /// A Mobility Header for the control core.
    Signaling,
    /// A frame for the kernel.
    Exception,
    /// To be dropped for [`DropReason::OuterOption`] and answered with a Parameter Problem.
    BadOption {
        /// Offset of the option's type in the packet.
        pointer: u32,
    },
    /// To be dropped.
    Drop(DropReason),
}

/// What a tunnel packet carried between its outer IP header and the inner packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// Nothing.
    Ip,
    /// GRE (RFC 2784), with its key.
    Gre(Option<u32>),
    /// UDP from this port (RFC 5844 section 4.1.4.1).
    Udp(u16),
    /// UDP from this port, the TLV-header and GRE (RFC 5845 section 7.1), with its key.
    UdpGre(u16, Option<u32>),
    /// UDP from this port and the MIP Tunnel Data header (RFC 3519 section 3.3).
    Mip4Udp(u16),
}

impl Via {
    /// The GRE key.
    pub(super) const fn key(self) -> Option<u32> {
        match self {
            Self::Gre(key) | Self::UdpGre(_, key) => key,
            Self::Ip | Self::Udp(_) | Self::Mip4Udp(_) => None,
        }
    }
}

/// Classifies a frame of `frame_len` bytes in all whose first buffer holds `bytes`.
#[must_use]
pub fn classify(bytes: &[u8], frame_len: usize, ingress: &Ingress) -> Class {
    let Some((ether, packet)) = bytes.split_first_chunk::<ETHER_LEN>() else {
        return Class::Drop(DropReason::FrameShort);
    };
    let group = ether[0] & 1 == 1;
    if !group && ether[..6] != ingress.mac.0 {
        return Class::Drop(DropReason::WrongMac);
    }
    let room = frame_len - ETHER_LEN;
    match [ether[12], ether[13]] {
        ether_type::IPV6 => ipv6::classify(packet, room, group, ingress),
        ether_type::IPV4 => ipv4::classify(packet, room, group, ingress),
        ether_type::ARP => Class::Exception,
        ether_type::VLAN | ether_type::SERVICE_VLAN => Class::Drop(DropReason::Vlan),
        _ => Class::Drop(DropReason::EtherType),
    }
}
