use super::*;
use crate::addr::GreKeys;
use crate::sync::ring::{Consumer, ring};
use crate::sync::seq::{AppliedWriter, applied};

const LMA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

fn mag(n: u16) -> TunnelPath {
    TunnelPath::ip(LMA, Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, n))
}

fn hnp(n: u16) -> CustomerPrefix {
    let addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, n, 0, 0, 0, 0);
    HomePrefix::new(addr, 64).expect("valid").into()
}

fn prefix(text: &str) -> CustomerPrefix {
    text.parse::<HomePrefix>().expect("valid").into()
}

fn forward(prefix: CustomerPrefix, path: TunnelPath) -> Publication {
    Publication::Forward(prefix, path, KEYS)
}

/// The tunnel that packets to this address take, the newest of several.
fn tunnel_to(publisher: &Publisher, addr: Ipv6Addr) -> Option<TunnelPath> {
    Some(publisher.entry_of(OWN, addr)?.way?.paths.newest)
}

fn copied(prefix: CustomerPrefix, paths: &[TunnelPath]) -> Publication {
    Publication::Copy(prefix, TunnelPaths::new(paths.iter().copied()).expect("some"))
}

#[test]
fn what_stands_for_a_protected_tunnel_comes_after_it_and_goes_before_it() {
    let (mut publisher, mut ends) = publisher(1, 64);
    let mut told = |publisher: &mut Publisher, publication| {
        publisher.publish(publication);
        publisher.flush();
        ends[0].apply()
    };
    let protect = |n| Publication::Protect(hnp(n), mag(1), Protection::All);
    let (tunnel, part) = (TunnelId(0), TunnelId(1));
    let way = Forward::Tunnel(part, GreKeys::default());
    let first = told(&mut publisher, protect(1));
    let [Change::TunnelSet(t, _), set, .., entry] = first[..] else { panic!("{first:?}") };
    assert_eq!((t, set), (tunnel, Change::ProtectedSet(part, tunnel, Protection::All)));
    assert_eq!(entry, Change::EntrySet(hnp(1), way));
    let second = told(&mut publisher, protect(2));
    assert_eq!(second.last(), Some(&Change::EntrySet(hnp(2), way)), "shared: {second:?}");
    let addr = hnp(2).prefix.addr();
    assert_eq!(publisher.protection_of(OWN, addr), Some((Protection::All, mag(1).remote)));
    // Protected no more, then gone.
    let third = told(&mut publisher, forward(hnp(2), mag(1)));
    assert!(!third.contains(&Change::TunnelDel(part)), "{third:?}");
    assert_eq!(publisher.protection_of(OWN, addr), None);
    let fourth = told(&mut publisher, Publication::Withdraw(hnp(1)));
    assert_eq!(fourth.last(), Some(&Change::TunnelDel(part)));
    let last = told(&mut publisher, Publication::Withdraw(hnp(2)));
    assert_eq!(last.last(), Some(&Change::TunnelDel(tunnel)));
}

/// A home link at a port.
const LINK: &str = "2001:db8:6666::/64";
const OWN: CustomerId = CustomerId(0);
const KEYS: GreKeys = GreKeys { downlink: Some(7), uplink: None };

/// The far end of a lane: a worker that applies when it is told to.
struct FarEnd {
    updates: Consumer<Update>,
    applied: AppliedWriter,
}

impl FarEnd {
    fn apply(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        while let Some(update) = self.updates.pop() {
            self.applied.store(update.seq);
            changes.push(update.change);
        }
        changes
    }
}

fn publisher(workers: u16, ring_len: usize) -> (Publisher, Vec<FarEnd>) {
    let (mut lanes, mut ends) = (Vec::new(), Vec::new());
    for _ in 0..workers {
        let (updates, updates_rx) = ring(ring_len);
        let (writer, reader) = applied();
        lanes.push(Lane::new(updates, reader));
        ends.push(FarEnd { updates: updates_rx, applied: writer });
    }
    let by_mag = [(mag(1).remote, 1460)].into_iter().collect();
    let mtu = TunnelMtu { by_mag, default: 1400, learnt: HashMap::new() };
    let mut publisher = Publisher::new(lanes, Steering::new(workers), mtu, vec![prefix(LINK)], 0);
    publisher.set_pools(&[prefix("2001:db8:100::/40")]);
    for end in &mut ends {
        end.apply();
    }
    (publisher, ends)
}

#[test]
fn prefix_outside_the_pools_is_one_by_itself_while_it_is_held() {
    let (mut publisher, mut ends) = publisher(1, 64);
    let own = prefix("2001:db8:5555::/64");
    publisher.publish(forward(own, mag(1)));
    publisher.publish(forward(own, mag(2)));
    publisher.publish(Publication::Hold(own));
    let set = ends[0].apply().iter().filter(|c| **c == Change::PoolSet(own)).count();
    publisher.publish(Publication::Withdraw(own));
    let deleted = ends[0].apply().iter().filter(|c| **c == Change::PoolDel(own)).count();
    assert_eq!((set, deleted), (1, 1));
}

#[test]
fn pool_that_is_configured_no_more_goes_with_its_last_entry_and_one_that_comes_back_stays() {
    let (mut publisher, mut ends) = publisher(1, 64);
    let (pool, other) = (prefix("2001:db8:100::/40"), prefix("2001:db8:8000::/40"));
    publisher.publish(forward(hnp(1), mag(1)));
    publisher.publish(forward(hnp(2), mag(1)));
    let mut told = || {
        let changes = ends[0].apply().into_iter();
        let of_pools = |c: &Change| matches!(c, Change::PoolSet(_) | Change::PoolDel(_));
        changes.filter(of_pools).collect::<Vec<_>>()
    };
    assert_eq!(told(), []);
    publisher.set_pools(&[other]);
    publisher.publish(Publication::Withdraw(hnp(1)));
    assert_eq!(told(), [Change::PoolSet(other)]);
    publisher.publish(Publication::Withdraw(hnp(2)));
    assert_eq!(told(), [Change::PoolDel(pool)]);
    publisher.set_pools(&[other, pool]);
    publisher.publish(forward(hnp(1), mag(1)));
    publisher.set_pools(&[]);
    publisher.set_pools(&[pool]);
    publisher.publish(Publication::Withdraw(hnp(1)));
    assert_eq!(told(), [Change::PoolSet(pool), Change::PoolDel(other)]);
}

#[test]
fn prefix_by_itself_and_a_pool_of_the_same_extent_stay_until_both_are_gone() {
    let (mut publisher, mut ends) = publisher(1, 64);
    let (pool, own) = (prefix("2001:db8:100::/40"), prefix("2001:db8:5555::/64"));
    let mut deleted = || ends[0].apply().iter().filter(|c| **c == Change::PoolDel(own)).count();
    for entry_first in [true, false] {
        publisher.publish(forward(own, mag(1)));
        publisher.set_pools(&[pool, own]);
        if entry_first {
            publisher.publish(Publication::Withdraw(own));
            assert_eq!(deleted(), 0);
            publisher.set_pools(&[pool]);
        } else {
            publisher.set_pools(&[pool]);
            assert_eq!(deleted(), 0);
            publisher.publish(Publication::Withdraw(own));
        }
        assert_eq!(deleted(), 1);
    }
}

// proves: DSMIP4-3.3.1-1
#[test]
fn routers_are_told_of_what_is_held_outside_of_pools_and_home_links_while_it_is() {
    let (mut publisher, _ends) = publisher(1, 256);
    let (pool, own, link) = (prefix("2001:db8:100::/40"), prefix("2001:db8:5555::/56"), LINK);
    let on_link = prefix(&link.replace("::/64", "::7/128"));
    for entry in [own, hnp(1), on_link] {
        publisher.publish(forward(entry, mag(1)));
    }
    assert_eq!(publisher.outside().batch(), [(own, true)]);
    publisher.publish(forward(own, mag(2)));
    publisher.publish(Publication::Hold(own));
    assert_eq!(publisher.outside().batch(), [], "it moves, it waits");
    publisher.set_pools(&[pool, own]);
    assert_eq!(publisher.outside().batch(), [(own, false)], "it is a pool's");
    publisher.set_pools(&[pool]);
    assert_eq!(publisher.outside().batch(), [(own, true)]);
    publisher.set_pools(&[]);
    assert_eq!(publisher.outside().batch(), [(pool, true)], "a node is in it still");
    for entry in [own, hnp(1), on_link] {
        publisher.publish(Publication::Withdraw(entry));
    }
    assert_eq!(publisher.outside().batch(), [(pool, false), (own, false)]);
}

#[test]
fn tunnel_that_there_is_gets_the_mtu_of_another_configuration() {
    let (mut publisher, mut ends) = publisher(1, 64);
    publisher.publish(forward(hnp(1), mag(1)));
    publisher.publish(forward(hnp(2), mag(2)));
    ends[0].apply();
    publisher.set_mtu([(mag(1).remote, 1300)].into_iter().collect());
    let Some(slot) = publisher.tunnels.get(&mag(1)) else { panic!("it is in use") };
    let tunnel = Tunnel { path: mag(1), mtu: 1300 };
    assert_eq!(ends[0].apply(), [Change::TunnelSet(slot.id, tunnel)]);
}

#[test]
fn frame_that_waited_is_due_only_while_its_gateway_serves_the_node() {
    let (mut publisher, _ends) = publisher(1, 64);
    let acme = CustomerId(4);
    let address = prefix("10.0.0.7/32").prefix;
    publisher.publish(forward(address.of(acme), mag(1)));
    let to = |remote| Tunneled { local: LMA, remote, inner_dst: address.addr() };
    assert!(publisher.serves(&to(mag(1).remote)));
    assert!(!publisher.serves(&to(mag(2).remote)));
    publisher.publish(forward(address.into(), mag(2)));
    assert!(publisher.serves(&to(mag(2).remote)), "another customer's node of this address");
    publisher.publish(Publication::Withdraw(address.of(acme)));
    assert!(!publisher.serves(&to(mag(1).remote)));
}

#[test]
fn gateway_is_a_customers_as_long_as_it_has_no_other_nodes_without_keys() {
    let (mut publisher, mut ends) = publisher(1, 64);
    let mut origins = |publisher: &mut Publisher, publication| {
        publisher.publish(publication);
        let changes = ends[0].apply();
        let is_origin = |c: &Change| matches!(c, Change::OriginSet(..) | Change::OriginDel(_));
        changes.into_iter().filter(is_origin).collect::<Vec<_>>()
    };
    let (acme, beta) = (CustomerId(1), CustomerId(2));
    let address = prefix("10.0.0.7/32").prefix;
    let keyed = GreKeys { downlink: Some(7), uplink: Some(8) };
    let at = mag(1).remote;
    let set = Change::OriginSet(at, acme);
    assert_eq!(origins(&mut publisher, forward(address.of(acme), mag(1))), [set]);
    assert_eq!(origins(&mut publisher, forward(hnp(1).prefix.of(acme), mag(1))), []);
    let with_key = Publication::Forward(address.of(beta), mag(1), keyed);
    assert_eq!(origins(&mut publisher, with_key), [], "its key tells it apart");
    let without = forward(address.of(beta), mag(1));
    assert_eq!(origins(&mut publisher, without), [Change::OriginDel(at)], "whose is unclear");
    assert_eq!(origins(&mut publisher, Publication::Hold(address.of(beta))), [set]);
    assert_eq!(origins(&mut publisher, Publication::Withdraw(address.of(acme))), []);
    let moved = forward(hnp(1).prefix.of(acme), mag(2));
    let there = Change::OriginSet(mag(2).remote, acme);
    assert_eq!(origins(&mut publisher, moved), [there, Change::OriginDel(at)]);
    assert_eq!(origins(&mut publisher, forward(hnp(2), mag(3))), [], "the operator's own");
}

#[test]
fn longest_prefix_says_which_tunnel_an_address_takes() {
    let (mut publisher, _ends) = publisher(1, 64);
    let wide = prefix("2001:db8:100::/48");
    publisher.publish(forward(wide, mag(1)));
    publisher.publish(forward(hnp(7), mag(2)));
    assert_eq!(tunnel_to(&publisher, hnp(6).prefix.addr()), Some(mag(1)));
    assert_eq!(tunnel_to(&publisher, hnp(7).prefix.addr()), Some(mag(2)));
    publisher.publish(Publication::Hold(hnp(7)));
    assert_eq!(tunnel_to(&publisher, hnp(7).prefix.addr()), None);
    assert_eq!(tunnel_to(&publisher, LMA), None);
}

// proves: PMIP6-5.3.2-8, PMIP6-5.3.2-9, PMIP6-5.3.2-10, PMIP6-5.6.1-3, PMIP6-5.6.1-4
// proves: PMIP6-5.6.1-5, PMIP6-5.6.1-6
#[test]
fn tunnel_comes_before_its_first_entry_and_goes_after_its_last() {
    let (mut publisher, mut ends) = publisher(1, 64);
    for n in [1, 2] {
        publisher.publish(forward(hnp(n), mag(1)));
    }
    publisher.publish(Publication::Withdraw(hnp(1)));
    let id = TunnelId(0);
    let tunnel = Tunnel { path: mag(1), mtu: 1460 };
    let expected = [
        Change::TunnelSet(id, tunnel),
        Change::EntrySet(hnp(1), Forward::Tunnel(id, KEYS)),
        Change::EntrySet(hnp(2), Forward::Tunnel(id, KEYS)),
        Change::EntryDel(hnp(1)),
    ];
    assert_eq!(ends[0].apply(), expected);
    publisher.publish(Publication::Hold(hnp(2)));
    let expected = [Change::EntrySet(hnp(2), Forward::Held), Change::TunnelDel(id)];
    assert_eq!(ends[0].apply(), expected);
}

// proves: PMIP6-5.3.4-3, PMIP6-5.3.4-5
#[test]
fn handoff_moves_the_entry_before_the_old_tunnel_goes() {
    let (mut publisher, mut ends) = publisher(1, 64);
    publisher.publish(forward(hnp(1), mag(1)));
    ends[0].apply();
    publisher.publish(forward(hnp(1), mag(2)));
    let changes = ends[0].apply();
    assert!(
        matches!(
            changes.as_slice(),
            [
                Change::TunnelSet(TunnelId(1), Tunnel { mtu: 1400, .. }),
                Change::EntrySet(_, Forward::Tunnel(TunnelId(1), KEYS)),
                Change::TunnelDel(TunnelId(0)),
            ]
        ),
        "{changes:?}"
    );
}

#[test]
fn refresh_through_the_same_gateway_keeps_the_tunnel() {
    let (mut publisher, mut ends) = publisher(1, 64);
    publisher.publish(forward(hnp(1), mag(1)));
    publisher.publish(forward(hnp(1), mag(1)));
    let changes = ends[0].apply();
    assert!(!changes.iter().any(|c| matches!(c, Change::TunnelDel(_))), "{changes:?}");
    publisher.publish(Publication::Withdraw(hnp(1)));
    assert_eq!(ends[0].apply(), [Change::EntryDel(hnp(1)), Change::TunnelDel(TunnelId(0))]);
}

#[test]
fn tunnel_id_is_used_again_only_when_every_worker_has_applied_its_removal() {
    let (mut publisher, mut ends) = publisher(2, 64);
    publisher.publish(forward(hnp(1), mag(1)));
    publisher.publish(Publication::Withdraw(hnp(1)));
    ends[0].apply();
    publisher.flush();
    publisher.publish(forward(hnp(2), mag(2)));
    assert_eq!(publisher.tunnels[&mag(2)].id, TunnelId(1), "worker 1 is behind");
    ends[0].apply();
    ends[1].apply();
    publisher.flush();
    publisher.publish(forward(hnp(3), mag(3)));
    assert_eq!(publisher.tunnels[&mag(3)].id, TunnelId(0));
}

#[test]
fn only_the_owner_learns_of_an_entry_and_everybody_of_a_short_prefix() {
    let (mut publisher, mut ends) = publisher(2, 64);
    publisher.publish(forward(hnp(1), mag(1)));
    let short = prefix("2001:db8:200::/56");
    publisher.publish(forward(short, mag(1)));
    let changes: Vec<_> = ends.iter_mut().map(FarEnd::apply).collect();
    let learned = |changes: &[Change], prefix| {
        changes.iter().any(|c| matches!(c, Change::EntrySet(p, _) if *p == prefix))
    };
    assert!(learned(&changes[0], hnp(1)) != learned(&changes[1], hnp(1)));
    assert!(learned(&changes[0], short) && learned(&changes[1], short));
    assert_eq!(publisher.ask_counters(short, 7), 2);
    assert_eq!(publisher.ask_counters(hnp(1), 8), 1);
}

#[test]
fn full_ring_keeps_every_change_in_order() {
    let (mut publisher, mut ends) = publisher(1, 3);
    for n in 0..20 {
        publisher.publish(forward(hnp(n), mag(1)));
    }
    assert!(publisher.is_backlogged());
    assert_eq!(publisher.backlog_len(), 18);
    let barrier = publisher.last_seq();
    let mut prefixes = Vec::new();
    while !publisher.in_force(barrier) {
        for change in ends[0].apply() {
            if let Change::EntrySet(prefix, _) = change {
                prefixes.push(prefix);
            }
        }
        publisher.flush();
    }
    assert_eq!(prefixes, (0..20).map(hnp).collect::<Vec<_>>());
    assert!(!publisher.is_backlogged());
}

#[test]
fn barrier_is_down_only_when_the_slowest_worker_has_applied() {
    let (mut publisher, mut ends) = publisher(2, 64);
    publisher.broadcast(Change::PoolSet(hnp(0)));
    let barrier = publisher.last_seq();
    ends[0].apply();
    publisher.flush();
    assert!(!publisher.in_force(barrier));
    publisher.broadcast(Change::PoolDel(hnp(0)));
    ends[1].updates.pop();
    ends[1].applied.store(barrier);
    publisher.flush();
    assert!(publisher.in_force(barrier));
    assert!(!publisher.in_force(publisher.last_seq()));
}

#[test]
fn copies_come_behind_their_tunnels_and_go_before_them() {
    let (mut publisher, mut ends) = publisher(1, 64);
    let mut changes = |publisher: &mut Publisher, publication| {
        publisher.publish(publication);
        publisher.flush();
        ends[0].apply()
    };
    let id = |n| Some(TunnelId(n));
    let first = changes(&mut publisher, copied(hnp(1), &[mag(1), mag(2)]));
    let expected = Change::CopiesSet(TunnelId(2), [id(0), id(1), None, None]);
    assert!(matches!(first[..2], [Change::TunnelSet(TunnelId(0), _), Change::TunnelSet(..)]));
    assert_eq!(first[2], expected);
    let keys = GreKeys::default();
    assert_eq!(first[3], Change::EntrySet(hnp(1), Forward::Tunnel(TunnelId(2), keys)));
    // Another prefix takes the same.
    let second = changes(&mut publisher, copied(hnp(2), &[mag(1), mag(2)]));
    assert_eq!(second, [Change::EntrySet(hnp(2), Forward::Tunnel(TunnelId(2), keys))]);
    assert!(changes(&mut publisher, Publication::Withdraw(hnp(2))).len() == 1);
    assert_eq!(tunnel_to(&publisher, hnp(1).prefix.addr()), Some(mag(1)), "the newest");
    let alone = changes(&mut publisher, forward(hnp(1), mag(2)));
    let dels: Vec<_> = alone[1..].to_vec();
    assert_eq!(dels, [Change::TunnelDel(TunnelId(2)), Change::TunnelDel(TunnelId(0))]);
    assert!(matches!(alone[0], Change::EntrySet(_, Forward::Tunnel(TunnelId(1), _))));
}
