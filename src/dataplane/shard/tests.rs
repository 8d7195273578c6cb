use super::*;
use crate::addr::HomePrefix;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn prefix(s: &str) -> HomePrefix {
    s.parse().unwrap()
}

fn through(id: u32) -> Forward {
    Forward::Tunnel(TunnelId(id), GreKeys::default())
}

fn keyed(downlink: Option<u32>, uplink: Option<u32>) -> Forward {
    let keys = GreKeys { downlink, uplink };
    Forward::Tunnel(TunnelId(1), keys)
}

/// Few prefixes that nest and collide, of both families and three customers, so that random
/// operations meet.
fn any_prefix() -> impl Strategy<Value = CustomerPrefix> {
    let len =
        prop_oneof![Just(48u8), Just(56), Just(64), Just(65), Just(127), Just(128), 0..=128u8];
    let ipv6 = (0u128..4, 0u128..4, 0u128..3, len).prop_map(|(a, b, c, len)| {
        let bits = (0x2001_0db8_u128 << 96) | (a << 80) | (b << 64) | (b << 71) | c;
        HomePrefix::truncating(std::net::Ipv6Addr::from_bits(bits), len).unwrap()
    });
    let ipv4 =
        (0u32..4, 0u32..3, prop_oneof![Just(32u8), Just(24), 0..=32u8]).prop_map(|(a, b, len)| {
            let bits = 0x0a00_0000 | a << 8 | b;
            HomePrefix::from_ipv4(std::net::Ipv4Addr::from_bits(bits), len).unwrap()
        });
    (prop_oneof![ipv6, ipv4], 0u16..3).prop_map(|(p, customer)| p.of(CustomerId(customer)))
}

proptest! {
    #[test]
    fn shard_agrees_with_a_naive_longest_match(
        ops in prop::collection::vec((any_prefix(), prop::option::of(0u32..9)), 1..200),
        probes in prop::collection::vec(any_prefix(), 1..40),
    ) {
        const MAX: usize = 24;
        let mut shard = Shard::new(MAX);
        let mut model = BTreeMap::new();
        for (p, op) in ops {
            if let Some(id) = op {
                let fits = model.contains_key(&p) || model.len() < MAX;
                prop_assert_eq!(shard.set(p, through(id)), fits);
                if fits {
                    model.insert(p, id);
                }
            } else {
                shard.remove(p);
                model.remove(&p);
            }
            prop_assert_eq!(shard.len(), model.len());
        }
        for (customer, addr) in probes.iter().map(|p| (p.customer, p.prefix.addr())) {
            let is_ipv4 = addr.to_ipv4_mapped().is_some();
            let holds = |p: &CustomerPrefix| {
                let same_family = p.prefix.to_ipv4().is_some() == is_ipv4;
                p.customer == customer && same_family && p.prefix.contains(addr)
            };
            let want = model.iter().filter(|(p, _)| holds(p)).max_by_key(|(p, _)| p.prefix.len());
            let slot = shard.lookup(customer, addr.to_bits());
            prop_assert_eq!(slot.map(|s| shard.forward(s)), want.map(|(_, id)| through(*id)));
            // The quick way finds that one or none, and finds it where prefixes are of one kind.
            let scope = shard.longest(customer, Family::of(addr.to_bits()));
            let quick = shard.find(&shard.probe(&scope, addr.to_bits())).map(|(slot, _)| slot);
            prop_assert!(quick.is_none() || quick == slot);
            let is_one = shard.len() > 0 && model.keys().all(|p| p.prefix.len() == 64 && p.customer == customer);
            prop_assert!(!is_one || quick == slot);
        }
    }
}

#[test]
fn moving_an_entry_keeps_its_counters_and_removing_it_clears_them() {
    let mut shard = Shard::new(4);
    let p = prefix("2001:db8:1::/64").of(CustomerId(3));
    assert!(shard.set(p, through(1)));
    let slot = shard.lookup(CustomerId(3), p.prefix.addr().to_bits()).unwrap();
    assert!(!shard.count_downlink(slot, 100) && !shard.count_uplink(slot, 60));
    assert!(shard.set(p, Forward::Held));
    let want = EntryCounters {
        downlink_packets: 1,
        downlink_bytes: 100,
        uplink_packets: 1,
        uplink_bytes: 60,
    };
    assert_eq!(shard.counters(p), Some(want));
    shard.remove(p);
    assert!(shard.set(p, Forward::Held));
    assert_eq!(shard.counters(p), Some(EntryCounters::default()));
}

#[test]
fn keys_are_those_of_the_last_update_and_zero_is_one() {
    let mut shard = Shard::new(4);
    let p = prefix("10.1.2.3/32").of(CustomerId(2));
    for keys in [(None, None), (Some(0), None), (None, Some(0)), (Some(u32::MAX), Some(7))] {
        assert!(shard.set(p, keyed(keys.0, keys.1)));
        let slot = shard.lookup_exact(p).unwrap();
        assert_eq!(shard.forward(slot), keyed(keys.0, keys.1));
    }
}

#[test]
fn uplink_key_names_the_customer_as_long_as_an_entry_has_it() {
    let mut shard = Shard::new(4);
    let v4 = prefix("10.1.2.3/32").of(CustomerId(2));
    let v6 = prefix("2001:db8:1::/64").of(CustomerId(2));
    assert!(shard.set(v4, keyed(Some(1), Some(9))) && shard.set(v6, keyed(Some(1), Some(9))));
    assert!(shard.set(v4, keyed(Some(4), Some(9))), "a handoff keeps the uplink key");
    assert!(!shard.set(prefix("10.9.9.9/32").of(CustomerId(1)), keyed(None, Some(9))), "taken");
    assert_eq!((shard.len(), shard.customer_of(9)), (2, Some(CustomerId(2))));
    shard.remove(v4);
    assert!(shard.set(v6, Forward::Held));
    assert_eq!(shard.customer_of(9), Some(CustomerId(2)), "held, and still its own");
    shard.remove(v6);
    assert_eq!(shard.customer_of(9), None);
    assert!(shard.set(v6, keyed(None, Some(9))) && shard.set(v6, through(1)));
    assert_eq!(shard.customer_of(9), None);
}

#[test]
fn shard_of_no_entries_answers() {
    let mut shard = Shard::new(0);
    assert!(!shard.set(prefix("::/0").into(), Forward::Held));
    assert_eq!(shard.lookup(CustomerId(0), 1), None);
}
