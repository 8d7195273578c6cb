//! Files in, values or the complete report out.

use super::*;
use crate::addr::MnId;

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dpdk-config").join(name)
}

fn faults(text: &str) -> String {
    match parse(text, Path::new("t.toml")) {
        Ok(_) => String::from("no fault"),
        Err(faults) => faults.to_string(),
    }
}

/// Each change of a valid file, from one text to another, is reported with this text in it.
pub(super) fn assert_faults(good: &str, changes: &[(&str, &str, &str)]) {
    for (from, to, expected) in changes {
        assert!(good.contains(from), "{from}");
        let report = faults(&good.replacen(from, to, 1));
        assert!(report.contains(expected), "{to}: {report}");
    }
}

/// A directory with keys and a file of nodes; gone with it.
pub(super) struct Files(PathBuf);

impl Files {
    pub(super) fn new(name: &str, nodes: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let dir = std::env::temp_dir().join(format!("anchor-nodes-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a temporary directory");
        for key in ["mn1.key", "agent.key"] {
            let key = dir.join(key);
            std::fs::write(&key, "00112233445566778899aabbccddeeff").expect("written");
            let mode = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&key, mode).expect("ours");
        }
        std::fs::write(dir.join("nodes.csv"), nodes).expect("written");
        Self(dir)
    }

    /// A configuration that lies beside them.
    pub(super) fn read(&self, text: &str) -> Result<Config, String> {
        parse(text, &self.0.join("t.toml")).map_err(|f| f.to_string())
    }

    /// What it makes of the file of nodes.
    pub(super) fn nodes(&self, text: &str) -> Result<Vec<(Profile, HomeNode)>, String> {
        let config = self.read(text)?;
        let mut found = Vec::new();
        let each = |_: MnId, _: CustomerId, p: &Profile, home: &HomeNode| {
            found.push((p.clone(), home.clone()));
        };
        load_nodes(&config, each).map_err(|f| f.to_string()).map(|_| found)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).expect("ours");
    }
}

/// The smallest file that is valid.
const MINIMAL: &str = r#"
[node]
name = "n"
lma_address = "2001:db8::1"
[[port]]
name = "p0"
role = "access"
vdev = "net_null0"
[worker]
cpus = [1]
[control]
cpu = 0
[policy]
nodes_file = "nodes.csv"
"#;

#[test]
fn both_samples_are_valid() {
    let carrier = load(&sample("carrier.toml")).unwrap_or_else(|f| panic!("{f}"));
    assert_eq!(carrier.cores.polling, Polling::Busy);
    assert_eq!(carrier.mags[1].tunnel_mtu, 1500);
    assert_eq!(carrier.mags[0].tunnel_mtu, 1540, "the access port's MTU");
    let lab = load(&sample("lab.toml")).unwrap_or_else(|f| panic!("{f}"));
    assert!(!lab.eal.hugepages);
    assert!(matches!(lab.ports[0].device, Device::Vdev(_)));
}

#[test]
fn rendered_configuration_is_read_back_as_it_was() {
    for name in ["carrier.toml", "lab.toml"] {
        let path = sample(name);
        let config = load(&path).unwrap_or_else(|f| panic!("{f}"));
        let again = parse(&render(&config).to_string(), &path).unwrap_or_else(|f| panic!("{f}"));
        assert_eq!(again, config, "{name}");
    }
}

// proves: PMIP6-9.1-1, PMIP6-9.1-2
#[test]
fn left_out_timers_have_the_defaults_of_rfc_5213() {
    let timers = parse(MINIMAL, Path::new("t.toml")).unwrap_or_else(|f| panic!("{f}")).timers;
    assert_eq!(timers.min_delay_before_bce_delete, Duration::from_secs(10));
    assert_eq!(timers.max_delay_before_new_bce_assign, Duration::from_millis(1500));
    assert_eq!(timers.timestamp_validity_window, Duration::from_millis(300));
    assert!(!timers.mn_generated_timestamp_in_use);
    let text = format!("{MINIMAL}[timer]\nmin_delay_before_bce_delete = \"2500ms\"\n");
    let timers = parse(&text, Path::new("t.toml")).unwrap_or_else(|f| panic!("{f}")).timers;
    assert_eq!(timers.min_delay_before_bce_delete, Duration::from_millis(2500));
}

// proves: PMIP4-5.1-1, PMIP4-5.1-2
#[test]
fn forced_udp_encapsulation_is_accepted_only_if_the_file_says_so() {
    let read = |text: &str| parse(text, Path::new("t.toml")).unwrap_or_else(|f| panic!("{f}"));
    assert!(!read(MINIMAL).node.accept_forced_udp);
    let config = read(&MINIMAL.replacen("[node]", "[node]\naccept_forced_udp = true", 1));
    assert!(config.node.accept_forced_udp);
    assert_eq!(read(&render(&config).to_string()), config);
}

#[test]
fn nodes_file_is_taken_from_the_directory_of_the_file() {
    let config = parse(MINIMAL, Path::new("/etc/anchord/a.toml")).unwrap_or_else(|f| panic!("{f}"));
    assert_eq!(config.policy.nodes_file.as_deref(), Some(Path::new("/etc/anchord/nodes.csv")));
}

#[test]
fn every_fault_of_a_file_is_reported_at_once_with_its_place() {
    let text = include_str!("../../tests/golden/config/faulty.toml");
    let expected = include_str!("../../tests/golden/config/faulty.report");
    let report = faults(text);
    assert!(report.trim() == expected.trim(), "the report is now:\n{report}\n");
}

/// What a carrier with two customers adds to [`MINIMAL`].
const CUSTOMERS: &str = r#"
[[port]]
name = "core0"
role = "core"
vdev = "net_null1"
addresses = ["192.0.2.1/24", "2001:db8:c::1/64"]
[[port]]
name = "acme0"
parent = "core0"
vlan = 100
customer = "acme"
addresses = ["10.255.0.1/30"]
[[port]]
name = "beta0"
parent = "core0"
vlan = 200
customer = "beta"
addresses = ["10.255.0.1/30"]
mtu = 1400
[[customer]]
name = "acme"
id = 7
realms = ["acme.example"]
mags = ["mag1"]
max_bindings = 5
gre = "required"
dhcp = "server"
[[customer]]
name = "beta"
id = 9
[[service]]
name = "ims"
customer = "acme"
[service.profile]
pool_ipv4 = "acme"
families = "ipv4"
[[pool]]
name = "acme"
customer = "acme"
prefix = "10.0.0.0/16"
default_router = "10.0.0.254"
[[pool]]
name = "beta"
customer = "beta"
prefix = "10.0.0.0/16"
[[mag]]
name = "mag1"
address = "198.51.100.1"
more_addresses = ["2001:db8:b::1"]
customer = "acme"
gre = "off"
"#;

#[test]
fn customers_vlans_and_ipv4_are_read_and_rendered_back() {
    let text = format!("{MINIMAL}{CUSTOMERS}");
    let config = parse(&text, Path::new("t.toml")).unwrap_or_else(|f| panic!("{f}"));
    let again = parse(&render(&config).to_string(), Path::new("t.toml"));
    assert_eq!(again.unwrap_or_else(|f| panic!("{f}")), config);
    assert_eq!(config.pools[1].default_router, Some(Ipv4Addr::new(10, 0, 0, 1)), "the first");
    assert_eq!(config.ports[2].mtu, 1500, "the parent's");
    let own = Ipv4Addr::new(10, 255, 0, 1).to_ipv6_mapped();
    assert_eq!(config.ports[3].addresses, [(own, 126)]);
    assert_eq!(config.mags[0].address, Ipv4Addr::new(198, 51, 100, 1).to_ipv6_mapped());
}

#[test]
fn faults_of_customers_vlans_and_ipv4_are_reported_with_their_paths() {
    let good = format!("{MINIMAL}{CUSTOMERS}");
    let changes = [
        ("vlan = 200", "vlan = 100", "port[3].vlan: 100 of core0 is already at port[2].vlan"),
        ("vlan = 200", "vlan = 4095", "port[3].vlan: 4095 is above 4094"),
        ("mtu = 1400", "mtu = 1501", "port[3].mtu: 1501 is above 1500"),
        ("parent = \"core0\"", "parent = \"acme0\"", "port[2].parent: \"acme0\" is no port with"),
        ("id = 9", "id = 7", "customer[1].id: 7 is already at customer[0].id"),
        ("id = 9", "id = 1024", "customer[1].id: 1024 is above 1023"),
        ("id = 9", "id = 9\nrealms = [\"acme.example\"]", "customer[1].realms[0]: acme.example"),
        ("mags = [\"mag1\"]", "mags = [\"mag2\"]", "customer[0].mags[0]: \"mag2\" is no [[mag]]"),
        ("customer = \"beta\"", "customer = \"bet\"", "port[3].customer: \"bet\" is no customer"),
        ("gre = \"off\"", "gre = \"no\"", "mag[0].gre: \"no\" is neither"),
        ("0.254\"", "1.255.255\"", "pool[0].default_router: \"10.0.1.255.255\" is not an IPv4"),
        ("10.0.0.254", "10.0.255.255", "pool[0].default_router: 10.0.255.255 is no host's"),
        ("10.0.0.254", "10.1.0.1", "pool[0].default_router: 10.1.0.1 is no host's"),
        (
            "pool_ipv4 = \"acme\"",
            "pool = \"acme\"",
            "service[0].profile.pool: \"acme\" is no pool of",
        ),
        (
            "10.255.0.1/30\"]\nmtu",
            "10.0.7.1/30\"]\nmtu",
            "port[3].addresses[0]: 10.0.7.1 lies inside",
        ),
        (
            "198.51.100.1",
            "192.0.2.1",
            "mag[0].address: 192.0.2.1 is our own, at port[1].addresses[0]",
        ),
        ("198.51.100.1", "127.0.0.1", "mag[0].address: 127.0.0.1 is a loopback address"),
        ("192.0.2.1/24", "192.0.2.1/33", "has a prefix length that no such address has"),
    ];
    assert_faults(&good, &changes);
}

#[test]
fn ports_may_stand_in_any_order_and_those_with_a_device_come_first() {
    let good = format!("{MINIMAL}{CUSTOMERS}");
    let device = CUSTOMERS.find("[[port]]\nname = \"acme0\"").expect("the first VLAN");
    let (core, rest) = CUSTOMERS.split_at(device);
    let behind = format!("{MINIMAL}{rest}{core}");
    let [one, other] = [good, behind]
        .map(|text| parse(&text, Path::new("t.toml")).unwrap_or_else(|f| panic!("{f}")));
    assert_eq!(one, other);
    let names: Vec<&str> = other.ports.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names[1..], ["core0", "acme0", "beta0"]);
}

#[test]
fn policy_store_is_read_and_rendered_back_and_is_enough_to_know_nodes() {
    let without = MINIMAL.replace("nodes_file = \"nodes.csv\"\n", "");
    assert!(faults(&without).contains("policy: would refuse every node"), "{}", faults(&without));
    let text = format!("{without}socket = \"/run/p.sock\"\n");
    let config = parse(&text, Path::new("t.toml")).unwrap_or_else(|f| panic!("{f}"));
    let timeout = Duration::from_secs(2);
    let store = PolicyStore { socket: "/run/p.sock".into(), timeout };
    assert_eq!(config.policy.store, Some(store));
    let again = parse(&render(&config).to_string(), Path::new("t.toml"));
    assert_eq!(again.unwrap_or_else(|f| panic!("{f}")), config);
    let changes = [
        ("/run/p.sock", "p.sock", "policy.socket: "),
        ("socket = \"/run/p.sock\"", "timeout = \"1s\"", "policy.timeout: has no meaning without"),
        ("[policy]", "[policy]\ntimeout = \"1ms\"", "policy.timeout: 1ms is below 10ms"),
    ];
    assert_faults(&text, &changes);
}

#[test]
fn key_that_others_may_read_is_refused_and_never_shown() {
    use std::os::unix::fs::PermissionsExt;
    let file = std::env::temp_dir().join(format!("anchor-key-{}", std::process::id()));
    std::fs::write(&file, "00112233445566778899aabbccddeeff\n").expect("written");
    let auth = format!("[[mag.auth]]\nspi = 256\nkey_file = \"{}\"\n", file.display());
    let text = format!("{MINIMAL}{CUSTOMERS}{auth}");
    let permit = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode));
    permit(0o640).expect("ours");
    assert!(faults(&text).contains("mag[0].auth[0].key_file: "), "{}", faults(&text));
    permit(0o600).expect("ours");
    let config = parse(&text, Path::new("t.toml")).unwrap_or_else(|f| panic!("{f}"));
    assert_eq!(config.mags[0].auth[0].key.bytes()[..2], [0x00, 0x11]);
    let shown = format!("{config:?}{}", render(&config));
    assert!(!shown.contains("0011") && !shown.contains("0, 17"), "{shown}");
    std::fs::remove_file(&file).expect("ours");
}

// proves: AUTH-5.1-2, AUTH-6-5
#[test]
fn replay_window_of_three_seconds_is_refused() {
    let window = |time: &str| {
        let auth = format!("[[mag.auth]]\nspi = 256\nreplay_window = \"{time}\"\n");
        faults(&format!("{MINIMAL}{CUSTOMERS}{auth}"))
    };
    assert!(window("3s").contains("mag[0].auth[0].replay_window: 3s is below 3001ms"));
    assert!(!window("3001ms").contains("replay_window"));
}

#[test]
fn syntax_error_hides_no_other_fault() {
    let report = faults("[node]\nname = \n[timer]\ntimestamp_validity_window = \"0s\"\n");
    assert!(report.starts_with("t.toml: port: has none") || report.contains("t.toml:2:"));
    assert!(
        report.contains("t.toml:4: timer.timestamp_validity_window: 0s is below 1ms"),
        "{report}"
    );
}

#[test]
fn missing_file_is_a_fault_of_the_file() {
    let faults = load(Path::new("/nonexistent/a.toml")).expect_err("there is none");
    assert!(faults.to_string().starts_with("/nonexistent/a.toml: cannot be read: "), "{faults}");
}

proptest::proptest! {
    #[test]
    fn damaged_file_gives_a_configuration_or_faults_inside_it(
        carrier: bool,
        at: proptest::sample::Index,
        len in 0..40_usize,
        with in "[ -~\n]{0,8}",
    ) {
        let name = if carrier { "carrier.toml" } else { "lab.toml" };
        let mut text = std::fs::read_to_string(sample(name)).expect("it is there");
        assert!(text.is_ascii(), "so that it may be cut anywhere");
        let from = at.index(text.len());
        let to = (from + len).min(text.len());
        text.replace_range(from..to, &with);
        if let Err(faults) = parse(&text, Path::new("t.toml")) {
            let lines = text.split('\n').count();
            assert!(!faults.list.is_empty() && faults.list.iter().all(|f| f.line <= lines));
        }
    }
}
