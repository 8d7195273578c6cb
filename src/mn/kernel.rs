//! The kernel's part of the node, through rtnetlink: rules by which the home address is reached and
//! used, of the families that the tunnel carries and that it is made of.
//!
//! ```text
//!   priority  rule                             what it is for
//!   RULES+0   Parameter Problem: blackhole     the kernel's answer to type 2 routing headers
//!   RULES+1   from HoA, MNP    lookup HOME     what the home address sends: into the tunnel
//!   RULES+2   from CoA         lookup main     what has chosen the care-of address
//!   RULES+3   to HA            lookup main     signaling, of either family, and the tunnel itself
//!   RULES+4   main without its default route   neighbours of the visited link
//!   RULES+5   lookup HOME                      whoever has not chosen has the home address
//! ```
//! `HOME` has a default route to the TUN, with a home address as source. The rules from 1 on are
//! there while a binding is. All of these priorities and the table are ours alone: what a crash
//! left there is removed at start.

use crate::addr::HomePrefix;
use crate::control::netlink::RouteSocket;
use crate::mobility::mag::event::LinkId;
use crate::mobility::mn::event::TunnelEnds;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage, RulePortRange};
use netlink_packet_route::{AddressFamily, IpProtocol, RouteNetlinkMessage};
use std::io;
use std::net::{IpAddr, Ipv6Addr};

const FAMILIES: [AddressFamily; 2] = [AddressFamily::Inet6, AddressFamily::Inet];
/// The table of what the home address sends.
const HOME: u32 = 62_750;
/// `RT_TABLE_MAIN`
const MAIN: u32 = 254;
/// The first priority of our rules.
const RULES: u32 = 6_275;
const RULES_LAST: u32 = RULES + 5;
/// RFC 4443 3.4: Parameter Problem, code 0, as rules see an ICMPv6 message: type and code stand
/// where other protocols have their destination port.
const PARAMETER_PROBLEM: u16 = 4 << 8;
const ICMPV6: i32 = 58;

/// Talks to the kernel; every call waits for its acknowledgement.
pub(super) struct Kernel(RouteSocket);

impl Kernel {
    pub(super) fn open() -> io::Result<Self> {
        RouteSocket::open().map(Self)
    }

    /// Removes our rules and routes, also those of a node that ended without doing so.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.remove_rules(RULES)?;
        for family in FAMILIES {
            let mut query = RouteMessage::default();
            query.header.address_family = family;
            let mut routes = Vec::new();
            self.0.dump(RouteNetlinkMessage::GetRoute(query), |m| {
                if let RouteNetlinkMessage::NewRoute(route) = m
                    && route.attributes.contains(&RouteAttribute::Table(HOME))
                {
                    routes.push(route);
                }
            })?;
            for route in routes {
                self.0.request(RouteNetlinkMessage::DelRoute(route), 0)?;
            }
        }
        Ok(())
    }

    /// Keeps the kernel's answers to type 2 routing headers from leaving.
    pub(super) fn silence(&mut self) -> io::Result<()> {
        let mut message = rule(AddressFamily::Inet6, RULES);
        message.header.action = RuleAction::Blackhole;
        let port = RulePortRange { start: PARAMETER_PROBLEM, end: PARAMETER_PROBLEM };
        message.attributes.push(RuleAttribute::IpProtocol(IpProtocol::Other(ICMPV6)));
        message.attributes.push(RuleAttribute::DestinationPortRange(port));
        self.add(message)
    }

    /// What `home` sends by itself goes to the TUN, by its own table.
    pub(super) fn route_home(&mut self, tunnel: LinkId, home: Ipv6Addr) -> io::Result<()> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(home);
        message.header.protocol = RouteProtocol::Static;
        message.header.kind = RouteType::Unicast;
        let (scope, source) = match home.to_canonical() {
            // Without a gateway an IPv4 route is of the link.
            IpAddr::V4(a) => (RouteScope::Link, RouteAddress::Inet(a)),
            IpAddr::V6(a) => (RouteScope::Universe, RouteAddress::Inet6(a)),
        };
        message.header.scope = scope;
        message.attributes.push(RouteAttribute::Oif(tunnel.0));
        message.attributes.push(RouteAttribute::PrefSource(source));
        message.attributes.push(RouteAttribute::Table(HOME));
        self.0.request(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Takes what `inner` send into the tunnel, and nothing of the tunnel itself, nor to `agent`,
    /// another address of the home agent.
    pub(super) fn enter_tunnel(
        &mut self,
        inner: &[HomePrefix],
        ends: TunnelEnds,
        agent: Option<Ipv6Addr>,
    ) -> io::Result<()> {
        self.leave_tunnel()?;
        for prefix in inner {
            let mut message = table(family(prefix.addr()), RULES + 1, HOME);
            let (source, len) = match prefix.to_ipv4() {
                Some((address, len)) => (address.into(), len),
                None => (prefix.addr().into(), prefix.len()),
            };
            message.header.src_len = len;
            message.attributes.push(RuleAttribute::Source(source));
            self.add(message)?;
        }
        let mut message = table(family(ends.care_of), RULES + 2, MAIN);
        message.header.src_len = whole(ends.care_of);
        message.attributes.push(RuleAttribute::Source(ends.care_of.to_canonical()));
        self.add(message)?;
        for agent in [Some(ends.home_agent), agent].into_iter().flatten() {
            let mut message = table(family(agent), RULES + 3, MAIN);
            message.header.dst_len = whole(agent);
            message.attributes.push(RuleAttribute::Destination(agent.to_canonical()));
            self.add(message)?;
        }
        for carried in FAMILIES {
            if inner.iter().any(|prefix| family(prefix.addr()) == carried) {
                let mut message = table(carried, RULES + 4, MAIN);
                message.attributes.push(RuleAttribute::SuppressPrefixLen(0));
                self.add(message)?;
                self.add(table(carried, RULES_LAST, HOME))?;
            }
        }
        Ok(())
    }

    /// Ends that.
    pub(super) fn leave_tunnel(&mut self) -> io::Result<()> {
        self.remove_rules(RULES + 1)
    }

    /// The addresses that there are.
    pub(super) fn addresses(&mut self) -> io::Result<Vec<Address>> {
        let mut found = Vec::new();
        for family in FAMILIES {
            let mut query = AddressMessage::default();
            query.header.family = family;
            self.0.dump(RouteNetlinkMessage::GetAddress(query), |m| {
                if let RouteNetlinkMessage::NewAddress(message) = m {
                    found.extend(Address::of(&message));
                }
            })?;
        }
        Ok(found)
    }

    fn add(&mut self, message: RuleMessage) -> io::Result<()> {
        self.0.request(RouteNetlinkMessage::NewRule(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Removes our rules from this priority on.
    fn remove_rules(&mut self, from: u32) -> io::Result<()> {
        let mut rules = Vec::new();
        let range = from..=RULES_LAST;
        let ours = |a: &RuleAttribute| matches!(a, RuleAttribute::Priority(p) if range.contains(p));
        for family in FAMILIES {
            let mut query = RuleMessage::default();
            query.header.family = family;
            self.0.dump(RouteNetlinkMessage::GetRule(query), |m| {
                if let RouteNetlinkMessage::NewRule(rule) = m
                    && rule.attributes.iter().any(ours)
                {
                    rules.push(rule);
                }
            })?;
        }
        rules.into_iter().try_for_each(|r| self.0.request(RouteNetlinkMessage::DelRule(r), 0))
    }
}

/// Whose address it is, IPv4-mapped or not.
fn family(address: Ipv6Addr) -> AddressFamily {
    match address.to_ipv4_mapped() {
        Some(_) => AddressFamily::Inet,
        None => AddressFamily::Inet6,
    }
}

/// How many bits an address of its family has.
fn whole(address: Ipv6Addr) -> u8 {
    if family(address) == AddressFamily::Inet { 32 } else { 128 }
}

/// A rule of ours, whatever it selects.
fn rule(family: AddressFamily, priority: u32) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = family;
    message.attributes.push(RuleAttribute::Priority(priority));
    message
}

fn table(family: AddressFamily, priority: u32, table: u32) -> RuleMessage {
    let mut message = rule(family, priority);
    message.header.action = RuleAction::ToTable;
    message.attributes.push(RuleAttribute::Table(table));
    message
}

/// An address of an interface; of IPv4 an IPv4-mapped one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) link: LinkId,
    pub(super) ip: Ipv6Addr,
    /// Global, and neither tentative nor a duplicate nor out of use.
    pub(super) is_usable: bool,
}

impl Address {
    /// What a netlink message about an address says.
    pub(super) fn of(message: &AddressMessage) -> Option<Self> {
        let unusable = AddressFlags::Tentative | AddressFlags::Dadfailed | AddressFlags::Deprecated;
        let unusable_header = AddressHeaderFlags::Tentative
            | AddressHeaderFlags::Dadfailed
            | AddressHeaderFlags::Deprecated;
        let (mut ip, mut is_usable) = (None, message.header.scope == AddressScope::Universe);
        is_usable &= !message.header.flags.intersects(unusable_header);
        for attribute in &message.attributes {
            match attribute {
                AddressAttribute::Address(IpAddr::V6(a)) => ip = Some(*a),
                // Its own end; the other attribute may be a peer's.
                AddressAttribute::Local(IpAddr::V4(a)) => ip = Some(a.to_ipv6_mapped()),
                AddressAttribute::Flags(flags) => is_usable &= !flags.intersects(unusable),
                _ => {}
            }
        }
        Some(Self { link: LinkId(message.header.index), ip: ip?, is_usable })
    }
}
