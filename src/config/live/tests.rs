//! Tests of [`super`] and of [`crate::config::diff`].

use super::*;
use crate::config::{Difference, differences};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

const BASE: &str = r#"
[node]
name = "n"
lma_address = "2001:db8::1"
[[port]]
name = "p0"
role = "access"
vdev = "net_null0"
[[port]]
name = "acme0"
role = "core"
vdev = "net_null1"
customer = "acme"
[worker]
cpus = [1]
[control]
cpu = 0
[[customer]]
name = "acme"
id = 1
[[pool]]
name = "a"
prefix = "2001:db8:a000::/40"
[[pool]]
name = "b"
prefix = "2001:db8:b000::/40"
[[mag]]
name = "mag1"
address = "2001:db8:1::1"
[policy]
max_bindings = 1000
[policy.default]
"#;

fn config(text: &str) -> Config {
    parse(text, Path::new("t.toml")).unwrap_or_else(|f| panic!("{f}"))
}

/// The file with some lines in the place of others.
fn changed(changes: &[(&str, &str)]) -> Config {
    let text = changes.iter().fold(BASE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    config(&text)
}

/// Each difference as a line.
fn shown(file: &Config) -> Vec<String> {
    let line = |d: Difference| {
        let side = |v: Option<String>| v.unwrap_or_else(|| "none".into());
        let restart = if d.restart { " (restart)" } else { "" };
        format!("{}: {} -> {}{restart}", d.key, side(d.running), side(d.file))
    };
    differences(&config(BASE), file).into_iter().map(line).collect()
}

#[test]
fn each_key_that_differs_is_shown_and_elements_go_by_their_names() {
    assert_eq!(shown(&config(BASE)), [""; 0]);
    let file = changed(&[
        (
            "[[mag]]\n",
            "[[mag]]\nname = \"mag2\"\naddress = \"2001:db8:1::2\"\n[[mag]]\ntunnel_mtu = 1400\n",
        ),
        ("[policy]\n", "[timer]\nheartbeat_interval = \"30s\"\n[policy]\n"),
        (
            "name = \"b\"\nprefix = \"2001:db8:b000::/40\"",
            "name = \"c\"\nprefix = \"2001:db8:c000::/40\"",
        ),
        ("id = 1", "id = 1\nmax_bindings = 7"),
    ]);
    let lines = shown(&file);
    let keys: Vec<&str> = lines.iter().filter_map(|l| l.split(": ").next()).collect();
    assert_eq!(
        keys,
        [
            "customer[acme].max_bindings",
            "mag[mag1].tunnel_mtu",
            "mag[mag2]",
            "pool[b]",
            "pool[c]",
            "timer.heartbeat_interval"
        ]
    );
    assert_eq!(lines[0], "customer[acme].max_bindings: none -> 7");
    assert_eq!(lines[1], "mag[mag1].tunnel_mtu: 1500 -> 1400");
    assert!(lines[2].starts_with("mag[mag2]: none -> { "), "{}", lines[2]);
    assert!(lines[3].ends_with(" -> none"), "{}", lines[3]);
    assert_eq!(lines[5], "timer.heartbeat_interval: \"1min\" -> \"30s\"");
}

#[test]
fn another_order_of_pools_is_a_difference() {
    let file = changed(&[
        ("name = \"a\"", "name = \"x\""),
        ("name = \"b\"", "name = \"a\""),
        ("name = \"x\"", "name = \"b\""),
        ("2001:db8:a000::/40", "2001:db8:f000::/40"),
        ("2001:db8:b000::/40", "2001:db8:a000::/40"),
        ("2001:db8:f000::/40", "2001:db8:b000::/40"),
    ]);
    assert_eq!(shown(&file), ["pool (order): [\"a\", \"b\"] -> [\"b\", \"a\"]"]);
}

#[test]
fn what_is_decided_at_the_start_stays_as_it_runs_and_the_rest_is_the_files() {
    let file = changed(&[
        ("cpus = [1]", "cpus = [1, 2]"),
        ("name = \"n\"", "name = \"other\"\nfixed_link_local = true"),
        ("max_bindings = 1000", "max_bindings = 2000"),
        (
            "[policy.default]",
            "[policy.default]\nprefixes = 2\n[log]\nfilter = \"warn\"\nformat = \"json\"",
        ),
    ]);
    let restart: Vec<String> =
        shown(&file).into_iter().filter(|l| l.ends_with("(restart)")).collect();
    assert_eq!(
        restart,
        [
            "log.format: \"text\" -> \"json\" (restart)",
            "node.name: \"n\" -> \"other\" (restart)",
            "policy.max_bindings: 1000 -> 2000 (restart)",
            "worker.cpus: [1] -> [1, 2] (restart)",
        ]
    );
    let running = config(BASE);
    let put = put_in_force(&running, file, Path::new("t.toml")).unwrap_or_else(|f| panic!("{f}"));
    assert_eq!((put.node.name.as_str(), put.node.fixed_link_local), ("n", true));
    assert_eq!((put.log.filter.as_str(), put.log.json), ("warn", false));
    assert_eq!((put.policy.max_bindings, put.cores.worker_cpus.len()), (1000, 1));
    assert_eq!(put.policy.default.as_ref().map(|p| p.prefixes), Some(2));
    // What was put in force is what runs: only what needs a restart differs from the file still.
    assert!(differences(&running, &put).iter().all(|d| !d.restart));
}

#[test]
fn every_key_that_differs_is_in_force_or_needs_a_restart() {
    let file = changed(&[
        (
            "[node]",
            "[node]\naccept_forced_udp = true\nfirst_gre_key = 9\nlma_address_ipv4 = \"192.0.2.1\"",
        ),
        (
            "[worker]",
            "[eal]\nmemory_mib = 64\n[admin]\nsocket = \"/run/x\"\n[state]\ndir = \"/tmp/x\"\n[worker]\nring_len = 128",
        ),
        ("vdev = \"net_null0\"", "vdev = \"net_null0\"\nrx_desc = 512"),
        ("cpu = 0", "cpu = 3"),
        ("max_bindings = 1000", "max_bindings = 1001\nsocket = \"/run/policy\"\ntimeout = \"1s\""),
    ]);
    let running = config(BASE);
    let wanted = differences(&running, &file);
    let put =
        put_in_force(&running, file.clone(), Path::new("t.toml")).unwrap_or_else(|f| panic!("{f}"));
    let left = differences(&put, &file);
    let needs: Vec<&Difference> = wanted.iter().filter(|d| d.restart).collect();
    assert_eq!(
        left.iter().map(|d| &d.key).collect::<Vec<_>>(),
        needs.iter().map(|d| &d.key).collect::<Vec<_>>()
    );
    assert_eq!(needs.len(), 11, "{needs:?}");
}

#[test]
fn home_agents_change_but_for_what_holds_for_a_run() {
    let with = |home_agent: &str, mip4: &str| {
        let sections = format!("[home_agent]\n{home_agent}\n[mip4]\n{mip4}\n[node]");
        let node = "[node]\nlma_address_ipv4 = \"192.0.2.1\"";
        changed(&[("[node]", &sections), ("[node]", node)])
    };
    let link =
        |prefix: &str, more: &str| format!("[[home_agent.link]]\nprefix = \"{prefix}\"\n{more}\n");
    let (first, second) = (link("2001:db8:1:1::/64", ""), link("2001:db8:1:2::/64", ""));
    let running = with(&format!("preference = 7\n{first}"), "");
    let lasting = "valid_lifetime = \"1h\"\npreferred_lifetime = \"30min\"";
    let wanted = with(
        &format!(
            "max_bindings = 9\ninterworking = \"combined\"\nmax_lifetime = \"20min\"\n{second}{}",
            link("2001:db8:1:1::/64", lasting)
        ),
        "max_registrations = 5\nsimultaneous_bindings = 2\nmax_lifetime = \"10min\"\nrevocation = false",
    );
    let keys = |restart| {
        let all = differences(&running, &wanted).into_iter();
        all.filter(|d| d.restart == restart).map(|d| d.key).collect::<Vec<_>>()
    };
    assert_eq!(
        keys(true),
        [
            "home_agent.interworking",
            "home_agent.max_bindings",
            "mip4.max_registrations",
            "mip4.simultaneous_bindings"
        ]
    );
    assert_eq!(
        keys(false),
        [
            "home_agent.link[2001:db8:1:1::/64].preferred_lifetime",
            "home_agent.link[2001:db8:1:1::/64].valid_lifetime",
            "home_agent.link[2001:db8:1:2::/64]",
            "home_agent.max_lifetime",
            "home_agent.preference",
            "mip4.max_lifetime",
            "mip4.revocation"
        ]
    );
    let put = put_in_force(&running, wanted.clone(), Path::new("t.toml"));
    let put = put.unwrap_or_else(|f| panic!("{f}"));
    let left: Vec<_> = differences(&put, &wanted).into_iter().map(|d| d.key).collect();
    assert_eq!(left, keys(true));
    // The sections themselves are there from the start, or not.
    let without = config(BASE);
    let keys: Vec<_> =
        differences(&running, &without).into_iter().map(|d| (d.key, d.restart)).collect();
    let node = ("node.lma_address_ipv4".to_owned(), true);
    assert_eq!(keys, [("home_agent".to_owned(), true), ("mip4".to_owned(), true), node]);
    let put = put_in_force(&running, without.clone(), Path::new("t.toml"));
    assert!(put.is_ok_and(|p| p.home_agent == running.home_agent && p.mip4 == running.mip4));
    let put = put_in_force(&without, running.clone(), Path::new("t.toml"));
    assert!(put.is_ok_and(|p| p.home_agent.is_none() && p.mip4.is_none()));
}

#[test]
fn file_that_does_not_go_with_what_runs_until_a_restart_is_refused() {
    let refused = |changes: &[(&str, &str)]| {
        let put = put_in_force(&config(BASE), changed(changes), Path::new("t.toml"));
        put.err().map_or_else(String::new, |f| f.to_string())
    };
    let moved =
        refused(&[("2001:db8::1\"", "2001:db8:9::1\""), ("2001:db8:b000::/40", "2001:db8::/48")]);
    assert!(moved.contains("t.toml: node.lma_address: 2001:db8::1 lies inside pool[1]"), "{moved}");
    let larger = refused(&[("vdev = \"net_null0\"", "vdev = \"net_null0\"\nmtu = 1600")]);
    assert!(larger.contains("mag[0].tunnel_mtu: 1600 is above 1500"), "{larger}");
    let other = refused(&[("id = 1", "id = 2")]);
    assert!(other.contains("customer[acme].id: changes while a port"), "{other}");
    let gone =
        refused(&[("[[customer]]\nname = \"acme\"\nid = 1\n", ""), ("customer = \"acme\"\n", "")]);
    assert!(gone.contains("port[1].customer: \"acme\" is no customer"), "{gone}");
}

#[test]
fn another_key_in_the_same_file_is_a_difference_and_not_shown() {
    let path = std::env::temp_dir().join(format!("anchord-diff-{}", std::process::id()));
    let write = |byte: &str| -> PathBuf {
        drop(std::fs::remove_file(&path));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        file.expect("created").write_all(byte.repeat(16).as_bytes()).expect("written");
        path.clone()
    };
    let auth =
        format!("address = \"2001:db8:1::1\"\nauth = [{{ spi = 256, key_file = {path:?} }}]");
    let with = [("address = \"2001:db8:1::1\"", auth.as_str())];
    write("5e");
    let running = changed(&with);
    write("7a");
    let found = differences(&running, &changed(&with));
    std::fs::remove_file(&path).expect("ours");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].key, "mag[mag1].auth[256].key_file");
    let shown = format!("{found:?}");
    assert!(!shown.contains("5e5e") && !shown.contains("7a7a"), "{shown}");
}
