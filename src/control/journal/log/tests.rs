use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Small, so that a few records fill a segment and cleaning begins at once.
const SMALL: Shape = Shape { segment_len: 600, slack: 700, chunk_len: 200 };

fn temporary_dir(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("anchord-log-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    dir
}

fn append(log: &mut Log, entries: &[(u64, Option<Vec<u8>>)]) {
    let mut batch = Vec::new();
    for (id, record) in entries {
        entry(*id, &mut batch, |out| out.extend_from_slice(record.as_deref().unwrap_or_default()));
    }
    log.append(&mut batch).expect("written");
}

fn records(log: &Log) -> BTreeMap<u64, Vec<u8>> {
    let mut found = BTreeMap::new();
    let take = |id, record: &[u8]| {
        assert!(found.insert(id, record.to_vec()).is_none(), "binding {id} twice");
        Ok::<_, ()>(())
    };
    log.restore(take).expect("readable").expect("taken");
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever is written and forgotten, cleaned and opened again: what was written last counts.
    #[test]
    fn last_word_about_each_binding_counts_over_cleaning_and_restarts(
        steps in prop::collection::vec(
            (prop::collection::vec((0..12_u64, prop::option::of(1..60_usize)), 1..6), 0..9_u8),
            1..80,
        ),
    ) {
        let dir = temporary_dir("property");
        let mut log = Log::open(&dir, SMALL, false).expect("opens");
        let mut expected = BTreeMap::new();
        for (n, (entries, then)) in (0_u8..).zip(&steps) {
            let entries: Vec<_> =
                entries.iter().map(|&(id, len)| (id, len.map(|len| vec![n; len]))).collect();
            append(&mut log, &entries);
            for (id, record) in entries {
                match record {
                    Some(record) => expected.insert(id, record),
                    None => expected.remove(&id),
                };
            }
            log.clean().expect("cleaned");
            if *then == 0 {
                drop(log);
                log = Log::open(&dir, SMALL, false).expect("opens again");
            }
            prop_assert_eq!(log.len(), expected.len());
        }
        prop_assert_eq!(records(&log), expected);
        drop(log);
        fs::remove_dir_all(&dir).expect("ours");
    }
}

#[test]
fn binding_that_is_refreshed_for_ever_takes_bounded_room() {
    let dir = temporary_dir("bounded");
    let mut log = Log::open(&dir, SMALL, false).expect("opens");
    log.start_cleaner().expect("starts");
    append(&mut log, &[(1, Some(b"stays".to_vec()))]);
    for n in 0..2000_u32 {
        append(&mut log, &[(2, Some(n.to_le_bytes().to_vec()))]);
        log.clean().expect("cleaned");
        assert!(log.files() <= 4, "{} segments after {n} records", log.files());
    }
    let expected = [(1, b"stays".to_vec()), (2, 1999_u32.to_le_bytes().to_vec())];
    assert_eq!(records(&log), BTreeMap::from(expected.clone()));
    // The thread removes what is empty: a restart then finds the same, and few files.
    while numbers(&dir).expect("readable").len() > 4 {
        std::thread::yield_now();
    }
    drop(log);
    let log = Log::open(&dir, SMALL, false).expect("opens again");
    assert_eq!(records(&log), BTreeMap::from(expected));
    drop(log);
    fs::remove_dir_all(&dir).expect("ours");
}

#[test]
fn segment_that_is_missing_stops_the_start() {
    let dir = temporary_dir("missing");
    let mut log = Log::open(&dir, SMALL, false).expect("opens");
    for n in 0..60 {
        append(&mut log, &[(n, Some(vec![0; 40]))]);
    }
    drop(log);
    fs::remove_file(path(&dir, 2)).expect("there");
    let error = Log::open(&dir, SMALL, false).expect_err("a gap").to_string();
    assert_eq!(error, "bindings-2 is missing");
    fs::remove_dir_all(&dir).expect("ours");
}
