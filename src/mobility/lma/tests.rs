//! Tests of [`super`] beyond the conformance cases: restart, bounds, listings.

mod reload;

use super::*;
use crate::addr::{Encap, GreKey, GreKeys, HomePrefix, TunnelPath};
use crate::mobility::action::Publication;
use crate::mobility::assign::ENTRIES_MAX;
use crate::mobility::binding::{Bce, BceState};
use crate::mobility::config::{MagConfig, Policy, PoolConfig, Profile, Source};
use crate::mobility::message::{OwnedOptions, Transport};
use crate::time::{Duration, Lifetime, MobTimestamp};
use crate::wire::mh::{
    AccessNetworkId, AccessTech, BindingUpdate, BuFlags, HandoffIndicator, Ipv4Home,
    MobilityOption, SeqNo,
};
use std::net::Ipv6Addr;

const MAG: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 1);
const LMA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1);

fn lma() -> Lma {
    Lma::new(config(Policy::new(Some(profile()))))
}

fn profile() -> Profile {
    Profile::ipv6(0, Duration::from_secs(3600))
}

fn config(policy: Policy) -> LmaConfig {
    LmaConfig {
        pools: vec![PoolConfig::new("2001:db8:a000::/48".parse().expect("a prefix"), 64)],
        mags: vec![MagConfig::new(MAG)],
        max_bindings: 100_000,
        max_prefixes: 800_000,
        ..LmaConfig::new(AnchorAddr(LMA), policy)
    }
}

fn at(secs: u64) -> Now {
    let wall = MobTimestamp::from_unix(Duration::from_secs(1_800_000_000 + secs));
    Now { mono: Instant::default() + Duration::from_secs(secs), wall }
}

fn node(n: u32) -> MnId {
    MnId::nai(&format!("mn{n}@example.org")).expect("short")
}

/// A registration of a new interface, or with a prefix the update of a session.
fn pbu(n: u32, seq: u16, hnp: Option<HomePrefix>, lifetime: u16) -> Event {
    let mn_id = node(n);
    let all_zero = "::/0".parse().expect("a prefix");
    let handoff = HandoffIndicator(if hnp.is_some() { 5 } else { 1 });
    let options = [
        MobilityOption::MnId(mn_id.subtype(), mn_id.bytes()),
        MobilityOption::HomeNetworkPrefix(hnp.unwrap_or(all_zero)),
        MobilityOption::HandoffIndicator(handoff),
        MobilityOption::AccessTech(AccessTech(4)),
    ];
    Event::Pbu(UpdateMsg {
        home: None,
        src: MAG,
        dst: LMA,
        transport: Transport::Ipv6,
        update: BindingUpdate { seq: SeqNo(seq), flags: BuFlags::P, lifetime: Lifetime(lifetime) },
        options: OwnedOptions::from_options(&options).expect("options that fit"),
        header: Box::default(),
    })
}

fn handle(lma: &mut Lma, event: Event, now: Now) -> Vec<Action> {
    let mut actions = Vec::new();
    lma.handle(event, now, &mut actions);
    actions
}

fn status(actions: &[Action]) -> Option<Status> {
    actions.iter().find_map(|a| match a {
        Action::Reply { ack, .. } => Some(ack.ack.status),
        _ => None,
    })
}

/// What would be on disk: every session, through the encoding used there.
fn stored(lma: &Lma) -> Vec<Bce> {
    let (rows, next) = lma.cache().page(0, usize::MAX);
    let bytes: Vec<_> = rows.map(|(_, b)| postcard::to_stdvec(b).expect("encodes")).collect();
    assert_eq!(next, None);
    bytes.iter().map(|b| postcard::from_bytes(b).expect("decodes")).collect()
}

fn restore(bindings: Vec<Bce>, now: Now) -> (Lma, Vec<Action>) {
    let (mut new, mut actions) = (lma(), Vec::new());
    for bce in bindings {
        new.restore(bce, now, &mut actions).expect("taken up");
    }
    (new, actions)
}

#[test]
fn restart_publishes_sessions_again_and_goes_on_with_them() {
    let mut old = lma();
    handle(&mut old, pbu(1, 1, None, 100), at(0));
    handle(&mut old, pbu(2, 1, None, 100), at(0));
    let hnp = old.cache().of_node(&node(2)).next().expect("a session").hnp[0];
    handle(&mut old, pbu(2, 2, Some(hnp), 0), at(10));

    // Another monotonic clock, the same wall clock.
    let now = Now { mono: Instant(7), ..at(15) };
    let (mut new, actions) = restore(stored(&old), now);
    let (one, two) = ("2001:db8:a000::/64".parse(), "2001:db8:a000:1::/64".parse());
    let (one, two): (HomePrefix, HomePrefix) = (one.expect("a prefix"), two.expect("a prefix"));
    assert_eq!(
        actions,
        [
            Action::Publish(Publication::Forward(
                one.into(),
                TunnelPath::ip(LMA, MAG),
                GreKeys::default(),
            )),
            Action::Publish(Publication::Hold(two.into())),
        ]
    );
    // The delete delay had 5 s to go, the lifetime 385 s.
    assert_eq!(new.poll_timeout(), Some(now.mono + Duration::from_secs(5)));
    let remaining: Vec<_> =
        new.cache().page(0, 9).0.map(|(_, b)| b.remaining(now.mono).as_secs()).collect();
    assert_eq!(remaining, [385, 5]);
    // Same ordering, same prefixes in use, same count of the gateway, ids go on.
    assert_eq!(status(&handle(&mut new, pbu(1, 1, Some(one), 9), now)), Some(Status(135)));
    assert_eq!(new.pools().next().map(|p| p.used), Some(2));
    assert_eq!(new.mags().next().map(|m| m.usage.bindings), Some(2));
    handle(&mut new, pbu(3, 1, None, 100), now);
    let third = new.cache().of_node(&node(3)).next().expect("a session");
    assert_eq!((third.id, third.hnp[0].to_string()), (BindingId(3), "2001:db8:a000:2::/64".into()));
}

/// With `extra` options.
fn pbu_with(n: u32, seq: u16, extra: &[MobilityOption<'_>]) -> Event {
    let Event::Pbu(mut msg) = pbu(n, seq, None, 100) else { panic!("a PBU") };
    let all: Vec<_> = msg.options.iter().chain(extra.iter().copied()).collect();
    msg.options = OwnedOptions::from_options(&all).expect("options that fit");
    Event::Pbu(msg)
}

fn dual_stack() -> Lma {
    let ipv4 = PoolConfig::new("10.1.0.0/24".parse().expect("a prefix"), 128);
    let profile = Profile { ipv4: Source::Pool(1), ..profile() };
    let mut config = config(Policy::new(Some(profile)));
    config.pools.push(ipv4);
    Lma::new(config)
}

// proves: GREKEY-3.3.2-1, PMIP4-3.1.2.2-9
#[test]
fn restart_keeps_the_address_the_gre_keys_and_what_else_the_gateway_told() {
    let mut old = dual_stack();
    let ani = [3, 5, 1, 0x80, 0, 0, 9];
    let extra = [
        MobilityOption::Ipv4HomeAddressRequest(Ipv4Home::new([0; 4].into(), 0).expect("short")),
        MobilityOption::GreKey(Some(GreKey(7))),
        MobilityOption::AccessNetworkId(AccessNetworkId::parse(&ani).expect("a sub-option")),
    ];
    handle(&mut old, pbu_with(1, 1, &extra), at(0));
    handle(&mut old, pbu_with(2, 1, &extra), at(0));
    let bindings = stored(&old);
    assert_eq!(bindings[0].access_network.as_deref(), Some(&ani[..]));
    assert_eq!((bindings[0].mag, bindings[0].transport), (MAG, Transport::Ipv6));

    let (mut new, mut actions) = (dual_stack(), Vec::new());
    for bce in bindings.clone() {
        new.restore(bce, at(1), &mut actions).expect("taken up");
    }
    let address: HomePrefix = "10.1.0.2/32".parse().expect("a prefix");
    let path = TunnelPath { local: LMA, remote: MAG, encap: Encap::Gre };
    let keys = GreKeys { downlink: Some(7), uplink: Some(1) };
    assert_eq!(actions[1], Action::Publish(Publication::Forward(address.into(), path, keys)));
    assert_eq!(stored(&new)[0].ipv4, bindings[0].ipv4);
    // Neither address nor key is given to another.
    handle(&mut new, pbu_with(3, 1, &extra), at(2));
    let third = new.cache().of_node(&node(3)).next().expect("a session");
    assert_eq!(third.gre_keys.uplink, Some(3));
    assert_eq!(third.ipv4.map(|a| a.home.addr().to_string()), Some("10.1.0.4".into()));
    // A key that two have would mix up two nodes.
    let twice = Bce {
        id: BindingId(9),
        hnp: ["2001:db8:a000:99::/64".parse().expect("one")].into(),
        ipv4: None,
        ..bindings[0].clone()
    };
    let refused = new.restore(twice, at(2), &mut actions);
    assert_eq!(refused, Err(RestoreError::GreKey(BindingId(9))));
}

#[test]
fn session_that_ended_while_we_were_down_is_forgotten() {
    let mut old = lma();
    handle(&mut old, pbu(1, 1, None, 10), at(0));
    let (mut new, actions) = restore(stored(&old), at(40));
    assert_eq!(actions, [Action::Persist(BindingId(1))]);
    assert!(new.cache().is_empty() && new.poll_timeout().is_none());
    // Its id is not given to another, which would overwrite what the disk is told to forget.
    handle(&mut new, pbu(2, 1, None, 10), at(41));
    assert_eq!(new.cache().of_node(&node(2)).next().map(|b| b.id), Some(BindingId(2)));
}

#[test]
fn wall_clock_set_back_does_not_lengthen_a_lifetime() {
    let mut old = lma();
    handle(&mut old, pbu(1, 1, None, 10), at(5000));
    let (new, _) = restore(stored(&old), at(0));
    assert_eq!(new.poll_timeout(), Some(Instant::default() + Duration::from_secs(40)));
}

#[test]
fn session_of_a_gateway_that_an_operator_had_added_is_restored_and_counted() {
    let mut old = lma();
    handle(&mut old, pbu(1, 1, None, 100), at(0));
    let added: Ipv6Addr = "2001:db8:a::99".parse().expect("an address");
    let bce = Bce { proxy_coa: ProxyCoa(added), ..stored(&old).remove(0) };
    let (mut new, _) = restore(vec![bce], at(1));
    let shown = |lma: &Lma| {
        let mag = lma.mags().find(|m| m.address == added).expect("known");
        (mag.authorized, mag.usage.bindings)
    };
    assert_eq!(shown(&new), (false, 1));
    handle(&mut new, Event::MagAdd(added), at(2));
    handle(&mut new, Event::AdminDelete { mn_id: node(1), prefix: None, customer: None }, at(2));
    assert_eq!(shown(&new), (true, 0));
}

#[test]
fn added_gateway_that_is_withdrawn_is_forgotten_with_its_last_session() {
    let mut lma = lma();
    let added = Ipv6Addr::new(0x2001, 0xdb8, 3, 0, 0, 0, 0, 1);
    handle(&mut lma, Event::MagAdd(added), at(0));
    let Event::Pbu(mut msg) = pbu(1, 1, None, 100) else { panic!("a PBU") };
    msg.src = added;
    assert_eq!(status(&handle(&mut lma, Event::Pbu(msg), at(0))), Some(Status::ACCEPTED));
    handle(&mut lma, Event::MagDel(added), at(1));
    assert!(lma.knows_mag(added), "it serves a session");
    handle(&mut lma, Event::AdminDelete { mn_id: node(1), prefix: None, customer: None }, at(2));
    assert!(lma.knows_mag(added), "it has been told, and may answer");
    for now in [at(3), at(5)] {
        lma.handle_timeout(now, &mut Vec::new());
    }
    assert!(!lma.knows_mag(added));
    handle(&mut lma, Event::MagDel(MAG), at(3));
    assert!(lma.knows_mag(MAG), "it is configured");
}

#[test]
fn static_prefix_that_overlaps_one_of_a_restored_session_waits_until_that_ends() {
    let mut old = lma();
    handle(&mut old, pbu(1, 1, None, 100), at(0));
    let wide: HomePrefix = "2001:db8:b000::/60".parse().expect("a prefix");
    let bce = Bce { hnp: [wide].into(), ..stored(&old).remove(0) };
    for own in ["2001:db8:b000:7::/64", "2001:db8:b000::/56"] {
        let own: HomePrefix = own.parse().expect("a prefix");
        let mut policy = Policy::new(Some(profile()));
        policy.insert(node(2), profile(), &[own]);
        let mut new = Lma::new(config(policy));
        new.restore(bce.clone(), at(1), &mut Vec::new()).expect("taken up");
        let named = handle(&mut new, pbu(2, 1, Some(own), 100), at(2));
        assert_eq!(status(&named), Some(Status::NOT_AUTHORIZED_FOR_HOME_NETWORK_PREFIX));
        let given = |lma: &Lma| lma.cache().of_node(&node(2)).next().map(|b| b.hnp[0]);
        handle(&mut new, pbu(2, 2, None, 100), at(2));
        assert!(given(&new).is_some_and(|p| !p.covers(wide) && !wide.covers(p)));
        for n in [1, 2] {
            handle(
                &mut new,
                Event::AdminDelete { mn_id: node(n), prefix: None, customer: None },
                at(3),
            );
        }
        handle(&mut new, pbu(2, 3, None, 100), at(4));
        assert_eq!(given(&new), Some(own));
    }
}

#[test]
fn binding_without_a_prefix_of_its_own_is_not_restored() {
    let mut old = lma();
    handle(&mut old, pbu(1, 1, None, 100), at(0));
    let bce = stored(&old).remove(0);
    let (mut new, mut actions) = restore(vec![bce.clone()], at(1));
    let again = new.restore(bce.clone(), at(1), &mut actions);
    assert_eq!(again, Err(RestoreError::Id(BindingId(1))));
    let other = Bce { id: BindingId(9), ..bce.clone() };
    let again = new.restore(other, at(1), &mut actions);
    assert_eq!(again, Err(RestoreError::Prefix(BindingId(9))));
    let none = Bce { id: BindingId(9), hnp: [].into(), ..bce };
    assert_eq!(new.restore(none, at(1), &mut actions), Err(RestoreError::Prefix(BindingId(9))));
    assert_eq!(new.cache().len(), 1);
}

#[test]
fn seventeenth_session_of_a_node_is_rejected_129() {
    let mut lma = lma();
    for seq in 1..=16 {
        let actions = handle(&mut lma, pbu(1, seq, None, 100), at(0));
        assert_eq!(status(&actions), Some(Status::ACCEPTED));
    }
    let actions = handle(&mut lma, pbu(1, 17, None, 100), at(0));
    assert_eq!(status(&actions), Some(Status::ADMINISTRATIVELY_PROHIBITED));
}

// proves: PMIP6-5.3.2-4
#[test]
fn session_whose_prefixes_might_not_fit_into_the_workers_tables_is_rejected_130() {
    let mut lma = Lma { max_prefixes: ENTRIES_MAX + 1, ..lma() };
    let statuses = [1, 2, 3].map(|n| status(&handle(&mut lma, pbu(n, 1, None, 100), at(0))));
    let full = Some(Status::INSUFFICIENT_RESOURCES);
    assert_eq!(statuses, [Some(Status::ACCEPTED), Some(Status::ACCEPTED), full]);
}

#[test]
fn mass_expiry_is_carried_out_in_bounded_steps_and_loses_nobody() {
    let mut lma = lma();
    for n in 0..1000 {
        handle(&mut lma, pbu(n, 1, None, 10), at(0));
    }
    let (mut rounds, mut actions) = (0, Vec::new());
    while lma.poll_timeout().is_some() {
        let before = lma.cache().len();
        lma.handle_timeout(at(40), &mut actions);
        assert!(before - lma.cache().len() <= TIMEOUT_BURST);
        rounds += 1;
    }
    assert_eq!((rounds, lma.cache().len()), (8, 0));
    let expired = |a: &&Action| matches!(a, Action::Audit(a) if a.kind == AuditKind::Expired);
    assert_eq!(actions.iter().filter(expired).count(), 1000);
    assert_eq!(lma.pools().next().map(|p| p.used), Some(0));
}

#[test]
fn pages_list_every_session_once_and_look_at_few_slots() {
    let mut lma = lma();
    for n in 0..100 {
        handle(&mut lma, pbu(n, 1, None, 10), at(0));
    }
    for n in (0..100).filter(|n| n % 3 == 0) {
        handle(
            &mut lma,
            Event::AdminDelete { mn_id: node(n), prefix: None, customer: None },
            at(1),
        );
    }
    let (mut cursor, mut seen) = (Some(0), Vec::new());
    while let Some(at) = cursor {
        let (rows, next) = lma.cache().page(at, 7);
        let page: Vec<_> = rows.map(|(after, b)| (after, b.id)).collect();
        assert!(page.len() <= 7 && page.iter().all(|(after, _)| *after > at));
        seen.extend(page.iter().map(|(_, id)| *id));
        cursor = next;
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), lma.cache().len());
    assert_eq!(lma.cache().page(u64::MAX, 7).0.count(), 0);
}

#[test]
fn gateway_is_counted_by_what_it_serves_and_asks() {
    let mut lma = lma();
    handle(&mut lma, pbu(1, 1, None, 100), at(0));
    handle(&mut lma, pbu(1, 1, None, 100), at(1));
    handle(&mut lma, pbu(1, 0, "2001:db8:a000::/64".parse().ok(), 100), at(2));
    let usage = lma.mags().next().expect("one gateway").usage;
    assert_eq!((usage.bindings, usage.pbu_received), (1, 3));
    assert_eq!((usage.pba_accepted, usage.pba_refused), (2, 1));
    handle(&mut lma, Event::AdminDelete { mn_id: node(1), prefix: None, customer: None }, at(3));
    assert_eq!(lma.mags().next().map(|m| m.usage.bindings), Some(0));
}

#[test]
fn waiting_updates_are_bounded_per_node_and_the_next_one_does_not_wait() {
    let mut lma = lma();
    handle(&mut lma, pbu(1, 1, None, 100), at(0));
    let wait_at = |n: u16| {
        let Event::Pbu(mut msg) = pbu(1, 1, None, 100) else { panic!("a PBU") };
        let unknown = [MobilityOption::HandoffIndicator(HandoffIndicator::UNKNOWN)];
        let others = msg.options.iter();
        let others = others.filter(|o| !matches!(o, MobilityOption::HandoffIndicator(_)));
        let options: Vec<_> = others.chain(unknown).collect();
        msg.options = OwnedOptions::from_options(&options).expect("options that fit");
        msg.src = Ipv6Addr::new(0x2001, 0xdb8, 3, 0, 0, 0, 0, n);
        (msg.src, Event::Pbu(msg))
    };
    for n in 1..=5 {
        let (src, event) = wait_at(n);
        handle(&mut lma, Event::MagAdd(src), at(1));
        let actions = handle(&mut lma, event, at(1));
        assert_eq!(status(&actions), (n == 5).then_some(Status::ACCEPTED));
    }
    assert_eq!((lma.waiting(), lma.cache().len()), (4, 2));
    assert_eq!(lma.cache().of_node(&node(1)).map(|b| b.state).next(), Some(BceState::Active));
}
