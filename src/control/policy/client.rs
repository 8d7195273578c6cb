//! The policy thread: writes questions, reads answers, connects again when the program went away.
//!
//! Questions that were put and not answered are put again on the next connection, as long as
//! somebody waits for them; so a program may be replaced while nodes attach.

use super::protocol::{LINE_MAX, hello_line, parse_line};
use super::{Answer, PolicyLink, Shared};
use crate::mobility::question::QuestionId;
use crate::time::Duration;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crossbeam::channel::{Sender, bounded};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

/// Starts the thread; it ends when the [`PolicyLink`] is dropped. `node` is told to the program.
pub fn start(socket: &Path, node: &str) -> io::Result<PolicyLink> {
    let (questions, questions_rx) = mpsc::channel(CHANNEL_LEN);
    let (answers, answers_rx) = bounded(CHANNEL_LEN);
    let shared = Arc::new(Shared {
        socket: socket.into(),
        connected: AtomicBool::new(false),
        connections: AtomicU64::new(0),
        oldest: AtomicU64::new(0),
    });
    let client = Client {
        shared: Arc::clone(&shared),
        hello: hello_line(node),
        questions: questions_rx,
        answers,
        open: BTreeMap::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let run = move || runtime.block_on(client.run());
    std::thread::Builder::new().name("policy".into()).spawn(run)?;
    Ok(PolicyLink { questions, answers: answers_rx, shared })
}

/// Why a connection, or the thread, ends.
enum End {
    /// The control core is gone.
    Stopped,
    /// The program is, or it may as well be.
    Lost(String),
}

impl From<io::Error> for End {
    fn from(e: io::Error) -> Self {
        Self::Lost(e.to_string())
    }
}

struct Client {
    shared: Arc<Shared>,
    hello: Vec<u8>,
    questions: mpsc::Receiver<(QuestionId, Vec<u8>)>,
    answers: Sender<Result<Answer, String>>,
    /// Lines of the questions that were not answered: no more than the control core waits for.
    open: BTreeMap<QuestionId, Vec<u8>>,
}

impl Client {
    async fn run(mut self) {
        let mut pause = PAUSE_MIN;
        let mut told = false;
        loop {
            let end = match UnixStream::connect(&self.shared.socket).await {
                Ok(stream) => {
                    info!(socket = %self.shared.socket.display(), "the policy store listens");
                    told = false;
                    self.shared.connections.fetch_add(1, Ordering::Relaxed);
                    self.shared.connected.store(true, Ordering::Relaxed);
                    let mut answered = false;
                    let end = self.serve(stream, &mut answered).await;
                    self.shared.connected.store(false, Ordering::Relaxed);
                    // One that only takes questions is not met more eagerly than one that is gone.
                    if answered {
                        pause = PAUSE_MIN;
                    }
                    end
                }
                Err(e) => End::Lost(e.to_string()),
            };
            match end {
                End::Stopped => return,
                End::Lost(why) if !told => {
                    warn!(socket = %self.shared.socket.display(), why, "the policy store is gone");
                    told = true;
                }
                End::Lost(_) => {}
            }
            if self.rest(pause).await.is_err() {
                return;
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// One connection, from the hello on.
    async fn serve(&mut self, stream: UnixStream, answered: &mut bool) -> End {
        match self.exchange(stream, answered).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn exchange(
        &mut self,
        stream: UnixStream,
        answered: &mut bool,
    ) -> Result<core::convert::Infallible, End> {
        let (read, mut write) = stream.into_split();
        let mut read = BufReader::new(read);
        let mut out = self.hello.clone();
        self.forget_old();
        out.extend(self.open.values().flatten());
        let mut line = Vec::new();
        loop {
            tokio::select! {
                // Nothing moved for so long: it does not read.
                () = sleep(STALL_MAX), if !out.is_empty() => {
                    return Err(End::Lost("it does not read".into()));
                }
                written = write.write(&out), if !out.is_empty() => {
                    let written = written?;
                    out.drain(..written);
                }
                question = self.questions.recv(), if out.len() < OUT_MAX => {
                    let bytes = self.take(question)?;
                    out.extend(bytes);
                }
                bytes = read.fill_buf() => {
                    let bytes = bytes?;
                    if bytes.is_empty() {
                        return Err(End::Lost("it closed the connection".into()));
                    }
                    let end = bytes.iter().position(|b| *b == b'\n');
                    let taken = end.map_or(bytes.len(), |at| at + 1);
                    line.extend_from_slice(&bytes[..end.unwrap_or(taken)]);
                    read.consume(taken);
                    if line.len() > LINE_MAX {
                        self.say(Err(format!("is longer than {LINE_MAX} bytes")))?;
                        return Err(End::Lost("it sent a line without an end".into()));
                    }
                    if end.is_some() {
                        *answered |= self.answer(&line)?;
                        line.clear();
                    }
                }
            }
        }
    }

    /// Takes a line; whether it was an answer to something.
    fn answer(&mut self, line: &[u8]) -> Result<bool, End> {
        let answer = parse_line(line);
        let known = answer.as_ref().is_ok_and(|a| self.open.remove(&a.id).is_some());
        self.say(answer).map(|()| known)
    }

    /// Waits for room if need be: the control core takes answers when it has time for them.
    fn say(&self, answer: Result<Answer, String>) -> Result<(), End> {
        self.answers.send(answer).map_err(|_| End::Stopped)
    }

    /// Remembers a question until it is answered; its line.
    fn take(&mut self, question: Option<(QuestionId, Vec<u8>)>) -> Result<Vec<u8>, End> {
        let (id, line) = question.ok_or(End::Stopped)?;
        self.forget_old();
        self.open.insert(id, line.clone());
        Ok(line)
    }

    fn forget_old(&mut self) {
        let oldest = QuestionId(self.shared.oldest.load(Ordering::Relaxed));
        while self.open.first_key_value().is_some_and(|(id, _)| *id < oldest) {
            self.open.pop_first();
        }
    }

    /// Without a connection: takes questions in for so long.
    async fn rest(&mut self, pause: Duration) -> Result<(), End> {
        let taking = async {
            loop {
                let question = self.questions.recv().await;
                self.take(question)?;
            }
        };
        match timeout(pause, taking).await {
            Ok(end) => end,
            Err(_) => Ok(()),
        }
    }
}

/// Questions, and answers, that wait at a time.
const CHANNEL_LEN: usize = 8192;
/// Bytes of questions that the program has not taken, before the rest waits in the channel.
const OUT_MAX: usize = 1 << 20;
/// From the first attempt to connect again to the next, and at most.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long the program may leave what it is sent.
const STALL_MAX: Duration = Duration::from_secs(5);
