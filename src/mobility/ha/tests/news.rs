//! Advertisements that nobody has asked for (RFC 6275 10.6.2), in virtual time.

use super::review::reload;
use super::*;

const HOUR: u32 = 3600;

/// A home link whose prefix is valid and preferred for so many seconds.
pub(super) fn lasting(valid: u32, preferred: u32) -> HaConfig {
    let mut config = config();
    config.links[0].prefixes[0].valid_lifetime_s = Some(valid);
    config.links[0].prefixes[0].preferred_lifetime_s = Some(preferred);
    config
}

/// What a node was told: the identifier, whether it had asked, where, and each prefix with its
/// lifetimes.
#[derive(Debug, PartialEq)]
pub(super) struct Heard {
    pub(super) id: u16,
    pub(super) solicited: bool,
    pub(super) dst: Ipv6Addr,
    pub(super) prefixes: Vec<(String, u32, u32)>,
}

pub(super) fn heard(actions: &[Action]) -> Vec<Heard> {
    let heard = |a: &Action| {
        let Action::SendIcmp(icmp) = a else { return None };
        assert_eq!((icmp.src, icmp.home), (HA, Some(HOME)));
        let HomeIcmpBody::PrefixAdvertisement { id, solicited, prefixes } = &icmp.body else {
            panic!("{icmp:?}")
        };
        let text =
            |p: &PrefixOffer| (p.prefix.to_string(), p.valid_lifetime_s, p.preferred_lifetime_s);
        let prefixes = prefixes.iter().map(text).collect();
        Some(Heard { id: *id, solicited: *solicited, dst: icmp.dst, prefixes })
    };
    actions.iter().filter_map(heard).collect()
}

/// Lets time pass until a node is told something, and for how long that took.
fn next(w: &mut World, most: Duration) -> Option<(Duration, Vec<Heard>)> {
    let begun = w.now.mono;
    while let Some(due) = w.anchor.poll_timeout().filter(|due| due.since(begun) <= most) {
        let all = heard(&w.wait(due.since(w.now.mono)));
        if !all.is_empty() {
            return Some((w.now.mono.since(begun), all));
        }
    }
    w.wait(most.saturating_sub(w.now.mono.since(begun)));
    None
}

fn ask(id: u16) -> Event {
    Event::PrefixSolicitation { src: COA, home: HOME, dst: HA, id, esp: false }
}

/// A node with a registration for three days whose link has just got other lifetimes, and has been
/// told so once.
fn told_once() -> World {
    let mut w = World::new(lasting(100 * HOUR, 90 * HOUR));
    w.bu(&Bu { lifetime: 60_000, ..Bu::default() });
    assert_eq!(heard(&reload(&mut w, lasting(200 * HOUR, 190 * HOUR))), []);
    let (_, all) = next(&mut w, Duration::from_secs(86_400)).expect("within the interval");
    assert_eq!(all.len(), 1);
    w
}

// proves: MIP6-10.3.1-36, MIP6-6.8-1, MIP6-10.6.2-1, MIP6-10.6.2-5, MIP6-10.6.2-6
#[test]
fn new_lifetimes_are_told_within_the_interval_and_again_after_3_6_and_12_seconds() {
    let mut w = World::new(lasting(100 * HOUR, 90 * HOUR));
    w.bu(&Bu { lifetime: 60_000, ..Bu::default() });
    w.wait(Duration::from_secs(100));
    reload(&mut w, lasting(200 * HOUR, 190 * HOUR));
    let pending = |w: &World| {
        let id = w.binding(HOME).expect("there").id;
        w.anchor.ha().pending(id).expect("something is due")
    };
    let due = pending(&w).due.since(w.now.mono);
    assert_eq!(pending(&w).unanswered, 0);
    let (passed, all) = next(&mut w, Duration::from_secs(86_400)).expect("it is told");
    assert_eq!(passed, due);
    assert!((600..86_400).contains(&passed.as_secs()), "{passed:?}");
    let gone = u32::try_from(passed.as_millis().div_ceil(1000)).expect("a day");
    let prefixes = vec![("2001:db8:100::/64".to_owned(), 200 * HOUR - gone, 190 * HOUR - gone)];
    assert_eq!(all, [Heard { id: 0, solicited: false, dst: COA, prefixes }]);
    let mut again = Vec::new();
    for unanswered in 1..4 {
        assert_eq!(pending(&w).unanswered, unanswered);
        let (passed, all) = next(&mut w, Duration::from_secs(100)).expect("again");
        assert_eq!((all.len(), all[0].solicited, all[0].dst), (1, false, COA));
        again.push(passed.as_secs());
    }
    assert_eq!(again, [3, 6, 12]);
    assert_eq!(next(&mut w, Duration::from_secs(86_400)), None, "not before the next interval");
}

// proves: MIP6-6.8-9, MIP6-10.6.2-5
#[test]
fn node_that_asks_has_heard_it_and_is_answered_a_second_later() {
    let mut w = told_once();
    assert_eq!(w.event(ask(7)), [], "it was told a moment ago");
    assert_eq!(w.event(ask(8)), []);
    let (passed, all) = next(&mut w, Duration::from_secs(3600)).expect("answered");
    assert_eq!((passed, all.len()), (Duration::from_secs(1), 1));
    assert_eq!((all[0].id, all[0].solicited, all[0].dst), (8, true, COA));
    assert_eq!(next(&mut w, Duration::from_secs(86_400)), None);
    // An update of a node that knows it all changes nothing.
    w.bu(&Bu { seq: 2, lifetime: 60_000, ..Bu::default() });
    assert_eq!(next(&mut w, Duration::from_secs(3600)), None);
}

#[test]
fn answer_that_is_due_is_not_put_off_by_a_change() {
    let mut w = told_once();
    assert_eq!(w.event(ask(7)), []);
    assert_eq!(heard(&reload(&mut w, lasting(300 * HOUR, 290 * HOUR))), []);
    let (passed, all) = next(&mut w, Duration::from_secs(3600)).expect("answered");
    assert_eq!((passed, all[0].id, all[0].solicited), (Duration::from_secs(1), 7, true));
    assert_eq!(all[0].prefixes[0].1, 300 * HOUR - 1);
}

#[test]
fn node_is_told_of_a_change_after_a_time_without_advertisements() {
    let mut w = World::new(lasting(100 * HOUR, 90 * HOUR));
    w.bu(&Bu { lifetime: 60_000, ..Bu::default() });
    let silent = HaConfig { prefix_advertisements: false, ..lasting(100 * HOUR, 90 * HOUR) };
    reload(&mut w, silent);
    assert_eq!(next(&mut w, Duration::from_secs(100_000)), None);
    reload(&mut w, lasting(200 * HOUR, 190 * HOUR));
    let (_, all) = next(&mut w, Duration::from_secs(86_400)).expect("it is told");
    assert_eq!((all.len(), all[0].solicited), (1, false));
}

// proves: MIP6-10.6.2-7
#[test]
fn node_without_a_registration_is_told_nothing_more() {
    let mut w = told_once();
    w.bu(&Bu { seq: 2, lifetime: 0, ..Bu::default() });
    assert_eq!(next(&mut w, Duration::from_secs(200_000)), None);
    // The same if it ends by itself.
    let mut w = told_once();
    w.bu(&Bu { seq: 2, lifetime: 1, ..Bu::default() });
    let (passed, _) = next(&mut w, Duration::from_secs(60)).expect("the update begins it anew");
    assert_eq!(passed, Duration::from_secs(1));
    assert_eq!(next(&mut w, Duration::from_secs(200_000)), None);
    assert!(w.binding(HOME).is_none());
}

// proves: MIP6-10.6.2-8
#[test]
fn update_of_a_node_that_has_not_answered_begins_it_anew_where_it_is() {
    let mut w = told_once();
    for _ in 0..3 {
        next(&mut w, Duration::from_secs(100)).expect("again");
    }
    assert_eq!(next(&mut w, Duration::from_secs(1000)), None);
    w.bu(&Bu { seq: 2, src: COA2, lifetime: 60_000, ..Bu::default() });
    let mut told = Vec::new();
    while let Some((passed, all)) = next(&mut w, Duration::from_secs(1000)) {
        assert_eq!((all.len(), all[0].dst), (1, COA2));
        told.push(passed.as_secs());
    }
    assert_eq!(told, [1, 3, 6, 12]);
}

// proves: MIP6-10.6.2-9, MIP6-10.3.1-36
#[test]
fn another_change_is_told_together_with_what_was_not_heard() {
    let with = |more: &[&str]| {
        let mut config = lasting(100 * HOUR, 90 * HOUR);
        config.links[0].id = Some(LinkId(3));
        let more = more.iter().map(|p| LinkPrefix {
            prefix: prefix(p),
            address: None,
            valid_lifetime_s: None,
            preferred_lifetime_s: None,
        });
        config.links[0].prefixes.extend(more);
        config
    };
    let mut w = World::new(with(&["2001:db8:200::/64"]));
    w.bu(&Bu { lifetime: 60_000, ..Bu::default() });
    let address = LinkAddress { link: LinkId(3), address: HOME };
    w.event(Event::HomeProbed { address, taken: false });
    reload(&mut w, with(&["2001:db8:300::/64"]));
    let day = Duration::from_secs(86_400);
    let known = |all: &[Heard]| {
        let known = all[0].prefixes.iter().map(|(p, valid, _)| (p[9..12].to_owned(), *valid > 0));
        known.collect::<Vec<_>>()
    };
    let pairs =
        |all: &[(&str, bool)]| all.iter().map(|(p, is)| ((*p).to_owned(), *is)).collect::<Vec<_>>();
    let (_, all) = next(&mut w, day).expect("told");
    assert_eq!(known(&all), pairs(&[("100", true), ("300", true), ("200", false)]));
    // Before it answers.
    reload(&mut w, with(&["2001:db8:300::/64", "2001:db8:400::/64"]));
    let (passed, all) = next(&mut w, day).expect("told");
    assert!(passed.as_secs() >= 600, "the old one is not sent any more");
    let both = pairs(&[("100", true), ("300", true), ("400", true), ("200", false)]);
    assert_eq!(known(&all), both);
}

#[test]
fn what_makes_addresses_deprecated_soon_is_told_at_once_one_node_after_the_other() {
    let mut nodes: Vec<_> = (1..200).map(|n| node(n, None)).collect();
    nodes[0].home_address = Some(HOME);
    let with = |preferred| HaConfig { nodes: nodes.clone(), ..lasting(100 * HOUR, preferred) };
    let mut w = World::new(with(90 * HOUR));
    let home = |n: u8| Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 1, n.into());
    for n in 1..200 {
        let name = mn_id(n);
        let id = MobilityOption::MnId(1, name.bytes());
        let home = if n == 1 { HOME } else { home(n) };
        w.bu(&Bu { home: Some(home), lifetime: 60_000, options: vec![id], ..Bu::default() });
    }
    assert_eq!(w.anchor.ha().cache().len(), 199);
    reload(&mut w, with(500));
    let mut actions = w.wait(Duration::from_millis(100));
    let sent =
        |actions: &[Action]| actions.iter().filter(|a| matches!(a, Action::SendIcmp(_))).count();
    assert_eq!(sent(&actions), 101, "one each millisecond");
    actions = w.wait(Duration::from_millis(100));
    assert_eq!(sent(&actions), 98, "all of them once");
}

#[test]
fn nodes_are_told_once_in_an_interval_at_different_times_and_never_twice_in_a_second() {
    let mut nodes: Vec<_> = (1..100).map(|n| node(n, None)).collect();
    nodes[0].home_address = Some(HOME);
    let max_advertisement_interval = Duration::from_secs(7200);
    let mut w = World::new(HaConfig { nodes, max_advertisement_interval, ..config() });
    for n in 2..100 {
        let name = mn_id(n);
        let id = MobilityOption::MnId(1, name.bytes());
        let home = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 1, n.into());
        w.bu(&Bu { home: Some(home), lifetime: 60_000, options: vec![id], ..Bu::default() });
    }
    let begun = w.now.mono;
    let mut last: BTreeMap<Ipv6Addr, Instant> = BTreeMap::new();
    let mut first = BTreeSet::new();
    while let Some(due) = w.anchor.poll_timeout().filter(|due| due.since(begun).as_secs() < 7300) {
        for action in w.wait(due.since(w.now.mono)) {
            let Action::SendIcmp(icmp) = action else { continue };
            match last.insert(icmp.home.expect("a routing header"), w.now.mono) {
                Some(before) => assert!(w.now.mono.since(before) >= Duration::from_secs(1)),
                None => drop(first.insert(w.now.mono.since(begun).as_secs() / 660)),
            }
        }
    }
    assert_eq!(last.len(), 98);
    assert!(first.len() >= 8 && !first.contains(&0), "{first:?}");
}
