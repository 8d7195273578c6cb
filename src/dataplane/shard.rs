//! A worker's part of the binding table: longest match over home network prefixes of any length and
//! IPv4 home addresses, in the address space of a customer.
//!
//! ```text
//!   lines:  | 3 keys | 3 counts | 3 tunnels | ...    64 bytes, one for every two entries that may be
//!   beside:   3 x what few packets need              by the same numbers
//! ```
//!
//! An entry is in the line that its key hashes to, its *home*, or in the first one behind it that
//! had room. Each line counts the entries that had to pass it, so a search ends where none did, and
//! a removal leaves no mark and moves nothing: a [`Slot`] is an entry's for life. Nothing grows,
//! nothing is rebuilt: `docs/adr/0061-hot-path.md` has the reasons and the numbers.

mod line;
mod scope;

use super::hash::{low, mix, slot};
use super::header::Family;
use super::keys::KeyTable;
use super::update::{EntryCounters, Forward, TunnelId};
use crate::addr::{CustomerId, CustomerPrefix, GreKeys};
use line::{ENTRIES, Line, TUNNELS_MAX};
use scope::{NOT_LONG, Scope, Scopes};

/// What of an entry few packets need.
#[derive(Debug, Clone, Copy, Default)]
struct Beside {
    /// The second half of a prefix longer than 64 bits.
    rest: u64,
    keys: GreKeys,
    /// What the line's counts have carried over.
    counters: EntryCounters,
}

/// Where an address is looked for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Probe {
    key: u64,
    home: u32,
    scope: u16,
    /// Of a scope of long prefixes, how many of the address's last bits do not count; else
    /// [`NOT_LONG`].
    spare: u8,
}

/// Where an entry is, while it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Slot(u32);

impl Slot {
    fn line(self) -> usize {
        (self.0 / 4) as usize
    }

    fn entry(self) -> usize {
        (self.0 % 4) as usize
    }

    fn beside(self) -> usize {
        self.line() * ENTRIES + self.entry()
    }
}

/// A worker's part of the binding table.
#[derive(Debug)]
pub(super) struct Shard {
    lines: Box<[Line]>,
    beside: Box<[Beside]>,
    scopes: Scopes,
    keys: KeyTable,
    entries: usize,
    entries_max: usize,
}

impl Shard {
    /// An empty shard for up to `entries_max` prefixes: 32 bytes each for what packets touch, and
    /// 84 beside it.
    pub(super) fn new(entries_max: usize) -> Self {
        let lines = entries_max / 2 + 1;
        Self {
            lines: vec![Line::EMPTY; lines].into_boxed_slice(),
            beside: vec![Beside::default(); lines * ENTRIES].into_boxed_slice(),
            scopes: Scopes::default(),
            keys: KeyTable::new(entries_max),
            entries: 0,
            entries_max,
        }
    }

    /// How many prefixes it holds.
    pub(super) const fn len(&self) -> usize {
        self.entries
    }

    /// Whose address space packets with this uplink key are in.
    pub(super) fn customer_of(&self, uplink: u32) -> Option<CustomerId> {
        self.keys.customer_of(uplink)
    }

    /// Where the entry of `addr` is, if it is one of the longest prefixes of its kind. `None`:
    /// there are no prefixes of this customer and family at all.
    #[inline]
    pub(super) fn probe(&self, customer: CustomerId, family: Family, addr: u128) -> Option<Probe> {
        let scope = self.scopes.of(customer, family).first()?;
        Some(self.probe_in(scope, addr))
    }

    /// The line to prefetch for it.
    #[inline]
    pub(super) fn line(&self, probe: &Probe) -> &impl Sized {
        &self.lines[probe.home as usize]
    }

    /// The entry of an address at this place, if it is there.
    #[inline]
    pub(super) fn find(&self, probe: &Probe, addr: u128) -> Option<Slot> {
        let mut at = probe.home;
        loop {
            let line = self.lines.get(at as usize)?;
            let is_it = |entry: u32| {
                probe.spare == NOT_LONG || self.has_rest(Slot(at * 4 + entry), probe.spare, addr)
            };
            if let Some(entry) = line.find(probe.key, probe.scope, is_it) {
                return Some(Slot(at * 4 + entry));
            }
            if !line.is_passed() {
                return None;
            }
            at = self.after(at);
            if at == probe.home {
                return None; // all around
            }
        }
    }

    /// The entry of the longest prefix that contains `addr`.
    pub(super) fn lookup(&self, customer: CustomerId, addr: u128) -> Option<Slot> {
        let scopes = self.scopes.of(customer, Family::of(addr)).iter();
        scopes.map(|scope| self.probe_in(scope, addr)).find_map(|probe| self.find(&probe, addr))
    }

    /// The entry of exactly this prefix.
    pub(super) fn lookup_exact(&self, key: CustomerPrefix) -> Option<Slot> {
        let scope = self.scopes.get(key)?;
        self.find(&self.probe_in(scope, key.prefix.bits()), key.prefix.bits())
    }

    /// The tunnel of an entry, and whether it has GRE keys; `None` while it is held.
    #[inline]
    pub(super) fn tunnel(&self, slot: Slot) -> Option<(TunnelId, bool)> {
        let line = self.lines.get(slot.line())?;
        line.tunnel(slot.entry()).map(|id| (id, line.has_keys(slot.entry())))
    }

    /// The keys of an entry that has some.
    #[inline]
    pub(super) fn gre_keys(&self, slot: Slot) -> GreKeys {
        self.side(slot).keys
    }

    /// The line to prefetch for them.
    #[inline]
    pub(super) fn beside(&self, slot: Slot) -> &impl Sized {
        self.side(slot)
    }

    /// What becomes of an entry's packets.
    #[inline]
    pub(super) fn forward(&self, slot: Slot) -> Forward {
        match self.tunnel(slot) {
            None => Forward::Held,
            Some((id, false)) => Forward::Tunnel(id, GreKeys::default()),
            Some((id, true)) => Forward::Tunnel(id, self.gre_keys(slot)),
        }
    }

    /// Counts a packet to the node.
    #[inline]
    pub(super) fn count_downlink(&mut self, slot: Slot, bytes: usize) {
        if let Some(line) = self.lines.get_mut(slot.line())
            && line.count_downlink(slot.entry(), bytes)
        {
            self.carry(slot);
        }
    }

    /// Counts a packet from the node.
    #[inline]
    pub(super) fn count_uplink(&mut self, slot: Slot, bytes: usize) {
        if let Some(line) = self.lines.get_mut(slot.line())
            && line.count_uplink(slot.entry(), bytes)
        {
            self.carry(slot);
        }
    }

    /// Moves what the line has counted to where there is room for more.
    #[cold]
    fn carry(&mut self, slot: Slot) {
        let counted = self.lines[slot.line()].take_counts(slot.entry());
        self.beside[slot.beside()].counters += counted;
    }

    /// The counters of exactly this prefix.
    pub(super) fn counters(&mut self, key: CustomerPrefix) -> Option<EntryCounters> {
        let slot = self.lookup_exact(key)?;
        self.carry(slot);
        Some(self.side(slot).counters)
    }

    /// Creates the entry of a prefix, or changes what becomes of its packets. `false`, and no
    /// change, if the shard is full, it cannot number the tunnel, or the uplink key is another
    /// customer's.
    #[must_use]
    pub(super) fn set(&mut self, key: CustomerPrefix, forward: Forward) -> bool {
        let old = self.lookup_exact(key);
        if old.is_none() && self.entries == self.entries_max {
            return false;
        }
        match forward {
            Forward::Tunnel(TunnelId(id), _) if id >= TUNNELS_MAX => return false,
            Forward::Tunnel(_, GreKeys { uplink: Some(uplink), .. })
                if !self.keys.add(uplink, key.customer) =>
            {
                return false;
            }
            Forward::Tunnel(..) | Forward::Held => {}
        }
        let Some(slot) = old.or_else(|| self.insert(key)) else { return false };
        let line = &mut self.lines[slot.line()];
        let Forward::Tunnel(id, keys) = forward else {
            line.hold(slot.entry()); // it keeps its keys: its gateway's packets are still its own
            return true;
        };
        line.set_tunnel(slot.entry(), id, keys != GreKeys::default());
        let before = std::mem::replace(&mut self.beside[slot.beside()].keys, keys);
        if let Some(before) = before.uplink {
            self.keys.remove(before);
        }
        true
    }

    /// Removes the entry of a prefix, if there is one.
    pub(super) fn remove(&mut self, key: CustomerPrefix) {
        let Some(slot) = self.lookup_exact(key) else { return };
        if let Some(uplink) = self.gre_keys(slot).uplink {
            self.keys.remove(uplink);
        }
        let Some(scope) = self.scopes.get(key) else { return };
        let mut at = self.probe_in(scope, key.prefix.bits()).home;
        while at as usize != slot.line() {
            self.lines[at as usize].leave();
            at = self.after(at);
        }
        self.lines[slot.line()].free(slot.entry());
        self.scopes.release(key);
        self.entries -= 1;
    }

    /// A new entry, held; there is room. `None` if there are too many scopes.
    fn insert(&mut self, key: CustomerPrefix) -> Option<Slot> {
        let scope = self.scopes.acquire(key)?;
        let probe = self.probe_in(&scope, key.prefix.bits());
        let mut at = probe.home;
        let entry = loop {
            let line = &mut self.lines[at as usize];
            match line.insert(probe.key, probe.scope) {
                Some(entry) => break entry,
                None => line.pass(),
            }
            at = self.after(at);
        };
        let slot = Slot(at * 4 + entry);
        self.beside[slot.beside()] = Beside { rest: low(key.prefix.bits()), ..Beside::default() };
        self.entries += 1;
        Some(slot)
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation)] // 2^32 lines would be 256 GiB
    fn probe_in(&self, scope: &Scope, addr: u128) -> Probe {
        let key = scope.key(addr);
        let home = slot(mix(key, u64::from(scope.id)), self.lines.len());
        Probe { key, home: home as u32, scope: scope.id, spare: scope.spare }
    }

    /// Whether the second half is that of this address, too.
    #[inline(never)]
    fn has_rest(&self, slot: Slot, spare: u8, addr: u128) -> bool {
        self.side(slot).rest == low(addr) >> spare << spare
    }

    fn side(&self, slot: Slot) -> &Beside {
        &self.beside[slot.beside()]
    }

    fn after(&self, at: u32) -> u32 {
        if (at + 1) as usize == self.lines.len() { 0 } else { at + 1 }
    }
}

#[cfg(test)]
mod tests;
