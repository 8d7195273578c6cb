//! A 64-bit digest that is the same in every run and on every machine: FNV-1a with a final mix.
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
        Self(OFFSET ^ seed)
    }

    /// Takes in `bytes` and their number, so that fields cannot run into each other.
    pub(crate) fn field(mut self, bytes: &[u8]) -> Self {
        for b in (bytes.len() as u64).to_be_bytes().iter().chain(bytes) {
            self.0 = (self.0 ^ u64::from(*b)).wrapping_mul(PRIME);
        }
        self
    }

    /// The digest; zero is never returned, so zero can mean "none".
    pub(crate) const fn finish(self) -> u64 {
        // The finalizer of SplitMix64: FNV's low bits alone mix poorly.
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        if z == 0 { 1 } else { z }
    }
}

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

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
