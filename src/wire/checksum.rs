//! The Internet checksum (RFC 1071) and its IPv6 pseudo-header (RFC 8200 section 8.1).

use std::net::Ipv6Addr;

/// A running one's complement sum. Feed it, then take the [`Checksum::value`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Checksum {
    // Of 32-bit words, each two of 16 bits: 2^32 of them fit before this can overflow.
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
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.sum += u64::from(u32::from_be_bytes(*word));
        }
        let (halves, last) = rest.as_chunks();
        for half in halves {
            self.sum += u64::from(u16::from_be_bytes(*half));
        }
        if let [last] = last {
            self.sum += u64::from(u16::from_be_bytes([*last, 0]));
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
