//! Messages and extensions, byte by byte. What scapy makes of them is in `tests/golden`.

use super::*;
use proptest::prelude::*;
use std::net::{Ipv4Addr, Ipv6Addr};

const HOME: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 5);
const AGENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const CARE_OF: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

const REQUEST: RegistrationRequest = RegistrationRequest {
    flags: RequestFlags(0x22),
    lifetime: RegistrationLifetime(600),
    home_address: HOME,
    home_agent: AGENT,
    care_of: CARE_OF,
    identification: Identification(0x0102_0304_0506_0708),
};

fn emit(body: Body, extensions: &[Extension<'_>]) -> Vec<u8> {
    let mut payload = vec![0xa5; body.buffer_len()];
    body.emit(&mut payload).expect("fits");
    for extension in extensions {
        let mut bytes = vec![0xa5; extension.buffer_len()];
        assert_eq!(extension.emit(&mut bytes), Ok(bytes.len()));
        payload.extend(bytes);
    }
    payload
}

/// What a request with these bytes behind its fixed fields says.
fn extensions(bytes: &[u8]) -> crate::wire::Result<Vec<Extension<'_>>> {
    let mut rest = bytes;
    let mut all = Vec::new();
    // One at a time, so that each borrows from `bytes`.
    while !rest.is_empty() {
        let parsed = Extensions::parse(rest, 0)?;
        let first = parsed.iter().next().expect("there is one");
        all.push(first);
        rest = &rest[first.buffer_len()..];
    }
    Ok(all)
}

fn refused(bytes: &[u8]) -> (ErrorKind, usize) {
    let payload = [&emit(Body::Request(REQUEST), &[])[..], bytes].concat();
    let e = Message::parse(&payload).expect_err("has to be refused");
    (e.kind, e.offset)
}

#[test]
fn request_stands_on_the_wire_as_rfc_5944_draws_it() {
    let bytes = emit(Body::Request(REQUEST), &[]);
    let expected = [
        [1, 0x22, 0x02, 0x58, 10, 1, 0, 5, 192, 0, 2, 1],
        [198, 51, 100, 7, 1, 2, 3, 4, 5, 6, 7, 8],
    ];
    assert_eq!(bytes, expected.concat());
}

#[test]
fn revocation_and_its_acknowledgement_have_their_bits_where_rfc_3543_draws_them() {
    let revocation = RegistrationRevocation {
        from_home_agent: true,
        inform: false,
        home_address: HOME,
        home_domain: AGENT,
        foreign_domain: CARE_OF,
        identifier: 0x0a0b_0c0d,
    };
    let addresses = [[10, 1, 0, 5], [192, 0, 2, 1], [198, 51, 100, 7], [10, 11, 12, 13]];
    for (from_home_agent, inform, flags) in
        [(true, false, 0x80), (false, true, 0x40), (true, true, 0xc0), (false, false, 0)]
    {
        let body =
            Body::Revocation(RegistrationRevocation { from_home_agent, inform, ..revocation });
        let expected = [&[7, 0, flags, 0], &addresses.concat()[..]].concat();
        assert_eq!(emit(body, &[]), expected);
        assert_eq!(Message::parse(&expected).map(|m| m.body), Ok(body));
    }
    for (inform, flags) in [(true, 0x80), (false, 0)] {
        let body =
            Body::RevocationAck(RevocationAck { inform, home_address: HOME, identifier: 0x0a0b });
        let expected = [15, 0, flags, 0, 10, 1, 0, 5, 0, 0, 10, 11];
        assert_eq!(emit(body, &[]), expected);
        assert_eq!(Message::parse(&expected).map(|m| m.body), Ok(body));
    }
}

#[test]
fn message_of_another_type_is_refused() {
    for kind in (0..=255_u8).filter(|k| ![1, 3, 7, 15].contains(k)) {
        let bytes = [&[kind][..], &[0; 63]].concat();
        let e = Message::parse(&bytes).map_err(|e| (e.kind, e.offset));
        assert_eq!(e, Err((ErrorKind::UnknownType, 0)), "type {kind}");
    }
    assert_eq!(Message::parse(&[]).map_err(|e| e.kind), Err(ErrorKind::Truncated));
}

// proves: MIP4-1.8-1
#[test]
fn extension_below_128_that_is_not_known_makes_the_message_worth_nothing() {
    for kind in (0..128_u8).filter(|k| ![32, 33, 34, 44].contains(k)) {
        assert_eq!(refused(&[kind, 2, 0, 0]), (ErrorKind::Unskippable, 24), "type {kind}");
    }
    // A sub-type of the UDP Tunnel Reply that we do not know.
    assert_eq!(refused(&[44, 6, 1, 0, 0, 0, 0, 0]), (ErrorKind::Unskippable, 24));
}

// proves: MIP4-1.8-2
#[test]
fn extension_of_128_and_above_that_is_not_known_is_passed_over() {
    let known = [130, 131, 137, 144, 152];
    for kind in (128..=255_u8).filter(|k| !known.contains(k)) {
        let bytes = [kind, 3, 1, 2, 3, 131, 1, b'n'];
        let expected = vec![Extension::Unknown(kind, &[1, 2, 3]), Extension::MnNai(b"n")];
        assert_eq!(extensions(&bytes), Ok(expected), "type {kind}");
    }
    // Sub-types that we do not know, and one without a sub-type.
    assert_eq!(extensions(&[152, 2, 4, 0]), Ok(vec![Extension::Unknown(152, &[4, 0])]));
    assert_eq!(extensions(&[144, 1, 9]), Ok(vec![Extension::Unknown(144, &[9])]));
    assert_eq!(extensions(&[152, 0]), Ok(vec![Extension::Unknown(152, &[])]));
}

#[test]
fn length_of_an_extension_is_what_its_type_wants() {
    let within = [
        vec![32, 3, 0, 0, 1],
        vec![44, 5, 0, 0, 0, 0, 0],
        vec![130, 1, 0],
        vec![137, 5, 0, 0, 0, 0, 0],
        vec![144, 7, 0, 0, 0, 0, 0, 0, 0],
        [&[152, 17, 1][..], &[0; 16]].concat(),
        [&[152, 21, 2][..], &[0; 20]].concat(),
        vec![152, 1, 3],
    ];
    for bytes in within {
        assert_eq!(refused(&bytes), (ErrorKind::Length, 25), "{bytes:?}");
    }
    assert_eq!(refused(&[131, 4, b'n', b'a', b'i']), (ErrorKind::Truncated, 25));
    assert_eq!(refused(&[131]), (ErrorKind::Truncated, 25));
}

// proves: MIP4NAT-3.1-1, MIP4NAT-3.1-2, MIP4NAT-3.2-4
#[test]
fn reserved_bits_of_udp_tunnel_extensions_are_ignored_and_sent_as_zero() {
    let request = UdpTunnelRequest { force: true, through_agent: false, encapsulation: 4 };
    let request = Extension::UdpTunnelRequest(request);
    assert_eq!(extensions(&[144, 6, 0, 0xff, 0xbf, 4, 0, 0]), Ok(vec![request]));
    let made = emit(Body::Request(REQUEST), &[request]);
    assert_eq!(made[24..], [144, 6, 0, 0, 0x80, 4, 0, 0]);
    let reply = UdpTunnelReply { code: 64, forced: false, keepalive_s: 110 };
    let reply = Extension::UdpTunnelReply(reply);
    assert_eq!(extensions(&[44, 6, 0, 64, 0x7f, 0xff, 0, 110]), Ok(vec![reply]));
    let made = emit(Body::Request(REQUEST), &[reply]);
    assert_eq!(made[24..], [44, 6, 0, 64, 0, 0, 0, 110]);
}

// proves: MIP4NAT-3.1-3, MIP4NAT-3.1.3-1
#[test]
fn udp_tunnel_request_whose_last_field_is_not_zero_is_not_understood() {
    for reserved_3 in [[0, 1], [0x80, 0]] {
        let bytes = [&[144, 6, 0, 0, 0x80, 4][..], &reserved_3].concat();
        let data = &bytes[2..];
        assert_eq!(extensions(&bytes), Ok(vec![Extension::Unknown(144, data)]));
    }
}

// proves: MIP4NAT-3.3-1
#[test]
fn header_of_a_tunnelled_packet_has_nothing_but_the_next_header() {
    let (header, packet) = TunnelData::parse(&[4, 41, 0xff, 0xff, 7]).expect("valid");
    assert_eq!((header.next_header, packet), (41, [7].as_slice()));
    let mut made = [0xa5; 5];
    header.emit(&mut made).expect("fits");
    assert_eq!(made, [4, 41, 0, 0, 0xa5]);
    for len in 0..TunnelData::LEN {
        let bytes = [4, 4, 0, 0];
        assert_eq!(TunnelData::parse(&bytes[..len]).map_err(|e| e.kind), Err(ErrorKind::Truncated));
    }
    assert_eq!(TunnelData::parse(&[3; 9]).map_err(|e| e.kind), Err(ErrorKind::UnknownType));
}

// proves: DSMIP4-2.1-1, DSMIP4-2.2-1, MIP4-1.11-1
#[test]
fn prefix_has_nothing_beyond_its_length_whoever_wrote_it() {
    let addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 3, 4, 5, 6);
    let field = |len, addr| Ipv6PrefixField { len, addr };
    let cut = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0);
    let request = [&[152, 18, 1, 48][..], &addr.octets()].concat();
    let expected = Extension::PrefixRequest(field(48, cut));
    assert_eq!(extensions(&request), Ok(vec![expected]));
    let made = emit(Body::Request(REQUEST), &[expected]);
    assert_eq!(made[24..], [&[152, 18, 1, 48][..], &cut.octets()].concat());

    let reply = [&[152, 20, 2, 9, 48, 0xff][..], &addr.octets()].concat();
    let expected = Extension::PrefixReply(PrefixCode::PROHIBITED, field(48, cut));
    assert_eq!(extensions(&reply), Ok(vec![expected]));
    let made = emit(Body::Request(REQUEST), &[expected]);
    assert_eq!(made[24..], [&[152, 20, 2, 9, 48, 0][..], &cut.octets()].concat());

    // A length that is none: a link-local address (RFC 5454 2.2), all of it.
    let local = [&[152, 18, 1, 255][..], &addr.octets()].concat();
    let expected = field(255, addr);
    assert_eq!(extensions(&local), Ok(vec![Extension::PrefixRequest(expected)]));
    assert_eq!(expected.prefix(), None);
    assert_eq!(field(48, cut).prefix().map(|p| p.to_string()), Some("2001:db8:1::/48".into()));
}

#[test]
fn authenticator_covers_all_before_it_and_its_own_type_length_and_spi() {
    let nai = Extension::MnNai(b"mn1");
    let auth = Extension::Auth(AuthKind::MobileHome, 256, &[7; 16]);
    let payload = emit(Body::Request(REQUEST), &[nai, auth]);
    let message = Message::parse(&payload).expect("valid");
    let located: Vec<_> = message.extensions.located().collect();
    assert_eq!(located, [(24, nai), (29, auth)]);
    assert_eq!(payload[29..35], [32, 20, 0, 0, 1, 0]);
    assert_eq!(payload[35..], [7; 16]);
}

#[test]
fn data_over_the_length_field_is_not_emitted() {
    let long = Extension::MnNai(&[b'n'; 256]);
    let e = long.emit(&mut [0; 300]).map_err(|e| e.kind);
    assert_eq!(e, Err(ErrorKind::Length));
}

#[test]
fn upper_half_of_an_identification_changes_alone() {
    let id = Identification(0x0102_0304_0506_0708);
    assert_eq!(id.high(), 0x0102_0304);
    assert_eq!(id.with_high(0xaabb_ccdd), Identification(0xaabb_ccdd_0506_0708));
}

fn body() -> impl Strategy<Value = Body> {
    let address = || any::<u32>().prop_map(Ipv4Addr::from_bits);
    let addresses = (address(), address(), address());
    (0..4, any::<(u8, u16, u64)>(), addresses, any::<(bool, bool)>()).prop_map(
        |(kind, (byte, lifetime, word), (home_address, home_agent, care_of), (a, inform))| {
            let identification = Identification(word);
            let lifetime = RegistrationLifetime(lifetime);
            let identifier = identification.high();
            match kind {
                0 => Body::Request(RegistrationRequest {
                    flags: RequestFlags(byte),
                    lifetime,
                    home_address,
                    home_agent,
                    care_of,
                    identification,
                }),
                1 => Body::Reply(RegistrationReply {
                    code: ReplyCode(byte),
                    lifetime,
                    home_address,
                    home_agent,
                    identification,
                }),
                2 => Body::Revocation(RegistrationRevocation {
                    from_home_agent: a,
                    inform,
                    home_address,
                    home_domain: home_agent,
                    foreign_domain: care_of,
                    identifier,
                }),
                _ => Body::RevocationAck(RevocationAck { inform, home_address, identifier }),
            }
        },
    )
}

/// Bytes that begin like an extension: a type that we know, more often than not.
fn tlv() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![
        prop::sample::select(vec![32, 33, 34, 44, 130, 131, 137, 144, 152, 200_u8]),
        any::<u8>()
    ];
    (kind, prop::collection::vec(any::<u8>(), 0..24)).prop_map(|(kind, data)| {
        [&[kind, u8::try_from(data.len()).expect("short")][..], &data].concat()
    })
}

proptest! {
    #[test]
    fn what_parses_is_emitted_and_parses_to_the_same(
        body in body(),
        bytes in prop::collection::vec(tlv(), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let payload = [&emit(body, &[])[..], &bytes.concat()].concat();
        if let Ok(message) = Message::parse(&payload) {
            prop_assert_eq!(message.body, body);
            let all: Vec<_> = message.extensions.iter().collect();
            let again = emit(body, &all);
            let again = Message::parse(&again).map(|m| m.extensions.iter().collect());
            prop_assert_eq!(again, Ok(all));
        }
        // Any part of it is a message or is none.
        let _ = Message::parse(&payload[..cut.index(payload.len())]);
    }

    #[test]
    fn any_bytes_are_a_message_or_a_fault_within_them(
        bytes in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        if let Err(e) = Message::parse(&bytes) {
            // What is missing lies behind them.
            prop_assert!(e.kind == ErrorKind::Truncated || e.offset < bytes.len());
        }
        let _ = TunnelData::parse(&bytes);
    }

    #[test]
    fn short_buffer_is_refused(body in body(), len in 0..24_usize) {
        let mut buf = [0; 24];
        let outcome = body.emit(&mut buf[..len]);
        prop_assert_eq!(outcome.is_ok(), len >= body.buffer_len());
    }
}
