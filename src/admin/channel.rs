//! The way from the admin thread to the control core and back.
//!
//! ```text
//!  client task --ask--> [ bounded queue ] --try_next--> control core
//!       ^                                                    |
//!       +------------- oneshot slot <-------- Asked::answer -+
//! ```
//! Neither call of the control core ever waits: an empty queue is `None`, and an answer that nobody
//! waits for any more is dropped. A question that finds the queue full is refused at once, so a
//! flood of clients costs the control core at most `len` questions.

use super::api::{Reply, Request};
use tokio::sync::{mpsc, oneshot};

/// The client side; one for each connection.
#[derive(Debug, Clone)]
pub struct Asker(mpsc::Sender<Asked>);

/// The control core's side.
#[derive(Debug)]
pub struct Questions(mpsc::Receiver<Asked>);

/// A question and the slot for its answer. Dropping it tells the client that there is none.
#[derive(Debug)]
pub struct Asked {
    /// What is asked.
    pub request: Request,
    reply: oneshot::Sender<Reply>,
}

/// Why a question was not put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The queue is full.
    #[error("too many questions are waiting: try again")]
    Busy,
    /// The control core is gone.
    #[error("anchord is stopping")]
    Stopped,
}

/// A queue of at most `len` questions (at least one).
#[must_use]
pub fn channel(len: usize) -> (Asker, Questions) {
    let (tx, rx) = mpsc::channel(len.max(1));
    (Asker(tx), Questions(rx))
}

impl Asker {
    /// Puts a question; the receiver gives the answer, or an error if the control core dropped it.
    pub fn ask(&self, request: Request) -> Result<oneshot::Receiver<Reply>, AskError> {
        let (reply, answer) = oneshot::channel();
        match self.0.try_send(Asked { request, reply }) {
            Ok(()) => Ok(answer),
            Err(mpsc::error::TrySendError::Full(_)) => Err(AskError::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(AskError::Stopped),
        }
    }
}

impl Questions {
    /// The oldest question, if there is one. Never waits.
    pub fn try_next(&mut self) -> Option<Asked> {
        self.0.try_recv().ok()
    }
}

impl Asked {
    /// Answers. Never waits; nothing happens if the client is gone.
    pub fn answer(self, reply: Reply) {
        // An error gives the reply back: the client hung up, nobody is to be told.
        drop(self.reply.send(reply));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_queue_refuses_and_never_waits() {
        let (asker, mut questions) = channel(1);
        let answer = asker.ask(Request::PoolShow).expect("room for one");
        assert_eq!(asker.ask(Request::MagShow).err(), Some(AskError::Busy));
        let asked = questions.try_next().expect("the first question");
        assert_eq!(asked.request, Request::PoolShow);
        asked.answer(Reply::Done);
        assert_eq!(answer.blocking_recv(), Ok(Reply::Done));
        assert!(questions.try_next().is_none());
        drop(questions);
        assert_eq!(asker.ask(Request::MagShow).err(), Some(AskError::Stopped));
    }

    #[test]
    fn question_dropped_without_answer_is_seen_by_the_client() {
        let (asker, mut questions) = channel(4);
        let answer = asker.ask(Request::PoolShow).expect("room");
        drop(questions.try_next());
        assert!(answer.blocking_recv().is_err());
    }
}
