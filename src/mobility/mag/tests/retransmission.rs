//! Retransmission and rate: RFC 5213 6.9.4, RFC 6275 11.8.

use super::*;

// proves: PMIP6-6.9.4-1, PMIP6-6.9.4-2, PMIP6-6.9.4-4, PMIP6-6.9.4-5, PMIP6-6.9.4-6
#[test]
fn update_is_repeated_after_1_2_4_to_32_seconds_with_a_new_number_and_time() {
    let mut w = World::new();
    let mut last = only_pbu(&w.attach(attachment()));
    for interval in [1, 2, 4, 8, 16, 32, 32, 32] {
        assert_eq!(pbus(&w.wait(Duration::from_millis(interval * 1000 - 1))), []);
        let actions = w.wait(Duration::from_millis(1));
        assert_eq!(audits(&actions), [AuditKind::Retransmitted]);
        let next = only_pbu(&actions);
        assert_eq!(next.update.seq, last.update.seq.next());
        assert_eq!(timestamp(&next), Some(w.now.wall));
        assert_eq!(handoff(&next), handoff(&last));
        last = next;
    }
    w.accept(&last);
    assert_eq!(w.state(), Some(StateName::Bound));
}

// proves: PMIP6-6.9.4-7
#[test]
fn without_timestamps_each_repetition_has_a_greater_sequence_number() {
    let mut w = World::with(MagConfig { timestamps: false, ..config() });
    let first = only_pbu(&w.attach(attachment()));
    let second = only_pbu(&w.wait(secs(1)));
    assert!(second.update.seq.is_after(first.update.seq));
    assert_eq!(timestamp(&second), None);
}

// proves: PMIP6-6.9.4-3
#[test]
fn nothing_is_repeated_once_the_node_left() {
    let mut w = World::new();
    w.attach(attachment());
    let deregistration = only_pbu(&w.detach(false));
    w.accept(&deregistration);
    assert_eq!(w.wait(secs(100)), []);
}

#[test]
fn late_answer_to_an_earlier_transmission_counts_from_that_one() {
    let mut w = World::new();
    let first = only_pbu(&w.attach(attachment()));
    w.wait(secs(2));
    w.accept(&first);
    let row = w.mag.bindings(w.now).next().expect("entry");
    assert_eq!(row.lifetime_left_s, LIFETIME.as_secs() - 2);
}

// Both wait while the anchor starts: the first one's timestamp has grown too old, the second's has
// not.
#[test]
fn refused_timestamp_of_an_earlier_transmission_does_not_end_the_exchange() {
    let mut w = World::new();
    let first = only_pbu(&w.attach(attachment()));
    let second = only_pbu(&w.wait(secs(1)));
    let actions = w.refuse(&first, Status::TIMESTAMP_MISMATCH);
    assert_eq!(audits(&actions), ignored(PbaFault::NoMatch));
    w.accept(&second);
    assert_eq!(w.state(), Some(StateName::Bound));
}

#[test]
fn no_session_sends_more_than_three_updates_within_a_second() {
    let mut w = World::bound();
    let mut sent = 1;
    for _ in 0..50 {
        let actions = w.retry();
        sent += pbus(&actions).len();
        for pbu in pbus(&actions) {
            w.accept(&pbu);
        }
        w.wait(Duration::from_millis(10));
    }
    assert_eq!(sent, 3);
    assert_eq!(pbus(&w.wait(Duration::from_millis(500))).len(), 1, "the fourth was only delayed");
}

#[test]
fn unanswered_refresh_ends_the_binding_with_its_lifetime_and_goes_on_as_a_registration() {
    let mut w = World::bound();
    w.wait(LIFETIME * 3 / 4);
    w.present();
    let actions = w.wait(LIFETIME / 4);
    assert!(audits(&actions).contains(&AuditKind::Expired));
    assert_eq!(removed(&actions).len(), 1);
    assert_eq!(w.state(), Some(StateName::Registering));
    let next = only_pbu(&w.wait(secs(32)));
    assert_eq!((handoff(&next), prefixes(&next)), (HandoffIndicator::UNKNOWN, vec![hnp(1)]));
    w.accept(&next);
    assert_eq!(w.state(), Some(StateName::Bound));
}
