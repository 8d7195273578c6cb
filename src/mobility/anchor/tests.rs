//! Both protocols about one node (RFC 6612, and the draft before it).

mod interleaving;
mod mip4;

use super::*;
use crate::addr::{CustomerId, GreKeys, HomePrefix, TunnelPath};
use crate::mobility::action::{AuditKind, Ignored};
use crate::mobility::ha::tests::{Bu, COA, COA2, HA, MAG, POOLED, World, config, mn_id, prefix};
use crate::mobility::ha::tests::{published, reply};
use crate::mobility::ha::{HaConfig, Interworking, LinkAddress, LinkId};
use crate::mobility::message::{OwnedOptions, Transport, UpdateMsg};
use crate::time::{Duration, Lifetime};
use crate::wire::mh::{
    AccessTech, BindingUpdate, BuFlags, HandoffIndicator, MobilityOption, SeqNo,
};

const NODE: MobilityOption<'static> = MobilityOption::MnId(1, b"mn2@example.org");
const WHOLE: &str = "2001:db8:a000:1::/64";
const ROUTER: BuFlags = BuFlags(0xc400); // A, H, R

/// A gateway's update for the node `n`.
fn pbu(n: u8, seq: u16, lifetime: u16, hnp: HomePrefix) -> Event {
    let id = mn_id(n);
    let options = [
        MobilityOption::MnId(id.subtype(), id.bytes()),
        MobilityOption::HomeNetworkPrefix(hnp),
        MobilityOption::HandoffIndicator(HandoffIndicator(1)),
        MobilityOption::AccessTech(AccessTech(4)),
    ];
    Event::Pbu(UpdateMsg {
        src: MAG,
        dst: HA,
        home: None,
        transport: Transport::Ipv6,
        update: BindingUpdate {
            seq: SeqNo(seq),
            flags: BuFlags::A | BuFlags::P,
            lifetime: Lifetime(lifetime),
        },
        options: OwnedOptions::from_options(&options).expect("fits"),
        header: Box::default(),
    })
}

/// The node's own update.
fn bu(seq: u16, lifetime: u16, flags: BuFlags) -> Bu<'static> {
    Bu { seq, lifetime, flags, home: Some(POOLED), options: vec![NODE], ..Bu::default() }
}

const PLAIN: BuFlags = BuFlags(0xc000); // A, H

fn hnp_of(actions: &[Action]) -> Option<HomePrefix> {
    reply(actions)?.options.iter().find_map(|o| match o {
        MobilityOption::HomeNetworkPrefix(p) => Some(p),
        _ => None,
    })
}

fn status(actions: &[Action]) -> Option<u8> {
    reply(actions).map(|a| a.ack.status.0)
}

#[test]
fn prefix_is_the_nodes_whichever_protocol_asked_first() {
    // The home agent first: the gateway that asks for any prefix gets this one.
    let mut w = World::new(config());
    assert_eq!(status(&w.bu(&bu(1, 900, PLAIN))), Some(0));
    let actions = w.event(pbu(3, 1, 900, prefix(WHOLE)));
    assert_eq!(status(&actions), Some(155), "another node may not have it");
    let actions = w.event(pbu(2, 1, 900, HomePrefix::ALL_ZERO));
    assert_eq!(hnp_of(&actions), Some(prefix(WHOLE)));
    // The gateway first: the node's home address lies in what it was given.
    let mut w = World::new(config());
    let first = hnp_of(&w.event(pbu(2, 1, 900, HomePrefix::ALL_ZERO))).expect("one");
    let home = Some(first.addr());
    assert_eq!(status(&w.bu(&Bu { home, ..bu(1, 900, PLAIN) })), Some(0));
    let second = hnp_of(&w.event(pbu(3, 1, 900, HomePrefix::ALL_ZERO))).expect("one");
    let home = Some(second.addr());
    assert_eq!(status(&w.bu(&Bu { home, ..bu(1, 900, PLAIN) })), Some(133), "another's");
}

// RFC 6612 3.1: a node away from a home link that comes to a gateway's.
#[test]
fn gateway_is_not_given_the_home_address_of_a_home_link_for_a_prefix() {
    let mut w = World::new(config());
    let home = Some("2001:db8:100::22".parse().expect("an address"));
    assert_eq!(status(&w.bu(&Bu { home, ..bu(1, 900, PLAIN) })), Some(0));
    let given = hnp_of(&w.event(pbu(2, 1, 900, HomePrefix::ALL_ZERO))).expect("one");
    assert_eq!(given.len(), 64, "{given}");
}

#[test]
fn prefix_stays_the_nodes_until_both_have_let_it_go() {
    let used = |w: &World| w.anchor.lma().pools().next().expect("a pool").used;
    for gateway_first in [false, true] {
        let mut w = World::new(config());
        w.bu(&bu(1, 900, PLAIN));
        w.event(pbu(2, 1, 900, HomePrefix::ALL_ZERO));
        assert_eq!(used(&w), 1);
        let ends = [pbu(2, 2, 0, prefix(WHOLE)), Event::Bu(bu(2, 0, PLAIN).message())];
        let ends = if gateway_first {
            ends
        } else {
            ends.into_iter().rev().collect::<Vec<_>>().try_into().expect("two")
        };
        for (event, left) in ends.into_iter().zip([1, 0]) {
            assert_eq!(status(&w.event(event)), Some(0));
            w.wait(Duration::from_secs(20));
            assert_eq!(used(&w), left, "{gateway_first}");
        }
    }
}

#[test]
fn address_goes_to_the_node_and_the_rest_of_its_prefix_to_the_gateway() {
    let mut w = World::new(config());
    let actions = w.event(pbu(2, 1, 900, prefix(WHOLE)));
    assert_eq!(published(&actions), [format!("{WHOLE} to {MAG}")]);
    let actions = w.bu(&bu(1, 900, PLAIN));
    assert_eq!(published(&actions), [format!("{POOLED}/128 to {COA}")]);
    // A refresh of the gateway leaves that alone, and so does its end.
    assert_eq!(published(&w.event(pbu(2, 2, 900, prefix(WHOLE)))), [""; 0]);
    assert_eq!(published(&w.event(pbu(2, 3, 0, prefix(WHOLE)))), [format!("{WHOLE} held")]);
    // Home again: the node's de-registration leaves the proxy binding alone.
    w.event(pbu(2, 4, 900, prefix(WHOLE)));
    let actions = w.bu(&bu(2, 0, PLAIN));
    assert_eq!(published(&actions), [format!("{POOLED}/128 gone")]);
    assert_eq!(w.anchor.lma().cache().len(), 1);
}

#[test]
fn prefix_that_moves_as_a_whole_is_the_gateways_again_when_the_node_comes_home() {
    let mut w = World::new(config());
    w.event(pbu(2, 1, 900, prefix(WHOLE)));
    let actions = w.bu(&bu(1, 900, ROUTER));
    assert_eq!(
        published(&actions),
        [format!("{WHOLE} to {COA}"), format!("{POOLED}/128 to {COA}")]
    );
    assert_eq!(published(&w.event(pbu(2, 2, 900, prefix(WHOLE)))), [""; 0], "not overwritten");
    let actions = w.bu(&bu(2, 0, ROUTER));
    let back = [format!("{WHOLE} to {MAG}"), format!("{POOLED}/128 gone")];
    assert_eq!(published(&actions), back);
}

#[test]
fn node_that_stays_away_keeps_its_prefix_when_the_gateways_session_expires() {
    let mut w = World::new(config());
    w.event(pbu(2, 1, 10, prefix(WHOLE)));
    w.bu(&bu(1, 900, ROUTER));
    let actions = w.wait(Duration::from_secs(40));
    assert_eq!(published(&actions), [""; 0]);
    assert_eq!(w.anchor.lma().cache().len(), 0);
    assert_eq!(status(&w.event(pbu(3, 1, 900, prefix(WHOLE)))), Some(155));
}

#[test]
fn restart_in_any_order_takes_up_both() {
    let mut w = World::new(config());
    w.event(pbu(2, 1, 900, prefix(WHOLE)));
    w.bu(&bu(1, 900, ROUTER));
    let proxy = w.anchor.lma().cache().page(0, 1).0.next().expect("one").1.id;
    let home = w.anchor.ha().cache().from(None).next().expect("one").id;
    for order in [[proxy, home], [home, proxy]] {
        let mut again = World::new(config());
        let mut actions = Vec::new();
        for id in order {
            let bytes = postcard::to_stdvec(&w.anchor.record(id)).expect("encodes");
            let record: Option<Record<'static>> = postcard::from_bytes(&bytes).expect("decodes");
            again.anchor.restore(record.expect("there"), w.now, &mut actions).expect("new");
        }
        let last = published(&actions).into_iter().rfind(|p| p.starts_with(WHOLE));
        assert_eq!(last, Some(format!("{WHOLE} to {COA}")));
        assert_eq!(status(&again.event(pbu(2, 2, 900, prefix(WHOLE)))), Some(0));
    }
}

fn combined() -> World {
    World::new(HaConfig { interworking: Interworking::Combined, ..config() })
}

#[test]
fn combined_entry_is_taken_over_by_whoever_registers_last() {
    let mut w = combined();
    w.event(pbu(2, 1, 900, prefix(WHOLE)));
    // P is cleared: all of the entry moves, whatever the R flag says.
    let actions = w.bu(&bu(1, 900, PLAIN));
    assert_eq!(
        published(&actions),
        [format!("{WHOLE} to {COA}"), format!("{POOLED}/128 to {COA}")]
    );
    // P is set.
    let actions = w.event(pbu(2, 2, 900, prefix(WHOLE)));
    assert_eq!(published(&actions), [format!("{WHOLE} to {MAG}"), format!("{POOLED}/128 gone")]);
    // A de-registration does not end an entry whose P flag is set.
    let actions = w.bu(&bu(2, 0, PLAIN));
    assert_eq!((status(&actions), published(&actions)), (Some(0), vec![]));
    assert_eq!(w.anchor.lma().cache().len(), 1);
    // And a node that goes on away from home takes it back.
    let actions = w.bu(&Bu { src: COA2, ..bu(3, 900, PLAIN) });
    assert_eq!(published(&actions).len(), 2);
    // Then the gateway that lost it cannot end it.
    let actions = w.event(pbu(2, 3, 0, prefix(WHOLE)));
    assert!(matches!(
        &actions[..],
        [Action::Audit(a)] if a.kind == AuditKind::Ignored(Ignored::NotServing)
    ));
    // But the node can: it is one entry.
    let actions = w.bu(&bu(4, 0, PLAIN));
    assert_eq!(published(&actions), [format!("{WHOLE} gone"), format!("{POOLED}/128 gone")]);
    assert_eq!(w.anchor.lma().cache().len(), 0);
}

// RFC 6275 10.3.2; RFC 6612 4.2, where the home link is the gateway's.
#[test]
fn way_home_is_the_gateways_whatever_moved_with_the_node_and_else_the_home_links() {
    let way = |w: &World, address| w.anchor.way_home(CustomerId(0), address);
    let by_gateway = WayHome::Gateway(TunnelPath::ip(HA, MAG), GreKeys::default());
    for flags in [PLAIN, ROUTER] {
        let mut w = World::new(config());
        assert_eq!(way(&w, POOLED), None, "nobody is away");
        w.bu(&bu(1, 900, flags));
        assert_eq!(way(&w, POOLED), Some(WayHome::Link(None)));
        w.event(pbu(2, 1, 900, prefix(WHOLE)));
        assert_eq!(way(&w, POOLED), Some(by_gateway));
        assert_eq!(w.anchor.way_home(CustomerId(1), POOLED), None, "another's address");
        let beside = "2001:db8:a000:1::99".parse().expect("an address");
        assert_eq!(way(&w, beside), None, "no home address");
        w.event(pbu(2, 2, 0, prefix(WHOLE)));
        assert_eq!(way(&w, POOLED), Some(WayHome::Link(None)), "no gateway serves it any more");
        w.bu(&bu(2, 0, flags));
        assert_eq!(way(&w, POOLED), None);
    }
    let mut at_port = config();
    let link = LinkId(3);
    at_port.links[0].id = Some(link);
    let mut w = World::new(at_port);
    let home = "2001:db8:100::22".parse().expect("an address");
    w.bu(&Bu { home: Some(home), ..bu(1, 900, PLAIN) });
    w.event(Event::HomeProbed { address: LinkAddress { link, address: home }, taken: false });
    assert_eq!(way(&w, home), Some(WayHome::Link(Some(link))));
}

#[test]
fn operator_deletes_what_both_protocols_have_of_a_node() {
    let mut w = World::new(config());
    w.event(pbu(2, 1, 900, prefix(WHOLE)));
    w.bu(&bu(1, 900, PLAIN));
    let customer = Some(CustomerId(0));
    let actions = w.event(Event::AdminDelete { mn_id: mn_id(2), prefix: None, customer });
    assert_eq!(published(&actions), [format!("{POOLED}/128 gone"), format!("{WHOLE} gone")]);
    assert!(w.anchor.ha().cache().is_empty() && w.anchor.lma().cache().is_empty());
}
