//! What a file may say of Mobile IPv4, and what not.

use super::*;
use crate::config::tests::Files;
use crate::config::{HomeNode, render};

const FILE: &str = r#"
[node]
name = "n"
lma_address = "2001:db8::1"
lma_address_ipv4 = "192.0.2.1"
[[port]]
name = "access0"
role = "access"
vdev = "net_null0"
[worker]
cpus = [1]
[control]
cpu = 0
[[pool]]
name = "home"
prefix = "2001:db8:4000::/48"
[[pool]]
name = "home4"
prefix = "10.1.0.0/16"
[policy]
nodes_file = "nodes.csv"
[mip4]
max_lifetime = "10min"
reverse_tunnel = "required"
[[mip4.foreign_agent]]
address = "198.51.100.254"
[[mip4.foreign_agent.auth]]
spi = 300
key_file = "agent.key"
algorithm = "hmac-sha-256"
"#;

#[test]
fn section_is_read_with_its_defaults_and_rendered_back() {
    let files = Files::new("section", "");
    let config = files.read(FILE).unwrap_or_else(|f| panic!("{f}"));
    let mip4 = config.mip4.clone().expect("there is one");
    assert_eq!((mip4.max_lifetime, mip4.max_registrations), (Duration::from_secs(600), 65_536));
    assert_eq!(
        (mip4.nat_keepalive, mip4.timestamp_window.as_secs()),
        (Duration::from_secs(110), 7)
    );
    assert_eq!(mip4.reverse_tunnel, ReverseTunnel::Required);
    assert!(mip4.nat_traversal && mip4.dual_stack && mip4.revocation && !mip4.nat_forced);
    let agent = &mip4.foreign_agents[0];
    assert_eq!(agent.address, Ipv4Addr::new(198, 51, 100, 254));
    assert_eq!((agent.auth[0].spi, agent.auth[0].algorithm), (300, Algorithm::HmacSha256));
    let shown = render(&config).to_string();
    assert!(!shown.contains("00112233"), "no secret is shown");
    assert_eq!(files.read(&shown), Ok(config));
    let without = FILE.split("[mip4]").next().expect("the front");
    assert_eq!(files.read(without).map(|c| c.mip4), Ok(None));
}

// proves: MIP4-1.6-3, MIP4-3.8.1-1
#[test]
fn faults_of_the_section_are_reported_with_their_lines_and_paths() {
    let files = Files::new("faults", "");
    let again = "[[mip4.foreign_agent]]\naddress = \"198.51.100.254\"\n[[mip4.foreign_agent.auth]]\n\
                 spi = 300\nkey_file = \"agent.key\"\n[[mip4.foreign_agent]]";
    for (from, to, expected) in [
        ("lma_address_ipv4 = \"192.0.2.1\"", "", "22: mip4: needs node.lma_address_ipv4"),
        ("\"10min\"", "\"19h\"", "23: mip4.max_lifetime: 19h is above 65534s"),
        ("\"10min\"", "\"1500ms\"", "mip4.max_lifetime: 1500ms is no whole number of seconds"),
        ("max_lifetime", "maximum", "23: mip4.maximum: is unknown"),
        ("\"required\"", "\"yes\"", "24: mip4.reverse_tunnel: \"yes\" is neither"),
        ("spi = 300", "spi = 255", "auth[0].spi: 255 is below 256"),
        ("\"agent.key\"", "\"none.key\"", "none.key cannot be read"),
        ("\"hmac-sha-256\"", "\"md5\"", "auth[0].algorithm: \"md5\" is neither"),
        ("\"198.51.100.254\"", "\"192.0.2.1\"", "foreign_agent[0].address: 192.0.2.1 is our own"),
        ("[[mip4.foreign_agent]]", again, "address: 198.51.100.254 is already at mip4.foreign"),
        ("[[mip4.foreign_agent.auth]]\nspi = 300", "[mip4.x]", "foreign_agent[0].auth: is missing"),
    ] {
        assert!(FILE.contains(from), "{from}");
        let report = files.read(&FILE.replacen(from, to, 1)).map(drop).expect_err(to);
        assert!(report.contains(expected), "{to}: {report}");
    }
}

#[test]
fn nodes_have_keys_replay_protection_and_prefixes_of_their_own() {
    let nodes = "mn1@example.org,,,,,10.1.0.7,,,,,2001:db8:9000::/56,,256:mn1.key implicit\n\
                 imsi:262011234567890,,,,,10.1.0.8,,,,,,,256:mn1.key:hmac-sha-256:nonce 257:mn1.key\n\
                 mn3@example.org,,,,,,,,,,,,256:mn1.key:timestamp\nmn4\n";
    let found = Files::new("nodes", nodes).nodes(FILE).unwrap_or_else(|f| panic!("{f}"));
    let keys = |n: usize| found[n].1.mip4.clone().expect("it has some");
    assert!(keys(0).implicit && !keys(1).implicit);
    assert_eq!(found[0].1.mobile_networks.len(), 1, "without [home_agent]");
    let auth: Vec<_> = keys(1).auth.iter().map(|(a, nonce)| (a.spi, a.algorithm, *nonce)).collect();
    let expected = [(256, Algorithm::HmacSha256, true), (257, Algorithm::HmacMd5, false)];
    assert_eq!((auth, keys(2).auth[0].1), (expected.into(), false));
    assert_eq!(found[3].1, HomeNode::default());
}

#[test]
fn faulty_keys_are_reported_with_their_lines() {
    let lines = [
        ("mn1@example.org,,,,,10.1.0.1,,,,,,,255:mn1.key", "\"255\" is no SPI of 256 or more"),
        ("mn2@example.org,,,,,10.1.0.2,,,,,,,mn1.key", "\"mn1.key\" is neither implicit nor SPI:"),
        ("mn3@example.org,,,,,10.1.0.3,,,,,,,256:mn1.key:sha1", "\"sha1\" is no algorithm, and"),
        ("mn4@example.org,,,,,10.1.0.4,,,,,,,256:mn1.key 256:mn1.key", "has SPI 256 twice"),
        ("mn5@example.org,,,,,10.1.0.5,,,,,,,implicit", "has no key: give SPI:key_file"),
        ("mn6@example.org,,,,,10.1.0.6,,,,,,,256:none.key", "none.key cannot be read"),
        ("imsi:262011234567890,,,,,,,,,,,,256:mn1.key", "needs an IPv4 address of its own"),
    ];
    let nodes = lines.map(|(line, _)| line).join("\n");
    let report = Files::new("keys", &nodes).nodes(FILE).expect_err("faults");
    for (n, (_, what)) in lines.iter().enumerate() {
        let line = format!("nodes.csv:{}: mip4: ", n + 1);
        let found = report.lines().find(|l| l.contains(&line));
        assert!(found.is_some_and(|l| l.contains(what)), "{what}: {report}");
    }
    assert_eq!(report.lines().count(), lines.len(), "{report}");
    let files = Files::new("without", "mn1@example.org,,,,,,,,,,,,256:mn1.key\n");
    let pool = "[[pool]]\nname = \"home4\"\nprefix = \"10.1.0.0/16\"\n";
    for (text, what) in [
        (FILE.split("[mip4]").next().expect("the front"), "is given, and there is no [mip4]"),
        (&*FILE.replace(pool, ""), "has neither an IPv4 address of its own nor a [[pool]] to"),
    ] {
        let report = files.nodes(text).expect_err(what);
        assert!(report.contains(&format!("nodes.csv:1: mip4: {what}")), "{report}");
    }
}
