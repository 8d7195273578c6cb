//! The kernel's part of the gateway, through rtnetlink: addresses of access links, and the routes
//! and rules by which it forwards (RFC 5213 6.10.5).
//!
//! ```text
//!   priority  rule                                what it is for
//!   RULES+0   iif lo    lookup DOWNLINK           our own packets to a node (ICMPv6 errors)
//!   RULES+1   iif TUN   lookup DOWNLINK           from the tunnel to the link that hosts the prefix
//!   RULES+2   iif TUN   blackhole                 no such link: silently dropped
//!   RULES+3   iif LINK  from HNP lookup DOWNLINK  only with local routing: node to node directly
//!   RULES+4   iif LINK  from HNP lookup UPLINK    from a bound node into the tunnel
//!   RULES+5   iif LINK  blackhole                 no binding, or not the node's address: dropped
//! ```
//! `DOWNLINK` has a route for each home network prefix and IPv4 home address, `UPLINK` the default
//! route to the TUN. The rules are there for both families. Both tables and these priorities are
//! ours alone: what a crash left there is removed at start.

use crate::addr::{HomePrefix, MacAddr};
use crate::control::netlink::RouteSocket;
use crate::mobility::mag::event::LinkId;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{
    AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope,
};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteMetric, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// From the tunnel to the nodes.
const DOWNLINK: u32 = 52_130;
/// From the nodes into the tunnel.
const UPLINK: u32 = 52_131;
/// Both that nodes have.
const FAMILIES: [AddressFamily; 2] = [AddressFamily::Inet6, AddressFamily::Inet];
/// The first priority of our rules.
const RULES: u32 = 5_213;

/// An interface as the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) id: LinkId,
    pub(crate) name: String,
    pub(crate) mac: Option<MacAddr>,
    pub(crate) mtu: u32,
    /// Up, and with a carrier.
    pub(crate) running: bool,
}

/// Talks to the kernel; every call waits for its acknowledgement.
pub(crate) struct Kernel {
    socket: RouteSocket,
    /// The TUN's name.
    tunnel: String,
    local_routing: bool,
}

impl Kernel {
    pub(crate) fn open(tunnel: &str, local_routing: bool) -> io::Result<Self> {
        Ok(Self { socket: RouteSocket::open()?, tunnel: tunnel.into(), local_routing })
    }

    /// Removes our rules and routes, also those of a gateway that ended without doing so.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        for family in FAMILIES {
            self.clear_family(family)?;
        }
        Ok(())
    }

    fn clear_family(&mut self, family: AddressFamily) -> io::Result<()> {
        let mut rules = Vec::new();
        self.socket.dump(RouteNetlinkMessage::GetRule(rule_message(family)), |m| {
            if let RouteNetlinkMessage::NewRule(rule) = m
                && rule.attributes.iter().any(is_our_priority)
            {
                rules.push(rule);
            }
        })?;
        for rule in rules {
            self.socket.request(RouteNetlinkMessage::DelRule(rule), 0)?;
        }
        let mut query = RouteMessage::default();
        query.header.address_family = family;
        let mut routes = Vec::new();
        self.socket.dump(RouteNetlinkMessage::GetRoute(query), |m| {
            if let RouteNetlinkMessage::NewRoute(route) = m
                && route.attributes.iter().any(is_our_table)
            {
                routes.push(route);
            }
        })?;
        for route in routes {
            self.socket.request(RouteNetlinkMessage::DelRoute(route), 0)?;
        }
        Ok(())
    }

    /// The rules and routes that are always there.
    pub(super) fn set_up_tunnel(&mut self, tunnel: LinkId) -> io::Result<()> {
        let name = self.tunnel.clone();
        for family in FAMILIES {
            self.rule(true, RULES, "lo", Select::All(family), Some(DOWNLINK))?;
            self.rule(true, RULES + 1, &name, Select::All(family), Some(DOWNLINK))?;
            self.rule(true, RULES + 2, &name, Select::All(family), None)?;
        }
        self.route(true, HomePrefix::ALL_ZERO, tunnel, UPLINK)?;
        let all_of_ipv4 = HomePrefix::from_ipv4(Ipv4Addr::UNSPECIFIED, 0);
        self.route(true, all_of_ipv4.map_err(io::Error::other)?, tunnel, UPLINK)
    }

    /// Nothing from this link is forwarded unless a rule of a binding says so.
    pub(super) fn guard_link(&mut self, interface: &str) -> io::Result<()> {
        for family in FAMILIES {
            match self.rule(true, RULES + 5, interface, Select::All(family), None) {
                // The interface was there before, under the same name.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Forwards for a binding's prefix.
    pub(super) fn install(&mut self, prefix: HomePrefix, link: &Interface) -> io::Result<()> {
        self.route(true, prefix, link.id, DOWNLINK)?;
        if self.local_routing {
            self.rule(true, RULES + 3, &link.name, Select::From(prefix), Some(DOWNLINK))?;
        }
        self.rule(true, RULES + 4, &link.name, Select::From(prefix), Some(UPLINK))
    }

    /// Stops that, whatever part of it is still there.
    pub(super) fn remove(&mut self, prefix: HomePrefix, link: &Interface) -> io::Result<()> {
        let uplink = self.rule(false, RULES + 4, &link.name, Select::From(prefix), Some(UPLINK));
        let local = if self.local_routing {
            self.rule(false, RULES + 3, &link.name, Select::From(prefix), Some(DOWNLINK))
        } else {
            Ok(())
        };
        // A link that went down has taken its routes with it.
        let route = match self.route(false, prefix, link.id, DOWNLINK) {
            Err(e) if is_gone(&e) => Ok(()),
            other => other,
        };
        uplink.and(local).and(route)
    }

    /// All interfaces.
    pub(crate) fn interfaces(&mut self) -> io::Result<Vec<Interface>> {
        let mut found = Vec::new();
        self.socket.dump(RouteNetlinkMessage::GetLink(LinkMessage::default()), |m| {
            if let RouteNetlinkMessage::NewLink(link) = m {
                found.extend(interface(&link));
            }
        })?;
        Ok(found)
    }

    /// Sets an interface's link-layer address.
    pub(crate) fn set_mac(&mut self, link: LinkId, mac: MacAddr) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = link.0;
        message.attributes.push(LinkAttribute::Address(mac.0.to_vec()));
        self.socket.request(RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Sets an interface up, with this MTU.
    pub(crate) fn set_mtu(&mut self, link: LinkId, mtu: u16) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = link.0;
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        message.attributes.push(LinkAttribute::Mtu(mtu.into()));
        self.socket.request(RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Adds a link-local address. Without DAD: the anchor made it unique on the link (RFC 5213
    /// 6.8).
    pub(super) fn add_link_local(&mut self, link: LinkId, address: Ipv6Addr) -> io::Result<()> {
        let message = RouteNetlinkMessage::NewAddress(address_message(link, address));
        self.socket.request(message, NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Removes it; one that went with its link is removed already.
    pub(super) fn del_link_local(&mut self, link: LinkId, address: Ipv6Addr) -> io::Result<()> {
        let message = RouteNetlinkMessage::DelAddress(address_message(link, address));
        match self.socket.request(message, 0) {
            Err(e) if is_gone(&e) => Ok(()),
            other => other,
        }
    }

    /// Adds the address of a node's default router to its link, without a route to others there:
    /// the node is the only one (RFC 5844 3.2.3.2).
    pub(super) fn add_router(&mut self, link: LinkId, router: Ipv4Addr) -> io::Result<()> {
        let message = RouteNetlinkMessage::NewAddress(host_address(link, router.into()));
        self.socket.request(message, NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Removes it; one that went with its link is removed already.
    pub(super) fn del_router(&mut self, link: LinkId, router: Ipv4Addr) -> io::Result<()> {
        let message = RouteNetlinkMessage::DelAddress(host_address(link, router.into()));
        match self.socket.request(message, 0) {
            Err(e) if is_gone(&e) => Ok(()),
            other => other,
        }
    }

    /// The link-local addresses of an interface.
    pub(super) fn link_locals(&mut self, link: LinkId) -> io::Result<Vec<Ipv6Addr>> {
        let mut query = AddressMessage::default();
        query.header.family = AddressFamily::Inet6;
        let mut found = Vec::new();
        self.socket.dump(RouteNetlinkMessage::GetAddress(query), |m| {
            let RouteNetlinkMessage::NewAddress(a) = m else { return };
            if a.header.index == link.0 {
                found.extend(a.attributes.iter().filter_map(|attribute| match attribute {
                    AddressAttribute::Address(IpAddr::V6(v6)) => Some(*v6),
                    _ => None,
                }));
            }
        })?;
        found.retain(Ipv6Addr::is_unicast_link_local);
        Ok(found)
    }

    /// What the path to `dst` carries, as far as the kernel knows from Packet Too Big messages
    /// (RFC 5213 6.9.5), in bytes.
    pub(super) fn path_mtu(&mut self, dst: Ipv6Addr) -> io::Result<Option<u32>> {
        let mut query = RouteMessage::default();
        let (family, len, address) = match dst.to_ipv4_mapped() {
            Some(v4) => (AddressFamily::Inet, 32, RouteAddress::Inet(v4)),
            None => (AddressFamily::Inet6, 128, RouteAddress::Inet6(dst)),
        };
        query.header.address_family = family;
        query.header.destination_prefix_length = len;
        query.attributes.push(RouteAttribute::Destination(address));
        let (mut learnt, mut via) = (None, None);
        self.socket.query(RouteNetlinkMessage::GetRoute(query), |m| {
            let RouteNetlinkMessage::NewRoute(route) = m else { return };
            for attribute in &route.attributes {
                match attribute {
                    RouteAttribute::Oif(index) => via = Some(LinkId(*index)),
                    RouteAttribute::Metrics(metrics) => {
                        learnt = metrics.iter().find_map(|metric| match metric {
                            RouteMetric::Mtu(mtu) => Some(*mtu),
                            _ => None,
                        });
                    }
                    _ => {}
                }
            }
        })?;
        if learnt.is_some() {
            return Ok(learnt);
        }
        Ok(self.interfaces()?.iter().find(|i| Some(i.id) == via).map(|i| i.mtu))
    }

    fn route(&mut self, add: bool, to: HomePrefix, link: LinkId, table: u32) -> io::Result<()> {
        let mut message = RouteMessage::default();
        let (family, address, len) = split(to);
        message.header.address_family = family;
        message.header.destination_prefix_length = len;
        message.header.protocol = RouteProtocol::Static;
        message.header.kind = RouteType::Unicast;
        let (scope, destination) = match address {
            // Without a gateway an IPv4 route is of the link.
            IpAddr::V4(a) => (RouteScope::Link, RouteAddress::Inet(a)),
            IpAddr::V6(a) => (RouteScope::Universe, RouteAddress::Inet6(a)),
        };
        message.header.scope = scope;
        message.attributes.push(RouteAttribute::Destination(destination));
        message.attributes.push(RouteAttribute::Oif(link.0));
        message.attributes.push(RouteAttribute::Table(table));
        if add {
            self.socket
                .request(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_REPLACE)
        } else {
            self.socket.request(RouteNetlinkMessage::DelRoute(message), 0)
        }
    }

    /// A rule for what comes in by `iif`; a blackhole if there is no `table`.
    fn rule(
        &mut self,
        add: bool,
        priority: u32,
        iif: &str,
        select: Select,
        table: Option<u32>,
    ) -> io::Result<()> {
        let mut message = match select {
            Select::All(family) => rule_message(family),
            Select::From(prefix) => {
                let (family, address, len) = split(prefix);
                let mut message = rule_message(family);
                message.header.src_len = len;
                message.attributes.push(RuleAttribute::Source(address));
                message
            }
        };
        message.attributes.push(RuleAttribute::Priority(priority));
        message.attributes.push(RuleAttribute::Iifname(iif.into()));
        message.header.action = RuleAction::Blackhole;
        if let Some(table) = table {
            message.header.action = RuleAction::ToTable;
            message.attributes.push(RuleAttribute::Table(table));
        }
        if add {
            let message = RouteNetlinkMessage::NewRule(message);
            self.socket.request(message, NLM_F_CREATE | NLM_F_EXCL)
        } else {
            self.socket.request(RouteNetlinkMessage::DelRule(message), 0)
        }
    }
}

/// Which packets of an interface a rule is for.
#[derive(Debug, Clone, Copy)]
enum Select {
    All(AddressFamily),
    From(HomePrefix),
}

/// A prefix as the kernel has it.
fn split(prefix: HomePrefix) -> (AddressFamily, IpAddr, u8) {
    match prefix.to_ipv4() {
        Some((address, len)) => (AddressFamily::Inet, address.into(), len),
        None => (AddressFamily::Inet6, prefix.addr().into(), prefix.len()),
    }
}

/// Addresses that are on an interface for as long as this lives.
pub(crate) struct Addresses {
    socket: RouteSocket,
    link: LinkId,
    added: Vec<Ipv6Addr>,
}

impl Addresses {
    /// None yet, on the interface with this name.
    pub(crate) fn open(interface: &str) -> io::Result<Self> {
        let mut kernel = Kernel::open("", false)?;
        let found = kernel.interfaces()?.into_iter().find(|i| i.name == interface);
        let link = found.ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("there is no interface {interface}"))
        })?;
        Ok(Self { socket: kernel.socket, link: link.id, added: Vec::new() })
    }

    /// Adds one, unless it is there.
    pub(crate) fn add(&mut self, address: Ipv6Addr) -> io::Result<()> {
        let message =
            RouteNetlinkMessage::NewAddress(host_address(self.link, address.to_canonical()));
        match self.socket.request(message, NLM_F_CREATE | NLM_F_EXCL) {
            Ok(()) => self.added.push(address),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
        Ok(())
    }
}

impl Drop for Addresses {
    fn drop(&mut self) {
        for &address in &self.added {
            let message =
                RouteNetlinkMessage::DelAddress(host_address(self.link, address.to_canonical()));
            if let Err(error) = self.socket.request(message, 0) {
                tracing::warn!(%error, %address, "address stays");
            }
        }
    }
}

/// What a netlink message about a link says of it.
pub(crate) fn interface(link: &LinkMessage) -> Option<Interface> {
    let (mut name, mut mac, mut mtu) = (None, None, None);
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(n) => name = Some(n.clone()),
            LinkAttribute::Address(a) => mac = <[u8; 6]>::try_from(a.as_slice()).ok().map(MacAddr),
            LinkAttribute::Mtu(m) => mtu = Some(*m),
            _ => {}
        }
    }
    Some(Interface {
        id: LinkId(link.header.index),
        name: name?,
        mac,
        mtu: mtu?,
        running: link.header.flags.contains(LinkFlags::Up | LinkFlags::LowerUp),
    })
}

/// Lets the kernel forward at all, and from interfaces whose routes are ours alone: the rules tell
/// which sources are right (RFC 5844 3.2.4), not the kernel's reverse path.
pub(super) fn forward_packets() -> io::Result<()> {
    set_sysctl("ipv6/conf/all/forwarding", "1")?;
    set_sysctl("ipv4/conf/all/forwarding", "1")?;
    set_sysctl("ipv4/conf/all/rp_filter", "0")
}

/// Keeps the kernel from giving an interface addresses of its own: on an access link the
/// link-local one is the anchor's choice (RFC 5213 6.9.1.2 (15)), and there is no router but us.
pub(crate) fn quieten(interface: &str) -> io::Result<()> {
    set_sysctl(&format!("ipv6/conf/{interface}/accept_ra"), "0")?;
    set_sysctl(&format!("ipv6/conf/{interface}/addr_gen_mode"), "1")?;
    set_sysctl(&format!("ipv4/conf/{interface}/rp_filter"), "0")
}

/// Answers a node's ARP requests for all that is reached through its tunnel, at once (RFC 5844
/// 3.2.4): the rules of its binding tell what that is.
pub(super) fn proxy_arp(interface: &str) -> io::Result<()> {
    set_sysctl(&format!("ipv4/conf/{interface}/proxy_arp"), "1")?;
    set_sysctl(&format!("ipv4/neigh/{interface}/proxy_delay"), "0")
}

pub(crate) fn set_sysctl(key: &str, value: &str) -> io::Result<()> {
    std::fs::write(format!("/proc/sys/net/{key}"), value)
}

fn rule_message(family: AddressFamily) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = family;
    message
}

fn address_message(link: LinkId, address: Ipv6Addr) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet6;
    message.header.prefix_len = 64;
    message.header.index = link.0;
    message.header.scope = AddressScope::Link;
    message.header.flags = AddressHeaderFlags::Nodad;
    message.attributes.push(AddressAttribute::Local(address.into()));
    message.attributes.push(AddressAttribute::Address(address.into()));
    message
}

fn host_address(link: LinkId, address: IpAddr) -> AddressMessage {
    let mut message = AddressMessage::default();
    let (family, len) = match address {
        IpAddr::V4(_) => (AddressFamily::Inet, 32),
        // Its link has all of them.
        IpAddr::V6(a) if a.is_unicast_link_local() => (AddressFamily::Inet6, 64),
        IpAddr::V6(_) => (AddressFamily::Inet6, 128),
    };
    message.header.family = family;
    message.header.prefix_len = len;
    message.header.index = link.0;
    let is_of_link = matches!(address, IpAddr::V6(a) if a.is_unicast_link_local());
    message.header.scope = if is_of_link { AddressScope::Link } else { AddressScope::Universe };
    message.header.flags = AddressHeaderFlags::Nodad;
    message.attributes.push(AddressAttribute::Local(address));
    message.attributes.push(AddressAttribute::Address(address));
    message
}

fn is_our_priority(attribute: &RuleAttribute) -> bool {
    matches!(attribute, RuleAttribute::Priority(p) if (RULES..=RULES + 5).contains(p))
}

fn is_our_table(attribute: &RouteAttribute) -> bool {
    matches!(attribute, RouteAttribute::Table(t) if *t == DOWNLINK || *t == UPLINK)
}

/// What is to be removed is not there, or the interface that had it is not.
fn is_gone(e: &io::Error) -> bool {
    matches!(
        e.raw_os_error(),
        Some(libc::ESRCH | libc::ENODEV | libc::ENOENT | libc::EADDRNOTAVAIL)
    )
}
