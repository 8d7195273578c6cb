//! A set of numbers that lie together: the addresses that sessions hold, the prefixes of a pool
//! that are never given out.
//!
//! ```text
//!   {3 4 5 9}  is  3..=5, 9..=9      ranges neither overlap nor touch
//! ```
//! It costs memory for ranges, not for numbers, and a whole range is skipped at once. Every
//! operation is logarithmic in the number of ranges, `insert` amortized.

use std::collections::BTreeMap;

/// First number of each range, and its last.
#[derive(Debug, Default)]
pub(crate) struct RangeSet(BTreeMap<u128, u128>);

impl RangeSet {
    /// Adds `first..=last`, joined with the ranges that it overlaps or touches.
    pub(crate) fn insert(&mut self, mut first: u128, mut last: u128) {
        // Mostly a range grows at its end: nothing else is touched then.
        if let Some((&f, l)) = self.0.range_mut(..=last.saturating_add(1)).next_back()
            && f <= first
            && l.saturating_add(1) >= first
        {
            *l = last.max(*l);
            return;
        }
        while let Some((&f, &l)) = (self.0.range(..=last.saturating_add(1)).next_back())
            .filter(|r| r.1.saturating_add(1) >= first)
        {
            first = first.min(f);
            last = last.max(l);
            self.0.remove(&f);
        }
        self.0.insert(first, last);
    }

    /// Takes `first..=last` out if all of it is there; whether it was.
    pub(crate) fn remove(&mut self, first: u128, last: u128) -> bool {
        let Some((&f, &l)) = self.0.range(..=first).next_back().filter(|r| *r.1 >= last) else {
            return false;
        };
        if f < first {
            self.0.insert(f, first - 1);
        } else {
            self.0.remove(&f);
        }
        if last < l {
            self.0.insert(last + 1, l);
        }
        true
    }

    /// The end of the first range that has a number of `first..=last`; `None` if none has.
    pub(crate) fn overlap(&self, first: u128, last: u128) -> Option<u128> {
        // If the last range that begins by then does not reach so far, none does.
        self.0.range(..=last).next_back().filter(|r| *r.1 >= first)?;
        self.overlapping(first, last).next().map(|(_, l)| l)
    }

    /// All ranges that have a number of `first..=last`, in order, whole.
    pub(crate) fn overlapping(
        &self,
        first: u128,
        last: u128,
    ) -> impl Iterator<Item = (u128, u128)> + '_ {
        let around = self.0.range(..first).next_back().filter(|r| *r.1 >= first);
        around.into_iter().chain(self.0.range(first..=last)).map(|(f, l)| (*f, *l))
    }

    /// All ranges, in order.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (u128, u128)> + '_ {
        self.0.iter().map(|(f, l)| (*f, *l))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn ranges_that_touch_are_one_and_a_hole_parts_it_again() {
        let mut set = RangeSet::default();
        set.insert(10, 19);
        set.insert(30, 39);
        set.insert(20, 29);
        assert_eq!(set.ranges().collect::<Vec<_>>(), [(10, 39)]);
        assert!(set.remove(20, 20) && !set.remove(15, 25));
        assert_eq!(set.ranges().collect::<Vec<_>>(), [(10, 19), (21, 39)]);
        assert_eq!((set.overlap(0, 9), set.overlap(19, 20)), (None, Some(19)));
        set.insert(0, u128::MAX);
        assert_eq!(set.ranges().collect::<Vec<_>>(), [(0, u128::MAX)]);
    }

    proptest! {
        #[test]
        fn ranges_agree_with_a_set(
            ops in prop::collection::vec((any::<bool>(), 0..64_u128, 0..8_u128), 1..200),
        ) {
            let (mut set, mut model) = (RangeSet::default(), BTreeSet::new());
            for (add, first, more) in ops {
                let last = first + more;
                let there = (first..=last).all(|n| model.contains(&n));
                let some = (first..=last).any(|n| model.contains(&n));
                prop_assert_eq!(set.overlap(first, last).is_some(), some);
                if add {
                    set.insert(first, last);
                    model.extend(first..=last);
                } else {
                    prop_assert_eq!(set.remove(first, last), there);
                    if there {
                        model.retain(|n| !(first..=last).contains(n));
                    }
                }
                let numbers: BTreeSet<u128> = set.ranges().flat_map(|(f, l)| f..=l).collect();
                prop_assert_eq!(&numbers, &model);
                let ranges: Vec<_> = set.ranges().collect();
                prop_assert!(ranges.windows(2).all(|w| w[0].1 + 1 < w[1].0), "{:?}", ranges);
            }
        }
    }
}
