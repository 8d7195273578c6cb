//! The mirrored FIB: where packets outside a tunnel go, tunnel packets themselves included. Every
//! customer has its own routes and pools; tunnel packets are the operator's.
//!
//! ```text
//!   customer, dst --> cache line (direct-mapped) --hit--> Route
//!               | miss or stale
//!               +--> pools: anchored?
//!               +--> routes: longest match --> next hop --> neighbour --> Route
//! ```
//!
//! Any change starts a new *generation*; cache lines and tunnels that were resolved in an older one
//! are resolved again when they are used.

use super::hash::{Halves, fold, high, low, slot};
use super::header::is_mapped;
use super::update::NextHop;
use crate::addr::{CustomerId, CustomerPrefix, HomePrefix, MacAddr, PortId};
use crate::nic::Frame;
use hashbrown::HashMap;
use prefix_trie::{PrefixMap, PrefixSet};
use std::net::Ipv6Addr;

/// Where a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// Into a pool: to the tunnel of the node that holds the address, if any does.
    Anchored,
    /// Out of this port to this link-layer address.
    Send(PortId, MacAddr),
    /// Out of this port to this next hop, whose link-layer address is not known.
    Unresolved(PortId, Ipv6Addr),
    /// Nowhere.
    Unreachable,
    /// Nowhere, and nobody is told.
    Blackhole,
    /// To ourselves.
    Local,
}

/// Counts changes of the FIB. Never zero, so that zero is "never resolved".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation(pub(super) u32);

/// Where in the cache a destination belongs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CacheHome(u32);

/// A worker's copy of the kernel's routes and neighbours, and the pools.
#[derive(Debug)]
pub(super) struct Fib {
    tables: HashMap<CustomerId, Table>,
    neighbors: HashMap<(PortId, Ipv6Addr), MacAddr>,
    /// Of every port, the largest packet.
    mtus: Vec<u16>,
    generation: Generation,
    cache: Box<[CacheLine]>,
}

/// One customer's address space. Prefixes of both families are in the same maps.
#[derive(Debug)]
struct Table {
    pools: PrefixSet<(u128, u8)>,
    routes: PrefixMap<(u128, u8), NextHop>,
}

/// A resolved destination: half a cache line of the CPU.
#[derive(Debug, Clone, Copy)]
struct CacheLine {
    dst: Halves,
    generation: u32,
    customer: CustomerId,
    exit: Exit,
}

/// Where packets leave, in the cache: a [`Route::Send`], or with [`Exit::mtu`] zero another one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exit {
    /// The largest packet of the port.
    pub(super) mtu: u16,
    pub(super) mac: MacAddr,
    pub(super) port: PortId,
}

const _: () = assert!(size_of::<CacheLine>() == 32);

/// Destinations that the cache holds: 2 MiB. Those of one moment, as a rule, need a fraction of it.
const CACHE_LEN: usize = 65_536;

impl Exit {
    /// An unresolved next hop is not cached: its packets are punted anyway.
    fn of(route: Route, mtus: &[u16]) -> Option<Self> {
        let other = |number| Self { mtu: 0, mac: MacAddr::default(), port: PortId(number) };
        match route {
            Route::Send(port, mac) => {
                let mtu = mtus.get(usize::from(port.0)).copied().filter(|mtu| *mtu > 0)?;
                Some(Self { mtu, mac, port })
            }
            Route::Anchored => Some(other(0)),
            Route::Unreachable => Some(other(1)),
            Route::Blackhole => Some(other(2)),
            Route::Local => Some(other(3)),
            Route::Unresolved(..) => None,
        }
    }

    fn route(self) -> Route {
        match (self.mtu, self.port.0) {
            (1.., _) => Route::Send(self.port, self.mac),
            (0, 0) => Route::Anchored,
            (0, 1) => Route::Unreachable,
            (0, 2) => Route::Blackhole,
            (0, _) => Route::Local,
        }
    }
}

impl Fib {
    /// Without routes, for ports of these MTUs.
    pub(super) fn new(mtus: Vec<u16>) -> Self {
        let exit = Exit { mtu: 0, mac: MacAddr::default(), port: PortId(0) };
        let empty =
            CacheLine { dst: Halves::default(), generation: 0, customer: CustomerId(0), exit };
        Self {
            tables: HashMap::new(),
            neighbors: HashMap::new(),
            mtus,
            generation: Generation(1),
            cache: vec![empty; CACHE_LEN].into_boxed_slice(),
        }
    }

    pub(super) const fn generation(&self) -> Generation {
        self.generation
    }

    pub(super) fn set_pool(&mut self, pool: CustomerPrefix) {
        self.table_mut(pool.customer).pools.insert(key(pool.prefix));
        self.renew();
    }

    pub(super) fn remove_pool(&mut self, pool: CustomerPrefix) {
        self.table_mut(pool.customer).pools.remove(&key(pool.prefix));
        self.renew();
    }

    pub(super) fn set_route(&mut self, to: CustomerPrefix, next: NextHop) {
        self.table_mut(to.customer).routes.insert(key(to.prefix), next);
        self.renew();
    }

    pub(super) fn remove_route(&mut self, to: CustomerPrefix) {
        self.table_mut(to.customer).routes.remove(&key(to.prefix));
        self.renew();
    }

    pub(super) fn set_neighbor(&mut self, port: PortId, addr: Ipv6Addr, mac: MacAddr) {
        self.neighbors.insert((port, addr), mac);
        self.renew();
    }

    pub(super) fn remove_neighbor(&mut self, port: PortId, addr: Ipv6Addr) {
        self.neighbors.remove(&(port, addr));
        self.renew();
    }

    /// Those that have, or had, a pool or a route.
    pub(super) fn customers(&self) -> impl Iterator<Item = CustomerId> {
        self.tables.keys().copied()
    }

    /// Where a destination is in the cache, if it is.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // below CACHE_LEN
    pub(super) fn home(customer: CustomerId, dst: u128) -> CacheHome {
        CacheHome(slot(fold(high(dst) ^ u64::from(customer.0), low(dst)), CACHE_LEN) as u32)
    }

    /// Asks for the line of it.
    #[inline]
    pub(super) fn prefetch<F: Frame>(&self, CacheHome(at): CacheHome) {
        F::prefetch(&self.cache, at as usize);
    }

    /// Where a customer's packet to `dst` goes, if the cache knows.
    #[inline]
    pub(super) fn known(
        &self,
        CacheHome(at): CacheHome,
        customer: CustomerId,
        dst: Halves,
    ) -> Option<&Exit> {
        let line = self.cache.get(at as usize)?;
        let is_fresh = line.generation == self.generation.0;
        (is_fresh && line.customer == customer && line.dst == dst).then_some(&line.exit)
    }

    /// Where a customer's packet to `dst` goes. O(1) for destinations seen lately.
    pub(super) fn resolve(&mut self, customer: CustomerId, dst: u128) -> Route {
        let CacheHome(at) = Self::home(customer, dst);
        if let Some(exit) = self.known(CacheHome(at), customer, Halves::of(dst)) {
            return exit.route();
        }
        let route = self.lookup(customer, dst);
        if let Some(exit) = Exit::of(route, &self.mtus) {
            let generation = self.generation.0;
            self.cache[at as usize] =
                CacheLine { dst: Halves::of(dst), generation, customer, exit };
        }
        route
    }

    /// The same from the tables themselves.
    pub(super) fn lookup(&self, customer: CustomerId, dst: u128) -> Route {
        let Some(table) = self.tables.get(&customer) else { return Route::Unreachable };
        // A prefix of IPv6 that covers all of IPv4, like the default route, is none of IPv4.
        let of_family = |len: u8| len >= 96 || !is_mapped(dst);
        let route = table.routes.get_lpm(&(dst, 128)).filter(|((_, len), _)| of_family(*len));
        let next = route.map(|(_, next)| *next);
        if next == Some(NextHop::Local) {
            return Route::Local; // an address of ours inside a pool is still ours
        }
        if table.pools.get_lpm(&(dst, 128)).is_some_and(|(_, len)| of_family(len)) {
            return Route::Anchored;
        }
        let (port, hop) = match next {
            Some(NextHop::Gateway(port, gateway)) => (port, gateway),
            Some(NextHop::OnLink(port)) => (port, Ipv6Addr::from_bits(dst)),
            Some(NextHop::Blackhole) => return Route::Blackhole,
            Some(NextHop::Local) => return Route::Local,
            Some(NextHop::Unreachable) | None => return Route::Unreachable,
        };
        if usize::from(port.0) >= self.mtus.len() {
            return Route::Unreachable; // a link that is not ours
        }
        match self.neighbors.get(&(port, hop)) {
            Some(mac) => Route::Send(port, *mac),
            None => Route::Unresolved(port, hop),
        }
    }

    fn table_mut(&mut self, customer: CustomerId) -> &mut Table {
        let empty = || Table { pools: PrefixSet::new(), routes: PrefixMap::new() };
        self.tables.entry(customer).or_insert_with(empty)
    }

    /// Starts a new generation.
    fn renew(&mut self) {
        let next = self.generation.0.wrapping_add(1);
        if next == 0 {
            // After 2^32 changes numbers come again: no line may still bear one.
            for line in &mut self.cache {
                line.generation = 0;
            }
        }
        self.generation = Generation(next.max(1));
    }
}

fn key(prefix: HomePrefix) -> (u128, u8) {
    (prefix.bits(), prefix.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

    const OWN: CustomerId = CustomerId(0);

    fn prefix(s: &str) -> CustomerPrefix {
        s.parse::<HomePrefix>().unwrap().into()
    }

    fn addr(s: &str) -> Ipv6Addr {
        s.parse().unwrap()
    }

    fn resolve_of(fib: &mut Fib, customer: CustomerId, dst: &str) -> Route {
        let dst = addr(dst).to_bits();
        let cold = fib.resolve(customer, dst);
        assert_eq!(fib.resolve(customer, dst), cold, "the cache agrees with the tables");
        cold
    }

    fn resolve(fib: &mut Fib, dst: &str) -> Route {
        resolve_of(fib, OWN, dst)
    }

    #[test]
    fn longest_route_wins_and_its_neighbour_is_asked() {
        let mut fib = Fib::new(vec![1500; 2]);
        assert_eq!(resolve(&mut fib, "2001:db8::1"), Route::Unreachable);
        fib.set_route(prefix("::/0"), NextHop::Gateway(PortId(1), addr("fe80::1")));
        assert_eq!(resolve(&mut fib, "2001:db8::1"), Route::Unresolved(PortId(1), addr("fe80::1")));
        fib.set_neighbor(PortId(0), addr("fe80::1"), MacAddr([9; 6])); // the same address elsewhere
        fib.set_neighbor(PortId(1), addr("fe80::1"), MAC);
        assert_eq!(resolve(&mut fib, "2001:db8::1"), Route::Send(PortId(1), MAC));
        fib.set_route(prefix("2001:db8::/32"), NextHop::Unreachable);
        assert_eq!(resolve(&mut fib, "2001:db8::1"), Route::Unreachable);
        fib.set_route(prefix("2001:db8::/64"), NextHop::OnLink(PortId(0)));
        assert_eq!(
            resolve(&mut fib, "2001:db8::1"),
            Route::Unresolved(PortId(0), addr("2001:db8::1"))
        );
        fib.set_route(prefix("2001:db8::2/128"), NextHop::Blackhole);
        assert_eq!(resolve(&mut fib, "2001:db8::2"), Route::Blackhole);
        fib.remove_route(prefix("2001:db8::/64"));
        fib.remove_route(prefix("2001:db8::/32"));
        assert_eq!(resolve(&mut fib, "2001:db8::1"), Route::Send(PortId(1), MAC));
        fib.remove_neighbor(PortId(1), addr("fe80::1"));
        assert_eq!(resolve(&mut fib, "2001:db8::1"), Route::Unresolved(PortId(1), addr("fe80::1")));
    }

    #[test]
    fn pool_wins_over_routes_but_not_over_our_own_addresses() {
        let mut fib = Fib::new(vec![1500]);
        fib.set_pool(prefix("2001:db8:100::/40"));
        fib.set_route(prefix("2001:db8:100::/40"), NextHop::Blackhole); // as BGP speakers hold it
        fib.set_route(prefix("2001:db8:100::1/128"), NextHop::Local);
        assert_eq!(resolve(&mut fib, "2001:db8:100::2"), Route::Anchored);
        assert_eq!(resolve(&mut fib, "2001:db8:100::1"), Route::Local);
        fib.remove_pool(prefix("2001:db8:100::/40"));
        assert_eq!(resolve(&mut fib, "2001:db8:100::2"), Route::Blackhole);
    }

    #[test]
    fn route_through_a_link_that_is_not_a_port_is_none() {
        let mut fib = Fib::new(vec![1500; 2]);
        fib.set_route(prefix("::/0"), NextHop::OnLink(PortId(2)));
        assert_eq!(resolve(&mut fib, "2001:db8::1"), Route::Unreachable);
    }

    #[test]
    fn default_route_of_one_family_is_none_of_the_other() {
        let mut fib = Fib::new(vec![1500; 2]);
        fib.set_route(prefix("::/0"), NextHop::Blackhole);
        fib.set_pool(prefix("::/8"));
        assert_eq!(resolve(&mut fib, "::ffff:192.0.2.1"), Route::Unreachable);
        fib.set_route(prefix("0.0.0.0/0"), NextHop::Gateway(PortId(1), addr("::ffff:10.0.0.1")));
        fib.set_neighbor(PortId(1), addr("::ffff:10.0.0.1"), MAC);
        assert_eq!(resolve(&mut fib, "::ffff:192.0.2.1"), Route::Send(PortId(1), MAC));
        assert_eq!(resolve(&mut fib, "2001:db8::1"), Route::Blackhole);
        fib.set_pool(prefix("192.0.2.0/24"));
        assert_eq!(resolve(&mut fib, "::ffff:192.0.2.1"), Route::Anchored);
    }

    #[test]
    fn customers_have_pools_and_routes_of_their_own() {
        let mut fib = Fib::new(vec![1500; 2]);
        let (a, b) = (CustomerId(1), CustomerId(2));
        let private: HomePrefix = "10.0.0.0/8".parse().unwrap();
        fib.set_pool(private.of(a));
        fib.set_route(private.of(b), NextHop::Blackhole);
        let dst = "::ffff:10.1.2.3";
        assert_eq!(resolve_of(&mut fib, a, dst), Route::Anchored);
        assert_eq!(resolve_of(&mut fib, b, dst), Route::Blackhole);
        assert_eq!(resolve(&mut fib, dst), Route::Unreachable);
        fib.remove_pool(private.of(a));
        fib.remove_route(private.of(b));
        assert_eq!(resolve_of(&mut fib, a, dst), Route::Unreachable);
        assert_eq!(resolve_of(&mut fib, b, dst), Route::Unreachable);
    }

    #[test]
    fn generations_come_again_after_all_lines_were_forgotten() {
        let mut fib = Fib::new(vec![1500]);
        let dst = addr("2001:db8::1").to_bits();
        fib.set_pool(prefix("2001:db8::/32"));
        assert_eq!((fib.generation(), fib.resolve(OWN, dst)), (Generation(2), Route::Anchored));
        fib.generation = Generation(u32::MAX);
        fib.remove_pool(prefix("2001:db8::/32"));
        fib.renew();
        assert_eq!((fib.generation(), fib.resolve(OWN, dst)), (Generation(2), Route::Unreachable));
    }
}
