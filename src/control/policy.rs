//! The policy store outside: a program that answers over a socket what nodes may do
//! (`docs/policy-protocol.md`).
//!
//! ```text
//!   Lma --AskPolicy--> [bounded channel] --> policy thread --line--> program
//!    ^                                            |
//!    +-- Event::Policy <-- grant <-- [bounded] <--+
//! ```
//! The control core never waits for it: a question that finds the channel full is refused at once,
//! and one that is not answered by its deadline then, whether or not there is a program.

mod client;
mod grant;
mod protocol;

use super::Control;
use super::counters::Counter;
use crate::addr::CustomerId;
use crate::admin::api::PolicyRow;
use crate::mobility::event::Event;
use crate::mobility::question::{PolicyAnswer, PolicyQuestion, QuestionId};
use crate::nic::FramePool;
use crate::time::Now;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crossbeam::channel::Receiver;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;

pub use client::start;
pub use protocol::{Answer, LINE_MAX, Said, parse_line, question_line};

/// The control core's end.
#[derive(Debug)]
pub struct PolicyLink {
    questions: mpsc::Sender<(QuestionId, Vec<u8>)>,
    answers: Receiver<Result<Answer, String>>,
    shared: Arc<Shared>,
}

/// What the two threads tell each other besides. Each field has one writer, and nothing else hangs
/// on what it says: no ordering is needed.
#[derive(Debug)]
struct Shared {
    socket: PathBuf,
    /// By the policy thread: a program listens.
    connected: AtomicBool,
    /// By the policy thread: how often one was found.
    connections: AtomicU64,
    /// By the control core: questions before this one need no answer any more.
    oldest: AtomicU64,
}

impl<P: FramePool> Control<P> {
    /// Asks; what cannot be asked is refused when the actions of this event are done.
    pub(super) fn ask_policy(&mut self, question: &PolicyQuestion) {
        let id = question.id;
        let asked = self.policy.as_ref().is_some_and(|link| {
            let customer = self.customers.get(&question.home).map(String::as_str);
            link.questions.try_send((id, question_line(question, customer))).is_ok()
        });
        if asked {
            self.counters[Counter::PolicyAsked] += 1;
        } else {
            self.unasked.push(id);
        }
    }

    /// Refuses what waits for questions that could not be put.
    pub(super) fn refuse_unasked(&mut self, now: Now) {
        while let Some(question) = self.unasked.pop() {
            self.counters[Counter::PolicyUnasked] += 1;
            let answer = PolicyAnswer::Unavailable;
            self.handle_event(Event::Policy { question, answer }, now);
        }
    }

    /// Takes what the program answered.
    pub(super) fn take_answers(&mut self, now: Now) -> usize {
        let oldest = self.anchor.lma().oldest_question().map_or(u64::MAX, |q| q.0);
        if let Some(link) = &self.policy {
            link.shared.oldest.store(oldest, Ordering::Relaxed);
        }
        let mut work = 0;
        while work < ANSWER_BUDGET
            && !self.is_paused()
            && let Some(answer) = self.policy.as_ref().and_then(|l| l.answers.try_recv().ok())
        {
            self.take_answer(answer, now);
            work += 1;
        }
        work
    }

    fn take_answer(&mut self, answer: Result<Answer, String>, now: Now) {
        let answer = answer.map(|Answer { id, said }| {
            let home =
                self.anchor.lma().question(id).map_or_else(CustomerId::default, |(home, _)| *home);
            let answer = match said {
                Said::Serve(entry) => grant::read(&entry, home, self.anchor.lma(), &self.pools)
                    .map(|grant| PolicyAnswer::Granted(Box::new(grant))),
                Said::NotServed => Ok(PolicyAnswer::NotServed),
                Said::Error(why) => {
                    tracing::debug!(question = id.0, why, "the policy store has no answer");
                    Ok(PolicyAnswer::Unavailable)
                }
                Said::Unusable(why) => Err(why),
            };
            (id, answer)
        });
        let (question, answer) = match answer {
            Ok((id, Ok(answer))) => {
                self.counters[Counter::PolicyAnswered] +=
                    u64::from(self.anchor.lma().question(id).is_some());
                (Some(id), answer)
            }
            Ok((id, Err(why))) => {
                self.note_unusable(&why, now);
                (Some(id), PolicyAnswer::Unavailable)
            }
            Err(why) => {
                self.note_unusable(&why, now);
                (None, PolicyAnswer::Unavailable)
            }
        };
        if let Some(question) = question {
            self.handle_event(Event::Policy { question, answer }, now);
        }
    }

    fn note_unusable(&mut self, why: &str, now: Now) {
        self.counters[Counter::PolicyUnusable] += 1;
        if self.log_limit.admit(now.mono) {
            tracing::warn!(why, "the policy store sent a line that is no answer");
        }
    }

    /// The store, for people; none if there is none.
    pub(super) fn policy_rows(&self) -> Vec<PolicyRow> {
        let row = |link: &PolicyLink| PolicyRow {
            socket: link.shared.socket.display().to_string(),
            connected: link.shared.connected.load(Ordering::Relaxed),
            connections: link.shared.connections.load(Ordering::Relaxed),
            waiting: self.anchor.lma().waiting_for_policy(),
            asked: self.counters[Counter::PolicyAsked],
            answered: self.counters[Counter::PolicyAnswered],
            overdue: self.counters[Counter::PolicyOverdue],
            unusable: self.counters[Counter::PolicyUnusable],
            stray: self.counters[Counter::PolicyStray],
        };
        self.policy.iter().map(row).collect()
    }
}

/// Answers taken a turn.
const ANSWER_BUDGET: usize = 64;

#[cfg(test)]
mod tests;
