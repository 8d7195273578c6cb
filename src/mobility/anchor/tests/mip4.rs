//! A node that a gateway registers and that registers itself by Mobile IPv4: one address, one
//! allocation.

use super::*;
use crate::mobility::auth::ntp;
use crate::mobility::ha::tests::{HA4, lma_config};
use crate::mobility::mip4::{
    Algorithm, Mip4Config, Mip4Msg, Mip4Node, Replay, SecurityAssociation,
};
use crate::wire::mh::Ipv4Home;
use crate::wire::mip4::{
    Body, Extension, Identification, Message, RegistrationLifetime, RegistrationRequest,
    RequestFlags,
};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use std::net::Ipv4Addr;

const CARE_OF: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const GIVEN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const NOBODY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const SECRET: [u8; 16] = [0x5a; 16];

fn world() -> World {
    world_of(config())
}

fn world_of(ha: HaConfig) -> World {
    let node = |n| Mip4Node {
        mn_id: mn_id(n),
        customer: CustomerId(0),
        home_address: None,
        prefixes: Vec::new(),
        implicit: false,
        associations: vec![SecurityAssociation {
            spi: 256,
            algorithm: Algorithm::HmacMd5,
            secret: SECRET.into(),
            replay: Replay::default(),
        }],
    };
    let nodes = vec![node(2), node(3)];
    let mip4 = HomeAgent4::new(Mip4Config { address: HA4, nodes, ..Mip4Config::default() });
    let w = World::new(ha.clone());
    let anchor = Anchor::new(Lma::new(lma_config()), HomeAgent::new(ha)).with_mip4(mip4);
    World { anchor, ..w }
}

/// A gateway's update for the node `n`, with an IPv4 home address, known or not.
fn pbu4(n: u8, seq: u16, lifetime: u16, home: Ipv4Addr) -> Event {
    pbu_of(n, seq, lifetime, None, home)
}

/// The same with a home network prefix besides.
fn pbu_of(n: u8, seq: u16, lifetime: u16, hnp: Option<HomePrefix>, home: Ipv4Addr) -> Event {
    let id = mn_id(n);
    let home = Ipv4Home::new(home, 24).expect("a length");
    let mut options = vec![
        MobilityOption::MnId(id.subtype(), id.bytes()),
        MobilityOption::HandoffIndicator(HandoffIndicator(1)),
        MobilityOption::AccessTech(AccessTech(4)),
        MobilityOption::Ipv4HomeAddressRequest(home),
    ];
    options.extend(hnp.map(MobilityOption::HomeNetworkPrefix));
    let Event::Pbu(msg) = pbu(n, seq, lifetime, HomePrefix::ALL_ZERO) else { panic!("is one") };
    Event::Pbu(UpdateMsg {
        dst: HA,
        options: OwnedOptions::from_options(&options).expect("fits"),
        ..msg
    })
}

/// The node's own request.
fn request(w: &World, n: u8, count: u64, lifetime: u16, home: Ipv4Addr) -> Event {
    let body = Body::Request(RegistrationRequest {
        flags: RequestFlags::D,
        lifetime: RegistrationLifetime(lifetime),
        home_address: home,
        home_agent: HA4,
        care_of: CARE_OF,
        identification: Identification(ntp(w.now.wall) + count),
    });
    let id = mn_id(n);
    let nai = Extension::MnNai(id.bytes());
    let mut payload = vec![0; body.buffer_len() + nai.buffer_len()];
    body.emit(&mut payload).expect("fits");
    nai.emit(&mut payload[body.buffer_len()..]).expect("fits");
    payload.extend([32, 20, 0, 0, 1, 0]);
    let mut mac = Hmac::<Md5>::new_from_slice(&SECRET).expect("a key");
    mac.update(&payload);
    payload.extend(mac.finalize().into_bytes());
    Event::Mip4(Mip4Msg { src: CARE_OF, dst: HA4, port: 5000, payload })
}

/// Code and home address of the answer.
fn answer(actions: &[Action]) -> Option<(u8, Ipv4Addr)> {
    actions.iter().find_map(|a| match a {
        Action::SendMip4 { msg, .. } => match Message::parse(&msg.payload).expect("ours").body {
            Body::Reply(reply) => Some((reply.code.0, reply.home_address)),
            _ => None,
        },
        _ => None,
    })
}

fn used(w: &World) -> u64 {
    w.anchor.lma().pools().nth(1).expect("that of IPv4").used
}

fn to_node() -> String {
    format!("10.0.0.2/32 to ::ffff:{CARE_OF}")
}

#[test]
fn home_address_is_the_nodes_whichever_protocol_asked_first() {
    // The gateway first.
    let mut w = world();
    assert_eq!(published(&w.event(pbu4(2, 1, 900, NOBODY))), [format!("10.0.0.2/32 to {MAG}")]);
    let event = request(&w, 2, 1, 600, NOBODY);
    assert_eq!(answer(&w.event(event)), Some((1, GIVEN)));
    let event = request(&w, 3, 1, 600, GIVEN);
    assert_eq!(answer(&w.event(event)), Some((129, GIVEN)), "another node may not have it");
    assert_eq!(used(&w), 1);
    // The node first.
    let mut w = world();
    let event = request(&w, 2, 1, 600, NOBODY);
    assert_eq!(answer(&w.event(event)), Some((1, GIVEN)));
    assert_eq!(status(&w.event(pbu4(3, 1, 900, GIVEN))), Some(171), "another node may not");
    assert_eq!(status(&w.event(pbu4(2, 1, 900, NOBODY))), Some(0));
    let session = w.anchor.lma().cache().of_node(&mn_id(2)).next().expect("one");
    assert_eq!(session.ipv4.map(|a| a.home.addr()), Some(GIVEN));
    assert_eq!(used(&w), 1);
}

#[test]
fn packets_go_where_the_node_says_and_back_to_its_gateway_when_it_ends_that() {
    let mut w = world();
    w.event(pbu4(2, 1, 900, NOBODY));
    let event = request(&w, 2, 1, 600, NOBODY);
    assert_eq!(published(&w.event(event)), [to_node()]);
    assert_eq!(published(&w.event(pbu4(2, 2, 900, GIVEN))), [""; 0], "the gateway's yields");
    let home = GIVEN.to_ipv6_mapped();
    let by_gateway = WayHome::Gateway(TunnelPath::ip(HA, MAG), GreKeys::default());
    assert_eq!(w.anchor.way_home(CustomerId(0), home), Some(by_gateway));
    let event = request(&w, 2, 2, 0, GIVEN);
    assert_eq!(published(&w.event(event)), [format!("10.0.0.2/32 to {MAG}")]);
    assert_eq!(w.anchor.way_home(CustomerId(0), home), None);
    assert_eq!((w.anchor.lma().cache().len(), used(&w)), (1, 1), "the proxy binding stays");
    // The same when it expires.
    let event = request(&w, 2, 3, 600, GIVEN);
    w.event(event);
    let actions = w.wait(Duration::from_secs(600));
    assert_eq!(published(&actions), [format!("10.0.0.2/32 to {MAG}")]);
}

#[test]
fn address_stays_the_nodes_until_both_have_let_it_go() {
    for gateway_first in [false, true] {
        let mut w = world();
        let event = request(&w, 2, 1, 600, NOBODY);
        w.event(event);
        w.event(pbu4(2, 1, 900, NOBODY));
        for (gateway, left) in [(gateway_first, 1), (!gateway_first, 0)] {
            let own = request(&w, 2, 2, 0, GIVEN);
            w.event(if gateway { pbu4(2, 2, 0, GIVEN) } else { own });
            w.wait(Duration::from_secs(20));
            assert_eq!(used(&w), left, "{gateway_first}");
        }
    }
}

#[test]
fn restart_takes_up_registration_and_proxy_binding_in_any_order() {
    let mut w = world();
    w.event(pbu4(2, 1, 900, NOBODY));
    let event = request(&w, 2, 1, 600, NOBODY);
    w.event(event);
    let proxy = w.anchor.lma().cache().page(0, 1).0.next().expect("one").1.id;
    let own = w.anchor.mip4().registrations(None).next().expect("one").id;
    for order in [[proxy, own], [own, proxy]] {
        let mut again = world();
        let mut actions = Vec::new();
        for id in order {
            let bytes = postcard::to_stdvec(&w.anchor.record(id)).expect("encodes");
            let record: Option<Record<'static>> = postcard::from_bytes(&bytes).expect("decodes");
            again.anchor.restore(record.expect("there"), w.now, &mut actions).expect("new");
        }
        assert_eq!(published(&actions).last(), Some(&to_node()), "{order:?}");
        assert_eq!(used(&again), 1);
        again.now = w.now;
        let event = request(&again, 2, 2, 0, GIVEN);
        assert_eq!(published(&again.event(event)), [format!("10.0.0.2/32 to {MAG}")]);
    }
}

#[test]
fn operator_ends_what_a_node_has_by_any_protocol() {
    let mut w = world();
    w.event(pbu4(2, 1, 900, NOBODY));
    let event = request(&w, 2, 1, 600, NOBODY);
    w.event(event);
    w.event(Event::AdminDelete { mn_id: mn_id(2), prefix: None, customer: None });
    assert!(w.anchor.mip4().is_empty() && w.anchor.lma().cache().is_empty());
    assert_eq!(used(&w), 0);
}

// The end of the entry that both protocols share takes the gateway's half of the IPv4 home address
// with it, not that of Mobile IPv4.
#[test]
fn ipv4_home_address_stays_where_mobile_ipv4_has_it_when_the_combined_entry_ends() {
    let mut w = world_of(HaConfig { interworking: Interworking::Combined, ..config() });
    let actions = w.event(pbu_of(2, 1, 900, Some(prefix(WHOLE)), NOBODY));
    let at_gateway = [format!("{WHOLE} to {MAG}"), format!("10.0.0.2/32 to {MAG}")];
    assert_eq!(published(&actions), at_gateway);
    let event = request(&w, 2, 1, 600, GIVEN);
    assert_eq!(published(&w.event(event)), [to_node()]);
    let at_node = [format!("{WHOLE} to {COA}"), format!("{POOLED}/128 to {COA}")];
    assert_eq!(published(&w.bu(&bu(1, 900, PLAIN))), at_node);
    let ended = published(&w.bu(&bu(2, 0, PLAIN)));
    assert!(!ended.is_empty() && ended.iter().all(|p| p.starts_with("2001:db8:")), "{ended:?}");
    let later = published(&w.wait(Duration::from_secs(60)));
    assert!(later.iter().all(|p| p.starts_with("2001:db8:")), "{later:?}");
    assert_eq!((w.anchor.lma().cache().len(), used(&w)), (0, 1));
    let event = request(&w, 2, 2, 0, GIVEN);
    assert_eq!(published(&w.event(event)), ["10.0.0.2/32 gone"]);
    assert_eq!(used(&w), 0);
}
