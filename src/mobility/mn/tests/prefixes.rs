//! Mobile prefix discovery (RFC 6275 11.4.2, 11.4.3).

use super::*;
use crate::mobility::mn::event::{PrefixAnswer, PrefixQuestion};
use crate::wire::icmpv6::mobility::LinkPrefixInformation;

fn answer(id: u16) -> PrefixAnswer {
    let prefix = LinkPrefixInformation {
        prefix: "2001:db8:100::/64".parse().expect("a prefix"),
        address: None,
        valid_lifetime_s: 1000,
        preferred_lifetime_s: u32::MAX,
    };
    PrefixAnswer { src: HA, home: Some(HOME), id, prefixes: vec![prefix] }
}

fn questions(actions: &[Action]) -> Vec<PrefixQuestion> {
    let question = |a: &Action| match a {
        Action::SolicitPrefixes(question) => Some(*question),
        _ => None,
    };
    actions.iter().filter_map(question).collect()
}

fn known(world: &World) -> Vec<(Option<u32>, Option<u32>)> {
    let row = world.mn.row(Now { mono: world.now, wall: MobTimestamp(0) });
    row.home_prefixes.iter().map(|p| (p.valid_s, p.preferred_s)).collect()
}

#[test]
fn advertisement_that_nobody_asked_for_is_not_believed_and_has_the_node_ask() {
    let mut world = World::bound(config(), COA);
    let actions = world.handle(Event::PrefixesAdvertised(answer(0)));
    assert_eq!(audits(&actions), [AuditKind::AdvertisementUnsolicited]);
    let [question] = questions(&actions)[..] else { panic!("{actions:?}") };
    assert_eq!((question.care_of, question.home, question.agent), (COA, HOME, HA));
    assert_eq!(known(&world), []);
    // While it is asked another one changes nothing.
    let again = world.handle(Event::PrefixesAdvertised(answer(question.id ^ 1)));
    assert_eq!(questions(&again), []);
    let actions = world.handle(Event::PrefixesAdvertised(answer(question.id)));
    assert_eq!(audits(&actions), [AuditKind::PrefixesLearnt]);
    assert_eq!(known(&world), [(Some(1000), None)]);
    world.now = world.now + secs(100);
    assert_eq!(known(&world), [(Some(900), None)]);
    // The same answer once more is one that nobody asked for.
    let actions = world.handle(Event::PrefixesAdvertised(answer(question.id)));
    assert_eq!(audits(&actions), [AuditKind::AdvertisementUnsolicited]);
    assert_ne!(questions(&actions)[0].id, question.id);
}

#[test]
fn advertisement_of_another_or_without_the_routing_header_is_ignored() {
    let mut world = World::bound(config(), COA);
    let ignored = [Action::Audit(AuditKind::AdvertisementIgnored)];
    let other = PrefixAnswer { src: HA2, ..answer(0) };
    assert_eq!(world.handle(Event::PrefixesAdvertised(other)), ignored);
    let bare = PrefixAnswer { home: None, ..answer(0) };
    assert_eq!(world.handle(Event::PrefixesAdvertised(bare)), ignored);
    let others = PrefixAnswer { home: Some(COA2), ..answer(0) };
    assert_eq!(world.handle(Event::PrefixesAdvertised(others)), ignored);
    let mut world = World::new(config());
    assert_eq!(world.handle(Event::PrefixesAdvertised(answer(0))), ignored, "without a binding");
}

#[test]
fn status_1_has_the_node_ask_four_times_at_most() {
    let mut world = World::new(config());
    let update = world.moves(Attachment::Away(COA.into()));
    let actions = world.refuses(&update, Status::ACCEPTED_PREFIX_DISCOVERY_NECESSARY);
    let first = questions(&actions);
    assert_eq!(first.len(), 1, "{actions:?}");
    for wait in [3, 6, 12] {
        let (waited, actions) = world.waits();
        assert_eq!((waited, questions(&actions)), (secs(wait), first.clone()));
    }
    let (waited, actions) = world.waits();
    assert_eq!((waited, actions), (secs(24), vec![]), "and gives up");
}
