//! Messages of another implementation's node (umip 0.4, captured on the wire between it and its own
//! home agent): IPv6 packets in hexadecimal.

use super::*;
use crate::mobility::message::UpdateMsg;
use crate::mobility::packet::{self, Ends};
use crate::wire::icmpv6::mobility::MobilityRequest;
use crate::wire::ipv6::{HomeRoute, Ipv6Header, find_upper_layer};
use crate::wire::mh::Message;

const CARE_OF: &str = "2001:db8:60:0:2410:4dff:fef9:22f0";

const REGISTRATION: &str = "600f5ba400383c3f20010db80060000024104dfffef922f020010db8010000000000\
    000000000001870201020000c91020010db80100000000000000000012343b030500de3796f3c000545f01000310\
    20010db80060000024104dfffef922f0";
const ANSWERED: &str = "600e025d00282b4020010db801000000000000000000000120010db80060000024104dff\
    fef922f0870202010000000020010db80100000000000000000012343b010600626b000096f3545f01020000";
const SOLICITATION: &str = "6001583900203c3f20010db80060000024104dfffef922f020010db8010000000000\
    0000000000013a0201020000c91020010db80100000000000000000012349200c577389e0000";
const ADVERTISED: &str = "600b178d00402b4020010db801000000000000000000000120010db80060000024104d\
    fffef922f03a0202010000000020010db80100000000000000000012349300c7ff389e0000030440e00001517c00\
    00383c0000000020010db8010000000000000000000001";
const RETURN: &str = "600f5ba400383c3f20010db80060000024104dfffef922f020010db8010000000000000000\
    000001870201020000c91020010db80100000000000000000012343b030500329696f4c000000001000310\
    20010db80060000024104dfffef922f0";
const RETURNED: &str = "600e025d00282b4020010db801000000000000000000000120010db80060000024104dff\
    fef922f0870202010000000020010db80100000000000000000012343b010600b6c9000096f4000001020000";

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn update(hex: &str) -> UpdateMsg {
    let packet = bytes(hex);
    let ip = Ipv6Header::parse(&packet).expect("a header");
    let upper = find_upper_layer(&packet).expect("a chain");
    let (home, at) = upper.home_address.expect("a Home Address option");
    assert_eq!((upper.next_header, upper.unknown_option()), (135, Some(at)));
    // 6.1.1: the home address counts for the checksum.
    let message = Message::parse(&packet[upper.offset..], home, ip.dst).expect("valid");
    let Message::Bu(update, options) = message else { panic!("{message:?}") };
    UpdateMsg {
        src: ip.src,
        dst: ip.dst,
        home: Some(home),
        transport: Transport::Ipv6,
        update,
        options: options.into(),
        header: Box::default(),
    }
}

fn written(ack: &AckMsg) -> Vec<u8> {
    let mut buf = [0; 256];
    let ends = Ends { src: ack.src, dst: ack.dst, transport: ack.transport, home: ack.home };
    let len = packet::emit(&ack.ack, ack.options.options(), &ends, &mut buf).expect("fits");
    buf[..len].to_vec()
}

/// From the routing header on, but for the hop limit and so on before it: what the RFC fixes.
fn fixed(packet: &[u8]) -> &[u8] {
    &packet[40..]
}

// proves: MIP6-6.3-1, MIP6-6.1-1, MIP6-9.5.4-12, MIP6-10.2-1, MIP6-8.4-6, MIP6-6.2-1
#[test]
fn acknowledgements_are_those_of_the_other_implementations_home_agent() {
    let mut w = World::new(config());
    let actions = w.event(Event::Bu(update(REGISTRATION)));
    let care_of: Ipv6Addr = CARE_OF.parse().expect("an address");
    assert_eq!(published(&actions), [format!("{HOME}/128 to {care_of}")]);
    let ack = written(reply(&actions).expect("an answer"));
    let theirs = bytes(ANSWERED);
    let header = |p: &[u8]| {
        let h = Ipv6Header::parse(p).expect("a header");
        (h.src, h.dst, h.next_header, h.payload_len)
    };
    assert_eq!(header(&ack), header(&theirs));
    assert_eq!(fixed(&ack), fixed(&theirs), "byte for byte");
    let actions = w.event(Event::Bu(update(RETURN)));
    assert_eq!(fixed(&written(reply(&actions).expect("an answer"))), fixed(&bytes(RETURNED)));
    assert_eq!(published(&actions), [format!("{HOME}/128 gone")]);
}

// proves: MIP6-6.7-5, MIP6-6.8-2, MIP6-6.8-7, MIP6-6.8-8, MIP6-6.8-10, MIP6-10.6.3-1
// proves: MIP6-10.6.3-3, MIP6-10.6.3-4, MIP6-8.4-11, MIP6-6.8-4, MIP6-6.8-5
#[test]
fn prefix_advertisement_is_that_of_the_other_implementations_home_agent() {
    let mut config = config();
    // The lifetimes that it had left when it answered.
    config.links[0].prefixes[0].valid_lifetime_s = Some(0x1517c);
    config.links[0].prefixes[0].preferred_lifetime_s = Some(0x383c);
    let mut w = World::new(config);
    w.event(Event::Bu(update(REGISTRATION)));
    let packet = bytes(SOLICITATION);
    let ip = Ipv6Header::parse(&packet).expect("a header");
    let upper = find_upper_layer(&packet).expect("a chain");
    let (home, _) = upper.home_address.expect("a Home Address option");
    let asked = MobilityRequest::parse(&packet[upper.offset..], home, ip.dst).expect("valid");
    let MobilityRequest::Prefixes { id } = asked else { panic!("{asked:?}") };
    let actions =
        w.event(Event::PrefixSolicitation { src: ip.src, home, dst: ip.dst, id, esp: false });
    let [Action::SendIcmp(icmp)] = &actions[..] else { panic!("{actions:?}") };
    let mut buf = [0; 256];
    let len = packet::emit_icmp(icmp, &mut buf).expect("fits");
    assert_eq!(fixed(&buf[..len]), fixed(&bytes(ADVERTISED)), "byte for byte");
}

#[test]
fn routing_header_of_the_other_implementation_is_read() {
    let home = HOME;
    let theirs = bytes(ANSWERED);
    let (route, rest) = HomeRoute::parse(fixed(&theirs)).expect("valid");
    assert_eq!((route, rest.len()), (HomeRoute { next_header: 135, home }, 16));
}
