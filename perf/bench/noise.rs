//! How much the machine is disturbed: what a round is worth.

use anchord::dpdk::clock;
use std::hint::black_box;

/// Memory to walk through: more than any cache holds.
const WALK_LEN: usize = 16 << 20;

/// A random cycle through 64 MB, for [`Walk::cycles_per_load`].
pub(crate) struct Walk(Vec<u32>);

impl Walk {
    /// Sattolo's shuffle: one cycle through all entries.
    pub(crate) fn new() -> Self {
        let mut next: Vec<u32> = (0..).take(WALK_LEN).collect();
        let mut random = 0x9e37_79b9_7f4a_7c15u64;
        for i in (1..WALK_LEN).rev() {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let j = usize::try_from(random >> 33).unwrap_or(0) % i;
            next.swap(i, j);
        }
        Self(next)
    }

    /// Cycles that a load which nothing foresees takes now.
    #[allow(clippy::cast_precision_loss)] // far below 2^52
    pub(crate) fn cycles_per_load(&self) -> f64 {
        const LOADS: u32 = 1 << 18;
        let start = clock::tsc();
        let mut at = 0;
        for _ in 0..LOADS {
            at = self.0[at as usize];
        }
        black_box(at);
        (clock::tsc() - start) as f64 / f64::from(LOADS)
    }
}

/// The middle of the values, and the least and the greatest.
pub(crate) fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (Some(least), Some(greatest)) = (sorted.first(), sorted.last()) else {
        return (f64::NAN, f64::NAN, f64::NAN);
    };
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    };
    (median, *least, *greatest)
}
