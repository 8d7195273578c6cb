//! A restart: what was acknowledged is there again.

use super::*;
use crate::mobility::RestoreError;

/// The registration as the journal keeps it.
fn kept(bench: &Bench) -> Registration {
    let bytes = postcard::to_stdvec(bench.registration().expect("is there")).expect("writes");
    postcard::from_bytes(&bytes).expect("reads")
}

/// Another run, some time later by the wall clock.
fn restarted(config: Mip4Config, before: &Bench, later: Duration) -> Bench {
    let mut bench = Bench::new(config);
    bench.now.wall = MobTimestamp::from_unix(before.now.wall.to_unix() + later);
    bench.now.mono = Instant(7);
    bench.count = before.count;
    bench.agent.start(bench.now);
    bench
}

fn restore(bench: &mut Bench, registration: Registration) -> Result<(), RestoreError> {
    let (homes, actions) = (&mut bench.pool, &mut bench.actions);
    bench.agent.restore(registration, &mut Turn { homes, now: bench.now, actions })
}

#[test]
fn registration_is_forwarded_again_for_the_rest_of_its_lifetime() {
    let mut before = Bench::new(config());
    before.attach();
    let mut bench = restarted(config(), &before, Duration::from_secs(100));
    assert_eq!(restore(&mut bench, kept(&before)), Ok(()));
    assert_eq!(bench.published(), [forward("10.1.0.5/32", CARE_OF, Encap::Ip)]);
    assert_eq!((bench.care_ofs(), bench.pool.held.len()), (vec![CARE_OF], 1));
    bench.pass(Duration::from_secs(499));
    assert_eq!(bench.actions, []);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.audits(), [Mip4Audit::Expired]);
}

#[test]
fn registration_that_ended_meanwhile_is_forgotten() {
    let mut before = Bench::new(config());
    before.attach();
    let registration = kept(&before);
    let id = registration.id;
    let mut bench = restarted(config(), &before, Duration::from_secs(600));
    assert_eq!(restore(&mut bench, registration), Ok(()));
    assert_eq!(bench.actions, [Action::Persist(id)]);
    assert!(bench.registration().is_none() && bench.pool.held.is_empty());
    bench.attach();
    assert!(bench.registration().is_some_and(|r| r.id != id), "its id is not used again");
}

#[test]
fn clock_that_was_set_back_does_not_lengthen_a_lifetime() {
    let mut before = Bench::new(config());
    before.attach();
    let registration = kept(&before);
    let mut bench = Bench::new(config());
    bench.now.wall = MobTimestamp::from_unix(Duration::from_secs(5));
    assert_eq!(restore(&mut bench, registration), Ok(()));
    bench.pass(Duration::from_secs(600));
    assert_eq!(bench.audits(), [Mip4Audit::Expired]);
}

#[test]
fn registration_is_restored_once_and_not_over_what_another_has() {
    let mut before = Bench::new(config());
    before.attach();
    let registration = kept(&before);
    let id = registration.id;
    let mut bench = restarted(config(), &before, Duration::ZERO);
    assert_eq!(restore(&mut bench, registration.clone()), Ok(()));
    assert_eq!(restore(&mut bench, registration.clone()), Err(RestoreError::Id(id)));
    let mut bench = restarted(config(), &before, Duration::ZERO);
    let home = "10.1.0.5/32".parse().expect("a prefix");
    bench.pool.held.insert(home, mn_id("mn2@example.org"));
    assert_eq!(restore(&mut bench, registration), Err(RestoreError::Prefix(id)));
}

#[test]
fn request_of_the_run_before_is_not_new_whether_its_node_is_registered_or_not() {
    let mut before = Bench::new(config());
    let first = before.request();
    let first = from(CARE_OF, signed(first, &[], &shared()));
    before.deliver(&first);
    for restores in [false, true] {
        let mut bench = restarted(config(), &before, Duration::from_secs(2));
        if restores {
            assert_eq!(restore(&mut bench, kept(&before)), Ok(()));
        }
        bench.deliver(&first);
        assert_eq!(bench.reply().map(|r| r.code()), Some(133), "{restores}");
        assert_eq!(bench.attach().code(), CODE_1);
    }
}
