//! Signaling over IPv4 (RFC 5844 section 4), and frames of VLANs to and from the kernel.

use super::*;
use crate::wire::ipv4::Ipv4Header;
use crate::wire::udp::UdpHeader;

/// A gateway behind a NAT, so that its port is not 5436.
pub(super) const MAG: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 11);
const PORT: u16 = 40_000;

/// A UDP datagram from the gateway to us, as a frame.
pub(super) fn frame4(src_port: u16, dst_port: u16, payload: &[u8]) -> Vec<u8> {
    frame4_to(LMA_IPV4, src_port, dst_port, payload)
}

/// The same to this address.
pub(super) fn frame4_to(dst: Ipv4Addr, src_port: u16, dst_port: u16, payload: &[u8]) -> Vec<u8> {
    frame4_between((MAG, dst), (src_port, dst_port), payload)
}

/// The same between any addresses and ports.
pub(super) fn frame4_between(
    (src, dst): (Ipv4Addr, Ipv4Addr),
    (src_port, dst_port): (u16, u16),
    payload: &[u8],
) -> Vec<u8> {
    let mut datagram = [&[0; 8], payload].concat();
    let ports = UdpHeader { src_port, dst_port };
    ports.emit(src, dst, &mut datagram).expect("fits");
    let mut frame = vec![0; ether::HEADER_LEN + 20];
    let link = ether::EtherHeader { dst: OWN_MAC, src: MAG_MAC, ether_type: ether::IPV4 };
    link.emit(&mut frame).expect("fits");
    let header = Ipv4Header {
        header_len: 20,
        tos: 0,
        total_len: u16::try_from(20 + datagram.len()).expect("short"),
        identification: 7,
        dont_fragment: false,
        more_fragments: false,
        fragment_offset: 0,
        ttl: 64,
        protocol: 17,
        src,
        dst,
    };
    header.emit(&mut frame[ether::HEADER_LEN..]).expect("fits");
    frame.extend(datagram);
    frame
}

/// The Mobility Header of a registration, its own checksum wrong on purpose.
pub(super) fn registration(bench: &Bench) -> Vec<u8> {
    let mut header =
        bench.pbu(MAG1, "mn1", 1, 600)[ether::HEADER_LEN + ipv6::HEADER_LEN..].to_vec();
    header[4..6].copy_from_slice(&[0xba, 0xd1]);
    header
}

pub(super) fn bench() -> Bench {
    let mut bench = Bench::new(Shape::default());
    bench.tell(KernelEvent::RouteSet(route("192.0.2.0/24"), NextHop::OnLink(ACCESS)));
    bench.learn(MAG.to_ipv6_mapped(), MAG_MAC);
    bench.settle();
    bench
}

/// A frame comes on the queue for signaling.
pub(super) fn signal(bench: &mut Bench, frame: &[u8]) {
    let frame = bench.pool.frame(ACCESS, frame).expect("a buffer");
    assert!(bench.signaling.inject(frame).is_ok());
    bench.settle();
}

// proves: PMIP4-4.1.3.1-2, PMIP4-4.1.3.2-2, PMIP4-4.1.3.2-3, PMIP4-4.1.3.2-4
#[test]
fn update_over_ipv4_is_answered_in_udp_from_port_5436_to_the_port_that_it_came_from() {
    let mut bench = bench();
    let header = registration(&bench);
    signal(&mut bench, &frame4(PORT, 5436, &header));
    assert_eq!(bench.count(Counter::PbuReceived), 1, "whatever the header's own checksum");
    let frames = bench.tx.take_all();
    assert_eq!(frames.len(), 1);
    let bytes = frames[0].to_bytes();
    assert_eq!((&bytes[..6], &bytes[12..14]), (&MAG_MAC.0[..], &[8, 0][..]));
    let packet = &bytes[ether::HEADER_LEN..];
    let ip = Ipv4Header::parse(packet).expect("IPv4 with a checksum");
    assert_eq!((ip.src, ip.dst, ip.protocol), (LMA_IPV4, MAG, 17));
    assert_ne!(packet[26..28], [0, 0], "the UDP checksum is used");
    let (udp, header) = UdpHeader::parse(&packet[20..], LMA_IPV4, MAG).expect("UDP");
    assert_eq!((udp.src_port, udp.dst_port), (5436, PORT));
    assert_eq!(header[4..6], [0, 0], "the Mobility Header has none");
    assert!(matches!(Message::parse_in_udp(header), Ok(Message::Ba(..))));
}

#[test]
fn update_over_ipv4_without_udp_checksum_or_to_another_port_is_discarded() {
    let mut bench = bench();
    let header = registration(&bench);
    let good = frame4(PORT, 5436, &header);
    let mut unprotected = good.clone();
    unprotected[40..42].fill(0);
    let mut damaged = good.clone();
    damaged[60] ^= 1;
    for (frame, counter) in [
        (unprotected, Counter::SignalingChecksum),
        (damaged, Counter::SignalingChecksum),
        (frame4(PORT, 5437, &header), Counter::SignalingMalformed),
        (good[..good.len() - 1].to_vec(), Counter::SignalingMalformed),
    ] {
        let before = bench.count(counter);
        signal(&mut bench, &frame);
        assert_eq!((bench.count(counter), bench.count(Counter::PbuReceived)), (before + 1, 0));
    }
    assert_eq!(bench.tx.take_all().len(), 0);
}

#[test]
fn unknown_message_over_ipv4_is_answered_by_a_binding_error_over_ipv4() {
    let mut bench = bench();
    signal(&mut bench, &frame4(PORT, 5436, &[59, 0, 200, 0, 0, 0, 0, 0]));
    let frames = bench.tx.take_all();
    let packet = &frames[0].to_bytes()[ether::HEADER_LEN..];
    let (udp, header) = UdpHeader::parse(&packet[20..], LMA_IPV4, MAG).expect("UDP");
    assert_eq!(udp.dst_port, PORT);
    let message = Message::parse_in_udp(header);
    assert!(matches!(message, Ok(Message::Be(e, _)) if e.status == 2), "{message:?}");
}

#[test]
fn without_an_ipv4_address_nothing_is_heard_over_ipv4() {
    let header = registration(&bench());
    let own = Anchors { ipv6: LMA, ipv4: None };
    let signal = crate::control::signaling::read(&frame4(PORT, 5436, &header), own, false);
    assert_eq!(signal, super::super::signaling::Signal::Discard(Counter::SignalingMalformed));
}

#[test]
fn tagged_frame_for_the_kernel_goes_to_the_tap_of_its_vlan_without_the_tag() {
    let mut bench = Bench::with_vlan(Shape::default(), 100);
    let plain = packet(MAG1, LMA, 17, &[7; 8]);
    let mut tagged = plain.clone();
    tagged.splice(12..12, [0x81, 0x00, 0xe0, 100]);
    let frame = bench.pool.frame(ACCESS, &tagged).expect("a buffer");
    bench.control.give_to_kernel(frame, bench.now);
    let (port, frame) = bench.to_kernel.try_recv().expect("the kernel gets it");
    assert_eq!((port, frame.to_bytes()), (PortId(1), plain));
    tagged[15] = 101;
    let frame = bench.pool.frame(ACCESS, &tagged).expect("a buffer");
    bench.control.give_to_kernel(frame, bench.now);
    assert!(bench.to_kernel.try_recv().is_err(), "there is no VLAN 101");
    assert_eq!(bench.count(Counter::KernelTxDropped), 1);
}
