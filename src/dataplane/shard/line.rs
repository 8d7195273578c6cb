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
    words: [u32; ENTRIES],
    /// The lower half.
    scopes: [u8; ENTRIES],
    /// How many entries are behind it that would be in it, had there been room; [`PASSED_MAX`] for
    /// good.
    passed: u8,
}

const _: () = assert!(size_of::<Line>() == 64, "one cache line a packet");

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
        words: [0; ENTRIES],
        scopes: [0; ENTRIES],
        passed: 0,
    };

    /// The entry with this key and scope of which `is_it` holds. Which of the three it is cannot be
    /// foretold, so there is no branch on that.
    #[inline]
    pub(super) fn find(&self, key: u64, scope: u16, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let equal = |entry: usize| u32::from(self.keys[entry] == key) << entry;
        let mut equal = equal(0) | equal(1) | equal(2);
        while equal != 0 {
            let entry = equal.trailing_zeros();
            if self.scope(entry as usize) == scope && is_it(entry) {
                return Some(entry);
            }
            equal &= equal - 1;
        }
        None
    }

    #[inline]
    fn scope(&self, entry: usize) -> u16 {
        let [upper, ..] = self.words[entry].to_be_bytes();
        u16::from_be_bytes([upper, self.scopes[entry]])
    }

    /// Takes a free entry, which is then held; `None` if there is none.
    pub(super) fn insert(&mut self, key: u64, scope: u16) -> Option<u32> {
        let free = (0..ENTRIES).find(|entry| self.scope(*entry) == 0)?;
        let [upper, lower] = scope.to_be_bytes();
        self.keys[free] = key;
        self.words[free] = u32::from(upper) << SCOPE_SHIFT | HELD;
        self.scopes[free] = lower;
        self.downlink[free] = Count(0);
        self.uplink[free] = Count(0);
        u32::try_from(free).ok()
    }

    pub(super) fn free(&mut self, entry: usize) {
        self.words[entry] = 0;
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

    /// `None` while it is held.
    #[inline]
    pub(super) fn tunnel(&self, entry: usize) -> Option<TunnelId> {
        let tunnel = self.words[entry] & TUNNEL;
        (tunnel != HELD).then_some(TunnelId(tunnel))
    }

    #[inline]
    pub(super) fn has_keys(&self, entry: usize) -> bool {
        self.words[entry] & HAS_KEYS != 0
    }

    /// A tunnel below [`TUNNELS_MAX`].
    pub(super) fn set_tunnel(&mut self, entry: usize, TunnelId(id): TunnelId, has_keys: bool) {
        let keys = if has_keys { HAS_KEYS } else { 0 };
        let scope = self.words[entry] >> SCOPE_SHIFT << SCOPE_SHIFT;
        self.words[entry] = scope | keys | (id & TUNNEL);
    }

    pub(super) fn hold(&mut self, entry: usize) {
        self.words[entry] |= HELD;
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
