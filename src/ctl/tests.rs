//! Command lines against a real socket with canned answers; tables against files.

use super::*;
use crate::addr::{HomePrefix, MacAddr, MnId};
use crate::admin::api::{
    AdvertisementRow, BindingRow, CustomerRow, DropRow, MagRow, NeighborRow, Page, PolicyRow,
    PoolRow, PortRow, Reply, Request, StatRow, WorkerRow,
};
use crate::admin::channel::{Questions, channel};
use crate::admin::reload::Jobs;
use crate::admin::server::{Server, Setup};
use crate::config::{Difference, NodeChanges, PortRole};
use crate::dataplane::update::EntryCounters;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use tokio::sync::watch;

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn prefix(text: &str) -> HomePrefix {
    text.parse().expect("a prefix")
}

fn binding(n: u64, counters: bool) -> BindingRow {
    let used = EntryCounters {
        downlink_packets: 1_234_567 * n,
        downlink_bytes: 1_851_850_500 * n,
        uplink_packets: 42,
        uplink_bytes: 4200,
    };
    let (second, third) = (n.is_multiple_of(2), n == 3);
    let mut hnp = vec![prefix(&format!("2001:db8:4000:{n:x}::/64"))];
    hnp.extend(second.then(|| prefix(&format!("2001:db8:4001:{n:x}::/64"))));
    BindingRow {
        mn_id: MnId::nai(&format!("mn{n}@example.org")).expect("short"),
        kind: if third { "home" } else { "proxy" }.into(),
        home_address: third.then_some(Ipv6Addr::new(0x2001, 0xdb8, 0x4000, 3, 0, 0, 0, 7)),
        customer: second.then(|| "acme".into()),
        service: second.then(|| "ims".into()),
        ipv4: second.then(|| Ipv4Addr::new(10, 0, 0, 7)),
        default_router: second.then(|| Ipv4Addr::new(10, 0, 0, 1)),
        proxy_coa: address(if second { "192.0.2.11" } else { "2001:db8:a::11" }),
        mag: address("2001:db8:a::11"),
        encapsulation: if second { "udp-gre" } else { "ip" }.into(),
        udp_port: second.then_some(5437),
        downlink_key: second.then_some(7),
        uplink_key: second.then_some(8),
        access_network: second.then(|| "wlan".into()),
        state: if second { "deleting" } else { "active" }.into(),
        seq: third.then_some(65535),
        flags: third.then(|| "AHR".into()),
        handoff: 3,
        att: 4,
        mn_ll_id: second.then(|| "020000000001".into()),
        link_local: (!second).then_some(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)),
        lifetime_s: 3600,
        lifetime_left_s: 3599,
        handoffs: 2,
        advertisement: third.then_some(AdvertisementRow { due_s: 734, unanswered: 2 }),
        counters: counters
            .then(|| vec![used; hnp.len() + usize::from(second) + usize::from(third)]),
        hnp,
    }
}

/// What the control core says in these tests: a lab with two gateways.
fn canned(request: &Request) -> Reply {
    match request {
        Request::BindingShow { filter, cursor, limit, counters } => {
            let all = if filter.mag.is_some() { 1500 } else { 3 };
            let end = (cursor + u64::try_from(*limit).expect("small")).min(all);
            let rows = (*cursor..end).map(|n| binding(n + 1, *counters)).collect();
            Reply::Bindings(Page { rows, next: (end < all).then_some(end) })
        }
        Request::BindingDel { mn_id, .. } => {
            Reply::Deleted { sessions: usize::from(mn_id.to_string() == "mn1@example.org") }
        }
        Request::MagShow => Reply::Mags(vec![mag("2001:db8:a::11", 2), mag("2001:db8:a::12", 0)]),
        Request::MagAdd { address, .. } => {
            Reply::Error(format!("gateway {address} is there already"))
        }
        Request::MagDel { .. }
        | Request::RealmDel { .. }
        | Request::NodeDrain { .. }
        | Request::NodeServe => Reply::Done,
        Request::PoolShow => Reply::Pools(vec![PoolRow {
            name: "lab".into(),
            customer: None,
            prefix: prefix("2001:db8:4000::/48"),
            delegated_len: 64,
            capacity: 65_536,
            used: 1500,
        }]),
        Request::PortShow => Reply::Ports(vec![PortRow {
            name: "access0".into(),
            role: PortRole::Access,
            device: "net_af_packet0,iface=to-access".into(),
            driver: "net_af_packet".into(),
            mac: MacAddr([2, 0, 0, 0, 0, 1]),
            mtu: 1500,
            link_up: true,
            rx_packets: 1000,
            tx_packets: 2000,
            rx_missed: 0,
            tx_errors: 1,
            signaling: "punt-ring".into(),
            steering: "hand-off".into(),
        }]),
        Request::WorkerShow => Reply::Workers(vec![worker(0), worker(1)]),
        Request::DropShow => Reply::Drops(vec![
            drop_row("spoofed_source", "inner source outside the binding's prefixes", 17),
            drop_row("hop_limit", "hop limit reached zero", 0),
        ]),
        Request::CustomerShow => Reply::Customers(vec![CustomerRow {
            name: "acme".into(),
            id: 7,
            bindings: 3,
            max_bindings: Some(1000),
            pools: vec!["acme".into(), "acme-private".into()],
        }]),
        Request::PolicyShow => Reply::Policies(vec![PolicyRow {
            socket: "/run/policy.sock".into(),
            connected: true,
            connections: 2,
            waiting: 3,
            asked: 100,
            answered: 95,
            overdue: 2,
            unusable: 1,
            stray: 1,
        }]),
        Request::StatsShow => Reply::Stats(vec![StatRow { name: "pbu_received".into(), value: 9 }]),
        Request::NeighborShow => Reply::Neighbors(vec![
            neighbor("2001:db8:a::11", Some(MacAddr([2, 0, 0, 0, 0, 9]))),
            neighbor("2001:db8:a::12", None),
        ]),
    }
}

fn mag(text: &str, bindings: usize) -> MagRow {
    MagRow {
        address: address(text),
        name: format!("mag{bindings}"),
        authorized: bindings > 0,
        bindings,
        pbu_received: 12,
        pba_accepted: 10,
        pba_refused: 2,
        peer: "reachable".into(),
        answered_s: Some(17),
        restart_counter: Some(3),
        refused_busy: 4,
        dropped: 5,
        malformed: 6,
        tunnel_mtu: 1500,
    }
}

fn worker(worker: u16) -> WorkerRow {
    WorkerRow {
        worker,
        cpu: worker + 2,
        rx_packets: 100_000,
        tx_packets: 99_990,
        punted: 3,
        handed_off: 50_000,
        drops: 7,
        entries: 750,
        applied_seq: 1501,
        busy_polls: 1,
        polls: 8,
    }
}

fn drop_row(reason: &str, description: &str, packets: u64) -> DropRow {
    DropRow { reason: reason.into(), description: description.into(), packets }
}

fn neighbor(text: &str, mac: Option<MacAddr>) -> NeighborRow {
    let state = if mac.is_some() { "reachable" } else { "incomplete" };
    NeighborRow { port: "access0".into(), address: address(text), mac, state: state.into() }
}

/// A server with canned answers on a socket of its own.
struct Lab {
    dir: PathBuf,
    stop: Arc<AtomicBool>,
    core: Option<JoinHandle<()>>,
    server: Option<Server>,
}

impl Lab {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("anchor-ctl-{}-{n}", std::process::id()));
        let (asker, questions) = channel(4);
        let (reload, jobs) = crate::admin::reload::channel();
        std::thread::spawn(move || work_on(jobs));
        let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("dpdk-config/lab.toml");
        let config = crate::config::load(&lab).unwrap_or_else(|f| panic!("{f}"));
        let setup = Setup {
            socket: dir.join("admin.sock"),
            group: None,
            node: "lab".into(),
            config: watch::channel(json!(crate::config::render(&config))).1,
            reload,
            set_log: Box::new(|f| if f == "info" { Ok(()) } else { Err("bad level".into()) }),
        };
        let server = Server::start(setup, asker).expect("it starts");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let core = std::thread::spawn(move || answer_all(questions, &stopped));
        Self { dir, stop, core: Some(core), server: Some(server) }
    }

    /// Exit status, standard output and standard error of a command line.
    fn run(&self, line: &str) -> (u8, String, String) {
        let line = format!("--socket {} {line}", self.dir.join("admin.sock").display());
        ctl(&line, None)
    }

    fn out(&self, line: &str) -> String {
        let (status, out, err) = self.run(line);
        assert_eq!((status, err.as_str()), (EXIT_OK, ""), "{line}");
        out
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.server.take());
        self.stop.store(true, Ordering::Relaxed);
        if let Some(core) = self.core.take() {
            core.join().expect("the control core did not panic");
        }
        drop(std::fs::remove_dir_all(&self.dir));
    }
}

fn answer_all(mut questions: Questions, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        while let Some(asked) = questions.try_next() {
            let reply = canned(&asked.request);
            asked.answer(reply);
        }
        std::thread::park_timeout(Duration::from_micros(100));
    }
}

/// In the place of the thread that reads the configuration: a change of each kind, then a fault.
fn work_on(mut jobs: Jobs) {
    let side = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let change = |key: &str, running, file, restart| Difference {
        key: key.into(),
        running: side(running),
        file: side(file),
        restart,
    };
    while let Some(asked) = jobs.wait() {
        let changes = vec![
            change("mag[mag3]", "", "{ name = \"mag3\" }", false),
            change("pool[old]", "{ name = \"old\" }", "", false),
            change("timer.heartbeat_interval", "\"1min\"", "\"30s\"", false),
            change("worker.cpus", "[1]", "[1, 2]", true),
        ];
        let nodes = NodeChanges { added: 3, removed: 1, changed: 2 };
        let refused = "a.toml:7: node.name: is missing\na.toml:9: log.filter: is wrong";
        let outcome = match asked.job {
            Job::Diff => Ok(ConfigChanges { changes, nodes }),
            Job::Reload => Err(refused.into()),
        };
        asked.answer(outcome);
    }
}

#[test]
fn reload_that_is_refused_shows_every_fault_and_fails() {
    let lab = Lab::new();
    let (status, out, err) = lab.run("config reload");
    assert_eq!((status, out.as_str()), (EXIT_REFUSED, ""));
    let expected = "anchorctl: a.toml:7: node.name: is missing\na.toml:9: log.filter: is wrong\n";
    assert_eq!(err, expected);
    let diff: Value = serde_json::from_str(&lab.out("--json config diff")).expect("JSON");
    assert_eq!(
        (&diff["changes"][3]["restart"], &diff["nodes"]["added"]),
        (&json!(true), &json!(3))
    );
}

fn ctl(line: &str, screen: Option<Screen>) -> (u8, String, String) {
    let args = std::iter::once("anchorctl").chain(line.split_whitespace()).map(OsString::from);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = run(args, &mut out, &mut err, screen);
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status, text(out), text(err))
}

/// Compares with `tests/golden/ctl/NAME.txt`; `ANCHOR_GOLDEN=write` writes it instead.
fn golden(name: &str, got: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/ctl").join(name);
    let path = path.with_extension("txt");
    if std::env::var_os("ANCHOR_GOLDEN").is_some_and(|v| v == "write") {
        std::fs::write(&path, got).expect("written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(got == expected, "{} differs, got:\n{got}", path.display());
}

#[test]
fn every_list_is_rendered_as_in_its_golden_file() {
    let lab = Lab::new();
    for (name, line) in [
        ("binding-show", "binding show"),
        ("binding-show-counters", "binding show --counters"),
        ("mag-show", "mag show"),
        ("customer-show", "customer show"),
        ("policy-show", "policy show"),
        ("pool-show", "pool show"),
        ("port-show", "port show"),
        ("worker-show", "worker show"),
        ("drop-show", "drop show"),
        ("drop-show-all", "drop show --all"),
        ("stats-show", "stats show"),
        ("neighbor-show", "neighbor show"),
        ("config-show", "config show"),
        ("config-diff", "config diff"),
        ("binding-show-json", "binding show --counters --json"),
        ("port-show-json", "--json port show"),
    ] {
        golden(name, &lab.out(line));
    }
}

#[test]
fn json_is_one_document_with_an_array_for_each_list() {
    let lab = Lab::new();
    for noun in [
        "mag", "customer", "policy", "pool", "port", "worker", "drop", "stats", "neighbor",
        "binding",
    ] {
        let out = lab.out(&format!("{noun} show --json"));
        let value: Value = serde_json::from_str(&out).expect("one document");
        assert!(value.as_array().is_some_and(|rows| !rows.is_empty()), "{noun}: {out}");
    }
    let drops: Value = serde_json::from_str(&lab.out("drop show --json")).expect("JSON");
    assert_eq!(drops[1]["packets"], 0, "programs get the zeros also");
    let config: Value = serde_json::from_str(&lab.out("config show --json")).expect("JSON");
    assert_eq!(config["node"]["name"], "lab");
    let version: Value = serde_json::from_str(&lab.out("version --json")).expect("JSON");
    assert_eq!(version["anchord"]["commit"], version["anchorctl"]["commit"]);
    assert_eq!(lab.out("mag del 2001:db8:a::11 --json"), "{}\n");
}

#[test]
fn list_of_many_pages_is_whole_and_a_limit_is_kept() {
    let lab = Lab::new();
    let rows = |line: &str| {
        let value: Value = serde_json::from_str(&lab.out(line)).expect("one document");
        value.as_array().map_or(0, Vec::len)
    };
    assert_eq!(rows("--json binding show --mag 2001:db8:a::11"), 1500);
    assert_eq!(rows("--json binding show --mag 2001:db8:a::11 --limit 700"), 700);
    let table = lab.out("binding show --mag 2001:db8:a::11");
    assert_eq!(
        table.lines().count(),
        1 + 1500 + 2 * 750 + 1,
        "a title, the sessions, second prefixes, IPv4, a home address"
    );
    assert!(!table.contains('…'), "nothing is cut for a pipe");
}

#[test]
fn change_says_what_was_done_or_why_not() {
    let lab = Lab::new();
    assert_eq!(lab.out("binding del mn1@example.org"), "mn1@example.org revoked: 1 session\n");
    let (status, _, err) = lab.run("binding del nobody@example.org");
    assert_eq!((status, err.as_str()), (EXIT_REFUSED, "anchorctl: there is no such binding\n"));
    let (status, _, err) = lab.run("mag add 2001:db8:a::11 --name x");
    assert_eq!(status, EXIT_REFUSED);
    assert_eq!(err, "anchorctl: gateway 2001:db8:a::11 is there already\n");
    assert!(lab.out("mag del 2001:db8:a::11").contains("no longer authorized"));
    assert!(lab.out("log set info").contains("log filter is info"));
    let (status, _, err) = lab.run("log set loud");
    assert!(status == EXIT_REFUSED && err.contains("bad level"), "{err}");
}

#[test]
fn without_anchord_the_status_is_3_and_the_reason_is_told() {
    let (status, out, err) = ctl("--socket /nonexistent/admin.sock binding show", None);
    assert_eq!((status, out.as_str()), (EXIT_NO_CONNECTION, ""));
    assert!(err.contains("/nonexistent/admin.sock") && err.contains("is anchord running"), "{err}");
    let (status, out, _) = ctl("--socket /nonexistent/admin.sock version", None);
    assert_eq!(status, EXIT_NO_CONNECTION);
    assert!(out.starts_with("anchorctl 0."), "our own version is told all the same: {out}");
}

#[test]
fn wrong_command_is_status_2_and_says_what_is_right() {
    for (line, tip) in [
        ("bindng show", "'binding'"),
        ("binding shwo", "'show'"),
        ("show binding", "anchorctl binding show"),
        ("list mags", "anchorctl mag show"),
        ("binding show --mnid x", "'--mn-id'"),
        ("binding show --prefix 2001:db8::1/64", "bits set beyond its length"),
        ("binding show --limit 0", "0 is not in 1.."),
        ("mag add 2001:db8::1", "--name"),
        ("", "Usage: anchorctl"),
    ] {
        let (status, out, err) = ctl(line, None);
        assert_eq!((status, out.as_str()), (EXIT_USAGE, ""), "{line}");
        assert!(err.contains(tip), "{line}: {err}");
    }
}

#[test]
fn help_names_the_exit_statuses_and_every_noun() {
    let (status, out, err) = ctl("--help", None);
    assert_eq!((status, err.as_str()), (EXIT_OK, ""));
    assert!(out.contains("Exit status: 0 done, 1 refused"), "{out}");
    for noun in ["binding", "mag", "pool", "port", "worker", "drop", "stats", "neighbor"] {
        assert!(out.contains(&format!("\n  {noun} ")), "{noun} in {out}");
    }
}

#[test]
fn lines_are_cut_to_the_screen_and_only_there() {
    let lab = Lab::new();
    let socket = lab.dir.join("admin.sock");
    let line = format!("--socket {} port show", socket.display());
    let (_, out, _) = ctl(&line, Some(Screen { columns: 40, rows: 24 }));
    assert!(out.lines().all(|l| l.chars().count() == 40 && l.ends_with('…')), "{out}");
}

#[test]
fn reader_that_has_seen_enough_is_no_error() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let lab = Lab::new();
    let socket = lab.dir.join("admin.sock").display().to_string();
    let args = ["anchorctl", "--socket", socket.as_str(), "mag", "show"].map(OsString::from);
    let mut err = Vec::new();
    assert_eq!(run(args, &mut Closed, &mut err, None), EXIT_OK);
    assert!(err.is_empty());
}

#[test]
fn watch_shows_the_list_again_until_the_output_ends() {
    /// Takes two renderings, then hangs up.
    struct Twice(Vec<u8>);
    impl Write for Twice {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            let shown = String::from_utf8_lossy(&self.0).matches("ADDRESS").count();
            if shown < 2 { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
        }
    }
    let lab = Lab::new();
    let socket = lab.dir.join("admin.sock").display().to_string();
    let words = ["anchorctl", "--socket", socket.as_str(), "mag", "show", "--watch", "1"];
    let mut out = Twice(Vec::new());
    let screen = Some(Screen { columns: 80, rows: 4 });
    let mut err = Vec::new();
    assert_eq!(run(words.map(OsString::from), &mut out, &mut err, screen), EXIT_OK);
    let text = String::from_utf8(out.0).expect("text");
    assert_eq!(text.matches("\x1b[Hlab, every 1 s").count(), 2, "{text:?}");
}

#[test]
fn completions_and_man_pages_are_made() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (status, out, _) = ctl(&format!("completions {shell}"), None);
        assert!(status == EXIT_OK && out.contains("neighbor"), "{shell}");
    }
    let dir = std::env::temp_dir().join(format!("anchor-man-{}", std::process::id()));
    let (status, _, err) = ctl(&format!("man {}", dir.display()), None);
    assert_eq!((status, err.as_str()), (EXIT_OK, ""));
    let page = std::fs::read_to_string(dir.join("anchorctl-binding-show.1")).expect("a page");
    assert!(page.contains("counters"));
    drop(std::fs::remove_dir_all(&dir));
}
