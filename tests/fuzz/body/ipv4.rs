//! Any bytes: as an IPv4 packet, with and without the right checksums, and all that it may carry.

use anchord::wire::gre::{self, GreHeader};
use anchord::wire::icmpv4::{ERROR_HEADER_LEN, ERROR_MAX_LEN, ErrorMessage};
use anchord::wire::ipv4::{self, Ipv4Header};
use anchord::wire::mh::Message;
use anchord::wire::tlv::TlvHeader;
use anchord::wire::udp::{self, UdpHeader};
use std::net::Ipv4Addr;

/// Parses; what parses must survive being emitted and parsed again.
pub(crate) fn run(bytes: &[u8]) {
    packet(bytes);
    // Nobody guesses a checksum: the same bytes with the right ones.
    let mut bytes = bytes.to_vec();
    let header_len = usize::from(bytes.first().copied().unwrap_or(0) & 0xf) * 4;
    if header_len < ipv4::HEADER_LEN || bytes.len() < header_len {
        return;
    }
    let (header, payload) = bytes.split_at_mut(header_len);
    header[10..12].fill(0);
    let sum = !ones_sum(header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    let claimed = payload.get(4..6).map(|l| usize::from(u16::from_be_bytes([l[0], l[1]])));
    if header[9] == udp::PROTOCOL
        && let Some(datagram) = claimed.and_then(|len| payload.get_mut(..len))
        && datagram.len() >= udp::HEADER_LEN
    {
        datagram[6..8].fill(0);
        let len = u16::try_from(datagram.len()).expect("from a field of 16 bits");
        let pseudo = [&header[12..20], &[0, udp::PROTOCOL], &len.to_be_bytes(), datagram].concat();
        let sum = !ones_sum(&pseudo);
        datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    }
    packet(&bytes);
}

fn packet(bytes: &[u8]) {
    answer(bytes);
    let Ok(header) = Ipv4Header::parse(bytes) else { return };
    assert!((ipv4::HEADER_LEN..=60).contains(&header.header_len));
    assert!(usize::from(header.total_len) >= header.header_len && header.fragment_offset % 8 == 0);
    let mut again = vec![0xa5; ipv4::HEADER_LEN];
    let without_options = Ipv4Header { header_len: ipv4::HEADER_LEN, ..header };
    without_options.emit(&mut again).expect("fits");
    assert_eq!(Ipv4Header::parse(&again), Ok(without_options));

    let payload = &bytes[header.header_len..];
    match header.protocol {
        udp::PROTOCOL => datagram(payload, header.src, header.dst),
        gre::PROTOCOL => gre(payload),
        _ => {}
    }
}

/// No error is longer than it may be, and none is made about an error.
fn answer(invoking: &[u8]) {
    if !ErrorMessage::may_answer(invoking) {
        return;
    }
    let mut packet = vec![0xa5; ERROR_HEADER_LEN];
    packet.extend(invoking);
    packet.truncate(ERROR_MAX_LEN);
    let (src, dst) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2));
    ErrorMessage::FragmentationNeeded(1400).emit(src, dst, 64, &mut packet).expect("short enough");
    let header = Ipv4Header::parse(&packet).expect("we made it");
    assert_eq!(usize::from(header.total_len), packet.len());
    assert!(!ErrorMessage::may_answer(&packet));
}

fn datagram(bytes: &[u8], src: Ipv4Addr, dst: Ipv4Addr) {
    let Ok((header, payload)) = UdpHeader::parse(bytes, src, dst) else { return };
    let mut again = vec![0xa5; udp::HEADER_LEN];
    again.extend(payload);
    header.emit(src, dst, &mut again).expect("was short enough");
    assert_eq!(UdpHeader::parse(&again, src, dst), Ok((header, payload)));
    let _ = Message::parse_in_udp(payload);
    if let Ok((header, inner)) = TlvHeader::parse(payload) {
        let mut again = payload.to_vec();
        header.emit(&mut again).expect("was short enough");
        assert_eq!(TlvHeader::parse(&again), Ok((header, inner)));
        gre(inner);
    }
}

fn gre(bytes: &[u8]) {
    let Ok((header, inner)) = GreHeader::parse(bytes) else { return };
    let mut again = vec![0xa5; header.buffer_len()];
    assert_eq!(header.emit(&mut again), Ok(again.len()));
    again.extend(inner);
    assert_eq!(GreHeader::parse(&again), Ok((header, inner)));
}

/// RFC 1071 in another way than the library: word by word, carry at once.
fn ones_sum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|w| u16::from_be_bytes([w[0], w.get(1).copied().unwrap_or(0)]));
    words.fold(0, |sum: u16, word| {
        let (sum, carry) = sum.overflowing_add(word);
        sum + u16::from(carry)
    })
}
