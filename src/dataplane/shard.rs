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
use crate::nic::Frame;
pub(super) use line::Word;
use line::{ENTRIES, Line, TUNNELS_MAX};
pub(super) use scope::Scope;
use scope::{Scopes, Tag};

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
    pub(super) tag: Tag,
}

/// Where an entry is, while it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Slot {
    line: u32,
    entry: u32,
}

impl Slot {
    #[inline]
    const fn line(self) -> usize {
        self.line as usize
    }

    #[inline]
    const fn entry(self) -> usize {
        self.entry as usize
    }

    #[inline]
    const fn beside(self) -> usize {
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

    /// A customer's longest prefixes of a family; if there are none, a scope without entries.
    #[inline]
    pub(super) fn longest(&self, customer: CustomerId, family: Family) -> Scope {
        self.scopes.of(customer, family).first().copied().unwrap_or(Scope::empty(customer))
    }

    /// Where the entry of `addr` is, if it is of this scope and not of a long prefix.
    #[inline(always)]
    #[allow(clippy::inline_always)] // a dozen instructions
    pub(super) fn probe(&self, scope: &Scope, addr: u128) -> Probe {
        let key = scope.key(addr);
        Probe { key, home: self.home(scope.tag.short_id(), key), tag: scope.tag }
    }

    /// Asks for the line of it.
    #[inline]
    pub(super) fn prefetch<F: Frame>(&self, probe: &Probe) {
        F::prefetch(&self.lines, probe.home as usize);
    }

    /// The entry at this place, and what becomes of its packets. `None`: there may be one all the
    /// same, [`Self::lookup`] knows.
    #[inline]
    pub(super) fn find(&self, probe: &Probe) -> Option<(Slot, Word)> {
        let mut at = probe.home;
        loop {
            let line = self.lines.get(at as usize)?;
            if let Some((entry, word)) = line.find(probe.key, probe.tag.short_id()) {
                return Some((Slot { line: at, entry }, word));
            }
            at = self.after(at);
            if !line.is_passed() || at == probe.home {
                return None;
            }
        }
    }

    /// The entry of an address in a scope, whatever prefixes that has.
    fn find_in(&self, scope: &Scope, addr: u128) -> Option<Slot> {
        let key = scope.full_key(addr);
        let home = self.home(scope.id, key);
        let mut at = home;
        loop {
            let line = &self.lines[at as usize];
            let slots = line.all(key, scope.id).map(|entry| Slot { line: at, entry });
            let has_rest =
                |slot: &Slot| scope.spare.is_none_or(|spare| self.has_rest(*slot, spare, addr));
            if let Some(slot) = { slots }.find(has_rest) {
                return Some(slot);
            }
            at = self.after(at);
            if !line.is_passed() || at == home {
                return None;
            }
        }
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation)] // 2^32 lines would be 256 GiB
    fn home(&self, scope: u16, key: u64) -> u32 {
        slot(mix(key, u64::from(scope)), self.lines.len()) as u32
    }

    /// The entry of the longest prefix that contains `addr`.
    pub(super) fn lookup(&self, customer: CustomerId, addr: u128) -> Option<Slot> {
        let scopes = self.scopes.of(customer, Family::of(addr)).iter();
        { scopes }.find_map(|scope| self.find_in(scope, addr))
    }

    /// The entry of exactly this prefix.
    pub(super) fn lookup_exact(&self, key: CustomerPrefix) -> Option<Slot> {
        let scope = self.scopes.get(key)?;
        self.find_in(scope, key.prefix.bits())
    }

    /// What becomes of an entry's packets, in short.
    #[inline]
    pub(super) fn word(&self, slot: Slot) -> Word {
        self.lines[slot.line()].word(slot.entry())
    }

    /// The keys of an entry that has some.
    #[inline]
    pub(super) fn gre_keys(&self, slot: Slot) -> GreKeys {
        self.side(slot).keys
    }

    /// Asks for the line of them.
    #[inline]
    pub(super) fn prefetch_keys<F: Frame>(&self, slot: Slot) {
        F::prefetch(&self.beside, slot.beside());
    }

    /// What becomes of an entry's packets.
    #[inline]
    pub(super) fn forward(&self, slot: Slot) -> Forward {
        match self.word(slot) {
            word if word.is_held() => Forward::Held,
            word if word.has_keys() => Forward::Tunnel(word.tunnel(), self.gre_keys(slot)),
            word => Forward::Tunnel(word.tunnel(), GreKeys::default()),
        }
    }

    /// Counts a packet to the node. `true`: before the next one its counts have to be carried.
    #[inline]
    #[must_use]
    pub(super) fn count_downlink(&mut self, slot: Slot, bytes: usize) -> bool {
        let line = self.lines.get_mut(slot.line());
        line.is_some_and(|line| line.count_downlink(slot.entry(), bytes))
    }

    /// The same for a packet from the node.
    #[inline]
    #[must_use]
    pub(super) fn count_uplink(&mut self, slot: Slot, bytes: usize) -> bool {
        let line = self.lines.get_mut(slot.line());
        line.is_some_and(|line| line.count_uplink(slot.entry(), bytes))
    }

    /// Moves what the line has counted to where there is room for more.
    #[cold]
    pub(super) fn carry(&mut self, slot: Slot) {
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
        let mut at = self.home(scope.id, scope.full_key(key.prefix.bits()));
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
        let word = scope.full_key(key.prefix.bits());
        let mut at = self.home(scope.id, word);
        let entry = loop {
            let line = &mut self.lines[at as usize];
            match line.insert(word, scope.id) {
                Some(entry) => break entry,
                None => line.pass(),
            }
            at = self.after(at);
        };
        let slot = Slot { line: at, entry };
        self.beside[slot.beside()] = Beside { rest: low(key.prefix.bits()), ..Beside::default() };
        self.entries += 1;
        Some(slot)
    }

    /// Whether the second half of an entry's prefix is that of this address, too.
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
