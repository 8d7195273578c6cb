//! The hash of the workers' tables and of flow labels: a folded 64x64-bit multiplication.
//!
//! Consecutive prefixes differ in few bits; a CRC or a shift maps them to consecutive or colliding
//! slots, a multiplication folded over both halves spreads them. It need not withstand an enemy:
//! what is stored under it, the control core assigned.

// Odd constants with no structure (fractional parts of the golden ratio and of e).
const PHI: u64 = 0x9e37_79b9_7f4a_7c15;
const E: u64 = 0xb7e1_5162_8aed_2a6b;

/// Spreads two words; the upper bits of the result are the best ones.
#[inline]
pub(super) const fn mix(a: u64, b: u64) -> u64 {
    let folded = fold(a, b);
    // Once more: one product alone leaves words that differ in their last bits near each other.
    (folded ^ (folded >> 32)).wrapping_mul(PHI)
}

/// The same where neighbours may be near each other, as long as they are apart.
#[inline]
pub(super) const fn fold(a: u64, b: u64) -> u64 {
    fold_half(a, b ^ E)
}

/// The same if `b` has bits in many places.
#[inline]
pub(super) const fn fold_half(a: u64, b: u64) -> u64 {
    let product = ((a ^ PHI) as u128) * (b as u128);
    high(product) ^ low(product)
}

/// The upper half of an address: its routing prefix, as a rule.
#[allow(clippy::cast_possible_truncation)] // the upper half has 64 bits
#[inline]
pub(super) const fn high(x: u128) -> u64 {
    (x >> 64) as u64
}

/// The lower half of an address: its interface identifier, as a rule.
#[allow(clippy::cast_possible_truncation)] // cut on purpose
#[inline]
pub(super) const fn low(x: u128) -> u64 {
    x as u64
}

/// An address in two words: half the alignment, and one store each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Halves {
    high: u64,
    low: u64,
}

impl Halves {
    #[inline]
    pub(super) const fn of(x: u128) -> Self {
        Self { high: high(x), low: low(x) }
    }
}

/// Maps a hash onto `0..len` by its upper bits, for any `len`.
#[allow(clippy::cast_possible_truncation)] // below `len`
#[inline]
pub(super) const fn slot(hash: u64, len: usize) -> usize {
    ((hash as u128 * len as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_prefixes_fill_slots_like_chance_does() {
        // A million balls into 2^21 slots: chance fills 2^21 (1 - exp(-10^6 / 2^21)), some 795,000.
        let mut used = vec![false; 1 << 21];
        for i in 0..1_000_000u64 {
            used[slot(mix(0x2001_0db8_0000_0000 + i, 64), 1 << 21)] = true;
        }
        let n = used.iter().filter(|u| **u).count();
        assert!((790_000..800_000).contains(&n), "{n}");
    }
}
