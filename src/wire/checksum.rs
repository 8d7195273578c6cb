//! The Internet checksum (RFC 1071) and its IPv6 pseudo-header (RFC 8200 section 8.1).

use std::net::Ipv6Addr;

/// A running one's complement sum. Feed it, then take the [`Checksum::value`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Checksum {
    // Sums of 16-bit words: 2^48 of them fit before this can overflow.
    sum: u64,
}

impl Checksum {
    /// Starts with the pseudo-header of an upper-layer packet of `len` bytes.
    pub(super) fn pseudo(src: Ipv6Addr, dst: Ipv6Addr, next_header: u8, len: u32) -> Self {
        let mut c = Self::default();
        c.add(&src.octets());
        c.add(&dst.octets());
        c.add(&len.to_be_bytes());
        c.add(&[0, 0, 0, next_header]);
        c
    }

    /// Adds bytes. An odd last byte counts as if a zero followed: only the last call may have one.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        let words = bytes.chunks_exact(2);
        if let [last] = words.remainder() {
            self.sum += u64::from(u16::from_be_bytes([*last, 0]));
        }
        for word in words {
            if let [a, b] = word {
                self.sum += u64::from(u16::from_be_bytes([*a, *b]));
            }
        }
    }

    /// The checksum of what was added, to be stored in a field that counted as zero. Over bytes
    /// that carry their own checksum it is zero if they are intact.
    #[allow(clippy::cast_possible_truncation)] // folded below 2^16 first
    pub(super) const fn value(self) -> u16 {
        let mut sum = self.sum;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071_sums_to_ddf2() {
        let mut c = Checksum::default();
        c.add(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(c.value(), !0xddf2);
    }

    #[test]
    fn odd_last_byte_is_padded_with_zero_on_the_right() {
        let (mut odd, mut even) = (Checksum::default(), Checksum::default());
        odd.add(&[1, 2, 3]);
        even.add(&[1, 2, 3, 0]);
        assert_eq!(odd.value(), even.value());
    }
}
