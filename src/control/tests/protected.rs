//! Mobile nodes whose tunnel is in ESP (RFC 6275 10.4.6): packets to the kernel, and what it makes
//! of them.

use super::*;
use crate::control::home::tests::{
    ALL_IN_ESP, CARE_OF, MAC, NEIGHBOR, PART_IN_ESP, bench as home_bench, registration_at, sent,
};

const CARE_OF2: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 0x52);
const ESP: u8 = 50;
const HOME_TEST: [u8; 8] = [59, 0, 3, 0, 0, 0, 0, 0];

/// Both nodes are away from home.
fn bench() -> Bench {
    let mut bench = home_bench();
    bench.learn(CARE_OF2, MAC);
    bench.register_in_esp(PART_IN_ESP, CARE_OF, 1);
    bench.register_in_esp(ALL_IN_ESP, CARE_OF, 1);
    bench
}

impl Bench {
    fn register_in_esp(&mut self, home: Ipv6Addr, care_of: Ipv6Addr, seq: u16) {
        self.comes_in_esp(&registration_at(care_of, home, seq, 15));
        let sent = self.goes_into_esp();
        assert!(matches!(sent.as_slice(), [(to, _)] if *to == care_of), "{sent:?}");
    }

    /// Whether a packet of the correspondent is the kernel's to forward; what left instead.
    fn comes(&mut self, packet: &[u8]) -> (bool, Vec<Vec<u8>>) {
        self.arrive(packet);
        self.settle();
        let passed: Vec<_> = self.to_kernel.try_iter().map(|(_, f)| f.to_bytes()).collect();
        assert!(passed.iter().all(|frame| frame == packet), "as it came");
        (!passed.is_empty(), sent(self))
    }

    /// What leaves of a frame of the kernel.
    fn kernel_sends(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        self.from_kernel.send((ACCESS, frame.into())).expect("room");
        self.settle();
        sent(self)
    }
}

fn destination(packet: &[u8]) -> Ipv6Addr {
    Ipv6Header::parse(packet).expect("IPv6").dst
}

// proves: MIP6-10.4.6-3, MIP6-10.4.6-1, MIP6-8.4-13
#[test]
fn esp_to_the_home_address_goes_to_the_care_of_address_that_is_registered_at_that_moment() {
    let mut bench = bench();
    for (seq, care_of) in [(1, CARE_OF), (2, CARE_OF2)] {
        if seq > 1 {
            bench.register_in_esp(PART_IN_ESP, care_of, seq);
        }
        let esp = packet(LMA, PART_IN_ESP, ESP, &[7; 64]);
        // As a whole, and as a fragment of it.
        for frame in [esp, packet(LMA, PART_IN_ESP, 44, &[&[ESP, 0, 0, 1], &[7; 60][..]].concat())]
        {
            let left = bench.kernel_sends(&frame);
            let mut expected = frame[ether::HEADER_LEN..].to_vec();
            expected[24..40].copy_from_slice(&care_of.octets());
            assert_eq!(left, [expected], "nothing else of it is changed");
        }
    }
    assert_eq!(bench.count(Counter::KernelUnprotected), 0);
}

// proves: MIP6-10.4.6-5, MIP6-10.4.2-8, MIP6-8.4-13
#[test]
fn home_test_is_the_kernels_and_leaves_in_esp_or_not_at_all() {
    let mut bench = bench();
    let home_test = packet(NEIGHBOR, PART_IN_ESP, mh::NEXT_HEADER, &HOME_TEST);
    let payload = packet(NEIGHBOR, PART_IN_ESP, 59, &[]);
    assert_eq!(bench.comes(&home_test), (true, vec![]));
    let (to_kernel, tunneled) = bench.comes(&payload);
    assert_eq!((to_kernel, destination(&tunneled[0])), (false, CARE_OF));
    // The kernel has no policy.
    assert_eq!(bench.kernel_sends(&home_test), [[0; 0]; 0]);
    assert_eq!(bench.count(Counter::KernelUnprotected), 1);
    // Nor has it for the other node.
    let payload = packet(NEIGHBOR, ALL_IN_ESP, 59, &[]);
    assert_eq!(bench.comes(&payload), (true, vec![]));
    assert_eq!(bench.kernel_sends(&payload), [[0; 0]; 0]);
    assert_eq!(bench.count(Counter::KernelUnprotected), 2);
}

#[test]
fn packet_that_a_node_sent_in_esp_to_another_enters_that_ones_tunnel_or_is_the_kernels_again() {
    let mut bench = bench();
    let left = bench.kernel_sends(&packet(ALL_IN_ESP, PART_IN_ESP, 59, &[]));
    assert_eq!((left.len(), destination(&left[0])), (1, CARE_OF));
    assert_eq!(destination(&left[0][ipv6::HEADER_LEN..]), PART_IN_ESP);
    // To the correspondent it leaves as the kernel routes it.
    let frame = packet(ALL_IN_ESP, NEIGHBOR, 59, &[]);
    assert_eq!(bench.kernel_sends(&frame), [&frame[ether::HEADER_LEN..]]);
}

// proves: HASWITCH-5.1-6, HASWITCH-10-1
#[test]
fn message_in_the_tunnel_of_a_node_is_the_kernels_to_protect() {
    let mut bench = bench();
    bench.control.handle_event(
        Event::NodeDrain(crate::mobility::ha::Drain::Begin { within: None }),
        bench.now,
    );
    bench.pass(Duration::from_secs(1));
    bench.pass(Duration::from_secs(1));
    let told = bench.goes_into_esp();
    let of_node =
        |home| told.iter().filter(|(to, message)| *to == home && message[2] == 12).count();
    assert_eq!((of_node(PART_IN_ESP), of_node(ALL_IN_ESP)), (1, 1), "{told:?}");
    assert_eq!(sent(&mut bench), [[0; 0]; 0], "nothing is in the clear");
}
