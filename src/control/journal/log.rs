//! The files of the journal: a log in segments, of which the oldest is emptied while the newest
//! grows.
//!
//! ```text
//!   bindings-7  [entry|entry|entry|...]   oldest: what still counts is appended again,
//!   bindings-8  [entry|entry|entry|...]           then it is synced elsewhere, then this is removed
//!   bindings-9  [entry|ent                newest: one write a batch
//!
//!   entry   length (4) | digest (8) | id (8) | record; without a record: the binding is forgotten
//!   index   id -> segment and place of its last entry, in memory
//! ```
//! Segments are read in their order at a start, and the last entry of a binding counts. One that is
//! emptied is always the oldest, so a word that a binding is forgotten is no longer needed when its
//! turn comes: nothing older speaks of it.

use super::cleaner::{Cleaner, Job};
use crate::mobility::digest::Digest;
use hashbrown::HashMap;
use rustix::fs::{FlockOperation, flock};
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes before an entry's id.
const HEAD_LEN: usize = 12;
const ID_LEN: usize = 8;
/// No record is longer: each field of variable length has a length of its own in one byte.
const ENTRY_LEN_MAX: usize = 4096;
/// What a segment begins with; another layout gets another.
const MAGIC: &[u8; 8] = b"anchor05";
const NAME: &str = "bindings-";
const LOCK: &str = "lock";
const LOCK_TRIES: u32 = 50;

/// Sizes, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// A segment that has so much is followed by another one.
    pub(super) segment_len: u64,
    /// What counts is at least half of all but for so much.
    pub(super) slack: u64,
    /// What is read of the oldest segment at a time.
    pub(super) chunk_len: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self { segment_len: 16 << 20, slack: 64 << 20, chunk_len: 16 << 10 }
    }
}

/// Why it could not be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("another process has it")]
    Locked,
    #[error("{0} is none of our files")]
    Foreign(String),
    #[error("{0} is missing")]
    Missing(String),
    /// The entry of this binding, if it can be told.
    #[error("the journal is damaged, or of another version")]
    Damaged(Option<u64>),
}

/// The log, open for appending.
#[derive(Debug)]
pub(super) struct Log {
    dir: PathBuf,
    shape: Shape,
    /// Oldest first; the last one grows.
    segments: VecDeque<Segment>,
    index: HashMap<u64, Place>,
    /// Bytes of entries that count.
    live: u64,
    /// Bytes of all segments.
    total: u64,
    /// How far the oldest segment has been emptied.
    emptied: u64,
    /// Bytes that are to be emptied.
    debt: u64,
    cleaner: Option<Cleaner>,
    /// Scratch.
    places: Vec<(u64, Place, bool)>,
    _lock: File,
}

#[derive(Debug)]
struct Segment {
    number: u32,
    file: Arc<File>,
    len: u64,
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    segment: u32,
    at: u32,
    len: u32,
}

/// Appends an entry whose record `write` appends; the digest is filled in by [`Log::append`].
pub(super) fn entry(id: u64, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD_LEN]);
    out.extend_from_slice(&id.to_le_bytes());
    write(out);
    let len = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&len.to_le_bytes());
    }
}

impl Log {
    /// Opens or creates the log in `dir`, which belongs to one process at a time. `fell`: the
    /// machine fell after the log was written, so its end may be damaged, and is cut off; after a
    /// crash of the process alone only the last write may be incomplete.
    pub(super) fn open(dir: &Path, shape: Shape, fell: bool) -> Result<Self, LogError> {
        fs::create_dir_all(dir)?;
        let lock = OpenOptions::new().create(true).append(true).open(dir.join(LOCK))?;
        take_lock(&lock)?;
        let mut log = Self {
            dir: dir.into(),
            shape,
            segments: VecDeque::new(),
            index: HashMap::new(),
            live: 0,
            total: 0,
            emptied: MAGIC.len() as u64,
            debt: 0,
            cleaner: None,
            places: Vec::new(),
            _lock: lock,
        };
        log.scan(fell)?;
        Ok(log)
    }

    /// Reads all segments into the index.
    fn scan(&mut self, fell: bool) -> Result<(), LogError> {
        let numbers = numbers(&self.dir)?;
        let last = numbers.last().copied();
        let mut cut = false;
        for (&number, next) in numbers.iter().zip(numbers.iter().skip(1).map(Some).chain([None])) {
            if cut {
                // What came after the damage.
                fs::remove_file(path(&self.dir, number))?;
                continue;
            }
            if next.is_some_and(|&n| n != number + 1) {
                return Err(LogError::Missing(format!("{NAME}{}", number + 1)));
            }
            let file = OpenOptions::new().read(true).write(true).open(path(&self.dir, number))?;
            let bytes = fs::read(path(&self.dir, number))?;
            let whole = match bytes.split_first_chunk() {
                Some((magic, _)) if magic == MAGIC => self.scan_segment(number, &bytes),
                _ => Scanned { end: 0, damaged: None, torn: bytes.len() < MAGIC.len() },
            };
            cut = whole.end < bytes.len();
            let torn = whole.torn && Some(number) == last;
            if (cut || whole.end == 0) && !fell && !torn {
                return Err(LogError::Damaged(whole.damaged));
            }
            let lost = bytes.len() - whole.end;
            if cut {
                tracing::warn!(segment = number, bytes = lost, "the journal's end is cut off");
            }
            let end = whole.end.max(MAGIC.len()) as u64;
            file.set_len(whole.end as u64)?;
            file.write_all_at(MAGIC, 0)?;
            self.segments.push_back(Segment { number, file: Arc::new(file), len: end });
            self.total += end;
        }
        self.live = self.index.values().map(|p| u64::from(p.len)).sum();
        Ok(())
    }

    /// Takes in the entries of one segment.
    fn scan_segment(&mut self, segment: u32, bytes: &[u8]) -> Scanned {
        let mut at = MAGIC.len();
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let entry = match Entry::parse(rest) {
                Ok(entry) if entry.is_intact() => entry,
                Ok(entry) => return Scanned { end: at, damaged: Some(entry.id), torn: false },
                Err(torn) => return Scanned { end: at, damaged: None, torn },
            };
            let place = Place::new(segment, at, entry.len);
            if entry.record.is_empty() {
                self.index.remove(&entry.id);
            } else {
                self.index.insert(entry.id, place);
            }
            at += entry.len;
        }
    }

    /// The records that count, with their bindings' numbers, segment by segment.
    pub(super) fn restore<E>(
        &self,
        mut take: impl FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<Result<(), E>, io::Error> {
        for segment in &self.segments {
            let bytes = fs::read(path(&self.dir, segment.number))?;
            let mut at = MAGIC.len();
            while let Ok(entry) = Entry::parse(bytes.get(at..).unwrap_or_default()) {
                let place = Place::new(segment.number, at, entry.len);
                at += entry.len;
                if self.index.get(&entry.id) == Some(&place)
                    && let Err(e) = take(entry.id, entry.record)
                {
                    return Ok(Err(e));
                }
            }
        }
        Ok(Ok(()))
    }

    /// How many bindings it has.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Has segments synced and removed by a thread of its own, from now on.
    pub(super) fn start_cleaner(&mut self) -> io::Result<()> {
        self.cleaner = Some(Cleaner::start()?);
        Ok(())
    }

    /// Appends a batch of entries, and tells the kernel; it then survives the process. On an error
    /// nothing has happened, and it may be tried again.
    pub(super) fn append(&mut self, batch: &mut [u8]) -> io::Result<()> {
        if self.segments.back().is_none_or(|s| s.len >= self.shape.segment_len) {
            self.begin_segment()?;
        }
        let Some(segment) = self.segments.back_mut() else { return Ok(()) };
        self.places.clear();
        let (mut at, start) = (0, usize::try_from(segment.len).unwrap_or(usize::MAX));
        while let Some(len) = seal(batch.get_mut(at..).unwrap_or_default()) {
            let entry = batch.get(at..at + len).unwrap_or_default();
            if let Ok(entry) = Entry::parse(entry) {
                let place = Place::new(segment.number, start + at, len);
                self.places.push((entry.id, place, entry.record.is_empty()));
            }
            at += len;
        }
        if let Err(error) = segment.file.write_all_at(batch, segment.len) {
            // What was written of it must not stand behind what is written in its place.
            segment.file.set_len(segment.len)?;
            return Err(error);
        }
        segment.len += batch.len() as u64;
        self.total += batch.len() as u64;
        for &(id, place, forget) in &self.places {
            let old = if forget { self.index.remove(&id) } else { self.index.insert(id, place) };
            self.live -= old.map_or(0, |p| u64::from(p.len));
            self.live += if forget { 0 } else { u64::from(place.len) };
        }
        // Twice what comes must be emptied to keep up if half of it counts; twice that is done.
        self.debt += 4 * batch.len() as u64;
        Ok(())
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        let number = self.segments.back().map_or(1, |s| s.number + 1);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true);
        let file = file.open(path(&self.dir, number))?;
        file.write_all_at(MAGIC, 0)?;
        if let (Some(full), Some(cleaner)) = (self.segments.back(), &self.cleaner) {
            cleaner.hand_over(Job::Sync(Arc::clone(&full.file)));
        }
        let len = MAGIC.len() as u64;
        self.segments.push_back(Segment { number, file: Arc::new(file), len });
        self.total += len;
        Ok(())
    }

    /// Empties some more of the oldest segment, if there is too much that does not count: in
    /// proportion to what was appended, so that no batch waits long for it.
    pub(super) fn clean(&mut self) -> io::Result<()> {
        let chunk = self.shape.chunk_len as u64;
        if self.debt < chunk || self.total <= 2 * self.live + self.shape.slack {
            self.debt = self.debt.min(chunk);
            return Ok(());
        }
        self.debt -= chunk;
        let (Some(oldest), true) = (self.segments.front(), self.segments.len() > 1) else {
            return Ok(());
        };
        let (number, end) = (oldest.number, oldest.len);
        let mut bytes = vec![0; self.shape.chunk_len.max(ENTRY_LEN_MAX)];
        let left = usize::try_from(end - self.emptied).unwrap_or(usize::MAX);
        bytes.truncate(left);
        oldest.file.read_exact_at(&mut bytes, self.emptied)?;
        let (mut at, mut kept) = (0, Vec::new());
        let start = usize::try_from(self.emptied).unwrap_or(usize::MAX);
        while let Ok(entry) = Entry::parse(bytes.get(at..).unwrap_or_default())
            && entry.is_intact()
        {
            let place = Place::new(number, start + at, entry.len);
            if self.index.get(&entry.id) == Some(&place) {
                kept.extend_from_slice(bytes.get(at..at + entry.len).unwrap_or_default());
            }
            at += entry.len;
        }
        if at == 0 && left > 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an entry is damaged"));
        }
        if !kept.is_empty() {
            let debt = self.debt;
            self.append(&mut kept)?;
            self.debt = debt;
        }
        self.emptied += at as u64;
        if self.emptied >= end {
            self.retire();
        }
        Ok(())
    }

    /// The oldest segment is empty. It goes when what it had is on the disk elsewhere.
    fn retire(&mut self) {
        self.emptied = MAGIC.len() as u64;
        let Some(oldest) = self.segments.pop_front() else { return };
        self.total -= oldest.len;
        if let (Some(cleaner), Some(newest)) = (&self.cleaner, self.segments.back()) {
            cleaner.hand_over(Job::Sync(Arc::clone(&newest.file)));
            cleaner.hand_over(Job::Remove(path(&self.dir, oldest.number)));
        }
    }

    /// Writes everything to the disk itself.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.segments.iter().try_for_each(|s| s.file.sync_all())?;
        File::open(&self.dir)?.sync_all()
    }

    #[cfg(test)]
    pub(super) fn files(&self) -> usize {
        self.segments.len()
    }
}

/// How far a segment could be read.
struct Scanned {
    end: usize,
    /// The binding of the entry that is damaged.
    damaged: Option<u64>,
    /// It ends within an entry.
    torn: bool,
}

impl Place {
    fn new(segment: u32, at: usize, len: usize) -> Self {
        let small = |n| u32::try_from(n).unwrap_or(u32::MAX);
        Self { segment, at: small(at), len: small(len) }
    }
}

/// An entry in a buffer.
struct Entry<'a> {
    len: usize,
    digest: u64,
    id: u64,
    record: &'a [u8],
    digested: &'a [u8],
}

impl<'a> Entry<'a> {
    /// The entry at the front of `bytes`; else whether it ends within one, or there is none.
    fn parse(bytes: &'a [u8]) -> Result<Self, bool> {
        let Some((len, _)) = bytes.split_first_chunk() else { return Err(true) };
        let len = u32::from_le_bytes(*len) as usize;
        if !(HEAD_LEN + ID_LEN..=ENTRY_LEN_MAX).contains(&len) {
            return Err(false);
        }
        let entry = bytes.get(..len).ok_or(true)?;
        let (digest, digested) = entry.get(4..).and_then(<[u8]>::split_first_chunk).ok_or(true)?;
        let (id, record) = digested.split_first_chunk().ok_or(true)?;
        let (digest, id) = (u64::from_le_bytes(*digest), u64::from_le_bytes(*id));
        Ok(Self { len, digest, id, record, digested })
    }

    fn is_intact(&self) -> bool {
        Digest::new(0).field(self.digested).finish() == self.digest
    }
}

/// Fills in the digest of the entry at the front of `bytes`; returns its length.
fn seal(bytes: &mut [u8]) -> Option<usize> {
    let entry = Entry::parse(bytes).ok()?;
    let (len, digest) = (entry.len, Digest::new(0).field(entry.digested).finish());
    bytes.get_mut(4..HEAD_LEN)?.copy_from_slice(&digest.to_le_bytes());
    Some(len)
}

/// The process before may be just ending.
#[allow(clippy::disallowed_methods)] // a start, before any core polls
fn take_lock(lock: &File) -> Result<(), LogError> {
    for _ in 0..LOCK_TRIES {
        if flock(lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Err(LogError::Locked)
}

fn path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{NAME}{number}"))
}

/// The numbers of the segments in `dir`, in their order. What else is there is not touched, and
/// what nobody knows is not passed over: it may be the sessions of another version.
fn numbers(dir: &Path) -> Result<Vec<u32>, LogError> {
    let mut numbers = Vec::new();
    for file in fs::read_dir(dir)? {
        let name = file?.file_name().to_string_lossy().into_owned();
        match name.strip_prefix(NAME).map(str::parse) {
            Some(Ok(number)) => numbers.push(number),
            None if KNOWN.contains(&&*name) => {}
            _ => return Err(LogError::Foreign(name)),
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// What may be in the directory besides.
const KNOWN: [&str; 4] = [LOCK, super::RUN, super::RUN_NEW, "lost+found"];

#[cfg(test)]
mod tests;
