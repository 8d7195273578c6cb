//! What a frame that leaves through a tunnel carries: frames that waited for the link-layer address
//! of a gateway leave only if that gateway still serves the node.

use crate::wire::ipv4::Ipv4Header;
use crate::wire::ipv6::{Ipv6Header, find_upper_layer};
use crate::wire::mip4::{self, TunnelData};
use crate::wire::{ether, gre, ipv4, tlv, udp};
use std::net::Ipv6Addr;

/// A tunnel packet of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tunneled {
    /// Outer source.
    pub(super) local: Ipv6Addr,
    /// Outer destination.
    pub(super) remote: Ipv6Addr,
    /// Whom it is for; IPv4 as IPv4-mapped, as in the other two.
    pub(super) inner_dst: Ipv6Addr,
}

/// The tunnel packet in a frame; `None` if it is none.
pub(super) fn read(frame: &[u8]) -> Option<Tunneled> {
    let (ether_type, packet) = ether::payload(frame).ok()?;
    let (local, remote, protocol, payload) = match ether_type {
        ether::IPV6 => {
            let ip = Ipv6Header::parse(packet).ok()?;
            let upper = find_upper_layer(packet).ok()?;
            (ip.src, ip.dst, upper.next_header, packet.get(upper.offset..)?)
        }
        ether::IPV4 => {
            let ip = Ipv4Header::parse(packet).ok()?;
            let (src, dst) = (ip.src.to_ipv6_mapped(), ip.dst.to_ipv6_mapped());
            (src, dst, ip.protocol, packet.get(ip.header_len..)?)
        }
        _ => return None,
    };
    let payload = match protocol {
        udp::PROTOCOL => in_udp(payload)?,
        _ => in_gre(protocol, payload)?,
    };
    Some(Tunneled { local, remote, inner_dst: destination(payload)? })
}

/// RFC 5844 4.1.4.1: a packet in UDP; RFC 5845 6.3: or, behind the TLV header, one in GRE.
fn in_udp(datagram: &[u8]) -> Option<&[u8]> {
    // The checksum may be left out, and was not asked for: this is a packet of our own.
    let (header, payload) = datagram.split_at_checked(udp::HEADER_LEN)?;
    let src_port = header.first_chunk().map(|port| u16::from_be_bytes(*port))?;
    // Through a NAT tunnel packets take the way of signaling, whose first byte is no IP version's.
    match src_port {
        udp::TUNNEL_PORT | udp::SIGNALING_PORT => {}
        udp::DSMIP_PORT => return Some(payload),
        mip4::PORT => return payload.get(TunnelData::LEN..),
        _ => return None,
    }
    match tlv::TlvHeader::parse(payload) {
        Ok((tlv, inner)) => in_gre(tlv.next_header, inner),
        Err(_) => Some(payload),
    }
}

fn in_gre(protocol: u8, payload: &[u8]) -> Option<&[u8]> {
    match protocol {
        ipv4::PROTOCOL | IPV6 => Some(payload),
        gre::PROTOCOL => gre::GreHeader::parse(payload).ok().map(|(_, inner)| inner),
        _ => None,
    }
}

fn destination(packet: &[u8]) -> Option<Ipv6Addr> {
    match packet.first()? >> 4 {
        4 => Ipv4Header::parse(packet).ok().map(|ip| ip.dst.to_ipv6_mapped()),
        6 => Ipv6Header::parse(packet).ok().map(|ip| ip.dst),
        _ => None,
    }
}

/// Protocol number of IPv6 in a tunnel.
const IPV6: u8 = 41;

#[cfg(test)]
mod tests {
    use super::*;

    const INNER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 7);

    /// An IPv6 packet for a node.
    fn inner6() -> Vec<u8> {
        let mut packet = vec![0; 40];
        packet[0] = 0x60;
        packet[6] = 59;
        packet[24..40].copy_from_slice(&INNER6.octets());
        packet
    }

    /// An IPv4 frame from 192.0.2.1 to 192.0.2.11.
    fn frame4(protocol: u8, payload: &[u8]) -> Vec<u8> {
        let header = Ipv4Header {
            header_len: 20,
            tos: 0,
            total_len: u16::try_from(20 + payload.len()).expect("short"),
            identification: 0,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 64,
            protocol,
            src: [192, 0, 2, 1].into(),
            dst: [192, 0, 2, 11].into(),
        };
        let mut frame = vec![0; 34];
        frame[12..14].copy_from_slice(&[8, 0]);
        header.emit(&mut frame[14..]).expect("fits");
        frame.extend(payload);
        frame
    }

    fn udp(payload: &[u8]) -> Vec<u8> {
        [&[0x15, 0x3d, 0x15, 0x3d, 0, 0, 0, 0][..], payload].concat()
    }

    #[test]
    fn inner_destination_is_found_in_every_encapsulation() {
        let gre = [&[0x20, 0, 0x86, 0xdd, 0, 0, 0, 9][..], &inner6()].concat();
        let len = u16::try_from(gre.len()).expect("short").to_be_bytes();
        let tlv = [&[0, 47, len[0], len[1]][..], &gre].concat();
        for frame in [
            frame4(41, &inner6()),
            frame4(47, &gre),
            frame4(17, &udp(&inner6())),
            frame4(17, &udp(&tlv)),
        ] {
            let found = read(&frame).expect("a tunnel packet");
            assert_eq!(found.inner_dst, INNER6);
            assert_eq!(found.remote.to_string(), "::ffff:192.0.2.11");
        }
        let from = |port: u16, payload: &[u8]| {
            let mut datagram = udp(payload);
            datagram[..2].copy_from_slice(&port.to_be_bytes());
            read(&frame4(17, &datagram))
        };
        assert!(from(5436, &inner6()).is_some(), "behind a NAT");
        assert_eq!(from(5436, &[59, 0, 6, 0, 0, 0, 0, 0]), None, "a Mobility Header");
        assert_eq!(from(53, &inner6()), None);
        assert_eq!(read(&frame4(6, &inner6())), None);
    }
}
