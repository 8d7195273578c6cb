//! The addresses, ports and tables of the pictures in `mod.rs` and `packet4.rs`. `tests/edges.rs`
//! has them, too.

use super::*;

/// Into a tunnel without GRE.
pub(super) fn through(tunnel: TunnelId) -> Forward {
    Forward::Tunnel(tunnel, GreKeys::default())
}

pub(super) const ACCESS: PortId = PortId(0);
pub(super) const CORE: PortId = PortId(1);
pub(super) const ACCESS_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xa0]);
pub(super) const CORE_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xc0]);
pub(super) const MAG1_MAC: MacAddr = MacAddr([2, 0, 0, 0, 1, 1]);
pub(super) const MAG2_MAC: MacAddr = MacAddr([2, 0, 0, 0, 1, 2]);
pub(super) const GATEWAY_MAC: MacAddr = MacAddr([2, 0, 0, 0, 2, 1]);
pub(super) const LMA: &str = "2001:db8:ff::1";
pub(super) const LMA4: &str = "192.0.2.1";
pub(super) const MAG4: &str = "198.51.100.7";
pub(super) const CN4: &str = "203.0.113.9";
pub(super) const MAG1: &str = "2001:db8:a::1";
pub(super) const MAG2: &str = "2001:db8:a::2";
pub(super) const MN1: &str = "2001:db8:1:1::11";
pub(super) const MN2: &str = "2001:db8:1:2::22";
pub(super) const HNP1: &str = "2001:db8:1:1::/64";
pub(super) const HNP2: &str = "2001:db8:1:2::/64";
pub(super) const NOBODY: &str = "2001:db8:1:eeee::1";
pub(super) const CN: &str = "2001:db8:c::c";
pub(super) const TUNNEL1: TunnelId = TunnelId(0);
pub(super) const TUNNEL2: TunnelId = TunnelId(1);
pub(super) const UDP: u8 = 17;

pub(super) fn addr(s: &str) -> Ipv6Addr {
    s.parse().unwrap()
}

pub(super) fn ipv4(s: &str) -> Ipv4Addr {
    s.parse().unwrap()
}

pub(super) fn prefix(s: &str) -> HomePrefix {
    s.parse().unwrap()
}

pub(super) const MAG4_MAC: MacAddr = MacAddr([2, 0, 0, 0, 1, 4]);

/// The number of a tunnel of [`dual_tables`], by its place in `TUNNELS` of dual.py.
pub(super) const fn dual_tunnel(index: u32) -> TunnelId {
    TunnelId(4 + index)
}

/// Node i is behind tunnel i, which has the encapsulation of place i of `TUNNELS` in dual.py.
pub(super) fn dual_tables() -> Vec<Change> {
    let ipv6 = |encap| TunnelPath { local: addr(LMA), remote: addr(MAG1), encap };
    let [local, remote] = [LMA4, MAG4].map(|a| ipv4(a).to_ipv6_mapped());
    let ipv4 = |encap| TunnelPath { local, remote, encap };
    let keys = |downlink, uplink| GreKeys { downlink: Some(downlink), uplink: Some(uplink) };
    let none = GreKeys::default();
    let tunnels = [
        (ipv6(Encap::Ip), none),
        (ipv6(Encap::Gre), none),
        (ipv6(Encap::Gre), keys(0x1122_3344, 0x1002)),
        (ipv4(Encap::Ip), none),
        (ipv4(Encap::Gre), none),
        (ipv4(Encap::Gre), keys(0, 0x1005)),
        (ipv4(Encap::Udp(5437)), none),
        (ipv4(Encap::Udp(40000)), none),
        (ipv4(Encap::UdpGre(5437)), none),
        (ipv4(Encap::UdpGre(5437)), keys(u32::MAX, 0x1009)),
        (ipv4(Encap::Mip6Udp(40001)), none),
        (ipv4(Encap::Mip4Udp(40002)), none),
    ];
    let mut changes = vec![
        Change::PoolSet(prefix("10.1.0.0/16").into()),
        Change::RouteSet(prefix("198.51.100.0/24").into(), NextHop::OnLink(ACCESS)),
        Change::RouteSet(prefix("0.0.0.0/0").into(), NextHop::Gateway(CORE, addr("fe80::1"))),
        Change::RouteSet(prefix("198.18.0.0/15").into(), NextHop::Unreachable),
        Change::NeighborSet(ACCESS, remote, MAG4_MAC),
    ];
    for (i, (path, keys)) in (0..).zip(tunnels) {
        let id = dual_tunnel(i);
        let forward = Forward::Tunnel(id, keys);
        let hnp = prefix(&format!("2001:db8:1:a{i:x}::/64"));
        let hoa = prefix(&format!("10.1.0.{}/32", 16 + i));
        changes.push(Change::TunnelSet(id, Tunnel { path, mtu: 1500 }));
        changes.extend([hnp, hoa].map(|p| Change::EntrySet(p.into(), forward)));
    }
    changes
}

/// A port with both an IPv6 and an IPv4 address, or none.
pub(super) fn port_config(
    access: bool,
    mac: MacAddr,
    address: Option<&str>,
    customer: u16,
) -> PortConfig {
    let ipv4_address = address.map(|_| ipv4("192.0.2.254"));
    let customer = CustomerId(customer);
    PortConfig { access, mac, mtu: 1500, address: address.map(addr), ipv4_address, customer }
}

/// Both ports.
pub(super) fn port_configs() -> [PortConfig; 2] {
    [
        port_config(true, ACCESS_MAC, None, 0),
        port_config(false, CORE_MAC, Some("2001:db8:cc::ff"), 0),
    ]
}

/// The VLANs of the second one.
pub(super) fn vlan_ports() -> Vec<VlanPort> {
    let vlan = |id, access, customer| {
        let config = port_config(access, CORE_MAC, Some("2001:db8:cc::ff"), customer);
        VlanPort { parent: CORE, id, config }
    };
    vec![vlan(100, false, 1), vlan(200, false, 2), vlan(300, true, 0)]
}

/// The tables of the picture.
pub(super) fn tables() -> Vec<Change> {
    let tunnel = |remote, mtu| Tunnel { path: TunnelPath::ip(addr(LMA), addr(remote)), mtu };
    vec![
        Change::PoolSet(prefix("2001:db8:1::/48").into()),
        Change::RouteSet(prefix("2001:db8:a::/64").into(), NextHop::OnLink(ACCESS)),
        Change::RouteSet(prefix("::/0").into(), NextHop::Gateway(CORE, addr("fe80::1"))),
        Change::RouteSet(prefix("2001:db8:dead::/48").into(), NextHop::Unreachable),
        Change::RouteSet(prefix("2001:db8:b1ac::/48").into(), NextHop::Blackhole),
        Change::NeighborSet(ACCESS, addr(MAG1), MAG1_MAC),
        Change::NeighborSet(ACCESS, addr(MAG2), MAG2_MAC),
        Change::NeighborSet(CORE, addr("fe80::1"), GATEWAY_MAC),
        Change::TunnelSet(TUNNEL1, tunnel(MAG1, 1500)),
        Change::TunnelSet(TUNNEL2, tunnel(MAG2, 1400)),
        Change::EntrySet(prefix(HNP1).into(), through(TUNNEL1)),
        Change::EntrySet(prefix(HNP2).into(), through(TUNNEL2)),
    ]
}

/// All tunnels, with an MTU of 1300 bytes.
pub(super) fn thin_tunnels() -> impl Iterator<Item = Change> {
    tables().into_iter().chain(dual_tables()).filter_map(|change| match change {
        Change::TunnelSet(id, tunnel) => {
            Some(Change::TunnelSet(id, Tunnel { mtu: 1300, ..tunnel }))
        }
        _ => None,
    })
}
