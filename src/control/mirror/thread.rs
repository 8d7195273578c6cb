//! The threads around [`super::Mirror`]: one follows the kernel, one asks it to resolve neighbours.

use super::{KernelEvent, Mirror, TapPort};
use crate::addr::PortId;
use crate::control::netlink::{Notice, RouteSocket};
use crossbeam::channel::{Receiver, Sender, bounded};
use hashbrown::HashMap;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourExtFlags, NeighbourFlags, NeighbourMessage,
};
use netlink_packet_route::route::RouteMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::io;
use std::net::Ipv6Addr;

/// Why the mirror could not start.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// A netlink socket was refused.
    #[error("netlink: {0}")]
    Netlink(#[from] io::Error),
}

/// Asks the kernel to resolve a neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeighborRequest {
    /// Out of which port.
    pub port: PortId,
    /// Whom.
    pub addr: Ipv6Addr,
    /// Also keep it resolved from now on (`NTF_EXT_MANAGED`): for gateways of routes and MAGs. Else
    /// let it go if it was kept; so a scan of a prefix on link leaves nothing behind.
    pub keep: bool,
}

/// The control core's ends.
#[derive(Debug)]
pub struct KernelMirror {
    /// What changed, in order.
    pub events: Receiver<KernelEvent>,
    /// What to resolve.
    pub requests: Sender<NeighborRequest>,
}

/// Starts to follow the kernel. `taps` are ours by interface index, `loopback` the index of `lo`.
pub fn start(taps: &[(u32, TapPort)], loopback: u32) -> Result<KernelMirror, MirrorError> {
    let by_index: HashMap<u32, TapPort> = taps.iter().copied().collect();
    let by_port: HashMap<PortId, u32> = taps.iter().map(|&(i, t)| (t.port, i)).collect();
    // Subscribe first, then dump: what happens in between is seen twice, never missed.
    let notices = RouteSocket::subscribe(&GROUPS)?;
    let dumps = RouteSocket::open()?;
    let asking = RouteSocket::open()?;
    let (events_tx, events) = bounded(CHANNEL_LEN);
    let (requests, requests_rx) = bounded(CHANNEL_LEN);
    let follower = Follower { mirror: Mirror::new(by_index, loopback), notices, dumps, events_tx };
    std::thread::Builder::new().name("mirror".into()).spawn(move || follower.run())?;
    std::thread::Builder::new()
        .name("resolver".into())
        .spawn(move || resolve(asking, &by_port, &requests_rx))?;
    Ok(KernelMirror { events, requests })
}

struct Follower {
    mirror: Mirror,
    notices: RouteSocket,
    dumps: RouteSocket,
    events_tx: Sender<KernelEvent>,
}

impl Follower {
    /// Returns when the control core is gone.
    fn run(mut self) {
        let mut events = Vec::new();
        let mut lost = true;
        let mut synced = false;
        loop {
            if lost {
                match self.resync(&mut events) {
                    Ok(()) => lost = false,
                    Err(error) => tracing::warn!(%error, "dump of the kernel's tables failed"),
                }
                if !lost && !synced {
                    synced = true;
                    events.push(KernelEvent::Synced);
                }
            }
            for event in events.drain(..) {
                // Blocks while the control core is busy: meanwhile the socket's buffer fills, and
                // if it overruns, the resync catches up.
                if self.events_tx.send(event).is_err() {
                    return;
                }
            }
            if lost {
                pause();
                continue;
            }
            let mirror = &mut self.mirror;
            let outcome = self.notices.notices(|notice| {
                lost |= mirror.hides_changes(&notice.message);
                mirror.handle(&notice, &mut events);
            });
            match outcome {
                Ok(()) => {}
                Err(error) => {
                    // ENOBUFS: the kernel dropped notices. Anything else: look again as well.
                    tracing::warn!(%error, "netlink notices lost; reading everything again");
                    lost = true;
                }
            }
        }
    }

    fn resync(&mut self, events: &mut Vec<KernelEvent>) -> io::Result<()> {
        let mut newer = Mirror::new(self.mirror.ports.clone(), self.mirror.loopback);
        let mut ignored = Vec::new();
        for question in questions() {
            self.dumps.dump(question, |message| {
                newer.handle(&Notice { message, replace: false }, &mut ignored);
                ignored.clear();
            })?;
        }
        self.mirror.diff(&newer, events);
        self.mirror = newer;
        Ok(())
    }
}

fn questions() -> impl Iterator<Item = RouteNetlinkMessage> {
    [AddressFamily::Inet6, AddressFamily::Inet].into_iter().flat_map(|family| {
        let mut addresses = AddressMessage::default();
        addresses.header.family = family;
        let mut routes = RouteMessage::default();
        routes.header.address_family = family;
        let mut neighbors = NeighbourMessage::default();
        neighbors.header.family = family;
        [
            RouteNetlinkMessage::GetAddress(addresses),
            RouteNetlinkMessage::GetRoute(routes),
            RouteNetlinkMessage::GetNeighbour(neighbors),
        ]
    })
}

/// Returns when the control core is gone.
fn resolve(
    mut socket: RouteSocket,
    ports: &HashMap<PortId, u32>,
    requests: &Receiver<NeighborRequest>,
) {
    for request in requests {
        let Some(&ifindex) = ports.get(&request.port) else {
            continue;
        };
        let mut message = NeighbourMessage::default();
        let (family, addr) = match request.addr.to_ipv4_mapped() {
            Some(a) => (AddressFamily::Inet, NeighbourAddress::Inet(a)),
            None => (AddressFamily::Inet6, NeighbourAddress::Inet6(request.addr)),
        };
        message.header.family = family;
        message.header.ifindex = ifindex;
        message.header.flags = NeighbourFlags::Use;
        message.attributes.push(NeighbourAttribute::Destination(addr));
        if request.keep {
            message.attributes.push(NeighbourAttribute::ExtFlags(NeighbourExtFlags::Managed));
        }
        let flags = NLM_F_CREATE | NLM_F_REPLACE;
        if let Err(error) = socket.request(RouteNetlinkMessage::NewNeighbour(message), flags) {
            tracing::warn!(%error, addr = %request.addr, "the kernel refused to resolve a neighbor");
        }
    }
}

#[allow(clippy::disallowed_methods)] // an ordinary thread that waits for the kernel to recover
fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(100));
}

const CHANNEL_LEN: usize = 4096;
/// `RTNLGRP_LINK`, `RTNLGRP_NEIGH`, then addresses and routes: `RTNLGRP_IPV4_IFADDR`,
/// `RTNLGRP_IPV4_ROUTE`, `RTNLGRP_IPV6_IFADDR`, `RTNLGRP_IPV6_ROUTE`.
const GROUPS: [u32; 6] = [1, 3, 5, 7, 9, 11];
