//! What the kernel's socket says, as a frame, and what it is told.

use super::super::signaling::{Signal, read};
use super::policy::{MODE_AT, OPTIONAL_AT, PROTOCOL_AT, TEMPLATE_AT, TEMPLATE_LEN};
use super::*;
use crate::mobility::message::Transport;
use crate::time::Lifetime;
use crate::wire::mh::{BindingUpdate, BuFlags, MessageData, MobilityOption, SeqNo};

const LMA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 1);
const HOME: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 7, 0, 0, 0, 7);
const CARE_OF: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xb, 0, 0, 0, 0, 0x21);
const OWN: Anchors = Anchors { ipv6: LMA, ipv4: None };

/// A home registration, its checksum over the home address as RFC 6275 6.1.1 has it.
fn update() -> Vec<u8> {
    let update =
        BindingUpdate { seq: SeqNo(1), flags: BuFlags::A | BuFlags::H, lifetime: Lifetime(15) };
    let (none, mut message) = ([] as [MobilityOption<'_>; 0], vec![0; mh::MAX_LEN]);
    let len = update.emit(&none, HOME, LMA, &mut message).expect("fits");
    message.truncate(len);
    message
}

/// What the control core reads of a message that the socket had from `from`, behind `options`.
fn heard(from: Ipv6Addr, options: &[u8]) -> Signal {
    let from = SockaddrStorage::from(SocketAddrV6::new(from, 0, 0, 0));
    let frame = frame(&from, OWN, options, (mh::NEXT_HEADER, &update())).expect("short");
    read(&frame, OWN, true)
}

// proves: MIP6-10.3.1-10
#[test]
fn update_in_esp_is_of_the_home_address_at_the_care_of_address_that_the_kernel_put_into_the_option()
{
    let option = [&[135, 2, 1, 2, 0, 0, 201, 16][..], &CARE_OF.octets()].concat();
    let Signal::Bu(msg) = heard(HOME, &option) else { panic!("an update") };
    assert_eq!((msg.src, msg.home, msg.transport), (CARE_OF, Some(HOME), Transport::Ipv6Esp));
    // At home there is no option; others say nothing.
    for options in [&[][..], &[135, 0, 1, 4, 0, 0, 0, 0], &[135, 9], &[0; 3]] {
        let Signal::Bu(msg) = heard(HOME, options) else { panic!("an update") };
        assert_eq!((msg.src, msg.home, msg.transport), (HOME, None, Transport::Ipv6Esp));
    }
}

#[test]
fn socket_takes_esp_alone_and_before_it_no_more_than_a_home_address() {
    let policy = in_policy6();
    let template = |n: usize| &policy[TEMPLATE_AT + n * TEMPLATE_LEN..][..TEMPLATE_LEN];
    let fields = |n| [PROTOCOL_AT, MODE_AT, OPTIONAL_AT].map(|at: usize| template(n)[at]);
    assert_eq!([fields(0), fields(1)], [[50, 0, 0], [60, 2, 1]]);
    assert_eq!(in_policy4()[TEMPLATE_AT + PROTOCOL_AT], 50);
}

// proves: MIP6-6.7-2
#[test]
fn socket_for_prefixes_hears_solicitations_alone_and_says_from_where_they_came() {
    let passes =
        |kind: u8| filter_of(PREFIX_SOLICITATION)[usize::from(kind / 32)] >> (kind % 32) & 1 == 0;
    assert!((0..=255).filter(|kind| passes(*kind)).eq([146]));
    let from = SockaddrStorage::from(SocketAddrV6::new(HOME, 0, 0, 0));
    let option = [&[58, 2, 1, 2, 0, 0, 201, 16][..], &CARE_OF.octets()].concat();
    let message = [146, 0, 0, 0, 0, 7, 0, 0];
    let frame = frame(&from, OWN, &option, (icmpv6::NEXT_HEADER, &message)).expect("short");
    let packet = &frame[ether::HEADER_LEN..];
    let ip = Ipv6Header::parse(packet).expect("IPv6");
    let upper = find_upper_layer(packet).expect("whole");
    assert_eq!((ip.src, upper.home_address.map(|(home, _)| home)), (CARE_OF, Some(HOME)));
    assert_eq!((upper.next_header, &packet[upper.offset..]), (58, &message[..]));
}
