//! Another configuration for an anchor that has sessions.
//!
//! ```text
//!   another thread:  LmaConfig --> Description (indexes, reserved ranges: work in its size)
//!   control core:    Lma::take_over: tables change hands, in one step between two events
//!   another thread:  drops what it replaced
//! ```
//! The step costs work in proportion to gateways, customers and pools, never to nodes or sessions.
//! A session stays as it is until it is refreshed, moves or ends: what is asked for then, the new
//! description decides.

use super::Lma;
use crate::mobility::authorize::MagTable;
use crate::mobility::config::{LmaConfig, LmaTimers};
use crate::mobility::customer::Customers;
use crate::mobility::lifetime::TimerKey;
use crate::mobility::prefix_pool::PrefixPools;
use crate::time::Now;
use std::net::Ipv6Addr;

/// What the operator decides and may change at any time, ready to be put in force: the rest of an
/// [`LmaConfig`] holds for a run.
#[derive(Debug)]
pub struct Description {
    pub(super) protocol: LmaTimers,
    pub(super) fixed_link_local: Option<Ipv6Addr>,
    pub(super) accept_udp: bool,
    pub(super) customers: Customers,
    pub(super) pools: PrefixPools,
    pub(super) mags: MagTable,
}

impl Description {
    /// Makes it ready. Takes time in proportion to the nodes that are named.
    #[must_use]
    pub fn new(config: LmaConfig) -> Self {
        let customers = Customers::new(config.customers, config.services);
        Self {
            protocol: config.timers,
            fixed_link_local: config.fixed_link_local,
            accept_udp: config.accept_forced_udp,
            pools: PrefixPools::new(&config.pools, customers.own_prefixes(), customers.asks()),
            customers,
            mags: MagTable::new(&config.mags),
        }
    }
}

impl Lma {
    /// Goes on under another description, with all its sessions, timers, what waits and what
    /// gateways did. `new` has the old description afterwards.
    pub fn take_over(&mut self, new: &mut Description, now: Now) {
        self.description += 1;
        std::mem::swap(&mut self.protocol, &mut new.protocol);
        std::mem::swap(&mut self.fixed_link_local, &mut new.fixed_link_local);
        std::mem::swap(&mut self.accept_udp, &mut new.accept_udp);
        self.customers.take_over(&mut new.customers);
        self.pools.take_over(&mut new.pools);
        for address in self.mags.take_over(&mut new.mags) {
            let Some(peer) = self.mags.peer_mut(address) else { continue };
            let Some(contact) = peer.contact() else { continue };
            if let Some(due) = peer.wake(contact, now.mono) {
                self.timers.arm(due, TimerKey::Heartbeat(address));
            }
        }
    }
}
