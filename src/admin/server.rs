//! The admin thread: takes connections, and asks the control core on behalf of the clients.
//!
//! ```text
//!  accept -> [ at most `clients` ] -> hello -> | line -> parse -> ask -> answer | ...
//!                                              +-- one request at a time -------+
//! ```
//! A client has one request in work; what it sends meanwhile waits in its socket, whose buffer the
//! kernel bounds. What it does not read is held for `write_timeout`, one answer at most, then it is
//! cut off. So no client costs another one more than its turn, and the control core sees at most
//! one question of each.

use super::api::{ConfigChanges, Reply, Request};
use super::channel::{AskError, Asker};
use super::peer::{Doorkeeper, Peer};
use super::protocol::{
    BUSY, Call, FORBIDDEN, Hello, INVALID_REQUEST, Incoming, LINE_MAX, REFUSED, Refusal,
    parse_line, refusal_line, result_line,
};
use super::reload::{ConfigAsker, Job};
use super::socket::Socket;
use crate::time::Duration;
use serde_json::Value;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::timeout;
use tracing::{info, warn};

/// What the admin thread needs to begin.
pub struct Setup {
    /// Where to listen.
    pub socket: PathBuf,
    /// The group that may connect, besides root and our own user.
    pub group: Option<String>,
    /// `node.name`, for the hello.
    pub node: String,
    /// The answer to `config.show`.
    pub config: watch::Receiver<Value>,
    /// To the thread that reads the configuration again.
    pub reload: ConfigAsker,
    /// Puts another log filter in force, or says what is wrong with it.
    pub set_log: SetLog,
}

/// See [`Setup::set_log`].
pub type SetLog = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// The running admin thread. Stops, and removes the socket, when it is dropped.
#[derive(Debug)]
pub struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// How much one client, and all of them, may take.
#[derive(Debug, Clone, Copy)]
struct Limits {
    clients: usize,
    write_timeout: Duration,
    /// Without a whole line for so long, a client is cut off.
    idle_timeout: Duration,
    /// How long the control core may take for an answer.
    answer_timeout: Duration,
}

const LIMITS: Limits = Limits {
    clients: 32,
    write_timeout: Duration::from_secs(5),
    idle_timeout: Duration::from_secs(600),
    answer_timeout: Duration::from_secs(5),
};

struct Shared {
    asker: Asker,
    doorkeeper: Doorkeeper,
    hello: Hello,
    config: watch::Receiver<Value>,
    reload: ConfigAsker,
    set_log: SetLog,
    limits: Limits,
}

impl Server {
    /// Listens, and starts the thread. Errors are those of the socket's path and group.
    pub fn start(setup: Setup, asker: Asker) -> io::Result<Self> {
        Self::start_with(setup, asker, LIMITS)
    }

    fn start_with(setup: Setup, asker: Asker, limits: Limits) -> io::Result<Self> {
        let doorkeeper = Doorkeeper::new(setup.group);
        let (socket, listener) = Socket::bind(&setup.socket, doorkeeper.gid()?)?;
        let shared = Arc::new(Shared {
            asker,
            doorkeeper,
            hello: Hello::of(&setup.node),
            config: setup.config,
            reload: setup.reload,
            set_log: setup.set_log,
            limits,
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("admin".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, shared) => {}
                    _ = stopped => {}
                }
            });
            // Ends the clients' tasks, and with them their connections.
            drop(runtime);
            drop(socket);
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            warn!("the admin thread had panicked");
        }
    }
}

async fn accept(listener: std::os::unix::net::UnixListener, shared: Arc<Shared>) {
    let listener = match UnixListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            warn!(%error, "the admin socket cannot be used");
            return;
        }
    };
    let places = Arc::new(Semaphore::new(shared.limits.clients));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // No descriptors left, most likely: the connection waits, and so do we.
                warn!(%error, "an admin client cannot be taken");
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let shared = Arc::clone(&shared);
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            let what = format!("{} clients are connected already", shared.limits.clients);
            turn_away(stream, &refusal(BUSY, what)).await;
            continue;
        };
        tokio::spawn(async move {
            serve(stream, &shared).await;
            drop(place);
        });
    }
}

/// Says why, and hangs up. Never waits in earnest: one short line fits an empty socket buffer.
async fn turn_away(mut stream: UnixStream, why: &[u8]) {
    // It was about to be cut off anyway.
    drop(timeout(Duration::from_millis(100), stream.write_all(why)).await);
}

async fn serve(stream: UnixStream, shared: &Shared) {
    let peer = match stream.peer_cred() {
        Ok(cred) => Peer { uid: cred.uid(), gid: cred.gid() },
        Err(error) => {
            warn!(%error, "an admin client without credentials was refused");
            return;
        }
    };
    if !shared.doorkeeper.admits(peer) {
        warn!(uid = peer.uid, gid = peer.gid, "an admin client was refused");
        let what = format!("uid {} may not: become root or a member of admin.group", peer.uid);
        turn_away(stream, &refusal(FORBIDDEN, what)).await;
        return;
    }
    let (read, write) = stream.into_split();
    let mut client = Client { read: BufReader::new(read), write, uid: peer.uid, shared };
    if let Err(end) = client.run().await
        && end.kind() == io::ErrorKind::TimedOut
    {
        info!(uid = peer.uid, reason = %end, "an admin client was cut off");
    }
}

/// One connection.
struct Client<'s> {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    uid: u32,
    shared: &'s Shared,
}

impl Client<'_> {
    /// Answers line by line until the client leaves or is cut off.
    async fn run(&mut self) -> io::Result<()> {
        self.send(&self.shared.hello.to_line()).await?;
        let mut line = Vec::new();
        while self.next_line(&mut line).await? {
            if line.len() > LINE_MAX {
                let what = format!("a request has at most {LINE_MAX} bytes");
                return self.send(&refusal(INVALID_REQUEST, what)).await;
            }
            let answer = match parse_line(&line) {
                Ok(Incoming { id, call }) => self.answer(id, call).await,
                Err(refusal) => refusal_line(&refusal),
            };
            self.send(&answer).await?;
        }
        Ok(())
    }

    /// The next line, without its newline, or one byte more than [`LINE_MAX`] of it; `false` when
    /// the client left.
    async fn next_line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        line.clear();
        let longest = u64::try_from(LINE_MAX).unwrap_or(u64::MAX) + 1;
        let mut bounded = (&mut self.read).take(longest);
        let read = timeout(self.shared.limits.idle_timeout, bounded.read_until(b'\n', line)).await;
        let n = read.map_err(|_| cut("no request for too long"))??;
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok(n > 0)
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sent = timeout(self.shared.limits.write_timeout, self.write.write_all(bytes)).await;
        sent.map_err(|_| cut("it does not read its answers"))?
    }

    async fn answer(&self, id: Value, call: Call) -> Vec<u8> {
        let answer = match call {
            Call::Control(request) => match self.ask(request).await {
                Ok(reply) => Ok(result_line(&id, &reply)),
                Err(refused) => Err(refused),
            },
            Call::ConfigShow => Ok(result_line(&id, &*self.shared.config.borrow())),
            Call::Config(job) => self.configure(job).await.map(|c| result_line(&id, &c)),
            Call::Version => Ok(result_line(&id, &self.shared.hello)),
            Call::LogSet { filter } => self.set_log(&filter).map(|()| result_line(&id, &())),
        };
        answer.unwrap_or_else(|(code, message)| refusal_line(&Refusal::new(id, code, message)))
    }

    fn set_log(&self, filter: &str) -> Result<(), (i32, String)> {
        (self.shared.set_log)(filter).map_err(|e| {
            (
                REFUSED,
                format!("log.set: {filter:?} is no filter (like \"info,anchord=debug\"): {e}"),
            )
        })?;
        info!(uid = self.uid, filter, "the log filter was changed");
        Ok(())
    }

    /// Reads files, however long that takes: a client that does not want to wait leaves.
    async fn configure(&self, job: Job) -> Result<ConfigChanges, (i32, String)> {
        let slot = self.shared.reload.ask(job, format!("uid {}", self.uid)).map_err(refused)?;
        match slot.await {
            Ok(outcome) => outcome.map_err(|why| (REFUSED, why)),
            Err(_) => Err(refused(AskError::Stopped)),
        }
    }

    async fn ask(&self, request: Request) -> Result<Reply, (i32, String)> {
        let changes = request.changes();
        if changes {
            info!(uid = self.uid, ?request, "an admin client asks for a change");
        }
        let slot = self.shared.asker.ask(request).map_err(refused)?;
        match timeout(self.shared.limits.answer_timeout, slot).await {
            Ok(Ok(Reply::Error(why))) => Err((REFUSED, why)),
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) => Err(refused(AskError::Stopped)),
            Err(_) => {
                let what = "the control core gave no answer in time";
                let then = if changes { "look before repeating" } else { "try again" };
                Err((BUSY, format!("{what}: {then}")))
            }
        }
    }
}

fn refused(why: AskError) -> (i32, String) {
    let code = match why {
        AskError::Busy => BUSY,
        AskError::Stopped => REFUSED,
    };
    (code, why.to_string())
}

fn refusal(code: i32, message: String) -> Vec<u8> {
    refusal_line(&Refusal::new(Value::Null, code, message))
}

fn cut(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, why.to_owned())
}

#[cfg(test)]
mod tests;
