//! Any bytes: as a Mobility Header, and as the part of one that its checksum covers.

use anchord::wire::mh::{
    AuthOption, BindingRefreshRequest, Message, MessageData, MobilityOption, NEXT_HEADER,
    OptionList, Options,
};
use std::net::Ipv6Addr;

const SRC: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 2);
const DST: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 1);

/// Parses; what parses must survive being emitted and parsed again.
pub(crate) fn run(bytes: &[u8]) {
    let _ = Options::parse(bytes);
    check(bytes);
    authenticated(bytes);
    if let Ok(message) = Message::parse_in_udp(bytes) {
        for option in message.options() {
            if let MobilityOption::AccessNetworkId(ani) = option {
                assert!(ani.iter().map(|sub| sub.buffer_len()).eq(sub_option_lens(ani.bytes())));
            }
        }
    }
    // Nobody guesses a checksum: the same bytes with the right one.
    let Some(units) = bytes.get(1) else { return };
    if let Some(header) = bytes.get(..(usize::from(*units) + 1) * 8) {
        let mut header = header.to_vec();
        header[4..6].fill(0);
        let sum = checksum(&header);
        header[4..6].copy_from_slice(&sum.to_be_bytes());
        check(&header);
    }
}

fn check(bytes: &[u8]) {
    let Ok(message) = Message::parse(bytes, SRC, DST) else { return };
    let options = message.options();
    let again = match message {
        Message::Brr(_) => emit(&BindingRefreshRequest, options),
        Message::Bu(m, _) => emit(&m, options),
        Message::Ba(m, _) => emit(&m, options),
        Message::Be(m, _) => emit(&m, options),
        Message::Switch(m, _) => emit(&m, options),
        Message::Heartbeat(m, _) => emit(&m, options),
        Message::Bri(m, _) => emit(&m, options),
        Message::Bra(m, _) => emit(&m, options),
    };
    // Aligned as the RFCs want it, it may be longer than any Mobility Header.
    let Some(again) = again else { return };
    let parsed = Message::parse(&again, SRC, DST).expect("we made it");
    assert_eq!(core::mem::discriminant(&message), core::mem::discriminant(&parsed));
    assert!(options.iter().eq(parsed.options().iter()));
}

/// What the authentication options cover, if there are any.
fn authenticated(header: &[u8]) {
    for subtype in [AuthOption::MN_HA, AuthOption::MN_AAA] {
        let Ok(Some(auth)) = AuthOption::find(header, subtype) else { continue };
        let (care_of, home) = (SRC.octets(), DST.octets());
        let covered = auth.mobility_data(&care_of, &home, header).concat();
        let end = covered.len() - care_of.len() - home.len();
        assert_eq!(covered[32..36], header[..4]);
        assert_eq!(covered[38..], header[6..end]);
        // RFC 4285 5: the SPI is the last that is covered, the data begins behind it.
        assert_eq!(header[end - 4..end], auth.spi.to_be_bytes());
        assert!(header[end..].starts_with(auth.data(header)));
        assert_eq!(header[end - 5], subtype);
    }
}

/// Lengths of the sub-options of an Access Network Identifier, in another way than the library.
fn sub_option_lens(mut bytes: &[u8]) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let len = 2 + usize::from(*bytes.get(1)?);
        bytes = &bytes[len..];
        Some(len)
    })
}

fn emit<'o, M: MessageData>(message: &M, options: impl OptionList<'o>) -> Option<Vec<u8>> {
    let mut buf = vec![0xa5; message.buffer_len(options.clone())];
    let len = message.emit(options, SRC, DST, &mut buf).ok()?;
    assert_eq!(len, buf.len());
    Some(buf)
}

/// RFC 6275 section 6.1.1, in another way than the library: word by word, carry at once.
fn checksum(header: &[u8]) -> u16 {
    let mut bytes = [SRC.octets(), DST.octets()].concat();
    bytes.extend(u32::try_from(header.len()).expect("short").to_be_bytes());
    bytes.extend([0, 0, 0, NEXT_HEADER]);
    bytes.extend(header);
    let words = bytes.chunks(2).map(|w| u16::from_be_bytes([w[0], w.get(1).copied().unwrap_or(0)]));
    !words.fold(0, |sum: u16, word| {
        let (sum, carry) = sum.overflowing_add(word);
        sum + u16::from(carry)
    })
}
