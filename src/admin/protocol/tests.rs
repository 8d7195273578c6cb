//! Lines in, calls or refusals out.

use super::*;

fn refusal(text: &str) -> (i32, String) {
    let refusal = parse_line(text.as_bytes()).expect_err(text);
    (refusal.code, refusal.message)
}

fn calls() -> Vec<Call> {
    let address: IpAddr = "2001:db8::1".parse().expect("an address");
    let prefix = "2001:db8:1::/64".parse().ok();
    let mn_id: MnId = "mn1@example.org".parse().expect("an identifier");
    let filter = BindingFilter {
        mn_id: Some(mn_id.clone()),
        mag: Some(address),
        prefix,
        customer: Some("acme".into()),
    };
    let (cursor, limit, counters) = (u64::MAX, 7, true);
    let control = [
        Request::BindingShow { filter, cursor, limit, counters },
        Request::BindingDel { mn_id: mn_id.clone(), prefix, customer: Some("acme".into()) },
        Request::BindingDel { mn_id, prefix: None, customer: None },
        Request::RealmDel { realm: MnId::nai("@acme.example").expect("short"), mag: None },
        Request::RealmDel { realm: MnId::nai("@acme.example").expect("short"), mag: Some(address) },
        Request::NodeDrain { within_s: None },
        Request::NodeDrain { within_s: Some(60) },
        Request::NodeServe,
        Request::MagShow,
        Request::MagAdd { address, name: "m".into() },
        Request::MagDel { address, revoke: true },
        Request::PoolShow,
        Request::PortShow,
        Request::WorkerShow,
        Request::DropShow,
        Request::StatsShow,
        Request::NeighborShow,
        Request::CustomerShow,
        Request::PolicyShow,
    ];
    let own = [
        Call::ConfigShow,
        Call::Config(Job::Diff),
        Call::Config(Job::Reload),
        Call::LogSet { filter: "info".into() },
        Call::Version,
    ];
    control.map(Call::Control).into_iter().chain(own).collect()
}

#[test]
fn every_call_is_read_as_it_was_written() {
    for call in calls() {
        let id = Value::from(7);
        assert_eq!(parse_line(&call.to_line(7)), Ok(Incoming { id, call }));
    }
}

#[test]
fn every_method_of_the_table_has_a_call() {
    let mut methods: Vec<_> = calls().iter().map(|c| c.encode().0).collect();
    methods.dedup();
    assert_eq!(methods, METHODS);
}

#[test]
fn what_is_no_request_is_refused_with_the_codes_of_json_rpc() {
    assert_eq!(refusal("{").0, PARSE_ERROR);
    assert_eq!(refusal("").0, PARSE_ERROR);
    assert_eq!(refusal("[]").0, INVALID_REQUEST);
    assert_eq!(refusal("7").0, INVALID_REQUEST);
    assert_eq!(refusal(r#"{"jsonrpc":"2.0","method":"version"}"#).0, INVALID_REQUEST);
    assert_eq!(refusal(r#"{"jsonrpc":"2.0","method":"version","id":null}"#).0, INVALID_REQUEST);
    assert_eq!(refusal(r#"{"jsonrpc":"2.0","method":"version","id":1.5}"#).0, INVALID_REQUEST);
    assert_eq!(refusal(r#"{"jsonrpc":"1.0","method":"version","id":1}"#).0, INVALID_REQUEST);
    assert_eq!(refusal(r#"{"jsonrpc":"2.0","method":1,"id":1}"#).0, INVALID_REQUEST);
    let more = r#"{"jsonrpc":"2.0","method":"version","id":1,"more":1}"#;
    assert_eq!(refusal(more), (INVALID_REQUEST, "a request has no \"more\"".into()));
}

#[test]
fn unknown_method_is_answered_with_the_nearest_one() {
    let (code, message) = refusal(r#"{"jsonrpc":"2.0","method":"bindings.show","id":1}"#);
    assert_eq!(code, METHOD_NOT_FOUND);
    assert!(message.ends_with("did you mean \"binding.show\"?"), "{message}");
    let (_, message) = refusal(r#"{"jsonrpc":"2.0","method":"reboot","id":1}"#);
    assert!(message.contains("there is: binding.show, binding.del"), "{message}");
}

#[test]
fn wrong_parameters_are_refused_by_name() {
    let call = |method: &str, params: &str| {
        refusal(&format!(r#"{{"jsonrpc":"2.0","method":"{method}","id":1,"params":{params}}}"#))
    };
    for (method, params, part) in [
        ("binding.show", r#"{"limit":0}"#, "limit 0 is not 1 to 512"),
        ("binding.show", r#"{"limit":513}"#, "limit 513 is not 1 to 512"),
        ("binding.show", r#"{"nai":"x"}"#, "unknown field `nai`"),
        ("binding.show", r#"{"mag":"x"}"#, "invalid IP address"),
        ("binding.show", r#"{"prefix":"2001:db8::1/64"}"#, "bits set beyond"),
        ("binding.del", "{}", "missing field `mn_id`"),
        ("mag.add", r#"{"address":"::1","name":"a b"}"#, "a name has"),
        ("mag.show", r#"{"x":1}"#, "unknown field `x`"),
        ("version", "[]", "must be an object"),
    ] {
        let (code, message) = call(method, params);
        assert_eq!(code, INVALID_PARAMS, "{method} {params}");
        assert!(message.contains(part), "{method} {params}: {message}");
    }
}

#[test]
fn the_id_of_a_refused_request_comes_back() {
    let refusal = parse_line(br#"{"jsonrpc":"2.0","method":"x","id":"abc"}"#).expect_err("x");
    assert_eq!(refusal.id, Value::from("abc"));
}

proptest::proptest! {
    #[test]
    fn any_bytes_give_a_call_or_a_refusal_that_is_one_line(bytes: Vec<u8>) {
        if let Err(refusal) = parse_line(&bytes) {
            one_line(&refusal);
        }
    }

    #[test]
    fn damaged_request_gives_a_call_or_a_refusal_that_is_one_line(
        which in 0..15_usize,
        at: proptest::sample::Index,
        byte: u8,
    ) {
        let mut line = calls()[which].to_line(7);
        let at = at.index(line.len());
        line[at] = byte;
        if let Err(refusal) = parse_line(&line) {
            one_line(&refusal);
        }
    }
}

fn one_line(refusal: &Refusal) {
    let line = refusal_line(refusal);
    assert_eq!(line.iter().position(|b| *b == b'\n'), Some(line.len() - 1));
    let answer: Value = serde_json::from_slice(&line).expect("JSON");
    assert_eq!(answer["error"]["code"], refusal.code);
}
