//! Tests of [`super`].

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn prefix(text: &str) -> HomePrefix {
    text.parse().expect("a prefix")
}

fn pools(pool: &str, delegated_len: u8, reserved: &[&str]) -> PrefixPools {
    let config = PoolConfig::new(prefix(pool), delegated_len);
    PrefixPools::new(&[config], reserved.iter().map(|p| prefix(p).into()), true)
}

fn usage(pools: &PrefixPools) -> (u64, u64, u64) {
    let usage = pools.usage().next().expect("one pool");
    (usage.capacity, usage.used, usage.reserved)
}

#[test]
fn every_prefix_of_a_pool_is_given_out_once() {
    let mut p = pools("2001:db8::/60", 64, &[]);
    let given: BTreeSet<_> = std::iter::from_fn(|| p.allocate(0)).collect();
    assert_eq!((given.len(), usage(&p)), (16, (16, 16, 0)));
    assert!(given.iter().all(|g| g.len() == 64 && prefix("2001:db8::/60").covers(*g)));
}

#[test]
fn prefix_that_was_released_longest_ago_comes_back_first() {
    let mut p = pools("2001:db8::/62", 64, &[]);
    let all: Vec<_> = std::iter::from_fn(|| p.allocate(0)).collect();
    p.release(all[2].into());
    p.release(all[0].into());
    assert_eq!((p.allocate(0), p.allocate(0), p.allocate(0)), (Some(all[2]), Some(all[0]), None));
}

// proves: PMIP6-5.3.2-2
#[test]
fn reserved_prefixes_are_never_given_out_whatever_their_length() {
    let mut p = pools("2001:db8::/60", 64, &["2001:db8:0:2::/63", "2001:db8:0:8::1/128"]);
    assert_eq!(usage(&p), (16, 0, 3));
    let given: Vec<_> = std::iter::from_fn(|| p.allocate(0)).collect();
    assert_eq!(given.len(), 13);
    for reserved in ["2001:db8:0:2::/64", "2001:db8:0:3::/64", "2001:db8:0:8::/64"] {
        assert!(!given.contains(&prefix(reserved)) && !p.take(0, prefix(reserved)));
    }
    let mut covered = pools("2001:db8::/60", 64, &["2001:db8::/32"]);
    assert_eq!(covered.allocate(0), None);
}

#[test]
fn prefix_that_is_claimed_is_nobody_elses_until_it_is_released() {
    let mut p = pools("2001:db8::/60", 64, &["2001:db8:0:5::/64", "2001:db8:5::/56"]);
    let claim = |p: &mut PrefixPools, text: &str| p.claim(prefix(text).into());
    // Of the pool: as though it had been given out.
    assert!(claim(&mut p, "2001:db8:0:1::/64") && !claim(&mut p, "2001:db8:0:1::/64"));
    assert_eq!(usage(&p), (16, 1, 1));
    assert!(!p.take(0, prefix("2001:db8:0:1::/64")));
    assert!(!claim(&mut p, "2001:db8:0:1::/65"), "no prefix of the pool");
    // Of none: neither it nor what overlaps it.
    assert!(claim(&mut p, "2001:db8:7::/56"));
    for other in ["2001:db8:7::/56", "2001:db8:7:1::/64", "2001:db8:7::/48"] {
        assert!(!claim(&mut p, other), "{other}");
    }
    // Another node's by configuration.
    for other in ["2001:db8:0:5::/64", "2001:db8:5::/56", "2001:db8:5:1::/64"] {
        assert!(!claim(&mut p, other), "{other}");
    }
    for held in ["2001:db8:0:1::/64", "2001:db8:7::/56"] {
        p.release(prefix(held).into());
    }
    assert!(claim(&mut p, "2001:db8:0:1::/64") && claim(&mut p, "2001:db8:7:1::/64"));
}

#[test]
fn prefix_of_another_pool_or_length_is_not_taken() {
    let mut p = pools("2001:db8::/60", 64, &[]);
    for wrong in ["2001:db8::/63", "2001:db8::/65", "2001:db8:1::/64", "::/0"] {
        assert!(!p.take(0, prefix(wrong)), "{wrong}");
        p.release(prefix(wrong).into());
    }
    assert!(!p.take(1, prefix("2001:db8::/64")) && p.take(0, prefix("2001:db8::/64")));
    assert_eq!(usage(&p), (16, 1, 0));
}

#[test]
fn what_is_held_and_fits_no_pool_keeps_what_it_overlaps_until_it_is_released() {
    let mut p = pools("2001:db8::/60", 64, &[]);
    for held in ["2001:db8:0:1::/64", "2001:db8:0:4::/62", "2001:db8:b000::/60"] {
        assert!(p.hold(prefix(held).into()) && !p.hold(prefix(held).into()));
    }
    for text in ["2001:db8:b000:f::/64", "2001:db8:b000::/60", "2001:db8:b000::/52"] {
        assert!(!p.is_free(prefix(text).into()), "{text}");
    }
    for text in ["2001:db8:b000:10::/64", "2001:db8:afff::/48"] {
        assert!(p.is_free(prefix(text).into()), "{text}");
    }
    let given: Vec<_> = std::iter::from_fn(|| p.allocate(0)).collect();
    assert_eq!((given.len(), usage(&p)), (11, (16, 16, 0)));
    p.release(prefix("2001:db8:0:4::/62").into());
    let given: Vec<_> = std::iter::from_fn(|| p.allocate(0)).collect();
    assert_eq!((given.len(), given[0]), (4, prefix("2001:db8:0:4::/64")));
}

#[test]
fn pool_of_two_to_the_sixty_four_prefixes_costs_nothing_until_used() {
    let mut p = pools("2001:db8::/64", 128, &[]);
    assert_eq!(usage(&p), (u64::MAX, 0, 0));
    assert_eq!(p.allocate(0), Some(prefix("2001:db8::/128")));
}

/// A configuration of pools as it is put in force, counted to the end.
fn take_over(p: &mut PrefixPools, pools: &[PoolConfig], reserved: &[&str]) {
    let mut new = PrefixPools::new(pools, reserved.iter().map(|p| prefix(p).into()), true);
    p.take_over(&mut new);
    while p.is_counting() {
        p.count();
    }
}

#[test]
fn pool_that_stays_goes_on_and_one_that_grows_gives_out_nothing_twice() {
    let mut p = pools("2001:db8:0:10::/60", 64, &["2001:db8:0:1f::/64"]);
    let mut given: Vec<_> = (0..8).filter_map(|_| p.allocate(0)).collect();
    p.release(given.remove(2).into());
    // Another one before it: its place is another one.
    let other = PoolConfig::new(prefix("2001:db8:1::/60"), 64);
    let same = PoolConfig::new(prefix("2001:db8:0:10::/60"), 64);
    take_over(&mut p, &[other, same], &[]);
    assert_eq!(p.usage().map(|u| (u.used, u.reserved)).collect::<Vec<_>>(), [(0, 0), (7, 0)]);
    assert_eq!(p.allocate(1), Some(prefix("2001:db8:0:18::/64")), "behind the last one");
    take_over(&mut p, &[PoolConfig::new(prefix("2001:db8::/56"), 64)], &[]);
    assert_eq!(usage(&p), (256, 8, 0));
    given.push(prefix("2001:db8:0:18::/64"));
    given.extend(std::iter::from_fn(|| p.allocate(0)));
    let distinct: BTreeSet<_> = given.iter().collect();
    assert_eq!((given.len(), distinct.len(), usage(&p)), (256, 256, (256, 256, 0)));
}

#[test]
fn prefix_that_is_no_nodes_own_any_more_is_given_out_when_the_others_are_used_up() {
    let mut p = pools("2001:db8::/62", 64, &["2001:db8:0:1::/64"]);
    assert_eq!(std::iter::from_fn(|| p.allocate(0)).count(), 3);
    take_over(&mut p, &[PoolConfig::new(prefix("2001:db8::/62"), 64)], &[]);
    assert_eq!((p.allocate(0), p.allocate(0)), (Some(prefix("2001:db8:0:1::/64")), None));
}

#[test]
fn pool_that_is_cut_anew_counts_what_is_held_of_its_former_shape_bit_by_bit() {
    let mut p = pools("2001:db8::/40", 64, &[]);
    let given: Vec<_> = (0..9000).filter_map(|_| p.allocate(0)).collect();
    // Every other one is free: 4500 ranges.
    for prefix in given.iter().skip(1).step_by(2) {
        p.release((*prefix).into());
    }
    let mut new =
        PrefixPools::new(&[PoolConfig::new(prefix("2001:db8::/40"), 63)], [].into_iter(), true);
    p.take_over(&mut new);
    let mut steps = 0;
    while p.is_counting() {
        // Changes before and behind what is counted.
        p.release(given[8998 - steps * 10].into());
        p.release(given[steps * 10].into());
        assert!(p.hold(given[steps * 10 + 1].into()));
        p.count();
        steps += 1;
    }
    assert_eq!(steps, 6, "1024 ranges a step, and one to see that it was the last");
    assert_eq!(usage(&p).1, (4500 - 6) / 2, "in halves of what it gives out now");
    let given = p.allocate(0).expect("room");
    assert!(given.len() == 63 && p.is_free(prefix("2001:db8:ff:ffff::/64").into()));
}

#[test]
fn asking_for_a_released_prefix_again_and_again_does_not_grow_the_queue() {
    let mut p = pools("2001:db8::/62", 64, &[]);
    while p.allocate(0).is_some() {}
    let one = prefix("2001:db8:0:1::/64");
    p.release(one.into());
    for _ in 0..1000 {
        assert!(p.take(0, one));
        p.release(one.into());
    }
    assert_eq!((p.pools[0].released.len(), p.pools[0].queued.len()), (1, 1));
    assert_eq!(usage(&p), (4, 3, 0));
    assert_eq!((p.allocate(0), p.allocate(0)), (Some(one), None));
}

proptest! {
    // proves: PMIP6-5.3.2-2
    #[test]
    fn pool_agrees_with_a_set(ops in prop::collection::vec((0..3_u8, 0..16_u128), 1..200)) {
        let mut p = pools("2001:db8::/60", 64, &["2001:db8:0:5::/64"]);
        let mut used = BTreeSet::new();
        for (op, n) in ops {
            let bits = prefix("2001:db8::/60").bits() | (n << 64);
            let named = HomePrefix::new(bits.into(), 64).expect("a prefix");
            match op {
                0 => {
                    let full = used.len() == 15;
                    let new = p.allocate(0);
                    prop_assert_eq!(new.is_none(), full);
                    prop_assert!(new.is_none_or(|n| used.insert(n)), "it was in use");
                }
                1 => prop_assert_eq!(p.take(0, named), n != 5 && used.insert(named)),
                _ => {
                    p.release(named.into());
                    used.remove(&named);
                }
            }
            prop_assert_eq!(usage(&p), (16, used.len() as u64, 1));
        }
    }
}
