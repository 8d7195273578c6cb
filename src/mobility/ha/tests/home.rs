//! Home registration, refresh, movement, return home, expiry (RFC 6275 10.3).

use super::*;
use crate::mobility::mip4::HomeAgent4;

// proves: MIP6-8.4-1, MIP6-8.4-3, MIP6-8.4-7, MIP6-10.3.1-11, MIP6-10.3.1-12, MIP6-10.3.1-22
// proves: MIP6-10.3.1-23, MIP6-10.3.1-25, MIP6-10.3.1-27, MIP6-10.3.1-28, MIP6-10.3.1-29
// proves: MIP6-9.5.4-5, MIP6-9.5.4-10, MIP6-9.5.4-12, MIP6-10.3.1-35, MIP6-9.5.1-3
#[test]
fn home_registration_forwards_the_home_address_and_is_answered_when_that_is_in_force() {
    let mut w = World::new(config());
    let actions = w.bu(&Bu { seq: 40_000, flags: BuFlags::H | BuFlags::K, ..Bu::default() });
    let key = prefix("2001:db8:100::1234/128").into();
    let path = TunnelPath::ip(HA, COA);
    let id = w.binding(HOME).expect("a binding").id;
    assert_eq!(
        actions[..2],
        [
            Action::Publish(Publication::Forward(key, path, crate::addr::GreKeys::default())),
            Action::Persist(id)
        ]
    );
    assert!(matches!(&actions[2], Action::Reply { held: true, .. }), "{actions:?}");
    let ack = reply(&actions).expect("without the A flag, too");
    assert_eq!((ack.src, ack.dst, ack.home), (HA, COA, Some(HOME)));
    assert_eq!((ack.ack.status, ack.ack.seq), (Status::ACCEPTED, SeqNo(40_000)));
    // K: no security association moves by itself.
    assert_eq!((ack.ack.lifetime, ack.ack.flags.0), (Lifetime(150), 0));
    // The journal keeps it: no Binding Refresh Advice.
    assert_eq!(ack.options.iter().count(), 0);
    assert_eq!(noted(&actions), [AuditKind::Home(HomeAudit::Registered)]);
    assert!(w.binding(HOME).expect("there").flags.contains(BuFlags::H));
}

// proves: MIP6-6.1.8-3
#[test]
fn entry_lives_as_many_times_four_seconds_as_the_answer_says() {
    let mut w = World::new(config());
    let actions = w.bu(&Bu { lifetime: 15, ..Bu::default() });
    assert_eq!(reply(&actions).map(|a| a.ack.lifetime), Some(Lifetime(15)));
    w.wait(Duration::from_millis(59_900));
    assert!(w.binding(HOME).is_some());
    w.wait(Duration::from_millis(200));
    assert!(w.binding(HOME).is_none());
}

// proves: MIP6-9.5.1-4, MIP6-9.5.1-12, MIP6-9.5.4-3
#[test]
fn update_that_is_not_newer_is_refused_135_with_the_last_number_modulo_65536() {
    let mut w = World::new(config());
    assert_eq!(w.status(&Bu { seq: 15, ..Bu::default() }), Some(0));
    for seq in [15, 14, 0, 65535, 32783] {
        let actions = w.bu(&Bu { seq, src: COA2, ..Bu::default() });
        let ack = reply(&actions).expect("an answer").ack;
        assert_eq!((ack.status.0, ack.seq), (135, SeqNo(15)), "{seq}");
        assert!(matches!(&actions[0], Action::Reply { held: false, .. }));
        assert_eq!(published(&actions), [""; 0]);
    }
    assert_eq!(w.binding(HOME).map(|b| b.care_of), Some(COA));
    assert_eq!(w.status(&Bu { seq: 32782, src: COA2, ..Bu::default() }), Some(0));
    assert_eq!(w.status(&Bu { seq: 13, src: COA, ..Bu::default() }), Some(0), "it wrapped");
}

// proves: MIP6-8.4-5, MIP6-9.5.1-18
#[test]
fn movement_changes_the_tunnel_and_refresh_changes_nothing_that_is_forwarded() {
    let mut w = World::new(config());
    w.bu(&Bu::default());
    let actions = w.bu(&Bu { seq: 2, ..Bu::default() });
    assert_eq!(
        (published(&actions), noted(&actions)),
        (vec![], vec![AuditKind::Home(HomeAudit::Refreshed)])
    );
    let options = vec![MobilityOption::AlternateCoa(COA2)];
    let actions = w.bu(&Bu { seq: 3, options, ..Bu::default() });
    assert_eq!(published(&actions), [format!("{HOME}/128 to {COA2}")]);
    assert_eq!(noted(&actions), [AuditKind::Home(HomeAudit::Moved)]);
    // 9.5.4: it goes to where the update came from.
    assert_eq!(reply(&actions).map(|a| a.dst), Some(COA));
}

// proves: MIP6-9.5.3-1, MIP6-10.3.2-4, MIP6-10.3.2-5, MIP6-10.3.2-6, MIP6-10.3.2-7, MIP6-10.3.2-8
// proves: MIP6-6.1.7-7, MIP6-10.3.2-10, MIP6-10.3.2-11, MIP6-9.5.3-2
#[test]
fn return_home_ends_forwarding_at_once_and_an_update_sent_before_comes_too_late() {
    let mut w = World::new(config());
    w.bu(&Bu::default());
    let actions = w.bu(&Bu { seq: 3, lifetime: 0, ..Bu::default() });
    assert_eq!(published(&actions), [format!("{HOME}/128 gone")]);
    let ack = reply(&actions).expect("an answer");
    assert_eq!((ack.ack.status, ack.ack.seq), (Status::ACCEPTED, SeqNo(3)));
    assert_eq!((ack.ack.lifetime, ack.options.iter().count()), (Lifetime::ZERO, 0));
    assert_eq!(w.status(&Bu { seq: 2, ..Bu::default() }), Some(135), "the refresh was delayed");
    assert_eq!(w.status(&Bu { seq: 4, lifetime: 0, ..Bu::default() }), Some(133), "there is none");
    w.wait(Duration::from_secs(10));
    assert_eq!(w.binding(HOME), None);
    assert_eq!(w.status(&Bu { seq: 2, ..Bu::default() }), Some(0), "any number begins");
}

// proves: MIP6-6.1-3, MIP6-9.5.4-6, MIP6-6.1.7-5
#[test]
fn answer_goes_where_the_update_came_from_whatever_is_bound_and_reserved_bits_mean_nothing() {
    let mut w = World::new(config());
    let reserved = BuFlags(BuFlags::A.0 | BuFlags::H.0 | 0x003f);
    assert_eq!(w.status(&Bu { flags: reserved, ..Bu::default() }), Some(0));
    let actions = w.bu(&Bu { src: COA2, ..Bu::default() });
    let ack = reply(&actions).expect("an answer");
    assert_eq!((ack.ack.status.0, ack.dst, ack.home), (135, COA2, Some(HOME)));
    assert_eq!(w.binding(HOME).map(|b| b.care_of), Some(COA), "as it was");
}

// proves: MIP6-10.3.2-1, MIP6-9.5.4-11, MIP6-9.5.1-19, MIP6-10.3.1-8
#[test]
fn node_at_home_may_leave_the_home_address_option_out() {
    let mut w = World::new(config());
    w.bu(&Bu::default());
    let actions = w.bu(&Bu { seq: 2, src: HOME, home: None, lifetime: 0, ..Bu::default() });
    let ack = reply(&actions).expect("an answer");
    assert_eq!((ack.dst, ack.home, ack.ack.status.0), (HOME, None, 0));
    assert_eq!(published(&actions), [format!("{HOME}/128 gone")]);
    // 10.3.1: what registers must have it.
    let options = vec![MobilityOption::AlternateCoa(COA)];
    let bu = Bu { seq: 9, src: HOME, home: None, options, ..Bu::default() };
    assert_eq!(noted(&w.bu(&bu)), [AuditKind::Home(HomeAudit::Ignored(Ignored::NoHomeAddress))]);
}

#[test]
fn care_of_address_that_is_the_home_address_ends_the_binding_whatever_the_lifetime() {
    let mut w = World::new(config());
    w.bu(&Bu::default());
    let actions = w.bu(&Bu { seq: 2, src: HOME, ..Bu::default() });
    assert_eq!(published(&actions), [format!("{HOME}/128 gone")]);
    assert_eq!(reply(&actions).map(|a| (a.ack.lifetime, a.home)), Some((Lifetime::ZERO, None)));
}

// proves: MIP6-10.3.1-16, MIP6-10.3.1-17, MIP6-10.3.1-18, MIP6-10.3.1-19, MIP6-10.3.1-21
// proves: MIP6-10.3.1-24, MIP6-9.6-1, MIP6-10.6.4-1, MIP6-6.1.7-6, MIP6-9.5.2-3
#[test]
fn lifetime_ends_with_the_prefix_and_status_1_tells_of_it() {
    let mut config = config();
    config.links[0].prefixes[0].valid_lifetime_s = Some(1003);
    config.links[0].prefixes[0].preferred_lifetime_s = Some(403);
    let mut w = World::new(config);
    let mut seq = 0;
    let mut granted = |w: &mut World, lifetime| {
        seq += 1;
        let actions = w.bu(&Bu { seq, lifetime, ..Bu::default() });
        reply(&actions).map(|a| (a.ack.status.0, a.ack.lifetime.0)).expect("an answer")
    };
    assert_eq!(granted(&mut w, 100), (0, 100));
    assert_eq!(granted(&mut w, 101), (1, 101), "deprecated before the end");
    assert_eq!(granted(&mut w, 900), (1, 250), "as long as the prefix is valid");
    w.wait(Duration::from_secs(500));
    assert_eq!(granted(&mut w, 10), (1, 10), "deprecated already");
    assert_eq!(granted(&mut w, 900), (1, 125));
    assert_eq!(published(&w.wait(Duration::from_millis(499_999))), [""; 0]);
    let actions = w.wait(Duration::from_millis(1));
    assert_eq!(published(&actions), [format!("{HOME}/128 gone")]);
    assert_eq!(noted(&actions), [AuditKind::Home(HomeAudit::Expired)]);
    assert_eq!(granted(&mut w, 10), (132, 0), "there is no such prefix any more");
}

// proves: MIP6-10.3.1-14, MIP6-10.3.1-15, MIP6-10.4.1-1, MIP6-10.4.1-2, MIP6-10.4.1-3
// proves: MIP6-10.3.1-34
#[test]
fn first_answer_waits_for_what_the_home_link_says_of_both_addresses() {
    let mut config = config();
    config.links[0].id = Some(LinkId(0));
    let mut w = World::new(config);
    let flags = BuFlags::A | BuFlags::H | BuFlags::L;
    let link = LinkId(0);
    let addresses = [HOME, "fe80::1234".parse().expect("an address")];
    let addresses = addresses.map(|address| LinkAddress { link, address });
    let actions = w.bu(&Bu { flags, ..Bu::default() });
    assert_eq!(actions, addresses.map(Action::ProbeHome));
    // Sent again meanwhile: nothing is asked twice.
    assert_eq!(w.bu(&Bu { flags, seq: 2, ..Bu::default() }), []);
    let free = |n: usize| Event::HomeProbed { address: addresses[n], taken: false };
    assert_eq!(w.event(free(1)), []);
    let actions = w.event(free(0));
    assert_eq!(published(&actions), [format!("{HOME}/128 to {COA}")]);
    let defended = actions.iter().filter(|a| matches!(a, Action::Defend { .. }));
    assert!(defended.eq(&addresses.map(|address| Action::Defend { address, router: false })));
    assert_eq!(reply(&actions).map(|a| (a.ack.status.0, a.ack.seq.0)), Some((0, 2)));
    // It has a binding: the next update is answered at once. Without L, one address is let go.
    let actions = w.bu(&Bu { seq: 3, ..Bu::default() });
    assert_eq!(actions[0], Action::Undefend(addresses[1]));
    assert_eq!(reply(&actions).map(|a| a.ack.status.0), Some(0));
    let actions = w.bu(&Bu { seq: 4, lifetime: 0, ..Bu::default() });
    assert_eq!(actions[1], Action::Undefend(addresses[0]));
    // It left again at once: somebody else may have come.
    assert_eq!(w.bu(&Bu { seq: 5, ..Bu::default() }), [Action::ProbeHome(addresses[0])]);
}

// RFC 6275 10.3.2: what the entry remembered ends with it.
#[test]
fn entry_of_a_node_that_came_home_is_not_kept_on_disk_when_its_address_is_taken_meanwhile() {
    let mut config = config();
    config.links[0].id = Some(LinkId(0));
    let mut w = World::new(config);
    let address = LinkAddress { link: LinkId(0), address: HOME };
    let probed = |taken| Event::HomeProbed { address, taken };
    w.bu(&Bu::default());
    w.event(probed(false));
    w.bu(&Bu { seq: 2, lifetime: 0, ..Bu::default() });
    let id = w.binding(HOME).expect("it remembers").id;
    w.bu(&Bu { seq: 3, ..Bu::default() });
    let actions = w.event(probed(true));
    assert_eq!(reply(&actions).map(|a| a.ack.status.0), Some(134));
    assert_eq!((actions[0].clone(), w.anchor.record(id).is_none()), (Action::Persist(id), true));
    // One that was never on it is not.
    w.bu(&Bu { seq: 4, ..Bu::default() });
    let actions = w.event(probed(true));
    assert!(!actions.iter().any(|a| matches!(a, Action::Persist(_))), "{actions:?}");
}

// proves: MIP6-10.3.1-15
#[test]
fn address_that_somebody_has_is_refused_134_and_silence_of_the_prober_130() {
    let mut config = config();
    config.links[0].id = Some(LinkId(0));
    let mut w = World::new(config);
    w.bu(&Bu::default());
    let address = LinkAddress { link: LinkId(0), address: HOME };
    let actions = w.event(Event::HomeProbed { address, taken: true });
    let ack = reply(&actions).expect("an answer");
    assert_eq!((ack.ack.status.0, ack.home), (134, Some(HOME)));
    assert_eq!((w.binding(HOME), w.anchor.ha().probing()), (None, 0));
    w.bu(&Bu::default());
    let actions = w.wait(Duration::from_secs(5));
    assert_eq!(reply(&actions).map(|a| a.ack.status.0), Some(130));
    assert_eq!((w.binding(HOME), w.anchor.poll_timeout()), (None, None));
    // An answer that nobody waits for.
    assert_eq!(w.event(Event::HomeProbed { address, taken: false }), []);
}

#[test]
fn restart_takes_up_what_was_registered_and_forgets_what_ended() {
    let mut w = World::new(config());
    w.bu(&Bu::default());
    let id = w.binding(HOME).expect("there").id;
    let record = w.anchor.record(id).expect("there");
    let kept = postcard::to_stdvec(&record).expect("encodes");
    let mut again = World::new(config());
    again.now.wall = MobTimestamp::from_unix(w.now.wall.to_unix() + Duration::from_secs(100));
    let mut actions = Vec::new();
    let record = postcard::from_bytes(&kept).expect("decodes");
    again.anchor.restore(record, again.now, &mut actions).expect("new");
    assert_eq!(published(&actions), [format!("{HOME}/128 to {COA}")]);
    assert_eq!(again.status(&Bu { seq: 1, ..Bu::default() }), Some(135), "it is known");
    assert!(again.wait(Duration::from_millis(499_999)).is_empty());
    assert_eq!(published(&again.wait(Duration::from_millis(1))).len(), 1, "what was left");
    let mut late = World::new(config());
    late.now.wall = MobTimestamp::from_unix(w.now.wall.to_unix() + Duration::from_secs(600));
    let mut actions = Vec::new();
    let record = postcard::from_bytes(&kept).expect("decodes");
    late.anchor.restore(record, late.now, &mut actions).expect("new");
    assert_eq!(actions, [Action::Persist(id)]);
}

// proves: MIP6-9.5.5-1
#[test]
fn node_whose_binding_is_about_to_end_is_asked_once_in_its_tunnel() {
    let mut w = World::new(HaConfig { refresh_requests: true, ..config() });
    w.bu(&Bu { lifetime: 20, ..Bu::default() });
    assert!(w.wait(Duration::from_secs(69)).is_empty());
    let actions = w.wait(Duration::from_secs(1));
    let [Action::Send { msg, .. }] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!((msg.src, msg.dst, msg.node), (HA, HOME, Some(CustomerId::default())));
    assert_eq!(msg.body, crate::mobility::message::PeerBody::RefreshRequest);
    w.bu(&Bu { seq: 2, lifetime: 20, ..Bu::default() });
    assert!(w.wait(Duration::from_secs(69)).is_empty(), "from the refresh on");
}

#[test]
fn another_configuration_brings_other_nodes_and_leaves_what_is_registered() {
    let mut w = World::new(config());
    w.bu(&Bu::default());
    let mut lma = crate::mobility::Description::new(lma_config());
    let nodes = vec![node(9, Some(HOME))];
    let mut ha =
        HomeAgent::new(HaConfig { nodes, max_lifetime: Duration::from_secs(40), ..config() });
    w.anchor.take_over(&mut lma, &mut ha, &mut HomeAgent4::default(), w.now);
    assert!(w.binding(HOME).is_some());
    assert_eq!(w.status(&Bu { seq: 2, ..Bu::default() }), Some(133), "it is another's now");
    w.wait(Duration::from_secs(600));
    let actions = w.bu(&Bu { seq: 1, ..Bu::default() });
    assert_eq!(reply(&actions).map(|a| a.ack.lifetime), Some(Lifetime(10)));
}
