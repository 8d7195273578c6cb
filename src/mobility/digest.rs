//! A 64-bit digest that is the same in every run and on every machine: eight bytes at a time, each
//! mixed in by a multiplication whose upper half is folded back.
//!
//! It recognises a byte-identical duplicate of the last accepted PBU, and derives link-local
//! addresses. It is no defence against a gateway that wants collisions: such a gateway is
//! authorized, and a collision would only repeat an answer that it already has.

/// A running digest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Digest(u64);

impl Digest {
    /// Starts from `seed`.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(START ^ seed)
    }

    /// Takes in `bytes` and their number, so that fields cannot run into each other.
    pub(crate) fn field(mut self, bytes: &[u8]) -> Self {
        self.mix(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let last = rest.iter().rev().fold(0, |word, b| word << 8 | u64::from(*b));
            self.mix(last);
        }
        self
    }

    const fn mix(&mut self, word: u64) {
        let product = (self.0 ^ word).wrapping_mul(MULTIPLIER);
        self.0 = product ^ (product >> 32);
    }

    /// The digest; zero is never returned, so zero can mean "none".
    pub(crate) const fn finish(self) -> u64 {
        // The finalizer of SplitMix64: the last word was mixed in by one multiplication only.
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        if z == 0 { 1 } else { z }
    }
}

/// Any odd number with bits all over: the golden ratio's; and the square root of two's to start.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
const START: u64 = 0x6a09_e667_f3bc_c909;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_separates_fields() {
        let one = Digest::new(0).field(b"ab").field(b"c").finish();
        let other = Digest::new(0).field(b"a").field(b"bc").finish();
        assert_ne!(one, other);
        assert_eq!(one, Digest::new(0).field(b"ab").field(b"c").finish());
    }
}
