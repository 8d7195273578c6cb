//! What outlives the process: how often sessions were lost, and with which anchors there are some
//! (RFC 5847 3.2).

use crate::addr::AnchorAddr;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file's contents.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Kept {
    restart_counter: u32,
    /// None after an end in order: nothing was lost then.
    anchors: Vec<AnchorAddr>,
}

/// The file, and what it says.
#[derive(Debug)]
pub(super) struct State {
    path: PathBuf,
    kept: Kept,
}

impl State {
    /// Reads the file, and counts a restart if sessions were lost; returns with whom.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<AnchorAddr>)> {
        let mut kept = match std::fs::read(path) {
            Ok(text) => serde_json::from_slice::<Kept>(&text)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Kept::default(),
            Err(e) => return Err(e),
        };
        let lost = core::mem::take(&mut kept.anchors);
        if !lost.is_empty() {
            kept.restart_counter = kept.restart_counter.wrapping_add(1);
        }
        let state = Self { path: path.into(), kept };
        // Before anybody is told: what cannot be kept must not be counted on.
        state.write()?;
        Ok((state, lost))
    }

    pub(super) fn restart_counter(&self) -> u32 {
        self.kept.restart_counter
    }

    /// There are sessions with these anchors now.
    pub(super) fn remember(&mut self, anchors: Vec<AnchorAddr>) -> io::Result<()> {
        self.kept.anchors = anchors;
        self.write()
    }

    /// Replaces the file as a whole, on the disk when it returns.
    fn write(&self) -> io::Result<()> {
        if let Some(dir) = self.path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let new = self.path.with_extension("new");
        let mut file = std::fs::File::create(&new)?;
        file.write_all(&serde_json::to_vec(&self.kept)?)?;
        file.sync_all()?;
        std::fs::rename(&new, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;

    const LMA: AnchorAddr = AnchorAddr(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1));

    fn file(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("mag-state-{}-{name}", std::process::id()));
        drop(std::fs::remove_dir_all(&dir));
        dir.join("state.json")
    }

    // proves: HEARTBEAT-3.2-1, HEARTBEAT-3.2-2, HEARTBEAT-3.2-3
    #[test]
    fn counter_is_kept_and_grows_only_when_sessions_were_lost() {
        let path = file("counter");
        let (mut state, lost) = State::open(&path).expect("writable");
        assert_eq!((state.restart_counter(), lost), (0, vec![]));
        state.remember(vec![LMA]).expect("writable");
        // The process dies here.
        let (mut state, lost) = State::open(&path).expect("writable");
        assert_eq!((state.restart_counter(), lost), (1, vec![LMA]));
        state.remember(vec![LMA]).expect("writable");
        state.remember(vec![]).expect("writable");
        // It ends in order here: every session was ended before.
        let (state, lost) = State::open(&path).expect("writable");
        assert_eq!((state.restart_counter(), lost), (1, vec![]));
        drop(std::fs::remove_dir_all(path.parent().expect("a directory")));
    }

    #[test]
    fn damaged_file_is_an_error_and_not_a_counter_that_begins_anew() {
        let path = file("damaged");
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("writable");
        std::fs::write(&path, "{").expect("writable");
        assert!(State::open(&path).is_err());
        drop(std::fs::remove_dir_all(path.parent().expect("a directory")));
    }
}
