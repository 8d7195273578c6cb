//! Routes to the pools in the kernel, from which routing daemons advertise them (RFC 5213 section
//! 5.6.2, RFC 5844 section 3.1.3).
//!
//! ```text
//!   pools --> advertise thread --> 2001:db8:100::/40 dev core table 213 proto 213
//!                                       |
//!                                       +--> BIRD --> the routers of the core
//! ```
//! Nothing follows these routes, neither workers, which look for the node, nor the host itself:
//! they stand in a table of their own. They lead out of a TAP so that they go when the anchor goes,
//! however it ends.

use super::netlink::RouteSocket;
use crate::addr::HomePrefix;
use crossbeam::channel::{Receiver, Sender, bounded};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::collections::BTreeSet;
use std::io;
use std::thread::JoinHandle;

/// A pool in one of the kernel's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PoolRoute {
    /// The table.
    pub table: u32,
    /// The whole pool.
    pub prefix: HomePrefix,
    /// Interface index of the TAP that it goes with.
    pub ifindex: u32,
}

/// By which others know our routes: `proto 213`. The kernel leaves these numbers to programs; none
/// that we know of uses this one.
const PROTOCOL: u8 = 213;

/// Tells the thread which routes there should be, and does not wait for the kernel.
#[derive(Debug, Clone)]
pub struct Advertiser(Sender<Option<BTreeSet<PoolRoute>>>);

impl Advertiser {
    /// From now on these and no others.
    pub fn advertise(&self, routes: BTreeSet<PoolRoute>) {
        // Without the thread the process is about to end.
        drop(self.0.send(Some(routes)));
    }

    /// None any more: the thread ends.
    pub fn withdraw(&self) {
        drop(self.0.send(None));
    }
}

/// Starts the thread.
pub fn start() -> io::Result<(Advertiser, JoinHandle<()>)> {
    let mut routes = KernelRoutes { socket: RouteSocket::open()?, there: BTreeSet::new() };
    let (tx, rx) = bounded(CHANNEL_LEN);
    let run = move || routes.follow(&rx);
    let thread = std::thread::Builder::new().name("advertise".into()).spawn(run)?;
    Ok((Advertiser(tx), thread))
}

/// What may wait for the thread: the start, the stop, a reload.
const CHANNEL_LEN: usize = 4;

/// Our routes in the kernel.
struct KernelRoutes {
    socket: RouteSocket,
    there: BTreeSet<PoolRoute>,
}

impl KernelRoutes {
    fn follow(&mut self, wanted: &Receiver<Option<BTreeSet<PoolRoute>>>) {
        while let Ok(Some(wanted)) = wanted.recv() {
            self.change_to(&wanted);
        }
        self.change_to(&BTreeSet::new());
    }

    /// Adds what is missing, then removes what is too much. What the kernel refuses is logged, and
    /// tried again at the next change.
    fn change_to(&mut self, wanted: &BTreeSet<PoolRoute>) {
        let missing: Vec<_> = wanted.difference(&self.there).copied().collect();
        for route in missing {
            let message = RouteNetlinkMessage::NewRoute(message(route));
            match self.socket.request(message, NLM_F_CREATE | NLM_F_REPLACE) {
                Ok(()) => {
                    self.there.insert(route);
                }
                Err(error) => tracing::error!(%error, pool = %route.prefix, table = route.table,
                    "the kernel took no route to the pool: it is not advertised"),
            }
        }
        let extra: Vec<_> = self.there.difference(wanted).copied().collect();
        for route in extra {
            let message = RouteNetlinkMessage::DelRoute(message(route));
            if let Err(error) = self.socket.request(message, 0) {
                tracing::warn!(%error, pool = %route.prefix, table = route.table,
                    "the route to the pool was gone");
            }
            self.there.remove(&route);
        }
    }
}

fn message(route: PoolRoute) -> RouteMessage {
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
        RouteAttribute::Oif(route.ifindex),
        RouteAttribute::Table(route.table),
    ];
    message
}
