//! From decisions of the pure core to changes of the workers' tables.
//!
//! ```text
//!   Publication --> entries, tunnels --> Change --seq--> backlog --> update ring --> worker
//!                   (ref counts)                                                       |
//!   in_force(seq)  <------------------- outstanding seqs <------- applied seq ---------+
//! ```
//! Invariants: a worker learns of a tunnel before it learns of an entry that uses it, and of the
//! tunnel's removal after the last such entry is gone; a tunnel's id is used again only when every
//! worker has applied its removal; per worker, changes keep their order, and none is ever lost:
//! what a full ring refuses waits in the backlog, and whoever calls stops causing new changes
//! until it has drained.

mod origin;
mod outside;
mod pools;

use super::tunneled::Tunneled;
use crate::addr::{
    COPIES_MAX, CustomerId, CustomerPrefix, GreKeys, HomePrefix, Protection, TunnelPath,
    TunnelPaths,
};
use crate::dataplane::steer::{Owner, Steering};
use crate::dataplane::update::{Change, Forward, Tunnel, TunnelId, Update};
use crate::mobility::action::Publication;
use crate::sync::ring::Producer;
use crate::sync::seq::{AppliedReader, Seq};
use core::cmp::Reverse;
use hashbrown::HashMap;
use origin::Origins;
use outside::Outside;
use pools::{Configured, Place, Pools};
use std::collections::btree_map;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv6Addr;

/// The way to one worker.
#[derive(Debug)]
pub(super) struct Lane {
    updates: Producer<Update>,
    applied: AppliedReader,
    /// What its ring had no room for, in order.
    backlog: VecDeque<Update>,
    /// Numbers of the updates that it has not applied yet, in order; backlog included.
    outstanding: VecDeque<Seq>,
}

impl Lane {
    pub(super) fn new(updates: Producer<Update>, applied: AppliedReader) -> Self {
        Self { updates, applied, backlog: VecDeque::new(), outstanding: VecDeque::new() }
    }

    /// The last update that the worker has applied.
    pub(super) fn applied(&self) -> Seq {
        self.applied.load()
    }

    fn push(&mut self, update: Update) {
        self.outstanding.push_back(update.seq);
        if !self.backlog.is_empty() {
            self.backlog.push_back(update);
        } else if let Err(update) = self.updates.push(update) {
            self.backlog.push_back(update);
        }
    }

    fn flush(&mut self) {
        while let Some(update) = self.backlog.pop_front() {
            if let Err(update) = self.updates.push(update) {
                self.backlog.push_front(update);
                break;
            }
        }
        let applied = self.applied.load();
        while self.outstanding.front().is_some_and(|&seq| seq <= applied) {
            self.outstanding.pop_front();
        }
    }
}

/// How packets of a prefix travel: a copy by each path, of which there is one as a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Way {
    paths: TunnelPaths,
    /// Packets from the node have a key, which says whose they are.
    keyed: bool,
    /// What of them is in ESP, and the kernel's.
    protection: Option<Protection>,
}

/// What is forwarded.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// `None`: dropped while the delete delay runs.
    way: Option<Way>,
    /// The pool that it is in; `None`: it is one by itself.
    pool: Option<Place>,
}

/// A tunnel in use.
#[derive(Debug)]
struct TunnelSlot {
    id: TunnelId,
    /// Entries that forward through it.
    entries: usize,
}

/// Tunnel MTUs, in bytes: per gateway, and for those that are not configured.
#[derive(Debug, Clone)]
pub(super) struct TunnelMtu {
    pub(super) by_mag: HashMap<Ipv6Addr, u16>,
    pub(super) default: u16,
    /// Paths that were found to carry less.
    pub(super) learnt: HashMap<Ipv6Addr, u16>,
}

impl TunnelMtu {
    pub(super) fn of(&self, mag: Ipv6Addr) -> u16 {
        let configured = self.by_mag.get(&mag).copied().unwrap_or(self.default);
        self.learnt.get(&mag).map_or(configured, |&learnt| learnt.min(configured))
    }
}

/// What the workers were told.
pub(super) struct Publisher {
    lanes: Vec<Lane>,
    steering: Steering,
    mtu: TunnelMtu,
    last: Seq,
    entries: HashMap<CustomerPrefix, Entry>,
    /// How many entries have a prefix of this length; the longest first.
    lens: BTreeMap<Reverse<u8>, usize>,
    /// Those who have, or had, an entry.
    customers: BTreeSet<CustomerId>,
    /// Where nodes live; a static prefix may lie outside.
    pools: Pools,
    /// Of that what the core's routers have to be told of, prefix by prefix.
    outside: Outside,
    tunnels: HashMap<TunnelPath, TunnelSlot>,
    /// What stands for several of them.
    copies: HashMap<TunnelPaths, TunnelSlot>,
    /// What stands for one of them as far as packets need not be in ESP.
    protected: HashMap<(TunnelPath, Protection), TunnelSlot>,
    origins: Origins,
    /// Ids that may be used again.
    free: Vec<TunnelId>,
    /// Ids whose removal (numbered so) some worker may not have applied yet, in order.
    retiring: VecDeque<(Seq, TunnelId)>,
    /// The lowest id never used.
    next_id: u32,
}

impl Publisher {
    /// With room for so many entries before its table grows. `links` are home links at ports.
    pub(super) fn new(
        lanes: Vec<Lane>,
        steering: Steering,
        mtu: TunnelMtu,
        links: Vec<CustomerPrefix>,
        room: usize,
    ) -> Self {
        Self {
            lanes,
            steering,
            mtu,
            last: Seq(0),
            entries: HashMap::with_capacity(room),
            lens: BTreeMap::new(),
            customers: BTreeSet::new(),
            pools: Pools::default(),
            outside: Outside::new(links),
            tunnels: HashMap::new(),
            copies: HashMap::new(),
            protected: HashMap::new(),
            origins: Origins::default(),
            free: Vec::new(),
            retiring: VecDeque::new(),
            next_id: 0,
        }
    }

    /// The pools of the configuration. One that was and is no more goes with its last entry.
    pub(super) fn set_pools(&mut self, pools: &[CustomerPrefix]) {
        let Configured { set, deleted, retired } = self.pools.configure(pools);
        for pool in set {
            self.broadcast(Change::PoolSet(pool));
        }
        for pool in pools {
            self.outside.end(*pool);
        }
        for pool in retired {
            self.outside.begin(pool);
        }
        for pool in deleted {
            self.forget_pool(pool);
        }
    }

    /// Other home links at ports.
    pub(super) fn set_links(&mut self, links: Vec<CustomerPrefix>) {
        if !self.outside.set_links(links) {
            return;
        }
        let by_itself = self.entries.iter().filter(|(_, entry)| entry.pool.is_none());
        for (prefix, _) in by_itself.filter(|(prefix, _)| !self.pools.has(**prefix)) {
            self.outside.begin(*prefix);
        }
    }

    /// What is forwarded outside of the configuration's pools and home links, told bit by bit.
    pub(super) const fn outside(&mut self) -> &mut Outside {
        &mut self.outside
    }

    /// Other tunnel MTUs; tunnels that there are change.
    pub(super) fn set_mtu(&mut self, by_mag: HashMap<Ipv6Addr, u16>) {
        let before =
            |(path, slot): (&TunnelPath, &TunnelSlot)| (slot.id, *path, self.mtu.of(path.remote));
        let mut tunnels: Vec<_> = self.tunnels.iter().map(before).collect();
        tunnels.sort_unstable_by_key(|(id, ..)| *id);
        self.mtu.by_mag = by_mag;
        for (id, path, before) in tunnels {
            let mtu = self.mtu.of(path.remote);
            if mtu != before {
                self.broadcast(Change::TunnelSet(id, Tunnel { path, mtu }));
            }
        }
    }

    /// Whether a node with this address is served through the tunnel that the packet is in, still.
    /// Whose node it is the packet does not tell.
    pub(super) fn serves(&self, packet: &Tunneled) -> bool {
        let is_way = |path: TunnelPath| (path.local, path.remote) == (packet.local, packet.remote);
        let way = |&customer| self.entry_of(customer, packet.inner_dst)?.way;
        self.customers.iter().filter_map(way).any(|way| way.paths.all().any(is_way))
    }

    /// Whether `addr` is one that a node holds: its packets are the workers' to forward, or to
    /// drop.
    pub(super) fn is_held(&self, customer: CustomerId, addr: Ipv6Addr) -> bool {
        self.entry_of(customer, addr).is_some()
    }

    /// What of the packets to `addr` is in ESP, if it is a node's whose tunnel is protected, and
    /// where that node is.
    pub(super) fn protection_of(
        &self,
        customer: CustomerId,
        addr: Ipv6Addr,
    ) -> Option<(Protection, Ipv6Addr)> {
        let way = self.entry_of(customer, addr)?.way?;
        Some((way.protection?, way.paths.newest.remote))
    }

    /// What packets to `addr` are forwarded by.
    fn entry_of(&self, customer: CustomerId, addr: Ipv6Addr) -> Option<&Entry> {
        let holder = |&Reverse(len): &Reverse<u8>| {
            self.entries.get(&HomePrefix::truncating(addr, len).ok()?.of(customer))
        };
        self.lens.keys().find_map(holder)
    }

    /// Carries out a decision of the pure core.
    pub(super) fn publish(&mut self, publication: Publication) {
        match publication {
            Publication::Forward(prefix, path, keys) => {
                self.forward(prefix, path.into(), keys, None);
            }
            Publication::Copy(prefix, paths) => {
                self.forward(prefix, paths, GreKeys::default(), None);
            }
            Publication::Protect(prefix, path, protection) => {
                self.forward(prefix, path.into(), GreKeys::default(), Some(protection));
            }
            Publication::Hold(prefix) => {
                let old = self.set_entry(prefix, None);
                self.tell_owners(prefix, Change::EntrySet(prefix, Forward::Held));
                self.release(prefix, old);
            }
            Publication::Withdraw(prefix) => {
                if let Some(old) = self.entries.remove(&prefix) {
                    self.forget_len(prefix.prefix.len());
                    self.tell_owners(prefix, Change::EntryDel(prefix));
                    let gone = match old.pool {
                        Some(place) => self.pools.leave(place),
                        None => Some(prefix),
                    };
                    if let Some(pool) = gone {
                        self.forget_pool(pool);
                    }
                    self.release(prefix, old.way);
                }
            }
        }
    }

    fn forward(
        &mut self,
        prefix: CustomerPrefix,
        paths: TunnelPaths,
        keys: GreKeys,
        protection: Option<Protection>,
    ) {
        let way = Way { paths, keyed: keys.uplink.is_some(), protection };
        let id = self.take_way(way);
        for path in paths.all().filter(|_| !way.keyed) {
            let origin = self.origins.add(prefix.customer, path.remote);
            self.tell_origin(path.remote, origin);
        }
        let old = self.set_entry(prefix, Some(way));
        self.tell_owners(prefix, Change::EntrySet(prefix, Forward::Tunnel(id, keys)));
        self.release(prefix, old);
    }

    /// Tells every worker.
    pub(super) fn broadcast(&mut self, change: Change) {
        let seq = self.next_seq();
        for lane in &mut self.lanes {
            lane.push(Update { seq, change });
        }
    }

    /// Asks the owners of `prefix` for its counters under `token`; returns how many will answer.
    pub(super) fn ask_counters(&mut self, prefix: CustomerPrefix, token: u64) -> usize {
        self.tell_owners(prefix, Change::CountersGet(prefix, token))
    }

    /// Hands on what the rings have room for now, and takes in what workers have applied.
    pub(super) fn flush(&mut self) {
        for lane in &mut self.lanes {
            lane.flush();
        }
        while let Some(&(seq, id)) = self.retiring.front()
            && self.in_force(seq)
        {
            self.retiring.pop_front();
            self.free.push(id);
        }
    }

    /// Whether some change waits for room in a ring: then no new ones should be caused.
    pub(super) fn is_backlogged(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.backlog.is_empty())
    }

    /// Updates that wait for room in a ring.
    pub(super) fn backlog_len(&self) -> usize {
        self.lanes.iter().map(|lane| lane.backlog.len()).sum()
    }

    /// The number of the last change; with [`Self::in_force`] a barrier.
    pub(super) fn last_seq(&self) -> Seq {
        self.last
    }

    /// Whether every worker has applied all changes up to `seq`, as of the last flush.
    pub(super) fn in_force(&self, seq: Seq) -> bool {
        self.lanes.iter().all(|lane| lane.outstanding.front().is_none_or(|&oldest| oldest > seq))
    }

    pub(super) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    pub(super) fn tunnel_mtu(&self, mag: Ipv6Addr) -> u16 {
        self.mtu.of(mag)
    }

    /// What the path to a gateway was found to carry.
    pub(super) fn path_mtu(&self, gateway: Ipv6Addr) -> Option<u16> {
        self.mtu.learnt.get(&gateway).copied()
    }

    /// Sets that, or forgets it, for all tunnels to the gateway.
    pub(super) fn set_path_mtu(&mut self, gateway: Ipv6Addr, mtu: Option<u16>) {
        match mtu {
            Some(mtu) => self.mtu.learnt.insert(gateway, mtu),
            None => self.mtu.learnt.remove(&gateway),
        };
        let mtu = self.mtu.of(gateway);
        let to_gateway = self.tunnels.iter().filter(|(path, _)| path.remote == gateway);
        let mut changes: Vec<_> = to_gateway.map(|(path, slot)| (slot.id, *path)).collect();
        changes.sort_unstable_by_key(|(id, _)| *id);
        for (id, path) in changes {
            self.broadcast(Change::TunnelSet(id, Tunnel { path, mtu }));
        }
    }

    /// Notes the way of a prefix; returns the one that it had. A prefix outside the pools is one
    /// by itself while it is held, so that other nodes' packets to it stay in the anchor.
    fn set_entry(&mut self, prefix: CustomerPrefix, way: Option<Way>) -> Option<Way> {
        if let Some(entry) = self.entries.get_mut(&prefix) {
            return std::mem::replace(&mut entry.way, way);
        }
        let pool = self.pools.enter(prefix);
        self.entries.insert(prefix, Entry { way, pool });
        *self.lens.entry(Reverse(prefix.prefix.len())).or_default() += 1;
        self.customers.insert(prefix.customer);
        if pool.is_none() {
            self.broadcast(Change::PoolSet(prefix));
            if !self.pools.has(prefix) {
                self.outside.begin(prefix);
            }
        }
        None
    }

    /// Workers forget a pool, unless it is still one for another reason: the configuration names
    /// it, or an entry that was there before it is one by itself.
    fn forget_pool(&mut self, pool: CustomerPrefix) {
        let by_itself = self.entries.get(&pool).is_some_and(|e| e.pool.is_none());
        if by_itself {
            self.outside.begin(pool);
        } else if !self.pools.has(pool) {
            self.broadcast(Change::PoolDel(pool));
            self.outside.end(pool);
        }
    }

    fn forget_len(&mut self, len: u8) {
        if let btree_map::Entry::Occupied(mut found) = self.lens.entry(Reverse(len)) {
            *found.get_mut() -= 1;
            if *found.get() == 0 {
                found.remove();
            }
        }
    }

    fn tell_owners(&mut self, prefix: CustomerPrefix, change: Change) -> usize {
        let seq = self.next_seq();
        match self.steering.owner(prefix.prefix) {
            Owner::One(worker) => match self.lanes.get_mut(usize::from(worker.0)) {
                Some(lane) => {
                    lane.push(Update { seq, change });
                    1
                }
                None => 0,
            },
            Owner::All => {
                for lane in &mut self.lanes {
                    lane.push(Update { seq, change });
                }
                self.lanes.len()
            }
        }
    }

    /// RFC 5213 5.6.1: the tunnel to a gateway is there from its first session on.
    fn take_tunnel(&mut self, path: TunnelPath) -> TunnelId {
        if let Some(slot) = self.tunnels.get_mut(&path) {
            slot.entries += 1;
            return slot.id;
        }
        let id = self.new_id();
        self.tunnels.insert(path, TunnelSlot { id, entries: 1 });
        let mtu = self.mtu.of(path.remote);
        self.broadcast(Change::TunnelSet(id, Tunnel { path, mtu }));
        id
    }

    fn new_id(&mut self) -> TunnelId {
        self.free.pop().unwrap_or_else(|| {
            let id = TunnelId(self.next_id);
            self.next_id += 1;
            id
        })
    }

    /// The tunnel of a way, or what stands for all of its tunnels: workers learn of these first.
    fn take_way(&mut self, Way { paths, protection, .. }: Way) -> TunnelId {
        if let Some(protection) = protection {
            return self.take_protected(paths.newest, protection);
        }
        if paths.is_one() {
            return self.take_tunnel(paths.newest);
        }
        if let Some(slot) = self.copies.get_mut(&paths) {
            slot.entries += 1;
            return slot.id;
        }
        let mut members = [None; COPIES_MAX];
        for (member, path) in members.iter_mut().zip(paths.all()) {
            *member = Some(self.take_tunnel(path));
        }
        let id = self.new_id();
        self.copies.insert(paths, TunnelSlot { id, entries: 1 });
        self.broadcast(Change::CopiesSet(id, members));
        id
    }

    fn take_protected(&mut self, path: TunnelPath, protection: Protection) -> TunnelId {
        if let Some(slot) = self.protected.get_mut(&(path, protection)) {
            slot.entries += 1;
            return slot.id;
        }
        let tunnel = self.take_tunnel(path);
        let id = self.new_id();
        self.protected.insert((path, protection), TunnelSlot { id, entries: 1 });
        self.broadcast(Change::ProtectedSet(id, tunnel, protection));
        id
    }

    fn release_protected(&mut self, path: TunnelPath, protection: Protection) {
        let Some(slot) = self.protected.get_mut(&(path, protection)) else { return };
        slot.entries -= 1;
        if slot.entries == 0 {
            let id = slot.id;
            self.protected.remove(&(path, protection));
            self.retire(id);
            self.release_tunnel(path);
        }
    }

    /// Lets go of the way that an entry had.
    fn release(&mut self, prefix: CustomerPrefix, way: Option<Way>) {
        let Some(Way { paths, keyed, protection }) = way else { return };
        for path in paths.all().filter(|_| !keyed) {
            let origin = self.origins.remove(prefix.customer, path.remote);
            self.tell_origin(path.remote, origin);
        }
        if let Some(protection) = protection {
            return self.release_protected(paths.newest, protection);
        }
        if paths.is_one() {
            return self.release_tunnel(paths.newest);
        }
        let Some(slot) = self.copies.get_mut(&paths) else { return };
        slot.entries -= 1;
        if slot.entries == 0 {
            let id = slot.id;
            self.copies.remove(&paths);
            self.retire(id);
            paths.all().for_each(|path| self.release_tunnel(path));
        }
    }

    fn tell_origin(&mut self, gateway: Ipv6Addr, change: Option<Option<CustomerId>>) {
        match change {
            Some(Some(customer)) => self.broadcast(Change::OriginSet(gateway, customer)),
            Some(None) => self.broadcast(Change::OriginDel(gateway)),
            None => {}
        }
    }

    /// RFC 5213 5.6.1: and is removed with the last one.
    fn release_tunnel(&mut self, path: TunnelPath) {
        let Some(slot) = self.tunnels.get_mut(&path) else { return };
        slot.entries -= 1;
        if slot.entries == 0 {
            let id = slot.id;
            self.tunnels.remove(&path);
            self.retire(id);
        }
    }

    fn retire(&mut self, id: TunnelId) {
        self.broadcast(Change::TunnelDel(id));
        self.retiring.push_back((self.last, id));
    }

    fn next_seq(&mut self) -> Seq {
        self.last = Seq(self.last.0 + 1);
        self.last
    }
}

#[cfg(test)]
mod tests;
