//! The way to the thread that reads the configuration again: from the admin thread and from a
//! signal.
//!
//! ```text
//!  client task, SIGHUP --> [ bounded queue ] --> reload thread --> control core
//!        ^                                            |
//!        +------------------ oneshot slot <-----------+
//! ```
//! One at a time is worked on, in the order in which they came.

use super::api::ConfigChanges;
use super::channel::AskError;
use tokio::sync::{mpsc, oneshot};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// What a reload would change.
    Diff,
    /// To read the files and put them in force.
    Reload,
}

/// The faults that were found, a line each, or why it was not put in force.
pub type Refused = String;

/// A job and the slot for its outcome.
#[derive(Debug)]
pub struct Asked {
    /// What is to be done.
    pub job: Job,
    /// Who asks, for the log.
    pub by: String,
    outcome: oneshot::Sender<Result<ConfigChanges, Refused>>,
}

/// The end of those who ask.
#[derive(Debug, Clone)]
pub struct ConfigAsker(mpsc::Sender<Asked>);

/// The reload thread's end.
#[derive(Debug)]
pub struct Jobs(mpsc::Receiver<Asked>);

/// A queue for a few.
#[must_use]
pub fn channel() -> (ConfigAsker, Jobs) {
    let (tx, rx) = mpsc::channel(JOBS_MAX);
    (ConfigAsker(tx), Jobs(rx))
}

impl ConfigAsker {
    /// Asks; the receiver gives the outcome.
    pub fn ask(
        &self,
        job: Job,
        by: String,
    ) -> Result<oneshot::Receiver<Result<ConfigChanges, Refused>>, AskError> {
        let (outcome, slot) = oneshot::channel();
        match self.0.try_send(Asked { job, by, outcome }) {
            Ok(()) => Ok(slot),
            Err(mpsc::error::TrySendError::Full(_)) => Err(AskError::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(AskError::Stopped),
        }
    }
}

impl Jobs {
    /// Waits for the next one; `None` when nobody can ask any more.
    pub fn wait(&mut self) -> Option<Asked> {
        self.0.blocking_recv()
    }
}

impl Asked {
    /// Tells who asked; nothing happens if nobody waits.
    pub fn answer(self, outcome: Result<ConfigChanges, Refused>) {
        drop(self.outcome.send(outcome));
    }
}

/// Jobs that wait: what more is asked for will find the files as these do.
const JOBS_MAX: usize = 4;
