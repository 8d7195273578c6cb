//! Files in, values or the complete report out.

use super::*;

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dpdk-config").join(name)
}

fn faults(text: &str) -> String {
    match parse(text, Path::new("t.toml")) {
        Ok(_) => String::from("no fault"),
        Err(faults) => faults.to_string(),
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
