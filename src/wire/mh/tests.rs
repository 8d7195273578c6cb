use super::*;
use crate::addr::HomePrefix;
use crate::time::{Lifetime, MobTimestamp};
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

// proves: MIP6-9.2-3, MIP6-9.2-4
#[test]
fn unknown_mh_type_is_found_before_payload_proto_and_header_len() {
    for kind in [1, 2, 3, 4, 8, 16, 255] {
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
    for (kind, least) in [(0_u8, 0_u8), (5, 1), (6, 1), (7, 2)] {
        for header_len in 0..4_u8 {
            let mut bytes = vec![0; (usize::from(header_len) + 1) * UNIT];
            bytes[..3].copy_from_slice(&[59, header_len, kind]);
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
fn option_of_a_known_type_with_another_length_is_an_error() {
    let lengths: [(u8, &[u8]); 10] = [
        (2, &[2]),
        (3, &[16]),
        (8, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16, 17, 18, 19, 20]),
        (19, &[5, 6, 7, 8, 9, 10, 15, 16, 17, 18, 19, 20]),
        (22, &[18]),
        (23, &[2]),
        (24, &[2]),
        (25, &[2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16, 17, 18, 19, 20]),
        (26, &[16]),
        (27, &[8]),
    ];
    for (kind, good) in lengths {
        for len in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16, 17, 18, 19, 20] {
            let mut bytes = vec![0, kind, len];
            bytes.resize(3 + usize::from(len), 0);
            let expected = if good.contains(&len) {
                None
            } else {
                Some(Error { kind: ErrorKind::Length, offset: 2 })
            };
            assert_eq!(Options::parse(&bytes).err(), expected, "type {kind}, length {len}");
        }
    }
}

#[test]
fn prefix_length_over_128_is_refused_where_it_stands() {
    let mut bytes = [0; 20];
    bytes[..4].copy_from_slice(&[22, 18, 0, 129]);
    assert_eq!(Options::parse(&bytes), Err(Error { kind: ErrorKind::Value, offset: 3 }));
}

#[test]
fn prefix_with_host_bits_is_taken_without_them() {
    let mut bytes = [0xff; 20];
    bytes[..4].copy_from_slice(&[22, 18, 0, 16]);
    let options = Options::parse(&bytes).expect("an option");
    let expected = MobilityOption::HomeNetworkPrefix(prefix("ffff::/16"));
    assert_eq!(options.iter().collect::<Vec<_>>(), [expected]);
}

#[test]
fn every_option_stands_where_its_rfc_wants_it() {
    let aligned: [(MobilityOption<'_>, usize, usize); 8] = [
        (MobilityOption::RefreshAdvice(Lifetime(1)), 2, 0),
        (MobilityOption::AlternateCoa(SRC), 8, 6),
        (MobilityOption::Vendor(10415, 1, b"x"), 4, 2),
        (MobilityOption::HomeNetworkPrefix(prefix("2001:db8::/64")), 8, 4),
        (MobilityOption::MnLinkLayerId(&[2, 0, 0, 0, 0, 1]), 2, 0),
        (MobilityOption::MnLinkLayerId(&[2, 0, 0, 0xff, 0xfe, 0, 0, 1]), 8, 4),
        (MobilityOption::LinkLocal(SRC), 8, 6),
        (MobilityOption::Timestamp(MobTimestamp(1)), 8, 2),
    ];
    for shift in 0..16 {
        // An identifier has no alignment: it moves what follows by a byte each time.
        let id = vec![b'a'; shift];
        for (option, n, m) in aligned {
            let options = [MobilityOption::MnId(1, &id), option];
            let bytes = emit(&PBU, &options);
            let before = 12 + 3 + shift;
            let at = (before..before + 8).find(|at| at % n == m).expect("an aligned offset");
            assert_eq!(bytes[at], option.emitted_type(), "{option:?} after {shift} bytes");
            assert!(bytes.len() % 8 == 0 && bytes.len() - at - option.buffer_len() < 8);
        }
    }
}

impl MobilityOption<'_> {
    /// The option type, as it is emitted.
    fn emitted_type(&self) -> u8 {
        let mut buf = vec![0; self.buffer_len()];
        self.emit(&mut buf).expect("fits");
        buf[0]
    }
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

#[test]
fn option_data_over_its_length_field_is_not_emitted() {
    let id = [b'a'; 255];
    let mut buf = [0; 512];
    let emitted = MobilityOption::MnId(1, &id).emit(&mut buf).map_err(|e| e.kind);
    assert_eq!(emitted, Err(ErrorKind::Length));
    assert_eq!(MobilityOption::MnId(1, &id[..254]).emit(&mut buf), Ok(257));
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

/// An option whose borrowed data lives in the strategy's value.
#[derive(Debug, Clone)]
enum Blueprint {
    Fixed(MobilityOption<'static>),
    MnId(u8, Vec<u8>),
    Vendor(u32, u8, Vec<u8>),
    MnLinkLayerId(Vec<u8>),
    Unknown(u8, Vec<u8>),
}

impl Blueprint {
    fn option(&self) -> MobilityOption<'_> {
        match self {
            Self::Fixed(o) => *o,
            Self::MnId(subtype, id) => MobilityOption::MnId(*subtype, id),
            Self::Vendor(vendor, subtype, data) => MobilityOption::Vendor(*vendor, *subtype, data),
            Self::MnLinkLayerId(id) => MobilityOption::MnLinkLayerId(id),
            Self::Unknown(kind, data) => MobilityOption::Unknown(*kind, data),
        }
    }
}

fn data(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![3 => prop::collection::vec(any::<u8>(), 0..20),
                1 => prop::collection::vec(any::<u8>(), 0..=max)]
}

fn blueprint() -> impl Strategy<Value = Blueprint> {
    use MobilityOption as O;
    let fixed = prop_oneof![
        any::<u16>().prop_map(|v| O::RefreshAdvice(Lifetime(v))),
        any::<Ipv6Addr>().prop_map(O::AlternateCoa),
        (any::<Ipv6Addr>(), 0..=128_u8).prop_map(|(a, l)| {
            O::HomeNetworkPrefix(HomePrefix::truncating(a, l).expect("length"))
        }),
        any::<u8>().prop_map(|v| O::HandoffIndicator(HandoffIndicator(v))),
        any::<u8>().prop_map(|v| O::AccessTech(AccessTech(v))),
        any::<Ipv6Addr>().prop_map(O::LinkLocal),
        any::<u64>().prop_map(|v| O::Timestamp(MobTimestamp(v))),
    ];
    prop_oneof![
        6 => fixed.prop_map(Blueprint::Fixed),
        1 => (any::<u8>(), data(254)).prop_map(|(s, d)| Blueprint::MnId(s, d)),
        1 => (any::<u32>(), any::<u8>(), data(250))
            .prop_map(|(v, s, d)| Blueprint::Vendor(v, s, d)),
        1 => data(253).prop_map(Blueprint::MnLinkLayerId),
        1 => (28..=255_u8, data(255)).prop_map(|(k, d)| Blueprint::Unknown(k, d)),
    ]
}

proptest! {
    #[test]
    fn what_is_emitted_parses_back(
        (seq, flags, lifetime, status) in any::<(u16, u16, u16, u8)>(),
        home_address in any::<Ipv6Addr>(),
        blueprints in prop::collection::vec(blueprint(), 0..6),
    ) {
        let options: Vec<_> = blueprints.iter().map(Blueprint::option).collect();
        let seq = SeqNo(seq);
        let lifetime = Lifetime(lifetime);

        let bu = BindingUpdate { seq, flags: BuFlags(flags), lifetime };
        let bytes = emit(&bu, &options[..]);
        let Message::Bu(parsed, o) = Message::parse(&bytes, SRC, DST)? else {
            return Err(TestCaseError::fail("not a Binding Update"));
        };
        prop_assert_eq!((parsed, o.iter().collect::<Vec<_>>()), (bu, options.clone()));

        let flags = BaFlags(flags.to_be_bytes()[0]);
        let ba = BindingAck { status: Status(status), flags, seq, lifetime };
        let bytes = emit(&ba, o);
        let Message::Ba(parsed, o) = Message::parse(&bytes, SRC, DST)? else {
            return Err(TestCaseError::fail("not a Binding Acknowledgement"));
        };
        prop_assert_eq!((parsed, o.iter().collect::<Vec<_>>()), (ba, options.clone()));

        let be = BindingError { status, home_address };
        let bytes = emit(&be, o);
        let Message::Be(parsed, o) = Message::parse(&bytes, SRC, DST)? else {
            return Err(TestCaseError::fail("not a Binding Error"));
        };
        prop_assert_eq!((parsed, o.iter().collect::<Vec<_>>()), (be, options.clone()));

        let bytes = emit(&BindingRefreshRequest, o);
        let message = Message::parse(&bytes, SRC, DST)?;
        prop_assert!(matches!(message, Message::Brr(_)));
        prop_assert_eq!(message.options().iter().collect::<Vec<_>>(), options);
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
        kind in prop::sample::select(vec![0_u8, 5, 6, 7, 9]),
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
            if let Ok(Message::Bu(bu, options)) = Message::parse(&bytes, SRC, DST) {
                let again = emit(&bu, options);
                let Message::Bu(bu2, options2) = Message::parse(&again, SRC, DST)? else {
                    return Err(TestCaseError::fail("not a Binding Update"));
                };
                prop_assert_eq!(bu, bu2);
                prop_assert!(options.iter().eq(options2.iter()));
            }
        }
        if let Ok(options) = Options::parse(&bytes) {
            prop_assert_eq!(options.iter().count(), options.encoded().count());
        }
    }
}
