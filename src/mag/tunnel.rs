//! The tunnel in user space: between a TUN, which the kernel routes by, and a raw socket for IPv6
//! in IPv6 (RFC 2473).
//!
//! ```text
//!   node -> access link -> kernel -> TUN -> uplink():   source is a bound node's?  outer header, send
//!   node <- access link <- kernel <- TUN <- downlink(): outer source is its LMA?   outer header off
//! ```
//! Hop limits are the kernel's: it decrements when it forwards to and from the TUN.

use crate::addr::{AnchorAddr, HomePrefix, ProxyCoa};
use crate::mag::counter::{Counter, Counters};
use crate::mag::socket::RawSocket;
use crate::wire::ipv6::{HEADER_LEN, Ipv6Header};
use core::cmp::Reverse;
use hashbrown::HashMap;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::io;
use std::net::Ipv6Addr;
use std::sync::Arc;
use tun_rs::AsyncDevice;

/// Next header of an IPv6 packet.
const IPV6_IN_IPV6: u8 = 41;
/// Of the outer header (RFC 2473 6.3).
const TUNNEL_HOP_LIMIT: u8 = 64;
/// The largest packet that IPv6 has without jumbograms.
const PACKET_MAX: usize = 65_575;

/// Which anchor serves which prefix, by prefix length, the longest first. One anchor's prefixes
/// never overlap; those of several anchors, or of several of its customers, may.
#[derive(Debug, Default)]
pub(super) struct TunnelTable(BTreeMap<Reverse<u8>, HashMap<u128, AnchorAddr>>);

impl TunnelTable {
    pub(super) fn insert(&mut self, prefix: HomePrefix, lma: AnchorAddr) {
        self.0.entry(Reverse(prefix.len())).or_default().insert(prefix.bits(), lma);
    }

    pub(super) fn remove(&mut self, prefix: HomePrefix) {
        let len = Reverse(prefix.len());
        if let Some(prefixes) = self.0.get_mut(&len) {
            prefixes.remove(&prefix.bits());
            if prefixes.is_empty() {
                self.0.remove(&len);
            }
        }
    }

    /// The anchor of the bound node that has this address.
    fn anchor_of(&self, address: Ipv6Addr) -> Option<AnchorAddr> {
        self.0.iter().find_map(|(len, prefixes)| {
            prefixes.get(&(address.to_bits() & HomePrefix::mask(len.0))).copied()
        })
    }
}

/// The tunnel's two ends in this process.
pub(super) struct Tunnel {
    pub(super) device: AsyncDevice,
    pub(super) socket: RawSocket,
    pub(super) sender: Arc<RawSocket>,
    pub(super) table: RwLock<TunnelTable>,
    pub(super) counters: Arc<Counters>,
    pub(super) proxy_coa: ProxyCoa,
}

impl Tunnel {
    /// From the nodes to the anchors, until the TUN fails.
    pub(super) async fn uplink(&self) -> io::Error {
        let mut buf = vec![0; HEADER_LEN + PACKET_MAX];
        loop {
            let inner = buf.get_mut(HEADER_LEN..).unwrap_or_default();
            let len = match self.device.recv(inner).await {
                Ok(len) => len,
                Err(e) => return e,
            };
            let packet = buf.get_mut(..HEADER_LEN + len).unwrap_or_default();
            let outcome = encapsulate(packet, self.proxy_coa, &self.table.read());
            match outcome {
                Ok(lma) => self.send(packet, lma).await,
                Err(why) => self.counters.add(why),
            }
        }
    }

    /// From the anchors to the nodes, until a socket fails.
    pub(super) async fn downlink(&self) -> io::Error {
        let mut buf = vec![0; PACKET_MAX];
        loop {
            let from = match self.socket.recv(&mut buf).await {
                Ok(from) => from,
                Err(e) => return e,
            };
            let packet = buf.get_mut(..from.len).unwrap_or_default();
            match admit(packet, AnchorAddr(from.src), from.traffic_class, &self.table.read()) {
                Ok(()) => {}
                Err(why) => {
                    self.counters.add(why);
                    continue;
                }
            }
            match self.device.send(packet).await {
                Ok(_) => self.counters.add(Counter::TunnelDownlink),
                Err(_) => self.counters.add(Counter::TunnelTunRefused),
            }
        }
    }

    async fn send(&self, packet: &[u8], lma: AnchorAddr) {
        loop {
            match self.sender.send(packet, lma.0, 0) {
                Ok(()) => return self.counters.add(Counter::TunnelUplink),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    if self.sender.writable().await.is_ok() {
                        continue;
                    }
                }
                Err(_) => {}
            }
            // No route, or longer than the path: the node learns of it by its own means.
            return self.counters.add(Counter::TunnelSendFailed);
        }
    }
}

/// Makes a tunnel packet of an inner packet that has room for the outer header before it; returns
/// where it goes.
fn encapsulate(
    packet: &mut [u8],
    proxy_coa: ProxyCoa,
    table: &TunnelTable,
) -> Result<AnchorAddr, Counter> {
    let inner = packet.get(HEADER_LEN..).unwrap_or_default();
    let header = Ipv6Header::parse(inner).map_err(|_| Counter::TunnelMalformed)?;
    if header.packet_len() != inner.len() {
        return Err(Counter::TunnelMalformed);
    }
    // RFC 5213 6.10.5: only with an established binding, and never from a link-local address.
    let lma = table.anchor_of(header.src).ok_or(Counter::TunnelNoBinding)?;
    let payload_len = u16::try_from(inner.len()).map_err(|_| Counter::TunnelMalformed)?;
    let outer = Ipv6Header {
        // RFC 5213 5.6.3, RFC 6040 4.1: the ECN field is copied, and the DSCP with it.
        traffic_class: header.traffic_class,
        flow_label: header.flow_label,
        payload_len,
        next_header: IPV6_IN_IPV6,
        hop_limit: TUNNEL_HOP_LIMIT,
        src: proxy_coa.0,
        dst: lma.0,
    };
    outer.emit(packet).map_err(|_| Counter::TunnelMalformed)?;
    Ok(lma)
}

/// Whether an inner packet that came from `lma` goes on to a node; takes over what the outer header
/// says of congestion.
fn admit(
    packet: &mut [u8],
    lma: AnchorAddr,
    outer_traffic_class: u8,
    table: &TunnelTable,
) -> Result<(), Counter> {
    let header = Ipv6Header::parse(packet).map_err(|_| Counter::TunnelMalformed)?;
    if header.packet_len() != packet.len() {
        return Err(Counter::TunnelMalformed);
    }
    // RFC 5213 6.10.5: no connected interface for it: silently dropped.
    let own = table.anchor_of(header.dst).ok_or(Counter::TunnelNoBinding)?;
    if own != lma {
        return Err(Counter::TunnelWrongAnchor);
    }
    match (header.traffic_class & ECN, outer_traffic_class & ECN) {
        (NOT_ECT, CE) => return Err(Counter::TunnelCongested),
        (_, CE) => {
            let marked = Ipv6Header { traffic_class: header.traffic_class | CE, ..header };
            marked.emit(packet).map_err(|_| Counter::TunnelMalformed)?;
        }
        _ => {}
    }
    Ok(())
}

const ECN: u8 = 0b11;
const NOT_ECT: u8 = 0b00;
const CE: u8 = 0b11;

#[cfg(test)]
mod tests {
    use super::*;

    const COA: ProxyCoa = ProxyCoa(Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 0x11));
    const LMA: AnchorAddr = AnchorAddr(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1));
    const MN: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 1, 0, 0, 0, 0x42);
    const CN: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xc, 0, 0, 0, 0, 1);

    fn table() -> TunnelTable {
        let mut table = TunnelTable::default();
        table.insert("2001:db8:100:1::/64".parse().expect("prefix"), LMA);
        table.insert("2001:db8:100:3::/64".parse().expect("prefix"), LMA);
        table
    }

    fn inner(src: Ipv6Addr, dst: Ipv6Addr, traffic_class: u8) -> Vec<u8> {
        let mut packet = vec![0xab; HEADER_LEN + 4];
        let header = Ipv6Header {
            traffic_class,
            flow_label: 0x12345,
            payload_len: 4,
            next_header: 17,
            hop_limit: 63,
            src,
            dst,
        };
        header.emit(&mut packet).expect("fits");
        packet
    }

    fn encapsulated(inner: &[u8]) -> Result<Vec<u8>, Counter> {
        let mut packet = vec![0; HEADER_LEN];
        packet.extend(inner);
        encapsulate(&mut packet, COA, &table()).map(|_| packet)
    }

    // proves: PMIP6-6.10.5-12, PMIP6-6.10.5-14
    #[test]
    fn packet_of_a_bound_node_is_tunnelled_from_the_proxy_coa_to_its_anchor() {
        let inner = inner(MN, CN, 0xb9);
        let packet = encapsulated(&inner).expect("bound");
        let outer = Ipv6Header::parse(&packet).expect("header");
        assert_eq!((outer.src, outer.dst, outer.next_header), (COA.0, LMA.0, 41));
        assert_eq!((outer.traffic_class, outer.flow_label), (0xb9, 0x12345));
        assert_eq!(outer.packet_len(), packet.len());
        assert_eq!(packet[HEADER_LEN..], inner);
    }

    // proves: PMIP6-6.10.5-8, PMIP6-6.10.5-13
    #[test]
    fn packet_from_an_address_without_a_binding_is_not_tunnelled() {
        let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
        let between = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 2, 0, 0, 0, 1);
        for src in [CN, link_local, between, Ipv6Addr::UNSPECIFIED] {
            assert_eq!(encapsulated(&inner(src, CN, 0)), Err(Counter::TunnelNoBinding));
        }
    }

    // proves: PMIP6-6.10.5-1, PMIP6-6.10.5-4
    #[test]
    fn packet_goes_to_a_node_only_from_its_own_anchor_and_inside_its_prefix() {
        let admitted = |dst, from| admit(&mut inner(CN, dst, 0), from, 0, &table());
        assert_eq!(admitted(MN, LMA), Ok(()));
        assert_eq!(admitted(MN, AnchorAddr(CN)), Err(Counter::TunnelWrongAnchor));
        assert_eq!(admitted(CN, LMA), Err(Counter::TunnelNoBinding));
    }

    #[test]
    fn of_nested_prefixes_the_longest_counts_and_each_is_found() {
        let other = AnchorAddr(CN);
        let mut table = table();
        table.insert("2001:db8:100::/48".parse().expect("prefix"), other);
        let at = |n| Ipv6Addr::new(0x2001, 0xdb8, 0x100, n, 0, 0, 0, 1);
        assert_eq!([1, 2, 3].map(|n| table.anchor_of(at(n))), [Some(LMA), Some(other), Some(LMA)]);
        table.remove("2001:db8:100:3::/64".parse().expect("prefix"));
        assert_eq!(table.anchor_of(at(3)), Some(other));
        table.remove("2001:db8:100::/48".parse().expect("prefix"));
        assert_eq!([1, 2, 3].map(|n| table.anchor_of(at(n))), [Some(LMA), None, None]);
    }

    #[test]
    fn congestion_in_the_tunnel_reaches_the_node_if_its_transport_can_hear_of_it() {
        let after = |inner_ecn: u8, outer_ecn| {
            let mut packet = inner(CN, MN, 0xb8 | inner_ecn);
            admit(&mut packet, LMA, outer_ecn, &table())?;
            Ok(Ipv6Header::parse(&packet).expect("header").traffic_class)
        };
        assert_eq!(after(0b10, 0b11), Ok(0xbb));
        assert_eq!(after(0b01, 0b11), Ok(0xbb));
        assert_eq!(after(0b10, 0b01), Ok(0xba));
        assert_eq!(after(0b00, 0b11), Err(Counter::TunnelCongested));
        assert_eq!(after(0b00, 0b10), Ok(0xb8));
    }

    #[test]
    fn cut_or_foreign_packet_is_dropped_as_malformed() {
        let whole = inner(CN, MN, 0);
        for len in 0..whole.len() {
            let mut cut = whole[..len].to_vec();
            assert_eq!(admit(&mut cut, LMA, 0, &table()), Err(Counter::TunnelMalformed));
            assert_eq!(encapsulated(&cut), Err(Counter::TunnelMalformed));
        }
        let mut v4 = whole;
        v4[0] = 0x45;
        assert_eq!(admit(&mut v4, LMA, 0, &table()), Err(Counter::TunnelMalformed));
    }
}
