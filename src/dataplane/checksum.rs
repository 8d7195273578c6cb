//! The Internet checksum where a packet pays for it: over a header, or for one changed word.

/// The sum of `bytes` as 16-bit words, not folded; an odd last byte counts as if a zero followed.
#[inline]
pub(super) fn sum_of(bytes: &[u8]) -> u64 {
    let words = bytes.chunks_exact(4);
    let rest = words.remainder().iter().zip([24, 16, 8]).map(|(b, shift)| u64::from(*b) << shift);
    let rest: u64 = rest.sum();
    let sum: u64 = words.map(|w| u64::from(u32::from_be_bytes([w[0], w[1], w[2], w[3]]))).sum();
    // The upper halves of the 32-bit words weigh as much as the lower ones (RFC 1071 2 (C)).
    let sum = sum + rest;
    (sum >> 16) + (sum & 0xffff)
}

/// The checksum of what was summed, to be stored in a field that counted as zero. Over bytes that
/// carry their own checksum it is zero if they are intact.
#[allow(clippy::cast_possible_truncation)] // folded below 2^16 first
#[inline]
pub(super) const fn value(sum: u64) -> u16 {
    let mut sum = sum;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// A checksum after one of its words has changed (RFC 1624 equation 3).
#[inline]
pub(super) const fn updated(checksum: u16, old: u16, new: u16) -> u16 {
    value(!checksum as u64 + !old as u64 + new as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071_sums_to_ddf2_and_odd_ends_are_padded() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(value(sum_of(&bytes)), !0xddf2);
        for cut in 1..8 {
            let padded = [&bytes[..cut], &[0; 8][..8 - cut]].concat();
            assert_eq!(value(sum_of(&bytes[..cut])), value(sum_of(&padded)), "{cut}");
        }
        assert_eq!(value(sum_of(&[0xff; 8191])), 0x00ff);
    }

    // RFC 1624 section 4: the case that an earlier equation got wrong.
    #[test]
    fn the_example_of_rfc_1624_is_updated_to_zero() {
        assert_eq!(updated(0xdd2f, 0x5555, 0x3285), 0x0000);
    }

    // Minus zero is no checksum of a sum that is not zero (RFC 1624 section 3): tests/lab/dissect
    // takes 0xffff for a sender's.
    #[test]
    fn no_checksum_is_updated_to_minus_zero() {
        for checksum in 0..0xffff {
            for (old, new) in [(1460, 1400), (0xffff, 0), (0xffff, 0xffff), (0, 0), (1, !checksum)]
            {
                assert_ne!(updated(checksum, old, new), 0xffff, "{checksum:x} {old:x} {new:x}");
            }
        }
    }
}
