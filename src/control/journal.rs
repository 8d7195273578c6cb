//! The journal: acknowledged bindings survive the process.
//!
//! ```text
//!   control core --records of a turn--> [bounded channel] --> journal thread --one write--> state.dir
//!        ^                                                          |
//!        +------------------- confirmed seq <-----------------------+
//! ```
//! A record is confirmed when the kernel has it: it then survives a crash or kill of the process,
//! though not of the machine. A write that fails is tried again until it works; meanwhile nothing
//! is acknowledged, and forwarding goes on. See `docs/adr/0020-journal.md` and
//! `docs/adr/0063-journal-log.md`.

mod cleaner;
mod log;
mod record;
mod restart;

use crate::mobility::action::BindingId;
use crate::mobility::anchor::Record;
use crate::sync::seq::{AppliedReader, AppliedWriter, Seq, applied};
use core::time::Duration;
use crossbeam::channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};
use crossbeam::sync::{Parker, Unparker};
use log::{Log, LogError, Shape};
use restart::Run;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

pub use restart::Restart;

/// Why the journal could not be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk refused, or the directory has what it should not, or is another process's.
    #[error("state directory {}: {source}", dir.display())]
    Store {
        /// `state.dir`.
        dir: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A record is damaged, or of another version.
    #[error("state directory {}: binding {id} has an unreadable record", dir.display())]
    Record {
        /// `state.dir`.
        dir: PathBuf,
        /// Its number.
        id: u64,
    },
    /// The record of the last run is not one of ours.
    #[error("state directory {}: the record of the last run is unreadable", dir.display())]
    Run {
        /// `state.dir`.
        dir: PathBuf,
    },
    /// The thread was refused.
    #[error("journal thread: {0}")]
    Thread(#[from] io::Error),
}

/// The bindings on disk.
pub struct Store {
    dir: PathBuf,
    log: Log,
    /// Names the time since the machine started.
    boot: String,
    /// The run before this one.
    last_run: Option<Run>,
    /// The one that [`Self::begin_run`] noted.
    run: Option<Run>,
}

impl Store {
    /// Opens or creates the store in `dir`; `boot` names the time since the machine started.
    pub fn open(dir: &Path, boot: &str) -> Result<Self, JournalError> {
        let last_run = read_run(dir)?;
        let fell = last_run.as_ref().is_some_and(|run| run.fell(boot));
        let log = Log::open(dir, Shape::default(), fell).map_err(|e| match e {
            LogError::Damaged(Some(id)) => JournalError::Record { dir: dir.into(), id },
            e => failed(dir)(e),
        })?;
        Ok(Self { dir: dir.into(), log, boot: boot.into(), last_run, run: None })
    }

    /// Every binding, in the order of their ids.
    pub fn restore(&self) -> Result<Vec<Record<'static>>, JournalError> {
        let mut bindings = Vec::with_capacity(self.log.len());
        let read = self.log.restore(|id, bytes| {
            let read = record::read(BindingId(id), bytes);
            let unreadable = || JournalError::Record { dir: self.dir.clone(), id };
            bindings.push(read.ok_or_else(unreadable)?);
            Ok::<_, JournalError>(())
        });
        read.map_err(failed(&self.dir))??;
        bindings.sort_unstable_by_key(record::number);
        Ok(bindings)
    }

    /// Notes that a run begins, on the disk itself, and says what its peers have to know of the one
    /// before. `since_epoch` is the time of day.
    pub fn begin_run(&mut self, since_epoch: Duration) -> Result<Restart, JournalError> {
        let (run, restart) = Run::after(self.last_run.as_ref(), self.boot.clone(), since_epoch);
        write_run(&self.dir, &run).map_err(failed(&self.dir))?;
        self.run = Some(run);
        Ok(restart)
    }

    /// Starts the journal thread; it ends, all written and synced, when the [`Journal`] is dropped.
    pub fn start(mut self) -> Result<(Journal, JoinHandle<()>), JournalError> {
        self.log.start_cleaner()?;
        let (journal, end) = Journal::connect(CHANNEL_LEN);
        let thread =
            std::thread::Builder::new().name("journal".into()).spawn(move || self.run(end))?;
        Ok((journal, thread))
    }

    fn run(mut self, mut end: JournalEnd) {
        let mut cleaning = true;
        while let Some(mut batch) = end.next() {
            while batch.bytes.len() < BATCH_LEN
                && let Ok(more) = end.batches.try_recv()
            {
                batch.bytes.extend_from_slice(&more.bytes);
                batch.last = more.last;
                end.give_back(more.bytes);
            }
            while let Err(error) = self.log.append(&mut batch.bytes) {
                tracing::error!(dir = %self.dir.display(), %error,
                    "bindings cannot be written: no registration is acknowledged until they can");
                pause();
            }
            end.confirmed.store(batch.last);
            end.give_back(batch.bytes);
            if cleaning && let Err(error) = self.log.clean() {
                tracing::error!(dir = %self.dir.display(), %error,
                    "the journal is not cleaned any more until the next start");
                cleaning = false;
            }
        }
        // First the bindings, then the word that they are there.
        let stopped = self.run.clone().map(Run::stopped);
        let synced = self.log.sync();
        let noted = synced.and_then(|()| stopped.map_or(Ok(()), |run| write_run(&self.dir, &run)));
        if let Err(error) = noted {
            tracing::error!(dir = %self.dir.display(), %error, "final sync of the bindings failed");
        }
    }
}

fn failed<E>(dir: &Path) -> impl FnOnce(E) -> JournalError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let dir = dir.into();
    |source| JournalError::Store { dir, source: source.into() }
}

fn read_run(dir: &Path) -> Result<Option<Run>, JournalError> {
    match fs::read(dir.join(RUN)) {
        Ok(bytes) => match postcard::from_bytes(&bytes) {
            Ok(run) => Ok(Some(run)),
            Err(_) => Err(JournalError::Run { dir: dir.into() }),
        },
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(failed(dir)(e)),
    }
}

/// On the disk itself when it returns: either the new one or the one before.
fn write_run(dir: &Path, run: &Run) -> io::Result<()> {
    let mut file = File::create(dir.join(RUN_NEW))?;
    // A counter and a short name: they always encode.
    file.write_all(&postcard::to_stdvec(run).unwrap_or_default())?;
    file.sync_all()?;
    fs::rename(dir.join(RUN_NEW), dir.join(RUN))?;
    File::open(dir)?.sync_all()
}

/// The control core's end of the journal.
#[derive(Debug)]
pub struct Journal {
    /// It goes before `wake`: what wakes the thread last is that there is nobody any more.
    batches: Sender<Batch>,
    wake: Wake,
    spare: Receiver<Vec<u8>>,
    confirmed: AppliedReader,
    last: Seq,
    /// Entries that are not handed on yet.
    open: Vec<u8>,
    /// The channel had no room for them.
    is_full: bool,
}

/// What the thread behind it holds.
#[derive(Debug)]
pub(super) struct JournalEnd {
    pub(super) batches: Receiver<Batch>,
    spare: Sender<Vec<u8>>,
    pub(super) confirmed: AppliedWriter,
    parker: Parker,
}

/// Wakes the thread if it sleeps, the last time when this is dropped.
#[derive(Debug)]
struct Wake(Unparker);

impl Drop for Wake {
    fn drop(&mut self) {
        self.0.unpark();
    }
}

/// Entries on their way to the disk.
#[derive(Debug)]
pub(super) struct Batch {
    /// The number of the last one.
    pub(super) last: Seq,
    bytes: Vec<u8>,
}

impl Journal {
    /// A journal, and what the thread behind it holds: a channel of `len` batches, and how far they
    /// are durable.
    pub(super) fn connect(len: usize) -> (Self, JournalEnd) {
        let (batches, batches_rx) = bounded(len);
        let (spare_tx, spare) = bounded(len);
        let (writer, confirmed) = applied();
        let parker = Parker::new();
        let wake = Wake(parker.unparker().clone());
        let (last, open, is_full) = (Seq(0), Vec::new(), false);
        let this = Self { batches, wake, spare, confirmed, last, open, is_full };
        (this, JournalEnd { batches: batches_rx, spare: spare_tx, confirmed: writer, parker })
    }

    /// Makes a binding durable, or forgets it if there is none; it is handed on by [`Self::flush`],
    /// or before.
    pub(super) fn put(&mut self, id: BindingId, record: Option<&Record<'_>>) {
        self.last = Seq(self.last.0 + 1);
        log::entry(id.0, &mut self.open, |out| {
            if let Some(record) = record {
                record::write(record, out);
            }
        });
        if self.open.len() >= HAND_ON_LEN && !self.is_full {
            self.flush();
        }
    }

    /// Hands on what there is if the channel has room for it now.
    pub(super) fn flush(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let spare = self.spare.try_recv().unwrap_or_default();
        let batch = Batch { last: self.last, bytes: std::mem::replace(&mut self.open, spare) };
        self.is_full = false;
        // A journal thread that is gone confirms nothing: nothing is acknowledged any more.
        if let Err(TrySendError::Full(b) | TrySendError::Disconnected(b)) =
            self.batches.try_send(batch)
        {
            (self.open, self.is_full) = (b.bytes, true);
        }
        self.wake.0.unpark();
    }

    /// Whether something waits for room: then no new records should be caused.
    pub(super) fn is_backlogged(&self) -> bool {
        self.is_full
    }

    /// The number of the last record.
    pub(super) fn last_seq(&self) -> Seq {
        self.last
    }

    /// The number of the last record that is durable.
    pub(super) fn confirmed(&self) -> Seq {
        self.confirmed.load()
    }
}

impl JournalEnd {
    /// The next batch; `None` when the control core is gone. It sleeps at once when there is none:
    /// whoever is woken runs before those who have run all the time, whoever has yielded after
    /// them, which matters where it shares a CPU.
    fn next(&self) -> Option<Batch> {
        loop {
            match self.batches.try_recv() {
                Ok(batch) => return Some(batch),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => self.parker.park(),
            }
        }
    }

    fn give_back(&self, mut bytes: Vec<u8>) {
        bytes.clear();
        // More than the channel has room for are dropped.
        let _ = self.spare.try_send(bytes);
    }
}

#[allow(clippy::disallowed_methods)] // an ordinary thread that waits for the disk to recover
fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(500));
}

/// The last run's record, and the next one until it is whole.
const RUN: &str = "run";
const RUN_NEW: &str = "run.new";
/// Batches on their way.
const CHANNEL_LEN: usize = 256;
/// What is handed on before the turn ends, in bytes: the disk begins while the core goes on.
const HAND_ON_LEN: usize = 2 << 10;
/// What is written at a time, in bytes; with one batch more.
const BATCH_LEN: usize = 64 << 10;

#[cfg(test)]
mod tests;
