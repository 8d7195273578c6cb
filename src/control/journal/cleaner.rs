//! What takes the disk's own time: syncing a full segment, and removing one that is empty. The
//! journal's thread does not wait for it.

use crossbeam::channel::{Receiver, Sender, unbounded};
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

/// In the order in which they are handed over: what an emptied segment had is synced elsewhere
/// before it goes.
#[derive(Debug)]
pub(super) enum Job {
    Sync(Arc<File>),
    Remove(PathBuf),
}

/// The thread; it ends with this, when all is done: whoever opens the log next finds what stays.
#[derive(Debug)]
pub(super) struct Cleaner {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Cleaner {
    pub(super) fn start() -> io::Result<Self> {
        // A job for many megabytes of records each: they cannot pile up faster than the disk fills.
        let (jobs, to_do) = unbounded();
        let thread =
            std::thread::Builder::new().name("journal-clean".into()).spawn(move || run(&to_do))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    pub(super) fn hand_over(&self, job: Job) {
        // After a failure the thread is gone: files then stay, and are read again at the next
        // start.
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(job));
    }
}

impl Drop for Cleaner {
    fn drop(&mut self) {
        self.jobs = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn run(to_do: &Receiver<Job>) {
    for job in to_do {
        let done = match &job {
            Job::Sync(file) => file.sync_data(),
            Job::Remove(path) => fs::remove_file(path),
        };
        if let Err(error) = done {
            tracing::error!(?job, %error, "the journal is not cleaned any more until the next start");
            return;
        }
    }
}
