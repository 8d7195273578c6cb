//! A cache line of the shard: three entries, with all that most of their packets touch.

use super::super::update::{EntryCounters, TunnelId};

/// Entries of a line.
pub(super) const ENTRIES: usize = 3;

/// Tunnels are numbered below it.
pub(super) const TUNNELS_MAX: u32 = HELD;

/// Three entries. Free ones have the scope 0, which is nobody's.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line {
    keys: [u64; ENTRIES],
    downlink: [Count; ENTRIES],
    uplink: [Count; ENTRIES],
    /// [`TUNNEL`] or [`HELD`], [`HAS_KEYS`], and the upper half of the scope.
    words: [Word; ENTRIES],
    /// The lower half.
    scopes: [u8; ENTRIES],
    /// How many entries are behind it that would be in it, had there been room; [`PASSED_MAX`] for
    /// good.
    passed: u8,
}

const _: () = assert!(size_of::<Line>() == 64, "one cache line a packet");

/// What an entry says about its packets.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Word(u32);

impl Word {
    /// That of no entry.
    pub(in super::super) const NONE: Self = Self(u32::MAX);

    #[inline]
    pub(in super::super) const fn is_none(self) -> bool {
        self.0 == u32::MAX
    }

    /// While the entry is held it is none that there is.
    #[inline]
    pub(in super::super) const fn tunnel(self) -> TunnelId {
        TunnelId(self.0 & TUNNEL)
    }

    #[inline]
    pub(in super::super) const fn is_held(self) -> bool {
        self.0 & TUNNEL == HELD
    }

    #[inline]
    pub(in super::super) fn has_keys(self) -> bool {
        self.0 & HAS_KEYS != 0
    }
}

const TUNNEL: u32 = 0x003f_ffff;
const HELD: u32 = TUNNEL;
const HAS_KEYS: u32 = 0x0040_0000;
const SCOPE_SHIFT: u32 = 24;
const PASSED_MAX: u8 = u8::MAX;

/// Packets in the upper twelve bits, bytes in the lower twenty: one addition counts both.
#[derive(Debug, Clone, Copy, Default)]
struct Count(u32);

impl Count {
    const PACKET: u32 = 1 << 20;
    const BYTES: u32 = Self::PACKET - 1;
    /// One of them is half full: no packet of less than 2^19 bytes makes it overflow.
    const HALF: u32 = 1 << 31 | 1 << 19;

    /// Whether it has to be emptied.
    #[allow(clippy::cast_possible_truncation)] // a frame is shorter than 2^17 bytes
    fn add(&mut self, bytes: usize) -> bool {
        self.0 = self.0.wrapping_add(Self::PACKET + (bytes as u32 & (Self::BYTES >> 1)));
        self.0 & Self::HALF != 0
    }

    /// Packets and bytes, which it forgets.
    fn take(&mut self) -> (u64, u64) {
        let count = std::mem::take(&mut self.0);
        (u64::from(count / Self::PACKET), u64::from(count & Self::BYTES))
    }
}

impl Line {
    pub(super) const EMPTY: Self = Self {
        keys: [0; ENTRIES],
        downlink: [Count(0); ENTRIES],
        uplink: [Count(0); ENTRIES],
        words: [Word(0); ENTRIES],
        scopes: [0; ENTRIES],
        passed: 0,
    };

    /// The last entry with this key, if it has this scope, too. Which of the three it is cannot be
    /// foretold, so there is no branch on that.
    #[inline]
    pub(super) fn find(&self, key: u64, scope: u16) -> Option<(u32, Word)> {
        let [_, second, third] = self.keys.map(|its| u32::from(its == key));
        let entry = second.max(third * 2);
        let at = entry as usize;
        let is_it = self.keys[at] == key && self.scope(at) == scope;
        is_it.then(|| (entry, self.words[at]))
    }

    /// All entries with this key and scope.
    pub(super) fn all(&self, key: u64, scope: u16) -> impl Iterator<Item = u32> {
        let is_it = move |entry: &u32| {
            self.keys[*entry as usize] == key && self.scope(*entry as usize) == scope
        };
        (0..3).filter(is_it)
    }

    #[inline]
    fn scope(&self, entry: usize) -> u16 {
        let [upper, ..] = self.words[entry].0.to_be_bytes();
        u16::from_be_bytes([upper, self.scopes[entry]])
    }

    /// Takes a free entry, which is then held; `None` if there is none.
    pub(super) fn insert(&mut self, key: u64, scope: u16) -> Option<u32> {
        let free = (0..ENTRIES).find(|entry| self.scope(*entry) == 0)?;
        let [upper, lower] = scope.to_be_bytes();
        self.keys[free] = key;
        self.words[free] = Word(u32::from(upper) << SCOPE_SHIFT | HELD);
        self.scopes[free] = lower;
        self.downlink[free] = Count(0);
        self.uplink[free] = Count(0);
        u32::try_from(free).ok()
    }

    pub(super) fn free(&mut self, entry: usize) {
        self.words[entry] = Word(0);
        self.scopes[entry] = 0;
    }

    /// An entry had to go behind it.
    pub(super) fn pass(&mut self) {
        self.passed = self.passed.saturating_add(1);
    }

    /// Such an entry is no more.
    pub(super) fn leave(&mut self) {
        if self.passed != PASSED_MAX {
            self.passed -= 1;
        }
    }

    #[inline]
    pub(super) fn is_passed(&self) -> bool {
        self.passed > 0
    }

    #[inline]
    pub(super) fn word(&self, entry: usize) -> Word {
        self.words[entry]
    }

    /// A tunnel below [`TUNNELS_MAX`].
    pub(super) fn set_tunnel(&mut self, entry: usize, TunnelId(id): TunnelId, has_keys: bool) {
        let keys = if has_keys { HAS_KEYS } else { 0 };
        let scope = self.words[entry].0 >> SCOPE_SHIFT << SCOPE_SHIFT;
        self.words[entry] = Word(scope | keys | (id & TUNNEL));
    }

    pub(super) fn hold(&mut self, entry: usize) {
        self.words[entry].0 |= HELD;
    }

    /// Whether the counts have to be taken.
    #[inline]
    pub(super) fn count_downlink(&mut self, entry: usize, bytes: usize) -> bool {
        self.downlink[entry].add(bytes)
    }

    /// Whether the counts have to be taken.
    #[inline]
    pub(super) fn count_uplink(&mut self, entry: usize, bytes: usize) -> bool {
        self.uplink[entry].add(bytes)
    }

    /// What it has counted since the last time.
    pub(super) fn take_counts(&mut self, entry: usize) -> EntryCounters {
        let (downlink_packets, downlink_bytes) = self.downlink[entry].take();
        let (uplink_packets, uplink_bytes) = self.uplink[entry].take();
        EntryCounters { downlink_packets, downlink_bytes, uplink_packets, uplink_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_never_overflow_before_they_are_taken() {
        for bytes in [0, 1, 64, 1500, 9000, 65_549] {
            let (mut count, mut packets, mut all) = (Count::default(), 0, 0);
            for _ in 0..10_000 {
                if count.add(bytes) {
                    let (p, b) = count.take();
                    (packets, all) = (packets + p, all + b);
                }
            }
            let (p, b) = count.take();
            assert_eq!((packets + p, all + b), (10_000, 10_000 * bytes as u64), "{bytes}");
        }
    }
}
