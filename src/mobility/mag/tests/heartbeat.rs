//! RFC 5847: heartbeats and restarts.

use super::*;
use crate::mobility::mag::HeartbeatConfig;
use crate::wire::mh::{BindingError, Heartbeat, HeartbeatFlags};

fn beating() -> MagConfig {
    MagConfig {
        heartbeat: Some(HeartbeatConfig { interval: secs(30), missing_allowed: 2 }),
        ..config()
    }
}

/// A world whose node is bound, and the first heartbeat to its anchor.
fn bound() -> (World, Heartbeat) {
    let mut w = World::with(beating());
    let pbu = only_pbu(&w.attach(attachment()));
    w.accept(&pbu);
    let first = w.wait(secs(0));
    (w, beats(&first)[0])
}

fn beats(actions: &[Action]) -> Vec<Heartbeat> {
    let beat = |m: PeerMsg| match m.body {
        PeerBody::Heartbeat(beat) => Some(beat),
        _ => None,
    };
    sent(actions).into_iter().filter_map(beat).collect()
}

fn response(seq: u32, counter: u32) -> Event {
    let body = PeerBody::Heartbeat(Heartbeat { flags: HeartbeatFlags::R, seq });
    from_lma(body, &[MobilityOption::RestartCounter(counter)])
}

// proves: HEARTBEAT-3-2
#[test]
fn request_is_answered_with_its_number_and_our_counter_without_any_binding() {
    let mut w = World::new();
    w.event(Event::Started { restart_counter: 7, lost: vec![] });
    let request = PeerBody::Heartbeat(Heartbeat { flags: HeartbeatFlags::default(), seq: 99 });
    let answer = sent(&w.event(from_lma(request, &[])));
    assert_eq!(answer.len(), 1);
    assert_eq!((answer[0].src, answer[0].dst), (COA.0, LMA.0));
    let body = PeerBody::Heartbeat(Heartbeat { flags: HeartbeatFlags::R, seq: 99 });
    assert_eq!(answer[0].body, body);
    let told: Vec<_> = answer[0].options.iter().collect();
    assert_eq!(told, [MobilityOption::RestartCounter(7)]);
}

// proves: HEARTBEAT-3-1
#[test]
fn heartbeats_are_sent_while_there_is_a_binding_and_only_then() {
    let mut w = World::with(beating());
    assert_eq!(beats(&w.wait(secs(100))), []);
    let pbu = only_pbu(&w.attach(attachment()));
    w.accept(&pbu);
    let first = beats(&w.wait(secs(0)))[0];
    w.event(response(first.seq, 1));
    let second = beats(&w.wait(secs(30)));
    assert_eq!(second.len(), 1);
    assert!(second[0].seq > first.seq);
    let end = only_pbu(&w.detach(false));
    w.accept(&end);
    assert_eq!(beats(&w.wait(secs(100))), []);
    assert_eq!(w.mag.poll_timeout(), None);
}

// proves: HEARTBEAT-3.2-4
#[test]
fn other_counter_than_before_registers_the_sessions_again_and_keeps_their_routes() {
    let (mut w, first) = bound();
    assert_eq!(pbus(&w.event(response(first.seq, 5))), [], "the first is only kept");
    let second = beats(&w.wait(secs(30)))[0];
    assert_eq!(pbus(&w.event(response(second.seq, 5))), []);
    let third = beats(&w.wait(secs(30)))[0];
    let actions = w.event(response(third.seq, 6));
    assert_eq!(audits(&actions), [AuditKind::AnchorRestarted]);
    let pbu = only_pbu(&actions);
    assert_eq!((prefixes(&pbu), handoff(&pbu)), (vec![hnp(1)], HandoffIndicator::UNKNOWN));
    assert_eq!(removed(&actions), []);
    let again = w.accept(&pbu);
    assert_eq!((installed(&again), removed(&again)), (vec![], vec![]));
    assert_eq!(w.state(), Some(StateName::Bound));
}

#[test]
fn anchor_that_says_unasked_that_it_restarted_is_believed() {
    let (mut w, first) = bound();
    w.event(response(first.seq, 5));
    let flags = HeartbeatFlags::R | HeartbeatFlags::U;
    let body = PeerBody::Heartbeat(Heartbeat { flags, seq: 0 });
    let told = |counter| from_lma(body, &[MobilityOption::RestartCounter(counter)]);
    assert_eq!(pbus(&w.event(told(6))).len(), 1);
    assert_eq!(w.event(told(6)), [], "once");
}

#[test]
fn response_to_another_request_counts_as_none() {
    let (mut w, first) = bound();
    assert_eq!(audits(&w.event(response(first.seq + 1, 1))), [AuditKind::HeartbeatIgnored]);
    let actions = w.wait(secs(90));
    assert_eq!(beats(&actions).len(), 2);
    assert!(audits(&actions).contains(&AuditKind::AnchorUnreachable));
}

#[test]
fn anchor_that_misses_more_than_allowed_loses_its_sessions_until_it_answers_again() {
    let (mut w, _) = bound();
    assert_eq!(audits(&w.wait(secs(89))), []);
    let actions = w.wait(secs(1));
    assert_eq!(audits(&actions), [AuditKind::AnchorUnreachable]);
    assert_eq!(removed(&actions), [route(hnp(1), LINK)]);
    assert_eq!(adverts(&actions)[0].router_lifetime_s, 0);
    assert_eq!(w.state(), Some(StateName::Registering));
    let pbu = only_pbu(&actions);
    w.accept(&pbu);
    assert_eq!(w.state(), Some(StateName::Bound));
    assert_eq!(beats(&w.wait(secs(0))).len(), 1);
}

// proves: HEARTBEAT-3-4
#[test]
fn anchor_that_does_not_know_heartbeats_gets_none_any_more() {
    let (mut w, _) = bound();
    let status = BindingError::UNKNOWN_MH_TYPE;
    let error = BindingError { status, home_address: Ipv6Addr::UNSPECIFIED };
    let actions = w.event(from_lma(PeerBody::BindingError(error), &[]));
    assert_eq!(audits(&actions), [AuditKind::HeartbeatNotSupported]);
    assert_eq!(beats(&w.wait(secs(200))), []);
    assert_eq!(w.state(), Some(StateName::Bound));
}

// proves: HEARTBEAT-3.2-5
#[test]
fn anchors_that_we_had_sessions_with_are_told_of_our_restart() {
    let mut w = World::new();
    let told = sent(&w.event(Event::Started { restart_counter: 3, lost: vec![LMA] }));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].dst, LMA.0);
    let PeerBody::Heartbeat(beat) = told[0].body else { unreachable!("{told:?}") };
    assert_eq!(beat.flags, HeartbeatFlags::R | HeartbeatFlags::U);
    let options: Vec<_> = told[0].options.iter().collect();
    assert_eq!(options, [MobilityOption::RestartCounter(3)]);
}

#[test]
fn anchors_with_sessions_are_remembered_and_forgotten() {
    let mut w = World::new();
    let pbu = only_pbu(&w.attach(attachment()));
    assert!(w.accept(&pbu).contains(&Action::Remember(vec![LMA])));
    assert!(w.detach(false).contains(&Action::Remember(vec![])));
}
