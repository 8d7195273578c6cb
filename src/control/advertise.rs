//! Routes to nodes in the kernel, from which routing daemons advertise them (RFC 5213 section
//! 5.6.2, RFC 5844 section 3.1.3, RFC 3963 section 6.3).
//!
//! ```text
//!   pools -------------------> advertise thread --> 2001:db8:100::/40 dev core table 213 proto 213
//!   prefixes outside of them        |               2001:db8:9000::/56 ...
//!   while nodes hold them           +--> BIRD --> the routers of the core
//! ```
//! Nothing follows these routes, neither workers, which look for the node, nor the host itself:
//! they stand in a table of their own. They lead out of a TAP so that they go when the anchor goes,
//! however it ends.

use super::netlink::RouteSocket;
use crate::addr::{CustomerId, CustomerPrefix, HomePrefix};
use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::thread::JoinHandle;

/// A route in one of the kernel's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeRoute {
    /// A whole pool, or what one node holds.
    pub prefix: HomePrefix,
    /// Where it stands.
    pub place: RoutePlace,
}

/// Where a route stands, and what it goes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoutePlace {
    /// The table.
    pub table: u32,
    /// Interface index of the TAP.
    pub ifindex: u32,
}

/// What the configuration says of routes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoutePlan {
    /// Those of the pools.
    pub pools: BTreeSet<NodeRoute>,
    /// Where those of prefixes outside of all pools stand. Customers may overlap: one without a
    /// place has none.
    pub outside: BTreeMap<CustomerId, RoutePlace>,
}

/// By which others know our routes: `proto 213`. The kernel leaves these numbers to programs; none
/// that we know of uses this one.
const PROTOCOL: u8 = 213;

/// What the thread is told.
#[derive(Debug)]
enum Wanted {
    Plan(RoutePlan),
    /// Whether nodes hold these prefixes, which are outside of the pools.
    Outside(Vec<(CustomerPrefix, bool)>),
    /// No routes any more: it ends.
    Nothing,
}

/// Tells the thread which routes there should be, and does not wait for the kernel.
#[derive(Debug, Clone)]
pub struct Advertiser(Sender<Wanted>);

impl Advertiser {
    /// From now on these, and those outside of the pools.
    pub fn advertise(&self, plan: RoutePlan) {
        // Without the thread the process is about to end.
        drop(self.0.send(Wanted::Plan(plan)));
    }

    /// None any more: the thread ends.
    pub fn withdraw(&self) {
        drop(self.0.send(Wanted::Nothing));
    }

    /// Whether there is no room for [`Self::follow`] now.
    pub(super) fn is_full(&self) -> bool {
        self.0.is_full()
    }

    /// Of each prefix whether a node holds it from now on. Gives them back if there is no room.
    pub(super) fn follow(
        &self,
        prefixes: Vec<(CustomerPrefix, bool)>,
    ) -> Result<(), Vec<(CustomerPrefix, bool)>> {
        match self.0.try_send(Wanted::Outside(prefixes)) {
            Err(TrySendError::Full(Wanted::Outside(prefixes))) => Err(prefixes),
            _ => Ok(()),
        }
    }

    /// One whom nobody hears: for tests and measurements.
    #[must_use]
    pub fn unheard() -> Self {
        Self(bounded(1).0)
    }
}

/// Starts the thread.
pub fn start() -> io::Result<(Advertiser, JoinHandle<()>)> {
    let mut routes = KernelRoutes {
        socket: RouteSocket::open()?,
        wanted: WantedRoutes::default(),
        there: BTreeSet::new(),
    };
    let (tx, rx) = bounded(CHANNEL_LEN);
    let run = move || routes.follow(&rx);
    let thread = std::thread::Builder::new().name("advertise".into()).spawn(run)?;
    Ok((Advertiser(tx), thread))
}

/// What may wait for the thread: the start, the stop, a reload, some batches of prefixes.
const CHANNEL_LEN: usize = 8;

/// Which routes there should be.
#[derive(Debug, Default)]
struct WantedRoutes {
    plan: RoutePlan,
    outside: BTreeSet<CustomerPrefix>,
}

impl WantedRoutes {
    fn all(&self) -> BTreeSet<NodeRoute> {
        let outside = self.outside.iter().filter_map(|p| self.route(*p));
        self.plan.pools.iter().copied().chain(outside).collect()
    }

    /// Takes in whether a prefix is held; the route that there has to be, or may not be, for it.
    fn set(&mut self, prefix: CustomerPrefix, held: bool) -> Option<(NodeRoute, bool)> {
        if held {
            self.outside.insert(prefix);
        } else {
            self.outside.remove(&prefix);
        }
        let route = self.route(prefix)?;
        Some((route, held || self.plan.pools.contains(&route)))
    }

    fn route(&self, CustomerPrefix { customer, prefix }: CustomerPrefix) -> Option<NodeRoute> {
        let &place = self.plan.outside.get(&customer)?;
        Some(NodeRoute { prefix, place })
    }
}

/// Our routes in the kernel.
struct KernelRoutes {
    socket: RouteSocket,
    wanted: WantedRoutes,
    there: BTreeSet<NodeRoute>,
}

impl KernelRoutes {
    fn follow(&mut self, wanted: &Receiver<Wanted>) {
        loop {
            match wanted.recv() {
                Ok(Wanted::Plan(plan)) => {
                    self.wanted.plan = plan;
                    self.change_to(&self.wanted.all());
                }
                Ok(Wanted::Outside(prefixes)) => {
                    for (prefix, held) in prefixes {
                        match self.wanted.set(prefix, held) {
                            Some((route, true)) => self.add(route),
                            Some((route, false)) => self.remove(route),
                            None => {}
                        }
                    }
                }
                Ok(Wanted::Nothing) | Err(_) => break,
            }
        }
        self.change_to(&BTreeSet::new());
    }

    /// Adds what is missing, then removes what is too much. What the kernel refuses is logged, and
    /// tried again at the next change of the configuration.
    fn change_to(&mut self, wanted: &BTreeSet<NodeRoute>) {
        let missing: Vec<_> = wanted.difference(&self.there).copied().collect();
        for route in missing {
            self.add(route);
        }
        let extra: Vec<_> = self.there.difference(wanted).copied().collect();
        for route in extra {
            self.remove(route);
        }
    }

    fn add(&mut self, route: NodeRoute) {
        if self.there.contains(&route) {
            return;
        }
        let message = RouteNetlinkMessage::NewRoute(message(route));
        match self.socket.request(message, NLM_F_CREATE | NLM_F_REPLACE) {
            Ok(()) => {
                self.there.insert(route);
            }
            Err(error) => {
                tracing::error!(%error, prefix = %route.prefix, table = route.place.table,
                    "the kernel took no route to nodes: it is not advertised");
            }
        }
    }

    fn remove(&mut self, route: NodeRoute) {
        if !self.there.remove(&route) {
            return;
        }
        let message = RouteNetlinkMessage::DelRoute(message(route));
        if let Err(error) = self.socket.request(message, 0) {
            tracing::warn!(%error, prefix = %route.prefix, table = route.place.table,
                "the route to nodes was gone");
        }
    }
}

fn message(route: NodeRoute) -> RouteMessage {
    let mut message = RouteMessage::default();
    let prefix = route.prefix;
    let (family, destination, len) = match prefix.to_ipv4() {
        Some((addr, len)) => (AddressFamily::Inet, RouteAddress::Inet(addr), len),
        None => (AddressFamily::Inet6, RouteAddress::Inet6(prefix.addr()), prefix.len()),
    };
    message.header.address_family = family;
    message.header.destination_prefix_length = len;
    message.header.protocol = RouteProtocol::Other(PROTOCOL);
    message.header.kind = RouteType::Unicast;
    if family == AddressFamily::Inet {
        message.header.scope = RouteScope::Link; // there is no gateway
    }
    message.attributes = vec![
        RouteAttribute::Destination(destination),
        RouteAttribute::Oif(route.place.ifindex),
        RouteAttribute::Table(route.place.table),
    ];
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: RoutePlace = RoutePlace { table: 213, ifindex: 4 };
    const ANOTHER: RoutePlace = RoutePlace { table: 300, ifindex: 5 };

    fn prefix(text: &str) -> HomePrefix {
        text.parse().expect("a prefix")
    }

    fn plan() -> RoutePlan {
        let pool = NodeRoute { prefix: prefix("2001:db8:100::/40"), place: OWN };
        let places = [(CustomerId(0), OWN), (CustomerId(2), ANOTHER)];
        RoutePlan { pools: [pool].into(), outside: places.into() }
    }

    // proves: DSMIP4-3.3.1-1
    #[test]
    fn prefix_outside_of_the_pools_has_a_route_where_its_customers_are_while_it_is_held() {
        let mut wanted = WantedRoutes { plan: plan(), ..WantedRoutes::default() };
        let moved = prefix("2001:db8:9000::/56");
        for (customer, place) in [(0, Some(OWN)), (1, None), (2, Some(ANOTHER))] {
            let moved_of = moved.of(CustomerId(customer));
            let route = place.map(|place| NodeRoute { prefix: moved, place });
            assert_eq!(wanted.set(moved_of, true), route.map(|r| (r, true)));
            let there: Vec<_> = wanted.all().into_iter().filter(|r| r.prefix == moved).collect();
            assert_eq!(there, route.into_iter().collect::<Vec<_>>(), "{customer}");
            assert_eq!(wanted.set(moved_of, false), route.map(|r| (r, false)));
            assert_eq!(wanted.all(), plan().pools);
        }
    }

    #[test]
    fn another_configuration_moves_the_routes_of_what_is_held() {
        let mut wanted = WantedRoutes { plan: plan(), ..WantedRoutes::default() };
        let moved = prefix("10.77.0.0/24");
        assert!(wanted.set(moved.into(), true).is_some());
        wanted.plan = RoutePlan { outside: [(CustomerId(0), ANOTHER)].into(), ..plan() };
        assert!(wanted.all().contains(&NodeRoute { prefix: moved, place: ANOTHER }));
        wanted.plan = RoutePlan::default();
        assert_eq!(wanted.all(), BTreeSet::new());
        wanted.plan = plan();
        assert_eq!(wanted.all().len(), 2);
    }

    #[test]
    fn route_of_a_pool_stays_when_a_node_lets_go_of_all_of_it() {
        let mut wanted = WantedRoutes { plan: plan(), ..WantedRoutes::default() };
        let pool = NodeRoute { prefix: prefix("2001:db8:100::/40"), place: OWN };
        assert_eq!(wanted.set(pool.prefix.into(), true), Some((pool, true)));
        assert_eq!(wanted.set(pool.prefix.into(), false), Some((pool, true)));
        assert_eq!(wanted.all(), plan().pools);
    }
}
