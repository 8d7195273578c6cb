//! Sessions under another configuration.

use super::*;
use crate::mobility::PeerState;
use crate::mobility::config::{CustomerConfig, PeerConfig};
use proptest::prelude::*;

const MAG2: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 2);

fn reload(lma: &mut Lma, config: LmaConfig, now: Now) {
    lma.take_over(&mut Description::new(config), now);
    count_on(lma, now);
}

/// Until what is held of new pools is counted.
fn count_on(lma: &mut Lma, now: Now) {
    while lma.is_sweeping() {
        assert_eq!(handle(lma, Event::Sweep, now), []);
    }
}

fn pool(prefix: &str, delegated_len: u8) -> PoolConfig {
    PoolConfig::new(prefix.parse().expect("a prefix"), delegated_len)
}

fn prefix_of(lma: &Lma, n: u32) -> HomePrefix {
    lma.cache().of_node(&node(n)).next().expect("a session").hnp[0]
}

fn used(lma: &Lma) -> Vec<u64> {
    lma.pools().map(|p| p.used).collect()
}

#[test]
fn session_keeps_its_prefix_when_its_pool_goes_and_new_ones_are_of_the_new_pool() {
    let mut lma = lma();
    handle(&mut lma, pbu(1, 1, None, 100), at(0));
    let old = prefix_of(&lma, 1);
    let mut config = config(Policy::new(Some(profile())));
    config.pools = vec![pool("2001:db8:b000::/48", 64)];
    reload(&mut lma, config, at(1));
    // Refreshed, with what it has.
    assert_eq!(status(&handle(&mut lma, pbu(1, 2, Some(old), 100), at(2))), Some(Status(0)));
    assert_eq!(prefix_of(&lma, 1), old);
    handle(&mut lma, pbu(2, 1, None, 100), at(2));
    assert_eq!(prefix_of(&lma, 2).to_string(), "2001:db8:b000::/64");
    assert_eq!(used(&lma), [1]);
    // The pool comes back while it is held, larger, and does not give it out again.
    let mut config = super::config(Policy::new(Some(profile())));
    config.pools = vec![pool("2001:db8:a000::/44", 64)];
    reload(&mut lma, config, at(3));
    assert_eq!(used(&lma), [1]);
    handle(&mut lma, pbu(3, 1, None, 100), at(3));
    assert_eq!(prefix_of(&lma, 3).to_string(), "2001:db8:a000:1::/64");
}

#[test]
fn prefix_that_was_a_nodes_own_is_not_given_out_while_the_node_has_it() {
    let own: HomePrefix = "2001:db8:a000::/64".parse().expect("a prefix");
    let mut policy = Policy::new(Some(profile()));
    policy.insert(node(1), profile(), &[own]);
    let mut lma = Lma::new(config(policy));
    handle(&mut lma, pbu(1, 1, None, 100), at(0));
    assert_eq!((prefix_of(&lma, 1), used(&lma)), (own, vec![1]));
    reload(&mut lma, config(Policy::new(Some(profile()))), at(1));
    handle(&mut lma, pbu(2, 1, None, 100), at(1));
    assert_eq!(
        (prefix_of(&lma, 2).to_string(), used(&lma)),
        ("2001:db8:a000:1::/64".into(), vec![2])
    );
    // The other way round: what becomes a node's own while another one has it.
    let mut policy = Policy::new(Some(profile()));
    policy.insert(node(3), profile(), &[own]);
    reload(&mut lma, config(policy), at(2));
    assert_eq!(status(&handle(&mut lma, pbu(3, 1, Some(own), 100), at(2))), Some(Status(155)));
    handle(&mut lma, pbu(3, 2, None, 100), at(2));
    assert_eq!(prefix_of(&lma, 3).to_string(), "2001:db8:a000:2::/64");
}

// proves: PMIP6-5.3.1-7
#[test]
fn gateway_that_is_named_no_more_registers_nobody_and_its_sessions_end_by_themselves() {
    let mut lma = lma();
    handle(&mut lma, pbu(1, 1, None, 100), at(0));
    let hnp = prefix_of(&lma, 1);
    let mut without = config(Policy::new(Some(profile())));
    without.mags = vec![MagConfig::new(MAG2)];
    reload(&mut lma, without.clone(), at(1));
    let known = |lma: &Lma| {
        let known = lma.mags().map(|m| (m.address, m.authorized, m.configured, m.usage.bindings));
        known.collect::<Vec<_>>()
    };
    assert_eq!(known(&lma), [(MAG, false, false, 1), (MAG2, true, true, 0)]);
    let refused = handle(&mut lma, pbu(1, 2, Some(hnp), 100), at(2));
    assert_eq!((status(&refused), lma.cache().len()), (Some(Status(154)), 1));
    let mut actions = Vec::new();
    lma.handle_timeout(at(401), &mut actions);
    assert!(actions.contains(&Action::Publish(Publication::Withdraw(hnp.into()))));
    assert_eq!(known(&lma), [(MAG2, true, true, 0)]);
}

#[test]
fn what_operators_said_of_a_gateway_holds_until_the_next_start() {
    let mut lma = lma();
    handle(&mut lma, Event::MagDel(MAG), at(0));
    handle(&mut lma, Event::MagAdd(MAG2), at(0));
    reload(&mut lma, config(Policy::new(Some(profile()))), at(1));
    let authorized: Vec<_> = lma.mags().map(|m| (m.address, m.authorized)).collect();
    assert_eq!(authorized, [(MAG, false), (MAG2, true)]);
}

#[test]
fn heartbeats_begin_with_the_reload_that_wants_them_and_end_with_the_one_that_does_not() {
    let mut lma = lma();
    handle(&mut lma, pbu(1, 1, None, 1000), at(0));
    let state = |lma: &Lma| lma.mags().next().expect("the gateway").peer.state;
    assert_eq!(state(&lma), PeerState::Idle);
    let mut asked = config(Policy::new(Some(profile())));
    asked.mags[0].peer = PeerConfig { heartbeat: true, ..PeerConfig::default() };
    reload(&mut lma, asked, at(1));
    let mut actions = Vec::new();
    lma.handle_timeout(at(1), &mut actions);
    assert!(matches!(actions.as_slice(), [Action::Send { .. }]), "{actions:?}");
    assert_eq!(state(&lma), PeerState::Asked);
    reload(&mut lma, config(Policy::new(Some(profile()))), at(2));
    actions.clear();
    lma.handle_timeout(at(61), &mut actions);
    assert_eq!((actions, state(&lma)), (vec![], PeerState::Idle));
}

#[test]
fn customer_that_is_gone_and_comes_back_counts_the_sessions_that_it_has() {
    let acme = CustomerId(1);
    let customer = |most| CustomerConfig {
        realms: vec!["example.org".into()],
        policy: Policy::new(Some(profile())),
        max_bindings: most,
        ..CustomerConfig::default()
    };
    let with = |most| {
        let mut config = config(Policy::new(None));
        config.customers.push(customer(most));
        config.pools[0].customer = acme;
        config
    };
    let mut lma = Lma::new(with(10));
    handle(&mut lma, pbu(1, 1, None, 1000), at(0));
    handle(&mut lma, pbu(2, 1, None, 1000), at(0));
    reload(&mut lma, config(Policy::new(None)), at(1));
    let hnp = prefix_of(&lma, 1);
    assert_eq!(status(&handle(&mut lma, pbu(1, 2, Some(hnp), 100), at(2))), Some(Status(153)));
    assert_eq!(lma.cache().len(), 2);
    handle(&mut lma, Event::AdminDelete { mn_id: node(2), prefix: None, customer: None }, at(3));
    reload(&mut lma, with(1), at(4));
    assert_eq!(lma.customers().nth(1), Some((acme, 1, 1)));
    assert_eq!(status(&handle(&mut lma, pbu(3, 1, None, 100), at(5))), Some(Status(130)));
    assert_eq!(status(&handle(&mut lma, pbu(1, 3, Some(hnp), 100), at(6))), Some(Status(0)));
    // The same if it comes back after a restart without it.
    let mut new = Lma::new(config(Policy::new(None)));
    for bce in stored(&lma) {
        new.restore(bce, at(7), &mut Vec::new()).expect("taken up");
    }
    reload(&mut new, with(1), at(8));
    assert_eq!(new.customers().nth(1), Some((acme, 1, 1)));
}

/// A choice of what the operator may write, by a number.
fn any_config(choice: u32) -> LmaConfig {
    let mut policy = Policy::new((choice & 1 == 0).then(profile));
    for n in 0..4 {
        if choice & (2 << n) != 0 {
            let own = format!("2001:db8:a000:{}::/64", (choice >> 8 & 1) + n);
            policy.insert(node(n), profile(), &[own.parse().expect("a prefix")]);
        }
    }
    let pools = match choice >> 5 & 7 {
        0 => vec![],
        1 => vec![pool("2001:db8:a000::/60", 64)],
        2 => vec![pool("2001:db8:a000:8::/61", 64), pool("2001:db8:a000::/61", 64)],
        3 => vec![pool("2001:db8:a000::/60", 62)],
        4 => vec![pool("2001:db8:b000::/60", 64), pool("2001:db8:a000::/60", 66)],
        5 => vec![pool("2001:db8:a000::/48", 56)],
        _ => vec![pool("2001:db8:a000::/61", 64)],
    };
    let mags = if (choice >> 9).is_multiple_of(4) { MAG2 } else { MAG };
    let max_bindings = if choice >> 11 & 1 == 0 { usize::MAX } else { 3 };
    let mut config = LmaConfig { pools, mags: vec![MagConfig::new(mags)], ..config(policy) };
    config.customers[0].max_bindings = max_bindings;
    config
}

/// What anybody holds is nobody else's, and everything that is counted adds up.
fn adds_up(lma: &Lma) -> Result<(), TestCaseError> {
    let (rows, _) = lma.cache().page(0, usize::MAX);
    let sessions: Vec<&Bce> = rows.map(|(_, b)| b).collect();
    let held: Vec<HomePrefix> = sessions.iter().flat_map(|b| b.hnp.iter().copied()).collect();
    for (n, one) in held.iter().enumerate() {
        let other = held[n + 1..].iter().find(|o| o.covers(*one) || one.covers(**o));
        prop_assert_eq!(other, None, "{} is held twice", one);
    }
    for pool in lma.pools() {
        let shift = 128 - u32::from(pool.delegated_len);
        let last = |p: HomePrefix| p.bits() | !HomePrefix::mask(p.len());
        let (begin, end) = (pool.prefix.bits(), last(pool.prefix));
        let inside = |p: HomePrefix| (last(p).min(end) + 1).saturating_sub(p.bits().max(begin));
        let addresses: u128 = held.iter().map(|p| inside(*p)).sum();
        prop_assert_eq!(u128::from(pool.used), addresses >> shift, "{}", pool.prefix);
    }
    let serves = |m: Ipv6Addr| sessions.iter().filter(|b| b.proxy_coa.0 == m).count();
    for mag in lma.mags() {
        prop_assert_eq!(mag.usage.bindings, serves(mag.address));
    }
    prop_assert!(sessions.iter().all(|b| lma.knows_mag(b.proxy_coa.0)));
    prop_assert_eq!(lma.customers().map(|(_, n, _)| n).sum::<usize>(), sessions.len());
    Ok(())
}

proptest! {
    #[test]
    fn no_reload_loses_a_session_nor_gives_a_prefix_to_two(
        ops in prop::collection::vec((0..4_u8, 0..12_u32, any::<u32>()), 1..120),
    ) {
        let mut lma = Lma::new(any_config(0x20));
        for (step, (op, n, choice)) in (1_u16..).zip(ops) {
            let now = at(u64::from(step));
            let hnp = lma.cache().of_node(&node(n)).next().map(|b| b.hnp[0]);
            match op {
                0 => {
                    let before = stored(&lma);
                    let due = lma.poll_timeout();
                    lma.take_over(&mut Description::new(any_config(choice)), now);
                    prop_assert_eq!(stored(&lma), before);
                    prop_assert_eq!(lma.poll_timeout(), due);
                    // Sometimes what follows comes before all is counted.
                    if choice >> 12 & 1 == 0 {
                        count_on(&mut lma, now);
                    }
                }
                1 => drop(handle(&mut lma, pbu(n, step, hnp, 0), now)),
                _ => drop(handle(&mut lma, pbu(n, step, hnp, 20), now)),
            }
            lma.handle_timeout(now, &mut Vec::new());
            if !lma.is_sweeping() {
                adds_up(&lma)?;
            }
        }
        count_on(&mut lma, at(1000));
        adds_up(&lma)?;
        lma.handle_timeout(at(10_000), &mut Vec::new());
        prop_assert_eq!((lma.cache().len(), used(&lma).iter().sum::<u64>()), (0, 0));
    }
}
