use super::*;
use crate::addr::{AnchorAddr, MnId};
use crate::mobility::Lma;
use crate::mobility::binding::Bce;
use crate::mobility::config::{LmaConfig, Policy};
use crate::time::{Duration, Now};
use std::borrow::Cow;
use std::io::{BufRead, BufReader, Write};
use std::net::Ipv6Addr;
use std::process::{Command, Stdio};

/// A record as the pure core would keep it.
fn record(n: u64) -> Bce {
    let json = serde_json::json!({
        "id": n,
        "mn_id": format!("mn{n}"),
        "home": 0,
        "customer": 0,
        "hnp": [format!("2001:db8:{n:x}::/64")],
        "proxy_coa": "2001:db8:a::11",
        "mag": "2001:db8:a::11",
        "transport": "Ipv6",
        "encap": "Ip",
        "gre_keys": {},
        "att": 4,
        "handoff": 1,
        "mn_ll_id": [0, 17],
        "link_local": "fe80::1",
        "seq": 7,
        "timestamp": 1,
        "answer": 0,
        "lifetime": 150,
        "state": "Active",
        "handoffs": 0,
        "created": 1,
        "ends": u64::MAX,
        "last_update": 5,
    });
    serde_json::from_value(json).expect("a binding")
}

fn temporary_dir(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("anchord-journal-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    dir
}

fn wait_for(journal: &mut Journal) {
    while journal.confirmed() < journal.last_seq() {
        journal.flush();
        std::thread::yield_now();
    }
}

fn proxy(bce: Bce) -> Record<'static> {
    Record::Proxy(Cow::Owned(bce))
}

fn names(records: &[Record<'_>]) -> Vec<String> {
    let name = |record: &Record<'_>| match record {
        Record::Proxy(b) => b.mn_id.to_string(),
        Record::Home(b) => b.mn_id.to_string(),
        Record::Home4(r) => r.mn_id.to_string(),
    };
    records.iter().map(name).collect()
}

#[test]
fn stopped_and_started_again_it_has_the_last_state_of_every_binding() {
    let dir = temporary_dir("restart");
    let (mut journal, thread) = Store::open(&dir, "boot").expect("opens").start().expect("starts");
    for n in [1, 2, 3] {
        journal.put(BindingId(n), Some(&proxy(record(n))));
    }
    let moved = Bce { handoffs: 9, ..record(3) };
    journal.put(BindingId(3), Some(&proxy(moved.clone())));
    journal.put(BindingId(2), None);
    journal.flush();
    drop(journal);
    thread.join().expect("ends");
    let restored = Store::open(&dir, "boot").expect("opens").restore().expect("readable");
    let bindings: Vec<Bce> = restored
        .into_iter()
        .filter_map(|record| match record {
            Record::Proxy(bce) => Some(bce.into_owned()),
            Record::Home(_) | Record::Home4(_) => None,
        })
        .collect();
    assert_eq!(bindings, [record(1), moved]);
    std::fs::remove_dir_all(&dir).expect("ours");
}

/// Writes these bindings and ends; the only segment's file.
fn written(dir: &Path, numbers: impl IntoIterator<Item = u64>) -> PathBuf {
    let mut store = Store::open(dir, "boot").expect("opens");
    store.begin_run(Duration::ZERO).expect("begins");
    let (mut journal, thread) = store.start().expect("starts");
    for n in numbers {
        journal.put(BindingId(n), Some(&proxy(record(n))));
    }
    wait_for(&mut journal);
    drop(journal);
    thread.join().expect("ends");
    // As a kill leaves it.
    write_run(dir, &Run::after(None, "boot".into(), Duration::ZERO).0).expect("written");
    dir.join("bindings-1")
}

#[test]
fn what_is_no_record_of_ours_is_named_not_guessed() {
    let dir = temporary_dir("version");
    let segment = written(&dir, 1..=9);
    let bytes = std::fs::read(&segment).expect("there");
    let error = |changed: &[u8]| {
        std::fs::write(&segment, changed).expect("written");
        Store::open(&dir, "boot").err().map(|e| e.to_string()).unwrap_or_default()
    };
    let entry_len = (bytes.len() - 8) / 9;
    let mut damaged = bytes.clone();
    damaged[8 + 6 * entry_len + 40] ^= 1;
    let said = error(&damaged);
    assert!(said.ends_with("binding 7 has an unreadable record"), "{said}");
    let mut version = bytes.clone();
    version[7] ^= 1;
    assert!(error(&version).ends_with("the journal is damaged, or of another version"));
    std::fs::write(dir.join("keyspaces"), b"of another store").expect("written");
    assert!(error(&bytes).ends_with("keyspaces is none of our files"));
    std::fs::remove_dir_all(&dir).expect("ours");
}

#[test]
fn write_that_the_process_did_not_live_to_finish_is_cut_off() {
    let dir = temporary_dir("torn");
    let segment = written(&dir, 1..=9);
    let bytes = std::fs::read(&segment).expect("there");
    let entry_len = (bytes.len() - 8) / 9;
    for cut in [1, entry_len - 1, entry_len] {
        std::fs::write(&segment, &bytes[..bytes.len() - cut]).expect("written");
        let store = Store::open(&dir, "boot").expect("opens");
        let restored = names(&store.restore().expect("readable"));
        assert_eq!((restored.len(), &*restored[7]), (8, "mn8"), "{cut} bytes less");
    }
    // What is written then stands behind what is whole.
    drop(written(&dir, 10..=10));
    let restored = Store::open(&dir, "boot").expect("opens").restore().expect("readable");
    assert_eq!(names(&restored).last().map(String::as_str), Some("mn10"));
    std::fs::remove_dir_all(&dir).expect("ours");
}

#[test]
fn machine_that_fell_costs_what_stands_behind_the_damage_and_no_more() {
    let dir = temporary_dir("fell");
    let segment = written(&dir, 1..=9);
    let mut bytes = std::fs::read(&segment).expect("there");
    let entry_len = (bytes.len() - 8) / 9;
    bytes[8 + 6 * entry_len..8 + 7 * entry_len].fill(0); // a page that never reached the disk
    std::fs::write(&segment, &bytes).expect("written");
    assert!(Store::open(&dir, "boot").is_err(), "the machine did not fall");
    let store = Store::open(&dir, "another boot").expect("opens");
    assert_eq!(store.restore().expect("readable").len(), 6);
    std::fs::remove_dir_all(&dir).expect("ours");
}

#[test]
fn directory_belongs_to_one_process() {
    let dir = temporary_dir("lock");
    let store = Store::open(&dir, "boot").expect("opens");
    let error = Store::open(&dir, "boot").err().map(|e| e.to_string()).unwrap_or_default();
    assert!(error.ends_with("another process has it"), "{error}");
    drop(store);
    assert!(Store::open(&dir, "boot").is_ok());
    std::fs::remove_dir_all(&dir).expect("ours");
}

/// Not a test: the process that the next one kills. Writes bindings for as long as it lives and
/// says which are confirmed.
#[test]
#[ignore = "run by `every_confirmed_binding_survives_kill_9`"]
fn child_that_writes_until_it_is_killed() {
    let Some(dir) = std::env::var_os("ANCHORD_TEST_JOURNAL") else { return };
    let store = Store::open(Path::new(&dir), "boot").expect("opens");
    let (mut journal, _thread) = store.start().expect("starts");
    let mut out = std::io::stdout();
    for n in 1.. {
        journal.put(BindingId(n), Some(&proxy(record(n))));
        if n % 50 == 0 {
            wait_for(&mut journal);
            writeln!(out, "confirmed {}", journal.confirmed().0).expect("a reader");
        }
    }
}

#[test]
fn every_confirmed_binding_survives_kill_9() {
    let dir = temporary_dir("kill");
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["control::journal::tests::child_that_writes_until_it_is_killed"])
        .args(["--exact", "--ignored", "--nocapture"])
        .env("ANCHORD_TEST_JOURNAL", &dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let confirmed: u64 = lines
        .map_while(Result::ok)
        .filter_map(|line| line.split_once("confirmed ").and_then(|(_, n)| n.parse().ok()))
        .find(|n| *n >= 1000)
        .expect("it writes");
    child.kill().expect("SIGKILL");
    child.wait().expect("dead");
    let restored = names(&Store::open(&dir, "boot").expect("opens").restore().expect("readable"));
    assert!(restored.len() as u64 >= confirmed, "{} of {confirmed}", restored.len());
    let expected: Vec<_> = (1..=restored.len()).map(|n| format!("mn{n}")).collect();
    assert_eq!(restored, expected, "in order, without a gap");
    std::fs::remove_dir_all(&dir).expect("ours");
}

#[test]
fn restored_bindings_are_taken_up_by_the_pure_core() {
    let mut lma = Lma::new(LmaConfig::new(AnchorAddr(Ipv6Addr::LOCALHOST), Policy::default()));
    let mut actions = Vec::new();
    let mut bytes = Vec::new();
    record::write(&proxy(record(1)), &mut bytes);
    let read = record::read(BindingId(1), &bytes).expect("a record");
    let mono = crate::time::Instant(Duration::from_secs(5).as_nanos().try_into().expect("small"));
    let Record::Proxy(bce) = read else { panic!("another kind") };
    lma.restore(bce.into_owned(), Now { mono, ..Now::default() }, &mut actions).expect("new");
    let mn_id = MnId::nai("mn1").expect("short");
    let bce = lma.cache().of_node(&mn_id).next().expect("there");
    assert_eq!(bce.remaining(mono), Duration::from_secs(600));
    assert_eq!(actions.len(), 1, "published again");
}

// proves: HEARTBEAT-3.2-1, HEARTBEAT-3.2-2, HEARTBEAT-3.2-3
#[test]
fn restart_counter_survives_a_kill_and_a_stop_and_is_raised_when_the_machine_fell() {
    const CLOCK: Duration = Duration::from_secs(1_800_000_000);
    let dir = temporary_dir("counter");
    let begin = |boot: &str| {
        let mut store = Store::open(&dir, boot).expect("opens");
        let restart = store.begin_run(CLOCK).expect("begins");
        (store, restart.counter - 1_800_000_000, restart.state_lost)
    };
    let (store, counter, lost) = begin("boot-1");
    assert_eq!((counter, lost), (0, true), "there was no run before");
    drop(store); // as a kill leaves it
    let (store, counter, lost) = begin("boot-1");
    assert_eq!((counter, lost), (0, false));
    drop(store);
    let (store, counter, lost) = begin("boot-2");
    assert_eq!((counter, lost), (1, true), "the machine fell");
    let (journal, thread) = store.start().expect("starts");
    drop(journal); // a stop
    thread.join().expect("no panic");
    let (_, counter, lost) = begin("boot-3");
    assert_eq!((counter, lost), (1, false));
    std::fs::remove_dir_all(&dir).expect("removed");
}
