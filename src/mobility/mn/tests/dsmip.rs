//! The node in a network without IPv6 (RFC 5555 4.4).

use super::*;
use crate::wire::mh::{Ipv4Home, Ipv4HomeStatus, NatDetection};
use std::net::Ipv4Addr;

const HA4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const COA4: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 9);
const HOME4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

fn dual() -> MnConfig {
    MnConfig { home_agent_ipv4: Some(HA4), ipv4_home: Some(HOME4), ..config() }
}

/// The acknowledgement with these options.
fn accept_with(update: &UpdateMsg, options: &[MobilityOption<'_>]) -> Event {
    let options = OwnedOptions::from_options(options).expect("short");
    Event::Ack(AckMsg { options, transport: update.transport, ..accept(update) })
}

fn home4(status: Ipv4HomeStatus) -> MobilityOption<'static> {
    MobilityOption::Ipv4AddressAck(status, Ipv4Home::new(HOME4, 32).expect("a length"))
}

#[test]
fn update_from_an_ipv4_network_is_in_udp_and_names_the_ipv4_addresses() {
    let update = World::new(dual()).moves(Attachment::Away(COA4.into()));
    assert_eq!((update.src, update.dst), (COA4.to_ipv6_mapped(), HA4.to_ipv6_mapped()));
    let transport = Transport::Dsmip { port: 4191, anchor: HA, esp: false };
    assert_eq!((update.transport, update.home), (transport, Some(HOME)));
    let options: Vec<_> = update.options.iter().collect();
    let home = Ipv4Home::new(HOME4, 32).expect("a length");
    let named = [MobilityOption::Ipv4CareOf(COA4), MobilityOption::Ipv4HomeAddress(home, false)];
    assert_eq!(options[..2], named);
}

#[test]
fn without_an_ipv4_address_of_the_home_agent_there_is_no_way_to_it() {
    let mut world = World::new(config());
    assert_eq!(world.handle(Event::Attached(Attachment::Away(COA4.into()))), []);
    assert_eq!(world.mn.poll_timeout(), None);
}

#[test]
fn packets_go_in_udp_where_the_answer_says_so_and_an_update_keeps_the_nats_mapping() {
    let nat = |refresh_time_s| NatDetection { force_udp: false, refresh_time_s };
    let at = Attachment::Away(COA4.into());
    for (nat, encap, refreshed) in [
        (Some(nat(30)), Encap::Mip6Udp(4191), secs(30)),
        (Some(nat(0)), Encap::Mip6Udp(4191), secs(110)),
        (Some(nat(NatDetection::NO_KEEPALIVE)), Encap::Mip6Udp(4191), secs(360)),
        (None, Encap::Ip, secs(360)),
    ] {
        let mut world = World::new(dual());
        let update = world.moves(at);
        let mut options = vec![home4(Ipv4HomeStatus::SUCCESS)];
        options.extend(nat.map(MobilityOption::NatDetection));
        let actions = world.handle(accept_with(&update, &options));
        let ends = TunnelEnds { care_of: COA4.to_ipv6_mapped(), home_agent: HA4.to_ipv6_mapped() };
        let tunnel = Tunnel { ends, encap, ipv4_home: Some(HOME4) };
        assert_eq!(actions[0], Action::Tunnel(Some(tunnel)));
        let (after, actions) = world.waits();
        assert_eq!((after, sent(&actions).len()), (refreshed, 1), "{nat:?}");
    }
}

#[test]
fn ipv4_home_address_that_is_refused_or_not_answered_is_not_bound() {
    for options in [vec![], vec![home4(Ipv4HomeStatus::INCORRECT_ADDRESS)]] {
        let mut world = World::new(dual());
        let update = world.moves(Attachment::Away(COA.into()));
        assert_eq!((update.transport, update.src), (Transport::Ipv6, COA));
        let actions = world.handle(accept_with(&update, &options));
        assert!(actions.contains(&Action::Tunnel(Some(over_ipv6(COA)))));
        let refused = audits(&actions)
            .contains(&AuditKind::Ipv4HomeRefused(Ipv4HomeStatus::INCORRECT_ADDRESS));
        assert_eq!(refused, !options.is_empty());
    }
}
