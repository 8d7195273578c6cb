//! Nodes whose tunnel is in ESP, as a whole or as far as return routability goes (RFC 6275 10.4.6).

use super::*;
use crate::addr::Protection::{self, All, ReturnRoutability};

/// A router whose messages are in ESP.
fn world(protection: Protection) -> World {
    let mobile_networks = vec![prefix("2001:db8:f1::/48")];
    let proof = Proof::Esp(Some(protection));
    let router = HomeNode { mobile_networks, proof, ..node(1, Some(HOME)) };
    World::new(HaConfig { nodes: vec![router, node(2, None)], ..config() })
}

fn update(src: Ipv6Addr, seq: u16, lifetime: u16) -> Bu<'static> {
    let flags = BuFlags(0xc400); // A, H, R
    Bu { src, seq, lifetime, flags, transport: Transport::Ipv6Esp, ..Bu::default() }
}

// proves: MIP6-10.4.6-3, MIP6-10.4.6-5
#[test]
fn what_is_in_esp_is_that_of_the_home_address_or_all_and_follows_the_node() {
    let home = format!("{HOME}/128");
    let network = "2001:db8:f1::/48";
    let mut w = world(ReturnRoutability);
    let first = published(&w.bu(&update(COA, 1, 150)));
    let in_esp = |at| format!("{home} to {at}, ReturnRoutability in ESP");
    assert_eq!(first, [format!("{network} to {COA}"), in_esp(COA)]);
    assert_eq!(published(&w.bu(&update(COA, 2, 150))), [""; 0], "nothing has changed");
    let moved = published(&w.bu(&update(COA2, 3, 150)));
    assert_eq!(moved, [format!("{network} to {COA2}"), in_esp(COA2)]);
    let mut w = world(All);
    let first = published(&w.bu(&update(COA, 1, 150)));
    assert_eq!(first, [network, &home].map(|p| format!("{p} to {COA}, All in ESP")));
    let ended = published(&w.bu(&update(COA, 2, 0)));
    assert_eq!(ended, [network, &home].map(|p| format!("{p} gone")));
}

#[test]
fn other_nodes_are_forwarded_as_before_and_a_restart_goes_by_the_configuration() {
    let mut w = world(All);
    let other = published(&w.bu(&Bu { home: Some(POOLED), ..Bu::default() }));
    assert!(other.iter().all(|p| !p.contains("ESP")), "{other:?}");
    w.bu(&update(COA, 1, 150));
    let kept = w.binding(HOME).cloned().expect("registered");
    let record = serde_json::to_value(&kept).expect("written");
    let mut w = world(ReturnRoutability);
    let binding = serde_json::from_value(record).expect("read");
    let record = crate::mobility::anchor::Record::Home(std::borrow::Cow::Owned(binding));
    let mut actions = Vec::new();
    w.anchor.restore(record, w.now, &mut actions).expect("its place is free");
    let restored = published(&actions);
    assert!(restored[1].ends_with("ReturnRoutability in ESP"), "{restored:?}");
}
