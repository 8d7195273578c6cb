use super::*;

const CLIENT: [u8; 10] = [0, 3, 0, 1, 2, 0, 0, 0, 1, 1];
const DNS: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xf, 0, 0, 0, 0, 0x53);
const LEASE_S: u32 = 3600;

fn prefixes() -> [HomePrefix; 2] {
    ["2001:db8:100:7::/64", "2001:db8:100:8::/64"].map(|p| p.parse().expect("prefix"))
}

/// A client's message: with its identifier, and ours if it names a server.
fn message(kind: u8, names_server: bool, options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut m = vec![kind, 0xca, 0xfe, 7];
    put_option(&mut m, CLIENT_ID, &CLIENT);
    if names_server {
        put_option(&mut m, SERVER_ID, &SERVER_DUID);
    }
    for (code, data) in options {
        put_option(&mut m, *code, data);
    }
    m
}

/// An association's data.
fn ia(header_len: usize, addresses: &[Ipv6Addr]) -> Vec<u8> {
    let mut data = vec![0, 0, 0, 9];
    data.resize(header_len, 0);
    for address in addresses {
        let mut inner = address.octets().to_vec();
        inner.extend([0; 8]);
        put_option(&mut data, IA_ADDR, &inner);
    }
    data
}

fn ask(m: &[u8]) -> Option<Vec<u8>> {
    answer(m, true, &Terms { prefixes: &prefixes(), lease_s: LEASE_S, dns: &[DNS] })
}

/// Type, and options of an answer.
fn read(reply: &[u8]) -> (u8, Vec<(u16, Vec<u8>)>) {
    assert_eq!(reply[1..4], [0xca, 0xfe, 7], "the client's number");
    let options = Options::parse(&reply[4..]).expect("whole");
    (reply[0], options.iter().map(|(code, data)| (code, data.to_vec())).collect())
}

/// Addresses and their valid lifetimes, or the status, in the association of an answer.
fn granted(reply: &[u8]) -> Result<Vec<(Ipv6Addr, u32)>, u16> {
    let (_, options) = read(reply);
    let (_, data) = options.iter().find(|(code, _)| *code == IA_NA).expect("an association");
    let inner = Options::parse(&data[IA_LEN..]).expect("whole");
    if let Some(status) = inner.find(STATUS_CODE) {
        return Err(u16::from_be_bytes([status[0], status[1]]));
    }
    let of = |data: &[u8]| {
        let address: [u8; 16] = *data.first_chunk().expect("an address");
        (address.into(), u32::from_be_bytes(*data[20..].first_chunk().expect("a lifetime")))
    };
    Ok(inner.iter().map(|(_, data)| of(data)).collect())
}

fn status(reply: &[u8]) -> Option<u16> {
    let (_, options) = read(reply);
    let (_, data) = options.into_iter().find(|(code, _)| *code == STATUS_CODE)?;
    Some(u16::from_be_bytes([data[0], data[1]]))
}

fn own() -> Vec<(Ipv6Addr, u32)> {
    prefixes().map(|p| (address_of(p), LEASE_S)).to_vec()
}

// proves: PMIP6-6.11-4
#[test]
fn address_follows_from_the_prefix_and_lies_in_it() {
    for (prefix, host_bits) in
        [("2001:db8:1::/48", 80), ("2001:db8:2::/64", 64), ("2001:db8:3::/127", 1)]
    {
        let prefix: HomePrefix = prefix.parse().expect("prefix");
        let address = address_of(prefix);
        assert!(prefix.contains(address));
        assert_ne!(address, prefix.addr(), "{host_bits} bits are ours to choose");
    }
    let whole: HomePrefix = "2001:db8:4::7/128".parse().expect("prefix");
    assert_eq!(address_of(whole), whole.addr());
    let [a, b] = prefixes();
    assert_ne!(address_of(a).to_bits() << 64, address_of(b).to_bits() << 64);
}

// proves: PMIP6-6.11-4, PMIP6-5.3.2-3
#[test]
fn solicit_is_answered_with_an_address_of_each_prefix() {
    let reply = ask(&message(SOLICIT, false, &[(IA_NA, &ia(IA_LEN, &[]))])).expect("an answer");
    assert_eq!(granted(&reply), Ok(own()));
    let (kind, options) = read(&reply);
    assert_eq!(kind, ADVERTISE);
    for wanted in [
        (SERVER_ID, SERVER_DUID.to_vec()),
        (CLIENT_ID, CLIENT.to_vec()),
        (PREFERENCE, vec![255]),
        (DNS_SERVERS, DNS.octets().to_vec()),
    ] {
        assert!(options.contains(&wanted), "{wanted:?}");
    }
    let (_, data) = options.iter().find(|(code, _)| *code == IA_NA).expect("an association");
    let times = [9, LEASE_S / 2, LEASE_S / 5 * 4].map(u32::to_be_bytes).concat();
    assert_eq!(data[..IA_LEN], times, "IAID, T1, T2");

    let rapid = [(IA_NA, &ia(IA_LEN, &[])[..]), (RAPID_COMMIT, &[])];
    let reply = ask(&message(SOLICIT, false, &rapid)).expect("an answer");
    let (kind, options) = read(&reply);
    assert_eq!((kind, granted(&reply)), (REPLY, Ok(own())));
    assert!(options.contains(&(RAPID_COMMIT, vec![])));
}

// proves: PMIP6-6.11-4
#[test]
fn renewal_keeps_the_nodes_addresses_and_ends_others() {
    let strange = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 9, 0, 0, 0, 1);
    for (kind, names_server) in [(RENEW, true), (REBIND, false)] {
        let has = ia(IA_LEN, &[own()[0].0, strange]);
        let reply = ask(&message(kind, names_server, &[(IA_NA, &has)])).expect("an answer");
        let wanted = [own(), vec![(strange, 0)]].concat();
        assert_eq!((reply[0], granted(&reply)), (REPLY, Ok(wanted)));
    }
    let request = message(REQUEST, true, &[(IA_NA, &ia(IA_LEN, &[strange]))]);
    assert_eq!(granted(&ask(&request).expect("an answer")), Err(NOT_ON_LINK));
    let request = message(REQUEST, true, &[(IA_NA, &ia(IA_LEN, &[own()[0].0]))]);
    assert_eq!(granted(&ask(&request).expect("an answer")), Ok(own()));
}

#[test]
fn confirmation_says_whether_the_addresses_are_of_the_link() {
    let confirm = |address| message(CONFIRM, false, &[(IA_NA, &ia(IA_LEN, &[address]))]);
    let here = Ipv6Addr::from_bits(prefixes()[1].bits() | 0x77);
    assert_eq!(ask(&confirm(here)).and_then(|r| status(&r)), Some(SUCCESS));
    let elsewhere = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 9, 0, 0, 0, 1);
    assert_eq!(ask(&confirm(elsewhere)).and_then(|r| status(&r)), Some(NOT_ON_LINK));
    assert_eq!(
        ask(&message(CONFIRM, false, &[(IA_NA, &ia(IA_LEN, &[]))])),
        None,
        "none to tell of"
    );
    let none = Terms { prefixes: &[], lease_s: LEASE_S, dns: &[] };
    assert_eq!(answer(&confirm(here), true, &none), None, "nothing to tell by");
}

#[test]
fn what_is_given_back_is_acknowledged_if_it_was_given() {
    for kind in [RELEASE, DECLINE] {
        let gives = |address| message(kind, true, &[(IA_NA, &ia(IA_LEN, &[address]))]);
        let reply = ask(&gives(own()[0].0)).expect("an answer");
        let (_, options) = read(&reply);
        assert_eq!(status(&reply), Some(SUCCESS));
        assert!(options.iter().all(|(code, _)| *code != IA_NA));
        let other = ask(&gives(Ipv6Addr::from_bits(prefixes()[0].bits() | 1))).expect("an answer");
        assert_eq!((status(&other), granted(&other)), (Some(SUCCESS), Err(NO_BINDING)));
    }
}

#[test]
fn second_association_temporary_addresses_and_prefixes_are_refused() {
    let associations = [
        (IA_NA, ia(IA_LEN, &[])),
        (IA_NA, ia(IA_LEN, &[])),
        (IA_TA, ia(4, &[])),
        (IA_PD, ia(12, &[])),
    ];
    let options: Vec<(u16, &[u8])> = associations.iter().map(|(c, d)| (*c, &d[..])).collect();
    let reply = ask(&message(SOLICIT, false, &options)).expect("an answer");
    let refused = |code: u16, header_len: usize, nth: usize| {
        let (_, options) = read(&reply);
        let (_, data) = options.into_iter().filter(|(c, _)| *c == code).nth(nth).expect("there");
        let inner = Options::parse(&data[header_len..]).expect("whole");
        inner.find(STATUS_CODE).map(<[u8]>::to_vec)
    };
    assert_eq!(granted(&reply), Ok(own()));
    assert_eq!(refused(IA_NA, IA_LEN, 1), Some(vec![0, 2]));
    assert_eq!(refused(IA_TA, IA_TA_LEN, 0), Some(vec![0, 2]));
    assert_eq!(refused(IA_PD, IA_LEN, 0), Some(vec![0, 6]));
    let none = Terms { prefixes: &[], lease_s: LEASE_S, dns: &[] };
    let reply = answer(&message(SOLICIT, false, &options), true, &none).expect("an answer");
    assert_eq!(granted(&reply), Err(NO_ADDRS_AVAIL));
}

#[test]
fn information_is_given_without_an_address() {
    let reply = ask(&message(INFORMATION_REQUEST, false, &[])).expect("an answer");
    let (kind, options) = read(&reply);
    assert_eq!(kind, REPLY);
    assert!(options.contains(&(DNS_SERVERS, DNS.octets().to_vec())));
    let with_address = message(INFORMATION_REQUEST, false, &[(IA_NA, &ia(IA_LEN, &[]))]);
    assert_eq!(ask(&with_address), None);
}

#[test]
fn unicast_is_refused_or_ignored() {
    let terms = Terms { prefixes: &prefixes(), lease_s: LEASE_S, dns: &[] };
    let unicast = |kind, names| answer(&message(kind, names, &[]), false, &terms);
    for kind in [REQUEST, RENEW, RELEASE, DECLINE] {
        let reply = unicast(kind, true).expect("an answer");
        assert_eq!((reply[0], status(&reply)), (REPLY, Some(USE_MULTICAST)));
    }
    for kind in [SOLICIT, CONFIRM, REBIND, INFORMATION_REQUEST] {
        assert_eq!(unicast(kind, false), None);
    }
}

#[test]
fn message_without_what_its_type_needs_is_ignored() {
    let association = ia(IA_LEN, &[own()[0].0]);
    let with = |kind, names| ask(&message(kind, names, &[(IA_NA, &association)]));
    for kind in 0..=255 {
        let without_server = matches!(kind, SOLICIT | CONFIRM | REBIND);
        let with_server = matches!(kind, REQUEST | RENEW | RELEASE | DECLINE);
        assert_eq!(with(kind, false).is_some(), without_server, "{kind}");
        assert_eq!(with(kind, true).is_some(), with_server, "{kind}");
        let mut nameless = vec![kind, 0xca, 0xfe, 7];
        put_option(&mut nameless, IA_NA, &association);
        assert_eq!(ask(&nameless), None, "{kind} without the client's identifier");
    }
    let mut other = message(REQUEST, false, &[(IA_NA, &association)]);
    put_option(&mut other, SERVER_ID, &[0, 3, 0, 1, 9, 9, 9, 9, 9, 9]);
    assert_eq!(ask(&other), None, "another server's");
    let whole = message(SOLICIT, false, &[(IA_NA, &association)]);
    for len in (0..whole.len()).filter(|len| *len != 4 + 4 + CLIENT.len()) {
        assert_eq!(ask(&whole[..len]), None, "cut at {len}");
    }
}
