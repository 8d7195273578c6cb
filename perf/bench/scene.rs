//! Who talks to whom: addresses, the frames that go in, and the bytes that must come out.
//!
//! ```text
//!   node 2001:db8:x:y::1 -- MAG fd01:0:0:a::i ==tunnel== anchor fd01::1 -- correspondent 2600::1
//! ```
//! Every header is written here by hand, from the RFCs' layouts: the harness shares no code with
//! what it measures.

use anchord::addr::{GreKeys, HomePrefix, MacAddr, PortId, TunnelPath};
use anchord::dataplane::update::{Change, Forward, NextHop, Tunnel, TunnelId};
use std::net::Ipv6Addr;

/// Towards the gateways.
pub(crate) const ACCESS: PortId = PortId(0);
/// Towards the correspondents.
pub(crate) const CORE: PortId = PortId(1);
/// Its address.
pub(crate) const ACCESS_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
/// Its address.
pub(crate) const CORE_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
/// 40 bytes more than the nodes' 1500.
pub(crate) const ACCESS_MTU: u16 = 1540;
/// What a correspondent's packet may have.
pub(crate) const CORE_MTU: u16 = 1500;
/// Gateways; binding i is at gateway i modulo this.
pub(crate) const MAGS: u32 = 1000;
/// The anchor.
pub(crate) const LMA: Ipv6Addr = Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 1);

const PEER: Ipv6Addr = Ipv6Addr::new(0x2600, 0, 0, 0, 0, 0, 0, 1);
/// The next hop to every gateway.
pub(crate) const ACCESS_ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xa);
const CORE_ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xc);
/// Its address.
pub(crate) const ACCESS_ROUTER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0xa];
const CORE_ROUTER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0xc];
/// The pool is 2001:db8::/32: room for 2^32 home network prefixes of /64.
pub(crate) const POOL: u128 = 0x2001_0db8 << 96;
const HOP_LIMIT: u8 = 64;
/// IPv6, UDP, 16 bytes of payload: 64 bytes, or 78 with the Ethernet header.
const PAYLOAD: usize = 16;

/// Bytes of an Ethernet header.
pub(crate) const ETHER: usize = 14;
/// Bytes of an IPv6 header.
pub(crate) const IPV6: usize = 40;
/// Bytes of a packet without tunnel, Ethernet header included.
pub(crate) const PLAIN_LEN: usize = ETHER + IPV6 + 8 + PAYLOAD;
/// Bytes of a packet in a tunnel.
pub(crate) const TUNNELLED_LEN: usize = PLAIN_LEN + IPV6;

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Correspondent to node.
    Downlink,
    /// Node to correspondent.
    Uplink,
}

impl std::fmt::Display for Direction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if *self == Self::Downlink { "downlink" } else { "uplink" })
    }
}

/// What the worker must know before any binding: routes and neighbours.
pub(crate) fn network() -> Vec<Change> {
    let route = |text: &str, port, router| {
        text.parse()
            .ok()
            .map(|p: HomePrefix| Change::RouteSet(p.into(), NextHop::Gateway(port, router)))
    };
    let tunnels = (0..MAGS).map(|i| {
        let tunnel = Tunnel { path: TunnelPath::ip(LMA, mag(i)), mtu: ACCESS_MTU };
        Change::TunnelSet(TunnelId(i), tunnel)
    });
    let network = [
        HomePrefix::new(Ipv6Addr::from_bits(POOL), 32).ok().map(|p| Change::PoolSet(p.into())),
        route("fd01::/16", ACCESS, ACCESS_ROUTER),
        route("::/0", CORE, CORE_ROUTER),
        Some(Change::NeighborSet(ACCESS, ACCESS_ROUTER, MacAddr(ACCESS_ROUTER_MAC))),
        Some(Change::NeighborSet(CORE, CORE_ROUTER, MacAddr(CORE_ROUTER_MAC))),
    ];
    network.into_iter().flatten().chain(tunnels).collect()
}

/// Bindings `from..to` come.
pub(crate) fn bindings(from: u32, to: u32) -> impl Iterator<Item = Change> {
    (from..to).filter_map(|i| {
        let prefix = HomePrefix::new(Ipv6Addr::from_bits(hnp(i)), 64).ok()?;
        Some(Change::EntrySet(
            prefix.into(),
            Forward::Tunnel(TunnelId(i % MAGS), GreKeys::default()),
        ))
    })
}

/// Bindings `from..to` go.
pub(crate) fn unbindings(from: u32, to: u32) -> impl Iterator<Item = Change> {
    let prefix = |i| HomePrefix::new(Ipv6Addr::from_bits(hnp(i)), 64).ok();
    (from..to).filter_map(move |i| prefix(i).map(|p| Change::EntryDel(p.into())))
}

/// The address of gateway `i`.
pub(crate) fn mag(i: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits((0xfd01 << 112) | (0xa << 64) | u128::from(i))
}

/// The home network prefix of binding `i`.
pub(crate) fn hnp(i: u32) -> u128 {
    POOL | (u128::from(i) << 64)
}

/// The frame of binding `i` as the worker receives it. Returns its length.
pub(crate) fn write_input(direction: Direction, i: u32, out: &mut [u8]) -> usize {
    match direction {
        Direction::Downlink => {
            ether(out, CORE_MAC.0, CORE_ROUTER_MAC);
            plain(direction, i, HOP_LIMIT, &mut out[ETHER..]);
            PLAIN_LEN
        }
        Direction::Uplink => {
            ether(out, ACCESS_MAC.0, ACCESS_ROUTER_MAC);
            let len = PLAIN_LEN - ETHER;
            ipv6(&mut out[ETHER..], len, 41, HOP_LIMIT, mag(i % MAGS), LMA);
            plain(direction, i, HOP_LIMIT, &mut out[ETHER + IPV6..]);
            TUNNELLED_LEN
        }
    }
}

/// Whether `frame` is what must leave the anchor for binding `i`: addresses, lengths, next headers
/// and the packet inside to the byte, its hop limit one less. Free: the tunnel's hop limit and flow
/// label.
pub(crate) fn output_is_right(direction: Direction, i: u32, frame: &[u8]) -> bool {
    let mut want = [0; TUNNELLED_LEN];
    match direction {
        Direction::Downlink if frame.len() == TUNNELLED_LEN => {
            ether(&mut want, ACCESS_ROUTER_MAC, ACCESS_MAC.0);
            let len = PLAIN_LEN - ETHER;
            ipv6(&mut want[ETHER..], len, 41, frame[ETHER + 7], LMA, mag(i % MAGS));
            plain(direction, i, HOP_LIMIT - 1, &mut want[ETHER + IPV6..]);
            want[ETHER + 1] |= frame[ETHER + 1] & 0x0f;
            want[ETHER + 2..ETHER + 4].copy_from_slice(&frame[ETHER + 2..ETHER + 4]);
            frame[ETHER + 7] > 0 && frame == want
        }
        Direction::Uplink if frame.len() == PLAIN_LEN => {
            ether(&mut want, CORE_ROUTER_MAC, CORE_MAC.0);
            plain(direction, i, HOP_LIMIT - 1, &mut want[ETHER..]);
            frame == &want[..PLAIN_LEN]
        }
        _ => false,
    }
}

/// An Ethernet header of IPv6.
pub(crate) fn ether(out: &mut [u8], dst: [u8; 6], src: [u8; 6]) {
    out[..6].copy_from_slice(&dst);
    out[6..12].copy_from_slice(&src);
    out[12..14].copy_from_slice(&[0x86, 0xdd]);
}

/// An IPv6 header without traffic class and flow label.
pub(crate) fn ipv6(
    out: &mut [u8],
    payload: usize,
    next: u8,
    hops: u8,
    src: Ipv6Addr,
    dst: Ipv6Addr,
) {
    let payload = u16::try_from(payload).unwrap_or(0).to_be_bytes();
    out[..8].copy_from_slice(&[0x60, 0, 0, 0, payload[0], payload[1], next, hops]);
    out[8..24].copy_from_slice(&src.octets());
    out[24..40].copy_from_slice(&dst.octets());
}

/// The node's own packet: IPv6 and UDP with a checksum that nobody on the way looks at.
fn plain(direction: Direction, i: u32, hops: u8, out: &mut [u8]) {
    let node = Ipv6Addr::from_bits(hnp(i) | 1);
    let (src, dst) = match direction {
        Direction::Downlink => (PEER, node),
        Direction::Uplink => (node, PEER),
    };
    ipv6(out, 8 + PAYLOAD, 17, hops, src, dst);
    let udp = &mut out[IPV6..IPV6 + 8 + PAYLOAD];
    udp[..8].copy_from_slice(&[0x04, 0xd2, 0x10, 0xe1, 0, 24, 0xbe, 0xef]);
    udp[8..].fill(0xa5);
    udp[8..12].copy_from_slice(&i.to_be_bytes());
}
