//! Another configuration, put in force while traffic flows.
//!
//! ```text
//!   reload thread:  files -> checked -> Reload::TakeOver --bounded channel--> control core
//!                                                                               one step of a turn
//!   reload thread:  drops what was replaced  <----------- its answer -----------+
//! ```
//! The step is bounded by gateways, customers and pools. Sessions, timers, held answers and what
//! waits stay as they are.

use super::counters::Counter;
use super::home::HomeLinks;
use super::{Control, MagInfo};
use crate::addr::{CustomerId, CustomerPrefix, HomePrefix};
use crate::config::SIGNALING_RATE;
use crate::dataplane::update::{Change, NextHop};
use crate::mobility::ha::HomeAgent;
use crate::mobility::mip4::HomeAgent4;
use crate::mobility::{Description, MagState};
use crate::nic::FramePool;
use crate::time::Now;
use crossbeam::channel::{Receiver, Sender, bounded};
use hashbrown::{HashMap, HashSet};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

/// What the control core is told of home links itself.
#[derive(Debug, Default)]
pub struct Homes {
    /// Those at ports.
    pub links: HomeLinks,
    /// Where nodes ask for home agents, in the operator's address space.
    pub asked: BTreeSet<Ipv6Addr>,
}

/// Everything that the control core takes from a configuration while it runs.
pub struct NewConfig {
    description: Description,
    home: HomeAgent,
    mip4: HomeAgent4,
    homes: Homes,
    mags: HashMap<Ipv6Addr, MagInfo>,
    customers: BTreeMap<CustomerId, String>,
    pools: Vec<String>,
}

impl NewConfig {
    /// Of a configuration that is valid: the pure cores' parts; home links; the gateways; names of
    /// the customers, and of the pools in the pure core's order.
    #[must_use]
    #[allow(clippy::too_many_arguments)] // what changes hands
    pub fn new(
        description: Description,
        home: HomeAgent,
        mip4: HomeAgent4,
        homes: Homes,
        mags: Vec<MagInfo>,
        customers: Vec<(CustomerId, String)>,
        pools: Vec<String>,
    ) -> Self {
        Self {
            description,
            home,
            mip4,
            homes,
            mags: mags.into_iter().map(|m| (m.address, m)).collect(),
            customers: customers.into_iter().collect(),
            pools,
        }
    }
}

/// Why a configuration that is valid was not put in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Gateways that are named and those that have sessions are more than there is room for.
    #[error(
        "{known} addresses of gateways are more than the {max} that this run has room for: restart"
    )]
    Mags {
        /// So many there would be.
        known: usize,
        /// Room since the start.
        max: usize,
    },
    /// It ended, or has not begun.
    #[error("the control core does not run")]
    Stopped,
}

/// What the reload thread says.
enum Reload {
    TakeOver(Box<NewConfig>, Sender<TakenOver>),
    Refused,
}

/// What became of it, and what is to be dropped elsewhere.
struct TakenOver(Result<(), Refused>, Box<NewConfig>);

/// The reload thread's end.
#[derive(Clone)]
pub struct Reloader(Sender<Reload>);

/// The control core's end.
pub struct Reloads(Receiver<Reload>);

/// The way from the reload thread to the control core.
#[must_use]
pub fn channel() -> (Reloader, Reloads) {
    let (tx, rx) = bounded(1);
    (Reloader(tx), Reloads(rx))
}

impl Reloader {
    /// Has a configuration put in force, and waits until it is; drops what it replaced.
    pub fn take_over(&self, new: NewConfig) -> Result<(), Refused> {
        let (answer, answered) = bounded(1);
        let sent = self.0.send(Reload::TakeOver(Box::new(new), answer));
        sent.map_err(|_| Refused::Stopped)?;
        let TakenOver(result, replaced) = answered.recv().map_err(|_| Refused::Stopped)?;
        drop(replaced);
        result
    }

    /// Has it counted that a configuration was refused before it came so far.
    pub fn note_refused(&self) {
        // Nobody counts when the control core is gone.
        drop(self.0.send(Reload::Refused));
    }
}

impl<P: FramePool> Control<P> {
    /// Takes over another configuration, if there is one.
    pub(super) fn reload(&mut self, now: Now) -> usize {
        if self.publisher.is_backlogged() {
            return 0;
        }
        match self.reloads.0.try_recv() {
            Ok(Reload::TakeOver(mut new, answer)) => {
                let result = self.take_over(&mut new, now);
                self.counters[match result {
                    Ok(()) => Counter::ConfigReloaded,
                    Err(_) => Counter::ConfigRefused,
                }] += 1;
                // It waits for this; if it were gone, we would have to drop it ourselves.
                drop(answer.try_send(TakenOver(result, new)));
                1
            }
            Ok(Reload::Refused) => {
                self.counters[Counter::ConfigRefused] += 1;
                1
            }
            Err(_) => 0,
        }
    }

    /// All or nothing.
    fn take_over(&mut self, new: &mut NewConfig, now: Now) -> Result<(), Refused> {
        let stays = |m: &MagState| m.usage.bindings > 0 || !m.configured;
        let staying = self.anchor.lma().mags().filter(stays).map(|m| m.address);
        let staying = staying.filter(|a| !new.mags.contains_key(a)).count();
        let known = new.mags.len() + staying;
        if known > self.mags_max {
            return Err(Refused::Mags { known, max: self.mags_max });
        }
        let agents: Vec<Ipv4Addr> = self.anchor.mip4().foreign_agents().collect();
        self.anchor.take_over(&mut new.description, &mut new.home, &mut new.mip4, now);
        self.publish_pools();
        self.publisher.set_links(new.homes.links.prefixes.clone());
        self.home.take_over(&mut new.homes.links);
        self.ask_at(std::mem::take(&mut new.homes.asked));
        std::mem::swap(&mut self.customers, &mut new.customers);
        std::mem::swap(&mut self.pools, &mut new.pools);
        self.take_over_mags(&mut new.mags);
        self.take_over_agents(&agents);
        Ok(())
    }

    fn take_over_mags(&mut self, mags: &mut HashMap<Ipv6Addr, MagInfo>) {
        let named: HashSet<Ipv6Addr> = mags.keys().copied().collect();
        std::mem::swap(&mut self.mags, mags);
        for (address, old) in mags.drain() {
            self.mags.entry(address).or_insert(old);
        }
        for &address in &named {
            let Some(mag) = self.mags.get(&address) else { continue };
            self.inbox.add(address, mag.signaling_rate);
            if self.synced {
                self.output.keep_mag(address, &mut self.counters);
            }
        }
        self.forget_mags();
        self.publisher.set_mtu(self.mags.values().map(|m| (m.address, m.tunnel_mtu)).collect());
    }

    /// Who is a gateway, too, may send as much as that.
    fn take_over_agents(&mut self, before: &[Ipv4Addr]) {
        let is_mag = |a: &Ipv6Addr| self.mags.contains_key(a);
        let agents = self.anchor.mip4().foreign_agents().map(|a| a.to_ipv6_mapped());
        let agents: BTreeSet<Ipv6Addr> = agents.filter(|a| !is_mag(a)).collect();
        let before = before.iter().map(Ipv4Addr::to_ipv6_mapped);
        for gone in before.filter(|a| !is_mag(a) && !agents.contains(a)) {
            self.inbox.remove(gone);
        }
        for agent in agents {
            self.inbox.add(agent, SIGNALING_RATE);
        }
    }

    /// Has workers hand over what comes to these addresses, and no others of their kind.
    pub(super) fn ask_at(&mut self, asked: BTreeSet<Ipv6Addr>) {
        let host =
            |a: &Ipv6Addr| HomePrefix::new(*a, 128).ok().map(|p| p.of(CustomerId::default()));
        for gone in self.asked.difference(&asked).filter_map(host) {
            self.publisher.broadcast(Change::RouteDel(gone));
        }
        for new in asked.difference(&self.asked).filter_map(host) {
            self.publisher.broadcast(Change::RouteSet(new, NextHop::Local));
        }
        self.asked = asked;
    }

    /// Tells workers where nodes live.
    pub(super) fn publish_pools(&mut self) {
        let pools = self.anchor.lma().pools().map(|p| p.prefix.of(p.customer));
        let pools: Vec<CustomerPrefix> = pools.collect();
        self.publisher.set_pools(&pools);
    }
}

#[cfg(test)]
mod tests;
