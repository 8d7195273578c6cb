use super::*;
use crate::addr::HomePrefix;
use crate::time::{Lifetime, MobTimestamp};
use crate::wire::mh::option::tests::{Blueprint, blueprint};
use proptest::prelude::*;

const SRC: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 2);
const DST: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 1);

const PBU: BindingUpdate = BindingUpdate {
    seq: SeqNo(7),
    flags: BuFlags(BuFlags::A.0 | BuFlags::P.0),
    lifetime: Lifetime(900),
};

/// Whole message in a buffer that was not zero before.
fn emit<'o, M: MessageData>(m: &M, options: impl OptionList<'o>) -> Vec<u8> {
    let mut buf = vec![0xa5; m.buffer_len(options.clone())];
    assert_eq!(m.emit(options, SRC, DST, &mut buf), Ok(buf.len()));
    buf
}

/// The same message, made by us.
fn emit_again(message: Message<'_>) -> Vec<u8> {
    match message {
        Message::Brr(o) => emit(&BindingRefreshRequest, o),
        Message::Bu(m, o) => emit(&m, o),
        Message::Ba(m, o) => emit(&m, o),
        Message::Be(m, o) => emit(&m, o),
        Message::Switch(m, o) => emit(&m, o),
        Message::Heartbeat(m, o) => emit(&m, o),
        Message::Bri(m, o) => emit(&m, o),
        Message::Bra(m, o) => emit(&m, o),
    }
}

/// Whether two messages are of the same kind and equal before their options.
fn same_fixed_part(a: Message<'_>, b: Message<'_>) -> bool {
    match (a, b) {
        (Message::Brr(_), Message::Brr(_)) => true,
        (Message::Bu(a, _), Message::Bu(b, _)) => a == b,
        (Message::Ba(a, _), Message::Ba(b, _)) => a == b,
        (Message::Be(a, _), Message::Be(b, _)) => a == b,
        (Message::Switch(a, _), Message::Switch(b, _)) => a == b,
        (Message::Heartbeat(a, _), Message::Heartbeat(b, _)) => a == b,
        (Message::Bri(a, _), Message::Bri(b, _)) => a == b,
        (Message::Bra(a, _), Message::Bra(b, _)) => a == b,
        _ => false,
    }
}

/// Writes the right checksum into a message that was altered.
fn refresh_checksum(bytes: &mut [u8]) {
    bytes[4..6].fill(0);
    let sum = checksum(bytes, SRC, DST);
    bytes[4..6].copy_from_slice(&sum.to_be_bytes());
}

fn refused(bytes: &[u8]) -> (ErrorKind, usize) {
    let e = Message::parse(bytes, SRC, DST).expect_err("has to be refused");
    (e.kind, e.offset)
}

fn prefix(s: &str) -> HomePrefix {
    s.parse().expect("a prefix")
}

// proves: PMIP6-5.3.1-2, MIP6-9.2-2
#[test]
fn wrong_checksum_is_found_before_anything_else() {
    let mut bytes = emit(&PBU, &[]);
    bytes[0] = 58;
    bytes[2] = 99;
    assert_eq!(refused(&bytes), (ErrorKind::Checksum, 4));
    let bytes = emit(&PBU, &[]);
    let other = Message::parse(&bytes, SRC, Ipv6Addr::LOCALHOST).map_err(|e| e.kind);
    assert_eq!(other, Err(ErrorKind::Checksum), "the addresses count");
}

// proves: MIP6-6.1.1-3, MIP6-6.1.1-6, MIP6-6.1.2-1, MIP6-6.1.2-2, MIP6-6.1.7-8, MIP6-6.1.8-2
// proves: MIP6-6.1.8-4, MIP6-6.1.9-1, MIP6-6.1.9-2
#[test]
fn reserved_fields_of_mobile_ipv6_are_zero_and_ignored_and_so_are_unknown_options() {
    let unknown = [MobilityOption::Unknown(200, b"whatever")];
    let ack =
        BindingAck { status: Status(0), flags: BaFlags(0), seq: SeqNo(7), lifetime: Lifetime(9) };
    let error = BindingError { status: 1, home_address: DST };
    // Besides the fourth byte of each header.
    let messages = [
        (emit(&BindingRefreshRequest, unknown), &[6, 7][..]),
        (emit(&PBU, unknown), &[][..]),
        (emit(&ack, unknown), &[][..]),
        (emit(&error, unknown), &[7][..]),
    ];
    for (mut bytes, reserved) in messages {
        assert!(bytes.len().is_multiple_of(8) && bytes.len() == 8 * (usize::from(bytes[1]) + 1));
        let sent = bytes.clone();
        for at in [3].iter().chain(reserved) {
            assert_eq!(bytes[*at], 0, "{bytes:?}");
            bytes[*at] = 0xff;
        }
        refresh_checksum(&mut bytes);
        let [meant, read] = [&sent, &bytes].map(|b| Message::parse(b, SRC, DST).expect("valid"));
        assert!(same_fixed_part(meant, read));
        assert!(read.options().iter().eq(unknown));
    }
}

// proves: MIP6-9.2-3, MIP6-9.2-4
#[test]
fn unknown_mh_type_is_found_before_payload_proto_and_header_len() {
    for kind in [1, 2, 3, 4, 8, 11, 14, 15, 17, 255] {
        let mut bytes = emit(&BindingRefreshRequest, &[]);
        bytes[0] = 58;
        bytes[2] = kind;
        refresh_checksum(&mut bytes);
        assert_eq!(refused(&bytes), (ErrorKind::UnknownType, 2), "MH type {kind}");
    }
}

// proves: MIP6-9.2-5, MIP6-9.2-7
#[test]
fn payload_proto_other_than_59_is_found_before_header_len() {
    let mut bytes = emit(&BindingRefreshRequest, &[]);
    bytes[0] = 58;
    bytes[2] = BindingUpdate::MH_TYPE;
    refresh_checksum(&mut bytes);
    assert_eq!(refused(&bytes), (ErrorKind::PayloadProto, 0));
}

// proves: MIP6-9.2-8, MIP6-9.2-10, PMIP6-6.9.1.2-3
#[test]
fn header_len_below_the_minimum_of_its_type_points_at_header_len() {
    for (kind, least) in [(0_u8, 0_u8), (5, 1), (6, 1), (7, 2), (13, 1), (16, 1)] {
        for header_len in 0..4_u8 {
            let mut bytes = vec![0; (usize::from(header_len) + 1) * UNIT];
            bytes[..3].copy_from_slice(&[59, header_len, kind]);
            bytes[6] = 1; // a Binding Revocation is an Indication
            refresh_checksum(&mut bytes);
            let outcome = Message::parse(&bytes, SRC, DST).map(|_| ());
            let expected = Err(Error { kind: ErrorKind::HeaderLen, offset: 1 });
            let expected = if header_len < least { expected } else { Ok(()) };
            assert_eq!(outcome, expected, "type {kind}, header len {header_len}");
        }
    }
}

#[test]
fn header_len_beyond_the_bytes_is_truncated() {
    let bytes = emit(&PBU, &[MobilityOption::MnId(1, b"mn1@example.org")]);
    for len in 0..bytes.len() {
        assert_eq!(refused(&bytes[..len]), (ErrorKind::Truncated, 1), "{len} bytes");
    }
}

#[test]
fn bytes_behind_the_header_are_ignored() {
    let mut bytes = emit(&PBU, &[]);
    bytes.extend([1, 2, 3, 4]);
    assert_eq!(Message::parse(&bytes, SRC, DST), Ok(Message::Bu(PBU, pad4())));
}

/// The four bytes of padding of a Binding Update without options.
fn pad4() -> Options<'static> {
    Options::parse(&[1, 2, 0, 0]).expect("PadN")
}

#[test]
fn last_option_that_the_header_len_cuts_is_an_error_at_its_length() {
    // OAI's gateway: the last option ends four bytes after the Mobility Header does.
    let mut bytes = emit(&PBU, &[MobilityOption::Timestamp(MobTimestamp(1))]);
    bytes.truncate(24);
    bytes[1] = 2;
    bytes[12..24].copy_from_slice(&[1, 0, 27, 8, 0, 0, 0, 0, 0, 0, 27, 8]);
    bytes[12..16].copy_from_slice(&[1, 6, 0, 0]);
    refresh_checksum(&mut bytes);
    assert_eq!(refused(&bytes), (ErrorKind::Length, 23));
}

#[test]
fn header_over_2048_bytes_is_not_emitted() {
    let options = [MobilityOption::HomeNetworkPrefix(prefix("2001:db8::/64")); 86];
    let mut buf = [0; 4096];
    assert_eq!(PBU.emit(&options[..85], SRC, DST, &mut buf), Ok(MAX_LEN));
    assert!(Message::parse(&buf, SRC, DST).is_ok());
    let e = PBU.emit(&options[..], SRC, DST, &mut buf).map_err(|e| e.kind);
    assert_eq!(e, Err(ErrorKind::Length));
}

// proves: PMIP4-4.1.3.1-2, PMIP4-4.1.3.2-3, PMIP4-4.2.2-7, PMIP4-4.2.2.1-1
#[test]
fn in_udp_the_checksum_is_zero_and_any_is_taken() {
    fn check<M: MessageData>(m: &M, meant: Message<'_>) {
        let mut udp = vec![0xa5; m.buffer_len(&[])];
        assert_eq!(m.emit_in_udp(&[], &mut udp), Ok(16));
        assert_eq!(udp[4..6], [0, 0]);
        let mut plain = emit(m, &[]);
        assert_eq!(Message::parse(&udp, SRC, DST).map_err(|e| e.kind), Err(ErrorKind::Checksum));
        for sum in [[0, 0], [0xff, 0xff], [1, 2]] {
            udp[4..6].copy_from_slice(&sum);
            assert_eq!(Message::parse_in_udp(&udp), Ok(meant), "{sum:?}");
        }
        plain[4..6].fill(0);
        udp[4..6].fill(0);
        assert_eq!(udp, plain, "otherwise the same");
    }
    check(&PBU, Message::Bu(PBU, pad4()));
    let pba = BindingAck { flags: BaFlags::P, seq: SeqNo(7), ..BindingAck::default() };
    check(&pba, Message::Ba(pba, pad4()));
}

#[test]
fn binding_revocation_type_that_we_do_not_know_is_an_error_where_it_stands() {
    let bri = BindingRevocationIndication {
        trigger: RevocationTrigger::ADMINISTRATIVE,
        seq: SeqNo(0x0102),
        flags: RevocationFlags::P | RevocationFlags::G,
    };
    let mut bytes = emit(&bri, &[]);
    // RFC 5846 5.1: without options four bytes of padding.
    assert_eq!(bytes[..3], [59, 1, 16]);
    assert_eq!(bytes[6..], [1, 1, 1, 2, 0xa0, 0, 1, 2, 0, 0]);
    for kind in [0, 3, 255] {
        bytes[6] = kind;
        refresh_checksum(&mut bytes);
        assert_eq!(refused(&bytes), (ErrorKind::Value, 6), "type {kind}");
    }
}

// proves: MIP6-9.5.1-4
#[test]
fn sequence_numbers_are_compared_modulo_65536() {
    // The example of RFC 6275 section 9.5.1: 15 was last.
    for old in (0..=15).chain(32783..=65535) {
        assert!(!SeqNo(old).is_after(SeqNo(15)), "{old}");
    }
    for new in 16..32783 {
        assert!(SeqNo(new).is_after(SeqNo(15)), "{new}");
    }
    assert_eq!(SeqNo(65535).next(), SeqNo(0));
}

#[test]
fn status_is_named_as_in_the_rfc() {
    assert_eq!(Status(153).to_string(), "153 NOT_LMA_FOR_THIS_MOBILE_NODE");
    assert_eq!(Status(200).to_string(), "200");
    assert!(Status(127).is_accepted() && !Status(128).is_accepted());
}

/// Any fixed part, options not yet there.
fn fixed_part() -> impl Strategy<Value = Message<'static>> {
    let none = Options::default();
    let seq = any::<u16>().prop_map(SeqNo);
    prop_oneof![
        Just(Message::Brr(none)),
        (seq.clone(), any::<u16>(), any::<u16>()).prop_map(move |(seq, flags, lifetime)| {
            let (flags, lifetime) = (BuFlags(flags), Lifetime(lifetime));
            Message::Bu(BindingUpdate { seq, flags, lifetime }, none)
        }),
        (seq.clone(), any::<(u8, u8, u16)>()).prop_map(move |(seq, (status, flags, lifetime))| {
            let (status, flags) = (Status(status), BaFlags(flags));
            Message::Ba(BindingAck { status, flags, seq, lifetime: Lifetime(lifetime) }, none)
        }),
        any::<(u8, Ipv6Addr)>().prop_map(move |(status, home_address)| {
            Message::Be(BindingError { status, home_address }, none)
        }),
        prop::collection::vec(any::<Ipv6Addr>(), 0..6)
            .prop_map(move |agents| Message::Switch(HomeAgentSwitch::new(&agents), none)),
        any::<(u16, u32)>().prop_map(move |(flags, seq)| {
            Message::Heartbeat(Heartbeat { flags: HeartbeatFlags(flags), seq }, none)
        }),
        (seq.clone(), any::<(u8, u16)>()).prop_map(move |(seq, (trigger, flags))| {
            let (trigger, flags) = (RevocationTrigger(trigger), RevocationFlags(flags));
            Message::Bri(BindingRevocationIndication { trigger, seq, flags }, none)
        }),
        (seq, any::<(u8, u16)>()).prop_map(move |(seq, (status, flags))| {
            let (status, flags) = (RevocationStatus(status), RevocationFlags(flags));
            Message::Bra(BindingRevocationAck { status, seq, flags }, none)
        }),
    ]
}

/// The message with other options.
fn with_options<'a>(message: Message<'_>, o: Options<'a>) -> Message<'a> {
    match message {
        Message::Brr(_) => Message::Brr(o),
        Message::Bu(m, _) => Message::Bu(m, o),
        Message::Ba(m, _) => Message::Ba(m, o),
        Message::Be(m, _) => Message::Be(m, o),
        Message::Switch(m, _) => Message::Switch(m, o),
        Message::Heartbeat(m, _) => Message::Heartbeat(m, o),
        Message::Bri(m, _) => Message::Bri(m, o),
        Message::Bra(m, _) => Message::Bra(m, o),
    }
}

proptest! {
    #[test]
    fn what_is_emitted_parses_back(
        fixed in fixed_part(),
        blueprints in prop::collection::vec(blueprint(), 0..6),
    ) {
        let options: Vec<_> = blueprints.iter().map(Blueprint::option).collect();
        let mut encoded = Vec::new();
        for option in &options {
            let mut buf = vec![0xa5; option.buffer_len()];
            prop_assert_eq!(option.emit(&mut buf), Ok(buf.len()));
            encoded.extend(buf);
        }
        let meant = with_options(fixed, Options::parse(&encoded)?);
        prop_assert!(meant.options().iter().eq(options.iter().copied()));

        let bytes = emit_again(meant);
        let parsed = Message::parse(&bytes, SRC, DST)?;
        prop_assert!(same_fixed_part(parsed, meant));
        prop_assert!(parsed.options().iter().eq(options));
    }

    #[test]
    fn every_byte_is_written_and_none_beyond(
        blueprints in prop::collection::vec(blueprint(), 0..6),
    ) {
        let options: Vec<_> = blueprints.iter().map(Blueprint::option).collect();
        let len = PBU.buffer_len(&options[..]);
        let (mut zeros, mut ones) = (vec![0; len + 3], vec![0xff; len + 3]);
        prop_assert_eq!(PBU.emit(&options[..], SRC, DST, &mut zeros), Ok(len));
        prop_assert_eq!(PBU.emit(&options[..], SRC, DST, &mut ones), Ok(len));
        prop_assert_eq!(&zeros[..len], &ones[..len]);
        prop_assert_eq!(&ones[len..], &[0xff; 3]);
        for short in 0..len {
            let e = PBU.emit(&options[..], SRC, DST, &mut ones[..short]).map_err(|e| e.kind);
            prop_assert_eq!(e, Err(ErrorKind::Truncated));
        }
    }

    #[test]
    fn noise_never_panics_and_what_parses_survives(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
        kind in prop::sample::select(vec![0_u8, 5, 6, 7, 9, 13, 16]),
    ) {
        let _ = Message::parse(&bytes, SRC, DST);
        // The same noise behind a header that passes the first checks.
        let len = bytes.len() / UNIT * UNIT;
        if len >= UNIT {
            bytes.truncate(len);
            bytes[0] = 59;
            bytes[1] = u8::try_from(len / UNIT - 1).expect("short");
            bytes[2] = kind;
            refresh_checksum(&mut bytes);
            if let Ok(message) = Message::parse(&bytes, SRC, DST) {
                prop_assert_eq!(Message::parse_in_udp(&bytes), Ok(message));
                let again = emit_again(message);
                let again = Message::parse(&again, SRC, DST)?;
                prop_assert!(same_fixed_part(message, again));
                prop_assert!(message.options().iter().eq(again.options().iter()));
            }
        }
        if let Ok(options) = Options::parse(&bytes) {
            prop_assert_eq!(options.iter().count(), options.encoded().count());
        }
    }
}
