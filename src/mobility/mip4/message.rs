//! A message of Mobile IPv4 with the addresses it came with, or is to go with.

use crate::wire::ipv4::{self, Ipv4Header};
use crate::wire::mip4::{Body, Message, PORT};
use crate::wire::udp::{self, UdpHeader};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A UDP payload between our port 434 and a node or foreign agent. It is kept as it stands on the
/// wire: what authenticates it covers the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mip4Msg {
    /// Source; of a message that arrived, the other end's, or that of a NAT before it.
    pub src: Ipv4Addr,
    /// Destination; of a message that arrived, ours, or a broadcast.
    pub dst: Ipv4Addr,
    /// The other end's port. Ours is 434.
    pub port: u16,
    /// What UDP carries.
    pub payload: Vec<u8>,
}

impl Mip4Msg {
    /// Whether it answers a node that sent from its home address.
    #[must_use]
    pub fn is_to_home(&self) -> bool {
        let body = Message::parse(&self.payload).map(|m| m.body);
        matches!(body, Ok(Body::Reply(reply)) if reply.home_address == self.dst)
    }

    /// Writes a message of ours to the front of `packet`, in UDP and IPv4; its length in bytes, or
    /// `None` if it does not fit.
    pub fn emit(&self, packet: &mut [u8]) -> Option<usize> {
        let (front, back) = packet.split_at_mut_checked(ipv4::HEADER_LEN)?;
        let datagram = back.get_mut(..udp::HEADER_LEN + self.payload.len())?;
        datagram.get_mut(udp::HEADER_LEN..)?.copy_from_slice(&self.payload);
        let ports = UdpHeader { src_port: PORT, dst_port: self.port };
        ports.emit(self.src, self.dst, datagram).ok()?;
        let packet_len = ipv4::HEADER_LEN + datagram.len();
        let header = Ipv4Header {
            header_len: ipv4::HEADER_LEN,
            tos: TRAFFIC_CLASS,
            total_len: u16::try_from(packet_len).ok()?,
            identification: 0,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            ttl: TTL,
            protocol: udp::PROTOCOL,
            src: self.src,
            dst: self.dst,
        };
        header.emit(front).ok()?;
        Some(packet_len)
    }
}

const TTL: u8 = 64;
/// Network control, CS6 (RFC 4594 3.2).
const TRAFFIC_CLASS: u8 = 48 << 2;

#[cfg(test)]
mod tests {
    use super::*;

    // proves: MIP4-3.1-5
    #[test]
    fn message_leaves_from_port_434_with_its_checksums() {
        let (src, dst) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 7));
        let msg = Mip4Msg { src, dst, port: 5000, payload: vec![3; 42] };
        let mut packet = [0xa5; 100];
        assert_eq!(msg.emit(&mut packet), Some(70));
        let ip = Ipv4Header::parse(&packet).expect("its checksum is right");
        assert_eq!((ip.src, ip.dst, ip.total_len, ip.protocol), (src, dst, 70, udp::PROTOCOL));
        let (udp, payload) = UdpHeader::parse(&packet[20..70], src, dst).expect("likewise");
        assert_eq!((udp.src_port, udp.dst_port, payload), (434, 5000, &[3; 42][..]));
        assert_ne!(packet[26..28], [0, 0], "there is one");
        for len in 0..70 {
            assert_eq!(msg.emit(&mut packet[..len]), None);
        }
    }
}
