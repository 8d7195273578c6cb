//! Who talks to whom, as `perf/pgen/frame.c` has it too.
//!
//! ```text
//!   node 2001:db8:x:y::1 -- MAG fd01:0:0:a::i ==tunnel== anchor fd01::1 -- correspondent 2600::1
//!   node 10.x.y.z        -- MAG 172.16.x.y    ==tunnel== anchor 192.0.2.1 -- 203.0.113.9
//! ```
//! Headers are written here by hand, from the RFCs' layouts: the harness shares no code with what
//! it measures.

use anchord::addr::{HomePrefix, MacAddr, PortId};
use anchord::dataplane::update::{Change, NextHop};
use std::net::Ipv6Addr;

/// The port of a worker that has one.
pub(crate) const ACCESS: PortId = PortId(0);
/// Of every port.
pub(crate) const ACCESS_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
/// 40 bytes more than the nodes' 1500.
pub(crate) const ACCESS_MTU: u16 = 1540;
/// Gateways; binding i is at gateway i modulo this.
pub(crate) const MAGS: u32 = 1000;
/// The anchor.
pub(crate) const LMA: Ipv6Addr = Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 1);

/// The next hop to every gateway.
pub(crate) const ACCESS_ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xa);
/// Its address.
pub(crate) const ACCESS_ROUTER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0xa];
/// The pool is 2001:db8::/32: room for 2^32 home network prefixes of /64.
pub(crate) const POOL: u128 = 0x2001_0db8 << 96;

/// Bytes of an Ethernet header.
pub(crate) const ETHER: usize = 14;
/// Bytes of an IPv6 header.
pub(crate) const IPV6: usize = 40;

/// What the worker must know before any tunnel: pools, routes and neighbours.
pub(crate) fn network() -> Vec<Change> {
    let prefix = |text: &str| text.parse::<HomePrefix>().ok();
    let via = |text: &str| {
        let next = NextHop::Gateway(ACCESS, ACCESS_ROUTER);
        prefix(text).map(|p| Change::RouteSet(p.into(), next))
    };
    let pool = |text: &str| prefix(text).map(|p| Change::PoolSet(p.into()));
    let router = Change::NeighborSet(ACCESS, ACCESS_ROUTER, MacAddr(ACCESS_ROUTER_MAC));
    let network =
        [pool("2001:db8::/32"), pool("10.0.0.0/8"), via("::/0"), via("0.0.0.0/0"), Some(router)];
    network.into_iter().flatten().collect()
}

/// The address of gateway `i`.
pub(crate) fn mag(i: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits((0xfd01 << 112) | (0xa << 64) | u128::from(i))
}

/// The same of other gateways, as many.
pub(crate) fn far_mag(i: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits((0xfd02 << 112) | (0xa << 64) | u128::from(i))
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
