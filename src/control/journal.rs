//! The journal: acknowledged bindings survive the process.
//!
//! ```text
//!   control core --Op--> [bounded channel] --> journal thread --batch--> fjall (state.dir)
//!        ^                                            |
//!        +------------- confirmed seq <---------------+
//! ```
//! A batch is confirmed when the kernel has it (`PersistMode::Buffer`): it then survives a crash or
//! kill of the process, though not of the machine. A write that fails is tried again until it
//! works; meanwhile nothing is acknowledged, and forwarding goes on. See
//! `docs/adr/0020-journal.md`.

mod restart;

use crate::mobility::action::BindingId;
use crate::mobility::binding::Bce;
use crate::sync::seq::{AppliedReader, AppliedWriter, Seq, applied};
use core::time::Duration;
use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use restart::Run;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

pub use restart::Restart;

/// Why the journal could not be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The store refused.
    #[error("state directory {}: {source}", dir.display())]
    Store {
        /// `state.dir`.
        dir: PathBuf,
        /// Why.
        source: fjall::Error,
    },
    /// A record is not one of ours, or of another version.
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
    database: Database,
    bindings: Keyspace,
    runs: Keyspace,
    /// The one that [`Self::begin_run`] noted.
    run: Option<Run>,
}

impl Store {
    /// Opens or creates the store in `dir`.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let failed = |source| JournalError::Store { dir: dir.into(), source };
        let database = Database::builder(dir).open().map_err(failed)?;
        let bindings =
            database.keyspace(KEYSPACE, KeyspaceCreateOptions::default).map_err(failed)?;
        let runs = database.keyspace(RUNS, KeyspaceCreateOptions::default).map_err(failed)?;
        Ok(Self { dir: dir.into(), database, bindings, runs, run: None })
    }

    /// Every binding, in the order of their ids.
    pub fn restore(&self) -> Result<Vec<Bce>, JournalError> {
        let failed = |source| JournalError::Store { dir: self.dir.clone(), source };
        let mut records = Vec::new();
        for pair in self.bindings.iter() {
            let (key, value) = pair.into_inner().map_err(failed)?;
            let id = <[u8; 8]>::try_from(&*key).map_or(u64::MAX, u64::from_be_bytes);
            let read = |bytes: &[u8]| postcard::from_bytes::<Bce>(bytes).ok();
            let record = match value.split_first() {
                Some((&VERSION, bytes)) => read(bytes),
                Some((&NO_GRANTS, bytes)) => read(&[bytes, &[NONE]].concat()),
                _ => None,
            };
            records.push(record.ok_or(JournalError::Record { dir: self.dir.clone(), id })?);
        }
        Ok(records)
    }

    /// Notes that a run begins, on the disk itself, and says what its peers have to know of the one
    /// before. `boot` names the time since the machine started, `since_epoch` is the time of day.
    pub fn begin_run(
        &mut self,
        boot: String,
        since_epoch: Duration,
    ) -> Result<Restart, JournalError> {
        let failed = |source| JournalError::Store { dir: self.dir.clone(), source };
        let last = match self.runs.get(LAST_RUN).map_err(failed)? {
            Some(bytes) => {
                let unreadable = |_| JournalError::Run { dir: self.dir.clone() };
                Some(postcard::from_bytes(&bytes).map_err(unreadable)?)
            }
            None => None,
        };
        let (run, restart) = Run::after(last.as_ref(), boot, since_epoch);
        self.write_run(&run).map_err(failed)?;
        self.run = Some(run);
        Ok(restart)
    }

    fn write_run(&self, run: &Run) -> fjall::Result<()> {
        // A counter and a short name: they always encode.
        self.runs.insert(LAST_RUN, postcard::to_stdvec(run).unwrap_or_default())?;
        self.database.persist(PersistMode::SyncAll)
    }

    /// Starts the journal thread; it ends, all written and synced, when the [`Journal`] is dropped.
    pub fn start(self) -> Result<(Journal, JoinHandle<()>), JournalError> {
        let (journal, ops, confirmed) = Journal::connect(CHANNEL_LEN);
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || self.run(&ops, confirmed))?;
        Ok((journal, thread))
    }

    fn run(self, ops: &Receiver<Op>, mut confirmed: AppliedWriter) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while let Ok(first) = ops.recv() {
            batch.push(first);
            batch.extend(ops.try_iter().take(BATCH_MAX - 1));
            while let Err(error) = self.write(&batch) {
                tracing::error!(dir = %self.dir.display(), %error,
                    "bindings cannot be written: no registration is acknowledged until they can");
                pause();
            }
            if let Some(last) = batch.last() {
                confirmed.store(last.seq);
            }
            batch.clear();
        }
        // First the bindings, then the word that they are there.
        let end = self.run.clone().map(Run::stopped);
        let synced = self.database.persist(PersistMode::SyncAll);
        if let Err(error) = synced.and_then(|()| end.map_or(Ok(()), |run| self.write_run(&run))) {
            tracing::error!(dir = %self.dir.display(), %error, "final sync of the bindings failed");
        }
    }

    fn write(&self, ops: &[Op]) -> Result<(), WriteError> {
        let mut batch = self.database.batch().durability(Some(PersistMode::Buffer));
        for op in ops {
            let key = op.id.0.to_be_bytes();
            match &op.record {
                Some(bce) => {
                    batch.insert(&self.bindings, key, postcard::to_extend(&**bce, vec![VERSION])?);
                }
                None => batch.remove(&self.bindings, key),
            }
        }
        Ok(batch.commit()?)
    }
}

/// The control core's end of the journal.
#[derive(Debug)]
pub struct Journal {
    ops: Sender<Op>,
    confirmed: AppliedReader,
    last: Seq,
    /// What the channel had no room for, in order.
    backlog: VecDeque<Op>,
}

impl Journal {
    /// A journal, and what the thread behind it holds: a channel of `len` records, and how far they
    /// are durable.
    pub(super) fn connect(len: usize) -> (Self, Receiver<Op>, AppliedWriter) {
        let (ops, ops_rx) = bounded(len);
        let (writer, confirmed) = applied();
        (Self { ops, confirmed, last: Seq(0), backlog: VecDeque::new() }, ops_rx, writer)
    }

    /// Makes `record` durable, or forgets the binding if there is none.
    pub(super) fn put(&mut self, id: BindingId, record: Option<Bce>) {
        self.last = Seq(self.last.0 + 1);
        self.backlog.push_back(Op { seq: self.last, id, record: record.map(Box::new) });
        self.flush();
    }

    /// Hands on what the channel has room for now.
    pub(super) fn flush(&mut self) {
        while let Some(op) = self.backlog.pop_front() {
            match self.ops.try_send(op) {
                Ok(()) => {}
                // A journal thread that is gone confirms nothing: nothing is acknowledged any more.
                Err(TrySendError::Full(op) | TrySendError::Disconnected(op)) => {
                    self.backlog.push_front(op);
                    break;
                }
            }
        }
    }

    /// Whether something waits for room: then no new records should be caused.
    pub(super) fn is_backlogged(&self) -> bool {
        !self.backlog.is_empty()
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

/// A record on its way to the disk; none: the binding is to be forgotten.
#[derive(Debug)]
pub(super) struct Op {
    pub(super) seq: Seq,
    id: BindingId,
    record: Option<Box<Bce>>,
}

#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error(transparent)]
    Store(#[from] fjall::Error),
    #[error(transparent)]
    Encode(#[from] postcard::Error),
}

#[allow(clippy::disallowed_methods)] // an ordinary thread that waits for the disk to recover
fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(500));
}

const KEYSPACE: &str = "binding";
const RUNS: &str = "run";
const LAST_RUN: &[u8] = b"last";
/// First byte of a record; another layout gets another number.
const VERSION: u8 = 3;
/// The one before: without [`Bce`]'s last field.
const NO_GRANTS: u8 = 2;
/// Nothing, as postcard has it.
const NONE: u8 = 0;
const CHANNEL_LEN: usize = 8192;
const BATCH_MAX: usize = 512;

#[cfg(test)]
mod tests;
