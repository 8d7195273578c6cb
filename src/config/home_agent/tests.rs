//! What a file may say of homes, and what not.

use super::*;
use crate::config::tests::{Files, assert_faults};
use crate::config::{parse, render};

/// A home agent whose home links are a pool's, virtual, and one on a port.
const FILE: &str = r#"
[node]
name = "n"
lma_address = "2001:db8::1"
[[port]]
name = "access0"
role = "access"
vdev = "net_null0"
[[port]]
name = "home0"
role = "core"
vdev = "net_null1"
addresses = ["2001:db8:c::1/64"]
[worker]
cpus = [1]
[control]
cpu = 0
[[pool]]
name = "home"
prefix = "2001:db8:4000::/48"
[policy]
nodes_file = "nodes.csv"
[home_agent]
switch_rate = 80
replay_window = "7s"
[[home_agent.link]]
prefix = "2001:db8:c::/64"
port = "home0"
[[home_agent.link]]
prefix = "2001:db8:d::/64"
"#;

fn read(text: &str) -> Result<Config, String> {
    parse(text, Path::new("/t.toml")).map_err(|f| f.to_string())
}

#[test]
fn section_is_read_with_its_defaults_and_rendered_back() {
    let config = read(FILE).unwrap_or_else(|f| panic!("{f}"));
    let home_agent = config.home_agent.clone().expect("there is one");
    assert_eq!(home_agent.interworking, Interworking::Independent);
    assert_eq!((home_agent.dad_transmits, home_agent.switch_rate), (1, 80));
    assert_eq!(home_agent.retrans_timer, Duration::from_secs(1));
    assert_eq!(home_agent.links[0].port.as_deref(), Some("home0"));
    assert_eq!(read(&render(&config).to_string()), Ok(config));
    let without = FILE.split("[home_agent]").next().expect("the front");
    assert_eq!(read(without).map(|c| c.home_agent), Ok(None));
}

#[test]
fn faults_of_the_section_are_reported_with_their_paths() {
    let pool = "[\"2001:db8:c::1/64\"]\n[[pool]]\nname = \"p\"\nprefix = \"2001:db8:c::/56\"";
    let changes = [
        ("switch_rate = 80", "switch_rate = 0", "home_agent.switch_rate: 0 is below 1"),
        ("switch_rate", "switch", "home_agent.switch: is unknown"),
        ("switch_rate = 80", "nat_keepalive = \"1500ms\"", "nat_keepalive: 1500ms is no whole"),
        (
            "8:d::/64\"",
            "8:d::/64\"\nvalid_lifetime = \"1d\"",
            "link[1].preferred_lifetime: is longer",
        ),
        (
            "replay_window = \"7s\"",
            "interworking = \"both\"",
            "home_agent.interworking: \"both\" is",
        ),
        ("\"7s\"", "\"3s\"", "home_agent.replay_window: 3s is below 3001ms"),
        ("port = \"home0\"", "port = \"home1\"", "link[0].port: \"home1\" is no [[port]]"),
        ("port = \"home0\"", "customer = \"a\"", "link[0].customer: \"a\" is no [[customer]]"),
        ("port = \"home0\"", "port = \"access0\"", "link[0].prefix: no address of port access0"),
        ("8:d::/64", "8:c::/60", "link[1].prefix: 2001:db8:c::/60 overlaps link[0] (2001:db8:c::"),
        ("8:d::/64", "8::/32", "link[1].prefix: 2001:db8::/32 is not of /48 to /128"),
        ("[\"2001:db8:c::1/64\"]", pool, "link[0].prefix: 2001:db8:c::/64 overlaps the pool p"),
    ];
    assert_faults(FILE, &changes);
}

#[test]
fn home_address_in_a_pool_makes_its_prefix_the_nodes_own() {
    let nodes = "mn1,,,,,,,,,2001:db8:4000:7::9,2001:db8:9000::/56 2001:db8:9001::/64,256:mn1.key\n\
                 mn2,,,,,2001:db8:4000:8::/64,,,,2001:db8:4000:8::1,,esp\n\
                 mn3,,,,,,,,,2001:db8:c::77,,none\nmn4\n";
    let files = Files::new("own", nodes);
    let found = files.nodes(FILE).unwrap_or_else(|f| panic!("{f}"));
    let own = |n: usize| -> Vec<String> {
        found[n].0.static_prefixes.iter().map(ToString::to_string).collect()
    };
    assert_eq!(own(0), ["2001:db8:4000:7::/64"]);
    assert_eq!(own(1), ["2001:db8:4000:8::/64"], "it is there already");
    assert_eq!(own(2).len(), 0, "the link is shared with its neighbours");
    assert_eq!(found[0].1.mobile_networks.len(), 2);
    let Some(HomeProof::Keys(keys)) = &found[0].1.proof else { panic!("it has a key") };
    assert_eq!((keys[0].spi, keys[0].replay_window), (256, Some(Duration::from_secs(7))));
    assert_eq!(found[1].1.proof, Some(HomeProof::Esp(None)));
    assert_eq!(found[2].1.proof, Some(HomeProof::Nothing));
    assert_eq!(found[3].1, HomeNode::default());
}

#[test]
fn what_of_a_nodes_tunnel_is_in_esp_stands_beside_esp() {
    let nodes = "mn1,,,,,,,,,2001:db8:4000:7::9,,esp:return-routability\n\
                 mn2,,,,,,,,,2001:db8:4000:8::1,,esp:all\n";
    let found = Files::new("protected", nodes).nodes(FILE).unwrap_or_else(|f| panic!("{f}"));
    let proofs = [Protection::ReturnRoutability, Protection::All].map(|p| HomeProof::Esp(Some(p)));
    assert!(found.iter().map(|(_, home)| home.proof.clone()).eq(proofs.map(Some)));
    let report = Files::new("unknown", "mn1,,,,,,,,,2001:db8:4000:7::9,,esp:some\n").nodes(FILE);
    assert!(report.is_err_and(|f| f.contains("authentication: \"esp\" is no SPI")));
}

#[test]
fn faulty_homes_are_reported_with_their_lines() {
    let nodes = "mn1,,,,,,,,,2001:db8:4000:7::9\n\
                 mn2,,,,,,,,,,2001:db8:9002::/56\n\
                 mn3,,,,,,,,,2001:db8:e::1,,esp\n\
                 mn4,,,,,,,,,2001:db8:c::4,2001:db8:4000:9::/64,esp\n\
                 mn5,,,,,,,,,2001:db8:c::5,10.0.0.0/24,esp\n\
                 mn6,,,,,,,,,2001:db8:c::6,,255:mn1.key\n\
                 mn7,,,,,,,,,2001:db8:c::7,,ipsec\n\
                 mn8,,,,,,,,,fe80::1,,esp\n\
                 mn9,,,,,,,,,2001:db8:c::9,2001:db8:9000::/56,esp\n\
                 mn10,,,,,,,,,2001:db8:c::9,2001:db8:9000:1::/64,esp\n";
    let files = Files::new("faulty", nodes);
    let report = files.nodes(FILE).expect_err("faults");
    let expected = [
        "authentication: is missing: give esp or SPI:key_file",
        "authentication: is missing: give esp or SPI:key_file",
        "home_address: 2001:db8:e::1 is in no [[pool]] or [[home_agent.link]]",
        "mobile_networks: 2001:db8:4000:9::/64 overlaps the pool 2001:db8:4000::/48",
        "mobile_networks: 10.0.0.0/24 is no IPv6 prefix of /48 or longer",
        "authentication: \"255\" is no SPI of 256 or more",
        "authentication: \"ipsec\" is neither esp, none nor SPI:key_file",
        "home_address: fe80::1 is link-local: packets cannot be routed to it",
    ];
    for (n, what) in expected.iter().enumerate() {
        assert!(report.contains(&format!("nodes.csv:{}: {what}", n + 1)), "{what}: {report}");
    }
    let overlap = |what| report.contains(&format!("nodes.csv:10: static prefix {what} overlaps"));
    assert!(overlap("2001:db8:c::9/128") && overlap("2001:db8:9000:1::/64"), "{report}");
    assert_eq!(report.lines().count(), 10, "{report}");
    let without = FILE.split("[home_agent]").next().expect("the front");
    let report = Files::new("none", "mn3,,,,,,,,,2001:db8:c::77,,esp\n").nodes(without);
    let what = "nodes.csv:1: has a home, and there is no [home_agent]";
    assert!(report.is_err_and(|f| f.contains(what)));
}
