use super::*;
use crate::wire::mh::{BindingUpdate, BuFlags, MessageData, SeqNo};
use proptest::prelude::*;

const SRC: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 2);

const PBU: BindingUpdate =
    BindingUpdate { seq: SeqNo(7), flags: BuFlags::A, lifetime: Lifetime(900) };

/// A Binding Update with these options.
fn emit(options: &[MobilityOption<'_>]) -> Vec<u8> {
    let mut buf = vec![0xa5; PBU.buffer_len(options)];
    assert_eq!(PBU.emit_in_udp(options, &mut buf), Ok(buf.len()));
    buf
}

/// The only option of these bytes.
fn only(bytes: &[u8]) -> Result<MobilityOption<'_>> {
    let options = Options::parse(bytes)?;
    assert_eq!(options.iter().count(), 1);
    Ok(options.iter().next().expect("one"))
}

fn refused(bytes: &[u8]) -> (ErrorKind, usize) {
    let e = Options::parse(bytes).expect_err("has to be refused");
    (e.kind, e.offset)
}

// proves: PMIP4-3.3.1-1, PMIP4-3.3.2-1, PMIP4-3.3.3-1, PMIP4-3.3.4-1
#[test]
fn option_of_a_known_type_with_another_length_is_an_error() {
    let lengths: [(u8, &[u8]); 22] = [
        (2, &[2]),
        (3, &[16]),
        (9, &[5, 6, 7, 8, 9, 10, 15, 16, 17, 18, 19, 20]),
        (10, &[8]),
        (20, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16, 17, 18, 19, 20]),
        (28, &[4]),
        (31, &[6]),
        (33, &[2, 6]),
        (36, &[6]),
        (37, &[6]),
        (38, &[6]),
        (39, &[2]),
        (49, &[4]),
        (59, &[2, 6, 18]),
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
    let expected = MobilityOption::HomeNetworkPrefix("ffff::/16".parse().expect("a prefix"));
    assert_eq!(options.iter().collect::<Vec<_>>(), [expected]);
}

#[test]
fn every_option_stands_where_its_rfc_wants_it() {
    let home = Ipv4Home::new(Ipv4Addr::LOCALHOST, 24).expect("a length");
    let nat = NatDetection { force_udp: true, refresh_time_s: 110 };
    let ani = AccessNetworkId::parse(&[9, 0]).expect("a sub-option");
    let aligned: [(MobilityOption<'_>, usize, usize); 21] = [
        (MobilityOption::RefreshAdvice(Lifetime(1)), 2, 0),
        (MobilityOption::AlternateCoa(SRC), 8, 6),
        (MobilityOption::Vendor(10415, 1, b"x"), 4, 2),
        (MobilityOption::HomeNetworkPrefix("2001:db8::/64".parse().expect("a prefix")), 8, 4),
        (MobilityOption::MnLinkLayerId(&[2, 0, 0, 0, 0, 1]), 2, 0),
        (MobilityOption::MnLinkLayerId(&[2, 0, 0, 0xff, 0xfe, 0, 0, 1]), 8, 4),
        (MobilityOption::LinkLocal(SRC), 8, 6),
        (MobilityOption::Timestamp(MobTimestamp(1)), 8, 2),
        (MobilityOption::MessageAuth(1, 256, &[0; 12]), 4, 1),
        (MobilityOption::ReplayProtection(1), 8, 2),
        (MobilityOption::RestartCounter(1), 4, 2),
        (MobilityOption::NatDetection(nat), 4, 0),
        (MobilityOption::GreKey(Some(GreKey(1))), 4, 0),
        (MobilityOption::GreKey(None), 4, 0),
        (MobilityOption::Ipv4HomeAddressRequest(home), 4, 0),
        (MobilityOption::Ipv4HomeAddressReply(Ipv4HomeStatus::SUCCESS, home), 4, 0),
        (MobilityOption::Ipv4DefaultRouter(Ipv4Addr::LOCALHOST), 4, 0),
        (MobilityOption::AlternateIpv4Coa(Ipv4Addr::LOCALHOST), 4, 2),
        (MobilityOption::AccessNetworkId(ani), 4, 0),
        (MobilityOption::LmaUserPlane(None), 8, 2),
        (MobilityOption::LmaUserPlane(Some(SRC.into())), 8, 2),
    ];
    for shift in 0..16 {
        // An identifier has no alignment: it moves what follows by a byte each time.
        let id = vec![b'a'; shift];
        for (option, n, m) in aligned {
            let options = [MobilityOption::MnId(1, &id), option];
            let bytes = emit(&options);
            let before = 12 + 3 + shift;
            let at = (before..before + 8).find(|at| at % n == m).expect("an aligned offset");
            assert_eq!(bytes[at], option.emitted_type(), "{option:?} after {shift} bytes");
            assert!(bytes.len().is_multiple_of(8) && bytes.len() - at - option.buffer_len() < 8);
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
fn ipv4_prefix_length_over_32_is_refused_where_it_stands() {
    let request = [36, 6, 33 << 2, 0, 192, 0, 2, 1];
    assert_eq!(refused(&request), (ErrorKind::Value, 2));
    let reply = [37, 6, 0, 63 << 2, 192, 0, 2, 1];
    assert_eq!(refused(&reply), (ErrorKind::Value, 3));
    assert!(Ipv4Home::new(Ipv4Addr::LOCALHOST, 33).is_none());
}

// proves: PMIP4-3.3.1-2, PMIP4-3.3.2-2, PMIP4-3.3.3-2, PMIP4-3.3.4-2, GREKEY-6.1-1
// proves: PMIP4-3.2.3.1-6, DSMIP6-3.2.1-2, DSMIP6-3.2.2-5
#[test]
fn reserved_bits_are_ignored_and_sent_as_zero() {
    use MobilityOption as O;
    let home = Ipv4Home::new(Ipv4Addr::new(192, 0, 2, 1), 24).expect("a length");
    let nat = NatDetection { force_udp: false, refresh_time_s: NatDetection::NO_KEEPALIVE };
    let user_plane = O::LmaUserPlane(Some(home.addr().into()));
    let cases: [(&[u8], O<'_>); 10] = [
        (&[59, 6, 0xff, 0xff, 192, 0, 2, 1], user_plane),
        (&[36, 6, 24 << 2 | 3, 0xff, 192, 0, 2, 1], O::Ipv4HomeAddressRequest(home)),
        (
            &[37, 6, 130, 24 << 2 | 3, 192, 0, 2, 1],
            O::Ipv4HomeAddressReply(Ipv4HomeStatus::INCORRECT_ADDRESS, home),
        ),
        (&[30, 6, 130, 24 << 2 | 3, 192, 0, 2, 1], O::Ipv4AddressAck(Ipv4HomeStatus(130), home)),
        (&[38, 6, 0xff, 0xff, 192, 0, 2, 1], O::Ipv4DefaultRouter(home.addr())),
        (&[39, 2, 0xff, 0xff], O::Ipv4DhcpSupportMode(DhcpSupportMode::Server)),
        (&[39, 2, 0xff, 0xfe], O::Ipv4DhcpSupportMode(DhcpSupportMode::Relay)),
        (&[33, 6, 0xff, 0xff, 0, 0, 1, 2], O::GreKey(Some(GreKey(258)))),
        (&[33, 2, 0xff, 0xff], O::GreKey(None)),
        (&[31, 6, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff], O::NatDetection(nat)),
    ];
    for (bytes, meant) in cases {
        assert_eq!(only(bytes), Ok(meant));
        let mut made = vec![0xa5; bytes.len()];
        assert_eq!(meant.emit(&mut made), Ok(bytes.len()));
        assert_ne!(made, bytes, "{meant:?}");
        assert_eq!(only(&made), Ok(meant));
        // What the RFCs call reserved: RFC 5844 3.3, RFC 5845 6.1, RFC 5555 3.2.2, RFC 7389 4.
        let cleared = match *bytes {
            [36, _, p, _, ..] => [p & 0xfc, 0],
            [37 | 30, _, status, p, ..] => [status, p & 0xfc],
            [39, _, _, s] => [0, s & 1],
            [31, _, f, ..] => [f & 0x80, 0],
            _ => [0, 0],
        };
        assert_eq!(made[2..4], cleared, "{meant:?}");
        assert_eq!((&made[..2], &made[4..]), (&bytes[..2], &bytes[4..]));
    }
}

#[test]
fn access_network_that_contradicts_itself_is_refused_where_it_does() {
    let cases: [(&[u8], usize); 10] = [
        (&[], 1),
        (&[1], 3),
        (&[9, 1], 3),
        // Network-Identifier: too short for its lengths; an empty name; a name, an access point
        // that are cut; something behind them.
        (&[1, 1, 0x80], 3),
        (&[1, 3, 0x80, 0, 0], 5),
        (&[1, 4, 0x80, 3, b'a', 0], 5),
        (&[1, 4, 0x80, 1, b'a', 1], 7),
        (&[9, 0, 1, 5, 0x80, 1, b'a', 0, 0], 9),
        // Geo-Location has six bytes, an Operator-Identifier is not empty.
        (&[2, 5, 0, 0, 0, 0, 0], 3),
        (&[3, 1, 1], 3),
    ];
    for (data, offset) in cases {
        let len = u8::try_from(data.len()).expect("short");
        let bytes = [&[52, len], data].concat();
        assert_eq!(refused(&bytes), (ErrorKind::Length, offset), "{data:?}");
    }
}

#[test]
fn access_network_is_read_as_its_rfc_draws_it() {
    // By hand from RFC 6757 3.1.1 to 3.1.3: SSID "net" of access point "ap"; 48.5 N, 9.25 W, in
    // degrees of 2^-15; Private Enterprise Number 32473.
    let bytes = [
        [1, 8, 0x80, 3, b'n', b'e', b't', 2, b'a', b'p'].as_slice(),
        &[2, 6, 0x18, 0x40, 0x00, 0xfb, 0x60, 0x00],
        &[3, 3, 1, 0x7e, 0xd9],
        &[200, 1, 7],
    ]
    .concat();
    let ani = AccessNetworkId::parse(&bytes).expect("valid");
    let meant = [
        AniSubOption::Network { utf8: true, name: b"net", access_point: b"ap" },
        AniSubOption::GeoLocation { latitude: 97 << 14, longitude: -(37 << 13) },
        AniSubOption::Operator(1, &[0x7e, 0xd9]),
        AniSubOption::Unknown(200, &[7]),
    ];
    assert!(ani.iter().eq(meant));
    let mut made = vec![0xa5; bytes.len()];
    let mut at = 0;
    for sub in meant {
        at += sub.emit(&mut made[at..]).expect("fits");
    }
    assert_eq!(made, bytes);
    let long = AniSubOption::Network { utf8: false, name: &[b'a'; 250], access_point: b"point" };
    assert_eq!(long.emit(&mut [0; 300]).map_err(|e| e.kind), Err(ErrorKind::Length));
}

#[test]
fn option_data_over_its_length_field_is_not_emitted() {
    let id = [b'a'; 255];
    let mut buf = [0; 512];
    let emitted = MobilityOption::MnId(1, &id).emit(&mut buf).map_err(|e| e.kind);
    assert_eq!(emitted, Err(ErrorKind::Length));
    assert_eq!(MobilityOption::MnId(1, &id[..254]).emit(&mut buf), Ok(257));
}

/// An option whose borrowed data lives in the strategy's value.
#[derive(Debug, Clone)]
pub(in crate::wire::mh) enum Blueprint {
    Fixed(MobilityOption<'static>),
    MnId(u8, Vec<u8>),
    MessageAuth(u8, u32, Vec<u8>),
    Vendor(u32, u8, Vec<u8>),
    ServiceSelection(Vec<u8>),
    AccessNetworkId(Vec<u8>),
    MnLinkLayerId(Vec<u8>),
    Unknown(u8, Vec<u8>),
}

impl Blueprint {
    pub(in crate::wire::mh) fn option(&self) -> MobilityOption<'_> {
        match self {
            Self::Fixed(o) => *o,
            Self::MnId(subtype, id) => MobilityOption::MnId(*subtype, id),
            Self::MessageAuth(subtype, spi, data) => {
                MobilityOption::MessageAuth(*subtype, *spi, data)
            }
            Self::ServiceSelection(data) => MobilityOption::ServiceSelection(data),
            Self::AccessNetworkId(data) => {
                MobilityOption::AccessNetworkId(AccessNetworkId::parse(data).expect("made so"))
            }
            Self::Vendor(vendor, subtype, data) => MobilityOption::Vendor(*vendor, *subtype, data),
            Self::MnLinkLayerId(id) => MobilityOption::MnLinkLayerId(id),
            Self::Unknown(kind, data) => MobilityOption::Unknown(*kind, data),
        }
    }
}

fn home_v4() -> impl Strategy<Value = Ipv4Home> {
    (any::<Ipv4Addr>(), 0..=32_u8).prop_map(|(a, len)| Ipv4Home::new(a, len).expect("length"))
}

/// The bytes of any sub-option of an Access Network Identifier option.
fn ani() -> impl Strategy<Value = Vec<u8>> {
    let made = |sub: AniSubOption<'_>| {
        let mut buf = vec![0xa5; sub.buffer_len()];
        assert_eq!(sub.emit(&mut buf), Ok(buf.len()));
        assert_eq!(AccessNetworkId::parse(&buf).expect("made so").iter().next(), Some(sub));
        buf
    };
    let name = || prop::collection::vec(any::<u8>(), 1..33);
    let degrees = || -(1 << 23)..1 << 23_i32;
    prop_oneof![
        (any::<bool>(), name(), data(20)).prop_map(move |(utf8, name, access_point)| {
            made(AniSubOption::Network { utf8, name: &name, access_point: &access_point })
        }),
        (degrees(), degrees()).prop_map(move |(latitude, longitude)| {
            made(AniSubOption::GeoLocation { latitude, longitude })
        }),
        (any::<u8>(), name()).prop_map(move |(kind, id)| made(AniSubOption::Operator(kind, &id))),
        (4..=255_u8, data(20)).prop_map(move |(kind, d)| made(AniSubOption::Unknown(kind, &d))),
    ]
}

fn data(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![3 => prop::collection::vec(any::<u8>(), 0..20),
                1 => prop::collection::vec(any::<u8>(), 0..=max)]
}

pub(in crate::wire::mh) fn blueprint() -> impl Strategy<Value = Blueprint> {
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
        any::<u64>().prop_map(O::ReplayProtection),
        any::<u32>().prop_map(O::RestartCounter),
        any::<Option<u32>>().prop_map(|k| O::GreKey(k.map(GreKey))),
        any::<(bool, u32)>().prop_map(|(force_udp, refresh_time_s)| {
            O::NatDetection(NatDetection { force_udp, refresh_time_s })
        }),
        home_v4().prop_map(O::Ipv4HomeAddressRequest),
        (any::<u8>(), home_v4())
            .prop_map(|(s, home)| O::Ipv4HomeAddressReply(Ipv4HomeStatus(s), home)),
        any::<Ipv4Addr>().prop_map(O::Ipv4DefaultRouter),
        any::<Ipv4Addr>().prop_map(O::AlternateIpv4Coa),
        any::<Option<IpAddr>>().prop_map(O::LmaUserPlane),
        prop::sample::select(vec![DhcpSupportMode::Relay, DhcpSupportMode::Server])
            .prop_map(O::Ipv4DhcpSupportMode),
    ];
    prop_oneof![
        12 => fixed.prop_map(Blueprint::Fixed),
        1 => (any::<u8>(), data(254)).prop_map(|(s, d)| Blueprint::MnId(s, d)),
        1 => (any::<u32>(), any::<u8>(), data(250))
            .prop_map(|(v, s, d)| Blueprint::Vendor(v, s, d)),
        1 => (any::<u8>(), any::<u32>(), data(250))
            .prop_map(|(s, spi, d)| Blueprint::MessageAuth(s, spi, d)),
        1 => (any::<u8>(), data(254))
            .prop_map(|(first, d)| Blueprint::ServiceSelection([&[first], &d[..]].concat())),
        1 => prop::collection::vec(ani(), 1..4)
            .prop_filter("fits", |v| v.iter().map(Vec::len).sum::<usize>() <= 255)
            .prop_map(|v| Blueprint::AccessNetworkId(v.concat())),
        1 => data(253).prop_map(Blueprint::MnLinkLayerId),
        1 => (60..=255_u8, data(255)).prop_map(|(k, d)| Blueprint::Unknown(k, d)),
    ]
}
